// Numbers and layouts of the x86-64 socket calls (linux/{socket,net,in,in6,tcp,udp,un}.h, asm-generic/socket.h). Numbers only.
//   struct sockaddr_un { u16 family @0; char path[108] @2 }      sockaddr_in { u16 family; be16 port @2; be32 addr @4; pad to 16 }
//   struct sockaddr_in6 { u16 family; be16 port @2; be32 flow @4; u8 addr[16] @8; u32 scope @24 }

export const AF = { UNSPEC: 0, UNIX: 1, INET: 2, INET6: 10, NETLINK: 16, PACKET: 17, MAX: 46 } as const
export const SOCK = { STREAM: 1, DGRAM: 2, RAW: 3, RDM: 4, SEQPACKET: 5, MAX: 11, NONBLOCK: 0o4000, CLOEXEC: 0o2000000 } as const
export const SOCK_TYPE_MASK = 0xf
export const SOL = { IP: 0, SOCKET: 1, TCP: 6, UDP: 17, IPV6: 41, RAW: 255, NETLINK: 270 } as const
export const IPPROTO = { IP: 0, ICMP: 1, TCP: 6, UDP: 17, IPV6: 41, ICMPV6: 58, RAW: 255, MAX: 256 } as const
export const SHUT = { RD: 0, WR: 1, RDWR: 2 } as const
export const SCM = { RIGHTS: 1, CREDENTIALS: 2 } as const

/** Options at SOL_SOCKET. */
// biome-ignore format: a table
export const SO = {
  DEBUG: 1, REUSEADDR: 2, TYPE: 3, ERROR: 4, DONTROUTE: 5, BROADCAST: 6, SNDBUF: 7, RCVBUF: 8, KEEPALIVE: 9, OOBINLINE: 10,
  NO_CHECK: 11, PRIORITY: 12, LINGER: 13, BSDCOMPAT: 14, REUSEPORT: 15, PASSCRED: 16, PEERCRED: 17, RCVLOWAT: 18, SNDLOWAT: 19,
  RCVTIMEO: 20, SNDTIMEO: 21, BINDTODEVICE: 25, ATTACH_FILTER: 26, DETACH_FILTER: 27, PEERNAME: 28, TIMESTAMP: 29, ACCEPTCONN: 30,
  PEERSEC: 31, SNDBUFFORCE: 32, RCVBUFFORCE: 33, PASSSEC: 34, TIMESTAMPNS: 35, MARK: 36, TIMESTAMPING: 37, PROTOCOL: 38, DOMAIN: 39,
  RXQ_OVFL: 40, WIFI_STATUS: 41, PEEK_OFF: 42, NOFCS: 43, LOCK_FILTER: 44, SELECT_ERR_QUEUE: 45, BUSY_POLL: 46, MAX_PACING_RATE: 47,
  BPF_EXTENSIONS: 48, INCOMING_CPU: 49, ATTACH_BPF: 50, ATTACH_REUSEPORT_CBPF: 51, ATTACH_REUSEPORT_EBPF: 52, CNX_ADVICE: 53,
  MEMINFO: 55, INCOMING_NAPI_ID: 56, COOKIE: 57, PEERGROUPS: 59, ZEROCOPY: 60, TXTIME: 61, BINDTOIFINDEX: 62,
  TIMESTAMP_NEW: 63, TIMESTAMPNS_NEW: 64, TIMESTAMPING_NEW: 65, RCVTIMEO_NEW: 66, SNDTIMEO_NEW: 67, PREFER_BUSY_POLL: 69,
  BUSY_POLL_BUDGET: 70, NETNS_COOKIE: 71, BUF_LOCK: 72, RESERVE_MEM: 73, TXREHASH: 74, RCVMARK: 75, PASSPIDFD: 76, PEERPIDFD: 77,
} as const

// biome-ignore format: a table
export const MSG = {
  OOB: 1, PEEK: 2, DONTROUTE: 4, CTRUNC: 8, PROBE: 0x10, TRUNC: 0x20, DONTWAIT: 0x40, EOR: 0x80, WAITALL: 0x100, FIN: 0x200, SYN: 0x400,
  CONFIRM: 0x800, RST: 0x1000, ERRQUEUE: 0x2000, NOSIGNAL: 0x4000, MORE: 0x8000, WAITFORONE: 0x10000, BATCH: 0x40000,
  ZEROCOPY: 0x4000000, FASTOPEN: 0x20000000, CMSG_CLOEXEC: 0x40000000, CMSG_COMPAT: 1 << 31,
} as const

/** Options at IPPROTO_TCP. */
// biome-ignore format: a table
export const TCP = {
  NODELAY: 1, MAXSEG: 2, CORK: 3, KEEPIDLE: 4, KEEPINTVL: 5, KEEPCNT: 6, SYNCNT: 7, LINGER2: 8, DEFER_ACCEPT: 9, WINDOW_CLAMP: 10,
  INFO: 11, QUICKACK: 12, CONGESTION: 13, THIN_LINEAR_TIMEOUTS: 16, THIN_DUPACK: 17, USER_TIMEOUT: 18, FASTOPEN: 23, TIMESTAMP: 24,
  NOTSENT_LOWAT: 25, SAVE_SYN: 27, FASTOPEN_CONNECT: 30, ULP: 31, INQ: 36, TX_DELAY: 37,
} as const
/** Options at IPPROTO_IP. */
// biome-ignore format: a table
export const IP = {
  TOS: 1, TTL: 2, HDRINCL: 3, OPTIONS: 4, RECVOPTS: 6, RETOPTS: 7, PKTINFO: 8, MTU_DISCOVER: 10, RECVERR: 11, RECVTTL: 12, RECVTOS: 13,
  MTU: 14, FREEBIND: 15, TRANSPARENT: 19, RECVORIGDSTADDR: 20, MINTTL: 21, NODEFRAG: 22, CHECKSUM: 23, BIND_ADDRESS_NO_PORT: 24,
  RECVFRAGSIZE: 25, MULTICAST_IF: 32, MULTICAST_TTL: 33, MULTICAST_LOOP: 34, ADD_MEMBERSHIP: 35, DROP_MEMBERSHIP: 36,
  MULTICAST_ALL: 49, UNICAST_IF: 50, LOCAL_PORT_RANGE: 51,
} as const
/** Options at IPPROTO_IPV6. */
// biome-ignore format: a table
export const IPV6 = {
  ADDRFORM: 1, UNICAST_HOPS: 16, MULTICAST_IF: 17, MULTICAST_HOPS: 18, MULTICAST_LOOP: 19, ADD_MEMBERSHIP: 20, DROP_MEMBERSHIP: 21,
  MTU_DISCOVER: 23, MTU: 24, RECVERR: 25, V6ONLY: 26, MULTICAST_ALL: 29, RECVPKTINFO: 49, PKTINFO: 50, RECVHOPLIMIT: 51, HOPLIMIT: 52,
  RECVRTHDR: 56, RECVHOPOPTS: 53, RECVDSTOPTS: 58, RECVTCLASS: 66, TCLASS: 67, AUTOFLOWLABEL: 70, FREEBIND: 78,
} as const

/** struct sockaddr_storage; sockaddr_un, its path; sockaddr_in, sockaddr_in6, sockaddr_nl. */
export const SOCKADDR_MAX = 128
export const SOCKADDR_UN = 110
export const UN_PATH = 2
export const SOCKADDR_IN = 16
export const SOCKADDR_IN6 = 28
export const SOCKADDR_NL = 12
export const UCRED_BYTES = 12
export const SCM_MAX_FD = 253

/** struct msghdr; an mmsghdr is one with the bytes moved behind it. */
export const MSGHDR = {
  NAME: 0,
  NAMELEN: 8,
  IOV: 16,
  IOVLEN: 24,
  CONTROL: 32,
  CONTROLLEN: 40,
  FLAGS: 48,
  BYTES: 56,
  MSG_LEN: 56,
  MMSG_BYTES: 64,
} as const
/** struct cmsghdr { u64 len; s32 level; s32 type }; data behind it, everything 8-aligned. */
export const CMSG_HEADER = 16
export function cmsgSpace(bytes: number): number {
  return CMSG_HEADER + ((bytes + 7) & ~7)
}
