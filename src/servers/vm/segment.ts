// System V segments as the memory server has them: shared memory that stays without anybody mapping it. Names, permissions and times are
// the ipc server's; it orders (OBJECT_*, ATTACH, DETACH) and hears how many regions map a segment (vm.ts).
// Invariant: a segment is charged from OBJECT_NEW to OBJECT_DROP.
import { GUEST_END } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { EP, high, int, type Message, uint, ulong } from '../../abi/message.ts'
import { MAP_FIXED, PROT_WRITE } from '../../abi/mman.ts'
import type { CallVector } from '../../lib/server.ts'
import { ATTACH_REMAP, VM } from '../../protocol/vm.ts'
import { checkLock } from './budget.ts'
import { mapAt } from './map.ts'
import { memoryBacking, takeMemory } from './object.ts'
import { isOdd, pageUp, place } from './place.ts'
import { type Backing, R, type Region } from './region.ts'
import type { Kept, State } from './state.ts'
import { unmap } from './unmap.ts'

export function segmentCalls(state: State): CallVector {
  const { sys, pool, memory } = state
  /** Calls of the ipc server alone. */
  const ofIpc =
    (call: (m: Message) => number): CallVector[number] =>
    (m, from) =>
      from === EP.IPC ? call(m) : -E.PERM
  const kept = (object: number): Kept | undefined => state.objects.get(object)

  function OBJECT_NEW(m: Message): number {
    const bytes = pageUp(ulong(m, 0))
    const fd = takeMemory(state, bytes)
    if (fd < 0) return fd
    const at = uint(m, 2)
    const name = String.fromCharCode(...sys.mem.subarray(at, at + high(m, 2)))
    const backing = memoryBacking(state, bytes, name, ulong(m, 1))
    backing.counted = state.recounted
    state.objects.set(backing.object, { backing, fd, bytes })
    return backing.object
  }
  function OBJECT_DROP(m: Message): number {
    const one = kept(int(m, 0))
    if (one === undefined) return -E.INVAL
    state.objects.delete(one.backing.object)
    memory.close(one.fd)
    // whoever still maps it (nobody, if the ipc server counts right) has it for himself
    if (one.backing.refs === 0) pool.uncharge(one.backing.charge)
    one.backing.counted = null
    return 0
  }
  function OBJECT_RESIDENT(m: Message): number {
    const one = kept(int(m, 0))
    return one === undefined ? -E.INVAL : memory.resident(one.fd)
  }

  /** What shmat(2) does to the address space (ipc/shm.c do_shmat). */
  function ATTACH(m: Message): number {
    const row = state.caller(int(m, 0))
    const one = kept(int(m, 1))
    if (row === undefined || one === undefined) return -E.INVAL
    const { space } = row
    const wanted = ulong(m, 2)
    const prot = int(m, 3) & 7
    if (wanted !== 0 && !(int(m, 4) & ATTACH_REMAP)) {
      if (wanted + one.bytes >= 2 ** 64 || space.overlaps(wanted, wanted + one.bytes)) return -E.INVAL
    }
    const address = place(space, wanted, one.bytes, wanted === 0 ? 0 : MAP_FIXED, 0)
    if (address < 0) return address
    let flags: number = R.SHARED | (prot & PROT_WRITE ? 0 : R.READONLY)
    if (space.lockFuture !== 0) {
      if (checkLock(state, row, one.bytes, E.AGAIN) < 0) return -E.AGAIN
      flags |= space.lockFuture | (space.lockFuture & R.ONFAULT ? 0 : R.POPULATE)
    }
    const fd = prot & PROT_WRITE ? one.fd : memory.readOnly(one.fd)
    if (fd < 0) return -E.NOMEM
    const failed = mapAt(state, row, address, one.bytes, prot, flags, one.backing, fd, 0)
    if (fd !== one.fd) memory.close(fd)
    return failed < 0 ? failed : address
  }

  /** What shmdt(2) does: the first region that shows a segment as attached at `address`, and what else shows it so (ksys_shmdt). */
  function DETACH(m: Message): number {
    const row = state.caller(int(m, 0))
    const address = ulong(m, 1)
    if (row === undefined || isOdd(m, 1) || address >= GUEST_END) return -E.INVAL
    const { regions } = row.space
    const first = regions.slice(row.space.index(address)).find(r => isSegment(r) && r.start - r.offset === address)
    if (first === undefined) return -E.INVAL
    const { backing } = first
    const end = address + (backing as Backing).charge
    const parts = regions.filter(r => r.backing === backing && r.start - r.offset === address && r.end <= end)
    for (const { start, end: stop } of parts.map(r => ({ ...r }))) {
      const failed = unmap(state, row, start, stop)
      if (failed < 0) return failed
    }
    return 0
  }
  function isSegment(r: Region): boolean {
    return r.backing !== null && r.backing.counted !== null
  }

  return {
    [VM.OBJECT_NEW]: ofIpc(OBJECT_NEW),
    [VM.OBJECT_DROP]: ofIpc(OBJECT_DROP),
    [VM.OBJECT_RESIDENT]: ofIpc(OBJECT_RESIDENT),
    [VM.ATTACH]: ofIpc(ATTACH),
    [VM.DETACH]: ofIpc(DETACH),
  }
}
