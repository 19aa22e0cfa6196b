// File descriptor tables: allocation (lowest free number, EMFILE at RLIMIT_NOFILE), lookup, closing, sharing and copying.
// Invariant: files[fd] and cloexec[fd] grow together; a non-null entry owns one reference to its open file.
import { E } from '../../abi/errno.ts'
import { O } from '../../abi/fcntl.ts'
import type { FileTable, Fproc, OpenFile } from './inode.ts'
import { releaseLocks } from './locks.ts'
import { dropFile, type FsState } from './state.ts'

export function newTable(): FileTable {
  return { refs: 1, files: [], cloexec: [] }
}

/** The open file behind a descriptor, or null (EBADF). O_PATH files are found too: see getIo. */
export function getFile(fproc: Fproc, fd: number): OpenFile | null {
  const files = fproc.table.files
  return fd >= 0 && fd < files.length ? (files[fd] as OpenFile | null) : null
}
/** The same for calls that O_PATH descriptors don't allow. */
export function getIo(fproc: Fproc, fd: number): OpenFile | null {
  const file = getFile(fproc, fd)
  return file !== null && (file.flags & O.PATH) === 0 ? file : null
}

/** Put `file` (its reference is handed over) at the lowest free descriptor ≥ from. → fd, or -EMFILE (the reference stays the caller's). */
export function installFile(fproc: Fproc, file: OpenFile, cloexec: boolean, from = 0): number {
  const { files, cloexec: flags } = fproc.table
  let fd = from
  while (fd < files.length && files[fd] !== null) fd++
  if (fd >= fproc.nofile) return -E.MFILE
  while (files.length < fd) {
    files.push(null)
    flags.push(false)
  }
  files[fd] = file
  flags[fd] = cloexec
  return fd
}
/** Two free descriptors at once or none (pipe, socketpair): → -EMFILE when there isn't room. `at` gets the numbers. */
export function installPair(fproc: Fproc, first: OpenFile, second: OpenFile, cloexec: boolean, at: Int32Array): number {
  const a = installFile(fproc, first, cloexec)
  if (a < 0) return a
  const b = installFile(fproc, second, cloexec, a + 1)
  if (b < 0) {
    fproc.table.files[a] = null
    return b
  }
  at[0] = a
  at[1] = b
  return 0
}

/** close(2): 0 or -EBADF. Gives up every POSIX lock the table holds on the file (fcntl(2), "Advisory record locking"). */
export function closeFd(state: FsState, fproc: Fproc, fd: number): number {
  const table = fproc.table
  const file = getFile(fproc, fd)
  if (file === null) return -E.BADF
  table.files[fd] = null
  giveBack(state, table, file)
  return 0
}
/** A descriptor of `table` is no more. */
export function giveBack(state: FsState, table: FileTable, file: OpenFile): void {
  releaseLocks(state, file.inode, table)
  file.ops.flush?.(file, table)
  dropFile(state, file)
}

export function copyTable(from: FileTable): FileTable {
  for (const file of from.files) if (file !== null) file.refs++
  return { refs: 1, files: from.files.slice(), cloexec: from.cloexec.slice() }
}
/** Give back one reference; the last one closes everything. */
export function dropTable(state: FsState, table: FileTable): void {
  if (--table.refs > 0) return
  for (let fd = 0; fd < table.files.length; fd++) {
    const file = table.files[fd] as OpenFile | null
    if (file === null) continue
    table.files[fd] = null
    giveBack(state, table, file)
  }
}
