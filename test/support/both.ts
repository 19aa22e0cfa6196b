// Runs the same command natively and in a machine and gives back both outcomes: Linux is the oracle.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { Socket } from 'node:net'
import path from 'node:path'
import * as host from '../../src/host/host.ts'
import type { Machine, SpawnOptions } from '../../src/machine.ts'

export interface Outcome {
  stdout: string
  stderr: string
  status: string // exit code, or the signal's name
}
export interface RunOptions {
  cwd?: string
  input?: string
  env?: Record<string, string>
  timeout?: number
}
export const ENV = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/root', LANG: 'C', LC_ALL: 'C', TERM: 'dumb' }

interface Streams {
  stdout: NodeJS.ReadableStream | null
  stderr: NodeJS.ReadableStream | null
}
function collect(child: Streams): { stdout(): string; stderr(): string; ended: Promise<unknown> } {
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout?.on('data', b => out.push(b))
  child.stderr?.on('data', b => err.push(b))
  const end = (s: NodeJS.ReadableStream | null): Promise<void> =>
    new Promise(r => (s === null ? r() : s.once('close', () => r())))
  const text = (all: Buffer[]): string => Buffer.concat(all).toString('latin1')
  return {
    stdout: () => text(out),
    stderr: () => text(err),
    ended: Promise.all([end(child.stdout), end(child.stderr)]),
  }
}

/** Pipes, not the socket pairs Node would make: programs can tell. A session of its own, as in a machine; what is left of its group at the end is killed. */
export async function runNative(argv: string[], o: RunOptions = {}): Promise<Outcome> {
  const ends = [0, 1, 2].map(() => {
    const both = new Int32Array(2)
    host.pipe2(both)
    return [both[0] as number, both[1] as number] as const
  })
  const [input, output, errors] = ends as [readonly [number, number], readonly [number, number], readonly [number, number]]
  const child = spawn(argv[0] as string, argv.slice(1), { cwd: o.cwd ?? '/', env: { ...ENV, ...o.env }, stdio: [input[0], output[1], errors[1]], detached: true })
  for (const fd of [input[0], output[1], errors[1]]) host.close(fd)
  const stdin = new Socket({ fd: input[1], readable: false, writable: true })
  const got = collect({ stdout: new Socket({ fd: output[0] }), stderr: new Socket({ fd: errors[0] }) })
  stdin.on('error', () => {})
  stdin.end(o.input ?? '')
  const killAll = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    } catch {} // nobody is left
  }
  const timer = setTimeout(killAll, o.timeout ?? 60_000)
  const status = await new Promise<string>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => resolve(signal ?? String(code)))
  })
  await got.ended
  clearTimeout(timer)
  killAll()
  return { stdout: got.stdout(), stderr: got.stderr(), status }
}

export async function runIn(machine: Machine, argv: string[], o: RunOptions & SpawnOptions = {}): Promise<Outcome> {
  const child = machine.spawn(argv[0] as string, argv.slice(1), { ...o, cwd: o.cwd ?? '/', env: { ...ENV, ...o.env } })
  const got = collect(child)
  child.stdin?.on('error', () => {})
  child.stdin?.end(o.input ?? '')
  const timer = setTimeout(() => child.kill('SIGKILL'), o.timeout ?? 60_000)
  try {
    const exit = await child.exit
    await got.ended
    return { stdout: got.stdout(), stderr: got.stderr(), status: exit.signal ?? String(exit.code) }
  } finally {
    clearTimeout(timer)
  }
}

/** A scratch directory on the host, seen under the same name inside (not below /tmp, which is the machine's own). */
export function scratch(): { dir: string; remove(): void } {
  const dir = mkdtempSync(path.join('/var/tmp', 'mol-test-'))
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) }
}
