// prctl(2): options about names, signals, capabilities and what may be seen of a process. Unknown ones are EINVAL, as on a kernel
// without them.
import { E } from '../../abi/errno.ts'
import { high, int, type Message, uint, ulong } from '../../abi/message.ts'
import { SIGMAX } from '../../abi/signals.ts'
import type { CallVector } from '../../lib/server.ts'
import { PM } from '../../protocol/pm.ts'
import { SECBIT } from './capability.ts'
import { CAP, capable, LAST_CAP, type Pm, type Process, type Task, TIMER_SLACK, taskOf } from './mproc.ts'
import { write64 } from './suspended.ts'
import { grantOf, need } from './tell.ts'

export const PR = {
  SET_PDEATHSIG: 1, GET_PDEATHSIG: 2, GET_DUMPABLE: 3, SET_DUMPABLE: 4, GET_KEEPCAPS: 7, SET_KEEPCAPS: 8, GET_TIMING: 13, SET_TIMING: 14,
  SET_NAME: 15, GET_NAME: 16, GET_SECCOMP: 21, SET_SECCOMP: 22, CAPBSET_READ: 23, CAPBSET_DROP: 24, GET_TSC: 25, SET_TSC: 26, GET_SECUREBITS: 27,
  SET_SECUREBITS: 28, SET_TIMERSLACK: 29, GET_TIMERSLACK: 30, MCE_KILL: 33, MCE_KILL_GET: 34, SET_CHILD_SUBREAPER: 36,
  GET_CHILD_SUBREAPER: 37, SET_NO_NEW_PRIVS: 38, GET_NO_NEW_PRIVS: 39, GET_TID_ADDRESS: 40, GET_SPECULATION_CTRL: 52, SET_SPECULATION_CTRL: 53, SET_IO_FLUSHER: 57, GET_IO_FLUSHER: 58, GET_MDWE: 66, SET_THP_DISABLE: 41, GET_THP_DISABLE: 42,
  CAP_AMBIENT: 47, SET_PTRACER: 0x59616d61, SET_VMA: 0x53564d41,
} as const
const AMBIENT = { IS_SET: 1, RAISE: 2, LOWER: 3, CLEAR_ALL: 4 } as const
const NAME_BYTES = 16
const TSC_ENABLE = 1
/** PR_MCE_KILL_LATE, EARLY, DEFAULT */
const MCE = { LATE: 0, EARLY: 1, DEFAULT: 2 } as const
/** PR_SPEC_STORE_BYPASS to PR_SPEC_L1D_FLUSH */
const SPECULATIONS = 3

export function prctlCalls(pm: Pm): CallVector {
  return {
    [PM.PRCTL]: (m, from) => {
      const t = taskOf(pm, from)
      return t === undefined ? -E.SRCH : prctl(pm, t, m)
    },
  }
}

function prctl(pm: Pm, t: Task, m: Message): number {
  const p = t.process
  const arg = ulong(m, 1)
  const rest = ulong(m, 2) !== 0 || ulong(m, 3) !== 0 || ulong(m, 4) !== 0
  switch (int(m, 0)) {
    case PR.SET_NAME:
    case PR.GET_NAME:
      return name(pm, t, m)
    case PR.SET_PDEATHSIG:
      if (arg > SIGMAX) return -E.INVAL
      t.parentDeathSignal = arg
      return 0
    case PR.GET_PDEATHSIG:
    case PR.GET_CHILD_SUBREAPER:
      return putInt(pm, m, int(m, 0) === PR.GET_PDEATHSIG ? t.parentDeathSignal : p.subreaper ? 1 : 0)
    case PR.GET_DUMPABLE:
      return p.dumpable
    case PR.SET_DUMPABLE:
      if (arg > 1) return -E.INVAL
      p.dumpable = arg
      return 0
    case PR.GET_KEEPCAPS:
      return p.keepCaps ? 1 : 0
    case PR.SET_KEEPCAPS:
      if (arg > 1) return -E.INVAL
      if ((t.cred.securebits & SECBIT.KEEP_CAPS_LOCKED) !== 0) return -E.PERM
      p.keepCaps = arg === 1
      return 0
    case PR.GET_TIMING:
      return 0
    case PR.SET_TIMING:
      return arg === 0 ? 0 : -E.INVAL
    case PR.CAPBSET_READ:
      return arg > LAST_CAP ? -E.INVAL : inBounding(t, arg) ? 1 : 0
    case PR.CAPBSET_DROP:
      return dropBounding(t, arg)
    case PR.GET_SECUREBITS:
      return t.cred.securebits
    case PR.SET_SECUREBITS:
      return setSecurebits(t, uint(m, 1))
    case PR.SET_TIMERSLACK:
      t.timerSlack = arg === 0 ? TIMER_SLACK : arg
      return 0
    case PR.GET_TIMERSLACK:
      return t.timerSlack
    case PR.GET_TSC:
      return putInt(pm, m, TSC_ENABLE)
    case PR.SET_TSC:
      return arg === TSC_ENABLE ? 0 : -E.INVAL
    case PR.MCE_KILL:
      return machineChecks(p, m)
    case PR.MCE_KILL_GET:
      return arg === 0 && !rest ? p.machineChecks : -E.INVAL
    case PR.GET_SPECULATION_CTRL:
    case PR.SET_SPECULATION_CTRL:
      return speculation(m)
    case PR.SET_IO_FLUSHER:
      if (!capable(t.cred, CAP.SYS_RESOURCE)) return -E.PERM
      if (arg > 1 || rest) return -E.INVAL
      p.ioFlusher = arg === 1
      return 0
    case PR.GET_IO_FLUSHER:
      if (!capable(t.cred, CAP.SYS_RESOURCE)) return -E.PERM
      return arg !== 0 || rest ? -E.INVAL : p.ioFlusher ? 1 : 0
    case PR.GET_MDWE:
      return arg !== 0 || rest ? -E.INVAL : 0
    case PR.GET_TID_ADDRESS:
      return putLong(pm, m, t.clearTid)
    case PR.GET_SECCOMP:
      return 0
    case PR.SET_CHILD_SUBREAPER:
      p.subreaper = arg !== 0
      return 0
    case PR.SET_NO_NEW_PRIVS:
      if (arg !== 1 || rest) return -E.INVAL
      t.noNewPrivs = true
      return 0
    case PR.GET_NO_NEW_PRIVS:
      return arg !== 0 || rest ? -E.INVAL : t.noNewPrivs ? 1 : 0
    case PR.SET_THP_DISABLE:
      if (rest) return -E.INVAL
      p.thpDisable = arg !== 0
      return 0
    case PR.GET_THP_DISABLE:
      return arg !== 0 || rest ? -E.INVAL : p.thpDisable ? 1 : 0
    case PR.SET_PTRACER:
      return 0
    case PR.CAP_AMBIENT:
      return ulong(m, 3) !== 0 || ulong(m, 4) !== 0 ? -E.INVAL : ambient(t, arg, ulong(m, 2))
    default: // seccomp, TSC, tagged addresses, naming of mappings, …: not there
      return -E.INVAL
  }
}

function name(pm: Pm, t: Task, m: Message): number {
  const at = grantOf(m, 5)
  if (at < 0) return -E.FAULT
  const bytes = Math.min(NAME_BYTES, high(m, 5))
  if (int(m, 0) === PR.GET_NAME) {
    for (let k = 0; k < bytes; k++) pm.sys.mem[at + k] = k < t.comm.length ? t.comm.charCodeAt(k) : 0
    return 0
  }
  let s = ''
  for (let k = 0; k < Math.min(bytes, NAME_BYTES - 1) && pm.sys.mem[at + k] !== 0; k++) s += String.fromCharCode(pm.sys.mem[at + k])
  t.comm = s
  return 0
}
/** The options that answer through a pointer get an int-sized output in the cell names and values share. */
function putInt(pm: Pm, m: Message, value: number): number {
  const at = grantOf(m, 5)
  if (at < 0) return -E.FAULT
  pm.sys.view.setInt32(at, value, true)
  return 0
}

function putLong(pm: Pm, m: Message, value: number): number {
  const at = need(m, 5, 8)
  if (at < 0) return at
  write64(pm, at, value)
  return 0
}

/** When a process is told of broken memory: kept and answered. */
function machineChecks(p: Process, m: Message): number {
  const [what, policy] = [ulong(m, 1), ulong(m, 2)]
  if (ulong(m, 3) !== 0 || ulong(m, 4) !== 0 || what > 1 || (what === 0 ? policy !== 0 : policy > MCE.DEFAULT)) return -E.INVAL
  p.machineChecks = what === 0 ? MCE.DEFAULT : policy
  return 0
}
/** The processor's speculation is the host's business: not affected, says it, and can't be changed. */
function speculation(m: Message): number {
  const asks = int(m, 0) === PR.GET_SPECULATION_CTRL
  if (ulong(m, 3) !== 0 || ulong(m, 4) !== 0 || (asks && ulong(m, 2) !== 0)) return -E.INVAL
  if (ulong(m, 1) >= SPECULATIONS) return -E.NODEV
  return asks ? 0 : -E.NXIO
}

function inBounding(t: Task, capability: number): boolean {
  const { bounding } = t.cred
  return (((capability < 32 ? bounding.lo : bounding.hi) >>> (capability & 31)) & 1) === 1
}
function dropBounding(t: Task, capability: number): number {
  if (!capable(t.cred, CAP.SETPCAP)) return -E.PERM
  if (capability > LAST_CAP) return -E.INVAL
  if (capability < 32) t.cred.bounding.lo &= ~(1 << capability)
  else t.cred.bounding.hi &= ~(1 << (capability - 32))
  return 0
}
function setSecurebits(t: Task, bits: number): number {
  const old = t.cred.securebits
  const locks = 0xaa
  const changed = old ^ bits
  const locked = ((old & locks) >> 1) & changed
  const unlocking = old & locks & ~bits
  if (locked !== 0 || unlocking !== 0 || (bits & ~0xff) !== 0 || !capable(t.cred, CAP.SETPCAP)) return -E.PERM
  t.cred.securebits = bits
  return 0
}
function ambient(t: Task, what: number, capability: number): number {
  const c = t.cred
  if (what === AMBIENT.CLEAR_ALL) {
    if (capability !== 0) return -E.INVAL
    c.ambient = { lo: 0, hi: 0 }
    return 0
  }
  if (capability > LAST_CAP || what < AMBIENT.IS_SET || what > AMBIENT.CLEAR_ALL) return -E.INVAL
  const word = capability < 32 ? 'lo' : 'hi'
  const bit = 1 << (capability & 31)
  if (what === AMBIENT.IS_SET) return (c.ambient[word] & bit) !== 0 ? 1 : 0
  if (what === AMBIENT.LOWER) c.ambient[word] &= ~bit
  else {
    const allowed = (c.permitted[word] & c.inheritable[word] & bit) !== 0 && (c.securebits & SECBIT.NO_CAP_AMBIENT_RAISE) === 0
    if (!allowed) return -E.PERM
    c.ambient[word] |= bit
  }
  return 0
}
