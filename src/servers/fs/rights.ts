// Descriptors passed over AF_UNIX sockets (unix(7), SCM_RIGHTS): open files held while they are under way. NET carries a flight's number with
// the message; whoever receives it gets descriptors of its own. Flights nobody can receive any more are found as in net/unix/garbage.c.
// Invariant: a flight holds one reference to each of its files, from the send until it is received or dropped.
import { E } from '../../abi/errno.ts'
import { EP, setInt } from '../../abi/message.ts'
import { CMSG_HEADER, MSG, SCM, SCM_MAX_FD, SOL } from '../../abi/socket.ts'
import { SDEV } from '../../protocol/sdev.ts'
import { getFile, installFile } from './filedes.ts'
import type { Fproc, OpenFile } from './inode.ts'
import { hasCapability } from './permission.ts'
import { type Destination, request, socketOf } from './socket.ts'
import { dropFile, type FsState } from './state.ts'

const CAP_SYS_ADMIN = 21
const CAP_SYS_RESOURCE = 24

export interface Flight {
  files: OpenFile[]
  uid: number
}

// -- sending --

/** The descriptors in a message's control data take off → the flight, 0 when there are none, or -errno. */
export function launch(state: FsState, fproc: Fproc, at: number, len: number): number {
  const files: OpenFile[] = []
  const r = gather(state, fproc, at, len, files)
  if (r < 0) return r
  if (files.length === 0) return 0
  const { inFlight, flights, freeFlights } = state.sockets
  const { uid } = fproc.cred
  const already = inFlight.get(uid) ?? 0
  if (already > fproc.nofile && !hasCapability(fproc.cred, CAP_SYS_RESOURCE) && !hasCapability(fproc.cred, CAP_SYS_ADMIN))
    return -E.TOOMANYREFS
  inFlight.set(uid, already + files.length)
  for (const file of files) file.refs++
  const id = freeFlights.pop() ?? flights.length
  flights[id] = { files, uid }
  return id
}
/** The files SCM_RIGHTS messages name, in `files`. Everything else is for NET to judge. */
function gather(state: FsState, fproc: Fproc, at: number, len: number, files: OpenFile[]): number {
  const { view } = state.sys
  for (let p = 0; p + CMSG_HEADER <= len; ) {
    const size = view.getUint32(at + p, true)
    if (view.getUint32(at + p + 4, true) !== 0 || size < CMSG_HEADER || size > len - p) return -E.INVAL
    const rights = view.getInt32(at + p + 8, true) === SOL.SOCKET && view.getInt32(at + p + 12, true) === SCM.RIGHTS
    const count = Math.floor((size - CMSG_HEADER) / 4)
    if (rights && files.length + count > SCM_MAX_FD) return -E.INVAL
    for (let k = 0; rights && k < count; k++) {
      const file = getFile(fproc, view.getInt32(at + p + CMSG_HEADER + 4 * k, true))
      if (file === null) return -E.BADF
      files.push(file)
    }
    p += (size + 7) & ~7
  }
  return 0
}

/** Nobody receives it. */
export function dropFlight(state: FsState, id: number): number {
  for (const file of end(state, id)) dropFile(state, file)
  return 0
}
/** It is no flight any more: its files, whose references are the caller's now. */
function end(state: FsState, id: number): OpenFile[] {
  const { flights, freeFlights, inFlight } = state.sockets
  const flight = flights[id]
  if (flight === null || flight === undefined) return []
  flights[id] = null
  freeFlights.push(id)
  const left = (inFlight.get(flight.uid) ?? 0) - flight.files.length
  if (left > 0) inFlight.set(flight.uid, left)
  else inFlight.delete(flight.uid)
  return flight.files
}

// -- receiving --

/** What a receive brought besides data: new descriptors for flight `took` (negative: looked at only) as SCM_RIGHTS behind the control data
 *  NET wrote, then the result block (protocol/fs.ts, RECV). */
export function receiveRights(
  state: FsState,
  fproc: Fproc | undefined,
  to: Destination,
  control: number,
  gave: number,
  took: number,
): void {
  let length = control
  let flags = gave | (to.flags & MSG.CMSG_CLOEXEC)
  if (took !== 0) {
    const files = took > 0 ? end(state, took) : (state.sockets.flights[-took]?.files ?? [])
    const done = fproc === undefined ? 0 : deliver(state, fproc, files, to, control)
    if (done < files.length) flags |= MSG.CTRUNC
    if (done > 0) length += Math.min((CMSG_HEADER + 4 * done + 7) & ~7, to.controlRoom - control)
    if (took > 0) for (const file of files) dropFile(state, file)
  }
  if (to.resultAt === 0) return
  const { view } = state.sys
  view.setUint32(to.resultAt, length, true)
  view.setUint32(to.resultAt + 4, 0, true)
  view.setUint32(to.resultAt + 8, flags, true)
}
/** Descriptors as far as there is room for their numbers, in the message and in the table → how many. */
function deliver(state: FsState, fproc: Fproc, files: OpenFile[], to: Destination, control: number): number {
  const { view } = state.sys
  const room = to.controlRoom - control
  const at = to.controlAt + control
  const most = Math.min(files.length, Math.floor((room - CMSG_HEADER) / 4))
  let done = 0
  for (; done < most; done++) {
    const file = files[done] as OpenFile
    const fd = installFile(fproc, file, (to.flags & MSG.CMSG_CLOEXEC) !== 0)
    if (fd < 0) break
    file.refs++
    view.setInt32(at + CMSG_HEADER + 4 * done, fd, true)
  }
  if (done === 0) return 0
  view.setUint32(at, CMSG_HEADER + 4 * done, true)
  view.setUint32(at + 4, 0, true)
  view.setInt32(at + 8, SOL.SOCKET, true)
  view.setInt32(at + 12, SCM.RIGHTS, true)
  return done
}

// -- garbage: sockets only reachable through messages waiting in sockets that are garbage themselves --

/** A socket has been closed: flights that wait in sockets nobody has a descriptor of, and that no flight from elsewhere brings back, end. */
export function collectGarbage(state: FsState): void {
  if (state.sockets.inFlight.size === 0) return
  const flying = new Map<OpenFile, number>()
  for (const flight of state.sockets.flights)
    for (const file of flight?.files ?? []) flying.set(file, (flying.get(file) ?? 0) + 1)
  const suspects = new Set<OpenFile>()
  for (const [file, refs] of flying) if (refs === file.refs && socketOf(file) !== null) suspects.add(file)
  if (suspects.size === 0) return
  const waiting = new Map<OpenFile, number[]>()
  const roots: number[] = []
  for (let id = 1; id < state.sockets.flights.length; id++) {
    if (state.sockets.flights[id] === null) continue
    const holder = holderOf(state, id)
    if (holder === undefined || !suspects.has(holder)) roots.push(id)
    else waiting.set(holder, [...(waiting.get(holder) ?? []), id])
  }
  for (let id = roots.pop(); id !== undefined; id = roots.pop())
    for (const file of state.sockets.flights[id]?.files ?? [])
      if (suspects.delete(file)) roots.push(...(waiting.get(file) ?? []))
  for (const file of suspects) for (const id of waiting.get(file) ?? []) dropFlight(state, id)
}
/** The socket a flight is waiting in (or whose listener it is behind). */
function holderOf(state: FsState, flight: number): OpenFile | undefined {
  const m = request(state, SDEV.WHERE, flight)
  setInt(m, 0, flight)
  const id = state.sys.sendrec(EP.NET, m)
  return id > 0 ? state.sockets.byId[id] : undefined
}
