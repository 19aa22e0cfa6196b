// fcntl, prctl and System V commands: name, and the data behind their argument; ioctl's table is abi/ioctl.ts. Commands without data take a value.
import { ioctl } from '../../abi/ioctl.ts'

/** Direction of a command's data. */
export const DATA = { NONE: 0, IN: 1, OUT: 2, INOUT: 3 } as const

/** Direction and bytes. */
type Command = readonly [number: number, name: string, direction: 0 | 1 | 2 | 3, bytes: number]
// biome-ignore format: a table
export const FCNTLS: readonly Command[] = [
  [0, 'F_DUPFD', 0, 0], [1, 'F_GETFD', 0, 0], [2, 'F_SETFD', 0, 0], [3, 'F_GETFL', 0, 0], [4, 'F_SETFL', 0, 0],
  [5, 'F_GETLK', 3, 32], [6, 'F_SETLK', 1, 32], [7, 'F_SETLKW', 1, 32], [8, 'F_SETOWN', 0, 0], [9, 'F_GETOWN', 0, 0],
  [10, 'F_SETSIG', 0, 0], [11, 'F_GETSIG', 0, 0], [15, 'F_SETOWN_EX', 1, 8], [16, 'F_GETOWN_EX', 2, 8],
  [17, 'F_GETOWNER_UIDS', 2, 8], [36, 'F_OFD_GETLK', 3, 32], [37, 'F_OFD_SETLK', 1, 32], [38, 'F_OFD_SETLKW', 1, 32],
  [1024, 'F_SETLEASE', 0, 0], [1025, 'F_GETLEASE', 0, 0], [1026, 'F_NOTIFY', 0, 0], [1030, 'F_DUPFD_CLOEXEC', 0, 0],
  [1031, 'F_SETPIPE_SZ', 0, 0], [1032, 'F_GETPIPE_SZ', 0, 0], [1033, 'F_ADD_SEALS', 0, 0], [1034, 'F_GET_SEALS', 0, 0],
  [1035, 'F_GET_RW_HINT', 2, 8], [1036, 'F_SET_RW_HINT', 1, 8], [1037, 'F_GET_FILE_RW_HINT', 2, 8], [1038, 'F_SET_FILE_RW_HINT', 1, 8],
]

/** prctl options; data behind arg2. */
// biome-ignore format: a table
export const PRCTLS: readonly Command[] = [
  [1, 'PR_SET_PDEATHSIG', 0, 0], [2, 'PR_GET_PDEATHSIG', 2, 4], [3, 'PR_GET_DUMPABLE', 0, 0], [4, 'PR_SET_DUMPABLE', 0, 0],
  [5, 'PR_GET_UNALIGN', 2, 4], [6, 'PR_SET_UNALIGN', 0, 0], [7, 'PR_GET_KEEPCAPS', 0, 0], [8, 'PR_SET_KEEPCAPS', 0, 0],
  [9, 'PR_GET_FPEMU', 2, 4], [10, 'PR_SET_FPEMU', 0, 0], [11, 'PR_GET_FPEXC', 2, 4], [12, 'PR_SET_FPEXC', 0, 0],
  [13, 'PR_GET_TIMING', 0, 0], [14, 'PR_SET_TIMING', 0, 0], [15, 'PR_SET_NAME', 1, 16], [16, 'PR_GET_NAME', 2, 16],
  [19, 'PR_GET_ENDIAN', 2, 4], [20, 'PR_SET_ENDIAN', 0, 0], [21, 'PR_GET_SECCOMP', 0, 0], [22, 'PR_SET_SECCOMP', 0, 0],
  [23, 'PR_CAPBSET_READ', 0, 0], [24, 'PR_CAPBSET_DROP', 0, 0], [25, 'PR_GET_TSC', 2, 4], [26, 'PR_SET_TSC', 0, 0],
  [27, 'PR_GET_SECUREBITS', 0, 0], [28, 'PR_SET_SECUREBITS', 0, 0], [29, 'PR_SET_TIMERSLACK', 0, 0], [30, 'PR_GET_TIMERSLACK', 0, 0],
  [33, 'PR_MCE_KILL', 0, 0], [34, 'PR_MCE_KILL_GET', 0, 0], [35, 'PR_SET_MM', 0, 0], [36, 'PR_SET_CHILD_SUBREAPER', 0, 0],
  [37, 'PR_GET_CHILD_SUBREAPER', 2, 4], [38, 'PR_SET_NO_NEW_PRIVS', 0, 0], [39, 'PR_GET_NO_NEW_PRIVS', 0, 0],
  [40, 'PR_GET_TID_ADDRESS', 2, 8], [41, 'PR_SET_THP_DISABLE', 0, 0], [42, 'PR_GET_THP_DISABLE', 0, 0], [47, 'PR_CAP_AMBIENT', 0, 0],
  [52, 'PR_GET_SPECULATION_CTRL', 0, 0], [53, 'PR_SET_SPECULATION_CTRL', 0, 0], [57, 'PR_SET_IO_FLUSHER', 0, 0],
  [58, 'PR_GET_IO_FLUSHER', 0, 0], [59, 'PR_SET_SYSCALL_USER_DISPATCH', 0, 0], [62, 'PR_SCHED_CORE', 0, 0], [65, 'PR_SET_MDWE', 0, 0],
  [66, 'PR_GET_MDWE', 0, 0], [0x53564d41, 'PR_SET_VMA', 0, 0], [0x59616d61, 'PR_SET_PTRACER', 0, 0],
]

/** The values of the largest set. */
export const SETALL_BYTES = 64000
export const GETALL = 13
/** shmctl, semctl and msgctl; data behind the last argument. What GETALL and SETALL are about ends where the set does: the server knows. */
// biome-ignore format: a table
export const SHMCTLS: readonly Command[] = [
  [0, 'IPC_RMID', 0, 0], [1, 'IPC_SET', 1, 112], [2, 'IPC_STAT', 2, 112], [3, 'IPC_INFO', 2, 72], [11, 'SHM_LOCK', 0, 0], [12, 'SHM_UNLOCK', 0, 0],
  [13, 'SHM_STAT', 2, 112], [14, 'SHM_INFO', 2, 48], [15, 'SHM_STAT_ANY', 2, 112],
]
// biome-ignore format: a table
export const SEMCTLS: readonly Command[] = [
  [0, 'IPC_RMID', 0, 0], [1, 'IPC_SET', 1, 104], [2, 'IPC_STAT', 2, 104], [3, 'IPC_INFO', 2, 40], [11, 'GETPID', 0, 0], [12, 'GETVAL', 0, 0],
  [13, 'GETALL', 0, 0], [14, 'GETNCNT', 0, 0], [15, 'GETZCNT', 0, 0], [16, 'SETVAL', 0, 0], [17, 'SETALL', 1, SETALL_BYTES], [18, 'SEM_STAT', 2, 104],
  [19, 'SEM_INFO', 2, 40], [20, 'SEM_STAT_ANY', 2, 104],
]
// biome-ignore format: a table
export const MSGCTLS: readonly Command[] = [
  [0, 'IPC_RMID', 0, 0], [1, 'IPC_SET', 1, 120], [2, 'IPC_STAT', 2, 120], [3, 'IPC_INFO', 2, 32], [11, 'MSG_STAT', 2, 120], [12, 'MSG_INFO', 2, 32],
  [13, 'MSG_STAT_ANY', 2, 120],
]
/** ptrace requests; data behind `data`, of GETREGSET and SETREGSET an iovec, of PEEKSIGINFO behind `addr`. */
// biome-ignore format: a table
export const PTRACES: readonly Command[] = [
  [0, 'PTRACE_TRACEME', 0, 0], [1, 'PTRACE_PEEKTEXT', 2, 8], [2, 'PTRACE_PEEKDATA', 2, 8], [3, 'PTRACE_PEEKUSER', 2, 8],
  [4, 'PTRACE_POKETEXT', 0, 0], [5, 'PTRACE_POKEDATA', 0, 0], [6, 'PTRACE_POKEUSER', 0, 0], [7, 'PTRACE_CONT', 0, 0],
  [8, 'PTRACE_KILL', 0, 0], [9, 'PTRACE_SINGLESTEP', 0, 0], [12, 'PTRACE_GETREGS', 2, 216], [13, 'PTRACE_SETREGS', 1, 216],
  [14, 'PTRACE_GETFPREGS', 2, 512], [15, 'PTRACE_SETFPREGS', 1, 512], [16, 'PTRACE_ATTACH', 0, 0], [17, 'PTRACE_DETACH', 0, 0],
  [24, 'PTRACE_SYSCALL', 0, 0], [30, 'PTRACE_ARCH_PRCTL', 0, 0], [31, 'PTRACE_SYSEMU', 0, 0], [32, 'PTRACE_SYSEMU_SINGLESTEP', 0, 0],
  [33, 'PTRACE_SINGLEBLOCK', 0, 0], [0x4200, 'PTRACE_SETOPTIONS', 0, 0], [0x4201, 'PTRACE_GETEVENTMSG', 2, 8],
  [0x4202, 'PTRACE_GETSIGINFO', 2, 128], [0x4203, 'PTRACE_SETSIGINFO', 1, 128], [0x4204, 'PTRACE_GETREGSET', 3, 16],
  [0x4205, 'PTRACE_SETREGSET', 3, 16], [0x4206, 'PTRACE_SEIZE', 0, 0], [0x4207, 'PTRACE_INTERRUPT', 0, 0], [0x4208, 'PTRACE_LISTEN', 0, 0],
  [0x4209, 'PTRACE_PEEKSIGINFO', 1, 16], [0x420a, 'PTRACE_GETSIGMASK', 2, 8], [0x420b, 'PTRACE_SETSIGMASK', 1, 8],
  [0x420c, 'PTRACE_SECCOMP_GET_FILTER', 0, 0], [0x420d, 'PTRACE_SECCOMP_GET_METADATA', 0, 0], [0x420e, 'PTRACE_GET_SYSCALL_INFO', 2, 88],
]

const shapes = (commands: readonly Command[]): Map<number, number> =>
  new Map(commands.map(([number, , direction, bytes]) => [number | 0, (direction << 16) | bytes]))
const fcntls = shapes(FCNTLS)
const prctls = shapes(PRCTLS)
const shmctls = shapes(SHMCTLS)
const semctls = shapes(SEMCTLS)
const msgctls = shapes(MSGCTLS)
const ptraces = shapes(PTRACES)
const DIRECTIONS = { value: DATA.NONE, in: DATA.IN, out: DATA.OUT, inout: DATA.INOUT } as const

/** Data of an ioctl command: direction << 16 | bytes, 0 for a value or a command nobody knows. */
export function ioctlData(cmd: number): number {
  const row = ioctl(cmd >>> 0)
  return row === undefined || row.size === 0 ? 0 : (DIRECTIONS[row.dir] << 16) | row.size
}
export function fcntlData(cmd: number): number {
  return fcntls.get(cmd | 0) ?? 0
}
export function ptraceData(request: number): number {
  return ptraces.get(request | 0) ?? 0
}
export function prctlData(option: number): number {
  return prctls.get(option | 0) ?? 0
}
export function shmctlData(cmd: number): number {
  return shmctls.get(cmd | 0) ?? 0
}
export function semctlData(cmd: number): number {
  return semctls.get(cmd | 0) ?? 0
}
export function msgctlData(cmd: number): number {
  return msgctls.get(cmd | 0) ?? 0
}
