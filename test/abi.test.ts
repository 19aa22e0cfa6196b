// The channel layout means the same to C and to TypeScript: every constant of abi/channel.ts, as the C compiler sees native/build/abi.h.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, test } from 'vitest'
import * as channel from '../src/abi/channel.ts'

function constants(): Map<string, number> {
  const all = new Map<string, number>()
  for (const [name, value] of Object.entries(channel)) {
    if (typeof value === 'number') all.set(name, value)
    else for (const [field, number] of Object.entries(value)) all.set(`${name === 'REG' ? 'GREG' : name}_${field}`, number)
  }
  return all
}

test('abi.h says what channel.ts says', () => {
  const want = constants()
  const dir = mkdtempSync('/var/tmp/mol-abi-')
  try {
    const lines = [...want.keys()].map(name => `  printf("${name} %lld\\n", (long long)(${name}));`)
    writeFileSync(path.join(dir, 'show.c'), `#include <stdio.h>\n#include "abi.h"\nint main(void) {\n${lines.join('\n')}\n  return 0;\n}\n`)
    const include = path.resolve(import.meta.dirname, '../native/build')
    execFileSync('cc', ['-w', '-I', include, '-o', path.join(dir, 'show'), path.join(dir, 'show.c')])
    const shown = execFileSync(path.join(dir, 'show')).toString().trim().split('\n')
    expect(new Map(shown.map(l => [l.split(' ')[0], Number(l.split(' ')[1])]))).toEqual(want)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})

test('regions of a channel slot do not overlap', () => {
  const { CH, DATA_BYTES, DATA_OFF, OP_BYTES, OP_MAX, SLOT_BYTES } = channel
  expect(CH.REGS + 23 * 8).toBeLessThanOrEqual(CH.FSBASE)
  expect(CH.IN + 6 * 8).toBeLessThanOrEqual(CH.OPS)
  expect(CH.OPS + OP_MAX * OP_BYTES).toBeLessThanOrEqual(DATA_OFF)
  expect(DATA_OFF + DATA_BYTES).toBeLessThanOrEqual(SLOT_BYTES)
})
