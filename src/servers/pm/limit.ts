// Resource limits: getrlimit(2), setrlimit(2), prlimit(2). Those that FS and VM enforce they are told.
import { E } from '../../abi/errno.ts'
import { FIRST_GUEST, EP, high, int, type Message } from '../../abi/message.ts'
import type { CallVector } from '../../lib/server.ts'
import { FS } from '../../protocol/fs.ts'
import { PM } from '../../protocol/pm.ts'
import { VM } from '../../protocol/vm.ts'
import { armCpuTimer } from './itimer.ts'
import { CAP, capable, findTask, type Pm, type Process, RLIMIT, type Task, taskOf } from './mproc.ts'
import { ask, grantOf, need } from './tell.ts'

const INFINITY_LOW = 0xffffffff

export function limitCalls(pm: Pm): CallVector {
  const by = (f: (t: Task, m: Message) => number) => (m: Message, from: number) => {
    const t = taskOf(pm, from)
    return t === undefined ? -E.SRCH : f(t, m)
  }
  return {
    [PM.GETRLIMIT]: by((t, m) => limit(pm, t, t.process, int(m, 0), -1, need(m, 1, 16))),
    [PM.SETRLIMIT]: by((t, m) => {
      const at = need(m, 1, 16)
      return at < 0 ? at : limit(pm, t, t.process, int(m, 0), at, -1)
    }),
    // a server (FS, for /proc/PID/limits) asks about the task it names
    [PM.PRLIMIT64]: (m, from) => {
      const t = from < FIRST_GUEST ? findTask(pm, int(m, 0)) : taskOf(pm, from)
      return t === undefined ? -E.SRCH : prlimit(pm, t, m)
    },
  }
}

/** What a machine's first processes start with, as on Linux (INIT_RLIMITS), where a finite value makes sense. */
export function initialLimits(pm: Pm): void {
  const { limits } = pm.init
  const set = (resource: number, soft: number, hard: number): void => {
    limits[2 * resource] = soft
    limits[2 * resource + 1] = hard
  }
  const never = Number.POSITIVE_INFINITY
  const processes = Math.max(16, pm.options.maxProcesses)
  set(RLIMIT.STACK, 8 << 20, never)
  set(RLIMIT.CORE, 0, never)
  set(RLIMIT.NPROC, processes, processes)
  set(RLIMIT.NOFILE, 1024, 1048576)
  set(RLIMIT.MEMLOCK, 8 << 20, 8 << 20)
  set(RLIMIT.SIGPENDING, 15_000, 15_000)
  set(RLIMIT.MSGQUEUE, 819200, 819200)
  set(RLIMIT.NICE, 0, 0)
  set(RLIMIT.RTPRIO, 0, 0)
  for (const [resource, [soft, hard]] of Object.entries(pm.options.limits ?? {})) set(Number(resource), soft, hard)
}

function prlimit(pm: Pm, t: Task, m: Message): number {
  const pid = int(m, 0)
  const target = pid === 0 ? t : findTask(pm, pid)
  const at = grantOf(m, 2)
  const old = grantOf(m, 3)
  if ((at >= 0 && high(m, 2) < 16) || (old >= 0 && high(m, 3) < 16)) return -E.FAULT
  if (int(m, 1) < 0 || int(m, 1) >= RLIMIT.COUNT) return -E.INVAL
  if (target === undefined) return -E.SRCH
  if (target.process !== t.process && !sameIds(t, target)) return -E.PERM
  return limit(pm, t, target.process, int(m, 1), at, old)
}
function sameIds(by: Task, t: Task): boolean {
  const a = by.cred
  const b = t.cred
  const same =
    a.uid === b.euid && a.uid === b.suid && a.uid === b.uid && a.gid === b.egid && a.gid === b.sgid && a.gid === b.gid
  return same || capable(a, CAP.SYS_RESOURCE)
}

/** Get into `old` and set from `at`, each an arena offset of a struct rlimit or -1. */
function limit(pm: Pm, t: Task, p: Process, resource: number, at: number, old: number): number {
  if (resource < 0 || resource >= RLIMIT.COUNT) return -E.INVAL
  if (at < 0 && old < -1) return old
  let soft = 0
  let hard = 0
  if (at >= 0) {
    soft = readLimit(pm, at)
    hard = readLimit(pm, at + 8)
    if (soft > hard) return -E.INVAL
    if (hard > p.limits[2 * resource + 1] && !capable(t.cred, CAP.SYS_RESOURCE)) return -E.PERM
    if (resource === RLIMIT.NOFILE && hard > 1048576) return -E.PERM
  }
  if (old >= 0) {
    writeLimit(pm, old, p.limits[2 * resource])
    writeLimit(pm, old + 8, p.limits[2 * resource + 1])
  }
  if (at < 0) return 0
  p.limits[2 * resource] = resource === RLIMIT.CPU && soft === 0 ? 1 : soft
  p.limits[2 * resource + 1] = hard
  tellLimit(pm, p, resource)
  return 0
}
function tellLimit(pm: Pm, p: Process, resource: number): void {
  const soft = p.limits[2 * resource]
  const value = soft >= 2 ** 63 ? -1 : soft
  const files = resource === RLIMIT.NOFILE || resource === RLIMIT.FSIZE || resource === RLIMIT.MSGQUEUE
  const memory = resource === RLIMIT.AS || resource === RLIMIT.DATA || resource === RLIMIT.STACK || resource === RLIMIT.MEMLOCK
  for (const t of p.tasks) {
    if (files) ask(pm, EP.FS, FS.SETLIMIT, t.endpoint, resource, value)
    if (memory) ask(pm, EP.VM, VM.SETLIMIT, t.endpoint, resource, value)
  }
  if (resource === RLIMIT.CPU) armCpuTimer(pm, p)
}
function readLimit(pm: Pm, at: number): number {
  const lo = pm.sys.view.getUint32(at, true)
  const hi = pm.sys.view.getUint32(at + 4, true)
  return lo === INFINITY_LOW && hi === INFINITY_LOW ? Number.POSITIVE_INFINITY : hi * 4294967296 + lo
}
function writeLimit(pm: Pm, at: number, v: number): void {
  const infinite = v >= 2 ** 64
  const h = Math.floor(v / 4294967296)
  pm.sys.view.setUint32(at, infinite ? INFINITY_LOW : v - h * 4294967296, true)
  pm.sys.view.setUint32(at + 4, infinite ? INFINITY_LOW : h, true)
}
