// About the machine and about processes: uname, sysinfo, getrandom and the like for guests; PROCINFO and PIDS for /proc.
import { E } from '../../abi/errno.ts'
import { EP, FIRST_GUEST, high, int, long, type Message, message, setLong, TYPE, uint, ulong } from '../../abi/message.ts'
import { SIGMAX } from '../../abi/signals.ts'
import type { CallVector } from '../../lib/server.ts'
import { PM, PROC_RECORD } from '../../protocol/pm.ts'
import { TTY } from '../../protocol/tty.ts'
import { CAP, capable, type Pm, STATE, type Task, taskOf, WAITING } from './mproc.ts'
import { add, handlerOf } from './signal.ts'
import { write64 } from './suspended.ts'
import { grantOf, need } from './tell.ts'
import { usageOf } from './usage.ts'

const UTSNAME_FIELD = 65
const SYSINFO_BYTES = 112
const GRND_ALL = 7
const GRND_RANDOM_INSECURE = 6

export function infoCalls(pm: Pm): CallVector {
  const question = message()
  return {
    [PM.UNAME]: m => uname(pm, m),
    [PM.SETHOSTNAME]: (m, from) => {
      const t = taskOf(pm, from)
      if (t === undefined) return -E.SRCH
      if (!capable(t.cred, CAP.SYS_ADMIN)) return -E.PERM
      const length = int(m, 1)
      if (length < 0 || length > 64) return -E.INVAL
      if (high(m, 0) < length) return -E.FAULT
      pm.hostname = String.fromCharCode(...pm.sys.mem.subarray(int(m, 0), int(m, 0) + length)).split('\0')[0]
      return 0
    },
    [PM.SYSINFO]: m => sysinfo(pm, m),
    [PM.GETRANDOM]: m => {
      const flags = uint(m, 2)
      if ((flags & ~GRND_ALL) !== 0 || (flags & GRND_RANDOM_INSECURE) === GRND_RANDOM_INSECURE) return -E.INVAL
      if (long(m, 1) < 0) return long(m, 1)
      const bytes = Math.min(long(m, 1), high(m, 0))
      if (bytes > 0) pm.sys.random(int(m, 0), bytes)
      return bytes
    },
    [PM.GETCPU]: m => {
      for (const k of [0, 1]) {
        const at = grantOf(m, k)
        if (at >= 0) pm.sys.view.setUint32(at, 0, true)
      }
      return 0
    },
    [PM.PERSONALITY]: (m, from) => {
      const t = taskOf(pm, from)
      if (t === undefined) return -E.SRCH
      const old = t.process.personality
      if (uint(m, 0) !== 0xffffffff) t.process.personality = uint(m, 0)
      return old
    },
    [PM.SYSLOG]: (m, from) => {
      const t = taskOf(pm, from)
      if (t === undefined) return -E.SRCH
      const type = int(m, 0)
      if (type < 0 || type > 10) return -E.INVAL
      if (!capable(t.cred, CAP.SYS_ADMIN)) return -E.PERM
      return 0 // an empty log
    },
    [PM.PTRACE]: () => -E.PERM,
    [PM.SET_TID_ADDRESS]: (m, from) => {
      const t = taskOf(pm, from)
      if (t === undefined) return -E.SRCH
      t.clearTid = ulong(m, 0)
      return t.tid
    },
    [PM.SET_ROBUST_LIST]: (m, from) => {
      const t = taskOf(pm, from)
      if (t === undefined) return -E.SRCH
      if (ulong(m, 1) !== 24) return -E.INVAL
      t.robustList = ulong(m, 0)
      return 0
    },
    [PM.PROCINFO]: (m, from) => (from >= FIRST_GUEST ? -E.PERM : procinfo(pm, m, question)),
    [PM.PIDS]: (m, from) => (from >= FIRST_GUEST ? -E.PERM : pids(pm, m)),
  }
}

function uname(pm: Pm, m: Message): number {
  const at = need(m, 0, 6 * UTSNAME_FIELD)
  if (at < 0) return at
  const { options } = pm
  const fields = ['Linux', pm.hostname, options.release, options.version ?? '#1 SMP', 'x86_64', pm.domainname]
  pm.sys.mem.fill(0, at, at + 6 * UTSNAME_FIELD)
  fields.forEach((text, k) => {
    for (let c = 0; c < Math.min(text.length, UTSNAME_FIELD - 1); c++) pm.sys.mem[at + k * UTSNAME_FIELD + c] = text.charCodeAt(c)
  })
  return 0
}

function sysinfo(pm: Pm, m: Message): number {
  const at = need(m, 0, SYSINFO_BYTES)
  if (at < 0) return at
  const { memoryTotal, memoryFree } = pm.options
  pm.sys.mem.fill(0, at, at + SYSINFO_BYTES)
  write64(pm, at, Math.floor(pm.sys.monotonic() / 1000))
  write64(pm, at + 32, memoryTotal)
  write64(pm, at + 40, memoryFree === undefined ? memoryTotal : memoryFree())
  pm.sys.view.setUint16(at + 80, pm.tasks.size, true)
  pm.sys.view.setUint32(at + 104, 1, true) // mem_unit
  return 0
}

// ---- /proc ----

function pids(pm: Pm, m: Message): number {
  const after = int(m, 0)
  const room = high(m, 1) >> 2
  const all = Array.from(pm.processes.keys()).filter(pid => pid > after)
  all.sort((a, b) => a - b)
  const count = Math.min(room, all.length)
  for (let k = 0; k < count; k++) pm.sys.view.setUint32(int(m, 1) + 4 * k, all[k], true)
  return count
}

function procinfo(pm: Pm, m: Message, question: Message): number {
  const pid = int(m, 0)
  const t = pm.tasks.get(pid) ?? pm.processes.get(pid)?.leader
  if (t === undefined) return -E.SRCH
  const at = need(m, 1, PROC_RECORD.BYTES)
  if (at < 0) return at
  pm.sys.mem.fill(0, at, at + PROC_RECORD.BYTES)
  writeIds(pm, t, at, question)
  writeTimes(pm, t, at)
  writeSignals(pm, t, at)
  const { comm } = t
  for (let k = 0; k < Math.min(comm.length, 15); k++) pm.sys.mem[at + PROC_RECORD.COMM + k] = comm.charCodeAt(k)
  return PROC_RECORD.BYTES
}

function writeIds(pm: Pm, t: Task, at: number, question: Message): void {
  const p = t.process
  const c = t.cred
  const R = PROC_RECORD
  question.fill(0)
  question[TYPE] = TTY.GETTTY
  setLong(question, 0, p.session)
  const tty = p === pm.init ? 0 : pm.sys.sendrec(EP.TTY, question)
  const rows: readonly (readonly [number, number])[] = [
    [R.PID, t.tid], [R.PPID, p === pm.init ? 0 : p.parent.pid], [R.PGRP, p.pgrp], [R.SESSION, p.session], [R.TTY, Math.max(0, tty)],
    [R.TPGID, tty > 0 ? int(question, 1) : -1], [R.STATE, stateOf(pm, t).charCodeAt(0)], [R.THREADS, Math.max(1, p.tasks.length)],
    [R.UID, c.uid], [R.EUID, c.euid], [R.SUID, c.suid], [R.GID, c.gid], [R.EGID, c.egid], [R.SGID, c.sgid], [R.NICE, t.nice],
    [R.ENDPOINT, t.endpoint], [R.NGROUPS, Math.min(32, c.groups.length)],
  ]
  for (const [offset, value] of rows) pm.sys.view.setInt32(at + offset, value, true)
  for (let k = 0; k < Math.min(32, c.groups.length); k++) pm.sys.view.setUint32(at + R.GROUPS + 4 * k, c.groups[k], true)
}
function stateOf(pm: Pm, t: Task): string {
  const p = t.process
  if (p.state === STATE.ZOMBIE) return 'Z'
  if (p.state === STATE.STOPPED) return 'T'
  if (t.waiting === WAITING.VFORK) return 'D'
  if (t.waiting !== WAITING.NONE || p === pm.init) return 'S'
  return pm.options.blocked?.(t.endpoint) === true ? 'S' : 'R'
}
function writeTimes(pm: Pm, t: Task, at: number): void {
  const p = t.process
  const usage = usageOf(pm, p)
  const R = PROC_RECORD
  const { view } = pm.sys
  view.setFloat64(at + R.UTIME, usage.user, true)
  view.setFloat64(at + R.STIME, usage.system, true)
  view.setFloat64(at + R.START, t.start, true)
  view.setFloat64(at + R.CUTIME, p.waited.user, true)
  view.setFloat64(at + R.CSTIME, p.waited.system, true)
}
function writeSignals(pm: Pm, t: Task, at: number): void {
  const p = t.process
  const R = PROC_RECORD
  const ignored = { lo: 0, hi: 0 }
  const caught = { lo: 0, hi: 0 }
  for (let signo = 1; signo <= SIGMAX; signo++) {
    const handler = handlerOf(p, signo)
    if (handler === 1) add(ignored, signo)
    else if (handler > 1) add(caught, signo)
  }
  const pending = { lo: t.pending.lo | p.pending.lo, hi: t.pending.hi | p.pending.hi }
  const sets = [pending, t.blocked, ignored, caught]
  sets.forEach((set, k) => {
    pm.sys.view.setInt32(at + R.SIGPND + 8 * k, set.lo, true)
    pm.sys.view.setInt32(at + R.SIGPND + 8 * k + 4, set.hi, true)
  })
}
