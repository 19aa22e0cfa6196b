// Everything the network server knows: sockets by number, suspended requests by process-table slot, names, timers.
// Invariants: a number is in use from SOCKET, SOCKETPAIR, a handed-over ACCEPT (or the moment a connection waits to be accepted) to CLOSE;
// a thread waits in at most one call, so it has at most one Row; a row stands in `receiving` or `sending` of exactly one socket while it waits.
import { type Message, message } from '../../abi/message.ts'
import { MSG } from '../../abi/socket.ts'
import type { Sys } from '../../lib/server.ts'
import { Timers } from '../../lib/timers.ts'
import type { Credential } from './credential.ts'
import { type Interface, loopback } from './interface.ts'
import type { Partial } from './partial.ts'
import type { PortTable } from './ports.ts'
import type { Queue, Ring } from './queue.ts'
import type { TcpSock } from './tcp.ts'
import type { Ended } from './tcp-state.ts'

/** An operation can't go on now: the caller waits, or is told EAGAIN. */
export const WAIT = -1001
export const SLOT_MASK = 0x7fff
/** Bits of Sock.shut. */
export const RCV = 1
export const SND = 2
export const BOTH = 3

export interface Sock {
  id: number
  ino: number
  readonly family: number
  readonly type: number
  readonly protocol: number
  readonly ops: Ops
  /** Who made it: owner of its inode. */
  uid: number
  /** Pending error (SO_ERROR), an errno or 0. */
  error: number
  shut: number
  /** FS wants READY. */
  watched: boolean
  /** CLOSE has come (or nobody has accepted it): no number any more. */
  dead: boolean
  sndbuf: number
  rcvbuf: number
  rcvlowat: number
  /** ms, 0: none. */
  sndtimeo: number
  rcvtimeo: number
  passcred: boolean
  /** Options that have no field: level << 16 | name → value. */
  readonly values: Map<number, number>
  readonly queue: Queue
  /** Slots of threads that wait in recv or accept, and in send or connect. */
  readonly receiving: number[]
  readonly sending: number[]
}

/** What a kind of socket does. Results ≥ 0, -errno or WAIT. `row` is the request: what was done so far stays in it while it waits. */
export interface Ops {
  /** What a non-blocking connect that can't be completed now answers. */
  readonly connecting: number
  bind(net: NetState, s: Sock, at: number, len: number, endpoint: number): number
  connect(net: NetState, s: Sock, row: Row): number
  listen(net: NetState, s: Sock, backlog: number, endpoint: number): number
  accept(net: NetState, s: Sock): Sock | number
  send(net: NetState, s: Sock, row: Row): number
  recv(net: NetState, s: Sock, row: Row): number
  poll(net: NetState, s: Sock): number
  shutdown(net: NetState, s: Sock, how: number): number
  /** Own or the peer's address to the arena, no more than `room` of it → its full length. */
  name(net: NetState, s: Sock, peer: boolean, at: number, room: number): number
  ioctl(net: NetState, s: Sock, cmd: number, at: number, len: number): number
  /** len: what the caller says; room: what could be read of it. */
  setOption(net: NetState, s: Sock, level: number, name: number, at: number, len: number, room: number, endpoint: number): number
  getOption(net: NetState, s: Sock, level: number, name: number, at: number, room: number): number
  close(net: NetState, s: Sock): void
}

export const ROW = { FREE: 0, RECV: 1, SEND: 2, CONNECT: 3, ACCEPT: 4 } as const
/** A request that may have to wait. One per process-table slot, reused. */
export interface Row {
  kind: number
  id: number
  endpoint: number
  sock: Sock | null
  /** Data grant, and how much of it is done. */
  at: number
  len: number
  done: number
  /** Bytes of the whole call; is this a later piece of it? */
  total: number
  continued: boolean
  /** MSG_* */
  flags: number
  nameAt: number
  nameLen: number
  controlAt: number
  controlLen: number
  /** AF_UNIX: the socket a path leads to, and the flight with the descriptors sent. */
  target: number
  flight: number
  uid: number
  /** It waits with a timeout. */
  timed: boolean
  /** First attempt: in the caller's own call, when PM can be asked about it. */
  fresh: boolean
  /** Who the caller is, once PM has been asked. */
  credential: Credential | null
  // -- results: cells 1 … of the reply --
  address: number
  control: number
  gave: number
  took: number
}

export interface NetState {
  readonly sys: Sys
  readonly socks: (Sock | null)[]
  readonly free: number[]
  readonly rows: Row[]
  readonly timers: Timers
  readonly out: Message
  nextIno: number
  /** Buffers without a queue, by size (queue.ts). */
  readonly spare: Ring[][]
  /** Long messages of which only a part has been moved, by process-table slot. */
  readonly partials: Map<number, Partial>
  /** Sockets whose senders may go on: settle() sees to them when the request in hand is done. */
  readonly drained: Sock[]
  /** Where a flight waits: socket by flight. */
  readonly flights: Map<number, Sock>
  /** Who has which port; who listens where; connections that are over and still have theirs, in the order they ended in (tcp-state.ts). */
  readonly tcpPorts: PortTable
  readonly udpPorts: PortTable
  readonly listeners: Map<number, Set<TcpSock>>
  readonly ended: Map<number, Ended>
  nextEnded: number
  lastPort: number
  /** Bytes in queues of TCP sockets. */
  tcpBytes: number
  readonly interfaces: Interface[]
  /** Where what is not near goes, when there is an outside. */
  gateway: string
  /** Abstract AF_UNIX names: type and name → socket. */
  readonly abstract: Map<string, Sock>
  nextAutobind: number
}

export function createState(sys: Sys): NetState {
  return {
    sys,
    socks: [null],
    free: [],
    rows: [],
    timers: new Timers(sys),
    out: message(),
    nextIno: 1000,
    spare: [],
    partials: new Map(),
    drained: [],
    flights: new Map(),
    tcpPorts: new Map(),
    udpPorts: new Map(),
    listeners: new Map(),
    ended: new Map(),
    nextEnded: 1,
    lastPort: 0,
    tcpBytes: 0,
    interfaces: [loopback()],
    gateway: '\0\0\0\0',
    abstract: new Map(),
    nextAutobind: 0,
  }
}

function freeRow(): Row {
  return {
    kind: ROW.FREE,
    id: 0,
    endpoint: -1,
    sock: null,
    at: 0,
    len: 0,
    done: 0,
    total: 0,
    continued: false,
    flags: 0,
    nameAt: 0,
    nameLen: 0,
    controlAt: 0,
    controlLen: 0,
    target: 0,
    flight: 0,
    uid: 0,
    timed: false,
    fresh: false,
    credential: null,
    address: 0,
    control: 0,
    gave: 0,
    took: 0,
  }
}
export function rowAt(net: NetState, slot: number): Row {
  while (net.rows.length <= slot) net.rows.push(freeRow())
  return net.rows[slot] as Row
}
export function waits(row: Row): boolean {
  return (row.flags & MSG.DONTWAIT) === 0
}
