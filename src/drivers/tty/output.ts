// Output processing (OPOST): what a byte written to a terminal becomes, and the column it leaves the cursor in. termios(3), c_oflag.
// Everything or nothing of one byte goes out, so output can go on later where it stopped.
import { OF } from '../../abi/termios.ts'
import { put, putBlock } from './ring.ts'
import { continues, isControl, isLower, outputRoom, processed, type Terminal } from './terminal.ts'

const TAB = 9
const LF = 10
const CR = 13
const BS = 8
const SPACE = 32

/** One byte, processed. False: no room for what it becomes. */
export function outputByte(t: Terminal, byte: number): boolean {
  const space = outputRoom(t)
  if (space === 0) return false
  let c = byte
  switch (c) {
    case LF:
      if ((t.oflag & OF.ONLRET) !== 0) t.column = 0
      if ((t.oflag & OF.ONLCR) !== 0) {
        if (space < 2) return false
        t.canonColumn = t.column = 0
        put(t.out, CR)
      } else t.canonColumn = t.column
      break
    case CR:
      if ((t.oflag & OF.ONOCR) !== 0 && t.column === 0) return true
      if ((t.oflag & OF.OCRNL) !== 0) {
        c = LF
        if ((t.oflag & OF.ONLRET) !== 0) t.canonColumn = t.column = 0
      } else t.canonColumn = t.column = 0
      break
    case TAB: {
      const spaces = 8 - (t.column & 7)
      if ((t.oflag & OF.TABDLY) === OF.XTABS) {
        if (space < spaces) return false
        t.column += spaces
        for (let i = 0; i < spaces; i++) put(t.out, SPACE)
        return true
      }
      t.column += spaces
      break
    }
    case BS:
      if (t.column > 0) t.column--
      break
    default:
      if (!isControl(c)) {
        if ((t.oflag & OF.OLCUC) !== 0 && isLower(c)) c -= 32
        if (!continues(t, c)) t.column++
      }
  }
  put(t.out, c)
  return true
}

/** As many of `count` bytes of mem[at…] as can go now → how many. */
export function output(t: Terminal, mem: Uint8Array, at: number, count: number): number {
  if (!processed(t)) return putBlock(t.out, mem, at, Math.min(count, outputRoom(t)))
  let n = 0
  while (n < count && outputByte(t, mem[at + n] as number)) n++
  return n
}
