// System calls as strace writes them: `openat(AT_FDCWD, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3`. An entry is written from the inputs
// decode has left in the thread's data window, the rest of the line from its outputs when the call returns. Reads only; allocates, so
// it runs only when somebody traces. tracer.ts makes lines of several processes out of it; strace(1) 6.1 is the oracle.
import { E } from '../../abi/errno.ts'
import { errorName, strerror } from '../../abi/strerror.ts'
import type { ThreadView } from './operands.ts'
import { isKnown, rows, specs } from './program.ts'
import type { Shown } from './strace-arguments.ts'
import { argumentTexts, resultNote, resultText } from './strace-calls.ts'
import { siginfo } from './strace-structs.ts'
import { hex64, quote, signal } from './strace-values.ts'

/** Column the result stands in. */
const RESULT_COLUMN = 40
export const STRING_LIMIT = 32

/** The beginning of a line, and how many arguments it holds. */
export interface Entry {
  readonly text: string
  readonly printed: number
}

/** What the formatter needs of thread `t` in call `nr`; result null: it has not returned. */
export function shown(t: ThreadView, nr: number, result: number | null, limit: number): Shown {
  const { args, areas } = t.wants
  return {
    nr,
    name: callName(nr),
    specs: isKnown(nr) ? (specs[nr] ?? []) : [],
    args,
    areas,
    mem: t.mem,
    view: t.view,
    result,
    limit,
  }
}
/** 'openat', or syscall_0x1f4 for a number nobody knows. */
export function callName(nr: number): string {
  return rows[nr]?.[1] ?? `syscall_0x${(nr >>> 0).toString(16)}`
}
function texts(s: Shown): (string | undefined)[] {
  if (isKnown(s.nr)) return argumentTexts(s)
  return Array.from({ length: 6 }, (_, i) => hex64(s.args[2 * i] as number, s.args[2 * i + 1] as number))
}

/** The line up to the first argument only the call can fill in. */
export function formatEntry(s: Shown): Entry {
  return entryOf(s.name, texts(s))
}
function entryOf(name: string, all: readonly (string | undefined)[]): Entry {
  const stop = all.indexOf(undefined)
  const printed = stop < 0 ? all.length : stop
  const text = `${name}(${all.slice(0, printed).join(', ')}`
  return { text: stop > 0 ? `${text}, ` : text, printed }
}
/** The rest of the arguments and the closing parenthesis. */
export function formatExit(s: Shown, printed: number): string {
  const all = texts(s)
  const missing = all.slice(printed).map(text => text ?? '?')
  return `${missing.join(', ')})`
}
/** `= 3`, `= -1 ENOENT (No such file or directory)`, `= ? ERESTARTSYS (…)`, `= 1 ([{fd=0, revents=POLLIN}])`. */
export function formatResult(s: Shown): string {
  const result = s.result as number
  if (result >= 0 || result < -4095) {
    const note = result >= 0 ? resultNote(s, result) : ''
    return `= ${resultText(s, result)}${note === '' ? '' : ` (${note})`}`
  }
  const errno = -result
  const restart = errno >= E.RESTARTSYS && errno <= E.RESTART_RESTARTBLOCK
  return `= ${restart ? '?' : '-1'} ${errorName(errno)} (${strerror(errno)})`
}
/** Text, then the result in its column. */
export function aligned(text: string, result: string): string {
  return `${`${text} `.padEnd(RESULT_COLUMN)}${result}`
}
/** execve's lists: `["true", "arg"], 0x7ffd…` and how many variables there are; argv and envp are their addresses as text. */
export function execLists(
  lists: { readonly argv: readonly Uint8Array[]; readonly envp: readonly Uint8Array[] },
  argv: string,
  envp: string,
  limit: number,
): string {
  const strings = lists.argv.slice(0, limit).map(a => quote(a, limit))
  const vars = lists.envp.length
  return `${argv === 'NULL' ? argv : `[${strings.join(', ')}${lists.argv.length > limit ? ', ...' : ''}]`}, ${envp}${envp === 'NULL' ? '' : ` /* ${vars} var${vars === 1 ? '' : 's'} */`}`
}

/** `--- SIGCHLD {si_signo=SIGCHLD, …} ---` from the siginfo at `at`. */
export function formatSignal(v: DataView, at: number): string {
  return `--- ${signal(v.getInt32(at, true))} ${siginfo(v, at, 128)} ---`
}
/** `+++ exited with 0 +++`, `+++ killed by SIGSEGV (core dumped) +++`; status as wait4 gives it. */
export function formatEnd(status: number): string {
  const signo = status & 0x7f
  if (signo === 0) return `+++ exited with ${(status >> 8) & 0xff} +++`
  return `+++ killed by ${signal(signo)}${status & 0x80 ? ' (core dumped)' : ''} +++`
}
