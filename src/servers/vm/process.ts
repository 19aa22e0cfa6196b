// Processes as the memory server knows them: who shares which space, limits, and looking addresses up for others.
import { CLONE } from '../../abi/clone.ts'
import { E } from '../../abi/errno.ts'
import { int, long, type Message, setInt, setLong, uint, ulong } from '../../abi/message.ts'
import { PROT_EXEC, PROT_WRITE } from '../../abi/mman.ts'
import type { CallVector } from '../../lib/server.ts'
import { COMMON_CALL } from '../../protocol/common.ts'
import { VM } from '../../protocol/vm.ts'
import { R } from './region.ts'
import { Space } from './space.ts'
import { limitName, NO_LIMIT, type State } from './state.ts'

/** OBJECT's device for memory that is no file. */
const NO_FILE = 2 ** 48

/** A private copy of a space; undefined when the pool refuses it. */
function copySpace(from: Space): Space | undefined {
  const to = new Space(from.pool)
  let firm = 0
  let loose = 0
  for (const r of from.regions) {
    if (!(r.flags & R.ACCOUNT) || r.flags & R.DONTFORK) continue
    if (r.flags & R.NORESERVE) loose += r.end - r.start
    else firm += r.end - r.start
  }
  if (!from.pool.allows(firm)) return undefined
  const all = from.pool.allows(firm + loose)
  from.pool.charge(all ? firm + loose : firm)
  for (const r of from.regions) {
    if (r.flags & R.DONTFORK) continue
    const lost = !all && r.flags & R.NORESERVE ? R.ACCOUNT : 0
    to.add({ ...r, flags: r.flags & ~(R.LOCKED | R.ONFAULT | lost) })
  }
  to.base = from.base
  to.stackTop = from.stackTop
  to.startBrk = from.startBrk
  to.barriers = from.barriers
  to.brk = from.brk
  to.image = from.image
  return to
}

export function processCalls(state: State): CallVector {
  function FORK(m: Message): number {
    const parent = state.row(int(m, 0))
    const flags = uint(m, 2)
    if (parent === undefined) return -E.SRCH
    const space = flags & CLONE.VM ? parent.space : copySpace(parent.space)
    if (space === undefined) return -E.NOMEM
    if (flags & CLONE.VM) space.refs++
    state.put(int(m, 1), space, flags & CLONE.THREAD ? parent.limits : { ...parent.limits }).policy = parent.policy
    return 0
  }
  function EXIT(m: Message): number {
    state.forget(int(m, 0))
    return 0
  }
  function SETLIMIT(m: Message): number {
    const name = limitName(int(m, 1))
    if (name === undefined) return -E.INVAL
    const value = long(m, 2)
    state.rowOrNew(int(m, 0)).limits[name] = value < 0 ? NO_LIMIT : value
    return 0
  }

  function PATCHABLE(m: Message): number {
    const r = state.row(int(m, 0))?.space.at(ulong(m, 1))
    if (r === undefined || r === null) return 0
    return r.flags & R.HOSTFILE && !(r.flags & R.SHARED) && r.prot & PROT_EXEC && !(r.prot & PROT_WRITE) ? 1 : 0
  }
  function OBJECT(m: Message): number {
    const address = ulong(m, 1)
    const r = state.row(int(m, 0))?.space.at(address)
    if (r === undefined || r === null || r.prot === 0) return -E.FAULT
    if (!(r.flags & R.SHARED) || r.backing === null) return r.backing === null && !(r.prot & PROT_WRITE) ? -E.FAULT : 0
    const { dev, ino, object } = r.backing
    setLong(m, 1, object > 0 ? NO_FILE : dev)
    setLong(m, 2, object > 0 ? object : ino)
    setLong(m, 3, r.offset + (address - r.start))
    return 1
  }
  function SHARES(m: Message): number {
    const space = state.row(int(m, 0))?.space
    return space?.regions.some(r => (r.flags & R.SHARED) !== 0) ? 1 : 0
  }
  function WRITERS(m: Message): number {
    const dev = ulong(m, 0)
    const ino = ulong(m, 1)
    const spaces = new Set(state.rows.map(row => row?.space))
    let count = 0
    for (const space of spaces)
      for (const r of space?.regions ?? [])
        if ((r.flags & (R.SHARED | R.READONLY)) === R.SHARED && r.backing?.ino === ino && r.backing.dev === dev) count++
    return count
  }
  function PING(m: Message): number {
    setInt(m, 1, 0)
    return 0
  }

  return {
    [VM.FORK]: FORK,
    [VM.EXIT]: EXIT,
    [VM.SETLIMIT]: SETLIMIT,
    [VM.PATCHABLE]: PATCHABLE,
    [VM.OBJECT]: OBJECT,
    [VM.SHARES]: SHARES,
    [VM.WRITERS]: WRITERS,
    [COMMON_CALL.GONE]: EXIT,
    [COMMON_CALL.CANCEL]: () => 0,
    [COMMON_CALL.PING]: PING,
  }
}
