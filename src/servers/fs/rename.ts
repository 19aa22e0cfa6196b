// Names of the overlay coming and going: link, unlink, rmdir, rename. A name the base has too leaves a whiteout.
// Everything that can fail is done before anything is moved.
import { E } from '../../abi/errno.ts'
import { isDirectory, RENAME } from '../../abi/fcntl.ts'
import { mergedEmpty } from './listing.ts'
import type { Lower } from './lower.ts'
import { type Node, own, pin, setEntry, touchChange } from './node.ts'
import type { Overlay } from './overlay.ts'

const LINK_MAX = 65000

/** File systems that don't count links of directories show 1 for all (btrfs): leave that. */
export function countSubdirectory(dir: Node, by: number): void {
  const record = own(dir)
  if (record.nlink >= 2) record.nlink += by
}

export function addLink(fs: Overlay, dir: Node, name: string, node: Node): number {
  if (dir.gone) return -E.NOENT
  let r = fs.copyUp(node)
  if (r < 0) return r
  const record = own(node)
  if (record.nlink === 0 && node.name !== '') return -E.NOENT // unlinked; only O_TMPFILE's have never had a name
  if (record.nlink >= LINK_MAX) return -E.MLINK
  r = fs.modify(dir)
  if (r < 0) return r
  if (record.nlink++ === 0) {
    node.parent = dir
    node.name = name
  }
  touchChange(record, fs.now())
  setEntry(dir, name, node)
  pin(dir)
  return 0
}

export function unlinkName(fs: Overlay, dir: Node, name: string): number {
  const node = fs.lookup(dir, name)
  if (typeof node === 'number') return node
  const r = fs.modify(dir)
  return r < 0 ? r : removeName(fs, dir, name, node)
}
export function removeDirectory(fs: Overlay, dir: Node, name: string): number {
  const node = fs.lookup(dir, name)
  if (typeof node === 'number') return node
  const empty = mergedEmpty(fs, node)
  if (empty < 0) return empty
  const r = fs.modify(dir)
  return r < 0 ? r : removeName(fs, dir, name, node)
}

/** The entry goes, and the node with it when that was its last name. `dir` has been modified. */
function removeName(fs: Overlay, dir: Node, name: string, node: Node): number {
  const directory = isDirectory(node.mode)
  // A lower file somebody still sees, by an open file or another name, must show its new link count.
  if (node.record === null && (node.refs > 0 || (!directory && linkedBelow(fs, dir, name, node)))) {
    const r = fs.copyUp(node)
    if (r < 0) return r
  }
  uncover(fs, dir, name)
  if (directory) countSubdirectory(dir, -1)
  unlinked(fs, node, directory)
  return 0
}
function linkedBelow(fs: Overlay, dir: Node, name: string, node: Node): boolean {
  const { seen } = fs.lower as Lower
  return (fs.lower as Lower).look(dir, name) < 0 || seen.ino !== node.hostIno || seen.nlink > 1
}
/** No entry: or a whiteout, where the lower directory has the name. */
function uncover(fs: Overlay, dir: Node, name: string): void {
  if (fs.lower !== null && dir.lower !== null && fs.lower.look(dir, name) !== -E.NOENT) setEntry(dir, name, null)
  else dir.entries?.delete(name)
}
function unlinked(fs: Overlay, node: Node, directory: boolean): void {
  const { record } = node
  if (record !== null) {
    record.nlink = directory ? 0 : record.nlink - 1
    touchChange(record, fs.now())
    if (record.nlink > 0) return
  }
  if (directory || record === null) {
    node.gone = true
    if (node.lower !== null) fs.lower?.tree.forget(node.lower)
    node.lower = null
  }
  if (node.refs === 0) fs.forget(node)
}

/** flags: RENAME. */
export function renameName(
  fs: Overlay,
  oldDir: Node,
  oldName: string,
  newDir: Node,
  newName: string,
  flags: number,
): number {
  const node = fs.lookup(oldDir, oldName)
  if (typeof node === 'number') return node
  const other = fs.lookup(newDir, newName)
  if (typeof other === 'number' && other !== -E.NOENT) return other
  const target = typeof other === 'number' ? null : other
  if (newDir.gone) return -E.NOENT
  if (target !== null && (flags & RENAME.NOREPLACE) !== 0) return -E.EXIST
  if (target === node) return 0
  if ((flags & RENAME.EXCHANGE) !== 0) {
    return target === null ? -E.NOENT : exchange(fs, oldDir, oldName, node, newDir, newName, target)
  }
  if (target !== null && isDirectory(target.mode)) {
    const empty = mergedEmpty(fs, target)
    if (empty < 0) return empty
  }
  let r = prepare(fs, oldDir, newDir, node)
  if (r === 0 && target !== null) r = removeName(fs, newDir, newName, target)
  if (r < 0) return r
  uncover(fs, oldDir, oldName)
  place(node, oldDir, newDir, newName)
  return 0
}
function exchange(
  fs: Overlay,
  oldDir: Node,
  oldName: string,
  node: Node,
  newDir: Node,
  newName: string,
  target: Node,
): number {
  let r = prepare(fs, oldDir, newDir, node)
  if (r === 0) r = fs.changed(target)
  if (r < 0) return r
  place(node, oldDir, newDir, newName)
  place(target, newDir, oldDir, oldName)
  return 0
}
function prepare(fs: Overlay, oldDir: Node, newDir: Node, node: Node): number {
  let r = fs.changed(node)
  if (r === 0) r = fs.modify(oldDir)
  if (r === 0) r = fs.modify(newDir)
  return r
}
function place(node: Node, from: Node, to: Node, name: string): void {
  setEntry(to, name, node)
  node.parent = to
  node.name = name
  pin(to)
  if (from !== to && isDirectory(node.mode)) {
    countSubdirectory(from, -1)
    countSubdirectory(to, 1)
  }
}
