// Calls about memory that is there: madvise, msync, mincore, membarrier (mm/madvise.c, msync.c, mincore.c; kernel/sched/membarrier.c).
// Advice that only hints is checked and dropped; what changes contents or inheritance is the host's to do. Locking: lock.ts.
import { OP } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { high, int, type Message, uint, ulong } from '../../abi/message.ts'
import { MADV, MEMBARRIER as MEMBARRIER_CMD, MS_ASYNC, MS_INVALIDATE, MS_SYNC, PAGE, PROT_WRITE } from '../../abi/mman.ts'
import type { CallVector } from '../../lib/server.ts'
import { VM } from '../../protocol/vm.ts'
import { isOdd, lengthUp, pageUp } from './place.ts'
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
  [MADV.REMOVE]: [MADV.REMOVE, 0, 0],
  [MADV.POPULATE_READ]: [MADV.POPULATE_READ, 0, 0],
  [MADV.POPULATE_WRITE]: [MADV.POPULATE_WRITE, 0, 0],
}
const KNOWN = new Set<number>(Object.values(MADV))
const HWPOISON = 100
const SOFT_OFFLINE = 101
/** TASK_SIZE_MAX. */
const USER_END = 2 ** 47 - PAGE
/** What must have been registered before a command. */
const REGISTRATION: Readonly<Record<number, number>> = {
  [MEMBARRIER_CMD.PRIVATE_EXPEDITED]: MEMBARRIER_CMD.REGISTER_PRIVATE_EXPEDITED,
  [MEMBARRIER_CMD.PRIVATE_EXPEDITED_SYNC_CORE]: MEMBARRIER_CMD.REGISTER_PRIVATE_EXPEDITED_SYNC_CORE,
}
const REGISTERS = new Set<number>([...Object.values(REGISTRATION), MEMBARRIER_CMD.REGISTER_GLOBAL_EXPEDITED])

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
      return r.flags & R.SHARED && !(r.flags & R.READONLY) ? 0 : -E.ACCES
    case MADV.POPULATE_READ:
      return (r.prot & 7) === 0 ? -E.INVAL : 0
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
    if (!KNOWN.has(advice) || isOdd(m, 0)) return -E.INVAL
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
    if (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || isOdd(m, 0)) return -E.INVAL
    if (flags & MS_ASYNC && flags & MS_SYNC) return -E.INVAL
    const end = start + lengthUp(m, 1)
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

  /** The host says, page by page. */
  function MINCORE(m: Message, from: number): number {
    const row = state.caller(from)
    if (row === undefined) return -E.SRCH
    const start = ulong(m, 0)
    if (isOdd(m, 0)) return -E.INVAL
    const length = pageUp(ulong(m, 1))
    if (start + ulong(m, 1) > USER_END) return -E.NOMEM
    if (high(m, 2) < length / PAGE) return -E.FAULT
    if (length === 0) return 0
    if (!row.space.covers(start, start + length)) return -E.NOMEM
    return sys.vmctl(row.endpoint, OP.MINCORE, start, length, uint(m, 2), 0, 0, -1, 0)
  }

  /** Threads that run code of this space (or, for the global ones, of any that asked for it) pass a barrier: the host sees to it. */
  function MEMBARRIER(m: Message, from: number): number {
    const row = state.caller(from)
    if (row === undefined) return -E.SRCH
    const command = int(m, 0)
    const { space } = row
    if (int(m, 1) !== 0) return -E.INVAL
    if (command === MEMBARRIER_CMD.QUERY) return state.barriers
    if (command === MEMBARRIER_CMD.GET_REGISTRATIONS && state.barriers & command) return space.barriers
    if (!(command & state.barriers) || (command & (command - 1)) !== 0) return -E.INVAL
    const wanted = REGISTRATION[command] ?? 0
    if (wanted !== 0 && !(space.barriers & wanted)) return -E.PERM
    if (REGISTERS.has(command)) space.barriers |= command
    return sys.vmctl(row.endpoint, OP.MEMBARRIER, command, 0, 0, 0, 0, -1, 0)
  }

  return { [VM.MADVISE]: MADVISE, [VM.MSYNC]: MSYNC, [VM.MINCORE]: MINCORE, [VM.MEMBARRIER]: MEMBARRIER }
}
