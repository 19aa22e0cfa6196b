// Calls about memory that is there: madvise, msync, mincore, mlock and its kin, membarrier (mm/madvise.c, msync.c, mincore.c, mlock.c).
// Advice that only hints is checked and dropped; what changes contents or inheritance is the host's to do.
import { GUEST_END, OP } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { high, int, type Message, uint, ulong } from '../../abi/message.ts'
import {
  MADV,
  MCL_CURRENT,
  MCL_FUTURE,
  MCL_ONFAULT,
  MLOCK_ONFAULT,
  MS_ASYNC,
  MS_INVALIDATE,
  MS_SYNC,
  PAGE,
  PROT_WRITE,
} from '../../abi/mman.ts'
import type { CallVector } from '../../lib/server.ts'
import { VM } from '../../protocol/vm.ts'
import { checkLock } from './budget.ts'
import { pageDown, pageUp } from './place.ts'
import { R, type Region } from './region.ts'
import type { Row, State } from './state.ts'

/** Advice the host carries out too, and what it does to a region's flags: [set, clear]. */
const EFFECT: Readonly<Record<number, readonly [host: number, set: number, clear: number]>> = {
  [MADV.DONTNEED]: [MADV.DONTNEED, 0, 0],
  [MADV.DONTNEED_LOCKED]: [MADV.DONTNEED, 0, 0],
  [MADV.FREE]: [MADV.FREE, 0, 0],
  [MADV.HUGEPAGE]: [MADV.HUGEPAGE, R.HUGE, R.NOHUGE],
  [MADV.NOHUGEPAGE]: [MADV.NOHUGEPAGE, R.NOHUGE, R.HUGE],
  [MADV.NORMAL]: [-1, 0, R.RANDOM | R.SEQUENTIAL],
  [MADV.RANDOM]: [-1, R.RANDOM, R.SEQUENTIAL],
  [MADV.SEQUENTIAL]: [-1, R.SEQUENTIAL, R.RANDOM],
  [MADV.DONTFORK]: [MADV.DONTFORK, R.DONTFORK, 0],
  [MADV.DOFORK]: [MADV.DOFORK, 0, R.DONTFORK],
  [MADV.WIPEONFORK]: [MADV.WIPEONFORK, R.WIPEONFORK, 0],
  [MADV.KEEPONFORK]: [MADV.KEEPONFORK, 0, R.WIPEONFORK],
  [MADV.DONTDUMP]: [-1, R.DONTDUMP, 0],
  [MADV.DODUMP]: [-1, 0, R.DONTDUMP],
}
const KNOWN = new Set<number>(Object.values(MADV))
const HWPOISON = 100
const SOFT_OFFLINE = 101

/** 0, or why this advice isn't for this region. */
function refuses(advice: number, r: Region): number {
  switch (advice) {
    case MADV.DONTNEED:
      return r.flags & R.LOCKED ? -E.INVAL : 0
    case MADV.FREE:
      return r.backing !== null || r.flags & R.LOCKED ? -E.INVAL : 0
    case MADV.WIPEONFORK:
      return r.backing !== null || r.flags & R.SHARED ? -E.INVAL : 0
    case MADV.REMOVE:
      if (r.flags & R.LOCKED || r.backing === null) return -E.INVAL
      return r.flags & R.SHARED && r.prot & PROT_WRITE ? -E.OPNOTSUPP : -E.ACCES // the host's filter: it writes to files
    case MADV.POPULATE_READ:
      return (r.prot & 7) === 0 ? -E.FAULT : 0
    case MADV.POPULATE_WRITE:
      return r.prot & PROT_WRITE ? 0 : -E.INVAL
    default:
      return 0
  }
}

export function adviceCalls(state: State): CallVector {
  const { sys } = state

  /** Mapped parts are advised even when there are holes between; holes make it ENOMEM in the end. */
  function MADVISE(m: Message, from: number): number {
    const row = state.caller(from)
    if (row === undefined) return -E.SRCH
    const start = ulong(m, 0)
    const advice = int(m, 2)
    if (advice === HWPOISON || advice === SOFT_OFFLINE) return -E.PERM
    if (!KNOWN.has(advice) || start % PAGE !== 0) return -E.INVAL
    const end = start + pageUp(ulong(m, 1))
    if (end >= 2 ** 64) return -E.INVAL
    return start === end ? 0 : advise(row, start, end, advice)
  }
  function advise(row: Row, start: number, end: number, advice: number): number {
    const { space } = row
    const effect = EFFECT[advice]
    let result = 0
    let at = start
    while (at < end) {
      const r = space.regions[space.index(at)]
      if (r === undefined || r.start >= end) return -E.NOMEM
      if (r.start > at) result = -E.NOMEM
      const low = Math.max(at, r.start)
      const up = Math.min(end, r.end)
      const why = refuses(advice, r)
      if (why < 0) return why
      if (effect !== undefined) {
        const done = effect[0] < 0 ? 0 : sys.vmctl(row.endpoint, OP.MADVISE, low, up - low, effect[0], 0, 0, -1, 0)
        if (done < 0) return done
        if (effect[1] !== 0 || effect[2] !== 0) space.change(low, up, -1, effect[1], effect[2])
      }
      at = up
    }
    return result
  }

  function MSYNC(m: Message, from: number): number {
    const row = state.caller(from)
    if (row === undefined) return -E.SRCH
    const { space } = row
    const start = ulong(m, 0)
    const flags = int(m, 2)
    if (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || start % PAGE !== 0) return -E.INVAL
    if (flags & MS_ASYNC && flags & MS_SYNC) return -E.INVAL
    const end = start + pageUp(ulong(m, 1))
    if (end >= 2 ** 64) return -E.NOMEM
    let result = 0
    for (let at = start; at < end; ) {
      const r = space.regions[space.index(at)]
      if (r === undefined || r.start >= end) return -E.NOMEM
      if (r.start > at) result = -E.NOMEM
      if (flags & MS_INVALIDATE && r.flags & R.LOCKED) return -E.BUSY
      at = r.end
    }
    return result
  }

  /** Everything mapped is said to be in memory. */
  function MINCORE(m: Message, from: number): number {
    const row = state.caller(from)
    if (row === undefined) return -E.SRCH
    const start = ulong(m, 0)
    if (start % PAGE !== 0) return -E.INVAL
    const end = start + pageUp(ulong(m, 1))
    if (end > GUEST_END || !row.space.covers(start, end)) return -E.NOMEM
    const pages = (end - start) / PAGE
    const room = high(m, 2)
    if (room < pages) return -E.FAULT
    sys.mem.fill(1, uint(m, 2), uint(m, 2) + pages)
    return 0
  }

  function MLOCK(m: Message, from: number): number {
    if (int(m, 2) & ~MLOCK_ONFAULT) return -E.INVAL
    const row = state.caller(from)
    if (row === undefined) return -E.SRCH
    const { space } = row
    const start = pageDown(ulong(m, 0))
    const end = pageUp(ulong(m, 0) + ulong(m, 1))
    const more = end >= 2 ** 64 ? 0 : end - start - lockedIn(row, start, end)
    const why = checkLock(state, row, more, E.NOMEM)
    if (why < 0) return why
    if (end >= 2 ** 64) return -E.INVAL
    const stop = space.coveredTo(start, end)
    if (stop > start) space.change(start, stop, -1, R.LOCKED, 0)
    return stop < end ? -E.NOMEM : 0
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
  function MUNLOCK(m: Message, from: number): number {
    const row = state.caller(from)
    if (row === undefined) return -E.SRCH
    const { space } = row
    const start = pageDown(ulong(m, 0))
    const end = pageUp(ulong(m, 0) + ulong(m, 1))
    if (end >= 2 ** 64) return -E.INVAL
    const stop = space.coveredTo(start, end)
    if (stop > start) space.change(start, stop, -1, 0, R.LOCKED)
    return stop < end ? -E.NOMEM : 0
  }
  function MLOCKALL(m: Message, from: number): number {
    const flags = int(m, 0)
    if (flags === 0 || flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) || flags === MCL_ONFAULT) return -E.INVAL
    const row = state.caller(from)
    if (row === undefined) return -E.SRCH
    const { space } = row
    const why = checkLock(state, row, flags & MCL_CURRENT ? space.total - space.locked : 0, E.NOMEM)
    if (why < 0) return why
    space.lockFuture = (flags & MCL_FUTURE) !== 0
    if (flags & MCL_CURRENT) space.change(0, GUEST_END, -1, R.LOCKED, 0)
    return 0
  }
  function MUNLOCKALL(_m: Message, from: number): number {
    const row = state.caller(from)
    if (row === undefined) return -E.SRCH
    row.space.lockFuture = false
    row.space.change(0, GUEST_END, -1, 0, R.LOCKED)
    return 0
  }

  /** No barrier can be offered from outside the guest's threads: the query says so, and every command is unknown. */
  function MEMBARRIER(m: Message): number {
    return int(m, 0) === 0 && int(m, 1) === 0 ? 0 : -E.INVAL
  }

  return {
    [VM.MADVISE]: MADVISE,
    [VM.MSYNC]: MSYNC,
    [VM.MINCORE]: MINCORE,
    [VM.MLOCK]: MLOCK,
    [VM.MUNLOCK]: MUNLOCK,
    [VM.MLOCKALL]: MLOCKALL,
    [VM.MUNLOCKALL]: MUNLOCKALL,
    [VM.MEMBARRIER]: MEMBARRIER,
  }
}
