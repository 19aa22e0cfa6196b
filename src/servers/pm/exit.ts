// The end of processes and threads: what they hold is given back, children go to init or a subreaper, the parent hears of it.
// kernel/exit.c. What precedes it is in lastwords.ts. Invariant: once a process is `exiting` nothing is sent to it any more; a zombie has no tasks.
import { EP, slotOf } from '../../abi/message.ts'
import { SI, SIG } from '../../abi/signals.ts'
import { FS, PIDFD_STATE } from '../../protocol/fs.ts'
import { MACHINE } from '../../protocol/pm.ts'
import { TTY } from '../../protocol/tty.ts'
import { VM } from '../../protocol/vm.ts'
import { allStopped } from './deliver.ts'
import { ownerEnded } from './futex-pi.ts'
import { endOrphanedGroup } from './job.ts'
import { CPU_TIMER, POSIX_TIMER, processKey, REAL_TIMER, timerKey, WAIT_TIMER } from './keys.ts'
import { newPending, type Pm, type Process, STATE, type Task, taskOf, WAITING } from './mproc.ts'
import { noteState } from './pidfd.ts'
import { info, send, sendGroup, userInfo } from './signal.ts'
import { unqueue } from './suspended.ts'
import { ask, tell } from './tell.ts'
import { traceeEnds, tracerEnds, vforkEnds } from './trace.ts'
import { countsOf, taskUsage } from './usage.ts'
import { childEnded } from './wait.ts'

/** All threads of a process end, with this wait status (`code << 8`, or a signal's number). */
export function endProcess(pm: Pm, p: Process, status: number): void {
  if (p.exiting || p.state === STATE.ZOMBIE) return
  p.exiting = true
  p.dying = -1
  p.status = status
  if (p.parent.asksCounts) p.counts = countsOf(pm, p.tasks)
  for (const t of p.tasks.slice()) endTask(pm, t, status)
  for (const kind of [REAL_TIMER, CPU_TIMER, POSIX_TIMER]) pm.timers.clear(processKey(p, kind))
  pm.byIndex[p.index] = undefined
  p.index = -1
  p.posixTimers = []
  p.pending = newPending()
  p.state = STATE.ZOMBIE
  p.stopSignal = 0
  p.stopReport = 0
  p.contReport = false
  noteState(pm, p.ref, PIDFD_STATE.ENDED)
  releaseVforkParent(pm, p)
  if (p.session === p.pid) hangUp(pm, p)
  giveChildrenAway(pm, p)
  endOrphanedGroup(pm, p, p.parent, true)
  childEnded(pm, p)
  if (p.job >= 0) tell(pm, EP.MACHINE, MACHINE.ENDED, p.job, p.pid, status)
}

/** One thread ends: what FS, VM and the container hold for it goes. */
export function endTask(pm: Pm, t: Task, status: number): void {
  const p = t.process
  tracerEnds(pm, t)
  const used = taskUsage(pm, t)
  p.dead.user += used.user
  p.dead.system += used.system
  pm.spent.user += used.user
  pm.spent.system += used.system
  ask(pm, EP.FS, FS.EXIT, t.endpoint)
  ask(pm, EP.VM, VM.EXIT, t.endpoint)
  pm.timers.clear(timerKey(t, WAIT_TIMER))
  pm.sys.clear(t.endpoint, p.status)
  pm.mproc[slotOf(t.endpoint)] = undefined
  pm.tasks.delete(t.tid)
  p.tasks.splice(p.tasks.indexOf(t), 1)
  noteState(pm, t.ref, PIDFD_STATE.REAPED)
  if (!p.exiting) leaveChildren(pm, t)
  if (t.waiting === WAITING.FUTEX) unqueue(pm, t)
  ownerEnded(pm, t)
  t.waiting = WAITING.NONE
  t.pending = newPending()
  traceeEnds(pm, t, status)
  if (!p.exiting) allStopped(pm, p) // it may have been the last that ran on
}

/** The child of a vfork has its own image, or has ended: its parent goes on, with the pid the call answers. */
export function releaseVforkParent(pm: Pm, p: Process): void {
  const parent = p.vforkParent < 0 ? undefined : taskOf(pm, p.vforkParent)
  p.vforkParent = -1
  if (parent !== undefined && parent.waiting === WAITING.VFORK) vforkEnds(pm, parent, p.pid)
}

/** A session leader leaves: its terminal, if any, hangs up on the foreground group. */
function hangUp(pm: Pm, p: Process): void {
  const foreground = ask(pm, EP.TTY, TTY.HANGUP, p.session)
  if (foreground > 0) sendGroup(pm, foreground, info(SIG.HUP, SI.KERNEL))
}

/** A thread's own children go to another of its process. They were to be told (PR_SET_PDEATHSIG). */
function leaveChildren(pm: Pm, t: Task): void {
  const heir = t.process.tasks[0]
  if (heir === undefined) return
  for (const child of t.process.children) {
    if (child.forkedBy !== t.tid) continue
    child.forkedBy = heir.tid
    parentDied(pm, child, t)
  }
}
function parentDied(pm: Pm, child: Process, by: Task): void {
  for (const one of child.tasks.slice())
    if (one.parentDeathSignal !== 0) send(pm, child, null, userInfo(one.parentDeathSignal, SI.USER, by))
}

function giveChildrenAway(pm: Pm, p: Process): void {
  if (p.children.length === 0) return
  const { children } = p
  const heir = findReaper(pm, p)
  p.children = []
  for (const child of children) {
    child.parent = heir
    heir.children.push(child)
    child.exitSignal = SIG.CHLD
    child.forkedBy = heir.leader.tid
  }
  for (const child of children) {
    if (child.state === STATE.ZOMBIE) childEnded(pm, child)
    else parentDied(pm, child, p.leader)
    endOrphanedGroup(pm, child, p, false)
  }
}
function findReaper(pm: Pm, p: Process): Process {
  for (let a = p.parent; a !== pm.init; a = a.parent) if (a.subreaper && !a.exiting) return a
  return pm.init
}

/** Nobody will ask for a zombie any more: its pid is free. */
export function reap(pm: Pm, p: Process): void {
  const { children } = p.parent
  const at = children.indexOf(p)
  if (at >= 0) children.splice(at, 1)
  pm.processes.delete(p.pid)
  noteState(pm, p.ref, PIDFD_STATE.REAPED)
}
