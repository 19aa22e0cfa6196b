// Capabilities: how they follow the ids, capget and capset. capabilities(7); security/commoncap.c.
import { E } from '../../abi/errno.ts'
import type { Message } from '../../abi/message.ts'
import type { CallVector } from '../../lib/server.ts'
import { PM } from '../../protocol/pm.ts'
import { type Bits, CAP, capable, type Cred, findTask, type Pm, type Task, taskOf } from './mproc.ts'
import { grantOf, need, setCred } from './tell.ts'

/** prctl(PR_SET_SECUREBITS): each has a lock bit one higher. */
export const SECBIT = { NOROOT: 1, NO_SETUID_FIXUP: 4, KEEP_CAPS: 16, KEEP_CAPS_LOCKED: 32, NO_CAP_AMBIENT_RAISE: 64 } as const
/** _LINUX_CAPABILITY_VERSION_n → words per set */
const VERSIONS: Readonly<Record<number, number>> = { 0x19980330: 1, 0x20071026: 2, 0x20080522: 2 }
const VERSION_3 = 0x20080522

export function capabilityCalls(pm: Pm): CallVector {
  return {
    [PM.CAPGET]: (m, from) => {
      const t = taskOf(pm, from)
      return t === undefined ? -E.SRCH : capget(pm, t, m)
    },
    [PM.CAPSET]: (m, from) => {
      const t = taskOf(pm, from)
      return t === undefined ? -E.SRCH : capset(pm, t, m)
    },
  }
}

/** Words per set the caller's version has; an unknown version is answered with ours. */
function versionOf(pm: Pm, header: number): number {
  const words = VERSIONS[pm.sys.view.getUint32(header, true)]
  if (words !== undefined) return words
  pm.sys.view.setUint32(header, VERSION_3, true)
  return -E.INVAL
}

function capget(pm: Pm, t: Task, m: Message): number {
  const header = need(m, 0, 8)
  if (header < 0) return header
  const data = grantOf(m, 1)
  const words = versionOf(pm, header)
  if (words < 0) return data < 0 ? 0 : words
  if (data < 0) return 0
  const pid = pm.sys.view.getInt32(header + 4, true)
  if (pid < 0) return -E.INVAL
  const of = pid === 0 ? t : findTask(pm, pid)
  if (of === undefined) return -E.SRCH
  if (need(m, 1, 12 * words) < 0) return -E.FAULT
  const { effective, permitted, inheritable } = of.cred
  const sets = [effective, permitted, inheritable]
  sets.forEach((set, k) => {
    pm.sys.view.setInt32(data + 4 * k, set.lo, true)
    if (words > 1) pm.sys.view.setInt32(data + 12 + 4 * k, set.hi, true)
  })
  return 0
}

function capset(pm: Pm, t: Task, m: Message): number {
  const header = need(m, 0, 8)
  if (header < 0) return header
  const words = versionOf(pm, header)
  if (words < 0) return words
  const pid = pm.sys.view.getInt32(header + 4, true)
  if (pid !== 0 && pid !== t.tid) return -E.PERM
  const data = need(m, 1, 12 * words)
  if (data < 0) return data
  const read = (k: number): Bits => ({
    lo: pm.sys.view.getInt32(data + 4 * k, true),
    hi: words > 1 ? pm.sys.view.getInt32(data + 12 + 4 * k, true) & 0x1ff : 0,
  })
  const c = t.cred
  const [effective, permitted, inheritable] = [read(0), read(1), read(2)]
  const free = capable(c, CAP.SETPCAP)
  if (!free && !within(inheritable, union(c.inheritable, c.permitted))) return -E.PERM
  if (!within(inheritable, union(c.inheritable, c.bounding))) return -E.PERM
  if (!within(permitted, c.permitted) || !within(effective, permitted)) return -E.PERM
  Object.assign(c, { effective, permitted, inheritable })
  c.ambient = intersection(c.ambient, intersection(permitted, inheritable))
  setCred(pm, t)
  return 0
}

export function within(a: Bits, b: Bits): boolean {
  return (a.lo & ~b.lo) === 0 && (a.hi & ~b.hi) === 0
}
function union(a: Bits, b: Bits): Bits {
  return { lo: a.lo | b.lo, hi: a.hi | b.hi }
}
function intersection(a: Bits, b: Bits): Bits {
  return { lo: a.lo & b.lo, hi: a.hi & b.hi }
}

/** After set*uid (cap_emulate_setxuid): root's powers go with root's ids. */
export function fixupCapabilities(t: Task, uid: number, euid: number, suid: number): void {
  const c = t.cred
  if ((c.securebits & SECBIT.NO_SETUID_FIXUP) !== 0) return
  const wasRoot = uid === 0 || euid === 0 || suid === 0
  if (wasRoot && c.uid !== 0 && c.euid !== 0 && c.suid !== 0) {
    if (!t.process.keepCaps) {
      c.permitted = { lo: 0, hi: 0 }
      c.effective = { lo: 0, hi: 0 }
    }
    c.ambient = { lo: 0, hi: 0 }
  }
  if (euid === 0 && c.euid !== 0) c.effective = { lo: 0, hi: 0 }
  if (euid !== 0 && c.euid === 0) c.effective = { ...c.permitted }
}

/** At exec, the file owned by set-id `uid`, `gid` or -1. True when the new image is no more than its user. */
export function execCred(t: Task, uid: number, gid: number): boolean {
  const c = t.cred
  if (uid >= 0) c.euid = uid
  if (gid >= 0) c.egid = gid
  const setId = (uid >= 0 && uid !== c.uid) || (gid >= 0 && gid !== c.gid)
  if (setId) c.ambient = { lo: 0, hi: 0 }
  c.suid = c.euid
  c.fsuid = c.euid
  c.sgid = c.egid
  c.fsgid = c.egid
  const root = (c.securebits & SECBIT.NOROOT) === 0
  c.permitted = root && (c.euid === 0 || c.uid === 0) ? union(c.bounding, c.inheritable) : { ...c.ambient }
  c.effective = root && c.euid === 0 ? { ...c.permitted } : { ...c.ambient }
  c.securebits &= ~SECBIT.KEEP_CAPS
  return isPlain(c)
}
function isPlain(c: Cred): boolean {
  return c.euid === c.uid && c.egid === c.gid
}
