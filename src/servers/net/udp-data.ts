// UDP: send and recv.
import { E } from '../../abi/errno.ts'
import { READABLE } from '../../abi/poll.ts'
import { AF, IP, IPV6, MSG, SO, SOL } from '../../abi/socket.ts'
import { familyAt } from './address.ts'
import { datagramCharge } from './charge.ts'
import { putControl } from './control.ts'
import { takeDatagram } from './datagram.ts'
import { isAny, isBroadcast, isV4, LOOPBACK4, makeAddress, ownAddress, read, readAddress } from './inet.ts'
import type { Interface } from './interface.ts'
import { isOn, isSet } from './options.ts'
import { fitting } from './ports.ts'
import { push } from './queue.ts'
import { takeError } from './sock.ts'
import { type NetState, RCV, type Row, SND, type Sock, WAIT } from './state.ts'
import { from, route } from './tcp-connect.ts'
import { autobind, type UdpSock } from './udp.ts'
import { tellError, wakeReaders } from './wait.ts'

/** 65535 less the headers. */
const LONGEST4 = 65507
const LONGEST6 = 65527
/** What a small datagram costs its receiver, and up to which length (SKB_SMALL_HEAD_CACHE_SIZE). */
const SMALL_CHARGE = 832
const SMALL = 212
const HEADERS = 44

// -- sending --

export function send(net: NetState, sock: Sock, row: Row): number {
  const s = sock as UdpSock
  if ((row.flags & MSG.OOB) !== 0) return -E.OPNOTSUPP
  if (row.total > 0xffff) return -E.MSGSIZE
  const named = row.nameLen > 0
  const wrong = named ? destination(net, s, row) : s.peerPort === 0 ? -E.DESTADDRREQ : 0
  if (wrong < 0) return wrong
  const bound = autobind(net, s)
  if (bound < 0) return bound
  if (s.error !== 0) return takeError(s)
  if ((s.shut & SND) !== 0) return -E.PIPE
  const host = named ? s.lastHost : s.peerHost
  const port = named ? s.lastPort : s.peerPort
  if (row.len > (isV4(host) ? LONGEST4 : LONGEST6)) return -E.MSGSIZE
  deliver(net, s, row, host, port, named ? s.lastSource : s.host)
  return row.len
}
/** Where an address leads: kept, for most senders send there again. */
function destination(net: NetState, s: UdpSock, row: Row): number {
  const { mem } = net.sys
  if (row.nameLen === s.lastName.length && same(s.lastName, mem, row.nameAt)) return 0
  const unspecified = row.nameLen >= 16 && s.family === AF.INET && familyAt(net, row.nameAt) === AF.UNSPEC
  if (unspecified) mem[row.nameAt] = AF.INET
  const r = readAddress(net, s.family, row.nameAt, row.nameLen, true)
  if (r < 0) return r
  if (read.port === 0) return -E.INVAL
  if (isBroadcast(read.host) && !isOn(s, SO.BROADCAST)) return -E.ACCES
  const away = route(net, s)
  if (away < 0) return away
  s.lastName = mem.slice(row.nameAt, row.nameAt + row.nameLen)
  s.lastHost = read.host
  s.lastPort = read.port
  s.lastSource = from.host
  return 0
}
function same(bytes: Uint8Array, mem: Uint8Array, at: number): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== mem[at + i]) return false
  return bytes.length > 0
}
function charge(bytes: number): number {
  return bytes <= SMALL ? SMALL_CHARGE : datagramCharge(bytes + HEADERS)
}
function deliver(net: NetState, s: UdpSock, row: Row, host: string, port: number, source: string): void {
  const there = net.udpPorts.get(port)
  const to = there === undefined ? null : (fitting(there, host, source, s.port) as UdpSock | null)
  if (to === null) {
    if (s.peerPort !== 0 || isSet(s, SOL.IP, IP.RECVERR)) tellError(net, s, E.CONNREFUSED)
    return
  }
  const cost = charge(row.len)
  if ((to.shut & RCV) !== 0) return
  const { traffic } = net.interfaces[0] as Interface
  traffic.packets++
  traffic.bytes += row.len + HEADERS
  if (to.queue.charge + cost > to.rcvbuf && to.queue.count > 0) {
    to.drops++
    return
  }
  const sender = source === s.host ? ownAddress(s, to.family) : makeAddress(to.family, source, s.port)
  push(net, to.queue, net.sys.mem, row.at, row.len, cost, null, sender)
  if (to.receiving.length > 0 || to.watched) wakeReaders(net, to, READABLE)
}

// -- receiving --

export function receive(net: NetState, sock: Sock, row: Row): number {
  const s = sock as UdpSock
  if (s.error !== 0) return takeError(s)
  const q = s.queue
  if (q.count === 0) return (s.shut & RCV) !== 0 && (row.flags & MSG.DONTWAIT) === 0 ? 0 : WAIT
  if (row.controlLen > 0) control(net, s, row)
  return takeDatagram(net, s, row)
}
/** Four bytes in the order they stand in. */
function hostWord(host: string): number {
  return host.charCodeAt(0) | (host.charCodeAt(1) << 8) | (host.charCodeAt(2) << 16) | (host.charCodeAt(3) << 24)
}
/** What the socket has asked to be told with each datagram. */
function control(net: NetState, s: UdpSock, row: Row): void {
  if (isSet(s, SOL.IP, IP.PKTINFO) && isV4(s.host)) {
    const own = hostWord(isAny(s.host) ? LOOPBACK4 : s.host)
    putControl(net, row, SOL.IP, IP.PKTINFO, [1, own, own])
  }
  if (isSet(s, SOL.IP, IP.RECVTTL)) putControl(net, row, SOL.IP, IP.TTL, [64])
  if (isSet(s, SOL.IPV6, IPV6.RECVHOPLIMIT)) putControl(net, row, SOL.IPV6, IPV6.HOPLIMIT, [64])
  if (isSet(s, SOL.IPV6, IPV6.RECVTCLASS)) putControl(net, row, SOL.IPV6, IPV6.TCLASS, [0])
}
