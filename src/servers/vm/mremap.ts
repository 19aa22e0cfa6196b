// mremap (mm/mremap.c): shrink, grow in place, move. One region at a time, as Linux has it; without MREMAP_DONTUNMAP, as before 5.7
// (the host's filter lets nothing remain in the old place).
import { GUEST_END, OP } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { int, type Message, ulong } from '../../abi/message.ts'
import { MAP_FIXED, MREMAP_FIXED, MREMAP_MAYMOVE, PAGE } from '../../abi/mman.ts'
import type { CallVector } from '../../lib/server.ts'
import { VM } from '../../protocol/vm.ts'
import { checkLock, MAX_REGIONS, mayExpand } from './budget.ts'
import { hostFlags } from './map.ts'
import { GUARD_GAP, pageUp, place } from './place.ts'
import { R, type Region, refer } from './region.ts'
import type { Row, State } from './state.ts'
import { unmap } from './unmap.ts'

export function mremapCalls(state: State): CallVector {
  const { sys, pool } = state

  function MREMAP(m: Message, from: number): number {
    const row = state.caller(from)
    if (row === undefined) return -E.SRCH
    const { space } = row
    const old = ulong(m, 0)
    const flags = int(m, 3)
    if (flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED)) return -E.INVAL
    if (flags & MREMAP_FIXED && !(flags & MREMAP_MAYMOVE)) return -E.INVAL
    const oldLength = pageUp(ulong(m, 1))
    const newLength = pageUp(ulong(m, 2))
    if (old % PAGE !== 0 || newLength === 0) return -E.INVAL
    const to = ulong(m, 4)
    if (flags & MREMAP_FIXED && !fitsAt(old, oldLength, to, newLength)) return -E.INVAL
    const r = space.at(old)
    if (r === null) return -E.FAULT
    if (flags & MREMAP_FIXED) return moveTo(row, r, old, oldLength, newLength, to)
    if (oldLength >= newLength) {
      const done = oldLength > newLength ? unmap(state, row, old + newLength, old + oldLength) : 0
      return done < 0 ? done : old
    }
    return grow(row, r, old, oldLength, newLength, flags)
  }

  /** May [old, old + oldLength) of r become newLength long (Linux: vma_to_resize)? */
  function checkResize(row: Row, r: Region, old: number, oldLength: number, newLength: number): number {
    if (oldLength === 0 && !(r.flags & R.SHARED)) return -E.INVAL
    if (oldLength > r.end - old) return -E.FAULT
    const more = newLength - oldLength
    if (more <= 0) return 0
    if (r.flags & R.LOCKED && checkLock(state, row, more, E.AGAIN) < 0) return -E.AGAIN
    if (!mayExpand(row, r.prot, r.flags, more)) return -E.NOMEM
    return r.flags & R.ACCOUNT && !pool.allows(more) ? -E.NOMEM : 0
  }

  function grow(row: Row, r: Region, old: number, oldLength: number, newLength: number, flags: number): number {
    const { space } = row
    const why = checkResize(row, r, old, oldLength, newLength)
    if (why < 0) return why
    if (old + oldLength === r.end && roomBehind(row, r, newLength - oldLength))
      return growInPlace(row, r, old, oldLength, newLength)
    if (!(flags & MREMAP_MAYMOVE)) return -E.NOMEM
    const to = place(space, 0, newLength, 0, 0)
    return to < 0 ? to : move(row, r, old, oldLength, newLength, to)
  }
  function roomBehind(row: Row, r: Region, more: number): boolean {
    if (r.end + more > GUEST_END) return false
    const next = row.space.regions[row.space.index(r.end)]
    return next === undefined || r.end + more <= (next.flags & R.GROWSDOWN ? next.start - GUARD_GAP : next.start)
  }
  /** Private memory is extended by a new mapping (regions of ours may be several of the host's), the rest by the host's mremap. */
  function growInPlace(row: Row, r: Region, old: number, oldLength: number, newLength: number): number {
    const { space } = row
    const start = r.end
    const end = old + newLength
    const done =
      r.backing === null
        ? sys.vmctl(row.endpoint, OP.MMAP, start, end - start, r.prot, hostFlags(r.flags, -1), 0, -1, 0)
        : sys.vmctl(row.endpoint, OP.MREMAP, old, oldLength, newLength, 0, 0, -1, 0)
    if (done < 0) return done
    if (r.flags & R.ACCOUNT) pool.charge(end - start)
    space.add({ ...r, start, end, offset: r.offset + (start - r.start) })
    row.lastStart = start
    row.lastEnd = end
    return old
  }

  function moveTo(row: Row, r: Region, old: number, oldLength: number, newLength: number, to: number): number {
    if (row.space.regions.length >= MAX_REGIONS - 3) return -E.NOMEM
    const kept = Math.min(oldLength, newLength)
    const why = checkResize(row, r, old, kept, newLength)
    if (why < 0) return why
    const address = place(row.space, to, newLength, MAP_FIXED, 0)
    if (address < 0) return address
    const done = oldLength > newLength ? unmap(state, row, old + newLength, old + oldLength) : 0
    return done < 0 ? done : move(row, r, old, kept, newLength, address)
  }

  /** Carry the move out. What was at the new place goes; the host's mremap does the same with MREMAP_FIXED. */
  function move(row: Row, r: Region, old: number, oldLength: number, newLength: number, to: number): number {
    const { space } = row
    const left = oldLength > 0 ? { ...r, start: old, end: old + oldLength, offset: r.offset + (old - r.start) } : null
    const moved = { ...r, start: to, end: to + newLength, offset: r.offset + (old - r.start) }
    const done = sys.vmctl(row.endpoint, OP.MREMAP, old, oldLength, newLength, MREMAP_MAYMOVE | MREMAP_FIXED, to, -1, 0)
    if (done < 0) return done
    if (moved.backing !== null) refer(moved.backing, 1) // keeps the object while its regions come and go
    if (space.overlaps(to, to + newLength)) space.remove(to, to + newLength)
    if (oldLength > 0) space.remove(old, old + oldLength)
    if (moved.flags & R.ACCOUNT) pool.charge(newLength)
    space.add(moved)
    if (moved.backing !== null) refer(moved.backing, -1)
    row.lastStart = to
    row.lastEnd = to + newLength
    row.lastMoved = left
    return to
  }

  return { [VM.MREMAP]: MREMAP }
}

/** Can [to, to + newLength) be a place for what is at `old`? */
function fitsAt(old: number, oldLength: number, to: number, newLength: number): boolean {
  if (to % PAGE !== 0 || newLength > GUEST_END || to > GUEST_END - newLength) return false
  return old + oldLength <= to || to + newLength <= old
}
