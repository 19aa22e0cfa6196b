// munmap, mprotect, brk, and undoing what the host refused (mm/mmap.c, mm/mprotect.c).
import { GUEST_END, OP, PATCH_BASE, PATCH_BYTES } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { int, type Message, ulong } from '../../abi/message.ts'
import { PAGE, PROT_EXEC, PROT_GROWSDOWN, PROT_GROWSUP, PROT_READ, PROT_SEM, PROT_WRITE } from '../../abi/mman.ts'
import type { CallVector } from '../../lib/server.ts'
import { VM } from '../../protocol/vm.ts'
import { accountFlag, checkLock, MAX_REGIONS } from './budget.ts'
import { mapAt } from './map.ts'
import { GUARD_GAP, isOdd, pageUp } from './place.ts'
import { isData, R, type Region } from './region.ts'
import { begin, type Row, type State } from './state.ts'

const PATCH_END = PATCH_BASE + PATCH_BYTES

/** Take away what is mapped in [start, end): host first, around what is the stub's, then the space. 0 or -errno. */
export function unmap(state: State, row: Row, start: number, end: number): number {
  const { space } = row
  const first = space.regions[space.index(start)]
  if (first === undefined || first.start >= end) return 0
  if (first.start < start && first.end > end && space.regions.length >= MAX_REGIONS) return -E.NOMEM
  const last = space.regions[space.index(end - PAGE)] ?? (space.regions.at(-1) as Region)
  const low = Math.max(start, first.start)
  const high = Math.min(end, last.start < end ? last.end : end)
  const split = low < PATCH_END && high > PATCH_BASE
  const done = hostUnmap(state, row, low, split ? PATCH_BASE : high)
  if (done < 0) return done
  if (split && space.overlaps(PATCH_END, high)) {
    const above = hostUnmap(state, row, PATCH_END, high)
    if (above < 0) return above
  }
  space.remove(start, end)
  return 0
}
function hostUnmap(state: State, row: Row, start: number, end: number): number {
  return state.sys.vmctl(row.endpoint, OP.MUNMAP, start, end - start, 0, 0, 0, -1, 0)
}

export function unmapCalls(state: State): CallVector {
  const { sys, pool } = state

  function MUNMAP(m: Message, from: number): number {
    const row = state.caller(from)
    if (row === undefined) return -E.SRCH
    const address = ulong(m, 0)
    const bytes = ulong(m, 1)
    if (isOdd(m, 0) || address > GUEST_END || bytes > GUEST_END - address || bytes === 0) return -E.INVAL
    return unmap(state, row, address, address + pageUp(bytes))
  }

  /** Linux applies mprotect region by region and stops at the first that refuses; what came before stays changed. */
  function MPROTECT(m: Message, from: number): number {
    const row = state.caller(from)
    if (row === undefined) return -E.SRCH
    const { space } = row
    let start = ulong(m, 0)
    const grows = int(m, 2) & (PROT_GROWSDOWN | PROT_GROWSUP)
    const prot = int(m, 2) & ~(PROT_GROWSDOWN | PROT_GROWSUP)
    if (grows === (PROT_GROWSDOWN | PROT_GROWSUP) || isOdd(m, 0)) return -E.INVAL
    const bytes = ulong(m, 1)
    if (bytes === 0) return 0
    const end = start + pageUp(bytes)
    if (end >= 2 ** 64) return -E.NOMEM
    if (prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM)) return -E.INVAL
    const first = space.regions[space.index(start)]
    if (first === undefined) return -E.NOMEM
    if (grows === PROT_GROWSDOWN) {
      if (first.start >= end) return -E.NOMEM
      if (!(first.flags & R.GROWSDOWN)) return -E.INVAL
      start = first.start
    } else {
      if (first.start > start) return -E.NOMEM
      if (grows === PROT_GROWSUP) return -E.INVAL
    }
    return protect(row, start, end, prot & 7)
  }
  function protect(row: Row, start: number, end: number, prot: number): number {
    const { space } = row
    if (space.regions.length >= MAX_REGIONS - 2) return -E.NOMEM
    let result = 0
    let stop = space.coveredTo(start, end)
    if (stop < end) result = -E.NOMEM
    for (let at = start; at < stop; ) {
      const r = space.regions[space.index(at)] as Region
      const why = mayProtect(row, r, Math.max(at, r.start), Math.min(stop, r.end), prot)
      if (why < 0) {
        result = why
        stop = at
        break
      }
      at = r.end
    }
    if (stop === start) return result
    const done = sys.vmctl(row.endpoint, OP.MPROTECT, start, stop - start, prot, 0, 0, -1, 0)
    if (done < 0) return done
    apply(row, start, stop, prot)
    return result
  }
  /** 0 or why this part can't have the new protection. */
  function mayProtect(row: Row, r: Region, start: number, end: number, prot: number): number {
    if (prot & PROT_WRITE && r.flags & R.READONLY) return -E.ACCES
    const data = isData(prot, r.flags) && !isData(r.prot, r.flags)
    if (data && row.space.data + (end - start) > row.limits.data) return -E.NOMEM
    return toCharge(r, prot) && !(r.flags & R.NORESERVE) && !pool.allows(end - start) ? -E.NOMEM : 0
  }
  /** Does the new protection make memory countable that wasn't? Once charged it stays so, unless it was to be had without reservation. */
  function toCharge(r: Region, prot: number): boolean {
    return (r.flags & R.ACCOUNT) === 0 && accountFlag(prot, r.flags) !== 0
  }
  function toUncharge(r: Region, prot: number): boolean {
    return (r.flags & (R.ACCOUNT | R.NORESERVE)) === (R.ACCOUNT | R.NORESERVE) && accountFlag(prot, r.flags) === 0
  }
  function apply(row: Row, start: number, stop: number, prot: number): void {
    const { space } = row
    for (let at = start; at < stop; ) {
      const r = space.regions[space.index(at)] as Region
      const end = Math.min(stop, r.end)
      const charge = toCharge(r, prot) && pool.allows(end - at)
      const uncharge = toUncharge(r, prot)
      if (charge) pool.charge(end - at)
      if (uncharge) pool.uncharge(end - at)
      space.change(at, end, prot, charge ? R.ACCOUNT : 0, uncharge ? R.ACCOUNT : 0)
      at = end
    }
  }

  /** brk(2) as the kernel has it: the new break, or the old one when it can't be. */
  function BRK(m: Message, from: number): number {
    const row = state.caller(from)
    if (row === undefined) return -E.SRCH
    const { space, limits } = row
    const want = ulong(m, 0)
    const old = space.brk
    if (want < space.startBrk || want > GUEST_END || want - space.startBrk > limits.data) return old
    const from_ = pageUp(old)
    const to = pageUp(want)
    if (to < from_) {
      if (unmap(state, row, to, from_) < 0) return old
    } else if (to > from_) {
      const next = space.regions[space.index(from_)]
      if (next !== undefined && to + PAGE > (next.flags & R.GROWSDOWN ? next.start - GUARD_GAP : next.start)) return old
      if (space.lockFuture !== 0 && checkLock(state, row, to - from_, E.AGAIN) < 0) return old
      const flags = space.lockFuture === R.LOCKED ? R.LOCKED | R.POPULATE : space.lockFuture
      if (mapAt(state, row, from_, to - from_, PROT_READ | PROT_WRITE, flags, null, -1, 0) < 0) return old
      row.lastBrk = old
    }
    space.brk = want
    return want
  }

  /** The host refused: away with what the last call mapped, here and there; what it moved never left its place. */
  function FAILED(_m: Message, from: number): number {
    const row = state.row(from)
    if (row === undefined) return -E.SRCH
    const { space } = row
    const moved = row.lastMoved
    if (moved !== null) {
      if (moved.flags & R.ACCOUNT) pool.charge(moved.end - moved.start)
      space.add(moved)
    }
    if (row.lastEnd > row.lastStart) {
      if (row.lastBrk !== 0) space.brk = row.lastBrk
      unmap(state, row, row.lastStart, row.lastEnd)
    }
    begin(row)
    return 0
  }

  /** A fault below a region that grows down, no closer than the guard gap to the one below: grow it to that page. */
  function GROW(m: Message, from: number): number {
    const row = state.row(from)
    if (row === undefined) return 0
    const { space, limits } = row
    const page = ulong(m, 0) - (ulong(m, 0) % PAGE)
    const i = space.index(page)
    const r = space.regions[i]
    if (r === undefined || !(r.flags & R.GROWSDOWN) || r.start <= page || r.end - page > limits.stack) return 0
    const below = space.regions[i - 1]
    if (below !== undefined && below.end + GUARD_GAP > page && (below.prot & 7) !== 0 && !(below.flags & R.GROWSDOWN))
      return 0
    return mapAt(state, row, page, r.start - page, r.prot, r.flags & ~R.ACCOUNT, null, -1, 0) < 0 ? 0 : 1
  }

  return { [VM.MUNMAP]: MUNMAP, [VM.MPROTECT]: MPROTECT, [VM.BRK]: BRK, [VM.FAILED]: FAILED, [VM.GROW]: GROW }
}
