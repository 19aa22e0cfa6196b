// Process descriptors (pidfd_open(2), clone's CLONE_PIDFD): files that stand for a process. PM knows processes; here is only which
// descriptor means which (`ref`, a number of PM's that is never used again), and whether it has ended, for poll.
// Invariant: a Pidfd is in `pidfds` as long as an open file refers to it; all of one process share it, and its inode.
import { E } from '../../abi/errno.ts'
import { O } from '../../abi/fcntl.ts'
import { EP, int, type Message } from '../../abi/message.ts'
import { POLL, READABLE } from '../../abi/poll.ts'
import type { CallVector } from '../../lib/server.ts'
import { FS, PIDFD_STATE } from '../../protocol/fs.ts'
import { anonInode } from './anon.ts'
import { duplicate } from './dup.ts'
import { getFile, getIo, installFile } from './filedes.ts'
import type { FileOps, Inode, WaitQueue } from './inode.ts'
import { wake } from './poll.ts'
import { dropFile, type FsState, fprocOf, newFile } from './state.ts'

export interface Pidfd extends WaitQueue {
  readonly ref: number
  readonly inode: Inode
  /** PIDFD_STATE.* */
  state: number
  /** Open files that refer to it. */
  files: number
}

function pidfdOps(state: FsState): FileOps {
  return {
    read: () => -E.INVAL,
    write: () => -E.INVAL,
    poll(file) {
      const now = (file.priv as Pidfd).state
      return now === PIDFD_STATE.REAPED ? READABLE | POLL.HUP : now === PIDFD_STATE.ENDED ? READABLE : 0
    },
    queue: file => file.priv as Pidfd,
    release(file) {
      const pidfd = file.priv as Pidfd
      if (--pidfd.files === 0) state.pidfds.delete(pidfd.ref)
    },
  }
}

function open(state: FsState, ops: FileOps, m: Message): number {
  const fproc = fprocOf(state, int(m, 0))
  if (fproc === undefined) return -E.SRCH
  if (state.openFiles >= state.maxFiles) return -E.NFILE
  const ref = int(m, 1)
  const inode = state.pidfds.get(ref)?.inode ?? anonInode(state, 0o600, 0, 0, 0)
  const pidfd = state.pidfds.get(ref) ?? { waiters: [], ref, inode, state: int(m, 3), files: 0 }
  const file = newFile(state, inode, O.RDWR | (int(m, 2) & O.NONBLOCK), 'anon_inode:[pidfd]', ops, -1, pidfd)
  pidfd.files++
  state.pidfds.set(ref, pidfd)
  const fd = installFile(fproc, file, true)
  if (fd < 0) dropFile(state, file)
  return fd
}

/** → 2 × ref, plus 1 if the descriptor is non-blocking. */
function resolve(state: FsState, ops: FileOps, m: Message): number {
  const fproc = fprocOf(state, int(m, 0))
  const file = fproc === undefined ? null : getIo(fproc, int(m, 1))
  if (file === null || file.ops !== ops) return -E.BADF
  return 2 * (file.priv as Pidfd).ref + ((file.flags & O.NONBLOCK) !== 0 ? 1 : 0)
}

/** pidfd_getfd: another process's open file under a descriptor of one's own. */
function take(state: FsState, m: Message): number {
  const target = fprocOf(state, int(m, 1))
  const fproc = fprocOf(state, int(m, 0))
  if (fproc === undefined || target === undefined) return -E.SRCH
  const file = getFile(target, int(m, 2))
  return file === null ? -E.BADF : duplicate(fproc, file, true, 0)
}

function changed(state: FsState, ref: number, to: number): number {
  const pidfd = state.pidfds.get(ref)
  if (pidfd === undefined) return 0
  pidfd.state = to
  if (pidfd.waiters.length > 0) wake(state, pidfd, READABLE | POLL.HUP)
  return 0
}

export function pidfdCalls(state: FsState): CallVector {
  const ops = pidfdOps(state)
  const fromPm = (f: (m: Message) => number) => (m: Message, from: number) => (from === EP.PM ? f(m) : -E.PERM)
  return {
    [FS.PIDFD_OPEN]: fromPm(m => open(state, ops, m)),
    [FS.PIDFD_REF]: fromPm(m => resolve(state, ops, m)),
    [FS.PIDFD_TAKE]: fromPm(m => take(state, m)),
    [FS.PIDFD_CHANGED]: fromPm(m => changed(state, int(m, 0), int(m, 1))),
  }
}
