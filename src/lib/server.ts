// What a server is: a name, a call vector, and what it may do. A handler runs one message to its end and never waits; a call that
// can't be answered yet is a row in the server's own tables (it returns SUSPEND) and is answered later with sys.reply().
// Servers and drivers see the rest of the world only through Sys.
import type { Message } from '../abi/message.ts'

/** Result ≥ 0, -errno, or SUSPEND. Results may be any integer a double holds. `from` is the caller's endpoint. */
export type Handler = (m: Message, from: number) => number
export type CallVector = Readonly<Record<number, Handler>>

export interface Server {
  readonly name: string
  /** Message type → handler. An unlisted type is answered ENOSYS and counted. */
  readonly calls: CallVector
  /** A notification: from CLOCK (alarm), SYSTEM (kernel signals pending: sys.getksig), HARDWARE or another server. */
  notified?(from: number, m: Message): void
  /** Everything the server knows, as plain serialisable records (DESIGN.md, idea 3), and back. */
  exportState?(): unknown
  importState?(state: unknown): void
}

/** System library: the kernel as one server sees it. Methods answer ≥ 0 or a negative errno unless said otherwise. */
export interface Sys {
  /** Own endpoint. */
  readonly self: number
  /** The arena grants point into. Only touch ranges granted by the message in hand, or `buffer`. */
  readonly mem: Uint8Array
  readonly view: DataView
  /** The server's own piece of the arena (64 KiB), for data it grants to others. */
  readonly buffer: number
  readonly bufferSize: number
  // -- IPC (MINIX names) --
  /** Request to a server that answers at once. Synchronous; the reply is left in m. ELOCKED if it would wait for itself.
   *  A handler's SUSPEND is passed on as it is: "later", by a message of the callee's own (CDEV.REPLY); nobody waits. */
  sendrec(dst: number, m: Message): number
  /** Asynchronous send, copied and queued, delivered when dst is idle (MINIX's SENDA with one message). Never blocks. */
  senda(dst: number, m: Message): number
  notify(dst: number): number
  /** Answer a caller whose handler returned SUSPEND. EDEADSRCDST when it is gone. Harmless then. */
  reply(dst: number, result: number): number
  // -- kernel calls (MINIX numbers, see protocol/system.ts) --
  /** New process-table entry for a child of `parent`, host side prepared by the parent's container when it returns. → child endpoint. */
  fork(parent: number, flags: number, stack: number, tls: number): number
  /** A process-table entry with nothing in it yet, in domain `domain` (first processes). → endpoint */
  create(domain: number): number
  /** Entry cleared, host side ended (`status`: the wait status it leaves, for traces); blocked partners get EDEADSRCDST. */
  clear(endpoint: number, status?: number): number
  /** Cause a kernel signal: recorded for the process and its manager (PM) is notified. */
  kill(endpoint: number, signo: number): number
  /** PM: next process with kernel signals pending → endpoint or NONE; the signal set (bit n-1) is left in `out` [low, high]. */
  getksig(out: Int32Array): number
  endksig(endpoint: number): number
  /** Bring a process to a boundary: its container sends PM.SIGREADY for it. A call it is blocked in gets cancelled (COMMON.CANCEL). */
  interrupt(endpoint: number): number
  /** Like interrupt, but leaves a blocked call alone: only marks that SIGREADY is due before it next runs guest code. */
  mark(endpoint: number): number
  /** Push a Linux signal frame described by `sigmsg` (arena offset, container/linux/signal.ts) and run the handler. */
  sigsend(endpoint: number, sigmsg: number): number
  /** Host memory operation on a process that is in a call: op = OP.* of abi/channel.ts; `file` a host file handle or -1. */
  vmctl(endpoint: number, op: number, a0: number, a1: number, a2: number, a3: number, a4: number, file: number, offset: number): number
  /** The first `bytes` bytes of the caller's output grant at arena offset `at` come straight from a host file when the call ends (long
   *  reads). → bytes: no copy, answer the call with them; -EAGAIN and other errors: read into the grant as usual. */
  fileRead(endpoint: number, at: number, bytes: number, file: number, position: number): number
  /** Machine context (CONTEXT of abi/context.ts) into the arena at `at`, and back. AGAIN where it has none: running on, or (set) in a call. */
  getContext(endpoint: number, at: number): number
  setContext(endpoint: number, at: number): number
  /** Stop, step, resume: T.* of abi/ipc.ts. */
  trace(endpoint: number, request: number): number
  // Errands: 0 when taken on, COMMON.DONE with `id` follows. At most ASIDE_BYTES at once. `from` may be used again at once.
  /** Out of, and into, a process's memory. prot: that of the pages, to reach those that don't allow it (of one region), else -1. */
  copyFrom(endpoint: number, address: number, bytes: number, prot: number, id: number): number
  copyTo(endpoint: number, address: number, from: number, bytes: number, prot: number, id: number): number
  /** Extended state, in signal-frame format. */
  getExtended(endpoint: number, id: number): number
  setExtended(endpoint: number, from: number, bytes: number, id: number): number
  /** Call sites as they were, for as long as somebody looks at them (plain true), or hot ones rewritten. */
  ownText(endpoint: number, plain: boolean, id: number): number
  // -- looking at a process from outside, whatever it does meanwhile (/proc): -EPERM where the host doesn't let us look --
  /** Its memory, as far as pages are mapped from `address` on: → bytes, or -EIO. Protection doesn't count. */
  peek(endpoint: number, address: number, to: number, bytes: number): number
  poke(endpoint: number, address: number, from: number, bytes: number): number
  /** USAGE record (abi/ipc.ts) at arena offset `at`. */
  usage(endpoint: number, at: number): number
  /** RESIDENCE rows at arena offset `at`, starts and ends given, ascending and disjoint. */
  residence(endpoint: number, at: number, rows: number): number
  /** A process may have so much private writable memory mapped, of which so much is charged: bytes. Whatever else it does is held to that. */
  allow(endpoint: number, mapped: number, charged: number): number
  /** After a notification from HARDWARE: the next process that has more memory than was charged, or no longer → endpoint or NONE;
   *  how much more is left in out[0]. */
  excess(out: Float64Array): number
  /** Alarm after `ms` milliseconds of virtual time from now (0 or more; -1 clears). One per server: see lib/timers.ts. */
  setalarm(ms: number): number
  /** Monotonic and real virtual time, in milliseconds with fraction. Real = Unix epoch. */
  monotonic(): number
  realtime(): number
  /** Virtual real time is `ms` from now on. */
  settime(ms: number): number
  /** user/system CPU time in ms of a process: out[0], out[1]. */
  times(endpoint: number, out: Float64Array): number
  random(offset: number, bytes: number): void
  /** One line into the machine's kernel log (mol run --report, /dev/kmsg). */
  diag(text: string): void
}
