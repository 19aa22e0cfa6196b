// semop and semtimedop (ipc/sem.c): all operations of a call at once, or none; a call that can't be done waits in its set's list, in
// order of arrival, and is tried again whenever a value of the set has changed.
import { E } from '../../abi/errno.ts'
import { high, int, type Message, SUSPEND, slotOf, uint } from '../../abi/message.ts'
import type { CallVector } from '../../lib/server.ts'
import { IPC } from '../../protocol/ipc.ts'
import { IPC_NOWAIT, permits, READ, WRITE } from './perm.ts'
import { type SemOp, type SemSet, SEMVMX, type SemWait } from './sem.ts'
import { answer, callerOf, type IpcState, seconds } from './state.ts'
import { adjust, adjustment, UNDO_FULL, undoRoom } from './undo.ts'

const SEMBUF_BYTES = 6
const SEM_UNDO = 0x1000
const SEMAEM = 32767

/** Answers of perform(): done; and below 0 why it is refused. */
const DONE = 0
const WAITS = 1

/** Do them all, for process `pid`. WAITS: `blocking` says which can't be done. Nothing has changed then. */
function perform(state: IpcState, set: SemSet, ops: readonly SemOp[], pid: number): number {
  const { values } = set
  for (let k = 0; k < ops.length; k++) {
    const why = performOne(state, set, ops[k] as SemOp, pid)
    if (why === DONE) continue
    if (why === WAITS) blocking = ops[k] as SemOp
    while (--k >= 0) {
      const { n, by, flags } = ops[k] as SemOp
      values[n] = (values[n] as number) - by
      if (flags & SEM_UNDO) adjust(state, pid, set.id, n, by)
    }
    return why
  }
  for (const { n } of ops) set.pids[n] = pid
  set.otime = seconds(state)
  return DONE
}
let blocking: SemOp = { n: 0, by: 0, flags: 0 }

function performOne(state: IpcState, set: SemSet, { n, by, flags }: SemOp, pid: number): number {
  const value = set.values[n] as number
  if ((by === 0 && value !== 0) || value + by < 0) return flags & IPC_NOWAIT ? -E.AGAIN : WAITS
  if (value + by > SEMVMX) return -E.RANGE
  if (flags & SEM_UNDO) {
    const owed = adjustment(state, pid, set.id, n) - by
    if (owed < -SEMAEM - 1 || owed > SEMAEM) return -E.RANGE
    adjust(state, pid, set.id, n, -by)
  }
  set.values[n] = value + by
  return DONE
}
function alters(ops: readonly SemOp[]): boolean {
  return ops.some(op => op.by !== 0)
}

/** Try those who wait: first who waits for zeroes (nothing changes by them), then the others, from the start after each that changed something. */
export function runWaits(state: IpcState, set: SemSet): void {
  for (let again = true; again; ) {
    again = false
    for (const wait of [...set.waits.filter(w => !alters(w.ops)), ...set.waits.filter(w => alters(w.ops))]) {
      const result = perform(state, set, wait.ops, wait.pid)
      if (result === WAITS) {
        wait.blocking = blocking
        continue
      }
      endWait(state, set, wait, result)
      if (result === DONE && alters(wait.ops)) {
        again = true
        break
      }
    }
  }
}
function endWait(state: IpcState, set: SemSet, wait: SemWait, result: number): void {
  set.waits.splice(set.waits.indexOf(wait), 1)
  answer(state, wait, result)
}
export function dropWaits(state: IpcState, set: SemSet, result: number): void {
  for (const wait of set.waits.slice()) endWait(state, set, wait, result)
}
/** A wait ends without having got what it wanted: -EINTR, -EAGAIN; undefined: its thread is gone. */
export function leaveSet(state: IpcState, wait: SemWait, result: number | undefined): void {
  const set = state.sets.find(wait.id)
  if (set !== undefined) set.waits.splice(set.waits.indexOf(wait), 1)
  if (result !== undefined) answer(state, wait, result)
}

export function semopCalls(state: IpcState): CallVector {
  const { sets, limits, sys } = state

  function SEMOP(m: Message, from: number): number {
    const id = int(m, 0)
    const n = uint(m, 2)
    const timeout = timeoutOf(m)
    if (n > limits.semopm) return -E.TOOBIG
    if (n < 1) return -E.INVAL
    if (high(m, 1) < n * SEMBUF_BYTES) return -E.FAULT
    if (id < 0 || Number.isNaN(timeout)) return -E.INVAL
    const ops = readOps(uint(m, 1), n)
    const by = callerOf(state, from)
    const set = sets.find(id)
    if (set === undefined || by === undefined) return -E.INVAL
    if (ops.some(op => op.n >= set.values.length)) return -E.FBIG
    if (!permits(set, by, alters(ops) ? WRITE : READ)) return -E.ACCES
    if (ops.some(op => op.flags & SEM_UNDO) && !undoRoom(state, ops.length)) return UNDO_FULL
    const result = perform(state, set, ops, by.pid)
    if (result === WAITS) return wait(set, ops, from, by.pid, timeout)
    if (result === DONE && alters(ops)) runWaits(state, set)
    return result
  }
  function readOps(at: number, n: number): SemOp[] {
    const { view } = sys
    return Array.from({ length: n }, (_, k) => {
      const p = at + k * SEMBUF_BYTES
      return { n: view.getUint16(p, true), by: view.getInt16(p + 2, true), flags: view.getInt16(p + 4, true) }
    })
  }
  function wait(set: SemSet, ops: readonly SemOp[], endpoint: number, pid: number, timeout: number): number {
    const row: SemWait = { kind: 'sem', endpoint, pid, id: set.id, ops, blocking }
    if (timeout <= 0) return -E.AGAIN
    set.waits.push(row)
    state.waits.set(endpoint, row)
    if (timeout !== Number.POSITIVE_INFINITY) state.timers.after(slotOf(endpoint), timeout)
    return SUSPEND
  }
  /** Milliseconds; Infinity: none given; NaN: not a time. */
  function timeoutOf(m: Message): number {
    if (high(m, 3) < 16) return Number.POSITIVE_INFINITY
    const at = uint(m, 3)
    const secs = sys.view.getInt32(at + 4, true) * 2 ** 32 + sys.view.getUint32(at, true)
    const nanos = sys.view.getInt32(at + 12, true) * 2 ** 32 + sys.view.getUint32(at + 8, true)
    return secs < 0 || nanos < 0 || nanos >= 1e9 ? Number.NaN : secs * 1000 + nanos / 1e6
  }

  return { [IPC.SEMOP]: SEMOP }
}
