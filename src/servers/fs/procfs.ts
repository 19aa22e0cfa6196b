// /proc: what the machine knows about itself and its processes, as text made when a file is read from its start. Nothing of the host
// shows but what Facts holds. A directory is a table (proc-root.ts, proc-pid.ts); this file turns tables into inodes.
// Invariants: inodes are made per lookup and carry their whole meaning (kind, process, number); only the root is one object for ever.
import { E } from '../../abi/errno.ts'
import { O, S } from '../../abi/fcntl.ts'
import type { Credentials, FileOps, FsType, Inode, OpenFile, Stat } from './inode.ts'
import { hasCapability } from './permission.ts'
import { fdTable, taskTable } from './proc-pid.ts'
import {
  CAP_SYS_PTRACE,
  type Found,
  findProcess,
  groupOf,
  pids,
  rowOf,
  selfPid,
  threadPath,
  threads,
} from './proc-process.ts'
import { rootTable } from './proc-root.ts'
import { type FsState, fprocOf } from './state.ts'

const PROC_SUPER_MAGIC = 0x9fa0
const PID_COOKIE = 1 << 16
export const PROC_ROOT_INO = 1

/** Whom an entry is about: null for the machine's own. */
export type Subject = Found | null
/** One entry of a directory. Files: text (or bytes) as of now. `guarded`: only for who may trace the process (ptrace(2), access modes). */
export interface ProcFile {
  type: 'file'
  mode: number
  text(state: FsState, about: Found): string | Uint8Array
  write?(state: FsState, about: Found, text: string): number
  guarded?: boolean
  /** No text at all: bytes that come and go by these. */
  ops?(state: FsState): FileOps
}
export interface ProcLink {
  type: 'link'
  target(state: FsState, about: Found): string | number
  /** Permission bits shown; 0777 when absent. */
  mode?(state: FsState, about: Found): number
  /** A magic link: the object itself. */
  follow?(state: FsState, about: Found): { inode: Inode; path: string } | number
}
export interface ProcDir {
  type: 'dir'
  mode: number
  entries: ProcTable
  /** Numbered entries (processes, threads, descriptors) beside the named ones. */
  numbers?(state: FsState, about: Subject): number[]
  numbered?(state: FsState, about: Subject, n: number): { entry: ProcEntry; about: Subject } | number
}
export type ProcEntry = ProcFile | ProcLink | ProcDir
export type ProcTable = Readonly<Record<string, ProcEntry>>

interface ProcInode extends Inode {
  entry: ProcEntry
  about: Subject
  up: ProcInode | null
}

function modeOf(state: FsState, entry: ProcEntry, about: Subject): number {
  if (entry.type === 'file') return S.IFREG | entry.mode
  if (entry.type === 'dir') return S.IFDIR | entry.mode
  return S.IFLNK | (entry.mode === undefined ? 0o777 : entry.mode(state, about as Found))
}

export function createProcfs(state: FsState, dev: number): FsType {
  const self: ProcLink = { type: 'link', target: st => pidText(selfPid(st)) }
  const threadSelf: ProcLink = { type: 'link', target: st => threadPath(st) }
  const taskDir: ProcDir = { type: 'dir', mode: 0o555, entries: { ...taskTable, ...fdTable() } }
  const task: ProcDir = {
    type: 'dir',
    mode: 0o555,
    entries: {},
    numbers: (_st, about) => threads(state, about as Found),
    numbered(_st, about, n) {
      const found = findProcess(state, n)
      if (found === undefined || (about as Found).pid !== groupOf(state, found)) return -E.NOENT
      return { entry: taskDir, about: found }
    },
  }
  const pidDir: ProcDir = { ...taskDir, entries: { ...taskDir.entries, task } }
  const rootEntry: ProcDir = {
    type: 'dir',
    mode: 0o555,
    entries: { ...rootTable(state), self, 'thread-self': threadSelf },
    numbers: () => pids(state),
    numbered(_st, _about, n) {
      const found = findProcess(state, n)
      return found === undefined ? -E.NOENT : { entry: pidDir, about: found }
    },
  }
  return new Procfs(state, rootEntry, dev)
}
function pidText(pid: number): string | number {
  return pid < 0 ? -E.NOENT : String(pid)
}

class Procfs implements FsType {
  readonly name = 'proc'
  readonly fixed = true
  readonly dev: number
  readonly readOnly = false
  readonly root: ProcInode
  private readonly state: FsState
  private readonly fileOps: FileOps
  private readonly numbers = new Map<ProcEntry, number>()

  constructor(state: FsState, root: ProcDir, dev: number) {
    this.state = state
    this.dev = dev
    this.root = this.node(root, null, null)
    this.root.refs = 1
    ;(this.root as { ino: number }).ino = PROC_ROOT_INO
    this.fileOps = textOps(state)
  }
  /** Stable for a process's life, different within it. */
  private inoOf(entry: ProcEntry, about: Subject): number {
    let n = this.numbers.get(entry)
    if (n === undefined) {
      n = this.numbers.size + PROC_ROOT_INO + 1
      this.numbers.set(entry, n)
    }
    return about === null ? n : (about.pid * 2 ** 21 + about.fd + 1) * 1024 + n
  }
  private node(entry: ProcEntry, about: Subject, up: ProcInode | null): ProcInode {
    const uid = about === null ? 0 : about.euid
    const gid = about === null ? 0 : about.egid
    return {
      fs: this,
      ino: this.inoOf(entry, about),
      mode: modeOf(this.state, entry, about),
      uid,
      gid,
      rdev: 0,
      refs: 0,
      covered: null,
      entry,
      about,
      up,
    }
  }

  lookup(dir: Inode, name: string): Inode | number {
    const at = dir as ProcInode
    if (name === '..') return at.up ?? at
    const entry = at.entry
    if (entry.type !== 'dir') return -E.NOTDIR
    const named = Object.hasOwn(entry.entries, name) ? entry.entries[name] : undefined
    if (named !== undefined) return alive(this.state, at.about) ? this.node(named, at.about, at) : -E.NOENT
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
    const { entry, about } = inode as ProcInode
    if (entry.type !== 'link') return -E.INVAL
    if (entry.follow !== undefined && !this.mayTrace(about)) return -E.ACCES
    return entry.target(this.state, about as Found)
  }
  follow(inode: Inode): { inode: Inode; path: string } | number | null {
    const { entry, about } = inode as ProcInode
    if (entry.type !== 'link' || entry.follow === undefined) return null
    return this.mayTrace(about) ? entry.follow(this.state, about as Found) : -E.ACCES
  }
  /** May the caller look into the process? Its own user, or CAP_SYS_PTRACE. */
  private mayTrace(about: Subject): boolean {
    const caller = fprocOf(this.state, this.state.current)
    return about === null || (caller !== undefined && mayTrace(caller.cred, about))
  }

  getattr(inode: Inode, out: Stat): number {
    const at = inode as ProcInode
    const { entry, about } = at
    if (!alive(this.state, about)) return -E.NOENT
    const now = this.state.sys.realtime()
    out.dev = this.dev
    out.ino = at.ino
    out.mode = at.mode
    out.nlink = entry.type === 'dir' ? 2 + Object.values(entry.entries).filter(e => e.type === 'dir').length : 1
    if (entry.type === 'dir' && at === this.root) out.nlink += pids(this.state).length
    out.uid = at.uid
    out.gid = at.gid
    out.rdev = 0
    out.size = entry.type === 'link' && entry.follow !== undefined ? 64 : 0
    out.blksize = 1024
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
    const at = dir as ProcInode
    if (at.entry.type !== 'dir') return -E.NOTDIR
    if (!alive(this.state, at.about)) return -E.NOENT
    const names = Object.keys(at.entry.entries)
    for (let i = from; i < names.length + 2; i++) {
      const name = i === 0 ? '.' : i === 1 ? '..' : (names[i - 2] as string)
      const entry = i < 2 ? at.entry : (at.entry.entries[name] as ProcEntry)
      const ino = i === 0 ? at.ino : i === 1 ? (at.up ?? at).ino : this.inoOf(entry, at.about)
      if (!emit(name, ino, modeOf(this.state, entry, at.about) >> 12, i + 1)) return 0
    }
    return this.readNumbers(at, at.entry, Math.max(0, from - PID_COOKIE), emit)
  }
  /** Number n stands at cookie PID_COOKIE + n. */
  private readNumbers(
    at: ProcInode,
    dir: ProcDir,
    from: number,
    emit: (name: string, ino: number, dtype: number, next: number) => boolean,
  ): number {
    if (dir.numbers === undefined || dir.numbered === undefined) return 0
    for (const n of dir.numbers(this.state, at.about)) {
      if (n < from) continue
      const found = dir.numbered(this.state, at.about, n)
      if (typeof found === 'number') continue
      if (
        !emit(
          String(n),
          this.inoOf(found.entry, found.about),
          modeOf(this.state, found.entry, found.about) >> 12,
          PID_COOKIE + n + 1,
        )
      )
        return 0
    }
    return 0
  }

  open(inode: Inode, flags: number, by: Credentials): FileOps | number {
    const { entry, about } = inode as ProcInode
    if (!alive(this.state, about)) return -E.NOENT
    if (entry.type === 'dir') return directoryOps
    if (entry.type === 'link') return -E.LOOP
    if (entry.guarded === true && !mayTrace(by, about as Found)) return -E.ACCES
    if (entry.ops !== undefined) return entry.ops(this.state)
    if ((flags & O.ACCMODE) !== O.RDONLY && entry.write === undefined) return -E.ACCES
    return this.fileOps
  }
  statfs(): ReturnType<FsType['statfs']> {
    return { type: PROC_SUPER_MAGIC, bsize: 4096, blocks: 0, bfree: 0, files: 0, ffree: 0, namelen: 255 }
  }
}

function mayTrace(cred: Credentials, about: Found): boolean {
  return (
    (cred.fsuid === about.uid && cred.fsuid === about.euid && cred.fsuid === about.suid) ||
    hasCapability(cred, CAP_SYS_PTRACE)
  )
}
/** A process that has been reaped since the lookup has nothing more to show; a descriptor's entry goes with the descriptor. */
function alive(state: FsState, about: Subject): boolean {
  return about === null || rowOf(state, about) !== undefined || findProcess(state, about.pid) !== undefined
}

const directoryOps: FileOps = { read: () => -E.ISDIR, write: () => -E.BADF }

/** Text is made when read from the start (programs keep files open and rewind) and kept for the rest of the reading. */
function textOps(state: FsState): FileOps {
  const content = (file: OpenFile, position: number): Uint8Array | number => {
    if (file.priv !== null && position > 0) return file.priv as Uint8Array
    const { entry, about } = file.inode as ProcInode
    if (!alive(state, about)) return -E.SRCH
    const text = (entry as ProcFile).text(state, about as Found)
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
      const { entry, about } = file.inode as ProcInode
      const write = (entry as ProcFile).write
      if (write === undefined) return -E.INVAL
      let text = ''
      for (let i = at; i < at + Math.min(len, 4096); i++) text += String.fromCharCode(state.sys.mem[i] as number)
      const r = write(state, about as Found, text)
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
