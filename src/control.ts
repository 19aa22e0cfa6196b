// What the main thread and a machine's kernel thread say to each other. Plain data only.
import type { Registers } from './container/linux/state.ts'

export interface BootOptions {
  root: string
  binds: { host: string; guest: string; readOnly: boolean }[]
  /** Host directories shown at their own place, copy-on-write, where the machine has a file system of its own (/tmp). */
  show: string[]
  hostname: string
  /** What the machine's clock is ahead of the host's (ms). */
  clockOffset: number
  memory: number
  processes: number
  terminal: { input: number; output: number; rows: number; columns: number } | null
  trace: { expression?: string; summary?: boolean; json?: boolean; stringLimit?: number; timestamps?: 'none' | 'clock' | 'relative' | 'micro'; durations?: boolean; follow?: boolean } | null
  patching: boolean
  doorbell: number
}
export type ToKernel =
  | { kind: 'spawn'; job: number; argv: string[]; env: string[]; cwd: string; uid: number; gid: number; groups: number[]; stdio: (number | 'null' | 'tty')[]; stopped: boolean }
  | { kind: 'kill'; job: number; signo: number }
  | { kind: 'resize'; rows: number; columns: number }
  | { kind: 'report' }
  | { kind: 'inspect'; id: number; pid: number; order: InspectOrder }
  | { kind: 'close' }
export type FromKernel =
  | { kind: 'booted' }
  | { kind: 'bootFailed'; code: string; text: string }
  | { kind: 'started'; job: number; pid: number }
  | { kind: 'failed'; job: number; code: string; text: string }
  | { kind: 'ended'; job: number; status: number }
  | { kind: 'trace'; text: string }
  | { kind: 'report'; report: Report }
  | { kind: 'inspected'; id: number; value: unknown; error: string }
/** What src/inspector.ts asks about a process; src/inspection.ts says what comes back. Addresses are below 2^47. */
export type InspectOrder =
  | { what: 'stop' | 'cont' | 'threads' | 'regions' | 'layout' | 'empty' }
  | { what: 'read'; address: number; bytes: number }
  | { what: 'write'; address: number; data: Uint8Array }
  | { what: 'set'; tid: number; registers?: Partial<Registers>; extended?: Uint8Array; signals?: SignalState }
  | { what: 'lay'; layout: Layout }
  | { what: 'adopt'; regions: Region[] }
export interface SignalState {
  blocked: bigint
  alternateStack: { address: bigint; bytes: bigint; flags: number }
  /** CLONE_CHILD_CLEARTID, set_robust_list. (Guests have no rseq area: the call is refused.) */
  tidAddress: bigint
  robustList: bigint
  /** struct kernel_sigaction of signals 1–64; the process's. */
  actions: Uint8Array
}
/** One line of /proc/PID/maps, and a little more. */
export interface Region {
  start: number
  end: number
  /** PROT_* */
  protection: number
  shared: boolean
  kind: 'anonymous' | 'file' | 'heap' | 'stack'
  /** What is mapped, at `offset`; null: private anonymous memory. */
  file: { device: number; inode: number; path: string; offset: number } | null
  /** VM's own flags (servers/vm/region.ts). */
  flags: number
}
/** Where mappings are placed from downwards, where the stack ends, the heap begins and ends. */
export interface Layout {
  base: number
  stackTop: number
  heapStart: number
  heapEnd: number
}
export interface Report {
  calls: number
  traps: number
  messages: number
  sleeps: number
  unknownCalls: { nr: number; name: string; times: number }[]
  log: string[]
}
