// Linux signal frames: pushed on a guest thread that stands at its boundary (sigsend), and taken back by rt_sigreturn. The frame is built
// in the data window and written by the stub with the reply that starts the handler, the extended state straight from the processor.
// After arch/x86/kernel/signal.c and signal_64.c. Layouts: sigframe.ts; PM's record: SIGMSG in abi/signals.ts.
//
// Invariant: as long as t.frames > 0, the registers as they were before the first frame lie in the last SAVED bytes of the data window;
// a frame the stub can't write is undone as a whole (frameFailed).
import { CH, DATA_BYTES, DATA_OFF, OP, REG } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { setInt, setLong, SLOT, SUSPEND, TYPE } from '../../abi/message.ts'
import { SA, SI, SIG, SIGINFO, SIGMSG, SS } from '../../abi/signals.ts'
import { PM } from '../../protocol/pm.ts'
import {
  EFLAGS, FCW_INIT, FIX_EFLAGS, FRAME, FX, MXCSR_INIT, RED_ZONE, SIGCONTEXT_REGS, UC, USER_CS, USER_SS,
} from './sigframe.ts'
import {
  type GuestThread, getU64, type LinuxContainer, type LocalCall, MORE, opsLeft, pushOp, put64, RESUME, reg, setReg,
} from './thread.ts'

const REGS_BYTES = SIGCONTEXT_REGS * 8
const SAVED = 192
/** Room for the extended state when the host doesn't say: AVX-512 without AMX. */
const XSTATE_DEFAULT = 2752
/** AT_MINSIGSTKSZ is at least the extended state, the frame, and what aligning both takes (init_sigframe_size). */
const FRAME_AND_PADDING = FRAME.BYTES + 16 + 64
const STAGED = 448 + FX.BYTES

/** Push one frame as the record at arena offset `msg` says and turn the registers to its handler: 0, or -EFAULT where Linux would make
 *  it a SIGSEGV (no restorer, off the alternate stack). The frame itself is written with the reply. */
export function sigsend(c: LinuxContainer, t: GuestThread, msg: number): number {
  const { view } = t
  const flags = view.getUint32(msg + SIGMSG.FLAGS, true)
  const ordinal = view.getUint32(msg + SIGMSG.ORDINAL, true)
  if (view.getUint32(msg + SIGMSG.INCALL, true) !== 0) settleCall(t, signed64(view, msg + SIGMSG.RESULT), flags)
  if ((flags & SA.RESTORER) === 0) return -E.FAULT
  if (t.end - t.bump < STAGED + SAVED + 16 || opsLeft(t) < 4) return -E.NOMEM
  const room = xstateRoom(c)
  const fpstate = fpstateAddress(view, msg, flags, reg(t, REG.RSP), room)
  const frame = Math.floor((fpstate - FRAME.BYTES) / 16) * 16 - 8
  if (leavesAltStack(view, msg, flags, reg(t, REG.RSP), frame)) return -E.FAULT
  if (ordinal === 0) saveRegisters(t)
  t.frames = ordinal + 1
  const staged = (t.bump + 15) & ~15
  buildFrame(t, staged, msg, flags, fpstate)
  pushOp(t, OP.COPYOUT, frame, staged - t.base, (flags & SA.SIGINFO) !== 0 ? FRAME.BYTES : FRAME.INFO)
  pushOp(t, OP.SAVEX, fpstate, room)
  freshState(t, staged + 448)
  t.bump = staged + STAGED
  setReg(t, REG.RDI, view.getUint32(msg + SIGMSG.SIGNO, true))
  setReg(t, REG.RSI, frame + FRAME.INFO)
  setReg(t, REG.RDX, frame + FRAME.UCONTEXT)
  setReg(t, REG.RAX, 0)
  setReg(t, REG.RSP, frame)
  copy8(t, t.base + CH.REGS + REG.RIP * 8, msg + SIGMSG.HANDLER)
  const efl = (t.base + CH.REGS + REG.EFL * 8) >> 2
  t.u32[efl] = t.u32[efl] & ~(EFLAGS.DF | EFLAGS.RF | EFLAGS.TF)
  return 0
}

/** What becomes of the call a handler interrupts: its result, EINTR, or the call once more after the handler (SA_RESTART). */
function settleCall(t: GuestThread, result: number, flags: number): void {
  switch (result) {
    case -E.RESTARTNOHAND:
    case -E.RESTART_RESTARTBLOCK:
      setReg(t, REG.RAX, -E.INTR)
      break
    case -E.RESTARTSYS:
      if ((flags & SA.RESTART) === 0) setReg(t, REG.RAX, -E.INTR)
      else restartCall(t)
      break
    case -E.RESTARTNOINTR:
      restartCall(t)
      break
    default:
      setReg(t, REG.RAX, result)
  }
}
/** Registers so that the guest issues the call in hand again. */
export function restartCall(t: GuestThread): void {
  setReg(t, REG.RAX, t.nr)
  copy8(t, t.base + CH.REGS + REG.RIP * 8, t.base + CH.RESTART)
}

// ---- where ----

function xstateRoom(c: LinuxContainer): number {
  const whole = c.minSigStack ?? 0
  return whole > 2048 ? whole - FRAME_AND_PADDING : XSTATE_DEFAULT
}
function onStack(view: DataView, msg: number, sp: number): boolean {
  const base = u64(view, msg + SIGMSG.ALTSP)
  return sp > base && sp - base <= u64(view, msg + SIGMSG.ALTSIZE)
}
function autoDisarm(view: DataView, msg: number): boolean {
  return (view.getUint32(msg + SIGMSG.ALTFLAGS, true) & SS.AUTODISARM) !== 0
}
/** Does the handler start at the top of the alternate stack? Not if the guest is on it already. */
function entersAltStack(view: DataView, msg: number, flags: number, sp: number): boolean {
  if ((flags & SA.ONSTACK) === 0 || u64(view, msg + SIGMSG.ALTSIZE) === 0) return false
  return autoDisarm(view, msg) || !onStack(view, msg, sp - RED_ZONE)
}
function fpstateAddress(view: DataView, msg: number, flags: number, sp: number, room: number): number {
  const entering = entersAltStack(view, msg, flags, sp)
  const top = entering ? u64(view, msg + SIGMSG.ALTSP) + u64(view, msg + SIGMSG.ALTSIZE) : sp - RED_ZONE
  return Math.floor((top - room) / 64) * 64
}
/** A frame that belongs on the alternate stack must not run over its end into who knows what. */
function leavesAltStack(view: DataView, msg: number, flags: number, sp: number, frame: number): boolean {
  const nested = !autoDisarm(view, msg) && onStack(view, msg, sp)
  return (nested || entersAltStack(view, msg, flags, sp)) && !onStack(view, msg, frame)
}

// ---- what ----

function buildFrame(t: GuestThread, at: number, msg: number, flags: number, fpstate: number): void {
  const { view } = t
  t.mem.fill(0, at, at + FRAME.BYTES)
  copy8(t, at + FRAME.PRETCODE, msg + SIGMSG.RESTORER)
  put64(t, at + FRAME.UC_FLAGS, UC.FP_XSTATE | UC.SIGCONTEXT_SS | UC.STRICT_RESTORE_SS)
  copy8(t, at + FRAME.UC_STACK, msg + SIGMSG.ALTSP)
  view.setUint32(at + FRAME.UC_STACK + 8, view.getUint32(msg + SIGMSG.ALTFLAGS, true), true)
  copy8(t, at + FRAME.UC_STACK + 16, msg + SIGMSG.ALTSIZE)
  t.mem.copyWithin(at + FRAME.SIGCONTEXT, t.base + CH.REGS, t.base + CH.REGS + REGS_BYTES)
  setSegments(view, at + FRAME.SIGCONTEXT + REG.CSGSFS * 8)
  copy8(t, at + FRAME.SIGCONTEXT + REG.OLDMASK * 8, msg + SIGMSG.MASK)
  put64(t, at + FRAME.FPSTATE, fpstate)
  copy8(t, at + FRAME.UC_SIGMASK, msg + SIGMSG.MASK)
  if ((flags & SA.SIGINFO) !== 0) t.mem.copyWithin(at + FRAME.INFO, msg + SIGMSG.INFO, msg + SIGMSG.INFO + SIGINFO.BYTES)
}
function setSegments(view: DataView, at: number): void {
  view.setUint32(at, USER_CS, true) // cs, gs = 0
  view.setUint32(at + 4, USER_SS << 16, true) // fs = 0, ss
}
/** The handler starts with a fresh floating-point state: an FXSAVE image staged at arena offset `at`. */
function freshState(t: GuestThread, at: number): void {
  t.mem.fill(0, at, at + FX.BYTES)
  t.view.setUint16(at + FX.FCW, FCW_INIT, true)
  t.view.setUint32(at + FX.MXCSR, MXCSR_INIT, true)
  pushOp(t, OP.LOADX, 0, FX.BYTES, at - t.base)
}

// ---- a frame that can't be written ----

function savedAt(t: GuestThread): number {
  return t.base + DATA_OFF + DATA_BYTES - SAVED
}
function saveRegisters(t: GuestThread): void {
  t.end = Math.min(t.end, savedAt(t))
  t.mem.copyWithin(savedAt(t), t.base + CH.REGS, t.base + CH.REGS + REGS_BYTES)
}
/** The stub could not run the reply's operations: registers as before the first frame → how many frames there were, for PM.FAULT. */
export function frameFailed(t: GuestThread): number {
  const frames = t.frames ?? 0
  if (frames > 0) t.mem.copyWithin(t.base + CH.REGS, savedAt(t), savedAt(t) + REGS_BYTES)
  t.frames = 0
  return frames
}

// ---- rt_sigreturn ----

const FETCH = 0
const TAKE = 1

/** rt_sigreturn: read the frame above RSP, set the registers and the extended state from it, tell PM mask and alternate stack. */
export const sigreturn: LocalCall = (c, t, failed) => {
  if (t.step === FETCH) {
    t.bump = (t.bump + 15) & ~15
    pushOp(t, OP.COPYIN, reg(t, REG.RSP) - 8, t.bump - t.base, FRAME.BYTES)
    t.step = TAKE
    return MORE
  }
  t.nops = 0
  t.frames = 0
  t.orig = -1
  if (failed >= 0) return badFrame(c, t)
  takeRegisters(t, t.bump)
  const fpstate = getU64(t, t.bump + FRAME.FPSTATE)
  const m = t.message
  m[TYPE] = PM.SIGRETURN
  m[2] = t.i32[(t.bump + FRAME.UC_SIGMASK) >> 2] as number
  m[3] = t.i32[(t.bump + FRAME.UC_SIGMASK + 4) >> 2] as number
  setLong(m, 1, getU64(t, t.bump + FRAME.UC_STACK))
  setLong(m, 2, getU64(t, t.bump + FRAME.UC_STACK + 16))
  setInt(m, 3, t.i32[(t.bump + FRAME.UC_STACK + 8) >> 2] as number)
  setLong(m, 4, reg(t, REG.RSP))
  t.bump += 448
  if (fpstate !== 0) pushOp(t, OP.LOADX, fpstate, xstateRoom(c))
  else {
    freshState(t, t.bump)
    t.bump += FX.BYTES
  }
  c.kernel.call(t.proc, SLOT.PM)
  return RESUME
}

/** Registers from the frame at arena offset `at`; what a guest may not choose stays (restore_sigcontext). */
function takeRegisters(t: GuestThread, at: number): void {
  const to = t.base + CH.REGS
  const flagsAt = (to + REG.EFL * 8) >> 2
  const old = t.u32[flagsAt] as number
  t.mem.copyWithin(to, at + FRAME.SIGCONTEXT, at + FRAME.SIGCONTEXT + REG.CSGSFS * 8)
  t.u32[flagsAt] = (old & ~FIX_EFLAGS) | ((t.u32[flagsAt] as number) & FIX_EFLAGS)
  t.u32[flagsAt + 1] = 0
  setSegments(t.view, to + REG.CSGSFS * 8)
}

function badFrame(c: LinuxContainer, t: GuestThread): number {
  const m = t.message
  t.nr = -1
  m[TYPE] = PM.FAULT
  setInt(m, 0, SIG.SEGV)
  setInt(m, 1, SI.KERNEL)
  setLong(m, 2, 0)
  setInt(m, 3, 0)
  return c.kernel.call(t.proc, SLOT.PM) === SUSPEND ? SUSPEND : RESUME
}

// ---- words ----

function copy8(t: GuestThread, to: number, from: number): void {
  t.u32[to >> 2] = t.u32[from >> 2] as number
  t.u32[(to >> 2) + 1] = t.u32[(from >> 2) + 1] as number
}
function u64(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 4294967296 + view.getUint32(at, true)
}
function signed64(view: DataView, at: number): number {
  return view.getInt32(at + 4, true) * 4294967296 + view.getUint32(at, true)
}
