// Steps that turn an argument into something else on its way into the message: milliseconds and timevals into timespecs, pselect6's
// packed signal set, clone3's structure, data whose size a command decides.
import { CLONE, CLONE_HIGH } from '../../abi/clone.ts'
import { E } from '../../abi/errno.ts'
import { IOCTL } from '../../abi/ioctl.ts'
import { high, int, setGrant, setInt, setLong } from '../../abi/message.ts'
import { WHEN } from './args.ts'
import { DATA, fcntlData, GETALL, ioctlData, msgctlData, prctlData, ptraceData, semctlData, shmctlData } from './commands.ts'
import {
  data,
  fetch,
  grant,
  isGuest,
  isNull,
  low,
  out,
  prefetched,
  reserve,
  signed,
  type ThreadView,
  unsigned,
  WANT,
  want,
} from './operands.ts'
import { code, DO } from './program.ts'
import { interfaceList } from './socket-operands.ts'
import { controlData, counted, messageIn, messageOut, sembufs, semctlValues } from './sysv.ts'

const HIGH = 4294967296
const TIMESPEC = 16
const SIGSET = 8

/** Step `operation` for argument i into `cell`: 0 (also when input is to come), or -errno. */
export function convert(t: ThreadView, operation: number, i: number, cell: number, p: number): number {
  switch (operation) {
    case DO.MS:
      return milliseconds(t, i, cell)
    case DO.TV:
      return timeval(t, i, cell, code[p + 3] === 1)
    case DO.SS:
      return packedSet(t, i, cell)
    case DO.IOCTL:
      if (low(t, 1) >>> 0 === IOCTL.SIOCGIFCONF) return interfaceList(t, i, cell)
      return descriptorData(t, ioctlData(low(t, 1)), i, cell)
    case DO.FCNTL:
      return descriptorData(t, fcntlData(low(t, 1)), i, cell)
    case DO.PRCTL:
      return prctlName(t, i, cell)
    case DO.PTID:
      return parentTid(t, i, cell, low(t, 0), unsigned(t, i))
    case DO.PIDFD:
      return pidfd(t, i, cell, low(t, 0), unsigned(t, i))
    case DO.CLONE3:
      return clone3(t, i, cell)
    case DO.FUTEX:
      return futexTimeout(t, i, cell)
    case DO.PTRACE:
      return ptraceBuffer(t, i, cell)
    case DO.PTRACEVEC:
      return ptraceVector(t, i, cell)
    case DO.CAP:
      return capabilities(t, i, cell, code[p + 3] === 1, code[p + 4] === 1)
    case DO.ATTR:
      return schedulingAttributes(t, i, cell)
    case DO.ROOM:
      return data(t, i, cell, ATTR.BYTES, false, true, Math.min(low(t, i + 1) >>> 0, ATTR.BYTES), WHEN.SUCCESS)
    case DO.REM:
      return low(t, 1) & TIMER_ABSTIME || isNull(t, i)
        ? grant(t, i, cell, 0, 0)
        : data(t, i, cell, TIMESPEC, false, true, TIMESPEC, WHEN.EINTR)
    case DO.SHMCTL:
      return controlData(t, shmctlData(low(t, 1)), i, cell)
    case DO.SEMCTL:
      return low(t, 2) === GETALL ? semctlValues(t, i, cell) : controlData(t, semctlData(low(t, 2)), i, cell)
    case DO.MSGCTL:
      return controlData(t, msgctlData(low(t, 1)), i, cell)
    case DO.SEMBUF:
      return sembufs(t, i, cell)
    case DO.MSGSND:
      return messageIn(t, i, cell)
    case DO.PART:
      return counted(t, i, cell)
    case DO.MSGRCV:
      return messageOut(t, i, cell)
    default:
      return -E.NOSYS
  }
}
const TIMER_ABSTIME = 1

function putLong(t: ThreadView, at: number, v: number): void {
  t.view.setInt32(at + 4, Math.floor(v / HIGH), true)
  t.view.setUint32(at, v >>> 0, true)
}
function getLong(t: ThreadView, at: number): number {
  return t.view.getInt32(at + 4, true) * HIGH + t.view.getUint32(at, true)
}
function timespec(t: ThreadView, cell: number, seconds: number, nanoseconds: number): number {
  const at = reserve(t, TIMESPEC)
  if (at < 0) return at
  putLong(t, at, seconds)
  putLong(t, at + 8, nanoseconds)
  setGrant(t.message, cell, at, TIMESPEC)
  return 0
}

/** poll's timeout: milliseconds, below 0 for ever; what is left of it when the call is issued again. */
function milliseconds(t: ThreadView, i: number, cell: number): number {
  const ms = (t.left ?? -1) >= 0 ? (t.left as number) : low(t, i)
  if (ms < 0) {
    setGrant(t.message, cell, 0, 0)
    return 0
  }
  return timespec(t, cell, Math.floor(ms / 1000), (ms % 1000) * 1e6)
}

/** What FS has left of poll's timeout in its grant, ms; -1: it had none. */
export function timeLeft(t: ThreadView): number {
  const cell = 2
  if (high(t.message, cell) < TIMESPEC) return -1
  const at = int(t.message, cell)
  return Math.ceil(getLong(t, at) * 1000 + getLong(t, at + 8) / 1e6)
}

/** A timeval, as select takes it: microseconds beyond a second carry over; a negative part stays wrong for the server to refuse. isOut:
 *  what the server leaves of it goes back. */
function timeval(t: ThreadView, i: number, cell: number, isOut: boolean): number {
  if (isNull(t, i)) return grant(t, i, cell, 0, 0)
  const at = fetch(t, i, TIMESPEC)
  if (at <= 0) return at
  t.wants.areas[2 * i] = at
  t.wants.areas[2 * i + 1] = TIMESPEC
  const seconds = getLong(t, at)
  const micros = getLong(t, at + 8)
  if (seconds < 0 || micros < 0) return timespec(t, cell, -1, -1)
  const r = timespec(t, cell, seconds + Math.floor(micros / 1e6), (micros % 1e6) * 1000)
  return r < 0 || !isOut ? r : out(t, unsigned(t, i), int(t.message, cell), TIMESPEC, 0, 0, WHEN.LEFT_TIMEVAL)
}

/** pselect6's last argument: { const sigset_t *set; size_t size }. */
function packedSet(t: ThreadView, i: number, cell: number): number {
  if (isNull(t, i)) return grant(t, i, cell, 0, 0)
  const at = fetch(t, i, 16)
  if (at <= 0) return at
  const set = t.view.getUint32(at + 4, true) * HIGH + t.view.getUint32(at, true)
  if (set === 0) return grant(t, i, cell, 0, 0)
  if (t.view.getUint32(at + 8, true) !== SIGSET || t.view.getUint32(at + 12, true) !== 0) return -E.INVAL
  const bytes = want(t, WANT.BYTES, set, SIGSET, reserve(t, SIGSET))
  return bytes > 0 ? grant(t, i, cell, bytes, SIGSET) : bytes
}

/** ioctl and fcntl: data as the command says. Data that can't be read are an empty grant: the server looks at the descriptor first. */
function descriptorData(t: ThreadView, shape: number, i: number, cell: number): number {
  const bytes = shape & 0xffff
  if (bytes === 0 || ((shape >> 16) & DATA.IN) === 0) return commandData(t, shape, i, cell)
  const there = prefetched(t, i, bytes)
  const at = there > 0 ? there : want(t, WANT.PARTIAL, unsigned(t, i), bytes, reserve(t, bytes))
  if (at === -E.FAULT || (there === 0 && at > 0 && t.wants.got < bytes)) return grant(t, i, cell, 0, 0)
  if (at <= 0) return at
  grant(t, i, cell, at, bytes)
  return ((shape >> 16) & DATA.OUT) !== 0 ? out(t, unsigned(t, i), at, bytes, 0, 0, WHEN.SUCCESS) : 0
}
/** Data as a command says; a value otherwise. */
function commandData(t: ThreadView, shape: number, i: number, cell: number): number {
  const bytes = shape & 0xffff
  const direction = shape >> 16
  if (bytes === 0) {
    setGrant(t.message, cell, 0, 0)
    return 0
  }
  return data(t, i, cell, bytes, (direction & DATA.IN) !== 0, (direction & DATA.OUT) !== 0, bytes, WHEN.SUCCESS)
}

/** prctl: what arg2 points to. PR_SET_NAME reads up to a NUL, 15 bytes at most. */
const PR_SET_NAME = 15
const COMM = 16
function prctlName(t: ThreadView, i: number, cell: number): number {
  if (low(t, 0) !== PR_SET_NAME) return commandData(t, prctlData(low(t, 0)), i, cell)
  const at = want(t, WANT.PARTIAL, unsigned(t, i), COMM, reserve(t, COMM))
  if (at <= 0) return at
  let length = 0
  while (length < t.wants.got && t.mem[at + length] !== 0) length++
  if (length === t.wants.got && length < COMM - 1) return -E.FAULT
  t.mem.fill(0, at + Math.min(length, COMM - 1), at + COMM)
  return grant(t, i, cell, at, COMM)
}

/** Where clone leaves the child's id in the parent: only with the flag for it. */
function parentTid(t: ThreadView, i: number, cell: number, flags: number, address: number): number {
  if ((flags & CLONE.PARENT_SETTID) === 0) {
    setGrant(t.message, cell, 0, 0)
    return 0
  }
  const at = reserve(t, 4)
  if (at < 0) return at
  t.mem.fill(0, at, at + 4)
  grant(t, i, cell, at, 4)
  return out(t, address, at, 4, 0, 0, WHEN.POSITIVE)
}

/** Where CLONE_PIDFD leaves the descriptor: looked at first, since there is no way back once the child is born. */
function pidfd(t: ThreadView, i: number, cell: number, flags: number, address: number): number {
  if ((flags & CLONE.PIDFD) === 0) return grant(t, i, cell, 0, 0)
  const at = want(t, WANT.BYTES, address, 4, reserve(t, 4))
  if (at <= 0) return at
  setGrant(t.message, cell, at, 4)
  return out(t, address, at, 4, 0, 0, WHEN.POSITIVE)
}

/** struct clone_args (linux/sched.h), byte offsets. */
const ARGS = {
  FLAGS: 0,
  PIDFD: 8,
  CHILD_TID: 16,
  PARENT_TID: 24,
  EXIT_SIGNAL: 32,
  STACK: 40,
  STACK_SIZE: 48,
  TLS: 56,
  SET_TID: 64,
  SET_TID_SIZE: 72,
  CGROUP: 80,
  BYTES: 88,
  MIN: 64,
} as const
/** MAX_PID_NS_LEVEL */
const PID_LEVELS = 32
function clone3(t: ThreadView, i: number, cell: number): number {
  const size = unsigned(t, i + 1)
  if (size > 4096) return -E.TOOBIG
  if (size < ARGS.MIN) return -E.INVAL
  const at = fetch(t, i, size)
  if (at <= 0) return at
  t.wants.areas[2 * i] = at
  t.wants.areas[2 * i + 1] = size
  for (let k = ARGS.BYTES; k < size; k++) if (t.mem[at + k] !== 0) return -E.TOOBIG
  const word = (offset: number): number => (size >= offset + 8 ? getLong(t, at + offset) : 0)
  const tids = word(ARGS.SET_TID_SIZE)
  if (tids < 0 || tids > PID_LEVELS || (word(ARGS.SET_TID) === 0) !== (tids === 0)) return -E.INVAL
  const signal = word(ARGS.EXIT_SIGNAL)
  if (signal < 0 || signal > 64) return -E.INVAL
  const wished = tids === 0 ? 0 : want(t, WANT.BYTES, address(t, at + ARGS.SET_TID), 4 * tids, reserve(t, 4 * tids))
  if (wished < 0 || (wished === 0 && tids > 0)) return wished
  const flags = t.view.getUint32(at + ARGS.FLAGS, true)
  const more = t.view.getUint32(at + ARGS.FLAGS + 4, true)
  if ((more & ~(CLONE_HIGH.CLEAR_SIGHAND | CLONE_HIGH.INTO_CGROUP)) !== 0) return -E.INVAL
  if ((flags & (CLONE.DETACHED | 0xff)) !== 0) return -E.INVAL
  if ((flags & CLONE.SIGHAND) !== 0 && (more & CLONE_HIGH.CLEAR_SIGHAND) !== 0) return -E.INVAL
  if ((flags & (CLONE.THREAD | CLONE.PARENT)) !== 0 && signal !== 0) return -E.INVAL
  const stack = address(t, at + ARGS.STACK)
  const bytes = address(t, at + ARGS.STACK_SIZE)
  if ((stack === 0) !== (bytes === 0) || !isGuest(stack, bytes)) return -E.INVAL
  setInt(t.message, cell, (flags | signal) >>> 0)
  setLong(t.message, cell + 1, stack + bytes)
  setLong(t.message, cell + 3, word(ARGS.CHILD_TID))
  setLong(t.message, cell + 4, word(ARGS.TLS))
  setGrant(t.message, cell + 5, tids === 0 ? 0 : t.view.getInt32(wished, true), more)
  if (tids > 0 && t.view.getInt32(wished, true) < 1) return -E.INVAL
  const r = parentTid(t, 6, cell + 2, flags, address(t, at + ARGS.PARENT_TID))
  return r < 0 ? r : pidfd(t, 6, cell + 6, flags, address(t, at + ARGS.PIDFD))
}
function address(t: ThreadView, at: number): number {
  return t.view.getUint32(at + 4, true) * HIGH + t.view.getUint32(at, true)
}

/** futex's fourth argument: a timeout for the waiting operations, a number (val2) for the others. */
const FUTEX = { WAIT: 0, LOCK_PI: 6, WAIT_BITSET: 9, WAIT_REQUEUE_PI: 11, LOCK_PI2: 13, COMMAND: 0x7f } as const
function futexTimeout(t: ThreadView, i: number, cell: number): number {
  const command = low(t, 1) & FUTEX.COMMAND
  const waits =
    command === FUTEX.WAIT ||
    command === FUTEX.WAIT_BITSET ||
    command === FUTEX.LOCK_PI ||
    command === FUTEX.LOCK_PI2 ||
    command === FUTEX.WAIT_REQUEUE_PI
  if (!waits) {
    setLong(t.message, cell, signed(t, i))
    return 0
  }
  if (isNull(t, i)) return grant(t, i, cell, 0, 0)
  const at = fetch(t, i, TIMESPEC)
  if (at <= 0) return at
  const nanoseconds = getLong(t, at + 8)
  if (getLong(t, at) < 0 || nanoseconds < 0 || nanoseconds >= 1e9) return -E.INVAL
  return grant(t, i, cell, at, TIMESPEC)
}

/** ptrace: what a request's data points to. Whether there is a process to trace comes before whether the address is good, so PM gets an
 *  empty grant for one that isn't. */
const PTRACE = { SETREGSET: 0x4205, PEEKSIGINFO: 0x4209, GET_SYSCALL_INFO: 0x420e, SET_MAX: 0x4000 } as const
function ptraceBuffer(t: ThreadView, i: number, cell: number): number {
  const shape = ptraceData(low(t, 0))
  const direction = shape >> 16
  const bytes = shape & 0xffff
  const from = unsigned(t, low(t, 0) === PTRACE.PEEKSIGINFO ? i - 1 : i)
  if (bytes === 0 || from === 0 || !isGuest(from, bytes)) return grant(t, i, cell, 0, 0)
  if ((direction & DATA.IN) !== 0) {
    const at = want(t, WANT.PARTIAL, from, bytes, reserve(t, bytes))
    if (at <= 0) return at
    if (t.wants.got < bytes) return grant(t, i, cell, 0, 0)
    grant(t, i, cell, at, bytes)
    return direction === DATA.INOUT ? out(t, from + 8, at + 8, 8, 0, 0, WHEN.SUCCESS) : 0
  }
  const info = low(t, 0) === PTRACE.GET_SYSCALL_INFO
  const room = info ? Math.min(unsigned(t, i - 1), bytes) : bytes
  const at = reserve(t, bytes)
  if (at < 0) return at
  t.mem.fill(0, at, at + bytes)
  grant(t, i, cell, at, room)
  return out(t, from, at, room, info ? 1 : 0, 0, WHEN.SUCCESS)
}
function ptraceVector(t: ThreadView, i: number, cell: number): number {
  const iov = t.wants.areas[2 * i] as number
  if (low(t, 0) !== PTRACE.SETREGSET || iov === 0) {
    setGrant(t.message, cell, 0, 0)
    return 0
  }
  const base = getLong(t, iov)
  const bytes = Math.min(t.view.getUint32(iov + 12, true) === 0 ? t.view.getUint32(iov + 8, true) : PTRACE.SET_MAX, PTRACE.SET_MAX)
  const at = bytes === 0 || !isGuest(base, bytes) ? -1 : want(t, WANT.PARTIAL, base, bytes, reserve(t, bytes))
  if (at === 0) return 0
  setGrant(t.message, cell, Math.max(at, 0), at < 0 ? 0 : t.wants.got)
  return 0
}

/** sched_setattr's structure says itself how long it is. What is longer than ours must be zeros; of one that makes no sense the server gets
 *  the size alone, and corrects it. */
const ATTR = { LEAST: 48, BYTES: 56, MOST: 4096 } as const
function schedulingAttributes(t: ThreadView, i: number, cell: number): number {
  if (isNull(t, i)) return grant(t, i, cell, 0, 0)
  const first = want(t, WANT.BYTES, unsigned(t, i), 4, reserve(t, 4))
  if (first <= 0) return first
  const size = t.view.getUint32(first, true) || ATTR.LEAST
  if (size < ATTR.LEAST || size > ATTR.MOST) return wrongSize(t, i, cell, first)
  const at = want(t, WANT.BYTES, unsigned(t, i), size, reserve(t, size))
  if (at <= 0) return at
  for (let k = ATTR.BYTES; k < size; k++) if (t.mem[at + k] !== 0) return wrongSize(t, i, cell, first)
  return grant(t, i, cell, at, Math.min(size, ATTR.BYTES))
}
function wrongSize(t: ThreadView, i: number, cell: number, at: number): number {
  grant(t, i, cell, at, 4)
  return out(t, unsigned(t, i), at, 4, 0, 0, WHEN.ALWAYS)
}

/** capget and capset: one structure of 12 bytes in version 1, two later. The header is argument 0. */
const CAPABILITY_VERSION_1 = 0x19980330
function capabilities(t: ThreadView, i: number, cell: number, isOut: boolean, optional: boolean): number {
  if (optional && isNull(t, i)) return grant(t, i, cell, 0, 0)
  const header = t.wants.areas[0] as number
  if (header === 0) return 0
  const bytes = t.view.getUint32(header, true) === CAPABILITY_VERSION_1 ? 12 : 24
  return data(t, i, cell, bytes, !isOut, isOut, bytes, WHEN.SUCCESS)
}
