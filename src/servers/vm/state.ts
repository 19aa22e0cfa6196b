// The memory server's tables: a row per process (thread), the pool they share, and what all handler files use.

import { type Message, message, slotOf } from '../../abi/message.ts'
import { RLIMIT } from '../../abi/mman.ts'
import type { HostMemory } from '../../lib/hostmemory.ts'
import type { Sys } from '../../lib/server.ts'
import type { Pool } from './pool.ts'
import type { Backing, Region } from './region.ts'
import { Space } from './space.ts'

/** Soft limits in bytes, shared by the threads of a process. */
export interface Limits {
  as: number
  data: number
  stack: number
  memlock: number
}
/** A System V segment: its memory stays when nobody maps it. */
export interface Kept {
  readonly backing: Backing
  readonly fd: number
  readonly bytes: number
}
export interface Row {
  readonly endpoint: number
  space: Space
  limits: Limits
  /** What its last call mapped, the break before that, and what it moved away: for FAILED. */
  lastStart: number
  lastEnd: number
  lastBrk: number
  lastMoved: Region | null
  /** Memory policy of the thread: R.POLICY bits (numa.ts). */
  policy: number
}
/** A call begins that may order host operations. */
export function begin(row: Row): void {
  row.lastStart = row.lastEnd = row.lastBrk = 0
  row.lastMoved = null
}

/** RLIM_INFINITY, as a number that survives JSON. */
export const NO_LIMIT = 2 ** 64
const DEFAULT_STACK = 8 << 20
const DEFAULT_MEMLOCK = 8 << 20

export class State {
  /** By process-table slot. */
  readonly rows: (Row | undefined)[] = []
  /** For requests to other servers. */
  readonly out: Message = message()
  private readonly entropy = new Uint32Array(64)
  private entropyLeft = 0
  /** Numbers of shared memory objects. */
  nextObject = 1
  /** Segments by object number. */
  readonly objects = new Map<number, Kept>()
  /** Segments that more or fewer regions map than when the ipc server heard last. */
  readonly recounted = new Set<Backing>()
  constructor(
    readonly sys: Sys,
    readonly pool: Pool,
    readonly memory: HostMemory,
    /** membarrier commands there are. */
    readonly barriers: number,
  ) {}

  row(endpoint: number): Row | undefined {
    const row = this.rows[slotOf(endpoint)]
    return row !== undefined && row.endpoint === endpoint ? row : undefined
  }
  /** The row of a process that makes a memory call. */
  caller(endpoint: number): Row | undefined {
    const row = this.row(endpoint)
    if (row !== undefined) begin(row)
    return row
  }
  /** The row of a process that may be new to us (a first process). */
  rowOrNew(endpoint: number): Row {
    return this.row(endpoint) ?? this.put(endpoint, new Space(this.pool), newLimits())
  }
  put(endpoint: number, space: Space, limits: Limits): Row {
    const old = this.rows[slotOf(endpoint)]
    if (old !== undefined) this.release(old.space)
    const row = { endpoint, space, limits, lastStart: 0, lastEnd: 0, lastBrk: 0, lastMoved: null, policy: 0 }
    this.rows[slotOf(endpoint)] = row
    return row
  }
  /** One user less; the last one takes the regions with it. */
  release(space: Space): void {
    if (--space.refs === 0) space.clear()
  }
  forget(endpoint: number): void {
    const row = this.row(endpoint)
    if (row === undefined) return
    this.rows[slotOf(endpoint)] = undefined
    this.release(row.space)
  }
  /** A random whole number below 2^bits (bits ≤ 32). Drawn from the host many at a time. */
  random(bits: number): number {
    if (this.entropyLeft === 0) {
      const { sys } = this
      sys.random(sys.buffer, this.entropy.length * 4)
      for (let i = 0; i < this.entropy.length; i++) this.entropy[i] = sys.view.getUint32(sys.buffer + i * 4, true)
      sys.mem.fill(0, sys.buffer, sys.buffer + this.entropy.length * 4)
      this.entropyLeft = this.entropy.length
    }
    return (this.entropy[--this.entropyLeft] as number) % 2 ** bits
  }
}

export function newLimits(): Limits {
  return { as: NO_LIMIT, data: NO_LIMIT, stack: DEFAULT_STACK, memlock: DEFAULT_MEMLOCK }
}
/** Limits field of a resource number; undefined when it is not ours. */
export function limitName(resource: number): keyof Limits | undefined {
  switch (resource) {
    case RLIMIT.AS:
      return 'as'
    case RLIMIT.DATA:
      return 'data'
    case RLIMIT.STACK:
      return 'stack'
    case RLIMIT.MEMLOCK:
      return 'memlock'
    default:
      return undefined
  }
}
