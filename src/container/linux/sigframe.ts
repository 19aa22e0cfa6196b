// The signal frame of x86-64 Linux, as a handler and its restorer find it on the stack: struct rt_sigframe (arch/x86/include/asm/
// sigframe.h), byte offsets from the frame's start. RSP = frame on entry of the handler; rt_sigreturn is called with RSP = frame + 8.
//
//   0     pretcode        u64   sa_restorer: where the handler returns to
//   8     struct ucontext (304 bytes)
//   440   (end; the extended state lies above, at fpstate, 64-aligned)

export const FRAME = {
  PRETCODE: 0,
  UCONTEXT: 8,
  UC_FLAGS: 8, // u64 UC.*
  UC_LINK: 16, // u64 0
  UC_STACK: 24, // stack_t: ss_sp u64, ss_flags i32, pad, ss_size u64
  SIGCONTEXT: 48, // struct sigcontext_64, 256 bytes
  FPSTATE: 232, // u64 address of the extended state, 0: none
  RESERVED: 240, // 8 × u64
  UC_SIGMASK: 304, // u64
  INFO: 312, // siginfo_t, 128 bytes
  BYTES: 440,
} as const

/** struct sigcontext_64 from SIGCONTEXT: the qwords of gregset_t (REG.* of abi/channel.ts), then fpstate and reserved space. */
export const SIGCONTEXT_REGS = 23
/** Packed in qword REG.CSGSFS: cs, gs, fs, ss, 16 bits each. */
export const USER_CS = 0x33
export const USER_SS = 0x2b

/** uc_flags */
export const UC = { FP_XSTATE: 1, SIGCONTEXT_SS: 2, STRICT_RESTORE_SS: 4 } as const

/** Below RSP a leaf function may keep data (System V ABI). */
export const RED_ZONE = 128

export const EFLAGS = {
  CF: 1, PF: 4, AF: 0x10, ZF: 0x40, SF: 0x80, TF: 0x100, IF: 0x200, DF: 0x400, OF: 0x800, RF: 0x10000, AC: 0x40000, FIXED: 2,
} as const
/** What sigreturn takes from a frame (FIX_EFLAGS); the rest stays as it is. */
export const FIX_EFLAGS =
  EFLAGS.AC | EFLAGS.OF | EFLAGS.DF | EFLAGS.TF | EFLAGS.SF | EFLAGS.ZF | EFLAGS.AF | EFLAGS.PF | EFLAGS.CF | EFLAGS.RF

/** Extended state in a frame: 512 bytes of FXSAVE; the host's own numbers from byte 464 say how long it really is. */
export const FX = {
  BYTES: 512,
  FCW: 0, // u16
  MXCSR: 24, // u32
  MXCSR_MASK: 28,
  SW_MAGIC1: 464, // u32 0x46505853 when more than FXSAVE follows
  SW_EXTENDED_SIZE: 468, // u32 with MAGIC2 at the end
  SW_XFEATURES: 472, // u64
  SW_XSTATE_SIZE: 480, // u32
} as const
export const FP_XSTATE_MAGIC1 = 0x46505853
/** FCW and MXCSR of a fresh state: what a handler starts with. */
export const FCW_INIT = 0x37f
export const MXCSR_INIT = 0x1f80
