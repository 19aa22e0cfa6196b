// The load of the machine, proc_loadavg(5): processors busy, averaged over the last 1, 5 and 15 minutes with exponential decay. Linux takes
// a sample every 5 s; here nothing ticks while nobody asks: what was used since the last look is spread evenly over that time.
import type { Pm, Usage } from './mproc.ts'
import { taskUsage } from './usage.ts'

const MINUTES = [1, 5, 15] as const
/** Looks closer together than this, in ms, say nothing new. */
const LEAST = 100

export interface Load {
  /** Last look: monotonic ms, and CPU ms used until then. */
  at: number
  spent: number
  averages: number[]
}
export function newLoad(): Load {
  return { at: 0, spent: 0, averages: MINUTES.map(() => 0) }
}

/** CPU time of all processes there are and were. */
export function spentByAll(pm: Pm): Usage {
  const sum = { ...pm.spent }
  for (const t of pm.tasks.values()) {
    const used = taskUsage(pm, t)
    sum.user += used.user
    sum.system += used.system
  }
  return sum
}
export function loads(pm: Pm, spent: Usage = spentByAll(pm)): readonly number[] {
  const { load } = pm
  const now = pm.sys.monotonic()
  const passed = now - load.at
  if (passed < LEAST) return load.averages
  const used = spent.user + spent.system
  const busy = Math.max(0, used - load.spent) / passed
  load.averages = load.averages.map((average, k) => {
    const kept = Math.exp(-passed / ((MINUTES[k] as number) * 60_000))
    return average * kept + busy * (1 - kept)
  })
  load.at = now
  load.spent = used
  return load.averages
}
