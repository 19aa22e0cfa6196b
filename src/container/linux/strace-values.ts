// How strace writes single values: flag words, enumerations, strings, modes, signals, devices, times.
import { major, minor, S } from '../../abi/fcntl.ts'
import { BAUD, BAUD_EXTRA, signalName, XLAT, type Xlat } from './xlat.ts'

export function xlat(name: string): Xlat {
  const found = XLAT[name]
  if (!found) throw new Error(`no table of names ${name}`)
  return found
}
export const hex = (v: number): string => (v === 0 ? '0' : `0x${(v >>> 0).toString(16)}`)
/** 64-bit value in hexadecimal from its two words. */
export function hex64(low: number, high: number): string {
  if (high === 0) return hex(low)
  return `0x${(high >>> 0).toString(16)}${(low >>> 0).toString(16).padStart(8, '0')}`
}
export function address(low: number, high: number): string {
  return low === 0 && high === 0 ? 'NULL' : hex64(low, high)
}
export function decimal64(low: number, high: number, isSigned: boolean): string {
  const v = (BigInt(isSigned ? high : high >>> 0) << 32n) | BigInt(low >>> 0)
  return v.toString()
}

/** A flag word: names joined by |, what has none in hexadecimal; 0 as the table's zero name or 0. */
export function flags(name: string, value: number): string {
  const { names, fallback } = xlat(name)
  const parts: string[] = []
  let left = value >>> 0
  if (left === 0) return names.find(([v]) => v === 0)?.[1] ?? '0'
  for (const [v, text] of names) {
    if (v === 0 || (left & v) >>> 0 !== v) continue
    parts.push(text)
    left = (left & ~v) >>> 0
  }
  if (left !== 0) parts.push(parts.length === 0 && fallback !== '' ? `${hex(left)} /* ${fallback} */` : hex(left))
  return parts.join('|')
}
/** One of several values. */
export function oneOf(name: string, value: number): string {
  const { names, fallback } = xlat(name)
  return names.find(([v]) => v === value >>> 0)?.[1] ?? `${hex(value)} /* ${fallback} */`
}

const ACCESS = ['O_RDONLY', 'O_WRONLY', 'O_RDWR', 'O_ACCMODE']
export function openFlags(value: number): string {
  const rest = value & ~3
  return (ACCESS[value & 3] as string) + (rest === 0 ? '' : `|${flags('open', rest).replace(' /* O_??? */', '')}`)
}
export function mmapFlags(value: number): string {
  const rest = value & ~3
  const type = oneOf('maptype', value & 3)
  return rest === 0 ? type : `${type}|${flags('map', rest).replace(' /* MAP_??? */', '')}`
}
/** Permission bits: at least three octal digits, a zero in front. */
export function mode(value: number): string {
  const text = (value & 0o7777).toString(8)
  return value === 0 ? '000' : text.length < 3 ? text.padStart(3, '0') : `0${text}`
}
// biome-ignore format: a table
const TYPES: readonly (readonly [number, string])[] = [
  [S.IFSOCK, 'S_IFSOCK'], [S.IFLNK, 'S_IFLNK'], [S.IFREG, 'S_IFREG'], [S.IFBLK, 'S_IFBLK'], [S.IFDIR, 'S_IFDIR'], [S.IFCHR, 'S_IFCHR'],
  [S.IFIFO, 'S_IFIFO'],
]
/** st_mode: type, set-id bits, permissions. */
export function fileMode(value: number): string {
  const type = TYPES.find(([v]) => v === (value & S.IFMT))?.[1]
  if (!type) return mode(value)
  const ids =
    (value & S.ISUID ? '|S_ISUID' : '') + (value & S.ISGID ? '|S_ISGID' : '') + (value & S.ISVTX ? '|S_ISVTX' : '')
  return `${type}${ids}|${mode(value & 0o777)}`
}
export function device(dev: number): string {
  return `makedev(${hex(major(dev))}, ${hex(minor(dev))})`
}
export function signal(signo: number): string {
  const name = signalName(signo)
  return name === '' ? String(signo) : `SIG${name}`
}
/** A signal set: names without SIG; the absent ones behind ~ when most are there. */
export function signalSet(low: number, high: number): string {
  const present: string[] = []
  const absent: string[] = []
  for (let n = 1; n <= 64; n++)
    ((n <= 32 ? low >>> (n - 1) : high >>> (n - 33)) & 1 ? present : absent).push(signalName(n))
  return present.length >= 42 ? `~[${absent.join(' ')}]` : `[${present.join(' ')}]`
}

const ESCAPES: Readonly<Record<number, string>> = {
  9: '\\t',
  10: '\\n',
  11: '\\v',
  12: '\\f',
  13: '\\r',
  34: '\\"',
  92: '\\\\',
}
/** Bytes as a C string: octal escapes as short as what follows allows; … behind `limit` bytes, or when there is more. */
export function quote(bytes: Uint8Array, limit: number, more = false): string {
  const n = Math.min(bytes.length, limit)
  let text = ''
  for (let i = 0; i < n; i++) {
    const b = bytes[i] as number
    if (ESCAPES[b] !== undefined) text += ESCAPES[b]
    else if (b >= 32 && b < 127) text += String.fromCharCode(b)
    else {
      const next = i + 1 < n ? (bytes[i + 1] as number) : 0
      const octal = b.toString(8)
      text += `\\${next >= 48 && next <= 57 ? octal.padStart(3, '0') : octal}`
    }
  }
  return `"${text}"${bytes.length > limit || more ? '...' : ''}`
}
/** Bytes that are no text: every one as \xNN. */
export function quoteHex(bytes: Uint8Array, limit: number): string {
  const text = [...bytes.subarray(0, limit)].map(b => `\\x${b.toString(16).padStart(2, '0')}`).join('')
  return `"${text}"${bytes.length > limit ? '...' : ''}`
}
/** 2026-11-21T03:06:57+0000, with the given fraction digits when they are not zero. */
export function date(seconds: number, fraction: number, digits: number): string {
  const d = new Date(seconds * 1000)
  if (Number.isNaN(d.getTime())) return ''
  const behind = fraction > 0 ? `.${String(fraction).padStart(digits, '0')}` : ''
  return `${d.toISOString().slice(0, 19)}${behind}+0000`
}

/** Wait status as wait4 leaves it. */
export function waitStatus(status: number): string {
  const signo = status & 0x7f
  if (status === 0xffff) return '[{WIFCONTINUED(s)}]'
  if ((status & 0xff) === 0x7f) return `[{WIFSTOPPED(s) && WSTOPSIG(s) == ${signal((status >> 8) & 0xff)}}]`
  if (signo === 0) return `[{WIFEXITED(s) && WEXITSTATUS(s) == ${(status >> 8) & 0xff}}]`
  return `[{WIFSIGNALED(s) && WTERMSIG(s) == ${signal(signo)}${status & 0x80 ? ' && WCOREDUMP(s)' : ''}}]`
}

/** termios words: delay and size fields by name, then bits. */
export function outputModes(v: number): string {
  const fields = [
    `NL${(v >> 8) & 1}`,
    `CR${(v >> 9) & 3}`,
    `TAB${(v >> 11) & 3}`,
    `BS${(v >> 13) & 1}`,
    `VT${(v >> 14) & 1}`,
    `FF${(v >> 15) & 1}`,
  ]
  const bits = v & 0xff
  return fields.join('|') + (bits === 0 ? '' : `|${flags('c_oflag', bits)}`)
}
export function controlModes(v: number): string {
  const code = v & 15
  const baud = v & 0x1000 ? (code === 0 ? 'BOTHER' : `B${BAUD_EXTRA[code]}`) : `B${BAUD[code]}`
  const input = (v >> 16) & 0x100f
  const speed = input === 0 ? baud : `${baud}|${input & 0x1000 ? BAUD_EXTRA[input & 15] : BAUD[input & 15]}<<IBSHIFT`
  const bits = (v & ~0x100f003f & ~0x100f) >>> 0
  return `${speed}|CS${5 + ((v >> 4) & 3)}${bits === 0 ? '' : `|${flags('c_cflag', bits)}`}`
}
