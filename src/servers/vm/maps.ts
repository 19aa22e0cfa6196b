// What /proc/PID/maps, statm and status say about an address space (fs/proc/task_mmu.c). What is mapped we know; what is resident the
// host says.
import { USAGE } from '../../abi/ipc.ts'
import { PAGE, PROT_EXEC, PROT_READ, PROT_WRITE } from '../../abi/mman.ts'
import { isData, R, type Region } from './region.ts'
import type { Space } from './space.ts'
import type { Row, State } from './state.ts'

/** Column names begin at. */
const NAME_AT = 73

export function mapsText(space: Space): string {
  let text = ''
  for (const r of space.regions) text += mapsLine(space, r)
  return text
}
export function mapsLine(space: Space, r: Region): string {
  const rwx = (r.prot & PROT_READ ? 'r' : '-') + (r.prot & PROT_WRITE ? 'w' : '-') + (r.prot & PROT_EXEC ? 'x' : '-')
  const b = r.backing
  const offset = b === null ? 0 : r.offset
  const dev = b === null ? 0 : b.dev
  const line = `${hex(r.start, 8)}-${hex(r.end, 8)} ${rwx}${r.flags & R.SHARED ? 's' : 'p'} ${hex(offset, 8)} ${hex(major(dev), 2)}:${hex(minor(dev), 2)} ${b === null ? 0 : b.ino} `
  const name = b !== null ? escaped(b.name) : nameOf(space, r)
  return name === '' ? `${line}\n` : `${line.padEnd(NAME_AT)}${name}\n`
}
function nameOf(space: Space, r: Region): string {
  if (r.start < space.brk && r.end > space.startBrk) return '[heap]'
  return r.start < space.stackTop && r.end >= space.stackTop ? '[stack]' : ''
}
function hex(n: number, width: number): string {
  return n.toString(16).padStart(width, '0')
}
/** st_dev to the two numbers (glibc's gnu_dev_major, gnu_dev_minor). */
function major(dev: number): number {
  return ((dev >>> 8) & 0xfff) + (Math.floor(dev / 2 ** 44) << 12)
}
function minor(dev: number): number {
  return (dev & 0xff) + (((dev / 2 ** 12) & 0xfffff00) >>> 0)
}
function escaped(name: string): string {
  return name.includes('\n') ? name.replaceAll('\n', '\\012') : name
}

interface Sums {
  text: number
  data: number
  stack: number
  lib: number
}
function sums(space: Space): Sums {
  const s: Sums = { text: 0, data: 0, stack: 0, lib: 0 }
  for (const r of space.regions) {
    const bytes = r.end - r.start
    if (r.flags & R.GROWSDOWN) s.stack += bytes
    else if (r.prot & PROT_EXEC && !(r.prot & PROT_WRITE)) s.lib += bytes
    if (isData(r.prot, r.flags)) s.data += bytes
  }
  const first = space.regions.find(r => r.prot & PROT_EXEC && r.backing !== null)
  s.text = first === undefined ? 0 : first.end - first.start
  s.lib = Math.max(0, s.lib - s.text)
  return s
}
/** Resident bytes by kind, and the most there ever were; all 0 where the host doesn't say. */
function resident(state: State, row: Row): { anon: number; file: number; shared: number; peak: number } {
  const { view, buffer } = state.sys
  const known = state.sys.usage(row.endpoint, buffer) >= 0
  const f64 = (index: number): number => (known ? view.getFloat64(buffer + 8 * index, true) : 0)
  return { anon: f64(USAGE.ANON), file: f64(USAGE.FILE), shared: f64(USAGE.SHARED), peak: f64(USAGE.PEAK) }
}
export function statmText(state: State, row: Row): string {
  const s = sums(row.space)
  const now = resident(state, row)
  const fields = [row.space.total, now.anon + now.file + now.shared, now.file + now.shared, s.text, 0, s.data + s.stack, 0]
  return `${fields.map(n => n / PAGE).join(' ')}\n`
}
export function statusText(state: State, row: Row): string {
  const { space } = row
  const s = sums(space)
  const now = resident(state, row)
  const all = now.anon + now.file + now.shared
  const rows: readonly [string, number][] = [
    ['VmPeak', space.peak],
    ['VmSize', space.total],
    ['VmLck', space.locked],
    ['VmPin', 0],
    ['VmHWM', Math.max(all, now.peak)],
    ['VmRSS', all],
    ['RssAnon', now.anon],
    ['RssFile', now.file],
    ['RssShmem', now.shared],
    ['VmData', s.data],
    ['VmStk', s.stack],
    ['VmExe', s.text],
    ['VmLib', s.lib],
    ['VmPTE', Math.ceil(space.total / (PAGE * 512)) * PAGE],
    ['VmSwap', 0],
    ['HugetlbPages', 0],
  ]
  return rows.map(([name, bytes]) => `${name}:\t${String(Math.floor(bytes / 1024)).padStart(8)} kB\n`).join('')
}
