// Everything one file server knows: one FsState per machine, handed to every part. No part keeps truth of its own outside it.
// Invariants: fprocs and rows are indexed by process-table slot; a thread waits in at most one call, so it has at most one Row.
// An Inode object stands for its file as long as refs > 0: locks, FIFOs and mounts compare inodes by identity.
import { makedev } from '../../abi/fcntl.ts'
import { type Message, message, slotOf } from '../../abi/message.ts'
import type { Sys } from '../../lib/server.ts'
import { Timers } from '../../lib/timers.ts'
import type { Owner } from './async.ts'
import { type Nameless, nameless } from './anon.ts'
import { type DeviceTables, deviceTables } from './cdev.ts'
import { type EpollTables, epollTables } from './epoll.ts'
import type { Executable } from './exec.ts'
import type { HostFiles } from './hostfiles.ts'
import type { Caller, FileOps, Fproc, FsType, Inode, OpenFile } from './inode.ts'
import type { InodeLocks } from './locks.ts'
import { createMemfs } from './memfs.ts'
import type { Pidfd } from './pidfd.ts'
import { newWatches, notifyGone, type Watches } from './notify.ts'
import { MqueueFs } from './mqueuefs.ts'
import type { Pipe } from './pipe.ts'
import { type SocketTables, socketTables } from './socket.ts'
import type { Store } from './store.ts'
import type { Timerfd } from './timerfd.ts'

/** st_dev of file systems that are never mounted: anonymous devices above those mounts get. */
export const PIPE_DEV = makedev(0, 0x1001)
export const ANON_DEV = makedev(0, 0x1002)
export const SOCK_DEV = makedev(0, 0x1004)
const MEMFD_DEV = makedev(0, 0x1003)
const MQUEUE_DEV = makedev(0, 0x1004)

/** A mounted file system. `on` is the directory covered (on.covered === root), null for the root of the machine. */
export interface Mount {
  id: number
  parent: number
  fs: FsType
  root: Inode
  on: Inode | null
  /** Mount point, absolute in the machine; '/' for the root. */
  path: string
  /** First and fourth field of /proc/mounts. */
  source: string
  options: string
}

/** What the machine is told about itself and its host: shown in /proc and /sys. Bytes and counts. */
export interface Facts {
  cpus: number
  /** /proc/cpuinfo of one processor: what says which kind it is. Names as there, tabs too. */
  cpuinfo: readonly (readonly [name: string, value: string])[]
  /** Caches of one processor, nearest first: files of /sys/devices/system/cpu/cpuN/cache/indexK by name. */
  caches: readonly Readonly<Record<string, string>>[]
  memory: number
  /** Memory committed to the machine's guests now; what of their private memory is there; how commits are counted (overcommit_memory). */
  memoryUsed(): number
  memoryResident(): number
  overcommit(): number
  /** transparent_hugepage/enabled of the host. */
  hugePages: string
  osrelease: string
  /** `uname -v`. */
  version: string
  pidMax: number
  /** Processes and threads there may be; ptys. */
  processes: number
  ptys: number
  cmdline: string
  /** Messages delivered so far: the machine's context switches. */
  messages(): number
}

/** What a thread waits for. */
export const WAIT = {
  NONE: 0,
  FILE: 1, // row.file.ops: its cancel() knows
  FIFO: 2, // opening a FIFO
  DEVICE: 3, // a driver has the request
  POLL: 4, // poll, ppoll
  SELECT: 5,
  EPOLL: 6,
  FLOCK: 7,
  LOCK: 8, // fcntl SETLKW, OFD_SETLKW
  SPLICE: 9, // sendfile, splice, tee, copy_file_range waiting for a pipe end
  SOCKET: 10, // NET has the request
} as const

/** A suspended call of one thread (MINIX's SUSPEND and revive): a record that can be shown, saved, moved. */
export interface Row {
  /** Caller, or -1 when the row is free. */
  endpoint: number
  kind: number
  /** Which part of `file` it waits for: private to the owner of `kind`. */
  side: number
  /** Held (refs) as long as the row stands. */
  file: OpenFile | null
  /** Data grant, length, and how much of it is done. */
  at: number
  len: number
  done: number
  /** Private numbers of the owner of `kind`. */
  a: number
  b: number
  c: number
  d: number
  /** Private record of the owner of `kind`. */
  more: unknown
}

export interface FsState {
  readonly sys: Sys
  readonly host: HostFiles
  readonly store: Store
  readonly facts: Facts
  readonly timers: Timers
  /** In mount order; [0] is the root. Filled by the mounts hook at start, then by MOUNT/UMOUNT. */
  mounts: Mount[]
  nextMount: number
  /** By process-table slot. Use fprocOf(). */
  readonly fprocs: (Fproc | undefined)[]
  /** By process-table slot. Use suspend() and resume(). */
  readonly rows: Row[]
  /** Who is being served: set by fprocOf, read by /proc/self. */
  current: number
  /** Message for requests to other servers; its content is dead after use. */
  readonly out: Message
  /** The Caller record given to FileOps: reused for every call, never kept. */
  readonly caller: Caller
  /** Told when the last reference to an open file goes, before its ops.release: locks, epoll sets. */
  readonly closing: ((file: OpenFile) => void)[]
  /** Open file descriptions in existence and the limit (ENFILE). */
  openFiles: number
  maxFiles: number
  /** Inode numbers for pipes and anonymous inodes. */
  nextIno: number
  /** Tables of the parts, each described in its own file. */
  readonly nameless: Nameless
  readonly pipes: Map<Inode, Pipe>
  /** Bytes of pipe buffers in existence. */
  pipeBytes: number
  readonly locks: Map<Inode, InodeLocks>
  readonly epoll: EpollTables
  readonly devices: DeviceTables
  /** notify.ts: who watches what; how many watches there are. */
  readonly watches: Watches
  watched: number
  readonly sockets: SocketTables
  readonly timerfds: (Timerfd | null)[]
  /** By exec handle: exec.ts. */
  readonly executables: (Executable | null)[]
  readonly signalfds: OpenFile[]
  /** By ref. */
  readonly pidfds: Map<number, Pidfd>
  /** Whom signals about files go to, and the files with O_ASYNC by number: async.ts. */
  readonly owners: Map<OpenFile, Owner>
  readonly asyncs: (OpenFile | null)[]
  /** /dev, once it is made (createDevfs): devices of first processes and the names of ptys come from it. */
  dev: FsType | null
  /** /dev/pts, likewise. */
  pts: FsType | null
  /** Nodes of /dev that first processes get their descriptors from, whatever guests do to the names. */
  readonly stdio: Map<string, Inode>
  /** Where memfd files live: never mounted. */
  readonly memfd: Memfs
  /** POSIX message queues, mounted or not. */
  readonly mqueue: MqueueFs
  /** How many processes were made since the machine started. */
  forks: number
}

/** A memfs as far as memfd_create needs it. */
export interface Memfs extends FsType {
  tmpfile(dir: Inode, mode: number, uid: number, gid: number, linkable: boolean): Inode | number
}

export function createState(sys: Sys, host: HostFiles, store: Store, facts: Facts): FsState {
  const now = (): number => sys.realtime()
  const state: Omit<FsState, 'mqueue'> = {
    sys,
    host,
    store,
    facts,
    timers: new Timers(sys),
    mounts: [],
    nextMount: 20,
    fprocs: [],
    rows: [],
    current: -1,
    out: message(),
    caller: { endpoint: -1, nonblock: false, done: 0, total: 0 },
    closing: [],
    openFiles: 0,
    maxFiles: 1 << 18,
    pipeBytes: 0,
    nextIno: 4096,
    nameless: nameless(),
    pipes: new Map(),
    locks: new Map(),
    epoll: epollTables(),
    devices: deviceTables(),
    watches: newWatches(),
    watched: 0,
    sockets: socketTables(),
    timerfds: [],
    executables: [],
    signalfds: [],
    pidfds: new Map(),
    owners: new Map(),
    asyncs: [],
    dev: null,
    pts: null,
    stdio: new Map(),
    memfd: createMemfs({ store, dev: MEMFD_DEV, now }),
    forks: 0,
  }
  return Object.assign(state, { mqueue: new MqueueFs(state as FsState, MQUEUE_DEV) })
}

/** The caller's row in the process table; undefined when it has none (never spawned, or gone). Marks it as the one served. */
export function fprocOf(state: FsState, endpoint: number): Fproc | undefined {
  state.current = endpoint
  const fproc = state.fprocs[slotOf(endpoint)]
  return fproc !== undefined && fproc.endpoint === endpoint ? fproc : undefined
}

/** The Caller record, filled in: good until the next use. `done` of `total` bytes were brought by earlier messages of the call. */
export function callerOf(state: FsState, endpoint: number, nonblock: boolean, done: number, total: number): Caller {
  const { caller } = state
  caller.endpoint = endpoint
  caller.nonblock = nonblock
  caller.done = done
  caller.total = total
  return caller
}

/** The thread's row, filled in for a call that waits; holds `file`. The caller sets the private fields and returns SUSPEND. */
export function suspend(
  state: FsState,
  endpoint: number,
  kind: number,
  file: OpenFile | null,
  at: number,
  len: number,
  done: number,
): Row {
  const slot = slotOf(endpoint)
  while (state.rows.length <= slot) state.rows.push(freeRow())
  const row = state.rows[slot] as Row
  if (file !== null) file.refs++
  row.endpoint = endpoint
  row.kind = kind
  row.side = 0
  row.file = file
  row.at = at
  row.len = len
  row.done = done
  row.more = null
  return row
}
function freeRow(): Row {
  return {
    endpoint: -1,
    kind: WAIT.NONE,
    side: 0,
    file: null,
    at: 0,
    len: 0,
    done: 0,
    a: 0,
    b: 0,
    c: 0,
    d: 0,
    more: null,
  }
}
/** The call `endpoint` waits in, or undefined. */
export function waiting(state: FsState, endpoint: number): Row | undefined {
  const row = state.rows[slotOf(endpoint)]
  return row !== undefined && row.kind !== WAIT.NONE && row.endpoint === endpoint ? row : undefined
}
/** Free the row and answer its caller. */
export function resume(state: FsState, row: Row, result: number): void {
  const endpoint = row.endpoint
  drop(state, row)
  state.sys.reply(endpoint, result)
}
/** Free the row without an answer. */
export function drop(state: FsState, row: Row): void {
  const file = row.file
  row.endpoint = -1
  row.kind = WAIT.NONE
  row.file = null
  row.more = null
  if (file !== null) dropFile(state, file)
}

/** Take and give back a reference to an inode. The last one tells its file system, which may free an unlinked file. */
export function holdInode(inode: Inode): Inode {
  inode.refs++
  return inode
}
export function dropInode(inode: Inode): void {
  if (--inode.refs === 0) inode.fs.forget?.(inode)
}

/** A new open file description with one reference; takes its own reference to the inode. `pos` is 0, or -1 for a stream (no offset:
 *  lseek and pread answer ESPIPE). Check openFiles against maxFiles (ENFILE) first. */
export function newFile(
  state: FsState,
  inode: Inode,
  flags: number,
  path: string,
  ops: FileOps,
  pos: number,
  priv: unknown,
): OpenFile {
  inode.refs++
  state.openFiles++
  return { refs: 1, flags, pos, inode, path, dir: null, name: '', ops, priv }
}
/** The file is known as `name` in `dir`, from now on. */
export function setName(file: OpenFile, dir: Inode, name: string): void {
  dir.refs++
  if (file.dir !== null) dropInode(file.dir)
  file.dir = dir
  file.name = name
}
/** Give back one reference; the last one releases the file and its inode. */
export function dropFile(state: FsState, file: OpenFile): void {
  if (--file.refs > 0) return
  for (const tell of state.closing) tell(file)
  file.ops.release?.(file)
  dropInode(file.inode)
  if (state.watched !== 0) notifyGone(state, file.inode)
  if (file.dir !== null) dropInode(file.dir)
  state.openFiles--
}
