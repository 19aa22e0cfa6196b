// Names kept as text follow what they name: after a rename, working directories, roots, open files, executables and mount points that
// were below the old name are called by the new one (/proc/PID/cwd, fd, exe; the starting points of later walks).
import type { FileTable, FsContext, Inode, OpenFile } from './inode.ts'
import { isWithin } from './mountpoint.ts'
import type { Walk } from './namei.ts'
import { type FsState, setName } from './state.ts'

/** What stood at `old` is at `target` now; exchange: and the other way round. */
export function followRename(state: FsState, old: Walk, target: Walk, exchange: boolean): void {
  const from = old.path
  const to = target.path
  const now = (path: string): string => {
    if (isWithin(from, path)) return to + path.slice(from.length)
    return exchange && isWithin(to, path) ? from + path.slice(to.length) : path
  }
  const contexts = new Set<FsContext>()
  const tables = new Set<FileTable>()
  const named = new Set<{ path: string }>()
  const files = new Set<OpenFile>()
  for (const fproc of state.fprocs) {
    if (fproc === undefined) continue
    contexts.add(fproc.context)
    tables.add(fproc.table)
    fproc.exe = now(fproc.exe)
  }
  for (const context of contexts) {
    context.cwdPath = now(context.cwdPath)
    context.rootPath = now(context.rootPath)
  }
  for (const table of tables) for (const file of table.files) if (file !== null) files.add(file)
  for (const handle of state.executables) if (handle !== null) files.add(handle.file)
  for (const mount of state.mounts) named.add(mount)
  for (const file of files) {
    named.add(file)
    if (isAt(file, old)) setName(file, target.parent as Inode, target.name)
    else if (exchange && isAt(file, target)) setName(file, old.parent as Inode, old.name)
  }
  for (const one of named) one.path = now(one.path)
}
function isAt(file: OpenFile, place: Walk): boolean {
  return file.inode === place.inode && file.dir === place.parent && file.name === place.name
}
