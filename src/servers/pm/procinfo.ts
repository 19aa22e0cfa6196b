// What PM tells FS for /proc: a record per thread (PROCINFO), who there is (PIDS, KIN), and the sums over all (TOTALS). Records and their
// fields: protocol/pm.ts.
import { E } from '../../abi/errno.ts'
import { EP, FIRST_GUEST, high, int, long, type Message, message, setLong, TYPE } from '../../abi/message.ts'
import { SIGMAX } from '../../abi/signals.ts'
import type { CallVector, Handler } from '../../lib/server.ts'
import { KIN, PM, PROC_RECORD as R, SET, TOTALS } from '../../protocol/pm.ts'
import { TTY } from '../../protocol/tty.ts'
import { loads, spentByAll } from './load.ts'
import { type Bits, findTask, type Pm, RLIMIT, STATE, type Task, TIMER_SLACK, WAITING } from './mproc.ts'
import { add, handlerOf } from './signal.ts'
import { need } from './tell.ts'
import { isStopped } from './trace.ts'
import { taskUsage, usageOf } from './usage.ts'

export function procinfoCalls(pm: Pm): CallVector {
  const question = message()
  const inside = (handler: (m: Message) => number): Handler => (m, from) => (from >= FIRST_GUEST ? -E.PERM : handler(m))
  return {
    [PM.PROCINFO]: inside(m => procinfo(pm, m, question)),
    [PM.PIDS]: inside(m => pids(pm, m)),
    [PM.KIN]: inside(m => kin(pm, m)),
    [PM.TOTALS]: inside(m => totals(pm, m)),
    [PM.SETTASK]: inside(m => setTask(pm, m)),
  }
}

/** Ascending, those after `after`, as many as grant k holds → how many. */
function putIds(pm: Pm, m: Message, k: number, ids: Iterable<number>, after: number): number {
  const all = Array.from(ids).filter(id => id > after).sort((a, b) => a - b)
  const count = Math.min(high(m, k) >> 2, all.length)
  for (let i = 0; i < count; i++) pm.sys.view.setUint32(int(m, k) + 4 * i, all[i], true)
  return count
}
function pids(pm: Pm, m: Message): number {
  return putIds(pm, m, 1, pm.processes.keys(), int(m, 0))
}
function kin(pm: Pm, m: Message): number {
  const p = pm.processes.get(int(m, 0))
  if (p === undefined) return -E.SRCH
  const list = int(m, 1) === KIN.CHILDREN ? p.children.map(child => child.pid) : p.tasks.length > 0 ? p.tasks.map(t => t.tid) : [p.pid]
  return putIds(pm, m, 3, list, int(m, 2))
}

function setTask(pm: Pm, m: Message): number {
  const t = pm.tasks.get(int(m, 0))
  if (t === undefined) return -E.SRCH
  if (int(m, 1) === SET.TIMER_SLACK) t.timerSlack = long(m, 2) > 0 ? long(m, 2) : TIMER_SLACK
  else if (int(m, 1) === SET.COMM) t.comm = String.fromCharCode(...pm.sys.mem.subarray(int(m, 3), int(m, 3) + high(m, 3)))
  else return -E.INVAL
  return 0
}
function totals(pm: Pm, m: Message): number {
  const at = need(m, 0, TOTALS.BYTES)
  if (at < 0) return at
  const put = (offset: number, value: number): void => pm.sys.view.setFloat64(at + offset, value, true)
  const spent = spentByAll(pm)
  let running = 0
  for (const t of pm.tasks.values()) if (stateOf(pm, t) === 'R') running++
  put(TOTALS.THREADS, pm.tasks.size)
  put(TOTALS.RUNNING, running)
  put(TOTALS.LAST_PID, pm.lastPid)
  put(TOTALS.UTIME, spent.user)
  put(TOTALS.STIME, spent.system)
  loads(pm, spent).forEach((load, k) => {
    put(TOTALS.LOAD + 8 * k, load)
  })
  return TOTALS.BYTES
}

function procinfo(pm: Pm, m: Message, question: Message): number {
  const pid = int(m, 0)
  const t = findTask(pm, pid)
  if (t === undefined) return -E.SRCH
  const at = need(m, 1, R.BYTES)
  if (at < 0) return at
  pm.sys.mem.fill(0, at, at + R.BYTES)
  writeIds(pm, t, at, question)
  writeState(pm, t, at)
  writeTimes(pm, t, at)
  writeSignals(pm, t, at)
  const { comm } = t
  for (let k = 0; k < Math.min(comm.length, 15); k++) pm.sys.mem[at + R.COMM + k] = comm.charCodeAt(k)
  pm.sys.mem.set(t.affinity.subarray(0, 16), at + R.AFFINITY)
  return R.BYTES
}

type Rows = readonly (readonly [offset: number, value: number])[]
function writeIds(pm: Pm, t: Task, at: number, question: Message): void {
  const { process: p, cred: c } = t
  question.fill(0)
  question[TYPE] = TTY.GETTTY
  setLong(question, 0, p.session)
  const tty = p === pm.init ? 0 : pm.sys.sendrec(EP.TTY, question)
  const rows: Rows = [
    [R.PID, t.tid], [R.TGID, p.pid], [R.PPID, p === pm.init ? 0 : p.parent.pid], [R.PGRP, p.pgrp], [R.SESSION, p.session],
    [R.TTY, Math.max(0, tty)], [R.TPGID, tty > 0 ? int(question, 1) : -1], [R.UID, c.uid], [R.EUID, c.euid], [R.SUID, c.suid],
    [R.GID, c.gid], [R.EGID, c.egid], [R.SGID, c.sgid], [R.ENDPOINT, t.endpoint], [R.NGROUPS, Math.min(32, c.groups.length)],
  ]
  for (const [offset, value] of rows) pm.sys.view.setInt32(at + offset, value, true)
  for (let k = 0; k < Math.min(32, c.groups.length); k++) pm.sys.view.setUint32(at + R.GROUPS + 4 * k, c.groups[k], true)
  ;[c.inheritable, c.permitted, c.effective, c.bounding, c.ambient].forEach((set, k) => {
    putBits(pm, at + R.CAPS + 8 * k, set)
  })
}
function writeState(pm: Pm, t: Task, at: number): void {
  const p = t.process
  const rows: Rows = [
    [R.STATE, stateOf(pm, t).charCodeAt(0)], [R.THREADS, Math.max(1, p.tasks.length)], [R.NICE, t.nice], [R.EXIT_SIGNAL, t === p.leader ? p.exitSignal : -1],
    [R.EXIT_CODE, p.state === STATE.ZOMBIE ? p.status : 0], [R.POLICY, t.policy], [R.PRIORITY, t.priority], [R.DUMPABLE, p.dumpable],
    [R.NO_NEW_PRIVS, t.noNewPrivs ? 1 : 0], [R.PERSONALITY, p.personality], [R.WAITING, t.waiting],
    [R.TRACER, t.trace?.tracer ?? 0],
  ]
  for (const [offset, value] of rows) pm.sys.view.setInt32(at + offset, value, true)
  pm.sys.view.setFloat64(at + R.TIMER_SLACK, t.timerSlack, true)
}
function stateOf(pm: Pm, t: Task): string {
  const p = t.process
  if (p.state === STATE.ZOMBIE) return 'Z'
  if (isStopped(t)) return 't'
  if (p.state === STATE.STOPPED) return 'T'
  if (t.waiting === WAITING.VFORK) return 'D'
  if (t.waiting !== WAITING.NONE || p === pm.init) return 'S'
  return pm.options.blocked?.(t.endpoint) === true ? 'S' : 'R'
}
function writeTimes(pm: Pm, t: Task, at: number): void {
  const p = t.process
  const own = taskUsage(pm, t)
  const all = usageOf(pm, p)
  const rows: Rows = [
    [R.UTIME, own.user], [R.STIME, own.system], [R.GROUP_UTIME, all.user], [R.GROUP_STIME, all.system], [R.START, t.start],
    [R.CUTIME, p.waited.user], [R.CSTIME, p.waited.system],
  ]
  for (const [offset, value] of rows) pm.sys.view.setFloat64(at + offset, value, true)
}
function writeSignals(pm: Pm, t: Task, at: number): void {
  const p = t.process
  const ignored = { lo: 0, hi: 0 }
  const caught = { lo: 0, hi: 0 }
  for (let signo = 1; signo <= SIGMAX; signo++) {
    const handler = handlerOf(p, signo)
    if (handler === 1) add(ignored, signo)
    else if (handler > 1) add(caught, signo)
  }
  ;[t.pending, t.blocked, ignored, caught].forEach((set, k) => {
    putBits(pm, at + R.SIGPND + 8 * k, set)
  })
  putBits(pm, at + R.SHDPND, p.pending)
  let queued = 0
  for (const other of pm.processes.values()) {
    if (other.leader.cred.uid !== t.cred.uid) continue
    queued += other.pending.infos.length
    for (const task of other.tasks) queued += task.pending.infos.length
  }
  pm.sys.view.setUint32(at + R.SIGQ, queued, true)
  pm.sys.view.setFloat64(at + R.SIGQ_MAX, p.limits[2 * RLIMIT.SIGPENDING], true)
}
function putBits(pm: Pm, at: number, set: Bits): void {
  pm.sys.view.setInt32(at, set.lo, true)
  pm.sys.view.setInt32(at + 4, set.hi, true)
}
