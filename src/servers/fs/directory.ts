// Directories as open files and places: getdents64, chdir, chroot, getcwd, umask.
import { E } from '../../abi/errno.ts'
import { CAP, isDirectory, MAY, SEEK } from '../../abi/fcntl.ts'
import { IN } from '../../abi/inotify.ts'
import { high, int, type Message, uint, ulong } from '../../abi/message.ts'
import { direntBytes, putDirent } from '../../abi/stat.ts'
import type { CallVector } from '../../lib/server.ts'
import { FS } from '../../protocol/fs.ts'
import { getFile, getIo } from './filedes.ts'
import type { FileOps, FsContext, Inode, OpenFile } from './inode.ts'
import { mountOfRoot, trackPaths } from './mountpoint.ts'
import { WALK, Walk, walk } from './namei.ts'
import { notifyFile, notifyGone } from './notify.ts'
import { pathOf, putText } from './path.ts'
import { hasCapability, permission } from './permission.ts'
import { dropInode, type FsState, fprocOf, holdInode } from './state.ts'

const nd = new Walk()

/** An open directory: its position is readdir's cookie. */
export const directoryOps: FileOps = {
  read: () => -E.ISDIR,
  write: () => -E.BADF,
  seek(f: OpenFile, offset: number, whence: number): number {
    if (whence === SEEK.SET) return offset < 0 ? -E.INVAL : offset
    if (whence === SEEK.CUR) return f.pos + offset < 0 ? -E.INVAL : f.pos + offset
    return -E.INVAL
  },
  fsync: () => 0,
}

function getdents64(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const file = fproc === undefined ? null : getIo(fproc, int(m, 0))
  if (file === null) return -E.BADF
  const dir = file.inode
  if (!isDirectory(dir.mode)) return -E.NOTDIR
  if (dir.fs.whereis !== undefined && typeof dir.fs.whereis(dir) === 'number') return -E.NOENT
  const at = uint(m, 1)
  const room = Math.min(high(m, 1), ulong(m, 2))
  const { view } = state.sys
  let used = 0
  let full = false
  const r = dir.fs.readdir(dir, file.pos, (name, ino, type, next) => {
    const bytes = direntBytes(name)
    if (used + bytes > room) {
      full = true
      return false
    }
    putDirent(view, at + used, name, ino, type, next)
    used += bytes
    file.pos = next
    return true
  })
  if (r < 0) return r
  if (full && used === 0) return room === 0 ? -E.FAULT : -E.INVAL
  if (state.watched !== 0) notifyFile(state, IN.ACCESS, file)
  return used
}

function enter(state: FsState, context: FsContext, inode: Inode, path: string): number {
  const left = context.cwd
  holdInode(inode)
  dropInode(left)
  if (state.watched !== 0) notifyGone(state, left)
  context.cwd = inode
  context.cwdPath = path
  return 0
}
function chdir(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const path = pathOf(state.sys.mem, m, 0)
  if (fproc === undefined) return -E.SRCH
  if (typeof path === 'number') return path
  let r = walk(state, fproc, nd, -100, path, WALK.FOLLOW | WALK.DIRECTORY | WALK.NAMED)
  if (r < 0) return r
  const inode = nd.inode as Inode
  r = permission(inode, MAY.EXEC, fproc.cred)
  return r < 0 ? r : enter(state, fproc.context, inode, nd.path)
}
function fchdir(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const file = fproc === undefined ? null : getFile(fproc, int(m, 0))
  if (fproc === undefined || file === null) return -E.BADF
  if (!isDirectory(file.inode.mode)) return -E.NOTDIR
  const r = permission(file.inode, MAY.EXEC, fproc.cred)
  return r < 0 ? r : enter(state, fproc.context, file.inode, file.path)
}
function chroot(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const path = pathOf(state.sys.mem, m, 0)
  if (fproc === undefined) return -E.SRCH
  if (typeof path === 'number') return path
  let r = walk(state, fproc, nd, -100, path, WALK.FOLLOW | WALK.DIRECTORY | WALK.NAMED)
  if (r < 0) return r
  const inode = nd.inode as Inode
  r = permission(inode, MAY.EXEC, fproc.cred)
  if (r < 0) return r
  if (!hasCapability(fproc.cred, CAP.SYS_CHROOT)) return -E.PERM
  const { context } = fproc
  holdInode(inode)
  dropInode(context.root)
  context.root = inode
  context.rootPath = nd.path
  return 0
}

/** Where directory `inode` is now, as seen from `root`; `path` is what it was called when reached. -ENOENT when it has been removed. */
export function whereabouts(
  state: FsState,
  inode: Inode,
  path: string,
  root: Inode,
  rootPath: string,
): string | number {
  if (trackPaths(state)) return relative(path, rootPath)
  let text = ''
  for (let dir = inode; dir !== root; ) {
    const mount = mountOfRoot(state, dir, path)
    if (mount !== null) {
      if (mount.on === null) return `(unreachable)${text === '' ? '/' : text}`
      dir = mount.on
      continue
    }
    if (dir.fs.whereis === undefined) return relative(path, rootPath)
    const place = dir.fs.whereis(dir)
    if (typeof place === 'number') return place
    text = `/${place.name}${text}`
    dir = place.parent
  }
  return text === '' ? '/' : text
}
function relative(path: string, rootPath: string): string {
  if (rootPath === '/') return path
  if (path === rootPath) return '/'
  return path.startsWith(`${rootPath}/`) ? path.slice(rootPath.length) : `(unreachable)${path}`
}

function getcwd(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  if (fproc === undefined) return -E.SRCH
  const { context } = fproc
  const path = whereabouts(state, context.cwd, context.cwdPath, context.root, context.rootPath)
  if (typeof path === 'number') return path
  const room = Math.min(high(m, 0), ulong(m, 1))
  if (path.length + 1 > room) return ulong(m, 1) > path.length ? -E.FAULT : -E.RANGE
  const at = uint(m, 0)
  putText(state.sys.mem, at, path)
  state.sys.mem[at + path.length] = 0
  return path.length + 1
}

function umask(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  if (fproc === undefined) return -E.SRCH
  const old = fproc.context.umask
  fproc.context.umask = int(m, 0) & 0o777
  return old
}

export function directoryCalls(state: FsState): CallVector {
  return {
    [FS.GETDENTS64]: (m, from) => getdents64(state, m, from),
    [FS.CHDIR]: (m, from) => chdir(state, m, from),
    [FS.FCHDIR]: (m, from) => fchdir(state, m, from),
    [FS.CHROOT]: (m, from) => chroot(state, m, from),
    [FS.GETCWD]: (m, from) => getcwd(state, m, from),
    [FS.UMASK]: (m, from) => umask(state, m, from),
  }
}
