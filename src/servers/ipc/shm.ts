// Shared memory: shmget, shmat, shmdt, shmctl (ipc/shm.c). A segment's memory is an object of the memory server's; here are its name,
// owner, times and how often it is attached, which is the number of regions VM counts, as on Linux.
// Invariant: a removed segment (SHM_DEST) has no key, and goes when the last region that maps it does.
import { E } from '../../abi/errno.ts'
import { EP, high, int, type Message, setGrant, setInt, setLong, TYPE, uint, ulong } from '../../abi/message.ts'
import { PROT_EXEC, PROT_READ, PROT_WRITE } from '../../abi/mman.ts'
import type { CallVector } from '../../lib/server.ts'
import { IPC } from '../../protocol/ipc.ts'
import { ATTACH_REMAP, VM } from '../../protocol/vm.ts'
import { CMD, getByKey, newPerm, owns, type Perm, permits, READ, readPerm, WRITE, writePerm } from './perm.ts'
import { CAP, type Caller, callerOf, can, type IpcState, pidOf, seconds } from './state.ts'

const PAGE = 4096
const SHM = { RDONLY: 0o10000, RND: 0o20000, REMAP: 0o40000, EXEC: 0o100000, HUGETLB: 0o4000 } as const
const MODE = { DEST: 0o1000, LOCKED: 0o2000 } as const
const LOCK = 11
const UNLOCK = 12
const SHM_STAT = 13
const SHM_INFO = 14
const SHM_STAT_ANY = 15
/** struct shmid64_ds, shminfo64, shm_info. */
const DS = { SIZE: 48, ATIME: 56, DTIME: 64, CTIME: 72, CPID: 80, LPID: 84, NATTCH: 88, BYTES: 112 } as const
const INFO = { MAX: 0, MIN: 8, MNI: 16, SEG: 24, ALL: 32, BYTES: 72 } as const
const USE = { IDS: 0, TOTAL: 8, RSS: 16, BYTES: 48 } as const

export interface Segment extends Perm {
  readonly object: number
  readonly bytes: number
  attached: number
  readonly cpid: number
  lpid: number
  atime: number
  dtime: number
  ctime: number
}

export function pagesOf(bytes: number): number {
  return Math.ceil(bytes / PAGE)
}
/** Bytes of it in memory. */
export function resident(state: IpcState, s: Segment): number {
  return askVm(state, VM.OBJECT_RESIDENT, s.object)
}
function askVm(state: IpcState, type: number, ...cells: number[]): number {
  const { out } = state
  out.fill(0)
  out[TYPE] = type
  for (const [k, v] of cells.entries()) setLong(out, k, v)
  return state.sys.sendrec(EP.VM, out)
}

export function shmCalls(state: IpcState): CallVector {
  const { segments, limits, sys } = state

  function SHMGET(m: Message, from: number): number {
    const by = callerOf(state, from)
    if (by === undefined) return -E.SRCH
    const key = int(m, 0)
    const bytes = ulong(m, 1)
    const flags = int(m, 2)
    return getByKey(segments, by, key, flags, s => bytes <= s.bytes, () => make(by, key, bytes, flags))
  }
  function make(by: Caller, key: number, bytes: number, flags: number): number {
    if (bytes < 1 || BigInt(bytes) > limits.shmmax) return -E.INVAL
    if (BigInt(totalPages() + pagesOf(bytes)) > limits.shmall) return -E.NOSPC
    if (flags & SHM.HUGETLB) return can(by, CAP.IPC_LOCK) ? -E.NOMEM : -E.PERM // there are no huge pages
    if (segments.size >= limits.shmmni) return -E.NOSPC
    const times = { attached: 0, cpid: by.pid, lpid: 0, atime: 0, dtime: 0, ctime: seconds(state) }
    const s: Segment = { ...newPerm(by, key, flags), object: 0, bytes, ...times }
    const full = segments.add(s, limits.shmmni)
    if (full < 0) return full
    const object = newObject(s, key)
    if (object < 0) segments.remove(s)
    else Object.assign(s, { object })
    return object < 0 ? object : s.id
  }
  function newObject(s: Segment, key: number): number {
    const name = `/SYSV${(key >>> 0).toString(16).padStart(8, '0')} (deleted)`
    for (let i = 0; i < name.length; i++) sys.mem[sys.buffer + i] = name.charCodeAt(i)
    const { out } = state
    out[TYPE] = VM.OBJECT_NEW
    setLong(out, 0, s.bytes)
    setInt(out, 1, s.id)
    setGrant(out, 2, sys.buffer, name.length)
    return sys.sendrec(EP.VM, out)
  }
  function totalPages(): number {
    return segments.list().reduce((sum, s) => sum + pagesOf(s.bytes), 0)
  }

  function SHMAT(m: Message, from: number): number {
    const id = int(m, 0)
    const flags = int(m, 2)
    const low = uint(m, 1) % PAGE
    let address = ulong(m, 1)
    if (id < 0) return -E.INVAL
    if (address !== 0 && low !== 0) {
      if (!(flags & SHM.RND)) return -E.INVAL
      address -= low
      if (address === 0 && flags & SHM.REMAP) return -E.INVAL
    } else if (address === 0 && flags & SHM.REMAP) return -E.INVAL
    const s = segments.find(id)
    const by = callerOf(state, from)
    if (s === undefined || by === undefined) return -E.INVAL
    const writes = (flags & SHM.RDONLY) === 0
    const runs = (flags & SHM.EXEC) !== 0
    if (!permits(s, by, (writes ? READ | WRITE : READ) | (runs ? 0o111 : 0))) return -E.ACCES
    const prot = PROT_READ | (writes ? PROT_WRITE : 0) | (runs ? PROT_EXEC : 0)
    return askVm(state, VM.ATTACH, from, s.object, address, prot, flags & SHM.REMAP ? ATTACH_REMAP : 0)
  }
  function SHMDT(m: Message, from: number): number {
    return askVm(state, VM.DETACH, from, ulong(m, 0))
  }

  /** From VM. A child's pid is learnt while it lives: at its end it can't be asked for any more. */
  function ATTACHED(m: Message, from: number): number {
    if (from !== EP.VM) return -E.PERM
    const s = segments.some(one => one.object === int(m, 0))
    if (s === undefined) return 0
    const count = int(m, 1)
    if (int(m, 3) > 0) pidOf(state, int(m, 3))
    s.lpid = pidOf(state, int(m, 2)) || s.lpid
    if (count > s.attached) s.atime = seconds(state)
    if (count < s.attached) s.dtime = seconds(state)
    s.attached = count
    if (count === 0 && s.mode & MODE.DEST) destroy(s)
    return 0
  }
  function destroy(s: Segment): void {
    segments.remove(s)
    askVm(state, VM.OBJECT_DROP, s.object)
  }

  function SHMCTL(m: Message, from: number): number {
    const id = int(m, 0)
    const cmd = int(m, 1)
    const by = callerOf(state, from)
    if (id < 0 || cmd < 0 || by === undefined) return -E.INVAL
    switch (cmd) {
      case CMD.INFO:
      case SHM_INFO:
        return info(m, cmd)
      case CMD.STAT:
      case SHM_STAT:
      case SHM_STAT_ANY:
        return stat(m, by, cmd === CMD.STAT ? segments.find(id) : segments.at(id & 0x7fff), cmd)
      case CMD.SET:
      case CMD.RMID:
        return change(m, by, cmd)
      case LOCK:
      case UNLOCK:
        return lock(by, segments.find(id), cmd)
      default:
        return -E.INVAL
    }
  }
  function info(m: Message, cmd: number): number {
    const at = uint(m, 2)
    const { view } = sys
    if (cmd === CMD.INFO) {
      view.setBigUint64(at + INFO.MAX, limits.shmmax, true)
      view.setBigUint64(at + INFO.MIN, 1n, true)
      view.setBigUint64(at + INFO.MNI, BigInt(limits.shmmni), true)
      view.setBigUint64(at + INFO.SEG, BigInt(limits.shmmni), true)
      view.setBigUint64(at + INFO.ALL, limits.shmall, true)
    } else {
      view.setInt32(at + USE.IDS, segments.size, true)
      view.setBigUint64(at + USE.TOTAL, BigInt(totalPages()), true)
      const bytes = segments.list().reduce((sum, s) => sum + resident(state, s), 0)
      view.setBigUint64(at + USE.RSS, BigInt(pagesOf(bytes)), true)
    }
    return segments.top
  }
  function stat(m: Message, by: Caller, s: Segment | undefined, cmd: number): number {
    if (s === undefined) return -E.INVAL
    if (cmd !== SHM_STAT_ANY && !permits(s, by, READ)) return -E.ACCES
    const at = uint(m, 2)
    const { view } = sys
    writePerm(state, s, at)
    for (const [field, v] of [[DS.SIZE, s.bytes], [DS.ATIME, s.atime], [DS.DTIME, s.dtime], [DS.CTIME, s.ctime], [DS.NATTCH, s.attached]] as const)
      view.setBigUint64(at + field, BigInt(v), true)
    view.setInt32(at + DS.CPID, s.cpid, true)
    view.setInt32(at + DS.LPID, s.lpid, true)
    return cmd === CMD.STAT ? 0 : s.id
  }
  function change(m: Message, by: Caller, cmd: number): number {
    if (cmd === CMD.SET && high(m, 2) < DS.BYTES) return -E.FAULT
    const s = segments.find(int(m, 0))
    if (s === undefined) return -E.INVAL
    if (!owns(s, by)) return -E.PERM
    if (cmd === CMD.SET) {
      const wrong = readPerm(state, s, uint(m, 2))
      if (wrong === 0) s.ctime = seconds(state)
      return wrong
    }
    if (s.attached === 0) destroy(s)
    else {
      s.mode |= MODE.DEST
      segments.hide(s)
    }
    return 0
  }
  /** Memory is never swapped out here: only what IPC_STAT shows changes. */
  function lock(by: Caller, s: Segment | undefined, cmd: number): number {
    if (s === undefined) return -E.INVAL
    if (!can(by, CAP.IPC_LOCK) && by.euid !== s.uid && by.euid !== s.cuid) return -E.PERM
    s.mode = cmd === LOCK ? s.mode | MODE.LOCKED : s.mode & ~MODE.LOCKED
    return 0
  }

  return { [IPC.SHMGET]: SHMGET, [IPC.SHMAT]: SHMAT, [IPC.SHMDT]: SHMDT, [IPC.SHMCTL]: SHMCTL, [IPC.ATTACHED]: ATTACHED }
}
