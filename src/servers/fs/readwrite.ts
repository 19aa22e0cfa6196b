// read, write and their kin, and what else moves or asks for a file's offset or size. The common path is a straight line: descriptor →
// open file → ops.read. Invariant: a file with pos ≥ 0 has offsets; a stream (pos -1) answers ESPIPE to what needs one.
import { E } from '../../abi/errno.ts'
import { isDirectory, isRegular, O, S, SEEK } from '../../abi/fcntl.ts'
import { high, int, long, type Message, SUSPEND } from '../../abi/message.ts'
import type { CallVector } from '../../lib/server.ts'
import { FS } from '../../protocol/fs.ts'
import { getFile, getIo } from './filedes.ts'
import { emptyStat } from './hosttree.ts'
import type { Fproc, OpenFile } from './inode.ts'
import { type FsState, fprocOf } from './state.ts'

const SIGXFSZ = 25
const NOT_READABLE = O.PATH | O.WRONLY
/** FADV_NORMAL … FADV_NOREUSE */
const FADV_MAX = 5
const SYNC_FILE_RANGE_ALL = 7
/** Reads from here on are worth a descriptor of the reader's own. */
const DIRECT_MIN = 16384

/** The file behind cell 0 if it may be read, or null (EBADF). */
function readable(fproc: Fproc | undefined, fd: number): OpenFile | null {
  if (fproc === undefined) return null
  const file = getFile(fproc, fd)
  return file !== null && (file.flags & NOT_READABLE) === 0 ? file : null
}
function writable(fproc: Fproc | undefined, fd: number): OpenFile | null {
  if (fproc === undefined) return null
  const file = getFile(fproc, fd)
  if (file === null || (file.flags & O.PATH) !== 0) return null
  const mode = file.flags & O.ACCMODE
  return mode === O.WRONLY || mode === O.RDWR ? file : null
}

function read(state: FsState, m: Message, from: number): number {
  const file = readable(fprocOf(state, from), int(m, 0))
  if (file === null) return -E.BADF
  return readAt(state, file, m, from, file.pos, true)
}
/** Read into the grant of cell 1, `len` in cell 2, at `pos`; `move` the file's own offset. */
function readAt(state: FsState, file: OpenFile, m: Message, from: number, pos: number, move: boolean): number {
  const asked = long(m, 2)
  const room = high(m, 1)
  if (asked < 0 || (asked > 0 && room === 0)) return -E.FAULT // such a length passes any address space
  const caller = state.caller
  caller.endpoint = from
  caller.nonblock = (file.flags & O.NONBLOCK) !== 0
  const len = Math.min(asked, room)
  let bytes = len >= DIRECT_MIN && pos >= 0 ? readDirect(state, file, int(m, 1), from, len, pos) : -E.AGAIN
  if (bytes < 0) bytes = file.ops.read(file, int(m, 1), len, pos, caller)
  if (bytes > 0 && move && pos >= 0) file.pos = pos + bytes
  return bytes
}

/** A long read of a host file, by the reader itself: `len`, or -errno: not this way. Should there be less, the call comes again. */
function readDirect(state: FsState, file: OpenFile, at: number, from: number, len: number, pos: number): number {
  if (file.ops.hostFile === undefined || !isRegular(file.inode.mode)) return -E.AGAIN
  const handle = file.ops.hostFile(file, false)
  return handle < 0 ? handle : state.sys.fileRead(from, at, len, handle, pos)
}

function write(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const file = writable(fproc, int(m, 0))
  if (file === null) return -E.BADF
  return writeAt(state, fproc as Fproc, file, m, from, file.pos, true)
}
function writeAt(
  state: FsState,
  fproc: Fproc,
  file: OpenFile,
  m: Message,
  from: number,
  at: number,
  move: boolean,
): number {
  const asked = long(m, 2)
  const room = high(m, 1)
  if (asked < 0 || (asked > 0 && room === 0)) return -E.FAULT // such a length passes any address space
  const caller = state.caller
  caller.endpoint = from
  caller.nonblock = (file.flags & O.NONBLOCK) !== 0
  let len = Math.min(asked, room)
  let pos = at
  if (pos >= 0) {
    // pwrite on an O_APPEND file appends too (pwrite(2), BUGS)
    if ((file.flags & O.APPEND) !== 0) pos = sizeOf(file)
    if (pos + len > fproc.fsize) {
      len = limited(state, fproc, file, from, pos, len)
      if (len < 0) return len
    }
  }
  const bytes = file.ops.write(file, int(m, 1), len, pos, caller)
  if (bytes > 0 && move && pos >= 0) file.pos = pos + bytes
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
  if (pos < fproc.fsize) return Math.min(len, fproc.fsize - pos)
  state.sys.kill(from, SIGXFSZ)
  return -E.FBIG
}

function pread(state: FsState, m: Message, from: number): number {
  const offset = long(m, 3)
  if (offset < 0) return -E.INVAL
  const file = readable(fprocOf(state, from), int(m, 0))
  if (file === null) return -E.BADF
  if (file.pos < 0) return -E.SPIPE
  return readAt(state, file, m, from, offset, false)
}
function pwrite(state: FsState, m: Message, from: number): number {
  const offset = long(m, 3)
  if (offset < 0) return -E.INVAL
  const fproc = fprocOf(state, from)
  const file = writable(fproc, int(m, 0))
  if (file === null) return -E.BADF
  if (file.pos < 0) return -E.SPIPE
  return writeAt(state, fproc as Fproc, file, m, from, offset, false)
}

function lseek(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const file = fproc === undefined ? null : getIo(fproc, int(m, 0))
  if (file === null) return -E.BADF
  const offset = long(m, 1)
  const whence = int(m, 2)
  if (whence < 0 || whence > SEEK.HOLE) return -E.INVAL
  // eventfd and its like have a position that is always 0 (noop_llseek) and take no pread
  if (file.pos < 0) return file.ops.seek === undefined ? -E.SPIPE : file.ops.seek(file, offset, whence)
  const pos = seek(file, offset, whence)
  if (pos >= 0) file.pos = pos
  return pos
}
/** Regular files: SEEK_DATA and SEEK_HOLE by their own op, the others here. What else has offsets: all by its own op. */
function seek(file: OpenFile, offset: number, whence: number): number {
  const own = file.ops.seek
  const plain = isRegular(file.inode.mode)
  if (own !== undefined && (!plain || whence > SEEK.END)) return own(file, offset, whence)
  if (!plain) return -E.SPIPE
  if (whence === SEEK.SET) return offset < 0 ? -E.INVAL : offset
  if (whence === SEEK.CUR) return file.pos + offset < 0 ? -E.INVAL : file.pos + offset
  return seekIn(file, sizeOf(file), offset, whence)
}

function ftruncate(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const size = long(m, 1)
  if (size < 0) return -E.INVAL
  const file = fproc === undefined ? null : getIo(fproc, int(m, 0))
  if (file === null || fproc === undefined) return -E.BADF
  if (!isRegular(file.inode.mode) || (file.flags & O.ACCMODE) === O.RDONLY || file.ops.truncate === undefined)
    return -E.INVAL
  if (size > fproc.fsize) {
    state.sys.kill(from, SIGXFSZ)
    return -E.FBIG
  }
  return file.ops.truncate(file, size)
}

function fallocate(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const offset = long(m, 2)
  const len = long(m, 3)
  const file = fproc === undefined ? null : getIo(fproc, int(m, 0))
  if (file === null || fproc === undefined) return -E.BADF
  if (offset < 0 || len <= 0) return -E.INVAL
  if ((file.flags & O.ACCMODE) === O.RDONLY) return -E.BADF
  const type = file.inode.mode & S.IFMT
  if (type === S.IFIFO) return -E.SPIPE
  if (type === S.IFDIR) return -E.ISDIR
  if (type !== S.IFREG) return -E.NODEV
  if (file.ops.fallocate === undefined) return -E.OPNOTSUPP
  if (offset + len > fproc.fsize) {
    state.sys.kill(from, SIGXFSZ)
    return -E.FBIG
  }
  return file.ops.fallocate(file, int(m, 1), offset, len)
}

function fsync(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const file = fproc === undefined ? null : getIo(fproc, int(m, 0))
  if (file === null) return -E.BADF
  if (file.ops.fsync !== undefined) return file.ops.fsync(file)
  return isDirectory(file.inode.mode) || isRegular(file.inode.mode) ? 0 : -E.INVAL
}
function syncfs(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  return fproc !== undefined && getIo(fproc, int(m, 0)) !== null ? 0 : -E.BADF
}

/** Advice: checked, then ignored. */
function fadvise(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const file = fproc === undefined ? null : getIo(fproc, int(m, 0))
  if (file === null) return -E.BADF
  if ((file.inode.mode & S.IFMT) === S.IFIFO) return -E.SPIPE
  if (long(m, 2) < 0) return -E.INVAL
  return int(m, 3) < 0 || int(m, 3) > FADV_MAX ? -E.INVAL : 0
}
function readahead(state: FsState, m: Message, from: number): number {
  const file = readable(fprocOf(state, from), int(m, 0))
  if (file === null) return -E.BADF
  return isRegular(file.inode.mode) ? 0 : -E.INVAL
}
function syncFileRange(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const file = fproc === undefined ? null : getIo(fproc, int(m, 0))
  if (file === null) return -E.BADF
  if ((int(m, 3) & ~SYNC_FILE_RANGE_ALL) !== 0 || long(m, 1) < 0 || long(m, 2) < 0) return -E.INVAL
  if (file.pos < 0) return -E.SPIPE
  return file.ops.fsync === undefined ? 0 : file.ops.fsync(file)
}

/** Blocked in a file's own operation: the answer it gets when a signal is due. */
export function cancelFile(file: OpenFile, endpoint: number): number {
  return file.ops.cancel === undefined ? SUSPEND : file.ops.cancel(file, endpoint)
}

const scratch = emptyStat()
/** Size of an open file now; 0 when its file system can't tell. */
export function sizeOf(file: OpenFile): number {
  return file.inode.fs.getattr(file.inode, scratch) < 0 ? 0 : scratch.size
}

/** lseek for a file of `size` bytes whose only hole is its end. */
export function seekIn(file: OpenFile, size: number, offset: number, whence: number): number {
  let pos = offset
  if (whence === SEEK.CUR) pos += file.pos
  else if (whence === SEEK.END) pos += size
  else if (whence === SEEK.DATA || whence === SEEK.HOLE) {
    if (offset < 0 || offset >= size) return -E.NXIO
    if (whence === SEEK.HOLE) pos = size
  }
  return pos < 0 ? -E.INVAL : pos
}

export function readwriteCalls(state: FsState): CallVector {
  return {
    [FS.READ]: (m, from) => read(state, m, from),
    [FS.WRITE]: (m, from) => write(state, m, from),
    [FS.PREAD64]: (m, from) => pread(state, m, from),
    [FS.PWRITE64]: (m, from) => pwrite(state, m, from),
    [FS.READV]: (m, from) => (long(m, 3) === -1 ? read(state, m, from) : pread(state, m, from)),
    [FS.WRITEV]: (m, from) => (long(m, 3) === -1 ? write(state, m, from) : pwrite(state, m, from)),
    [FS.LSEEK]: (m, from) => lseek(state, m, from),
    [FS.FTRUNCATE]: (m, from) => ftruncate(state, m, from),
    [FS.FALLOCATE]: (m, from) => fallocate(state, m, from),
    [FS.FSYNC]: (m, from) => fsync(state, m, from),
    [FS.SYNC]: () => 0, // what is written is with the host already
    [FS.SYNCFS]: (m, from) => syncfs(state, m, from),
    [FS.FADVISE64]: (m, from) => fadvise(state, m, from),
    [FS.READAHEAD]: (m, from) => readahead(state, m, from),
    [FS.SYNC_FILE_RANGE]: (m, from) => syncFileRange(state, m, from),
  }
}
