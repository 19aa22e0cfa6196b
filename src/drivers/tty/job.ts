// Job control: who may read, write and change a terminal, which session it belongs to, and how it hangs up. Facts about processes are
// PM's (GETJOB); the session and foreground group of a terminal are kept here. credentials(7), termios(3); drivers/tty/tty_jobctrl.c.
import { E } from '../../abi/errno.ts'
import { O } from '../../abi/fcntl.ts'
import { EP, setInt, TYPE } from '../../abi/message.ts'
import { POLL } from '../../abi/poll.ts'
import { SIG } from '../../abi/signals.ts'
import { CRED_BYTES, PM } from '../../protocol/pm.ts'
import { announce, answer, ask, askWithGrant, type Driver, type End, type Line, lines, minorOf } from './line.ts'
import { applySettings, ptySettings } from './settings.ts'
import { flushInput, type Terminal } from './terminal.ts'

/** GETJOB's questions. */
const ASK = {
  PGRP: 1,
  SESSION: 2,
  TTOU_IGNORED: 3,
  TTIN_IGNORED: 4,
  ORPHANED: 5,
  TGID: 7,
  ENDPOINT_OF: 8,
  SESSION_OF_GROUP: 9,
} as const
/** Everything poll can say of a file whose terminal has hung up. */
export const HUNG_UP = POLL.IN | POLL.OUT | POLL.ERR | POLL.HUP | POLL.RDNORM | POLL.WRNORM
const CAP_SYS_ADMIN = 1 << 21
const CRED_EUID = 4
const CRED_CAPABILITIES = 168

export function sessionOf(d: Driver, endpoint: number): number {
  return ask(d, PM.GETJOB, endpoint, ASK.SESSION)
}
/** Session of a process group, or -ESRCH. */
function sessionOfGroup(d: Driver, pgrp: number): number {
  const session = ask(d, PM.GETJOB, pgrp, ASK.SESSION_OF_GROUP)
  if (session !== -E.INVAL && session !== -E.NOSYS) return session
  const leader = ask(d, PM.GETJOB, pgrp, ASK.ENDPOINT_OF)
  return leader < 0 ? -E.SRCH : sessionOf(d, leader)
}
/** May do what only an administrator may. The credentials go through the first bytes of the driver's buffer. */
export function isAdmin(d: Driver, endpoint: number): boolean {
  const { sys } = d
  if (askWithGrant(d, PM.GETCRED, endpoint, sys.buffer, CRED_BYTES) < 0) return false
  return (sys.view.getUint32(sys.buffer + CRED_CAPABILITIES, true) & CAP_SYS_ADMIN) !== 0
}
/** Effective uid and gid of a process. */
export function ownerOf(d: Driver, endpoint: number): { uid: number; gid: number } {
  const { sys } = d
  if (askWithGrant(d, PM.GETCRED, endpoint, sys.buffer, CRED_BYTES) < 0) return { uid: 0, gid: 0 }
  return {
    uid: sys.view.getUint32(sys.buffer + CRED_EUID, true),
    gid: sys.view.getUint32(sys.buffer + CRED_EUID + 16, true),
  }
}

/** t is the controlling terminal of the process. */
export function controls(d: Driver, t: Terminal, endpoint: number): boolean {
  return t.session !== 0 && !d.without.has(endpoint) && sessionOf(d, endpoint) === t.session
}

/** A process is about to read (SIGTTIN) or change (SIGTTOU) its terminal: 0, -EIO, or -ERESTARTSYS with its group signalled. */
export function check(d: Driver, t: Terminal, endpoint: number, signo: number): number {
  if (t.session === 0 || t.pgrp === 0) return 0
  const pgrp = ask(d, PM.GETJOB, endpoint, ASK.PGRP)
  if (pgrp === t.pgrp || pgrp <= 0 || !controls(d, t, endpoint)) return 0
  const reading = signo === SIG.TTIN
  if (ask(d, PM.GETJOB, endpoint, reading ? ASK.TTIN_IGNORED : ASK.TTOU_IGNORED) === 1) return reading ? -E.IO : 0
  if (ask(d, PM.GETJOB, endpoint, ASK.ORPHANED) === 1) return -E.IO
  signalGroup(d, pgrp, signo)
  return -E.RESTARTSYS
}

/** Queued for PM, so that it is on its way before any answer reaches a guest, and TTY never waits for PM. */
export function signalGroup(d: Driver, pgrp: number, signo: number): void {
  if (pgrp <= 0) return
  d.out.fill(0)
  d.out[TYPE] = PM.KILLPG
  setInt(d.out, 0, pgrp)
  setInt(d.out, 1, signo)
  d.sys.senda(EP.PM, d.out)
}
/** What input has raised, to the foreground group. */
export function deliverRaised(d: Driver, t: Terminal): void {
  const raised = t.raised
  if (raised === 0) return
  t.raised = 0
  for (let signo = 1; signo <= 31; signo++) if ((raised & (1 << (signo - 1))) !== 0) signalGroup(d, t.pgrp, signo)
}
export function resize(d: Driver, t: Terminal, rows: number, columns: number, xpixel: number, ypixel: number): void {
  if (t.rows === rows && t.columns === columns && t.xpixel === xpixel && t.ypixel === ypixel) return
  t.rows = rows
  t.columns = columns
  t.xpixel = xpixel
  t.ypixel = ypixel
  signalGroup(d, t.pgrp, SIG.WINCH)
}

// -- getting and losing a controlling terminal --

function hasTerminal(d: Driver, session: number): boolean {
  for (const { terminal } of lines(d)) if (terminal.session === session) return true
  return false
}
/** Session of a process that leads one and has no terminal, else 0. */
function terminalless(d: Driver, endpoint: number): number {
  const session = sessionOf(d, endpoint)
  if (session <= 0 || ask(d, PM.GETJOB, endpoint, ASK.TGID) !== session) return 0
  return hasTerminal(d, session) ? 0 : session
}
function adopt(d: Driver, t: Terminal, session: number, endpoint: number): void {
  d.without.delete(endpoint)
  t.session = session
  t.leader = endpoint
  t.pgrp = ask(d, PM.GETJOB, endpoint, ASK.PGRP)
}
/** open(2) of a terminal by a session leader without one makes it the controlling terminal, unless O_NOCTTY or write-only. */
export function acquireByOpen(d: Driver, t: Terminal, endpoint: number, flags: number): void {
  if (t.session !== 0 || (flags & O.NOCTTY) !== 0 || (flags & O.ACCMODE) === O.WRONLY) return
  const session = terminalless(d, endpoint)
  if (session > 0) adopt(d, t, session, endpoint)
}
/** TIOCSCTTY */
export function acquire(d: Driver, t: Terminal, endpoint: number, steal: boolean): number {
  const own = sessionOf(d, endpoint)
  if (own > 0 && own === t.session && ask(d, PM.GETJOB, endpoint, ASK.TGID) === own) return 0
  const session = terminalless(d, endpoint)
  if (session === 0) return -E.PERM
  if (t.session !== 0 && !(steal && isAdmin(d, endpoint))) return -E.PERM
  adopt(d, t, session, endpoint)
  return 0
}
/** TIOCNOTTY: the leader's whole session loses it, anybody else only himself. */
export function renounce(d: Driver, line: Line, endpoint: number): number {
  const t = line.terminal
  if (!controls(d, t, endpoint)) return -E.NOTTY
  if (ask(d, PM.GETJOB, endpoint, ASK.TGID) !== t.session) {
    d.without.add(endpoint)
    return 0
  }
  const pgrp = t.pgrp
  release(t)
  signalGroup(d, pgrp, SIG.HUP)
  signalGroup(d, pgrp, SIG.CONT)
  return 0
}
/** TIOCSPGRP, the job control check done. */
export function setForeground(d: Driver, t: Terminal, endpoint: number, pgrp: number): number {
  if (!controls(d, t, endpoint)) return -E.NOTTY
  if (pgrp < 0) return -E.INVAL
  const session = sessionOfGroup(d, pgrp)
  if (session < 0) return -E.SRCH
  if (session !== t.session) return -E.PERM
  t.pgrp = pgrp
  return 0
}
/** Nobody's from now on; open files go on working. */
function release(t: Terminal): void {
  t.session = t.pgrp = t.leader = 0
}
/** PM: the leader of `session` ends. A pty is released, another terminal hangs up. → foreground group to be sent SIGHUP, or 0. */
export function leaderEnded(d: Driver, session: number): number {
  for (const line of lines(d)) {
    if (line.terminal.session !== session || session === 0) continue
    const pgrp = line.terminal.pgrp
    if (line.pty === null) hangUp(d, line)
    else release(line.terminal)
    return pgrp
  }
  const at = d.hung.findIndex(([s]) => s === session)
  const pgrp = at < 0 ? 0 : (d.hung.splice(at, 1)[0]?.[1] ?? 0)
  signalGroup(d, pgrp, SIG.CONT)
  return pgrp
}
/** The far side of a line is gone (the host's terminal, a pty's master; TIOCVHANGUP): its session's leader is told, those in front
 *  when he ends. Asks PM nothing: it may be PM that closed the master. */
export function carrierLost(d: Driver, line: Line): void {
  const { session, pgrp, leader } = line.terminal
  hangUp(d, line)
  if (session === 0) return
  d.hung.push([session, pgrp])
  d.sys.kill(leader, SIG.HUP)
  d.sys.kill(leader, SIG.CONT)
}
/** Every open file of the line is dead from now on, and the line is nobody's. Asks PM nothing. Output on its way still goes out. */
export function hangUp(d: Driver, line: Line): void {
  const { terminal: t, end } = line
  announce(d, end, minorOf(line), HUNG_UP)
  end.watched = 0
  t.generation = (t.generation + 1) & 0x7fff
  if (line.pty !== null) line.pty.hung += t.opens
  t.opens = 0
  release(t)
  t.exclusive = t.stopped = t.halted = t.literal = false
  t.raised = 0
  t.echoTail = t.echoHead
  t.in.tail = t.in.head
  flushInput(t)
  if (line.pty === null) applySettings(t, d.initial)
  else ptySettings(t)
  endAll(d, end)
}
export function endAll(d: Driver, end: End): void {
  for (const r of end.readers.splice(0)) answer(d, r, r.done)
  for (const r of end.writers.splice(0)) answer(d, r, r.done > 0 ? r.done : -E.IO)
  for (const r of end.drains.splice(0)) answer(d, r, -E.IO)
}
