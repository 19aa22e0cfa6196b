// /proc/PID and /proc/PID/task/TID: one entry per file, proc_pid(5). What is read from elsewhere: proc-stat.ts, proc-memory.ts, proc-links.ts.
import { E } from '../../abi/errno.ts'
import { EP, setGrant, setInt, setLong } from '../../abi/message.ts'
import { USAGE } from '../../abi/ipc.ts'
import { PM, SET } from '../../protocol/pm.ts'
import type { Fproc, Shared } from './inode.ts'
import { hasCapability } from './permission.ts'
import { limitsText } from './proc-limits.ts'
import { linkTree } from './proc-links.ts'
import { guarded, memoryTree } from './proc-memory.ts'
import { mountinfoText, mountsText, mountstatsText } from './proc-mounts.ts'
import { netTable } from './proc-net.ts'
import { children, findProcess, type Found, mayTrace, request, rowOf, selfPid, selfThread, threads, usageOf } from './proc-process.ts'
import { processRecord } from './proc-record.ts'
import { schedstatText, schedText, statText, statusText } from './proc-stat.ts'
import { syscallText, whereItWaits } from './proc-wait.ts'
import { type FsState, fprocOf } from './state.ts'
import type { Tree, TreeDir, TreeFile } from './treefs.ts'

const CAP = { SYS_ADMIN: 21, SYS_NICE: 23, SYS_RESOURCE: 24 } as const
const PAGE = 4096
/** oom_adj's and oom_score_adj's largest. */
const OOM_OLD = 17
const OOM_MAX = 1000
const ALL_IDS = '         0          0 4294967295\n'
const UNSET = 4294967295

type Text = (state: FsState, about: Found) => string | Uint8Array | number
type Write = (state: FsState, about: Found, text: string) => number
function file(text: Text, mode = 0o444, write?: Write): TreeFile<Found> {
  return write === undefined ? { type: 'file', mode, text } : { type: 'file', mode, text, write }
}
function value(text: string): TreeFile<Found> {
  return file(() => text)
}
function dir(entries: Tree<Found>): TreeDir<Found> {
  return { type: 'dir', mode: 0o555, entries }
}

// -- what is set by writing --

/** A whole number with blanks around it, or null. */
function whole(text: string, base = 10): number | null {
  const digits = text.replace(/\0/g, '').trim()
  const ok = base === 10 ? /^-?\d+$/.test(digits) : /^(0x)?[0-9a-f]+$/i.test(digits)
  return ok ? Number.parseInt(digits, base) : null
}
function callerOf(state: FsState): Fproc | undefined {
  return fprocOf(state, state.current)
}
function capable(state: FsState, capability: number): boolean {
  const caller = callerOf(state)
  return caller !== undefined && hasCapability(caller.cred, capability)
}
/** Into PM's record of the thread. */
function setTask(state: FsState, about: Found, what: number, number: number, text: string): number {
  const { sys } = state
  for (let i = 0; i < text.length; i++) sys.mem[sys.buffer + i] = text.charCodeAt(i)
  const m = request(state, PM.SETTASK)
  setInt(m, 0, about.pid)
  setInt(m, 1, what)
  setLong(m, 2, number)
  setGrant(m, 3, sys.buffer, text.length)
  return sys.sendrec(EP.PM, m)
}
const comm = file(
  (state, about) => `${processRecord(state, about.pid)?.comm ?? ''}\n`,
  0o644,
  (state, about, text) =>
    selfPid(state) === about.group ? setTask(state, about, SET.COMM, 0, (text.split('\0')[0] as string).slice(0, 15)) : -E.INVAL,
)
const timerSlack = file(
  (state, about) => `${processRecord(state, about.pid)?.timerSlack ?? 0}\n`,
  0o666,
  (state, about, text) => {
    const ns = whole(text)
    if (ns === null || ns < 0) return -E.INVAL
    if (selfThread(state) !== about.pid && !capable(state, CAP.SYS_NICE)) return -E.PERM
    return setTask(state, about, SET.TIMER_SLACK, ns, '')
  },
)

function sharedOf(state: FsState, about: Found): Shared | undefined {
  return rowOf(state, about)?.shared
}
function oom(of: (adjust: number) => number, from: (text: string) => number | null): TreeFile<Found> {
  return file(
    (state, about) => `${of(sharedOf(state, about)?.oomAdjust ?? 0)}\n`,
    0o644,
    (state, about, text) => {
      const adjust = from(text)
      const shared = sharedOf(state, about)
      if (adjust === null) return -E.INVAL
      if (shared === undefined) return -E.SRCH
      const free = capable(state, CAP.SYS_RESOURCE)
      if (adjust < shared.oomLeast && !free) return -E.ACCES
      shared.oomAdjust = adjust
      if (free) shared.oomLeast = adjust
      return 0
    },
  )
}
const oomScoreAdj = oom(
  adjust => adjust,
  text => inRange(whole(text), -OOM_MAX, OOM_MAX),
)
/** The scale of old: -17 is never, 15 at once. */
const oomAdj = oom(
  adjust => (adjust === OOM_MAX ? OOM_OLD - 2 : Math.trunc((adjust * OOM_OLD) / OOM_MAX)),
  text => {
    const old = inRange(whole(text), -OOM_OLD, OOM_OLD - 2)
    return old === OOM_OLD - 2 ? OOM_MAX : old === null ? null : Math.trunc((old * OOM_MAX) / OOM_OLD)
  },
)
function inRange(n: number | null, least: number, most: number): number | null {
  return n !== null && n >= least && n <= most ? n : null
}
/** fs/proc/base.c proc_oom_score, mm/oom_kill.c oom_badness. */
function oomScore(state: FsState, about: Found): string {
  const used = usageOf(state, about)
  const pages = state.facts.memory / PAGE
  const resident = (used(USAGE.ANON) + used(USAGE.FILE) + used(USAGE.SHARED)) / PAGE
  const badness = resident + ((sharedOf(state, about)?.oomAdjust ?? 0) * pages) / 1000
  return `${Math.max(0, Math.floor(((1000 + (badness * 1000) / pages) * 2) / 3))}\n`
}
const loginuid = file(
  (state, about) => String(sharedOf(state, about)?.loginuid ?? UNSET),
  0o644,
  (state, about, text) => {
    const uid = whole(text)
    const shared = sharedOf(state, about)
    if (uid === null || uid < 0 || uid > UNSET) return -E.INVAL
    if (shared === undefined || selfPid(state) !== about.group) return -E.PERM
    shared.loginuid = uid
    return 0
  },
)
const coreFilter = file(
  (state, about) => `${(sharedOf(state, about)?.coreFilter ?? 0).toString(16).padStart(8, '0')}\n`,
  0o644,
  (state, about, text) => {
    const bits = whole(text, /^\s*0x/i.test(text) ? 16 : 10)
    const shared = sharedOf(state, about)
    if (bits === null || shared === undefined) return -E.INVAL
    shared.coreFilter = bits & 0x1ff
    return 0
  },
)

// -- the tables --

/** No security module is there to ask. */
const attribute = (mode: number): TreeFile<Found> => file(() => -E.INVAL, mode, () => -E.INVAL)
const attr = dir({
  current: attribute(0o666),
  exec: attribute(0o666),
  fscreate: attribute(0o666),
  keycreate: attribute(0o666),
  prev: attribute(0o444),
  sockcreate: attribute(0o666),
})

/** What processes and threads have alike. */
function commonTree(state: FsState): Tree<Found> {
  return {
    ...memoryTree(state),
    ...linkTree,
    attr,
    cgroup: value('0::/\n'),
    comm,
    cpuset: value('/\n'),
    gid_map: value(ALL_IDS),
    io: guarded(ioText),
    limits: file(limitsText),
    loginuid,
    mountinfo: file((st, about) => mountinfoText(st, rowOf(st, about))),
    mounts: file((st, about) => mountsText(st, rowOf(st, about))),
    net: dir(netTable),
    oom_adj: oomAdj,
    oom_score: file(oomScore),
    oom_score_adj: oomScoreAdj,
    personality: guarded((st, about) => `${(processRecord(st, about.pid)?.personality ?? 0).toString(16).padStart(8, '0')}\n`),
    projid_map: value(ALL_IDS),
    sched: file(schedText),
    schedstat: file(schedstatText),
    sessionid: value(String(UNSET)),
    setgroups: value('allow\n'),
    stack: { ...guarded(stackText), allow: (st, about, by) => (hasCapability(by, CAP.SYS_ADMIN) ? mayTrace(st, about, by) : -E.ACCES) },
    stat: file(statText),
    status: file(statusText),
    syscall: guarded(syscallText),
    uid_map: value(ALL_IDS),
    wchan: file(waitText),
  }
}
function waitText(state: FsState, about: Found): string {
  const p = processRecord(state, about.pid)
  return p === undefined ? '' : whereItWaits(state, about, p)
}
/** There is one stack for all: it holds what the thread waits in. */
function stackText(state: FsState, about: Found): string {
  const at = waitText(state, about)
  return at === '0' ? '' : `[<0>] ${at}\n`
}
function ioText(): string {
  return 'rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n'
}

/** /proc/PID, with its threads. */
export function processDirectory(state: FsState): TreeDir<Found> {
  const common = commonTree(state)
  const offspring = file((st, about) => (about.pid === about.group ? children(st, about).map(pid => `${pid} `).join('') : ''))
  const thread = dir({ ...common, children: offspring })
  const task: TreeDir<Found> = {
    ...dir({}),
    numbers: threads,
    numbered(st, about, n) {
      const found = findProcess(st, n, true)
      return found === undefined || found.group !== about.group ? -E.NOENT : { entry: thread, about: found }
    },
  }
  return dir({
    ...common,
    coredump_filter: coreFilter,
    mountstats: file((st, about) => mountstatsText(st, rowOf(st, about)), 0o400),
    task,
    timens_offsets: value('monotonic           0         0\nboottime            0         0\n'),
    timerslack_ns: timerSlack,
  })
}
