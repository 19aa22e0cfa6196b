// Linux errno values (asm-generic/errno*.h), the kernel's restart codes (include/linux/errno.h) and MINIX 3's IPC errors.
// Handlers return the negative value.
export const E = {
  PERM: 1, NOENT: 2, SRCH: 3, INTR: 4, IO: 5, NXIO: 6, TOOBIG: 7, NOEXEC: 8, BADF: 9, CHILD: 10, AGAIN: 11, NOMEM: 12, ACCES: 13,
  FAULT: 14, NOTBLK: 15, BUSY: 16, EXIST: 17, XDEV: 18, NODEV: 19, NOTDIR: 20, ISDIR: 21, INVAL: 22, NFILE: 23, MFILE: 24, NOTTY: 25,
  TXTBSY: 26, FBIG: 27, NOSPC: 28, SPIPE: 29, ROFS: 30, MLINK: 31, PIPE: 32, DOM: 33, RANGE: 34, DEADLK: 35, NAMETOOLONG: 36, NOLCK: 37,
  NOSYS: 38, NOTEMPTY: 39, LOOP: 40, NOMSG: 42, IDRM: 43, NODATA: 61, TIME: 62, PROTO: 71, OVERFLOW: 75, LIBBAD: 80, NOTSOCK: 88, DESTADDRREQ: 89, MSGSIZE: 90,
  PROTOTYPE: 91, NOPROTOOPT: 92, PROTONOSUPPORT: 93, SOCKTNOSUPPORT: 94, OPNOTSUPP: 95, AFNOSUPPORT: 97, ADDRINUSE: 98, ADDRNOTAVAIL: 99,
  NETUNREACH: 101, CONNABORTED: 103, CONNRESET: 104, NOBUFS: 105, ISCONN: 106, NOTCONN: 107, TOOMANYREFS: 109, TIMEDOUT: 110,
  CONNREFUSED: 111, HOSTUNREACH: 113, ALREADY: 114, INPROGRESS: 115,
  STALE: 116, DQUOT: 122, CANCELED: 125,
  // never seen by a guest: how an interrupted call goes on after the signal (kernel: include/linux/errno.h)
  RESTARTSYS: 512, RESTARTNOINTR: 513, RESTARTNOHAND: 514, RESTART_RESTARTBLOCK: 516,
  // MINIX 3.3 IPC errors, moved up by 1000 so that they can't be mistaken for Linux's
  NOTREADY: 1201, DEADSRCDST: 1202, DONTREPLY: 1203, LOCKED: 1208, BADCALL: 1209, CALLDENIED: 1210, TRAPDENIED: 1211, BADREQUEST: 1212,
} as const
export type ErrnoName = keyof typeof E
const names = new Map<number, string>(Object.entries(E).map(([name, value]) => [value, `E${name}`]))
/** 'ENOENT' for 2. */
export function errnoName(value: number): string {
  return names.get(value) ?? `E${value}`
}
