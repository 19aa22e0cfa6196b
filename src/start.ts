// What a machine's worker thread starts with: loads worker.cjs, the kernel thread, with the bytecode the build kept of it (worker.cache), so
// that boot and first commands don't wait for V8's parser. No cache, or one of another V8: it is compiled as usual.
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Script } from 'node:vm'

const here = path.dirname(fileURLToPath(import.meta.url))
const file = path.join(here, 'worker.cjs')
/** Set by scripts/warm.mjs: where to put the cache when the machine has ended. */
const target = process.env.MOL_CODE_CACHE

function cached(): { cachedData?: Buffer } {
  if (target !== undefined) return {}
  try {
    return { cachedData: readFileSync(path.join(here, 'worker.cache')) }
  } catch {
    return {}
  }
}
const script = new Script(`(function (exports, require, module, __filename, __dirname) {${readFileSync(file, 'utf8')}\n})`, { filename: file, ...cached() })
const module = { exports: {} }
script.runInThisContext()(module.exports, createRequire(import.meta.url), module, file, here)
if (target !== undefined) writeFileSync(target, script.createCachedData())
