// Pipes and FIFOs: a buffer (pipe-buffer.ts) between readers and writers, after pipe(7). Blocked readers and writers are rows queued by
// slot; bytes go straight from a writer's grant to a blocked reader's grant when the buffer is empty.
// Invariants: a reader waits only while the buffer is empty; the first waiting writer doesn't fit; readers/writers count open files (not descriptors), an O_RDWR one on both sides.
import { E } from '../../abi/errno.ts'
import { O, S } from '../../abi/fcntl.ts'
import { SUSPEND, slotOf } from '../../abi/message.ts'
import { POLL, READABLE, WRITABLE } from '../../abi/poll.ts'
import { anonInode } from './anon.ts'
import { installFile } from './filedes.ts'
import type { Caller, FileOps, Fproc, Inode, OpenFile, WaitQueue } from './inode.ts'
import { isFull, newBuffer, PAGE, type PipeBuffer, peek, portion, put, resize, sealLast, skip, unskip } from './pipe-buffer.ts'
import { wake } from './poll.ts'
import { dropFile, type FsState, newFile, type Row, resume, suspend, WAIT } from './state.ts'

export const PIPE_SIZE = 65536
/** /proc/sys/fs/pipe-max-size */
export const PIPE_MAX = 1048576
/** Once pipes hold this much (pipe-user-pages-soft), new ones get SMALL bytes and none may grow without privilege. */
export const PIPE_SOFT = 16384 * PAGE
const SMALL = 2 * PAGE
const SIGPIPE = 13
/** Open flags that aren't kept in the description. */
const OPEN_ONLY = O.CREAT | O.EXCL | O.TRUNC | O.NOCTTY | O.CLOEXEC
const READER = 0
const WRITER = 1

export interface Pipe extends WaitQueue {
  inode: Inode
  buffer: PipeBuffer
  readers: number
  writers: number
  /** How often each side was opened: a FIFO open waits for a change, not for a count (the partner may be gone again). */
  readerOpens: number
  writerOpens: number
  /** Slots of threads in read, write and open. */
  reading: number[]
  writing: number[]
  opening: number[]
}

function newPipe(state: FsState, inode: Inode): Pipe {
  return {
    inode,
    waiters: [],
    buffer: newBuffer(state.pipeBytes > PIPE_SOFT ? SMALL : PIPE_SIZE),
    readers: 0,
    writers: 0,
    readerOpens: 0,
    writerOpens: 0,
    reading: [],
    writing: [],
    opening: [],
  }
}

const readsFrom = (file: OpenFile): boolean => (file.flags & O.ACCMODE) !== O.WRONLY
const writesTo = (file: OpenFile): boolean => (file.flags & O.ACCMODE) !== O.RDONLY
export function pipeOf(file: OpenFile): Pipe | null {
  return file.ops.release === releasePipe ? (file.priv as OpenPipe).pipe : null
}
/** An open end. `opens`: POLLHUP needs writerOpens to differ from this, so that a FIFO opened O_NONBLOCK before any writer shows none. */
interface OpenPipe {
  state: FsState
  pipe: Pipe
  opens: number
}

// -- read and write --

function readPipe(file: OpenFile, at: number, len: number, _position: number, caller: Caller): number {
  const { state, pipe } = file.priv as OpenPipe
  if (len === 0) return 0
  const { buffer } = pipe
  if (buffer.packets > 0) return readPacket(state, pipe, at, len)
  if (buffer.used > 0) {
    const bytes = Math.min(len, buffer.used)
    peek(buffer, state.sys.mem, at, bytes)
    skipPipe(state, pipe, bytes)
    return bytes
  }
  if (pipe.writers === 0) return 0
  if (caller.nonblock) return -E.AGAIN
  suspend(state, caller.endpoint, WAIT.FILE, file, at, len, 0).side = READER
  pipe.reading.push(slotOf(caller.endpoint))
  return SUSPEND
}

const part = { bytes: 0, gone: 0 }
function readPacket(state: FsState, pipe: Pipe, at: number, len: number): number {
  portion(pipe.buffer, len, part)
  const { bytes, gone } = part
  peek(pipe.buffer, state.sys.mem, at, bytes)
  skipPipe(state, pipe, gone)
  return bytes
}

/** O_DIRECT on a pipe: writes are packets. */
const writesPackets = (file: OpenFile): boolean => (file.flags & O.DIRECT) !== 0

function writePipe(file: OpenFile, at: number, len: number, _position: number, caller: Caller): number {
  return feed(file, at, len, caller, true, writesPackets(file))
}
/** splice and tee: pages of their own, no packets, and later writes don't join the last of them. */
export function feedPipe(file: OpenFile, at: number, len: number, caller: Caller): number {
  const done = feed(file, at, len, caller, false, false)
  if (done > 0) sealLast((file.priv as OpenPipe).pipe.buffer)
  return done
}
function feed(file: OpenFile, at: number, len: number, caller: Caller, join: boolean, packet: boolean): number {
  const { state, pipe } = file.priv as OpenPipe
  if (len === 0) return 0
  if (pipe.readers === 0) {
    state.sys.kill(caller.endpoint, SIGPIPE)
    return -E.PIPE
  }
  const done = transfer(state, pipe, at, len, 0, join, packet)
  if (done > 0 && pipe.waiters.length > 0) wake(state, pipe, READABLE)
  if (done === len) return done
  if (caller.nonblock) return done > 0 ? done : -E.AGAIN
  suspend(state, caller.endpoint, WAIT.FILE, file, at, len, done).side = WRITER
  pipe.writing.push(slotOf(caller.endpoint))
  return SUSPEND
}

/** Move what goes of a write of `len` bytes, `done` of them moved before: first to blocked readers, then into the buffer. → done */
function transfer(
  state: FsState,
  pipe: Pipe,
  at: number,
  len: number,
  done: number,
  first: boolean,
  packet: boolean,
): number {
  const { buffer } = pipe
  const { mem } = state.sys
  while (pipe.reading.length > 0 && done < len) {
    const row = state.rows[pipe.reading.shift() as number] as Row
    const bytes = Math.min(row.len, len - done, packet ? PAGE : buffer.size)
    mem.copyWithin(row.at, at + done, at + done + bytes)
    done += packet ? Math.min(PAGE, len - done) : bytes
    resume(state, row, bytes)
  }
  if (done === len) return done
  if (buffer.ring === null) {
    buffer.ring = new Uint8Array(buffer.size)
    state.pipeBytes += buffer.size
  }
  return done + put(buffer, mem, at + done, len - done, first, packet)
}

/** Room has appeared: blocked writers go on, oldest first, until one doesn't fit. */
function pumpWriters(state: FsState, pipe: Pipe): void {
  let moved = false
  while (pipe.writing.length > 0) {
    const row = state.rows[pipe.writing[0] as number] as Row
    const done = transfer(state, pipe, row.at, row.len, row.done, false, writesPackets(row.file as OpenFile))
    moved ||= done > row.done
    row.done = done
    if (done < row.len) break
    pipe.writing.shift()
    resume(state, row, done)
  }
  if (moved && pipe.waiters.length > 0) wake(state, pipe, READABLE)
}

/** splice and tee: copy up to `bytes` to the arena without taking them. → how many */
export function peekPipe(state: FsState, pipe: Pipe, at: number, bytes: number): number {
  const some = Math.min(bytes, pipe.buffer.used)
  if (some > 0) peek(pipe.buffer, state.sys.mem, at, some)
  return some
}
/** Take bytes peeked before. */
export function skipPipe(state: FsState, pipe: Pipe, bytes: number): void {
  const full = isFull(pipe.buffer)
  skip(pipe.buffer, bytes)
  if (!full || isFull(pipe.buffer)) return
  pumpWriters(state, pipe)
  if (pipe.waiters.length > 0) wake(state, pipe, WRITABLE)
}

function unreadPipe(file: OpenFile, at: number, len: number): void {
  const { state, pipe } = file.priv as OpenPipe
  unskip(pipe.buffer, state.sys.mem, at, len)
  if (pipe.waiters.length > 0) wake(state, pipe, READABLE)
}
function pollPipe(file: OpenFile): number {
  const { pipe, opens } = file.priv as OpenPipe
  let events = 0
  if (readsFrom(file)) {
    if (pipe.buffer.used > 0) events |= READABLE
    if (pipe.writers === 0 && pipe.writerOpens !== opens) events |= POLL.HUP
  }
  if (writesTo(file)) {
    if (!isFull(pipe.buffer)) events |= WRITABLE
    if (pipe.readers === 0) events |= POLL.ERR
  }
  return events
}

function cancelPipe(file: OpenFile, endpoint: number): number {
  const { state, pipe } = file.priv as OpenPipe
  const slot = slotOf(endpoint)
  const row = state.rows[slot] as Row
  const queue = row.side === READER ? pipe.reading : pipe.writing
  const i = queue.indexOf(slot)
  if (i >= 0) queue.splice(i, 1)
  return row.done > 0 ? row.done : -E.RESTARTSYS
}

function releasePipe(file: OpenFile): void {
  const { state, pipe } = file.priv as OpenPipe
  if (readsFrom(file)) pipe.readers--
  if (writesTo(file)) pipe.writers--
  if (pipe.writers === 0) for (const slot of pipe.reading.splice(0)) resume(state, state.rows[slot] as Row, 0)
  if (pipe.readers === 0) for (const slot of pipe.writing.splice(0)) breakWriter(state, state.rows[slot] as Row)
  if (pipe.waiters.length > 0) wake(state, pipe, READABLE | WRITABLE | POLL.HUP | POLL.ERR)
  forgetPipe(state, pipe)
}
function breakWriter(state: FsState, row: Row): void {
  state.sys.kill(row.endpoint, SIGPIPE)
  resume(state, row, row.done > 0 ? row.done : -E.PIPE)
}
function forgetPipe(state: FsState, pipe: Pipe): void {
  if (pipe.readers > 0 || pipe.writers > 0 || pipe.opening.length > 0) return
  state.pipes.delete(pipe.inode)
  if (pipe.buffer.ring !== null) state.pipeBytes -= pipe.buffer.size
  pipe.buffer.ring = null
}

export const pipeOps: FileOps = {
  read: readPipe,
  write: writePipe,
  unread: unreadPipe,
  poll: pollPipe,
  queue: file => (file.priv as OpenPipe).pipe,
  cancel: cancelPipe,
  release: releasePipe,
}

// -- pipe(2), F_SETPIPE_SZ --

/** pipe2(2): the two ends, each with one reference, or -ENFILE. */
export function makePipe(state: FsState, fproc: Fproc, flags: number): { read: OpenFile; write: OpenFile } | number {
  if (state.openFiles + 2 > state.maxFiles) return -E.NFILE
  const inode = anonInode(state, S.IFIFO | 0o600, fproc.cred.fsuid, fproc.cred.fsgid, 0)
  const pipe = newPipe(state, inode)
  state.pipes.set(inode, pipe)
  const read = openEnd(state, pipe, O.RDONLY | (flags & ~O.DIRECT), `pipe:[${inode.ino}]`, 0)
  const write = openEnd(state, pipe, O.WRONLY | flags, `pipe:[${inode.ino}]`, 0)
  return { read, write }
}

function openEnd(state: FsState, pipe: Pipe, flags: number, path: string, opens: number): OpenFile {
  const priv: OpenPipe = { state, pipe, opens }
  const file = newFile(state, pipe.inode, flags, path, pipeOps, -1, priv)
  if (readsFrom(file)) {
    pipe.readers++
    pipe.readerOpens++
  }
  if (writesTo(file)) {
    pipe.writers++
    pipe.writerOpens++
  }
  return file
}

/** F_SETPIPE_SZ: rounded up to a power of two of pages. → the new size, -EBUSY when its content doesn't fit, -EPERM over the limit. */
export function setPipeSize(state: FsState, pipe: Pipe, wanted: number, privileged: boolean): number {
  if (!(wanted >= 0 && wanted <= 0x80000000)) return -E.INVAL
  let size = PAGE
  while (size < wanted) size *= 2
  const { buffer } = pipe
  if (size > buffer.size && !privileged && (size > PIPE_MAX || state.pipeBytes > PIPE_SOFT)) return -E.PERM
  if (size > 64 * PIPE_MAX) return -E.NOMEM
  if (size < buffer.count * PAGE) return -E.BUSY
  state.pipeBytes += size - (buffer.ring === null ? 0 : buffer.size)
  resize(buffer, size)
  pumpWriters(state, pipe)
  if (pipe.waiters.length > 0) wake(state, pipe, WRITABLE)
  return size
}

// -- FIFOs: fifo(7) --

/** Open a FIFO (or, through /proc/PID/fd, a pipe). → the open file, -ENXIO, or SUSPEND: installed and answered when a partner comes. */
export function openFifo(
  state: FsState,
  inode: Inode,
  flags: number,
  path: string,
  endpoint: number,
): OpenFile | number {
  let pipe = state.pipes.get(inode)
  const mode = flags & O.ACCMODE
  const nonblock = (flags & O.NONBLOCK) !== 0
  const named = inode.fs.name !== 'pipefs'
  if (named && mode === O.WRONLY && nonblock && (pipe === undefined || pipe.readers === 0)) return -E.NXIO
  if (state.openFiles >= state.maxFiles) return -E.NFILE
  if (pipe === undefined) {
    pipe = newPipe(state, inode)
    state.pipes.set(inode, pipe)
  }
  const alone = named && (mode === O.RDONLY ? pipe.writers === 0 : mode === O.WRONLY ? pipe.readers === 0 : false)
  const opens = alone && nonblock && mode === O.RDONLY ? pipe.writerOpens : 0
  const file = openEnd(state, pipe, (flags & ~OPEN_ONLY) | O.LARGEFILE, path, opens)
  partnerCame(state, pipe)
  if (!alone || nonblock) return file
  const row = suspend(state, endpoint, WAIT.FIFO, file, 0, 0, 0)
  row.a = mode === O.RDONLY ? pipe.writerOpens : pipe.readerOpens
  row.b = flags
  pipe.opening.push(slotOf(endpoint))
  return SUSPEND
}

/** Somebody opened the pipe: opens that waited for that side are done. */
function partnerCame(state: FsState, pipe: Pipe): void {
  for (const slot of pipe.opening.slice()) {
    const row = state.rows[slot] as Row
    const opens = (row.b & O.ACCMODE) === O.RDONLY ? pipe.writerOpens : pipe.readerOpens
    if (opens === row.a) continue
    pipe.opening.splice(pipe.opening.indexOf(slot), 1)
    finishOpen(state, row)
  }
}
/** The file was open already (counted as an end); now it gets its descriptor. The row's own reference passes to the table. */
function finishOpen(state: FsState, row: Row): void {
  const file = row.file as OpenFile
  const fproc = state.fprocs[slotOf(row.endpoint)]
  const fd = fproc === undefined ? -E.MFILE : installFile(fproc, file, (row.b & O.CLOEXEC) !== 0)
  if (fd < 0) dropFile(state, file)
  resume(state, row, fd)
}
/** The open was cancelled or its caller is gone: undo the half-open end. The row is the caller's to free. */
export function undoFifoOpen(state: FsState, row: Row): void {
  const file = row.file as OpenFile
  const { pipe } = file.priv as OpenPipe
  const i = pipe.opening.indexOf(slotOf(row.endpoint))
  if (i >= 0) pipe.opening.splice(i, 1)
  dropFile(state, file)
}
