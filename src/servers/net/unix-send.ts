// Sending on AF_UNIX sockets. A stream write goes into the peer's queue in pieces, each charged to the writer until it is read; a datagram
// goes whole or not at all.
import { E } from '../../abi/errno.ts'
import { READABLE } from '../../abi/poll.ts'
import { SIG } from '../../abi/signals.ts'
import { MSG, SOCK } from '../../abi/socket.ts'
import { writeAddress } from './address.ts'
import { datagramCharge, streamCharge, streamPiece } from './charge.ts'
import { sentCredential } from './control.ts'
import { sender } from './credential.ts'
import { gather } from './partial.ts'
import { push, REC, setWord } from './queue.ts'
import { takeError } from './sock.ts'
import { type NetState, RCV, type Row, SND, type Sock, WAIT } from './state.ts'
import { autobind, connected, isFull, STATE, type UnixSock, validate } from './unix.ts'
import { find, maySend } from './unix-connect.ts'
import { answer, wakeReaders } from './wait.ts'

/** A datagram may fill the buffer but for this. */
const HEADROOM = 32

export function send(net: NetState, sock: Sock, row: Row): number {
  const s = sock as UnixSock
  if (row.fresh && row.controlLen > 0 && !row.continued) {
    const r = sentCredential(net, row)
    if (r < 0) return r
  }
  if ((row.flags & MSG.OOB) !== 0) return -E.OPNOTSUPP
  return s.type === SOCK.STREAM ? sendStream(net, s, row) : sendMessage(net, s, row)
}

function sendStream(net: NetState, s: UnixSock, row: Row): number {
  if (row.nameLen > 0) return s.state === STATE.CONNECTED ? -E.ISCONN : -E.OPNOTSUPP
  const { peer } = s
  if (peer === null) return -E.NOTCONN
  if ((s.shut & SND) !== 0) return broken(net, row)
  while (row.done < row.len) {
    if (s.error !== 0) return row.done > 0 ? row.done : takeError(s)
    if ((s.shut & SND) !== 0 || (peer.shut & RCV) !== 0 || peer.dead) return broken(net, row)
    if (handOver(net, s, peer, row)) continue
    if (s.charged >= s.sndbuf) return WAIT
    const bytes = streamPiece(row.len - row.done, s.sndbuf)
    enqueue(net, s, peer, row, net.sys.mem, row.at + row.done, bytes, streamCharge(bytes))
    row.done += bytes
  }
  return row.done
}
/** unix(7): SIGPIPE, unless some of it went through. */
function broken(net: NetState, row: Row): number {
  if (row.done > 0) return row.done
  if (!row.continued && (row.flags & MSG.NOSIGNAL) === 0) net.sys.kill(row.endpoint, SIG.PIPE)
  return -E.PIPE
}
/** Straight to a reader that waits for just this: no credentials, no descriptors, nothing before it in the queue. */
function handOver(net: NetState, s: UnixSock, peer: UnixSock, row: Row): boolean {
  if (peer.receiving.length === 0 || peer.queue.count > 0 || peer.passcred || row.flight !== 0) return false
  const reader = net.rows[peer.receiving[0] as number] as Row
  if ((reader.flags & (MSG.PEEK | MSG.WAITALL)) !== 0 || reader.len === 0 || peer.rcvlowat > 1) return false
  const bytes = Math.min(reader.len, row.len - row.done)
  const { mem } = net.sys
  const from = row.at + row.done
  mem.copyWithin(reader.at, from, from + bytes)
  row.done += bytes
  peer.receiving.shift()
  if (reader.nameLen > 0 && s.address !== null) reader.address = writeAddress(net, s.address, reader.nameAt, reader.nameLen)
  answer(net, reader, bytes)
  return true
}

/** A record in the queue of `to`, with what goes along; the flight goes with the first. */
function enqueue(
  net: NetState,
  s: UnixSock,
  to: UnixSock,
  row: Row,
  mem: Uint8Array,
  at: number,
  bytes: number,
  charge: number,
): void {
  const q = to.queue
  const i = push(net, q, mem, at, bytes, charge, s, s.address)
  s.charged += charge
  if (row.credential === null && row.fresh && (s.passcred || to.passcred)) row.credential = sender(net, row.endpoint)
  setWord(q, i, REC.PID, row.credential?.pid ?? 0)
  setWord(q, i, REC.UID, row.credential?.uid ?? OVERFLOW)
  setWord(q, i, REC.GID, row.credential?.gid ?? OVERFLOW)
  if (row.flight !== 0) {
    setWord(q, i, REC.FLIGHT, row.flight)
    net.flights.set(row.flight, to)
    row.flight = 0
  }
  if (to.receiving.length > 0 || to.watched) wakeReaders(net, to, READABLE)
}
/** /proc/sys/kernel/overflowuid: of a message whose sender is not known. */
const OVERFLOW = 65534

/** A datagram or a packet: unix_dgram_sendmsg's order of checks. */
function sendMessage(net: NetState, s: UnixSock, row: Row): number {
  if (connected(s)) {
    if (s.error !== 0) return takeError(s)
    if (s.state !== STATE.CONNECTED) return -E.NOTCONN
  }
  const named = row.nameLen > 0 && !connected(s)
  const wrong = named ? validate(net, row.nameAt, row.nameLen) : s.peer === null ? -E.NOTCONN : 0
  if (wrong < 0) return wrong
  if (s.passcred) autobind(net, s)
  if (row.total > s.sndbuf - HEADROOM) return -E.MSGSIZE
  if (s.error !== 0) return takeError(s)
  if ((s.shut & SND) !== 0) return -E.PIPE
  if (s.charged >= s.sndbuf && !row.continued) return WAIT
  if (named && row.target < 0) return row.target
  const other = named ? find(net, s, row.nameAt, row.nameLen, row.target) : s.peer
  if (other === null) return -E.CONNREFUSED
  if (other.dead) return peerIsGone(s, other)
  if (other.type !== s.type) return -E.PROTOTYPE
  if (!maySend(s, other)) return -E.PERM
  if ((other.shut & RCV) !== 0) return -E.PIPE
  if (other !== s && other.peer !== s && isFull(other) && !row.continued) {
    if (!other.wanting.includes(s)) other.wanting.push(s)
    return WAIT
  }
  const pieces = row.continued || row.len < row.total
  const bytes = pieces ? gather(net, row) : net.sys.mem
  if (bytes !== null)
    enqueue(net, s, other, row, bytes, pieces ? 0 : row.at, row.total, datagramCharge(row.total))
  return row.len
}
function peerIsGone(s: UnixSock, other: UnixSock): number {
  if (s.peer === other && !connected(s)) {
    s.peer = null
    s.state = STATE.CLOSED
  }
  return -E.CONNREFUSED
}
