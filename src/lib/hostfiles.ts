// What the file server needs of the host: files reached by a directory descriptor and one name in it, never by a path, so that
// nobody who moves things about on the host can lead us elsewhere. Implemented by drivers/hostfs, handed in at boot.
// Names are latin1 strings (1 char = 1 byte) without '/' and NUL; `at` is an arena byte offset. Results ≥ 0 or -errno.
// Symbolic links are never followed; descriptors are close-on-exec.

import type { StatFields } from '../abi/stat.ts'

/** Attributes as stat(2) gives them. */
export type Stat = StatFields

/** Entries of a host directory, without . and .. The set of names is made by who needs it. */
export interface HostListing {
  names: string[]
  inos: number[]
  types: Uint8Array
  set?: Set<string>
}
export interface HostStatfs {
  type: number
  bsize: number
  blocks: number
  bfree: number
  bavail: number
  files: number
  ffree: number
  namelen: number
}

export interface HostFiles {
  /** The arena `at` is an offset in. */
  readonly mem: Uint8Array
  /** The only call that takes a path: a descriptor (O_PATH) for the root of a base, bind or store. Follows links. */
  root(path: string): number
  close(fd: number): number
  /** Attributes of `name` in `dirfd`, of the descriptor itself if name is ''. All fields of `out` are set. */
  stat(dirfd: number, name: string, out: Stat): number
  /** openat with Linux flags. */
  open(dirfd: number, name: string, flags: number, mode: number): number
  readlink(dirfd: number, name: string): string | number
  /** The whole directory open as `fd` (O_RDONLY, position 0). */
  list(fd: number): HostListing | number
  statfs(fd: number, out: HostStatfs): number

  pread(fd: number, at: number, len: number, position: number): number
  pwrite(fd: number, at: number, len: number, position: number): number
  /** The same with memory of ours, which need not be in the arena: all of `bytes`, unless the file ends or the disk is full. */
  readInto(fd: number, bytes: Uint8Array, position: number): number
  writeFrom(fd: number, bytes: Uint8Array, position: number): number
  truncate(fd: number, size: number): number
  allocate(fd: number, mode: number, offset: number, len: number): number
  sync(fd: number, dataOnly: boolean): number
  /** lseek: SEEK_DATA and SEEK_HOLE are what it is for. */
  seek(fd: number, offset: number, whence: number): number
  /** `out` becomes a copy of `from` sharing its blocks (FICLONE), or an error when the host file system can't. */
  clone(out: number, from: number): number
  /** Copy up to `len` bytes between files → bytes; 0 at the end of `from`. */
  copy(from: number, fromAt: number, out: number, outAt: number, len: number): number

  // -- changes of names: writable binds and the store alone --
  mkdir(dirfd: number, name: string, mode: number): number
  mknod(dirfd: number, name: string, mode: number, dev: number): number
  symlink(dirfd: number, name: string, target: string): number
  link(olddir: number, oldname: string, newdir: number, newname: string): number
  unlink(dirfd: number, name: string, flags: number): number
  rename(olddir: number, oldname: string, newdir: number, newname: string, flags: number): number
  /** On a descriptor, which may be O_PATH. */
  chmod(fd: number, mode: number): number
  chown(fd: number, uid: number, gid: number): number
  /** Nanoseconds may be UTIME_NOW or UTIME_OMIT. */
  utimes(fd: number, atime: number, atimeNs: number, mtime: number, mtimeNs: number): number

  // -- extended attributes of `name` in `dirfd` --
  getxattr(dirfd: number, name: string, attribute: string): Uint8Array | number
  listxattr(dirfd: number, name: string): string[] | number
  setxattr(dirfd: number, name: string, attribute: string, value: Uint8Array, flags: number): number
  removexattr(dirfd: number, name: string, attribute: string): number
}
