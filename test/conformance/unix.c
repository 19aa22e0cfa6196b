// AF_UNIX sockets: stream, datagram and sequenced-packet; names; descriptors and credentials passed; options; errors in Linux's order.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

// Prints the call as written, its result, and errno's name.
#define R(call) \
  do { \
    errno = 0; \
    long result = (long)(call); \
    printf("%s = %ld%s%s\n", #call, result, result < 0 ? " " : "", result < 0 ? strerrorname_np(errno) : ""); \
  } while (0)

static char b[400000];
static int n, s[2], t[2], l, c, a, v;
static socklen_t len;
static struct sockaddr_un un;

static int events(int fd) {
  struct pollfd one = {fd, POLLIN | POLLOUT | POLLRDHUP | POLLPRI, 0};
  return poll(&one, 1, 0) < 0 ? -1 : one.revents;
}
static socklen_t named(const char *path) { // a path, or an abstract name when it begins with @
  memset(&un, 0, sizeof un);
  un.sun_family = AF_UNIX;
  strcpy(un.sun_path, path);
  if (path[0] == '@') un.sun_path[0] = 0;
  return offsetof(struct sockaddr_un, sun_path) + strlen(path) + (path[0] != '@');
}
static void show(const char *what, int r) {
  printf("%s: %d len %u family %d path ", what, r, len, un.sun_family);
  for (int i = 0; i < (int)len - 2 && i < 108; i++) printf(un.sun_path[i] >= 32 ? "%c" : "\\%d", un.sun_path[i]);
  printf("\n");
}
static void names(int fd) {
  memset(&un, 0x55, sizeof un);
  len = sizeof un;
  int r = getsockname(fd, (void *)&un, &len);
  show("own", r < 0 ? -errno : r);
  memset(&un, 0x55, sizeof un);
  len = sizeof un;
  r = getpeername(fd, (void *)&un, &len);
  show("peer", r < 0 ? -errno : r);
}
static int option(int fd, int name) {
  int value = -77;
  socklen_t size = sizeof value;
  return getsockopt(fd, SOL_SOCKET, name, &value, &size) < 0 ? -errno : value;
}
static int set(int fd, int name, int value) { return setsockopt(fd, SOL_SOCKET, name, &value, sizeof value); }
static void closeall(void) {
  for (int fd = 3; fd < 60; fd++) close(fd);
}
static int wake = -1;
static void on_signal(int signo) { printf("signal %d\n", signo); }
/** SIGALRM again and again until calm(), so that one comes while the call waits, however late that is. */
static void on_alarm(int signo) {
  if (wake >= 0) write(wake, "w", 1);
  wake = -1;
}
static void after(int ms, int flags) {
  struct sigaction act = {.sa_handler = on_alarm, .sa_flags = flags};
  sigaction(SIGALRM, &act, 0);
  struct itimerval in = {{0, ms * 1000}, {0, ms * 1000}};
  setitimer(ITIMER_REAL, &in, 0);
}
static void calm(void) {
  struct itimerval never = {0};
  setitimer(ITIMER_REAL, &never, 0);
}

static void creation(void) {
  R(socket(AF_UNIX, SOCK_STREAM, 0));
  R(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  R(fcntl(4, F_GETFD));
  R(fcntl(4, F_GETFL));
  R(fcntl(3, F_GETFL));
  R(socket(AF_UNIX, SOCK_SEQPACKET, AF_UNIX));
  R(socket(AF_UNIX, SOCK_RAW, 0));
  R(option(6, SO_TYPE));
  R(socket(AF_UNIX, SOCK_RDM, 0));
  R(socket(AF_UNIX, SOCK_STREAM, 17));
  R(socket(AF_UNIX, 77, 0));
  R(socket(AF_UNIX, 0, 0));
  R(socket(AF_UNIX, 11, 0));
  R(socket(AF_UNIX, SOCK_STREAM | 0x10000, 0));
  R(socket(-1, SOCK_STREAM, 0));
  R(socket(99, SOCK_STREAM, 0));
  R(socket(0, SOCK_STREAM, 0));
  R(socketpair(AF_UNIX, SOCK_STREAM, 0, 0));
  R(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  R(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, t));
  R(socketpair(AF_UNIX, 9, 0, t));
  struct stat st;
  R(fstat(s[0], &st));
  printf("mode %o size %ld nlink %ld\n", st.st_mode, (long)st.st_size, (long)st.st_nlink);
  R(fchmod(s[0], 0700));
  R(fstat(s[0], &st));
  printf("mode %o\n", st.st_mode);
  R(lseek(s[0], 0, SEEK_CUR));
  R(pread(s[0], b, 1, 0));
  R(pwrite(s[0], b, 1, 0));
  R(ftruncate(s[0], 0));
  R(fsync(s[0]));
  R(fallocate(s[0], 0, 0, 1));
  R(isatty(s[0]));
  R(open("/proc/self/fd/3", O_RDWR));
  R(readlink("/proc/self/fd/3", b, 8));
  printf("%.8s\n", b);
  for (int k = 3; k < 7; k++) printf("events %d: %#x\n", k, events(k));
  printf("events %#x\n", events(s[0]));
  names(s[0]);
  closeall();
}

static void not_sockets(void) {
  int f = open("/dev/null", O_RDWR);
  R(bind(f, (void *)&un, named("x")));
  R(bind(99, (void *)&un, named("x")));
  R(bind(99, 0, 5));
  R(connect(f, (void *)&un, 10));
  R(connect(99, (void *)&un, 10));
  R(listen(f, 1));
  R(listen(99, 1));
  R(accept(f, 0, 0));
  R(accept(99, 0, 0));
  R(accept4(f, 0, 0, 77));
  R(accept4(99, 0, 0, 77));
  R(send(f, b, 1, 0));
  R(recv(99, b, 1, 0));
  R(sendmsg(99, 0, 0));
  R(recvmsg(f, 0, 0));
  R(sendmmsg(99, 0, 1, 0));
  R(recvmmsg(f, 0, 1, 0, 0));
  R(sendmmsg(f, 0, 0, 0));
  R(shutdown(f, 0));
  R(getsockname(f, 0, 0));
  R(getpeername(99, 0, 0));
  R(setsockopt(f, SOL_SOCKET, SO_REUSEADDR, 0, 4));
  R(getsockopt(99, SOL_SOCKET, SO_REUSEADDR, 0, 0));
  close(f);
}

static void bad_operands(void) {
  l = socket(AF_UNIX, SOCK_STREAM, 0);
  R(bind(l, 0, 5));
  R(bind(l, (void *)&un, -1));
  R(bind(l, (void *)&un, 129));
  R(bind(l, (void *)&un, 0));
  R(bind(l, (void *)&un, 1));
  un.sun_family = AF_INET;
  R(bind(l, (void *)&un, 20));
  un.sun_family = AF_UNIX;
  R(bind(l, (void *)&un, 111));
  R(connect(l, 0, 5));
  R(connect(l, (void *)&un, -1));
  R(connect(l, (void *)&un, 2));
  R(connect(l, (void *)&un, 111));
  R(listen(l, 1));
  R(accept(l, 0, 0));
  R(shutdown(l, 3));
  R(shutdown(l, -1));
  R(getsockname(l, (void *)&un, 0));
  len = -1;
  R(getsockname(l, (void *)&un, &len));
  len = 100;
  R(getsockname(l, 0, &len));
  R(getsockname(l, (void *)&un, &len));
  R(len);
  len = 1;
  R(getsockname(l, (void *)&un, &len));
  R(len);
  R(getpeername(l, (void *)&un, &len));
  R(recv(l, b, 1, 0));
  R(send(l, b, 1, 0));
  R(sendto(l, b, 1, 0, (void *)&un, named("@nobody")));
  R(sendto(l, b, 1, 0, (void *)&un, 200));
  R(read(l, b, 0));
  R(read(l, b, 1));
  R(write(l, b, 1));
  R(recv(l, b, 1, MSG_OOB));
  R(ioctl(l, 0x5401, b));
  R(ioctl(l, FIONREAD, &n));
  R(n);
  R(ioctl(l, FIONREAD, 0));
  closeall();
}

static void stream(void) {
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  R(write(s[0], "hello", 5));
  R(write(s[0], " world", 6));
  R(write(s[0], "", 0));
  R(ioctl(s[1], FIONREAD, &n));
  R(n);
  R(ioctl(s[0], TIOCOUTQ, &n));
  R(n);
  R(recv(s[1], b, 3, MSG_PEEK));
  R(recv(s[1], b, 100, MSG_PEEK));
  R(recv(s[1], b, 7, 0));
  printf("%.7s\n", b);
  R(recv(s[1], b, 100, MSG_TRUNC));
  R(recv(s[1], b, 100, MSG_DONTWAIT));
  R(recv(s[1], b, 0, MSG_DONTWAIT));
  R(read(s[1], b, 0));
  struct iovec iov[3] = {{"one ", 4}, {"two ", 4}, {"three", 5}};
  R(writev(s[1], iov, 3));
  char x[5] = {0}, y[5] = {0};
  struct iovec into[2] = {{x, 4}, {y, 4}};
  R(readv(s[0], into, 2));
  printf("%s%s\n", x, y);
  R(recv(s[0], b, 100, 0));
  len = sizeof un;
  write(s[1], "q", 1);
  R(recvfrom(s[0], b, 10, 0, (void *)&un, &len));
  R(len);
  R(sendto(s[0], b, 1, 0, (void *)&un, named("@nobody")));
  R(connect(s[0], (void *)&un, named("@nobody")));
  R(listen(s[0], 1));
  names(s[0]);
  // shutdown, half by half
  printf("events %#x\n", events(s[0]));
  R(shutdown(s[0], SHUT_WR));
  printf("events %#x %#x\n", events(s[0]), events(s[1]));
  signal(SIGPIPE, on_signal);
  R(write(s[0], "x", 1));
  R(send(s[0], "x", 1, MSG_NOSIGNAL));
  R(read(s[1], b, 10));
  R(write(s[1], "back", 4));
  R(read(s[0], b, 10));
  R(shutdown(s[0], SHUT_RD));
  printf("events %#x %#x\n", events(s[0]), events(s[1]));
  R(write(s[1], "x", 1));
  R(read(s[0], b, 10));
  closeall();
  // the peer goes
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  write(s[0], "left", 4);
  close(s[0]);
  printf("events %#x\n", events(s[1]));
  R(read(s[1], b, 10));
  R(read(s[1], b, 10));
  R(write(s[1], "x", 1));
  R(option(s[1], SO_ERROR));
  names(s[1]);
  closeall();
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  write(s[1], "unread", 6);
  close(s[0]);
  printf("events %#x\n", events(s[1]));
  R(read(s[1], b, 10));
  R(read(s[1], b, 10));
  closeall();
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  write(s[1], "unread", 6);
  close(s[0]);
  R(write(s[1], "x", 1));
  R(write(s[1], "x", 1));
  closeall();
  signal(SIGPIPE, SIG_DFL);
}

static void *slow_reader(void *arg) {
  long total = 0;
  int r;
  while ((r = read(*(int *)arg, b, 1000)) > 0) total += r;
  return (void *)total;
}
static void *slow_writer(void *arg) {
  for (int i = 0; i < 4; i++) {
    usleep(2000);
    write(*(int *)arg, "1234567890", 10);
  }
  return 0;
}
/** Closes s[1] once a write on s[0] is under way. */
static void *closer(void *arg) {
  int queued = 0;
  while (queued == 0) ioctl(s[0], TIOCOUTQ, &queued);
  close(s[1]);
  return 0;
}
static void blocking(void) {
  static char big[600000];
  pthread_t thread;
  void *total;
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  pthread_create(&thread, 0, slow_reader, &s[1]);
  R(write(s[0], big, sizeof big));
  R(send(s[0], big, 1, 0));
  close(s[0]);
  pthread_join(thread, &total);
  printf("read %ld\n", (long)total);
  closeall();
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  pthread_create(&thread, 0, slow_writer, &s[1]);
  R(recv(s[0], b, 40, MSG_WAITALL));
  pthread_join(thread, 0);
  write(s[1], "abc", 3);
  close(s[1]);
  R(recv(s[0], b, 40, MSG_WAITALL));
  closeall();
  // how much fits
  int sizes[] = {1, 100, 193, 1000, 1728};
  for (int k = 0; k < 5; k++) {
    socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    fcntl(s[0], F_SETFL, O_NONBLOCK);
    int r, times = 0;
    long sum = 0;
    while ((r = write(s[0], b, sizes[k])) > 0) times++, sum += r;
    ioctl(s[0], TIOCOUTQ, &n);
    printf("%d bytes: %d times, %ld, %d queued, events %#x\n", sizes[k], times, sum, n, events(s[0]));
    while (sum > 0 && !(events(s[0]) & POLLOUT)) sum -= read(s[1], b, 4096);
    printf("%ld left\n", sum);
    closeall();
  }
  // a buffer of another size
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  R(option(s[0], SO_SNDBUF));
  R(set(s[0], SO_SNDBUF, 1));
  R(option(s[0], SO_SNDBUF));
  R(set(s[0], SO_SNDBUF, 10000));
  R(option(s[0], SO_SNDBUF));
  R(option(s[0], SO_RCVBUF));
  R(set(s[0], SO_RCVBUF, 1));
  R(option(s[0], SO_RCVBUF));
  fcntl(s[0], F_SETFL, O_NONBLOCK);
  R(write(s[0], big, sizeof big));
  R(write(s[0], big, sizeof big));
  // time limits
  struct timeval tv = {0, 20000};
  R(setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
  R(setsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &tv, 4));
  tv.tv_usec = 2000000;
  R(setsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
  tv.tv_usec = 20000;
  R(setsockopt(s[0], SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv));
  memset(&tv, 0, sizeof tv);
  len = sizeof tv;
  R(getsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, &len));
  printf("%ld.%06ld %u\n", (long)tv.tv_sec, (long)tv.tv_usec, len);
  fcntl(s[0], F_SETFL, 0);
  R(read(s[0], b, 1));
  R(write(s[0], b, 100000));
  // signals
  tv = (struct timeval){100, 0};
  setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
  after(10, SA_RESTART); // not restarted, for the time limit
  R(read(s[0], b, 1));
  calm();
  tv.tv_sec = 0;
  setsockopt(s[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
  after(10, 0);
  R(read(s[0], b, 1));
  calm();
  wake = s[1];
  after(10, SA_RESTART);
  R(recv(s[0], b, 1, 0));
  calm();
  closeall();
  // a writer that waits when the reader goes
  signal(SIGPIPE, on_signal);
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  pthread_create(&thread, 0, closer, 0);
  R(write(s[0], big, sizeof big) > 0);
  pthread_join(thread, 0);
  R(write(s[0], big, 1));
  signal(SIGPIPE, SIG_DFL);
  closeall();
}

static void datagrams(void) {
  socketpair(AF_UNIX, SOCK_DGRAM, 0, s);
  R(write(s[0], "hello", 5));
  R(write(s[0], "", 0));
  R(write(s[0], "second", 6));
  R(ioctl(s[1], FIONREAD, &n));
  R(n);
  R(recv(s[1], b, 3, MSG_PEEK));
  R(recv(s[1], b, 3, MSG_PEEK | MSG_TRUNC));
  struct iovec one = {b, 3};
  struct msghdr h = {.msg_iov = &one, .msg_iovlen = 1};
  R(recvmsg(s[1], &h, 0));
  printf("flags %#x\n", h.msg_flags);
  R(recv(s[1], b, 3, 0));
  R(recv(s[1], b, 3, MSG_TRUNC));
  R(recv(s[1], b, 3, MSG_DONTWAIT));
  R(write(s[0], b, 212960));
  R(recv(s[1], b, sizeof b, 0));
  R(write(s[0], b, 212961));
  R(send(s[0], b, 1, MSG_OOB));
  for (int i = 0; i < 150000; i++) b[i] = i * 7;
  R(send(s[0], b, 150000, 0));
  memset(b, 0, 150000);
  R(recv(s[1], b, 140000, MSG_TRUNC));
  for (n = 0; n < 140000 && b[n] == (char)(n * 7); n++)
    ;
  R(n);
  R(recv(s[1], b, 3, MSG_DONTWAIT));
  fcntl(s[0], F_SETFL, O_NONBLOCK);
  for (n = 0; write(s[0], b, 1000) > 0; n++)
    ;
  R(n);
  printf("events %#x\n", events(s[0]));
  R(shutdown(s[0], SHUT_WR));
  R(write(s[0], b, 1));
  R(write(s[1], b, 1));
  R(shutdown(s[1], SHUT_RD));
  printf("events %#x %#x\n", events(s[0]), events(s[1]));
  closeall();
  // names
  unlink("d1");
  unlink("d2");
  l = socket(AF_UNIX, SOCK_DGRAM, 0);
  c = socket(AF_UNIX, SOCK_DGRAM, 0);
  R(send(c, b, 1, 0));
  R(recv(c, b, 1, MSG_DONTWAIT));
  R(sendto(c, b, 1, 0, (void *)&un, named("d1")));
  R(bind(l, (void *)&un, named("d1")));
  R(sendto(c, "one", 3, 0, (void *)&un, named("d1")));
  len = sizeof un;
  R(recvfrom(l, b, 10, 0, (void *)&un, &len));
  R(len);
  R(bind(c, (void *)&un, named("d2")));
  R(sendto(c, "two", 3, 0, (void *)&un, named("d1")));
  len = sizeof un;
  memset(&un, 0, sizeof un);
  R(recvfrom(l, b, 10, 0, (void *)&un, &len));
  show("from", 0);
  R(connect(c, (void *)&un, named("d1")));
  names(c);
  R(send(c, "three", 5, 0));
  R(sendto(l, "back", 4, 0, (void *)&un, named("d2")));
  R(recv(c, b, 10, 0));
  int third = socket(AF_UNIX, SOCK_DGRAM, 0);
  R(sendto(third, "no", 2, 0, (void *)&un, named("d2")));
  R(connect(third, (void *)&un, named("d2")));
  R(listen(third, 1));
  R(accept(third, 0, 0));
  un.sun_family = AF_UNSPEC;
  R(connect(c, (void *)&un, 2));
  names(c);
  R(sendto(third, "yes", 3, 0, (void *)&un, named("d2")));
  // a full queue
  fcntl(third, F_SETFL, O_NONBLOCK);
  connect(third, (void *)&un, named("d1"));
  for (n = 0; send(third, b, 10, 0) > 0; n++)
    ;
  printf("%d fit, %s, events %#x\n", n, strerrorname_np(errno), events(third));
  recv(l, b, 10, 0);
  printf("events %#x\n", events(third));
  close(l);
  printf("events %#x\n", events(third));
  R(send(third, b, 10, 0));
  R(send(third, b, 10, 0));
  R(sendto(third, b, 1, 0, (void *)&un, named("d1")));
  closeall();
  unlink("d1");
  unlink("d2");
}

static void packets(void) {
  signal(SIGPIPE, on_signal);
  socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s);
  R(write(s[0], "hello", 5));
  R(write(s[0], "world", 5));
  R(sendto(s[0], "!", 1, MSG_EOR, (void *)&un, named("@nobody")));
  R(ioctl(s[1], FIONREAD, &n));
  R(n);
  R(read(s[1], b, 3));
  struct iovec one = {b, 10};
  struct msghdr h = {.msg_iov = &one, .msg_iovlen = 1};
  R(recvmsg(s[1], &h, 0));
  printf("flags %#x\n", h.msg_flags);
  R(recvmsg(s[1], &h, 0));
  printf("flags %#x\n", h.msg_flags);
  R(recv(s[1], b, 3, MSG_DONTWAIT));
  printf("events %#x\n", events(s[0]));
  R(shutdown(s[0], SHUT_WR));
  printf("events %#x %#x\n", events(s[0]), events(s[1]));
  R(write(s[0], b, 1));
  R(recv(s[1], b, 3, MSG_DONTWAIT));
  R(read(s[1], b, 3));
  R(write(s[1], "last", 4));
  close(s[0]);
  printf("events %#x\n", events(s[1]));
  R(write(s[1], b, 1));
  R(read(s[1], b, 3));
  R(write(s[1], b, 1));
  closeall();
  c = socket(AF_UNIX, SOCK_SEQPACKET, 0);
  R(read(c, b, 1));
  R(write(c, b, 1));
  printf("events %#x\n", events(c));
  closeall();
  signal(SIGPIPE, SIG_DFL);
}

static void connections(void) {
  struct stat st;
  unlink("path");
  l = socket(AF_UNIX, SOCK_STREAM, 0);
  umask(027);
  R(bind(l, (void *)&un, named("nowhere/path")));
  R(bind(l, (void *)&un, named("/dev/null/x")));
  R(bind(l, (void *)&un, named("path")));
  R(stat("path", &st));
  printf("mode %o\n", st.st_mode);
  umask(022);
  R(bind(l, (void *)&un, named("other")));
  R(access("other", F_OK));
  R(bind(l, (void *)&un, named("@other")));
  R(open("path", O_RDWR));
  c = socket(AF_UNIX, SOCK_STREAM, 0);
  R(bind(c, (void *)&un, named("path")));
  R(connect(c, (void *)&un, named("path")));
  R(connect(c, (void *)&un, named("absent")));
  R(connect(c, (void *)&un, named("/dev/null")));
  R(connect(c, (void *)&un, named("@absent")));
  R(listen(l, 1));
  printf("events %#x\n", events(l));
  R(option(l, SO_ACCEPTCONN));
  R(accept4(l, 0, 0, 5));
  fcntl(l, F_SETFL, O_NONBLOCK);
  R(accept(l, 0, 0));
  R(read(l, b, 1));
  R(write(l, b, 1));
  R(ioctl(l, FIONREAD, &n));
  R(connect(l, (void *)&un, named("path")));
  int d = socket(AF_UNIX, SOCK_DGRAM, 0);
  R(connect(d, (void *)&un, named("path")));
  R(sendto(d, b, 1, 0, (void *)&un, named("path")));
  R(connect(c, (void *)&un, named("path")));
  R(connect(c, (void *)&un, named("path")));
  R(listen(c, 1));
  printf("events %#x %#x\n", events(l), events(c));
  R(write(c, "early", 5));
  names(c);
  int more[6];
  for (int i = 0; i < 4; i++) {
    more[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    R(connect(more[i], (void *)&un, named("path")));
  }
  len = sizeof un;
  memset(&un, 0, sizeof un);
  R(a = accept4(l, (void *)&un, &len, SOCK_CLOEXEC | SOCK_NONBLOCK));
  show("accepted", 0);
  R(fcntl(a, F_GETFD));
  R(fcntl(a, F_GETFL));
  names(a);
  R(read(a, b, 10));
  R(read(a, b, 10));
  printf("events %#x %#x\n", events(a), events(l));
  R(connect(more[3], (void *)&un, named("path")));
  R(write(more[3], "hello", 5));
  close(l);
  printf("events %#x\n", events(more[3]));
  R(read(more[3], b, 1));
  R(read(more[3], b, 1));
  R(connect(more[2], (void *)&un, named("path")));
  R(write(c, "still", 5));
  R(read(a, b, 10));
  R(access("path", F_OK));
  closeall();
  unlink("path");
  // abstract names
  l = socket(AF_UNIX, SOCK_STREAM, 0);
  c = socket(AF_UNIX, SOCK_STREAM, 0);
  R(bind(l, (void *)&un, named("@mol-conformance")));
  R(bind(c, (void *)&un, named("@mol-conformance")));
  names(l);
  R(listen(l, 5));
  R(connect(c, (void *)&un, named("@mol-conformanc")));
  R(connect(c, (void *)&un, named("@mol-conformance")));
  names(c);
  close(l);
  R(read(c, b, 1));
  l = socket(AF_UNIX, SOCK_STREAM, 0);
  R(bind(l, (void *)&un, named("@mol-conformance")));
  closeall();
  // autobind
  l = socket(AF_UNIX, SOCK_DGRAM, 0);
  un.sun_family = AF_UNIX;
  R(bind(l, (void *)&un, 2));
  len = sizeof un;
  R(getsockname(l, (void *)&un, &len));
  printf("len %u, %d\n", len, un.sun_path[0]);
  R(bind(l, (void *)&un, 2));
  closeall();
  // the full path, without a NUL
  l = socket(AF_UNIX, SOCK_STREAM, 0);
  memset(&un, 'x', sizeof un);
  un.sun_family = AF_UNIX;
  unlink("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
  R(bind(l, (void *)&un, sizeof un));
  names(l);
  unlink("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
  closeall();
}

static void *late_accept(void *arg) {
  usleep(3000);
  close(accept(*(int *)arg, 0, 0));
  return 0;
}
static void *late_connect(void *arg) {
  usleep(3000);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un to = {AF_UNIX, "\0mol-late"};
  connect(fd, (void *)&to, 11);
  return (void *)(long)fd;
}
static void waiting_connections(void) {
  pthread_t thread;
  l = socket(AF_UNIX, SOCK_STREAM, 0);
  R(bind(l, (void *)&un, named("@mol-late")));
  R(listen(l, 0));
  pthread_create(&thread, 0, late_connect, 0);
  R((a = accept(l, 0, 0)) > 0);
  pthread_join(thread, 0);
  c = socket(AF_UNIX, SOCK_STREAM, 0);
  R(connect(c, (void *)&un, named("@mol-late")));
  pthread_create(&thread, 0, late_accept, &l);
  int d = socket(AF_UNIX, SOCK_STREAM, 0);
  R(connect(d, (void *)&un, named("@mol-late")));
  pthread_join(thread, 0);
  struct timeval tv = {0, 10000};
  int e = socket(AF_UNIX, SOCK_STREAM, 0);
  setsockopt(e, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
  R(connect(e, (void *)&un, named("@mol-late")));
  int f = socket(AF_UNIX, SOCK_STREAM, 0);
  after(10, 0);
  R(connect(f, (void *)&un, named("@mol-late")));
  calm();
  R(setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
  R(close(accept(l, 0, 0)));
  R(accept(l, 0, 0));
  struct rlimit old, few = {9, 9};
  getrlimit(RLIMIT_NOFILE, &old);
  connect(f, (void *)&un, named("@mol-late"));
  few.rlim_max = old.rlim_max;
  few.rlim_cur = f + 1;
  for (int fd = 3; fd < f; fd++)
    if (fcntl(fd, F_GETFD) < 0) dup2(0, fd);
  setrlimit(RLIMIT_NOFILE, &few);
  R(accept(l, 0, 0));
  setrlimit(RLIMIT_NOFILE, &old);
  R(close(accept(l, 0, 0)));
  R(shutdown(l, SHUT_RD));
  R(accept(l, 0, 0));
  R(connect(e, (void *)&un, named("@mol-late")));
  closeall();
}

static void permissions(void) {
  unlink("mine");
  l = socket(AF_UNIX, SOCK_STREAM, 0);
  bind(l, (void *)&un, named("mine"));
  listen(l, 5);
  chmod("mine", 0700);
  fflush(stdout);
  if (fork() == 0) {
    setresgid(99, 99, 99);
    setresuid(99, 99, 99);
    c = socket(AF_UNIX, SOCK_STREAM, 0);
    R(connect(c, (void *)&un, named("mine")));
    R(bind(c, (void *)&un, named("/etc/mine")));
    fflush(stdout);
    _exit(0);
  }
  wait(0);
  closeall();
  unlink("mine");
}

// -- ancillary data --

static union {
  char room[8192];
  struct cmsghdr align;
} control;
static int give(int to, int *fds, int count, size_t bytes) {
  struct iovec one = {"data", bytes};
  struct msghdr h = {.msg_iov = &one, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = CMSG_SPACE(4 * count)};
  memset(control.room, 0, sizeof control);
  struct cmsghdr *m = CMSG_FIRSTHDR(&h);
  m->cmsg_level = SOL_SOCKET;
  m->cmsg_type = SCM_RIGHTS;
  m->cmsg_len = CMSG_LEN(4 * count);
  memcpy(CMSG_DATA(m), fds, 4 * count);
  return sendmsg(to, &h, MSG_DONTWAIT);
}
static int got[300], gots;
static int take(int from, size_t room, int flags, size_t bytes) {
  struct iovec one = {b, bytes};
  struct msghdr h = {.msg_iov = &one, .msg_iovlen = 1, .msg_control = room ? control.room : 0, .msg_controllen = room};
  memset(control.room, 0x77, sizeof control);
  int r = recvmsg(from, &h, flags | MSG_DONTWAIT);
  int error = errno;
  gots = 0;
  printf("recvmsg %d%s%s flags %#x controllen %lu", r, r < 0 ? " " : "", r < 0 ? strerrorname_np(error) : "", h.msg_flags, (unsigned long)h.msg_controllen);
  if (r >= 0)
    for (struct cmsghdr *m = CMSG_FIRSTHDR(&h); m; m = CMSG_NXTHDR(&h, m)) {
      printf(" {len %lu level %d type %d", (unsigned long)m->cmsg_len, m->cmsg_level, m->cmsg_type);
      if (m->cmsg_type == SCM_RIGHTS) {
        int count = (m->cmsg_len - CMSG_LEN(0)) / 4;
        for (int i = 0; i < count; i++) {
          got[gots] = ((int *)CMSG_DATA(m))[i];
          printf(i < 3 ? " %d" : "", got[gots++]);
        }
      } else if (m->cmsg_type == SCM_CREDENTIALS && m->cmsg_len >= CMSG_LEN(12)) {
        struct ucred *u = (void *)CMSG_DATA(m);
        printf(" pid %s uid %d gid %d", u->pid == getpid() ? "mine" : u->pid == 0 ? "0" : "other", u->uid, u->gid);
      }
      printf("}");
    }
  printf("\n");
  return r;
}
static void rights(void) {
  int p[2], many[300];
  pipe(p);
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  R(give(s[0], p, 2, 4));
  R(take(s[1], 200, 0, 10));
  R(write(got[1], "through", 7));
  R(read(p[0], b, 10));
  R(fcntl(got[0], F_GETFD));
  close(got[0]);
  close(got[1]);
  R(give(s[0], p, 1, 4));
  R(take(s[1], 200, MSG_CMSG_CLOEXEC, 10));
  R(fcntl(got[0], F_GETFD));
  close(got[0]);
  // looked at, then taken
  R(give(s[0], p, 1, 4));
  R(take(s[1], 200, MSG_PEEK, 10));
  R(take(s[1], 200, 0, 10));
  close(got[0]);
  close(got[0] - 1);
  // boundaries: data, data with descriptors, data
  write(s[0], "before", 6);
  R(give(s[0], p, 1, 4));
  write(s[0], "behind", 6);
  R(take(s[1], 200, 0, 100));
  close(got[0]);
  R(take(s[1], 200, 0, 100));
  R(give(s[0], p, 1, 4));
  R(take(s[1], 200, 0, 2));
  close(got[0]);
  R(take(s[1], 200, 0, 20));
  // no room for them
  R(give(s[0], p, 2, 4));
  R(take(s[1], 0, 0, 10));
  R(give(s[0], p, 2, 4));
  R(take(s[1], 15, 0, 10));
  R(give(s[0], p, 2, 4));
  R(take(s[1], CMSG_LEN(4), 0, 10));
  if (gots) close(got[0]);
  R(give(s[0], p, 2, 4));
  R(take(s[1], 19, 0, 10));
  R(give(s[0], p, 2, 4));
  R(read(s[1], b, 10));
  // as many as go, and one too many
  for (int i = 0; i < 300; i++) many[i] = p[0];
  R(give(s[0], many, 253, 4));
  R(take(s[1], 4000, 0, 10));
  R(gots);
  for (int i = 0; i < gots; i++) close(got[i]);
  R(give(s[0], many, 254, 4));
  many[1] = 999;
  R(give(s[0], many, 2, 4));
  R(give(s[0], many, 0, 4));
  R(take(s[1], 200, 0, 10));
  R(give(s[0], p, 1, 0));
  R(take(s[1], 200, 0, 10));
  // broken headers
  struct iovec one = {"data", 4};
  struct msghdr h = {.msg_iov = &one, .msg_iovlen = 1, .msg_control = control.room};
  memset(control.room, 0, sizeof control);
  control.align.cmsg_level = SOL_SOCKET;
  control.align.cmsg_type = SCM_RIGHTS;
  control.align.cmsg_len = 100;
  h.msg_controllen = 24;
  R(sendmsg(s[0], &h, 0));
  control.align.cmsg_len = 5;
  R(sendmsg(s[0], &h, 0));
  control.align.cmsg_len = 20;
  control.align.cmsg_type = 77;
  R(sendmsg(s[0], &h, 0));
  control.align.cmsg_level = 77;
  R(sendmsg(s[0], &h, 0));
  h.msg_controllen = 8;
  R(sendmsg(s[0], &h, 0));
  h.msg_control = (void *)16;
  h.msg_controllen = 24;
  R(sendmsg(s[0], &h, 0));
  h.msg_control = 0;
  h.msg_controllen = 0;
  h.msg_iovlen = 1025;
  R(sendmsg(s[0], &h, 0));
  R(recvmsg(s[0], &h, 0));
  h.msg_iovlen = 1;
  one.iov_base = (void *)16;
  R(sendmsg(s[0], &h, 0));
  one.iov_len = -1;
  R(sendmsg(s[0], &h, 0));
  h.msg_iov = (void *)16;
  R(sendmsg(s[0], &h, 0));
  R(recvmsg(s[0], &h, 0));
  R(sendmsg(s[0], (void *)16, 0));
  while (recv(s[1], b, sizeof b, MSG_DONTWAIT) > 0)
    ;
  closeall();
  // datagrams carry them too; what is not received is closed
  pipe(p);
  socketpair(AF_UNIX, SOCK_DGRAM, 0, s);
  R(give(s[0], p, 1, 4));
  R(take(s[1], 200, 0, 2));
  close(got[0]);
  R(give(s[0], &p[1], 1, 4));
  close(p[1]);
  fcntl(p[0], F_SETFL, O_NONBLOCK);
  R(read(p[0], b, 1));
  close(s[1]);
  R(read(p[0], b, 1));
  closeall();
  // a cycle: each is only in the other's queue
  pipe(p);
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  socketpair(AF_UNIX, SOCK_STREAM, 0, t);
  give(s[0], &p[1], 1, 4);
  give(s[0], &t[1], 1, 4);
  give(t[0], &s[1], 1, 4);
  close(p[1]);
  fcntl(p[0], F_SETFL, O_NONBLOCK);
  R(read(p[0], b, 1));
  close(s[0]);
  close(s[1]);
  close(t[0]);
  R(read(p[0], b, 1));
  close(t[1]);
  close(socket(AF_UNIX, SOCK_STREAM, 0)); // looked for when a socket is released
  for (n = 0; n < 1000 && read(p[0], b, 1) < 0; n++) usleep(1000);
  R(read(p[0], b, 1));
  closeall();
}

static int claim(int to, pid_t pid, uid_t uid, gid_t gid) {
  struct iovec one = {"data", 4};
  struct msghdr h = {.msg_iov = &one, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = CMSG_SPACE(12)};
  memset(control.room, 0, sizeof control);
  struct cmsghdr *m = CMSG_FIRSTHDR(&h);
  m->cmsg_level = SOL_SOCKET;
  m->cmsg_type = SCM_CREDENTIALS;
  m->cmsg_len = CMSG_LEN(12);
  struct ucred u = {pid, uid, gid};
  memcpy(CMSG_DATA(m), &u, 12);
  return sendmsg(to, &h, MSG_DONTWAIT);
}
static void credentials(void) {
  struct ucred u;
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  len = sizeof u;
  R(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &u, &len));
  printf("%s %d %d, %u\n", u.pid == getpid() ? "mine" : "other", u.uid, u.gid, len);
  len = 5;
  R(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &u, &len));
  R(len);
  write(s[0], "before", 6);
  R(set(s[1], SO_PASSCRED, 1));
  R(option(s[1], SO_PASSCRED));
  R(take(s[1], 200, 0, 100));
  write(s[0], "a", 1);
  write(s[0], "b", 1);
  R(take(s[1], 200, 0, 100));
  write(s[0], "c", 1);
  fflush(stdout);
  if (fork() == 0) {
    write(s[0], "d", 1);
    _exit(0);
  }
  wait(0);
  R(take(s[1], 200, 0, 100));
  R(take(s[1], 200, 0, 100));
  write(s[0], "e", 1);
  R(take(s[1], 0, 0, 100));
  write(s[0], "e", 1);
  R(take(s[1], 20, 0, 100));
  write(s[0], "e", 1);
  R(take(s[1], 8, 0, 100));
  R(claim(s[0], getpid(), getuid(), getgid()));
  R(take(s[1], 200, 0, 100));
  R(claim(s[0], 1, 77, 88));
  R(take(s[1], 200, 0, 100));
  R(claim(s[0], 999999, 0, 0));
  R(give(s[0], s, 1, 4));
  R(take(s[1], 200, 0, 100));
  close(got[0]);
  fflush(stdout);
  if (fork() == 0) {
    setresgid(55, 55, 55);
    setresuid(66, 66, 66);
    R(claim(s[0], getpid(), 66, 55));
    R(claim(s[0], getppid(), 66, 55));
    R(claim(s[0], getpid(), 0, 55));
    R(claim(s[0], getpid(), 66, 0));
    write(s[0], "f", 1);
    fflush(stdout);
    _exit(0);
  }
  wait(0);
  R(take(s[1], 200, 0, 100));
  closeall();
  l = socket(AF_UNIX, SOCK_STREAM, 0);
  c = socket(AF_UNIX, SOCK_STREAM, 0);
  len = sizeof u;
  R(getsockopt(l, SOL_SOCKET, SO_PEERCRED, &u, &len));
  printf("%d %d %d\n", u.pid, u.uid, u.gid);
  bind(l, (void *)&un, named("@mol-cred"));
  listen(l, 1);
  R(connect(c, (void *)&un, named("@mol-cred")));
  a = accept(l, 0, 0);
  len = sizeof u;
  R(getsockopt(a, SOL_SOCKET, SO_PEERCRED, &u, &len));
  printf("%s %d %d\n", u.pid == getpid() ? "mine" : "other", u.uid, u.gid);
  closeall();
  socketpair(AF_UNIX, SOCK_DGRAM, 0, s);
  set(s[1], SO_PASSCRED, 1);
  write(s[0], "x", 1);
  R(take(s[1], 200, 0, 100));
  closeall();
}

static void several(void) {
  socketpair(AF_UNIX, SOCK_DGRAM, 0, s);
  struct iovec iov[4] = {{"one", 3}, {"three", 5}, {"", 0}, {"four", 4}};
  struct mmsghdr m[4] = {0};
  for (int i = 0; i < 4; i++) m[i].msg_hdr.msg_iov = &iov[i], m[i].msg_hdr.msg_iovlen = 1;
  R(sendmmsg(s[0], m, 4, 0));
  for (int i = 0; i < 4; i++) printf("%u ", m[i].msg_len);
  char into[6][10] = {0};
  struct iovec in[6];
  struct mmsghdr g[6] = {0};
  for (int i = 0; i < 6; i++) in[i].iov_base = into[i], in[i].iov_len = 4, g[i].msg_hdr.msg_iov = &in[i], g[i].msg_hdr.msg_iovlen = 1;
  R(recvmmsg(s[1], g, 6, MSG_DONTWAIT, 0));
  for (int i = 0; i < 6; i++) printf("%u %.4s %#x, ", g[i].msg_len, into[i], g[i].msg_hdr.msg_flags);
  R(recvmmsg(s[1], g, 6, MSG_DONTWAIT, 0));
  R(sendmmsg(s[0], m, 2, 0));
  R(recvmmsg(s[1], g, 6, MSG_WAITFORONE, 0));
  struct timespec zero = {0, 0}, wrong = {0, 2000000000};
  R(sendmmsg(s[0], m, 2, 0));
  R(recvmmsg(s[1], g, 6, 0, &zero));
  R(recvmmsg(s[1], g, 6, 0, &wrong));
  R(recvmmsg(s[1], g, 0, 0, 0));
  R(sendmmsg(s[0], m, 0, 0));
  m[1].msg_hdr.msg_iovlen = 2000;
  R(sendmmsg(s[0], m, 2, 0));
  R(sendmmsg(s[0], m + 1, 1, 0));
  m[1].msg_hdr.msg_iovlen = 1;
  close(s[1]);
  R(sendmmsg(s[0], m, 2, 0));
  closeall();
}

static void options(void) {
  int names[] = {SO_DEBUG, SO_REUSEADDR, SO_TYPE, SO_ERROR, SO_DONTROUTE, SO_BROADCAST, SO_SNDBUF, SO_RCVBUF, SO_KEEPALIVE, SO_OOBINLINE,
                 SO_PRIORITY, SO_PASSCRED, SO_RCVLOWAT, SO_SNDLOWAT, SO_TIMESTAMP, SO_ACCEPTCONN, SO_PROTOCOL, SO_DOMAIN, SO_MARK, 200}; // SO_REUSEPORT: another answer since 6.13
  s[0] = socket(AF_UNIX, SOCK_STREAM, 0);
  for (int k = 0; k < 20; k++) {
    printf("%d: %d", names[k], option(s[0], names[k]));
    int r = set(s[0], names[k], 2);
    printf(" set %d %s", r, r < 0 ? strerrorname_np(errno) : "");
    printf(" now %d\n", option(s[0], names[k]));
  }
  v = 1;
  R(setsockopt(s[0], SOL_SOCKET, SO_REUSEADDR, &v, 3));
  R(setsockopt(s[0], SOL_SOCKET, SO_REUSEADDR, &v, 40));
  R(setsockopt(s[0], SOL_SOCKET, SO_REUSEADDR, &v, -1));
  R(setsockopt(s[0], SOL_SOCKET, SO_REUSEADDR, 0, 4));
  R(setsockopt(s[0], 77, 1, &v, 4));
  R(setsockopt(s[0], 6, 1, &v, 4));
  len = 4;
  R(getsockopt(s[0], 77, 1, &v, &len));
  len = -4;
  R(getsockopt(s[0], SOL_SOCKET, SO_TYPE, &v, &len));
  len = 100;
  R(getsockopt(s[0], SOL_SOCKET, SO_TYPE, &v, &len));
  R(len);
  len = 2;
  v = -1;
  R(getsockopt(s[0], SOL_SOCKET, SO_TYPE, &v, &len));
  printf("%u %#x\n", len, v);
  len = 0;
  R(getsockopt(s[0], SOL_SOCKET, SO_TYPE, &v, &len));
  R(getsockopt(s[0], SOL_SOCKET, SO_TYPE, 0, &len));
  len = 4;
  R(getsockopt(s[0], SOL_SOCKET, SO_TYPE, 0, &len));
  R(getsockopt(s[0], SOL_SOCKET, SO_TYPE, &v, 0));
  struct linger g = {1, 7};
  R(setsockopt(s[0], SOL_SOCKET, SO_LINGER, &g, 4));
  R(setsockopt(s[0], SOL_SOCKET, SO_LINGER, &g, sizeof g));
  memset(&g, 0, sizeof g);
  len = sizeof g;
  R(getsockopt(s[0], SOL_SOCKET, SO_LINGER, &g, &len));
  printf("%d %d\n", g.l_onoff, g.l_linger);
  closeall();
}

static void polling(void) {
  struct epoll_event e = {0}, got[4];
  int ep = epoll_create1(0);
  socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s);
  e.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  R(epoll_ctl(ep, EPOLL_CTL_ADD, s[0], &e));
  R(epoll_wait(ep, got, 4, 0));
  printf("%#x\n", got[0].events);
  R(epoll_wait(ep, got, 4, 0));
  write(s[1], "a", 1);
  R(epoll_wait(ep, got, 4, 0));
  printf("%#x\n", got[0].events);
  R(epoll_wait(ep, got, 4, 0));
  write(s[1], "b", 1);
  R(epoll_wait(ep, got, 4, 0));
  R(read(s[0], b, 1));
  R(epoll_wait(ep, got, 4, 0));
  shutdown(s[1], SHUT_WR);
  R(epoll_wait(ep, got, 4, 0));
  printf("%#x\n", got[0].events);
  close(s[1]);
  R(epoll_wait(ep, got, 4, 0));
  printf("%#x\n", got[0].events);
  close(s[0]);
  R(epoll_wait(ep, got, 4, 0));
  // level
  socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, s);
  e.events = EPOLLIN;
  R(epoll_ctl(ep, EPOLL_CTL_ADD, s[0], &e));
  R(epoll_wait(ep, got, 4, 0));
  write(s[1], "a", 1);
  R(epoll_wait(ep, got, 4, 0));
  R(epoll_wait(ep, got, 4, 0));
  read(s[0], b, 1);
  R(epoll_wait(ep, got, 4, 0));
  pthread_t thread;
  pthread_create(&thread, 0, slow_writer, &s[1]);
  R(epoll_wait(ep, got, 4, 5000));
  struct pollfd p = {s[0], POLLIN, 0};
  pthread_join(thread, 0);
  while (read(s[0], b, 100) > 0)
    ;
  pthread_create(&thread, 0, slow_writer, &s[1]);
  R(poll(&p, 1, 5000));
  fd_set set;
  FD_ZERO(&set);
  FD_SET(s[0], &set);
  pthread_join(thread, 0);
  while (read(s[0], b, 100) > 0)
    ;
  pthread_create(&thread, 0, slow_writer, &s[1]);
  R(select(s[0] + 1, &set, 0, 0, 0));
  pthread_join(thread, 0);
  closeall();
  // moved by the kernel
  int p2[2], f = open("/etc/hostname", O_RDONLY);
  pipe(p2);
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  write(p2[1], "through the pipe", 16);
  R(splice(p2[0], 0, s[0], 0, 100, 0));
  R(splice(s[1], 0, p2[1], 0, 100, 0));
  R(read(p2[0], b, 100));
  R(sendfile(s[0], f, 0, 1000) > 0);
  R(read(s[1], b, 1000) > 0);
  R(sendfile(f, s[1], 0, 10));
  int d = dup(s[0]);
  close(s[0]);
  R(write(d, "dup", 3));
  R(read(s[1], b, 10));
  close(d);
  R(read(s[1], b, 10));
  closeall();
}

int main(void) {
  setvbuf(stdout, 0, _IOFBF, 1 << 16);
  creation();
  not_sockets();
  bad_operands();
  stream();
  blocking();
  datagrams();
  packets();
  connections();
  waiting_connections();
  permissions();
  rights();
  credentials();
  several();
  options();
  polling();
  return 0;
}
