// What the stub's C files share: layouts of the host's and its own, and each other's functions. See stub.c.
#pragma once
#include "boot.h"

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned u32;
typedef unsigned long u64;

#define PAGE 0x1000ul
#define INVALID_OPCODE 0x06 // see patch.c
#define USER_SEGMENTS 0x002b000000000033ul // cs = 0x33, gs = fs = 0, ss = 0x2b

// ---- layouts of the host's: rt_sigframe without its return address (arch/x86/include/uapi/asm/{ucontext,sigcontext}.h) ----
struct ucontext {
  u64 flags, link;
  struct { u64 address; int flags, spare; u64 bytes; } stack;
  u64 regs[23];
  u64 fpstate;
  u64 reserved[8];
  u64 mask;
};
struct siginfo {
  int signo, errno_, code, spare;
  u64 address; // faults: si_addr; SIGSYS: si_call_addr
  int syscall;
  u32 arch;
};

// ---- one per thread, private to the process, at the top of the thread's stack region ----
struct thread {
  u64 channel;      // address of its channel slot
  u64 xfeatures;    // as in struct boot
  u32 xstate_bytes; // "
  u32 sequence;     // of the last event posted; a newborn waits for reply 1 without having posted
  u32 stepping;     // guest code single-steps (TF), and the stub was entered on the patched path
  u32 spare;
  int descriptors[FD_REGS]; // -1: empty
};
_Static_assert(sizeof(struct thread) <= THREAD_BYTES && THREAD_BYTES % 64 == 0, "thread record");

struct trampoline {
  u8 enter[14]; // lea trampoline(%rip),%rcx; jmp *entry_pointer
  u8 tail[12];  // PATTERN_SYSCALL_CMP: cmp; jmp *target(%rip)
  u16 spare;
  u32 number;
  u32 pattern;   // PATTERN_*; 0: unused
  u32 spare2;
  u64 target;    // first byte after the pattern
};
_Static_assert(sizeof(struct trampoline) == TRAMPOLINE_BYTES, "trampoline");
_Static_assert(__builtin_offsetof(struct trampoline, tail) == TRAMPOLINE_TAIL, "tail");
#define ENTRY_POINTER (PATCH_BASE + 0x800ul)
#define TRAMPOLINE(i) ((struct trampoline *)(PATCH_BASE + TRAMPOLINES + (u64)(i) * TRAMPOLINE_BYTES))

// stub.S
#pragma GCC visibility push(hidden) // within reach: no table of addresses
long host_call(long nr, u64, u64, u64, u64, u64, u64);
long host_thread(long flags, u64 stack, struct thread *);
_Noreturn void leave_frame(struct ucontext *, struct thread *);
void restorer(void), patched_entry(void);
u64 copy_bytes(u64 to, u64 from, u64 n), copy_string(u64 to, u64 from, u64 max), zero_bytes(u64 to, u64 n);
void save_xstate(u64 area, u64 mask);
long load_xstate(u64 area, u64 mask), cas_word(u64 address, u32 expected, u32 new);
extern const char leave_frame_end[], patched_exit[], patched_exit_end[];
extern const char copy_bytes_at[], copy_bytes_fault[], zero_bytes_at[], zero_bytes_fault[], copy_string_at[], copy_string_fault[],
  load_xstate_at[], load_xstate_fault[], cas_word_at[], cas_word_fault[];

// stub.c
void post(struct thread *t, u32 event);
void serve(struct thread *t, struct ucontext **frame);
_Noreturn void resume(struct thread *t, struct ucontext *frame);
void set_up_record(struct thread *t, u64 channel, u64 xfeatures, u32 xstate_bytes);
void set_up_thread(struct thread *t);
// operations.c
int run_operations(struct thread *t, u64 ops, struct ucontext **frame);
// robust.c
long compare_and_swap(u64 address, u32 expected, u32 new), release_locks(struct thread *t, u64 head, u32 owner, u64 offset, u64 max);
// xstate.c
struct ucontext *own_frame(struct thread *t), *make_frame(struct thread *t), *adopt_frame(struct thread *t, const struct ucontext *frame);
long save_extended(u64 area, u64 to, u64 limit), load_extended(struct thread *t, u64 area, u64 from, u64 limit);
void clear_extended(u64 area);
// patch.c
long patch(struct thread *t, u64 at, u32 number, u64 index, u64 threads);
long unpatch(u64 count);
struct trampoline *site_at(u64 rip);
#pragma GCC visibility pop

#define CALL(...) CALL_(__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define CALL_(nr, a, b, c, d, e, f, ...) host_call(nr, (u64)(a), (u64)(b), (u64)(c), (u64)(d), (u64)(e), (u64)(f))
#define U32(base, offset) (*(volatile u32 *)((u64)(base) + (offset)))
#define U64(base, offset) (*(volatile u64 *)((u64)(base) + (offset)))
#define REGS(channel) ((volatile u64 *)((channel) + CH_REGS))

static inline u64 align(u64 n, u64 to) { return (n + to - 1) & ~(to - 1); }
static inline u64 least(u64 a, u64 b) { return a < b ? a : b; }
static inline u64 stack_of(u32 slot) { return STACK_BASE + (u64)slot * STACK_BYTES; }
static inline struct thread *thread_of(u64 stack_pointer) {
  return (struct thread *)((stack_pointer & ~(STACK_BYTES - 1ul)) + STACK_BYTES - THREAD_BYTES);
}
static inline struct thread *thread_at(u32 slot) { return thread_of(stack_of(slot)); }
static inline u32 slot_of(struct thread *t) { return ((u64)t - STACK_BASE) / STACK_BYTES; }
static inline int in_stub(u64 rip) { return rip >= STUB_BASE && rip < INFO_BASE; }
/* How many of n bytes at `address` may be the guest's. */
static inline u64 guest_bytes(u64 address, u64 n) { return address >= GUEST_END ? 0 : least(n, GUEST_END - address); }
/* How many of n bytes lie inside the slot from `offset` on. */
static inline u64 slot_bytes(u64 offset, u64 n) { return offset >= SLOT_BYTES ? 0 : least(n, SLOT_BYTES - offset); }
