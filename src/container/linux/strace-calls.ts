// System calls whose arguments strace writes in its own way (clone, fcntl, ioctl, prctl, …), and what stands behind a result. An argument
// that is only known when the call has returned is undefined until then.
import { ioctl } from '../../abi/ioctl.ts'
import {
  at,
  bytesAt,
  decimal,
  FOREVER,
  failed,
  high,
  low,
  plain,
  pointer,
  type Shown,
  size,
  structure,
  type Texts,
} from './strace-arguments.ts'
import { SOCKET_CALLS } from './strace-sockets.ts'
import { bitNumbers, direntCount, i64, polled, STRUCT_FORMATS, type StructFormat, u32 } from './strace-structs.ts'
import { SYSV } from './strace-sysv.ts'
import { address, date, flags, hex, hex64, mode, oneOf, openFlags, quote, quoteHex, signal } from './strace-values.ts'
import { CAPABILITIES } from './xlat.ts'

/** Every argument of the call as text, in the order strace writes them. */
export function argumentTexts(s: Shown): Texts {
  return (CALLS[s.name] ?? plain)(s)
}
const withoutLast = (s: Shown): Texts => plain(s).slice(0, -1)
const makesFile = (f: number): boolean => (f & 0o100) !== 0 || (f & 0o20000000) !== 0
const open = (s: Shown): Texts =>
  makesFile(
    low(
      s,
      s.specs.findIndex(a => a.type === '|open'),
    ),
  )
    ? plain(s)
    : withoutLast(s)
const replaceAt = (texts: Texts, i: number, text: string | undefined): Texts =>
  texts.map((t, k) => (k === i ? text : t))
const mknod = (s: Shown): Texts => {
  const type = low(s, s.specs.length - 2) & 0o170000
  return type === 0o020000 || type === 0o060000 ? plain(s) : withoutLast(s)
}
const dents = (s: Shown): Texts =>
  replaceAt(
    plain(s),
    1,
    s.result === null
      ? undefined
      : failed(s) || at(s, 1) === 0
        ? pointer(s, 1)
        : `${pointer(s, 1)} /* ${direntCount(s.view, at(s, 1), s.result)} entries */`,
  )
const DATA_STRUCTS: Readonly<Record<number, string>> = { 36: 'termios', 44: 'termios', 8: 'winsize', 4: 'int' }

function ioctlTexts(s: Shown): Texts {
  const cmd = low(s, 1) >>> 0
  const row = ioctl(cmd)
  const name =
    row?.name ??
    `_IOC(${['_IOC_NONE', '_IOC_WRITE', '_IOC_READ', '_IOC_READ|_IOC_WRITE'][cmd >>> 30]}, ${hex((cmd >>> 8) & 0xff)}, ${hex(cmd & 0xff)}, ${hex((cmd >>> 16) & 0x3fff)})`
  const head = [String(low(s, 0)), name]
  if (!row) return [...head, hex64(low(s, 2), high(s, 2))]
  if (row.size === 0)
    return row.name === 'FIOCLEX' || row.name === 'FIONCLEX' || row.name === 'TIOCNOTTY'
      ? head
      : [...head, ioctlValue(s, row.name)]
  if (low(s, 2) === 0 && high(s, 2) === 0) return [...head, 'NULL']
  if (row.dir === 'out' && s.result === null) return [...head, undefined]
  if (at(s, 2) === 0 || (row.dir === 'out' && failed(s))) return [...head, pointer(s, 2)]
  const type = DATA_STRUCTS[row.size]
  return [...head, type ? (STRUCT_FORMATS[type] as StructFormat)(s.view, at(s, 2), row.size) : pointer(s, 2)]
}
function ioctlValue(s: Shown, name: string): string {
  if (name === 'TCXONC') return oneOf('tcxonc', low(s, 2))
  if (name === 'TCFLSH') return oneOf('tcflsh', low(s, 2))
  return name === 'TIOCGPTPEER' ? hex(low(s, 2)) : decimal(s, 2)
}

const LOCKS = new Set([5, 6, 7, 36, 37, 38])
function fcntlTexts(s: Shown): Texts {
  const cmd = low(s, 1)
  const head = [String(low(s, 0)), oneOf('fcntl', cmd)]
  switch (cmd) {
    case 1:
    case 3:
    case 9:
    case 11:
    case 1025:
    case 1032:
    case 1034:
      return head
    case 2:
      return [...head, flags('fd', low(s, 2))]
    case 4:
      return [...head, openFlags(low(s, 2))]
    case 10:
      return [...head, signal(low(s, 2))]
    case 0:
    case 8:
    case 1030:
    case 1031:
      return [...head, String(low(s, 2))]
    default:
  }
  if (at(s, 2) === 0) return [...head, hex64(low(s, 2), high(s, 2))]
  const isOut = cmd === 5 || cmd === 36 || cmd === 16 || cmd === 17
  if (isOut && s.result === null) return [...head, undefined]
  if (isOut && failed(s)) return [...head, pointer(s, 2)]
  const type = LOCKS.has(cmd)
    ? cmd === 5 || cmd === 36
      ? 'flock_out'
      : 'flock'
    : cmd === 15 || cmd === 16
      ? 'f_owner_ex'
      : ''
  return [...head, type === '' ? pointer(s, 2) : structure(s, 2, type)]
}

function prctlTexts(s: Shown): Texts {
  const option = low(s, 0)
  const head = [oneOf('prctl', option)]
  const rest = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, k) => decimal(s, from + k))
  switch (option) {
    case 3:
    case 7:
    case 13:
    case 21:
    case 27:
    case 30:
      return head
    case 1:
      return [...head, signal(low(s, 1))]
    case 4:
      return [...head, oneOf('dumpable', low(s, 1))]
    case 8:
    case 28:
    case 29:
    case 36:
      return [...head, decimal(s, 1)]
    case 23:
    case 24:
      return [...head, CAPABILITIES[low(s, 1)] ? `CAP_${CAPABILITIES[low(s, 1)]}` : hex(low(s, 1))]
    case 15:
      return [...head, at(s, 1) === 0 ? pointer(s, 1) : quote(cstring(s, 1, 16), s.limit)]
    case 16:
      return [
        ...head,
        s.result === null ? undefined : failed(s) || at(s, 1) === 0 ? pointer(s, 1) : quote(cstring(s, 1, 16), s.limit),
      ]
    case 2:
    case 37:
    case 40:
      if (s.result === null) return [...head, undefined]
      if (failed(s) || at(s, 1) === 0) return [...head, pointer(s, 1)]
      return [
        ...head,
        `[${option === 2 ? signal(u32(s.view, at(s, 1))) : option === 40 ? i64(s.view, at(s, 1)) : u32(s.view, at(s, 1))}]`,
      ]
    case 38:
    case 39:
      return [...head, ...rest(1, 5)]
    default:
      return [...head, ...[1, 2, 3, 4].map(k => hex64(low(s, k), high(s, k)))]
  }
}
function cstring(s: Shown, i: number, max: number): Uint8Array {
  const bytes = bytesAt(s, i, max)
  const end = bytes.indexOf(0)
  return end < 0 ? bytes : bytes.subarray(0, end)
}

/** clone's flags with the exit signal behind them. */
function cloneFlags(f: number): string {
  const signo = f & 0xff
  const names = f >>> 8 === 0 ? '' : flags('clone', f & ~0xff)
  return [names, signo === 0 ? '' : signal(signo)].filter(t => t !== '').join('|') || '0'
}
function cloneTexts(s: Shown): Texts {
  const f = low(s, 0)
  const texts: Texts = [`child_stack=${pointer(s, 1)}`, `flags=${cloneFlags(f)}`]
  if (f & 0x100000)
    texts.push(
      s.result === null ? undefined : `parent_tid=${at(s, 2) === 0 || failed(s) ? pointer(s, 2) : `[${s.result}]`}`,
    )
  if (f & 0x80000) texts.push(`tls=${hex64(low(s, 4), high(s, 4))}`)
  if (f & 0x1200000) texts.push(`child_tidptr=${pointer(s, 3)}`)
  return texts
}
function clone3Texts(s: Shown): Texts {
  const b = at(s, 0)
  if (b === 0) return plain(s)
  const field = (k: number): string => address(u32(s.view, b + k), u32(s.view, b + k + 4))
  const f = u32(s.view, b)
  const parts = [`flags=${f === 0 ? '0' : flags('clone', f)}`]
  if (f & 0x1200000) parts.push(`child_tid=${field(16)}`)
  if (f & 0x100000) parts.push(`parent_tid=${field(24)}`)
  parts.push(
    `exit_signal=${signal(u32(s.view, b + 32))}`,
    `stack=${field(40)}`,
    `stack_size=${hex64(u32(s.view, b + 48), u32(s.view, b + 52))}`,
  )
  if (f & 0x80000) parts.push(`tls=${field(56)}`)
  return [`{${parts.join(', ')}}`, String(low(s, 1))]
}

function futexTexts(s: Shown): Texts {
  const op = low(s, 1)
  const command = op & 0x7f
  const name = oneOf('futex_op', command) + (op & 0x80 ? '_PRIVATE' : '') + (op & 0x100 ? '|FUTEX_CLOCK_REALTIME' : '')
  const head: Texts = [pointer(s, 0), name]
  const timeout = at(s, 3) === 0 ? pointer(s, 3) : (STRUCT_FORMATS.timespec as StructFormat)(s.view, at(s, 3), 16)
  const set = low(s, 5) === -1 ? 'FUTEX_BITSET_MATCH_ANY' : hex(low(s, 5))
  const val = String(low(s, 2))
  switch (command) {
    case 0:
      return [...head, String(low(s, 2)), timeout]
    case 1:
    case 2:
      return [...head, val]
    case 9:
      return [...head, val, timeout, set]
    case 10:
      return [...head, val, set]
    case 3:
      return [...head, val, String(low(s, 3)), pointer(s, 4)]
    case 4:
    case 5:
      return [...head, val, String(low(s, 3)), pointer(s, 4), command === 5 ? hex(low(s, 5)) : String(low(s, 5))]
    case 6:
    case 13:
      return [...head, timeout]
    case 7:
    case 8:
      return head
    default:
      return [...head, val, timeout, pointer(s, 4), hex(low(s, 5))]
  }
}

function selectTexts(s: Shown): Texts {
  const texts = plain(s)
  if (s.name !== 'pselect6' || (low(s, 5) === 0 && high(s, 5) === 0)) return texts
  // the packed set: after decoding the area is the set itself
  const mask = at(s, 5) === 0 ? 'NULL' : (STRUCT_FORMATS.sigset as StructFormat)(s.view, at(s, 5), 8)
  return replaceAt(texts, 5, `{sigmask=${mask}, sigsetsize=8}`)
}
const affinity = (s: Shown): Texts => {
  const shown = s.name === 'sched_setaffinity' ? size(s, 2) : Math.max(s.result ?? 0, 0)
  if (s.name === 'sched_getaffinity' && s.result === null) return replaceAt(plain(s), 2, undefined)
  return replaceAt(
    plain(s),
    2,
    at(s, 2) === 0 || failed(s) ? pointer(s, 2) : bitNumbers(s.view, at(s, 2), Math.min(shown, size(s, 2))),
  )
}
const statxTexts = (s: Shown): Texts => {
  const f = low(s, 2)
  const rest = f & ~0x6000
  const sync = f & 0x6000 ? flags('statx_at', f & 0x6000) : 'AT_STATX_SYNC_AS_STAT'
  return replaceAt(plain(s), 2, rest === 0 ? sync : `${sync}|${flags('at', rest)}`)
}
const cwdText = (s: Shown): Texts =>
  s.result !== null && s.result > 0 && at(s, 0) !== 0
    ? replaceAt(plain(s), 0, quote(bytesAt(s, 0, Math.min(s.result - 1, size(s, 0))), FOREVER))
    : plain(s)
const linkText = (s: Shown): Texts => {
  const i = s.specs.length - 2
  return s.result !== null && s.result >= 0 && at(s, i) !== 0
    ? replaceAt(plain(s), i, quote(bytesAt(s, i, Math.min(s.result, size(s, i))), FOREVER))
    : plain(s)
}
const randomText = (s: Shown): Texts =>
  s.result !== null && s.result >= 0 && at(s, 0) !== 0
    ? replaceAt(plain(s), 0, quoteHex(bytesAt(s, 0, Math.min(s.result, size(s, 0))), s.limit))
    : plain(s)
const waitidTexts = (s: Shown): Texts => (low(s, 0) === 0 ? replaceAt(plain(s), 1, String(low(s, 1))) : plain(s))
const personality = (s: Shown): Texts => [hex(low(s, 0))]

// biome-ignore format: a table
const CALLS: Readonly<Record<string, (s: Shown) => Texts>> = {
  ...SYSV,
  open, openat: open, mq_open: open, mknod, mknodat: mknod, getdents: dents, getdents64: dents, ioctl: ioctlTexts, fcntl: fcntlTexts,
  prctl: prctlTexts, clone: cloneTexts, clone3: clone3Texts, futex: futexTexts, select: selectTexts, pselect6: selectTexts,
  sched_setaffinity: affinity, sched_getaffinity: affinity, statx: statxTexts, getcwd: cwdText, readlink: linkText,
  readlinkat: linkText, getrandom: randomText, waitid: waitidTexts, personality,
  ...SOCKET_CALLS,
  mremap: s => (low(s, 3) & 6 ? plain(s) : withoutLast(s)),
  preadv: withoutLast, pwritev: withoutLast,
  preadv2: s => [...plain(s).slice(0, 4), flags('rwf', low(s, 5))],
  pwritev2: s => [...plain(s).slice(0, 4), flags('rwf', low(s, 5))],
  rt_sigreturn: () => [],
  ptrace: s => (low(s, 0) === 0 ? [oneOf('ptrace', 0)] : plain(s)),
  membarrier: s => (low(s, 1) & 1 ? plain(s) : withoutLast(s)),
  umask: s => [mode(low(s, 0))],
  openat2: s => (at(s, 2) === 0 || size(s, 2) < 24 ? plain(s) : replaceAt(plain(s), 2, structure(s, 2, 'open_how'))),
  arch_prctl: s => {
    const code = low(s, 0)
    if (code !== 0x1003 && code !== 0x1004) return [oneOf('arch', code), hex64(low(s, 1), high(s, 1))]
    return [oneOf('arch', code), s.result === null ? undefined : pointer(s, 1)]
  },
}

// ---- what stands behind the result ----

/** How a result ≥ 0 is written. */
export function resultText(s: Shown, result: number): string {
  switch (s.name) {
    case 'mmap':
    case 'brk':
    case 'mremap':
    case 'shmat':
      return result === 0 ? '0' : `0x${result.toString(16)}`
    case 'umask':
      return mode(result)
    case 'fcntl':
      return low(s, 1) === 1 || low(s, 1) === 3
        ? `${result === 0 && low(s, 1) === 1 ? '0' : hex(result)}`
        : String(result)
    case 'membarrier':
      return low(s, 0) === 0 ? hex(result) : String(result)
    default:
      return String(result)
  }
}
/** The note strace puts behind some results, without its parentheses; '' none. */
export function resultNote(s: Shown, result: number): string {
  switch (s.name) {
    case 'poll':
    case 'ppoll':
      return result === 0 ? 'Timeout' : at(s, 0) === 0 ? '' : polled(s.view, at(s, 0), size(s, 0) >> 3)
    case 'select':
    case 'pselect6':
      return result === 0 ? 'Timeout' : selected(s)
    case 'fcntl':
      return low(s, 1) === 3
        ? `flags ${openFlags(result)}`
        : low(s, 1) === 1 && result !== 0
          ? `flags ${flags('fd', result)}`
          : ''
    case 'time':
      return date(result, 0, 0)
    case 'rt_sigtimedwait':
      return signal(result)
    case 'sched_getscheduler':
      return oneOf('sched', result)
    case 'personality':
      return result === 0 ? 'PER_LINUX' : ''
    case 'prctl':
      return low(s, 0) === 3 ? oneOf('dumpable', result) : ''
    case 'membarrier':
      return low(s, 0) === 0 && result !== 0 ? flags('membarrier', result) : ''
    default:
      return ''
  }
}
function selected(s: Shown): string {
  return ['in', 'out', 'except']
    .map((name, k) => ({ name, bits: at(s, k + 1) === 0 ? '[]' : bitNumbers(s.view, at(s, k + 1), size(s, k + 1)) }))
    .filter(set => set.bits !== '[]')
    .map(set => `${set.name} ${set.bits}`)
    .join(', ')
}
