// Ids: get and set (MINIX's getset.c), by Linux's rules: credentials(7), setuid(2), setreuid(2), setresuid(2), setfsuid(2), setgroups(2).
// Uids and gids go by the same rule with different fields. FS is told of every change.
import { E } from '../../abi/errno.ts'
import { int, type Message, uint } from '../../abi/message.ts'
import type { CallVector } from '../../lib/server.ts'
import { CRED_BYTES, PM } from '../../protocol/pm.ts'
import { fixupCapabilities } from './capability.ts'
import { CAP, capable, type Cred, type Pm, type Task, taskOf } from './mproc.ts'
import { need, setCred, writeCred } from './tell.ts'

/** The three ids of a kind, or its fsid. */
type Kind = 'uid' | 'gid'
const NAMES = {
  uid: { real: 'uid', effective: 'euid', saved: 'suid', fs: 'fsuid', capability: CAP.SETUID },
  gid: { real: 'gid', effective: 'egid', saved: 'sgid', fs: 'fsgid', capability: CAP.SETGID },
} as const
const NOBODY = 0xffffffff // -1: leave alone
const NGROUPS_MAX = 65536

export function idCalls(pm: Pm): CallVector {
  const with_ = (f: (t: Task, m: Message) => number) => (m: Message, from: number) => {
    const t = taskOf(pm, from)
    return t === undefined ? -E.SRCH : f(t, m)
  }
  return {
    [PM.GETPID]: (_m, from) => taskOf(pm, from)?.process.pid ?? -E.SRCH,
    [PM.GETTID]: (_m, from) => taskOf(pm, from)?.tid ?? -E.SRCH,
    [PM.GETPPID]: (_m, from) => taskOf(pm, from)?.process.parent.pid ?? -E.SRCH,
    [PM.GETUID]: (_m, from) => taskOf(pm, from)?.cred.uid ?? -E.SRCH,
    [PM.GETEUID]: (_m, from) => taskOf(pm, from)?.cred.euid ?? -E.SRCH,
    [PM.GETGID]: (_m, from) => taskOf(pm, from)?.cred.gid ?? -E.SRCH,
    [PM.GETEGID]: (_m, from) => taskOf(pm, from)?.cred.egid ?? -E.SRCH,
    [PM.SETUID]: with_((t, m) => setId(pm, t, 'uid', uint(m, 0))),
    [PM.SETGID]: with_((t, m) => setId(pm, t, 'gid', uint(m, 0))),
    [PM.SETREUID]: with_((t, m) => setReId(pm, t, 'uid', uint(m, 0), uint(m, 1))),
    [PM.SETREGID]: with_((t, m) => setReId(pm, t, 'gid', uint(m, 0), uint(m, 1))),
    [PM.SETRESUID]: with_((t, m) => setResId(pm, t, 'uid', uint(m, 0), uint(m, 1), uint(m, 2))),
    [PM.SETRESGID]: with_((t, m) => setResId(pm, t, 'gid', uint(m, 0), uint(m, 1), uint(m, 2))),
    [PM.SETFSUID]: with_((t, m) => setFsId(pm, t, 'uid', uint(m, 0))),
    [PM.SETFSGID]: with_((t, m) => setFsId(pm, t, 'gid', uint(m, 0))),
    [PM.GETRESUID]: with_((t, m) => getRes(pm, m, t.cred.uid, t.cred.euid, t.cred.suid)),
    [PM.GETRESGID]: with_((t, m) => getRes(pm, m, t.cred.gid, t.cred.egid, t.cred.sgid)),
    [PM.GETGROUPS]: with_((t, m) => getGroups(pm, t, m)),
    [PM.SETGROUPS]: with_((t, m) => setGroups(pm, t, m)),
    [PM.GETCRED]: (m, _from) => {
      const t = taskOf(pm, int(m, 0))
      if (t === undefined) return -E.SRCH
      const at = need(m, 1, CRED_BYTES)
      if (at < 0) return at
      writeCred(pm, t.cred, at)
      return CRED_BYTES
    },
  }
}

function setId(pm: Pm, t: Task, kind: Kind, id: number): number {
  const n = NAMES[kind]
  const c = t.cred
  if (id === NOBODY) return -E.INVAL
  if (capable(c, n.capability)) return change(pm, t, kind, id, id, id)
  if (id !== c[n.real] && id !== c[n.saved]) return -E.PERM
  return change(pm, t, kind, c[n.real], id, c[n.saved])
}

function setReId(pm: Pm, t: Task, kind: Kind, real: number, effective: number): number {
  const n = NAMES[kind]
  const c = t.cred
  const { [n.real]: r, [n.effective]: e, [n.saved]: s } = c
  if (!capable(c, n.capability)) {
    if (real !== NOBODY && real !== r && real !== e) return -E.PERM
    if (effective !== NOBODY && effective !== r && effective !== e && effective !== s) return -E.PERM
  }
  const newEffective = effective === NOBODY ? e : effective
  const newSaved = real !== NOBODY || (effective !== NOBODY && effective !== r) ? newEffective : s
  return change(pm, t, kind, real === NOBODY ? r : real, newEffective, newSaved)
}

function setResId(pm: Pm, t: Task, kind: Kind, real: number, effective: number, saved: number): number {
  const n = NAMES[kind]
  const c = t.cred
  const { [n.real]: r, [n.effective]: e, [n.saved]: s } = c
  const same = (id: number, old: number): boolean => id === NOBODY || id === old
  if (same(real, r) && same(effective, e) && (effective === NOBODY || e === c[n.fs]) && same(saved, s)) return 0
  if (!capable(c, n.capability)) {
    for (const id of [real, effective, saved]) if (id !== NOBODY && id !== r && id !== e && id !== s) return -E.PERM
  }
  return change(pm, t, kind, real === NOBODY ? r : real, effective === NOBODY ? e : effective, saved === NOBODY ? s : saved)
}

/** Answers the old id, whatever happens. */
function setFsId(pm: Pm, t: Task, kind: Kind, id: number): number {
  const n = NAMES[kind]
  const c = t.cred
  const old = c[n.fs]
  const known = id === c[n.real] || id === c[n.effective] || id === c[n.saved] || id === old
  if (id === NOBODY || id === old || !(known || capable(c, n.capability))) return old
  c[n.fs] = id
  if (kind === 'uid') fixupFsCapabilities(c, old, id)
  changed(pm, t)
  return old
}

/** Set the three; the fsid follows the effective one. */
function change(pm: Pm, t: Task, kind: Kind, real: number, effective: number, saved: number): number {
  const n = NAMES[kind]
  const c = t.cred
  const { uid, euid, suid } = c
  const different = c[n.effective] !== effective || c[n.fs] !== effective
  c[n.real] = real
  c[n.effective] = effective
  c[n.saved] = saved
  c[n.fs] = effective
  if (kind === 'uid') fixupCapabilities(t, uid, euid, suid)
  if (different) changed(pm, t)
  else setCred(pm, t)
  return 0
}
/** commit_creds: who has changed his powers isn't dumped and isn't killed with his parent. */
function changed(pm: Pm, t: Task): void {
  t.process.dumpable = 0
  t.parentDeathSignal = 0
  setCred(pm, t)
}

/** Capabilities about files go and come with fsuid 0 (cap_task_fix_setuid, LSM_SETID_FS). */
const FS_CAPS = { lo: 0x0800_001f | (1 << 9), hi: 1 } as const // CHOWN…FSETID, MKNOD, LINUX_IMMUTABLE; MAC_OVERRIDE
function fixupFsCapabilities(c: Cred, old: number, now: number): void {
  if (old === 0 && now !== 0) {
    c.effective.lo &= ~FS_CAPS.lo
    c.effective.hi &= ~FS_CAPS.hi
  } else if (old !== 0 && now === 0) {
    c.effective.lo |= FS_CAPS.lo & c.permitted.lo
    c.effective.hi |= FS_CAPS.hi & c.permitted.hi
  }
}

function getRes(pm: Pm, m: Message, ...ids: number[]): number {
  for (let k = 0; k < 3; k++) if (need(m, k, 4) < 0) return -E.FAULT
  for (let k = 0; k < 3; k++) pm.sys.view.setUint32(int(m, k), ids[k], true)
  return 0
}
function getGroups(pm: Pm, t: Task, m: Message): number {
  const size = int(m, 0)
  const { groups } = t.cred
  if (size < 0) return -E.INVAL
  if (size === 0) return groups.length
  if (size < groups.length) return -E.INVAL
  const at = need(m, 1, 4 * groups.length)
  if (at < 0) return at
  groups.forEach((group, k) => {
    pm.sys.view.setUint32(at + 4 * k, group, true)
  })
  return groups.length
}
function setGroups(pm: Pm, t: Task, m: Message): number {
  const size = int(m, 0)
  if (!capable(t.cred, CAP.SETGID)) return -E.PERM
  if (size < 0 || size > NGROUPS_MAX) return -E.INVAL
  const at = size === 0 ? 0 : need(m, 1, 4 * size)
  if (at < 0) return at
  const groups: number[] = []
  for (let k = 0; k < size; k++) groups.push(pm.sys.view.getUint32(at + 4 * k, true))
  t.cred.groups = groups.sort((a, b) => a - b)
  setCred(pm, t)
  return 0
}
