// The words the system-call table describes arguments with, and their reading: `name` or `name:type`, where type is
//
//   word            a value: int uint long … (VALUES), or a flag word `|table` / an enumerated word `=table` of xlat.ts
//   path  str       a NUL-terminated string the call reads
//   <T  >T  <>T     a structure T (STRUCTS) the call reads, writes, or both
//   <T[n] >T[n]     an array of T (bytes when T is missing) whose element count is argument `n`
//   <bulk[n]        bytes moved in pieces of BULK_BYTES (read, write); <iov[n] likewise, through an iovec array
//   <sockaddr[n]    an address or option value of n bytes; >sockaddr[n]: argument n points to its length (value-result)
//   …?              the pointer may be null and then means something; elsewhere null is an address that faults
//   …+  …~          written only when the result is above 0 (wait4); only when it is -EINTR (nanosleep's rest)
//   …*              written whatever the result, when it can be;  …^  unless the call failed otherwise than by a signal, when it can be
// A name alone is its own type (fd, path, mode, …).

import { HINT } from '../../abi/channel.ts'
import { MSGHDR } from '../../abi/socket.ts'

/** Width and sign a value argument has in the C prototype. */
// biome-ignore format: a table
export const VALUES = {
  int: 'int', fd: 'int', dirfd: 'int', pid: 'int', signo: 'int', idtype: 'int', clockid: 'int', umode: 'uint',
  uint: 'uint', uid: 'uint', gid: 'uint', mode: 'uint', dev: 'uint', cmd: 'uint', mask: 'uint',
  long: 'long', ulong: 'long', size: 'long', hex: 'long', addr: 'long', off: 'long', hexoff: 'long', futex: 'long', tls: 'long', socklen: 'long', argv: 'long', envp: 'long',
} as const
export type Width = 'int' | 'uint' | 'long'

/** Structures: bytes in the x86-64 ABI, and how many of them are copied back when fewer. */
// biome-ignore format: a table
export const STRUCTS: Readonly<Record<string, readonly [bytes: number, copied?: number]>> = {
  stat: [144], statx: [256], statfs: [120], utsname: [390], rusage: [144], rlimit: [16], sysinfo: [112], tms: [32],
  timespec: [16], timeval: [16], timespec2: [32], timeval2: [32], utimbuf: [16], itimerval: [32], itimerspec: [32], sigevent: [64], mq_attr: [64], timezone: [8],
  sigaction: [32], sigset: [8], siginfo: [128], waitinfo: [128, 28], stack: [24], pollfd: [8], epoll_event: [12], open_how: [24],
  flock: [32], sched_param: [4], timex: [208], sched_attr: [56], pipefd: [8], int: [4], uint: [4], uid: [4], gid: [4], off: [8], long: [8], status: [4],
  cap_header: [8], cap_data: [24], sigset_argpack: [16], clone_args: [88], iov: [16], fd_set: [0], mincore: [1],
  sockaddr: [1], optval: [1], msghdr: [56], mmsghdr: [64],
}

/** When an output is copied to the guest. */
export const WHEN = { SUCCESS: 0, POSITIVE: 1, EINTR: 2, ALWAYS: 3, LEFT: 4, LEFT_TIMEVAL: 5 /* a timespec that goes back as a timeval */ } as const

export type ArgKind = 'value' | 'string' | 'struct' | 'array' | 'bytes' | 'bulk' | 'iov' | 'fd_set' | 'sockaddr' | 'msghdr'

export interface ArgSpec {
  readonly name: string
  /** Value word, structure name, 'path', 'str', or xlat table name with its | or = in front. */
  readonly type: string
  readonly kind: ArgKind
  readonly width: Width
  readonly in: boolean
  readonly out: boolean
  readonly optional: boolean
  /** Bytes of the structure or of one element. */
  readonly size: number
  /** Bytes copied back (structures). */
  readonly copied: number
  /** Index of the argument that counts the elements, -1: none. */
  readonly count: number
  readonly when: number
}

const SHAPE = /^(<>|<|>)?([|=]?\w*)(?:\[(\w+)\])?(\?)?([+~*^])?$/
const WHENS: Readonly<Record<string, number>> = { '+': WHEN.POSITIVE, '~': WHEN.EINTR, '*': WHEN.ALWAYS, '^': WHEN.LEFT }

/** The argument specifications of one row; throws on a word nobody knows (a broken table, found when it is loaded). */
export function parseArgs(call: string, text: string): ArgSpec[] {
  if (text === '') return []
  const words = text.split(' ')
  const names = words.map(w => w.split(':')[0] as string)
  return words.map(word => parseArg(call, word, names))
}

function parseArg(call: string, word: string, names: readonly string[]): ArgSpec {
  const colon = word.indexOf(':')
  const name = colon < 0 ? word : word.slice(0, colon)
  const shape = SHAPE.exec(colon < 0 ? name : word.slice(colon + 1))
  if (!shape) throw new Error(`${call}: can't read argument ${word}`)
  const [, direction = '', type = '', counter, optional, when] = shape
  const count = counter === undefined ? -1 : names.indexOf(counter)
  if (counter !== undefined && count < 0) throw new Error(`${call}: ${word} counts by an argument that isn't there`)
  const common = {
    name,
    type,
    optional: optional === '?',
    count,
    when: WHENS[when ?? ''] ?? WHEN.SUCCESS,
    width: 'long' as Width,
  }
  if (direction === '') return { ...common, ...withoutDirection(call, type) }
  const [size, copied = size] = type === '' || type === 'bulk' ? [1] : (STRUCTS[type] ?? unknown(call, type))
  return { ...common, kind: kindOf(type, count), in: direction !== '>', out: direction !== '<', size, copied }
}

function withoutDirection(
  call: string,
  type: string,
): Pick<ArgSpec, 'kind' | 'width' | 'in' | 'out' | 'size' | 'copied'> {
  if (type === 'path' || type === 'str')
    return { kind: 'string', width: 'long', in: true, out: false, size: 0, copied: 0 }
  const width =
    type[0] === '|' || type[0] === '=' ? 'int' : (VALUES[type as keyof typeof VALUES] ?? unknown(call, type))
  return { kind: 'value', width, in: false, out: false, size: 0, copied: 0 }
}
function kindOf(type: string, count: number): ArgKind {
  if (type === 'bulk' || type === 'iov' || type === 'fd_set' || type === 'sockaddr') return type
  if (type === 'optval') return 'sockaddr'
  if (type === 'msghdr' || type === 'mmsghdr') return 'msghdr'
  if (count < 0) return 'struct'
  return type === '' ? 'bytes' : 'array'
}
function unknown(call: string, type: string): never {
  throw new Error(`${call}: unknown type ${type}`)
}

/** Bytes behind arguments that are values to the message but pointers all the same: a futex word, exec's arrays (exec.ts reads on). */
const POINTED_AT: Readonly<Record<string, number>> = { futex: 4, argv: 128, envp: 512, socklen: 4 }
/** Prefetched on suspicion: the first bytes of arrays whose length isn't in the next argument. */
const SPECULATIVE: Readonly<Record<string, number>> = { iov: 128, pollfd: 128, fd_set: 128 }
/** What the stub shall prefetch of argument i: HINT.* or bytes. */
export function hintFor(a: ArgSpec, i: number): number {
  if (a.kind === 'string') return HINT.STRING
  if (a.kind === 'value') return POINTED_AT[a.type] ?? HINT.NONE
  if (a.kind === 'msghdr') return MSGHDR.BYTES
  if (!a.in) return a.kind === 'iov' ? (SPECULATIVE.iov as number) : HINT.NONE
  if (a.type in SPECULATIVE) return SPECULATIVE[a.type] as number
  if (a.kind === 'struct') return a.size
  if (a.count === i + 1) return a.size === 1 ? HINT.BUFFER : HINT.NONE
  return a.kind === 'bytes' ? 128 : HINT.NONE
}
