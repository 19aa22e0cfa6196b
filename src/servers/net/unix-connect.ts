// AF_UNIX connections: connect, listen, accept. A connection stands as soon as connect has put its other end into the listener's queue;
// accept only takes it from there.
import { E } from '../../abi/errno.ts'
import { READABLE } from '../../abi/poll.ts'
import { AF, SOCK } from '../../abi/socket.ts'
import { familyAt } from './address.ts'
import { peerCredential } from './credential.ts'
import { BOTH, type NetState, RCV, type Row, type Sock, WAIT } from './state.ts'
import { autobind, connected, keyAt, newUnix, purge, STATE, type UnixSock, validate, wantingGoOn } from './unix.ts'
import { tell } from './sock.ts'
import { drained, wakeReaders } from './wait.ts'

/** The socket an address names: `target` when FS found it by its path; else an abstract name. null: none of this type. */
export function find(net: NetState, s: UnixSock, at: number, len: number, target: number): UnixSock | null {
  const found = target !== 0 ? net.socks[target] : net.abstract.get(keyAt(net, s.type, at, len))
  return (found as UnixSock | null | undefined) ?? null
}

export function connect(net: NetState, sock: Sock, row: Row): number {
  const s = sock as UnixSock
  if (s.type === SOCK.DGRAM) return associate(net, s, row)
  const r = validate(net, row.nameAt, row.nameLen)
  if (r < 0) return r
  if (s.passcred) autobind(net, s)
  const other = find(net, s, row.nameAt, row.nameLen, row.target)
  if (other === null) return -E.CONNREFUSED
  if (other.type !== s.type) return -E.PROTOTYPE
  if (other.state !== STATE.LISTENING || (other.shut & RCV) !== 0) return -E.CONNREFUSED
  if (other.pending.length > other.backlog) {
    row.credential ??= peerCredential(net, row.endpoint)
    if (!other.wanting.includes(s)) other.wanting.push(s)
    return WAIT
  }
  if (s.state === STATE.CONNECTED) return -E.ISCONN
  if (s.state === STATE.LISTENING) return -E.INVAL
  const made = newUnix(net, s.type, other.uid)
  made.passcred = other.passcred
  made.address = other.address
  made.peer = s
  made.state = s.state = STATE.CONNECTED
  s.peer = made
  made.credential = row.credential ?? peerCredential(net, row.endpoint)
  s.credential = other.credential
  other.pending.push(made)
  wakeReaders(net, other, READABLE)
  return 0
}

/** connect of a datagram socket: where it sends to, and the only one it hears. AF_UNSPEC: none any more. */
function associate(net: NetState, s: UnixSock, row: Row): number {
  let other: UnixSock | null = null
  if (row.nameLen < 2) return -E.INVAL
  if (familyAt(net, row.nameAt) !== AF.UNSPEC) {
    const r = validate(net, row.nameAt, row.nameLen)
    if (r < 0) return r
    if (s.passcred) autobind(net, s)
    other = find(net, s, row.nameAt, row.nameLen, row.target)
    if (other === null) return -E.CONNREFUSED
    if (other.type !== s.type) return -E.PROTOTYPE
    if (!maySend(s, other)) return -E.PERM
  }
  const old = s.peer
  s.peer = other
  s.state = other === null ? STATE.CLOSED : STATE.CONNECTED
  if (old !== null && old !== other) disconnected(net, s, old)
  return 0
}
/** Somebody connected elsewhere hears nobody else. */
export function maySend(s: UnixSock, other: UnixSock): boolean {
  return other.peer === null || other.peer === s
}
/** A pair of datagram sockets comes apart: what was under way is lost. */
function disconnected(net: NetState, s: UnixSock, old: UnixSock): void {
  if (s.queue.count === 0) return
  purge(net, s)
  wantingGoOn(net, s)
  if (old.dead || old.peer !== s) return
  old.error = E.CONNRESET
  wakeReaders(net, old, 0)
  tell(net, old, -1)
}

export function listen(net: NetState, sock: Sock, backlog: number, endpoint: number): number {
  const s = sock as UnixSock
  if (!connected(s)) return -E.OPNOTSUPP
  if (s.address === null) return -E.INVAL
  if (s.state === STATE.CONNECTED || s.peer !== null) return -E.INVAL
  const more = backlog > s.backlog
  s.backlog = backlog
  s.state = STATE.LISTENING
  s.credential = peerCredential(net, endpoint)
  if (more) wantingGoOn(net, s)
  return 0
}

export function accept(net: NetState, sock: Sock): Sock | number {
  const s = sock as UnixSock
  if (!connected(s)) return -E.OPNOTSUPP
  if (s.state !== STATE.LISTENING) return -E.INVAL
  const made = s.pending.shift()
  if (made === undefined) return (s.shut & RCV) !== 0 || s.shut === BOTH ? -E.INVAL : WAIT
  for (const other of s.wanting.splice(0)) if (!other.dead) drained(net, other)
  return made
}
