// What a pipe holds: a ring of bytes, counted in pages as Linux's pipe buffers are (fs/pipe.c). A write fills pages of its own, but its
// odd bytes may join the last page; a page is free again when all its bytes are read. So how much fits depends on how it was written,
// and a write of up to PIPE_BUF bytes goes in whole or not at all.
// A page may be a packet (pipe2(2), O_DIRECT): a read ends with it, and what it doesn't take of it is lost.
// Invariants: the pages' lengths add up to `used`; `count` ≤ pages.length; `size` is pages.length pages; `packets` of them are packets.
export const PAGE = 4096
const PACKET = 0x8000
/** Fewer bytes go one by one: a view to copy by costs more, and is garbage. */
const FEW = 128

export interface PipeBuffer {
  /** Comes with the first byte that must be kept. */
  ring: Uint8Array | null
  size: number
  head: number
  used: number
  /** Bytes left in each page in use, with PACKET: `count` of them from `first` on, around. */
  pages: Uint16Array
  packets: number
  first: number
  count: number
  /** Where the last page's bytes end in it. */
  end: number
}

export function newBuffer(size: number): PipeBuffer {
  return { ring: null, size, head: 0, used: 0, pages: new Uint16Array(size / PAGE), packets: 0, first: 0, count: 0, end: 0 }
}
/** No page is free: poll shows no room. */
export function isFull(b: PipeBuffer): boolean {
  return b.count === b.pages.length
}

function copy(to: Uint8Array, toAt: number, from: Uint8Array, fromAt: number, bytes: number): void {
  if (bytes > FEW) to.set(from.subarray(fromAt, fromAt + bytes), toAt)
  else for (let i = 0; i < bytes; i++) to[toAt + i] = from[fromAt + i] as number
}
/** The first `bytes` bytes, which are there, to `mem` at `at`. They stay. */
export function peek(b: PipeBuffer, mem: Uint8Array, at: number, bytes: number): void {
  const ring = b.ring as Uint8Array
  const run = Math.min(bytes, b.size - b.head)
  copy(mem, at, ring, b.head, run)
  if (run < bytes) copy(mem, at + run, ring, 0, bytes - run)
}
/** What a read of `len` bytes gets, when there are packets: up to and with the first of them. It leaves `bytes` and drops `gone`. */
export function portion(b: PipeBuffer, len: number, out: { bytes: number; gone: number }): void {
  out.bytes = 0
  out.gone = 0
  for (let i = 0; i < b.count && out.bytes < len; i++) {
    const page = b.pages[(b.first + i) % b.pages.length] as number
    const held = page & ~PACKET
    const some = Math.min(held, len - out.bytes)
    out.bytes += some
    out.gone += page > held ? held : some
    if (page > held) return
  }
}
/** Drop the first `bytes` bytes. */
export function skip(b: PipeBuffer, bytes: number): void {
  let left = bytes
  while (left > 0) {
    const page = b.pages[b.first] as number
    const held = page & ~PACKET
    if (held > left) {
      b.pages[b.first] = page - left
      break
    }
    if (page > held) b.packets--
    left -= held
    b.first = b.first + 1 === b.pages.length ? 0 : b.first + 1
    b.count--
  }
  b.used -= bytes
  b.head = b.used === 0 ? 0 : (b.head + bytes) % b.size
}

/** Put back `bytes` bytes just taken, in front of the rest, if there is still room for them and no packets. The pages are filled anew. */
export function unskip(b: PipeBuffer, mem: Uint8Array, at: number, bytes: number): void {
  if (b.ring === null || bytes > b.size - b.used || b.packets > 0) return
  const ring = new Uint8Array(b.size)
  ring.set(mem.subarray(at, at + bytes))
  if (b.used > 0) peek(b, ring, bytes, b.used)
  b.ring = ring
  b.head = 0
  b.used += bytes
  b.first = 0
  b.count = Math.ceil(b.used / PAGE)
  b.pages.fill(PAGE, 0, b.count)
  b.end = b.used - (b.count - 1) * PAGE
  b.pages[b.count - 1] = b.end
}

/** Take in what fits of `len` bytes at `at`. join: a write's first attempt, whose odd bytes may go to the last page; packet: each page
 *  is one. → bytes taken. `ring` must be there. */
export function put(
  b: PipeBuffer,
  mem: Uint8Array,
  at: number,
  len: number,
  join: boolean,
  packet: boolean,
): number {
  let bytes = 0
  const odd = len % PAGE
  if (join && !packet && odd > 0 && b.count > 0 && b.end + odd <= PAGE) {
    const last = (b.first + b.count - 1) % b.pages.length
    b.pages[last] = (b.pages[last] as number) + odd
    b.end += odd
    bytes = odd
  }
  while (bytes < len && b.count < b.pages.length) {
    const chunk = Math.min(PAGE, len - bytes)
    b.pages[(b.first + b.count++) % b.pages.length] = packet ? chunk | PACKET : chunk
    if (packet) b.packets++
    b.end = packet ? PAGE : chunk
    bytes += chunk
  }
  const tail = (b.head + b.used) % b.size
  const run = Math.min(bytes, b.size - tail)
  copy(b.ring as Uint8Array, tail, mem, at, run)
  if (run < bytes) copy(b.ring as Uint8Array, 0, mem, at + run, bytes - run)
  b.used += bytes
  return bytes
}

/** Bytes in the first page. */
export function firstPage(b: PipeBuffer): number {
  return (b.pages[b.first] as number) & ~PACKET
}
/** Nothing joins the last page any more. */
export function sealLast(b: PipeBuffer): void {
  b.end = PAGE
}

/** Another size, a whole number of pages and no fewer than are in use. */
export function resize(b: PipeBuffer, size: number): void {
  const ring = new Uint8Array(size)
  if (b.used > 0) peek(b, ring, 0, b.used)
  const pages = new Uint16Array(size / PAGE)
  for (let i = 0; i < b.count; i++) pages[i] = b.pages[(b.first + i) % b.pages.length] as number
  b.ring = ring
  b.pages = pages
  b.size = size
  b.head = 0
  b.first = 0
}
