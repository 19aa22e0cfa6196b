// Processes as /proc sees them: PM's records joined with FS's own rows. PM is asked afresh every time; nothing is cached.
import { E } from '../../abi/errno.ts'
import { EP, type Message, NONE, setGrant, setInt, setLong, slotOf, TYPE } from '../../abi/message.ts'
import { PM, PROC_RECORD as R } from '../../protocol/pm.ts'
import { VM } from '../../protocol/vm.ts'
import type { Fproc } from './inode.ts'
import type { FsState } from './state.ts'

export const CAP_SYS_PTRACE = 19
const PIDS_PER_CALL = 1024

/** Which process an inode is about, as of its lookup; `fd` a descriptor of it, or -1. */
export interface Found {
  pid: number
  endpoint: number
  uid: number
  euid: number
  suid: number
  egid: number
  fd: number
}

function request(state: FsState, type: number): Message {
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
export function findProcess(state: FsState, pid: number): Found | undefined {
  const at = recordOf(state, pid)
  if (at < 0) return undefined
  const u32 = (offset: number): number => state.sys.view.getUint32(at + offset, true)
  return {
    pid,
    endpoint: u32(R.ENDPOINT),
    uid: u32(R.UID),
    euid: u32(R.EUID),
    suid: u32(R.SUID),
    egid: u32(R.EGID),
    fd: -1,
  }
}
/** FS's row of the process; undefined for a zombie. */
export function rowOf(state: FsState, about: Found): Fproc | undefined {
  if (about.endpoint === NONE) return undefined
  const fproc = state.fprocs[slotOf(about.endpoint)]
  return fproc !== undefined && fproc.endpoint === about.endpoint ? fproc : undefined
}

/** All process ids, ascending. */
export function pids(state: FsState): number[] {
  const out: number[] = []
  const at = state.sys.buffer
  for (let last = 0; ; ) {
    const m = request(state, PM.PIDS)
    setInt(m, 0, last)
    setGrant(m, 1, at, 4 * PIDS_PER_CALL)
    const count = state.sys.sendrec(EP.PM, m)
    if (count <= 0) return out
    for (let i = 0; i < count; i++) out.push(state.sys.view.getUint32(at + 4 * i, true))
    if (count < PIDS_PER_CALL) return out
    last = out[out.length - 1] as number
  }
}
/** Thread ids of a process, as far as FS knows them: rows whose thread group it is. */
export function threads(state: FsState, about: Found): number[] {
  const out: number[] = []
  for (const fproc of state.fprocs) {
    if (fproc === undefined || job(state, fproc.endpoint, TGID) !== about.pid) continue
    out.push(job(state, fproc.endpoint, PID))
  }
  if (out.length === 0) out.push(about.pid)
  return out.sort((a, b) => a - b)
}
const PID = 0
const TGID = 7
function job(state: FsState, endpoint: number, what: number): number {
  const m = request(state, PM.GETJOB)
  setLong(m, 0, endpoint)
  setInt(m, 1, what)
  return state.sys.sendrec(EP.PM, m)
}
/** The process a thread belongs to; itself when it is over. */
export function groupOf(state: FsState, about: Found): number {
  const group = job(state, about.endpoint, TGID)
  return group < 0 ? about.pid : group
}
/** Process id of the caller, or -errno. */
export function selfPid(state: FsState): number {
  return job(state, state.current, TGID)
}
export function threadPath(state: FsState): string | number {
  const pid = selfPid(state)
  return pid < 0 ? -E.NOENT : `${pid}/task/${job(state, state.current, PID)}`
}

/** VM's text about an address space: 0 maps, 1 statm, 2 the Vm lines of status. Empty when it has none. */
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
