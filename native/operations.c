// The host operations of a reply (OP.* in src/abi/channel.ts), carried out in list order. Arguments may be anything: what a guest may not do
// the filter denies, and a result is all there is to it.
#include "stub.h"
#include <asm/errno.h>
#include <asm/prctl.h>
#include <asm/signal.h>
#include <asm/unistd.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/sched.h>

struct iovec { void *base; u64 bytes; };
struct msghdr {
  void *name;
  u64 name_bytes;
  struct iovec *iov;
  u64 iov_count;
  void *control;
  u64 control_bytes;
  u64 flags;
};
#define MSG_PEEK 2
#define MSG_CMSG_CLOEXEC 0x40000000

static int *descriptor(struct thread *t, u64 index) { return &t->descriptors[index % FD_REGS]; }

static void close_descriptors(struct thread *t, u64 first, u64 count) {
  for (u64 i = first; i < first + count && i < FD_REGS; i++) {
    if (t->descriptors[i] >= 0) CALL(__NR_close, t->descriptors[i]);
    t->descriptors[i] = -1;
  }
}

/* Threads share the control socket; a message names the slot of the thread it is for, and the others leave it there. */
static void wait_for_own_message(struct thread *t) {
  for (;;) {
    u32 slot = 0;
    struct iovec iov = {&slot, sizeof slot};
    struct msghdr message = {.iov = &iov, .iov_count = 1};
    long n = CALL(__NR_recvmsg, FD_CONTROL, &message, MSG_PEEK);
    if (n >= 0 ? n != sizeof slot || t->channel == CHANNEL_BASE + (u64)slot * SLOT_BYTES : n != -EINTR) return;
    CALL(__NR_sched_yield);
  }
}

static long receive_descriptors(struct thread *t, u64 count, u64 first) {
  struct { u64 bytes; int level, type, fds[8]; } control;
  u32 slot;
  struct iovec iov = {&slot, sizeof slot};
  struct msghdr message = {.iov = &iov, .iov_count = 1, .control = &control, .control_bytes = sizeof control};
  long n;
  if (count - 1 > 7 || first + count > FD_REGS) return -EINVAL;
  wait_for_own_message(t);
  do n = CALL(__NR_recvmsg, FD_CONTROL, &message, MSG_CMSG_CLOEXEC); while (n == -EINTR);
  if (n < 0) return n;
  if (message.control_bytes < 16 + 4 * count || control.bytes != 16 + 4 * count) return -EPROTO;
  close_descriptors(t, first, count);
  for (u64 i = 0; i < count; i++) t->descriptors[first + i] = control.fds[i];
  return count;
}

/* A fork child has its parent's memory, its stack in use included, and slot 0 of a channel of its own. */
static struct thread *become_child(struct thread *parent) {
  struct thread *t = thread_at(0);
  u64 xfeatures = parent->xfeatures;
  u32 xstate_bytes = parent->xstate_bytes;
  int channel = parent->descriptors[0], control = parent->descriptors[1];
  CALL(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL);
  if (CALL(__NR_getppid) != U32(INFO_BASE, INFO_LAUNCHER_PID)) CALL(__NR_exit_group, 1);
  if (CALL(__NR_dup3, control, FD_CONTROL, 0) < 0) CALL(__NR_exit_group, 1);
  if (CALL(__NR_mmap, CHANNEL_BASE, CHANNELS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, channel) < 0) CALL(__NR_exit_group, 1);
  CALL(__NR_close_range, FD_DOORBELL + 1, ~0u, 0);
  parent->channel = CHANNEL_BASE; // handlers that still run on this stack
  set_up_record(t, CHANNEL_BASE, xfeatures, xstate_bytes);
  set_up_thread(t);
  CALL(__NR_write, FD_CONTROL, "", 1); // the kernel side learns its process id from the credentials
  return t;
}

/* In the child this doesn't return: it waits for its own first reply and goes on in the guest. */
static long clone_process(struct thread *t, struct ucontext *frame) {
  long pid = CALL(__NR_clone, CLONE_PARENT | SIGCHLD);
  if (pid != 0) return pid;
  t = become_child(t);
  if (!frame) frame = make_frame(t);
  else if (frame != own_frame(t)) frame = adopt_frame(t, frame);
  serve(t, &frame);
  resume(t, frame);
}

/* The new thread starts with this thread's extended state, as on Linux. */
static long clone_thread(struct thread *t, u64 slot, struct ucontext *frame) {
  if (slot >= THREADS_MAX || slot == slot_of(t)) return -EINVAL;
  struct thread *born = thread_at(slot);
  set_up_record(born, CHANNEL_BASE + slot * SLOT_BYTES, t->xfeatures, t->xstate_bytes);
  if (frame && t->xstate_bytes) load_xstate(frame->fpstate, t->xfeatures);
  return host_thread(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, (u64)born, born);
}

static long reset(struct thread *t, struct ucontext *frame) {
  const u64 last = (GUEST_END - 1) & ~0xfffffffful; // the filter wants the last 4 GiB apart
  long error = CALL(__NR_munmap, 0, last);
  if (!error) error = CALL(__NR_munmap, last, 0xffffffff);
  close_descriptors(t, 0, FD_REGS);
  clear_extended(frame->fpstate);
  return error;
}

static long set_fs(struct thread *t, u64 base) {
  long error = CALL(__NR_arch_prctl, ARCH_SET_FS, base);
  if (!error) U64(t->channel, CH_FSBASE) = base;
  return error;
}

static long copy_in_string(u64 to, u64 from, u64 max) {
  u64 allowed = guest_bytes(from, max), n = copy_string(to, from, allowed);
  if (n && *(volatile u8 *)(to + n - 1) == 0) return n - 1;
  return n == max ? -ENAMETOOLONG : -EFAULT;
}

/* One operation; op's fields are read once, into a. *short_ok: a result below a2 is a failure unless OPFLAG.FAILOK. */
static long carry_out(struct thread *t, u32 code, const u64 *a, struct ucontext **frame) {
  u64 slot = t->channel;
  switch (code) {
    case OP_NOP: return 0;
    case OP_MMAP: return CALL(__NR_mmap, a[0], a[1], a[2], a[3] | MAP_FIXED, (long)a[4] < 0 ? -1 : *descriptor(t, a[4]), a[5]);
    case OP_MUNMAP: return CALL(__NR_munmap, a[0], a[1]);
    case OP_MPROTECT: return CALL(__NR_mprotect, a[0], a[1], a[2]);
    case OP_MREMAP: return CALL(__NR_mremap, a[0], a[1], a[2], a[3], a[4]);
    case OP_MADVISE: return CALL(__NR_madvise, a[0], a[1], a[2]);
    case OP_COPYIN: return copy_bytes(slot + a[1], a[0], guest_bytes(a[0], slot_bytes(a[1], a[2])));
    case OP_COPYINSTR: return copy_in_string(slot + a[1], a[0], slot_bytes(a[1], a[2]));
    case OP_COPYOUT: return copy_bytes(a[0], slot + a[1], guest_bytes(a[0], slot_bytes(a[1], a[2])));
    case OP_ZERO: return zero_bytes(a[0], guest_bytes(a[0], a[1])) == a[1] ? 0 : -EFAULT;
    case OP_RECVFD: return receive_descriptors(t, a[0], a[1]);
    case OP_CLOSEFD: return close_descriptors(t, a[0], a[1]), 0;
    case OP_SETFS: return set_fs(t, a[0]);
    case OP_CLONE: return clone_process(t, *frame);
    case OP_THREAD: return clone_thread(t, a[0], *frame);
    case OP_EXIT: return CALL(__NR_exit, a[0]);
    case OP_EXITGROUP: return CALL(__NR_exit_group, a[0]);
    case OP_PATCH: return patch(t, a[0], a[1], a[2], a[3]);
    case OP_UNPATCH: return unpatch(a[0]);
    case OP_PREAD: return CALL(__NR_pread64, *descriptor(t, a[0]), a[1], guest_bytes(a[1], a[2]), a[3]);
    case OP_MINCORE: return slot_bytes(a[2], (a[1] + PAGE - 1) / PAGE) == (a[1] + PAGE - 1) / PAGE ? CALL(__NR_mincore, a[0], a[1], slot + a[2]) : -EINVAL;
    case OP_MEMBARRIER: return CALL(__NR_membarrier, a[0], 0, 0);
    case OP_CAS: return compare_and_swap(a[0], a[1], a[2]);
    case OP_ROBUST: return release_locks(t, a[0], a[1], a[2], a[3]);
    default: break;
  }
  if (code != OP_SAVEX && code != OP_LOADX && code != OP_RESET) return -ENOSYS;
  if (!*frame) *frame = make_frame(t);
  if (code == OP_RESET) return reset(t, *frame);
  u64 place = a[0] ? a[0] : slot + a[2], limit = a[0] ? guest_bytes(a[0], a[1]) : slot_bytes(a[2], a[1]);
  return code == OP_SAVEX ? save_extended((*frame)->fpstate, place, limit) : load_extended(t, (*frame)->fpstate, place, limit);
}

/* Runs the list at `ops` in the slot; 1 when all succeeded. */
int run_operations(struct thread *t, u64 ops, struct ucontext **frame) {
  u32 n = least(U32(t->channel, CH_NOPS), OP_MAX), done = 0;
  int ok = 1;
  for (; done < n && ok; done += ok) {
    u64 op = t->channel + ops + done * OP_BYTES, a[6];
    u32 code = U32(op, OPF_CODE), flags = U32(op, OPF_FLAGS);
    for (int i = 0; i < 6; i++) a[i] = U64(op, OPF_A + 8 * i);
    long result = carry_out(t, code, a, frame);
    U64(op, OPF_RESULT) = result;
    ok = (flags & OPFLAG_FAILOK) || (result >= 0 && !((code == OP_COPYIN || code == OP_COPYOUT || code == OP_PREAD) && (u64)result < a[2]));
  }
  U32(t->channel, CH_OPDONE) = done;
  return ok;
}
