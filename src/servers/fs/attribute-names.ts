// The extended attribute calls (xattr(7)): who may use which name on what. The attributes themselves are the file systems'.
import { E } from '../../abi/errno.ts'
import { AT, CAP, isDirectory, isRegular, MAY, S, XATTR } from '../../abi/fcntl.ts'
import { IN } from '../../abi/inotify.ts'
import { high, int, type Message, uint, ulong } from '../../abi/message.ts'
import type { CallVector } from '../../lib/server.ts'
import { FS } from '../../protocol/fs.ts'
import { getIo } from './filedes.ts'
import type { Credentials, Inode } from './inode.ts'
import { WALK, Walk, walk } from './namei.ts'
import { notify } from './notify.ts'
import { pathOf, putText, textOf } from './path.ts'
import { hasCapability, isOwner, permission } from './permission.ts'
import { type FsState, fprocOf } from './state.ts'

const nd = new Walk()

/** The inode behind `path` (cell 0) or `fd`, or -errno. follow: the last link. */
function byPath(state: FsState, m: Message, from: number, follow: number): Inode | number {
  const fproc = fprocOf(state, from)
  if (fproc === undefined) return -E.SRCH
  const path = pathOf(state.sys.mem, m, 0)
  if (typeof path === 'number') return path
  const r = walk(state, fproc, nd, AT.FDCWD, path, follow !== 0 ? WALK.FOLLOW : 0)
  return r < 0 ? r : (nd.inode as Inode)
}
function byFd(state: FsState, m: Message, from: number): Inode | number {
  const fproc = fprocOf(state, from)
  const file = fproc === undefined ? null : getIo(fproc, int(m, 0))
  if (file === null) return -E.BADF
  nd.parent = file.dir
  nd.name = file.name
  return file.inode
}
function credentials(state: FsState, from: number): Credentials {
  return (fprocOf(state, from) as { cred: Credentials }).cred
}

/** xattr_permission (fs/xattr.c) and what the name spaces' handlers add. */
function mayUse(inode: Inode, name: string, write: boolean, cred: Credentials): number {
  if (write && inode.fs.readOnly) return -E.ROFS
  if (name.startsWith('security.')) return !write || hasCapability(cred, CAP.SYS_ADMIN) ? 0 : -E.PERM
  if (name.startsWith('trusted.')) return hasCapability(cred, CAP.SYS_ADMIN) ? 0 : write ? -E.PERM : -E.NODATA
  if (!name.startsWith('user.')) return -E.OPNOTSUPP // system.posix_acl_*: no access control lists here
  if (!isRegular(inode.mode) && !isDirectory(inode.mode)) return write ? -E.PERM : -E.NODATA
  if (
    write &&
    isDirectory(inode.mode) &&
    (inode.mode & S.ISVTX) !== 0 &&
    !isOwner(inode, cred) &&
    !hasCapability(cred, CAP.FOWNER)
  ) {
    return -E.PERM
  }
  return permission(inode, write ? MAY.WRITE : MAY.READ, cred)
}
function nameAt(state: FsState, m: Message): string | number {
  const length = high(m, 1)
  if (length === 0 || length > XATTR.NAME_MAX) return -E.RANGE
  return textOf(state.sys.mem, m, 1)
}

/** byPath and byFd have left the name it goes by. */
function noted(state: FsState, inode: Inode, result: number): number {
  if (result < 0 || state.watched === 0) return result
  notify(state, IN.ATTRIB, inode, nd.parent !== null && nd.parent.fs === inode.fs ? nd.parent : null, nd.name)
  return result
}

function set(state: FsState, m: Message, from: number, inode: Inode | number): number {
  const flags = int(m, 4)
  if ((flags & ~(XATTR.CREATE | XATTR.REPLACE)) !== 0) return -E.INVAL
  const name = nameAt(state, m)
  const size = ulong(m, 3)
  if (typeof name === 'number') return name
  if (size > XATTR.SIZE_MAX) return -E.TOOBIG
  if (high(m, 2) < size) return -E.FAULT
  if (typeof inode === 'number') return inode
  const r = mayUse(inode, name, true, credentials(state, from))
  if (r < 0) return r
  if (inode.fs.setxattr === undefined) return -E.OPNOTSUPP
  const at = uint(m, 2)
  return noted(state, inode, inode.fs.setxattr(inode, name, state.sys.mem.slice(at, at + size), flags))
}
function get(state: FsState, m: Message, from: number, inode: Inode | number): number {
  const name = nameAt(state, m)
  if (typeof name === 'number') return name
  if (typeof inode === 'number') return inode
  const r = mayUse(inode, name, false, credentials(state, from))
  if (r < 0) return r
  if (inode.fs.getxattr === undefined) return -E.OPNOTSUPP
  const value = inode.fs.getxattr(inode, name)
  if (typeof value === 'number') return value
  const size = ulong(m, 3)
  if (size === 0) return value.length
  if (size < value.length) return -E.RANGE
  if (high(m, 2) < value.length) return -E.FAULT
  state.sys.mem.set(value, uint(m, 2))
  return value.length
}
function list(state: FsState, m: Message, from: number, inode: Inode | number): number {
  if (typeof inode === 'number') return inode
  const admin = hasCapability(credentials(state, from), CAP.SYS_ADMIN)
  const names = (inode.fs.listxattr?.(inode) ?? []).filter(name => admin || !name.startsWith('trusted.'))
  const text = names.map(name => `${name}\0`).join('')
  const size = ulong(m, 2)
  if (size === 0) return text.length
  if (size < text.length) return -E.RANGE
  if (high(m, 1) < text.length) return -E.FAULT
  putText(state.sys.mem, uint(m, 1), text)
  return text.length
}
function remove(state: FsState, m: Message, from: number, inode: Inode | number): number {
  const name = nameAt(state, m)
  if (typeof name === 'number') return name
  if (typeof inode === 'number') return inode
  const r = mayUse(inode, name, true, credentials(state, from))
  if (r < 0) return r
  return inode.fs.removexattr === undefined ? -E.OPNOTSUPP : noted(state, inode, inode.fs.removexattr(inode, name))
}

export function attributeNameCalls(state: FsState): CallVector {
  return {
    [FS.SETXATTR]: (m, from) => set(state, m, from, byPath(state, m, from, int(m, 5))),
    [FS.FSETXATTR]: (m, from) => set(state, m, from, byFd(state, m, from)),
    [FS.GETXATTR]: (m, from) => get(state, m, from, byPath(state, m, from, int(m, 4))),
    [FS.FGETXATTR]: (m, from) => get(state, m, from, byFd(state, m, from)),
    [FS.LISTXATTR]: (m, from) => list(state, m, from, byPath(state, m, from, int(m, 3))),
    [FS.FLISTXATTR]: (m, from) => list(state, m, from, byFd(state, m, from)),
    [FS.REMOVEXATTR]: (m, from) => remove(state, m, from, byPath(state, m, from, int(m, 2))),
    [FS.FREMOVEXATTR]: (m, from) => remove(state, m, from, byFd(state, m, from)),
  }
}
