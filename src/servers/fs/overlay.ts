// File system 'mol': a host directory seen through, with the workspace over it. Nothing here changes the host outside the store.
// Without a lower directory it is a memfs. What differs from Linux's overlayfs: directories of the base can be renamed (the node keeps
// its place on the host), inode numbers stay across copy-up, and an open file follows its node to the copied data.
// Callers (namei and the handlers) have looked names up and checked permissions; operations here trust that within one message.
import { E } from '../../abi/errno.ts'
import { isRegular, isSymlink, O, S } from '../../abi/fcntl.ts'
import { copyUpData, truncateData } from './copyup.ts'
import type { HostFiles } from './hostfiles.ts'
import { emptyStat, OWN_INODES } from './hosttree.ts'
import type { Credentials, FileOps, FsType, Inode, Stat } from './inode.ts'
import { readMerged } from './listing.ts'
import { Lower } from './lower.ts'
import { Node, type NodeRecord, newRecord, own, pin, recordOf, setEntry, touchChange, touchModify } from './node.ts'
import { regularOps } from './regular.ts'
import { addLink, countSubdirectory, removeDirectory, renameName, unlinkName } from './rename.ts'
import { SEAL } from './seals.ts'
import { countPages } from './smallfile.ts'
import type { Store } from './store.ts'
import { getNodeXattr, listNodeXattrs, removeNodeXattr, setNodeXattr } from './xattr.ts'

const TMPFS_MAGIC = 0x01021994

export interface OverlayOptions {
  host: HostFiles
  /** The base: a host directory. */
  lowerDir: string
  store: Store
  /** st_dev */
  dev: number
  /** Real time, ms. */
  now: () => number
}
export interface MemfsOptions {
  store: Store
  dev: number
  now: () => number
  mode?: number
  uid?: number
  gid?: number
  readOnly?: boolean
  /** f_type of statfs; tmpfs's if absent. */
  magic?: number
}

export class Overlay implements FsType {
  readonly name: string
  readonly dev: number
  readOnly: boolean
  readonly root: Node
  readonly store: Store
  readonly lower: Lower | null
  readonly now: () => number
  private nextIno = OWN_INODES + 2
  /** f_type: the base's. (Programs know of overlayfs what isn't so here: that inotify misses changes, say.) */
  private readonly magic: number
  readonly scratch = emptyStat()

  /** rootFd: host descriptor of the base, or -1 for none. */
  constructor(name: string, options: MemfsOptions, host: HostFiles | null, rootFd: number) {
    this.name = name
    this.dev = options.dev
    this.now = options.now
    this.store = options.store
    this.readOnly = options.readOnly === true
    this.magic = options.magic ?? (host === null ? TMPFS_MAGIC : typeOf(host, rootFd))
    if (host === null) {
      this.lower = null
      this.root = new Node(this, OWN_INODES + 1, S.IFDIR | (options.mode ?? 0o1777), null, '')
      this.root.uid = options.uid ?? 0
      this.root.gid = options.gid ?? 0
      this.root.record = newRecord(this.now())
      this.root.record.nlink = 2
    } else {
      this.lower = new Lower(this, host, options.store.descriptors, rootFd, true, options.now)
      this.lower.onLost = node => this.orphan(node)
      this.lower.tree.stat(this.lower.tree.root, '', this.lower.seen)
      this.root = this.lower.make(null, '', null, '')
    }
    this.root.pinned = true
  }
  /** A memfs nobody sees any more: its data go. */
  discard(node: Node = this.root): void {
    for (const { node: child } of node.entries?.values() ?? []) {
      if (child === null) continue
      if (child.entries !== null) this.discard(child)
      if (child.record !== null && child.record.nlink > 0) {
        child.record.nlink = 0
        this.forget(child)
      }
    }
    node.entries?.clear()
  }
  /** The machine is over: host descriptors go. The store is its owner's. */
  close(): void {
    this.lower?.tree.close()
  }

  // -- names --

  lookup(inode: Inode, name: string, through = false): Node | number {
    const dir = inode as Node
    if (name === '..') return dir.parent ?? dir
    const entry = (dir.entries as NonNullable<Node['entries']>).get(name)
    if (entry !== undefined) {
      if (entry.node === null) return -E.NOENT
      if (entry.node.record !== null || entry.node.covered !== null) return entry.node
    }
    if (dir.lower === null || this.lower === null) return -E.NOENT
    return this.lower.lookup(dir, name, entry, through)
  }

  create(inode: Inode, name: string, mode: number, uid: number, gid: number, rdev: number): Node | number {
    return this.enter(inode as Node, name, mode, uid, gid, rdev)
  }
  mkdir(inode: Inode, name: string, mode: number, uid: number, gid: number): Node | number {
    const node = this.enter(inode as Node, name, S.IFDIR | (mode & ~S.IFMT), uid, gid, 0)
    if (typeof node === 'number') return node
    own(node).nlink = 2
    countSubdirectory(inode as Node, 1)
    return node
  }
  symlink(inode: Inode, name: string, target: string, uid: number, gid: number): Node | number {
    const node = this.enter(inode as Node, name, S.IFLNK | 0o777, uid, gid, 0)
    if (typeof node === 'number') return node
    node.target = target
    own(node).size = target.length
    return node
  }
  /** O_TMPFILE, memfd: a regular file with no name. linkable: linkat may give it one. */
  tmpfile(inode: Inode, mode: number, uid: number, gid: number, linkable: boolean): Node | number {
    return this.fresh(inode as Node, linkable ? '' : '#', mode, uid, gid, 0, 0)
  }
  /** Something to mount on, where there is nothing: no change of the guest's, nor of the directory. */
  mountPoint(dir: Node, name: string, directory: boolean): Node {
    const node = new Node(this, this.nextIno++, directory ? S.IFDIR | 0o755 : S.IFREG | 0o644, dir, name)
    node.record = newRecord(this.now())
    if (directory) node.record.nlink = 2
    node.implied = true
    this.store.inodes++
    pin(node)
    setEntry(dir, name, node)
    return node
  }
  private enter(dir: Node, name: string, mode: number, uid: number, gid: number, rdev: number): Node | number {
    if (dir.gone) return -E.NOENT
    const r = this.modify(dir)
    if (r < 0) return r
    const node = this.fresh(dir, name, mode, uid, gid, rdev, 1)
    if (typeof node === 'number') return node
    setEntry(dir, name, node)
    return node
  }
  private fresh(
    dir: Node,
    name: string,
    mode: number,
    uid: number,
    gid: number,
    rdev: number,
    nlink: number,
  ): Node | number {
    const r = this.store.claimInode()
    if (r < 0) return r
    const node = new Node(this, this.nextIno++, mode, dir, name)
    node.uid = uid
    node.gid = gid
    node.rdev = rdev
    node.record = newRecord(this.now())
    node.record.nlink = nlink
    if (nlink > 0) pin(node)
    return node
  }

  link(inode: Inode, name: string, target: Inode): number {
    return addLink(this, inode as Node, name, target as Node)
  }
  unlink(inode: Inode, name: string): number {
    return unlinkName(this, inode as Node, name)
  }
  rmdir(inode: Inode, name: string): number {
    return removeDirectory(this, inode as Node, name)
  }
  rename(oldDir: Inode, oldName: string, newDir: Inode, newName: string, flags: number): number {
    return renameName(this, oldDir as Node, oldName, newDir as Node, newName, flags)
  }
  /** Last reference gone: what has no name ends. */
  forget(inode: Inode): void {
    const node = inode as Node
    const record = node.record
    if (record === null) {
      if (node.gone) this.lower?.release(node)
      return
    }
    if (record.nlink > 0) return
    if (node.hostIno === 0) this.store.releaseInode()
    if (record.data !== null) this.store.remove(record.data)
    record.data = null
    record.lowerData = false
    node.gone = true
    this.lower?.release(node)
  }

  readlink(inode: Inode): string | number {
    const node = inode as Node
    if (!isSymlink(node.mode)) return -E.INVAL
    if (node.target !== null) return node.target
    return (this.lower as Lower).readlink(node)
  }
  whereis(inode: Inode): { parent: Inode; name: string } | number {
    const node = inode as Node
    if (node.parent === null) return { parent: node, name: '' }
    return node.gone ? -E.NOENT : { parent: node.parent, name: node.name }
  }

  isRemoved(inode: Inode): boolean {
    const { record, gone } = inode as Node
    return record === null ? gone : record.nlink === 0
  }

  // -- attributes --

  getattr(inode: Inode, out: Stat, fresh = false): number {
    const node = inode as Node
    const record = node.record
    if (record === null) {
      const r = (this.lower as Lower).getattr(node, out, fresh)
      out.dev = this.dev
      return r
    }
    out.blocks = 0
    let size = record.size
    if (isRegular(node.mode)) {
      if (record.lowerData) {
        const r = (this.lower as Lower).getattr(node, out, false)
        if (r === 0) size = out.size
        else out.blocks = Math.ceil(size / 4096) * 8
      } else if (record.data !== null) out.blocks = this.blocks(record, out)
    } else if (node.entries !== null) size = this.lower === null ? 40 + 20 * node.entries.size : Math.max(size, 4096)
    out.dev = this.dev
    out.ino = node.ino
    out.mode = node.mode
    out.nlink = record.nlink
    out.uid = node.uid
    out.gid = node.gid
    out.rdev = node.rdev
    out.size = size
    out.blksize = record.blksize
    if (node.entries !== null && this.lower !== null) out.blocks = Math.ceil(size / 4096) * 8
    out.atime = record.atime
    out.atimeNs = record.atimeNs
    out.mtime = record.mtime
    out.mtimeNs = record.mtimeNs
    out.ctime = record.ctime
    out.ctimeNs = record.ctimeNs
    out.btime = record.btime
    out.btimeNs = record.btimeNs
    return 0
  }
  private blocks(record: NodeRecord, out: Stat): number {
    const data = record.data as NonNullable<NodeRecord['data']>
    if (data.name === '') return countPages(data) * 8
    if (record.holes) {
      const fd = this.store.fd(data)
      if (fd >= 0 && this.store.host.stat(fd, '', out) === 0) return out.blocks
    }
    return Math.ceil(data.bytes / 4096) * 8
  }

  setattr(inode: Inode, change: Parameters<FsType['setattr']>[1]): number {
    const node = inode as Node
    if ((node.seals & SEAL.EXEC) !== 0 && change.mode !== undefined && ((change.mode ^ node.mode) & S.IXUGO) !== 0)
      return -E.PERM
    const r = this.copyUp(node)
    if (r < 0) return r
    const record = own(node)
    if (change.size !== undefined) {
      const t = truncateData(this, node, change.size)
      if (t < 0) return t
      touchModify(record, this.now())
    }
    if (change.mode !== undefined) node.mode = (node.mode & S.IFMT) | (change.mode & 0o7777)
    if (change.uid !== undefined) node.uid = change.uid
    if (change.gid !== undefined) node.gid = change.gid
    if (change.atime !== undefined) [record.atime, record.atimeNs] = change.atime
    if (change.mtime !== undefined) [record.mtime, record.mtimeNs] = change.mtime
    touchChange(record, this.now())
    return 0
  }

  /** From here on the attributes are the workspace's own; the data stay where they are. */
  copyUp(node: Node): number {
    if (node.record !== null) return 0
    const lower = this.lower as Lower
    const st = this.scratch
    const r = lower.getattr(node, st, false)
    if (r < 0) return r
    if (isSymlink(node.mode)) {
      const text = lower.readlink(node)
      if (typeof text === 'number') return text
    }
    this.adopt(node, recordOf(st, isRegular(node.mode)))
    return 0
  }
  private adopt(node: Node, record: NodeRecord): void {
    node.record = record
    pin(node)
    // The cache entry becomes one of the workspace's own: its place in listings is among those now.
    if (node.parent !== null && node.parent.entries?.get(node.name)?.node === node)
      setEntry(node.parent, node.name, node)
  }
  /** The host has lost a directory the workspace has things in: it stays, as the workspace's own. */
  private orphan(node: Node): void {
    if (node.record !== null) return
    const record = newRecord(this.now())
    record.nlink = 2
    if (node.lower !== null) this.lower?.tree.forget(node.lower)
    node.lower = null
    this.adopt(node, record)
  }
  /** Attributes are about to change: copied up, ctime now. */
  changed(node: Node): number {
    const r = this.copyUp(node)
    if (r === 0) touchChange(own(node), this.now())
    return r
  }
  /** A directory is about to change. */
  modify(dir: Node): number {
    const r = this.copyUp(dir)
    if (r === 0) touchModify(own(dir), this.now())
    return r
  }

  // -- contents --

  readdir(
    inode: Inode,
    from: number,
    emit: (name: string, ino: number, dtype: number, next: number) => boolean,
  ): number {
    return readMerged(this, inode as Node, from, emit)
  }
  open(inode: Inode, flags: number, by: Credentials): FileOps | number {
    const node = inode as Node
    if (!isRegular(node.mode)) return -E.NXIO
    const record = node.record
    if (record === null || record.lowerData) {
      const fd = (this.lower as Lower).fd(node)
      if (fd < 0) return fd
    }
    node.opens++
    if ((flags & O.ACCMODE) !== O.RDONLY) node.writers++
    return regularOps(by)
  }
  /** Make the data the workspace's own. */
  copyUpData(node: Node): number {
    const r = this.copyUp(node)
    return r < 0 ? r : copyUpData(this, node, Infinity)
  }
  statfs(): ReturnType<FsType['statfs']> {
    return this.store.statfs(this.magic)
  }

  getxattr(inode: Inode, name: string): Uint8Array | number {
    return getNodeXattr(this, inode as Node, name)
  }
  setxattr(inode: Inode, name: string, value: Uint8Array, flags: number): number {
    return setNodeXattr(this, inode as Node, name, value, flags)
  }
  listxattr(inode: Inode): string[] {
    return listNodeXattrs(this, inode as Node)
  }
  removexattr(inode: Inode, name: string): number {
    return removeNodeXattr(this, inode as Node, name)
  }
}

function typeOf(host: HostFiles, fd: number): number {
  const out = { type: 0, bsize: 0, blocks: 0, bfree: 0, bavail: 0, files: 0, ffree: 0, namelen: 0 }
  return host.statfs(fd, out) < 0 ? 0 : out.type
}

/** The root of a machine: `lowerDir` of the host, changes in `store`. -errno when the directory can't be opened. */
export function createOverlay(options: OverlayOptions): Overlay | number {
  const fd = options.host.root(options.lowerDir)
  if (fd < 0) return fd
  return new Overlay('mol', { store: options.store, dev: options.dev, now: options.now }, options.host, fd)
}
