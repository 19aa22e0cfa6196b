// What PM knows: tasks (threads, one per process-table slot), processes (thread groups), and the tables that find them.
// Records only, no behaviour; ids are those of the machine's own namespace. MINIX's mproc.h.
// Invariants: a Task is in `mproc` as long as its endpoint lives; a Process is in `processes` from fork until it is reaped, and the tid
// of its leader is its pid; `children` lists in order of birth; pid 1 is a record nobody runs, parent of every orphan.
import { E } from '../../abi/errno.ts'
import { NONE, slotOf } from '../../abi/message.ts'
import { SIGACTION, SIGMAX, SS } from '../../abi/signals.ts'
import type { Sys } from '../../lib/server.ts'
import type { Timers } from '../../lib/timers.ts'
import type { Load } from './load.ts'

/** 64 bits as two signed words: signal sets (bit n-1) and capability sets (bit n). */
export interface Bits {
  lo: number
  hi: number
}

/** Signals sent and not yet taken. `infos` in order of arrival, 32 words of siginfo each; a bit may stand without one. */
export interface Pending extends Bits {
  infos: Int32Array[]
}

/** credentials(7). Uids and gids are unsigned. */
export interface Cred {
  uid: number
  euid: number
  suid: number
  fsuid: number
  gid: number
  egid: number
  sgid: number
  fsgid: number
  groups: number[]
  effective: Bits
  permitted: Bits
  inheritable: Bits
  bounding: Bits
  ambient: Bits
  securebits: number
}

/** What a task whose call PM has suspended waits for. STOPPED: its SIGREADY; VFORK: its child's exec or end; TRACED: its tracer;
 *  TRACEE: an errand in one it traces. */
export const WAITING = { NONE: 0, CHILD: 1, SIGNAL: 2, SIGINFO: 3, SLEEP: 4, VFORK: 5, STOPPED: 6, FUTEX: 7, TRACED: 8, TRACEE: 9 } as const

/** Trace.stop: what a traced thread is stopped for: a signal, its group's stop (or PTRACE_INTERRUPT), an event, a call's begin or end. */
export const STOP = { NONE: 0, SIGNAL: 1, GROUP: 2, EVENT: 3, ENTRY: 4, EXIT: 5 } as const
/** What PM knows of a traced thread beside its task (trace.ts). */
export interface Trace {
  /** Id of the thread that traces it. */
  tracer: number
  seized: boolean
  /** PTRACE_O_*. */
  options: number
  stop: number
  /** Upper part of the wait status its tracer is yet to be given for the stop; 0: it has been. */
  report: number
  /** PTRACE_GETEVENTMSG, PTRACE_GETSIGINFO. */
  message: number
  info: Int32Array | null
  /** Stops due at its next boundary: an event (PTRACE_EVENT_*, 0 none), the end of a call, a trap. */
  event: number
  callEnds: boolean
  trap: boolean
  /** What its tracer let it go on to: the next call's begin or end, the next instruction. */
  calls: boolean
  step: boolean
  /** PTRACE_LISTEN. */
  listening: boolean
  /** PTRACE_EVENT_EXIT: the status it ends with, the process or the thread alone; -1: not so far. */
  exit: number
  whole: boolean
  /** A vfork's child has gone its way while its parent was stopped. */
  vforkDone: boolean
}
/** A traced thread that has ended, but not its process: its tracer may wait for it. */
export interface Ghost {
  tid: number
  tracer: number
  status: number
  uid: number
  pgrp: number
}

export interface Task {
  endpoint: number
  tid: number
  process: Process
  cred: Cred
  /** Name for /proc and prctl (≤ 15 bytes). */
  comm: string
  start: number
  nice: number
  policy: number
  priority: number
  resetOnFork: boolean
  affinity: Uint8Array
  /** ioprio_set(2): class << 13 | level. */
  ioprio: number
  timerSlack: number
  noNewPrivs: boolean
  parentDeathSignal: number
  // signals
  blocked: Bits
  /** During sigtimedwait: the mask without the signals waited for, which `blocked` has left out. Else 0. */
  realBlocked: Bits
  /** The mask to put back after sigsuspend or ppoll; null when there is none. */
  savedMask: Bits | null
  /** The mask before the first frame of the last boundary, should a frame fail. */
  frameMask: Bits
  frameSigno: number
  pending: Pending
  altSp: number
  altSize: number
  altFlags: number
  /** CLONE_CHILD_CLEARTID, set_tid_address, set_robust_list. */
  clearTid: number
  robustList: number
  /** Has called exit with this status, and is saying its last words (lastwords.ts; else -1); the word of somebody's that is being cleared meanwhile. */
  leaving: number
  cleared: number
  // the suspended call
  waiting: number
  /** STOPPED: what SIGREADY said. */
  result: number
  inCall: number
  /** CHILD, SIGINFO, SLEEP: the request (WAIT_* of the file that owns it); arena offsets of its grants. */
  request: Request
  /** What FS knows the thread by, if it has descriptors for it alone (pidfd.ts); 0: nothing. */
  ref: number
  /** A futex call under way. */
  step: FutexStep | null
  trace: Trace | null
  /** A signal its tracer has let through: taken next, without another stop. */
  injected: Int32Array | null
  /** A nanosleep that a signal cut short and that may be issued again: when it would have ended (monotonic ms), or -1. */
  restartAt: number
}

/** A suspended call's arguments. Offsets -1: null pointer. */
export interface Request {
  idType: number
  id: number
  options: number
  statusAt: number
  infoAt: number
  usageAt: number
  /** CHILD: it is wait4, which answers the child's pid; waitid answers 0. */
  answersPid: boolean
  /** SIGINFO: the set waited for. */
  set: Bits
  /** SLEEP: where the remaining time goes. */
  remAt: number
  absolute: boolean
  /** SLEEP, SIGINFO, FUTEX: when it ends, monotonic ms; Infinity never. */
  until: number
  /** FUTEX: the word's key. */
  space: number
  object: number
  address: number
  /** FUTEX: FUTEX_WAIT.*; LOCK: the owner's thread id; it has been chosen to get the lock. */
  futex: number
  owner: number
  granted: boolean
  /** TRACEE: the word to write. */
  word: Bits
}

/** A futex's word (futex-queue.ts): address in a private space, or device, inode and offset. */
export interface FutexKey {
  space: number
  object: number
  address: number
}
/** What a task waits for at a futex: to be woken; a lock; to be requeued to a lock. */
export const FUTEX_WAIT = { PLAIN: 0, LOCK: 1, REQUEUE: 2 } as const
export const FUTEX_STEP = { LOCK: 0, UNLOCK: 1, REQUEUE: 2, OPERATION: 3 } as const
/** A futex call that changes a word: what it has asked the container to do, and what it needs to go on. */
export interface FutexStep {
  /** FUTEX_STEP.* */
  what: number
  /** Guest address of the word, its key; the word waiters come from. */
  word: number
  key: FutexKey
  source: FutexKey
  /** What the word is to hold, before and after. */
  expected: number
  next: number
  /** LOCK, REQUEUE: `next` makes somebody the owner; else it only marks that somebody waits. */
  takes: boolean
  /** Who is to get the lock, 0 nobody; of a waiter: whose lock it has come into. */
  heir: number
  /** UNLOCK: whose lock it is. */
  from: number
  /** Unlockings when the word was last looked at. OPERATION: the encoded operation. */
  seen: number
  /** LOCK: as Request.until; -1 doesn't wait. */
  until: number
  /** How many to wake, and to requeue. */
  count: number
  most: number
  /** The wait began at another word. */
  requeued: boolean
}

export const STATE = { RUNNING: 0, STOPPED: 1, ZOMBIE: 2 } as const

export interface Usage {
  user: number
  system: number
}

/** What else getrusage(2) tells: bytes resident at most; page faults; context switches. */
export interface Counts {
  peak: number
  minor: number
  major: number
  voluntary: number
  involuntary: number
}
export function newCounts(): Counts {
  return { peak: 0, minor: 0, major: 0, voluntary: 0, involuntary: 0 }
}

export interface IntervalTimer {
  /** REAL: monotonic ms; VIRTUAL and PROF: CPU ms. Infinity: off. */
  due: number
  interval: number
}

/** POSIX timer (timer_create). */
export interface PosixTimer {
  id: number
  clock: number
  notify: number
  signo: number
  value: Bits
  tid: number
  due: number
  interval: number
  overrun: number
}

export interface Process {
  pid: number
  /** Place in `byIndex`, for timer keys; -1 once a zombie. */
  index: number
  tasks: Task[]
  /** The task with tid = pid; kept while it is a zombie. */
  leader: Task
  parent: Process
  children: Process[]
  /** The parent's thread that made it, or has taken it over from one that ended (__WNOTHREAD, PR_SET_PDEATHSIG). */
  forkedBy: number
  pgrp: number
  session: number
  /** What the parent gets when it ends: SIGCHLD, 0, … */
  exitSignal: number
  state: number
  /** Wait status, once it ends. */
  status: number
  exiting: boolean
  /** The wait status it is about to end with, once its threads have stopped and said their last words (lastwords.ts); -1. */
  dying: number
  /** A group stop is under way or done: its signal. 0 none. */
  stopSignal: number
  /** Not yet waited for: stop signal; continuation. */
  stopReport: number
  contReport: boolean
  /** sigaction table: SIGMAX + 1 rows of 8 words, each a struct kernel_sigaction. */
  actions: Uint32Array
  pending: Pending
  /** Hard and soft limits: [2r] soft, [2r+1] hard; Infinity = RLIM_INFINITY. */
  limits: Float64Array
  /** CPU time of tasks that ended, and of children waited for, in ms. */
  dead: Usage
  waited: Usage
  /** When it ended, if its parent had asked for the like before; of children waited for. */
  counts: Counts
  waitedCounts: Counts
  asksCounts: boolean
  timers: IntervalTimer[]
  posixTimers: PosixTimer[]
  /** Which address space it lives in: shared by CLONE_VM, new at exec. Never used again for another. */
  space: number
  /** Has called exec since fork (setpgid's EACCES). */
  execed: boolean
  dumpable: number
  keepCaps: boolean
  subreaper: boolean
  thpDisable: boolean
  /** prctl's PR_MCE_KILL and PR_SET_IO_FLUSHER. */
  machineChecks: number
  ioFlusher: boolean
  personality: number
  /** vfork parent that waits for this process. -1 none. */
  vforkParent: number
  /** First process of the machine: its job number, else -1. */
  job: number
  /** What FS knows it by, if it has descriptors for it (pidfd.ts); 0: nothing. */
  ref: number
  /** Zombie: the thread that traced its leader, and is to hear of the end before the parent; 0 none. */
  tracer: number
  /** FS has a signalfd of it: tell about new signals. */
  watched: boolean
}

export interface PmOptions {
  cpus: number
  memoryTotal: number
  /** Bytes free right now. */
  memoryFree?(): number
  hostname: string
  domainname?: string
  release: string
  version?: string
  /** Is the process blocked in a server's call? For /proc's R or S; absent: always R. */
  blocked?(endpoint: number): boolean
  /** Tasks the machine may have. */
  maxProcesses: number
  pidMax?: number
  /** Initial soft and hard limits by resource number, over the defaults; Infinity = unlimited. */
  limits?: Readonly<Record<number, readonly [soft: number, hard: number]>>
}

/** The server's whole state. */
export interface Pm {
  readonly sys: Sys
  readonly options: PmOptions
  /** By process-table slot. */
  readonly mproc: (Task | undefined)[]
  /** By pid, zombies too; in order of birth. */
  readonly processes: Map<number, Process>
  /** By tid, leaders too. */
  readonly tasks: Map<number, Task>
  readonly byIndex: (Process | undefined)[]
  readonly init: Process
  readonly timers: Timers
  /** Tasks that wait for a futex, first come first. */
  readonly sleepers: Task[]
  /** How many locks with priority inheritance have been given away. */
  unlocks: number
  ghosts: Ghost[]
  lastPid: number
  lastSpace: number
  /** Last ref given out. */
  lastRef: number
  hostname: string
  domainname: string
  /** CPU time of all tasks that ended. */
  spent: Usage
  load: Load
}

export const RLIMIT = {
  CPU: 0, FSIZE: 1, DATA: 2, STACK: 3, CORE: 4, RSS: 5, NPROC: 6, NOFILE: 7, MEMLOCK: 8, AS: 9, LOCKS: 10, SIGPENDING: 11, MSGQUEUE: 12,
  NICE: 13, RTPRIO: 14, RTTIME: 15, COUNT: 16,
} as const

/** The live task of an endpoint. */
export function taskOf(pm: Pm, endpoint: number): Task | undefined {
  const t = pm.mproc[slotOf(endpoint)]
  return t !== undefined && t.endpoint === endpoint ? t : undefined
}

/** A thread by id. A process whose leader has ended, and process 1, which never runs, are found too. */
export function findTask(pm: Pm, tid: number): Task | undefined {
  return pm.tasks.get(tid) ?? pm.processes.get(tid)?.leader
}

export function newRequest(): Request {
  return { idType: 0, id: 0, options: 0, statusAt: -1, infoAt: -1, usageAt: -1, answersPid: true, set: { lo: 0, hi: 0 }, remAt: -1, absolute: false, until: 0, space: 0, object: 0, address: 0, futex: 0, owner: 0, granted: false, word: { lo: 0, hi: 0 } }
}

/** ns a sleep may be late by, unless prctl(2) says otherwise. */
export const TIMER_SLACK = 50_000

export function newTask(tid: number, process: Process, cred: Cred): Task {
  return {
    endpoint: NONE, tid, process, cred, comm: '', start: 0, nice: 0, policy: 0, priority: 0, resetOnFork: false, affinity: new Uint8Array(128), ioprio: 0,
    timerSlack: TIMER_SLACK, noNewPrivs: false, parentDeathSignal: 0, blocked: { lo: 0, hi: 0 }, realBlocked: { lo: 0, hi: 0 }, savedMask: null,
    frameMask: { lo: 0, hi: 0 }, frameSigno: 0, pending: newPending(), altSp: 0, altSize: 0, altFlags: SS.DISABLE, clearTid: 0, robustList: 0, leaving: -1, cleared: 0,
    waiting: WAITING.NONE, result: 0, inCall: 0, request: newRequest(), restartAt: -1, ref: 0, step: null, trace: null, injected: null,
  }
}

export function newPending(): Pending {
  return { lo: 0, hi: 0, infos: [] }
}

export function newProcess(pid: number, parent: Process | null, cred: Cred): Process {
  const p = {
    pid, index: -1, tasks: [], children: [], forkedBy: 0, pgrp: pid, session: pid, exitSignal: 17, state: STATE.RUNNING, status: 0, exiting: false, dying: -1, stopSignal: 0,
    stopReport: 0, contReport: false, actions: new Uint32Array((SIGMAX + 1) * (SIGACTION.BYTES / 4)), pending: newPending(),
    limits: new Float64Array(2 * RLIMIT.COUNT).fill(Number.POSITIVE_INFINITY), dead: { user: 0, system: 0 }, waited: { user: 0, system: 0 },
    counts: newCounts(), waitedCounts: newCounts(), asksCounts: false,
    timers: [newTimer(), newTimer(), newTimer()], posixTimers: [], space: 0, execed: false, dumpable: 1, keepCaps: false, subreaper: false,
    thpDisable: false, machineChecks: 2, ioFlusher: false, personality: 0, vforkParent: -1, job: -1, ref: 0, tracer: 0, watched: false,
  } as unknown as Process
  p.parent = parent ?? p
  p.leader = newTask(pid, p, cred)
  return p
}

export function newTimer(): IntervalTimer {
  return { due: Number.POSITIVE_INFINITY, interval: 0 }
}

/** Words of `signo`'s row in `actions`: handler lo hi, flags lo hi, restorer lo hi, mask lo hi. */
export function actionRow(signo: number): number {
  return signo * (SIGACTION.BYTES / 4)
}

/** Ids stay below, unless the machine says otherwise. */
export const PID_MAX = 32768
/** Next free pid, or -EAGAIN: counts up, wraps at pid_max to 300 as Linux does, never one still in use as a pid, tid, group or session. */
export function allocatePid(pm: Pm): number {
  const max = pm.options.pidMax ?? PID_MAX
  for (let tries = 0; tries < max; tries++) {
    pm.lastPid = pm.lastPid + 1 >= max ? 300 : pm.lastPid + 1
    if (!pidInUse(pm, pm.lastPid)) return pm.lastPid
  }
  return -E.AGAIN
}
export function pidInUse(pm: Pm, pid: number): boolean {
  if (pm.tasks.has(pid) || pm.processes.has(pid)) return true
  for (const p of pm.processes.values()) if (p.pgrp === pid || p.session === pid) return true
  return false
}

export const CAP = { CHOWN: 0, KILL: 5, SETGID: 6, SETUID: 7, SETPCAP: 8, SYS_PTRACE: 19, SYS_ADMIN: 21, SYS_NICE: 23, SYS_RESOURCE: 24, SYS_TIME: 25, CHECKPOINT_RESTORE: 40 } as const
export const LAST_CAP = 40
/** All capabilities: bits 0–40. */
export const ALL_CAPS: Readonly<Bits> = { lo: -1, hi: 0x1ff }

export function capable(cred: Cred, capability: number): boolean {
  const word = capability < 32 ? cred.effective.lo : cred.effective.hi
  return ((word >>> (capability & 31)) & 1) === 1
}

export function rootCred(): Cred {
  return {
    uid: 0, euid: 0, suid: 0, fsuid: 0, gid: 0, egid: 0, sgid: 0, fsgid: 0, groups: [], effective: { ...ALL_CAPS }, permitted: { ...ALL_CAPS },
    inheritable: { lo: 0, hi: 0 }, bounding: { ...ALL_CAPS }, ambient: { lo: 0, hi: 0 }, securebits: 0,
  }
}
export function copyCred(c: Cred): Cred {
  return {
    ...c, groups: c.groups.slice(), effective: { ...c.effective }, permitted: { ...c.permitted }, inheritable: { ...c.inheritable },
    bounding: { ...c.bounding }, ambient: { ...c.ambient },
  }
}
