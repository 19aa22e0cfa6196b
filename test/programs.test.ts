// Real programs, unmodified: the quick tables of test/programs, and of today's (npm run programs) what is quick. Output, exit status and
// files as natively, or the test fails.
import { afterAll, describe, expect, test } from 'vitest'
import { Comparison } from './programs/compare.ts'
import { FLUKE } from './programs/fluke.ts'
import { SHELL } from './programs/shell.ts'
import { SOCKETS } from './programs/sockets.ts'
import { missing } from './programs/table.ts'
import { TERMINALS } from './programs/terminals.ts'
import { TODAY } from './programs/today.ts'

const QUICK = ['perl', 'node', 'strace', 'sqlite3', 'rsync', 'dpkg -i']
const SAMPLE = TODAY.filter(row => QUICK.includes(row[0]))

describe.each([['fluke', FLUKE], ['shell', SHELL], ['sockets', SOCKETS], ['terminals', TERMINALS], ['today', SAMPLE]] as const)('%s', (_, rows) => {
  const comparison = new Comparison()
  afterAll(() => comparison.close())
  for (const row of rows) {
    const absent = missing(row)
    const name = absent.length > 0 ? `${row[0]} (not installed: ${absent.join(', ')})` : row[0]
    test.skipIf(absent.length > 0)(name, async () => {
      expect((await comparison.run(row)).details).toEqual([])
    })
  }
})
