// Terminal settings as x86-64 Linux has them (asm-generic/termbits.h, termios.h; termios(3)). Numbers and layouts only.
//
//   struct termios  u32 c_iflag 0  c_oflag 4  c_cflag 8  c_lflag 12  u8 c_line 16  c_cc[19] 17                          36 bytes
//   struct termios2 the same, then u32 c_ispeed 36  c_ospeed 40                                                          44 bytes
//   struct termio   u16 c_iflag 0  c_oflag 2  c_cflag 4  c_lflag 6  u8 c_line 8  c_cc[8] 9                              18 bytes
//   struct winsize  u16 ws_row 0  ws_col 2  ws_xpixel 4  ws_ypixel 6                                                      8 bytes

export const NCCS = 19
export const NCC = 8
export const TERMIOS = {
  IFLAG: 0,
  OFLAG: 4,
  CFLAG: 8,
  LFLAG: 12,
  LINE: 16,
  CC: 17,
  BYTES: 36,
  ISPEED: 36,
  OSPEED: 40,
  BYTES2: 44,
} as const
export const TERMIO = { IFLAG: 0, OFLAG: 2, CFLAG: 4, LFLAG: 6, LINE: 8, CC: 9, BYTES: 18 } as const
export const WINSIZE = { ROW: 0, COL: 2, XPIXEL: 4, YPIXEL: 6, BYTES: 8 } as const

/** Indices into c_cc. A character that is 0 is disabled. */
export const V = {
  INTR: 0,
  QUIT: 1,
  ERASE: 2,
  KILL: 3,
  EOF: 4,
  TIME: 5,
  MIN: 6,
  SWTC: 7,
  START: 8,
  STOP: 9,
  SUSP: 10,
  EOL: 11,
  REPRINT: 12,
  DISCARD: 13,
  WERASE: 14,
  LNEXT: 15,
  EOL2: 16,
} as const
/** c_iflag */
export const I = {
  IGNBRK: 1,
  BRKINT: 2,
  IGNPAR: 4,
  PARMRK: 8,
  INPCK: 0x10,
  ISTRIP: 0x20,
  INLCR: 0x40,
  IGNCR: 0x80,
  ICRNL: 0x100,
  IUCLC: 0x200,
  IXON: 0x400,
  IXANY: 0x800,
  IXOFF: 0x1000,
  IMAXBEL: 0x2000,
  IUTF8: 0x4000,
} as const
/** c_oflag */
export const OF = {
  OPOST: 1,
  OLCUC: 2,
  ONLCR: 4,
  OCRNL: 8,
  ONOCR: 0x10,
  ONLRET: 0x20,
  OFILL: 0x40,
  OFDEL: 0x80,
  NLDLY: 0x100,
  CRDLY: 0x600,
  TABDLY: 0x1800,
  XTABS: 0x1800,
  BSDLY: 0x2000,
  VTDLY: 0x4000,
  FFDLY: 0x8000,
} as const
/** c_cflag */
export const C = {
  CBAUD: 0x100f,
  CBAUDEX: 0x1000,
  BOTHER: 0x1000,
  CSIZE: 0x30,
  CS8: 0x30,
  CSTOPB: 0x40,
  CREAD: 0x80,
  PARENB: 0x100,
  PARODD: 0x200,
  HUPCL: 0x400,
  CLOCAL: 0x800,
  IBSHIFT: 16,
  B38400: 0xf,
} as const
/** c_lflag */
export const L = {
  ISIG: 1,
  ICANON: 2,
  XCASE: 4,
  ECHO: 8,
  ECHOE: 0x10,
  ECHOK: 0x20,
  ECHONL: 0x40,
  NOFLSH: 0x80,
  TOSTOP: 0x100,
  ECHOCTL: 0x200,
  ECHOPRT: 0x400,
  ECHOKE: 0x800,
  FLUSHO: 0x1000,
  PENDIN: 0x4000,
  IEXTEN: 0x8000,
  EXTPROC: 0x10000,
} as const

/** tcflow and TCXONC, tcflush and TCFLSH. */
export const TCOOFF = 0
export const TCOON = 1
export const TCIOFF = 2
export const TCION = 3
export const TCIFLUSH = 0
export const TCOFLUSH = 1
export const TCIOFLUSH = 2
/** First byte of a packet-mode read of a pty's master (ioctl_tty(2) TIOCPKT). */
export const PKT = {
  DATA: 0,
  FLUSHREAD: 1,
  FLUSHWRITE: 2,
  STOP: 4,
  START: 8,
  NOSTOP: 16,
  DOSTOP: 32,
  IOCTL: 64,
} as const

/** Settings of a terminal nobody has set yet (tty_std_termios and INIT_C_CC). */
export const STANDARD = {
  iflag: I.ICRNL | I.IXON,
  oflag: OF.OPOST | OF.ONLCR,
  cflag: C.B38400 | C.CS8 | C.CREAD | C.HUPCL,
  lflag: L.ISIG | L.ICANON | L.ECHO | L.ECHOE | L.ECHOK | L.ECHOCTL | L.ECHOKE | L.IEXTEN,
  cc: [3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0],
} as const

/** Bits per second of the Bxxx codes, by code (0–15), then by code - CBAUDEX. */
const SPEEDS = [0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400]
const SPEEDS_EX = [
  0, 57600, 115200, 230400, 460800, 500000, 576000, 921600, 1000000, 1152000, 1500000, 2000000, 2500000, 3000000,
  3500000, 4000000,
]
/** Speed a Bxxx code stands for; `other` (c_ospeed, c_ispeed) for BOTHER. */
export function speedOf(code: number, other: number): number {
  if ((code & C.CBAUDEX) === 0) return SPEEDS[code & 15] as number
  return (code & 15) === 0 ? other : (SPEEDS_EX[code & 15] as number)
}
