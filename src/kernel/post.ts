// Everything that reaches a process without its partner's taking part: notifications, asynchronous messages, and the end of a wait. Also the
// small common steps of all message passing. Knows no handler: for a server it only notes that there is work.
import { E } from '../abi/errno.ts'
import {
  ANY,
  EP,
  long,
  MESSAGE_WORDS,
  type Message,
  message,
  NONE,
  NOTIFY_MESSAGE,
  NR_TASKS,
  SOURCE,
  setInt,
  setLong,
  slotOf,
  TYPE,
} from '../abi/message.ts'
import type { Clock } from './clock.ts'
import { type PrivilegeTable, USER_PRIV } from './privilege.ts'
import {
  BLOCKED,
  CALLING,
  CANCEL_DUE,
  IN_CALL,
  type ProcessTable,
  RECEIVING,
  REPLY_PENDING,
  SENDING,
  SERVER,
} from './process.ts'
import { AsyncQueue, WorkList } from './queue.ts'
import { EVENT, type Trace } from './trace.ts'

export class Post {
  /** Servers something is to be delivered to, an entry per thing. */
  readonly work = new WorkList()
  readonly queue: AsyncQueue
  private readonly t: ProcessTable
  private readonly privs: PrivilegeTable
  private readonly clock: Clock
  private readonly trace: Trace
  private readonly scratch = message()

  constructor(t: ProcessTable, privs: PrivilegeTable, clock: Clock, trace: Trace) {
    this.t = t
    this.privs = privs
    this.clock = clock
    this.trace = trace
    this.queue = new AsyncQueue(t.size)
  }
  /** Notification from the holder of privilege structure `id`, endpoint `from`. Never blocks, never lost, one per source. */
  notify(id: number, from: number, dst: number): number {
    const { t } = this
    if (id === USER_PRIV) return -E.TRAPDENIED // no bit of its own
    const at = 2 * dst + (id >> 5)
    const bit = 1 << (id & 31)
    const waits = (t.flags[dst] & SERVER) === 0 && (t.flags[dst] & REPLY_PENDING) === 0 && this.awaits(dst, from)
    const was = (t.notifyPending[at] & bit) !== 0
    if (this.trace.on) this.trace.put(EVENT.NOTIFY, from, t.endpoints[dst], 0, waits ? 1 : was ? 2 : 0)
    t.notifyPending[at] |= bit
    if (waits) {
      this.takeNotification(dst, id)
      this.complete(dst, 0)
    } else if (!was && (t.flags[dst] & SERVER) !== 0) this.work.push(dst)
    return 0
  }
  /** Privilege id of a pending notification of `proc` that `from` (endpoint or ANY) admits, the lowest; or -1. */
  notifier(proc: number, from: number): number {
    const { t } = this
    const low = t.notifyPending[2 * proc]
    const high = t.notifyPending[2 * proc + 1]
    if ((low | high) === 0) return -1
    if (from === ANY) return low !== 0 ? bitOf(low) : 32 + bitOf(high)
    const id = isTask(from) ? from + NR_TASKS : t.priv[t.slot(from)]
    return ((id < 32 ? low : high) & (1 << (id & 31))) !== 0 ? id : -1
  }
  /** Turns the pending bit into a message in the buffer of `proc`. Cell 0: what is pending; cell 1: ticks. */
  takeNotification(proc: number, id: number): void {
    const { t, privs } = this
    t.notifyPending[2 * proc + (id >> 5)] &= ~(1 << (id & 31))
    const slot = id < NR_TASKS ? id - NR_TASKS : privs.slots[id]
    const m = t.messages[proc]
    m.fill(0)
    m[TYPE] = NOTIFY_MESSAGE + slot
    const pending = slot === EP.SYSTEM ? privs.sigPending : slot === EP.HARDWARE ? privs.intPending : undefined
    if (pending !== undefined) {
      setInt(m, 0, pending[t.priv[proc]])
      pending[t.priv[proc]] = 0
    }
    setLong(m, 1, this.clock.ticks())
    this.received(proc, slot < 0 ? slot : t.endpoints[slot])
  }
  /** Queues a copy of m for `dst`; a process that waits for it has it at once. 0 or -ENOTREADY. */
  post(dst: number, from: number, m: Message): number {
    const at = this.queue.put(dst, from, m, from === EP.SYSTEM)
    if (at < 0) return -E.NOTREADY
    if (this.trace.on) this.trace.put(EVENT.QUEUE, from, this.t.endpoints[dst], m[TYPE], 0)
    const slot = slotOf(from)
    if (slot >= 0) this.t.sent[slot]++
    this.poke(dst, from)
    return 0
  }
  /** Something from `from` is queued for `dst`. */
  poke(dst: number, from: number): void {
    if ((this.t.flags[dst] & SERVER) !== 0) this.work.push(dst)
    else if (this.awaits(dst, from)) {
      const at = this.queue.take(dst, from)
      this.hand(dst, from, this.queue.words, at * MESSAGE_WORDS)
      this.queue.drop(at)
    }
  }
  /** Next queued message for `proc` that still means something, into its buffer. */
  takeAsync(proc: number, from: number): boolean {
    const { t, queue } = this
    for (let at = queue.take(proc, from); at >= 0; at = queue.take(proc, from)) {
      const source = queue.words[at * MESSAGE_WORDS + SOURCE]
      const stale = this.stale(at, source)
      if (!stale) {
        t.messages[proc].set(queue.words.subarray(at * MESSAGE_WORDS, (at + 1) * MESSAGE_WORDS))
        this.received(proc, source)
      } else if (this.trace.on)
        this.trace.put(EVENT.DROP, source, t.endpoints[proc], queue.words[at * MESSAGE_WORDS + TYPE], 0)
      queue.drop(at)
      if (!stale) return true
    }
    return false
  }
  /** Its sender is gone, or it cancels a call that is over. */
  private stale(at: number, source: number): boolean {
    const { t, queue } = this
    const whose = queue.cancels[at]
    if (whose === NONE) return !isTask(source) && t.slot(source) < 0
    const proc = t.slot(whose)
    if (proc < 0 || (t.sent[proc] | 0) !== queue.calls[at]) return true
    const due = (t.flags[proc] & (RECEIVING | CANCEL_DUE)) === (RECEIVING | CANCEL_DUE)
    t.flags[proc] &= ~CANCEL_DUE
    return !due
  }
  /** Does process `proc` wait for a message that may be from `from`? */
  awaits(proc: number, from: number): boolean {
    const { t } = this
    return (t.flags[proc] & BLOCKED) === RECEIVING && (t.getFrom[proc] === ANY || t.getFrom[proc] === from)
  }
  /** Gives the message at words[at…] to `proc`, which awaits it. */
  hand(proc: number, from: number, words: Int32Array, at: number): number {
    const { t } = this
    const call = (t.flags[proc] & CALLING) !== 0
    if (call) {
      for (let w = 0; w < MESSAGE_WORDS; w++) this.scratch[w] = words[at + w]
      t.received[proc]++
      this.complete(proc, resultOf(this.scratch))
      return 0
    }
    const to = proc * MESSAGE_WORDS
    for (let w = 0; w < MESSAGE_WORDS; w++) t.words[to + w] = words[at + w]
    this.received(proc, from)
    this.complete(proc, 0)
    return 0
  }
  /** A message from `from` has come into the buffer of `proc`. */
  received(proc: number, from: number): void {
    const { t } = this
    t.words[proc * MESSAGE_WORDS + SOURCE] = from
    t.received[proc]++
    if (this.trace.on) this.trace.put(EVENT.DELIVER, from, t.endpoints[proc], t.words[proc * MESSAGE_WORDS + TYPE], 0)
  }
  /** `by` has the message of blocked sender `proc`: it goes on, or waits for the reply. */
  taken(proc: number, by: number): void {
    const { t } = this
    t.dequeue(proc, by)
    t.flags[proc] &= ~SENDING
    t.sent[proc]++
    if ((t.flags[proc] & RECEIVING) === 0) this.complete(proc, 0)
  }
  /** What `proc` was blocked in is over. */
  complete(proc: number, result: number): void {
    const { t } = this
    t.flags[proc] &= ~IN_CALL
    if (this.trace.on) this.trace.put(EVENT.COMPLETE, t.endpoints[proc], NONE, 0, result)
    t.containers[proc].complete(proc, result)
  }
  refuse(proc: number, to: number, error: number): number {
    if (this.trace.on) this.trace.put(EVENT.REFUSE, this.t.endpoints[proc], to, 0, error)
    return error
  }
}

export function isTask(endpoint: number): boolean {
  return endpoint < 0 && endpoint > -NR_TASKS
}
/** Makes m a reply: type 0 or -errno, cell 0 the result. */
export function stamp(m: Message, source: number, result: number): void {
  m[SOURCE] = source
  m[TYPE] = Math.min(result, 0)
  if ((result | 0) === result) setInt(m, 0, result)
  else setLong(m, 0, result)
}
/** The result a reply carries. */
function resultOf(m: Message): number {
  return m[TYPE] < 0 ? m[TYPE] : long(m, 0)
}
/** Number of the lowest bit set. */
function bitOf(word: number): number {
  return 31 - Math.clz32(word & -word)
}
