// What the common calls cost, printed; asserted only loosely, since the machine may be busy. The raw host call is printed beside.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Scratch, sys } from '../../host/host.ts'
import { FS } from '../../protocol/fs.ts'
import { Guest } from './fixture.ts'

/** Best of five rounds, µs per call. */
function measure(call: () => void, rounds = 4000): number {
  let best = Number.POSITIVE_INFINITY
  for (let i = 0; i < 5; i++) {
    const start = performance.now()
    for (let n = 0; n < rounds; n++) call()
    best = Math.min(best, ((performance.now() - start) * 1000) / rounds)
  }
  return best
}

test('stat, open and read of files in the base take a few microseconds', () => {
  const base = mkdtempSync(join(tmpdir(), 'mol-speed-'))
  mkdirSync(join(base, 'usr/share'), { recursive: true })
  writeFileSync(join(base, 'usr/share/file'), 'x'.repeat(65536))
  const guest = new Guest(base)
  const scratch = new Scratch()
  const path = scratch.cstr(join(base, 'usr/share/file'), 0)
  const name = '/usr/share/file'
  guest.writeFile('/usr/share/own', 'y'.repeat(65536))
  const fd = guest.open(name, 0)
  const own = guest.open('/usr/share/own', 2)
  const rows: [string, number][] = [
    ['host stat', measure(() => sys(4, path, scratch.address + 8192))],
    ['stat lower', measure(() => guest.call(FS.STAT, -100, name, [0x5000, 144], 0))],
    ['stat own', measure(() => guest.call(FS.STAT, -100, '/usr/share/own', [0x5000, 144], 0))],
    ['stat missing', measure(() => guest.call(FS.STAT, -100, '/usr/share/none', [0x5000, 144], 0))],
    ['host open+close', measure(() => sys(3, sys(2, path, 0)))],
    ['open+close lower', measure(() => guest.call(FS.CLOSE, guest.call(FS.OPEN, -100, name, 0, 0)))],
    ['open+close own', measure(() => guest.call(FS.CLOSE, guest.call(FS.OPEN, -100, '/usr/share/own', 0, 0)))],
    [
      'create+unlink',
      measure(() => {
        guest.call(FS.CLOSE, guest.call(FS.OPEN, -100, '/usr/share/new', 0o102, 0o644))
        guest.call(FS.UNLINK, -100, '/usr/share/new', 0)
      }),
    ],
    ['pread 1', measure(() => guest.call(FS.PREAD64, fd, [0x10000, 1], 1, 0))],
    ['pread 64K', measure(() => guest.call(FS.PREAD64, fd, [0x10000, 65536], 65536, 0), 1000)],
    ['pwrite 64K', measure(() => guest.call(FS.PWRITE64, own, [0x10000, 65536], 65536, 0), 1000)],
    ['fstat lower', measure(() => guest.call(FS.FSTAT, fd, [0x5000, 144]))],
  ]
  console.log(rows.map(([what, us]) => `${what.padEnd(18)} ${us.toFixed(2)} µs`).join('\n'))
  guest.close()
  rmSync(base, { recursive: true })
  for (const [what, us] of rows) expect([what, us < 200]).toEqual([what, true])
})
