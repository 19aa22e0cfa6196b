// The process table: one row per slot, spread over typed arrays so that the hot path touches integers only. Servers, drivers and guests
// have rows; tasks (negative slots) have none: they never block. Names of states as in MINIX 3 (kernel/proc.h).
//
// Invariants: endpoints[slot] is the only live incarnation of a slot, NONE when it is free. A generation is used once per slot until all
// 65535 have been; freed slots wait in a FIFO queue, so an endpoint comes back only after every free slot had its turn that often.
// A process with SENDING stands in exactly one caller queue, that of sendTo; nobody else does.
import { ANY, FIRST_GUEST, MESSAGE_WORDS, type Message, makeEndpoint, NONE, SLOTS, slotOf } from '../abi/message.ts'
import type { Container } from './container.ts'

// States (flags). The first ones have MINIX's values.
export const FREE = 0x01
export const SENDING = 0x04 // blocked until sendTo takes its message
export const RECEIVING = 0x08 // blocked until getFrom sends one (with SENDING: after that)
export const SIGNALED = 0x10 // kernel signals are pending that the signal manager has not fetched
export const SIG_PENDING = 0x20 // the signal manager is still at work on them
export const REPLY_PENDING = 0x1000 // in a SENDREC: no notification may stand in for the reply
export const CALLING = 0x2000 // it came by kernel.call: wants a result
export const HANDLED = 0x4000 // the server it called is running its handler right now
export const ANSWERED = 0x8000 // …and has already replied: early[slot]
export const CANCEL_DUE = 0x10000 // …and the call shall be cancelled should it be suspended
export const MARKED = 0x20000 // SIGREADY is due before it runs guest code again
export const SERVER = 0x40000 // code of this thread: always receiving from ANY unless BUSY
export const BUSY = 0x80000 // its handler is running
export const BLOCKED = SENDING | RECEIVING
/** All that an answered call takes away. */
export const IN_CALL = SENDING | RECEIVING | REPLY_PENDING | CALLING | HANDLED | ANSWERED | CANCEL_DUE

const LAST_GENERATION = 0xffff
/** Endpoints of generation 0 and 1 must not look like ANY, NONE or SELF. */
const SIZE_MAX = 2048

export class ProcessTable {
  readonly size: number
  readonly endpoints: Int32Array
  readonly flags: Int32Array
  readonly getFrom: Int32Array // endpoint or ANY; meaningful with RECEIVING
  readonly sendTo: Int32Array // endpoint; meaningful with SENDING
  readonly priv: Uint8Array // index of its privilege structure
  readonly base: Int32Array // domain * SLOTS: where its routes start
  readonly callerHead: Int32Array // queue of those SENDING to it, -1 = empty
  readonly callerTail: Int32Array
  readonly callerLink: Int32Array // next in the queue one stands in
  readonly notifyPending: Int32Array // two words: bit = privilege id of the source
  readonly sigLow: Int32Array // kernel signals pending, bit n-1
  readonly sigHigh: Int32Array
  readonly early: Float64Array
  readonly sent: Float64Array // messages, requests and replies alike
  readonly received: Float64Array
  readonly kernelCalls: Float64Array
  readonly user: Float64Array // CPU time in ms where the container can't say
  readonly system: Float64Array
  readonly words: Int32Array // all messages, one after the other
  readonly messages: Message[] // views of words
  readonly containers: Container[]
  /** One more than the highest slot ever used. */
  top = 0
  private readonly generations: Uint16Array
  private readonly nobody: Container
  // Free slots first, then slots in limbo (cleared, but servers have not all heard of it): one ring.
  private readonly ring: Int32Array
  private first = 0
  private free = 0
  private limbo = 0

  constructor(size: number, nobody: Container) {
    if (size <= FIRST_GUEST || size > SIZE_MAX)
      throw new RangeError(`process table of ${size}: ${FIRST_GUEST + 1} to ${SIZE_MAX}`)
    this.size = size
    this.nobody = nobody
    const ints = (fill = 0) => new Int32Array(size).fill(fill)
    this.endpoints = ints(NONE)
    this.flags = ints(FREE)
    this.getFrom = ints(NONE)
    this.sendTo = ints(NONE)
    this.priv = new Uint8Array(size)
    this.base = ints()
    this.callerHead = ints(-1)
    this.callerTail = ints(-1)
    this.callerLink = ints(-1)
    this.notifyPending = new Int32Array(2 * size)
    this.sigLow = ints()
    this.sigHigh = ints()
    this.early = new Float64Array(size)
    this.sent = new Float64Array(size)
    this.received = new Float64Array(size)
    this.kernelCalls = new Float64Array(size)
    this.user = new Float64Array(size)
    this.system = new Float64Array(size)
    this.words = new Int32Array(size * MESSAGE_WORDS)
    this.messages = Array.from({ length: size }, (_, i) =>
      this.words.subarray(i * MESSAGE_WORDS, (i + 1) * MESSAGE_WORDS),
    )
    this.containers = new Array<Container>(size).fill(nobody)
    this.generations = new Uint16Array(size)
    this.ring = new Int32Array(size)
    for (let slot = FIRST_GUEST; slot < size; slot++) this.ring[this.free++] = slot
  }

  /** Slot of a live process, or -1. Tasks have none. */
  slot(endpoint: number): number {
    const slot = slotOf(endpoint)
    if (slot < 0 || slot >= this.size || this.endpoints[slot] !== endpoint || endpoint === NONE) return -1
    return slot
  }
  domain(slot: number): number {
    return this.base[slot] / SLOTS
  }
  /** A fixed slot, generation 0. */
  take(slot: number): void {
    this.open(slot, 0, 0)
  }
  /** The slot free longest, in its next generation; -1 when the table is full. */
  allocate(domain: number): number {
    if (this.free === 0) return -1
    const slot = this.ring[this.first]
    this.first = (this.first + 1) % this.size
    this.free--
    this.generations[slot] = this.generations[slot] === LAST_GENERATION ? 1 : this.generations[slot] + 1
    this.open(slot, this.generations[slot], domain)
    return slot
  }
  /** Ends an incarnation. The slot is in limbo until recycle(). */
  release(slot: number): void {
    this.endpoints[slot] = NONE
    this.flags[slot] = FREE
    this.containers[slot] = this.nobody
    this.ring[(this.first + this.free + this.limbo++) % this.size] = slot
  }
  /** Slots in limbo may be used again. */
  recycle(): void {
    this.free += this.limbo
    this.limbo = 0
  }

  enqueue(slot: number, on: number): void {
    this.callerLink[slot] = -1
    if (this.callerHead[on] < 0) this.callerHead[on] = slot
    else this.callerLink[this.callerTail[on]] = slot
    this.callerTail[on] = slot
  }
  /** Takes `slot` out of the queue on `on`, where it must stand. */
  dequeue(slot: number, on: number): void {
    let before = -1
    for (let at = this.callerHead[on]; at !== slot; at = this.callerLink[at]) before = at
    if (before < 0) this.callerHead[on] = this.callerLink[slot]
    else this.callerLink[before] = this.callerLink[slot]
    if (this.callerTail[on] === slot) this.callerTail[on] = before
  }
  /** First in the queue on `slot` that `from` (an endpoint or ANY) admits, or -1. */
  caller(slot: number, from: number): number {
    let at = this.callerHead[slot]
    if (from !== ANY) while (at >= 0 && this.endpoints[at] !== from) at = this.callerLink[at]
    return at
  }

  private open(slot: number, generation: number, domain: number): void {
    this.endpoints[slot] = makeEndpoint(generation, slot)
    this.flags[slot] = 0
    this.getFrom[slot] = NONE
    this.sendTo[slot] = NONE
    this.priv[slot] = 0
    this.base[slot] = domain * SLOTS
    this.callerHead[slot] = -1
    this.callerTail[slot] = -1
    this.notifyPending[2 * slot] = 0
    this.notifyPending[2 * slot + 1] = 0
    this.sigLow[slot] = 0
    this.sigHigh[slot] = 0
    this.sent[slot] = 0
    this.received[slot] = 0
    this.kernelCalls[slot] = 0
    this.user[slot] = 0
    this.system[slot] = 0
    this.messages[slot].fill(0)
    if (slot >= this.top) this.top = slot + 1
  }
}
