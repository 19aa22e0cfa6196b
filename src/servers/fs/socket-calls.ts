// The socket calls: descriptors and operands are looked at here, in Linux's order; the rest is NET's. AF_UNIX names in the file system are
// made and found here (socket-name.ts).
import { E } from '../../abi/errno.ts'
import { O } from '../../abi/fcntl.ts'
import { EP, high, int, type Message, setGrant, setInt, setLong } from '../../abi/message.ts'
import { AF, MSG, SOCK, SOCK_TYPE_MASK } from '../../abi/socket.ts'
import type { CallVector } from '../../lib/server.ts'
import { FS } from '../../protocol/fs.ts'
import { CONTINUED, SDEV } from '../../protocol/sdev.ts'
import { getIo, installPair } from './filedes.ts'
import type { Fproc, OpenFile } from './inode.ts'
import { launch } from './rights.ts'
import {
  destination,
  exchange,
  installSocket,
  type OpenSocket,
  request,
  setWho,
  socketFile,
  socketOf,
} from './socket.ts'
import { bindName, findName, isName } from './socket-name.ts'
import { dropFile, type FsState, fprocOf } from './state.ts'

const HEADER = 8
const TYPE_FLAGS = SOCK.NONBLOCK | SOCK.CLOEXEC
const to = destination()

/** The socket behind a descriptor: -EBADF, -ENOTSOCK. */
function lookup(fproc: Fproc | undefined, fd: number): OpenFile | number {
  const file = fproc === undefined ? null : getIo(fproc, fd)
  if (file === null) return -E.BADF
  return socketOf(file) === null ? -E.NOTSOCK : file
}
/** An operand that could not be read: its -errno (socket-operands.ts). */
function operand(m: Message, k: number): number {
  return high(m, k) < 0 ? int(m, k) : 1
}
const isBad = (m: Message, k: number): boolean => high(m, k) < 0

// -- new sockets --

function create(state: FsState, m: Message, fproc: Fproc, type: number): Message | number {
  if ((int(m, 1) & ~(SOCK_TYPE_MASK | TYPE_FLAGS)) !== 0) return -E.INVAL
  if (state.openFiles + 2 > state.maxFiles) return -E.NFILE
  const r = request(state, type, int(m, 0))
  setInt(r, 1, int(m, 1) & SOCK_TYPE_MASK)
  setInt(r, 2, int(m, 2))
  setLong(r, 3, fproc.cred.fsuid)
  setLong(r, 4, fproc.endpoint)
  return r
}
function socket(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  if (fproc === undefined) return -E.SRCH
  const r = create(state, m, fproc, SDEV.SOCKET)
  if (typeof r === 'number') return r
  const id = state.sys.sendrec(EP.NET, r)
  if (id < 0) return id
  const file = socketFile(state, fproc, id, int(r, 1), int(m, 0), int(m, 1) & O.NONBLOCK)
  return installSocket(state, fproc, file, (int(m, 1) & SOCK.CLOEXEC) !== 0)
}
const pair = new Int32Array(2)
function socketpair(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  if (fproc === undefined) return -E.SRCH
  if (high(m, 3) < 8) return -E.FAULT
  const r = create(state, m, fproc, SDEV.SOCKETPAIR)
  if (typeof r === 'number') return r
  const id = state.sys.sendrec(EP.NET, r)
  if (id < 0) return id
  const flags = int(m, 1) & O.NONBLOCK
  const [ino, other, otherIno] = [int(r, 1), int(r, 2), int(r, 3)]
  const first = socketFile(state, fproc, id, ino, int(m, 0), flags)
  const second = socketFile(state, fproc, other, otherIno, int(m, 0), flags)
  const done = installPair(fproc, first, second, (int(m, 1) & SOCK.CLOEXEC) !== 0, pair)
  if (done < 0) {
    dropFile(state, first)
    dropFile(state, second)
    return done
  }
  state.sys.view.setInt32(int(m, 3), pair[0] as number, true)
  state.sys.view.setInt32(int(m, 3) + 4, pair[1] as number, true)
  return 0
}
function accept(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const flags = int(m, 2)
  if (fproc === undefined || getIo(fproc, int(m, 0)) === null) return -E.BADF
  if ((flags & ~TYPE_FLAGS) !== 0) return -E.INVAL
  if (!hasRoom(fproc)) return -E.MFILE
  const file = lookup(fproc, int(m, 0))
  if (typeof file === 'number') return file
  if (state.openFiles >= state.maxFiles) return -E.NFILE
  if (isBad(m, 1)) return operand(m, 1)
  const r = request(state, SDEV.ACCEPT, idOf(file))
  address(r, 1, m, 1)
  setGrant(r, 2, dontWait(file), 0)
  const id = setWho(state, r, 3, from)
  setLong(r, 4, fproc.cred.fsuid)
  to.addressAt = high(m, 1) > 0 ? int(m, 1) : 0
  to.resultAt = to.controlAt = to.controlRoom = 0
  to.flags = flags
  return exchange(state, file, r, id, from, to, 0)
}
function hasRoom(fproc: Fproc): boolean {
  const { files } = fproc.table
  const free = files.indexOf(null)
  return (free < 0 ? files.length : free) < fproc.nofile
}

// -- names and connections --

const idOf = (file: OpenFile): number => (file.priv as OpenSocket).id
const dontWait = (file: OpenFile): number => ((file.flags & O.NONBLOCK) !== 0 ? MSG.DONTWAIT : 0)
/** The grant for an address to be written, behind its length. */
function address(r: Message, k: number, m: Message, cell: number): void {
  if (high(m, cell) > HEADER) setGrant(r, k, int(m, cell) + HEADER, high(m, cell) - HEADER)
}

function bind(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const file = lookup(fproc, int(m, 0))
  if (typeof file === 'number') return file
  if (isBad(m, 1)) return operand(m, 1)
  const r = request(state, SDEV.BIND, idOf(file))
  setGrant(r, 1, int(m, 1), high(m, 1))
  setLong(r, 2, from)
  return isName(state, file, int(m, 1), high(m, 1))
    ? bindName(state, fproc as Fproc, file, r, int(m, 1), high(m, 1))
    : state.sys.sendrec(EP.NET, r)
}
function connect(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const file = lookup(fproc, int(m, 0))
  if (typeof file === 'number') return file
  if (isBad(m, 1)) return operand(m, 1)
  const target = findName(state, fproc as Fproc, file, int(m, 1), high(m, 1))
  if (target < 0) return target
  const r = request(state, SDEV.CONNECT, idOf(file))
  setGrant(r, 1, int(m, 1), high(m, 1))
  setGrant(r, 2, dontWait(file), 0)
  const id = setWho(state, r, 3, from)
  setGrant(r, 4, target, 0)
  clear(to)
  return exchange(state, file, r, id, from, to, 0)
}
function clear(d: typeof to): void {
  d.addressAt = d.controlAt = d.controlRoom = d.resultAt = d.flags = 0
}
function listen(state: FsState, m: Message, from: number): number {
  const file = lookup(fprocOf(state, from), int(m, 0))
  if (typeof file === 'number') return file
  const r = request(state, SDEV.LISTEN, idOf(file))
  setInt(r, 1, Math.min(int(m, 1) >>> 0, SOMAXCONN))
  setLong(r, 2, from)
  return state.sys.sendrec(EP.NET, r)
}
/** net.core.somaxconn */
const SOMAXCONN = 4096
function shutdown(state: FsState, m: Message, from: number): number {
  const file = lookup(fprocOf(state, from), int(m, 0))
  if (typeof file === 'number') return file
  const r = request(state, SDEV.SHUTDOWN, idOf(file))
  setInt(r, 1, int(m, 1))
  return state.sys.sendrec(EP.NET, r)
}
function name(state: FsState, m: Message, from: number, type: number): number {
  const file = lookup(fprocOf(state, from), int(m, 0))
  if (typeof file === 'number') return file
  if (isBad(m, 1)) return operand(m, 1)
  const r = request(state, type, idOf(file))
  address(r, 1, m, 1)
  const length = state.sys.sendrec(EP.NET, r)
  if (length < 0) return length
  state.sys.view.setUint32(int(m, 1), length, true)
  return 0
}

// -- data --

/** sendto, sendmsg: fd flags buf< addr< control< piece. */
function send(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const file = lookup(fproc, int(m, 0))
  if (typeof file === 'number') return file
  for (let k = 2; k <= 4; k++) if (isBad(m, k)) return operand(m, k)
  const later = int(m, 5) > 0
  const { family } = file.priv as OpenSocket
  const unix = family === AF.UNIX && !later
  const flight = unix && high(m, 4) > 0 ? launch(state, fproc as Fproc, int(m, 4), high(m, 4)) : 0
  if (flight < 0) return flight
  const target = family === AF.UNIX && high(m, 3) > 0 ? findName(state, fproc as Fproc, file, int(m, 3), high(m, 3)) : 0
  const r = request(state, SDEV.SEND, idOf(file))
  const id = data(state, r, m, file, from, 5)
  setGrant(r, 4, int(m, 3), high(m, 3))
  if (!later) setGrant(r, 5, int(m, 4), high(m, 4))
  setGrant(r, 6, target, flight)
  clear(to)
  return exchange(state, file, r, id, from, to, flight)
}
/** recvfrom, recvmsg: fd flags buf> addr> control> result> piece. */
function receive(state: FsState, m: Message, from: number): number {
  const file = lookup(fprocOf(state, from), int(m, 0))
  if (typeof file === 'number') return file
  for (let k = 2; k <= 5; k++) if (isBad(m, k)) return operand(m, k)
  const r = request(state, SDEV.RECV, idOf(file))
  const id = data(state, r, m, file, from, 6)
  address(r, 4, m, 3)
  setGrant(r, 5, int(m, 4), high(m, 4))
  to.addressAt = high(m, 3) > 0 ? int(m, 3) : 0
  to.controlAt = int(m, 4)
  to.controlRoom = high(m, 4)
  to.resultAt = high(m, 5) > 0 ? int(m, 5) : 0
  to.flags = int(m, 1)
  return exchange(state, file, r, id, from, to, 0)
}
/** Cells 1 to 3 of both → the request's id. `piece`: the cell that says which piece of the call this is. */
function data(state: FsState, r: Message, m: Message, file: OpenFile, from: number, piece: number): number {
  const flags = (int(m, 1) & ~MSG.CMSG_COMPAT) | dontWait(file) | (int(m, piece) > 0 ? CONTINUED : 0)
  setGrant(r, 1, int(m, 2), high(m, 2))
  setGrant(r, 2, flags, high(m, piece))
  return setWho(state, r, 3, from)
}

// -- options --

function setsockopt(state: FsState, m: Message, from: number): number {
  const file = lookup(fprocOf(state, from), int(m, 0))
  if (typeof file === 'number') return file
  if (int(m, 4) < 0) return -E.INVAL
  const r = request(state, SDEV.SETSOCKOPT, idOf(file))
  setInt(r, 1, int(m, 1))
  setInt(r, 2, int(m, 2))
  setGrant(r, 3, int(m, 3), high(m, 3))
  setInt(r, 4, int(m, 4))
  setLong(r, 5, from)
  return state.sys.sendrec(EP.NET, r)
}
function getsockopt(state: FsState, m: Message, from: number): number {
  const file = lookup(fprocOf(state, from), int(m, 0))
  if (typeof file === 'number') return file
  if (isBad(m, 3)) return operand(m, 3)
  const r = request(state, SDEV.GETSOCKOPT, idOf(file))
  setInt(r, 1, int(m, 1))
  setInt(r, 2, int(m, 2))
  setGrant(r, 3, int(m, 3) + HEADER, high(m, 3) - HEADER)
  setLong(r, 4, from)
  const length = state.sys.sendrec(EP.NET, r)
  if (length < 0) return length
  state.sys.view.setUint32(int(m, 3), length, true)
  return 0
}

export function socketCalls(state: FsState): CallVector {
  return {
    [FS.SOCKET]: (m, from) => socket(state, m, from),
    [FS.SOCKETPAIR]: (m, from) => socketpair(state, m, from),
    [FS.BIND]: (m, from) => bind(state, m, from),
    [FS.CONNECT]: (m, from) => connect(state, m, from),
    [FS.LISTEN]: (m, from) => listen(state, m, from),
    [FS.ACCEPT]: (m, from) => accept(state, m, from),
    [FS.SEND]: (m, from) => send(state, m, from),
    [FS.RECV]: (m, from) => receive(state, m, from),
    [FS.SHUTDOWN]: (m, from) => shutdown(state, m, from),
    [FS.GETSOCKNAME]: (m, from) => name(state, m, from, SDEV.GETSOCKNAME),
    [FS.GETPEERNAME]: (m, from) => name(state, m, from, SDEV.GETPEERNAME),
    [FS.SETSOCKOPT]: (m, from) => setsockopt(state, m, from),
    [FS.GETSOCKOPT]: (m, from) => getsockopt(state, m, from),
  }
}
