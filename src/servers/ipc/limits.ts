// The limits of System V IPC (proc_sys_kernel(5)), and what /proc/sys/kernel shows of them and takes for them. Linux's defaults, except
// semmns, which bounds the memory semaphores may take here.
import { E } from '../../abi/errno.ts'
import { IPC_TEXT } from '../../protocol/ipc.ts'

export interface Limits {
  /** Bytes of one segment; pages of all: 64 bits. */
  shmmax: bigint
  shmall: bigint
  shmmni: number
  /** Semaphores in a set, in all sets, operations in a call, sets. */
  semmsl: number
  semmns: number
  semopm: number
  semmni: number
  /** Bytes of a message, of a queue when it is made; queues. */
  msgmax: number
  msgmnb: number
  msgmni: number
}
/** Most objects of a kind there can be. */
const IPCMNI = 32768
const SEMMSL_MAX = 32000
const SEMMNS_MAX = 1_024_000
/** semop's operations pass the data window whole. */
const SEMOPM_MAX = 4096
/** So does a message. */
const MSGMAX_MAX = 65536
const INT_MAX = 2 ** 31 - 1
const ULONG_MAX = 2n ** 64n - 1n

export function defaultLimits(): Limits {
  const huge = ULONG_MAX - (1n << 24n)
  return {
    shmmax: huge, shmall: huge, shmmni: 4096, semmsl: 32000, semmns: SEMMNS_MAX, semopm: 500, semmni: 32000, msgmax: 8192, msgmnb: 16384, msgmni: 32000,
  }
}

type Field = readonly [name: keyof Limits, most: number | bigint]
/** What each file of /proc/sys/kernel holds. */
const FILES: Readonly<Record<number, readonly Field[]>> = {
  [IPC_TEXT.SHMMAX]: [['shmmax', ULONG_MAX]],
  [IPC_TEXT.SHMALL]: [['shmall', ULONG_MAX]],
  [IPC_TEXT.SHMMNI]: [['shmmni', IPCMNI]],
  [IPC_TEXT.SEM_LIMITS]: [['semmsl', SEMMSL_MAX], ['semmns', SEMMNS_MAX], ['semopm', SEMOPM_MAX], ['semmni', IPCMNI]],
  [IPC_TEXT.MSGMAX]: [['msgmax', MSGMAX_MAX]],
  [IPC_TEXT.MSGMNB]: [['msgmnb', INT_MAX]],
  [IPC_TEXT.MSGMNI]: [['msgmni', IPCMNI]],
}
/** Text of a file, or undefined: it is none. */
export function limitText(limits: Limits, what: number): string | undefined {
  const fields = FILES[what]
  return fields === undefined ? undefined : `${fields.map(([name]) => limits[name]).join('\t')}\n`
}
/** Numbers written to a file, as many as there are: 0 or -EINVAL. */
export function setLimits(limits: Limits, what: number, text: string): number {
  const fields = FILES[what]
  const words = text.trim().split(/\s+/)
  if (fields === undefined || words.length > fields.length || words.some(word => !/^\d{1,20}$/.test(word))) return -E.INVAL
  const values = words.map(BigInt)
  if (values.some((v, i) => v > BigInt((fields[i] as Field)[1]))) return -E.INVAL
  values.forEach((v, i) => {
    const [name] = fields[i] as Field
    Object.assign(limits, { [name]: typeof limits[name] === 'bigint' ? v : Number(v) })
  })
  return 0
}
