// What a directory of the overlay contains: the lower directory's names less those gone, then the workspace's own.
// Cookies: 0 is '.', 1 is '..', 2 + i entry i of the lower listing, OWN + c the first own entry with cookie ≥ c.
import { E } from '../../abi/errno.ts'
import { S } from '../../abi/fcntl.ts'
import type { HostListing } from './hostfiles.ts'
import type { Node } from './node.ts'
import type { Overlay } from './overlay.ts'

const OWN = 2 ** 32
export type Emit = (name: string, ino: number, dtype: number, next: number) => boolean

/** DT_* of a mode. */
export function direntType(mode: number): number {
  return (mode & S.IFMT) >> 12
}
export function namesOf(listing: HostListing): Set<string> {
  listing.set ??= new Set(listing.names)
  return listing.set
}

function lowerListing(fs: Overlay, dir: Node, afresh: boolean): HostListing | null | number {
  return fs.lower === null || dir.lower === null ? null : fs.lower.list(dir.lower, afresh)
}

export function readMerged(fs: Overlay, dir: Node, from: number, emit: Emit): number {
  if (dir.gone) return 0
  if (from < 1 && !emit('.', dir.ino, 4, 1)) return 0
  if (from < 2 && !emit('..', (dir.parent ?? dir).ino, 4, 2)) return 0
  const listing = lowerListing(fs, dir, from < 2)
  if (typeof listing === 'number') return listing
  if (listing !== null && from < OWN && !emitLower(fs, dir, listing, Math.max(0, from - 2), emit)) return 0
  if ((dir.entries as Map<string, unknown>).size === 0) return 0
  return emitOwn(dir, listing, from < OWN ? 0 : from - OWN, emit)
}
function emitLower(fs: Overlay, dir: Node, listing: HostListing, from: number, emit: Emit): boolean {
  const { names, inos, types } = listing
  const entries = dir.entries as NonNullable<Node['entries']>
  const tree = (fs.lower as NonNullable<Overlay['lower']>).tree
  for (let i = from; i < names.length; i++) {
    const name = names[i] as string
    const entry = dir.pinned ? entries.get(name) : undefined
    let ino = 0
    let type = types[i] as number
    if (entry === undefined || (entry.node !== null && entry.node.record === null))
      ino = tree.inode(dir.hostDev, inos[i] as number)
    else if (entry.node === null) continue
    else {
      ino = entry.node.ino
      type = direntType(entry.node.mode)
    }
    if (!emit(name, ino, type, i + 3)) return false
  }
  return true
}
/** Own entries in the order they were made; those the lower directory has too have been shown with it. */
function emitOwn(dir: Node, listing: HostListing | null, from: number, emit: Emit): number {
  for (const [name, entry] of dir.entries as NonNullable<Node['entries']>) {
    const node = entry.node
    if (node === null || node.record === null || entry.cookie < from) continue
    if (listing !== null && namesOf(listing).has(name)) continue
    if (!emit(name, node.ino, direntType(node.mode), OWN + entry.cookie + 1)) return 0
  }
  return 0
}

/** 0, or -ENOTEMPTY. */
export function mergedEmpty(fs: Overlay, dir: Node): number {
  const entries = dir.entries as NonNullable<Node['entries']>
  for (const entry of entries.values()) if (entry.node !== null && entry.node.record !== null) return -E.NOTEMPTY
  const listing = lowerListing(fs, dir, true)
  if (listing === null) return 0
  if (typeof listing === 'number') return listing === -E.NOENT ? 0 : listing
  for (const name of listing.names) {
    const entry = entries.get(name)
    if (entry === undefined || entry.node !== null) return -E.NOTEMPTY
  }
  return 0
}
