// SEM_UNDO: what each process owes the semaphores it has changed, given back when it ends (ipc/sem.c exit_sem). Threads owe together;
// so do processes made with CLONE_SYSVSEM. A fork's child owes nothing; exec changes nothing.
// Invariant: no entry is 0, and none is about a set that is gone.
import { E } from '../../abi/errno.ts'
import { type SemSet, SEMVMX } from './sem.ts'
import { runWaits } from './semop.ts'
import { type IpcState, seconds } from './state.ts'

export interface Undo {
  /** Processes that share it. */
  sharers: number
  /** By set, by semaphore: what is to be added. */
  readonly owed: Map<number, Map<number, number>>
}
/** Entries of all processes together: beyond, SEM_UNDO finds no memory. */
const ENTRIES_MAX = 1 << 20
export const UNDO_FULL = -E.NOMEM

export function undoRoom(state: IpcState, more: number): boolean {
  return state.debts + more <= ENTRIES_MAX
}
export function adjustment(state: IpcState, pid: number, id: number, n: number): number {
  return state.undos.get(pid)?.owed.get(id)?.get(n) ?? 0
}
export function adjust(state: IpcState, pid: number, id: number, n: number, by: number): void {
  if (by === 0) return
  const undo = undoOf(state, pid)
  const owed = undo.owed.get(id) ?? new Map<number, number>()
  const sum = (owed.get(n) ?? 0) + by
  state.debts -= owed.size
  if (sum === 0) owed.delete(n)
  else owed.set(n, sum)
  state.debts += owed.size
  if (owed.size === 0) undo.owed.delete(id)
  else undo.owed.set(id, owed)
}
function undoOf(state: IpcState, pid: number): Undo {
  let undo = state.undos.get(pid)
  if (undo === undefined) {
    undo = { sharers: 1, owed: new Map() }
    state.undos.set(pid, undo)
  }
  return undo
}
/** `child` owes what `parent` owes, from now on. */
export function shareUndo(state: IpcState, parent: number, child: number): void {
  const undo = undoOf(state, parent)
  undo.sharers++
  state.undos.set(child, undo)
}

/** SETALL and IPC_RMID: nobody owes this set anything any more. */
export function forgetSet(state: IpcState, id: number): void {
  for (const undo of state.undos.values()) {
    state.debts -= undo.owed.get(id)?.size ?? 0
    undo.owed.delete(id)
  }
}
/** SETVAL. */
export function forgetSemaphore(state: IpcState, id: number, n: number): void {
  for (const [pid, undo] of state.undos) if (undo.owed.has(id)) adjust(state, pid, id, n, -adjustment(state, pid, id, n))
}

/** The process has ended: with the last that shares it what is owed is given back, as far as a value can take it. */
export function endUndo(state: IpcState, pid: number): void {
  const undo = state.undos.get(pid)
  if (undo === undefined) return
  state.undos.delete(pid)
  if (--undo.sharers > 0) return
  for (const [id, owed] of undo.owed) {
    state.debts -= owed.size
    const set = state.sets.find(id) as SemSet
    for (const [n, by] of owed) {
      set.values[n] = Math.max(0, Math.min(SEMVMX, (set.values[n] as number) + by))
      set.pids[n] = pid
    }
    set.otime = seconds(state)
    runWaits(state, set)
  }
}
