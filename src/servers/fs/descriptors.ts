// Host descriptors kept open because they may be wanted again: directories walked, lower files, data files of the store.
// Least recently used first out, so thousands of open guest files need no thousands of host descriptors: whoever holds one here
// can open it again. Invariant: a Held is in the list exactly when its fd ≥ 0 and it isn't fixed.
import { E } from '../../abi/errno.ts'
import type { HostFiles } from './hostfiles.ts'

export interface Held {
  fd: number
  older: Held | null
  newer: Held | null
  /** Can't be opened again (its file has no name any more): not in the list, closed by drop() alone. */
  fixed: boolean
}

export function held(): Held {
  return { fd: -1, older: null, newer: null, fixed: false }
}

/** The descriptor if there is one: not a use. */
export function peek(holder: Held | null): number {
  return holder === null ? -1 : holder.fd
}

export class Descriptors {
  private readonly host: HostFiles
  private readonly limit: number
  private oldest: Held | null = null
  private newest: Held | null = null
  open = 0

  /** A descriptor just handed out (to be mapped, say) survives `limit` - 1 further ones; limit is at least 16. */
  constructor(host: HostFiles, limit = 768) {
    this.host = host
    this.limit = Math.max(16, limit)
  }

  /** Open by the host; when it has no descriptors left, half of those kept here make room. */
  openAt(dirfd: number, name: string, flags: number, mode: number): number {
    const fd = this.host.open(dirfd, name, flags, mode)
    if (fd !== -E.MFILE && fd !== -E.NFILE) return fd
    for (let spare = this.open >> 1; spare > 0 && this.oldest !== null && this.oldest.fd !== dirfd; spare--)
      this.drop(this.oldest)
    return this.host.open(dirfd, name, flags, mode)
  }
  /** Take over a fresh descriptor. */
  keep(holder: Held, fd: number): number {
    if (this.open >= this.limit && this.oldest !== null) this.drop(this.oldest)
    holder.fd = fd
    this.append(holder)
    this.open++
    return fd
  }
  /** The holder's descriptor, now the most recently used, or -1. */
  use(holder: Held): number {
    if (holder.fd >= 0 && holder !== this.newest && !holder.fixed) {
      this.unlink(holder)
      this.append(holder)
    }
    return holder.fd
  }
  /** From now on until drop() its descriptor stays. */
  fix(holder: Held | null): void {
    if (holder === null || holder.fd < 0 || holder.fixed) return
    this.unlink(holder)
    this.open--
    holder.fixed = true
  }
  drop(holder: Held | null): void {
    if (holder === null || holder.fd < 0) return
    if (holder.fixed) holder.fixed = false
    else {
      this.unlink(holder)
      this.open--
    }
    this.host.close(holder.fd)
    holder.fd = -1
  }
  dropAll(): void {
    while (this.oldest !== null) this.drop(this.oldest)
  }

  private append(holder: Held): void {
    holder.older = this.newest
    holder.newer = null
    if (this.newest !== null) this.newest.newer = holder
    else this.oldest = holder
    this.newest = holder
  }
  private unlink(holder: Held): void {
    if (holder.older !== null) holder.older.newer = holder.newer
    else this.oldest = holder.newer
    if (holder.newer !== null) holder.newer.older = holder.older
    else this.newest = holder.older
    holder.older = null
    holder.newer = null
  }
}
