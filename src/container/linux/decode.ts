// A trapped call becomes a message: decode() runs the row's steps (program.ts), copyOuts() takes the results back to guest memory.
// Inputs lie in the thread's data window: put there by the stub with the call (CH.IN), or fetched on request: decode() then answers
// NEED with a list in t.wants and is called again, from the start, once they are in. It is a pure replay: same registers (read once,
// kept in t.wants.args), same reservations, so what an earlier pass fetched lies where this pass looks for it.
import { CH, DATA_BYTES, DATA_OFF, HINT_ROWS, OP, OPFLAG, REG } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { type Message, setInt, setLong, TYPE } from '../../abi/message.ts'
import { WHEN } from './args.ts'
import { bulk, bytesIn, bytesOut, fdSet, iovec, mincore, NFDS_MAX, pollArray } from './buffers.ts'
import { check } from './checks.ts'
import { convert } from './convert.ts'
import {
  AREAS,
  area,
  DYNAMIC,
  data,
  grant,
  inWindow,
  isNull,
  reserve,
  signed,
  type ThreadView,
  unsigned,
  WANT,
  type WantList,
  want,
} from './operands.ts'
import {
  argumentCount,
  chunked,
  code,
  DO,
  errnoFor,
  hinted,
  pointers,
  ROUTE,
  route,
  STEP,
  start,
  typeFor,
} from './program.ts'
import {
  addressIn,
  addressOut,
  headerIn,
  headerOut,
  optionIn,
  optionOut,
  piece,
  receiveBuffer,
  sendBuffer,
  several,
} from './socket-operands.ts'
import { pushOp } from './thread.ts'

/** decode: inputs are missing; fetch t.wants and call again. */
export const NEED = 1
const STRING_MAX = 4096

/** A number without a row: its arguments are read all the same, for traces. */
const NOBODY = HINT_ROWS - 1

/** Fill t.message for call `nr`. 0: ready to send; NEED; or -errno: answer at once. */
export function decode(t: ThreadView, nr: number): number {
  t.outs.count = 0
  if (nr < 0 || nr >= HINT_ROWS) {
    begin(t, NOBODY)
    return -E.NOSYS
  }
  if (t.pass === 0) begin(t, nr)
  else absorb(t.wants)
  const way = route[nr] as number
  if (way !== ROUTE.MESSAGE) return -(errnoFor[nr] as number)
  t.bump = t.wants.from
  t.message[TYPE] = typeFor[nr] as number
  for (let p = start[nr] as number; code[p] !== DO.END; p += STEP) {
    const r = step(t, p)
    if (r < 0) {
      t.outs.count = 0
      t.wants.count = 0
      return r
    }
  }
  return t.wants.count > 0 ? NEED : 0
}

/** One step: 0, or -errno. A step whose input is still to come leaves its cell alone. */
function step(t: ThreadView, p: number): number {
  const m = t.message
  const i = code[p + 1] as number
  const cell = code[p + 2] as number
  const args = t.wants.args
  switch (code[p]) {
    case DO.INT:
      return value(m, cell, args[2 * i] as number, (args[2 * i] as number) >> 31)
    case DO.UINT:
      return value(m, cell, args[2 * i] as number, 0)
    case DO.LONG:
      return value(m, cell, args[2 * i] as number, args[2 * i + 1] as number)
    case DO.CONST:
      setInt(m, cell, code[p + 3] as number)
      return 0
    case DO.NULL:
      return value(m, cell, 0, 0)
    case DO.NFDS:
      setInt(m, cell, Math.min(args[2 * i] as number, NFDS_MAX))
      return 0
    case DO.POS:
      return position(t, i, cell)
    case DO.SP:
      return value(
        m,
        cell,
        t.i32[(t.base + CH.REGS + 8 * REG.RSP) >> 2] as number,
        t.i32[(t.base + CH.REGS + 8 * REG.RSP + 4) >> 2] as number,
      )
    case DO.STRING:
      return string(t, i, cell, code[p + 3] === 1)
    case DO.IN:
      return structure(t, i, cell, p, true, false)
    case DO.OUT:
      return structure(t, i, cell, p, false, true)
    case DO.INOUT:
      return structure(t, i, cell, p, true, true)
    case DO.BULK_IN:
      return bulk(t, i, cell, code[p + 3] as number, code[p + 4] as number, true)
    case DO.BULK_OUT:
      return bulk(t, i, cell, code[p + 3] as number, code[p + 4] as number, false)
    case DO.IOV_IN:
      return iovec(t, i, cell, code[p + 3] as number, code[p + 4] as number, true)
    case DO.IOV_OUT:
      return iovec(t, i, cell, code[p + 3] as number, code[p + 4] as number, false)
    case DO.BYTES_IN:
      return bytesIn(t, i, cell, p)
    case DO.BYTES_OUT:
      return bytesOut(t, i, cell, p)
    case DO.ARRAY:
      return pollArray(t, i, cell, code[p + 3] as number)
    case DO.FD_SET:
      return fdSet(t, i, cell, code[p + 3] as number)
    case DO.MINCORE:
      return mincore(t, i, cell, code[p + 3] as number)
    case DO.ADDRESS_IN:
      return addressIn(t, i, cell, code[p + 3] as number, code[p + 4] === 1)
    case DO.ADDRESS_OUT:
      return addressOut(t, i, cell, code[p + 3] as number, code[p + 4] === 1)
    case DO.OPTION_IN:
      return optionIn(t, i, cell, code[p + 3] as number)
    case DO.OPTION_OUT:
      return optionOut(t, i, cell, code[p + 3] as number)
    case DO.SEND_BUFFER:
      return sendBuffer(t, i, cell, code[p + 3] as number)
    case DO.RECEIVE_BUFFER:
      return receiveBuffer(t, i, cell, code[p + 3] as number)
    case DO.HEADER_IN:
      return headerIn(t, i, cell)
    case DO.HEADER_OUT:
      return headerOut(t, i, cell)
    case DO.PIECE:
      return piece(t, cell)
    case DO.SEVERAL:
      return several(t, i, cell, code[p + 3] === 1)
    default:
      return cell < 0 ? check(t, code[p] as number, i) : convert(t, code[p] as number, i, cell, p)
  }
}

function value(m: Message, cell: number, low: number, high: number): number {
  m[2 + 2 * cell] = low
  m[3 + 2 * cell] = high
  return 0
}
/** File offset of a chunked call: moves on with what is done; -1 (the file's own position) stays. */
function position(t: ThreadView, i: number, cell: number): number {
  const at = signed(t, i)
  setLong(t.message, cell, at === -1 ? -1 : at + t.done)
  return 0
}

/** Arguments read once; the window's free part begins behind what the stub has put there. */
function begin(t: ThreadView, nr: number): void {
  const w = t.wants
  const { i32, u32 } = t
  const regs = (t.base + CH.REGS) >> 2
  const args = w.args
  const n = argumentCount[nr] as number
  for (let i = 0; i < n; i++) {
    const r = regs + 2 * (ARGUMENTS[i] as number)
    args[2 * i] = i32[r] as number
    args[2 * i + 1] = i32[r + 1] as number
  }
  if (pointers[nr] === 1) for (let i = 0; i < 2 * AREAS; i++) w.areas[i] = 0
  w.past = 0
  w.next = 0
  w.count = 0
  t.outs.messages = -1
  w.prefetched = t.done === 0 && t.outs.index === 0 ? (hinted[nr] as number) : 0 // what the stub brought along was the first piece
  let from = t.base + DATA_OFF
  if (w.prefetched !== 0) {
    for (let i = 0; i < 6; i++) {
      if ((w.prefetched & (1 << i)) === 0) continue
      const at = (t.base + CH.IN + 8 * i) >> 2
      const offset = u32[at] as number
      const bytes = i32[at + 1] as number
      if (bytes > 0 && inWindow(offset, bytes)) from = Math.max(from, (t.base + offset + bytes + 7) & ~7)
    }
  }
  w.from = from
  t.end = t.base + DATA_OFF + DATA_BYTES
}
const ARGUMENTS = Int32Array.of(REG.RDI, REG.RSI, REG.RDX, REG.R10, REG.R8, REG.R9)

/** For a call that is no message, when a tracer wants to show it: its arguments, and where the stub put its strings. */
export function loadArguments(t: ThreadView, nr: number): void {
  begin(t, nr)
  for (let i = 0; i < 6; i++) {
    if ((t.wants.prefetched & (1 << i)) === 0 || isNull(t, i)) continue
    const k = (t.base + CH.IN + 8 * i) >> 2
    const offset = t.u32[k] as number
    const bytes = t.i32[k + 1] as number
    if (bytes > 0 && inWindow(offset, bytes) && t.mem[t.base + offset + bytes - 1] === 0)
      area(t, i, t.base + offset, bytes - 1)
  }
}

/** What was wanted has come: it belongs to the past now. */
function absorb(w: WantList): void {
  for (let k = 0; k < w.count; k++) {
    const to = w.past + k
    w.pastOffset[to] = w.offset[k] as number
    w.pastAsked[to] = w.asked[k] as number
    w.pastGot[to] = Math.min(Math.max(w.length[k] as number, 0), w.asked[k] as number)
  }
  w.past += w.count
  w.count = 0
  w.next = 0
}

/** NUL-terminated string argument. Null: an empty grant at offset 0 when that means something, else EFAULT. "" has an offset. */
function string(t: ThreadView, i: number, cell: number, optional: boolean): number {
  if (isNull(t, i)) return optional ? grant(t, i, cell, 0, 0) : -E.FAULT
  if ((t.wants.prefetched & (1 << i)) !== 0) {
    const k = (t.base + CH.IN + 8 * i) >> 2
    const offset = t.u32[k] as number
    const bytes = t.i32[k + 1] as number
    if (bytes > 0 && inWindow(offset, bytes)) {
      if (t.mem[t.base + offset + bytes - 1] === 0) return grant(t, i, cell, t.base + offset, bytes - 1)
      return bytes >= STRING_MAX ? -E.NAMETOOLONG : -E.FAULT
    }
    if (bytes === 0) return -E.FAULT
  }
  const at = want(t, WANT.STRING, unsigned(t, i), STRING_MAX, reserve(t, STRING_MAX))
  return at > 0 ? grant(t, i, cell, at, t.wants.got) : at
}

/** Structure of a fixed size; step words: size, optional, bytes copied back, when. */
function structure(t: ThreadView, i: number, cell: number, p: number, isIn: boolean, isOut: boolean): number {
  const size = code[p + 3] as number
  if (code[p + 4] === 1 && isNull(t, i)) return grant(t, i, cell, 0, 0)
  return data(t, i, cell, size, isIn, isOut, code[p + 5] as number, code[p + 6] as number)
}

// ---- the way back ----

/** Push a COPYOUT for every output the result calls for. `result` is that of this message, not of the whole chunked call. */
export function copyOuts(t: ThreadView, result: number): void {
  const o = t.outs
  o.first = t.nops
  o.pushed = 0
  for (let k = 0; k < o.count; k++) {
    const when = o.when[k] as number
    if (!isDue(when, result)) continue
    const bytes = Math.min(lengthOf(t, k, result), o.length[k] as number)
    if (bytes <= 0) continue
    if (t.nr === GETDENTS) oldDirents(t, o.offset[k] as number, bytes)
    if (when === WHEN.LEFT_TIMEVAL) toTimeval(t, o.offset[k] as number)
    const flags = when >= WHEN.LEFT || (when === WHEN.ALWAYS && result < 0) ? OPFLAG.FAILOK : 0
    pushOp(t, OP.COPYOUT, o.address[k], (o.offset[k] as number) - t.base, bytes, 0, 0, 0, flags)
    o.offset[o.pushed] = o.offset[k] as number
    o.length[o.pushed++] = bytes
  }
  o.count = 0
}
function lengthOf(t: ThreadView, k: number, result: number): number {
  const scale = t.outs.scale[k] as number
  const before = t.outs.before[k] as number
  if (scale === DYNAMIC) return t.u32[before >> 2] as number
  return scale === 0 ? (t.outs.length[k] as number) : result * scale - before
}
/** Is an output of this kind written for this result? (A sleep that will be EINTR or started anew has its rest already.) */
function isDue(when: number, result: number): boolean {
  if (when === WHEN.SUCCESS) return result >= 0
  if (when === WHEN.POSITIVE) return result > 0
  if (when >= WHEN.LEFT) return result >= 0 || result === -E.INTR || result === -E.RESTARTNOHAND
  return when === WHEN.ALWAYS || result === -E.INTR || result === -E.RESTART_RESTARTBLOCK
}
/** A chunked call got all it asked for and there is more: counts it in t.done. Call before copyOuts, then decode again with pass 0. */
export function moreChunks(t: ThreadView, result: number): boolean {
  if (t.nr < 0 || t.nr >= HINT_ROWS || chunked[t.nr] === 0) return false
  if (t.outs.more && result === t.outs.asked && result > 0) {
    t.done += result
    return true
  }
  return t.outs.messages > 0 && (result >= 0 || t.done > 0) && nextMessage(t, t.done + Math.max(result, 0))
}
const SENDMMSG = 307
/** sendmmsg, recvmmsg: one message is through. Is there another? A short one ends the call, as in Linux. */
function nextMessage(t: ThreadView, bytes: number): boolean {
  const o = t.outs
  t.view.setUint32(o.lengthAt, bytes, true)
  o.index++
  t.done = 0
  return o.index < o.messages && (t.nr !== SENDMMSG || bytes === o.total) && performance.now() < o.until
}
/** What the whole call answers when its last message has `result`. */
export function wholeResult(t: ThreadView, result: number): number {
  if (t.outs.index > 0) return t.outs.index
  return t.done === 0 ? result : t.done + Math.max(result, 0)
}

/** A struct timespec in the window becomes a struct timeval. */
function toTimeval(t: ThreadView, at: number): void {
  t.view.setUint32(at + 8, Math.floor(t.view.getUint32(at + 8, true) / 1000), true)
}
/** getdents: linux_dirent64 records become linux_dirent in place: the name moves one byte down, the type to the record's end. */
const GETDENTS = 78
function oldDirents(t: ThreadView, at: number, bytes: number): void {
  const { mem } = t
  for (let r = at; r + 19 <= at + bytes; ) {
    const length = (mem[r + 16] as number) | ((mem[r + 17] as number) << 8)
    if (length < 24 || r + length > at + bytes) return
    const type = mem[r + 18] as number
    mem.copyWithin(r + 18, r + 19, r + length)
    mem[r + length - 1] = type
    r += length
  }
}
