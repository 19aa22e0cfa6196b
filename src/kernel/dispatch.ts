// Servers of this thread. Delivering to one is running its handler, to the end; meanwhile it is BUSY. Here is how messages get there
// (a call, a server's request, what was queued), what a handler's result means, and what servers themselves send.
import { E } from '../abi/errno.ts'
import { IPC } from '../abi/ipc.ts'
import { ANY, EP, MESSAGE_WORDS, type Message, NR_TASKS, SOURCE, SUSPEND, slotOf, TYPE } from '../abi/message.ts'
import type { Interruption } from './interruption.ts'
import { isTask, type Post, stamp } from './post.ts'
import type { PrivilegeTable } from './privilege.ts'
import {
  ANSWERED,
  BLOCKED,
  BUSY,
  CALLING,
  CANCEL_DUE,
  HANDLED,
  IN_CALL,
  type ProcessTable,
  RECEIVING,
  REPLY_PENDING,
  SENDING,
  SERVER,
} from './process.ts'
import { EVENT, type Trace } from './trace.ts'
import { TYPES, type VectorTable } from './vector.ts'

const SENDREC_BIT = 1 << IPC.SENDREC

/** The SYSTEM task, as far as messages reach it: the kernel call in m; the answer's cells are left in m. */
export interface SystemTask {
  request(proc: number, m: Message): number
}

export class Dispatch {
  /** Slot of the server whose handler runs now, the innermost; -1: none. */
  running = -1
  private readonly t: ProcessTable
  private readonly privs: PrivilegeTable
  private readonly vectors: VectorTable
  private readonly post: Post
  private readonly interruption: Interruption
  private readonly trace: Trace
  private system: SystemTask = { request: () => -E.BADREQUEST }

  constructor(
    t: ProcessTable,
    privs: PrivilegeTable,
    vectors: VectorTable,
    post: Post,
    interruption: Interruption,
    trace: Trace,
  ) {
    this.t = t
    this.privs = privs
    this.vectors = vectors
    this.post = post
    this.interruption = interruption
    this.trace = trace
  }
  attach(system: SystemTask): void {
    this.system = system
  }
  /** Puts the request in the message buffer of idle server `dst` to its handler, for `proc`. Result, or SUSPEND and `proc` waits. */
  serve(proc: number, dst: number): number {
    const t = this.t
    const { flags, endpoints } = t
    const from = endpoints[proc]
    t.getFrom[proc] = endpoints[dst]
    flags[proc] |= RECEIVING | REPLY_PENDING | HANDLED
    t.sent[proc]++
    const result = this.handle(dst, from)
    if (endpoints[proc] !== from) return SUSPEND // its own call ended it
    if (result === SUSPEND) return this.suspend(proc, dst)
    flags[proc] &= ~IN_CALL
    t.sent[dst]++
    t.received[proc]++
    return result
  }
  /** The handler of `dst` has put the call of `proc` off, or it has answered it before it returned. */
  private suspend(proc: number, dst: number): number {
    const { flags } = this.t
    if ((flags[proc] & ANSWERED) !== 0) {
      flags[proc] &= ~IN_CALL
      this.t.sent[dst]++
      this.t.received[proc]++
      return this.t.early[proc]
    }
    flags[proc] &= ~HANDLED
    if ((flags[proc] & CANCEL_DUE) !== 0) this.interruption.postCancel(proc, dst)
    return SUSPEND
  }
  /** Runs the handler of idle server `dst` on its message buffer; `from` needs no answer, or takes it from the result. */
  handle(dst: number, from: number): number {
    const { t } = this
    const m = t.messages[dst]
    const type = m[TYPE]
    m[SOURCE] = from
    t.received[dst]++
    t.flags[dst] |= BUSY
    if (this.trace.on) this.trace.put(EVENT.CALL, from, t.endpoints[dst], type, 0)
    const outer = this.running
    this.running = dst
    const result = type >>> 0 < TYPES ? this.vectors.vectors[dst][type](m, from) : this.vectors.outOfRange(dst)
    this.running = outer
    t.flags[dst] &= ~BUSY
    if (this.trace.on) this.trace.put(EVENT.RETURN, from, t.endpoints[dst], type, result)
    return result
  }
  /** Runs the server in `dst` on what takeNotification or takeAsync left in its buffer (and counted). */
  private enter(dst: number, notification: boolean): void {
    const { t } = this
    const m = t.messages[dst]
    const from = m[SOURCE]
    const type = m[TYPE]
    const outer = this.running
    this.running = dst
    t.flags[dst] |= BUSY
    if (notification) this.vectors.servers[dst]?.notified?.(from, m)
    else if (from === EP.SYSTEM) this.vectors.tell(dst, m, from)
    else if (type >>> 0 < TYPES) this.vectors.vectors[dst][type](m, from)
    else this.vectors.outOfRange(dst)
    t.flags[dst] &= ~BUSY
    this.running = outer
  }
  /** Delivers one thing to the server in `dst`: a notification, else a queued message, else the request of the first who waits. */
  deliver(dst: number): void {
    const { t } = this
    const id = this.post.notifier(dst, ANY)
    if (id >= 0) {
      this.post.takeNotification(dst, id)
      this.enter(dst, true)
    } else if (this.post.takeAsync(dst, ANY)) this.enter(dst, false)
    else if (t.callerHead[dst] >= 0) this.deliverCaller(t.callerHead[dst], dst)
  }
  private deliverCaller(proc: number, dst: number): void {
    const { t } = this
    t.words.copyWithin(dst * MESSAGE_WORDS, proc * MESSAGE_WORDS, (proc + 1) * MESSAGE_WORDS)
    if ((t.flags[proc] & RECEIVING) === 0) {
      const from = t.endpoints[proc]
      this.post.taken(proc, dst)
      this.handle(dst, from)
      return
    }
    t.dequeue(proc, dst)
    t.flags[proc] &= ~BLOCKED
    const call = t.flags[proc] & CALLING
    const result = this.serve(proc, dst)
    if (result === SUSPEND) return
    if (call === 0) {
      t.words.copyWithin(proc * MESSAGE_WORDS, dst * MESSAGE_WORDS, (dst + 1) * MESSAGE_WORDS)
      stamp(t.messages[proc], t.endpoints[dst], result)
    }
    this.post.complete(proc, call !== 0 ? result : 0)
  }
  /** SEND to an idle server: the handler's result goes nowhere. */
  tellServer(proc: number, dst: number): number {
    const { t } = this
    const from = t.endpoints[proc]
    t.words.copyWithin(dst * MESSAGE_WORDS, proc * MESSAGE_WORDS, (proc + 1) * MESSAGE_WORDS)
    this.handle(dst, from)
    return t.endpoints[proc] === from ? 0 : SUSPEND
  }
  /** SENDREC of a server to another. Synchronous; the reply is left in m. */
  request(self: number, to: number, m: Message): number {
    const { t, privs } = this
    const { flags, words } = t
    const dst = slotOf(to)
    if (dst < 0 && !isTask(to)) return this.post.refuse(self, to, -E.DEADSRCDST)
    if (dst >= 0 && (dst >= t.size || t.endpoints[dst] !== to)) return this.post.refuse(self, to, -E.DEADSRCDST)
    const id = t.priv[self]
    if ((privs.traps[id] & SENDREC_BIT) === 0) return this.post.refuse(self, to, -E.TRAPDENIED)
    if (!privs.maySend(id, dst < 0 ? dst + NR_TASKS : t.priv[dst])) return this.post.refuse(self, to, -E.CALLDENIED)
    if (dst < 0) {
      const result = this.askTask(self, to, m)
      stamp(m, to, result)
      return result
    }
    // A busy server is further out in this very chain of calls; a process couldn't answer before we return.
    if ((flags[dst] & SERVER) === 0) return this.post.refuse(self, to, -E.NOTREADY)
    if ((flags[dst] & BUSY) !== 0 || dst === self) return this.post.refuse(self, to, -E.LOCKED)
    const target = dst * MESSAGE_WORDS
    for (let w = TYPE; w < MESSAGE_WORDS; w++) words[target + w] = m[w]
    const wasBusy = flags[self] & BUSY // not in a handler when a driver works on a host event
    flags[self] |= BUSY
    t.sent[self]++
    const result = this.handle(dst, t.endpoints[self])
    t.received[self]++
    t.sent[dst]++
    if (wasBusy === 0) flags[self] &= ~BUSY
    for (let w = TYPE; w < MESSAGE_WORDS; w++) m[w] = words[target + w]
    stamp(m, to, result)
    return result
  }
  askTask(proc: number, to: number, m: Message): number {
    this.t.sent[proc]++
    const result = to === EP.SYSTEM ? this.system.request(proc, m) : -E.BADREQUEST
    this.t.received[proc]++
    return result
  }
  /** Answer to a call whose handler returned SUSPEND. Whom one serves one may answer: no further check. */
  reply(self: number, to: number, result: number): number {
    const { t } = this
    const proc = t.slot(to)
    if (proc < 0) return -E.DEADSRCDST
    const state = t.flags[proc]
    const waiting = (state & (SENDING | RECEIVING | REPLY_PENDING | ANSWERED)) === (RECEIVING | REPLY_PENDING)
    if (!waiting || t.getFrom[proc] !== t.endpoints[self]) return -E.NOTREADY
    if (this.trace.on) this.trace.put(EVENT.REPLY, t.endpoints[self], to, 0, result)
    if ((state & HANDLED) !== 0) {
      t.early[proc] = result
      t.flags[proc] |= ANSWERED
      return 0
    }
    t.sent[self]++
    this.answer(proc, t.endpoints[self], result)
    return 0
  }
  /** The SENDREC of `proc` is answered: by result alone, or with a message when it came by trap. */
  private answer(proc: number, source: number, result: number): void {
    const { t } = this
    const call = (t.flags[proc] & CALLING) !== 0
    t.received[proc]++
    if (!call) {
      t.messages[proc].fill(0)
      stamp(t.messages[proc], source, result)
    }
    this.post.complete(proc, call ? result : 0)
  }
  /** SENDA of a server. */
  senda(self: number, to: number, m: Message): number {
    const dst = this.receiver(self, to, IPC.SENDA)
    return dst < 0 ? this.post.refuse(self, to, dst) : this.post.post(dst, this.t.endpoints[self], m)
  }
  /** NOTIFY of a server. */
  notify(self: number, to: number): number {
    const dst = this.receiver(self, to, IPC.NOTIFY)
    return dst < 0 ? this.post.refuse(self, to, dst) : this.post.notify(this.t.priv[self], this.t.endpoints[self], dst)
  }
  /** Slot of `to`, if server `self` may trap `op` to it. */
  private receiver(self: number, to: number, op: number): number {
    const { t, privs } = this
    const dst = t.slot(to)
    if (dst < 0 && !isTask(to)) return -E.DEADSRCDST
    if (dst < 0 || (privs.traps[t.priv[self]] & (1 << op)) === 0) return -E.TRAPDENIED
    return privs.maySend(t.priv[self], t.priv[dst]) ? dst : -E.CALLDENIED
  }
}
