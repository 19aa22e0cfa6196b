// Calls that make, remove and move names: link, unlink, rmdir, mkdir, mknod, symlink, rename. Linux's order of checks
// (fs/namei.c: filename_create, do_unlinkat, do_rmdir, do_renameat2).
import { E } from '../../abi/errno.ts'
import { AT, CAP, isDirectory, MAY, PATH_MAX, RENAME, S } from '../../abi/fcntl.ts'
import { IN } from '../../abi/inotify.ts'
import { high, int, type Message, uint } from '../../abi/message.ts'
import type { CallVector } from '../../lib/server.ts'
import { FS } from '../../protocol/fs.ts'
import type { Fproc, Inode } from './inode.ts'
import { followRename } from './moved.ts'
import { isAncestor, LAST, WALK, Walk, walk } from './namei.ts'
import { notifyEntry, notifyGone, notifyLinks, notifyMove } from './notify.ts'
import { type Path, pathOf, textOf } from './path.ts'
import { hasCapability, mayCreate, mayDelete, mayLink, newGroup, newMode, permission } from './permission.ts'
import { type FsState, fprocOf } from './state.ts'

const nd = new Walk()
const other = new Walk()

/** Walk to a name about to be made in w.parent; it is free and may be made. */
function target(state: FsState, fproc: Fproc, w: Walk, dirfd: number, path: Path, directory: boolean): number {
  const r = walk(state, fproc, w, dirfd, path, WALK.MISSING)
  if (r < 0) return r
  if (w.kind !== LAST.NORM || w.inode !== null) return -E.EXIST
  if ((w.slash && !directory) || (w.parent as Inode).fs.fixed === true) return -E.NOENT
  return (w.parent as Inode).fs.readOnly ? -E.ROFS : 0
}

/** nd.name in nd.parent is a new name of `inode`. */
function created(state: FsState, inode: Inode): number {
  if (state.watched !== 0) notifyEntry(state, IN.CREATE, nd.parent as Inode, nd.name, inode)
  return 0
}
/** nd.name in nd.parent was the name of `inode`. */
function removed(state: FsState, inode: Inode): void {
  if (!isDirectory(inode.mode)) notifyLinks(state, inode)
  notifyGone(state, inode)
  notifyEntry(state, IN.DELETE, nd.parent as Inode, nd.name, inode)
}
function mkdir(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const path = pathOf(state.sys.mem, m, 1)
  if (fproc === undefined) return -E.SRCH
  if (typeof path === 'number') return path
  let r = target(state, fproc, nd, int(m, 0), path, true)
  if (r < 0) return r
  const dir = nd.parent as Inode
  r = mayCreate(dir, fproc.cred)
  if (r < 0) return r
  const mode = newMode(dir, S.IFDIR | (int(m, 2) & 0o1777 & ~fproc.context.umask), fproc.cred)
  const made = dir.fs.mkdir(dir, nd.name, mode, fproc.cred.fsuid, newGroup(dir, fproc.cred))
  return typeof made === 'number' ? made : created(state, made)
}

/** A socket's name (bind(2)): → its directory's entry, left in `made`; 0 or -errno. */
export function makeSocketNode(state: FsState, fproc: Fproc, path: Path, mode: number, made: Walk): number {
  const free = target(state, fproc, made, AT.FDCWD, path, false)
  if (free < 0) return free
  const dir = made.parent as Inode
  const may = mayCreate(dir, fproc.cred)
  if (may < 0) return may
  const bits = newMode(dir, S.IFSOCK | (mode & ~fproc.context.umask), fproc.cred)
  const inode = dir.fs.create(dir, made.name, bits, fproc.cred.fsuid, newGroup(dir, fproc.cred), 0)
  if (typeof inode === 'number') return inode
  made.inode = inode
  return 0
}

function mknod(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  if (fproc === undefined) return -E.SRCH
  const mode = int(m, 2) & 0xffff
  const type = mode & S.IFMT
  if (type === S.IFDIR) return -E.PERM
  if (type !== 0 && type !== S.IFREG && type !== S.IFIFO && type !== S.IFSOCK && type !== S.IFCHR && type !== S.IFBLK)
    return -E.INVAL
  const path = pathOf(state.sys.mem, m, 1)
  if (typeof path === 'number') return path
  let r = target(state, fproc, nd, int(m, 0), path, false)
  if (r < 0) return r
  const dir = nd.parent as Inode
  r = mayCreate(dir, fproc.cred)
  if (r < 0) return r
  const device = type === S.IFCHR || type === S.IFBLK
  if (device && !hasCapability(fproc.cred, CAP.MKNOD)) return -E.PERM
  const bits = newMode(dir, (type === 0 ? S.IFREG : type) | (mode & 0o7777 & ~fproc.context.umask), fproc.cred)
  const made = dir.fs.create(dir, nd.name, bits, fproc.cred.fsuid, newGroup(dir, fproc.cred), device ? uint(m, 3) : 0)
  return typeof made === 'number' ? made : created(state, made)
}

function symlink(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  if (fproc === undefined) return -E.SRCH
  if (high(m, 0) === 0) return -E.NOENT
  if (high(m, 0) >= PATH_MAX) return -E.NAMETOOLONG
  const text = textOf(state.sys.mem, m, 0)
  const path = pathOf(state.sys.mem, m, 2)
  if (typeof path === 'number') return path
  let r = target(state, fproc, nd, int(m, 1), path, false)
  if (r < 0) return r
  const dir = nd.parent as Inode
  r = mayCreate(dir, fproc.cred)
  if (r < 0) return r
  const made = dir.fs.symlink(dir, nd.name, text, fproc.cred.fsuid, newGroup(dir, fproc.cred))
  return typeof made === 'number' ? made : created(state, made)
}

function link(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  if (fproc === undefined) return -E.SRCH
  const flags = int(m, 4)
  if ((flags & ~(AT.SYMLINK_FOLLOW | AT.EMPTY_PATH)) !== 0) return -E.INVAL
  const { mem } = state.sys
  const path = pathOf(mem, m, 1)
  if (typeof path === 'number') return path
  const newPath = pathOf(mem, m, 3)
  if (typeof newPath === 'number') return newPath
  const { cred } = fproc
  let how = (flags & AT.SYMLINK_FOLLOW) !== 0 ? WALK.FOLLOW : 0
  if ((flags & AT.EMPTY_PATH) !== 0 && hasCapability(cred, CAP.DAC_READ_SEARCH)) how |= WALK.EMPTY
  let r = walk(state, fproc, nd, int(m, 0), path, how)
  if (r < 0) return r
  r = target(state, fproc, other, int(m, 2), newPath, false)
  if (r < 0) return r
  const inode = nd.inode as Inode
  const dir = other.parent as Inode
  if (inode.fs !== dir.fs) return -E.XDEV
  r = mayLink(inode, cred)
  if (r < 0) return r
  r = mayCreate(dir, cred)
  if (r < 0) return r
  if (isDirectory(inode.mode)) return -E.PERM
  r = dir.fs.link(dir, other.name, inode)
  if (r === 0 && state.watched !== 0) {
    notifyLinks(state, inode)
    notifyEntry(state, IN.CREATE, dir, other.name, inode)
  }
  return r
}

function unlink(state: FsState, m: Message, from: number): number {
  const flags = int(m, 2)
  if ((flags & ~AT.REMOVEDIR) !== 0) return -E.INVAL
  const fproc = fprocOf(state, from)
  const path = pathOf(state.sys.mem, m, 1)
  if (fproc === undefined) return -E.SRCH
  if (typeof path === 'number') return path
  return flags === 0 ? unlinkAt(state, fproc, int(m, 0), path) : rmdirAt(state, fproc, int(m, 0), path)
}
function unlinkAt(state: FsState, fproc: Fproc, dirfd: number, path: Path): number {
  let r = walk(state, fproc, nd, dirfd, path, WALK.MISSING)
  if (r < 0) return r
  if (nd.kind !== LAST.NORM) return -E.ISDIR
  const dir = nd.parent as Inode
  const inode = nd.inode
  if (dir.fs.readOnly) return -E.ROFS
  if (inode === null) return -E.NOENT
  if (nd.slash) return isDirectory(inode.mode) ? -E.ISDIR : -E.NOTDIR
  r = mayDelete(dir, inode, fproc.cred)
  if (r < 0) return r
  if (isDirectory(inode.mode)) return -E.ISDIR
  r = nd.mounted ? -E.BUSY : dir.fs.unlink(dir, nd.name)
  if (r === 0 && state.watched !== 0) removed(state, inode)
  return r
}
function rmdir(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const path = pathOf(state.sys.mem, m, 0)
  if (fproc === undefined) return -E.SRCH
  return typeof path === 'number' ? path : rmdirAt(state, fproc, AT.FDCWD, path)
}
function rmdirAt(state: FsState, fproc: Fproc, dirfd: number, path: Path): number {
  let r = walk(state, fproc, nd, dirfd, path, WALK.MISSING)
  if (r < 0) return r
  if (nd.kind === LAST.DOTDOT) return -E.NOTEMPTY
  if (nd.kind === LAST.DOT) return -E.INVAL
  if (nd.kind === LAST.ROOT) return -E.BUSY
  const dir = nd.parent as Inode
  const inode = nd.inode
  if (dir.fs.readOnly) return -E.ROFS
  if (inode === null) return -E.NOENT
  r = mayDelete(dir, inode, fproc.cred)
  if (r < 0) return r
  if (!isDirectory(inode.mode)) return -E.NOTDIR
  r = nd.mounted || isRoot(state, inode) ? -E.BUSY : dir.fs.rmdir(dir, nd.name)
  if (r === 0 && state.watched !== 0) removed(state, inode)
  return r
}
/** Somebody's root directory by chroot? It may be removed on Linux too, but not the machine's. */
function isRoot(state: FsState, inode: Inode): boolean {
  return state.mounts[0]?.root === inode
}

function rename(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  if (fproc === undefined) return -E.SRCH
  const flags = int(m, 4)
  if ((flags & ~(RENAME.NOREPLACE | RENAME.EXCHANGE)) !== 0) return -E.INVAL
  if ((flags & RENAME.NOREPLACE) !== 0 && (flags & RENAME.EXCHANGE) !== 0) return -E.INVAL
  const { mem } = state.sys
  const oldPath = pathOf(mem, m, 1)
  if (typeof oldPath === 'number') return oldPath
  const newPath = pathOf(mem, m, 3)
  if (typeof newPath === 'number') return newPath
  let r = walk(state, fproc, nd, int(m, 0), oldPath, WALK.MISSING | WALK.NAMED)
  if (r < 0) return r
  r = walk(state, fproc, other, int(m, 2), newPath, WALK.MISSING | WALK.NAMED)
  if (r < 0) return r
  r = checkRename(fproc, flags)
  if (r !== 0) return Math.min(r, 0)
  const inode = nd.inode as Inode
  const exchange = (flags & RENAME.EXCHANGE) !== 0
  r = inode.fs.rename(nd.parent as Inode, nd.name, other.parent as Inode, other.name, flags)
  if (r < 0) return r
  // A file nobody has open is called nothing anywhere.
  if (isDirectory(inode.mode) || inode.refs > 0 || exchange) followRename(state, nd, other, exchange)
  if (state.watched !== 0) moved(state, inode, exchange)
  return 0
}
/** `inode` went from nd to other; what was there ended, or (exchange) went the other way. */
function moved(state: FsState, inode: Inode, exchange: boolean): void {
  const oldDir = nd.parent as Inode
  const newDir = other.parent as Inode
  const victim = other.inode
  notifyMove(state, inode, oldDir, nd.name, newDir, other.name, exchange ? null : victim)
  if (victim === null) return
  if (exchange) notifyMove(state, victim, newDir, other.name, oldDir, nd.name, null)
  else notifyGone(state, victim)
}
/** 0: go on. 1: nothing to do. */
function checkRename(fproc: Fproc, flags: number): number {
  const exchange = (flags & RENAME.EXCHANGE) !== 0
  const old = nd.inode
  const victim = other.inode
  const fs = (nd.parent ?? nd.inode)?.fs
  if (fs !== (other.parent ?? other.inode)?.fs) return -E.XDEV
  if (fs?.fixed === true && other.kind === LAST.NORM && victim === null) return -E.NOENT
  if (nd.kind !== LAST.NORM) return -E.BUSY
  if (other.kind !== LAST.NORM) return (flags & RENAME.NOREPLACE) !== 0 ? -E.EXIST : -E.BUSY
  const oldDir = nd.parent as Inode
  const newDir = other.parent as Inode
  if (oldDir.fs.readOnly) return -E.ROFS
  if (old === null) return -E.NOENT
  if (victim !== null && (flags & RENAME.NOREPLACE) !== 0) return -E.EXIST
  if (victim === null && exchange) return -E.NOENT
  const oldIsDir = isDirectory(old.mode)
  if (exchange && victim !== null && !isDirectory(victim.mode) && other.slash) return -E.NOTDIR
  if (!oldIsDir && (nd.slash || (!exchange && other.slash))) return -E.NOTDIR
  if (oldIsDir && isAncestor(old, newDir)) return -E.INVAL
  if (victim !== null && isDirectory(victim.mode) && isAncestor(victim, oldDir))
    return exchange ? -E.INVAL : -E.NOTEMPTY
  if (old === victim) return 1
  let r = mayDelete(oldDir, old, fproc.cred)
  if (r === 0) r = victim === null ? mayCreate(newDir, fproc.cred) : mayDelete(newDir, victim, fproc.cred)
  if (r < 0) return r
  if (victim !== null && !exchange) {
    if (oldIsDir && !isDirectory(victim.mode)) return -E.NOTDIR
    if (!oldIsDir && isDirectory(victim.mode)) return -E.ISDIR
  }
  // A directory that gets another parent has its '..' rewritten.
  if (oldDir !== newDir) {
    if (oldIsDir && permission(old, MAY.WRITE, fproc.cred) < 0) return -E.ACCES
    if (exchange && victim !== null && isDirectory(victim.mode) && permission(victim, MAY.WRITE, fproc.cred) < 0)
      return -E.ACCES
  }
  return nd.mounted || other.mounted ? -E.BUSY : 0
}

export function nameCalls(state: FsState): CallVector {
  return {
    [FS.MKDIR]: (m, from) => mkdir(state, m, from),
    [FS.MKNOD]: (m, from) => mknod(state, m, from),
    [FS.SYMLINK]: (m, from) => symlink(state, m, from),
    [FS.LINK]: (m, from) => link(state, m, from),
    [FS.UNLINK]: (m, from) => unlink(state, m, from),
    [FS.RMDIR]: (m, from) => rmdir(state, m, from),
    [FS.RENAME]: (m, from) => rename(state, m, from),
  }
}
