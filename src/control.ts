// What the main thread and a machine's kernel thread say to each other. Plain data only.
export interface BootOptions {
  root: string
  binds: { host: string; guest: string; readOnly: boolean }[]
  /** Host directories shown at their own place, copy-on-write, where the machine has a file system of its own (/tmp). */
  show: string[]
  hostname: string
  memory: number
  processes: number
  terminal: { input: number; output: number; rows: number; columns: number } | null
  trace: { expression?: string; summary?: boolean; json?: boolean; stringLimit?: number; timestamps?: 'none' | 'clock' | 'relative' | 'micro'; durations?: boolean; follow?: boolean } | null
  patching: boolean
  doorbell: number
}
export type ToKernel =
  | { kind: 'spawn'; job: number; argv: string[]; env: string[]; cwd: string; uid: number; gid: number; groups: number[]; stdio: (number | 'null' | 'tty')[] }
  | { kind: 'kill'; job: number; signo: number }
  | { kind: 'resize'; rows: number; columns: number }
  | { kind: 'report' }
  | { kind: 'close' }
export type FromKernel =
  | { kind: 'booted' }
  | { kind: 'bootFailed'; code: string; text: string }
  | { kind: 'started'; job: number; pid: number }
  | { kind: 'failed'; job: number; code: string; text: string }
  | { kind: 'ended'; job: number; status: number }
  | { kind: 'trace'; text: string }
  | { kind: 'report'; report: Report }
export interface Report {
  calls: number
  traps: number
  messages: number
  sleeps: number
  unknownCalls: { nr: number; name: string; times: number }[]
  log: string[]
}
