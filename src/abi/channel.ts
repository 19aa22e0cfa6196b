// The channel: one fixed-layout slot of shared memory per guest thread, mapped by that guest process and by the kernel side.
// Everything here is written by both sides; the kernel side trusts nothing it reads back: read once, check, then use.
// native/abi.h is generated from this file (scripts/abi.mjs); test/abi.test.ts checks both sides agree.
//
//   0x000  envelope (guest writes)      0x040  reply (kernel side writes)      0x080  registers, in the order of Linux's gregset_t
//   0x180  prefetched arguments         0x200  host operations (op list)       0x1000 data window
//   0x25000 aside: operations of an errand (container/linux/errand.ts), which leaves reply and data window alone   0x26000 its data

/** Distance between two slots in the arena and in a guest's channel region. */
export const SLOT_BYTES = 0x40000
export const DATA_OFF = 0x1000
/** Data window: arguments the stub copied in, results it copies out. 128 KiB for one bulk buffer + 16 KiB for paths and structures. */
export const DATA_BYTES = 0x24000
export const BULK_BYTES = 0x20000
/** Errands: their op list, and their data. */
export const ASIDE_OPS = 0x25000
export const ASIDE_OFF = 0x26000
export const ASIDE_BYTES = 0x1a000

/** Byte offsets of the fields in a slot. u32 unless said otherwise. */
export const CH = {
  // -- MoL's envelope, written by the guest's stub; SEQ last, with release order --
  SEQ: 0x00, // request sequence number: changes when the guest has posted an event
  OP: 0x04, // what is posted: EV.*
  PID: 0x08, // sender's host thread id (untrusted: only ever used together with the trusted host process id)
  PNR: 0x0c, // process number (kernel side fills in)
  ENDPOINT: 0x10, // endpoint of the sender (kernel side fills in)
  DST: 0x14, // destination endpoint (kernel side fills in)
  ENTRY: 0x18, // how the guest came in: ENTRY.*
  GSLEEP: 0x1c, // 1: the guest sleeps in FUTEX_WAIT on KSEQ and wants a wake-up
  OPDONE: 0x20, // EV.OPFAIL: index of the op that failed (its RESULT says why); EV.OPDONE: number of ops run
  // -- reply, written by the kernel side; KSEQ last --
  KSEQ: 0x40, // reply sequence number: equal to SEQ when the reply stands; the guest's futex word
  NOPS: 0x44, // host operations to run first
  THEN: 0x48, // what follows when all ops succeeded: THEN.*
  PENDINT: 0x4c, // set by the stub: an interrupt arrived while in the stub; becomes an EV.INTR when the guest would go on. The kernel side may clear it with a reply
  RET: 0x50, // i64: return value for THEN.RETURN
  PARK: 0x58, // the SEQ of a request that waits for who knows how long: the guest need not spin for the reply
  // -- registers of the thread while it is in the stub: 23 qwords in gregset_t order, then fs base and the fault's siginfo --
  REGS: 0x80,
  FSBASE: 0x138, // u64, maintained by OP.SETFS
  FAULT_SIGNO: 0x140,
  FAULT_CODE: 0x144, // si_code
  FAULT_ADDR: 0x148, // u64 si_addr
  TRAP_ARCH: 0x154, // si_arch of the SIGSYS (AUDIT_ARCH_*); anything but x86-64 is a foreign call
  RESTART: 0x158, // u64, EV.SYSCALL: set RIP = RESTART and RAX = the call's number to issue the call again (meaningless for ENTRY.VSYSCALL)
  STACK: 0x160, // u64, the stub's own: where its stack for this thread begins. The kernel side leaves it alone
  // -- prefetched arguments: for each argument register i, where in the data window the stub put a copy and how long it is --
  // A string's bytes include its NUL: no NUL and 4096 bytes = too long, no NUL and fewer = fault.
  IN: 0x180, // 6 × { u32 offset from slot start; i32 bytes copied, -1 = not prefetched, less than asked = fault at that byte }
  OPS: 0x200, // op list: OP_MAX × 64 bytes: { u32 code; u32 flags; i64 a[6]; i64 result }
} as const
export const OP_BYTES = 64
export const OP_MAX = 56
/** Offsets inside one op. */
export const OPF = { CODE: 0, FLAGS: 4, A: 8, RESULT: 56 } as const

/** Register index inside REGS (qwords), gregset_t order; see <sys/ucontext.h>. */
export const REG = {
  R8: 0, R9: 1, R10: 2, R11: 3, R12: 4, R13: 5, R14: 6, R15: 7, RDI: 8, RSI: 9, RBP: 10, RBX: 11,
  RDX: 12, RAX: 13, RCX: 14, RSP: 15, RIP: 16, EFL: 17, CSGSFS: 18, ERR: 19, TRAPNO: 20, OLDMASK: 21, CR2: 22,
} as const

/** Events a guest posts in OP. */
export const EV = {
  SYSCALL: 1, // RAX = number, RDI RSI RDX R10 R8 R9 = arguments, RIP = return address
  FAULT: 2, // host signal raised by guest code: FAULT_*, REGS at the fault
  INTR: 3, // guest was running and has been interrupted on request (host signal INTR_SIGNAL)
  OPDONE: 4, // THEN.POST: all ops ran
  OPFAIL: 5, // an op without OPFLAG.FAILOK failed; later ops did not run
  HELLO: 6, // never required: a new host process or thread stands by for its first reply
} as const
export const ENTRY = { TRAP: 0, PATCHED: 1, VSYSCALL: 2 } as const
export const THEN = {
  RETURN: 1, // RAX = RET, other registers from REGS, go on in the guest
  REGS: 2, // all registers from REGS (RAX too), go on in the guest
  POST: 3, // post EV.OPDONE and wait for another reply
  ASIDE: 4, // as POST, with the operations at ASIDE_OPS
} as const
/** Host operations the stub carries out, in list order. Results are host values: ≥ 0 or -errno. */
export const OP = {
  NOP: 0,
  MMAP: 1, // a0 addr, a1 len, a2 prot, a3 flags, a4 fd register or -1, a5 offset
  MUNMAP: 2, // a0 addr, a1 len
  MPROTECT: 3, // a0 addr, a1 len, a2 prot
  MREMAP: 4, // a0 old, a1 oldlen, a2 newlen, a3 flags, a4 new address
  MADVISE: 5, // a0 addr, a1 len, a2 advice. vmctl's a3 1: it may fail
  COPYIN: 6, // a0 guest address, a1 slot offset, a2 len → bytes copied; fewer than a2 counts as failure unless FAILOK
  COPYINSTR: 7, // a0 guest address, a1 slot offset, a2 max → length without NUL; -EFAULT; -ENAMETOOLONG when no NUL in max bytes
  COPYOUT: 8, // a0 guest address, a1 slot offset, a2 len → bytes copied; fewer counts as failure unless FAILOK
  ZERO: 9, // a0 guest address, a1 len
  RECVFD: 10, // a0 count (1–8): receive that many descriptors, sent as one message (u32 thread slot) over the control socket, into fd registers a1, a1+1, …
  CLOSEFD: 11, // a0 first fd register, a1 count
  SETFS: 12, // a0 base
  CLONE: 13, // fork: fd registers 0, 1 hold the child's channel memfd and control socket. → host pid
  THREAD: 14, // new thread in this host process: a0 thread slot index → host tid (approved like CLONE)
  EXIT: 15, // this thread ends, a0 code; does not return
  EXITGROUP: 16, // this host process ends, a0 code; does not return
  PATCH: 17, // a0 address of the syscall instruction, a1 call number, a2 trampoline index, a3 threads in this process → PATTERN.*, or -errno. One at a time per process, none during CLONE
  SAVEX: 18, // a0 guest address (64-aligned), a1 size limit: write extended state in signal-frame format there → bytes; a0 = 0 and a2 = slot offset: into the data window
  LOADX: 19, // a0 guest address or 0 with a2 = slot offset, a1 size limit: load extended state (signal-frame format, checked by the host on return) → bytes
  RESET: 20, // unmap everything of the guest's (all below GUEST_END), close fd registers, forget patches, initial extended state
  PREAD: 21, // a0 fd register, a1 guest address, a2 len, a3 offset → bytes; fewer counts as failure (direct read of a descriptor this process was given)
  UNPATCH: 22, // a0 count: what PATCH replaced by trampolines 0 … a0 - 1 stands again, where it is still there → how many. As PATCH, one at a time
  CAS: 23, // a0 address of a 32-bit word, a1 expected, a2 new: compare and swap → the value found, or -EFAULT
  ROBUST: 24, // a0 head of a robust list, a1 thread id of its owner, who is ending; a2 slot offset for u64 addresses, a3 how many fit: mark the locks he holds (get_robust_list(2)) → how many addresses of words somebody waits for
  MINCORE: 25, // a0 addr, a1 len, a2 slot offset of a byte per page
  MEMBARRIER: 26, // a0 command
} as const
export const OPFLAG = { FAILOK: 1 } as const
/** File-descriptor registers of a thread (RECVFD, CLOSEFD, MMAP, CLONE, PREAD). */
export const FD_REGS = 16

/** The info page: one per machine, read-only to guests. */
export const INFO = {
  KASLEEP: 0x00, // 1: the kernel side sleeps; ring the doorbell after posting
  SPIN: 0x04, // how many pause loops a guest may spin before it sleeps; 0 = never spin
  LAUNCHER_PID: 0x08,
  HINTS: 0x1000, // HINT_ROWS rows of 16 bytes: 6 × u16 (one per argument): HINT.* or a fixed byte count; then u32 spare
} as const
export const HINT_ROWS = 512
export const INFO_BYTES = 0x3000
/** Prefetch hints per argument. Any other non-zero value n ≤ 4096: copy n bytes in. Hints are for speed only. */
export const HINT = { NONE: 0, STRING: 0xffff, BUFFER: 0xfffe /* length in the next argument, at most BULK_BYTES */ } as const

/** Addresses in a guest process. Everything the guest may map lies below GUEST_END. The high word 0x7fff is the stub's. */
export const GUEST_END = 0x7ffe00000000
export const STUB_BASE = 0x7fff00000000 // text (read+execute), then constants
export const INFO_BASE = 0x7fff10000000
export const STACK_BASE = 0x7fff20000000 // private signal stacks, STACK_BYTES per thread slot
export const STACK_BYTES = 0x10000
export const CHANNEL_BASE = 0x7fff40000000 // thread slots, SLOT_BYTES apart
export const THREADS_MAX = 1024 // thread slots of one host process
export const PATCH_BASE = 0x60000 // table of 256 8-byte trampoline addresses (first 0x800 bytes), trampolines after it at +0x1000; mapped by the first PATCH
export const PATCH_BYTES = 0x4000
export const PATCH_SITES = 256
/** Trampoline i lies at PATCH_BASE + TRAMPOLINES + i × TRAMPOLINE_BYTES. */
export const TRAMPOLINES = 0x1000
export const TRAMPOLINE_BYTES = 48
/** In a trampoline of PATTERN.SYSCALL_CMP: where the guest goes on after the call. A guest RIP just behind that site's syscall
 *  instruction (in a guest signal frame, say) must be moved there: the two bytes behind are the middle of a jump now. */
export const TRAMPOLINE_TAIL = 14
/** What PATCH found and replaced; the value is the pattern's length in bytes. */
export const PATTERN = {
  MOV_EAX: 7, // mov $nr,%eax; syscall
  SYSCALL_CMP: 8, // syscall; cmp $-4095 or $-4096,%rax. Only where a3 = 1
  MOV_RAX: 9, // mov $nr,%rax; syscall (the syscall instruction stays)
} as const
/** Descriptors every guest process has; all others come and go by RECVFD / CLOSEFD. */
export const FD = { CONTROL: 3, DOORBELL: 4 } as const
/** Host signal that interrupts running guest code (SIGURG's number would do; a real-time one is not coalesced away by others). */
export const INTR_SIGNAL = 40
