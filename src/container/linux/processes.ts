// Host processes under the guests: channel slots in the arena, the pool of empty processes, births approved one by one, deaths reported
// by the launcher. A host process is never trusted: its pid comes from the launcher or from socket credentials, never from its channel.
import { CH, INFO, SLOT_BYTES, THREADS_MAX } from '../../abi/channel.ts'
import { message, type Message } from '../../abi/message.ts'
import * as host from '../../host/host.ts'
import { type FileRegisters, forgetFiles, newFileRegisters } from './direct.ts'
import { newOutList, newWantList, type OutList, type ThreadView, type WantList } from './operands.ts'
import type { Errand } from './errand.ts'
import { type Allowance, Allowances, inherit, newAllowance } from './allowance.ts'
import type { Arena, LocalCall } from './thread.ts'

/** Where a host thread stands. RUNNING: in guest code. CALL: we hold its event. BLOCKED: a server will answer. READY: its SIGREADY is
 *  with PM. OPS: carrying out operations after which it posts again. EXITING: told to end, or killed. HELD: would go on in the guest and
 *  may not (WATCH.HELD): its registers are complete, no call is in hand. */
export const STATE = { FREE: 0, POOL: 1, RUNNING: 2, CALL: 3, BLOCKED: 4, READY: 5, OPS: 6, EXITING: 7, HELD: 8 } as const

/** Linux.watch, by process-table slot: HELD may not go on in the guest; TEXT somebody looks at its text, so no call site is rewritten;
 *  TRACED by another guest, which wants to see the begin and end of its CALLS, or its next STEP. */
export const WATCH = { HELD: 1, TEXT: 2, TRACED: 4, CALLS: 8, STEP: 16 } as const

/** Thread.after: what a thread that carries out operations (state OPS) goes on with. */
export const AFTER = { DECODE: 1, LOCAL: 2, CHUNK: 3, FUTEX: 4, WORDS: 5, CHANGES: 6, READ: 7, HOLD: 8, ERRAND: 9, PENDING: 10, SWAP: 11 } as const

/** Thread.regs: which registers the reply sets. */
export const REGS = { RESULT: 0, RESULT_AND_ALL: 1, ALL: 2 } as const

/** A vfork parent whose thread is lent to its child: what is needed to go on when it comes back. */
export interface Lender { proc: number; message: Message; registers: Uint8Array; nr: number; orig: number }

/** One host process. Its first thread has slot 0; the others come and go (clone with CLONE_VM). */
export interface HostProcess {
  pid: number // 0 until known from a trusted source
  control: number // our end of its control socket
  memfd: number // its channel memory
  room: number // thread slots it has memory for; the guest's mapping is of all there can be
  members: Thread[] // host threads with a place in the arena; one that has been told to end is none
  /** Thread slots: FREE_SLOT, USED_SLOT, or the host thread id of one that was told to end: free as soon as that is gone. Null: slot 0 only. */
  slots: Int32Array | null
  sites: Float64Array // call sites that trapped: address by hash …
  hits: Uint8Array // … and how often; 255: never patch
  patches: number // next trampoline
  trampolines: { behind: number; pattern: number }[] // by index: address behind the syscall instruction; PATTERN.* (0: not known)
  tails: Map<number, number> // patched sites whose return address moved: behind the syscall instruction → trampoline tail
  /** Its last reply changes the address space and may still be at it; others that do wait in `changes`, in order of decision. */
  changer: Thread | null
  changes: Thread[]
  /** Who forked it; until it has shown itself (bornBy, monotonic ms) nobody knows whether it came. 0: it has, or comes from the launcher. */
  parent: HostProcess | null
  bornBy: number
  memory: Allowance
  killAt: number // monotonic ms after which an ending process is killed; 0: not ending; -1: as soon as its pid is known
}
const FREE_SLOT = 0
const USED_SLOT = -1
const ESRCH = -3

export class Thread implements ThreadView {
  readonly mem: Uint8Array
  readonly i32: Int32Array
  readonly u32: Uint32Array
  readonly view: DataView
  proc = -1
  message: Message = message()
  readonly outs: OutList = newOutList()
  readonly wants: WantList = newWantList()
  pass = 0
  bump = 0
  end = 0
  nr = -1
  step = 0
  local: unknown = null
  nops = 0
  state: number = STATE.FREE
  /** Sequence number of the last event taken from the channel. */
  seq = 0
  host: HostProcess | null = null
  /** Which of its host process's thread slots. */
  slot = 0
  /** Host thread id, looked at once and checked; 0: not known yet. */
  tid = 0
  /** Ends at its next event: its process is no more, or runs elsewhere. */
  dying = false
  /** The reply being built changes the address space (or copies it). */
  changes = false
  /** What a reply that has to wait for others' changes is followed by (THEN.*). */
  then = 0
  /** Bytes the reply being built has the stub read by itself; or DIRECT.*. */
  direct = 0
  /** Descriptors it was given for that. */
  readonly files: FileRegisters = newFileRegisters()
  /** A futex wait whose word is looked at again: FUTEX.* of futexes.ts. */
  futex = 0
  /** The dispatcher's count of futex wake-ups when this thread last ran on. */
  wakes = 0
  left = -1
  marked = 0
  /** PM's answer to SIGREADY, when it came late. */
  answer = 0
  /** Failed attempts to interrupt it. */
  attempts = 0
  readonly lenders: Lender[] = []
  /** Result of the call in hand while signals are looked at. */
  result = 0
  /** Bytes done by earlier chunks of a long transfer. */
  done = 0
  /** What EV.OPDONE means: AFTER.*. */
  after = 0
  /** Which registers the reply sets: REGS.*. */
  regs = 0
  /** Address of a call site to patch with the next reply; 0: none. */
  patch = 0
  localCall: LocalCall | null = null
  /** Waits with a signal mask of the call's own (PM.MASKPUSH). */
  masked = false
  /** Where the child of a fork wants its thread id (CLONE_CHILD_SETTID); 0: nowhere. */
  childTid = 0
  /** Op index of a PATCH whose outcome hasn't been read yet, or -1. */
  patchOp = -1
  patchSite = 0
  patchIndex = 0
  /** Signal frames pushed at this boundary (signal.ts). */
  frames = 0
  /** An interrupt is on its way. */
  interrupting = false
  /** A child's CLONE op is in the list: the child's process-table slot, or -1. */
  forking = -1
  /** How it is made: OP.CLONE or OP.THREAD. */
  birth = 0
  /** Prepared for a birth that hasn't been ordered yet. */
  prepared = false
  /** Give the thread back to its lender at the next event (its borrower was killed while running). */
  giveBack = false
  /** What others want done (errand.ts), and the state it goes back to while it is at that; -1: it isn't. */
  errands: Errand[] = []
  rest = -1
  /** For tracers: number of the call it made last, -1 after anything else (Linux's orig_rax); its end has not been shown at a boundary;
   *  it stands before that call (PM.CALLREADY); the trap flag is set for a step, not by the guest. */
  orig = -1
  callEnds = false
  entering = false
  stepping = false
  /** Its wait was answered meanwhile. */
  restAnswered = false
  constructor(
    readonly arena: Arena,
    readonly index: number,
    public base: number,
  ) {
    this.mem = arena.mem
    this.i32 = arena.i32
    this.u32 = arena.u32
    this.view = arena.view
  }
}

/** The state a thread is in, or will be in again when its errands are done. */
export function stateOf(t: Thread): number {
  return t.rest >= 0 ? t.rest : t.state
}

export interface ProcessesOptions {
  arena: Arena
  slots: number
  /** Processors of the host. */
  cpus: number
  /** Arena offset of our mapping of the info page. */
  info: number
  poolSize: number
}

/** Letters of the launcher's messages, see native/launcher.c. */
export const LAUNCHER = { READY: 0x4c, MADE: 0x50, ENDED: 0x58, ERROR: 0x45, SPAWN: 0x53, QUIT: 0x51 } as const
/** Pause loops a guest spins (INFO.SPIN): when a processor is free for it, and when not. */
const GUEST_SPIN_ALONE = 1000
const GUEST_SPIN_CROWDED = 100
const pair = new Int32Array(2)
const SPARES = 2

export class HostProcesses {
  /** By arena index, as they are first used. */
  readonly threads: Thread[] = []
  readonly hosts = new Set<HostProcess>()
  /** Arena indices of threads that may post (RUNNING or OPS), dense. */
  readonly active: Int32Array
  activeCount = 0
  private readonly place: Int32Array // index in active, or -1
  private readonly free: number[] = []
  private readonly pool: Thread[] = []
  readonly byPid = new Map<number, HostProcess>()
  launcherPid = 0
  control = -1
  listener = -1
  readonly waitingForPid: HostProcess[] = []
  /** Births ordered and not yet seen by the listener: threads whose CLONE or THREAD op is out. */
  readonly births: Thread[] = []
  /** Approved forks whose children have not shown themselves. */
  readonly unborn = new Set<HostProcess>()
  readonly exiting = new Set<HostProcess>()
  readonly interruptLater = new Set<Thread>()
  /** Host processes with replies waiting in `changes`. */
  readonly changing = new Set<HostProcess>()
  readonly allowances = new Allowances(this)

  constructor(readonly options: ProcessesOptions) {
    this.active = new Int32Array(options.slots)
    this.place = new Int32Array(options.slots).fill(-1)
    for (let i = options.slots - 1; i >= 0; i--) this.free.push(i)
  }

  setState(t: Thread, state: number): void {
    t.state = state
    const may = state === STATE.RUNNING || state === STATE.OPS
    const at = this.place[t.index] as number
    if (may && at < 0) {
      this.place[t.index] = this.activeCount
      this.active[this.activeCount++] = t.index
    } else if (!may && at >= 0) {
      const last = this.active[--this.activeCount] as number
      this.active[at] = last
      this.place[last] = at
      this.place[t.index] = -1
    }
  }
  /** A call waits for who knows how long: its guest need not spin for the reply, and until the kernel side has nothing to do the others sleep
   *  at once too: their processor is wanted by whoever this one waits for (a pipe's ping-pong takes 14 µs so, 31 when they spin). */
  park(t: Thread): void {
    t.i32[(t.base + CH.PARK) >> 2] = t.seq
    this.spin(0)
  }
  /** Nothing to do for the moment: guests may poll for replies again, shortly when there are as many as processors. */
  unpark(): void {
    this.spin(this.activeCount > 0 && this.activeCount < this.options.cpus ? GUEST_SPIN_ALONE : GUEST_SPIN_CROWDED)
  }
  private spin(loops: number): void {
    if (this.spins === loops) return
    this.spins = loops
    this.options.arena.i32[(this.options.info + INFO.SPIN) >> 2] = loops
  }
  private spins = 0

  // ---- coming ----

  /** A new host process record with fresh channel memory and a control socket, and its first thread; `guest` is the socket end to hand
   *  over. Null when slots or host memory run out. One made ahead of time if there is one. */
  newChannel(): { thread: Thread; guest: number } | null {
    const made = this.spares.pop() ?? this.makeChannel()
    if (made !== null) this.hosts.add(made.thread.host as HostProcess)
    return made
  }
  /** Channels for births to come, made while nothing else is to do: two, one at a time. */
  readonly spares: { thread: Thread; guest: number }[] = []
  makeSpare(): void {
    if (this.spares.length >= SPARES) return
    const made = this.makeChannel()
    if (made !== null) this.spares.push(made)
  }
  dropSpares(): void {
    for (const { thread, guest } of this.spares.splice(0)) {
      host.close(guest)
      this.hosts.add(thread.host as HostProcess)
      this.release(thread.host as HostProcess)
    }
  }
  private makeChannel(): { thread: Thread; guest: number } | null {
    const memfd = host.memfd('mol-channel', SLOT_BYTES)
    if (memfd < 0 || host.socketpair(pair) < 0) {
      if (memfd >= 0) host.close(memfd)
      return null
    }
    const [mine, guest] = [pair[0] as number, pair[1] as number]
    const p: HostProcess = {
      pid: 0, control: mine, memfd, room: 1, members: [], slots: null, sites: new Float64Array(64), hits: new Uint8Array(64), patches: 0,
      trampolines: [], tails: new Map(), changer: null, changes: [], parent: null, bornBy: 0, memory: newAllowance(), killAt: 0,
    }
    const thread = this.placeThread(p, 0)
    if (thread === null) {
      for (const fd of [memfd, mine, guest]) host.close(fd)
      return null
    }
    return { thread, guest }
  }

  /** An arena slot for thread slot k of p, as the stub expects it at a birth: it waits for reply 1 without having posted. */
  private placeThread(p: HostProcess, k: number): Thread | null {
    const { arena } = this.options
    const index = this.free.pop()
    if (index === undefined) return null
    this.threads[index] ??= new Thread(arena, index, index * SLOT_BYTES)
    const t = this.threads[index]
    if (k >= p.room) {
      p.room = Math.max(k + 1, 2 * p.room)
      host.truncate(p.memfd, p.room * SLOT_BYTES)
    }
    if (host.mapOver(arena.address + t.base, SLOT_BYTES, p.memfd, k * SLOT_BYTES) < 0) {
      this.free.push(index)
      return null
    }
    t.mem.fill(0, t.base, t.base + CH.REGS)
    t.i32[(t.base + CH.SEQ) >> 2] = 1
    t.seq = 1
    t.host = p
    t.slot = k
    t.tid = 0
    t.proc = -1
    t.lenders.length = 0
    t.giveBack = false
    t.dying = false
    t.prepared = false
    t.changes = false
    t.futex = 0
    forgetFiles(t)
    t.patchOp = -1
    t.patch = 0
    t.forking = -1
    t.wakes = 0
    t.masked = false
    t.interrupting = false
    t.attempts = 0
    t.errands.length = 0
    t.rest = -1
    t.restAnswered = false
    p.members.push(t)
    return t
  }

  /** Order an empty host process from the launcher. */
  private order(): boolean {
    const made = this.newChannel()
    if (made === null) return false
    const { thread, guest } = made
    const p = thread.host as HostProcess
    const sent = host.send(this.control, [p.memfd, guest], LAUNCHER.SPAWN)
    host.close(guest)
    if (sent < 0) {
      this.release(p)
      return false
    }
    this.setState(thread, STATE.POOL)
    this.waitingForPid.push(p)
    this.pool.push(thread)
    return true
  }
  /** Order empty processes until the pool is full, at most `most` of them. */
  fillPool(most = this.options.poolSize): void {
    for (let i = 0; i < most && this.pool.length < this.options.poolSize && this.order(); i++) {}
  }
  /** An empty host process standing by for its first reply. Null when the host has no more. */
  take(): Thread | null {
    if (this.pool.length === 0) this.order()
    return this.pool.shift() ?? null
  }
  get poolLow(): boolean {
    return this.pool.length < this.options.poolSize
  }

  /** Child channel for a fork of t: registers copied, so that the child wakes up where the parent's call returns. */
  prepareChild(t: Thread): { thread: Thread; guest: number } | null {
    const made = this.newChannel()
    if (made === null) return null
    const c = made.thread
    c.mem.copyWithin(c.base + CH.REGS, t.base + CH.REGS, t.base + CH.IN)
    const p = t.host as HostProcess
    const q = c.host as HostProcess
    q.sites.set(p.sites)
    q.hits.set(p.hits)
    q.patches = p.patches
    q.trampolines = p.trampolines.map(one => ({ ...one }))
    for (const [from, to] of p.tails) q.tails.set(from, to)
    q.parent = p
    q.memory = inherit(p.memory)
    return made
  }
  /** Place for a new thread in t's host process, registers copied. Null when there is none. */
  prepareThread(t: Thread): Thread | null {
    const p = t.host as HostProcess
    const k = this.freeSlot(p)
    if (k < 0) return null
    const c = this.placeThread(p, k)
    if (c === null) return null
    ;(p.slots as Int32Array)[k] = USED_SLOT
    c.mem.copyWithin(c.base + CH.REGS, t.base + CH.REGS, t.base + CH.IN)
    return c
  }
  private freeSlot(p: HostProcess): number {
    p.slots ??= new Int32Array(THREADS_MAX)
    for (let k = 1; k < THREADS_MAX; k++) {
      const was = p.slots[k] as number
      if (was === FREE_SLOT || (was > 0 && p.pid > 0 && host.tgkill(p.pid, was, 0) === ESRCH)) return k
    }
    return -1
  }

  // ---- who is who ----

  /** The trusted host pid of a thread's process; 0 when it is not up yet. */
  pidOf(t: Thread): number {
    return t.host === null ? 0 : this.pidOfHost(t.host)
  }
  pidOfHost(p: HostProcess): number {
    if (p.pid === 0 && !this.waitingForPid.includes(p)) {
      const pid = host.receiveCredentials(p.control)
      if (pid > 0 && !this.byPid.has(pid)) {
        p.pid = pid
        this.byPid.set(pid, p)
        this.unborn.delete(p)
        this.allowances.apply(p)
      }
    }
    return p.pid
  }
  /** Host thread id; 0 when not known yet. What the thread says of itself counts only if such a thread of that process is there and no
   *  other has claimed it: so a process can't have more threads than slots. */
  tidOf(t: Thread): number {
    if (t.tid !== 0) return t.tid
    const pid = this.pidOf(t)
    if (t.slot === 0) t.tid = pid
    else if (pid > 0) {
      const tid = t.i32[(t.base + CH.PID) >> 2] as number
      const p = t.host as HostProcess
      const taken = tid === pid || p.members.some(m => m.tid === tid) || (p.slots as Int32Array).includes(tid)
      if (tid > 0 && !taken && host.tgkill(pid, tid, 0) >= 0) t.tid = tid
    }
    return t.tid
  }
  /** Does any process still run in it, or wait to get a thread of it back? */
  inUse(p: HostProcess): boolean {
    return p.members.some(m => m.proc >= 0 || m.lenders.some(l => l.proc >= 0))
  }

  // ---- interrupting, ending ----

  /** Interrupt guest code. False when the thread can't be reached yet. */
  interrupt(t: Thread, signo: number): boolean {
    const tid = this.tidOf(t)
    if (tid > 0 && host.tgkill(this.pidOf(t), tid, signo) >= 0) {
      t.attempts = 0
      return true
    }
    return false
  }

  /** End a whole host process by force. */
  kill(p: HostProcess): void {
    const pid = this.pidOfHost(p)
    p.killAt = pid > 0 ? p.killAt || 1 : -1
    if (pid > 0) host.kill(pid, 9)
    this.exiting.add(p)
    for (const t of p.members) this.setState(t, STATE.EXITING)
  }

  /** A thread that has been told to end, alone: its arena slot is free at once, its slot in the process when it is gone. */
  releaseThread(t: Thread, born = true): void {
    const p = t.host
    if (p === null) return
    const tid = born ? this.tidOf(t) : FREE_SLOT
    if (p.slots !== null && t.slot > 0) p.slots[t.slot] = born && tid === 0 ? USED_SLOT : tid
    p.members.splice(p.members.indexOf(t), 1)
    if (p.changer === t) p.changer = null
    this.unplace(t)
  }
  private unplace(t: Thread): void {
    const { arena } = this.options
    this.setState(t, STATE.FREE)
    this.interruptLater.delete(t)
    for (const list of [this.pool, this.births]) {
      const at = list.indexOf(t)
      if (at >= 0) list.splice(at, 1)
    }
    const waits = t.host?.changes.indexOf(t) ?? -1
    if (waits >= 0) t.host?.changes.splice(waits, 1)
    t.proc = -1
    t.lenders.length = 0
    t.host = null
    host.unmapOver(arena.address + t.base, SLOT_BYTES)
    this.free.unshift(t.index)
  }

  /** Host process is gone (or never came): free what it had. */
  release(p: HostProcess): void {
    if (!this.hosts.delete(p)) return
    for (const t of p.members.splice(0)) this.unplace(t)
    this.exiting.delete(p)
    this.unborn.delete(p)
    this.changing.delete(p)
    const at = this.waitingForPid.indexOf(p)
    if (at >= 0) this.waitingForPid.splice(at, 1)
    if (p.pid > 0) this.byPid.delete(p.pid)
    host.close(p.control)
    host.close(p.memfd)
  }

  /** Host threads of p that nobody knows of: how many more there are than slots in use. Below 0: the host doesn't say. */
  strayThreads(p: HostProcess): number {
    const there = host.countThreads(p.pid)
    const slots = p.slots
    let known = 1
    for (let k = 1; slots !== null && k < THREADS_MAX; k++) if (slots[k] !== FREE_SLOT) known++
    return there < 0 ? there : there - known
  }
  /** Children of the launcher that are no guest we know of. */
  strayChildren(): number[] {
    for (const p of this.hosts) this.pidOfHost(p)
    return host.childrenOf(this.launcherPid).filter(pid => !this.byPid.has(pid))
  }

  /** Arena offset of the info page. */
  get info(): number {
    return this.options.info
  }
}
