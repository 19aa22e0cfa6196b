// -e trace=SET: which calls a trace shows. Names, %classes, /regular expressions, separated by commas; ! in front of all: the others.

import { SYSCALLS } from './syscalls.ts'
import { CALL_CLASSES } from './trace-classes.ts'

export class FilterError extends Error {
  readonly code = 'EFILTER'
}

/** Numbers to show, or null for all. `expression` as behind strace's -e: 'trace=open,close', 'open', '%file', '!%memory', '/^get'.
 *  Throws FilterError with a line that says what is wrong. */
export function parseFilter(expression: string): ReadonlySet<number> | null {
  let text = expression.replace(/^(trace|t)=/, '')
  const not = text.startsWith('!')
  if (not) text = text.slice(1)
  if (text === 'all' || text === '') return not ? new Set() : null
  if (text === 'none') return not ? null : new Set()
  const chosen = new Set<number>()
  for (const word of text.split(',')) for (const nr of select(word)) chosen.add(nr)
  return not ? new Set(SYSCALLS.map(row => row[0]).filter(nr => !chosen.has(nr))) : chosen
}

function select(word: string): number[] {
  const optional = word.startsWith('?')
  const w = optional ? word.slice(1) : word
  if (w.startsWith('/')) return byPattern(w.slice(1))
  const cls = w.startsWith('%') ? w.slice(1) : w
  const members = CALL_CLASSES[cls]
  if (members && (w.startsWith('%') || !SYSCALLS.some(row => row[1] === w))) return members
  const found = SYSCALLS.find(row => row[1] === w || String(row[0]) === w)
  if (found) return [found[0]]
  if (optional) return []
  if (w.startsWith('%'))
    throw new FilterError(
      `no class of system calls ${w}; there are ${Object.keys(CALL_CLASSES)
        .map(c => `%${c}`)
        .join(' ')}`,
    )
  const near = nearest(w)
  throw new FilterError(`no system call ${JSON.stringify(w)}${near ? `; did you mean ${near}?` : ''}`)
}
function byPattern(pattern: string): number[] {
  let re: RegExp
  try {
    re = new RegExp(pattern)
  } catch (cause) {
    throw new FilterError(`bad regular expression /${pattern}`, { cause })
  }
  return SYSCALLS.filter(row => re.test(row[1])).map(row => row[0])
}
/** The call whose name is at most two edits away. */
function nearest(word: string): string | undefined {
  let best: string | undefined
  let least = 3
  for (const [, name] of SYSCALLS) {
    const d = distance(word, name, least)
    if (d < least) {
      least = d
      best = name
    }
  }
  return best
}
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(
        (row[j] as number) + 1,
        (next[j - 1] as number) + 1,
        (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1),
      )
    row = next
  }
  return row[b.length] as number
}
