// mol trace: one text per system call, as strace prints them, or JSON Lines, or a table of counts. The dispatcher calls enter() when a
// call has come in and exit() with its result just before the guest goes on. Looks, never touches: at most it decodes a call the
// dispatcher is about to decode again. Several processes: a line that others' lines come between is split into <unfinished ...> and
// resumed. A line whose inputs are still to be fetched from the guest is written when they are there.
import { message, SLOT, TYPE } from '../../abi/message.ts'
import { errorName } from '../../abi/strerror.ts'
import type { Kernel } from '../../kernel/types.ts'
import { PM } from '../../protocol/pm.ts'
import { decode, loadArguments, NEED } from './decode.ts'
import type { ThreadView } from './operands.ts'
import { isKnown, ROUTE, route, rows } from './program.ts'
import {
  aligned,
  callName,
  type Entry,
  execLists,
  formatEnd,
  formatEntry,
  formatExit,
  formatResult,
  formatSignal,
  STRING_LIMIT,
  shown,
} from './strace.ts'
import { FOREVER } from './strace-arguments.ts'
import { argumentTexts } from './strace-calls.ts'
import { quote } from './strace-values.ts'
import { parseFilter } from './trace-filter.ts'
import { Summary } from './trace-summary.ts'

export interface TraceOptions {
  /** strace's -e: see trace-filter.ts. */
  readonly expression?: string
  readonly summary?: boolean
  readonly json?: boolean
  readonly stringLimit?: number
  readonly timestamps?: 'none' | 'clock' | 'micro' | 'relative'
  readonly durations?: boolean
  readonly follow?: boolean
}
export interface TraceHost {
  /** Guest thread id of what a thread runs for, and its process id. */
  pid(t: ThreadView): number
  group?(t: ThreadView): number
  /** Real and monotonic time in ms. */
  realtime(): number
  monotonic(): number
  emit(text: string): void
}
/** Thread and process ids by endpoint, asked of PM once per thread in the guest's own name; its message is kept as it was. */
export class GuestIds {
  private readonly tids = new Map<number, number>()
  private readonly pids = new Map<number, number>()
  private readonly saved = message()
  constructor(private readonly kernel: Pick<Kernel, 'endpoint' | 'call'>) {}

  /** Thread id: the process id in its first thread. */
  pid(t: ThreadView): number {
    return this.ask(t, PM.GETTID, this.tids)
  }
  group(t: ThreadView): number {
    return this.ask(t, PM.GETPID, this.pids)
  }
  /** What stands in slot `proc` is going: its thread id, 0 when it was never asked for. */
  forget(proc: number): number {
    const endpoint = this.kernel.endpoint(proc)
    const tid = this.tids.get(endpoint) ?? 0
    this.tids.delete(endpoint)
    this.pids.delete(endpoint)
    return tid
  }
  private ask(t: ThreadView, type: number, known: Map<number, number>): number {
    if (t.proc < 0) return 0
    const endpoint = this.kernel.endpoint(t.proc)
    const before = known.get(endpoint)
    if (before !== undefined) return before
    this.saved.set(t.message)
    t.message[TYPE] = type
    const id = this.kernel.call(t.proc, SLOT.PM)
    t.message.set(this.saved)
    if (id > 0) known.set(endpoint, id)
    return Math.max(id, 0)
  }
}

/** A call that has not returned. entry null: its line is written later. */
interface Pending {
  readonly t: ThreadView
  readonly nr: number
  readonly since: number
  entry: Entry | null
  /** exec: path and pointers as texts; its lists are read by exec.ts. */
  readonly exec: ExecText | null
  lists: ExecLists | null
  /** JSON: what was known at the start. */
  args: Readonly<Record<string, unknown>>
  /** Signal lines that belong behind its line. */
  readonly behind: string[]
}
interface ExecText {
  readonly before: string
  readonly argv: string
  readonly envp: string
  readonly after: string
}
interface ExecLists {
  readonly argv: readonly Uint8Array[]
  readonly envp: readonly Uint8Array[]
}
const EXECVE = 59
const EXIT = 60
const EXIT_GROUP = 231
const EXECVEAT = 322

export class Tracer {
  private readonly chosen: ReadonlySet<number> | null
  private readonly limit: number
  private readonly summary: Summary | null
  private readonly pending = new Map<number, Pending>()
  private readonly live = new Set<number>()
  /** Process whose line has no end yet; 0: none. */
  private open = 0
  private first = 0
  private last = -1
  constructor(
    private readonly options: TraceOptions,
    private readonly host: TraceHost,
  ) {
    this.chosen = options.expression ? parseFilter(options.expression) : null
    this.limit = options.stringLimit ?? STRING_LIMIT
    this.summary = options.summary ? new Summary() : null
  }

  /** Call `nr` of thread `t` has come in. */
  enter(t: ThreadView, nr: number): void {
    const pid = this.host.pid(t)
    if (!this.follows(pid)) return
    this.resumed(pid, t)
    if (!this.shows(nr)) {
      this.mayEnd(t, nr, pid)
      return
    }
    const complete = this.inputs(t, nr)
    const exec = nr === EXECVE || nr === EXECVEAT ? this.execText(t, nr) : null
    const p: Pending = { t, nr, since: this.host.monotonic(), entry: null, exec, lists: null, args: {}, behind: [] }
    this.pending.set(pid, p)
    if (complete && this.options.json) p.args = this.named(p, null)
    if (complete && exec === null && !this.options.json && this.summary === null) this.begin(pid, p)
    this.mayEnd(t, nr, pid)
  }
  /** exit doesn't return: its status is all there is to say, even when the call itself is filtered out. */
  private mayEnd(t: ThreadView, nr: number, pid: number): void {
    if (nr !== EXIT && nr !== EXIT_GROUP) return
    loadArguments(t, nr)
    this.gone(pid, ((t.wants.args[0] as number) & 0xff) << 8)
  }
  /** Have what there is of the call's inputs in place: false when some are still to be fetched. */
  private inputs(t: ThreadView, nr: number): boolean {
    if (isKnown(nr) && route[nr] !== ROUTE.MESSAGE) {
      loadArguments(t, nr)
      return true
    }
    return t.pass !== 0 || decode(t, nr) !== NEED
  }

  /** The call has its result. */
  exit(t: ThreadView, nr: number, result: number): void {
    const pid = this.host.pid(t)
    const p = this.pending.get(pid)
    if (p === undefined || p.nr !== nr) return
    this.progress(t)
    this.pending.delete(pid)
    this.finish(pid, p, result)
  }
  /** A call that ended by setting all registers (exec, sigreturn): the guest is here again, so it has returned. */
  private resumed(pid: number, t: ThreadView): void {
    const p = this.pending.get(pid)
    if (p === undefined) return
    this.pending.delete(pid)
    this.finish(pid, p.t === t ? p : { ...p, t }, 0)
  }
  private finish(pid: number, p: Pending, result: number): void {
    const took = this.host.monotonic() - p.since
    if (this.summary) this.summary.add(p.nr, result, took)
    else if (this.options.json) this.jsonLine(pid, p, result, took)
    else {
      if (p.entry === null) this.begin(pid, p)
      else if (this.open !== pid) this.resume(pid, p.nr)
      const s = shown(p.t, p.nr, result, this.limit)
      this.text += formatExit(s, p.entry?.printed ?? 0)
      this.endLine(formatResult(s) + (this.options.durations ? ` <${(took / 1000).toFixed(6)}>` : ''))
    }
    for (const line of p.behind) this.whole(pid, line)
  }

  /** A first program: what strace shows of it is the execve that it began with. */
  started(t: ThreadView, path: string, argv: readonly string[], env: readonly string[], envpAt: number): void {
    const pid = this.host.pid(t)
    if (!this.follows(pid) || !this.shows(EXECVE)) return
    const bytes = (list: readonly string[]): Uint8Array[] => list.map(text => Buffer.from(text, 'latin1'))
    const lists = execLists({ argv: bytes(argv), envp: bytes(env) }, '', `0x${envpAt.toString(16)}`, this.limit)
    if (this.summary) this.summary.add(EXECVE, 0, 0)
    else if (this.options.json) {
      const ts = this.host.realtime() / 1000
      this.json({ ts, pid, tid: pid, name: 'execve', args: { path, argv }, ret: 0, errno: null, dur_us: 0 })
    } else this.whole(pid, aligned(`execve(${quote(Buffer.from(path, 'latin1'), FOREVER)}, ${lists})`, '= 0'))
  }
  /** A local call has taken a step: exec's lists are there for a while. */
  progress(t: ThreadView): void {
    const p = this.pending.get(this.host.pid(t))
    if (p === undefined || p.exec === null || p.lists !== null) return
    const lists = t.local as Partial<ExecLists> | null
    if (Array.isArray(lists?.argv) && Array.isArray(lists.envp) && lists.argv.length + lists.envp.length > 0)
      p.lists = { argv: lists.argv, envp: lists.envp }
  }
  /** A signal is delivered; its siginfo lies at arena offset `at`. */
  signal(t: ThreadView, at: number): void {
    const pid = this.host.pid(t)
    if (!this.follows(pid) || this.summary) return
    const text = formatSignal(t.view, at)
    const event = { ts: this.host.realtime() / 1000, pid, signal: t.view.getInt32(at, true), text }
    const line = this.options.json ? JSON.stringify(event) : text
    const p = this.pending.get(pid)
    if (p === undefined) this.whole(pid, line)
    else p.behind.push(line)
  }
  /** A process has ended; status as wait4 gives it. Told once: exit calls tell it themselves. */
  gone(pid: number, status: number): void {
    if (!this.live.has(pid)) return
    const p = this.pending.get(pid)
    this.pending.delete(pid)
    if (this.summary) {
      if (p) this.summary.add(p.nr, 0, this.host.monotonic() - p.since)
    } else if (this.options.json) this.json({ ts: this.host.realtime() / 1000, pid, status, text: formatEnd(status) })
    else {
      if (p) this.neverReturned(pid, p)
      this.whole(pid, formatEnd(status))
    }
    this.live.delete(pid)
  }
  private neverReturned(pid: number, p: Pending): void {
    if (p.entry === null) this.begin(pid, p)
    else if (this.open !== pid) this.resume(pid, p.nr)
    this.text += ')'
    this.endLine('= ?')
    for (const line of p.behind) this.whole(pid, line)
  }
  /** The machine closes: what is still to be said. */
  close(): void {
    if (this.open !== 0) this.endUnfinished()
    if (this.summary) this.host.emit(this.summary.table())
  }

  private execText(t: ThreadView, nr: number): ExecText {
    const texts = argumentTexts(shown(t, nr, null, this.limit)).map(text => text ?? '')
    const k = nr === EXECVE ? 0 : 1
    return {
      before: texts.slice(0, k + 1).join(', '),
      argv: texts[k + 1] ?? '',
      envp: texts[k + 2] ?? '',
      after: texts
        .slice(k + 3)
        .map(text => `, ${text}`)
        .join(''),
    }
  }
  private execEntry(p: Pending, x: ExecText): Entry {
    const text = p.lists === null ? `${x.argv}, ${x.envp}` : execLists(p.lists, x.argv, x.envp, this.limit)
    return {
      text: `${callName(p.nr)}(${x.before}, ${text}${x.after}`,
      printed: argumentTexts(shown(p.t, p.nr, null, this.limit)).length,
    }
  }

  // ---- lines ----

  private text = ''
  /** Write a call's beginning; the line stays open. */
  private begin(pid: number, p: Pending): void {
    p.entry = p.exec === null ? formatEntry(shown(p.t, p.nr, null, this.limit)) : this.execEntry(p, p.exec)
    if (this.open !== 0) this.endUnfinished()
    this.text = this.leader(pid) + p.entry.text
    this.open = pid
  }
  private resume(pid: number, nr: number): void {
    if (this.open !== 0) this.endUnfinished()
    this.text = `${this.leader(pid)}<... ${callName(nr)} resumed>`
    this.open = pid
  }
  private endLine(result: string): void {
    this.host.emit(`${aligned(this.text, result)}\n`)
    this.text = ''
    this.open = 0
  }
  /** Something else must be said first. */
  private endUnfinished(): void {
    this.host.emit(`${this.text} <unfinished ...>\n`)
    this.text = ''
    this.open = 0
  }
  private whole(pid: number, line: string): void {
    if (this.open !== 0) this.endUnfinished()
    this.host.emit(`${this.options.json ? '' : this.leader(pid)}${line}\n`)
  }
  private leader(pid: number): string {
    const who = this.live.size > 1 ? `[pid ${String(pid).padStart(5)}] ` : ''
    return who + this.stamp()
  }
  private stamp(): string {
    const { timestamps } = this.options
    if (timestamps === 'relative') {
      const now = this.host.monotonic()
      const gap = this.last < 0 ? 0 : now - this.last
      this.last = now
      return `${(gap / 1000).toFixed(6).padStart(12)} `
    }
    if (timestamps !== 'clock' && timestamps !== 'micro') return ''
    const now = this.host.realtime()
    const d = new Date(now)
    const clock = [d.getHours(), d.getMinutes(), d.getSeconds()].map(n => String(n).padStart(2, '0')).join(':')
    return timestamps === 'clock'
      ? `${clock} `
      : `${clock}.${String(Math.floor((now % 1000) * 1000)).padStart(6, '0')} `
  }

  // ---- what is shown ----

  private shows(nr: number): boolean {
    return this.chosen === null || this.chosen.has(nr)
  }
  /** Children too only when asked to follow. */
  private follows(pid: number): boolean {
    if (this.first === 0) this.first = pid
    if (pid !== this.first && !this.options.follow) return false
    this.live.add(pid)
    return true
  }

  // ---- JSON Lines ----

  private json(event: unknown): void {
    this.host.emit(`${JSON.stringify(event)}\n`)
  }
  /** Arguments by name: numbers where they are plain, text as strace writes it elsewhere; what isn't known yet is left out. */
  private named(p: Pending, result: number | null): Record<string, unknown> {
    const out: Record<string, unknown> = {}
    const names = (rows[p.nr]?.[2] ?? '').split(' ').map(word => word.split(':')[0] as string)
    argumentTexts(shown(p.t, p.nr, result, this.limit)).forEach((value, i) => {
      if (value !== undefined) out[names[i] ?? `arg${i}`] = /^-?\d{1,15}$/.test(value) ? Number(value) : value
    })
    if (p.lists !== null) out.argv = p.lists.argv.map(a => Buffer.from(a).toString('latin1'))
    return out
  }
  private jsonLine(pid: number, p: Pending, result: number, took: number): void {
    const failed = result < 0 && result >= -4095
    this.json({
      ts: (this.host.realtime() - took) / 1000,
      pid: this.host.group?.(p.t) ?? pid,
      tid: pid,
      name: callName(p.nr),
      args: { ...this.named(p, result), ...p.args },
      ret: failed ? -1 : result,
      errno: failed ? errorName(-result) : null,
      dur_us: Math.round(took * 1000),
    })
  }
}
