// The state of a guest thread, as data: its machine context in the kernel calls' form (abi/context.ts) and as a plain record, and what
// its extended state consists of. A record is taken from a thread that rests, and may be set in another; what the servers know of the
// thread (signals, memory map, files) is theirs.
import { CH, ENTRY, OP, OP_BYTES, OPF, REG } from '../../abi/channel.ts'
import { CONTEXT, PLACE, REGISTERS } from '../../abi/context.ts'
import { E } from '../../abi/errno.ts'
import * as host from '../../host/host.ts'
import { ownAddress } from './patching.ts'
import { rows } from './program.ts'
import { type HostProcess, REGS, STATE, stateOf, type Thread } from './processes.ts'
import { EFLAGS, FIX_EFLAGS, FP_XSTATE_MAGIC1, FX } from './sigframe.ts'
import { getU64, pushOp, put64 } from './thread.ts'

const REGS_BYTES = CONTEXT.FSBASE
/** Registers that are the guest's to choose: all before CSGSFS. */
const OWN_REGISTERS = REG.CSGSFS
const USER_END = 0x7ffffffff000

// ---- kernel calls GETMCONTEXT, SETMCONTEXT ----

/** Context of process `slot`, which t runs for or has lent its thread away: CONTEXT.BYTES at arena offset `at`. 0 or -EAGAIN. */
export function getContext(t: Thread, slot: number, at: number): number {
  const place = placeOf(t, slot)
  if (place < 0) return place
  const lender = t.lenders.find(l => l.proc === slot)
  if (lender === undefined) t.mem.copyWithin(at, t.base + CH.REGS, t.base + CH.REGS + REGS_BYTES + 8)
  else t.mem.set(lender.registers.subarray(0, REGS_BYTES + 8), at)
  const rip = ownAddress(t.host as HostProcess, getU64(t, at + 8 * REG.RIP))
  const call = place === PLACE.HELD || place === PLACE.RUNNING ? -1 : (lender ?? t).orig
  const byVsyscall = lender === undefined && t.u32[(t.base + CH.ENTRY) >> 2] === ENTRY.VSYSCALL
  if (rip !== getU64(t, at + 8 * REG.RIP)) put64(t, at + 8 * REG.RIP, rip)
  t.u32[(at + CONTEXT.PLACE) >> 2] = place
  t.i32[(at + CONTEXT.CALL) >> 2] = call
  put64(t, at + CONTEXT.RESTART, call < 0 || byVsyscall ? 0 : rip - 2)
  t.view.setFloat64(at + CONTEXT.MOVED, lender === undefined ? t.done : 0, true)
  return 0
}
function placeOf(t: Thread, slot: number): number {
  if (t.proc !== slot) return PLACE.CALL
  const state = stateOf(t)
  if (state === STATE.BLOCKED) return PLACE.CALL
  if (state === STATE.READY) return PLACE.BOUNDARY
  if (state === STATE.HELD) return PLACE.HELD
  return t.rest >= 0 ? PLACE.RUNNING : -E.AGAIN
}

/** Registers and thread pointer of a thread that is held or at its boundary. In a call there (CALL ≥ 0) with an -ERESTART* result it
 *  issues that call again. 0, -EAGAIN, -EIO (an address beyond user space). */
export function setContext(t: Thread, at: number): number {
  const state = stateOf(t)
  if (state !== STATE.HELD && state !== STATE.READY) return -E.AGAIN
  const base = getU64(t, at + CONTEXT.FSBASE)
  if (base >= USER_END) return -E.IO
  const flags = (t.base + CH.REGS + 8 * REG.EFL) >> 2
  const kept = (t.u32[flags] as number) & ~FIX_EFLAGS
  t.mem.copyWithin(t.base + CH.REGS, at, at + 8 * OWN_REGISTERS)
  t.u32[flags] = kept | ((t.u32[flags] as number) & FIX_EFLAGS) | EFLAGS.FIXED | EFLAGS.IF
  t.u32[flags + 1] = 0
  if (base !== getU64(t, t.base + CH.FSBASE)) setFsBase(t, base)
  const call = t.i32[(at + CONTEXT.CALL) >> 2] as number
  const result = restartOf(t)
  t.orig = call
  if (t.entering) return 0
  if (state === STATE.READY && call >= 0 && result !== 0) {
    t.nr = call
    t.result = result
    t.regs = REGS.RESULT_AND_ALL
    put64(t, t.base + CH.RESTART, getU64(t, t.base + CH.REGS + 8 * REG.RIP) - 2)
  } else t.regs = REGS.ALL
  return 0
}
/** RAX if it is an -ERESTART*, else 0. */
function restartOf(t: Thread): number {
  const at = (t.base + CH.REGS + 8 * REG.RAX) >> 2
  const r = -(t.i32[at] as number)
  return t.i32[at + 1] === -1 && r >= E.RESTARTSYS && r <= E.RESTART_RESTARTBLOCK ? -r : 0
}
/** Loaded with the next reply. */
function setFsBase(t: Thread, base: number): void {
  put64(t, t.base + CH.FSBASE, base)
  for (let i = 0; i < t.nops; i++) {
    const op = t.base + CH.OPS + i * OP_BYTES
    if (t.u32[op >> 2] !== OP.SETFS) continue
    put64(t, op + OPF.A, base)
    return
  }
  pushOp(t, OP.SETFS, base)
}

// ---- records ----

export type RegisterName = (typeof REGISTERS)[number]
export type Registers = Record<RegisterName | 'fsbase', bigint>
/** x87, vector and other extended registers, as Linux's signal frames hold them: 512 bytes of FXSAVE (the last 48 say what follows), a
 *  64-byte XSAVE header, components at the processor's standard offsets. */
export interface ExtendedState {
  readonly format: 'x86-64 signal frame'
  /** XCR0 bits saved. */
  features: bigint
  components: { name: string; offset: number; bytes: number }[]
  bytes: Uint8Array
}
/** What the container knows of a thread. */
export interface MachineState {
  /** running: it was interrupted for a moment. call: blocked in `call`. boundary: a signal stops it. held: stopped by stop(). */
  place: 'running' | 'call' | 'boundary' | 'held'
  registers: Registers
  extended: ExtendedState
  /** The call in hand, which may be issued again: RIP = restart and RAX = number; if `moved` bytes of it are done, they can be its result. */
  call: { number: number; name: string; arguments: bigint[]; restart: bigint; moved: number } | null
}

const PLACES = ['running', 'call', 'boundary', 'held'] as const
const ARGUMENTS = ['rdi', 'rsi', 'rdx', 'r10', 'r8', 'r9'] as const
const COMPONENTS: Readonly<Record<number, string>> = {
  2: 'avx', 3: 'bndregs', 4: 'bndcsr', 5: 'opmask', 6: 'zmm_hi256', 7: 'hi16_zmm', 9: 'pkru', 11: 'cet_user', 17: 'tilecfg', 18: 'tiledata',
}
const XSAVE_LEAF = 0xd

/** The context at arena offset `at` as records: its registers, where it is, its call. */
export function contextRecord(view: DataView, at: number): Omit<MachineState, 'extended'> {
  const registers = Object.fromEntries(REGISTERS.map((name, i) => [name, view.getBigUint64(at + 8 * i, true)])) as Registers
  registers.fsbase = view.getBigUint64(at + CONTEXT.FSBASE, true)
  const number = view.getInt32(at + CONTEXT.CALL, true)
  const call = number < 0 ? null : {
    number, name: rows[number]?.[1] ?? `syscall_${number}`, arguments: ARGUMENTS.map(name => registers[name]),
    restart: view.getBigUint64(at + CONTEXT.RESTART, true), moved: view.getFloat64(at + CONTEXT.MOVED, true),
  }
  return { place: PLACES[view.getUint32(at + CONTEXT.PLACE, true)] ?? 'running', registers, call }
}
/** Some registers into the context at arena offset `at`; no call is in hand then. */
export function putRegisters(view: DataView, at: number, registers: Partial<Registers>): void {
  for (const [i, name] of REGISTERS.entries()) if (registers[name] !== undefined) view.setBigUint64(at + 8 * i, registers[name], true)
  if (registers.fsbase !== undefined) view.setBigUint64(at + CONTEXT.FSBASE, registers.fsbase, true)
  view.setInt32(at + CONTEXT.CALL, -1, true)
}
export function extendedRecord(bytes: Uint8Array): ExtendedState {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const described = view.getUint32(FX.SW_MAGIC1, true) === FP_XSTATE_MAGIC1
  const features = described ? view.getBigUint64(FX.SW_XFEATURES, true) : 3n
  const components = [{ name: 'x87', offset: 0, bytes: 160 }, { name: 'sse', offset: 160, bytes: 256 }]
  for (const [bit, name] of Object.entries(COMPONENTS)) {
    if (((features >> BigInt(bit)) & 1n) === 0n) continue
    const [size, offset] = host.cpuid(XSAVE_LEAF, Number(bit))
    components.push({ name, offset, bytes: size })
  }
  return { format: 'x86-64 signal frame', features, components, bytes }
}
