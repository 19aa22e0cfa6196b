// Calls that show attributes: stat, fstat, statx, access, readlink, statfs, name_to_handle_at.
import { E } from '../../abi/errno.ts'
import { AT, isDirectory, isRegular, isSymlink, MAY } from '../../abi/fcntl.ts'
import { high, int, type Message, uint } from '../../abi/message.ts'
import { putStat, putStatfs, putStatx, STAT_BYTES, STATFS_BYTES, STATX, STATX_BYTES } from '../../abi/stat.ts'
import type { CallVector } from '../../lib/server.ts'
import { FS } from '../../protocol/fs.ts'
import { getFile } from './filedes.ts'
import { emptyStat } from './hosttree.ts'
import type { Credentials, Inode } from './inode.ts'
import { mountOf } from './mountpoint.ts'
import { WALK, Walk, walk } from './namei.ts'
import { pathOf, putText } from './path.ts'
import { permission, realCredentials } from './permission.ts'
import { type FsState, fprocOf, type Mount } from './state.ts'

const nd = new Walk()
const st = emptyStat()
const real: Credentials = { uid: 0, euid: 0, fsuid: 0, gid: 0, egid: 0, fsgid: 0, groups: [], capabilities: 0 }
/** A null path: AT_EMPTY_PATH allows it since Linux 6.11. ('' has an address.) */
function noPath(m: Message, flags: number): boolean {
  return uint(m, 1) === 0 && high(m, 1) === 0 && (flags & AT.EMPTY_PATH) === 0
}
const STAT_FLAGS = AT.SYMLINK_NOFOLLOW | AT.NO_AUTOMOUNT | AT.EMPTY_PATH
const ST_RDONLY = 1
const ST_VALID = 0x20

function stat(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  if (fproc === undefined) return -E.SRCH
  const flags = int(m, 3)
  if ((flags & ~STAT_FLAGS) !== 0) return -E.INVAL
  if (noPath(m, flags)) return -E.FAULT
  const path = pathOf(state.sys.mem, m, 1)
  if (typeof path === 'number') return path
  const how = ((flags & AT.SYMLINK_NOFOLLOW) === 0 ? WALK.FOLLOW : 0) | ((flags & AT.EMPTY_PATH) !== 0 ? WALK.EMPTY : 0)
  let r = walk(state, fproc, nd, int(m, 0), path, how)
  if (r < 0) return r
  const inode = nd.inode as Inode
  r = inode.fs.getattr(inode, st, nd.fresh)
  if (r < 0) return r
  if (high(m, 2) < STAT_BYTES) return -E.FAULT
  putStat(state.sys.view, uint(m, 2), st)
  return 0
}
function fstat(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const file = fproc === undefined ? null : getFile(fproc, int(m, 0))
  if (file === null) return -E.BADF
  const r = file.inode.fs.getattr(file.inode, st)
  if (r < 0) return r
  if (high(m, 1) < STAT_BYTES) return -E.FAULT
  putStat(state.sys.view, uint(m, 1), st)
  return 0
}
function statx(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  if (fproc === undefined) return -E.SRCH
  const flags = int(m, 2)
  const mask = uint(m, 3)
  if ((mask & STATX.RESERVED) !== 0) return -E.INVAL
  if ((flags & ~(STAT_FLAGS | AT.STATX_SYNC_TYPE)) !== 0 || (flags & AT.STATX_SYNC_TYPE) === AT.STATX_SYNC_TYPE)
    return -E.INVAL
  if (noPath(m, flags)) return -E.FAULT
  const path = pathOf(state.sys.mem, m, 1)
  if (typeof path === 'number') return path
  const how = ((flags & AT.SYMLINK_NOFOLLOW) === 0 ? WALK.FOLLOW : 0) | ((flags & AT.EMPTY_PATH) !== 0 ? WALK.EMPTY : 0)
  let r = walk(state, fproc, nd, int(m, 0), path, how)
  if (r < 0) return r
  const inode = nd.inode as Inode
  r = inode.fs.getattr(inode, st, nd.fresh)
  if (r < 0) return r
  if (high(m, 4) < STATX_BYTES) return -E.FAULT
  const mount = (mask & STATX.MNT_ID) !== 0 ? (mountOf(state, inode, nd.path)?.id ?? -1) : -1
  putStatx(state.sys.view, uint(m, 4), st, mount, inode === inode.fs.root)
  return 0
}

/** access, faccessat, faccessat2: with the real ids, unless AT_EACCESS. */
function access(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  if (fproc === undefined) return -E.SRCH
  const want = int(m, 2)
  const flags = int(m, 3)
  if ((want & ~7) !== 0) return -E.INVAL
  if ((flags & ~(AT.EACCESS | AT.SYMLINK_NOFOLLOW | AT.EMPTY_PATH)) !== 0) return -E.INVAL
  const path = pathOf(state.sys.mem, m, 1)
  if (typeof path === 'number') return path
  const cred = (flags & AT.EACCESS) !== 0 ? fproc.cred : realCredentials(fproc.cred, real)
  const how = ((flags & AT.SYMLINK_NOFOLLOW) === 0 ? WALK.FOLLOW : 0) | ((flags & AT.EMPTY_PATH) !== 0 ? WALK.EMPTY : 0)
  const r = walk(state, fproc, nd, int(m, 0), path, how, cred)
  if (r < 0) return r
  const inode = nd.inode as Inode
  const { mode } = inode
  const onDisk = isRegular(mode) || isDirectory(mode) || isSymlink(mode)
  if ((want & MAY.WRITE) !== 0 && onDisk && inode.fs.readOnly) return -E.ROFS
  return want === 0 ? 0 : permission(inode, want, cred)
}

function readlink(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  if (fproc === undefined) return -E.SRCH
  const size = int(m, 3)
  if (size <= 0) return -E.INVAL
  const path = pathOf(state.sys.mem, m, 1)
  if (typeof path === 'number') return path
  const r = walk(state, fproc, nd, int(m, 0), path, WALK.EMPTY)
  if (r < 0) return r
  const inode = nd.inode as Inode
  // '' is the descriptor, when that is a link (readlinkat(2)); of anything else there is no link called ''
  if (!isSymlink(inode.mode)) return path.text === '' ? -E.NOENT : -E.INVAL
  const text = inode.fs.readlink(inode)
  if (typeof text === 'number') return text
  const bytes = Math.min(text.length, size)
  if (high(m, 2) < bytes) return -E.FAULT
  putText(state.sys.mem, uint(m, 2), bytes < text.length ? text.slice(0, bytes) : text)
  return bytes
}

function putFs(state: FsState, m: Message, cell: number, inode: Inode, path: string): number {
  if (high(m, cell) < STATFS_BYTES) return -E.FAULT
  const mount: Mount | null = mountOf(state, inode, path)
  let flags = ST_VALID | (inode.fs.readOnly ? ST_RDONLY : 0)
  if (mount !== null && !inode.fs.readOnly && /(^|,)ro(,|$)/.test(mount.options)) flags |= ST_RDONLY
  putStatfs(state.sys.view, uint(m, cell), inode.fs.statfs(), inode.fs.dev, flags)
  return 0
}
function statfs(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  if (fproc === undefined) return -E.SRCH
  const path = pathOf(state.sys.mem, m, 0)
  if (typeof path === 'number') return path
  const r = walk(state, fproc, nd, AT.FDCWD, path, WALK.FOLLOW | WALK.NAMED)
  return r < 0 ? r : putFs(state, m, 1, nd.inode as Inode, nd.path)
}
function fstatfs(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const file = fproc === undefined ? null : getFile(fproc, int(m, 0))
  return file === null ? -E.BADF : putFs(state, m, 1, file.inode, file.path)
}

export function attributeCalls(state: FsState): CallVector {
  return {
    [FS.STAT]: (m, from) => stat(state, m, from),
    [FS.FSTAT]: (m, from) => fstat(state, m, from),
    [FS.STATX]: (m, from) => statx(state, m, from),
    [FS.ACCESS]: (m, from) => access(state, m, from),
    [FS.RDLNK]: (m, from) => readlink(state, m, from),
    [FS.STATFS]: (m, from) => statfs(state, m, from),
    [FS.FSTATFS]: (m, from) => fstatfs(state, m, from),
    // No file handles: open_by_handle_at would be a way around paths.
    [FS.NAME_TO_HANDLE]: () => -E.OPNOTSUPP,
  }
}
