// Process descriptors: pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2). The files are FS's; it knows a process by a number, its ref,
// that PM gives it when the first descriptor is made and that means no other process ever.
import { E } from '../../abi/errno.ts'
import { EP, int, type Message, SUSPEND } from '../../abi/message.ts'
import { SI, SIGMAX } from '../../abi/signals.ts'
import type { CallVector } from '../../lib/server.ts'
import { FS, PIDFD_STATE } from '../../protocol/fs.ts'
import { PM } from '../../protocol/pm.ts'
import { CAP, capable, type Pm, type Process, STATE, type Task, taskOf } from './mproc.ts'
import { isForged, readInfo } from './sigcalls.ts'
import { mayKill, send, userInfo } from './signal.ts'
import { ask, grantOf, tell } from './tell.ts'

const PIDFD = { NONBLOCK: 0o4000, THREAD: 0o200 } as const
/** pidfd_send_signal's flags. */
const TO = { THREAD: 1, THREAD_GROUP: 2, PROCESS_GROUP: 4 } as const

/** What a descriptor stands for; task: a thread alone (PIDFD_THREAD). */
interface Target {
  process: Process
  task: Task | null
}

export function pidfdCalls(pm: Pm): CallVector {
  const by = (f: (t: Task, m: Message) => number) => (m: Message, from: number) => {
    const t = taskOf(pm, from)
    if (t === undefined) return -E.SRCH
    const result = f(t, m)
    return t.process.exiting ? SUSPEND : result
  }
  return {
    [PM.PIDFD_OPEN]: by((t, m) => open(pm, t, int(m, 0), int(m, 1))),
    [PM.PIDFD_SEND_SIGNAL]: by((t, m) => sendSignal(pm, t, m)),
    [PM.PIDFD_GETFD]: by((t, m) => getfd(pm, t, int(m, 0), int(m, 1), int(m, 2))),
  }
}

function open(pm: Pm, t: Task, pid: number, flags: number): number {
  if ((flags & ~(PIDFD.NONBLOCK | PIDFD.THREAD)) !== 0 || pid <= 0) return -E.INVAL
  const task = pm.tasks.get(pid)
  const p = pm.processes.get(pid)
  if (task === undefined && p === undefined) return -E.SRCH
  if ((flags & PIDFD.THREAD) !== 0 && task !== undefined) {
    task.ref ||= ++pm.lastRef
    return ask(pm, EP.FS, FS.PIDFD_OPEN, t.endpoint, task.ref, flags, PIDFD_STATE.ALIVE)
  }
  return p === undefined ? -E.NOENT : descriptorOf(pm, t, p, flags)
}
/** A new descriptor of `t`'s for a process, or -errno. */
export function descriptorOf(pm: Pm, t: Task, p: Process, flags: number): number {
  p.ref ||= ++pm.lastRef
  const state = p.state === STATE.ZOMBIE ? PIDFD_STATE.ENDED : PIDFD_STATE.ALIVE
  return ask(pm, EP.FS, FS.PIDFD_OPEN, t.endpoint, p.ref, flags, state)
}
/** A process or thread has ended, or been reaped: FS tells whoever polls. */
export function noteState(pm: Pm, ref: number, state: number): void {
  if (ref !== 0) tell(pm, EP.FS, FS.PIDFD_CHANGED, ref, state)
}

/** What descriptor `fd` of `t` stands for; -EBADF; -ESRCH when it is no more. */
export function targetOf(pm: Pm, t: Task, fd: number): Target | number {
  const found = ask(pm, EP.FS, FS.PIDFD_REF, t.endpoint, fd)
  if (found < 0) return found
  const ref = found >> 1
  for (const process of pm.processes.values()) if (process.ref === ref) return { process, task: null }
  for (const task of pm.tasks.values()) if (task.ref === ref) return { process: task.process, task }
  return -E.SRCH
}
export function isNonblocking(pm: Pm, t: Task, fd: number): boolean {
  return (ask(pm, EP.FS, FS.PIDFD_REF, t.endpoint, fd) & 1) !== 0
}

function sendSignal(pm: Pm, t: Task, m: Message): number {
  const signo = int(m, 1)
  const flags = int(m, 3)
  if ((flags & ~7) !== 0 || (flags & (flags - 1)) !== 0) return -E.INVAL
  const target = targetOf(pm, t, int(m, 0))
  if (target === -E.BADF) return target
  const given = grantOf(m, 2) >= 0 ? readInfo(pm, m, 2) : null
  const p = typeof target === 'number' ? null : target.process
  if (given !== null) {
    if (given[0] !== signo) return -E.INVAL
    if (isForged(given) && p !== t.process) return -E.PERM
  }
  if (signo < 0 || signo > SIGMAX) return -E.INVAL
  if (p === null) return -E.SRCH
  if (flags === TO.PROCESS_GROUP) return toGroup(pm, t, p.pid, signo)
  if (!mayKill(t, p, signo)) return -E.PERM
  const task = flags === TO.THREAD_GROUP ? null : flags === TO.THREAD ? (pm.tasks.get(p.pid) ?? null) : (target as Target).task
  return signo === 0 ? 0 : send(pm, p, task, given ?? userInfo(signo, task === null ? SI.USER : SI.TKILL, t))
}
/** The group whose leader the descriptor stands for. */
function toGroup(pm: Pm, t: Task, pgrp: number, signo: number): number {
  const members = Array.from(pm.processes.values()).filter(p => p.pgrp === pgrp)
  if (members.length === 0) return -E.SRCH
  const allowed = members.filter(p => mayKill(t, p, signo))
  if (allowed.length === 0) return -E.PERM
  if (signo !== 0) for (const p of allowed) send(pm, p, null, userInfo(signo, SI.USER, t))
  return 0
}

function getfd(pm: Pm, t: Task, pidfd: number, fd: number, flags: number): number {
  if (flags !== 0) return -E.INVAL
  const target = targetOf(pm, t, pidfd)
  if (typeof target === 'number') return target
  const task = target.task ?? target.process.leader
  if (!mayTrace(t, task)) return -E.PERM
  if (pm.tasks.get(task.tid) !== task) return -E.SRCH
  return ask(pm, EP.FS, FS.PIDFD_TAKE, t.endpoint, task.endpoint, fd)
}
/** ptrace_may_access with real ids (ptrace(2), "Ptrace access mode checking"). */
export function mayTrace(by: Task, t: Task): boolean {
  if (by.process === t.process || capable(by.cred, CAP.SYS_PTRACE)) return true
  const a = by.cred
  const b = t.cred
  const same = a.uid === b.euid && a.uid === b.suid && a.uid === b.uid && a.gid === b.egid && a.gid === b.sgid && a.gid === b.gid
  return same && t.process.dumpable === 1
}
