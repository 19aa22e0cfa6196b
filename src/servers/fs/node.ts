// Node: the inode of overlay, memfs and bind. Without a record it is a host object seen through (its attributes are the host's, mode,
// uid and gid a copy from the last look); with one it is the workspace's own, and the host is asked for nothing but, perhaps, its data.
// Invariants: a node with a record, or with one below it, is pinned: reachable from the root by entries that never go. `entries` of a
// directory holds the workspace's own entries, whiteouts (node null: a lower name that is gone), and lower nodes cached.
import { isDirectory } from '../../abi/fcntl.ts'
import type { Held } from './descriptors.ts'
import type { HostDir } from './hosttree.ts'
import type { FsType, Inode, Stat } from './inode.ts'
import type { DataFile } from './smallfile.ts'

export interface Entry {
  node: Node | null
  readonly cookie: number
}

/** Attributes of the workspace's own. */
export interface NodeRecord {
  nlink: number
  size: number
  blksize: number
  atime: number
  atimeNs: number
  mtime: number
  mtimeNs: number
  ctime: number
  ctimeNs: number
  btime: number
  btimeNs: number
  /** Regular file: the data are still those of the lower file. */
  lowerData: boolean
  /** Regular file: null while nothing was written. */
  data: DataFile | null
  /** Size was ever moved past what was written: ask the host for the blocks. */
  holes: boolean
  /** Attributes set here, or null: the lower file's, if there is one. */
  xattrs: Map<string, Uint8Array> | null
}

let cookies = 1
/** Cookies only order the entries of one directory; they need not be the same in another run. */
export function nextCookie(): number {
  return cookies++
}

export class Node implements Inode {
  readonly fs: FsType
  readonly ino: number
  mode: number
  uid = 0
  gid = 0
  rdev = 0
  refs = 0
  covered: Inode | null = null
  record: NodeRecord | null = null
  /** Where a directory stands; for others one of their names. Root: null. */
  parent: Node | null
  name: string
  entries: Map<string, Entry> | null
  /** Directory: what is merged below it. */
  lower: HostDir | null = null
  /** Where its host object is: directory and name in it ('' = the tree's root). */
  originDir: HostDir | null = null
  originName = ''
  hostDev = 0
  hostIno = 0
  hostCtime = 0
  hostCtimeNs = 0
  /** When it was last seen on the host, monotonic ms. */
  checked = -Infinity
  /** Symbolic link: its text, once read. */
  target: string | null = null
  /** Lower data for reading; for a writable bind also `writing`. */
  reading: Held | null = null
  writing: Held | null = null
  /** Open files of it, and those that may write. */
  opens = 0
  writers = 0
  pinned = false
  /** Seen since the cache's hand last passed. */
  used = false
  /** No longer what its entry stands for: evicted, or removed. */
  gone = false
  /** A memfd's: SEAL of seals.ts. */
  seals = 0
  /** Made by the machine to mount on, not a change of the guest's. */
  implied = false

  constructor(fs: FsType, ino: number, mode: number, parent: Node | null, name: string) {
    this.fs = fs
    this.ino = ino
    this.mode = mode
    this.parent = parent
    this.name = name
    this.entries = isDirectory(mode) ? new Map() : null
  }
}

/** The node stays, and so does everything above it. */
export function pin(node: Node): void {
  for (let n: Node | null = node; n !== null && !n.pinned; n = n.parent) n.pinned = true
}
export function setEntry(dir: Node, name: string, node: Node | null): void {
  const entries = dir.entries as Map<string, Entry>
  const old = entries.get(name)
  if (old !== undefined && old.node !== null && old.node.record === null && node !== null && node.record === null)
    old.node = node
  else {
    if (old !== undefined) entries.delete(name)
    entries.set(name, { node, cookie: nextCookie() })
  }
  if (node === null) pin(dir)
}

/** The record of a node that has been copied up. */
export function own(node: Node): NodeRecord {
  return node.record as NodeRecord
}
/** `now`: real time in ms. */
export function newRecord(now: number): NodeRecord {
  const seconds = Math.floor(now / 1000)
  const ns = Math.floor((now - seconds * 1000) * 1e6)
  return {
    nlink: 1,
    size: 0,
    blksize: 4096,
    atime: seconds,
    atimeNs: ns,
    mtime: seconds,
    mtimeNs: ns,
    ctime: seconds,
    ctimeNs: ns,
    btime: seconds,
    btimeNs: ns,
    lowerData: false,
    data: null,
    holes: false,
    xattrs: null,
  }
}
export function recordOf(st: Stat, lowerData: boolean): NodeRecord {
  return {
    nlink: st.nlink,
    size: st.size,
    blksize: st.blksize,
    atime: st.atime,
    atimeNs: st.atimeNs,
    mtime: st.mtime,
    mtimeNs: st.mtimeNs,
    ctime: st.ctime,
    ctimeNs: st.ctimeNs,
    btime: st.btime,
    btimeNs: st.btimeNs,
    lowerData,
    data: null,
    holes: false,
    xattrs: null,
  }
}
export function touchChange(record: NodeRecord, now: number): void {
  record.ctime = Math.floor(now / 1000)
  record.ctimeNs = Math.floor((now - record.ctime * 1000) * 1e6)
}
export function touchModify(record: NodeRecord, now: number): void {
  touchChange(record, now)
  record.mtime = record.ctime
  record.mtimeNs = record.ctimeNs
}
/** relatime (mount(8)): only when the old access time tells nothing any more. */
export function touchAccess(record: NodeRecord, now: number): void {
  const seconds = Math.floor(now / 1000)
  const a = record.atime
  if (a > record.mtime && a > record.ctime && seconds - a < 86400) return
  if (a === record.mtime && record.atimeNs > record.mtimeNs && a >= record.ctime && seconds - a < 86400) return
  record.atime = seconds
  record.atimeNs = Math.floor((now - seconds * 1000) * 1e6)
}
