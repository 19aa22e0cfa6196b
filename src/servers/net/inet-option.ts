// Options of TCP and UDP sockets: SOL_SOCKET, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_TCP, IPPROTO_UDP (ip(7), ipv6(7), tcp(7), udp(7)). Inside one
// machine most of them change nothing: they are kept and told.
import { E } from '../../abi/errno.ts'
import { AF, IP, IPV6, SO, SOL, TCP } from '../../abi/socket.ts'
import { CAP } from './credential.ts'
import { type InetSock, isV4 } from './inet.ts'
import { findInterface } from './interface.ts'
import {
  getSocketOption,
  intError,
  kept,
  keep,
  type Plain,
  type PlainOptions,
  putInt,
  putWords,
  setPlain,
  setSocketOption,
} from './options.ts'
import type { NetState, Sock } from './state.ts'
import { isTcp, TCP_STATE, type TcpSock, unsent } from './tcp.ts'

const FLAG: Plain = { initial: 0, flag: true }
const NUMBER: Plain = { initial: 0 }
const IP_OPTIONS: PlainOptions = {
  [IP.TOS]: { initial: 0 },
  [IP.TTL]: { initial: 64, min: 1, max: 255, reset: -1 },
  [IP.RECVOPTS]: FLAG,
  [IP.RETOPTS]: FLAG,
  [IP.PKTINFO]: FLAG,
  [IP.MTU_DISCOVER]: { initial: 1, min: 0, max: 5 },
  [IP.RECVERR]: FLAG,
  [IP.RECVTTL]: FLAG,
  [IP.RECVTOS]: FLAG,
  [IP.FREEBIND]: FLAG,
  [IP.TRANSPARENT]: { initial: 0, flag: true, capability: CAP.NET_ADMIN },
  [IP.RECVORIGDSTADDR]: FLAG,
  [IP.MINTTL]: { initial: 0, min: 0, max: 255 },
  [IP.CHECKSUM]: FLAG,
  [IP.BIND_ADDRESS_NO_PORT]: FLAG,
  [IP.RECVFRAGSIZE]: FLAG,
  [IP.MULTICAST_TTL]: { initial: 1, min: 0, max: 255, reset: -1 },
  [IP.MULTICAST_LOOP]: { initial: 1, flag: true },
  [IP.MULTICAST_ALL]: { initial: 1, min: 0, max: 1 },
  [IP.UNICAST_IF]: NUMBER,
  [IP.LOCAL_PORT_RANGE]: NUMBER,
}
const IPV6_OPTIONS: PlainOptions = {
  [IPV6.UNICAST_HOPS]: { initial: 64, min: 0, max: 255, reset: -1 },
  [IPV6.MULTICAST_HOPS]: { initial: 1, min: 0, max: 255, reset: -1 },
  [IPV6.MULTICAST_LOOP]: { initial: 1, min: 0, max: 1 },
  [IPV6.MULTICAST_ALL]: { initial: 1, min: 0, max: 1 },
  [IPV6.MULTICAST_IF]: NUMBER,
  [IPV6.MTU_DISCOVER]: { initial: 1, min: 0, max: 5 },
  [IPV6.RECVERR]: FLAG,
  [IPV6.RECVPKTINFO]: FLAG,
  [IPV6.RECVHOPLIMIT]: FLAG,
  [IPV6.RECVRTHDR]: FLAG,
  [IPV6.RECVHOPOPTS]: FLAG,
  [IPV6.RECVDSTOPTS]: FLAG,
  [IPV6.RECVTCLASS]: FLAG,
  [IPV6.TCLASS]: { initial: 0, min: -1, max: 255, reset: -1 },
  [IPV6.AUTOFLOWLABEL]: { initial: 1, flag: true },
  [IPV6.FREEBIND]: FLAG,
}
const TCP_OPTIONS: PlainOptions = {
  [TCP.NODELAY]: FLAG,
  [TCP.CORK]: FLAG,
  [TCP.KEEPIDLE]: { initial: 7200, min: 1, max: 32767 },
  [TCP.KEEPINTVL]: { initial: 75, min: 1, max: 32767 },
  [TCP.KEEPCNT]: { initial: 9, min: 1, max: 127 },
  [TCP.SYNCNT]: { initial: 6, min: 1, max: 127 },
  [TCP.LINGER2]: { initial: 60 },
  [TCP.DEFER_ACCEPT]: NUMBER,
  [TCP.WINDOW_CLAMP]: NUMBER,
  [TCP.QUICKACK]: { initial: 1, flag: true },
  [TCP.THIN_LINEAR_TIMEOUTS]: { initial: 0, min: 0, max: 1 },
  [TCP.THIN_DUPACK]: { initial: 0, min: 0, max: 1 },
  [TCP.USER_TIMEOUT]: { initial: 0, min: 0 },
  [TCP.FASTOPEN]: { initial: 0, min: 0 },
  [TCP.TIMESTAMP]: NUMBER,
  [TCP.NOTSENT_LOWAT]: NUMBER,
  [TCP.SAVE_SYN]: { initial: 0, min: 0, max: 2 },
  [TCP.FASTOPEN_CONNECT]: { initial: 0, min: 0, max: 1 },
  [TCP.INQ]: { initial: 0, min: 0, max: 1 },
  [TCP.TX_DELAY]: NUMBER,
}
const UDP_OPTIONS: PlainOptions = { 1: FLAG, 101: FLAG, 102: FLAG, 103: { initial: 0, min: 0, max: 0xffff }, 104: FLAG }
const NONE: PlainOptions = {}

const MSS_DEFAULT = 536
const MSS_LOOPBACK = 32768
const CONGESTION = ['cubic', 'reno']
/** Values of SO_REUSEADDR and SO_REUSEPORT, and of IPV6_V6ONLY, that bind looks at. */
function noteShared(s: InetSock, name: number, on: boolean): void {
  if (name === SO.REUSEADDR) s.reuse = on
  if (name === SO.REUSEPORT) s.reusePort = on
}

export function setInetOption(
  net: NetState,
  sock: Sock,
  level: number,
  name: number,
  at: number,
  len: number,
  room: number,
  endpoint: number,
): number {
  const s = sock as InetSock
  if (level === SOL.SOCKET) return setAtSocket(net, s, name, at, len, room, endpoint)
  if (level === SOL.IPV6 && s.family === AF.INET6) return setIpv6(net, s, name, at, len, room, endpoint)
  if (level === SOL.IP) return setIp(net, s, name, at, len, room, endpoint)
  if (level === SOL.TCP && isTcp(s)) return setTcp(net, s, name, at, len, room, endpoint)
  if (level === SOL.UDP && !isTcp(s)) {
    const wrong = intError(len, room)
    return wrong || (setPlain(net, s, level, name, net.sys.view.getInt32(at, true), UDP_OPTIONS, endpoint) ?? -E.NOPROTOOPT)
  }
  return -E.NOPROTOOPT
}
function setAtSocket(net: NetState, s: InetSock, name: number, at: number, len: number, room: number, endpoint: number): number {
  if (name === SO.BINDTODEVICE) {
    const device = textAt(net, at, Math.min(room, 15))
    return device === '' || findInterface(net, device) !== undefined ? 0 : -E.NODEV
  }
  if (name === SO.PASSCRED || name === SO.PASSSEC) return intError(len, room) || -E.OPNOTSUPP
  const r = setSocketOption(net, s, name, at, len, room, endpoint) ?? -E.NOPROTOOPT
  if (r < 0) return r
  noteShared(s, name, net.sys.view.getInt32(at, true) !== 0)
  if (isTcp(s) && (name === SO.SNDBUF || name === SO.SNDBUFFORCE)) s.sndLocked = true
  if (isTcp(s) && (name === SO.RCVBUF || name === SO.RCVBUFFORCE)) s.rcvLocked = true
  return r
}
function textAt(net: NetState, at: number, len: number): string {
  let text = ''
  for (let i = 0; i < len && net.sys.mem[at + i] !== 0; i++) text += String.fromCharCode(net.sys.mem[at + i] as number)
  return text
}
/** IPPROTO_IP takes a byte as well as an int (ip_setsockopt). */
function setIp(net: NetState, s: InetSock, name: number, at: number, len: number, room: number, endpoint: number): number {
  const { mem, view } = net.sys
  if (name === IP.ADD_MEMBERSHIP || name === IP.DROP_MEMBERSHIP) return len < 8 ? -E.INVAL : room < 8 ? -E.FAULT : membership(name)
  if (name === IP.MULTICAST_IF) return 0
  if (name === IP.OPTIONS) return len === 0 ? 0 : -E.INVAL
  let value = 0
  if (len >= 4) {
    if (room < 4) return -E.FAULT
    value = view.getInt32(at, true)
  } else if (len >= 1) {
    if (room < 1) return -E.FAULT
    value = mem[at] as number
  }
  if (len < 1 && IP_OPTIONS[name] !== undefined) return -E.INVAL
  if (name === IP.TOS && isTcp(s)) value &= ~ECN_MASK
  if (name === IP.MULTICAST_TTL && isTcp(s)) return -E.INVAL
  return setPlain(net, s, SOL.IP, name, value, IP_OPTIONS, endpoint) ?? -E.NOPROTOOPT
}
/** Bits of the type of service that are TCP's own. */
const ECN_MASK = 3
/** There is no interface that could do multicast. */
const membership = (name: number): number => (name === IP.ADD_MEMBERSHIP ? -E.NODEV : -E.ADDRNOTAVAIL)
function setIpv6(net: NetState, s: InetSock, name: number, at: number, len: number, room: number, endpoint: number): number {
  if (name === IPV6.ADD_MEMBERSHIP || name === IPV6.DROP_MEMBERSHIP) return len < 20 ? -E.INVAL : -E.NODEV
  const wrong = intError(len, room)
  if (wrong < 0) return wrong
  const value = net.sys.view.getInt32(at, true)
  if (name === IPV6.V6ONLY) {
    if (s.port !== 0) return -E.INVAL
    s.v6only = value !== 0
    return 0
  }
  return setPlain(net, s, SOL.IPV6, name, value, IPV6_OPTIONS, endpoint) ?? -E.NOPROTOOPT
}
function setTcp(net: NetState, s: TcpSock, name: number, at: number, len: number, room: number, endpoint: number): number {
  if (name === TCP.CONGESTION) {
    if (len < 1) return -E.INVAL
    const wanted = textAt(net, at, Math.min(room, 15))
    if (!CONGESTION.includes(wanted)) return -E.NOENT
    keep(s, SOL.TCP, TCP.CONGESTION, CONGESTION.indexOf(wanted))
    return 0
  }
  const wrong = intError(len, room)
  if (wrong < 0) return wrong
  const value = net.sys.view.getInt32(at, true)
  if (name === TCP.MAXSEG) {
    if (value !== 0 && (value < 48 || value > 32767)) return -E.INVAL
    keep(s, SOL.TCP, TCP.MAXSEG, value)
    return 0
  }
  if (name === TCP.ULP) return -E.NOENT
  return setPlain(net, s, SOL.TCP, name, value, TCP_OPTIONS, endpoint) ?? -E.NOPROTOOPT
}

export function getInetOption(net: NetState, sock: Sock, level: number, name: number, at: number, room: number): number {
  const s = sock as InetSock
  if (level === SOL.SOCKET) return getAtSocket(net, s, name, at, room)
  if (level === SOL.IP) return getIp(net, s, name, at, room)
  if (level === SOL.IPV6 && s.family === AF.INET6) {
    if (name === IPV6.V6ONLY) return putInt(net, at, room, s.v6only ? 1 : 0)
    if (name === IPV6.MTU) return s.peerPort === 0 ? -E.NOTCONN : putInt(net, at, room, 65536)
    if (name === IPV6.ADDRFORM) return s.peerPort === 0 ? -E.NOTCONN : putInt(net, at, room, AF.INET6)
    return plain(net, s, level, name, at, room, IPV6_OPTIONS)
  }
  if (level === SOL.TCP && isTcp(s)) return getTcp(net, s, name, at, room)
  if (level === SOL.UDP && !isTcp(s)) return plain(net, s, level, name, at, room, UDP_OPTIONS)
  return s.family === AF.INET ? -E.OPNOTSUPP : -E.NOPROTOOPT
}
function plain(net: NetState, s: Sock, level: number, name: number, at: number, room: number, table: PlainOptions): number {
  return table[name] === undefined ? -E.NOPROTOOPT : putInt(net, at, room, kept(s, level, name, table))
}
function getAtSocket(net: NetState, s: InetSock, name: number, at: number, room: number): number {
  switch (name) {
    case SO.ACCEPTCONN:
      return putInt(net, at, room, isTcp(s) && s.state === TCP_STATE.LISTEN ? 1 : 0)
    case SO.PEERCRED:
      return putWords(net, at, room, [0, -1, -1])
    case SO.PASSCRED:
    case SO.PASSSEC:
      return -E.OPNOTSUPP
    case SO.PEERGROUPS:
      return -E.NODATA
    case SO.PEERNAME: {
      const len = s.ops.name(net, s, true, at, room)
      return len < 0 ? len : len > room ? -E.INVAL : room
    }
  }
  return getSocketOption(net, s, name, at, room) ?? -E.NOPROTOOPT
}
/** A small value may be asked for as one byte (do_ip_getsockopt). */
function getIp(net: NetState, s: InetSock, name: number, at: number, room: number): number {
  if (name === IP.MTU) return s.peerPort === 0 ? -E.NOTCONN : putInt(net, at, room, isV4(s.peerHost) ? 65535 : 65536)
  if (name === IP.OPTIONS) return 0
  if (name === IP.MULTICAST_IF) return putInt(net, at, room, 0)
  if (IP_OPTIONS[name] === undefined) return -E.NOPROTOOPT
  const value = kept(s, SOL.IP, name, IP_OPTIONS)
  return putInt(net, at, room > 0 && room < 4 && value >= 0 && value <= 255 ? 1 : room, value)
}
function getTcp(net: NetState, s: TcpSock, name: number, at: number, room: number): number {
  switch (name) {
    case TCP.MAXSEG: {
      const set = kept(s, SOL.TCP, TCP.MAXSEG, NONE)
      return putInt(net, at, room, s.peer !== null ? MSS_LOOPBACK : set || MSS_DEFAULT)
    }
    case TCP.CONGESTION: {
      const text = (CONGESTION[kept(s, SOL.TCP, TCP.CONGESTION, NONE)] as string).padEnd(16, '\0')
      const n = Math.min(room, 16)
      for (let i = 0; i < n; i++) net.sys.mem[at + i] = text.charCodeAt(i)
      return n
    }
    case TCP.INFO:
      return tcpInfo(net, s, at, room)
    case TCP.ULP:
      return 0
  }
  return plain(net, s, SOL.TCP, name, at, room, TCP_OPTIONS)
}
/** struct tcp_info (linux/tcp.h), as far as it means something without packets. */
const INFO_BYTES = 104
function tcpInfo(net: NetState, s: TcpSock, at: number, room: number): number {
  const words = new Array<number>(INFO_BYTES / 4).fill(0)
  words[0] = s.state
  words[1] = 0x07 | (0x77 << 8) // timestamps, SACK, window scale; both scales 7
  words[2] = 204000 // rto, µs
  words[4] = s.peer !== null ? MSS_LOOPBACK : MSS_DEFAULT
  words[5] = MSS_DEFAULT
  if (s.state === TCP_STATE.LISTEN) {
    words[6] = s.pending.length // unacked: connections waiting
    words[7] = s.backlog // sacked: the backlog
  } else words[6] = unsent(net, s)
  words[15] = 65535 // path MTU
  words[19] = 0x7fffffff // slow-start threshold
  words[20] = 10 // congestion window
  words[21] = 65483 // advertised segment
  words[22] = 3 // reordering
  words[24] = 65495 // receive space
  return putWords(net, at, room, words)
}
