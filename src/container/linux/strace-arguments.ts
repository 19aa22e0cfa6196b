// How strace writes the arguments of a system call, by their types in the table. Calls with a list of their own: strace-calls.ts.
import { E } from '../../abi/errno.ts'
import { type ArgSpec, WHEN } from './args.ts'
import { bitNumbers, epollEvents, ids, pollfds, STRUCT_FORMATS, u32 } from './strace-structs.ts'
import {
  address,
  decimal64,
  device,
  fileMode,
  flags,
  hex,
  hex64,
  mmapFlags,
  mode,
  oneOf,
  openFlags,
  quote,
  signal,
} from './strace-values.ts'

/** A call as the formatter sees it. result null: not returned yet. */
export interface Shown {
  readonly nr: number
  readonly name: string
  readonly specs: readonly ArgSpec[]
  readonly args: Int32Array
  readonly areas: Int32Array
  readonly mem: Uint8Array
  readonly view: DataView
  readonly result: number | null
  /** Longest string printed whole (-s). */
  readonly limit: number
}
/** Arguments as text; undefined: not known before the call returns. */
export type Texts = (string | undefined)[]

export const low = (s: Shown, i: number): number => s.args[2 * i] as number
export const high = (s: Shown, i: number): number => s.args[2 * i + 1] as number
export const at = (s: Shown, i: number): number => s.areas[2 * i] as number
export const size = (s: Shown, i: number): number => s.areas[2 * i + 1] as number
export const pointer = (s: Shown, i: number): string => address(low(s, i), high(s, i))
export const decimal = (s: Shown, i: number): string => decimal64(low(s, i), high(s, i), true)
export const bytesAt = (s: Shown, i: number, n: number): Uint8Array => s.mem.subarray(at(s, i), at(s, i) + n)
export const failed = (s: Shown): boolean => s.result !== null && s.result < 0
/** Paths are printed whole. */
export const FOREVER = 1 << 20

/** Every argument by its type. */
export function plain(s: Shown): Texts {
  return s.specs.map((_, i) => argument(s, i))
}

/** Argument i by its type. */
export function argument(s: Shown, i: number): string | undefined {
  const a = s.specs[i] as ArgSpec
  if (a.kind === 'value') return value(s, i, a)
  if (!a.in && s.result === null) return undefined
  if (low(s, i) === 0 && high(s, i) === 0) return 'NULL'
  if (a.kind === 'string')
    return at(s, i) === 0 ? pointer(s, i) : quote(bytesAt(s, i, size(s, i)), a.type === 'path' ? FOREVER : s.limit)
  if (a.kind === 'iov') return iovec(s, i)
  if (at(s, i) === 0 || (!a.in && failed(s) && a.when !== WHEN.EINTR)) return pointer(s, i)
  return a.in ? input(s, i, a) : output(s, i, a)
}

function input(s: Shown, i: number, a: ArgSpec): string {
  const n = size(s, i)
  if (a.kind === 'bytes' && a.type === '') return quote(bytesAt(s, i, n), s.limit)
  if (a.kind === 'bulk') return quote(bytesAt(s, i, n), s.limit, n < low(s, a.count) >>> 0 && n <= s.limit)
  if (a.kind === 'fd_set') return bitNumbers(s.view, at(s, i), n)
  if (a.type === 'pollfd') return pollfds(s.view, at(s, i), n >> 3)
  if (a.type === 'gid') return ids(s.view, at(s, i), n >> 2)
  return structure(s, i, a.type)
}
function output(s: Shown, i: number, a: ArgSpec): string | undefined {
  const result = s.result ?? 0
  const n = Math.min(size(s, i), Math.max(result, 0) * (a.kind === 'array' ? a.size : 1))
  if (a.type === 'mincore') return bitsOfPages(s, i)
  if (a.type === 'epoll_event') return epollEvents(s.view, at(s, i), Math.floor(n / 12))
  if (a.type === 'gid' && a.kind === 'array') return ids(s.view, at(s, i), n >> 2)
  if (a.kind === 'bulk' || a.kind === 'bytes') return quote(bytesAt(s, i, n), s.limit)
  if (a.when === WHEN.POSITIVE && result <= 0) return pointer(s, i)
  if (a.when === WHEN.EINTR && result !== -E.INTR && result !== -E.RESTART_RESTARTBLOCK) return pointer(s, i)
  return structure(s, i, a.type)
}
export function structure(s: Shown, i: number, type: string): string {
  const format = STRUCT_FORMATS[type]
  return format ? format(s.view, at(s, i), size(s, i)) : pointer(s, i)
}
function bitsOfPages(s: Shown, i: number): string {
  return `[${[...bytesAt(s, i, Math.min(size(s, i), s.limit))].map(b => b & 1).join(', ')}${size(s, i) > s.limit ? ', ...' : ''}]`
}

function value(s: Shown, i: number, a: ArgSpec): string {
  const v = low(s, i)
  const table = a.type.slice(1)
  if (a.type[0] === '=') return oneOf(table, v)
  if (a.type[0] === '|') return table === 'open' ? openFlags(v) : table === 'map' ? mmapFlags(v) : flags(table, v)
  switch (a.type) {
    case 'dirfd':
      return v === -100 ? 'AT_FDCWD' : String(v)
    case 'mode':
      return mode(v)
    case 'umode':
      return fileMode(v)
    case 'dev':
      return device(v)
    case 'signo':
      return signal(v)
    case 'addr':
    case 'futex':
    case 'argv':
    case 'envp':
      return pointer(s, i)
    case 'hex':
    case 'tls':
    case 'hexoff':
      return a.width === 'long' ? hex64(low(s, i), high(s, i)) : hex(v)
    case 'uid':
    case 'gid':
      return String(v)
    case 'uint':
      return String(v >>> 0)
    case 'size':
    case 'ulong':
      return decimal64(low(s, i), high(s, i), false)
    case 'off':
    case 'long':
      return decimal(s, i)
    default:
      return String(v)
  }
}

/** readv and writev: the vector lies in its own area, the data of all pieces one behind the other in area 6. */
function iovec(s: Shown, i: number): string {
  const vector = at(s, i)
  if (vector === 0 || (failed(s) && !(s.specs[i] as ArgSpec).in)) return pointer(s, i)
  const isIn = (s.specs[i] as ArgSpec).in
  let left = isIn ? (s.areas[13] as number) : Math.max(s.result ?? 0, 0)
  let from = s.areas[12] as number
  const pieces: string[] = []
  for (let k = 0; k < size(s, i) / 16; k++) {
    const length = u32(s.view, vector + 16 * k + 8)
    const base = address(u32(s.view, vector + 16 * k), u32(s.view, vector + 16 * k + 4))
    const n = Math.min(length, left)
    const shown = from === 0 || (n === 0 && length > 0 && isIn) ? base : quote(s.mem.subarray(from, from + n), s.limit)
    pieces.push(`{iov_base=${shown}, iov_len=${length}}`)
    from += from === 0 ? 0 : n
    left -= n
  }
  return `[${pieces.join(', ')}]`
}
