// What the ipc server knows: three kinds of objects, the adjustments semaphores are owed, who waits, and who its callers are.
// Invariant: a thread waits in at most one call, so `waits` has at most one row per endpoint.
import { EP, type Message, message, setGrant, setInt, slotOf, TYPE } from '../../abi/message.ts'
import type { Sys } from '../../lib/server.ts'
import { Timers } from '../../lib/timers.ts'
import { CRED_BYTES, PM } from '../../protocol/pm.ts'
import { Ids } from './ids.ts'
import { defaultLimits, type Limits } from './limits.ts'
import type { Receiver, Sender, Queue } from './msg.ts'
import type { SemSet, SemWait } from './sem.ts'
import type { Segment } from './shm.ts'
import type { Undo } from './undo.ts'

/** Bits of a capability set (capabilities(7)). */
export const CAP = { IPC_LOCK: 14, IPC_OWNER: 15, SYS_ADMIN: 21, SYS_RESOURCE: 24 } as const

/** GETJOB's questions: the process an endpoint belongs to; a live thread of a process. */
const TGID = 7
const THREAD = 10

/** Whose call is in hand: a copy, reused for the next. */
export interface Caller {
  endpoint: number
  pid: number
  euid: number
  egid: number
  fsgid: number
  groups: number[]
  capabilities: number
}
export type Wait = SemWait | Sender | Receiver

export interface IpcState {
  readonly sys: Sys
  readonly out: Message
  readonly timers: Timers
  readonly limits: Limits
  readonly segments: Ids<Segment>
  readonly sets: Ids<SemSet>
  readonly queues: Ids<Queue>
  /** Bytes of text in all queues. */
  text: number
  /** By endpoint. */
  readonly waits: Map<number, Wait>
  /** Pids of endpoints met so far that live. */
  readonly pids: Map<number, number>
  /** By pid; processes that share adjustments have the same. */
  readonly undos: Map<number, Undo>
  /** Entries in all of them. */
  debts: number
  readonly caller: Caller
}

export function createState(sys: Sys): IpcState {
  return {
    sys,
    out: message(),
    timers: new Timers(sys),
    limits: defaultLimits(),
    segments: new Ids(),
    sets: new Ids(),
    queues: new Ids(),
    text: 0,
    waits: new Map(),
    pids: new Map(),
    undos: new Map(),
    debts: 0,
    caller: { endpoint: -1, pid: 0, euid: 0, egid: 0, fsgid: 0, groups: [], capabilities: 0 },
  }
}

export function can(by: Caller, capability: number): boolean {
  return ((by.capabilities >>> capability) & 1) === 1
}
/** Seconds since the epoch. */
export function seconds(state: IpcState): number {
  return Math.floor(state.sys.realtime() / 1000)
}

/** The pid of a live endpoint, or 0. Remembered: its end must be told apart from others'. */
export function pidOf(state: IpcState, endpoint: number): number {
  const known = state.pids.get(endpoint)
  if (known !== undefined) return known
  const pid = ask(state, endpoint, TGID)
  if (pid <= 0) return 0
  state.pids.set(endpoint, pid)
  return pid
}
function ask(state: IpcState, who: number, what: number): number {
  const { out, sys } = state
  out[TYPE] = PM.GETJOB
  setInt(out, 0, who)
  setInt(out, 1, what)
  return sys.sendrec(EP.PM, out)
}

/** Who `endpoint` is; undefined when PM doesn't know it. */
export function callerOf(state: IpcState, endpoint: number): Caller | undefined {
  const { caller, out, sys } = state
  out[TYPE] = PM.GETCRED
  setInt(out, 0, endpoint)
  setGrant(out, 1, sys.buffer, CRED_BYTES)
  if (sys.sendrec(EP.PM, out) < 0) return undefined
  const word = (k: number): number => sys.view.getUint32(sys.buffer + 4 * k, true)
  caller.endpoint = endpoint
  caller.euid = word(1)
  caller.egid = word(5)
  caller.fsgid = word(7)
  caller.groups.length = 0
  for (let k = 0; k < word(8); k++) caller.groups.push(word(9 + k))
  caller.capabilities = sys.view.getUint32(sys.buffer + CRED_BYTES - 8, true)
  caller.pid = pidOf(state, endpoint)
  return caller
}

/** The wait of an endpoint is over: its row goes, and it is answered. */
export function answer(state: IpcState, wait: Wait, result: number): void {
  state.waits.delete(wait.endpoint)
  state.timers.clear(slotOf(wait.endpoint))
  state.sys.reply(wait.endpoint, result)
}
/** The endpoint of some thread of process `pid`, or -ESRCH: it has ended. */
export function threadOf(state: IpcState, pid: number): number {
  return ask(state, pid, THREAD)
}
