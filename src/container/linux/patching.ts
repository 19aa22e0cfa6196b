// Call-site patching: a system call that traps again and again at the same place gets its site rewritten to a jump (native/patch.c does
// it, exactly or not at all), so that later calls come without a signal. The kernel side counts, asks VM whether the place is private
// file-backed text, and remembers where a return address has moved.
import { CH, OP, OPFLAG, PATCH_BASE, PATTERN, REG, TRAMPOLINE_BYTES, TRAMPOLINE_TAIL, TRAMPOLINES } from '../../abi/channel.ts'
import { setInt, setLong, SLOT, TYPE } from '../../abi/message.ts'
import { VM } from '../../protocol/vm.ts'
import type { Linux } from './container.ts'
import type { HostProcess, Thread } from './processes.ts'
import { getU64, opResult, pushOp, setReg } from './thread.ts'

const PATCH_AFTER = 3
const PATCH_MAX = 250
const NEVER = 255
const RT_SIGRETURN = 15

/** Call `nr` has trapped: count its site; a hot one is to be rewritten with this call's reply. */
export function notePatchSite(c: Linux, t: Thread, nr: number): void {
  const p = t.host
  if (p === null || !c.patching) return
  const site = getU64(t, t.base + CH.REGS + REG.RIP * 8) - 2
  const h = (site >>> 1) & 63
  if (p.sites[h] !== site) {
    p.sites[h] = site
    p.hits[h] = 1
    return
  }
  const hits = p.hits[h] as number
  if (hits === NEVER) return
  p.hits[h] = hits + 1
  if (hits + 1 < PATCH_AFTER) return
  p.hits[h] = NEVER
  if (nr !== RT_SIGRETURN && p.patches < PATCH_MAX) t.patch = site // rt_sigreturn needs its frame
}

/** The PATCH of the last reply has run. Where the pattern reached behind the syscall instruction, its return address has moved. */
export function notePatched(t: Thread): void {
  const p = t.host as HostProcess
  const pattern = opResult(t, t.patchOp)
  ;(p.trampolines[t.patchIndex] as { pattern: number }).pattern = pattern
  if (pattern === PATTERN.SYSCALL_CMP) p.tails.set(t.patchSite + 2, TABLE + t.patchIndex * TRAMPOLINE_BYTES + TRAMPOLINE_TAIL)
  t.patchOp = -1
}
const TABLE = PATCH_BASE + TRAMPOLINES

/** Does anybody look at its text? */
function isWatched(c: Linux, p: HostProcess): boolean {
  const watched = (proc: number): boolean => proc >= 0 && c.watch[proc] !== 0
  return p.members.some(t => watched(t.proc) || t.lenders.some(l => watched(l.proc)))
}
/** Patched sites have got their own bytes back. */
export function forgetPatches(p: HostProcess): void {
  p.tails.clear()
}
/** The address in the guest's own text that `rip` stands for. In a trampoline: before the site, behind its syscall instruction, or behind
 *  the compare that follows. */
export function ownAddress(p: HostProcess, rip: number): number {
  const at = rip - TABLE
  const one = at >= 0 ? p.trampolines[Math.floor(at / TRAMPOLINE_BYTES)] : undefined
  if (one === undefined) return rip
  const offset = at % TRAMPOLINE_BYTES
  if (offset >= TRAMPOLINE_TAIL) return one.behind + (offset === TRAMPOLINE_TAIL ? 0 : COMPARE_BYTES)
  return one.behind - (one.pattern === PATTERN.SYSCALL_CMP ? 2 : one.pattern)
}
const COMPARE_BYTES = 6

/** Whether the site may be rewritten is asked now: what lay there when the call began may have gone. */
export function pushPatch(c: Linux, t: Thread): void {
  const p = t.host as HostProcess
  const site = t.patch
  t.patch = 0
  const m = t.message
  m[TYPE] = VM.PATCHABLE
  setInt(m, 0, c.kernel.endpoint(t.proc))
  setLong(m, 1, site)
  if (c.kernel.call(t.proc, SLOT.VM) !== 1 || isWatched(c, p)) return
  t.patchIndex = p.patches++
  p.trampolines[t.patchIndex] = { behind: site + 2, pattern: 0 }
  t.patchOp = pushOp(t, OP.PATCH, site, t.nr, t.patchIndex, p.members.length, 0, 0, OPFLAG.FAILOK)
  t.patchSite = site
  t.changes = true
}

/** Registers that came from elsewhere (a signal frame, a vfork parent's) may point behind a syscall instruction that has been patched. */
export function fixTail(t: Thread): void {
  if (t.host === null || t.host.tails.size === 0) return
  const tail = t.host.tails.get(getU64(t, t.base + CH.REGS + REG.RIP * 8))
  if (tail !== undefined) setReg(t, REG.RIP, tail)
}
