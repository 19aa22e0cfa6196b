// Inodes without a name: pipes (pipefs), sockets (sockfs), anonymous inodes (eventfd, timerfd, epoll, streams of the host). Each is a file system
// nobody can look into; only fstat and /proc/PID/fd show them.
import { E } from '../../abi/errno.ts'
import { S } from '../../abi/fcntl.ts'
import type { FsType, Inode, Stat } from './inode.ts'
import { ANON_DEV, type FsState, PIPE_DEV, SOCK_DEV } from './state.ts'

const PIPEFS_MAGIC = 0x50495045
const SOCKFS_MAGIC = 0x534f434b
const ANON_INODE_FS_MAGIC = 0x09041934
const BLOCK = 4096

function namelessFs(name: string, dev: number, magic: number): FsType {
  const refuse = (): number => -E.PERM
  const fs = {
    name,
    dev,
    readOnly: false,
    lookup: () => -E.NOTDIR,
    create: refuse,
    mkdir: refuse,
    symlink: refuse,
    link: refuse,
    unlink: refuse,
    rmdir: refuse,
    rename: refuse,
    readlink: () => -E.INVAL,
    getattr(inode: Inode, out: Stat): number {
      const born = (inode as AnonInode).born
      out.dev = dev
      out.ino = inode.ino
      out.mode = inode.mode
      out.nlink = 1
      out.uid = inode.uid
      out.gid = inode.gid
      out.rdev = inode.rdev
      out.size = 0
      out.blksize = BLOCK
      out.blocks = 0
      out.atime = out.mtime = out.ctime = out.btime = Math.floor(born / 1000)
      out.atimeNs = out.mtimeNs = out.ctimeNs = out.btimeNs = Math.floor((born % 1000) * 1e6)
      return 0
    },
    setattr(inode: Inode, change: { mode?: number; uid?: number; gid?: number; size?: number }): number {
      if (change.size !== undefined) return -E.INVAL
      if (change.mode !== undefined) inode.mode = (inode.mode & ~0o7777) | (change.mode & 0o7777)
      if (change.uid !== undefined) inode.uid = change.uid
      if (change.gid !== undefined) inode.gid = change.gid
      return 0
    },
    readdir: () => -E.NOTDIR,
    open: () => -E.NXIO,
    statfs: () => ({ type: magic, bsize: BLOCK, blocks: 0, bfree: 0, files: 0, ffree: 0, namelen: 255 }),
  }
  const root: Inode = {
    fs: fs as unknown as FsType,
    ino: 1,
    mode: 0o40555,
    uid: 0,
    gid: 0,
    rdev: 0,
    refs: 1,
    covered: null,
  }
  return Object.assign(fs, { root })
}

interface AnonInode extends Inode {
  /** Real time of creation, ms. */
  born: number
}
/** The file systems, one of each per machine. */
export interface Nameless {
  pipefs: FsType
  sockfs: FsType
  anonfs: FsType
}
export function nameless(): Nameless {
  return {
    pipefs: namelessFs('pipefs', PIPE_DEV, PIPEFS_MAGIC),
    sockfs: namelessFs('sockfs', SOCK_DEV, SOCKFS_MAGIC),
    anonfs: namelessFs('anon_inodefs', ANON_DEV, ANON_INODE_FS_MAGIC),
  }
}

/** A fresh inode of pipefs (mode S_IFIFO), sockfs (S_IFSOCK) or anon_inodefs (mode 0600, no type), with no references yet. */
export function anonInode(
  state: FsState,
  mode: number,
  uid: number,
  gid: number,
  rdev: number,
  ino = state.nextIno++,
): Inode {
  const { pipefs, sockfs, anonfs } = state.nameless
  const type = mode & S.IFMT
  const fs = type === S.IFIFO ? pipefs : type === S.IFSOCK ? sockfs : anonfs
  const inode: AnonInode = {
    fs,
    ino,
    mode,
    uid,
    gid,
    rdev,
    refs: 0,
    covered: null,
    born: state.sys.realtime(),
  }
  return inode
}
