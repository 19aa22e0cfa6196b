// FS.MAP, asked by VM: may this descriptor be mapped so, and which host file stands behind it (mmap(2), ERRORS: EACCES, EBADF, ENODEV).
import { E } from '../../abi/errno.ts'
import { isRegular, major, minor, O } from '../../abi/fcntl.ts'
import { EP, high, int, type Message, setInt, setLong } from '../../abi/message.ts'
import type { CallVector } from '../../lib/server.ts'
import { FS } from '../../protocol/fs.ts'
import { getIo } from './filedes.ts'
import { emptyStat } from './hosttree.ts'
import { MEM, MEM_MAJOR } from './memdev.ts'
import { putText } from './path.ts'
import { SEAL_WRITES, sealsOf } from './seals.ts'
import { type FsState, fprocOf } from './state.ts'

const PROT_WRITE = 2
const MAP_TYPE = 15
const MAP_PRIVATE = 2
/** Reply bits of cell 1: zero-fill device; a shared mapping may be made writable later. */
const ZERO_FILL = 1
const WRITABLE = 2
const scratch = emptyStat()

function map(state: FsState, m: Message): number {
  const fproc = fprocOf(state, int(m, 0))
  const file = fproc === undefined ? null : getIo(fproc, int(m, 1))
  if (file === null) return -E.BADF
  const prot = int(m, 2)
  const shared = (int(m, 3) & MAP_TYPE) !== MAP_PRIVATE
  const mode = file.flags & O.ACCMODE
  if (mode === O.WRONLY || (shared && (prot & PROT_WRITE) !== 0 && mode !== O.RDWR)) return -E.ACCES
  const inode = file.inode
  const zero = major(inode.rdev) === MEM_MAJOR && minor(inode.rdev) === MEM.ZERO
  const at = int(m, 4)
  const room = high(m, 4)
  if (zero) {
    setInt(m, 1, ZERO_FILL)
    return 0
  }
  if (!isRegular(inode.mode) || file.ops.hostFile === undefined) return -E.NODEV
  const sealed = (sealsOf(state, inode) & SEAL_WRITES) !== 0
  if (sealed && shared && (prot & PROT_WRITE) !== 0) return -E.PERM
  const writable = shared && mode === O.RDWR && !sealed
  const handle = file.ops.hostFile(file, writable)
  if (handle < 0) return handle
  const known = inode.fs.getattr(inode, scratch) === 0
  setInt(m, 1, writable ? WRITABLE : 0)
  setLong(m, 2, inode.ino)
  setLong(m, 3, known ? scratch.dev : inode.fs.dev)
  const name = file.path.slice(0, Math.max(0, room - 1))
  putText(state.sys.mem, at, name)
  if (room > 0) state.sys.mem[at + name.length] = 0
  return handle
}

export function mapCalls(state: FsState): CallVector {
  return { [FS.MAP]: (m, from) => (from === EP.VM ? map(state, m) : -E.PERM) }
}
