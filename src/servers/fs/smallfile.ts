// Data of one file, and its small form: bytes in memory.
// Invariants: memory is null or the content (then name is ''); its first `size` bytes are the file, the rest is zero, and so is every
// page not in `pages`. A file that has a host file (name) keeps it; `size` and `pages` mean nothing then.
import { E } from '../../abi/errno.ts'
import { SEEK } from '../../abi/fcntl.ts'
import type { Held } from './descriptors.ts'

export interface DataFile {
  /** Of its host file; '' as long as there is none. */
  name: string
  memory: Uint8Array | null
  size: number
  /** Bit i: something was written to page i; the others are holes. */
  pages: number
  both: Held | null
  readOnly: Held | null
  /** What the workspace is charged: never more than the file's size, less when it has holes. */
  bytes: number
}
export function newDataFile(): DataFile {
  return { name: '', memory: null, size: 0, pages: 0, both: null, readOnly: null, bytes: 0 }
}

/** Largest file kept in memory. */
export const SMALL = 65536
const LEAST = 256
const PAGE_SHIFT = 12
export const PAGE = 1 << PAGE_SHIFT
/** Up to here a loop beats making a view. */
const FEW = 48

/** How much more memory a file of `size` bytes needs: 0 enough, -1 it is no small file. */
export function growth(data: DataFile, size: number): number {
  if (size > SMALL) return -1
  const have = data.memory === null ? 0 : data.memory.length
  if (size <= have) return 0
  let want = Math.max(have, LEAST)
  while (want < size) want *= 2
  return want - have
}
export function grow(data: DataFile, more: number): void {
  const old = data.memory
  data.memory = new Uint8Array((old === null ? 0 : old.length) + more)
  if (old !== null) data.memory.set(old)
}

export function readSmall(data: DataFile, mem: Uint8Array, at: number, len: number, position: number): number {
  const { memory } = data
  const n = Math.min(len, data.size - position)
  if (memory === null || n <= 0) return 0
  if (n <= FEW) for (let i = 0; i < n; i++) mem[at + i] = memory[position + i] as number
  else mem.set(memory.subarray(position, position + n), at)
  return n
}
/** There is memory for it. */
export function writeSmall(data: DataFile, mem: Uint8Array, at: number, len: number, position: number): number {
  const memory = data.memory as Uint8Array
  if (len <= FEW) for (let i = 0; i < len; i++) memory[position + i] = mem[at + i] as number
  else memory.set(mem.subarray(at, at + len), position)
  if (position + len > data.size) data.size = position + len
  markPages(data, position, len)
  return len
}
/** Bytes have been written there. */
export function markPages(data: DataFile, position: number, len: number): void {
  data.pages |= (2 << ((position + len - 1) >> PAGE_SHIFT)) - (1 << (position >> PAGE_SHIFT))
}
export function resizeSmall(data: DataFile, size: number): number {
  if (size < data.size) data.memory?.fill(0, size, data.size)
  data.pages &= (1 << ((size + PAGE - 1) >> PAGE_SHIFT)) - 1
  data.size = size
  return 0
}
function isHole(data: DataFile, position: number): boolean {
  return (data.pages & (1 << (position >> PAGE_SHIFT))) === 0
}
/** SEEK_DATA, SEEK_HOLE: the end is a hole. */
export function seekSmall(data: DataFile, offset: number, whence: number): number {
  if (offset < 0 || offset >= data.size) return -E.NXIO
  const hole = whence === SEEK.HOLE
  let at = offset
  while (at < data.size && isHole(data, at) !== hole) at = (at & -PAGE) + PAGE
  return at < data.size ? at : hole ? data.size : -E.NXIO
}
/** Pages that aren't holes. */
export function countPages(data: DataFile): number {
  let count = 0
  for (let rest = data.pages; rest !== 0; rest &= rest - 1) count++
  return count
}
