// Limits and scheduling parameters: getrlimit(2), prlimit(2), getpriority(2), sched(7), sched_setaffinity(2). Scheduling is the host's:
// what is set here is kept and answered, and changes nothing else. Limits FS and VM enforce are told them.
import { E } from '../../abi/errno.ts'
import { FIRST_GUEST, EP, high, int, type Message } from '../../abi/message.ts'
import type { CallVector } from '../../lib/server.ts'
import { FS } from '../../protocol/fs.ts'
import { PM } from '../../protocol/pm.ts'
import { VM } from '../../protocol/vm.ts'
import { armCpuTimer } from './itimer.ts'
import { CAP, capable, findTask, type Pm, type Process, RLIMIT, type Task, taskOf } from './mproc.ts'
import { ask, grantOf, need } from './tell.ts'
import { write64 } from './suspended.ts'

const INFINITY_LOW = 0xffffffff
const PRIO = { PROCESS: 0, PGRP: 1, USER: 2 } as const
const SCHED = { OTHER: 0, FIFO: 1, RR: 2, BATCH: 3, IDLE: 5, DEADLINE: 6, RESET_ON_FORK: 0x40000000 } as const

export function limitCalls(pm: Pm): CallVector {
  const by = (f: (t: Task, m: Message) => number) => (m: Message, from: number) => {
    const t = taskOf(pm, from)
    return t === undefined ? -E.SRCH : f(t, m)
  }
  /** For a call whose cell 0 is a thread id or 0. */
  const on = (f: (by: Task, t: Task, m: Message) => number, negative: number = E.INVAL) => (m: Message, from: number) => {
    const caller = taskOf(pm, from)
    if (caller === undefined) return -E.SRCH
    const pid = int(m, 0)
    if (pid < 0) return -negative
    const t = pid === 0 ? caller : findTask(pm, pid)
    return t === undefined ? -E.SRCH : f(caller, t, m)
  }
  return {
    [PM.GETRLIMIT]: by((t, m) => limit(pm, t, t.process, int(m, 0), -1, need(m, 1, 16))),
    [PM.SETRLIMIT]: by((t, m) => {
      const at = need(m, 1, 16)
      return at < 0 ? at : limit(pm, t, t.process, int(m, 0), at, -1)
    }),
    // a server (FS, for /proc/PID/limits) asks about the task it names
    [PM.PRLIMIT64]: (m, from) => {
      const t = from < FIRST_GUEST ? findTask(pm, int(m, 0)) : taskOf(pm, from)
      return t === undefined ? -E.SRCH : prlimit(pm, t, m)
    },
    [PM.GETPRIORITY]: by((t, m) => getpriority(pm, t, int(m, 0), int(m, 1))),
    [PM.SETPRIORITY]: by((t, m) => setpriority(pm, t, int(m, 0), int(m, 1), int(m, 2))),
    [PM.SCHED_SETPARAM]: on((caller, t, m) => {
      const at = need(m, 1, 4)
      return at < 0 ? -E.INVAL : setScheduler(caller, t, t.policy, pm.sys.view.getInt32(at, true))
    }),
    [PM.SCHED_GETPARAM]: on((_caller, t, m) => {
      const at = need(m, 1, 4)
      if (at < 0) return -E.INVAL
      pm.sys.view.setInt32(at, t.priority, true)
      return 0
    }),
    [PM.SCHED_SETSCHEDULER]: on((caller, t, m) => {
      const at = need(m, 2, 4)
      if (at < 0 || int(m, 1) < 0) return -E.INVAL
      const result = setScheduler(caller, t, int(m, 1) & ~SCHED.RESET_ON_FORK, pm.sys.view.getInt32(at, true))
      if (result === 0) t.resetOnFork = (int(m, 1) & SCHED.RESET_ON_FORK) !== 0
      return result
    }),
    [PM.SCHED_GETSCHEDULER]: on((_caller, t) => t.policy | (t.resetOnFork ? SCHED.RESET_ON_FORK : 0)),
    [PM.SCHED_GET_PRIORITY_MAX]: m => priorityRange(int(m, 0), 99),
    [PM.SCHED_GET_PRIORITY_MIN]: m => priorityRange(int(m, 0), 1),
    [PM.SCHED_RR_GET_INTERVAL]: on((_caller, t, m) => {
      const at = need(m, 1, 16)
      if (at < 0) return at
      write64(pm, at, 0)
      write64(pm, at + 8, t.policy === SCHED.FIFO ? 0 : t.policy === SCHED.RR ? 100_000_000 : 4_000_000)
      return 0
    }),
    [PM.SCHED_SETAFFINITY]: on((caller, t, m) => setAffinity(pm, caller, t, m), E.SRCH),
    [PM.SCHED_GETAFFINITY]: on((_caller, t, m) => {
      const size = int(m, 1)
      const bytes = (((pm.options.cpus + 63) >> 6) << 3) >>> 0
      if (size < bytes || (size & 7) !== 0) return -E.INVAL
      const at = need(m, 2, bytes)
      if (at < 0) return at
      for (let k = 0; k < bytes; k++) pm.sys.mem[at + k] = t.affinity[k]
      return bytes
    }, E.SRCH),
    [PM.SCHED_YIELD]: () => 0,
  }
}

// ---- limits ----

/** What a machine's first processes start with, as on Linux (INIT_RLIMITS), where a finite value makes sense. */
export function initialLimits(pm: Pm): void {
  const { limits } = pm.init
  const set = (resource: number, soft: number, hard: number): void => {
    limits[2 * resource] = soft
    limits[2 * resource + 1] = hard
  }
  const never = Number.POSITIVE_INFINITY
  const processes = Math.max(16, pm.options.maxProcesses)
  set(RLIMIT.STACK, 8 << 20, never)
  set(RLIMIT.CORE, 0, never)
  set(RLIMIT.NPROC, processes, processes)
  set(RLIMIT.NOFILE, 1024, 1048576)
  set(RLIMIT.MEMLOCK, 8 << 20, 8 << 20)
  set(RLIMIT.SIGPENDING, 15_000, 15_000)
  set(RLIMIT.MSGQUEUE, 819200, 819200)
  set(RLIMIT.NICE, 0, 0)
  set(RLIMIT.RTPRIO, 0, 0)
  for (const [resource, [soft, hard]] of Object.entries(pm.options.limits ?? {})) set(Number(resource), soft, hard)
}

function prlimit(pm: Pm, t: Task, m: Message): number {
  const pid = int(m, 0)
  const target = pid === 0 ? t : findTask(pm, pid)
  const at = grantOf(m, 2)
  const old = grantOf(m, 3)
  if ((at >= 0 && high(m, 2) < 16) || (old >= 0 && high(m, 3) < 16)) return -E.FAULT
  if (int(m, 1) < 0 || int(m, 1) >= RLIMIT.COUNT) return -E.INVAL
  if (target === undefined) return -E.SRCH
  if (target.process !== t.process && !sameIds(t, target)) return -E.PERM
  return limit(pm, t, target.process, int(m, 1), at, old)
}
function sameIds(by: Task, t: Task): boolean {
  const a = by.cred
  const b = t.cred
  const same =
    a.uid === b.euid && a.uid === b.suid && a.uid === b.uid && a.gid === b.egid && a.gid === b.sgid && a.gid === b.gid
  return same || capable(a, CAP.SYS_RESOURCE)
}

/** Get into `old` and set from `at`, each an arena offset of a struct rlimit or -1. */
function limit(pm: Pm, t: Task, p: Process, resource: number, at: number, old: number): number {
  if (resource < 0 || resource >= RLIMIT.COUNT) return -E.INVAL
  if (at < 0 && old < -1) return old
  let soft = 0
  let hard = 0
  if (at >= 0) {
    soft = readLimit(pm, at)
    hard = readLimit(pm, at + 8)
    if (soft > hard) return -E.INVAL
    if (hard > p.limits[2 * resource + 1] && !capable(t.cred, CAP.SYS_RESOURCE)) return -E.PERM
    if (resource === RLIMIT.NOFILE && hard > 1048576) return -E.PERM
  }
  if (old >= 0) {
    writeLimit(pm, old, p.limits[2 * resource])
    writeLimit(pm, old + 8, p.limits[2 * resource + 1])
  }
  if (at < 0) return 0
  p.limits[2 * resource] = resource === RLIMIT.CPU && soft === 0 ? 1 : soft
  p.limits[2 * resource + 1] = hard
  tellLimit(pm, p, resource)
  return 0
}
function tellLimit(pm: Pm, p: Process, resource: number): void {
  const soft = p.limits[2 * resource]
  const value = soft >= 2 ** 63 ? -1 : soft
  const files = resource === RLIMIT.NOFILE || resource === RLIMIT.FSIZE || resource === RLIMIT.MSGQUEUE
  const memory = resource === RLIMIT.AS || resource === RLIMIT.DATA || resource === RLIMIT.STACK || resource === RLIMIT.MEMLOCK
  for (const t of p.tasks) {
    if (files) ask(pm, EP.FS, FS.SETLIMIT, t.endpoint, resource, value)
    if (memory) ask(pm, EP.VM, VM.SETLIMIT, t.endpoint, resource, value)
  }
  if (resource === RLIMIT.CPU) armCpuTimer(pm, p)
}
function readLimit(pm: Pm, at: number): number {
  const lo = pm.sys.view.getUint32(at, true)
  const hi = pm.sys.view.getUint32(at + 4, true)
  return lo === INFINITY_LOW && hi === INFINITY_LOW ? Number.POSITIVE_INFINITY : hi * 4294967296 + lo
}
function writeLimit(pm: Pm, at: number, v: number): void {
  const infinite = v >= 2 ** 64
  const h = Math.floor(v / 4294967296)
  pm.sys.view.setUint32(at, infinite ? INFINITY_LOW : v - h * 4294967296, true)
  pm.sys.view.setUint32(at + 4, infinite ? INFINITY_LOW : h, true)
}

// ---- priorities ----

function* chosen(pm: Pm, t: Task, which: number, who: number): Generator<Task> {
  if (which === PRIO.PROCESS) {
    const one = who === 0 ? t : findTask(pm, who)
    if (one !== undefined) yield one
    return
  }
  for (const one of Array.from(pm.tasks.values())) {
    if (which === PRIO.PGRP && one.process.pgrp === (who === 0 ? t.process.pgrp : who)) yield one
    else if (which === PRIO.USER && one.cred.uid === (who === 0 ? t.cred.uid : who >>> 0)) yield one
  }
}
/** 20 - nice, so that it can't look like an error. */
function getpriority(pm: Pm, t: Task, which: number, who: number): number {
  if (which < PRIO.PROCESS || which > PRIO.USER) return -E.INVAL
  let best = -E.SRCH
  for (const one of chosen(pm, t, which, who)) best = Math.max(best, 20 - one.nice)
  return best
}
function setpriority(pm: Pm, t: Task, which: number, who: number, prio: number): number {
  if (which < PRIO.PROCESS || which > PRIO.USER) return -E.INVAL
  const nice = Math.max(-20, Math.min(19, prio))
  let result = -E.SRCH
  for (const one of chosen(pm, t, which, who)) {
    if (one.cred.uid !== t.cred.euid && one.cred.euid !== t.cred.euid && !capable(t.cred, CAP.SYS_NICE)) result = -E.PERM
    else if (nice < one.nice && !mayRaise(t, one, nice)) result = -E.ACCES
    else {
      one.nice = nice
      if (result === -E.SRCH) result = 0
    }
  }
  return result
}
function mayRaise(t: Task, one: Task, nice: number): boolean {
  return capable(t.cred, CAP.SYS_NICE) || 20 - nice <= one.process.limits[2 * RLIMIT.NICE]
}

function priorityRange(policy: number, realtime: number): number {
  if (policy === SCHED.FIFO || policy === SCHED.RR) return realtime
  return policy === SCHED.OTHER || policy === SCHED.BATCH || policy === SCHED.IDLE || policy === SCHED.DEADLINE ? 0 : -E.INVAL
}
function setScheduler(by: Task, t: Task, policy: number, priority: number): number {
  const realtime = policy === SCHED.FIFO || policy === SCHED.RR
  if (!realtime && policy !== SCHED.OTHER && policy !== SCHED.BATCH && policy !== SCHED.IDLE) return -E.INVAL
  if (realtime ? priority < 1 || priority > 99 : priority !== 0) return -E.INVAL
  if (!capable(by.cred, CAP.SYS_NICE)) {
    if (realtime && priority > Math.max(t.priority, t.process.limits[2 * RLIMIT.RTPRIO])) return -E.PERM
    if (by.cred.euid !== t.cred.uid && by.cred.euid !== t.cred.euid) return -E.PERM
  }
  t.policy = policy
  t.priority = priority
  return 0
}

function setAffinity(pm: Pm, by: Task, t: Task, m: Message): number {
  const size = Math.min(int(m, 1) >>> 0, high(m, 2), t.affinity.length)
  const at = grantOf(m, 2)
  if (at < 0 && int(m, 1) !== 0) return -E.FAULT
  if (by.cred.euid !== t.cred.euid && by.cred.euid !== t.cred.uid && !capable(by.cred, CAP.SYS_NICE)) return -E.PERM
  const mask = new Uint8Array(t.affinity.length)
  let any = false
  for (let cpu = 0; cpu < pm.options.cpus; cpu++) {
    const byte = cpu >> 3
    const bit = byte < size ? pm.sys.mem[at + byte] & (1 << (cpu & 7)) : 0
    mask[byte] |= bit
    any ||= bit !== 0
  }
  if (!any) return -E.INVAL
  t.affinity = mask
  return 0
}
