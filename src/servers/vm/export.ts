// The server's state as plain records, and back: spaces and shared objects by index, so that sharing survives.
import type { Backing, Region } from './region.ts'
import { Space } from './space.ts'
import type { Limits, State } from './state.ts'

interface SpaceRecord {
  regions: { start: number; end: number; prot: number; flags: number; backing: number; offset: number }[]
  base: number
  stackTop: number
  startBrk: number
  brk: number
  lockFuture: number
  barriers: number
  peak: number
  excess: number
  image: number[]
}
export interface VmRecord {
  committed: number
  nextObject: number
  /** `counted`: it is a segment. */
  backings: (Omit<Backing, 'counted'> & { counted: boolean })[]
  /** Segments: their backings, and host descriptors, which mean something only in the process that made them. */
  objects: { backing: number; fd: number; bytes: number }[]
  limits: Limits[]
  spaces: SpaceRecord[]
  rows: { endpoint: number; space: number; limits: number; policy: number }[]
}

function indexIn<T>(list: T[], one: T): number {
  const i = list.indexOf(one)
  return i >= 0 ? i : list.push(one) - 1
}

export function exportState(state: State): VmRecord {
  const spaces: Space[] = []
  const backings: Backing[] = []
  const limits: Limits[] = []
  const rows = state.rows
    .filter(row => row !== undefined)
    .map(({ endpoint, space, limits: of, policy }) => ({ endpoint, space: indexIn(spaces, space), limits: indexIn(limits, of), policy }))
  const records = spaces.map(({ regions, base, stackTop, startBrk, brk, lockFuture, barriers, peak, excess, image }) => ({
    regions: regions.map(r => ({ ...r, backing: r.backing === null ? -1 : indexIn(backings, r.backing) })),
    base,
    stackTop,
    startBrk,
    brk,
    lockFuture,
    barriers,
    peak,
    excess,
    image: Array.from(image),
  }))
  const objects = Array.from(state.objects.values(), ({ backing, fd, bytes }) => ({
    backing: indexIn(backings, backing),
    fd,
    bytes,
  }))
  return structuredClone({
    committed: state.pool.committed,
    nextObject: state.nextObject,
    backings: backings.map(b => ({ ...b, counted: b.counted !== null })),
    objects,
    limits,
    spaces: records,
    rows,
  })
}

export function importState(state: State, from: unknown): void {
  const record = structuredClone(from) as VmRecord
  const backings = record.backings.map(b => ({ ...b, refs: 0, counted: b.counted ? state.recounted : null }))
  const spaces = record.spaces.map(s => {
    const space = new Space(state.pool)
    space.refs = 0
    for (const r of s.regions)
      space.add({ ...r, backing: r.backing < 0 ? null : (backings[r.backing] as Backing) } as Region)
    space.base = s.base
    space.stackTop = s.stackTop
    space.startBrk = s.startBrk
    space.brk = s.brk
    space.lockFuture = s.lockFuture
    space.barriers = s.barriers
    space.peak = s.peak
    space.excess = s.excess
    state.pool.find(s.excess)
    space.image = Uint8Array.from(s.image)
    return space
  })
  state.rows.length = 0
  state.nextObject = record.nextObject
  state.pool.committed = record.committed
  state.objects.clear()
  for (const { backing, fd, bytes } of record.objects) {
    const of = backings[backing] as Backing
    state.objects.set(of.object, { backing: of, fd, bytes })
  }
  state.recounted.clear()
  for (const row of record.rows) {
    const space = spaces[row.space] as Space
    space.refs++
    state.put(row.endpoint, space, record.limits[row.limits] as Limits).policy = row.policy
  }
}
