// A record of every IPC event, for golden traces and debugging: RECORD integers each, in a preallocated ring. Off by default; then it
// costs one branch.   [event, who, whom, message type, result]; who and whom are endpoints.
export const EVENT = {
  CALL: 1, // who's request reaches the handler of whom
  RETURN: 2, // …which answered result, or SUSPEND
  REPLY: 3, // who answers the suspended call of whom
  DELIVER: 4, // a message of who reaches whom otherwise
  BLOCK: 5, // who waits: type is the trap number, whom its partner
  NOTIFY: 6, // who notifies whom: result 1 delivered, 0 bit set, 2 bit was set already
  QUEUE: 7, // an asynchronous message of who waits for whom
  DROP: 8, // …and is dropped: one of them is gone, or the call to cancel is over
  COMPLETE: 9, // the blocked operation of who is over: result
  REFUSE: 10, // a trap of who (type its number) is refused: result
  KERNEL_CALL: 11, // who makes kernel call type about whom; result 0 granted
  BORN: 12, // who made whom
  GONE: 13, // who is no more
} as const
export const RECORD = 5

export class Trace {
  on = false
  private ring = new Int32Array(0)
  private at = 0
  private total = 0

  /** Records from now on, the last `records` of them. */
  start(records = 4096): void {
    this.ring = new Int32Array(records * RECORD)
    this.at = 0
    this.total = 0
    this.on = true
  }
  stop(): void {
    this.on = false
  }
  put(event: number, who: number, whom: number, type: number, result: number): void {
    const { ring, at } = this
    ring[at] = event
    ring[at + 1] = who
    ring[at + 2] = whom
    ring[at + 3] = type
    ring[at + 4] = result
    this.at = at + RECORD === ring.length ? 0 : at + RECORD
    this.total++
  }
  /** What is there, oldest first. */
  records(): Int32Array {
    if (this.total * RECORD <= this.ring.length) return this.ring.slice(0, this.at)
    const out = new Int32Array(this.ring.length)
    out.set(this.ring.subarray(this.at))
    out.set(this.ring.subarray(0, this.at), this.ring.length - this.at)
    return out
  }
}
