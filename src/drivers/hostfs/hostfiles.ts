// HostFiles over the host's system calls: each method is one call (two where Linux lacks the call that takes a descriptor).
// One scratch block per instance holds names and structures:
//   0x0000 name   0x2000 second name   0x4000 structure (statx, statfs, timespecs, offsets)   0x8000 buffer (64 KiB)
import { O } from '../../abi/fcntl.ts'
import { address, Scratch, sys } from '../../host/host.ts'
import type { HostFiles, HostListing, HostStatfs, Stat } from '../../lib/hostfiles.ts'

const NR = {
  close: 3,
  lseek: 8,
  ioctl: 16,
  pread64: 17,
  pwrite64: 18,
  fsync: 74,
  fdatasync: 75,
  ftruncate: 77,
  chmod: 90,
  fstatfs: 138,
  setxattr: 188,
  lsetxattr: 189,
  getxattr: 191,
  lgetxattr: 192,
  listxattr: 194,
  llistxattr: 195,
  removexattr: 197,
  lremovexattr: 198,
  getdents64: 217,
  openat: 257,
  mkdirat: 258,
  mknodat: 259,
  fchownat: 260,
  unlinkat: 263,
  linkat: 265,
  symlinkat: 266,
  readlinkat: 267,
  utimensat: 280,
  fallocate: 285,
  renameat2: 316,
  copy_file_range: 326,
  statx: 332,
} as const
const NAME = 0
const NAME2 = 0x2000
const STRUCT = 0x4000
const BUFFER = 0x8000
const BUFFER_BYTES = 0x10000
const AT_FDCWD = -100
const AT_EMPTY_PATH = 0x1000
const AT_SYMLINK_NOFOLLOW = 0x100
const STATX_BASIC_BTIME = 0xfff
const FICLONE = 0x40049409
const EINVAL = -22
const EXDEV = -18
const ENOSYS = -38
const EOPNOTSUPP = -95
const HIGH = 4294967296

/** `arena`: the memory grants point into, made by host.buffer. */
export function createHostFiles(arena: ArrayBuffer): HostFiles {
  return new HostCalls(arena)
}

class HostCalls implements HostFiles {
  private readonly arena: number
  private readonly scratch = new Scratch(BUFFER + BUFFER_BYTES)
  private readonly at = this.scratch.address
  private readonly words = new Int32Array(this.scratch.bytes.buffer, STRUCT, 64)

  readonly mem: Uint8Array

  constructor(arena: ArrayBuffer) {
    this.arena = address(arena)
    this.mem = new Uint8Array(arena)
  }

  root(path: string): number {
    return sys(NR.openat, AT_FDCWD, this.scratch.cstr(path, NAME), O.PATH | O.CLOEXEC, 0)
  }
  close(fd: number): number {
    return sys(NR.close, fd)
  }
  stat(dirfd: number, name: string, out: Stat): number {
    const flags = name === '' ? AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH : AT_SYMLINK_NOFOLLOW
    const r = sys(NR.statx, dirfd, this.scratch.cstr(name, NAME), flags, STATX_BASIC_BTIME, this.at + STRUCT)
    if (r === 0) decodeStatx(this.words, out)
    return r
  }
  open(dirfd: number, name: string, flags: number, mode: number): number {
    return sys(NR.openat, dirfd, this.scratch.cstr(name, NAME), flags | O.CLOEXEC, mode)
  }
  readlink(dirfd: number, name: string): string | number {
    const n = sys(NR.readlinkat, dirfd, this.scratch.cstr(name, NAME), this.at + BUFFER, 4096)
    return n < 0 ? n : latin1(this.scratch.bytes, BUFFER, n)
  }
  list(fd: number): HostListing | number {
    const names: string[] = []
    const inos: number[] = []
    const types: number[] = []
    const { bytes, view } = this.scratch
    for (;;) {
      const n = sys(NR.getdents64, fd, this.at + BUFFER, BUFFER_BYTES)
      if (n < 0) return n
      if (n === 0) return { names, inos, types: Uint8Array.from(types) }
      for (let p = BUFFER; p < BUFFER + n; p += view.getUint16(p + 16, true)) {
        let end = p + 19
        while (bytes[end] !== 0) end++
        const name = latin1(bytes, p + 19, end - p - 19)
        if (name === '.' || name === '..') continue
        names.push(name)
        inos.push(view.getUint32(p + 4, true) * HIGH + view.getUint32(p, true))
        types.push(bytes[p + 18] as number)
      }
    }
  }
  statfs(fd: number, out: HostStatfs): number {
    const r = sys(NR.fstatfs, fd, this.at + STRUCT)
    if (r < 0) return r
    const word = (i: number) => this.scratch.word(STRUCT + 8 * i)
    out.type = word(0)
    out.bsize = word(1)
    out.blocks = word(2)
    out.bfree = word(3)
    out.bavail = word(4)
    out.files = word(5)
    out.ffree = word(6)
    out.namelen = word(8)
    return 0
  }

  pread(fd: number, at: number, len: number, position: number): number {
    return sys(NR.pread64, fd, this.arena + at, len, position)
  }
  pwrite(fd: number, at: number, len: number, position: number): number {
    return sys(NR.pwrite64, fd, this.arena + at, len, position)
  }
  readInto(fd: number, bytes: Uint8Array, position: number): number {
    let done = 0
    while (done < bytes.length) {
      const n = sys(NR.pread64, fd, this.at + BUFFER, Math.min(bytes.length - done, BUFFER_BYTES), position + done)
      if (n < 0) return n
      if (n === 0) break
      bytes.set(this.scratch.bytes.subarray(BUFFER, BUFFER + n), done)
      done += n
    }
    return done
  }
  writeFrom(fd: number, bytes: Uint8Array, position: number): number {
    let done = 0
    while (done < bytes.length) {
      const some = bytes.subarray(done, done + BUFFER_BYTES)
      this.scratch.bytes.set(some, BUFFER)
      const n = sys(NR.pwrite64, fd, this.at + BUFFER, some.length, position + done)
      if (n < 0) return n
      done += n
    }
    return done
  }
  truncate(fd: number, size: number): number {
    return sys(NR.ftruncate, fd, size)
  }
  allocate(fd: number, mode: number, offset: number, len: number): number {
    return sys(NR.fallocate, fd, mode, offset, len)
  }
  sync(fd: number, dataOnly: boolean): number {
    return sys(dataOnly ? NR.fdatasync : NR.fsync, fd)
  }
  seek(fd: number, offset: number, whence: number): number {
    return sys(NR.lseek, fd, offset, whence)
  }
  clone(out: number, from: number): number {
    return sys(NR.ioctl, out, FICLONE, from)
  }
  copy(from: number, fromAt: number, out: number, outAt: number, len: number): number {
    this.scratch.setWord(STRUCT, fromAt)
    this.scratch.setWord(STRUCT + 8, outAt)
    const n = sys(NR.copy_file_range, from, this.at + STRUCT, out, this.at + STRUCT + 8, Math.min(len, 0x40000000), 0)
    if (n > 0 || (n < 0 && n !== EINVAL && n !== EXDEV && n !== ENOSYS && n !== EOPNOTSUPP)) return n
    // Not between these file systems (or a file that only pretends to be empty): through our buffer.
    const got = sys(NR.pread64, from, this.at + BUFFER, Math.min(len, BUFFER_BYTES), fromAt)
    return got <= 0 ? got : sys(NR.pwrite64, out, this.at + BUFFER, got, outAt)
  }

  mkdir(dirfd: number, name: string, mode: number): number {
    return sys(NR.mkdirat, dirfd, this.scratch.cstr(name, NAME), mode)
  }
  mknod(dirfd: number, name: string, mode: number, dev: number): number {
    return sys(NR.mknodat, dirfd, this.scratch.cstr(name, NAME), mode, dev)
  }
  symlink(dirfd: number, name: string, target: string): number {
    return sys(NR.symlinkat, this.scratch.cstr(target, NAME2), dirfd, this.scratch.cstr(name, NAME))
  }
  link(olddir: number, oldname: string, newdir: number, newname: string): number {
    return sys(NR.linkat, olddir, this.scratch.cstr(oldname, NAME), newdir, this.scratch.cstr(newname, NAME2), 0)
  }
  unlink(dirfd: number, name: string, flags: number): number {
    return sys(NR.unlinkat, dirfd, this.scratch.cstr(name, NAME), flags)
  }
  rename(olddir: number, oldname: string, newdir: number, newname: string, flags: number): number {
    const { scratch } = this
    return sys(NR.renameat2, olddir, scratch.cstr(oldname, NAME), newdir, scratch.cstr(newname, NAME2), flags)
  }
  chmod(fd: number, mode: number): number {
    return sys(NR.chmod, this.scratch.cstr(`/proc/self/fd/${fd}`, NAME), mode)
  }
  chown(fd: number, uid: number, gid: number): number {
    return sys(NR.fchownat, fd, this.scratch.cstr('', NAME), uid, gid, AT_EMPTY_PATH)
  }
  utimes(fd: number, atime: number, atimeNs: number, mtime: number, mtimeNs: number): number {
    const { scratch } = this
    scratch.setWord(STRUCT, atime)
    scratch.setWord(STRUCT + 8, atimeNs)
    scratch.setWord(STRUCT + 16, mtime)
    scratch.setWord(STRUCT + 24, mtimeNs)
    return sys(NR.utimensat, AT_FDCWD, scratch.cstr(`/proc/self/fd/${fd}`, NAME), this.at + STRUCT, 0)
  }

  /** Where a name can be reached by the calls that only take paths. */
  private path(dirfd: number, name: string): number {
    return this.scratch.cstr(name === '' ? `/proc/self/fd/${dirfd}` : `/proc/self/fd/${dirfd}/${name}`, NAME)
  }
  getxattr(dirfd: number, name: string, attribute: string): Uint8Array | number {
    const path = this.path(dirfd, name)
    const nr = name === '' ? NR.getxattr : NR.lgetxattr
    const n = sys(nr, path, this.scratch.cstr(attribute, NAME2), this.at + BUFFER, BUFFER_BYTES)
    return n < 0 ? n : this.scratch.bytes.slice(BUFFER, BUFFER + n)
  }
  listxattr(dirfd: number, name: string): string[] | number {
    const n = sys(name === '' ? NR.listxattr : NR.llistxattr, this.path(dirfd, name), this.at + BUFFER, BUFFER_BYTES)
    return n < 0 ? n : latin1(this.scratch.bytes, BUFFER, n).split('\0').slice(0, -1)
  }
  setxattr(dirfd: number, name: string, attribute: string, value: Uint8Array, flags: number): number {
    if (value.length > BUFFER_BYTES) return EINVAL
    this.scratch.bytes.set(value, BUFFER)
    const path = this.path(dirfd, name)
    const nr = name === '' ? NR.setxattr : NR.lsetxattr
    return sys(nr, path, this.scratch.cstr(attribute, NAME2), this.at + BUFFER, value.length, flags)
  }
  removexattr(dirfd: number, name: string, attribute: string): number {
    const path = this.path(dirfd, name)
    return sys(name === '' ? NR.removexattr : NR.lremovexattr, path, this.scratch.cstr(attribute, NAME2))
  }
}

function latin1(bytes: Uint8Array, at: number, length: number): string {
  let text = ''
  for (let i = at; i < at + length; i++) text += String.fromCharCode(bytes[i] as number)
  return text
}
function u32(w: Int32Array, i: number): number {
  return (w[i] as number) >>> 0
}
/** struct statx (linux/stat.h) from its words. */
function decodeStatx(w: Int32Array, out: Stat): void {
  out.blksize = u32(w, 1)
  out.nlink = u32(w, 4)
  out.uid = u32(w, 5)
  out.gid = u32(w, 6)
  out.mode = u32(w, 7) & 0xffff
  out.ino = u32(w, 9) * HIGH + u32(w, 8)
  out.size = u32(w, 11) * HIGH + u32(w, 10)
  out.blocks = u32(w, 13) * HIGH + u32(w, 12)
  out.atime = (w[17] as number) * HIGH + u32(w, 16)
  out.atimeNs = u32(w, 18)
  out.btime = (w[21] as number) * HIGH + u32(w, 20)
  out.btimeNs = u32(w, 22)
  out.ctime = (w[25] as number) * HIGH + u32(w, 24)
  out.ctimeNs = u32(w, 26)
  out.mtime = (w[29] as number) * HIGH + u32(w, 28)
  out.mtimeNs = u32(w, 30)
  out.rdev = device(u32(w, 32), u32(w, 33))
  out.dev = device(u32(w, 34), u32(w, 35))
  if ((u32(w, 0) & 0x800) === 0) {
    out.btime = 0
    out.btimeNs = 0
  }
}
/** new_encode_dev: the dev_t of stat(2). */
function device(major: number, minor: number): number {
  return ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xfff00) << 12)) >>> 0
}
