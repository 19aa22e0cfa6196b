// Errands: what others want in a guest's memory or extended state (kernel calls SAFECOPYFROM, SAFECOPYTO, GETXCONTEXT, SETXCONTEXT,
// OWNTEXT). Its own host thread does it, as host operations, while it rests: blocked in a call, at its boundary, held; one that runs is
// interrupted for it. The operations have a list and a data area of their own in the slot (ASIDE), so what the thread rests in is as
// before. Whoever asked hears of the end by kernel.done.
//
// Invariant: t.rest ≥ 0 from the moment t begins its first errand until the last one is done, and says what state it goes back to.
import { ASIDE_BYTES, ASIDE_OFF, ASIDE_OPS, OP, OP_BYTES, OPFLAG, OPF } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { ERRAND } from '../../abi/ipc.ts'
import { NONE } from '../../abi/message.ts'
import { PAGE, PROT_READ, PROT_WRITE } from '../../abi/mman.ts'
import type { Linux } from './container.ts'
import { forgetPatches } from './patching.ts'
import { type HostProcess, STATE, type Thread, WATCH } from './processes.ts'
import { get64, writeOp } from './thread.ts'

export interface Errand {
  readonly what: number
  /** Process-table slot it is about. */
  readonly proc: number
  readonly address: number
  readonly bytes: number
  readonly data: Uint8Array | null
  readonly prot: number
  readonly client: number
  readonly id: number
}

export class Errands {
  /** Threads with errands not begun. */
  private readonly due = new Set<Thread>()
  constructor(private readonly c: Linux) {}

  order(slot: number, what: number, address: number, bytes: number, from: number, prot: number, client: number, id: number): number {
    const t = this.c.carrier(slot)
    if (t === null) return -E.SRCH
    if (!(bytes >= 0 && bytes <= ASIDE_BYTES)) return -E.INVAL
    const brings = what === ERRAND.COPYOUT || what === ERRAND.SETX
    if (what === ERRAND.TEXT) {
      this.watchText(slot, t, address !== 0)
      if (address === 0) {
        this.c.kernel.done(client, id, 0, 0, 0)
        return 0
      }
    }
    t.errands.push({ what, proc: slot, address, bytes, data: brings ? this.c.arena.mem.slice(from, from + bytes) : null, prot, client, id })
    this.due.add(t)
    return 0
  }
  get waiting(): boolean {
    return this.due.size > 0
  }
  /** Begin what can be begun; bring who runs to a rest. */
  run(): void {
    for (const t of this.due) {
      if (t.errands.length === 0 || t.rest >= 0) this.due.delete(t)
      else if (t.state === STATE.BLOCKED || t.state === STATE.READY || t.state === STATE.HELD) this.begin(t)
      else if (t.state === STATE.RUNNING) this.c.lifecycle.interruptSoon(t)
    }
  }
  /** t rests, or (state CALL) has been interrupted. */
  begin(t: Thread): void {
    this.due.delete(t)
    t.rest = t.state
    this.start(t)
  }
  private start(t: Thread): void {
    const e = t.errands[0] as Errand
    this.c.processes.setState(t, STATE.CALL)
    if (t.rest === STATE.HELD && t.nops > 0) this.c.holds.runPending(t)
    else this.c.dispatcher.postAside(t, this.operations(t, e), e.what === ERRAND.TEXT || isForced(e))
  }

  /** Writes the errand's operations; how many. */
  private operations(t: Thread, e: Errand): number {
    const { data } = e
    if (data !== null) t.mem.set(data, t.base + ASIDE_OFF)
    let n = 0
    const op = (code: number, a0: number, a1: number, a2: number): void =>
      writeOp(t, t.base + ASIDE_OPS + n++ * OP_BYTES, code, OPFLAG.FAILOK, a0, a1, a2)
    const first = Math.floor(e.address / PAGE) * PAGE
    const length = Math.ceil((e.address + e.bytes) / PAGE) * PAGE - first
    if (isForced(e)) op(OP.MPROTECT, first, length, e.prot | wanted(e))
    if (e.what === ERRAND.COPYIN) op(OP.COPYIN, e.address, ASIDE_OFF, e.bytes)
    else if (e.what === ERRAND.COPYOUT) op(OP.COPYOUT, e.address, ASIDE_OFF, e.bytes)
    else if (e.what === ERRAND.GETX) op(OP.SAVEX, 0, ASIDE_BYTES, ASIDE_OFF)
    else if (e.what === ERRAND.SETX) op(OP.LOADX, 0, e.bytes, ASIDE_OFF)
    else if (e.what === ERRAND.TEXT) op(OP.UNPATCH, (t.host as HostProcess).patches, 0, 0)
    if (isForced(e)) op(OP.MPROTECT, first, length, e.prot)
    return n
  }

  /** The stub has run the operations of t's first errand. */
  done(t: Thread): void {
    const e = t.errands[0] as Errand
    if (e.what === ERRAND.TEXT) forgetPatches(t.host as HostProcess)
    this.answer(t, this.result(t, e))
  }
  /** What was pending before it (runPending) has been done, or couldn't be. */
  ready(t: Thread, failed: number): void {
    t.nops = 0
    if (failed < 0) this.start(t)
    else this.answer(t, -E.IO)
  }
  private answer(t: Thread, result: number): void {
    const e = t.errands.shift() as Errand
    const brings = e.what === ERRAND.COPYIN || e.what === ERRAND.GETX
    this.c.kernel.done(e.client, e.id, result, t.base + ASIDE_OFF, brings && result > 0 ? result : 0)
    this.c.kernel.run()
    if (t.rest < 0) return // it ended, or its lender has the thread back
    if (t.errands.length > 0) {
      this.start(t)
      return
    }
    const { rest } = t
    t.rest = -1
    if (rest === STATE.CALL) this.c.dispatcher.conclude(t, 0)
    else this.c.holds.backToRest(t, rest)
  }
  /** What the operation answered, which may be anything: bytes moved, or -errno. */
  private result(t: Thread, e: Errand): number {
    if (e.what === ERRAND.TEXT) return 0
    const r = get64(t, t.base + ASIDE_OPS + (isForced(e) ? OP_BYTES : 0) + OPF.RESULT)
    if (e.what === ERRAND.GETX) return r >= 512 && r <= ASIDE_BYTES ? r : -E.IO
    if (e.what === ERRAND.SETX) return r >= 0 ? 0 : -E.INVAL
    return r > 0 && r <= e.bytes ? r : e.bytes === 0 ? 0 : -E.FAULT
  }

  /** Process `slot` is no more: what is left for it nobody can do. The errand t is at it brings to an end, for nobody. */
  drop(slot: number): void {
    const t = this.c.carrier(slot)
    if (t === null) return
    t.errands = t.errands.flatMap((e, i) => {
      if (e.proc !== slot) return e
      this.c.kernel.done(e.client, e.id, -E.SRCH, 0, 0)
      return i === 0 && t.rest >= 0 ? { ...e, client: NONE } : []
    })
  }
  /** t rests no more, and is somebody else's or nobody's. */
  leave(t: Thread): void {
    if (t.rest >= 0) t.errands.shift()
    t.rest = -1
    if (t.errands.length > 0) this.due.add(t)
  }

  private watchText(slot: number, t: Thread, plain: boolean): void {
    const { watch } = this.c
    const p = t.host as HostProcess
    if (plain) watch[slot] = (watch[slot] as number) | WATCH.TEXT
    else {
      watch[slot] = (watch[slot] as number) & ~WATCH.TEXT
      p.sites.fill(0) // what was patched once may be again
      p.hits.fill(0)
    }
  }
}

/** What access the copy takes. */
function wanted(e: Errand): number {
  return e.what === ERRAND.COPYOUT ? PROT_READ | PROT_WRITE : PROT_READ
}
function isForced(e: Errand): boolean {
  return e.prot >= 0 && (e.what === ERRAND.COPYIN || e.what === ERRAND.COPYOUT) && (e.prot & wanted(e)) !== wanted(e)
}
