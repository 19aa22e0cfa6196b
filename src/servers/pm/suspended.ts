// How PM's own suspended calls end before their time: by a signal, or with a signal for sigtimedwait. The calls that begin them are in
// wait.ts, sigcalls.ts, time.ts and futex.ts. Invariant: `waiting` is NONE before the caller is answered.
import { E } from '../../abi/errno.ts'
import { SIGINFO } from '../../abi/signals.ts'
import { interruptFutex } from './futex.ts'
import { timerKey, WAIT_TIMER } from './keys.ts'
import { type Pm, type Task, WAITING } from './mproc.ts'
import { firstOf, recalculate, take } from './signal.ts'

/** Answer a task PM has suspended. */
export function finish(pm: Pm, t: Task, result: number): void {
  const { waiting } = t
  t.waiting = WAITING.NONE
  if (waiting === WAITING.FUTEX) unqueue(pm, t)
  if (waiting === WAITING.SLEEP || waiting === WAITING.SIGINFO || waiting === WAITING.FUTEX) pm.timers.clear(timerKey(t, WAIT_TIMER))
  pm.sys.reply(t.endpoint, result)
}

/** It waits for no futex any more. */
export function unqueue(pm: Pm, t: Task): void {
  const at = pm.sleepers.indexOf(t)
  if (at >= 0) pm.sleepers.splice(at, 1)
}

/** A signal is due: the call the task is suspended in ends now, as far as it can be interrupted. */
export function interruptWait(pm: Pm, t: Task): void {
  switch (t.waiting) {
    case WAITING.CHILD:
      finish(pm, t, -E.RESTARTSYS)
      break
    case WAITING.SIGNAL:
      finish(pm, t, -E.RESTARTNOHAND)
      break
    case WAITING.SIGINFO:
      unwaitSignals(t)
      finish(pm, t, -E.INTR)
      break
    case WAITING.SLEEP:
      finish(pm, t, interruptedSleep(pm, t))
      break
    case WAITING.FUTEX:
      interruptFutex(pm, t)
      break
    default: // a vfork parent waits on; a stopped one is woken by SIGCONT alone
  }
}

/** Relative sleeps report what is left and can go on to their deadline; absolute ones are simply issued again. */
function interruptedSleep(pm: Pm, t: Task): number {
  const r = t.request
  if (r.absolute) return -E.RESTARTNOHAND
  if (r.remAt >= 0) writeTimespec(pm, r.remAt, Math.max(0, r.until - pm.sys.monotonic()))
  t.restartAt = r.until
  return -E.RESTART_RESTARTBLOCK
}

/** A duration or a time in milliseconds as a struct timespec. */
export function writeTimespec(pm: Pm, at: number, ms: number): void {
  const seconds = Math.floor(ms / 1000)
  write64(pm, at, seconds)
  write64(pm, at + 8, Math.min(999_999_999, Math.floor((ms - seconds * 1000) * 1e6)))
}
export function write64(pm: Pm, at: number, v: number): void {
  const h = Math.floor(v / 4294967296)
  pm.sys.view.setUint32(at, v - h * 4294967296, true)
  pm.sys.view.setInt32(at + 4, h, true)
}
/** Signed, as a double. */
export function read64(pm: Pm, at: number): number {
  return pm.sys.view.getInt32(at + 4, true) * 4294967296 + pm.sys.view.getUint32(at, true)
}

// ---- sigtimedwait ----

function unwaitSignals(t: Task): void {
  const { blocked, realBlocked } = t
  blocked.lo = realBlocked.lo
  blocked.hi = realBlocked.hi
  realBlocked.lo = 0
  realBlocked.hi = 0
}
/** A signal of the set waited for is pending: take it, write its info, → its number; 0 when none is. */
export function takeOf(pm: Pm, t: Task, lo: number, hi: number, infoAt: number): number {
  const own = t.pending
  const shared = t.process.pending
  for (const q of [own, shared]) {
    if (((q.lo & lo) | (q.hi & hi)) === 0) continue
    const signo = firstOf(q.lo & lo, q.hi & hi)
    const i = take(q, signo)
    if (infoAt >= 0) writeInfo(pm, infoAt, i)
    return signo
  }
  return 0
}
export function writeInfo(pm: Pm, at: number, i: Int32Array): void {
  for (let k = 0; k < SIGINFO.BYTES / 4; k++) pm.sys.view.setInt32(at + 4 * k, i[k], true)
}
/** A signal waited for has come. */
export function endSigtimedwait(pm: Pm, t: Task): void {
  const { set, infoAt } = t.request
  const signo = takeOf(pm, t, set.lo, set.hi, infoAt)
  unwaitSignals(t)
  finish(pm, t, signo === 0 ? -E.AGAIN : signo)
  recalculate(pm, t)
}
