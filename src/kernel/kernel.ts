// The kernel: its tables and tasks put together behind the Kernel interface (types.ts). A synchronous message switch: given the same
// arrivals and the same readings of the host's clock it does the same thing. No I/O, no clock of its own, nothing allocated per message.
import { E } from '../abi/errno.ts'
import { TRAPS } from '../abi/ipc.ts'
import { ANY, EP, FIRST_GUEST, type Message, SLOT, SLOTS } from '../abi/message.ts'
import type { Server, Sys } from '../lib/server.ts'
import { Clock } from './clock.ts'
import type { Container } from './container.ts'
import { Dispatch } from './dispatch.ts'
import { DomainTable } from './domain.ts'
import { Interruption } from './interruption.ts'
import { Ipc } from './ipc.ts'
import { Panic } from './panic.ts'
import { Post } from './post.ts'
import { PrivilegeTable, staticPriv, USER_PRIV } from './privilege.ts'
import { BLOCKED, FREE, HANDLED, MARKED, ProcessTable, SERVER } from './process.ts'
import { SERVER_BUFFER, ServerSys } from './sys.ts'
import { System } from './system.ts'
import { Task } from './task.ts'
import { Trace } from './trace.ts'
import type { Account, Kernel, KernelOptions, Privileges } from './types.ts'
import { VectorTable } from './vector.ts'

const PROCS = 2048
/** Most deliveries of one run(): servers that never stop talking to each other must not keep guests waiting for ever. */
const RUN_MAX = 4096

const GUEST: Privileges = { ipcTo: 'servers', kernelCalls: [], traps: TRAPS.GUEST }

/** Stands for the container of a process that has none: it can't be forked or touched, and hears nothing. */
const NOBODY: Container = {
  fork: () => -E.NOSYS,
  clear() {},
  interrupt() {},
  complete() {},
  sigsend: () => -E.NOSYS,
  vmctl: () => -E.NOSYS,
  fileRead: () => -E.NOSYS,
  times: () => -E.NOSYS,
  getContext: () => -E.NOSYS,
  setContext: () => -E.NOSYS,
  trace: () => -E.NOSYS,
  errand: () => -E.NOSYS,
}

export function createKernel(options: KernelOptions): KernelImage {
  return new KernelImage(options)
}

/** Kernel, with what the machine itself may turn: the clock and the trace. */
export class KernelImage implements Kernel {
  readonly procs: number
  readonly clock: Clock
  readonly trace = new Trace()
  private readonly t: ProcessTable
  private readonly privs = new PrivilegeTable()
  private readonly domains = new DomainTable()
  private readonly vectors: VectorTable
  private readonly post: Post
  private readonly interruption: Interruption
  private readonly dispatch: Dispatch
  private readonly ipcs: Ipc
  private readonly system: System
  private readonly options: KernelOptions
  private buffers = 0

  constructor(options: KernelOptions) {
    this.options = options
    this.procs = options.procs ?? PROCS
    this.clock = new Clock(options)
    this.t = new ProcessTable(this.procs, NOBODY)
    this.vectors = new VectorTable(this.procs)
    this.post = new Post(this.t, this.privs, this.clock, this.trace)
    this.interruption = new Interruption(this.t, this.post, this.trace)
    this.dispatch = new Dispatch(this.t, this.privs, this.vectors, this.post, this.interruption, this.trace)
    this.ipcs = new Ipc(this.t, this.privs, this.domains, this.post, this.dispatch, this.trace)
    this.system = new System(
      this.t,
      this.privs,
      this.domains,
      this.vectors,
      this.clock,
      this.trace,
      this.post,
      this.interruption,
      options,
    )
    this.dispatch.attach(new Task(this.t, this.privs, this.clock, this.system, how => options.abort?.(how)))
    this.privs.set(USER_PRIV, options.guestPrivileges ?? GUEST, slot => this.system.privOf(slot))
    this.domains.set(0, SLOT.SYSTEM, EP.SYSTEM)
    this.domains.set(0, SLOT.CLOCK, EP.CLOCK)
  }

  // -- set-up --

  addServer(slot: number, privileges: Privileges, make: (sys: Sys) => Server): void {
    if (!(slot >= 0 && slot < FIRST_GUEST) || this.t.flags[slot] !== FREE)
      throw new RangeError(`server slot ${slot} is taken or not one`)
    const buffer = this.options.serverBuffers + this.buffers * SERVER_BUFFER
    if (buffer + SERVER_BUFFER > this.options.arena.byteLength)
      throw new RangeError('no room in the arena for another server')
    this.buffers++
    this.t.take(slot)
    this.t.flags[slot] = SERVER
    this.t.priv[slot] = this.privs.allocate(slot)
    this.system.setPrivileges(slot, privileges)
    this.vectors.add(
      slot,
      make(new ServerSys(slot, this.t.endpoints[slot], buffer, this.dispatch, this.system, this.clock)),
    )
  }
  createDomain(parent: number): number {
    return this.domains.exists(parent) ? this.domains.create(parent) : -E.INVAL
  }
  destroyDomain(domain: number): number {
    if (!this.domains.exists(domain) || domain === 0) return -E.INVAL
    if (this.domains.hasChildren(domain) || this.populated(domain)) return -E.BUSY
    this.domains.destroy(domain)
    return 0
  }
  private populated(domain: number): boolean {
    for (let proc = 0; proc < this.t.top; proc++)
      if (this.t.flags[proc] !== FREE && this.t.domain(proc) === domain) return true
    return false
  }
  setSlot(domain: number, slot: number, endpoint: number): void {
    if (!this.domains.exists(domain) || !(slot >= 0 && slot < SLOTS))
      throw new RangeError(`no slot ${slot} in domain ${domain}`)
    if (endpoint === ANY) this.domains.inherit(domain, slot)
    else this.domains.set(domain, slot, endpoint)
  }
  resolve(proc: number, slot: number): number {
    return this.domains.routes[this.t.base[proc] + slot]
  }
  endpoint(proc: number): number {
    return this.t.endpoints[proc]
  }
  lookup(endpoint: number): number {
    const slot = this.t.slot(endpoint)
    return slot < 0 ? -E.DEADSRCDST : slot
  }
  /** Waits for a server that has put its call aside. */
  blocked(endpoint: number): boolean {
    const slot = this.t.slot(endpoint)
    return slot >= 0 && (this.t.flags[slot] & BLOCKED) !== 0 && (this.t.flags[slot] & HANDLED) === 0
  }
  create(domain: number): number {
    return this.system.create(domain)
  }
  clear(endpoint: number): number {
    return this.system.clear(endpoint)
  }
  setContainer(proc: number, container: Container): void {
    this.t.containers[proc] = container
  }
  setPrivileges(proc: number, privileges: Privileges): number {
    return this.system.setPrivileges(proc, privileges)
  }

  // -- messages --

  call(proc: number, slot: number): number {
    return this.ipcs.call(proc, slot)
  }
  ipc(proc: number, op: number, endpoint: number): number {
    return this.ipcs.trap(proc, op, endpoint)
  }
  messageOf(proc: number): Message {
    return this.t.messages[proc]
  }
  run(): number {
    const { post, dispatch, clock } = this
    if (dispatch.running >= 0) return 0 // from inside a handler: the outer loop will come by
    let left = RUN_MAX
    do {
      for (let id = clock.expire(); id >= 0; id = clock.expire())
        post.notify(staticPriv(EP.CLOCK), EP.CLOCK, this.privs.slots[id])
      while (!post.work.empty && left-- > 0) dispatch.deliver(post.work.shift())
    } while (left > 0 && clock.left() === 0)
    if (!post.work.empty) return 0
    this.t.recycle() // everybody has heard of those who are gone
    return clock.left()
  }
  done(client: number, id: number, result: number, at: number, bytes: number): void {
    this.system.done(client, id, result, at, bytes)
  }
  raise(proc: number, lines: number): void {
    this.privs.intPending[this.t.priv[proc]] |= lines
    this.post.notify(staticPriv(EP.HARDWARE), EP.HARDWARE, proc)
  }
  interrupt(proc: number): void {
    this.interruption.interrupt(proc)
  }
  takeMark(proc: number): boolean {
    const marked = (this.t.flags[proc] & MARKED) !== 0
    this.t.flags[proc] &= ~MARKED
    return marked
  }
  marked(proc: number): boolean {
    return (this.t.flags[proc] & MARKED) !== 0
  }

  // -- accounts --

  setCpuTimes(proc: number, user: number, system: number): void {
    this.t.user[proc] = user
    this.t.system[proc] = system
  }
  account(proc: number): Account {
    const { t } = this
    return {
      processes: t.flags[proc] === FREE ? 0 : 1,
      sent: t.sent[proc],
      received: t.received[proc],
      kernelCalls: t.kernelCalls[proc],
    }
  }
  domainAccount(domain: number): Account {
    const [sent, received, kernelCalls, processes] = this.domains.ended[domain] ?? [0, 0, 0, 0]
    const sum = { processes, sent, received, kernelCalls }
    for (let proc = 0; proc < this.t.top; proc++) {
      if (this.t.flags[proc] === FREE || this.t.domain(proc) !== domain) continue
      const own = this.account(proc)
      sum.processes++
      sum.sent += own.sent
      sum.received += own.received
      sum.kernelCalls += own.kernelCalls
    }
    return sum
  }
  unlisted(): { server: string; type: number; count: number }[] {
    return this.vectors.unlisted()
  }
  panic(cause: unknown): Panic {
    const slot = this.dispatch.running
    if (cause instanceof Panic) return cause
    return slot < 0
      ? new Panic('kernel', undefined, cause)
      : new Panic(this.vectors.servers[slot]?.name ?? `slot ${slot}`, this.t.messages[slot], cause)
  }
}
