// Receiving on AF_UNIX sockets. A stream read takes what is there, across records, but not past one that brought descriptors or, where
// credentials are wanted, past one of another sender; a datagram comes whole, and what there is no room for is lost.
import { E } from '../../abi/errno.ts'
import { MSG, SOCK } from '../../abi/socket.ts'
import { writeAddress } from './address.ts'
import { putCredential } from './control.ts'
import { fetchRest, keep } from './partial.ts'
import { peek, pop, REC, recordAt, take, word } from './queue.ts'
import { takeError } from './sock.ts'
import { type NetState, RCV, type Row, type Sock, WAIT } from './state.ts'
import { connected, isFull, STATE, uncharge, type UnixSock, wantingGoOn } from './unix.ts'

export function receive(net: NetState, sock: Sock, row: Row): number {
  const s = sock as UnixSock
  return s.type === SOCK.STREAM ? receiveStream(net, s, row) : receiveMessage(net, s, row)
}

// -- streams --

function receiveStream(net: NetState, s: UnixSock, row: Row): number {
  if (s.state !== STATE.CONNECTED) return -E.INVAL
  if ((row.flags & MSG.OOB) !== 0) return -E.OPNOTSUPP
  const boundary = s.queue.count > 0 && readRecords(net, s, row)
  const target = (row.flags & MSG.WAITALL) !== 0 ? row.len : Math.min(s.rcvlowat, row.len) || 1
  if (row.done >= target || boundary || (row.done > 0 && row.done === row.len)) return row.done
  if (s.error !== 0) return row.done > 0 ? row.done : takeError(s)
  if ((s.shut & RCV) !== 0) return row.done
  if (row.continued) return row.done
  return WAIT
}
/** Take (or look at) records into the rest of the row → whether the call ends at a boundary. */
function readRecords(net: NetState, s: UnixSock, row: Row): boolean {
  const q = s.queue
  const peeking = (row.flags & MSG.PEEK) !== 0
  let skip = 0
  if (peeking) row.done = 0
  for (let k = 0; k < q.count; k = peeking ? k + 1 : 0) {
    const i = recordAt(q, k)
    if (s.passcred && !sameSender(net, s, row, i)) return true
    const flight = word(q, i, REC.FLIGHT)
    if (flight !== 0 && row.continued) return true
    const len = word(q, i, REC.LEN)
    const bytes = Math.min(len, row.len - row.done)
    if (bytes === 0 && len > 0) return false
    peek(q, skip, net.sys.mem, row.at + row.done, bytes)
    row.done += bytes
    if (flight !== 0) row.took = peeking ? -flight : flight
    const from = q.from[i]
    if (row.nameLen > 0 && from) row.address = writeAddress(net, from, row.nameAt, row.nameLen)
    if (peeking) {
      skip += len
      if (flight !== 0) return true
      continue
    }
    if (flight !== 0) net.flights.delete(flight)
    q.words[i * REC.WORDS + REC.FLIGHT] = 0
    if (bytes < len) {
      take(q, bytes)
      return false
    }
    const owner = q.owners[i] as UnixSock
    const charge = word(q, i, REC.CHARGE)
    pop(net, q)
    uncharge(net, owner, charge)
    if (flight !== 0) return true
  }
  return false
}
/** Never glue messages of different writers: the first record's sender is the call's. */
function sameSender(net: NetState, s: UnixSock, row: Row, i: number): boolean {
  const q = s.queue
  const pid = word(q, i, REC.PID)
  const uid = word(q, i, REC.UID)
  const gid = word(q, i, REC.GID)
  const c = row.credential
  if (c !== null) return c.pid === pid && c.uid === uid && c.gid === gid
  row.credential = { pid, uid, gid }
  if (!row.continued) putCredential(net, row, row.credential)
  return true
}

// -- datagrams and packets --

function receiveMessage(net: NetState, s: UnixSock, row: Row): number {
  if (connected(s) && s.state !== STATE.CONNECTED) return -E.NOTCONN
  if ((row.flags & MSG.OOB) !== 0) return -E.OPNOTSUPP
  if (row.continued) return fetchRest(net, row)
  if (s.error !== 0) return takeError(s)
  const q = s.queue
  if (q.count === 0) return (s.shut & RCV) !== 0 && waitsOrPackets(s, row) ? 0 : WAIT
  const i = recordAt(q, 0)
  const len = word(q, i, REC.LEN)
  const bytes = Math.min(len, row.len)
  const from = q.from[i]
  if (row.nameLen > 0 && from) row.address = writeAddress(net, from, row.nameAt, row.nameLen)
  if (s.passcred) {
    putCredential(net, row, { pid: word(q, i, REC.PID), uid: word(q, i, REC.UID), gid: word(q, i, REC.GID) })
  }
  peek(q, 0, net.sys.mem, row.at, bytes)
  if (len > row.total) row.gave |= MSG.TRUNC
  const flight = word(q, i, REC.FLIGHT)
  row.took = (row.flags & MSG.PEEK) !== 0 ? -flight : flight
  const excess = (row.flags & MSG.TRUNC) !== 0 ? Math.max(0, len - row.total) : 0
  const inPieces = len > bytes && row.total > bytes
  if (inPieces) {
    const rest = new Uint8Array(Math.min(len, row.total) - bytes)
    peek(q, bytes, rest, 0, rest.length)
    keep(net, row, rest, excess)
  }
  if ((row.flags & MSG.PEEK) === 0) consume(net, s, flight)
  return inPieces ? bytes : bytes + excess
}
/** After shutdown a waiting call ends with 0; one that doesn't wait finds nothing (EAGAIN), but on SOCK_SEQPACKET. */
function waitsOrPackets(s: UnixSock, row: Row): boolean {
  return connected(s) || (row.flags & MSG.DONTWAIT) === 0
}
function consume(net: NetState, s: UnixSock, flight: number): void {
  const q = s.queue
  const i = recordAt(q, 0)
  const owner = q.owners[i] as UnixSock
  const charge = word(q, i, REC.CHARGE)
  const full = isFull(s)
  if (flight !== 0) net.flights.delete(flight)
  pop(net, q)
  uncharge(net, owner, charge)
  if (full && !isFull(s) && s.wanting.length > 0) wantingGoOn(net, s)
}
