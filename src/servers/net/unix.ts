// AF_UNIX sockets (unix(7), Linux's net/unix/af_unix.c): what one is, its names, and the calls that move no data. Names in the file system
// are FS's: it makes the node and tells which socket a path leads to; here are abstract names and what getsockname says.
// Invariants: peer links are mutual for stream and seqpacket; `charged` is the sum of its records' charges in all queues.
import { E } from '../../abi/errno.ts'
import { IOCTL } from '../../abi/ioctl.ts'
import { POLL, READABLE, WRITABLE } from '../../abi/poll.ts'
import { AF, SOCK, SOCKADDR_UN, UN_PATH } from '../../abi/socket.ts'
import { type Address, familyAt, writeAddress } from './address.ts'
import { type Credential, NOBODY, peerCredential } from './credential.ts'
import { interfaceIoctl } from './interface.ts'
import { pop, REC, recordAt, word } from './queue.ts'
import { dropFlight, newSock, strike } from './sock.ts'
import { BOTH, type NetState, type Ops, RCV, SND, type Sock } from './state.ts'
import { accept, connect, listen } from './unix-connect.ts'
import { getUnixOption, setUnixOption } from './unix-option.ts'
import { receive } from './unix-receive.ts'
import { send } from './unix-send.ts'
import { drained, EVERYTHING, wakeReaders, wakeWriters } from './wait.ts'

export const STATE = { CLOSED: 0, CONNECTED: 1, LISTENING: 2 } as const
/** net.unix.max_dgram_qlen */
export const QLEN_DEFAULT = 10

export interface UnixSock extends Sock {
  state: number
  peer: UnixSock | null
  address: Address | null
  /** Its key in net.abstract; '' when the name is none of those. */
  key: string
  charged: number
  /** Most connections, or datagrams, that wait. */
  backlog: number
  /** A listener's: connections nobody has accepted. */
  pending: UnixSock[]
  /** Sockets whose connect or send waits for room in `pending` or in the queue. */
  wanting: UnixSock[]
  credential: Credential
}

export const connected = (s: Sock): boolean => s.type !== SOCK.DGRAM
export function newUnix(net: NetState, type: number, uid: number): UnixSock {
  return {
    ...newSock(net, unixOps, AF.UNIX, type, 0, uid),
    state: STATE.CLOSED,
    peer: null,
    address: null,
    key: '',
    charged: 0,
    backlog: QLEN_DEFAULT,
    pending: [],
    wanting: [],
    credential: NOBODY,
  }
}

/** socket(2) → the socket, or -errno. */
export function createUnix(net: NetState, type: number, protocol: number, uid: number): UnixSock | number {
  if (protocol !== 0 && protocol !== AF.UNIX) return -E.PROTONOSUPPORT
  if (type === SOCK.RAW) return newUnix(net, SOCK.DGRAM, uid)
  if (type !== SOCK.STREAM && type !== SOCK.DGRAM && type !== SOCK.SEQPACKET) return -E.SOCKTNOSUPPORT
  return newUnix(net, type, uid)
}
export function pairUnix(net: NetState, a: UnixSock, b: UnixSock, endpoint: number): void {
  a.peer = b
  b.peer = a
  a.credential = b.credential = peerCredential(net, endpoint)
  a.state = b.state = STATE.CONNECTED
}

// -- names --

/** Is it an address of this family with a name in it? 0 or -EINVAL. */
export function validate(net: NetState, at: number, len: number): number {
  return len <= UN_PATH || len > SOCKADDR_UN || familyAt(net, at) !== AF.UNIX ? -E.INVAL : 0
}
/** A path ends at its first NUL, which counts; an abstract name is all its bytes. */
function addressAt(net: NetState, at: number, len: number): Address {
  const { mem } = net.sys
  const bytes = mem.slice(at, at + len)
  if (bytes[UN_PATH] === 0) return { bytes }
  const nul = bytes.indexOf(0, UN_PATH)
  if (nul >= 0) return { bytes: bytes.slice(0, nul + 1) }
  const whole = new Uint8Array(len + 1)
  whole.set(bytes)
  return { bytes: whole }
}
export function keyAt(net: NetState, type: number, at: number, len: number): string {
  return `${type}:${String.fromCharCode(...net.sys.mem.subarray(at + UN_PATH, at + len))}`
}

function bind(net: NetState, sock: Sock, at: number, len: number): number {
  const s = sock as UnixSock
  if (len === UN_PATH && familyAt(net, at) === AF.UNIX) return autobind(net, s)
  const r = validate(net, at, len)
  if (r < 0) return r
  if (s.address !== null) return -E.INVAL
  if (net.sys.mem[at + UN_PATH] === 0) {
    const key = keyAt(net, s.type, at, len)
    if (net.abstract.has(key)) return -E.ADDRINUSE
    net.abstract.set(key, s)
    s.key = key
  }
  s.address = addressAt(net, at, len)
  return 0
}
/** A name of five hexadecimal digits nobody has. */
export function autobind(net: NetState, s: UnixSock): number {
  if (s.address !== null) return 0
  for (let tries = 0; tries < 1 << 20; tries++) {
    const digits = (net.nextAutobind++ & 0xfffff).toString(16).padStart(5, '0')
    const key = `${s.type}:\0${digits}`
    if (net.abstract.has(key)) continue
    net.abstract.set(key, s)
    s.key = key
    s.address = { bytes: Uint8Array.from([AF.UNIX, 0, 0, ...Array.from(digits, c => c.charCodeAt(0))]) }
    return 0
  }
  return -E.NOSPC
}
const UNNAMED: Address = { bytes: Uint8Array.of(AF.UNIX, 0) }
function name(net: NetState, sock: Sock, peer: boolean, at: number, room: number): number {
  const s = sock as UnixSock
  if (peer && s.peer === null) return -E.NOTCONN
  return writeAddress(net, (peer ? (s.peer as UnixSock) : s).address ?? UNNAMED, at, room)
}

// -- readiness, shutdown, close --

/** May more be sent without filling more than a quarter of the buffer? */
export function isWritable(s: UnixSock): boolean {
  return s.state !== STATE.LISTENING && s.charged * 4 <= s.sndbuf
}
/** Is a datagram socket's queue as full as senders not connected by it may fill it? */
export function isFull(s: UnixSock): boolean {
  return s.queue.count > s.backlog
}
function poll(_net: NetState, sock: Sock): number {
  const s = sock as UnixSock
  let events = s.error !== 0 ? POLL.ERR : 0
  if (s.shut === BOTH) events |= POLL.HUP
  if ((s.shut & RCV) !== 0) events |= POLL.RDHUP | READABLE
  if (s.queue.count > 0 || s.pending.length > 0) events |= READABLE
  if (connected(s) && s.state === STATE.CLOSED) events |= POLL.HUP
  if (!isWritable(s)) return events
  const { peer } = s
  if (!connected(s) && peer !== null && peer.peer !== s && !peer.dead && isFull(peer)) {
    if (!peer.wanting.includes(s)) peer.wanting.push(s)
    return events
  }
  return events | WRITABLE | POLL.WRBAND
}

/** Its end, or its peer's, is half closed now: who waits there sees it. */
function changed(net: NetState, s: UnixSock, events: number): void {
  wakeReaders(net, s, events)
  wakeWriters(net, s, 0)
}
function shutdown(net: NetState, sock: Sock, how: number): number {
  const s = sock as UnixSock
  const bits = how + 1
  s.shut |= bits
  const { peer } = s
  const theirs = ((bits & RCV) !== 0 ? SND : 0) | ((bits & SND) !== 0 ? RCV : 0)
  if (peer !== null && connected(s)) {
    peer.shut |= theirs
    changed(net, peer, EVERYTHING)
  }
  changed(net, s, EVERYTHING)
  if (s.wanting.length > 0) wantingGoOn(net, s)
  return 0
}
/** Those who wait for room here try again. */
export function wantingGoOn(net: NetState, s: UnixSock): void {
  for (const other of s.wanting.splice(0)) if (!other.dead) drained(net, other)
}

/** A record's sender has its room back. */
export function uncharge(net: NetState, owner: UnixSock, charge: number): void {
  const was = owner.charged
  owner.charged -= charge
  if (was * 4 > owner.sndbuf && owner.charged * 4 <= owner.sndbuf) drained(net, owner)
}
/** Drop all that has been received. */
export function purge(net: NetState, s: UnixSock): void {
  const q = s.queue
  while (q.count > 0) {
    const i = recordAt(q, 0)
    const flight = word(q, i, REC.FLIGHT)
    if (flight !== 0) dropFlight(net, flight)
    const owner = q.owners[i] as UnixSock | null
    const charge = word(q, i, REC.CHARGE)
    pop(net, q)
    if (owner !== null) uncharge(net, owner, charge)
  }
}

function close(net: NetState, sock: Sock): void {
  const s = sock as UnixSock
  const { peer } = s
  const unread = s.queue.count > 0
  strike(net, s)
  if (s.key !== '') net.abstract.delete(s.key)
  s.state = STATE.CLOSED
  s.shut = BOTH
  s.peer = null
  for (const embryo of s.pending.splice(0)) abandon(net, embryo)
  purge(net, s)
  wantingGoOn(net, s)
  if (peer === null || !connected(s)) return
  peerGone(net, peer, unread)
}
/** The other end of a connection is gone; with data unread there, the connection is reset. */
function peerGone(net: NetState, peer: UnixSock, reset: boolean): void {
  peer.shut = BOTH
  if (reset) peer.error = E.CONNRESET
  changed(net, peer, EVERYTHING)
}
/** A connection nobody will accept. */
function abandon(net: NetState, embryo: UnixSock): void {
  const { peer } = embryo
  strike(net, embryo)
  embryo.shut = BOTH
  purge(net, embryo)
  if (peer !== null) peerGone(net, peer, true)
}

function ioctl(net: NetState, sock: Sock, cmd: number, at: number, len: number): number {
  const s = sock as UnixSock
  if (cmd !== IOCTL.FIONREAD && cmd !== IOCTL.TIOCOUTQ) return interfaceIoctl(net, cmd, at, len)
  if (len < 4) return -E.FAULT
  if (cmd === IOCTL.FIONREAD && s.state === STATE.LISTENING) return -E.INVAL
  const q = s.queue
  const first = s.type === SOCK.DGRAM && q.count > 0 ? word(q, recordAt(q, 0), REC.LEN) : q.used
  net.sys.view.setInt32(at, cmd === IOCTL.FIONREAD ? first : s.charged, true)
  return 0
}

export const unixOps: Ops = {
  connecting: -E.AGAIN,
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
  setOption: setUnixOption,
  getOption: getUnixOption,
  close,
}

