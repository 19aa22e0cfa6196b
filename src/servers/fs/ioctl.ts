// ioctl(2): what every descriptor or file answers by itself; the rest goes to the file's own operation (terminals, devices).
import { E } from '../../abi/errno.ts'
import { isRegular, O } from '../../abi/fcntl.ts'
import { ioctl as knownIoctl } from '../../abi/ioctl.ts'
import { high, int, long, type Message, uint } from '../../abi/message.ts'
import type { CallVector } from '../../lib/server.ts'
import { FS } from '../../protocol/fs.ts'
import { sizeOf } from './extent.ts'
import { setAsync } from './async.ts'
import { getIo, installFile } from './filedes.ts'
import type { Fproc, OpenFile } from './inode.ts'
import { pipeOf } from './pipe.ts'
import { openPeer } from './special.ts'
import { callerOf, dropFile, type FsState, fprocOf } from './state.ts'

const FIONREAD = 0x541b
const FIONBIO = 0x5421
const TIOCGPTPEER = 0x5441
const FIONCLEX = 0x5450
const FIOCLEX = 0x5451
const FIOASYNC = 0x5452
const FIOQSIZE = 0x5460
const FICLONE = 0x40049409
const FICLONERANGE = 0x4020940d

function ioctl(state: FsState, m: Message, from: number): number {
  const fproc = fprocOf(state, from)
  const fd = int(m, 0)
  const file = fproc === undefined ? null : getIo(fproc, fd)
  if (fproc === undefined || file === null) return -E.BADF
  const cmd = uint(m, 1)
  const at = int(m, 3)
  const len = high(m, 3)
  switch (cmd) {
    case FIOCLEX:
    case FIONCLEX:
      fproc.table.cloexec[fd] = cmd === FIOCLEX
      return 0
    case FIONBIO:
    case FIOASYNC:
      if (len < 4) return -E.FAULT
      if (cmd === FIONBIO) setFlag(file, O.NONBLOCK, state.sys.view.getInt32(at, true) !== 0)
      else setAsync(state, file, fd, state.sys.view.getInt32(at, true) !== 0)
      return 0
    case FIONREAD:
      if (pipeOf(file) === null && !isRegular(file.inode.mode)) break
      if (len < 4) return -E.FAULT
      state.sys.view.setInt32(at, available(file), true)
      return 0
    case FIOQSIZE:
      if (!isRegular(file.inode.mode)) return -E.NOTTY
      if (len < 8) return -E.FAULT
      state.sys.view.setUint32(at, sizeOf(file) % 2 ** 32, true)
      state.sys.view.setUint32(at + 4, Math.floor(sizeOf(file) / 2 ** 32), true)
      return 0
    case FICLONE:
    case FICLONERANGE:
      return isRegular(file.inode.mode) ? -E.OPNOTSUPP : -E.INVAL
    case TIOCGPTPEER:
      if (file.ops.ioctl !== undefined) return peer(state, fproc, file, int(m, 2), from)
  }
  if (file.ops.ioctl === undefined) return -E.NOTTY
  const command = knownIoctl(cmd)
  if (command !== undefined && command.size > 0 && len === 0) return -E.FAULT
  return file.ops.ioctl(file, cmd, long(m, 2), at, len, callerOf(state, from, false, 0, 0))
}

function setFlag(file: OpenFile, flag: number, on: boolean): void {
  file.flags = on ? file.flags | flag : file.flags & ~flag
}
function available(file: OpenFile): number {
  const pipe = pipeOf(file)
  return pipe !== null ? pipe.buffer.used : Math.min(Math.max(0, sizeOf(file) - file.pos), 0x7fffffff)
}
function peer(state: FsState, fproc: Fproc, master: OpenFile, flags: number, from: number): number {
  const file = openPeer(state, master, flags, from)
  if (typeof file === 'number') return file
  const fd = installFile(fproc, file, (flags & O.CLOEXEC) !== 0)
  if (fd < 0) dropFile(state, file)
  return fd
}

export function ioctlCalls(state: FsState): CallVector {
  return { [FS.IOCTL]: (m, from) => ioctl(state, m, from) }
}
