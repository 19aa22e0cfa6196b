// POSIX message queues: mq_open, mq_unlink, mq_timedsend, mq_timedreceive, mq_notify, mq_getsetattr (ipc/mqueue.c). A queue's descriptor is
// an ordinary one, close-on-exec, that can be polled. What is waited for is a row of kind FILE; its timer is poll's (2 * slot).
// Invariant: receivers wait only while a queue is empty, senders only while it is full.
import { E } from '../../abi/errno.ts'
import { MAY, O } from '../../abi/fcntl.ts'
import { EP, high, int, type Message, message, SUSPEND, setInt, slotOf, TYPE, uint, ulong } from '../../abi/message.ts'
import { READABLE, WRITABLE } from '../../abi/poll.ts'
import { SI } from '../../abi/signals.ts'
import { getLong, putLong } from '../../abi/stat.ts'
import type { CallVector } from '../../lib/server.ts'
import { FS } from '../../protocol/fs.ts'
import { PM } from '../../protocol/pm.ts'
import { processOf } from './fcntl.ts'
import { getFile, getIo, installFile } from './filedes.ts'
import type { FileOps, Fproc, OpenFile } from './inode.ts'
import { type MqAttr, type MqMessage, PRIO_MAX, type Queue, queueEvents, queueText, SIGEV } from './mqueuefs.ts'
import { tableFull } from './open.ts'
import { textOf } from './path.ts'
import { mayCreate, mayDelete, newGroup, permission } from './permission.ts'
import { FOREVER, timeoutOf, wake } from './poll.ts'
import { type FsState, fprocOf, newFile, type Row, resume, suspend, WAIT } from './state.ts'

const NAME_MAX = 255
/** struct mq_attr. */
const ATTR = { FLAGS: 0, MAXMSG: 8, MSGSIZE: 16, CURMSGS: 24, BYTES: 64 } as const
/** struct sigevent. */
const EVENT = { VALUE: 0, SIGNO: 8, NOTIFY: 12 } as const
const NSIG = 64
const out = message()

// -- messages --

/** Behind all of its priority. */
function insert(queue: Queue, one: MqMessage): void {
  const at = queue.messages.findIndex(other => other.priority < one.priority)
  queue.messages.splice(at < 0 ? queue.messages.length : at, 0, one)
  queue.bytes += one.bytes.length
}
function touch(state: FsState, queue: Queue): void {
  queue.atime = queue.mtime = queue.ctime = state.sys.realtime()
}
/** Into a receiver's grant → bytes. */
function deliver(state: FsState, one: MqMessage, at: number, priorityAt: number): number {
  state.sys.mem.set(one.bytes, at)
  if (priorityAt >= 0) state.sys.view.setUint32(priorityAt, one.priority, true)
  return one.bytes.length
}
function endWait(state: FsState, row: Row, result: number): void {
  state.timers.clear(2 * slotOf(row.endpoint))
  resume(state, row, result)
}
/** There is room: to who waits for one, else into the queue; the first in an empty one is told about. */
function send(state: FsState, queue: Queue, one: MqMessage, endpoint: number): void {
  touch(state, queue)
  const receiver = queue.receivers.shift()
  if (receiver !== undefined) {
    const row = state.rows[receiver] as Row
    endWait(state, row, deliver(state, one, row.at, row.a))
    return
  }
  insert(queue, one)
  if (queue.messages.length === 1) tell(state, queue, endpoint)
  wake(state, queue, READABLE)
}
/** mq_notify's one notification. */
function tell(state: FsState, queue: Queue, endpoint: number): void {
  const { notify } = queue
  queue.notify = null
  if (notify === null || notify.how !== SIGEV.SIGNAL || notify.signo === 0) return
  out[TYPE] = PM.QUEUE
  setInt(out, 0, notify.pid)
  setInt(out, 1, notify.signo)
  setInt(out, 2, SI.MESGQ)
  out[8] = notify.value[0]
  out[9] = notify.value[1]
  setInt(out, 4, endpoint)
  state.sys.senda(EP.PM, out)
}
function take(state: FsState, queue: Queue): MqMessage {
  const one = queue.messages.shift() as MqMessage
  queue.bytes -= one.bytes.length
  touch(state, queue)
  const sender = queue.senders.shift()
  if (sender === undefined) wake(state, queue, WRITABLE)
  else {
    const row = state.rows[sender] as Row
    insert(queue, row.more as MqMessage)
    endWait(state, row, 0)
  }
  return one
}

function queueOps(state: FsState): FileOps {
  const leave = (file: OpenFile, endpoint: number): void => {
    const queue = file.inode as Queue
    for (const list of [queue.senders, queue.receivers]) {
      const at = list.indexOf(slotOf(endpoint))
      if (at >= 0) list.splice(at, 1)
    }
    state.timers.clear(2 * slotOf(endpoint))
  }
  return {
    read(file, at, len, position) {
      const text = queueText(file.inode as Queue)
      const n = Math.min(len, Math.max(0, text.length - position))
      for (let i = 0; i < n; i++) state.sys.mem[at + i] = text.charCodeAt(position + i)
      return n
    },
    write: () => -E.INVAL,
    poll: file => queueEvents(file.inode as Queue),
    queue: file => file.inode as Queue,
    flush(file, table) {
      const queue = file.inode as Queue
      if (queue.notify?.table === table) queue.notify = null
    },
    cancel(file, endpoint) {
      leave(file, endpoint)
      return -E.RESTARTSYS
    },
    expire(file, endpoint) {
      leave(file, endpoint)
      return -E.TIMEDOUT
    },
  }
}

// -- names --

/** A name as mq_open takes it: one component, no slash in front (libc has taken it away). */
function nameOf(state: FsState, m: Message): string | number {
  if (high(m, 0) === 0) return -E.NOENT
  const name = textOf(state.sys.mem, m, 0)
  if (name === '.' || name === '..' || name.includes('/')) return -E.ACCES
  return name.length > NAME_MAX ? -E.NAMETOOLONG : name
}

function open(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  if (fproc === undefined) return -E.SRCH
  const name = nameOf(state, m)
  if (name === -E.NOENT) return name
  if (tableFull(fproc.table, fproc.nofile)) return -E.MFILE
  if (typeof name === 'number') return name
  if (state.openFiles >= state.maxFiles) return -E.NFILE
  const flags = int(m, 1)
  const known = state.mqueue.find(name)
  const queue = known === undefined ? create(state, fproc, name, m) : mayOpen(known, fproc, flags)
  if (typeof queue === 'number') return queue
  const file = newFile(state, queue, flags & (O.ACCMODE | O.NONBLOCK), `/${name}`, state.mqueue.open(), 0, null)
  return installFile(fproc, file, true)
}
function mayOpen(queue: Queue, fproc: Fproc, flags: number): Queue | number {
  if (flags & O.CREAT && flags & O.EXCL) return -E.EXIST
  const access = flags & O.ACCMODE
  if (access === O.ACCMODE) return -E.INVAL
  const want = access === O.RDONLY ? MAY.READ : access === O.WRONLY ? MAY.WRITE : MAY.READ | MAY.WRITE
  return permission(queue, want, fproc.cred) || queue
}
function create(state: FsState, fproc: Fproc, name: string, m: Message): Queue | number {
  if (!(int(m, 1) & O.CREAT)) return -E.NOENT
  const { mqueue } = state
  const may = mayCreate(mqueue.root, fproc.cred)
  if (may < 0) return may
  const at = uint(m, 3)
  const { view } = state.sys
  const attr: MqAttr | null =
    high(m, 3) < ATTR.BYTES ? null : { maxmsg: getLong(view, at + ATTR.MAXMSG), msgsize: getLong(view, at + ATTR.MSGSIZE) }
  const group = newGroup(mqueue.root, fproc.cred)
  return mqueue.make(name, int(m, 2) & ~fproc.context.umask, fproc.cred, group, attr, fproc.msgqueue)
}
function unlink(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  if (fproc === undefined) return -E.SRCH
  const name = nameOf(state, m)
  if (typeof name === 'number') return name
  const { mqueue } = state
  const queue = mqueue.find(name)
  if (queue === undefined) return -E.NOENT
  return mayDelete(mqueue.root, queue, fproc.cred) || mqueue.unlink(mqueue.root, name)
}

// -- descriptors --

/** The open queue behind a descriptor, or null (EBADF). access: that it must have been opened for. */
function queueFile(state: FsState, fproc: Fproc | undefined, fd: number, access: number): OpenFile | null {
  const file = fproc === undefined ? null : getIo(fproc, fd)
  if (file === null || file.inode.fs !== state.mqueue || file.inode === state.mqueue.root) return null
  const mode = file.flags & O.ACCMODE
  return access < 0 || mode === access || mode === O.RDWR ? file : null
}
/** Waits in `list` of the queue, until `timeout` (real time, ms; FOREVER none). */
function wait(state: FsState, file: OpenFile, list: number[], endpoint: number, timeout: number): Row | number {
  const left = timeout - state.sys.realtime()
  if (timeout !== FOREVER && left <= 0) return -E.TIMEDOUT
  const row = suspend(state, endpoint, WAIT.FILE, file, 0, 0, 0)
  list.push(slotOf(endpoint))
  if (timeout !== FOREVER) state.timers.after(2 * slotOf(endpoint), left)
  return row
}

function timedsend(state: FsState, m: Message, from: number): number {
  const timeout = timeoutOf(state, m, 4)
  const priority = uint(m, 3)
  if (Number.isNaN(timeout) || priority >= PRIO_MAX) return -E.INVAL
  const file = queueFile(state, fprocOf(state, from), int(m, 0), O.WRONLY)
  if (file === null) return -E.BADF
  const queue = file.inode as Queue
  const length = ulong(m, 2)
  if (length > queue.attr.msgsize) return -E.MSGSIZE
  if (high(m, 1) < length) return -E.FAULT
  const one: MqMessage = { priority, bytes: state.sys.mem.slice(uint(m, 1), uint(m, 1) + length) }
  if (queue.messages.length < queue.attr.maxmsg) {
    send(state, queue, one, from)
    return 0
  }
  if (file.flags & O.NONBLOCK) return -E.AGAIN
  const row = wait(state, file, queue.senders, from, timeout)
  if (typeof row === 'number') return row
  row.more = one
  return SUSPEND
}
function timedreceive(state: FsState, m: Message, from: number): number {
  const timeout = timeoutOf(state, m, 4)
  if (Number.isNaN(timeout)) return -E.INVAL
  const file = queueFile(state, fprocOf(state, from), int(m, 0), O.RDONLY)
  if (file === null) return -E.BADF
  const queue = file.inode as Queue
  if (ulong(m, 2) < queue.attr.msgsize) return -E.MSGSIZE
  const at = uint(m, 1)
  const priorityAt = high(m, 3) >= 4 ? int(m, 3) : -1
  if (queue.messages.length > 0) return deliver(state, take(state, queue), at, priorityAt)
  if (file.flags & O.NONBLOCK) return -E.AGAIN
  const row = wait(state, file, queue.receivers, from, timeout)
  if (typeof row === 'number') return row
  row.at = at
  row.a = priorityAt
  return SUSPEND
}

function notify(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  if (fproc === undefined) return -E.SRCH
  const { view } = state.sys
  const at = uint(m, 1)
  const given = high(m, 1) > 0
  const how = given ? view.getInt32(at + EVENT.NOTIFY, true) : SIGEV.NONE
  const signo = given ? view.getInt32(at + EVENT.SIGNO, true) : 0
  if (how !== SIGEV.NONE && how !== SIGEV.SIGNAL && how !== SIGEV.THREAD) return -E.INVAL
  if (how === SIGEV.SIGNAL && (signo < 0 || signo > NSIG)) return -E.INVAL
  // the descriptor of a netlink socket, which libc makes for itself: there are none
  if (how === SIGEV.THREAD) return getFile(fproc, signo) === null ? -E.BADF : -E.NOTSOCK
  const file = queueFile(state, fproc, int(m, 0), -1)
  if (file === null) return -E.BADF
  const queue = file.inode as Queue
  if (!given) {
    if (queue.notify?.table === fproc.table) queue.notify = null
    return 0
  }
  if (queue.notify !== null) return -E.BUSY
  const value = [view.getInt32(at + EVENT.VALUE, true), view.getInt32(at + EVENT.VALUE + 4, true)] as const
  queue.notify = { table: fproc.table, pid: processOf(state, from), how, signo, value }
  return 0
}

function getsetattr(state: FsState, m: Message, from: number): number {
  const { view } = state.sys
  const at = uint(m, 1)
  const sets = high(m, 1) >= ATTR.BYTES
  const flags = sets ? getLong(view, at + ATTR.FLAGS) : 0
  if (flags !== 0 && flags !== O.NONBLOCK) return -E.INVAL
  const file = queueFile(state, fprocOf(state, from), int(m, 0), -1)
  if (file === null) return -E.BADF
  const { attr, messages } = file.inode as Queue
  if (high(m, 2) >= ATTR.BYTES) {
    const old = uint(m, 2)
    const fields = [[ATTR.FLAGS, file.flags & O.NONBLOCK], [ATTR.MAXMSG, attr.maxmsg], [ATTR.MSGSIZE, attr.msgsize], [ATTR.CURMSGS, messages.length]] as const
    for (const [field, value] of fields) putLong(view, old + field, value)
  }
  if (sets) file.flags = (file.flags & ~O.NONBLOCK) | flags
  return 0
}

export function mqueueCalls(state: FsState): CallVector {
  state.mqueue.ops = queueOps(state)
  return {
    [FS.MQ_OPEN]: (m, from) => open(state, m, from),
    [FS.MQ_UNLINK]: (m, from) => unlink(state, m, from),
    [FS.MQ_TIMEDSEND]: (m, from) => timedsend(state, m, from),
    [FS.MQ_TIMEDRECEIVE]: (m, from) => timedreceive(state, m, from),
    [FS.MQ_NOTIFY]: (m, from) => notify(state, m, from),
    [FS.MQ_GETSETATTR]: (m, from) => getsetattr(state, m, from),
  }
}
