// PM's side of the talk with other servers, and small readers of the message in hand.
import { E } from '../../abi/errno.ts'
import { high, int, type Message, message, setGrant, setLong, TYPE } from '../../abi/message.ts'
import { EP } from '../../abi/message.ts'
import { FS } from '../../protocol/fs.ts'
import { CRED_BYTES } from '../../protocol/pm.ts'
import type { Cred, Pm, Task } from './mproc.ts'

const out: Message = message()

/** Request to a server that answers at once. */
export function ask(pm: Pm, dst: number, type: number, a = 0, b = 0, c = 0, d = 0): number {
  out.fill(0)
  out[TYPE] = type
  setLong(out, 0, a)
  setLong(out, 1, b)
  setLong(out, 2, c)
  setLong(out, 3, d)
  return pm.sys.sendrec(dst, out)
}
/** News to a server, delivered when it is idle. */
export function tell(pm: Pm, dst: number, type: number, a = 0, b = 0, c = 0): number {
  out.fill(0)
  out[TYPE] = type
  setLong(out, 0, a)
  setLong(out, 1, b)
  setLong(out, 2, c)
  return pm.sys.senda(dst, out)
}

/** Where grant k lies, or -1 for a null pointer. */
export function grantOf(m: Message, k: number): number {
  return high(m, k) > 0 ? int(m, k) : -1
}
/** Where grant k lies if it has at least `bytes` bytes; -EFAULT if not, null pointer included. */
export function need(m: Message, k: number, bytes: number): number {
  return high(m, k) >= bytes ? int(m, k) : -E.FAULT
}

/** GETCRED's record of a task at arena offset `at`. */
export function writeCred(pm: Pm, c: Cred, at: number): void {
  const { view } = pm.sys
  const ids = [c.uid, c.euid, c.suid, c.fsuid, c.gid, c.egid, c.sgid, c.fsgid]
  ids.forEach((id, k) => {
    view.setUint32(at + 4 * k, id, true)
  })
  const n = Math.min(c.groups.length, 32)
  view.setUint32(at + 32, n, true)
  for (let k = 0; k < 32; k++) view.setUint32(at + 36 + 4 * k, k < n ? (c.groups[k] as number) : 0, true)
  view.setInt32(at + 164, 0, true)
  view.setInt32(at + CRED_BYTES - 8, c.effective.lo, true)
  view.setInt32(at + CRED_BYTES - 4, c.effective.hi, true)
}

/** FS goes by the ids it was told last. */
export function setCred(pm: Pm, t: Task): number {
  const at = pm.sys.buffer + 1024
  writeCred(pm, t.cred, at)
  out.fill(0)
  out[TYPE] = FS.SETCRED
  setLong(out, 0, t.endpoint)
  setGrant(out, 1, at, CRED_BYTES)
  return pm.sys.sendrec(EP.FS, out)
}
