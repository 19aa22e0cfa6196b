// The memory server: the map of every address space, and the account of what is committed. It decides each address and order the host
// operation (sys.vmctl); the container carries it out before the caller runs on. Linux's rules and errors throughout (mm/*.c).
import { EP, FIRST_GUEST, int, NONE, setInt, TYPE } from '../../abi/message.ts'
import type { HostMemory } from '../../lib/hostmemory.ts'
import type { CallVector, Handler, Server, Sys } from '../../lib/server.ts'
import { IPC } from '../../protocol/ipc.ts'
import { VM } from '../../protocol/vm.ts'
import { adviceCalls } from './advice.ts'
import { copyCalls } from './copy.ts'
import { countExcess } from './excess.ts'
import { exportState, importState } from './export.ts'
import { imageCalls } from './image.ts'
import { inspectCalls } from './inspect.ts'
import { lockCalls } from './lock.ts'
import { lookCalls } from './look.ts'
import { mapCalls } from './map.ts'
import { numaCalls } from './numa.ts'
import { mremapCalls } from './mremap.ts'
import { type Overcommit, Pool } from './pool.ts'
import { processCalls } from './process.ts'
import { segmentCalls } from './segment.ts'
import { State } from './state.ts'
import { unmapCalls } from './unmap.ts'

/** The membarrier commands we pass on: all but those about restartable sequences. */
const BARRIERS = 0x27f

export interface VmOptions {
  /** Where shared memory comes from. */
  memory: HostMemory
  /** Bytes the processes may commit together. Default: no limit. */
  limit?: number
  /** How the limit counts (pool.ts). Default 2, strict. */
  overcommit?: Overcommit
  /** The host's answer to MEMBARRIER_CMD_QUERY. */
  barriers?: number
}
export interface VmServer extends Server {
  /** Bytes committed now, and the limit. */
  readonly pool: Pool
}

export function createVm(sys: Sys, options: VmOptions): VmServer {
  const pool = new Pool(options.limit ?? Number.POSITIVE_INFINITY, options.overcommit ?? 2)
  const state = new State(sys, pool, options.memory, (options.barriers ?? 0) & BARRIERS)
  return {
    name: 'vm',
    calls: settling(state, {
      ...mapCalls(state),
      ...unmapCalls(state),
      ...mremapCalls(state),
      ...adviceCalls(state),
      ...lockCalls(state),
      ...segmentCalls(state),
      ...imageCalls(state),
      ...lookCalls(state),
      ...processCalls(state),
      ...inspectCalls(state),
      ...copyCalls(state),
      ...numaCalls(state),
    }),
    notified(from) {
      if (from === EP.HARDWARE) countExcess(state)
    },
    pool,
    exportState: () => exportState(state),
    importState: from => importState(state, from),
  }
}

/** The same calls; after each the host hears what the process may have now; and the ipc server, when more or fewer regions map a System V
 *  segment, and whose doing it was. */
function settling(state: State, calls: CallVector): CallVector {
  const { recounted, sys, out } = state
  const tellHost = (endpoint: number): void => {
    const space = state.row(endpoint)?.space
    if (space === undefined || (space.writable === space.toldWritable && space.charged === space.toldCharged)) return
    space.toldWritable = space.writable
    space.toldCharged = space.charged
    sys.allow(endpoint, space.writable, space.charged)
  }
  const tellIpc = (who: number, child: number): void => {
    for (const backing of recounted) {
      out[TYPE] = IPC.ATTACHED
      setInt(out, 0, backing.object)
      setInt(out, 1, backing.refs)
      setInt(out, 2, who)
      setInt(out, 3, child)
      if (sys.senda(EP.IPC, out) === 0) recounted.delete(backing)
    }
  }
  const settled =
    (type: number, call: Handler): Handler =>
    (m, from) => {
      const who = from >= FIRST_GUEST ? from : int(m, 0)
      const child = type === VM.FORK ? int(m, 1) : NONE
      const result = call(m, from)
      tellHost(who)
      if (child !== NONE) tellHost(child)
      if (recounted.size > 0) tellIpc(who, child)
      return result
    }
  return Object.fromEntries(Object.entries(calls).map(([type, call]) => [type, settled(Number(type), call)]))
}
