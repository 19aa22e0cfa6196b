// A guest's host process seen from outside, through the host's /proc: memory, what of it is resident, faults, context switches. The guest has
// no part in it and may run meanwhile; which host process it is comes from a trusted source (HostProcesses). Where the host doesn't let us
// look (ptrace(2), access modes) everything answers the host's error.
import { RESIDENCE, USAGE } from '../../abi/ipc.ts'
import * as host from '../../host/host.ts'
import type { Arena } from './thread.ts'

const O_RDONLY = 0
const O_RDWR = 2
const PREAD64 = 17
const PWRITE64 = 18
const KIB = 1024
const PAGE = 4096
const CHUNK = 1 << 18
const scratch = new host.Scratch(CHUNK)

/** Fields of the host's smaps, by how their lines begin: column of RESIDENCE. */
const SMAPS: Readonly<Record<string, number>> = {
  Rss: RESIDENCE.RSS,
  Pss: RESIDENCE.PSS,
  Pss_Dirty: RESIDENCE.PSS_DIRTY,
  Shared_Clean: RESIDENCE.SHARED_CLEAN,
  Shared_Dirty: RESIDENCE.SHARED_DIRTY,
  Private_Clean: RESIDENCE.PRIVATE_CLEAN,
  Private_Dirty: RESIDENCE.PRIVATE_DIRTY,
  Referenced: RESIDENCE.REFERENCED,
  Anonymous: RESIDENCE.ANONYMOUS,
  LazyFree: RESIDENCE.LAZY_FREE,
  AnonHugePages: RESIDENCE.ANON_HUGE,
  Swap: RESIDENCE.SWAP,
  SwapPss: RESIDENCE.SWAP_PSS,
  Locked: RESIDENCE.LOCKED,
}
const STATUS: Readonly<Record<string, readonly [column: number, unit: number]>> = {
  RssAnon: [USAGE.ANON, KIB],
  RssFile: [USAGE.FILE, KIB],
  RssShmem: [USAGE.SHARED, KIB],
  VmHWM: [USAGE.PEAK, KIB],
  voluntary_ctxt_switches: [USAGE.VOLUNTARY, 1],
  nonvoluntary_ctxt_switches: [USAGE.INVOLUNTARY, 1],
}
/** Of /proc/PID/stat, counted from the state behind the name. */
const STAT_MINFLT = 7
const STAT_MAJFLT = 9

/** pread or pwrite of a process's memory at `address`, to or from arena offset `at`: bytes or -errno. */
export function access(arena: Arena, pid: number, address: number, at: number, bytes: number, write: boolean): number {
  const fd = host.openPath(`/proc/${pid}/mem`, write ? O_RDWR : O_RDONLY)
  if (fd < 0) return fd
  const r = host.sys(write ? PWRITE64 : PREAD64, fd, arena.address + at, bytes, address)
  host.close(fd)
  return r
}

/** A file of the host's /proc, whole, or -errno. */
function textOf(path: string): string | number {
  const fd = host.openPath(path, O_RDONLY)
  if (fd < 0) return fd
  let text = ''
  let n = host.read(fd, scratch.address, CHUNK)
  for (; n > 0; n = host.read(fd, scratch.address, CHUNK)) text += Buffer.from(scratch.bytes.buffer, 0, n).toString('latin1')
  host.close(fd)
  return n < 0 ? n : text
}

/** A USAGE record for a thread of a process. */
export function usage(arena: Arena, pid: number, tid: number, at: number): number {
  const status = textOf(`/proc/${pid}/task/${tid}/status`)
  const stat = textOf(`/proc/${pid}/stat`)
  if (typeof status === 'number') return status
  if (typeof stat === 'number') return stat
  const put = (index: number, value: number): void => arena.view.setFloat64(at + 8 * index, value, true)
  for (let i = 0; i < USAGE.BYTES / 8; i++) put(i, 0)
  for (const [, name = '', value] of status.matchAll(/^(\w+):\s*(\d+)/gm)) {
    const field = STATUS[name]
    if (field !== undefined) put(field[0], Number(value) * field[1])
  }
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  put(USAGE.MINFLT, Number(fields[STAT_MINFLT]))
  put(USAGE.MAJFLT, Number(fields[STAT_MAJFLT]))
  return 0
}

/** RESIDENCE rows: each gets the sums of the host's mappings that lie in it. */
export function residence(arena: Arena, pid: number, at: number, rows: number): number {
  const text = textOf(`/proc/${pid}/smaps`)
  if (typeof text === 'number') return text
  const { view } = arena
  const cell = (row: number, column: number): number => at + row * RESIDENCE.BYTES + 8 * column
  for (let row = 0; row < rows; row++) for (let c: number = RESIDENCE.RSS; c <= RESIDENCE.LOCKED; c++) view.setFloat64(cell(row, c), 0, true)
  let row = 0
  let inside = false
  for (const [, start, end, name = '', kb] of text.matchAll(/^(?:([0-9a-f]+)-([0-9a-f]+) |(\w+): +(\d+) kB$)/gm)) {
    if (start !== undefined) {
      const from = Number.parseInt(start, 16)
      const to = Number.parseInt(end as string, 16)
      while (row < rows && view.getFloat64(cell(row, RESIDENCE.END), true) <= from) row++
      inside = row < rows && view.getFloat64(cell(row, RESIDENCE.START), true) < to
    } else if (inside && SMAPS[name] !== undefined) {
      const o = cell(row, SMAPS[name])
      view.setFloat64(o, view.getFloat64(o, true) + Number(kb) * KIB, true)
    }
  }
  return 0
}

/** Bytes of a process's private memory that are there; 0 when it is gone. */
export function privateBytes(pid: number): number {
  const text = textOf(`/proc/${pid}/statm`)
  if (typeof text === 'number') return 0
  const [, resident = 0, shared = 0] = text.split(' ').map(Number)
  return Math.max(0, resident - shared) * PAGE
}
