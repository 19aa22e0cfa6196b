// Sockets as open files: FS keeps the descriptor, NET (protocol/sdev.ts) what is behind it. A request NET can't answer yet is a row of kind
// WAIT.SOCKET; its REPLY comes later with the row's id (serial << 15 | slot, so a late REPLY never meets another request).
// Invariant: tables.byId[n] is the open file of NET's socket n, from SOCKET or ACCEPT to the CLOSE its last reference sends.
import { E } from '../../abi/errno.ts'
import { O, S } from '../../abi/fcntl.ts'
import { EP, int, long, type Message, SUSPEND, setGrant, setInt, setLong, slotOf, TYPE } from '../../abi/message.ts'
import { POLL } from '../../abi/poll.ts'
import { AF, MSG } from '../../abi/socket.ts'
import type { CallVector } from '../../lib/server.ts'
import { CONTINUED, SDEV } from '../../protocol/sdev.ts'
import { anonInode } from './anon.ts'
import { installFile } from './filedes.ts'
import type { Caller, FileOps, Fproc, Inode, OpenFile, WaitQueue } from './inode.ts'
import { wake } from './poll.ts'
import { collectGarbage, dropFlight, type Flight, receiveRights } from './rights.ts'
import { dropFile, dropInode, type FsState, newFile, type Row, resume, suspend, WAIT } from './state.ts'

const SLOT_MASK = 0x7fff

export interface OpenSocket extends WaitQueue {
  state: FsState
  /** NET's number. */
  id: number
  family: number
  /** NET says when readiness changes. */
  watched: boolean
  /** Its name in the file system. */
  node: Inode | null
}
export interface SocketTables {
  byId: (OpenFile | undefined)[]
  /** AF_UNIX names: the socket bound to an inode. */
  names: Map<Inode, OpenFile>
  /** Descriptors under way (SCM_RIGHTS), by number; 0 stands for none. */
  flights: (Flight | null)[]
  freeFlights: number[]
  /** How many are under way, by real uid of who sent them. */
  inFlight: Map<number, number>
  serial: number
}
export function socketTables(): SocketTables {
  return { byId: [], names: new Map(), flights: [null], freeFlights: [], inFlight: new Map(), serial: 1 }
}

export function socketOf(file: OpenFile): OpenSocket | null {
  return file.ops === socketOps ? (file.priv as OpenSocket) : null
}

/** An open file for NET's socket `id`, whose inode number is `ino`, with one reference. */
export function socketFile(
  state: FsState,
  fproc: Fproc,
  id: number,
  ino: number,
  family: number,
  flags: number,
): OpenFile {
  const inode = anonInode(state, S.IFSOCK | 0o777, fproc.cred.fsuid, fproc.cred.fsgid, 0, ino)
  const priv: OpenSocket = { state, id, family, watched: false, node: null, waiters: [] }
  const file = newFile(state, inode, O.RDWR | flags, `socket:[${ino}]`, socketOps, -1, priv)
  state.sockets.byId[id] = file
  return file
}
/** It goes to a descriptor of `fproc` → that, or -EMFILE: then it is closed. */
export function installSocket(state: FsState, fproc: Fproc, file: OpenFile, cloexec: boolean): number {
  const fd = installFile(fproc, file, cloexec)
  if (fd < 0) dropFile(state, file)
  return fd
}

// -- requests --

export function request(state: FsState, type: number, id: number): Message {
  const m = state.out
  m.fill(0)
  m[TYPE] = type
  setInt(m, 0, id)
  return m
}
/** The cell that names a request: its id, and who asks. */
export function setWho(state: FsState, m: Message, k: number, endpoint: number): number {
  const tables = state.sockets
  tables.serial = (tables.serial + 1) & SLOT_MASK
  const id = (tables.serial << 15) | slotOf(endpoint)
  setGrant(m, k, id, endpoint)
  return id
}

/** What a request brings back besides its result, and where that goes: arena offsets, 0: nowhere. */
export interface Destination {
  addressAt: number
  controlAt: number
  controlRoom: number
  resultAt: number
  flags: number
}
export function destination(): Destination {
  return { addressAt: 0, controlAt: 0, controlRoom: 0, resultAt: 0, flags: 0 }
}
const nowhere = destination()
const late = destination()

/** Send it; the answer, or a row that stands for it. `flight`: descriptors that go along, dropped when they don't. */
export function exchange(
  state: FsState,
  file: OpenFile,
  m: Message,
  id: number,
  endpoint: number,
  to: Destination,
  flight: number,
): number {
  const type = m[TYPE] as number
  const result = state.sys.sendrec(EP.NET, m)
  if (result === SUSPEND) {
    const row = suspend(state, endpoint, WAIT.SOCKET, file, to.addressAt, to.controlAt, to.controlRoom)
    row.a = id
    row.b = type
    row.c = to.flags
    row.d = to.resultAt
    row.side = flight
    return SUSPEND
  }
  return settle(state, file, endpoint, type, result, to, int(m, 1), int(m, 2), int(m, 3), int(m, 4), int(m, 5))
}
/** A request is through: what came with the answer goes where it belongs. → the call's result */
function settle(
  state: FsState,
  file: OpenFile,
  endpoint: number,
  type: number,
  result: number,
  to: Destination,
  address: number,
  control: number,
  gave: number,
  took: number,
  made: number,
): number {
  const fproc = state.fprocs[slotOf(endpoint)]
  if (type === SDEV.SEND && took !== 0) dropFlight(state, took)
  if (result < 0) return result
  if (to.addressAt !== 0) state.sys.view.setUint32(to.addressAt, address, true)
  if (type === SDEV.ACCEPT) return fproc === undefined ? closeOrphan(state, made) : accepted(state, fproc, file, made, gave, to.flags)
  if (type === SDEV.RECV && (took !== 0 || to.resultAt !== 0))
    receiveRights(state, fproc, to, control, gave, took)
  return result
}
function accepted(state: FsState, fproc: Fproc, listener: OpenFile, id: number, ino: number, flags: number): number {
  const { family } = listener.priv as OpenSocket
  const file = socketFile(state, fproc, id, ino, family, flags & O.NONBLOCK)
  return installSocket(state, fproc, file, (flags & O.CLOEXEC) !== 0)
}
/** Its acceptor is gone. */
function closeOrphan(state: FsState, id: number): number {
  state.sys.sendrec(EP.NET, request(state, SDEV.CLOSE, id))
  return -E.INTR
}

function transfer(
  file: OpenFile,
  type: number,
  at: number,
  len: number,
  caller: Caller,
): number {
  const { state, id } = file.priv as OpenSocket
  const m = request(state, type, id)
  const flags = (caller.nonblock ? MSG.DONTWAIT : 0) | (caller.done > 0 ? CONTINUED : 0)
  setGrant(m, 1, at, len)
  setGrant(m, 2, flags, Math.max(caller.total, caller.done + len))
  const { endpoint } = caller
  return exchange(state, file, m, setWho(state, m, 3, endpoint), endpoint, nowhere, 0)
}

export const socketOps: FileOps = {
  /** SYS5 behaviour: nothing asked, nothing done (net/socket.c, sock_read_iter). */
  read: (file, at, len, _position, caller) => (len === 0 ? 0 : transfer(file, SDEV.RECV, at, len, caller)),
  write: (file, at, len, _position, caller) => transfer(file, SDEV.SEND, at, len, caller),
  poll(file) {
    const { state, id } = file.priv as OpenSocket
    const events = state.sys.sendrec(EP.NET, request(state, SDEV.SELECT, id))
    return events < 0 ? POLL.ERR | POLL.HUP : events
  },
  queue(file) {
    const s = file.priv as OpenSocket
    if (!s.watched) {
      const m = request(s.state, SDEV.SELECT, s.id)
      setInt(m, 1, 1)
      s.state.sys.sendrec(EP.NET, m)
      s.watched = true
    }
    return s
  },
  ioctl(file, cmd, arg, at, len, caller) {
    const { state, id } = file.priv as OpenSocket
    const m = request(state, SDEV.IOCTL, id)
    setLong(m, 1, cmd)
    setLong(m, 2, arg)
    setGrant(m, 3, at, len)
    setLong(m, 4, caller.endpoint)
    return state.sys.sendrec(EP.NET, m)
  },
  release(file) {
    const s = file.priv as OpenSocket
    const { state } = s
    state.sockets.byId[s.id] = undefined
    if (s.node !== null) {
      state.sockets.names.delete(s.node)
      dropInode(s.node)
    }
    state.sys.sendrec(EP.NET, request(state, SDEV.CLOSE, s.id))
    if (s.family === AF.UNIX) collectGarbage(state)
  },
}

// -- waiting requests end --

/** A signal is due, or the caller is gone: → the answer, or SUSPEND when NET's REPLY is on its way already. */
export function cancelSocket(state: FsState, row: Row): number {
  const m = request(state, SDEV.CANCEL, ((row.file as OpenFile).priv as OpenSocket).id)
  setInt(m, 1, row.a)
  const result = state.sys.sendrec(EP.NET, m)
  if (result === -E.SRCH) return SUSPEND
  if (result < 0 && row.side !== 0) dropFlight(state, row.side)
  return result
}
/** From NET: request `id` is done. */
function reply(state: FsState, m: Message): number {
  const row = state.rows[int(m, 0) & SLOT_MASK]
  const took = int(m, 5)
  const made = int(m, 6)
  if (row === undefined || row.kind !== WAIT.SOCKET || row.a !== int(m, 0)) {
    if (made !== 0) closeOrphan(state, made)
    if (took > 0) dropFlight(state, took)
    return 0
  }
  late.addressAt = row.at
  late.controlAt = row.len
  late.controlRoom = row.done
  late.resultAt = row.d
  late.flags = row.c
  const file = row.file as OpenFile
  const result = settle(state, file, row.endpoint, row.b, long(m, 1), late, int(m, 2), int(m, 3), int(m, 4), took, made)
  resume(state, row, result)
  return 0
}
/** From NET: some of `events` may hold now. */
function readyNow(state: FsState, m: Message): number {
  const file = state.sockets.byId[int(m, 0)]
  if (file === undefined) return 0
  const s = file.priv as OpenSocket
  if (s.waiters.length > 0) wake(state, s, int(m, 1))
  else {
    s.watched = false
    state.sys.sendrec(EP.NET, request(state, SDEV.UNWATCH, s.id))
  }
  return 0
}

/** Only NET may send these: a guest's REPLY would answer somebody else's call. */
export function sdevCalls(state: FsState): CallVector {
  return {
    [SDEV.REPLY]: (m, from) => (from === EP.NET ? reply(state, m) : -E.PERM),
    [SDEV.READY]: (m, from) => (from === EP.NET ? readyNow(state, m) : -E.PERM),
    [SDEV.DROPPED]: (m, from) => (from === EP.NET ? dropFlight(state, int(m, 0)) : -E.PERM),
  }
}
