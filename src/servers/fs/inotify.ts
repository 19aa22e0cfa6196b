// inotify(7): descriptors that read events of watched files, and the calls that set watches. Who tells what: notify.ts.
import { E } from '../../abi/errno.ts'
import { AT, MAY, O } from '../../abi/fcntl.ts'
import { IN, IN_ALL_BITS, INOTIFY_EVENT_BYTES, inotifyEventBytes } from '../../abi/inotify.ts'
import { int, type Message, SUSPEND, slotOf } from '../../abi/message.ts'
import { POLL } from '../../abi/poll.ts'
import type { CallVector } from '../../lib/server.ts'
import { FS } from '../../protocol/fs.ts'
import { anonInode } from './anon.ts'
import { getIo, installFile } from './filedes.ts'
import type { FileOps, Inode, OpenFile } from './inode.ts'
import { WALK, Walk, walk } from './namei.ts'
import { forgetWatch, type Inotify, removeWatch, type Watch } from './notify.ts'
import { pathOf, putText } from './path.ts'
import { permission } from './permission.ts'
import { dropFile, type FsState, fprocOf, holdInode, newFile, type Row, resume, suspend, WAIT } from './state.ts'

const nd = new Walk()
/** /proc/sys/fs/inotify/max_user_instances, max_user_watches (here: of the machine) */
const INSTANCES_MAX = 128
const WATCHES_MAX = 65536
const WD_MAX = 0x7fffffff
const FIONREAD = 0x541b

/** As many events as fit → bytes; -EINVAL when not even one does. */
function take(state: FsState, from: Inotify, at: number, len: number): number {
  const { mem, view } = state.sys
  let used = 0
  let count = 0
  for (const event of from.queue) {
    const bytes = inotifyEventBytes(event.name)
    if (used + bytes > len) break
    const p = at + used
    view.setInt32(p, event.wd, true)
    view.setUint32(p + 4, event.mask, true)
    view.setUint32(p + 8, event.cookie, true)
    view.setUint32(p + 12, bytes - INOTIFY_EVENT_BYTES, true)
    mem.fill(0, p + INOTIFY_EVENT_BYTES, p + bytes)
    putText(mem, p + INOTIFY_EVENT_BYTES, event.name)
    used += bytes
    count++
  }
  if (count === 0) return -E.INVAL
  from.queue.splice(0, count)
  from.overflowed = from.queue[from.queue.length - 1]?.mask === IN.Q_OVERFLOW
  return used
}

function inotifyOps(state: FsState): FileOps {
  return {
    read(file, at, len, _position, caller) {
      const instance = file.priv as Inotify
      if (instance.queue.length > 0) return take(state, instance, at, len)
      if (caller.nonblock) return -E.AGAIN
      suspend(state, caller.endpoint, WAIT.FILE, file, at, len, 0)
      instance.reading.push(slotOf(caller.endpoint))
      return SUSPEND
    },
    write: () => -E.BADF,
    poll: file => ((file.priv as Inotify).queue.length > 0 ? POLL.IN | POLL.RDNORM : 0),
    queue: file => file.priv as Inotify,
    seek: () => 0,
    ioctl(file, cmd, _arg, at, len) {
      if (cmd !== FIONREAD) return -E.NOTTY
      if (len < 4) return -E.FAULT
      const bytes = (file.priv as Inotify).queue.reduce((sum, event) => sum + inotifyEventBytes(event.name), 0)
      state.sys.view.setInt32(at, bytes, true)
      return 0
    },
    release(file) {
      const instance = file.priv as Inotify
      for (const watch of [...instance.watches.values()]) forgetWatch(state, watch)
      count(state, instance.uid, -1)
    },
    cancel(file, endpoint) {
      const instance = file.priv as Inotify
      instance.reading = instance.reading.filter(slot => slot !== slotOf(endpoint))
      return -E.RESTARTSYS
    },
  }
}
/** Waiting readers get what has come. */
function serve(state: FsState, instance: Inotify): void {
  while (instance.queue.length > 0) {
    const slot = instance.reading.shift()
    if (slot === undefined) return
    const row = state.rows[slot] as Row
    resume(state, row, take(state, instance, row.at, row.len))
  }
}
/** One more or one less instance of a user → how many there are. */
function count(state: FsState, uid: number, by: number): number {
  const { instances } = state.watches
  const now = (instances.get(uid) ?? 0) + by
  if (now === 0) instances.delete(uid)
  else instances.set(uid, now)
  return now
}

function init(state: FsState, ops: FileOps, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const flags = int(m, 0)
  if (fproc === undefined) return -E.SRCH
  if ((flags & ~(O.NONBLOCK | O.CLOEXEC)) !== 0) return -E.INVAL
  const uid = fproc.cred.uid
  if (state.openFiles >= state.maxFiles) return -E.NFILE
  if (count(state, uid, 1) > INSTANCES_MAX) {
    count(state, uid, -1)
    return -E.MFILE
  }
  const instance: Inotify = {
    waiters: [],
    uid,
    watches: new Map(),
    nextWd: 1,
    queue: [],
    overflowed: false,
    reading: [],
    serve: () => serve(state, instance),
  }
  const inode = anonInode(state, 0o600, fproc.cred.fsuid, fproc.cred.fsgid, 0)
  const file = newFile(state, inode, O.RDONLY | (flags & O.NONBLOCK), 'anon_inode:inotify', ops, -1, instance)
  const fd = installFile(fproc, file, (flags & O.CLOEXEC) !== 0)
  if (fd < 0) dropFile(state, file)
  return fd
}

/** The instance behind cell 0, or -errno. */
function instanceOf(state: FsState, ops: FileOps, m: Message, from: number): Inotify | number {
  const fproc = fprocOf(state, from)
  const file: OpenFile | null = fproc === undefined ? null : getIo(fproc, int(m, 0))
  if (file === null) return -E.BADF
  return file.ops === ops ? (file.priv as Inotify) : -E.INVAL
}

function addWatch(state: FsState, ops: FileOps, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const mask = int(m, 2)
  if (fproc === undefined) return -E.SRCH
  if ((mask & IN_ALL_BITS) === 0) return -E.INVAL
  if (getIo(fproc, int(m, 0)) === null) return -E.BADF
  if ((mask & IN.MASK_ADD) !== 0 && (mask & IN.MASK_CREATE) !== 0) return -E.INVAL
  const instance = instanceOf(state, ops, m, from)
  if (typeof instance === 'number') return instance
  const path = pathOf(state.sys.mem, m, 1)
  if (typeof path === 'number') return path
  const how = ((mask & IN.DONT_FOLLOW) === 0 ? WALK.FOLLOW : 0) | ((mask & IN.ONLYDIR) === 0 ? 0 : WALK.DIRECTORY)
  let r = walk(state, fproc, nd, AT.FDCWD, path, how)
  if (r < 0) return r
  const inode = nd.inode as Inode
  r = permission(inode, MAY.READ, fproc.cred)
  if (r < 0) return r
  const kept = mask & (IN.ALL_EVENTS | IN.ONESHOT | IN.EXCL_UNLINK)
  const known = (state.watches.byInode.get(inode) ?? []).find(watch => watch.owner === instance)
  if (known !== undefined) {
    if ((mask & IN.MASK_CREATE) !== 0) return -E.EXIST
    known.mask = (mask & IN.MASK_ADD) !== 0 ? known.mask | kept : kept
    return known.wd
  }
  if (state.watched >= WATCHES_MAX || instance.nextWd > WD_MAX) return -E.NOSPC
  const watch: Watch = { wd: instance.nextWd++, owner: instance, inode: holdInode(inode), mask: kept }
  instance.watches.set(watch.wd, watch)
  state.watches.byInode.set(inode, [...(state.watches.byInode.get(inode) ?? []), watch])
  state.watched++
  return watch.wd
}
function rmWatch(state: FsState, ops: FileOps, m: Message, from: number): number {
  const instance = instanceOf(state, ops, m, from)
  if (typeof instance === 'number') return instance
  const watch = instance.watches.get(int(m, 1))
  if (watch === undefined) return -E.INVAL
  removeWatch(state, watch)
  return 0
}

export function inotifyCalls(state: FsState): CallVector {
  const ops = inotifyOps(state)
  return {
    [FS.INOTIFY_INIT]: (m, from) => init(state, ops, m, from),
    [FS.INOTIFY_ADD_WATCH]: (m, from) => addWatch(state, ops, m, from),
    [FS.INOTIFY_RM_WATCH]: (m, from) => rmWatch(state, ops, m, from),
  }
}
