// A guest thread as the container sees it: its channel slot in the arena, the op list being built for the next reply, and where a
// multi-step call stands. Plain data: nothing about a thread hides in closures or promises.
import { CH, DATA_BYTES, DATA_OFF, OP_BYTES, OP_MAX, OPF, REG } from '../../abi/channel.ts'
import type { Message } from '../../abi/message.ts'
import type { Kernel } from '../../kernel/types.ts'
import type { OutList, WantList } from './operands.ts'

export { newOutList, newWantList, type OutList, type WantList } from './operands.ts'

/** Views over the whole arena, shared by all threads of a machine. */
export interface Arena { buffer: ArrayBuffer; mem: Uint8Array; i32: Int32Array; u32: Uint32Array; view: DataView; address: number }

export interface GuestThread {
  readonly arena: Arena
  readonly mem: Uint8Array
  readonly i32: Int32Array
  readonly u32: Uint32Array
  readonly view: DataView
  /** Arena byte offset of the channel slot. */
  base: number
  /** Process-table slot it runs for; -1: none (pool). */
  proc: number
  message: Message
  readonly outs: OutList
  readonly wants: WantList
  /** How often decode has been called for this call. */
  pass: number
  /** Next free arena offset in the data window, and its end. */
  bump: number
  end: number
  /** Call in hand: number, -1 when none (fault, interrupt). */
  nr: number
  /** What ptrace shows as orig_rax. */
  orig?: number
  /** Multi-step local calls: which step is next, and the call's own record. */
  step: number
  local: unknown
  nops: number
  /** Signal frames in the reply being built (signal.ts). The dispatcher sets it to 0 at every event. */
  frames?: number
  /** poll: ms left of its timeout when it is issued again; -1: it is not. */
  left?: number
  /** How many words its last words' operations have marked that somebody waits for (futexes.ts). */
  marked?: number
}

/** A call the container carries out itself (exec, sigreturn…). `failed`: index of the op that failed in the step before, or -1.
 *  Answers the call's result (≥ 0, -errno), SUSPEND, or one of these. */
export const MORE = -997 // ops were pushed: run them, then call again (t.step says where to go on)
export const RESUME = -996 // registers are set: go on in the guest with all of REGS (exec, sigreturn)
export type LocalCall = (c: LinuxContainer, t: GuestThread, failed: number) => number

/** What local calls may ask of the container. */
export interface LinuxContainer {
  readonly kernel: Kernel
  readonly arena: Arena
  /** For exec: the thread the new image goes to. A thread borrowed by a vfork child is given back to its owner and a fresh host
   *  process takes its place (same guest identity); otherwise `t` itself, and a RESET op has been pushed. */
  imageThread(t: GuestThread): GuestThread
  /** This guest's host process is single-threaded and its call sites may be patched; forget patches after exec. */
  readonly hwcap: number
  readonly clockTick: number
  /** AT_HWCAP2 and AT_MINSIGSTKSZ for guests; 0 and 2048 when absent. */
  readonly hwcap2?: number
  readonly minSigStack?: number
}

/** Data window from scratch for a new call. */
export function resetWindow(t: GuestThread): void {
  t.bump = t.base + DATA_OFF
  t.end = t.base + DATA_OFF + DATA_BYTES
}

/** Add a host operation; its index. Callers keep within OP_MAX (opsLeft). Arguments are integers a double holds (addresses, lengths). */
export function pushOp(t: GuestThread, code: number, a0 = 0, a1 = 0, a2 = 0, a3 = 0, a4 = 0, a5 = 0, flags = 0): number {
  const i = t.nops++
  writeOp(t, t.base + CH.OPS + i * OP_BYTES, code, flags, a0, a1, a2, a3, a4, a5)
  return i
}
/** The same at arena offset `o`. */
export function writeOp(t: GuestThread, o: number, code: number, flags: number, a0 = 0, a1 = 0, a2 = 0, a3 = 0, a4 = 0, a5 = 0): void {
  t.u32[o >> 2] = code
  t.u32[(o + OPF.FLAGS) >> 2] = flags
  put64(t, o + OPF.A, a0)
  put64(t, o + OPF.A + 8, a1)
  put64(t, o + OPF.A + 16, a2)
  put64(t, o + OPF.A + 24, a3)
  put64(t, o + OPF.A + 32, a4)
  put64(t, o + OPF.A + 40, a5)
}
export function opsLeft(t: GuestThread): number {
  return OP_MAX - t.nops
}
/** Result of op i after it ran: untrusted, read once. */
export function opResult(t: GuestThread, i: number): number {
  return get64(t, t.base + CH.OPS + i * OP_BYTES + OPF.RESULT)
}
/** 64-bit value at an arena byte offset (8-aligned), as a signed double. */
export function get64(t: GuestThread, offset: number): number {
  return (t.i32[(offset + 4) >> 2] as number) * 4294967296 + (t.u32[offset >> 2] as number)
}
export function getU64(t: GuestThread, offset: number): number {
  return (t.u32[(offset + 4) >> 2] as number) * 4294967296 + (t.u32[offset >> 2] as number)
}
export function put64(t: GuestThread, offset: number, v: number): void {
  const h = Math.floor(v / 4294967296)
  t.i32[offset >> 2] = (v - h * 4294967296) | 0
  t.i32[(offset + 4) >> 2] = h | 0
}
/** Register as unsigned 64-bit (REG.*). Exact below 2^53. */
export function reg(t: GuestThread, r: number): number {
  return getU64(t, t.base + CH.REGS + r * 8)
}
export function setReg(t: GuestThread, r: number, v: number): void {
  put64(t, t.base + CH.REGS + r * 8, v)
}
const ARGS = [REG.RDI, REG.RSI, REG.RDX, REG.R10, REG.R8, REG.R9] as const
/** Call argument i as unsigned 64-bit. */
export function arg(t: GuestThread, i: number): number {
  return reg(t, ARGS[i] as number)
}
/** Low 32 bits of call argument i, signed. */
export function argInt(t: GuestThread, i: number): number {
  return t.i32[(t.base + CH.REGS + (ARGS[i] as number) * 8) >> 2] as number
}
