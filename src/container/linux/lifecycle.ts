// Birth and death of host threads and processes, as the container sees them: what a fork's reply needs, what becomes of a thread nobody
// runs in any more, and who is told when a host process ends by itself.
import { CH, DATA_OFF, INTR_SIGNAL, OP, OP_BYTES, OPF, OPFLAG, THEN } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { setInt, SLOT, SUSPEND, TYPE } from '../../abi/message.ts'
import { PM } from '../../protocol/pm.ts'
import type { Linux } from './container.ts'
import { closeFiles } from './direct.ts'
import { type HostProcess, REGS, STATE, type Thread } from './processes.ts'
import { pushOp } from './thread.ts'

/** An exiting host process that hasn't gone after this many ms is killed. */
const EXIT_GRACE = 200

export class Lifecycle {
  constructor(private readonly c: Linux) {}

  /** The child may start. `outs`: where in the list the call's own outputs begin; storing the child's id may fail, as in Linux. */
  finishFork(t: Thread, result: number, outs: number): void {
    const child = this.c.threadOf[t.forking]
    if (!child || result <= 0) {
      // refused after all: descriptors that were sent are taken and closed, nobody is born
      for (let i = 0; i < outs; i++) {
        const op = (t.base + CH.OPS + i * OP_BYTES + OPF.CODE) >> 2
        if (t.u32[op] === OP.CLONE) t.u32[op] = OP.NOP
      }
      t.forking = -1
      return
    }
    child.prepared = false
    for (let i = outs; i < t.nops; i++) t.u32[(t.base + CH.OPS + i * OP_BYTES + OPF.FLAGS) >> 2] = OPFLAG.FAILOK
    if (t.birth === OP.THREAD) pushOp(t, OP.THREAD, child.slot)
    if (child.childTid !== 0) {
      const at = child.base + DATA_OFF
      child.i32[at >> 2] = result
      pushOp(child, OP.COPYOUT, child.childTid, DATA_OFF, 4, 0, 0, 0, OPFLAG.FAILOK)
    }
    if (this.c.kernel.marked(child.proc)) this.c.dispatcher.conclude(child, 0) // traced: it stops before it runs
    else this.c.dispatcher.postReply(child, THEN.REGS)
    this.c.processes.births.push(t)
  }
  /** The host could not make the child, says the guest. If it was approved and there is somebody nobody knows, it lies. */
  forkFailed(t: Thread): void {
    const { processes } = this.c
    const at = processes.births.indexOf(t)
    const child = this.c.threadOf[t.forking]
    const isThread = t.birth === OP.THREAD
    if (at >= 0) processes.births.splice(at, 1)
    const childProc = t.forking
    t.forking = -1
    if (child) {
      child.proc = -1
      this.c.threadOf[childProc] = null
      if (isThread) processes.releaseThread(child, false)
      else processes.release(child.host as HostProcess)
    }
    if (at < 0 && (isThread ? processes.strayThreads(t.host as HostProcess) > 0 : this.c.suspect() > 0)) {
      this.violation(t)
      return
    }
    const m = t.message
    m[TYPE] = PM.FORKFAIL
    setInt(m, 0, this.c.kernel.endpoint(childProc))
    setInt(m, 1, E.AGAIN)
    this.c.kernel.call(t.proc, SLOT.PM)
    t.regs = REGS.RESULT
    this.c.dispatcher.conclude(t, -E.AGAIN)
  }

  /** Nobody's any more: the thread ends, at once if it waits for a reply, else at its next event; with the last one the host process. */
  endThread(t: Thread): void {
    const { processes } = this.c
    const p = t.host
    t.proc = -1
    t.lenders.length = 0
    t.dying = true
    t.errands.length = 0
    t.rest = -1
    if (p === null || p.killAt !== 0) return
    if (t.prepared) {
      if (p.members.length === 1) processes.release(p)
      else processes.releaseThread(t, false)
    } else if (!processes.inUse(p)) this.endHost(p)
    else if (t.state === STATE.RUNNING) this.interruptSoon(t)
    else if (t.state !== STATE.OPS) {
      t.nops = 0
      t.changes = false
      const waits = p.changes.indexOf(t)
      if (waits >= 0) p.changes.splice(waits, 1)
      closeFiles(t)
      pushOp(t, OP.EXIT, 0)
      this.c.dispatcher.postReply(t, THEN.POST)
      processes.releaseThread(t)
    }
  }
  /** No process runs in it any more: it ends itself if its only thread waits for us, and is killed if it doesn't (loop.ts) or can't. */
  private endHost(p: HostProcess): void {
    const { processes } = this.c
    const t = p.members[0] as Thread
    const waits = t.state === STATE.CALL || t.state === STATE.BLOCKED || t.state === STATE.READY || t.state === STATE.HELD
    if (p.members.length > 1 || !waits) {
      processes.kill(p)
      return
    }
    t.nops = 0
    t.changes = false
    pushOp(t, OP.EXITGROUP, 0)
    this.c.dispatcher.postReply(t, THEN.POST)
    processes.setState(t, STATE.EXITING)
    p.killAt = this.c.now() + EXIT_GRACE
    processes.exiting.add(p)
  }
  /** The guest broke the channel's rules: only its own process suffers. */
  violation(t: Thread): void {
    const p = t.host
    if (p === null) return
    this.c.processes.kill(p)
    this.hostGone(p, 9)
  }
  /** Its process is no more, host process or not. */
  hostDied(t: Thread, proc: number, status: number): void {
    this.c.errands.drop(proc)
    t.proc = -1
    this.tell(proc, status)
  }
  /** A host process has ended, or is about to: so have the processes that ran in it. */
  hostGone(p: HostProcess, status: number): void {
    if (p.killAt === 0) p.killAt = -1
    const procs: number[] = []
    for (const t of p.members) {
      const mine = [t.proc, ...t.lenders.map(l => l.proc)].filter(proc => proc >= 0)
      for (const proc of mine) this.c.errands.drop(proc)
      procs.push(...mine)
      t.lenders.length = 0
      t.proc = -1
    }
    for (const proc of procs) this.c.threadOf[proc] = null
    const endpoints = procs.map(proc => this.c.kernel.endpoint(proc))
    procs.forEach((proc, i) => {
      if (this.c.kernel.endpoint(proc) === endpoints[i]) this.tell(proc, status)
    })
  }
  /** PM learns that a process has ended by itself; one that is blocked in a call can't say so, and is taken out of the table. */
  private tell(proc: number, status: number): void {
    const { kernel } = this.c
    const endpoint = kernel.endpoint(proc)
    this.c.threadOf[proc] = null
    const m = kernel.messageOf(proc)
    m[TYPE] = PM.HOSTDIED
    setInt(m, 0, status)
    if (kernel.call(proc, SLOT.PM) !== SUSPEND && kernel.endpoint(proc) === endpoint) kernel.clear(endpoint)
  }

  interruptSoon(t: Thread): void {
    if (t.interrupting) return
    t.interrupting = this.c.processes.interrupt(t, INTR_SIGNAL)
    if (!t.interrupting) this.c.processes.interruptLater.add(t)
  }
}
