// TCP inside the machine: two sockets linked to each other, each with what it has received. There are no packets: what is written stands in
// the other end's queue at once, and how much fits is what Linux's two buffers would hold. States and errors are those of tcp(7).
//   tcp-connect: bind, connect, listen, accept    tcp-data: send, recv, urgent data    tcp-state: shutdown, close, reset
import { E } from '../../abi/errno.ts'
import { IOCTL } from '../../abi/ioctl.ts'
import { POLL, READABLE, WRITABLE } from '../../abi/poll.ts'
import { IPPROTO, SOCK } from '../../abi/socket.ts'
import { getInetOption, setInetOption } from './inet-option.ts'
import { type InetSock, inetName, inetPart } from './inet.ts'
import { interfaceIoctl } from './interface.ts'
import type { Bound } from './ports.ts'
import { newSock } from './sock.ts'
import { BOTH, type NetState, type Ops, RCV, SND, type Sock } from './state.ts'
import { accept, bind, connect, listen } from './tcp-connect.ts'
import { receive, send } from './tcp-data.ts'
import { close, shutdown } from './tcp-state.ts'

/** include/net/tcp_states.h: shown in /proc/net/tcp and TCP_INFO. */
export const TCP_STATE = {
  ESTABLISHED: 1,
  SYN_SENT: 2,
  FIN_WAIT2: 5,
  TIME_WAIT: 6,
  CLOSE: 7,
  CLOSE_WAIT: 8,
  LAST_ACK: 9,
  LISTEN: 10,
} as const
/** Where connect has got (struct socket's state). */
export const PHASE = { UNCONNECTED: 0, CONNECTING: 1, CONNECTED: 2 } as const
/** net.ipv4.tcp_wmem, tcp_rmem: at first; and what a sender may fill once it is connected, when it hasn't said otherwise. */
const SNDBUF = 16384
const RCVBUF = 131072
export const SNDBUF_AUTO = 2626560
/** Bytes all connections may hold before new ones are kept short, and how short (net.ipv4.tcp_mem). */
const PRESSURE = 1 << 28
const SHORT = 65536

export interface TcpSock extends InetSock, Bound {
  state: number
  phase: number
  peer: TcpSock | null
  backlog: number
  /** A listener's: connections nobody has accepted; sockets whose connect waits for room there. */
  pending: TcpSock[]
  wanting: TcpSock[]
  /** The other end has sent all it will. */
  done: boolean
  /** Bytes taken out of the queue so far, and where the urgent byte is in that count; -1: there is none. */
  taken: number
  urgentAt: number
  urgentRead: boolean
  /** SO_SNDBUF, SO_RCVBUF were set. */
  sndLocked: boolean
  rcvLocked: boolean
}

export function newTcp(net: NetState, family: number, uid: number): TcpSock {
  return {
    ...newSock(net, tcpOps, family, SOCK.STREAM, IPPROTO.TCP, uid),
    ...inetPart(family),
    sndbuf: SNDBUF,
    rcvbuf: RCVBUF,
    state: TCP_STATE.CLOSE,
    phase: PHASE.UNCONNECTED,
    peer: null,
    backlog: 0,
    pending: [],
    wanting: [],
    done: false,
    taken: 0,
    urgentAt: -1,
    urgentRead: false,
    sndLocked: false,
    rcvLocked: false,
    listening: false,
    until: 0,
  }
}

// -- how much fits --

/** Bytes its receive buffer takes. */
function windowOf(net: NetState, r: TcpSock): number {
  return net.tcpBytes > PRESSURE ? Math.min(r.rcvbuf, SHORT) : r.rcvbuf
}
function sendBuffer(net: NetState, s: TcpSock): number {
  const size = s.sndLocked ? s.sndbuf : SNDBUF_AUTO
  return net.tcpBytes > PRESSURE ? Math.min(size, SHORT) : size
}
/** Bytes still in the sender's buffer, had there been two. */
export function unsent(net: NetState, s: TcpSock): number {
  return s.peer === null ? 0 : Math.max(0, s.peer.queue.used - windowOf(net, s.peer))
}
/** Bytes a send may put into the peer's queue now. */
export function roomFor(net: NetState, s: TcpSock): number {
  return sendBuffer(net, s) - unsent(net, s) + Math.max(0, windowOf(net, s.peer as TcpSock) - (s.peer as TcpSock).queue.used)
}
/** sk_stream_is_writeable */
export function isWritable(net: NetState, s: TcpSock): boolean {
  return unsent(net, s) * 1.5 <= sendBuffer(net, s)
}
/** Readable bytes: what the receive buffer would hold, without the urgent byte. */
export function readable(net: NetState, s: TcpSock): number {
  return Math.min(s.queue.used, Math.max(windowOf(net, s), 1))
}

function poll(net: NetState, sock: Sock): number {
  const s = sock as TcpSock
  if (s.state === TCP_STATE.LISTEN) return s.pending.length > 0 ? READABLE : 0
  let events = s.error !== 0 ? POLL.ERR : 0
  if (s.shut === BOTH || s.state === TCP_STATE.CLOSE) events |= POLL.HUP
  if ((s.shut & RCV) !== 0) events |= READABLE | POLL.RDHUP
  if (s.state === TCP_STATE.SYN_SENT) return events
  if (s.queue.used >= Math.max(1, s.rcvlowat)) events |= READABLE
  if ((s.shut & SND) !== 0 || s.peer === null || isWritable(net, s)) events |= WRITABLE
  if (s.urgentAt >= s.taken && !s.urgentRead) events |= POLL.PRI
  return events
}

function ioctl(net: NetState, sock: Sock, cmd: number, at: number, len: number): number {
  const s = sock as TcpSock
  if (cmd !== IOCTL.FIONREAD && cmd !== IOCTL.TIOCOUTQ && cmd !== IOCTL.SIOCATMARK && cmd !== IOCTL.SIOCOUTQNSD)
    return interfaceIoctl(net, cmd, at, len)
  if (len < 4) return -E.FAULT
  if (s.state === TCP_STATE.LISTEN && cmd !== IOCTL.SIOCATMARK) return -E.INVAL
  let value = 0
  if (cmd === IOCTL.FIONREAD) value = readable(net, s) - (s.urgentAt >= s.taken && s.queue.used > 0 ? 1 : 0)
  else if (cmd === IOCTL.TIOCOUTQ || cmd === IOCTL.SIOCOUTQNSD) value = unsent(net, s)
  else value = s.urgentAt >= 0 && s.urgentAt === s.taken ? 1 : 0
  net.sys.view.setInt32(at, Math.max(0, value), true)
  return 0
}
function name(net: NetState, sock: Sock, peer: boolean, at: number, room: number): number {
  const s = sock as TcpSock
  if (peer && (s.state === TCP_STATE.CLOSE || s.state === TCP_STATE.SYN_SENT)) return -E.NOTCONN
  return inetName(net, s, peer, at, room)
}

export const tcpOps: Ops = {
  connecting: -E.INPROGRESS,
  bind,
  connect,
  listen,
  accept,
  send,
  recv: receive,
  poll,
  shutdown,
  name,
  ioctl,
  setOption: setInetOption,
  getOption: getInetOption,
  close,
}
export const isTcp = (s: Sock): s is TcpSock => s.ops === tcpOps
