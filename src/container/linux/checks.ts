// Steps that only refuse: rules of one call whose argument goes into no message cell.
import { E } from '../../abi/errno.ts'
import { fetch, isNull, low, signed, type ThreadView, unsigned } from './operands.ts'
import { DO } from './program.ts'

/** epoll_wait(2): as many as fit an int's worth of bytes. */
const EVENTS_MAX = Math.floor(0x7fffffff / 12)
/** Bytes of the first struct open_how, and the most openat2 looks at. */
const HOW = { LEAST: 24, MOST: 4096 } as const
const FUTEX = { WAIT: 0, CMP_REQUEUE: 4, WAIT_BITSET: 9, WAIT_REQUEUE_PI: 11, CMP_REQUEUE_PI: 12, LOCK_PI2: 13, COMMAND: 0x7f, REALTIME: 0x100 } as const

/** 0 when the rule holds (or its input is still to come), else -errno. */
export function check(t: ThreadView, operation: number, i: number): number {
  switch (operation) {
    case DO.HOW:
      return unsigned(t, i) < HOW.LEAST ? -E.INVAL : unsigned(t, i) > HOW.MOST ? -E.TOOBIG : 0
    case DO.SIGSET:
      return !isNull(t, i - 1) && unsigned(t, i) !== 8 ? -E.INVAL : 0
    case DO.POSITIVE:
      return low(t, i) <= 0 ? -E.INVAL : 0
    case DO.EVENTS:
      return low(t, i) <= 0 || low(t, i) > EVENTS_MAX ? -E.INVAL : 0
    case DO.NOKEY:
      return low(t, i) !== -1 ? -E.INVAL : 0
    case DO.PRESENT:
      return isNull(t, i) ? -E.INVAL : 0
    case DO.NONNEGATIVE:
      return signed(t, i) < 0 ? -E.INVAL : 0
    case DO.CURRENT:
      return signed(t, i) < -1 ? -E.INVAL : 0
    case DO.WORD:
      return futexWord(t, i)
    default:
      return -E.NOSYS
  }
}

/** A futex call that is meant for another value of the word needs no message. (Whether the word changes between this look and the moment
 *  PM has queued the caller the dispatcher finds out.) */
function futexWord(t: ThreadView, i: number): number {
  const command = low(t, 1) & FUTEX.COMMAND
  const realtime = command === FUTEX.WAIT_BITSET || command === FUTEX.WAIT_REQUEUE_PI || command === FUTEX.LOCK_PI2
  if ((low(t, 1) & FUTEX.REALTIME) !== 0 && !realtime) return -E.NOSYS
  if (command === FUTEX.WAIT_BITSET && low(t, 5) === 0) return -E.INVAL
  if ((low(t, i) & 3) !== 0) return -E.INVAL
  const requeues = command === FUTEX.CMP_REQUEUE || command === FUTEX.CMP_REQUEUE_PI
  const waits = command === FUTEX.WAIT || command === FUTEX.WAIT_BITSET || command === FUTEX.WAIT_REQUEUE_PI
  if (!requeues && !waits) return 0
  if (t.wants.count > 0) return 0 // the timeout is to be looked at first
  const at = fetch(t, i, 4)
  if (at <= 0) return at
  return t.view.getInt32(at, true) !== low(t, requeues ? 5 : 2) ? -E.AGAIN : 0
}
