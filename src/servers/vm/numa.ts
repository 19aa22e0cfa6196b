// Memory policies on a machine with one memory node (mm/mempolicy.c, migrate.c): whatever is asked for comes from node 0. Policies of
// threads and of regions are checked and remembered, nothing ever moves. Node masks and lists are read and written here.
import { E } from '../../abi/errno.ts'
import { int, type Message, uint, ulong } from '../../abi/message.ts'
import { MPOL, MPOL_F, MPOL_MF, MPOL_MODE, PAGE, PROT_READ, PROT_WRITE } from '../../abi/mman.ts'
import type { CallVector } from '../../lib/server.ts'
import { VM } from '../../protocol/vm.ts'
import { hasCapability } from './budget.ts'
import { isOdd, lengthUp } from './place.ts'
import { readAt, rowOfPid, writeAt } from './reach.ts'
import { R } from './region.ts'
import type { Row, State } from './state.ts'

/** R.POLICY: three bits of mode, its three flags, and whether node 0 is named. */
const SHIFT = 16
const MODE_MASK = 7
const FLAG_SHIFT = 10 // MPOL_MODE.NUMA_BALANCING comes right behind the mode
const NAMED = 64
const { STATIC_NODES, RELATIVE_NODES, NUMA_BALANCING } = MPOL_MODE
const MODE_FLAGS = STATIC_NODES | RELATIVE_NODES | NUMA_BALANCING
/** Nodes Linux could have (MAX_NUMNODES), and the longest mask it looks at. */
const NODES = 1024
const MASK_BITS = PAGE * 8
/** Pages move_pages takes at all, and looks at together. */
const PAGES_MAX = 1 << 16
const BATCH = 512
const CAP_SYS_NICE = 23

/** A set of nodes: is node 0 in it, is any other? */
interface Nodes {
  first: boolean
  others: boolean
}

function modeOf(policy: number): number {
  return (policy >> SHIFT) & MODE_MASK
}
function flagsOf(policy: number): number {
  return ((policy >> SHIFT) << FLAG_SHIFT) & MODE_FLAGS
}

/** Is there such a mode with such flags? (sanitize_mpol_flags) */
function isMode(asked: number): boolean {
  const mode = asked & ~MODE_FLAGS
  if (mode < 0 || mode > MPOL.WEIGHTED_INTERLEAVE) return false
  if ((asked & (STATIC_NODES | RELATIVE_NODES)) === (STATIC_NODES | RELATIVE_NODES)) return false
  return !(asked & NUMA_BALANCING) || mode === MPOL.BIND || mode === MPOL.PREFERRED_MANY
}
/** R.POLICY bits for a mode with its flags and a set of nodes, or -errno (mpol_new, mpol_set_nodemask). */
function newPolicy(asked: number, nodes: Nodes): number {
  const mode = asked & ~MODE_FLAGS
  const flags = asked & MODE_FLAGS
  const isEmpty = !nodes.first && !nodes.others
  if (mode === MPOL.DEFAULT) return isEmpty ? 0 : -E.INVAL
  if (mode === MPOL.LOCAL) return isEmpty && flags === 0 ? mode << SHIFT : -E.INVAL
  if (isEmpty) {
    if (mode !== MPOL.PREFERRED || flags & (STATIC_NODES | RELATIVE_NODES)) return -E.INVAL
    return MPOL.LOCAL << SHIFT
  }
  // relative to what there is, every node is the first
  if (!nodes.first && !(flags & RELATIVE_NODES)) return -E.INVAL
  return (mode | (flags >> FLAG_SHIFT) | (nodes.first ? NAMED : 0)) << SHIFT
}

export function numaCalls(state: State): CallVector {
  const { sys } = state
  /** The node mask at `address`, or -errno (get_nodes). */
  function nodesAt(row: Row, address: number, max: number): Nodes | number {
    if (max === 1 || address === 0) return { first: false, others: false }
    if (max === 0 || max - 1 > MASK_BITS) return -E.INVAL
    const bits = max - 1
    const bytes = Math.ceil(bits / 64) * 8
    if (readAt(state, row, address, sys.buffer, bytes, PROT_READ) < bytes) return -E.FAULT
    const { mem, buffer } = sys
    const nodes = { first: ((mem[buffer] as number) & 1) === 1, others: false }
    for (let i = 1; i < bits; i++) {
      if ((((mem[buffer + (i >> 3)] as number) >> (i & 7)) & 1) === 0) continue
      if (i >= NODES) return -E.INVAL
      nodes.others = true
    }
    return nodes
  }
  function put32(row: Row, address: number, value: number): number {
    sys.view.setInt32(sys.buffer, value, true)
    return writeAt(state, row, address, sys.buffer, 4, PROT_WRITE) < 4 ? -E.FAULT : 0
  }
  /** A mask with node 0 or nothing in it (copy_nodes_to_user). */
  function putMask(row: Row, address: number, max: number, first: boolean): number {
    const bytes = Math.ceil((max - 1) / 64) * 8
    if (bytes > PAGE) return -E.INVAL
    sys.mem.fill(0, sys.buffer, sys.buffer + bytes)
    if (bytes > 0 && first) sys.mem[sys.buffer] = 1
    return writeAt(state, row, address, sys.buffer, bytes, PROT_WRITE) < bytes ? -E.FAULT : 0
  }

  function SET_MEMPOLICY(m: Message, from: number): number {
    const row = state.caller(from)
    if (row === undefined) return -E.SRCH
    if (!isMode(int(m, 0))) return -E.INVAL
    const nodes = nodesAt(row, ulong(m, 1), ulong(m, 2))
    if (typeof nodes === 'number') return nodes
    const policy = newPolicy(int(m, 0), nodes)
    if (policy >= 0) row.policy = policy
    return Math.min(policy, 0)
  }
  function GET_MEMPOLICY(m: Message, from: number): number {
    const row = state.caller(from)
    if (row === undefined) return -E.SRCH
    const [modeAt, nodesTo, max, address] = [ulong(m, 0), ulong(m, 1), ulong(m, 2), ulong(m, 3)]
    const flags = ulong(m, 4)
    if (nodesTo !== 0 && max < 1) return -E.INVAL
    const found = policyFor(row, address, flags)
    if (found.mode < 0) return found.mode
    if (modeAt !== 0 && put32(row, modeAt, found.mode) < 0) return -E.FAULT
    return nodesTo !== 0 ? putMask(row, nodesTo, max, found.first) : 0
  }
  /** What get_mempolicy is to tell: a mode or a node, and whether node 0 is in the set. */
  function policyFor(row: Row, address: number, flags: number): { mode: number; first: boolean } {
    const wrong = { mode: -E.INVAL, first: false }
    if (flags > 7) return wrong
    if (flags & MPOL_F.MEMS_ALLOWED) return flags === MPOL_F.MEMS_ALLOWED ? { mode: 0, first: true } : wrong
    let { policy } = row
    if (flags & MPOL_F.ADDR) {
      const r = row.space.at(address)
      if (r === null) return { mode: -E.FAULT, first: false }
      policy = r.flags & R.POLICY || policy
      if (flags & MPOL_F.NODE && !(r.prot & PROT_READ)) return { mode: -E.FAULT, first: false }
    } else if (address !== 0) return wrong
    const first = ((policy >> SHIFT) & NAMED) !== 0
    if (!(flags & MPOL_F.NODE)) return { mode: modeOf(policy) | flagsOf(policy), first }
    const spread = modeOf(policy) === MPOL.INTERLEAVE || modeOf(policy) === MPOL.WEIGHTED_INTERLEAVE
    return flags & MPOL_F.ADDR || spread ? { mode: 0, first } : wrong
  }

  function MBIND(m: Message, from: number): number {
    const row = state.caller(from)
    if (row === undefined) return -E.SRCH
    const flags = uint(m, 5)
    const mode = int(m, 2)
    if (!isMode(mode)) return -E.INVAL
    const nodes = nodesAt(row, ulong(m, 3), ulong(m, 4))
    if (typeof nodes === 'number') return nodes
    if (flags & ~(MPOL_MF.STRICT | MPOL_MF.MOVE | MPOL_MF.MOVE_ALL)) return -E.INVAL
    if (flags & MPOL_MF.MOVE_ALL && !hasCapability(state, from, CAP_SYS_NICE)) return -E.PERM
    if (isOdd(m, 0)) return -E.INVAL
    const start = ulong(m, 0)
    const end = start + lengthUp(m, 1)
    if (end >= 2 ** 64) return -E.INVAL
    if (start === end) return 0
    const policy = newPolicy(mode, nodes)
    if (policy < 0) return policy
    const isWhole = row.space.covers(start, end)
    if (policy === 0 ? !row.space.overlaps(start, end) : !isWhole) return -E.FAULT
    row.space.change(start, end, -1, policy, R.POLICY)
    return 0
  }
  function HOME_NODE(m: Message, from: number): number {
    const row = state.caller(from)
    if (row === undefined) return -E.SRCH
    if (isOdd(m, 0) || ulong(m, 2) !== 0 || ulong(m, 3) !== 0) return -E.INVAL
    const start = ulong(m, 0)
    const end = start + lengthUp(m, 1)
    if (end >= 2 ** 64) return -E.INVAL
    if (start === end) return 0
    let result = -E.NOENT
    const { regions } = row.space
    for (let i = row.space.index(start); i < regions.length; i++) {
      const r = regions[i]
      if (r === undefined || r.start >= end) break
      const mode = modeOf(r.flags)
      if (mode === MPOL.DEFAULT) continue
      if (mode !== MPOL.BIND && mode !== MPOL.PREFERRED_MANY) return -E.OPNOTSUPP
      result = 0
    }
    return result
  }

  function MIGRATE_PAGES(m: Message, from: number): number {
    const row = state.caller(from)
    if (row === undefined) return -E.SRCH
    const old = nodesAt(row, ulong(m, 2), ulong(m, 1))
    if (typeof old === 'number') return old
    const to = nodesAt(row, ulong(m, 3), ulong(m, 1))
    if (typeof to === 'number') return to
    const other = rowOfPid(state, row, int(m, 0))
    if (typeof other === 'number') return other
    if (to.others && !hasCapability(state, from, CAP_SYS_NICE)) return -E.PERM
    return to.first ? 0 : -E.INVAL
  }
  function MOVE_PAGES(m: Message, from: number): number {
    const row = state.caller(from)
    if (row === undefined) return -E.SRCH
    const flags = uint(m, 5)
    if (flags & ~(MPOL_MF.MOVE | MPOL_MF.MOVE_ALL)) return -E.INVAL
    if (flags & MPOL_MF.MOVE_ALL && !hasCapability(state, from, CAP_SYS_NICE)) return -E.PERM
    const other = rowOfPid(state, row, int(m, 0))
    if (typeof other === 'number') return other
    const count = ulong(m, 1)
    if (count > PAGES_MAX) return -E.TOOBIG
    for (let k = 0; k < count; k += BATCH) {
      const n = Math.min(BATCH, count - k)
      const nodes = ulong(m, 3) === 0 ? 0 : ulong(m, 3) + 4 * k
      const r = moveBatch(row, other, n, ulong(m, 2) + 8 * k, nodes, ulong(m, 4) + 4 * k)
      if (r < 0) return r
    }
    return 0
  }
  function moveBatch(row: Row, other: Row, n: number, pages: number, nodes: number, status: number): number {
    const { view, buffer } = sys
    const wanted = buffer + 8 * n
    if (readAt(state, row, pages, buffer, 8 * n, PROT_READ) < 8 * n) return -E.FAULT
    if (nodes === 0) sys.mem.fill(0, wanted, wanted + 4 * n)
    else if (readAt(state, row, nodes, wanted, 4 * n, PROT_READ) < 4 * n) return -E.FAULT
    for (let k = 0; k < n; k++) {
      if (view.getInt32(wanted + 4 * k, true) !== 0) return -E.NODEV
      const there = other.space.at(Number(view.getBigUint64(buffer + 8 * k, true)))
      view.setInt32(wanted + 4 * k, there !== null && there.prot !== 0 ? 0 : -E.FAULT, true)
    }
    return writeAt(state, row, status, wanted, 4 * n, PROT_WRITE) < 4 * n ? -E.FAULT : 0
  }

  return {
    [VM.MBIND]: MBIND,
    [VM.SET_MEMPOLICY]: SET_MEMPOLICY,
    [VM.GET_MEMPOLICY]: GET_MEMPOLICY,
    [VM.HOME_NODE]: HOME_NODE,
    [VM.MIGRATE_PAGES]: MIGRATE_PAGES,
    [VM.MOVE_PAGES]: MOVE_PAGES,
  }
}
