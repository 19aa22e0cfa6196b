// dup family, close, close_range, pipe, memfd_create: calls that make, copy or drop descriptors.
import { E } from '../../abi/errno.ts'
import { O } from '../../abi/fcntl.ts'
import { high, int, type Message, uint } from '../../abi/message.ts'
import type { CallVector } from '../../lib/server.ts'
import { FS } from '../../protocol/fs.ts'
import { closeFd, copyTable, dropTable, getFile, giveBack, installFile, installPair } from './filedes.ts'
import type { Fproc, OpenFile } from './inode.ts'
import type { Node } from './node.ts'
import { textAt } from './path.ts'
import { makePipe } from './pipe.ts'
import { SEAL } from './seals.ts'
import { dropFile, type FsState, fprocOf, newFile } from './state.ts'

const CLOSE_RANGE_UNSHARE = 2
const CLOSE_RANGE_CLOEXEC = 4
const MFD = { CLOEXEC: 1, ALLOW_SEALING: 2, HUGETLB: 4, NOEXEC_SEAL: 8, EXEC: 0x10 } as const
/** Of MFD_HUGETLB: log2 of the page size. */
const MFD_HUGE_SIZE = 0xfc000000
const MEMFD_NAME_MAX = 249

/** A further descriptor ≥ from for `file`. */
export function duplicate(fproc: Fproc, file: OpenFile, cloexec: boolean, from: number): number {
  const fd = installFile(fproc, file, cloexec, from)
  if (fd >= 0) file.refs++
  return fd
}

function dup(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const file = fproc === undefined ? null : getFile(fproc, int(m, 0))
  return fproc === undefined || file === null ? -E.BADF : duplicate(fproc, file, false, 0)
}

/** dup2 (flags -1) and dup3. What `fd` was before is closed without a word about errors. */
function dup2(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  if (fproc === undefined) return -E.BADF
  const old = int(m, 0)
  const fd = int(m, 1)
  const flags = int(m, 2)
  if (flags !== -1) {
    if ((flags & ~O.CLOEXEC) !== 0 || old === fd) return -E.INVAL
  }
  const file = getFile(fproc, old)
  if (flags === -1 && old === fd) return file === null ? -E.BADF : fd
  if (fd < 0 || fd >= fproc.nofile || file === null) return -E.BADF
  const { files, cloexec } = fproc.table
  while (files.length <= fd) {
    files.push(null)
    cloexec.push(false)
  }
  const replaced = files[fd] as OpenFile | null
  file.refs++
  files[fd] = file
  cloexec[fd] = flags !== -1 && (flags & O.CLOEXEC) !== 0
  if (replaced !== null) giveBack(state, fproc.table, replaced)
  return fd
}

function close(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  return fproc === undefined ? -E.BADF : closeFd(state, fproc, int(m, 0))
}

function closeRange(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const first = uint(m, 0)
  const last = uint(m, 1)
  const flags = int(m, 2)
  if (fproc === undefined) return -E.SRCH
  if ((flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) !== 0 || first > last) return -E.INVAL
  if ((flags & CLOSE_RANGE_UNSHARE) !== 0) unshareTable(state, fproc)
  const end = Math.min(last, fproc.table.files.length - 1)
  for (let fd = first; fd <= end; fd++) {
    if ((flags & CLOSE_RANGE_CLOEXEC) !== 0) fproc.table.cloexec[fd] = fproc.table.files[fd] !== null
    else closeFd(state, fproc, fd)
  }
  return 0
}
/** A descriptor table of its own (close_range, execve, unshare). */
export function unshareTable(state: FsState, fproc: Fproc): void {
  if (fproc.table.refs === 1) return
  const old = fproc.table
  fproc.table = copyTable(old)
  dropTable(state, old)
}

const pair = new Int32Array(2)
function pipe(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const flags = int(m, 1)
  if (fproc === undefined) return -E.SRCH
  if ((flags & ~(O.CLOEXEC | O.NONBLOCK | O.DIRECT)) !== 0) return -E.INVAL
  if (high(m, 0) < 8) return -E.FAULT
  const ends = makePipe(state, fproc, flags & (O.NONBLOCK | O.DIRECT))
  if (typeof ends === 'number') return ends
  const r = installPair(fproc, ends.read, ends.write, (flags & O.CLOEXEC) !== 0, pair)
  if (r < 0) {
    dropFile(state, ends.read)
    dropFile(state, ends.write)
    return r
  }
  state.sys.view.setInt32(int(m, 0), pair[0] as number, true)
  state.sys.view.setInt32(int(m, 0) + 4, pair[1] as number, true)
  return 0
}

/** A file without a name on the machine's own memfs. */
function memfdCreate(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const flags = uint(m, 1)
  if (fproc === undefined) return -E.SRCH
  const huge = (flags & MFD.HUGETLB) !== 0
  const known = MFD.CLOEXEC | MFD.ALLOW_SEALING | MFD.NOEXEC_SEAL | MFD.EXEC | MFD.HUGETLB | (huge ? MFD_HUGE_SIZE : 0)
  if ((flags & ~known) !== 0) return -E.INVAL
  if ((flags & MFD.EXEC) !== 0 && (flags & MFD.NOEXEC_SEAL) !== 0) return -E.INVAL
  const name = textAt(state.sys.mem, int(m, 0), high(m, 0))
  if (name.length > MEMFD_NAME_MAX) return -E.INVAL
  if (huge) return -E.NODEV // no huge pages here
  if (state.openFiles >= state.maxFiles) return -E.NFILE
  const fs = state.memfd
  const sealed = (flags & MFD.NOEXEC_SEAL) !== 0
  const mode = sealed ? 0o666 : 0o777
  const inode = fs.tmpfile(fs.root, 0o100000 | mode, fproc.cred.fsuid, fproc.cred.fsgid, false)
  if (typeof inode === 'number') return inode
  ;(inode as Node).seals = sealed ? SEAL.EXEC : (flags & MFD.ALLOW_SEALING) !== 0 ? 0 : SEAL.SEAL
  const ops = fs.open(inode, O.RDWR, fproc.cred)
  if (typeof ops === 'number') return ops
  const file = newFile(state, inode, O.RDWR | O.LARGEFILE, `/memfd:${name} (deleted)`, ops, 0, null)
  const fd = installFile(fproc, file, (flags & MFD.CLOEXEC) !== 0)
  if (fd < 0) dropFile(state, file)
  return fd
}

export function dupCalls(state: FsState): CallVector {
  return {
    [FS.DUP]: (m, from) => dup(state, m, from),
    [FS.DUP2]: (m, from) => dup2(state, m, from),
    [FS.CLOSE]: (m, from) => close(state, m, from),
    [FS.CLOSE_RANGE]: (m, from) => closeRange(state, m, from),
    [FS.PIPE]: (m, from) => pipe(state, m, from),
    [FS.MEMFD_CREATE]: (m, from) => memfdCreate(state, m, from),
  }
}
