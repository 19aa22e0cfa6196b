// Owners and permissions of System V objects: ipc_perm(5 in svipc(7)), and the checks in Linux's order (ipc/util.c).
import { E } from '../../abi/errno.ts'
import { IPC_PRIVATE, type Ids } from './ids.ts'
import { CAP, type Caller, can, type IpcState } from './state.ts'

export interface Perm {
  id: number
  key: number
  uid: number
  gid: number
  readonly cuid: number
  readonly cgid: number
  mode: number
  sequence: number
}

/** Commands of shmctl, semctl and msgctl that are the same for all. */
export const CMD = { RMID: 0, SET: 1, STAT: 2, INFO: 3 } as const
export const IPC_CREAT = 0o1000
export const IPC_EXCL = 0o2000
export const IPC_NOWAIT = 0o4000
export const READ = 0o444
export const WRITE = 0o222
const RWX = 0o777
/** No such user or group. */
const NOBODY = 0xffffffff

/** struct ipc64_perm. */
const AT = { KEY: 0, UID: 4, GID: 8, CUID: 12, CGID: 16, MODE: 20, SEQ: 24 } as const
export const PERM_BYTES = 48

export function newPerm(by: Caller, key: number, flags: number): Perm {
  const { euid, egid } = by
  return { id: 0, key, uid: euid, gid: egid, cuid: euid, cgid: egid, mode: flags & RWX, sequence: 0 }
}
/** May `by` do what the permission bits of `wanted` (anyone's, as in READ and WRITE) say? */
export function permits(one: Perm, by: Caller, wanted: number): boolean {
  const requested = (wanted >> 6) | (wanted >> 3) | wanted
  let granted = one.mode
  if (by.euid === one.cuid || by.euid === one.uid) granted >>= 6
  else if (isMember(by, one.cgid) || isMember(by, one.gid)) granted >>= 3
  return (requested & ~granted & 7) === 0 || can(by, CAP.IPC_OWNER)
}
function isMember(by: Caller, gid: number): boolean {
  return by.fsgid === gid || by.groups.includes(gid)
}
/** May `by` change or remove it? */
export function owns(one: Perm, by: Caller): boolean {
  return by.euid === one.cuid || by.euid === one.uid || can(by, CAP.SYS_ADMIN)
}

/** shmget, semget, msgget: the object with this key, or what `make` answers. → id or -errno */
export function getByKey<T extends Perm>(
  ids: Ids<T>,
  by: Caller,
  key: number,
  flags: number,
  fits: (one: T) => boolean,
  make: () => number,
): number {
  const one = ids.withKey(key)
  if (one === undefined) return key !== IPC_PRIVATE && !(flags & IPC_CREAT) ? -E.NOENT : make()
  if (flags & IPC_CREAT && flags & IPC_EXCL) return -E.EXIST
  if (!fits(one)) return -E.INVAL
  return permits(one, by, flags) ? one.id : -E.ACCES
}

export function writePerm(state: IpcState, one: Perm, at: number): void {
  const { view } = state.sys
  view.setInt32(at + AT.KEY, one.key, true)
  view.setUint32(at + AT.UID, one.uid, true)
  view.setUint32(at + AT.GID, one.gid, true)
  view.setUint32(at + AT.CUID, one.cuid, true)
  view.setUint32(at + AT.CGID, one.cgid, true)
  view.setUint32(at + AT.MODE, one.mode, true)
  view.setUint16(at + AT.SEQ, one.sequence, true)
}
/** IPC_SET: owner and permission bits. 0 or -EINVAL. */
export function readPerm(state: IpcState, one: Perm, at: number): number {
  const { view } = state.sys
  const uid = view.getUint32(at + AT.UID, true)
  const gid = view.getUint32(at + AT.GID, true)
  if (uid === NOBODY || gid === NOBODY) return -E.INVAL
  one.uid = uid
  one.gid = gid
  one.mode = (one.mode & ~RWX) | (view.getUint32(at + AT.MODE, true) & RWX)
  return 0
}
