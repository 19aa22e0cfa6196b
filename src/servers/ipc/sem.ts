// Semaphore sets: semget and semctl (ipc/sem.c). Operations and those who wait for them are in semop.ts, adjustments at exit in undo.ts.
import { E } from '../../abi/errno.ts'
import { high, int, type Message, uint } from '../../abi/message.ts'
import type { CallVector } from '../../lib/server.ts'
import { IPC } from '../../protocol/ipc.ts'
import { CMD, getByKey, newPerm, owns, type Perm, permits, READ, readPerm, WRITE, writePerm } from './perm.ts'
import { dropWaits, runWaits } from './semop.ts'
import { type Caller, callerOf, type IpcState, seconds } from './state.ts'
import { forgetSet, forgetSemaphore } from './undo.ts'

export const SEMVMX = 32767
const SEM = { GETPID: 11, GETVAL: 12, GETALL: 13, GETNCNT: 14, GETZCNT: 15, SETVAL: 16, SETALL: 17, STAT: 18, INFO: 19, STAT_ANY: 20 } as const
const SEMUSZ = 20
/** struct semid64_ds and seminfo. */
const DS = { OTIME: 48, CTIME: 64, NSEMS: 80, BYTES: 104 } as const
const INFO_BYTES = 40

export interface SemSet extends Perm {
  readonly values: Uint16Array
  /** Process that changed each last. */
  readonly pids: Int32Array
  otime: number
  ctime: number
  /** Those whose operations can't be done yet, in order of arrival. */
  waits: SemWait[]
}
/** One operation: struct sembuf. */
export interface SemOp {
  readonly n: number
  readonly by: number
  readonly flags: number
}
export interface SemWait {
  readonly kind: 'sem'
  readonly endpoint: number
  readonly pid: number
  readonly id: number
  readonly ops: readonly SemOp[]
  /** The operation that stands in the way. */
  blocking: SemOp
}

export function semCalls(state: IpcState): CallVector {
  const { sets, limits, sys } = state

  function SEMGET(m: Message, from: number): number {
    const key = int(m, 0)
    const n = int(m, 1)
    const flags = int(m, 2)
    if (n < 0 || n > limits.semmsl) return -E.INVAL
    const by = callerOf(state, from)
    if (by === undefined) return -E.SRCH
    return getByKey(sets, by, key, flags, set => n <= set.values.length, () => make(by, key, n, flags))
  }
  function make(by: Caller, key: number, n: number, flags: number): number {
    if (n === 0) return -E.INVAL
    if (inUse() + n > limits.semmns) return -E.NOSPC
    const set: SemSet = {
      ...newPerm(by, key, flags), values: new Uint16Array(n), pids: new Int32Array(n), otime: 0, ctime: seconds(state), waits: [],
    }
    const full = sets.add(set, limits.semmni)
    return full < 0 ? full : set.id
  }
  function inUse(): number {
    return sets.list().reduce((sum, set) => sum + set.values.length, 0)
  }

  function SEMCTL(m: Message, from: number): number {
    const id = int(m, 0)
    const cmd = int(m, 2)
    const by = callerOf(state, from)
    if (id < 0 || by === undefined) return -E.INVAL
    switch (cmd) {
      case CMD.INFO:
      case SEM.INFO:
        return info(m, cmd)
      case CMD.STAT:
      case SEM.STAT:
      case SEM.STAT_ANY:
        return stat(m, by, cmd === CMD.STAT ? sets.find(id) : sets.at(id & 0x7fff), cmd)
      case SEM.GETALL:
      case SEM.SETALL:
        return all(m, by, sets.find(id), cmd)
      case SEM.GETVAL:
      case SEM.GETPID:
      case SEM.GETNCNT:
      case SEM.GETZCNT:
        return one(by, sets.find(id), int(m, 1), cmd)
      case SEM.SETVAL:
        return setValue(by, sets.find(id), int(m, 1), int(m, 4))
      case CMD.SET:
      case CMD.RMID:
        return change(m, by, cmd)
      default:
        return -E.INVAL
    }
  }

  function info(m: Message, cmd: number): number {
    const { semmns, semmni, semmsl, semopm } = limits
    const [size, adjust] = cmd === SEM.INFO ? [sets.size, inUse()] : [SEMUSZ, SEMVMX]
    const words = [semmns, semmni, semmns, semmns, semmsl, semopm, semopm, size, SEMVMX, adjust]
    for (let k = 0; k < INFO_BYTES / 4; k++) sys.view.setInt32(uint(m, 3) + 4 * k, words[k] as number, true)
    return sets.top
  }
  function stat(m: Message, by: Caller, set: SemSet | undefined, cmd: number): number {
    if (set === undefined) return -E.INVAL
    if (cmd !== SEM.STAT_ANY && !permits(set, by, READ)) return -E.ACCES
    const at = uint(m, 3)
    writePerm(state, set, at)
    sys.view.setBigInt64(at + DS.OTIME, BigInt(set.otime), true)
    sys.view.setBigInt64(at + DS.CTIME, BigInt(set.ctime), true)
    sys.view.setBigInt64(at + DS.NSEMS, BigInt(set.values.length), true)
    return cmd === CMD.STAT ? 0 : set.id
  }

  /** GETALL and SETALL: an array of u16; before GETALL's a u64 of its bytes. */
  function all(m: Message, by: Caller, set: SemSet | undefined, cmd: number): number {
    if (set === undefined) return -E.INVAL
    if (!permits(set, by, cmd === SEM.SETALL ? WRITE : READ)) return -E.ACCES
    const { values } = set
    const at = uint(m, 3)
    const bytes = 2 * values.length
    if (cmd === SEM.GETALL) {
      sys.view.setBigUint64(at, BigInt(bytes), true)
      for (let n = 0; n < values.length; n++) sys.view.setUint16(at + 8 + 2 * n, values[n] as number, true)
      return 0
    }
    if (high(m, 3) < bytes) return -E.FAULT
    for (let n = 0; n < values.length; n++) if (sys.view.getUint16(at + 2 * n, true) > SEMVMX) return -E.RANGE
    for (let n = 0; n < values.length; n++) values[n] = sys.view.getUint16(at + 2 * n, true)
    set.pids.fill(by.pid)
    forgetSet(state, set.id)
    changed(set)
    return 0
  }
  function changed(set: SemSet): void {
    set.ctime = seconds(state)
    runWaits(state, set)
  }
  function one(by: Caller, set: SemSet | undefined, n: number, cmd: number): number {
    if (set === undefined) return -E.INVAL
    if (!permits(set, by, READ)) return -E.ACCES
    if (n < 0 || n >= set.values.length) return -E.INVAL
    if (cmd === SEM.GETVAL) return set.values[n] as number
    if (cmd === SEM.GETPID) return set.pids[n] as number
    const wants = (op: SemOp): boolean => op.n === n && (cmd === SEM.GETZCNT ? op.by === 0 : op.by < 0)
    return set.waits.filter(wait => wants(wait.blocking)).length
  }
  function setValue(by: Caller, set: SemSet | undefined, n: number, value: number): number {
    if (value < 0 || value > SEMVMX) return -E.RANGE
    if (set === undefined || n < 0 || n >= set.values.length) return -E.INVAL
    if (!permits(set, by, WRITE)) return -E.ACCES
    set.values[n] = value
    set.pids[n] = by.pid
    forgetSemaphore(state, set.id, n)
    changed(set)
    return 0
  }
  function change(m: Message, by: Caller, cmd: number): number {
    if (cmd === CMD.SET && high(m, 3) < DS.BYTES) return -E.FAULT
    const set = sets.find(int(m, 0))
    if (set === undefined) return -E.INVAL
    if (!owns(set, by)) return -E.PERM
    if (cmd === CMD.SET) {
      const wrong = readPerm(state, set, uint(m, 3))
      if (wrong === 0) set.ctime = seconds(state)
      return wrong
    }
    sets.remove(set)
    forgetSet(state, set.id)
    dropWaits(state, set, -E.IDRM)
    return 0
  }

  return { [IPC.SEMGET]: SEMGET, [IPC.SEMCTL]: SEMCTL }
}
