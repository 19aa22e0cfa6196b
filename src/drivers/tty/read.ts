// What a reader gets out of the input queue: lines in canonical mode, else bytes. The waiting (VMIN, VTIME) is the driver's.
import { L, V } from '../../abi/termios.ts'
import { copy } from './ring.ts'
import { canonical, INPUT_BYTES, type Terminal } from './terminal.ts'

const MASK = INPUT_BYTES - 1

/** Something can be read: a line (or end of file), or at least `least` bytes. */
export function readable(t: Terminal, least = 1): boolean {
  return canonical(t) ? t.canon !== t.tail : t.head - t.tail >= least
}

/** Up to `len` bytes, of one line at most, into mem[at…] → how many; 0 is end of file. Only when readable; len > 0. */
export function take(t: Terminal, mem: Uint8Array, at: number, len: number): number {
  if (!canonical(t)) return takeBytes(t, mem, at, Math.min(len, t.head - t.tail))
  // An end-of-file mark right behind the last byte asked for goes with it, else the next read would return 0.
  const limit = Math.min(len + 1, t.canon - t.tail)
  let n = 0
  while (n < limit && t.marks[(t.tail + n) & MASK] === 0) n++
  if (n === limit) return move(t, mem, at, Math.min(len, limit))
  if (t.input[(t.tail + n) & MASK] !== 0) return moveMarked(t, mem, at, Math.min(len, n + 1))
  move(t, mem, at, n)
  t.marks[t.tail++ & MASK] = 0
  return n
}
/** Under EXTPROC with ICANON a single EOF character at the end is an end of file. */
function takeBytes(t: Terminal, mem: Uint8Array, at: number, n: number): number {
  const external = (t.lflag & L.ICANON) !== 0
  if (external) t.marks.fill(0)
  const eof = external && n === 1 && t.input[t.tail & MASK] === t.cc[V.EOF] && t.tail + 1 === t.head
  move(t, mem, at, n)
  return eof ? 0 : n
}
function moveMarked(t: Terminal, mem: Uint8Array, at: number, n: number): number {
  move(t, mem, at, n)
  t.marks[(t.tail - 1) & MASK] = 0
  return n
}
function move(t: Terminal, mem: Uint8Array, at: number, n: number): number {
  const start = t.tail & MASK
  const first = Math.min(n, INPUT_BYTES - start)
  copy(mem, at, t.input, start, first)
  copy(mem, at + first, t.input, 0, n - first)
  t.tail += n
  return n
}

/** FIONREAD: bytes that can be read without waiting. */
export function inputBytes(t: Terminal): number {
  if (!canonical(t)) return t.head - t.tail
  let n = t.canon - t.tail
  for (let i = t.tail; i !== t.canon; i++) if (t.marks[i & MASK] === 1 && t.input[i & MASK] === 0) n--
  return n
}
