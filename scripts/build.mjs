// Builds everything: native parts (cc) into native/build, TypeScript bundles (esbuild) into dist. Run by npm's prepare, test, start.
import { build } from 'esbuild'
import { fileURLToPath } from 'node:url'
import path from 'node:path'
import { buildNative } from './build-native.mjs'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
await buildNative()
await build({
  absWorkingDir: root,
  entryPoints: { cli: 'src/cli/main.ts', machine: 'src/machine.ts', worker: 'src/worker.ts', 'bench-kernel': 'bench/kernel.ts', programs: 'test/programs/main.ts' },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  sourcemap: true,
  logLevel: 'warning',
  banner: { js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);" },
})
