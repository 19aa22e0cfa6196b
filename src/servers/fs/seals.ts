// File seals (memfd_create(2), fcntl(2)): what may never be done to a memfd again. Kept on its node; what they forbid is checked where
// it would be done (regular.ts, copyup.ts, overlay.ts, map.ts).
import { E } from '../../abi/errno.ts'
import { O } from '../../abi/fcntl.ts'
import { EP, setLong, TYPE } from '../../abi/message.ts'
import { VM } from '../../protocol/vm.ts'
import { emptyStat } from './hosttree.ts'
import type { Inode, OpenFile } from './inode.ts'
import type { Node } from './node.ts'
import type { FsState } from './state.ts'

export const SEAL = { SEAL: 1, SHRINK: 2, GROW: 4, WRITE: 8, FUTURE_WRITE: 16, EXEC: 32 } as const
export const SEAL_WRITES = SEAL.WRITE | SEAL.FUTURE_WRITE
const ALL = 63
const EXECUTABLE = 0o111
const scratch = emptyStat()

export function sealsOf(state: FsState, inode: Inode): number {
  return inode.fs === state.memfd ? (inode as Node).seals : 0
}
/** F_GET_SEALS. */
export function getSeals(state: FsState, file: OpenFile): number {
  return file.inode.fs === state.memfd ? sealsOf(state, file.inode) : -E.INVAL
}
/** F_ADD_SEALS. */
export function addSeals(state: FsState, file: OpenFile, wanted: number): number {
  if ((file.flags & O.ACCMODE) === O.RDONLY) return -E.PERM
  if ((wanted & ~ALL) !== 0 || file.inode.fs !== state.memfd) return -E.INVAL
  const node = file.inode as Node
  if ((node.seals & SEAL.SEAL) !== 0) return -E.PERM
  let seals = wanted
  // what may be executed for ever must be what it is for ever
  if ((seals & SEAL.EXEC) !== 0 && (node.mode & EXECUTABLE) !== 0)
    seals |= SEAL.SHRINK | SEAL.GROW | SEAL.WRITE | SEAL.FUTURE_WRITE
  if ((seals & SEAL.WRITE) !== 0 && (node.seals & SEAL.WRITE) === 0 && isMappedWritably(state, node)) return -E.BUSY
  node.seals |= seals
  return 0
}
function isMappedWritably(state: FsState, node: Node): boolean {
  node.fs.getattr(node, scratch)
  const m = state.out
  m.fill(0)
  m[TYPE] = VM.WRITERS
  setLong(m, 0, scratch.dev)
  setLong(m, 1, node.ino)
  return state.sys.sendrec(EP.VM, m) > 0
}
