// Privilege structures (MINIX 3 kernel/priv.h): what a system process may do. Each has one of its own; all user processes share number 0.
// Numbers are static for tasks and fixed slots (slot + NR_TASKS); processes in other slots are given one of those left over.
import { FIRST_GUEST, NR_TASKS } from '../abi/message.ts'
import type { Privileges } from './types.ts'

export const NR_SYS_PROCS = 64
export const USER_PRIV = 0
const KERNEL_CALL = 0x600
const CALL_WORDS = 8
/** Kernel calls every system process may make (MINIX 3.3's SYS_BASIC_CALLS): they touch nobody else. */
const BASIC_CALLS = [0x618 /* SETALARM */, 0x619 /* TIMES */, 0x61a /* GETINFO */, 0x62c /* DIAGCTL */]

/** Privilege id of a task or a fixed slot (MINIX 3.3's static_priv_id). */
export function staticPriv(slot: number): number {
  return slot + NR_TASKS
}

export class PrivilegeTable {
  readonly traps = new Int32Array(NR_SYS_PROCS)
  readonly ipcTo = new Int32Array(2 * NR_SYS_PROCS) // two words: bit = privilege id of the destination
  readonly sigPending = new Int32Array(NR_SYS_PROCS) // 1: SYSTEM has kernel signals for it
  readonly intPending = new Int32Array(NR_SYS_PROCS) // lines HARDWARE has raised
  readonly slots = new Int32Array(NR_SYS_PROCS).fill(-1) // whose it is; tasks: -1
  readonly grantBase = new Int32Array(NR_SYS_PROCS) // SETGRANT: the part of the arena its own kernel calls may name
  readonly grantBytes = new Int32Array(NR_SYS_PROCS)
  private readonly calls = new Int32Array(CALL_WORDS * NR_SYS_PROCS)

  /** Privilege id for the process in `slot`, its own; -1 when all are taken. */
  allocate(slot: number): number {
    if (slot < FIRST_GUEST) {
      this.slots[staticPriv(slot)] = slot
      return staticPriv(slot)
    }
    for (let id = staticPriv(FIRST_GUEST); id < NR_SYS_PROCS; id++)
      if (this.slots[id] < 0) {
        this.slots[id] = slot
        return id
      }
    return -1
  }
  release(id: number): void {
    this.traps[id] = 0
    this.ipcTo.fill(0, 2 * id, 2 * id + 2)
    this.calls.fill(0, CALL_WORDS * id, CALL_WORDS * (id + 1))
    this.sigPending[id] = 0
    this.intPending[id] = 0
    this.grantBytes[id] = 0
    this.slots[id] = -1
  }
  /** Sets structure `id`. `idOf` gives the privilege id behind a slot in ipcTo. */
  set(id: number, p: Privileges, idOf: (slot: number) => number): void {
    this.traps[id] = p.traps
    this.ipcTo.fill(typeof p.ipcTo === 'string' ? -1 : 0, 2 * id, 2 * id + 2)
    if (p.ipcTo === 'servers') this.ipcTo[2 * id] &= ~(1 << USER_PRIV)
    if (typeof p.ipcTo !== 'string')
      for (const slot of p.ipcTo) {
        const to = idOf(slot)
        this.ipcTo[2 * id + (to >> 5)] |= 1 << (to & 31)
      }
    this.calls.fill(p.kernelCalls === 'all' ? -1 : 0, CALL_WORDS * id, CALL_WORDS * (id + 1))
    if (p.kernelCalls !== 'all') for (const number of p.kernelCalls) this.allow(id, number)
    if (id !== USER_PRIV) for (const number of BASIC_CALLS) this.allow(id, number)
  }
  /** Sets structure `id` from words: traps, 2 of ipcTo, 8 of kernel calls (abi/ipc.ts, PRIV_RECORD). */
  setWords(id: number, word: (k: number) => number): void {
    this.traps[id] = word(0)
    for (let k = 0; k < 2; k++) this.ipcTo[2 * id + k] = word(1 + k)
    for (let k = 0; k < CALL_WORDS; k++) this.calls[CALL_WORDS * id + k] = word(3 + k)
    for (const number of BASIC_CALLS) this.allow(id, number)
  }
  maySend(id: number, to: number): boolean {
    return (this.ipcTo[2 * id + (to >> 5)] & (1 << (to & 31))) !== 0
  }
  mayCall(id: number, number: number): boolean {
    const n = number - KERNEL_CALL
    return n >>> 0 < 32 * CALL_WORDS && (this.calls[CALL_WORDS * id + (n >> 5)] & (1 << (n & 31))) !== 0
  }
  private allow(id: number, number: number): void {
    const n = number - KERNEL_CALL
    if (n >>> 0 < 32 * CALL_WORDS) this.calls[CALL_WORDS * id + (n >> 5)] |= 1 << (n & 31)
  }
}
