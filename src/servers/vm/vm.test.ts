import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fakeMemory } from '../../../test/support/fake-memory.ts'
import { FakeSys } from '../../../test/support/fake-sys.ts'
import { GUEST_END, OP } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { EP, int, long, setInt, setLong } from '../../abi/message.ts'
import { SIG } from '../../abi/signals.ts'
import { FS } from '../../protocol/fs.ts'
import { PM } from '../../protocol/pm.ts'
import { VM } from '../../protocol/vm.ts'
import { createVm, type VmOptions } from './vm.ts'

const GUEST = 40
const CHILD = 41
const PAGE = 4096
const K = 1024
const M = K * K
const [NONE, READ, RW, RX] = [0, 1, 3, 5]
const [SHARED, PRIVATE, FIXED, ANON, NOREPLACE, GROWS, NORESERVE] = [1, 2, 0x10, 0x20, 0x100000, 0x100, 0x4000]
/** A place far from everything. */
const A = 0x10000000

function boot(options: Partial<VmOptions> = {}) {
  const sys = new FakeSys(EP.VM)
  const memory = fakeMemory()
  const vm = sys.attach(createVm(sys, { memory, ...options }))
  let capabilities = 0
  sys.stub(EP.FS, {
    [FS.MAP]: m => {
      const fd = int(m, 1)
      if (fd > 9) return -E.BADF
      const path = fd === 5 ? '/dev/zero' : `/lib/file${fd}`
      for (let i = 0; i < path.length; i++) sys.mem[sys.buffer + i] = path.charCodeAt(i)
      setInt(m, 1, fd === 5 ? 1 : fd === 4 ? 2 : 0)
      setLong(m, 2, 1000 + fd)
      setLong(m, 3, 0xfe00)
      return 70 + fd
    },
  })
  sys.stub(EP.PM, {
    [PM.GETCRED]: () => {
      sys.view.setUint32(sys.buffer + 168, capabilities, true)
      return 0
    },
  })
  sys.call(VM.EXECNEW, EP.PM, [GUEST])
  return {
    sys,
    vm,
    call: (type: number, ...cells: number[]) => sys.call(type, GUEST, cells),
    mmap: (address: number, length: number, prot = RW, flags = PRIVATE | ANON, fd = -1, offset = 0) =>
      sys.call(VM.MMAP, GUEST, [address, length, prot, flags, fd, offset]),
    maps: (who = GUEST) => {
      sys.release()
      const g = sys.grant(64 * K)
      const n = sys.call(VM.MAPS, EP.FS, [who, g, 0, 0])
      return n < 0 ? [] : sys.text(g, n).split('\n').slice(0, -1)
    },
    /** Host operations ordered since the last look: [op, address, length, third argument]. */
    ops: () => {
      const done = sys.calls.filter(c => c[0] === 'vmctl').map(c => c.slice(2, 6))
      sys.calls.length = 0
      return done
    },
    privileged: () => {
      capabilities = 1 << 14
    },
  }
}
type Machine = ReturnType<typeof boot>
/** Regions at A, as [start page, end page, rwxp]. */
function shape(m: Machine, who = GUEST): [number, number, string][] {
  return m.maps(who).map(line => {
    const [range = '', mode = ''] = line.split(' ')
    const [start, end] = range.split('-').map(x => (Number.parseInt(x, 16) - A) / PAGE) as [number, number]
    return [start, end, mode]
  })
}
const at = (page: number) => A + page * PAGE

describe('mmap', () => {
  const rows: [name: string, args: number[], expected: number][] = [
    ['no length', [A, 0, RW, PRIVATE | ANON, -1, 0], -E.INVAL],
    ['neither shared nor private', [A, PAGE, RW, ANON, -1, 0], -E.INVAL],
    ['MAP_SHARED_VALIDATE without a file', [A, PAGE, RW, 3 | ANON, -1, 0], -E.INVAL],
    ['offset inside a page', [A, PAGE, RW, PRIVATE | ANON, -1, 100], -E.INVAL],
    ['length beyond the address space', [0, GUEST_END + PAGE, RW, PRIVATE | ANON, -1, 0], -E.NOMEM],
    ['length that wraps', [0, -1, RW, PRIVATE | ANON, -1, 0], -E.NOMEM],
    ['fixed, inside a page', [A + 8, PAGE, RW, PRIVATE | ANON | FIXED, -1, 0], -E.INVAL],
    ['fixed, at the end', [GUEST_END, PAGE, RW, PRIVATE | ANON | FIXED, -1, 0], -E.NOMEM],
    ['fixed, below mmap_min_addr', [0, PAGE, RW, PRIVATE | ANON | FIXED, -1, 0], -E.PERM],
    ['fixed, over the patch table', [0x5f000, 4 * PAGE, RW, PRIVATE | ANON | FIXED, -1, 0], -E.PERM],
    ['hint taken', [A, PAGE, RW, PRIVATE | ANON, -1, 0], A],
    ['hint rounded down', [A + 5, PAGE, RW, PRIVATE | ANON, -1, 0], A],
    ['hint rounded up to mmap_min_addr', [0x2000, PAGE, RW, PRIVATE | ANON, -1, 0], 0x10000],
    ['no such fd', [0, PAGE, READ, PRIVATE, 44, 0], -E.BADF],
    ['shared and growing', [0, PAGE, RW, SHARED | ANON | GROWS, -1, 0], -E.INVAL],
    ['file and growing', [0, PAGE, RW, PRIVATE | GROWS, 3, 0], -E.INVAL],
    ['validated flags of a file', [0, PAGE, READ, 3 | 0x80000, 3, 0], -E.OPNOTSUPP],
    ['huge pages', [0, 2 * M, RW, PRIVATE | ANON | 0x40000, -1, 0], -E.NOMEM],
    ['huge pages of no known size', [0, 2 * M, RW, PRIVATE | ANON | 0x40000 | (9 << 26), -1, 0], -E.INVAL],
    ['file as huge pages', [0, 2 * M, RW, PRIVATE | 0x40000, 3, 0], -E.INVAL],
    ['file offset beyond all files', [0, PAGE, READ, PRIVATE, 3, 2 ** 63], -E.OVERFLOW],
  ]
  it.each(rows)('%s', (_name, args, expected) => {
    expect(boot().call(VM.MMAP, ...args)).toBe(expected)
  })

  it('places top-down below the base, next to what is there', () => {
    const m = boot()
    const first = m.mmap(0, 3 * PAGE)
    expect(first).toBeGreaterThan(0x700000000000)
    expect(m.mmap(0, PAGE)).toBe(first - PAGE)
    expect(m.mmap(first, PAGE)).toBe(first - 2 * PAGE)
    expect(m.maps()).toHaveLength(1)
  })
  it('fills the highest hole that is big enough', () => {
    const m = boot()
    const top = m.mmap(0, 8 * PAGE)
    m.call(VM.MUNMAP, top + PAGE, 2 * PAGE)
    m.call(VM.MUNMAP, top + 5 * PAGE, PAGE)
    expect(m.mmap(0, 2 * PAGE)).toBe(top + PAGE)
    expect(m.mmap(0, PAGE)).toBe(top + 5 * PAGE)
    expect(m.mmap(0, PAGE)).toBe(top - PAGE)
  })
  it('keeps the low 2 GiB for MAP_32BIT', () => {
    const a = boot().mmap(0, PAGE, RW, PRIVATE | ANON | 0x40)
    expect(a).toBeGreaterThanOrEqual(0x40000000)
    expect(a).toBeLessThan(0x80000000)
  })
  it('replaces with MAP_FIXED and refuses with MAP_FIXED_NOREPLACE', () => {
    const m = boot()
    m.mmap(A, 4 * PAGE)
    expect(m.mmap(at(1), 2 * PAGE, READ, PRIVATE | ANON | NOREPLACE)).toBe(-E.EXIST)
    expect(m.mmap(at(1), 2 * PAGE, READ, PRIVATE | ANON | FIXED)).toBe(at(1))
    expect(shape(m)).toEqual([
      [0, 1, 'rw-p'],
      [1, 3, 'r--p'],
      [3, 4, 'rw-p'],
    ])
    expect(m.vm.pool.committed).toBe(2 * PAGE)
  })
  it('orders the host: always fixed, files by handle', () => {
    const m = boot()
    m.ops()
    m.mmap(A, 2 * PAGE - 7)
    m.mmap(at(4), PAGE, RX, PRIVATE, 3, 0x2000)
    expect(m.sys.calls.filter(c => c[0] === 'vmctl').map(c => c.slice(1))).toEqual([
      [GUEST, OP.MMAP, A, 2 * PAGE, RW, PRIVATE | FIXED | ANON | 0x4000, 0, -1, 0],
      [GUEST, OP.MMAP, at(4), PAGE, RX, PRIVATE | FIXED | 0x4000, 0, 73, 0x2000],
    ])
    expect(m.maps()[1]).toBe('10004000-10005000 r-xp 00002000 fe:00 1003                               /lib/file3')
  })
  it('changes nothing when the host operation is refused, and undoes it when it fails later', () => {
    const m = boot()
    m.sys.results.vmctl = -E.NOMEM
    expect(m.mmap(A, PAGE)).toBe(-E.NOMEM)
    m.sys.results.vmctl = 0
    expect(m.maps()).toEqual([])
    m.mmap(A, PAGE)
    m.mmap(at(8), PAGE)
    m.ops()
    m.call(VM.FAILED)
    expect(m.ops()).toEqual([[OP.MUNMAP, at(8), PAGE, 0]])
    expect(shape(m)).toEqual([[0, 1, 'rw-p']])
    m.call(VM.MUNMAP, A, PAGE)
    m.call(VM.FAILED)
    expect(m.vm.pool.committed).toBe(0)
  })
  it('maps a zero-fill device as memory, shared memory as an object', () => {
    const m = boot()
    m.mmap(A, PAGE, RW, PRIVATE, 5)
    m.mmap(at(4), PAGE, RW, SHARED | ANON)
    expect(m.maps()[0]).toBe('10000000-10001000 rw-p 00000000 00:00 0 ')
    expect(m.maps()[1]).toBe(
      '10004000-10005000 rw-s 00000000 00:01 1                                  /dev/zero (deleted)',
    )
  })
})

describe('regions', () => {
  type Do = [call: 'mmap' | 'munmap' | 'mprotect', ...args: number[]]
  const rows: [name: string, steps: Do[], expected: [number, number, string][]][] = [
    [
      'neighbours alike are one',
      [
        ['mmap', 0, 1, RW],
        ['mmap', 1, 1, RW],
      ],
      [[0, 2, 'rw-p']],
    ],
    [
      'neighbours that differ stay two',
      [
        ['mmap', 0, 1, RW],
        ['mmap', 1, 1, READ],
      ],
      [
        [0, 1, 'rw-p'],
        [1, 2, 'r--p'],
      ],
    ],
    [
      'a hole closes',
      [
        ['mmap', 0, 1, RW],
        ['mmap', 2, 1, RW],
        ['mmap', 1, 1, RW],
      ],
      [[0, 3, 'rw-p']],
    ],
    [
      'unmap in the middle',
      [
        ['mmap', 0, 5, RW],
        ['munmap', 1, 2],
      ],
      [
        [0, 1, 'rw-p'],
        [3, 5, 'rw-p'],
      ],
    ],
    [
      'unmap across several',
      [
        ['mmap', 0, 2, RW],
        ['mmap', 2, 2, READ],
        ['mmap', 5, 2, RW],
        ['munmap', 1, 5],
      ],
      [
        [0, 1, 'rw-p'],
        [6, 7, 'rw-p'],
      ],
    ],
    [
      'unmap of nothing',
      [
        ['mmap', 0, 1, RW],
        ['munmap', 4, 2],
      ],
      [[0, 1, 'rw-p']],
    ],
    [
      'protect in the middle and back',
      [
        ['mmap', 0, 3, RW],
        ['mprotect', 1, 1, NONE],
        ['mprotect', 1, 1, RW],
      ],
      [[0, 3, 'rw-p']],
    ],
    [
      'protect across two makes one',
      [
        ['mmap', 0, 2, RW],
        ['mmap', 2, 2, RX],
        ['mprotect', 2, 2, RW],
        ['mprotect', 0, 4, RX],
      ],
      [[0, 4, 'r-xp']],
    ],
  ]
  it.each(rows)('%s', (_name, steps, expected) => {
    const m = boot()
    for (const [call, page = 0, pages = 0, prot = 0] of steps) {
      const r =
        call === 'mmap'
          ? m.mmap(at(page), pages * PAGE, prot, PRIVATE | ANON | FIXED)
          : call === 'munmap'
            ? m.call(VM.MUNMAP, at(page), pages * PAGE)
            : m.call(VM.MPROTECT, at(page), pages * PAGE, prot)
      expect(r).toBeGreaterThanOrEqual(0)
    }
    // read-only private memory that was writable once stays charged, and so apart in Linux too
    expect(shape(m)).toEqual(expected)
  })

  it('always agrees with a page table', () => {
    const step = fc.record({
      what: fc.nat(2),
      page: fc.nat(15),
      pages: fc.integer({ min: 1, max: 6 }),
      prot: fc.constantFrom(NONE, READ, RW, RX),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), steps => {
        const m = boot()
        const table = new Map<number, number>()
        for (const { what, page, pages, prot } of steps) {
          const range = Array.from({ length: pages }, (_, i) => page + i)
          if (what === 0) {
            m.mmap(at(page), pages * PAGE, prot, PRIVATE | ANON | FIXED)
            for (const p of range) table.set(p, prot)
          } else if (what === 1) {
            m.call(VM.MUNMAP, at(page), pages * PAGE)
            for (const p of range) table.delete(p)
          } else {
            const r = m.call(VM.MPROTECT, at(page), pages * PAGE, prot)
            const hole = range.findIndex(p => !table.has(p))
            expect(r).toBe(hole < 0 ? 0 : -E.NOMEM)
            for (const p of hole < 0 ? range : range.slice(0, hole)) table.set(p, prot)
          }
        }
        const seen = new Map<number, number>()
        for (const [start, end, mode] of shape(m)) {
          const prot = (mode[0] === 'r' ? 1 : 0) | (mode[1] === 'w' ? 2 : 0) | (mode[2] === 'x' ? 4 : 0)
          for (let p = start; p < end; p++) seen.set(p, prot)
        }
        expect(seen).toEqual(new Map([...table].sort((a, b) => a[0] - b[0])))
        m.call(VM.MUNMAP, 0, GUEST_END)
        expect(m.vm.pool.committed).toBe(0)
      }),
      { numRuns: 200 },
    )
  })

  it('leaves the patch table alone when everything is unmapped', () => {
    const m = boot()
    m.mmap(0x10000, PAGE, RW, PRIVATE | ANON | FIXED)
    m.mmap(A, PAGE)
    m.ops()
    expect(m.call(VM.MUNMAP, 0, GUEST_END)).toBe(0)
    expect(m.ops()).toEqual([
      [OP.MUNMAP, 0x10000, 0x50000, 0],
      [OP.MUNMAP, 0x64000, A + PAGE - 0x64000, 0],
    ])
  })
})

describe('munmap and mprotect errors', () => {
  const rows: [name: string, type: number, args: number[], expected: number][] = [
    ['munmap inside a page', VM.MUNMAP, [A + 1, PAGE], -E.INVAL],
    ['munmap of no bytes', VM.MUNMAP, [A, 0], -E.INVAL],
    ['munmap past the end', VM.MUNMAP, [GUEST_END - PAGE, 2 * PAGE], -E.INVAL],
    ['munmap of less than a page', VM.MUNMAP, [A, 1], 0],
    ['mprotect inside a page', VM.MPROTECT, [A + 1, PAGE, RW], -E.INVAL],
    ['mprotect of no bytes', VM.MPROTECT, [A, 0, RW], 0],
    ['mprotect of a hole', VM.MPROTECT, [at(9), PAGE, RW], -E.NOMEM],
    ['mprotect to nonsense', VM.MPROTECT, [A, PAGE, 0x40], -E.INVAL],
    ['mprotect that wraps', VM.MPROTECT, [A, -PAGE, RW], -E.NOMEM],
    ['mprotect growing both ways', VM.MPROTECT, [A, PAGE, 0x03000000], -E.INVAL],
    ['mprotect of what does not grow', VM.MPROTECT, [A, PAGE, 0x01000000], -E.INVAL],
    ['mprotect to write a shared file open for reading', VM.MPROTECT, [at(2), PAGE, RW], -E.ACCES],
    ['mprotect to write a shared file open for writing', VM.MPROTECT, [at(3), PAGE, RW], 0],
  ]
  it.each(rows)('%s', (_name, type, args, expected) => {
    const m = boot()
    m.mmap(A, 2 * PAGE)
    m.mmap(at(2), PAGE, READ, SHARED | FIXED, 3)
    m.mmap(at(3), PAGE, READ, SHARED | FIXED, 4)
    expect(m.call(type, ...args)).toBe(expected)
  })
})

describe('brk', () => {
  it('grows, shrinks and refuses', () => {
    const m = boot()
    const start = m.call(VM.EXECBRK, A)
    expect(start).toBeGreaterThanOrEqual(A)
    expect(m.call(VM.BRK, 0)).toBe(start)
    expect(m.call(VM.BRK, start + 5000)).toBe(start + 5000)
    expect(m.maps()).toEqual([expect.stringContaining('[heap]')])
    expect(m.call(VM.BRK, start + 10)).toBe(start + 10)
    expect(m.vm.pool.committed).toBe(PAGE)
    m.mmap(start + 2 * PAGE, PAGE, RW, PRIVATE | ANON | FIXED)
    expect(m.call(VM.BRK, start + 2 * PAGE)).toBe(start + 10)
    expect(m.call(VM.BRK, GUEST_END + PAGE)).toBe(start + 10)
    expect(m.call(VM.BRK, start)).toBe(start)
    expect(m.call(VM.BRK, start - 1)).toBe(start)
  })
  it('is undone when the host fails', () => {
    const m = boot()
    const start = m.call(VM.EXECBRK, A)
    m.call(VM.BRK, start + PAGE)
    m.call(VM.FAILED)
    expect(m.call(VM.BRK, 0)).toBe(start)
    expect(m.maps()).toEqual([])
  })
})

describe('mremap', () => {
  const [MAYMOVE, FIX, KEEP] = [1, 2, 4]
  const rows: [name: string, args: number[], expected: number][] = [
    ['unknown flags', [A, PAGE, PAGE, 8, 0], -E.INVAL],
    ['fixed without maymove', [A, PAGE, PAGE, FIX, 0], -E.INVAL],
    ['inside a page', [A + 1, PAGE, PAGE, 0, 0], -E.INVAL],
    ['to nothing', [A, PAGE, 0, 0, 0], -E.INVAL],
    ['of nothing there', [at(20), PAGE, PAGE, 0, 0], -E.FAULT],
    ['shrink', [A, 4 * PAGE, PAGE, 0, 0], A],
    ['grow into the next', [A, 4 * PAGE, 5 * PAGE, 0, 0], -E.NOMEM],
    ['grow a part', [A, PAGE, 2 * PAGE, 0, 0], -E.NOMEM],
    ['grow in place', [at(4), PAGE, 3 * PAGE, 0, 0], at(4)],
    ['old length across regions', [A, 5 * PAGE, 6 * PAGE, MAYMOVE, 0], -E.FAULT],
    ['fixed onto itself', [A, 2 * PAGE, 2 * PAGE, MAYMOVE | FIX, at(1)], -E.INVAL],
    ['fixed inside a page', [A, PAGE, PAGE, MAYMOVE | FIX, at(9) + 1], -E.INVAL],
    ['fixed below mmap_min_addr', [A, PAGE, PAGE, MAYMOVE | FIX, 0], -E.PERM],
    ['fixed elsewhere', [A, PAGE, PAGE, MAYMOVE | FIX, at(9)], at(9)],
    ['copy of private memory', [A, 0, PAGE, MAYMOVE, 0], -E.INVAL],
    ['keep the old and grow', [A, PAGE, 2 * PAGE, MAYMOVE | KEEP, 0], -E.INVAL],
    ['keep the old in place', [A, PAGE, PAGE, KEEP, 0], -E.INVAL],
    ['keep the old', [A, PAGE, PAGE, MAYMOVE | KEEP | FIX, at(9)], at(9)],
  ]
  it.each(rows)('%s', (_name, args, expected) => {
    const m = boot()
    m.mmap(A, 4 * PAGE)
    m.mmap(at(4), PAGE, READ)
    expect(m.call(VM.MREMAP, ...args)).toBe(expected)
  })
  it('moves', () => {
    const m = boot()
    m.mmap(A, 2 * PAGE)
    m.mmap(at(2), PAGE, READ)
    m.ops()
    const to = m.call(VM.MREMAP, A, 2 * PAGE, 8 * PAGE, MAYMOVE, 0)
    expect(to).toBeGreaterThan(0x700000000000)
    expect(m.ops()).toEqual([[OP.MREMAP, A, 2 * PAGE, 8 * PAGE]])
    expect(shape(m)[0]).toEqual([2, 3, 'r--p'])
    expect(m.vm.pool.committed).toBe(8 * PAGE)
    expect(m.call(VM.MREMAP, to, 8 * PAGE, 2 * PAGE, MAYMOVE | FIX, at(1))).toBe(at(1))
    expect(shape(m)).toEqual([[1, 3, 'rw-p']])
    expect(m.vm.pool.committed).toBe(2 * PAGE)
  })
})

it('mremap is undone when the host fails', () => {
  const m = boot()
  m.mmap(A, 2 * PAGE)
  m.call(VM.MREMAP, A, 2 * PAGE, 8 * PAGE, 1, 0)
  m.call(VM.FAILED)
  expect(shape(m)).toEqual([[0, 2, 'rw-p']])
  expect(m.vm.pool.committed).toBe(2 * PAGE)
})

describe('advice', () => {
  const rows: [name: string, type: number, args: number[], expected: number][] = [
    ['madvise inside a page', VM.MADVISE, [A + 1, PAGE, 4], -E.INVAL],
    ['unknown advice', VM.MADVISE, [A, PAGE, 77], -E.INVAL],
    ['poison', VM.MADVISE, [A, PAGE, 100], -E.PERM],
    ['madvise of no bytes', VM.MADVISE, [A, 0, 4], 0],
    ['madvise across a hole', VM.MADVISE, [A, 4 * PAGE, 4], -E.NOMEM],
    ['madvise free of a file', VM.MADVISE, [at(3), PAGE, 8], -E.INVAL],
    ['madvise wipeonfork of a file', VM.MADVISE, [at(3), PAGE, 18], -E.INVAL],
    ['msync', VM.MSYNC, [A, PAGE, 4], 0],
    ['msync both ways', VM.MSYNC, [A, PAGE, 5], -E.INVAL],
    ['msync of a hole', VM.MSYNC, [A, 3 * PAGE, 4], -E.NOMEM],
    ['mlock of a hole', VM.MLOCK, [A, 3 * PAGE, 0], -E.NOMEM],
    ['mlock2 with unknown flags', VM.MLOCK, [A, PAGE, 2], -E.INVAL],
    ['mlock beyond the limit', VM.MLOCK, [A, 9 * M, 0], -E.NOMEM],
    ['mlockall of nothing', VM.MLOCKALL, [0], -E.INVAL],
    ['mlockall', VM.MLOCKALL, [3], 0],
    ['membarrier query', VM.MEMBARRIER, [0, 0, 0], 0],
    ['membarrier command', VM.MEMBARRIER, [8, 0, 0], -E.INVAL],
  ]
  it.each(rows)('%s', (_name, type, args, expected) => {
    const m = boot()
    m.mmap(A, 2 * PAGE)
    m.mmap(at(3), PAGE, READ, PRIVATE, 3)
    expect(m.call(type, ...args)).toBe(expected)
  })
  it('is passed to the host only where it matters', () => {
    const m = boot()
    m.mmap(A, 2 * PAGE)
    m.ops()
    m.call(VM.MADVISE, A, PAGE, 3)
    expect(m.ops()).toEqual([])
    m.call(VM.MADVISE, A, PAGE, 4)
    expect(m.ops()).toEqual([[OP.MADVISE, A, PAGE, 4]])
  })
  it('locks against the limit unless privileged, and refuses DONTNEED then', () => {
    const m = boot()
    m.mmap(A, 2 * PAGE)
    m.sys.call(VM.SETLIMIT, EP.PM, [GUEST, 8, PAGE])
    expect(m.call(VM.MLOCK, A, 2 * PAGE, 0)).toBe(-E.NOMEM)
    expect(m.call(VM.MLOCK, A, PAGE, 0)).toBe(0)
    expect(shape(m)).toHaveLength(2)
    expect(m.call(VM.MADVISE, A, PAGE, 4)).toBe(-E.INVAL)
    m.privileged()
    expect(m.call(VM.MLOCK, A, 2 * PAGE, 0)).toBe(0)
    expect(m.call(VM.MUNLOCKALL)).toBe(0)
    expect(shape(m)).toHaveLength(1)
  })
  it('asks the host which pages are in memory', () => {
    const m = boot()
    m.mmap(A, 2 * PAGE)
    m.ops()
    const vec = m.sys.grant(4)
    expect(m.sys.call(VM.MINCORE, GUEST, [A, 2 * PAGE, vec])).toBe(0)
    expect(m.ops()).toEqual([[OP.MINCORE, A, 2 * PAGE, vec.offset]])
    expect(m.sys.call(VM.MINCORE, GUEST, [A, 3 * PAGE, vec])).toBe(-E.NOMEM)
    expect(m.sys.call(VM.MINCORE, GUEST, [A + 1, PAGE, vec])).toBe(-E.INVAL)
    expect(m.sys.call(VM.MINCORE, GUEST, [-1, PAGE, vec])).toBe(-E.INVAL)
  })
  it('passes barriers on to those who registered', () => {
    const m = boot({ barriers: 0x3ff })
    expect(m.call(VM.MEMBARRIER, 0, 0, 0)).toBe(0x27f)
    expect(m.call(VM.MEMBARRIER, 8, 0, 0)).toBe(-E.PERM)
    expect(m.call(VM.MEMBARRIER, 16, 0, 0)).toBe(0)
    expect(m.call(VM.MEMBARRIER, 512, 0, 0)).toBe(16)
    m.ops()
    expect(m.call(VM.MEMBARRIER, 8, 0, 0)).toBe(0)
    expect(m.ops()).toEqual([[OP.MEMBARRIER, 8, 0, 0]])
    expect(m.call(VM.MEMBARRIER, 24, 0, 0)).toBe(-E.INVAL)
    expect(m.call(VM.MEMBARRIER, 8, 1, 0)).toBe(-E.INVAL)
    expect(m.call(VM.MEMBARRIER, 128, 0, 0)).toBe(-E.INVAL)
  })
})

describe('limits', () => {
  it('RLIMIT_AS and RLIMIT_DATA', () => {
    const m = boot()
    m.sys.call(VM.SETLIMIT, EP.PM, [GUEST, 9, 4 * PAGE])
    expect(m.mmap(A, 5 * PAGE)).toBe(-E.NOMEM)
    expect(m.mmap(A, 4 * PAGE, NONE)).toBe(A)
    expect(m.mmap(A, 4 * PAGE, NONE, PRIVATE | ANON | FIXED)).toBe(A)
    expect(m.mmap(at(4), PAGE, NONE)).toBe(-E.NOMEM)
    m.sys.call(VM.SETLIMIT, EP.PM, [GUEST, 9, -1])
    m.sys.call(VM.SETLIMIT, EP.PM, [GUEST, 2, PAGE])
    expect(m.mmap(at(8), 2 * PAGE)).toBe(-E.NOMEM)
    expect(m.call(VM.MPROTECT, A, 2 * PAGE, RW)).toBe(-E.NOMEM)
    expect(m.call(VM.MPROTECT, A, PAGE, RW)).toBe(0)
  })
  const rows: [name: string, options: Partial<VmOptions>, flags: number, first: number, second: number][] = [
    ['strict: the sum counts', { limit: 4 * PAGE }, 0, 3, -1],
    ['strict: MAP_NORESERVE is not promised anything', { limit: 4 * PAGE }, 0x4000, 3, 3],
    ['strict: MAP_NORESERVE beyond all there is', { limit: 4 * PAGE }, 0x4000, 5, 3],
    ['heuristic: one demand counts', { limit: 4 * PAGE, overcommit: 0 }, 0, 3, 3],
    ['heuristic: too much at once', { limit: 4 * PAGE, overcommit: 0 }, 0, 5, -1],
    ['always', { limit: 4 * PAGE, overcommit: 1 }, 0, 5, 5],
  ]
  it.each(rows)('%s', (_name, options, flags, first, second) => {
    const m = boot(options)
    const ask = (page: number, n: number) => m.mmap(at(page), Math.abs(n) * PAGE, RW, PRIVATE | ANON | flags)
    if (first === 5 && second === -1) {
      expect(ask(0, 5)).toBe(-E.NOMEM)
      return
    }
    expect(ask(0, first)).toBe(A)
    expect(ask(16, second < 0 ? 3 : second)).toBe(second < 0 ? -E.NOMEM : at(16))
  })
  it('charges MAP_NORESERVE only while there is some left', () => {
    const m = boot({ limit: 4 * PAGE })
    m.mmap(A, 3 * PAGE, NONE, PRIVATE | ANON | NORESERVE)
    expect(m.vm.pool.committed).toBe(0)
    m.call(VM.MPROTECT, A, 3 * PAGE, RW)
    expect(m.vm.pool.committed).toBe(3 * PAGE)
    m.call(VM.MPROTECT, A, PAGE, NONE)
    expect(m.vm.pool.committed).toBe(2 * PAGE)
    m.mmap(at(16), 9 * PAGE, RW, PRIVATE | ANON | NORESERVE)
    expect(m.vm.pool.committed).toBe(2 * PAGE)
    expect(m.sys.allowed.get(GUEST)).toEqual([11 * PAGE, 2 * PAGE])
  })
  it('tells the host what a process may have, also a child', () => {
    const m = boot()
    m.mmap(A, 3 * PAGE)
    m.mmap(at(16), 3 * PAGE, READ)
    m.mmap(at(32), 3 * PAGE, RW, SHARED | ANON)
    expect(m.sys.allowed.get(GUEST)).toEqual([3 * PAGE, 3 * PAGE])
    m.call(VM.MPROTECT, A, PAGE, READ) // it was written: it may be there
    expect(m.sys.allowed.get(GUEST)).toEqual([3 * PAGE, 3 * PAGE])
    expect(m.sys.call(VM.FORK, EP.PM, [GUEST, CHILD, 0])).toBe(0)
    expect(m.sys.allowed.get(CHILD)).toEqual([3 * PAGE, 3 * PAGE])
    m.call(VM.MUNMAP, A, 2 * PAGE)
    expect(m.sys.allowed.get(GUEST)).toEqual([PAGE, PAGE])
  })
  it('charges what the host finds, and kills who has most when that is too much', () => {
    const m = boot({ limit: 8 * PAGE })
    m.mmap(A, 2 * PAGE)
    m.sys.call(VM.FORK, EP.PM, [GUEST, CHILD, 0])
    const find = (...found: [number, number][]) => {
      m.sys.calls.length = 0
      m.sys.excesses.push(...found)
      m.sys.notification(EP.HARDWARE)
      return m.sys.calls.filter(c => c[0] === 'kill')
    }
    expect(find([CHILD, 3 * PAGE])).toEqual([])
    expect(m.vm.pool.committed).toBe(7 * PAGE)
    expect(find([CHILD, 2 * PAGE], [GUEST, PAGE])).toEqual([])
    expect(find([GUEST, 3 * PAGE])).toEqual([['kill', GUEST, SIG.KILL]])
    expect(find([CHILD, 5 * PAGE])).toEqual([]) // who is dying leaves enough
    expect(find([CHILD, 9 * PAGE])).toEqual([['kill', CHILD, SIG.KILL]])
    m.sys.call(VM.EXIT, EP.PM, [CHILD])
    m.sys.call(VM.EXIT, EP.PM, [GUEST])
    expect(m.vm.pool.committed).toBe(0)
  })
  it('charges what becomes writable, and a fork', () => {
    const m = boot({ limit: 4 * PAGE })
    m.mmap(A, 3 * PAGE, READ)
    expect(m.vm.pool.committed).toBe(0)
    expect(m.call(VM.MPROTECT, A, 3 * PAGE, RW)).toBe(0)
    expect(m.vm.pool.committed).toBe(3 * PAGE)
    expect(m.sys.call(VM.FORK, EP.PM, [GUEST, CHILD, 17])).toBe(-E.NOMEM)
    m.call(VM.MUNMAP, A, PAGE)
    expect(m.sys.call(VM.FORK, EP.PM, [GUEST, CHILD, 17])).toBe(0)
    expect(m.vm.pool.committed).toBe(4 * PAGE)
    m.sys.call(VM.EXIT, EP.PM, [CHILD])
    expect(m.vm.pool.committed).toBe(2 * PAGE)
  })
  it('charges shared memory once, until nobody maps it', () => {
    const m = boot()
    m.mmap(A, 4 * PAGE, RW, SHARED | ANON)
    m.sys.call(VM.FORK, EP.PM, [GUEST, CHILD, 17])
    m.call(VM.MUNMAP, A, 4 * PAGE)
    expect(m.vm.pool.committed).toBe(4 * PAGE)
    m.sys.call(VM.MUNMAP, CHILD, [at(1), 2 * PAGE])
    expect(m.vm.pool.committed).toBe(4 * PAGE)
    m.sys.call(VM.EXIT, EP.PM, [CHILD])
    expect(m.vm.pool.committed).toBe(0)
  })
})

describe('processes', () => {
  it('fork copies, CLONE_VM shares until exec', () => {
    const m = boot()
    m.mmap(A, 2 * PAGE)
    m.call(VM.MADVISE, at(1), PAGE, 10)
    m.sys.call(VM.FORK, EP.PM, [GUEST, CHILD, 17])
    expect(shape(m, CHILD)).toEqual([[0, 1, 'rw-p']])
    m.sys.call(VM.MMAP, CHILD, [at(5), PAGE, RW, PRIVATE | ANON, -1, 0])
    expect(shape(m)).toHaveLength(2)
    m.sys.call(VM.EXIT, EP.PM, [CHILD])
    m.sys.call(VM.FORK, EP.PM, [GUEST, CHILD, 0x4111])
    m.sys.call(VM.MMAP, CHILD, [at(5), PAGE, RW, PRIVATE | ANON, -1, 0])
    expect(shape(m)).toHaveLength(3)
    m.sys.call(VM.EXECNEW, CHILD, [CHILD])
    expect(m.maps(CHILD)).toEqual([])
    expect(shape(m)).toHaveLength(3)
    m.sys.call(VM.EXIT, EP.PM, [GUEST])
    expect(m.vm.pool.committed).toBe(0)
    expect(m.mmap(A, PAGE)).toBe(-E.SRCH)
  })
  it('builds an image: stack, heap and maps', () => {
    const m = boot()
    m.sys.release()
    const file = new Uint8Array(16 + 9)
    file[0] = 0x10
    file[1] = 0xfe
    file[8] = 77
    file.set(
      Array.from('/bin/true', c => c.charCodeAt(0)),
      16,
    )
    const record = m.sys.grant(file)
    expect(m.sys.call(VM.EXECMAP, GUEST, [0x400000, 2 * PAGE, RX, PRIVATE | FIXED, 12, 0x1000, record])).toBe(0)
    expect(m.sys.call(VM.EXECMAP, GUEST, [0x402000, PAGE, RW, PRIVATE | FIXED | ANON, -1, 0, null])).toBe(0)
    const top = m.call(VM.EXECSTACK, 3000, 0)
    expect(top).toBeLessThanOrEqual(GUEST_END)
    const heap = m.call(VM.EXECBRK, 0x403000)
    m.call(VM.BRK, heap + PAGE)
    const place = m.call(VM.EXECPLACE, 5 * PAGE, 2 * M)
    expect(place % (2 * M)).toBe(0)
    const lines = m.maps()
    expect(lines[0]).toBe('00400000-00402000 r-xp 00001000 fe:10 77                                 /bin/true')
    expect(lines.map(l => l.slice(73))).toEqual(['/bin/true', '', '[heap]', '[stack]'])
    expect(lines[3]).toContain(`${(top - 8 * M).toString(16)}-${top.toString(16)} rw-p`)
    expect(m.sys.call(VM.PATCHABLE, GUEST, [GUEST, 0x400010])).toBe(1)
    expect(m.sys.call(VM.PATCHABLE, GUEST, [GUEST, 0x402010])).toBe(0)
    expect(m.sys.call(VM.PATCHABLE, GUEST, [GUEST, 0x800000])).toBe(0)
    expect(m.sys.call(VM.EXECMAP, GUEST, [0x60000, PAGE, RW, PRIVATE | FIXED | ANON, -1, 0, null])).toBe(-E.PERM)
  })
  it('grows what grows down', () => {
    const m = boot()
    m.mmap(A, PAGE, RW, PRIVATE | ANON | GROWS)
    expect(m.call(VM.GROW, at(-3) + 100)).toBe(1)
    expect(shape(m)).toEqual([[-3, 1, 'rw-p']])
    expect(m.call(VM.GROW, at(5))).toBe(0)
    expect(m.call(VM.GROW, A - 9 * M)).toBe(0)
  })
  it('names shared memory for futexes', () => {
    const m = boot()
    m.mmap(A, 2 * PAGE, RW, SHARED | ANON)
    m.mmap(at(4), PAGE)
    const ask = m.sys.message(VM.OBJECT, [GUEST, at(1) + 8])
    expect(m.sys.deliver(ask, EP.PM)).toBe(1)
    expect([long(ask, 1), int(ask, 2), int(ask, 3)]).toEqual([2 ** 48, 1, PAGE + 8])
    expect(m.sys.call(VM.OBJECT, EP.PM, [GUEST, at(4)])).toBe(0)
  })
  it('exports and imports its state', () => {
    const m = boot()
    m.mmap(A, 2 * PAGE)
    m.mmap(at(4), PAGE, RW, SHARED | ANON)
    m.sys.call(VM.FORK, EP.PM, [GUEST, CHILD, 17])
    m.sys.call(VM.FORK, EP.PM, [GUEST, 42, 0x10f00])
    const state = JSON.parse(JSON.stringify(m.vm.exportState?.()))
    const n = boot()
    n.vm.importState?.(state)
    for (const who of [GUEST, CHILD, 42]) expect(n.maps(who)).toEqual(m.maps(who))
    expect(n.vm.exportState?.()).toEqual(m.vm.exportState?.())
    for (const who of [GUEST, CHILD, 42]) n.sys.call(VM.EXIT, EP.PM, [who])
    expect(n.vm.pool.committed).toBe(0)
  })
})
