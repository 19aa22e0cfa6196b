// The memory server: the map of every address space, and the account of what is committed. It decides each address and order the host
// operation (sys.vmctl); the container carries it out before the caller runs on. Linux's rules and errors throughout (mm/*.c).
import type { Server, Sys } from '../../lib/server.ts'
import { adviceCalls } from './advice.ts'
import { exportState, importState } from './export.ts'
import { imageCalls } from './image.ts'
import { inspectCalls } from './inspect.ts'
import { lookCalls } from './look.ts'
import { mapCalls } from './map.ts'
import { mremapCalls } from './mremap.ts'
import { type Overcommit, Pool } from './pool.ts'
import { processCalls } from './process.ts'
import { State } from './state.ts'
import { unmapCalls } from './unmap.ts'

export interface VmOptions {
  /** Bytes the processes may commit together. Default: no limit. */
  limit?: number
  /** How the limit counts (pool.ts). Default 2, strict. */
  overcommit?: Overcommit
}
export interface VmServer extends Server {
  /** Bytes committed now, and the limit. */
  readonly pool: Pool
}

export function createVm(sys: Sys, options: VmOptions = {}): VmServer {
  const pool = new Pool(options.limit ?? Number.POSITIVE_INFINITY, options.overcommit ?? 2)
  const state = new State(sys, pool)
  return {
    name: 'vm',
    calls: {
      ...mapCalls(state),
      ...unmapCalls(state),
      ...mremapCalls(state),
      ...adviceCalls(state),
      ...imageCalls(state),
      ...lookCalls(state),
      ...processCalls(state),
      ...inspectCalls(state),
    },
    pool,
    exportState: () => exportState(state),
    importState: from => importState(state, from),
  }
}
