// Calls the container carries out itself because they are about the host thread: new images, signal frames, thread pointers.
import { CH, OP } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { execve, execveat } from './exec.ts'
import { localFor, slotFor } from './program.ts'
import { sigreturn } from './signal.ts'
import { LOCAL } from './syscalls.ts'
import { arg, argInt, getU64, type LocalCall, pushOp, put64 } from './thread.ts'

const ARCH_SET_GS = 0x1001
const ARCH_SET_FS = 0x1002
const ARCH_GET_FS = 0x1003
const ARCH_GET_GS = 0x1004
const USER_END = 0x7ffffffff000

/** arch_prctl(2). %gs is the stub's: setting it is refused. */
const archPrctl: LocalCall = (_c, t) => {
  const code = argInt(t, 0)
  const address = arg(t, 1)
  if (code === ARCH_SET_FS) {
    if (address >= USER_END) return -E.PERM
    pushOp(t, OP.SETFS, address)
    return 0
  }
  if (code !== ARCH_GET_FS && code !== ARCH_GET_GS) return code === ARCH_SET_GS ? -E.PERM : -E.INVAL
  put64(t, t.bump, code === ARCH_GET_FS ? getU64(t, t.base + CH.FSBASE) : 0)
  pushOp(t, OP.COPYOUT, address, t.bump - t.base, 8)
  return 0
}

const CALLS: Readonly<Record<number, LocalCall>> = {
  [LOCAL.EXECVE]: execve,
  [LOCAL.EXECVEAT]: execveat,
  [LOCAL.RT_SIGRETURN]: sigreturn,
  [LOCAL.ARCH_PRCTL]: archPrctl,
}

/** What carries call `nr` out here, or null: it is a message. */
export function localCall(nr: number): LocalCall | null {
  const local = nr >= 0 && nr < 512 ? (localFor[nr] as number) : 0
  return local === 0 ? null : (CALLS[local] as LocalCall)
}
/** Domain slot a call's message goes to. */
export function serviceOf(nr: number): number {
  return slotFor[nr] as number
}
