// SYSTEM: the kernel calls (MINIX 3's, <minix/com.h>), each a method that checks everything first, then acts. Servers of this thread make
// them through Sys (sys.ts), other system processes by message (task.ts); both ask permit() before. A dead endpoint is EDEADSRCDST.
import { E } from '../abi/errno.ts'
import { RC, RESIDENCE, USAGE } from '../abi/ipc.ts'
import { CONTEXT } from '../abi/context.ts'
import { EP, FIRST_GUEST, message, NONE, setGrant, setInt, setLong, TYPE } from '../abi/message.ts'
import { COMMON_CALL } from '../protocol/common.ts'
import type { Clock } from './clock.ts'
import type { DomainTable } from './domain.ts'
import type { Interruption } from './interruption.ts'
import type { Post } from './post.ts'
import { type PrivilegeTable, staticPriv, USER_PRIV } from './privilege.ts'
import { type ProcessTable, SERVER, SIG_PENDING, SIGNALED } from './process.ts'
import { EVENT, type Trace } from './trace.ts'
import type { KernelOptions, Privileges } from './types.ts'
import type { VectorTable } from './vector.ts'

const SIGNALS = 64

export class System {
  readonly mem: Uint8Array
  readonly view: DataView
  private readonly t: ProcessTable
  private readonly privs: PrivilegeTable
  private readonly domains: DomainTable
  private readonly vectors: VectorTable
  private readonly clock: Clock
  private readonly trace: Trace
  private readonly post: Post
  private readonly interruption: Interruption
  private readonly options: KernelOptions
  private readonly obituary = message()
  private readonly news = message()

  constructor(
    t: ProcessTable,
    privs: PrivilegeTable,
    domains: DomainTable,
    vectors: VectorTable,
    clock: Clock,
    trace: Trace,
    post: Post,
    interruption: Interruption,
    options: KernelOptions,
  ) {
    this.t = t
    this.privs = privs
    this.domains = domains
    this.vectors = vectors
    this.clock = clock
    this.trace = trace
    this.post = post
    this.interruption = interruption
    this.options = options
    this.mem = new Uint8Array(options.arena)
    this.view = new DataView(options.arena)
  }

  /** Counts a kernel call of `proc`, and may it make it? */
  permit(proc: number, number: number, about: number): boolean {
    const granted = this.privs.mayCall(this.t.priv[proc], number)
    this.t.kernelCalls[proc]++
    if (this.trace.on)
      this.trace.put(EVENT.KERNEL_CALL, this.t.endpoints[proc], about, number, granted ? 0 : -E.CALLDENIED)
    return granted
  }

  // -- processes --

  create(domain: number): number {
    if (!this.domains.exists(domain)) return -E.INVAL
    const slot = this.t.allocate(domain)
    return slot < 0 ? -E.AGAIN : this.t.endpoints[slot]
  }
  fork(parent: number, flags: number, stack: number, tls: number): number {
    const { t } = this
    const from = t.slot(parent)
    if (from < 0) return -E.DEADSRCDST
    const child = t.allocate(t.domain(from))
    if (child < 0) return -E.AGAIN
    t.containers[child] = t.containers[from]
    const made = t.containers[from].fork(from, child, flags, stack, tls)
    if (made < 0) {
      t.release(child) // nobody has heard of it
      return made
    }
    if (this.trace.on) this.trace.put(EVENT.BORN, parent, t.endpoints[child], 0, 0)
    return t.endpoints[child]
  }
  /** The process is no more: its host side, its partners' waits, its rows with every server that asked to be told. */
  clear(endpoint: number, status = 0): number {
    const { t } = this
    const proc = this.process(endpoint)
    if (proc < 0) return proc
    t.containers[proc].clear(proc, status)
    this.interruption.disconnect(proc)
    this.setUser(proc)
    const ended = this.domains.ended[t.domain(proc)]
    ended[0] += t.sent[proc]
    ended[1] += t.received[proc]
    ended[2] += t.kernelCalls[proc]
    ended[3]++
    t.release(proc)
    if (this.trace.on) this.trace.put(EVENT.GONE, endpoint, NONE, 0, 0)
    this.obituary[TYPE] = COMMON_CALL.GONE
    setInt(this.obituary, 0, endpoint)
    for (const server of this.vectors.mourners) this.post.post(server, EP.SYSTEM, this.obituary)
    return 0
  }
  /** Slot of a process that is not part of this thread, or -errno. */
  process(endpoint: number): number {
    const proc = this.t.slot(endpoint)
    if (proc < 0) return -E.DEADSRCDST
    return (this.t.flags[proc] & SERVER) !== 0 ? -E.PERM : proc
  }

  // -- kernel signals: cause, fetch, end (MINIX 3 kernel/system/do_kill.c, do_getksig.c, do_endksig.c) --

  kill(endpoint: number, signo: number): number {
    const { t } = this
    const proc = this.process(endpoint)
    if (proc < 0) return proc
    if (!(signo >= 1 && signo <= SIGNALS)) return -E.INVAL
    if (signo <= 32) t.sigLow[proc] |= 1 << (signo - 1)
    else t.sigHigh[proc] |= 1 << (signo - 33)
    if ((t.flags[proc] & SIGNALED) !== 0) return 0
    t.flags[proc] |= SIGNALED | SIG_PENDING
    if ((t.flags[EP.PM] & SERVER) === 0) return 0 // no signal manager yet: it will find the signal
    this.privs.sigPending[t.priv[EP.PM]] = 1
    return this.post.notify(staticPriv(EP.SYSTEM), EP.SYSTEM, EP.PM)
  }
  getksig(out: Int32Array): number {
    const { t } = this
    for (let proc = 0; proc < t.top; proc++) {
      if ((t.flags[proc] & SIGNALED) === 0) continue
      out[0] = t.sigLow[proc]
      out[1] = t.sigHigh[proc]
      t.sigLow[proc] = 0
      t.sigHigh[proc] = 0
      t.flags[proc] &= ~SIGNALED // the manager is at work: SIG_PENDING stays until ENDKSIG
      return t.endpoints[proc]
    }
    return NONE
  }
  endksig(endpoint: number): number {
    const { t } = this
    const proc = t.slot(endpoint)
    if (proc < 0) return -E.DEADSRCDST
    if ((t.flags[proc] & SIG_PENDING) === 0) return -E.INVAL
    if ((t.flags[proc] & SIGNALED) === 0) t.flags[proc] &= ~SIG_PENDING
    return 0
  }
  runctl(endpoint: number, action: number): number {
    const proc = this.process(endpoint)
    if (proc < 0) return proc
    if (action === RC.INTERRUPT) this.interruption.interrupt(proc)
    else if (action === RC.MARK) this.interruption.mark(proc)
    else return -E.INVAL
    return 0
  }
  sigsend(endpoint: number, sigmsg: number): number {
    const proc = this.process(endpoint)
    return proc < 0 ? proc : this.t.containers[proc].sigsend(proc, sigmsg)
  }

  // -- memory and registers of processes --

  vmctl(
    endpoint: number,
    op: number,
    a0: number,
    a1: number,
    a2: number,
    a3: number,
    a4: number,
    file: number,
    offset: number,
  ): number {
    const proc = this.process(endpoint)
    return proc < 0 ? proc : this.t.containers[proc].vmctl(proc, op, a0, a1, a2, a3, a4, file, offset)
  }
  fileRead(endpoint: number, at: number, bytes: number, file: number, position: number): number {
    const proc = this.process(endpoint)
    return proc < 0 ? proc : this.t.containers[proc].fileRead(proc, at, bytes, file, position)
  }
  getContext(endpoint: number, at: number): number {
    const proc = this.process(endpoint)
    if (proc < 0) return proc
    return this.holdsContext(at) ? this.t.containers[proc].getContext(proc, at) : -E.FAULT
  }
  setContext(endpoint: number, at: number): number {
    const proc = this.process(endpoint)
    if (proc < 0) return proc
    return this.holdsContext(at) ? this.t.containers[proc].setContext(proc, at) : -E.FAULT
  }
  private holdsContext(at: number): boolean {
    return at % 8 === 0 && this.inArena(at, CONTEXT.BYTES)
  }
  traceProcess(endpoint: number, request: number): number {
    const proc = this.process(endpoint)
    return proc < 0 ? proc : this.t.containers[proc].trace(proc, request)
  }
  /** Takes an errand on, for the process or server in slot `client`. */
  errand(client: number, endpoint: number, what: number, address: number, bytes: number, from: number, prot: number, id: number): number {
    const proc = this.process(endpoint)
    if (proc < 0) return proc
    if (!this.inArena(from, bytes)) return -E.FAULT
    return this.t.containers[proc].errand(proc, what, address, bytes, from, prot, this.t.endpoints[client], id)
  }
  done(client: number, id: number, result: number, at: number, bytes: number): void {
    const to = this.t.slot(client)
    if (to < 0) return
    const m = this.news
    m.fill(0)
    m[TYPE] = COMMON_CALL.DONE
    setInt(m, 0, id)
    setLong(m, 1, result)
    setGrant(m, 2, at, bytes)
    this.post.post(to, EP.SYSTEM, m)
  }

  // -- looking at a process --

  peek(endpoint: number, address: number, to: number, bytes: number): number {
    const proc = this.process(endpoint)
    if (proc < 0) return proc
    return this.inArena(to, bytes) ? (this.t.containers[proc].peek?.(proc, address, to, bytes) ?? -E.NOSYS) : -E.FAULT
  }
  poke(endpoint: number, address: number, from: number, bytes: number): number {
    const proc = this.process(endpoint)
    if (proc < 0) return proc
    return this.inArena(from, bytes) ? (this.t.containers[proc].poke?.(proc, address, from, bytes) ?? -E.NOSYS) : -E.FAULT
  }
  usage(endpoint: number, at: number): number {
    const proc = this.process(endpoint)
    if (proc < 0) return proc
    return this.inArena(at, USAGE.BYTES) ? (this.t.containers[proc].usage?.(proc, at) ?? -E.NOSYS) : -E.FAULT
  }
  residence(endpoint: number, at: number, rows: number): number {
    const proc = this.process(endpoint)
    if (proc < 0) return proc
    if (!this.inArena(at, rows * RESIDENCE.BYTES)) return -E.FAULT
    return this.t.containers[proc].residence?.(proc, at, rows) ?? -E.NOSYS
  }
  // -- memory --

  allow(endpoint: number, mapped: number, charged: number): number {
    const proc = this.process(endpoint)
    return proc < 0 ? proc : (this.t.containers[proc].allow?.(proc, mapped, charged) ?? -E.NOSYS)
  }
  excess(out: Float64Array): number {
    for (const container of new Set(this.t.containers)) {
      const proc = container.excess?.(out) ?? -1
      if (proc >= 0) return this.t.endpoints[proc]
    }
    return NONE
  }
  inArena(offset: number, bytes: number): boolean {
    return offset >= 0 && bytes >= 0 && offset + bytes <= this.mem.length
  }

  // -- clock --

  setalarm(proc: number, ms: number): number {
    this.clock.setAlarm(this.t.priv[proc], ms)
    return 0
  }
  /** CPU times of a process in ms, by its container or as the kernel was told. */
  times(endpoint: number, out: Float64Array): number {
    const { t } = this
    const proc = t.slot(endpoint)
    if (proc < 0) return -E.DEADSRCDST
    if (t.containers[proc].times(proc, out) >= 0) return 0
    out[0] = t.user[proc]
    out[1] = t.system[proc]
    return 0
  }

  // -- privileges --

  setPrivileges(proc: number, privileges: Privileges): number {
    const id = this.ownPriv(proc)
    if (id < 0) return id
    this.privs.set(id, privileges, slot => this.privOf(slot))
    return 0
  }
  /** Privilege id a slot in Privileges.ipcTo stands for. */
  privOf(slot: number): number {
    return slot < FIRST_GUEST ? staticPriv(slot) : USER_PRIV
  }
  ownPriv(proc: number): number {
    const { t, privs } = this
    if (t.priv[proc] !== USER_PRIV) return t.priv[proc]
    const id = privs.allocate(proc)
    if (id < 0) return -E.NOSPC
    t.priv[proc] = id
    return id
  }
  /** Back to the structure all guests share. */
  setUser(proc: number): void {
    const id = this.t.priv[proc]
    if (id === USER_PRIV) return
    this.clock.setAlarm(id, -1)
    this.privs.release(id)
    this.t.priv[proc] = USER_PRIV
  }

  // -- information --

  diag(text: string): void {
    this.options.diag?.(text)
  }
  random(offset: number, bytes: number): void {
    this.options.random(this.mem.subarray(offset, offset + bytes))
  }
}
