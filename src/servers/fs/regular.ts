// Operations on open regular files of overlay and memfs: bytes go straight between host file or store and the arena. Every operation goes
// through the node, so a file opened before copy-up reads the copied data afterwards.
// Invariant: record.size is the size of the data file (no data file: 0), unless the data are still the lower file's.
import { E } from '../../abi/errno.ts'
import { CAP, FALLOC, O, S, SEEK } from '../../abi/fcntl.ts'
import { dataOf, truncateData } from './copyup.ts'
import { emptyStat } from './hosttree.ts'
import type { Credentials, FileOps, OpenFile } from './inode.ts'
import type { Lower } from './lower.ts'
import { type Node, type NodeRecord, touchAccess, touchModify } from './node.ts'
import type { Overlay } from './overlay.ts'
import { hasCapability } from './permission.ts'
import { SEAL, SEAL_WRITES } from './seals.ts'

/** Make the data the workspace's own, to be changed: 0 or -errno. */
function prepare(fs: Overlay, node: Node): number {
  return node.record === null || node.record.lowerData ? fs.copyUpData(node) : 0
}

function read(f: OpenFile, at: number, len: number, position: number): number {
  const node = f.inode as Node
  const fs = node.fs as Overlay
  const { record } = node
  if (record !== null && (f.flags & O.NOATIME) === 0) touchAccess(record, fs.now())
  if (record !== null && !record.lowerData)
    return record.data === null ? 0 : fs.store.read(record.data, at, len, position)
  const fd = (fs.lower as Lower).fd(node)
  return fd < 0 ? fd : fs.store.host.pread(fd, at, len, position)
}

/** Do seals forbid writing up to `end`? */
function refuses(node: Node, end: number): boolean {
  return (node.seals & SEAL_WRITES) !== 0 || ((node.seals & SEAL.GROW) !== 0 && end > (node.record?.size ?? 0))
}
function refusesGrowth(node: Node, mode: number, end: number): boolean {
  return (mode & FALLOC.KEEP_SIZE) === 0 && (node.seals & SEAL.GROW) !== 0 && end > (node.record?.size ?? 0)
}
function write(f: OpenFile, at: number, len: number, position: number): number {
  const node = f.inode as Node
  const fs = node.fs as Overlay
  if (len === 0) return 0
  if (node.seals !== 0 && refuses(node, position + len)) return -E.PERM
  const r = prepare(fs, node)
  if (r < 0) return r
  const record = node.record as NodeRecord
  const data = dataOf(record)
  let bytes = len
  const growth = position + len - Math.max(position, record.size)
  if (growth > 0) {
    const room = fs.store.room(growth)
    if (room < growth) bytes -= growth - room
    if (bytes <= 0) return -E.NOSPC
  }
  const n = fs.store.write(data, at, bytes, position)
  if (n <= 0) return n
  const end = position + n
  if (end > record.size) {
    if (position > record.size) record.holes = true
    fs.store.charge(data, data.bytes + end - Math.max(position, record.size))
    record.size = end
  }
  touchModify(record, fs.now())
  return n
}
/** Writing takes set-uid and set-gid away, unless the file was opened by someone with CAP_FSETID (write(2), inode(7)). */
function writeUnprivileged(f: OpenFile, at: number, len: number, position: number): number {
  const n = write(f, at, len, position)
  if (n > 0) dropSetid(f.inode as Node)
  return n
}
export function dropSetid(node: { mode: number }): void {
  if ((node.mode & S.ISUID) !== 0) node.mode &= ~S.ISUID
  if ((node.mode & (S.ISGID | S.IXGRP)) === (S.ISGID | S.IXGRP)) node.mode &= ~S.ISGID
}

function seek(f: OpenFile, offset: number, whence: number): number {
  if (whence === SEEK.SET) return offset < 0 ? -E.INVAL : offset
  if (whence === SEEK.CUR) return f.pos + offset < 0 ? -E.INVAL : f.pos + offset
  const node = f.inode as Node
  const fs = node.fs as Overlay
  const { record } = node
  if (record === null || record.lowerData) {
    const fd = (fs.lower as Lower).fd(node)
    return fd < 0 ? fd : fs.store.host.seek(fd, offset, whence)
  }
  if (whence === SEEK.END) return record.size + offset < 0 ? -E.INVAL : record.size + offset
  return record.data === null ? -E.NXIO : fs.store.seek(record.data, offset, whence)
}
function release(f: OpenFile): void {
  const node = f.inode as Node
  node.opens--
  if ((f.flags & O.ACCMODE) !== O.RDONLY) node.writers--
}
/** Nothing to do: what a power failure leaves of a workspace is its records' business, and they are in memory. */
function fsync(): number {
  return 0
}
function truncate(f: OpenFile, size: number): number {
  const node = f.inode as Node
  const fs = node.fs as Overlay
  let r = fs.copyUp(node)
  if (r === 0) r = truncateData(fs, node, size)
  if (r === 0) touchModify(node.record as NodeRecord, fs.now())
  return r
}
function truncateUnprivileged(f: OpenFile, size: number): number {
  const r = truncate(f, size)
  if (r === 0) dropSetid(f.inode as Node)
  return r
}
/** The data file to write to directly. */
function writable(fs: Overlay, node: Node): number {
  const r = prepare(fs, node)
  return r < 0 ? r : fs.store.fd(dataOf(node.record as NodeRecord))
}
function fallocate(f: OpenFile, mode: number, offset: number, len: number): number {
  const node = f.inode as Node
  const fs = node.fs as Overlay
  if (node.seals !== 0 && (mode & FALLOC.PUNCH_HOLE ? (node.seals & SEAL_WRITES) !== 0 : refusesGrowth(node, mode, offset + len)))
    return -E.PERM
  const fd = writable(fs, node)
  if (fd < 0) return fd
  if (fs.store.room(len) < len && (mode & 2) === 0) return -E.NOSPC
  const host = fs.store.host
  const r = host.allocate(fd, mode, offset, len)
  if (r < 0) return r
  const st = emptyStat()
  if (host.stat(fd, '', st) < 0) return -E.IO
  const record = node.record as NodeRecord
  record.size = st.size
  record.holes = true
  fs.store.charge(record.data as NonNullable<NodeRecord['data']>, st.blocks * 512)
  touchModify(record, fs.now())
  return 0
}
/** For writing: the data file itself, so it must be the workspace's own. For reading: a descriptor that can do no more. */
function hostFile(f: OpenFile, write: boolean): number {
  const node = f.inode as Node
  const fs = node.fs as Overlay
  if (write) {
    const fd = writable(fs, node)
    if (fd >= 0) touchModify(node.record as NodeRecord, fs.now())
    return fd
  }
  const record = node.record
  if (record === null || record.lowerData) return (fs.lower as Lower).fd(node)
  return fs.store.readOnlyFd(dataOf(record)) // an empty file is mapped too: its pages give SIGBUS until it grows
}
/** Small files stay in memory, however long the buffer they are read with. */
function direct(f: OpenFile): number {
  const { record } = f.inode as Node
  if (record !== null && (f.flags & O.NOATIME) === 0) touchAccess(record, (f.inode.fs as Overlay).now())
  if (record !== null && !record.lowerData && (record.data === null || record.data.name === '')) return -E.AGAIN
  return hostFile(f, false)
}

const common = { read, seek, release, fsync, fallocate, hostFile, direct }
const privileged: FileOps = { ...common, write, truncate }
const unprivileged: FileOps = { ...common, write: writeUnprivileged, truncate: truncateUnprivileged }

export function regularOps(by: Credentials): FileOps {
  return hasCapability(by, CAP.FSETID) ? privileged : unprivileged
}
