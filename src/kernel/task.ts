// SYSTEM as a task: kernel calls that come as messages, from system processes outside this thread. Decodes them (rows in
// protocol/system.ts) and lets System do them. Errors in MINIX's order: EBADREQUEST for a number there is not, then ECALLDENIED. What a
// message names of the arena must lie in it and, once its sender has set one, in its grant.
import { E } from '../abi/errno.ts'
import { CONTEXT } from '../abi/context.ts'
import { ERRAND, GET, HZ, PRIV_RECORD, PROC_ENTRY, RESIDENCE, SYS_PRIV, USAGE } from '../abi/ipc.ts'
import { high, int, long, type Message, NONE, SELF, setGrant, setLong, TYPE, uint, ulong } from '../abi/message.ts'
import { SYS } from '../protocol/system.ts'
import type { Clock } from './clock.ts'
import type { SystemTask } from './dispatch.ts'
import { type PrivilegeTable, USER_PRIV } from './privilege.ts'
import type { ProcessTable } from './process.ts'
import type { System } from './system.ts'

type KernelCall = (proc: number, m: Message) => number

export class Task implements SystemTask {
  private readonly t: ProcessTable
  private readonly privs: PrivilegeTable
  private readonly clock: Clock
  private readonly system: System
  private readonly abort: (how: number) => void
  private readonly view: DataView
  private readonly pair = new Int32Array(2)
  private readonly cpu = new Float64Array(2)

  constructor(t: ProcessTable, privs: PrivilegeTable, clock: Clock, system: System, abort: (how: number) => void) {
    this.t = t
    this.privs = privs
    this.clock = clock
    this.system = system
    this.abort = abort
    this.view = system.view
  }
  /** A kernel call as a message. The answer's cells from 1 on are left in m. */
  request(proc: number, m: Message): number {
    const call = this.calls[m[TYPE]]
    if (call === undefined) return -E.BADREQUEST
    return this.system.permit(proc, m[TYPE], int(m, 0)) ? call(proc, m) : -E.CALLDENIED
  }

  private readonly calls: Readonly<Record<number, KernelCall>> = {
    [SYS.FORK]: (_, m) => this.system.fork(int(m, 0), ulong(m, 1), ulong(m, 2), ulong(m, 3)),
    [SYS.CLEAR]: (_, m) => this.system.clear(int(m, 0)),
    [SYS.PRIVCTL]: (proc, m) => this.privctl(proc, m),
    [SYS.TRACE]: (_, m) => this.system.traceProcess(int(m, 0), int(m, 1)),
    [SYS.KILL]: (_, m) => this.system.kill(int(m, 0), int(m, 1)),
    [SYS.GETKSIG]: (_, m) => {
      this.pair.fill(0)
      const endpoint = this.system.getksig(this.pair)
      setGrant(m, 1, this.pair[0], this.pair[1])
      return endpoint
    },
    [SYS.ENDKSIG]: (_, m) => this.system.endksig(int(m, 0)),
    [SYS.SIGSEND]: (proc, m) =>
      this.granted(proc, uint(m, 1), 0) ? this.system.sigsend(int(m, 0), uint(m, 1)) : -E.FAULT,
    [SYS.SETALARM]: (proc, m) => {
      const ms = long(m, 0)
      return this.system.setalarm(proc, int(m, 1) !== 0 && ms >= 0 ? Math.max(0, ms - this.clock.monotonic()) : ms)
    },
    [SYS.TIMES]: (proc, m) => {
      const whom = int(m, 0) === SELF || int(m, 0) === NONE ? this.t.endpoints[proc] : int(m, 0)
      const result = this.system.times(whom, this.cpu)
      if (result < 0) return result
      setLong(m, 1, Math.round(this.cpu[0] * 1000))
      setLong(m, 2, Math.round(this.cpu[1] * 1000))
      setLong(m, 3, Math.round(this.clock.monotonic() * 1000))
      setLong(m, 4, Math.round(this.clock.realtime() * 1000))
      return 0
    },
    [SYS.GETINFO]: (proc, m) => this.getinfo(proc, m),
    [SYS.ABORT]: (_, m) => {
      this.abort(int(m, 0))
      return 0
    },
    [SYS.SAFECOPYFROM]: (proc, m) =>
      this.system.errand(proc, int(m, 0), ERRAND.COPYIN, ulong(m, 1), int(m, 2), 0, int(m, 3), int(m, 4)),
    [SYS.SAFECOPYTO]: (proc, m) =>
      this.granted(proc, uint(m, 2), high(m, 2))
        ? this.system.errand(proc, int(m, 0), ERRAND.COPYOUT, ulong(m, 1), high(m, 2), uint(m, 2), int(m, 3), int(m, 4))
        : -E.FAULT,
    [SYS.GETXCONTEXT]: (proc, m) => this.system.errand(proc, int(m, 0), ERRAND.GETX, 0, 0, 0, -1, int(m, 1)),
    [SYS.SETXCONTEXT]: (proc, m) =>
      this.granted(proc, uint(m, 1), high(m, 1))
        ? this.system.errand(proc, int(m, 0), ERRAND.SETX, 0, high(m, 1), uint(m, 1), -1, int(m, 2))
        : -E.FAULT,
    [SYS.OWNTEXT]: (proc, m) => this.system.errand(proc, int(m, 0), ERRAND.TEXT, int(m, 1), 0, 0, -1, int(m, 2)),
    [SYS.SETGRANT]: (proc, m) => {
      if (!this.system.inArena(uint(m, 0), int(m, 1))) return -E.FAULT
      this.privs.grantBase[this.t.priv[proc]] = uint(m, 0)
      this.privs.grantBytes[this.t.priv[proc]] = int(m, 1)
      return 0
    },
    [SYS.SETTIME]: (_, m) => {
      this.clock.setRealtime(long(m, 0))
      return 0
    },
    [SYS.VMCTL]: (_, m) =>
      this.system.vmctl(int(m, 0), int(m, 1), ulong(m, 2), ulong(m, 3), ulong(m, 4), 0, 0, int(m, 5), long(m, 6)),
    [SYS.FILEREAD]: (_, m) => this.system.fileRead(int(m, 0), uint(m, 1), int(m, 2), int(m, 3), long(m, 4)),
    [SYS.DIAGCTL]: (proc, m) => {
      const at = uint(m, 0)
      const bytes = high(m, 0)
      if (!this.granted(proc, at, bytes)) return -E.FAULT
      let text = ''
      for (let i = 0; i < bytes; i++) text += String.fromCharCode(this.system.mem[at + i])
      this.system.diag(text)
      return bytes
    },
    [SYS.RUNCTL]: (_, m) => this.system.runctl(int(m, 0), int(m, 1)),
    [SYS.GETMCONTEXT]: (proc, m) => this.context(proc, m, false),
    [SYS.SETMCONTEXT]: (proc, m) => this.context(proc, m, true),
    [SYS.ALLOW]: (_, m) => this.system.allow(int(m, 0), ulong(m, 1), ulong(m, 2)),
    [SYS.EXCESS]: (_, m) => {
      const endpoint = this.system.excess(this.cpu)
      setLong(m, 1, this.cpu[0])
      return endpoint
    },
    [SYS.CREATE]: (_, m) => this.system.create(int(m, 0)),
    [SYS.PEEK]: (proc, m) =>
      this.granted(proc, uint(m, 2), high(m, 2))
        ? this.system.peek(int(m, 0), ulong(m, 1), uint(m, 2), high(m, 2))
        : -E.FAULT,
    [SYS.POKE]: (proc, m) =>
      this.granted(proc, uint(m, 2), high(m, 2))
        ? this.system.poke(int(m, 0), ulong(m, 1), uint(m, 2), high(m, 2))
        : -E.FAULT,
    [SYS.USAGE]: (proc, m) =>
      high(m, 1) >= USAGE.BYTES && this.granted(proc, uint(m, 1), USAGE.BYTES)
        ? this.system.usage(int(m, 0), uint(m, 1))
        : -E.FAULT,
    [SYS.RESIDENCE]: (proc, m) =>
      this.granted(proc, uint(m, 1), high(m, 1))
        ? this.system.residence(int(m, 0), uint(m, 1), Math.floor(high(m, 1) / RESIDENCE.BYTES))
        : -E.FAULT,
  }
  private context(caller: number, m: Message, set: boolean): number {
    const at = uint(m, 1)
    if (high(m, 1) < CONTEXT.BYTES || !this.granted(caller, at, CONTEXT.BYTES)) return -E.FAULT
    return set ? this.system.setContext(int(m, 0), at) : this.system.getContext(int(m, 0), at)
  }
  /** A range a message names must lie in the arena and, once its sender has set one, in its grant. */
  private granted(proc: number, offset: number, bytes: number): boolean {
    const id = this.t.priv[proc]
    const base = this.privs.grantBase[id]
    const length = this.privs.grantBytes[id]
    return this.system.inArena(offset, bytes) && (length === 0 || (offset >= base && offset + bytes <= base + length))
  }

  private privctl(caller: number, m: Message): number {
    const proc = this.system.process(int(m, 0))
    if (proc < 0) return proc
    const request = int(m, 1)
    if (request === SYS_PRIV.SET_USER) {
      this.system.setUser(proc)
      return 0
    }
    if (request !== SYS_PRIV.SET_SYS && request !== SYS_PRIV.UPDATE_SYS) return -E.INVAL
    if (request === SYS_PRIV.UPDATE_SYS && this.t.priv[proc] === USER_PRIV) return -E.INVAL
    const at = uint(m, 2)
    if (high(m, 2) < PRIV_RECORD.BYTES || !this.granted(caller, at, PRIV_RECORD.BYTES)) return -E.FAULT
    const id = this.system.ownPriv(proc)
    if (id < 0) return id
    this.privs.setWords(id, k => this.view.getInt32(at + 4 * k, true))
    return 0
  }

  private getinfo(proc: number, m: Message): number {
    const what = int(m, 0)
    if (what === GET.HZ) return HZ
    if (what === GET.WHOAMI) return this.t.endpoints[proc]
    const at = uint(m, 1)
    const bytes = high(m, 1)
    if (!this.granted(proc, at, bytes)) return -E.FAULT
    if (what === GET.RANDOMNESS) {
      this.system.random(at, bytes)
      return bytes
    }
    if (what === GET.PROC) return bytes < PROC_ENTRY.BYTES ? -E.INVAL : this.putEntry(proc, at)
    return what === GET.PROCTAB ? this.putTable(at, bytes) : -E.INVAL
  }
  private putTable(at: number, bytes: number): number {
    let count = 0
    for (let proc = 0; proc < this.t.top && (count + 1) * PROC_ENTRY.BYTES <= bytes; proc++)
      if (this.t.endpoints[proc] !== NONE) count += this.putEntry(proc, at + count * PROC_ENTRY.BYTES)
    return count
  }
  private putEntry(proc: number, at: number): number {
    const { t, view } = this
    view.setInt32(at + PROC_ENTRY.SLOT, proc, true)
    view.setInt32(at + PROC_ENTRY.ENDPOINT, t.endpoints[proc], true)
    view.setInt32(at + PROC_ENTRY.FLAGS, t.flags[proc], true)
    view.setInt32(at + PROC_ENTRY.GETFROM, t.getFrom[proc], true)
    view.setInt32(at + PROC_ENTRY.SENDTO, t.sendTo[proc], true)
    view.setInt32(at + PROC_ENTRY.PRIV, t.priv[proc], true)
    view.setInt32(at + PROC_ENTRY.DOMAIN, t.domain(proc), true)
    view.setInt32(at + PROC_ENTRY.SPARE, 0, true)
    view.setFloat64(at + PROC_ENTRY.SENT, t.sent[proc], true)
    view.setFloat64(at + PROC_ENTRY.RECEIVED, t.received[proc], true)
    view.setFloat64(at + PROC_ENTRY.CALLS, t.kernelCalls[proc], true)
    return 1
  }
}
