// The host's terminal is given back as it was, however the program ends: on a real pty, driven by test/support/hostterm.py.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const root = fileURLToPath(new URL('../../../', import.meta.url))
const harness = path.join(root, 'test/support/hostterm.py')
const directory = path.join(root, 'node_modules', `.hostterm-${process.pid}`) // below the root, so that native/ is found
const able =
  spawnSync('python3', ['-c', 'import termios']).status === 0 && existsSync(path.join(root, 'native/build/mol.node'))

const PROGRAM = `
import { HostTerminal } from ${JSON.stringify(path.join(root, 'src/drivers/tty/hostterm.ts'))}
const terminal = HostTerminal.open(0, 1)
if (terminal === null) throw new Error('no terminal')
terminal.raw()
terminal.raw()
process.stdin.on('data', data => {
  if (data.toString() === 'throw') throw new Error('on purpose')
  process.exit(7)
})
console.log('ready', JSON.stringify(terminal.size()))
`

function run(how: string): Record<string, unknown> {
  const child = spawnSync('python3', [harness, how, process.execPath, path.join(directory, 'program.mjs')])
  if (child.status !== 0) throw new Error(child.stderr.toString())
  return JSON.parse(child.stdout.toString())
}

describe.skipIf(!able)('the host’s terminal is restored', { timeout: 60000 }, () => {
  beforeAll(() => {
    mkdirSync(directory, { recursive: true })
    writeFileSync(path.join(directory, 'program.ts'), PROGRAM)
    buildSync({
      entryPoints: [path.join(directory, 'program.ts')],
      outfile: path.join(directory, 'program.mjs'),
      bundle: true,
      platform: 'node',
      format: 'esm',
    })
  })
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  it.each([
    ['at exit', 'exit', 7 << 8],
    ['after an uncaught error', 'error', 1 << 8],
    ['by SIGTERM', '15', 15],
    ['by SIGHUP', '1', 1],
    ['by SIGKILL', '9', 9],
  ])('%s', (_name, how, status) => {
    expect(run(how)).toEqual({ ready: true, during: true, after: true, status })
  })
  it('while stopped, and raw again afterwards', () => {
    const result = run('stop')
    expect(result).toEqual({ ready: true, during: true, stopped: true, continued: true, after: true, status: 7 << 8 })
  })
})
