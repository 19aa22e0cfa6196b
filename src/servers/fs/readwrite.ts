// read, write and their kin. The common path is a straight line: descriptor → open file → ops.read. A length below 0 is the errno the
// caller's buffer was refused with: Linux looks at the descriptor first. Invariant: a file with pos ≥ 0 has offsets; a stream (pos -1)
// answers ESPIPE to what needs one.
import { E } from '../../abi/errno.ts'
import { isRegular, O } from '../../abi/fcntl.ts'
import { IN } from '../../abi/inotify.ts'
import { high, int, long, type Message, SUSPEND } from '../../abi/message.ts'
import type { CallVector } from '../../lib/server.ts'
import { FS } from '../../protocol/fs.ts'
import { FILE_MAX, SIGXFSZ, sizeOf } from './extent.ts'
import { getFile, getIo } from './filedes.ts'
import type { Fproc, OpenFile } from './inode.ts'
import { notifyFile } from './notify.ts'
import { callerOf, type FsState, fprocOf } from './state.ts'

const NOT_READABLE = O.PATH | O.WRONLY
/** Reads from here on are worth a descriptor of the reader's own. */
const DIRECT_MIN = 16384

/** What RWF_* asks for: preadv2(2). NOWAIT of a file of the host may still wait for its disk. */
const RWF = { HIPRI: 1, DSYNC: 2, SYNC: 4, NOWAIT: 8, APPEND: 16, NOAPPEND: 32 } as const
const RWF_SYNCED = RWF.DSYNC | RWF.SYNC
const RWF_ALL = 63

/** The file behind cell 0 if it may be read, or null (EBADF). */
function readable(fproc: Fproc | undefined, fd: number): OpenFile | null {
  if (fproc === undefined) return null
  const file = getFile(fproc, fd)
  return file !== null && (file.flags & NOT_READABLE) === 0 ? file : null
}
function isWritable(file: OpenFile): boolean {
  const mode = file.flags & (O.ACCMODE | O.PATH)
  return mode === O.WRONLY || mode === O.RDWR
}
function fileOf(fproc: Fproc | undefined, fd: number): OpenFile | null {
  return fproc === undefined ? null : getIo(fproc, fd)
}

function read(state: FsState, m: Message, from: number): number {
  const file = readable(fprocOf(state, from), int(m, 0))
  if (file === null) return -E.BADF
  return readAt(state, file, m, from, file.pos, true, 0, 3)
}
/** Read into the grant of cell 1, `len` in cell 2, at `pos`; `move` the file's own offset. Cell `piece`: which piece of the call. */
function readAt(
  state: FsState,
  file: OpenFile,
  m: Message,
  from: number,
  pos: number,
  move: boolean,
  flags: number,
  piece: number,
): number {
  const asked = long(m, 2)
  if (asked < 0) return asked
  const done = int(m, piece)
  const later = pos < 0 && done > 0 // a stream that gave what there was does not wait for more
  const nonblock = later || (file.flags & O.NONBLOCK) !== 0 || (flags & RWF.NOWAIT) !== 0
  const caller = callerOf(state, from, nonblock, done, high(m, piece))
  const len = Math.min(asked, high(m, 1))
  let bytes = len >= DIRECT_MIN && pos >= 0 ? readDirect(state, file, int(m, 1), from, len, pos) : -E.AGAIN
  if (bytes < 0) bytes = file.ops.read(file, int(m, 1), len, pos, caller)
  if (later && bytes === -E.AGAIN) return 0
  if (bytes > 0) {
    if (move && pos >= 0) file.pos = pos + bytes
    if (state.watched !== 0) notifyFile(state, IN.ACCESS, file)
  }
  return bytes
}

/** A long read of a host file, by the reader itself: `len`, or -errno: not this way. Should there be less, the call comes again. */
function readDirect(state: FsState, file: OpenFile, at: number, from: number, len: number, pos: number): number {
  const handle = file.ops.direct === undefined ? -E.AGAIN : file.ops.direct(file)
  return handle < 0 ? handle : state.sys.fileRead(from, at, len, handle, pos)
}
/** Bytes its caller's memory did not take are as if they had not been read: the offset goes back, a pipe gets them again. */
function unread(state: FsState, m: Message, from: number): number {
  const file = fileOf(fprocOf(state, from), int(m, 0))
  if (file === null) return -E.BADF
  const bytes = high(m, 1)
  if (file.pos < 0) file.ops.unread?.(file, int(m, 1), bytes)
  else if (long(m, 2) === -1) file.pos = Math.max(0, file.pos - bytes)
  return 0
}

function write(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const file = fileOf(fproc, int(m, 0))
  if (file === null || !isWritable(file)) return -E.BADF
  return writeAt(state, fproc as Fproc, file, m, from, file.pos, true, 0, 3)
}
function writeAt(
  state: FsState,
  fproc: Fproc,
  file: OpenFile,
  m: Message,
  from: number,
  at: number,
  move: boolean,
  flags: number,
  piece: number,
): number {
  const asked = long(m, 2)
  if (asked < 0) return asked
  const nonblock = (file.flags & O.NONBLOCK) !== 0 || (flags & RWF.NOWAIT) !== 0
  const caller = callerOf(state, from, nonblock, int(m, piece), high(m, piece))
  let len = Math.min(asked, high(m, 1))
  let pos = at
  if (pos >= 0) {
    // pwrite on an O_APPEND file appends too (pwrite(2), BUGS)
    if (((file.flags & O.APPEND) !== 0 && (flags & RWF.NOAPPEND) === 0) || (flags & RWF.APPEND) !== 0) pos = sizeOf(file)
    if (pos + len > fproc.fsize || pos + len > FILE_MAX) {
      len = limited(state, fproc, file, from, pos, len)
      if (len < 0) return len
    }
  }
  const bytes = file.ops.write(file, int(m, 1), len, pos, caller)
  if (bytes > 0 && state.watched !== 0) notifyFile(state, IN.MODIFY, file)
  if (bytes > 0 && pos >= 0) {
    if (move) file.pos = pos + bytes
    if ((file.flags & O.DSYNC) !== 0 || (flags & RWF_SYNCED) !== 0) file.ops.fsync?.(file, (flags & RWF.SYNC) === 0)
  }
  return bytes
}
/** RLIMIT_FSIZE: how much of a write may be done, or -EFBIG with SIGXFSZ. */
export function limited(
  state: FsState,
  fproc: { fsize: number },
  file: OpenFile,
  from: number,
  pos: number,
  len: number,
): number {
  if (!isRegular(file.inode.mode) || len === 0) return len
  if (pos >= fproc.fsize) {
    state.sys.kill(from, SIGXFSZ)
    return -E.FBIG
  }
  return pos >= FILE_MAX ? -E.FBIG : Math.min(len, fproc.fsize - pos, FILE_MAX - pos)
}

/** pread and preadv2 at `offset` ≥ 0. */
function pread(state: FsState, m: Message, from: number, offset: number, flags: number): number {
  const file = fileOf(fprocOf(state, from), int(m, 0))
  if (file === null) return -E.BADF
  if (file.pos < 0) return -E.SPIPE
  if ((file.flags & NOT_READABLE) !== 0) return -E.BADF
  return readAt(state, file, m, from, offset, false, flags, 5)
}
function pwrite(state: FsState, m: Message, from: number, offset: number, flags: number): number {
  const fproc = fprocOf(state, from)
  const file = fileOf(fproc, int(m, 0))
  if (file === null) return -E.BADF
  if (file.pos < 0) return -E.SPIPE
  return isWritable(file) ? writeAt(state, fproc as Fproc, file, m, from, offset, false, flags, 5) : -E.BADF
}

/** The flags of preadv2 and pwritev2 are looked at when all else is good and there is something to move. */
function badFlags(m: Message, known: number): boolean {
  const flags = int(m, 4)
  return flags !== 0 && long(m, 2) > 0 && (flags & ~known) !== 0
}
function readv(state: FsState, m: Message, from: number): number {
  const offset = long(m, 3)
  const file = readable(fprocOf(state, from), int(m, 0))
  if (file !== null && badFlags(m, RWF_ALL)) return -E.OPNOTSUPP
  if (offset !== -1) return pread(state, m, from, offset, int(m, 4))
  return file === null ? -E.BADF : readAt(state, file, m, from, file.pos, true, int(m, 4), 5)
}
function writev(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const file = fileOf(fproc, int(m, 0))
  const flags = int(m, 4)
  const offset = long(m, 3)
  if (file === null || !isWritable(file)) return file !== null && offset !== -1 && file.pos < 0 ? -E.SPIPE : -E.BADF
  if (badFlags(m, RWF_ALL)) return -E.OPNOTSUPP
  if ((flags & RWF.APPEND) !== 0 && (flags & RWF.NOAPPEND) !== 0) return -E.INVAL
  if (offset !== -1) return pwrite(state, m, from, offset, flags)
  return writeAt(state, fproc as Fproc, file, m, from, file.pos, true, flags, 5)
}

/** Blocked in a file's own operation: the answer it gets when a signal is due. */
export function cancelFile(file: OpenFile, endpoint: number): number {
  return file.ops.cancel === undefined ? SUSPEND : file.ops.cancel(file, endpoint)
}

export function readwriteCalls(state: FsState): CallVector {
  return {
    [FS.READ]: (m, from) => read(state, m, from),
    [FS.WRITE]: (m, from) => write(state, m, from),
    [FS.UNREAD]: (m, from) => unread(state, m, from),
    [FS.PREAD64]: (m, from) => (long(m, 3) < 0 ? -E.INVAL : pread(state, m, from, long(m, 3), 0)),
    [FS.PWRITE64]: (m, from) => (long(m, 3) < 0 ? -E.INVAL : pwrite(state, m, from, long(m, 3), 0)),
    [FS.READV]: (m, from) => readv(state, m, from),
    [FS.WRITEV]: (m, from) => writev(state, m, from),
  }
}
