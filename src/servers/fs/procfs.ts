// /proc: what the machine knows about itself and its processes. Nothing of the host shows but what Facts holds.
// The tables: proc-root.ts (the machine), proc-pid.ts (processes); how tables become inodes: treefs.ts.
import { E } from '../../abi/errno.ts'
import type { FsType } from './inode.ts'
import { processDirectory } from './proc-pid.ts'
import { findProcess, type Found, isAlive, MACHINE, pids, selfPid, selfThread } from './proc-process.ts'
import { rootTree } from './proc-root.ts'
import type { FsState } from './state.ts'
import { type Tree, type TreeDir, type TreeEntry, type TreeFile, TreeFs, type TreeLink } from './treefs.ts'

export type ProcFile = TreeFile<Found>
export type ProcTable = Tree<Found>

const PROC_SUPER_MAGIC = 0x9fa0
/** More than pids there are: an inode number holds both, process and descriptor. */
const PIDS = 2 ** 22

export function createProcfs(state: FsState, dev: number): FsType {
  const self: TreeLink<Found> = { type: 'link', target: st => idText(selfPid(st)) }
  const threadSelf: TreeLink<Found> = {
    type: 'link',
    target(st) {
      const pid = idText(selfPid(st))
      return typeof pid === 'number' ? pid : `${pid}/task/${selfThread(st)}`
    },
  }
  const process = processDirectory(state)
  const root: TreeDir<Found> = {
    type: 'dir',
    mode: 0o555,
    entries: { ...rootTree(state), self, 'thread-self': threadSelf },
    numbers: pids,
    numbered(st, _about, n) {
      const found = findProcess(st, n)
      return found === undefined ? -E.NOENT : { entry: process, about: found }
    },
  }
  const id = (about: Found): number => (about === MACHINE ? 0 : ((about.fd + 1) * PIDS + about.pid) * 2 + (about.thread ? 1 : 0))
  const kind = { name: 'proc', magic: PROC_SUPER_MAGIC, fileSize: 0, strict: false, root, about: MACHINE, owner, alive: isAlive, id }
  return new TreeFs(state, kind, dev)
}
function idText(pid: number): string | number {
  return pid < 0 ? -E.NOENT : String(pid)
}
/** Who acts for the process; root where others may not look into it, save at the directories themselves. */
function owner(_state: FsState, about: Found, entry: TreeEntry<Found>): { uid: number; gid: number } {
  if (about === MACHINE) return { uid: 0, gid: 0 }
  const [, uid = 0] = about.uids
  const [, gid = 0] = about.gids
  return about.dumpable || (entry.type === 'dir' && entry.mode === 0o555) ? { uid, gid } : { uid: 0, gid: 0 }
}
