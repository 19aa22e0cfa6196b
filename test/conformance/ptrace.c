// ptrace(2): every stop, request and error a debugger meets; tracers and tracees are children of this program.
#include "report.h"
#include <asm/ptrace-abi.h>
#include <elf.h>
#include <fcntl.h>
#include <linux/ptrace.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define P(request, pid, addr, data) syscall(SYS_ptrace, request, pid, (void *)(addr), (void *)(data))

static volatile long word = 0x1122334455667788;
static int status;

static long peek(pid_t pid, const volatile void *at) {
  long value = 0;
  return P(PTRACE_PEEKDATA, pid, at, &value) < 0 ? -1 : value;
}
/* Wait status in words that don't depend on pids. */
static void stop(const char *what, pid_t pid) {
  pid_t got = waitpid(pid, &status, __WALL);
  siginfo_t info = {0};
  unsigned long message = 0;
  printf("%s: %s ", what, got == pid ? "it" : got < 0 ? "nobody" : "another");
  if (WIFSTOPPED(status)) printf("stopped %d event %d", WSTOPSIG(status), status >> 16);
  else if (WIFEXITED(status)) printf("exited %d", WEXITSTATUS(status));
  else if (WIFSIGNALED(status)) printf("killed %d", WTERMSIG(status));
  if (got == pid && WIFSTOPPED(status)) {
    errno = 0;
    long r = P(PTRACE_GETSIGINFO, pid, 0, &info);
    if (r == 0) printf(" si_signo %d si_code %d", info.si_signo, info.si_code);
    else printf(" no info: %s", strerrorname_np(errno));
    if (status >> 16) {
      P(PTRACE_GETEVENTMSG, pid, 0, &message);
      printf(" message %s", message == 0 ? "0" : message == (unsigned long)pid ? "itself" : "another");
    }
  }
  printf("\n");
}
static void go(pid_t pid, int signal) { SAY(P(PTRACE_CONT, pid, 0, (long)signal)); }
static void ended(pid_t pid) {
  kill(pid, SIGKILL);
  while (waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status));
}

/* A child that runs f, traced from its first stop on. */
static pid_t traced(void (*f)(void)) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    P(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    f();
    _exit(7);
  }
  waitpid(pid, &status, 0);
  printf("first stop %d\n", WIFSTOPPED(status) ? WSTOPSIG(status) : -1);
  return pid;
}
static void nothing(void) {}

static void errors(void) {
  printf("-- errors\n");
  fflush(stdout);
  SAY(P(PTRACE_ATTACH, 999999, 0, 0));
  SAY(P(PTRACE_SEIZE, 999999, 0, 0));
  SAY(P(PTRACE_CONT, 999999, 0, 0));
  SAY(P(PTRACE_ATTACH, getpid(), 0, 0));
  SAY(P(PTRACE_SEIZE, getpid(), 1, 0));
  SAY(P(PTRACE_PEEKDATA, getpid(), &word, &word));
  SAY(P(PTRACE_CONT, 0, 0, 0));
  SAY(P(PTRACE_CONT, -1, 0, 0));
  SAY(P(0x7777, 999999, 0, 0));
  int go[2];
  pipe(go);
  pid_t pid = fork();
  if (pid == 0) {
    char c;
    read(go[0], &c, 1);
    _exit(0);
  }
  SAY(P(PTRACE_CONT, pid, 0, 0));
  SAY(P(PTRACE_PEEKDATA, pid, &word, &word));
  SAY(P(PTRACE_DETACH, pid, 0, 0));
  SAY(P(PTRACE_KILL, pid, 0, 0));
  SAY(P(0x7777, pid, 0, 0));
  SAY(P(PTRACE_SEIZE, pid, 1, 0));
  SAY(P(PTRACE_SEIZE, pid, 0, 0x80000000));
  SAY(P(PTRACE_SEIZE, pid, 0, 1ul << 40));
  SAY(P(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD));
  SAY(P(PTRACE_SEIZE, pid, 0, 0));
  SAY(P(PTRACE_ATTACH, pid, 0, 0));
  SAY(P(PTRACE_GETREGS, pid, 0, &word)); // it runs
  SAY(P(PTRACE_LISTEN, pid, 0, 0));
  SAY(P(PTRACE_INTERRUPT, pid, 0, 0));
  stop("interrupted", pid);
  SAY(P(0x7777, pid, 0, 0));
  SAY(P(PTRACE_CONT, pid, 0, 65));
  SAY(P(PTRACE_DETACH, pid, 0, 1000));
  SAY(P(PTRACE_SETOPTIONS, pid, 0, 0x400));
  SAY(P(PTRACE_PEEKDATA, pid, 8, &word));
  SAY(P(PTRACE_PEEKDATA, pid, -8, &word));
  SAY(P(PTRACE_PEEKTEXT, pid, &word, 8));
  SAY(P(PTRACE_POKEDATA, pid, 8, 1));
  SAY(P(PTRACE_PEEKUSR, pid, 4, &word));
  SAY(P(PTRACE_PEEKUSR, pid, 4096, &word));
  SAY(P(PTRACE_PEEKUSR, pid, -8, &word));
  SAY(P(PTRACE_PEEKUSR, pid, 0, 8));
  SAY(P(PTRACE_POKEUSR, pid, 1, 1));
  SAY(P(PTRACE_POKEUSR, pid, 8000, 1));
  SAY(P(PTRACE_POKEUSR, pid, offsetof(struct user_regs_struct, cs), 0));
  SAY(P(PTRACE_POKEUSR, pid, offsetof(struct user_regs_struct, ss), 0x10));
  SAY(P(PTRACE_POKEUSR, pid, offsetof(struct user_regs_struct, fs_base), 1ul << 63));
  SAY(P(PTRACE_GETREGS, pid, 0, 8));
  SAY(P(PTRACE_SETREGS, pid, 0, 8));
  SAY(P(PTRACE_GETFPREGS, pid, 0, 8));
  SAY(P(PTRACE_SETFPREGS, pid, 0, 8));
  SAY(P(PTRACE_GETSIGINFO, pid, 0, 8));
  SAY(P(PTRACE_SETSIGINFO, pid, 0, 8));
  SAY(P(PTRACE_GETEVENTMSG, pid, 0, 8));
  SAY(P(PTRACE_GETSIGMASK, pid, 4, &word));
  SAY(P(PTRACE_SETSIGMASK, pid, 16, &word));
  SAY(P(PTRACE_GETSIGMASK, pid, 8, 8));
  struct iovec iov = {&word, 8};
  SAY(P(PTRACE_GETREGSET, pid, NT_PRSTATUS, 8));
  SAY(P(PTRACE_GETREGSET, pid, 0x99, &iov));
  iov.iov_len = 7;
  SAY(P(PTRACE_GETREGSET, pid, NT_PRSTATUS, &iov));
  iov = (struct iovec){(void *)8, 8};
  SAY(P(PTRACE_GETREGSET, pid, NT_PRSTATUS, &iov));
  SAY(P(PTRACE_SETREGSET, pid, NT_PRSTATUS, &iov));
  struct ptrace_peeksiginfo_args args = {0, 4, 1};
  SAY(P(PTRACE_PEEKSIGINFO, pid, &args, &word));
  args = (struct ptrace_peeksiginfo_args){0, 0, -1};
  SAY(P(PTRACE_PEEKSIGINFO, pid, &args, &word));
  SAY(P(PTRACE_PEEKSIGINFO, pid, 8, &word));
  SAY(P(PTRACE_CONT, pid, 0, 0));
  SAY(P(PTRACE_CONT, pid, 0, 0));
  SAY(P(PTRACE_DETACH, pid, 0, 0));
  write(go[1], "x", 1);
  stop("its end", pid);
  SAY(P(PTRACE_CONT, pid, 0, 0));
  SAY(waitpid(pid, 0, __WALL));
  close(go[0]), close(go[1]);
}

static void other_user(void) {
  printf("-- permission\n");
  int ready[2], go[2];
  char c;
  pipe(ready), pipe(go);
  fflush(stdout);
  pid_t victim = fork();
  if (victim == 0) {
    if (getuid() == 0) setresuid(1, 1, 1);
    prctl(PR_SET_DUMPABLE, 0);
    write(ready[1], "x", 1);
    read(go[0], &c, 1);
    _exit(0);
  }
  read(ready[0], &c, 1);
  pid_t pid = fork();
  if (pid == 0) {
    if (getuid() == 0) setresuid(2, 2, 2);
    SAY(P(PTRACE_ATTACH, victim, 0, 0));
    SAY(P(PTRACE_SEIZE, victim, 0, 0));
    SAY(P(PTRACE_ATTACH, 1, 0, 0));
    fflush(stdout);
    _exit(0);
  }
  waitpid(pid, 0, 0);
  write(go[1], "x", 1);
  waitpid(victim, 0, 0);
  pid = traced(nothing);
  pid_t third = fork();
  if (third == 0) {
    SAY(P(PTRACE_ATTACH, pid, 0, 0));
    SAY(P(PTRACE_CONT, pid, 0, 0));
    SAY(P(PTRACE_PEEKDATA, pid, &word, &word));
    fflush(stdout);
    _exit(0);
  }
  waitpid(third, 0, 0);
  ended(pid);
  pid = fork();
  if (pid == 0) {
    SAY(P(PTRACE_TRACEME, 0, 0, 0));
    SAY(P(PTRACE_TRACEME, 0, 0, 0));
    fflush(stdout);
    _exit(0);
  }
  stop("traced twice", pid);
  close(ready[0]), close(ready[1]), close(go[0]), close(go[1]);
}

static void on_signal(int signal, siginfo_t *info, void *context) { word += signal + info->si_value.sival_int; }
static void signals_of(void) {
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &action, 0);
  sigaction(SIGUSR2, &action, 0);
  word = 0;
  raise(SIGUSR1);
  raise(SIGUSR2);
  raise(SIGWINCH);
  raise(SIGTERM);
  _exit(word);
}
static void signals(void) {
  printf("-- signals\n");
  pid_t pid = traced(signals_of);
  siginfo_t info;
  go(pid, 0);
  stop("usr1", pid);
  go(pid, SIGUSR1);
  stop("usr2", pid);
  SAY(P(PTRACE_GETSIGINFO, pid, 0, &info));
  printf("pid %d uid %d\n", info.si_pid == pid, info.si_uid == getuid());
  info.si_code = SI_QUEUE;
  info.si_value.sival_int = 100;
  SAY(P(PTRACE_SETSIGINFO, pid, 0, &info));
  go(pid, SIGUSR2);
  stop("winch, ignored", pid);
  go(pid, 0);
  stop("term", pid);
  go(pid, 0);
  stop("end: 10 + 12 + 100", pid);

  pid = traced(signals_of);
  go(pid, 0);
  stop("usr1", pid);
  go(pid, SIGUSR2); // another in its place
  stop("usr2", pid);
  go(pid, 0);
  stop("winch", pid);
  go(pid, SIGKILL);
  stop("end", pid);

  pid = traced(signals_of);
  go(pid, 0);
  stop("usr1", pid);
  SAY(P(PTRACE_DETACH, pid, 0, SIGTERM));
  stop("end by detach", pid);
}

static long sum(long a, long b) { return a + b; }
static void registers_of(void) {
  register double d __asm__("xmm5") = 1.5;
  long result;
  __asm__ volatile("mov $0x1234,%%rbx; mov $0x5678,%%r12; int3; mov %%rbx,%0; add %%r12,%0; cvttsd2si %1,%%r12; add %%r12,%0"
                   : "=&r"(result), "+x"(d)::"rbx", "r12");
  _exit(result == 0x6000 + 0x100 + 4);
}
static void registers(void) {
  printf("-- registers\n");
  pid_t pid = traced(registers_of);
  struct user_regs_struct regs, again;
  struct user_fpregs_struct fp, fp2;
  go(pid, 0);
  stop("int3", pid);
  SAY(P(PTRACE_GETREGS, pid, 0, &regs));
  printf("rbx %llx r12 %llx orig_rax %lld cs %llx ss %llx ds %llx\n", regs.rbx, regs.r12, regs.orig_rax, regs.cs, regs.ss, regs.ds);
  long value = 0;
  SAY(P(PTRACE_PEEKUSR, pid, offsetof(struct user_regs_struct, rbx), &value));
  printf("%lx\n", value);
  SAY(P(PTRACE_POKEUSR, pid, offsetof(struct user_regs_struct, rbx), 0x6000));
  SAY(P(PTRACE_PEEKUSR, pid, offsetof(struct user, u_debugreg[6]), &value));
  SAY(P(PTRACE_POKEUSR, pid, offsetof(struct user, u_debugreg[7]), 0));
  struct iovec iov = {&again, sizeof again};
  SAY(P(PTRACE_GETREGSET, pid, NT_PRSTATUS, &iov));
  printf("len %zu same %d\n", iov.iov_len, regs.r12 == again.r12 && again.rbx == 0x6000);
  again.r12 = 0x100;
  iov.iov_len = offsetof(struct user_regs_struct, rbp);
  SAY(P(PTRACE_SETREGSET, pid, NT_PRSTATUS, &iov)); // r15 … r12 alone
  SAY(P(PTRACE_GETREGS, pid, 0, &regs));
  printf("rbx %llx r12 %llx\n", regs.rbx, regs.r12);
  SAY(P(PTRACE_GETFPREGS, pid, 0, &fp));
  double d;
  memcpy(&d, &fp.xmm_space[5 * 4], 8);
  printf("xmm5 %g mxcsr %x cwd %x\n", d, fp.mxcsr, fp.cwd);
  d = 4;
  memcpy(&fp.xmm_space[5 * 4], &d, 8);
  SAY(P(PTRACE_SETFPREGS, pid, 0, &fp));
  iov = (struct iovec){&fp2, sizeof fp2};
  SAY(P(PTRACE_GETREGSET, pid, NT_PRFPREG, &iov));
  printf("len %zu same %d\n", iov.iov_len, !memcmp(&fp, &fp2, 416));
  fp.mxcsr = 0x80000000;
  SAY(P(PTRACE_SETFPREGS, pid, 0, &fp));
  static char xstate[65536];
  iov = (struct iovec){xstate, sizeof xstate};
  SAY(P(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &iov));
  printf("more %d whole words %d xmm5 %d x87 and sse %llx\n", iov.iov_len > 512, iov.iov_len % 8 == 0, !memcmp(xstate + 160 + 80, &d, 8),
         *(unsigned long long *)(xstate + 464) & 3);
  SAY(P(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &iov));
  memset(xstate + 520, 0xff, 8); // reserved
  SAY(P(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &iov));
  iov.iov_len = 512;
  SAY(P(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &iov));
  iov.iov_len = 64;
  SAY(P(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &iov));
  printf("len %zu\n", iov.iov_len);
  go(pid, 0);
  stop("end: 1 if all was set", pid);

  pid = traced(nothing);
  SAY(P(PTRACE_GETREGS, pid, 0, &regs));
  regs.rip = (unsigned long)sum;
  regs.rdi = 20, regs.rsi = 22;
  regs.rsp = (regs.rsp - 1024) & ~15ul;
  regs.rsp -= 8;
  regs.orig_rax = -1;
  SAY(P(PTRACE_POKEDATA, pid, regs.rsp, 0)); // returns to nowhere
  SAY(P(PTRACE_SETREGS, pid, 0, &regs));
  go(pid, 0);
  stop("function called", pid);
  SAY(P(PTRACE_GETREGS, pid, 0, &regs));
  printf("rax %lld rip %llx\n", regs.rax, regs.rip);
  ended(pid);
}

static void memory(void) {
  printf("-- memory\n");
  char *pages = mmap(0, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  static const char text[] = "read-only text of the program";
  strcpy(pages, "first page");
  memcpy(pages + 4092, "abcdefgh", 8);
  mprotect(pages + 4096, 4096, PROT_READ);
  mprotect(pages + 8192, 4096, PROT_NONE);
  char *shared = mmap(0, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t pid = traced(nothing);
  long value;
  SAY(P(PTRACE_PEEKDATA, pid, pages, &value));
  printf("%.8s\n", (char *)&value);
  SAY(P(PTRACE_PEEKTEXT, pid, pages + 4092, &value)); // across two regions
  printf("%.8s\n", (char *)&value);
  SAY(P(PTRACE_POKEDATA, pid, pages + 4092, 0x4847464544434241));
  SAY(P(PTRACE_PEEKDATA, pid, pages + 4092, &value));
  printf("%.8s %.8s\n", (char *)&value, pages + 4092);
  SAY(P(PTRACE_POKETEXT, pid, text, 0x5a5a5a5a5a5a5a5a));
  SAY(P(PTRACE_PEEKTEXT, pid, text, &value));
  printf("%.8s %.8s\n", (char *)&value, text);
  SAY(P(PTRACE_PEEKDATA, pid, pages + 8192, &value));
  SAY(P(PTRACE_POKEDATA, pid, pages + 8192, 1));
  SAY(P(PTRACE_PEEKDATA, pid, pages + 8192, &value));
  printf("%ld\n", value);
  SAY(P(PTRACE_PEEKDATA, pid, pages + 3 * 4096 - 4, &value) < 0); // may run into the next mapping
  SAY(P(PTRACE_PEEKDATA, pid, shared, &value));
  SAY(P(PTRACE_POKEDATA, pid, shared, 1));
  char name[64], buffer[16];
  sprintf(name, "/proc/%d/mem", pid);
  int fd = open(name, O_RDWR);
  SAY(fd >= 0);
  SAY(pread(fd, buffer, 11, (off_t)(uintptr_t)pages));
  printf("%s\n", buffer);
  SAY(pwrite(fd, "by file", 8, (off_t)(uintptr_t)text));
  SAY(pread(fd, buffer, 8, (off_t)(uintptr_t)text));
  printf("%s\n", buffer);
  SAY(lseek(fd, (off_t)(uintptr_t)pages, SEEK_SET) == (off_t)(uintptr_t)pages);
  SAY(read(fd, buffer, 6));
  SAY(read(fd, buffer, 5));
  printf("%.5s\n", buffer);
  SAY(pread(fd, buffer, 8, 4096));
  SAY(pwrite(fd, buffer, 8, (off_t)(uintptr_t)shared));
  SAY(pread(fd, buffer, 0, 0));
  ended(pid);
  SAY(pread(fd, buffer, 8, (off_t)(uintptr_t)pages));
  close(fd);
  fd = open("/proc/self/mem", O_RDWR);
  SAY(pwrite(fd, "own", 4, (off_t)(uintptr_t)text));
  printf("%s\n", text);
  close(fd);
}

static void calls_of(void) {
  syscall(SYS_getppid);
  syscall(SYS_write, -1, "x", 1);
  syscall(SYS_getuid);
  _exit(syscall(SYS_getppid) == 4242 ? 1 : 2);
}
static void syscall_info(pid_t pid) {
  struct ptrace_syscall_info info;
  memset(&info, 0x55, sizeof info);
  long n = P(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info);
  printf("  info %ld op %d arch %x", n, info.op, info.arch);
  if (info.op == PTRACE_SYSCALL_INFO_ENTRY) printf(" nr %lld arg1 %lld", info.entry.nr, info.entry.nr == SYS_write ? info.entry.args[2] : 0);
  if (info.op == PTRACE_SYSCALL_INFO_EXIT) printf(" rval %d error %d", info.exit.is_error ? (int)info.exit.rval : 0, info.exit.is_error);
  printf(" sp %d\n", info.stack_pointer != 0);
}
static void calls(void) {
  printf("-- calls\n");
  pid_t pid = traced(calls_of);
  struct user_regs_struct regs;
  SAY(P(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD));
  syscall_info(pid);
  SAY(P(PTRACE_SYSCALL, pid, 0, 0));
  stop("end of the kill that stopped it", pid);
  for (int i = 0; i < 2; i++) {
    SAY(P(PTRACE_SYSCALL, pid, 0, 0));
    stop("call", pid);
    SAY(P(PTRACE_GETREGS, pid, 0, &regs));
    printf("orig_rax %lld rax %lld\n", regs.orig_rax, regs.rax < 0x8000000000000000 ? 0 : (long long)regs.rax);
    syscall_info(pid);
  }
  SAY(P(PTRACE_SYSCALL, pid, 0, 0));
  stop("write", pid);
  syscall_info(pid);
  regs.orig_rax = 0;
  SAY(P(PTRACE_GETREGS, pid, 0, &regs));
  regs.orig_rax = -1; // no call at all
  regs.rax = -77;
  SAY(P(PTRACE_SETREGS, pid, 0, &regs));
  SAY(P(PTRACE_SYSCALL, pid, 0, 0));
  stop("not written", pid);
  SAY(P(PTRACE_GETREGS, pid, 0, &regs));
  printf("orig_rax %lld rax %lld\n", regs.orig_rax, (long long)regs.rax);
  syscall_info(pid);
  SAY(P(PTRACE_SYSCALL, pid, 0, 0));
  stop("getuid", pid);
  SAY(P(PTRACE_POKEUSR, pid, offsetof(struct user_regs_struct, orig_rax), SYS_getpid)); // another call
  SAY(P(PTRACE_SYSCALL, pid, 0, 0));
  stop("getpid", pid);
  SAY(P(PTRACE_GETREGS, pid, 0, &regs));
  printf("pid %d\n", regs.rax == (unsigned long)pid);
  SAY(P(PTRACE_SYSCALL, pid, 0, 0));
  stop("getppid", pid);
  SAY(P(PTRACE_SYSCALL, pid, 0, 0));
  stop("getppid", pid);
  SAY(P(PTRACE_POKEUSR, pid, offsetof(struct user_regs_struct, rax), 4242)); // another result
  SAY(P(PTRACE_SYSCALL, pid, 0, SIGWINCH)); // and a signal
  stop("winch", pid);
  SAY(P(PTRACE_SYSCALL, pid, 0, 0));
  stop("exit", pid);
  go(pid, 0);
  stop("end: 1", pid);
}

static int pipe_of[2];
static void interrupted_of(void) {
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
  char c;
  sigaction(SIGUSR1, &action, 0);
  long n = read(pipe_of[0], &c, 1);
  _exit(n == 1 ? 3 : errno == EINTR ? 4 : 5);
}
static void interrupted(void) {
  printf("-- interrupted calls\n");
  struct user_regs_struct regs;
  for (int round = 0; round < 4; round++) {
    pipe(pipe_of);
    pid_t pid = traced(interrupted_of);
    SAY(P(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD));
    do { // up to the read
      P(PTRACE_SYSCALL, pid, 0, 0);
      waitpid(pid, &status, __WALL);
      P(PTRACE_GETREGS, pid, 0, &regs);
    } while (regs.orig_rax != SYS_read);
    SAY(P(PTRACE_SYSCALL, pid, 0, 0));
    kill(pid, SIGUSR1);
    stop("end of read", pid);
    P(PTRACE_GETREGS, pid, 0, &regs);
    printf("rax %lld\n", (long long)regs.rax);
    SAY(P(PTRACE_SYSCALL, pid, 0, 0));
    stop("usr1", pid);
    P(PTRACE_GETREGS, pid, 0, &regs);
    printf("rax %lld orig_rax %lld\n", (long long)regs.rax, regs.orig_rax);
    if (round == 2) {
      regs.rax = -EINTR; // so that it isn't restarted
      SAY(P(PTRACE_SETREGS, pid, 0, &regs));
    }
    if (round == 3) {
      regs.orig_rax = -1, regs.rax = 1;
      SAY(P(PTRACE_SETREGS, pid, 0, &regs));
    }
    write(pipe_of[1], "x", 1);
    go(pid, round == 0 ? SIGUSR1 : 0);
    stop(round == 0 || round == 2 ? "end: EINTR" : "end: read", pid);
    close(pipe_of[0]), close(pipe_of[1]);
  }
}

static void steps_of(void) {
  __asm__ volatile("nop; nop; int3; nop; mov $39,%%eax; syscall; nop; nop; ud2" ::: "rax", "rcx", "r11");
}
static void steps(void) {
  printf("-- single steps\n");
  struct user_regs_struct regs;
  pid_t pid = traced(steps_of);
  unsigned long last;
  go(pid, 0);
  stop("int3", pid);
  P(PTRACE_GETREGS, pid, 0, &regs);
  last = regs.rip;
  for (int i = 0; i < 5; i++) {
    SAY(P(PTRACE_SINGLESTEP, pid, 0, 0));
    stop("step", pid);
    P(PTRACE_GETREGS, pid, 0, &regs);
    printf("%+ld tf %d\n", regs.rip - last, (int)(regs.eflags >> 8 & 1));
    last = regs.rip;
  }
  SAY(P(PTRACE_SINGLESTEP, pid, 0, 0));
  stop("ud2", pid);
  ended(pid);

  pid = traced(signals_of);
  go(pid, 0);
  stop("usr1", pid);
  SAY(P(PTRACE_SINGLESTEP, pid, 0, SIGUSR1));
  stop("in the handler", pid);
  P(PTRACE_GETREGS, pid, 0, &regs);
  printf("at its first instruction %d signal %lld\n", regs.rip == (unsigned long)on_signal, regs.rdi);
  long insn = peek(pid, (void *)on_signal);
  SAY(P(PTRACE_POKETEXT, pid, on_signal, (insn & ~0xfful) | 0xcc)); // a breakpoint under it
  SAY(P(PTRACE_SINGLESTEP, pid, 0, 0));
  stop("breakpoint", pid);
  P(PTRACE_GETREGS, pid, 0, &regs);
  printf("behind it %d\n", regs.rip == (unsigned long)on_signal + 1);
  SAY(P(PTRACE_POKETEXT, pid, on_signal, insn));
  regs.rip--;
  SAY(P(PTRACE_SETREGS, pid, 0, &regs));
  go(pid, 0);
  stop("usr2", pid);
  ended(pid);
}

static void *thread_of(void *argument) { syscall(SYS_exit, 5); return argument; }
static void family_of(void) {
  char stack[65536] __attribute__((aligned(16)));
  pid_t pid = fork();
  if (pid == 0) _exit(11);
  waitpid(pid, 0, 0);
  pid = vfork();
  if (pid == 0) _exit(12);
  waitpid(pid, 0, 0);
  pthread_t thread;
  pthread_create(&thread, 0, thread_of, 0);
  pthread_join(thread, 0);
  execl("/bin/true", "true", (char *)0);
}
/* All that happens to a family, in an order that doesn't depend on who is scheduled when: each thread's own history. */
static struct { pid_t pid; char text[4096]; } members[16];
static char *history(pid_t pid) {
  for (int i = 0; i < 16; i++) {
    if (members[i].pid == 0) members[i].pid = pid;
    if (members[i].pid == pid) return members[i].text + strlen(members[i].text);
  }
  abort();
}
static int index_of(pid_t pid) {
  for (int i = 0; i < 16; i++)
    if (members[i].pid == pid) return i;
  return -1;
}
static void follow(long options) {
  memset(members, 0, sizeof members);
  pid_t pid, first = traced(family_of);
  history(first);
  SAY(P(PTRACE_SETOPTIONS, first, 0, options));
  SAY(P(PTRACE_CONT, first, 0, 0));
  while ((pid = waitpid(-1, &status, __WALL)) > 0) {
    unsigned long message = 0;
    if (WIFEXITED(status)) sprintf(history(pid), " exited %d", WEXITSTATUS(status));
    else if (WIFSIGNALED(status)) sprintf(history(pid), " killed %d", WTERMSIG(status));
    else {
      int event = status >> 16;
      if (event) P(PTRACE_GETEVENTMSG, pid, 0, &message);
      if (event == PTRACE_EVENT_EXIT) sprintf(history(pid), " exit %lx;", message);
      else if (event) sprintf(history(pid), " event %d;", event);
      else sprintf(history(pid), " signal %d;", WSTOPSIG(status));
      if (event && event < PTRACE_EVENT_EXIT && event != PTRACE_EVENT_EXEC) history(message);
      SAY(P(PTRACE_CONT, pid, 0, WSTOPSIG(status) == SIGTRAP || WSTOPSIG(status) == SIGSTOP || event ? 0 : (long)WSTOPSIG(status)) < 0);
    }
  }
  for (int i = 0; i < 16 && members[i].pid; i++) printf("member %d:%s\n", i, members[i].text);
}
static void families(void) {
  printf("-- families\n");
  follow(0);
  follow(PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEVFORKDONE | PTRACE_O_TRACEEXIT);
}

static void sleep_of(void) { for (;;) pause(); }
static void groups(void) {
  printf("-- group stops\n");
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) sleep_of();
  SAY(P(PTRACE_SEIZE, pid, 0, 0));
  SAY(waitpid(pid, &status, WNOHANG | __WALL));
  kill(pid, SIGSTOP);
  stop("signal", pid);
  go(pid, SIGSTOP);
  stop("group", pid);
  SAY(P(PTRACE_LISTEN, pid, 0, 0));
  SAY(P(PTRACE_GETREGS, pid, 0, &word));
  SAY(waitpid(pid, &status, WNOHANG | __WALL));
  kill(pid, SIGCONT);
  stop("continued", pid);
  go(pid, 0);
  stop("cont", pid);
  SAY(P(PTRACE_LISTEN, pid, 0, 0));
  go(pid, 0);
  SAY(P(PTRACE_INTERRUPT, pid, 0, 0));
  stop("interrupted", pid);
  SAY(P(PTRACE_DETACH, pid, 0, 0));
  kill(pid, SIGTERM);
  stop("end", pid);

  pid = traced(sleep_of);
  go(pid, SIGSTOP);
  stop("group, not seized", pid);
  SAY(P(PTRACE_INTERRUPT, pid, 0, 0));
  SAY(P(PTRACE_LISTEN, pid, 0, 0));
  go(pid, 0);
  kill(pid, SIGTSTP);
  stop("tstp", pid);
  SAY(P(PTRACE_DETACH, pid, 0, SIGSTOP));
  SAY(waitpid(pid, &status, WUNTRACED) == pid);
  printf("stopped %d by %d\n", WIFSTOPPED(status), WSTOPSIG(status));
  SAY(P(PTRACE_ATTACH, pid, 0, 0)); // a stopped one
  stop("attached", pid);
  ended(pid);

  pid = fork();
  if (pid == 0) sleep_of();
  SAY(P(PTRACE_ATTACH, pid, 0, 0));
  stop("attached", pid);
  char path[64], line[128];
  sprintf(path, "/proc/%d/status", pid);
  FILE *f = fopen(path, "r");
  while (fgets(line, sizeof line, f)) {
    if (!strncmp(line, "State", 5)) printf("%s", line);
    if (!strncmp(line, "TracerPid", 9)) printf("tracer %d\n", atoi(line + 10) == getpid());
  }
  fclose(f);
  siginfo_t info = {0};
  kill(pid, SIGWINCH);
  SAY(waitid(P_PID, pid, &info, WSTOPPED | WNOHANG | __WALL));
  printf("%d\n", info.si_pid);
  go(pid, 0);
  SAY(waitid(P_PID, pid, &info, WSTOPPED | __WALL | WNOWAIT));
  printf("code %d status %d\n", info.si_code, info.si_status);
  stop("again", pid);
  ended(pid);
}

static void pending(void) {
  printf("-- masks and pending signals\n");
  pid_t pid = traced(nothing);
  uint64_t mask = 0, old;
  SAY(P(PTRACE_GETSIGMASK, pid, 8, &old));
  printf("%llx\n", (unsigned long long)old);
  mask = ~0ull;
  SAY(P(PTRACE_SETSIGMASK, pid, 8, &mask));
  SAY(P(PTRACE_GETSIGMASK, pid, 8, &old));
  printf("%llx\n", (unsigned long long)old);
  for (int i = 0; i < 3; i++) sigqueue(pid, SIGRTMIN + i, (union sigval){.sival_int = 70 + i});
  syscall(SYS_tgkill, pid, pid, SIGUSR2);
  siginfo_t infos[4];
  struct ptrace_peeksiginfo_args args = {1, PTRACE_PEEKSIGINFO_SHARED, 4};
  SAY(P(PTRACE_PEEKSIGINFO, pid, &args, infos));
  printf("%d %d\n", infos[0].si_value.sival_int, infos[1].si_value.sival_int);
  args = (struct ptrace_peeksiginfo_args){0, 0, 4};
  SAY(P(PTRACE_PEEKSIGINFO, pid, &args, infos));
  printf("%d\n", infos[0].si_signo);
  args.off = 9;
  SAY(P(PTRACE_PEEKSIGINFO, pid, &args, infos));
  go(pid, 0);
  stop("all blocked: end", pid);
}

/* The tracer ends. */
static void leaving(void) {
  printf("-- tracers that end\n");
  for (int kill_too = 0; kill_too < 2; kill_too++) {
    int go[2];
    pipe(go);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
      char c;
      read(go[0], &c, 1);
      _exit(8);
    }
    pid_t tracer = fork();
    if (tracer == 0) {
      SAY(P(PTRACE_SEIZE, pid, 0, kill_too ? PTRACE_O_EXITKILL : 0));
      SAY(P(PTRACE_INTERRUPT, pid, 0, 0));
      waitpid(pid, &status, __WALL);
      fflush(stdout);
      _exit(0);
    }
    waitpid(tracer, 0, 0);
    if (!kill_too) write(go[1], "x", 1);
    stop("its end", pid);
    close(go[0]), close(go[1]);
  }
  int ready[2], go[2];
  char c;
  pipe(ready), pipe(go);
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    read(go[0], &c, 1);
    _exit(9);
  }
  pid_t tracer = fork();
  if (tracer == 0) {
    P(PTRACE_SEIZE, pid, 0, 0);
    write(ready[1], "x", 1);
    stop("the tracer sees", pid);
    fflush(stdout);
    _exit(0);
  }
  read(ready[0], &c, 1);
  write(go[1], "x", 1); // it is a zombie for the tracer first
  waitpid(tracer, 0, 0);
  stop("then the parent", pid);
  close(ready[0]), close(ready[1]), close(go[0]), close(go[1]);
}

int main(void) {
  errors();
  other_user();
  signals();
  registers();
  memory();
  calls();
  interrupted();
  steps();
  families();
  groups();
  pending();
  leaving();
}
