// Sys for one server of this thread: its IPC and its kernel calls, each checked against the server's privileges and counted.
import { E } from '../abi/errno.ts'
import { ERRAND, RC } from '../abi/ipc.ts'
import { type Message, NONE } from '../abi/message.ts'
import type { Sys } from '../lib/server.ts'
import { SYS } from '../protocol/system.ts'
import type { Clock } from './clock.ts'
import type { Dispatch } from './dispatch.ts'
import type { System } from './system.ts'

export const SERVER_BUFFER = 0x10000

export class ServerSys implements Sys {
  readonly self: number
  readonly mem: Uint8Array
  readonly view: DataView
  readonly buffer: number
  readonly bufferSize = SERVER_BUFFER
  private readonly slot: number
  private readonly dispatch: Dispatch
  private readonly system: System
  private readonly clock: Clock

  constructor(slot: number, endpoint: number, buffer: number, dispatch: Dispatch, system: System, clock: Clock) {
    this.slot = slot
    this.self = endpoint
    this.buffer = buffer
    this.dispatch = dispatch
    this.system = system
    this.clock = clock
    this.mem = system.mem
    this.view = system.view
  }
  private may(number: number, about: number): boolean {
    return this.system.permit(this.slot, number, about)
  }

  sendrec(dst: number, m: Message): number {
    return this.dispatch.request(this.slot, dst, m)
  }
  senda(dst: number, m: Message): number {
    return this.dispatch.senda(this.slot, dst, m)
  }
  notify(dst: number): number {
    return this.dispatch.notify(this.slot, dst)
  }
  reply(dst: number, result: number): number {
    return this.dispatch.reply(this.slot, dst, result)
  }

  fork(parent: number, flags: number, stack: number, tls: number): number {
    return this.may(SYS.FORK, parent) ? this.system.fork(parent, flags, stack, tls) : -E.CALLDENIED
  }
  create(domain: number): number {
    return this.may(SYS.CREATE, NONE) ? this.system.create(domain) : -E.CALLDENIED
  }
  clear(endpoint: number, status = 0): number {
    return this.may(SYS.CLEAR, endpoint) ? this.system.clear(endpoint, status) : -E.CALLDENIED
  }
  kill(endpoint: number, signo: number): number {
    return this.may(SYS.KILL, endpoint) ? this.system.kill(endpoint, signo) : -E.CALLDENIED
  }
  getksig(out: Int32Array): number {
    return this.may(SYS.GETKSIG, NONE) ? this.system.getksig(out) : -E.CALLDENIED
  }
  endksig(endpoint: number): number {
    return this.may(SYS.ENDKSIG, endpoint) ? this.system.endksig(endpoint) : -E.CALLDENIED
  }
  interrupt(endpoint: number): number {
    return this.may(SYS.RUNCTL, endpoint) ? this.system.runctl(endpoint, RC.INTERRUPT) : -E.CALLDENIED
  }
  mark(endpoint: number): number {
    return this.may(SYS.RUNCTL, endpoint) ? this.system.runctl(endpoint, RC.MARK) : -E.CALLDENIED
  }
  sigsend(endpoint: number, sigmsg: number): number {
    return this.may(SYS.SIGSEND, endpoint) ? this.system.sigsend(endpoint, sigmsg) : -E.CALLDENIED
  }
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
    return this.may(SYS.VMCTL, endpoint)
      ? this.system.vmctl(endpoint, op, a0, a1, a2, a3, a4, file, offset)
      : -E.CALLDENIED
  }
  fileRead(endpoint: number, at: number, bytes: number, file: number, position: number): number {
    return this.may(SYS.FILEREAD, endpoint) ? this.system.fileRead(endpoint, at, bytes, file, position) : -E.CALLDENIED
  }
  getContext(endpoint: number, at: number): number {
    return this.may(SYS.GETMCONTEXT, endpoint) ? this.system.getContext(endpoint, at) : -E.CALLDENIED
  }
  setContext(endpoint: number, at: number): number {
    return this.may(SYS.SETMCONTEXT, endpoint) ? this.system.setContext(endpoint, at) : -E.CALLDENIED
  }
  trace(endpoint: number, request: number): number {
    return this.may(SYS.TRACE, endpoint) ? this.system.traceProcess(endpoint, request) : -E.CALLDENIED
  }
  copyFrom(endpoint: number, address: number, bytes: number, prot: number, id: number): number {
    return this.errand(SYS.SAFECOPYFROM, endpoint, ERRAND.COPYIN, address, bytes, 0, prot, id)
  }
  copyTo(endpoint: number, address: number, from: number, bytes: number, prot: number, id: number): number {
    return this.errand(SYS.SAFECOPYTO, endpoint, ERRAND.COPYOUT, address, bytes, from, prot, id)
  }
  getExtended(endpoint: number, id: number): number {
    return this.errand(SYS.GETXCONTEXT, endpoint, ERRAND.GETX, 0, 0, 0, -1, id)
  }
  setExtended(endpoint: number, from: number, bytes: number, id: number): number {
    return this.errand(SYS.SETXCONTEXT, endpoint, ERRAND.SETX, 0, bytes, from, -1, id)
  }
  ownText(endpoint: number, plain: boolean, id: number): number {
    return this.errand(SYS.OWNTEXT, endpoint, ERRAND.TEXT, plain ? 1 : 0, 0, 0, -1, id)
  }
  private errand(call: number, endpoint: number, what: number, address: number, bytes: number, from: number, prot: number, id: number): number {
    return this.may(call, endpoint) ? this.system.errand(this.slot, endpoint, what, address, bytes, from, prot, id) : -E.CALLDENIED
  }
  peek(endpoint: number, address: number, to: number, bytes: number): number {
    return this.may(SYS.PEEK, endpoint) ? this.system.peek(endpoint, address, to, bytes) : -E.CALLDENIED
  }
  poke(endpoint: number, address: number, from: number, bytes: number): number {
    return this.may(SYS.POKE, endpoint) ? this.system.poke(endpoint, address, from, bytes) : -E.CALLDENIED
  }
  usage(endpoint: number, at: number): number {
    return this.may(SYS.USAGE, endpoint) ? this.system.usage(endpoint, at) : -E.CALLDENIED
  }
  residence(endpoint: number, at: number, rows: number): number {
    return this.may(SYS.RESIDENCE, endpoint) ? this.system.residence(endpoint, at, rows) : -E.CALLDENIED
  }
  allow(endpoint: number, mapped: number, charged: number): number {
    return this.may(SYS.ALLOW, endpoint) ? this.system.allow(endpoint, mapped, charged) : -E.CALLDENIED
  }
  excess(out: Float64Array): number {
    return this.may(SYS.EXCESS, NONE) ? this.system.excess(out) : NONE
  }
  setalarm(ms: number): number {
    return this.may(SYS.SETALARM, NONE) ? this.system.setalarm(this.slot, ms) : -E.CALLDENIED
  }
  // Reading the time is no kernel call: MINIX 3.3 keeps it in the kernel information page, which everybody can read.
  monotonic(): number {
    return this.clock.monotonic()
  }
  realtime(): number {
    return this.clock.realtime()
  }
  settime(ms: number): number {
    if (!this.may(SYS.SETTIME, NONE)) return -E.CALLDENIED
    this.clock.setRealtime(ms)
    return 0
  }
  times(endpoint: number, out: Float64Array): number {
    return this.may(SYS.TIMES, endpoint) ? this.system.times(endpoint, out) : -E.CALLDENIED
  }
  random(offset: number, bytes: number): void {
    if (this.may(SYS.GETINFO, NONE)) this.system.random(offset, bytes)
  }
  diag(text: string): void {
    if (this.may(SYS.DIAGCTL, NONE)) this.system.diag(text)
  }
}
