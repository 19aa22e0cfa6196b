// mremap (mm/mremap.c): shrink, grow in place, move, move and leave an empty place behind (MREMAP_DONTUNMAP). One region at a time, as
// Linux had it until 6.17.
import { GUEST_END, OP } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { int, type Message, uint, ulong } from '../../abi/message.ts'
import { MAP_FIXED, MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE } from '../../abi/mman.ts'
import type { CallVector } from '../../lib/server.ts'
import { VM } from '../../protocol/vm.ts'
import { checkLock, MAX_REGIONS, mayExpand } from './budget.ts'
import { hostFlags } from './map.ts'
import { GUARD_GAP, isOdd, lengthUp, pageDown, place } from './place.ts'
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
    if (flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP)) return -E.INVAL
    if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) && !(flags & MREMAP_MAYMOVE)) return -E.INVAL
    if (flags & MREMAP_DONTUNMAP && (uint(m, 1) !== uint(m, 2) || ulong(m, 1) !== ulong(m, 2))) return -E.INVAL
    const oldLength = lengthUp(m, 1)
    const newLength = lengthUp(m, 2)
    if (isOdd(m, 0) || newLength === 0) return -E.INVAL
    const to = ulong(m, 4)
    const placed = (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) !== 0
    if (placed && (isOdd(m, 4) || !fitsAt(old, oldLength, to, newLength))) return -E.INVAL
    const r = space.at(old)
    if (r === null) return -E.FAULT
    if (placed) return moveTo(row, r, old, oldLength, newLength, to, flags)
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
    return to < 0 ? to : move(row, r, old, oldLength, newLength, to, false)
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

  function moveTo(row: Row, r: Region, old: number, oldLength: number, newLength: number, to: number, flags: number): number {
    if (row.space.regions.length >= MAX_REGIONS - 3) return -E.NOMEM
    const kept = Math.min(oldLength, newLength)
    const stays = (flags & MREMAP_DONTUNMAP) !== 0
    const why = checkResize(row, r, old, kept, newLength)
    if (why < 0) return why
    if (stays && !mayExpand(row, r.prot, r.flags, newLength)) return -E.NOMEM
    if (stays && r.flags & R.ACCOUNT && !pool.allows(newLength)) return -E.NOMEM
    const address = place(row.space, pageDown(to), newLength, flags & MREMAP_FIXED ? MAP_FIXED : 0, 0)
    if (address < 0) return address
    const done = oldLength > newLength ? unmap(state, row, old + newLength, old + oldLength) : 0
    return done < 0 ? done : move(row, r, old, kept, newLength, address, stays)
  }

  /** Carry the move out. What was at the new place goes; the host's mremap does the same with MREMAP_FIXED. stays: so does the old place. */
  function move(row: Row, r: Region, old: number, oldLength: number, newLength: number, to: number, stays: boolean): number {
    const { space } = row
    const how = MREMAP_MAYMOVE | MREMAP_FIXED | (stays ? MREMAP_DONTUNMAP : 0)
    const left = oldLength > 0 ? { ...r, start: old, end: old + oldLength, offset: r.offset + (old - r.start) } : null
    const moved = { ...r, start: to, end: to + newLength, offset: r.offset + (old - r.start) }
    const done = sys.vmctl(row.endpoint, OP.MREMAP, old, oldLength, newLength, how, to, -1, 0)
    if (done < 0) return done
    if (moved.backing !== null) refer(moved.backing, 1) // keeps the object while its regions come and go
    if (space.overlaps(to, to + newLength)) space.remove(to, to + newLength)
    if (stays) space.change(old, old + oldLength, -1, 0, R.LOCKED | R.ONFAULT)
    else if (oldLength > 0) space.remove(old, old + oldLength)
    if (moved.flags & R.ACCOUNT) pool.charge(newLength)
    space.add(moved)
    if (moved.backing !== null) refer(moved.backing, -1)
    row.lastStart = to
    row.lastEnd = to + newLength
    row.lastMoved = stays ? null : left
    return to
  }

  return { [VM.MREMAP]: MREMAP }
}

/** Can [to, to + newLength) be a place for what is at `old`? */
function fitsAt(old: number, oldLength: number, to: number, newLength: number): boolean {
  if (newLength > GUEST_END || to > GUEST_END - newLength) return false
  return old + oldLength <= to || to + newLength <= old
}
