// What a machine under test is told about its host: two processors of no make.
import type { Facts } from '../../src/servers/fs/state.ts'

export const FACTS: Facts = {
  cpus: 2,
  cpuinfo: [
    ['processor\t', '7'],
    ['vendor_id\t', 'Test'],
    ['model name\t', 'Test CPU'],
    ['siblings\t', '64'],
    ['power management', ''],
  ],
  caches: [{ level: '1', size: '32K', type: 'Data' }],
  memory: 2 ** 30,
  memoryUsed: () => 2 ** 21,
  memoryResident: () => 2 ** 20,
  overcommit: () => 2,
  hugePages: 'always [madvise] never',
  osrelease: '6.1.0-mol',
  version: '#1',
  pidMax: 32768,
  processes: 1000,
  ptys: 64,
  cmdline: 'mol',
  messages: () => 42,
}
