// The container's part of futexes: their words lie in guest memory, so only the guest's own stub can look at them or change them. PM keeps
// who waits for which (servers/pm/futex.ts). Also the last word of a thread, which says that it exists.
//
// Invariant: a wait is queued in PM before its word is looked at again, if anybody has woken anybody since the caller last ran; so no
// wake-up falls between the look and the queue.
import { DATA_BYTES, DATA_OFF, OP, OPFLAG, THEN } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { setInt, SLOT, TYPE } from '../../abi/message.ts'
import { PM } from '../../protocol/pm.ts'
import type { Linux } from './container.ts'
import { low, unsigned } from './operands.ts'
import { AFTER, STATE, type Thread } from './processes.ts'
import { opResult, pushOp } from './thread.ts'

/** Thread.futex: the word of a wait that PM has queued is on its way here; it has changed; the wait has ended meanwhile. SENDING: the
 *  word of a FUTEX_CMP_REQUEUE is, before PM sees it. */
export const FUTEX = { NONE: 0, LOOKING: 1, CHANGED: 2, ENDED: 3, SENDING: 4 } as const
const COMMAND = { WAIT: 0, CMP_REQUEUE: 4, WAIT_BITSET: 9, MASK: 0x7f } as const
/** Where in the data window such a word goes: the last bytes. */
const WORD = DATA_OFF + DATA_BYTES - 16

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
    if (command === COMMAND.WAIT || command === COMMAND.WAIT_BITSET) return true
    if (command === COMMAND.CMP_REQUEUE && t.wakes !== this.wakes) {
      t.wakes = this.wakes
      this.lookAgain(t, FUTEX.SENDING)
      return false
    }
    this.wakes++
    return true
  }
  /** PM has queued the caller. If somebody has woken some word since it last ran, its own may have changed before. */
  waits(t: Thread): void {
    if (t.wakes !== this.wakes) this.lookAgain(t, FUTEX.LOOKING)
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
  /** What a wait that has ended answers: one that was taken back because its word had changed says so. */
  outcome(t: Thread): number {
    const interrupted = -t.result >= E.RESTARTSYS && -t.result <= E.RESTART_RESTARTBLOCK
    return t.futex === FUTEX.CHANGED && interrupted ? -E.AGAIN : t.result
  }

  /** exit: the word that says the thread exists becomes 0 before it is gone, and who waits for that is woken after. */
  clearTid(t: Thread, address: number): void {
    t.nops = 0
    t.i32[(t.base + WORD) >> 2] = 0
    pushOp(t, OP.COPYOUT, address, WORD, 4, 0, 0, 0, OPFLAG.FAILOK)
    t.after = AFTER.EXIT
    this.c.dispatcher.postReply(t, THEN.POST)
  }
  exitThread(t: Thread): void {
    this.wakes++
    t.nops = 0
    t.message[TYPE] = PM.EXIT_CLEARED
    setInt(t.message, 0, low(t, 0))
    this.c.kernel.call(t.proc, SLOT.PM)
  }
}
