// AF_NETLINK sockets (netlink(7)): requests go to the machine itself, answers come back as datagrams. NETLINK_ROUTE tells of interfaces,
// addresses and routes (netlink-route.ts); kernel events never come; what else there is in Linux is refused.
import { E } from '../../abi/errno.ts'
import { IOCTL } from '../../abi/ioctl.ts'
import { POLL, READABLE, WRITABLE } from '../../abi/poll.ts'
import { AF, MSG, SO, SOCK, SOCKADDR_NL, SOL } from '../../abi/socket.ts'
import { type Address, familyAt, writeAddress } from './address.ts'
import { peerCredential } from './credential.ts'
import { takeDatagram } from './datagram.ts'
import { interfaceIoctl } from './interface.ts'
import { answerRoute, NLMSG } from './netlink-route.ts'
import { getSocketOption, intError, isSet, keep, putInt, setSocketOption } from './options.ts'
import { pop, push } from './queue.ts'
import { newSock, strike, takeError } from './sock.ts'
import { BOTH, type NetState, type Ops, RCV, type Row, type Sock, WAIT } from './state.ts'
import { wakeReaders } from './wait.ts'

export const NETLINK = { ROUTE: 0, SOCK_DIAG: 4, KOBJECT_UEVENT: 15 } as const
const KNOWN: ReadonlySet<number> = new Set(Object.values(NETLINK))
const LONGEST = 65536
/** What a message costs its receiver beside its bytes. */
const OVERHEAD = 768

export interface NetlinkSock extends Sock {
  /** 0: not bound. */
  portId: number
  groups: number
  peerId: number
  peerGroups: number
}
export function createNetlink(net: NetState, type: number, protocol: number, uid: number): Sock | number {
  if (type !== SOCK.RAW && type !== SOCK.DGRAM) return -E.SOCKTNOSUPPORT
  if (!KNOWN.has(protocol)) return -E.PROTONOSUPPORT
  const s: NetlinkSock = {
    ...newSock(net, netlinkOps, AF.NETLINK, type, protocol, uid),
    portId: 0,
    groups: 0,
    peerId: 0,
    peerGroups: 0,
  }
  return s
}
const nameOf = (pid: number, groups: number): Address => {
  const bytes = new Uint8Array(SOCKADDR_NL)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, AF.NETLINK, true)
  view.setUint32(4, pid, true)
  view.setUint32(8, groups, true)
  return { bytes }
}
/** The machine itself. */
const KERNEL = nameOf(0, 0)

function inUse(net: NetState, s: NetlinkSock, portId: number): boolean {
  return net.socks.some(
    o => o !== null && o !== s && o.ops === netlinkOps && o.protocol === s.protocol && (o as NetlinkSock).portId === portId,
  )
}
/** The process id, or for further sockets of a process a number nobody can mistake for one. */
function autobind(net: NetState, s: NetlinkSock, endpoint: number): void {
  if (s.portId !== 0) return
  let id = peerCredential(net, endpoint).pid
  for (let k = 1; id === 0 || inUse(net, s, id); k++) id = (-4096 - k) >>> 0
  s.portId = id
}
function bind(net: NetState, sock: Sock, at: number, len: number, endpoint: number): number {
  const s = sock as NetlinkSock
  if (len < SOCKADDR_NL || familyAt(net, at) !== AF.NETLINK) return -E.INVAL
  const pid = net.sys.view.getUint32(at + 4, true)
  if (s.portId !== 0 && pid !== s.portId) return -E.INVAL
  if (s.portId === 0 && pid !== 0) {
    if (inUse(net, s, pid)) return -E.ADDRINUSE
    s.portId = pid
  } else autobind(net, s, endpoint)
  s.groups = net.sys.view.getUint32(at + 8, true)
  return 0
}
function connect(net: NetState, sock: Sock, row: Row): number {
  const s = sock as NetlinkSock
  if (row.nameLen < 2) return -E.INVAL
  if (familyAt(net, row.nameAt) === AF.UNSPEC) {
    s.peerId = s.peerGroups = 0
    return 0
  }
  if (familyAt(net, row.nameAt) !== AF.NETLINK || row.nameLen < SOCKADDR_NL) return -E.INVAL
  autobind(net, s, row.endpoint)
  s.peerId = net.sys.view.getUint32(row.nameAt + 4, true)
  s.peerGroups = net.sys.view.getUint32(row.nameAt + 8, true)
  return 0
}

/** One datagram of requests: each is answered, in order. */
function send(net: NetState, sock: Sock, row: Row): number {
  const s = sock as NetlinkSock
  if ((row.flags & MSG.OOB) !== 0) return -E.OPNOTSUPP
  if (row.nameLen > 0 && (row.nameLen < SOCKADDR_NL || familyAt(net, row.nameAt) !== AF.NETLINK)) return -E.INVAL
  const to = row.nameLen > 0 ? net.sys.view.getUint32(row.nameAt + 4, true) : s.peerId
  autobind(net, s, row.endpoint)
  if (row.len > LONGEST) return -E.MSGSIZE
  if (to !== 0) return -E.CONNREFUSED
  const { view } = net.sys
  for (let p = 0; p + NLMSG.HEADER <= row.len; ) {
    const len = view.getUint32(row.at + p, true)
    if (len < NLMSG.HEADER || len > row.len - p) break
    for (const bytes of answers(net, s, row.at + p, len)) deliver(net, s, bytes)
    p += (len + 3) & ~3
  }
  return row.len
}
function answers(net: NetState, s: NetlinkSock, at: number, len: number): Uint8Array[] {
  if (s.protocol === NETLINK.ROUTE) return answerRoute(net, s.portId, at, len)
  // ss(8) then reads /proc/net instead
  return s.protocol === NETLINK.SOCK_DIAG ? [NLMSG.error(net.sys.view, at, s.portId, -E.NOENT)] : []
}
function deliver(net: NetState, s: NetlinkSock, bytes: Uint8Array): void {
  if (s.queue.charge + bytes.length + OVERHEAD > s.rcvbuf && s.queue.count > 0) {
    s.error = E.NOBUFS
    return
  }
  push(net, s.queue, bytes, 0, bytes.length, bytes.length + OVERHEAD, null, KERNEL)
  wakeReaders(net, s, READABLE)
}
function receive(net: NetState, s: Sock, row: Row): number {
  if ((row.flags & MSG.OOB) !== 0) return -E.OPNOTSUPP
  if (s.error !== 0) return takeError(s)
  if (s.queue.count > 0) return takeDatagram(net, s, row)
  return (s.shut & RCV) !== 0 ? 0 : WAIT
}
function poll(_net: NetState, s: Sock): number {
  const ends = (s.error !== 0 ? POLL.ERR : 0) | (s.shut === BOTH ? POLL.HUP : 0)
  return ends | (s.queue.count > 0 ? READABLE : 0) | WRITABLE | POLL.WRBAND
}
function ioctl(net: NetState, _s: Sock, cmd: number, at: number, len: number): number {
  return cmd === IOCTL.FIONREAD || cmd === IOCTL.TIOCOUTQ ? -E.NOTTY : interfaceIoctl(net, cmd, at, len)
}

/** Options of SOL_NETLINK that are kept: CAP_ACK, EXT_ACK, GET_STRICT_CHK and others up to there; memberships are not told. */
const OPTION_MAX = 12
function setOption(net: NetState, s: Sock, level: number, name: number, at: number, len: number, room: number, endpoint: number): number {
  if (level === SOL.SOCKET) return setSocketOption(net, s, name, at, len, room, endpoint) ?? -E.NOPROTOOPT
  if (level !== SOL.NETLINK || name < 1 || name > OPTION_MAX) return -E.NOPROTOOPT
  const wrong = intError(len, room)
  if (wrong === 0) keep(s, level, name, net.sys.view.getInt32(at, true) !== 0 ? 1 : 0)
  return wrong
}
function getOption(net: NetState, s: Sock, level: number, name: number, at: number, room: number): number {
  if (level === SOL.SOCKET && name === SO.ACCEPTCONN) return putInt(net, at, room, 0)
  if (level === SOL.SOCKET) return getSocketOption(net, s, name, at, room) ?? -E.NOPROTOOPT
  if (level !== SOL.NETLINK || name < 1 || name > OPTION_MAX) return -E.NOPROTOOPT
  return putInt(net, at, room, isSet(s, level, name) ? 1 : 0)
}
function name(net: NetState, sock: Sock, peer: boolean, at: number, room: number): number {
  const s = sock as NetlinkSock
  return writeAddress(net, peer ? nameOf(s.peerId, s.peerGroups) : nameOf(s.portId, s.groups), at, room)
}

const unsupported = (): number => -E.OPNOTSUPP
export const netlinkOps: Ops = {
  connecting: 0,
  bind,
  connect,
  listen: unsupported,
  accept: unsupported,
  send,
  recv: receive,
  poll,
  shutdown: unsupported,
  name,
  ioctl,
  setOption,
  getOption,
  close(net, s) {
    strike(net, s)
    while (s.queue.count > 0) pop(net, s.queue)
  },
}
