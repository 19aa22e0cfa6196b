// What a machine's file tree is made of: the copy-on-write root, file systems of its own over it, and the user's binds.
import { E, errnoName } from './abi/errno.ts'
import type { BootOptions } from './control.ts'
import { createBind } from './servers/fs/bind.ts'
import { createDevfs, createDevpts } from './servers/fs/devfs.ts'
import type { FsType } from './servers/fs/inode.ts'
import type { HostFiles } from './servers/fs/hostfiles.ts'
import { createMemfs } from './servers/fs/memfs.ts'
import { mountAt } from './servers/fs/mount.ts'
import { createOverlay } from './servers/fs/overlay.ts'
import { createProcfs } from './servers/fs/procfs.ts'
import { createSysfs } from './servers/fs/sysfs.ts'
import type { FsState } from './servers/fs/state.ts'
import type { Store } from './servers/fs/store.ts'

export interface MountParts {
  options: BootOptions
  store: Store
  files: HostFiles
  /** Ends the boot with one clear line. */
  fail(text: string): never
}

export function mountAll(state: FsState, { options, store, files, fail }: MountParts): void {
  const now = (): number => state.sys.realtime()
  let dev = 1
  const place = (path: string, fs: FsType | number, what: string): void => {
    const r = typeof fs === 'number' ? fail(`${what}: ${why(fs)}`) : mountAt(state, path, fs)
    if (r < 0) fail(`can't mount at ${path} inside: ${r === -E.NOENT ? 'there is no such directory (make it in the root tree, or choose another place)' : why(r)}`)
  }
  place('/', createOverlay({ host: files, lowerDir: options.root, store, dev: dev++, now }), `can't use ${options.root} as the root`)
  const own: readonly (readonly [path: string, make: () => FsType, options?: string])[] = [
    ['/proc', () => createProcfs(state, dev++)],
    ['/sys', () => createSysfs(state, dev++)],
    ['/dev', () => createDevfs(state, dev++)],
    ['/dev/pts', () => createDevpts(state, dev++), 'rw,relatime,gid=5,mode=620,ptmxmode=666'],
    ['/dev/mqueue', () => state.mqueue],
    ['/dev/shm', () => createMemfs({ store, dev: dev++, now, mode: 0o1777 })],
    ['/tmp', () => createMemfs({ store, dev: dev++, now, mode: 0o1777 })],
  ]
  for (const [path, make, text] of own) {
    const r = mountAt(state, path, make(), text === undefined ? {} : { options: text })
    if (r < 0 && r !== -E.NOENT) fail(`can't mount ${path} inside: ${why(r)}`)
  }
  for (const dir of options.show)
    if (own.some(([path]) => dir.startsWith(`${path}/`)) && !dir.startsWith('/proc/'))
      place(dir, createOverlay({ host: files, lowerDir: dir, store, dev: dev++, now }), `can't show ${dir}`)
  for (const bind of options.binds)
    place(bind.guest, createBind({ host: files, hostPath: bind.host, store, dev: dev++, now, readOnly: bind.readOnly }), `can't bind ${bind.host}`)
}

function why(error: number): string {
  const code = errnoName(-error)
  return { ENOENT: 'no such file or directory', EACCES: 'permission denied', ENOTDIR: 'not a directory' }[code] ?? code
}
