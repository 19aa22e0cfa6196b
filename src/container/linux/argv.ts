// exec's arguments out of guest memory: the path, the two pointer arrays, and the strings they point to, in as few rounds of COPYIN
// operations as can be. Neighbouring strings (as on a fresh stack) come in one operation. What has been copied is taken out of the
// window at once; the guest may change its memory meanwhile, and only fools itself.
import { CH, DATA_BYTES, DATA_OFF, GUEST_END, OP, OPFLAG } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { type GuestThread, getU64, MORE, opResult, opsLeft, pushOp, resetWindow } from './thread.ts'

const PATH_MAX = 4096
/** MAX_ARG_STRLEN: one string with its NUL. */
const STRING_MAX = 131072
const POINTER = 8
/** Pointers fetched at once, bytes fetched behind the last known string start, and how far apart strings may be to be fetched together. */
const POINTERS = 256
const TAIL = 192
const MORE_TAIL = 16
const GAP = 512

/** One of argv, envp. */
interface List {
  /** Where its next pointer lies; 0: the end has been found. */
  next: number
  readonly strings: Uint8Array[]
}
interface Wanted {
  readonly list: List
  readonly index: number
  readonly address: number
  /** How many bytes from its start are fetched; more when its end was not among them. */
  reach: number
}
interface Fetch {
  readonly op: number
  /** Arena offset, guest address, bytes asked for. */
  readonly at: number
  readonly address: number
  readonly bytes: number
  /** What it is for: the path (both null), pointers of a list, or strings. */
  readonly list: List | null
  readonly wanted: readonly Wanted[] | null
}
export interface Gather {
  /** Where the path lies in the guest; 0 once it is in `path`. */
  pathAddress: number
  path: Uint8Array
  readonly argv: List
  readonly envp: List
  /** Bytes the strings and pointers may take, and take so far. */
  readonly limit: number
  used: number
  pending: Wanted[]
  fetches: Fetch[]
}

const NOTHING = new Uint8Array(0)

export function newGather(pathAddress: number, argv: number, envp: number, limit: number): Gather {
  const list = (next: number): List => ({ next, strings: [] })
  return { pathAddress, path: NOTHING, argv: list(argv), envp: list(envp), limit, used: 0, pending: [], fetches: [] }
}

/** Use what the stub has prefetched for arguments `first` (path), first + 1 and first + 2 (arrays), as far as it goes. 0 or -errno. */
export function takePrefetched(t: GuestThread, g: Gather, first: number): number {
  for (let i = 0; i < 3; i++) {
    const offset = t.u32[(t.base + CH.IN + 8 * (first + i)) >> 2] as number
    const bytes = t.i32[(t.base + CH.IN + 8 * (first + i) + 4) >> 2] as number
    if (bytes <= 0 || offset < DATA_OFF || offset % POINTER !== 0 || offset + bytes > DATA_OFF + DATA_BYTES) continue
    const f = { op: 0, at: t.base + offset, address: 0, bytes: 0, list: null, wanted: null }
    const list = i === 1 ? g.argv : g.envp
    if (i === 0) takePath(t, g, f, Math.min(bytes, PATH_MAX - 1))
    else if (list.next !== 0 && bytes >= POINTER) {
      const r = takePointers(t, g, { ...f, address: list.next }, list, bytes)
      if (r < 0) return r
    }
  }
  return 0
}

/** One round: take in what the last one fetched, ask for what is missing. MORE, 0 when all is there, or -errno. */
export function gather(t: GuestThread, g: Gather): number {
  for (const f of g.fetches) {
    const got = Math.min(Math.max(opResult(t, f.op), 0), f.bytes)
    const r =
      f.wanted !== null
        ? takeStrings(t, g, f, got)
        : f.list !== null
          ? takePointers(t, g, f, f.list, got)
          : takePath(t, g, f, got)
    if (r < 0) return r
  }
  g.fetches = []
  resetWindow(t)
  if (g.pathAddress !== 0) fetch(t, g, g.pathAddress, PATH_MAX, null, null)
  if (g.argv.next !== 0) fetch(t, g, g.argv.next, POINTERS * POINTER, g.argv, null)
  if (g.envp.next !== 0) fetch(t, g, g.envp.next, POINTERS * POINTER, g.envp, null)
  fetchStrings(t, g)
  return g.fetches.length > 0 ? MORE : 0
}

function fetch(
  t: GuestThread,
  g: Gather,
  address: number,
  bytes: number,
  list: List | null,
  wanted: readonly Wanted[] | null,
): void {
  const at = t.bump
  const clipped = Math.min(bytes, Math.max(0, GUEST_END - address))
  const op = pushOp(t, OP.COPYIN, address, at - t.base, clipped, 0, 0, 0, OPFLAG.FAILOK)
  t.bump += (clipped + 7) & ~7
  g.fetches.push({ op, at, address, bytes: clipped, list, wanted })
}

function takePath(t: GuestThread, g: Gather, f: Fetch, got: number): number {
  const end = t.mem.subarray(f.at, f.at + got).indexOf(0)
  if (end < 0) return got === PATH_MAX ? -E.NAMETOOLONG : -E.FAULT
  g.path = t.mem.slice(f.at, f.at + end)
  g.pathAddress = 0
  return 0
}

function takePointers(t: GuestThread, g: Gather, f: Fetch, list: List, got: number): number {
  const before = list.strings.length
  for (let at = f.at; at + POINTER <= f.at + got; at += POINTER) {
    const address = getU64(t, at)
    if (address === 0) {
      list.next = 0
      return 0
    }
    if (address >= GUEST_END) return -E.FAULT
    g.used += POINTER
    if (g.used > g.limit) return -E.TOOBIG
    g.pending.push({ list, index: list.strings.push(NOTHING) - 1, address, reach: TAIL })
  }
  const more = list.strings.length - before
  if (got < f.bytes || more === 0) return -E.FAULT
  list.next = f.address + more * POINTER
  return 0
}

function takeStrings(t: GuestThread, g: Gather, f: Fetch, got: number): number {
  const bytes = t.mem.slice(f.at, f.at + got)
  for (const w of f.wanted as readonly Wanted[]) {
    const start = w.address - f.address
    const end = start < got ? bytes.indexOf(0, start) : -1
    if (end >= 0) {
      g.used += end - start + 1
      if (g.used > g.limit || end - start >= STRING_MAX) return -E.TOOBIG
      w.list.strings[w.index] = bytes.subarray(start, end)
    } else if (start > 0 && start >= got)
      g.pending.push(w) // behind a hole that is another string's
    else if (got < f.bytes) return -E.FAULT
    else if (w.reach === STRING_MAX) return -E.TOOBIG
    else {
      w.reach = Math.min(w.reach * MORE_TAIL, STRING_MAX)
      g.pending.push(w)
    }
  }
  return 0
}

/** Ask for as many pending strings as the op list and the window take. */
function fetchStrings(t: GuestThread, g: Gather): void {
  if (g.pending.length === 0) return
  g.pending.sort((a, b) => a.address - b.address)
  const left: Wanted[] = []
  for (let i = 0; i < g.pending.length; ) {
    const first = g.pending[i++] as Wanted
    const room = t.end - t.bump - POINTER
    if (opsLeft(t) < 2 || first.reach > room) {
      left.push(first)
      continue
    }
    const wanted = [first]
    let bytes = first.reach
    for (; i < g.pending.length; i++) {
      const next = g.pending[i] as Wanted
      const distance = next.address - first.address
      if (distance > bytes + GAP || distance + next.reach > room) break
      bytes = Math.max(bytes, distance + next.reach)
      wanted.push(next)
    }
    fetch(t, g, first.address, bytes, null, wanted)
  }
  g.pending = left
}
