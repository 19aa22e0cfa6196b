// TCP: names, connect, listen, accept. A connection stands as soon as connect has put its other end into the listener's queue.
import { E } from '../../abi/errno.ts'
import { READABLE } from '../../abi/poll.ts'
import { AF } from '../../abi/socket.ts'
import { familyAt } from './address.ts'
import { CAP, capable } from './credential.ts'
import {
  ANY4,
  ANY6,
  type InetSock,
  isAny,
  isBroadcast,
  isLocal,
  isMulticast,
  isV4,
  LOOPBACK4,
  LOOPBACK6,
  moved,
  read,
  readAddress,
  sourceFor,
} from './inet.ts'
import { type Bound, claim, connectPort, enter, fitting, mayListen, type PortTable, release } from './ports.ts'
import { takeError } from './sock.ts'
import { BOTH, type NetState, RCV, type Row, type Sock, WAIT, waits } from './state.ts'
import { newTcp, PHASE, TCP_STATE, type TcpSock } from './tcp.ts'
import { disconnect } from './tcp-state.ts'
import { drained, EVERYTHING, wakeReaders, wakeWriters } from './wait.ts'

const PRIVILEGED = 1024
/** begin: connect's answer is 0. */
const DONE = -0.5

/** bind(2) of TCP and UDP, after the socket's own state has been found good. */
export function bindInet(net: NetState, table: PortTable, s: InetSock & Bound, at: number, len: number, endpoint: number): number {
  const r = readAddress(net, s.family, at, len)
  if (r < 0 && !(r === -E.AFNOSUPPORT && isUnspecified(net, s, at))) return r
  const stream = table === net.tcpPorts
  const { host, port } = read
  if (s.family === AF.INET6 && isV4(host) && s.v6only) return -E.INVAL
  if (!isAny(host) && !isLocal(net, host) && (stream || !(isMulticast(host) || isBroadcast(host)))) return -E.ADDRNOTAVAIL
  if (port > 0 && port < PRIVILEGED && !capable(net, endpoint, CAP.NET_BIND_SERVICE)) return -E.ACCES
  if (s.port !== 0) return -E.INVAL
  const claimed = claim(net, table, s, host, port, stream)
  if (claimed < 0) return claimed
  s.hostBound = !isAny(host)
  s.portBound = port !== 0
  moved(s)
  return 0
}
/** AF_UNSPEC with INADDR_ANY means AF_INET (inet_bind). */
function isUnspecified(net: NetState, s: InetSock, at: number): boolean {
  if (s.family !== AF.INET || familyAt(net, at) !== AF.UNSPEC || net.sys.view.getUint32(at + 4, true) !== 0) return false
  read.host = ANY4
  read.port = net.sys.view.getUint16(at + 2, false)
  return true
}
export function bind(net: NetState, sock: Sock, at: number, len: number, endpoint: number): number {
  const s = sock as TcpSock
  if (s.state !== TCP_STATE.CLOSE && len >= 2) return -E.INVAL
  return bindInet(net, net.tcpPorts, s, at, len, endpoint)
}

/** Where a connection or datagram to what was read goes, and from: left in `read` and `from`. 0, -ENETUNREACH… */
export const from = { host: ANY4 }
export function route(net: NetState, s: InetSock): number {
  if (isAny(read.host)) read.host = isV4(read.host) && s.family === AF.INET ? LOOPBACK4 : isV4(read.host) || !s.v6only ? loopbackOf(s) : LOOPBACK6
  if (s.family === AF.INET6 && isV4(read.host) && s.v6only) return -E.NETUNREACH
  const source = s.hostBound ? s.host : sourceFor(net, read.host)
  if (typeof source === 'number') return source
  if (isV4(source) !== isV4(read.host)) return -E.NETUNREACH
  from.host = source
  return 0
}
const loopbackOf = (s: InetSock): string => (s.family === AF.INET6 && !isV4(s.host) ? LOOPBACK6 : LOOPBACK4)

// -- connect --

export function connect(net: NetState, sock: Sock, row: Row): number {
  const s = sock as TcpSock
  const begun = row.fresh ? begin(net, s, row) : 0
  if (begun !== 0) return Math.ceil(begun)
  const result = advance(net, s)
  if (result === WAIT) return WAIT
  // the answer to a packet comes when the caller has let go of its socket: who doesn't wait hears of it later
  if (!waits(row)) return -E.INPROGRESS
  if (result === 0) s.phase = PHASE.CONNECTED
  else giveUp(net, s)
  return takeError(s)
}
/** 0: a connection is under way now; else the answer. */
function begin(net: NetState, s: TcpSock, row: Row): number {
  if (row.nameLen < 2) return -E.INVAL
  if (familyAt(net, row.nameAt) === AF.UNSPEC) return disconnect(net, s) || DONE
  if (s.phase === PHASE.CONNECTED) return -E.ISCONN
  if (s.phase === PHASE.UNCONNECTED) return s.state === TCP_STATE.CLOSE ? start(net, s, row) : -E.ISCONN
  if (s.state === TCP_STATE.SYN_SENT) return waits(row) ? WAIT : -E.ALREADY
  if (s.state !== TCP_STATE.CLOSE) {
    s.phase = PHASE.CONNECTED
    return DONE
  }
  const error = takeError(s) || -E.CONNABORTED
  giveUp(net, s)
  return error
}
/** Address, route and port of a new connection. */
function start(net: NetState, s: TcpSock, row: Row): number {
  const r = readAddress(net, s.family, row.nameAt, row.nameLen)
  if (r < 0) return r
  const away = isMulticast(read.host) || isBroadcast(read.host) ? -E.NETUNREACH : route(net, s)
  if (away < 0) return away
  const { host, port } = read
  if (s.port === 0) {
    const own = connectPort(net, net.tcpPorts, host, port)
    if (own === 0) return -E.ADDRNOTAVAIL
    enter(net.tcpPorts, s, from.host, own)
  } else if (isTaken(net, s, host, port)) return -E.ADDRNOTAVAIL
  s.host = from.host
  s.peerHost = host
  s.peerPort = port
  s.state = TCP_STATE.SYN_SENT
  s.phase = PHASE.CONNECTING
  s.shut = s.error = 0
  s.done = false
  moved(s)
  return 0
}
/** Is there such a connection already? */
function isTaken(net: NetState, s: TcpSock, host: string, port: number): boolean {
  for (const o of net.tcpPorts.get(s.port) ?? [])
    if (o !== s && o.peerPort === port && o.peerHost === host && (o.host === from.host || isAny(o.host)) && o.until === 0) return true
  return false
}
/** Try to get into the listener's queue: 0, WAIT, or -errno, which is the socket's pending error too. */
function advance(net: NetState, s: TcpSock): number {
  if (s.state !== TCP_STATE.SYN_SENT) return -s.error
  const listeners = net.listeners.get(s.peerPort)
  const other = listeners === undefined ? null : fitting(listeners, s.peerHost, s.host, s.port)
  if (other === null || (other.shut & RCV) !== 0) {
    s.state = TCP_STATE.CLOSE
    s.shut = BOTH
    s.error = E.CONNREFUSED
    return -E.CONNREFUSED
  }
  if (other.pending.length > other.backlog) {
    if (!other.wanting.includes(s)) other.wanting.push(s)
    return WAIT
  }
  link(net, s, other)
  return 0
}
/** A connection that did not come about: the socket is as new, but for what bind gave it. */
export function giveUp(net: NetState, s: TcpSock): void {
  s.state = TCP_STATE.CLOSE
  s.phase = PHASE.UNCONNECTED
  s.shut = 0
  s.peer = null
  s.peerPort = 0
  if (!s.portBound) {
    release(net.tcpPorts, s)
    s.port = 0
  }
  if (!s.hostBound) s.host = s.family === AF.INET6 ? ANY6 : ANY4
  moved(s)
}
/** The listener's end of a new connection, waiting to be accepted. */
function link(net: NetState, s: TcpSock, listener: TcpSock): void {
  const made = inherit(net, listener)
  enter(net.tcpPorts, made, s.peerHost, s.peerPort)
  made.peerHost = s.host
  made.peerPort = s.port
  made.peer = s
  s.peer = made
  made.state = s.state = TCP_STATE.ESTABLISHED
  made.phase = PHASE.CONNECTED
  listener.pending.push(made)
  wakeReaders(net, listener, READABLE)
}
/** An accepted socket has its listener's options. */
export function inherit(net: NetState, listener: TcpSock): TcpSock {
  const made = newTcp(net, listener.family, listener.uid)
  for (const [key, value] of listener.values) made.values.set(key, value)
  made.sndbuf = listener.sndbuf
  made.rcvbuf = listener.rcvbuf
  made.sndLocked = listener.sndLocked
  made.rcvLocked = listener.rcvLocked
  made.rcvlowat = listener.rcvlowat
  made.rcvtimeo = listener.rcvtimeo
  made.sndtimeo = listener.sndtimeo
  made.v6only = listener.v6only
  made.reuse = listener.reuse
  made.reusePort = listener.reusePort
  return made
}

// -- listen and accept --

export function listen(net: NetState, sock: Sock, backlog: number): number {
  const s = sock as TcpSock
  if (s.phase !== PHASE.UNCONNECTED) return -E.INVAL
  if (s.state !== TCP_STATE.CLOSE && s.state !== TCP_STATE.LISTEN) return -E.INVAL
  const more = backlog > s.backlog
  s.backlog = backlog
  if (s.state === TCP_STATE.LISTEN) {
    if (more) wantingGoOn(net, s)
    return 0
  }
  if (s.port === 0) {
    const r = claim(net, net.tcpPorts, s, s.host, 0, true)
    if (r < 0) return r
    moved(s)
  } else if (!mayListen(net.tcpPorts, s)) return -E.ADDRINUSE
  s.state = TCP_STATE.LISTEN
  s.listening = true
  s.shut = 0
  const there = net.listeners.get(s.port)
  if (there === undefined) net.listeners.set(s.port, new Set([s]))
  else there.add(s)
  return 0
}
export function stopListening(net: NetState, s: TcpSock): void {
  const there = net.listeners.get(s.port)
  if (there?.delete(s) && there.size === 0) net.listeners.delete(s.port)
  s.listening = false
}
/** Connections that waited for room in the listener's queue try again. */
export function wantingGoOn(net: NetState, s: TcpSock): void {
  for (const other of s.wanting.splice(0)) {
    if (other.dead || other.state !== TCP_STATE.SYN_SENT) continue
    if (other.sending.length > 0) drained(net, other)
    else if (advance(net, other) !== WAIT) settled(net, other)
  }
}
/** A connection nobody waits for in connect has come about, or not. */
function settled(net: NetState, s: TcpSock): void {
  wakeReaders(net, s, EVERYTHING)
  wakeWriters(net, s, 0)
}
export function accept(net: NetState, sock: Sock): Sock | number {
  const s = sock as TcpSock
  if (s.state !== TCP_STATE.LISTEN) return -E.INVAL
  const made = s.pending.shift()
  if (made === undefined) return WAIT
  wantingGoOn(net, s)
  return made
}
