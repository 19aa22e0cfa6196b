// Messages too long for one request (abi/channel.ts BULK_BYTES): gathered here until the last piece has come, or kept here until the last
// piece has been fetched. A call that ends in between leaves its rest; the next call of the same thread throws it away.
import { dropFlight } from './sock.ts'
import { type NetState, type Row, SLOT_MASK } from './state.ts'

export interface Partial {
  readonly bytes: Uint8Array
  /** How far it is filled, or read. */
  at: number
  flight: number
  /** What the last piece answers more than its bytes (MSG_TRUNC). */
  excess: number
}

/** A piece of a message to be sent → the whole of it, or null while there is more to come. */
export function gather(net: NetState, row: Row): Uint8Array | null {
  const slot = row.id & SLOT_MASK
  if (!row.continued) {
    net.partials.set(slot, { bytes: new Uint8Array(row.total), at: 0, flight: row.flight, excess: 0 })
    row.flight = 0
  }
  const p = net.partials.get(slot)
  if (p === undefined) return null
  const n = Math.min(row.len, p.bytes.length - p.at)
  p.bytes.set(net.sys.mem.subarray(row.at, row.at + n), p.at)
  p.at += n
  if (p.at < p.bytes.length) return null
  row.flight = p.flight
  net.partials.delete(slot)
  return p.bytes
}
/** What is left of a message that did not fit its first piece. */
export function keep(net: NetState, row: Row, bytes: Uint8Array, excess: number): void {
  net.partials.set(row.id & SLOT_MASK, { bytes, at: 0, flight: 0, excess })
}
/** A later piece → bytes. */
export function fetchRest(net: NetState, row: Row): number {
  const slot = row.id & SLOT_MASK
  const p = net.partials.get(slot)
  if (p === undefined) return 0
  const n = Math.min(row.len, p.bytes.length - p.at)
  net.sys.mem.set(p.bytes.subarray(p.at, p.at + n), row.at)
  p.at += n
  if (p.at < p.bytes.length) return n
  net.partials.delete(slot)
  return n + p.excess
}
/** A new call of this thread begins. */
export function forget(net: NetState, slot: number): void {
  const p = net.partials.get(slot)
  if (p === undefined) return
  net.partials.delete(slot)
  if (p.flight !== 0) dropFlight(net, p.flight)
}
