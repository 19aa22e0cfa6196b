// Rendezvous between processes: every row is a script of traps with what each answers, and what completes for those who waited.
import { describe, expect, test } from 'vitest'
import { E } from '../src/abi/errno.ts'
import { IPC, NON_BLOCKING, TRAPS } from '../src/abi/ipc.ts'
import {
  ANY,
  EP,
  FIRST_GUEST,
  int,
  makeEndpoint,
  NONE,
  NOTIFY_MESSAGE,
  SELF,
  SLOT,
  SOURCE,
  SUSPEND,
  TYPE,
} from '../src/abi/message.ts'
import { COMMON_CALL } from '../src/protocol/common.ts'
import { ALL, make, TestKernel } from './support/kernel.ts'

const { SEND, RECEIVE, SENDREC, NOTIFY, SENDNB, SENDA } = IPC
type Who = 'a' | 'b' | 'c' | 'd'
/** [who, trap, partner, answer] or [who, 'done', result, value in cell 0 (-1: any)] for a wait that is over; 'idle' for one that isn't. */
type Step =
  | readonly [Who, number, Who | number, number]
  | readonly [Who, 'done', number, (Who | number)?]
  | readonly [Who, 'idle']
  | readonly [Who, 'end']

function play(steps: readonly Step[], k = new TestKernel()) {
  const procs: Record<Who, number> = { a: k.process(ALL), b: k.process(ALL), c: k.process(ALL), d: k.process(ALL) }
  const endpoints = Object.fromEntries(Object.entries(procs).map(([who, proc]) => [who, k.endpoint(proc)])) as Record<
    Who,
    number
  >
  const partner = (to: Who | number) => (typeof to === 'number' ? to : endpoints[to])
  steps.forEach((step, i) => {
    const [who, what, x, y] = step
    const proc = procs[who]
    const where = `step ${i}: ${step.join(' ')}`
    if (what === 'end') k.kernel.clear(k.endpoint(proc))
    else if (what === 'idle')
      expect(
        k.container.completed.filter(([slot]) => slot === proc),
        where,
      ).toEqual([])
    else if (what === 'done') {
      const at = k.container.completed.findIndex(([slot]) => slot === proc)
      expect(at, where).toBeGreaterThanOrEqual(0)
      expect(k.container.completed.splice(at, 1)[0][1], where).toBe(x)
      if (y !== undefined) expect(k.kernel.messageOf(proc)[SOURCE], where).toBe(partner(y))
    } else
      expect(
        k.ipc(proc, what, partner(x as Who | number), what === RECEIVE || what === (RECEIVE | NON_BLOCKING) ? 0 : 5, 7),
        where,
      ).toBe(y)
  })
  return { k, procs }
}

const rows: [name: string, steps: readonly Step[]][] = [
  [
    'the receiver comes first',
    [
      ['b', RECEIVE, ANY, SUSPEND],
      ['a', SEND, 'b', 0],
      ['b', 'done', 0, 'a'],
    ],
  ],
  [
    'the sender comes first',
    [
      ['a', SEND, 'b', SUSPEND],
      ['a', 'idle'],
      ['b', RECEIVE, ANY, 0],
      ['a', 'done', 0],
    ],
  ],
  [
    'senders queue in order of arrival',
    [
      ['c', SEND, 'a', SUSPEND],
      ['b', SEND, 'a', SUSPEND],
      ['d', SEND, 'a', SUSPEND],
      ['a', RECEIVE, ANY, 0],
      ['c', 'done', 0],
      ['a', RECEIVE, ANY, 0],
      ['b', 'done', 0],
      ['d', 'idle'],
      ['a', RECEIVE, ANY, 0],
      ['d', 'done', 0],
    ],
  ],
  [
    'receive from one passes over the others',
    [
      ['b', SEND, 'a', SUSPEND],
      ['c', SEND, 'a', SUSPEND],
      ['d', SEND, 'a', SUSPEND],
      ['a', RECEIVE, 'c', 0],
      ['c', 'done', 0],
      ['b', 'idle'],
      ['a', RECEIVE, 'd', 0],
      ['d', 'done', 0],
      ['a', RECEIVE, ANY, 0],
      ['b', 'done', 0],
    ],
  ],
  [
    'receive from one waits for that one',
    [
      ['a', RECEIVE, 'c', SUSPEND],
      ['b', SEND, 'a', SUSPEND],
      ['a', 'idle'],
      ['c', SEND, 'a', 0],
      ['a', 'done', 0, 'c'],
      ['b', 'idle'],
    ],
  ],
  [
    'sendrec: request and answer',
    [
      ['b', RECEIVE, ANY, SUSPEND],
      ['a', SENDREC, 'b', SUSPEND],
      ['b', 'done', 0, 'a'],
      ['a', 'idle'],
      ['b', SEND, 'a', 0],
      ['a', 'done', 0, 'b'],
    ],
  ],
  [
    'sendrec before the receiver is there',
    [
      ['a', SENDREC, 'b', SUSPEND],
      ['b', RECEIVE, ANY, 0],
      ['a', 'idle'],
      ['b', SENDNB, 'a', 0],
      ['a', 'done', 0, 'b'],
    ],
  ],
  [
    'who waits for an answer takes it from its partner alone',
    [
      ['a', SENDREC, 'b', SUSPEND],
      ['b', RECEIVE, ANY, 0],
      ['c', SENDNB, 'a', -E.NOTREADY],
      ['c', SEND, 'a', SUSPEND],
      ['a', 'idle'],
      ['b', SEND, 'a', 0],
      ['a', 'done', 0, 'b'],
      ['a', RECEIVE, ANY, 0],
      ['c', 'done', 0],
    ],
  ],
  [
    'sendnb, and the non-blocking flag',
    [
      ['a', SENDNB, 'b', -E.NOTREADY],
      ['a', SEND | NON_BLOCKING, 'b', -E.NOTREADY],
      ['b', RECEIVE | NON_BLOCKING, ANY, -E.NOTREADY],
      ['a', SENDREC | NON_BLOCKING, 'b', -E.NOTREADY],
      ['b', RECEIVE, 'a', SUSPEND],
      ['a', SENDNB, 'b', 0],
      ['b', 'done', 0, 'a'],
    ],
  ],
  [
    'notify never blocks, is kept, is one per source',
    [
      ['a', NOTIFY, 'b', 0],
      ['a', NOTIFY, 'b', 0],
      ['c', NOTIFY, 'b', 0],
      ['b', RECEIVE, ANY, 0],
      ['b', RECEIVE, ANY, 0],
      ['b', RECEIVE, ANY, SUSPEND],
      ['a', NOTIFY, 'b', 0],
      ['b', 'done', 0, 'a'],
    ],
  ],
  [
    'notifications come before messages, asynchronous before waiting ones',
    [
      ['a', SEND, 'd', SUSPEND],
      ['b', SENDA, 'd', 0],
      ['c', NOTIFY, 'd', 0],
      ['d', RECEIVE, ANY, 0],
      ['a', 'idle'],
      ['d', RECEIVE, ANY, 0],
      ['a', 'idle'],
      ['d', RECEIVE, ANY, 0],
      ['a', 'done', 0],
    ],
  ],
  [
    'a notification is no answer',
    [
      ['a', SENDREC, 'b', SUSPEND],
      ['b', RECEIVE, ANY, 0],
      ['b', NOTIFY, 'a', 0],
      ['a', 'idle'],
      ['b', SEND, 'a', 0],
      ['a', 'done', 0, 'b'],
      ['a', RECEIVE, 'b', 0],
    ],
  ],
  [
    "receive from one: its notification, not another's",
    [
      ['c', NOTIFY, 'a', 0],
      ['a', RECEIVE | NON_BLOCKING, 'b', -E.NOTREADY],
      ['a', RECEIVE, 'c', 0],
      ['a', RECEIVE | NON_BLOCKING, ANY, -E.NOTREADY],
    ],
  ],
  [
    'senda is kept in order, and picked by source',
    [
      ['a', SENDA, 'c', 0],
      ['b', SENDA, 'c', 0],
      ['a', SENDA, 'c', 0],
      ['c', RECEIVE, 'b', 0],
      ['c', RECEIVE, 'a', 0],
      ['c', RECEIVE, ANY, 0],
      ['c', RECEIVE, ANY, SUSPEND],
      ['b', SENDA, 'c', 0],
      ['c', 'done', 0, 'b'],
    ],
  ],
  [
    'a blocked process makes no trap',
    [
      ['a', RECEIVE, ANY, SUSPEND],
      ['a', SEND, 'b', -E.BADCALL],
    ],
  ],

  [
    'deadlock: both send',
    [
      ['a', SEND, 'b', SUSPEND],
      ['b', SEND, 'a', -E.LOCKED],
      ['b', SENDREC, 'a', -E.LOCKED],
      ['b', RECEIVE, 'a', 0],
      ['a', 'done', 0],
    ],
  ],
  [
    'deadlock: both receive',
    [
      ['a', RECEIVE, 'b', SUSPEND],
      ['b', RECEIVE, 'a', -E.LOCKED],
      ['b', SEND, 'a', 0],
      ['a', 'done', 0],
    ],
  ],
  [
    'two: one sends, the other receives, is none',
    [
      ['a', SENDREC, 'b', SUSPEND],
      ['b', RECEIVE, 'a', 0],
      ['b', RECEIVE, 'a', -E.LOCKED],
      ['b', SENDREC, 'a', SUSPEND],
      ['a', 'done', 0],
    ],
  ],
  [
    'deadlock: three',
    [
      ['a', SEND, 'b', SUSPEND],
      ['b', SEND, 'c', SUSPEND],
      ['c', SEND, 'a', -E.LOCKED],
      ['c', RECEIVE, 'a', -E.LOCKED],
      ['c', RECEIVE, 'b', 0],
      ['b', 'done', 0],
    ],
  ],
  [
    'deadlock: four, mixed',
    [
      ['a', RECEIVE, 'b', SUSPEND],
      ['b', SENDREC, 'c', SUSPEND],
      ['c', RECEIVE, 'd', SUSPEND],
      ['d', SENDREC, 'a', -E.LOCKED],
      ['d', SEND, 'c', 0],
      ['c', 'done', 0],
    ],
  ],
  [
    'no deadlock: the chain ends at one who receives from anybody',
    [
      ['a', SEND, 'b', SUSPEND],
      ['b', RECEIVE, 'c', SUSPEND],
      ['c', RECEIVE, ANY, SUSPEND],
      ['d', SEND, 'a', SUSPEND],
    ],
  ],
  [
    'oneself',
    [
      ['a', SEND, 'a', -E.LOCKED],
      ['a', RECEIVE, 'a', -E.LOCKED],
      ['a', SENDREC, SELF, -E.LOCKED],
      ['a', SENDNB, SELF, -E.NOTREADY],
    ],
  ],
  [
    "non-blocking ones can't lock",
    [
      ['a', SEND, 'b', SUSPEND],
      ['b', SENDNB, 'a', -E.NOTREADY],
      ['b', NOTIFY, 'a', 0],
    ],
  ],

  [
    'ends: those who send to it',
    [
      ['a', SEND, 'b', SUSPEND],
      ['c', SENDREC, 'b', SUSPEND],
      ['b', 'end'],
      ['a', 'done', -E.DEADSRCDST],
      ['c', 'done', -E.DEADSRCDST],
      ['a', SEND, 'b', -E.DEADSRCDST],
    ],
  ],
  [
    'ends: those who wait for it',
    [
      ['a', RECEIVE, 'b', SUSPEND],
      ['c', RECEIVE, ANY, SUSPEND],
      ['b', 'end'],
      ['a', 'done', -E.DEADSRCDST],
      ['c', 'idle'],
    ],
  ],
  [
    'ends: what it left behind',
    [
      ['b', NOTIFY, 'a', 0],
      ['b', SENDA, 'a', 0],
      ['b', SEND, 'c', SUSPEND],
      ['b', 'end'],
      ['a', RECEIVE | NON_BLOCKING, ANY, -E.NOTREADY],
      ['c', RECEIVE | NON_BLOCKING, ANY, -E.NOTREADY],
    ],
  ],
  [
    'ends: in the middle of a queue',
    [
      ['a', SEND, 'd', SUSPEND],
      ['b', SEND, 'd', SUSPEND],
      ['c', SEND, 'd', SUSPEND],
      ['b', 'end'],
      ['d', RECEIVE, ANY, 0],
      ['a', 'done', 0],
      ['d', RECEIVE, ANY, 0],
      ['c', 'done', 0],
    ],
  ],
  [
    'ends: at the end of a queue',
    [
      ['a', SEND, 'd', SUSPEND],
      ['b', SEND, 'd', SUSPEND],
      ['b', 'end'],
      ['c', SEND, 'd', SUSPEND],
      ['d', RECEIVE, ANY, 0],
      ['a', 'done', 0],
      ['d', RECEIVE, ANY, 0],
      ['c', 'done', 0],
    ],
  ],

  [
    'partners there are not',
    [
      ['a', SEND, makeEndpoint(9, 33), -E.DEADSRCDST],
      ['a', SEND, NONE, -E.DEADSRCDST],
      ['a', SEND, ANY, -E.DEADSRCDST],
      ['a', RECEIVE, NONE, -E.DEADSRCDST],
      ['a', NOTIFY, 40, -E.DEADSRCDST],
      ['a', SEND, -1000, -E.DEADSRCDST],
      ['a', SEND, 0x7fff_ffff, -E.DEADSRCDST],
      ['a', SEND, EP.PM, -E.DEADSRCDST],
    ],
  ],
  [
    'tasks take SENDREC only',
    [
      ['a', SEND, EP.SYSTEM, -E.TRAPDENIED],
      ['a', NOTIFY, EP.CLOCK, -E.TRAPDENIED],
      ['a', SENDA, EP.SYSTEM, -E.TRAPDENIED],
      ['a', RECEIVE, EP.CLOCK, SUSPEND],
    ],
  ],
  [
    'functions there are not',
    [
      ['a', 6, 'b', -E.TRAPDENIED],
      ['a', 99, 'b', -E.TRAPDENIED],
      ['a', 0, 'b', -E.TRAPDENIED],
    ],
  ],
]

describe('rendezvous', () => {
  test.each(rows)('%s', (_, steps) => {
    play(steps)
  })
  test("the message arrives whole, with its source; the sender's is left", () => {
    const { k, procs } = play([
      ['b', RECEIVE, ANY, SUSPEND],
      ['a', SEND, 'b', 0],
    ])
    const m = k.kernel.messageOf(procs.b)
    expect([m[SOURCE], m[TYPE], int(m, 0)]).toEqual([k.endpoint(procs.a), 5, 7])
  })
  test('messages to a server: its handler runs; SENDREC gets the reply in its message', () => {
    const k = new TestKernel()
    const got: number[] = []
    const pm = k.server(EP.PM, { 1: m => got.push(int(m, 0)), 2: m => int(m, 0) * 2, 3: () => SUSPEND })
    const p = k.process(ALL)
    const m = k.kernel.messageOf(p)
    expect(k.ipc(p, SEND, EP.PM, 1, 11)).toBe(0)
    expect(k.ipc(p, SENDNB, EP.PM, 1, 12)).toBe(0)
    expect(got).toEqual([11, 12])
    expect(k.ipc(p, SENDREC, EP.PM, 2, 21)).toBe(0)
    expect([m[SOURCE], m[TYPE], int(m, 0)]).toEqual([EP.PM, 0, 42])
    k.ipc(p, SENDREC, EP.PM, 9)
    expect(m[TYPE]).toBe(-E.NOSYS)
    expect(k.ipc(p, SENDREC, EP.PM, 3, 5, 5, 5)).toBe(SUSPEND)
    pm.reply(k.endpoint(p), -E.IO)
    expect(k.container.completed).toEqual([[p, 0]])
    expect(Array.from(m)).toEqual([EP.PM, -E.IO, -E.IO, -1, ...new Array(12).fill(0)])
  })
  test('what was on its way to a process does not reach the next one in its slot', () => {
    const k = new TestKernel({ procs: FIRST_GUEST + 2 })
    const [a, b] = [k.process(ALL), k.process(ALL)]
    k.ipc(a, SENDA, k.endpoint(b), 5)
    k.ipc(a, NOTIFY, k.endpoint(b))
    k.kernel.clear(k.endpoint(b))
    k.kernel.run()
    expect(k.process(ALL)).toBe(b)
    expect(k.ipc(b, RECEIVE | NON_BLOCKING, ANY)).toBe(-E.NOTREADY)
  })
  test('a notification says who and when', () => {
    const { k, procs } = play([['a', NOTIFY, 'b', 0]])
    k.now = 500
    k.ipc(procs.b, RECEIVE, ANY)
    const m = k.kernel.messageOf(procs.b)
    expect([m[SOURCE], m[TYPE], int(m, 0), int(m, 1)]).toEqual([k.endpoint(procs.a), NOTIFY_MESSAGE + procs.a, 0, 50])
  })
  test('a server that is a process: a guest calls it by slot, and it answers', () => {
    const k = new TestKernel()
    const server = k.process(ALL)
    const guest = k.process()
    k.kernel.setSlot(0, SLOT.PARENT, k.endpoint(server))
    expect(k.ipc(server, RECEIVE, ANY)).toBe(SUSPEND)
    expect(k.call(guest, SLOT.PARENT, 5, 6)).toBe(SUSPEND)
    expect(k.container.completed).toEqual([[server, 0]])
    expect(k.ipc(server, SEND, k.endpoint(guest), 0, 99)).toBe(0)
    expect(k.container.completed.at(-1)).toEqual([guest, 99])
    expect(int(k.kernel.messageOf(guest), 0)).toBe(6) // as sent
    expect(k.call(guest, SLOT.PARENT, 5)).toBe(SUSPEND) // now it queues
    expect(k.ipc(server, RECEIVE, ANY)).toBe(0)
    expect(k.ipc(server, SENDA, k.endpoint(guest), -E.ACCES)).toBe(0)
    expect(k.container.completed.at(-1)).toEqual([guest, -E.ACCES])
    // and is told when a call of its shall end
    expect(k.call(guest, SLOT.PARENT, 5)).toBe(SUSPEND)
    k.ipc(server, RECEIVE, ANY)
    k.ipc(server, RECEIVE, ANY)
    k.kernel.interrupt(guest)
    const m = k.kernel.messageOf(server)
    expect([m[SOURCE], m[TYPE], int(m, 0)]).toEqual([EP.SYSTEM, COMMON_CALL.CANCEL, k.endpoint(guest)])
    k.ipc(server, SEND, k.endpoint(guest), -E.INTR)
    expect(k.container.completed.at(-1)).toEqual([guest, -E.INTR])
  })
  test('interruption ends the waits of a process', () => {
    for (const [op, partner] of [
      [RECEIVE, ANY],
      [SEND, 'b'],
      [SENDREC, 'b'],
    ] as const) {
      const { k, procs } = play([['a', op, partner, SUSPEND]])
      k.kernel.interrupt(procs.a)
      expect(k.container.completed).toEqual([[procs.a, -E.INTR]])
      expect(k.ipc(procs.b, RECEIVE | NON_BLOCKING, ANY)).toBe(-E.NOTREADY)
    }
  })
  test('guests have no traps but SENDREC, no partner but servers', () => {
    const k = new TestKernel()
    k.server(EP.PM, { 1: () => 3 })
    const [p, q] = [k.process(), k.process()]
    for (const op of [SEND, RECEIVE, NOTIFY, SENDNB, SENDA]) expect(k.ipc(p, op, EP.PM, 1)).toBe(-E.TRAPDENIED)
    expect(k.ipc(p, SENDREC, k.endpoint(q), 1)).toBe(-E.CALLDENIED)
    expect(k.ipc(p, SENDREC, EP.PM, 1)).toBe(0)
    expect(int(k.kernel.messageOf(p), 0)).toBe(3)
  })
  const table: [name: string, traps: number, to: readonly number[] | 'all', op: number, result: number][] = [
    ['dead partner before trap mask', 0, [], SEND, -E.DEADSRCDST],
    ['trap mask before destination', TRAPS.GUEST, [], SEND, -E.TRAPDENIED],
    ['destination before deadlock', TRAPS.SERVER, [], SEND, -E.CALLDENIED],
    ['deadlock before function', -1, 'all', SEND, -E.LOCKED],
    ['function last', -1, 'all', 6, -E.BADCALL],
  ]
  test.each(table)('order of checks: %s', (name, traps, ipcTo, op, result) => {
    const k = new TestKernel()
    const other = k.process(ALL)
    const p = k.process({ traps, ipcTo, kernelCalls: [] })
    k.ipc(other, SENDREC, k.endpoint(p), 1) // who sends to it now waits in a circle
    const to = name.startsWith('dead partner') ? makeEndpoint(99, other) : k.endpoint(other)
    expect(k.ipc(p, op, to, 1)).toBe(result)
  })
  test('a shared structure has no notification bit', () => {
    const k = new TestKernel({ guestPrivileges: { traps: TRAPS.SERVER, ipcTo: 'all', kernelCalls: [] } })
    const [p, q] = [k.process(), k.process()]
    expect(k.ipc(p, NOTIFY, k.endpoint(q))).toBe(-E.TRAPDENIED)
    expect(k.ipc(p, SENDA, k.endpoint(q), 1)).toBe(0)
  })
  test('a sender blocked on a busy server gets its turn in run()', () => {
    const k = new TestKernel()
    const p = k.process(ALL)
    const q = k.process()
    const got: number[] = []
    k.server(EP.PM, {
      1: () => {
        expect(k.ipc(p, SEND, EP.PM, 2, 1)).toBe(SUSPEND)
        expect(k.call(q, SLOT.PM, 3, 4)).toBe(SUSPEND)
        return 0
      },
      2: m => got.push(int(m, 0)),
      3: m => int(m, 0),
    })
    k.kernel.setSlot(0, SLOT.PM, EP.PM)
    k.server(EP.FS, {}).sendrec(EP.PM, make(1))
    expect(k.container.completed).toEqual([])
    k.kernel.run()
    expect(got).toEqual([1])
    expect(k.container.completed).toEqual([
      [p, 0],
      [q, 4],
    ])
  })
})
