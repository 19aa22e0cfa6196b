// Where a mapping goes: Linux's get_unmapped_area for x86-64 (arch/x86/kernel/sys_x86_64.c), top-down below the space's mmap base,
// bottom-up for MAP_32BIT. GUEST_END takes the place of TASK_SIZE. What the stub keeps for itself is never given away.
import { GUEST_END, PATCH_BASE, PATCH_BYTES } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { high, type Message, uint, ulong } from '../../abi/message.ts'
import { MAP_32BIT, MAP_FIXED, PAGE } from '../../abi/mman.ts'
import { R, type Region } from './region.ts'
import type { Space } from './space.ts'

/** vm.mmap_min_addr. */
export const MMAP_MIN = 0x10000
const PATCH_END = PATCH_BASE + PATCH_BYTES
/** vm.stack_guard_gap in bytes: kept free below regions that grow down. */
export const GUARD_GAP = 256 * PAGE
const LOW_32 = 0x40000000
const HIGH_32 = 0x80000000

export function pageUp(bytes: number): number {
  return Math.ceil(bytes / PAGE) * PAGE
}
export function pageDown(bytes: number): number {
  return Math.floor(bytes / PAGE) * PAGE
}
/** Is the address in cell k not that of a page? By its low word: the whole is exact only below 2^53. */
export function isOdd(m: Message, k: number): boolean {
  return uint(m, k) % PAGE !== 0
}
/** The length in cell k in whole pages, as Linux's PAGE_ALIGN has it: one just below 2^64 comes to 0. */
export function lengthUp(m: Message, k: number): number {
  return high(m, k) === -1 && uint(m, k) > 2 ** 32 - PAGE ? 0 : pageUp(ulong(m, k))
}
/** Does [start, end) touch what is the stub's? */
export function reserved(start: number, end: number): boolean {
  return start < PATCH_END && end > PATCH_BASE
}
/** A fixed place: 0, or why not. */
export function checkFixed(address: number, length: number): number {
  if (address > GUEST_END - length) return -E.NOMEM
  if (address % PAGE !== 0) return -E.INVAL
  return address < MMAP_MIN || reserved(address, address + length) ? -E.PERM : 0
}
/** Lowest address nothing may be mapped up to because of r. */
function lowEdge(r: Region): number {
  return r.flags & R.GROWSDOWN ? r.start - GUARD_GAP : r.start
}

/** Address for `length` bytes (whole pages) near `hint` (rounded already; 0 = none), or -errno. */
export function place(space: Space, hint: number, length: number, flags: number, random32: number): number {
  if (length > GUEST_END) return -E.NOMEM
  if (flags & MAP_FIXED) return checkFixed(hint, length) || hint
  if (flags & MAP_32BIT) {
    if (fits(space, hint, length, HIGH_32)) return hint
    return bottomUp(space, length, LOW_32 + random32 * PAGE, HIGH_32)
  }
  if (fits(space, hint, length, GUEST_END)) return hint
  const address = topDown(space, length, space.base)
  return address >= 0 ? address : bottomUp(space, length, pageDown(GUEST_END / 3), GUEST_END)
}
function fits(space: Space, hint: number, length: number, end: number): boolean {
  if (hint < MMAP_MIN || hint > end - length || reserved(hint, hint + length)) return false
  const next = space.regions[space.index(hint)]
  return next === undefined || hint + length <= lowEdge(next)
}
/** The highest free place that ends at or below `high`. */
export function topDown(space: Space, length: number, high: number): number {
  let ceiling = high
  for (let i = Math.min(space.index(high) + 1, space.regions.length - 1); i >= 0; i--) {
    const r = space.regions[i] as Region
    if (r.start < ceiling && ceiling - r.end >= length) return ceiling - length
    ceiling = Math.min(ceiling, lowEdge(r))
  }
  return ceiling - PATCH_END >= length ? ceiling - length : -E.NOMEM
}
function bottomUp(space: Space, length: number, low: number, high: number): number {
  let floor = low
  for (let i = space.index(low); i < space.regions.length; i++) {
    const r = space.regions[i] as Region
    if (lowEdge(r) - floor >= length) break
    floor = r.end
  }
  return high - floor >= length ? floor : -E.NOMEM
}
