// How waits end before their time: interruption (a signal is due), and the end of a process.
import { E } from '../abi/errno.ts'
import { EP, message, setInt, TYPE } from '../abi/message.ts'
import { COMMON_CALL } from '../protocol/common.ts'
import type { Post } from './post.ts'
import { USER_PRIV } from './privilege.ts'
import {
  BLOCKED,
  CALLING,
  CANCEL_DUE,
  FREE,
  HANDLED,
  MARKED,
  type ProcessTable,
  RECEIVING,
  REPLY_PENDING,
  SENDING,
  SERVER,
} from './process.ts'
import { EVENT, type Trace } from './trace.ts'

export class Interruption {
  private readonly t: ProcessTable
  private readonly post: Post
  private readonly trace: Trace
  private readonly scratch = message()

  constructor(t: ProcessTable, post: Post, trace: Trace) {
    this.t = t
    this.post = post
    this.trace = trace
  }
  /** Brings `proc` to a boundary: it is marked, and what it is blocked in shall end. */
  interrupt(proc: number): void {
    const { t } = this
    const state = t.flags[proc]
    t.flags[proc] |= MARKED
    if ((state & HANDLED) !== 0) t.flags[proc] |= CANCEL_DUE
    else if ((state & BLOCKED) === 0) t.containers[proc].interrupt(proc)
    else if ((state & CANCEL_DUE) === 0) this.cancel(proc)
  }
  mark(proc: number): void {
    const { t } = this
    const state = t.flags[proc]
    t.flags[proc] |= MARKED
    if ((state & BLOCKED) === 0) t.containers[proc].interrupt(proc)
  }
  /** A request that was taken is the server's to end; anything else ends here. One that wasn't taken may be made again, unseen. */
  private cancel(proc: number): void {
    const { t } = this
    const state = t.flags[proc]
    if ((state & SENDING) === 0 && (state & REPLY_PENDING) !== 0) {
      const partner = t.slot(t.getFrom[proc])
      if (t.priv[partner] !== USER_PRIV) {
        this.postCancel(proc, partner)
        return
      }
    }
    if ((state & SENDING) !== 0) t.dequeue(proc, t.slot(t.sendTo[proc]))
    this.post.complete(proc, (state & (SENDING | CALLING)) === (SENDING | CALLING) ? -E.RESTARTNOINTR : -E.INTR)
  }
  postCancel(proc: number, server: number): void {
    const { t, post, scratch } = this
    t.flags[proc] |= CANCEL_DUE
    scratch.fill(0)
    scratch[TYPE] = COMMON_CALL.CANCEL
    setInt(scratch, 0, t.endpoints[proc])
    const at = post.queue.put(server, EP.SYSTEM, scratch, true)
    post.queue.cancels[at] = t.endpoints[proc]
    post.queue.calls[at] = t.sent[proc] | 0
    if (this.trace.on)
      this.trace.put(EVENT.QUEUE, EP.SYSTEM, t.endpoints[server], COMMON_CALL.CANCEL, t.endpoints[proc])
    if ((t.flags[server] & SERVER) === 0 && this.post.awaits(server, EP.SYSTEM)) t.flags[proc] &= ~CANCEL_DUE
    this.post.poke(server, EP.SYSTEM)
  }
  /** `proc` is about to end: out of every queue, its partners told, its notifications and messages forgotten. */
  disconnect(proc: number): void {
    const { t } = this
    const gone = t.endpoints[proc]
    if ((t.flags[proc] & SENDING) !== 0) t.dequeue(proc, t.slot(t.sendTo[proc]))
    this.post.queue.forget(proc)
    for (let other = t.callerHead[proc]; other >= 0; other = t.callerHead[proc]) {
      t.dequeue(other, proc)
      this.post.complete(other, -E.DEADSRCDST)
    }
    for (let other = 0; other < t.top; other++) {
      const waits = (t.flags[other] & (FREE | RECEIVING)) === RECEIVING && t.getFrom[other] === gone
      if (waits) this.post.complete(other, -E.DEADSRCDST)
    }
    const id = t.priv[proc]
    if (id === USER_PRIV) return
    for (let other = 0; other < t.top; other++) t.notifyPending[2 * other + (id >> 5)] &= ~(1 << (id & 31))
  }
}
