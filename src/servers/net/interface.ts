// Network interfaces of the machine, and what SIOCGIF* (netdevice(7)) tell of them. They are the machine's own: always lo, and one more when
// connections to the outside are allowed. Changing them is refused.
import { E } from '../../abi/errno.ts'
import { IOCTL } from '../../abi/ioctl.ts'
import { AF } from '../../abi/socket.ts'
import { ANY4, isV4, LOOPBACK4, LOOPBACK6 } from './inet.ts'
import type { NetState } from './state.ts'

export interface InterfaceAddress {
  readonly host: string
  readonly prefix: number
  /** What goes outside comes from here. */
  readonly outward: boolean
}
export interface Interface {
  readonly index: number
  readonly name: string
  /** IFF_* */
  readonly flags: number
  /** ARPHRD_* */
  readonly type: number
  readonly mtu: number
  readonly hardware: string
  readonly addresses: readonly InterfaceAddress[]
  /** What has gone over it, either way. */
  readonly traffic: { bytes: number; packets: number }
}
export const IFF = { UP: 1, BROADCAST: 2, LOOPBACK: 8, RUNNING: 0x40, MULTICAST: 0x1000, LOWER_UP: 0x10000 } as const
const ARPHRD_LOOPBACK = 772
export function loopback(): Interface {
  return {
    index: 1,
    name: 'lo',
    flags: IFF.UP | IFF.LOOPBACK | IFF.RUNNING | IFF.LOWER_UP,
    type: ARPHRD_LOOPBACK,
    mtu: 65536,
    hardware: '\0'.repeat(6),
    addresses: [
      { host: LOOPBACK4, prefix: 8, outward: false },
      { host: LOOPBACK6, prefix: 128, outward: false },
    ],
    traffic: { bytes: 0, packets: 0 },
  }
}

/** struct ifreq: a name of 16 bytes, then a union. */
const IFREQ = 40
const IFNAMSIZ = 16
const IF_TXQLEN = 1000

export function findInterface(net: NetState, name: string): Interface | undefined {
  return net.interfaces.find(i => i.name === name)
}
function nameAt(net: NetState, at: number): string {
  let name = ''
  for (let k = 0; k < IFNAMSIZ - 1 && net.sys.mem[at + k] !== 0; k++) name += String.fromCharCode(net.sys.mem[at + k] as number)
  return name
}
const mask4 = (prefix: number): number => (prefix === 0 ? 0 : (-1 << (32 - prefix)) >>> 0)
function putHost(net: NetState, at: number, host: string): void {
  const { mem, view } = net.sys
  mem.fill(0, at, at + 16)
  view.setUint16(at, AF.INET, true)
  for (let k = 0; k < 4; k++) mem[at + 4 + k] = host.charCodeAt(k)
}
const first4 = (i: Interface): InterfaceAddress | undefined => i.addresses.find(a => isV4(a.host))

/** ioctl of any socket for interfaces: 0, -errno. ENOTTY: no such request. */
export function interfaceIoctl(net: NetState, cmd: number, at: number, len: number): number {
  if (cmd === IOCTL.SIOCGIFCONF) return list(net, at, len)
  const known = QUESTIONS.has(cmd)
  const changes = CHANGES.has(cmd)
  if (!known && !changes) return cmd >>> 8 === 0x89 && (cmd & 0xff) >= 0xf0 ? -E.NODEV : -E.NOTTY
  if (len < IFREQ) return -E.FAULT
  const { mem, view } = net.sys
  if (cmd === IOCTL.SIOCGIFNAME) {
    const i = net.interfaces.find(one => one.index === view.getInt32(at + IFNAMSIZ, true))
    if (i === undefined) return -E.NODEV
    mem.fill(0, at, at + IFNAMSIZ)
    for (let k = 0; k < i.name.length; k++) mem[at + k] = i.name.charCodeAt(k)
    return 0
  }
  const i = findInterface(net, nameAt(net, at))
  if (i === undefined) return -E.NODEV
  return changes ? -E.PERM : question(net, i, cmd, at + IFNAMSIZ)
}
const QUESTIONS = new Set<number>([
  IOCTL.SIOCGIFNAME,
  IOCTL.SIOCGIFFLAGS,
  IOCTL.SIOCGIFADDR,
  IOCTL.SIOCGIFDSTADDR,
  IOCTL.SIOCGIFBRDADDR,
  IOCTL.SIOCGIFNETMASK,
  IOCTL.SIOCGIFMETRIC,
  IOCTL.SIOCGIFMTU,
  IOCTL.SIOCGIFHWADDR,
  IOCTL.SIOCGIFINDEX,
  IOCTL.SIOCGIFTXQLEN,
  IOCTL.SIOCGIFMAP,
  IOCTL.SIOCETHTOOL,
])
const CHANGES = new Set<number>([IOCTL.SIOCSIFFLAGS, IOCTL.SIOCSIFADDR, IOCTL.SIOCSIFMTU])

/** at: the union. */
function question(net: NetState, i: Interface, cmd: number, at: number): number {
  const { mem, view } = net.sys
  const own = first4(i)
  switch (cmd) {
    case IOCTL.SIOCGIFFLAGS:
      view.setInt16(at, i.flags & 0xffff, true)
      return 0
    case IOCTL.SIOCGIFINDEX:
      view.setInt32(at, i.index, true)
      return 0
    case IOCTL.SIOCGIFMETRIC:
      view.setInt32(at, 0, true)
      return 0
    case IOCTL.SIOCGIFMTU:
      view.setInt32(at, i.mtu, true)
      return 0
    case IOCTL.SIOCGIFTXQLEN:
      view.setInt32(at, IF_TXQLEN, true)
      return 0
    case IOCTL.SIOCGIFMAP:
      mem.fill(0, at, at + 24)
      return 0
    case IOCTL.SIOCETHTOOL:
      return -E.OPNOTSUPP
    case IOCTL.SIOCGIFHWADDR:
      mem.fill(0, at, at + 16)
      view.setUint16(at, i.type, true)
      for (let k = 0; k < 6; k++) mem[at + 2 + k] = i.hardware.charCodeAt(k)
      return 0
  }
  if (own === undefined) return -E.ADDRNOTAVAIL
  if (cmd === IOCTL.SIOCGIFNETMASK) putHost(net, at, hostOf(mask4(own.prefix)))
  else if (cmd === IOCTL.SIOCGIFBRDADDR) putHost(net, at, (i.flags & IFF.BROADCAST) !== 0 ? broadcastOf(own) : ANY4)
  else putHost(net, at, own.host)
  return 0
}
const hostOf = (word: number): string => String.fromCharCode(word >>> 24, (word >>> 16) & 0xff, (word >>> 8) & 0xff, word & 0xff)
export function broadcastOf(a: InterfaceAddress): string {
  let word = 0
  for (let k = 0; k < 4; k++) word = (word << 8) | a.host.charCodeAt(k)
  return hostOf((word | ~mask4(a.prefix)) >>> 0)
}

/** SIOCGIFCONF: struct ifconf { s32 len; pad; pointer }, and behind it in the grant the room the pointer leads to. */
const IFCONF = 16
function list(net: NetState, at: number, len: number): number {
  if (len < IFCONF) return -E.FAULT
  const { mem, view } = net.sys
  const addressed = net.interfaces.filter(i => first4(i) !== undefined)
  const wanted = view.getUint32(at + 8, true) !== 0 || view.getUint32(at + 12, true) !== 0
  const room = Math.floor(Math.min(view.getInt32(at, true), len - IFCONF) / IFREQ)
  const given = wanted ? addressed.slice(0, Math.max(0, room)) : addressed
  if (wanted)
    given.forEach((i, k) => {
      const p = at + IFCONF + k * IFREQ
      mem.fill(0, p, p + IFREQ)
      for (let c = 0; c < i.name.length; c++) mem[p + c] = i.name.charCodeAt(c)
      putHost(net, p + IFNAMSIZ, (first4(i) as InterfaceAddress).host)
    })
  view.setInt32(at, given.length * IFREQ, true)
  return 0
}
