// New processes and threads: fork, vfork, clone; a machine's first processes (SPAWN); and what exec does to a process's own state.
// clone(2), execve(2); kernel/fork.c copy_process. Either everything about a child is set up, here and in VM, FS and the container, or
// nothing is.
import { CLONE, CLONE_HIGH } from '../../abi/clone.ts'
import { E } from '../../abi/errno.ts'
import { EP, high, int, type Message, slotOf, SUSPEND, uint, ulong } from '../../abi/message.ts'
import { EVENT } from '../../abi/ptrace.ts'
import { SI, SIG, SIG_IGN, SIGMAX, SS } from '../../abi/signals.ts'
import type { CallVector } from '../../lib/server.ts'
import { FS } from '../../protocol/fs.ts'
import { IPC } from '../../protocol/ipc.ts'
import { PM } from '../../protocol/pm.ts'
import { VM } from '../../protocol/vm.ts'
import { execCred } from './capability.ts'
import { endTask, reap, releaseVforkParent } from './exit.ts'
import { armCpuTimer } from './itimer.ts'
import { CPU_TIMER, processKey } from './keys.ts'
import {
  actionRow, allocatePid, CAP, capable, copyCred, newProcess, newTask, PID_MAX, pidInUse, type Pm, type Process, RLIMIT, rootCred, STATE, type Task, taskOf, WAITING,
} from './mproc.ts'
import { descriptorOf } from './pidfd.ts'
import { handlerOf, send, userInfo } from './signal.ts'
import { ask, grantOf, setCred, tell } from './tell.ts'
import { eventDue, inherit, stopForEvent, tracerRenamed, wants } from './trace.ts'

const NEW_NAMESPACES =
  CLONE.NEWNS | CLONE.NEWCGROUP | CLONE.NEWUTS | CLONE.NEWIPC | CLONE.NEWUSER | CLONE.NEWPID | CLONE.NEWNET

export function forkCalls(pm: Pm): CallVector {
  return {
    [PM.FORK]: (m, from) => {
      const t = taskOf(pm, from)
      return t === undefined ? -E.SRCH : fork(pm, t, m)
    },
    [PM.FORKFAIL]: (m, from) => {
      const t = taskOf(pm, from)
      return t === undefined ? -E.SRCH : forkFailed(pm, t, int(m, 0), int(m, 1))
    },
    [PM.SPAWN]: (m, from) => (from === EP.MACHINE ? spawn(pm, m) : -E.PERM),
    [PM.EXEC]: (m, from) => {
      const t = taskOf(pm, from)
      return t === undefined ? -E.SRCH : exec(pm, t, m)
    },
  }
}

function fork(pm: Pm, t: Task, m: Message): number {
  const flags = uint(m, 0)
  const more = high(m, 5)
  const bad = refuse(pm, t, flags, more)
  if (bad < 0) return bad
  const pid = int(m, 5) === 0 ? allocatePid(pm) : wishedPid(pm, t, int(m, 5))
  if (pid < 0) return pid
  const endpoint = pm.sys.fork(t.endpoint, flags, ulong(m, 1), ulong(m, 4))
  if (endpoint < 0) return endpoint
  const bad2 = tellServers(pm, t.endpoint, endpoint, flags)
  if (bad2 < 0) return bad2
  const child = (flags & CLONE.THREAD) !== 0 ? newThread(pm, t, pid, flags) : newChild(pm, t, pid, flags)
  child.clearTid = (flags & CLONE.CHILD_CLEARTID) !== 0 ? ulong(m, 3) : 0
  if ((more & CLONE_HIGH.CLEAR_SIGHAND) !== 0) resetHandlers(child.process)
  enter(pm, child, endpoint)
  if ((flags & CLONE.PIDFD) !== 0) {
    const fd = descriptorOf(pm, t, child.process, 0)
    if (fd < 0) return undo(pm, t, child, -fd)
    pm.sys.view.setInt32(grantOf(m, 6), fd, true)
  }
  if ((flags & (CLONE.SYSVSEM | CLONE.THREAD)) === CLONE.SYSVSEM) tell(pm, EP.IPC, IPC.SHARE, t.endpoint, endpoint)
  const parentTid = grantOf(m, 2)
  if ((flags & CLONE.PARENT_SETTID) !== 0 && parentTid >= 0) pm.sys.view.setInt32(parentTid, pid, true)
  const event = traced(pm, t, child, flags)
  if ((flags & CLONE.VFORK) === 0) {
    if (event !== 0) eventDue(pm, t, event, pid)
    return pid
  }
  child.process.vforkParent = t.endpoint
  t.waiting = WAITING.VFORK
  if (event !== 0) stopForEvent(pm, t, event, pid)
  return SUSPEND
}
/** The child of a traced thread is traced too if its tracer asked for that (→ the event it hears of), or the caller did. */
function traced(pm: Pm, t: Task, child: Task, flags: number): number {
  if (t.trace === null) return 0
  const signal = (flags & CLONE.THREAD) !== 0 ? 0 : flags & 0xff
  const kind = (flags & CLONE.VFORK) !== 0 ? EVENT.VFORK : signal !== SIG.CHLD ? EVENT.CLONE : EVENT.FORK
  const event = (flags & CLONE.UNTRACED) === 0 && wants(t, kind) ? kind : 0
  if (event !== 0 || (flags & CLONE.PTRACE) !== 0) inherit(pm, t, child)
  return event
}

/** In the order of kernel/fork.c. Namespaces are nobody's to make: a machine nests by domains. */
function refuse(pm: Pm, t: Task, flags: number, more: number): number {
  const all = (mask: number): boolean => (flags & mask) === mask
  const invalid =
    all(CLONE.PIDFD | CLONE.PARENT_SETTID) || all(CLONE.NEWNS | CLONE.FS) || all(CLONE.NEWUSER | CLONE.FS) ||
    (all(CLONE.THREAD) && !all(CLONE.SIGHAND)) || (all(CLONE.SIGHAND) && !all(CLONE.VM)) ||
    (all(CLONE.THREAD) && (flags & (CLONE.NEWUSER | CLONE.NEWPID)) !== 0) || (all(CLONE.PIDFD) && (flags & (CLONE.DETACHED | CLONE.THREAD)) !== 0)
  if (invalid) return -E.INVAL
  if (pm.tasks.size >= pm.options.maxProcesses) return -E.AGAIN
  const privileged = t.cred.uid === 0 || capable(t.cred, CAP.SYS_RESOURCE) || capable(t.cred, CAP.SYS_ADMIN)
  if (!privileged && tasksOf(pm, t.cred.uid) >= t.process.limits[2 * RLIMIT.NPROC]) return -E.AGAIN
  if ((flags & NEW_NAMESPACES) !== 0) return all(CLONE.NEWIPC | CLONE.SYSVSEM) ? -E.INVAL : -E.PERM
  return (more & CLONE_HIGH.INTO_CGROUP) !== 0 ? -E.BADF : 0
}
function tasksOf(pm: Pm, uid: number): number {
  let n = 0
  for (const t of pm.tasks.values()) if (t.cred.uid === uid) n++
  return n
}
/** clone3's set_tid: that very id, or none. */
function wishedPid(pm: Pm, t: Task, pid: number): number {
  if (pid >= (pm.options.pidMax ?? PID_MAX)) return -E.INVAL
  if (!capable(t.cred, CAP.SYS_ADMIN) && !capable(t.cred, CAP.CHECKPOINT_RESTORE)) return -E.PERM
  return pidInUse(pm, pid) ? -E.EXIST : pid
}

function tellServers(pm: Pm, parent: number, child: number, flags: number): number {
  const memory = ask(pm, EP.VM, VM.FORK, parent, child, flags)
  if (memory < 0) {
    pm.sys.clear(child)
    return memory
  }
  const files = ask(pm, EP.FS, FS.FORK, parent, child, flags)
  if (files < 0) {
    ask(pm, EP.VM, VM.EXIT, child)
    pm.sys.clear(child)
    return files
  }
  return 0
}

/** A live task: found by endpoint and by tid from now on. */
function enter(pm: Pm, t: Task, endpoint: number): void {
  t.endpoint = endpoint
  t.start = pm.sys.monotonic()
  t.process.tasks.push(t)
  pm.mproc[slotOf(endpoint)] = t
  pm.tasks.set(t.tid, t)
}
function enterProcess(pm: Pm, p: Process): void {
  let index = 0
  while (pm.byIndex[index] !== undefined) index++
  p.index = index
  pm.byIndex[index] = p
  pm.processes.set(p.pid, p)
  p.parent.children.push(p)
  if (p.limits[2 * RLIMIT.CPU] !== Number.POSITIVE_INFINITY) armCpuTimer(pm, p)
}

function copyTask(from: Task, tid: number, process: Process, flags: number): Task {
  const t = newTask(tid, process, copyCred(from.cred))
  t.comm = from.comm
  t.blocked = { ...from.blocked }
  t.affinity = from.affinity.slice()
  t.ioprio = from.ioprio
  t.timerSlack = from.timerSlack
  t.noNewPrivs = from.noNewPrivs
  if (!from.resetOnFork) {
    t.nice = from.nice
    t.policy = from.policy
    t.priority = from.priority
  } else t.nice = Math.max(0, from.nice)
  if ((flags & CLONE.VM) === 0 || (flags & CLONE.VFORK) !== 0) {
    t.altSp = from.altSp
    t.altSize = from.altSize
    t.altFlags = from.altFlags
  }
  return t
}
function newThread(_pm: Pm, t: Task, tid: number, flags: number): Task {
  return copyTask(t, tid, t.process, flags)
}
function newChild(pm: Pm, t: Task, pid: number, flags: number): Task {
  const from = t.process
  const p = newProcess(pid, (flags & CLONE.PARENT) !== 0 ? from.parent : from, t.cred)
  p.leader = copyTask(t, pid, p, flags)
  p.pgrp = from.pgrp
  p.session = from.session
  p.exitSignal = (flags & CLONE.PARENT) !== 0 ? from.exitSignal : flags & 0xff
  p.forkedBy = t.tid
  p.space = (flags & CLONE.VM) !== 0 ? from.space : ++pm.lastSpace
  p.actions = (flags & CLONE.SIGHAND) !== 0 ? from.actions : from.actions.slice()
  p.limits = from.limits.slice()
  p.dumpable = from.dumpable
  p.keepCaps = from.keepCaps
  p.thpDisable = from.thpDisable
  p.machineChecks = from.machineChecks
  p.ioFlusher = from.ioFlusher
  p.personality = from.personality
  enterProcess(pm, p)
  return p.leader
}

/** The container could not make the child after all: as if the call had failed at once. */
function forkFailed(pm: Pm, t: Task, endpoint: number, error: number): number {
  const child = taskOf(pm, endpoint)
  if (child === undefined || (child.process.parent !== t.process && child.process !== t.process)) return -error
  return undo(pm, t, child, error)
}
function undo(pm: Pm, t: Task, child: Task, error: number): number {
  const p = child.process
  if (t.waiting === WAITING.VFORK && p.vforkParent === t.endpoint) t.waiting = WAITING.NONE
  if (t.trace !== null) t.trace.event = 0
  child.trace = null // it never was
  endTask(pm, child, 0)
  if (p !== t.process) {
    pm.timers.clear(processKey(p, CPU_TIMER))
    pm.byIndex[p.index] = undefined
    p.state = STATE.ZOMBIE
    reap(pm, p)
  }
  return -error
}

// ---- first processes ----

function spawn(pm: Pm, m: Message): number {
  const endpoint = int(m, 0)
  if (pm.tasks.size >= pm.options.maxProcesses) return -E.AGAIN
  const pid = allocatePid(pm)
  if (pid < 0) return -E.AGAIN
  const uid = uint(m, 1)
  const gid = uint(m, 2)
  const cred = rootCred()
  Object.assign(cred, { uid, euid: uid, suid: uid, fsuid: uid, gid, egid: gid, sgid: gid, fsgid: gid })
  const groups = grantOf(m, 4)
  for (let k = 0; k + 4 <= high(m, 4); k += 4) cred.groups.push(pm.sys.view.getUint32(groups + k, true))
  if (uid !== 0) {
    cred.effective = { lo: 0, hi: 0 }
    cred.permitted = { lo: 0, hi: 0 }
  }
  const p = newProcess(pid, pm.init, cred)
  p.space = ++pm.lastSpace
  p.job = int(m, 5)
  p.limits = pm.init.limits.slice()
  enterProcess(pm, p)
  p.leader.affinity = pm.init.leader.affinity.slice()
  enter(pm, p.leader, endpoint)
  setCred(pm, p.leader)
  return pid
}

// ---- exec ----

/** Past the point of no return: the old image, its threads and its handlers are gone. */
function exec(pm: Pm, t: Task, m: Message): number {
  const p = t.process
  const before = t.tid
  if (t !== p.leader) p.leader.trace = null // whose id the caller has from now on
  for (const other of p.tasks.slice()) if (other !== t) endTask(pm, other, SIG.KILL)
  if (t.tid !== p.pid) {
    pm.tasks.delete(t.tid)
    tracerRenamed(pm, t.tid, p.pid)
    t.tid = p.pid
    pm.tasks.set(p.pid, t)
    p.leader = t
  }
  resetHandlers(p)
  p.space = ++pm.lastSpace
  t.altSp = 0
  t.altSize = 0
  t.altFlags = SS.DISABLE
  t.clearTid = 0
  t.robustList = 0
  t.restartAt = -1
  p.posixTimers = []
  p.exitSignal = SIG.CHLD
  p.execed = true
  p.keepCaps = false
  t.comm = textOf(pm, m, 3).slice(0, 15)
  const plain = execCred(t, t.noNewPrivs ? -1 : idOf(m, 0), t.noNewPrivs ? -1 : idOf(m, 1))
  p.dumpable = plain && int(m, 2) !== 0 ? 1 : 0
  if (!plain) t.parentDeathSignal = 0
  setCred(pm, t)
  releaseVforkParent(pm, p)
  if (t.trace === null) return 0
  if (wants(t, EVENT.EXEC)) eventDue(pm, t, EVENT.EXEC, before)
  else if (!t.trace.seized) send(pm, p, t, userInfo(SIG.TRAP, SI.USER, t))
  return 0
}
/** In a table of its own: ignored signals stay so, handlers are gone (flush_signal_handlers, unshare_sighand). */
function resetHandlers(p: Process): void {
  const ignored = Array.from({ length: SIGMAX }, (_, k) => k + 1).filter(signo => handlerOf(p, signo) === SIG_IGN)
  p.actions = new Uint32Array(p.actions.length)
  for (const signo of ignored) p.actions[actionRow(signo)] = SIG_IGN
}
function idOf(m: Message, k: number): number {
  return high(m, k) < 0 || int(m, k) === -1 ? -1 : uint(m, k)
}
function textOf(pm: Pm, m: Message, k: number): string {
  const at = int(m, k)
  let s = ''
  for (let i = 0; i < high(m, k); i++) {
    const c = pm.sys.mem[at + i]
    if (c === 0) break
    s += String.fromCharCode(c)
  }
  return s
}
