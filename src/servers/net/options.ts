// Socket options: tables of those that are just kept, by level, and SOL_SOCKET's that do something (socket(7), net/core/sock.c).
import { E } from '../../abi/errno.ts'
import { WRITABLE } from '../../abi/poll.ts'
import { SO, SOL } from '../../abi/socket.ts'
import { CAP, capable } from './credential.ts'
import { MEM_MAX } from './sock.ts'
import type { NetState, Sock } from './state.ts'
import { wakeWriters } from './wait.ts'

/** An option that is only kept and told: its first value; on/off or a number; what values it takes; what it takes to set it. */
export interface Plain {
  readonly initial: number
  readonly flag?: boolean
  readonly min?: number
  readonly max?: number
  readonly capability?: number
  /** Value that stands for `initial`. */
  readonly reset?: number
}
export type PlainOptions = Readonly<Record<number, Plain>>

const FLAG: Plain = { initial: 0, flag: true }
const SOCKET_OPTIONS: PlainOptions = {
  [SO.REUSEADDR]: FLAG,
  [SO.DONTROUTE]: FLAG,
  [SO.BROADCAST]: FLAG,
  [SO.KEEPALIVE]: FLAG,
  [SO.OOBINLINE]: FLAG,
  [SO.NO_CHECK]: FLAG,
  [SO.REUSEPORT]: FLAG,
  [SO.TIMESTAMP]: FLAG,
  [SO.TIMESTAMPNS]: FLAG,
  [SO.TIMESTAMP_NEW]: FLAG,
  [SO.TIMESTAMPNS_NEW]: FLAG,
  [SO.TIMESTAMPING]: { initial: 0, min: 0 },
  [SO.RXQ_OVFL]: FLAG,
  [SO.WIFI_STATUS]: FLAG,
  [SO.NOFCS]: FLAG,
  [SO.SELECT_ERR_QUEUE]: FLAG,
  [SO.PASSSEC]: FLAG,
  [SO.MARK]: { initial: 0, capability: CAP.NET_ADMIN },
  [SO.RCVMARK]: { initial: 0, flag: true, capability: CAP.NET_ADMIN },
  [SO.BUSY_POLL]: { initial: 0, min: 0, capability: CAP.NET_ADMIN },
  [SO.PREFER_BUSY_POLL]: { initial: 0, flag: true, capability: CAP.NET_ADMIN },
  [SO.INCOMING_CPU]: { initial: -1 },
  [SO.TXREHASH]: { initial: 1, min: -1, max: 1 },
  [SO.BINDTOIFINDEX]: { initial: 0, min: 0, max: 1 },
  [SO.BUF_LOCK]: { initial: 0, min: 0, max: 3 },
}
const PRIORITY_MAX = 6
/** SOCK_MIN_SNDBUF, SOCK_MIN_RCVBUF */
const SNDBUF_MIN = 4608
const RCVBUF_MIN = 2304
const INT_MAX = 0x7fffffff
const TIMEVAL = 16

const keyOf = (level: number, name: number): number => (level << 16) | name
/** Value of a kept option. */
export function kept(s: Sock, level: number, name: number, table: PlainOptions): number {
  return s.values.get(keyOf(level, name)) ?? table[name]?.initial ?? 0
}
export function keep(s: Sock, level: number, name: number, value: number): void {
  s.values.set(keyOf(level, name), value)
}
/** Has an option that is off at first been set? */
export function isSet(s: Sock, level: number, name: number): boolean {
  return (s.values.get(keyOf(level, name)) ?? 0) !== 0
}
export function isOn(s: Sock, name: number): boolean {
  return isSet(s, SOL.SOCKET, name)
}
/** Set a kept option. undefined: it isn't one. */
export function setPlain(
  net: NetState,
  s: Sock,
  level: number,
  name: number,
  value: number,
  table: PlainOptions,
  endpoint: number,
): number | undefined {
  const o = table[name]
  if (o === undefined) return undefined
  if (o.capability !== undefined && !capable(net, endpoint, o.capability)) return -E.PERM
  const kept = o.flag ? (value !== 0 ? 1 : 0) : value === o.reset ? o.initial : value
  if (kept < (o.min ?? -Infinity) || kept > (o.max ?? Infinity)) return -E.INVAL
  keep(s, level, name, kept)
  return 0
}
/** Write an int as getsockopt gives it: cut to the room there is → bytes. */
export function putInt(net: NetState, at: number, room: number, value: number): number {
  const n = Math.min(4, room)
  for (let k = 0; k < n; k++) net.sys.mem[at + k] = value >> (8 * k)
  return n
}
/** Likewise words of 32 bits. */
export function putWords(net: NetState, at: number, room: number, words: readonly number[]): number {
  const n = Math.min(4 * words.length, room)
  for (let k = 0; k < n; k++) net.sys.mem[at + k] = (words[k >> 2] as number) >> (8 * (k & 3))
  return n
}

/** The int a setsockopt gives. `len` is what the caller says, `room` what could be read of it. -EINVAL or -EFAULT in `error`, else 0. */
export function intError(len: number, room: number): number {
  return len < 4 ? -E.INVAL : room < 4 ? -E.FAULT : 0
}

/** setsockopt at SOL_SOCKET. undefined: no such option. */
export function setSocketOption(
  net: NetState,
  s: Sock,
  name: number,
  at: number,
  len: number,
  room: number,
  endpoint: number,
): number | undefined {
  const wrong = intError(len, room)
  if (wrong < 0) return wrong
  const { view } = net.sys
  const value = view.getInt32(at, true)
  switch (name) {
    case SO.DEBUG:
      if (value !== 0 && !capable(net, endpoint, CAP.NET_ADMIN)) return -E.ACCES
      keep(s, SOL.SOCKET, name, value !== 0 ? 1 : 0)
      return 0
    case SO.SNDBUFFORCE:
    case SO.SNDBUF: {
      const force = name === SO.SNDBUFFORCE
      if (force && !capable(net, endpoint, CAP.NET_ADMIN)) return -E.PERM
      s.sndbuf = Math.max(2 * sizeOf(value, force), SNDBUF_MIN)
      wakeWriters(net, s, WRITABLE)
      return 0
    }
    case SO.RCVBUFFORCE:
    case SO.RCVBUF: {
      const force = name === SO.RCVBUFFORCE
      if (force && !capable(net, endpoint, CAP.NET_ADMIN)) return -E.PERM
      s.rcvbuf = Math.max(2 * sizeOf(value, force), RCVBUF_MIN)
      return 0
    }
    case SO.PRIORITY:
      if ((value < 0 || value > PRIORITY_MAX) && !capable(net, endpoint, CAP.NET_ADMIN)) return -E.PERM
      keep(s, SOL.SOCKET, name, value)
      return 0
    case SO.LINGER:
      if (len < 8) return -E.INVAL
      if (room < 8) return -E.FAULT
      keep(s, SOL.SOCKET, name, value === 0 ? 0 : 1)
      if (value !== 0) keep(s, SOL.SOCKET, LINGER_SECONDS, view.getInt32(at + 4, true))
      return 0
    case SO.RCVLOWAT:
      s.rcvlowat = value < 0 ? INT_MAX : value || 1
      return 0
    case SO.RCVTIMEO:
    case SO.RCVTIMEO_NEW:
    case SO.SNDTIMEO:
    case SO.SNDTIMEO_NEW:
      return setTimeout(net, s, name, at, len, room)
    case SO.BINDTODEVICE:
      return 0
  }
  return setPlain(net, s, SOL.SOCKET, name, value, SOCKET_OPTIONS, endpoint)
}
/** Where the seconds of SO_LINGER are kept. */
const LINGER_SECONDS = 0x100 + SO.LINGER
/** Seconds a close may linger, or -1. */
export function lingerOf(s: Sock): number {
  return kept(s, SOL.SOCKET, SO.LINGER, {}) !== 0 ? kept(s, SOL.SOCKET, LINGER_SECONDS, {}) : -1
}
function sizeOf(value: number, force: boolean): number {
  if (force) return Math.max(0, Math.min(value, INT_MAX / 2))
  return Math.min(value >>> 0, MEM_MAX)
}
function setTimeout(net: NetState, s: Sock, name: number, at: number, len: number, room: number): number {
  if (len < TIMEVAL) return -E.INVAL
  if (room < TIMEVAL) return -E.FAULT
  const { view } = net.sys
  const seconds = view.getInt32(at + 4, true) * 2 ** 32 + view.getUint32(at, true)
  const micros = view.getInt32(at + 12, true) * 2 ** 32 + view.getUint32(at + 8, true)
  if (micros < 0 || micros >= 1e6) return -E.DOM
  // net/core/sock.c sock_set_timeout: a negative time is hardly any at all
  const ms = seconds < 0 ? 0.001 : seconds * 1000 + micros / 1000
  if (name === SO.RCVTIMEO || name === SO.RCVTIMEO_NEW) s.rcvtimeo = ms
  else s.sndtimeo = ms
  return 0
}
function putTimeout(net: NetState, at: number, room: number, ms: number): number {
  const seconds = Math.floor(ms / 1000)
  return putWords(net, at, room, [seconds | 0, Math.floor(seconds / 2 ** 32), Math.round((ms % 1000) * 1000), 0])
}

/** getsockopt at SOL_SOCKET → bytes written, -errno, or undefined: no such option. */
export function getSocketOption(net: NetState, s: Sock, name: number, at: number, room: number): number | undefined {
  switch (name) {
    case SO.TYPE:
      return putInt(net, at, room, s.type)
    case SO.DOMAIN:
      return putInt(net, at, room, s.family)
    case SO.PROTOCOL:
      return putInt(net, at, room, s.protocol)
    case SO.ERROR: {
      const error = s.error
      s.error = 0
      return putInt(net, at, room, error)
    }
    case SO.SNDBUF:
      return putInt(net, at, room, s.sndbuf)
    case SO.RCVBUF:
      return putInt(net, at, room, s.rcvbuf)
    case SO.RCVLOWAT:
      return putInt(net, at, room, s.rcvlowat)
    case SO.SNDLOWAT:
      return putInt(net, at, room, 1)
    case SO.LINGER:
      return putWords(net, at, room, [lingerOf(s) < 0 ? 0 : 1, Math.max(0, kept(s, SOL.SOCKET, LINGER_SECONDS, {}))])
    case SO.RCVTIMEO:
    case SO.RCVTIMEO_NEW:
      return putTimeout(net, at, room, s.rcvtimeo)
    case SO.SNDTIMEO:
    case SO.SNDTIMEO_NEW:
      return putTimeout(net, at, room, s.sndtimeo)
    case SO.DEBUG:
    case SO.PRIORITY:
      return putInt(net, at, room, kept(s, SOL.SOCKET, name, {}))
    case SO.BINDTODEVICE:
      return 0
    case SO.COOKIE:
      return room < 8 ? -E.INVAL : putWords(net, at, room, [s.ino, 0])
    case SO.NETNS_COOKIE:
      return room < 8 ? -E.INVAL : putWords(net, at, room, [1, 0])
    case SO.BPF_EXTENSIONS:
      return putInt(net, at, room, 64)
    case SO.MEMINFO:
      return putWords(net, at, room, [s.queue.used, s.rcvbuf, 0, s.sndbuf, 0, 0, 0, 0, 0])
  }
  return SOCKET_OPTIONS[name] === undefined
    ? undefined
    : putInt(net, at, room, kept(s, SOL.SOCKET, name, SOCKET_OPTIONS))
}
