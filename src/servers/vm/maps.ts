// What /proc/PID/maps, statm and status say about an address space (fs/proc/task_mmu.c). Resident sizes are those of what is mapped
// with access: the server sees mappings, not page tables.
import { PAGE, PROT_EXEC, PROT_READ, PROT_WRITE } from '../../abi/mman.ts'
import { isData, R, type Region } from './region.ts'
import type { Space } from './space.ts'

/** Column names begin at. */
const NAME_AT = 73

export function mapsText(space: Space): string {
  let text = ''
  for (const r of space.regions) text += mapsLine(space, r)
  return text
}
function mapsLine(space: Space, r: Region): string {
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
  shared: number
  resident: number
}
function sums(space: Space): Sums {
  const s: Sums = { text: 0, data: 0, stack: 0, lib: 0, shared: 0, resident: 0 }
  for (const r of space.regions) {
    const bytes = r.end - r.start
    if (r.flags & R.GROWSDOWN) s.stack += bytes
    else if (r.prot & PROT_EXEC && !(r.prot & PROT_WRITE)) s.lib += bytes
    if (isData(r.prot, r.flags)) s.data += bytes
    if (r.backing !== null) s.shared += bytes
    if (r.prot !== 0 && !(r.flags & R.GROWSDOWN)) s.resident += bytes
  }
  const first = space.regions.find(r => r.prot & PROT_EXEC && r.backing !== null)
  s.text = first === undefined ? 0 : first.end - first.start
  s.lib = Math.max(0, s.lib - s.text)
  return s
}
export function statmText(space: Space): string {
  const s = sums(space)
  return `${[space.total, s.resident, s.shared, s.text, 0, s.data + s.stack, 0].map(n => n / PAGE).join(' ')}\n`
}
export function statusText(space: Space): string {
  const s = sums(space)
  const rows: readonly [string, number][] = [
    ['VmPeak', space.total],
    ['VmSize', space.total],
    ['VmLck', space.locked],
    ['VmPin', 0],
    ['VmHWM', s.resident],
    ['VmRSS', s.resident],
    ['RssAnon', s.resident - Math.min(s.shared, s.resident)],
    ['RssFile', Math.min(s.shared, s.resident)],
    ['RssShmem', 0],
    ['VmData', s.data],
    ['VmStk', s.stack],
    ['VmExe', s.text],
    ['VmLib', s.lib],
    ['VmPTE', Math.ceil(space.total / (PAGE * 512)) * 4096],
    ['VmSwap', 0],
  ]
  return rows.map(([name, bytes]) => `${name}:\t${String(Math.floor(bytes / 1024)).padStart(8)} kB\n`).join('')
}
