// The public API: a Machine is one virtual machine (a root domain) in this Node process. Kernel and servers run in a worker thread of
// their own; this side only starts it, hands it descriptors, and hears what ends. Several machines may live in one process.
import { EventEmitter } from 'node:events'
import { existsSync, fstatSync } from 'node:fs'
import { Socket } from 'node:net'
import { constants } from 'node:os'
import path from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { BootOptions, FromKernel, Report, ToKernel } from './control.ts'
import * as host from './host/host.ts'
import { Inspector } from './inspector.ts'

export type { Layout, Region, Report, SignalState } from './control.ts'
export { Inspector, type ProcessState, type ThreadState } from './inspector.ts'
export { FilterError, parseFilter } from './container/linux/trace-filter.ts'
export { HostTerminal } from './drivers/tty/hostterm.ts'

export interface Bind {
  host: string
  guest: string
  readOnly?: boolean
}
export interface MachineOptions {
  /** Host directory that is the machine's base, read-through and never written. Default '/'. */
  root?: string
  binds?: Bind[]
  /** Host directories below /tmp (which is the machine's own) to show at their own place, copy-on-write. */
  show?: string[]
  hostname?: string
  /** What the clock inside is ahead of the host's, in ms; negative: behind. Root inside may set it (clock_settime(2)). Default 0. */
  clockOffset?: number
  /** Bytes the guests may commit together. Default: 3/4 of the host's memory. */
  memory?: number
  /** How many processes and threads may exist at once. Default 1500. */
  processes?: number
  /** The host terminal behind /dev/console and /dev/tty; descriptors stay the caller's. */
  terminal?: { input: number; output: number; rows: number; columns: number }
  /** Trace calls: see mol trace. Lines come as 'trace' events. */
  trace?: BootOptions['trace']
  /** Leave call sites as they are: every call traps. */
  patching?: boolean
}
export interface SpawnOptions {
  cwd?: string
  env?: Record<string, string | undefined>
  uid?: number
  gid?: number
  groups?: number[]
  /** 'pipe' (default), 'inherit', 'null', or 'tty' (needs `terminal`); one for all or one each. A number is a host descriptor. */
  stdio?: Stdio | [Stdio, Stdio, Stdio]
  signal?: AbortSignal
  /** Stopped before its first instruction, until machine.inspect(pid).cont(). */
  stopped?: boolean
}
export type Stdio = 'pipe' | 'inherit' | 'null' | 'tty' | number
export interface Exit {
  code: number | null
  signal: string | null
}

/** A machine could not be started or a process could not be run in it. `code` says what kind of failure. */
export class MolError extends Error {
  constructor(
    readonly code: string,
    text: string,
    options?: ErrorOptions,
  ) {
    super(text, options)
    this.name = 'MolError'
  }
}


const O_NONBLOCK = 0o4000
/** What an Inspector's errors mean. */
const WHY: Readonly<Record<string, string>> = {
  ESRCH: 'there is no such process, or thread of it, any more', EFAULT: 'nothing is mapped there, or it may not be written',
  EAGAIN: 'it is running: stop() it first', EBUSY: 'it is in a call that can’t be interrupted, or shares its memory', EINVAL: 'not a valid state',
}

/** A first process of a machine, child_process-like. */
export class GuestProcess extends EventEmitter {
  pid: number | undefined
  readonly stdin: Writable | null = null
  readonly stdout: Readable | null = null
  readonly stderr: Readable | null = null
  /** How it ended. Rejects with a MolError (ENOENT, EACCES, ENOEXEC…) when it could not be started. */
  readonly exit: Promise<Exit>
  private settle!: { resolve(e: Exit): void; reject(e: Error): void }
  constructor(
    private readonly machine: Machine,
    readonly job: number,
    streams: { stdin: Writable | null; stdout: Readable | null; stderr: Readable | null },
  ) {
    super()
    Object.assign(this, streams)
    this.exit = new Promise((resolve, reject) => {
      this.settle = { resolve, reject }
    })
    this.exit.catch(() => {})
  }
  /** Send a signal, by name or number. */
  kill(signal: NodeJS.Signals | number = 'SIGTERM'): void {
    if (this.machine.isClosed) return
    this.machine.post({ kind: 'kill', job: this.job, signo: typeof signal === 'number' ? signal : constants.signals[signal] })
  }
  /** @internal */ started(pid: number): void {
    this.pid = pid
    this.emit('spawn')
  }
  /** @internal */ failed(error: MolError): void {
    this.settle.reject(error)
    this.emit('failed', error)
  }
  /** @internal */ ended(status: number): void {
    const signo = status & 0x7f
    const exit: Exit = signo === 0 ? { code: (status >> 8) & 0xff, signal: null } : { code: null, signal: signalName(signo) }
    this.settle.resolve(exit)
    this.emit('exit', exit.code, exit.signal)
  }
}

function signalName(signo: number): string {
  for (const [name, n] of Object.entries(constants.signals)) if (n === signo) return name
  return `SIG${signo}`
}

export class Machine extends EventEmitter {
  private readonly jobs = new Map<number, GuestProcess>()
  private readonly reports: { resolve(r: Report): void; reject(e: MolError): void }[] = []
  private readonly questions = new Map<number, { pid: number; resolve(value: unknown): void; reject(error: Error): void }>()
  private nextQuestion = 1
  private nextJob = 1
  private ended: Promise<void>
  private closed = false

  private constructor(
    private readonly worker: Worker,
    private readonly doorbell: number,
    /** Host descriptors of ours that end with the machine. */
    private readonly held: readonly number[],
  ) {
    super()
    this.ended = new Promise(resolve =>
      worker.once('exit', () => {
        this.over()
        resolve()
      }),
    )
    worker.on('message', (m: FromKernel) => this.heard(m))
  }

  /** Start a machine. Rejects with a MolError whose message says what this host lacks; nothing ever runs unsandboxed. */
  static async boot(options: MachineOptions = {}): Promise<Machine> {
    checkHost()
    const doorbell = host.eventfd()
    if (doorbell < 0) throw new MolError('EHOST', `eventfd failed (errno ${-doorbell})`)
    // the kernel thread must never wait for a slow terminal, and the caller's descriptors stay as they are
    const given = options.terminal
    const terminal = given ? { ...given, input: reopen(given.input, false), output: reopen(given.output, true) } : null
    const boot: BootOptions = {
      root: path.resolve(options.root ?? '/'),
      binds: (options.binds ?? []).map(b => ({ host: path.resolve(b.host), guest: b.guest, readOnly: b.readOnly ?? false })),
      show: (options.show ?? []).map(d => path.resolve(d)),
      hostname: options.hostname ?? 'mol',
      clockOffset: options.clockOffset ?? 0,
      memory: options.memory ?? 0,
      processes: options.processes ?? 1500,
      terminal,
      trace: options.trace ?? null,
      patching: options.patching ?? true,
      doorbell,
    }
    const worker = new Worker(workerFile(), { workerData: boot, execArgv: process.execArgv.filter(a => FOR_WORKERS.test(a)) })
    const machine = new Machine(worker, doorbell, terminal ? [doorbell, terminal.input, terminal.output] : [doorbell])
    await new Promise<void>((resolve, reject) => {
      worker.once('error', e => reject(e instanceof MolError ? e : new MolError('EBOOT', e.message, { cause: e })))
      machine.once('booted', resolve)
      machine.once('bootFailed', (code: string, text: string) => reject(new MolError(code, text)))
    }).catch(async error => {
      await machine.close()
      throw error
    })
    worker.on('error', e => machine.emit('panic', e))
    return machine
  }

  get isClosed(): boolean {
    return this.closed
  }
  /** @internal */ post(message: ToKernel): void {
    if (this.closed) throw new MolError('ECLOSED', 'the machine is closed')
    this.worker.postMessage(message)
    host.ring(this.doorbell)
  }

  private heard(m: FromKernel): void {
    if (m.kind === 'booted') this.emit('booted')
    else if (m.kind === 'bootFailed') this.emit('bootFailed', m.code, m.text)
    else if (m.kind === 'started') this.jobs.get(m.job)?.started(m.pid)
    else if (m.kind === 'failed') {
      this.jobs.get(m.job)?.failed(new MolError(m.code, m.text))
      this.jobs.delete(m.job)
    } else if (m.kind === 'ended') {
      this.jobs.get(m.job)?.ended(m.status)
      this.jobs.delete(m.job)
    } else if (m.kind === 'inspected') {
      const asked = this.questions.get(m.id)
      this.questions.delete(m.id)
      if (m.error === '') asked?.resolve(m.value)
      else asked?.reject(new MolError(m.error, `process ${asked.pid}: ${WHY[m.error] ?? m.error}`))
    } else if (m.kind === 'trace') this.emit('trace', m.text)
    else if (m.kind === 'report') this.reports.shift()?.resolve(m.report)
  }

  /** Start a program. `command` without a slash is looked up in the PATH of `env`. */
  spawn(command: string, args: readonly string[] = [], options: SpawnOptions = {}): GuestProcess {
    if (this.closed) throw new MolError('ECLOSED', 'the machine is closed')
    const job = this.nextJob++
    const spec = options.stdio ?? 'pipe'
    const each = (Array.isArray(spec) ? spec : [spec, spec, spec]) as [Stdio, Stdio, Stdio]
    const plan = each.map((s, fd) => this.endFor(s, fd))
    const [stdin, stdout, stderr] = plan.map(p => p.socket)
    const process = new GuestProcess(this, job, { stdin: stdin ?? null, stdout: stdout ?? null, stderr: stderr ?? null })
    this.jobs.set(job, process)
    const env = Object.entries(options.env ?? {}).flatMap(([k, v]) => (v === undefined ? [] : [`${k}=${v}`]))
    this.post({
      kind: 'spawn',
      job,
      argv: [command, ...args].map(latin1),
      env: env.map(latin1),
      cwd: latin1(options.cwd ?? '/'),
      uid: options.uid ?? globalThis.process.getuid?.() ?? 0,
      gid: options.gid ?? globalThis.process.getgid?.() ?? 0,
      groups: options.groups ?? globalThis.process.getgroups?.() ?? [],
      stdio: plan.map(p => p.guest),
      stopped: options.stopped ?? false,
    })
    const { signal } = options
    if (signal) {
      const abort = (): void => process.kill('SIGKILL')
      if (signal.aborted) abort()
      else signal.addEventListener('abort', abort, { once: true })
      process.exit.finally(() => signal.removeEventListener('abort', abort)).catch(() => {})
    }
    return process
  }

  /** The guest's end of one standard stream, and ours. */
  private endFor(s: Stdio, fd: number): { guest: number | 'null' | 'tty'; socket: Socket | null } {
    if (s === 'null' || s === 'tty') return { guest: s, socket: null }
    if (s === 'inherit') return { guest: reopen(fd, fd !== 0), socket: null }
    if (typeof s === 'number') return { guest: reopen(s, fd !== 0), socket: null }
    const ends = new Int32Array(2)
    if (host.pipe2(ends) < 0) throw new MolError('EMFILE', 'no host descriptors left for a pipe')
    const [readEnd, writeEnd] = [ends[0] as number, ends[1] as number]
    const [mine, guest] = fd === 0 ? [writeEnd, readEnd] : [readEnd, writeEnd]
    host.setNonblocking(guest)
    return { guest, socket: new Socket({ fd: mine, readable: fd !== 0, writable: fd === 0 }) }
  }

  /** The terminal has a new size: its foreground group gets SIGWINCH. */
  resize(rows: number, columns: number): void {
    if (this.closed) return
    this.post({ kind: 'resize', rows, columns })
  }

  /** Look into a process of the machine: stop it, read and set its threads' registers, its memory map and memory. See Inspector. */
  inspect(pid: number): Inspector {
    return new Inspector(pid, order => new Promise((resolve, reject) => {
      const id = this.nextQuestion++
      this.post({ kind: 'inspect', id, pid, order })
      this.questions.set(id, { pid, resolve, reject })
    }))
  }

  /** Counters of kernel, container and servers: calls by number, unknown calls, messages, log lines. */
  report(): Promise<Report> {
    return new Promise((resolve, reject) => {
      this.post({ kind: 'report' })
      this.reports.push({ resolve, reject })
    })
  }

  /** End every guest and the machine. No process, file or mapping is left. Idempotent. */
  async close(): Promise<void> {
    if (!this.closed) {
      this.post({ kind: 'close' })
      this.closed = true
    }
    await this.ended
  }
  /** The kernel thread has ended, asked to or not: nobody waits for ever, and our descriptors are closed, once. */
  private over(): void {
    for (const fd of this.held) host.close(fd)
    for (const guest of this.jobs.values())
      if (this.closed) guest.ended(9)
      else guest.failed(new MolError('EMACHINE', 'the machine has ended by an error of its own'))
    for (const report of this.reports.splice(0)) report.reject(new MolError('ECLOSED', 'the machine has ended'))
    this.jobs.clear()
    for (const asked of this.questions.values()) asked.reject(new MolError('ECLOSED', 'the machine is closed'))
    this.questions.clear()
    this.closed = true
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/** Options of node the kernel thread takes over: others are V8's or the main script's, and a worker refuses them. */
const FOR_WORKERS = /^--(((cpu|heap)-prof)(-[a-z]+=.*)?|enable-source-maps)$/

function latin1(s: string): string {
  return Buffer.from(s, 'utf8').toString('latin1')
}

/** A descriptor of our own for the same file: non-blocking without touching what the caller shares with others, where it can block. */
function reopen(fd: number, forWriting: boolean): number {
  const isFile = fstatSync(fd).isFile()
  const own = isFile ? -1 : host.openPath(`/proc/self/fd/${fd}`, (forWriting ? 1 : 0) | O_NONBLOCK)
  const copy = own >= 0 ? own : host.duplicate(fd)
  if (copy < 0) throw new MolError('EMFILE', `can't duplicate descriptor ${fd} (errno ${-copy})`)
  return copy
}

function checkHost(): void {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new MolError('EHOST', `mol runs on Linux on x86-64 only; this is ${process.platform} on ${process.arch}`)
}

/** dist/worker.js, whether we run from dist or from src (tests). */
function workerFile(): string {
  const here = path.dirname(fileURLToPath(import.meta.url))
  for (const candidate of ['worker.js', '../dist/worker.js', '../../dist/worker.js']) {
    const file = path.join(here, candidate)
    if (existsSync(file)) return file
  }
  throw new MolError('EBUILD', 'dist/worker.js is missing: run npm run build')
}
