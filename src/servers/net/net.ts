// The network server: what is behind socket descriptors. FS owns the descriptors and asks here (protocol/sdev.ts), as VFS asks its socket
// drivers in MINIX 3.4. Bytes go straight between the callers' grants and the queues of the sockets. Only FS may ask.
//   sockets: sock, queue, wait, options    AF_UNIX: unix, unix-connect, unix-send, unix-receive, unix-option
import { E } from '../../abi/errno.ts'
import { EP, high, int, type Message, setInt } from '../../abi/message.ts'
import { AF, IPPROTO, MSG, SOCK, SOCK_TYPE_MASK } from '../../abi/socket.ts'
import type { CallVector, Server, Sys } from '../../lib/server.ts'
import { CONTINUED, SDEV } from '../../protocol/sdev.ts'
import { createNetlink } from './netlink.ts'
import { forget } from './partial.ts'
import { enrol, sockOf } from './sock.ts'
import { createState, type NetState, ROW, type Row, rowAt, SLOT_MASK, type Sock } from './state.ts'
import { part, writeTable } from './tables.ts'
import { newTcp } from './tcp.ts'
import { endingsExpired, WAITING } from './tcp-state.ts'
import { newUdp } from './udp.ts'
import { createUnix, pairUnix, type UnixSock } from './unix.ts'
import { expired, interrupted, request, settle } from './wait.ts'

// -- sockets come and go --

function create(net: NetState, m: Message): Sock | number {
  const family = int(m, 0)
  const type = int(m, 1) & SOCK_TYPE_MASK
  if (family < 0 || family >= AF.MAX) return -E.AFNOSUPPORT
  if (type >= SOCK.MAX) return -E.INVAL
  if (family === AF.UNIX) return createUnix(net, type, int(m, 2), int(m, 3))
  if (family === AF.INET || family === AF.INET6) return createInet(net, family, type, int(m, 2), int(m, 3))
  if (family === AF.NETLINK) return createNetlink(net, type, int(m, 2), int(m, 3))
  return -E.AFNOSUPPORT
}
/** There are no raw sockets: as for who has no CAP_NET_RAW. */
function createInet(net: NetState, family: number, type: number, protocol: number, uid: number): Sock | number {
  if (protocol < 0 || protocol > PROTOCOL_MAX) return -E.INVAL
  if (type === SOCK.RAW) return -E.PERM
  if (type !== SOCK.STREAM && type !== SOCK.DGRAM) return -E.SOCKTNOSUPPORT
  const own = type === SOCK.STREAM ? IPPROTO.TCP : IPPROTO.UDP
  if (protocol !== 0 && protocol !== own) {
    const icmp = family === AF.INET ? IPPROTO.ICMP : IPPROTO.ICMPV6
    return type === SOCK.DGRAM && protocol === icmp ? -E.ACCES : -E.PROTONOSUPPORT
  }
  return type === SOCK.STREAM ? newTcp(net, family, uid) : newUdp(net, family, uid)
}
/** IPPROTO_MPTCP is the last there is. */
const PROTOCOL_MAX = 262
function socket(net: NetState, m: Message): number {
  const s = create(net, m)
  if (typeof s === 'number') return s
  setInt(m, 1, s.ino)
  return enrol(net, s)
}
function socketpair(net: NetState, m: Message): number {
  const a = create(net, m)
  if (typeof a === 'number') return a
  if (a.family !== AF.UNIX) return -E.OPNOTSUPP
  const b = create(net, m) as UnixSock
  pairUnix(net, a as UnixSock, b, int(m, 4))
  setInt(m, 1, a.ino)
  setInt(m, 2, enrol(net, b))
  setInt(m, 3, b.ino)
  return enrol(net, a)
}

// -- requests that may wait --

/** The caller's row, with what all these requests have. */
function rowOf(net: NetState, m: Message, s: Sock, kind: number, flags: number, who: number): Row {
  const row = rowAt(net, int(m, who) & SLOT_MASK)
  row.kind = kind
  row.id = int(m, who)
  row.endpoint = high(m, who)
  row.sock = s
  row.flags = int(m, flags) & ~CONTINUED
  row.continued = (int(m, flags) & CONTINUED) !== 0
  row.total = high(m, flags)
  row.at = row.len = row.done = 0
  row.nameAt = row.nameLen = row.controlAt = row.controlLen = 0
  row.target = row.flight = 0
  row.credential = null
  row.address = row.control = row.gave = row.took = 0
  if (!row.continued && net.partials.size > 0) forget(net, row.id & SLOT_MASK)
  return row
}
function connect(net: NetState, m: Message, s: Sock): number {
  const row = rowOf(net, m, s, ROW.CONNECT, 2, 3)
  row.nameAt = int(m, 1)
  row.nameLen = high(m, 1)
  row.target = int(m, 4)
  return request(net, m, s, row)
}
function accept(net: NetState, m: Message, s: Sock): number {
  const row = rowOf(net, m, s, ROW.ACCEPT, 2, 3)
  row.nameAt = int(m, 1)
  row.nameLen = high(m, 1)
  row.uid = int(m, 4)
  return request(net, m, s, row)
}
function send(net: NetState, m: Message, s: Sock): number {
  const row = rowOf(net, m, s, ROW.SEND, 2, 3)
  data(row, m)
  row.target = int(m, 6)
  row.flight = high(m, 6)
  return request(net, m, s, row)
}
function receive(net: NetState, m: Message, s: Sock): number {
  const row = rowOf(net, m, s, ROW.RECV, 2, 3)
  data(row, m)
  if ((row.flags & MSG.ERRQUEUE) !== 0) {
    row.kind = ROW.FREE
    return -E.AGAIN
  }
  return request(net, m, s, row)
}
function data(row: Row, m: Message): void {
  row.at = int(m, 1)
  row.len = high(m, 1)
  row.nameAt = int(m, 4)
  row.nameLen = high(m, 4)
  row.controlAt = int(m, 5)
  row.controlLen = high(m, 5)
}
function cancel(net: NetState, m: Message): number {
  const id = int(m, 1)
  const row = rowAt(net, id & SLOT_MASK)
  return row.kind === ROW.FREE || row.id !== id ? -E.SRCH : interrupted(net, row)
}

// -- the rest --

function select(m: Message, net: NetState, s: Sock): number {
  if (int(m, 1) !== 0) s.watched = true
  return s.ops.poll(net, s)
}
function shutdown(net: NetState, m: Message, s: Sock): number {
  const how = int(m, 1)
  return how < 0 || how > 2 ? -E.INVAL : s.ops.shutdown(net, s, how)
}
function where(net: NetState, flight: number): number {
  const s = net.flights.get(flight)
  if (s === undefined) return -E.NOENT
  if (s.id !== 0) return s.id
  const listener = net.socks.find(other => other !== null && ((other as UnixSock).pending?.includes(s as UnixSock) ?? false))
  return listener?.id ?? -E.NOENT
}

type SockHandler = (net: NetState, m: Message, s: Sock) => number
/** Requests about one socket, which cell 0 names. */
const HANDLERS: Readonly<Record<number, SockHandler>> = {
  [SDEV.BIND]: (net, m, s) => s.ops.bind(net, s, int(m, 1), high(m, 1), int(m, 2)),
  [SDEV.CONNECT]: connect,
  [SDEV.LISTEN]: (net, m, s) => s.ops.listen(net, s, int(m, 1), int(m, 2)),
  [SDEV.ACCEPT]: accept,
  [SDEV.SEND]: send,
  [SDEV.RECV]: receive,
  [SDEV.IOCTL]: (net, m, s) => s.ops.ioctl(net, s, int(m, 1) >>> 0, int(m, 3), high(m, 3)),
  [SDEV.SETSOCKOPT]: (net, m, s) =>
    s.ops.setOption(net, s, int(m, 1), int(m, 2), int(m, 3), int(m, 4), high(m, 3), int(m, 5)),
  [SDEV.GETSOCKOPT]: (net, m, s) => s.ops.getOption(net, s, int(m, 1), int(m, 2), int(m, 3), high(m, 3)),
  [SDEV.GETSOCKNAME]: (net, m, s) => s.ops.name(net, s, false, int(m, 1), high(m, 1)),
  [SDEV.GETPEERNAME]: (net, m, s) => s.ops.name(net, s, true, int(m, 1), high(m, 1)),
  [SDEV.SHUTDOWN]: shutdown,
  [SDEV.SELECT]: (net, m, s) => select(m, net, s),
  [SDEV.UNWATCH]: (_net, _m, s) => {
    s.watched = false
    return 0
  },
  [SDEV.CLOSE]: (net, _m, s) => {
    s.ops.close(net, s)
    return 0
  },
}
/** Requests about none, or a new one. */
const OTHERS: Readonly<Record<number, (net: NetState, m: Message) => number>> = {
  [SDEV.SOCKET]: socket,
  [SDEV.SOCKETPAIR]: socketpair,
  [SDEV.CANCEL]: cancel,
  [SDEV.WHERE]: (net, m) => where(net, int(m, 0)),
  [SDEV.TABLE]: (net, m) => {
    const bytes = writeTable(net, int(m, 0), int(m, 1), int(m, 2), high(m, 2))
    setInt(m, 1, part.next)
    return bytes
  },
}

function callVector(net: NetState): CallVector {
  const vector: Record<number, (m: Message, from: number) => number> = {}
  for (const [type, handler] of Object.entries(HANDLERS))
    vector[Number(type)] = (m, from) => {
      if (from !== EP.FS) return -E.PERM
      const s = sockOf(net, int(m, 0))
      if (s === null) return -E.BADF
      const result = handler(net, m, s)
      settle(net)
      return result
    }
  for (const [type, handler] of Object.entries(OTHERS))
    vector[Number(type)] = (m, from) => {
      if (from !== EP.FS) return -E.PERM
      const result = handler(net, m)
      settle(net)
      return result
    }
  return vector
}

export function createNet(sys: Sys): Server {
  const net = createState(sys)
  return {
    name: 'net',
    calls: callVector(net),
    notified(from) {
      if (from !== EP.CLOCK) return
      for (let key = net.timers.expire(); key >= 0; key = net.timers.expire()) {
        if (key === WAITING) endingsExpired(net)
        else expired(net, key >> 1)
      }
      settle(net)
    },
  }
}
