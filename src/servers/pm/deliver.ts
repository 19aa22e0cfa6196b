// A guest at its boundary: the signals it has to take, all in one go, as Linux's exit_to_user_mode_loop does: frames are pushed one on
// the other, so the last one's handler runs first. The interrupted call's result is settled by the first frame, or left to the
// container when no handler runs (it issues an -ERESTART* call again). kernel/signal.c: get_signal, handle_signal.
import { E } from '../../abi/errno.ts'
import { int, long, type Message, SUSPEND, ulong } from '../../abi/message.ts'
import {
  CLD, SA, SI, SIG, SIG_DFL, SIG_IGN, SIGINFO, SIGMSG, SS,
} from '../../abi/signals.ts'
import type { CallVector } from '../../lib/server.ts'
import { PM } from '../../protocol/pm.ts'
import { isOrphaned } from './job.ts'
import { arrive, die } from './lastwords.ts'
import { actionRow, type Pm, type Process, STATE, type Task, taskOf, WAITING } from './mproc.ts'
import { add, flagsOf, force, handlerOf, info, isDue, isIgnored, recalculate, sanitize, stopsByDefault } from './signal.ts'
import { write64, writeInfo } from './suspended.ts'
import { callBegins, callEnds, exitWaits, frameStands, groupChanges, isTracedBy, nextSignal, stopsHere } from './trace.ts'
import { childEvent } from './wait.ts'

/** More frames than this wait for the sigreturn of the last one: a reply holds only so many host operations. */
const FRAMES_MAX = 8

export function boundaryCalls(pm: Pm): CallVector {
  return {
    [PM.SIGREADY]: (m, from) => {
      const t = taskOf(pm, from)
      if (t === undefined) return SUSPEND
      if (int(m, 2) !== 0) callEnds(pm, t)
      return deliver(pm, t, long(m, 0), int(m, 1))
    },
    [PM.CALLREADY]: (_m, from) => {
      const t = taskOf(pm, from)
      return t !== undefined && callBegins(pm, t) ? SUSPEND : 0
    },
    [PM.FAULT]: (m, from) => {
      const t = taskOf(pm, from)
      return t === undefined ? SUSPEND : fault(pm, t, m)
    },
    [PM.SIGRETURN]: (m, from) => {
      const t = taskOf(pm, from)
      return t === undefined ? -E.SRCH : sigreturn(pm, t, m)
    },
    [PM.MASKPUSH]: (m, from) => {
      const t = taskOf(pm, from)
      if (t === undefined) return -E.SRCH
      t.savedMask ??= { ...t.blocked }
      t.blocked.lo = pm.sys.view.getInt32(int(m, 0), true)
      t.blocked.hi = pm.sys.view.getInt32(int(m, 0) + 4, true)
      sanitize(t.blocked)
      if (isDue(t)) pm.sys.interrupt(from)
      return 0
    },
    [PM.MASKPOP]: (_m, from) => {
      const t = taskOf(pm, from)
      if (t === undefined) return -E.SRCH
      restoreMask(t)
      recalculate(pm, t)
      return 0
    },
  }
}

/** 0: the guest may run on (frames have been pushed, or nothing was to be done). SUSPEND: it is stopped, or no more. ASK.LAST_WORDS. */
export function deliver(pm: Pm, t: Task, result: number, inCall: number): number {
  const p = t.process
  let ordinal = 0
  for (;;) {
    if (p.exiting) return SUSPEND
    if (p.dying >= 0) return arrive(t)
    if (t.trace !== null && stopsHere(pm, t)) return stop(pm, t, WAITING.TRACED, result, inCall)
    if (p.stopSignal !== 0 && t.trace === null) return stop(pm, t, WAITING.STOPPED, result, inCall)
    const i = ordinal < FRAMES_MAX ? nextSignal(pm, t) : undefined
    if (i === null) return stop(pm, t, WAITING.TRACED, result, inCall)
    if (i === undefined) {
      if (t.savedMask === null) return 0
      restoreMask(t)
      if (!isDue(t)) return 0
      continue
    }
    const signo = i[0]
    const handler = handlerOf(p, signo)
    if (handler === SIG_IGN) continue
    if (handler !== SIG_DFL) {
      if (push(pm, t, i, result, inCall, ordinal)) {
        ordinal++
        inCall = 0
        if (t.trace !== null) {
          frameStands(pm, t)
          return 0
        }
      }
      continue
    }
    if (isIgnored(p, signo)) continue
    if (!stopsByDefault(signo)) return exitWaits(pm, t, signo, true) ? SUSPEND : die(pm, p, signo, t)
    if (signo !== SIG.STOP && isOrphaned(pm, p.pgrp, null)) continue
    beginStop(pm, t, signo)
  }
}

/** One frame. False when it could not be pushed: a SIGSEGV is pending then (or the process has ended). */
function push(pm: Pm, t: Task, i: Int32Array, result: number, inCall: number, ordinal: number): boolean {
  const p = t.process
  const signo = i[0]
  const row = actionRow(signo)
  const flags = flagsOf(p, signo)
  const maskLo = p.actions[row + 6]
  const maskHi = p.actions[row + 7]
  const at = pm.sys.buffer
  const { view } = pm.sys
  if (ordinal === 0) {
    t.frameMask.lo = t.blocked.lo
    t.frameMask.hi = t.blocked.hi
  }
  view.setInt32(at + SIGMSG.SIGNO, signo, true)
  view.setUint32(at + SIGMSG.FLAGS, flags, true)
  for (let w = 0; w < 2; w++) view.setUint32(at + SIGMSG.HANDLER + 4 * w, p.actions[row + w], true)
  for (let w = 0; w < 2; w++) view.setUint32(at + SIGMSG.RESTORER + 4 * w, p.actions[row + 4 + w], true)
  const mask = t.savedMask ?? t.blocked
  view.setInt32(at + SIGMSG.MASK, mask.lo, true)
  view.setInt32(at + SIGMSG.MASK + 4, mask.hi, true)
  write64(pm, at + SIGMSG.ALTSP, t.altSp)
  write64(pm, at + SIGMSG.ALTSIZE, t.altSize)
  view.setUint32(at + SIGMSG.ALTFLAGS, t.altFlags, true)
  view.setUint32(at + SIGMSG.INCALL, inCall, true)
  write64(pm, at + SIGMSG.RESULT, result)
  view.setUint32(at + SIGMSG.ORDINAL, ordinal, true)
  writeInfo(pm, at + SIGMSG.INFO, i)
  if ((flags & SA.RESETHAND) !== 0) p.actions.fill(0, row, row + 2)
  t.frameSigno = signo
  if (pm.sys.sigsend(t.endpoint, at) < 0) {
    frameFault(pm, t, signo)
    return false
  }
  t.savedMask = null
  t.restartAt = -1
  t.blocked.lo |= maskLo
  t.blocked.hi |= maskHi
  if ((flags & SA.NODEFER) === 0) add(t.blocked, signo)
  sanitize(t.blocked)
  if ((t.altFlags & SS.AUTODISARM) !== 0) resetAltStack(t)
  return true
}
export function resetAltStack(t: Task): void {
  t.altSp = 0
  t.altSize = 0
  t.altFlags = SS.DISABLE
}

/** No frame for `signo` (force_sigsegv): SIGSEGV instead; if that was it, the end. */
function frameFault(pm: Pm, t: Task, signo: number): void {
  if (signo === SIG.SEGV) die(pm, t.process, SIG.SEGV, t)
  else force(pm, t, info(SIG.SEGV, SI.KERNEL))
}

function fault(pm: Pm, t: Task, m: Message): number {
  const signo = int(m, 0)
  if (int(m, 3) > 0) {
    // the frames of the last boundary count as never pushed
    t.blocked.lo = t.frameMask.lo
    t.blocked.hi = t.frameMask.hi
    frameFault(pm, t, t.frameSigno)
  } else {
    const i = info(signo, int(m, 1))
    i[SIGINFO.ADDR >> 2] = m[2 + 2 * 2] as number
    i[(SIGINFO.ADDR >> 2) + 1] = m[3 + 2 * 2] as number
    force(pm, t, i)
  }
  return deliver(pm, t, 0, 0)
}

function sigreturn(pm: Pm, t: Task, m: Message): number {
  t.blocked.lo = m[2] as number
  t.blocked.hi = m[3] as number
  sanitize(t.blocked)
  t.restartAt = -1
  setAltStack(t, ulong(m, 1), ulong(m, 2), int(m, 3) >>> 0, ulong(m, 4)) // errors are nobody's business here (restore_altstack)
  recalculate(pm, t)
  return 0
}

/** sigaltstack(2) with the stack pointer at `sp`. */
export function setAltStack(t: Task, base: number, size: number, flags: number, sp: number): number {
  if (onAltStack(t, sp)) return -E.PERM
  const mode = (flags & ~SS.AUTODISARM) >>> 0
  if (mode !== SS.DISABLE && mode !== SS.ONSTACK && mode !== 0) return -E.INVAL
  if (mode === SS.DISABLE) {
    t.altSp = 0
    t.altSize = 0
  } else {
    if (size < 2048) return -E.NOMEM
    t.altSp = base
    t.altSize = size
  }
  t.altFlags = flags
  return 0
}
export function onAltStack(t: Task, sp: number): boolean {
  return (t.altFlags & SS.AUTODISARM) === 0 && sp > t.altSp && sp - t.altSp <= t.altSize
}

function restoreMask(t: Task): void {
  if (t.savedMask === null) return
  t.blocked.lo = t.savedMask.lo
  t.blocked.hi = t.savedMask.hi
  t.savedMask = null
}

// ---- stopping ----

/** Group stop: every thread stops at its boundary. */
function beginStop(pm: Pm, t: Task, signo: number): void {
  const p = t.process
  p.stopSignal = signo
  for (const other of p.tasks.slice()) {
    groupChanges(pm, other, true)
    if (other === t || other.waiting === WAITING.STOPPED) continue
    pm.sys.interrupt(other.endpoint)
  }
}
function stop(pm: Pm, t: Task, waiting: number, result: number, inCall: number): number {
  t.waiting = waiting
  t.result = result
  t.inCall = inCall
  allStopped(pm, t.process)
  return SUSPEND
}
/** A group stop is complete when the last thread stops, or ends instead. */
export function allStopped(pm: Pm, p: Process): void {
  if (p.stopSignal === 0 || p.state === STATE.STOPPED) return
  if (p.tasks.every(one => one.waiting === WAITING.STOPPED || (one.trace !== null && !one.trace.trap))) stopped(pm, p)
}
function stopped(pm: Pm, p: Process): void {
  p.state = STATE.STOPPED
  p.stopReport = p.stopSignal
  p.contReport = false
  if (!isTracedBy(pm, p.leader, p.parent)) childEvent(pm, p, CLD.STOPPED, p.stopSignal)
}
/** SIGCONT: the SIGREADY that was kept is looked at again, and answered unless the task stops anew. */
export function resumeTask(pm: Pm, t: Task): void {
  t.waiting = WAITING.NONE
  const answer = deliver(pm, t, t.result, t.inCall)
  if (answer !== SUSPEND) pm.sys.reply(t.endpoint, answer)
}
