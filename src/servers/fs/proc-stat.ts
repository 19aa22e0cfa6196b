// /proc/PID/stat, status, sched and schedstat: proc_pid_stat(5), proc_pid_status(5). Times are in clock ticks of 1/100 s.
import { USAGE } from '../../abi/ipc.ts'
import { IMAGE, MAPS } from '../../protocol/vm.ts'
import { callerMayTrace, type Found, imageOf, memoryText, rowOf, usageOf } from './proc-process.ts'
import { cpuList, cpuMask, type ProcRecord, processRecord } from './proc-record.ts'
import type { FsState } from './state.ts'

const TICK_MS = 10
const PAGE = 4096
/** PF_RANDOMIZE: all that can be said of a process's kernel flags. */
const FLAGS = 0x400000
const STATES: Readonly<Record<string, string>> = {
  R: 'running', S: 'sleeping', D: 'disk sleep', T: 'stopped', t: 'tracing stop', Z: 'zombie', X: 'dead', I: 'idle',
}
const POLICY = { FIFO: 1, RR: 2 } as const
const NO_LIMIT = '18446744073709551615'

function ticks(ms: number): number {
  return Math.floor(ms / TICK_MS)
}
/** The first 31 signals of a set in hexadecimal, as stat shows them. */
function low(set: string): number {
  return Number.parseInt(set.slice(8), 16) & 0x7fffffff
}
/** As stat counts it: 20 + nice, or -1 - real-time priority. */
export function priorityOf(p: ProcRecord): number {
  return p.policy === POLICY.FIFO || p.policy === POLICY.RR ? -1 - p.priority : 20 + p.nice
}
/** Bytes of address space. */
function sizeOf(state: FsState, about: Found): number {
  return Number(memoryText(state, about.endpoint, MAPS.STATM).split(' ')[0] ?? 0) * PAGE
}

/** Addresses are for those who may trace the process: others see 1 and 0. */
export function statText(state: FsState, about: Found): string {
  const p = processRecord(state, about.pid)
  if (p === undefined) return ''
  const size = sizeOf(state, about)
  const used = usageOf(state, about)
  const image = callerMayTrace(state, about) ? imageOf(state, about) : null
  const address = (index: number): number => {
    if (image === null) return index <= IMAGE.END_CODE && size > 0 ? 1 : 0
    const view = new DataView(image.buffer, 8 * index, 8)
    return view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32
  }
  const resident = Math.floor((used(USAGE.ANON) + used(USAGE.FILE) + used(USAGE.SHARED)) / PAGE)
  const [user, system] = about.thread ? [p.utime, p.stime] : [p.groupUtime, p.groupStime]
  const fields = [
    p.pid, `(${p.comm})`, p.state, p.ppid, p.pgrp, p.session, p.tty, p.tpgid, FLAGS,
    used(USAGE.MINFLT), 0, used(USAGE.MAJFLT), 0, ticks(user), ticks(system), ticks(p.cutime), ticks(p.cstime),
    priorityOf(p), p.nice, p.threads, 0, ticks(p.start), size, resident, NO_LIMIT,
    address(IMAGE.START_CODE), address(IMAGE.END_CODE), address(IMAGE.START_STACK), 0, 0,
    low(p.sigpnd), low(p.sigblk), low(p.sigign), low(p.sigcgt), p.state === 'R' || p.state === 'Z' ? 0 : 1, 0, 0,
    p.exitSignal, p.affinity[0] ?? 0, p.priority, p.policy, 0, 0, 0,
    address(IMAGE.START_DATA), address(IMAGE.END_DATA), address(IMAGE.START_BRK), address(IMAGE.ARG_START), address(IMAGE.ARG_END),
    address(IMAGE.ENV_START), address(IMAGE.ENV_END), callerMayTrace(state, about) ? p.exitCode : 0,
  ]
  return `${fields.join(' ')}\n`
}

export function statusText(state: FsState, about: Found): string {
  const p = processRecord(state, about.pid)
  if (p === undefined) return ''
  const row = rowOf(state, about)
  const { cpus } = state.facts
  const memory = memoryText(state, about.endpoint, MAPS.STATUS)
  const used = usageOf(state, about)
  const [inheritable, permitted, effective, bounding, ambient] = p.caps
  const lines: readonly (readonly [name: string, value: string | number])[] = [
    ['Name', escapeName(p.comm)],
    ...(row === undefined ? [] : [['Umask', row.context.umask.toString(8).padStart(4, '0')] as const]),
    ['State', `${p.state} (${STATES[p.state] ?? 'running'})`],
    ['Tgid', p.group],
    ['Ngid', 0],
    ['Pid', p.pid],
    ['PPid', p.ppid],
    ['TracerPid', p.tracer],
    ['Uid', [...p.uids, row?.cred.fsuid ?? p.uids[1]].join('\t')],
    ['Gid', [...p.gids, row?.cred.fsgid ?? p.gids[1]].join('\t')],
    ['FDSize', row === undefined ? 0 : tableSize(row.table.files.length)],
    ['Groups', p.groups.map(gid => `${gid} `).join('') || ' '],
    ['NStgid', p.group],
    ['NSpid', p.pid],
    ['NSpgid', p.pgrp],
    ['NSsid', p.session],
    ['Kthread', 0],
    ['', memory],
    ...(memory === '' ? [] : ([['CoreDumping', 0], ['THP_enabled', 1], ['untag_mask', '0xffffffffffffffff']] as const)),
    ['Threads', p.threads],
    ['SigQ', `${p.sigq}/${Number.isFinite(p.sigqMax) ? p.sigqMax : NO_LIMIT}`],
    ['SigPnd', p.sigpnd],
    ['ShdPnd', p.shdpnd],
    ['SigBlk', p.sigblk],
    ['SigIgn', p.sigign],
    ['SigCgt', p.sigcgt],
    ['CapInh', inheritable as string],
    ['CapPrm', permitted as string],
    ['CapEff', effective as string],
    ['CapBnd', bounding as string],
    ['CapAmb', ambient as string],
    ['NoNewPrivs', p.noNewPrivs],
    ['Seccomp', 0],
    ['Seccomp_filters', 0],
    ['Cpus_allowed', cpuMask(p.affinity, cpus)],
    ['Cpus_allowed_list', cpuList(p.affinity)],
    ['Mems_allowed', '1'],
    ['Mems_allowed_list', '0'],
    ['voluntary_ctxt_switches', used(USAGE.VOLUNTARY)],
    ['nonvoluntary_ctxt_switches', used(USAGE.INVOLUNTARY)],
  ]
  return lines.map(([name, value]) => (name === '' ? value : `${name}:\t${value}\n`)).join('')
}
/** Descriptors a table has room for: a power of two from 64 on. */
function tableSize(n: number): number {
  return Math.max(64, 2 ** Math.ceil(Math.log2(Math.max(1, n))))
}
/** Newlines and backslashes in names, as status shows them. */
function escapeName(name: string): string {
  return name.replace(/\\/g, '\\\\').replace(/\n/g, '\\n')
}

export function schedText(state: FsState, about: Found): string {
  const p = processRecord(state, about.pid)
  if (p === undefined) return ''
  const used = usageOf(state, about)
  const ms = (n: number): string => n.toFixed(6)
  const rows: readonly (readonly [name: string, value: string | number])[] = [
    ['se.exec_start', ms(state.sys.monotonic())],
    ['se.sum_exec_runtime', ms(p.utime + p.stime)],
    ['nr_switches', used(USAGE.VOLUNTARY) + used(USAGE.INVOLUNTARY)],
    ['nr_voluntary_switches', used(USAGE.VOLUNTARY)],
    ['nr_involuntary_switches', used(USAGE.INVOLUNTARY)],
    ['policy', p.policy],
    ['prio', 100 + priorityOf(p)],
  ]
  const head = `${p.comm} (${p.pid}, #threads: ${p.threads})\n${'-'.repeat(67)}\n`
  return head + rows.map(([name, value]) => `${name.padEnd(45)}:${String(value).padStart(21)}\n`).join('')
}
/** Nanoseconds run, nanoseconds waited for a processor (nobody counts those), turns. */
export function schedstatText(state: FsState, about: Found): string {
  const p = processRecord(state, about.pid)
  const used = usageOf(state, about)
  const ran = p === undefined ? 0 : Math.round((p.utime + p.stime) * 1e6)
  return `${ran} 0 ${used(USAGE.VOLUNTARY) + used(USAGE.INVOLUNTARY)}\n`
}
