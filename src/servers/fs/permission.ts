// Who may do what to an inode (path_resolution(7), inode(7), capabilities(7)), by the guest's credentials and the ownership it sees.
import { E } from '../../abi/errno.ts'
import { CAP, isDirectory, isRegular, MAY, S } from '../../abi/fcntl.ts'
import type { Credentials, Inode } from './inode.ts'

export function hasCapability(cred: Credentials, capability: number): boolean {
  return (Math.floor(cred.capabilities / 2 ** capability) & 1) === 1
}
export function inGroup(cred: Credentials, gid: number): boolean {
  return cred.fsgid === gid || cred.groups.includes(gid)
}
export function isOwner(inode: Inode, cred: Credentials): boolean {
  return cred.fsuid === inode.uid
}
/** Owner, or CAP_FOWNER. */
export function actsAsOwner(inode: Inode, cred: Credentials): boolean {
  return cred.fsuid === inode.uid || hasCapability(cred, CAP.FOWNER)
}

/** 0 or -EACCES. want: MAY bits. */
export function permission(inode: Inode, want: number, cred: Credentials): number {
  const mode = inode.mode
  let granted = mode & 7
  if (cred.fsuid === inode.uid) granted = (mode >> 6) & 7
  else if (cred.fsgid === inode.gid || (cred.groups.length > 0 && cred.groups.includes(inode.gid)))
    granted = (mode >> 3) & 7
  if ((want & ~granted) === 0) return 0
  return override(mode, want, cred) ? 0 : -E.ACCES
}
function override(mode: number, want: number, cred: Credentials): boolean {
  if (isDirectory(mode)) {
    if ((want & MAY.WRITE) === 0 && hasCapability(cred, CAP.DAC_READ_SEARCH)) return true
    return hasCapability(cred, CAP.DAC_OVERRIDE)
  }
  if (want === MAY.READ && hasCapability(cred, CAP.DAC_READ_SEARCH)) return true
  // Execution needs one x bit even for the privileged.
  return ((want & MAY.EXEC) === 0 || (mode & S.IXUGO) !== 0) && hasCapability(cred, CAP.DAC_OVERRIDE)
}
/** The same with the real ids, as access(2) asks (without AT_EACCESS). */
export function realCredentials(cred: Credentials, out: Credentials): Credentials {
  out.uid = out.euid = out.fsuid = cred.uid
  out.gid = out.egid = out.fsgid = cred.gid
  out.groups = cred.groups
  // A set-uid program without its privilege; root asking as root keeps its own.
  out.capabilities = cred.uid === 0 ? (cred.euid === 0 ? cred.capabilities : 2 ** 41 - 1) : 0
  return out
}

/** May entries of `dir` be made? 0, -EACCES or -EROFS. */
export function mayCreate(dir: Inode, cred: Credentials): number {
  return dir.fs.readOnly ? -E.ROFS : permission(dir, MAY.WRITE | MAY.EXEC, cred)
}
/** May `inode` be taken out of `dir`? Sticky directories: by the owner of either (unlink(2) EPERM). */
export function mayDelete(dir: Inode, inode: Inode, cred: Credentials): number {
  const r = mayCreate(dir, cred)
  if (r < 0) return r
  if ((dir.mode & S.ISVTX) === 0 || isOwner(inode, cred) || isOwner(dir, cred)) return 0
  return hasCapability(cred, CAP.FOWNER) ? 0 : -E.PERM
}
/** fs.protected_hardlinks = 1 (proc_sys_fs(5)), Debian's setting. */
export function mayLink(inode: Inode, cred: Credentials): number {
  if (actsAsOwner(inode, cred)) return 0
  const mode = inode.mode
  if (!isRegular(mode) || (mode & S.ISUID) !== 0 || (mode & (S.ISGID | S.IXGRP)) === (S.ISGID | S.IXGRP)) return -E.PERM
  return permission(inode, MAY.READ | MAY.WRITE, cred) === 0 ? 0 : -E.PERM
}
/** fs.protected_symlinks = 1: following a link as the last component in a sticky world-writable directory. */
export function mayFollow(dir: Inode, link: Inode, cred: Credentials): boolean {
  if ((dir.mode & (S.ISVTX | 2)) !== (S.ISVTX | 2)) return true
  return link.uid === cred.fsuid || link.uid === dir.uid
}
/** fs.protected_regular = 2, protected_fifos = 1: O_CREAT open of what somebody else left in a sticky directory. */
export function mayReopen(dir: Inode, inode: Inode, cred: Credentials): boolean {
  if ((dir.mode & S.ISVTX) === 0 || isOwner(inode, cred) || inode.uid === dir.uid) return true
  if (isRegular(inode.mode)) return (dir.mode & 2) === 0 && (dir.mode & 0o20) === 0
  return (inode.mode & S.IFMT) !== S.IFIFO || (dir.mode & 2) === 0
}
/** Group of a new file, and its set-gid bit: a set-gid directory hands its group on (inode(7)). */
export function newGroup(dir: Inode, cred: Credentials): number {
  return (dir.mode & S.ISGID) !== 0 ? dir.gid : cred.fsgid
}
export function newMode(dir: Inode, mode: number, cred: Credentials): number {
  if ((dir.mode & S.ISGID) === 0) return mode
  if (isDirectory(mode)) return mode | S.ISGID
  // inode_init_owner: a set-gid executable only for members of the group
  if (
    (mode & (S.ISGID | S.IXGRP)) === (S.ISGID | S.IXGRP) &&
    !inGroup(cred, dir.gid) &&
    !hasCapability(cred, CAP.FSETID)
  )
    return mode & ~S.ISGID
  return mode
}
