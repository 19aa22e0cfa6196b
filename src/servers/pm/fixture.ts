// For PM's unit tests: a PM on a FakeSys with FS, VM and TTY standing in, and the usual calls by short names.
import { EP, type Message } from '../../abi/message.ts'
import { SIGACTION, SIGMSG } from '../../abi/signals.ts'
import { FS } from '../../protocol/fs.ts'
import { PM } from '../../protocol/pm.ts'
import { TTY } from '../../protocol/tty.ts'
import { VM } from '../../protocol/vm.ts'
import { type Cell, FakeSys, type Grant } from '../../../test/support/fake-sys.ts'
import type { PmOptions } from './mproc.ts'
import { createPm } from './pm.ts'

export interface Frame {
  endpoint: number
  signo: number
  flags: number
  handler: number
  mask: number
  maskHigh: number
  inCall: number
  result: number
  ordinal: number
  code: number
  pid: number
  value: number
}

export class Fixture {
  readonly sys = new FakeSys(EP.PM)
  readonly frames: Frame[] = []
  /** TTY's answer to HANGUP. */
  foreground = 0
  readonly server
  private next = 40

  constructor(options: Partial<PmOptions> = {}) {
    const { sys } = this
    const ok = () => 0
    sys.stub(EP.FS, { [FS.FORK]: ok, [FS.EXIT]: ok, [FS.SETCRED]: ok, [FS.SETLIMIT]: ok, [FS.SIGNALLED]: ok })
    sys.stub(EP.VM, { [VM.FORK]: ok, [VM.EXIT]: ok, [VM.SETLIMIT]: ok, [VM.SHARES]: ok, [VM.OBJECT]: ok })
    sys.stub(EP.TTY, { [TTY.HANGUP]: () => this.foreground, [TTY.GETTTY]: ok })
    sys.results.fork = () => this.next++
    sys.results.sigsend = (endpoint, at) => this.frame(endpoint, at)
    this.server = sys.attach(
      createPm(sys, { cpus: 2, memoryTotal: 1 << 30, hostname: 'box', release: '6.1.0', maxProcesses: 100, ...options }),
    )
  }

  /** A first process → its endpoint. */
  spawn(uid = 0, job = 1, gid = uid): number {
    const endpoint = this.next++
    this.sys.call(PM.SPAWN, EP.MACHINE, [endpoint, uid, gid, 0, null, job])
    return endpoint
  }
  /** → [child's endpoint, pid] */
  fork(parent: number, flags = 17): [endpoint: number, pid: number] {
    const endpoint = this.next
    const pid = this.sys.call(PM.FORK, parent, [flags, 0, null, 0, 0])
    return [endpoint, pid]
  }
  call(type: number, from: number, ...cells: Cell[]): number {
    return this.sys.call(type, from, cells)
  }
  pid(endpoint: number): number {
    return this.call(PM.GETPID, endpoint)
  }
  exit(endpoint: number, code: number): void {
    this.call(PM.EXIT, endpoint, code)
  }
  kill(from: number, pid: number, signo: number): number {
    return this.call(PM.KILL, from, pid, signo)
  }
  /** wait4 → [result, status]; the status grant stays readable. */
  wait(from: number, pid = -1, options = 0): { result: number; status: Grant } {
    const status = this.sys.grant(4)
    return { result: this.call(PM.WAITPID, from, pid, status, options, null), status }
  }
  int(grant: Grant, at = 0): number {
    return this.sys.view.getInt32(grant.offset + at, true)
  }
  long(grant: Grant, at = 0): number {
    return this.sys.view.getInt32(grant.offset + at + 4, true) * 4294967296 + this.sys.view.getUint32(grant.offset + at, true)
  }
  /** rt_sigaction; `mask` the low 32 bits. */
  action(from: number, signo: number, handler: number, flags = 0, mask = 0): number {
    const act = this.sys.grant(SIGACTION.BYTES)
    const { view } = this.sys
    view.setUint32(act.offset, handler, true)
    view.setUint32(act.offset + SIGACTION.FLAGS, (flags | 0x04000000) >>> 0, true)
    view.setUint32(act.offset + SIGACTION.RESTORER, 0x5000, true)
    view.setInt32(act.offset + SIGACTION.MASK, mask, true)
    return this.call(PM.SIGACTION, from, signo, act, null, 8)
  }
  set(...signos: number[]): Grant {
    const g = this.sys.grant(8)
    for (const n of signos) this.sys.mem[g.offset + ((n - 1) >> 3)] |= 1 << ((n - 1) & 7)
    return g
  }
  block(from: number, ...signos: number[]): number {
    return this.call(PM.SIGPROCMASK, from, 0, this.set(...signos), null, 8)
  }
  unblock(from: number, ...signos: number[]): number {
    return this.call(PM.SIGPROCMASK, from, 1, this.set(...signos), null, 8)
  }
  timespec(seconds: number, ns = 0): Grant {
    const g = this.sys.grant(16)
    this.sys.view.setUint32(g.offset, seconds, true)
    this.sys.view.setUint32(g.offset + 8, ns, true)
    return g
  }
  /** The guest stands at a boundary: PM's answer. */
  boundary(from: number, result = 0, inCall = 0): number {
    return this.call(PM.SIGREADY, from, result, inCall)
  }
  marked(endpoint: number): boolean {
    return this.sys.calls.some(([name, e]) => (name === 'mark' || name === 'interrupt') && e === endpoint)
  }
  cleared(endpoint: number): boolean {
    return this.sys.calls.some(([name, e]) => name === 'clear' && e === endpoint)
  }
  sentTo(dst: number, type: number): Message[] {
    return this.sys.sent.filter(s => s.dst === dst && s.type === type).map(s => s.m)
  }

  private frame(endpoint: number, at: number): number {
    const { view } = this.sys
    this.frames.push({
      endpoint, signo: view.getUint32(at + SIGMSG.SIGNO, true), flags: view.getUint32(at + SIGMSG.FLAGS, true),
      handler: view.getUint32(at + SIGMSG.HANDLER, true), mask: view.getUint32(at + SIGMSG.MASK, true),
      maskHigh: view.getUint32(at + SIGMSG.MASK + 4, true),
      inCall: view.getUint32(at + SIGMSG.INCALL, true), result: view.getInt32(at + SIGMSG.RESULT, true),
      ordinal: view.getUint32(at + SIGMSG.ORDINAL, true), code: view.getInt32(at + SIGMSG.INFO + 8, true),
      pid: view.getInt32(at + SIGMSG.INFO + 16, true), value: view.getInt32(at + SIGMSG.INFO + 24, true),
    })
    return 0
  }
}
