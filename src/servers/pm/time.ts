// Clocks and sleeping: clock_gettime(2), nanosleep(2), clock_nanosleep(2), gettimeofday(2). Virtual time in ms with fraction; a real time
// is kept as seconds and nanoseconds only when it is written. A sleep is a suspended call with a deadline on the monotonic clock.
import { E } from '../../abi/errno.ts'
import { high, int, type Message, SUSPEND } from '../../abi/message.ts'
import type { CallVector } from '../../lib/server.ts'
import { PM } from '../../protocol/pm.ts'
import { adjtime } from './adjtime.ts'
import { futexTimeout } from './futex.ts'
import { timerKey, WAIT_TIMER } from './keys.ts'
import { CAP, capable, type Pm, type Task, taskOf, WAITING } from './mproc.ts'
import { isDue, recalculate } from './signal.ts'
import { finish, read64, write64, writeTimespec } from './suspended.ts'
import { grantOf, need } from './tell.ts'
import { taskUsage, usageOf, writeTimeval } from './usage.ts'

export const CLOCK = {
  REALTIME: 0, MONOTONIC: 1, PROCESS_CPUTIME: 2, THREAD_CPUTIME: 3, MONOTONIC_RAW: 4, REALTIME_COARSE: 5, MONOTONIC_COARSE: 6,
  BOOTTIME: 7, REALTIME_ALARM: 8, BOOTTIME_ALARM: 9, TAI: 11,
} as const
const TIMER_ABSTIME = 1
const COARSE_NS = 4_000_000

export function timeCalls(pm: Pm): CallVector {
  return {
    [PM.TIME]: m => {
      const seconds = Math.floor(pm.sys.realtime() / 1000)
      const at = grantOf(m, 0)
      if (at >= 0) write64(pm, at, seconds)
      return seconds
    },
    [PM.GETTIMEOFDAY]: m => {
      const tv = grantOf(m, 0)
      const tz = grantOf(m, 1)
      if (tv >= 0) writeTimeval(pm, tv, pm.sys.realtime())
      if (tz >= 0) write64(pm, tz, 0)
      return 0
    },
    [PM.CLOCK_GETTIME]: (m, from) => {
      const t = taskOf(pm, from)
      if (t === undefined) return -E.SRCH
      const at = need(m, 1, 16)
      const now = clockNow(pm, t, int(m, 0))
      if (now < 0) return now
      if (at < 0) return at
      writeTimespec(pm, at, now)
      return 0
    },
    [PM.CLOCK_GETRES]: (m, from) => {
      const t = taskOf(pm, from)
      if (t === undefined) return -E.SRCH
      const now = clockNow(pm, t, int(m, 0))
      if (now < 0) return now
      const at = grantOf(m, 1)
      if (at < 0) return 0
      const coarse = int(m, 0) === CLOCK.REALTIME_COARSE || int(m, 0) === CLOCK.MONOTONIC_COARSE
      write64(pm, at, 0)
      write64(pm, at + 8, coarse ? COARSE_NS : 1)
      return 0
    },
    [PM.CLOCK_SETTIME]: (m, from) => {
      const t = taskOf(pm, from)
      return t === undefined ? -E.SRCH : setClock(pm, t, m)
    },
    [PM.ADJTIME]: (m, from) => {
      const t = taskOf(pm, from)
      return t === undefined ? -E.SRCH : adjtime(pm, t, m)
    },
    [PM.NANOSLEEP]: (m, from) => {
      const t = taskOf(pm, from)
      return t === undefined ? -E.SRCH : sleep(pm, t, CLOCK.MONOTONIC, 0, m, 0)
    },
    [PM.CLOCK_NANOSLEEP]: (m, from) => {
      const t = taskOf(pm, from)
      return t === undefined ? -E.SRCH : sleep(pm, t, int(m, 0), int(m, 1), m, 2)
    },
  }
}

/** The machine's own clock, not the host's. What waits for an absolute time of it keeps the moment it had. */
function setClock(pm: Pm, t: Task, m: Message): number {
  const at = need(m, 1, 16)
  if (at < 0) return at
  const ms = readTimespec(pm, at)
  if (int(m, 0) !== CLOCK.REALTIME || ms < 0) return -E.INVAL
  if (!capable(t.cred, CAP.SYS_TIME)) return -E.PERM
  return ms < pm.sys.monotonic() ? -E.INVAL : pm.sys.settime(ms) // not before its boot: timekeeping.c
}

/** A clock's time in ms, or -EINVAL: for the _ALARM clocks too, as where there is no clock that runs while the computer sleeps. CPU clocks of other processes (clock_getcpuclockid) are negative numbers: ~pid << 3 | kind. */
export function clockNow(pm: Pm, t: Task, clock: number): number {
  switch (clock) {
    case CLOCK.REALTIME:
    case CLOCK.REALTIME_COARSE:
    case CLOCK.TAI:
      return pm.sys.realtime()
    case CLOCK.MONOTONIC:
    case CLOCK.MONOTONIC_RAW:
    case CLOCK.MONOTONIC_COARSE:
    case CLOCK.BOOTTIME:
      return pm.sys.monotonic()
    case CLOCK.PROCESS_CPUTIME: {
      const usage = usageOf(pm, t.process)
      return usage.user + usage.system
    }
    case CLOCK.THREAD_CPUTIME: {
      const usage = taskUsage(pm, t)
      return usage.user + usage.system
    }
  }
  return clock < 0 ? cpuClock(pm, t, clock) : -E.INVAL
}
function cpuClock(pm: Pm, t: Task, clock: number): number {
  const id = ~(clock >> 3)
  const thread = (clock & 4) !== 0
  if ((clock & 3) === 3) return -E.INVAL
  const of = id === 0 ? t : thread ? pm.tasks.get(id) : pm.processes.get(id)?.leader
  if (of === undefined || (thread && of.process !== t.process)) return -E.INVAL
  const usage = thread ? taskUsage(pm, of) : usageOf(pm, of.process)
  return (clock & 3) === 1 ? usage.user : usage.user + usage.system
}

/** A struct timespec as ms; -EINVAL when it isn't one. */
export function readTimespec(pm: Pm, at: number): number {
  const seconds = read64(pm, at)
  const ns = read64(pm, at + 8)
  if (seconds < 0 || ns < 0 || ns >= 1e9) return -E.INVAL
  return seconds * 1000 + ns / 1e6
}

function sleep(pm: Pm, t: Task, clock: number, flags: number, m: Message, k: number): number {
  const at = need(m, k, 16)
  if (!canSleep(clock)) return clock === CLOCK.THREAD_CPUTIME ? -E.INVAL : isReadOnly(clock) || clockNow(pm, t, clock) >= 0 ? -E.OPNOTSUPP : -E.INVAL
  if (at < 0) return at
  const ms = readTimespec(pm, at)
  if (ms < 0) return ms
  const now = pm.sys.monotonic()
  const r = t.request
  r.absolute = (flags & TIMER_ABSTIME) !== 0
  r.remAt = high(m, k + 1) >= 16 ? int(m, k + 1) : -1
  r.until = r.absolute ? now + ms - clockNow(pm, t, clock) : t.restartAt >= 0 ? t.restartAt : now + ms
  t.restartAt = -1
  if (r.until <= now) return 0
  if (isDue(t)) {
    pm.sys.mark(t.endpoint)
    if (r.absolute) return -E.RESTARTNOHAND
    if (r.remAt >= 0) writeTimespec(pm, r.remAt, r.until - now)
    t.restartAt = r.until
    return -E.RESTART_RESTARTBLOCK
  }
  t.waiting = WAITING.SLEEP
  pm.timers.set(timerKey(t, WAIT_TIMER), r.until)
  return SUSPEND
}
function canSleep(clock: number): boolean {
  return clock === CLOCK.REALTIME || clock === CLOCK.MONOTONIC || clock === CLOCK.BOOTTIME || clock === CLOCK.TAI
}
/** Has nothing but a time to be read. */
export function isReadOnly(clock: number): boolean {
  return (
    clock === CLOCK.MONOTONIC_RAW || clock === CLOCK.REALTIME_COARSE || clock === CLOCK.MONOTONIC_COARSE || clock === CLOCK.REALTIME_ALARM ||
    clock === CLOCK.BOOTTIME_ALARM
  )
}

/** The deadline of a task's wait has come. */
export function waitTimeout(pm: Pm, t: Task): void {
  if (t.waiting === WAITING.SLEEP) finish(pm, t, 0)
  else if (t.waiting === WAITING.FUTEX) futexTimeout(pm, t)
  else if (t.waiting === WAITING.SIGINFO) {
    t.blocked = { ...t.realBlocked }
    t.realBlocked = { lo: 0, hi: 0 }
    finish(pm, t, -E.AGAIN)
    recalculate(pm, t)
  }
}
