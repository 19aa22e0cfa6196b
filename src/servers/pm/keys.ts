// Keys of PM's timers (lib/timers.ts): four to a place. The end of a task's wait goes by its process-table slot; a process's own timers
// by its index.
import { slotOf } from '../../abi/message.ts'
import type { Process, Task } from './mproc.ts'

export const WAIT_TIMER = 0
export const REAL_TIMER = 1
/** Next look at CPU time: ITIMER_VIRTUAL, ITIMER_PROF, RLIMIT_CPU. */
export const CPU_TIMER = 2
export const POSIX_TIMER = 3

export function timerKey(of: Task, kind: typeof WAIT_TIMER): number {
  return 4 * slotOf(of.endpoint) + kind
}
export function processKey(p: Process, kind: number): number {
  return 4 * p.index + kind
}
