// epoll(7): sets of watched files. An item is on its set's ready list when its file may have become ready since it was last reported;
// epoll_wait asks the file again before it reports. Level-triggered items stay listed while ready, edge-triggered ones leave.
// Invariants: an item stands in its file's queue (as -1 - id) and in byFile as long as it exists; `listed` tells whether it is in `ready`.
import { E } from '../../abi/errno.ts'
import { O } from '../../abi/fcntl.ts'
import { high, int, type Message } from '../../abi/message.ts'
import { EPOLL, EPOLL_EVENT_BYTES, POLL, READABLE } from '../../abi/poll.ts'
import type { CallVector } from '../../lib/server.ts'
import { FS } from '../../protocol/fs.ts'
import { anonInode } from './anon.ts'
import { getFile, getIo, installFile } from './filedes.ts'
import type { FileOps, OpenFile, WaitQueue } from './inode.ts'
import { leave, ready, timeoutOf, waitOn, wake } from './poll.ts'
import { dropFile, type FsState, fprocOf, newFile, type Row, suspend, WAIT } from './state.ts'

/** Flag bits of an event mask that are not events. */
const FLAGS = EPOLL.ET | EPOLL.ONESHOT | EPOLL.WAKEUP | EPOLL.EXCLUSIVE
const EXCLUSIVE_OK = POLL.IN | POLL.OUT | POLL.ERR | POLL.HUP | EPOLL.WAKEUP | EPOLL.ET | EPOLL.EXCLUSIVE
const MAX_NESTS = 4
/** /proc/sys/fs/epoll/max_user_watches */
export const WATCHES_MAX = 262144

export interface EpollItem {
  id: number
  set: EpollSet
  file: OpenFile
  fd: number
  /** As given, with ERR and HUP; only FLAGS left once a one-shot item has fired. */
  events: number
  dataLow: number
  dataHigh: number
  listed: boolean
}
/** What an epoll descriptor stands for. */
export interface EpollSet extends WaitQueue {
  items: Set<EpollItem>
  ready: EpollItem[]
  /** What it is known by in other sets. */
  file: OpenFile | null
}
export interface EpollTables {
  items: (EpollItem | null)[]
  /** Ids of items that are null. */
  free: number[]
  byFile: Map<OpenFile, EpollItem[]>
}
export function epollTables(): EpollTables {
  return { items: [], free: [], byFile: new Map() }
}

/** `events` may have come to hold: put the item on its ready list. → whether a waiter may care. */
export function queueItem(item: EpollItem, events: number): boolean {
  if ((events & item.events & ~FLAGS) === 0) return false
  if (!item.listed) {
    item.listed = true
    item.set.ready.push(item)
  }
  return true
}

/** Report up to `max` events to the arena at `at` → how many. */
function collect(state: FsState, set: EpollSet, at: number, max: number): number {
  const view = state.sys.view
  const again: EpollItem[] = []
  let count = 0
  while (count < max) {
    const item = set.ready.shift()
    if (item === undefined) break
    item.listed = false
    const revents = ready(item.file) & item.events & ~FLAGS
    if (revents === 0) continue
    const p = at + count++ * EPOLL_EVENT_BYTES
    view.setUint32(p, revents, true)
    view.setUint32(p + 4, item.dataLow, true)
    view.setUint32(p + 8, item.dataHigh, true)
    if ((item.events & EPOLL.ONESHOT) !== 0) item.events &= FLAGS
    else if ((item.events & EPOLL.ET) === 0) again.push(item)
  }
  for (const item of again) {
    if (item.listed) continue
    item.listed = true
    set.ready.push(item)
  }
  return count
}
/** A waiting epoll_wait row: at, len = room for that many events. */
export function collectInto(state: FsState, row: Row): number {
  return collect(state, (row.file as OpenFile).priv as EpollSet, row.at, row.len)
}

function pollSet(file: OpenFile): number {
  const set = file.priv as EpollSet
  for (let i = set.ready.length - 1; i >= 0; i--) {
    const item = set.ready[i] as EpollItem
    if ((ready(item.file) & item.events & ~FLAGS) !== 0) return READABLE
    item.listed = false
    set.ready.splice(i, 1)
  }
  return 0
}

function removeItem(state: FsState, item: EpollItem): void {
  const { items, free, byFile } = state.epoll
  items[item.id] = null
  free.push(item.id)
  const queue = item.file.ops.queue?.(item.file)
  if (queue !== undefined) leave(queue, -1 - item.id)
  item.set.items.delete(item)
  if (item.listed) item.set.ready.splice(item.set.ready.indexOf(item), 1)
  const others = (byFile.get(item.file) ?? []).filter(other => other !== item)
  if (others.length === 0) byFile.delete(item.file)
  else byFile.set(item.file, others)
}
/** The last reference to an open file goes: it leaves every set (epoll(7), question 6). */
export function forgetWatched(state: FsState, file: OpenFile): void {
  if (state.epoll.byFile.size === 0) return
  for (const item of state.epoll.byFile.get(file) ?? []) removeItem(state, item)
}

function epollOps(state: FsState): FileOps {
  return {
    read: () => -E.INVAL,
    write: () => -E.INVAL,
    poll: pollSet,
    queue: file => file.priv as EpollSet,
    seek: () => 0,
    release(file) {
      for (const item of Array.from((file.priv as EpollSet).items)) removeItem(state, item)
    },
  }
}

/** How many sets hang below `file`, or a number too large when `set` is one of them. */
function depthBelow(set: EpollSet, file: OpenFile, ops: FileOps, depth: number): number {
  const inner = file.priv as EpollSet
  if (inner === set || depth > MAX_NESTS) return MAX_NESTS + 1
  let most = 0
  for (const item of inner.items)
    if (item.file.ops === ops) most = Math.max(most, 1 + depthBelow(set, item.file, ops, depth + 1))
  return most
}
/** How many sets the set hangs below. */
function depthAbove(state: FsState, set: EpollSet, depth: number): number {
  if (depth > MAX_NESTS || set.file === null) return 0
  let most = 0
  for (const item of state.epoll.byFile.get(set.file) ?? []) most = Math.max(most, 1 + depthAbove(state, item.set, depth + 1))
  return most
}
/** Would `set` contain itself through the set `file`, or the chain get longer than Linux allows (ep_loop_check)? */
function loops(state: FsState, set: EpollSet, file: OpenFile, ops: FileOps): boolean {
  return file.ops === ops && 1 + depthBelow(set, file, ops, 0) + depthAbove(state, set, 0) > MAX_NESTS
}

function create(state: FsState, ops: FileOps, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const flags = int(m, 0)
  if (fproc === undefined) return -E.SRCH
  if ((flags & ~O.CLOEXEC) !== 0) return -E.INVAL
  if (state.openFiles >= state.maxFiles) return -E.NFILE
  const set: EpollSet = { waiters: [], items: new Set(), ready: [], file: null }
  const inode = anonInode(state, 0o600, fproc.cred.fsuid, fproc.cred.fsgid, 0)
  const file = newFile(state, inode, O.RDWR, 'anon_inode:[eventpoll]', ops, -1, set)
  set.file = file
  const fd = installFile(fproc, file, (flags & O.CLOEXEC) !== 0)
  if (fd < 0) dropFile(state, file)
  return fd
}

function control(state: FsState, ops: FileOps, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  if (fproc === undefined) return -E.SRCH
  const epfile = getFile(fproc, int(m, 0))
  const op = int(m, 1)
  const fd = int(m, 2)
  const file = getIo(fproc, fd)
  if (op !== EPOLL.CTL_DEL && high(m, 3) < EPOLL_EVENT_BYTES) return -E.FAULT
  if (epfile === null || file === null) return -E.BADF
  if (file.ops.poll === undefined) return -E.PERM
  if (epfile === file || epfile.ops !== ops) return -E.INVAL
  const set = epfile.priv as EpollSet
  const item = state.epoll.byFile.get(file)?.find(one => one.fd === fd && one.set === set)
  if (op === EPOLL.CTL_DEL) {
    if (item === undefined) return -E.NOENT
    removeItem(state, item)
    return 0
  }
  const at = int(m, 3)
  const events = state.sys.view.getUint32(at, true) | 0
  const low = state.sys.view.getUint32(at + 4, true)
  const top = state.sys.view.getUint32(at + 8, true)
  if (op === EPOLL.CTL_MOD) return item === undefined ? -E.NOENT : modify(state, item, events, low, top)
  if (op !== EPOLL.CTL_ADD) return -E.INVAL
  if ((events & EPOLL.EXCLUSIVE) !== 0 && ((events & ~EXCLUSIVE_OK) !== 0 || file.ops === ops)) return -E.INVAL
  if (item !== undefined) return -E.EXIST
  if (loops(state, set, file, ops)) return -E.LOOP
  if (state.epoll.items.length - state.epoll.free.length >= WATCHES_MAX) return -E.NOSPC
  add(state, set, file, fd, events, low, top)
  return 0
}
function add(
  state: FsState,
  set: EpollSet,
  file: OpenFile,
  fd: number,
  events: number,
  dataLow: number,
  dataHigh: number,
): void {
  const { items, free, byFile } = state.epoll
  const id = free.pop() ?? items.length
  const item: EpollItem = { id, set, file, fd, events: events | POLL.ERR | POLL.HUP, dataLow, dataHigh, listed: false }
  items[id] = item
  set.items.add(item)
  byFile.set(file, [...(byFile.get(file) ?? []), item])
  file.ops.queue?.(file).waiters.push(-1 - id)
  relist(state, item)
}
function modify(state: FsState, item: EpollItem, events: number, low: number, top: number): number {
  if (((events | item.events) & EPOLL.EXCLUSIVE) !== 0) return -E.INVAL
  item.events = events | POLL.ERR | POLL.HUP
  item.dataLow = low
  item.dataHigh = top
  relist(state, item)
  return 0
}
function relist(state: FsState, item: EpollItem): void {
  if (queueItem(item, ready(item.file)) && item.set.waiters.length > 0) wake(state, item.set, READABLE)
}

function wait(state: FsState, ops: FileOps, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  if (fproc === undefined) return -E.SRCH
  const max = int(m, 2)
  const timeout = timeoutOf(state, m, 3)
  if (Number.isNaN(timeout)) return -E.INVAL
  const room = Math.min(max, Math.floor(high(m, 1) / EPOLL_EVENT_BYTES))
  if (room === 0) return -E.FAULT
  const file = getFile(fproc, int(m, 0))
  if (file === null) return -E.BADF
  if (file.ops !== ops) return -E.INVAL
  const set = file.priv as EpollSet
  const count = collect(state, set, int(m, 1), room)
  if (count > 0 || timeout === 0) return count
  return waitOn(state, suspend(state, from, WAIT.EPOLL, file, int(m, 1), room, 0), set, timeout)
}

export function epollCalls(state: FsState): CallVector {
  const ops = epollOps(state)
  return {
    [FS.EPOLL_CREATE]: (m, from) => create(state, ops, m, from),
    [FS.EPOLL_CTL]: (m, from) => control(state, ops, m, from),
    [FS.EPOLL_WAIT]: (m, from) => wait(state, ops, m, from),
  }
}
