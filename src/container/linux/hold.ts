// Holding guests: a thread whose process is stopped from outside (kernel call TRACE) gets no further than where it would go on in the
// guest. A call it is in goes on, and a signal is looked at; then, instead of the reply, what the reply would do first is done, and the
// thread stands with its registers as the guest would find them.
import { REG, THEN } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { T } from '../../abi/ipc.ts'
import type { Linux } from './container.ts'
import { restart } from './dispatch.ts'
import { AFTER, REGS, STATE, type Thread, WATCH } from './processes.ts'
import { setReg } from './thread.ts'

export class Holds {
  /** Held threads that may go on, when whoever says so is done. */
  readonly going: Thread[] = []
  constructor(private readonly c: Linux) {}

  trace(slot: number, request: number): number {
    const { watch } = this.c
    if (request === T.STOP) {
      watch[slot] = (watch[slot] as number) | WATCH.HELD
      this.c.interrupt(slot)
    } else if (request === T.RESUME) {
      watch[slot] = (watch[slot] as number) & ~WATCH.HELD
      const t = this.c.threadOf[slot]
      if (t && t.state === STATE.HELD) this.going.push(t)
    } else return -E.INVAL
    return 0
  }
  private isHeld(t: Thread): boolean {
    return ((this.c.watch[t.proc] as number) & WATCH.HELD) !== 0
  }

  /** May t not go on? Then its reply's operations are carried out now. */
  holds(t: Thread): boolean {
    if (!this.isHeld(t)) return false
    t.patch = 0
    if (t.nops === 0) this.held(t)
    else {
      t.after = AFTER.HOLD
      this.c.dispatcher.postReply(t, THEN.POST)
    }
    return true
  }
  /** They have been: all registers stand. */
  held(t: Thread): void {
    const r = -t.result
    if (t.nr >= 0 && t.regs !== REGS.ALL) {
      if (r >= E.RESTARTSYS && r <= E.RESTART_RESTARTBLOCK) restart(t)
      else setReg(t, REG.RAX, t.result)
    }
    this.c.dispatcher.reset(t)
    t.nr = -1
    t.regs = REGS.ALL
    this.c.processes.setState(t, STATE.HELD)
    if (!this.isHeld(t)) this.letGo(t)
  }
  /** Threads that were told to go on do, by way of their boundary. */
  flush(): void {
    for (const t of this.going.splice(0)) if (t.state === STATE.HELD && !this.isHeld(t)) this.letGo(t)
  }
  private letGo(t: Thread): void {
    this.c.processes.setState(t, STATE.CALL)
    this.c.dispatcher.conclude(t, 0)
  }

  /** Errands are done, and t rests as before; unless it was answered meanwhile, or let go. */
  backToRest(t: Thread, state: number): void {
    this.c.processes.setState(t, state)
    const { restAnswered } = t
    t.restAnswered = false
    if (restAnswered) this.c.dispatcher.answered(t.proc)
    else if (state === STATE.HELD && !this.isHeld(t)) this.letGo(t)
  }
  /** What has been ordered for a held thread's reply, before an errand. */
  runPending(t: Thread): void {
    t.after = AFTER.PENDING
    this.c.dispatcher.postReply(t, THEN.POST)
  }
}
