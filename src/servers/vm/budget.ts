// What a process may still take: RLIMIT_AS, RLIMIT_DATA, RLIMIT_MEMLOCK, the number of regions, and the pool's commit limit.
import { E } from '../../abi/errno.ts'
import { EP, setGrant, setInt, TYPE } from '../../abi/message.ts'
import { CAP_IPC_LOCK } from '../../abi/mman.ts'
import { CRED_BYTES, PM } from '../../protocol/pm.ts'
import { accountable, isData, R } from './region.ts'
import type { Space } from './space.ts'
import type { Row, State } from './state.ts'

/** vm.max_map_count, less what the stub and host-side splits of ours need, so that the host never refuses what we have allowed. */
export const MAX_REGIONS = 65530 - 512

/** RLIMIT_AS and RLIMIT_DATA (Linux: may_expand_vm). */
export function mayExpand(row: Row, prot: number, flags: number, bytes: number): boolean {
  const { space, limits } = row
  if (space.total + bytes > limits.as) return false
  return !isData(prot, flags) || space.data + bytes <= limits.data
}

/** Charged bytes in [start, end). */
export function charged(space: Space, start: number, end: number): number {
  let bytes = 0
  for (let i = space.index(start); i < space.regions.length; i++) {
    const r = space.regions[i]
    if (r === undefined || r.start >= end) break
    if (r.flags & R.ACCOUNT) bytes += Math.min(r.end, end) - Math.max(r.start, start)
  }
  return bytes
}

/** R.ACCOUNT when memory with this protection and these flags is charged, else 0. */
export function accountFlag(prot: number, flags: number): number {
  return accountable(prot, flags) ? R.ACCOUNT : 0
}

/** Has the process an effective capability below 32? */
export function hasCapability(state: State, endpoint: number, bit: number): boolean {
  const { sys, out } = state
  out[TYPE] = PM.GETCRED
  setInt(out, 0, endpoint)
  setGrant(out, 1, sys.buffer, CRED_BYTES)
  if (sys.sendrec(EP.PM, out) < 0) return false
  const capabilities = sys.view.getUint32(sys.buffer + CRED_BYTES - 8, true)
  return ((capabilities >>> bit) & 1) === 1
}
/** May the process hold more locked memory than its limit? */
function mayLockAll(state: State, endpoint: number): boolean {
  return hasCapability(state, endpoint, CAP_IPC_LOCK)
}
/** May it lock anything at all? (can_do_mlock) */
export function mayLock(state: State, row: Row): boolean {
  return row.limits.memlock > 0 || mayLockAll(state, row.endpoint)
}
/** Lock `bytes` more: 0, -EPERM when the limit is 0, or -`full` when it would be exceeded. */
export function checkLock(state: State, row: Row, bytes: number, full: number): number {
  const { limits, space } = row
  if (limits.memlock > 0 && space.locked + bytes <= limits.memlock) return 0
  if (mayLockAll(state, row.endpoint)) return 0
  return limits.memlock === 0 ? -E.PERM : -full
}
