// File systems made of tables: /proc and /sys. A directory is a table of entries, a file is text made when it is read from its start; this
// file turns entries into inodes. What an entry is about (a process, one of its descriptors) is the subject found on the way to it.
// Invariants: inodes are made per lookup and carry their whole meaning (entry, subject); only the root is one object for ever.
import { E } from '../../abi/errno.ts'
import { O, S } from '../../abi/fcntl.ts'
import type { Credentials, FileOps, FsType, Inode, OpenFile, Stat } from './inode.ts'
import type { FsState } from './state.ts'

export const ROOT_INO = 1
/** Cookies from here on are those of numbered entries. */
const NUMBERED = 1 << 16
const WRITE_MAX = 4096
/** More than one tree has. */
const ENTRIES = 1024

/** A file. All of it as of now: text (latin1) or bytes, or -errno. */
export interface TreeFile<About> {
  type: 'file'
  mode: number
  text?(state: FsState, about: About): string | Uint8Array | number
  /** One write(2): 0 or -errno. */
  write?(state: FsState, about: About, text: string): number
  /** Not a text: operations of its own. */
  ops?: FileOps
  /** Who may open it, the mode apart: 0 or -errno. */
  allow?(state: FsState, about: About, by: Credentials): number
}
export interface TreeLink<About> {
  type: 'link'
  target(state: FsState, about: About): string | number
  /** Permission bits shown; 0777 when absent. */
  mode?(state: FsState, about: About): number
  /** A magic link: the object itself. */
  follow?(state: FsState, about: About): { inode: Inode; path: string } | number
}
export interface TreeDir<About> {
  type: 'dir'
  mode: number
  /** Permission bits that hold for the caller, where the mode doesn't say it all. */
  access?(state: FsState, about: About): number | undefined
  entries: Tree<About>
  /** Entries with numbers for names (processes, threads, descriptors) beside the named ones. */
  numbers?(state: FsState, about: About): number[]
  numbered?(state: FsState, about: About, n: number): { entry: TreeEntry<About>; about: About } | number
}
export type TreeEntry<About> = TreeFile<About> | TreeLink<About> | TreeDir<About>
export type Tree<About> = Readonly<Record<string, TreeEntry<About>>>

/** What differs from one such file system to the other. */
export interface TreeKind<About> {
  name: string
  magic: number
  /** st_size of files. */
  fileSize: number
  /** Whoever is let by the mode, what can't be written isn't opened for it; else write(2) says EINVAL. */
  strict: boolean
  root: TreeDir<About>
  about: About
  owner(state: FsState, about: About, entry: TreeEntry<About>): { uid: number; gid: number }
  /** What it is about may be gone since the lookup. */
  alive(state: FsState, about: About): boolean
  /** Tells subjects apart; 0 that of the root. */
  id(about: About): number
}

export interface TreeInode<About> extends Inode {
  readonly entry: TreeEntry<About>
  readonly about: About
  readonly up: TreeInode<About> | null
}

export class TreeFs<About> implements FsType {
  readonly name: string
  readonly fixed = true
  readonly dev: number
  readonly readOnly = false
  readonly root: TreeInode<About>
  private readonly state: FsState
  private readonly kind: TreeKind<About>
  private readonly fileOps: FileOps
  private readonly entryNumbers = new Map<TreeEntry<About>, number>()

  constructor(state: FsState, kind: TreeKind<About>, dev: number) {
    this.state = state
    this.kind = kind
    this.name = kind.name
    this.dev = dev
    this.fileOps = textOps(state, kind)
    this.inoOf(kind.root, kind.about) // the first: ROOT_INO
    this.root = this.node(kind.root, kind.about, null)
    this.root.refs = 1
  }
  /** Stable as long as what it is about exists. */
  private inoOf(entry: TreeEntry<About>, about: About): number {
    let n = this.entryNumbers.get(entry)
    if (n === undefined) {
      n = this.entryNumbers.size + ROOT_INO
      this.entryNumbers.set(entry, n)
    }
    return this.kind.id(about) * ENTRIES + n
  }
  private modeOf(entry: TreeEntry<About>, about: About): number {
    if (entry.type === 'file') return S.IFREG | entry.mode
    if (entry.type === 'dir') return S.IFDIR | entry.mode
    return S.IFLNK | (entry.mode === undefined ? 0o777 : entry.mode(this.state, about))
  }
  private node(entry: TreeEntry<About>, about: About, up: TreeInode<About> | null): TreeInode<About> {
    const { uid, gid } = this.kind.owner(this.state, about, entry)
    const ino = this.inoOf(entry, about)
    const own = entry.type === 'dir' ? entry.access?.(this.state, about) : undefined
    const mode = own === undefined ? this.modeOf(entry, about) : S.IFDIR | own
    return { fs: this, ino, mode, uid, gid, rdev: 0, refs: 0, covered: null, entry, about, up }
  }

  lookup(dir: Inode, name: string): Inode | number {
    const at = dir as TreeInode<About>
    if (name === '..') return at.up ?? at
    const { entry } = at
    if (entry.type !== 'dir') return -E.NOTDIR
    if (!this.kind.alive(this.state, at.about)) return -E.NOENT
    const named = Object.hasOwn(entry.entries, name) ? entry.entries[name] : undefined
    if (named !== undefined) return this.node(named, at.about, at)
    if (entry.numbered === undefined || !/^(0|[1-9][0-9]{0,9})$/.test(name)) return -E.NOENT
    const found = entry.numbered(this.state, at.about, Number(name))
    return typeof found === 'number' ? found : this.node(found.entry, found.about, at)
  }
  create(): number {
    return -E.ACCES
  }
  mkdir(): number {
    return -E.NOENT
  }
  symlink(): number {
    return -E.PERM
  }
  link(): number {
    return -E.PERM
  }
  unlink(): number {
    return -E.PERM
  }
  rmdir(): number {
    return -E.PERM
  }
  rename(): number {
    return -E.PERM
  }

  readlink(inode: Inode): string | number {
    const { entry, about } = inode as TreeInode<About>
    return entry.type === 'link' ? entry.target(this.state, about) : -E.INVAL
  }
  follow(inode: Inode): { inode: Inode; path: string } | number | null {
    const { entry, about } = inode as TreeInode<About>
    return entry.type !== 'link' || entry.follow === undefined ? null : entry.follow(this.state, about)
  }

  getattr(inode: Inode, out: Stat): number {
    const at = inode as TreeInode<About>
    const { entry, about } = at
    if (!this.kind.alive(this.state, about)) return -E.NOENT
    const now = this.state.sys.realtime()
    out.dev = this.dev
    out.ino = at.ino
    out.mode = this.modeOf(entry, about)
    out.nlink = 1
    if (entry.type === 'dir') {
      out.nlink = 2 + Object.values(entry.entries).filter(e => e.type === 'dir').length
      if (at === this.root && entry.numbers !== undefined) out.nlink += entry.numbers(this.state, about).length
    }
    out.uid = at.uid
    out.gid = at.gid
    out.rdev = 0
    out.size = entry.type === 'link' && entry.follow !== undefined ? 64 : entry.type === 'file' ? this.kind.fileSize : 0
    out.blksize = this.kind.fileSize || 1024
    out.blocks = 0
    out.atime = out.mtime = out.ctime = out.btime = Math.floor(now / 1000)
    out.atimeNs = out.mtimeNs = out.ctimeNs = out.btimeNs = Math.floor((now % 1000) * 1e6)
    return 0
  }
  setattr(_inode: Inode, change: { size?: number; mode?: number; uid?: number; gid?: number }): number {
    // O_TRUNC and times are accepted and mean nothing (proc_setattr)
    return change.mode === undefined && change.uid === undefined && change.gid === undefined ? 0 : -E.PERM
  }

  readdir(dir: Inode, from: number, emit: (name: string, ino: number, dtype: number, next: number) => boolean): number {
    const at = dir as TreeInode<About>
    const { entry, about } = at
    if (entry.type !== 'dir') return -E.NOTDIR
    if (!this.kind.alive(this.state, about)) return -E.NOENT
    const names = Object.keys(entry.entries)
    for (let i = from; i < names.length + 2; i++) {
      const name = i === 0 ? '.' : i === 1 ? '..' : (names[i - 2] as string)
      const one = i < 2 ? entry : (entry.entries[name] as TreeEntry<About>)
      const ino = i === 0 ? at.ino : i === 1 ? (at.up ?? at).ino : this.inoOf(one, about)
      if (!emit(name, ino, this.modeOf(one, about) >> 12, i + 1)) return 0
    }
    if (entry.numbers === undefined || entry.numbered === undefined) return 0
    // number n stands at cookie NUMBERED + n
    for (const n of entry.numbers(this.state, about)) {
      if (NUMBERED + n < from) continue
      const found = entry.numbered(this.state, about, n)
      if (typeof found === 'number') continue
      const type = this.modeOf(found.entry, found.about) >> 12
      if (!emit(String(n), this.inoOf(found.entry, found.about), type, NUMBERED + n + 1)) return 0
    }
    return 0
  }

  open(inode: Inode, flags: number, by: Credentials): FileOps | number {
    const { entry, about } = inode as TreeInode<About>
    if (!this.kind.alive(this.state, about)) return -E.NOENT
    if (entry.type === 'link') return -E.LOOP
    if (entry.type === 'dir') return -E.ISDIR
    const writes = (flags & O.ACCMODE) !== O.RDONLY
    if (writes && this.kind.strict && entry.write === undefined && entry.ops === undefined) return -E.ACCES
    const refused = entry.allow?.(this.state, about, by) ?? 0
    return refused < 0 ? refused : (entry.ops ?? this.fileOps)
  }
  statfs(): ReturnType<FsType['statfs']> {
    return { type: this.kind.magic, bsize: 4096, blocks: 0, bfree: 0, files: 0, ffree: 0, namelen: 255 }
  }
}

/** Text is made when read from the start (programs keep files open and rewind) and kept for the rest of the reading. */
function textOps<About>(state: FsState, kind: TreeKind<About>): FileOps {
  const content = (file: OpenFile, position: number): Uint8Array | number => {
    if (file.priv !== null && position > 0) return file.priv as Uint8Array
    const { entry, about } = file.inode as TreeInode<About>
    if (!kind.alive(state, about)) return -E.SRCH
    const text = (entry as TreeFile<About>).text?.(state, about) ?? -E.INVAL
    if (typeof text === 'number') return text
    const bytes = typeof text === 'string' ? bytesOf(text) : text
    file.priv = bytes
    return bytes
  }
  return {
    read(file, at, len, position) {
      const bytes = content(file, position)
      if (typeof bytes === 'number') return bytes
      const n = Math.min(len, Math.max(0, bytes.length - position))
      state.sys.mem.set(bytes.subarray(position, position + n), at)
      return n
    },
    write(file, at, len) {
      const { entry, about } = file.inode as TreeInode<About>
      if (!kind.alive(state, about)) return -E.SRCH
      let text = ''
      for (let i = at; i < at + Math.min(len, WRITE_MAX); i++) text += String.fromCharCode(state.sys.mem[i] as number)
      file.priv = null // what is read next is news
      const r = (entry as TreeFile<About>).write?.(state, about, text) ?? -E.INVAL
      return r < 0 ? r : len
    },
    seek: () => -E.INVAL, // no SEEK_DATA, no SEEK_HOLE
  }
}
/** Latin1 text as bytes. */
export function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i)
  return bytes
}
