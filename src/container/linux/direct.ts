// Long reads of regular files go straight from the host file into guest memory: the stub reads from a descriptor it was given, as it maps
// files, and no byte crosses from the kernel side's processor to the guest's. Descriptors stay in the thread's registers for the next
// read. Not here: which reads may (fs/readwrite.ts) and what happens when one falls short (dispatch.ts: the call is done again, slowly).
//
// Invariant: a register's descriptor is used only while the host file handle it was made from has not been closed since.
import { FD_REGS, OP } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { FS } from '../../protocol/fs.ts'
import { type Message, setInt, setLong, TYPE } from '../../abi/message.ts'
import { SEEK } from '../../abi/fcntl.ts'
import * as host from '../../host/host.ts'
import type { HostProcess, Thread } from './processes.ts'
import { low } from './operands.ts'
import { opsLeft, pushOp } from './thread.ts'
import { readsAt } from './undelivered.ts'

/** Registers below are for births and mappings. */
const FIRST = 2
const COUNT = FD_REGS - FIRST
const HANDLES = 65536
const PATIENCE = 3
/** Thread.direct: no such read in the reply; not for this call any more. */
export const DIRECT = { NONE: 0, REFUSED: -1 } as const

/** Which host file handles a thread's registers hold, and the one it asked for last, how often in a row. */
export interface FileRegisters { readonly handle: Int32Array; readonly turn: Uint32Array; next: number; last: number; lastTurn: number; times: number }
export function newFileRegisters(): FileRegisters {
  return { handle: new Int32Array(COUNT).fill(-1), turn: new Uint32Array(COUNT), next: 0, last: -1, lastTurn: 0, times: 0 }
}

export class DirectReads {
  /** How often each handle has been closed. */
  private readonly turns = new Uint32Array(HANDLES)

  closed(handle: number): void {
    if (handle < HANDLES) this.turns[handle] = (this.turns[handle] as number) + 1
  }

  /** Order `bytes` bytes at `position` of a host file for the output whose place in the arena is `at`. A file is refused
   *  (-EAGAIN) until it is asked for the PATIENCE-th time in a row: passing a descriptor costs as much as copying 100 KiB, and most files
   *  are read whole by one call and a second one that finds their end. */
  order(t: Thread, at: number, bytes: number, handle: number, position: number): number {
    const o = t.outs
    if (t.direct === DIRECT.REFUSED || handle >= HANDLES || opsLeft(t) < 4) return -E.AGAIN
    if (o.count !== 1 || o.offset[0] !== at || (o.length[0] as number) < bytes || o.before[0] !== 0) return -E.AGAIN
    const register = this.register(t, handle)
    if (register < 0) return register
    pushOp(t, OP.PREAD, register, o.address[0], bytes, position)
    o.count = 0
    t.direct = bytes
    return bytes
  }
  private register(t: Thread, handle: number): number {
    const f = t.files
    const turn = this.turns[handle] as number
    for (let i = 0; i < COUNT; i++) if (f.handle[i] === handle && f.turn[i] === turn) return FIRST + i
    if (f.last !== handle || f.lastTurn !== turn) {
      f.last = handle
      f.lastTurn = turn
      f.times = 0
    }
    if (++f.times < PATIENCE) return -E.AGAIN
    if (host.sendFds((t.host as HostProcess).control, t.slot, [handle]) < 0) return -E.AGAIN
    const i = f.next
    f.next = (i + 1) % COUNT
    f.handle[i] = handle
    f.turn[i] = turn
    pushOp(t, OP.RECVFD, 1, FIRST + i)
    return FIRST + i
  }
}

/** The registers are empty: a new image, a new thread. */
export function forgetFiles(t: Thread): void {
  t.files.handle.fill(-1)
  t.files.last = -1
}
/** A thread that ends leaves its descriptors to nobody. */
export function closeFiles(t: Thread): void {
  if (t.files.handle.some(h => h >= 0)) pushOp(t, OP.CLOSEFD, FIRST, COUNT)
  forgetFiles(t)
}

/** The call that undoes what a read of `bytes` did to the file's offset; false: it did nothing. */
export function rewind(t: Thread, m: Message, bytes: number): boolean {
  if (readsAt(t) !== -1) return false
  m[TYPE] = FS.LSEEK
  setInt(m, 0, low(t, 0))
  setLong(m, 1, -bytes)
  setInt(m, 2, SEEK.CUR)
  return true
}
