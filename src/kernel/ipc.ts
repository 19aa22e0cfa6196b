// Message passing: the fast path of a guest's call, and the rendezvous of processes as in MINIX 3 (kernel/proc.c).
// Servers run in this thread (dispatch.ts); everybody else is a process: it traps, may block, and is told by its container.
//
// Order of checks, MINIX's: 1 partner EDEADSRCDST, 2 trap ETRAPDENIED, 3 message EFAULT (never: messages have no address here),
// 4 destination ECALLDENIED, 5 deadlock ELOCKED, 6 function EBADCALL.
import { E } from '../abi/errno.ts'
import { IPC, NON_BLOCKING } from '../abi/ipc.ts'
import { ANY, MESSAGE_WORDS, NONE, NR_TASKS, SELF, SLOTS, SUSPEND, slotOf, TYPE } from '../abi/message.ts'
import type { Dispatch } from './dispatch.ts'
import type { DomainTable } from './domain.ts'
import { isTask, type Post, stamp } from './post.ts'
import type { PrivilegeTable } from './privilege.ts'
import {
  BLOCKED,
  BUSY,
  CALLING,
  FREE,
  IN_CALL,
  type ProcessTable,
  RECEIVING,
  REPLY_PENDING,
  SENDING,
  SERVER,
} from './process.ts'
import { EVENT, type Trace } from './trace.ts'

const SENDREC_BIT = 1 << IPC.SENDREC
const BLOCKING = (1 << IPC.SEND) | (1 << IPC.RECEIVE) | (1 << IPC.SENDREC)

export class Ipc {
  private readonly t: ProcessTable
  private readonly privs: PrivilegeTable
  private readonly domains: DomainTable
  private readonly post: Post
  private readonly dispatch: Dispatch
  private readonly trace: Trace

  constructor(
    t: ProcessTable,
    privs: PrivilegeTable,
    domains: DomainTable,
    post: Post,
    dispatch: Dispatch,
    trace: Trace,
  ) {
    this.t = t
    this.privs = privs
    this.domains = domains
    this.post = post
    this.dispatch = dispatch
    this.trace = trace
  }
  call(proc: number, slot: number): number {
    const t = this.t
    const { flags, words } = t
    // 0. A process makes one call at a time, to a slot there is.
    if ((flags[proc] & (FREE | BLOCKED)) !== 0 || slot >>> 0 >= SLOTS) return this.post.refuse(proc, NONE, -E.BADCALL)
    const to = this.domains.routes[t.base[proc] + slot]
    const dst = slotOf(to)
    if (dst < 0) return this.callTask(proc, to)
    // 1. Somebody stands there, and is that incarnation still.
    if (dst >= t.size || t.endpoints[dst] !== to) return this.post.refuse(proc, to, -E.DEADSRCDST)
    // 2. The caller may SENDREC.
    const id = t.priv[proc]
    if ((this.privs.traps[id] & SENDREC_BIT) === 0) return this.post.refuse(proc, to, -E.TRAPDENIED)
    // 4. It may send there.
    const toId = t.priv[dst]
    if ((this.privs.ipcTo[2 * id + (toId >> 5)] & (1 << (toId & 31))) === 0)
      return this.post.refuse(proc, to, -E.CALLDENIED)
    // 5. An idle server waits for nobody: no cycle.
    flags[proc] |= CALLING
    if ((flags[dst] & (SERVER | BUSY)) !== SERVER) return this.callSlow(proc, dst)
    const source = proc * MESSAGE_WORDS
    const target = dst * MESSAGE_WORDS
    for (let w = TYPE; w < MESSAGE_WORDS; w++) words[target + w] = words[source + w]
    const result = this.dispatch.serve(proc, dst)
    // The reply's cells come back too (EXECOPEN, MAP… answer in them).
    if (result !== SUSPEND) for (let w = TYPE + 1; w < MESSAGE_WORDS; w++) words[source + w] = words[target + w]
    return result
  }
  /** A call to a server that is busy or to a process: the general rendezvous. */
  private callSlow(proc: number, dst: number): number {
    const to = this.t.endpoints[dst]
    const result = this.deadlock(IPC.SENDREC, proc, dst) ? -E.LOCKED : this.sendrec(proc, dst, false)
    if (result === SUSPEND) return SUSPEND
    this.t.flags[proc] &= ~IN_CALL
    return this.post.refuse(proc, to, result)
  }
  private callTask(proc: number, to: number): number {
    if (!isTask(to)) return this.post.refuse(proc, to, -E.DEADSRCDST)
    const id = this.t.priv[proc]
    if ((this.privs.traps[id] & SENDREC_BIT) === 0) return this.post.refuse(proc, to, -E.TRAPDENIED)
    if (!this.privs.maySend(id, to + NR_TASKS)) return this.post.refuse(proc, to, -E.CALLDENIED)
    return this.dispatch.askTask(proc, to, this.t.messages[proc])
  }
  trap(proc: number, opAndFlags: number, endpoint: number): number {
    const { t, privs } = this
    const op = opAndFlags & ~NON_BLOCKING
    const now = op !== opAndFlags
    if ((t.flags[proc] & (FREE | BLOCKED)) !== 0) return this.post.refuse(proc, endpoint, -E.BADCALL)
    const to = endpoint === SELF ? t.endpoints[proc] : endpoint
    const task = isTask(to)
    const partner = t.slot(to)
    if (!task && partner < 0 && !(to === ANY && op === IPC.RECEIVE)) return this.post.refuse(proc, to, -E.DEADSRCDST)
    const id = t.priv[proc]
    if (op >>> 0 > 31 || (privs.traps[id] & (1 << op)) === 0) return this.post.refuse(proc, to, -E.TRAPDENIED)
    if (task && op !== IPC.SENDREC && op !== IPC.RECEIVE) return this.post.refuse(proc, to, -E.TRAPDENIED)
    if (op !== IPC.RECEIVE && !privs.maySend(id, task ? to + NR_TASKS : t.priv[partner]))
      return this.post.refuse(proc, to, -E.CALLDENIED)
    if (!now && ((1 << op) & BLOCKING) !== 0 && partner >= 0 && this.deadlock(op, proc, partner))
      return this.post.refuse(proc, to, -E.LOCKED)
    const result = task && op === IPC.SENDREC ? this.sendrecTask(proc, to) : this.perform(proc, op, partner, to, now)
    return result < 0 && result !== SUSPEND ? this.post.refuse(proc, to, result) : result
  }
  private perform(proc: number, op: number, partner: number, to: number, now: boolean): number {
    switch (op) {
      case IPC.SEND:
        return this.send(proc, partner, now)
      case IPC.SENDNB:
        return this.send(proc, partner, true)
      case IPC.RECEIVE:
        return this.receive(proc, to, now)
      case IPC.SENDREC:
        return this.sendrec(proc, partner, now)
      case IPC.NOTIFY:
        return this.post.notify(this.t.priv[proc], this.t.endpoints[proc], partner)
      case IPC.SENDA:
        return this.post.post(partner, this.t.endpoints[proc], this.t.messages[proc])
      default:
        return -E.BADCALL
    }
  }
  private send(proc: number, dst: number, now: boolean): number {
    const { t } = this
    if ((t.flags[dst] & SERVER) !== 0 ? (t.flags[dst] & BUSY) === 0 : this.post.awaits(dst, t.endpoints[proc])) {
      t.sent[proc]++
      return (t.flags[dst] & SERVER) !== 0
        ? this.dispatch.tellServer(proc, dst)
        : this.post.hand(dst, t.endpoints[proc], t.words, proc * MESSAGE_WORDS)
    }
    if (now) return -E.NOTREADY
    t.flags[proc] |= SENDING
    t.sendTo[proc] = t.endpoints[dst]
    t.enqueue(proc, dst)
    if ((t.flags[dst] & SERVER) !== 0) this.post.work.push(dst)
    if (this.trace.on) this.trace.put(EVENT.BLOCK, t.endpoints[proc], t.endpoints[dst], IPC.SEND, 0)
    return SUSPEND
  }
  /** SENDREC: send, then wait for the answer of the same partner and nothing else. */
  private sendrec(proc: number, dst: number, now: boolean): number {
    const { t } = this
    if ((t.flags[dst] & (SERVER | BUSY)) === SERVER) return this.ask(proc, dst)
    t.flags[proc] |= REPLY_PENDING
    const to = t.endpoints[dst]
    const sent = this.send(proc, dst, now)
    if (sent === SUSPEND || (sent === 0 && (t.flags[proc] & CALLING) !== 0)) {
      t.flags[proc] |= RECEIVING
      t.getFrom[proc] = to
      return SUSPEND
    }
    const result = sent < 0 ? sent : this.receive(proc, to, false)
    if (result !== SUSPEND) t.flags[proc] &= ~REPLY_PENDING
    return result
  }
  /** SENDREC of a process to an idle server: the reply is left in its message. */
  private ask(proc: number, dst: number): number {
    const { words, endpoints, messages } = this.t
    words.copyWithin(dst * MESSAGE_WORDS, proc * MESSAGE_WORDS, (proc + 1) * MESSAGE_WORDS)
    const result = this.dispatch.serve(proc, dst)
    if (result === SUSPEND) return SUSPEND
    words.copyWithin(proc * MESSAGE_WORDS, dst * MESSAGE_WORDS, (dst + 1) * MESSAGE_WORDS)
    stamp(messages[proc], endpoints[dst], result)
    return 0
  }
  private sendrecTask(proc: number, to: number): number {
    const m = this.t.messages[proc]
    stamp(m, to, this.dispatch.askTask(proc, to, m))
    return 0
  }
  /** Next message from `from` (endpoint or ANY): notifications, then asynchronous ones, then those who wait to send (MINIX's order). */
  private receive(proc: number, from: number, now: boolean): number {
    const { t } = this
    const id = (t.flags[proc] & REPLY_PENDING) !== 0 ? -1 : this.post.notifier(proc, from)
    if (id >= 0) {
      this.post.takeNotification(proc, id)
      return 0
    }
    if (this.post.takeAsync(proc, from)) return 0
    const sender = t.caller(proc, from)
    if (sender >= 0) {
      t.words.copyWithin(proc * MESSAGE_WORDS, sender * MESSAGE_WORDS, (sender + 1) * MESSAGE_WORDS)
      this.post.received(proc, t.endpoints[sender])
      this.post.taken(sender, proc)
      return 0
    }
    if (now) return -E.NOTREADY
    t.flags[proc] |= RECEIVING
    t.getFrom[proc] = from
    if (this.trace.on) this.trace.put(EVENT.BLOCK, t.endpoints[proc], from, IPC.RECEIVE, 0)
    return SUSPEND
  }
  /** MINIX's deadlock(): follow whom `partner` waits for. A cycle is fatal but for two of whom one sends and the other receives. */
  private deadlock(op: number, proc: number, partner: number): boolean {
    const { t } = this
    const self = t.endpoints[proc]
    if (partner === proc) return true
    let group = 1
    for (let x = partner; x >= 0; ) {
      group++
      const state = t.flags[x]
      if ((state & BLOCKED) === 0) return false
      const next = (state & SENDING) !== 0 ? t.sendTo[x] : t.getFrom[x]
      if (next === self) return !(group === 2 && ((state ^ (op << 2)) & SENDING) !== 0)
      x = t.slot(next)
    }
    return false
  }
}
