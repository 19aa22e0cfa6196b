// The server's state as plain records, and back. Waits are rows: who waits where is found again from the lists of sets and queues.
// Grants of waiting receivers are arena offsets; they mean something only together with the arena.
import type { Limits } from './limits.ts'
import type { Queue } from './msg.ts'
import type { SemSet } from './sem.ts'
import type { Segment } from './shm.ts'
import type { IpcState, Wait } from './state.ts'

type Table<T> = { last: number; sequence: number; list: T[] }
export interface IpcRecord {
  limits: Limits
  segments: Table<Segment>
  sets: Table<SemSet>
  queues: Table<Queue>
  pids: [endpoint: number, pid: number][]
  /** Adjustments: the processes that share them, and [set, semaphore, owed]. */
  undos: { pids: number[]; owed: [id: number, n: number, by: number][] }[]
  timers: [key: number, due: number][]
}

export function exportState(state: IpcState): IpcRecord {
  const undos = Array.from(new Set(state.undos.values()), undo => ({
    pids: Array.from(state.undos).flatMap(([pid, one]) => (one === undo ? [pid] : [])),
    owed: Array.from(undo.owed).flatMap(([id, owed]) => Array.from(owed, ([n, by]) => [id, n, by] as [number, number, number])),
  }))
  const { limits, segments, sets, queues, pids, timers } = state
  return structuredClone({
    limits,
    segments: segments.exportState(),
    sets: sets.exportState(),
    queues: queues.exportState(),
    pids: Array.from(pids),
    undos,
    timers: timers.exportState(),
  })
}

export function importState(state: IpcState, from: unknown): void {
  const record = structuredClone(from) as IpcRecord
  Object.assign(state.limits, record.limits)
  state.segments.importState(record.segments)
  state.sets.importState(record.sets)
  state.queues.importState(record.queues)
  state.text = record.queues.list.reduce((sum, q) => sum + q.bytes, 0)
  state.waits.clear()
  const waits: Wait[] = [...record.sets.list.flatMap(s => s.waits), ...record.queues.list.flatMap(q => [...q.senders, ...q.receivers])]
  for (const wait of waits) state.waits.set(wait.endpoint, wait)
  state.pids.clear()
  for (const [endpoint, pid] of record.pids) state.pids.set(endpoint, pid)
  state.undos.clear()
  state.debts = 0
  for (const { pids, owed } of record.undos) {
    const undo = { sharers: pids.length, owed: new Map<number, Map<number, number>>() }
    for (const [id, n, by] of owed) undo.owed.set(id, (undo.owed.get(id) ?? new Map<number, number>()).set(n, by))
    state.debts += owed.length
    for (const pid of pids) state.undos.set(pid, undo)
  }
  state.timers.importState(record.timers)
}
