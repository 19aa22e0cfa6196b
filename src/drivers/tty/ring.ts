// A byte queue over a piece of memory. head and tail count bytes ever put and taken; size is a power of two; head - tail ≤ size.
export interface Ring {
  readonly mem: Uint8Array
  /** First byte of the piece in mem. */
  readonly base: number
  readonly size: number
  head: number
  tail: number
}
export function ring(mem: Uint8Array, base: number, size: number): Ring {
  return { mem, base, size, head: 0, tail: 0 }
}
export function used(r: Ring): number {
  return r.head - r.tail
}
export function room(r: Ring): number {
  return r.size - (r.head - r.tail)
}
/** One byte; the caller has checked room. */
export function put(r: Ring, byte: number): void {
  r.mem[r.base + (r.head & (r.size - 1))] = byte
  r.head++
}
/** As many of `count` bytes of mem[at…] as there is room for → how many. */
export function putBlock(r: Ring, mem: Uint8Array, at: number, count: number): number {
  const n = Math.min(count, room(r))
  const start = r.head & (r.size - 1)
  const first = Math.min(n, r.size - start)
  copy(r.mem, r.base + start, mem, at, first)
  copy(r.mem, r.base, mem, at + first, n - first)
  r.head += n
  return n
}
/** Up to `count` bytes into mem[at…] → how many. */
export function takeBlock(r: Ring, mem: Uint8Array, at: number, count: number): number {
  const n = Math.min(count, used(r))
  const start = r.tail & (r.size - 1)
  const first = Math.min(n, r.size - start)
  copy(mem, at, r.mem, r.base + start, first)
  copy(mem, at + first, r.mem, r.base, n - first)
  r.tail += n
  return n
}
/** Where the oldest byte is in mem, and how many follow it without a wrap. */
export function front(r: Ring): number {
  return r.base + (r.tail & (r.size - 1))
}
export function frontBytes(r: Ring): number {
  return Math.min(used(r), r.size - (r.tail & (r.size - 1)))
}
/** Where the next byte goes, and how many fit there without a wrap. */
export function back(r: Ring): number {
  return r.base + (r.head & (r.size - 1))
}
export function backBytes(r: Ring): number {
  return Math.min(room(r), r.size - (r.head & (r.size - 1)))
}

/** Short copies by hand: a subarray is an allocation. */
export function copy(to: Uint8Array, at: number, from: Uint8Array, start: number, bytes: number): void {
  if (bytes > 64) to.set(from.subarray(start, start + bytes), at)
  else for (let i = 0; i < bytes; i++) to[at + i] = from[start + i] as number
}
