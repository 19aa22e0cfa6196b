// A region: one line of /proc/PID/maps (Linux: vm_area_struct), and what it maps. Regions are plain records; space.ts keeps them sorted,
// split and merged. Addresses, lengths and offsets are bytes, always whole pages.
import { PROT_WRITE } from '../../abi/mman.ts'

/** Region.flags. What differs in them keeps neighbours apart, as Linux's vm_flags do. */
export const R = {
  SHARED: 1,
  GROWSDOWN: 2,
  NORESERVE: 4,
  LOCKED: 8,
  DONTFORK: 16,
  WIPEONFORK: 32,
  ACCOUNT: 64, // its bytes are charged to the pool
  READONLY: 128, // shared mapping of a file not open for writing: PROT_WRITE is refused (Linux: no VM_MAYWRITE)
  DONTDUMP: 256,
  HUGE: 1024, // advice that Linux keeps in vm_flags …
  NOHUGE: 2048,
  RANDOM: 4096,
  SEQUENTIAL: 8192, // … up to here
  HOSTFILE: 512, // maps a file
  ONFAULT: 16384, // locked, but only what is touched
  POPULATE: 32768, // in a request to map: fill it in at once. No region has it
  POLICY: 0x7f0000, // memory policy: numa.ts
} as const

/** What a region maps. Shared memory is charged once, for as long as a region refers to it or it is kept (object.ts). */
export interface Backing {
  readonly dev: number
  readonly ino: number
  readonly name: string
  /** Host file handle it was mapped from: mappings of different ones stay apart, as those of different open files do. -1: none. */
  readonly handle: number
  /** Shared memory that is no file: its number, by which futexes know it. 0: a file. */
  readonly object: number
  /** Regions that map it. */
  refs: number
  charge: number
  /** Where to note that `refs` has changed: somebody counts (System V segments). Regions of such stay apart, as on Linux. */
  counted: Set<Backing> | null
}
export function fileBacking(dev: number, ino: number, name: string, handle: number): Backing {
  return { dev, ino, name, handle, object: 0, refs: 0, charge: 0, counted: null }
}
/** `by` regions more map it. */
export function refer(b: Backing, by: number): void {
  b.refs += by
  b.counted?.add(b)
}

export interface Region {
  start: number
  end: number
  prot: number
  flags: number
  /** null: private anonymous memory. */
  backing: Backing | null
  /** Offset in the backing; for private anonymous memory the address it was born at (so that contiguity is the merge rule for all). */
  offset: number
}

/** Private and writable: counts towards the commit charge (Linux: accountable_mapping). MAP_NORESERVE only helps where the pool has no more. */
export function accountable(prot: number, flags: number): boolean {
  return (prot & PROT_WRITE) !== 0 && (flags & R.SHARED) === 0
}
/** Counts towards RLIMIT_DATA (Linux: is_data_mapping). */
export function isData(prot: number, flags: number): boolean {
  return (prot & PROT_WRITE) !== 0 && (flags & (R.SHARED | R.GROWSDOWN)) === 0
}
export function isAnonymous(r: Region): boolean {
  return r.backing === null
}

function sameBacking(a: Backing | null, b: Backing | null): boolean {
  if (a === b) return true
  return (
    a !== null &&
    b !== null &&
    a.charge === 0 &&
    b.charge === 0 &&
    a.ino === b.ino &&
    a.dev === b.dev &&
    a.name === b.name
  )
}
/** May b, which starts where a ends, become part of a? */
export function mergeable(a: Region, b: Region): boolean {
  return (
    a.end === b.start &&
    a.prot === b.prot &&
    a.flags === b.flags &&
    a.offset + (a.end - a.start) === b.offset &&
    sameBacking(a.backing, b.backing) &&
    (a.backing === null || a.backing.counted === null)
  )
}
