import { expect, test } from 'vitest'
import { fakeMemory } from '../../../test/support/fake-memory.ts'
import { FakeSys } from '../../../test/support/fake-sys.ts'
import { GUEST_END, OP } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { EP, long, TYPE } from '../../abi/message.ts'
import { REGION, REGION_KIND, VM } from '../../protocol/vm.ts'
import { createVm } from './vm.ts'

const GUEST = 40
const A = 0x10000000

function boot() {
  const sys = new FakeSys(EP.VM)
  const vm = sys.attach(createVm(sys, { limit: 1 << 26, memory: fakeMemory() }))
  sys.call(VM.EXECNEW, EP.PM, [GUEST])
  const region = (address: number): [result: number, start: number, end: number, prot: number, kind: number] => {
    const at = sys.grant(REGION.BYTES)
    const result = sys.call(VM.REGION, EP.MACHINE, [GUEST, address, at])
    const u64 = (o: number): number => Number(sys.view.getBigUint64(at.offset + o, true))
    const u32 = (o: number): number => sys.view.getUint32(at.offset + o, true)
    return [result, u64(REGION.START), u64(REGION.END), u32(REGION.PROT), u32(REGION.KIND)]
  }
  return { sys, vm, region }
}

test('regions one by one, and what they are', () => {
  const { sys, region } = boot()
  sys.call(VM.EXECMAP, GUEST, [A, 8192, 5, 2, 70, 0, sys.grant(`${'\0'.repeat(16)}/bin/x`)])
  const stack = sys.call(VM.EXECSTACK, GUEST, [4096, 3])
  expect(region(0)).toEqual([1, A, A + 8192, 5, REGION_KIND.FILE])
  expect(region(A + 8191)).toEqual([1, A, A + 8192, 5, REGION_KIND.FILE])
  expect(region(A + 8192)).toEqual([1, expect.any(Number), stack, 3, REGION_KIND.STACK])
  expect(region(GUEST_END)[0]).toBe(0)
  expect(sys.call(VM.REGION, GUEST, [GUEST, 0, sys.grant(REGION.BYTES)])).toBe(-E.PERM)
  expect(sys.call(VM.REGION, EP.PM, [99, 0, sys.grant(REGION.BYTES)])).toBe(-E.SRCH)
})

test('a space emptied and made anew, within the limits', () => {
  const { sys, vm, region } = boot()
  sys.call(VM.EXECMAP, GUEST, [A, 8192, 3, 2, -1, 0, null])
  sys.calls.length = 0
  expect(sys.call(VM.EMPTY, EP.MACHINE, [GUEST])).toBe(0)
  expect(sys.calls.map(c => c[2])).toEqual([OP.MUNMAP, OP.MUNMAP])
  expect(vm.pool.committed).toBe(0)
  expect(sys.call(VM.ADOPT, EP.MACHINE, [GUEST, A, A + 4096, 1, 0])).toBe(0)
  expect(region(0)).toEqual([1, A, A + 4096, 1, REGION_KIND.ANONYMOUS])
  expect(sys.call(VM.ADOPT, EP.MACHINE, [GUEST, A, A + 2 ** 30, 3, 0])).toBe(-E.NOMEM)
  expect(sys.call(VM.ADOPT, EP.MACHINE, [GUEST, A + 1, A + 4097, 3, 0])).toBe(-E.INVAL)
  expect(sys.call(VM.ADOPT, EP.MACHINE, [GUEST, GUEST_END - 4096, GUEST_END + 4096, 3, 0])).toBe(-E.NOMEM)
  const m = sys.message(VM.LAYOUT, [GUEST, 1, 0x7000_0000, 0x8000_0000, 0x2000_0000, 0x2000_1000])
  expect(sys.deliver(m, EP.MACHINE)).toBe(0)
  m[TYPE] = VM.LAYOUT
  expect([1, 2, 3, 4].map(k => long(m, k))).toEqual([0x7000_0000, 0x8000_0000, 0x2000_0000, 0x2000_1000])
})
