// Contents of regular files against Linux: random reads, writes and changes of size, of files that start small, big or in the base, with
// the host file asked for in between (which ends their life in memory).
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { O, SEEK } from '../../abi/fcntl.ts'
import { Scratch, sys } from '../../host/host.ts'
import { FS } from '../../protocol/fs.ts'
import { getFile } from './filedes.ts'
import { Guest } from './fixture.ts'
import type { OpenFile } from './inode.ts'
import { SMALL } from './smallfile.ts'

const NR = { open: 2, close: 3, lseek: 8, pread64: 17, pwrite64: 18, ftruncate: 77, fallocate: 285 } as const
const scratch = new Scratch(1 << 18)
const PATH = 1 << 17
const DATA = 0x10000
const MOST = 40_000
let top = ''
beforeAll(() => {
  top = mkdtempSync(join(tmpdir(), 'mol-regular-'))
})
afterAll(() => rmSync(top, { recursive: true, force: true }))

type Step =
  | ['write' | 'read' | 'allocate' | 'punch', at: number, len: number]
  | ['truncate' | 'end', size: number]
  | ['map', write: boolean]
const offset = fc.oneof(
  fc.integer({ min: 0, max: 600 }),
  fc.integer({ min: 0, max: 3 * SMALL }),
  fc.constantFrom(SMALL - 1, SMALL, SMALL + 1, 0),
)
const length = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: MOST }))
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(fc.constantFrom('write' as const, 'read' as const), offset, length) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom('truncate' as const, 'end' as const), offset) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom('allocate' as const, 'punch' as const), offset, length) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('map' as const), fc.boolean()) },
)
let seed = 1
function noise(target: Uint8Array, at: number, len: number): void {
  for (let i = 0; i < len; i++) {
    seed = (Math.imul(seed, 1103515245) + 12345) | 0
    target[at + i] = seed >>> 24
  }
}

function natively(fd: number, s: Step): unknown {
  switch (s[0]) {
    case 'write':
      return sys(NR.pwrite64, fd, scratch.address, s[2], s[1])
    case 'read': {
      const n = sys(NR.pread64, fd, scratch.address, s[2], s[1])
      return Buffer.from(scratch.bytes.subarray(0, n)).toString('latin1')
    }
    case 'truncate':
      return sys(NR.ftruncate, fd, s[1])
    case 'end':
      return sys(NR.lseek, fd, 0, SEEK.END)
    case 'allocate':
      return sys(NR.fallocate, fd, 0, s[1], s[2])
    case 'punch':
      return sys(NR.fallocate, fd, 3, s[1], s[2])
    case 'map':
      return 0
  }
}
function inGuest(guest: Guest, fd: number, s: Step): unknown {
  switch (s[0]) {
    case 'write':
      guest.mem.set(scratch.bytes.subarray(0, s[2]), DATA)
      return guest.call(FS.PWRITE64, fd, [DATA, s[2]], s[2], s[1])
    case 'read': {
      const n = guest.call(FS.PREAD64, fd, [DATA, s[2]], s[2], s[1])
      return Buffer.from(guest.mem.subarray(DATA, DATA + n)).toString('latin1')
    }
    case 'truncate':
      return guest.call(FS.FTRUNCATE, fd, s[1])
    case 'end':
      return guest.call(FS.LSEEK, fd, 0, SEEK.END)
    case 'allocate':
      return guest.call(FS.FALLOCATE, fd, 0, s[1], s[2])
    case 'punch':
      return guest.call(FS.FALLOCATE, fd, 3, s[1], s[2])
    case 'map': {
      const file = getFile(guest.fproc, fd) as OpenFile
      return (file.ops.hostFile?.(file, s[1]) ?? -1) < 0 ? -1 : 0
    }
  }
}

test.each([
  ['made in the machine', -1],
  ['empty in the base', 0],
  ['small in the base', 3000],
  ['big in the base', 150_000],
])('a file %s', (_what, initial) => {
  const content = new Uint8Array(Math.max(0, initial))
  noise(content, 0, content.length)
  const property = fc.property(fc.array(step, { minLength: 3, maxLength: 30 }), steps => {
    const native = join(top, 'native')
    const base = mkdtempSync(join(top, 'base-'))
    writeFileSync(native, content)
    if (initial >= 0) writeFileSync(join(base, 'f'), content)
    const guest = new Guest(base, undefined, 16)
    const real = sys(NR.open, scratch.cstr(native, PATH), O.RDWR)
    const fd = guest.open('f', O.RDWR | O.CREAT)
    try {
      for (const [i, s] of steps.entries()) {
        if (s[0] === 'write') noise(scratch.bytes, 0, s[2])
        const kept = scratch.bytes.slice(0, MOST)
        const mine = inGuest(guest, fd, s)
        scratch.bytes.set(kept)
        expect([i, s, mine]).toEqual([i, s, natively(real, s)])
      }
      expect(guest.readFile('f') === readFileSync(native, 'latin1')).toBe(true)
      guest.call(FS.CLOSE, fd)
      guest.call(FS.UNLINK, -100, 'f', 0)
      expect([guest.store.bytes, guest.store.inodes]).toEqual([0, 0])
      if (initial >= 0) expect(readFileSync(join(base, 'f')).equals(content)).toBe(true)
    } finally {
      sys(NR.close, real)
      guest.close()
      rmSync(base, { recursive: true })
    }
  })
  fc.assert(property, { numRuns: Number(process.env.MOL_RUNS ?? 40), seed: Number(process.env.MOL_SEED ?? 1) })
})
