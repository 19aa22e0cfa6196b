// ptrace(2): what a tracer asks for. Who traces whom and how threads stop and go on is trace.ts; this file is the call: who may, which
// request, what goes over. Memory and extended state are errands in the traced thread: the tracer waits (WAITING.TRACEE) until
// COMMON.DONE with its thread id. kernel/ptrace.c, arch/x86/kernel/ptrace.c; the order of checks is theirs.
import { CONTEXT } from '../../abi/context.ts'
import { E } from '../../abi/errno.ts'
import { EP, high, int, long, type Message, message, setGrant, setLong, SUSPEND, TYPE, ulong } from '../../abi/message.ts'
import { PROT_READ, PROT_WRITE } from '../../abi/mman.ts'
import {
  AUDIT_ARCH_X86_64, EVENT, FPREGS_BYTES, NT, PEEKSIGINFO, PTRACE, PTRACE_O, PTRACE_O_MASK, SYSCALL_INFO, USER,
} from '../../abi/ptrace.ts'
import { SI, SIG, SIGINFO, SIGMAX } from '../../abi/signals.ts'
import type { CallVector } from '../../lib/server.ts'
import { COMMON_CALL } from '../../protocol/common.ts'
import { PM } from '../../protocol/pm.ts'
import { REGION, REGION_FLAGS, VM } from '../../protocol/vm.ts'
import { CAP, capable, type Pm, STOP, type Task, taskOf, type Trace, WAITING } from './mproc.ts'
import { mayTrace } from './pidfd.ts'
import { ARGUMENTS, peekUser, pokeUser, RAX, readContext, readRegisters, RIP, RSP, writeRegisters } from './registers.ts'
import { info, recalculate, sanitize, send } from './signal.ts'
import { finish, writeInfo } from './suspended.ts'
import { attach, detach, goOn, interruptTraced, isStopped, link, retrap, tracerOf } from './trace.ts'

/** A request of a tracer about a thread it traces; `addr` and `data` as 64-bit words. */
interface Asked {
  pm: Pm
  by: Task
  t: Task
  trace: Trace
  m: Message
  addr: bigint
  data: bigint
  /** What data points to: arena offset, -1: not there. */
  buf: number
}
type Request = (a: Asked) => number

export function ptraceCalls(pm: Pm): CallVector {
  return {
    [PM.PTRACE]: (m, from) => {
      const by = taskOf(pm, from)
      return by === undefined ? -E.SRCH : ptrace(pm, by, m)
    },
    [PM.MAYTRACE]: m => {
      const by = taskOf(pm, int(m, 0))
      const t = pm.tasks.get(int(m, 1))
      if (by === undefined || t === undefined) return -E.SRCH
      return mayTrace(by, t) ? t.endpoint : -E.PERM
    },
    [COMMON_CALL.DONE]: m => {
      const by = pm.tasks.get(int(m, 0))
      if (by !== undefined && by.waiting === WAITING.TRACEE) brought(pm, by, long(m, 1), int(m, 2))
      return SUSPEND
    },
  }
}

function ptrace(pm: Pm, by: Task, m: Message): number {
  const request = long(m, 0)
  if (request === PTRACE.TRACEME) return traceMe(pm, by)
  const t = pm.tasks.get(int(m, 1))
  if (request === PTRACE.ATTACH || request === PTRACE.SEIZE) return attachTo(pm, by, m, request === PTRACE.SEIZE)
  const { trace } = t ?? { trace: null }
  if (t === undefined || trace === null || trace.tracer !== by.tid) return -E.SRCH
  const always = request === PTRACE.KILL || request === PTRACE.INTERRUPT
  if (!always && (!isStopped(t) || trace.listening)) return -E.SRCH
  const row = REQUESTS[request]
  const word = (k: number): bigint => BigInt.asUintN(64, (BigInt(m[3 + 2 * k] as number) << 32n) | BigInt((m[2 + 2 * k] as number) >>> 0))
  return row === undefined ? -E.IO : row({ pm, by, t, trace, m, addr: word(2), data: word(3), buf: high(m, 4) > 0 ? int(m, 4) : -1 })
}

// ---- beginning and end ----

function traceMe(pm: Pm, t: Task): number {
  const parent = pm.tasks.get(t.process.forkedBy) ?? t.process.parent.leader
  if (t.trace !== null) return -E.PERM
  link(pm, parent, t, false, 0)
  return 0
}
function attachTo(pm: Pm, by: Task, m: Message, seize: boolean): number {
  const pid = int(m, 1)
  const t = pm.tasks.get(pid)
  if (t === undefined && !pm.processes.has(pid)) return -E.SRCH
  if (seize) {
    if (ulong(m, 2) !== 0 || !known(long(m, 3))) return -E.IO
    const bad = optionsAllowed(by, long(m, 3))
    if (bad < 0) return bad
  }
  const process = t?.process ?? pm.processes.get(pid)
  if (process === by.process || process === pm.init || t === undefined || !mayTrace(by, t) || t.trace !== null) return -E.PERM
  attach(pm, by, t, seize, seize ? long(m, 3) : 0)
  return 0
}
function known(options: number): boolean {
  return options >= 0 && options <= 0xffffffff && (options & ~PTRACE_O_MASK) === 0
}
/** Nobody's seccomp filters can be suspended: there are none. */
function optionsAllowed(by: Task, options: number): number {
  if (!known(options)) return -E.INVAL
  if ((options & PTRACE_O.SUSPEND_SECCOMP) === 0) return 0
  return capable(by.cred, CAP.SYS_ADMIN) ? -E.INVAL : -E.PERM
}
function resume(a: Asked, calls: boolean, step: boolean): number {
  if (a.data > SIGMAX) return -E.IO
  goOn(a.pm, a.t, Number(a.data), { calls, step })
  return 0
}

// ---- the requests ----

const REQUESTS: Readonly<Record<number, Request>> = {
  [PTRACE.PEEKTEXT]: a => peek(a),
  [PTRACE.PEEKDATA]: a => peek(a),
  [PTRACE.POKETEXT]: a => poke(a),
  [PTRACE.POKEDATA]: a => poke(a),
  [PTRACE.PEEKUSER]: a => {
    const bad = readContext(a.pm, a.t, a.pm.sys.buffer)
    const word = bad < 0 ? bad : peekUser(a.pm, a.pm.sys.buffer, Number(a.addr))
    return typeof word === 'number' ? word : put(a, word)
  },
  [PTRACE.POKEUSER]: a => change(a, at => pokeUser(a.pm, at, Number(a.addr), a.data)),
  [PTRACE.GETREGS]: a => {
    const bad = readContext(a.pm, a.t, a.pm.sys.buffer)
    if (bad < 0) return bad
    if (a.buf < 0) return -E.FAULT
    writeRegisters(a.pm, a.pm.sys.buffer, a.buf)
    return 0
  },
  [PTRACE.SETREGS]: a => (a.buf < 0 ? -E.FAULT : change(a, at => readRegisters(a.pm, at, a.buf, USER.REGS_BYTES))),
  [PTRACE.GETFPREGS]: a => extended(a, PTRACE.GETFPREGS),
  [PTRACE.SETFPREGS]: a => (a.buf < 0 ? -E.FAULT : extended(a, PTRACE.SETFPREGS)),
  [PTRACE.GETREGSET]: a => regset(a, PTRACE.GETREGSET),
  [PTRACE.SETREGSET]: a => regset(a, PTRACE.SETREGSET),
  [PTRACE.CONT]: a => resume(a, false, false),
  [PTRACE.SYSCALL]: a => resume(a, true, false),
  [PTRACE.SINGLESTEP]: a => resume(a, false, true),
  [PTRACE.DETACH]: a => {
    if (a.data > SIGMAX) return -E.IO
    detach(a.pm, a.t, Number(a.data))
    return 0
  },
  [PTRACE.KILL]: a => {
    send(a.pm, a.t.process, null, info(SIG.KILL, SI.USER))
    return 0
  },
  [PTRACE.INTERRUPT]: a => {
    if (!a.trace.seized) return -E.IO
    interruptTraced(a.pm, a.t)
    return 0
  },
  [PTRACE.LISTEN]: a => {
    const { trace } = a
    if (!trace.seized || trace.info === null || trace.info[SIGINFO.CODE >> 2] >> 8 !== EVENT.STOP) return -E.IO
    trace.listening = true
    if (trace.trap) retrap(a.pm, a.t)
    return 0
  },
  [PTRACE.SETOPTIONS]: a => {
    const bad = a.data > 0xffffffffn ? -E.INVAL : optionsAllowed(a.by, Number(a.data))
    if (bad === 0) a.trace.options = Number(a.data)
    return bad
  },
  [PTRACE.GETEVENTMSG]: a => put(a, BigInt(a.trace.message)),
  [PTRACE.GETSIGINFO]: a => {
    if (a.trace.info === null) return -E.INVAL
    if (a.buf < 0) return -E.FAULT
    writeInfo(a.pm, a.buf, a.trace.info)
    return 0
  },
  [PTRACE.SETSIGINFO]: a => {
    if (a.buf < 0) return -E.FAULT
    if (a.trace.info === null) return -E.INVAL
    for (let w = 0; w < SIGINFO.BYTES / 4; w++) a.trace.info[w] = a.pm.sys.view.getInt32(a.buf + 4 * w, true)
    return 0
  },
  [PTRACE.GETSIGMASK]: a => {
    const { blocked } = a.t
    if (a.addr !== 8n) return -E.INVAL
    return put(a, BigInt.asUintN(64, (BigInt(blocked.hi) << 32n) | BigInt(blocked.lo >>> 0)))
  },
  [PTRACE.SETSIGMASK]: a => {
    if (a.addr !== 8n) return -E.INVAL
    if (a.buf < 0) return -E.FAULT
    a.t.blocked.lo = a.pm.sys.view.getInt32(a.buf, true)
    a.t.blocked.hi = a.pm.sys.view.getInt32(a.buf + 4, true)
    sanitize(a.t.blocked)
    recalculate(a.pm, a.t)
    return 0
  },
  [PTRACE.PEEKSIGINFO]: a => peekInfos(a),
  [PTRACE.GET_SYSCALL_INFO]: a => syscallInfo(a),
}

/** A word to where data points. */
function put(a: Asked, word: bigint): number {
  if (a.buf < 0) return -E.FAULT
  a.pm.sys.view.setBigUint64(a.buf, word, true)
  return 0
}
/** The context changed by `f` and set. */
function change(a: Asked, f: (at: number) => number): number {
  const { pm } = a
  const at = pm.sys.buffer
  let r = readContext(pm, a.t, at)
  if (r === 0) r = f(at)
  if (r === 0) r = pm.sys.setContext(a.t.endpoint, at)
  return r === -E.AGAIN ? -E.IO : r
}

/** PTRACE_GET_SYSCALL_INFO: as much as there is room for → how long it is. */
function syscallInfo(a: Asked): number {
  const { pm, trace } = a
  const at = pm.sys.buffer
  const bad = readContext(pm, a.t, at)
  if (bad < 0) return bad
  if (a.buf < 0) return -E.FAULT
  const { view, mem } = pm.sys
  const told = (trace.options & PTRACE_O.TRACESYSGOOD) !== 0
  const kind = told && trace.stop === STOP.ENTRY ? SYSCALL_INFO.ENTRY : told && trace.stop === STOP.EXIT ? SYSCALL_INFO.EXIT : SYSCALL_INFO.NONE
  const to = at + CONTEXT.BYTES + 8
  mem.fill(0, to, to + SYSCALL_INFO.BYTES)
  const copy = (offset: number, register: number): void => view.setBigUint64(to + offset, view.getBigUint64(at + register, true), true)
  view.setUint8(to + SYSCALL_INFO.OP, kind.op)
  view.setUint32(to + SYSCALL_INFO.ARCH, AUDIT_ARCH_X86_64, true)
  copy(SYSCALL_INFO.IP, RIP)
  copy(SYSCALL_INFO.SP, RSP)
  if (kind === SYSCALL_INFO.ENTRY) {
    view.setBigInt64(to + SYSCALL_INFO.NR, BigInt(view.getInt32(at + CONTEXT.CALL, true)), true)
    for (const [i, register] of ARGUMENTS.entries()) copy(SYSCALL_INFO.ARGS + 8 * i, register)
  } else if (kind === SYSCALL_INFO.EXIT) {
    const rax = view.getBigInt64(at + RAX, true)
    copy(SYSCALL_INFO.RVAL, RAX)
    view.setUint8(to + SYSCALL_INFO.IS_ERROR, rax < 0n && rax >= -4095n ? 1 : 0)
  }
  mem.copyWithin(a.buf, to, to + Math.min(kind.bytes, high(a.m, 4)))
  return kind.bytes
}

/** PTRACE_PEEKSIGINFO: pending signals from the off-th on, none taken. */
function peekInfos(a: Asked): number {
  const { pm } = a
  if (a.buf < 0) return -E.FAULT
  const { view } = pm.sys
  const flags = view.getUint32(a.buf + PEEKSIGINFO.FLAGS, true)
  const nr = view.getInt32(a.buf + PEEKSIGINFO.NR, true)
  const off = view.getBigUint64(a.buf + PEEKSIGINFO.OFF, true)
  if ((flags & ~PEEKSIGINFO.SHARED) !== 0 || nr < 0) return -E.INVAL
  const { infos } = (flags & PEEKSIGINFO.SHARED) !== 0 ? a.t.process.pending : a.t.pending
  const some = off > infos.length ? [] : infos.slice(Number(off), Number(off) + Math.min(nr, INFOS_MAX))
  if (some.length === 0) return 0
  for (const [i, one] of some.entries()) writeInfo(pm, pm.sys.buffer + i * SIGINFO.BYTES, one)
  const done = pm.sys.copyTo(a.by.endpoint, ulong(a.m, 3), pm.sys.buffer, some.length * SIGINFO.BYTES, -1, a.by.tid)
  return done < 0 ? done : wait(a, PTRACE.PEEKSIGINFO, some.length)
}
const INFOS_MAX = 256

// ---- memory ----

const out = message()
/** Protection of the region `address` lies in and where that ends; undefined: none, or one that can't be reached against its will. */
function regionAt(pm: Pm, t: Task, address: number, writes: boolean): { end: number; prot: number } | undefined {
  const at = pm.sys.buffer
  out.fill(0)
  out[TYPE] = VM.REGION
  setLong(out, 0, t.endpoint)
  setLong(out, 1, address)
  setGrant(out, 2, at, REGION.NAME)
  if (pm.sys.sendrec(EP.VM, out) !== 1) return undefined
  const u64 = (offset: number): number => pm.sys.view.getUint32(at + offset, true) + pm.sys.view.getUint32(at + offset + 4, true) * 2 ** 32
  const prot = pm.sys.view.getUint32(at + REGION.PROT, true)
  const shared = (pm.sys.view.getUint32(at + REGION.FLAGS, true) & REGION_FLAGS.SHARED) !== 0
  if (u64(REGION.START) > address || (writes && shared && (prot & PROT_WRITE) === 0)) return undefined
  return { end: u64(REGION.END), prot }
}
/** Errand for the word at `address` from byte `done` on, as far as its region goes. */
function moveWord(pm: Pm, by: Task, t: Task, address: number, done: number, writes: boolean): number {
  const region = address >= 0 && address < 2 ** 47 ? regionAt(pm, t, address + done, writes) : undefined
  if (region === undefined) return -E.IO
  const bytes = Math.min(WORD - done, region.end - address - done)
  const prot = region.prot & (writes ? PROT_WRITE : PROT_READ) ? -1 : region.prot
  if (!writes) return pm.sys.copyFrom(t.endpoint, address + done, bytes, prot, by.tid)
  pm.sys.view.setInt32(pm.sys.buffer, by.request.word.lo, true)
  pm.sys.view.setInt32(pm.sys.buffer + 4, by.request.word.hi, true)
  return pm.sys.copyTo(t.endpoint, address + done, pm.sys.buffer + done, bytes, prot, by.tid)
}
const WORD = 8

function peek(a: Asked): number {
  if (a.buf < 0) return -E.FAULT
  const r = moveWord(a.pm, a.by, a.t, Number(a.addr), 0, false)
  return r < 0 ? r : wait(a, PTRACE.PEEKDATA, 0)
}
function poke(a: Asked): number {
  a.by.request.word = { lo: a.m[2 + 2 * 3], hi: a.m[3 + 2 * 3] }
  const r = moveWord(a.pm, a.by, a.t, Number(a.addr), 0, true)
  return r < 0 ? r : wait(a, PTRACE.POKEDATA, 0)
}

// ---- extended state ----

/** In the frame format: what says how much there is (GETREGSET has XCR0 there instead), and the XSAVE header. */
const SW = { AT: 464, XFEATURES: 472, XSTATE_BYTES: 480, END: 512 } as const
const XSTATE_BV = 512
const X87_AND_SSE = 3n

function extended(a: Asked, request: number): number {
  const r = a.pm.sys.getExtended(a.t.endpoint, a.by.tid)
  return r < 0 ? r : wait(a, request, 0)
}
/** buf is the iovec; vec (SETREGSET) what it points to. */
function regset(a: Asked, request: number): number {
  const { pm } = a
  if (a.buf < 0) return -E.FAULT
  const type = Number(BigInt.asUintN(32, a.addr))
  if (type !== NT.PRSTATUS && type !== NT.PRFPREG && type !== NT.X86_XSTATE) return -E.INVAL
  const length = pm.sys.view.getBigUint64(a.buf + 8, true)
  if (length % (type === NT.PRFPREG ? 4n : 8n) !== 0n) return -E.INVAL
  if (type !== NT.PRSTATUS) return extended(a, request)
  const bytes = length < USER.REGS_BYTES ? Number(length) : USER.REGS_BYTES
  pm.sys.view.setBigUint64(a.buf + 8, BigInt(bytes), true)
  if (request === PTRACE.SETREGSET) return high(a.m, 5) < bytes ? -E.FAULT : change(a, at => readRegisters(pm, at, int(a.m, 5), bytes))
  const at = pm.sys.buffer
  const bad = readContext(pm, a.t, at)
  if (bad < 0) return bad
  writeRegisters(pm, at, at + CONTEXT.BYTES)
  const r = give(pm, a.by, a.buf, at + CONTEXT.BYTES, bytes)
  return r < 0 ? r : wait(a, GIVE, 0)
}
/** `bytes` bytes to where the tracer's iovec at `buf` points. */
function give(pm: Pm, by: Task, buf: number, from: number, bytes: number): number {
  pm.sys.view.setBigUint64(buf + 8, BigInt(bytes), true)
  const base = pm.sys.view.getBigUint64(buf, true)
  return base > 2n ** 47n ? -E.FAULT : pm.sys.copyTo(by.endpoint, Number(base), from, bytes, -1, by.tid)
}

/** The frame at `at` as GETREGSET shows it → bytes. */
function asRegset(pm: Pm, at: number, type: number): number {
  const { view, mem } = pm.sys
  const features = view.getBigUint64(at + SW.XFEATURES, true)
  const bytes = view.getUint32(at + SW.XSTATE_BYTES, true)
  mem.fill(0, at + SW.AT, at + SW.END)
  if (type === NT.PRFPREG) return FPREGS_BYTES
  view.setBigUint64(at + SW.AT, features, true)
  return bytes
}
/** `bytes` bytes of such a set (XSTATE: all of it) into the frame at `at`: 0 or -errno. */
function fromRegset(pm: Pm, at: number, from: number, bytes: number, type: number): number {
  const { view, mem } = pm.sys
  const whole = view.getUint32(at + SW.XSTATE_BYTES, true)
  mem.copyWithin(at, from, from + Math.min(bytes, SW.AT))
  if (type === NT.X86_XSTATE) {
    if (bytes !== whole) return -E.FAULT
    mem.copyWithin(at + SW.END, from + SW.END, from + whole)
  } else view.setBigUint64(at + XSTATE_BV, view.getBigUint64(at + XSTATE_BV, true) | X87_AND_SSE, true)
  return 0
}

// ---- errands ----

/** Request.idType beside PTRACE_*: the last errand of a request, to the tracer or to the tracee. */
const GIVE = -1
const TAKE = -2

/** The tracer waits for an errand: which request it is for, the tracee, the address, where the data are, and how much is done. */
function wait(a: Asked, request: number, bytes: number): number {
  const r = a.by.request
  r.idType = request
  r.id = a.t.tid
  r.address = Number(a.addr)
  r.options = bytes
  r.statusAt = a.buf
  r.infoAt = int(a.m, 5)
  r.usageAt = high(a.m, 5)
  a.by.waiting = WAITING.TRACEE
  return SUSPEND
}
/** It is done; what it brought lies at `at`. */
function brought(pm: Pm, by: Task, result: number, at: number): void {
  const next = step(pm, by, result, at)
  if (next !== SUSPEND) finish(pm, by, next)
}
function step(pm: Pm, by: Task, result: number, at: number): number {
  const r = by.request
  const t = pm.tasks.get(r.id)
  if (t === undefined || tracerOf(pm, t) !== by) return -E.SRCH
  if (r.idType === PTRACE.PEEKDATA || r.idType === PTRACE.POKEDATA) {
    const writes = r.idType === PTRACE.POKEDATA
    if (result <= 0) return -E.IO
    if (!writes) pm.sys.mem.copyWithin(r.statusAt + r.options, at, at + result)
    r.options += result
    const more = r.options < WORD ? moveWord(pm, by, t, r.address, r.options, writes) : 1
    return more === 0 ? SUSPEND : Math.min(more, 0)
  }
  if (result < 0) return r.idType === TAKE ? -E.INVAL : r.idType === GIVE || r.idType === PTRACE.PEEKSIGINFO ? -E.FAULT : -E.IO
  if (r.idType === GIVE || r.idType === TAKE) return 0
  return r.idType === PTRACE.PEEKSIGINFO ? r.options : extendedStep(pm, by, t, result, at)
}
/** The frame is there: shown, or changed and sent back. */
function extendedStep(pm: Pm, by: Task, t: Task, bytes: number, at: number): number {
  const r = by.request
  const { view, mem } = pm.sys
  if (r.idType === PTRACE.GETFPREGS) {
    asRegset(pm, at, NT.PRFPREG)
    mem.copyWithin(r.statusAt, at, at + FPREGS_BYTES)
    return 0
  }
  const isSet = r.idType === PTRACE.GETREGSET || r.idType === PTRACE.SETREGSET
  const asked = isSet ? Number(view.getBigUint64(r.statusAt + 8, true)) : FPREGS_BYTES
  if (r.idType === PTRACE.GETREGSET) {
    const given = give(pm, by, r.statusAt, at, Math.min(asked, asRegset(pm, at, r.address)))
    r.idType = GIVE
    return given < 0 ? given : SUSPEND
  }
  const type = isSet ? r.address : NT.PRFPREG
  const most = type === NT.PRFPREG ? FPREGS_BYTES : view.getUint32(at + SW.XSTATE_BYTES, true)
  const n = Math.min(asked, most)
  if (isSet && r.usageAt < n) return -E.FAULT
  const bad = fromRegset(pm, at, isSet ? r.infoAt : r.statusAt, n, type)
  if (bad < 0) return bad
  if (isSet) view.setBigUint64(r.statusAt + 8, BigInt(n), true)
  r.idType = TAKE
  const taken = pm.sys.setExtended(t.endpoint, at, bytes, by.tid)
  return taken < 0 ? taken : SUSPEND
}
