// File data moving from the base to the store, and changing size there.
import { E } from '../../abi/errno.ts'
import { SEEK } from '../../abi/fcntl.ts'
import type { HostFiles } from './hostfiles.ts'
import { emptyStat } from './hosttree.ts'
import type { Node, NodeRecord } from './node.ts'
import type { Overlay } from './overlay.ts'
import { SEAL } from './seals.ts'
import { type DataFile, newDataFile } from './smallfile.ts'
import type { Store } from './store.ts'

/** Copy the first `limit` bytes of the lower data at most; the node has a record. 0 or -errno, with nothing changed. */
export function copyUpData(fs: Overlay, node: Node, limit: number): number {
  const record = node.record as NodeRecord
  if (!record.lowerData) return 0
  const { store, lower } = fs
  if (lower === null) return -E.IO
  const host = store.host
  const from = lower.fd(node)
  if (from < 0) return from
  const st = emptyStat()
  const r = host.stat(from, '', st)
  if (r < 0) return r
  const size = Math.min(st.size, limit)
  if (store.room(size) < size) return -E.NOSPC
  if (size > 0) {
    const data = newDataFile()
    const small = store.take(data, from, size)
    const bytes = small === false ? copyToHost(store, data, from, size, size === st.size) : small
    if (bytes < 0) {
      store.remove(data)
      return bytes
    }
    store.charge(data, bytes)
    record.data = data
    record.holes = bytes < size
  }
  record.size = size
  record.lowerData = false
  lower.descriptors.drop(node.reading)
  return 0
}
function copyToHost(store: Store, data: DataFile, from: number, size: number, whole: boolean): number {
  const to = store.fd(data)
  return to < 0 ? to : copyData(store.host, from, to, size, whole)
}
/** → bytes that are not holes. */
function copyData(host: HostFiles, from: number, to: number, size: number, whole: boolean): number {
  if (whole && host.clone(to, from) === 0) return size
  let copied = 0
  let at = 0
  while (at < size) {
    let start = host.seek(from, at, SEEK.DATA)
    if (start === -E.NXIO) break // a hole up to the end
    if (start < 0) start = at
    if (start >= size) break
    let end = host.seek(from, start, SEEK.HOLE)
    if (end < 0 || end > size) end = size
    for (let done = start; done < end; ) {
      const n = host.copy(from, done, to, done, end - done)
      if (n < 0) return n
      if (n === 0) break
      done += n
      copied += n
    }
    at = end
  }
  const r = host.truncate(to, size)
  return r < 0 ? r : copied
}

/** The node's data file, made when there is none yet. */
export function dataOf(record: NodeRecord): DataFile {
  record.data ??= newDataFile()
  return record.data
}

/** Cut or extend (with a hole) to `size`; the node has a record. Times are the caller's. */
export function truncateData(fs: Overlay, node: Node, size: number): number {
  const record = node.record as NodeRecord
  if (record.lowerData) {
    const r = copyUpData(fs, node, size)
    if (r < 0) return r
  }
  if (size === record.size) return 0
  if ((node.seals & (size < record.size ? SEAL.SHRINK : SEAL.GROW)) !== 0) return -E.PERM
  const data = dataOf(record)
  const r = fs.store.truncate(data, size)
  if (r < 0) return r
  if (size > record.size) record.holes = true
  else if (data.bytes > size) fs.store.charge(data, size)
  record.size = size
  return 0
}
