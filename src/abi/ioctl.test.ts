// Every number and size of the tables against the system's own headers.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, it } from 'vitest'
import { IOCTLS, ioctl } from './ioctl.ts'
import { C, I, L, OF, TERMIO, TERMIOS, V, WINSIZE } from './termios.ts'

const HEADERS = ['sys/ioctl.h', 'linux/fs.h', 'linux/fiemap.h', 'linux/random.h', 'linux/sockios.h', 'asm/termbits.h']

/** What a C compiler says these expressions are. */
function evaluate(expressions: string[]): number[] {
  const directory = mkdtempSync(path.join(tmpdir(), 'mol-ioctl-'))
  try {
    const lines = expressions.map(e => `printf("%u\\n", (unsigned)(${e}));`)
    const source = ['#include <stdio.h>', ...HEADERS.map(h => `#include <${h}>`)]
    writeFileSync(path.join(directory, 'a.c'), `${source.join('\n')}\nint main(void) {\n${lines.join('\n')}\n}\n`)
    execFileSync('cc', ['-w', '-o', path.join(directory, 'a'), path.join(directory, 'a.c')])
    return execFileSync(path.join(directory, 'a')).toString().trim().split('\n').map(Number)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

it.skipIf(spawnSync('cc', ['--version']).status !== 0)('numbers are those of the headers', () => {
  const table = (names: Readonly<Record<string, number>>, prefix = ''): [string, number][] =>
    Object.entries(names).map(([name, value]) => [prefix + name, value])
  const rows: [string, number][] = [
    ...IOCTLS.map(({ name, number }): [string, number] => [name, number]),
    ...table(I),
    ...table(OF),
    ...table(L),
    ...table(C).filter(([name]) => name !== 'IBSHIFT'),
    ...table(V, 'V'),
    ['sizeof(struct termios)', TERMIOS.BYTES],
    ['sizeof(struct termios2)', TERMIOS.BYTES2],
    ['sizeof(struct termio)', TERMIO.BYTES],
    ['sizeof(struct winsize)', WINSIZE.BYTES],
  ]
  const values = evaluate(rows.map(([name]) => name))
  expect(rows.map(([name], i) => [name, values[i]])).toEqual(rows)
})
it('a request that carries its size says the same', () => {
  const declaredOtherwise = [
    'TIOCSIG',
    'FICLONE',
    'FIFREEZE',
    'FITHAW',
    'FS_IOC_GETFLAGS',
    'FS_IOC_SETFLAGS',
    'FS_IOC_GETVERSION',
    'FS_IOC_SETVERSION',
    'BLKBSZGET',
  ]
  const encoded = IOCTLS.filter(row => row.number >>> 30 !== 0 && !declaredOtherwise.includes(row.name))
  expect(encoded.map(row => [row.name, row.size])).toEqual(encoded.map(row => [row.name, (row.number >>> 16) & 0x3fff]))
  const direction = { 1: 'in', 2: 'out', 3: 'inout' } as Record<number, string>
  expect(encoded.map(row => [row.name, row.dir])).toEqual(encoded.map(row => [row.name, direction[row.number >>> 30]]))
})
it('no request twice; unknown ones are unknown', () => {
  expect(new Set(IOCTLS.map(row => row.number)).size).toBe(IOCTLS.length)
  expect(ioctl(0x12345)).toBeUndefined()
})
