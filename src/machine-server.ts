// The machine's control port as a server of its own (endpoint MACHINE): carries out the main thread's orders, and is told by PM when
// a first process ends.
import { E, errnoName } from './abi/errno.ts'
import { AT } from './abi/fcntl.ts'
import { int, message, setGrant, setInt, SLOT, SUSPEND, TYPE, EP } from './abi/message.ts'
import { continueImage, startImage } from './container/linux/exec.ts'
import type { Linux } from './container/linux/container.ts'
import { type Exec, environmentOf } from './container/linux/image.ts'
import type { Loop } from './container/linux/loop.ts'
import type { Thread } from './container/linux/processes.ts'
import { type GuestThread, MORE, RESUME } from './container/linux/thread.ts'
import { SYSCALLS } from './container/linux/syscalls.ts'
import type { FromKernel, ToKernel } from './control.ts'
import type { StreamDriver } from './drivers/stream/stream.ts'
import type { TtyDriver } from './drivers/tty/tty.ts'
import type { createKernel } from './kernel/kernel.ts'
import { Inspection } from './inspection.ts'
import type { CallVector, Server, Sys } from './lib/server.ts'
import { COMMON_CALL } from './protocol/common.ts'
import { FS } from './protocol/fs.ts'
import { MACHINE, PM } from './protocol/pm.ts'

type Spawn = Extract<ToKernel, { kind: 'spawn' }>
export interface ControlParts {
  kernel: ReturnType<typeof createKernel>
  linux: Linux
  loop: Loop
  stream: StreamDriver
  tty: TtyDriver
  say: (m: FromKernel) => void
  log: string[]
}

export class Control implements Server {
  readonly name = 'machine'
  private readonly m = message()
  /** job → pid of its first process. */
  private readonly pids = new Map<number, number>()
  readonly calls: CallVector
  private readonly inspection: Inspection

  constructor(
    private readonly sys: Sys,
    private readonly parts: ControlParts,
  ) {
    this.inspection = new Inspection(sys, parts.say)
    this.calls = { [MACHINE.ENDED]: m => this.ended(int(m, 0), int(m, 2)), [COMMON_CALL.DONE]: m => this.inspection.done(m) }
  }

  order(o: ToKernel): void {
    if (o.kind === 'spawn') this.spawn(o)
    else if (o.kind === 'kill') this.kill(o.job, o.signo)
    else if (o.kind === 'resize') this.parts.tty.resize(o.rows, o.columns)
    else if (o.kind === 'report') this.report()
    else if (o.kind === 'inspect') this.inspection.order(o.id, o.pid, o.order)
    else this.parts.loop.stop()
  }

  private ended(job: number, status: number): number {
    this.pids.delete(job)
    this.parts.say({ kind: 'ended', job, status })
    return 0
  }

  private kill(job: number, signo: number): void {
    const pid = this.pids.get(job)
    if (pid === undefined) return
    this.m[TYPE] = PM.KILL
    setInt(this.m, 0, pid)
    setInt(this.m, 1, signo)
    this.sys.sendrec(EP.PM, this.m)
  }

  /** A first process: table entry, descriptors, ids, an empty host process, and the image. */
  private spawn(o: Spawn): void {
    const { linux, kernel } = this.parts
    const endpoint = this.sys.create(0)
    const proc = endpoint < 0 ? -1 : kernel.lookup(endpoint)
    const t = proc < 0 ? null : linux.bind(proc)
    if (t === null) {
      if (proc >= 0) this.sys.clear(endpoint)
      this.closeGiven(o)
      this.failed(o.job, 'EAGAIN', `no host process to be had for ${o.argv[0]}`)
      return
    }
    const tty = o.stdio.includes('tty')
    const refused = this.register(o, endpoint, tty)
    if (refused < 0) {
      this.sys.clear(endpoint)
      const what = refused === -E.AGAIN ? 'the machine has as many processes as it may' : `the working directory ${o.cwd} is not there inside (${errnoName(-refused)}); choose another with -w`
      this.failed(o.job, 'ESPAWN', `${o.argv[0]}: ${what}`)
      return
    }
    this.pids.set(o.job, refused)
    if (o.stopped) this.inspection.startStopped(refused, endpoint)
    this.parts.say({ kind: 'started', job: o.job, pid: refused })
    this.start(o, t)
  }

  /** PM and FS learn of it; its pid or -errno. */
  private register(o: Spawn, endpoint: number, tty: boolean): number {
    const { mem, view, buffer } = this.sys
    const groups = o.groups.slice(0, 32)
    for (const [i, g] of groups.entries()) view.setUint32(buffer + 4 * i, g, true)
    this.m[TYPE] = PM.SPAWN
    setInt(this.m, 0, endpoint)
    setInt(this.m, 1, o.uid)
    setInt(this.m, 2, o.gid)
    setInt(this.m, 3, tty ? 1 : 0)
    setGrant(this.m, 4, buffer, 4 * groups.length)
    setInt(this.m, 5, o.job)
    const pid = this.sys.sendrec(EP.PM, this.m)
    if (pid < 0) {
      this.closeGiven(o)
      return pid
    }
    const minors = o.stdio.map((s, fd) => (s === 'null' ? 0 : s === 'tty' ? 1 : 2 + this.parts.stream.addStream(s, { readable: fd === 0, writable: fd !== 0 })))
    mem.set(minors, buffer)
    const cwd = o.cwd
    for (let i = 0; i < cwd.length; i++) mem[buffer + 64 + i] = cwd.charCodeAt(i)
    this.m[TYPE] = FS.SPAWN
    setInt(this.m, 0, endpoint)
    setGrant(this.m, 1, buffer, 3)
    setGrant(this.m, 2, buffer + 64, cwd.length)
    const r = this.sys.sendrec(EP.FS, this.m)
    return r < 0 ? r : pid
  }

  /** Load the image; candidates of a PATH search one after the other, the first found wins. */
  private start(o: Spawn, t: Thread): void {
    const name = o.argv[0] as string
    const search = o.env.find(e => e.startsWith('PATH='))?.slice(5) ?? '/usr/local/bin:/usr/bin:/bin'
    const paths = name.includes('/') ? [name] : search.split(':').map(d => `${d || '.'}/${name}`)
    let denied = 0
    let next = 0
    t.localCall = (c, thread, failed) => {
      for (;;) {
        const first = thread.local === null
        const r = first ? startImage(c, thread, { path: paths[next] as string, argv: o.argv, env: o.env }) : continueImage(c, thread, failed)
        if (r === RESUME) this.parts.linux.tracer?.started(thread as Thread, paths[next] as string, o.argv, o.env, environmentOf(thread.local as Exec))
        if (r === MORE || r === RESUME || r === SUSPEND) return r
        if (r >= 0) return RESUME
        // a directory of PATH one may not look into is passed over, as shells do; a file that is there and can't be run is what to report
        if (r !== -E.NOENT && (r !== -E.ACCES || this.isThere(thread, paths[next] as string))) denied = denied || r
        next++
        thread.step = 0
        thread.local = null
        if (next >= paths.length || (r !== -E.NOENT && r !== -E.ACCES && r !== -E.NOTDIR))
          return this.notStarted(o, thread as Thread, denied || (name.includes('/') ? r : -E.NOENT))
      }
    }
    this.parts.linux.dispatcher.startLocal(t)
  }

  /** Can the process `t` is to run see this path at all? */
  private isThere(t: GuestThread, path: string): boolean {
    const m = t.message
    for (let i = 0; i < path.length; i++) t.mem[t.bump + i] = path.charCodeAt(i)
    m[TYPE] = FS.ACCESS
    setInt(m, 0, AT.FDCWD)
    setGrant(m, 1, t.bump, path.length)
    setInt(m, 2, 0)
    setInt(m, 3, 0)
    return this.parts.kernel.call(t.proc, SLOT.FS) === 0
  }

  private notStarted(o: Spawn, t: Thread, error: number): number {
    const name = o.argv[0] as string
    const code = errnoName(-error)
    const text = { ENOENT: name.includes('/') ? 'No such file or directory' : 'command not found', EACCES: 'Permission denied', ENOEXEC: 'Exec format error', ENOTDIR: 'Not a directory', EISDIR: 'Is a directory', ELIBBAD: 'the program’s interpreter is damaged', E2BIG: 'Argument list too long', ELOOP: 'Too many levels of symbolic links' }[code]
    this.pids.delete(o.job)
    this.failed(o.job, code, `${Buffer.from(name, 'latin1').toString()}: ${text ?? code}`)
    const { lifecycle } = this.parts.linux
    lifecycle.hostDied(t, t.proc, 127 << 8)
    lifecycle.endThread(t)
    return SUSPEND
  }
  private failed(job: number, code: string, text: string): void {
    this.parts.say({ kind: 'failed', job, code, text })
  }
  private closeGiven(o: Spawn): void {
    for (const s of o.stdio) if (typeof s === 'number') this.parts.loop.close(s)
  }

  private report(): void {
    const { dispatcher } = this.parts.linux
    const names = new Map(SYSCALLS.map(row => [row[0], row[1]]))
    this.parts.say({
      kind: 'report',
      report: {
        calls: dispatcher.calls,
        traps: dispatcher.traps,
        messages: this.parts.kernel.domainAccount(0).sent,
        sleeps: this.parts.loop.sleeps,
        unknownCalls: [...dispatcher.unknown].map(([nr, times]) => ({ nr, name: names.get(nr) ?? `syscall_${nr}`, times })),
        log: this.parts.log,
      },
    })
  }
}
