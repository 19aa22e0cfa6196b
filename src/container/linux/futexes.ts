// The container's part of futexes: their words lie in guest memory, so only the guest's own stub can look at them or change them. PM keeps
// who waits for which (servers/pm/futex.ts). Also the last word of a thread, which says that it exists.
//
// Invariant: a wait is queued in PM before its word is looked at again, if anybody has woken anybody since the caller last ran; so no
// wake-up falls between the look and the queue.
import { DATA_BYTES, DATA_OFF, OP, OPFLAG, THEN } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { int, setGrant, setInt, setLong, SLOT, SUSPEND, TYPE, ulong } from '../../abi/message.ts'
import { ASK, PM } from '../../protocol/pm.ts'
import type { Linux } from './container.ts'
import { low, unsigned } from './operands.ts'
import { AFTER, STATE, type Thread } from './processes.ts'
import { type GuestThread, type LinuxContainer, opResult, pushOp, put64 } from './thread.ts'

/** Thread.futex: the word of a wait that PM has queued is on its way here; it has changed; the wait has ended meanwhile. SENDING: the
 *  word of a FUTEX_CMP_REQUEUE is, before PM sees it. */
export const FUTEX = { NONE: 0, LOOKING: 1, CHANGED: 2, ENDED: 3, SENDING: 4 } as const
const COMMAND = { WAIT: 0, CMP_REQUEUE: 4, WAIT_BITSET: 9, WAIT_REQUEUE_PI: 11, CMP_REQUEUE_PI: 12, MASK: 0x7f } as const
/** Where in the data window such a word goes: the last bytes; a zero for words to be cleared before it. */
const WORD = DATA_OFF + DATA_BYTES - 16
const ZERO = WORD - 16
/** Where addresses of words that somebody waits for are gathered, and how many at most. */
const MARKED = DATA_OFF
const MARKED_MAX = 4096

export class Futexes {
  /** Wake-ups so far, of anybody. */
  private wakes = 0
  constructor(private readonly c: Linux) {}

  /** The thread runs on: what it sees from now on is newer than all wake-ups so far. */
  runsOn(t: Thread): void {
    t.wakes = this.wakes
  }
  /** Count a futex call that wakes. False: FUTEX_CMP_REQUEUE's word has to be looked at again first. */
  mayWake(t: Thread): boolean {
    const command = low(t, 1) & COMMAND.MASK
    if (isWait(command)) return true
    if ((command === COMMAND.CMP_REQUEUE || command === COMMAND.CMP_REQUEUE_PI) && t.wakes !== this.wakes) {
      t.wakes = this.wakes
      this.lookAgain(t, FUTEX.SENDING)
      return false
    }
    this.wakes++
    return true
  }
  /** PM has queued the caller. If somebody has woken some word since it last ran, its own may have changed before. */
  waits(t: Thread): void {
    if (t.wakes !== this.wakes && isWait(low(t, 1) & COMMAND.MASK)) this.lookAgain(t, FUTEX.LOOKING)
  }
  private lookAgain(t: Thread, why: number): void {
    t.futex = why
    t.nops = 0
    pushOp(t, OP.COPYIN, unsigned(t, 0), WORD, 4, 0, 0, 0, OPFLAG.FAILOK)
    t.after = AFTER.FUTEX
    this.c.dispatcher.postReply(t, THEN.POST)
  }
  looked(t: Thread): void {
    t.nops = 0
    if (t.futex === FUTEX.ENDED) {
      t.futex = FUTEX.NONE
      this.c.dispatcher.conclude(t, t.result)
      return
    }
    const expected = low(t, t.futex === FUTEX.SENDING ? 5 : 2)
    const same = opResult(t, 0) === 4 && t.i32[(t.base + WORD) >> 2] === expected
    if (t.futex === FUTEX.SENDING) {
      t.futex = FUTEX.NONE
      if (same) this.c.dispatcher.send(t)
      else this.c.dispatcher.conclude(t, -E.AGAIN)
      return
    }
    t.futex = same ? FUTEX.NONE : FUTEX.CHANGED
    this.c.processes.setState(t, STATE.BLOCKED)
    if (!same) this.c.kernel.interrupt(t.proc) // answered as interrupted, unless it has been woken
  }
  /** PM wants a word changed: in the reply cells 1 to 3 say which, from what, to what. */
  change(t: Thread): void {
    const m = t.message
    t.nops = 0
    pushOp(t, OP.CAS, ulong(m, 1), ulong(m, 2), ulong(m, 3), 0, 0, 0, OPFLAG.FAILOK)
    t.after = AFTER.SWAP
    this.c.dispatcher.postReply(t, THEN.POST)
  }
  changed(t: Thread): void {
    const found = opResult(t, 0)
    t.nops = 0
    this.goOn(t, found >= 0 && found <= 0xffffffff ? found : -E.FAULT, 0)
  }
  /** The lock a thread has waited for is to be had, but for the word. */
  begin(t: Thread): void {
    this.goOn(t, 0, 1)
  }
  private goOn(t: Thread, found: number, first: number): void {
    const m = t.message
    m[TYPE] = PM.FUTEXSTEP
    setLong(m, 0, found)
    setInt(m, 1, first)
    this.c.dispatcher.settle(t, SLOT.PM)
  }
  /** What a wait that has ended answers: one that was taken back because its word had changed says so. */
  outcome(t: Thread): number {
    const interrupted = -t.result >= E.RESTARTSYS && -t.result <= E.RESTART_RESTARTBLOCK
    return t.futex === FUTEX.CHANGED && interrupted ? -E.AGAIN : t.result
  }

  /** The thread ends, and PM wants to know its last words; asked again until there are none left. */
  lastWords(t: Thread): void {
    t.marked = 0
    this.askWords(t)
  }
  private askWords(t: Thread): void {
    const { proc } = t
    this.c.processes.setState(t, STATE.READY)
    const r = askLastWords(this.c, t)
    if (t.proc !== proc || r === SUSPEND) return
    t.after = AFTER.WORDS
    this.c.dispatcher.postReply(t, THEN.POST)
  }
  wordsSaid(t: Thread): void {
    this.wakes++
    noteMarked(t)
    this.askWords(t)
  }
}

function isWait(command: number): boolean {
  return command === COMMAND.WAIT || command === COMMAND.WAIT_BITSET || command === COMMAND.WAIT_REQUEUE_PI
}

/** One round of PM.LASTWORDS: reports what the last one has marked; when there is more to say, ASK.LAST_WORDS, the operations for it are
 *  in the list. */
export function askLastWords(c: LinuxContainer, t: GuestThread): number {
  const m = t.message
  t.nops = 0
  m[TYPE] = PM.LASTWORDS
  setGrant(m, 0, t.base + MARKED, 8 * (t.marked ?? 0))
  const r = c.kernel.call(t.proc, SLOT.PM)
  if (r !== ASK.LAST_WORDS) return r
  t.marked = 0
  const clear = ulong(m, 1)
  const head = ulong(m, 2)
  put64(t, t.base + ZERO, 0)
  pushOp(t, head === 0 ? OP.NOP : OP.ROBUST, head, int(m, 3), MARKED, MARKED_MAX, 0, 0, OPFLAG.FAILOK)
  if (clear !== 0) pushOp(t, OP.COPYOUT, clear, ZERO, 4, 0, 0, 0, OPFLAG.FAILOK)
  return r
}
/** What the operations of that round have left behind. */
export function noteMarked(t: GuestThread): void {
  t.marked = Math.min(Math.max(opResult(t, 0), 0), MARKED_MAX)
}
