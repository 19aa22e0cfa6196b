// How much memory a host process may have: no more than VM has granted, whatever the guest makes of the stub's host calls. Two walls, both
// put up from outside, neither in need of privilege:
//
//   RLIMIT_DATA follows what VM has granted as private writable memory, in steps: more than that and some can't be mapped.
//   A look at what is really resident, every LOOK ms while guests run, finds what was got by cunning (writable memory made read-only
//   counts no more), and memory nobody charged when it was mapped (MAP_NORESERVE). VM hears of it (EXCESS): it counts.
//
// Not counted here: shared memory (VM's objects, files), the stub's stacks as far as there are threads for them.
import { CH, STACK_BYTES, THREADS_MAX } from '../../abi/channel.ts'
import * as host from '../../host/host.ts'
import type { HostProcess, HostProcesses } from './processes.ts'
import { STATE } from './processes.ts'

/** ms between two looks. */
const LOOK = 250
/** Granted beyond what VM says, and in steps of this: patched text, the trampolines, the host's own rounding. */
const SLACK = 16 << 20
const STEP = 64 << 20
/** Private memory of the stub: stacks, patched pages, and what the host counts late. */
const STUB_STACKS = THREADS_MAX * STACK_BYTES
const STUB_PAGES = 4 << 20
/** Looks a process may put off by being in the middle of operations on its memory. */
const PATIENCE = 20
const UNDONE = -1

/** What a host process may have and has: HostProcess.memory. Bytes. */
export interface Allowance {
  /** VM's word: private writable memory mapped; how much of it is charged. */
  mapped: number
  charged: number
  /** RLIMIT_DATA as it is or, before the host process is known, shall be. Infinity: none set. */
  limit: number
  applied: boolean
  /** Resident beyond `charged` at the last look. */
  excess: number
  /** It has run since the last look. */
  ran: boolean
  /** Looks put off in a row. */
  late: number
}
export function newAllowance(): Allowance {
  return { mapped: 0, charged: 0, limit: Number.POSITIVE_INFINITY, applied: true, excess: 0, ran: false, late: 0 }
}
/** A fork's child has what its parent has; the host hands the limit down. */
export function inherit(from: Allowance): Allowance {
  return { ...from, excess: 0, ran: true, late: 0 }
}

export class Allowances {
  private next = 0
  /** Somebody has run since the last look. */
  private stirred = false
  private readonly found: HostProcess[] = []
  constructor(private readonly processes: HostProcesses) {}

  /** VM has granted memory to p, or taken some back. Before the operations run. */
  allow(p: HostProcess, mapped: number, charged: number): void {
    const { memory } = p
    memory.mapped = mapped
    memory.charged = charged
    const least = STUB_STACKS + mapped + SLACK
    if (least <= memory.limit && memory.limit < least + 2 * STEP) return
    memory.limit = least + STEP
    memory.applied = false
    this.apply(p)
  }
  /** Also when its pid has become known. */
  apply(p: HostProcess): void {
    const pid = p.memory.applied ? 0 : this.processes.pidOfHost(p)
    if (pid <= 0) return
    p.memory.applied = true
    host.limitData(pid, p.memory.limit) // where the host doesn't let us, the looks are all there is
  }

  /** p goes on. */
  runs(p: HostProcess): void {
    p.memory.ran = this.stirred = true
  }
  /** ms until the next look is due; Infinity: nobody has run. */
  due(now: number): number {
    return this.stirred ? Math.max(0, this.next - now) : Number.POSITIVE_INFINITY
  }
  /** Look at who has run since the last time. True: there is something for VM (see take). */
  look(now: number): boolean {
    this.next = now + LOOK
    this.stirred = false
    for (const p of this.processes.hosts) {
      const { memory } = p
      this.apply(p)
      if (!memory.ran || p.killAt !== 0 || this.processes.pidOfHost(p) <= 0) continue
      const early = this.unsettled(p) && memory.late++ < PATIENCE
      if (early || p.members.some(t => t.state === STATE.RUNNING)) this.stirred = true
      else memory.ran = false
      if (early) continue
      memory.late = 0
      const known = memory.charged + STUB_PAGES + p.members.length * STACK_BYTES
      const excess = Math.max(0, host.heldBy(p.pid) - known)
      if (excess === 0 && memory.excess === 0) continue
      memory.excess = excess
      this.found.push(p)
    }
    return this.found.length > 0
  }
  /** Its memory may not be yet what VM has decided: operations are on their way. */
  private unsettled(p: HostProcess): boolean {
    if (p.changes.length > 0 || p.members.some(t => t.state === STATE.OPS)) return true
    const t = p.changer
    return t !== null && t.host === p && Atomics.load(t.i32, (t.base + CH.OPDONE) >> 2) === UNDONE
  }
  /** The next of those found → a process-table slot, or -1; `out[0]` its excess. */
  take(out: Float64Array): number {
    for (let p = this.found.shift(); p !== undefined; p = this.found.shift()) {
      const t = p.members.find(one => one.proc >= 0)
      if (t === undefined) continue
      out[0] = p.memory.excess
      return t.proc
    }
    return -1
  }
}
