// The boundary. Every host system call of a guest process passes these two filters; nothing in the guest's address space is
// trusted to enforce anything. A hostile guest may jump to the stub's syscall instruction with registers of its choice, so each
// rule below is judged by what such a guest gains. Whatever a rule doesn't name traps: the call isn't made, and SIGSYS
// brings the thread to the stub, where it is a guest's call (or, from the stub's own text, a failed one).
//
// Linux exempts two calls from seccomp, uretprobe and uprobe (335, 336): made elsewhere than in the host's own probe trampoline they
// only raise SIGILL or fail.
//
// approval_filter stands in the launcher and all it starts: clone(2) waits for the kernel side's word.
// guest_filter stands in guest processes; set before the first guest instruction, inherited by all their children.

#define _GNU_SOURCE
#include "filter.h"
#include "abi.h"
#include "boot.h"
#include <asm/prctl.h>
#include <asm/unistd.h>
#include <linux/audit.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>

#define HIGH(value) ((unsigned)((unsigned long)(value) >> 32))
#define LOW(value) ((unsigned)(unsigned long)(value))
#define ARG_LOW(i) (offsetof(struct seccomp_data, args) + 8 * (i))
#define ARG_HIGH(i) (ARG_LOW(i) + 4)

struct program {
  struct sock_filter *code;
  unsigned length;
};

static void emit(struct program *p, unsigned short code, unsigned char jt, unsigned char jf, unsigned k) {
  if (p->length == FILTER_MAX) abort();
  p->code[p->length++] = (struct sock_filter){code, jt, jf, k};
}
static void load(struct program *p, unsigned offset) { emit(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, offset); }
static void answer(struct program *p, unsigned action) { emit(p, BPF_RET | BPF_K, 0, 0, action); }
static void allow(struct program *p) { answer(p, SECCOMP_RET_ALLOW); }
static void trap(struct program *p) { answer(p, SECCOMP_RET_TRAP); }

// Conditions on the accumulator: go on when they hold, trap otherwise.
static void need_equal(struct program *p, unsigned k) { emit(p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, k), trap(p); }
static void need_at_most(struct program *p, unsigned k) { emit(p, BPF_JMP | BPF_JGT | BPF_K, 0, 1, k), trap(p); }
static void need_at_least(struct program *p, unsigned k) { emit(p, BPF_JMP | BPF_JGE | BPF_K, 1, 0, k), trap(p); }
static void need_no_bit_of(struct program *p, unsigned k) { emit(p, BPF_JMP | BPF_JSET | BPF_K, 0, 1, k), trap(p); }
static void need_bit(struct program *p, unsigned k) { emit(p, BPF_JMP | BPF_JSET | BPF_K, 1, 0, k), trap(p); }

// A block that runs when the accumulator is k. What stands in it must end in an answer.
static unsigned begin(struct program *p, unsigned k) {
  emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, k);
  return p->length;
}
static void end(struct program *p, unsigned block) {
  if (p->length - block > 255) abort();
  p->code[block - 1].jf = p->length - block;
}

// The same for one bit: what stands in the block must end in an answer. The accumulator stays.
static unsigned begin_bit(struct program *p, unsigned k) {
  emit(p, BPF_JMP | BPF_JSET | BPF_K, 0, 0, k);
  return p->length;
}

static void need_argument(struct program *p, int i, unsigned long value) {
  load(p, ARG_HIGH(i)), need_equal(p, HIGH(value));
  load(p, ARG_LOW(i)), need_equal(p, LOW(value));
}
// For arguments the host reads as a 32-bit int (file descriptors).
static void need_int(struct program *p, int i, unsigned value) { load(p, ARG_LOW(i)), need_equal(p, value); }
// A descriptor the kernel side has passed: not one of FD.* (0–2 are placeholders).
static void need_passed_descriptor(struct program *p, int i) { load(p, ARG_LOW(i)), need_at_least(p, FD_DOORBELL + 1); }
static void need_only_bits(struct program *p, int i, unsigned mask) {
  load(p, ARG_HIGH(i)), need_equal(p, 0);
  load(p, ARG_LOW(i)), need_no_bit_of(p, ~mask);
}
// The range [address, address + length) ends at or below STUB_BASE, even after rounding up to pages: the high words a and l satisfy
// a + l ≤ 0x7ffd, so address + length < (a + 1 + l + 1) << 32 ≤ 0x7fff << 32. No carry: both are checked before they are added.
static void need_guest_range(struct program *p, int address, int length) {
  const unsigned most = HIGH(GUEST_END) - 1;
  load(p, ARG_HIGH(address)), need_at_most(p, most);
  emit(p, BPF_MISC | BPF_TAX, 0, 0, 0);
  load(p, ARG_HIGH(length)), need_at_most(p, most);
  emit(p, BPF_ALU | BPF_ADD | BPF_X, 0, 0, 0);
  need_at_most(p, most);
}

// mmap, munmap, mprotect, madvise, mremap: the guest may do as it likes with its own part of the address space and no other, so
// the stub, the info page, the stacks and the channels stay what they are. File mappings need a descriptor, and a process has
// only those it was passed. MAP_FIXED, since the host must not choose a place. No huge-page pool, no locked memory; and nothing that
// RLIMIT_DATA, which follows what VM has granted (src/container/linux/allowance.ts), doesn't count: no MAP_GROWSDOWN, no shared zeroes.
static void memory_rules(struct program *p) {
  const unsigned maps = MAP_SHARED | MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE | MAP_POPULATE | MAP_STACK | MAP_DENYWRITE | MAP_EXECUTABLE;
  unsigned call = begin(p, __NR_mmap);
  load(p, ARG_HIGH(0));
  // A fork child maps its own channel over its parent's. Not executable, the channel region and no more. With another
  // descriptor of the process's own it deafens itself.
  unsigned channel = begin(p, HIGH(CHANNEL_BASE));
  need_argument(p, 0, CHANNEL_BASE);
  need_argument(p, 1, CHANNELS_BYTES);
  need_argument(p, 2, PROT_READ | PROT_WRITE);
  need_argument(p, 3, MAP_SHARED | MAP_FIXED);
  need_argument(p, 5, 0);
  allow(p);
  end(p, channel);
  need_guest_range(p, 0, 1);
  need_only_bits(p, 2, PROT_READ | PROT_WRITE | PROT_EXEC);
  need_only_bits(p, 3, maps);
  need_bit(p, MAP_FIXED);
  unsigned shared = begin_bit(p, MAP_SHARED); // a descriptor's; never memory that no limit counts
  need_no_bit_of(p, MAP_ANONYMOUS);
  allow(p);
  end(p, shared);
  allow(p);
  end(p, call);

  call = begin(p, __NR_munmap);
  need_guest_range(p, 0, 1);
  allow(p);
  end(p, call);

  call = begin(p, __NR_mprotect); // no PROT_GROWSDOWN, PROT_GROWSUP: they reach beyond the range given
  need_guest_range(p, 0, 1);
  need_only_bits(p, 2, PROT_READ | PROT_WRITE | PROT_EXEC);
  allow(p);
  end(p, call);

  call = begin(p, __NR_mremap); // in place, or to a fixed place
  need_guest_range(p, 0, 1);
  need_guest_range(p, 0, 2);
  load(p, ARG_HIGH(3)), need_equal(p, 0);
  load(p, ARG_LOW(3));
  unsigned in_place = begin(p, 0);
  allow(p);
  end(p, in_place);
  emit(p, BPF_ALU | BPF_AND | BPF_K, 0, 0, ~(unsigned)MREMAP_DONTUNMAP);
  need_equal(p, MREMAP_MAYMOVE | MREMAP_FIXED);
  need_guest_range(p, 4, 2);
  allow(p);
  end(p, call);

  // Hints, throwing away the guest's own pages, filling them in. MADV_REMOVE makes zeroes of what the guest may write to anyway: the host
  // wants a writable shared mapping. Not MERGEABLE (a side channel), or what needs privilege.
  static const unsigned char advices[] = {MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTNEED, MADV_FREE, MADV_REMOVE, MADV_DONTFORK,
                                          MADV_DOFORK, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_WIPEONFORK, MADV_KEEPONFORK, MADV_COLD, MADV_PAGEOUT,
                                          MADV_POPULATE_READ, MADV_POPULATE_WRITE};
  call = begin(p, __NR_madvise);
  need_guest_range(p, 0, 1);
  load(p, ARG_LOW(2));
  for (unsigned i = 0; i < sizeof advices; i++) {
    unsigned advice = begin(p, advices[i]);
    allow(p);
    end(p, advice);
  }
  trap(p);
  end(p, call);

  call = begin(p, __NR_mincore); // what of the guest's is in memory; the answer goes where the guest could have written it itself
  need_guest_range(p, 0, 1);
  allow(p);
  end(p, call);

  call = begin(p, __NR_membarrier); // of its own threads, or of processes that asked for it
  load(p, ARG_LOW(0)), need_at_most(p, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE);
  need_argument(p, 1, 0);
  allow(p);
  end(p, call);
}

// Waiting and ringing. A guest can wait for ever on a word of its own, write rubbish to its control socket (the kernel side
// reads that only at a birth, for the sender's credentials), and wake the kernel side for nothing.
static void message_rules(struct program *p) {
  unsigned call = begin(p, __NR_futex); // FUTEX_WAIT alone: it wakes nobody and changes nothing
  need_int(p, 1, FUTEX_WAIT);
  allow(p);
  end(p, call);

  call = begin(p, __NR_sched_yield);
  allow(p);
  end(p, call);

  call = begin(p, __NR_write);
  load(p, ARG_LOW(0));
  unsigned doorbell = begin(p, FD_DOORBELL);
  allow(p);
  end(p, doorbell);
  need_equal(p, FD_CONTROL);
  allow(p);
  end(p, call);

  call = begin(p, __NR_recvmsg); // whatever arrives there was sent to this process
  need_int(p, 0, FD_CONTROL);
  allow(p);
  end(p, call);
}

// Descriptors the kernel side passed: close, read, or (fork child) take one as the control socket. Each is for exactly this process.
static void descriptor_rules(struct program *p) {
  unsigned call = begin(p, __NR_close);
  need_passed_descriptor(p, 0);
  allow(p);
  end(p, call);

  call = begin(p, __NR_close_range); // a fork child drops what its parent held
  need_int(p, 0, FD_DOORBELL + 1);
  need_int(p, 1, ~0u);
  need_argument(p, 2, 0);
  allow(p);
  end(p, call);

  call = begin(p, __NR_dup3); // the result is a descriptor the process had anyway, under the control socket's number
  need_passed_descriptor(p, 0);
  need_int(p, 1, FD_CONTROL);
  allow(p);
  end(p, call);

  call = begin(p, __NR_pread64);
  need_passed_descriptor(p, 0);
  allow(p);
  end(p, call);
}

// Births, deaths, and a thread's own registers. A clone must be one of two kinds, and waits for approval besides (approval_filter
// asks the kernel side, which sees these flags). A child is the launcher's child (CLONE_PARENT), so nobody is orphaned or waits for it here.
static void process_rules(struct program *p) {
  const unsigned thread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
  unsigned call = begin(p, __NR_clone);
  load(p, ARG_HIGH(0)), need_equal(p, 0);
  load(p, ARG_LOW(0));
  unsigned fork = begin(p, CLONE_PARENT | SIGCHLD);
  need_argument(p, 1, 0);
  allow(p);
  end(p, fork);
  need_equal(p, thread);
  allow(p);
  end(p, call);

  static const unsigned short harmless[] = {
    __NR_exit, __NR_exit_group,  // end itself
    __NR_sigaltstack,            // where its own handlers run
    __NR_rt_sigreturn,           // sets registers and mask from a frame the guest may have forged: it could set them anyway
    __NR_getppid, __NR_gettid,   // host process ids, of no use without a call that takes one
  };
  for (unsigned i = 0; i < sizeof harmless / sizeof *harmless; i++) {
    call = begin(p, harmless[i]);
    allow(p);
    end(p, call);
  }

  call = begin(p, __NR_arch_prctl); // the thread's own segment bases
  load(p, ARG_LOW(0));
  unsigned gs = begin(p, ARCH_SET_GS);
  allow(p);
  end(p, gs);
  need_equal(p, ARCH_SET_FS);
  allow(p);
  end(p, call);

  call = begin(p, __NR_prctl); // a fork child ties its life to the launcher's; it can't untie it
  need_argument(p, 0, PR_SET_PDEATHSIG);
  need_argument(p, 1, SIGKILL);
  allow(p);
  end(p, call);
}

unsigned guest_filter(struct sock_filter *code, unsigned long text_end) {
  struct program program = {code, 0}, *p = &program;
  // Only the stub's text makes host calls. Its place is fixed, and no rule lets anybody map, protect or move anything there.
  load(p, offsetof(struct seccomp_data, instruction_pointer) + 4), need_equal(p, HIGH(STUB_BASE));
  load(p, offsetof(struct seccomp_data, instruction_pointer)), need_at_most(p, LOW(text_end));
  load(p, offsetof(struct seccomp_data, arch)), need_equal(p, AUDIT_ARCH_X86_64);
  // Exact numbers from here on, so x32 (bit 30) matches nothing. Each block answers, or leaves the number in the accumulator.
  load(p, offsetof(struct seccomp_data, nr));
  message_rules(p);
  memory_rules(p);
  descriptor_rules(p);
  process_rules(p);
  trap(p);
  return p->length;
}

unsigned approval_filter(struct sock_filter *code) {
  struct program program = {code, 0}, *p = &program;
  load(p, offsetof(struct seccomp_data, arch));
  unsigned native = begin(p, AUDIT_ARCH_X86_64);
  load(p, offsetof(struct seccomp_data, nr));
  unsigned clone = begin(p, __NR_clone);
  answer(p, SECCOMP_RET_USER_NOTIF);
  end(p, clone);
  allow(p);
  end(p, native);
  allow(p); // foreign calls: the launcher makes none, and guest_filter traps them
  return p->length;
}
