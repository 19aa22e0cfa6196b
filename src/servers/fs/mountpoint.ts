// The mount table as the walk sees it.
import type { Inode } from './inode.ts'
import type { FsState, Mount } from './state.ts'

/** A mount that shows not a whole file system but a directory of one (mount --bind): told apart by the path it was reached by. */
export function isSubtree(mount: Mount): boolean {
  return mount.root !== mount.fs.root
}
/** Must walks know the path they have come by? */
export function trackPaths(state: FsState): boolean {
  for (const mount of state.mounts) if (isSubtree(mount)) return true
  return false
}
/** The mount `inode` is the root of, seen at `path`; null when it is an ordinary directory there. */
export function mountOfRoot(state: FsState, inode: Inode, path: string): Mount | null {
  let found: Mount | null = null
  for (const mount of state.mounts) {
    if (mount.root !== inode || (isSubtree(mount) && mount.path !== path)) continue
    if (found === null || mount.path === path) found = mount
  }
  return found
}
/** The mount an inode is seen through: the innermost of its file system around `path`, or the first of it. */
export function mountOf(state: FsState, inode: Inode, path: string): Mount | null {
  let best: Mount | null = null
  for (const mount of state.mounts) {
    if (mount.fs !== inode.fs) continue
    if (best === null || (isWithin(mount.path, path) && mount.path.length >= best.path.length)) best = mount
  }
  return best
}
export function isWithin(top: string, path: string): boolean {
  return top === '/' || path === top || path.startsWith(`${top}/`)
}
