// mlock, mlock2, munlock, mlockall, munlockall (mm/mlock.c). Nothing is ever swapped out by us, so what is locked is an account, held against
// RLIMIT_MEMLOCK and shown as VmLck; and it is filled in, as Linux does, which the host carries out as far as it can.
import { GUEST_END, OP } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { int, type Message, uint, ulong } from '../../abi/message.ts'
import { MADV, MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT, MLOCK_ONFAULT, PAGE, PROT_WRITE } from '../../abi/mman.ts'
import type { CallVector } from '../../lib/server.ts'
import { VM } from '../../protocol/vm.ts'
import { checkLock, mayLock } from './budget.ts'
import { pageDown, pageUp } from './place.ts'
import { R, type Region } from './region.ts'
import type { Row, State } from './state.ts'

/** Most operations one call may order to fill memory in: the list of a reply is short, and it is a favour. */
const FILLS_MAX = 24

export function lockCalls(state: State): CallVector {
  const { sys } = state

  /** Whole pages from cell 0 on, cell 1 long: [start, end]; an end before the start when that wraps. */
  function range(m: Message): [start: number, end: number] {
    const start = pageDown(ulong(m, 0))
    const bytes = ulong(m, 1) + (uint(m, 0) % PAGE)
    return [start, start + (bytes >= 2 ** 64 - PAGE + 1 ? 0 : pageUp(bytes))]
  }

  function MLOCK(m: Message, from: number): number {
    if (int(m, 2) & ~MLOCK_ONFAULT) return -E.INVAL
    const row = state.caller(from)
    if (row === undefined) return -E.SRCH
    const { space } = row
    if (!mayLock(state, row)) return -E.PERM
    const [start, end] = range(m)
    const why = checkLock(state, row, end - start - lockedIn(row, start, end), E.NOMEM)
    if (why < 0) return why
    if (end >= 2 ** 64) return -E.INVAL
    const stop = space.coveredTo(start, end)
    const set = R.LOCKED | (int(m, 2) & MLOCK_ONFAULT ? R.ONFAULT : 0)
    if (stop > start) space.change(start, stop, -1, set, R.ONFAULT & ~set)
    if (stop < end) return -E.NOMEM
    return int(m, 2) & MLOCK_ONFAULT || fill(row, start, end) ? 0 : -E.NOMEM
  }
  function lockedIn(row: Row, start: number, end: number): number {
    let bytes = 0
    const { regions } = row.space
    for (let i = row.space.index(start); i < regions.length; i++) {
      const r = regions[i] as Region
      if (r.start >= end) break
      if (r.flags & R.LOCKED) bytes += Math.min(r.end, end) - Math.max(r.start, start)
    }
    return bytes
  }
  /** Touch every page of what is locked in [start, end). False: some of it can't be touched. */
  function fill(row: Row, start: number, end: number): boolean {
    const { regions } = row.space
    for (let i = row.space.index(start), fills = 0; i < regions.length && fills < FILLS_MAX; i++, fills++) {
      const r = regions[i] as Region
      if (r.start >= end) break
      if ((r.flags & (R.LOCKED | R.ONFAULT)) !== R.LOCKED) continue
      if ((r.prot & 7) === 0) return false
      const advice = r.prot & PROT_WRITE && !(r.flags & R.SHARED) ? MADV.POPULATE_WRITE : MADV.POPULATE_READ
      const low = Math.max(r.start, start)
      sys.vmctl(row.endpoint, OP.MADVISE, low, Math.min(r.end, end) - low, advice, 1, 0, -1, 0)
    }
    return true
  }

  function MUNLOCK(m: Message, from: number): number {
    const row = state.caller(from)
    if (row === undefined) return -E.SRCH
    const { space } = row
    const [start, end] = range(m)
    if (end >= 2 ** 64) return -E.INVAL
    const stop = space.coveredTo(start, end)
    if (stop > start) space.change(start, stop, -1, 0, R.LOCKED | R.ONFAULT)
    return stop < end ? -E.NOMEM : 0
  }
  function MLOCKALL(m: Message, from: number): number {
    const flags = int(m, 0)
    if (flags === 0 || flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) || flags === MCL_ONFAULT) return -E.INVAL
    const row = state.caller(from)
    if (row === undefined) return -E.SRCH
    const { space } = row
    if (!mayLock(state, row)) return -E.PERM
    const why = checkLock(state, row, flags & MCL_CURRENT ? space.total - space.locked : 0, E.NOMEM)
    if (why < 0) return why
    const set = R.LOCKED | (flags & MCL_ONFAULT ? R.ONFAULT : 0)
    space.lockFuture = flags & MCL_FUTURE ? set : 0
    if (flags & MCL_CURRENT) {
      space.change(0, GUEST_END, -1, set, R.ONFAULT & ~set)
      fill(row, 0, GUEST_END)
    }
    return 0
  }
  function MUNLOCKALL(_m: Message, from: number): number {
    const row = state.caller(from)
    if (row === undefined) return -E.SRCH
    row.space.lockFuture = 0
    row.space.change(0, GUEST_END, -1, 0, R.LOCKED | R.ONFAULT)
    return 0
  }

  return { [VM.MLOCK]: MLOCK, [VM.MUNLOCK]: MUNLOCK, [VM.MLOCKALL]: MLOCKALL, [VM.MUNLOCKALL]: MUNLOCKALL }
}
