// fcntl(2) and flock(2): descriptor and status flags, pipe sizes, and the front of advisory locks (locks.ts).
import { E } from '../../abi/errno.ts'
import { O, SEEK } from '../../abi/fcntl.ts'
import { EP, high, int, type Message, setInt, setLong, TYPE } from '../../abi/message.ts'
import type { CallVector } from '../../lib/server.ts'
import { FS } from '../../protocol/fs.ts'
import { PM } from '../../protocol/pm.ts'
import { ownerCommand, setAsync } from './async.ts'
import { duplicate } from './dup.ts'
import { sizeOf } from './extent.ts'
import { getFile, getIo } from './filedes.ts'
import type { Fproc, OpenFile } from './inode.ts'
import { EOF, LOCK, setFlock, setLock, testLock } from './locks.ts'
import { hasCapability } from './permission.ts'
import { pipeOf, setPipeSize } from './pipe.ts'
import { addSeals, getSeals } from './seals.ts'
import { type FsState, fprocOf } from './state.ts'

export const F = {
  DUPFD: 0,
  GETFD: 1,
  SETFD: 2,
  GETFL: 3,
  SETFL: 4,
  GETLK: 5,
  SETLK: 6,
  SETLKW: 7,
  SETOWN: 8,
  GETOWN: 9,
  SETSIG: 10,
  GETSIG: 11,
  SETOWN_EX: 15,
  GETOWN_EX: 16,
  OFD_GETLK: 36,
  OFD_SETLK: 37,
  OFD_SETLKW: 38,
  SETLEASE: 1024,
  GETLEASE: 1025,
  NOTIFY: 1026,
  DUPFD_QUERY: 1027,
  DUPFD_CLOEXEC: 1030,
  SETPIPE_SZ: 1031,
  GETPIPE_SZ: 1032,
  ADD_SEALS: 1033,
  GET_SEALS: 1034,
} as const
const SETTABLE = O.APPEND | O.DIRECT | O.NOATIME | O.NONBLOCK
const OWNER_COMMANDS: Readonly<Record<number, string>> = {
  [F.SETOWN]: 'SETOWN', [F.GETOWN]: 'GETOWN', [F.SETSIG]: 'SETSIG', [F.GETSIG]: 'GETSIG', [F.SETOWN_EX]: 'SETOWN_EX', [F.GETOWN_EX]: 'GETOWN_EX',
}
const FD_CLOEXEC = 1
const CAP_SYS_RESOURCE = 24
const FLOCK_BYTES = 32
const LOCK_NB = 4

function fcntl(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const fd = int(m, 0)
  const cmd = int(m, 1)
  const file = fproc === undefined ? null : getFile(fproc, fd)
  if (fproc === undefined || file === null) return -E.BADF
  const arg = int(m, 2)
  switch (cmd) {
    case F.DUPFD:
    case F.DUPFD_CLOEXEC:
      return arg < 0 || arg >= fproc.nofile ? -E.INVAL : duplicate(fproc, file, cmd === F.DUPFD_CLOEXEC, arg)
    case F.GETFD:
      return fproc.table.cloexec[fd] ? FD_CLOEXEC : 0
    case F.SETFD:
      fproc.table.cloexec[fd] = (arg & FD_CLOEXEC) !== 0
      return 0
    case F.GETFL:
      return file.flags & ~(O.CREAT | O.EXCL | O.NOCTTY | O.TRUNC | O.CLOEXEC)
    case F.DUPFD_QUERY: {
      const other = getFile(fproc, arg)
      return other === null ? -E.BADF : other === file ? 1 : 0
    }
  }
  return (file.flags & O.PATH) !== 0 ? -E.BADF : command(state, m, fproc, file, cmd, arg, from)
}

/** Commands an O_PATH descriptor doesn't know. */
function command(
  state: FsState,
  m: Message,
  fproc: Fproc,
  file: OpenFile,
  cmd: number,
  arg: number,
  from: number,
): number {
  switch (cmd) {
    case F.SETFL:
      return setFlags(state, fproc, int(m, 0), file, arg)
    case F.GETLK:
    case F.OFD_GETLK:
      return getLock(state, m, fproc, file, cmd)
    case F.SETLK:
    case F.SETLKW:
    case F.OFD_SETLK:
    case F.OFD_SETLKW:
      return changeLock(state, m, fproc, file, cmd, from)
    case F.GETPIPE_SZ:
    case F.SETPIPE_SZ: {
      const pipe = pipeOf(file)
      if (pipe === null) return -E.BADF
      return cmd === F.GETPIPE_SZ
        ? pipe.buffer.size
        : setPipeSize(state, pipe, arg, hasCapability(fproc.cred, CAP_SYS_RESOURCE))
    }
    case F.GETLEASE:
      return LOCK.NONE
    case F.SETLEASE:
      return arg === LOCK.NONE ? -E.AGAIN : -E.INVAL
    case F.GET_SEALS:
      return getSeals(state, file)
    case F.ADD_SEALS:
      return addSeals(state, file, arg)
  }
  return ownerCommand(state, m, from, file, OWNER_COMMANDS[cmd] ?? '', arg)
}

function setFlags(state: FsState, fproc: Fproc, fd: number, file: OpenFile, arg: number): number {
  if (
    (arg & O.NOATIME) !== 0 &&
    (file.flags & O.NOATIME) === 0 &&
    fproc.cred.fsuid !== file.inode.uid &&
    fproc.cred.fsuid !== 0
  ) {
    return -E.PERM
  }
  if (((arg ^ file.flags) & O.ASYNC) !== 0) setAsync(state, file, fd, (arg & O.ASYNC) !== 0)
  file.flags = (file.flags & ~SETTABLE) | (arg & SETTABLE)
  return 0
}

// -- locks: struct flock { s16 type @0, whence @2; s64 start @8, len @16; s32 pid @24 } --

interface Range {
  type: number
  start: number
  end: number
}

/** The range a struct flock means, or -errno. */
function rangeOf(state: FsState, m: Message, file: OpenFile): Range | number {
  if (high(m, 3) < FLOCK_BYTES) return -E.FAULT
  const { view } = state.sys
  const at = int(m, 3)
  const type = view.getInt16(at, true)
  const whence = view.getInt16(at + 2, true)
  const from = view.getInt32(at + 12, true) * 2 ** 32 + view.getUint32(at + 8, true)
  const len = view.getInt32(at + 20, true) * 2 ** 32 + view.getUint32(at + 16, true)
  if (whence < SEEK.SET || whence > SEEK.END) return -E.INVAL
  const base = whence === SEEK.CUR ? Math.max(0, file.pos) : whence === SEEK.END ? sizeOf(file) : 0
  let start = base + from
  let end = len === 0 ? EOF : start + len - 1
  if (len < 0) {
    end = start - 1
    start += len
  }
  if (start >= EOF || end > EOF) return -E.OVERFLOW
  if (start < 0 || type < LOCK.READ || type > LOCK.NONE) return -E.INVAL
  return { type, start, end }
}

function getLock(state: FsState, m: Message, fproc: Fproc, file: OpenFile, cmd: number): number {
  const range = rangeOf(state, m, file)
  if (typeof range === 'number') return range
  const { view } = state.sys
  const at = int(m, 3)
  const ofd = cmd === F.OFD_GETLK
  if (ofd && view.getInt32(at + 24, true) !== 0) return -E.INVAL
  if (range.type === LOCK.NONE) return -E.INVAL
  const found = testLock(state, file.inode, ofd ? file : fproc.table, range.type, range.start, range.end)
  if (found === undefined) {
    view.setInt16(at, LOCK.NONE, true)
    return 0
  }
  view.setInt16(at, found.type, true)
  view.setInt16(at + 2, SEEK.SET, true)
  put64(view, at + 8, found.start)
  put64(view, at + 16, found.end === EOF ? 0 : found.end - found.start + 1)
  view.setInt32(at + 24, found.endpoint < 0 ? -1 : processOf(state, found.endpoint), true)
  return 0
}
function put64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 2 ** 32, true)
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true)
}
/** Process id behind an endpoint (PM.GETJOB, 7: tgid). */
export function processOf(state: FsState, endpoint: number): number {
  const m = state.out
  m.fill(0)
  m[TYPE] = PM.GETJOB
  setLong(m, 0, endpoint)
  setInt(m, 1, 7)
  return state.sys.sendrec(EP.PM, m)
}

function changeLock(state: FsState, m: Message, fproc: Fproc, file: OpenFile, cmd: number, from: number): number {
  const range = rangeOf(state, m, file)
  if (typeof range === 'number') return range
  const ofd = cmd === F.OFD_SETLK || cmd === F.OFD_SETLKW
  if (ofd && state.sys.view.getInt32(int(m, 3) + 24, true) !== 0) return -E.INVAL
  const mode = file.flags & O.ACCMODE
  if (range.type === LOCK.READ && mode === O.WRONLY) return -E.BADF
  if (range.type === LOCK.WRITE && mode === O.RDONLY) return -E.BADF
  const wait = cmd === F.SETLKW || cmd === F.OFD_SETLKW
  return setLock(state, file, ofd ? file : fproc.table, range.type, range.start, range.end, wait, from)
}

const FLOCKS: Readonly<Record<number, number>> = { 1: LOCK.READ, 2: LOCK.WRITE, 8: LOCK.NONE }
function flock(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const operation = int(m, 1)
  const type = FLOCKS[operation & ~LOCK_NB]
  if (type === undefined) return -E.INVAL
  const file = fproc === undefined ? null : getIo(fproc, int(m, 0))
  return file === null ? -E.BADF : setFlock(state, file, type, (operation & LOCK_NB) === 0, from)
}

export function fcntlCalls(state: FsState): CallVector {
  return {
    [FS.FCNTL]: (m, from) => fcntl(state, m, from),
    [FS.FLOCK]: (m, from) => flock(state, m, from),
  }
}
