// Advisory locks: fcntl record locks (owner: the descriptor table, Linux's files_struct), open-file-description locks and flock
// (owner: the open file). A lock belongs to an inode. Blocked requests are rows of kind WAIT.LOCK / WAIT.FLOCK, tried again in order
// of arrival whenever a lock of their inode changes. fcntl(2) "Advisory record locking", flock(2).
// Invariants: an owner's ranges don't overlap; neighbours of one type are merged; waiting slots have a live row.
import { E } from '../../abi/errno.ts'
import { SUSPEND, slotOf } from '../../abi/message.ts'
import type { FileTable, Inode, OpenFile } from './inode.ts'
import { type FsState, type Row, resume, suspend, WAIT } from './state.ts'

export const LOCK = { READ: 0, WRITE: 1, NONE: 2 } as const
/** Ends of ranges are inclusive; EOF stands for "to the end, however far it grows". */
export const EOF = 2 ** 63
/** Record locks one file may have. */
const LOCKS_MAX = 65536
type Owner = FileTable | OpenFile

interface Lock {
  owner: Owner
  type: number
  start: number
  end: number
  /** Who set it, for F_GETLK's pid; -1 for an open-file-description lock. */
  endpoint: number
}
/** All locks of one inode. `flocks` have no range. */
export interface InodeLocks {
  records: Lock[]
  flocks: Lock[]
  waiting: number[]
}

function locksOf(state: FsState, inode: Inode): InodeLocks {
  let locks = state.locks.get(inode)
  if (locks === undefined) {
    locks = { records: [], flocks: [], waiting: [] }
    state.locks.set(inode, locks)
  }
  return locks
}
function forgetIfEmpty(state: FsState, inode: Inode, locks: InodeLocks): void {
  if (locks.records.length === 0 && locks.flocks.length === 0 && locks.waiting.length === 0) state.locks.delete(inode)
}

/** The first lock of someone else that stands in the way, or undefined. */
function conflict(list: Lock[], owner: Owner, type: number, start: number, end: number): Lock | undefined {
  for (const lock of list) {
    if (
      lock.owner !== owner &&
      lock.start <= end &&
      start <= lock.end &&
      (type === LOCK.WRITE || lock.type === LOCK.WRITE)
    ) {
      return lock
    }
  }
  return undefined
}

/** Make [start, end] of `owner` be of `type` (NONE: free), whatever it was. No conflict is left when this is called. */
function setRange(list: Lock[], owner: Owner, type: number, start: number, end: number, endpoint: number): Lock[] {
  const out: Lock[] = []
  for (const lock of list) {
    const touches = lock.owner === owner && lock.start <= end + 1 && start <= lock.end + 1
    if (!touches) out.push(lock)
    else if (lock.type === type) {
      start = Math.min(start, lock.start)
      end = Math.max(end, lock.end)
    } else {
      if (lock.start < start) out.push({ ...lock, end: Math.min(lock.end, start - 1) })
      if (lock.end > end) out.push({ ...lock, start: Math.max(lock.start, end + 1) })
    }
  }
  if (type !== LOCK.NONE) out.push({ owner, type, start, end, endpoint })
  return out.sort((a, b) => a.start - b.start)
}

/** F_SETLK and F_SETLKW (wait), POSIX or OFD by what `owner` is. → 0, -EAGAIN, -EDEADLK or SUSPEND. */
export function setLock(
  state: FsState,
  file: OpenFile,
  owner: Owner,
  type: number,
  start: number,
  end: number,
  wait: boolean,
  endpoint: number,
): number {
  const inode = file.inode
  if (type === LOCK.NONE && !state.locks.has(inode)) return 0
  const locks = locksOf(state, inode)
  if (locks.records.length >= LOCKS_MAX) return -E.NOLCK
  const blocker = type === LOCK.NONE ? undefined : conflict(locks.records, owner, type, start, end)
  if (blocker !== undefined) {
    if (!wait) return -E.AGAIN
    if (owner !== file && deadlocks(state, owner, blocker.owner)) return -E.DEADLK
    const row = suspend(state, endpoint, WAIT.LOCK, file, 0, 0, 0)
    row.a = start
    row.b = end
    row.c = type
    row.more = owner
    locks.waiting.push(slotOf(row.endpoint))
    return SUSPEND
  }
  locks.records = setRange(locks.records, owner, type, start, end, owner === file ? -1 : endpoint)
  retry(state, inode, locks)
  return 0
}

/** Would waiting for `holder` close a circle of owners that wait for each other? Only record locks count, as in Linux. */
function deadlocks(state: FsState, owner: Owner, holder: Owner): boolean {
  const seen = new Set<Owner>([holder])
  const todo: Owner[] = [holder]
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    if (next === owner) return true
    for (const row of state.rows) {
      if (row.kind !== WAIT.LOCK || row.more !== next || row.file === null) continue
      const blocker = conflict(locksOf(state, row.file.inode).records, next, row.c, row.a, row.b)
      if (blocker !== undefined && !seen.has(blocker.owner)) {
        seen.add(blocker.owner)
        todo.push(blocker.owner)
      }
    }
  }
  return false
}

/** F_GETLK: the lock that would stand in the way, or undefined. */
export function testLock(
  state: FsState,
  inode: Inode,
  owner: Owner,
  type: number,
  start: number,
  end: number,
): Lock | undefined {
  const locks = state.locks.get(inode)
  return locks === undefined ? undefined : conflict(locks.records, owner, type, start, end)
}

/** flock(2): type READ, WRITE or NONE. A conversion gives the old lock up first. → 0, -EAGAIN (Linux: EWOULDBLOCK) or SUSPEND. */
export function setFlock(state: FsState, file: OpenFile, type: number, wait: boolean, endpoint: number): number {
  const inode = file.inode
  if (type === LOCK.NONE && !state.locks.has(inode)) return 0
  const locks = locksOf(state, inode)
  const held = locks.flocks.find(lock => lock.owner === file)
  if (held !== undefined && held.type === type) return 0
  if (held !== undefined) {
    locks.flocks = locks.flocks.filter(lock => lock !== held)
    retry(state, inode, locks)
  }
  if (type === LOCK.NONE) return 0
  const now = locksOf(state, inode)
  if (conflict(now.flocks, file, type, 0, EOF) === undefined) {
    now.flocks.push({ owner: file, type, start: 0, end: EOF, endpoint })
    return 0
  }
  if (!wait) {
    forgetIfEmpty(state, inode, now)
    return -E.AGAIN
  }
  const row = suspend(state, endpoint, WAIT.FLOCK, file, 0, 0, 0)
  row.c = type
  now.waiting.push(slotOf(row.endpoint))
  return SUSPEND
}

/** Grant what can be granted now, oldest first. */
function retry(state: FsState, inode: Inode, locks: InodeLocks): void {
  for (let i = 0; i < locks.waiting.length; ) {
    const row = state.rows[locks.waiting[i] as number] as Row
    if (!grant(locks, row)) {
      i++
      continue
    }
    locks.waiting.splice(i, 1)
    resume(state, row, 0)
    i = 0
  }
  forgetIfEmpty(state, inode, locks)
}
function grant(locks: InodeLocks, row: Row): boolean {
  const file = row.file as OpenFile
  if (row.kind === WAIT.FLOCK) {
    if (conflict(locks.flocks, file, row.c, 0, EOF) !== undefined) return false
    locks.flocks.push({ owner: file, type: row.c, start: 0, end: EOF, endpoint: row.endpoint })
    return true
  }
  const owner = row.more as Owner
  if (conflict(locks.records, owner, row.c, row.a, row.b) !== undefined) return false
  locks.records = setRange(locks.records, owner, row.c, row.a, row.b, owner === file ? -1 : row.endpoint)
  return true
}

/** Drop a waiting request (cancelled or gone); its row is the caller's to answer. */
export function unwaitLock(state: FsState, row: Row): void {
  const inode = (row.file as OpenFile).inode
  const locks = state.locks.get(inode)
  if (locks === undefined) return
  const slot = slotOf(row.endpoint)
  locks.waiting = locks.waiting.filter(waiter => waiter !== slot)
  forgetIfEmpty(state, inode, locks)
}

/** A descriptor table closed a descriptor of this inode: its record locks go. */
export function releaseLocks(state: FsState, inode: Inode, owner: Owner): void {
  if (state.locks.size === 0) return
  const locks = state.locks.get(inode)
  if (locks === undefined) return
  const before = locks.records.length + locks.flocks.length
  locks.records = locks.records.filter(lock => lock.owner !== owner)
  locks.flocks = locks.flocks.filter(lock => lock.owner !== owner)
  if (locks.records.length + locks.flocks.length !== before) retry(state, inode, locks)
}
/** The last reference to an open file goes: its flock and OFD locks go. */
export function releaseFileLocks(state: FsState, file: OpenFile): void {
  releaseLocks(state, file.inode, file)
}
