// Character devices: FS ↔ drivers (TTY, STREAM), after MINIX 3.3's <minix/chardriver.h>.
// A driver answers at once (result ≥ 0 or -errno) or returns SUSPEND and later sends REPLY to FS. `id` names the request: FS's row.
import { numbers } from './table.ts'

export const cdevCalls = {
  OPEN: [0x400, 'minor endpoint flags'], // → minor to use from now on (cloning devices) ; TTY: may make it the controlling terminal
  CLOSE: [0x401, 'minor endpoint'],
  READ: [0x402, 'minor buf> len flags id endpoint'], // flags: O_NONBLOCK. The grant stays valid until the reply or CANCEL
  WRITE: [0x403, 'minor buf< len flags id endpoint'],
  IOCTL: [0x404, 'minor cmd arg data<> id endpoint'],
  /** Forget request `id` and answer it with what was done so far, or -ERESTARTSYS / -EINTR: the result of this message (REPLY is not
   *  sent any more). -ESRCH: there is no such request (any more): its REPLY is already queued for FS, which should take that instead. */
  CANCEL: [0x405, 'minor id'],
  /** Which of `events` (poll bits) hold now? → mask. With `watch` = 1 the driver sends READY once when any not yet holding comes to hold. */
  SELECT: [0x406, 'minor events watch'],
  // -- driver → FS (senda) --
  REPLY: [0x480, 'id result'],
  READY: [0x481, 'minor events'],
} as const
export const CDEV = numbers(cdevCalls)
/** Major numbers, and which driver endpoint FS sends them to. */
export const MAJOR = { TTY: 4, TTYAUX: 5, PTS: 136, STREAM: 240 } as const
/** TTY serves three majors: a device (major, minor) is minor TTY_MINOR[major] + minor in OPEN (before OPEN's answer is used). */
export const TTY_MINOR = {
  4: 0, // tty0: the console. /dev/console and /dev/tty0 alike
  136: 64, // /dev/pts/N
  5: 0x2000, // + 0 /dev/tty: the caller's controlling terminal, ENXIO if none; + 1 /dev/console; + 2 /dev/ptmx: a new pty's master
} as const
