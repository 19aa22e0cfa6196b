// A terminal: settings, line discipline state, the two byte queues between it and whatever stands behind it (the host's terminal, or
// the master of a pty), and job control facts. Plain data, no functions: input.ts, echo.ts, output.ts, read.ts work on it.
// Behaviour is that of Linux's N_TTY (termios(3), ioctl_tty(2)); the differential test compares with the real one.
import { I, L, NCCS, OF, PKT } from '../../abi/termios.ts'
import { type Ring, room } from './ring.ts'

/** Bytes of input a discipline holds; a power of two. One is kept free for the newline that ends a full line (MAX_CANON). */
export const INPUT_BYTES = 4096
export const ECHO_OPS = 4096
/** POLLOUT holds while less than this is waiting to go out (WAKEUP_CHARS). */
export const WAKEUP_BYTES = 256

export interface Settings {
  iflag: number
  oflag: number
  cflag: number
  lflag: number
  /** Line discipline number: always 0, N_TTY. */
  line: number
  readonly cc: Uint8Array
  ispeed: number
  ospeed: number
}

export interface Terminal extends Settings {
  /** Line number, without generation. */
  readonly minor: number
  /** Device number as stat shows it: major << 8 | minor. */
  readonly device: number
  /** Counts hang-ups. An open file knows the generation it was opened in, so older ones find themselves hung up. */
  generation: number
  /** Open files of this generation. */
  opens: number
  exclusive: boolean
  rows: number
  columns: number
  xpixel: number
  ypixel: number
  /** Settings nobody may change (TIOCSLCKTRMIOS): bits of the flags, and which characters (≠ 0). */
  readonly locked: Settings

  // -- input: bytes tail ≤ i < head, at i & MASK. Canonical mode delivers those before canon; a marked byte ends a line --
  readonly input: Uint8Array
  readonly marks: Uint8Array
  head: number
  tail: number
  canon: number
  /** The next character is taken literally. */
  literal: boolean
  /** Inside \…/ of ECHOPRT. */
  erasing: boolean
  /** Characters with a meaning under the present settings, by value. */
  readonly special: Uint8Array
  /** No character has a meaning: input goes through in blocks. */
  raw: boolean

  // -- output --
  /** Echo not yet put out: ops of echo.ts, echoTail ≤ i < echoHead. */
  readonly echo: Uint16Array
  echoHead: number
  echoTail: number
  column: number
  /** Column where the current line's input began. */
  canonColumn: number
  /** Stopped by the STOP character / by tcflow(TCOOFF): neither lets output pass. */
  stopped: boolean
  halted: boolean
  /** From behind, not yet seen by the discipline; and to behind. */
  readonly in: Ring
  readonly out: Ring
  /** Output before this position can't be taken back by a flush. The driver moves it (a pty's master holds up to 4095 bytes). */
  sent: number

  // -- what the driver shall do next --
  /** Signals for the foreground group: bit n-1. */
  raised: number
  /** Packet mode of a pty: on, and the status bits its master has not read yet. */
  packet: boolean
  status: number

  // -- job control: 0 = none --
  session: number
  pgrp: number
  /** Endpoint of the session's leader when it took the terminal. */
  leader: number
}

function settings(): Settings {
  return { iflag: 0, oflag: 0, cflag: 0, lflag: 0, line: 0, cc: new Uint8Array(NCCS), ispeed: 0, ospeed: 0 }
}

/** Unset: every flag 0. settings.ts gives it its standard settings. */
export function createTerminal(minor: number, device: number, input: Ring, output: Ring): Terminal {
  return {
    ...settings(),
    minor,
    device,
    generation: 0,
    opens: 0,
    exclusive: false,
    rows: 0,
    columns: 0,
    xpixel: 0,
    ypixel: 0,
    locked: settings(),
    input: new Uint8Array(INPUT_BYTES),
    marks: new Uint8Array(INPUT_BYTES),
    head: 0,
    tail: 0,
    canon: 0,
    literal: false,
    erasing: false,
    special: new Uint8Array(256),
    raw: false,
    echo: new Uint16Array(ECHO_OPS),
    echoHead: 0,
    echoTail: 0,
    column: 0,
    canonColumn: 0,
    stopped: false,
    halted: false,
    in: input,
    out: output,
    sent: 0,
    raised: 0,
    packet: false,
    status: 0,
    session: 0,
    pgrp: 0,
    leader: 0,
  }
}

/** Lines are delivered, not bytes. */
export function canonical(t: Terminal): boolean {
  return (t.lflag & (L.ICANON | L.EXTPROC)) === L.ICANON
}

// -- flow of output --
export function flowing(t: Terminal): boolean {
  return !t.stopped && !t.halted
}
export function start(t: Terminal): void {
  if (!t.stopped || t.halted) return
  t.stopped = false
  if (t.packet) setStatus(t, PKT.STOP, PKT.START)
}
export function stop(t: Terminal): void {
  if (t.stopped) return
  t.stopped = true
  if (t.packet) setStatus(t, PKT.START, PKT.STOP)
}
/** tcflow(TCOOFF), tcflow(TCOON): TCOON also undoes the STOP character. */
export function halt(t: Terminal, on: boolean): void {
  if (t.halted === on) return
  t.halted = on
  if (on) stop(t)
  else start(t)
}
/** Bytes output may take now. */
export function outputRoom(t: Terminal): number {
  return flowing(t) ? room(t.out) : 0
}
export function setStatus(t: Terminal, clear: number, set: number): void {
  t.status = (t.status & ~clear) | set
}

// -- flushing --
/** Throw away input not yet read. */
export function flushInput(t: Terminal): void {
  resetInput(t)
  if (t.packet) setStatus(t, 0, PKT.FLUSHREAD)
}
function resetInput(t: Terminal): void {
  t.head = t.tail = t.canon = 0
  t.erasing = false
  t.marks.fill(0)
}
/** Throw away output not yet sent. */
export function flushOutput(t: Terminal): void {
  t.out.head = Math.max(t.out.tail, Math.min(t.out.head, t.sent))
  if (t.packet) setStatus(t, 0, PKT.FLUSHWRITE)
}
/** What a signal character throws away: echo, output, input. */
export function flushAll(t: Terminal): void {
  t.echoHead = t.echoTail = 0
  flushOutput(t)
  flushInput(t)
}

// -- characters, as the kernel's ctype table (latin1) has them --
export function isControl(c: number): boolean {
  return c < 32 || c === 127
}
export function isWord(c: number): boolean {
  return (
    (c >= 48 && c <= 57) || isUpper(c) || isLower(c) || c === 95 // digits, letters, _
  )
}
export function isUpper(c: number): boolean {
  return (c >= 65 && c <= 90) || (c >= 0xc0 && c <= 0xde && c !== 0xd7)
}
export function isLower(c: number): boolean {
  return (c >= 97 && c <= 122) || (c >= 0xdf && c !== 0xf7)
}
/** Not the first byte of a UTF-8 character, under IUTF8. */
export function continues(t: Terminal, c: number): boolean {
  return (t.iflag & I.IUTF8) !== 0 && (c & 0xc0) === 0x80
}
/** Output goes through output.ts's mapping. */
export function processed(t: Terminal): boolean {
  return (t.oflag & OF.OPOST) !== 0
}
