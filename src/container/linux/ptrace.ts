// Guests that others trace (ptrace(2) inside), as far as it is about host threads: calls are shown before they begin and when they end,
// the trap flag makes single steps. Who traces whom, and every stop, is PM's (servers/pm/trace.ts); registers are state.ts, memory
// errand.ts. A traced guest's replies are carried out before it stops, so what its tracer sees is what the guest would.
import { CH, REG } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { T } from '../../abi/ipc.ts'
import { setInt, TYPE } from '../../abi/message.ts'
import { PM } from '../../protocol/pm.ts'
import type { Linux } from './container.ts'
import { REGS, STATE, type Thread, WATCH } from './processes.ts'
import { EFLAGS } from './sigframe.ts'
import { setReg } from './thread.ts'

const MODES: Readonly<Record<number, number>> = {
  [T.ATTACH]: WATCH.TRACED, [T.SYSCALL]: WATCH.TRACED | WATCH.CALLS, [T.STEP]: WATCH.TRACED | WATCH.STEP, [T.DETACH]: 0,
}
const ALL = WATCH.TRACED | WATCH.CALLS | WATCH.STEP

export class Traced {
  constructor(private readonly c: Linux) {}

  trace(slot: number, request: number): number {
    const mode = MODES[request]
    if (mode === undefined) return -E.INVAL
    this.c.watch[slot] = ((this.c.watch[slot] as number) & ~ALL) | mode
    return 0
  }
  isTraced(t: Thread): boolean {
    return ((this.c.watch[t.proc] as number) & WATCH.TRACED) !== 0
  }
  /** Does its tracer want to see the end of the call in hand? */
  showsEnd(t: Thread): boolean {
    return t.callEnds && ((this.c.watch[t.proc] as number) & (WATCH.CALLS | WATCH.STEP)) !== 0
  }

  /** Call t.nr is shown before it is made: true, and entered() goes on with it. */
  enters(t: Thread): boolean {
    if (((this.c.watch[t.proc] as number) & WATCH.CALLS) === 0) return false
    setReg(t, REG.RAX, -E.NOSYS)
    t.entering = true
    t.message[TYPE] = PM.CALLREADY
    setInt(t.message, 0, t.nr)
    this.c.dispatcher.toManager(t, t.proc)
    return true
  }
  /** PM has answered. The registers may say something else now, -1 for no call at all; what was fetched ahead is no good any more. */
  entered(t: Thread): void {
    t.entering = false
    this.c.processes.setState(t, STATE.CALL)
    for (let i = 0; i < 6; i++) t.i32[(t.base + CH.IN + 8 * i + 4) >> 2] = -1
    t.nr = t.orig
    if (t.nr === -1) {
      t.regs = REGS.ALL
      this.c.dispatcher.conclude(t, 0)
    } else this.c.dispatcher.make(t)
  }

  /** The reply in hand lets the guest go one instruction far. */
  step(t: Thread): void {
    const flags = (t.base + CH.REGS + 8 * REG.EFL) >> 2
    if (((this.c.watch[t.proc] as number) & WATCH.STEP) === 0 || (t.u32[flags] as number) & EFLAGS.TF) return
    t.u32[flags] = (t.u32[flags] as number) | EFLAGS.TF
    t.stepping = true
  }
  /** It is back: the flag is nobody's business (and a system call has left a copy in r11). */
  stepped(t: Thread, inCall: boolean): void {
    t.stepping = false
    for (const r of inCall ? [REG.EFL, REG.R11] : [REG.EFL]) {
      const at = (t.base + CH.REGS + 8 * r) >> 2
      t.u32[at] = (t.u32[at] as number) & ~EFLAGS.TF
    }
  }
}
