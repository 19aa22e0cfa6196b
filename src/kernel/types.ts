// The kernel as containers and boot.ts see it (servers see lib/server.ts's Sys). Implemented by kernel.ts.
import type { Message } from '../abi/message.ts'
import type { Server, Sys } from '../lib/server.ts'
import type { Container } from './container.ts'

/** Privilege structure of a process (MINIX 3 kernel/priv.h). Guests share one. In ipcTo any number from FIRST_GUEST on stands for all
 *  processes that share the guests' structure; 'servers' is everybody but those. traps: bit 1 << trap number, see abi/ipc.ts (TRAPS.SERVER, TRAPS.GUEST). */
export interface Privileges {
  ipcTo: readonly number[] | 'all' | 'servers'
  kernelCalls: readonly number[] | 'all'
  traps: number
}

export interface HostClock {
  /** Host monotonic and real time in ms (doubles). The CLOCK task resynchronises with them. */
  monotonic(): number
  realtime(): number
  /** The last reading of monotonic(), without taking another: alarms are looked at with it. Absent: a fresh one. */
  recent?(): number
}

export interface KernelOptions extends HostClock {
  arena: ArrayBuffer
  random(target: Uint8Array): void
  /** Where in the arena servers' buffers lie: 64 KiB each, in order of registration. */
  serverBuffers: number
  diag?(text: string): void
  /** Size of the process table (default 2048, its most). */
  procs?: number
  /** What guests may do. Default: SENDREC to 'servers', no kernel calls. */
  guestPrivileges?: Privileges
  /** A server asked for the end of the machine (ABORT). */
  abort?(how: number): void
}

/** What a process or domain has done so far. */
export interface Account {
  processes: number
  sent: number
  received: number
  kernelCalls: number
}

export interface Kernel {
  readonly procs: number // table size
  /** Add a server or driver at a fixed slot; it gets its Sys at once. */
  addServer(slot: number, privileges: Privileges, make: (sys: Sys) => Server): void
  /** Root domain is 0. A slot not set is inherited: the very same endpoint. */
  createDomain(parent: number): number
  /** Ends a domain that has neither processes nor domains in it: 0, -EBUSY, -EINVAL. */
  destroyDomain(domain: number): number
  /** NONE closes the slot, ANY makes it inherited again. */
  setSlot(domain: number, slot: number, endpoint: number): void
  /** Endpoint behind a slot of the domain of process `proc`. */
  resolve(proc: number, slot: number): number
  endpoint(proc: number): number
  /** Process-table slot of a live endpoint, or -EDEADSRCDST. */
  lookup(endpoint: number): number
  /** As the kernel calls CREATE and CLEAR: a process with nothing in it → endpoint; its end. */
  create(domain: number): number
  clear(endpoint: number): number
  setContainer(proc: number, container: Container): void
  /** Gives process `proc` a privilege structure of its own: 0 or -ENOSPC. */
  setPrivileges(proc: number, privileges: Privileges): number
  /** A guest's SENDREC to the server behind `slot`, message in `messageOf(proc)`. Result, or SUSPEND: then container.complete() later.
   *  The message then holds the reply's cells (not after a SUSPEND). SUSPEND also when the guest was ended by its own call. */
  call(proc: number, slot: number): number
  /** IPC trap of a process: `op` one of abi/ipc.ts (or'ed with NON_BLOCKING), `endpoint` its partner or ANY or SELF, message in and out
   *  `messageOf(proc)`. 0, -errno, or SUSPEND: then container.complete(proc, 0 or -errno) later. */
  ipc(proc: number, op: number, endpoint: number): number
  messageOf(proc: number): Message
  /** Servers' pending work (notifications, queued sends, alarms due). Run after each guest event, before replies go out. Returns ms to the next alarm or Infinity. */
  run(): number
  /** For a container whose guest got blocked although it is marked: as sys.interrupt. */
  interrupt(proc: number): void
  /** The mark set by sys.mark/interrupt: SIGREADY is due. Reading clears it. */
  takeMark(proc: number): boolean
  marked(proc: number): boolean
  setCpuTimes?(proc: number, user: number, system: number): void
  /** Errand `id` of `client` is done; what it brought lies at arena offset `at` until run() has been called. */
  done(client: number, id: number, result: number, at: number, bytes: number): void
  /** A host event for the driver in `proc`: notification from HARDWARE with `lines` or'ed into cell 0. */
  raise(proc: number, lines: number): void
  account(proc: number): Account
  /** Of all processes of a domain, those that have ended too; of domains in it that have ended, not of those that live. */
  domainAccount(domain: number): Account
  /** Requests servers had no handler for (mol run --report). Type -1: not a message type at all. */
  unlisted(): { server: string; type: number; count: number }[]
  /** What a handler threw, made into the end of the machine. For the outermost loop, once. */
  panic(cause: unknown): Error
}
