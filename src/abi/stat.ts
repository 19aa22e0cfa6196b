// x86-64 layouts of what the stat family, statfs and getdents64 answer (asm/stat.h, linux/stat.h, asm-generic/statfs.h, linux/dirent.h).
//   stat 144: dev 0 ino 8 nlink 16 mode 24 uid 28 gid 32 rdev 40 size 48 blksize 56 blocks 64 atim 72 mtim 88 ctim 104
//   statx 256: mask 0 blksize 4 attributes 8 nlink 16 uid 20 gid 24 mode 28 ino 32 size 40 blocks 48 attributes_mask 56 atime 64
//     btime 80 ctime 96 mtime 112 rdev 128 dev 136 mnt_id 144
//   statfs 120: type 0 bsize 8 blocks 16 bfree 24 bavail 32 files 40 ffree 48 fsid 56 namelen 64 frsize 72 flags 80
//   dirent64: ino 0 off 8 reclen 16 type 18 name 19…NUL, padded to 8
import { major, minor } from './fcntl.ts'

export const STAT_BYTES = 144
export const STATX_BYTES = 256
export const STATFS_BYTES = 120
export const DIRENT_NAME = 19
export const STATX = {
  BASIC_STATS: 0x7ff,
  BTIME: 0x800,
  MNT_ID: 0x1000,
  RESERVED: 0x80000000,
  ATTR_MOUNT_ROOT: 0x2000,
} as const
const HIGH = 4294967296

/** What a stat buffer is filled from. */
export interface StatFields {
  dev: number
  ino: number
  mode: number
  nlink: number
  uid: number
  gid: number
  rdev: number
  size: number
  blksize: number
  blocks: number
  atime: number
  atimeNs: number
  mtime: number
  mtimeNs: number
  ctime: number
  ctimeNs: number
  btime: number
  btimeNs: number
}

/** A 64-bit value, little endian; exact for integers up to 2^53 and for negative ones. */
export function putLong(view: DataView, at: number, value: number): void {
  const high = Math.floor(value / HIGH)
  view.setInt32(at, (value - high * HIGH) | 0, true)
  view.setInt32(at + 4, high | 0, true)
}
export function getLong(view: DataView, at: number): number {
  return view.getInt32(at + 4, true) * HIGH + view.getUint32(at, true)
}

export function putStat(view: DataView, at: number, st: StatFields): void {
  putLong(view, at, st.dev)
  putLong(view, at + 8, st.ino)
  putLong(view, at + 16, st.nlink)
  view.setInt32(at + 24, st.mode, true)
  view.setUint32(at + 28, st.uid, true)
  view.setUint32(at + 32, st.gid, true)
  view.setInt32(at + 36, 0, true)
  putLong(view, at + 40, st.rdev)
  putLong(view, at + 48, st.size)
  putLong(view, at + 56, st.blksize)
  putLong(view, at + 64, st.blocks)
  putLong(view, at + 72, st.atime)
  putLong(view, at + 80, st.atimeNs)
  putLong(view, at + 88, st.mtime)
  putLong(view, at + 96, st.mtimeNs)
  putLong(view, at + 104, st.ctime)
  putLong(view, at + 112, st.ctimeNs)
  putLong(view, at + 120, 0)
  putLong(view, at + 128, 0)
  putLong(view, at + 136, 0)
}

function putStatxTime(view: DataView, at: number, seconds: number, ns: number): void {
  putLong(view, at, seconds)
  view.setUint32(at + 8, ns, true)
  view.setInt32(at + 12, 0, true)
}
/** mount: its id, or -1 when the caller didn't ask; mountRoot: the inode is the root of a mount. */
export function putStatx(view: DataView, at: number, st: StatFields, mount: number, mountRoot: boolean): void {
  for (let i = 0; i < STATX_BYTES; i += 4) view.setInt32(at + i, 0, true)
  const born = st.btime !== 0 || st.btimeNs !== 0
  view.setUint32(at, STATX.BASIC_STATS | (born ? STATX.BTIME : 0) | (mount >= 0 ? STATX.MNT_ID : 0), true)
  view.setUint32(at + 4, st.blksize, true)
  putLong(view, at + 8, mountRoot ? STATX.ATTR_MOUNT_ROOT : 0)
  view.setUint32(at + 16, st.nlink, true)
  view.setUint32(at + 20, st.uid, true)
  view.setUint32(at + 24, st.gid, true)
  view.setUint16(at + 28, st.mode, true)
  putLong(view, at + 32, st.ino)
  putLong(view, at + 40, st.size)
  putLong(view, at + 48, st.blocks)
  putLong(view, at + 56, STATX.ATTR_MOUNT_ROOT)
  putStatxTime(view, at + 64, st.atime, st.atimeNs)
  if (born) putStatxTime(view, at + 80, st.btime, st.btimeNs)
  putStatxTime(view, at + 96, st.ctime, st.ctimeNs)
  putStatxTime(view, at + 112, st.mtime, st.mtimeNs)
  view.setUint32(at + 128, major(st.rdev), true)
  view.setUint32(at + 132, minor(st.rdev), true)
  view.setUint32(at + 136, major(st.dev), true)
  view.setUint32(at + 140, minor(st.dev), true)
  if (mount >= 0) putLong(view, at + 144, mount)
}

export interface StatfsFields {
  type: number
  bsize: number
  blocks: number
  bfree: number
  files: number
  ffree: number
  namelen: number
}
/** fsid: st_dev will do. flags: ST_* of <sys/statvfs.h>. */
export function putStatfs(view: DataView, at: number, s: StatfsFields, fsid: number, flags: number): void {
  putLong(view, at, s.type)
  putLong(view, at + 8, s.bsize)
  putLong(view, at + 16, s.blocks)
  putLong(view, at + 24, s.bfree)
  putLong(view, at + 32, s.bfree)
  putLong(view, at + 40, s.files)
  putLong(view, at + 48, s.ffree)
  putLong(view, at + 56, fsid)
  putLong(view, at + 64, s.namelen)
  putLong(view, at + 72, s.bsize)
  putLong(view, at + 80, flags)
  for (let i = 88; i < STATFS_BYTES; i += 8) putLong(view, at + i, 0)
}

/** Bytes a directory entry of this name takes. */
export function direntBytes(name: string): number {
  return (DIRENT_NAME + name.length + 1 + 7) & ~7
}
export function putDirent(view: DataView, at: number, name: string, ino: number, type: number, next: number): void {
  const bytes = direntBytes(name)
  putLong(view, at + bytes - 8, 0) // the padding
  putLong(view, at, ino)
  putLong(view, at + 8, next)
  view.setUint16(at + 16, bytes, true)
  view.setUint8(at + 18, type)
  for (let i = 0; i < name.length; i++) view.setUint8(at + DIRENT_NAME + i, name.charCodeAt(i))
  view.setUint8(at + DIRENT_NAME + name.length, 0)
}
