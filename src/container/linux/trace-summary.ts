// mol trace -c: calls, errors and time by system call, in strace's columns. Time is the kernel side's, from entry to answer.
import { callName } from './strace.ts'

interface Line {
  calls: number
  errors: number
  ms: number
}

export class Summary {
  private readonly lines = new Map<number, Line>()

  add(nr: number, result: number, ms: number): void {
    let line = this.lines.get(nr)
    if (!line) {
      line = { calls: 0, errors: 0, ms: 0 }
      this.lines.set(nr, line)
    }
    line.calls++
    line.ms += ms
    if (result < 0 && result >= -4095) line.errors++
  }

  /** % time, seconds, µs per call, calls, errors, name: the dearest first. */
  table(): string {
    const rule = '------ ----------- ----------- --------- --------- ----------------'
    const all: Line = { calls: 0, errors: 0, ms: 0 }
    for (const line of this.lines.values()) {
      all.calls += line.calls
      all.errors += line.errors
      all.ms += line.ms
    }
    const sorted = [...this.lines].sort(([a, x], [b, y]) => y.ms - x.ms || y.calls - x.calls || a - b)
    const rows = sorted.map(([nr, line]) => this.row(line, all.ms, callName(nr)))
    return `${['% time     seconds  usecs/call     calls    errors syscall', rule, ...rows, rule, this.row(all, all.ms, 'total')].join('\n')}\n`
  }
  private row(line: Line, total: number, name: string): string {
    const share = total === 0 ? 0 : (100 * line.ms) / total
    const each = line.calls === 0 ? 0 : Math.floor((line.ms * 1000) / line.calls)
    return [
      share.toFixed(2).padStart(6),
      (line.ms / 1000).toFixed(6).padStart(11),
      String(each).padStart(11),
      String(line.calls).padStart(9),
      (line.errors === 0 ? '' : String(line.errors)).padStart(9),
      name,
    ].join(' ')
  }
}
