// Who a caller is, by PM: for SO_PEERCRED and SCM_CREDENTIALS.
import { E } from '../../abi/errno.ts'
import { EP, message, setGrant, setInt, setLong, TYPE } from '../../abi/message.ts'
import { CRED_BYTES, PM, PROC_RECORD } from '../../protocol/pm.ts'
import type { NetState } from './state.ts'

/** Words of GETCRED's record. */
const WORD = { UID: 0, EUID: 1, SUID: 2, GID: 4, EGID: 5, SGID: 6, CAPABILITIES: 42 } as const
const GETJOB_TGID = 7
const m = message()

export interface Credential {
  pid: number
  uid: number
  gid: number
}
/** Nobody: what SO_PEERCRED shows of a socket without a peer. */
export const NOBODY: Credential = { pid: 0, uid: -1, gid: -1 }

/** Fills the server's buffer with the record → 0 or -errno. */
function record(net: NetState, endpoint: number): number {
  m.fill(0)
  m[TYPE] = PM.GETCRED
  setLong(m, 0, endpoint)
  setGrant(m, 1, net.sys.buffer, CRED_BYTES)
  return net.sys.sendrec(EP.PM, m)
}
const word = (net: NetState, k: number): number => net.sys.view.getInt32(net.sys.buffer + 4 * k, true)
function pidOf(net: NetState, endpoint: number): number {
  m.fill(0)
  m[TYPE] = PM.GETJOB
  setLong(m, 0, endpoint)
  setInt(m, 1, GETJOB_TGID)
  return Math.max(0, net.sys.sendrec(EP.PM, m))
}

function exists(net: NetState, pid: number): boolean {
  m.fill(0)
  m[TYPE] = PM.PROCINFO
  setInt(m, 0, pid)
  setGrant(m, 1, net.sys.buffer, PROC_RECORD.BYTES)
  return net.sys.sendrec(EP.PM, m) >= 0
}

/** Effective ids, as SO_PEERCRED shows them. */
export function peerCredential(net: NetState, endpoint: number): Credential {
  if (record(net, endpoint) < 0) return NOBODY
  const uid = word(net, WORD.EUID)
  const gid = word(net, WORD.EGID)
  return { pid: pidOf(net, endpoint), uid, gid }
}
/** Real ids, as SCM_CREDENTIALS shows them of those who don't send any. */
export function sender(net: NetState, endpoint: number): Credential {
  if (record(net, endpoint) < 0) return NOBODY
  const uid = word(net, WORD.UID)
  const gid = word(net, WORD.GID)
  return { pid: pidOf(net, endpoint), uid, gid }
}
export const CAP = { SETGID: 6, SETUID: 7, NET_BIND_SERVICE: 10, NET_ADMIN: 12, NET_RAW: 13, SYS_ADMIN: 21 } as const
export function capable(net: NetState, endpoint: number, capability: number): boolean {
  if (record(net, endpoint) < 0) return false
  return (word(net, WORD.CAPABILITIES + (capability >> 5)) & (1 << (capability & 31))) !== 0
}
/** May it send these as its own (unix(7), SCM_CREDENTIALS)? 0, -EPERM or -ESRCH. */
export function mayClaim(net: NetState, endpoint: number, claim: Credential): number {
  if (record(net, endpoint) < 0) return -E.PERM
  const low = word(net, WORD.CAPABILITIES)
  const has = (capability: number): boolean => (low & (1 << capability)) !== 0
  const isOne = (id: number, first: number): boolean => [0, 1, 2].some(k => word(net, first + k) === id)
  const uid = isOne(claim.uid, WORD.UID) || has(CAP.SETUID)
  const gid = isOne(claim.gid, WORD.GID) || has(CAP.SETGID)
  const admin = has(CAP.SYS_ADMIN)
  if (!uid || !gid || (!admin && claim.pid !== pidOf(net, endpoint))) return -E.PERM
  return claim.pid === pidOf(net, endpoint) || exists(net, claim.pid) ? 0 : -E.SRCH
}
