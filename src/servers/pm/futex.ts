// futex(2). The container has compared the word with `val` before the message comes, and looks again once the caller is queued if anybody
// has woken anybody in between (container/linux/futexes.ts). Here nothing is read or written: calls that change a word (futex-op.ts,
// futex-pi.ts) ask the container to do it, step by step (ASK.FUTEX, FUTEXSTEP). Keys and the queue: futex-queue.ts.
import { E } from '../../abi/errno.ts'
import { high, int, long, type Message, SUSPEND, ulong } from '../../abi/message.ts'
import type { CallVector } from '../../lib/server.ts'
import { PM } from '../../protocol/pm.ts'
import { beginOperation, operated } from './futex-op.ts'
import { beginLock, beginRequeue, beginUnlock, stepLock, stepRequeue, stepUnlock, TRY } from './futex-pi.ts'
import { ALL_BITS, findKey, isSame, newStep, sleep, wake } from './futex-queue.ts'
import { FUTEX_STEP, FUTEX_WAIT, type FutexKey, type Pm, type Task, taskOf } from './mproc.ts'
import { isDue } from './signal.ts'
import { finish } from './suspended.ts'
import { readTimespec } from './time.ts'

const FUTEX = {
  WAIT: 0, WAKE: 1, FD: 2, REQUEUE: 3, CMP_REQUEUE: 4, WAKE_OP: 5, LOCK_PI: 6, UNLOCK_PI: 7, TRYLOCK_PI: 8, WAIT_BITSET: 9, WAKE_BITSET: 10,
  WAIT_REQUEUE_PI: 11, CMP_REQUEUE_PI: 12, LOCK_PI2: 13, PRIVATE: 128, CLOCK_REALTIME: 256,
} as const
const key: FutexKey = { space: 0, object: 0, address: 0 }
const otherKey: FutexKey = { space: 0, object: 0, address: 0 }

export function futexCalls(pm: Pm): CallVector {
  return {
    [PM.FUTEX]: (m, from) => {
      const t = taskOf(pm, from)
      return t === undefined ? -E.SRCH : futex(pm, t, m)
    },
    [PM.FUTEXSTEP]: (m, from) => {
      const t = taskOf(pm, from)
      return t === undefined ? -E.SRCH : step(pm, t, m)
    },
  }
}

function futex(pm: Pm, t: Task, m: Message): number {
  const op = int(m, 1)
  const command = op & ~(FUTEX.PRIVATE | FUTEX.CLOCK_REALTIME)
  const isPrivate = (op & FUTEX.PRIVATE) !== 0
  if (command < 0 || command > FUTEX.LOCK_PI2 || command === FUTEX.FD) return -E.NOSYS
  t.step = null
  const bad = findKey(pm, t, ulong(m, 0), isPrivate, key)
  if (bad < 0) return bad
  switch (command) {
    case FUTEX.WAIT:
      return wait(pm, t, m, false, ALL_BITS)
    case FUTEX.WAIT_BITSET:
      return int(m, 5) === 0 ? -E.INVAL : wait(pm, t, m, true, int(m, 5))
    case FUTEX.WAKE:
      return wake(pm, key, int(m, 2), ALL_BITS)
    case FUTEX.WAKE_BITSET:
      return int(m, 5) === 0 ? -E.INVAL : wake(pm, key, int(m, 2), int(m, 5))
    case FUTEX.LOCK_PI:
    case FUTEX.LOCK_PI2: {
      const until = deadline(pm, m, true, command === FUTEX.LOCK_PI || (op & FUTEX.CLOCK_REALTIME) !== 0)
      return beginLock(t, m, key, until)
    }
    case FUTEX.TRYLOCK_PI:
      return beginLock(t, m, key, TRY)
    case FUTEX.UNLOCK_PI:
      return beginUnlock(pm, t, m, key)
  }
  const bad2 = findKey(pm, t, ulong(m, 4), isPrivate, otherKey)
  if (bad2 < 0) return bad2
  switch (command) {
    case FUTEX.REQUEUE:
    case FUTEX.CMP_REQUEUE:
      return requeue(pm, m)
    case FUTEX.WAKE_OP:
      return beginOperation(t, m, key, otherKey)
    case FUTEX.WAIT_REQUEUE_PI:
      if (isSame(key, otherKey)) return -E.INVAL
      return wait(pm, t, m, true, ALL_BITS)
    case FUTEX.CMP_REQUEUE_PI:
      return beginRequeue(pm, t, m, key, otherKey)
    default:
      return -E.NOSYS
  }
}

/** The container has done what was asked: the value found in the word, or -EFAULT. `first`: a lock whose wait PM has ended begins again. */
function step(pm: Pm, t: Task, m: Message): number {
  const s = t.step
  if (s === null) return -E.INVAL
  const found = long(m, 0)
  const first = int(m, 1) !== 0
  if (found < 0 && !first) return -E.FAULT
  switch (s.what) {
    case FUTEX_STEP.OPERATION:
      return operated(pm, s, m, found)
    case FUTEX_STEP.UNLOCK:
      return stepUnlock(pm, t, s, m, found)
    case FUTEX_STEP.REQUEUE:
      return stepRequeue(pm, s, m, found)
    default:
      return stepLock(pm, t, s, m, first ? null : found)
  }
}

/** A timeout's end on the monotonic clock, in ms; Infinity for none. */
function deadline(pm: Pm, m: Message, absolute: boolean, realtime: boolean): number {
  if (high(m, 3) < 16) return Number.POSITIVE_INFINITY
  const ms = readTimespec(pm, int(m, 3))
  const now = pm.sys.monotonic()
  return absolute ? now + ms - (realtime ? pm.sys.realtime() : now) : now + ms
}
/** FUTEX_WAIT and its kin; with WAIT_REQUEUE_PI until the other word's lock is the caller's. */
function wait(pm: Pm, t: Task, m: Message, absolute: boolean, bits: number): number {
  const op = int(m, 1)
  const requeued = (op & 127) === FUTEX.WAIT_REQUEUE_PI
  const r = t.request
  r.until = deadline(pm, m, absolute, (op & FUTEX.CLOCK_REALTIME) !== 0)
  if (isDue(t)) {
    pm.sys.mark(t.endpoint)
    return requeued ? -E.RESTARTNOINTR : r.until === Number.POSITIVE_INFINITY ? -E.RESTARTSYS : -E.RESTARTNOHAND
  }
  if (r.until <= pm.sys.monotonic()) return -E.TIMEDOUT
  Object.assign(r, key)
  r.options = bits
  r.futex = requeued ? FUTEX_WAIT.REQUEUE : FUTEX_WAIT.PLAIN
  if (requeued) {
    t.step = newStep(FUTEX_STEP.LOCK, ulong(m, 4), otherKey)
    t.step.until = r.until
  }
  sleep(pm, t)
  return SUSPEND
}
/** The deadline of a wait. */
export function futexTimeout(pm: Pm, t: Task): void {
  if (!t.request.granted) finish(pm, t, -E.TIMEDOUT)
}
/** A signal is due. */
export function interruptFutex(pm: Pm, t: Task): void {
  const r = t.request
  if (r.granted) return
  if (r.futex === FUTEX_WAIT.LOCK) finish(pm, t, t.step?.requeued === true ? -E.AGAIN : -E.RESTARTNOINTR)
  else if (r.futex === FUTEX_WAIT.REQUEUE) finish(pm, t, -E.RESTARTNOINTR)
  else finish(pm, t, r.until === Number.POSITIVE_INFINITY ? -E.RESTARTSYS : -E.RESTARTNOHAND)
}

/** Wake some, let some wait for the other word instead. → how many of both */
function requeue(pm: Pm, m: Message): number {
  const count = int(m, 2)
  const most = int(m, 3)
  if (count < 0 || most < 0) return -E.INVAL
  const woken = count === 0 ? 0 : wake(pm, key, count, ALL_BITS)
  if (woken < 0) return woken
  let moved = 0
  for (const other of pm.sleepers) {
    if (moved === most) break
    if (!isSame(other.request, key)) continue
    if (other.request.futex !== FUTEX_WAIT.PLAIN) return -E.INVAL
    Object.assign(other.request, otherKey)
    moved++
  }
  return woken + moved
}
