// The machine in numbers, proc(5): meminfo, stat, uptime, loadavg, cpuinfo, locks. From Facts, PM's sums, and FS itself.
import { TOTALS } from '../../protocol/pm.ts'
import { processOf } from './fcntl.ts'
import type { InodeLocks } from './locks.ts'
import { EOF, LOCK } from './locks.ts'
import { totals } from './proc-process.ts'
import { cpuRange } from './proc-record.ts'
import type { FsState } from './state.ts'

const TICK_MS = 10
const KIB = 1024
const VMALLOC = 35184372087808

/** Names and sizes in bytes. What the host caches for everybody is nobody's here; there is no swap. */
export function memoryRows(state: FsState): readonly (readonly [name: string, bytes: number])[] {
  const { memory, memoryUsed, memoryResident } = state.facts
  const committed = memoryUsed()
  const resident = Math.min(memory, memoryResident())
  const free = Math.max(0, memory - Math.max(committed, resident)) // what is committed nobody else gets
  return [
    ['MemTotal', memory],
    ['MemFree', free],
    ['MemAvailable', free],
    ['Buffers', 0],
    ['Cached', 0],
    ['SwapCached', 0],
    ['Active', resident],
    ['Inactive', 0],
    ['Active(anon)', resident],
    ['Inactive(anon)', 0],
    ['Active(file)', 0],
    ['Inactive(file)', 0],
    ['Unevictable', 0],
    ['Mlocked', 0],
    ['SwapTotal', 0],
    ['SwapFree', 0],
    ['Zswap', 0],
    ['Zswapped', 0],
    ['Dirty', 0],
    ['Writeback', 0],
    ['AnonPages', resident],
    ['Mapped', 0],
    ['Shmem', 0],
    ['KReclaimable', 0],
    ['Slab', 0],
    ['SReclaimable', 0],
    ['SUnreclaim', 0],
    ['KernelStack', 0],
    ['PageTables', 0],
    ['SecPageTables', 0],
    ['NFS_Unstable', 0],
    ['Bounce', 0],
    ['WritebackTmp', 0],
    ['CommitLimit', memory],
    ['Committed_AS', committed],
    ['VmallocTotal', VMALLOC],
    ['VmallocUsed', 0],
    ['VmallocChunk', 0],
    ['Percpu', 0],
    ['AnonHugePages', 0],
    ['ShmemHugePages', 0],
    ['ShmemPmdMapped', 0],
    ['FileHugePages', 0],
    ['FilePmdMapped', 0],
  ]
}
const HUGE_PAGES = ['HugePages_Total', 'HugePages_Free', 'HugePages_Rsvd', 'HugePages_Surp']
export function memoryLine(name: string, bytes: number, width = 16): string {
  return `${`${name}:`.padEnd(width)}${String(Math.floor(bytes / KIB)).padStart(8)} kB\n`
}
export function meminfo(state: FsState): string {
  const huge = HUGE_PAGES.map(name => `${`${name}:`.padEnd(16)}${'0'.padStart(8)}\n`).join('')
  const rows = memoryRows(state).map(([name, bytes]) => memoryLine(name, bytes))
  return `${rows.join('')}${huge}${memoryLine('Hugepagesize', 2 << 20)}${memoryLine('Hugetlb', 0)}`
}

export function stat(state: FsState): string {
  const { cpus } = state.facts
  const all = totals(state)
  const up = state.sys.monotonic() / TICK_MS
  const cpu = (share: number): string => {
    const user = all(TOTALS.UTIME) / TICK_MS / share
    const system = all(TOTALS.STIME) / TICK_MS / share
    const idle = Math.max(0, (up * cpus) / share - user - system)
    return [user, 0, system, idle, 0, 0, 0, 0, 0, 0].map(Math.floor).join(' ')
  }
  const boot = Math.floor((state.sys.realtime() - state.sys.monotonic()) / 1000)
  const rows = [
    `cpu  ${cpu(1)}`,
    ...cpuRange(cpus).map(n => `cpu${n} ${cpu(cpus)}`),
    'intr 0',
    `ctxt ${state.facts.messages()}`,
    `btime ${boot}`,
    `processes ${state.forks}`,
    `procs_running ${Math.max(1, all(TOTALS.RUNNING))}`,
    'procs_blocked 0',
    'softirq 0 0 0 0 0 0 0 0 0 0 0',
  ]
  return `${rows.join('\n')}\n`
}
export function uptime(state: FsState): string {
  const up = state.sys.monotonic() / 1000
  const all = totals(state)
  const idle = Math.max(0, up * state.facts.cpus - (all(TOTALS.UTIME) + all(TOTALS.STIME)) / 1000)
  return `${up.toFixed(2)} ${idle.toFixed(2)}\n`
}
export function loadavg(state: FsState): string {
  const all = totals(state)
  const loads = [0, 8, 16].map(k => all(TOTALS.LOAD + k).toFixed(2)).join(' ')
  return `${loads} ${Math.max(1, all(TOTALS.RUNNING))}/${all(TOTALS.THREADS)} ${all(TOTALS.LAST_PID)}\n`
}

/** One block per processor: the host's lines about what kind it is, and our own numbering, one core each in one package. */
export function cpuinfo(state: FsState): string {
  const { cpus } = state.facts
  const own = (n: number): Readonly<Record<string, number>> => ({
    processor: n, 'physical id': 0, siblings: cpus, 'core id': n, 'cpu cores': cpus, apicid: n, 'initial apicid': n,
  })
  return cpuRange(cpus)
    .map(n => {
      const numbers = own(n)
      const rows = state.facts.cpuinfo.map(([name, value]) => [name, String(numbers[name.trim()] ?? value)] as const)
      return `${rows.map(([name, value]) => (value === '' ? `${name}:` : `${name}: ${value}`)).join('\n')}\n\n`
    })
    .join('')
}

/** /proc/locks, proc_locks(5). */
export function locksText(state: FsState): string {
  let text = ''
  let n = 1
  for (const [inode, locks] of state.locks) {
    const where = `${(inode.fs.dev >>> 8).toString(16).padStart(2, '0')}:${(inode.fs.dev & 0xff).toString(16).padStart(2, '0')}:${inode.ino}`
    const all: [string, InodeLocks['records']][] = [
      ['POSIX ', locks.records],
      ['FLOCK ', locks.flocks],
    ]
    for (const [kind, list] of all) {
      for (const lock of list) {
        const name = kind === 'POSIX ' && lock.endpoint < 0 ? 'OFDLCK' : kind
        const pid = lock.endpoint < 0 ? -1 : processOf(state, lock.endpoint)
        const end = lock.end >= EOF ? 'EOF' : lock.end
        text += `${n++}: ${name} ADVISORY  ${lock.type === LOCK.WRITE ? 'WRITE' : 'READ '} ${pid} ${where} ${lock.start} ${end}\n`
      }
    }
  }
  return text
}

