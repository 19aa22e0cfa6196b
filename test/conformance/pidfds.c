// Process descriptors: making them, waiting and polling, signals, other processes' files, refusals.
#define _GNU_SOURCE
#include "report.h"
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static long pidfd_open_(pid_t pid, unsigned flags) { return syscall(SYS_pidfd_open, pid, flags); }
static long send_(int fd, int signo, siginfo_t *i, unsigned flags) { return syscall(SYS_pidfd_send_signal, fd, signo, i, flags); }
static long getfd(int fd, int target, unsigned flags) { return syscall(SYS_pidfd_getfd, fd, target, flags); }
static pid_t sleeper(void) {
  pid_t pid = fork();
  if (pid == 0) for (;;) pause();
  return pid;
}
static int polled(int fd, int ms) {
  struct pollfd p = {fd, POLLIN};
  int n = poll(&p, 1, ms);
  return n * 1000 + (p.revents & POLLIN);
}

static void opening(void) {
  char link[64], path[64];
  struct stat a, b;
  pid_t pid = sleeper();
  SAY(pidfd_open_(0, 0));
  SAY(pidfd_open_(-1, 0));
  SAY(pidfd_open_(99999999, 0));
  SAY(pidfd_open_(pid, 1));
  int fd = pidfd_open_(pid, 0), other = pidfd_open_(pid, O_NONBLOCK);
  printf("open %d, close-on-exec %d, flags %x %x\n", fd >= 0, fcntl(fd, F_GETFD), fcntl(fd, F_GETFL) & ~O_LARGEFILE, fcntl(other, F_GETFL) & ~O_LARGEFILE);
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  link[readlink(path, link, sizeof link - 1)] = 0;
  printf("link %s\n", link);
  fstat(fd, &a), fstat(other, &b);
  printf("same file %d\n", a.st_ino == b.st_ino);
  SAY(read(fd, link, 8));
  SAY(write(fd, link, 8));
  printf("alive %d\n", polled(fd, 0));
  siginfo_t i = {0};
  SAY(waitid(P_PIDFD, other, &i, WEXITED));
  SAY(waitid(P_PIDFD, fd, &i, WEXITED | WNOHANG));
  SAY(send_(fd, SIGTERM, 0, 0));
  printf("ended %d\n", polled(fd, 5000));
  SAY(waitid(P_PIDFD, other, &i, WEXITED | WNOWAIT));
  SAY(waitid(P_PIDFD, fd, &i, WEXITED));
  printf("pid %d code %d status %d\n", i.si_pid == pid, i.si_code, i.si_status);
  printf("reaped %d\n", polled(fd, 0) % 1000);
  SAY(waitid(P_PIDFD, fd, &i, WEXITED));
  SAY(send_(fd, 0, 0, 0));
  SAY(pidfd_open_(pid, 0));
  close(fd), close(other);
}

static volatile int got, code, value;
static void note(int s, siginfo_t *i, void *u) { got = s, code = i->si_code, value = i->si_value.sival_int; }
static void signals(void) {
  struct sigaction sa = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &sa, 0);
  int self = pidfd_open_(getpid(), 0);
  siginfo_t i = {.si_signo = SIGUSR1, .si_code = SI_QUEUE, .si_value.sival_int = 42};
  SAY(send_(self, 0, 0, 0));
  SAY(send_(self, SIGUSR1, 0, 0));
  printf("got %d %d\n", got == SIGUSR1, code);
  SAY(send_(self, SIGUSR1, &i, 0));
  printf("got %d %d %d\n", got == SIGUSR1, code, value);
  i.si_code = SI_USER;
  SAY(send_(self, SIGUSR1, &i, 0));
  SAY(send_(self, SIGUSR2, &i, 0));
  SAY(send_(self, 65, 0, 0));
  SAY(send_(self, -1, 0, 0));
  SAY(send_(self, SIGUSR1, 0, 0x100));
  SAY(send_(self, SIGUSR1, (void *)16, 0));
  SAY(send_(99, SIGUSR1, 0, 0));
  SAY(send_(-1, SIGUSR1, 0, 0));
  SAY(send_(1, SIGUSR1, 0, 0));
  pid_t pid = sleeper();
  int fd = pidfd_open_(pid, 0);
  i.si_signo = SIGKILL;
  SAY(send_(fd, SIGKILL, &i, 0));
  i.si_code = SI_QUEUE;
  SAY(send_(fd, SIGKILL, &i, 0));
  int status;
  waitpid(pid, &status, 0);
  printf("killed %x\n", status);
  close(fd), close(self);
}

static void files(void) {
  int p[2], sync[2];
  char c = 0;
  pipe(p), pipe(sync);
  fcntl(p[1], F_SETFD, 0);
  pid_t pid = fork();
  if (pid == 0) {
    int secret = open("/dev/zero", O_RDONLY);
    dup2(secret, 77);
    write(sync[1], "x", 1);
    for (;;) pause();
  }
  read(sync[0], &c, 1);
  int fd = pidfd_open_(pid, 0);
  SAY(getfd(fd, 77, 1));
  SAY(getfd(fd, 78, 0));
  SAY(getfd(fd, -1, 0));
  SAY(getfd(99, 0, 0));
  SAY(getfd(0, 0, 0));
  int got = getfd(fd, 77, 0);
  struct stat st, zero;
  fstat(got, &st), stat("/dev/zero", &zero);
  printf("got it %d, close-on-exec %d\n", st.st_rdev == zero.st_rdev, fcntl(got, F_GETFD));
  int own = pidfd_open_(getpid(), 0);
  printf("own %d\n", getfd(own, 0, 0) >= 0);
  kill(pid, SIGKILL), waitpid(pid, 0, 0);
  SAY(getfd(fd, 77, 0));
}

static void clones(void) {
  int fd = -1, status;
  long pid = syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &fd, 0, 0);
  if (pid == 0) _exit(fcntl(3, F_GETFD) >= 0 ? 1 : 12);
  printf("clone: %d, ready %d\n", fd >= 0, polled(fd, 5000));
  siginfo_t i;
  SAY(waitid(P_PIDFD, fd, &i, WEXITED));
  printf("pid %d status %d\n", i.si_pid == pid, i.si_status);
  close(fd), fd = -1;
  struct clone_args a = {.flags = CLONE_PIDFD, .pidfd = (uintptr_t)&fd, .exit_signal = SIGCHLD};
  if ((pid = syscall(SYS_clone3, &a, sizeof a)) == 0) _exit(11);
  int ep = epoll_create1(0);
  struct epoll_event e = {EPOLLIN, {.u32 = 5}};
  epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
  SAY(epoll_wait(ep, &e, 1, 5000));
  waitpid(pid, &status, 0);
  printf("clone3: %d status %x\n", fd >= 0, status);
}

int main(void) {
  opening();
  signals();
  files();
  clones();
  return 0;
}
