// Paths as they come from guests: bytes in a grant, taken out once, split once. Paths asked for again and again are recognised by
// their bytes, so the common case makes no strings.
import { E } from '../../abi/errno.ts'
import { PATH_MAX } from '../../abi/fcntl.ts'
import { high, type Message, uint } from '../../abi/message.ts'

/** A path in pieces. Immutable, shared. */
export interface Path {
  readonly text: string
  /** Components, without empty ones. */
  readonly parts: readonly string[]
  readonly absolute: boolean
  /** Ends in '/': the last component must be a directory. */
  readonly slash: boolean
}

const SLASH = 47
const CACHE = 4096
const cache: (Path | undefined)[] = new Array(CACHE).fill(undefined)

export function parsePath(text: string): Path {
  const parts: string[] = []
  let start = 0
  for (let i = 0; i <= text.length; i++) {
    if (i < text.length && text.charCodeAt(i) !== SLASH) continue
    if (i > start) parts.push(text.slice(start, i))
    start = i + 1
  }
  return {
    text,
    parts,
    absolute: text.charCodeAt(0) === SLASH,
    slash: parts.length > 0 && text.charCodeAt(text.length - 1) === SLASH,
  }
}
export const EMPTY_PATH = parsePath('')

/** The path of `length` bytes at `at`. -ENAMETOOLONG. Bytes are latin1 characters. */
export function pathAt(mem: Uint8Array, at: number, length: number): Path | number {
  if (length === 0) return EMPTY_PATH
  if (length >= PATH_MAX) return -E.NAMETOOLONG
  let hash = length
  for (let i = at; i < at + length; i++) hash = (Math.imul(hash, 31) + (mem[i] as number)) | 0
  const slot = (hash ^ (hash >>> 15)) & (CACHE - 1)
  const known = cache[slot]
  if (known !== undefined && same(known.text, mem, at, length)) return known
  const path = parsePath(textAt(mem, at, length))
  cache[slot] = path
  return path
}
function same(text: string, mem: Uint8Array, at: number, length: number): boolean {
  if (text.length !== length) return false
  for (let i = 0; i < length; i++) if (text.charCodeAt(i) !== mem[at + i]) return false
  return true
}
/** Bytes as a string. A NUL ends it: memory of a hostile guest may hold one by now. */
export function textAt(mem: Uint8Array, at: number, length: number): string {
  let text = ''
  for (let i = at; i < at + length; i++) {
    const c = mem[i] as number
    if (c === 0) break
    text += String.fromCharCode(c)
  }
  return text
}
/** The path in cell `k`, or -errno. */
export function pathOf(mem: Uint8Array, m: Message, k: number): Path | number {
  return pathAt(mem, uint(m, k), high(m, k))
}
/** The string in cell `k` (symlink target, attribute name). */
export function textOf(mem: Uint8Array, m: Message, k: number): string {
  return textAt(mem, uint(m, k), high(m, k))
}
/** Write latin1 text into the grant in cell `k`; it must fit. */
export function putText(mem: Uint8Array, at: number, text: string): void {
  for (let i = 0; i < text.length; i++) mem[at + i] = text.charCodeAt(i)
}
/** Absolute path of `name` in the directory called `dir`. */
export function joinPath(dir: string, name: string): string {
  return dir === '/' ? `/${name}` : `${dir}/${name}`
}
export function parentPath(path: string): string {
  const slash = path.lastIndexOf('/')
  return slash <= 0 ? '/' : path.slice(0, slash)
}
