// The signal calls: kill and its kin, sigaction, masks, sigsuspend, sigtimedwait, alternate stacks. Semantics of kernel/signal.c.
import { E } from '../../abi/errno.ts'
import { EP, FIRST_GUEST, high, int, type Message, SUSPEND, ulong } from '../../abi/message.ts'
import {
  SA_KNOWN, SI, SIG, SIG_BLOCK, SIG_SETMASK, SIG_UNBLOCK, SIGACTION, SIGINFO, SIGMAX, SIGSET_BYTES, SS, STACK_T,
} from '../../abi/signals.ts'
import type { CallVector } from '../../lib/server.ts'
import { PM } from '../../protocol/pm.ts'
import { onAltStack, setAltStack } from './deliver.ts'
import { timerKey, WAIT_TIMER } from './keys.ts'
import { actionRow, type Bits, type Pm, type Process, type Task, taskOf, WAITING } from './mproc.ts'
import { flush, info, isDue, isIgnored, mayKill, recalculate, sanitize, send, userInfo } from './signal.ts'
import { takeOf, write64 } from './suspended.ts'
import { grantOf, need } from './tell.ts'
import { readTimespec } from './time.ts'

export function signalCalls(pm: Pm): CallVector {
  const by = (f: (t: Task, m: Message) => number) => (m: Message, from: number) => {
    const t = taskOf(pm, from)
    if (t === undefined) return -E.SRCH
    const result = f(t, m)
    return t.process.exiting ? SUSPEND : result
  }
  return {
    [PM.KILL]: (m, from) => {
      const t = from === EP.MACHINE ? pm.init.leader : taskOf(pm, from) // from outside: as root, si_pid 0
      if (t === undefined) return -E.SRCH
      const result = kill(pm, t, int(m, 0), int(m, 1))
      return t.process.exiting ? SUSPEND : result
    },
    [PM.TKILL]: by((t, m) => tgkill(pm, t, 0, int(m, 0), int(m, 1), null)),
    [PM.TGKILL]: by((t, m) => (int(m, 0) <= 0 ? -E.INVAL : tgkill(pm, t, int(m, 0), int(m, 1), int(m, 2), null))),
    [PM.SIGQUEUEINFO]: by((t, m) => queueInfo(pm, t, m)),
    [PM.TGSIGQUEUEINFO]: by((t, m) => tgQueueInfo(pm, t, m)),
    [PM.SIGACTION]: by((t, m) => sigaction(pm, t.process, m)),
    [PM.SIGPROCMASK]: by((t, m) => sigprocmask(pm, t, m)),
    [PM.SIGPENDING]: by((t, m) => sigpending(pm, t, m)),
    [PM.SIGSUSPEND]: by((t, m) => sigsuspend(pm, t, m)),
    [PM.PAUSE]: by(t => suspend(pm, t)),
    [PM.SIGTIMEDWAIT]: by((t, m) => sigtimedwait(pm, t, m)),
    [PM.SIGALTSTACK]: by((t, m) => sigaltstack(pm, t, m)),
    [PM.SIGTAKE]: (m, from) => {
      if (from >= FIRST_GUEST) return -E.PERM
      const t = taskOf(pm, int(m, 0))
      return t === undefined ? -E.SRCH : sigtake(pm, t, m)
    },
    [PM.QUEUE]: (m, from) => (from === EP.FS ? queue(pm, m) : -E.PERM),
  }
}

// ---- sending ----

/** From FS: a message queue's notification. */
function queue(pm: Pm, m: Message): number {
  const p = pm.processes.get(int(m, 0))
  const by = taskOf(pm, int(m, 4))
  if (p === undefined) return -E.SRCH
  const i = by === undefined ? info(int(m, 1), int(m, 2)) : userInfo(int(m, 1), int(m, 2), by)
  i[SIGINFO.VALUE >> 2] = int(m, 3)
  i[(SIGINFO.VALUE >> 2) + 1] = high(m, 3)
  return send(pm, p, null, i)
}

function kill(pm: Pm, t: Task, pid: number, signo: number): number {
  if (signo < 0 || signo > SIGMAX) return -E.INVAL
  if (pid === -2147483648) return -E.SRCH
  if (pid > 0) {
    const p = pm.processes.get(pid) ?? pm.tasks.get(pid)?.process
    return p === undefined ? -E.SRCH : killOne(pm, t, p, signo)
  }
  const group = pid === 0 ? t.process.pgrp : -pid
  let result = -E.SRCH
  let sent = false
  for (const p of Array.from(pm.processes.values())) {
    if (p === pm.init || (pid === -1 ? p === t.process : p.pgrp !== group)) continue
    const one = killOne(pm, t, p, signo)
    sent ||= one === 0
    result = pid === -1 && one === -E.PERM && result !== -E.SRCH ? result : pid === -1 && one === -E.PERM ? 0 : one
  }
  return sent ? 0 : result
}
function killOne(pm: Pm, t: Task, p: Process, signo: number): number {
  if (!mayKill(t, p, signo)) return -E.PERM
  return signo === 0 ? 0 : send(pm, p, null, userInfo(signo, SI.USER, t))
}

/** To one thread; tgid 0: whatever process it is in. */
function tgkill(pm: Pm, t: Task, tgid: number, tid: number, signo: number, i: Int32Array | null): number {
  if (tid <= 0 || signo < 0 || signo > SIGMAX) return -E.INVAL
  const target = pm.tasks.get(tid)
  if (target === undefined || (tgid > 0 && target.process.pid !== tgid)) {
    const zombie = pm.processes.get(tid)
    return zombie === undefined || zombie === pm.init || (tgid > 0 && tgid !== tid) ? -E.SRCH : mayKill(t, zombie, signo) ? 0 : -E.PERM
  }
  if (!mayKill(t, target.process, signo)) return -E.PERM
  return signo === 0 ? 0 : send(pm, target.process, target, i ?? userInfo(signo, SI.TKILL, t))
}

function queueInfo(pm: Pm, t: Task, m: Message): number {
  const i = readInfo(pm, m, 2)
  if (i === null) return -E.FAULT
  const pid = int(m, 0)
  const signo = int(m, 1)
  i[0] = signo
  if (isForged(i) && pid !== t.process.pid) return -E.PERM
  if (signo < 0 || signo > SIGMAX) return -E.INVAL
  const p = pm.processes.get(pid) ?? pm.tasks.get(pid)?.process
  if (p === undefined) return -E.SRCH
  if (!mayKill(t, p, signo)) return -E.PERM
  return signo === 0 ? 0 : send(pm, p, null, i)
}
function tgQueueInfo(pm: Pm, t: Task, m: Message): number {
  const i = readInfo(pm, m, 3)
  if (i === null) return -E.FAULT
  i[0] = int(m, 2)
  if (int(m, 0) <= 0 || int(m, 1) <= 0) return -E.INVAL
  if (isForged(i) && int(m, 1) !== t.tid) return -E.PERM
  return tgkill(pm, t, int(m, 0), int(m, 1), int(m, 2), i)
}
export function readInfo(pm: Pm, m: Message, k: number): Int32Array | null {
  const at = need(m, k, SIGINFO.BYTES)
  if (at < 0) return null
  const i = new Int32Array(SIGINFO.BYTES / 4)
  for (let w = 0; w < i.length; w++) i[w] = pm.sys.view.getInt32(at + 4 * w, true)
  return i
}
/** Codes only the kernel and kill may claim, except towards oneself. */
export function isForged(i: Int32Array): boolean {
  const code = i[SIGINFO.CODE >> 2]
  return code >= 0 || code === SI.TKILL
}

// ---- actions and masks ----

function sigaction(pm: Pm, p: Process, m: Message): number {
  const signo = int(m, 0)
  const act = grantOf(m, 1)
  const old = grantOf(m, 2)
  if (int(m, 3) !== SIGSET_BYTES) return -E.INVAL
  if (signo < 1 || signo > SIGMAX || (act >= 0 && (signo === SIG.KILL || signo === SIG.STOP))) return -E.INVAL
  if ((act >= 0 && high(m, 1) < SIGACTION.BYTES) || (old >= 0 && high(m, 2) < SIGACTION.BYTES)) return -E.FAULT
  const row = actionRow(signo)
  const { view } = pm.sys
  const words = SIGACTION.BYTES / 4
  const given: number[] = []
  if (act >= 0) for (let w = 0; w < words; w++) given.push(view.getUint32(act + 4 * w, true))
  if (old >= 0) for (let w = 0; w < words; w++) view.setUint32(old + 4 * w, p.actions[row + w], true)
  if (act < 0) return 0
  p.actions.set(given, row)
  p.actions[row + 2] &= SA_KNOWN
  p.actions[row + 3] = 0
  const mask = sanitize({ lo: p.actions[row + 6] | 0, hi: 0 })
  p.actions[row + 6] = mask.lo
  if (isIgnored(p, signo)) {
    const lo = signo <= 32 ? 1 << (signo - 1) : 0
    const hi = signo > 32 ? 1 << (signo - 33) : 0
    flush(p.pending, lo, hi)
    for (const t of p.tasks) flush(t.pending, lo, hi)
  }
  return 0
}

function readSet(pm: Pm, at: number): Bits {
  return { lo: pm.sys.view.getInt32(at, true), hi: pm.sys.view.getInt32(at + 4, true) }
}
function writeSet(pm: Pm, at: number, set: Bits): void {
  pm.sys.view.setInt32(at, set.lo, true)
  pm.sys.view.setInt32(at + 4, set.hi, true)
}

function sigprocmask(pm: Pm, t: Task, m: Message): number {
  if (int(m, 3) !== SIGSET_BYTES) return -E.INVAL
  const at = grantOf(m, 1)
  const old = grantOf(m, 2)
  if ((at >= 0 && high(m, 1) < 8) || (old >= 0 && high(m, 2) < 8)) return -E.FAULT
  const { blocked } = t
  const lo = blocked.lo
  const hi = blocked.hi
  if (at >= 0) {
    const setLo = pm.sys.view.getInt32(at, true)
    const setHi = pm.sys.view.getInt32(at + 4, true)
    const how = int(m, 0)
    if (how === SIG_BLOCK) {
      blocked.lo |= setLo
      blocked.hi |= setHi
    } else if (how === SIG_UNBLOCK) {
      blocked.lo &= ~setLo
      blocked.hi &= ~setHi
    } else if (how === SIG_SETMASK) {
      blocked.lo = setLo
      blocked.hi = setHi
    } else return -E.INVAL
    sanitize(blocked)
    recalculate(pm, t)
  }
  if (old >= 0) {
    pm.sys.view.setInt32(old, lo, true)
    pm.sys.view.setInt32(old + 4, hi, true)
  }
  return 0
}

function sigpending(pm: Pm, t: Task, m: Message): number {
  const size = int(m, 1)
  if (size < 0 || size > SIGSET_BYTES) return -E.INVAL
  const own = t.pending
  const shared = t.process.pending
  const lo = (own.lo | shared.lo) & t.blocked.lo
  const hi = (own.hi | shared.hi) & t.blocked.hi
  if (size === 0) return 0
  const at = need(m, 0, size)
  if (at < 0) return at
  writeSet(pm, pm.sys.buffer, { lo, hi })
  pm.sys.mem.copyWithin(at, pm.sys.buffer, pm.sys.buffer + size)
  return 0
}

function sigsuspend(pm: Pm, t: Task, m: Message): number {
  if (int(m, 1) !== SIGSET_BYTES) return -E.INVAL
  const at = need(m, 0, SIGSET_BYTES)
  if (at < 0) return at
  t.savedMask = { ...t.blocked }
  t.blocked = sanitize(readSet(pm, at))
  return suspend(pm, t)
}
/** Until a signal is there to take. */
function suspend(pm: Pm, t: Task): number {
  if (isDue(t)) {
    pm.sys.mark(t.endpoint)
    return -E.RESTARTNOHAND
  }
  t.waiting = WAITING.SIGNAL
  return SUSPEND
}

function sigtimedwait(pm: Pm, t: Task, m: Message): number {
  if (int(m, 3) !== SIGSET_BYTES) return -E.INVAL
  const at = need(m, 0, SIGSET_BYTES)
  if (at < 0) return at
  const set = sanitize(readSet(pm, at))
  const infoAt = high(m, 1) >= SIGINFO.BYTES ? int(m, 1) : -1
  const timeoutAt = grantOf(m, 2)
  const timeout = timeoutAt < 0 ? Number.POSITIVE_INFINITY : readTimespec(pm, timeoutAt)
  if (timeout < 0) return -E.INVAL
  const signo = takeOf(pm, t, set.lo, set.hi, infoAt)
  if (signo !== 0) {
    recalculate(pm, t)
    return signo
  }
  if (timeout === 0) return -E.AGAIN
  if (isDue(t)) {
    pm.sys.mark(t.endpoint)
    return -E.INTR
  }
  t.realBlocked = { ...t.blocked }
  t.blocked.lo &= ~set.lo
  t.blocked.hi &= ~set.hi
  t.request.set = set
  t.request.infoAt = infoAt
  t.waiting = WAITING.SIGINFO
  if (timeout !== Number.POSITIVE_INFINITY) pm.timers.after(timerKey(t, WAIT_TIMER), timeout)
  return SUSPEND
}

/** FS for a signalfd: the next pending signal of the set. Without a record to fill: only whether there is one. */
function sigtake(pm: Pm, t: Task, m: Message): number {
  const lo = m[4] as number
  const hi = m[5] as number
  t.process.watched = true
  if (high(m, 2) >= SIGINFO.BYTES) return takeOf(pm, t, lo, hi, int(m, 2))
  const own = t.pending
  const shared = t.process.pending
  return (((own.lo | shared.lo) & lo) | ((own.hi | shared.hi) & hi)) !== 0 ? 1 : 0
}

function sigaltstack(pm: Pm, t: Task, m: Message): number {
  const given = grantOf(m, 0)
  const old = grantOf(m, 1)
  const sp = ulong(m, 2)
  const { view } = pm.sys
  if ((given >= 0 && high(m, 0) < STACK_T.BYTES) || (old >= 0 && high(m, 1) < STACK_T.BYTES)) return -E.FAULT
  const before = { sp: t.altSp, size: t.altSize, flags: t.altFlags }
  const on = onAltStack(t, sp)
  if (given >= 0) {
    const base = view.getUint32(given + 4, true) * 4294967296 + view.getUint32(given, true)
    const size = view.getUint32(given + STACK_T.SIZE + 4, true) * 4294967296 + view.getUint32(given + STACK_T.SIZE, true)
    const bad = setAltStack(t, base, size, view.getUint32(given + STACK_T.FLAGS, true), sp)
    if (bad < 0) return bad
  }
  if (old < 0) return 0
  write64(pm, old, before.sp)
  const mode = before.size === 0 ? SS.DISABLE : on ? SS.ONSTACK : 0
  view.setUint32(old + STACK_T.FLAGS, (mode | (before.flags & SS.AUTODISARM)) >>> 0, true)
  view.setUint32(old + STACK_T.FLAGS + 4, 0, true)
  write64(pm, old + STACK_T.SIZE, before.size)
  return 0
}
