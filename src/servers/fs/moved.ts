// Names kept as text follow what they name: after a rename, working directories, roots, open files, executables and mount points that
// were below the old name are called by the new one (/proc/PID/cwd, fd, exe; the starting points of later walks).
import type { FileTable, FsContext } from './inode.ts'
import { isWithin } from './mountpoint.ts'
import type { FsState } from './state.ts'

/** exchange: what was called `to` is now called `from`. */
export function followRename(state: FsState, from: string, to: string, exchange: boolean): void {
  const now = (path: string): string => {
    if (isWithin(from, path)) return to + path.slice(from.length)
    return exchange && isWithin(to, path) ? from + path.slice(to.length) : path
  }
  const contexts = new Set<FsContext>()
  const tables = new Set<FileTable>()
  const files = new Set<{ path: string }>()
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
  for (const mount of state.mounts) files.add(mount)
  for (const file of files) file.path = now(file.path)
}
