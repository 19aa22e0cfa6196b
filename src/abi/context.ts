// A thread's machine context, as GETMCONTEXT and SETMCONTEXT move it. Byte offsets; u64 unless said. Numbers and layout only.
//
// In a call the registers are those of its instruction's end: RIP behind it, RAX its number; at a boundary RAX is its result, which may
// be -ERESTART*. Either way it is issued again with RIP = RESTART and RAX = CALL.
export const CONTEXT = {
  REGS: 0, // 23 qwords: gregset_t, as CH.REGS (REG.* of abi/channel.ts)
  FSBASE: 184,
  PLACE: 192, // u32 PLACE.*; not set
  CALL: 196, // i32: number of the call in hand, -1: none
  RESTART: 200, // where its instruction lies; 0: none
  MOVED: 208, // f64: bytes an unfinished transfer has moved so far, which is its result if it ends now; not set
  BYTES: 216,
} as const

/** Where a thread is: in guest code (registers unknown); blocked in a call; at its boundary, before PM has let it go on; held. */
export const PLACE = { RUNNING: 0, CALL: 1, BOUNDARY: 2, HELD: 3 } as const

/** Names of the registers among the 23 qwords, in their order; the last four are what the host's last fault left. */
export const REGISTERS = [
  'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15', 'rdi', 'rsi', 'rbp', 'rbx', 'rdx', 'rax', 'rcx', 'rsp', 'rip', 'eflags', 'csgsfs',
] as const
