// CPU time and other counts of processes: getrusage(2), times(2), and what wait4 and SIGCHLD say. In ms; the container knows, PM sums up.
import { E } from '../../abi/errno.ts'
import { USAGE } from '../../abi/ipc.ts'
import { int } from '../../abi/message.ts'
import type { CallVector } from '../../lib/server.ts'
import { PM } from '../../protocol/pm.ts'
import { type Counts, newCounts, type Pm, type Process, type Task, taskOf, type Usage } from './mproc.ts'
import { write64 } from './suspended.ts'
import { need } from './tell.ts'

/** struct rusage: byte offsets */
const RUSAGE = { MAXRSS: 32, MINFLT: 64, MAJFLT: 72, NVCSW: 128, NIVCSW: 136 } as const
export const RUSAGE_BYTES = 144
const WHO = { SELF: 0, CHILDREN: -1, THREAD: 1 } as const
const CLOCK_TICK = 10 // ms
const cpu = new Float64Array(2)

export function usageCalls(pm: Pm): CallVector {
  return {
    [PM.GETRUSAGE]: (m, from) => {
      const t = taskOf(pm, from)
      if (t === undefined) return -E.SRCH
      const who = int(m, 0)
      const at = need(m, 1, RUSAGE_BYTES)
      if (who !== WHO.SELF && who !== WHO.CHILDREN && who !== WHO.THREAD) return -E.INVAL
      if (at < 0) return at
      const p = t.process
      if (who === WHO.SELF) writeUsage(pm, at, usageOf(pm, p), countsOf(pm, p.tasks))
      else if (who === WHO.THREAD) writeUsage(pm, at, taskUsage(pm, t), countsOf(pm, [t]))
      else writeUsage(pm, at, p.waited, p.waitedCounts)
      if (who === WHO.CHILDREN) p.asksCounts = true
      return 0
    },
    [PM.TIMES]: (m, from) => {
      const t = taskOf(pm, from)
      if (t === undefined) return -E.SRCH
      const at = need(m, 0, 32)
      if (at >= 0) {
        const { waited } = t.process
        const own = usageOf(pm, t.process)
        const ms = [own.user, own.system, waited.user, waited.system]
        ms.forEach((value, k) => {
          write64(pm, at + 8 * k, Math.floor(value / CLOCK_TICK))
        })
      }
      return Math.floor(pm.sys.monotonic() / CLOCK_TICK)
    },
  }
}

export function taskUsage(pm: Pm, t: Task): Usage {
  pm.sys.times(t.endpoint, cpu)
  return { user: cpu[0], system: cpu[1] }
}
/** All threads, ended ones too. */
export function usageOf(pm: Pm, p: Process): Usage {
  const sum = { user: p.dead.user, system: p.dead.system }
  for (const t of p.tasks) {
    pm.sys.times(t.endpoint, cpu)
    sum.user += cpu[0]
    sum.system += cpu[1]
  }
  return sum
}
/** As far as the host tells. */
export function countsOf(pm: Pm, tasks: readonly Task[]): Counts {
  const sum = newCounts()
  const { sys } = pm
  const field = (index: number): number => sys.view.getFloat64(sys.buffer + 8 * index, true)
  for (const t of tasks) {
    if (sys.usage(t.endpoint, sys.buffer) < 0) continue
    const now = { peak: field(USAGE.PEAK), minor: field(USAGE.MINFLT), major: field(USAGE.MAJFLT), voluntary: field(USAGE.VOLUNTARY), involuntary: field(USAGE.INVOLUNTARY) }
    addCounts(sum, now)
  }
  return sum
}
export function addCounts(to: Counts, more: Counts): void {
  to.peak = Math.max(to.peak, more.peak)
  to.minor += more.minor
  to.major += more.major
  to.voluntary += more.voluntary
  to.involuntary += more.involuntary
}
export function writeUsage(pm: Pm, at: number, usage: Usage, counts: Counts): void {
  pm.sys.mem.fill(0, at, at + RUSAGE_BYTES)
  writeTimeval(pm, at, usage.user)
  writeTimeval(pm, at + 16, usage.system)
  write64(pm, at + RUSAGE.MAXRSS, Math.floor(counts.peak / 1024))
  write64(pm, at + RUSAGE.MINFLT, counts.minor)
  write64(pm, at + RUSAGE.MAJFLT, counts.major)
  write64(pm, at + RUSAGE.NVCSW, counts.voluntary)
  write64(pm, at + RUSAGE.NIVCSW, counts.involuntary)
}
export function writeTimeval(pm: Pm, at: number, ms: number): void {
  const seconds = Math.floor(ms / 1000)
  write64(pm, at, seconds)
  write64(pm, at + 8, Math.min(999_999, Math.floor((ms - seconds * 1000) * 1000)))
}
