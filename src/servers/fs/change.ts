// Calls that change attributes: chmod, chown, utimensat, truncate. Rules of inode(7), chmod(2), chown(2), utimensat(2);
// order of checks as in Linux's fs/open.c, fs/utimes.c, fs/attr.c.
import { E } from '../../abi/errno.ts'
import { AT, CAP, isDirectory, isRegular, isSymlink, MAY, S, UTIME_NOW, UTIME_OMIT } from '../../abi/fcntl.ts'
import { IN } from '../../abi/inotify.ts'
import { high, int, long, type Message, uint } from '../../abi/message.ts'
import { getLong } from '../../abi/stat.ts'
import type { CallVector } from '../../lib/server.ts'
import { FS } from '../../protocol/fs.ts'
import { checkSize } from './extent.ts'
import { getIo } from './filedes.ts'
import type { Credentials, Fproc, FsType, Inode, OpenFile } from './inode.ts'
import { WALK, Walk, walk } from './namei.ts'
import { notify, notifyFile } from './notify.ts'
import { isRunning, withoutSetid } from './open.ts'
import { pathOf } from './path.ts'
import { actsAsOwner, hasCapability, inGroup, isOwner, permission } from './permission.ts'
import { type FsState, fprocOf } from './state.ts'

type AttributeChange = Parameters<FsType['setattr']>[1]
const nd = new Walk()

/** The inode a call with `dirfd path flags` is about, left in nd.inode. */
function find(state: FsState, fproc: Fproc, m: Message, flags: number): number {
  if ((flags & ~(AT.SYMLINK_NOFOLLOW | AT.EMPTY_PATH)) !== 0) return -E.INVAL
  const path = pathOf(state.sys.mem, m, 1)
  if (typeof path === 'number') return path
  const how = ((flags & AT.SYMLINK_NOFOLLOW) === 0 ? WALK.FOLLOW : 0) | ((flags & AT.EMPTY_PATH) !== 0 ? WALK.EMPTY : 0)
  return walk(state, fproc, nd, int(m, 0), path, how)
}
function fileOf(fproc: Fproc | undefined, fd: number): OpenFile | null {
  return fproc === undefined ? null : getIo(fproc, fd)
}

/** An attribute of an inode found by name (nd) or by descriptor has changed, if `result` says so. */
function noted(state: FsState, events: number, inode: Inode, file: OpenFile | null, result: number): number {
  if (result < 0 || state.watched === 0 || events === 0) return result
  if (file !== null) notifyFile(state, events, file)
  else notify(state, events, inode, nd.parent !== null && nd.parent.fs === inode.fs ? nd.parent : null, nd.name)
  return result
}

function changeMode(inode: Inode, wanted: number, cred: Credentials): number {
  if (inode.fs.readOnly) return -E.ROFS
  if (isSymlink(inode.mode)) return -E.OPNOTSUPP
  if (!actsAsOwner(inode, cred)) return -E.PERM
  let mode = wanted & 0o7777
  if ((mode & S.ISGID) !== 0 && !inGroup(cred, inode.gid) && !hasCapability(cred, CAP.FSETID)) mode &= ~S.ISGID
  return inode.fs.setattr(inode, { mode })
}
function chmod(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  if (fproc === undefined) return -E.SRCH
  const r = find(state, fproc, m, int(m, 3))
  if (r < 0) return r
  const inode = nd.inode as Inode
  return noted(state, IN.ATTRIB, inode, null, changeMode(inode, int(m, 2), fproc.cred))
}
function fchmod(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const file = fileOf(fproc, int(m, 0))
  if (fproc === undefined || file === null) return -E.BADF
  return noted(state, IN.ATTRIB, file.inode, file, changeMode(file.inode, int(m, 1), fproc.cred))
}

/** -1: leave. */
function changeOwner(inode: Inode, uid: number, gid: number, cred: Credentials): number {
  if (inode.fs.readOnly) return -E.ROFS
  const change: AttributeChange = {}
  const mayGive = hasCapability(cred, CAP.CHOWN)
  if (uid !== 0xffffffff) {
    if (!mayGive && !(isOwner(inode, cred) && uid === inode.uid)) return -E.PERM
    change.uid = uid
  }
  if (gid !== 0xffffffff) {
    if (!mayGive && !(isOwner(inode, cred) && (inGroup(cred, gid) || gid === inode.gid))) return -E.PERM
    change.gid = gid
  }
  if (!isDirectory(inode.mode) && (inode.mode & (S.ISUID | S.ISGID)) !== 0) {
    if (!actsAsOwner(inode, cred)) return -E.PERM
    change.mode = withoutSetid(inode.mode)
  }
  return inode.fs.setattr(inode, change)
}
function ownerEvents(uid: number, gid: number): number {
  return uid === 0xffffffff && gid === 0xffffffff ? 0 : IN.ATTRIB
}
function chown(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  if (fproc === undefined) return -E.SRCH
  const r = find(state, fproc, m, int(m, 4))
  if (r < 0) return r
  const inode = nd.inode as Inode
  const r2 = changeOwner(inode, uint(m, 2), uint(m, 3), fproc.cred)
  return noted(state, ownerEvents(uint(m, 2), uint(m, 3)), inode, null, r2)
}
function fchown(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const file = fileOf(fproc, int(m, 0))
  if (fproc === undefined || file === null) return -E.BADF
  const r = changeOwner(file.inode, uint(m, 1), uint(m, 2), fproc.cred)
  return noted(state, ownerEvents(uint(m, 1), uint(m, 2)), file.inode, file, r)
}

/** The two times of UTIME, as timespecs: seconds and nanoseconds or UTIME_NOW, UTIME_OMIT. */
const times = { a: 0, aNs: UTIME_NOW, m: 0, mNs: UTIME_NOW }
const validNs = (ns: number): boolean => (ns >= 0 && ns < 1e9) || ns === UTIME_NOW || ns === UTIME_OMIT
function readTimes(view: DataView, at: number, bytes: number, form: number): number {
  times.a = times.m = 0
  times.aNs = times.mNs = UTIME_NOW
  if (bytes === 0) return 0
  if (bytes < (form === 2 ? 16 : 32)) return -E.FAULT
  times.a = getLong(view, at)
  if (form === 2) {
    times.m = getLong(view, at + 8)
    times.aNs = times.mNs = 0
    return 0
  }
  times.aNs = getLong(view, at + 8)
  times.m = getLong(view, at + 16)
  times.mNs = getLong(view, at + 24)
  if (form === 1) {
    if (times.aNs < 0 || times.aNs >= 1e6 || times.mNs < 0 || times.mNs >= 1e6) return -E.INVAL
    times.aNs *= 1000
    times.mNs *= 1000
    return 0
  }
  return validNs(times.aNs) && validNs(times.mNs) ? 0 : -E.INVAL
}

/** fs/notify.h fsnotify_change: both times an attribute, one of them what it stands for. */
function timeEvents(): number {
  if (times.aNs === UTIME_OMIT) return IN.MODIFY
  return times.mNs === UTIME_OMIT ? IN.ACCESS : IN.ATTRIB
}
function utime(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  if (fproc === undefined) return -E.SRCH
  const r = readTimes(state.sys.view, uint(m, 2), high(m, 2), int(m, 4))
  if (r < 0) return r
  if (times.aNs === UTIME_OMIT && times.mNs === UTIME_OMIT) return 0
  const flags = int(m, 3)
  // No path at all (not an empty one): the descriptor itself.
  if (uint(m, 1) === 0 && high(m, 1) === 0) {
    if (int(m, 0) === AT.FDCWD) return -E.FAULT
    if (flags !== 0) return -E.INVAL
    const file = fileOf(fproc, int(m, 0))
    return file === null ? -E.BADF : noted(state, timeEvents(), file.inode, file, setTimes(state, file.inode, fproc.cred))
  }
  const found = find(state, fproc, m, flags)
  if (found < 0) return found
  const inode = nd.inode as Inode
  return noted(state, timeEvents(), inode, null, setTimes(state, inode, fproc.cred))
}
function setTimes(state: FsState, inode: Inode, cred: Credentials): number {
  if (inode.fs.readOnly) return -E.ROFS
  const both = times.aNs === UTIME_NOW && times.mNs === UTIME_NOW
  if (!actsAsOwner(inode, cred)) {
    if (!both) return -E.PERM
    if (permission(inode, MAY.WRITE, cred) < 0) return -E.ACCES
  }
  const now = state.sys.realtime()
  const seconds = Math.floor(now / 1000)
  const current = [seconds, Math.floor((now - seconds * 1000) * 1e6)] as const
  const change: AttributeChange = {}
  if (times.aNs !== UTIME_OMIT) change.atime = times.aNs === UTIME_NOW ? current : [times.a, times.aNs]
  if (times.mNs !== UTIME_OMIT) change.mtime = times.mNs === UTIME_NOW ? current : [times.m, times.mNs]
  return inode.fs.setattr(inode, change)
}

function truncate(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  if (fproc === undefined) return -E.SRCH
  const size = long(m, 1)
  if (size < 0) return -E.INVAL
  const path = pathOf(state.sys.mem, m, 0)
  if (typeof path === 'number') return path
  let r = walk(state, fproc, nd, AT.FDCWD, path, WALK.FOLLOW)
  if (r < 0) return r
  const inode = nd.inode as Inode
  if (isDirectory(inode.mode)) return -E.ISDIR
  if (!isRegular(inode.mode)) return -E.INVAL
  if (inode.fs.readOnly) return -E.ROFS
  r = permission(inode, MAY.WRITE, fproc.cred)
  if (r < 0) return r
  if (isRunning(state, inode)) return -E.TXTBSY
  r = checkSize(state, fproc, from, size)
  if (r < 0) return r
  const change: AttributeChange = { size }
  if ((inode.mode & (S.ISUID | S.ISGID)) !== 0 && !hasCapability(fproc.cred, CAP.FSETID))
    change.mode = withoutSetid(inode.mode)
  return noted(state, IN.MODIFY, inode, null, inode.fs.setattr(inode, change))
}

export function changeCalls(state: FsState): CallVector {
  return {
    [FS.CHMOD]: (m, from) => chmod(state, m, from),
    [FS.FCHMOD]: (m, from) => fchmod(state, m, from),
    [FS.CHOWN]: (m, from) => chown(state, m, from),
    [FS.FCHOWN]: (m, from) => fchown(state, m, from),
    [FS.UTIME]: (m, from) => utime(state, m, from),
    [FS.TRUNCATE]: (m, from) => truncate(state, m, from),
  }
}
