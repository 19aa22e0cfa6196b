// poll and select: rows that wait on the queues of several files, with a timeout. Also wake(), through which every file that becomes
// ready tells whoever waits on it: poll and select rows, epoll_wait rows, splice rows (ids ≥ 0: slots), epoll items (ids < 0) and owners of
// asynchronous files (below FIRST_ASYNC).
// Invariants: a slot is in a queue only while its row stands; a waiting row holds a reference to every file it watches.
// The timeout's grant holds what is left of it when the call ends, for callers that get it back (container/linux/convert.ts).
// The signal mask of ppoll and pselect6 is the container's and PM's business: its cell is not read here.
import { E } from '../../abi/errno.ts'
import { high, int, type Message, SUSPEND, slotOf, uint } from '../../abi/message.ts'
import { EPOLL, POLL, POLLFD_BYTES, READABLE, SELECT, WRITABLE } from '../../abi/poll.ts'
import type { CallVector } from '../../lib/server.ts'
import { FS } from '../../protocol/fs.ts'
import { FIRST_ASYNC, signalOwner } from './async.ts'
import { collectInto, type EpollItem, queueItem } from './epoll.ts'
import { getIo } from './filedes.ts'
import type { Fproc, OpenFile, WaitQueue } from './inode.ts'
import { retrySplice } from './splice.ts'
import { dropFile, type FsState, fprocOf, type Row, resume, suspend, WAIT } from './state.ts'

const ALWAYS = READABLE | WRITABLE
export const FOREVER = -1

/** What a waiting poll or select watches; index i belongs together. */
interface Watch {
  fds: number[]
  files: (OpenFile | null)[]
  events: number[]
  queues: WaitQueue[]
  /** Most that can be left of the timeout, ms. */
  timeout: number
}
function newWatch(): Watch {
  return { fds: [], files: [], events: [], queues: [], timeout: FOREVER }
}

export function ready(file: OpenFile): number {
  return file.ops.poll === undefined ? ALWAYS : file.ops.poll(file)
}

// -- waking --

/** Readiness of a file may have changed: some of `events` may hold now. */
export function wake(state: FsState, queue: WaitQueue, events: number): void {
  let exclusive = false
  for (let i = queue.waiters.length - 1; i >= 0; i--) {
    const id = queue.waiters[i]
    if (id === undefined) continue
    if (id >= 0) wakeRow(state, state.rows[id] as Row)
    else if (id <= FIRST_ASYNC) signalOwner(state, id, events)
    else {
      const item = state.epoll.items[-id - 1] as EpollItem
      if ((item.events & EPOLL.EXCLUSIVE) !== 0) exclusive = true
      else wakeItem(state, item, events)
    }
  }
  if (exclusive) wakeOne(state, queue, events)
}
/** → whether somebody waited for it. */
function wakeItem(state: FsState, item: EpollItem, events: number): boolean {
  if (!queueItem(item, events) || item.set.waiters.length === 0) return false
  wake(state, item.set, READABLE)
  return true
}
/** EPOLLEXCLUSIVE: of the sets that were to be told alone, the first that anybody waits on. */
function wakeOne(state: FsState, queue: WaitQueue, events: number): void {
  for (const id of queue.waiters.slice()) {
    const item = id < 0 ? state.epoll.items[-id - 1] : null
    if (item && (item.events & EPOLL.EXCLUSIVE) !== 0 && wakeItem(state, item, events)) return
  }
}
function wakeRow(state: FsState, row: Row): void {
  if (row.kind === WAIT.SPLICE) {
    retrySplice(state, row)
    return
  }
  const served = state.current // a signalfd asks for whom it is polled
  state.current = row.endpoint
  let result = 0
  if (row.kind === WAIT.POLL) result = checkPoll(state, row)
  else if (row.kind === WAIT.SELECT) result = checkSelect(state, row)
  else if (row.kind === WAIT.EPOLL) result = collectInto(state, row)
  state.current = served
  if (result > 0) finishWait(state, row, result)
}
/** A waiting poll, select or epoll_wait is over. */
export function finishWait(state: FsState, row: Row, result: number): void {
  stopWaiting(state, row)
  resume(state, row, result)
}
/** Take the row out of all queues and give its files back; the row itself is the caller's to free. */
export function stopWaiting(state: FsState, row: Row): void {
  const slot = slotOf(row.endpoint)
  const watch = row.more as Watch
  if (row.d >= 0) writeTime(state, row.d, Math.min(state.timers.left(2 * slot), watch.timeout))
  state.timers.clear(2 * slot)
  for (const queue of watch.queues) leave(queue, slot)
  const files = watch.files
  row.more = newWatch()
  for (const file of files) if (file !== null) dropFile(state, file)
}
export function leave(queue: WaitQueue, id: number): void {
  const i = queue.waiters.indexOf(id)
  if (i >= 0) queue.waiters.splice(i, 1)
}
/** The timeout of a waiting row has come (timer key 2 * slot). */
export function waitExpired(state: FsState, slot: number): void {
  const row = state.rows[slot]
  if (row === undefined || row.kind === WAIT.NONE) return
  if (row.kind === WAIT.FILE) {
    const file = row.file as OpenFile
    resume(state, row, file.ops.expire?.(file, row.endpoint) ?? -E.TIMEDOUT)
    return
  }
  if (row.kind === WAIT.SELECT) clearSets(state, row)
  ;(row.more as Watch).timeout = 0
  finishWait(state, row, 0)
}

/** Enter the queues of the watched files and set the timeout. `watch.queues` may hold queues already. */
function startWaiting(state: FsState, row: Row, watch: Watch, timeout: number, timeAt: number): number {
  const slot = slotOf(row.endpoint)
  row.more = watch
  row.d = timeout === FOREVER ? -1 : timeAt
  watch.timeout = timeout
  for (const file of watch.files) {
    if (file === null) continue
    file.refs++
    const queue = file.ops.queue?.(file)
    if (queue === undefined || watch.queues.includes(queue)) continue
    watch.queues.push(queue)
  }
  for (const queue of watch.queues) queue.waiters.push(slot)
  if (timeout !== FOREVER) state.timers.after(2 * slot, timeout)
  return SUSPEND
}
/** epoll_wait: wait on one queue only. */
export function waitOn(state: FsState, row: Row, queue: WaitQueue, timeout: number): number {
  return startWaiting(state, row, { ...newWatch(), queues: [queue] }, timeout, -1)
}

/** A timespec grant → milliseconds, FOREVER when absent, or NaN when invalid. */
export function timeoutOf(state: FsState, m: Message, cell: number): number {
  if (high(m, cell) < 16) return high(m, cell) === 0 ? FOREVER : Number.NaN
  const at = int(m, cell)
  const view = state.sys.view
  const seconds = view.getInt32(at + 4, true) * 2 ** 32 + view.getUint32(at, true)
  const nanos = view.getInt32(at + 12, true) * 2 ** 32 + view.getUint32(at + 8, true)
  if (seconds < 0 || nanos < 0 || nanos > 999999999) return Number.NaN
  return seconds * 1000 + nanos / 1e6
}

function writeTime(state: FsState, at: number, ms: number): void {
  const seconds = Math.floor(ms / 1000)
  const view = state.sys.view
  view.setUint32(at, seconds % 2 ** 32, true)
  view.setInt32(at + 4, Math.floor(seconds / 2 ** 32), true)
  view.setUint32(at + 8, Math.min(999_999_999, Math.floor((ms - seconds * 1000) * 1e6)), true)
  view.setInt32(at + 12, 0, true)
}

// -- poll --

function poll(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  if (fproc === undefined) return -E.SRCH
  const view = state.sys.view
  const at = int(m, 0)
  const count = uint(m, 1)
  const timeout = timeoutOf(state, m, 2)
  if (Number.isNaN(timeout) || count > fproc.nofile) return -E.INVAL
  if (high(m, 0) < count * POLLFD_BYTES) return -E.FAULT
  let result = 0
  for (let i = 0, p = at; i < count; i++, p += POLLFD_BYTES) {
    const fd = view.getInt32(p, true)
    const events = view.getUint16(p + 4, true)
    let revents = 0
    if (fd >= 0) {
      const file = getIo(fproc, fd)
      revents = file === null ? POLL.NVAL : ready(file) & (events | POLL.ERR | POLL.HUP)
      if (revents !== 0) result++
    }
    view.setUint16(p + 6, revents, true)
  }
  if (result > 0 || timeout === 0) return result
  return waitPoll(state, fproc, m, from, timeout)
}
function waitPoll(state: FsState, fproc: Fproc, m: Message, from: number, timeout: number): number {
  const view = state.sys.view
  const at = int(m, 0)
  const count = uint(m, 1)
  const watch = newWatch()
  for (let i = 0, p = at; i < count; i++, p += POLLFD_BYTES) {
    const fd = view.getInt32(p, true)
    watch.fds.push(fd)
    watch.files.push(fd < 0 ? null : getIo(fproc, fd))
    watch.events.push(view.getUint16(p + 4, true) | POLL.ERR | POLL.HUP)
  }
  return startWaiting(state, suspend(state, from, WAIT.POLL, null, at, count, 0), watch, timeout, int(m, 2))
}
/** Writes revents when something is ready → how many are. */
function checkPoll(state: FsState, row: Row): number {
  const { files, events } = row.more as Watch
  let result = 0
  for (let i = 0; i < files.length; i++) {
    const file = files[i] as OpenFile | null
    if (file === null) continue
    const revents = ready(file) & (events[i] as number)
    if (revents === 0) continue
    state.sys.view.setUint16(row.at + i * POLLFD_BYTES + 6, revents, true)
    result++
  }
  return result
}

// -- select --

const SETS = [SELECT.IN, SELECT.OUT, SELECT.EX] as const

function select(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  if (fproc === undefined) return -E.SRCH
  const n = Math.min(int(m, 0), Math.max(fproc.table.files.length, 64))
  const timeout = timeoutOf(state, m, 4)
  if (n < 0 || Number.isNaN(timeout)) return -E.INVAL
  const bytes = ((n + 63) >> 6) * 8
  for (let k = 1; k <= 3; k++) if (high(m, k) !== 0 && high(m, k) < bytes) return -E.FAULT
  const watch = newWatch()
  for (let fd = 0; fd < n; fd++) {
    const events = asked(state, m, fd)
    if (events === 0) continue
    const file = getIo(fproc, fd)
    if (file === null) return -E.BADF
    watch.fds.push(fd)
    watch.files.push(file)
    watch.events.push(events)
  }
  const row = suspend(state, from, WAIT.SELECT, null, 0, bytes, 0)
  for (let k = 1; k <= 3; k++) setGrantOf(row, k, high(m, k) === 0 ? -1 : int(m, k))
  row.more = watch
  const result = checkSelect(state, row)
  if (result === 0 && timeout !== 0) return startWaiting(state, row, watch, timeout, int(m, 4))
  if (result === 0) clearSets(state, row)
  row.kind = WAIT.NONE
  row.more = null
  return result
}
/** The row's three set offsets (-1: null pointer): a, b, c. */
function setGrantOf(row: Row, k: number, at: number): void {
  if (k === 1) row.a = at
  else if (k === 2) row.b = at
  else row.c = at
}
/** Bit k - 1 for each of the three sets that has `fd`. */
function asked(state: FsState, m: Message, fd: number): number {
  let events = 0
  for (let k = 1; k <= 3; k++) {
    if (high(m, k) !== 0 && ((state.sys.mem[int(m, k) + (fd >> 3)] as number) & (1 << (fd & 7))) !== 0)
      events |= 1 << (k - 1)
  }
  return events
}
function clearSets(state: FsState, row: Row): void {
  for (const at of [row.a, row.b, row.c]) if (at >= 0) state.sys.mem.fill(0, at, at + row.len)
}
/** When anything is ready, replaces the sets by the ready ones → number of bits. */
function checkSelect(state: FsState, row: Row): number {
  const { fds, files, events } = row.more as Watch
  const sets = [row.a, row.b, row.c]
  let result = 0
  for (let i = 0; i < fds.length; i++) {
    const mask = ready(files[i] as OpenFile)
    for (let k = 0; k < 3; k++) {
      if (((events[i] as number) & (1 << k)) === 0 || (mask & (SETS[k] as number)) === 0) continue
      if (result++ === 0) clearSets(state, row)
      const fd = fds[i] as number
      const byte = (sets[k] as number) + (fd >> 3)
      state.sys.mem[byte] = (state.sys.mem[byte] as number) | (1 << (fd & 7))
    }
  }
  return result
}

export function pollCalls(state: FsState): CallVector {
  return {
    [FS.POLL]: (m, from) => poll(state, m, from),
    [FS.SELECT]: (m, from) => select(state, m, from),
  }
}
