// Builds what is native into native/build: abi.h, mol.node (the addon), launcher, stub.elf. Needs only a C compiler (`cc`, or $CC).
// An output is left alone while it is newer than everything it is made of.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { generateAbi, header, source } from './abi.mjs'

const native = fileURLToPath(new URL('../native', import.meta.url))
const out = name => join(native, 'build', name)
const nodeHeaders = createRequire(import.meta.url)('node-api-headers').include_dir
const warnings = ['-std=gnu11', '-Wall', '-Wextra', '-Werror', '-O2', `-I${out('')}`]

// The stub has no libc, no thread-local storage, no writable data, and never touches vector registers.
const freestanding = [
  '-ffreestanding',
  '-nostdlib',
  '-static',
  '-fpie',
  '-fno-stack-protector',
  '-mgeneral-regs-only',
  '-mno-red-zone',
  '-fcf-protection=none',
  '-fno-asynchronous-unwind-tables',
  '-fno-tree-loop-distribute-patterns',
  '-fomit-frame-pointer',
  '-Wl,--build-id=none',
  '-Wl,-z,noexecstack',
  '-Wl,-z,max-page-size=4096',
  '-no-pie',
  `-Wl,-T,${join(native, 'stub.ld')}`,
]
const targets = [
  { name: 'mol.node', sources: ['addon.c'], flags: ['-shared', '-fPIC', `-I${nodeHeaders}`] },
  { name: 'launcher', sources: ['launcher.c', 'filter.c'], flags: ['-static', '-fno-pie', '-no-pie'] },
  { name: 'stub.elf', sources: ['stub.S', 'stub.c', 'operations.c', 'patch.c', 'robust.c', 'xstate.c'], flags: freestanding },
]

const modified = file => (existsSync(file) ? statSync(file).mtimeMs : 0)
const newest = files => Math.max(...files.map(modified))

function compile(cc, { name, sources, flags }) {
  const arguments_ = [...warnings, ...flags, '-o', out(name), ...sources.map(file => join(native, file))]
  try {
    execFileSync(cc, arguments_, { stdio: ['ignore', 'inherit', 'pipe'] })
  } catch (error) {
    if (error.code === 'ENOENT')
      throw new Error(
        `mol needs a C compiler to build its native part: '${cc}' not found (install gcc or clang, or set CC)`,
      )
    throw new Error(`${cc} failed on ${name}:\n${error.stderr}`)
  }
}

/** Brings native/build up to date. Throws an Error whose message says what is missing. */
export async function buildNative() {
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Error('mol runs on x86-64 Linux only')
  mkdirSync(out(''), { recursive: true })
  const recipe = ['abi.mjs', 'build-native.mjs'].map(file => fileURLToPath(new URL(file, import.meta.url)))
  if (modified(header) < newest([source, ...recipe])) await generateAbi()
  const sources = readdirSync(native)
    .filter(file => /\.(c|h|S|ld)$/.test(file))
    .map(file => join(native, file))
  for (const target of targets)
    if (modified(out(target.name)) < newest([header, ...recipe, ...sources])) compile(process.env.CC || 'cc', target)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  await buildNative().catch(error => {
    console.error(error.message)
    process.exitCode = 1
  })
