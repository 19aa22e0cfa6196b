// Builds everything: native parts (cc) into native/build, TypeScript bundles (esbuild) into dist. Run by npm's prepare, test, start.
import { execFileSync } from 'node:child_process'
import { renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { buildNative } from './build-native.mjs'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const common = { absWorkingDir: root, outdir: 'dist', bundle: true, platform: 'node', target: 'node20', sourcemap: true, logLevel: 'warning' }
const cache = path.join(root, 'dist/worker.cache')
await buildNative()
rmSync(cache, { force: true }) // V8 knows a source by its length only
await build({
  ...common,
  entryPoints: { cli: 'src/cli/main.ts', machine: 'src/machine.ts', worker: 'src/start.ts', 'bench-kernel': 'bench/kernel.ts', programs: 'test/programs/main.ts', property: 'test/property/main.ts' },
  splitting: true,
  format: 'esm',
  banner: { js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);" },
})
await build({
  ...common,
  entryPoints: { worker: 'src/worker.ts' },
  outExtension: { '.js': '.cjs' },
  format: 'cjs',
  define: { 'import.meta.url': '__url' },
  banner: { js: "const __url = require('node:url').pathToFileURL(__filename).href;" },
})
keepBytecode()

/** dist/worker.cache: see src/start.ts. A host that can't run machines can build them all the same. */
function keepBytecode() {
  const made = `${cache}.${process.pid}`
  try {
    execFileSync(process.execPath, [path.join(root, 'scripts/warm.mjs')], { env: { ...process.env, MOL_CODE_CACHE: made }, timeout: 60_000, stdio: ['ignore', 'ignore', 'pipe'] })
    renameSync(made, cache)
  } catch (error) {
    rmSync(made, { force: true })
    console.warn(`no bytecode kept, machines will start more slowly: ${String(error.stderr ?? error).trim().split('\n')[0]}`)
  }
}
