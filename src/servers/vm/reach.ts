// Memory of processes as this server itself reads and writes it: what is mapped with a protection that allows it, and nothing else.
import { E } from '../../abi/errno.ts'
import { EP, setInt, TYPE } from '../../abi/message.ts'
import { PM } from '../../protocol/pm.ts'
import type { Space } from './space.ts'
import type { Row, State } from './state.ts'

/** Bytes from `address` on that are mapped without a gap and have all of `prot`, at most `bytes`. */
export function reach(space: Space, address: number, bytes: number, prot: number): number {
  let at = address
  for (let i = space.index(address); at < address + bytes; i++) {
    const r = space.regions[i]
    if (r === undefined || r.start > at || (r.prot & prot) !== prot) break
    at = r.end
  }
  return Math.min(at - address, bytes)
}

/** Move bytes between a process and the arena: how many before the first that can't be. */
export function readAt(state: State, row: Row, address: number, to: number, bytes: number, prot: number): number {
  const n = Number.isSafeInteger(address) ? reach(row.space, address, bytes, prot) : 0
  return n > 0 ? Math.max(0, state.sys.peek(row.endpoint, address, to, n)) : 0
}
export function writeAt(state: State, row: Row, address: number, from: number, bytes: number, prot: number): number {
  const n = Number.isSafeInteger(address) ? reach(row.space, address, bytes, prot) : 0
  return n > 0 ? Math.max(0, state.sys.poke(row.endpoint, address, from, n)) : 0
}

/** The row of thread `pid` (0: the caller's own), into which the caller may look; or -errno. */
export function rowOfPid(state: State, caller: Row, pid: number): Row | number {
  if (pid === 0) return caller
  const { sys, out } = state
  out[TYPE] = PM.MAYTRACE
  setInt(out, 0, caller.endpoint)
  setInt(out, 1, pid)
  const endpoint = sys.sendrec(EP.PM, out)
  return endpoint < 0 ? endpoint : (state.row(endpoint) ?? -E.SRCH)
}
