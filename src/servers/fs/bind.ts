// A host directory (or file) bound into the machine: `-v HOST:GUEST[:ro]`. Changes go through to the host, made by the host user mol
// runs as; what the host refuses is refused. Host devices, FIFOs and sockets are shown, never opened.
import { E } from '../../abi/errno.ts'
import { isDirectory, isRegular, isSymlink, O, RENAME, S, UTIME_OMIT } from '../../abi/fcntl.ts'
import { boundOps } from './bound.ts'
import { held, peek } from './descriptors.ts'
import type { HostFiles, HostStatfs } from './hostfiles.ts'
import { emptyStat, type HostDir } from './hosttree.ts'
import type { Credentials, FileOps, FsType, Inode, Stat } from './inode.ts'
import { Lower } from './lower.ts'
import type { Node } from './node.ts'
import type { Store } from './store.ts'

const AT_REMOVEDIR = 0x200

export interface BindOptions {
  host: HostFiles
  /** Host directory or file. */
  hostPath: string
  readOnly: boolean
  /** Whose host descriptors it shares. */
  store: Store
  dev: number
  /** Real time, ms. */
  now: () => number
}

export class BindFs implements FsType {
  readonly name = 'mol'
  readonly dev: number
  readonly readOnly: boolean
  readonly root: Node
  readonly lower: Lower
  private readonly host: HostFiles
  private readonly statfsOut: HostStatfs = {
    type: 0,
    bsize: 4096,
    blocks: 0,
    bfree: 0,
    bavail: 0,
    files: 0,
    ffree: 0,
    namelen: 255,
  }

  /** rootFd: of the directory, or of the directory `fileName` is in. */
  constructor(options: BindOptions, rootFd: number, fileName: string) {
    this.host = options.host
    this.dev = options.dev
    this.readOnly = options.readOnly
    this.lower = new Lower(this, options.host, options.store.descriptors, rootFd, false, options.now)
    const top = this.lower.tree.root
    this.lower.tree.stat(top, fileName, this.lower.seen)
    this.root = this.lower.make(null, '', fileName === '' ? null : top, fileName)
    this.root.pinned = true
  }
  close(): void {
    this.lower.tree.close()
  }

  lookup(inode: Inode, name: string, through = false): Node | number {
    const dir = inode as Node
    if (name === '..') return dir.parent ?? dir
    if (dir.lower === null) return -E.NOENT
    return this.lower.lookup(dir, name, dir.entries?.get(name), through)
  }

  private dirFd(dir: Node): number {
    return dir.lower === null ? -E.NOENT : this.lower.tree.fd(dir.lower)
  }
  /** The object just made, with the mode and owner asked for as far as the host user can give them. */
  private made(dir: Node, name: string, mode: number, uid: number, gid: number): Node | number {
    const node = this.lookup(dir, name)
    if (typeof node === 'number') return node
    if (node.uid !== uid || node.gid !== gid) this.setattr(node, { uid, gid })
    if (!isSymlink(node.mode) && (node.mode & 0o7777) !== (mode & 0o7777)) this.setattr(node, { mode })
    return this.lookup(dir, name)
  }
  create(inode: Inode, name: string, mode: number, uid: number, gid: number, rdev: number): Node | number {
    const dir = inode as Node
    const type = mode & S.IFMT
    if (type === S.IFCHR || type === S.IFBLK) return -E.PERM
    const fd = this.dirFd(dir)
    if (fd < 0) return fd
    let r: number
    if (type === S.IFREG) {
      r = this.host.open(fd, name, O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW, mode & 0o777)
      if (r >= 0) r = this.host.close(r)
    } else r = this.host.mknod(fd, name, mode & (S.IFMT | 0o777), rdev)
    return r < 0 ? r : this.made(dir, name, mode, uid, gid)
  }
  mkdir(inode: Inode, name: string, mode: number, uid: number, gid: number): Node | number {
    const fd = this.dirFd(inode as Node)
    const r = fd < 0 ? fd : this.host.mkdir(fd, name, mode & 0o777)
    return r < 0 ? r : this.made(inode as Node, name, mode, uid, gid)
  }
  symlink(inode: Inode, name: string, target: string, uid: number, gid: number): Node | number {
    const fd = this.dirFd(inode as Node)
    const r = fd < 0 ? fd : this.host.symlink(fd, name, target)
    return r < 0 ? r : this.made(inode as Node, name, 0o777, uid, gid)
  }
  link(inode: Inode, name: string, target: Inode): number {
    const node = target as Node
    const to = this.dirFd(inode as Node)
    if (to < 0) return to
    const from = this.lower.tree.fd(node.originDir ?? this.lower.tree.root)
    const r = from < 0 ? from : this.host.link(from, node.originName, to, name)
    if (r === 0) this.lower.share(node)
    return r
  }
  unlink(inode: Inode, name: string): number {
    return this.remove(inode as Node, name, 0)
  }
  rmdir(inode: Inode, name: string): number {
    return this.remove(inode as Node, name, AT_REMOVEDIR)
  }
  private remove(dir: Node, name: string, flags: number): number {
    const node = this.lookup(dir, name)
    if (typeof node === 'number') return node
    const several = this.lower.seen.nlink > 1
    const fd = this.dirFd(dir)
    if (fd < 0) return fd
    this.secure(node)
    const r = this.host.unlink(fd, name, flags)
    if (r === 0) this.unlinked(dir, name, node, several)
    return r
  }
  /** An open file is about to lose its name: its descriptors must last. */
  private secure(node: Node): void {
    if (node.opens === 0) return
    const { descriptors } = this.lower
    if (node.opens > node.writers || node.writing === null) this.lower.fd(node)
    if (node.writers > 0) this.writeFd(node)
    descriptors.fix(node.reading)
    descriptors.fix(node.writing)
  }
  /** several: the host has other names for it. */
  private unlinked(dir: Node, name: string, node: Node, several: boolean): void {
    dir.entries?.delete(name)
    if (several && !isDirectory(node.mode)) return
    node.gone = true
    if (node.opens === 0) this.lower.release(node)
    if (isDirectory(node.mode)) node.lower = null
  }

  rename(oldInode: Inode, oldName: string, newInode: Inode, newName: string, flags: number): number {
    const oldDir = oldInode as Node
    const newDir = newInode as Node
    const node = this.lookup(oldDir, oldName)
    if (typeof node === 'number') return node
    const target = this.lookup(newDir, newName)
    if (typeof target === 'number' && target !== -E.NOENT) return target
    if (target === node) return (flags & RENAME.NOREPLACE) !== 0 ? -E.EXIST : 0
    const several = this.lower.seen.nlink > 1
    if (typeof target !== 'number') this.secure(target)
    const to = this.dirFd(newDir)
    if (to < 0) return to
    const from = this.dirFd(oldDir)
    if (from < 0) return from
    const r = this.host.rename(from, oldName, to, newName, flags)
    if (r < 0) return r
    oldDir.entries?.delete(oldName)
    if (typeof target !== 'number') {
      if ((flags & RENAME.EXCHANGE) !== 0) this.moved(target, oldDir, oldName)
      else this.unlinked(newDir, newName, target, several)
    }
    this.moved(node, newDir, newName)
    return 0
  }
  private moved(node: Node, dir: Node, name: string): void {
    node.parent = dir
    node.name = name
    node.originDir = dir.lower
    node.originName = name
    if (node.lower !== null) {
      node.lower.parent = dir.lower as HostDir
      node.lower.name = name
    }
    dir.entries?.delete(name)
    dir.entries?.set(name, { node, cookie: 0 })
  }

  readlink(inode: Inode): string | number {
    const node = inode as Node
    return isSymlink(node.mode) ? this.lower.readlink(node) : -E.INVAL
  }
  whereis(inode: Inode): { parent: Inode; name: string } | number {
    const node = inode as Node
    if (node.parent === null) return { parent: node, name: '' }
    return node.gone ? -E.NOENT : { parent: node.parent, name: node.name }
  }
  getattr(inode: Inode, out: Stat, fresh = false): number {
    const r = this.lower.getattr(inode as Node, out, fresh)
    out.dev = this.dev
    return r
  }

  setattr(inode: Inode, change: Parameters<FsType['setattr']>[1]): number {
    const node = inode as Node
    if (this.readOnly) return -E.ROFS
    let r = 0
    if (change.size !== undefined) {
      const fd = this.writeFd(node)
      r = fd < 0 ? fd : this.host.truncate(fd, change.size)
      if (r < 0) return r
    }
    const { mode, uid, gid, atime, mtime } = change
    if (mode === undefined && uid === undefined && gid === undefined && atime === undefined && mtime === undefined)
      return 0
    const fd = this.handle(node)
    if (fd < 0) return fd
    if (uid !== undefined || gid !== undefined) r = this.host.chown(fd, uid ?? -1, gid ?? -1)
    if (r === 0 && mode !== undefined) r = this.host.chmod(fd, mode & 0o7777)
    if (r === 0 && (atime !== undefined || mtime !== undefined)) {
      r = this.host.utimes(fd, atime?.[0] ?? 0, atime?.[1] ?? UTIME_OMIT, mtime?.[0] ?? 0, mtime?.[1] ?? UTIME_OMIT)
    }
    this.host.close(fd)
    if (r === 0) this.reflect(node, change)
    return r
  }
  private reflect(node: Node, change: { mode?: number; uid?: number; gid?: number }): void {
    if (change.uid !== undefined) node.uid = change.uid
    if (change.gid !== undefined) node.gid = change.gid
    if (change.mode !== undefined) node.mode = (node.mode & S.IFMT) | (change.mode & 0o7777)
  }
  /** An O_PATH descriptor of the object itself, whatever it is; the caller closes it. */
  private handle(node: Node): number {
    const open = Math.max(peek(node.reading), peek(node.writing))
    if (open >= 0 && node.gone) return this.host.root(`/proc/self/fd/${open}`)
    const { tree } = this.lower
    return tree.open(node.originDir ?? tree.root, node.originName === '' ? '.' : node.originName, O.PATH)
  }

  readdir(
    inode: Inode,
    from: number,
    emit: (name: string, ino: number, dtype: number, next: number) => boolean,
  ): number {
    const dir = inode as Node
    if (dir.lower === null) return 0
    if (from < 1 && !emit('.', dir.ino, 4, 1)) return 0
    if (from < 2 && !emit('..', (dir.parent ?? dir).ino, 4, 2)) return 0
    const listing = this.lower.list(dir.lower, from < 2)
    if (typeof listing === 'number') return listing
    const { names, inos, types } = listing
    for (let i = Math.max(0, from - 2); i < names.length; i++) {
      const ino = this.lower.tree.inode(dir.hostDev, inos[i] as number)
      if (!emit(names[i] as string, ino, types[i] as number, i + 3)) break
    }
    return 0
  }

  /** Descriptor for writing (and mapping), opened once for all. */
  writeFd(node: Node): number {
    const { descriptors } = this.lower
    if (node.writing !== null && node.writing.fd >= 0) return descriptors.use(node.writing)
    let fd = this.lower.openVerified(node, O.RDWR)
    if (fd === -E.ACCES) fd = this.lower.openVerified(node, O.WRONLY)
    node.writing ??= held()
    return fd < 0 ? fd : descriptors.keep(node.writing, fd)
  }
  open(inode: Inode, flags: number, _by: Credentials): FileOps | number {
    const node = inode as Node
    if (!isRegular(node.mode)) return -E.NXIO
    const access = flags & O.ACCMODE
    const fd = access === O.RDONLY ? this.lower.fd(node) : this.writeFd(node)
    if (fd < 0) return fd
    if (access === O.RDWR) {
      const both = this.lower.fd(node)
      if (both < 0) return both
    }
    node.opens++
    if (access !== O.RDONLY) node.writers++
    return boundOps
  }
  statfs(): ReturnType<FsType['statfs']> {
    const s = this.statfsOut
    this.host.statfs(this.lower.tree.root.fd, s)
    return {
      type: s.type,
      bsize: s.bsize,
      blocks: s.blocks,
      bfree: s.bavail,
      files: s.files,
      ffree: s.ffree,
      namelen: s.namelen,
    }
  }
  isRemoved(inode: Inode): boolean {
    return (inode as Node).gone
  }
  forget(inode: Inode): void {
    const node = inode as Node
    if (node.gone) this.lower.release(node)
  }

  private originFd(node: Node): number {
    return this.lower.tree.fd(node.originDir ?? this.lower.tree.root)
  }
  getxattr(inode: Inode, name: string): Uint8Array | number {
    const fd = this.originFd(inode as Node)
    return fd < 0 ? fd : this.host.getxattr(fd, (inode as Node).originName, name)
  }
  setxattr(inode: Inode, name: string, value: Uint8Array, flags: number): number {
    const fd = this.originFd(inode as Node)
    return fd < 0 ? fd : this.host.setxattr(fd, (inode as Node).originName, name, value, flags)
  }
  listxattr(inode: Inode): string[] {
    const fd = this.originFd(inode as Node)
    const names = fd < 0 ? fd : this.host.listxattr(fd, (inode as Node).originName)
    return typeof names === 'number' ? [] : names
  }
  removexattr(inode: Inode, name: string): number {
    const fd = this.originFd(inode as Node)
    return fd < 0 ? fd : this.host.removexattr(fd, (inode as Node).originName, name)
  }
}

/** `hostPath` of the host as a file system of the machine, or -errno. */
export function createBind(options: BindOptions): BindFs | number {
  const { host } = options
  const fd = host.root(options.hostPath)
  if (fd < 0) return fd
  const st = emptyStat()
  const r = host.stat(fd, '', st)
  if (r < 0) {
    host.close(fd)
    return r
  }
  if (isDirectory(st.mode)) return new BindFs(options, fd, '')
  if (!isRegular(st.mode)) {
    host.close(fd)
    return -E.NOTDIR
  }
  // A file is reached through its directory, wherever links on the way led.
  const real = realPath(host, fd)
  host.close(fd)
  if (typeof real === 'number') return real
  const slash = real.lastIndexOf('/')
  const dir = host.root(slash === 0 ? '/' : real.slice(0, slash))
  return dir < 0 ? dir : new BindFs(options, dir, real.slice(slash + 1))
}
function realPath(host: HostFiles, fd: number): string | number {
  const proc = host.root('/proc/self/fd')
  if (proc < 0) return proc
  const path = host.readlink(proc, String(fd))
  host.close(proc)
  return path
}
