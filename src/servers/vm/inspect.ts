// An address space seen and set from outside: its regions one by one, and a space made anew for a process that is held. Shared memory
// isn't taken over: what it is shared with is somebody else's.
import { GUEST_END, OP } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { FIRST_GUEST, high, int, type Message, setLong, uint, ulong } from '../../abi/message.ts'
import { PAGE } from '../../abi/mman.ts'
import type { CallVector, Handler } from '../../lib/server.ts'
import { REGION, REGION_KIND, VM } from '../../protocol/vm.ts'
import { mapAt } from './map.ts'
import { checkFixed } from './place.ts'
import { R, type Region } from './region.ts'
import type { Space } from './space.ts'
import { begin, type State } from './state.ts'

/** The guests' filter (native/filter.c) wants the last 4 GiB apart. */
const GIBS_4 = 2 ** 32
const LAST = GUEST_END - GIBS_4
const KEPT = R.GROWSDOWN | R.NORESERVE | R.DONTFORK | R.WIPEONFORK | R.DONTDUMP

export function inspectCalls(state: State): CallVector {
  const { sys } = state
  const inside = (handler: Handler): Handler => (m, from) => (from >= FIRST_GUEST ? -E.PERM : handler(m, from))

  function region(m: Message): number {
    const row = state.row(int(m, 0))
    if (row === undefined) return -E.SRCH
    const r = row.space.regions[row.space.index(ulong(m, 1))]
    if (r === undefined) return 0
    if (high(m, 2) < REGION.NAME) return -E.INVAL
    write(row.space, r, uint(m, 2), high(m, 2))
    return 1
  }
  function write(space: Space, r: Region, at: number, room: number): void {
    const { view, mem } = sys
    const name = r.backing?.name ?? ''
    const bytes = Math.min(name.length, room - REGION.NAME)
    put64(at + REGION.START, r.start)
    put64(at + REGION.END, r.end)
    view.setUint32(at + REGION.PROT, r.prot, true)
    view.setUint32(at + REGION.FLAGS, r.flags, true)
    view.setUint32(at + REGION.KIND, kindOf(space, r), true)
    view.setUint32(at + REGION.NAME_BYTES, bytes, true)
    put64(at + REGION.DEV, r.backing?.dev ?? 0)
    put64(at + REGION.INO, r.backing?.ino ?? 0)
    put64(at + REGION.OFFSET, r.backing === null ? 0 : r.offset)
    for (let i = 0; i < bytes; i++) mem[at + REGION.NAME + i] = name.charCodeAt(i)
  }
  function put64(at: number, v: number): void {
    sys.view.setUint32(at, v % 2 ** 32, true)
    sys.view.setUint32(at + 4, Math.floor(v / 2 ** 32), true)
  }

  function layout(m: Message): number {
    const row = state.row(int(m, 0))
    if (row === undefined) return -E.SRCH
    const { space } = row
    if (int(m, 1) !== 0) {
      space.base = ulong(m, 2)
      space.stackTop = ulong(m, 3)
      space.startBrk = ulong(m, 4)
      space.brk = ulong(m, 5)
    }
    for (const [k, v] of [space.base, space.stackTop, space.startBrk, space.brk].entries()) setLong(m, 1 + k, v)
    return 0
  }

  function empty(m: Message): number {
    const row = state.row(int(m, 0))
    if (row === undefined) return -E.SRCH
    if (row.space.refs > 1) return -E.BUSY
    for (const [at, bytes] of [[0, LAST], [LAST, GIBS_4 - 1]] as const) {
      const r = sys.vmctl(row.endpoint, OP.MUNMAP, at, bytes, 0, 0, 0, -1, 0)
      if (r < 0) return r
    }
    row.space.clear()
    return 0
  }
  function adopt(m: Message): number {
    const row = state.row(int(m, 0))
    if (row === undefined) return -E.SRCH
    const start = ulong(m, 1)
    const length = ulong(m, 2) - start
    if (!(length > 0) || length % PAGE !== 0) return -E.INVAL
    const wrong = checkFixed(start, length)
    if (wrong < 0) return wrong
    begin(row)
    return mapAt(state, row, start, length, int(m, 3) & 7, uint(m, 4) & KEPT, null, -1, 0)
  }

  return { [VM.REGION]: inside(region), [VM.LAYOUT]: inside(layout), [VM.EMPTY]: inside(empty), [VM.ADOPT]: inside(adopt) }
}

function kindOf(space: Space, r: Region): number {
  if (r.backing !== null) return REGION_KIND.FILE
  if (r.start < space.brk && r.end > space.startBrk) return REGION_KIND.HEAP
  return r.start < space.stackTop && r.end >= space.stackTop ? REGION_KIND.STACK : REGION_KIND.ANONYMOUS
}
