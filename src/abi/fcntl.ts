// Numbers of the x86-64 file calls: open flags, AT_*, RENAME_*, RESOLVE_*, access modes, file types (asm-generic/fcntl.h,
// linux/{fcntl,fs,openat2,stat}.h). Numbers only; struct layouts are in stat.ts.

export const O = {
  ACCMODE: 3,
  RDONLY: 0,
  WRONLY: 1,
  RDWR: 2,
  CREAT: 0o100,
  EXCL: 0o200,
  NOCTTY: 0o400,
  TRUNC: 0o1000,
  APPEND: 0o2000,
  NONBLOCK: 0o4000,
  DSYNC: 0o10000,
  ASYNC: 0o20000,
  DIRECT: 0o40000,
  LARGEFILE: 0o100000,
  DIRECTORY: 0o200000,
  NOFOLLOW: 0o400000,
  NOATIME: 0o1000000,
  CLOEXEC: 0o2000000,
  SYNC: 0o4010000,
  PATH: 0o10000000,
  TMPFILE: 0o20200000,
} as const
/** __O_TMPFILE alone: what tells O_TMPFILE from O_DIRECTORY. */
export const O_TMPFILE_BIT = 0o20000000
/** Every bit open(2) knows (VALID_OPEN_FLAGS); others are ignored by open and refused by openat2. */
export const O_VALID =
  O.ACCMODE |
  O.CREAT |
  O.EXCL |
  O.NOCTTY |
  O.TRUNC |
  O.APPEND |
  O.NONBLOCK |
  O.SYNC |
  O.ASYNC |
  O.DIRECT |
  O.LARGEFILE |
  O.DIRECTORY |
  O.NOFOLLOW |
  O.NOATIME |
  O.CLOEXEC |
  O.PATH |
  O_TMPFILE_BIT

export const AT = {
  FDCWD: -100,
  SYMLINK_NOFOLLOW: 0x100,
  EACCESS: 0x200,
  REMOVEDIR: 0x200,
  SYMLINK_FOLLOW: 0x400,
  NO_AUTOMOUNT: 0x800,
  EMPTY_PATH: 0x1000,
  STATX_FORCE_SYNC: 0x2000,
  STATX_DONT_SYNC: 0x4000,
  STATX_SYNC_TYPE: 0x6000,
  RECURSIVE: 0x8000,
} as const

export const S = {
  IFMT: 0o170000,
  IFSOCK: 0o140000,
  IFLNK: 0o120000,
  IFREG: 0o100000,
  IFBLK: 0o060000,
  IFDIR: 0o040000,
  IFCHR: 0o020000,
  IFIFO: 0o010000,
  ISUID: 0o4000,
  ISGID: 0o2000,
  ISVTX: 0o1000,
  IRWXU: 0o700,
  IRWXG: 0o70,
  IXGRP: 0o10,
  IRWXO: 0o7,
  IXUGO: 0o111,
} as const

export const RENAME = { NOREPLACE: 1, EXCHANGE: 2, WHITEOUT: 4 } as const
export const RESOLVE = { NO_XDEV: 1, NO_MAGICLINKS: 2, NO_SYMLINKS: 4, BENEATH: 8, IN_ROOT: 16, CACHED: 32 } as const
/** access(2) bits, also what a permission check asks for. */
export const MAY = { EXEC: 1, WRITE: 2, READ: 4 } as const
export const XATTR = { CREATE: 1, REPLACE: 2, NAME_MAX: 255, SIZE_MAX: 65536, LIST_MAX: 65536 } as const
export const FALLOC = {
  KEEP_SIZE: 1,
  PUNCH_HOLE: 2,
  COLLAPSE_RANGE: 8,
  ZERO_RANGE: 16,
  INSERT_RANGE: 32,
  UNSHARE_RANGE: 64,
} as const
export const SEEK = { SET: 0, CUR: 1, END: 2, DATA: 3, HOLE: 4 } as const
export const MS = {
  RDONLY: 1,
  NOSUID: 2,
  NODEV: 4,
  NOEXEC: 8,
  REMOUNT: 32,
  BIND: 4096,
  MOVE: 8192,
  REC: 16384,
  SILENT: 32768,
  UNBINDABLE: 1 << 17,
  PRIVATE: 1 << 18,
  SLAVE: 1 << 19,
  SHARED: 1 << 20,
  RELATIME: 1 << 21,
  STRICTATIME: 1 << 24,
} as const
export const MNT = { FORCE: 1, DETACH: 2, EXPIRE: 4, NOFOLLOW: 8 } as const
/** UTIME_NOW and UTIME_OMIT in tv_nsec (linux/stat.h). */
export const UTIME_NOW = 0x3fffffff
export const UTIME_OMIT = 0x3ffffffe
/** Capabilities the file server asks about (linux/capability.h). */
export const CAP = {
  CHOWN: 0,
  DAC_OVERRIDE: 1,
  DAC_READ_SEARCH: 2,
  FOWNER: 3,
  FSETID: 4,
  SYS_CHROOT: 18,
  SYS_ADMIN: 21,
  SYS_RESOURCE: 24,
  MKNOD: 27,
} as const
export const NAME_MAX = 255
export const PATH_MAX = 4096
export const SYMLINKS_MAX = 40

export function isDirectory(mode: number): boolean {
  return (mode & S.IFMT) === S.IFDIR
}
export function isRegular(mode: number): boolean {
  return (mode & S.IFMT) === S.IFREG
}
export function isSymlink(mode: number): boolean {
  return (mode & S.IFMT) === S.IFLNK
}
/** linux/kdev_t.h new_encode_dev: 12-bit major, 20-bit minor. */
export function makedev(major: number, minor: number): number {
  return ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12)) >>> 0
}
export function major(dev: number): number {
  return (dev >>> 8) & 0xfff
}
export function minor(dev: number): number {
  return (dev & 0xff) | ((dev >>> 12) & 0xfff00)
}
