// IP sockets, what TCP and UDP share: hosts and ports as addresses, whose they are, the part of a socket that has them.
// A host is its address in bytes, one char each: 4 of IPv4 (also where IPv6 would say ::ffff:a.b.c.d), 16 of IPv6.
import { E } from '../../abi/errno.ts'
import { AF, SOCKADDR_IN, SOCKADDR_IN6 } from '../../abi/socket.ts'
import { type Address, familyAt, writeAddress } from './address.ts'
import type { NetState, Sock } from './state.ts'

export const ANY4 = '\0\0\0\0'
export const ANY6 = '\0'.repeat(16)
export const LOOPBACK4 = '\x7f\0\0\x01'
export const LOOPBACK6 = `${'\0'.repeat(15)}\x01`
const MAPPED = `${'\0'.repeat(10)}\xff\xff`
/** Bytes of a sockaddr_in6 that must be there (RFC 2133). */
const IN6_MIN = 24

export interface InetAddress extends Address {
  readonly host: string
  readonly port: number
}
export interface InetSock extends Sock {
  /** Own host (ANY4 or ANY6 when any) and port, 0: none yet; it stands in net.ports then. */
  host: string
  port: number
  /** bind named the host, the port. */
  hostBound: boolean
  portBound: boolean
  peerHost: string
  /** 0: not connected. */
  peerPort: number
  /** Addresses as the other end sees them, by its family: made when first asked for. */
  own4: InetAddress | null
  own6: InetAddress | null
  v6only: boolean
  reuse: boolean
  reusePort: boolean
}
export function inetPart(family: number): Omit<InetSock, keyof Sock> {
  return {
    host: family === AF.INET6 ? ANY6 : ANY4,
    port: 0,
    hostBound: false,
    portBound: false,
    peerHost: family === AF.INET6 ? ANY6 : ANY4,
    peerPort: 0,
    own4: null,
    own6: null,
    v6only: false,
    reuse: false,
    reusePort: false,
  }
}

// -- hosts --

export const isAny = (host: string): boolean => host === ANY4 || host === ANY6
export const isV4 = (host: string): boolean => host.length === 4
const first = (host: string): number => host.charCodeAt(0)
export function isLoopback(host: string): boolean {
  return isV4(host) ? first(host) === 127 : host === LOOPBACK6
}
export function isMulticast(host: string): boolean {
  return isV4(host) ? first(host) >= 224 && first(host) < 240 : first(host) === 0xff
}
export function isBroadcast(host: string): boolean {
  return host === '\xff\xff\xff\xff' || host === '\x7f\xff\xff\xff'
}
/** Is it this machine's? */
export function isLocal(net: NetState, host: string): boolean {
  return isLoopback(host) || net.interfaces.some(i => i.addresses.some(a => a.host === host))
}
/** Where a packet to `host` comes from: -ENETUNREACH when there is no way. */
export function sourceFor(net: NetState, host: string): string | number {
  if (isLoopback(host)) return isV4(host) ? LOOPBACK4 : LOOPBACK6
  for (const i of net.interfaces)
    for (const a of i.addresses) if (a.host === host || (a.outward && a.host.length === host.length)) return a.host === host ? host : a.host
  return -E.NETUNREACH
}

// -- socket addresses --

function be16(net: NetState, at: number): number {
  return net.sys.view.getUint16(at, false)
}
function textAt(net: NetState, at: number, bytes: number): string {
  const { mem } = net.sys
  let text = ''
  for (let i = 0; i < bytes; i++) text += String.fromCharCode(mem[at + i] as number)
  return text
}
/** What was read last: host and port. */
export const read = { host: ANY4, port: 0 }
/** The address a socket of `family` is given, left in `read`. 0; -EINVAL when it is too short, -EAFNOSUPPORT when it is of another family.
 *  either: an IPv6 socket takes an IPv4 address too. */
export function readAddress(net: NetState, family: number, at: number, len: number, either = false): number {
  if (len < 2) return -E.INVAL
  const given = familyAt(net, at)
  const six = family === AF.INET6 && !(either && given === AF.INET)
  if (len < (six ? IN6_MIN : SOCKADDR_IN)) return -E.INVAL
  if (given !== (six ? AF.INET6 : AF.INET)) return -E.AFNOSUPPORT
  const host = six ? textAt(net, at + 8, 16) : textAt(net, at + 4, 4)
  read.host = host.startsWith(MAPPED) ? host.slice(12) : host
  read.port = be16(net, at + 2)
  return 0
}
/** A sockaddr of `family` for a host and a port. */
export function makeAddress(family: number, host: string, port: number): InetAddress {
  const bytes = new Uint8Array(family === AF.INET6 ? SOCKADDR_IN6 : SOCKADDR_IN)
  bytes[0] = family
  bytes[2] = port >> 8
  bytes[3] = port & 0xff
  const text = family === AF.INET6 && isV4(host) ? (host === ANY4 ? ANY6 : MAPPED + host) : host
  const at = family === AF.INET6 ? 8 : 4
  for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i)
  return { bytes, host, port }
}
/** Its own address as a socket of `family` sees it. Forgotten by moved(). */
export function ownAddress(s: InetSock, family: number): InetAddress {
  if (family === AF.INET6) {
    s.own6 ??= makeAddress(AF.INET6, s.host, s.port)
    return s.own6
  }
  s.own4 ??= makeAddress(AF.INET, s.host, s.port)
  return s.own4
}
/** Host or port have changed. */
export function moved(s: InetSock): void {
  s.own4 = null
  s.own6 = null
}
export function inetName(net: NetState, s: InetSock, peer: boolean, at: number, room: number): number {
  if (!peer) return writeAddress(net, ownAddress(s, s.family), at, room)
  if (s.peerPort === 0) return -E.NOTCONN
  return writeAddress(net, makeAddress(s.family, s.peerHost, s.peerPort), at, room)
}
