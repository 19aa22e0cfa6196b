// /proc outside the processes: proc(5), files about the machine. Numbers: proc-machine.ts; what can be tuned: proc-sys.ts.
import { E } from '../../abi/errno.ts'
import { sysvTable } from './proc-ipc.ts'
import { cpuinfo, loadavg, locksText, meminfo, stat, uptime } from './proc-machine.ts'
import type { Found } from './proc-process.ts'
import { cpuRange } from './proc-record.ts'
import { sysctl } from './proc-sys.ts'
import type { FsState } from './state.ts'
import type { Tree, TreeDir, TreeFile, TreeLink } from './treefs.ts'

function file(text: (state: FsState) => string | number, mode = 0o444): TreeFile<Found> {
  return { type: 'file', mode, text }
}
function value(text: string): TreeFile<Found> {
  return file(() => `${text}\n`)
}
function dir(entries: Tree<Found>): TreeDir<Found> {
  return { type: 'dir', mode: 0o555, entries }
}
function link(target: string): TreeLink<Found> {
  return { type: 'link', target: () => target }
}

/** Types that can be mounted, and those that only stand behind open files. */
const FILESYSTEMS = ['sysfs', 'tmpfs', 'proc', 'devtmpfs', 'devpts', 'mqueue', 'ramfs', 'pipefs', 'sockfs', 'anon_inodefs', 'mol']
const DEVICES = [
  'Character devices:', '  1 mem', '  4 tty', '  5 /dev/tty', '  5 /dev/console', '  5 /dev/ptmx', '136 pts', '', 'Block devices:',
]
const DRIVERS = [
  '/dev/tty             /dev/tty        5       0 system:/dev/tty',
  '/dev/console         /dev/console    5       1 system:console',
  '/dev/ptmx            /dev/ptmx       5       2 system',
  '/dev/tty             /dev/tty        4 0-63 console',
  'pty_slave            /dev/pts      136 0-1048575 pty:slave',
]
const SOFTIRQS = ['HI', 'TIMER', 'NET_TX', 'NET_RX', 'BLOCK', 'IRQ_POLL', 'TASKLET', 'SCHED', 'HRTIMER', 'RCU']
/** vmstat: what is asked for most; no disk, no swap, no faults of the machine's own. */
const COUNTERS = ['pgpgin', 'pgpgout', 'pswpin', 'pswpout', 'pgfault', 'pgmajfault', 'oom_kill']

function cpuHeader(state: FsState, width: number): string {
  return cpuRange(state.facts.cpus)
    .map(n => `CPU${n}`.padStart(width))
    .join('')
}
function vmstat(state: FsState): string {
  const pages = (bytes: number): number => Math.floor(bytes / 4096)
  const resident = state.facts.memoryResident()
  const rows = [`nr_free_pages ${pages(Math.max(0, state.facts.memory - resident))}`, `nr_anon_pages ${pages(resident)}`]
  return `${[...rows, ...COUNTERS.map(name => `${name} 0`)].join('\n')}\n`
}

export function rootTree(state: FsState): Tree<Found> {
  return {
    cgroups: value('#subsys_name\thierarchy\tnum_cgroups\tenabled'),
    cmdline: file(st => `${st.facts.cmdline}\n`),
    consoles: value('tty0                 -WU (EC  p  )    4:1'),
    cpuinfo: file(cpuinfo),
    crypto: file(() => ''),
    devices: value(DEVICES.join('\n')),
    diskstats: file(() => ''),
    driver: dir({}),
    execdomains: value('0-0\tLinux           \t[kernel]'),
    filesystems: file(() => FILESYSTEMS.map(name => `nodev\t${name}\n`).join('')),
    fs: dir({}),
    interrupts: file(st => `    ${cpuHeader(st, 11)}\n`),
    kallsyms: file(() => -E.PERM),
    loadavg: file(loadavg),
    locks: file(locksText),
    meminfo: file(meminfo),
    misc: file(() => ''),
    modules: file(() => ''),
    mounts: link('self/mounts'),
    net: link('self/net'),
    partitions: value('major minor  #blocks  name\n'),
    softirqs: file(st => {
      const zeros = cpuRange(st.facts.cpus).map(() => '0'.padStart(11)).join('')
      return `                ${cpuHeader(st, 11)}\n${SOFTIRQS.map(name => `${`${name}:`.padStart(12)}${zeros}\n`).join('')}`
    }),
    stat: file(stat),
    swaps: value('Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority'),
    sys: sysctl(state),
    sysvipc: dir(sysvTable),
    tty: dir({ drivers: value(DRIVERS.join('\n')), ldiscs: value('n_tty       0') }),
    uptime: file(uptime),
    version: file(st => `Linux version ${st.facts.osrelease} (mol@mol) (cc) ${st.facts.version}\n`),
    vmstat: file(vmstat),
    zoneinfo: file(() => ''),
  }
}
