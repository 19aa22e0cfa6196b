// Processes as /proc sees them, and what the other servers say about them. PM, VM and the host are asked afresh every time; nothing is kept.
import { USAGE } from '../../abi/ipc.ts'
import { E } from '../../abi/errno.ts'
import { EP, type Message, NONE, setGrant, setInt, setLong, slotOf, TYPE } from '../../abi/message.ts'
import { KIN, PM, PROC_RECORD as R, TOTALS } from '../../protocol/pm.ts'
import { VM } from '../../protocol/vm.ts'
import type { Credentials, Fproc } from './inode.ts'
import { hasCapability } from './permission.ts'
import type { FsState } from './state.ts'

const CAP_SYS_PTRACE = 19
const IDS_PER_CALL = 1024

/** What an entry of /proc is about: a process or thread as of its lookup, `fd` a descriptor of it or -1; MACHINE. */
export interface Found {
  readonly pid: number
  /** Its process. */
  readonly group: number
  readonly endpoint: number
  /** Real, effective, saved. */
  readonly uids: readonly number[]
  readonly gids: readonly number[]
  readonly dumpable: boolean
  readonly permitted: number
  readonly fd: number
  /** Reached as a thread: its own times and signals, not the process's. */
  readonly thread: boolean
}
/** No process: what the files outside the processes are about. */
export const MACHINE: Found = {
  pid: 0, group: 0, endpoint: NONE, uids: [0, 0, 0], gids: [0, 0, 0], dumpable: true, permitted: 0, fd: -1, thread: false,
}

export function request(state: FsState, type: number): Message {
  const m = state.out
  m.fill(0)
  m[TYPE] = type
  return m
}

/** PM's record of process or thread `pid`, left in FS's own buffer → its offset, or -errno. Valid until the next request. */
export function recordOf(state: FsState, pid: number): number {
  const at = state.sys.buffer
  const m = request(state, PM.PROCINFO)
  setInt(m, 0, pid)
  setGrant(m, 1, at, R.BYTES)
  const r = state.sys.sendrec(EP.PM, m)
  return r < 0 ? r : at
}
export function findProcess(state: FsState, pid: number, thread = false): Found | undefined {
  const at = recordOf(state, pid)
  if (at < 0) return undefined
  const u32 = (offset: number): number => state.sys.view.getUint32(at + offset, true)
  return {
    pid,
    group: u32(R.TGID),
    endpoint: u32(R.ENDPOINT),
    uids: [u32(R.UID), u32(R.EUID), u32(R.SUID)],
    gids: [u32(R.GID), u32(R.EGID), u32(R.SGID)],
    dumpable: u32(R.DUMPABLE) === 1,
    permitted: u32(R.CAPS + 8) + u32(R.CAPS + 12) * 2 ** 32,
    fd: -1,
    thread,
  }
}
/** FS's row of the process; undefined for a zombie. */
export function rowOf(state: FsState, about: Found): Fproc | undefined {
  const fproc = about.endpoint === NONE ? undefined : state.fprocs[slotOf(about.endpoint)]
  return fproc !== undefined && fproc.endpoint === about.endpoint ? fproc : undefined
}
/** Not reaped since the lookup. */
export function isAlive(state: FsState, about: Found): boolean {
  return about === MACHINE || rowOf(state, about) !== undefined || findProcess(state, about.pid)?.endpoint === about.endpoint
}

/** Ids a request answers in pieces, ascending. */
function ids(state: FsState, ask: (after: number, at: number, bytes: number) => Message): number[] {
  const { sys } = state
  const out: number[] = []
  for (let last = 0; ; last = out[out.length - 1] as number) {
    const count = sys.sendrec(EP.PM, ask(last, sys.buffer, 4 * IDS_PER_CALL))
    for (let i = 0; i < count; i++) out.push(sys.view.getUint32(sys.buffer + 4 * i, true))
    if (count < IDS_PER_CALL) return out
  }
}
export function pids(state: FsState): number[] {
  return ids(state, (after, at, bytes) => {
    const m = request(state, PM.PIDS)
    setInt(m, 0, after)
    setGrant(m, 1, at, bytes)
    return m
  })
}
function kin(state: FsState, about: Found, what: number): number[] {
  return ids(state, (after, at, bytes) => {
    const m = request(state, PM.KIN)
    setInt(m, 0, about.group)
    setInt(m, 1, what)
    setInt(m, 2, after)
    setGrant(m, 3, at, bytes)
    return m
  })
}
export function threads(state: FsState, about: Found): number[] {
  return kin(state, about, KIN.THREADS)
}
export function children(state: FsState, about: Found): number[] {
  return kin(state, about, KIN.CHILDREN)
}
/** PM's sums over all processes, by offset in TOTALS. */
export function totals(state: FsState): (offset: number) => number {
  const { sys } = state
  const m = request(state, PM.TOTALS)
  setGrant(m, 0, sys.buffer, TOTALS.BYTES)
  if (sys.sendrec(EP.PM, m) < 0) return () => 0
  const values = new Float64Array(sys.mem.slice(sys.buffer, sys.buffer + TOTALS.BYTES).buffer)
  return offset => values[offset / 8] as number
}

// -- who asks --

const PID = 0
const TGID = 7
function job(state: FsState, what: number): number {
  const m = request(state, PM.GETJOB)
  setLong(m, 0, state.current)
  setInt(m, 1, what)
  return state.sys.sendrec(EP.PM, m)
}
/** Process id of the caller, or -errno. */
export function selfPid(state: FsState): number {
  return job(state, TGID)
}
export function selfThread(state: FsState): number {
  return job(state, PID)
}
/** May the caller look into the process? Its own, its user, or CAP_SYS_PTRACE (ptrace(2), access mode checking). 0 or -EACCES. */
export function mayTrace(state: FsState, about: Found, by: Credentials): number {
  const same = about.uids.every(uid => uid === by.fsuid) && about.gids.every(gid => gid === by.fsgid)
  if (same && about.dumpable && within(about.permitted, by.capabilities)) return 0
  return hasCapability(by, CAP_SYS_PTRACE) || selfPid(state) === about.group ? 0 : -E.ACCES
}
function within(some: number, all: number): boolean {
  for (const half of [(n: number) => n % 2 ** 32, (n: number) => Math.floor(n / 2 ** 32)])
    if ((half(some) & ~half(all)) !== 0) return false
  return true
}
export function callerMayTrace(state: FsState, about: Found): boolean {
  const caller = state.fprocs[slotOf(state.current)]
  return caller !== undefined && mayTrace(state, about, caller.cred) === 0
}

// -- memory --

/** VM's text about an address space (protocol/vm.ts MAPS). Empty when it has none. */
export function memoryText(state: FsState, endpoint: number, what: number): string {
  if (endpoint === NONE) return ''
  const { sys } = state
  let text = ''
  for (;;) {
    const m = request(state, VM.MAPS)
    setLong(m, 0, endpoint)
    setGrant(m, 1, sys.buffer, sys.bufferSize)
    setLong(m, 2, text.length)
    setInt(m, 3, what)
    const n = sys.sendrec(EP.VM, m)
    if (n <= 0) return text
    for (let i = 0; i < n; i++) text += String.fromCharCode(sys.mem[sys.buffer + i] as number)
    if (n < sys.bufferSize) return text
  }
}
/** IMAGE record and auxiliary vector, or null. */
export function imageOf(state: FsState, about: Found): Uint8Array | null {
  if (about.endpoint === NONE) return null
  const { sys } = state
  const m = request(state, VM.IMAGE)
  setLong(m, 0, about.endpoint)
  setGrant(m, 1, sys.buffer, sys.bufferSize)
  const n = sys.sendrec(EP.VM, m)
  return n <= 0 ? null : sys.mem.slice(sys.buffer, sys.buffer + n)
}
/** Up to `bytes` of its memory from `address` on to arena offset `at`, or out of it: → bytes, -EIO where nothing is mapped. */
export function memory(state: FsState, type: number, about: Found, address: number, at: number, bytes: number): number {
  const m = request(state, type)
  setLong(m, 0, about.endpoint)
  setLong(m, 1, address)
  setGrant(m, 2, at, bytes)
  return about.endpoint === NONE ? -E.IO : state.sys.sendrec(EP.VM, m)
}
/** USAGE by index; all 0 when nobody runs it or the host doesn't say. */
export function usageOf(state: FsState, about: Found): (index: number) => number {
  const { sys } = state
  if (about.endpoint === NONE || sys.usage(about.endpoint, sys.buffer) < 0) return () => 0
  const values = new Float64Array(sys.mem.slice(sys.buffer, sys.buffer + USAGE.BYTES).buffer)
  return index => values[index] as number
}
