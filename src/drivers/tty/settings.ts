// Terminal settings: put in force, and to and from the structures a guest passes (termios, termios2, termio of abi/termios.ts).
import { C, I, L, NCC, NCCS, PKT, STANDARD, speedOf, TERMIO, TERMIOS, V } from '../../abi/termios.ts'
import { flushEcho } from './echo.ts'
import { INPUT_BYTES, type Settings, setStatus, start, type Terminal } from './terminal.ts'

const MASK = INPUT_BYTES - 1
const LF = 10
const CR = 13

/** As a terminal nobody has set yet. */
export function standardSettings(t: Terminal): void {
  t.iflag = STANDARD.iflag
  t.oflag = STANDARD.oflag
  t.cflag = STANDARD.cflag
  t.lflag = STANDARD.lflag
  t.cc.set(STANDARD.cc)
  t.ispeed = t.ospeed = speedOf(t.cflag, 0)
  derive(t)
}

/** The same without HUPCL: a pty has no line to hang up. */
export function ptySettings(t: Terminal): void {
  standardSettings(t)
  t.cflag &= ~C.HUPCL
}

/** New flags and characters, already checked, from `s`; locked ones stay. Typed input changes its kind with ICANON. */
export function applySettings(t: Terminal, s: Settings): void {
  const old = t.lflag
  const flow = softFlow(t)
  const ixon = t.iflag & I.IXON
  const lock = t.locked
  t.iflag = merge(t.iflag, s.iflag, lock.iflag)
  t.oflag = merge(t.oflag, s.oflag, lock.oflag)
  t.cflag = merge(t.cflag, s.cflag, lock.cflag)
  t.lflag = merge(t.lflag, s.lflag, lock.lflag)
  for (let i = 0; i < NCCS; i++) if (lock.cc[i] === 0) t.cc[i] = s.cc[i] as number
  t.ispeed = s.ispeed
  t.ospeed = s.ospeed
  if (((old ^ t.lflag) & (L.ICANON | L.EXTPROC)) !== 0) changeMode(t)
  derive(t)
  if (ixon !== 0 && (t.iflag & I.IXON) === 0 && t.stopped && !t.halted) {
    start(t)
    flushEcho(t)
  }
  if (t.packet) {
    if (flow !== softFlow(t)) setStatus(t, PKT.DOSTOP | PKT.NOSTOP, flow ? PKT.NOSTOP : PKT.DOSTOP)
    if (((old | t.lflag) & L.EXTPROC) !== 0) setStatus(t, 0, PKT.IOCTL)
  }
}
function merge(old: number, now: number, locked: number): number {
  return ((now & ~locked) | (old & locked)) >>> 0
}
function softFlow(t: Terminal): boolean {
  return (t.iflag & I.IXON) !== 0 && t.cc[V.STOP] === 19 && t.cc[V.START] === 17
}

/** Between lines and bytes: what is there becomes one line, or plain bytes. */
function changeMode(t: Terminal): void {
  t.marks.fill(0)
  if ((t.lflag & L.ICANON) !== 0 && t.head !== t.tail) {
    t.marks[(t.head - 1) & MASK] = 1
    t.canon = t.head
  } else t.canon = t.tail
  t.erasing = false
  t.literal = false
}

/** Derive `special` and `raw` from the settings. */
function derive(t: Terminal): void {
  const { iflag, lflag, cc, special } = t
  special.fill(0)
  t.raw =
    (iflag & (I.ISTRIP | I.IUCLC | I.IGNCR | I.ICRNL | I.INLCR | I.IXON | I.PARMRK)) === 0 &&
    (lflag & (L.ICANON | L.ISIG | L.ECHO)) === 0
  if ((iflag & (I.IGNCR | I.ICRNL)) !== 0) special[CR] = 1
  if ((iflag & I.INLCR) !== 0) special[LF] = 1
  if ((lflag & L.ICANON) !== 0) {
    special[LF] = 1
    mark(special, cc, V.ERASE, V.KILL, V.EOF, V.EOL)
    if ((lflag & L.IEXTEN) !== 0) {
      mark(special, cc, V.WERASE, V.LNEXT, V.EOL2)
      if ((lflag & L.ECHO) !== 0) mark(special, cc, V.REPRINT)
    }
  }
  if ((iflag & I.IXON) !== 0) mark(special, cc, V.START, V.STOP)
  if ((lflag & L.ISIG) !== 0) mark(special, cc, V.INTR, V.QUIT, V.SUSP)
  special[0] = 0
}
function mark(special: Uint8Array, cc: Uint8Array, ...which: number[]): void {
  for (const v of which) special[cc[v] as number] = 1
}

function u16(mem: Uint8Array, at: number): number {
  return (mem[at] as number) | ((mem[at + 1] as number) << 8)
}
function u32(mem: Uint8Array, at: number): number {
  return (u16(mem, at) | (u16(mem, at + 2) << 16)) >>> 0
}
function setU16(mem: Uint8Array, at: number, v: number): void {
  mem[at] = v
  mem[at + 1] = v >> 8
}
function setU32(mem: Uint8Array, at: number, v: number): void {
  setU16(mem, at, v)
  setU16(mem, at + 2, v >>> 16)
}

/** From a struct of `size` bytes (which says its kind). What the struct has no room for comes from `now`. */
export function decodeTermios(mem: Uint8Array, at: number, size: number, now: Settings): Settings {
  const s: Settings = { ...now, cc: now.cc.slice() }
  if (size === TERMIO.BYTES) {
    // the low halves only; the high halves stay
    s.iflag = ((now.iflag & 0xffff0000) | u16(mem, at + TERMIO.IFLAG)) >>> 0
    s.oflag = ((now.oflag & 0xffff0000) | u16(mem, at + TERMIO.OFLAG)) >>> 0
    s.cflag = ((now.cflag & 0xffff0000) | u16(mem, at + TERMIO.CFLAG)) >>> 0
    s.lflag = ((now.lflag & 0xffff0000) | u16(mem, at + TERMIO.LFLAG)) >>> 0
    s.line = mem[at + TERMIO.LINE] as number
    s.cc.set(mem.subarray(at + TERMIO.CC, at + TERMIO.CC + NCC))
  } else {
    s.iflag = u32(mem, at + TERMIOS.IFLAG)
    s.oflag = u32(mem, at + TERMIOS.OFLAG)
    s.cflag = u32(mem, at + TERMIOS.CFLAG)
    s.lflag = u32(mem, at + TERMIOS.LFLAG)
    s.line = mem[at + TERMIOS.LINE] as number
    s.cc.set(mem.subarray(at + TERMIOS.CC, at + TERMIOS.CC + NCCS))
  }
  const whole = size === TERMIOS.BYTES2
  s.ospeed = speedOf(s.cflag & C.CBAUD, whole ? u32(mem, at + TERMIOS.OSPEED) : now.ospeed)
  const input = (s.cflag >>> C.IBSHIFT) & C.CBAUD // B0: the same as output
  s.ispeed = input === 0 ? s.ospeed : speedOf(input, whole ? u32(mem, at + TERMIOS.ISPEED) : now.ispeed)
  return s
}

export function encodeTermios(s: Settings, mem: Uint8Array, at: number, size: number): void {
  if (size === TERMIO.BYTES) {
    setU16(mem, at + TERMIO.IFLAG, s.iflag)
    setU16(mem, at + TERMIO.OFLAG, s.oflag)
    setU16(mem, at + TERMIO.CFLAG, s.cflag)
    setU16(mem, at + TERMIO.LFLAG, s.lflag)
    mem[at + TERMIO.LINE] = s.line
    for (let i = 0; i < NCC; i++) mem[at + TERMIO.CC + i] = s.cc[i] as number
    mem[at + TERMIO.BYTES - 1] = 0
    return
  }
  setU32(mem, at + TERMIOS.IFLAG, s.iflag)
  setU32(mem, at + TERMIOS.OFLAG, s.oflag)
  setU32(mem, at + TERMIOS.CFLAG, s.cflag)
  setU32(mem, at + TERMIOS.LFLAG, s.lflag)
  mem[at + TERMIOS.LINE] = s.line
  mem.set(s.cc, at + TERMIOS.CC)
  if (size !== TERMIOS.BYTES2) return
  setU32(mem, at + TERMIOS.ISPEED, s.ispeed)
  setU32(mem, at + TERMIOS.OSPEED, s.ospeed)
}
