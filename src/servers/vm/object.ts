// Shared memory that is no file: what mmap makes for MAP_SHARED | MAP_ANONYMOUS, and System V segments (segment.ts). On the host each is a
// descriptor of its own, passed to those who map it and to nobody else; its size is fixed when it is made, and charged to the pool.
import { E } from '../../abi/errno.ts'
import type { Backing } from './region.ts'
import type { State } from './state.ts'

/** Device number in /proc/PID/maps: the kernel's own tmpfs. */
const SHM_DEV = 1

/** `bytes` (whole pages) of the host's memory, charged: a descriptor, or -ENOMEM. */
export function takeMemory(state: State, bytes: number): number {
  if (!state.pool.allows(bytes)) return -E.NOMEM
  const fd = state.memory.create(bytes)
  if (fd < 0) return -E.NOMEM
  state.pool.charge(bytes)
  return fd
}
/** The backing of memory just taken. */
export function memoryBacking(state: State, bytes: number, name: string, ino = state.nextObject): Backing {
  return { dev: SHM_DEV, ino, name, handle: -1, object: state.nextObject++, refs: 0, charge: bytes, counted: null }
}
