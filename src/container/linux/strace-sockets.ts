// How strace writes the socket calls: addresses, message headers with their vectors and control data, options.
import { AF, CMSG_HEADER, IP, IPV6, MSGHDR, SCM, SO, SOL, TCP, UN_PATH } from '../../abi/socket.ts'
import { errorName } from '../../abi/strerror.ts'
import { MSG_AREA } from './socket-operands.ts'
import { at, bytesAt, failed, low, plain, pointer, type Shown, size, type Texts } from './strace-arguments.ts'
import { i32, u16, u32 } from './strace-structs.ts'
import { address, decimal64, flags, hex, oneOf, quote } from './strace-values.ts'
import type { Xlat } from './xlat.ts'

type Writer = (s: Shown) => Texts
/** Addresses are printed whole. */
const WHOLE = 128

// -- names --

const OLD = new Set(['RCVTIMEO', 'SNDTIMEO', 'TIMESTAMP', 'TIMESTAMPNS', 'TIMESTAMPING'])
const names = (prefix: string, numbers: Readonly<Record<string, number>>): ReadonlyMap<number, string> =>
  new Map(Object.entries(numbers).map(([name, v]) => [v, `${prefix}${name}`]))
const OPTIONS: Readonly<Record<number, ReadonlyMap<number, string>>> = {
  [SOL.SOCKET]: new Map([...names('', SO)].map(([v, name]) => [v, `SO_${name}${OLD.has(name) ? '_OLD' : ''}`])),
  [SOL.TCP]: names('TCP_', TCP),
  [SOL.IP]: names('IP_', IP),
  [SOL.IPV6]: names('IPV6_', IPV6),
}
const PREFIX: Readonly<Record<number, string>> = { 1: 'SO_', 6: 'TCP_', 0: 'IP_', 41: 'IPV6_' }
function optionName(level: number, name: number): string {
  const known = OPTIONS[level]?.get(name)
  if (known !== undefined) return known
  return PREFIX[level] === undefined ? hex(name) : `${hex(name)} /* ${PREFIX[level]}??? */`
}
/** IPPROTO_* where the third argument of socket means that. */
const PROTOCOLS: Xlat = {
  names: [
    [0, 'IPPROTO_IP'],
    [1, 'IPPROTO_ICMP'],
    [6, 'IPPROTO_TCP'],
    [17, 'IPPROTO_UDP'],
    [41, 'IPPROTO_IPV6'],
    [58, 'IPPROTO_ICMPV6'],
    [255, 'IPPROTO_RAW'],
  ],
  fallback: 'IPPROTO_???',
}
function protocolName(family: number, protocol: number): string {
  if (family === AF.NETLINK) return protocol === 0 ? 'NETLINK_ROUTE' : String(protocol)
  if (family !== AF.INET && family !== AF.INET6) return String(protocol)
  return PROTOCOLS.names.find(([v]) => v === protocol)?.[1] ?? `${hex(protocol)} /* ${PROTOCOLS.fallback} */`
}
function socketType(value: number): string {
  const rest = value & ~0xf
  const type = (value & 0xf) === 0 ? '' : oneOf('socket_kind', value & 0xf)
  if (rest === 0) return type === '' ? '0' : type
  const more = flags('socket_flags', rest)
  return type === '' ? more : `${type}|${more}`
}

// -- addresses --

const port = (v: DataView, p: number): string => `htons(${v.getUint16(p, false)})`
/** struct sockaddr of `len` bytes. */
export function sockaddr(v: DataView, p: number, len: number): string {
  if (len < 2) return '[]'
  const family = u16(v, p)
  const head = `{sa_family=${oneOf('socket_family', family)}`
  if (family === AF.UNIX) return len <= UN_PATH ? `${head}}` : `${head}, sun_path=${unixPath(v, p + UN_PATH, len - UN_PATH)}}`
  if (family === AF.INET && len >= 16) {
    const host = [4, 5, 6, 7].map(k => v.getUint8(p + k)).join('.')
    return `${head}, sin_port=${port(v, p + 2)}, sin_addr=inet_addr("${host}")}`
  }
  if (family === AF.INET6 && len >= 24) {
    const scope = len >= 28 ? `, sin6_scope_id=${u32(v, p + 24)}` : ''
    return `${head}, sin6_port=${port(v, p + 2)}, sin6_flowinfo=htonl(${v.getUint32(p + 4, false)}), inet_pton(AF_INET6, "${host6(v, p + 8)}", &sin6_addr)${scope}}`
  }
  if (family === AF.NETLINK && len >= 12)
    return `${head}, nl_pid=${i32(v, p + 4)}, nl_groups=${u32(v, p + 8) === 0 ? '00000000' : `0x${u32(v, p + 8).toString(16).padStart(8, '0')}`}}`
  const rest = new Uint8Array(v.buffer, v.byteOffset + p + 2, len - 2)
  return rest.length === 0 ? `${head}}` : `${head}, sa_data=${quote(rest, WHOLE)}}`
}
function unixPath(v: DataView, p: number, len: number): string {
  const bytes = new Uint8Array(v.buffer, v.byteOffset + p, len)
  if (bytes[0] === 0) return `@${quote(bytes.subarray(1), WHOLE)}`
  const nul = bytes.indexOf(0)
  return quote(nul < 0 ? bytes.subarray(0, 108) : bytes.subarray(0, nul), WHOLE)
}
/** An IPv6 address as inet_ntop writes it. */
function host6(v: DataView, p: number): string {
  const words = Array.from({ length: 8 }, (_, k) => v.getUint16(p + 2 * k, false))
  const v4 = [12, 13, 14, 15].map(k => v.getUint8(p + k)).join('.')
  if (words.slice(0, 5).every(w => w === 0) && words[5] === 0xffff) return `::ffff:${v4}`
  let best = { from: -1, length: 1 }
  for (let k = 0; k < 8; k++) {
    let length = 0
    while (k + length < 8 && words[k + length] === 0) length++
    if (length > best.length) best = { from: k, length }
  }
  const text = words.map(w => w.toString(16))
  if (best.from < 0) return text.join(':')
  return `${text.slice(0, best.from).join(':')}::${text.slice(best.from + best.length).join(':')}`
}

// -- whole calls --

const withName: Writer = s => {
  const i = s.specs.findIndex(a => a.type === 'sockaddr')
  const known = at(s, i) !== 0 && size(s, i) > 0
  const text = known ? sockaddr(s.view, at(s, i), size(s, i)) : pointer(s, i)
  return plain(s).map((t, k) => (k === i ? text : t))
}
/** An address the call writes, and its length: [room => bytes]. */
const withNameOut: Writer = s => {
  const i = s.specs.findIndex(a => a.type === 'sockaddr')
  const texts = plain(s)
  if (s.result === null) return texts.map((t, k) => (k === i || k === i + 1 ? undefined : t))
  const room = at(s, i + 1) === 0 ? -1 : i32(s.view, at(s, i + 1))
  const done = !failed(s) && at(s, i) !== 0
  const length = done ? u32(s.view, at(s, i)) : room
  texts[i] = done && length > 0 ? sockaddr(s.view, at(s, i) + 8, Math.min(length, Math.max(room, 0))) : pointer(s, i)
  texts[i + 1] = room < 0 ? pointer(s, i + 1) : room === length ? `[${room}]` : `[${room} => ${length}]`
  return texts
}

const STRINGS = new Set([SO.BINDTODEVICE, 256 + TCP.CONGESTION])
function optionValue(s: Shown, level: number, name: number, p: number, len: number): string {
  const { view: v } = s
  if (level === SOL.SOCKET && name === SO.LINGER && len >= 8) return `{l_onoff=${i32(v, p)}, l_linger=${i32(v, p + 4)}}`
  if (level === SOL.SOCKET && name === SO.PEERCRED && len >= 12)
    return `{pid=${i32(v, p)}, uid=${i32(v, p + 4)}, gid=${i32(v, p + 8)}}`
  if (level === SOL.SOCKET && name === SO.ERROR && len === 4 && i32(v, p) > 0) return `[${errorName(i32(v, p))}]`
  if (len === 4 && !STRINGS.has((level === SOL.TCP ? 256 : 0) + name)) return `[${i32(v, p)}]`
  return quote(s.mem.subarray(p, p + len), s.limit)
}
const setsockopt: Writer = s => {
  const level = low(s, 1)
  const known = at(s, 3) !== 0 && size(s, 3) > 0
  const value = known ? optionValue(s, level, low(s, 2), at(s, 3), size(s, 3)) : pointer(s, 3)
  return [String(low(s, 0)), oneOf('socket_level', level), optionName(level, low(s, 2)), value, String(low(s, 4))]
}
const getsockopt: Writer = s => {
  const level = low(s, 1)
  const head = [String(low(s, 0)), oneOf('socket_level', level), optionName(level, low(s, 2))]
  if (s.result === null) return [...head, undefined, undefined]
  const room = at(s, 4) === 0 ? -1 : i32(s.view, at(s, 4))
  const length = failed(s) || at(s, 3) === 0 ? room : u32(s.view, at(s, 3))
  const value =
    failed(s) || at(s, 3) === 0 ? pointer(s, 3) : optionValue(s, level, low(s, 2), at(s, 3) + 8, Math.min(room, length))
  const count = room < 0 ? pointer(s, 4) : room === length ? `[${room}]` : `[${room} => ${length}]`
  return [...head, value, count]
}
// -- message headers --

const area = (s: Shown, k: number): number => s.areas[2 * k] as number
const areaSize = (s: Shown, k: number): number => s.areas[2 * k + 1] as number
function message(s: Shown, header: number, out: boolean): string {
  const { view: v } = s
  const word = (k: number): string => address(u32(v, header + k), u32(v, header + k + 4))
  const room = i32(v, header + MSGHDR.NAMELEN)
  const nameArea = area(s, MSG_AREA.NAME)
  const length = out ? (nameArea === 0 ? 0 : u32(v, nameArea)) : areaSize(s, MSG_AREA.NAME)
  const noName = word(MSGHDR.NAME) === 'NULL'
  const shown = noName ? 'NULL' : length === 0 ? word(MSGHDR.NAME) : sockaddr(v, nameArea + (out ? 8 : 0), Math.min(length, room))
  const namelen = out && !noName && length !== room ? `${room} => ${length}` : String(room)
  const parts = [`msg_name=${shown}`, `msg_namelen=${namelen}`, `msg_iov=${vector(s, header, out)}`]
  parts.push(`msg_iovlen=${decimal64(u32(v, header + MSGHDR.IOVLEN), u32(v, header + MSGHDR.IOVLEN + 4), false)}`)
  const result = area(s, MSG_AREA.RESULT)
  const bytes = out && result !== 0 ? u32(v, result) : u32(v, header + MSGHDR.CONTROLLEN)
  if (bytes > 0) parts.push(`msg_control=${controlText(s, area(s, MSG_AREA.CONTROL), bytes, word(MSGHDR.CONTROL))}`)
  parts.push(`msg_controllen=${bytes}`)
  const given = out && result !== 0 ? u32(v, result + 8) : u32(v, header + MSGHDR.FLAGS)
  return `{${parts.join(', ')}, msg_flags=${flags('msg', given)}}`
}
function vector(s: Shown, header: number, out: boolean): string {
  const { view: v } = s
  const p = area(s, MSG_AREA.VECTOR)
  const count = p === 0 ? 0 : areaSize(s, MSG_AREA.VECTOR) / 16
  if (p === 0 || count === 0) return count === 0 && p !== 0 ? '[]' : address(u32(v, header + MSGHDR.IOV), u32(v, header + MSGHDR.IOV + 4))
  let from = area(s, MSG_AREA.DATA)
  let left = from === 0 ? 0 : out ? Math.max(0, s.result ?? 0) : areaSize(s, MSG_AREA.DATA)
  const pieces: string[] = []
  for (let k = 0; k < count; k++) {
    const length = u32(v, p + 16 * k + 8)
    const n = Math.min(length, left)
    const base = address(u32(v, p + 16 * k), u32(v, p + 16 * k + 4))
    const text = from === 0 || (n === 0 && length > 0) ? base : quote(s.mem.subarray(from, from + n), s.limit)
    pieces.push(`{iov_base=${text}, iov_len=${decimal64(length, u32(v, p + 16 * k + 12), false)}}`)
    from += n
    left -= n
  }
  return `[${pieces.join(', ')}]`
}
function controlText(s: Shown, p: number, bytes: number, raw: string): string {
  if (p === 0 || bytes < CMSG_HEADER) return raw
  const { view: v } = s
  const parts: string[] = []
  for (let k = 0; k + CMSG_HEADER <= bytes; ) {
    const length = u32(v, p + k)
    const level = i32(v, p + k + 8)
    const type = i32(v, p + k + 12)
    const data = Math.max(0, Math.min(length, bytes - k) - CMSG_HEADER)
    const name = level === SOL.SOCKET ? oneOf('scm', type) : hex(type)
    const shown = controlData(s, level, type, p + k + CMSG_HEADER, data)
    parts.push(`{cmsg_len=${length}, cmsg_level=${oneOf('socket_level', level)}, cmsg_type=${name}${shown}}`)
    if (length < CMSG_HEADER) break
    k += (length + 7) & ~7
  }
  return `[${parts.join(', ')}]`
}
function controlData(s: Shown, level: number, type: number, p: number, bytes: number): string {
  const { view: v } = s
  if (bytes === 0 || level !== SOL.SOCKET) return ''
  if (type === SCM.CREDENTIALS && bytes >= 12)
    return `, cmsg_data={pid=${i32(v, p)}, uid=${i32(v, p + 4)}, gid=${i32(v, p + 8)}}`
  if (type !== SCM.RIGHTS) return ''
  const fds = Array.from({ length: Math.min(bytes >> 2, s.limit) }, (_, k) => String(i32(v, p + 4 * k)))
  return `, cmsg_data=[${fds.join(', ')}${bytes >> 2 > s.limit ? ', ...' : ''}]`
}
const sendmsg: Writer = s => [
  String(low(s, 0)),
  at(s, 1) === 0 ? pointer(s, 1) : message(s, at(s, 1), false),
  flags('msg', low(s, 2)),
]
const recvmsg: Writer = s => {
  const head = [String(low(s, 0))]
  if (s.result === null) return [...head, undefined, undefined]
  const header = at(s, 1)
  const text =
    header === 0 ? pointer(s, 1) : failed(s) ? `{msg_namelen=${i32(s.view, header + MSGHDR.NAMELEN)}}` : message(s, header, true)
  return [...head, text, flags('msg', low(s, 2))]
}
/** sendmmsg, recvmmsg: the window holds one message at a time, so only where they are. */
const several: Writer = s => {
  const texts = [String(low(s, 0)), pointer(s, 1), String(low(s, 2) >>> 0), flags('msg', low(s, 3))]
  return s.specs.length > 4 ? [...texts, pointer(s, 4)] : texts
}
const socket: Writer = s => {
  const texts = plain(s)
  texts[1] = socketType(low(s, 1))
  texts[2] = protocolName(low(s, 0), low(s, 2))
  return texts
}
const recvfrom: Writer = s => {
  const texts = withNameOut(s)
  if (s.result !== null) texts[1] = failed(s) ? pointer(s, 1) : quote(bytesAt(s, 1, Math.min(s.result, size(s, 1))), s.limit)
  return texts
}

/** By name of the call. */
export const SOCKET_CALLS: Readonly<Record<string, Writer>> = {
  socket,
  socketpair: socket,
  bind: withName,
  connect: withName,
  sendto: withName,
  accept: withNameOut,
  accept4: withNameOut,
  getsockname: withNameOut,
  getpeername: withNameOut,
  recvfrom,
  setsockopt,
  getsockopt,
  sendmsg,
  recvmsg,
  sendmmsg: several,
  recvmmsg: several,
}
