// Children's news for their parents: SIGCHLD, and wait4 and waitid, which suspend until there is some. wait(2); kernel/exit.c do_wait,
// kernel/signal.c do_notify_parent. Invariant: a suspended wait is tried again at every piece of news, so it never misses any.
import { E } from '../../abi/errno.ts'
import { int, type Message, SUSPEND } from '../../abi/message.ts'
import { CLD, SA, SIG, SIG_IGN, SIGINFO } from '../../abi/signals.ts'
import type { CallVector } from '../../lib/server.ts'
import { PM } from '../../protocol/pm.ts'
import { reap } from './exit.ts'
import { type Counts, newCounts, type Pm, type Process, type Request, STATE, type Task, taskOf, type Usage, WAITING } from './mproc.ts'
import { isNonblocking, targetOf } from './pidfd.ts'
import { flagsOf, handlerOf, info, isDue, noChildStop, send } from './signal.ts'
import { finish, writeInfo } from './suspended.ts'
import { grantOf } from './tell.ts'
import { isTracedBy, releaseZombie } from './trace.ts'
import { addCounts, countsOf, usageOf, writeUsage } from './usage.ts'

const P = { ALL: 0, PID: 1, PGID: 2, PIDFD: 3 } as const
const W = { NOHANG: 1, UNTRACED: 2, EXITED: 4, CONTINUED: 8, NOWAIT: 0x1000000, NOTHREAD: 0x20000000, ALL: 0x40000000, CLONE: 0x80000000 } as const
const WAIT4_OPTIONS = W.NOHANG | W.UNTRACED | W.CONTINUED | W.NOTHREAD | W.ALL | W.CLONE
const WAITID_OPTIONS = WAIT4_OPTIONS | W.EXITED | W.NOWAIT

export function waitCalls(pm: Pm): CallVector {
  return {
    [PM.WAITPID]: (m, from) => {
      const t = taskOf(pm, from)
      return t === undefined ? -E.SRCH : wait4(pm, t, m)
    },
    [PM.WAITID]: (m, from) => {
      const t = taskOf(pm, from)
      return t === undefined ? -E.SRCH : waitid(pm, t, m)
    },
  }
}

function wait4(pm: Pm, t: Task, m: Message): number {
  const pid = int(m, 0)
  const options = int(m, 2)
  if ((options & ~WAIT4_OPTIONS) !== 0) return -E.INVAL
  if (pid === -2147483648) return -E.SRCH
  const r = t.request
  r.idType = pid === -1 ? P.ALL : pid > 0 ? P.PID : P.PGID
  r.id = pid > 0 ? pid : pid < -1 ? -pid : t.process.pgrp
  r.options = options | W.EXITED
  r.statusAt = grantOf(m, 1)
  r.usageAt = grantOf(m, 3)
  r.infoAt = -1
  r.answersPid = true
  return begin(pm, t)
}

function waitid(pm: Pm, t: Task, m: Message): number {
  const idType = int(m, 0)
  const id = int(m, 1)
  const options = int(m, 3)
  if ((options & ~WAITID_OPTIONS) !== 0 || (options & (W.EXITED | W.UNTRACED | W.CONTINUED)) === 0) return -E.INVAL
  if (idType < 0 || idType > P.PIDFD || (idType === P.PID && id <= 0) || (idType === P.PGID && id < 0) || (idType === P.PIDFD && id < 0))
    return -E.INVAL
  const r = t.request
  r.idType = idType === P.PIDFD ? P.PID : idType
  r.id = idType === P.PGID && id === 0 ? t.process.pgrp : id
  r.options = options
  let patient = true
  if (idType === P.PIDFD) {
    const target = targetOf(pm, t, id)
    if (typeof target === 'number') return target === -E.BADF ? target : -E.CHILD
    r.id = target.process.pid
    patient = !isNonblocking(pm, t, id)
    if (!patient) r.options |= W.NOHANG
  }
  r.statusAt = -1
  r.infoAt = grantOf(m, 2)
  r.usageAt = grantOf(m, 4)
  r.answersPid = false
  const result = begin(pm, t)
  return result > 0 ? 0 : result === 0 && !patient && (options & W.NOHANG) === 0 ? -E.AGAIN : result
}

function begin(pm: Pm, t: Task): number {
  if (t.request.usageAt >= 0) t.process.asksCounts = true
  const result = look(pm, t)
  if (result !== SUSPEND) return result
  if (isDue(t)) {
    pm.sys.mark(t.endpoint)
    return -E.RESTARTSYS
  }
  t.waiting = WAITING.CHILD
  return SUSPEND
}

/** One look at the children: pid of one with news (taken, unless WNOWAIT), 0 for WNOHANG, -ECHILD, or SUSPEND. */
function look(pm: Pm, t: Task): number {
  const r = t.request
  let any = false
  for (const p of t.process.children) {
    if (!isEligible(t, p, r)) continue
    if (p.state === STATE.ZOMBIE) {
      if (p.tracer !== 0 && pm.tasks.get(p.tracer)?.process !== t.process) any = true // its tracer's first
      else if ((r.options & W.EXITED) !== 0) return takeZombie(pm, t, p)
      continue
    }
    any = true
    if (isTracedBy(pm, p.leader, t.process)) continue
    if (p.stopReport !== 0 && (r.options & W.UNTRACED) !== 0) return takeStop(pm, t, p)
    else if (p.contReport && (r.options & W.CONTINUED) !== 0) return takeContinue(pm, t, p)
  }
  const traced = lookAtTraced(pm, t)
  if (traced !== 0) return traced
  if (!any && !tracesAny(pm, t)) return -E.CHILD
  if ((r.options & W.NOHANG) === 0) return SUSPEND
  if (r.infoAt >= 0) pm.sys.mem.fill(0, r.infoAt, r.infoAt + SIGINFO.BYTES)
  if (r.statusAt >= 0) pm.sys.view.setInt32(r.statusAt, 0, true)
  if (r.usageAt >= 0) pm.sys.mem.fill(0, r.usageAt, r.usageAt + 144)
  return 0
}
function isEligible(t: Task, p: Process, r: Request): boolean {
  if ((r.options & W.NOTHREAD) !== 0 && p.forkedBy !== t.tid) return false
  if (r.idType === P.PID && p.pid !== r.id) return false
  if (r.idType === P.PGID && p.pgrp !== r.id) return false
  if ((r.options & W.ALL) !== 0) return true
  return (p.exitSignal !== SIG.CHLD) === ((r.options & W.CLONE) !== 0)
}

/** The same at the threads it traces: id of one with news, or 0. */
function lookAtTraced(pm: Pm, t: Task): number {
  const r = t.request
  for (const x of pm.tasks.values()) {
    const { trace } = x
    if (trace === null || trace.report === 0 || trace.listening || !mayAskFor(pm, t, trace.tracer, x.tid, x.process.pgrp)) continue
    write(pm, t, x.tid, x.cred.uid, (trace.report << 8) | 0x7f, CLD.TRAPPED, trace.report, usageOf(pm, x.process), newCounts())
    if ((r.options & W.NOWAIT) === 0) trace.report = 0
    return x.tid
  }
  if ((r.options & W.EXITED) === 0) return 0
  for (const g of pm.ghosts) {
    if (!mayAskFor(pm, t, g.tracer, g.tid, g.pgrp)) continue
    const killed = (g.status & 0x7f) !== 0
    write(pm, t, g.tid, g.uid, g.status, killed ? CLD.KILLED : CLD.EXITED, killed ? g.status & 0x7f : g.status >> 8, { user: 0, system: 0 }, newCounts())
    if ((r.options & W.NOWAIT) === 0) pm.ghosts.splice(pm.ghosts.indexOf(g), 1)
    return g.tid
  }
  for (const p of pm.processes.values()) {
    if (p.tracer === 0 || p.state !== STATE.ZOMBIE || p.parent === t.process || !mayAskFor(pm, t, p.tracer, p.pid, p.pgrp)) continue
    report(pm, t, p, p.status, endCode(p), endStatus(p), usageOf(pm, p))
    if ((r.options & W.NOWAIT) === 0) releaseZombie(pm, p)
    return p.pid
  }
  return 0
}
/** Is a thread traced by `tracer` one that t waits for? __WCLONE and the like don't matter here. */
function mayAskFor(pm: Pm, t: Task, tracer: number, tid: number, pgrp: number): boolean {
  const r = t.request
  const by = pm.tasks.get(tracer)
  if (by?.process !== t.process || ((r.options & W.NOTHREAD) !== 0 && by !== t)) return false
  return r.idType === P.ALL || (r.idType === P.PID ? tid === r.id : pgrp === r.id)
}
function tracesAny(pm: Pm, t: Task): boolean {
  for (const x of pm.tasks.values())
    if (x.trace !== null && mayAskFor(pm, t, x.trace.tracer, x.tid, x.process.pgrp)) return true
  for (const p of pm.processes.values()) if (p.tracer !== 0 && mayAskFor(pm, t, p.tracer, p.pid, p.pgrp)) return true
  return pm.ghosts.some(g => mayAskFor(pm, t, g.tracer, g.tid, g.pgrp))
}

function takeZombie(pm: Pm, t: Task, p: Process): number {
  const usage = usageOf(pm, p)
  usage.user += p.waited.user
  usage.system += p.waited.system
  report(pm, t, p, p.status, endCode(p), endStatus(p), usage)
  if ((t.request.options & W.NOWAIT) === 0) {
    const parent = t.process
    addCounts(parent.waitedCounts, allCounts(p))
    parent.waited.user += usage.user
    parent.waited.system += usage.system
    reap(pm, p)
  }
  return p.pid
}
function takeStop(pm: Pm, t: Task, p: Process): number {
  report(pm, t, p, (p.stopReport << 8) | 0x7f, CLD.STOPPED, p.stopReport, usageOf(pm, p))
  if ((t.request.options & W.NOWAIT) === 0) p.stopReport = 0
  return p.pid
}
function takeContinue(pm: Pm, t: Task, p: Process): number {
  report(pm, t, p, 0xffff, CLD.CONTINUED, SIG.CONT, usageOf(pm, p))
  if ((t.request.options & W.NOWAIT) === 0) p.contReport = false
  return p.pid
}
function report(pm: Pm, t: Task, p: Process, status: number, code: number, detail: number, usage: Usage): void {
  const asked = t.request.usageAt >= 0
  const counts = p.state === STATE.ZOMBIE ? allCounts(p) : asked ? countsOf(pm, p.tasks) : newCounts()
  write(pm, t, p.pid, p.leader.cred.uid, status, code, detail, usage, counts)
}
function write(pm: Pm, t: Task, pid: number, uid: number, status: number, code: number, detail: number, usage: Usage, counts: Counts): void {
  const r = t.request
  if (r.statusAt >= 0) pm.sys.view.setInt32(r.statusAt, status, true)
  if (r.usageAt >= 0) writeUsage(pm, r.usageAt, usage, counts)
  if (r.infoAt < 0) return
  const i = info(SIG.CHLD, code)
  i[SIGINFO.PID >> 2] = pid
  i[SIGINFO.UID >> 2] = uid
  i[SIGINFO.STATUS >> 2] = detail
  writeInfo(pm, r.infoAt, i)
}

/** Its own and its children's. */
function allCounts(p: Process): Counts {
  const sum = { ...p.counts }
  addCounts(sum, p.waitedCounts)
  return sum
}

/** CLD_* and si_status of a process that ended. */
function endCode(p: Process): number {
  return (p.status & 0x7f) === 0 ? CLD.EXITED : (p.status & 0x80) !== 0 ? CLD.DUMPED : CLD.KILLED
}
function endStatus(p: Process): number {
  return (p.status & 0x7f) === 0 ? (p.status >> 8) & 0xff : p.status & 0x7f
}

// ---- news ----

export function childInfo(pm: Pm, p: Process, signo: number, code: number, detail: number): Int32Array {
  const i = info(signo, code)
  const usage = usageOf(pm, p)
  i[SIGINFO.PID >> 2] = p.pid
  i[SIGINFO.UID >> 2] = p.leader.cred.uid
  i[SIGINFO.STATUS >> 2] = detail
  i[SIGINFO.UTIME >> 2] = Math.floor(usage.user / 10)
  i[SIGINFO.STIME >> 2] = Math.floor(usage.system / 10)
  return i
}

/** `p` has stopped or goes on. A parent that waits is answered first: SIGCHLD must not cut short the wait it is about. */
export function childEvent(pm: Pm, p: Process, code: number, detail: number): void {
  const { parent } = p
  const i = childInfo(pm, p, SIG.CHLD, code, detail)
  wakeWaiters(pm, parent)
  if (!noChildStop(parent)) send(pm, parent, null, i)
}

/** `p` is a zombie now. Its parent hears of it; it is reaped at once when nobody would wait for it. */
export function childEnded(pm: Pm, p: Process): void {
  const { parent, exitSignal } = p
  let unwanted = parent === pm.init
  let quiet = unwanted || exitSignal === 0
  const tracer = pm.tasks.get(p.tracer)?.process
  if (tracer !== undefined && tracer !== parent) {
    // its tracer hears of it, and its parent when that has waited for it, or is gone
    wakeWaiters(pm, tracer)
    send(pm, tracer, null, childInfo(pm, p, SIG.CHLD, endCode(p), endStatus(p)))
    return
  }
  if (exitSignal === SIG.CHLD && !unwanted && tracer === undefined) {
    quiet = handlerOf(parent, SIG.CHLD) === SIG_IGN
    unwanted = quiet || (flagsOf(parent, SIG.CHLD) & SA.NOCLDWAIT) !== 0
  }
  const i = childInfo(pm, p, exitSignal, endCode(p), endStatus(p))
  if (unwanted) reap(pm, p)
  wakeWaiters(pm, parent)
  if (!quiet) send(pm, parent, null, i)
}

export function wakeWaiters(pm: Pm, parent: Process): void {
  for (const t of parent.tasks.slice()) {
    if (t.waiting !== WAITING.CHILD) continue
    const result = look(pm, t)
    if (result !== SUSPEND) finish(pm, t, result > 0 && !t.request.answersPid ? 0 : result)
  }
}
