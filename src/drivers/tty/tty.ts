// The TTY driver: terminals as character devices of FS (protocol/cdev.ts). Minor 0 is the console, the host's terminal; the rest are
// ptys. This file is the call vector; who waits is in line.ts, what moves in serve.ts, the line discipline in input.ts, echo.ts,
// erase.ts, output.ts and read.ts, sessions and groups in job.ts.
import { E } from '../../abi/errno.ts'
import { O } from '../../abi/fcntl.ts'
import { IOCTL } from '../../abi/ioctl.ts'
import { EP, high, int, type Message, message, setInt, uint, ulong } from '../../abi/message.ts'
import { I, TERMIOS } from '../../abi/termios.ts'
import type { HostIo } from '../../lib/hostio.ts'
import type { CallVector, Server, Sys } from '../../lib/server.ts'
import { Timers } from '../../lib/timers.ts'
import { CDEV } from '../../protocol/cdev.ts'
import { COMMON_CALL } from '../../protocol/common.ts'
import { TTY } from '../../protocol/tty.ts'
import { attach, attached, IN_AT, IN_BYTES, OUT_AT, OUT_BYTES } from './console.ts'
import { control } from './ioctl.ts'
import { acquireByOpen, HUNG_UP, isAdmin, leaderEnded, resize, sessionOf } from './job.ts'
import {
  AUX,
  createEnd,
  type Driver,
  type End,
  freeRequest,
  isMaster,
  isOurs,
  isStale,
  type Line,
  lineOf,
  lines,
  minorOf,
  type Request,
  WAIT,
} from './line.ts'
import { closeMaster, masterEvents, mayOpenSlave, openMaster, readMaster, writeMaster } from './pty.ts'
import { putBlock, ring, used } from './ring.ts'
import { events, read, readTimedOut, settle, write } from './serve.ts'
import { applySettings, decodeTermios, standardSettings } from './settings.ts'
import { exportDriver, importDriver } from './state.ts'
import { createTerminal, type Settings } from './terminal.ts'

export interface TtyOptions {
  /** Host descriptors of the terminal behind the console, non-blocking; they stay the caller's. Absent: opening it is ENXIO. */
  inFd?: number
  outFd?: number
  size?: { rows: number; columns: number }
  /** struct termios of the host's terminal as the user has set it: its control characters and IUTF8 become the console's. */
  termios?: Uint8Array
}
export interface TtyDriver extends Server {
  /** Another host terminal behind the console. */
  attach(inFd: number, outFd: number): void
  /** The host's window has a new size: SIGWINCH to the foreground group when it differs. */
  resize(rows: number, columns: number): void
  /** Bytes as if typed at the console → how many were taken (the rest: try again when something has been read). */
  input(bytes: Uint8Array): number
  /** Bytes of console output the host has not taken yet. */
  pending(): number
}

const NR_AUX = { TTY: 0, CONSOLE: 1, PTMX: 2 } as const

export function createTty(sys: Sys, io: HostIo, options: TtyOptions = {}): TtyDriver {
  const d = createDriver(sys, io, options)
  const t = d.console.terminal
  if (options.size) resize(d, t, options.size.rows, options.size.columns, 0, 0)
  attach(d, options.inFd ?? -1, options.outFd ?? -1)
  return {
    name: 'tty',
    calls: callVector(d),
    notified(from) {
      if (from !== EP.CLOCK) return
      for (let slot = d.timers.expire(); slot >= 0; slot = d.timers.expire()) timeUp(d, d.requests[slot] as Request)
    },
    attach(inFd, outFd) {
      attach(d, inFd, outFd)
      settle(d, d.console)
    },
    resize: (rows, columns) => resize(d, t, rows, columns, t.xpixel, t.ypixel),
    input(bytes) {
      const n = putBlock(t.in, bytes, 0, bytes.length)
      settle(d, d.console)
      return n
    },
    pending: () => used(t.out),
    exportState: () => exportDriver(d),
    importState: state => importDriver(d, state),
  }
}

function createDriver(sys: Sys, io: HostIo, options: TtyOptions): Driver {
  const input = ring(sys.mem, sys.buffer + IN_AT, IN_BYTES)
  const output = ring(sys.mem, sys.buffer + OUT_AT, OUT_BYTES)
  const terminal = createTerminal(0, 4 << 8, input, output)
  standardSettings(terminal)
  if (options.termios !== undefined) applySettings(terminal, asTheUsers(terminal, options.termios))
  const d: Driver = {
    sys,
    io,
    timers: new Timers(sys),
    console: { terminal, end: createEnd(), pty: null },
    host: { inFd: -1, outFd: -1, inEvents: 0, outEvents: 0, always: false, blocked: false, lost: false },
    initial: { ...copySettings(terminal) },
    ptys: [],
    generations: [],
    requests: [],
    free: [],
    without: new Set(),
    hung: [],
    out: message(),
    wake: () => settle(d, d.console),
  }
  return d
}
function asTheUsers(now: Settings, termios: Uint8Array): Settings {
  const host = decodeTermios(termios, 0, TERMIOS.BYTES, now)
  return { ...copySettings(now), iflag: now.iflag | (host.iflag & I.IUTF8), cc: host.cc }
}
function copySettings(s: Settings): Settings {
  const { iflag, oflag, cflag, lflag, line, ispeed, ospeed } = s
  return { iflag, oflag, cflag, lflag, line, ispeed, ospeed, cc: s.cc.slice() }
}

function callVector(d: Driver): CallVector {
  const fs = (handler: (m: Message) => number) => (m: Message, from: number) => (from === EP.FS ? handler(m) : -E.PERM)
  const pm = (handler: (m: Message) => number) => (m: Message, from: number) => (from === EP.PM ? handler(m) : -E.PERM)
  return {
    [CDEV.OPEN]: fs(m => open(d, uint(m, 0), int(m, 1), int(m, 2))),
    [CDEV.CLOSE]: fs(m => close(d, uint(m, 0))),
    [CDEV.READ]: fs(m => transfer(d, m, false)),
    [CDEV.WRITE]: fs(m => transfer(d, m, true)),
    [CDEV.IOCTL]: fs(m => doIoctl(d, m)),
    [CDEV.CANCEL]: fs(m => cancel(d, uint(m, 0), int(m, 1))),
    [CDEV.SELECT]: fs(m => select(d, uint(m, 0), int(m, 1), int(m, 2))),
    [COMMON_CALL.GONE]: (m, from) => (from < 0 ? gone(d, int(m, 0)) : -E.PERM),
    [COMMON_CALL.PING]: () => 0,
    [TTY.HANGUP]: pm(m => hangUpSession(d, int(m, 0))),
    [TTY.GETTTY]: (m, from) => (from === EP.PM || from === EP.FS ? terminalOf(d, m) : -E.PERM),
    [TTY.NEXTPTY]: fs(m => nextPty(d, m)),
  }
}

// -- open and close --

/** → the minor the open file uses: the line's, with the generation it was opened in. */
function open(d: Driver, minor: number, endpoint: number, flags: number): number {
  if (minor >= AUX) return openAux(d, minor - AUX, endpoint, flags)
  const line = isMaster(minor) ? null : lineOf(d, minor)
  return line === null ? -E.NXIO : openLine(d, line, endpoint, flags)
}
function openAux(d: Driver, minor: number, endpoint: number, flags: number): number {
  if (minor === NR_AUX.PTMX) return openMaster(d, endpoint)
  if (minor === NR_AUX.CONSOLE) return openLine(d, d.console, endpoint, flags)
  if (minor !== NR_AUX.TTY) return -E.NXIO
  const session = d.without.has(endpoint) ? 0 : sessionOf(d, endpoint)
  for (const line of lines(d)) {
    if (session > 0 && line.terminal.session === session) return openLine(d, line, endpoint, flags | O.NOCTTY)
  }
  return -E.NXIO
}
function openLine(d: Driver, line: Line, endpoint: number, flags: number): number {
  const { terminal: t, pty } = line
  const refused = pty !== null ? mayOpenSlave(pty) : attached(d) ? 0 : -E.NXIO
  if (refused < 0) return refused
  if (t.exclusive && t.opens > 0 && !isAdmin(d, endpoint)) return -E.BUSY
  t.opens++
  if (pty !== null) pty.deserted = false
  acquireByOpen(d, t, endpoint, flags)
  return minorOf(line)
}
function close(d: Driver, minor: number): number {
  const line = lineOf(d, minor)
  if (line === null) return 0
  const { terminal: t, pty } = line
  if (isMaster(minor)) {
    if (pty !== null) closeMaster(d, line, pty)
    return 0
  }
  if (!isStale(line, minor)) t.opens = Math.max(0, t.opens - 1)
  else if (pty !== null && isOurs(pty, minor)) pty.hung = Math.max(0, pty.hung - 1)
  if (t.opens > 0) return 0
  t.exclusive = false
  if (pty === null || pty.hung > 0) return 0
  pty.deserted = true
  t.packet = false
  settle(d, line)
  return 0
}

// -- transfers --

function transfer(d: Driver, m: Message, out: boolean): number {
  const minor = uint(m, 0)
  const at = int(m, 1)
  const len = Math.min(ulong(m, 2), high(m, 1))
  const nonblock = (int(m, 3) & O.NONBLOCK) !== 0
  const id = int(m, 4)
  const endpoint = int(m, 5)
  const line = lineOf(d, minor)
  if (line === null || isStale(line, minor)) return out ? -E.IO : 0
  const { pty } = line
  const result =
    isMaster(minor) && pty !== null
      ? (out ? writeMaster : readMaster)(d, line, pty, at, len, nonblock, id, endpoint)
      : (out ? write : read)(d, line, at, len, nonblock, id, endpoint)
  settle(d, line)
  return result
}
function doIoctl(d: Driver, m: Message): number {
  const minor = uint(m, 0)
  const cmd = uint(m, 1)
  const line = lineOf(d, minor)
  if (line === null || isStale(line, minor)) return cmd === IOCTL.TIOCSPGRP ? -E.NOTTY : -E.IO
  const call = { line, master: isMaster(minor), cmd, arg: int(m, 2), at: int(m, 3), id: int(m, 4), endpoint: int(m, 5) }
  const result = control(d, call, high(m, 3))
  settle(d, line)
  return result
}
function select(d: Driver, minor: number, wanted: number, watch: number): number {
  const line = lineOf(d, minor)
  if (line === null || isStale(line, minor)) return HUNG_UP & wanted
  const pty = isMaster(minor) ? line.pty : null
  const now = pty !== null ? masterEvents(line, pty) : events(line)
  const end = pty !== null ? pty.end : line.end
  if (watch === 1) end.watched = (end.watched | wanted) & ~now
  return now & wanted
}

// -- giving up --

function* endsOf(d: Driver): Generator<[Line, End]> {
  for (const line of lines(d)) {
    yield [line, line.end]
    if (line.pty !== null) yield [line, line.pty.end]
  }
}
/** → what the interrupted call answers, or -ESRCH: it is not waiting here (any more). */
function cancel(d: Driver, minor: number, id: number): number {
  const line = lineOf(d, minor)
  if (line === null) return -E.SRCH
  const end = isMaster(minor) && line.pty !== null ? line.pty.end : line.end
  const r = remove(end, q => q.id === id)
  if (r === null) return -E.SRCH
  // tcdrain and tcsendbreak are not restarted (tty_ioctl); everything else is.
  const result = r.done > 0 ? r.done : r.kind === WAIT.DRAIN && r.settings === null ? -E.INTR : -E.RESTARTSYS
  freeRequest(d, r)
  settle(d, line)
  return result
}
function gone(d: Driver, endpoint: number): number {
  d.without.delete(endpoint)
  for (const [line, end] of endsOf(d)) {
    for (let r = remove(end, q => q.endpoint === endpoint); r !== null; r = remove(end, q => q.endpoint === endpoint)) {
      freeRequest(d, r)
      settle(d, line)
    }
  }
  return 0
}
/** Take the first request that is meant off its list. */
function remove(end: End, meant: (r: Request) => boolean): Request | null {
  for (const list of [end.readers, end.writers, end.drains]) {
    const at = list.findIndex(meant)
    if (at >= 0) return list.splice(at, 1)[0] as Request
  }
  return null
}
function timeUp(d: Driver, r: Request): void {
  if (r.kind !== WAIT.READ) return
  for (const line of lines(d)) readTimedOut(d, line, r)
}

// -- questions of PM and FS --

function hangUpSession(d: Driver, session: number): number {
  const pgrp = leaderEnded(d, session)
  for (const line of lines(d)) settle(d, line)
  return pgrp
}

function terminalOf(d: Driver, m: Message): number {
  const session = int(m, 0)
  for (const { terminal } of lines(d)) {
    if (session === 0 || terminal.session !== session) continue
    setInt(m, 1, terminal.pgrp)
    return terminal.device
  }
  setInt(m, 1, 0)
  return 0
}
function nextPty(d: Driver, m: Message): number {
  for (let n = Math.max(0, int(m, 0)); n < d.ptys.length; n++) {
    const pty = d.ptys[n]?.pty
    if (!pty) continue
    setInt(m, 1, pty.uid)
    setInt(m, 2, pty.gid)
    return n
  }
  return -E.NOENT
}
