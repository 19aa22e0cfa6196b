// What a workspace has changed: the overlay's own entries against the base.
import { isDirectory } from '../../abi/fcntl.ts'
import { readMerged } from './listing.ts'
import type { Node } from './node.ts'
import { Overlay } from './overlay.ts'
import type { FsState } from './state.ts'

/** One change of the workspace. A added, M modified, D deleted (also the lower object behind an added one of the same name). */
export interface Change {
  kind: 'A' | 'M' | 'D'
  path: string
  node: Node | null
}

/** All changes of a machine's tree against its base, parents before children. What is in other mounts is none. */
export function* workspaceChanges(state: FsState): Generator<Change> {
  const fs = state.mounts[0]?.fs
  if (fs instanceof Overlay) yield* changesBelow(fs, fs.root, '')
}
function* changesBelow(fs: Overlay, dir: Node, path: string): Generator<Change> {
  for (const [name, { node }] of dir.entries ?? []) {
    const at = `${path}/${name}`
    if (node === null) yield { kind: 'D', path: at, node: null }
    else if (!node.pinned) continue
    else if (inPlace(fs, dir, name, node)) {
      if (node.record !== null) yield { kind: 'M', path: at, node }
      if (node.entries !== null) yield* changesBelow(fs, node, at)
    } else {
      if (dir.lower !== null && fs.lower !== null && fs.lower.look(dir, name) === 0)
        yield { kind: 'D', path: at, node: null }
      if (!node.implied) yield { kind: 'A', path: at, node }
      if (node.entries !== null) yield* addedBelow(fs, node, at)
    }
  }
}
/** Is the node the copied-up form of what the base has under this very name? */
function inPlace(fs: Overlay, dir: Node, name: string, node: Node): boolean {
  if (node.hostIno === 0 || fs.lower === null || fs.lower.look(dir, name) < 0) return false
  return fs.lower.seen.ino === node.hostIno && fs.lower.seen.dev === node.hostDev
}
/** Everything in an added directory is added, what it brought along from its old place too. */
function* addedBelow(fs: Overlay, dir: Node, path: string): Generator<Change> {
  const names: string[] = []
  readMerged(fs, dir, 2, name => names.push(name) > 0)
  for (const name of names) {
    const node = fs.lookup(dir, name)
    if (typeof node === 'number') continue
    if (!node.implied) yield { kind: 'A', path: `${path}/${name}`, node }
    if (isDirectory(node.mode)) yield* addedBelow(fs, node, `${path}/${name}`)
  }
}
