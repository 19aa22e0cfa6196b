// Who waits for which futex: keys, the queue, waking, and asking the container for a change of a word. A word is known by its key: its
// address in the caller's address space, or, in shared memory, the object and offset that VM names.
import { E } from '../../abi/errno.ts'
import { EP, long, type Message, message, setInt, setLong, TYPE } from '../../abi/message.ts'
import { ASK } from '../../protocol/pm.ts'
import { VM } from '../../protocol/vm.ts'
import { timerKey, WAIT_TIMER } from './keys.ts'
import { FUTEX_WAIT, type FutexKey, type FutexStep, type Pm, type Task, WAITING } from './mproc.ts'
import { finish } from './suspended.ts'

const USER_END = 0x7ffffffff000
const SCHED = { FIFO: 1, RR: 2 } as const
export const ALL_BITS = -1
const wordKey: FutexKey = { space: 0, object: 0, address: 0 }
const out = message()

/** Private words: space = -(number of the address space), object 0, or 1 when the caller took them for shared ones. Shared ones: device
 *  (not below 0), inode, offset. 0, -EINVAL or -EFAULT. */
export function findKey(pm: Pm, t: Task, address: number, isPrivate: boolean, to: FutexKey): number {
  if ((address & 3) !== 0) return -E.INVAL
  if (address >= USER_END) return -E.FAULT
  to.space = -t.process.space
  to.object = isPrivate ? 0 : 1
  to.address = address
  if (isPrivate) return 0
  out.fill(0)
  out[TYPE] = VM.OBJECT
  setInt(out, 0, t.endpoint)
  setLong(out, 1, address)
  const shared = pm.sys.sendrec(EP.VM, out)
  if (shared !== 1) return Math.min(0, shared)
  to.space = long(out, 1)
  to.object = long(out, 2)
  to.address = long(out, 3)
  return 0
}
export function isSame(a: FutexKey, b: FutexKey): boolean {
  return a.address === b.address && a.space === b.space && a.object === b.object
}
/** First to be woken of those who wait for a word. */
export function firstOf(pm: Pm, k: FutexKey): Task | undefined {
  return pm.sleepers.find(t => isSame(t.request, k))
}

/** The task waits for the word of its request: behind those of the same priority, real-time tasks first (futex_queue). */
export function sleep(pm: Pm, t: Task): void {
  const r = rank(t)
  const at = r === 0 ? -1 : pm.sleepers.findIndex(other => rank(other) < r)
  if (at < 0) pm.sleepers.push(t)
  else pm.sleepers.splice(at, 0, t)
  t.waiting = WAITING.FUTEX
  t.request.granted = false
  if (t.request.until !== Number.POSITIVE_INFINITY) pm.timers.set(timerKey(t, WAIT_TIMER), t.request.until)
}
function rank(t: Task): number {
  return t.policy === SCHED.FIFO || t.policy === SCHED.RR ? t.priority : 0
}

/** At least one is woken, whatever `count` says (kernel/futex/waitwake.c). -EINVAL when one waits for a lock. */
export function wake(pm: Pm, k: FutexKey, count: number, bits: number): number {
  const most = Math.max(1, count)
  let woken = 0
  for (let i = 0; i < pm.sleepers.length && woken < most; ) {
    const t = pm.sleepers[i]
    const waits = isSame(t.request, k)
    if (waits && t.request.futex !== FUTEX_WAIT.PLAIN) return -E.INVAL
    if (waits && (t.request.options & bits) !== 0) {
      finish(pm, t, 0) // takes it off the list
      woken++
    } else i++
  }
  return woken
}
/** The word at `address` of a task has changed in its name. */
export function wakeWord(pm: Pm, t: Task, address: number, count: number): void {
  if (findKey(pm, t, address, false, wordKey) === 0) wake(pm, wordKey, count, ALL_BITS)
}

/** What is to be remembered of a call that changes the word at `word`. */
export function newStep(what: number, word: number, k: FutexKey): FutexStep {
  return {
    what, word, key: { ...k }, source: { ...k }, expected: 0, next: 0, takes: false, heir: 0, from: 0, seen: 0, until: 0, count: 0, most: 0,
    requeued: false,
  }
}
/** Ask the container to put `next` into the word if it holds `expected`. */
export function swap(m: Message, s: FutexStep, expected: number, next: number): number {
  s.expected = expected >>> 0
  s.next = next >>> 0
  setLong(m, 1, s.word)
  setLong(m, 2, s.expected)
  setLong(m, 3, s.next)
  return ASK.FUTEX
}
