// ptrace(2) on x86-64: requests, options, events, struct user and the other layouts. <linux/ptrace.h>, <asm/ptrace-abi.h>, <sys/user.h>.
export const PTRACE = {
  TRACEME: 0, PEEKTEXT: 1, PEEKDATA: 2, PEEKUSER: 3, POKETEXT: 4, POKEDATA: 5, POKEUSER: 6, CONT: 7, KILL: 8, SINGLESTEP: 9,
  GETREGS: 12, SETREGS: 13, GETFPREGS: 14, SETFPREGS: 15, ATTACH: 16, DETACH: 17, SYSCALL: 24, ARCH_PRCTL: 30,
  SETOPTIONS: 0x4200, GETEVENTMSG: 0x4201, GETSIGINFO: 0x4202, SETSIGINFO: 0x4203, GETREGSET: 0x4204, SETREGSET: 0x4205, SEIZE: 0x4206,
  INTERRUPT: 0x4207, LISTEN: 0x4208, PEEKSIGINFO: 0x4209, GETSIGMASK: 0x420a, SETSIGMASK: 0x420b, GET_SYSCALL_INFO: 0x420e,
} as const

export const PTRACE_O = {
  TRACESYSGOOD: 1, TRACEFORK: 2, TRACEVFORK: 4, TRACECLONE: 8, TRACEEXEC: 0x10, TRACEVFORKDONE: 0x20, TRACEEXIT: 0x40, TRACESECCOMP: 0x80,
  EXITKILL: 0x100000, SUSPEND_SECCOMP: 0x200000,
} as const
export const PTRACE_O_MASK = 0x3000ff

/** Option bit of an event: 1 << event. */
export const EVENT = { FORK: 1, VFORK: 2, CLONE: 3, EXEC: 4, VFORK_DONE: 5, EXIT: 6, SECCOMP: 7, STOP: 128 } as const
/** PTRACE_GETEVENTMSG at a stop for a call. */
export const EVENTMSG = { ENTRY: 1, EXIT: 2 } as const

/** struct user, as PEEKUSER sees it: user_regs_struct (27 words, USER_REGS), …, the debug registers. */
export const USER = { REGS_BYTES: 216, DEBUGREG: 848, DEBUGREGS: 8, BYTES: 912 } as const
/** user_regs_struct in order: names of abi/context.ts, or its own. */
export const USER_REGS = [
  'r15', 'r14', 'r13', 'r12', 'rbp', 'rbx', 'r11', 'r10', 'r9', 'r8', 'rax', 'rcx', 'rdx', 'rsi', 'rdi', 'orig_rax', 'rip', 'cs', 'eflags',
  'rsp', 'ss', 'fs_base', 'gs_base', 'ds', 'es', 'fs', 'gs',
] as const

/** Register sets of GETREGSET. */
export const NT = { PRSTATUS: 1, PRFPREG: 2, X86_XSTATE: 0x202 } as const
export const FPREGS_BYTES = 512

/** struct ptrace_syscall_info: byte offsets. What is answered is as long as the kind says. */
export const SYSCALL_INFO = {
  OP: 0, ARCH: 4, IP: 8, SP: 16, NR: 24, ARGS: 32, RVAL: 24, IS_ERROR: 32, BYTES: 88,
  NONE: { op: 0, bytes: 24 }, ENTRY: { op: 1, bytes: 80 }, EXIT: { op: 2, bytes: 33 },
} as const
export const AUDIT_ARCH_X86_64 = 0xc000003e

/** struct ptrace_peeksiginfo_args. */
export const PEEKSIGINFO = { OFF: 0, FLAGS: 8, NR: 12, BYTES: 16, SHARED: 1 } as const

/** si_code of SIGTRAP. */
export const TRAP = { BRKPT: 1, TRACE: 2 } as const
