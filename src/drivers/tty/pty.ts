// Pseudo-terminals: the master's side of a line (ptmx). What the slave's discipline puts out the master reads, what the master writes the
// discipline sees as typed. pty(7), ioctl_tty(2). FS makes the nodes of /dev/pts (protocol/tty.ts NEXTPTY).
import { E } from '../../abi/errno.ts'
import { SUSPEND } from '../../abi/message.ts'
import { POLL } from '../../abi/poll.ts'
import { pump } from './input.ts'
import { carrierLost, endAll, ownerOf } from './job.ts'
import { answer, createEnd, type Driver, type Line, newRequest, PTM, PTS, PTYS, type Pty, WAIT } from './line.ts'
import { putBlock, ring, room, takeBlock, used } from './ring.ts'
import { ptySettings } from './settings.ts'
import { createTerminal, setStatus } from './terminal.ts'

/** Bytes a pty holds each way between master and discipline. */
const QUEUE_BYTES = 65536
const PTS_MAJOR = 136

/** open of /dev/ptmx: a new pair → the master's minor. */
export function openMaster(d: Driver, endpoint: number): number {
  let n = d.ptys.indexOf(null)
  if (n < 0) n = d.ptys.length
  if (n >= PTYS) return -E.NOSPC
  const input = ring(new Uint8Array(QUEUE_BYTES), 0, QUEUE_BYTES)
  const output = ring(new Uint8Array(QUEUE_BYTES), 0, QUEUE_BYTES)
  const terminal = createTerminal(PTS + n, ptsDevice(n), input, output)
  terminal.generation = d.generations[n] ?? 0
  ptySettings(terminal)
  const flags = { locked: true, halted: false, deserted: false }
  const born = terminal.generation
  const pty: Pty = { number: n, end: createEnd(), opens: 1, ...flags, hung: 0, born, ...ownerOf(d, endpoint) }
  d.ptys[n] = { terminal, end: createEnd(), pty }
  return PTM + n
}
function ptsDevice(n: number): number {
  return (PTS_MAJOR << 8) | (n & 0xff) | ((n & ~0xff) << 12)
}
/** The master's last close: the slave hangs up, the pair is gone. */
export function closeMaster(d: Driver, line: Line, pty: Pty): void {
  if (--pty.opens > 0) return
  carrierLost(d, line)
  endAll(d, pty.end)
  d.generations[pty.number] = line.terminal.generation
  d.ptys[pty.number] = null
}
/** Before the slave is opened: 0 or -errno. */
export function mayOpenSlave(pty: Pty): number {
  return pty.locked ? -E.IO : 0
}

export function readMaster(
  d: Driver,
  line: Line,
  pty: Pty,
  at: number,
  len: number,
  nonblock: boolean,
  id: number,
  endpoint: number,
): number {
  if (len === 0) return 0
  const { readers } = pty.end
  const result = readers.length > 0 ? SUSPEND : takeOutput(d, line, pty, at, len)
  if (result !== SUSPEND) return result
  if (nonblock) return -E.AGAIN
  readers.push(newRequest(d, WAIT.READ, id, endpoint, at, len))
  return SUSPEND
}
/** In packet mode a byte of news comes first: alone when there is any, else 0 before data. */
function takeOutput(d: Driver, line: Line, pty: Pty, at: number, len: number): number {
  const t = line.terminal
  const { mem } = d.sys
  if (t.packet && t.status !== 0) {
    mem[at] = t.status
    setStatus(t, 0xff, 0)
    return 1
  }
  if (used(t.out) === 0) return pty.deserted ? -E.IO : SUSPEND
  if (!t.packet) return takeBlock(t.out, mem, at, len)
  mem[at] = 0
  return 1 + takeBlock(t.out, mem, at + 1, len - 1)
}

export function writeMaster(
  d: Driver,
  line: Line,
  pty: Pty,
  at: number,
  len: number,
  nonblock: boolean,
  id: number,
  endpoint: number,
): number {
  const { writers } = pty.end
  if (writers.length > 0 && nonblock) return -E.AGAIN
  let done = 0
  if (writers.length === 0) {
    done = pty.halted ? 0 : type(d, line, at, len)
    if (done === len || (nonblock && done > 0)) return done
    if (nonblock) return -E.AGAIN
  }
  const r = newRequest(d, WAIT.WRITE, id, endpoint, at, len)
  r.done = done
  writers.push(r)
  return SUSPEND
}
/** Into the queue, and out of it into the discipline while that has room. */
function type(d: Driver, line: Line, at: number, len: number): number {
  const t = line.terminal
  let done = 0
  do {
    const n = putBlock(t.in, d.sys.mem, at + done, len - done)
    done += n
    if (!pump(t) && n === 0) break
  } while (done < len)
  return done
}

/** Called by settle: the master's waiting requests. True: something moved. */
export function serveMaster(d: Driver, line: Line, pty: Pty): boolean {
  const { readers, writers } = pty.end
  let moved = false
  const w = writers[0]
  if (w !== undefined && !pty.halted) {
    const n = type(d, line, w.at + w.done, w.len - w.done)
    w.done += n
    moved = n > 0
    if (w.done === w.len) {
      writers.shift()
      answer(d, w, w.done)
    }
  }
  const r = readers[0]
  if (r === undefined) return moved
  const result = takeOutput(d, line, pty, r.at, r.len)
  if (result === SUSPEND) return moved
  readers.shift()
  answer(d, r, result)
  return true
}
export function masterEvents(line: Line, pty: Pty): number {
  const t = line.terminal
  const news = t.packet && t.status !== 0
  return (
    (used(t.out) > 0 || news ? POLL.IN | POLL.RDNORM : 0) |
    (news ? POLL.PRI : 0) |
    (pty.deserted ? POLL.HUP : 0) |
    (room(t.in) > 0 && pty.end.writers.length === 0 ? POLL.OUT | POLL.WRNORM : 0)
  )
}
/** tcflush on the master: 0 what it has not read, 1 what the slave has not seen, 2 both. */
export function flushMaster(line: Line, queue: number): void {
  const { in: input, out } = line.terminal
  if (queue !== 1) out.tail = out.head
  if (queue !== 0) input.tail = input.head
}
