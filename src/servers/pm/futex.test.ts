// Futexes, and the end of threads, which they are told by.
import { describe, expect, test } from 'vitest'
import { CLONE } from '../../abi/clone.ts'
import { E } from '../../abi/errno.ts'
import { EP, type Message, setLong, SUSPEND, ulong } from '../../abi/message.ts'
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
    for (const op of [2, 14, 99]) expect(futex(f, a, op)).toBe(-E.NOSYS)
  })
})

describe('locks', () => {
  const [LOCK, UNLOCK, TRYLOCK, WAIT_REQUEUE, CMP_REQUEUE_PI] = [6, 7, 8, 11, 12]
  const WAITERS = 0x80000000
  /** Words of guest memory, changed as the container does it. */
  class Memory {
    readonly words = new Map<number, number>()
    readonly tids: number[]
    constructor(
      readonly f: Fixture,
      readonly threads: number[],
    ) {
      this.tids = threads.map(t => f.call(PM.GETTID, t))
    }
    word(address = WORD): number {
      return this.words.get(address) ?? 0
    }
    /** A call of thread k and the steps it asks for, but for the last `short` ones. */
    call(k: number, op: number, address = WORD, value = 0, more: number | null = null, other = 0): number {
      const m = this.f.sys.message(PM.FUTEX, [address, op | PRIVATE, value, more, other, 0])
      return this.steps(k, this.f.sys.deliver(m, this.threads[k] as number), m)
    }
    steps(k: number, result: number, m: Message): number {
      let r = result
      while (r === ASK.FUTEX) {
        const next = this.f.sys.message(PM.FUTEXSTEP, [this.swap(m), 0])
        r = this.f.sys.deliver(next, this.threads[k] as number)
        m = next
      }
      return r
    }
    swap(m: Message): number {
      const [address, expected, value] = [ulong(m, 1), ulong(m, 2), ulong(m, 3)]
      const found = this.word(address)
      if (found === expected) this.words.set(address, value)
      return found
    }
    /** A lock came late: thread k goes on with it. */
    goOn(k: number): number {
      expect(this.f.sys.replyTo(this.threads[k] as number)).toBe(ASK.FUTEX)
      const m = this.f.sys.message(PM.FUTEXSTEP, [0, 1])
      return this.steps(k, this.f.sys.deliver(m, this.threads[k] as number), m)
    }
  }
  function memory(n: number): Memory {
    const [f, ...all] = threads(n)
    return new Memory(f, all)
  }
  test('are taken, and given to who came first', () => {
    const m = memory(2)
    expect(m.call(0, LOCK)).toBe(0)
    expect(m.word()).toBe(m.tids[0])
    expect(m.call(0, LOCK)).toBe(-E.DEADLK)
    expect(m.call(1, TRYLOCK)).toBe(-E.AGAIN)
    expect(m.call(1, LOCK)).toBe(SUSPEND)
    expect(m.call(2, LOCK)).toBe(SUSPEND)
    expect(m.call(1, WAKE)).toBe(-E.INVAL)
    expect(m.call(2, UNLOCK)).toBe(-E.PERM)
    expect(m.call(0, UNLOCK)).toBe(0)
    expect([m.f.sys.replyTo(m.threads[1] as number), m.f.sys.replyTo(m.threads[2] as number)]).toEqual([0, undefined])
    expect(m.word()).toBe(((m.tids[1] as number) | WAITERS) >>> 0)
  })
  test('an unlocking while a waiter marks the word is not lost', () => {
    const m = memory(1)
    m.call(0, LOCK)
    const wait = m.f.sys.message(PM.FUTEX, [WORD, LOCK | PRIVATE, 0, null, 0, 0])
    expect(m.f.sys.deliver(wait, m.threads[1] as number)).toBe(ASK.FUTEX)
    const mark = m.f.sys.message(PM.FUTEXSTEP, [m.swap(wait), 0])
    expect(m.f.sys.deliver(mark, m.threads[1] as number)).toBe(ASK.FUTEX)
    const marked = m.swap(mark)
    expect(m.call(0, UNLOCK)).toBe(0) // before PM hears of the mark
    const late = m.f.sys.message(PM.FUTEXSTEP, [marked, 0])
    expect(m.steps(1, m.f.sys.deliver(late, m.threads[1] as number), late)).toBe(0)
    expect(m.word()).toBe(m.tids[1])
  })
  test('of a thread that ends go to who waits, marked', () => {
    const m = memory(3)
    m.call(1, LOCK)
    expect(m.call(2, LOCK)).toBe(SUSPEND)
    expect(m.call(3, LOCK)).toBe(SUSPEND)
    m.f.call(PM.EXIT_THREAD, m.threads[1] as number, 0)
    expect(m.goOn(2)).toBe(0)
    expect(m.word()).toBe(((m.tids[2] as number) | WAITERS | 0x40000000) >>> 0)
    m.f.call(PM.EXIT_THREAD, m.threads[2] as number, 0)
    expect(m.goOn(3)).toBe(0)
  })
  test('whom an unlocker has chosen, and who ends, is passed over', () => {
    const m = memory(2)
    m.call(0, LOCK)
    m.call(1, LOCK)
    m.call(2, LOCK)
    const unlock = m.f.sys.message(PM.FUTEX, [WORD, UNLOCK | PRIVATE, 0, null, 0, 0])
    expect(m.f.sys.deliver(unlock, m.threads[0] as number)).toBe(ASK.FUTEX)
    m.f.call(PM.EXIT_THREAD, m.threads[1] as number, 0)
    expect(m.steps(0, ASK.FUTEX, unlock)).toBe(0)
    expect(m.f.sys.replyTo(m.threads[2] as number)).toBe(0)
    expect(m.word() & 0xffff).toBe(m.tids[2])
  })
  test('a circle is refused', () => {
    const m = memory(1)
    m.call(0, LOCK)
    m.call(1, LOCK, OTHER)
    expect(m.call(0, LOCK, OTHER)).toBe(SUSPEND)
    expect(m.call(1, LOCK)).toBe(-E.DEADLK)
  })
  test('waits requeued to one', () => {
    const m = memory(3)
    for (const k of [1, 2, 3]) expect(m.call(k, WAIT_REQUEUE, OTHER, 0, null, WORD)).toBe(SUSPEND)
    expect(m.call(0, WAKE, OTHER, 1)).toBe(-E.INVAL)
    expect(m.call(0, CMP_REQUEUE_PI, OTHER, 2, 1, WORD)).toBe(-E.INVAL)
    expect(m.call(0, CMP_REQUEUE_PI, OTHER, 1, 1, WORD)).toBe(2) // one has it, one waits for it, one is left
    expect([1, 2, 3].map(k => m.f.sys.replyTo(m.threads[k] as number))).toEqual([0, undefined, undefined])
    expect(m.word()).toBe(((m.tids[1] as number) | WAITERS) >>> 0)
    m.f.action(m.threads[0] as number, SIG.USR1, H)
    m.f.call(PM.TKILL, m.threads[0] as number, m.tids[2] as number, SIG.USR1)
    m.f.call(PM.TKILL, m.threads[0] as number, m.tids[3] as number, SIG.USR1)
    expect([2, 3].map(k => m.f.sys.replyTo(m.threads[k] as number))).toEqual([-E.AGAIN, -E.RESTARTNOINTR])
  })
  test('FUTEX_WAKE_OP', () => {
    const m = memory(2)
    m.words.set(OTHER, 5)
    m.call(1, WAIT)
    m.call(2, WAIT, OTHER)
    expect(m.call(0, 5, WORD, 1, 1, OTHER)).toBe(1) // set to 0; was it equal to 0?
    expect(m.word(OTHER)).toBe(0)
    expect(m.call(0, 5, WORD, 1, 1, OTHER)).toBe(1)
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
