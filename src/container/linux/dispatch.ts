// Events and replies: what a guest posted becomes a message to a server, what the server answered becomes the reply. One event runs
// straight through: event → decode → kernel.call → conclude → (signals due? boundary) → release → postReply. Whatever has to wait
// for the stub or a server leaves its place in the thread's fields (state, after) and comes back through event() or complete().
import { CH, ENTRY, EV, OP, OPFLAG, REG, THEN } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { high, int, message, setGrant, setInt, setLong, SLOT, SUSPEND, TYPE } from '../../abi/message.ts'
import { ASK, PM } from '../../protocol/pm.ts'
import * as host from '../../host/host.ts'
import type { Linux } from './container.ts'
import { DIRECT, rewind } from './direct.ts'
import { timeLeft } from './convert.ts'
import { copyOuts, decode, moreChunks, NEED, wholeResult } from './decode.ts'
import { Faults } from './faults.ts'
import { FUTEX, Futexes } from './futexes.ts'
import { fixTail, notePatched, notePatchSite, pushPatch } from './patching.ts'
import { AFTER, type HostProcess, REGS, STATE, type Thread } from './processes.ts'
import { localCall, serviceOf } from './local.ts'
import { WANT } from './operands.ts'
import { delivered, undelivered, unread } from './undelivered.ts'
import { getU64, type LocalCall, MORE, opResult, pushOp, put64, RESUME, resetWindow, setReg } from './thread.ts'

const AUDIT_ARCH_X86_64 = 0xc000003e
const POLL_CALL = 7
const FUTEX_CALL = 202
/** CH.OPDONE while a reply's operations have not all run. */
const UNDONE = 0xffffffff

/** Sees every call; used by mol trace. Must not change anything. */
export interface Tracer {
  enter(t: Thread, nr: number): void
  exit(t: Thread, nr: number, result: number): void
  /** A first program's image is made: as if it had called execve itself. envpAt: where the new image has its environment. */
  started(t: Thread, path: string, argv: readonly string[], env: readonly string[], envpAt: number): void
  /** A call the container carries out itself has taken a step. */
  progress(t: Thread): void
  /** A signal frame was pushed; siginfo at arena offset `at`. */
  signal(t: Thread, at: number): void
  gone(pid: number, status: number): void
  close(): void
}

export class Dispatcher {
  /** Calls nobody implements: number → times. */
  readonly unknown = new Map<number, number>()
  private readonly saved = message()
  calls = 0
  traps = 0
  readonly futexes: Futexes
  private readonly faults: Faults
  constructor(private readonly c: Linux) {
    this.futexes = new Futexes(c)
    this.faults = new Faults(c)
  }

  /** The thread's SEQ changed. */
  event(t: Thread): void {
    const op = t.u32[(t.base + CH.OP) >> 2] as number
    const p = t.host as HostProcess
    if (t.patchOp >= 0) notePatched(t)
    if (p.changer === t) p.changer = null
    if (t.stepping) this.c.traced.stepped(t, op === EV.SYSCALL)
    if (t.giveBack) {
      this.c.processes.setState(t, STATE.CALL)
      if (!this.c.giveBack(t)) this.c.lifecycle.endThread(t)
    } else if (t.dying) {
      this.c.processes.setState(t, STATE.CALL)
      this.c.lifecycle.endThread(t)
    } else if (t.state === STATE.OPS) {
      this.c.processes.setState(t, STATE.CALL)
      if (op === EV.OPDONE) this.resume(t, -1)
      else if (op === EV.OPFAIL) this.resume(t, t.u32[(t.base + CH.OPDONE) >> 2] as number)
      else this.c.lifecycle.violation(t)
    } else if (op === EV.SYSCALL) this.syscall(t)
    else if (op === EV.INTR) this.faults.outsideCall(t)
    else if (op === EV.FAULT) this.faults.fault(t)
    else if (op === EV.OPFAIL) this.faults.finalOpFailed(t, t.u32[(t.base + CH.OPDONE) >> 2] as number)
    else this.c.lifecycle.violation(t)
    if (p.changes.length > 0) this.nextChange(p)
  }

  private syscall(t: Thread): void {
    this.calls++
    t.state = STATE.CALL
    this.c.processes.setState(t, STATE.CALL)
    const nr = t.i32[(t.base + CH.REGS + REG.RAX * 8) >> 2] as number
    const entry = t.u32[(t.base + CH.ENTRY) >> 2] as number
    this.reset(t)
    t.nr = nr
    t.orig = nr
    t.callEnds = true
    if (entry === ENTRY.TRAP) {
      this.traps++
      if ((t.u32[(t.base + CH.TRAP_ARCH) >> 2] as number) !== AUDIT_ARCH_X86_64) {
        this.conclude(t, -E.NOSYS)
        return
      }
      notePatchSite(this.c, t, nr)
    }
    if (this.c.watch[t.proc] === 0 || !this.c.traced.enters(t)) this.make(t)
  }
  /** Call t.nr, from the start. */
  make(t: Thread): void {
    t.pass = 0
    if (this.c.tracer !== null) this.c.tracer.enter(t, t.nr)
    this.send(t)
  }

  /** Nothing of an earlier event is left. */
  reset(t: Thread): void {
    t.done = 0
    t.outs.index = 0
    t.nops = 0
    t.regs = REGS.RESULT
    t.forking = -1
    t.patch = 0
    t.frames = 0
    t.masked = false
    t.changes = false
    t.direct = DIRECT.NONE
    t.futex = FUTEX.NONE
    t.outs.count = 0
    resetWindow(t)
  }

  /** Decode and send; comes back here when missing inputs have been fetched. */
  send(t: Thread): void {
    const nr = t.nr
    const local = localCall(nr)
    if (local !== null) {
      t.step = 0
      t.localCall = local
      this.runLocal(t, -1)
      return
    }
    const ready = decode(t, nr)
    if (ready === NEED) {
      this.fetch(t)
      return
    }
    if (ready < 0) {
      if (ready === -E.NOSYS) this.unknown.set(nr, (this.unknown.get(nr) ?? 0) + 1)
      this.conclude(t, ready)
      return
    }
    const maskCell = maskCellOf(nr)
    if (nr === FUTEX_CALL && !this.futexes.mayWake(t)) return
    if (maskCell >= 0 && high(t.message, maskCell) === 8) this.pushMask(t, maskCell)
    const service = serviceOf(nr)
    t.i32[(t.base + CH.DST) >> 2] = this.c.kernel.resolve(t.proc, service)
    this.settle(t, service)
  }
  /** Send the message of the call in hand, and go on by its answer. */
  settle(t: Thread, service: number): void {
    const { kernel } = this.c
    const proc = t.proc
    const lent = t.lenders.length
    const result = kernel.call(proc, service)
    if (result === ASK.FUTEX) this.futexes.change(t)
    else if (result === ASK.LAST_WORDS) this.futexes.lastWords(t)
    else if (result !== SUSPEND) this.conclude(t, result)
    else if (t.proc === proc) {
      if (t.state === STATE.CALL) {
        this.c.processes.setState(t, STATE.BLOCKED)
        this.c.processes.park(t)
      }
      if (t.nr === FUTEX_CALL) this.futexes.waits(t)
      if (kernel.marked(proc)) kernel.interrupt(proc) // a signal came before the call could block
    } else if (t.lenders.length > lent) this.conclude(t, 0) // the vfork child starts
  }

  /** Order the inputs decode found missing. */
  private fetch(t: Thread): void {
    const w = t.wants
    t.nops = 0
    for (let i = 0; i < w.count; i++) {
      const kind = w.kind[i]
      const code = kind === WANT.STRING ? OP.COPYINSTR : OP.COPYIN
      pushOp(t, code, w.address[i], (w.offset[i] as number) - t.base, w.asked[i], 0, 0, 0, kind === WANT.PARTIAL ? OPFLAG.FAILOK : 0)
    }
    t.after = AFTER.DECODE
    this.postReply(t, THEN.POST)
  }

  /** The stub ran the operations of a THEN.POST reply; `failed` is the first that failed, or -1. */
  private resume(t: Thread, failed: number): void {
    if (t.after === AFTER.ERRAND) this.c.errands.done(t)
    else if (t.after === AFTER.PENDING) this.c.errands.ready(t, failed)
    else if (t.after === AFTER.LOCAL) this.runLocal(t, failed)
    else if (t.after === AFTER.DECODE) {
      if (failed >= 0) {
        t.nops = 0
        const why = opResult(t, failed)
        this.conclude(t, why === -E.NAMETOOLONG ? why : -E.FAULT)
      } else {
        for (let i = 0; i < t.wants.count; i++) t.wants.length[i] = opResult(t, i)
        t.nops = 0
        t.pass++
        this.send(t)
      }
    } else if (t.after === AFTER.FUTEX) this.futexes.looked(t)
    else if (t.after === AFTER.SWAP) this.futexes.changed(t)
    else if (t.after === AFTER.WORDS) this.futexes.wordsSaid(t)
    else if (t.direct > 0 && failed >= 0) this.readAgain(t)
    else if (t.after === AFTER.READ) {
      t.direct = DIRECT.NONE
      t.nops = 0
      this.conclude(t, t.result)
    } else if (failed >= 0 && (t.after === AFTER.CHANGES || t.after === AFTER.HOLD)) this.faults.finalOpFailed(t, failed)
    else if (t.after === AFTER.CHANGES) {
      t.nops = 0
      this.boundary(t)
    } else if (t.after === AFTER.HOLD) this.c.holds.held(t)
    else if (failed >= 0) {
      t.done -= t.outs.asked
      this.shorten(t, undelivered(t, failed))
    } else {
      t.direct = DIRECT.NONE
      t.nops = 0
      t.outs.count = 0
      resetWindow(t)
      t.pass = 0
      this.send(t)
    }
  }

  /** The guest's memory did not take the last `missing` bytes of a read. */
  shorten(t: Thread, missing: number): void {
    const result = delivered(t, missing)
    if (unread(t, t.message, missing)) this.c.kernel.call(t.proc, SLOT.FS)
    t.outs.more = false
    t.nops = 0
    this.conclude(t, result)
  }

  /** Run t.localCall from its first step: a first process's image. */
  startLocal(t: Thread): void {
    t.step = 0
    t.local = null
    t.nops = 0
    t.outs.count = 0
    resetWindow(t)
    this.runLocal(t, -1)
  }
  runLocal(t: Thread, failed: number): void {
    const proc = t.proc
    const local = t.localCall as LocalCall
    if (failed < 0) t.nops = 0
    const r = local(this.c, t, failed)
    const now = this.c.threadOf[proc] ?? t
    now.localCall = local
    if (this.c.tracer !== null && now.proc >= 0) this.c.tracer.progress(now)
    if (r !== MORE) now.local = null
    if (r === SUSPEND) {
      if (now.proc === proc && now.state === STATE.CALL) this.c.processes.setState(now, STATE.BLOCKED)
    } else if (r === MORE) {
      now.after = AFTER.LOCAL
      this.postReply(now, THEN.POST)
    } else if (r === RESUME) {
      now.regs = REGS.ALL
      now.nr = -1
      fixTail(now)
      this.conclude(now, 0)
    } else this.conclude(now, r)
  }

  /** The call in hand has its result. Signals first, then the reply. */
  conclude(t: Thread, result: number): void {
    t.result = result
    this.c.kernel.run()
    if (t.proc < 0) return
    if (t.nr === POLL_CALL && result === -E.RESTARTNOHAND) t.left = timeLeft(t)
    if (moreChunks(t, result)) {
      copyOuts(t, result)
      t.after = AFTER.CHUNK
      this.postReply(t, THEN.POST)
      return
    }
    if (t.direct > 0 && this.c.kernel.marked(t.proc)) {
      t.result = result // read first: a signal frame can't be taken back
      t.after = AFTER.READ
      this.postReply(t, THEN.POST)
      return
    }
    t.result = wholeResult(t, result)
    const outs = t.nops
    copyOuts(t, result)
    if (t.masked) this.popMask(t)
    if (t.forking >= 0) this.c.lifecycle.finishFork(t, result, outs)
    if (this.c.kernel.marked(t.proc) || this.c.traced.showsEnd(t)) this.boundary(t)
    else this.release(t)
  }

  /** ppoll and its like wait with a signal mask of their own. */
  private pushMask(t: Thread, cell: number): void {
    this.saved.set(t.message)
    const offset = int(this.saved, cell)
    t.message[TYPE] = PM.MASKPUSH
    setGrant(t.message, 0, offset, 8)
    this.c.kernel.call(t.proc, SLOT.PM)
    t.message.set(this.saved)
    t.masked = true
  }
  private popMask(t: Thread): void {
    t.masked = false
    if (t.result === -E.RESTARTNOHAND || t.result === -E.INTR) return // SIGREADY puts the old mask into the frame
    t.message[TYPE] = PM.MASKPOP
    this.c.kernel.call(t.proc, SLOT.PM)
  }

  /** PM is asked what signals there are before the guest goes on. */
  private boundary(t: Thread): void {
    const outputs = t.outs.pushed > 0 && t.forking < 0 && t.regs === REGS.RESULT
    if ((t.changes && (t.host as HostProcess).members.length > 1) || (t.nops > 0 && (outputs || this.c.traced.isTraced(t)))) {
      // it may stop now; what others do with the address space must not wait for it, and a tracer sees what is done. An output that can't
      // be written is EFAULT: behind a signal frame it would be taken for a frame that can't be
      t.after = AFTER.CHANGES
      this.postReply(t, THEN.POST)
      return
    }
    const proc = t.proc
    const inCall = t.nr >= 0 && t.regs !== REGS.ALL
    if (inCall) setReg(t, REG.RAX, t.result)
    this.c.kernel.takeMark(proc)
    const m = t.message
    m[TYPE] = PM.SIGREADY
    setLong(m, 0, t.result)
    setInt(m, 1, inCall ? 1 : 0)
    setInt(m, 2, this.c.traced.showsEnd(t) ? 1 : 0)
    t.callEnds = false
    this.toManager(t, proc)
  }
  toManager(t: Thread, proc: number): void {
    this.c.processes.setState(t, STATE.READY)
    const r = this.c.kernel.call(proc, SLOT.PM)
    if (r === ASK.LAST_WORDS) this.futexes.lastWords(t)
    else if (r !== SUSPEND && t.proc === proc) this.ready(t)
  }
  /** PM has answered SIGREADY or FAULT: go on. */
  private ready(t: Thread): void {
    this.c.kernel.run()
    if (t.proc < 0) return
    const traced = this.c.traced.isTraced(t)
    if (t.entering) this.c.traced.entered(t)
    else if ((traced && t.nops > 0) || (this.c.kernel.marked(t.proc) && (traced || t.regs !== REGS.ALL))) this.boundary(t)
    else this.release(t)
  }

  /** The host-side reply to the event in hand: run on. */
  release(t: Thread): void {
    const result = t.result
    const r = -result
    if (t.nr >= 0 && this.c.tracer !== null) this.c.tracer.exit(t, t.nr, result)
    if (this.c.watch[t.proc] !== 0) {
      if (this.c.holds.holds(t)) return
      this.c.traced.step(t)
    }
    if (t.patch !== 0 && t.nops < 50 && t.forking < 0) pushPatch(this.c, t)
    if (t.nr >= 0 && t.regs !== REGS.ALL && r >= E.RESTARTSYS && r <= E.RESTART_RESTARTBLOCK) {
      restart(t)
      this.postReply(t, THEN.REGS)
      return
    }
    t.left = -1
    if (t.regs === REGS.RESULT && t.nr >= 0) {
      put64(t, t.base + CH.RET, result)
      this.postReply(t, THEN.RETURN)
    } else {
      if (t.regs === REGS.RESULT_AND_ALL) setReg(t, REG.RAX, result)
      this.postReply(t, THEN.REGS)
    }
  }

  /** Hand the reply over. Operations on an address space several threads share run in the order they were decided in: VM has given
   *  away again what an earlier one is yet to unmap. */
  postReply(t: Thread, then: number): void {
    t.u32[(t.base + CH.NOPS) >> 2] = t.nops
    t.nops = 0
    this.order(t, then, t.changes)
  }
  /** The same with `count` operations of an errand; what is being built for the reply stays. */
  postAside(t: Thread, count: number, changes: boolean): void {
    t.u32[(t.base + CH.NOPS) >> 2] = count
    t.after = AFTER.ERRAND
    this.order(t, THEN.ASIDE, changes)
  }
  private order(t: Thread, then: number, changes: boolean): void {
    const p = t.host as HostProcess
    t.u32[(t.base + CH.THEN) >> 2] = then
    t.then = then
    if (changes) {
      if (p.members.length > 1 && (p.changes.length > 0 || this.changing(p))) {
        p.changes.push(t)
        this.c.processes.changing.add(p)
        return
      }
      p.changer = t
      t.u32[(t.base + CH.OPDONE) >> 2] = UNDONE
    }
    this.handOver(t)
  }
  /** Sequence number last; wake the guest if it sleeps. */
  private handOver(t: Thread): void {
    const goesOn = t.then < THEN.POST
    if (t.then !== THEN.ASIDE) t.changes = false
    if (goesOn) {
      this.futexes.runsOn(t)
      this.c.processes.allowances.runs(t.host as HostProcess)
    }
    this.c.processes.setState(t, goesOn ? STATE.RUNNING : STATE.OPS)
    Atomics.store(t.i32, (t.base + CH.KSEQ) >> 2, t.seq)
    if (Atomics.load(t.i32, (t.base + CH.GSLEEP) >> 2) !== 0) host.futexWake(t.arena.address + t.base + CH.KSEQ)
  }
  /** Are the last change's operations still running? */
  private changing(p: HostProcess): boolean {
    const t = p.changer
    if (t !== null && Atomics.load(t.i32, (t.base + CH.OPDONE) >> 2) === (UNDONE | 0)) return true
    p.changer = null
    return false
  }
  /** Replies that waited for it go out, as far as they may. */
  nextChange(p: HostProcess): void {
    while (p.changes.length > 0 && !this.changing(p)) {
      const t = p.changes.shift() as Thread
      p.changer = t
      t.u32[(t.base + CH.OPDONE) >> 2] = UNDONE
      this.handOver(t)
      // a signal that came meanwhile found it neither running nor in a call
      if (t.then < THEN.POST && (this.c.kernel.marked(t.proc) || this.c.watch[t.proc] !== 0)) this.c.lifecycle.interruptSoon(t)
    }
    if (p.changes.length === 0) this.c.processes.changing.delete(p)
  }

  /** The stub could not read all that was there (or some of the buffer is not): as if nothing had been, and then the slow way. */
  readAgain(t: Thread): void {
    if (rewind(t, t.message, t.direct)) this.c.kernel.call(t.proc, SLOT.FS)
    if (t.after === AFTER.CHUNK && t.then === THEN.POST) t.done -= t.direct
    t.direct = DIRECT.REFUSED
    t.nops = 0
    t.pass = 0
    t.regs = REGS.RESULT
    t.outs.count = 0
    resetWindow(t)
    this.send(t)
  }

  /** A server answered a blocked call (Container.complete), or PM let a stopped guest go on. */
  answered(proc: number): void {
    const t = this.c.threadOf[proc]
    if (!t) return // a vfork parent: its thread comes back later
    const late = this.c.lateResults.get(proc)
    if (late !== undefined) {
      t.result = late
      this.c.lateResults.delete(proc)
    }
    if (t.rest >= 0) t.restAnswered = true
    else if (t.state === STATE.BLOCKED) {
      this.c.processes.setState(t, STATE.CALL)
      if (t.result === ASK.FUTEX) this.futexes.begin(t)
      else if (t.result === ASK.LAST_WORDS) this.futexes.lastWords(t)
      else this.conclude(t, this.futexes.outcome(t))
    } else if (t.state === STATE.OPS && t.futex === FUTEX.LOOKING) t.futex = FUTEX.ENDED
    else if (t.state === STATE.READY) {
      if (t.answer === ASK.LAST_WORDS) this.futexes.lastWords(t)
      else this.ready(t)
    }
  }
}

/** Message cell with the signal mask a call waits with, or -1: pselect6, ppoll, epoll_pwait, epoll_pwait2. */
function maskCellOf(nr: number): number {
  return nr === 270 ? 5 : nr === 271 ? 3 : nr === 281 || nr === 441 ? 4 : -1
}

/** Registers so that the guest issues its call again. */
export function restart(t: Thread): void {
  setReg(t, REG.RAX, t.nr)
  setReg(t, REG.RIP, getU64(t, t.base + CH.RESTART))
}
