// A traced thread's registers as ptrace(2) shows them: struct user_regs_struct over the machine context (abi/context.ts), and struct user
// word by word. arch/x86/kernel/ptrace.c: getreg, putreg. Segments are the machine's own: they are shown, and may be "set" to what they are.
import { REG } from '../../abi/channel.ts'
import { CONTEXT, PLACE, REGISTERS } from '../../abi/context.ts'
import { E } from '../../abi/errno.ts'
import { USER, USER_REGS } from '../../abi/ptrace.ts'
import type { Pm, Task } from './mproc.ts'

const CS = 0x33n
const SS = 0x2bn
const USER_END = 0x7ffffffff000n
const ENOSYS = BigInt(E.NOSYS)
const RENAMED: Readonly<Record<string, number>> = { fs_base: CONTEXT.FSBASE }
const CONSTANT: Readonly<Record<string, bigint>> = { cs: CS, ss: SS, gs_base: 0n, ds: 0n, es: 0n, fs: 0n, gs: 0n }

/** Where register `name` lies in a context; -1: it isn't there. */
function offsetOf(name: string): number {
  const index = (REGISTERS as readonly string[]).indexOf(name)
  return index >= 0 ? 8 * index : (RENAMED[name] ?? -1)
}
const OFFSETS = USER_REGS.map(offsetOf)

/** The thread's context at arena offset `at`: 0 or -errno. */
export function readContext(pm: Pm, t: Task, at: number): number {
  return pm.sys.getContext(t.endpoint, at)
}
/** Register k of user_regs_struct, out of a context. In a call rax says so, as Linux has it. */
export function register(pm: Pm, at: number, k: number): bigint {
  const name = USER_REGS[k] as string
  const { view } = pm.sys
  if (name === 'orig_rax') return BigInt.asUintN(64, BigInt(view.getInt32(at + CONTEXT.CALL, true)))
  if (name === 'rax' && view.getUint32(at + CONTEXT.PLACE, true) === PLACE.CALL) return BigInt.asUintN(64, -ENOSYS)
  const offset = OFFSETS[k] as number
  return offset < 0 ? (CONSTANT[name] as bigint) : view.getBigUint64(at + offset, true)
}
/** 0, or -EIO for what it can't be. */
export function setRegister(pm: Pm, at: number, k: number, value: bigint): number {
  const name = USER_REGS[k] as string
  const { view } = pm.sys
  const offset = OFFSETS[k] as number
  if (name === 'orig_rax') view.setInt32(at + CONTEXT.CALL, Number(BigInt.asIntN(32, value)), true)
  else if (name === 'fs_base' || name === 'gs_base') {
    if (value >= USER_END || (name === 'gs_base' && value !== 0n)) return -E.IO
    if (offset >= 0) view.setBigUint64(at + offset, value, true)
  } else if (offset >= 0) view.setBigUint64(at + offset, value, true)
  else return segmentAllowed(name, BigInt.asUintN(16, value)) ? 0 : -E.IO
  return 0
}
/** cs and ss can't be null, none may ask for privilege. */
function segmentAllowed(name: string, value: bigint): boolean {
  return (value & 3n) === 3n || (value === 0n && name !== 'cs' && name !== 'ss')
}

/** All of user_regs_struct to arena offset `to`, from the context at `at`. */
export function writeRegisters(pm: Pm, at: number, to: number): void {
  for (let k = 0; k < USER_REGS.length; k++) pm.sys.view.setBigUint64(to + 8 * k, register(pm, at, k), true)
}
/** The first `bytes` of it, the other way. */
export function readRegisters(pm: Pm, at: number, from: number, bytes: number): number {
  for (let k = 0; 8 * k < bytes; k++) {
    const r = setRegister(pm, at, k, pm.sys.view.getBigUint64(from + 8 * k, true))
    if (r < 0) return r
  }
  return 0
}

/** A word of struct user. Debug registers are there and empty. */
export function peekUser(pm: Pm, at: number, offset: number): bigint | number {
  if (offset % 8 !== 0 || offset < 0 || offset >= USER.BYTES) return -E.IO
  return offset < USER.REGS_BYTES ? register(pm, at, offset / 8) : 0n
}
/** Into the context at `at`: 0 or -errno. Nobody has debug registers to give. */
export function pokeUser(pm: Pm, at: number, offset: number, value: bigint): number {
  if (offset % 8 !== 0 || offset < 0 || offset >= USER.BYTES) return -E.IO
  if (offset < USER.REGS_BYTES) return setRegister(pm, at, offset / 8, value)
  const debug = (offset - USER.DEBUGREG) / 8
  if (debug < 0 || debug >= USER.DEBUGREGS) return -E.IO
  return debug === CONTROL && (value & ENABLED) !== 0n ? -E.NOSPC : 0
}
/** DR7, and its bits that switch a breakpoint on. */
const CONTROL = 7
const ENABLED = 0xffn

export const RIP = 8 * REG.RIP
export const RSP = 8 * REG.RSP
export const RAX = 8 * REG.RAX
/** Arguments of a call, as offsets in a context. */
export const ARGUMENTS = [REG.RDI, REG.RSI, REG.RDX, REG.R10, REG.R8, REG.R9].map(r => 8 * r)
