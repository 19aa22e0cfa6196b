// Sending signals: who may, what is dropped, what wakes whom. Delivery at a guest's boundary is deliver.ts; the calls sigcalls.ts.
// After Linux's kernel/signal.c (prepare_signal, send_signal, complete_signal). Invariant: an unblocked pending signal of a task means
// the task is marked, suspended in a wait that is being ended, or stopped.
import { E } from '../../abi/errno.ts'
import { EP } from '../../abi/message.ts'
import {
  CLD, DEFAULT_IGNORE, DEFAULT_STOP, SA, SI, SIG, SIG_DFL, SIG_IGN, SIGINFO, SIGRTMIN, SYNCHRONOUS, UNMASKABLE,
} from '../../abi/signals.ts'
import { FS } from '../../protocol/fs.ts'
import { actionRow, type Bits, CAP, capable, type Pending, type Pm, type Process, RLIMIT, STATE, type Task, WAITING } from './mproc.ts'
import { die } from './lastwords.ts'
import { resumeTask } from './deliver.ts'
import { childEvent } from './wait.ts'
import { tell } from './tell.ts'
import { groupChanges } from './trace.ts'
import { endSigtimedwait, interruptWait } from './suspended.ts'

// ---- sets ----

export function has(s: Readonly<Bits>, signo: number): boolean {
  return (((signo <= 32 ? s.lo : s.hi) >>> ((signo - 1) & 31)) & 1) === 1
}
export function add(s: Bits, signo: number): void {
  if (signo <= 32) s.lo |= 1 << (signo - 1)
  else s.hi |= 1 << (signo - 33)
}
export function remove(s: Bits, signo: number): void {
  if (signo <= 32) s.lo &= ~(1 << (signo - 1))
  else s.hi &= ~(1 << (signo - 33))
}
function inSet(set: number, signo: number): boolean {
  return signo <= 32 && ((set >>> (signo - 1)) & 1) === 1
}

// ---- siginfo ----

export function info(signo: number, code: number): Int32Array {
  const i = new Int32Array(SIGINFO.BYTES / 4)
  i[0] = signo
  i[SIGINFO.CODE >> 2] = code
  return i
}
export function userInfo(signo: number, code: number, by: Task): Int32Array {
  const i = info(signo, code)
  i[SIGINFO.PID >> 2] = by.process.pid === 1 ? 0 : by.process.pid // 0: from outside the machine
  i[SIGINFO.UID >> 2] = by.cred.uid
  return i
}

// ---- actions ----

/** Handler's address, or SIG_DFL, SIG_IGN. */
export function handlerOf(p: Process, signo: number): number {
  const row = actionRow(signo)
  return p.actions[row + 1] * 4294967296 + p.actions[row]
}
export function flagsOf(p: Process, signo: number): number {
  return p.actions[actionRow(signo) + 2]
}
/** Explicitly or by default. */
export function isIgnored(p: Process, signo: number): boolean {
  const handler = handlerOf(p, signo)
  return handler === SIG_IGN || (handler === SIG_DFL && inSet(DEFAULT_IGNORE, signo))
}
export function stopsByDefault(signo: number): boolean {
  return inSet(DEFAULT_STOP, signo)
}
export function isBlocked(t: Task, signo: number): boolean {
  return has(t.blocked, signo) || has(t.realBlocked, signo)
}

// ---- pending ----

export function enqueue(q: Pending, i: Int32Array): void {
  add(q, i[0])
  q.infos.push(i)
}
/** Take away the first pending `signo`; a record without details if it was sent without. */
export function take(q: Pending, signo: number): Int32Array {
  let found: Int32Array | undefined
  let more = false
  for (let k = 0; k < q.infos.length; k++) {
    if (q.infos[k][0] !== signo) continue
    if (found !== undefined) {
      more = true
      break
    }
    found = q.infos[k]
    q.infos.splice(k--, 1)
  }
  if (!more) remove(q, signo)
  return found ?? info(signo, SI.USER)
}
/** The signal of a non-empty set that is taken first: faults before others, low before high (next_signal). */
export function firstOf(lo: number, hi: number): number {
  const low = (lo & SYNCHRONOUS) !== 0 ? lo & SYNCHRONOUS : lo
  return low !== 0 ? 32 - Math.clz32(low & -low) : 64 - Math.clz32(hi & -hi)
}
/** Drop what is pending of a set of signals. */
export function flush(q: Pending, lo: number, hi: number): void {
  if (((q.lo & lo) | (q.hi & hi)) === 0) return
  q.lo &= ~lo
  q.hi &= ~hi
  const set = { lo, hi }
  q.infos = q.infos.filter(i => !has(set, i[0]))
}
function flushAll(p: Process, lo: number): void {
  flush(p.pending, lo, 0)
  for (const t of p.tasks) flush(t.pending, lo, 0)
}
/** Take the next signal of a task: its own before the process's, faults before others, low before high. */
export function takeNext(t: Task): Int32Array | undefined {
  return takeUnblocked(t.pending, t.blocked) ?? takeUnblocked(t.process.pending, t.blocked)
}
function takeUnblocked(q: Pending, blocked: Bits): Int32Array | undefined {
  const lo = q.lo & ~blocked.lo
  const hi = q.hi & ~blocked.hi
  return (lo | hi) === 0 ? undefined : take(q, firstOf(lo, hi))
}
/** Does the task have a signal to take? */
export function isDue(t: Task): boolean {
  const { pending: own } = t
  const { pending: shared } = t.process
  return (((own.lo | shared.lo) & ~t.blocked.lo) | ((own.hi | shared.hi) & ~t.blocked.hi)) !== 0
}
/** After a change of mask: see that what is due now is taken before the guest goes on. */
export function recalculate(pm: Pm, t: Task): void {
  if (isDue(t)) pm.sys.mark(t.endpoint)
}

// ---- sending ----

/** kill(2)'s rule. Signal 0 asks only. */
export function mayKill(by: Task, target: Process, signo: number): boolean {
  const a = by.cred
  const b = target.leader.cred
  if (by.process === target) return true
  if (a.euid === b.suid || a.euid === b.uid || a.uid === b.suid || a.uid === b.uid || capable(a, CAP.KILL)) return true
  return signo === SIG.CONT && by.process.session === target.session
}

/** Send to a process (task null) or one of its threads. 0; -EAGAIN when a queued signal finds the queue full. */
export function send(pm: Pm, p: Process, task: Task | null, i: Int32Array): number {
  const signo = i[0]
  if (p.state === STATE.ZOMBIE || p.exiting || p.dying >= 0 || p === pm.init) return 0
  if (inSet(DEFAULT_STOP, signo)) flushAll(p, 1 << (SIG.CONT - 1))
  const continued = signo === SIG.CONT
  if (continued) {
    flushAll(p, DEFAULT_STOP)
    beginContinue(pm, p)
  }
  const result = sendOne(pm, p, task, i)
  if (continued && !p.exiting) for (const t of p.tasks.slice()) if (t.waiting === WAITING.STOPPED) resumeTask(pm, t)
  return result
}

function sendOne(pm: Pm, p: Process, task: Task | null, i: Int32Array): number {
  const signo = i[0]
  const first = task ?? p.leader
  if (!isBlocked(first, signo) && isIgnored(p, signo) && signo !== SIG.KILL && first.trace === null) return 0
  const queue = task === null ? p.pending : task.pending
  if (signo < SIGRTMIN && has(queue, signo)) return 0
  const code = i[SIGINFO.CODE >> 2]
  if (signo !== SIG.KILL && (signo < SIGRTMIN && code >= 0 || hasRoom(pm, p, first))) enqueue(queue, i)
  else if (signo >= SIGRTMIN && code !== SI.USER) return -E.AGAIN
  else add(queue, signo) // without its details
  if (p.watched) for (const t of p.tasks) tell(pm, EP.FS, FS.SIGNALLED, t.endpoint)
  complete(pm, p, task, signo)
  return 0
}

/** RLIMIT_SIGPENDING counts what is queued for all processes of a user. */
function hasRoom(pm: Pm, p: Process, t: Task): boolean {
  const limit = p.limits[2 * RLIMIT.SIGPENDING]
  return limit === Number.POSITIVE_INFINITY || queuedFor(pm, t.cred.uid) < limit
}
export function queuedFor(pm: Pm, uid: number): number {
  let n = 0
  for (const t of pm.tasks.values()) {
    if (t.cred.uid !== uid) continue
    n += t.pending.infos.length
    if (t === t.process.leader) n += t.process.pending.infos.length + t.process.posixTimers.length
  }
  return n
}

/** Find the thread that takes the signal, and get it there. */
function complete(pm: Pm, p: Process, task: Task | null, signo: number): void {
  const t = task !== null ? (wants(task, signo) ? task : undefined) : p.tasks.find(one => wants(one, signo))
  if (t === undefined) return
  // No core is ever written, so a deadly signal need not wait for a boundary (but for a tracer).
  if (endsByDefault(p, signo) && !has(t.realBlocked, signo) && (t.trace === null || signo === SIG.KILL)) die(pm, p, signo, null)
  else wake(pm, t, signo)
}
/** Who is stopped takes nothing but SIGKILL; the rest waits for SIGCONT (wants_signal). */
function wants(t: Task, signo: number): boolean {
  return signo === SIG.KILL || (t.waiting !== WAITING.STOPPED && !has(t.blocked, signo))
}
export function endsByDefault(p: Process, signo: number): boolean {
  return signo === SIG.KILL || (handlerOf(p, signo) === SIG_DFL && !inSet(DEFAULT_IGNORE | DEFAULT_STOP, signo))
}

/** The task has a signal to take: bring it to its boundary, out of whatever call it is in. */
export function wake(pm: Pm, t: Task, signo: number): void {
  if (t.waiting === WAITING.SIGINFO && has(t.request.set, signo)) {
    endSigtimedwait(pm, t)
    return
  }
  disturb(pm, t)
}
/** To its boundary, out of whatever call it is in. */
export function disturb(pm: Pm, t: Task): void {
  if (t.waiting === WAITING.NONE) pm.sys.interrupt(t.endpoint)
  else {
    pm.sys.mark(t.endpoint)
    interruptWait(pm, t)
  }
}

/** SIGCONT undoes a stop, whether or not anybody handles it. */
function beginContinue(pm: Pm, p: Process): void {
  if (p.stopSignal === 0) return
  const was = p.state
  p.stopSignal = 0
  p.stopReport = 0
  p.contReport = true
  p.state = STATE.RUNNING
  for (const t of p.tasks.slice()) groupChanges(pm, t, false)
  if (was === STATE.STOPPED) childEvent(pm, p, CLD.CONTINUED, SIG.CONT)
}

/** A fault of the guest's own code, or a frame that can't be written: can't be blocked or ignored (force_sig). */
export function force(pm: Pm, t: Task, i: Int32Array): void {
  const p = t.process
  const signo = i[0]
  const row = actionRow(signo)
  if (has(t.blocked, signo) || handlerOf(p, signo) === SIG_IGN) {
    p.actions.fill(0, row, row + 8)
    remove(t.blocked, signo)
  }
  if (!has(t.pending, signo)) enqueue(t.pending, i)
  if (endsByDefault(p, signo) && t.trace === null) die(pm, p, signo, t)
}

/** To every member of a process group; how many there were. */
export function sendGroup(pm: Pm, pgrp: number, i: Int32Array): number {
  let count = 0
  for (const p of Array.from(pm.processes.values())) {
    if (p.pgrp !== pgrp || p === pm.init) continue
    count++
    send(pm, p, null, i)
  }
  return count
}

/** Signals from the kernel (sys.kill by a server: SIGPIPE, SIGXFSZ…) are the task's own, as send_sig's. */
export function kernelSignals(pm: Pm, out: Int32Array, endpoint: number): void {
  const t = pm.mproc[endpoint & 0x7fff]
  if (t === undefined || t.endpoint !== endpoint) return
  for (let signo = 1; signo <= 64; signo++) {
    const word = signo <= 32 ? out[0] : out[1]
    if (((word >>> ((signo - 1) & 31)) & 1) === 1) send(pm, t.process, t, userInfo(signo, SI.USER, t))
  }
}

export function sanitize(mask: Bits): Bits {
  mask.lo &= ~UNMASKABLE
  return mask
}
export function noChildStop(p: Process): boolean {
  return handlerOf(p, SIG.CHLD) === SIG_IGN || (flagsOf(p, SIG.CHLD) & SA.NOCLDSTOP) !== 0
}
