// Requests that wait: answered when their socket's state allows, or by a timeout, a signal, the end of the caller. A wake-up is a retry of
// the operation, first come first served, so what a request finds is always the socket as it is.
// Invariant: recv never lets senders go on by itself: it puts their sockets into net.drained, and settle() retries them once the request in
// hand is through. So no operation runs inside another on the same socket.
import { E } from '../../abi/errno.ts'
import { EP, type Message, SUSPEND, setInt, setLong, TYPE } from '../../abi/message.ts'
import { POLL, READABLE, WRITABLE } from '../../abi/poll.ts'
import { SDEV } from '../../protocol/sdev.ts'
import { enrol, tell } from './sock.ts'
import { type NetState, ROW, type Row, SLOT_MASK, type Sock, WAIT, waits } from './state.ts'

/** Whatever there may be. */
export const EVERYTHING = READABLE | WRITABLE | POLL.RDHUP | POLL.HUP | POLL.ERR | POLL.WRBAND | POLL.PRI

/** Try (again) what the row asks for: ≥ 0, -errno or WAIT. */
export function attempt(net: NetState, s: Sock, row: Row): number {
  switch (row.kind) {
    case ROW.RECV:
      return s.ops.recv(net, s, row)
    case ROW.SEND: {
      const result = s.ops.send(net, s, row)
      row.took = row.flight
      return result
    }
    case ROW.CONNECT:
      return s.ops.connect(net, s, row)
  }
  return accept(net, s, row)
}
function accept(net: NetState, s: Sock, row: Row): number {
  const made = s.ops.accept(net, s)
  if (typeof made === 'number') return made
  made.uid = row.uid
  if (made.id === 0) enrol(net, made)
  row.gave = made.ino
  row.sock = made
  row.address = made.ops.name(net, made, true, row.nameAt, row.nameLen)
  return 0
}

/** First attempt of a request → its result, or SUSPEND. */
export function request(net: NetState, m: Message, s: Sock, row: Row): number {
  row.fresh = true
  let result = attempt(net, s, row)
  row.fresh = false
  if (result === WAIT) {
    if (waits(row)) return suspend(net, s, row)
    result = row.done > 0 ? row.done : row.kind === ROW.CONNECT ? s.ops.connecting : -E.AGAIN
  }
  setInt(m, 1, row.address)
  setInt(m, 2, row.control)
  setInt(m, 3, row.gave)
  setInt(m, 4, row.took)
  setInt(m, 5, row.kind === ROW.ACCEPT && result === 0 ? (row.sock as Sock).id : 0)
  row.kind = ROW.FREE
  row.sock = null
  return result
}

const takesInput = (row: Row): boolean => row.kind === ROW.RECV || row.kind === ROW.ACCEPT
function timeoutOf(s: Sock, row: Row): number {
  return takesInput(row) ? s.rcvtimeo : s.sndtimeo
}
function suspend(net: NetState, s: Sock, row: Row): number {
  const slot = row.id & SLOT_MASK
  ;(takesInput(row) ? s.receiving : s.sending).push(slot)
  const timeout = timeoutOf(s, row)
  row.timed = timeout > 0
  if (row.timed) net.timers.after(2 * slot, timeout)
  return SUSPEND
}

/** Answer a request that waited; it is in no list any more. */
export function answer(net: NetState, row: Row, result: number): void {
  if (row.timed) net.timers.clear(2 * (row.id & SLOT_MASK))
  const m = net.out
  m[TYPE] = SDEV.REPLY
  setInt(m, 0, row.id)
  setLong(m, 1, result)
  setInt(m, 2, row.address)
  setInt(m, 3, row.control)
  setInt(m, 4, row.gave)
  setInt(m, 5, row.took)
  setInt(m, 6, row.kind === ROW.ACCEPT && result === 0 ? (row.sock as Sock).id : 0)
  row.kind = ROW.FREE
  row.sock = null
  net.sys.senda(EP.FS, m)
}

/** Something has come in, or the end of it: those who wait for that go on, and FS hears of it. */
export function wakeReaders(net: NetState, s: Sock, events: number): void {
  while (s.receiving.length > 0) {
    const row = net.rows[s.receiving[0] as number] as Row
    const result = attempt(net, s, row)
    if (result === WAIT) break
    s.receiving.shift()
    answer(net, row, result)
  }
  tell(net, s, events)
}
/** There is room, or an end of it. */
export function wakeWriters(net: NetState, s: Sock, events: number): void {
  while (s.sending.length > 0) {
    const row = net.rows[s.sending[0] as number] as Row
    const result = attempt(net, s, row)
    if (result === WAIT) break
    s.sending.shift()
    answer(net, row, result)
  }
  tell(net, s, events)
}
/** Room has appeared for senders of `s`: settle() lets them go on. */
export function drained(net: NetState, s: Sock): void {
  if ((s.sending.length > 0 || s.watched) && !net.drained.includes(s)) net.drained.push(s)
}
/** After every request. */
export function settle(net: NetState): void {
  for (let s = net.drained.pop(); s !== undefined; s = net.drained.pop()) wakeWriters(net, s, WRITABLE)
}

/** A request ends before it is done: what it has got to, or `error`. Takes it out of its list; the row is free then. */
export function giveUp(net: NetState, row: Row, error: number): number {
  const s = row.sock as Sock
  const slot = row.id & SLOT_MASK
  const list = takesInput(row) ? s.receiving : s.sending
  const at = list.indexOf(slot)
  if (at >= 0) list.splice(at, 1)
  if (row.timed) net.timers.clear(2 * slot)
  return row.done > 0 ? row.done : error
}
/** SO_RCVTIMEO, SO_SNDTIMEO. */
export function expired(net: NetState, slot: number): void {
  const row = net.rows[slot] as Row
  if (row.kind === ROW.FREE) return
  const connecting = row.kind === ROW.CONNECT ? (row.sock as Sock).ops.connecting : -E.AGAIN
  answer(net, row, giveUp(net, row, connecting))
}
/** A signal is due (socket(7): a call with a timeout is not restarted). */
export function interrupted(net: NetState, row: Row): number {
  const result = giveUp(net, row, row.timed ? -E.INTR : -E.RESTARTSYS)
  row.kind = ROW.FREE
  row.sock = null
  return result
}
/** An error has come in from elsewhere: whoever waits hears of it, or the next call. */
export function tellError(net: NetState, s: Sock, error: number): void {
  s.error = error
  wakeReaders(net, s, EVERYTHING)
}
