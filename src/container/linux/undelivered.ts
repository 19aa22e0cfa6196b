// A read whose bytes the guest's memory did not take, or not all of them: it counts as one of what was taken, and the server gets the
// rest back (FS.UNREAD), so that nothing is lost when the guest repairs its memory and asks again.
import { E } from '../../abi/errno.ts'
import { type Message, setGrant, setInt, setLong, TYPE } from '../../abi/message.ts'
import { FS } from '../../protocol/fs.ts'
import { low, signed, type ThreadView } from './operands.ts'
import { chunked } from './program.ts'
import { opResult } from './thread.ts'

const READ = 0
const READV = 19
const PREADV2 = 327
const GETRANDOM = 318

/** Where a reading call reads: -1 at the file's own offset, which it moves. */
export function readsAt(t: ThreadView): number {
  return t.nr === READ || t.nr === READV ? -1 : t.nr === PREADV2 ? signed(t, 3) : 0
}

/** Operation `failed` was the first to fail. How many bytes of the outputs weren't delivered; 0: it is no such call or operation. */
export function undelivered(t: ThreadView, failed: number): number {
  const o = t.outs
  const k = failed - o.first
  if (t.nr < 0 || chunked[t.nr] !== 1 || k < 0 || k >= o.pushed) return 0
  let missing = 0
  for (let i = k; i < o.pushed; i++) missing += o.length[i] as number
  const some = opResult(t, failed) // the guest can lie to itself alone
  return missing - (some > 0 && some < (o.length[k] as number) ? some : 0)
}
/** Bytes the outputs held in all. */
function total(t: ThreadView): number {
  let bytes = 0
  for (let i = 0; i < t.outs.pushed; i++) bytes += t.outs.length[i] as number
  return bytes
}
/** The message that gives `missing` bytes back, in `m`; false: there is nobody to give them to. */
export function unread(t: ThreadView, m: Message, missing: number): boolean {
  if (t.nr === GETRANDOM) return false
  m[TYPE] = FS.UNREAD
  setInt(m, 0, low(t, 0))
  setGrant(m, 1, (t.outs.offset[0] as number) + total(t) - missing, missing)
  setLong(m, 2, readsAt(t))
  return true
}
/** The call's result without them: for this message, on top of t.done. */
export function delivered(t: ThreadView, missing: number): number {
  const bytes = total(t) - missing
  return bytes > 0 || t.done > 0 ? bytes : -E.FAULT
}
