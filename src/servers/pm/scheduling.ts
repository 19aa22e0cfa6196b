// Scheduling parameters: sched(7), sched_setattr(2), getpriority(2), sched_setaffinity(2), ioprio_set(2). Scheduling is the host's: what is
// set here is kept, inherited and answered, and changes nothing else. kernel/sched/syscalls.c, block/ioprio.c.
import { E } from '../../abi/errno.ts'
import { high, int, type Message, uint } from '../../abi/message.ts'
import type { CallVector } from '../../lib/server.ts'
import { PM } from '../../protocol/pm.ts'
import { CAP, capable, findTask, type Pm, RLIMIT, type Task, taskOf } from './mproc.ts'
import { grantOf, need } from './tell.ts'
import { write64 } from './suspended.ts'

const PRIO = { PROCESS: 0, PGRP: 1, USER: 2 } as const
const SCHED = { OTHER: 0, FIFO: 1, RR: 2, BATCH: 3, IDLE: 5, DEADLINE: 6, RESET_ON_FORK: 0x40000000 } as const
/** struct sched_attr: byte offsets. */
const ATTR = { SIZE: 0, POLICY: 4, FLAGS: 8, NICE: 16, PRIORITY: 20, RUNTIME: 24, DEADLINE: 32, PERIOD: 40, LEAST: 48, BYTES: 56 } as const
const FLAG = { RESET_ON_FORK: 1, KEEP_POLICY: 8, KEEP_PARAMS: 16, UTIL_CLAMP: 0x60, KNOWN: 0x7f } as const
const IOPRIO = { NONE: 0, RT: 1, BE: 2, IDLE: 3, SHIFT: 13, LEVELS: 7 } as const
const PAGE = 4096

/** What is to become of a task: policy -1 leaves it. */
interface Wish {
  policy: number
  priority: number
  nice: number
  resetOnFork: boolean
}

export function schedulingCalls(pm: Pm): CallVector {
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
    [PM.GETPRIORITY]: by((t, m) => getpriority(pm, t, int(m, 0), int(m, 1))),
    [PM.SETPRIORITY]: by((t, m) => setpriority(pm, t, int(m, 0), int(m, 1), int(m, 2))),
    [PM.SCHED_SETPARAM]: on((caller, t, m) => {
      const at = need(m, 1, 4)
      if (at < 0) return -E.INVAL
      return change(caller, t, { policy: -1, priority: pm.sys.view.getInt32(at, true), nice: t.nice, resetOnFork: t.resetOnFork })
    }),
    [PM.SCHED_GETPARAM]: on((_caller, t, m) => {
      const at = need(m, 1, 4)
      if (at < 0) return -E.INVAL
      pm.sys.view.setInt32(at, t.priority, true)
      return 0
    }),
    [PM.SCHED_SETSCHEDULER]: on((caller, t, m) => {
      const at = need(m, 2, 4)
      const policy = int(m, 1)
      if (at < 0 || policy < 0) return -E.INVAL
      const resetOnFork = (policy & SCHED.RESET_ON_FORK) !== 0
      const priority = pm.sys.view.getInt32(at, true)
      return change(caller, t, { policy: policy & ~SCHED.RESET_ON_FORK, priority, nice: t.nice, resetOnFork })
    }),
    [PM.SCHED_GETSCHEDULER]: on((_caller, t) => t.policy | (t.resetOnFork ? SCHED.RESET_ON_FORK : 0)),
    [PM.SCHED_SETATTR]: (m, from) => (grantOf(m, 1) < 0 || uint(m, 2) !== 0 ? -E.INVAL : on((caller, t) => setattr(pm, caller, t, m))(m, from)),
    [PM.SCHED_GETATTR]: (m, from) => {
      const size = uint(m, 2)
      if (size < ATTR.LEAST || size > PAGE || uint(m, 3) !== 0) return -E.INVAL
      return on((_caller, t) => getattr(pm, t, m, Math.min(size, ATTR.BYTES)))(m, from)
    },
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
    [PM.GETCPU]: by((t, m) => {
      const [cpu, node] = [grantOf(m, 0), grantOf(m, 1)]
      if (cpu >= 0) pm.sys.view.setUint32(cpu, firstCpu(t), true)
      if (node >= 0) pm.sys.view.setUint32(node, 0, true)
      return 0
    }),
    [PM.IOPRIO_SET]: by((t, m) => ioprioSet(pm, t, int(m, 0), int(m, 1), int(m, 2))),
    [PM.IOPRIO_GET]: by((t, m) => ioprioGet(pm, t, int(m, 0), int(m, 1))),
    [PM.SCHED_YIELD]: () => 0,
  }
}

// ---- niceness ----

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
  const nice = clampNice(prio)
  let result = -E.SRCH
  for (const one of chosen(pm, t, which, who)) {
    if (one.cred.uid !== t.cred.euid && one.cred.euid !== t.cred.euid && !capable(t.cred, CAP.SYS_NICE)) result = -E.PERM
    else if (nice < one.nice && !capable(t.cred, CAP.SYS_NICE) && !mayRaise(one, nice)) result = -E.ACCES
    else {
      one.nice = nice
      if (result === -E.SRCH) result = 0
    }
  }
  return result
}
function mayRaise(one: Task, nice: number): boolean {
  return 20 - nice <= one.process.limits[2 * RLIMIT.NICE]
}
function clampNice(nice: number): number {
  return Math.max(-20, Math.min(19, nice))
}

// ---- policies ----

function isRealtime(policy: number): boolean {
  return policy === SCHED.FIFO || policy === SCHED.RR
}
function isFair(policy: number): boolean {
  return policy === SCHED.OTHER || policy === SCHED.BATCH || policy === SCHED.IDLE
}
function priorityRange(policy: number, realtime: number): number {
  if (isRealtime(policy)) return realtime
  return isFair(policy) || policy === SCHED.DEADLINE ? 0 : -E.INVAL
}
function change(by: Task, t: Task, w: Wish): number {
  const policy = w.policy < 0 ? t.policy : w.policy
  if (!isRealtime(policy) && !isFair(policy)) return -E.INVAL
  if (w.priority < 0 || w.priority > 99 || isRealtime(policy) !== (w.priority !== 0)) return -E.INVAL
  if (!capable(by.cred, CAP.SYS_NICE) && !isAllowed(by, t, policy, w)) return -E.PERM
  t.policy = policy
  t.priority = w.priority
  t.resetOnFork = w.resetOnFork
  if (isFair(policy)) t.nice = w.nice
  return 0
}
/** user_check_sched_setscheduler: without CAP_SYS_NICE. */
function isAllowed(by: Task, t: Task, policy: number, w: Wish): boolean {
  const most = t.process.limits[2 * RLIMIT.RTPRIO]
  if (isFair(policy) && w.nice < t.nice && !mayRaise(t, w.nice)) return false
  if (isRealtime(policy) && ((policy !== t.policy && most === 0) || (w.priority > t.priority && w.priority > most))) return false
  if (t.policy === SCHED.IDLE && policy !== SCHED.IDLE && !mayRaise(t, t.nice)) return false
  if (!isOwn(by, t)) return false
  return !t.resetOnFork || w.resetOnFork
}
function isOwn(by: Task, t: Task): boolean {
  return by.cred.euid === t.cred.euid || by.cred.euid === t.cred.uid
}

/** The structure's grant holds it whole, or its size alone when that is one nobody knows: ours goes back then. */
function setattr(pm: Pm, by: Task, t: Task, m: Message): number {
  const { view } = pm.sys
  const at = int(m, 1)
  if (high(m, 1) < ATTR.LEAST) {
    view.setUint32(at, ATTR.BYTES, true)
    return -E.TOOBIG
  }
  const flags = view.getUint32(at + ATTR.FLAGS, true)
  const policy = (flags & FLAG.KEEP_POLICY) !== 0 ? -1 : view.getInt32(at + ATTR.POLICY, true)
  if (policy < 0 && (flags & FLAG.KEEP_POLICY) === 0) return -E.INVAL
  if ((flags & ~FLAG.KNOWN) !== 0 || view.getUint32(at + ATTR.FLAGS + 4, true) !== 0) return -E.INVAL
  if ((flags & FLAG.UTIL_CLAMP) !== 0) return -E.OPNOTSUPP
  if (policy === SCHED.DEADLINE) return view.getUint32(at + ATTR.DEADLINE, true) === 0 ? -E.INVAL : -E.BUSY
  const keep = (flags & FLAG.KEEP_PARAMS) !== 0
  return change(by, t, {
    policy, resetOnFork: (flags & FLAG.RESET_ON_FORK) !== 0,
    priority: keep ? t.priority : view.getUint32(at + ATTR.PRIORITY, true),
    nice: keep ? t.nice : clampNice(view.getInt32(at + ATTR.NICE, true)),
  })
}
function getattr(pm: Pm, t: Task, m: Message, size: number): number {
  const at = need(m, 1, size)
  if (at < 0) return at
  const { view } = pm.sys
  view.setUint32(at + ATTR.SIZE, size, true)
  view.setUint32(at + ATTR.POLICY, t.policy, true)
  view.setUint32(at + ATTR.FLAGS, t.resetOnFork ? FLAG.RESET_ON_FORK : 0, true)
  if (isFair(t.policy)) view.setInt32(at + ATTR.NICE, t.nice, true)
  else view.setUint32(at + ATTR.PRIORITY, t.priority, true)
  return 0
}

// ---- affinity ----

function setAffinity(pm: Pm, by: Task, t: Task, m: Message): number {
  const size = Math.min(int(m, 1) >>> 0, high(m, 2), t.affinity.length)
  const at = grantOf(m, 2)
  if (at < 0 && int(m, 1) !== 0) return -E.FAULT
  if (!isOwn(by, t) && !capable(by.cred, CAP.SYS_NICE)) return -E.PERM
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
/** The host doesn't say which processor runs whom: the first it may run on. */
function firstCpu(t: Task): number {
  const byte = t.affinity.findIndex(bits => bits !== 0)
  return byte < 0 ? 0 : 8 * byte + 31 - Math.clz32(t.affinity[byte] & -t.affinity[byte])
}

// ---- I/O priority ----

/** ioprio_set numbers them from 1. */
function ioprioSet(pm: Pm, t: Task, which: number, who: number, ioprio: number): number {
  const bad = checkIoprio(t, ioprio)
  if (bad < 0) return bad
  if (which < 1 || which > 3) return -E.INVAL
  let result = -E.SRCH
  for (const one of chosen(pm, t, which - 1, who)) {
    if (one.cred.uid !== t.cred.euid && one.cred.uid !== t.cred.uid && !capable(t.cred, CAP.SYS_NICE)) return -E.PERM
    one.ioprio = ioprio
    result = 0
  }
  return result
}
function checkIoprio(t: Task, ioprio: number): number {
  switch ((ioprio & 0xffff) >> IOPRIO.SHIFT) {
    case IOPRIO.RT:
      return capable(t.cred, CAP.SYS_ADMIN) || capable(t.cred, CAP.SYS_NICE) ? 0 : -E.PERM
    case IOPRIO.BE:
    case IOPRIO.IDLE:
      return 0
    case IOPRIO.NONE:
      return (ioprio & IOPRIO.LEVELS) === 0 ? 0 : -E.INVAL
    default:
      return -E.INVAL
  }
}
/** One task's as it was set; the best of several as it counts: without a class of its own a task has that of its niceness. */
function ioprioGet(pm: Pm, t: Task, which: number, who: number): number {
  if (which < 1 || which > 3) return -E.INVAL
  let best = -E.SRCH
  for (const one of chosen(pm, t, which - 1, who)) {
    const effective = one.ioprio >> IOPRIO.SHIFT === IOPRIO.NONE ? (IOPRIO.BE << IOPRIO.SHIFT) | Math.floor((one.nice + 20) / 5) : one.ioprio
    const value = which === 1 ? one.ioprio : effective
    best = best < 0 ? value : Math.min(best, value)
  }
  return best
}
