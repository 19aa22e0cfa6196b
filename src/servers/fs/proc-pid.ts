// /proc/PID: one entry per file, proc_pid(5). Times are in clock ticks of 1/100 s, sizes in kB or pages as the manual page says.
import { E } from '../../abi/errno.ts'
import { O } from '../../abi/fcntl.ts'
import { PROC_RECORD as R } from '../../protocol/pm.ts'
import { getFile } from './filedes.ts'
import { emptyStat } from './hosttree.ts'
import type { Inode, OpenFile } from './inode.ts'
import { limitsText } from './proc-limits.ts'
import { auxvOf, memOps } from './proc-mem.ts'
import { mountinfoText, mountsText, mountstatsText } from './proc-mounts.ts'
import { netTable } from './proc-net.ts'
import { type Found, groupOf, memoryText, recordOf, rowOf } from './proc-process.ts'
import type { ProcDir, ProcEntry, ProcFile, ProcLink, ProcTable, Subject } from './procfs.ts'
import type { FsState } from './state.ts'

const TICK_MS = 10
const PAGE = 4096
const STATES: Readonly<Record<string, string>> = {
  R: 'running',
  S: 'sleeping',
  D: 'disk sleep',
  T: 'stopped',
  t: 'tracing stop',
  Z: 'zombie',
  X: 'dead',
  I: 'idle',
}
const NONE_OF_THEM = '4294967295'

type Text = (state: FsState, about: Found) => string | Uint8Array
function file(text: Text, mode = 0o444): ProcFile {
  return { type: 'file', mode, text }
}
function guarded(text: Text, mode = 0o400): ProcFile {
  return { type: 'file', mode, text, guarded: true }
}

/** PM's record, read at once. */
interface ProcRecord {
  pid: number
  ppid: number
  pgrp: number
  session: number
  tracer: number
  tty: number
  tpgid: number
  state: string
  threads: number
  uid: number
  euid: number
  suid: number
  gid: number
  egid: number
  sgid: number
  nice: number
  utime: number
  stime: number
  start: number
  cutime: number
  cstime: number
  sigpnd: string
  sigblk: string
  sigign: string
  sigcgt: string
  comm: string
  umask: number
  groups: number[]
}
function record(state: FsState, pid: number): ProcRecord | undefined {
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
    pid: u32(R.PID),
    ppid: u32(R.PPID),
    pgrp: u32(R.PGRP),
    session: u32(R.SESSION),
    tracer: u32(R.TRACER),
    tty: u32(R.TTY),
    tpgid: s32(R.TPGID),
    state: String.fromCharCode(u32(R.STATE) & 0xff),
    threads: u32(R.THREADS),
    uid: u32(R.UID),
    euid: u32(R.EUID),
    suid: u32(R.SUID),
    gid: u32(R.GID),
    egid: u32(R.EGID),
    sgid: u32(R.SGID),
    nice: s32(R.NICE),
    utime: f64(R.GROUP_UTIME),
    stime: f64(R.GROUP_STIME),
    start: f64(R.START),
    cutime: f64(R.CUTIME),
    cstime: f64(R.CSTIME),
    sigpnd: set(R.SIGPND),
    sigblk: set(R.SIGBLK),
    sigign: set(R.SIGIGN),
    sigcgt: set(R.SIGCGT),
    comm,
    umask: u32(R.UMASK),
    groups: Array.from({ length: Math.min(32, u32(R.NGROUPS)) }, (_, i) => u32(R.GROUPS + 4 * i)),
  }
}
function hex(word: number): string {
  return word.toString(16).padStart(8, '0')
}
function ticks(ms: number): number {
  return Math.floor(ms / TICK_MS)
}

/** Field 3 of statm is shared pages; [0] total, [1] resident. */
function pages(state: FsState, about: Found): number[] {
  const text = memoryText(state, about.endpoint, 1)
  return text === '' ? [0, 0, 0, 0, 0, 0, 0] : text.trim().split(' ').map(Number)
}

function statText(state: FsState, about: Found): string {
  const p = record(state, about.pid)
  if (p === undefined) return ''
  const [total = 0, resident = 0] = pages(state, about)
  const signals = [p.sigpnd, p.sigblk, p.sigign, p.sigcgt].map(
    set => (Number.parseInt(set.slice(8), 16) & 0x7fffffff) >>> 0,
  )
  const fields = [
    p.pid,
    `(${p.comm})`,
    p.state,
    p.ppid,
    p.pgrp,
    p.session,
    p.tty,
    p.tpgid,
    0x400000,
    0,
    0,
    0,
    0,
    ticks(p.utime),
    ticks(p.stime),
    ticks(p.cutime),
    ticks(p.cstime),
    20 + p.nice,
    p.nice,
    p.threads,
    0,
    ticks(p.start),
    total * PAGE,
    resident,
    '18446744073709551615',
    0,
    0,
    0,
    0,
    0,
    ...signals,
    0,
    0,
    0,
    17,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
  ]
  return `${fields.join(' ')}\n`
}

function statusText(state: FsState, about: Found): string {
  const p = record(state, about.pid)
  if (p === undefined) return ''
  const row = rowOf(state, about)
  const group = groupOf(state, about)
  const caps = row === undefined ? 0 : row.cred.capabilities
  const capText = hex(Math.floor(caps / 2 ** 32)) + hex(caps % 2 ** 32)
  const lines = [
    `Name:\t${escapeName(p.comm)}`,
    ...(row === undefined ? [] : [`Umask:\t${row.context.umask.toString(8).padStart(4, '0')}`]),
    `State:\t${p.state} (${STATES[p.state] ?? 'running'})`,
    `Tgid:\t${group}`,
    'Ngid:\t0',
    `Pid:\t${p.pid}`,
    `PPid:\t${p.ppid}`,
    `TracerPid:\t${p.tracer}`,
    `Uid:\t${p.uid}\t${p.euid}\t${p.suid}\t${row?.cred.fsuid ?? p.euid}`,
    `Gid:\t${p.gid}\t${p.egid}\t${p.sgid}\t${row?.cred.fsgid ?? p.egid}`,
    `FDSize:\t${fdSize(row?.table.files.length ?? 0)}`,
    `Groups:\t${p.groups.join(' ')} `,
    `NStgid:\t${group}`,
    `NSpid:\t${p.pid}`,
    `NSpgid:\t${p.pgrp}`,
    `NSsid:\t${p.session}`,
    'Kthread:\t0',
  ]
  const memory = memoryText(state, about.endpoint, 2)
  const rest = [
    ...(memory === '' ? [] : ['CoreDumping:\t0', 'THP_enabled:\t0']),
    `Threads:\t${p.threads}`,
    'SigQ:\t0/4096',
    `SigPnd:\t${p.sigpnd}`,
    'ShdPnd:\t0000000000000000',
    `SigBlk:\t${p.sigblk}`,
    `SigIgn:\t${p.sigign}`,
    `SigCgt:\t${p.sigcgt}`,
    'CapInh:\t0000000000000000',
    `CapPrm:\t${capText}`,
    `CapEff:\t${capText}`,
    'CapBnd:\t000001ffffffffff',
    'CapAmb:\t0000000000000000',
    'NoNewPrivs:\t0',
    'Seccomp:\t0',
    'Seccomp_filters:\t0',
    'Speculation_Store_Bypass:\tnot vulnerable',
    `Cpus_allowed:\t${((2 ** state.facts.cpus - 1) >>> 0).toString(16)}`,
    `Cpus_allowed_list:\t${cpuList(state.facts.cpus)}`,
    'Mems_allowed:\t1',
    'Mems_allowed_list:\t0',
    'voluntary_ctxt_switches:\t0',
    'nonvoluntary_ctxt_switches:\t0',
  ]
  return `${lines.join('\n')}\n${memory}${rest.join('\n')}\n`
}
export function cpuList(cpus: number): string {
  return cpus === 1 ? '0' : `0-${cpus - 1}`
}
function fdSize(n: number): number {
  return Math.max(64, 2 ** Math.ceil(Math.log2(Math.max(1, n))))
}
/** Newlines and backslashes in names, as status shows them. */
function escapeName(name: string): string {
  return name.replace(/\\/g, '\\\\').replace(/\n/g, '\\n')
}

/** A number kept per process that programs like to set and nobody acts on. */
const oomAdjust: ProcFile = {
  type: 'file',
  mode: 0o644,
  text: (state, about) => `${state.oomAdjust.get(about.pid) ?? 0}\n`,
  write(state, about, text) {
    const value = Number(text.trim())
    if (!Number.isInteger(value) || text.trim() === '' || value < -1000 || value > 1000) return -E.INVAL
    if (state.oomAdjust.size > 4096) state.oomAdjust.clear()
    state.oomAdjust.set(about.pid, value)
    return 0
  },
}

function smapsRollup(state: FsState, about: Found): string {
  const [, resident = 0, shared = 0] = pages(state, about)
  const kb = (name: string, n: number): string => `${`${name}:`.padEnd(16)}${String(n * 4).padStart(8)} kB\n`
  return `00400000-7ffffffff000 ---p 00000000 00:00 0                              [rollup]\n${kb('Rss', resident)}${kb('Pss', resident)}${kb(
    'Shared_Clean',
    shared,
  )}${kb('Private_Dirty', Math.max(0, resident - shared))}${kb('Swap', 0)}${kb('SwapPss', 0)}`
}

// -- magic links --

function objectLink(pick: (state: FsState, about: Found) => { inode: Inode; path: string } | undefined): ProcLink {
  return {
    type: 'link',
    target: (state, about) => pick(state, about)?.path ?? -E.NOENT,
    follow: (state, about) => pick(state, about) ?? -E.NOENT,
  }
}
const exe = objectLink((state, about) => {
  const row = rowOf(state, about)
  return row === undefined || row.exeInode === null ? undefined : { inode: row.exeInode, path: row.exe }
})
const cwd = objectLink((state, about) => {
  const context = rowOf(state, about)?.context
  return context === undefined ? undefined : { inode: context.cwd, path: context.cwdPath }
})
const root = objectLink((state, about) => {
  const context = rowOf(state, about)?.context
  return context === undefined ? undefined : { inode: context.root, path: context.rootPath }
})

// -- descriptors --

function openFileOf(state: FsState, about: Found): OpenFile | null {
  const row = rowOf(state, about)
  return row === undefined ? null : getFile(row, about.fd)
}
const scratch = emptyStat()
/** Its name, marked when that is gone. */
function fileName(open: OpenFile): string {
  if (!open.path.startsWith('/') || open.path.endsWith(' (deleted)')) return open.path
  return open.inode.fs.getattr(open.inode, scratch) === 0 && scratch.nlink > 0 ? open.path : `${open.path} (deleted)`
}
const fdLink: ProcLink = {
  type: 'link',
  mode(state, about) {
    const access = (openFileOf(state, about)?.flags ?? 0) & O.ACCMODE
    return (access === O.WRONLY ? 0 : 0o500) | (access === O.RDONLY ? 0 : 0o300)
  },
  target(state, about) {
    const open = openFileOf(state, about)
    return open === null ? -E.NOENT : fileName(open)
  },
  follow(state, about) {
    const open = openFileOf(state, about)
    return open === null ? -E.NOENT : { inode: open.inode, path: open.path }
  },
}
const fdInfo = guarded((state, about) => {
  const open = openFileOf(state, about)
  const row = rowOf(state, about)
  if (open === null || row === undefined) return ''
  const flags = open.flags | (row.table.cloexec[about.fd] ? O.CLOEXEC : 0)
  const mount = state.mounts.find(one => one.fs === open.inode.fs)
  return `pos:\t${Math.max(0, open.pos)}\nflags:\t0${flags.toString(8)}\nmnt_id:\t${mount?.id ?? 15}\nino:\t${open.inode.ino}\n`
}, 0o444)

/** fd and fdinfo: an entry per open descriptor. */
export function fdTable(): ProcTable {
  const numbers = (state: FsState, about: Subject): number[] => {
    const files = rowOf(state, about as Found)?.table.files ?? []
    const out: number[] = []
    for (let fd = 0; fd < files.length; fd++) if (files[fd] !== null) out.push(fd)
    return out
  }
  const numbered = (entry: ProcEntry) => (state: FsState, about: Subject, n: number) => {
    const of = { ...(about as Found), fd: n }
    return openFileOf(state, of) === null ? -E.NOENT : { entry, about: of }
  }
  const fd: ProcDir = { type: 'dir', mode: 0o500, entries: {}, numbers, numbered: numbered(fdLink) }
  const fdinfo: ProcDir = { type: 'dir', mode: 0o555, entries: {}, numbers, numbered: numbered(fdInfo) }
  return { fd, fdinfo }
}

const NAMESPACES = {
  cgroup: 4026531835,
  ipc: 4026531839,
  mnt: 4026531841,
  net: 4026531840,
  pid: 4026531836,
  time: 4026531834,
  user: 4026531837,
  uts: 4026531838,
}
const ns: ProcDir = {
  type: 'dir',
  mode: 0o511,
  entries: Object.fromEntries(
    Object.entries(NAMESPACES).map(([name, n]): [string, ProcLink] => [
      name,
      { type: 'link', target: () => `${name}:[${n}]` },
    ]),
  ),
}

/** What a thread has too. */
export const taskTable: ProcTable = {
  auxv: guarded(auxvOf),
  cgroup: file(() => '0::/\n'),
  cmdline: file((state, about) => rowOf(state, about)?.args ?? ''),
  comm: file((state, about) => `${record(state, about.pid)?.comm ?? ''}\n`),
  cpuset: file(() => '/\n'),
  cwd,
  environ: guarded((state, about) => rowOf(state, about)?.env ?? ''),
  exe,
  gid_map: file(() => '         0          0 4294967295\n'),
  io: guarded(
    () => 'rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n',
  ),
  limits: file((state, about) => limitsText(state, about)),
  loginuid: file(() => NONE_OF_THEM),
  maps: guarded((state, about) => memoryText(state, about.endpoint, 0), 0o444),
  mem: { type: 'file', mode: 0o600, text: () => '', guarded: true, ops: memOps },
  mountinfo: file((state, about) => mountinfoText(state, rowOf(state, about))),
  mounts: file((state, about) => mountsText(state, rowOf(state, about))),
  mountstats: file((state, about) => mountstatsText(state, rowOf(state, about)), 0o400),
  net: { type: 'dir', mode: 0o555, entries: netTable },
  ns,
  oom_adj: file((state, about) => `${Math.trunc(((state.oomAdjust.get(about.pid) ?? 0) * 17) / 1000)}\n`),
  oom_score: file((state, about) => `${Math.max(0, 666 + (state.oomAdjust.get(about.pid) ?? 0))}\n`),
  oom_score_adj: oomAdjust,
  personality: guarded(() => '00000000\n'),
  projid_map: file(() => '         0          0 4294967295\n'),
  root,
  schedstat: file(() => '0 0 0\n'),
  sessionid: file(() => NONE_OF_THEM),
  setgroups: file(() => 'allow\n'),
  smaps_rollup: guarded(smapsRollup, 0o444),
  stat: file(statText),
  statm: file((state, about) => memoryText(state, about.endpoint, 1) || '0 0 0 0 0 0 0\n'),
  status: file(statusText),
  timerslack_ns: file(() => '50000\n'),
  uid_map: file(() => '         0          0 4294967295\n'),
  wchan: file(() => '0'),
}
