// eventfd(2): a 64-bit counter behind a descriptor. The counter is two unsigned 32-bit halves (no BigInt).
// Invariants: readers wait only while the counter is 0, writers only while their value would take it past 2^64 - 2.
import { E } from '../../abi/errno.ts'
import { O } from '../../abi/fcntl.ts'
import { int, type Message, SUSPEND, slotOf, uint } from '../../abi/message.ts'
import { POLL, READABLE, WRITABLE } from '../../abi/poll.ts'
import type { CallVector } from '../../lib/server.ts'
import { FS } from '../../protocol/fs.ts'
import { anonInode } from './anon.ts'
import { installFile } from './filedes.ts'
import type { Caller, FileOps, OpenFile, WaitQueue } from './inode.ts'
import { wake } from './poll.ts'
import { dropFile, type FsState, fprocOf, newFile, type Row, resume, suspend, WAIT } from './state.ts'

const EFD_SEMAPHORE = 1
const WORD = 2 ** 32
const ONES = 0xffffffff
const READER = 0
const WRITER = 1

interface Eventfd extends WaitQueue {
  low: number
  high: number
  semaphore: boolean
  reading: number[]
  writing: number[]
}

/** Take what a read gets and write it to the arena. The counter isn't 0. */
function take(state: FsState, counter: Eventfd, at: number): void {
  const { view } = state.sys
  view.setUint32(at, counter.semaphore ? 1 : counter.low, true)
  view.setUint32(at + 4, counter.semaphore ? 0 : counter.high, true)
  if (!counter.semaphore) {
    counter.low = 0
    counter.high = 0
  } else if (counter.low-- === 0) {
    counter.low = ONES
    counter.high--
  }
}
/** Add a value if the sum stays below 2^64 - 1. */
function give(counter: Eventfd, low: number, high: number): boolean {
  const sum = counter.low + low
  const top = counter.high + high + (sum >= WORD ? 1 : 0)
  const rest = sum % WORD
  if (top > ONES || (top === ONES && rest === ONES)) return false
  counter.low = rest
  counter.high = top
  return true
}
/** Serve those who wait, until nothing moves any more. */
function pump(state: FsState, counter: Eventfd): void {
  for (let moved = true; moved; ) {
    moved = false
    if (counter.reading.length > 0 && (counter.low | counter.high) !== 0) {
      const row = state.rows[counter.reading.shift() as number] as Row
      take(state, counter, row.at)
      resume(state, row, 8)
      moved = true
    }
    const writer = counter.writing[0]
    if (writer !== undefined) {
      const row = state.rows[writer] as Row
      if (give(counter, row.a, row.b)) {
        counter.writing.shift()
        resume(state, row, 8)
        moved = true
      }
    }
  }
}

function eventfdOps(state: FsState): FileOps {
  return {
    read(file, at, len, _position, caller) {
      const counter = file.priv as Eventfd
      if (len < 8) return -E.INVAL
      if ((counter.low | counter.high) === 0) {
        if (caller.nonblock) return -E.AGAIN
        return enqueue(state, file, counter.reading, READER, at, caller)
      }
      take(state, counter, at)
      pump(state, counter)
      if (counter.waiters.length > 0) wake(state, counter, WRITABLE)
      return 8
    },
    write(file, at, len, _position, caller) {
      const counter = file.priv as Eventfd
      if (len < 8) return -E.INVAL
      const low = state.sys.view.getUint32(at, true)
      const high = state.sys.view.getUint32(at + 4, true)
      if (low === ONES && high === ONES) return -E.INVAL
      if (!give(counter, low, high)) {
        if (caller.nonblock) return -E.AGAIN
        const result = enqueue(state, file, counter.writing, WRITER, at, caller)
        const row = state.rows[slotOf(caller.endpoint)] as Row
        row.a = low
        row.b = high
        return result
      }
      pump(state, counter)
      if (counter.waiters.length > 0) wake(state, counter, READABLE)
      return 8
    },
    poll(file) {
      const { low, high } = file.priv as Eventfd
      const readable = (low | high) !== 0 ? POLL.IN : 0
      return readable | (high === ONES && low >= ONES - 1 ? 0 : POLL.OUT)
    },
    queue: file => file.priv as Eventfd,
    seek: () => 0,
    cancel(file, endpoint) {
      const counter = file.priv as Eventfd
      const slot = slotOf(endpoint)
      counter.reading = counter.reading.filter(one => one !== slot)
      counter.writing = counter.writing.filter(one => one !== slot)
      return -E.RESTARTSYS
    },
  }
}
function enqueue(state: FsState, file: OpenFile, queue: number[], side: number, at: number, caller: Caller): number {
  suspend(state, caller.endpoint, WAIT.FILE, file, at, 8, 0).side = side
  queue.push(slotOf(caller.endpoint))
  return SUSPEND
}

function eventfd(state: FsState, ops: FileOps, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const flags = int(m, 1)
  if (fproc === undefined) return -E.SRCH
  if ((flags & ~(EFD_SEMAPHORE | O.NONBLOCK | O.CLOEXEC)) !== 0) return -E.INVAL
  if (state.openFiles >= state.maxFiles) return -E.NFILE
  const semaphore = (flags & EFD_SEMAPHORE) !== 0
  const counter: Eventfd = { waiters: [], low: uint(m, 0), high: 0, semaphore, reading: [], writing: [] }
  const inode = anonInode(state, 0o600, fproc.cred.fsuid, fproc.cred.fsgid, 0)
  const file = newFile(state, inode, O.RDWR | (flags & O.NONBLOCK), 'anon_inode:[eventfd]', ops, -1, counter)
  const fd = installFile(fproc, file, (flags & O.CLOEXEC) !== 0)
  if (fd < 0) dropFile(state, file)
  return fd
}

export function eventfdCalls(state: FsState): CallVector {
  const ops = eventfdOps(state)
  return { [FS.EVENTFD]: (m, from) => eventfd(state, ops, m, from) }
}
