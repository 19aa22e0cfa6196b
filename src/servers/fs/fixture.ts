// For tests of the namespace: a file server over a real temporary directory, and one guest that makes calls as messages.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FACTS } from '../../../test/support/facts.ts'
import { type Message, makeEndpoint, message, setGrant, setInt, setLong } from '../../abi/message.ts'
import { createHostFiles } from '../../drivers/hostfs/hostfiles.ts'
import { buffer } from '../../host/host.ts'
import type { Handler, Sys } from '../../lib/server.ts'
import { FS } from '../../protocol/fs.ts'
import { newTable } from './filedes.ts'
import { fsCalls, watchClosing } from './fs.ts'
import type { HostFiles } from './hostfiles.ts'
import { emptyStat } from './hosttree.ts'
import type { Credentials, Fproc, Stat } from './inode.ts'
import { createMemfs } from './memfs.ts'
import { mountAt } from './mount.ts'
import { createOverlay, type Overlay } from './overlay.ts'
import { createState, type FsState, holdInode } from './state.ts'
import { openStore, type Store } from './store.ts'

export const ROOT: Credentials = {
  uid: 0,
  euid: 0,
  fsuid: 0,
  gid: 0,
  egid: 0,
  fsgid: 0,
  groups: [],
  capabilities: 2 ** 41 - 1,
}
export function user(id: number): Credentials {
  return { uid: id, euid: id, fsuid: id, gid: id, egid: id, fsgid: id, groups: [], capabilities: 0 }
}
const ARENA = 1 << 20
/** Grants for paths, structures, data. */
const AREA = { path: 0x1000, path2: 0x3000, struct: 0x5000, data: 0x10000 }
const SLOT = 40
export class Guest {
  readonly mem: Uint8Array
  readonly view: DataView
  readonly host: HostFiles
  readonly store: Store
  readonly state: FsState
  readonly root: Overlay
  readonly fproc: Fproc
  readonly endpoint = makeEndpoint(1, SLOT)
  readonly killed: number[] = []
  private readonly calls: Readonly<Record<number, Handler>>
  readonly m: Message = message()
  private readonly workspace: string

  /** base: host directory. limit: host descriptors kept. */
  constructor(base: string, cred: Credentials = ROOT, limit = 768) {
    const arena = buffer(ARENA)
    this.mem = new Uint8Array(arena)
    this.view = new DataView(arena)
    this.host = createHostFiles(arena)
    this.workspace = mkdtempSync(join(tmpdir(), 'mol-store-'))
    const store = openStore(this.host, this.workspace, limit)
    if (typeof store === 'number') throw new Error(`store: ${store}`)
    this.store = store
    const start = performance.timeOrigin
    const now = (): number => start + performance.now()
    const sys = {
      self: 1,
      mem: this.mem,
      view: this.view,
      buffer: 0x80000,
      bufferSize: 65536,
      realtime: now,
      monotonic: () => performance.now(),
      reply: () => 0,
      kill: (_endpoint: number, signal: number) => this.killed.push(signal),
      setalarm: () => 0,
      random: () => {},
      fileRead: () => -11,
      diag: () => {},
      senda: () => 0,
      sendrec: () => -38,
      notify: () => 0,
    } as unknown as Sys
    this.state = createState(sys, this.host, store, FACTS)
    watchClosing(this.state)
    const root = createOverlay({ host: this.host, lowerDir: base, store, dev: 30, now })
    if (typeof root === 'number') throw new Error(`base: ${root}`)
    this.root = root
    mountAt(this.state, '/', root)
    const context = {
      refs: 1,
      root: holdInode(root.root),
      rootPath: '/',
      cwd: holdInode(root.root),
      cwdPath: '/',
      umask: 0o022,
    }
    this.fproc = {
      endpoint: this.endpoint,
      table: newTable(),
      context,
      cred,
      exe: '',
      exeInode: null,
      args: new Uint8Array(),
      env: new Uint8Array(),
      tty: 0,
      nofile: 1024,
      fsize: Number.POSITIVE_INFINITY,
      msgqueue: 819200,
      shared: { oomAdjust: 0, oomLeast: 0, loginuid: 0, coreFilter: 0 },
    }
    this.state.fprocs[SLOT] = this.fproc
    this.calls = fsCalls(this.state)
  }
  close(): void {
    this.store.close()
    this.root.close()
    rmSync(this.workspace, { recursive: true, force: true })
  }
  mountMemfs(path: string): number {
    return mountAt(this.state, path, createMemfs({ store: this.store, dev: 31, now: () => this.state.sys.realtime() }))
  }

  /** A call with its cells: numbers, strings (as path grants) or [offset, length] grants. */
  call(type: number, ...cells: (number | string | readonly [number, number])[]): number {
    const m = this.m.fill(0)
    let at = AREA.path
    cells.forEach((cell, k) => {
      if (typeof cell === 'number') Math.abs(cell) < 2 ** 31 ? setInt(m, k, cell) : setLong(m, k, cell)
      else if (typeof cell === 'string') {
        for (let i = 0; i < cell.length; i++) this.mem[at + i] = cell.charCodeAt(i)
        setGrant(m, k, at, cell.length)
        at = AREA.path2
      } else setGrant(m, k, cell[0], cell[1])
    })
    return (this.calls[type] as Handler)(m, this.endpoint)
  }
  text(at: number, length: number): string {
    let s = ''
    for (let i = at; i < at + length; i++) s += String.fromCharCode(this.mem[i] as number)
    return s
  }

  open(path: string, flags: number, mode = 0o666, dirfd = -100): number {
    return this.call(FS.OPEN, dirfd, path, flags, mode)
  }
  closeFd(fd: number): number {
    return this.call(FS.CLOSE, fd)
  }
  write(fd: number, text: string): number {
    for (let i = 0; i < text.length; i++) this.mem[AREA.data + i] = text.charCodeAt(i)
    return this.call(FS.WRITE, fd, [AREA.data, text.length], text.length)
  }
  read(fd: number, length = 65536): string | number {
    const n = this.call(FS.READ, fd, [AREA.data, length], length)
    return n < 0 ? n : this.text(AREA.data, n)
  }
  /** Whole file, or -errno. */
  readFile(path: string): string | number {
    const fd = this.open(path, 0)
    if (fd < 0) return fd
    let all = ''
    for (;;) {
      const part = this.read(fd)
      if (typeof part === 'number') return part
      if (part === '') break
      all += part
    }
    this.closeFd(fd)
    return all
  }
  writeFile(path: string, text: string, mode = 0o666): number {
    const fd = this.open(path, 0o1101, mode)
    if (fd < 0) return fd
    const n = this.write(fd, text)
    this.closeFd(fd)
    return n
  }
  /** flags: AT_SYMLINK_NOFOLLOW 0x100 */
  stat(path: string, flags = 0, dirfd = -100): Stat | number {
    const r = this.call(FS.STAT, dirfd, path, [AREA.struct, 144], flags)
    return r < 0 ? r : this.decode()
  }
  fstat(fd: number): Stat | number {
    const r = this.call(FS.FSTAT, fd, [AREA.struct, 144])
    return r < 0 ? r : this.decode()
  }
  private decode(): Stat {
    const { view } = this
    const long = (o: number): number =>
      view.getInt32(AREA.struct + o + 4, true) * 2 ** 32 + view.getUint32(AREA.struct + o, true)
    const int = (o: number): number => view.getUint32(AREA.struct + o, true)
    return {
      ...emptyStat(),
      dev: long(0),
      ino: long(8),
      nlink: long(16),
      mode: int(24),
      uid: int(28),
      gid: int(32),
      rdev: long(40),
      size: long(48),
      blksize: long(56),
      blocks: long(64),
      atime: long(72),
      atimeNs: long(80),
      mtime: long(88),
      mtimeNs: long(96),
      ctime: long(104),
      ctimeNs: long(112),
    }
  }
  readlink(path: string): string | number {
    const n = this.call(FS.RDLNK, -100, path, [AREA.data, 4096], 4096)
    return n < 0 ? n : this.text(AREA.data, n)
  }
  /** Names in a directory without . and .., sorted; `room` bytes per getdents64. */
  list(path: string, room = 32768): string[] | number {
    const fd = this.open(path, 0o200000)
    if (fd < 0) return fd
    const names: string[] = []
    for (;;) {
      const n = this.call(FS.GETDENTS64, fd, [AREA.data, room], room)
      if (n < 0) return n
      if (n === 0) break
      for (let p = AREA.data; p < AREA.data + n; p += this.view.getUint16(p + 16, true)) {
        let end = p + 19
        while (this.mem[end] !== 0) end++
        names.push(this.text(p + 19, end - p - 19))
      }
    }
    this.closeFd(fd)
    return names.filter(name => name !== '.' && name !== '..').sort()
  }
  cwd(): string | number {
    const n = this.call(FS.GETCWD, [AREA.data, 4096], 4096)
    return n < 0 ? n : this.text(AREA.data, n - 1)
  }
}
