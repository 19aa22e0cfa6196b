// Conformance programs in C, one per subject: the same binary natively and in a machine prints the same. Static and dynamic.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Machine } from '../src/machine.ts'
import { runIn, runNative } from './support/both.ts'

const sources = path.join(import.meta.dirname, 'conformance')
/** A machine always has ::1; what is said of it is compared where the host has it too. */
const env: Record<string, string> = Object.values(networkInterfaces()).some(i => i?.some(a => a.address === '::1')) ? { IPV6: '1' } : {}

describe('conformance', () => {
  let machine: Machine
  let dir: string
  beforeAll(async () => {
    dir = mkdtempSync('/var/tmp/mol-conformance-')
    machine = await Machine.boot()
  })
  afterAll(async () => {
    await machine?.close()
    rmSync(dir, { recursive: true, force: true })
  })
  for (const file of readdirSync(sources).filter(f => f.endsWith('.c'))) {
    for (const link of ['-static', '-Wl,-z,now'] as const) {
      const name = `${path.basename(file, '.c')}${link === '-static' ? '' : ', dynamic'}`
      test(name, async () => {
        const program = path.join(dir, name.replace(', ', '-'))
        execFileSync('gcc', ['-O1', '-w', link, '-o', program, path.join(sources, file), '-lm', '-pthread'])
        const want = await runNative([program], { cwd: dir, env })
        expect(await runIn(machine, [program], { cwd: dir, env })).toEqual(want)
      })
    }
  }
})
