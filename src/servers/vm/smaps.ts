// /proc/PID/smaps and smaps_rollup (fs/proc/task_mmu.c show_smap): what of each region is in memory. The numbers are the host's, added up
// by region; where the host doesn't say, they are 0.
import { RESIDENCE as C } from '../../abi/ipc.ts'
import { PAGE, PROT_EXEC, PROT_READ, PROT_WRITE } from '../../abi/mman.ts'
import { mapsLine } from './maps.ts'
import { R, type Region } from './region.ts'
import type { Row, State } from './state.ts'

/** Lines in Linux's order; no column: always 0. */
const LINES: readonly (readonly [name: string, column?: number])[] = [
  ['Rss', C.RSS],
  ['Pss', C.PSS],
  ['Pss_Dirty', C.PSS_DIRTY],
  ['Shared_Clean', C.SHARED_CLEAN],
  ['Shared_Dirty', C.SHARED_DIRTY],
  ['Private_Clean', C.PRIVATE_CLEAN],
  ['Private_Dirty', C.PRIVATE_DIRTY],
  ['Referenced', C.REFERENCED],
  ['Anonymous', C.ANONYMOUS],
  ['KSM'],
  ['LazyFree', C.LAZY_FREE],
  ['AnonHugePages', C.ANON_HUGE],
  ['ShmemPmdMapped'],
  ['FilePmdMapped'],
  ['Shared_Hugetlb'],
  ['Private_Hugetlb'],
  ['Swap', C.SWAP],
  ['SwapPss', C.SWAP_PSS],
  ['Locked', C.LOCKED],
]
const COLUMNS = C.BYTES / 8

function kb(name: string, bytes: number): string {
  return `${`${name}:`.padEnd(16)}${String(Math.floor(bytes / 1024)).padStart(8)} kB\n`
}
function lines(value: (column: number) => number): string {
  return LINES.map(([name, column]) => kb(name, column === undefined ? 0 : value(column))).join('')
}

/** Rows of RESIDENCE for all regions, one after the other. */
function residence(state: State, row: Row): Float64Array {
  const { regions } = row.space
  const { sys } = state
  const out = new Float64Array(regions.length * COLUMNS)
  const most = Math.floor(sys.bufferSize / C.BYTES)
  for (let first = 0; first < regions.length; first += most) {
    const some = regions.slice(first, first + most)
    some.forEach((r, i) => {
      sys.view.setFloat64(sys.buffer + i * C.BYTES + 8 * C.START, r.start, true)
      sys.view.setFloat64(sys.buffer + i * C.BYTES + 8 * C.END, r.end, true)
    })
    if (sys.residence(row.endpoint, sys.buffer, some.length) < 0) return out
    for (let k = 0; k < some.length * COLUMNS; k++) out[first * COLUMNS + k] = sys.view.getFloat64(sys.buffer + 8 * k, true)
  }
  return out
}

/** VmFlags, the two-letter codes. */
const FLAGS: readonly (readonly [code: string, has: (r: Region) => boolean])[] = [
  ['rd', r => (r.prot & PROT_READ) !== 0],
  ['wr', r => (r.prot & PROT_WRITE) !== 0],
  ['ex', r => (r.prot & PROT_EXEC) !== 0],
  ['sh', r => (r.flags & R.SHARED) !== 0],
  ['mr', () => true],
  ['mw', r => (r.flags & R.READONLY) === 0],
  ['me', () => true],
  ['ms', r => (r.flags & R.SHARED) !== 0 && (r.flags & R.READONLY) === 0],
  ['gd', r => (r.flags & R.GROWSDOWN) !== 0],
  ['lo', r => (r.flags & R.LOCKED) !== 0],
  ['sr', r => (r.flags & R.SEQUENTIAL) !== 0],
  ['rr', r => (r.flags & R.RANDOM) !== 0],
  ['dc', r => (r.flags & R.DONTFORK) !== 0],
  ['ac', r => (r.flags & R.ACCOUNT) !== 0],
  ['nr', r => (r.flags & R.NORESERVE) !== 0],
  ['wf', r => (r.flags & R.WIPEONFORK) !== 0],
  ['dd', r => (r.flags & R.DONTDUMP) !== 0],
  ['hg', r => (r.flags & R.HUGE) !== 0],
  ['nh', r => (r.flags & R.NOHUGE) !== 0],
]

export function smapsText(state: State, row: Row): string {
  const numbers = residence(state, row)
  return row.space.regions
    .map((r, i) => {
      const flags = FLAGS.flatMap(([code, has]) => (has(r) ? [`${code} `] : [])).join('')
      const sizes = kb('Size', r.end - r.start) + kb('KernelPageSize', PAGE) + kb('MMUPageSize', PAGE)
      return `${mapsLine(row.space, r)}${sizes}${lines(c => numbers[i * COLUMNS + c] as number)}THPeligible:           0\nVmFlags: ${flags}\n`
    })
    .join('')
}

export function rollupText(state: State, row: Row): string {
  const { regions } = row.space
  const first = regions[0]
  const last = regions[regions.length - 1]
  if (first === undefined || last === undefined) return ''
  const numbers = residence(state, row)
  const sum = (column: number, of: (r: Region) => boolean = () => true): number =>
    regions.reduce((total, r, i) => total + (of(r) ? (numbers[i * COLUMNS + column] as number) : 0), 0)
  const range = `${first.start.toString(16).padStart(8, '0')}-${last.end.toString(16).padStart(8, '0')}`
  const [rss = '', pss = '', dirty = '', ...rest] = lines(sum).split(/(?<=\n)/)
  const anonymous = sum(C.PSS, r => r.backing === null)
  const shared = sum(C.PSS, r => r.backing !== null && (r.flags & R.HOSTFILE) === 0)
  const kinds = kb('Pss_Anon', anonymous) + kb('Pss_File', sum(C.PSS) - anonymous - shared) + kb('Pss_Shmem', shared)
  return `${`${range} ---p 00000000 00:00 0`.padEnd(73)}[rollup]\n${rss}${pss}${dirty}${kinds}${rest.join('')}`
}
