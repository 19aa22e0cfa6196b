// What a socket has received: a ring of bytes, and a record for each message (or piece of a stream) in it, with who is charged for it, whom
// it is from, and what travels with it. Nothing is allocated per message: rings grow by doubling and go back to a common store when empty.
// Invariant: the records' lengths add up to `used`.
import type { Address } from './address.ts'
import type { NetState, Sock } from './state.ts'

export type Ring = Uint8Array
/** Words of a record. */
export const REC = { LEN: 0, CHARGE: 1, FLIGHT: 2, PID: 3, UID: 4, GID: 5, FLAGS: 6, WORDS: 8 } as const
const RECORDS = 4
const SMALLEST = 512
/** Rings no larger than this stay with their queue. */
const KEPT = 4096
const SPARE = 8
const LARGEST_KEPT = 1 << 20
/** Fewer bytes go one by one: a view to copy by costs more, and is garbage. */
const FEW = 128

export interface Queue {
  ring: Ring | null
  head: number
  used: number
  /** What its records cost together. */
  charge: number
  words: Int32Array
  first: number
  count: number
  /** By record: the sender, charged until the record is gone, and the address it is from. */
  owners: (Sock | null)[]
  from: (Address | null)[]
}

export function newQueue(): Queue {
  return { ring: null, head: 0, used: 0, charge: 0, words: NO_WORDS, first: 0, count: 0, owners: [], from: [] }
}
const NO_WORDS = new Int32Array(0)

/** Index of record k from the front, for `word`, `owners` and `from`. */
export function recordAt(q: Queue, k: number): number {
  const capacity = q.owners.length
  const i = q.first + k
  return i < capacity ? i : i - capacity
}
/** Word of record i (from recordAt). */
export function word(q: Queue, i: number, field: number): number {
  return q.words[i * REC.WORDS + field] as number
}
export function setWord(q: Queue, i: number, field: number, value: number): void {
  q.words[i * REC.WORDS + field] = value
}

/** A new last record of `len` bytes from `mem` → its index; the caller sets its other words, which are 0. */
export function push(
  net: NetState,
  q: Queue,
  mem: Uint8Array,
  at: number,
  len: number,
  charge: number,
  owner: Sock | null,
  from: Address | null,
): number {
  if (q.count === q.owners.length) moreRecords(q)
  const i = recordAt(q, q.count++)
  q.words.fill(0, i * REC.WORDS, (i + 1) * REC.WORDS)
  setWord(q, i, REC.CHARGE, charge)
  q.charge += charge
  q.owners[i] = owner
  q.from[i] = from
  extend(net, q, i, mem, at, len)
  return i
}
/** More bytes for the last record, whose index is i. */
export function extend(net: NetState, q: Queue, i: number, mem: Uint8Array, at: number, len: number): void {
  const size = q.ring === null ? 0 : q.ring.length
  if (q.used + len > size) grow(net, q, q.used + len)
  setWord(q, i, REC.LEN, word(q, i, REC.LEN) + len)
  if (len === 0) return
  const ring = q.ring as Ring
  const tail = (q.head + q.used) & (ring.length - 1)
  const run = Math.min(len, ring.length - tail)
  copy(ring, tail, mem, at, run)
  if (run < len) copy(ring, 0, mem, at + run, len - run)
  q.used += len
}
function copy(to: Uint8Array, toAt: number, from: Uint8Array, fromAt: number, bytes: number): void {
  if (bytes > FEW) to.set(from.subarray(fromAt, fromAt + bytes), toAt)
  else for (let i = 0; i < bytes; i++) to[toAt + i] = from[fromAt + i] as number
}

/** `bytes` bytes, from `skip` on, to `mem`. They stay. */
export function peek(q: Queue, skip: number, mem: Uint8Array, at: number, bytes: number): void {
  if (bytes === 0) return
  const ring = q.ring as Ring
  const from = (q.head + skip) & (ring.length - 1)
  const run = Math.min(bytes, ring.length - from)
  copy(mem, at, ring, from, run)
  if (run < bytes) copy(mem, at + run, ring, 0, bytes - run)
}
/** Drop the first `bytes` bytes of the first record, which stays. */
export function take(q: Queue, bytes: number): void {
  setWord(q, q.first, REC.LEN, word(q, q.first, REC.LEN) - bytes)
  if (bytes === 0) return
  q.used -= bytes
  q.head = q.used === 0 ? 0 : (q.head + bytes) & ((q.ring as Ring).length - 1)
}
/** Drop the first record with what is left of it. */
export function pop(net: NetState, q: Queue): void {
  take(q, word(q, q.first, REC.LEN))
  q.charge -= word(q, q.first, REC.CHARGE)
  q.owners[q.first] = null
  q.from[q.first] = null
  q.first = recordAt(q, 1)
  if (--q.count > 0) return
  q.first = 0
  if (q.ring !== null && q.ring.length > KEPT) giveBack(net, q.ring, q)
}

function moreRecords(q: Queue): void {
  const capacity = q.owners.length
  const size = Math.max(RECORDS, 2 * capacity)
  const words = new Int32Array(size * REC.WORDS)
  const owners = new Array<Sock | null>(size).fill(null)
  const from = new Array<Address | null>(size).fill(null)
  for (let k = 0; k < q.count; k++) {
    const i = recordAt(q, k)
    words.set(q.words.subarray(i * REC.WORDS, (i + 1) * REC.WORDS), k * REC.WORDS)
    owners[k] = q.owners[i] as Sock | null
    from[k] = q.from[i] as Address | null
  }
  q.words = words
  q.owners = owners
  q.from = from
  q.first = 0
}
function classOf(size: number): number {
  return 31 - Math.clz32(size)
}
function grow(net: NetState, q: Queue, bytes: number): void {
  let size = SMALLEST
  while (size < bytes) size *= 2
  const ring = net.spare[classOf(size)]?.pop() ?? new Uint8Array(size)
  if (q.used > 0) peek(q, 0, ring, 0, q.used)
  const old = q.ring
  q.ring = ring
  q.head = 0
  if (old !== null && old.length > KEPT) giveBack(net, old, null)
}
function giveBack(net: NetState, ring: Ring, q: Queue | null): void {
  const k = classOf(ring.length)
  while (net.spare.length <= k) net.spare.push([])
  const spare = net.spare[k] as Ring[]
  if (spare.length < SPARE && ring.length <= LARGEST_KEPT) spare.push(ring)
  if (q !== null) q.ring = null
}
