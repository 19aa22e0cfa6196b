// Futexes with priority inheritance: locks whose word holds their owner's thread id; who can't have one waits here, in the order of
// priorities, and is given it by its owner's unlocking or end. futex(2), "Priority-inheritance futexes"; kernel/futex/pi.c, requeue.c.
// Nobody's priority is raised: scheduling is the host's.
//
// A lock is taken, marked (FUTEX_WAITERS) and given away by compare-and-swap in its word, each a step the container carries out while
// others go on. So a step counts only if the word held what was expected, and a waiter is queued only if no unlocking (`unlocks`) fell
// between its mark and the news of it. Invariant: whom an unlocker has chosen waits (`granted`) until the word says so.
import { E } from '../../abi/errno.ts'
import { int, type Message, SUSPEND, ulong } from '../../abi/message.ts'
import { ASK } from '../../protocol/pm.ts'
import { firstOf, isSame, newStep, sleep, swap } from './futex-queue.ts'
import { FUTEX_STEP, FUTEX_WAIT, type FutexKey, type FutexStep, type Pm, type Task, WAITING } from './mproc.ts'
import { isDue } from './signal.ts'
import { finish } from './suspended.ts'

const WAITERS = 0x80000000
const DIED = 0x40000000
const OWNER = 0x3fffffff
/** `until` of an attempt that doesn't wait. */
export const TRY = -1
/** FutexStep.heir: the word is only to be looked at. */
const NOBODY = -1

function owns(word: number): number {
  return word & OWNER
}
/** Everybody who waits for the lock waits for this owner now. */
function adopt(pm: Pm, k: FutexKey, owner: number): void {
  for (const t of pm.sleepers) if (isSame(t.request, k)) t.request.owner = owner
}
/** The wait is over, but for the word: the call goes on with its first step. */
function goOn(pm: Pm, t: Task): void {
  finish(pm, t, ASK.FUTEX)
}

// ---- locking ----

export function beginLock(t: Task, m: Message, key: FutexKey, until: number): number {
  t.step = newStep(FUTEX_STEP.LOCK, ulong(m, 0), key)
  t.step.until = until
  t.request.granted = false
  return take(t, t.step, m, 0, 0)
}
function take(t: Task, s: FutexStep, m: Message, word: number, keep: number): number {
  s.takes = true
  return swap(m, s, word, (word & DIED) | t.tid | keep)
}

/** found null: from the start. */
export function stepLock(pm: Pm, t: Task, s: FutexStep, m: Message, found: number | null): number {
  if (found === null) return take(t, s, m, 0, 0)
  if (found !== s.expected) return look(pm, t, s, m, found)
  if (s.takes) {
    adopt(pm, s.key, t.tid)
    return 0
  }
  return pm.unlocks === s.seen ? waitForOwner(pm, t, s) : take(t, s, m, 0, 0)
}
function look(pm: Pm, t: Task, s: FutexStep, m: Message, word: number): number {
  const owner = owns(word)
  if (owner === t.tid) return t.request.granted ? 0 : -E.DEADLK
  const top = firstOf(pm, s.key)
  if (top !== undefined && top.request.futex !== FUTEX_WAIT.LOCK) return -E.INVAL
  const inherits = s.heir !== 0 && !pm.tasks.has(owner)
  if (inherits) return take(t, s, m, word, WAITERS | DIED)
  if (owner === 0) return take(t, s, m, word, top === undefined ? 0 : WAITERS)
  s.takes = false
  s.seen = pm.unlocks
  return swap(m, s, word, word | WAITERS)
}
function waitForOwner(pm: Pm, t: Task, s: FutexStep): number {
  const owner = owns(s.next)
  if (!pm.tasks.has(owner)) return -E.SRCH
  if (waitsFor(pm, owner, t.tid)) return -E.DEADLK
  if (s.until === TRY) return -E.AGAIN
  if (isDue(t)) {
    pm.sys.mark(t.endpoint)
    return -E.RESTARTNOINTR
  }
  if (s.until <= pm.sys.monotonic()) return -E.TIMEDOUT
  const r = t.request
  Object.assign(r, s.key)
  r.futex = FUTEX_WAIT.LOCK
  r.owner = owner
  r.until = s.until
  sleep(pm, t)
  return SUSPEND
}
/** Does `tid` wait for `target`, or for somebody who does? */
function waitsFor(pm: Pm, tid: number, target: number): boolean {
  let owner = tid
  for (let steps = 0; steps < pm.tasks.size; steps++) {
    const t = pm.tasks.get(owner)
    if (t === undefined || t.waiting !== WAITING.FUTEX || t.request.futex !== FUTEX_WAIT.LOCK) return false
    owner = t.request.owner
    if (owner === target) return true
  }
  return false
}

// ---- unlocking ----

export function beginUnlock(pm: Pm, t: Task, m: Message, key: FutexKey): number {
  const s = newStep(FUTEX_STEP.UNLOCK, ulong(m, 0), key)
  s.from = t.tid
  t.step = s
  return giveAway(pm, s, m, firstOf(pm, key) === undefined ? t.tid : t.tid | WAITERS)
}
/** To the first who waits, or to nobody. */
function giveAway(pm: Pm, s: FutexStep, m: Message, word: number): number {
  const heir = firstOf(pm, s.key)
  if (heir !== undefined && heir.request.futex !== FUTEX_WAIT.LOCK) {
    s.heir = NOBODY
    return swap(m, s, word, word)
  }
  s.heir = heir?.tid ?? 0
  if (heir !== undefined) heir.request.granted = true
  return swap(m, s, word, heir === undefined ? 0 : heir.tid | WAITERS)
}
function chosen(pm: Pm, s: FutexStep): Task | undefined {
  const heir = pm.tasks.get(s.heir)
  return heir !== undefined && heir.waiting === WAITING.FUTEX && heir.request.granted ? heir : undefined
}

export function stepUnlock(pm: Pm, t: Task, s: FutexStep, m: Message, found: number): number {
  const heir = chosen(pm, s)
  if (found !== s.expected) {
    if (heir !== undefined) heir.request.granted = false
    if (owns(found) !== s.from) return s.from === t.tid ? -E.PERM : 0
    return giveAway(pm, s, m, found)
  }
  if (s.heir === NOBODY) return -E.INVAL
  pm.unlocks++
  if (s.heir === 0) {
    const late = firstOf(pm, s.key)
    if (late !== undefined && late.request.futex === FUTEX_WAIT.LOCK) goOn(pm, late)
    return 0
  }
  if (heir === undefined) {
    s.from = s.heir // the chosen one has ended
    return giveAway(pm, s, m, s.next)
  }
  finish(pm, heir, 0)
  adopt(pm, s.key, heir.tid)
  return 0
}

/** A thread is gone: who waits for its locks gets them, and whom it was about to give one. */
export function ownerEnded(pm: Pm, t: Task): void {
  const heir = t.step?.what === FUTEX_STEP.UNLOCK ? chosen(pm, t.step) : undefined
  if (heir !== undefined) inherit(pm, heir, t.tid)
  for (;;) {
    const next = pm.sleepers.find(one => one.request.futex === FUTEX_WAIT.LOCK && one.request.owner === t.tid)
    if (next === undefined) return
    inherit(pm, next, t.tid)
  }
}
function inherit(pm: Pm, heir: Task, from: number): void {
  if (heir.step !== null) heir.step.heir = from
  goOn(pm, heir)
  adopt(pm, heir.request, heir.tid)
}

// ---- requeueing ----

/** FUTEX_CMP_REQUEUE_PI: who waits for `source` gets the lock behind `key`, or waits for it. */
export function beginRequeue(pm: Pm, t: Task, m: Message, source: FutexKey, key: FutexKey): number {
  if (int(m, 2) !== 1 || int(m, 3) < 0 || isSame(source, key)) return -E.INVAL
  const s = newStep(FUTEX_STEP.REQUEUE, ulong(m, 4), key)
  Object.assign(s.source, source)
  s.most = int(m, 3)
  t.step = s
  return lookFor(pm, s, m, 0)
}
/** Does it wait to be requeued to that very lock? */
function isMeant(t: Task, s: FutexStep): boolean {
  return t.request.futex === FUTEX_WAIT.REQUEUE && t.step !== null && isSame(t.step.key, s.key)
}
function lookFor(pm: Pm, s: FutexStep, m: Message, word: number): number {
  const top = firstOf(pm, s.source)
  if (top === undefined) return 0
  if (!isMeant(top, s)) return -E.INVAL
  const owner = owns(word)
  if (owner === top.tid) return -E.DEADLK
  s.takes = owner === 0
  s.seen = pm.unlocks
  s.heir = s.takes ? top.tid : 0
  top.request.granted = s.takes
  return swap(m, s, word, s.takes ? (word & DIED) | top.tid | (s.most > 0 ? WAITERS : 0) : word | WAITERS)
}
export function stepRequeue(pm: Pm, s: FutexStep, m: Message, found: number): number {
  const top = chosen(pm, s)
  if (found !== s.expected) {
    if (top !== undefined) top.request.granted = false
    return lookFor(pm, s, m, found)
  }
  if (!s.takes) {
    if (pm.unlocks !== s.seen) return lookFor(pm, s, m, 0)
    return pm.tasks.has(owns(s.next)) ? move(pm, s, owns(s.next), 1 + s.most) : -E.SRCH
  }
  if (top === undefined) {
    s.what = FUTEX_STEP.UNLOCK
    s.from = s.heir
    return giveAway(pm, s, m, s.next)
  }
  finish(pm, top, 0)
  const moved = move(pm, s, top.tid, s.most)
  return moved < 0 ? moved : 1 + moved
}
function move(pm: Pm, s: FutexStep, owner: number, most: number): number {
  let moved = 0
  for (const t of pm.sleepers) {
    if (moved === most) break
    if (!isSame(t.request, s.source)) continue
    if (!isMeant(t, s)) return -E.INVAL
    Object.assign(t.request, s.key)
    t.request.futex = FUTEX_WAIT.LOCK
    t.request.owner = owner
    ;(t.step as FutexStep).requeued = true
    moved++
  }
  return moved
}
