// Operations on open files of a bind: everything goes to the host's file.
import { E } from '../../abi/errno.ts'
import { O, SEEK } from '../../abi/fcntl.ts'
import type { BindFs } from './bind.ts'
import type { FileOps, OpenFile } from './inode.ts'
import type { Node } from './node.ts'

export const boundOps: FileOps = {
  read(f: OpenFile, at: number, len: number, position: number): number {
    const { lower } = f.inode.fs as BindFs
    const fd = lower.fd(f.inode as Node)
    return fd < 0 ? fd : lower.host.pread(fd, at, len, position)
  },
  write(f: OpenFile, at: number, len: number, position: number): number {
    const fs = f.inode.fs as BindFs
    const fd = fs.writeFd(f.inode as Node)
    return fd < 0 ? fd : fs.lower.host.pwrite(fd, at, len, position)
  },
  seek(f: OpenFile, offset: number, whence: number): number {
    if (whence === SEEK.SET) return offset < 0 ? -E.INVAL : offset
    if (whence === SEEK.CUR) return f.pos + offset < 0 ? -E.INVAL : f.pos + offset
    const fd = anyFd(f)
    return fd < 0 ? fd : (f.inode.fs as BindFs).lower.host.seek(fd, offset, whence)
  },
  fsync(f: OpenFile, data: boolean): number {
    const fd = anyFd(f)
    return fd < 0 ? fd : (f.inode.fs as BindFs).lower.host.sync(fd, data)
  },
  truncate(f: OpenFile, size: number): number {
    const fs = f.inode.fs as BindFs
    const fd = fs.writeFd(f.inode as Node)
    return fd < 0 ? fd : fs.lower.host.truncate(fd, size)
  },
  fallocate(f: OpenFile, mode: number, offset: number, len: number): number {
    const fs = f.inode.fs as BindFs
    const fd = fs.writeFd(f.inode as Node)
    return fd < 0 ? fd : fs.lower.host.allocate(fd, mode, offset, len)
  },
  hostFile(f: OpenFile, writable: boolean): number {
    return writable ? (f.inode.fs as BindFs).writeFd(f.inode as Node) : (f.inode.fs as BindFs).lower.fd(f.inode as Node)
  },
  direct(f: OpenFile): number {
    return (f.inode.fs as BindFs).lower.fd(f.inode as Node)
  },
  release(f: OpenFile): void {
    const node = f.inode as Node
    node.opens--
    const { lower } = f.inode.fs as BindFs
    if ((f.flags & O.ACCMODE) !== O.RDONLY && --node.writers === 0 && !node.gone) lower.descriptors.drop(node.writing)
  },
}
function anyFd(f: OpenFile): number {
  const fs = f.inode.fs as BindFs
  return (f.flags & O.ACCMODE) === O.RDONLY ? fs.lower.fd(f.inode as Node) : fs.writeFd(f.inode as Node)
}
