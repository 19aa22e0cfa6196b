// Signals about files: O_ASYNC, F_SETOWN and its kin, F_SETSIG, on pipes, FIFOs, sockets; who may be told; what can't.
#define _GNU_SOURCE
#include "report.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

static volatile int count, code, fd_of, band, signo_of, tid_of;
static void note(int s, siginfo_t *i, void *u) { signo_of = s, code = i->si_code, fd_of = i->si_fd, band = i->si_band, tid_of = gettid(), count++; }
static void told(const char *what, int fd) {
  for (int i = 0; i < 1000 && !count; i++) nap(1);
  const char *codes[] = {"0", "POLL_IN", "POLL_OUT", "POLL_MSG", "POLL_ERR", "POLL_PRI", "POLL_HUP"};
  if (signo_of == SIGIO && code == SI_KERNEL) printf("%s: SIGIO by the kernel\n", what);
  else printf("%s: %s, %s, fd %d, band %x\n", what, signo_of == SIGIO ? "SIGIO" : "rt", code >= 0 && code < 7 ? codes[code] : "?", fd_of == fd, band & (POLLIN | POLLOUT | POLLHUP | POLLERR));
  count = code = 0;
}
static void quiet(const char *what) {
  nap(20);
  printf("%s: %d\n", what, count);
}
static void async(int fd, int on) { SAY(fcntl(fd, F_SETFL, on ? O_ASYNC | O_NONBLOCK : O_NONBLOCK)); }

static void owners(void) {
  int p[2];
  struct f_owner_ex o = {F_OWNER_TID, 0}, g;
  pipe(p);
  SAY(fcntl(p[0], F_GETOWN));
  SAY(fcntl(p[0], F_SETOWN, 99999999));
  SAY(fcntl(p[0], F_SETOWN, -99999999));
  SAY(fcntl(p[0], F_SETOWN, 0x80000000));
  SAY(fcntl(p[0], F_SETOWN, getpid()));
  SAY(fcntl(p[0], F_GETOWN) == getpid());
  SAY(fcntl(p[0], F_GETOWN_EX, &g));
  printf("type %d, own %d\n", g.type, g.pid == getpid());
  SAY(fcntl(p[0], F_SETOWN, -getpgrp()));
  SAY(fcntl(p[0], F_GETOWN_EX, &g));
  printf("type %d, own %d\n", g.type, g.pid == getpgrp());
  o.pid = gettid();
  SAY(fcntl(p[0], F_SETOWN_EX, &o));
  SAY(fcntl(p[0], F_GETOWN_EX, &g));
  printf("type %d\n", g.type);
  o.type = 7;
  SAY(fcntl(p[0], F_SETOWN_EX, &o));
  o.type = F_OWNER_PID, o.pid = 99999999;
  SAY(fcntl(p[0], F_SETOWN_EX, &o));
  SAY(fcntl(p[0], F_SETOWN_EX, 16));
  SAY(fcntl(p[0], F_GETSIG));
  SAY(fcntl(p[0], F_SETSIG, 65));
  SAY(fcntl(p[0], F_SETSIG, -1));
  SAY(fcntl(p[0], F_SETSIG, SIGRTMIN + 3) == 0 && fcntl(p[0], F_GETSIG) == SIGRTMIN + 3);
  SAY(fcntl(p[0], F_SETSIG, 0));
  SAY(fcntl(p[0], F_SETOWN, 0));
  close(p[0]), close(p[1]);
}
static void flags(void) {
  int p[2], on = 1, off = 0, e = eventfd(0, 0), f = open("/dev/null", O_RDWR);
  pipe(p);
  async(p[0], 1);
  printf("pipe %d\n", (fcntl(p[0], F_GETFL) & O_ASYNC) != 0);
  SAY(ioctl(p[0], FIOASYNC, &off));
  printf("off %d\n", (fcntl(p[0], F_GETFL) & O_ASYNC) != 0);
  SAY(ioctl(p[0], FIOASYNC, &on));
  printf("on %d\n", (fcntl(p[0], F_GETFL) & O_ASYNC) != 0);
  async(e, 1);
  printf("eventfd %d\n", (fcntl(e, F_GETFL) & O_ASYNC) != 0);
  close(p[0]), close(p[1]), close(e), close(f);
}

static void files(void) {
  int p[2], s[2];
  char b[10];
  pipe(p);
  fcntl(p[0], F_SETOWN, getpid()), async(p[0], 1);
  write(p[1], "x", 1), told("written", p[0]);
  write(p[1], "y", 1), told("written again", p[0]);
  read(p[0], b, 10), quiet("read");
  fcntl(p[0], F_SETSIG, SIGRTMIN);
  write(p[1], "x", 1), told("chosen signal", p[0]);
  fcntl(p[0], F_SETSIG, SIGIO);
  write(p[1], "x", 1), told("SIGIO with details", p[0]);
  int d = dup(p[0]);
  write(p[1], "x", 1), told("by the descriptor it was set by", p[0]);
  close(d), read(p[0], b, 10);
  async(p[0], 0);
  write(p[1], "x", 1), quiet("off");
  async(p[0], 1), read(p[0], b, 10), count = 0;
  close(p[1]), told("closed", p[0]);
  close(p[0]);
  pipe(p);
  fcntl(p[1], F_SETOWN, getpid()), fcntl(p[1], F_SETSIG, SIGRTMIN), async(p[1], 1);
  char full[4096] = {0};
  while (write(p[1], full, sizeof full) > 0) {}
  count = 0, read(p[0], full, sizeof full), told("room", p[1]);
  close(p[0]), close(p[1]);
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  fcntl(s[0], F_SETOWN, getpid()), fcntl(s[0], F_SETSIG, SIGRTMIN), async(s[0], 1);
  write(s[1], "x", 1), told("socket", s[0]);
  close(s[0]), close(s[1]);
}

static volatile int stop;
static void *other(void *tid) {
  *(volatile int *)tid = gettid();
  while (!stop) sched_yield();
  return 0;
}
static void whom(void) {
  int p[2], status;
  volatile int tid = 0;
  char c;
  pthread_t t;
  pipe(p);
  pthread_create(&t, 0, other, (void *)&tid);
  while (!tid) sched_yield();
  struct f_owner_ex o = {F_OWNER_TID, tid};
  fcntl(p[0], F_SETOWN_EX, &o), fcntl(p[0], F_SETSIG, SIGRTMIN), async(p[0], 1);
  write(p[1], "x", 1), told("a thread", p[0]);
  printf("by that thread %d\n", tid_of == tid);
  stop = 1, pthread_join(t, 0);
  write(p[1], "x", 1), quiet("gone");
  // a child that is told, and one of another user's that is not
  for (int uid = 0; uid < 2; uid++) {
    int ready[2];
    pipe(ready);
    pid_t pid = fork();
    if (pid == 0) {
      if (uid && setresuid(54321, 54321, 54321)) {}
      write(ready[1], "x", 1);
      for (int i = 0; i < (uid ? 20 : 1000) && !count; i++) nap(1);
      _exit(count);
    }
    read(ready[0], &c, 1);
    pid_t setter = uid ? fork() : 0;
    if (uid && setter == 0) {
      if (setresuid(12345, 12345, 12345)) {}
      fcntl(p[0], F_SETOWN, pid), _exit(0);
    }
    if (!uid) fcntl(p[0], F_SETOWN, pid);
    else waitpid(setter, 0, 0);
    write(p[1], "x", 1);
    waitpid(pid, &status, 0);
    printf("%s %d\n", uid ? "another user's" : "a child", WEXITSTATUS(status));
    close(ready[0]), close(ready[1]);
  }
}

int main(void) {
  struct sigaction sa = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(SIGIO, &sa, 0), sigaction(SIGRTMIN, &sa, 0);
  owners();
  flags();
  files();
  whom();
  return 0;
}
