// What the parts of the file server share: inodes, file system types, open files, and a process's file context.
// Names are strings with one char per byte (latin1), so any byte sequence survives. Times are milliseconds since the epoch (doubles
// with fraction; ns precision is lost beyond µs, which statx reports honestly) kept as two numbers: seconds and nanoseconds.


import type { Stat } from '../../lib/hostfiles.ts'
export type { Stat }

/** One file object of one file system. An fs may subclass by adding fields of its own (structural typing, no inheritance). */
export interface Inode {
  readonly fs: FsType
  readonly ino: number
  /** File type and permission bits (st_mode). Kept current by the fs. */
  mode: number
  uid: number
  gid: number
  rdev: number
  /** References from open files, working directories, mounts; the fs may free an unlinked inode when this drops to 0 (`forget`). */
  refs: number
  /** Mounted here: the walk goes on at this root. */
  covered: Inode | null
}

export interface Credentials { uid: number; euid: number; fsuid: number; gid: number; egid: number; fsgid: number; groups: number[]; capabilities: number /* low 41 bits fit a double */ }

/** A file system type's operations. Each answers an inode / string / 0, or -errno. Permission checks are done by the caller (namei). */
export interface FsType {
  readonly name: string // as in /proc/mounts: 'mol', 'tmpfs', 'proc', 'devtmpfs'
  readonly dev: number // st_dev
  readonly readOnly: boolean
  /** Names can't be made here, and a name that isn't there is ENOENT even to who would make it (proc). */
  readonly fixed?: boolean
  readonly root: Inode
  /** `name` may be '..' (never asked of the root), not '.'. through: an intermediate component, so a directory or link known for less
   *  than a second may be answered from a cache; without it the answer is looked up afresh. */
  lookup(dir: Inode, name: string, through?: boolean): Inode | number
  /** Regular file, FIFO, socket or device, by mode. */
  create(dir: Inode, name: string, mode: number, uid: number, gid: number, rdev: number): Inode | number
  mkdir(dir: Inode, name: string, mode: number, uid: number, gid: number): Inode | number
  symlink(dir: Inode, name: string, target: string, uid: number, gid: number): Inode | number
  link(dir: Inode, name: string, inode: Inode): number
  unlink(dir: Inode, name: string): number
  rmdir(dir: Inode, name: string): number
  /** flags: RENAME_NOREPLACE 1, RENAME_EXCHANGE 2. Same fs both sides. */
  rename(oldDir: Inode, oldName: string, newDir: Inode, newName: string, flags: number): number
  readlink(inode: Inode): string | number
  /** A magic link (/proc/PID/fd/N, exe, cwd, root): the object itself and the name it goes by. null: an ordinary link. */
  follow?(link: Inode): { inode: Inode; path: string } | number | null
  /** Where a directory stands in this fs, for getcwd. -ENOENT once removed. Absent: the path string it was reached by holds. */
  whereis?(dir: Inode): { parent: Inode; name: string } | number
  /** No name leads to it any more. */
  isRemoved?(inode: Inode): boolean
  /** fresh: the caller looked the inode up (not `through`) in this very handler, so what that lookup learnt will do. */
  getattr(inode: Inode, out: Stat, fresh?: boolean): number
  /** Fields present are set; size truncates or extends. Time fields are [seconds, nanoseconds]. */
  setattr(inode: Inode, change: { mode?: number; uid?: number; gid?: number; size?: number; atime?: readonly [number, number]; mtime?: readonly [number, number] }): number
  /** Entries from cookie `from` (0 = start; . and .. included) until `emit` returns false. A cookie given to emit is that of the next entry. */
  readdir(dir: Inode, from: number, emit: (name: string, ino: number, dtype: number, next: number) => boolean): number
  /** File operations for an open of a regular file or other object this fs serves itself; FIFOs and devices are FS's own. */
  open(inode: Inode, flags: number, by: Credentials): FileOps | number
  statfs(): { type: number; bsize: number; blocks: number; bfree: number; files: number; ffree: number; namelen: number }
  forget?(inode: Inode): void
  getxattr?(inode: Inode, name: string): Uint8Array | number
  setxattr?(inode: Inode, name: string, value: Uint8Array, flags: number): number
  listxattr?(inode: Inode): string[]
  removexattr?(inode: Inode, name: string): number
}

/** Caller of an operation that may have to wait: the endpoint, and which piece of its call this is (protocol/fs.ts, READ). */
export interface Caller { endpoint: number; nonblock: boolean; done: number; total: number }

/** What can be done with an open file. Offsets `at` are arena byte offsets (grants). Results ≥ 0, -errno or SUSPEND. */
export interface FileOps {
  /** position: byte offset in the file, or -1 for a stream. The caller moves f.pos. */
  read(f: OpenFile, at: number, len: number, position: number, caller: Caller): number
  write(f: OpenFile, at: number, len: number, position: number, caller: Caller): number
  /** Streams: take back the last `len` bytes a read handed out, which lie at `at`. Absent: they are lost. */
  unread?(f: OpenFile, at: number, len: number): void
  /** Ready events now (POLLIN 1, POLLPRI 2, POLLOUT 4, POLLERR 8, POLLHUP 16, POLLRDHUP 0x2000). Absent: always IN|OUT. */
  poll?(f: OpenFile): number
  /** Queues to wait on for a change of poll(). */
  queue?(f: OpenFile): WaitQueue
  ioctl?(f: OpenFile, cmd: number, arg: number, at: number, len: number, caller: Caller): number
  seek?(f: OpenFile, offset: number, whence: number): number
  /** Last reference gone. */
  release?(f: OpenFile): void
  /** A blocked read/write/ioctl of this endpoint shall end: the answer to give it (partial count or -errno), or SUSPEND if it can't. */
  cancel?(f: OpenFile, endpoint: number): number
  /** The time that a blocked call of this endpoint had is over: the answer to give it. */
  expire?(f: OpenFile, endpoint: number): number
  /** A descriptor of it in this table is closed. */
  flush?(f: OpenFile, table: FileTable): void
  /** data: the file's bytes and size will do (fdatasync). */
  fsync?(f: OpenFile, data: boolean): number
  truncate?(f: OpenFile, size: number): number
  fallocate?(f: OpenFile, mode: number, offset: number, len: number): number
  /** Lines of /proc/PID/fdinfo/N beside the common ones. */
  info?(f: OpenFile): string
  /** A host file handle (host descriptor number) to map or to read directly; writable+shared only when the open file is. */
  hostFile?(f: OpenFile, writable: boolean): number
  /** The host file handle whose bytes are the file's, when it has one already: for long reads. */
  direct?(f: OpenFile): number
}

/** Woken whenever readiness may have changed. Waiters are rows, owned by poll.ts. */
export interface WaitQueue { waiters: number[] /* row ids of poll.ts */ }

/** Open file description: shared by dup, fork and SCM_RIGHTS. */
export interface OpenFile {
  refs: number
  /** O_ACCMODE and status flags (O_APPEND, O_NONBLOCK…). */
  flags: number
  /** File offset; -1 for a stream (pipe, terminal…), which has none. */
  pos: number
  inode: Inode
  /** Name it was opened by, absolute in the machine, for /proc/PID/fd and getcwd-like uses. */
  path: string
  /** Directory entry it was opened by, when it has one: follows renames, stays when the name is removed. Holds a reference. */
  dir: Inode | null
  name: string
  ops: FileOps
  /** Private to ops. */
  priv: unknown
}

/** Descriptor table, shared by CLONE_FILES. */
export interface FileTable { refs: number; files: (OpenFile | null)[]; cloexec: boolean[] }
/** Root, working directory, umask, shared by CLONE_FS. Paths are kept for getcwd and /proc. */
export interface FsContext { refs: number; root: Inode; rootPath: string; cwd: Inode; cwdPath: string; umask: number }

/** What the threads of a process share of what is kept here for /proc (proc_pid(5)); a child begins with a copy. */
export interface Shared {
  oomAdjust: number
  /** The least it may be set to without CAP_SYS_RESOURCE. */
  oomLeast: number
  loginuid: number
  /** coredump_filter */
  coreFilter: number
}

/** What FS knows of one guest (thread): one row of its process table, indexed by slot. */
export interface Fproc { endpoint: number; table: FileTable; context: FsContext; cred: Credentials; exe: string; exeInode: Inode | null; args: Uint8Array; env: Uint8Array; tty: number; nofile: number /* RLIMIT_NOFILE soft */; msgqueue: number /* RLIMIT_MSGQUEUE soft */; fsize: number /* RLIMIT_FSIZE soft, Infinity = none */; shared: Shared }
