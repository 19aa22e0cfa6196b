// Addresses as guests see them: a struct sockaddr in bytes, made once and shared by whoever has it (they never change).
import type { NetState } from './state.ts'

export interface Address {
  /** The whole sockaddr, as long as it is. */
  readonly bytes: Uint8Array
}

/** Write what there is room for → the full length. */
export function writeAddress(net: NetState, address: Address, at: number, room: number): number {
  const { bytes } = address
  const n = Math.min(room, bytes.length)
  for (let i = 0; i < n; i++) net.sys.mem[at + i] = bytes[i] as number
  return bytes.length
}
export function familyAt(net: NetState, at: number): number {
  return net.sys.view.getUint16(at, true)
}
