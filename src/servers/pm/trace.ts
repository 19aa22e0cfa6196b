// Being traced: the stops of a traced thread, what its tracer hears of them, and how it goes on. ptrace(2); kernel/ptrace.c,
// kernel/signal.c (ptrace_stop, ptrace_signal, do_jobctl_trap). The calls of the tracer are ptrace.ts, its waits wait.ts.
//
// Invariant: a thread that is stopped for its tracer (trace.stop) has a call or a SIGREADY of its own suspended in PM, and runs no guest
// code until goOn answers it. Stops due are looked at in this order: an event, the end of a call, a trap, then signals one by one.
import { T } from '../../abi/ipc.ts'
import { CONTEXT } from '../../abi/context.ts'
import { E } from '../../abi/errno.ts'
import { SUSPEND } from '../../abi/message.ts'
import { EVENT, EVENTMSG, PTRACE_O, TRAP } from '../../abi/ptrace.ts'
import { CLD, SI, SIG, SIGINFO } from '../../abi/signals.ts'
import { deliver, resumeTask } from './deliver.ts'
import { die, leave } from './lastwords.ts'
import { add, force, has, info, noChildStop, disturb, send, takeNext, userInfo } from './signal.ts'
import { type Ghost, type Pm, type Process, STOP, type Task, type Trace, WAITING } from './mproc.ts'
import { finish } from './suspended.ts'
import { childEnded, childInfo, wakeWaiters } from './wait.ts'

export function tracerOf(pm: Pm, t: Task): Task | undefined {
  return t.trace === null ? undefined : pm.tasks.get(t.trace.tracer)
}
/** Does a thread of process `p` trace it? */
export function isTracedBy(pm: Pm, t: Task, p: Process): boolean {
  return tracerOf(pm, t)?.process === p
}
export function isStopped(t: Task): boolean {
  return t.trace !== null && t.trace.stop !== STOP.NONE
}
/** Threads that `by` traces. */
function traceesOf(pm: Pm, by: Task): Task[] {
  return Array.from(pm.tasks.values()).filter(t => t.trace?.tracer === by.tid)
}

// ---- links ----

export function link(pm: Pm, by: Task, t: Task, seized: boolean, options: number): Trace {
  const trace = {
    tracer: by.tid, seized, options, stop: STOP.NONE, report: 0, message: 0, info: null, event: 0, trap: false, callEnds: false,
    calls: false, step: false, listening: false, exit: -1, whole: false, vforkDone: false,
  }
  t.trace = trace
  pm.sys.trace(t.endpoint, T.ATTACH)
  pm.sys.ownText(t.endpoint, true, 0)
  return trace
}
/** PTRACE_ATTACH and PTRACE_SEIZE, once they are allowed. */
export function attach(pm: Pm, by: Task, t: Task, seized: boolean, options: number): void {
  const trace = link(pm, by, t, seized, options)
  if (!seized) send(pm, t.process, t, info(SIG.STOP, SI.KERNEL))
  if (t.waiting !== WAITING.STOPPED) return
  trace.trap = true // from its group stop into the tracer's
  resumeTask(pm, t)
}
/** A child of a traced thread that its tracer wants too (`event`), or CLONE_PTRACE does. */
export function inherit(pm: Pm, parent: Task, child: Task): void {
  const by = tracerOf(pm, parent)
  const from = parent.trace
  if (by === undefined || from === null) return
  const trace = link(pm, by, child, from.seized, from.options)
  if (from.seized) trace.trap = true
  else {
    add(child.pending, SIG.STOP)
    child.pending.infos.push(info(SIG.STOP, SI.USER))
  }
  pm.sys.mark(child.endpoint)
}
/** No more traced: it goes on with `signo`, or back into its group's stop. */
export function detach(pm: Pm, t: Task, signo: number): void {
  unlink(pm, t)
  goOn(pm, t, signo, null)
}
function unlink(pm: Pm, t: Task): void {
  pm.sys.trace(t.endpoint, T.DETACH)
  pm.sys.ownText(t.endpoint, false, 0)
}

/** Its tracer ends: with PTRACE_O_EXITKILL so does it, else it goes on by itself. */
export function tracerEnds(pm: Pm, by: Task): void {
  for (const t of traceesOf(pm, by)) {
    const trace = t.trace as Trace
    const kill = (trace.options & PTRACE_O.EXITKILL) !== 0
    if (isStopped(t)) detach(pm, t, 0)
    else {
      unlink(pm, t)
      t.trace = null
    }
    if (kill) send(pm, t.process, null, info(SIG.KILL, SI.KERNEL))
  }
  pm.ghosts = pm.ghosts.filter(g => g.tracer !== by.tid)
  for (const p of Array.from(pm.processes.values())) if (p.tracer === by.tid) releaseZombie(pm, p)
}
/** A tracer has another thread id since its exec. */
export function tracerRenamed(pm: Pm, from: number, to: number): void {
  for (const t of pm.tasks.values()) if (t.trace?.tracer === from) t.trace.tracer = to
  for (const g of pm.ghosts) if (g.tracer === from) g.tracer = to
  for (const p of pm.processes.values()) if (p.tracer === from) p.tracer = to
}
/** A traced thread has ended. Its tracer is told; the last thread's end is its process's (wait.ts). */
export function traceeEnds(pm: Pm, t: Task, status: number): void {
  const by = tracerOf(pm, t)
  const { trace } = t
  t.trace = null
  if (by === undefined || trace === null) return
  if (t === t.process.leader) {
    t.process.tracer = by.tid
    return
  }
  const ghost: Ghost = { tid: t.tid, tracer: by.tid, status, uid: t.cred.uid, pgrp: t.process.pgrp }
  pm.ghosts.push(ghost)
  wakeWaiters(pm, by.process)
  const dumped = (status & 0x7f) === 0 ? CLD.EXITED : CLD.KILLED
  const i = childInfo(pm, t.process, SIG.CHLD, dumped, (status & 0x7f) === 0 ? (status >> 8) & 0xff : status & 0x7f)
  i[SIGINFO.PID >> 2] = t.tid
  send(pm, by.process, null, i)
}
/** The tracer has had its look at a zombie, or never will: it is its parent's now. */
export function releaseZombie(pm: Pm, p: Process): void {
  const by = pm.tasks.get(p.tracer)
  p.tracer = 0
  if (by?.process !== p.parent) childEnded(pm, p)
}

// ---- stops ----

/** Stop, with `code` as the upper part of a wait status; `why` a CLD_*. */
export function stopTraced(pm: Pm, t: Task, stop: number, code: number, i: Int32Array | null, message: number): void {
  const trace = t.trace as Trace
  const by = tracerOf(pm, t)
  trace.stop = stop
  trace.report = code
  trace.info = i
  trace.message = message
  trace.listening = false
  if (by === undefined) return
  const status = info(SIG.CHLD, stop === STOP.GROUP ? CLD.STOPPED : CLD.TRAPPED)
  status[SIGINFO.PID >> 2] = t.tid
  status[SIGINFO.UID >> 2] = t.cred.uid
  status[SIGINFO.STATUS >> 2] = code & 0x7f
  wakeWaiters(pm, by.process)
  if (!noChildStop(by.process)) send(pm, by.process, null, status)
}
/** As a stop that is no signal looks in PTRACE_GETSIGINFO (ptrace_do_notify). */
function notice(t: Task, signo: number, code: number): Int32Array {
  const i = info(signo, code)
  i[SIGINFO.PID >> 2] = t.tid
  i[SIGINFO.UID >> 2] = t.cred.uid
  return i
}
/** A stop with a bare SIGTRAP. */
const NO_EVENT = -1
export function stopForEvent(pm: Pm, t: Task, event: number, message: number): void {
  const code = event === NO_EVENT ? SIG.TRAP : SIG.TRAP | (event << 8)
  stopTraced(pm, t, STOP.EVENT, code, notice(t, SIG.TRAP, code), message)
}
function stopForCall(pm: Pm, t: Task, stop: number): void {
  const code = SIG.TRAP | ((t.trace as Trace).options & PTRACE_O.TRACESYSGOOD ? 0x80 : 0)
  stopTraced(pm, t, stop, code, notice(t, SIG.TRAP, code), stop === STOP.ENTRY ? EVENTMSG.ENTRY : EVENTMSG.EXIT)
}

/** The guest is about to make a call: SUSPEND's truth, if its tracer wants to see that. */
export function callBegins(pm: Pm, t: Task): boolean {
  if (t.trace === null || !t.trace.calls) return false
  t.waiting = WAITING.TRACED
  stopForCall(pm, t, STOP.ENTRY)
  return true
}
/** … and a call has ended: so a step is done, or its tracer wants to see it. */
export function callEnds(pm: Pm, t: Task): void {
  const { trace } = t
  if (trace === null) return
  if (trace.step) force(pm, t, info(SIG.TRAP, TRAP.BRKPT))
  else trace.callEnds = trace.calls
}
/** A stop that is due at this boundary, signals apart. */
export function stopsHere(pm: Pm, t: Task): boolean {
  const trace = t.trace as Trace
  if (trace.event !== 0) {
    const { event } = trace
    trace.event = 0
    stopForEvent(pm, t, event, trace.message)
  } else if (trace.callEnds) {
    trace.callEnds = false
    stopForCall(pm, t, STOP.EXIT)
  } else if (trace.trap) {
    trace.trap = false
    trap(pm, t, trace)
  } else return false
  return trace.stop !== STOP.NONE
}
/** A group stop, as a tracer sees it, or PTRACE_INTERRUPT's. */
function trap(pm: Pm, t: Task, trace: Trace): void {
  const signo = t.process.stopSignal
  if (trace.seized) {
    const code = (signo === 0 ? SIG.TRAP : signo) | (EVENT.STOP << 8)
    stopTraced(pm, t, STOP.GROUP, code, notice(t, code & 0x7f, code), 0)
  } else if (signo !== 0) stopTraced(pm, t, STOP.GROUP, signo, null, 0)
}
/** The next signal a task takes: one its tracer has let through first; null: it has stopped for one. */
export function nextSignal(pm: Pm, t: Task): Int32Array | null | undefined {
  const { injected } = t
  t.injected = null
  if (injected !== null) {
    if (!has(t.blocked, injected[0])) return injected
    send(pm, t.process, t, injected) // blocked meanwhile
  }
  const i = takeNext(t)
  if (t.trace === null || i === undefined || i[0] === SIG.KILL) return i
  stopTraced(pm, t, STOP.SIGNAL, i[0], i, 0)
  return null
}
/** A handler's frame stands: it is written before anything else happens, and a step ends before its first instruction. */
export function frameStands(pm: Pm, t: Task): void {
  if (t.trace?.step) t.trace.event = NO_EVENT
  pm.sys.mark(t.endpoint)
}
/** Has its tracer asked for PTRACE_EVENT_*? */
export function wants(t: Task, event: number): boolean {
  return t.trace !== null && (t.trace.options & (1 << event)) !== 0
}
/** PTRACE_EVENT_* at the next boundary. */
export function eventDue(pm: Pm, t: Task, event: number, message: number): void {
  const trace = t.trace as Trace
  trace.event = event
  trace.message = message
  pm.sys.mark(t.endpoint)
}
/** Its process is dying: its tracer can't hold it any more. */
export function killStopped(t: Task): void {
  if (t.waiting === WAITING.TRACED) t.waiting = WAITING.STOPPED
  if (t.trace === null) return
  t.trace.stop = STOP.NONE
  t.trace.report = 0
  t.trace.listening = false
}
/** PTRACE_EVENT_EXIT: true when the end waits for the tracer. `whole`: of the process, with `status`; else of the thread. */
export function exitWaits(pm: Pm, t: Task, status: number, whole: boolean): boolean {
  if (t.trace === null || !wants(t, EVENT.EXIT) || t.trace.exit >= 0 || t.process.dying >= 0) return false
  t.trace.exit = status
  t.trace.whole = whole
  t.waiting = WAITING.TRACED
  stopForEvent(pm, t, EVENT.EXIT, status)
  return true
}
/** The child has gone its own way: the call ends, unless the parent is stopped just now. */
export function vforkEnds(pm: Pm, t: Task, pid: number): void {
  const { trace } = t
  if (trace !== null && trace.stop !== STOP.NONE) trace.vforkDone = true
  else {
    if (trace !== null && wants(t, EVENT.VFORK_DONE)) eventDue(pm, t, EVENT.VFORK_DONE, pid)
    finish(pm, t, pid)
  }
}

/** Everybody in a process that begins a group stop, or goes on from one: traced threads trap for it, seized ones also from LISTEN. */
export function groupChanges(pm: Pm, t: Task, stops: boolean): void {
  const { trace } = t
  if (trace === null || !(stops || trace.seized)) return
  trace.trap = true
  if (trace.listening) retrap(pm, t)
}
/** Out of LISTEN, into a trap that tells what has changed. */
export function retrap(pm: Pm, t: Task): void {
  const trace = t.trace as Trace
  trace.trap = false
  trap(pm, t, trace)
}
/** PTRACE_INTERRUPT. */
export function interruptTraced(pm: Pm, t: Task): void {
  const trace = t.trace as Trace
  trace.trap = true
  if (trace.listening) retrap(pm, t)
  else if (trace.stop === STOP.NONE) disturb(pm, t)
}

// ---- going on ----

/** From its stop, with signal `signo` or 0; `mode` what it stops for next, null: it is traced no more. */
export function goOn(pm: Pm, t: Task, signo: number, mode: { calls: boolean; step: boolean } | null): void {
  const trace = t.trace as Trace
  const { stop } = trace
  trace.stop = STOP.NONE
  trace.report = 0
  trace.listening = false
  if (mode === null) t.trace = null
  else {
    trace.calls = mode.calls
    trace.step = mode.step
    pm.sys.trace(t.endpoint, mode.step ? T.STEP : mode.calls ? T.SYSCALL : T.ATTACH)
  }
  if (signo !== 0) pass(pm, t, trace, stop, signo)
  if (t.process.exiting) return
  if (t.waiting === WAITING.VFORK) {
    if (!trace.vforkDone) return
    trace.vforkDone = false
    vforkEnds(pm, t, trace.message)
  } else if (trace.exit >= 0) endAtLast(pm, t, trace)
  else if (stop === STOP.ENTRY) {
    t.waiting = WAITING.NONE
    pm.sys.reply(t.endpoint, 0)
  } else atBoundary(pm, t)
}
/** What PTRACE_CONT's signal becomes: at a signal's stop it is that signal, or another in its place; at a call's, a new one. */
function pass(pm: Pm, t: Task, trace: Trace, stop: number, signo: number): void {
  const by = pm.tasks.get(trace.tracer)
  if (stop === STOP.SIGNAL) {
    const same = trace.info !== null && trace.info[0] === signo
    const i = same ? (trace.info as Int32Array) : by === undefined ? info(signo, SI.USER) : userInfo(signo, SI.USER, by)
    t.injected = i
  } else if (stop === STOP.ENTRY || stop === STOP.EXIT) send(pm, t.process, t, info(signo, SI.KERNEL))
}
function endAtLast(pm: Pm, t: Task, trace: Trace): void {
  t.waiting = WAITING.NONE
  const answer = trace.whole ? die(pm, t.process, trace.exit, t) : leave(pm, t, trace.exit)
  if (answer !== SUSPEND) pm.sys.reply(t.endpoint, answer)
}
/** The SIGREADY that was kept is looked at again, with the call's result as the tracer has left it. */
function atBoundary(pm: Pm, t: Task): void {
  const at = pm.sys.buffer
  t.waiting = WAITING.NONE
  if (pm.sys.getContext(t.endpoint, at) === 0) {
    const rax = pm.sys.view.getBigInt64(at + RAX, true)
    const restarts = pm.sys.view.getInt32(at + CONTEXT.CALL, true) >= 0 && rax <= -RESTART_FIRST && rax >= -RESTART_LAST
    t.inCall = restarts ? 1 : 0
    t.result = restarts ? Number(rax) : 0
  }
  const answer = deliver(pm, t, t.result, t.inCall)
  if (answer !== SUSPEND) pm.sys.reply(t.endpoint, answer)
}
const RAX = 13 * 8
const RESTART_FIRST = BigInt(E.RESTARTSYS)
const RESTART_LAST = BigInt(E.RESTART_RESTARTBLOCK)
