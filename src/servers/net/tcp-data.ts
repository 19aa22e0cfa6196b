// TCP: send and recv. What is written goes straight to a reader that waits, else to the end of the peer's queue, which is one record.
// The urgent byte stands in the queue like any other; reads stop in front of it and, unless it is wanted inline, pass it over.
import { E } from '../../abi/errno.ts'
import { POLL, READABLE } from '../../abi/poll.ts'
import { SIG } from '../../abi/signals.ts'
import { MSG, SO } from '../../abi/socket.ts'
import type { Interface } from './interface.ts'
import { isOn } from './options.ts'
import { extend, peek, pop, push, recordAt, take } from './queue.ts'
import { takeError } from './sock.ts'
import { BOTH, type NetState, RCV, type Row, SND, type Sock, WAIT } from './state.ts'
import { isWritable, roomFor, TCP_STATE, type TcpSock } from './tcp.ts'
import { answer, drained, wakeReaders } from './wait.ts'

// -- sending --

export function send(net: NetState, sock: Sock, row: Row): number {
  const s = sock as TcpSock
  if (s.state === TCP_STATE.SYN_SENT) return WAIT
  while (true) {
    const { peer } = s
    if (s.error !== 0 || (s.shut & SND) !== 0 || peer === null) return row.done > 0 ? row.done : failed(net, s, row)
    if (row.done === row.len) return row.done
    if (peer.dead) return lost(s, row)
    if (handOver(net, peer, row)) continue
    const room = roomFor(net, s)
    if (room <= 0) return WAIT
    const bytes = Math.min(room, row.len - row.done)
    append(net, peer, row.at + row.done, bytes)
    row.done += bytes
    if ((row.flags & MSG.OOB) !== 0 && row.done === row.len) markUrgent(net, peer)
    else wakeReaders(net, peer, READABLE)
  }
}
/** sk_stream_error: the pending error; EPIPE comes with a signal. */
function failed(net: NetState, s: TcpSock, row: Row): number {
  const error = takeError(s) || -E.PIPE
  if (error === -E.PIPE && !row.continued && (row.flags & MSG.NOSIGNAL) === 0) net.sys.kill(row.endpoint, SIG.PIPE)
  return error
}
/** The other end was closed: what is sent is answered by a reset, and counts as sent all the same. */
function lost(s: TcpSock, row: Row): number {
  reset(s)
  return row.len
}
/** A reset has come in (tcp_reset): everything ends, and the next call hears why. */
export function reset(s: TcpSock): void {
  if (s.state === TCP_STATE.CLOSE) return
  s.error = s.state === TCP_STATE.CLOSE_WAIT ? E.PIPE : E.CONNRESET
  s.state = TCP_STATE.CLOSE
  s.shut = BOTH
  s.peer = null
}

/** Straight to a reader that waits for just this. */
function handOver(net: NetState, peer: TcpSock, row: Row): boolean {
  if (peer.receiving.length === 0 || peer.queue.used > 0 || (row.flags & MSG.OOB) !== 0 || peer.urgentAt >= peer.taken) return false
  const reader = net.rows[peer.receiving[0] as number] as Row
  if ((reader.flags & (MSG.PEEK | MSG.WAITALL | MSG.OOB | MSG.TRUNC)) !== 0 || reader.len === 0 || peer.rcvlowat > 1) return false
  const bytes = Math.min(reader.len, row.len - row.done)
  const at = row.at + row.done
  net.sys.mem.copyWithin(reader.at, at, at + bytes)
  row.done += bytes
  peer.taken += bytes
  count(net, bytes)
  peer.receiving.shift()
  answer(net, reader, bytes)
  return true
}
/** More bytes at the end of what `s` has to read. */
export function append(net: NetState, s: TcpSock, at: number, bytes: number): void {
  const q = s.queue
  if (q.count === 0) push(net, q, net.sys.mem, at, bytes, 0, null, null)
  else extend(net, q, recordAt(q, 0), net.sys.mem, at, bytes)
  net.tcpBytes += bytes
  count(net, bytes)
}
/** A segment has gone over lo. */
function count(net: NetState, bytes: number): void {
  const { traffic } = net.interfaces[0] as Interface
  traffic.packets++
  traffic.bytes += bytes + SEGMENT
}
/** Headers of one. */
const SEGMENT = 66

// -- receiving --

export function receive(net: NetState, sock: Sock, row: Row): number {
  const s = sock as TcpSock
  if (s.state === TCP_STATE.LISTEN) return -E.NOTCONN
  if ((row.flags & MSG.OOB) !== 0) return receiveUrgent(net, s, row)
  const stopped = s.queue.used > 0 && takeBytes(net, s, row)
  const target = (row.flags & MSG.WAITALL) !== 0 ? row.len : Math.min(s.rcvlowat, row.len) || 1
  if (row.done > 0 && (row.done >= target || stopped || s.done || s.error !== 0 || (s.shut & RCV) !== 0)) return row.done
  if (row.continued) return row.done
  if (row.done > 0) return WAIT
  if (row.len === 0 && s.queue.used > 0) return 0
  if (s.done) return 0
  if (s.error !== 0) return takeError(s)
  if ((s.shut & RCV) !== 0) return 0
  return s.state === TCP_STATE.CLOSE ? -E.NOTCONN : WAIT
}
/** Take (or look at) what is there → whether the urgent mark ends the read. */
function takeBytes(net: NetState, s: TcpSock, row: Row): boolean {
  const q = s.queue
  const peeking = (row.flags & MSG.PEEK) !== 0
  if (peeking) row.done = 0
  let ahead = s.urgentAt - s.taken
  if (ahead === 0 && row.done === 0 && !isOn(s, SO.OOBINLINE)) {
    if (q.used === 1 && peeking) return false
    dropBytes(net, s, 1)
    ahead = -1
  }
  const limit = ahead > 0 ? ahead : q.used
  const bytes = Math.min(row.len - row.done, q.used, limit)
  if ((row.flags & MSG.TRUNC) === 0) peek(q, 0, net.sys.mem, row.at + row.done, bytes)
  row.done += bytes
  if (!peeking) dropBytes(net, s, bytes)
  return ahead > 0 && bytes === ahead
}
function dropBytes(net: NetState, s: TcpSock, bytes: number): void {
  const q = s.queue
  if (bytes === 0) return
  s.taken += bytes
  net.tcpBytes -= bytes
  const { peer } = s
  const full = peer !== null && !isWritable(net, peer)
  take(q, bytes)
  if (q.used === 0) pop(net, q)
  if (full && isWritable(net, peer)) drained(net, peer)
}

// -- urgent data --

function markUrgent(net: NetState, s: TcpSock): void {
  s.urgentAt = s.taken + s.queue.used - 1
  s.urgentRead = false
  wakeReaders(net, s, READABLE | POLL.PRI)
}
/** MSG_OOB: tcp_recv_urg. */
function receiveUrgent(net: NetState, s: TcpSock, row: Row): number {
  if (s.urgentAt < 0 || s.urgentRead || isOn(s, SO.OOBINLINE)) return -E.INVAL
  if (s.state === TCP_STATE.CLOSE && !s.done) return -E.NOTCONN
  if (s.urgentAt < s.taken) return -E.AGAIN
  row.gave |= MSG.OOB
  if (row.len === 0) {
    row.gave |= MSG.TRUNC
    return 0
  }
  peek(s.queue, s.urgentAt - s.taken, net.sys.mem, row.at, 1)
  if ((row.flags & MSG.PEEK) === 0) s.urgentRead = true
  return 1
}
