// Our own broken invariant: a handler threw. Made once, at the outermost level (the container's loop, boot.ts), from what was thrown.
// Never for what a guest did.
import { errnoName } from '../abi/errno.ts'
import { CELLS, high, int, type Message, SOURCE, TYPE } from '../abi/message.ts'

export class Panic extends Error {
  readonly code = 'EPANIC'
  /** Name of the server whose handler was running, or 'kernel'. */
  readonly server: string
  /** The message it was working on, as text. */
  readonly dump: string

  constructor(server: string, m: Message | undefined, cause: unknown) {
    const dump = m === undefined ? 'no message' : dumpMessage(m)
    super(`panic in ${server}: ${cause instanceof Error ? cause.message : String(cause)} (${dump})`, { cause })
    this.name = 'Panic'
    this.server = server
    this.dump = dump
  }
}

/** 'source 65568 type 0x12 cells 3 0x1000+64 …': cells as numbers, or as low word + high word where both are set. */
export function dumpMessage(m: Message): string {
  const type = m[TYPE]
  const cells: string[] = []
  for (let k = 0; k < CELLS; k++)
    cells.push(high(m, k) > 0 ? `0x${int(m, k).toString(16)}+${high(m, k)}` : String(int(m, k)))
  return `source ${m[SOURCE]} type ${type < 0 ? errnoName(-type) : `0x${type.toString(16)}`} cells ${cells.join(' ')}`
}
