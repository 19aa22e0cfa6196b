// FUTEX_WAKE_OP: a word is changed and, by what it was, others are woken, as if in one. futex(2); futex_atomic_op_inuser.
import { E } from '../../abi/errno.ts'
import { int, type Message, ulong } from '../../abi/message.ts'
import { ALL_BITS, newStep, swap, wake } from './futex-queue.ts'
import { FUTEX_STEP, type FutexKey, type FutexStep, type Pm, type Task } from './mproc.ts'

const ARG_SHIFT = 8
/** FUTEX_OP_SET, ADD, OR, ANDN, XOR */
const CHANGES: readonly ((old: number, arg: number) => number)[] = [
  (_old, arg) => arg, (old, arg) => old + arg, (old, arg) => old | arg, (old, arg) => old & ~arg, (old, arg) => old ^ arg,
]
/** FUTEX_OP_CMP_EQ, NE, LT, LE, GT, GE */
const COMPARISONS: readonly ((old: number, arg: number) => boolean)[] = [
  (old, arg) => old === arg, (old, arg) => old !== arg, (old, arg) => old < arg, (old, arg) => old <= arg, (old, arg) => old > arg,
  (old, arg) => old >= arg,
]

/** Change the word behind `other`, wake those of `key`, perhaps those of `other` too. */
export function beginOperation(t: Task, m: Message, key: FutexKey, other: FutexKey): number {
  const s = newStep(FUTEX_STEP.OPERATION, ulong(m, 4), other)
  Object.assign(s.source, key)
  s.count = int(m, 2)
  s.most = int(m, 3)
  s.seen = int(m, 5)
  t.step = s
  return change(m, s, 0)
}
function change(m: Message, s: FutexStep, old: number): number {
  const operation = (s.seen >>> 28) & 15
  const change = CHANGES[operation & ~ARG_SHIFT]
  if (change === undefined) return -E.NOSYS
  const given = (s.seen << 8) >> 20
  return swap(m, s, old, change(old, (operation & ARG_SHIFT) !== 0 ? 1 << (given & 31) : given))
}
export function operated(pm: Pm, s: FutexStep, m: Message, found: number): number {
  if (found !== s.expected) return change(m, s, found | 0)
  const holds = COMPARISONS[(s.seen >>> 24) & 15]
  if (holds === undefined) return -E.NOSYS
  const woken = wake(pm, s.source, s.count, ALL_BITS)
  if (woken < 0 || !holds(found | 0, (s.seen << 20) >> 20)) return woken
  const more = wake(pm, s.key, s.most, ALL_BITS)
  return more < 0 ? more : woken + more
}
