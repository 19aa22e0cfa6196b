// Making mappings: mmap (mm/mmap.c, do_mmap) and what it shares with exec and brk. Everything is checked first; then the host
// operation is ordered, then the space changed.
import { OP } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { EP, int, type Message, setGrant, setInt, TYPE, uint, ulong } from '../../abi/message.ts'
import {
  MAP_32BIT,
  MAP_ANONYMOUS,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_GROWSDOWN,
  MAP_HUGE_MASK,
  MAP_HUGE_SHIFT,
  MAP_HUGETLB,
  MAP_LEGACY,
  MAP_LOCKED,
  MAP_NONBLOCK,
  MAP_NORESERVE,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  MAP_SHARED_VALIDATE,
  MAP_STACK,
  MAP_TYPE,
  PAGE,
  PROT_WRITE,
} from '../../abi/mman.ts'
import type { CallVector } from '../../lib/server.ts'
import { FS } from '../../protocol/fs.ts'
import { VM } from '../../protocol/vm.ts'
import { accountFlag, charged, checkLock, MAX_REGIONS, mayExpand } from './budget.ts'
import { memoryBacking, takeMemory } from './object.ts'
import { MMAP_MIN, pageDown, pageUp, place } from './place.ts'
import { type Backing, fileBacking, R } from './region.ts'
import type { Row, State } from './state.ts'

const PATH_MAX = 4096
/** Largest file offset a mapping may reach (MAX_LFS_FILESIZE). */
const FILE_END = 2 ** 63
/** Reply bits of FS.MAP's cell 1. */
const ZERO_FILL = 1
const WRITABLE = 2

/** Host flags for memory mapped from host descriptor `handle` (-1: private zeroes), without host reservation: the pool is what counts. */
export function hostFlags(flags: number, handle: number): number {
  const kind = (flags & R.SHARED ? MAP_SHARED : MAP_PRIVATE) | (handle < 0 ? MAP_ANONYMOUS : 0)
  return kind | MAP_FIXED | MAP_NORESERVE | (flags & R.POPULATE ? MAP_POPULATE : 0)
}

/** Map [address, address + length) for good, replacing what is there. Limits and the pool are asked here. 0 or -errno. */
export function mapAt(
  state: State,
  row: Row,
  address: number,
  length: number,
  prot: number,
  flags: number,
  backing: Backing | null,
  handle: number,
  offset: number,
): number {
  const { space } = row
  const { pool, sys } = state
  const end = address + length
  const replaced = space.overlaps(address, end)
  if (space.regions.length >= MAX_REGIONS) return -E.NOMEM
  if (!mayExpand(row, prot, flags, length - (replaced ? space.mapped(address, end) : 0))) return -E.NOMEM
  const less = replaced ? charged(space, address, end) : 0
  let account = accountFlag(prot, flags)
  if (account !== 0 && !pool.allows(length - less)) {
    if (!(flags & R.NORESERVE)) return -E.NOMEM
    account = 0
  }
  const own = account !== 0 ? length : 0
  const done = sys.vmctl(
    row.endpoint,
    OP.MMAP,
    address,
    length,
    prot,
    hostFlags(flags, handle),
    0,
    handle,
    handle < 0 ? 0 : offset,
  )
  if (done < 0) return done
  if (replaced) space.remove(address, end)
  pool.charge(own)
  const kept = (flags & ~R.POPULATE) | account
  space.add({ start: address, end, prot, flags: kept, backing, offset: backing === null ? address : offset })
  row.lastStart = address
  row.lastEnd = end
  return 0
}

/** What FS.MAP said about the file of the mmap in hand. */
interface Mapped {
  handle: number
  flags: number
  backing: Backing | null
}

export function mapCalls(state: State): CallVector {
  const { sys, out, pool } = state
  const mapped: Mapped = { handle: -1, flags: 0, backing: null }

  /** Ask FS for the file behind `fd`. 0 or -errno. */
  function askFile(endpoint: number, fd: number, prot: number, flags: number): number {
    sys.mem.fill(0, sys.buffer, sys.buffer + PATH_MAX)
    out[TYPE] = FS.MAP
    setInt(out, 0, endpoint)
    setInt(out, 1, fd)
    setInt(out, 2, prot)
    setInt(out, 3, flags)
    setGrant(out, 4, sys.buffer, PATH_MAX)
    const handle = sys.sendrec(EP.FS, out)
    if (handle < 0) return handle
    const kind = int(out, 1)
    if (kind & ZERO_FILL) {
      useMemory(flags)
      return 0
    }
    mapped.handle = handle
    mapped.backing = fileBacking(ulong(out, 3), ulong(out, 2), pathAt(sys.buffer), handle)
    const shared = (flags & MAP_TYPE) !== MAP_PRIVATE
    mapped.flags =
      R.HOSTFILE | (shared ? R.SHARED : 0) | (shared && !(kind & WRITABLE) && !(prot & PROT_WRITE) ? R.READONLY : 0)
    return 0
  }
  function useMemory(flags: number): void {
    mapped.handle = -1
    mapped.flags = (flags & MAP_TYPE) === MAP_PRIVATE ? 0 : R.SHARED
    mapped.backing = null
  }
  function pathAt(offset: number): string {
    let end = offset
    while (sys.mem[end] !== 0 && end < offset + PATH_MAX) end++
    let path = ''
    for (let i = offset; i < end; i++) path += String.fromCharCode(sys.mem[i] as number)
    return path
  }

  /** Checks that come before anything is looked up, and the file. 0 or -errno. */
  function source(m: Message, from: number, prot: number, flags: number): number {
    if (uint(m, 5) % PAGE !== 0) return -E.INVAL
    const type = flags & MAP_TYPE
    if (flags & MAP_ANONYMOUS) {
      if (flags & MAP_HUGETLB) return hugePages(flags)
      useMemory(flags)
      return type !== MAP_SHARED && type !== MAP_PRIVATE
        ? -E.INVAL
        : type === MAP_SHARED && flags & MAP_GROWSDOWN
          ? -E.INVAL
          : 0
    }
    const r = askFile(from, int(m, 4), prot, flags)
    if (r < 0) return r
    if (flags & MAP_HUGETLB) return -E.INVAL
    if (type === MAP_SHARED_VALIDATE && flags & ~MAP_LEGACY) return -E.OPNOTSUPP
    if (type !== MAP_SHARED && type !== MAP_PRIVATE && type !== MAP_SHARED_VALIDATE) return -E.INVAL
    if (flags & MAP_GROWSDOWN) return -E.INVAL
    return ulong(m, 5) + ulong(m, 1) > FILE_END ? -E.OVERFLOW : 0
  }

  function MMAP(m: Message, from: number): number {
    const row = state.caller(from)
    if (row === undefined) return -E.SRCH
    const prot = int(m, 2) & 7
    let flags = int(m, 3)
    const bytes = ulong(m, 1)
    const wrong = source(m, from, prot, flags)
    if (wrong < 0) return wrong
    if (bytes === 0) return -E.INVAL
    const length = pageUp(bytes)
    if (flags & MAP_FIXED_NOREPLACE) flags |= MAP_FIXED
    const hint = flags & MAP_FIXED ? ulong(m, 0) : roundHint(ulong(m, 0))
    const { space, limits } = row
    const address = place(space, hint, length, flags, flags & MAP_32BIT ? state.random(13) : 0)
    if (address < 0) return address
    if (flags & MAP_FIXED_NOREPLACE && space.overlaps(address, address + length)) return -E.EXIST
    let kind = mapped.flags
    if (flags & MAP_LOCKED && limits.memlock === 0) {
      const why = checkLock(state, row, length, E.AGAIN)
      if (why < 0) return why
    }
    if (flags & MAP_LOCKED || space.lockFuture !== 0) {
      if (checkLock(state, row, length, E.AGAIN) < 0) return -E.AGAIN
      kind |= flags & MAP_LOCKED ? R.LOCKED | (space.lockFuture & R.ONFAULT) : space.lockFuture
    }
    if ((flags & (MAP_POPULATE | MAP_NONBLOCK)) === MAP_POPULATE || (kind & (R.LOCKED | R.ONFAULT)) === R.LOCKED) kind |= R.POPULATE
    if (flags & MAP_GROWSDOWN) kind |= R.GROWSDOWN
    if (flags & MAP_STACK) kind |= R.NOHUGE
    if (flags & MAP_NORESERVE) kind |= R.NORESERVE
    const { backing, handle } = mapped
    const failed =
      kind & R.SHARED && backing === null
        ? mapShared(row, address, length, prot, kind)
        : mapAt(state, row, address, length, prot, kind, backing, handle, backing === null ? 0 : ulong(m, 5))
    return failed < 0 ? failed : address
  }
  /** Fresh shared memory that is no file. Forks inherit the mapping, so nobody needs its descriptor again. */
  function mapShared(row: Row, address: number, length: number, prot: number, flags: number): number {
    const fd = takeMemory(state, length)
    if (fd < 0) return fd
    const backing = memoryBacking(state, length, '/dev/zero (deleted)')
    const failed = mapAt(state, row, address, length, prot, flags, backing, fd, 0)
    state.memory.close(fd)
    if (failed < 0) pool.uncharge(length)
    return failed
  }

  return { [VM.MMAP]: MMAP }
}

function roundHint(address: number): number {
  const hint = pageDown(address)
  return hint !== 0 && hint < MMAP_MIN ? MMAP_MIN : hint
}
/** There are no huge pages to give: a size Linux knows is out of memory, another is invalid. */
function hugePages(flags: number): number {
  const log = (flags >>> MAP_HUGE_SHIFT) & MAP_HUGE_MASK
  return log === 0 || log === 21 || log === 30 ? -E.NOMEM : -E.INVAL
}
