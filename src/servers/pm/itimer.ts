// Timers that send signals: alarm(2), setitimer(2), timer_create(2) and kin, and RLIMIT_CPU. Real time by the one alarm; CPU time is
// looked at again when it could be reached at the earliest (a process can't use more of it than passes, per thread).
import { E } from '../../abi/errno.ts'
import { high, int, type Message, uint } from '../../abi/message.ts'
import { SI, SIG, SIGINFO, SIGMAX } from '../../abi/signals.ts'
import type { CallVector } from '../../lib/server.ts'
import { PM } from '../../protocol/pm.ts'
import { CPU_TIMER, POSIX_TIMER, processKey, REAL_TIMER } from './keys.ts'
import { die } from './lastwords.ts'
import { newTimer, type Pm, type PosixTimer, type Process, RLIMIT, type Task, taskOf } from './mproc.ts'
import { info, send } from './signal.ts'
import { read64, writeTimespec } from './suspended.ts'
import { CLOCK, clockNow, isReadOnly, readTimespec } from './time.ts'
import { grantOf, need } from './tell.ts'
import { usageOf, writeTimeval } from './usage.ts'

const REAL = 0
const VIRTUAL = 1
const PROF = 2
const NEVER = Number.POSITIVE_INFINITY
const SIGEV = { SIGNAL: 0, NONE: 1, THREAD_ID: 4 } as const
const TIMER_ABSTIME = 1
/** Jiffy: CPU time is not looked at more often, ms. */
const CPU_GRAIN = 4
const TIMERS_MAX = 512

export function timerCalls(pm: Pm): CallVector {
  const by = (f: (t: Task, m: Message) => number) => (m: Message, from: number) => {
    const t = taskOf(pm, from)
    return t === undefined ? -E.SRCH : f(t, m)
  }
  return {
    [PM.ALARM]: by((t, m) => alarm(pm, t.process, uint(m, 0))),
    [PM.GETITIMER]: by((t, m) => {
      const which = int(m, 0)
      if (which < REAL || which > PROF) return -E.INVAL
      const at = need(m, 1, 32)
      if (at < 0) return at
      writeItimer(pm, t.process, which, at)
      return 0
    }),
    [PM.SETITIMER]: by((t, m) => setitimer(pm, t.process, m)),
    [PM.TIMER_CREATE]: by((t, m) => create(pm, t, m)),
    [PM.TIMER_SETTIME]: by((t, m) => settime(pm, t, m)),
    [PM.TIMER_GETTIME]: by((t, m) => {
      const timer = find(t.process, int(m, 0))
      if (timer === undefined) return -E.INVAL
      const at = need(m, 1, 32)
      if (at < 0) return at
      writeTimer(pm, t, timer, at)
      return 0
    }),
    [PM.TIMER_GETOVERRUN]: by((t, m) => find(t.process, int(m, 0))?.overrun ?? -E.INVAL),
    [PM.TIMER_DELETE]: by((t, m) => {
      const at = t.process.posixTimers.findIndex(timer => timer.id === int(m, 0))
      if (at < 0) return -E.INVAL
      t.process.posixTimers.splice(at, 1)
      armPosix(pm, t.process)
      return 0
    }),
  }
}

// ---- interval timers ----

function alarm(pm: Pm, p: Process, seconds: number): number {
  const real = p.timers[REAL]
  const left = real.due === NEVER ? 0 : Math.max(0, real.due - pm.sys.monotonic())
  setReal(pm, p, seconds === 0 ? NEVER : seconds * 1000, 0)
  return left === 0 ? 0 : Math.max(1, Math.round(left / 1000))
}
function setReal(pm: Pm, p: Process, after: number, interval: number): void {
  const real = p.timers[REAL]
  real.interval = interval
  real.due = after === NEVER ? NEVER : pm.sys.monotonic() + after
  if (real.due === NEVER) pm.timers.clear(processKey(p, REAL_TIMER))
  else pm.timers.set(processKey(p, REAL_TIMER), real.due)
}

function setitimer(pm: Pm, p: Process, m: Message): number {
  const which = int(m, 0)
  const at = grantOf(m, 1)
  const old = grantOf(m, 2)
  if (which < REAL || which > PROF) return -E.INVAL
  if ((at >= 0 && high(m, 1) < 32) || (old >= 0 && high(m, 2) < 32)) return -E.FAULT
  const interval = at < 0 ? 0 : readTimeval(pm, at) // a null pointer counts as zeros
  const value = at < 0 ? 0 : readTimeval(pm, at + 16)
  if (interval < 0 || value < 0) return -E.INVAL
  if (old >= 0) writeItimer(pm, p, which, old)
  if (which === REAL) setReal(pm, p, value === 0 ? NEVER : value, interval)
  else {
    p.timers[which].interval = interval
    p.timers[which].due = value === 0 ? NEVER : cpuOf(pm, p, which) + value
    armCpuTimer(pm, p)
  }
  return 0
}
function writeItimer(pm: Pm, p: Process, which: number, at: number): void {
  const timer = p.timers[which]
  const now = which === REAL ? pm.sys.monotonic() : cpuOf(pm, p, which)
  writeTimeval(pm, at, timer.interval)
  writeTimeval(pm, at + 16, timer.due === NEVER ? 0 : Math.max(0.001, timer.due - now))
}
function readTimeval(pm: Pm, at: number): number {
  const seconds = read64(pm, at)
  const us = read64(pm, at + 8)
  return seconds < 0 || us < 0 || us >= 1e6 ? -E.INVAL : seconds * 1000 + us / 1000
}

export function realTimer(pm: Pm, p: Process): void {
  const real = p.timers[REAL]
  const now = pm.sys.monotonic()
  if (real.interval > 0) {
    real.due += real.interval * Math.max(1, Math.ceil((now - real.due) / real.interval))
    pm.timers.set(processKey(p, REAL_TIMER), real.due)
  } else Object.assign(real, newTimer())
  send(pm, p, null, info(SIG.ALRM, SI.KERNEL))
}

// ---- CPU time ----

function cpuOf(pm: Pm, p: Process, which: number): number {
  const usage = usageOf(pm, p)
  return which === VIRTUAL ? usage.user : usage.user + usage.system
}
/** Soonest CPU-time event of the process: look again then. */
export function armCpuTimer(pm: Pm, p: Process): void {
  const virtual = p.timers[VIRTUAL].due
  const prof = p.timers[PROF].due
  const limit = p.limits[2 * RLIMIT.CPU] * 1000
  const key = processKey(p, CPU_TIMER)
  if (virtual === NEVER && prof === NEVER && limit === NEVER) {
    pm.timers.clear(key)
    return
  }
  const usage = usageOf(pm, p)
  const used = usage.user + usage.system
  const left = Math.min(virtual - usage.user, Math.min(prof, limit) - used) / Math.max(1, p.tasks.length)
  pm.timers.after(key, Math.max(CPU_GRAIN, left))
}
export function cpuTimer(pm: Pm, p: Process): void {
  for (const which of [VIRTUAL, PROF]) {
    const timer = p.timers[which]
    if (timer.due === NEVER || cpuOf(pm, p, which) < timer.due) continue
    timer.due = timer.interval > 0 ? cpuOf(pm, p, which) + timer.interval : NEVER
    send(pm, p, null, info(which === VIRTUAL ? SIG.VTALRM : SIG.PROF, SI.KERNEL))
    if (p.exiting) return
  }
  cpuLimit(pm, p)
  if (!p.exiting) armCpuTimer(pm, p)
}
/** RLIMIT_CPU: SIGXCPU at the soft limit and every second after, SIGKILL at the hard one. */
function cpuLimit(pm: Pm, p: Process): void {
  const used = cpuOf(pm, p, PROF) / 1000
  if (used >= p.limits[2 * RLIMIT.CPU + 1]) die(pm, p, SIG.KILL, null)
  else if (used >= p.limits[2 * RLIMIT.CPU]) {
    p.limits[2 * RLIMIT.CPU]++
    send(pm, p, null, info(SIG.XCPU, SI.KERNEL))
  }
}

// ---- POSIX timers ----

function find(p: Process, id: number): PosixTimer | undefined {
  return p.posixTimers.find(timer => timer.id === id)
}

function create(pm: Pm, t: Task, m: Message): number {
  const clock = int(m, 0)
  if (isReadOnly(clock)) return -E.OPNOTSUPP
  if (clockNow(pm, t, clock) < 0) return -E.INVAL
  const p = t.process
  if (p.posixTimers.length >= TIMERS_MAX) return -E.AGAIN
  let id = 0
  while (find(p, id) !== undefined) id++
  const event = grantOf(m, 1)
  const timer: PosixTimer = {
    id, clock, notify: SIGEV.SIGNAL, signo: SIG.ALRM, value: { lo: id, hi: 0 }, tid: 0, due: NEVER, interval: 0, overrun: 0,
  }
  if (event >= 0) {
    const { view } = pm.sys
    timer.value = { lo: view.getInt32(event, true), hi: view.getInt32(event + 4, true) }
    timer.signo = view.getInt32(event + 8, true)
    timer.notify = view.getInt32(event + 12, true)
    timer.tid = (timer.notify & SIGEV.THREAD_ID) !== 0 ? view.getInt32(event + 16, true) : 0
    const badThread = timer.tid !== 0 && pm.tasks.get(timer.tid)?.process !== p
    if ((timer.notify & ~5) !== 0 || badThread || (timer.notify !== SIGEV.NONE && (timer.signo < 1 || timer.signo > SIGMAX))) {
      return -E.INVAL
    }
  }
  const out = need(m, 2, 4)
  if (out < 0) return out
  p.posixTimers.push(timer)
  pm.sys.view.setInt32(out, id, true)
  return 0
}

/** CPU clocks run by the process's CPU time; all others in step with the monotonic clock. */
function isCpu(clock: number): boolean {
  return clock < 0 || clock === CLOCK.PROCESS_CPUTIME || clock === CLOCK.THREAD_CPUTIME
}
/** `due` is kept on the timer's own clock for CPU clocks, on the monotonic one for the rest. */
function nowOf(pm: Pm, t: Task, timer: PosixTimer): number {
  return isCpu(timer.clock) ? clockNow(pm, t, timer.clock) : pm.sys.monotonic()
}
function settime(pm: Pm, t: Task, m: Message): number {
  const timer = find(t.process, int(m, 0))
  const at = grantOf(m, 2)
  if (at < 0) return -E.INVAL
  const interval = readTimespec(pm, at)
  const value = readTimespec(pm, at + 16)
  if (timer === undefined || interval < 0 || value < 0) return -E.INVAL
  const old = grantOf(m, 3)
  if (old >= 0) writeTimer(pm, t, timer, old)
  timer.interval = interval
  timer.overrun = 0
  const now = nowOf(pm, t, timer)
  const base = (int(m, 1) & TIMER_ABSTIME) !== 0 ? now - clockNow(pm, t, timer.clock) : now
  timer.due = value === 0 ? NEVER : base + value
  armPosix(pm, t.process)
  return 0
}
function writeTimer(pm: Pm, t: Task, timer: PosixTimer, at: number): void {
  writeTimespec(pm, at, timer.interval)
  writeTimespec(pm, at + 16, timer.due === NEVER ? 0 : Math.max(1e-6, timer.due - nowOf(pm, t, timer)))
}

function armPosix(pm: Pm, p: Process): void {
  let next = NEVER
  const now = pm.sys.monotonic()
  for (const timer of p.posixTimers) {
    if (timer.due === NEVER) continue
    const due = isCpu(timer.clock) ? now + Math.max(CPU_GRAIN, timer.due - clockNow(pm, p.leader, timer.clock)) : timer.due
    next = Math.min(next, due)
  }
  if (next === NEVER) pm.timers.clear(processKey(p, POSIX_TIMER))
  else pm.timers.set(processKey(p, POSIX_TIMER), next)
}
export function posixTimers(pm: Pm, p: Process): void {
  for (const timer of p.posixTimers.slice()) {
    const now = nowOf(pm, p.leader, timer)
    if (timer.due > now) continue
    expire(pm, p, timer, now)
    if (p.exiting) return
  }
  armPosix(pm, p)
}
function expire(pm: Pm, p: Process, timer: PosixTimer, now: number): void {
  const missed = timer.interval > 0 ? Math.floor((now - timer.due) / timer.interval) : 0
  timer.due = timer.interval > 0 ? timer.due + (missed + 1) * timer.interval : NEVER
  if (timer.notify === SIGEV.NONE) return
  const target = timer.tid === 0 ? null : (pm.tasks.get(timer.tid) ?? null)
  const queued = (target ?? p).pending.infos.find(i => i[SIGINFO.CODE >> 2] === SI.TIMER && i[SIGINFO.TIMERID >> 2] === timer.id)
  if (queued !== undefined) {
    timer.overrun += missed + 1
    queued[SIGINFO.OVERRUN >> 2] = timer.overrun
    return
  }
  timer.overrun = missed
  const i = info(timer.signo, SI.TIMER)
  i[SIGINFO.TIMERID >> 2] = timer.id
  i[SIGINFO.OVERRUN >> 2] = missed
  i[SIGINFO.VALUE >> 2] = timer.value.lo
  i[(SIGINFO.VALUE >> 2) + 1] = timer.value.hi
  send(pm, p, target, i)
}
