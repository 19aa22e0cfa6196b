// /sys as programs read it (sysfs(5)): processors, the one memory node, huge pages, the loopback interface, and the directories that are
// looked into and found empty. A table like /proc's; there is nothing to write. Control groups: docs/decisions.
import type { FsType } from './inode.ts'
import { memoryLine, memoryRows } from './proc-machine.ts'
import { cpuList, cpuMask, cpuRange } from './proc-record.ts'
import type { Facts, FsState } from './state.ts'
import { type Tree, type TreeDir, type TreeEntry, type TreeFile, TreeFs, type TreeLink } from './treefs.ts'

const SYSFS_MAGIC = 0x62656572
/** Nothing here is about anybody. */
type Nobody = null

function value(text: string | number): TreeFile<Nobody> {
  return { type: 'file', mode: 0o444, text: () => `${text}\n` }
}
function text(make: (state: FsState) => string): TreeFile<Nobody> {
  return { type: 'file', mode: 0o444, text: make }
}
function dir(entries: Tree<Nobody>): TreeDir<Nobody> {
  return { type: 'dir', mode: 0o755, entries }
}
function link(target: string): TreeLink<Nobody> {
  return { type: 'link', target: () => target }
}
function values(table: Readonly<Record<string, string | number>>): Tree<Nobody> {
  return Object.fromEntries(Object.entries(table).map(([name, v]) => [name, value(v)]))
}
const empty = dir({})

// -- processors: a core each, all in one package --

function cpu(facts: Facts, n: number): TreeDir<Nobody> {
  const all = cpuRange(facts.cpus)
  const mask = (cpus: number[]): string => cpuMask(cpus, facts.cpus)
  const alone = { mask: mask([n]), list: String(n) }
  const together = { mask: mask(all), list: cpuList(all) }
  const topology = values({
    cluster_cpus: alone.mask, cluster_cpus_list: alone.list, cluster_id: 65535, core_cpus: alone.mask, core_cpus_list: alone.list, core_id: n,
    core_siblings: together.mask, core_siblings_list: together.list, die_cpus: together.mask, die_cpus_list: together.list, die_id: 0,
    package_cpus: together.mask, package_cpus_list: together.list, physical_package_id: 0, thread_siblings: alone.mask,
    thread_siblings_list: alone.list,
  })
  const caches = facts.caches.map((cache, k): [string, TreeDir<Nobody>] => {
    const { mask: shared, list } = Number(cache.level) > 2 ? together : alone
    return [`index${k}`, dir(values({ ...cache, shared_cpu_list: list, shared_cpu_map: shared }))]
  })
  return dir({ cache: dir(Object.fromEntries(caches)), node0: link('../../node/node0'), topology: dir(topology) })
}
function cpus(facts: Facts): TreeDir<Nobody> {
  const all = cpuList(cpuRange(facts.cpus))
  const each = cpuRange(facts.cpus).map((n): [string, TreeDir<Nobody>] => [`cpu${n}`, cpu(facts, n)])
  return dir({
    ...Object.fromEntries(each),
    ...values({ enabled: all, isolated: '', kernel_max: 255, offline: '', online: all, possible: all, present: all }),
    smt: dir(values({ active: 0, control: 'notsupported' })),
  })
}
function node(facts: Facts): TreeDir<Nobody> {
  const all = cpuRange(facts.cpus)
  const links = all.map((n): [string, TreeEntry<Nobody>] => [`cpu${n}`, link(`../../cpu/cpu${n}`)])
  const meminfo = text(state => {
    const [total = 0, free = 0] = memoryRows(state).map(([, bytes]) => bytes)
    const rows: readonly (readonly [string, number])[] = [['MemTotal', total], ['MemFree', free], ['MemUsed', total - free]]
    return rows.map(([name, bytes]) => `Node 0 ${memoryLine(name, bytes)}`).join('')
  })
  const node0 = dir({
    ...Object.fromEntries(links),
    ...values({ cpulist: cpuList(all), cpumap: cpuMask(all, facts.cpus), distance: 10 }),
    hugepages: hugepages(),
    meminfo,
    numastat: value('numa_hit 0\nnuma_miss 0\nnuma_foreign 0\ninterleave_hit 0\nlocal_node 0\nother_node 0'),
  })
  return dir({ ...values({ has_cpu: 0, has_memory: 0, has_normal_memory: 0, online: 0, possible: 0 }), node0 })
}

// -- memory --

function hugepages(): TreeDir<Nobody> {
  return dir({ 'hugepages-2048kB': dir(values({ free_hugepages: 0, nr_hugepages: 0, surplus_hugepages: 0 })) })
}
/** Whether the host's kernel makes huge pages of guests' memory is the host's to say. */
function memory(facts: Facts): TreeDir<Nobody> {
  const choices = { defrag: 'always defer defer+madvise [madvise] never', enabled: facts.hugePages, shmem_enabled: 'always within_size advise [never] deny force' }
  return dir({
    hugepages: hugepages(),
    transparent_hugepage: dir({ ...values({ ...choices, hpage_pmd_size: 2 << 20, use_zero_page: 1 }) }),
  })
}

// -- network: the loopback interface --

const LOOPBACK = {
  addr_assign_type: 0, addr_len: 6, address: '00:00:00:00:00:00', broadcast: '00:00:00:00:00:00', carrier: 1, dev_id: '0x0', dormant: 0,
  flags: '0x9', ifalias: '', ifindex: 1, iflink: 1, link_mode: 0, mtu: 65536, name_assign_type: 1, netdev_group: 0, operstate: 'unknown',
  tx_queue_len: 1000, type: 772,
} as const
const COUNTERS = [
  'collisions', 'multicast', 'rx_bytes', 'rx_compressed', 'rx_crc_errors', 'rx_dropped', 'rx_errors', 'rx_fifo_errors', 'rx_frame_errors',
  'rx_length_errors', 'rx_missed_errors', 'rx_over_errors', 'rx_packets', 'tx_aborted_errors', 'tx_bytes', 'tx_carrier_errors',
  'tx_compressed', 'tx_dropped', 'tx_errors', 'tx_fifo_errors', 'tx_heartbeat_errors', 'tx_packets', 'tx_window_errors',
]
const lo = dir({ ...values(LOOPBACK), statistics: dir(values(Object.fromEntries(COUNTERS.map(name => [name, 0])))), subsystem: link('../../../../class/net') })

export function createSysfs(state: FsState, dev: number): FsType {
  const { facts } = state
  const root = dir({
    block: empty,
    bus: empty,
    class: dir({ block: empty, net: dir({ lo: link('../../devices/virtual/net/lo') }) }),
    dev: dir({ block: empty, char: empty }),
    devices: dir({ system: dir({ cpu: cpus(facts), node: node(facts) }), virtual: dir({ net: dir({ lo }) }) }),
    firmware: empty,
    fs: dir({ cgroup: empty }),
    kernel: dir({ ...values({ address_bits: 64, cpu_byteorder: 'little', fscaps: 1 }), mm: memory(facts) }),
    module: empty,
    power: empty,
  })
  const kind = {
    name: 'sysfs', magic: SYSFS_MAGIC, fileSize: 4096, strict: true, root, about: null, owner: () => ({ uid: 0, gid: 0 }), alive: () => true, id: () => 0,
  }
  return new TreeFs<Nobody>(state, kind, dev)
}
