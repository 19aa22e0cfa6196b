// Numbers of the IPC traps and of what goes with them, MINIX 3's (kernel/ipc.h, <minix/com.h>). A trap mask has bit 1 << number.
export const IPC = { SEND: 1, RECEIVE: 2, SENDREC: 3, NOTIFY: 4, SENDNB: 5, SENDA: 16 } as const
/** Flag on SEND, RECEIVE and SENDREC: answer ENOTREADY instead of blocking (MINIX 3.3). */
export const NON_BLOCKING = 0x80

/** Trap masks. Guests may only ask and wait; servers and drivers may do everything. */
export const TRAPS = {
  GUEST: 1 << IPC.SENDREC,
  SERVER:
    (1 << IPC.SEND) |
    (1 << IPC.RECEIVE) |
    (1 << IPC.SENDREC) |
    (1 << IPC.NOTIFY) |
    (1 << IPC.SENDNB) |
    (1 << IPC.SENDA),
} as const

/** SYS_TRACE's request (MINIX 3 <sys/ptrace.h>). The others are calls of their own: T_GETINS, T_GETDATA SAFECOPYFROM;
 *  T_SETINS, T_SETDATA SAFECOPYTO; T_GETUSER GETMCONTEXT; T_SETUSER SETMCONTEXT.
 *  ATTACH: it is traced, SYSCALL: and stops where calls begin and end (PM.CALLREADY, SIGREADY), STEP: and at the next instruction (PM.FAULT);
 *  each undoes the others, DETACH all. */
export const T = { STOP: -1, RESUME: 7, STEP: 9, SYSCALL: 10, ATTACH: 11, DETACH: 12 } as const
/** What an errand is (COMMON.DONE): SAFECOPYFROM, SAFECOPYTO, GETXCONTEXT, SETXCONTEXT, OWNTEXT. */
export const ERRAND = { COPYIN: 0, COPYOUT: 1, GETX: 2, SETX: 3, TEXT: 4 } as const
/** RUNCTL's action. */
export const RC = { INTERRUPT: 0, MARK: 1 } as const
/** PRIVCTL's request (<minix/com.h>, SYS_PRIV_*). SET_SYS and UPDATE_SYS take a grant of PRIV_RECORD.BYTES. */
export const SYS_PRIV = { SET_SYS: 3, SET_USER: 4, UPDATE_SYS: 9 } as const
/** A privilege structure in memory, u32 each: trap mask; allowed destinations by privilege id; allowed kernel calls, bit = number - 0x600. */
export const PRIV_RECORD = { TRAPS: 0, IPC_TO: 4 /* 2 */, CALLS: 12 /* 8 */, BYTES: 44 } as const
/** GETINFO's what (<minix/com.h>). PROCTAB fills in PROC_ENTRYs of live processes → how many; PROC the caller's own; RANDOMNESS bytes. */
export const GET = { PROCTAB: 2, RANDOMNESS: 3, PROC: 11, HZ: 18, WHOAMI: 19 } as const
/** One process as GETINFO shows it: byte offsets, i32 unless said. */
export const PROC_ENTRY = {
  SLOT: 0,
  ENDPOINT: 4,
  FLAGS: 8,
  GETFROM: 12,
  SENDTO: 16,
  PRIV: 20,
  DOMAIN: 24,
  SPARE: 28,
  SENT: 32 /* f64 */,
  RECEIVED: 40 /* f64 */,
  CALLS: 48 /* f64 */,
  BYTES: 56,
} as const
/** What a process uses, f64 each at 8 × index: bytes resident (private, of files, shared, most ever), page faults, context switches. */
export const USAGE = { ANON: 0, FILE: 1, SHARED: 2, PEAK: 3, MINFLT: 4, MAJFLT: 5, VOLUNTARY: 6, INVOLUNTARY: 7, BYTES: 64 } as const
/** How much of an address range is in memory, f64 each at 8 × index; bytes. What the host has of it in several pieces is summed up. */
export const RESIDENCE = {
  START: 0, END: 1, RSS: 2, PSS: 3, PSS_DIRTY: 4, SHARED_CLEAN: 5, SHARED_DIRTY: 6, PRIVATE_CLEAN: 7, PRIVATE_DIRTY: 8, REFERENCED: 9, ANONYMOUS: 10,
  LAZY_FREE: 11, ANON_HUGE: 12, SWAP: 13, SWAP_PSS: 14, LOCKED: 15, BYTES: 128,
} as const
/** Clock ticks per second, as Linux's USER_HZ. */
export const HZ = 100
