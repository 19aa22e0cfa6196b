// The message: 64 bytes, the unit of IPC (MINIX 3 <minix/ipc.h>, widened to 64-bit fields). A Message is an Int32Array of 16 words.
//
//   word 0 source endpoint   word 1 type   words 2..15 payload = 7 cells of 64 bits (cell k = words 2+2k low, 3+2k high)
//
// MINIX's seven payload formats are views of the same 7 cells (FORMATS below). A request's type is a call number; a reply's type is
// 0 or -errno and its cell 0 the 64-bit result. A *grant* in a cell is an arena byte offset (low word) and a length (high word):
// the receiver may touch that range, and no other, until it has replied. Length 0 means the caller passed a null pointer.

export type Message = Int32Array
export const MESSAGE_WORDS = 16
export const MESSAGE_BYTES = 64
export const SOURCE = 0
export const TYPE = 1
export const CELLS = 7

const HIGH = 4294967296

export function message(): Message {
  return new Int32Array(MESSAGE_WORDS)
}
/** Cell k as a signed 32-bit integer (its low word). */
export function int(m: Message, k: number): number {
  return m[2 + 2 * k] as number
}
/** Cell k as an unsigned 32-bit integer (its low word). */
export function uint(m: Message, k: number): number {
  return (m[2 + 2 * k] as number) >>> 0
}
/** Cell k as a signed 64-bit integer in a double: exact up to 2^53, the right sign and magnitude beyond. */
export function long(m: Message, k: number): number {
  return (m[3 + 2 * k] as number) * HIGH + ((m[2 + 2 * k] as number) >>> 0)
}
/** Cell k as an unsigned 64-bit integer in a double: addresses and lengths (anything over 2^53 is invalid for both). */
export function ulong(m: Message, k: number): number {
  return ((m[3 + 2 * k] as number) >>> 0) * HIGH + ((m[2 + 2 * k] as number) >>> 0)
}
/** High word of cell k: a grant's length. */
export function high(m: Message, k: number): number {
  return m[3 + 2 * k] as number
}
export function setInt(m: Message, k: number, v: number): void {
  m[2 + 2 * k] = v
  m[3 + 2 * k] = v >> 31
}
export function setLong(m: Message, k: number, v: number): void {
  const h = Math.floor(v / HIGH)
  m[2 + 2 * k] = (v - h * HIGH) | 0
  m[3 + 2 * k] = h | 0
}
export function setGrant(m: Message, k: number, offset: number, length: number): void {
  m[2 + 2 * k] = offset
  m[3 + 2 * k] = length
}

/** MINIX's payload formats: field → [cell, width in bytes, byte offset inside the cell]. Used by kernel calls, traces and docs. */
export const FORMATS = {
  m1: { i1: [0, 4, 0], i2: [0, 4, 4], i3: [1, 4, 0], p1: [2, 8, 0], p2: [3, 8, 0], p3: [4, 8, 0] },
  m2: { i1: [0, 4, 0], i2: [0, 4, 4], i3: [1, 4, 0], l1: [2, 8, 0], l2: [3, 8, 0], p1: [4, 8, 0] },
  m3: { i1: [0, 4, 0], i2: [0, 4, 4], p1: [1, 8, 0], ca1: [2, 40, 0] },
  m4: { l1: [0, 8, 0], l2: [1, 8, 0], l3: [2, 8, 0], l4: [3, 8, 0], l5: [4, 8, 0] },
  m5: { c1: [0, 1, 0], c2: [0, 1, 1], i1: [1, 4, 0], i2: [1, 4, 4], l1: [2, 8, 0], l2: [3, 8, 0], l3: [4, 8, 0] },
  m7: { i1: [0, 4, 0], i2: [0, 4, 4], i3: [1, 4, 0], i4: [1, 4, 4], p1: [2, 8, 0], p2: [3, 8, 0] },
  m8: { i1: [0, 4, 0], i2: [0, 4, 4], p1: [1, 8, 0], p2: [2, 8, 0], p3: [3, 8, 0], p4: [4, 8, 0] },
} as const

/** What a handler returns when the answer comes later through reply() (MINIX's SUSPEND). */
export const SUSPEND = -998

// Endpoints: generation << 15 plus process-table slot (MINIX 3.3 <minix/endpoint.h>). Tasks have negative slots and generation 0.
export const ENDPOINT_SLOTS = 1 << 15
export const NR_TASKS = 5
export const ANY = 0x7ace
export const NONE = 0x6ace
export const SELF = 0x8ace
export function slotOf(endpoint: number): number {
  return ((endpoint + 1024) & (ENDPOINT_SLOTS - 1)) - 1024
}
export function makeEndpoint(generation: number, slot: number): number {
  return generation * ENDPOINT_SLOTS + slot
}
/** Fixed slots. Tasks: IDLE -4, CLOCK -3, SYSTEM -2, HARDWARE -1. Servers as in MINIX 3.3, drivers after them, guests from FIRST_GUEST. */
export const EP = { IDLE: -4, CLOCK: -3, SYSTEM: -2, HARDWARE: -1, PM: 0, FS: 1, RS: 2, MEM: 3, NET: 4, TTY: 5, DS: 6, STREAM: 7, VM: 8, MACHINE: 9, IPC: 10 } as const
export const FIRST_GUEST = 32

/** Names a domain's slots go by. A call is sent to a slot; the domain says which endpoint stands there. */
export const SLOT = { PM: 0, FS: 1, VM: 2, NET: 3, CLOCK: 4, SYSTEM: 5, PARENT: 6, IPC: 7 } as const
export const SLOTS = 8

/** Type of a notification: NOTIFY_MESSAGE plus the sender's slot (MINIX). Cell 0: pending mask; cell 1: ticks. */
export const NOTIFY_MESSAGE = 0x1000
