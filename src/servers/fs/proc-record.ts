// PM's record of a thread (protocol/pm.ts PROC_RECORD), read at once.
import { PROC_RECORD as R } from '../../protocol/pm.ts'
import { recordOf } from './proc-process.ts'
import type { FsState } from './state.ts'

/** Times in ms; sets of signals and capabilities, and the affinity mask, as hexadecimal text. */
export interface ProcRecord {
  pid: number
  group: number
  ppid: number
  pgrp: number
  session: number
  tty: number
  tpgid: number
  tracer: number
  state: string
  threads: number
  uids: number[]
  gids: number[]
  groups: number[]
  nice: number
  policy: number
  priority: number
  utime: number
  stime: number
  groupUtime: number
  groupStime: number
  cutime: number
  cstime: number
  start: number
  sigpnd: string
  shdpnd: string
  sigblk: string
  sigign: string
  sigcgt: string
  sigq: number
  sigqMax: number
  comm: string
  exitSignal: number
  exitCode: number
  dumpable: number
  noNewPrivs: number
  caps: string[]
  personality: number
  timerSlack: number
  /** CPUs it may run on. */
  affinity: number[]
  /** What PM has it wait for, 0: nothing. */
  waiting: number
}

export function processRecord(state: FsState, pid: number): ProcRecord | undefined {
  const at = recordOf(state, pid)
  if (at < 0) return undefined
  const { view, mem } = state.sys
  const u32 = (offset: number): number => view.getUint32(at + offset, true)
  const s32 = (offset: number): number => view.getInt32(at + offset, true)
  const f64 = (offset: number): number => view.getFloat64(at + offset, true)
  const set = (offset: number): string => hex(u32(offset + 4)) + hex(u32(offset))
  let comm = ''
  for (let i = at + R.COMM; i < at + R.COMM + 16 && mem[i] !== 0; i++) comm += String.fromCharCode(mem[i] as number)
  return {
    pid: u32(R.PID), group: u32(R.TGID), ppid: u32(R.PPID), pgrp: u32(R.PGRP), session: u32(R.SESSION), tty: u32(R.TTY), tpgid: s32(R.TPGID),
    tracer: u32(R.TRACER), state: String.fromCharCode(u32(R.STATE) & 0xff), threads: u32(R.THREADS),
    uids: [u32(R.UID), u32(R.EUID), u32(R.SUID)], gids: [u32(R.GID), u32(R.EGID), u32(R.SGID)],
    groups: Array.from({ length: Math.min(32, u32(R.NGROUPS)) }, (_, i) => u32(R.GROUPS + 4 * i)),
    nice: s32(R.NICE), policy: u32(R.POLICY), priority: u32(R.PRIORITY),
    utime: f64(R.UTIME), stime: f64(R.STIME), groupUtime: f64(R.GROUP_UTIME), groupStime: f64(R.GROUP_STIME),
    cutime: f64(R.CUTIME), cstime: f64(R.CSTIME), start: f64(R.START),
    sigpnd: set(R.SIGPND), shdpnd: set(R.SHDPND), sigblk: set(R.SIGBLK), sigign: set(R.SIGIGN), sigcgt: set(R.SIGCGT),
    sigq: u32(R.SIGQ), sigqMax: f64(R.SIGQ_MAX), comm,
    exitSignal: s32(R.EXIT_SIGNAL), exitCode: u32(R.EXIT_CODE), dumpable: u32(R.DUMPABLE), noNewPrivs: u32(R.NO_NEW_PRIVS),
    caps: [0, 1, 2, 3, 4].map(k => set(R.CAPS + 8 * k)), personality: u32(R.PERSONALITY), timerSlack: f64(R.TIMER_SLACK),
    affinity: Array.from({ length: 128 }, (_, cpu) => cpu).filter(cpu => ((mem[at + R.AFFINITY + (cpu >> 3)] as number) >> (cpu & 7)) & 1),
    waiting: u32(R.WAITING),
  }
}
export function hex(word: number): string {
  return word.toString(16).padStart(8, '0')
}

/** CPUs as the kernel lists them: 0-2,5. */
export function cpuList(cpus: readonly number[]): string {
  const parts: string[] = []
  for (let i = 0; i < cpus.length; ) {
    let j = i
    while (j + 1 < cpus.length && cpus[j + 1] === (cpus[j] as number) + 1) j++
    parts.push(i === j ? String(cpus[i]) : `${cpus[i]}-${cpus[j]}`)
    i = j + 1
  }
  return parts.join(',')
}
/** CPUs as a mask: 32 bits a word, the highest first, `total` CPUs wide; the first word without leading zeros unless there are several. */
export function cpuMask(cpus: readonly number[], total: number): string {
  const words = new Array<number>(Math.max(1, Math.ceil(total / 32))).fill(0)
  for (const cpu of cpus) if (cpu < 32 * words.length) words[cpu >> 5] = ((words[cpu >> 5] as number) | (1 << (cpu & 31))) >>> 0
  return words.length === 1 ? (words[0] as number).toString(16) : words.map(hex).reverse().join(',')
}
/** 0 … n - 1 */
export function cpuRange(n: number): number[] {
  return Array.from({ length: n }, (_, cpu) => cpu)
}
