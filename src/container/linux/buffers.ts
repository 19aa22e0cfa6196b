// Steps for arguments whose size another argument gives: read and write buffers, iovecs, arrays, descriptor sets.
// Long transfers go in pieces of at most BULK_BYTES (t.outs.asked, t.outs.more; t.done says how far earlier pieces got).
import { BULK_BYTES } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { setGrant, setLong } from '../../abi/message.ts'
import { WHEN } from './args.ts'
import {
  area,
  fetch,
  grant,
  isGuest,
  isNull,
  low,
  out,
  prefetched,
  reserve,
  signed,
  type ThreadView,
  unsigned,
  WANT,
  want,
} from './operands.ts'
import { code, specs } from './program.ts'

/** read and write move this much at most (fs.h MAX_RW_COUNT). */
const MAX_RW_COUNT = 0x7ffff000
export const IOV_MAX = 1024
/** Pieces of an iovec in one message. */
const SEGMENTS = 40
const HIGH = 4294967296
/** select looks at this many descriptors at most (Linux clamps to the size of the table). */
export const NFDS_MAX = 65536

/** Bytes for this message out of `total`; -EINVAL when negative as ssize_t. */
export function share(t: ThreadView, total: number, most = BULK_BYTES): number {
  if (total < 0) return -E.INVAL
  t.outs.total = Math.min(total, MAX_RW_COUNT)
  const left = t.outs.total - t.done
  const n = Math.max(0, Math.min(left, most))
  t.outs.asked = n
  t.outs.more = left > n
  return n
}

/** A buffer that is no good: the server is told why in place of its length, for it looks at the descriptor first. */
function spoilt(t: ThreadView, cell: number, lengthCell: number, why: number): number {
  t.outs.count = 0
  t.outs.more = false
  setGrant(t.message, cell, 0, 0)
  setLong(t.message, lengthCell, why)
  return 0
}

/** One contiguous buffer of a chunked call. */
export function bulk(t: ThreadView, i: number, cell: number, count: number, lengthCell: number, isIn: boolean): number {
  let n = share(t, signed(t, count))
  const address = unsigned(t, i) + t.done
  if (n < 0 || (n > 0 && !isGuest(unsigned(t, i), signed(t, count)))) return spoilt(t, cell, lengthCell, -E.FAULT)
  if (n === 0) setGrant(t.message, cell, t.bump, 0)
  else if (isIn) {
    n = input(t, i, cell, address, n)
    if (n === -E.FAULT) return spoilt(t, cell, lengthCell, n)
    if (n <= 0) return n
  } else {
    const at = reserve(t, n)
    if (at < 0) return at
    grant(t, i, cell, at, n)
    const r = out(t, address, at, n, 1, 0, WHEN.SUCCESS)
    if (r < 0) return r
  }
  setLong(t.message, lengthCell, n)
  return 0
}
/** Input of n bytes, or as many as there are before the fault: how many, 0: to come. */
export function input(t: ThreadView, i: number, cell: number, address: number, n: number): number {
  let got = n
  let at = t.done === 0 ? prefetched(t, i, n) : 0
  if (at === 0) {
    at = want(t, WANT.PARTIAL, address, n, reserve(t, n))
    if (at <= 0) return at
    got = t.wants.got
    if (got === 0) return -E.FAULT
  }
  if (got < n) {
    t.outs.asked = got
    t.outs.more = false
  }
  grant(t, i, cell, at, got)
  return got
}

/** Bytes the iovec at `vector` holds before it ends or would overflow MAX_RW_COUNT; -EINVAL for a negative length, -EFAULT for one
 *  that passes any address space. */
export function totalOf(t: ThreadView, vector: number, n: number): number {
  let total = 0
  let fits = true
  for (let k = 0; k < n; k++) {
    if (t.view.getInt32(vector + 16 * k + 12, true) < 0) return -E.INVAL
    const length = getUlong(t, vector + 16 * k + 8)
    fits &&= isGuest(getUlong(t, vector + 16 * k), length)
    total = Math.min(total + length, MAX_RW_COUNT)
  }
  return fits ? total : -E.FAULT
}
export function getUlong(t: ThreadView, at: number): number {
  return t.view.getUint32(at + 4, true) * HIGH + t.view.getUint32(at, true)
}

function vectorAt(t: ThreadView, i: number, bytes: number): number {
  const there = prefetched(t, i, bytes)
  if (there > 0) return there
  const at = want(t, WANT.PARTIAL, unsigned(t, i), bytes, reserve(t, bytes))
  return at > 0 && t.wants.got < bytes ? -E.FAULT : at
}
/** readv and writev: the pieces gathered in, or scattered from, one area. */
export function iovec(
  t: ThreadView,
  i: number,
  cell: number,
  count: number,
  lengthCell: number,
  isIn: boolean,
): number {
  const n = unsigned(t, count)
  if (n > IOV_MAX) return spoilt(t, cell, lengthCell, -E.INVAL)
  const vector = n === 0 ? t.bump : vectorAt(t, i, n * 16)
  if (vector === -E.FAULT) return spoilt(t, cell, lengthCell, vector)
  if (vector <= 0) return vector
  area(t, i, vector, n * 16)
  const total = totalOf(t, vector, n)
  if (total < 0) return spoilt(t, cell, lengthCell, total)
  const bytes = share(t, total)
  const at = reserve(t, bytes)
  if (at < 0) return at
  const moved = pieces(t, vector, n, at, bytes, isIn)
  if (moved < 0) return spoilt(t, cell, lengthCell, moved)
  t.outs.asked = moved
  area(t, 6, at, moved)
  setGrant(t.message, cell, at, moved)
  setLong(t.message, lengthCell, moved)
  return 0
}

/** Fetch or register up to SEGMENTS pieces, skipping the t.done bytes earlier messages moved: bytes covered, or -errno. A fault behind
 *  the first byte ends the transfer there. */
export function pieces(t: ThreadView, vector: number, n: number, at: number, bytes: number, isIn: boolean): number {
  let skip = t.done
  let moved = 0
  for (let k = 0, used = 0; k < n && moved < bytes && used < SEGMENTS; k++) {
    const length = getUlong(t, vector + 16 * k + 8)
    if (length <= skip) {
      skip -= length
      continue
    }
    const take = Math.min(length - skip, bytes - moved)
    const address = getUlong(t, vector + 16 * k) + skip
    skip = 0
    used++
    const r = isIn
      ? want(t, WANT.PARTIAL, address, take, at + moved)
      : out(t, address, at + moved, take, 1, moved, WHEN.SUCCESS)
    const got = r < 0 ? 0 : isIn && r > 0 ? t.wants.got : take
    moved += got
    if (got < take) {
      t.outs.more = false
      return moved > 0 ? moved : -E.FAULT
    }
  }
  if (moved < bytes) t.outs.more = true
  return moved
}

/** Counted bytes or elements the call reads. Step words: counting argument, element size, length cell, errno when too long. */
export function bytesIn(t: ThreadView, i: number, cell: number, p: number): number {
  const n = counted(t, code[p + 3] as number)
  if (n * (code[p + 4] as number) > BULK_BYTES) return -(code[p + 6] as number)
  setCount(t, p, n)
  const bytes = n * (code[p + 4] as number)
  if (bytes <= 0) {
    setGrant(t.message, cell, isNull(t, i) ? 0 : t.bump, 0)
    return 0
  }
  const at = fetch(t, i, bytes)
  return at > 0 ? grant(t, i, cell, at, bytes) : at
}

/** Counted bytes or elements the call writes: as many as the result says. A longer buffer is used in part. */
export function bytesOut(t: ThreadView, i: number, cell: number, p: number): number {
  const scale = code[p + 4] as number
  const n = Math.min(counted(t, code[p + 3] as number), Math.floor(Math.min(BULK_BYTES, t.end - t.bump) / scale))
  setCount(t, p, n)
  if (n <= 0) {
    setGrant(t.message, cell, isNull(t, i) ? 0 : t.bump, 0)
    return 0
  }
  const at = reserve(t, n * scale)
  grant(t, i, cell, at, n * scale)
  return out(t, unsigned(t, i), at, n * scale, scale, 0, WHEN.SUCCESS)
}
function setCount(t: ThreadView, p: number, n: number): void {
  if ((code[p + 5] as number) >= 0) setLong(t.message, code[p + 5] as number, n)
}
/** A counting argument by its width in the prototype. */
function counted(t: ThreadView, i: number): number {
  const width = specs[t.nr]?.[i]?.width
  return width === 'int' ? low(t, i) : width === 'uint' ? low(t, i) >>> 0 : unsigned(t, i)
}

/** poll's array: read whole; only the revents go back, one by one when they are few. */
const POLLFD = 8
const REVENTS = 6
const SINGLY = 24
export function pollArray(t: ThreadView, i: number, cell: number, count: number): number {
  const n = low(t, count) >>> 0
  if (n * POLLFD > BULK_BYTES) return -E.INVAL
  if (n === 0) {
    setGrant(t.message, cell, t.bump, 0)
    return 0
  }
  const at = fetch(t, i, n * POLLFD)
  if (at <= 0) return at
  grant(t, i, cell, at, n * POLLFD)
  const address = unsigned(t, i)
  if (n > SINGLY) return out(t, address, at, n * POLLFD, 0, 0, WHEN.SUCCESS)
  for (let k = 0; k < n; k++) {
    const r = out(t, address + k * POLLFD + REVENTS, at + k * POLLFD + REVENTS, 2, 0, 0, WHEN.SUCCESS)
    if (r < 0) return r
  }
  return 0
}

/** select's sets: whole 64-bit words. */
export function fdSet(t: ThreadView, i: number, cell: number, count: number): number {
  const n = Math.min(low(t, count), NFDS_MAX)
  if (isNull(t, i) || n < 0) return grant(t, i, cell, 0, 0)
  const bytes = ((n + 63) >> 6) << 3
  if (bytes === 0) return grant(t, i, cell, t.bump, 0)
  const at = fetch(t, i, bytes)
  if (at <= 0) return at
  grant(t, i, cell, at, bytes)
  return out(t, unsigned(t, i), at, bytes, 0, 0, WHEN.SUCCESS)
}

/** mincore: a byte per page. */
export function mincore(t: ThreadView, i: number, cell: number, length: number): number {
  const bytes = Math.ceil(unsigned(t, length) / 4096)
  if (bytes > BULK_BYTES) return -E.NOMEM
  if (bytes === 0) return grant(t, i, cell, t.bump, 0)
  const at = reserve(t, bytes)
  if (at < 0) return at
  t.mem.fill(0, at, at + bytes)
  grant(t, i, cell, at, bytes)
  return out(t, unsigned(t, i), at, bytes, 0, 0, WHEN.SUCCESS)
}
