// Signals: delivery, masks, restart rules, alternate stack, siginfo, frames that survive registers and floating point.
#define _GNU_SOURCE
#include <errno.h>
#include <fenv.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static volatile int count, last, code;
static volatile void *address;
static void handler(int s) { count++; last = s; }
static void info(int s, siginfo_t *i, void *u) { (void)u; count++; last = s; code = i->si_code; address = i->si_addr; }
static void set(int s, void (*h)(int), int flags) {
  struct sigaction a = {.sa_handler = h, .sa_flags = flags};
  sigaction(s, &a, NULL);
}
static void set_info(int s, void (*h)(int, siginfo_t *, void *), int flags) {
  struct sigaction a = {.sa_sigaction = h, .sa_flags = flags | SA_SIGINFO};
  sigaction(s, &a, NULL);
}
static sigjmp_buf back;
static void jump(int s) { (void)s; siglongjmp(back, 1); }
static void skip(int s, siginfo_t *i, void *u) { info(s, i, u); ((ucontext_t *)u)->uc_mcontext.gregs[REG_RIP] += 2; }
static char alt[65536];
static volatile int on_alt;
static void where(int s) { char c; (void)s; on_alt = &c >= alt && &c < alt + sizeof alt; }
static int order[8], ordered;
static void queue(int s, siginfo_t *i, void *u) { (void)s; (void)u; order[ordered++ & 7] = i->si_value.sival_int; }
static void spoil(int s) { volatile double d = 1; (void)s; for (int i = 0; i < 20; i++) d = d * 1.5 + 2; fesetround(FE_UPWARD); }

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  sigset_t m, old, pending;
  set(SIGUSR1, handler, 0);
  raise(SIGUSR1);
  printf("raise: %d %d\n", count, last == SIGUSR1);

  sigemptyset(&m);
  sigaddset(&m, SIGUSR1);
  sigprocmask(SIG_BLOCK, &m, &old);
  raise(SIGUSR1);
  raise(SIGUSR1);
  sigpending(&pending);
  printf("blocked: %d pending %d\n", count, sigismember(&pending, SIGUSR1));
  sigprocmask(SIG_SETMASK, &old, NULL);
  printf("unblocked: %d (coalesced)\n", count);

  set_info(SIGSEGV, info, SA_RESETHAND);
  if (sigsetjmp(back, 1) == 0) {
    set(SIGSEGV, jump, SA_NODEFER);
    *(volatile int *)16 = 1;
  } else puts("siglongjmp out of SIGSEGV");
  set_info(SIGILL, skip, 0);
  __asm__ volatile("ud2");
  printf("SIGILL skipped: code %d, address in text %d\n", code, address != NULL);
  set_info(SIGFPE, skip, 0);
  __asm__ volatile("xor %%edx,%%edx; mov $1,%%eax; xor %%ecx,%%ecx; div %%ecx" : : : "eax", "ecx", "edx");
  printf("SIGFPE code %d\n", code);
  char *page = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (sigsetjmp(back, 1) == 0) {
    set(SIGSEGV, jump, 0);
    page[5] = 1;
  } else puts("write to read-only memory");
  set_info(SIGSEGV, info, SA_RESETHAND);

  stack_t ss = {.ss_sp = alt, .ss_size = sizeof alt}, got;
  printf("sigaltstack %d\n", sigaltstack(&ss, NULL));
  set(SIGUSR2, where, SA_ONSTACK);
  raise(SIGUSR2);
  sigaltstack(NULL, &got);
  printf("on alternate stack %d, flags %d size %d\n", on_alt, got.ss_flags, (int)got.ss_size);

  int fds[2];
  char c;
  pipe(fds);
  struct itimerval soon = {{0, 0}, {0, 30000}}, none = {{0, 0}, {0, 0}};
  set(SIGALRM, handler, 0);
  setitimer(ITIMER_REAL, &soon, NULL);
  int r = read(fds[0], &c, 1);
  printf("read without SA_RESTART: %d %s\n", r, strerror(errno));
  set(SIGALRM, handler, SA_RESTART);
  pid_t child = fork();
  if (child == 0) {
    usleep(120000);
    write(fds[1], "x", 1);
    _exit(0);
  }
  setitimer(ITIMER_REAL, &soon, NULL);
  count = 0;
  r = read(fds[0], &c, 1);
  printf("read with SA_RESTART: %d %c, handled %d\n", r, c, count);
  waitpid(child, NULL, 0);
  setitimer(ITIMER_REAL, &none, NULL);

  struct timespec ts = {0, 500000000}, rem = {9, 9};
  setitimer(ITIMER_REAL, &soon, NULL);
  r = nanosleep(&ts, &rem);
  printf("nanosleep: %d %s, rest below half a second %d\n", r, strerror(errno), rem.tv_sec == 0 && rem.tv_nsec > 0 && rem.tv_nsec < 500000000);

  setitimer(ITIMER_REAL, &soon, NULL);
  sigemptyset(&m);
  sigaddset(&m, SIGALRM);
  sigprocmask(SIG_BLOCK, &m, NULL);
  siginfo_t si;
  r = sigwaitinfo(&m, &si);
  printf("sigwaitinfo: %d code %d\n", r == SIGALRM, si.si_code == SI_KERNEL);
  setitimer(ITIMER_REAL, &soon, NULL);
  count = 0;
  sigemptyset(&m);
  r = sigsuspend(&m);
  sigprocmask(SIG_BLOCK, NULL, &old);
  printf("sigsuspend: %d %s handled %d, blocked again %d\n", r, strerror(errno), count, sigismember(&old, SIGALRM));

  set_info(SIGRTMIN + 1, queue, 0);
  sigemptyset(&m);
  sigaddset(&m, SIGRTMIN + 1);
  sigprocmask(SIG_BLOCK, &m, &old);
  for (int i = 1; i <= 4; i++) sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = i});
  sigprocmask(SIG_SETMASK, &old, NULL);
  printf("queued: %d: %d %d %d %d\n", ordered, order[0], order[1], order[2], order[3]);

  set(SIGUSR1, spoil, 0);
  volatile double a = 1.25;
  double x = a * 3.5;
  fesetround(FE_TONEAREST);
  raise(SIGUSR1);
  printf("floating point survives: %f %d\n", x * a, fegetround() == FE_TONEAREST);

  int status;
  static const int deadly[] = {SIGTERM, SIGKILL, SIGABRT, SIGPIPE, SIGSEGV, SIGXCPU};
  for (unsigned i = 0; i < sizeof deadly / sizeof *deadly; i++) {
    if ((child = fork()) == 0) {
      struct sigaction d = {.sa_handler = SIG_DFL};
      sigaction(deadly[i], &d, NULL);
      raise(deadly[i]);
      _exit(1);
    }
    waitpid(child, &status, 0);
    printf("killed by %d: %d %d\n", deadly[i], WIFSIGNALED(status), WTERMSIG(status));
  }
  if ((child = fork()) == 0)
    for (;;) pause();
  kill(child, SIGSTOP);
  waitpid(child, &status, WUNTRACED);
  printf("stopped %d by %d\n", WIFSTOPPED(status), WSTOPSIG(status));
  kill(child, SIGCONT);
  waitpid(child, &status, WCONTINUED);
  printf("continued %d\n", WIFCONTINUED(status));
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  printf("then killed %d\n", WTERMSIG(status));
  printf("kill errors: %d %d\n", kill(999999, 0) < 0 ? errno : 0, kill(getpid(), 99) < 0 ? errno : 0);
  return 0;
}
