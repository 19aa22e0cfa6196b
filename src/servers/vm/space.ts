// An address space: its regions, sorted and disjoint, and their totals. Here is the bookkeeping alone (split, merge, add, remove);
// the rules of each call are in the handlers' files, and whoever changes a space has checked everything before.
//
// Invariants: regions[i].end <= regions[i + 1].start; neighbours that could be one region are one; `total`, `data`, `locked` and the
// pool's charge always equal what the regions sum up to.
import type { Pool } from './pool.ts'
import { accountable, isData, mergeable, R, type Region, refer } from './region.ts'

const NO_IMAGE = new Uint8Array(0)

export class Space {
  /** Processes (threads, vfork children) using it. */
  refs = 1
  readonly regions: Region[] = []
  /** Mappings are placed below this, top-down. */
  base = 0
  stackTop = 0
  startBrk = 0
  brk = 0
  total = 0
  /** Private memory that is, or was, writable: what the host process may have mapped; and how much of it is charged. */
  writable = 0
  charged = 0
  /** What the host was told of these two (vm.ts). */
  toldWritable = -1
  toldCharged = -1
  /** What its process was found to have beyond that (excess.ts), and whether it was killed for it. */
  excess = 0
  doomed = false
  /** The most `total` ever was. */
  peak = 0
  data = 0
  locked = 0
  /** mlockall(MCL_FUTURE): flags that new regions get, R.LOCKED and R.ONFAULT. */
  lockFuture = 0
  /** membarrier's registrations: its REGISTER_ commands. */
  barriers = 0
  /** EXECIMAGE's record, never changed. */
  image: Uint8Array = NO_IMAGE
  constructor(readonly pool: Pool) {}

  /** Index of the first region that ends above `address`; regions.length if none. */
  index(address: number): number {
    let low = 0
    let high = this.regions.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.regions[middle] as Region).end > address) high = middle
      else low = middle + 1
    }
    return low
  }
  /** The region `address` lies in. */
  at(address: number): Region | null {
    const r = this.regions[this.index(address)]
    return r !== undefined && r.start <= address ? r : null
  }
  /** Does any region lie in [start, end)? */
  overlaps(start: number, end: number): boolean {
    const r = this.regions[this.index(start)]
    return r !== undefined && r.start < end
  }
  /** Is every page of [start, end) mapped? */
  covers(start: number, end: number): boolean {
    return this.coveredTo(start, end) >= end
  }
  /** The first address from `start` on that isn't mapped, at most `end`. */
  coveredTo(start: number, end: number): number {
    let at = start
    for (let i = this.index(start); at < end; i++) {
      const r = this.regions[i]
      if (r === undefined || r.start > at) return at
      at = r.end
    }
    return end
  }
  /** Bytes mapped in [start, end). */
  mapped(start: number, end: number): number {
    let bytes = 0
    for (let i = this.index(start); i < this.regions.length; i++) {
      const r = this.regions[i] as Region
      if (r.start >= end) break
      bytes += Math.min(r.end, end) - Math.max(r.start, start)
    }
    return bytes
  }

  /** Totals for `bytes` of a region, added (+1) or taken away (-1). The pool's charge is the caller's on adding, ours on removing. */
  private tally(r: Region, bytes: number, sign: number): void {
    this.total += sign * bytes
    if (this.total > this.peak) this.peak = this.total
    if (isData(r.prot, r.flags)) this.data += sign * bytes
    if (r.flags & R.LOCKED) this.locked += sign * bytes
    if (r.flags & R.ACCOUNT) this.charged += sign * bytes
    if (accountable(r.prot, r.flags) || r.flags & R.ACCOUNT) this.writable += sign * bytes
  }
  private drop(r: Region): void {
    const b = r.backing
    if (b === null) return
    refer(b, -1)
    if (b.refs === 0 && b.charge > 0 && b.counted === null) this.pool.uncharge(b.charge)
  }

  /** Add a region where none is; already charged. */
  add(r: Region): void {
    this.tally(r, r.end - r.start, 1)
    if (r.backing !== null) refer(r.backing, 1)
    const i = this.index(r.start)
    this.regions.splice(i, 0, r)
    this.join(i, i)
  }
  /** Remove whatever lies in [start, end). */
  remove(start: number, end: number): void {
    const first = this.isolate(start, end)
    let last = first
    while (last < this.regions.length && (this.regions[last] as Region).start < end) {
      const r = this.regions[last] as Region
      this.tally(r, r.end - r.start, -1)
      if (r.flags & R.ACCOUNT) this.pool.uncharge(r.end - r.start)
      this.drop(r)
      last++
    }
    if (last > first) this.regions.splice(first, last - first)
  }
  /** Everything away. */
  clear(): void {
    this.remove(0, Number.MAX_SAFE_INTEGER)
    this.pool.find(-this.excess)
    this.excess = 0
    this.doomed = false
    this.base = this.stackTop = this.startBrk = this.brk = 0
    this.lockFuture = 0
    this.barriers = 0
  }

  /** Split regions so that `start` and `end` are borders; index of the first region at or above start. */
  isolate(start: number, end: number): number {
    this.split(start)
    this.split(end)
    return this.index(start)
  }
  private split(address: number): void {
    const i = this.index(address)
    const r = this.regions[i]
    if (r === undefined || r.start >= address) return
    if (r.backing !== null) refer(r.backing, 1)
    const upper = { ...r, start: address, offset: r.offset + (address - r.start) }
    r.end = address
    this.regions.splice(i + 1, 0, upper)
  }
  /** Set protection and flags of everything in [start, end) (all of it mapped or not): newly `set` and no longer `clear` flags; prot -1 = as it is. */
  change(start: number, end: number, prot: number, set: number, clear: number): void {
    const first = this.isolate(start, end)
    let i = first
    for (; i < this.regions.length; i++) {
      const r = this.regions[i] as Region
      if (r.start >= end) break
      this.tally(r, r.end - r.start, -1)
      if (prot >= 0) r.prot = prot
      r.flags = (r.flags & ~clear) | set
      this.tally(r, r.end - r.start, 1)
    }
    this.join(first, i)
  }
  /** Merge neighbours among regions[from - 1 … to]. */
  join(from: number, to: number): void {
    for (let i = Math.min(to, this.regions.length - 2); i >= Math.max(0, from - 1); i--) {
      const a = this.regions[i] as Region
      const b = this.regions[i + 1] as Region
      if (!mergeable(a, b)) continue
      a.end = b.end
      if (b.backing !== null) refer(b.backing, -1)
      this.regions.splice(i + 1, 1)
    }
  }
}
