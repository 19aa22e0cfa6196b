// A directory tree of the host, walked one component at a time. A HostDir is a place (parent and name), not a file: its descriptor
// may be dropped and opened again. Nothing here changes the host.
import { E } from '../../abi/errno.ts'
import { O } from '../../abi/fcntl.ts'
import { type Descriptors, type Held, held } from './descriptors.ts'
import type { HostFiles, HostListing } from './hostfiles.ts'
import type { Stat } from './inode.ts'

export interface HostDir extends Held {
  parent: HostDir | null
  name: string
}

export function emptyStat(): Stat {
  return {
    dev: 0,
    ino: 0,
    mode: 0,
    nlink: 0,
    uid: 0,
    gid: 0,
    rdev: 0,
    size: 0,
    blksize: 4096,
    blocks: 0,
    atime: 0,
    atimeNs: 0,
    mtime: 0,
    mtimeNs: 0,
    ctime: 0,
    ctimeNs: 0,
    btime: 0,
    btimeNs: 0,
  }
}
export function copyStat(out: Stat, from: Stat): void {
  out.dev = from.dev
  out.ino = from.ino
  out.mode = from.mode
  out.nlink = from.nlink
  out.uid = from.uid
  out.gid = from.gid
  out.rdev = from.rdev
  out.size = from.size
  out.blksize = from.blksize
  out.blocks = from.blocks
  out.atime = from.atime
  out.atimeNs = from.atimeNs
  out.mtime = from.mtime
  out.mtimeNs = from.mtimeNs
  out.ctime = from.ctime
  out.ctimeNs = from.ctimeNs
  out.btime = from.btime
  out.btimeNs = from.btimeNs
}

const INO_SPAN = 2 ** 44
/** Inode numbers from here on are never a host's: those of files made in the machine. */
export const OWN_INODES = 255 * INO_SPAN

export class HostTree {
  readonly host: HostFiles
  readonly root: HostDir
  private readonly descriptors: Descriptors
  private quiet: boolean
  /** Host devices met, in order: index × 2^44 + host inode number is the number shown. */
  private readonly devices: number[] = []
  private readonly strange = new Map<string, number>()

  /** `rootFd` stays with the tree until close(). quiet: access times of what is read stay as they are, where the host allows. */
  constructor(host: HostFiles, descriptors: Descriptors, rootFd: number, quiet: boolean) {
    this.quiet = quiet
    this.host = host
    this.descriptors = descriptors
    this.root = { ...held(), fd: rootFd, parent: null, name: '' }
  }
  close(): void {
    this.host.close(this.root.fd)
    this.root.fd = -1
  }

  child(parent: HostDir, name: string): HostDir {
    return { ...held(), parent, name }
  }
  forget(dir: HostDir): void {
    if (dir.parent !== null) this.descriptors.drop(dir)
  }
  /** O_PATH descriptor of the directory, good until the next call. */
  fd(dir: HostDir): number {
    if (dir.fd >= 0) return dir.parent === null ? dir.fd : this.descriptors.use(dir)
    if (dir.parent === null) return -E.NOENT
    const above = this.fd(dir.parent)
    if (above < 0) return above
    const fd = this.descriptors.openAt(above, dir.name, O.PATH | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC, 0)
    return fd < 0 ? fd : this.descriptors.keep(dir, fd)
  }
  /** '' is the directory itself. */
  stat(dir: HostDir, name: string, out: Stat): number {
    const fd = this.fd(dir)
    return fd < 0 ? fd : this.host.stat(fd, name, out)
  }
  open(dir: HostDir, name: string, flags: number, mode = 0): number {
    const at = this.fd(dir)
    if (at < 0) return at
    const all = flags | O.NOFOLLOW | O.CLOEXEC | O.NOCTTY | O.NONBLOCK
    if (!this.quiet || (flags & (O.ACCMODE | O.PATH)) !== O.RDONLY) return this.descriptors.openAt(at, name, all, mode)
    const fd = this.descriptors.openAt(at, name, all | O.NOATIME, mode)
    if (fd !== -E.PERM) return fd
    this.quiet = false // not our file and no privilege: reading leaves the trace it always leaves
    return this.descriptors.openAt(at, name, all, mode)
  }
  readlink(dir: HostDir, name: string): string | number {
    const fd = this.fd(dir)
    return fd < 0 ? fd : this.host.readlink(fd, name)
  }
  list(dir: HostDir): HostListing | number {
    const fd = this.open(dir, '.', O.RDONLY | O.DIRECTORY)
    if (fd < 0) return fd
    const listing = this.host.list(fd)
    this.host.close(fd)
    return listing
  }

  /** The number a host inode goes by in the machine: unique and the same for as long as the machine lives. */
  inode(dev: number, ino: number): number {
    const devices = this.devices
    let index = devices.indexOf(dev)
    if (index < 0) index = devices.push(dev) - 1
    if (ino < INO_SPAN && index < 254) return index * INO_SPAN + ino
    const key = `${dev}:${ino}`
    let number = this.strange.get(key)
    if (number === undefined) {
      number = 254 * INO_SPAN + this.strange.size + 1
      this.strange.set(key, number)
    }
    return number
  }
}
