// Reading and writing: what can be done of a request now, and settle(), which after any change moves everything that can move: input into
// the discipline, output to behind, and whoever waited for it. One reader and one writer at a time, first come first served, as N_TTY.
import { E } from '../../abi/errno.ts'
import { IOCTL } from '../../abi/ioctl.ts'
import { SUSPEND } from '../../abi/message.ts'
import { POLL } from '../../abi/poll.ts'
import { SIG } from '../../abi/signals.ts'
import { C, L, V } from '../../abi/termios.ts'
import { flushHost, readHost, watchHost, writeHost } from './console.ts'
import { flushEcho } from './echo.ts'
import { pump } from './input.ts'
import { check, deliverRaised } from './job.ts'
import {
  announce,
  answer,
  type Driver,
  freeRequest,
  type Line,
  minorOf,
  newRequest,
  PTM,
  type Request,
  WAIT,
} from './line.ts'
import { output } from './output.ts'
import { masterEvents, serveMaster } from './pty.ts'
import { readable, take } from './read.ts'
import { room, used } from './ring.ts'
import { applySettings } from './settings.ts'
import {
  canonical,
  flowing,
  flushInput,
  outputRoom,
  processed,
  type Settings,
  type Terminal,
  WAKEUP_BYTES,
} from './terminal.ts'

// -- reading --

/** READ of a line. The caller settles, here and below. */
export function read(
  d: Driver,
  line: Line,
  at: number,
  len: number,
  nonblock: boolean,
  id: number,
  endpoint: number,
): number {
  const refused = check(d, line.terminal, endpoint, SIG.TTIN)
  if (refused < 0) return refused
  if (len === 0) return 0
  const { readers } = line.end
  if (readers.length > 0 && nonblock) return -E.AGAIN
  const r = newRequest(d, WAIT.READ, id, endpoint, at, len)
  r.nonblock = nonblock
  const result = readers.length > 0 ? SUSPEND : advanceRead(d, line.terminal, r)
  if (result === SUSPEND) readers.push(r)
  else freeRequest(d, r)
  return result
}

/** VMIN and VTIME (tenths of a second) as termios(3) defines them, frozen when the read begins. */
function startRead(d: Driver, t: Terminal, r: Request): void {
  r.started = true
  r.minimum = 0
  r.time = 0
  r.wait = true
  if (canonical(t) || (t.lflag & L.ICANON) !== 0) return
  const tenths = t.cc[V.TIME] as number
  r.minimum = t.cc[V.MIN] as number
  if (r.minimum > 0) r.time = tenths * 100
  else {
    r.minimum = 1
    r.wait = tenths > 0
    if (r.wait) d.timers.after(r.slot, tenths * 100)
  }
}
function advanceRead(d: Driver, t: Terminal, r: Request): number {
  if (!r.started) startRead(d, t, r)
  for (;;) {
    if (!readable(t)) {
      if (!r.wait) return r.done
      if (!r.nonblock) return SUSPEND
      return r.done > 0 ? r.done : -E.AGAIN
    }
    r.done += take(t, d.sys.mem, r.at + r.done, r.len - r.done)
    pump(t)
    if (r.done >= r.minimum || r.done === r.len) return r.done
    if (r.time > 0) d.timers.after(r.slot, r.time)
  }
}
/** The time of a read is up. */
export function readTimedOut(d: Driver, line: Line, r: Request): void {
  const at = line.end.readers.indexOf(r)
  if (at < 0) return
  line.end.readers.splice(at, 1)
  answer(d, r, r.done)
  settle(d, line)
}

// -- writing --

/** WRITE to a line. */
export function write(
  d: Driver,
  line: Line,
  at: number,
  len: number,
  nonblock: boolean,
  id: number,
  endpoint: number,
): number {
  const t = line.terminal
  if ((t.lflag & L.TOSTOP) !== 0) {
    const refused = check(d, t, endpoint, SIG.TTOU)
    if (refused < 0) return refused
  }
  const { writers } = line.end
  if (writers.length > 0 && nonblock) return -E.AGAIN
  let done = 0
  if (writers.length === 0) {
    done = push(d, line, at, len)
    if (done === len || (nonblock && done > 0)) return done
    if (nonblock) return -E.AGAIN
  }
  const r = newRequest(d, WAIT.WRITE, id, endpoint, at, len)
  r.done = done
  writers.push(r)
  return SUSPEND
}
/** As much as goes out now → bytes. */
function push(d: Driver, line: Line, at: number, len: number): number {
  const t = line.terminal
  flushEcho(t)
  // Unprocessed output goes from the writer's memory to the host in one step.
  let done = line.pty === null && !processed(t) && used(t.out) === 0 && flowing(t) ? writeHost(d, at, len) : 0
  while (done < len) {
    const n = output(t, d.sys.mem, at + done, len - done)
    done += n
    if (line.pty !== null || (!flushHost(d) && n === 0)) break
  }
  return done
}

// -- readiness --

export function events(line: Line): number {
  const t = line.terminal
  let mask = 0
  if (readable(t, (t.cc[V.TIME] as number) === 0 ? Math.max(1, t.cc[V.MIN] as number) : 1))
    mask |= POLL.IN | POLL.RDNORM
  if (line.end.writers.length === 0 && outputRoom(t) > 0 && (line.pty !== null || used(t.out) < WAKEUP_BYTES))
    mask |= POLL.OUT | POLL.WRNORM
  return mask
}

// -- moving on --

export function settle(d: Driver, line: Line): void {
  const { terminal: t, end, pty } = line
  let moved: boolean
  do {
    moved = pump(t)
    if (t.echoHead !== t.echoTail) flushEcho(t)
    moved = advanceWriters(d, line) || moved
    moved = (pty !== null ? serveMaster(d, line, pty) : serveHost(d)) || moved
    moved = advanceReaders(d, line) || moved
    moved = finishDrains(d, line) || moved
  } while (moved)
  deliverRaised(d, t)
  if (pty === null) {
    t.sent = t.out.tail
    watchHost(d)
  } else {
    t.sent = Math.min(t.out.head, t.out.tail + 4095)
    if (pty.end.watched !== 0) announce(d, pty.end, PTM + pty.number, masterEvents(line, pty))
  }
  if (end.watched !== 0) announce(d, end, minorOf(line), events(line))
}
function serveHost(d: Driver): boolean {
  const sent = flushHost(d)
  return (d.host.always && room(d.console.terminal.in) > 0 && readHost(d)) || sent
}
function advanceWriters(d: Driver, line: Line): boolean {
  const { writers } = line.end
  const r = writers[0]
  if (r === undefined || outputRoom(line.terminal) === 0) return false
  const n = push(d, line, r.at + r.done, r.len - r.done)
  r.done += n
  if (r.done < r.len) return n > 0
  writers.shift()
  answer(d, r, r.done)
  return true
}
function advanceReaders(d: Driver, line: Line): boolean {
  const { readers } = line.end
  const r = readers[0]
  if (r === undefined) return false
  const result = advanceRead(d, line.terminal, r)
  if (result === SUSPEND) return false
  readers.shift()
  answer(d, r, result)
  return true
}
/** All output has gone to behind. A pty's master counts as having it at once, as on Linux. */
export function drained(line: Line): boolean {
  return line.pty !== null || (used(line.terminal.out) === 0 && line.end.writers.length === 0)
}
function finishDrains(d: Driver, line: Line): boolean {
  const { drains } = line.end
  if (drains.length === 0 || !drained(line)) return false
  const r = drains.shift() as Request
  answer(d, r, finishDrain(line, r.cmd, r.settings))
  return true
}
/** Output has gone: what the ioctl is about → its result. F means: typed input is thrown away. */
export function finishDrain(line: Line, cmd: number, settings: Settings | null): number {
  if (settings === null) return 0
  const t = line.terminal
  if (cmd === IOCTL.TCSETSF || cmd === IOCTL.TCSETAF || cmd === IOCTL.TCSETSF2) flushInput(t)
  // A pty has eight bits, no parity, and a receiver.
  if (line.pty !== null) settings.cflag = ((settings.cflag & ~(C.CSIZE | C.PARENB)) | C.CS8 | C.CREAD) >>> 0
  settings.line = 0
  applySettings(t, settings)
  return 0
}
