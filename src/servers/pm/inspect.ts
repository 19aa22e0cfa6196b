// Processes seen and set from outside: which threads there are, and the state of signals of each.
import { E } from '../../abi/errno.ts'
import { FIRST_GUEST, high, int, type Message } from '../../abi/message.ts'
import type { CallVector } from '../../lib/server.ts'
import { PM, TASK_RECORD as R } from '../../protocol/pm.ts'
import { actionRow, type Pm, type Task, taskOf } from './mproc.ts'
import { recalculate, sanitize } from './signal.ts'
import { read64, write64 } from './suspended.ts'
import { need } from './tell.ts'

const TASK_BYTES = 8

export function inspectCalls(pm: Pm): CallVector {
  return {
    [PM.TASKS]: (m, from) => (from >= FIRST_GUEST ? -E.PERM : tasks(pm, m)),
    [PM.TASKSTATE]: (m, from) => {
      const t = taskOf(pm, int(m, 0))
      if (from >= FIRST_GUEST) return -E.PERM
      const at = need(m, 2, R.BYTES)
      if (t === undefined) return -E.SRCH
      if (at < 0) return at
      if (int(m, 1) === 0) give(pm, t, at)
      else take(pm, t, at)
      return 0
    },
  }
}

function tasks(pm: Pm, m: Message): number {
  const p = pm.processes.get(int(m, 0))
  if (p === undefined || p === pm.init) return -E.SRCH
  const all = p.tasks.slice().sort((a, b) => a.tid - b.tid)
  const at = int(m, 1)
  for (const [i, t] of all.entries()) {
    if ((i + 1) * TASK_BYTES > high(m, 1)) break
    pm.sys.view.setUint32(at + i * TASK_BYTES, t.tid, true)
    pm.sys.view.setInt32(at + i * TASK_BYTES + 4, t.endpoint, true)
  }
  return all.length
}

function give(pm: Pm, t: Task, at: number): void {
  const { view } = pm.sys
  view.setInt32(at + R.BLOCKED, t.blocked.lo, true)
  view.setInt32(at + R.BLOCKED + 4, t.blocked.hi, true)
  write64(pm, at + R.ALTSP, t.altSp)
  write64(pm, at + R.ALTSIZE, t.altSize)
  view.setUint32(at + R.ALTFLAGS, t.altFlags, true)
  write64(pm, at + R.CLEARTID, t.clearTid)
  write64(pm, at + R.ROBUST, t.robustList)
  const first = actionRow(1)
  for (let w = first; w < t.process.actions.length; w++) view.setUint32(at + R.ACTIONS + 4 * (w - first), t.process.actions[w], true)
}
function take(pm: Pm, t: Task, at: number): void {
  const { view } = pm.sys
  t.blocked.lo = view.getInt32(at + R.BLOCKED, true)
  t.blocked.hi = view.getInt32(at + R.BLOCKED + 4, true)
  sanitize(t.blocked)
  t.altSp = read64(pm, at + R.ALTSP)
  t.altSize = read64(pm, at + R.ALTSIZE)
  t.altFlags = view.getUint32(at + R.ALTFLAGS, true)
  t.clearTid = read64(pm, at + R.CLEARTID)
  t.robustList = read64(pm, at + R.ROBUST)
  const first = actionRow(1)
  for (let w = first; w < t.process.actions.length; w++) t.process.actions[w] = view.getUint32(at + R.ACTIONS + 4 * (w - first), true)
  recalculate(pm, t)
}
