// The mount table as text: /proc/PID/{mounts,mountinfo,mountstats}, proc_pid_mountinfo(5). Mounts outside the reader's root don't show.
import { major, minor } from '../../abi/fcntl.ts'
import type { Fproc } from './inode.ts'
import { isWithin } from './mountpoint.ts'
import type { FsState, Mount } from './state.ts'

/** Space, tab, newline and backslash as octal escapes. */
function escaped(name: string): string {
  return name.replace(/[ \t\n\\#]/g, c => `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`)
}
function visible(state: FsState, row: Fproc | undefined): [mount: Mount, path: string][] {
  const root = row?.context.rootPath ?? '/'
  const out: [Mount, string][] = []
  for (const mount of state.mounts) {
    if (root === '/') out.push([mount, mount.path])
    else if (isWithin(root, mount.path)) out.push([mount, mount.path.slice(root.length) || '/'])
  }
  return out
}
export function mountsText(state: FsState, row: Fproc | undefined): string {
  return visible(state, row)
    .map(([mount, path]) => `${escaped(mount.source)} ${escaped(path)} ${mount.fs.name} ${mount.options} 0 0\n`)
    .join('')
}
export function mountinfoText(state: FsState, row: Fproc | undefined): string {
  return visible(state, row)
    .map(([mount, path]) => {
      const dev = `${major(mount.fs.dev)}:${minor(mount.fs.dev)}`
      const access = mount.fs.readOnly ? 'ro' : 'rw'
      return `${mount.id} ${mount.parent} ${dev} / ${escaped(path)} ${mount.options} - ${mount.fs.name} ${escaped(mount.source)} ${access}\n`
    })
    .join('')
}
export function mountstatsText(state: FsState, row: Fproc | undefined): string {
  return visible(state, row)
    .map(
      ([mount, path]) => `device ${escaped(mount.source)} mounted on ${escaped(path)} with fstype ${mount.fs.name}\n`,
    )
    .join('')
}
