// A Sys in memory, for unit tests of one server: an arena of 1 MiB, settable time, everything the server asks for recorded.
// sendrec goes to stub handlers by destination and type. Not a kernel: no privileges, no queues, nothing is delivered by itself.
//
//   const sys = new FakeSys(EP.FS)
//   const server = sys.attach(makeFs(sys))
//   sys.stub(EP.PM, { [PM.GETJOB]: () => 7 })
//   const result = sys.call(FS.OPEN, guest, [AT_FDCWD, sys.grant('/etc/passwd'), 0, 0])

import { E } from '../../src/abi/errno.ts'
import {
  high,
  int,
  type Message,
  message,
  NONE,
  NOTIFY_MESSAGE,
  SOURCE,
  setGrant,
  setLong,
  slotOf,
  TYPE,
} from '../../src/abi/message.ts'
import { USAGE } from '../../src/abi/ipc.ts'
import type { CallVector, Server, Sys } from '../../src/lib/server.ts'

/** A piece of the fake arena, as it goes into a cell. */
export interface Grant {
  readonly offset: number
  readonly length: number
}
/** What a cell may be given as; null is a null pointer (grant of length 0). */
export type Cell = number | Grant | null
export type Recorded = readonly [name: string, ...args: unknown[]]
export interface Sent {
  readonly dst: number
  readonly type: number
  readonly m: Message
}

const ARENA_BYTES = 1 << 20
const BUFFER_BYTES = 0x10000

export class FakeSys implements Sys {
  readonly mem = new Uint8Array(ARENA_BYTES)
  readonly view = new DataView(this.mem.buffer)
  readonly buffer = 0
  readonly bufferSize = BUFFER_BYTES
  /** Every method called, in order, as [name, ...arguments]; empty it with `calls.length = 0`. */
  readonly calls: Recorded[] = []
  /** Messages queued by senda, oldest first. */
  readonly sent: Sent[] = []
  /** Answers given to suspended callers, oldest first: [endpoint, result]. */
  readonly replies: [endpoint: number, result: number][] = []
  readonly notified: number[] = []
  readonly log: string[] = []
  /** Virtual monotonic time in ms; set it, or use advance(). Real time is `epoch` later. */
  now = 1000
  epoch = 1_700_000_000_000
  /** When the alarm is due, or Infinity. */
  alarm = Number.POSITIVE_INFINITY
  /** Results of kernel calls and of reply/senda/notify, by method name; a missing one answers 0 (fork and create: a new endpoint). */
  readonly results: Record<string, number | ((...args: number[]) => number)> = {}
  /** Kernel signals for getksig: [endpoint, mask low, mask high], oldest first. */
  readonly ksigs: [endpoint: number, low: number, high: number][] = []
  /** CPU times by endpoint: [user, system] in ms. */
  readonly cpu = new Map<number, [number, number]>()
  /** A process's memory for copyTo: what was written, as [address, bytes]. */
  readonly copied: [address: number, bytes: Uint8Array][] = []
  /** What was allowed last: [mapped, charged]. */
  readonly allowed = new Map<number, [mapped: number, charged: number]>()
  /** For excess(): oldest first. */
  readonly excesses: [endpoint: number, bytes: number][] = []
  readonly self: number
  private server: Server | undefined
  private readonly stubs = new Map<number, CallVector>()
  private top = BUFFER_BYTES
  private nextEndpoint = 40

  constructor(self: number) {
    this.self = self
  }

  // -- the test's side --

  /** The server under test, for call() and advance(). */
  attach<S extends Server>(server: S): S {
    this.server = server
    return server
  }
  /** Handlers that stand in for the server at `dst`; added to those already there. */
  stub(dst: number, calls: CallVector): void {
    this.stubs.set(dst, { ...this.stubs.get(dst), ...calls })
  }
  /** Puts a string (latin1), bytes, or `n` zero bytes into the arena → a grant for exactly that. */
  grant(content: string | Uint8Array | number): Grant {
    const length = typeof content === 'number' ? content : content.length
    const offset = this.top
    this.top += (length + 15) & ~7
    if (this.top > ARENA_BYTES) throw new Error('FakeSys: arena full; call release()')
    this.mem.fill(0, offset, this.top)
    if (typeof content === 'string') for (let i = 0; i < length; i++) this.mem[offset + i] = content.charCodeAt(i)
    else if (typeof content !== 'number') this.mem.set(content, offset)
    return { offset, length }
  }
  /** Forget all grants made so far. */
  release(): void {
    this.top = BUFFER_BYTES
  }
  /** What a grant holds now: its first `bytes` bytes. */
  bytes(grant: Grant, bytes = grant.length): Uint8Array {
    return this.mem.slice(grant.offset, grant.offset + bytes)
  }
  text(grant: Grant, bytes = grant.length): string {
    return Array.from(this.bytes(grant, bytes), b => String.fromCharCode(b)).join('')
  }
  /** A message of `type` with these cells. */
  message(type: number, cells: readonly Cell[] = []): Message {
    const m = message()
    m[TYPE] = type
    cells.forEach((cell, k) => {
      if (cell === null) setGrant(m, k, 0, 0)
      else if (typeof cell === 'number') setLong(m, k, cell)
      else setGrant(m, k, cell.offset, cell.length)
    })
    return m
  }
  /** Run the handler of the server under test as the kernel would. ENOSYS when it has none. */
  call(type: number, from: number, cells: readonly Cell[] = []): number {
    return this.deliver(this.message(type, cells), from)
  }
  /** The same with a message at hand (cells of the reply can be read from it afterwards). */
  deliver(m: Message, from: number): number {
    const handler = this.under().calls[m[TYPE] as number]
    m[SOURCE] = from
    return handler === undefined ? -E.NOSYS : handler(m, from)
  }
  /** A notification from `from`, as the kernel builds it. */
  notification(from: number): void {
    const m = this.message(NOTIFY_MESSAGE + slotOf(from), [0, this.now])
    m[SOURCE] = from
    this.under().notified?.(from, m)
  }
  /** Move time on by `ms`, stopping at every alarm on the way (delivered as CLOCK's notification). */
  advance(ms: number): void {
    const until = this.now + ms
    while (this.alarm <= until) {
      this.now = Math.max(this.now, this.alarm)
      this.alarm = Number.POSITIVE_INFINITY
      this.notification(-3)
    }
    this.now = until
  }
  /** The result given to `endpoint` by its last reply, or undefined. */
  replyTo(endpoint: number): number | undefined {
    return this.replies.findLast(([to]) => to === endpoint)?.[1]
  }
  private under(): Server {
    if (this.server === undefined) throw new Error('FakeSys: attach() the server first')
    return this.server
  }
  private record(name: string, ...args: number[]): number {
    this.calls.push([name, ...args])
    const result = this.results[name]
    return typeof result === 'function' ? result(...args) : (result ?? 0)
  }

  // -- Sys --

  sendrec(dst: number, m: Message): number {
    this.calls.push(['sendrec', dst, m[TYPE], ...cellsOf(m)])
    const handler = this.stubs.get(dst)?.[m[TYPE] as number]
    m[SOURCE] = this.self
    return handler === undefined ? -E.NOSYS : handler(m, this.self)
  }
  senda(dst: number, m: Message): number {
    const result = this.record('senda', dst, m[TYPE] as number)
    if (result >= 0) this.sent.push({ dst, type: m[TYPE] as number, m: m.slice() })
    return result
  }
  notify(dst: number): number {
    const result = this.record('notify', dst)
    if (result >= 0) this.notified.push(dst)
    return result
  }
  reply(dst: number, result: number): number {
    this.replies.push([dst, result])
    return this.record('reply', dst, result)
  }
  fork(parent: number, flags: number, stack: number, tls: number): number {
    return this.record('fork', parent, flags, stack, tls) || this.nextEndpoint++
  }
  create(domain: number): number {
    return this.record('create', domain) || this.nextEndpoint++
  }
  clear(endpoint: number): number {
    return this.record('clear', endpoint)
  }
  kill(endpoint: number, signo: number): number {
    return this.record('kill', endpoint, signo)
  }
  getksig(out: Int32Array): number {
    this.calls.push(['getksig'])
    const next = this.ksigs.shift()
    if (next === undefined) return NONE
    out[0] = next[1]
    out[1] = next[2]
    return next[0]
  }
  endksig(endpoint: number): number {
    return this.record('endksig', endpoint)
  }
  interrupt(endpoint: number): number {
    return this.record('interrupt', endpoint)
  }
  mark(endpoint: number): number {
    return this.record('mark', endpoint)
  }
  sigsend(endpoint: number, sigmsg: number): number {
    return this.record('sigsend', endpoint, sigmsg)
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
    return this.record('vmctl', endpoint, op, a0, a1, a2, a3, a4, file, offset)
  }
  fileRead(): number {
    return -E.AGAIN
  }
  getContext(endpoint: number, at: number): number {
    return this.record('getContext', endpoint, at)
  }
  setContext(endpoint: number, at: number): number {
    return this.record('setContext', endpoint, at)
  }
  trace(endpoint: number, request: number): number {
    return this.record('trace', endpoint, request)
  }
  copyFrom(endpoint: number, address: number, bytes: number, prot: number, id: number): number {
    return this.record('copyFrom', endpoint, address, bytes, prot, id)
  }
  copyTo(endpoint: number, address: number, from: number, bytes: number, prot: number, id: number): number {
    this.copied.push([address, this.mem.slice(from, from + bytes)])
    return this.record('copyTo', endpoint, address, from, bytes, prot, id)
  }
  getExtended(endpoint: number, id: number): number {
    return this.record('getExtended', endpoint, id)
  }
  setExtended(endpoint: number, from: number, bytes: number, id: number): number {
    return this.record('setExtended', endpoint, from, bytes, id)
  }
  ownText(endpoint: number, plain: boolean, id: number): number {
    return this.record('ownText', endpoint, plain ? 1 : 0, id)
  }
  /** Memory of processes for peek and poke: endpoint → address → bytes. Unset: EIO. */
  readonly memory = new Map<number, Map<number, Uint8Array>>()
  peek(endpoint: number, address: number, to: number, bytes: number): number {
    const found = this.memory.get(endpoint)?.get(address)
    if (found === undefined) return -E.IO
    this.mem.set(found.subarray(0, bytes), to)
    return Math.min(bytes, found.length)
  }
  poke(endpoint: number, address: number, from: number, bytes: number): number {
    return this.record('poke', endpoint, address, from, bytes)
  }
  allow(endpoint: number, mapped: number, charged: number): number {
    this.allowed.set(endpoint, [mapped, charged])
    return 0
  }
  excess(out: Float64Array): number {
    const next = this.excesses.shift()
    out[0] = next?.[1] ?? 0
    return next?.[0] ?? NONE
  }
  usage(endpoint: number, at: number): number {
    this.mem.fill(0, at, at + USAGE.BYTES)
    return this.record('usage', endpoint, at)
  }
  residence(endpoint: number, at: number, rows: number): number {
    return this.record('residence', endpoint, at, rows)
  }
  setalarm(ms: number): number {
    this.alarm = ms < 0 ? Number.POSITIVE_INFINITY : this.now + ms
    return this.record('setalarm', ms)
  }
  monotonic(): number {
    return this.now
  }
  realtime(): number {
    return this.epoch + this.now
  }
  settime(ms: number): number {
    this.epoch = ms - this.now
    return this.record('settime', ms)
  }
  times(endpoint: number, out: Float64Array): number {
    const result = this.record('times', endpoint)
    const [user, system] = this.cpu.get(endpoint) ?? [0, 0]
    out[0] = user
    out[1] = system
    return result
  }
  random(offset: number, bytes: number): void {
    this.calls.push(['random', offset, bytes])
    for (let i = 0; i < bytes; i++) this.mem[offset + i] = (i * 73 + 41) & 255
  }
  diag(text: string): void {
    this.log.push(text)
  }
}

/** The seven cells as [low, high] pairs flattened: what a recorded sendrec carries. */
function cellsOf(m: Message): number[] {
  const out: number[] = []
  for (let k = 0; k < 7; k++) out.push(int(m, k), high(m, k))
  return out
}
