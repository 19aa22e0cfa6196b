// Extended attributes of overlay and memfs nodes (xattr(7)): those of the host's file that begin with user. are seen through until the
// first change, then the node has its own. Which names a caller may use is the handlers' business.
import { E } from '../../abi/errno.ts'
import { XATTR } from '../../abi/fcntl.ts'
import type { Lower } from './lower.ts'
import type { Node, NodeRecord } from './node.ts'
import type { Overlay } from './overlay.ts'

/** Are the attributes still the lower file's? */
function below(fs: Overlay, node: Node): boolean {
  return fs.lower !== null && node.hostIno !== 0 && (node.record === null || node.record.xattrs === null)
}
function readLower(lower: Lower, node: Node, name: string): Uint8Array | number {
  const fd = lower.tree.fd(node.originDir ?? lower.tree.root)
  if (fd < 0) return fd
  const value = lower.host.getxattr(fd, node.originName, name)
  return value === -E.OPNOTSUPP ? -E.NODATA : value
}
function listLower(lower: Lower, node: Node): string[] {
  const fd = lower.tree.fd(node.originDir ?? lower.tree.root)
  const names = fd < 0 ? fd : lower.host.listxattr(fd, node.originName)
  return typeof names === 'number' ? [] : names.filter(name => name.startsWith('user.'))
}

export function getNodeXattr(fs: Overlay, node: Node, name: string): Uint8Array | number {
  if (below(fs, node)) return name.startsWith('user.') ? readLower(fs.lower as Lower, node, name) : -E.NODATA
  return node.record?.xattrs?.get(name) ?? -E.NODATA
}
export function listNodeXattrs(fs: Overlay, node: Node): string[] {
  if (below(fs, node)) return listLower(fs.lower as Lower, node)
  return [...(node.record?.xattrs?.keys() ?? [])]
}
/** The node's own attributes, taken over from the lower file the first time. */
function ownXattrs(fs: Overlay, node: Node): Map<string, Uint8Array> {
  const record = node.record as NodeRecord
  if (record.xattrs === null) {
    const own = new Map<string, Uint8Array>()
    if (below(fs, node)) {
      for (const name of listLower(fs.lower as Lower, node)) {
        const value = readLower(fs.lower as Lower, node, name)
        if (typeof value !== 'number') own.set(name, value)
      }
    }
    record.xattrs = own
  }
  return record.xattrs
}
export function setNodeXattr(fs: Overlay, node: Node, name: string, value: Uint8Array, flags: number): number {
  const present = typeof getNodeXattr(fs, node, name) !== 'number'
  if (present && (flags & XATTR.CREATE) !== 0) return -E.EXIST
  if (!present && (flags & XATTR.REPLACE) !== 0) return -E.NODATA
  const r = fs.changed(node)
  if (r < 0) return r
  ownXattrs(fs, node).set(name, value)
  return 0
}
export function removeNodeXattr(fs: Overlay, node: Node, name: string): number {
  const value = getNodeXattr(fs, node, name)
  if (typeof value === 'number') return value
  const r = fs.changed(node)
  if (r < 0) return r
  ownXattrs(fs, node).delete(name)
  return 0
}
