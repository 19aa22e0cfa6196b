// ioctl of terminals: one handler per request (ioctl_tty(2)). The data grant has been checked to hold what abi/ioctl.ts says. A handler
// sees the line whichever end it was called on: as on Linux a master's settings, size and groups are its slave's.
import { E } from '../../abi/errno.ts'
import { IOCTL, ioctl } from '../../abi/ioctl.ts'
import { SUSPEND } from '../../abi/message.ts'
import { SIG } from '../../abi/signals.ts'
import {
  C,
  NCCS,
  PKT,
  TCIFLUSH,
  TCIOFF,
  TCIOFLUSH,
  TCION,
  TCOFLUSH,
  TCOOFF,
  TCOON,
  V,
  WINSIZE,
} from '../../abi/termios.ts'
import { acquire, carrierLost, check, controls, isAdmin, renounce, resize, setForeground, signalGroup } from './job.ts'
import { type Driver, type Line, newRequest, WAIT } from './line.ts'
import { flushMaster } from './pty.ts'
import { inputBytes } from './read.ts'
import { put, room, used } from './ring.ts'
import { drained, finishDrain } from './serve.ts'
import { decodeTermios, encodeTermios } from './settings.ts'
import { flushInput, flushOutput, halt, type Settings } from './terminal.ts'

/** An ioctl in hand. */
export interface IoctlCall {
  line: Line
  /** Called on a pty's master. */
  master: boolean
  cmd: number
  arg: number
  /** Data: arena offset. */
  at: number
  id: number
  endpoint: number
}
type Handler = (d: Driver, c: IoctlCall) => number

/** IOCTL of a line or a master → result, -errno or SUSPEND. `length`: bytes granted. The caller settles the line. */
export function control(d: Driver, c: IoctlCall, length: number): number {
  const handler = handlers[c.cmd]
  if (handler === undefined) return -E.NOTTY
  if (length < (ioctl(c.cmd)?.size ?? 0)) return -E.FAULT
  return handler(d, c)
}

// -- data --
function getInt(d: Driver, c: IoctlCall): number {
  return d.sys.view.getInt32(c.at, true)
}
function answerInt(d: Driver, c: IoctlCall, value: number): number {
  d.sys.view.setInt32(c.at, value, true)
  return 0
}
const yes: Handler = () => 0
const notHere: Handler = () => -E.NOTTY

// -- settings --
function getSettings(of: (c: IoctlCall) => Settings): Handler {
  return (d, c) => {
    encodeTermios(of(c), d.sys.mem, c.at, ioctl(c.cmd)?.size ?? 0)
    return 0
  }
}
/** TCSETS and its kin: at once, when output has gone (W), or then and with input thrown away (F). */
const setSettings: Handler = (d, c) => {
  const refused = changes(d, c)
  if (refused < 0) return refused
  const s = decodeTermios(d.sys.mem, c.at, ioctl(c.cmd)?.size ?? 0, c.line.terminal)
  const now = c.cmd === IOCTL.TCSETS || c.cmd === IOCTL.TCSETA || c.cmd === IOCTL.TCSETS2
  return now || drained(c.line) ? finishDrain(c.line, c.cmd, s) : wait(d, c, s)
}
function wait(d: Driver, c: IoctlCall, settings: Settings | null): number {
  const r = newRequest(d, WAIT.DRAIN, c.id, c.endpoint, 0, 0)
  r.cmd = c.cmd
  r.settings = settings
  c.line.end.drains.push(r)
  return SUSPEND
}
/** Job control for what changes the terminal. */
function changes(d: Driver, c: IoctlCall): number {
  return check(d, c.line.terminal, c.endpoint, SIG.TTOU)
}
/** Breaks and drains: there is no wire to hold a break on, so only the waiting is left. */
const drain: Handler = (d, c) => {
  const refused = changes(d, c)
  if (refused < 0) return refused
  return drained(c.line) ? 0 : wait(d, c, null)
}
const setDiscipline: Handler = (d, c) => {
  if (getInt(d, c) !== 0) return -E.INVAL
  return drain(d, c)
}
const lockSettings: Handler = (d, c) => {
  if (!isAdmin(d, c.endpoint)) return -E.PERM
  const { locked } = c.line.terminal
  const s = decodeTermios(d.sys.mem, c.at, ioctl(c.cmd)?.size ?? 0, locked)
  locked.iflag = s.iflag
  locked.oflag = s.oflag
  locked.cflag = s.cflag
  locked.lflag = s.lflag
  for (let i = 0; i < NCCS; i++) locked.cc[i] = s.cc[i] as number
  return 0
}
const setCarrier: Handler = (d, c) => {
  const { terminal: t } = c.line
  t.cflag = getInt(d, c) !== 0 ? t.cflag | C.CLOCAL : t.cflag & ~C.CLOCAL
  return 0
}

// -- queues --
const flush: Handler = (d, c) => {
  const refused = changes(d, c)
  if (refused < 0) return refused
  if (c.arg !== TCIFLUSH && c.arg !== TCOFLUSH && c.arg !== TCIOFLUSH) return -E.INVAL
  if (c.master) flushMaster(c.line, c.arg)
  else {
    if (c.arg !== TCOFLUSH) flushInput(c.line.terminal)
    if (c.arg !== TCIFLUSH) flushOutput(c.line.terminal)
  }
  return 0
}
const flow: Handler = (d, c) => {
  const refused = changes(d, c)
  if (refused < 0) return refused
  const { terminal: t, pty } = c.line
  switch (c.arg) {
    case TCOOFF:
    case TCOON:
      if (c.master && pty !== null) pty.halted = c.arg === TCOOFF
      else halt(t, c.arg === TCOOFF)
      return 0
    case TCIOFF:
    case TCION: {
      const byte = t.cc[c.arg === TCIOFF ? V.STOP : V.START] as number
      const queue = c.master ? t.in : t.out
      if (byte !== 0 && room(queue) > 0) put(queue, byte)
      return 0
    }
    default:
      return -E.INVAL
  }
}
const inputQueue: Handler = (d, c) =>
  answerInt(d, c, c.master ? used(c.line.terminal.out) : inputBytes(c.line.terminal))
const outputQueue: Handler = (d, c) => answerInt(d, c, c.line.pty === null ? used(c.line.terminal.out) : 0)

// -- window --
const getSize: Handler = (d, c) => {
  const { view } = d.sys
  const { rows, columns, xpixel, ypixel } = c.line.terminal
  view.setUint16(c.at + WINSIZE.ROW, rows, true)
  view.setUint16(c.at + WINSIZE.COL, columns, true)
  view.setUint16(c.at + WINSIZE.XPIXEL, xpixel, true)
  view.setUint16(c.at + WINSIZE.YPIXEL, ypixel, true)
  return 0
}
const setSize: Handler = (d, c) => {
  const u16 = (offset: number): number => d.sys.view.getUint16(c.at + offset, true)
  resize(d, c.line.terminal, u16(WINSIZE.ROW), u16(WINSIZE.COL), u16(WINSIZE.XPIXEL), u16(WINSIZE.YPIXEL))
  return 0
}

// -- sessions and groups --
const getForeground: Handler = (d, c) => {
  const { terminal: t } = c.line
  return c.master || controls(d, t, c.endpoint) ? answerInt(d, c, t.pgrp) : -E.NOTTY
}
const putForeground: Handler = (d, c) => {
  const refused = changes(d, c)
  if (refused < 0) return refused === -E.IO ? -E.NOTTY : refused
  return setForeground(d, c.line.terminal, c.endpoint, getInt(d, c))
}
const getSession: Handler = (d, c) => {
  const { terminal: t } = c.line
  if (!c.master && !controls(d, t, c.endpoint)) return -E.NOTTY
  return t.session === 0 ? -E.NOTTY : answerInt(d, c, t.session)
}
const takeTerminal: Handler = (d, c) => acquire(d, c.line.terminal, c.endpoint, c.arg === 1)
const leaveTerminal: Handler = (d, c) => (c.master ? -E.NOTTY : renounce(d, c.line, c.endpoint))
const vhangup: Handler = (d, c) => {
  if (!isAdmin(d, c.endpoint)) return -E.PERM
  carrierLost(d, c.line)
  return 0
}
const exclusive =
  (on: boolean): Handler =>
  (_d, c) => {
    c.line.terminal.exclusive = on
    return 0
  }

// -- masters --
const onMaster =
  (handler: Handler): Handler =>
  (d, c) =>
    c.master ? handler(d, c) : -E.NOTTY
const setPacket: Handler = (d, c) => {
  const { terminal: t } = c.line
  const on = getInt(d, c) !== 0
  if (on && !t.packet) t.status = PKT.DATA
  t.packet = on
  return 0
}
const setLock: Handler = (d, c) => {
  if (c.line.pty !== null) c.line.pty.locked = getInt(d, c) !== 0
  return 0
}
const sendSignal: Handler = (d, c) => {
  if (c.arg !== SIG.INT && c.arg !== SIG.QUIT && c.arg !== SIG.TSTP) return -E.INVAL
  signalGroup(d, c.line.terminal.pgrp, c.arg)
  return 0
}

const current = getSettings(c => c.line.terminal)
const handlers: Readonly<Record<number, Handler>> = {
  [IOCTL.TCGETS]: current,
  [IOCTL.TCGETA]: current,
  [IOCTL.TCGETS2]: current,
  [IOCTL.TCSETS]: setSettings,
  [IOCTL.TCSETSW]: setSettings,
  [IOCTL.TCSETSF]: setSettings,
  [IOCTL.TCSETA]: setSettings,
  [IOCTL.TCSETAW]: setSettings,
  [IOCTL.TCSETAF]: setSettings,
  [IOCTL.TCSETS2]: setSettings,
  [IOCTL.TCSETSW2]: setSettings,
  [IOCTL.TCSETSF2]: setSettings,
  [IOCTL.TIOCGLCKTRMIOS]: getSettings(c => c.line.terminal.locked),
  [IOCTL.TIOCSLCKTRMIOS]: lockSettings,
  [IOCTL.TIOCGSOFTCAR]: (d, c) => answerInt(d, c, (c.line.terminal.cflag & C.CLOCAL) !== 0 ? 1 : 0),
  [IOCTL.TIOCSSOFTCAR]: setCarrier,
  [IOCTL.TIOCGETD]: (d, c) => answerInt(d, c, 0),
  [IOCTL.TIOCSETD]: setDiscipline,
  [IOCTL.TCSBRK]: drain,
  [IOCTL.TCSBRKP]: drain,
  [IOCTL.TIOCSBRK]: drain,
  [IOCTL.TIOCCBRK]: changes,
  [IOCTL.TCFLSH]: flush,
  [IOCTL.TCXONC]: flow,
  [IOCTL.FIONREAD]: inputQueue,
  [IOCTL.TIOCOUTQ]: outputQueue,
  [IOCTL.TIOCGWINSZ]: getSize,
  [IOCTL.TIOCSWINSZ]: setSize,
  [IOCTL.TIOCGPGRP]: getForeground,
  [IOCTL.TIOCSPGRP]: putForeground,
  [IOCTL.TIOCGSID]: getSession,
  [IOCTL.TIOCSCTTY]: takeTerminal,
  [IOCTL.TIOCNOTTY]: leaveTerminal,
  [IOCTL.TIOCVHANGUP]: vhangup,
  [IOCTL.TIOCEXCL]: exclusive(true),
  [IOCTL.TIOCNXCL]: exclusive(false),
  [IOCTL.TIOCGEXCL]: (d, c) => answerInt(d, c, c.line.terminal.exclusive ? 1 : 0),
  [IOCTL.TIOCGDEV]: (d, c) => answerInt(d, c, c.line.terminal.device),
  [IOCTL.TIOCSTI]: () => -E.IO, // faking input: off by default since Linux 6.2 (dev.tty.legacy_tiocsti)
  [IOCTL.TIOCCONS]: () => -E.PERM,
  [IOCTL.FIOASYNC]: yes,
  [IOCTL.TIOCPKT]: onMaster(setPacket),
  [IOCTL.TIOCGPKT]: onMaster((d, c) => answerInt(d, c, c.line.terminal.packet ? 1 : 0)),
  [IOCTL.TIOCGPTN]: onMaster((d, c) => answerInt(d, c, c.line.pty?.number ?? 0)),
  [IOCTL.TIOCSPTLCK]: onMaster(setLock),
  [IOCTL.TIOCGPTLCK]: onMaster((d, c) => answerInt(d, c, c.line.pty?.locked ? 1 : 0)),
  [IOCTL.TIOCSIG]: onMaster(sendSignal),
  // modem lines, serial ports, virtual consoles: there are none
  [IOCTL.TIOCMGET]: notHere,
  [IOCTL.TIOCMSET]: notHere,
  [IOCTL.TIOCMBIS]: notHere,
  [IOCTL.TIOCMBIC]: notHere,
  [IOCTL.TIOCGSERIAL]: notHere,
  [IOCTL.TIOCSSERIAL]: notHere,
  [IOCTL.TIOCLINUX]: notHere,
}
