// sendfile, splice, tee and copy_file_range: bytes from one open file to another through FS's own buffer. The ends are always used
// without blocking; when one would, the call becomes a row on that end's queue and the step is taken again when it wakes.
// They answer as soon as something was moved and an end would block; short counts are allowed for all of them.
// Invariant: bytes leave a pipe only once they have been written to the other end.
import { E } from '../../abi/errno.ts'
import { isDirectory, isRegular, O } from '../../abi/fcntl.ts'
import { IN } from '../../abi/inotify.ts'
import { high, int, long, type Message, SUSPEND, slotOf, uint } from '../../abi/message.ts'
import type { CallVector } from '../../lib/server.ts'
import { FS } from '../../protocol/fs.ts'
import { FILE_MAX, sizeOf } from './extent.ts'
import { getIo } from './filedes.ts'
import type { Fproc, OpenFile, WaitQueue } from './inode.ts'
import { notifyFile } from './notify.ts'
import { feedPipe, type Pipe, peekPipe, pipeOf, skipPipe } from './pipe.ts'
import { firstPage, isFull, PAGE } from './pipe-buffer.ts'
import { leave } from './poll.ts'
import { limited } from './readwrite.ts'
import { callerOf, dropFile, type FsState, fprocOf, type Row, resume, suspend, WAIT } from './state.ts'

const SIGPIPE = 13
const SPLICE_F_NONBLOCK = 2
const SPLICE_F_ALL = 15
/** Most bytes moved by one call, so that nobody else waits long. */
const MOVE_MAX = 1 << 24
const PENDING_IN = -1000
const PENDING_OUT = -1001

/** A move under way. */
interface Move {
  from: OpenFile
  to: OpenFile
  /** Explicit offsets, or -1: the file's own. */
  fromAt: number
  toAt: number
  /** Where the explicit offsets are written back, or -1. */
  fromGrant: number
  toGrant: number
  left: number
  nonblock: boolean
  tee: boolean
  fsize: number
  queue: WaitQueue | null
}

// -- one step --

/** As much as goes now. → bytes moved, -errno, or PENDING_IN / PENDING_OUT when nothing could be moved yet. */
function run(state: FsState, move: Move, endpoint: number): number {
  let done = 0
  while (done < move.left) {
    const bytes = step(state, move, Math.min(move.left - done, state.sys.bufferSize), endpoint)
    if (bytes <= 0) return done > 0 ? done : bytes
    done += bytes
    if (move.tee) break
  }
  return done
}

function step(state: FsState, move: Move, most: number, endpoint: number): number {
  const out = pipeOf(move.to)
  let bytes = most
  if (out !== null && out.readers > 0) {
    if (isFull(out.buffer)) return PENDING_OUT
    // a file's pages go in as they are: the first from where it is begun
    const skipped = isRegular(move.from.inode.mode) ? positionOf(move) % PAGE : 0
    bytes = Math.min(bytes, (out.buffer.pages.length - out.buffer.count) * PAGE - skipped)
  }
  const source = pipeOf(move.from)
  if (out !== null && out.readers === 0 && (source === null || source.buffer.used > 0 || source.writers === 0)) {
    state.sys.kill(endpoint, SIGPIPE)
    return -E.PIPE
  }
  // between pipes whole pages move, each to a page of its own
  if (source !== null && out !== null && !move.tee && source.buffer.used > 0)
    bytes = Math.min(bytes, firstPage(source.buffer), PAGE)
  const got = source !== null ? peek(state, source, bytes) : fetch(state, move, bytes, endpoint)
  if (got <= 0) return got
  return store(state, move, source, got, endpoint)
}
function positionOf(move: Move): number {
  return move.fromAt >= 0 ? move.fromAt : move.from.pos
}
function peek(state: FsState, source: Pipe, bytes: number): number {
  if (source.buffer.used > 0) return peekPipe(state, source, state.sys.buffer, bytes)
  return source.writers === 0 ? 0 : PENDING_IN
}
function fetch(state: FsState, move: Move, bytes: number, endpoint: number): number {
  const caller = callerOf(state, endpoint, true, 0, bytes)
  const pos = positionOf(move)
  if (pos > FILE_MAX) return 0
  const got = move.from.ops.read(move.from, state.sys.buffer, bytes, pos, caller)
  return got === -E.AGAIN ? PENDING_IN : got
}
/** Write what was got and only then count it as taken. */
function store(state: FsState, move: Move, source: Pipe | null, got: number, endpoint: number): number {
  const { from, to } = move
  const fromPos = from.pos // may be moved along with to.pos: one open file can be both
  let pos = move.toAt >= 0 ? move.toAt : to.pos
  if (pos >= 0 && (to.flags & O.APPEND) !== 0) pos = sizeOf(to)
  let len = got
  if (pos >= 0 && pos + len > move.fsize) len = limited(state, move, to, endpoint, pos, len)
  if (len < 0) return len
  const caller = callerOf(state, endpoint, true, 0, len)
  const at = state.sys.buffer
  const put = pipeOf(to) === null ? to.ops.write(to, at, len, pos, caller) : feedPipe(to, at, len, caller)
  if (put === -E.AGAIN) return PENDING_OUT
  if (put <= 0) return put
  if (move.toAt >= 0) move.toAt += put
  else if (pos >= 0) to.pos = pos + put
  if (move.fromAt >= 0) move.fromAt += put
  else if (fromPos >= 0) from.pos = fromPos + put
  if (source !== null && !move.tee) skipPipe(state, source, put)
  if (state.watched !== 0) {
    notifyFile(state, IN.ACCESS, from)
    notifyFile(state, IN.MODIFY, to)
  }
  return put
}

// -- waiting --

function start(state: FsState, move: Move, endpoint: number): number {
  const result = run(state, move, endpoint)
  if (result !== PENDING_IN && result !== PENDING_OUT) return finish(state, move, result)
  const side = result === PENDING_IN ? move.from : move.to
  if (move.nonblock || (side.flags & O.NONBLOCK) !== 0) return -E.AGAIN
  const row = suspend(state, endpoint, WAIT.SPLICE, null, 0, 0, 0)
  row.more = move
  move.from.refs++
  move.to.refs++
  enter(move, side, slotOf(endpoint))
  return SUSPEND
}
function enter(move: Move, side: OpenFile, slot: number): void {
  move.queue = side.ops.queue?.(side) ?? null
  move.queue?.waiters.push(slot)
}
/** The end it waits for has changed. */
export function retrySplice(state: FsState, row: Row): void {
  const move = row.more as Move
  const slot = slotOf(row.endpoint)
  if (move.queue !== null) leave(move.queue, slot)
  move.queue = null
  const result = run(state, move, row.endpoint)
  if (result === PENDING_IN) enter(move, move.from, slot)
  else if (result === PENDING_OUT) enter(move, move.to, slot)
  else {
    const answer = finish(state, move, result)
    dropSplice(state, row)
    resume(state, row, answer)
  }
}
/** Leave the queue and give the files back; the row is the caller's to free. */
export function dropSplice(state: FsState, row: Row): void {
  const move = row.more as Move
  if (move.queue !== null) leave(move.queue, slotOf(row.endpoint))
  dropFile(state, move.from)
  dropFile(state, move.to)
}
function finish(state: FsState, move: Move, result: number): number {
  if (result >= 0 && move.fromGrant >= 0) setLoff(state, move.fromGrant, move.fromAt)
  if (result >= 0 && move.toGrant >= 0) setLoff(state, move.toGrant, move.toAt)
  return result
}

// -- the calls --

function getLoff(state: FsState, at: number): number {
  return state.sys.view.getInt32(at + 4, true) * 2 ** 32 + state.sys.view.getUint32(at, true)
}
function setLoff(state: FsState, at: number, value: number): void {
  state.sys.view.setUint32(at, value % 2 ** 32, true)
  state.sys.view.setUint32(at + 4, Math.floor(value / 2 ** 32), true)
}
/** The grant of an optional loff_t, or -1. */
function offsetGrant(m: Message, cell: number): number {
  return high(m, cell) >= 8 ? int(m, cell) : -1
}
const reads = (file: OpenFile): boolean => (file.flags & O.ACCMODE) !== O.WRONLY
const writes = (file: OpenFile): boolean => (file.flags & O.ACCMODE) !== O.RDONLY

function newMove(
  state: FsState,
  fproc: Fproc,
  from: OpenFile,
  to: OpenFile,
  fromGrant: number,
  toGrant: number,
  len: number,
): Move {
  return {
    from,
    to,
    fromGrant,
    toGrant,
    left: Math.min(len, MOVE_MAX),
    nonblock: false,
    tee: false,
    fsize: fproc.fsize,
    queue: null,
    fromAt: fromGrant >= 0 ? getLoff(state, fromGrant) : -1,
    toAt: toGrant >= 0 ? getLoff(state, toGrant) : -1,
  }
}

function sendfile(state: FsState, m: Message, endpoint: number): number {
  const fproc = fprocOf(state, endpoint)
  if (fproc === undefined) return -E.SRCH
  const to = getIo(fproc, int(m, 0))
  const from = getIo(fproc, int(m, 1))
  const count = long(m, 3)
  if (from === null || !reads(from)) return -E.BADF
  const grant = offsetGrant(m, 2)
  if (grant >= 0 && from.pos < 0) return -E.SPIPE
  if (to === null || !writes(to)) return -E.BADF
  if (from.pos < 0 || (to.flags & O.APPEND) !== 0 || count < 0) return -E.INVAL
  if (count === 0) return 0
  if (isDirectory(from.inode.mode)) return -E.INVAL
  const move = newMove(state, fproc, from, to, grant, -1, count)
  if (grant >= 0 && move.fromAt < 0) return -E.INVAL
  return start(state, move, endpoint)
}

function splice(state: FsState, m: Message, endpoint: number): number {
  const fproc = fprocOf(state, endpoint)
  if (fproc === undefined) return -E.SRCH
  const from = getIo(fproc, int(m, 0))
  const to = getIo(fproc, int(m, 2))
  const len = long(m, 4)
  const flags = int(m, 5)
  if (len === 0) return 0
  if ((flags & ~SPLICE_F_ALL) !== 0) return -E.INVAL
  if (from === null || to === null || !reads(from) || !writes(to)) return -E.BADF
  const source = pipeOf(from)
  const sink = pipeOf(to)
  const fromGrant = offsetGrant(m, 1)
  const toGrant = offsetGrant(m, 3)
  if ((source === null && sink === null) || isDirectory(from.inode.mode)) return -E.INVAL
  if ((fromGrant >= 0 && from.pos < 0) || (toGrant >= 0 && to.pos < 0)) return -E.SPIPE
  if (source === sink || (sink === null && (to.flags & O.APPEND) !== 0) || len < 0) return -E.INVAL
  const move = newMove(state, fproc, from, to, fromGrant, toGrant, len)
  if ((fromGrant >= 0 && move.fromAt < 0) || (toGrant >= 0 && move.toAt < 0)) return -E.INVAL
  move.nonblock = (flags & SPLICE_F_NONBLOCK) !== 0
  return start(state, move, endpoint)
}

function tee(state: FsState, m: Message, endpoint: number): number {
  const fproc = fprocOf(state, endpoint)
  if (fproc === undefined) return -E.SRCH
  const from = getIo(fproc, int(m, 0))
  const to = getIo(fproc, int(m, 1))
  const flags = int(m, 3)
  if ((flags & ~SPLICE_F_ALL) !== 0) return -E.INVAL
  if (from === null || to === null || !reads(from) || !writes(to)) return -E.BADF
  const source = pipeOf(from)
  if (source === null || pipeOf(to) === null || source === pipeOf(to)) return -E.INVAL
  const move = newMove(state, fproc, from, to, -1, -1, Math.max(0, long(m, 2)))
  move.nonblock = (flags & SPLICE_F_NONBLOCK) !== 0
  move.tee = true
  return start(state, move, endpoint)
}

/** Bytes of a guest's memory into a pipe: copied, not given away. */
function vmsplice(state: FsState, m: Message, endpoint: number): number {
  const flags = int(m, 3)
  if ((flags & ~SPLICE_F_ALL) !== 0) return -E.INVAL
  const fproc = fprocOf(state, endpoint)
  const file = fproc === undefined ? null : getIo(fproc, int(m, 0))
  if (file === null || pipeOf(file) === null || !writes(file)) return -E.BADF
  if (long(m, 2) <= 0) return long(m, 2)
  const nonblock = (flags & SPLICE_F_NONBLOCK) !== 0 || (file.flags & O.NONBLOCK) !== 0
  const caller = callerOf(state, endpoint, nonblock, int(m, 4), high(m, 4))
  return file.ops.write(file, int(m, 1), Math.min(long(m, 2), high(m, 1)), -1, caller)
}

function copyFileRange(state: FsState, m: Message, endpoint: number): number {
  const fproc = fprocOf(state, endpoint)
  if (fproc === undefined) return -E.SRCH
  const from = getIo(fproc, int(m, 0))
  const to = getIo(fproc, int(m, 2))
  if (from === null || to === null) return -E.BADF
  const len = long(m, 4)
  if (uint(m, 5) !== 0) return -E.INVAL
  if (isDirectory(from.inode.mode) || isDirectory(to.inode.mode)) return -E.ISDIR
  if (!isRegular(from.inode.mode) || !isRegular(to.inode.mode)) return -E.INVAL
  if (!reads(from) || !writes(to) || (to.flags & O.APPEND) !== 0) return -E.BADF
  const move = newMove(state, fproc, from, to, offsetGrant(m, 1), offsetGrant(m, 3), Math.max(len, 0))
  if ((move.fromGrant >= 0 && move.fromAt < 0) || (move.toGrant >= 0 && move.toAt < 0)) return -E.OVERFLOW
  const fromPos = move.fromAt >= 0 ? move.fromAt : from.pos
  const toPos = move.toAt >= 0 ? move.toAt : to.pos
  move.left = Math.min(move.left, Math.max(0, sizeOf(from) - fromPos))
  if (from.inode === to.inode && fromPos < toPos + move.left && toPos < fromPos + move.left) return -E.INVAL
  return start(state, move, endpoint)
}

export function spliceCalls(state: FsState): CallVector {
  return {
    [FS.SENDFILE]: (m, from) => sendfile(state, m, from),
    [FS.SPLICE]: (m, from) => splice(state, m, from),
    [FS.TEE]: (m, from) => tee(state, m, from),
    [FS.VMSPLICE]: (m, from) => vmsplice(state, m, from),
    [FS.COPY_FILE_RANGE]: (m, from) => copyFileRange(state, m, from),
  }
}
