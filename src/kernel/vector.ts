// Call vectors, compiled: for every server a dense array from message type to handler, so that a dispatch is one load. Types without a
// handler lead to `unlisted`, which counts them. CANCEL and GONE are the kernel's to send: as requests of anybody else they are unlisted.
import { E } from '../abi/errno.ts'
import { type Message, TYPE } from '../abi/message.ts'
import type { Handler, Server } from '../lib/server.ts'
import { COMMON_CALL } from '../protocol/common.ts'

/** Message types are below this; anything else is unlisted. */
export const TYPES = 0x1100
const NONE: readonly Handler[] = []

export class VectorTable {
  /** By slot, by type: `vectors[slot][type]`, type < TYPES. */
  readonly vectors: (readonly Handler[])[]
  readonly servers: (Server | undefined)[]
  /** Servers that want GONE, by slot. */
  readonly mourners: number[] = []
  private readonly counts: Int32Array[] // by slot, by type; the last one is for all types out of range

  constructor(slots: number) {
    this.vectors = new Array<readonly Handler[]>(slots).fill(NONE)
    this.servers = new Array<Server | undefined>(slots).fill(undefined)
    this.counts = new Array<Int32Array>(slots).fill(new Int32Array(0))
  }
  add(slot: number, server: Server): void {
    const count = new Int32Array(TYPES + 1)
    const unlisted: Handler = m => {
      count[m[TYPE]]++
      return -E.NOSYS
    }
    const vector = Array.from({ length: TYPES }, () => unlisted)
    vector[COMMON_CALL.PING] = ping
    for (const [type, handler] of Object.entries(server.calls)) {
      if (!(Number(type) >= 0 && Number(type) < TYPES))
        throw new RangeError(`${server.name}: message type ${type} out of range`)
      vector[Number(type)] = handler
    }
    vector[COMMON_CALL.CANCEL] = unlisted
    vector[COMMON_CALL.GONE] = unlisted
    this.vectors[slot] = vector
    this.servers[slot] = server
    this.counts[slot] = count
    if (server.calls[COMMON_CALL.GONE] !== undefined) {
      this.mourners.push(slot)
      this.mourners.sort((a, b) => a - b)
    }
  }
  /** A request whose type is out of range. */
  outOfRange(slot: number): number {
    this.counts[slot][TYPES]++
    return -E.NOSYS
  }
  /** A message of the kernel's own to the server in `slot`; nothing when it doesn't care. */
  tell(slot: number, m: Message, from: number): void {
    this.servers[slot]?.calls[m[TYPE]]?.(m, from)
  }
  /** How often each server was asked something it doesn't list. Type -1: out of range. */
  unlisted(): { server: string; type: number; count: number }[] {
    const rows: { server: string; type: number; count: number }[] = []
    this.servers.forEach((server, slot) => {
      if (server === undefined) return
      this.counts[slot].forEach((count, type) => {
        if (count > 0) rows.push({ server: server.name, type: type === TYPES ? -1 : type, count })
      })
    })
    return rows
  }
}

function ping(): number {
  return 0
}
