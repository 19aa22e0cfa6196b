// epoll: level, edge, one-shot, exclusive, nested sets, what wakes and in which order, and the errors.
#include "check.h"
#include <sys/socket.h>

static int e, p[2], q[2];
static char b[70000];
static struct epoll_event ev, out[8];

static int ctl(int set, int op, int fd, unsigned events, unsigned long data) {
  struct epoll_event one = {events, {.u64 = data}};
  return epoll_ctl(set, op, fd, &one);
}
static void show(int set, int max) {
  int n = epoll_wait(set, out, max, 0);
  printf("  %d:", n);
  for (int i = 0; i < n; i++) printf(" %lu=%x", out[i].data.u64, out[i].events);
  puts("");
}
#define SHOW(set) (printf("line %d", __LINE__), show(set, 8))

static void errors(void) {
  int null = open("/dev/null", O_RDWR), dir = open(".", O_RDONLY), file = open("f", O_RDWR | O_CREAT, 0600), path = open("f", O_PATH);
  R(epoll_create(0));
  R(epoll_create(-1));
  R(epoll_create1(EPOLL_CLOEXEC | 1));
  R(fcntl(e, F_GETFD));
  R(fcntl(e, F_GETFL));
  R(ctl(e, EPOLL_CTL_ADD, file, EPOLLIN, 1));
  R(ctl(e, EPOLL_CTL_ADD, dir, EPOLLIN, 1));
  R(ctl(e, EPOLL_CTL_ADD, null, EPOLLIN, 1));
  R(ctl(e, EPOLL_CTL_ADD, path, EPOLLIN, 1));
  R(ctl(e, EPOLL_CTL_ADD, e, EPOLLIN, 1));
  R(ctl(e, EPOLL_CTL_ADD, 99, EPOLLIN, 1));
  R(ctl(99, EPOLL_CTL_ADD, p[0], EPOLLIN, 1));
  R(ctl(file, EPOLL_CTL_ADD, p[0], EPOLLIN, 1));
  R(ctl(e, EPOLL_CTL_MOD, p[0], EPOLLIN, 1));
  R(ctl(e, EPOLL_CTL_DEL, p[0], EPOLLIN, 1));
  R(ctl(e, 9, p[0], EPOLLIN, 1));
  R(epoll_ctl(e, EPOLL_CTL_ADD, p[0], NULL));
  R(epoll_ctl(e, EPOLL_CTL_ADD, p[0], BAD));
  R(epoll_ctl(99, EPOLL_CTL_ADD, p[0], BAD));
  R(ctl(e, EPOLL_CTL_ADD, p[0], EPOLLIN, 1));
  R(ctl(e, EPOLL_CTL_ADD, p[0], EPOLLIN, 1));
  R(epoll_ctl(e, EPOLL_CTL_DEL, p[0], NULL));
  R(ctl(e, EPOLL_CTL_ADD, p[0], EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT, 1));
  R(ctl(e, EPOLL_CTL_ADD, p[0], EPOLLIN | EPOLLEXCLUSIVE | EPOLLRDHUP, 1));
  R(ctl(e, EPOLL_CTL_ADD, p[0], EPOLLIN | EPOLLEXCLUSIVE, 1));
  R(ctl(e, EPOLL_CTL_MOD, p[0], EPOLLIN, 1));
  R(ctl(e, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLEXCLUSIVE, 1));
  R(epoll_ctl(e, EPOLL_CTL_DEL, p[0], NULL));
  R(ctl(e, EPOLL_CTL_ADD, q[0], EPOLLIN, 1));
  R(ctl(e, EPOLL_CTL_MOD, q[0], EPOLLIN | EPOLLEXCLUSIVE, 1));
  R(epoll_ctl(e, EPOLL_CTL_DEL, q[0], NULL));
  R(epoll_wait(e, out, 0, 0));
  R(epoll_wait(e, out, -1, 0));
  R(epoll_wait(e, out, INT_MAX, 0));
  R(epoll_wait(99, out, 1, 0));
  R(epoll_wait(file, out, 1, 0));
  R(epoll_wait(e, BAD, 1, 0));
  R(epoll_wait(e, NULL, 1, 0));
  R(read(e, b, 8));
  R(write(e, b, 8));
  R(lseek(e, 0, SEEK_SET));
  struct timespec bad = {0, 1000000000};
  R(syscall(441, e, out, 1, &bad, NULL, 8));
  bad.tv_nsec = -1;
  R(syscall(441, e, out, 1, &bad, NULL, 8));
  bad.tv_nsec = 1000000;
  R(syscall(441, e, out, 1, &bad, NULL, 8));
  sigset_t mask;
  sigemptyset(&mask);
  R(syscall(SYS_epoll_pwait, e, out, 1, 0, &mask, 4));
  R(syscall(SYS_epoll_pwait, e, out, 1, 0, NULL, 4));
  R(syscall(SYS_epoll_pwait, e, out, 1, 0, &mask, 8));
  write(p[1], "x", 1);
  ctl(e, EPOLL_CTL_ADD, p[0], EPOLLIN, 1);
  R(epoll_wait(e, BAD, 1, 0));
  SHOW(e);
  R(epoll_ctl(e, EPOLL_CTL_DEL, p[0], NULL));
  read(p[0], b, 1);
  close(null), close(dir), close(file), close(path);
}

static void levels(void) {
  R(ctl(e, EPOLL_CTL_ADD, p[0], EPOLLIN, 1));
  R(ctl(e, EPOLL_CTL_ADD, p[1], EPOLLOUT | EPOLLIN, 2));
  SHOW(e);
  SHOW(e);
  write(p[1], "ab", 2);
  SHOW(e);
  read(p[0], b, 1);
  SHOW(e);
  read(p[0], b, 1);
  SHOW(e);
  R(ctl(e, EPOLL_CTL_MOD, p[1], 0, 3));
  SHOW(e);
  write(p[1], "c", 1);
  SHOW(e);
  R(ctl(e, EPOLL_CTL_MOD, p[0], 0, 1));
  SHOW(e);
  R(ctl(e, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLRDNORM, 1));
  SHOW(e);
  R(ctl(e, EPOLL_CTL_MOD, p[0], EPOLLONESHOT | EPOLLIN, 1));
  SHOW(e);
  SHOW(e);
  write(p[1], "d", 1);
  SHOW(e);
  R(ctl(e, EPOLL_CTL_MOD, p[0], EPOLLONESHOT | EPOLLIN, 4));
  SHOW(e);
  R(ctl(e, EPOLL_CTL_MOD, p[0], EPOLLET | EPOLLIN, 5));
  SHOW(e);
  SHOW(e);
  write(p[1], "e", 1);
  SHOW(e);
  SHOW(e);
  read(p[0], b, 1);
  SHOW(e);
  write(p[1], "f", 1), write(p[1], "g", 1);
  SHOW(e);
  read(p[0], b, 100);
  SHOW(e);
  R(ctl(e, EPOLL_CTL_MOD, p[0], EPOLLET | EPOLLIN, 6));
  SHOW(e);
  R(ctl(e, EPOLL_CTL_MOD, p[1], EPOLLET | EPOLLOUT, 7));
  SHOW(e);
  SHOW(e);
  fcntl(p[1], F_SETFL, O_NONBLOCK);
  while (write(p[1], b, 4096) > 0)
    ;
  SHOW(e);
  read(p[0], b, 1);
  SHOW(e);
  read(p[0], b, 65536);
  SHOW(e);
  R(epoll_ctl(e, EPOLL_CTL_DEL, p[1], NULL));
  R(ctl(e, EPOLL_CTL_MOD, p[0], EPOLLIN, 8));
  close(p[1]);
  SHOW(e);
  close(p[0]);
  SHOW(e);
  pipe2(p, O_NONBLOCK);
  R(ctl(e, EPOLL_CTL_ADD, p[1], EPOLLIN, 9));
  SHOW(e);
  close(p[0]);
  SHOW(e);
  int copy = dup(p[1]);
  R(ctl(e, EPOLL_CTL_ADD, copy, EPOLLOUT, 10));
  SHOW(e);
  close(p[1]);
  SHOW(e);
  R(epoll_ctl(e, EPOLL_CTL_DEL, p[1], NULL));
  close(copy);
  SHOW(e);
  pipe2(p, O_NONBLOCK);
}

static void order(void) {
  int fds[6];
  for (int i = 0; i < 6; i++) {
    fds[i] = eventfd(0, EFD_NONBLOCK);
    ctl(e, EPOLL_CTL_ADD, fds[i], EPOLLIN, i);
  }
  unsigned long long one = 1;
  for (int i = 5; i >= 0; i--) write(fds[i], &one, 8);
  SHOW(e);
  SHOW(e);
  show(e, 2), show(e, 2), show(e, 2), show(e, 4), show(e, 1);
  read(fds[3], b, 8);
  SHOW(e);
  write(fds[3], &one, 8);
  SHOW(e);
  for (int i = 0; i < 6; i++) close(fds[i]);
  SHOW(e);
}

static void nested(void) {
  int sets[8];
  for (int i = 0; i < 8; i++) sets[i] = epoll_create1(0);
  R(ctl(sets[0], EPOLL_CTL_ADD, sets[1], EPOLLIN, 1));
  R(ctl(sets[1], EPOLL_CTL_ADD, sets[0], EPOLLIN, 1));
  R(ctl(sets[1], EPOLL_CTL_ADD, sets[2], EPOLLIN, 2));
  R(ctl(sets[2], EPOLL_CTL_ADD, sets[0], EPOLLIN, 2));
  R(ctl(sets[2], EPOLL_CTL_ADD, sets[3], EPOLLIN, 3));
  R(ctl(sets[3], EPOLL_CTL_ADD, sets[4], EPOLLIN, 4));
  R(ctl(sets[4], EPOLL_CTL_ADD, sets[5], EPOLLIN, 5));
  R(ctl(sets[5], EPOLL_CTL_ADD, sets[6], EPOLLIN, 6));
  R(ctl(sets[6], EPOLL_CTL_ADD, sets[7], EPOLLIN, 7));
  R(ctl(sets[2], EPOLL_CTL_ADD, p[0], EPOLLIN, 77));
  SHOW(sets[0]);
  write(p[1], "x", 1);
  SHOW(sets[0]);
  SHOW(sets[0]);
  SHOW(sets[1]);
  SHOW(sets[2]);
  struct pollfd one = {sets[0], POLLIN, 0};
  R(poll(&one, 1, 0));
  R(one.revents);
  read(p[0], b, 1);
  SHOW(sets[0]);
  R(poll(&one, 1, 0));
  R(ctl(sets[0], EPOLL_CTL_MOD, sets[1], EPOLLIN | EPOLLET, 1));
  write(p[1], "x", 1);
  SHOW(sets[0]);
  SHOW(sets[0]);
  write(p[1], "y", 1);
  SHOW(sets[0]);
  read(p[0], b, 2);
  R(ctl(sets[7], EPOLL_CTL_ADD, sets[0], EPOLLIN | EPOLLEXCLUSIVE, 1));
  for (int i = 0; i < 8; i++) close(sets[i]);
}

/** How many of three waiting processes one event wakes. */
static int waiters(unsigned flags) {
  int go[2], said[2], woken = 0;
  pipe(go), pipe(said);
  fflush(stdout);
  pid_t pids[3];
  for (int i = 0; i < 3; i++) {
    if ((pids[i] = fork()) != 0) continue;
    int set = epoll_create1(0);
    ctl(set, EPOLL_CTL_ADD, p[0], EPOLLIN | flags, 1);
    ctl(set, EPOLL_CTL_ADD, go[0], EPOLLIN, 2);
    write(said[1], "r", 1);
    int n = epoll_wait(set, out, 1, -1);
    write(said[1], n == 1 && out[0].data.u64 == 1 ? "W" : "-", 1);
    _exit(0);
  }
  for (int i = 0; i < 3; i++) read(said[0], b, 1);
  for (int i = 0; i < 3; i++) {
    char path[64], state[512];
    do {
      snprintf(path, sizeof path, "/proc/%d/stat", pids[i]);
      int s = open(path, O_RDONLY), k = read(s, state, sizeof state - 1);
      state[k < 0 ? 0 : k] = 0, close(s);
    } while (strstr(state, ") S") == NULL);
  }
  write(p[1], "x", 1);
  read(said[0], b, 1), woken += b[0] == 'W';
  write(go[1], "x", 1); // the rest
  for (int i = 1; i < 3; i++) read(said[0], b, 1), woken += b[0] == 'W';
  while (wait(NULL) > 0)
    ;
  read(p[0], b, 1);
  close(go[0]), close(go[1]), close(said[0]), close(said[1]);
  return woken;
}

static void sockets(void) {
  int s[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s) < 0) return;
  R(ctl(e, EPOLL_CTL_ADD, s[0], EPOLLIN | EPOLLRDHUP | EPOLLOUT | EPOLLET, 1));
  SHOW(e);
  SHOW(e);
  write(s[1], "abc", 3);
  SHOW(e);
  SHOW(e);
  shutdown(s[1], SHUT_WR);
  SHOW(e);
  SHOW(e);
  close(s[1]);
  SHOW(e);
  R(ctl(e, EPOLL_CTL_MOD, s[0], EPOLLRDHUP, 2));
  SHOW(e);
  close(s[0]);
}

static void run(void) {
  e = epoll_create1(EPOLL_CLOEXEC);
  pipe2(p, O_NONBLOCK), pipe2(q, O_NONBLOCK);
  errors();
  levels();
  order();
  nested();
  R(waiters(0));
  R(waiters(EPOLLEXCLUSIVE));
  sockets();
  syscall(SYS_close_range, 3, ~0u, 0);
}
int main(void) {
  everywhere(run);
  return 0;
}
