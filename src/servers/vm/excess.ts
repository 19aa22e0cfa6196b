// Memory that processes have beyond what was charged when it was mapped: MAP_NORESERVE where the pool had no more to promise, and whatever a
// guest gets out of its stub by hand. The host looks from time to time (container/linux/allowance.ts); what it finds is charged as found,
// and when that is too much for the pool, those who have most of it are killed, as Linux's out-of-memory killer does.
import { NONE } from '../../abi/message.ts'
import { SIG } from '../../abi/signals.ts'
import type { Space } from './space.ts'
import type { State } from './state.ts'

const found = new Float64Array(1)

export function countExcess(state: State): void {
  const { pool, sys } = state
  for (let endpoint = sys.excess(found); endpoint !== NONE; endpoint = sys.excess(found)) {
    const space = state.row(endpoint)?.space
    if (space === undefined) continue
    pool.find((found[0] as number) - space.excess)
    space.excess = found[0] as number
  }
  let surplus = pool.surplus()
  if (surplus <= 0) return
  const having = new Set<Space>()
  for (const row of state.rows) if (row !== undefined && row.space.excess > 0) having.add(row.space)
  for (const space of having) if (space.doomed) surplus -= space.charged + space.excess
  for (const space of [...having].sort((a, b) => b.excess - a.excess)) {
    if (surplus <= 0) return
    if (space.doomed) continue
    surplus -= space.charged + space.excess
    kill(state, space)
  }
}
function kill(state: State, space: Space): void {
  const mib = (bytes: number): number => Math.ceil(bytes / 2 ** 20)
  space.doomed = true
  state.sys.diag(`out of memory: killed who has ${mib(space.excess)} MiB beyond the ${mib(space.charged)} MiB granted`)
  for (const row of state.rows) if (row?.space === space) state.sys.kill(row.endpoint, SIG.KILL)
}
