// open, openat, creat, openat2: from a name to a descriptor. The order of checks is Linux's (fs/namei.c: path_openat, do_open).
import { E } from '../../abi/errno.ts'
import { CAP, isDirectory, isRegular, isSymlink, MAY, O, O_TMPFILE_BIT, O_VALID, RESOLVE, S } from '../../abi/fcntl.ts'
import { IN } from '../../abi/inotify.ts'
import { high, int, type Message, uint } from '../../abi/message.ts'
import { getLong } from '../../abi/stat.ts'
import type { CallVector } from '../../lib/server.ts'
import { FS } from '../../protocol/fs.ts'
import { directoryOps } from './directory.ts'
import { installFile } from './filedes.ts'
import type { FileOps, FileTable, Fproc, Inode, OpenFile } from './inode.ts'
import { WALK, Walk, walk } from './namei.ts'
import { notifyEntry, notifyFile } from './notify.ts'
import { joinPath, type Path, pathOf } from './path.ts'
import { actsAsOwner, hasCapability, mayCreate, mayReopen, newGroup, newMode, permission } from './permission.ts'
import { openSpecial } from './special.ts'
import { dropFile, type FsState, fprocOf, type Memfs, newFile, setName } from './state.ts'

const nd = new Walk()
/** What an open leaves in the description. */
const OPEN_ONLY = O.CREAT | O.EXCL | O.NOCTTY | O.TRUNC | O.CLOEXEC
const PATH_FLAGS = O.PATH | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC
const HOW_BYTES = 24

/** An O_PATH file: a name for an inode, no more. */
const pathOps: FileOps = { read: () => -E.BADF, write: () => -E.BADF }

/** Flags as Linux takes them, or -EINVAL. */
export function openFlags(flags: number): number {
  if ((flags & O.PATH) !== 0) return flags & PATH_FLAGS
  if ((flags & (O.CREAT | O.DIRECTORY)) === (O.CREAT | O.DIRECTORY)) return -E.INVAL
  if ((flags & O_TMPFILE_BIT) !== 0) {
    if ((flags & O.DIRECTORY) === 0 || (flags & O.ACCMODE) === O.RDONLY) return -E.INVAL
  }
  return flags
}
/** What the flags ask for; access mode 3 checks for both and gives neither. */
export function openAccess(flags: number): number {
  const access = flags & O.ACCMODE
  let want = access === O.RDONLY ? MAY.READ : access === O.WRONLY ? MAY.WRITE : MAY.READ | MAY.WRITE
  if ((flags & O.TRUNC) !== 0) want |= MAY.WRITE
  return want
}
export function isRunning(state: FsState, inode: Inode): boolean {
  if ((inode.mode & S.IXUGO) === 0) return false
  for (const fproc of state.fprocs) if (fproc !== undefined && fproc.exeInode === inode) return true
  return false
}
export function tableFull(table: FileTable, limit: number): boolean {
  if (table.files.length < limit) return false
  for (let fd = 0; fd < limit; fd++) if (table.files[fd] === null) return false
  return true
}

/** Open `path` → descriptor, -errno or SUSPEND. `flags` from openFlags. */
export function openAt(
  state: FsState,
  fproc: Fproc,
  dirfd: number,
  path: Path,
  flags: number,
  mode: number,
  resolve: number,
  endpoint: number,
): number {
  if (tableFull(fproc.table, fproc.nofile)) return -E.MFILE
  if (state.openFiles >= state.maxFiles) return -E.NFILE
  if ((flags & O_TMPFILE_BIT) !== 0 && (flags & O.PATH) === 0)
    return openTemporary(state, fproc, dirfd, path, flags, mode, resolve)
  const creating = (flags & O.CREAT) !== 0
  let how: number = WALK.NAMED
  if ((flags & O.NOFOLLOW) === 0 && (flags & (O.CREAT | O.EXCL)) !== (O.CREAT | O.EXCL)) how |= WALK.FOLLOW
  if (creating) how |= WALK.MISSING | WALK.CREATE
  if ((flags & O.DIRECTORY) !== 0) how |= WALK.DIRECTORY
  const r = walk(state, fproc, nd, dirfd, path, how, fproc.cred, resolve)
  if (r < 0) return r
  let created = false
  if (creating) {
    const c = nd.inode === null ? createFile(fproc, mode) : checkExisting(fproc, flags)
    if (c < 0) return c
    created = c === 1
  }
  return openInode(state, fproc, nd.inode as Inode, flags, nd.path, created, endpoint)
}
/** O_CREAT and the name is free: nd.inode is the new file. 1 or -errno. */
function createFile(fproc: Fproc, mode: number): number {
  const dir = nd.parent as Inode
  const r = dir.fs.fixed === true ? -E.NOENT : mayCreate(dir, fproc.cred)
  if (r < 0) return r
  const bits = newMode(dir, S.IFREG | (mode & 0o7777 & ~fproc.context.umask), fproc.cred)
  const inode = dir.fs.create(dir, nd.name, bits, fproc.cred.fsuid, newGroup(dir, fproc.cred), 0)
  if (typeof inode === 'number') return inode
  nd.inode = inode
  return 1
}
/** O_CREAT and the name is taken. */
function checkExisting(fproc: Fproc, flags: number): number {
  const inode = nd.inode as Inode
  if ((flags & O.EXCL) !== 0) return -E.EXIST
  if (isDirectory(inode.mode)) return -E.ISDIR
  if (nd.parent !== null && !mayReopen(nd.parent, inode, fproc.cred)) return -E.ACCES
  return 0
}

function openInode(
  state: FsState,
  fproc: Fproc,
  inode: Inode,
  flags: number,
  path: string,
  created: boolean,
  endpoint: number,
): number {
  const type = inode.mode & S.IFMT
  if ((flags & O.PATH) !== 0) {
    if (isSymlink(inode.mode) && (flags & O.NOFOLLOW) === 0) return -E.LOOP
    return install(state, fproc, newFile(state, inode, flags & ~O.CLOEXEC, path, pathOps, 0, null), flags)
  }
  if (isSymlink(inode.mode)) return -E.LOOP
  const want = openAccess(flags)
  if (type === S.IFDIR && (want & MAY.WRITE) !== 0) return -E.ISDIR
  if (!created) {
    const r = mayOpen(state, fproc, inode, want, flags)
    if (r < 0) return r
  }
  if (type === S.IFDIR)
    return install(state, fproc, newFile(state, inode, kept(flags), path, directoryOps, 0, null), flags)
  if (type !== S.IFREG) {
    const file = openSpecial(state, inode, flags, path, fproc, endpoint)
    return typeof file === 'number' ? file : install(state, fproc, file, flags)
  }
  let changes = created ? IN.CREATE : 0
  if ((flags & O.TRUNC) !== 0 && !created) {
    changes = IN.MODIFY
    const change = hasCapability(fproc.cred, CAP.FSETID) ? { size: 0 } : { size: 0, mode: withoutSetid(inode.mode) }
    const r = inode.fs.setattr(inode, change)
    if (r < 0) return r
  }
  const ops = inode.fs.open(inode, flags, fproc.cred)
  if (typeof ops === 'number') return ops
  return install(state, fproc, newFile(state, inode, kept(flags), path, ops, 0, null), flags, changes)
}
function kept(flags: number): number {
  return (flags & ~OPEN_ONLY) | O.LARGEFILE
}
/** Mode bits after a write by someone without CAP_FSETID. */
export function withoutSetid(mode: number): number {
  const sgid = (mode & (S.ISGID | S.IXGRP)) === (S.ISGID | S.IXGRP) ? S.ISGID : 0
  return mode & 0o7777 & ~S.ISUID & ~sgid
}
function mayOpen(state: FsState, fproc: Fproc, inode: Inode, want: number, flags: number): number {
  if ((want & MAY.WRITE) !== 0 && isRegular(inode.mode) && inode.fs.readOnly) return -E.ROFS
  const r = permission(inode, want, fproc.cred)
  if (r < 0) return r
  if ((flags & O.NOATIME) !== 0 && !actsAsOwner(inode, fproc.cred)) return -E.PERM
  if ((want & MAY.WRITE) !== 0 && isRegular(inode.mode) && isRunning(state, inode)) return -E.TXTBSY
  return 0
}
/** Give the file its descriptor. nd: how it was found; what it changed is told in the order it happened. */
function install(state: FsState, fproc: Fproc, file: OpenFile, flags: number, changes = 0): number {
  if (nd.parent !== null && nd.parent.fs === file.inode.fs) setName(file, nd.parent, nd.name)
  const fd = installFile(fproc, file, (flags & O.CLOEXEC) !== 0)
  if (fd < 0) dropFile(state, file)
  else if (state.watched !== 0 && (flags & O.PATH) === 0) {
    if (nd.parent !== null && (changes & IN.CREATE) !== 0) notifyEntry(state, IN.CREATE, nd.parent, nd.name, file.inode)
    notifyFile(state, IN.OPEN, file)
    if ((changes & IN.MODIFY) !== 0) notifyFile(state, IN.MODIFY, file)
  }
  return fd
}

/** O_TMPFILE: a file without a name, that linkat may give one. */
function openTemporary(
  state: FsState,
  fproc: Fproc,
  dirfd: number,
  path: Path,
  flags: number,
  mode: number,
  resolve: number,
): number {
  const follow = (flags & O.NOFOLLOW) === 0 ? WALK.FOLLOW : 0
  let r = walk(state, fproc, nd, dirfd, path, follow | WALK.DIRECTORY | WALK.NAMED, fproc.cred, resolve)
  if (r < 0) return r
  const dir = nd.inode as Inode
  r = mayCreate(dir, fproc.cred)
  if (r < 0) return r
  const make = (dir.fs as Partial<Memfs>).tmpfile
  if (make === undefined) return -E.OPNOTSUPP
  const bits = newMode(dir, S.IFREG | (mode & 0o7777 & ~fproc.context.umask), fproc.cred)
  const inode = make.call(dir.fs, dir, bits, fproc.cred.fsuid, newGroup(dir, fproc.cred), (flags & O.EXCL) === 0)
  if (typeof inode === 'number') return inode
  const ops = inode.fs.open(inode, flags, fproc.cred)
  if (typeof ops === 'number') return ops
  const name = `${joinPath(nd.path, `#${inode.ino}`)} (deleted)`
  nd.parent = dir
  nd.name = `#${inode.ino}`
  return install(state, fproc, newFile(state, inode, kept(flags), name, ops, 0, null), flags)
}

function open(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  if (fproc === undefined) return -E.SRCH
  const flags = openFlags(int(m, 2) & O_VALID)
  if (flags < 0) return flags
  const path = pathOf(state.sys.mem, m, 1)
  if (typeof path === 'number') return path
  return openAt(state, fproc, int(m, 0), path, flags, int(m, 3), 0, from)
}

/** openat2(2): struct open_how { u64 flags, mode, resolve }; longer is fine if the rest is zero. */
function openat2(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  if (fproc === undefined) return -E.SRCH
  const { mem, view } = state.sys
  const at = uint(m, 2)
  const bytes = high(m, 2)
  if (bytes < HOW_BYTES) return -E.INVAL
  const flags = getLong(view, at)
  const mode = getLong(view, at + 8)
  const resolve = getLong(view, at + 16)
  for (let i = at + HOW_BYTES; i < at + bytes; i++) if (mem[i] !== 0) return -E.TOOBIG
  if (flags < 0 || flags > 0x7fffffff || (flags & ~O_VALID) !== 0) return -E.INVAL
  if (mode < 0 || mode > 0o7777 || (mode !== 0 && (flags & (O.CREAT | O_TMPFILE_BIT)) === 0)) return -E.INVAL
  if (resolve < 0 || resolve > 0x3f) return -E.INVAL
  if ((resolve & (RESOLVE.BENEATH | RESOLVE.IN_ROOT)) === (RESOLVE.BENEATH | RESOLVE.IN_ROOT)) return -E.INVAL
  if ((flags & O.PATH) !== 0 && (flags & ~PATH_FLAGS) !== 0) return -E.INVAL
  const checked = openFlags(flags)
  if (checked < 0) return checked
  if ((resolve & RESOLVE.CACHED) !== 0) return -E.AGAIN // nothing here promises not to ask the host
  const path = pathOf(mem, m, 1)
  if (typeof path === 'number') return path
  return openAt(state, fproc, int(m, 0), path, checked, mode, resolve, from)
}

export function openCalls(state: FsState): CallVector {
  return {
    [FS.OPEN]: (m, from) => open(state, m, from),
    [FS.OPENAT2]: (m, from) => openat2(state, m, from),
  }
}
