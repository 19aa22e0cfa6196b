// UDP inside the machine (udp(7)): datagrams go straight into the receiver's queue, and are lost when there is no room. What is sent to a
// port nobody has comes back as an error if the sender is connected there.
import { E } from '../../abi/errno.ts'
import { IOCTL } from '../../abi/ioctl.ts'
import { POLL, READABLE, WRITABLE } from '../../abi/poll.ts'
import { AF, IPPROTO, SO, SOCK } from '../../abi/socket.ts'
import { familyAt } from './address.ts'
import { getInetOption, setInetOption } from './inet-option.ts'
import { ANY4, ANY6, type InetSock, inetName, inetPart, isBroadcast, moved, read, readAddress } from './inet.ts'
import { interfaceIoctl } from './interface.ts'
import { isOn } from './options.ts'
import { type Bound, claim, release } from './ports.ts'
import { pop, REC, recordAt, word } from './queue.ts'
import { newSock, strike } from './sock.ts'
import { BOTH, type NetState, type Ops, RCV, type Row, type Sock } from './state.ts'
import { bindInet, from, route } from './tcp-connect.ts'
import { receive, send } from './udp-data.ts'
import { EVERYTHING, wakeReaders } from './wait.ts'

export interface UdpSock extends InetSock, Bound {
  /** Datagrams lost for want of room (SO_RCVBUF). */
  drops: number
  /** Where the last datagram with an address of its own went: looked up once. */
  lastName: Uint8Array
  lastHost: string
  lastPort: number
  lastSource: string
}
const NO_BYTES = new Uint8Array(0)

export function newUdp(net: NetState, family: number, uid: number): UdpSock {
  return {
    ...newSock(net, udpOps, family, SOCK.DGRAM, IPPROTO.UDP, uid),
    ...inetPart(family),
    listening: false,
    until: 0,
    drops: 0,
    lastName: NO_BYTES,
    lastHost: ANY4,
    lastPort: 0,
    lastSource: ANY4,
  }
}

function bind(net: NetState, sock: Sock, at: number, len: number, endpoint: number): number {
  return bindInet(net, net.udpPorts, sock as UdpSock, at, len, endpoint)
}
/** A port of its own, before it sends. */
export function autobind(net: NetState, s: UdpSock): number {
  if (s.port !== 0) return 0
  const r = claim(net, net.udpPorts, s, s.host, 0, false)
  moved(s)
  return r < 0 ? -E.AGAIN : 0
}

function connect(net: NetState, sock: Sock, row: Row): number {
  const s = sock as UdpSock
  if (row.nameLen < 2) return -E.INVAL
  if (familyAt(net, row.nameAt) === AF.UNSPEC) return disconnect(net, s)
  const r = readAddress(net, s.family, row.nameAt, row.nameLen)
  if (r < 0) return r
  if (isBroadcast(read.host) && !isOn(s, SO.BROADCAST)) return -E.ACCES
  const away = route(net, s)
  if (away < 0) return away
  const bound = autobind(net, s)
  if (bound < 0) return bound
  if (!s.hostBound) s.host = from.host
  s.peerHost = read.host
  s.peerPort = read.port
  moved(s)
  return 0
}
function disconnect(net: NetState, s: UdpSock): number {
  s.peerPort = 0
  s.peerHost = ANY4
  s.error = 0
  if (!s.portBound) {
    release(net.udpPorts, s)
    s.port = 0
  }
  if (!s.hostBound) s.host = s.family === AF.INET6 ? ANY6 : ANY4
  moved(s)
  return 0
}
function poll(_net: NetState, s: Sock): number {
  let events = s.error !== 0 ? POLL.ERR : 0
  if (s.shut === BOTH) events |= POLL.HUP
  if ((s.shut & RCV) !== 0) events |= READABLE | POLL.RDHUP
  if (s.queue.count > 0) events |= READABLE
  return events | WRITABLE | POLL.WRBAND
}
function shutdown(net: NetState, sock: Sock, how: number): number {
  const s = sock as UdpSock
  s.shut |= how + 1
  wakeReaders(net, s, EVERYTHING)
  return s.peerPort === 0 ? -E.NOTCONN : 0
}
function ioctl(net: NetState, sock: Sock, cmd: number, at: number, len: number): number {
  if (cmd !== IOCTL.FIONREAD && cmd !== IOCTL.TIOCOUTQ) return interfaceIoctl(net, cmd, at, len)
  if (len < 4) return -E.FAULT
  const q = sock.queue
  const first = cmd === IOCTL.FIONREAD && q.count > 0 ? word(q, recordAt(q, 0), REC.LEN) : 0
  net.sys.view.setInt32(at, first, true)
  return 0
}
function close(net: NetState, sock: Sock): void {
  const s = sock as UdpSock
  strike(net, s)
  release(net.udpPorts, s)
  while (s.queue.count > 0) pop(net, s.queue)
}

export const udpOps: Ops = {
  connecting: 0,
  bind,
  connect,
  listen: () => -E.OPNOTSUPP,
  accept: () => -E.OPNOTSUPP,
  send,
  recv: receive,
  poll,
  shutdown,
  name: (net, s, peer, at, room) => inetName(net, s as UdpSock, peer, at, room),
  ioctl,
  setOption: setInetOption,
  getOption: getInetOption,
  close,
}
