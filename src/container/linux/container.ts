// The linux container: what the kernel asks of it (fork, clear, interrupt, memory operations…), and which host thread runs for which
// process. Not here: events and replies (dispatch.ts), how host processes come and go (processes.ts), the loop (loop.ts).
//
// Invariant: a host thread works for one process at a time (thread.proc). A vfork child borrows its parent's thread; the parent's
// registers wait in thread.lenders and it gets the thread back when the child execs or ends. A host process ends when none of its threads
// works for anybody, or waits to.
import { CH, OP, OPFLAG, REG } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { ulong } from '../../abi/message.ts'
import { CLONE } from '../../abi/clone.ts'
import { T } from '../../abi/ipc.ts'
import type { Container } from '../../kernel/container.ts'
import type { Kernel } from '../../kernel/types.ts'
import * as host from '../../host/host.ts'
import { DirectReads, forgetFiles } from './direct.ts'
import { Dispatcher, type Tracer } from './dispatch.ts'
import { Errands } from './errand.ts'
import { Holds } from './hold.ts'
import { Lifecycle } from './lifecycle.ts'
import { fixTail } from './patching.ts'
import { access, privateBytes, residence, usage } from './observe.ts'
import { REGS, type HostProcess, type HostProcesses, STATE, stateOf, type Thread } from './processes.ts'
import { SIGMSG } from '../../abi/signals.ts'
import { Traced } from './ptrace.ts'
import { sigsend } from './signal.ts'
import { getContext, setContext } from './state.ts'
import { type Arena, type GuestThread, type LinuxContainer, opsLeft, pushOp, resetWindow, setReg } from './thread.ts'

/** An approved child shows itself within this many ms. */
export const BIRTH_GRACE = 2000
/** ms a sum over all host processes is good for. */
const RESIDENT_FRESH = 100

export class Linux implements Container, LinuxContainer {
  readonly dispatcher: Dispatcher
  readonly lifecycle: Lifecycle
  readonly direct = new DirectReads()
  readonly errands: Errands
  readonly holds: Holds
  readonly traced: Traced
  /** Process-table slot → WATCH.* bits. */
  readonly watch: Uint8Array
  /** Process-table slot → its thread; null: none yet, or lent to a vfork child. */
  readonly threadOf: (Thread | null)[]
  /** Guests whose call was answered and whose reply has not gone out yet. */
  readonly answered: number[] = []
  readonly clockTick = 100
  tracer: Tracer | null = null
  /** With a tracer: the guest thread id it knows a slot's process by, or 0. */
  pidAt: (proc: number) => number = () => 0
  /** Rewrite hot call sites (tests and --no-patch turn it off). */
  patching = true

  constructor(
    readonly kernel: Kernel,
    readonly processes: HostProcesses,
    readonly arena: Arena,
    /** AT_HWCAP, AT_HWCAP2 and AT_MINSIGSTKSZ of the host. */
    readonly hwcap: number,
    readonly hwcap2: number,
    readonly minSigStack: number,
    /** Host monotonic time in ms. */
    readonly now: () => number,
  ) {
    this.threadOf = new Array<Thread | null>(kernel.procs).fill(null)
    this.dispatcher = new Dispatcher(this)
    this.lifecycle = new Lifecycle(this)
    this.errands = new Errands(this)
    this.holds = new Holds(this)
    this.traced = new Traced(this)
    this.watch = new Uint8Array(kernel.procs)
  }

  /** Give a process an empty host process of its own. */
  bind(proc: number): Thread | null {
    const t = this.processes.take()
    if (t === null) return null
    this.attach(t, proc)
    return t
  }
  attach(t: Thread, proc: number): void {
    t.proc = proc
    t.message = this.kernel.messageOf(proc)
    t.nr = -1
    t.regs = REGS.RESULT
    t.nops = 0
    t.forking = -1
    t.patch = 0
    t.masked = false
    t.outs.count = 0
    t.orig = -1
    t.callEnds = false
    t.entering = false
    t.stepping = false
    resetWindow(t)
    this.threadOf[proc] = t
    t.i32[(t.base + CH.PNR) >> 2] = proc
    t.i32[(t.base + CH.ENDPOINT) >> 2] = this.kernel.endpoint(proc)
    this.kernel.setContainer(proc, this)
    this.processes.setState(t, STATE.CALL)
  }

  // ---- what the kernel asks ----

  fork(parent: number, child: number, flags: number, stack: number, tls: number): number {
    const t = this.threadOf[parent]
    if (!t) return -E.SRCH
    this.kernel.setContainer(child, this)
    if ((flags & (CLONE.VM | CLONE.VFORK | CLONE.THREAD)) === (CLONE.VM | CLONE.VFORK)) return this.lend(t, parent, child, stack, tls, flags)
    if (opsLeft(t) < 8) return -E.NOMEM
    const c = flags & CLONE.VM ? this.makeThread(t) : this.makeChild(t)
    if (c === null) return -E.AGAIN
    this.attach(c, child)
    c.prepared = true
    c.orig = t.orig
    setReg(c, REG.RAX, 0)
    if (stack !== 0) setReg(c, REG.RSP, stack)
    if (flags & CLONE.SETTLS) pushOp(c, OP.SETFS, tls)
    c.childTid = flags & CLONE.CHILD_SETTID ? ulong(t.message, 3) : 0
    t.forking = child
    return 0
  }
  /** A host process for a fork of t; the operations that make it are in t's list then. */
  private makeChild(t: Thread): Thread | null {
    const made = this.processes.prepareChild(t)
    if (made === null) return null
    const c = made.thread
    const p = c.host as HostProcess
    const sent = host.sendFds((t.host as HostProcess).control, t.slot, [p.memfd, made.guest])
    host.close(made.guest)
    if (sent < 0) {
      this.processes.release(p)
      return null
    }
    pushOp(t, OP.RECVFD, 2, 0)
    pushOp(t, OP.CLONE)
    pushOp(t, OP.CLOSEFD, 0, 2)
    t.changes = true
    t.birth = OP.CLONE
    return c
  }
  /** A thread in t's host process. Its operation comes last in t's list: what the new thread may rely on is done before. */
  private makeThread(t: Thread): Thread | null {
    t.birth = OP.THREAD
    return this.processes.prepareThread(t)
  }

  private lend(t: Thread, parent: number, child: number, stack: number, tls: number, flags: number): number {
    const from = t.base + CH.REGS
    t.lenders.push({ proc: parent, message: t.message, registers: t.mem.slice(from, t.base + CH.IN), nr: t.nr, orig: t.orig })
    this.threadOf[parent] = null
    t.proc = child
    t.message = this.kernel.messageOf(child)
    this.threadOf[child] = t
    setReg(t, REG.RAX, 0)
    if (stack !== 0) setReg(t, REG.RSP, stack)
    if (flags & CLONE.SETTLS) pushOp(t, OP.SETFS, tls)
    t.regs = REGS.ALL
    return 0
  }

  /** The borrower is done with the thread: its parent stands again where it called vfork, still blocked in PM. Lenders that are no more
   *  are passed over; false when there is no other. */
  giveBack(t: Thread): boolean {
    this.errands.leave(t)
    if (t.proc >= 0 && this.threadOf[t.proc] === t) this.threadOf[t.proc] = null
    t.proc = -1
    t.giveBack = false
    let lender = t.lenders.pop()
    while (lender !== undefined && lender.proc < 0) lender = t.lenders.pop()
    if (lender === undefined) return false
    t.mem.set(lender.registers, t.base + CH.REGS)
    t.proc = lender.proc
    t.message = lender.message
    t.nr = lender.nr
    t.orig = lender.orig
    t.callEnds = true
    t.entering = false
    t.stepping = false
    t.nops = 0
    t.outs.count = 0
    t.regs = REGS.RESULT_AND_ALL
    fixTail(t)
    pushOp(t, OP.SETFS, fsBase(t))
    this.threadOf[lender.proc] = t
    this.processes.setState(t, STATE.BLOCKED)
    if (this.lateResults.has(lender.proc)) this.answered.push(lender.proc)
    return true
  }
  /** Children of the launcher nobody knows are looked at again when they have had time to show themselves: how many there are. */
  suspect(): number {
    const strangers = this.processes.strayChildren()
    for (const pid of strangers) if (!this.suspects.has(pid)) this.suspects.set(pid, this.now() + BIRTH_GRACE)
    return strangers.length
  }
  /** Host pid → when it is killed unless it is known by then (monotonic ms). */
  readonly suspects = new Map<number, number>()

  /** A vfork parent ended while its thread was lent. */
  private forgetLender(proc: number): void {
    this.lateResults.delete(proc)
    for (const t of this.processes.threads) for (const l of t.lenders) if (l.proc === proc) l.proc = -1
  }

  resumeAddress(g: GuestThread, rip: number): number {
    return (g as Thread).host?.tails.get(rip) ?? rip
  }

  /** Where other threads still run in its memory the new image gets a host process of its own; the old one's threads end as PM ends
   *  them, a borrowed one goes back. */
  imageThread(g: GuestThread): GuestThread {
    const t = g as Thread
    const p = t.host as HostProcess
    if (t.lenders.length === 0 && p.members.length === 1) {
      pushOp(t, OP.RESET)
      forgetFiles(t)
      p.sites.fill(0)
      p.hits.fill(0)
      p.patches = 0
      p.trampolines.length = 0
      p.tails.clear()
      return t
    }
    const fresh = this.processes.take()
    if (fresh === null) return t
    const { proc, nr, local, step, orig, callEnds } = t
    if (!this.giveBack(t)) this.lifecycle.endThread(t)
    this.attach(fresh, proc)
    fresh.nr = nr
    fresh.local = local
    fresh.step = step
    fresh.orig = orig
    fresh.callEnds = callEnds
    return fresh
  }

  clear(slot: number, status = 0): void {
    this.errands.drop(slot)
    this.watch[slot] = 0
    this.tracer?.gone(this.pidAt(slot), status)
    const t = this.threadOf[slot]
    this.threadOf[slot] = null
    if (!t || t.proc !== slot) this.forgetLender(slot)
    else if (t.lenders.some(l => l.proc >= 0)) {
      if (t.state === STATE.RUNNING || t.state === STATE.OPS) {
        t.giveBack = true
        t.proc = -1
        this.lifecycle.interruptSoon(t)
      } else this.giveBack(t)
    } else this.lifecycle.endThread(t)
  }

  interrupt(slot: number): void {
    const t = this.threadOf[slot]
    if (t && t.state === STATE.RUNNING) this.lifecycle.interruptSoon(t)
  }

  complete(slot: number, result: number): void {
    const t = this.threadOf[slot]
    if (t) {
      if (stateOf(t) === STATE.READY) t.answer = result // SIGREADY's isn't the call's
      else t.result = result
    } else this.lateResults.set(slot, result)
    this.answered.push(slot)
  }
  /** Results for vfork parents whose thread is still lent. */
  readonly lateResults = new Map<number, number>()

  sigsend(slot: number, sigmsg: number): number {
    const t = this.threadOf[slot]
    if (!t) return -E.SRCH
    const r = sigsend(this, t, sigmsg)
    if (r < 0) return r
    t.regs = REGS.ALL
    this.tracer?.signal(t, sigmsg + SIGMSG.INFO)
    return r
  }

  vmctl(slot: number, op: number, a0: number, a1: number, a2: number, a3: number, a4: number, file: number, offset: number): number {
    const t = this.threadOf[slot]
    if (!t) return -E.SRCH
    if (opsLeft(t) < 4) return -E.NOMEM
    t.changes = true
    if (file < 0) {
      const flags = op === OP.MADVISE && a3 !== 0 ? OPFLAG.FAILOK : 0
      pushOp(t, op, a0, a1, op === OP.MINCORE ? a2 - t.base : a2, a3, op === OP.MMAP ? -1 : a4, offset, flags)
      return 0
    }
    if (host.sendFds((t.host as HostProcess).control, t.slot, [file]) < 0) return -E.NOMEM
    pushOp(t, OP.RECVFD, 1, 0)
    pushOp(t, op, a0, a1, a2, a3, 0, offset)
    pushOp(t, OP.CLOSEFD, 0, 1)
    return 0
  }

  fileRead(slot: number, at: number, bytes: number, file: number, position: number): number {
    const t = this.threadOf[slot]
    return t ? this.direct.order(t, at, bytes, file, position) : -E.SRCH
  }

  peek(slot: number, address: number, to: number, bytes: number): number {
    const pid = this.hostPid(slot)
    return pid > 0 ? access(this.arena, pid, address, to, bytes, false) : -E.SRCH
  }
  poke(slot: number, address: number, from: number, bytes: number): number {
    const pid = this.hostPid(slot)
    return pid > 0 ? access(this.arena, pid, address, from, bytes, true) : -E.SRCH
  }
  usage(slot: number, at: number): number {
    const pid = this.hostPid(slot)
    const t = this.threadOf[slot]
    const tid = t ? this.processes.tidOf(t) : 0
    return pid > 0 ? usage(this.arena, pid, tid || pid, at) : -E.SRCH
  }
  allow(slot: number, mapped: number, charged: number): number {
    const t = this.threadOf[slot]
    if (!t) return -E.SRCH
    this.processes.allowances.allow(t.host as HostProcess, mapped, charged)
    return 0
  }
  excess(out: Float64Array): number {
    return this.processes.allowances.take(out)
  }
  residence(slot: number, at: number, rows: number): number {
    const pid = this.hostPid(slot)
    return pid > 0 ? residence(this.arena, pid, at, rows) : -E.SRCH
  }
  /** Bytes of all guests' private memory that are there, as of not long ago. */
  resident(): number {
    if (this.now() - this.counted.at > RESIDENT_FRESH) {
      let bytes = 0
      for (const pid of this.processes.byPid.keys()) bytes += privateBytes(pid)
      this.counted.bytes = bytes
      this.counted.at = this.now()
    }
    return this.counted.bytes
  }
  private readonly counted = { at: Number.NEGATIVE_INFINITY, bytes: 0 }
  /** Of a process whose thread is lent too; 0: there is none. */
  private hostPid(slot: number): number {
    const t = this.threadOf[slot] ?? this.processes.threads.find(other => other.lenders.some(l => l.proc === slot))
    return t ? this.processes.pidOf(t) : 0
  }

  times(slot: number, out: Float64Array): number {
    const t = this.threadOf[slot]
    out[0] = t ? this.cpuTime(t) : 0
    out[1] = 0
    return 0
  }

  /** Thread by thread where there were ever several, as far as the host says; else all is the one thread's. */
  private cpuTime(t: Thread): number {
    const pid = this.processes.pidOf(t)
    if (pid <= 0) return 0
    const p = t.host as HostProcess
    if (p.slots === null) return processTime(pid)
    const own = host.threadTime(pid, this.processes.tidOf(t))
    return own >= 0 ? own : p.members[0] === t ? processTime(pid) : 0
  }

  /** The host thread that runs for a process, or that its vfork child borrows. */
  carrier(slot: number): Thread | null {
    return this.threadOf[slot] ?? this.processes.threads.find(t => t.lenders.some(l => l.proc === slot)) ?? null
  }
  getContext(slot: number, at: number): number {
    const t = this.carrier(slot)
    return t === null ? -E.SRCH : getContext(t, slot, at)
  }
  setContext(slot: number, at: number): number {
    const t = this.threadOf[slot]
    return t ? setContext(t, at) : -E.AGAIN
  }
  errand(slot: number, what: number, address: number, bytes: number, from: number, prot: number, client: number, id: number): number {
    return this.errands.order(slot, what, address, bytes, from, prot, client, id)
  }
  trace(slot: number, request: number): number {
    return request === T.STOP || request === T.RESUME ? this.holds.trace(slot, request) : this.traced.trace(slot, request)
  }
}

const cpuClock = new Float64Array(2)
/** Processor time of a host process in ms, by its CPU clock (~pid << 3 | 2, see clock_getcpuclockid(3)). */
function processTime(pid: number): number {
  if (host.clockGettime((~pid << 3) | 2, cpuClock) < 0) return 0
  return (cpuClock[0] as number) * 1e3 + (cpuClock[1] as number) / 1e6
}
function fsBase(t: Thread): number {
  return t.view.getUint32(t.base + CH.FSBASE, true) + t.view.getUint32(t.base + CH.FSBASE + 4, true) * 4294967296
}
