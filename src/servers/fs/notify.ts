// Who watches what (inotify(7)), and telling them. Every part of FS that changes or uses a file says so here, with the name it was
// reached by; `state.watched` is 0 as long as nobody watches anything, and is looked at first.
// Changes made outside the machine, to a base or a bind, are not seen.
// Invariants: a watch holds one reference to its inode; `watched` counts the watches of the machine.
import { O } from '../../abi/fcntl.ts'
import { IN } from '../../abi/inotify.ts'
import { isDirectory } from '../../abi/fcntl.ts'
import { READABLE } from '../../abi/poll.ts'
import type { Inode, OpenFile, WaitQueue } from './inode.ts'
import { wake } from './poll.ts'
import { dropInode, type FsState } from './state.ts'

/** /proc/sys/fs/inotify/max_queued_events */
const QUEUE_MAX = 16384

export interface Event {
  wd: number
  mask: number
  cookie: number
  name: string
}
/** What an inotify descriptor stands for. */
export interface Inotify extends WaitQueue {
  uid: number
  watches: Map<number, Watch>
  nextWd: number
  queue: Event[]
  overflowed: boolean
  /** Slots of threads in read. */
  reading: number[]
  /** Somebody may read now: inotify.ts. */
  serve(): void
}
export interface Watch {
  wd: number
  owner: Inotify
  inode: Inode
  /** IN bits: events and flags. */
  mask: number
}
export interface Watches {
  byInode: Map<Inode, Watch[]>
  /** Instances each user has. */
  instances: Map<number, number>
  cookie: number
}
export function newWatches(): Watches {
  return { byInode: new Map(), instances: new Map(), cookie: 0 }
}

/** Queue an event, unless it is the last one again. */
export function enqueue(state: FsState, to: Inotify, wd: number, mask: number, cookie: number, name: string): void {
  const { queue } = to
  const last = queue[queue.length - 1]
  if (last !== undefined && last.mask === mask && last.wd === wd && last.name === name) return
  if (queue.length >= QUEUE_MAX) {
    if (to.overflowed) return
    to.overflowed = true
    queue.push({ wd: -1, mask: IN.Q_OVERFLOW, cookie: 0, name: '' })
  } else queue.push({ wd, mask, cookie, name })
  if (to.reading.length > 0) to.serve()
  if (to.waiters.length > 0) wake(state, to, READABLE)
}
/** The watch is over: its owner reads IN_IGNORED. */
export function removeWatch(state: FsState, watch: Watch): void {
  forgetWatch(state, watch)
  enqueue(state, watch.owner, watch.wd, IN.IGNORED, 0, '')
}
export function forgetWatch(state: FsState, watch: Watch): void {
  const { byInode } = state.watches
  const others = (byInode.get(watch.inode) ?? []).filter(one => one !== watch)
  if (others.length === 0) byInode.delete(watch.inode)
  else byInode.set(watch.inode, others)
  watch.owner.watches.delete(watch.wd)
  state.watched--
  dropInode(watch.inode)
}

function tell(state: FsState, watched: Inode, events: number, cookie: number, name: string): void {
  const watches = state.watches.byInode.get(watched)
  if (watches === undefined) return
  for (const watch of watches.slice()) {
    if ((watch.mask & events & IN.ALL_EVENTS) === 0) continue
    enqueue(state, watch.owner, watch.wd, events, cookie, name)
    if ((watch.mask & IN.ONESHOT) !== 0) removeWatch(state, watch)
  }
}
/** Watches that want no events of names that are gone aren't told of them. */
function tellOfChild(state: FsState, dir: Inode, events: number, name: string, child: Inode): void {
  const watches = state.watches.byInode.get(dir)
  if (watches === undefined) return
  for (const watch of watches.slice()) {
    if ((watch.mask & events & IN.ALL_EVENTS) === 0) continue
    if ((watch.mask & IN.EXCL_UNLINK) !== 0 && dir.fs.lookup(dir, name) !== child) continue
    enqueue(state, watch.owner, watch.wd, events, 0, name)
    if ((watch.mask & IN.ONESHOT) !== 0) removeWatch(state, watch)
  }
}
function kind(inode: Inode): number {
  return isDirectory(inode.mode) ? IN.ISDIR : 0
}

// -- what happens. Callers have looked at state.watched --

/** `events` to `inode`, called `name` in `dir` (null: under no name known): its directory is told first. */
export function notify(state: FsState, events: number, inode: Inode, dir: Inode | null, name: string): void {
  const all = events | kind(inode)
  if (dir !== null) tellOfChild(state, dir, all, name, inode)
  tell(state, inode, all, 0, '')
}
export function notifyFile(state: FsState, events: number, file: OpenFile): void {
  notify(state, events, file.inode, file.dir, file.name)
}
/** A name for `inode` is new, or (DELETE) gone, in `dir`. */
export function notifyEntry(state: FsState, events: number, dir: Inode, name: string, inode: Inode): void {
  tell(state, dir, events | kind(inode), 0, name)
}
/** The inode alone: its link count has changed. */
export function notifyLinks(state: FsState, inode: Inode): void {
  tell(state, inode, IN.ATTRIB | kind(inode), 0, '')
}
export function notifyMove(
  state: FsState,
  inode: Inode,
  oldDir: Inode,
  oldName: string,
  newDir: Inode,
  newName: string,
  victim: Inode | null,
): void {
  const { watches } = state
  watches.cookie = (watches.cookie + 1) >>> 0 || 1
  tell(state, oldDir, IN.MOVED_FROM | kind(inode), watches.cookie, oldName)
  tell(state, newDir, IN.MOVED_TO | kind(inode), watches.cookie, newName)
  if (victim !== null) notifyLinks(state, victim)
  tell(state, inode, IN.MOVE_SELF, 0, '')
}
/** An open file description goes for good. */
export function notifyClose(state: FsState, file: OpenFile): void {
  if ((file.flags & O.PATH) !== 0) return
  notifyFile(state, (file.flags & O.ACCMODE) === O.RDONLY ? IN.CLOSE_NOWRITE : IN.CLOSE_WRITE, file)
}
/** Somebody has let go of the inode: when it has no name and nobody but its watches is left, it ends, and so do they. */
export function notifyGone(state: FsState, inode: Inode): void {
  const watches = state.watches.byInode.get(inode)
  if (watches === undefined || inode.refs !== watches.length || inode.fs.isRemoved?.(inode) !== true) return
  endWatches(state, watches, IN.DELETE_SELF)
}
/** The file system has been unmounted. */
export function notifyUnmount(state: FsState, fs: Inode['fs']): void {
  for (const [inode, watches] of [...state.watches.byInode]) if (inode.fs === fs) endWatches(state, watches, IN.UNMOUNT)
}
function endWatches(state: FsState, watches: readonly Watch[], event: number): void {
  for (const watch of watches.slice()) {
    if (event === IN.UNMOUNT || (watch.mask & event) !== 0) enqueue(state, watch.owner, watch.wd, event, 0, '')
    removeWatch(state, watch)
  }
}
