// The nodes of a host tree: looked up on the host, kept in a bounded cache, recognised again by device and inode number.
// Overlay uses it for its base, bind for all it has. Rule: the last component of a path is always looked up afresh; a directory or
// link in the middle may have been seen up to TRUST ms ago.
import { E } from '../../abi/errno.ts'
import { isDirectory, isRegular, O, S } from '../../abi/fcntl.ts'
import { type Descriptors, held, peek } from './descriptors.ts'
import type { HostFiles, HostListing } from './hostfiles.ts'
import { copyStat, emptyStat, type HostDir, HostTree } from './hosttree.ts'
import type { FsType, Stat } from './inode.ts'
import { type Entry, Node, setEntry } from './node.ts'

const TRUST = 1000
const CACHE = 16384
const LISTINGS = 8

export class Lower {
  readonly host: HostFiles
  readonly tree: HostTree
  readonly descriptors: Descriptors
  /** Attributes the last look found, and whose. */
  readonly seen: Stat = emptyStat()
  private seenNode: Node | null = null
  private readonly scratch = emptyStat()
  private readonly fs: FsType
  private readonly now: () => number
  private readonly ring: (Node | null)[] = []
  private hand = 0
  /** Files with several names on the host, by shown inode number. */
  private readonly linked = new Map<number, Node>()
  private readonly listings: { dir: HostDir; listing: HostListing }[] = []

  /** quiet: HostTree's. now: ms, any origin. */
  constructor(
    fs: FsType,
    host: HostFiles,
    descriptors: Descriptors,
    rootFd: number,
    quiet: boolean,
    now: () => number,
  ) {
    this.fs = fs
    this.host = host
    this.descriptors = descriptors
    this.tree = new HostTree(host, descriptors, rootFd, quiet)
    this.now = now
  }

  /** A node for the object `seen` describes. */
  make(parent: Node | null, name: string, originDir: HostDir | null, originName: string): Node {
    const st = this.seen
    const ino = this.tree.inode(st.dev, st.ino)
    const dir = isDirectory(st.mode)
    const several = !dir && st.nlink > 1
    if (several) {
      const known = this.linked.get(ino)
      if (known !== undefined && !known.gone && ((known.mode ^ st.mode) & S.IFMT) === 0) {
        if (known.record === null) this.standsAt(known, originDir, originName)
        return known
      }
    }
    const node = new Node(this.fs, ino, st.mode, parent, name)
    node.originDir = originDir
    node.originName = originName
    if (dir)
      node.lower = originDir === null || originName === '' ? this.tree.root : this.tree.child(originDir, originName)
    if (several) this.linked.set(ino, node)
    this.note(node)
    if (parent !== null) this.admit(node)
    return node
  }

  /** A file with several names on the host was met by this one, so this one is there. */
  private standsAt(node: Node, dir: HostDir | null, name: string): void {
    if (node.entries !== null) return
    node.originDir = dir
    node.originName = name
  }

  /** `name` in `dir`, which has a lower; `entry` is what dir.entries has for it: nothing or a node without a record. */
  lookup(dir: Node, name: string, entry: Entry | undefined, through: boolean): Node | number {
    const known = entry === undefined ? null : entry.node
    if (known !== null && !known.gone && through) {
      known.used = true
      const age = this.now() - known.checked
      if (age >= 0 && age < TRUST) return known
    }
    const place = dir.lower as HostDir
    const r = this.tree.stat(place, name, this.seen)
    if (r < 0) {
      if (r === -E.NOENT && known !== null) this.lost(dir, name, known)
      return r
    }
    const st = this.seen
    if (known !== null && !known.gone) {
      if (known.hostIno === st.ino && known.hostDev === st.dev && ((known.mode ^ st.mode) & S.IFMT) === 0) {
        if (known.originName !== name || known.originDir !== place) this.standsAt(known, place, name)
        this.note(known)
        return known
      }
      if (known.pinned && isDirectory(st.mode)) {
        if (known.lower !== null) this.tree.forget(known.lower)
        this.note(known)
        return known
      }
      this.lost(dir, name, known)
    }
    const node = this.make(dir, name, place, name)
    setEntry(dir, name, node)
    this.seenNode = node
    return node
  }
  /** What the host has at the place of an entry that isn't the workspace's: 0 or -errno, attributes in `seen`. */
  look(dir: Node, name: string): number {
    this.seenNode = null
    return dir.lower === null ? -E.NOENT : this.tree.stat(dir.lower, name, this.seen)
  }

  /** Attributes of a node without a record. fresh: as the lookup just made found them. */
  getattr(node: Node, out: Stat, fresh: boolean): number {
    if (fresh && this.seenNode === node) copyStat(out, this.seen)
    else {
      const r = this.ask(node, out)
      if (r < 0) return r
    }
    out.ino = node.ino
    return 0
  }
  private ask(node: Node, out: Stat): number {
    const open = Math.max(peek(node.reading), peek(node.writing), peek(node.lower))
    if (open >= 0) return this.host.stat(open, '', out)
    const r = this.tree.stat(node.originDir ?? this.tree.root, node.originName, out)
    if (r < 0) return r
    return out.ino === node.hostIno && out.dev === node.hostDev ? 0 : -E.STALE
  }
  readlink(node: Node): string | number {
    if (node.target !== null) return node.target
    const text = this.tree.readlink(node.originDir ?? this.tree.root, node.originName)
    if (typeof text === 'string') node.target = text
    return text
  }

  /** The file got a second name on the host: both are this node. */
  share(node: Node): void {
    this.linked.set(node.ino, node)
  }

  /** Descriptor of a regular file's lower data, for reading. Opened once for all who have the file open. */
  fd(node: Node): number {
    if (node.reading !== null && node.reading.fd >= 0) return this.descriptors.use(node.reading)
    const fd = this.openVerified(node, O.RDONLY)
    node.reading ??= held()
    return fd < 0 ? fd : this.descriptors.keep(node.reading, fd)
  }
  /** The host object at the node's origin, opened with `flags`; ESTALE if another file stands there by now. */
  openVerified(node: Node, flags: number): number {
    if (!isRegular(node.mode)) return -E.NXIO
    const fd = this.tree.open(node.originDir ?? this.tree.root, node.originName, flags)
    if (fd < 0) return fd === -E.LOOP ? -E.STALE : fd
    const st = this.scratch
    const r = this.host.stat(fd, '', st)
    if (r === 0 && st.ino === node.hostIno && st.dev === node.hostDev) return fd
    this.host.close(fd)
    return r < 0 ? r : -E.STALE
  }
  /** Entries of a lower directory. A listing begun is kept a while, so that going on in it is cheap and its order stays. */
  list(dir: HostDir, afresh: boolean): HostListing | number {
    const at = this.listings.findIndex(l => l.dir === dir)
    if (at >= 0 && !afresh) return (this.listings[at] as { listing: HostListing }).listing
    if (at >= 0) this.listings.splice(at, 1)
    const listing = this.tree.list(dir)
    if (typeof listing === 'number') return listing
    this.listings.push({ dir, listing })
    if (this.listings.length > LISTINGS) this.listings.shift()
    return listing
  }
  dropListing(dir: HostDir): void {
    const at = this.listings.findIndex(l => l.dir === dir)
    if (at >= 0) this.listings.splice(at, 1)
  }

  /** Give up a node's host descriptors. */
  release(node: Node): void {
    this.descriptors.drop(node.reading)
    this.descriptors.drop(node.writing)
    if (node.lower !== null) this.tree.forget(node.lower)
  }

  /** Write down what `seen` says of `node`. */
  private note(node: Node): void {
    const st = this.seen
    if (node.hostCtimeNs !== st.ctimeNs || node.hostCtime !== st.ctime) {
      // Someone changed it on the host: whether it may be opened is to be asked again; a link's number may have been reused.
      if (node.opens === 0) this.descriptors.drop(node.reading)
      node.target = null
    }
    node.hostDev = st.dev
    node.hostIno = st.ino
    node.hostCtime = st.ctime
    node.hostCtimeNs = st.ctimeNs
    node.mode = st.mode
    node.uid = st.uid
    node.gid = st.gid
    node.rdev = st.rdev
    node.checked = this.now()
    node.used = true
    this.seenNode = node
  }
  /** The host no longer has `known` at this entry. What the workspace keeps below it stays, as a directory of its own. */
  private lost(dir: Node, name: string, known: Node): void {
    if (known.pinned) {
      this.onLost(known)
      return
    }
    dir.entries?.delete(name)
    known.gone = true
    if (known.opens === 0) this.release(known)
  }
  onLost: (node: Node) => void = () => {}

  /** Into the cache, at the place of one that hasn't been used lately. */
  private admit(node: Node): void {
    if (this.ring.length < CACHE) {
      this.ring.push(node)
      return
    }
    for (let tries = 0; tries < 64; tries++) {
      const at = this.hand
      this.hand = at + 1 === CACHE ? 0 : at + 1
      const old = this.ring[at] as Node | null
      if (old !== null && !old.gone && !old.pinned) {
        if (old.used || !this.evictable(old)) {
          old.used = false
          continue
        }
        this.evict(old)
      }
      this.ring[at] = node
      return
    }
    this.ring.push(node) // all in use: the cache grows
  }
  private evictable(node: Node): boolean {
    if (node.refs > 0 || node.covered !== null) return false
    if (node.entries === null) return true
    for (const entry of node.entries.values()) if (entry.node === null || !entry.node.gone) return false
    return true
  }
  private evict(node: Node): void {
    node.gone = true
    const entry = node.parent?.entries?.get(node.name)
    if (entry !== undefined && entry.node === node) node.parent?.entries?.delete(node.name)
    this.linked.delete(node.ino)
    this.release(node)
  }
}
