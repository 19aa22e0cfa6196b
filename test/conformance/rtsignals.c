// Queued signals: values, order, limits, sigtimedwait, signalfd, the kernel's own codes, what may be forged, and every refusal.
#define _GNU_SOURCE
#include "report.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

static volatile int n;
static struct { int signo, code, value, self, tid; } log_[256];
static void note(int signo, siginfo_t *i, void *u) {
  log_[n].signo = signo, log_[n].code = i->si_code, log_[n].value = i->si_value.sival_int, log_[n].self = i->si_pid == getpid();
  log_[n++ % 256].tid = gettid();
}
static void print(const char *name) {
  printf("%s:", name);
  for (int i = 0; i < n; i++) {
    int s = log_[i].signo;
    printf(s >= SIGRTMIN ? " rt%d" : " %d", s >= SIGRTMIN ? s - SIGRTMIN : s);
    printf("/%d=%d%s", log_[i].code, log_[i].value, log_[i].self ? "" : "!");
  }
  printf("\n");
  n = 0;
}
static sigset_t all, some;
static void block(void) { sigprocmask(SIG_BLOCK, &all, 0); }
static void unblock(void) { sigprocmask(SIG_UNBLOCK, &all, 0); }
static long queueinfo(pid_t pid, int signo, siginfo_t *i) { return syscall(SYS_rt_sigqueueinfo, pid, signo, i); }
static long tgqueueinfo(pid_t pid, pid_t tid, int signo, siginfo_t *i) { return syscall(SYS_rt_tgsigqueueinfo, pid, tid, signo, i); }
static union sigval val(int v) { return (union sigval){.sival_int = v}; }

static void order(void) {
  block();
  for (int i = 0; i < 3; i++) sigqueue(getpid(), SIGRTMIN + 2, val(i)), sigqueue(getpid(), SIGRTMIN + 1, val(10 + i));
  kill(getpid(), SIGUSR2), kill(getpid(), SIGUSR1), kill(getpid(), SIGUSR1);
  sigqueue(getpid(), SIGUSR2, val(5));
  tgkill(getpid(), gettid(), SIGRTMIN + 1);
  unblock();
  print("order"); // handlers nest: last pushed runs first
  for (int s = SIGRTMIN; s <= SIGRTMIN + 4; s++) {
    struct sigaction sa = {.sa_sigaction = note, .sa_flags = SA_SIGINFO, .sa_mask = all};
    sigaction(s, &sa, 0);
  }
  block();
  for (int i = 0; i < 3; i++) sigqueue(getpid(), SIGRTMIN + 2, val(i)), sigqueue(getpid(), SIGRTMIN + 1, val(10 + i));
  unblock();
  print("order, all masked");
  block();
  tgkill(getpid(), gettid(), SIGRTMIN + 3), kill(getpid(), SIGRTMIN);
  unblock();
  print("thread's before process's");
}

static void refusals(void) {
  siginfo_t i = {.si_code = SI_QUEUE};
  SAY(sigqueue(getpid(), 65, val(0)));
  SAY(sigqueue(getpid(), -1, val(0)));
  SAY(sigqueue(getpid(), 0, val(0)));
  SAY(sigqueue(99999999, SIGUSR1, val(0)));
  SAY(queueinfo(getpid(), SIGUSR1, (void *)16));
  i.si_code = SI_USER;
  SAY(queueinfo(getppid(), 0, &i));
  i.si_code = SI_TKILL;
  SAY(queueinfo(getppid(), 0, &i));
  SAY(queueinfo(getpid(), 0, &i));
  i.si_code = SI_QUEUE;
  SAY(tgqueueinfo(getpid(), 0, SIGUSR1, &i));
  SAY(tgqueueinfo(0, gettid(), SIGUSR1, &i));
  SAY(tgqueueinfo(getpid(), 99999999, SIGUSR1, &i));
  SAY(tgqueueinfo(getppid(), gettid(), SIGUSR1, &i));
  SAY(tgqueueinfo(getpid(), gettid(), 65, &i));
  SAY(tgqueueinfo(getpid(), gettid(), 0, &i));
  SAY(tgkill(getpid(), -1, 0));
  SAY(tgkill(-1, gettid(), 0));
  SAY(tgkill(getpid(), gettid(), 65));
  SAY(tgkill(getppid(), gettid(), 0));
  SAY(syscall(SYS_tkill, 0, 0));
  SAY(syscall(SYS_tkill, gettid(), 65));
  SAY(syscall(SYS_tkill, 99999999, 0));
  SAY(kill(99999999, 0));
  SAY(kill(-99999999, 0));
  SAY(kill(getpid(), 65));
  SAY(kill(getpid(), -1));
  SAY(kill(0x80000000, 0));
  SAY(kill(0, 0));
  SAY(kill(getpid(), 0));
  SAY(sigaction(0, 0, 0));
  SAY(sigaction(65, 0, 0));
  SAY(sigaction(SIGKILL, 0, &(struct sigaction){}));
  SAY(signal(SIGKILL, SIG_IGN) == SIG_ERR ? -1 : 0);
  SAY(signal(SIGSTOP, SIG_IGN) == SIG_ERR ? -1 : 0);
  SAY(syscall(SYS_rt_sigaction, SIGUSR1, 0, 0, 4));
  SAY(syscall(SYS_rt_sigaction, SIGUSR1, 16, 0, 8));
  SAY(syscall(SYS_rt_sigaction, SIGUSR1, 0, 16, 8));
  SAY(syscall(SYS_rt_sigprocmask, 9, &all, 0, 8));
  SAY(syscall(SYS_rt_sigprocmask, 9, 0, &some, 8));
  SAY(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, 0, 4));
  SAY(syscall(SYS_rt_sigprocmask, SIG_BLOCK, 16, 0, 8));
  SAY(syscall(SYS_rt_sigprocmask, SIG_BLOCK, 0, 16, 8));
  SAY(syscall(SYS_rt_sigpending, &some, 16));
  SAY(syscall(SYS_rt_sigpending, 16, 8));
  SAY(syscall(SYS_rt_sigsuspend, &some, 4));
  SAY(syscall(SYS_rt_sigsuspend, 16, 8));
  SAY(syscall(SYS_rt_sigtimedwait, &some, 0, 0, 4));
  SAY(syscall(SYS_rt_sigtimedwait, 16, 0, 0, 8));
  SAY(syscall(SYS_rt_sigtimedwait, &some, 0, 16, 8));
}

static void forged(void) {
  siginfo_t i = {0};
  block();
  i.si_code = SI_USER, i.si_pid = 77, i.si_uid = 88, i.si_value.sival_int = 99;
  SAY(queueinfo(getpid(), SIGRTMIN, &i)); // to oneself anything goes
  i.si_code = SI_TIMER;
  SAY(tgqueueinfo(getpid(), gettid(), SIGRTMIN + 1, &i));
  i.si_code = -42;
  SAY(queueinfo(getpid(), SIGUSR1, &i));
  unblock();
  print("forged");
}

static void limit(void) {
  struct rlimit old, few;
  int queued = 0;
  getrlimit(RLIMIT_SIGPENDING, &old);
  few = old, few.rlim_cur = 5;
  pid_t pid = fork(); // a user of its own, so that nobody else's signals count
  if (pid == 0) {
    if (setresuid(54321, 54321, 54321)) {}
    setrlimit(RLIMIT_SIGPENDING, &few);
    block();
    while (queued < 100 && sigqueue(getpid(), SIGRTMIN, val(queued)) == 0) queued++;
    say("queue full", -1);
    printf("queued %d\n", queued);
    SAY(sigqueue(getpid(), SIGUSR1, val(1)));
    SAY(kill(getpid(), SIGRTMIN + 1)); // loses its details, not itself
    SAY(kill(getpid(), SIGUSR2));
    SAY(raise(SIGRTMIN + 2));
    sigset_t p;
    sigpending(&p);
    printf("pending %d %d %d\n", sigismember(&p, SIGRTMIN), sigismember(&p, SIGRTMIN + 1), sigismember(&p, SIGUSR2));
    unblock();
    for (int k = 0; k < n; k++)
      if (log_[k].signo != SIGRTMIN) printf("without details: %d/%d\n", log_[k].signo >= SIGRTMIN, log_[k].code);
    printf("delivered %d\n", n);
    _exit(0);
  }
  waitpid(pid, 0, 0);
}

static void timedwait(void) {
  siginfo_t i;
  struct timespec none = {0, 0}, little = {0, 20000000}, bad = {0, -1};
  sigset_t set;
  sigemptyset(&set), sigaddset(&set, SIGRTMIN), sigaddset(&set, SIGUSR1);
  block();
  SAY(sigtimedwait(&set, &i, &none));
  SAY(sigtimedwait(&set, &i, &little));
  SAY(sigtimedwait(&set, &i, &bad));
  sigqueue(getpid(), SIGRTMIN, val(3)), sigqueue(getpid(), SIGRTMIN, val(4)), kill(getpid(), SIGUSR1);
  for (int k = 0; k < 3; k++) {
    int s = sigwaitinfo(&set, &i);
    printf("took %s, code %d, value %d\n", s == SIGUSR1 ? "USR1" : "rt", i.si_code, s == SIGUSR1 ? 0 : i.si_value.sival_int);
  }
  sigset_t other = all;
  sigdelset(&other, SIGALRM), sigprocmask(SIG_SETMASK, &other, 0);
  ualarm(20000, 0);
  SAY(sigwaitinfo(&set, &i)); // a handler for another one ends it
  SAY(n);
  n = 0;
  unblock();
  struct itimerval it = {{0, 0}, {0, 10000}};
  sigemptyset(&set), sigaddset(&set, SIGALRM);
  block();
  setitimer(ITIMER_REAL, &it, 0);
  int s = sigwaitinfo(&set, &i);
  printf("timer: %d, code %d\n", s == SIGALRM, i.si_code);
  pid_t pid = fork();
  if (pid == 0) sigqueue(getppid(), SIGRTMIN, val(123)), _exit(0);
  sigemptyset(&set), sigaddset(&set, SIGRTMIN);
  s = sigwaitinfo(&set, &i);
  printf("from a child: %d, %d, %d, %d, %d\n", s == SIGRTMIN, i.si_code, i.si_pid == pid, i.si_uid == getuid(), i.si_value.sival_int);
  waitpid(pid, 0, 0);
  unblock();
  n = 0;
}

static void fds(void) {
  sigset_t set;
  struct signalfd_siginfo s;
  sigemptyset(&set), sigaddset(&set, SIGRTMIN), sigaddset(&set, SIGUSR1), sigaddset(&set, SIGCHLD), sigaddset(&set, SIGKILL);
  SAY(signalfd(99, &set, 0));
  SAY(signalfd(0, &set, 0));
  SAY(signalfd(-1, &set, 1));
  SAY(syscall(SYS_signalfd4, -1, &set, 4, 0));
  SAY(syscall(SYS_signalfd4, -1, 16, 8, 0));
  block();
  int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  struct pollfd p = {fd, POLLIN};
  SAY(read(fd, &s, sizeof s));
  SAY(read(fd, &s, sizeof s - 1));
  SAY(poll(&p, 1, 0));
  sigqueue(getpid(), SIGRTMIN, val(55)), sigqueue(getpid(), SIGRTMIN, val(56));
  SAY(poll(&p, 1, 0));
  SAY(read(fd, &s, sizeof s));
  printf("%d code %d int %d pid %d uid %d\n", s.ssi_signo == SIGRTMIN, s.ssi_code, s.ssi_int, s.ssi_pid == getpid(), s.ssi_uid == getuid());
  struct signalfd_siginfo two[2];
  SAY(read(fd, two, sizeof two));
  pid_t pid = fork();
  if (pid == 0) _exit(3);
  while (read(fd, &s, sizeof s) < 0) nap(1);
  printf("child: %d code %d status %d pid %d\n", s.ssi_signo == SIGCHLD, s.ssi_code, s.ssi_status, s.ssi_pid == pid);
  waitpid(pid, 0, 0);
  sigdelset(&set, SIGUSR1);
  printf("changed %d\n", signalfd(fd, &set, 0) == fd);
  kill(getpid(), SIGUSR1);
  SAY(poll(&p, 1, 0));
  SAY(write(fd, &s, sizeof s));
  SAY(lseek(fd, 0, SEEK_SET));
  close(fd);
  unblock();
  n = 0;
}

int main(void) {
  struct sigaction sa = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
  sigemptyset(&all), sigaddset(&all, SIGUSR1), sigaddset(&all, SIGUSR2), sigaddset(&all, SIGCHLD), sigaddset(&all, SIGALRM);
  for (int s = SIGRTMIN; s <= SIGRTMIN + 4; s++) sigaddset(&all, s), sigaction(s, &sa, 0);
  sigaction(SIGUSR1, &sa, 0), sigaction(SIGUSR2, &sa, 0), sigaction(SIGALRM, &sa, 0);
  sigemptyset(&some);
  order();
  refusals();
  forged();
  limit();
  timedwait();
  fds();
  return 0;
}
