// Clocks, sleeps, timers, CPU time.
import { describe, expect, test } from 'vitest'
import { E } from '../../abi/errno.ts'
import { SUSPEND } from '../../abi/message.ts'
import { SI, SIG } from '../../abi/signals.ts'
import { PM } from '../../protocol/pm.ts'
import { Fixture } from './fixture.ts'

const H = 0x1000
const start = (): [f: Fixture, a: number] => {
  const f = new Fixture()
  return [f, f.spawn()]
}

describe('clocks', () => {
  test.each([
    ['REALTIME', 0, 1_700_000_001, 250_000_000],
    ['MONOTONIC', 1, 1, 250_000_000],
    ['BOOTTIME', 7, 1, 250_000_000],
    ['PROCESS_CPUTIME', 2, 0, 40_000_000],
    ['of a process', ~2 << 3 | 2, 0, 40_000_000],
  ])('%s', (_name, clock, seconds, ns) => {
    const [f, a] = start()
    f.sys.now = 1250
    f.sys.cpu.set(a, [30, 10])
    const ts = f.timespec(0)
    expect(f.call(PM.CLOCK_GETTIME, a, clock, ts)).toBe(0)
    expect([f.long(ts), f.long(ts, 8)]).toEqual([seconds, ns])
  })
  test('errors', () => {
    const [f, a] = start()
    expect(f.call(PM.CLOCK_GETTIME, a, 99, f.timespec(0))).toBe(-E.INVAL)
    expect(f.call(PM.CLOCK_GETTIME, a, 0, null)).toBe(-E.FAULT)
    expect(f.call(PM.CLOCK_GETRES, a, 1, null)).toBe(0)
    expect(f.call(PM.CLOCK_SETTIME, a, 0, null)).toBe(-E.FAULT)
    expect(f.call(PM.CLOCK_SETTIME, a, 1, f.timespec(1))).toBe(-E.INVAL)
  })
  test('setting the clock: root may, within the machine', () => {
    const [f, a] = start()
    f.sys.now = 5000
    expect(f.call(PM.CLOCK_SETTIME, a, 0, f.timespec(1))).toBe(-E.INVAL) // before its boot
    expect(f.call(PM.CLOCK_SETTIME, a, 0, f.timespec(1_000_000))).toBe(0)
    f.sys.now = 6000
    expect(f.call(PM.TIME, a, null)).toBe(1_000_001)
    f.call(PM.SETUID, a, 1000)
    expect(f.call(PM.CLOCK_SETTIME, a, 0, f.timespec(2_000_000))).toBe(-E.PERM)
  })
  test('time and gettimeofday', () => {
    const [f, a] = start()
    f.sys.now = 2500.5
    expect(f.call(PM.TIME, a, null)).toBe(1_700_000_002)
    const tv = f.timespec(0)
    f.call(PM.GETTIMEOFDAY, a, tv, null)
    expect([f.long(tv), f.long(tv, 8)]).toEqual([1_700_000_002, 500_500])
  })
})

describe('sleep', () => {
  test('to the deadline', () => {
    const [f, a] = start()
    expect(f.call(PM.NANOSLEEP, a, f.timespec(1, 500_000_000), null)).toBe(SUSPEND)
    f.sys.advance(1499)
    expect(f.sys.replies).toEqual([])
    f.sys.advance(1)
    expect(f.sys.replies).toEqual([[a, 0]])
  })
  test('zero, nonsense, absolute, past', () => {
    const [f, a] = start()
    expect(f.call(PM.NANOSLEEP, a, f.timespec(0), null)).toBe(0)
    expect(f.call(PM.NANOSLEEP, a, f.timespec(0, 1e9), null)).toBe(-E.INVAL)
    expect(f.call(PM.CLOCK_NANOSLEEP, a, 0, 1, f.timespec(1_700_000_000), null)).toBe(0)
    expect(f.call(PM.CLOCK_NANOSLEEP, a, 0, 1, f.timespec(1_700_000_003), null)).toBe(SUSPEND)
    f.sys.advance(2000)
    expect(f.sys.replies).toEqual([[a, 0]])
    expect(f.call(PM.CLOCK_NANOSLEEP, a, 3, 0, f.timespec(1), null)).toBe(-E.INVAL)
    expect(f.call(PM.CLOCK_NANOSLEEP, a, 4, 0, f.timespec(1), null)).toBe(-E.OPNOTSUPP)
  })
  test('a handler ends it with what is left', () => {
    const [f, a] = start()
    f.action(a, SIG.USR1, H)
    const rem = f.timespec(0)
    f.call(PM.NANOSLEEP, a, f.timespec(10), rem)
    f.sys.advance(4000)
    f.kill(a, 2, SIG.USR1)
    expect(f.sys.replyTo(a)).toBe(-E.RESTART_RESTARTBLOCK)
    expect([f.long(rem), f.long(rem, 8)]).toEqual([6, 0])
    f.boundary(a, -E.RESTART_RESTARTBLOCK, 1)
    expect(f.frames[0].result).toBe(-E.RESTART_RESTARTBLOCK)
    expect(f.call(PM.NANOSLEEP, a, f.timespec(10), null)).toBe(SUSPEND) // a new one, full length
    f.sys.advance(9999)
    expect(f.sys.replies.length).toBe(1)
  })
  test('stopped and continued, it keeps its deadline', () => {
    const [f, a] = start()
    const [b, pid] = f.fork(a)
    f.call(PM.NANOSLEEP, b, f.timespec(10), null)
    f.sys.advance(2000)
    f.kill(a, pid, SIG.STOP)
    expect(f.boundary(b, -E.RESTART_RESTARTBLOCK, 1)).toBe(SUSPEND)
    f.sys.advance(3000)
    f.kill(a, pid, SIG.CONT)
    expect(f.sys.replyTo(b)).toBe(0)
    expect(f.call(PM.NANOSLEEP, b, f.timespec(10), null)).toBe(SUSPEND) // the container issues it again
    f.sys.replies.length = 0
    f.sys.advance(4999)
    expect(f.sys.replies).toEqual([])
    f.sys.advance(1)
    expect(f.sys.replies).toEqual([[b, 0]])
  })
})

describe('timers', () => {
  test('alarm: rest of the old one, SIGALRM', () => {
    const [f, a] = start()
    f.action(a, SIG.ALRM, H)
    expect(f.call(PM.ALARM, a, 10)).toBe(0)
    f.sys.advance(3200)
    expect(f.call(PM.ALARM, a, 2)).toBe(7)
    f.sys.advance(2000)
    f.boundary(a)
    expect(f.frames[0]).toMatchObject({ signo: SIG.ALRM, code: SI.KERNEL })
    expect(f.call(PM.ALARM, a, 0)).toBe(0)
  })
  const itimer = (f: Fixture, interval: number, value: number) => {
    const g = f.sys.grant(32)
    f.sys.view.setUint32(g.offset + 8, interval * 1000, true)
    f.sys.view.setUint32(g.offset + 24, value * 1000, true)
    return g
  }
  test('ITIMER_REAL repeats', () => {
    const [f, a] = start()
    f.action(a, SIG.ALRM, H)
    f.call(PM.SETITIMER, a, 0, itimer(f, 100, 300), null)
    f.sys.advance(310)
    f.boundary(a)
    f.call(PM.SIGRETURN, a, 0, 0, 0, 2, 0)
    f.sys.advance(100)
    f.boundary(a)
    expect(f.frames.length).toBe(2)
    const g = f.sys.grant(32)
    f.call(PM.GETITIMER, a, 0, g)
    expect([f.long(g, 8), f.long(g, 24)]).toEqual([100_000, 90_000])
  })
  test('not inherited; cleared by exit', () => {
    const [f, a] = start()
    f.call(PM.ALARM, a, 1)
    const [b] = f.fork(a)
    f.exit(a, 0)
    f.sys.advance(5000)
    expect(f.cleared(b)).toBe(false)
  })
  test('ITIMER_PROF goes by CPU time', () => {
    const [f, a] = start()
    f.action(a, SIG.PROF, H)
    f.call(PM.SETITIMER, a, 2, itimer(f, 0, 50), null)
    f.sys.advance(200)
    expect(f.boundary(a)).toBe(0)
    expect(f.frames).toEqual([])
    f.sys.cpu.set(a, [45, 10])
    f.sys.advance(100)
    f.boundary(a)
    expect(f.frames[0].signo).toBe(SIG.PROF)
  })
  test('RLIMIT_CPU: SIGXCPU, then SIGKILL', () => {
    const f = new Fixture({ limits: { 0: [1, 2] } })
    const a = f.spawn()
    f.action(a, SIG.XCPU, H)
    f.sys.cpu.set(a, [1100, 0])
    f.sys.advance(1100)
    f.boundary(a)
    expect(f.frames[0].signo).toBe(SIG.XCPU)
    f.sys.cpu.set(a, [2100, 0])
    f.sys.advance(1100)
    expect(f.cleared(a)).toBe(true)
  })
  test('timer_create: value, overruns, delete', () => {
    const [f, a] = start()
    f.action(a, SIG.USR1, H)
    const event = f.sys.grant(64)
    f.sys.view.setUint32(event.offset, 77, true)
    f.sys.view.setInt32(event.offset + 8, SIG.USR1, true)
    const id = f.sys.grant(4)
    expect(f.call(PM.TIMER_CREATE, a, 1, event, id)).toBe(0)
    const spec = f.sys.grant(32)
    f.sys.view.setUint32(spec.offset + 8, 10_000_000, true)
    f.sys.view.setUint32(spec.offset + 24, 10_000_000, true)
    expect(f.call(PM.TIMER_SETTIME, a, 0, 0, spec, null)).toBe(0)
    f.block(a, SIG.USR1)
    f.sys.advance(35)
    expect(f.call(PM.TIMER_GETOVERRUN, a, 0)).toBe(2)
    f.unblock(a, SIG.USR1)
    f.boundary(a)
    expect(f.frames[0]).toMatchObject({ signo: SIG.USR1, code: SI.TIMER, value: 77 })
    const left = f.sys.grant(32)
    f.call(PM.TIMER_GETTIME, a, 0, left)
    expect(f.long(left, 24)).toBe(5_000_000)
    expect(f.call(PM.TIMER_DELETE, a, 0)).toBe(0)
    expect(f.call(PM.TIMER_DELETE, a, 0)).toBe(-E.INVAL)
  })
})
