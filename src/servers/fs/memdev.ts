// Memory devices (major 1), served by FS itself: null, zero, full, random, urandom (mem(4), random(4)).
import { E } from '../../abi/errno.ts'
import { POLL } from '../../abi/poll.ts'
import type { FileOps } from './inode.ts'
import type { FsState } from './state.ts'

export const MEM_MAJOR = 1
export const MEM = { NULL: 3, ZERO: 5, FULL: 7, RANDOM: 8, URANDOM: 9 } as const
const RNDGETENTCNT = 0x80045200
const ENTROPY_BITS = 256
/** Most that a host gives at once (crypto.getRandomValues). */
const RANDOM_MAX = 65536

/** Operations of device (1, minor), or undefined. */
export function memoryDevice(state: FsState, minor: number): FileOps | undefined {
  const { mem, view } = state.sys
  const zeroes = (_f: unknown, at: number, len: number): number => {
    mem.fill(0, at, at + len)
    return len
  }
  const swallow = (_f: unknown, _at: number, len: number): number => len
  const start = (): number => 0
  if (minor === MEM.NULL) return { read: () => 0, write: swallow, seek: start }
  if (minor === MEM.ZERO) return { read: zeroes, write: swallow, seek: start }
  if (minor === MEM.FULL) return { read: zeroes, write: (_f, _at, len) => (len > 0 ? -E.NOSPC : 0), seek: start }
  if (minor !== MEM.RANDOM && minor !== MEM.URANDOM) return undefined
  return {
    read(_f, at, len) {
      for (let done = 0; done < len; done += RANDOM_MAX) state.sys.random(at + done, Math.min(RANDOM_MAX, len - done))
      return len
    },
    write: swallow,
    seek: start,
    poll: () => POLL.IN | POLL.OUT | POLL.RDNORM | POLL.WRNORM,
    ioctl(_f, cmd, _arg, at, len) {
      if (cmd !== RNDGETENTCNT) return -E.INVAL
      if (len < 4) return -E.FAULT
      view.setInt32(at, ENTROPY_BITS, true)
      return 0
    },
  }
}
