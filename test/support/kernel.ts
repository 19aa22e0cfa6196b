// A kernel with a clock the test turns, and processes the test drives: what a container would do, by hand.

import { TRAPS } from '../../src/abi/ipc.ts'
import { type Message, message, setInt, TYPE } from '../../src/abi/message.ts'
import type { Container } from '../../src/kernel/container.ts'
import { createKernel, type KernelImage } from '../../src/kernel/kernel.ts'
import type { KernelOptions, Privileges } from '../../src/kernel/types.ts'
import type { CallVector, Server, Sys } from '../../src/lib/server.ts'

export const ALL: Privileges = { ipcTo: 'all', kernelCalls: 'all', traps: TRAPS.SERVER }

export class TestContainer implements Container {
  /** What the kernel asked for, in order: [method, ...arguments]. */
  readonly asked: (readonly [string, ...number[]])[] = []
  /** Completed operations, oldest first: [slot, result]. */
  readonly completed: [slot: number, result: number][] = []
  /** Answers of fork; the others answer 0. */
  forkResult = 0
  fork(parent: number, child: number, flags: number, stack: number, tls: number): number {
    this.asked.push(['fork', parent, child, flags, stack, tls])
    return this.forkResult
  }
  clear(slot: number): void {
    this.asked.push(['clear', slot])
  }
  interrupt(slot: number): void {
    this.asked.push(['interrupt', slot])
  }
  complete(slot: number, result: number): void {
    this.completed.push([slot, result])
  }
  sigsend(slot: number, sigmsg: number): number {
    this.asked.push(['sigsend', slot, sigmsg])
    return 0
  }
  vmctl(slot: number, ...rest: number[]): number {
    this.asked.push(['vmctl', slot, ...rest])
    return 0
  }
  fileRead(): number {
    return -11
  }
  times(slot: number, out: Float64Array): number {
    out[0] = slot
    out[1] = 2 * slot
    return 0
  }
  getContext(slot: number, at: number): number {
    this.asked.push(['getContext', slot, at])
    return 0
  }
  setContext(slot: number, at: number): number {
    this.asked.push(['setContext', slot, at])
    return 0
  }
  trace(slot: number, request: number): number {
    this.asked.push(['trace', slot, request])
    return 0
  }
  errand(slot: number, ...rest: number[]): number {
    this.asked.push(['errand', slot, ...rest])
    return 0
  }
}

export class TestKernel {
  now = 0
  real = 1_000_000
  readonly kernel: KernelImage
  readonly container = new TestContainer()
  readonly log: string[] = []
  readonly arena = new ArrayBuffer(1 << 20)

  constructor(options: Partial<KernelOptions> = {}) {
    this.kernel = createKernel({
      arena: this.arena,
      serverBuffers: 0,
      monotonic: () => this.now,
      realtime: () => this.real + this.now,
      random: target => target.fill(7),
      diag: text => this.log.push(text),
      ...options,
    })
  }
  /** Adds a server and returns its Sys. */
  server(
    slot: number,
    calls: CallVector | ((sys: Sys) => CallVector),
    extra: Partial<Server> = {},
    privileges = ALL,
  ): Sys {
    const made: { sys?: Sys } = {}
    this.kernel.addServer(slot, privileges, sys => {
      made.sys = sys
      return { name: `server${slot}`, calls: typeof calls === 'function' ? calls(sys) : calls, ...extra }
    })
    if (made.sys === undefined) throw new Error('addServer did not make it')
    return made.sys
  }
  /** A process in `domain`, driven by this test → its slot. */
  process(privileges?: Privileges, domain = 0): number {
    const proc = this.kernel.lookup(this.kernel.create(domain))
    this.kernel.setContainer(proc, this.container)
    if (privileges !== undefined) this.kernel.setPrivileges(proc, privileges)
    return proc
  }
  /** Writes a message into the buffer of `proc`. */
  fill(proc: number, type: number, ...cells: number[]): Message {
    return fill(this.kernel.messageOf(proc), type, ...cells)
  }
  /** call() with a message made of these. */
  call(proc: number, slot: number, type: number, ...cells: number[]): number {
    this.fill(proc, type, ...cells)
    return this.kernel.call(proc, slot)
  }
  ipc(proc: number, op: number, endpoint: number, type?: number, ...cells: number[]): number {
    if (type !== undefined) this.fill(proc, type, ...cells)
    return this.kernel.ipc(proc, op, endpoint)
  }
  endpoint(proc: number): number {
    return this.kernel.endpoint(proc)
  }
}

export function fill(m: Message, type: number, ...cells: number[]): Message {
  m.fill(0)
  m[TYPE] = type
  cells.forEach((cell, k) => {
    setInt(m, k, cell)
  })
  return m
}
export function make(type: number, ...cells: number[]): Message {
  return fill(message(), type, ...cells)
}
