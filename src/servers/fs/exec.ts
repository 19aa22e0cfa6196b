// Files on their way to being executed: found with execute permission, read by the container's loader, mapped, named.
// A handle is an index into the state's table, separate from guests' descriptors; the container closes it, or FS when its caller goes.
import { E } from '../../abi/errno.ts'
import { AT, isRegular, MAY, O, S } from '../../abi/fcntl.ts'
import { IN } from '../../abi/inotify.ts'
import { high, int, type Message, setInt, setLong, slotOf, uint, ulong } from '../../abi/message.ts'
import type { CallVector } from '../../lib/server.ts'
import { FS } from '../../protocol/fs.ts'
import { emptyStat } from './hosttree.ts'
import type { Inode, OpenFile } from './inode.ts'
import { WALK, Walk, walk } from './namei.ts'
import { notifyFile } from './notify.ts'
import { pathOf, putText } from './path.ts'
import { permission } from './permission.ts'
import { callerOf, dropFile, type FsState, fprocOf, newFile, setName } from './state.ts'

const nd = new Walk()
const st = emptyStat()

/** An open executable and who opened it. */
export interface Executable {
  file: OpenFile
  endpoint: number
}
/** The open file behind a handle, or null. */
export function execFile(state: FsState, handle: number): OpenFile | null {
  return state.executables[handle]?.file ?? null
}
function close(state: FsState, handle: number): number {
  const entry = state.executables[handle]
  if (entry === undefined || entry === null) return -E.BADF
  state.executables[handle] = null
  dropFile(state, entry.file)
  return 0
}
/** The lowest free handle. Those whose owner went without closing them are closed on the way. */
function freeHandle(state: FsState): number {
  const handles = state.executables
  for (let i = 0; i < handles.length; i++) {
    const entry = handles[i]
    if (entry && state.fprocs[slotOf(entry.endpoint)]?.endpoint !== entry.endpoint) close(state, i)
  }
  const free = handles.indexOf(null)
  return free < 0 ? handles.length : free
}

/** fs/exec.c do_open_execat: EACCES for what is no regular file or lacks x, ETXTBSY while somebody writes it. */
function execOpen(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  if (fproc === undefined) return -E.SRCH
  const flags = int(m, 2)
  if ((flags & ~(AT.SYMLINK_NOFOLLOW | AT.EMPTY_PATH)) !== 0) return -E.INVAL
  const path = pathOf(state.sys.mem, m, 1)
  if (typeof path === 'number') return path
  const how =
    WALK.NAMED |
    ((flags & AT.SYMLINK_NOFOLLOW) === 0 ? WALK.FOLLOW : 0) |
    ((flags & AT.EMPTY_PATH) !== 0 ? WALK.EMPTY : 0)
  let r = walk(state, fproc, nd, int(m, 0), path, how)
  if (r < 0) return r
  const inode = nd.inode as Inode
  if ((inode.mode & S.IFMT) === S.IFLNK) return -E.LOOP
  if (!isRegular(inode.mode)) return -E.ACCES
  r = permission(inode, MAY.EXEC, fproc.cred)
  if (r < 0) return r
  if (((inode as { writers?: number }).writers ?? 0) > 0) return -E.TXTBSY
  r = inode.fs.getattr(inode, st, nd.fresh)
  if (r < 0) return r
  const ops = inode.fs.open(inode, O.RDONLY, fproc.cred)
  if (typeof ops === 'number') return ops
  const handle = freeHandle(state)
  const file = newFile(state, inode, O.RDONLY | O.LARGEFILE, nd.path, ops, 0, null)
  if (nd.parent !== null && nd.parent.fs === inode.fs) setName(file, nd.parent, nd.name)
  state.executables[handle] = { file, endpoint: from }
  if (state.watched !== 0) notifyFile(state, IN.OPEN, file)
  setInt(m, 1, (inode.mode & S.ISUID) !== 0 ? inode.uid : -1)
  setInt(m, 2, (inode.mode & (S.ISGID | S.IXGRP)) === (S.ISGID | S.IXGRP) ? inode.gid : -1)
  setLong(m, 3, st.size)
  return handle
}
function execRead(state: FsState, m: Message, from: number): number {
  const file = execFile(state, int(m, 0))
  if (file === null) return -E.BADF
  const len = Math.min(high(m, 1), ulong(m, 2))
  return file.ops.read(file, uint(m, 1), len, ulong(m, 3), callerOf(state, from, true, 0, len))
}
function execMap(state: FsState, m: Message): number {
  const file = execFile(state, int(m, 0))
  if (file === null) return -E.BADF
  if (file.ops.hostFile === undefined) return -E.NODEV
  const known = file.inode.fs.getattr(file.inode, st) === 0
  setLong(m, 2, file.inode.ino)
  setLong(m, 3, known ? st.dev : file.inode.fs.dev)
  return file.ops.hostFile(file, false)
}
function execPath(state: FsState, m: Message): number {
  const file = execFile(state, int(m, 0))
  if (file === null) return -E.BADF
  if (high(m, 1) < file.path.length) return -E.RANGE
  putText(state.sys.mem, uint(m, 1), file.path)
  return file.path.length
}

export function execCalls(state: FsState): CallVector {
  return {
    [FS.EXECOPEN]: (m, from) => execOpen(state, m, from),
    [FS.EXECREAD]: (m, from) => execRead(state, m, from),
    [FS.EXECMAP]: m => execMap(state, m),
    [FS.EXECCLOSE]: m => close(state, int(m, 0)),
    [FS.EXECPATH]: m => execPath(state, m),
  }
}
