// A server's timers over its one alarm (sys.setalarm). A timer is a row: a small non-negative key the server chooses (say, 4 * process +
// kind) and when it is due, in virtual monotonic milliseconds. No closures: expire() hands back keys. A binary heap ordered by
// (due, order of setting), so equal times fire in the order they were set. Invariant: the alarm is set for the first row or earlier.
//
//   notified(from) { if (from === EP.CLOCK) for (let key = timers.expire(); key >= 0; key = timers.expire()) fire(key) }
import type { Sys } from './server.ts'

export class Timers {
  private readonly sys: Pick<Sys, 'setalarm' | 'monotonic'>
  private due: Float64Array // by key
  private order: Float64Array // by key: serial number of its set()
  private place: Int32Array // by key: index in heap, -1 = not set
  private heap: Int32Array // keys
  private count = 0
  private serial = 0
  private armed = Number.POSITIVE_INFINITY

  /** `keys`: how many keys are expected; grows by doubling. */
  constructor(sys: Pick<Sys, 'setalarm' | 'monotonic'>, keys = 64) {
    this.sys = sys
    this.due = new Float64Array(keys)
    this.order = new Float64Array(keys)
    this.place = new Int32Array(keys).fill(-1)
    this.heap = new Int32Array(keys)
  }

  /** How many are set. */
  get size(): number {
    return this.count
  }

  /** (Re)set timer `key` for time `at`. A time in the past fires at the next chance. */
  set(key: number, at: number): void {
    if (key >= this.due.length) this.grow(key + 1)
    this.clear(key)
    this.due[key] = at
    this.order[key] = this.serial++
    this.put(this.count++, key)
    this.up(this.count - 1)
    this.arm()
  }
  /** Set timer `key` for `ms` from now. */
  after(key: number, ms: number): void {
    this.set(key, this.sys.monotonic() + ms)
  }
  clear(key: number): void {
    const at = key < this.place.length ? this.place[key] : -1
    if (at < 0) return
    this.place[key] = -1
    const last = this.heap[--this.count]
    if (at === this.count) return
    this.put(at, last)
    this.up(at)
    this.down(this.place[last])
  }
  /** When `key` is due, or Infinity. */
  at(key: number): number {
    return key < this.place.length && this.place[key] >= 0 ? this.due[key] : Number.POSITIVE_INFINITY
  }
  /** Milliseconds until `key` is due (0 or more), or Infinity. */
  left(key: number): number {
    return Math.max(0, this.at(key) - this.sys.monotonic())
  }
  /** Next key that is due, its timer cleared; -1 when none is: then the alarm stands for the next. */
  expire(): number {
    if (this.count > 0 && this.due[this.heap[0]] <= this.sys.monotonic()) {
      const key = this.heap[0]
      this.clear(key)
      return key
    }
    this.armed = Number.POSITIVE_INFINITY
    this.arm()
    return -1
  }
  /** Rows [key, due] in firing order, and back (a checkpoint of the server). */
  exportState(): [key: number, due: number][] {
    const keys = Array.from(this.heap.subarray(0, this.count))
    keys.sort((a, b) => this.due[a] - this.due[b] || this.order[a] - this.order[b])
    return keys.map(key => [key, this.due[key]])
  }
  importState(rows: readonly (readonly [key: number, due: number])[]): void {
    this.place.fill(-1)
    this.count = 0
    for (const [key, due] of rows) this.set(key, due)
  }

  private arm(): void {
    if (this.count === 0) return
    const first = this.due[this.heap[0]]
    if (first >= this.armed) return
    this.armed = first
    this.sys.setalarm(Math.max(0, first - this.sys.monotonic()))
  }
  private before(a: number, b: number): boolean {
    return this.due[a] < this.due[b] || (this.due[a] === this.due[b] && this.order[a] < this.order[b])
  }
  private put(at: number, key: number): void {
    this.heap[at] = key
    this.place[key] = at
  }
  private up(start: number): void {
    let at = start
    const key = this.heap[at]
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.before(key, this.heap[parent])) break
      this.put(at, this.heap[parent])
      at = parent
    }
    this.put(at, key)
  }
  private down(start: number): void {
    let at = start
    const key = this.heap[at]
    for (let child = 2 * at + 1; child < this.count; child = 2 * at + 1) {
      if (child + 1 < this.count && this.before(this.heap[child + 1], this.heap[child])) child++
      if (!this.before(this.heap[child], key)) break
      this.put(at, this.heap[child])
      at = child
    }
    this.put(at, key)
  }
  private grow(keys: number): void {
    const size = Math.max(keys, 2 * this.due.length)
    const place = new Int32Array(size).fill(-1)
    place.set(this.place)
    this.place = place
    const due = new Float64Array(size)
    due.set(this.due)
    this.due = due
    const order = new Float64Array(size)
    order.set(this.order)
    this.order = order
    const heap = new Int32Array(size)
    heap.set(this.heap)
    this.heap = heap
  }
}
