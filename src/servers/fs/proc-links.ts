// The magic links of /proc/PID, which lead to the object itself whatever its name: cwd, exe, root, fd/N, ns/*; and fdinfo/N, what there is
// to say about an open file.
import { E } from '../../abi/errno.ts'
import { O, S } from '../../abi/fcntl.ts'
import { anonInode } from './anon.ts'
import { getFile } from './filedes.ts'
import { emptyStat } from './hosttree.ts'
import type { Inode, OpenFile } from './inode.ts'
import { guarded } from './proc-memory.ts'
import { callerMayTrace, type Found, rowOf, selfPid } from './proc-process.ts'
import type { FsState } from './state.ts'
import type { Tree, TreeDir, TreeEntry, TreeLink } from './treefs.ts'

type Place = { inode: Inode; path: string }

/** For who may trace the process: EACCES for others. */
function magic(pick: (state: FsState, about: Found) => Place | null, shown: (place: Place) => string = place => place.path): TreeLink<Found> {
  const look = (state: FsState, about: Found): Place | number =>
    callerMayTrace(state, about) ? (pick(state, about) ?? -E.NOENT) : -E.ACCES
  return {
    type: 'link',
    target(state, about) {
      const place = look(state, about)
      return typeof place === 'number' ? place : shown(place)
    },
    follow: look,
  }
}
const cwd = magic((state, about) => {
  const context = rowOf(state, about)?.context
  return context === undefined ? null : { inode: context.cwd, path: context.cwdPath }
}, named)
const root = magic((state, about) => {
  const context = rowOf(state, about)?.context
  return context === undefined ? null : { inode: context.root, path: context.rootPath }
})
const exe = magic((state, about) => {
  const row = rowOf(state, about)
  return row === undefined || row.exeInode === null ? null : { inode: row.exeInode, path: row.exe }
}, named)

const scratch = emptyStat()
/** Its name, marked when that is gone. */
function named({ inode, path }: Place): string {
  if (!path.startsWith('/') || path.endsWith(' (deleted)')) return path
  return inode.fs.getattr(inode, scratch) === 0 && scratch.nlink > 0 ? path : `${path} (deleted)`
}

// -- descriptors --

function openFileOf(state: FsState, about: Found): OpenFile | null {
  const row = rowOf(state, about)
  return row === undefined ? null : getFile(row, about.fd)
}
const fdLink: TreeLink<Found> = {
  ...magic(openFileOf, named),
  mode(state, about) {
    const flags = openFileOf(state, about)?.flags ?? O.PATH
    const access = flags & O.ACCMODE
    if ((flags & O.PATH) !== 0) return 0
    return (access === O.WRONLY ? 0 : 0o500) | (access === O.RDONLY ? 0 : 0o300)
  },
}
const fdInfo = guarded((state, about) => {
  const open = openFileOf(state, about)
  const row = rowOf(state, about)
  if (open === null || row === undefined) return -E.NOENT
  const flags = open.flags | (row.table.cloexec[about.fd] ? O.CLOEXEC : 0)
  const mount = state.mounts.find(one => one.fs === open.inode.fs)
  const common = `pos:\t${Math.max(0, open.pos)}\nflags:\t0${flags.toString(8)}\nmnt_id:\t${mount?.id ?? NO_MOUNT}\nino:\t${open.inode.ino}\n`
  return common + (open.ops.info?.(open) ?? '')
}, 0o444)
/** mnt_id of what is nowhere mounted: pipes, sockets, anonymous inodes. */
const NO_MOUNT = 15

/** An entry per open descriptor. */
function descriptors(mode: number, entry: TreeEntry<Found>, access: TreeDir<Found>['access']): TreeDir<Found> {
  return {
    type: 'dir',
    mode,
    access,
    entries: {},
    numbers(state, about) {
      const files = rowOf(state, about)?.table.files ?? []
      return files.flatMap((file, fd) => (file === null ? [] : [fd]))
    },
    numbered(state, about, n) {
      const of = { ...about, fd: n }
      return openFileOf(state, of) === null ? -E.NOENT : { entry, about: of }
    },
  }
}
/** A process's own are for itself whatever it has become (proc_fd_permission). */
const fd = descriptors(0o500, fdLink, (state, about) => (selfPid(state) === about.group ? 0o555 : undefined))
const fdinfo = descriptors(0o555, fdInfo, (state, about) => (callerMayTrace(state, about) ? undefined : 0))

// -- namespaces: there is one of each, with the numbers of Linux's first --

const NAMESPACES = {
  cgroup: 4026531835, ipc: 4026531839, mnt: 4026531841, net: 4026531840, pid: 4026531836, pid_for_children: 4026531836, time: 4026531834,
  time_for_children: 4026531834, user: 4026531837, uts: 4026531838,
} as const
const ns: TreeDir<Found> = {
  type: 'dir',
  mode: 0o511,
  entries: Object.fromEntries(
    Object.entries(NAMESPACES).map(([name, n]) => {
      const path = `${name.replace('_for_children', '')}:[${n}]`
      const pick = (state: FsState, about: Found): Place | null => {
        if (rowOf(state, about) === undefined) return null
        return { inode: { ...anonInode(state, S.IFREG | 0o444, 0, 0, 0), ino: n }, path }
      }
      return [name, magic(pick)]
    }),
  ),
}

export const linkTree: Tree<Found> = { cwd, exe, fd, fdinfo, ns, root }
