// Where a file's bytes begin, end and lie: lseek, truncate's limits, fallocate, and what is asked of the disk below (fsync, readahead…).
// A workspace's files are with the host as soon as they are written, and their names are in memory: there is nothing to sync. A bound
// file's fsync is the host's.
import { E } from '../../abi/errno.ts'
import { FALLOC, isDirectory, isRegular, O, S, SEEK } from '../../abi/fcntl.ts'
import { IN } from '../../abi/inotify.ts'
import { int, long, type Message } from '../../abi/message.ts'
import type { CallVector } from '../../lib/server.ts'
import { FS } from '../../protocol/fs.ts'
import { getIo } from './filedes.ts'
import { emptyStat } from './hosttree.ts'
import type { Fproc, OpenFile } from './inode.ts'
import { notifyFile } from './notify.ts'
import { type FsState, fprocOf } from './state.ts'

export const SIGXFSZ = 25
/** Largest file: a double holds every offset in it. */
export const FILE_MAX = 2 ** 53 - 1
/** FADV_NORMAL … FADV_NOREUSE */
const FADV_MAX = 5
const SYNC_FILE_RANGE_ALL = 7

const scratch = emptyStat()
/** Size of an open file now; 0 when its file system can't tell. */
export function sizeOf(file: OpenFile): number {
  return file.inode.fs.getattr(file.inode, scratch) < 0 ? 0 : scratch.size
}
function fileOf(fproc: Fproc | undefined, fd: number): OpenFile | null {
  return fproc === undefined ? null : getIo(fproc, fd)
}

function lseek(state: FsState, m: Message, from: number): number {
  const file = fileOf(fprocOf(state, from), int(m, 0))
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
  return seekIn(file, whence === SEEK.SET || whence === SEEK.CUR ? 0 : sizeOf(file), offset, whence)
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
  return pos < 0 || pos > FILE_MAX ? -E.INVAL : pos
}

function modified(state: FsState, file: OpenFile, result: number): number {
  if (result >= 0 && state.watched !== 0) notifyFile(state, IN.MODIFY, file)
  return result
}
/** May a file be given `size` bytes? 0, or -EFBIG (with SIGXFSZ when it is RLIMIT_FSIZE that says no). */
export function checkSize(state: FsState, fproc: Fproc, from: number, size: number): number {
  if (size <= fproc.fsize) return size > FILE_MAX ? -E.FBIG : 0
  state.sys.kill(from, SIGXFSZ)
  return -E.FBIG
}
function ftruncate(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const size = long(m, 1)
  if (size < 0) return -E.INVAL
  const file = fileOf(fproc, int(m, 0))
  if (file === null) return -E.BADF
  if (!isRegular(file.inode.mode) || (file.flags & O.ACCMODE) === O.RDONLY || file.ops.truncate === undefined)
    return -E.INVAL
  const r = checkSize(state, fproc as Fproc, from, size)
  return r < 0 ? r : modified(state, file, file.ops.truncate(file, size))
}

/** Modes of fallocate, and whether FALLOC_FL_KEEP_SIZE must (1), may (0) or must not (-1) go with them. */
const MODES: Readonly<Record<number, number>> = {
  0: 0,
  [FALLOC.PUNCH_HOLE]: 1,
  [FALLOC.COLLAPSE_RANGE]: -1,
  [FALLOC.ZERO_RANGE]: 0,
  [FALLOC.INSERT_RANGE]: -1,
  [FALLOC.UNSHARE_RANGE]: 0,
}
/** Order of checks: fs/open.c vfs_fallocate. Which modes work is the business of the host's file system. */
function fallocate(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const mode = int(m, 1)
  const offset = long(m, 2)
  const len = long(m, 3)
  const end = offset + len
  const file = fileOf(fproc, int(m, 0))
  if (file === null) return -E.BADF
  if (offset < 0 || len <= 0) return -E.INVAL
  const keep = (mode & FALLOC.KEEP_SIZE) !== 0
  const rule = MODES[mode & ~FALLOC.KEEP_SIZE]
  if (rule === undefined || (rule === 1 && !keep) || (rule === -1 && keep)) return -E.OPNOTSUPP
  if ((file.flags & O.ACCMODE) === O.RDONLY) return -E.BADF
  const type = file.inode.mode & S.IFMT
  if (type === S.IFIFO) return -E.SPIPE
  if (type === S.IFDIR) return -E.ISDIR
  if (type !== S.IFREG) return -E.NODEV
  if (end > FILE_MAX) return -E.FBIG
  if (file.ops.fallocate === undefined) return -E.OPNOTSUPP
  if (!keep && end > sizeOf(file)) {
    const r = checkSize(state, fproc as Fproc, from, end)
    if (r < 0) return r
  }
  return modified(state, file, file.ops.fallocate(file, mode, offset, len))
}

function fsync(state: FsState, m: Message, from: number): number {
  const file = fileOf(fprocOf(state, from), int(m, 0))
  if (file === null) return -E.BADF
  if (file.ops.fsync !== undefined) return file.ops.fsync(file, int(m, 1) !== 0)
  return isDirectory(file.inode.mode) || isRegular(file.inode.mode) ? 0 : -E.INVAL
}
function syncfs(state: FsState, m: Message, from: number): number {
  return fileOf(fprocOf(state, from), int(m, 0)) === null ? -E.BADF : 0
}

/** Advice: checked, then ignored. */
function fadvise(state: FsState, m: Message, from: number): number {
  const file = fileOf(fprocOf(state, from), int(m, 0))
  if (file === null) return -E.BADF
  if ((file.inode.mode & S.IFMT) === S.IFIFO) return -E.SPIPE
  if (long(m, 2) < 0) return -E.INVAL
  return int(m, 3) < 0 || int(m, 3) > FADV_MAX ? -E.INVAL : 0
}
function readahead(state: FsState, m: Message, from: number): number {
  const file = fileOf(fprocOf(state, from), int(m, 0))
  if (file === null || (file.flags & O.ACCMODE) === O.WRONLY) return -E.BADF
  return isRegular(file.inode.mode) ? 0 : -E.INVAL
}
function syncFileRange(state: FsState, m: Message, from: number): number {
  const file = fileOf(fprocOf(state, from), int(m, 0))
  if (file === null) return -E.BADF
  if ((int(m, 3) & ~SYNC_FILE_RANGE_ALL) !== 0 || long(m, 1) < 0 || long(m, 2) < 0) return -E.INVAL
  if (file.pos < 0) return -E.SPIPE
  return file.ops.fsync === undefined ? 0 : file.ops.fsync(file, true)
}

export function extentCalls(state: FsState): CallVector {
  return {
    [FS.LSEEK]: (m, from) => lseek(state, m, from),
    [FS.FTRUNCATE]: (m, from) => ftruncate(state, m, from),
    [FS.FALLOCATE]: (m, from) => fallocate(state, m, from),
    [FS.FSYNC]: (m, from) => fsync(state, m, from),
    [FS.SYNC]: () => 0,
    [FS.SYNCFS]: (m, from) => syncfs(state, m, from),
    [FS.FADVISE64]: (m, from) => fadvise(state, m, from),
    [FS.READAHEAD]: (m, from) => readahead(state, m, from),
    [FS.SYNC_FILE_RANGE]: (m, from) => syncFileRange(state, m, from),
  }
}
