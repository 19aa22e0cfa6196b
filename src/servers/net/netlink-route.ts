// NETLINK_ROUTE (rtnetlink(7)): what interfaces, addresses and routes there are. Only questions are answered; changes are refused.
//   struct nlmsghdr { u32 len; u16 type; u16 flags; u32 seq; u32 pid }      struct rtattr { u16 len; u16 type } data, 4-aligned
import { E } from '../../abi/errno.ts'
import { AF } from '../../abi/socket.ts'
import { isV4 } from './inet.ts'
import { broadcastOf, IFF, type Interface, type InterfaceAddress } from './interface.ts'
import type { NetState } from './state.ts'

const NLM_F = { REQUEST: 1, MULTI: 2, ACK: 4, DUMP: 0x300 } as const
const TYPE = { ERROR: 2, DONE: 3 } as const
// biome-ignore format: a table
const RTM = { NEWLINK: 16, GETLINK: 18, NEWADDR: 20, GETADDR: 22, NEWROUTE: 24, GETROUTE: 26, GETNEIGH: 30, GETRULE: 34, GETQDISC: 38 } as const
// biome-ignore format: a table
const IFLA = { ADDRESS: 1, BROADCAST: 2, IFNAME: 3, MTU: 4, QDISC: 6, TXQLEN: 13, OPERSTATE: 16, LINKMODE: 17, GROUP: 27, EXT_MASK: 29, PROMISCUITY: 30 } as const
const IFA = { ADDRESS: 1, LOCAL: 2, LABEL: 3, BROADCAST: 4, CACHEINFO: 6, FLAGS: 8 } as const
const RTA = { DST: 1, OIF: 4, GATEWAY: 5, PREFSRC: 7, TABLE: 15 } as const
const IFA_F_PERMANENT = 0x80
const SCOPE = { UNIVERSE: 0, LINK: 253, HOST: 254 } as const
const TABLE = { MAIN: 254, LOCAL: 255 } as const
const RTPROT_KERNEL = 2
const RTN = { UNICAST: 1, LOCAL: 2 } as const
const HEADER = 16
/** As much as one datagram of a dump holds. */
const PART = 4096

/** A message being written. */
class Writer {
  private readonly bytes: number[] = []
  u8(v: number): this {
    this.bytes.push(v & 0xff)
    return this
  }
  u16(v: number): this {
    return this.u8(v).u8(v >> 8)
  }
  u32(v: number): this {
    return this.u16(v).u16(v >>> 16)
  }
  text(chars: string): this {
    for (let i = 0; i < chars.length; i++) this.u8(chars.charCodeAt(i))
    return this
  }
  attribute(type: number, write: (w: Writer) => void): this {
    const data = new Writer()
    write(data)
    this.u16(4 + data.bytes.length).u16(type)
    for (const b of data.bytes) this.u8(b)
    return this.align()
  }
  align(): this {
    while (this.bytes.length % 4 !== 0) this.u8(0)
    return this
  }
  /** The whole message, behind its header. */
  message(type: number, flags: number, seq: number, pid: number): Uint8Array {
    const head = new Writer().u32(HEADER + this.bytes.length).u16(type).u16(flags).u32(seq).u32(pid)
    return Uint8Array.from([...head.bytes, ...this.bytes])
  }
}

/** struct nlmsgerr { s32 error; the request's header }. 0 is an acknowledgement. */
function error(view: DataView, at: number, pid: number, errno: number): Uint8Array {
  const w = new Writer().u32(errno)
  for (let k = 0; k < HEADER; k++) w.u8(view.getUint8(at + k))
  return w.message(TYPE.ERROR, 0, view.getUint32(at + 8, true), pid)
}
export const NLMSG = { HEADER, error } as const

/** The datagrams that answer the request at `at`, which is from the socket with this port id. */
export function answerRoute(net: NetState, pid: number, at: number, len: number): Uint8Array[] {
  const { view } = net.sys
  const type = view.getUint16(at + 4, true)
  const flags = view.getUint16(at + 6, true)
  const seq = view.getUint32(at + 8, true)
  const acknowledged = (flags & NLM_F.ACK) !== 0 ? [error(view, at, pid, 0)] : []
  if ((flags & NLM_F.REQUEST) === 0 || type < RTM.NEWLINK) return acknowledged
  const refused = (errno: number): Uint8Array[] => [error(view, at, pid, -errno)]
  if ((type & 3) !== 2) return refused(E.PERM)
  if (len < HEADER + 1) return refused(E.INVAL)
  if ((flags & NLM_F.DUMP) !== 0) {
    const items = dump(net, type, view.getUint8(at + HEADER))
    return items === null ? refused(E.OPNOTSUPP) : inParts(items, seq, pid)
  }
  if (type !== RTM.GETLINK) return refused(E.OPNOTSUPP)
  const one = oneLink(net, at, len)
  return one === null ? refused(E.NODEV) : [link(one).message(RTM.NEWLINK, 0, seq, pid), ...acknowledged]
}

function dump(net: NetState, type: number, family: number): { type: number; body: Writer }[] | null {
  const wanted = (host: string): boolean => family === AF.UNSPEC || family === (isV4(host) ? AF.INET : AF.INET6)
  switch (type) {
    case RTM.GETLINK:
      return net.interfaces.map(i => ({ type: RTM.NEWLINK, body: link(i) }))
    case RTM.GETADDR:
      return [AF.INET, AF.INET6].flatMap(f =>
        net.interfaces.flatMap(i =>
          i.addresses
            .filter(a => wanted(a.host) && isV4(a.host) === (f === AF.INET))
            .map(a => ({ type: RTM.NEWADDR, body: address(i, a) })),
        ),
      )
    case RTM.GETROUTE:
      return net.interfaces.flatMap(i =>
        i.addresses.filter(a => wanted(a.host)).flatMap(a => routes(net, i, a).map(body => ({ type: RTM.NEWROUTE, body }))),
      )
    case RTM.GETNEIGH:
    case RTM.GETRULE:
    case RTM.GETQDISC:
      return []
  }
  return null
}
/** A dump: several messages to a datagram, and one that says it was all. */
function inParts(items: { type: number; body: Writer }[], seq: number, pid: number): Uint8Array[] {
  const parts: number[][] = [[]]
  for (const { type, body } of items) {
    const one = body.message(type, NLM_F.MULTI, seq, pid)
    const last = parts[parts.length - 1] as number[]
    if (last.length > 0 && last.length + one.length > PART) parts.push(Array.from(one))
    else last.push(...one)
  }
  const done = new Writer().u32(0).message(TYPE.DONE, NLM_F.MULTI, seq, pid)
  return [...parts.filter(part => part.length > 0).map(part => Uint8Array.from(part)), done]
}

/** GETLINK of one interface, by index or by name. */
function oneLink(net: NetState, at: number, len: number): Interface | null {
  const { view, mem } = net.sys
  if (len < HEADER + 16) return null
  const index = view.getInt32(at + HEADER + 4, true)
  let name = ''
  for (let p = HEADER + 16; p + 4 <= len; ) {
    const size = view.getUint16(at + p, true)
    if (size < 4 || size > len - p) break
    if (view.getUint16(at + p + 2, true) === IFLA.IFNAME)
      for (let k = 4; k < size && mem[at + p + k] !== 0; k++) name += String.fromCharCode(mem[at + p + k] as number)
    p += (size + 3) & ~3
  }
  return net.interfaces.find(i => (index > 0 ? i.index === index : i.name === name)) ?? null
}
/** struct ifinfomsg { u8 family; pad; u16 type; s32 index; u32 flags; u32 change } */
function link(i: Interface): Writer {
  const loop = (i.flags & IFF.LOOPBACK) !== 0
  return new Writer()
    .u16(0)
    .u16(i.type)
    .u32(i.index)
    .u32(i.flags)
    .u32(0)
    .attribute(IFLA.IFNAME, w => w.text(`${i.name}\0`))
    .attribute(IFLA.TXQLEN, w => w.u32(1000))
    .attribute(IFLA.OPERSTATE, w => w.u8(loop ? 0 : 6))
    .attribute(IFLA.LINKMODE, w => w.u8(0))
    .attribute(IFLA.MTU, w => w.u32(i.mtu))
    .attribute(IFLA.GROUP, w => w.u32(0))
    .attribute(IFLA.PROMISCUITY, w => w.u32(0))
    .attribute(IFLA.QDISC, w => w.text('noqueue\0'))
    .attribute(IFLA.ADDRESS, w => w.text(i.hardware))
    .attribute(IFLA.BROADCAST, w => w.text(loop ? '\0'.repeat(6) : '\xff'.repeat(6)))
}
/** struct ifaddrmsg { u8 family, prefixlen, flags, scope; u32 index } */
function address(i: Interface, a: InterfaceAddress): Writer {
  const scope = (i.flags & IFF.LOOPBACK) !== 0 ? SCOPE.HOST : SCOPE.UNIVERSE
  const w = new Writer().u8(isV4(a.host) ? AF.INET : AF.INET6).u8(a.prefix).u8(IFA_F_PERMANENT).u8(scope).u32(i.index)
  w.attribute(IFA.ADDRESS, d => d.text(a.host))
  if (isV4(a.host)) {
    w.attribute(IFA.LOCAL, d => d.text(a.host))
    if ((i.flags & IFF.BROADCAST) !== 0) w.attribute(IFA.BROADCAST, d => d.text(broadcastOf(a)))
    w.attribute(IFA.LABEL, d => d.text(`${i.name}\0`))
  }
  return w
    .attribute(IFA.FLAGS, d => d.u32(IFA_F_PERMANENT))
    .attribute(IFA.CACHEINFO, d => d.u32(-1).u32(-1).u32(0).u32(0))
}
/** struct rtmsg { u8 family, dst_len, src_len, tos, table, protocol, scope, type; u32 flags } */
function routes(net: NetState, i: Interface, a: InterfaceAddress): Writer[] {
  const family = isV4(a.host) ? AF.INET : AF.INET6
  const route = (length: number, table: number, scope: number, type: number): Writer =>
    new Writer().u8(family).u8(length).u8(0).u8(0).u8(table).u8(RTPROT_KERNEL).u8(scope).u8(type).u32(0).attribute(RTA.TABLE, w => w.u32(table))
  const out = (w: Writer): Writer => w.attribute(RTA.PREFSRC, d => d.text(a.host)).attribute(RTA.OIF, d => d.u32(i.index))
  const own = out(route(8 * a.host.length, TABLE.LOCAL, SCOPE.HOST, RTN.LOCAL).attribute(RTA.DST, d => d.text(a.host)))
  if (!a.outward) return [own]
  const near = out(route(a.prefix, TABLE.MAIN, SCOPE.LINK, RTN.UNICAST).attribute(RTA.DST, d => d.text(networkOf(a))))
  const far = route(0, TABLE.MAIN, SCOPE.UNIVERSE, RTN.UNICAST)
    .attribute(RTA.GATEWAY, d => d.text(net.gateway))
    .attribute(RTA.OIF, d => d.u32(i.index))
  return isV4(a.host) ? [far, near, own] : [near, own]
}
function networkOf(a: InterfaceAddress): string {
  return Array.from(a.host, (c, k) => {
    const bits = Math.max(0, Math.min(8, a.prefix - 8 * k))
    return String.fromCharCode(c.charCodeAt(0) & (0xff00 >> bits) & 0xff)
  }).join('')
}
