// POSIX message queues: names and permissions, attributes and limits, order by priority, waiting and its ends (a message, room, a signal,
// a deadline), notification, descriptors that are polled, duplicated, inherited and closed at exec, every error of the man pages that can
// be provoked. Raw calls where libc would check first.
#define _GNU_SOURCE
#include "report.h"
#include <fcntl.h>
#include <grp.h>
#include <mqueue.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static char name[40], other[40], buffer[70000];
#define MADE(call) (errno = 0, (call) < 0 ? say(#call, -1) : (void)printf("%s: made\n", #call))
static mqd_t raw_open(const char *n, int flags, int mode, void *attr) { return syscall(SYS_mq_open, n, flags, mode, attr); }
static void attr_of(mqd_t q) {
  struct mq_attr a;
  if (mq_getattr(q, &a) < 0) return say("mq_getattr", -1);
  printf("flags %lx, %ld of %ld messages of %ld\n", a.mq_flags, a.mq_curmsgs, a.mq_maxmsg, a.mq_msgsize);
}
static void get(mqd_t q) {
  unsigned priority = 99;
  errno = 0;
  int n = mq_receive(q, buffer, sizeof buffer, &priority);
  if (n < 0) say("mq_receive", n);
  else printf("%d of priority %u: %.*s\n", n, priority, n > 20 ? 20 : n, buffer);
}
static pid_t start(void) {
  fflush(stdout);
  return fork();
}
static int end_of(pid_t pid) {
  int status;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}
static void as_user(void (*what)(void)) {
  if (start() == 0) {
    if (setgroups(0, NULL) || setgid(4242) || setuid(4242)) printf("can't become another user\n");
    else what();
    _exit(0);
  }
  wait(NULL);
}
static void stranger(void) {
  MADE(mq_open(name, O_RDONLY));
  MADE(mq_open(name, O_WRONLY));
  MADE(mq_open(name, O_RDWR));
  SAY(mq_unlink(name));
  struct mq_attr big = {0, 11, 100}, wide = {0, 1, 8193}, fits = {0, 10, 8192};
  MADE(mq_open(other, O_RDWR | O_CREAT, 0600, &big));
  MADE(mq_open(other, O_RDWR | O_CREAT, 0600, &wide));
  MADE(mq_open(other, O_RDWR | O_CREAT, 0600, &fits));
  SAY(mq_unlink(other));
}
static void bounds(void) {
  // what a queue of 10 messages of 100 counts: 10 * 100 + 10 * 48 + 10 * 48
  struct mq_attr a = {0, 10, 100};
  for (long limit = 1958; limit <= 1962; limit++) {
    struct rlimit r = {limit, 3000};
    setrlimit(RLIMIT_MSGQUEUE, &r);
    mqd_t q = mq_open(other, O_RDWR | O_CREAT, 0600, &a);
    printf("limit %ld: %s\n", limit, q < 0 ? strerrorname_np(errno) : "made");
    if (q >= 0) {
      MADE(mq_open("/mol-none", O_RDWR | O_CREAT, 0600, &a));
      mq_unlink(other);
      close(q);
    }
  }
}
static void names(void) {
  MADE(mq_open(name, O_RDWR));
  mqd_t q = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0640, NULL);
  attr_of(q);
  MADE(mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, NULL));
  SAY(fcntl(q, F_GETFD));
  SAY(fcntl(q, F_GETFL));
  struct stat st;
  SAY(fstat(q, &st));
  printf("mode %o size %ld links %ld\n", st.st_mode, (long)st.st_size, (long)st.st_nlink);
  MADE(raw_open(name, O_RDONLY, 0, NULL));
  MADE(raw_open("a/b", O_RDWR | O_CREAT, 0600, NULL));
  MADE(raw_open("", O_RDWR | O_CREAT, 0600, NULL));
  MADE(raw_open(".", O_RDWR | O_CREAT, 0600, NULL));
  MADE(raw_open("..", O_RDWR | O_CREAT, 0600, NULL));
  MADE(raw_open(NULL, O_RDWR | O_CREAT, 0600, NULL));
  MADE(raw_open(name + 1, O_ACCMODE, 0600, NULL));
  MADE(raw_open(name + 1, O_RDWR | O_CREAT, 0600, (void *)8));
  char longest[300];
  memset(longest, 'n', sizeof longest);
  longest[256] = 0;
  MADE(raw_open(longest, O_RDWR | O_CREAT, 0600, NULL));
  SAY(syscall(SYS_mq_unlink, "a/b"));
  SAY(syscall(SYS_mq_unlink, ""));
  SAY(syscall(SYS_mq_unlink, longest));
  SAY(syscall(SYS_mq_unlink, NULL));
  struct mq_attr bad[] = {{0, 0, 1}, {0, 1, 0}, {0, -1, 1}, {0, 1, -1}, {0, 1l << 40, 1}, {0, 1, 1l << 40}};
  for (int i = 0; i < 6; i++) MADE(mq_open(other, O_RDWR | O_CREAT, 0600, &bad[i]));
  as_user(stranger);
  as_user(bounds);
  SAY(mq_unlink(name));
  SAY(mq_unlink(name));
  attr_of(q);
  SAY(fstat(q, &st));
  printf("links %ld\n", (long)st.st_nlink);
  SAY(mq_close(q));
  SAY(mq_close(q));
  MADE(mq_open(name, O_RDWR));
}
static void messages(void) {
  struct mq_attr a = {O_NONBLOCK, 4, 20}, old;
  mqd_t q = mq_open(name, O_RDWR | O_CREAT, 0600, &a), in = mq_open(name, O_RDONLY | O_NONBLOCK), out = mq_open(name, O_WRONLY | O_NONBLOCK);
  attr_of(q);
  attr_of(in);
  get(in);
  SAY(mq_send(q, "low", 3, 1));
  SAY(mq_send(q, "high", 4, 9));
  SAY(mq_send(q, "", 0, 1));
  SAY(mq_send(q, "highest", 7, 32767));
  attr_of(q);
  SAY(mq_send(out, "too many", 8, 0));
  SAY(mq_send(out, "bad priority", 12, 32768));
  SAY(mq_send(out, buffer, 21, 0));
  SAY(mq_send(in, "x", 1, 0));
  SAY(mq_send(-1, "x", 1, 0));
  SAY(mq_send(1, "x", 1, 0));
  SAY(mq_send(out, (void *)8, 10, 0));
  SAY(mq_receive(in, buffer, 19, NULL));
  SAY(mq_receive(out, buffer, 100, NULL));
  SAY(mq_receive(-1, buffer, 100, NULL));
  get(in);
  get(in);
  get(in);
  get(in);
  get(in);
  mq_send(q, "lost", 4, 0);
  SAY(mq_receive(in, (void *)8, 20, NULL));
  attr_of(q);
  mq_send(q, "kept", 4, 0);
  SAY(syscall(SYS_mq_timedreceive, in, buffer, 20, 8, NULL));
  attr_of(q);
  struct timespec bad = {0, 1000000000}, past = {1, 0};
  SAY(mq_timedreceive(q, buffer, 20, NULL, &bad));
  SAY(mq_timedreceive(q, buffer, 20, NULL, &past));
  SAY(mq_timedreceive(in, buffer, 20, NULL, &past));
  SAY(syscall(SYS_mq_timedreceive, -1, buffer, 20, NULL, &bad));
  SAY(syscall(SYS_mq_timedreceive, -1, buffer, 20, NULL, 8));
  SAY(mq_timedsend(q, "fits", 4, 0, &past));
  SAY(mq_timedsend(q, "fits", 4, 0, &bad));
  struct timespec soon;
  clock_gettime(CLOCK_REALTIME, &soon);
  get(q);
  soon.tv_nsec += 2000000;
  if (soon.tv_nsec >= 1000000000) soon.tv_sec++, soon.tv_nsec -= 1000000000;
  SAY(mq_timedreceive(q, buffer, 20, NULL, &soon));
  a.mq_flags = O_NONBLOCK;
  SAY(mq_setattr(q, &a, &old));
  printf("was %lx\n", old.mq_flags);
  SAY(mq_receive(q, buffer, 20, NULL));
  attr_of(q);
  SAY(fcntl(q, F_GETFL));
  SAY(fcntl(q, F_SETFL, 0));
  attr_of(q);
  a.mq_flags = O_NONBLOCK | 1;
  SAY(syscall(SYS_mq_getsetattr, q, &a, NULL));
  SAY(syscall(SYS_mq_getsetattr, -1, NULL, NULL));
  SAY(syscall(SYS_mq_getsetattr, 1, NULL, NULL));
  SAY(syscall(SYS_mq_getsetattr, q, 8, NULL));
  SAY(syscall(SYS_mq_getsetattr, q, NULL, 8));
  SAY(write(q, "x", 1));
  mq_send(q, "12345", 5, 3);
  errno = 0;
  int n = pread(q, buffer, 200, 0);
  printf("its file: %.*s", n, buffer);
  SAY(lseek(q, 0, SEEK_SET));
  close(in), close(out), close(q);
  q = mq_open(name, O_RDWR);
  attr_of(q);
  mq_unlink(name);
  close(q);
}
static void handler(int s) {}
static void waiting(void) {
  struct mq_attr a = {0, 1, 20};
  mqd_t q = mq_open(name, O_RDWR | O_CREAT, 0600, &a);
  pid_t pid = start();
  if (pid == 0) {
    for (int i = 0; i < 3; i++) get(q);
    _exit(0);
  }
  for (int i = 0; i < 3; i++) mq_send(q, "one by one", 10, i);
  SAY(end_of(pid));
  mq_send(q, "full", 4, 5);
  pid = start();
  if (pid == 0) _exit(mq_send(q, "late", 4, 7) ? errno : 0);
  get(q);
  SAY(end_of(pid));
  get(q);
  for (int restart = 0; restart < 2; restart++) {
    pid = start();
    if (pid == 0) {
      struct sigaction act = {.sa_handler = handler, .sa_flags = restart ? SA_RESTART : 0};
      sigaction(SIGALRM, &act, NULL);
      struct itimerval t = {{0, 20000}, {0, 20000}};
      setitimer(ITIMER_REAL, &t, NULL);
      struct timespec later;
      clock_gettime(CLOCK_REALTIME, &later);
      later.tv_sec += restart ? 0 : 60;
      later.tv_nsec += 200000000;
      if (later.tv_nsec >= 1000000000) later.tv_sec++, later.tv_nsec -= 1000000000;
      SAY(mq_timedreceive(q, buffer, 20, NULL, &later));
      _exit(0);
    }
    end_of(pid);
  }
  pid = start();
  if (pid == 0) get(q), _exit(0);
  kill(pid, SIGKILL);
  SAY(end_of(pid));
  attr_of(q);
  mq_unlink(name);
  close(q);
}
static volatile int got, code, value, from;
static void notified(int s, siginfo_t *i, void *c) { got = s, code = i->si_code, value = i->si_value.sival_int, from = i->si_pid; }
static void notification(void) {
  struct mq_attr a = {0, 4, 20};
  mqd_t q = mq_open(name, O_RDWR | O_CREAT, 0600, &a);
  struct sigaction act = {.sa_sigaction = notified, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &act, NULL);
  struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 4711}, none = {.sigev_notify = SIGEV_NONE};
  SAY(mq_notify(q, &e));
  SAY(mq_notify(q, &e));
  pid_t pid = start();
  if (pid == 0) {
    SAY(mq_notify(q, &e));
    SAY(mq_notify(q, NULL));
    mq_send(q, "1", 1, 0);
    _exit(0);
  }
  end_of(pid);
  printf("signal %d, code %d, value %d, sender %d\n", got, code, value, from == pid);
  got = 0;
  mq_send(q, "2", 1, 0);
  printf("once: %d\n", got);
  SAY(mq_notify(q, &e));
  mq_send(q, "3", 1, 0);
  printf("not while there are some: %d\n", got);
  get(q), get(q), get(q);
  mq_send(q, "4", 1, 0);
  printf("when it was empty: %d, sender %d\n", got, from == getpid());
  get(q);
  got = 0;
  SAY(mq_notify(q, &e));
  SAY(mq_notify(q, NULL));
  SAY(mq_notify(q, NULL));
  mq_send(q, "5", 1, 0);
  printf("taken back: %d\n", got);
  get(q);
  SAY(mq_notify(q, &none));
  SAY(mq_notify(q, &e));
  int copy = dup(q);
  close(copy);
  SAY(mq_notify(q, &e));
  // whoever waits has the message, and nobody is told: tried until the child was waiting
  int tries = 0;
  do {
    got = 0;
    pid = start();
    if (pid == 0) _exit(mq_receive(q, buffer, 20, NULL) != 1);
    for (int i = 0; i < tries; i++) sched_yield();
    mq_send(q, "6", 1, 0);
    waitpid(pid, NULL, 0);
    mq_notify(q, &e);
  } while (got && tries++ < 3000);
  printf("told although somebody waited: %d\n", got);
  e.sigev_notify = 77;
  SAY(mq_notify(q, &e));
  e.sigev_notify = SIGEV_SIGNAL, e.sigev_signo = 65;
  SAY(mq_notify(q, &e));
  e.sigev_signo = SIGUSR1;
  SAY(mq_notify(-1, &e));
  SAY(mq_notify(1, &e));
  SAY(syscall(SYS_mq_notify, q, 8));
  mq_unlink(name);
  close(q);
}
static void descriptors(void) {
  struct mq_attr a = {0, 1, 20};
  mqd_t q = mq_open(name, O_RDWR | O_CREAT, 0600, &a);
  struct pollfd p = {q, POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM};
  SAY(poll(&p, 1, 0));
  printf("empty: %x\n", p.revents);
  int set = epoll_create1(0);
  struct epoll_event e = {EPOLLIN}, got;
  SAY(epoll_ctl(set, EPOLL_CTL_ADD, q, &e));
  SAY(epoll_wait(set, &got, 1, 0));
  pid_t pid = start();
  if (pid == 0) mq_send(q, "wakes", 5, 0), _exit(0);
  SAY(epoll_wait(set, &got, 1, 10000));
  end_of(pid);
  SAY(poll(&p, 1, 0));
  printf("full: %x\n", p.revents);
  pid = start();
  if (pid == 0) _exit(mq_receive(q, buffer, 20, NULL) < 0);
  p.events = POLLOUT;
  SAY(poll(&p, 1, 10000));
  end_of(pid);
  int copy = dup(q);
  close(q);
  SAY(mq_send(copy, "by copy", 7, 2));
  get(copy);
  mq_unlink(name);
  close(copy), close(set);
}
int main(void) {
  sprintf(name, "/mol-%d", getpid());
  sprintf(other, "/mol-%d-other", getpid());
  names();
  messages();
  waiting();
  notification();
  descriptors();
  return 0;
}
