// TCP on loopback: names and ports, connections, half-closed and reset ones, options, urgent data, IPv6 and both at once. No port is printed.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

// Prints the call as written, its result, and errno's name.
#define R(call) \
  do { \
    errno = 0; \
    long result = (long)(call); \
    printf("%s = %ld%s%s\n", #call, result, result < 0 ? " " : "", result < 0 ? strerrorname_np(errno) : ""); \
  } while (0)

static char b[200000];
static int n, l, c, a, p, q;
static socklen_t len;
static struct sockaddr_in in;
static struct sockaddr_in6 in6;

static int events(int fd) {
  struct pollfd one = {fd, POLLIN | POLLOUT | POLLRDHUP | POLLPRI, 0};
  return poll(&one, 1, 0) < 0 ? -1 : one.revents;
}
static struct sockaddr *at(const char *host, int port) {
  memset(&in, 0, sizeof in);
  in.sin_family = AF_INET;
  in.sin_port = htons(port);
  in.sin_addr.s_addr = inet_addr(host);
  return (void *)&in;
}
static struct sockaddr *at6(const char *host, int port) {
  memset(&in6, 0, sizeof in6);
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons(port);
  inet_pton(AF_INET6, host, &in6.sin6_addr);
  return (void *)&in6;
}
#define L (struct sockaddr *)&in, sizeof in
#define AT(host, port) at(host, port), sizeof in
#define AT6(host, port) at6(host, port), sizeof in6
static int port(int fd) {
  struct sockaddr_in6 own;
  socklen_t size = sizeof own;
  getsockname(fd, (void *)&own, &size);
  return ntohs(own.sin6_port);
}
static void show(const char *what, int r, struct sockaddr_in6 *x, socklen_t size) {
  char text[100] = "";
  if (r < 0) {
    printf("%s: %s\n", what, strerrorname_np(errno));
    return;
  }
  struct sockaddr_in *four = (void *)x;
  inet_ntop(x->sin6_family, x->sin6_family == AF_INET ? (void *)&four->sin_addr : (void *)&x->sin6_addr, text, sizeof text);
  printf("%s: family %d len %u host %s port %s\n", what, x->sin6_family, size, text, x->sin6_port ? "some" : "0");
}
static void names(int fd) {
  struct sockaddr_in6 x;
  memset(&x, 0, sizeof x);
  socklen_t size = sizeof x;
  int r = getsockname(fd, (void *)&x, &size);
  show("own", r, &x, size);
  memset(&x, 0, sizeof x);
  size = sizeof x;
  r = getpeername(fd, (void *)&x, &size);
  show("peer", r, &x, size);
}
static int option(int fd, int level, int name) {
  int value = -77;
  socklen_t size = sizeof value;
  return getsockopt(fd, level, name, &value, &size) < 0 ? -errno : value;
}
static int set(int fd, int level, int name, int value) { return setsockopt(fd, level, name, &value, sizeof value); }
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
/** Wait until the other end's packets have come in: data, or its end. */
static void soon(int fd, int what) { poll((struct pollfd[]){{fd, what, 0}}, 1, 5000); }
/** A listener on 127.0.0.1, its port in p; and a connection: c to a. */
static void listener(void) {
  l = socket(AF_INET, SOCK_STREAM, 0);
  bind(l, AT("127.0.0.1", 0));
  listen(l, 5);
  p = port(l);
}
static void connection(void) {
  listener();
  c = socket(AF_INET, SOCK_STREAM, 0);
  connect(c, AT("127.0.0.1", p));
  a = accept(l, 0, 0);
}

static void creation(void) {
  R(socket(AF_INET, SOCK_STREAM, 0));
  R(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
  R(socket(AF_INET6, SOCK_STREAM, 0));
  R(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
  R(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP));
  R(socket(AF_INET, SOCK_SEQPACKET, 0));
  R(socket(AF_INET, SOCK_STREAM, -1));
  R(socket(AF_INET, SOCK_STREAM, 300));
  R(socket(AF_INET, SOCK_STREAM, 200));
  R(socketpair(AF_INET, SOCK_STREAM, 0, &n));
  names(3);
  names(5);
  printf("events %#x %#x\n", events(3), events(5));
  R(option(3, SOL_SOCKET, SO_TYPE));
  R(option(3, SOL_SOCKET, SO_PROTOCOL));
  R(option(5, SOL_SOCKET, SO_DOMAIN));
  signal(SIGPIPE, on_signal);
  R(read(3, b, 1));
  R(write(3, b, 1));
  R(send(3, b, 1, MSG_NOSIGNAL));
  R(shutdown(3, SHUT_RD));
  R(shutdown(3, SHUT_RDWR));
  R(shutdown(3, 3));
  R(accept(3, 0, 0));
  R(ioctl(3, FIONREAD, &n));
  R(n);
  closeall();
}

static void binding(void) {
  l = socket(AF_INET, SOCK_STREAM, 0);
  R(bind(l, AT("127.0.0.1", 0)));
  names(l);
  R(bind(l, AT("127.0.0.1", 0)));
  p = port(l);
  c = socket(AF_INET, SOCK_STREAM, 0);
  R(bind(c, AT("127.0.0.1", p)));
  R(bind(c, AT("0.0.0.0", p)));
  R(bind(c, AT("127.0.0.2", p)));
  a = socket(AF_INET, SOCK_STREAM, 0);
  R(bind(a, AT("192.0.2.1", 0)));
  R(bind(a, at("127.0.0.1", 0), 15));
  R(bind(a, at("127.0.0.1", 0), 1));
  R(bind(a, 0, 16));
  at("127.0.0.1", 0);
  in.sin_family = AF_INET6;
  R(bind(a, L));
  in.sin_family = AF_UNSPEC;
  R(bind(a, L));
  in.sin_addr.s_addr = 0;
  R(bind(a, L));
  names(a);
  closeall();
  // shared ports
  l = socket(AF_INET, SOCK_STREAM, 0);
  c = socket(AF_INET, SOCK_STREAM, 0);
  a = socket(AF_INET, SOCK_STREAM, 0);
  set(l, SOL_SOCKET, SO_REUSEADDR, 1);
  set(c, SOL_SOCKET, SO_REUSEADDR, 1);
  R(bind(l, AT("127.0.0.1", 0)));
  p = port(l);
  R(bind(c, AT("127.0.0.1", p)));
  R(bind(a, AT("127.0.0.1", p)));
  R(listen(l, 1));
  R(listen(c, 1));
  set(a, SOL_SOCKET, SO_REUSEADDR, 1);
  R(bind(a, AT("127.0.0.1", p)));
  closeall();
  l = socket(AF_INET, SOCK_STREAM, 0);
  c = socket(AF_INET, SOCK_STREAM, 0);
  set(l, SOL_SOCKET, SO_REUSEPORT, 1);
  set(c, SOL_SOCKET, SO_REUSEPORT, 1);
  R(bind(l, AT("127.0.0.1", 0)));
  R(bind(c, AT("127.0.0.1", port(l))));
  R(listen(l, 1));
  R(listen(c, 1));
  closeall();
  // privileged ports
  fflush(stdout);
  if (fork() == 0) {
    setresuid(99, 99, 99);
    l = socket(AF_INET, SOCK_STREAM, 0);
    R(bind(l, AT("127.0.0.1", 80)));
    fflush(stdout);
    _exit(0);
  }
  wait(0);
  // listen without a name takes one
  l = socket(AF_INET, SOCK_STREAM, 0);
  R(listen(l, 1));
  names(l);
  R(bind(l, AT("127.0.0.1", 0)));
  closeall();
}

static void connecting(void) {
  listener();
  R(option(l, SOL_SOCKET, SO_ACCEPTCONN));
  printf("events %#x\n", events(l));
  R(read(l, b, 1));
  R(write(l, b, 1));
  R(ioctl(l, FIONREAD, &n));
  R(connect(l, AT("127.0.0.1", p)));
  fcntl(l, F_SETFL, O_NONBLOCK);
  R(accept(l, 0, 0));
  R(accept4(l, 0, 0, 1));
  c = socket(AF_INET, SOCK_STREAM, 0);
  R(connect(c, at("127.0.0.1", p), 15));
  R(connect(c, at("127.0.0.1", p), 1));
  at("127.0.0.1", p);
  in.sin_family = 77;
  R(connect(c, L));
  R(connect(c, AT("255.255.255.255", p)));
  R(connect(c, AT("127.0.0.1", p)));
  names(c);
  R(connect(c, AT("127.0.0.1", p)));
  R(listen(c, 1));
  soon(l, POLLIN);
  printf("events %#x %#x\n", events(l), events(c));
  struct sockaddr_in6 x;
  memset(&x, 0, sizeof x);
  len = sizeof x;
  R(a = accept4(l, (void *)&x, &len, SOCK_NONBLOCK | SOCK_CLOEXEC));
  show("accepted", 0, &x, len);
  R(fcntl(a, F_GETFL));
  R(fcntl(a, F_GETFD));
  names(a);
  soon(c, POLLOUT);
  printf("events %#x %#x %#x\n", events(l), events(c), events(a));
  R(option(a, SOL_SOCKET, SO_ACCEPTCONN));
  // 0.0.0.0 is this host
  q = socket(AF_INET, SOCK_STREAM, 0);
  R(connect(q, AT("0.0.0.0", p)));
  names(q);
  close(accept(l, 0, 0));
  // nobody there
  close(l);
  l = socket(AF_INET, SOCK_STREAM, 0);
  R(connect(l, AT("127.0.0.1", p)));
  R(option(l, SOL_SOCKET, SO_ERROR));
  printf("events %#x\n", events(l));
  R(connect(l, AT("127.0.0.1", p)));
  closeall();
  // without waiting
  listener();
  c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  R(connect(c, AT("127.0.0.1", p)));
  struct pollfd one = {c, POLLOUT, 0};
  R(poll(&one, 1, 5000));
  printf("events %#x\n", events(c));
  R(option(c, SOL_SOCKET, SO_ERROR));
  R(connect(c, AT("127.0.0.1", p)));
  R(connect(c, AT("127.0.0.1", p)));
  close(l);
  l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  R(connect(l, AT("127.0.0.1", p)));
  one.fd = l;
  R(poll(&one, 1, 5000));
  printf("events %#x\n", events(l));
  R(option(l, SOL_SOCKET, SO_ERROR));
  R(option(l, SOL_SOCKET, SO_ERROR));
  R(read(l, b, 1));
  R(connect(l, AT("127.0.0.1", p)));
  R(connect(l, AT("127.0.0.1", p)));
  poll(&one, 1, 5000);
  R(connect(l, AT("127.0.0.1", p)));
  closeall();
  // a socket of one's own
  c = socket(AF_INET, SOCK_STREAM, 0);
  bind(c, AT("127.0.0.1", 0));
  R(connect(c, AT("127.0.0.1", port(c))) == 0 || errno == ECONNREFUSED);
  closeall();
  // disconnect
  connection();
  at("0.0.0.0", 0);
  in.sin_family = AF_UNSPEC;
  R(connect(c, L));
  R(read(a, b, 1));
  R(connect(c, AT("127.0.0.1", p)));
  names(c);
  closeall();
}

static void data(void) {
  connection();
  R(write(c, "hello", 5));
  R(write(c, " world", 6));
  R(write(c, "", 0));
  while (ioctl(a, FIONREAD, &n) == 0 && n < 11)
    ;
  R(ioctl(a, FIONREAD, &n));
  R(n);
  R(recv(a, b, 3, MSG_PEEK));
  R(recv(a, b, 100, MSG_PEEK));
  R(recv(a, b, 7, 0));
  R(recv(a, b, 2, MSG_TRUNC));
  R(recv(a, b, 100, 0));
  R(recv(a, b, 100, MSG_DONTWAIT));
  R(recv(a, b, 0, MSG_DONTWAIT));
  R(read(a, b, 0));
  R(sendto(c, "named", 5, 0, AT("127.0.0.1", 1)));
  len = sizeof in;
  R(recvfrom(a, b, 100, 0, (void *)&in, &len));
  R(len);
  struct iovec out[3] = {{"one ", 4}, {"two ", 4}, {"three", 5}};
  struct msghdr h = {.msg_iov = out, .msg_iovlen = 3};
  R(sendmsg(a, &h, 0));
  char x[4], y[20];
  struct iovec into[2] = {{x, 4}, {y, 20}};
  struct msghdr g = {.msg_iov = into, .msg_iovlen = 2, .msg_name = &in, .msg_namelen = sizeof in};
  R(recvmsg(c, &g, 0));
  printf("%.4s%.9s namelen %u flags %#x\n", x, y, g.msg_namelen, g.msg_flags);
  // half closed
  printf("events %#x\n", events(c));
  R(shutdown(c, SHUT_WR));
  soon(a, POLLRDHUP);
  printf("events %#x %#x\n", events(c), events(a));
  R(write(c, "x", 1));
  R(send(c, "x", 1, MSG_NOSIGNAL));
  R(read(a, b, 10));
  R(write(a, "back", 4));
  R(read(c, b, 10));
  R(shutdown(a, SHUT_WR));
  soon(c, POLLHUP);
  printf("events %#x %#x\n", events(c), events(a));
  R(read(c, b, 10));
  R(shutdown(a, SHUT_RD));
  names(a);
  names(c);
  closeall();
  // reading half
  connection();
  R(shutdown(a, SHUT_RD));
  printf("events %#x %#x\n", events(c), events(a));
  R(read(a, b, 10));
  closeall();
}

static void ends(void) {
  // closed with everything read
  connection();
  write(c, "left", 4);
  close(c);
  soon(a, POLLRDHUP);
  printf("events %#x\n", events(a));
  R(read(a, b, 10));
  R(read(a, b, 10));
  R(write(a, "x", 1));
  soon(a, 0);
  printf("events %#x\n", events(a));
  R(write(a, "x", 1));
  R(read(a, b, 10));
  names(a);
  closeall();
  // closed with something unread: reset
  connection();
  write(a, "unread", 6);
  write(c, "sent", 4);
  close(c);
  soon(a, POLLRDHUP);
  printf("events %#x\n", events(a));
  R(option(a, SOL_SOCKET, SO_ERROR));
  R(read(a, b, 10));
  R(read(a, b, 10));
  R(write(a, "x", 1));
  closeall();
  connection();
  write(a, "unread", 6);
  close(c);
  soon(a, POLLRDHUP);
  R(read(a, b, 10));
  R(read(a, b, 10));
  R(write(a, "x", 1));
  closeall();
  connection();
  write(a, "unread", 6);
  close(c);
  soon(a, POLLRDHUP);
  R(write(a, "x", 1));
  R(write(a, "x", 1));
  closeall();
  // linger of nothing: reset
  connection();
  struct linger none = {1, 0};
  R(setsockopt(c, SOL_SOCKET, SO_LINGER, &none, sizeof none));
  close(c);
  soon(a, POLLRDHUP);
  R(read(a, b, 10));
  printf("events %#x\n", events(a));
  closeall();
  // reset before it is accepted
  listener();
  c = socket(AF_INET, SOCK_STREAM, 0);
  connect(c, AT("127.0.0.1", p));
  setsockopt(c, SOL_SOCKET, SO_LINGER, &none, sizeof none);
  close(c);
  R((a = accept(l, 0, 0)) > 0);
  soon(a, POLLRDHUP);
  R(read(a, b, 10));
  closeall();
  // the listener goes
  listener();
  c = socket(AF_INET, SOCK_STREAM, 0);
  connect(c, AT("127.0.0.1", p));
  close(l);
  soon(c, POLLRDHUP);
  printf("events %#x\n", events(c));
  R(read(c, b, 10));
  R(read(c, b, 10));
  closeall();
  // listening ends by shutdown
  listener();
  R(shutdown(l, SHUT_WR));
  printf("events %#x\n", events(l));
  R(shutdown(l, SHUT_RD));
  printf("events %#x\n", events(l));
  R(accept(l, 0, 0));
  R(listen(l, 1));
  printf("events %#x\n", events(l));
  closeall();
  // the port waits after the end that closed first
  connection();
  close(a);
  R(read(c, b, 1));
  close(c);
  close(l);
  l = socket(AF_INET, SOCK_STREAM, 0);
  R(bind(l, AT("127.0.0.1", p)));
  set(l, SOL_SOCKET, SO_REUSEADDR, 1);
  R(bind(l, AT("127.0.0.1", p)));
  closeall();
}

static void *reader(void *arg) {
  long total = 0;
  int r;
  while ((r = read(*(int *)arg, b, 5000)) > 0) total += r;
  return (void *)total;
}
static void *late(void *arg) {
  usleep(3000);
  write(*(int *)arg, "late", 4);
  return 0;
}
static void *late_accept(void *arg) {
  usleep(3000);
  close(accept(*(int *)arg, 0, 0));
  return 0;
}
static void waiting(void) {
  static char big[8000000];
  pthread_t thread;
  void *total;
  connection();
  pthread_create(&thread, 0, reader, &a);
  R(write(c, big, sizeof big));
  shutdown(c, SHUT_WR);
  pthread_join(thread, &total);
  printf("read %ld\n", (long)total);
  closeall();
  connection();
  fcntl(c, F_SETFL, O_NONBLOCK);
  while (write(c, big, 100000) > 0)
    ;
  printf("%s events %#x\n", strerrorname_np(errno), events(c) & POLLOUT);
  struct epoll_event e = {EPOLLOUT | EPOLLET}, got;
  int ep = epoll_create1(0);
  epoll_ctl(ep, EPOLL_CTL_ADD, c, &e);
  R(epoll_wait(ep, &got, 1, 0));
  pthread_create(&thread, 0, reader, &a);
  R(epoll_wait(ep, &got, 1, 5000));
  printf("%#x\n", got.events);
  shutdown(c, SHUT_WR);
  pthread_join(thread, &total);
  closeall();
  connection();
  pthread_create(&thread, 0, late, &c);
  R(read(a, b, 10));
  pthread_join(thread, 0);
  struct timeval tv = {0, 10000};
  R(setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
  R(read(a, b, 10));
  R(setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
  R(accept(l, 0, 0));
  tv.tv_usec = 0;
  setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
  after(10, 0);
  R(read(a, b, 10));
  calm();
  wake = c;
  after(10, SA_RESTART);
  R(read(a, b, 10));
  calm();
  write(c, "abc", 3);
  shutdown(c, SHUT_WR);
  R(recv(a, b, 10, MSG_WAITALL));
  closeall();
  // SO_RCVLOWAT
  connection();
  R(set(a, SOL_SOCKET, SO_RCVLOWAT, 4));
  write(c, "abc", 3);
  printf("events %#x\n", events(a));
  R(recv(a, b, 10, MSG_DONTWAIT) < 4);
  write(c, "abcd", 4);
  soon(a, POLLIN);
  printf("events %#x\n", events(a));
  closeall();
}

static void urgent(void) {
  connection();
  R(recv(a, b, 10, MSG_OOB));
  write(c, "abc", 3);
  R(send(c, "de", 2, MSG_OOB));
  write(c, "fg", 2);
  struct pollfd one = {a, POLLPRI, 0};
  R(poll(&one, 1, 5000));
  printf("events %#x\n", events(a));
  R(ioctl(a, SIOCATMARK, &n));
  R(n);
  R(recv(a, b, 100, 0));
  printf("%.4s\n", b);
  R(ioctl(a, SIOCATMARK, &n));
  R(n);
  R(recv(a, b, 10, MSG_OOB));
  printf("%.1s events %#x\n", b, events(a));
  R(recv(a, b, 10, MSG_OOB));
  R(recv(a, b, 100, 0));
  printf("%.2s\n", b);
  R(ioctl(a, SIOCATMARK, &n));
  R(n);
  R(set(a, SOL_SOCKET, SO_OOBINLINE, 1));
  R(send(c, "xyz", 3, MSG_OOB));
  one.revents = 0;
  poll(&one, 1, 5000);
  R(recv(a, b, 10, MSG_OOB));
  R(recv(a, b, 100, 0));
  R(recv(a, b, 100, 0));
  closeall();
}

static void six(void) {
  l = socket(AF_INET6, SOCK_STREAM, 0);
  R(option(l, IPPROTO_IPV6, IPV6_V6ONLY));
  R(bind(l, at6("::1", 0), 20));
  R(bind(l, AT("127.0.0.1", 0)));
  R(bind(l, AT6("2001:db8::1", 0)));
  R(bind(l, AT6("::1", 0)));
  R(set(l, IPPROTO_IPV6, IPV6_V6ONLY, 1));
  names(l);
  R(listen(l, 5));
  c = socket(AF_INET6, SOCK_STREAM, 0);
  R(connect(c, AT6("::1", port(l))));
  R(a = accept(l, 0, 0));
  names(c);
  names(a);
  R(write(c, "six", 3));
  R(read(a, b, 10));
  closeall();
  // both families on one socket
  l = socket(AF_INET6, SOCK_STREAM, 0);
  R(bind(l, AT6("::", 0)));
  R(listen(l, 5));
  p = port(l);
  c = socket(AF_INET, SOCK_STREAM, 0);
  R(connect(c, AT("127.0.0.1", p)));
  R(a = accept(l, 0, 0));
  names(c);
  names(a);
  q = socket(AF_INET6, SOCK_STREAM, 0);
  R(connect(q, AT6("::ffff:127.0.0.1", p)));
  names(q);
  int r = socket(AF_INET, SOCK_STREAM, 0);
  R(bind(r, AT("127.0.0.1", p)));
  R(bind(r, AT("0.0.0.0", p)));
  closeall();
  l = socket(AF_INET6, SOCK_STREAM, 0);
  R(set(l, IPPROTO_IPV6, IPV6_V6ONLY, 1));
  R(bind(l, AT6("::ffff:127.0.0.1", 0)));
  R(bind(l, AT6("::", 0)));
  R(listen(l, 5));
  c = socket(AF_INET, SOCK_STREAM, 0);
  R(connect(c, AT("127.0.0.1", port(l))));
  R(bind(c, AT("127.0.0.1", port(l))));
  closeall();
  l = socket(AF_INET, SOCK_STREAM, 0);
  R(option(l, IPPROTO_IPV6, IPV6_V6ONLY));
  R(connect(l, AT6("::1", 1)));
  closeall();
}

static void options(void) {
  connection();
  int tcp[] = {TCP_NODELAY, TCP_CORK, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT, TCP_SYNCNT, TCP_QUICKACK, TCP_USER_TIMEOUT, 200};
  int q2 = socket(AF_INET, SOCK_STREAM, 0);
  for (int k = 0; k < 9; k++) {
    printf("tcp %d: %d", tcp[k], option(q2, IPPROTO_TCP, tcp[k]));
    int r = set(q2, IPPROTO_TCP, tcp[k], 5);
    printf(" set %s now %d", r < 0 ? strerrorname_np(errno) : "", option(q2, IPPROTO_TCP, tcp[k]));
    r = set(q2, IPPROTO_TCP, tcp[k], -5);
    printf(" set %s now %d\n", r < 0 ? strerrorname_np(errno) : "", option(q2, IPPROTO_TCP, tcp[k]));
  }
  int ip[] = {IP_TOS, IP_TTL, IP_RECVERR, IP_PKTINFO, IP_MTU_DISCOVER, IP_MULTICAST_LOOP, IP_MULTICAST_TTL, IP_FREEBIND, 199};
  for (int k = 0; k < 9; k++) {
    printf("ip %d: %d", ip[k], option(q2, IPPROTO_IP, ip[k]));
    int r = set(q2, IPPROTO_IP, ip[k], 1);
    printf(" set %s now %d\n", r < 0 ? strerrorname_np(errno) : "", option(q2, IPPROTO_IP, ip[k]));
  }
  R(set(q2, IPPROTO_IP, IP_TTL, 0));
  R(set(q2, IPPROTO_IP, IP_TTL, 256));
  R(set(q2, IPPROTO_IP, IP_TTL, -1));
  R(option(q2, IPPROTO_IP, IP_TTL));
  int so[] = {SO_KEEPALIVE, SO_REUSEADDR, SO_REUSEPORT, SO_OOBINLINE, SO_BROADCAST, SO_DONTROUTE, SO_PRIORITY, SO_TIMESTAMP};
  for (int k = 0; k < 8; k++) {
    printf("so %d: %d", so[k], option(q2, SOL_SOCKET, so[k]));
    int r = set(q2, SOL_SOCKET, so[k], 3);
    printf(" set %s now %d\n", r < 0 ? strerrorname_np(errno) : "", option(q2, SOL_SOCKET, so[k]));
  }
  R(set(q2, SOL_SOCKET, SO_SNDBUF, 50000));
  R(option(q2, SOL_SOCKET, SO_SNDBUF));
  R(set(q2, SOL_SOCKET, SO_RCVBUF, 50000));
  R(option(q2, SOL_SOCKET, SO_RCVBUF));
  char device[16] = "nodevice";
  R(setsockopt(q2, SOL_SOCKET, SO_BINDTODEVICE, device, 9));
  R(setsockopt(q2, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
  R(setsockopt(q2, IPPROTO_TCP, TCP_CONGESTION, "nosuchthing", 11));
  R(set(q2, IPPROTO_TCP, TCP_MAXSEG, 1));
  R(set(q2, IPPROTO_UDP, 1, 1));
  R(option(q2, IPPROTO_IP, IP_MTU));
  struct tcp_info info;
  len = sizeof info;
  memset(&info, 0, sizeof info);
  R(getsockopt(c, IPPROTO_TCP, TCP_INFO, &info, &len));
  printf("state %d\n", info.tcpi_state);
  len = 1;
  R(getsockopt(c, IPPROTO_TCP, TCP_INFO, &info, &len));
  R(len);
  len = sizeof info;
  getsockopt(l, IPPROTO_TCP, TCP_INFO, &info, &len);
  printf("state %d backlog %u\n", info.tcpi_state, info.tcpi_sacked);
  close(a);
  poll((struct pollfd[]){{c, POLLRDHUP, 0}}, 1, 5000);
  len = sizeof info;
  getsockopt(c, IPPROTO_TCP, TCP_INFO, &info, &len);
  printf("state %d\n", info.tcpi_state);
  closeall();
  // an accepted socket has its listener's options
  listener();
  set(l, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(l, IPPROTO_TCP, TCP_NODELAY, 1);
  c = socket(AF_INET, SOCK_STREAM, 0);
  connect(c, AT("127.0.0.1", p));
  a = accept(l, 0, 0);
  R(option(a, SOL_SOCKET, SO_KEEPALIVE));
  R(option(a, IPPROTO_TCP, TCP_NODELAY));
  closeall();
}

static void backlog(void) {
  pthread_t thread;
  l = socket(AF_INET, SOCK_STREAM, 0);
  bind(l, AT("127.0.0.1", 0));
  R(listen(l, 0));
  p = port(l);
  int f[3];
  for (int k = 0; k < 2; k++) {
    f[k] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    R(connect(f[k], AT("127.0.0.1", p)));
  }
  struct pollfd two[2] = {{f[0], POLLOUT, 0}, {f[1], POLLOUT, 0}};
  R(poll(two, 1, 5000));
  R(poll(two + 1, 1, 0));
  R(connect(f[1], AT("127.0.0.1", p)));
  R(write(f[1], b, 1));
  close(accept(l, 0, 0));
  R(poll(two + 1, 1, 5000));
  close(accept(l, 0, 0));
  R(listen(l, 100));
  close(l);
  closeall();
  connection();
  // moved by the kernel
  int file = open("/etc/hostname", O_RDONLY), pp[2];
  R(sendfile(c, file, 0, 100) > 0);
  R(read(a, b, 100) > 0);
  pipe(pp);
  write(pp[1], "spliced", 7);
  R(splice(pp[0], 0, c, 0, 100, 0));
  R(splice(a, 0, pp[1], 0, 100, 0));
  R(read(pp[0], b, 100));
  closeall();
}

int main(void) {
  creation();
  binding();
  connecting();
  data();
  ends();
  waiting();
  urgent();
  if (getenv("IPV6")) six(); // set where the host has it
  options();
  backlog();
  return 0;
}
