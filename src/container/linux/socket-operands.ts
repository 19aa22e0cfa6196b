// Steps for the socket calls: addresses, value-result lengths, message headers with their three arrays, and which piece of a long call a
// message is. A bad operand becomes a grant of length -1 with -errno as its offset: the server answers with that when it gets to it,
// because Linux looks at the descriptor first.
//
//   an address (or option value) to be written: { u32 length; u32 pad; bytes… }: the server sets the length
//   what else recvmsg writes: { u64 controllen; u32 flags }
import { BULK_BYTES } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { setGrant, setInt } from '../../abi/message.ts'
import { MSG, MSGHDR, SOCKADDR_MAX } from '../../abi/socket.ts'
import { WHEN } from './args.ts'
import { getUlong, IOV_MAX, input, pieces, share, totalOf } from './buffers.ts'
import {
  area,
  DYNAMIC,
  grant,
  isNull,
  low,
  out,
  prefetched,
  reserve,
  type ThreadView,
  unsigned,
  WANT,
  want,
} from './operands.ts'

const HEADER = 8
/** Room for option values, for control data received, and control data sent (more is ENOBUFS, as over net.core.optmem_max). */
const OPTION_MAX = 4096
const CONTROL_ROOM = 4096
const CONTROL_MAX = 8192
const TIMESPEC = 16
const UIO_MAXIOV = 1024
const INT_MAX = 0x7fffffff
/** Indices of areas (strace.ts): what a message header points to. */
export const MSG_AREA = { DATA: 6, VECTOR: 7, NAME: 8, CONTROL: 9, RESULT: 10 } as const

function bad(t: ThreadView, cell: number, error: number): number {
  setGrant(t.message, cell, -Math.floor(error), -1)
  return 0
}
/** Bytes at a guest address: arena offset, 0 (to come), or -EFAULT. */
function bytesAt(t: ThreadView, address: number, bytes: number): number {
  const at = want(t, WANT.PARTIAL, address, bytes, reserve(t, bytes))
  return at > 0 && t.wants.got < bytes ? -E.FAULT : at
}

/** An address the call reads; `count` is the argument with its length. */
export function addressIn(t: ThreadView, i: number, cell: number, count: number, optional: boolean): number {
  const n = low(t, count)
  if (optional && isNull(t, i)) return grant(t, i, cell, 0, 0)
  if (n < 0 || n > SOCKADDR_MAX) return bad(t, cell, E.INVAL)
  if (n === 0) return grant(t, i, cell, t.bump, 0)
  const at = prefetched(t, i, n) || bytesAt(t, unsigned(t, i), n)
  if (at < 0) return bad(t, cell, -at)
  return at === 0 ? 0 : grant(t, i, cell, at, n)
}

/** What argument i gets, as much as the word argument `count` points to says; that word gets how much there was. */
function valueResult(t: ThreadView, i: number, cell: number, count: number, most: number, exact: boolean): number {
  const length = unsigned(t, count)
  const at = prefetched(t, count, 4) || bytesAt(t, length, 4)
  if (at <= 0) return at === 0 ? 0 : bad(t, cell, -at)
  area(t, count, at, 4)
  const room = t.view.getInt32(at, true)
  if (room < 0) return bad(t, cell, E.INVAL)
  const bytes = Math.min(room, most)
  const to = reserve(t, HEADER + most)
  if (to < 0) return to
  t.mem.fill(0, to, to + HEADER + most)
  grant(t, i, cell, to, HEADER + (exact ? bytes : most))
  const r = out(t, unsigned(t, i), to + HEADER, bytes, DYNAMIC, to, WHEN.SUCCESS)
  return r < 0 ? bad(t, cell, -r) : out(t, length, to, 4, 0, 0, WHEN.SUCCESS)
}
/** An address the call writes. */
export function addressOut(t: ThreadView, i: number, cell: number, count: number, optional: boolean): number {
  if (optional && isNull(t, i)) return grant(t, i, cell, 0, 0)
  return valueResult(t, i, cell, count, SOCKADDR_MAX, false)
}
export function optionOut(t: ThreadView, i: number, cell: number, count: number): number {
  return valueResult(t, i, cell, count, OPTION_MAX, true)
}
/** setsockopt's value: as much of it as can be read. */
export function optionIn(t: ThreadView, i: number, cell: number, count: number): number {
  const n = Math.min(Math.max(0, low(t, count)), OPTION_MAX)
  if (n === 0) return grant(t, i, cell, t.bump, 0)
  const ready = prefetched(t, i, n)
  if (ready > 0) return grant(t, i, cell, ready, n)
  const at = want(t, WANT.PARTIAL, unsigned(t, i), n, reserve(t, n))
  if (at < 0) return grant(t, i, cell, t.bump, 0)
  return at === 0 ? 0 : grant(t, i, cell, at, t.wants.got)
}

/** sendto's bytes. */
export function sendBuffer(t: ThreadView, i: number, cell: number, count: number): number {
  const n = share(t, Math.min(unsigned(t, count), INT_MAX))
  if (n === 0) return grant(t, i, cell, t.bump, 0)
  const got = input(t, i, cell, unsigned(t, i) + t.done, n)
  return got < n && got !== 0 ? bad(t, cell, E.FAULT) : 0
}
/** recvfrom's room. */
export function receiveBuffer(t: ThreadView, i: number, cell: number, count: number): number {
  const n = share(t, Math.min(unsigned(t, count), INT_MAX))
  const at = reserve(t, n)
  if (at < 0) return at
  grant(t, i, cell, at, n)
  return out(t, unsigned(t, i) + t.done, at, n, 1, 0, WHEN.SUCCESS)
}
/** Which piece of the call this message is: bytes done before, and bytes of the whole call. */
export function piece(t: ThreadView, cell: number): number {
  const { asked, more, total } = t.outs
  setGrant(t.message, cell, t.done, more ? total : t.done + asked)
  return 0
}

/** struct msghdr for a call that sends: cells buf< addr< control< piece. */
export function headerIn(t: ThreadView, i: number, cell: number): number {
  const header = headerAt(t, i)
  if (header <= 0) return header === 0 ? 0 : bad(t, cell, -header)
  const { view } = t
  const name = getUlong(t, header + MSGHDR.NAME)
  const nameBytes = name === 0 ? 0 : Math.min(view.getInt32(header + MSGHDR.NAMELEN, true), SOCKADDR_MAX)
  if (nameBytes < 0) return bad(t, cell, E.INVAL)
  const nameAt = nameBytes === 0 ? t.bump : bytesAt(t, name, nameBytes)
  if (nameAt < 0) return bad(t, cell, -nameAt)
  const count = getUlong(t, header + MSGHDR.IOVLEN)
  if (count > IOV_MAX) return bad(t, cell, E.MSGSIZE)
  const vector = count === 0 ? t.bump : bytesAt(t, getUlong(t, header + MSGHDR.IOV), count * 16)
  if (vector < 0) return bad(t, cell, -vector)
  const controlBytes = getUlong(t, header + MSGHDR.CONTROLLEN)
  let control = t.bump
  if (controlBytes > CONTROL_MAX) control = -E.NOBUFS
  else if (controlBytes > 0) control = bytesAt(t, getUlong(t, header + MSGHDR.CONTROL), controlBytes)
  if (nameAt === 0 || vector === 0 || control === 0) return 0
  setGrant(t.message, cell + 1, nameAt, nameBytes)
  area(t, MSG_AREA.NAME, nameAt, nameBytes)
  if (control < 0) bad(t, cell + 2, -control)
  else {
    setGrant(t.message, cell + 2, control, controlBytes)
    area(t, MSG_AREA.CONTROL, control, controlBytes)
  }
  return vectorData(t, vector, count, cell, cell + 3, true)
}

/** … and for one that receives: cells buf> addr> control> result> piece. Only the first piece brings more than data. */
export function headerOut(t: ThreadView, i: number, cell: number): number {
  const header = headerAt(t, i)
  if (header <= 0) return header === 0 ? 0 : bad(t, cell, -header)
  const { view } = t
  const nameBytes = view.getInt32(header + MSGHDR.NAMELEN, true)
  const name = getUlong(t, header + MSGHDR.NAME)
  if (name !== 0 && nameBytes < 0) return bad(t, cell, E.INVAL)
  const count = getUlong(t, header + MSGHDR.IOVLEN)
  if (count > IOV_MAX) return bad(t, cell, E.MSGSIZE)
  const vector = count === 0 ? t.bump : bytesAt(t, getUlong(t, header + MSGHDR.IOV), count * 16)
  if (vector <= 0) return vector === 0 ? 0 : bad(t, cell, -vector)
  const r = t.done === 0 ? resultParts(t, i, header, name, nameBytes, cell) : noParts(t, cell)
  return r < 0 ? bad(t, cell, -r) : vectorData(t, vector, count, cell, cell + 4, false)
}
/** Places for what recvmsg gives besides data. */
function resultParts(
  t: ThreadView,
  i: number,
  header: number,
  name: number,
  nameBytes: number,
  cell: number,
): number {
  const address = headerAddress(t, i)
  const control = getUlong(t, header + MSGHDR.CONTROL)
  const room = control === 0 ? 0 : Math.min(getUlong(t, header + MSGHDR.CONTROLLEN), CONTROL_ROOM)
  const at = reserve(t, HEADER + SOCKADDR_MAX + 16 + room)
  if (at < 0) return at
  t.mem.fill(0, at, at + HEADER + SOCKADDR_MAX + 16 + room)
  const result = at + HEADER + SOCKADDR_MAX
  const controlAt = result + 16
  setGrant(t.message, cell + 1, name === 0 ? 0 : at, name === 0 ? 0 : HEADER + SOCKADDR_MAX)
  setGrant(t.message, cell + 2, controlAt, room)
  setGrant(t.message, cell + 3, result, 16)
  area(t, MSG_AREA.NAME, at, nameBytes)
  area(t, MSG_AREA.CONTROL, controlAt, room)
  area(t, MSG_AREA.RESULT, result, 16)
  if (name !== 0) {
    const r = out(t, name, at + HEADER, Math.min(nameBytes, SOCKADDR_MAX), DYNAMIC, at, WHEN.SUCCESS)
    if (r < 0) return r
    out(t, address + MSGHDR.NAMELEN, at, 4, 0, 0, WHEN.SUCCESS)
  }
  out(t, address + MSGHDR.CONTROLLEN, result, 8, 0, 0, WHEN.SUCCESS)
  out(t, address + MSGHDR.FLAGS, result + 8, 4, 0, 0, WHEN.SUCCESS)
  return out(t, control, controlAt, room, DYNAMIC, result, WHEN.SUCCESS)
}
function noParts(t: ThreadView, cell: number): number {
  for (let k = 1; k <= 3; k++) setGrant(t.message, cell + k, 0, 0)
  return 0
}

/** The data behind a vector, as much as the window still takes. */
function vectorData(
  t: ThreadView,
  vector: number,
  count: number,
  cell: number,
  pieceCell: number,
  isIn: boolean,
): number {
  area(t, MSG_AREA.VECTOR, vector, count * 16)
  const total = totalOf(t, vector, count)
  if (total < 0) return bad(t, cell, -total)
  const bytes = share(t, total, Math.min(BULK_BYTES, (t.end - t.bump - HEADER) & ~7))
  const at = reserve(t, bytes)
  if (at < 0) return at
  const moved = bytes === 0 ? 0 : pieces(t, vector, count, at, bytes, isIn)
  if (moved < 0 || (moved < bytes && !t.outs.more)) return bad(t, cell, E.FAULT)
  t.outs.asked = moved
  area(t, MSG_AREA.DATA, at, moved)
  setGrant(t.message, cell, at, moved)
  return piece(t, pieceCell)
}

/** SIOCGIFCONF: struct ifconf { s32 len; pad; pointer }, and behind it in the grant the room the pointer leads to. */
const IFCONF = 16
export function interfaceList(t: ThreadView, i: number, cell: number): number {
  const given = bytesAt(t, unsigned(t, i), IFCONF)
  if (given <= 0) return given
  const room = Math.max(0, Math.min(t.view.getInt32(given, true), OPTION_MAX))
  const at = reserve(t, IFCONF + room)
  if (at < 0) return at
  t.mem.copyWithin(at, given, given + IFCONF)
  grant(t, i, cell, at, IFCONF + room)
  const list = getUlong(t, given + 8)
  const r = list === 0 ? 0 : out(t, list, at + IFCONF, room, DYNAMIC, at, WHEN.SUCCESS)
  return r < 0 ? r : out(t, unsigned(t, i), at, 4, 0, 0, WHEN.SUCCESS)
}

// -- sendmmsg and recvmmsg: one header after the other, t.outs.index says which; decode.ts moreChunks goes on --

function headerAddress(t: ThreadView, i: number): number {
  return unsigned(t, i) + t.outs.index * MSGHDR.MMSG_BYTES
}
/** No message at all: answered 0, once the descriptor has been looked at. */
const NOTHING = -0.5
/** The header in the window: arena offset, 0 (to come), -EFAULT, NOTHING. Notes where the number of bytes moved goes. */
function headerAt(t: ThreadView, i: number): number {
  if (t.outs.messages === 0) return NOTHING
  const address = headerAddress(t, i)
  const at = prefetched(t, i, MSGHDR.BYTES) || bytesAt(t, address, MSGHDR.BYTES)
  if (at <= 0) return at
  area(t, i, at, MSGHDR.BYTES)
  if (t.outs.messages < 0) return at
  const to = reserve(t, 8)
  if (to < 0) return to
  t.outs.lengthAt = to
  const r = out(t, address + MSGHDR.MSG_LEN, to, 4, 0, 0, WHEN.SUCCESS)
  return r < 0 ? r : at
}
/** Flags of a call about several messages (argument 2 says how many): MSG_WAITFORONE waits for the first alone. `timed`: argument 4 is
 *  a timeout, which is looked at after each message. */
export function several(t: ThreadView, i: number, cell: number, timed: boolean): number {
  const { outs } = t
  outs.messages = timed ? low(t, 2) >>> 0 : Math.min(low(t, 2) >>> 0, UIO_MAXIOV)
  if (outs.index === 0) outs.until = Number.POSITIVE_INFINITY
  if (timed && outs.index === 0 && !isNull(t, 4)) {
    const at = bytesAt(t, unsigned(t, 4), TIMESPEC)
    if (at <= 0) return at
    const ns = getUlong(t, at + 8)
    if (t.view.getInt32(at + 4, true) < 0 || ns > 999999999) return -E.INVAL
    outs.until = performance.now() + getUlong(t, at) * 1000 + ns / 1e6
  }
  const flags = low(t, i)
  const waits = (flags & MSG.WAITFORONE) === 0 || t.outs.index === 0
  setInt(t.message, cell, (waits ? flags : flags | MSG.DONTWAIT) & ~MSG.WAITFORONE)
  return 0
}
