// futex(2): who waits for which word. A word is known by its key: its address in the caller's address space, or, in shared memory, the
// object and offset that VM names. The container has compared the word with `val` before the message comes, and looks again once the
// caller is queued if anybody has woken anybody in between (container/linux/futexes.ts); here nothing is read or written.
import { E } from '../../abi/errno.ts'
import { EP, high, int, long, type Message, message, setInt, setLong, SUSPEND, TYPE, ulong } from '../../abi/message.ts'
import type { CallVector } from '../../lib/server.ts'
import { PM } from '../../protocol/pm.ts'
import { VM } from '../../protocol/vm.ts'
import { timerKey, WAIT_TIMER } from './keys.ts'
import { type Pm, type Task, taskOf, WAITING } from './mproc.ts'
import { isDue } from './signal.ts'
import { finish } from './suspended.ts'
import { readTimespec } from './time.ts'

const FUTEX = { WAIT: 0, WAKE: 1, REQUEUE: 3, CMP_REQUEUE: 4, WAIT_BITSET: 9, WAKE_BITSET: 10, PRIVATE: 128, CLOCK_REALTIME: 256 } as const
const ALL_BITS = -1
const USER_END = 0x7ffffffff000

export function futexCalls(pm: Pm): CallVector {
  return {
    [PM.FUTEX]: (m, from) => {
      const t = taskOf(pm, from)
      return t === undefined ? -E.SRCH : futex(pm, t, m)
    },
  }
}

function futex(pm: Pm, t: Task, m: Message): number {
  const address = ulong(m, 0)
  const op = int(m, 1)
  if ((address & 3) !== 0) return -E.INVAL
  if (address >= USER_END) return -E.FAULT
  const command = op & ~(FUTEX.PRIVATE | FUTEX.CLOCK_REALTIME)
  if ((op & FUTEX.CLOCK_REALTIME) !== 0 && command !== FUTEX.WAIT_BITSET) return -E.NOSYS
  findKey(pm, t, address, (op & FUTEX.PRIVATE) !== 0, key)
  switch (command) {
    case FUTEX.WAIT:
      return wait(pm, t, m, false, ALL_BITS)
    case FUTEX.WAIT_BITSET:
      return int(m, 5) === 0 ? -E.INVAL : wait(pm, t, m, true, int(m, 5))
    case FUTEX.WAKE:
      return wake(pm, key, int(m, 2), ALL_BITS)
    case FUTEX.WAKE_BITSET:
      return int(m, 5) === 0 ? -E.INVAL : wake(pm, key, int(m, 2), int(m, 5))
    case FUTEX.REQUEUE:
    case FUTEX.CMP_REQUEUE:
      return requeue(pm, t, m, (op & FUTEX.PRIVATE) !== 0)
    default: // WAKE_OP wants a word changed in one with the waking; priority inheritance
      return -E.NOSYS
  }
}

// ---- keys ----

interface Key {
  space: number
  object: number
  address: number
}
const key: Key = { space: 0, object: 0, address: 0 }
const otherKey: Key = { space: 0, object: 0, address: 0 }
const out = message()

/** Private words: space = -(number of the address space), object 0. Shared ones: device (not below 0), inode, offset. */
function findKey(pm: Pm, t: Task, address: number, isPrivate: boolean, to: Key): void {
  if (!isPrivate) {
    out.fill(0)
    out[TYPE] = VM.OBJECT
    setInt(out, 0, t.endpoint)
    setLong(out, 1, address)
    if (pm.sys.sendrec(EP.VM, out) === 1) {
      to.space = long(out, 1)
      to.object = long(out, 2)
      to.address = long(out, 3)
      return
    }
  }
  to.space = -t.process.space
  to.object = 0
  to.address = address
}
function waitsFor(t: Task, k: Key): boolean {
  const r = t.request
  return r.address === k.address && r.space === k.space && r.object === k.object
}

// ---- operations ----

function wait(pm: Pm, t: Task, m: Message, absolute: boolean, bits: number): number {
  const now = pm.sys.monotonic()
  const r = t.request
  r.until = Number.POSITIVE_INFINITY
  if (high(m, 3) >= 16) {
    const ms = readTimespec(pm, int(m, 3))
    if (ms < 0) return ms
    const clock = (int(m, 1) & FUTEX.CLOCK_REALTIME) !== 0 ? pm.sys.realtime() : now
    r.until = absolute ? now + ms - clock : now + ms
  }
  if (isDue(t)) {
    pm.sys.mark(t.endpoint)
    return r.until === Number.POSITIVE_INFINITY ? -E.RESTARTSYS : -E.RESTARTNOHAND
  }
  if (r.until <= now) return -E.TIMEDOUT
  Object.assign(r, key)
  r.options = bits
  t.waiting = WAITING.FUTEX
  pm.sleepers.push(t)
  if (r.until !== Number.POSITIVE_INFINITY) pm.timers.set(timerKey(t, WAIT_TIMER), r.until)
  return SUSPEND
}
/** The deadline of a wait. */
export function futexTimeout(pm: Pm, t: Task): void {
  finish(pm, t, -E.TIMEDOUT)
}

/** At least one is woken, whatever `count` says (kernel/futex/waitwake.c). */
function wake(pm: Pm, k: Key, count: number, bits: number): number {
  const most = Math.max(1, count)
  let woken = 0
  for (let i = 0; i < pm.sleepers.length && woken < most; ) {
    const t = pm.sleepers[i]
    if (waitsFor(t, k) && (t.request.options & bits) !== 0) {
      finish(pm, t, 0) // takes it off the list
      woken++
    } else i++
  }
  return woken
}
/** The word at `address` of a task has changed in its name. */
export function wakeWord(pm: Pm, t: Task, address: number, count: number): void {
  findKey(pm, t, address, false, key)
  wake(pm, key, count, ALL_BITS)
}

/** Wake some, let some wait for the other word instead. → how many of both */
function requeue(pm: Pm, t: Task, m: Message, isPrivate: boolean): number {
  const address = ulong(m, 4)
  const count = int(m, 2)
  const most = int(m, 3)
  if (count < 0 || most < 0 || (address & 3) !== 0) return -E.INVAL
  if (address >= USER_END) return -E.FAULT
  findKey(pm, t, address, isPrivate, otherKey)
  const woken = count === 0 ? 0 : wake(pm, key, count, ALL_BITS)
  let moved = 0
  for (const other of pm.sleepers) {
    if (moved === most) break
    if (!waitsFor(other, key)) continue
    Object.assign(other.request, otherKey)
    moved++
  }
  return woken + moved
}
