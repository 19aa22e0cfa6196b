// Steps for System V IPC and message queues, whose calls check their arguments in an order of their own: inputs come as far as the guest's memory goes, and
// the server sees from the length of the grant what is missing (EFAULT, if nothing is wrong before that).
import { BULK_BYTES } from '../../abi/channel.ts'
import { setGrant } from '../../abi/message.ts'
import { WHEN } from './args.ts'
import { DATA, SETALL_BYTES } from './commands.ts'
import { DYNAMIC, data, grant, isNull, low, out, reserve, type ThreadView, unsigned, WANT, want } from './operands.ts'

const SEMBUF_BYTES = 6
/** More operations than any limit lets through. */
const SEMBUFS_MAX = 4097 * SEMBUF_BYTES
/** A message's type, before its text. */
const TYPE_BYTES = 8

/** Up to `bytes` bytes behind argument i. */
function part(t: ThreadView, i: number, cell: number, bytes: number): number {
  if (bytes === 0 || isNull(t, i)) return grant(t, i, cell, 0, 0)
  const at = want(t, WANT.PARTIAL, unsigned(t, i), bytes, reserve(t, bytes))
  if (at < 0) return grant(t, i, cell, 0, 0)
  return at > 0 ? grant(t, i, cell, at, t.wants.got) : 0
}

/** shmctl, semctl, msgctl: data as the command says. */
export function controlData(t: ThreadView, shape: number, i: number, cell: number): number {
  const bytes = shape & 0xffff
  const direction = shape >> 16
  if (bytes === 0) {
    setGrant(t.message, cell, 0, 0)
    return 0
  }
  return direction === DATA.IN ? part(t, i, cell, bytes) : data(t, i, cell, bytes, false, true, bytes, WHEN.SUCCESS)
}
/** semctl's GETALL: room for a u64, in which the server says how many bytes follow, and for them. */
export function semctlValues(t: ThreadView, i: number, cell: number): number {
  const at = reserve(t, 8 + SETALL_BYTES)
  if (at < 0) return at
  grant(t, i, cell, at, 8 + SETALL_BYTES)
  return out(t, unsigned(t, i), at + 8, SETALL_BYTES, DYNAMIC, at, WHEN.SUCCESS)
}
/** semop: as many operations as the next argument says. */
export function sembufs(t: ThreadView, i: number, cell: number): number {
  return part(t, i, cell, Math.min((low(t, i + 1) >>> 0) * SEMBUF_BYTES, SEMBUFS_MAX))
}
/** As many bytes as the next argument says. */
export function counted(t: ThreadView, i: number, cell: number): number {
  return part(t, i, cell, Math.min(unsigned(t, i + 1), BULK_BYTES))
}
/** msgsnd: type and text. */
export function messageIn(t: ThreadView, i: number, cell: number): number {
  return part(t, i, cell, TYPE_BYTES + Math.min(unsigned(t, i + 1), BULK_BYTES - TYPE_BYTES))
}
/** msgrcv: type, and as much text as the result says. */
export function messageOut(t: ThreadView, i: number, cell: number): number {
  const bytes = TYPE_BYTES + Math.min(unsigned(t, i + 1), BULK_BYTES - TYPE_BYTES)
  const at = reserve(t, bytes)
  if (at < 0) return at
  grant(t, i, cell, at, bytes)
  return out(t, unsigned(t, i), at, bytes, 1, -TYPE_BYTES, WHEN.SUCCESS)
}
