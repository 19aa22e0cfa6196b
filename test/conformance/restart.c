// What a signal makes of each call that waits: with a handler, with SA_RESTART, and when the process is stopped and continued. Then calls
// that had done a part of their work.
#define _GNU_SOURCE
#include "report.h"
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>

static struct shared { atomic_int handled, word, ready; } *sh;
static int p[2], full[2], event, timer, lockfile, pid_of_child;
static char fifo[64], path[64];

static void handler(int s) { sh->handled++; }
static void nothing(int s) {}
static const struct timespec long_time = {20, 0};

static long do_read(void) { char c; return read(p[0], &c, 1); }
static long do_readv(void) { char c; struct iovec v = {&c, 1}; return readv(p[0], &v, 1); }
static long do_write(void) { return write(full[1], "x", 1); }
static long do_open(void) { return open(fifo, O_RDONLY) < 0 ? -1 : 0; }
static long do_wait4(void) { return waitpid(pid_of_child, 0, 0) < 0 ? -1 : 0; }
static long do_waitid(void) { siginfo_t i; return waitid(P_ALL, 0, &i, WEXITED); }
static long do_flock(void) { int fd = open(path, O_RDWR); return flock(fd, LOCK_EX); }
static long do_setlkw(void) { struct flock l = {F_WRLCK, SEEK_SET}; return fcntl(lockfile, F_SETLKW, &l); }
static long do_poll(void) { struct pollfd f = {p[0], POLLIN}; return poll(&f, 1, -1); }
static long do_poll_timed(void) { struct pollfd f = {p[0], POLLIN}; return poll(&f, 1, 20000); }
static long do_ppoll(void) { struct pollfd f = {p[0], POLLIN}; return ppoll(&f, 1, &long_time, 0); }
static long do_select(void) { fd_set s; struct timeval t = {20}; FD_ZERO(&s); FD_SET(p[0], &s); return select(p[0] + 1, &s, 0, 0, &t); }
static long do_pselect(void) { fd_set s; FD_ZERO(&s); FD_SET(p[0], &s); return pselect(p[0] + 1, &s, 0, 0, &long_time, 0); }
static long do_epoll(void) {
  struct epoll_event e = {EPOLLIN};
  int ep = epoll_create1(0);
  epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e);
  return epoll_wait(ep, &e, 1, 20000);
}
static long do_futex(void) { return syscall(SYS_futex, &sh->word, FUTEX_WAIT, 0, 0, 0, 0); }
static long do_futex_timed(void) { return syscall(SYS_futex, &sh->word, FUTEX_WAIT, 0, &long_time, 0, 0); }
static long do_eventfd(void) { uint64_t n; return read(event, &n, 8); }
static long do_timerfd(void) { uint64_t n; return read(timer, &n, 8); }
static long do_signalfd(void) {
  struct signalfd_siginfo s;
  sigset_t set;
  sigemptyset(&set), sigaddset(&set, SIGUSR2), sigprocmask(SIG_BLOCK, &set, 0);
  return read(signalfd(-1, &set, 0), &s, sizeof s);
}
static long do_pause(void) { return pause(); }
static long do_sigsuspend(void) { sigset_t s; sigemptyset(&s); return sigsuspend(&s); }
static long do_sigwait(void) {
  sigset_t set;
  sigemptyset(&set), sigaddset(&set, SIGUSR2), sigprocmask(SIG_BLOCK, &set, 0);
  return sigtimedwait(&set, 0, &long_time) == SIGUSR2 ? 0 : -1;
}
static long do_nanosleep(void) { return nanosleep(&long_time, 0); }
static long do_clock(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t), t.tv_sec += 20; return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, 0) ? (errno = EINTR, -1) : 0; }

static void give_byte(int pid) { write(p[1], "x", 1); }
static void take_bytes(int pid) { char b[65536]; read(full[0], b, sizeof b); }
static void open_it(int pid) { close(open(fifo, O_WRONLY)); }
static void end_child(int pid) { sh->ready = 2; }
static void unlock(int pid) { flock(lockfile, LOCK_UN); }
static void unlock_posix(int pid) { struct flock l = {F_UNLCK, SEEK_SET}; fcntl(lockfile, F_SETLK, &l); }
static void wake(int pid) { sh->word = 1; syscall(SYS_futex, &sh->word, FUTEX_WAKE, 9, 0, 0, 0); }
static void post(int pid) { uint64_t n = 1; write(event, &n, 8); }
static void send_usr2(int pid) { kill(pid, SIGUSR2); }
static void set_timer(int pid) { struct itimerspec t = {{0, 0}, {0, 1}}; timerfd_settime(timer, 0, &t, 0); }

static const struct call {
  const char *name;
  long (*f)(void);
  void (*release)(int pid);
} calls[] = {
  {"read", do_read, give_byte}, {"readv", do_readv, give_byte}, {"write", do_write, take_bytes}, {"open of a FIFO", do_open, open_it},
  {"wait4", do_wait4, end_child}, {"waitid", do_waitid, end_child}, {"flock", do_flock, unlock}, {"F_SETLKW", do_setlkw, unlock_posix},
  {"poll", do_poll, give_byte}, {"poll, timed", do_poll_timed, give_byte}, {"ppoll", do_ppoll, give_byte}, {"select", do_select, give_byte},
  {"pselect", do_pselect, give_byte}, {"epoll_wait", do_epoll, give_byte}, {"futex", do_futex, wake}, {"futex, timed", do_futex_timed, wake},
  {"eventfd", do_eventfd, post}, {"timerfd", do_timerfd, set_timer}, {"signalfd", do_signalfd, send_usr2}, {"pause", do_pause, send_usr2},
  {"sigsuspend", do_sigsuspend, send_usr2}, {"sigtimedwait", do_sigwait, send_usr2}, {"nanosleep", do_nanosleep, send_usr2}, {"clock_nanosleep", do_clock, send_usr2},
};

static void fill(int fd) {
  char b[4096] = {0};
  fcntl(fd, F_SETFL, O_NONBLOCK);
  while (write(fd, b, sizeof b) > 0) {}
  while (write(fd, b, 1) > 0) {}
  fcntl(fd, F_SETFL, 0);
}
/* Until the process sleeps in a call, or has ended (0). */
static int asleep(int pid) {
  char name[64], state = 0;
  for (;;) {
    siginfo_t i = {0};
    if (waitid(P_PID, pid, &i, WEXITED | WNOHANG | WNOWAIT) == 0 && i.si_pid) return 0;
    snprintf(name, sizeof name, "/proc/%d/stat", pid);
    FILE *f = fopen(name, "r");
    if (f && fscanf(f, "%*d (%*[^)]) %c", &state) != 1) state = 0;
    if (f) fclose(f);
    if (state == 'S') return 1;
    nap(1);
  }
}
static int blocked(int pid) { return asleep(pid) && (nap(2), asleep(pid)); }

enum { HANDLER, RESTART, STOP };
static void try(const struct call *c, int how) {
  pipe(p), pipe(full), event = eventfd(0, 0), timer = timerfd_create(CLOCK_MONOTONIC, 0), lockfile = open(path, O_RDWR | O_CREAT, 0600);
  if (c->f == do_write) fill(full[1]);
  if (c->f == do_flock) flock(lockfile, LOCK_EX);
  if (c->f == do_setlkw) { struct flock l = {F_WRLCK, SEEK_SET}; fcntl(lockfile, F_SETLK, &l); }
  sh->handled = sh->word = sh->ready = 0;
  int pid = fork(), status;
  if (pid == 0) {
    struct sigaction sa = {.sa_handler = handler, .sa_flags = how == RESTART ? SA_RESTART : 0};
    if (c->f == do_wait4 || c->f == do_waitid) {
      if ((pid_of_child = fork()) == 0) {
        while (sh->ready != 2) nap(1);
        _exit(0);
      }
    }
    sigaction(SIGUSR1, &sa, 0);
    signal(SIGUSR2, nothing);
    sh->ready = 1;
    long r = c->f();
    _exit(r < 0 ? errno : 0);
  }
  while (!sh->ready) nap(1);
  if (!blocked(pid)) printf("%s didn't wait\n", c->name);
  if (how == STOP) {
    kill(pid, SIGSTOP), waitpid(pid, &status, WUNTRACED);
    siginfo_t i;
    kill(pid, SIGCONT), waitid(P_PID, pid, &i, WCONTINUED); // not its end: that may have come already
  } else {
    kill(pid, SIGUSR1);
    while (!sh->handled) nap(1);
  }
  int waits = blocked(pid);
  sh->ready = waits ? sh->ready : 2; // the grandchild may go
  if (waits) c->release(pid);
  waitpid(pid, &status, 0);
  sh->ready = 2;
  printf("%s, %s: %s", c->name, how == HANDLER ? "handler" : how == RESTART ? "SA_RESTART" : "stopped", waits ? "goes on, " : "");
  printf("%s\n", WEXITSTATUS(status) ? strerrorname_np(WEXITSTATUS(status)) : "0");
  close(p[0]), close(p[1]), close(full[0]), close(full[1]), close(event), close(timer), close(lockfile);
}

// ---- part of the work done ----

static void partial(void) {
  static char big[300000];
  struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_RESTART};
  int q[2];
  pipe(q);
  sh->handled = 0;
  int pid = fork(), status;
  if (pid == 0) {
    sigaction(SIGUSR1, &sa, 0);
    sh->ready = 1;
    long n = write(q[1], big, sizeof big);
    _exit(n / 4096); // what fitted
  }
  while (asleep(pid) && !sh->ready) nap(1);
  blocked(pid), kill(pid, SIGUSR1), waitpid(pid, &status, 0);
  printf("write in part: %d pages\n", WEXITSTATUS(status));
  close(q[1]);
  pipe(q);
  sh->handled = sh->ready = 0;
  if ((pid = fork()) == 0) {
    char b[10];
    struct iovec v[2] = {{b, 4}, {b + 4, 6}};
    sigaction(SIGUSR1, &sa, 0);
    sh->ready = 1;
    _exit(readv(q[0], v, 2));
  }
  while (!sh->ready) nap(1);
  blocked(pid), write(q[1], "abcde", 5), waitpid(pid, &status, 0);
  printf("read in part: %d\n", WEXITSTATUS(status));
}

int main(void) {
  sh = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  snprintf(fifo, sizeof fifo, "/var/tmp/restart-%d", getpid()), snprintf(path, sizeof path, "/var/tmp/restart-lock-%d", getpid());
  mkfifo(fifo, 0600);
  for (int i = 0; i < sizeof calls / sizeof *calls; i++)
    for (int how = HANDLER; how <= STOP; how++) try(&calls[i], how);
  partial();
  unlink(fifo), unlink(path);
  return 0;
}
