// Terminals, the part that is not plain character devices (cdev.ts): what PM asks the TTY driver. Answered at once, and TTY asks
// nothing back meanwhile, so PM may use sendrec. TTY is where a session's terminal and foreground group are kept: PM keeps no copy.
import { MOL, numbers } from './table.ts'

export const ttyCalls = {
  /** From PM: session leader `session` (a session id) exits. Its terminal hangs up (open files: read 0, write EIO) and is free again.
   *  → its foreground process group, which PM then sends SIGHUP (disassociate_ctty(1)); 0: no terminal or no foreground group. */
  HANGUP: [MOL + 224, 'session'],
  /** Controlling terminal of a session → device number (major << 8 | minor) or 0. Cell 1 of the reply: foreground group or 0. */
  GETTTY: [MOL + 225, 'session'], // for /proc/PID/stat
  /** From FS for /dev/pts: the first pty with number ≥ `from` → its number, or -ENOENT. Cells 1, 2 of the reply: its owner's uid, gid. */
  NEXTPTY: [MOL + 226, 'from'],
} as const
export const TTY = numbers(ttyCalls)
