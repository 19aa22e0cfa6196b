// The tables of the TTY driver: lines (a terminal with whoever waits for it), requests that wait (MINIX's SUSPEND and revive), and how a
// minor number names one end of a line. Invariant: a request is in exactly one list of one End, or in the free pool.

import { EP, type Message, message, setGrant, setInt, setLong, TYPE } from '../../abi/message.ts'
import type { HostIo } from '../../lib/hostio.ts'
import type { Sys } from '../../lib/server.ts'
import type { Timers } from '../../lib/timers.ts'
import { CDEV } from '../../protocol/cdev.ts'
import type { Settings, Terminal } from './terminal.ts'

/** Minors: 0 the console, PTS + n the slave of pty n, PTM + n its master. AUX + …: /dev/tty &c., only ever opened (cdev.ts TTY_MINOR). */
export const CONSOLE = 0
export const PTS = 64
export const PTM = 0x1000
export const AUX = 0x2000
export const PTYS = 1024
const LINE_MASK = 0xffff

/** What a suspended call waits for. */
export const WAIT = { FREE: 0, READ: 1, WRITE: 2, DRAIN: 3 } as const

/** A suspended call of FS. */
export interface Request {
  /** Index in Driver.requests, and the key of its timer. */
  readonly slot: number
  kind: number
  /** FS's name for it, and who it is for. */
  id: number
  endpoint: number
  /** Grant, its length, and how much of it is done. */
  at: number
  len: number
  done: number
  /** READ: VMIN (0 in canonical mode) and VTIME in ms (0 = none between bytes) as they were at the start. wait: it may wait at all. */
  minimum: number
  time: number
  wait: boolean
  started: boolean
  nonblock: boolean
  /** DRAIN: the ioctl to do once output has gone, and the settings it brings. */
  cmd: number
  settings: Settings | null
}

/** One side of a line that open files refer to. */
export interface End {
  readers: Request[]
  writers: Request[]
  /** Calls that wait for output to have gone. */
  drains: Request[]
  /** Poll bits FS waits for; each is reported once. */
  watched: number
}

/** The other side of a pty. */
export interface Pty {
  readonly number: number
  readonly end: End
  /** Open files of the master; at 0 the pty is gone for good. */
  opens: number
  locked: boolean
  /** tcflow(TCOOFF) on the master: its writes wait. */
  halted: boolean
  /** The slave has been opened and closed again: reads of the master fail with EIO until it is opened again. */
  deserted: boolean
  /** Open files of the slave from before it hung up, since generation `born`. */
  hung: number
  readonly born: number
  uid: number
  gid: number
}

export interface Line {
  readonly terminal: Terminal
  readonly end: End
  readonly pty: Pty | null
}

/** The host's terminal behind the console. -1: none. */
export interface HostSide {
  inFd: number
  outFd: number
  /** Events watched on each. */
  inEvents: number
  outEvents: number
  /** Input epoll refuses to watch (a regular file): always ready. */
  always: boolean
  /** The host took no output last time: wait until it says it does. */
  blocked: boolean
  /** It has gone (end of file, an error): settle() hangs the console up. */
  lost: boolean
}

export interface Driver {
  readonly sys: Sys
  readonly io: HostIo
  readonly timers: Timers
  readonly console: Line
  readonly host: HostSide
  /** Settings the console begins with. */
  readonly initial: Settings
  readonly ptys: (Line | null)[]
  /** By pty number: generation a new pty begins with, so that files of an old one stay dead. */
  readonly generations: number[]
  readonly requests: Request[]
  readonly free: number[]
  /** Endpoints that gave up their session's terminal with TIOCNOTTY. */
  readonly without: Set<number>
  /** Foreground groups of sessions whose terminal hung up before their leader ended: [session, pgrp]. */
  readonly hung: [session: number, pgrp: number][]
  /** For what the driver sends. */
  readonly out: Message
  /** The host has something for the console, or takes something again: move on (serve.ts settle). */
  readonly wake: () => void
}

export function createEnd(): End {
  return { readers: [], writers: [], drains: [], watched: 0 }
}

/** Line a minor names, or null. Generation not looked at. */
export function lineOf(d: Driver, minor: number): Line | null {
  const n = minor & LINE_MASK
  if (n === CONSOLE) return d.console
  if (n >= PTM) return d.ptys[n - PTM] ?? null
  return n >= PTS ? (d.ptys[n - PTS] ?? null) : null
}
export function isMaster(minor: number): boolean {
  return (minor & LINE_MASK) >= PTM
}
/** The minor open files of today use. */
export function minorOf(line: Line): number {
  return line.terminal.minor | (line.terminal.generation << 16)
}
/** Opened before the line hung up. A master is never stale: it is gone. */
export function isStale(line: Line, minor: number): boolean {
  return !isMaster(minor) && minor !== minorOf(line)
}
/** Opened since the pty was made, not in an earlier life of its number. */
export function isOurs(pty: Pty, minor: number): boolean {
  return (((minor >>> 16) - pty.born) & 0x7fff) < 0x4000
}
export function* lines(d: Driver): Generator<Line> {
  yield d.console
  for (const line of d.ptys) if (line) yield line
}

// -- requests --
export function newRequest(d: Driver, kind: number, id: number, endpoint: number, at: number, len: number): Request {
  let slot = d.free.pop()
  if (slot === undefined) {
    slot = d.requests.length
    d.requests.push(blank(slot))
  }
  const r = d.requests[slot] as Request
  r.kind = kind
  r.id = id
  r.endpoint = endpoint
  r.at = at
  r.len = len
  return r
}
function blank(slot: number): Request {
  return {
    slot,
    kind: WAIT.FREE,
    id: 0,
    endpoint: 0,
    at: 0,
    len: 0,
    done: 0,
    minimum: 0,
    time: 0,
    wait: true,
    started: false,
    nonblock: false,
    cmd: 0,
    settings: null,
  }
}
/** Back to the pool; the caller has taken it off its list. */
export function freeRequest(d: Driver, r: Request): void {
  d.timers.clear(r.slot)
  r.kind = WAIT.FREE
  r.done = 0
  r.started = r.nonblock = false
  r.settings = null
  d.free.push(r.slot)
}
/** Answer a request and forget it; the caller has taken it off its list. */
export function answer(d: Driver, r: Request, result: number): void {
  d.out.fill(0)
  d.out[TYPE] = CDEV.REPLY
  setInt(d.out, 0, r.id)
  setLong(d.out, 1, result)
  d.sys.senda(EP.FS, d.out)
  freeRequest(d, r)
}
/** Tell FS, once, of events it waits for. */
export function announce(d: Driver, end: End, minor: number, events: number): void {
  const hit = end.watched & events
  if (hit === 0) return
  end.watched &= ~hit
  d.out.fill(0)
  d.out[TYPE] = CDEV.READY
  setInt(d.out, 0, minor)
  setInt(d.out, 1, hit)
  d.sys.senda(EP.FS, d.out)
}

/** A request to PM about `endpoint`, answered at once. */
const asked = message()
export function ask(d: Driver, type: number, first: number, second: number): number {
  asked.fill(0)
  asked[TYPE] = type
  setLong(asked, 0, first)
  setInt(asked, 1, second)
  return d.sys.sendrec(EP.PM, asked)
}
export function askWithGrant(d: Driver, type: number, first: number, at: number, bytes: number): number {
  asked.fill(0)
  asked[TYPE] = type
  setLong(asked, 0, first)
  setGrant(asked, 1, at, bytes)
  return d.sys.sendrec(EP.PM, asked)
}
