// The process table of FS: what PM, the machine and the kernel tell it about processes (fork, exec, exit, credentials, signals due).
// Only they may send these; a guest gets EPERM. Invariant: a row's table and context each count one reference for it.
import { CLONE } from '../../abi/clone.ts'
import { E } from '../../abi/errno.ts'
import { AT, O } from '../../abi/fcntl.ts'
import { FIRST_GUEST, high, int, long, type Message, SUSPEND, slotOf, uint } from '../../abi/message.ts'
import type { CallVector, Handler } from '../../lib/server.ts'
import { COMMON_CALL } from '../../protocol/common.ts'
import { FS } from '../../protocol/fs.ts'
import { CRED_BYTES } from '../../protocol/pm.ts'
import { cancelDevice } from './cdev.ts'
import { unshareTable } from './dup.ts'
import { execFile } from './exec.ts'
import { closeFd, copyTable, dropTable, installFile, newTable } from './filedes.ts'
import type { Credentials, Fproc, FsContext, OpenFile } from './inode.ts'
import { unwaitLock } from './locks.ts'
import { WALK, Walk, walk } from './namei.ts'
import { parsePath, textAt } from './path.ts'
import { undoFifoOpen } from './pipe.ts'
import { finishWait, stopWaiting } from './poll.ts'
import { cancelFile } from './readwrite.ts'
import { cancelSocket } from './socket.ts'
import { openSpecial, openStream } from './special.ts'
import { dropSplice } from './splice.ts'
import {
  drop,
  dropFile,
  dropInode,
  type FsState,
  fprocOf,
  holdInode,
  type Mount,
  type Row,
  resume,
  WAIT,
  waiting,
} from './state.ts'

const NOFILE_DEFAULT = 1024
const MSGQUEUE_DEFAULT = 819200
/** /proc/sys/fs/nr_open */
const NOFILE_MAX = 1048576
const RLIMIT = { FSIZE: 1, NOFILE: 7, MSGQUEUE: 12 } as const
const UMASK_DEFAULT = 0o022
const NO_UID = 4294967295
/** core(5): private and shared anonymous memory, ELF headers. */
const CORE_FILTER = 0x33
const EMPTY = new Uint8Array(0)

// -- contexts --

function copyContext(from: FsContext): FsContext {
  holdInode(from.root)
  holdInode(from.cwd)
  return { ...from, refs: 1 }
}
function dropContext(context: FsContext): void {
  if (--context.refs > 0) return
  dropInode(context.root)
  dropInode(context.cwd)
}
function rootContext(state: FsState): FsContext {
  const root = (state.mounts[0] as Mount).root
  holdInode(root)
  holdInode(root)
  return { refs: 1, root, rootPath: '/', cwd: root, cwdPath: '/', umask: UMASK_DEFAULT }
}

// -- from PM and the machine --

function fork(state: FsState, m: Message): number {
  const parent = fprocOf(state, int(m, 0))
  const endpoint = int(m, 1)
  const flags = int(m, 2)
  if (parent === undefined) return -E.SRCH
  clearSlot(state, endpoint)
  const shareFiles = (flags & CLONE.FILES) !== 0
  const shareContext = (flags & CLONE.FS) !== 0
  if (shareFiles) parent.table.refs++
  if (shareContext) parent.context.refs++
  if (parent.exeInode !== null) holdInode(parent.exeInode)
  state.fprocs[slotOf(endpoint)] = {
    ...parent,
    endpoint,
    cred: { ...parent.cred, groups: parent.cred.groups.slice() },
    table: shareFiles ? parent.table : copyTable(parent.table),
    context: shareContext ? parent.context : copyContext(parent.context),
    shared: (flags & CLONE.THREAD) !== 0 ? parent.shared : { ...parent.shared },
  }
  state.forks++
  return 0
}

/** Whoever had this slot before and was never reported gone. */
function clearSlot(state: FsState, endpoint: number): void {
  const stale = state.fprocs[slotOf(endpoint)]
  if (stale !== undefined) exit(state, stale.endpoint)
}
/** A process (thread) has ended: its pending call, descriptors, directories go. */
function exit(state: FsState, endpoint: number): number {
  const row = waiting(state, endpoint)
  if (row !== undefined) abandon(state, row)
  const fproc = fprocOf(state, endpoint)
  if (fproc === undefined) return 0
  state.fprocs[slotOf(endpoint)] = undefined
  dropTable(state, fproc.table)
  dropContext(fproc.context)
  if (fproc.exeInode !== null) dropInode(fproc.exeInode)
  return 0
}

function spawn(state: FsState, m: Message): number {
  const endpoint = int(m, 0)
  const { mem } = state.sys
  const stdio = mem.slice(int(m, 1), int(m, 1) + high(m, 1))
  const cwd = textAt(mem, int(m, 2), high(m, 2))
  clearSlot(state, endpoint)
  const cred: Credentials = {
    uid: 0,
    euid: 0,
    fsuid: 0,
    gid: 0,
    egid: 0,
    fsgid: 0,
    groups: [],
    capabilities: 2 ** 41 - 1,
  }
  const fproc: Fproc = {
    endpoint,
    table: newTable(),
    context: rootContext(state),
    cred,
    exe: '',
    exeInode: null,
    args: EMPTY,
    env: EMPTY,
    tty: 0,
    nofile: NOFILE_DEFAULT,
    fsize: Number.POSITIVE_INFINITY,
    msgqueue: MSGQUEUE_DEFAULT,
    shared: { oomAdjust: 0, oomLeast: 0, loginuid: NO_UID, coreFilter: CORE_FILTER },
  }
  state.fprocs[slotOf(endpoint)] = fproc
  state.forks++
  state.current = endpoint
  const r = openStdio(state, fproc, stdio)
  const moved = r === 0 && cwd !== '' ? enterDirectory(state, fproc, cwd) : r
  if (moved < 0) exit(state, endpoint)
  return moved
}
function enterDirectory(state: FsState, fproc: Fproc, cwd: string): number {
  const found = new Walk()
  const r = walk(state, fproc, found, AT.FDCWD, parsePath(cwd), WALK.FOLLOW | WALK.DIRECTORY | WALK.NAMED)
  if (r < 0 || found.inode === null) return r
  holdInode(found.inode)
  dropInode(fproc.context.cwd)
  fproc.context.cwd = found.inode
  fproc.context.cwdPath = found.path
  return 0
}
/** Descriptors 0, 1, … as the bytes say. A byte seen before shares its open file, as a terminal's three descriptors do. */
function openStdio(state: FsState, fproc: Fproc, stdio: Uint8Array): number {
  const opened = new Map<number, OpenFile>()
  for (const [fd, byte] of stdio.entries()) {
    const known = opened.get(byte)
    const file = known ?? openOne(state, fproc, byte, fd === 0 ? O.RDONLY : O.WRONLY)
    if (typeof file === 'number') return file
    if (known !== undefined) known.refs++
    opened.set(byte, file)
    const installed = installFile(fproc, file, false)
    if (installed < 0) {
      dropFile(state, file)
      return installed
    }
  }
  return 0
}
function openOne(state: FsState, fproc: Fproc, byte: number, access: number): OpenFile | number {
  if (byte >= 2) return openStream(state, byte - 2, fproc.endpoint, access)
  const inode = state.stdio.get(byte === 1 ? 'tty0' : 'null')
  if (inode === undefined) return -E.NXIO
  return openSpecial(state, inode, O.RDWR | O.NOCTTY, byte === 1 ? '/dev/tty0' : '/dev/null', fproc, fproc.endpoint)
}

/** execve went through: a table of its own without the close-on-exec descriptors, and the new name. */
function execed(state: FsState, m: Message): number {
  const fproc = fprocOf(state, int(m, 0))
  if (fproc === undefined) return -E.SRCH
  const { mem } = state.sys
  const file = execFile(state, int(m, 1))
  unshareTable(state, fproc)
  const { files, cloexec } = fproc.table
  for (let fd = 0; fd < files.length; fd++) if (cloexec[fd] && files[fd] !== null) closeFd(state, fproc, fd)
  if (file !== null) {
    const old = fproc.exeInode
    fproc.exeInode = holdInode(file.inode)
    fproc.exe = file.path
    if (old !== null) dropInode(old)
  }
  fproc.args = mem.slice(int(m, 2), int(m, 2) + high(m, 2))
  fproc.env = mem.slice(int(m, 3), int(m, 3) + high(m, 3))
  return 0
}

/** GETCRED's record (protocol/pm.ts): uid euid suid fsuid gid egid sgid fsgid ngroups groups[32], u64 capabilities. */
function setcred(state: FsState, m: Message): number {
  const fproc = fprocOf(state, int(m, 0))
  if (fproc === undefined) return -E.SRCH
  if (high(m, 1) < CRED_BYTES) return -E.INVAL
  const { view } = state.sys
  const at = int(m, 1)
  const word = (k: number): number => view.getUint32(at + 4 * k, true)
  const cred = fproc.cred
  cred.uid = word(0)
  cred.euid = word(1)
  cred.fsuid = word(3)
  cred.gid = word(4)
  cred.egid = word(5)
  cred.fsgid = word(7)
  cred.groups = Array.from({ length: Math.min(word(8), 32) }, (_, i) => word(9 + i))
  cred.capabilities = word(42) + word(43) * 2 ** 32
  return 0
}

function settty(state: FsState, m: Message): number {
  const fproc = fprocOf(state, int(m, 0))
  if (fproc === undefined) return -E.SRCH
  fproc.tty = uint(m, 1)
  return 0
}
/** Limits are the process's: threads share a table, so every thread's row is told by PM. */
function setlimit(state: FsState, m: Message): number {
  const fproc = fprocOf(state, int(m, 0))
  if (fproc === undefined) return -E.SRCH
  const value = long(m, 2)
  const limit = value < 0 ? Number.POSITIVE_INFINITY : value
  if (int(m, 1) === RLIMIT.NOFILE) fproc.nofile = Math.min(limit, NOFILE_MAX)
  else if (int(m, 1) === RLIMIT.FSIZE) fproc.fsize = limit
  else if (int(m, 1) === RLIMIT.MSGQUEUE) fproc.msgqueue = limit
  else return -E.INVAL
  return 0
}

// -- from the kernel: waiting calls that end --

/** A signal is due for `endpoint`: the call it waits in ends with what was done, or an -ERESTART* for PM to settle. */
function cancel(state: FsState, endpoint: number): number {
  const row = waiting(state, endpoint)
  if (row === undefined) return 0
  switch (row.kind) {
    case WAIT.FILE: {
      const result = cancelFile(row.file as OpenFile, endpoint)
      if (result !== SUSPEND) resume(state, row, result)
      return 0
    }
    case WAIT.DEVICE: {
      const result = cancelDevice(state, row)
      if (result !== SUSPEND) resume(state, row, result)
      return 0
    }
    case WAIT.SOCKET: {
      const result = cancelSocket(state, row)
      if (result !== SUSPEND) resume(state, row, result)
      return 0
    }
    case WAIT.POLL:
    case WAIT.SELECT:
      finishWait(state, row, -E.RESTARTNOHAND)
      return 0
    case WAIT.EPOLL:
      finishWait(state, row, -E.INTR)
      return 0
  }
  forget(state, row)
  resume(state, row, -E.RESTARTSYS)
  return 0
}
/** Take a row of kind FIFO, FLOCK, LOCK or SPLICE out of what it waits on. */
function forget(state: FsState, row: Row): void {
  if (row.kind === WAIT.FIFO) undoFifoOpen(state, row)
  else if (row.kind === WAIT.SPLICE) dropSplice(state, row)
  else unwaitLock(state, row)
}
/** The caller is gone: nobody is answered. */
function abandon(state: FsState, row: Row): void {
  if (row.kind === WAIT.FILE) cancelFile(row.file as OpenFile, row.endpoint)
  else if (row.kind === WAIT.DEVICE) cancelDevice(state, row)
  else if (row.kind === WAIT.SOCKET) cancelSocket(state, row)
  else if (row.kind === WAIT.POLL || row.kind === WAIT.SELECT || row.kind === WAIT.EPOLL) stopWaiting(state, row)
  else forget(state, row)
  drop(state, row)
}

/** Guarded: from tasks, servers and drivers alone. */
function inside(handler: Handler): Handler {
  return (m, from) => (slotOf(from) < FIRST_GUEST ? handler(m, from) : -E.PERM)
}

export function fprocCalls(state: FsState): CallVector {
  return {
    [FS.FORK]: inside(m => fork(state, m)),
    [FS.EXIT]: inside(m => exit(state, int(m, 0))),
    [FS.SPAWN]: inside(m => spawn(state, m)),
    [FS.EXECED]: (m, from) => (slotOf(from) < FIRST_GUEST || from === int(m, 0) ? execed(state, m) : -E.PERM),
    [FS.SETCRED]: inside(m => setcred(state, m)),
    [FS.SETTTY]: inside(m => settty(state, m)),
    [FS.SETLIMIT]: inside(m => setlimit(state, m)),
    [COMMON_CALL.CANCEL]: inside(m => cancel(state, int(m, 0))),
    [COMMON_CALL.GONE]: inside(m => exit(state, int(m, 0))),
    [COMMON_CALL.PING]: () => 0,
  }
}
