// Sources that come in npm packages: fetched once with npm's own client, unpacked below node_modules/.cache, never run or installed.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** Checkout, whether we run from dist or from test/programs. */
export const ROOT = fileURLToPath(new URL(import.meta.url.includes('/dist/') ? '..' : '../..', import.meta.url))
const VERSIONS: Readonly<Record<string, string>> = { 'better-sqlite3': '12.11.1' }

/** Where a package is, or would be, unpacked. */
export function unpacked(name: string): string {
  return path.join(ROOT, 'node_modules/.cache/mol', `${name}-${VERSIONS[name]}`, 'package')
}
/** Is it there, fetched now if need be? */
export function fetched(name: string): boolean {
  const place = unpacked(name)
  if (existsSync(place)) return true
  const parent = path.dirname(place)
  mkdirSync(parent, { recursive: true })
  try {
    const file = execFileSync('npm', ['pack', `${name}@${VERSIONS[name]}`, '--silent', '--pack-destination', parent], { stdio: ['ignore', 'pipe', 'ignore'] })
    execFileSync('tar', ['xzf', file.toString().trim()], { cwd: parent })
  } catch {
    rmSync(parent, { recursive: true }) // no registry: the row is skipped, and says so
  }
  return existsSync(place)
}
