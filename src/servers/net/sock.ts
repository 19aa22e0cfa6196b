// Sockets come and go: numbers, the common part of a socket, and what FS is told about readiness.
import { setInt, TYPE } from '../../abi/message.ts'
import { EP } from '../../abi/message.ts'
import { SDEV } from '../../protocol/sdev.ts'
import { newQueue } from './queue.ts'
import type { NetState, Ops, Sock } from './state.ts'

/** net.core.wmem_default and rmem_default, and the most SO_SNDBUF and SO_RCVBUF give without privilege (before doubling). */
export const WMEM_DEFAULT = 212992
export const RMEM_DEFAULT = 212992
export const MEM_MAX = 4194304

export function newSock(net: NetState, ops: Ops, family: number, type: number, protocol: number, uid: number): Sock {
  return {
    id: 0,
    ino: net.nextIno++,
    family,
    type,
    protocol,
    ops,
    uid,
    error: 0,
    shut: 0,
    watched: false,
    dead: false,
    sndbuf: WMEM_DEFAULT,
    rcvbuf: RMEM_DEFAULT,
    rcvlowat: 1,
    sndtimeo: 0,
    rcvtimeo: 0,
    passcred: false,
    values: new Map(),
    queue: newQueue(),
    receiving: [],
    sending: [],
  }
}
/** Give it a number. */
export function enrol(net: NetState, s: Sock): number {
  s.id = net.free.pop() ?? net.socks.length
  net.socks[s.id] = s
  return s.id
}
export function strike(net: NetState, s: Sock): void {
  s.dead = true
  if (s.id === 0) return
  net.socks[s.id] = null
  net.free.push(s.id)
  s.id = 0
}
export function sockOf(net: NetState, id: number): Sock | null {
  return net.socks[id] ?? null
}

/** Some of `events` may have come to hold. */
export function tell(net: NetState, s: Sock, events: number): void {
  if (!s.watched) return
  const m = net.out
  m[TYPE] = SDEV.READY
  setInt(m, 0, s.id)
  setInt(m, 1, events)
  net.sys.senda(EP.FS, m)
}
/** Nobody will receive what is in flight. */
export function dropFlight(net: NetState, flight: number): void {
  net.flights.delete(flight)
  const m = net.out
  m[TYPE] = SDEV.DROPPED
  setInt(m, 0, flight)
  net.sys.senda(EP.FS, m)
}
/** The pending error, which is reported once: -errno or 0. */
export function takeError(s: Sock): number {
  const error = s.error
  s.error = 0
  return -error
}
