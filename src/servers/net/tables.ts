// /proc/net, as proc_pid_net(5) describes it and ss, netstat and lsof read it: one line per socket, interface or route.
import { AF, SOCK } from '../../abi/socket.ts'
import { NET_TABLE } from '../../protocol/sdev.ts'
import { isV4 } from './inet.ts'
import type { Interface } from './interface.ts'
import { type NetlinkSock, netlinkOps } from './netlink.ts'
import type { Bound } from './ports.ts'
import type { NetState, Sock } from './state.ts'
import { isTcp, readable, TCP_STATE, type TcpSock, unsent } from './tcp.ts'
import { type UdpSock, udpOps } from './udp.ts'
import { STATE, type UnixSock, unixOps } from './unix.ts'

const HIDDEN = '0000000000000000'
const hex = (v: number, digits: number): string => (v >>> 0).toString(16).toUpperCase().padStart(digits, '0')
const pad = (v: number | string, width: number): string => String(v).padStart(width)

/** A host as the files have it: words in this processor's byte order. */
function hostHex(host: string, six: boolean): string {
  const bytes = six && isV4(host) ? `${'\0'.repeat(10)}${host === '\0\0\0\0' ? '\0\0' : '\xff\xff'}${host}` : host
  let text = ''
  for (let k = 0; k < bytes.length; k += 4)
    for (let i = 3; i >= 0; i--) text += hex(bytes.charCodeAt(k + i), 2)
  return text
}
const endpoint = (host: string, port: number, six: boolean): string => `${hostHex(host, six)}:${hex(port, 4)}`
const anyOf = (host: string, port: number, six: boolean): string =>
  endpoint(port === 0 ? '\0'.repeat(six ? 16 : 4) : host, port, six)

const HEAD4 = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode'
const HEAD6 =
  '  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode'

function tcpLine(net: NetState, b: Bound, k: number, six: boolean): string {
  const s = 'ops' in b ? (b as TcpSock) : null
  const state = s === null ? TCP_STATE.TIME_WAIT : s.state
  const tx = s === null ? 0 : state === TCP_STATE.LISTEN ? 0 : unsent(net, s)
  const rx = s === null ? 0 : state === TCP_STATE.LISTEN ? s.pending.length : readable(net, s)
  const timer = s === null ? `03:${hex((b.until - net.sys.monotonic()) / 10, 8)}` : '00:00000000'
  const head = `${pad(k, 4)}: ${endpoint(b.host, b.port, six)} ${anyOf(b.peerHost, b.peerPort, six)} ${hex(state, 2)} ${hex(tx, 8)}:${hex(rx, 8)} ${timer} 00000000`
  const tail =
    s === null
      ? `${pad(0, 5)} ${pad(0, 8)} 0 3 ${HIDDEN}`
      : `${pad(s.uid, 5)} ${pad(0, 8)} ${s.id === 0 ? 0 : s.ino} 1 ${HIDDEN} ${state === TCP_STATE.LISTEN ? '100 0 0 10 0' : '20 4 30 10 -1'}`
  return `${head} ${tail}`
}
/** Listeners first, as Linux has them. */
function tcpLines(net: NetState, six: boolean): string[] {
  const all = Array.from(net.tcpPorts.values()).flatMap(there => Array.from(there))
  const own = all.filter(b => ('ops' in b ? (b as TcpSock).family === AF.INET6 : !isV4(b.host)) === six)
  const shown = own.filter(b => !('ops' in b) || (b as TcpSock).state !== TCP_STATE.CLOSE)
  shown.sort((a, b) => Number(b.listening) - Number(a.listening))
  return [six ? HEAD6 : HEAD4.padEnd(149), ...shown.map((b, k) => tcpLine(net, b, k, six).padEnd(149))]
}
function udpLines(net: NetState, six: boolean): string[] {
  const own = socks(net).filter((s): s is UdpSock => s.ops === udpOps && (s.family === AF.INET6) === six && (s as UdpSock).port !== 0)
  const line = (s: UdpSock): string => {
    const state = s.peerPort === 0 ? TCP_STATE.CLOSE : TCP_STATE.ESTABLISHED
    const ends = `${endpoint(s.host, s.port, six)} ${anyOf(s.peerHost, s.peerPort, six)}`
    return `${pad(s.port, 5)}: ${ends} ${hex(state, 2)} 00000000:${hex(s.queue.charge, 8)} 00:00000000 00000000 ${pad(s.uid, 5)} ${pad(0, 8)} ${s.ino} 2 ${HIDDEN} ${s.drops}`
  }
  const head = six ? `${HEAD6} ref pointer drops` : ` ${HEAD4} ref pointer drops`.padEnd(127)
  return [head, ...own.map(s => line(s).padEnd(six ? 0 : 127))]
}
const socks = (net: NetState): Sock[] => net.socks.filter((s): s is Sock => s !== null)

function unixLines(net: NetState): string[] {
  const line = (s: UnixSock): string => {
    const flags = s.state === STATE.LISTENING ? 0x10000 : 0
    const state = s.dead ? 2 : s.state === STATE.CONNECTED ? 3 : 1
    const refs = 2 + (s.peer === null ? 0 : 1)
    const text = `${HIDDEN}: ${hex(refs, 8)} ${hex(0, 8)} ${hex(flags, 8)} ${hex(s.type, 4)} ${hex(state, 2)} ${pad(s.id === 0 ? 0 : s.ino, 5)}`
    return s.address === null ? text : `${text} ${pathOf(s.address.bytes)}`
  }
  const own = socks(net).filter((s): s is UnixSock => s.ops === unixOps)
  return ['Num       RefCount Protocol Flags    Type St Inode Path', ...own.flatMap(s => [s, ...s.pending]).map(line)]
}
function pathOf(bytes: Uint8Array): string {
  const text = String.fromCharCode(...bytes.subarray(2))
  return text[0] === '\0' ? `@${text.slice(1).replaceAll('\0', '@')}` : text.replace(/\0$/, '')
}
function netlinkLines(net: NetState): string[] {
  const own = socks(net).filter((s): s is NetlinkSock => s.ops === netlinkOps)
  return [
    'sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode',
    ...own.map(s => `${HIDDEN} ${String(s.protocol).padEnd(3)} ${String(s.portId).padEnd(10)} ${hex(s.groups, 8).toLowerCase()} ${String(s.queue.charge).padEnd(8)} 0        0     2        0        ${String(s.ino).padEnd(8)}`),
  ]
}

/** /proc/net/sockstat: which sockets there are. */
function sockstatLines(net: NetState, six: boolean): string[] {
  const all = socks(net)
  const of = (ops: Sock['ops']): number => all.filter(s => s.ops === ops && (s.family === AF.INET6) === six).length
  const tcp = all.filter(s => isTcp(s) && (s.family === AF.INET6) === six && (s as TcpSock).state !== TCP_STATE.CLOSE).length
  const mark = six ? '6' : ''
  const first = six
    ? [`TCP6: inuse ${tcp}`, `UDP6: inuse ${of(udpOps)}`]
    : [
        `sockets: used ${all.length}`,
        `TCP: inuse ${tcp} orphan 0 tw ${net.ended.size} alloc ${all.filter(isTcp).length} mem ${Math.ceil(net.tcpBytes / 4096)}`,
        `UDP: inuse ${of(udpOps)} mem 0`,
      ]
  return [...first, `UDPLITE${mark}: inuse 0`, `RAW${mark}: inuse 0`, `FRAG${mark}: inuse 0 memory 0`]
}
function protocolLines(net: NetState): string[] {
  const all = socks(net)
  const rows: [string, (s: Sock) => boolean][] = [
    ['UNIX-STREAM', s => s.ops === unixOps && s.type === SOCK.STREAM],
    ['UNIX', s => s.ops === unixOps && s.type !== SOCK.STREAM],
    ['NETLINK', s => s.ops === netlinkOps],
    ['UDPv6', s => s.ops === udpOps && s.family === AF.INET6],
    ['TCPv6', s => isTcp(s) && s.family === AF.INET6],
    ['UDP', s => s.ops === udpOps && s.family === AF.INET],
    ['TCP', s => isTcp(s) && s.family === AF.INET],
  ]
  return [
    'protocol  size sockets  memory press maxhdr  slab module     cl co di ac io in de sh ss gs se re bi br ha uh gp em',
    ...rows.map(([name, is]) => `${name.padEnd(9)} 1024 ${pad(all.filter(is).length, 6)}      -1   NI       0   yes  kernel      y  y  y  y  y  y  y  y  y  y  y  y  y  y  y  y  y  n`),
  ]
}

// -- interfaces --

function devLines(net: NetState): string[] {
  const line = (i: Interface): string => {
    const { bytes, packets } = i.traffic
    return `${pad(i.name, 6)}: ${pad(bytes, 7)} ${pad(packets, 7)}    0    0    0     0          0         0 ${pad(bytes, 8)} ${pad(packets, 7)}    0    0    0     0       0          0`
  }
  return [
    'Inter-|   Receive                                                |  Transmit',
    ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed',
    ...net.interfaces.map(line),
  ]
}
const SCOPE_HOST = 0x10
const raw = (host: string): string => Array.from(host, c => c.charCodeAt(0).toString(16).padStart(2, '0')).join('')
const low = (v: number): string => v.toString(16).padStart(2, '0')
function inet6Lines(net: NetState): string[] {
  return net.interfaces.flatMap(i =>
    i.addresses
      .filter(a => !isV4(a.host))
      .map(a => `${raw(a.host)} ${low(i.index)} ${low(a.prefix)} ${low(a.outward ? 0 : SCOPE_HOST)} 80 ${pad(i.name, 8)}`),
  )
}
const ROUTE_WIDTH = 127
function routeLines(net: NetState): string[] {
  const mask = (prefix: number): string => hostHex(Array.from({ length: 4 }, (_, k) => String.fromCharCode((0xff00 >> Math.max(0, Math.min(8, prefix - 8 * k))) & 0xff)).join(''), false)
  const lines = net.interfaces.flatMap(i =>
    i.addresses
      .filter(a => a.outward && isV4(a.host))
      .flatMap(a => {
        const near = Array.from(a.host, (c, k) => String.fromCharCode(c.charCodeAt(0) & (0xff00 >> Math.max(0, Math.min(8, a.prefix - 8 * k))) & 0xff)).join('')
        return [
          `${i.name}\t00000000\t${hostHex(net.gateway, false)}\t0003\t0\t0\t0\t00000000\t0\t0\t0`,
          `${i.name}\t${hostHex(near, false)}\t00000000\t0001\t0\t0\t0\t${mask(a.prefix)}\t0\t0\t0`,
        ]
      }),
  )
  return ['Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT', ...lines].map(l => l.padEnd(ROUTE_WIDTH))
}
function route6Lines(net: NetState): string[] {
  const none = '0'.repeat(32)
  return net.interfaces.flatMap(i =>
    i.addresses
      .filter(a => !isV4(a.host))
      .map(a => `${raw(a.host)} 80 ${none} 00 ${none} 00000000 00000001 00000000 80200001 ${pad(i.name, 8)}`),
  )
}

const TABLES: Readonly<Record<number, (net: NetState) => string[]>> = {
  [NET_TABLE.unix]: unixLines,
  [NET_TABLE.tcp]: net => tcpLines(net, false),
  [NET_TABLE.tcp6]: net => tcpLines(net, true),
  [NET_TABLE.udp]: net => udpLines(net, false),
  [NET_TABLE.udp6]: net => udpLines(net, true),
  [NET_TABLE.netlink]: netlinkLines,
  [NET_TABLE.sockstat]: net => sockstatLines(net, false),
  [NET_TABLE.sockstat6]: net => sockstatLines(net, true),
  [NET_TABLE.raw]: () => [`${HEAD4} ref pointer drops`],
  [NET_TABLE.raw6]: () => [`${HEAD6} ref pointer drops`],
  [NET_TABLE.dev]: devLines,
  [NET_TABLE.if_inet6]: inet6Lines,
  [NET_TABLE.route]: routeLines,
  [NET_TABLE.ipv6_route]: route6Lines,
  [NET_TABLE.arp]: () => ['IP address       HW type     Flags       HW address            Mask     Device'],
  [NET_TABLE.packet]: () => ['sk               RefCnt Type Proto  Iface R Rmem   User   Inode'],
  [NET_TABLE.protocols]: protocolLines,
}

/** Lines of a table from number `cursor` on, as far as they fit `room` bytes at `at` → bytes; the next cursor, 0 at the end, is left in
 *  `part.next`. */
export const part = { next: 0 }
export function writeTable(net: NetState, table: number, cursor: number, at: number, room: number): number {
  const lines = TABLES[table]?.(net) ?? []
  let bytes = 0
  let k = cursor
  for (; k < lines.length; k++) {
    const line = `${lines[k]}\n`
    if (bytes + line.length > room) break
    for (let c = 0; c < line.length; c++) net.sys.mem[at + bytes + c] = line.charCodeAt(c)
    bytes += line.length
  }
  part.next = k < lines.length && bytes > 0 ? k : 0
  return bytes
}
