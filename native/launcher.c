// The launcher: one per machine, between the kernel side and the guest processes. It never runs guest code. It gives up its privileges,
// puts clone(2) under the kernel side's approval, makes empty guest processes on order, and reaps all guests: they are its own children,
// since guests fork with CLONE_PARENT. When the kernel side dies it kills them all and ends.
//
//   launcher STUB PARENT-PID      descriptors: 3 control socket (SOCK_SEQPACKET)   4 info page memfd, read-only   5 doorbell eventfd
//
// Messages, 12 bytes { u32 letter; i32 a; i32 b }:
//   to the kernel side     'L' + [seccomp listener]   ready                     'P' a = pid     a process was made, in order of the 'S's
//                          'X' a = pid, b = status    a guest ended (wait(2))   'E' a = errno, b = 'S' or what failed at start (then it ends)
//   from the kernel side   'S' + [channel memfd, the process's control socket]   'Q' kill all and end; so does closing the socket
#define _GNU_SOURCE
#include "boot.h"
#include "filter.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
// After the libc's, which lacks some of these.
#include <linux/seccomp.h>

enum { CONTROL = 3, INFO_PAGE = 4, DOORBELL = 5 };
enum { ATTEMPTS = 40 }; // to get an address space without anything of ours in the stub's range

static unsigned long stub_entry, text_end, image_end; // of the stub, as mapped
static unsigned long xfeatures;           // what the host saves in a signal frame
static unsigned xstate_bytes;
static struct sock_filter guest_code[FILTER_MAX];
static unsigned guest_length;

// ---- messages ----

struct message { unsigned letter; int a, b; };
union control { struct cmsghdr header; char bytes[CMSG_SPACE(2 * sizeof(int))]; };

static void send_message(struct message message, int fd) {
  union control control = {0};
  struct iovec iov = {&message, sizeof message};
  struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
  if (fd >= 0) {
    header.msg_control = &control;
    header.msg_controllen = CMSG_SPACE(sizeof fd);
    struct cmsghdr *c = CMSG_FIRSTHDR(&header);
    c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(c), &fd, sizeof fd);
  }
  while (sendmsg(CONTROL, &header, MSG_NOSIGNAL) < 0 && errno == EINTR);
}

// Start fails: says why and ends.
static _Noreturn void fail(char what) {
  send_message((struct message){'E', errno, what}, -1);
  _exit(1);
}

// Ends the launcher and every guest: all are of one process group, which no guest can leave.
static _Noreturn void end_all(int signal) {
  (void)signal;
  kill(0, SIGKILL);
  _exit(0);
}

// ---- what all guests inherit ----

// Nothing of ours (stack, vdso) may lie where the stub and its data go. Where address-space randomisation put something there: again.
static void reserve_stub_range(char **argv) {
  const unsigned long bytes = CHANNELS_END - STUB_BASE;
  void *at = mmap((void *)STUB_BASE, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
  if (at == (void *)STUB_BASE) return;
  char attempt[] = {argv[3] ? argv[3][0] + 1 : 'A', 0};
  if (attempt[0] >= 'A' + ATTEMPTS) fail('A');
  execve("/proc/self/exe", (char *[]){argv[0], argv[1], argv[2], attempt, NULL}, (char *[]){NULL});
  fail('A');
}

static void map_fixed(unsigned long address, unsigned long bytes, int protection, int flags, int fd, unsigned long offset) {
  if (mmap((void *)address, bytes, protection, flags | MAP_FIXED, fd, offset) == MAP_FAILED) fail('M');
}

static void map_stub(const char *path) {
  Elf64_Ehdr elf;
  Elf64_Phdr segment;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || pread(fd, &elf, sizeof elf, 0) != sizeof elf || memcmp(elf.e_ident, ELFMAG, SELFMAG) || elf.e_entry >> 32 != STUB_BASE >> 32) fail('U');
  for (int i = 0; i < elf.e_phnum; i++) {
    if (pread(fd, &segment, sizeof segment, elf.e_phoff + i * sizeof segment) != sizeof segment) fail('U');
    if (segment.p_type != PT_LOAD) continue;
    unsigned long end = (segment.p_vaddr + segment.p_memsz + 4095) & ~4095ul;
    if (segment.p_flags & PF_W || segment.p_vaddr < STUB_BASE || end > INFO_BASE || segment.p_filesz != segment.p_memsz) fail('U');
    map_fixed(segment.p_vaddr, segment.p_filesz, PROT_READ | (segment.p_flags & PF_X ? PROT_EXEC : 0), MAP_PRIVATE, fd, segment.p_offset);
    if (segment.p_flags & PF_X) text_end = end;
    if (end > image_end) image_end = end;
  }
  stub_entry = elf.e_entry;
  close(fd);
}

// What the host saves of the extended state, from a frame of its own making.
static void see_frame(int signal, siginfo_t *info, void *context) {
  const char *area = (const char *)((ucontext_t *)context)->uc_mcontext.fpregs;
  unsigned words[5]; // struct _fpx_sw_bytes: magic1, extended size, xfeatures (8), xstate size
  (void)signal, (void)info;
  memcpy(words, area + 464, sizeof words);
  if (words[0] != 0x46505853) return;
  memcpy(&xfeatures, words + 2, sizeof xfeatures);
  xstate_bytes = words[4];
}
static void learn_xstate(void) {
  struct sigaction action = {.sa_sigaction = see_frame, .sa_flags = SA_SIGINFO}, old;
  sigaction(SIGUSR1, &action, &old);
  raise(SIGUSR1);
  sigaction(SIGUSR1, &old, NULL);
}

// The host writes to a registered rseq area at every preemption; guests have none there.
extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned __rseq_size __attribute__((weak));
static void leave_rseq(void) {
  const unsigned bytes = 32, unregister = 1, signature = 0x53053053;
  if (&__rseq_size == NULL || &__rseq_offset == NULL || __rseq_size == 0) return;
  if (syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset, bytes, unregister, signature)) fail('R');
}

static void drop_privileges(void) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct none[2] = {0};
  struct rlimit no_core = {0, 0};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) fail('N');
  prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED); // needs privilege
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (syscall(SYS_capset, &header, none)) fail('C');
  if (setrlimit(RLIMIT_CORE, &no_core)) fail('C');
}

// clone(2) of the launcher's children waits for the kernel side from now on. The launcher itself forks by SYS_fork.
static int ask_for_clone(void) {
  struct sock_filter code[FILTER_MAX];
  struct sock_fprog program = {approval_filter(code), code};
  const unsigned listener = SECCOMP_FILTER_FLAG_NEW_LISTENER, wishes = SECCOMP_FILTER_FLAG_SPEC_ALLOW | (1u << 5); // WAIT_KILLABLE_RECV
  int fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, listener | wishes, &program);
  if (fd < 0) fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, listener, &program);
  if (fd < 0) fail('F');
  return fd;
}

// ---- a guest process ----

static void child_fails_unless(int ok) {
  if (!ok) _exit(127);
}

static _Noreturn void become_guest(pid_t launcher, int channel, int control) {
  sigset_t none;
  child_fails_unless(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == launcher);
  map_fixed(CHANNEL_BASE, CHANNELS_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, channel, 0);
  map_fixed(STACK_BASE, STACKS_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  madvise((void *)STACK_BASE, STACKS_BYTES, MADV_NOHUGEPAGE);
  child_fails_unless(dup2(control, FD_CONTROL) == FD_CONTROL && dup2(DOORBELL, FD_DOORBELL) == FD_DOORBELL);
  for (int fd = 0; fd < FD_CONTROL; fd++) child_fails_unless(dup2(FD_DOORBELL, fd) == fd); // placeholders: passed descriptors come above
  child_fails_unless(syscall(SYS_close_range, FD_DOORBELL + 1, ~0u, 0) == 0);
  struct boot *boot = (struct boot *)BOOT_ADDRESS;
  *boot = (struct boot){text_end, image_end, xfeatures, xstate_bytes, guest_length, (unsigned long)boot->filter};
  memcpy(boot->filter, guest_code, guest_length * sizeof *guest_code);
  signal(SIGTERM, SIG_DFL);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  unsigned long stack = STACK_BASE + STACK_BYTES - THREAD_BYTES;
  __asm__ volatile("mov %0, %%rsp; jmp *%1" ::"r"(stack), "r"(stub_entry), "D"(boot) : "memory");
  __builtin_unreachable();
}

static void make_guest(int channel, int control) {
  pid_t launcher = getpid(), pid = syscall(SYS_fork);
  if (pid == 0) become_guest(launcher, channel, control);
  send_message(pid > 0 ? (struct message){'P', pid, 0} : (struct message){'E', errno, 'S'}, -1);
}

static void reap(void) {
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG | __WALL)) > 0) send_message((struct message){'X', pid, status}, -1);
}

static void take_order(void) {
  struct message message = {0};
  union control control;
  struct iovec iov = {&message, sizeof message};
  struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  ssize_t n = recvmsg(CONTROL, &header, MSG_CMSG_CLOEXEC);
  if (n < 0 && errno == EINTR) return;
  if (n <= 0 || message.letter == 'Q') end_all(0);
  struct cmsghdr *c = CMSG_FIRSTHDR(&header);
  int fds[2];
  if (message.letter != 'S' || !c || c->cmsg_len != CMSG_LEN(sizeof fds)) {
    send_message((struct message){'E', EINVAL, 'S'}, -1);
    return;
  }
  memcpy(fds, CMSG_DATA(c), sizeof fds);
  make_guest(fds[0], fds[1]);
  close(fds[0]), close(fds[1]);
}

static _Noreturn void run(int signals) {
  struct signalfd_siginfo info;
  struct pollfd polled[] = {{CONTROL, POLLIN, 0}, {signals, POLLIN, 0}};
  for (;;) {
    if (poll(polled, 2, -1) < 0 && errno != EINTR) end_all(0);
    if (polled[1].revents) {
      if (read(signals, &info, sizeof info) < 0) end_all(0);
      reap();
    }
    if (polled[0].revents) take_order();
  }
}

int main(int argc, char **argv) {
  sigset_t children;
  if (argc < 3) return 2;
  setsid(); // a session and process group of its own, shared with the guests; has one already after reserve_stub_range's execve
  if (getpgrp() != getpid()) fail('P');
  signal(SIGTERM, end_all);
  reserve_stub_range(argv);
  map_stub(argv[1]);
  map_fixed(INFO_BASE, INFO_BYTES, PROT_READ, MAP_SHARED, INFO_PAGE, 0);
  learn_xstate();
  leave_rseq();
  guest_length = guest_filter(guest_code, text_end);
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  sigprocmask(SIG_SETMASK, &children, NULL);
  int signals = signalfd(-1, &children, SFD_CLOEXEC);
  if (signals < 0) fail('G');
  drop_privileges();
  // SIGTERM when the kernel side's thread ends: end_all. (After the last change of credentials, which would clear it.)
  if (prctl(PR_SET_PDEATHSIG, SIGTERM) || getppid() != atoi(argv[2])) end_all(0);
  int listener = ask_for_clone();
  send_message((struct message){'L', 0, 0}, listener);
  close(listener);
  run(signals);
}
