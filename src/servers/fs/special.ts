// Opening what no file system serves itself: FIFOs and character devices, by their inode. The namespace half has looked the name up and
// checked permissions. Also pseudo-terminals' names: opening /dev/ptmx makes /dev/pts/N, which goes with its master.
import { E } from '../../abi/errno.ts'
import { major, makedev, minor, O, S } from '../../abi/fcntl.ts'
import { MAJOR } from '../../protocol/cdev.ts'
import { anonInode } from './anon.ts'
import { nameMaster, openDevice } from './cdev.ts'
import { addSlave, ptyDirectory } from './devfs.ts'
import type { Fproc, Inode, OpenFile } from './inode.ts'
import { MEM_MAJOR, memoryDevice } from './memdev.ts'
import { openFifo } from './pipe.ts'
import { callerOf, dropFile, type FsState, newFile } from './state.ts'

const OPEN_ONLY = O.CREAT | O.EXCL | O.TRUNC | O.NOCTTY | O.CLOEXEC
const PTMX = 2
const TIOCGPTN = 0x80045430

/** → the open file with one reference, -errno, or SUSPEND: a FIFO open that waits; it installs its descriptor and answers by itself. */
export function openSpecial(
  state: FsState,
  inode: Inode,
  flags: number,
  path: string,
  fproc: Fproc,
  endpoint: number,
): OpenFile | number {
  const type = inode.mode & S.IFMT
  // a stream of the host shows itself as a pipe: see openStream
  if (type === S.IFIFO && inode.rdev === 0) return openFifo(state, inode, flags, path, endpoint)
  if (type !== S.IFCHR && type !== S.IFIFO) return -E.NXIO
  const number = major(inode.rdev)
  if (number === MEM_MAJOR) return openMemory(state, inode, flags, path)
  const file = openDevice(state, inode, inode.rdev, flags | O.LARGEFILE, path, endpoint)
  if (typeof file !== 'number' && number === MAJOR.TTYAUX && minor(inode.rdev) === PTMX)
    return nameSlave(state, file, fproc)
  return file
}

function openMemory(state: FsState, inode: Inode, flags: number, path: string): OpenFile | number {
  const ops = memoryDevice(state, minor(inode.rdev))
  if (ops === undefined) return -E.NXIO
  if (state.openFiles >= state.maxFiles) return -E.NFILE
  return newFile(state, inode, (flags & ~OPEN_ONLY) | O.LARGEFILE, path, ops, 0, null)
}

/** Stream n of the machine's job: looks like a pipe to the guest. access: O_RDONLY or O_WRONLY, as the ends of a pipe are. */
export function openStream(state: FsState, n: number, endpoint: number, access: number): OpenFile | number {
  const inode = anonInode(state, S.IFIFO | 0o666, 0, 0, makedev(MAJOR.STREAM, n))
  return openDevice(state, inode, inode.rdev, access, `pipe:[${inode.ino}]`, endpoint)
}

// -- pseudo-terminals --

/** Number of the pty whose master this is, or -errno. */
export function ptyNumber(state: FsState, master: OpenFile, endpoint: number): number {
  const at = state.sys.buffer
  const r = master.ops.ioctl?.(master, TIOCGPTN, 0, at, 4, callerOf(state, endpoint, true, 0, 0)) ?? -E.NOTTY
  return r < 0 ? r : state.sys.view.getUint32(at, true)
}
/** A new master: its slave's name appears, and goes with it. */
function nameSlave(state: FsState, master: OpenFile, fproc: Fproc): OpenFile | number {
  const n = ptyNumber(state, master, fproc.endpoint)
  const made = n < 0 ? n : addSlave(state, String(n), makedev(MAJOR.PTS, n), fproc.cred.fsuid)
  if (made < 0) {
    dropFile(state, master)
    return made
  }
  nameMaster(master, String(n))
  return master
}
/** TIOCGPTPEER: open the other end whatever its name. */
export function openPeer(state: FsState, master: OpenFile, flags: number, endpoint: number): OpenFile | number {
  const n = ptyNumber(state, master, endpoint)
  if (n < 0) return -E.IO
  const dir = ptyDirectory(state)
  const inode = dir === null ? -E.NXIO : dir.fs.lookup(dir, String(n))
  return typeof inode === 'number' ? inode : openDevice(state, inode, inode.rdev, flags, `/dev/pts/${n}`, endpoint)
}
