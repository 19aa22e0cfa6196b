// What a decoding step works with: the call's arguments (read once), the free part of the thread's data window, the list of inputs to
// fetch, the list of outputs to copy back. decode.ts runs the steps; buffers.ts, convert.ts and checks.ts are steps.
//
// Nothing here trusts guest-writable memory: offsets are checked against the window, counts against limits, on every pass. A guest
// that changes its arguments between passes gets garbage or EFAULT. Nothing is allocated and no closure made.
import { CH, DATA_BYTES, DATA_OFF, GUEST_END } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { setGrant } from '../../abi/message.ts'
import type { GuestThread } from './thread.ts'

/** What decode looks at of a thread. */
export interface ThreadView extends GuestThread {
  /** Bytes of this call moved by earlier messages (chunked calls). */
  done: number
}

/** Outputs of the call in hand: arena ranges to copy to the guest when it ends. */
export interface OutList {
  count: number
  readonly address: Float64Array
  readonly offset: Int32Array
  readonly length: Int32Array // bytes at most
  readonly scale: Int32Array // 0: all of them; DYNAMIC: as many as the u32 at `before` says; else this many per unit of the result …
  readonly before: Int32Array // … less what lies in earlier pieces
  readonly when: Int32Array // WHEN.*
  /** Chunked calls: bytes this message asks for, and whether more are to follow when it gets them all. */
  asked: number
  more: boolean
  /** copyOuts: the first operation it pushed and how many; offset and length then say what each of them copies. */
  first: number
  pushed: number
  /** … and for the whole call. */
  total: number
  /** Calls about several messages (sendmmsg, recvmmsg): how many, -1 for all others; how many are done; and where the count of the one in
   *  hand goes (arena offset). */
  messages: number
  index: number
  lengthAt: number
  /** When no further message is waited for (performance.now()). */
  until: number
}

/** The call's arguments and inputs. */
export interface WantList {
  /** What is to be fetched now: guest range → window. After fetching, `length` holds what came (strings: without NUL). */
  count: number
  readonly address: Float64Array
  readonly offset: Int32Array
  readonly length: Int32Array
  readonly kind: Int32Array // WANT.*
  /** The six arguments, low and high words, read once. */
  readonly args: Int32Array
  /** Where each argument's bytes lie and how many: 6 pairs, one for data gathered through an iovec, and those of a message header. */
  readonly areas: Int32Array
  /** Arguments with a valid prefetched copy may be in CH.IN: bit mask. */
  prefetched: number
  /** Start of the free window on every pass. */
  from: number
  /** What earlier passes fetched. */
  past: number
  readonly pastOffset: Int32Array
  readonly pastAsked: Int32Array
  readonly pastGot: Int32Array
  next: number
  got: number
  /** Bytes asked for by the entries of this pass. */
  readonly asked: Int32Array
}

export const WANT = { BYTES: 0, STRING: 1, PARTIAL: 2 /* short is fine: OPFLAG.FAILOK */ } as const
/** OutList.scale: the server says how many bytes. */
export const DYNAMIC = -1
/** Pairs in WantList.areas. */
export const AREAS = 11
/** Entries of a list. Pieces of an iovec per message are fewer (buffers.ts SEGMENTS), so that both lists fit one op list. */
const LIST = 52
const HIGH = 4294967296

export function newOutList(): OutList {
  const words = (): Int32Array => new Int32Array(LIST)
  return {
    count: 0,
    address: new Float64Array(LIST),
    offset: words(),
    length: words(),
    scale: words(),
    before: words(),
    when: words(),
    asked: 0,
    more: false,
    first: 0,
    pushed: 0,
    total: 0,
    messages: -1,
    index: 0,
    lengthAt: 0,
    until: Number.POSITIVE_INFINITY,
  }
}
export function newWantList(): WantList {
  const words = (): Int32Array => new Int32Array(LIST)
  return {
    count: 0,
    address: new Float64Array(LIST),
    offset: words(),
    length: words(),
    kind: words(),
    args: new Int32Array(12),
    areas: new Int32Array(2 * AREAS),
    prefetched: 0,
    from: 0,
    past: 0,
    pastOffset: words(),
    pastAsked: words(),
    pastGot: words(),
    next: 0,
    got: 0,
    asked: words(),
  }
}

/** Argument i as a signed / unsigned 64-bit number (doubles), and its low word. */
export function signed(t: ThreadView, i: number): number {
  return (t.wants.args[2 * i + 1] as number) * HIGH + ((t.wants.args[2 * i] as number) >>> 0)
}
export function unsigned(t: ThreadView, i: number): number {
  return ((t.wants.args[2 * i + 1] as number) >>> 0) * HIGH + ((t.wants.args[2 * i] as number) >>> 0)
}
export function low(t: ThreadView, i: number): number {
  return t.wants.args[2 * i] as number
}
export function isNull(t: ThreadView, i: number): boolean {
  return ((t.wants.args[2 * i] as number) | (t.wants.args[2 * i + 1] as number)) === 0
}

/** Room in the window: arena offset, 8-aligned, or -ENOMEM. */
export function reserve(t: ThreadView, bytes: number): number {
  const at = t.bump
  if (bytes > t.end - at) return -E.NOMEM
  t.bump = at + ((bytes + 7) & ~7)
  return at
}
/** Remember where an argument's bytes lie (strace.ts). */
export function area(t: ThreadView, i: number, at: number, bytes: number): void {
  t.wants.areas[2 * i] = at
  t.wants.areas[2 * i + 1] = bytes
}
/** A grant of `bytes` bytes at `at`, remembered as argument i's. */
export function grant(t: ThreadView, i: number, cell: number, at: number, bytes: number): number {
  area(t, i, at, bytes)
  if (cell >= 0) setGrant(t.message, cell, at, bytes)
  return 0
}

/** Is the guest range below GUEST_END? */
export function isGuest(address: number, bytes: number): boolean {
  return address + bytes <= GUEST_END
}

/** Bytes at a guest address in the window: their arena offset; 0: still to come; -errno. t.wants.got says how many came. */
export function want(t: ThreadView, kind: number, address: number, bytes: number, at: number): number {
  const w = t.wants
  if (!isGuest(address, kind === WANT.STRING ? 1 : bytes)) return -E.FAULT
  if (at < 0) return at
  const k = w.next++
  if (k < w.past) {
    if (w.pastOffset[k] !== at || w.pastAsked[k] !== bytes) return -E.FAULT // the guest changed its memory under us
    w.got = w.pastGot[k] as number
    return kind === WANT.BYTES && w.got < bytes ? -E.FAULT : at
  }
  if (w.count === LIST) return -E.NOMEM
  w.address[w.count] = address
  w.offset[w.count] = at
  w.length[w.count] = bytes
  w.asked[w.count] = bytes
  w.kind[w.count] = kind
  w.count++
  return 0
}
export function inWindow(offset: number, bytes: number): boolean {
  return offset >= DATA_OFF && offset <= DATA_OFF + DATA_BYTES && bytes >= 0 && bytes <= DATA_OFF + DATA_BYTES - offset
}
/** The stub's copy of argument i when it has at least `bytes` bytes: arena offset, or 0. */
export function prefetched(t: ThreadView, i: number, bytes: number): number {
  if ((t.wants.prefetched & (1 << i)) === 0) return 0
  const at = (t.base + CH.IN + 8 * i) >> 2
  const offset = t.u32[at] as number
  return (t.i32[at + 1] as number) >= bytes && inWindow(offset, bytes) ? t.base + offset : 0
}
/** `bytes` bytes argument i points to: arena offset, 0 (to come), -errno. */
export function fetch(t: ThreadView, i: number, bytes: number): number {
  const at = prefetched(t, i, bytes)
  return at > 0 ? at : want(t, WANT.BYTES, unsigned(t, i), bytes, reserve(t, bytes))
}
/** Copy arena bytes to the guest when the call ends. scale 0: all; else scale × result, less `before`. */
export function out(
  t: ThreadView,
  address: number,
  at: number,
  bytes: number,
  scale: number,
  before: number,
  when: number,
): number {
  const o = t.outs
  if (bytes === 0) return 0
  if (!isGuest(address, bytes)) return -E.FAULT
  if (o.count === LIST) return -E.NOMEM
  const k = o.count++
  o.address[k] = address
  o.offset[k] = at
  o.length[k] = bytes
  o.scale[k] = scale
  o.before[k] = before
  o.when[k] = when
  return 0
}
/** `size` bytes behind argument i as a grant the server reads, writes (zeroed first), or both; `copied` of them go back. */
export function data(
  t: ThreadView,
  i: number,
  cell: number,
  size: number,
  isIn: boolean,
  isOut: boolean,
  copied: number,
  when: number,
): number {
  const at = isIn ? fetch(t, i, size) : reserve(t, size)
  if (at <= 0) return at
  if (!isIn) t.mem.fill(0, at, at + size)
  grant(t, i, cell, at, size)
  return isOut ? out(t, unsigned(t, i), at, copied, 0, 0, when) : 0
}
