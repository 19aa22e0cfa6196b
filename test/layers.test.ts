// Who may import whom: the layers of docs/architecture.md as a table, checked over every import in src. Unit tests and their
// fixtures may import anything, but nobody else may import them.
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const SRC = fileURLToPath(new URL('../src/', import.meta.url))
const KERNEL_INTERFACE = ['kernel/types.ts', 'kernel/container.ts']
const PUBLIC_API = ['machine.ts']
const TEST = /(\.test|(^|\/)fixture)\.ts$/

/** Layer (a folder, a file, or `*` for one folder below) → what its files may import besides their own folder; `node:` for Node's modules
 *  and packages. First match counts. Folders below servers and drivers are layers of their own: none may import a sister. */
const LAYERS: readonly (readonly [layer: string, mayImport: readonly string[], why: string])[] = [
  ['abi', [], 'numbers and layouts know nobody'],
  ['protocol', ['abi'], 'messages are declared, not used'],
  ['lib', ['abi', 'protocol', ...KERNEL_INTERFACE], 'what a server is made with'],
  [
    'kernel',
    ['abi', 'lib/server.ts', 'protocol/table.ts', 'protocol/system.ts', 'protocol/common.ts'],
    'the kernel knows no server and no host',
  ],
  ['servers/*', ['abi', 'protocol', 'lib'], 'servers talk by message and run on any host'],
  ['drivers/*', ['abi', 'protocol', 'lib', 'host', 'node:'], 'drivers are the face of the host'],
  ['nesters/*', ['abi', 'protocol', 'lib'], 'nesters are servers'],
  ['host', ['abi', 'lib', 'node:'], 'the host addon, typed'],
  [
    'container/*',
    ['abi', 'protocol', 'lib', 'host', ...KERNEL_INTERFACE, 'node:'],
    'containers know how a process runs, no server',
  ],
  ['cli', [...PUBLIC_API, 'node:'], 'the command line uses the public API alone'],
  ['monitor', [...PUBLIC_API, 'node:'], 'the monitor uses the public API alone'],
  [
    '',
    ['abi', 'protocol', 'lib', 'kernel', 'servers', 'drivers', 'nesters', 'host', 'container', 'node:'],
    'boot.ts puts it all together',
  ],
]

interface Import {
  readonly file: string
  readonly imported: string // path below src, or node:… / package
}

function files(folder = SRC): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap(entry => {
    const name = path.join(folder, entry.name)
    if (entry.isDirectory()) return files(name)
    return name.endsWith('.ts') && !TEST.test(name) ? [path.relative(SRC, name)] : []
  })
}
/** Imports, exports from, and import() of a source text. */
function importsOf(file: string, text: string): Import[] {
  const code = text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
  const found = code.matchAll(
    /(?:^|[\s;}])(?:import|export)\b[^'"`;]*?from\s*['"]([^'"]+)['"]|\bimport\s*\(?\s*['"]([^'"]+)['"]/g,
  )
  return [...found].map(match => {
    const name = match[1] ?? match[2] ?? ''
    return {
      file,
      imported: name.startsWith('.')
        ? path.normalize(path.join(path.dirname(file), name))
        : name.startsWith('node:')
          ? name
          : `node:${name}`,
    }
  })
}
/** Folder that is a layer's home: 'servers/fs' for layer 'servers/*'. '' is the top. */
function home(file: string, layer: string): string | undefined {
  if (layer === '') return file.includes('/') ? undefined : ''
  const depth = layer.split('/').length
  const parts = file.split('/')
  if (parts.length <= depth) return layer.endsWith('/*') && parts[0] === layer.split('/')[0] ? file : undefined
  return layer.split('/')[0] === parts[0] ? parts.slice(0, depth).join('/') : undefined
}
function within(imported: string, place: string): boolean {
  return imported === place || (place.endsWith(':') ? imported.startsWith(place) : imported.startsWith(`${place}/`))
}
/** Why `one` is not allowed, or undefined. */
function offence(one: Import): string | undefined {
  if (TEST.test(one.imported)) return `src/${one.file} imports ${one.imported}, which is part of a unit test`
  const row = LAYERS.find(([layer]) => home(one.file, layer) !== undefined)
  if (row === undefined) return `src/${one.file}: belongs to no layer of test/layers.test.ts`
  const [layer, mayImport, why] = row
  const own = home(one.file, layer) as string
  const sibling = own === '' ? !one.imported.includes('/') && !one.imported.includes(':') : within(one.imported, own)
  if (sibling || mayImport.some(place => within(one.imported, place))) return undefined
  const allowed = [own === '' ? 'the top' : own, ...mayImport].join(', ')
  return `src/${one.file} imports ${one.imported}. Allowed from ${own === '' ? 'the top' : own}: ${allowed} (${why})`
}

test('every import stays in its layers', () => {
  const offences = files().flatMap(file => importsOf(file, readFileSync(path.join(SRC, file), 'utf8')).map(offence))
  expect(offences.filter(one => one !== undefined)).toEqual([])
})

const examples: [file: string, source: string, allowed: boolean][] = [
  ['kernel/ipc.ts', `import { E } from '../abi/errno.ts'`, true],
  ['kernel/ipc.ts', `import { readFileSync } from 'node:fs'`, false],
  ['kernel/ipc.ts', `import { FS } from '../protocol/fs.ts'`, false],
  ['kernel/ipc.ts', `import type { Server } from '../lib/server.ts'`, true],
  ['abi/errno.ts', `import { FS } from '../protocol/fs.ts'`, false],
  ['servers/fs/read.ts', `import { x } from './state.ts'`, true],
  ['servers/fs/read.ts', `import { x } from '../pm/state.ts'`, false],
  ['servers/fs/read.ts', `export * from '../../kernel/kernel.ts'`, false],
  ['servers/fs/read.ts', `const x = await import('node:fs')`, false],
  ['servers/fs/read.ts', `// import { x } from 'node:fs'`, true],
  ['drivers/tty/tty.ts', `import * as fs from 'node:fs'`, true],
  ['container/linux/loop.ts', `import { Kernel } from '../../kernel/types.ts'`, true],
  ['container/linux/loop.ts', `import { Ipc } from '../../kernel/ipc.ts'`, false],
  ['cli/run.ts', `import {\n  Machine,\n} from '../machine.ts'`, true],
  ['cli/run.ts', `import {\n  boot,\n} from '../boot.ts'`, false],
  ['boot.ts', `import { createKernel } from './kernel/kernel.ts'`, true],
  ['machine.ts', `import { run } from './cli/run.ts'`, false],
  ['servers/pm/main.ts', `import { rig } from './fixture.ts'`, false],
  ['somewhere/else.ts', `import { E } from '../abi/errno.ts'`, false],
]
test.each(examples)('%s: %s', (file, source, allowed) => {
  expect(importsOf(file, source).every(one => offence(one) === undefined)).toBe(allowed)
})
