// A crowd in one machine: many processes and threads at once, many open files, much through a pipe. Longer: npm run soak, npm run fuzz.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Machine } from '../src/machine.ts'
import { runIn, runNative } from './support/both.ts'

describe('load', () => {
  let machine: Machine
  let dir: string
  let program: string
  beforeAll(async () => {
    dir = mkdtempSync('/var/tmp/mol-load-')
    program = path.join(dir, 'load')
    execFileSync('cc', ['-O2', '-w', '-static', '-pthread', '-o', program, path.join(import.meta.dirname, 'campaign/load.c')])
    machine = await Machine.boot()
  })
  afterAll(async () => {
    await machine?.close()
    rmSync(dir, { recursive: true, force: true })
  })
  for (const [name, ...args] of [
    ['200 processes of 5 threads each, all there at once', 'crowd', '200', '5'],
    ['one process of 1,000 threads', 'threads', '1000'],
    ['10,000 open files', 'files', '10000'],
    ['1 GiB through a pipe', 'pipe', '1024'],
  ] as const)
    test(name, { timeout: 120_000 }, async () => {
      const native = await runNative([program, ...args], { timeout: 60_000 })
      const inside = await runIn(machine, [program, ...args], { timeout: 110_000 })
      const lines = (o: { stderr: string }): string[] => o.stderr.trim().split('\n').sort() // both ends report
      expect({ ...inside, stderr: lines(inside) }).toEqual({ ...native, stderr: lines(native) })
      expect(native.status).toBe('0')
    })
})
