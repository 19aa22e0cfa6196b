// Socket devices: FS ↔ NET, after MINIX 3.4's <minix/com.h> SDEV_*. FS owns descriptors and names of the file system, NET what is behind
// them. NET answers at once (result ≥ 0 or -errno) or returns SUSPEND and later sends REPLY to FS.
//   who   low word: the request's id, by which FS knows its row again (its low 15 bits: the caller's process-table slot); high: its endpoint
//   unix  what FS has found for AF_UNIX: low word: the socket a path leads to, -errno, 0: the address has none; high: the flight with the descriptors sent, 0: none
//   flags low word: MSG_*, with CONTINUED; high: bytes of the whole call, of which a message brings one piece
import { numbers } from './table.ts'

export const sdevCalls = {
  /** → its number. Cell 1 of the reply: inode number. */
  SOCKET: [0x700, 'domain type protocol uid endpoint'],
  /** → as SOCKET; cell 2: number of the other end, cell 3: its inode number. */
  SOCKETPAIR: [0x701, 'domain type protocol uid endpoint'],
  BIND: [0x702, 'sock addr< endpoint'],
  CONNECT: [0x703, 'sock addr< flags who unix'],
  LISTEN: [0x704, 'sock backlog endpoint'],
  /** → 0. Cells of the reply: 1 bytes of the peer's address, 5 number of the new socket, 3 its inode number. */
  ACCEPT: [0x705, 'sock addr> flags who uid'],
  /** → bytes. Cell 4 of the reply: the flight when it has not gone along. */
  SEND: [0x706, 'sock data< flags who addr< control< unix'],
  /** → bytes. Cells of the reply: 1 bytes of the address, 2 bytes of control data, 3 MSG_* for the receiver, 4 flight (negative: it stays where it is, MSG_PEEK). */
  RECV: [0x707, 'sock data> flags who addr> control>'],
  IOCTL: [0x708, 'sock cmd arg data<> endpoint'],
  SETSOCKOPT: [0x709, 'sock level name value< len endpoint'],
  GETSOCKOPT: [0x70a, 'sock level name value> endpoint'], // → bytes
  GETSOCKNAME: [0x70b, 'sock addr>'], // → bytes, which may be more than there is room for
  GETPEERNAME: [0x70c, 'sock addr>'],
  SHUTDOWN: [0x70d, 'sock how'],
  CLOSE: [0x70e, 'sock'],
  /** Forget request `id` and answer it: as CDEV.CANCEL. */
  CANCEL: [0x70f, 'sock id'],
  /** Which events hold now? → mask. watch 1: send READY whenever some may have come to hold, until UNWATCH. */
  SELECT: [0x710, 'sock watch'],
  UNWATCH: [0x711, 'sock'],
  /** In whose receive queue is a flight? → number of the socket, or that of the listener it is to be accepted from; -ENOENT. */
  WHERE: [0x712, 'flight'],
  /** One part of a table of /proc/net → bytes; cell 1 of the reply: cursor for the next part, 0 when there is none. */
  TABLE: [0x713, 'table cursor text>'],
  // -- NET → FS (senda) --
  REPLY: [0x780, 'id result addr control flags flight sock'], // addr … flight: as cells 1–4 of RECV's reply; sock: what ACCEPT made, else 0
  READY: [0x781, 'sock events'],
  /** Nobody will receive these descriptors any more. */
  DROPPED: [0x782, 'flight'],
} as const
export const SDEV = numbers(sdevCalls)
/** In flags: an earlier message brought the first pieces of this call's data. */
export const CONTINUED = 1 << 31
/** TABLE's tables: files of /proc/net. */
// biome-ignore format: a table
export const NET_TABLE = { unix: 0, tcp: 1, tcp6: 2, udp: 3, udp6: 4, netlink: 5, sockstat: 6, sockstat6: 7, raw: 8, raw6: 9, dev: 10, if_inet6: 11, route: 12, ipv6_route: 13, arp: 14, packet: 15, protocols: 16 } as const
