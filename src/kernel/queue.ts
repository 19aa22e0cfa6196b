// Messages on their way without a sender that waits: SENDA's and the kernel's own (CANCEL, GONE). One FIFO list per destination, the
// messages in a preallocated pool that doubles when full, up to a bound. And the work list: which servers have something to be delivered,
// one entry per thing, in the order it came.
import { ANY, MESSAGE_WORDS, type Message, NONE, SOURCE } from '../abi/message.ts'

const FIRST_POOL = 256
const LAST_POOL = 1 << 16

export class AsyncQueue {
  words = new Int32Array(FIRST_POOL * MESSAGE_WORDS)
  /** For a CANCEL: the call it is about is the one its maker had sent as message number `call`. NONE for any other message. */
  cancels = new Int32Array(FIRST_POOL)
  calls = new Int32Array(FIRST_POOL)
  private links = new Int32Array(FIRST_POOL)
  private readonly heads: Int32Array
  private readonly tails: Int32Array
  private free = -1
  private capacity = 0

  constructor(slots: number) {
    this.heads = new Int32Array(slots).fill(-1)
    this.tails = new Int32Array(slots).fill(-1)
    this.provide(FIRST_POOL)
  }
  /** Queues a copy of m for `dst` → its place in the pool, or -1: no room (a message of the kernel's own always finds room). */
  put(dst: number, source: number, m: Message, own: boolean): number {
    if (this.free < 0) {
      if (this.capacity >= LAST_POOL && !own) return -1
      this.provide(2 * this.capacity)
    }
    const at = this.free
    this.free = this.links[at]
    this.words.set(m, at * MESSAGE_WORDS)
    this.words[at * MESSAGE_WORDS + SOURCE] = source
    this.cancels[at] = NONE
    this.links[at] = -1
    if (this.heads[dst] < 0) this.heads[dst] = at
    else this.links[this.tails[dst]] = at
    this.tails[dst] = at
    return at
  }
  /** Takes the first message for `dst` that `from` (endpoint or ANY) admits out of its list → place, or -1. Then copy it, then drop(). */
  take(dst: number, from: number): number {
    let before = -1
    let at = this.heads[dst]
    if (from !== ANY)
      while (at >= 0 && this.words[at * MESSAGE_WORDS + SOURCE] !== from) {
        before = at
        at = this.links[at]
      }
    if (at < 0) return -1
    if (before < 0) this.heads[dst] = this.links[at]
    else this.links[before] = this.links[at]
    if (this.tails[dst] === at) this.tails[dst] = before
    return at
  }
  /** The place may be used again. */
  drop(at: number): void {
    this.links[at] = this.free
    this.free = at
  }
  /** Everything queued for `dst` is dropped. */
  forget(dst: number): void {
    for (let at = this.take(dst, ANY); at >= 0; at = this.take(dst, ANY)) this.drop(at)
  }

  private provide(capacity: number): void {
    if (capacity > this.links.length) {
      this.words = larger(this.words, capacity * MESSAGE_WORDS)
      this.cancels = larger(this.cancels, capacity)
      this.calls = larger(this.calls, capacity)
      this.links = larger(this.links, capacity)
    }
    for (let at = capacity - 1; at >= this.capacity; at--) this.drop(at)
    this.capacity = capacity
  }
}

export class WorkList {
  private ring = new Int32Array(1024)
  private first = 0
  private count = 0
  get empty(): boolean {
    return this.count === 0
  }
  push(slot: number): void {
    if (this.count === this.ring.length) this.grow()
    this.ring[(this.first + this.count++) & (this.ring.length - 1)] = slot
  }
  shift(): number {
    const slot = this.ring[this.first]
    this.first = (this.first + 1) & (this.ring.length - 1)
    this.count--
    return slot
  }
  private grow(): void {
    const ring = new Int32Array(2 * this.ring.length)
    for (let k = 0; k < this.count; k++) ring[k] = this.ring[(this.first + k) & (this.ring.length - 1)]
    this.ring = ring
    this.first = 0
  }
}

function larger(from: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const to = new Int32Array(length)
  to.set(from)
  return to
}
