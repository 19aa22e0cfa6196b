// The kernel as containers and servers see it: calls by slot, suspension, cancellation, ends, domains, privileges, signals, accounts.
import { describe, expect, test } from 'vitest'
import { E } from '../src/abi/errno.ts'
import { CONTEXT } from '../src/abi/context.ts'
import { ERRAND, GET, IPC, PRIV_RECORD, PROC_ENTRY, RC, SYS_PRIV, T, TRAPS } from '../src/abi/ipc.ts'
import {
  ANY,
  EP,
  FIRST_GUEST,
  high,
  int,
  makeEndpoint,
  message,
  NONE,
  NOTIFY_MESSAGE,
  SLOT,
  SOURCE,
  SUSPEND,
  setGrant,
  setInt,
  slotOf,
  TYPE,
  ulong,
} from '../src/abi/message.ts'
import { Panic } from '../src/kernel/panic.ts'
import type { Sys } from '../src/lib/server.ts'
import { COMMON_CALL } from '../src/protocol/common.ts'
import { SYS } from '../src/protocol/system.ts'
import { ALL, make, TestKernel } from './support/kernel.ts'

const ECHO = 1
const WAIT = 2
const DOUBLE = 3

/** PM echoes cell 0, or suspends; it cancels with -EINTR when told to. */
function withPm(cancel = true) {
  const k = new TestKernel()
  const heard: [string, number][] = []
  const pm: { sys: Sys } = { sys: undefined as unknown as Sys }
  k.server(
    EP.PM,
    sys => {
      pm.sys = sys
      return {
        [ECHO]: m => int(m, 0),
        [WAIT]: () => SUSPEND,
        [COMMON_CALL.CANCEL]: m => {
          heard.push(['cancel', int(m, 0)])
          return cancel ? sys.reply(int(m, 0), -E.RESTARTSYS) : 0
        },
        [COMMON_CALL.GONE]: m => {
          heard.push(['gone', int(m, 0)])
          return 0
        },
      }
    },
    { notified: (from, m) => heard.push([`notified ${int(m, 0)}`, from]) as unknown as undefined },
  )
  k.kernel.setSlot(0, SLOT.PM, EP.PM)
  return { k, heard, sys: pm.sys }
}

describe('call', () => {
  test('a result comes straight back; with it the cells the handler left', () => {
    const { k } = withPm()
    const p = k.process()
    expect(k.call(p, SLOT.PM, ECHO, 42)).toBe(42)
    expect(k.call(p, SLOT.PM, ECHO, -E.NOENT)).toBe(-E.NOENT)
    expect(k.kernel.messageOf(p)[TYPE]).toBe(ECHO)
    k.server(EP.FS, {
      [ECHO]: m => {
        setInt(m, 3, 99)
        return 0
      },
    })
    k.kernel.setSlot(0, SLOT.FS, EP.FS)
    k.call(p, SLOT.FS, ECHO, 1, 2)
    expect([0, 1, 3].map(cell => int(k.kernel.messageOf(p), cell))).toEqual([1, 2, 99])
  })
  test('any integer a double holds comes back whole', () => {
    const k = new TestKernel()
    k.server(EP.VM, { [ECHO]: () => 0x7ffe_0000_0000 })
    k.kernel.setSlot(0, SLOT.VM, EP.VM)
    expect(k.call(k.process(), SLOT.VM, ECHO)).toBe(0x7ffe_0000_0000)
  })
  test('the handler sees who calls, in argument and message', () => {
    const k = new TestKernel()
    k.server(EP.PM, { [ECHO]: (m, from) => (m[SOURCE] === from ? slotOf(from) : -1) })
    k.kernel.setSlot(0, SLOT.PM, EP.PM)
    const p = k.process()
    expect(k.call(p, SLOT.PM, ECHO)).toBe(p)
  })
  test("an unlisted type is ENOSYS and counted; one out of range too; PING is everybody's", () => {
    const { k } = withPm()
    const p = k.process()
    expect(k.call(p, SLOT.PM, 99)).toBe(-E.NOSYS)
    expect(k.call(p, SLOT.PM, 99)).toBe(-E.NOSYS)
    expect(k.call(p, SLOT.PM, 0x7fff_ffff)).toBe(-E.NOSYS)
    expect(k.call(p, SLOT.PM, -5)).toBe(-E.NOSYS)
    expect(k.call(p, SLOT.PM, COMMON_CALL.PING)).toBe(0)
    expect(k.kernel.unlisted()).toEqual([
      { server: 'server0', type: 99, count: 2 },
      { server: 'server0', type: -1, count: 2 },
    ])
  })
  test('CANCEL and GONE can be sent by nobody but the kernel', () => {
    const { k, heard, sys } = withPm()
    const p = k.process(ALL)
    expect(k.call(p, SLOT.PM, COMMON_CALL.CANCEL, 1)).toBe(-E.NOSYS)
    expect(k.ipc(p, IPC.SENDA, EP.PM, COMMON_CALL.GONE, 1)).toBe(0)
    expect(sys.senda(EP.PM, make(COMMON_CALL.GONE, 1))).toBe(0)
    k.kernel.run()
    expect(heard).toEqual([])
  })
  test('refusals', () => {
    const { k } = withPm()
    const p = k.process()
    expect(k.call(p, SLOT.FS, ECHO)).toBe(-E.DEADSRCDST) // nobody stands there
    expect(k.call(p, 8, ECHO)).toBe(-E.BADCALL)
    expect(k.call(p, -1, ECHO)).toBe(-E.BADCALL)
    expect(k.call(p, SLOT.SYSTEM, SYS.CLEAR, k.endpoint(p))).toBe(-E.CALLDENIED) // no kernel calls for guests
    expect(k.call(p, SLOT.CLOCK, ECHO)).toBe(-E.BADREQUEST)
    const mute = k.process({ ...ALL, traps: 0 })
    expect(k.call(mute, SLOT.PM, ECHO)).toBe(-E.TRAPDENIED)
    const confined = k.process({ ...ALL, ipcTo: [EP.FS] })
    expect(k.call(confined, SLOT.PM, ECHO)).toBe(-E.CALLDENIED)
    k.kernel.setSlot(0, SLOT.NET, k.endpoint(mute))
    k.kernel.clear(k.endpoint(mute))
    expect(k.call(p, SLOT.NET, ECHO)).toBe(-E.DEADSRCDST)
  })
  test('a panic names the server and the message', () => {
    const k = new TestKernel()
    k.server(EP.FS, {
      [ECHO]: () => {
        throw new Error('row lost')
      },
    })
    k.kernel.setSlot(0, SLOT.FS, EP.FS)
    const p = k.process()
    let panic: unknown
    try {
      k.call(p, SLOT.FS, ECHO, 5)
    } catch (cause) {
      panic = k.kernel.panic(cause)
    }
    expect(panic).toBeInstanceOf(Panic)
    expect(panic).toMatchObject({
      server: 'server1',
      code: 'EPANIC',
      message: expect.stringMatching(/panic in server1: row lost .*type 0x1 cells 5 /),
    })
  })
})

describe('suspended calls', () => {
  test('reply completes the call, once', () => {
    const { k, sys } = withPm()
    const p = k.process()
    expect(k.call(p, SLOT.PM, WAIT)).toBe(SUSPEND)
    expect(k.call(p, SLOT.PM, ECHO)).toBe(-E.BADCALL) // still in a call
    k.fill(p, WAIT)
    expect(sys.reply(k.endpoint(p), 5)).toBe(0)
    expect(k.container.completed).toEqual([[p, 5]])
    expect(sys.reply(k.endpoint(p), 6)).toBe(-E.NOTREADY)
    expect(k.call(p, SLOT.PM, ECHO, 1)).toBe(1)
  })
  test('only the server that was asked can answer', () => {
    const { k } = withPm()
    const other = k.server(EP.FS, {})
    const p = k.process()
    k.call(p, SLOT.PM, WAIT)
    expect(other.reply(k.endpoint(p), 5)).toBe(-E.NOTREADY)
    expect(other.reply(makeEndpoint(7, p), 5)).toBe(-E.DEADSRCDST)
    expect(k.container.completed).toEqual([])
  })
  test('a reply before the handler returns SUSPEND is the result', () => {
    const k = new TestKernel()
    k.server(EP.PM, sys => ({
      [WAIT]: (_, from) => {
        sys.reply(from, 9)
        return SUSPEND
      },
    }))
    k.kernel.setSlot(0, SLOT.PM, EP.PM)
    expect(k.call(k.process(), SLOT.PM, WAIT)).toBe(9)
    expect(k.container.completed).toEqual([])
  })
})

describe('interrupt and mark', () => {
  test('a running guest is marked and told', () => {
    const { k, sys } = withPm()
    const p = k.process()
    expect(sys.interrupt(k.endpoint(p))).toBe(0)
    expect(k.container.asked).toEqual([['interrupt', p]])
    expect(k.kernel.marked(p)).toBe(true)
    expect(k.kernel.takeMark(p)).toBe(true)
    expect(k.kernel.takeMark(p)).toBe(false)
  })
  test('a blocked call is cancelled by its server', () => {
    const { k, heard, sys } = withPm()
    const p = k.process()
    k.call(p, SLOT.PM, WAIT)
    sys.interrupt(k.endpoint(p))
    sys.interrupt(k.endpoint(p)) // no second CANCEL while one is on its way
    expect(heard).toEqual([])
    k.kernel.run()
    expect(heard).toEqual([['cancel', k.endpoint(p)]])
    expect(k.container.completed).toEqual([[p, -E.RESTARTSYS]])
    expect(k.container.asked).toEqual([])
    expect(k.kernel.takeMark(p)).toBe(true)
  })
  test("a server that can't cancel is asked again by the next interrupt", () => {
    const { k, heard, sys } = withPm(false)
    const p = k.process()
    k.call(p, SLOT.PM, WAIT)
    for (let i = 0; i < 2; i++) {
      sys.interrupt(k.endpoint(p))
      k.kernel.run()
    }
    expect(heard).toHaveLength(2)
    expect(sys.reply(k.endpoint(p), 3)).toBe(0)
    expect(k.container.completed).toEqual([[p, 3]])
  })
  test('a CANCEL for a call that is over never reaches the next call', () => {
    const { k, heard, sys } = withPm()
    const p = k.process()
    k.call(p, SLOT.PM, WAIT)
    sys.interrupt(k.endpoint(p))
    sys.reply(k.endpoint(p), 0)
    k.call(p, SLOT.PM, WAIT)
    k.kernel.run()
    expect(heard).toEqual([])
    expect(k.container.completed).toEqual([[p, 0]])
  })
  test('a CANCEL left over at one server does not stand for one due at another', () => {
    const { k, heard, sys } = withPm()
    const p = k.process()
    const cancelled: number[] = []
    const fs = k.server(EP.FS, {
      [WAIT]: () => SUSPEND,
      [COMMON_CALL.CANCEL]: m => {
        cancelled.push(int(m, 0))
        return fs.reply(int(m, 0), -E.INTR)
      },
    })
    k.kernel.setSlot(0, SLOT.FS, EP.FS)
    k.call(p, SLOT.PM, WAIT)
    sys.interrupt(k.endpoint(p))
    sys.reply(k.endpoint(p), 0)
    k.call(p, SLOT.FS, WAIT)
    sys.interrupt(k.endpoint(p))
    k.kernel.run()
    expect([heard, cancelled]).toEqual([[], [k.endpoint(p)]])
  })
  test('interrupted while its call is in hand: cancelled once it is suspended, not if it is answered', () => {
    const k = new TestKernel()
    const cancelled: number[] = []
    k.server(EP.PM, sys => ({
      [ECHO]: (_, from) => sys.interrupt(from),
      [WAIT]: (_, from) => {
        sys.interrupt(from)
        return SUSPEND
      },
      [COMMON_CALL.CANCEL]: m => {
        cancelled.push(int(m, 0))
        return sys.reply(int(m, 0), -E.INTR)
      },
    }))
    k.kernel.setSlot(0, SLOT.PM, EP.PM)
    const p = k.process()
    expect(k.call(p, SLOT.PM, ECHO)).toBe(0)
    k.kernel.run()
    expect(cancelled).toEqual([])
    expect(k.call(p, SLOT.PM, WAIT)).toBe(SUSPEND)
    k.kernel.run()
    expect(cancelled).toEqual([k.endpoint(p)])
    expect(k.container.completed).toEqual([[p, -E.INTR]])
    expect(k.container.asked).toEqual([])
  })
  test('mark leaves a blocked call alone', () => {
    const { k, heard, sys } = withPm()
    const p = k.process()
    k.call(p, SLOT.PM, WAIT)
    sys.mark(k.endpoint(p))
    k.kernel.run()
    expect(heard).toEqual([])
    expect(k.kernel.marked(p)).toBe(true)
    sys.reply(k.endpoint(p), 0)
    sys.mark(k.endpoint(p))
    expect(k.container.asked).toEqual([['interrupt', p]])
  })
  test('a request no server has taken yet ends by itself, and can be made again', () => {
    const k = new TestKernel()
    const p = k.process()
    const asker: { sys?: Sys } = {}
    k.server(EP.FS, sys => {
      asker.sys = sys
      return {}
    })
    k.server(EP.PM, { [ECHO]: () => k.call(p, SLOT.PM, ECHO) }) // the guest calls while PM is busy: it queues
    k.kernel.setSlot(0, SLOT.PM, EP.PM)
    expect(asker.sys?.sendrec(EP.PM, make(ECHO))).toBe(SUSPEND)
    asker.sys?.interrupt(k.endpoint(p))
    expect(k.container.completed).toEqual([[p, -E.RESTARTNOINTR]])
    k.kernel.run()
    expect(k.container.completed).toHaveLength(1)
  })
})

describe('servers', () => {
  test('sendrec: synchronous, reply in the message, privileges checked', () => {
    const k = new TestKernel()
    k.server(EP.PM, {
      [DOUBLE]: m => {
        setInt(m, 1, 77)
        return 2 * int(m, 0)
      },
      [WAIT]: () => SUSPEND,
    })
    const fs = k.server(EP.FS, {})
    const m = make(DOUBLE, 21)
    expect(fs.sendrec(EP.PM, m)).toBe(42)
    expect([m[SOURCE], m[TYPE], int(m, 0), int(m, 1)]).toEqual([EP.PM, 0, 42, 77])
    const bad = make(99)
    expect(fs.sendrec(EP.PM, bad)).toBe(-E.NOSYS)
    expect(bad[TYPE]).toBe(-E.NOSYS)
    expect(fs.sendrec(EP.PM, make(WAIT))).toBe(SUSPEND) // a driver's "later": its status, not a wait
    expect(fs.sendrec(EP.VM, make(DOUBLE))).toBe(-E.DEADSRCDST)
    expect(fs.sendrec(k.endpoint(k.process()), make(DOUBLE))).toBe(-E.NOTREADY)
    const mute = k.server(EP.NET, {}, {}, { ...ALL, traps: 0 })
    expect(mute.sendrec(EP.PM, make(DOUBLE))).toBe(-E.TRAPDENIED)
    expect(mute.senda(EP.PM, make(DOUBLE))).toBe(-E.TRAPDENIED)
    expect(mute.notify(EP.PM)).toBe(-E.TRAPDENIED)
    const alone = k.server(EP.VM, {}, {}, { ...ALL, ipcTo: [EP.FS] })
    expect(alone.sendrec(EP.PM, make(DOUBLE))).toBe(-E.CALLDENIED)
    expect(alone.senda(EP.PM, make(DOUBLE))).toBe(-E.CALLDENIED)
    expect(alone.notify(EP.PM)).toBe(-E.CALLDENIED)
    expect(alone.senda(EP.SYSTEM, make(DOUBLE))).toBe(-E.TRAPDENIED) // tasks take SENDREC only
  })
  test('waiting for oneself, directly or around the corner, is ELOCKED', () => {
    const k = new TestKernel()
    const pm = k.server(EP.PM, sys => ({ [ECHO]: () => sys.sendrec(EP.FS, make(ECHO)) }))
    k.server(EP.FS, sys => ({ [ECHO]: () => sys.sendrec(EP.VM, make(ECHO)) }))
    k.server(EP.VM, sys => ({ [ECHO]: () => sys.sendrec(EP.PM, make(ECHO)) }))
    expect(pm.sendrec(EP.PM, make(ECHO))).toBe(-E.LOCKED)
    expect(pm.sendrec(EP.FS, make(ECHO))).toBe(-E.LOCKED) // a driver at work on a host event is as busy as in a handler
    k.kernel.setSlot(0, SLOT.FS, EP.FS)
    expect(k.call(k.process(), SLOT.FS, ECHO)).toBe(-E.LOCKED)
  })
  test('senda waits for run(), keeps the order, is copied', () => {
    const k = new TestKernel()
    const got: number[] = []
    const pm = k.server(EP.PM, {
      [ECHO]: m => {
        got.push(int(m, 0))
        return 0
      },
    })
    const fs = k.server(EP.FS, {})
    const m = make(ECHO, 1)
    expect(fs.senda(EP.PM, m)).toBe(0)
    setInt(m, 0, 2)
    expect(pm.senda(EP.PM, m)).toBe(0)
    setInt(m, 0, 3)
    fs.senda(EP.PM, m)
    expect(got).toEqual([])
    k.kernel.run()
    expect(got).toEqual([1, 2, 3])
  })
  test('ten thousand asynchronous messages: the pool grows, none is lost; then ENOTREADY', () => {
    const k = new TestKernel()
    let sum = 0
    k.server(EP.PM, { [ECHO]: m => (sum += int(m, 0)) })
    const fs = k.server(EP.FS, {})
    for (let i = 1; i <= 10_000; i++) expect(fs.senda(EP.PM, make(ECHO, i))).toBe(0)
    while (k.kernel.run() === 0);
    expect(sum).toBe(50_005_000)
    let sent = 0
    while (fs.senda(EP.PM, make(ECHO, 1)) === 0) sent++
    expect(sent).toBe(65_536)
    expect(fs.senda(EP.PM, make(ECHO, 1))).toBe(-E.NOTREADY)
  })
  test('servers that never stop talking leave guests their turn', () => {
    const k = new TestKernel()
    k.server(EP.PM, sys => ({ [ECHO]: m => sys.senda(EP.FS, m) }))
    const fs = k.server(EP.FS, sys => ({ [ECHO]: m => sys.senda(EP.PM, m) }))
    fs.senda(EP.PM, make(ECHO))
    expect(k.kernel.run()).toBe(0)
    expect(k.kernel.account(EP.PM).received).toBeGreaterThan(1000)
  })
  test('notify: idempotent until delivered, from run(), with the ticks', () => {
    const k = new TestKernel()
    const got: number[][] = []
    k.server(EP.PM, {}, { notified: (from, m) => got.push([from, m[TYPE], int(m, 1)]) as unknown as undefined })
    const fs = k.server(EP.FS, {})
    k.now = 1230
    for (let i = 0; i < 3; i++) expect(fs.notify(EP.PM)).toBe(0)
    k.kernel.raise(EP.PM, 4)
    k.kernel.run()
    expect(got).toEqual([
      [EP.HARDWARE, NOTIFY_MESSAGE + EP.HARDWARE, 123],
      [EP.FS, NOTIFY_MESSAGE + EP.FS, 123],
    ])
    fs.notify(EP.PM)
    k.kernel.run()
    expect(got).toHaveLength(3)
    expect(fs.notify(EP.SYSTEM)).toBe(-E.TRAPDENIED)
    expect(fs.notify(EP.VM)).toBe(-E.DEADSRCDST)
  })
  test('a bad set-up is told at once', () => {
    const k = new TestKernel()
    k.server(EP.PM, {})
    expect(() => k.server(EP.PM, {})).toThrow(/slot 0/)
    expect(() => k.server(FIRST_GUEST, {})).toThrow(/slot 32/)
    expect(() => k.server(EP.FS, { 8192: () => 0 })).toThrow(/8192 out of range/)
    expect(() => k.kernel.setSlot(3, SLOT.PM, EP.PM)).toThrow(/domain 3/)
  })
})

describe('processes', () => {
  test("fork: same domain, container, guests' privileges; the host side may refuse", () => {
    const { k, sys } = withPm()
    const p = k.process()
    const child = sys.fork(k.endpoint(p), 17, 0x1000, 0x2000)
    const slot = k.kernel.lookup(child)
    expect(slot).toBeGreaterThan(p)
    expect(k.container.asked).toEqual([['fork', p, slot, 17, 0x1000, 0x2000]])
    expect(k.call(slot, SLOT.PM, ECHO, 3)).toBe(3)
    k.container.forkResult = -E.AGAIN
    expect(sys.fork(child, 17, 0, 0)).toBe(-E.AGAIN)
    expect(sys.fork(makeEndpoint(9, p), 17, 0, 0)).toBe(-E.DEADSRCDST)
    expect(sys.create(5)).toBe(-E.INVAL)
  })
  test('clear: host side ended, GONE to those who list it, endpoint dead, partners told', () => {
    const { k, heard, sys } = withPm()
    const p = k.process()
    const old = k.endpoint(p)
    k.call(p, SLOT.PM, WAIT)
    expect(sys.clear(old)).toBe(0)
    expect(k.container.asked).toEqual([['clear', p]])
    expect(k.kernel.lookup(old)).toBe(-E.DEADSRCDST)
    expect(sys.reply(old, 0)).toBe(-E.DEADSRCDST)
    expect(sys.clear(old)).toBe(-E.DEADSRCDST)
    expect(sys.clear(EP.PM)).toBe(-E.PERM)
    k.kernel.run()
    expect(heard).toEqual([['gone', old]])
  })
  test('ended by its own call: no answer, whatever the handler returned', () => {
    const k = new TestKernel()
    k.server(EP.PM, sys => ({ [ECHO]: (_, from) => sys.clear(from) }))
    k.kernel.setSlot(0, SLOT.PM, EP.PM)
    expect(k.call(k.process(), SLOT.PM, ECHO)).toBe(SUSPEND)
    expect(k.container.completed).toEqual([])
  })
  test('slots are used again as late as possible, in a new generation, once everybody has heard', () => {
    const k = new TestKernel({ procs: FIRST_GUEST + 4 })
    const seen = new Set<number>()
    for (let i = 0; i < 1000; i++) {
      const p = k.process()
      expect(p).toBe(FIRST_GUEST + (i % 4))
      expect(seen.has(k.endpoint(p))).toBe(false)
      seen.add(k.endpoint(p))
      k.kernel.clear(k.endpoint(p))
      k.kernel.run()
    }
    for (let i = 0; i < 4; i++) k.process()
    expect(k.kernel.create(0)).toBe(-E.AGAIN)
    const last = k.endpoint(FIRST_GUEST)
    k.kernel.clear(last)
    expect(k.kernel.create(0)).toBe(-E.AGAIN) // in limbo
    k.kernel.run()
    expect(k.kernel.create(0)).toBeGreaterThan(last)
  })
  test('no endpoint looks like ANY, NONE or SELF; tables that could make one are refused', () => {
    expect(() => new TestKernel({ procs: 4096 })).toThrow(/2048/)
    expect(() => new TestKernel({ procs: 16 })).toThrow(/33/)
  })
  test("a message buffer holds nothing of its slot's last process", () => {
    const k = new TestKernel({ procs: FIRST_GUEST + 1 })
    const p = k.process()
    k.fill(p, 1, 2, 3, 4)
    k.kernel.clear(k.endpoint(p))
    k.kernel.run()
    expect(Array.from(k.kernel.messageOf(k.process()))).toEqual(new Array(16).fill(0))
  })
})

describe('domains', () => {
  test("an untouched slot is the parent's very endpoint, at any depth; a set one is the child's", () => {
    const k = new TestKernel()
    k.server(EP.PM, { [ECHO]: () => 1 })
    k.server(EP.FS, { [ECHO]: () => 2 })
    k.kernel.setSlot(0, SLOT.PM, EP.PM)
    const child = k.kernel.createDomain(0)
    let deep = child
    for (let i = 0; i < 40; i++) deep = k.kernel.createDomain(deep)
    const p = k.process(undefined, deep)
    expect(k.kernel.resolve(p, SLOT.PM)).toBe(EP.PM)
    expect(k.call(p, SLOT.PM, ECHO)).toBe(1)
    k.kernel.setSlot(child, SLOT.PM, EP.FS)
    expect(k.call(p, SLOT.PM, ECHO)).toBe(2)
    expect(k.kernel.resolve(k.process(), SLOT.PM)).toBe(EP.PM)
    k.kernel.setSlot(deep, SLOT.PM, NONE)
    expect(k.call(p, SLOT.PM, ECHO)).toBe(-E.DEADSRCDST)
    k.kernel.setSlot(deep, SLOT.PM, ANY)
    k.kernel.setSlot(child, SLOT.PM, ANY)
    expect(k.call(p, SLOT.PM, ECHO)).toBe(1)
    expect(k.kernel.resolve(p, SLOT.SYSTEM)).toBe(EP.SYSTEM)
  })
  test('a set slot later in the parent is inherited by children that exist', () => {
    const k = new TestKernel()
    const p = k.process(undefined, k.kernel.createDomain(k.kernel.createDomain(0)))
    expect(k.kernel.resolve(p, SLOT.FS)).toBe(NONE)
    k.server(EP.FS, {})
    k.kernel.setSlot(0, SLOT.FS, EP.FS)
    expect(k.kernel.resolve(p, SLOT.FS)).toBe(EP.FS)
  })
  test('destroy: empty ones only; the account goes to the parent', () => {
    const { k } = withPm()
    const d = k.kernel.createDomain(0)
    const inner = k.kernel.createDomain(d)
    const p = k.process(undefined, inner)
    k.call(p, SLOT.PM, ECHO)
    expect(k.kernel.domainAccount(inner)).toEqual({ processes: 1, sent: 1, received: 1, kernelCalls: 0 })
    expect(k.kernel.destroyDomain(d)).toBe(-E.BUSY)
    expect(k.kernel.destroyDomain(inner)).toBe(-E.BUSY)
    k.kernel.clear(k.endpoint(p))
    expect(k.kernel.destroyDomain(inner)).toBe(0)
    expect(k.kernel.destroyDomain(inner)).toBe(-E.INVAL)
    expect(k.kernel.domainAccount(d)).toEqual({ processes: 1, sent: 1, received: 1, kernelCalls: 0 })
    expect(k.kernel.destroyDomain(d)).toBe(0)
    expect(k.kernel.destroyDomain(0)).toBe(-E.INVAL)
    expect(k.kernel.createDomain(d)).toBe(-E.INVAL)
  })
})

describe('kernel signals', () => {
  test('kill notifies PM from SYSTEM; getksig takes a set; endksig ends it', () => {
    const { k, heard, sys } = withPm()
    const p = k.endpoint(k.process())
    const q = k.endpoint(k.process())
    expect(sys.kill(q, 64)).toBe(0)
    expect(sys.kill(p, 2)).toBe(0)
    expect(sys.kill(p, 15)).toBe(0)
    expect(sys.kill(p, 65)).toBe(-E.INVAL)
    expect(sys.kill(p, 0)).toBe(-E.INVAL)
    k.kernel.run()
    expect(heard).toEqual([['notified 1', EP.SYSTEM]])
    const set = new Int32Array(2)
    expect([sys.getksig(set), ...set]).toEqual([p, 0x4002, 0])
    expect([sys.getksig(set), ...set]).toEqual([q, 0, -0x8000_0000])
    expect(sys.getksig(set)).toBe(NONE)
    sys.kill(q, 1) // while PM is at work on the first
    expect(sys.endksig(q)).toBe(0)
    expect(sys.getksig(set)).toBe(q)
    expect(sys.endksig(q)).toBe(0)
    expect(sys.endksig(q)).toBe(-E.INVAL)
    expect(sys.endksig(p)).toBe(0)
  })
})

describe('kernel calls', () => {
  const rows: [name: string, number: number, call: (sys: Sys, ep: number) => number][] = [
    ['fork', SYS.FORK, (s, ep) => s.fork(ep, 0, 0, 0)],
    ['create', SYS.CREATE, s => s.create(0)],
    ['clear', SYS.CLEAR, (s, ep) => s.clear(ep)],
    ['kill', SYS.KILL, (s, ep) => s.kill(ep, 1)],
    ['getksig', SYS.GETKSIG, s => s.getksig(new Int32Array(2))],
    ['endksig', SYS.ENDKSIG, (s, ep) => s.endksig(ep)],
    ['interrupt', SYS.RUNCTL, (s, ep) => s.interrupt(ep)],
    ['mark', SYS.RUNCTL, (s, ep) => s.mark(ep)],
    ['sigsend', SYS.SIGSEND, (s, ep) => s.sigsend(ep, 0)],
    ['vmctl', SYS.VMCTL, (s, ep) => s.vmctl(ep, 1, 0, 0, 0, 0, 0, -1, 0)],
    ['copyFrom', SYS.SAFECOPYFROM, (s, ep) => s.copyFrom(ep, 0, 1, -1, 0)],
    ['copyTo', SYS.SAFECOPYTO, (s, ep) => s.copyTo(ep, 0, 0, 1, -1, 0)],
    ['getContext', SYS.GETMCONTEXT, (s, ep) => s.getContext(ep, 0)],
    ['setContext', SYS.SETMCONTEXT, (s, ep) => s.setContext(ep, 0)],
    ['getExtended', SYS.GETXCONTEXT, (s, ep) => s.getExtended(ep, 0)],
    ['setExtended', SYS.SETXCONTEXT, (s, ep) => s.setExtended(ep, 0, 1, 0)],
    ['ownText', SYS.OWNTEXT, (s, ep) => s.ownText(ep, true, 0)],
    ['trace', SYS.TRACE, (s, ep) => s.trace(ep, T.STOP)],
  ]
  test.each(rows)('%s needs its bit in the kernel-call mask, and is counted', (_, number, call) => {
    const k = new TestKernel()
    const none = k.server(EP.PM, {}, {}, { ...ALL, kernelCalls: [] })
    const one = k.server(EP.FS, {}, {}, { ...ALL, kernelCalls: [number] })
    const p = k.endpoint(k.process())
    expect(call(none, p)).toBe(-E.CALLDENIED)
    expect(call(one, p)).not.toBe(-E.CALLDENIED)
    expect(k.kernel.account(EP.PM).kernelCalls).toBe(1)
    expect(k.kernel.account(EP.FS).kernelCalls).toBe(1)
  })
  test('basic calls need none', () => {
    const k = new TestKernel()
    const sys = k.server(EP.PM, {}, {}, { ...ALL, kernelCalls: [] })
    const cpu = new Float64Array(2)
    const p = k.process()
    expect(sys.setalarm(5)).toBe(0)
    expect(sys.times(k.endpoint(p), cpu)).toBe(0)
    expect([...cpu]).toEqual([p, 2 * p])
    sys.random(sys.buffer, 4)
    expect([...sys.mem.subarray(sys.buffer, sys.buffer + 5)]).toEqual([7, 7, 7, 7, 0])
    sys.diag('hello')
    expect(k.log).toEqual(['hello'])
    expect(k.kernel.account(EP.PM).kernelCalls).toBe(4)
  })
  test('containers are asked by slot; ranges outside the arena are EFAULT', () => {
    const k = new TestKernel()
    const sys = k.server(EP.VM, {})
    const p = k.process()
    const ep = k.endpoint(p)
    sys.vmctl(ep, 1, 2, 3, 4, 5, 6, 7, 8)
    sys.sigsend(ep, 64)
    sys.trace(ep, T.STOP)
    sys.copyFrom(ep, 0x1000, 16, -1, 9)
    sys.copyTo(ep, 0x1000, 32, 16, 5, 9)
    sys.getContext(ep, 64)
    expect(k.container.asked).toEqual([
      ['vmctl', p, 1, 2, 3, 4, 5, 6, 7, 8],
      ['sigsend', p, 64],
      ['trace', p, T.STOP],
      ['errand', p, ERRAND.COPYIN, 0x1000, 16, 0, -1, EP.VM, 9],
      ['errand', p, ERRAND.COPYOUT, 0x1000, 16, 32, 5, EP.VM, 9],
      ['getContext', p, 64],
    ])
    expect(sys.copyTo(ep, 0x1000, 1 << 20, 1, -1, 0)).toBe(-E.FAULT)
    expect(sys.getContext(ep, (1 << 20) - 8)).toBe(-E.FAULT)
    expect(sys.setContext(ep, 4)).toBe(-E.FAULT)
    expect(sys.vmctl(EP.PM, 1, 0, 0, 0, 0, 0, -1, 0)).toBe(-E.DEADSRCDST)
    expect(sys.vmctl(EP.VM, 1, 0, 0, 0, 0, 0, -1, 0)).toBe(-E.PERM)
    k.kernel.setCpuTimes(p, 5, 6)
  })

  test('the end of an errand is a message to who asked, or to nobody', () => {
    const k = new TestKernel()
    const heard: number[][] = []
    k.server(EP.VM, { [COMMON_CALL.DONE]: (m, from) => heard.push([from, int(m, 0), int(m, 1), int(m, 2), high(m, 2)]) })
    k.kernel.done(EP.VM, 7, 16, 4096, 16)
    k.kernel.done(EP.VM, 8, -E.SRCH, 0, 0)
    k.kernel.done(NONE, 9, 0, 0, 0)
    k.kernel.run()
    expect(heard).toEqual([
      [EP.SYSTEM, 7, 16, 4096, 16],
      [EP.SYSTEM, 8, -E.SRCH, 0, 0],
    ])
  })

  const system = (k: TestKernel, p: number, type: number, ...cells: number[]) => {
    expect(k.ipc(p, IPC.SENDREC, EP.SYSTEM, type, ...cells)).toBe(0)
    return int(k.kernel.messageOf(p), 0)
  }
  test('as messages to SYSTEM, from a system process of its own', () => {
    const k = new TestKernel()
    const p = k.process(ALL)
    const q = k.process()
    const m = k.kernel.messageOf(p)
    expect(system(k, p, 0x6ff)).toBe(-E.BADREQUEST)
    expect(m[TYPE]).toBe(-E.BADREQUEST)
    expect(m[SOURCE]).toBe(EP.SYSTEM)
    expect(system(k, p, SYS.GETINFO, GET.WHOAMI)).toBe(k.endpoint(p))
    expect(system(k, p, SYS.GETINFO, GET.HZ)).toBe(100)
    expect(system(k, p, SYS.KILL, k.endpoint(q), 9)).toBe(0)
    expect(system(k, p, SYS.GETKSIG)).toBe(k.endpoint(q))
    expect(ulong(m, 1)).toBe(1 << 8)
    expect(system(k, p, SYS.RUNCTL, k.endpoint(q), RC.MARK)).toBe(0)
    expect(system(k, p, SYS.RUNCTL, k.endpoint(q), 9)).toBe(-E.INVAL)
    expect(system(k, p, SYS.TIMES, k.endpoint(q))).toBe(0)
    expect([int(m, 1), int(m, 2)]).toEqual([q * 1000, q * 2000])
    const child = system(k, p, SYS.FORK, k.endpoint(q), 17)
    expect(k.kernel.lookup(child)).toBeGreaterThan(q)
    expect(system(k, p, SYS.CLEAR, child)).toBe(0)
    expect(system(k, p, SYS.CREATE, 0)).toBeGreaterThan(0)
    expect(system(k, p, SYS.TRACE, k.endpoint(q), T.RESUME)).toBe(0)
    expect(system(k, p, SYS.SAFECOPYFROM, k.endpoint(q), 0x1000, 8, -1, 3)).toBe(0)
    expect(k.container.asked.at(-1)).toEqual(['errand', q, ERRAND.COPYIN, 0x1000, 8, 0, -1, k.endpoint(p), 3])
    expect(system(k, p, SYS.GETXCONTEXT, k.endpoint(q), 4)).toBe(0)
    expect(system(k, p, SYS.OWNTEXT, k.endpoint(q), 1, 5)).toBe(0)
    expect(k.container.asked.at(-1)).toEqual(['errand', q, ERRAND.TEXT, 1, 0, 0, -1, k.endpoint(p), 5])
    expect(system(k, p, SYS.VMCTL, k.endpoint(q), 1, 2, 3, 4, -1, 5)).toBe(0)
    expect(k.container.asked.at(-1)).toEqual(['vmctl', q, 1, 2, 3, 4, 0, 0, -1, 5])
    expect(system(k, p, SYS.SETTIME, 5_000_000)).toBe(0)
    expect(k.kernel.clock.realtime()).toBe(5_000_000)
    const guest = k.process()
    k.fill(guest, SYS.GETINFO, GET.HZ)
    expect(k.kernel.call(guest, SLOT.SYSTEM)).toBe(-E.CALLDENIED)
  })
  test('grants of a message: checked against the arena and SETGRANT', () => {
    const k = new TestKernel()
    const p = k.process(ALL)
    const m = k.kernel.messageOf(p)
    const info = (what: number, at: number, bytes: number) => {
      k.fill(p, SYS.GETINFO, what)
      setGrant(m, 1, at, bytes)
      k.kernel.ipc(p, IPC.SENDREC, EP.SYSTEM)
      return int(m, 0)
    }
    const view = new DataView(k.arena)
    expect(info(GET.PROCTAB, 4096, 10 * PROC_ENTRY.BYTES)).toBe(1)
    expect(view.getInt32(4096 + PROC_ENTRY.ENDPOINT, true)).toBe(k.endpoint(p))
    expect(info(GET.PROCTAB, 4096, PROC_ENTRY.BYTES - 1)).toBe(0)
    expect(info(GET.PROC, 4096, PROC_ENTRY.BYTES)).toBe(1)
    expect(view.getFloat64(4096 + PROC_ENTRY.CALLS, true)).toBe(3)
    expect(info(GET.RANDOMNESS, 0, 8)).toBe(8)
    expect(info(99, 0, 8)).toBe(-E.INVAL)
    expect(info(GET.RANDOMNESS, 1 << 20, 8)).toBe(-E.FAULT)
    expect(info(GET.RANDOMNESS, 0, -1)).toBe(-E.FAULT)
    expect(system(k, p, SYS.SETGRANT, 4096, 64)).toBe(0)
    expect(system(k, p, SYS.SETGRANT, 1 << 20, 64)).toBe(-E.FAULT)
    expect(info(GET.RANDOMNESS, 4096, 64)).toBe(64)
    expect(info(GET.RANDOMNESS, 4095, 8)).toBe(-E.FAULT)
    expect(info(GET.RANDOMNESS, 4096, 65)).toBe(-E.FAULT)
    k.fill(p, SYS.DIAGCTL)
    new Uint8Array(k.arena).set([104, 105], 4096)
    setGrant(m, 0, 4096, 2)
    k.kernel.ipc(p, IPC.SENDREC, EP.SYSTEM)
    expect(k.log).toEqual(['hi'])
    k.fill(p, SYS.GETMCONTEXT, k.endpoint(p))
    setGrant(m, 1, 4096, 16)
    k.kernel.ipc(p, IPC.SENDREC, EP.SYSTEM)
    expect(int(m, 0)).toBe(-E.FAULT)
    expect(system(k, p, SYS.SETGRANT, 4096, 4096)).toBe(0)
    k.fill(p, SYS.GETMCONTEXT, k.endpoint(p))
    setGrant(m, 1, 4096, CONTEXT.BYTES)
    k.kernel.ipc(p, IPC.SENDREC, EP.SYSTEM)
    expect(k.container.asked).toEqual([['getContext', p, 4096]])
  })
  test('PRIVCTL makes a system process, and a user again', () => {
    const { k } = withPm()
    const boss = k.process(ALL)
    const p = k.process()
    const view = new DataView(k.arena)
    const privctl = (request: number, bytes: number = PRIV_RECORD.BYTES) => {
      const m = k.fill(boss, SYS.PRIVCTL, k.endpoint(p), request)
      setGrant(m, 2, 4096, bytes)
      k.kernel.ipc(boss, IPC.SENDREC, EP.SYSTEM)
      return int(m, 0)
    }
    expect(privctl(SYS_PRIV.UPDATE_SYS)).toBe(-E.INVAL)
    expect(privctl(SYS_PRIV.SET_SYS, 8)).toBe(-E.FAULT)
    expect(privctl(77)).toBe(-E.INVAL)
    view.setInt32(4096 + PRIV_RECORD.TRAPS, TRAPS.SERVER, true)
    view.setInt32(4096 + PRIV_RECORD.IPC_TO, 1 << (EP.SYSTEM + 5), true)
    expect(privctl(SYS_PRIV.SET_SYS)).toBe(0)
    expect(k.ipc(p, IPC.NOTIFY, EP.PM)).toBe(-E.CALLDENIED)
    expect(system(k, p, SYS.GETINFO, GET.HZ)).toBe(100)
    expect(system(k, p, SYS.CLEAR, k.endpoint(p))).toBe(-E.CALLDENIED)
    view.setInt32(4096 + PRIV_RECORD.IPC_TO, -1, true)
    expect(privctl(SYS_PRIV.UPDATE_SYS)).toBe(0)
    expect(k.ipc(p, IPC.NOTIFY, EP.PM)).toBe(0)
    expect(privctl(SYS_PRIV.SET_USER)).toBe(0)
    expect(k.ipc(p, IPC.NOTIFY, EP.PM)).toBe(-E.TRAPDENIED)
  })
  test('privilege structures run out with ENOSPC and come back', () => {
    const k = new TestKernel()
    const made: number[] = []
    for (let i = 0; i < 64 - FIRST_GUEST - 5; i++) made.push(k.endpoint(k.process(ALL)))
    const one = k.process()
    expect(k.kernel.setPrivileges(one, ALL)).toBe(-E.NOSPC)
    k.kernel.clear(made[0])
    expect(k.kernel.setPrivileges(one, ALL)).toBe(0)
  })
})

test('messages are counted: request and answer, both ends', () => {
  const { k, sys } = withPm()
  const p = k.process()
  k.call(p, SLOT.PM, ECHO)
  k.call(p, SLOT.PM, WAIT)
  expect(k.kernel.account(p)).toEqual({ processes: 1, sent: 2, received: 1, kernelCalls: 0 })
  sys.reply(k.endpoint(p), 0)
  expect(k.kernel.account(p).received).toBe(2)
  expect(k.kernel.account(EP.PM)).toEqual({ processes: 1, sent: 2, received: 2, kernelCalls: 0 })
  const m = message()
  m[TYPE] = ECHO
  expect(sys.sendrec(EP.FS, m)).toBe(-E.DEADSRCDST)
})
