// A new image: the messages exec (container/linux/exec.ts) builds an address space with. It places, we decide where and keep account.
import { GUEST_END } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { high, int, type Message, uint, ulong } from '../../abi/message.ts'
import { MAP_ANONYMOUS, PAGE, PROT_EXEC, PROT_READ, PROT_WRITE } from '../../abi/mman.ts'
import type { CallVector } from '../../lib/server.ts'
import { IMAGE, VM } from '../../protocol/vm.ts'
import { mapAt } from './map.ts'
import { checkFixed, GUARD_GAP, pageDown, pageUp, topDown } from './place.ts'
import { type Backing, fileBacking, R } from './region.ts'
import { Space } from './space.ts'
import type { State } from './state.ts'

/** Bits of randomness, in pages: stack top (16 GiB), mmap base (1 TiB), heap start (1 GiB). As Linux on x86-64. */
const STACK_BITS = 22
const MMAP_BITS = 28
const BRK_BITS = 18
/** The stack is mapped whole at exec, so an unlimited one must end somewhere. */
const STACK_MAX = 64 << 20
/** Room below what exec itself writes, however small the limit. */
const STACK_EXTRA = 128 << 10
const GAP_MIN = 128 << 20
const AUXV_MAX = 1024

export function imageCalls(state: State): CallVector {
  const { sys, pool } = state

  function EXECNEW(m: Message): number {
    const row = state.rowOrNew(int(m, 0))
    state.release(row.space)
    const space = new Space(pool)
    row.space = space
    space.stackTop = GUEST_END - state.random(STACK_BITS) * PAGE
    const stack = Math.min(Math.max(row.limits.stack, GAP_MIN), STACK_MAX + GAP_MIN)
    space.base = pageDown(GUEST_END - 2 ** STACK_BITS * PAGE - GUARD_GAP - stack - state.random(MMAP_BITS) * PAGE)
    return 0
  }

  function EXECMAP(m: Message, from: number): number {
    const row = state.caller(from)
    if (row === undefined) return -E.SRCH
    const address = ulong(m, 0)
    const length = ulong(m, 1)
    const handle = int(m, 4)
    const offset = ulong(m, 5)
    if (length === 0 || length % PAGE !== 0 || length > GUEST_END || uint(m, 5) % PAGE !== 0) return -E.INVAL
    const wrong = checkFixed(address, length)
    if (wrong < 0) return wrong
    const memory = handle < 0 || (int(m, 3) & MAP_ANONYMOUS) !== 0
    const backing = memory ? null : fileOf(uint(m, 6), high(m, 6), handle)
    return mapAt(
      state,
      row,
      address,
      length,
      int(m, 2) & 7,
      memory ? 0 : R.HOSTFILE,
      backing,
      memory ? -1 : handle,
      offset,
    )
  }
  /** EXECMAP's file record: u64 device, u64 inode, path. */
  function fileOf(at: number, bytes: number, handle: number): Backing {
    const { mem, view } = sys
    if (bytes < 16) return fileBacking(0, 0, '', handle)
    const u64 = (o: number): number => view.getUint32(o, true) + view.getUint32(o + 4, true) * 2 ** 32
    let name = ''
    for (let i = at + 16; i < at + bytes; i++) name += String.fromCharCode(mem[i] as number)
    return fileBacking(u64(at), u64(at + 8), name, handle)
  }

  function EXECBRK(m: Message, from: number): number {
    const row = state.caller(from)
    if (row === undefined) return -E.SRCH
    const end = pageUp(ulong(m, 0))
    const random = end + state.random(BRK_BITS) * PAGE
    const start = row.space.overlaps(end, random + PAGE) ? end : random
    row.space.startBrk = start
    row.space.brk = start
    return start
  }

  function EXECPLACE(m: Message, from: number): number {
    const row = state.caller(from)
    if (row === undefined) return -E.SRCH
    const alignment = Math.max(ulong(m, 1), PAGE)
    const length = pageUp(ulong(m, 0))
    const lowest = topDown(row.space, length + alignment - PAGE, row.space.base)
    return lowest < 0 ? lowest : Math.ceil(lowest / alignment) * alignment
  }

  function EXECSTACK(m: Message, from: number): number {
    const row = state.caller(from)
    if (row === undefined) return -E.SRCH
    const { space, limits } = row
    const bytes = Math.max(Math.min(limits.stack, STACK_MAX), ulong(m, 0) + STACK_EXTRA)
    const size = pageUp(bytes)
    const prot = PROT_READ | PROT_WRITE | (int(m, 1) & PROT_EXEC)
    const failed = mapAt(state, row, space.stackTop - size, size, prot, R.GROWSDOWN, null, -1, 0)
    return failed < 0 ? failed : space.stackTop
  }

  function EXECIMAGE(m: Message, from: number): number {
    const row = state.caller(from)
    if (row === undefined) return -E.SRCH
    if (high(m, 0) < IMAGE.BYTES || high(m, 0) > IMAGE.BYTES + AUXV_MAX) return -E.INVAL
    row.space.image = sys.mem.slice(uint(m, 0), uint(m, 0) + high(m, 0))
    return 0
  }

  return {
    [VM.EXECIMAGE]: EXECIMAGE,
    [VM.EXECNEW]: EXECNEW,
    [VM.EXECMAP]: EXECMAP,
    [VM.EXECBRK]: EXECBRK,
    [VM.EXECPLACE]: EXECPLACE,
    [VM.EXECSTACK]: EXECSTACK,
  }
}
