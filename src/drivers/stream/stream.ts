// The STREAM driver: host byte streams (pipes, sockets, files, terminals: what a spawned program is given as stdin, stdout, stderr) as
// character devices of FS. Bytes go straight between the caller's memory and the host; what can't go now is a row here and a watch on
// the descriptor. Nothing is buffered, so the host's own semantics (PIPE_BUF, EOF, EPIPE) hold. Descriptors are non-blocking.
// Invariant: a stream is closed when its last open file is, or by removeStream before there was one.
import { E } from '../../abi/errno.ts'
import { O } from '../../abi/fcntl.ts'
import { IOCTL } from '../../abi/ioctl.ts'
import { EP, high, int, type Message, message, SUSPEND, setInt, setLong, TYPE, uint, ulong } from '../../abi/message.ts'
import { POLL } from '../../abi/poll.ts'
import { SIG } from '../../abi/signals.ts'
import { type HostIo, IO } from '../../lib/hostio.ts'
import type { CallVector, Server, Sys } from '../../lib/server.ts'
import { CDEV } from '../../protocol/cdev.ts'
import { COMMON_CALL } from '../../protocol/common.ts'

export interface StreamOptions {
  readable: boolean
  writable: boolean
}
export interface StreamDriver extends Server {
  /** A host descriptor as a new stream, which owns it from now on → its minor. */
  addStream(fd: number, options: StreamOptions): number
  /** Close it when its last user has; at once when nobody has it open. */
  removeStream(minor: number): void
  /** The machine ends: every descriptor still held is closed. */
  closeAll(): void
}

/** A suspended read or write of FS. */
interface Waiting {
  id: number
  endpoint: number
  at: number
  len: number
  done: number
}
interface Stream {
  readonly fd: number
  readonly readable: boolean
  readonly writable: boolean
  opens: number
  readers: Waiting[]
  writers: Waiting[]
  /** Poll bits FS waits for; each is reported once. */
  watched: number
  /** What the descriptor is watched for. */
  events: number
}
interface Driver {
  readonly sys: Sys
  readonly io: HostIo
  readonly streams: (Stream | null)[]
  readonly out: Message
}

export function createStream(sys: Sys, io: HostIo): StreamDriver {
  const d: Driver = { sys, io, streams: [], out: message() }
  return {
    name: 'stream',
    calls: callVector(d),
    addStream(fd, { readable, writable }) {
      const stream: Stream = { fd, readable, writable, opens: 0, readers: [], writers: [], watched: 0, events: 0 }
      const free = d.streams.indexOf(null)
      const minor = free < 0 ? d.streams.length : free
      d.streams[minor] = stream
      return minor
    },
    removeStream(minor) {
      if (d.streams[minor]?.opens === 0) end(d, minor)
    },
    closeAll() {
      for (const s of d.streams) if (s) io.close(s.fd)
      d.streams.length = 0
    },
    exportState: () => structuredClone(d.streams),
    importState(state) {
      const streams = structuredClone(state) as (Stream | null)[]
      d.streams.splice(0, d.streams.length, ...streams)
      for (const s of d.streams) if (s) s.events = 0
      d.streams.forEach((s, minor) => {
        if (s) watch(d, minor, s)
      })
    },
  }
}

function callVector(d: Driver): CallVector {
  const fs = (handler: (m: Message) => number) => (m: Message, from: number) => (from === EP.FS ? handler(m) : -E.PERM)
  return {
    [CDEV.OPEN]: fs(m => open(d, uint(m, 0))),
    [CDEV.CLOSE]: fs(m => close(d, uint(m, 0))),
    [CDEV.READ]: fs(m => read(d, m)),
    [CDEV.WRITE]: fs(m => write(d, m)),
    [CDEV.IOCTL]: fs(m => ioctl(d, m)),
    [CDEV.CANCEL]: fs(m => cancel(d, uint(m, 0), int(m, 1))),
    [CDEV.SELECT]: fs(m => select(d, uint(m, 0), int(m, 1), int(m, 2))),
    [COMMON_CALL.GONE]: (m, from) => (from < 0 ? gone(d, int(m, 0)) : -E.PERM),
    [COMMON_CALL.PING]: () => 0,
  }
}

// -- open and close --

function open(d: Driver, minor: number): number {
  const s = d.streams[minor]
  if (!s) return -E.NXIO
  s.opens++
  return minor
}
function close(d: Driver, minor: number): number {
  const s = d.streams[minor]
  if (!s || s.opens === 0) return 0
  if (--s.opens === 0) end(d, minor)
  return 0
}
function end(d: Driver, minor: number): void {
  const s = d.streams[minor] as Stream
  if (s.events !== 0) d.io.watch(s.fd, 0, () => {})
  d.io.close(s.fd)
  d.streams[minor] = null
}

// -- transfers --

function waiting(m: Message): Waiting {
  return { id: int(m, 4), endpoint: int(m, 5), at: int(m, 1), len: Math.min(ulong(m, 2), high(m, 1)), done: 0 }
}
function read(d: Driver, m: Message): number {
  const minor = uint(m, 0)
  const s = d.streams[minor]
  if (!s) return -E.NXIO
  if (!s.readable) return -E.BADF
  const len = Math.min(ulong(m, 2), high(m, 1))
  if (len === 0) return 0
  const n = s.readers.length > 0 ? -E.AGAIN : readNow(d, s, int(m, 1), len)
  if (n !== -E.AGAIN || (int(m, 3) & O.NONBLOCK) !== 0) return n
  s.readers.push(waiting(m))
  watch(d, minor, s)
  return SUSPEND
}
function readNow(d: Driver, s: Stream, at: number, len: number): number {
  for (;;) {
    const n = d.io.read(s.fd, at, len)
    if (n !== -E.INTR) return n
  }
}

function write(d: Driver, m: Message): number {
  const minor = uint(m, 0)
  const s = d.streams[minor]
  if (!s) return -E.NXIO
  if (!s.writable) return -E.BADF
  const len = Math.min(ulong(m, 2), high(m, 1))
  const n = s.writers.length > 0 ? -E.AGAIN : writeNow(d, s, int(m, 1), len, int(m, 5))
  if (n === len || (n < 0 && n !== -E.AGAIN)) return n
  if ((int(m, 3) & O.NONBLOCK) !== 0) return n
  const w = waiting(m)
  w.done = Math.max(0, n)
  s.writers.push(w)
  watch(d, minor, s)
  return SUSPEND
}
/** As much as the host takes now → bytes (fewer than len: it takes no more now), -EAGAIN for none, or what failed before the first
 *  byte. Nobody there to read any more: SIGPIPE, as for any pipe. */
function writeNow(d: Driver, s: Stream, at: number, len: number, endpoint: number): number {
  let done = 0
  for (;;) {
    const n = d.io.write(s.fd, at + done, len - done)
    if (n === -E.INTR) continue
    if (n === -E.PIPE) d.sys.kill(endpoint, SIG.PIPE)
    if (n < 0) return done > 0 ? done : n
    done += n
    if (done === len || n === 0) return done
  }
}

function ioctl(d: Driver, m: Message): number {
  const s = d.streams[uint(m, 0)]
  if (!s) return -E.NXIO
  if (uint(m, 1) !== IOCTL.FIONREAD) return -E.NOTTY
  if (high(m, 3) < 4) return -E.FAULT
  const n = d.io.available(s.fd)
  if (n < 0) return n
  d.sys.view.setInt32(int(m, 3), n, true)
  return 0
}

// -- readiness --

/** Poll bits that hold now. */
function eventsOf(d: Driver, s: Stream): number {
  const now = d.io.poll(s.fd, IO.IN | IO.OUT)
  if (now < 0) return POLL.ERR
  return (
    (now & (IO.ERR | IO.HUP)) |
    ((now & IO.IN) !== 0 && s.readable ? POLL.IN | POLL.RDNORM : 0) |
    ((now & IO.OUT) !== 0 && s.writable ? POLL.OUT | POLL.WRNORM : 0)
  )
}
function select(d: Driver, minor: number, wanted: number, watching: number): number {
  const s = d.streams[minor]
  if (!s) return POLL.ERR & wanted
  const now = eventsOf(d, s)
  if (watching === 1) {
    // After HUP or ERR nothing more comes to hold, and the host would report them without end.
    s.watched = (now & (POLL.HUP | POLL.ERR)) !== 0 ? 0 : (s.watched | wanted) & ~now
    watch(d, minor, s)
  }
  return now & wanted
}
/** Watch the descriptor for what somebody waits for. Regular files can't be watched: they are always ready, nobody waits for them. */
function watch(d: Driver, minor: number, s: Stream): void {
  const input = s.readers.length > 0 || (s.readable && (s.watched & (POLL.IN | POLL.RDNORM)) !== 0)
  const output = s.writers.length > 0 || (s.writable && (s.watched & (POLL.OUT | POLL.WRNORM)) !== 0)
  // Either end can break: that is reported with any event, so something has to be watched for it.
  const broken = (s.watched & (POLL.ERR | POLL.HUP)) !== 0
  const events = (input ? IO.IN : 0) | (output ? IO.OUT : 0) | (broken ? IO.ERR | IO.HUP : 0)
  if (events === s.events) return
  s.events = d.io.watch(s.fd, events, now => ready(d, minor, s, now)) < 0 ? 0 : events
}
function ready(d: Driver, minor: number, s: Stream, now: number): void {
  if (d.streams[minor] !== s) return
  if ((now & (IO.IN | IO.HUP | IO.ERR)) !== 0) serveReaders(d, s)
  if ((now & (IO.OUT | IO.HUP | IO.ERR)) !== 0) serveWriters(d, s)
  const holds = s.watched === 0 ? 0 : eventsOf(d, s)
  const hit = s.watched & holds
  s.watched = (holds & (POLL.HUP | POLL.ERR)) !== 0 ? 0 : s.watched & ~hit
  if (hit !== 0) send(d, CDEV.READY, minor, hit)
  watch(d, minor, s)
}
function serveReaders(d: Driver, s: Stream): void {
  for (let r = s.readers[0]; r !== undefined; r = s.readers[0]) {
    const n = readNow(d, s, r.at, r.len)
    if (n === -E.AGAIN) return
    s.readers.shift()
    send(d, CDEV.REPLY, r.id, n)
  }
}
function serveWriters(d: Driver, s: Stream): void {
  for (let w = s.writers[0]; w !== undefined; w = s.writers[0]) {
    const n = writeNow(d, s, w.at + w.done, w.len - w.done, w.endpoint)
    if (n === -E.AGAIN) return
    if (n > 0) w.done += n
    if (n > 0 && w.done < w.len) return
    s.writers.shift()
    send(d, CDEV.REPLY, w.id, w.done > 0 ? w.done : n)
  }
}
function send(d: Driver, type: number, name: number, value: number): void {
  d.out.fill(0)
  d.out[TYPE] = type
  setInt(d.out, 0, name)
  setLong(d.out, 1, value)
  d.sys.senda(EP.FS, d.out)
}

// -- giving up --

function cancel(d: Driver, minor: number, id: number): number {
  const s = d.streams[minor]
  if (!s) return -E.SRCH
  for (const list of [s.readers, s.writers]) {
    const at = list.findIndex(w => w.id === id)
    if (at < 0) continue
    const w = list.splice(at, 1)[0] as Waiting
    watch(d, minor, s)
    return w.done > 0 ? w.done : -E.RESTARTSYS
  }
  return -E.SRCH
}
function gone(d: Driver, endpoint: number): number {
  d.streams.forEach((s, minor) => {
    if (!s) return
    s.readers = s.readers.filter(w => w.endpoint !== endpoint)
    s.writers = s.writers.filter(w => w.endpoint !== endpoint)
    watch(d, minor, s)
  })
  return 0
}
