// Address spaces as others look at them: the texts of /proc/PID (maps.ts, smaps.ts), where exec put the image, and the memory itself. The
// memory is the host's to read (sys.peek); what may be touched is decided here: what is mapped, and nothing else.
import { E } from '../../abi/errno.ts'
import { FIRST_GUEST, high, int, type Message, uint, ulong } from '../../abi/message.ts'
import type { CallVector, Handler } from '../../lib/server.ts'
import { MAPS, IMAGE as PART, VM } from '../../protocol/vm.ts'
import { mapsText, statmText, statusText } from './maps.ts'
import { reach } from './reach.ts'
import { rollupText, smapsText } from './smaps.ts'
import type { Row, State } from './state.ts'

const TEXTS: Readonly<Record<number, (state: State, row: Row) => string>> = {
  [MAPS.MAPS]: (_state, row) => mapsText(row.space),
  [MAPS.STATM]: statmText,
  [MAPS.STATUS]: statusText,
  [MAPS.SMAPS]: smapsText,
  [MAPS.ROLLUP]: rollupText,
}

export function lookCalls(state: State): CallVector {
  const { sys } = state
  /** A long text being handed out in pieces, as of its first. */
  let text = ''
  let textOf = ''

  function MAPS_(m: Message): number {
    const row = state.row(int(m, 0))
    if (row === undefined) return -E.SRCH
    const make = TEXTS[int(m, 3)]
    if (make === undefined) return -E.INVAL
    const offset = ulong(m, 2)
    const which = `${row.endpoint} ${int(m, 3)}`
    if (offset === 0 || textOf !== which) text = make(state, row)
    textOf = which
    const n = Math.max(0, Math.min(high(m, 1), text.length - offset))
    const at = uint(m, 1)
    for (let i = 0; i < n; i++) sys.mem[at + i] = text.charCodeAt(offset + i)
    if (n < high(m, 1)) text = textOf = ''
    return n
  }
  function access(m: Message, act: (endpoint: number, address: number, at: number, bytes: number) => number): number {
    const row = state.row(int(m, 0))
    if (row === undefined) return -E.SRCH
    const address = ulong(m, 1)
    const bytes = Number.isSafeInteger(address) ? reach(row.space, address, high(m, 2), 0) : 0
    return bytes > 0 ? act(row.endpoint, address, uint(m, 2), bytes) : -E.IO
  }
  function IMAGE(m: Message): number {
    const row = state.row(int(m, 0))
    if (row === undefined) return -E.SRCH
    const { image, startBrk } = row.space
    if (image.length === 0) return 0
    if (high(m, 1) < image.length) return -E.RANGE
    const at = uint(m, 1)
    sys.mem.set(image, at)
    sys.view.setUint32(at + 8 * PART.START_BRK, startBrk % 2 ** 32, true)
    sys.view.setUint32(at + 8 * PART.START_BRK + 4, Math.floor(startBrk / 2 ** 32), true)
    return image.length
  }

  const inside = (handler: (m: Message) => number): Handler => (m, from) => (from >= FIRST_GUEST ? -E.PERM : handler(m))
  return {
    [VM.MAPS]: inside(MAPS_),
    [VM.IMAGE]: inside(IMAGE),
    [VM.PEEK]: inside(m => access(m, (endpoint, address, at, bytes) => sys.peek(endpoint, address, at, bytes))),
    [VM.POKE]: inside(m => access(m, (endpoint, address, at, bytes) => sys.poke(endpoint, address, at, bytes))),
  }
}
