// Input processing: what a byte from behind does. It lands in the input queue, edits the line being typed, stops or starts output, or
// raises a signal for the foreground group; and is echoed. termios(3), c_iflag and c_lflag.
import { SIG } from '../../abi/signals.ts'
import { I, L, V } from '../../abi/termios.ts'
import { echoBegin, echoChar, echoRaw, finishErasing, flushEcho } from './echo.ts'
import { erase } from './erase.ts'
import { copy, front, frontBytes, type Ring, used } from './ring.ts'
import { flushAll, INPUT_BYTES, isUpper, start, stop, type Terminal } from './terminal.ts'

const MASK = INPUT_BYTES - 1
const LF = 10
const CR = 13

/** Let the discipline see what waits in t.in, as far as it has room. True: it took something. */
export function pump(t: Terminal): boolean {
  let some = false
  for (;;) {
    const n = used(t.in) === 0 ? 0 : receive(t, t.in)
    if (n === 0) return some
    some = true
  }
}

/** Room in bytes; a full line being typed goes on taking characters (the last one is lost each time) until its newline comes. */
function inputRoom(t: Terminal): number {
  const free = INPUT_BYTES - (t.head - t.tail)
  const n = ((t.iflag & I.PARMRK) !== 0 ? Math.ceil(free / 3) : free) - 1
  if (n > 0) return n
  if ((t.lflag & L.ICANON) === 0 || t.canon !== t.tail) return 0
  if (n < 0) t.head--
  return 1
}

function receive(t: Terminal, from: Ring): number {
  const n = Math.min(frontBytes(from), inputRoom(t))
  if (n === 0) return 0
  if (t.raw) store(t, from, n)
  else for (let i = 0; i < n; i++) receiveByte(t, from.mem[from.base + ((from.tail + i) & (from.size - 1))] as number)
  from.tail += n
  if ((t.lflag & (L.ECHO | L.ECHONL)) !== 0) flushEcho(t)
  return n
}

function store(t: Terminal, from: Ring, bytes: number): void {
  const start = t.head & MASK
  const first = Math.min(bytes, INPUT_BYTES - start)
  copy(t.input, start, from.mem, front(from), first)
  copy(t.input, 0, from.mem, front(from) + first, bytes - first)
  t.head += bytes
}

function receiveByte(t: Terminal, byte: number): void {
  let c = (t.iflag & I.ISTRIP) !== 0 ? byte & 0x7f : byte
  if ((t.iflag & I.IUCLC) !== 0 && (t.lflag & L.IEXTEN) !== 0 && isUpper(c)) c += 32
  if (t.literal) {
    t.literal = false
    receivePlain(t, c)
  } else if ((t.lflag & L.EXTPROC) !== 0) enqueue(t, c)
  else if (t.special[c] === 0) receivePlain(t, c)
  else receiveSpecial(t, c)
}

function receivePlain(t: Terminal, c: number): void {
  restartByAny(t)
  if ((t.lflag & L.ECHO) !== 0) {
    finishErasing(t)
    echoBegin(t)
    echoChar(t, c)
  }
  accept(t, c)
}

function receiveSpecial(t: Terminal, byte: number): void {
  let c = byte
  if ((t.iflag & I.IXON) !== 0 && flowControl(t, c)) return
  if ((t.lflag & L.ISIG) !== 0 && signalCharacter(t, c)) return
  restartByAny(t)
  if (c === CR) {
    if ((t.iflag & I.IGNCR) !== 0) return
    if ((t.iflag & I.ICRNL) !== 0) c = LF
  } else if (c === LF && (t.iflag & I.INLCR) !== 0) c = CR
  if ((t.lflag & L.ICANON) !== 0 && editing(t, c)) return
  if ((t.lflag & L.ECHO) !== 0) {
    finishErasing(t)
    if (c === LF) echoRaw(t, LF)
    else {
      echoBegin(t)
      echoChar(t, c)
    }
  }
  accept(t, c)
}

function flowControl(t: Terminal, c: number): boolean {
  if (c === t.cc[V.START]) {
    start(t)
    flushEcho(t)
  } else if (c === t.cc[V.STOP]) stop(t)
  else return false
  return true
}

function signalCharacter(t: Terminal, c: number): boolean {
  if (c === t.cc[V.INTR]) raise(t, SIG.INT)
  else if (c === t.cc[V.QUIT]) raise(t, SIG.QUIT)
  else if (c === t.cc[V.SUSP]) raise(t, SIG.TSTP)
  else return false
  if ((t.iflag & I.IXON) !== 0) start(t)
  if ((t.lflag & L.ECHO) !== 0) echoChar(t, c)
  else flushEcho(t)
  return true
}
/** Signal the foreground group and, unless NOFLSH, drop what is typed and not yet shown. */
export function raise(t: Terminal, signo: number): void {
  t.raised |= 1 << (signo - 1)
  if ((t.lflag & L.NOFLSH) === 0) flushAll(t)
}

function restartByAny(t: Terminal): void {
  if (!t.stopped || (t.iflag & (I.IXON | I.IXANY)) !== (I.IXON | I.IXANY)) return
  start(t)
  flushEcho(t)
}

/** Canonical mode's characters. False: c is none of them. */
function editing(t: Terminal, c: number): boolean {
  const { cc } = t
  const extended = (t.lflag & L.IEXTEN) !== 0
  const echo = (t.lflag & L.ECHO) !== 0
  if (c === cc[V.ERASE] || c === cc[V.KILL] || (extended && c === cc[V.WERASE])) erase(t, c)
  else if (extended && c === cc[V.LNEXT]) {
    t.literal = true
    if (echo) literalNext(t)
  } else if (extended && echo && c === cc[V.REPRINT]) reprint(t, c)
  else if (c === LF) {
    if ((t.lflag & (L.ECHO | L.ECHONL)) !== 0) echoRaw(t, LF)
    endLine(t, c)
  } else if (c === cc[V.EOF]) endLine(t, 0)
  else if (c === cc[V.EOL] || (extended && c === cc[V.EOL2])) {
    if (echo) {
      echoBegin(t)
      echoChar(t, c)
    }
    if (c === 0xff && (t.iflag & I.PARMRK) !== 0) enqueue(t, c)
    endLine(t, c)
  } else return false
  return true
}
function literalNext(t: Terminal): void {
  finishErasing(t)
  if ((t.lflag & L.ECHOCTL) === 0) return
  echoRaw(t, 0x5e)
  echoRaw(t, 8)
}
function reprint(t: Terminal, c: number): void {
  finishErasing(t)
  echoChar(t, c)
  echoRaw(t, LF)
  for (let i = t.canon; i !== t.head; i++) echoChar(t, t.input[i & MASK] as number)
}

/** A byte into the queue; 0xff twice under PARMRK, as ff 00 and ff ff tell of bad and good bytes. */
function accept(t: Terminal, c: number): void {
  if (c === 0xff && (t.iflag & I.PARMRK) !== 0) enqueue(t, c)
  enqueue(t, c)
}
function enqueue(t: Terminal, c: number): void {
  t.input[t.head++ & MASK] = c
}
/** 0 as the last byte of a line stands for end of file: it is not delivered. */
function endLine(t: Terminal, c: number): void {
  t.marks[t.head & MASK] = 1
  enqueue(t, c)
  t.canon = t.head
}
