// A file server on its own, for unit tests: FakeSys, a host that is a map in memory, a memfs root, /dev and /proc, stub PM, VM, TTY.
// Guests are endpoints 32, 33, …; read and write answer a string, a number, or 'waits' for a suspended call.
import { E } from '../../src/abi/errno.ts'
import { EP, high, int, type Message, SUSPEND, uint } from '../../src/abi/message.ts'
import type { Server } from '../../src/lib/server.ts'
import { CDEV } from '../../src/protocol/cdev.ts'
import { FS } from '../../src/protocol/fs.ts'
import { KIN, PM, PROC_RECORD as R, TOTALS } from '../../src/protocol/pm.ts'
import { VM } from '../../src/protocol/vm.ts'
import { createDevfs, createDevpts } from '../../src/servers/fs/devfs.ts'
import { createFs } from '../../src/servers/fs/fs.ts'
import type { HostFiles } from '../../src/servers/fs/hostfiles.ts'
import { createMemfs } from '../../src/servers/fs/memfs.ts'
import { mountAt } from '../../src/servers/fs/mount.ts'
import { createProcfs } from '../../src/servers/fs/procfs.ts'
import type { FsState } from '../../src/servers/fs/state.ts'
import { openStore } from '../../src/servers/fs/store.ts'
import { createSysfs } from '../../src/servers/fs/sysfs.ts'
import { FACTS } from './facts.ts'
import { type Cell, FakeSys, type Grant } from './fake-sys.ts'

export const A = 32
export const B = 33
export const C = 34
const O_CREAT_RDWR = 0o102

/** Data files of a store, and nothing else: names are ignored but for telling files apart. */
function memoryHost(sys: FakeSys): HostFiles {
  const files = new Map<string, { bytes: Uint8Array; size: number }>()
  const fds = new Map<number, string>()
  let nextFd = 10
  const file = (fd: number) => files.get(fds.get(fd) ?? '')
  const open = (name: string): number => {
    if (!files.has(name)) files.set(name, { bytes: new Uint8Array(1 << 16), size: 0 })
    fds.set(nextFd, name)
    return nextFd++
  }
  const host: Partial<HostFiles> = {
    mem: sys.mem,
    readInto(fd, bytes, position) {
      const f = file(fd)
      if (f === undefined) return -E.BADF
      const some = f.bytes.subarray(position, Math.min(f.size, position + bytes.length))
      bytes.set(some)
      return some.length
    },
    writeFrom(fd, bytes, position) {
      const f = file(fd)
      if (f === undefined) return -E.BADF
      f.bytes.set(bytes, position)
      f.size = Math.max(f.size, position + bytes.length)
      return bytes.length
    },
    root: () => open('/'),
    close: fd => (fds.delete(fd) ? 0 : -E.BADF),
    mkdir: () => 0,
    open: (_dir, name) => open(name),
    unlink: () => 0,
    pread(fd, at, len, position) {
      const f = file(fd)
      if (f === undefined) return -E.BADF
      const n = Math.max(0, Math.min(len, f.size - position))
      sys.mem.set(f.bytes.subarray(position, position + n), at)
      return n
    },
    pwrite(fd, at, len, position) {
      const f = file(fd)
      if (f === undefined) return -E.BADF
      f.bytes.set(sys.mem.subarray(at, at + len), position)
      f.size = Math.max(f.size, position + len)
      return len
    },
    truncate(fd, size) {
      const f = file(fd)
      if (f === undefined) return -E.BADF
      f.bytes.fill(0, Math.min(size, f.size))
      f.size = size
      return 0
    },
    sync: () => 0,
    statfs: () => 0,
    seek: (_fd, offset) => offset,
  }
  return host as HostFiles
}

export class World {
  readonly sys = new FakeSys(EP.FS)
  readonly server: Server
  readonly state: FsState
  /** What the terminal has to give, and has been given. */
  input = ''
  output = ''
  /** Requests the terminal keeps waiting: [id, grant]. */
  waiting: [id: number, at: number, len: number][] = []

  constructor(guests = 3) {
    const { sys } = this
    this.stubs()
    const host = memoryHost(sys)
    const store = openStore(host, '/store')
    if (typeof store === 'number') throw new Error(`no store: ${store}`)
    const now = (): number => sys.realtime()
    let state: FsState | undefined
    const mounts = (made: FsState): void => {
      state = made
      mountAt(made, '/', createMemfs({ store, dev: 1, now, mode: 0o755 }))
      mountAt(made, '/proc', createProcfs(made, 2))
      mountAt(made, '/dev', createDevfs(made, 3))
      mountAt(made, '/dev/pts', createDevpts(made, 5))
      mountAt(made, '/sys', createSysfs(made, 6))
      mountAt(made, '/tmp', createMemfs({ store, dev: 4, now }))
    }
    this.server = sys.attach(createFs(sys, { host, store, facts: FACTS, mounts }))
    this.state = state as unknown as FsState
    for (let i = 0; i < guests; i++)
      this.call(FS.SPAWN, EP.MACHINE, [A + i, sys.grant(new Uint8Array([0, 0, 0])), sys.grant('/')])
  }

  private stubs(): void {
    const { sys } = this
    sys.stub(EP.PM, {
      [PM.GETJOB]: m => (int(m, 1) === 8 ? int(m, 0) - 31 + 100 : int(m, 0) - A + 101),
      [PM.PIDS]: m => this.pids(m),
      [PM.PROCINFO]: m => this.procinfo(m),
      [PM.PRLIMIT64]: m => {
        sys.view.setBigInt64(uint(m, 3), 1024n, true)
        sys.view.setBigInt64(uint(m, 3) + 8, -1n, true)
        return 0
      },
      [PM.SIGTAKE]: () => 0,
      [PM.TOTALS]: m => this.totals(m),
      [PM.KIN]: m => (int(m, 1) === KIN.THREADS && int(m, 2) === 0 ? this.ids(m, 3, [int(m, 0)]) : 0),
      [PM.UNAME]: m => {
        for (const [i, char] of Array.from('test').entries()) sys.mem[uint(m, 0) + 65 + i] = char.charCodeAt(0)
        return 0
      },
      [PM.SETTASK]: () => 0,
    })
    sys.stub(EP.VM, {
      [VM.MAPS]: m =>
        this.text(m, ['00400000-00401000 r-xp\n', '100 50 20 10 0 40 0\n', 'VmSize:\t     400 kB\n'][int(m, 3)] ?? ''),
    })
    sys.stub(EP.STREAM, { [CDEV.OPEN]: m => int(m, 0), [CDEV.CLOSE]: () => 0 })
    sys.stub(EP.TTY, {
      [CDEV.OPEN]: m => int(m, 0),
      [CDEV.CLOSE]: () => 0,
      [CDEV.READ]: m => this.ttyRead(m),
      [CDEV.WRITE]: m => {
        this.output += sys.text({ offset: uint(m, 1), length: high(m, 1) })
        return high(m, 1)
      },
      [CDEV.IOCTL]: m => (int(m, 1) === 0x5401 ? 0 : -E.INVAL),
      [CDEV.SELECT]: () => (this.input.length > 0 ? 1 : 0) | 4,
      [CDEV.CANCEL]: m => {
        const i = this.waiting.findIndex(([id]) => id === int(m, 1))
        if (i < 0) return -E.SRCH
        this.waiting.splice(i, 1)
        return -E.RESTARTSYS
      },
    })
  }
  private pids(m: Message): number {
    const pids = [101, 102, 103].filter(pid => pid > int(m, 0) && this.state.fprocs[pid - 101 + A] !== undefined)
    return this.ids(m, 1, pids)
  }
  private ids(m: Message, k: number, ids: number[]): number {
    for (const [i, id] of ids.entries()) this.sys.view.setUint32(uint(m, k) + 4 * i, id, true)
    return ids.length
  }
  private totals(m: Message): number {
    const rows = [
      [TOTALS.THREADS, 3],
      [TOTALS.RUNNING, 1],
      [TOTALS.LAST_PID, 103],
      [TOTALS.UTIME, 750],
    ] as const
    this.sys.mem.fill(0, uint(m, 0), uint(m, 0) + TOTALS.BYTES)
    for (const [offset, value] of rows) this.sys.view.setFloat64(uint(m, 0) + offset, value, true)
    return TOTALS.BYTES
  }
  private procinfo(m: Message): number {
    const pid = int(m, 0)
    if (this.state.fprocs[pid - 101 + A] === undefined) return -E.SRCH
    const at = uint(m, 1)
    const { view, mem } = this.sys
    mem.fill(0, at, at + R.BYTES)
    const rows = [
      [R.PID, pid],
      [R.TGID, pid],
      [R.DUMPABLE, 1],
      [R.SIGQ, 1],
      [R.AFFINITY, 3],
      [R.PPID, 1],
      [R.PGRP, pid],
      [R.SESSION, pid],
      [R.TPGID, -1],
      [R.STATE, 0x53],
      [R.THREADS, 1],
      [R.ENDPOINT, pid - 101 + A],
    ] as const
    for (const [offset, value] of rows) view.setInt32(at + offset, value, true)
    view.setFloat64(at + R.UTIME, 250, true)
    view.setFloat64(at + R.START, 1000, true)
    mem.set([0x74, 0x20, 0x31], at + R.COMM)
    return R.BYTES
  }
  private text(m: Message, text: string): number {
    const rest = text.slice(uint(m, 2), uint(m, 2) + high(m, 1))
    for (let i = 0; i < rest.length; i++) this.sys.mem[uint(m, 1) + i] = rest.charCodeAt(i)
    return rest.length
  }
  private ttyRead(m: Message): number {
    if (this.input.length > 0) return this.deliver(uint(m, 1), high(m, 1))
    if (int(m, 3) !== 0) return -E.AGAIN
    this.waiting.push([int(m, 4), uint(m, 1), high(m, 1)])
    return SUSPEND
  }
  deliver(at: number, len: number): number {
    const some = this.input.slice(0, len)
    this.input = this.input.slice(some.length)
    for (let i = 0; i < some.length; i++) this.sys.mem[at + i] = some.charCodeAt(i)
    return some.length
  }

  // -- calls --

  call(type: number, from: number, cells: readonly Cell[] = []): number {
    return this.sys.call(type, from, cells)
  }
  path(text: string): Grant | null {
    return text === '' ? null : this.sys.grant(text)
  }
  open(from: number, name: string, flags = O_CREAT_RDWR, mode = 0o644): number | 'waits' {
    return said(this.call(FS.OPEN, from, [-100, this.path(name), flags, mode]))
  }
  pipe(from: number, flags = 0): [number, number] {
    const fds = this.sys.grant(8)
    const r = this.call(FS.PIPE, from, [fds, flags])
    if (r < 0) throw new Error(`pipe: ${r}`)
    return [this.sys.view.getInt32(fds.offset, true), this.sys.view.getInt32(fds.offset + 4, true)]
  }
  /** The grants of the last read of each guest, to see what came later. */
  readonly reading = new Map<number, Grant>()
  read(from: number, fd: number, len: number): string | number {
    const buffer = this.sys.grant(len)
    this.reading.set(from, buffer)
    const r = this.call(FS.READ, from, [fd, buffer, len])
    return r === SUSPEND ? 'waits' : r < 0 ? r : this.sys.text(buffer, r)
  }
  /** What a waiting read was answered with in the meantime. */
  later(from: number): string | number | undefined {
    const r = this.sys.replyTo(from)
    const buffer = this.reading.get(from)
    return r === undefined || r < 0 || buffer === undefined ? r : this.sys.text(buffer, r)
  }
  write(from: number, fd: number, data: string): number | 'waits' {
    return said(this.call(FS.WRITE, from, [fd, data.length === 0 ? null : this.sys.grant(data), data.length]))
  }
  close(from: number, fd: number): number {
    return this.call(FS.CLOSE, from, [fd])
  }
  fork(parent: number, child: number, flags = 0): number {
    return this.call(FS.FORK, EP.PM, [parent, child, flags])
  }
  slurp(from: number, name: string): string | number {
    const fd = this.open(from, name, 0)
    if (typeof fd !== 'number' || fd < 0) return fd
    let text = ''
    for (;;) {
      const some = this.read(from, fd, 4096)
      if (typeof some === 'number') return some
      if (some === '') break
      text += some
    }
    this.close(from, fd)
    return text
  }
  readlink(from: number, name: string): string | number {
    const buffer = this.sys.grant(256)
    const r = this.call(FS.RDLNK, from, [-100, this.path(name), buffer, 256])
    return r < 0 ? r : this.sys.text(buffer, r)
  }
  kills(): unknown[] {
    return this.sys.calls.filter(([name]) => name === 'kill').map(([, ...args]) => args)
  }
}
export function said(r: number): number | 'waits' {
  return r === SUSPEND ? 'waits' : r
}
