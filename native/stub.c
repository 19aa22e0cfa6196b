// The stub: the only native code of mol's in a guest process. It turns what guest code does (a trapped or patched system call, a
// fault, an interruption) into an event in the thread's channel slot, waits for the reply, carries out the host operations in it,
// and goes on in the guest. It decides nothing and holds no privilege: the boundary is the seccomp filter (filter.c). Everything it
// reads from memory may have been altered by the guest; believing it harms that guest alone.
//
// No libc, no thread-local storage, no writable data: all state is in the thread's channel slot (shared with the kernel side) or
// in the thread record at the top of its private stack. Handlers find that record from their stack pointer.
//
// Here: events and replies, the entries and exits, birth. operations.c: what replies order. patch.c: call sites. robust.c: futex words. xstate.c: extended state.

#include "stub.h"
#include <asm/errno.h>
#include <asm/prctl.h>
#include <asm/signal.h>
#include <asm/unistd.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>

#define HOST_END 0x7ffffffff000ul // TASK_SIZE of the host
#define FLAG_TF 0x100ul
#define SYS_SECCOMP 1
#define SA_RESTORER 0x04000000
struct action {
  void *handler;
  u64 flags;
  void *restorer;
  u64 mask;
};

// ---- the message ----

void post(struct thread *t, u32 event) {
  U32(t->channel, CH_OP) = event;
  __atomic_store_n((u32 *)(t->channel + CH_SEQ), ++t->sequence, __ATOMIC_SEQ_CST); // seen before KASLEEP is looked at
  if (U32(INFO_BASE, INFO_KASLEEP)) {
    u64 one = 1;
    CALL(__NR_write, FD_DOORBELL, &one, sizeof one);
  }
}

static void wait_for_reply(struct thread *t) {
  u32 *reply = (u32 *)(t->channel + CH_KSEQ), seen;
  for (u32 i = 0; i < U32(INFO_BASE, INFO_SPIN); i++) {
    if (__atomic_load_n(reply, __ATOMIC_ACQUIRE) == t->sequence) return;
    if (U32(t->channel, CH_PARK) == t->sequence) break;
    __builtin_ia32_pause();
  }
  __atomic_store_n((u32 *)(t->channel + CH_GSLEEP), 1, __ATOMIC_SEQ_CST); // the kernel side looks at it after writing KSEQ
  while ((seen = __atomic_load_n(reply, __ATOMIC_ACQUIRE)) != t->sequence) CALL(__NR_futex, reply, FUTEX_WAIT, seen, 0);
  U32(t->channel, CH_GSLEEP) = 0;
}

static void save_registers(u64 channel, const struct ucontext *frame) {
  volatile u64 *regs = REGS(channel);
  for (int i = 0; i < 23; i++) regs[i] = frame->regs[i];
}
/* Segments and what follows them stay the host's. */
static void load_registers(struct ucontext *frame, u64 channel) {
  volatile u64 *regs = REGS(channel);
  for (int i = 0; i <= GREG_EFL; i++) frame->regs[i] = regs[i];
}

/* Copies what the hints of this call name into the data window, and says so in CH.IN. */
static void prefetch(u64 channel, u64 number, int hinted) {
  static const u8 argument[6] = {GREG_RDI, GREG_RSI, GREG_RDX, GREG_R10, GREG_R8, GREG_R9};
  volatile u64 *regs = REGS(channel);
  u64 at = DATA_OFF;
  for (u32 i = 0; i < 6; i++) {
    u64 in = channel + CH_IN + 8 * i;
    u16 hint = hinted && number < HINT_ROWS ? *(volatile u16 *)(INFO_BASE + INFO_HINTS + 16 * number + 2 * i) : HINT_NONE;
    U32(in, 4) = -1;
    if (hint == HINT_NONE) continue;
    u64 from = regs[argument[i]], room = DATA_OFF + DATA_BYTES - at, copied = 0;
    u64 wanted = hint == HINT_STRING ? 4096 : hint != HINT_BUFFER ? hint : i < 5 ? least(regs[argument[i + 1]], BULK_BYTES) : 0;
    wanted = guest_bytes(from, least(wanted, room));
    if (from >= PAGE) copied = (hint == HINT_STRING ? copy_string : copy_bytes)(channel + at, from, wanted);
    U32(in, 0) = at;
    U32(in, 4) = copied;
    at = align(at + copied, 16);
  }
}

/* Waits for replies and carries them out until one lets the guest go on; then REGS holds all the guest goes on with.
 * *frame: the thread's signal frame, or 0 on the patched path; made here when extended state is wanted. */
void serve(struct thread *t, struct ucontext **frame) {
  for (;;) {
    wait_for_reply(t);
    u32 then = U32(t->channel, CH_THEN);
    int ok = run_operations(t, then == THEN_ASIDE ? ASIDE_OPS : CH_OPS, frame);
    if (ok && then != THEN_POST && then != THEN_ASIDE) {
      if (then == THEN_RETURN) REGS(t->channel)[GREG_RAX] = U64(t->channel, CH_RET);
      return;
    }
    post(t, ok ? EV_OPDONE : EV_OPFAIL);
  }
}

// ---- entries ----

/* Goes on in the guest through a frame of the stub's own. */
_Noreturn void resume(struct thread *t, struct ucontext *frame) {
  load_registers(frame, t->channel);
  leave_frame(frame, t);
}

/* An interrupt that arrived in the stub, before going on through a frame. */
_Noreturn void on_late_frame(struct ucontext *frame, struct thread *t) {
  U32(t->channel, CH_PENDINT) = 0;
  post(t, EV_INTR);
  serve(t, &frame);
  resume(t, frame);
}

/* Leaves the patched path through a frame if there is one or the guest single-steps; else returns, to patched_exit. */
static void serve_patched(struct thread *t) {
  struct ucontext *frame = 0;
  serve(t, &frame);
  if (t->stepping || (REGS(t->channel)[GREG_EFL] & FLAG_TF)) {
    REGS(t->channel)[GREG_EFL] |= FLAG_TF;
    t->stepping = 0;
    if (!frame) frame = make_frame(t);
  }
  if (frame) resume(t, frame);
}

/* The same on the patched path. */
void on_late_interrupt(struct thread *t) {
  U32(t->channel, CH_PENDINT) = 0;
  post(t, EV_INTR);
  serve_patched(t);
}

static void post_call(struct thread *t, u32 entry, u64 restart, u32 arch) {
  u64 channel = t->channel;
  U32(channel, CH_ENTRY) = entry;
  U32(channel, CH_TRAP_ARCH) = arch;
  U64(channel, CH_RESTART) = restart;
  prefetch(channel, (u32)REGS(channel)[GREG_RAX], arch == AUDIT_ARCH_X86_64 && entry != ENTRY_VSYSCALL);
  post(t, EV_SYSCALL);
}

void on_patched(struct thread *t, struct trampoline *site) {
  volatile u64 *regs = REGS(t->channel);
  u64 syscall_end = site->target;
  u64 resume_at = site->target;
  if (site->pattern == PATTERN_SYSCALL_CMP) {
    syscall_end -= 6;
    resume_at = (u64)site->tail;
  } else {
    regs[GREG_RAX] = site->number;
  }
  regs[GREG_RIP] = resume_at;
  regs[GREG_RCX] = syscall_end; // as the instruction leaves them
  regs[GREG_R11] = regs[GREG_EFL];
  regs[GREG_CSGSFS] = USER_SEGMENTS;
  post_call(t, ENTRY_PATCHED, site->target - site->pattern, AUDIT_ARCH_X86_64);
  serve_patched(t);
}

static void serve_trapped(struct thread *t, struct ucontext *frame) {
  serve(t, &frame);
  load_registers(frame, t->channel);
}

static void on_sigsys(struct thread *t, const struct siginfo *info, struct ucontext *frame) {
  u64 *regs = frame->regs;
  if (info->code != SYS_SECCOMP) return;
  if (in_stub(regs[GREG_RIP])) { // a host call that the filter denies
    regs[GREG_RAX] = -EPERM;
    return;
  }
  save_registers(t->channel, frame);
  // The host returns from a trapped vsyscall to its caller by itself.
  u32 entry = info->address >= 0xffffffffff600000 ? ENTRY_VSYSCALL : ENTRY_TRAP;
  post_call(t, entry, regs[GREG_RIP] - 2, info->arch);
  serve_trapped(t, frame);
}

static void on_interrupt(struct thread *t, struct ucontext *frame) {
  u64 rip = frame->regs[GREG_RIP];
  if (!in_stub(rip)) {
    save_registers(t->channel, frame);
    post(t, EV_INTR);
    return serve_trapped(t, frame);
  }
  U32(t->channel, CH_PENDINT) = 1;
  if (rip >= (u64)patched_exit && rip < (u64)patched_exit_end) frame->regs[GREG_RIP] = (u64)patched_exit;
  if (rip >= (u64)leave_frame && rip < (u64)leave_frame_end) frame->regs[GREG_RIP] = (u64)leave_frame;
}

/* Where the stub goes on after a fault of its own at rip; 0 if none is expected there. */
static u64 fault_exit(u64 rip) {
  if (rip == (u64)copy_bytes_at) return (u64)copy_bytes_fault;
  if (rip == (u64)zero_bytes_at) return (u64)zero_bytes_fault;
  if (rip >= (u64)copy_string_at && rip < (u64)copy_string_fault) return (u64)copy_string_fault;
  if (rip == (u64)load_xstate_at) return (u64)load_xstate_fault;
  if (rip == (u64)cas_word_at) return (u64)cas_word_fault;
  return 0;
}

static void on_stub_fault(struct thread *t, int signal, struct ucontext *frame) {
  u64 *regs = frame->regs, exit = fault_exit(regs[GREG_RIP]);
  if (exit) {
    regs[GREG_RIP] = exit;
  } else if (signal == SIGTRAP) { // the guest single-steps into a patched call: not through the stub
    t->stepping = 1;
    regs[GREG_EFL] &= ~FLAG_TF;
  } else {
    CALL(__NR_exit_group, 128 + signal); // the guest broke its own stub
  }
}

/* An invalid opcode the stub has put there (see write_jump); 1 if it was that. */
static int on_invalid_opcode(struct thread *t, struct ucontext *frame) {
  u64 *regs = frame->regs, rip = regs[GREG_RIP];
  struct trampoline *site = site_at(rip);
  if (!site) return 0;
  if (rip != site->target - 2 || *(volatile u8 *)rip != INVALID_OPCODE) { // being patched or unpatched by another thread
    CALL(__NR_sched_yield);
    return 1;
  }
  regs[GREG_RIP] = rip + 2;
  regs[GREG_RCX] = rip + 2;
  regs[GREG_R11] = regs[GREG_EFL];
  save_registers(t->channel, frame);
  post_call(t, ENTRY_TRAP, rip, AUDIT_ARCH_X86_64);
  serve_trapped(t, frame);
  return 1;
}

static void on_fault(struct thread *t, int signal, const struct siginfo *info, struct ucontext *frame) {
  if (in_stub(frame->regs[GREG_RIP])) return on_stub_fault(t, signal, frame);
  if (signal == SIGILL && on_invalid_opcode(t, frame)) return;
  save_registers(t->channel, frame);
  U32(t->channel, CH_FAULT_SIGNO) = signal;
  U32(t->channel, CH_FAULT_CODE) = info->code;
  U64(t->channel, CH_FAULT_ADDR) = info->address;
  post(t, EV_FAULT);
  serve_trapped(t, frame);
}

static void on_signal(int signal, const struct siginfo *info, struct ucontext *frame) {
  struct thread *t = thread_of((u64)__builtin_frame_address(0));
  if (signal == SIGSYS) on_sigsys(t, info, frame);
  else if (signal == INTR_SIGNAL) on_interrupt(t, frame);
  else on_fault(t, signal, info, frame);
}

// ---- birth of a process ----

void set_up_record(struct thread *t, u64 channel, u64 xfeatures, u32 xstate_bytes) {
  *t = (struct thread){.channel = channel, .xfeatures = xfeatures, .xstate_bytes = xstate_bytes, .sequence = 1};
  for (int i = 0; i < FD_REGS; i++) t->descriptors[i] = -1;
}
/* By the new thread itself: what lives in its channel and its processor state. */
void set_up_thread(struct thread *t) {
  U64(t->channel, CH_STACK) = (u64)t;
  U32(t->channel, CH_PID) = CALL(__NR_gettid);
  U32(t->channel, CH_PENDINT) = 0;
  CALL(__NR_arch_prctl, ARCH_SET_GS, t->channel);
}

static void set_alternate_stack(struct thread *t) {
  u64 low = stack_of(slot_of(t)) + FRAME_BYTES, stack[3] = {low, 0, (u64)t - low};
  CALL(__NR_sigaltstack, stack, 0);
}

_Noreturn void thread_main(struct thread *t) {
  set_up_thread(t);
  set_alternate_stack(t);
  struct ucontext *frame = make_frame(t);
  serve(t, &frame);
  resume(t, frame);
}

/* Interrupts wait while a handler runs; the others may nest, since the stub's own faults and denied calls arrive as signals. */
static void install_handlers(void) {
  static const u8 signals[] = {SIGSYS, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, INTR_SIGNAL};
  const struct action action = {(void *)on_signal, SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART | SA_RESTORER, (void *)restorer,
                                1ul << (INTR_SIGNAL - 1)};
  for (u32 i = 0; i < sizeof signals; i++)
    if (CALL(__NR_rt_sigaction, signals[i], &action, 0, 8)) CALL(__NR_exit_group, 124);
}

/* A second wall: the image, the info page and the stacks can't be changed even if a filter rule were wrong (Linux 6.10). */
static void seal(const struct boot *boot) {
  const long mseal = 462;
  CALL(mseal, STUB_BASE, boot->image_end - STUB_BASE, 0);
  CALL(mseal, INFO_BASE, INFO_BYTES, 0);
  CALL(mseal, STACK_BASE, STACKS_BYTES, 0);
}

/* In a child of the launcher, on the stack of slot 0: throws the launcher's memory away, sets the filter, waits for a program. */
_Noreturn void stub_main(const struct boot *boot) {
  struct thread *t = thread_at(0);
  struct sock_fprog filter = {boot->filter_length, (void *)boot->filter_address};
  set_up_record(t, CHANNEL_BASE, boot->xfeatures, boot->xstate_bytes);
  set_up_thread(t);
  set_alternate_stack(t);
  install_handlers();
  if (CALL(__NR_munmap, 0, STUB_BASE) || CALL(__NR_munmap, CHANNELS_END, HOST_END - CHANNELS_END)) CALL(__NR_exit_group, 125);
  seal(boot);
  if (CALL(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &filter) &&
      CALL(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter))
    CALL(__NR_exit_group, 126);
  struct ucontext *frame = make_frame(t);
  clear_extended(frame->fpstate);
  serve(t, &frame);
  resume(t, frame);
}
