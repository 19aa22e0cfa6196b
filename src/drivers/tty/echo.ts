// Echo: operations queued as input is seen and put out when output has room, so that a stopped or full output delays echo and loses
// none (until 4096 are waiting: then the oldest go). An op is 16 bits: a byte, or one of these.
import { L, V } from '../../abi/termios.ts'
import { outputByte } from './output.ts'
import { put } from './ring.ts'
import { ECHO_OPS, isControl, outputRoom, processed, type Terminal } from './terminal.ts'

const CARET = 0x100 // + c: ^X, past output processing
const PLAIN = 0x200 // + c: c, past output processing
const BACK = 0x300 // the column moves back by one
const BEGIN = 0x301 // input of a line begins in this column
const RUB_TAB = 0x400 // + columns used since the last tab or, without AFTER_TAB, since the beginning of input
const AFTER_TAB = 0x80

const BS = 8

function push(t: Terminal, op: number): void {
  if (t.echoHead - t.echoTail === ECHO_OPS) t.echoTail++
  t.echo[t.echoHead++ & (ECHO_OPS - 1)] = op
}
/** A byte as it is, through output processing. */
export function echoRaw(t: Terminal, c: number): void {
  push(t, c === 0xff ? PLAIN | c : c)
}
/** A character as it is shown: control characters as ^X under ECHOCTL. */
export function echoChar(t: Terminal, c: number): void {
  if ((t.lflag & L.ECHOCTL) !== 0 && isControl(c) && c !== 9) push(t, CARET | c)
  else echoRaw(t, c)
}
export function echoBack(t: Terminal): void {
  push(t, BACK)
}
/** Before the first character of a line is echoed. */
export function echoBegin(t: Terminal): void {
  if (t.canon === t.head) push(t, BEGIN)
}
export function echoRubTab(t: Terminal, columns: number, afterTab: boolean): void {
  push(t, RUB_TAB | (columns & 7) | (afterTab ? AFTER_TAB : 0))
}
/** End the \…/ of ECHOPRT. */
export function finishErasing(t: Terminal): void {
  if (!t.erasing) return
  echoRaw(t, 0x2f)
  t.erasing = false
}
/** The KILL character's own echo. */
export function echoKill(t: Terminal): void {
  echoChar(t, t.cc[V.KILL] as number)
  if ((t.lflag & L.ECHOK) !== 0) echoRaw(t, 10)
}

/** Put out what there is room for. */
export function flushEcho(t: Terminal): void {
  while (t.echoTail !== t.echoHead && play(t, t.echo[t.echoTail & (ECHO_OPS - 1)] as number)) t.echoTail++
}
function play(t: Terminal, op: number): boolean {
  if (op < CARET) {
    if (processed(t)) return outputByte(t, op)
    return plain(t, op)
  }
  if (op === BACK) {
    if (t.column > 0) t.column--
    return true
  }
  if (op === BEGIN) {
    t.canonColumn = t.column
    return true
  }
  if (op >= RUB_TAB) return rubTab(t, op & 0xff)
  if (op >= PLAIN) {
    if (!plain(t, op & 0xff)) return false
    t.column++
    return true
  }
  if (outputRoom(t) < 2) return false
  put(t.out, 0x5e)
  put(t.out, (op & 0xff) ^ 0x40)
  t.column += 2
  return true
}
function plain(t: Terminal, c: number): boolean {
  if (outputRoom(t) === 0) return false
  put(t.out, c)
  return true
}
function rubTab(t: Terminal, columns: number): boolean {
  const from = (columns & AFTER_TAB) !== 0 ? columns : columns + t.canonColumn
  const steps = 8 - (from & 7)
  if (outputRoom(t) < steps) return false
  for (let i = 0; i < steps; i++) {
    put(t.out, BS)
    if (t.column > 0) t.column--
  }
  return true
}
