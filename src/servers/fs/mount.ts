// The mount table: what boot mounts, and mount(2)/umount2(2) inside the machine: tmpfs, what boot mounted already (proc, devtmpfs,
// devpts), and directories bound elsewhere. A mount covers a directory: on.covered is the root seen there.
import { E } from '../../abi/errno.ts'
import { AT, CAP, isDirectory, MNT, MS } from '../../abi/fcntl.ts'
import { high, int, type Message, uint } from '../../abi/message.ts'
import type { CallVector } from '../../lib/server.ts'
import { FS } from '../../protocol/fs.ts'
import type { Credentials, Fproc, FsType, Inode } from './inode.ts'
import { createMemfs } from './memfs.ts'
import { mountOf, mountOfRoot } from './mountpoint.ts'
import { WALK, Walk, walk } from './namei.ts'
import type { Node } from './node.ts'
import { Overlay } from './overlay.ts'
import { notifyUnmount } from './notify.ts'
import { joinPath, type Path, parsePath, pathOf, textOf } from './path.ts'
import { hasCapability } from './permission.ts'
import { dropInode, type FsState, fprocOf, holdInode, type Mount } from './state.ts'

const nd = new Walk()
const source = new Walk()
const ALL: Credentials = { uid: 0, euid: 0, fsuid: 0, gid: 0, egid: 0, fsgid: 0, groups: [], capabilities: 2 ** 41 - 1 }
/** st_dev of file systems mounted by guests: major 0, as the kernel gives to all without a device. */
const FIRST_DEV = 64

/** Mount `fs` (or the directory `root` of it) at `path`, for boot; directories that are missing are made. The first mount is '/'. */
export function mountAt(
  state: FsState,
  path: string,
  fs: FsType,
  given: { source?: string; options?: string; root?: Inode } = {},
): number {
  const root = given.root ?? fs.root
  const options = given.options ?? (fs.readOnly ? 'ro,relatime' : 'rw,relatime')
  if (state.mounts.length === 0) {
    if (path !== '/') return -E.INVAL
    addMount(state, fs, root, null, '/', given.source ?? fs.name, options)
    return 0
  }
  const on = makePath(state, path, isDirectory(root.mode))
  if (typeof on === 'number') return on
  addMount(state, fs, root, on, nd.path, given.source ?? fs.name, options)
  return 0
}
function addMount(
  state: FsState,
  fs: FsType,
  root: Inode,
  on: Inode | null,
  path: string,
  source: string,
  options: string,
): void {
  const parent = on === null ? 0 : (mountOf(state, on, path)?.id ?? 0)
  holdInode(root)
  if (on !== null) {
    holdInode(on)
    on.covered = root
  }
  state.mounts.push({ id: state.nextMount++, parent, fs, root, on, path, source, options })
}

/** The inode at `path` from the machine's root, made if missing (a file if `directory` is false). Its name is left in nd.path. */
function makePath(state: FsState, path: string, directory: boolean): Inode | number {
  const { root } = state.mounts[0] as Mount
  const context = { refs: 1, root, rootPath: '/', cwd: root, cwdPath: '/', umask: 0 }
  const boot = { context, cred: ALL } as Fproc
  const { parts } = parsePath(path)
  let text = '/'
  for (let i = 0; i < parts.length; i++) {
    text = joinPath(text, parts[i] as string)
    const r = walk(state, boot, nd, AT.FDCWD, parsePath(text), WALK.FOLLOW | WALK.MISSING | WALK.NAMED)
    if (r < 0) return r
    if (nd.inode !== null) continue
    const dir = nd.parent as Inode
    const last = i === parts.length - 1
    const made = makePoint(dir, nd.name, !last || directory)
    if (typeof made === 'number') return made
    nd.inode = made
  }
  if (parts.length === 0) walk(state, boot, nd, AT.FDCWD, parsePath('/'), WALK.NAMED)
  const inode = nd.inode as Inode
  return isDirectory(inode.mode) === directory ? inode : -E.NOTDIR
}

function makePoint(dir: Inode, name: string, directory: boolean): Inode | number {
  if (dir.fs instanceof Overlay) return dir.fs.mountPoint(dir as Node, name, directory)
  return directory ? dir.fs.mkdir(dir, name, 0o755, 0, 0) : dir.fs.create(dir, name, 0o100644, 0, 0, 0)
}

const IGNORED = MS.PRIVATE | MS.SLAVE | MS.SHARED | MS.UNBINDABLE
function mount(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  if (fproc === undefined) return -E.SRCH
  const { mem } = state.sys
  const target = pathOf(mem, m, 1)
  if (typeof target === 'number') return target
  const flags = uint(m, 3)
  const r = walk(state, fproc, nd, AT.FDCWD, target, WALK.FOLLOW | WALK.NAMED)
  if (r < 0) return r
  if (!hasCapability(fproc.cred, CAP.SYS_ADMIN)) return -E.PERM
  const on = nd.inode as Inode
  const path = nd.path
  if ((flags & MS.REMOUNT) !== 0) return remount(state, on, path, flags)
  if ((flags & MS.BIND) !== 0) return bind(state, fproc, m, on, path)
  if ((flags & IGNORED) !== 0) return mountOfRoot(state, on, path) === null ? -E.INVAL : 0 // no mount ever leaves this machine
  if ((flags & MS.MOVE) !== 0) return -E.INVAL
  if (high(m, 2) === 0) return -E.INVAL
  if (!isDirectory(on.mode)) return -E.NOTDIR
  const type = textOf(mem, m, 2)
  const name = high(m, 0) === 0 ? 'none' : textOf(mem, m, 0)
  return type === 'tmpfs' || type === 'ramfs'
    ? mountTmpfs(state, on, path, name, type, flags, textOf(mem, m, 4))
    : mountKnown(state, on, path, name, type, flags)
}
function mountTmpfs(
  state: FsState,
  on: Inode,
  path: string,
  name: string,
  type: string,
  flags: number,
  data: string,
): number {
  const options = parseOptions(data)
  if (typeof options === 'number') return options
  const readOnly = (flags & MS.RDONLY) !== 0
  const fs = createMemfs({
    name: type,
    store: state.store,
    dev: FIRST_DEV + state.nextMount,
    now: () => state.sys.realtime(),
    readOnly,
    ...options,
  })
  addMount(state, fs, fs.root, on, path, name, optionText(flags))
  return 0
}
/** tmpfs(5): mode, uid, gid count; size, nr_inodes and the like are accepted: the workspace has the limits. */
function parseOptions(data: string): { mode?: number; uid?: number; gid?: number } | number {
  const out: { mode?: number; uid?: number; gid?: number } = {}
  for (const option of data.split(',')) {
    if (option === '') continue
    const [key = '', value = ''] = option.split('=')
    if (key === 'mode' && /^[0-7]+$/.test(value)) out.mode = Number.parseInt(value, 8) & 0o7777
    else if ((key === 'uid' || key === 'gid') && /^\d+$/.test(value)) out[key] = Number(value)
    else if (!/^(size|nr_blocks|nr_inodes|huge|mpol|inode32|inode64|noswap)$/.test(key)) return -E.INVAL
  }
  return out
}
function optionText(flags: number): string {
  let text = (flags & MS.RDONLY) !== 0 ? 'ro' : 'rw'
  if ((flags & MS.NOSUID) !== 0) text += ',nosuid'
  if ((flags & MS.NODEV) !== 0) text += ',nodev'
  if ((flags & MS.NOEXEC) !== 0) text += ',noexec'
  return `${text},relatime`
}
/** proc and its like are one per machine: mounted again, they are the same. */
function mountKnown(state: FsState, on: Inode, path: string, name: string, type: string, flags: number): number {
  if (type === 'mol') return -E.NODEV
  for (const known of state.mounts) {
    if (known.fs.name !== type || known.root !== known.fs.root) continue
    addMount(state, known.fs, known.root, on, path, name, optionText(flags))
    return 0
  }
  return -E.NODEV
}
function bind(state: FsState, fproc: Fproc, m: Message, on: Inode, path: string): number {
  const from: Path | number = pathOf(state.sys.mem, m, 0)
  if (typeof from === 'number') return from
  const r = walk(state, fproc, source, AT.FDCWD, from, WALK.FOLLOW | WALK.NAMED)
  if (r < 0) return r
  const root = source.inode as Inode
  if (isDirectory(root.mode) !== isDirectory(on.mode)) return -E.NOTDIR
  if (root === on) return 0 // what is seen there already
  addMount(state, root.fs, root, on, path, mountOf(state, root, source.path)?.source ?? root.fs.name, 'rw,relatime')
  return 0
}
/** Only a tmpfs of the guest's own can be turned read-only and back. */
function remount(state: FsState, on: Inode, path: string, flags: number): number {
  const known = mountOfRoot(state, on, path)
  if (known === null) return -E.INVAL
  const readOnly = (flags & MS.RDONLY) !== 0
  if (readOnly !== known.fs.readOnly) {
    if (!(known.fs instanceof Overlay) || known.fs.lower !== null) return -E.PERM
    known.fs.readOnly = readOnly
  }
  known.options = optionText(flags)
  return 0
}

function umount(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  if (fproc === undefined) return -E.SRCH
  const flags = int(m, 1)
  if ((flags & ~(MNT.FORCE | MNT.DETACH | MNT.EXPIRE | MNT.NOFOLLOW)) !== 0) return -E.INVAL
  if (!hasCapability(fproc.cred, CAP.SYS_ADMIN)) return -E.PERM
  const target = pathOf(state.sys.mem, m, 0)
  if (typeof target === 'number') return target
  const r = walk(state, fproc, nd, AT.FDCWD, target, ((flags & MNT.NOFOLLOW) === 0 ? WALK.FOLLOW : 0) | WALK.NAMED)
  if (r < 0) return r
  const known = mountOfRoot(state, nd.inode as Inode, nd.path)
  if (known === null) return -E.INVAL
  if (known.on === null) return -E.BUSY
  const busy = inUse(state, known)
  if (busy && (flags & MNT.DETACH) === 0) return -E.BUSY
  if ((flags & MNT.EXPIRE) !== 0) return -E.AGAIN
  known.on.covered = null
  state.mounts.splice(state.mounts.indexOf(known), 1)
  dropInode(known.on)
  dropInode(known.root)
  const last = !state.mounts.some(other => other.fs === known.fs)
  if (last && state.watched !== 0) notifyUnmount(state, known.fs)
  if (last && !busy && known.fs instanceof Overlay && known.fs.lower === null && known.fs.dev >= FIRST_DEV)
    known.fs.discard()
  return 0
}
/** Does anything lie below the mount or does anybody stand in it? */
function inUse(state: FsState, known: Mount): boolean {
  for (const other of state.mounts) if (other !== known && other.parent === known.id) return true
  const shared = state.mounts.some(other => other !== known && other.fs === known.fs)
  if (shared) return false
  for (const fproc of state.fprocs) {
    if (fproc === undefined) continue
    if (fproc.context.cwd.fs === known.fs || fproc.context.root.fs === known.fs || fproc.exeInode?.fs === known.fs)
      return true
    for (const file of fproc.table.files) if (file !== null && file.inode.fs === known.fs) return true
  }
  return false
}

export function mountCalls(state: FsState): CallVector {
  return {
    [FS.MOUNT]: (m, from) => mount(state, m, from),
    [FS.UMOUNT]: (m, from) => umount(state, m, from),
  }
}
