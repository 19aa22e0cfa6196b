// The ids of one kind of System V object, as Linux gives them (ipc/util.c ipc_idr_alloc): an index, reused in a cycle, and above it a
// sequence number that grows each time the cycle begins anew, so that an old id names nothing. And the keys objects are found by.
import { E } from '../../abi/errno.ts'
import type { Perm } from './perm.ts'

const INDEX_BITS = 15
const INDEX_MASK = (1 << INDEX_BITS) - 1
const SEQUENCES = 1 << (31 - INDEX_BITS)
const CYCLE_MIN = 256
export const IPC_PRIVATE = 0

export class Ids<T extends Perm> {
  private readonly byIndex = new Map<number, T>()
  private readonly byKey = new Map<number, T>()
  private last = -1
  private sequence = 0

  get size(): number {
    return this.byIndex.size
  }
  /** Highest index in use, 0 when there is none. */
  get top(): number {
    return Math.max(0, ...this.byIndex.keys())
  }
  /** In order of index. */
  list(): T[] {
    return Array.from(this.byIndex.keys())
      .sort((a, b) => a - b)
      .map(index => this.byIndex.get(index) as T)
  }
  find(id: number): T | undefined {
    const one = this.at(id & INDEX_MASK)
    return one?.id === id ? one : undefined
  }
  /** The first `which` holds for. */
  some(which: (one: T) => boolean): T | undefined {
    for (const one of this.byIndex.values()) if (which(one)) return one
    return undefined
  }
  at(index: number): T | undefined {
    return this.byIndex.get(index)
  }
  withKey(key: number): T | undefined {
    return key === IPC_PRIVATE ? undefined : this.byKey.get(key)
  }
  /** Gives `one` its id: 0, or -ENOSPC when there are `most` already. */
  add(one: T, most: number): number {
    if (this.byIndex.size >= most) return -E.NOSPC
    const span = Math.min(INDEX_MASK + 1, Math.max(CYCLE_MIN, Math.ceil(this.byIndex.size * 1.5)))
    let index = (this.last + 1) % span
    while (this.byIndex.has(index)) index = (index + 1) % span
    if (index <= this.last) this.sequence = (this.sequence + 1) % SEQUENCES
    this.last = index
    one.sequence = this.sequence
    one.id = (this.sequence << INDEX_BITS) | index
    this.byIndex.set(index, one)
    if (one.key !== IPC_PRIVATE) this.byKey.set(one.key, one)
    return 0
  }
  /** Nobody finds it by its key any more. */
  hide(one: T): void {
    if (one.key !== IPC_PRIVATE) this.byKey.delete(one.key)
    one.key = IPC_PRIVATE
  }
  remove(one: T): void {
    this.hide(one)
    this.byIndex.delete(one.id & INDEX_MASK)
  }

  exportState(): { last: number; sequence: number; list: T[] } {
    return { last: this.last, sequence: this.sequence, list: this.list() }
  }
  importState(from: { last: number; sequence: number; list: T[] }): void {
    this.last = from.last
    this.sequence = from.sequence
    this.byIndex.clear()
    this.byKey.clear()
    for (const one of from.list) {
      this.byIndex.set(one.id & INDEX_MASK, one)
      if (one.key !== IPC_PRIVATE) this.byKey.set(one.key, one)
    }
  }
}
