// Signals for files that become ready: O_ASYNC, and fcntl's F_SETOWN and F_SETSIG, which say to whom and which. A file with O_ASYNC waits in
// its queue like a poll does (poll.ts wake); what comes of it PM sends (SIGIO), since owners may be gone, or others' by now. fcntl(2),
// "Managing signals"; fs/fcntl.c.
// Invariant: a file has a number in `asyncs` as long as O_ASYNC is set, and that number waits in the queue of that file.
import { E } from '../../abi/errno.ts'
import { O, S } from '../../abi/fcntl.ts'
import { EP, high, int, type Message, message, setInt, TYPE } from '../../abi/message.ts'
import { POLL, READABLE, WRITABLE } from '../../abi/poll.ts'
import { OWNER, PM } from '../../protocol/pm.ts'
import type { Fproc, OpenFile, WaitQueue } from './inode.ts'
import { type FsState, fprocOf } from './state.ts'

/** Numbers of asynchronous files in wait queues: below those of epoll's items. */
export const FIRST_ASYNC = -(2 ** 30)
const NSIG = 64
const INT_MIN = -(2 ** 31)
/** By what a file is ready for: si_code (POLL_HUP, ERR, IN, OUT) and si_band (fs/fcntl.c band_table). */
const CODES: readonly (readonly [events: number, code: number, band: number])[] = [
  [POLL.HUP, 6, POLL.HUP | POLL.ERR], [POLL.ERR, 4, POLL.ERR], [POLL.IN, 1, READABLE], [POLL.OUT, 2, WRITABLE | POLL.WRBAND],
]
/** Of a pipe's end the other end's close is no more than readiness (pipe_release). */
const PIPE_CODES = [[POLL.IN | POLL.HUP, 1, READABLE], [POLL.OUT | POLL.ERR, 2, WRITABLE | POLL.WRBAND]] as const

/** Whom a file's signals go to (OWNER.*), which, and on whose behalf. */
export interface Owner {
  type: number
  id: number
  signal: number
  uid: number
  euid: number
  /** Its number in `asyncs`, and the descriptor O_ASYNC was set by; -1: it is not set. */
  async: number
  fd: number
  queue: WaitQueue | null
}
const NOBODY: Owner = { type: OWNER.PROCESS, id: 0, signal: 0, uid: 0, euid: 0, async: -1, fd: -1, queue: null }
const out = message()

function ownerOf(state: FsState, file: OpenFile): Owner {
  const known = state.owners.get(file) ?? { ...NOBODY }
  state.owners.set(file, known)
  return known
}

/** F_SETFL, FIOASYNC: pipes, sockets and devices can; the flag stays off for others. */
export function setAsync(state: FsState, file: OpenFile, fd: number, on: boolean): void {
  const kind = file.inode.mode & S.IFMT
  const queue = file.ops.queue?.(file)
  if (queue === undefined || (kind !== S.IFIFO && kind !== S.IFSOCK && kind !== S.IFCHR)) return
  const owner = ownerOf(state, file)
  leaveQueue(state, owner)
  file.flags &= ~O.ASYNC
  if (!on) return
  const free = state.asyncs.indexOf(null)
  owner.async = free < 0 ? state.asyncs.length : free
  owner.fd = fd
  owner.queue = queue
  state.asyncs[owner.async] = file
  queue.waiters.push(FIRST_ASYNC - owner.async)
  file.flags |= O.ASYNC
}
function leaveQueue(state: FsState, owner: Owner): void {
  if (owner.async < 0 || owner.queue === null) return
  const at = owner.queue.waiters.indexOf(FIRST_ASYNC - owner.async)
  if (at >= 0) owner.queue.waiters.splice(at, 1)
  state.asyncs[owner.async] = null
  owner.async = -1
  owner.queue = null
}
/** The last reference to a file is gone. */
export function forgetOwner(state: FsState, file: OpenFile): void {
  const owner = state.owners.get(file)
  if (owner === undefined) return
  leaveQueue(state, owner)
  state.owners.delete(file)
}

/** Some of `events` may hold now for the file with this number in its queue. */
export function signalOwner(state: FsState, number: number, events: number): void {
  const file = state.asyncs[FIRST_ASYNC - number]
  const owner = file === null || file === undefined ? undefined : state.owners.get(file)
  if (file === null || file === undefined || owner === undefined || owner.id === 0) return
  const now = (file.ops.poll?.(file) ?? 0) & events
  const found = ((file.inode.mode & S.IFMT) === S.IFIFO ? PIPE_CODES : CODES).find(([event]) => (now & event) !== 0)
  if (found === undefined) return
  const [, code, band] = found
  out.fill(0)
  out[TYPE] = PM.SIGIO
  const cells = [(owner.type << 8) | owner.signal, owner.id, code, band, owner.fd, owner.uid, owner.euid]
  cells.forEach((value, k) => {
    setInt(out, k, value)
  })
  state.sys.senda(EP.PM, out)
}

/** fcntl's commands about owners, or -EINVAL. */
export function ownerCommand(state: FsState, m: Message, from: number, file: OpenFile, name: string, arg: number): number {
  const { view } = state.sys
  const known = state.owners.get(file) ?? NOBODY
  const at = int(m, 3)
  switch (name) {
    case 'GETOWN':
      return known.type === OWNER.GROUP ? -known.id : known.id
    case 'GETSIG':
      return known.signal
    case 'SETOWN':
      if (arg === INT_MIN) return -E.INVAL
      return setOwner(state, from, file, arg < 0 ? OWNER.GROUP : OWNER.PROCESS, Math.abs(arg))
    case 'SETSIG':
      if (arg < 0 || arg > NSIG) return -E.INVAL
      ownerOf(state, file).signal = arg
      return 0
    case 'GETOWN_EX':
      if (high(m, 3) < 8) return -E.FAULT
      view.setInt32(at, known.type, true)
      view.setInt32(at + 4, known.id, true)
      return 0
    case 'SETOWN_EX': {
      if (high(m, 3) < 8) return -E.FAULT
      const type = view.getInt32(at, true)
      return type < OWNER.THREAD || type > OWNER.GROUP ? -E.INVAL : setOwner(state, from, file, type, view.getInt32(at + 4, true))
    }
  }
  return -E.INVAL
}
function setOwner(state: FsState, from: number, file: OpenFile, type: number, id: number): number {
  const fproc = fprocOf(state, from) as Fproc
  if (id !== 0 && !exists(state, type, id)) return -E.SRCH
  Object.assign(ownerOf(state, file), { type, id, uid: fproc.cred.uid, euid: fproc.cred.euid })
  return 0
}
function exists(state: FsState, type: number, id: number): boolean {
  const m = state.out
  m.fill(0)
  m[TYPE] = PM.GETJOB
  setInt(m, 0, id)
  setInt(m, 1, type === OWNER.GROUP ? 9 : type === OWNER.THREAD ? 11 : 10)
  return state.sys.sendrec(EP.PM, m) >= 0
}
