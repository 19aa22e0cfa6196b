// timerfd(2): a timer behind a descriptor. Due times are virtual monotonic milliseconds, whatever the clock; a timer on the realtime
// clock set absolutely is converted when it is set. Timer key 2 * id + 1. Ticks are counted when they are asked for.
// Invariants: timerfds[id] is the timer itself; readers wait only while it hasn't ticked; `due` is Infinity when disarmed.
import { E } from '../../abi/errno.ts'
import { O } from '../../abi/fcntl.ts'
import { high, int, type Message, SUSPEND, slotOf } from '../../abi/message.ts'
import { READABLE } from '../../abi/poll.ts'
import type { CallVector } from '../../lib/server.ts'
import { FS } from '../../protocol/fs.ts'
import { anonInode } from './anon.ts'
import { getIo, installFile } from './filedes.ts'
import type { FileOps, Fproc, WaitQueue } from './inode.ts'
import { wake } from './poll.ts'
import { dropFile, type FsState, fprocOf, newFile, type Row, resume, suspend, WAIT } from './state.ts'

const CLOCK = { REALTIME: 0, MONOTONIC: 1, BOOTTIME: 7, REALTIME_ALARM: 8, BOOTTIME_ALARM: 9 } as const
const TFD_TIMER_ABSTIME = 1
const TFD_TIMER_CANCEL_ON_SET = 2
const ITIMERSPEC_BYTES = 32
/** Shortest time between two alarms of a periodic timer, ms: shorter periods tick several times per alarm. */
const RESOLUTION = 0.05

export interface Timerfd extends WaitQueue {
  id: number
  clock: number
  due: number
  /** ms; 0 = once */
  interval: number
  ticks: number
  reading: number[]
}

/** Count the expirations up to now and set the alarm for the next. */
function update(state: FsState, timer: Timerfd): void {
  const now = state.sys.monotonic()
  if (timer.due <= now) {
    const ticks = timer.interval > 0 ? Math.floor((now - timer.due) / timer.interval) + 1 : 1
    timer.ticks += ticks
    timer.due = timer.interval > 0 ? timer.due + ticks * timer.interval : Number.POSITIVE_INFINITY
  }
  const key = 2 * timer.id + 1
  if (timer.due === Number.POSITIVE_INFINITY) state.timers.clear(key)
  else state.timers.set(key, Math.max(timer.due, now + RESOLUTION))
}
/** The alarm of timer `id` has come. */
export function timerfdExpired(state: FsState, id: number): void {
  const timer = state.timerfds[id]
  if (timer === null || timer === undefined) return
  update(state, timer)
  if (timer.ticks === 0) return
  const slot = timer.reading.shift()
  if (slot !== undefined) {
    const row = state.rows[slot] as Row
    give(state, timer, row.at)
    resume(state, row, 8)
  } else if (timer.waiters.length > 0) wake(state, timer, READABLE)
}
function give(state: FsState, timer: Timerfd, at: number): void {
  state.sys.view.setUint32(at, timer.ticks % 2 ** 32, true)
  state.sys.view.setUint32(at + 4, Math.floor(timer.ticks / 2 ** 32), true)
  timer.ticks = 0
}

function timerfdOps(state: FsState): FileOps {
  return {
    read(file, at, len, _position, caller) {
      const timer = file.priv as Timerfd
      if (len < 8) return -E.INVAL
      if (timer.due !== Number.POSITIVE_INFINITY) update(state, timer)
      if (timer.ticks > 0) {
        give(state, timer, at)
        return 8
      }
      if (caller.nonblock) return -E.AGAIN
      suspend(state, caller.endpoint, WAIT.FILE, file, at, 8, 0)
      timer.reading.push(slotOf(caller.endpoint))
      return SUSPEND
    },
    write: () => -E.INVAL,
    poll(file) {
      const timer = file.priv as Timerfd
      return timer.ticks > 0 || timer.due <= state.sys.monotonic() ? READABLE : 0
    },
    queue: file => file.priv as Timerfd,
    seek: () => 0,
    cancel(file, endpoint) {
      const timer = file.priv as Timerfd
      timer.reading = timer.reading.filter(one => one !== slotOf(endpoint))
      return -E.RESTARTSYS
    },
    release(file) {
      const timer = file.priv as Timerfd
      state.timers.clear(2 * timer.id + 1)
      state.timerfds[timer.id] = null
    },
  }
}

function create(state: FsState, ops: FileOps, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const clock = int(m, 0)
  const flags = int(m, 1)
  if (fproc === undefined) return -E.SRCH
  if ((flags & ~(O.NONBLOCK | O.CLOEXEC)) !== 0) return -E.INVAL
  if (!(Object.values(CLOCK) as number[]).includes(clock)) return -E.INVAL
  if (state.openFiles >= state.maxFiles) return -E.NFILE
  let id = state.timerfds.indexOf(null)
  if (id < 0) id = state.timerfds.length
  const timer: Timerfd = { waiters: [], id, clock, due: Number.POSITIVE_INFINITY, interval: 0, ticks: 0, reading: [] }
  state.timerfds[id] = timer
  const inode = anonInode(state, 0o600, fproc.cred.fsuid, fproc.cred.fsgid, 0)
  const file = newFile(state, inode, O.RDWR | (flags & O.NONBLOCK), 'anon_inode:[timerfd]', ops, -1, timer)
  const fd = installFile(fproc, file, (flags & O.CLOEXEC) !== 0)
  if (fd < 0) dropFile(state, file)
  return fd
}

/** The timer behind a descriptor, or -errno. */
function timerOf(ops: FileOps, fproc: Fproc | undefined, fd: number): Timerfd | number {
  const file = fproc === undefined ? null : getIo(fproc, fd)
  if (file === null) return -E.BADF
  return file.ops === ops ? (file.priv as Timerfd) : -E.INVAL
}
/** A timespec at `at` in ms, or NaN when it isn't one. */
function getTime(state: FsState, at: number): number {
  const { view } = state.sys
  const seconds = view.getInt32(at + 4, true) * 2 ** 32 + view.getUint32(at, true)
  const nanos = view.getInt32(at + 12, true) * 2 ** 32 + view.getUint32(at + 8, true)
  return seconds < 0 || nanos < 0 || nanos > 999999999 ? Number.NaN : seconds * 1000 + nanos / 1e6
}
function putTime(state: FsState, at: number, ms: number): void {
  const { view } = state.sys
  const seconds = Math.floor(ms / 1000)
  view.setUint32(at, seconds % 2 ** 32, true)
  view.setUint32(at + 4, Math.floor(seconds / 2 ** 32), true)
  view.setUint32(at + 8, Math.round((ms - seconds * 1000) * 1e6) % 1e9, true)
  view.setUint32(at + 12, 0, true)
}
/** struct itimerspec { it_interval; it_value }: period and time left. */
function putSetting(state: FsState, timer: Timerfd, at: number): void {
  if (timer.due !== Number.POSITIVE_INFINITY) update(state, timer)
  const armed = timer.due !== Number.POSITIVE_INFINITY
  putTime(state, at, timer.interval)
  putTime(state, at + 16, armed ? Math.max(timer.due - state.sys.monotonic(), 1e-6) : 0)
}

function settime(state: FsState, ops: FileOps, m: Message, from: number): number {
  const flags = int(m, 1)
  if (high(m, 2) < ITIMERSPEC_BYTES) return -E.FAULT
  const interval = getTime(state, int(m, 2))
  const value = getTime(state, int(m, 2) + 16)
  if ((flags & ~(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) !== 0) return -E.INVAL
  if (Number.isNaN(interval) || Number.isNaN(value)) return -E.INVAL
  const timer = timerOf(ops, fprocOf(state, from), int(m, 0))
  if (typeof timer === 'number') return timer
  if (high(m, 3) >= ITIMERSPEC_BYTES) putSetting(state, timer, int(m, 3))
  timer.interval = interval
  timer.ticks = 0
  timer.due = value === 0 ? Number.POSITIVE_INFINITY : dueAt(state, timer, value, flags)
  const key = 2 * timer.id + 1
  if (value === 0) state.timers.clear(key)
  else state.timers.set(key, timer.due)
  return 0
}
function dueAt(state: FsState, timer: Timerfd, value: number, flags: number): number {
  const now = state.sys.monotonic()
  if ((flags & TFD_TIMER_ABSTIME) === 0) return now + value
  const real = timer.clock === CLOCK.REALTIME || timer.clock === CLOCK.REALTIME_ALARM
  return real ? now + value - state.sys.realtime() : value
}

function gettime(state: FsState, ops: FileOps, m: Message, from: number): number {
  const timer = timerOf(ops, fprocOf(state, from), int(m, 0))
  if (typeof timer === 'number') return timer
  if (high(m, 1) < ITIMERSPEC_BYTES) return -E.FAULT
  putSetting(state, timer, int(m, 1))
  return 0
}

export function timerfdCalls(state: FsState): CallVector {
  const ops = timerfdOps(state)
  return {
    [FS.TIMERFD_CREATE]: (m, from) => create(state, ops, m, from),
    [FS.TIMERFD_SETTIME]: (m, from) => settime(state, ops, m, from),
    [FS.TIMERFD_GETTIME]: (m, from) => gettime(state, ops, m, from),
  }
}
