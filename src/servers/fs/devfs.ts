// /dev: a memfs filled with the machine's devices and the usual links, so that guests may add to it as they may to a devtmpfs.
import { E } from '../../abi/errno.ts'
import { makedev, S } from '../../abi/fcntl.ts'
import { MAJOR } from '../../protocol/cdev.ts'
import type { FsType, Inode } from './inode.ts'
import { MEM, MEM_MAJOR } from './memdev.ts'
import { createMemfs } from './memfs.ts'
import { type FsState, holdInode } from './state.ts'

const TTY_GROUP = 5
const DEVPTS_MAGIC = 0x1cd1

/** name → [mode, gid, major, minor] */
const NODES = {
  null: [0o666, 0, MEM_MAJOR, MEM.NULL],
  zero: [0o666, 0, MEM_MAJOR, MEM.ZERO],
  full: [0o666, 0, MEM_MAJOR, MEM.FULL],
  random: [0o666, 0, MEM_MAJOR, MEM.RANDOM],
  urandom: [0o666, 0, MEM_MAJOR, MEM.URANDOM],
  tty: [0o666, 5, MAJOR.TTYAUX, 0],
  console: [0o600, 0, MAJOR.TTYAUX, 1],
  ptmx: [0o666, 5, MAJOR.TTYAUX, 2],
  tty0: [0o666, 5, MAJOR.TTY, 0],
} as const
const LINKS = {
  fd: '/proc/self/fd',
  stdin: '/proc/self/fd/0',
  stdout: '/proc/self/fd/1',
  stderr: '/proc/self/fd/2',
  core: '/proc/kcore',
} as const
/** Names of ptys (special.ts), and mount points. */
const DIRECTORIES = { pts: 0o755, shm: 0o1777, mqueue: 0o1777 } as const

/** /dev of a machine: first processes get their descriptors from it. */
export function createDevfs(state: FsState, dev: number): FsType {
  const now = (): number => state.sys.realtime()
  const fs = createMemfs({ store: state.store, dev, now, mode: 0o755, name: 'devtmpfs' })
  populateDev(fs)
  state.dev = fs
  for (const name of ['null', 'tty0']) {
    const node = fs.lookup(fs.root, name)
    if (typeof node !== 'number' && !state.stdio.has(name)) state.stdio.set(name, holdInode(node))
  }
  return fs
}
/** Fill an empty file system's root. */
export function populateDev(fs: FsType): void {
  for (const [name, [mode, gid, major, minor]] of Object.entries(NODES)) {
    fs.create(fs.root, name, S.IFCHR | mode, 0, gid, makedev(major, minor))
  }
  for (const [name, target] of Object.entries(LINKS)) fs.symlink(fs.root, name, target, 0, 0)
  for (const [name, mode] of Object.entries(DIRECTORIES)) fs.mkdir(fs.root, name, S.IFDIR | mode, 0, 0)
}
/** A node of /dev, or -ENXIO when there is none. */
export function deviceNode(state: FsState, name: string): Inode | number {
  const { dev } = state
  return dev === null ? -E.NXIO : dev.lookup(dev.root, name)
}
/** /dev/pts: the names of ptys. */
export function createDevpts(state: FsState, dev: number): FsType {
  const now = (): number => state.sys.realtime()
  const fs = createMemfs({ store: state.store, dev, now, mode: 0o755, name: 'devpts', magic: DEVPTS_MAGIC })
  fs.create(fs.root, 'ptmx', S.IFCHR | 0o666, 0, TTY_GROUP, makedev(MAJOR.TTYAUX, 2))
  state.pts = fs
  return fs
}
/** The directory ptys are named in. */
export function ptyDirectory(state: FsState): Inode | null {
  return state.pts?.root ?? null
}
/** /dev/pts/`name` for a new pty: 0 or -errno. */
export function addSlave(state: FsState, name: string, rdev: number, uid: number): number {
  const dir = ptyDirectory(state)
  if (dir === null) return -E.NXIO
  dir.fs.unlink(dir, name)
  const made = dir.fs.create(dir, name, S.IFCHR | 0o620, uid, TTY_GROUP, rdev)
  return typeof made === 'number' ? made : 0
}
export function removeSlave(state: FsState, name: string): void {
  const dir = ptyDirectory(state)
  dir?.fs.unlink(dir, name)
}
