// The host's terminal behind the console: bytes between its descriptors (non-blocking, set raw by the CLI) and the console's two queues,
// which lie in the driver's piece of the arena. A full queue stops watching: back-pressure, nothing is dropped.
import { E } from '../../abi/errno.ts'
import { IO } from '../../lib/hostio.ts'
import { carrierLost } from './job.ts'
import type { Driver } from './line.ts'
import { back, backBytes, front, frontBytes, room, used } from './ring.ts'

/** Layout of the driver's buffer: the first bytes for credentials (job.ts), then the queues. */
export const IN_AT = 0x1000
export const IN_BYTES = 0x1000
export const OUT_AT = 0x2000
export const OUT_BYTES = 0x4000

/** Straight from an arena range to the host → bytes; 0 when it takes none now. */
export function writeHost(d: Driver, at: number, bytes: number): number {
  const { host } = d
  if (host.outFd < 0 || host.blocked || bytes === 0) return 0
  const n = d.io.write(host.outFd, at, bytes)
  if (n > 0) return n
  if (n === 0 || n === -E.AGAIN || n === -E.INTR) host.blocked = true
  else host.lost = true
  return 0
}
/** The output queue to the host. True: some of it went. What has been queued goes out even when the terminal has been stopped since;
 *  with no host behind, it goes nowhere. */
export function flushHost(d: Driver): boolean {
  const { out } = d.console.terminal
  let some = false
  while (used(out) > 0) {
    const n = d.host.outFd < 0 || d.host.lost ? frontBytes(out) : writeHost(d, front(out), frontBytes(out))
    out.tail += n
    if (n > 0) some = true
    else if (!d.host.lost) break
  }
  return some
}
/** Host input to the input queue. True: some came. */
export function readHost(d: Driver): boolean {
  const { host } = d
  const queue = d.console.terminal.in
  if (host.inFd < 0 || host.lost || room(queue) === 0) return false
  const n = d.io.read(host.inFd, back(queue), backBytes(queue))
  if (n > 0) queue.head += n
  else if (n !== -E.AGAIN && n !== -E.INTR) host.lost = true
  return n > 0
}

/** After everything has moved: a lost terminal hangs up; else watch for what there is a use for: input while there is room for it,
 *  output while the host takes none. */
export function watchHost(d: Driver): void {
  const { host } = d
  if (host.lost) {
    detach(d)
    carrierLost(d, d.console)
    return
  }
  const input = host.inFd >= 0 && !host.always && room(d.console.terminal.in) > 0 ? IO.IN : 0
  const output = host.outFd >= 0 && host.blocked ? IO.OUT : 0
  if (host.inFd === host.outFd) {
    if (input !== host.inEvents || output !== host.outEvents) watch(d, host.inFd, input | output)
  } else {
    if (input !== host.inEvents) watch(d, host.inFd, input)
    if (output !== host.outEvents) watch(d, host.outFd, output)
  }
  host.inEvents = host.always ? 0 : input
  host.outEvents = output
}
function watch(d: Driver, fd: number, events: number): void {
  if (fd < 0) return
  const error = d.io.watch(fd, events, now => ready(d, fd, now))
  if (error !== -E.PERM) return
  if (fd === d.host.inFd) d.host.always = true
  if (fd === d.host.outFd) d.host.blocked = false
}
function ready(d: Driver, fd: number, now: number): void {
  const { host } = d
  if (fd === host.outFd && (now & (IO.OUT | IO.ERR | IO.HUP)) !== 0) host.blocked = false
  if (fd === host.inFd && (now & (IO.IN | IO.ERR | IO.HUP)) !== 0) readHost(d)
  d.wake()
}

/** Put a host terminal behind the console, in the place of any that was there; -1: no such side. The descriptors stay the caller's. */
export function attach(d: Driver, inFd: number, outFd: number): void {
  detach(d)
  d.host.inFd = inFd
  d.host.outFd = outFd
  watchHost(d)
}
function detach(d: Driver): void {
  const { host } = d
  if (host.inFd >= 0 && host.inEvents !== 0) d.io.watch(host.inFd, 0, () => {})
  if (host.outFd >= 0 && host.outFd !== host.inFd && host.outEvents !== 0) d.io.watch(host.outFd, 0, () => {})
  host.inFd = host.outFd = -1
  host.inEvents = host.outEvents = 0
  host.always = host.blocked = host.lost = false
}
export function attached(d: Driver): boolean {
  return d.host.inFd >= 0 || d.host.outFd >= 0
}
