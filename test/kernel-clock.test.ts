// CLOCK: virtual time and alarms through the kernel; lib/timers.ts on top of one alarm.
import { describe, expect, test } from 'vitest'
import { E } from '../src/abi/errno.ts'
import { IPC, NON_BLOCKING } from '../src/abi/ipc.ts'
import { ANY, EP, SUSPEND } from '../src/abi/message.ts'
import { Timers } from '../src/lib/timers.ts'
import { SYS } from '../src/protocol/system.ts'
import { FakeSys } from './support/fake-sys.ts'
import { ALL, TestKernel } from './support/kernel.ts'

function withAlarms(...slots: number[]) {
  const k = new TestKernel()
  const rung: number[] = []
  const sys = slots.map(slot =>
    k.server(slot, {}, { notified: from => rung.push(from === EP.CLOCK ? slot : -1) as unknown as undefined }),
  )
  return { k, rung, sys }
}

describe('virtual time', () => {
  test('offset, pause, step, resume', () => {
    const k = new TestKernel()
    const { clock } = k.kernel
    k.now = 100
    expect(clock.monotonic()).toBe(100)
    expect(clock.step(50)).toBe(true)
    expect(clock.monotonic()).toBe(150)
    clock.pause()
    clock.pause()
    k.now = 1000
    expect([clock.monotonic(), clock.paused]).toEqual([150, true])
    clock.step(25)
    expect(clock.monotonic()).toBe(175)
    expect(clock.step(-1)).toBe(false)
    expect(clock.step(Number.NaN)).toBe(false)
    clock.resume()
    clock.resume()
    k.now = 1001
    expect([clock.monotonic(), clock.paused, clock.ticks()]).toEqual([176, false, 17])
  })
  test("real time follows the host's when it is stepped, not when it jitters; SETTIME is an offset", () => {
    const k = new TestKernel()
    const { clock } = k.kernel
    expect(clock.realtime()).toBe(1_000_000)
    k.real += 1.5
    k.now = 2000
    expect(clock.realtime()).toBe(1_002_000)
    k.real += 3_600_000
    expect(clock.realtime()).toBe(1_002_000) // looked at once a second
    k.now = 4000
    expect(clock.realtime()).toBe(4_604_001.5)
    clock.setRealtime(0)
    k.now = 4500
    expect(clock.realtime()).toBe(500)
    expect(clock.monotonic()).toBe(4500)
    k.real += 10_000
    k.now = 6000
    expect(clock.realtime()).toBe(12_000)
  })
})

describe('alarms', () => {
  test('ring once, from run(), in order of time; run() says how long there is left', () => {
    const { k, rung, sys } = withAlarms(EP.PM, EP.FS)
    expect(k.kernel.run()).toBe(Number.POSITIVE_INFINITY)
    sys[0].setalarm(20)
    sys[1].setalarm(10)
    expect(k.kernel.run()).toBe(10)
    k.now = 9.5
    expect(k.kernel.run()).toBe(0.5)
    k.now = 30
    expect(k.kernel.run()).toBe(Number.POSITIVE_INFINITY)
    expect(rung).toEqual([EP.FS, EP.PM])
  })
  test('one per server: the last counts; -1 clears; 0 is now', () => {
    const { k, rung, sys } = withAlarms(EP.PM)
    sys[0].setalarm(10)
    sys[0].setalarm(100)
    k.now = 50
    k.kernel.run()
    expect(rung).toEqual([])
    expect(k.kernel.run()).toBe(50)
    sys[0].setalarm(-1)
    k.now = 200
    expect(k.kernel.run()).toBe(Number.POSITIVE_INFINITY)
    sys[0].setalarm(0)
    k.kernel.run()
    expect(rung).toEqual([EP.PM])
  })
  test('set again from the handler: rings again, and run() ends', () => {
    const k = new TestKernel()
    let rings = 0
    const pm = k.server(EP.PM, {}, { notified: () => rings++ < 5 && (pm.setalarm(0) as unknown as undefined) })
    pm.setalarm(0)
    k.kernel.run()
    expect(rings).toBe(6)
  })
  test('paused time rings nothing; a step does', () => {
    const { k, rung, sys } = withAlarms(EP.PM)
    sys[0].setalarm(10)
    k.kernel.clock.pause()
    k.now = 1000
    expect(k.kernel.run()).toBe(Number.POSITIVE_INFINITY)
    k.kernel.clock.step(9)
    expect(k.kernel.run()).toBe(Number.POSITIVE_INFINITY)
    expect(rung).toEqual([])
    k.kernel.clock.step(1)
    k.kernel.run()
    expect(rung).toEqual([EP.PM])
    expect(k.kernel.clock.exportState()).toEqual({ monotonic: 10, realOffset: 0, paused: true, alarms: [] })
  })
  test('the alarm of a process ends with it', () => {
    const { k } = withAlarms(EP.PM)
    const p = k.process(ALL)
    k.ipc(p, IPC.SENDREC, EP.SYSTEM, SYS.SETALARM, 10)
    expect(k.kernel.run()).toBe(10)
    k.kernel.clear(k.endpoint(p))
    k.now = 20
    expect(k.kernel.run()).toBe(Number.POSITIVE_INFINITY)
    const q = k.process(ALL) // has its privilege structure now
    expect(k.ipc(q, IPC.RECEIVE | NON_BLOCKING, ANY)).toBe(-E.NOTREADY)
    k.ipc(q, IPC.SENDREC, EP.SYSTEM, SYS.SETALARM, 30, 1) // absolute
    expect(k.ipc(q, IPC.RECEIVE, EP.CLOCK)).toBe(SUSPEND)
    k.now = 30
    k.kernel.run()
    expect(k.container.completed).toEqual([[q, 0]])
  })
  test('setting the real time moves no alarm', () => {
    const { k, rung, sys } = withAlarms(EP.PM)
    sys[0].setalarm(10)
    k.kernel.clock.setRealtime(9_999_999)
    k.kernel.run()
    expect(rung).toEqual([])
    expect(k.kernel.clock.exportState().alarms).toEqual([[EP.PM + 5, 10]])
  })
})

describe('timers', () => {
  function timers() {
    const sys = new FakeSys(EP.PM)
    const fired: [key: number, at: number][] = []
    const queue = new Timers(sys, 2)
    sys.attach({
      name: 'pm',
      calls: {},
      notified: () => {
        for (let key = queue.expire(); key >= 0; key = queue.expire()) fired.push([key, sys.now])
      },
    })
    return { sys, queue, fired }
  }
  test('fire in order of time, then of setting; keys grow', () => {
    const { sys, queue, fired } = timers()
    for (const [key, ms] of [
      [5, 30],
      [900, 10],
      [1, 30],
      [7, 20],
    ] as const)
      queue.after(key, ms)
    expect([queue.size, queue.left(1), queue.at(900), queue.left(2)]).toEqual([4, 30, 1010, Number.POSITIVE_INFINITY])
    sys.advance(100)
    expect(fired).toEqual([
      [900, 1010],
      [7, 1020],
      [5, 1030],
      [1, 1030],
    ])
    expect(queue.size).toBe(0)
  })
  test('set again moves, clear removes, what is past fires at once', () => {
    const { sys, queue, fired } = timers()
    queue.after(1, 10)
    queue.after(2, 20)
    queue.after(1, 50)
    queue.clear(2)
    queue.clear(3)
    sys.advance(40)
    expect(fired).toEqual([])
    queue.set(4, 0)
    sys.advance(100)
    expect(fired).toEqual([
      [4, 1040],
      [1, 1050],
    ])
  })
  test('state is rows', () => {
    const a = timers()
    a.queue.after(3, 30)
    a.queue.after(1, 10)
    a.queue.after(2, 10)
    const rows = a.queue.exportState()
    expect(rows).toEqual([
      [1, 1010],
      [2, 1010],
      [3, 1030],
    ])
    const b = timers()
    b.queue.after(9, 1)
    b.queue.importState(rows)
    b.sys.advance(100)
    expect(b.fired).toEqual([
      [1, 1010],
      [2, 1010],
      [3, 1030],
    ])
  })
  test('a thousand against sorting', () => {
    const { sys, queue, fired } = timers()
    let seed = 1
    const random = (n: number) => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
      return (seed >>> 8) % n
    }
    const due = new Map<number, [at: number, order: number]>()
    for (let i = 0; i < 3000; i++) {
      const key = random(1000)
      if (random(4) === 0) {
        queue.clear(key)
        due.delete(key)
      } else {
        const at = 1000 + random(500)
        queue.set(key, at)
        due.set(key, [at, i])
      }
    }
    const expected = [...due].sort(([, a], [, b]) => a[0] - b[0] || a[1] - b[1]).map(([key]) => key)
    sys.advance(1000)
    expect(fired.map(([key]) => key)).toEqual(expected)
  })
})
