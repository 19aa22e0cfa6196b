// /proc outside the processes: proc(5), files about the machine. Everything comes from Facts, PM's records and FS itself.
import { EP, setGrant, TYPE } from '../../abi/message.ts'
import { PM, TOTALS } from '../../protocol/pm.ts'
import { WATCHES_MAX } from './epoll.ts'
import { processOf } from './fcntl.ts'
import type { InodeLocks } from './locks.ts'
import { EOF, LOCK } from './locks.ts'
import { PIPE_MAX } from './pipe.ts'
import { mqueueLimits, sysvLimits, sysvTable } from './proc-ipc.ts'
import type { ProcDir, ProcEntry, ProcFile, ProcLink, ProcTable } from './procfs.ts'
import type { FsState } from './state.ts'

const TICK_MS = 10
const KIB = 1024

function file(text: (state: FsState) => string, mode = 0o444): ProcFile {
  return { type: 'file', mode, text }
}
function value(text: string): ProcFile {
  return file(() => `${text}\n`)
}
function dir(entries: ProcTable): ProcDir {
  return { type: 'dir', mode: 0o555, entries }
}
function link(target: string): ProcLink {
  return { type: 'link', target: () => target }
}

// -- memory and time --

function meminfo(state: FsState): string {
  const { memory, swap } = state.facts
  const free = Math.max(0, memory - state.facts.memoryUsed())
  const rows: readonly (readonly [string, number])[] = [
    ['MemTotal', memory],
    ['MemFree', free],
    ['MemAvailable', free],
    ['Buffers', 0],
    ['Cached', 0],
    ['SwapCached', 0],
    ['Active', memory - free],
    ['Inactive', 0],
    ['Active(anon)', memory - free],
    ['Inactive(anon)', 0],
    ['Active(file)', 0],
    ['Inactive(file)', 0],
    ['Unevictable', 0],
    ['Mlocked', 0],
    ['SwapTotal', swap],
    ['SwapFree', swap],
    ['Dirty', 0],
    ['Writeback', 0],
    ['AnonPages', memory - free],
    ['Mapped', 0],
    ['Shmem', 0],
    ['KReclaimable', 0],
    ['Slab', 0],
    ['SReclaimable', 0],
    ['SUnreclaim', 0],
    ['KernelStack', 0],
    ['PageTables', 0],
    ['CommitLimit', memory + swap],
    ['Committed_AS', memory - free],
    ['VmallocTotal', 35184372087808],
    ['VmallocUsed', 0],
    ['VmallocChunk', 0],
    ['HugePages_Total', -1],
    ['HugePages_Free', -1],
    ['Hugepagesize', 2097152],
  ]
  return rows
    .map(([name, bytes]) => {
      const head = `${name}:`.padEnd(16)
      return bytes < 0 ? `${head}${'0'.padStart(8)}\n` : `${head}${String(Math.floor(bytes / KIB)).padStart(8)} kB\n`
    })
    .join('')
}
/** PM's sums over all processes. */
function totals(state: FsState): (offset: number) => number {
  const { sys } = state
  const m = state.out
  m.fill(0)
  m[TYPE] = PM.TOTALS
  setGrant(m, 0, sys.buffer, TOTALS.BYTES)
  if (sys.sendrec(EP.PM, m) < 0) return () => 0
  const values = new Float64Array(sys.mem.slice(sys.buffer, sys.buffer + TOTALS.BYTES).buffer)
  return offset => values[offset / 8] as number
}
function stat(state: FsState): string {
  const { cpus } = state.facts
  const all = totals(state)
  const up = state.sys.monotonic() / TICK_MS
  const cpu = (share: number): string => {
    const user = all(TOTALS.UTIME) / TICK_MS / share
    const system = all(TOTALS.STIME) / TICK_MS / share
    const idle = Math.max(0, (up * cpus) / share - user - system)
    return [user, 0, system, idle, 0, 0, 0, 0, 0, 0].map(Math.floor).join(' ')
  }
  let text = `cpu  ${cpu(1)}\n`
  for (let n = 0; n < cpus; n++) text += `cpu${n} ${cpu(cpus)}\n`
  const boot = Math.floor((state.sys.realtime() - state.sys.monotonic()) / 1000)
  return `${text}intr 0\nctxt 0\nbtime ${boot}\nprocesses ${state.forks}\nprocs_running ${Math.max(1, all(TOTALS.RUNNING))}\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n`
}
function uptime(state: FsState): string {
  const up = state.sys.monotonic() / 1000
  const all = totals(state)
  const idle = Math.max(0, up * state.facts.cpus - (all(TOTALS.UTIME) + all(TOTALS.STIME)) / 1000)
  return `${up.toFixed(2)} ${idle.toFixed(2)}\n`
}
function loadavg(state: FsState): string {
  const all = totals(state)
  const loads = [0, 8, 16].map(k => all(TOTALS.LOAD + k).toFixed(2)).join(' ')
  return `${loads} ${Math.max(1, all(TOTALS.RUNNING))}/${all(TOTALS.THREADS)} ${all(TOTALS.LAST_PID)}\n`
}
function cpuinfo(state: FsState): string {
  const { cpus, cpuModel, cpuMhz, cpuFlags, cacheKb } = state.facts
  let text = ''
  for (let n = 0; n < cpus; n++) {
    const rows: readonly (readonly [string, string | number])[] = [
      ['processor\t', n],
      ['vendor_id\t', /AMD/.test(cpuModel) ? 'AuthenticAMD' : 'GenuineIntel'],
      ['cpu family\t', 6],
      ['model\t\t', 1],
      ['model name\t', cpuModel],
      ['stepping\t', 1],
      ['microcode\t', '0x1'],
      ['cpu MHz\t\t', cpuMhz.toFixed(3)],
      ['cache size\t', `${cacheKb} KB`],
      ['physical id\t', 0],
      ['siblings\t', cpus],
      ['core id\t\t', n],
      ['cpu cores\t', cpus],
      ['apicid\t\t', n],
      ['initial apicid\t', n],
      ['fpu\t\t', 'yes'],
      ['fpu_exception\t', 'yes'],
      ['cpuid level\t', 13],
      ['wp\t\t', 'yes'],
      ['flags\t\t', cpuFlags],
      ['bugs\t\t', ''],
      ['bogomips\t', (2 * cpuMhz).toFixed(2)],
      ['clflush size\t', 64],
      ['cache_alignment\t', 64],
      ['address sizes\t', '48 bits physical, 48 bits virtual'],
      ['power management', ''],
    ]
    text += `${rows.map(([name, v]) => (v === '' ? `${name}:` : `${name}: ${v}`)).join('\n')}\n\n`
  }
  return text
}

/** /proc/locks, proc_locks(5). */
function locksText(state: FsState): string {
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

// -- ids --

const HEX = '0123456789abcdef'
/** A version 4 UUID from 16 random bytes. */
function uuid(state: FsState): string {
  const { sys } = state
  sys.random(sys.buffer, 16)
  let text = ''
  for (let i = 0; i < 16; i++) {
    let byte = sys.mem[sys.buffer + i] as number
    if (i === 6) byte = (byte & 0x0f) | 0x40
    if (i === 8) byte = (byte & 0x3f) | 0x80
    if (i === 4 || i === 6 || i === 8 || i === 10) text += '-'
    text += (HEX[byte >> 4] as string) + HEX[byte & 15]
  }
  return text
}

// -- the tables --

function sysTable(state: FsState): ProcTable {
  const bootId = uuid(state)
  const number = (get: () => number): ProcFile => file(() => `${get()}\n`)
  return {
    fs: dir({
      'aio-max-nr': value('65536'),
      epoll: dir({ max_user_watches: number(() => WATCHES_MAX) }),
      'file-max': number(() => state.maxFiles),
      'file-nr': file(st => `${st.openFiles}\t0\t${st.maxFiles}\n`),
      inotify: dir({
        max_queued_events: value('16384'),
        max_user_instances: value('128'),
        max_user_watches: value('65536'),
      }),
      mqueue: dir(mqueueLimits),
      nr_open: value('1048576'),
      overflowgid: value('65534'),
      overflowuid: value('65534'),
      'pipe-max-size': number(() => PIPE_MAX),
      'pipe-user-pages-hard': value('0'),
      'pipe-user-pages-soft': value('16384'),
      protected_fifos: value('1'),
      protected_hardlinks: value('1'),
      protected_regular: value('2'),
      protected_symlinks: value('1'),
    }),
    kernel: dir({
      cap_last_cap: value('40'),
      core_pattern: value('core'),
      domainname: value('(none)'),
      hostname: file(st => `${st.facts.hostname()}\n`),
      ngroups_max: value('65536'),
      osrelease: file(st => `${st.facts.osrelease}\n`),
      ostype: value('Linux'),
      overflowgid: value('65534'),
      overflowuid: value('65534'),
      pid_max: number(() => state.facts.pidMax),
      random: dir({
        boot_id: value(bootId),
        entropy_avail: value('256'),
        poolsize: value('256'),
        uuid: file(st => `${uuid(st)}\n`),
      }),
      randomize_va_space: value('2'),
      tainted: value('0'),
      'threads-max': number(() => state.facts.pidMax),
      ...sysvLimits,
      version: file(st => `${st.facts.version}\n`),
      yama: dir({ ptrace_scope: value('1') }),
    }),
    net: dir({
      core: dir({ somaxconn: value('4096') }),
      ipv4: dir({ ip_local_port_range: value('32768\t60999'), ip_unprivileged_port_start: value('1024') }),
    }),
    vm: dir({
      max_map_count: value('65530'),
      mmap_min_addr: value('65536'),
      overcommit_memory: value('0'),
      overcommit_ratio: value('50'),
      swappiness: value('60'),
    }),
  }
}

const FILESYSTEMS = ['proc', 'tmpfs', 'devtmpfs', 'devpts', 'mqueue', 'pipefs', 'anon_inodefs', 'mol']

export function rootTable(state: FsState): ProcTable {
  const table: Record<string, ProcEntry> = {
    cgroups: value('#subsys_name\thierarchy\tnum_cgroups\tenabled'),
    cmdline: file(st => `${st.facts.cmdline}\n`),
    consoles: value('tty0                 -WU (EC  p  )    4:1'),
    cpuinfo: file(cpuinfo),
    crypto: file(() => ''),
    devices: file(
      () =>
        'Character devices:\n  1 mem\n  4 tty\n  5 /dev/tty\n  5 /dev/console\n  5 /dev/ptmx\n136 pts\n\nBlock devices:\n',
    ),
    diskstats: file(() => ''),
    filesystems: file(() => FILESYSTEMS.map(name => `nodev\t${name}\n`).join('')),
    interrupts: file(st => `${Array.from({ length: st.facts.cpus }, (_, n) => `       CPU${n}`).join('')}\n`),
    loadavg: file(loadavg),
    locks: file(locksText),
    meminfo: file(meminfo),
    misc: file(() => ''),
    modules: file(() => ''),
    mounts: link('self/mounts'),
    net: link('self/net'),
    partitions: value('major minor  #blocks  name\n'),
    stat: file(stat),
    swaps: value('Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority'),
    sys: dir(sysTable(state)),
    sysvipc: dir(sysvTable),
    tty: dir({
      drivers: value(
        '/dev/tty             /dev/tty        5       0 system:/dev/tty\n/dev/console         /dev/console    5       1 system:console\n/dev/ptmx            /dev/ptmx       5       2 system\n/dev/tty             /dev/tty        4 0-63 console\npty_slave            /dev/pts      136 0-1048575 pty:slave',
      ),
      ldiscs: value('n_tty       0'),
    }),
    uptime: file(uptime),
    version: file(st => `Linux version ${st.facts.osrelease} (mol@mol) (cc) ${st.facts.version}\n`),
    vmstat: file(
      st =>
        `nr_free_pages ${Math.floor(Math.max(0, st.facts.memory - st.facts.memoryUsed()) / 4096)}\npgpgin 0\npgpgout 0\npswpin 0\npswpout 0\npgfault 0\npgmajfault 0\n`,
    ),
    zoneinfo: file(() => ''),
  }
  return table
}
