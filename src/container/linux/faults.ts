// Events that are no calls: a guest interrupted by us, a fault of the processor, and final operations that could not be carried out.
import { CH, OP, OP_BYTES, OPF } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { setInt, setLong, SLOT, TYPE } from '../../abi/message.ts'
import { PM } from '../../protocol/pm.ts'
import { VM } from '../../protocol/vm.ts'
import type { Linux } from './container.ts'
import { serviceOf } from './local.ts'
import { REGS, STATE, type Thread } from './processes.ts'
import { frameFailed } from './signal.ts'
import { undelivered } from './undelivered.ts'
import { getU64, opResult, resetWindow } from './thread.ts'

const SI_KERNEL = 0x80

export class Faults {
  constructor(private readonly c: Linux) {}

  /** Interrupted while running guest code, by us. */
  outsideCall(t: Thread): void {
    this.begin(t)
    if (t.errands.length > 0) this.c.errands.begin(t)
    else this.c.dispatcher.conclude(t, 0)
  }
  private begin(t: Thread): void {
    this.c.processes.setState(t, STATE.CALL)
    this.c.dispatcher.reset(t)
    t.nr = -1
    t.orig = -1
    t.callEnds = false
    t.interrupting = false
  }
  fault(t: Thread): void {
    this.begin(t)
    t.result = 0
    const signo = t.u32[(t.base + CH.FAULT_SIGNO) >> 2] as number
    const code = t.i32[(t.base + CH.FAULT_CODE) >> 2] as number
    const address = getU64(t, t.base + CH.FAULT_ADDR)
    if (signo === 11) {
      t.message[TYPE] = VM.GROW
      setLong(t.message, 0, address)
      if (this.c.kernel.call(t.proc, SLOT.VM) === 1) {
        this.c.dispatcher.release(t)
        return
      }
    }
    this.send(t, signo > 0 && signo < 32 ? signo : 11, code, address, 0)
  }
  private send(t: Thread, signo: number, code: number, address: number, frames: number): void {
    const m = t.message
    m[TYPE] = PM.FAULT
    setInt(m, 0, signo)
    setInt(m, 1, code)
    setLong(m, 2, address)
    setInt(m, 3, frames)
    this.c.dispatcher.toManager(t, t.proc)
  }

  /** An operation of a final reply failed, so the guest did not run on: the call's result changes. */
  finalOpFailed(t: Thread, index: number): void {
    this.c.processes.setState(t, STATE.CALL)
    const code = t.u32[(t.base + CH.OPS + (index % 56) * OP_BYTES + OPF.CODE) >> 2] as number
    const why = opResult(t, index % 56)
    t.nops = 0
    t.outs.count = 0
    resetWindow(t)
    if (t.forking >= 0) {
      this.c.lifecycle.forkFailed(t)
      return
    }
    if (t.direct > 0) {
      this.c.dispatcher.readAgain(t)
      return
    }
    if (t.regs === REGS.ALL) {
      // signal frames could not be written (or the stack of a new image): what they replaced stands again, then SIGSEGV
      const frames = frameFailed(t)
      t.nr = -1
      t.regs = REGS.RESULT
      this.send(t, 11, SI_KERNEL, 0, frames)
      return
    }
    t.regs = REGS.RESULT
    const missing = undelivered(t, index % 56)
    if (missing > 0) {
      this.c.dispatcher.shorten(t, missing)
      return
    }
    t.done = 0
    const isMemory = (code >= OP.MMAP && code <= OP.MADVISE) || code === OP.MINCORE || code === OP.MEMBARRIER
    const service = t.nr < 0 ? -1 : serviceOf(t.nr)
    if (isMemory && (service === SLOT.VM || service === SLOT.IPC)) {
      t.message[TYPE] = VM.FAILED
      this.c.kernel.call(t.proc, SLOT.VM)
    }
    this.c.dispatcher.conclude(t, isMemory && why < 0 ? why : -E.FAULT)
  }
}
