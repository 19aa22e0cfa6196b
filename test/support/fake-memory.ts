// HostMemory for unit tests: descriptors 500, 501, …, with nothing behind them.
import { E } from '../../src/abi/errno.ts'
import type { HostMemory } from '../../src/lib/hostmemory.ts'

export function fakeMemory(): HostMemory & { open: Set<number> } {
  let next = 500
  const open = new Set<number>()
  const create = (): number => {
    open.add(next)
    return next++
  }
  return { open, create, readOnly: create, resident: () => 0, close: fd => (open.delete(fd) ? 0 : -E.BADF) }
}
