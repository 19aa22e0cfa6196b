// "#!" lines, exactly as Linux reads them (fs/binfmt_script.c load_script): of the file's first 256 bytes.
import { E } from '../../abi/errno.ts'

export const SHEBANG_BYTES = 256
/** The interpreter and its one optional argument. */
export interface Shebang {
  readonly interpreter: Uint8Array
  readonly argument: Uint8Array | null
}

function isBlank(c: number | undefined): boolean {
  return c === 32 || c === 9
}
/** First index in [from, to] that is no blank, or -1. */
function skipBlanks(b: Uint8Array, from: number, to: number): number {
  for (let i = from; i <= to; i++) if (!isBlank(b[i])) return i
  return -1
}
/** First index in [from, to] that is a blank or NUL, or -1. */
function findEnd(b: Uint8Array, from: number, to: number): number {
  for (let i = from; i <= to; i++) if (isBlank(b[i]) || b[i] === 0) return i
  return -1
}

/** Does the file begin with "#!"? */
export function isScript(head: Uint8Array): boolean {
  return head[0] === 0x23 && head[1] === 0x21
}

/** `head`: the file's first bytes. -ENOEXEC when the line names no interpreter, or when its name may have been cut off. */
export function parseShebang(head: Uint8Array): Shebang | number {
  const b = new Uint8Array(SHEBANG_BYTES) // a short file is padded with NULs
  b.set(head.subarray(0, SHEBANG_BYTES))
  const last = SHEBANG_BYTES - 1
  let end = b.indexOf(10)
  if (end < 0) {
    const name = skipBlanks(b, 2, last)
    if (name < 0 || findEnd(b, name, last) < 0) return -E.NOEXEC
    end = last
  }
  while (isBlank(b[end - 1])) end--
  const name = skipBlanks(b, 2, end)
  if (name < 0 || name >= end) return -E.NOEXEC
  const separator = findEnd(b, name, end)
  const argument = separator >= 0 && b[separator] !== 0 ? skipBlanks(b, separator, end) : -1
  const interpreter = upTo(b, name, separator >= 0 && separator < end ? separator : end)
  return { interpreter, argument: argument < 0 || argument >= end ? null : upTo(b, argument, end) }
}
/** Bytes from `from` to `end` or the first NUL. */
function upTo(b: Uint8Array, from: number, end: number): Uint8Array {
  const nul = b.indexOf(0, from)
  return b.slice(from, nul >= 0 && nul < end ? nul : end)
}
