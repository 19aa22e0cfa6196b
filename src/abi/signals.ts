// Signals as x86-64 Linux has them: numbers, flags, siginfo codes and layouts, and mol's own sigmsg record (PM → container).
// Numbers and layouts only; see signal(7), sigaction(2) and asm-generic/siginfo.h.

export const SIG = {
  HUP: 1, INT: 2, QUIT: 3, ILL: 4, TRAP: 5, ABRT: 6, BUS: 7, FPE: 8, KILL: 9, USR1: 10, SEGV: 11, USR2: 12, PIPE: 13, ALRM: 14, TERM: 15,
  STKFLT: 16, CHLD: 17, CONT: 18, STOP: 19, TSTP: 20, TTIN: 21, TTOU: 22, URG: 23, XCPU: 24, XFSZ: 25, VTALRM: 26, PROF: 27, WINCH: 28,
  IO: 29, PWR: 30, SYS: 31,
} as const
export const SIGRTMIN = 32
export const SIGMAX = 64
export const SIGSET_BYTES = 8

/** Sets of the numbers 1–32 (bit n-1) by what they do when nobody handles them; everything else ends the process. */
const bit = (n: number): number => 1 << (n - 1)
export const DEFAULT_IGNORE = bit(SIG.CONT) | bit(SIG.CHLD) | bit(SIG.WINCH) | bit(SIG.URG)
export const DEFAULT_STOP = bit(SIG.STOP) | bit(SIG.TSTP) | bit(SIG.TTIN) | bit(SIG.TTOU)
/** Faults of the code itself: taken first when several are pending. */
export const SYNCHRONOUS = bit(SIG.SEGV) | bit(SIG.BUS) | bit(SIG.ILL) | bit(SIG.TRAP) | bit(SIG.FPE) | bit(SIG.SYS)
/** Can't be caught, blocked or ignored. */
export const UNMASKABLE = bit(SIG.KILL) | bit(SIG.STOP)

export const SIG_DFL = 0
export const SIG_IGN = 1
export const SA = {
  NOCLDSTOP: 1, NOCLDWAIT: 2, SIGINFO: 4, EXPOSE_TAGBITS: 0x800, RESTORER: 0x04000000, ONSTACK: 0x08000000, RESTART: 0x10000000,
  NODEFER: 0x40000000, RESETHAND: 0x80000000,
} as const
/** Flags sigaction(2) keeps; others are dropped (UAPI_SA_FLAGS). */
export const SA_KNOWN = 0xdc000807
export const SIG_BLOCK = 0
export const SIG_UNBLOCK = 1
export const SIG_SETMASK = 2

/** sigaltstack(2) */
export const SS = { ONSTACK: 1, DISABLE: 2, AUTODISARM: 0x80000000 } as const
export const MINSIGSTKSZ = 2048

/** si_code */
export const SI = { USER: 0, KERNEL: 0x80, QUEUE: -1, TIMER: -2, MESGQ: -3, ASYNCIO: -4, TKILL: -6 } as const
export const CLD = { EXITED: 1, KILLED: 2, DUMPED: 3, TRAPPED: 4, STOPPED: 5, CONTINUED: 6 } as const

/** struct kernel_sigaction of the rt_sigaction call: 32 bytes, u64 each. */
export const SIGACTION = { HANDLER: 0, FLAGS: 8, RESTORER: 16, MASK: 24, BYTES: 32 } as const
/** stack_t: 24 bytes. */
export const STACK_T = { SP: 0, FLAGS: 8, SIZE: 16, BYTES: 24 } as const

/** siginfo_t: byte offsets; i32 unless said. The union starts at 16. */
export const SIGINFO = {
  SIGNO: 0, ERRNO: 4, CODE: 8,
  PID: 16, UID: 20, // kill, sigqueue, SIGCHLD
  VALUE: 24, // u64 sigval: sigqueue, POSIX timers
  STATUS: 24, UTIME: 32 /* i64 clock ticks */, STIME: 40 /* i64 */, // SIGCHLD
  TIMERID: 16, OVERRUN: 20, // POSIX timers
  ADDR: 16, // u64: faults
  BAND: 16 /* i64 */, FD: 24, // SIGIO
  BYTES: 128,
} as const

/** What PM hands the container through sys.sigsend: one frame to push. Byte offsets; u32 unless said. */
export const SIGMSG = {
  SIGNO: 0,
  FLAGS: 4, // sa_flags
  HANDLER: 8, // u64
  RESTORER: 16, // u64
  MASK: 24, // u64: goes into uc_sigmask, comes back by sigreturn
  ALTSP: 32, // u64: alternate stack as sigaltstack has it
  ALTSIZE: 40, // u64: 0 none
  ALTFLAGS: 48, // SS.*
  INCALL: 52, // 1: the thread is in a call whose result is RESULT; if that is -ERESTART*, the frame decides what becomes of it
  RESULT: 56, // i64
  ORDINAL: 64, // 0 for the first frame pushed at this boundary, then 1, 2, …
  INFO: 72, // 128 bytes: siginfo
  BYTES: 200,
} as const
