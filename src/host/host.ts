// The host's system calls for the kernel thread, over native/addon.c. Thin and typed: everything returns the host's result, ≥ 0 or
// -errno; nothing throws, nothing here knows what a guest is. No BigInt: host values are numbers (addresses lie below 2^47).
// Structures for calls are built in one scratch block of this thread's, so the hot wrappers allocate nothing and none is re-entrant.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

interface Addon {
  sys(nr: number, a0?: number, a1?: number, a2?: number, a3?: number, a4?: number, a5?: number): number
  buffer(bytes: number): ArrayBuffer
  address(buffer: ArrayBuffer): number
  spawn(path: string, argv: string[], fds: number[]): number
  cpuid(leaf: number, subleaf: number): [eax: number, ebx: number, ecx: number, edx: number]
}

function findNative(): string {
  for (let at = dirname(fileURLToPath(import.meta.url)); ; at = dirname(at)) {
    const build = join(at, 'native', 'build')
    if (existsSync(join(build, 'mol.node'))) return build
    if (at === dirname(at)) throw new Error('mol: native/build/mol.node is missing; run: node scripts/build-native.mjs')
  }
}

/** Where mol.node, launcher and stub.elf are. */
export const nativeDirectory = findNative()
const addon = createRequire(import.meta.url)(join(nativeDirectory, 'mol.node')) as Addon

/** A raw host system call by number (SYS, or Linux's x86-64 table): result or -errno. */
export const sys = addon.sys
/** Page-aligned, zeroed, lazily backed memory of any size. */
export const buffer = addon.buffer
/** Host address of an ArrayBuffer's first byte. It stays there only for what `buffer` made. */
export const address = addon.address
/** A child process of the calling thread: empty environment, `fds[i]` as descriptor i and no others. Its pid or -errno. */
export const spawn = addon.spawn
/** The processor's description of itself; zeroes for a leaf it hasn't got. */
export const cpuid = addon.cpuid

export const SYS = {
  read: 0,
  write: 1,
  close: 3,
  fstat: 5,
  poll: 7,
  mmap: 9,
  munmap: 11,
  ioctl: 16,
  socketpair: 53,
  sendmsg: 46,
  recvmsg: 47,
  setsockopt: 54,
  wait4: 61,
  kill: 62,
  fcntl: 72,
  ftruncate: 77,
  futex: 202,
  clock_gettime: 228,
  epoll_wait: 232,
  epoll_ctl: 233,
  tgkill: 234,
  openat: 257,
  eventfd2: 290,
  epoll_create1: 291,
  pipe2: 293,
  prlimit64: 302,
  memfd_create: 319,
  membarrier: 324,
  epoll_pwait2: 441,
} as const

export const EAGAIN = -11
const EINTR = -4
const ENOSYS = -38

/** A block of memory at a known address to build call arguments in. */
export class Scratch {
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly address: number
  constructor(size = 65536) {
    const memory = buffer(size)
    this.bytes = new Uint8Array(memory)
    this.view = new DataView(memory)
    this.address = address(memory)
  }
  /** Writes a Latin-1 string (one byte per character, as paths are kept) and a NUL at `offset`; its address. */
  cstr(text: string, offset: number): number {
    if (offset + text.length >= this.bytes.length) throw new RangeError('scratch: string too long')
    for (let i = 0; i < text.length; i++) this.bytes[offset + i] = text.charCodeAt(i)
    this.bytes[offset + text.length] = 0
    return this.address + offset
  }
  /** A u64 or i64 below 2^53 in magnitude. */
  setWord(offset: number, value: number): void {
    this.view.setUint32(offset, value, true)
    this.view.setInt32(offset + 4, Math.floor(value / 0x1_0000_0000), true)
  }
  word(offset: number): number {
    return this.view.getInt32(offset + 4, true) * 0x1_0000_0000 + this.view.getUint32(offset, true)
  }
}

// Layout of this module's own block: msghdr 0–63, iovec 64–79, control 128–383, payload 512–4095, structures of other calls from 4096.
const scratch = new Scratch(16384)
const IOVEC = 64
const CONTROL = 128
const CONTROL_BYTES = 256
const PAYLOAD = 512
const PAYLOAD_BYTES = 3584
const AT = 4096
const NOTIFICATION = 8192
const RESPONSE = 8192 + 128

// ---- descriptors ----

export const close = (fd: number): number => sys(SYS.close, fd)
export const read = (fd: number, at: number, bytes: number): number => sys(SYS.read, fd, at, bytes)
export const write = (fd: number, at: number, bytes: number): number => sys(SYS.write, fd, at, bytes)
const CLOEXEC = 0x80000
const NONBLOCK = 0x800

/** Both ends in `out`: read, write. `flags`: O_NONBLOCK; O_CLOEXEC is always set. */
export function pipe2(out: Int32Array, flags = 0): number {
  const result = sys(SYS.pipe2, scratch.address + AT, flags | CLOEXEC)
  out[0] = scratch.view.getInt32(AT, true)
  out[1] = scratch.view.getInt32(AT + 4, true)
  return result
}

/** openat(AT_FDCWD, path, flags | O_CLOEXEC). */
export const openPath = (path: string, flags: number): number =>
  sys(SYS.openat, -100, scratch.cstr(path, AT), flags | CLOEXEC, 0)
const F_GETFL = 3
const F_SETFL = 4
const F_DUPFD_CLOEXEC = 1030
export const duplicate = (fd: number): number => sys(SYS.fcntl, fd, F_DUPFD_CLOEXEC, 3)
export const setNonblocking = (fd: number): number =>
  sys(SYS.fcntl, fd, F_SETFL, sys(SYS.fcntl, fd, F_GETFL) | NONBLOCK)
/** Adds 1 to an eventfd: wakes who waits for it. */
export function ring(fd: number): number {
  scratch.setWord(AT, 1)
  return sys(SYS.write, fd, scratch.address + AT, 8)
}

/** A non-blocking counter: a full one makes the writer's write fail, not wait. */
export const eventfd = (): number => sys(SYS.eventfd2, 0, CLOEXEC | NONBLOCK)

/** Takes what an eventfd has counted: > 0, or -EAGAIN. */
export function drainEvent(fd: number): number {
  const n = sys(SYS.read, fd, scratch.address + AT, 8)
  return n < 0 ? n : scratch.word(AT)
}

// ---- memory ----

const MFD_CLOEXEC = 1
const MFD_ALLOW_SEALING = 2
const F_ADD_SEALS = 1033
const F_SEAL_SEAL = 1
const F_SEAL_SHRINK = 2
const F_SEAL_GROW = 4

/** Anonymous memory of `bytes` as a descriptor that can't be shrunk (so our mapping can't fault); unless `fixed` it may grow by ftruncate. */
export function memfd(name: string, bytes: number, fixed = false): number {
  const fd = sys(SYS.memfd_create, scratch.cstr(name, AT), MFD_CLOEXEC | MFD_ALLOW_SEALING)
  if (fd < 0) return fd
  const seals = F_SEAL_SEAL | F_SEAL_SHRINK | (fixed ? F_SEAL_GROW : 0)
  const error = sys(SYS.ftruncate, fd, bytes) || sys(SYS.fcntl, fd, F_ADD_SEALS, seals)
  if (error < 0) close(fd)
  return error < 0 ? error : fd
}

/** A read-only descriptor of the same memory. */
export const reopenReadOnly = (fd: number): number =>
  sys(SYS.openat, -100, scratch.cstr(`/proc/self/fd/${fd}`, AT), CLOEXEC)

export const truncate = (fd: number, bytes: number): number => sys(SYS.ftruncate, fd, bytes)

const STAT_BLOCKS = 64
/** Bytes of a file the host keeps blocks for: of a memfd, what is in memory. */
export function allocated(fd: number): number {
  const error = sys(SYS.fstat, fd, scratch.address + AT)
  return error < 0 ? error : scratch.word(AT + STAT_BLOCKS) * 512
}

const PROT_READ_WRITE = 3
const MAP_SHARED_FIXED = 0x11
const MAP_PRIVATE_ANONYMOUS_NORESERVE_FIXED = 0x4032
/** Maps `bytes` of fd from `offset` over our own memory at `at`. The address or -errno. */
export const mapOver = (at: number, bytes: number, fd: number, offset: number): number =>
  sys(SYS.mmap, at, bytes, PROT_READ_WRITE, MAP_SHARED_FIXED, fd, offset)
/** Puts fresh zero pages there again. */
export const unmapOver = (at: number, bytes: number): number =>
  sys(SYS.mmap, at, bytes, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS_NORESERVE_FIXED, -1, 0)

// ---- sockets ----

const AF_UNIX = 1
const SOL_SOCKET = 1
const SO_PASSCRED = 16
const SCM_RIGHTS = 1
const SCM_CREDENTIALS = 2
export const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
const MSG_CMSG_CLOEXEC = 0x40000000
const SOCK_SEQPACKET = 5
const CMSG_HEADER = 16

/** A connected pair of SOCK_SEQPACKET sockets; what arrives at the first carries its sender's process id (receive, `credentials`). */
export function socketpair(out: Int32Array): number {
  const { view, address: base } = scratch
  const error = sys(SYS.socketpair, AF_UNIX, SOCK_SEQPACKET | CLOEXEC, 0, base + AT)
  if (error < 0) return error
  out[0] = view.getInt32(AT, true)
  out[1] = view.getInt32(AT + 4, true)
  view.setInt32(AT, 1, true)
  return sys(SYS.setsockopt, out[0], SOL_SOCKET, SO_PASSCRED, base + AT, 4)
}

function setHeader(payload: number, control: number): void {
  scratch.bytes.fill(0, 0, 64)
  scratch.setWord(16, scratch.address + IOVEC)
  scratch.setWord(24, 1)
  scratch.setWord(32, control ? scratch.address + CONTROL : 0)
  scratch.setWord(40, control)
  scratch.setWord(IOVEC, scratch.address + PAYLOAD)
  scratch.setWord(IOVEC + 8, payload)
}

/** Sends one message of up to three u32 with descriptors. Never blocks or raises SIGPIPE: -EAGAIN, -EPIPE. */
export function send(socket: number, fds: readonly number[], first: number, second = 0, third = 0, words = 3): number {
  const { view } = scratch
  view.setUint32(PAYLOAD, first, true)
  view.setUint32(PAYLOAD + 4, second, true)
  view.setUint32(PAYLOAD + 8, third, true)
  const control = CMSG_HEADER + 4 * fds.length
  setHeader(4 * words, fds.length ? (control + 7) & ~7 : 0)
  scratch.setWord(CONTROL, control)
  view.setInt32(CONTROL + 8, SOL_SOCKET, true)
  view.setInt32(CONTROL + 12, SCM_RIGHTS, true)
  for (let i = 0; i < fds.length; i++) view.setInt32(CONTROL + CMSG_HEADER + 4 * i, fds[i] ?? -1, true)
  return sys(SYS.sendmsg, socket, scratch.address, MSG_DONTWAIT | MSG_NOSIGNAL)
}

/** Passes descriptors to thread `slot` of the guest process behind `socket`: what OP.RECVFD takes. */
export const sendFds = (socket: number, slot: number, fds: readonly number[]): number =>
  send(socket, fds, slot, 0, 0, 1)

/** What `receive` found. Reused: take what you need before the next call. */
export const received = {
  /** The message's first three u32, as i32; 0 where it was shorter. */
  words: new Int32Array(3),
  fds: [] as number[],
  /** The sender's process id as the host says; 0 without SO_PASSCRED. */
  pid: 0,
}

/** Takes one message without waiting: its length, 0 at the end, -EAGAIN, … Descriptors become ours to close. */
export function receive(socket: number): number {
  const { view } = scratch
  received.fds.length = 0
  received.pid = 0
  received.words.fill(0)
  setHeader(PAYLOAD_BYTES, CONTROL_BYTES)
  const n = sys(SYS.recvmsg, socket, scratch.address, MSG_DONTWAIT | MSG_CMSG_CLOEXEC)
  for (let i = 0; i < 3 && 4 * i + 4 <= n; i++) received.words[i] = view.getInt32(PAYLOAD + 4 * i, true)
  if (n < 0) return n
  const end = CONTROL + scratch.word(40)
  for (let at = CONTROL; at + CMSG_HEADER <= end; ) {
    const bytes = scratch.word(at)
    if (bytes < CMSG_HEADER) break
    const type = view.getInt32(at + 12, true)
    if (type === SCM_CREDENTIALS) received.pid = view.getInt32(at + CMSG_HEADER, true)
    if (type === SCM_RIGHTS)
      for (let fd = at + CMSG_HEADER; fd < at + bytes; fd += 4) received.fds.push(view.getInt32(fd, true))
    at += (bytes + 7) & ~7
  }
  return n
}

/** Takes one message and says who sent it: process id, 0 at the end, -EAGAIN. Descriptors that came along are closed. */
export function receiveCredentials(socket: number): number {
  const n = receive(socket)
  for (const fd of received.fds) close(fd)
  return n > 0 ? received.pid : n
}

// ---- waiting ----

export const EPOLLIN = 1
export const EPOLL_CTL = { ADD: 1, DEL: 2, MOD: 3 } as const
const EPOLL_EVENT_BYTES = 12
const EPOLL_EVENTS_MAX = 64

export const epollCreate = (): number => sys(SYS.epoll_create1, CLOEXEC)

/** `tag` (u32) comes back with each event of that descriptor. */
export function epollControl(epoll: number, operation: number, fd: number, events: number, tag: number): number {
  scratch.view.setUint32(AT, events, true)
  scratch.view.setUint32(AT + 4, tag, true)
  scratch.view.setUint32(AT + 8, 0, true)
  return sys(SYS.epoll_ctl, epoll, operation, fd, scratch.address + AT)
}

let hasPwait2 = true

/** Waits up to `nanoseconds` (< 0: for ever) → number of events; `tags[i]`, `events[i]` say which. -EINTR as 0. */
export function epollWait(epoll: number, nanoseconds: number, tags: Uint32Array, events: Uint32Array): number {
  const most = Math.min(EPOLL_EVENTS_MAX, tags.length)
  const n = wait(epoll, nanoseconds, most)
  for (let i = 0; i < n; i++) {
    const at = AT + 16 + i * EPOLL_EVENT_BYTES
    events[i] = scratch.view.getUint32(at, true)
    tags[i] = scratch.view.getUint32(at + 4, true)
  }
  return n === EINTR ? 0 : n
}

function wait(epoll: number, nanoseconds: number, most: number): number {
  const list = scratch.address + AT + 16
  if (hasPwait2 && nanoseconds > 0) {
    scratch.setWord(AT, Math.floor(nanoseconds / 1e9))
    scratch.setWord(AT + 8, nanoseconds % 1e9)
    const n = sys(SYS.epoll_pwait2, epoll, list, most, scratch.address + AT, 0, 0)
    if (n !== ENOSYS) return n
    hasPwait2 = false // before Linux 5.11: milliseconds
  }
  return sys(SYS.epoll_wait, epoll, list, most, nanoseconds < 0 ? -1 : Math.ceil(nanoseconds / 1e6))
}

/** The membarrier commands the host has, as a mask. */
export const membarrierCommands = (): number => sys(SYS.membarrier, 0, 0)

const FUTEX_WAKE = 1
/** Wakes one waiter on the u32 at this address (shared, not process-private). */
export const futexWake = (at: number): number => sys(SYS.futex, at, FUTEX_WAKE, 1)

/** Seconds into out[0], nanoseconds into out[1]. */
export function clockGettime(clock: number, out: Float64Array): number {
  const error = sys(SYS.clock_gettime, clock, scratch.address + AT)
  out[0] = scratch.word(AT)
  out[1] = scratch.word(AT + 8)
  return error
}

// ---- processes ----

export const kill = (pid: number, signal: number): number => sys(SYS.kill, pid, signal)
export const tgkill = (pid: number, tid: number, signal: number): number => sys(SYS.tgkill, pid, tid, signal)

const WNOHANG = 1
/** Reaps a child if it has ended: its pid and out[0] = wait status; 0 when it hasn't. */
export function waitpid(pid: number, out: Int32Array): number {
  const result = sys(SYS.wait4, pid, scratch.address + AT, WNOHANG, 0)
  out[0] = scratch.view.getInt32(AT, true)
  return result
}

/** How many threads a process has; -1 when the host doesn't say. */
export function countThreads(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/task`).length
  } catch {
    return -1
  }
}
/** Process ids of the children of a single-threaded process; none when the host doesn't say. */
export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').map(Number).filter(child => child > 0)
  } catch {
    return []
  }
}
const RLIMIT_DATA = 2
/** Private writable memory a process of our own user may map; Infinity: any amount. */
export function limitData(pid: number, bytes: number): number {
  if (bytes === Number.POSITIVE_INFINITY) scratch.setWord(AT, -1)
  else scratch.setWord(AT, bytes)
  scratch.setWord(AT + 8, -1)
  return sys(SYS.prlimit64, pid, RLIMIT_DATA, scratch.address + AT, 0)
}
const HELD = [Buffer.from('RssAnon:'), Buffer.from('VmPTE:')]
const STATUS_BYTES = 2048
/** Memory that is there for one process alone, page tables included, in bytes; 0 when the host doesn't say. */
export function heldBy(pid: number): number {
  const fd = openPath(`/proc/${pid}/status`, 0)
  if (fd < 0) return 0
  const n = read(fd, scratch.address + AT, STATUS_BYTES)
  close(fd)
  const text = Buffer.from(scratch.bytes.buffer, scratch.bytes.byteOffset + AT, Math.max(0, n))
  let kib = 0
  for (const name of HELD) {
    const at = text.indexOf(name)
    if (at >= 0) kib += Number.parseInt(text.toString('latin1', at + name.length, at + name.length + 20), 10)
  }
  return kib * 1024
}
/** Processor time of a thread in ms; -1 when the host doesn't say. */
export function threadTime(pid: number, tid: number): number {
  const fd = openPath(`/proc/${pid}/task/${tid}/schedstat`, 0)
  if (fd < 0) return -1
  const n = read(fd, scratch.address + AT, 64)
  close(fd)
  let ns = 0
  for (let i = 0; i < n; i++) {
    const digit = (scratch.bytes[AT + i] as number) - 48
    if (digit < 0 || digit > 9) break
    ns = ns * 10 + digit
  }
  return n > 0 ? ns / 1e6 : -1
}

// ---- seccomp notifications: clone(2) of guests waits for our word ----

const NOTIF_RECV = 0xc0502100
const NOTIF_SEND = 0xc0182101
const NOTIF_ID_VALID = 0x40082102
const NOTIF_CONTINUE = 1
const EPERM = -1

/** A thread that waits in clone(2): what the host says of it. `id` in two halves. */
export class Notification {
  idLow = 0
  idHigh = 0
  /** Host thread id. */
  tid = 0
  number = 0
  /** clone's flags and stack pointer, as the host has read them: they can't change any more. */
  flags = 0
  stack = 0
}

/** poll(2) without waiting: which of `events` (and POLLERR, POLLHUP) hold now, or -errno. */
export function pollNow(fd: number, events: number): number {
  scratch.view.setInt32(AT, fd, true)
  scratch.view.setInt32(AT + 4, events, true)
  const n = sys(SYS.poll, scratch.address + AT, 1, 0)
  return n > 0 ? scratch.view.getUint16(AT + 6, true) : n
}
const FIONREAD = 0x541b
/** Bytes that can be read from fd now, or -errno. */
export function available(fd: number): number {
  const error = sys(SYS.ioctl, fd, FIONREAD, scratch.address + AT)
  return error < 0 ? error : scratch.view.getInt32(AT, true)
}

/** Takes the next notification. Call it when the listener is readable: it waits otherwise. 0, or -ENOENT when the thread has gone. */
export function receiveNotification(listener: number, out: Notification): number {
  const { view } = scratch
  scratch.bytes.fill(0, NOTIFICATION, NOTIFICATION + 80)
  const error = sys(SYS.ioctl, listener, NOTIF_RECV, scratch.address + NOTIFICATION)
  if (error < 0) return error
  out.idLow = view.getUint32(NOTIFICATION, true)
  out.idHigh = view.getUint32(NOTIFICATION + 4, true)
  out.tid = view.getInt32(NOTIFICATION + 8, true)
  out.number = view.getInt32(NOTIFICATION + 16, true)
  out.flags = scratch.word(NOTIFICATION + 32)
  out.stack = scratch.word(NOTIFICATION + 40)
  return 0
}

function setId(at: number, notification: Notification): void {
  scratch.view.setUint32(at, notification.idLow, true)
  scratch.view.setUint32(at + 4, notification.idHigh, true)
}

/** Lets the clone happen, or makes it fail with EPERM. -ENOENT when the thread has gone. */
export function answerNotification(listener: number, notification: Notification, approve: boolean): number {
  setId(RESPONSE, notification)
  scratch.setWord(RESPONSE + 8, 0)
  scratch.view.setInt32(RESPONSE + 16, approve ? 0 : EPERM, true)
  scratch.view.setUint32(RESPONSE + 20, approve ? NOTIF_CONTINUE : 0, true)
  return sys(SYS.ioctl, listener, NOTIF_SEND, scratch.address + RESPONSE)
}

/** 0 while the thread still waits. */
export function notificationValid(listener: number, notification: Notification): number {
  setId(RESPONSE, notification)
  return sys(SYS.ioctl, listener, NOTIF_ID_VALID, scratch.address + RESPONSE)
}
