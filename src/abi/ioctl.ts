// ioctl requests guests make: number, name, and what the argument is, so that the personality can size the data grant of FS.IOCTL.
// Numbers are asm-generic/ioctls.h, linux/{fs,sockios,random,if_tun}.h for x86-64. A request that is not here is passed on with no
// data (every device answers ENOTTY to it).

/** value: the argument is a number. in: guest → server. out: server → guest. inout: both. */
export type IoctlDirection = 'value' | 'in' | 'out' | 'inout'
export interface Ioctl {
  readonly number: number
  readonly name: string
  /** Bytes behind the argument; 0 for values. */
  readonly size: number
  readonly dir: IoctlDirection
}

const TERMIOS = 36
const TERMIOS2 = 44
const TERMIO = 18
const rows = [
  // terminals
  [0x5401, 'TCGETS', TERMIOS, 'out'],
  [0x5402, 'TCSETS', TERMIOS, 'in'],
  [0x5403, 'TCSETSW', TERMIOS, 'in'],
  [0x5404, 'TCSETSF', TERMIOS, 'in'],
  [0x5405, 'TCGETA', TERMIO, 'out'],
  [0x5406, 'TCSETA', TERMIO, 'in'],
  [0x5407, 'TCSETAW', TERMIO, 'in'],
  [0x5408, 'TCSETAF', TERMIO, 'in'],
  [0x5409, 'TCSBRK', 0, 'value'],
  [0x540a, 'TCXONC', 0, 'value'],
  [0x540b, 'TCFLSH', 0, 'value'],
  [0x540c, 'TIOCEXCL', 0, 'value'],
  [0x540d, 'TIOCNXCL', 0, 'value'],
  [0x540e, 'TIOCSCTTY', 0, 'value'],
  [0x540f, 'TIOCGPGRP', 4, 'out'],
  [0x5410, 'TIOCSPGRP', 4, 'in'],
  [0x5411, 'TIOCOUTQ', 4, 'out'], // SIOCOUTQ of sockets
  [0x5412, 'TIOCSTI', 1, 'in'],
  [0x5413, 'TIOCGWINSZ', 8, 'out'],
  [0x5414, 'TIOCSWINSZ', 8, 'in'],
  [0x5415, 'TIOCMGET', 4, 'out'],
  [0x5416, 'TIOCMBIS', 4, 'in'],
  [0x5417, 'TIOCMBIC', 4, 'in'],
  [0x5418, 'TIOCMSET', 4, 'in'],
  [0x5419, 'TIOCGSOFTCAR', 4, 'out'],
  [0x541a, 'TIOCSSOFTCAR', 4, 'in'],
  [0x541b, 'FIONREAD', 4, 'out'], // TIOCINQ, SIOCINQ
  [0x541c, 'TIOCLINUX', 1, 'inout'],
  [0x541d, 'TIOCCONS', 0, 'value'],
  [0x541e, 'TIOCGSERIAL', 72, 'out'],
  [0x541f, 'TIOCSSERIAL', 72, 'in'],
  [0x5420, 'TIOCPKT', 4, 'in'],
  [0x5421, 'FIONBIO', 4, 'in'],
  [0x5422, 'TIOCNOTTY', 0, 'value'],
  [0x5423, 'TIOCSETD', 4, 'in'],
  [0x5424, 'TIOCGETD', 4, 'out'],
  [0x5425, 'TCSBRKP', 0, 'value'],
  [0x5427, 'TIOCSBRK', 0, 'value'],
  [0x5428, 'TIOCCBRK', 0, 'value'],
  [0x5429, 'TIOCGSID', 4, 'out'],
  [0x802c542a, 'TCGETS2', TERMIOS2, 'out'],
  [0x402c542b, 'TCSETS2', TERMIOS2, 'in'],
  [0x402c542c, 'TCSETSW2', TERMIOS2, 'in'],
  [0x402c542d, 'TCSETSF2', TERMIOS2, 'in'],
  [0x80045430, 'TIOCGPTN', 4, 'out'],
  [0x40045431, 'TIOCSPTLCK', 4, 'in'],
  [0x80045432, 'TIOCGDEV', 4, 'out'],
  [0x40045436, 'TIOCSIG', 0, 'value'], // declared _IOW, but the kernel takes the argument itself (drivers/tty/pty.c)
  [0x5437, 'TIOCVHANGUP', 0, 'value'],
  [0x80045438, 'TIOCGPKT', 4, 'out'],
  [0x80045439, 'TIOCGPTLCK', 4, 'out'],
  [0x80045440, 'TIOCGEXCL', 4, 'out'],
  [0x5441, 'TIOCGPTPEER', 0, 'value'],
  [0x5456, 'TIOCGLCKTRMIOS', TERMIOS, 'out'],
  [0x5457, 'TIOCSLCKTRMIOS', TERMIOS, 'in'],
  // any descriptor
  [0x5450, 'FIONCLEX', 0, 'value'],
  [0x5451, 'FIOCLEX', 0, 'value'],
  [0x5452, 'FIOASYNC', 4, 'in'],
  [0x5460, 'FIOQSIZE', 8, 'out'],
  [0x8901, 'FIOSETOWN', 4, 'in'],
  [0x8903, 'FIOGETOWN', 4, 'out'],
  // files and file systems
  [1, 'FIBMAP', 4, 'inout'],
  [2, 'FIGETBSZ', 4, 'out'],
  [0x40049409, 'FICLONE', 0, 'value'], // declared _IOW, takes a descriptor
  [0x4020940d, 'FICLONERANGE', 32, 'in'],
  [0xc0189436, 'FIDEDUPERANGE', 24, 'inout'],
  [0xc0045877, 'FIFREEZE', 0, 'value'],
  [0xc0045878, 'FITHAW', 0, 'value'],
  [0xc0185879, 'FITRIM', 24, 'inout'],
  [0x80086601, 'FS_IOC_GETFLAGS', 4, 'out'], // declared long, is int
  [0x40086602, 'FS_IOC_SETFLAGS', 4, 'in'],
  [0x80087601, 'FS_IOC_GETVERSION', 4, 'out'],
  [0x40087602, 'FS_IOC_SETVERSION', 4, 'in'],
  [0xc020660b, 'FS_IOC_FIEMAP', 32, 'inout'],
  [0x801c581f, 'FS_IOC_FSGETXATTR', 28, 'out'],
  [0x401c5820, 'FS_IOC_FSSETXATTR', 28, 'in'],
  [0x81009431, 'FS_IOC_GETFSLABEL', 256, 'out'],
  [0x41009432, 'FS_IOC_SETFSLABEL', 256, 'in'],
  // block devices
  [0x125d, 'BLKROSET', 4, 'in'],
  [0x125e, 'BLKROGET', 4, 'out'],
  [0x125f, 'BLKRRPART', 0, 'value'],
  [0x1260, 'BLKGETSIZE', 8, 'out'],
  [0x1261, 'BLKFLSBUF', 0, 'value'],
  [0x1268, 'BLKSSZGET', 4, 'out'],
  [0x80081270, 'BLKBSZGET', 4, 'out'],
  [0x80081272, 'BLKGETSIZE64', 8, 'out'],
  [0x127b, 'BLKPBSZGET', 4, 'out'],
  // /dev/random
  [0x80045200, 'RNDGETENTCNT', 4, 'out'],
  [0x40045201, 'RNDADDTOENTCNT', 4, 'in'],
  [0x40085203, 'RNDADDENTROPY', 8, 'in'],
  [0x5204, 'RNDZAPENTCNT', 0, 'value'],
  [0x5206, 'RNDCLEARPOOL', 0, 'value'],
  [0x5207, 'RNDRESEEDCRNG', 0, 'value'],
  // sockets and network interfaces: struct ifreq is 40 bytes, ifconf 16, arpreq 68, rtentry 120
  [0x8902, 'SIOCSPGRP', 4, 'in'],
  [0x8904, 'SIOCGPGRP', 4, 'out'],
  [0x8905, 'SIOCATMARK', 4, 'out'],
  [0x8906, 'SIOCGSTAMP', 16, 'out'],
  [0x8907, 'SIOCGSTAMPNS', 16, 'out'],
  [0x890b, 'SIOCADDRT', 120, 'in'],
  [0x890c, 'SIOCDELRT', 120, 'in'],
  [0x8910, 'SIOCGIFNAME', 40, 'inout'],
  [0x8912, 'SIOCGIFCONF', 16, 'inout'],
  [0x8913, 'SIOCGIFFLAGS', 40, 'inout'],
  [0x8914, 'SIOCSIFFLAGS', 40, 'in'],
  [0x8915, 'SIOCGIFADDR', 40, 'inout'],
  [0x8916, 'SIOCSIFADDR', 40, 'in'],
  [0x8917, 'SIOCGIFDSTADDR', 40, 'inout'],
  [0x8919, 'SIOCGIFBRDADDR', 40, 'inout'],
  [0x891b, 'SIOCGIFNETMASK', 40, 'inout'],
  [0x891c, 'SIOCSIFNETMASK', 40, 'in'],
  [0x891d, 'SIOCGIFMETRIC', 40, 'inout'],
  [0x8921, 'SIOCGIFMTU', 40, 'inout'],
  [0x8922, 'SIOCSIFMTU', 40, 'in'],
  [0x8927, 'SIOCGIFHWADDR', 40, 'inout'],
  [0x8933, 'SIOCGIFINDEX', 40, 'inout'],
  [0x8938, 'SIOCGIFCOUNT', 4, 'out'],
  [0x8942, 'SIOCGIFTXQLEN', 40, 'inout'],
  [0x8946, 'SIOCETHTOOL', 40, 'inout'],
  [0x894b, 'SIOCOUTQNSD', 4, 'out'],
  [0x8954, 'SIOCGARP', 68, 'inout'],
  [0x8970, 'SIOCGIFMAP', 40, 'inout'],
] as const satisfies readonly (readonly [number, string, number, IoctlDirection])[]

export type IoctlName = (typeof rows)[number][1]
export const IOCTLS: readonly Ioctl[] = rows.map(([number, name, size, dir]) => ({ number, name, size, dir }))
/** Number by name. */
export const IOCTL = Object.fromEntries(rows.map(([number, name]) => [name, number])) as Readonly<
  Record<IoctlName, number>
>
const byNumber = new Map(IOCTLS.map(row => [row.number, row]))
/** The row of a request (unsigned 32-bit), or undefined. */
export function ioctl(number: number): Ioctl | undefined {
  return byNumber.get(number)
}
