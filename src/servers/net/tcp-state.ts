// TCP connections end: shutdown, close, reset. The end that closes first leaves its addresses waiting for a minute (TIME_WAIT), so that
// nobody else takes them meanwhile unless it says so (SO_REUSEADDR).
import { E } from '../../abi/errno.ts'
import { SND, BOTH, type NetState, RCV, type Sock } from './state.ts'
import { lingerOf } from './options.ts'
import { type Bound, enter, release, TIME_WAIT } from './ports.ts'
import { pop } from './queue.ts'
import { strike } from './sock.ts'
import { TCP_STATE, type TcpSock } from './tcp.ts'
import { giveUp, stopListening, wantingGoOn } from './tcp-connect.ts'
import { reset } from './tcp-data.ts'
import { EVERYTHING, wakeReaders, wakeWriters } from './wait.ts'

/** Timer key of what waits (rows have the even ones: wait.ts). */
export const WAITING = 1
/** net.ipv4.tcp_max_tw_buckets */
const WAITING_MAX = 4096

export interface Ended extends Bound {
  key: number
}

function changed(net: NetState, s: TcpSock): void {
  wakeReaders(net, s, EVERYTHING)
  wakeWriters(net, s, 0)
}

export function shutdown(net: NetState, sock: Sock, how: number): number {
  const s = sock as TcpSock
  const bits = how + 1
  const result = s.state === TCP_STATE.CLOSE ? -E.NOTCONN : 0
  if (s.state === TCP_STATE.LISTEN) {
    if ((bits & RCV) !== 0) endListening(net, s)
  } else if (s.state === TCP_STATE.SYN_SENT) {
    giveUp(net, s)
    s.error = E.CONNRESET
  } else {
    s.shut |= bits
    if ((bits & SND) !== 0) finish(net, s)
  }
  changed(net, s)
  return result
}

/** All has been sent: the peer reads to the end. */
function finish(net: NetState, s: TcpSock): void {
  const { peer } = s
  if (s.state === TCP_STATE.ESTABLISHED) s.state = TCP_STATE.FIN_WAIT2
  else if (s.state === TCP_STATE.CLOSE_WAIT) s.state = TCP_STATE.CLOSE
  else return
  if (peer === null) return
  peer.done = true
  peer.shut |= RCV
  if (peer.state === TCP_STATE.ESTABLISHED) peer.state = TCP_STATE.CLOSE_WAIT
  else if (peer.state === TCP_STATE.FIN_WAIT2) {
    peer.state = TCP_STATE.CLOSE
    if (!peer.dead) linger(net, peer)
  }
  if (!peer.dead) changed(net, peer)
}
/** Its addresses wait from now on (a closed socket's even while the other end is still open). */
function linger(net: NetState, s: TcpSock): void {
  const { host, port, peerHost, peerPort, v6only, reuse, reusePort, uid } = s
  const until = net.sys.monotonic() + TIME_WAIT
  if (net.ended.size >= WAITING_MAX) over(net, net.ended.values().next().value as Ended)
  const key = net.nextEnded++
  const ended: Ended = { host, port, peerHost, peerPort, v6only, reuse, reusePort, uid, listening: false, until, key }
  net.ended.set(key, ended)
  enter(net.tcpPorts, ended, host, port)
  if (net.ended.size === 1) net.timers.set(WAITING, until)
}
function over(net: NetState, ended: Ended): void {
  net.ended.delete(ended.key)
  release(net.tcpPorts, ended)
}
/** The timer of what waits (they are in the order they began in). */
export function endingsExpired(net: NetState): void {
  const now = net.sys.monotonic()
  for (const ended of net.ended.values()) {
    if (ended.until > now) {
      net.timers.set(WAITING, ended.until)
      return
    }
    over(net, ended)
  }
}

/** connect with AF_UNSPEC. */
export function disconnect(net: NetState, s: TcpSock): number {
  const broken = s.peer !== null && s.state !== TCP_STATE.CLOSE
  if (s.state === TCP_STATE.LISTEN) endListening(net, s)
  else if (s.state !== TCP_STATE.CLOSE) breakOff(net, s)
  s.error = broken ? E.CONNRESET : 0
  giveUp(net, s)
  empty(net, s)
  s.done = false
  return 0
}
/** A reset for the other end. */
function breakOff(net: NetState, s: TcpSock): void {
  const { peer } = s
  s.state = TCP_STATE.CLOSE
  s.peer = null
  if (peer === null) return
  reset(peer)
  if (!peer.dead) changed(net, peer)
}
function endListening(net: NetState, s: TcpSock): void {
  stopListening(net, s)
  s.state = TCP_STATE.CLOSE
  for (const embryo of s.pending.splice(0)) {
    embryo.dead = true
    breakOff(net, embryo)
    empty(net, embryo)
    release(net.tcpPorts, embryo)
  }
  wantingGoOn(net, s)
}
function empty(net: NetState, s: TcpSock): void {
  net.tcpBytes -= s.queue.used
  while (s.queue.count > 0) pop(net, s.queue)
}

export function close(net: NetState, sock: Sock): void {
  const s = sock as TcpSock
  strike(net, s)
  const unread = s.queue.used > 0
  empty(net, s)
  if (s.state === TCP_STATE.LISTEN) endListening(net, s)
  else if (s.state === TCP_STATE.SYN_SENT) s.state = TCP_STATE.CLOSE
  else if (s.peer !== null && (unread || lingerOf(s) === 0)) breakOff(net, s)
  else {
    s.shut = BOTH
    finish(net, s)
    if (s.state === TCP_STATE.FIN_WAIT2) linger(net, s)
  }
  release(net.tcpPorts, s)
}
