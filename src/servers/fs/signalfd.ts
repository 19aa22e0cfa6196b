// signalfd(2): pending signals read from a descriptor. PM keeps the signals; FS asks it (SIGTAKE) and is told when one comes
// (SIGNALLED). As in Linux the signals are those of whoever reads or polls, not of who made the descriptor.
// Invariant: a reader waits in `reading` of its own file until SIGNALLED for its endpoint finds one of its signals.
import { E } from '../../abi/errno.ts'
import { O } from '../../abi/fcntl.ts'
import { EP, high, int, type Message, SUSPEND, setGrant, setLong, slotOf, TYPE } from '../../abi/message.ts'
import { READABLE } from '../../abi/poll.ts'
import type { CallVector } from '../../lib/server.ts'
import { FS } from '../../protocol/fs.ts'
import { PM } from '../../protocol/pm.ts'
import { anonInode } from './anon.ts'
import { getIo, installFile } from './filedes.ts'
import type { FileOps, OpenFile, WaitQueue } from './inode.ts'
import { wake } from './poll.ts'
import { dropFile, type FsState, fprocOf, newFile, type Row, resume, suspend, WAIT } from './state.ts'

const SIGINFO_BYTES = 128
/** SIGKILL and SIGSTOP can't be read. */
const UNREADABLE = (1 << 8) | (1 << 18)

interface Signalfd extends WaitQueue {
  low: number
  high: number
  reading: number[]
}

/** Next pending signal of the set, its siginfo to `at` (bytes 0: only ask) → number or 0. */
function take(state: FsState, set: Signalfd, endpoint: number, at: number, bytes: number): number {
  const m = state.out
  m.fill(0)
  m[TYPE] = PM.SIGTAKE
  setLong(m, 0, endpoint)
  m[4] = set.low
  m[5] = set.high
  setGrant(m, 2, at, bytes)
  return state.sys.sendrec(EP.PM, m)
}

/** struct signalfd_siginfo from a siginfo_t: signalfd(2) and <linux/signalfd.h>. Offsets in words of the first 128 bytes of each. */
function convert(state: FsState, from: number, to: number): void {
  const { mem, view } = state.sys
  const word = (k: number): number => view.getInt32(from + 4 * k, true)
  const signo = word(0)
  const code = word(2)
  mem.fill(0, to, to + SIGINFO_BYTES)
  const put = (offset: number, value: number): void => view.setInt32(to + offset, value, true)
  const put64 = (offset: number, k: number): void => {
    put(offset, word(k))
    put(offset + 4, word(k + 1))
  }
  put(0, signo)
  put(4, word(1))
  put(8, code)
  if (code === SI_TIMER) {
    put(24, word(4))
    put(32, word(5))
    put(44, word(6))
    put64(48, 6)
  } else if (code <= 0 || !FAULTS.has(signo)) {
    put(12, word(4))
    put(16, word(5))
    if (signo === SIGCHLD && code > 0) {
      put(40, word(6))
      put64(56, 8)
      put64(64, 10)
    } else {
      put(44, word(6))
      put64(48, 6)
    }
  } else put64(72, 4)
}
const SI_TIMER = -2
const SIGCHLD = 17
const FAULTS = new Set([4, 5, 7, 8, 11])

/** As many records as fit and are pending → bytes. */
function readPending(state: FsState, set: Signalfd, endpoint: number, at: number, len: number): number {
  const scratch = state.sys.buffer
  let done = 0
  while (done + SIGINFO_BYTES <= len) {
    if (take(state, set, endpoint, scratch, SIGINFO_BYTES) <= 0) break
    convert(state, scratch, at + done)
    done += SIGINFO_BYTES
  }
  return done
}

function signalfdOps(state: FsState): FileOps {
  return {
    read(file, at, len, _position, caller) {
      const set = file.priv as Signalfd
      if (len < SIGINFO_BYTES) return -E.INVAL
      const done = readPending(state, set, caller.endpoint, at, len)
      if (done > 0) return done
      if (caller.nonblock) return -E.AGAIN
      suspend(state, caller.endpoint, WAIT.FILE, file, at, len, 0)
      set.reading.push(slotOf(caller.endpoint))
      return SUSPEND
    },
    write: () => -E.INVAL,
    poll: file => (take(state, file.priv as Signalfd, state.current, 0, 0) > 0 ? READABLE : 0),
    queue: file => file.priv as Signalfd,
    seek: () => 0,
    cancel(file, endpoint) {
      const set = file.priv as Signalfd
      set.reading = set.reading.filter(slot => slot !== slotOf(endpoint))
      return -E.RESTARTSYS
    },
    release(file) {
      const all = state.signalfds
      all.splice(all.indexOf(file), 1)
    },
  }
}

/** From PM: signals came for the process of `endpoint`. */
function signalled(state: FsState, endpoint: number): number {
  const slot = slotOf(endpoint)
  for (const file of state.signalfds.slice()) {
    const set = file.priv as Signalfd
    const place = set.reading.indexOf(slot)
    if (place >= 0) {
      const row = state.rows[slot] as Row
      const done = readPending(state, set, endpoint, row.at, row.len)
      if (done > 0) {
        set.reading.splice(place, 1)
        resume(state, row, done)
      }
    }
    state.current = endpoint
    if (set.waiters.length > 0) wake(state, set, READABLE)
  }
  return 0
}

/** fd -1: a new one; else a new set for an old one. */
function signalfd(state: FsState, ops: FileOps, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const flags = int(m, 3)
  if (fproc === undefined) return -E.SRCH
  if (int(m, 2) !== 8 || (flags & ~(O.CLOEXEC | O.NONBLOCK)) !== 0) return -E.INVAL
  if (high(m, 1) < 8) return -E.FAULT
  const low = state.sys.view.getInt32(int(m, 1), true) & ~UNREADABLE
  const top = state.sys.view.getInt32(int(m, 1) + 4, true)
  const fd = int(m, 0)
  if (fd !== -1) return change(state, ops, getIo(fproc, fd), low, top) || fd
  if (state.openFiles >= state.maxFiles) return -E.NFILE
  const set: Signalfd = { waiters: [], low, high: top, reading: [] }
  const inode = anonInode(state, 0o600, fproc.cred.fsuid, fproc.cred.fsgid, 0)
  const file = newFile(state, inode, O.RDWR | (flags & O.NONBLOCK), 'anon_inode:[signalfd]', ops, -1, set)
  state.signalfds.push(file)
  const made = installFile(fproc, file, (flags & O.CLOEXEC) !== 0)
  if (made < 0) dropFile(state, file)
  return made
}
function change(state: FsState, ops: FileOps, file: OpenFile | null, low: number, top: number): number {
  if (file === null) return -E.BADF
  if (file.ops !== ops) return -E.INVAL
  const set = file.priv as Signalfd
  set.low = low
  set.high = top
  if (set.waiters.length > 0) wake(state, set, READABLE)
  return 0
}

export function signalfdCalls(state: FsState): CallVector {
  const ops = signalfdOps(state)
  return {
    [FS.SIGNALFD]: (m, from) => signalfd(state, ops, m, from),
    [FS.SIGNALLED]: (m, from) => (from === EP.PM ? signalled(state, int(m, 0)) : -E.PERM),
  }
}
