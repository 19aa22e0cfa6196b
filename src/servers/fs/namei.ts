// Path walk (path_resolution(7)): one component at a time, permissions checked on the way, links counted, mounts crossed.
// The result is left in a Walk, which handlers keep and reuse: nothing is allocated on the common path.
// What Linux calls LOOKUP_PARENT and filename_create is WALK.MISSING here: the last name may be absent, the caller judges.
import { E } from '../../abi/errno.ts'
import { AT, isDirectory, isSymlink, MAY, NAME_MAX, RESOLVE, SYMLINKS_MAX } from '../../abi/fcntl.ts'
import { getFile } from './filedes.ts'
import type { Credentials, Fproc, Inode } from './inode.ts'
import { mountOfRoot, trackPaths } from './mountpoint.ts'
import { joinPath, type Path, parentPath, parsePath } from './path.ts'
import { mayFollow, permission } from './permission.ts'
import type { FsState } from './state.ts'

export const WALK = {
  FOLLOW: 1, // a link as the last component is followed (always, if the path ends in '/')
  EMPTY: 2, // AT_EMPTY_PATH: '' is the descriptor itself
  MISSING: 4, // the last component need not exist: inode null
  DIRECTORY: 8, // the result must be a directory
  NAMED: 16, // `path` is wanted
  CREATE: 32, // for O_CREAT: a slash after the last component is refused before it is looked up
} as const
/** What the last component was. */
export const LAST = { NORM: 0, DOT: 1, DOTDOT: 2, ROOT: 3 } as const

export class Walk {
  inode: Inode | null = null
  /** Directory of the last component (NORM only), and its name there. */
  parent: Inode | null = null
  name = ''
  kind: number = LAST.NORM
  /** The last component must be a directory: a slash follows it. */
  slash = false
  /** inode comes from a lookup made just now: its attributes are at hand. */
  fresh = false
  /** Something is mounted on the last component. */
  mounted = false
  /** Absolute in the machine, when NAMED was asked. */
  path = ''
}

/** openat2: the starting point takes the place of the root. */
const SCOPED = RESOLVE.BENEATH | RESOLVE.IN_ROOT
/** Links whose texts are being walked: what is left of each path around. Kept, so that a walk allocates none. */
interface Rest {
  parts: readonly string[]
  next: number
}
const around: Rest[] = []
for (let i = 0; i <= SYMLINKS_MAX; i++) around.push({ parts: [], next: 0 })
const linkTexts = new Map<string, Path>()
function linkPath(text: string): Path {
  let path = linkTexts.get(text)
  if (path === undefined) {
    if (linkTexts.size > 4096) linkTexts.clear()
    path = parsePath(text)
    linkTexts.set(text, path)
  }
  return path
}

/** Where a walk begins, left in w.inode and w.path. */
function start(fproc: Fproc, w: Walk, dirfd: number, path: Path, flags: number, resolve: number): number {
  const { context } = fproc
  w.inode = context.root
  w.path = context.rootPath
  if (path.absolute && (resolve & SCOPED) === 0) return 0
  if (path.text.length === 0 && (flags & WALK.EMPTY) === 0) return -E.NOENT
  if (path.absolute && (resolve & RESOLVE.BENEATH) !== 0) return -E.XDEV
  if (dirfd === AT.FDCWD) {
    w.inode = context.cwd
    w.path = context.cwdPath
    return 0
  }
  const file = getFile(fproc, dirfd)
  if (file === null) return -E.BADF
  w.inode = file.inode
  w.path = file.path
  return path.text.length > 0 && !isDirectory(file.inode.mode) ? -E.NOTDIR : 0
}

/** Walk `path` from `dirfd` for `fproc` with the permissions of `cred`. 0 or -errno. resolve: openat2's RESOLVE_*
 *  One loop, because a link replaces what is being looped over; what a component needs besides is in functions of its own. */
export function walk(
  state: FsState,
  fproc: Fproc,
  w: Walk,
  dirfd: number,
  path: Path,
  flags: number,
  cred: Credentials = fproc.cred,
  resolve = 0,
): number {
  w.fresh = false
  w.mounted = false
  w.slash = path.slash
  w.parent = null
  const started = start(fproc, w, dirfd, path, flags, resolve)
  if (started < 0) return started
  let cur = w.inode as Inode
  let named = w.path
  if (path.parts.length === 0) return finish(w, cur, LAST.ROOT, named, flags)
  const scoped = (resolve & SCOPED) !== 0
  const root = scoped ? cur : fproc.context.root
  const rootNamed = scoped ? named : fproc.context.rootPath
  // Linux compares mounts with the root's, once it knows that: it looks it up for an absolute path and the first '..'
  let rooted = scoped || path.absolute
  const track = (flags & WALK.NAMED) !== 0 || trackPaths(state)
  let parts = path.parts
  let next = 0
  let depth = 0
  let links = 0
  for (;;) {
    if (next === parts.length) {
      const frame = around[--depth] as Rest
      parts = frame.parts
      next = frame.next
    }
    const name = parts[next++] as string
    const last = depth === 0 && next === parts.length
    if (!isDirectory(cur.mode)) return -E.NOTDIR
    if (permission(cur, MAY.EXEC, cred) !== 0) return -E.ACCES
    if (name === '.') {
      if (last) return finish(w, cur, LAST.DOT, named, flags)
      continue
    }
    if (name === '..') {
      rooted = true
      const up = above(state, cur, root, named, resolve)
      if (typeof up === 'number') return up
      if (track && up !== cur) named = parentPath(named)
      cur = up
      if (last) return finish(w, cur, LAST.DOTDOT, named, flags)
      continue
    }
    if (last && w.slash && (flags & WALK.CREATE) !== 0) return -E.ISDIR
    if (name.length > NAME_MAX) return -E.NAMETOOLONG
    let child = cur.fs.lookup(cur, name, !last)
    if (typeof child === 'number') {
      return last && child === -E.NOENT && (flags & WALK.MISSING) !== 0 ? missing(w, cur, name, named) : child
    }
    w.fresh = true
    if (child.covered !== null && child.covered !== child) {
      if ((resolve & RESOLVE.NO_XDEV) !== 0) return -E.XDEV
      child = topmost(child)
      w.fresh = false
      if (last) w.mounted = true
    }
    if (isSymlink(child.mode) && (!last || (flags & WALK.FOLLOW) !== 0 || (w.slash && (flags & WALK.MISSING) === 0))) {
      if (++links > SYMLINKS_MAX || (resolve & RESOLVE.NO_SYMLINKS) !== 0) return -E.LOOP
      if (last && !mayFollow(cur, child, cred)) return -E.ACCES
      const jump = child.fs.follow === undefined ? null : follow(child, cur, resolve)
      if (typeof jump === 'number') return jump
      if (jump !== null) {
        w.fresh = false
        if (last) return found(w, cur, name, jump.inode, jump.path, flags)
        cur = jump.inode
        named = jump.path
        continue
      }
      const target = readLink(child, cur, rooted ? root : null, resolve)
      if (typeof target === 'number') return target
      if (next < parts.length) {
        const frame = around[depth++] as Rest
        frame.parts = parts
        frame.next = next
      } else if (last && target.slash) w.slash = true
      if (target.absolute) {
        cur = root
        named = rootNamed
        if (last && target.parts.length === 0) return finish(w, cur, LAST.ROOT, named, flags)
      }
      parts = target.parts
      next = 0
      continue
    }
    if (track) named = joinPath(named, name)
    if (last) return found(w, cur, name, child, named, flags)
    cur = child
  }
}

/** A magic link: where it leads, null when it is an ordinary one. */
function follow(link: Inode, cur: Inode, resolve: number): { inode: Inode; path: string } | number | null {
  const jump = link.fs.follow?.(link) ?? null
  if (jump === null || typeof jump === 'number') return jump
  if ((resolve & RESOLVE.NO_MAGICLINKS) !== 0) return -E.LOOP
  if ((resolve & SCOPED) !== 0) return -E.XDEV
  return (resolve & RESOLVE.NO_XDEV) !== 0 && jump.inode.fs !== cur.fs ? -E.XDEV : jump
}
function readLink(link: Inode, cur: Inode, root: Inode | null, resolve: number): Path | number {
  const text = link.fs.readlink(link)
  if (typeof text === 'number') return text
  if (text === '') return -E.NOENT
  const target = linkPath(text)
  if (!target.absolute) return target
  if ((resolve & RESOLVE.BENEATH) !== 0) return -E.XDEV
  return (resolve & RESOLVE.NO_XDEV) !== 0 && root?.fs !== cur.fs ? -E.XDEV : target
}

function missing(w: Walk, dir: Inode, name: string, dirNamed: string): number {
  w.inode = null
  w.parent = dir
  w.name = name
  w.kind = LAST.NORM
  w.path = joinPath(dirNamed, name)
  return 0
}
function found(w: Walk, dir: Inode, name: string, inode: Inode, named: string, flags: number): number {
  w.parent = dir
  w.name = name
  return finish(w, inode, LAST.NORM, named, flags)
}
function finish(w: Walk, inode: Inode, kind: number, named: string, flags: number): number {
  w.inode = inode
  w.kind = kind
  w.path = named
  if (kind !== LAST.NORM) w.fresh = false
  if ((w.slash || (flags & WALK.DIRECTORY) !== 0) && !isDirectory(inode.mode) && (flags & WALK.MISSING) === 0)
    return -E.NOTDIR
  return 0
}

/** What is seen where things are mounted. */
export function topmost(inode: Inode): Inode {
  let top = inode
  while (top.covered !== null && top.covered !== top) top = top.covered
  return top
}

/** The parent of directory `cur`, which is called `named`: not above `root`, across mounts. */
function above(state: FsState, cur: Inode, root: Inode, named: string, resolve: number): Inode | number {
  let dir = cur
  for (;;) {
    if (dir === root) return (resolve & RESOLVE.BENEATH) !== 0 ? -E.XDEV : dir
    const mount = mountOfRoot(state, dir, named)
    if (mount === null) break
    if (mount.on === null) return dir
    if ((resolve & RESOLVE.NO_XDEV) !== 0) return -E.XDEV
    dir = mount.on
  }
  const up = dir.fs.lookup(dir, '..')
  return typeof up === 'number' ? up : topmost(up)
}

/** Is `a` the directory `dir` or above it, in the same file system? */
export function isAncestor(a: Inode, dir: Inode): boolean {
  for (let d = dir; ; ) {
    if (d === a) return true
    const up = d.fs.lookup(d, '..')
    if (typeof up === 'number' || up === d) return false
    d = up
  }
}
