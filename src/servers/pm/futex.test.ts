// Futexes, and the end of threads, which they are told by.
import { describe, expect, test } from 'vitest'
import { CLONE } from '../../abi/clone.ts'
import { E } from '../../abi/errno.ts'
import { EP, setLong, SUSPEND, ulong } from '../../abi/message.ts'
import { SIG } from '../../abi/signals.ts'
import { ASK, PM } from '../../protocol/pm.ts'
import { VM } from '../../protocol/vm.ts'
import { Fixture } from './fixture.ts'

const H = 0x400000
const [WAIT, WAKE, REQUEUE, CMP_REQUEUE, WAIT_BITSET, WAKE_BITSET, PRIVATE] = [0, 1, 3, 4, 9, 10, 128]
const THREAD = CLONE.VM | CLONE.FS | CLONE.FILES | CLONE.SIGHAND | CLONE.THREAD | CLONE.SYSVSEM
const WORD = 0x1000
const OTHER = 0x2000

function start(): [f: Fixture, a: number] {
  const f = new Fixture()
  return [f, f.spawn()]
}
/** The leader and n more threads. */
function threads(n: number, flags = THREAD): [f: Fixture, ...endpoints: number[]] {
  const [f, a] = start()
  return [f, a, ...Array.from({ length: n }, () => f.fork(a, flags)[0])]
}
function futex(f: Fixture, from: number, op: number, address = WORD, value = 0, more: number | null = null, other = 0, bits = 0): number {
  return f.call(PM.FUTEX, from, address, op, value, more, other, bits)
}

describe('waiting and waking', () => {
  test('a timeout', () => {
    const [f, a] = start()
    expect(f.call(PM.FUTEX, a, WORD, WAIT | PRIVATE, 5, f.timespec(1), 0, 0)).toBe(SUSPEND)
    f.sys.advance(1000)
    expect(f.sys.replyTo(a)).toBe(-E.TIMEDOUT)
    expect(futex(f, a, WAKE, WORD, 1)).toBe(0)
    expect(f.call(PM.FUTEX, a, WORD, WAIT_BITSET, 5, f.timespec(0), 0, 1)).toBe(-E.TIMEDOUT)
  })
  test('a signal', () => {
    const [f, a] = start()
    f.action(a, SIG.USR1, H)
    futex(f, a, WAIT | PRIVATE)
    f.kill(a, 2, SIG.USR1)
    expect(f.sys.replyTo(a)).toBe(-E.RESTARTSYS)
    expect(futex(f, a, WAKE | PRIVATE, WORD, 1)).toBe(0)
  })
  test('first come, first woken', () => {
    const [f, a, b, c, d] = threads(3)
    for (const t of [c, b, d]) expect(futex(f, t, WAIT | PRIVATE)).toBe(SUSPEND)
    expect(futex(f, a, WAKE | PRIVATE, OTHER, 9)).toBe(0)
    expect(futex(f, a, WAKE | PRIVATE, WORD, 2)).toBe(2)
    expect([b, c, d].map(t => f.sys.replyTo(t))).toEqual([0, 0, undefined])
  })
  test('bits', () => {
    const [f, a, b] = threads(1)
    expect(futex(f, a, WAIT_BITSET)).toBe(-E.INVAL)
    futex(f, b, WAIT_BITSET | PRIVATE, WORD, 0, null, 0, 6)
    expect(futex(f, a, WAKE_BITSET | PRIVATE, WORD, 1, null, 0, 1)).toBe(0)
    expect(futex(f, a, WAKE_BITSET | PRIVATE, WORD, 1, null, 0, 2)).toBe(1)
  })
  test('requeueing', () => {
    const [f, a, ...rest] = threads(4)
    for (const t of rest) futex(f, t, WAIT | PRIVATE)
    expect(futex(f, a, CMP_REQUEUE | PRIVATE, WORD, 1, 2, OTHER)).toBe(3)
    expect(futex(f, a, WAKE | PRIVATE, WORD, 9)).toBe(1)
    expect(futex(f, a, REQUEUE | PRIVATE, OTHER, 0, 1, WORD)).toBe(1)
    expect(futex(f, a, WAKE | PRIVATE, OTHER, 9)).toBe(1)
    expect(futex(f, a, WAKE | PRIVATE, WORD, 9)).toBe(1)
    expect(futex(f, a, REQUEUE, WORD, -1, 1, OTHER)).toBe(-E.INVAL)
  })
  test('what is refused', () => {
    const [f, a] = start()
    expect(futex(f, a, WAKE, WORD + 1)).toBe(-E.INVAL)
    expect(futex(f, a, WAKE, 0x7ffffffff000)).toBe(-E.FAULT)
    for (const op of [5, 6, 11, 99, WAIT | 256]) expect(futex(f, a, op)).toBe(-E.NOSYS)
  })
})

describe('whose word', () => {
  test('the same address elsewhere is another word', () => {
    const [f, a] = start()
    const [b] = f.fork(a)
    futex(f, a, WAIT)
    expect(futex(f, b, WAKE, WORD, 9)).toBe(0)
    expect(futex(f, b, WAKE | PRIVATE, WORD, 9)).toBe(0)
  })
  test('a vfork child lives in its parent', () => {
    const [f, a, b] = threads(1)
    const [child] = f.fork(a, CLONE.VM | CLONE.VFORK | 17)
    futex(f, b, WAIT | PRIVATE)
    expect(futex(f, child, WAKE | PRIVATE, WORD, 9)).toBe(1)
  })
  test('shared memory, at different addresses', () => {
    const [f, a] = start()
    const [b] = f.fork(a)
    f.sys.stub(EP.VM, {
      [VM.OBJECT]: m => {
        for (const [k, v] of [[1, 0], [2, 77], [3, 64]] as const) setLong(m, k, v)
        return 1
      },
    })
    futex(f, a, WAIT)
    expect(futex(f, b, WAKE | PRIVATE, WORD, 9)).toBe(0)
    expect(futex(f, b, WAKE, OTHER, 9)).toBe(1)
  })
})

describe('the end of a thread', () => {
  const TID = 0x3000
  function joinable(): [f: Fixture, a: number, b: number] {
    const [f, a] = start()
    const b = f.sys.call(PM.FORK, a, [THREAD | CLONE.CHILD_CLEARTID, 0, null, TID, 0])
    return [f, a, b > 0 ? a + 1 : -1]
  }
  test('its word is cleared by the container, then who joins is woken', () => {
    const [f, a, b] = joinable()
    futex(f, a, WAIT, TID)
    expect(f.call(PM.EXIT_THREAD, b, 0)).toBe(ASK.LAST_WORDS)
    const m = f.sys.message(PM.LASTWORDS, [null])
    expect(f.sys.deliver(m, b)).toBe(ASK.LAST_WORDS)
    expect([ulong(m, 1), ulong(m, 2)]).toEqual([TID, 0])
    expect(f.sys.replyTo(a)).toBe(undefined)
    expect(f.call(PM.LASTWORDS, b, null)).toBe(SUSPEND)
    expect(f.sys.replyTo(a)).toBe(0)
    expect(f.cleared(b)).toBe(true)
  })
  test('without a word it just ends; the last one ends the process, with its leader’s status', () => {
    const [f, a, b] = threads(1)
    const [child] = f.fork(a)
    const [thread] = f.fork(child, THREAD)
    expect(f.call(PM.EXIT_THREAD, b, 1)).toBe(SUSPEND)
    f.call(PM.EXIT_THREAD, child, 3)
    expect(f.wait(a, -1, 1).result).toBe(0)
    f.call(PM.EXIT_THREAD, thread, 4)
    const { status } = f.wait(a)
    expect(f.int(status)).toBe(0x300)
  })
})
