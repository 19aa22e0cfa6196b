// The ipc server: System V shared memory, semaphores and message queues (MINIX's ipc server; svipc(7)). It owns names, permissions, times
// and everything that waits; the memory of segments is the memory server's. This file puts the parts together: waits that end by a
// signal, a timeout or their thread's end, and processes that are no more.
import { E } from '../../abi/errno.ts'
import { EP, int, type Message, slotOf, SUSPEND } from '../../abi/message.ts'
import type { Server, Sys } from '../../lib/server.ts'
import { COMMON_CALL } from '../../protocol/common.ts'
import { IPC } from '../../protocol/ipc.ts'
import { exportState, importState } from './export.ts'
import { leaveQueue, messageCalls } from './message.ts'
import { msgCalls } from './msg.ts'
import { semCalls } from './sem.ts'
import { leaveSet, semopCalls } from './semop.ts'
import { shmCalls } from './shm.ts'
import { createState, type IpcState, pidOf, threadOf } from './state.ts'
import { textCalls } from './text.ts'
import { endUndo, shareUndo } from './undo.ts'

export function createIpc(sys: Sys): Server {
  const state = createState(sys)
  return {
    name: 'ipc',
    calls: {
      ...shmCalls(state),
      ...semCalls(state),
      ...semopCalls(state),
      ...msgCalls(state),
      ...messageCalls(state),
      ...textCalls(state),
      [IPC.SHARE]: (m, from) => (from === EP.PM ? share(state, m) : -E.PERM),
      [COMMON_CALL.CANCEL]: m => {
        const wait = state.waits.get(int(m, 0))
        if (wait !== undefined) leave(state, int(m, 0), wait.kind === 'sem' ? -E.INTR : -E.RESTARTNOHAND)
        return SUSPEND
      },
      [COMMON_CALL.GONE]: m => {
        gone(state, int(m, 0))
        return SUSPEND
      },
      [COMMON_CALL.PING]: () => 0,
    },
    notified(from) {
      if (from === EP.CLOCK) expire(state)
    },
    exportState: () => exportState(state),
    importState: record => importState(state, record),
  }
}

/** The call `endpoint` waits in ends with `result`; undefined: nobody is there to be answered. */
function leave(state: IpcState, endpoint: number, result: number | undefined): void {
  const wait = state.waits.get(endpoint)
  if (wait === undefined) return
  state.waits.delete(endpoint)
  state.timers.clear(slotOf(endpoint))
  if (wait.kind === 'sem') leaveSet(state, wait, result)
  else leaveQueue(state, wait, result)
}
/** Timer keys are process-table slots. */
function expire(state: IpcState): void {
  for (let slot = state.timers.expire(); slot >= 0; slot = state.timers.expire())
    for (const endpoint of state.waits.keys()) if (slotOf(endpoint) === slot) leave(state, endpoint, -E.AGAIN)
}

/** A thread is no more; perhaps the last of its process. */
function gone(state: IpcState, endpoint: number): void {
  leave(state, endpoint, undefined)
  const pid = state.pids.get(endpoint)
  state.pids.delete(endpoint)
  if (pid === undefined || !state.undos.has(pid)) return
  const other = threadOf(state, pid)
  if (other < 0) endUndo(state, pid)
  else state.pids.set(other, pid) // its end will tell
}

function share(state: IpcState, m: Message): number {
  const parent = pidOf(state, int(m, 0))
  const child = pidOf(state, int(m, 1))
  if (parent > 0 && child > 0) shareUndo(state, parent, child)
  return 0
}
