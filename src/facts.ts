// What a machine is told about its host: the kind of processor, its caches, how its kernel treats memory. Nothing that tells one host from
// another of its kind: no names, no serial numbers, no processes, no mounts.
import { readdirSync, readFileSync } from 'node:fs'
import { cpus, release, version } from 'node:os'
import type { Facts } from './servers/fs/state.ts'

/** Lines of /proc/cpuinfo that are passed on, as far as the host has them. */
const CPUINFO = new Set([
  'processor', 'vendor_id', 'cpu family', 'model', 'model name', 'stepping', 'cpu MHz', 'cache size', 'physical id', 'siblings', 'core id',
  'cpu cores', 'apicid', 'initial apicid', 'fpu', 'fpu_exception', 'cpuid level', 'wp', 'flags', 'bugs', 'bogomips', 'TLB size', 'clflush size',
  'cache_alignment', 'address sizes', 'power management',
])
const CACHE = '/sys/devices/system/cpu/cpu0/cache'
const CACHE_FILES = ['coherency_line_size', 'level', 'number_of_sets', 'physical_line_partition', 'size', 'type', 'ways_of_associativity']
const HUGE_PAGES = '/sys/kernel/mm/transparent_hugepage/enabled'

/** What only the machine itself can say. */
export type OwnFacts = Pick<Facts, 'memory' | 'memoryUsed' | 'memoryResident' | 'overcommit' | 'processes' | 'ptys' | 'messages'>

export function facts(own: OwnFacts): Facts {
  return {
    ...own,
    cpus: cpus().length,
    cpuinfo: cpuinfo(),
    caches: caches(),
    hugePages: textOf(HUGE_PAGES) || 'always madvise [never]',
    osrelease: release(),
    version: version(),
    pidMax: 32768,
    cmdline: 'mol',
  }
}

/** A file's first lines without the last newline; '' when there is no such file. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1').trimEnd()
  } catch {
    return ''
  }
}
function cpuinfo(): [name: string, value: string][] {
  const [first = ''] = textOf('/proc/cpuinfo').split('\n\n')
  return first.split('\n').flatMap(line => {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon)
    return CPUINFO.has(name.trim()) ? [[name, line.slice(colon + 1).trim()]] : []
  })
}
function caches(): Record<string, string>[] {
  let names: string[] = []
  try {
    names = readdirSync(CACHE).filter(name => /^index\d$/.test(name))
  } catch {
    return [] // this host doesn't say
  }
  return names.sort().map(name => Object.fromEntries(CACHE_FILES.map(file => [file, textOf(`${CACHE}/${name}/${file}`)])))
}
