// The Store: file data of a workspace, one host file per guest file (DIR/data/<number>), and what the workspace uses of its limits.
// Names, owners and modes are not here; they are records of the file systems over it. Small files stay in memory (smallfile.ts) until
// they grow or something wants their descriptor: making a host file is the dearest thing a create could do.
import { E } from '../../abi/errno.ts'
import { O, SEEK } from '../../abi/fcntl.ts'
import { Descriptors, type Held, held } from './descriptors.ts'
import type { HostFiles, HostStatfs } from './hostfiles.ts'
import { type DataFile, grow, growth, markPages, readSmall, resizeSmall, seekSmall, writeSmall } from './smallfile.ts'

/** Memory all small files of a workspace may take together. */
const HELD_MAX = 64 * 1024 * 1024

export class Store {
  readonly host: HostFiles
  readonly descriptors: Descriptors
  private readonly dir: number
  private readonly top: number
  private next = 1
  /** Memory small files take. */
  private held = 0
  /** In use now. */
  bytes = 0
  inodes = 0
  /** Limits of the workspace: ENOSPC beyond. */
  maxBytes = Infinity
  maxInodes = Infinity
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

  constructor(host: HostFiles, descriptors: Descriptors, top: number, dir: number) {
    this.host = host
    this.descriptors = descriptors
    this.top = top
    this.dir = dir
  }
  /** Closes the store's descriptors; the files stay where they are. */
  close(): void {
    this.descriptors.dropAll()
    this.host.close(this.dir)
    this.host.close(this.top)
  }

  /** Room for one more inode? 0 or -ENOSPC; counted when granted. */
  claimInode(): number {
    if (this.inodes >= this.maxInodes) return -E.NOSPC
    this.inodes++
    return 0
  }
  releaseInode(): void {
    this.inodes--
  }
  /** How many of `want` further bytes the workspace has room for. */
  room(want: number): number {
    return Math.max(0, Math.min(want, this.maxBytes - this.bytes))
  }
  /** The file now holds `bytes`. */
  charge(data: DataFile, bytes: number): void {
    this.bytes += bytes - data.bytes
    data.bytes = bytes
  }

  /** Up to `len` bytes at `position` into the arena. */
  read(data: DataFile, at: number, len: number, position: number): number {
    if (data.name === '') return readSmall(data, this.host.mem, at, len, position)
    const fd = this.fd(data)
    return fd < 0 ? fd : this.host.pread(fd, at, len, position)
  }
  /** `len` > 0 bytes from the arena to `position`. Room for them has been asked for. */
  write(data: DataFile, at: number, len: number, position: number): number {
    if (data.name === '' && this.reserve(data, position + len))
      return writeSmall(data, this.host.mem, at, len, position)
    const fd = this.fd(data)
    return fd < 0 ? fd : this.host.pwrite(fd, at, len, position)
  }
  truncate(data: DataFile, size: number): number {
    if (data.name === '' && this.reserve(data, size)) return resizeSmall(data, size)
    const fd = this.fd(data)
    return fd < 0 ? fd : this.host.truncate(fd, size)
  }
  /** SEEK_DATA and SEEK_HOLE. */
  seek(data: DataFile, offset: number, whence: number): number {
    if (data.name === '') return seekSmall(data, offset, whence)
    const fd = this.fd(data)
    return fd < 0 ? fd : this.host.seek(fd, offset, whence)
  }
  /** A new file takes the first `size` bytes of a host file over, in memory; false: it has no place there. */
  take(data: DataFile, from: number, size: number): number | false {
    if (!this.reserve(data, size)) return false
    const n = size === 0 ? 0 : this.host.readInto(from, (data.memory as Uint8Array).subarray(0, size), 0)
    if (n > 0) markPages(data, 0, n)
    if (n >= 0) data.size = n
    return n
  }

  /** Memory for `size` bytes of a file that has no host file? */
  private reserve(data: DataFile, size: number): boolean {
    const more = growth(data, size)
    if (more === 0) return true
    if (more < 0 || this.held + more > HELD_MAX) return false
    this.held += more
    grow(data, more)
    return true
  }
  /** Give the file its host file, with what was in memory. */
  private settle(data: DataFile): number {
    for (;;) {
      const name = String(this.next++)
      const fd = this.descriptors.openAt(this.dir, name, O.RDWR | O.CREAT | O.EXCL | O.NOFOLLOW | O.CLOEXEC, 0o600)
      if (fd === -E.EXIST) continue
      if (fd < 0) return fd
      const n = this.copyOut(data, fd)
      if (n < 0) {
        this.host.close(fd)
        this.host.unlink(this.dir, name, 0)
        return n
      }
      data.name = name
      this.forgetMemory(data)
      data.both ??= held()
      return this.descriptors.keep(data.both, fd)
    }
  }
  /** What is in memory to an empty host file, leaving holes. 0 or -errno. */
  private copyOut(data: DataFile, fd: number): number {
    const memory = data.memory as Uint8Array
    let end = 0
    for (let at = seekSmall(data, 0, SEEK.DATA); at >= 0; at = seekSmall(data, end, SEEK.DATA)) {
      end = seekSmall(data, at, SEEK.HOLE)
      const n = this.host.writeFrom(fd, memory.subarray(at, end), at)
      if (n < 0) return n
    }
    return end < data.size ? this.host.truncate(fd, data.size) : 0
  }
  private forgetMemory(data: DataFile): void {
    if (data.memory !== null) this.held -= data.memory.length
    data.memory = null
  }
  /** Descriptor for reading and writing. From now on the host file is the content. */
  fd(data: DataFile): number {
    if (data.name === '') return this.settle(data)
    if (data.both !== null && data.both.fd >= 0) return this.descriptors.use(data.both)
    data.both ??= held()
    return this.reopen(data, data.both, O.RDWR)
  }
  /** Descriptor that can only read: what is handed to a guest that must not write. */
  readOnlyFd(data: DataFile): number {
    if (data.name === '') {
      const r = this.settle(data)
      if (r < 0) return r
    }
    data.readOnly ??= held()
    return data.readOnly.fd >= 0 ? this.descriptors.use(data.readOnly) : this.reopen(data, data.readOnly, O.RDONLY)
  }
  private reopen(data: DataFile, holder: Held, flags: number): number {
    const fd = this.descriptors.openAt(this.dir, data.name, flags | O.NOFOLLOW | O.CLOEXEC, 0)
    return fd < 0 ? fd : this.descriptors.keep(holder, fd)
  }
  remove(data: DataFile): void {
    this.charge(data, 0)
    this.forgetMemory(data)
    this.descriptors.drop(data.both)
    this.descriptors.drop(data.readOnly)
    if (data.name !== '') this.host.unlink(this.dir, data.name, 0)
    data.name = ''
  }

  statfs(type: number): {
    type: number
    bsize: number
    blocks: number
    bfree: number
    files: number
    ffree: number
    namelen: number
  } {
    const s = this.statfsOut
    if (this.host.statfs(this.dir, s) < 0) s.bsize = 4096
    let blocks = s.blocks
    let bfree = s.bavail
    if (this.maxBytes !== Infinity) {
      blocks = Math.ceil(this.maxBytes / s.bsize)
      bfree = Math.min(bfree, Math.floor((this.maxBytes - this.bytes) / s.bsize))
    }
    const files = this.maxInodes === Infinity ? s.files : this.maxInodes
    const ffree = this.maxInodes === Infinity ? s.ffree : this.maxInodes - this.inodes
    return { type, bsize: s.bsize, blocks, bfree: Math.max(0, bfree), files, ffree, namelen: 255 }
  }
}

/** The store in host directory `path`, which exists. `limit`: host descriptors kept open at most. */
export function openStore(host: HostFiles, path: string, limit?: number): Store | number {
  const top = host.root(path)
  if (top < 0) return top
  const made = host.mkdir(top, 'data', 0o700)
  const dir =
    made < 0 && made !== -E.EXIST ? made : host.open(top, 'data', O.PATH | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC, 0)
  if (dir < 0) {
    host.close(top)
    return dir
  }
  return new Store(host, new Descriptors(host, limit), top, dir)
}
