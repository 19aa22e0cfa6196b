// One property, natively and in a machine: the first line that differs, with its seed, or null.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import path from 'node:path'
import { Machine } from '../../src/machine.ts'
import { runIn, runNative } from '../support/both.ts'
import { type Place, type Property, SCRIPT } from './table.ts'

/** What stands for a place inside: a directory of the base, the machine's own /tmp, a writable bind. */
const INSIDE: Readonly<Record<Place, (dir: string) => string>> = {
  base: dir => path.join(dir, 'work'),
  memory: () => '/tmp',
  bind: () => '/bound',
}

export async function runProperty(sources: string, property: Property, from: number, to: number): Promise<string | null> {
  const [name, source, calls, places] = property
  const dir = mkdtempSync('/var/tmp/mol-property-')
  for (const sub of ['native', 'work', 'bound']) mkdirSync(path.join(dir, sub))
  const program = path.join(dir, name)
  execFileSync('gcc', ['-O1', '-w', '-static', '-o', program, path.join(sources, source)])
  const machine = await Machine.boot({ binds: [{ host: path.join(dir, 'bound'), guest: '/bound' }] })
  try {
    const argv = ['bash', '-c', SCRIPT, program, String(calls), String(from), String(to)]
    const timeout = 60_000 + (to - from) * 5000
    const want = await runNative(argv, { cwd: path.join(dir, 'native'), timeout })
    for (const place of places) {
      const got = await runIn(machine, argv, { cwd: INSIDE[place](dir), timeout })
      const where = difference(want.stdout, got.stdout)
      if (where !== null) return `${name}, ${place}, ${where}`
      if (want.status !== got.status) return `${name}, ${place}: natively ${want.status}, inside ${got.status}`
    }
    return null
  } finally {
    await machine.close()
    rmSync(dir, { recursive: true, force: true })
  }
}

function difference(want: string, got: string): string | null {
  const a = want.split('\n')
  const b = got.split('\n')
  let seed = ''
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    if (a[i]?.startsWith('seed ')) seed = a[i] as string
    if (a[i] !== b[i]) return `${seed}: natively ${a[i] ?? 'the end'}, inside ${b[i] ?? 'the end'}`
  }
  return null
}
