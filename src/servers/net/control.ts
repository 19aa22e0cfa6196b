// Ancillary data (cmsg(3)): what a message header's control part holds when it is sent, and how what a receiver gets is put there.
//   struct cmsghdr { u64 len; s32 level; s32 type } data, everything 8-aligned
import { E } from '../../abi/errno.ts'
import { CMSG_HEADER, cmsgSpace, MSG, SCM, SOL, UCRED_BYTES } from '../../abi/socket.ts'
import { type Credential, mayClaim } from './credential.ts'
import type { NetState, Row } from './state.ts'

/** Calls `each` for every control message; its data lies at `at` for `bytes` bytes. It answers 0, or -errno to stop. */
export function walkControl(
  net: NetState,
  at: number,
  len: number,
  each: (level: number, type: number, at: number, bytes: number) => number,
): number {
  const { view } = net.sys
  for (let p = 0; p + CMSG_HEADER <= len; ) {
    const size = view.getUint32(at + p, true)
    if (view.getUint32(at + p + 4, true) !== 0 || size < CMSG_HEADER || size > len - p) return -E.INVAL
    const r = each(view.getInt32(at + p + 8, true), view.getInt32(at + p + 12, true), at + p + CMSG_HEADER, size - CMSG_HEADER)
    if (r < 0) return r
    p += (size + 7) & ~7
  }
  return 0
}

/** SCM_CREDENTIALS of a message about to be sent, into row.credential. Descriptors are FS's. */
export function sentCredential(net: NetState, row: Row): number {
  return walkControl(net, row.controlAt, row.controlLen, (level, type, at, bytes) => {
    if (level !== SOL.SOCKET) return 0
    if (type === SCM.RIGHTS) return 0
    if (type !== SCM.CREDENTIALS || bytes !== UCRED_BYTES) return -E.INVAL
    const { view } = net.sys
    const claim = { pid: view.getInt32(at, true), uid: view.getInt32(at + 4, true), gid: view.getInt32(at + 8, true) }
    const r = mayClaim(net, row.endpoint, claim)
    if (r === 0) row.credential = claim
    return r
  })
}

/** A control message for the receiver, cut to what there is room for (MSG_CTRUNC then). `fill` writes the data at its offset. */
export function putControl(net: NetState, row: Row, level: number, type: number, words: readonly number[]): void {
  const room = row.controlLen - row.control
  if (room < CMSG_HEADER) {
    row.gave |= MSG.CTRUNC
    return
  }
  const { view } = net.sys
  const at = row.controlAt + row.control
  const whole = CMSG_HEADER + 4 * words.length
  const len = Math.min(whole, room)
  if (len < whole) row.gave |= MSG.CTRUNC
  view.setUint32(at, len, true)
  view.setUint32(at + 4, 0, true)
  view.setInt32(at + 8, level, true)
  view.setInt32(at + 12, type, true)
  for (let k = 0; CMSG_HEADER + 4 * k + 4 <= len; k++) view.setInt32(at + CMSG_HEADER + 4 * k, words[k] as number, true)
  row.control += Math.min(cmsgSpace(4 * words.length), room)
}
export function putCredential(net: NetState, row: Row, c: Credential): void {
  putControl(net, row, SOL.SOCKET, SCM.CREDENTIALS, [c.pid, c.uid, c.gid])
}
