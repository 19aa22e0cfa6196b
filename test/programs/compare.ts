// Runs a row natively and in a machine, each in a fresh folder of the same name, and says what differs: standard output, standard
// error, exit status, and the resulting files: names, kinds, modes, owners, links, sizes, contents, times that were set.
import { readdirSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { hostname } from 'node:os'
import path from 'node:path'
import { Machine } from '../../src/machine.ts'
import { type Outcome, runIn, runNative, type RunOptions, scratch } from '../support/both.ts'
import { ROOT, unpacked } from './registry.ts'
import { missing, PATH, type Row } from './table.ts'

export interface Result {
  program: string
  result: 'same' | 'differs' | 'not installed'
  /** ms; 0 when not run. */
  native: number
  mol: number
  /** What differs, both sides, or the packages that are missing. */
  details: string[]
}

/** A time is part of the result when the script has set it: older than an hour. */
const TREE =
  'find . -mindepth 1 \\( -type f -printf "%P %y %m %U:%G %n %s" -o -printf "%P %y %m %U:%G %l" \\) ' +
  '\\( -newermt "-1 hour" -o -printf " %T@" \\) -printf "\\n" | sort; find . -type f -print0 | sort -z | xargs -0r md5sum'
const SOURCES = path.join(ROOT, 'test/programs/sources')
const SQLITE = path.join(unpacked('better-sqlite3'), 'deps/sqlite3')
const SECONDS = 20
/** What a machine may be late by before it is given up, seconds. */
const GRACE = 5

/** One machine for all rows, as long as it does what it should. */
export class Comparison {
  private machine: Machine | null = null
  private port = ''

  async run(row: Row): Promise<Result> {
    const [program, , script, seconds = SECONDS] = row
    const absent = missing(row)
    if (absent.length > 0) return { program, result: 'not installed', native: 0, mol: 0, details: absent }
    const place = scratch()
    this.port ||= await freePort()
    const options = { cwd: place.dir, timeout: seconds * 1000, env: { PATH, HOME: place.dir, PORT: this.port, SOURCES, SQLITE } }
    try {
      const [want, native] = await timed(() => runNative(['bash', '-c', script], options))
      const wantTree = await runNative(['bash', '-c', TREE], options)
      for (const name of readdirSync(place.dir)) rmSync(path.join(place.dir, name), { recursive: true })
      const machine = await this.boot()
      const [got, mol] = await timed(() => this.inside(machine, script, options))
      const gotTree = await this.inside(await this.boot(), TREE, options)
      const reached = readdirSync(place.dir).map(name => `${name} has reached the host`)
      const details = [...differences(want, got), ...differences(wantTree, gotTree, 'files'), ...reached]
      return { program, result: details.length > 0 ? 'differs' : 'same', native, mol, details }
    } finally {
      place.remove()
    }
  }

  /** A script that won't end takes its machine with it. */
  private async inside(machine: Machine, script: string, options: RunOptions & { timeout: number }): Promise<Outcome> {
    const late = timer(options.timeout + GRACE * 1000)
    const outcome = await Promise.race([runIn(machine, ['bash', '-c', script], options), late.over])
    late.stop()
    if (outcome) return outcome
    await this.close()
    return { stdout: '', stderr: `nothing after ${options.timeout / 1000 + GRACE} s`, status: 'late' }
  }
  private async boot(): Promise<Machine> {
    this.machine ??= await Machine.boot({ hostname: hostname(), show: [ROOT] })
    return this.machine
  }
  async close(): Promise<void> {
    await this.machine?.close()
    this.machine = null
  }
}

async function timed<T>(run: () => Promise<T>): Promise<[T, number]> {
  const start = performance.now()
  const result = await run()
  return [result, performance.now() - start]
}
function timer(ms: number): { over: Promise<undefined>; stop(): void } {
  let handle: NodeJS.Timeout
  const over = new Promise<undefined>(resolve => {
    handle = setTimeout(() => resolve(undefined), ms)
  })
  return { over, stop: () => clearTimeout(handle) }
}
/** A TCP port nobody uses, for $PORT: servers run natively too. */
async function freePort(): Promise<string> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return String(port)
}

/** bash names the pid of a child it has put into the background, or that was killed. */
function withoutPids(text: string): string {
  return text.replace(/line (\d+): +\d+ /g, 'line $1: PID ').replace(/^\[(\d+)\] \d+/gm, '[$1] PID')
}
/** For each part that isn't equal, the first lines that aren't. */
function differences(want: Outcome, got: Outcome, name = ''): string[] {
  const parts = name === '' ? (['status', 'stdout', 'stderr'] as const) : (['stdout', 'stderr'] as const)
  return parts.flatMap(part => {
    const [a, b] = [withoutPids(want[part]).split('\n'), withoutPids(got[part]).split('\n')]
    const rows = Array.from({ length: Math.max(a.length, b.length) }, (_, i) => i).filter(i => a[i] !== b[i])
    return rows.slice(0, 3).flatMap(i => [`${name || part} ${i + 1} native: ${show(a[i])}`, `${name || part} ${i + 1} in mol: ${show(b[i])}`])
  })
}
function show(line: string | undefined): string {
  return line === undefined ? '(no such line)' : JSON.stringify(line.slice(0, 300))
}
