// Who has which port: one table per protocol, IPv4 and IPv6 alike. A port may be shared by sockets whose hosts don't overlap, or that have
// agreed to by SO_REUSEADDR or SO_REUSEPORT (inet_csk_bind_conflict, udp_lib_lport_inuse).
// Invariant: a socket stands in its port's set from the moment its `port` is set until release().
import { E } from '../../abi/errno.ts'
import { ANY6, isAny, isV4 } from './inet.ts'
import type { NetState } from './state.ts'

/** What has a port: a socket, or what a closed connection leaves for a while (tcp-state.ts). */
export interface Bound {
  host: string
  port: number
  peerHost: string
  peerPort: number
  v6only: boolean
  reuse: boolean
  reusePort: boolean
  uid: number
  /** TCP: nobody else may listen or be bound here. */
  listening: boolean
  /** It only waits for stray packets (TIME_WAIT), until this time; 0: no. */
  until: number
}
export type PortTable = Map<number, Set<Bound>>
/** net.ipv4.ip_local_port_range */
export const PORTS = { FIRST: 32768, LAST: 60999 } as const
const COUNT = PORTS.LAST - PORTS.FIRST + 1
/** A connection may take the place of one that waits once it has waited this long (ms; net.ipv4.tcp_tw_reuse = 2). */
const REUSE_AFTER = 1000

/** Could a packet be meant for either of `a` and one at `host`? */
function overlap(a: Bound, host: string, v6only: boolean): boolean {
  if (isV4(a.host) === isV4(host)) return a.host === host || isAny(a.host) || isAny(host)
  const six = isV4(a.host) ? { host, v6only } : a
  return six.host === ANY6 && !six.v6only
}
function conflicts(a: Bound, s: Bound, host: string, stream: boolean): boolean {
  if (!overlap(a, host, s.v6only)) return false
  if (a.reusePort && s.reusePort && a.uid === s.uid) return false
  return !(a.reuse && s.reuse && (!stream || !a.listening))
}
function anyConflict(table: PortTable, s: Bound, host: string, port: number, stream: boolean): boolean {
  const there = table.get(port)
  if (there !== undefined) for (const other of there) if (other !== s && conflicts(other, s, host, stream)) return true
  return false
}
/** Give `s` a host and a port (0: any that is free): 0 or -EADDRINUSE. */
export function claim(net: NetState, table: PortTable, s: Bound, host: string, port: number, stream: boolean): number {
  const chosen = port === 0 ? freePort(net, table, s, host) : port
  if (chosen === 0 || (port !== 0 && anyConflict(table, s, host, port, stream))) return -E.ADDRINUSE
  enter(table, s, host, chosen)
  return 0
}
/** … without asking (an accepted connection shares its listener's). */
export function enter(table: PortTable, s: Bound, host: string, port: number): void {
  s.host = host
  s.port = port
  const there = table.get(port)
  if (there === undefined) table.set(port, new Set([s]))
  else there.add(s)
}
export function release(table: PortTable, s: Bound): void {
  const there = table.get(s.port)
  if (there?.delete(s) && there.size === 0) table.delete(s.port)
}
/** May it listen where it is? */
export function mayListen(table: PortTable, s: Bound): boolean {
  return !anyConflict(table, s, s.host, s.port, true)
}
/** A port nobody else has any claim to, or 0. */
function freePort(net: NetState, table: PortTable, s: Bound, host: string): number {
  for (let tries = 0; tries < COUNT; tries++) {
    const port = nextPort(net)
    const there = table.get(port)
    if (there === undefined || !Array.from(there).some(other => overlap(other, host, s.v6only))) return port
  }
  return 0
}
/** For a connection: a port that is new, or whose other connections go elsewhere. 0: none (EADDRNOTAVAIL). */
export function connectPort(net: NetState, table: PortTable, peerHost: string, peerPort: number): number {
  const now = net.sys.monotonic()
  for (let tries = 0; tries < COUNT; tries++) {
    const port = nextPort(net)
    if (isFreeTowards(table, port, peerHost, peerPort, now)) return port
  }
  return 0
}
function isFreeTowards(table: PortTable, port: number, peerHost: string, peerPort: number, now: number): boolean {
  const there = table.get(port)
  if (there === undefined) return true
  for (const o of there) {
    if (o.peerPort === 0) return false
    if (o.peerPort !== peerPort || o.peerHost !== peerHost) continue
    if (o.until === 0 || o.until - now > TIME_WAIT - REUSE_AFTER) return false
  }
  return true
}
/** How long (ms) a closed connection's addresses wait. */
export const TIME_WAIT = 60000
function nextPort(net: NetState): number {
  if (net.lastPort === 0) {
    net.sys.random(net.sys.buffer, 2)
    net.lastPort = PORTS.FIRST + (net.sys.view.getUint16(net.sys.buffer, true) % COUNT)
  }
  net.lastPort = net.lastPort >= PORTS.LAST ? PORTS.FIRST : net.lastPort + 1
  return net.lastPort
}

/** The one of `candidates` a packet from `from`:`fromPort` to `host` is for: the one that fits best, the latest of equals, one of a
 *  SO_REUSEPORT group by who sends; or null. */
export function fitting<T extends Bound>(candidates: Iterable<T>, host: string, from: string, fromPort: number): T | null {
  let best: T | null = null
  let bestScore = 0
  let equals = 0
  for (const b of candidates) {
    const score = scoreOf(b, host, from, fromPort)
    if (score === 0 || score < bestScore) continue
    equals = score === bestScore && best?.reusePort === true && b.reusePort ? equals + 1 : 1
    bestScore = score
    best = b
  }
  if (equals < 2) return best
  const group = Array.from(candidates).filter(b => b.reusePort && scoreOf(b, host, from, fromPort) === bestScore)
  return group[(Math.imul(fromPort, 0x9e3779b1) >>> 16) % group.length] ?? best
}
function scoreOf(b: Bound, host: string, from: string, fromPort: number): number {
  let score = 1
  if (!isAny(b.host)) {
    if (b.host !== host) return 0
    score += 4
  } else if (isV4(b.host) !== isV4(host)) {
    if (isV4(b.host) || b.v6only) return 0
  } else score += 1
  if (b.peerPort === 0) return score
  return b.peerPort === fromPort && b.peerHost === from ? score + 8 : 0
}
