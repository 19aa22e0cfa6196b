// UDP on loopback: names, datagrams with and without a connection, errors that come back, cut and lost datagrams, options, IPv6.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

// Prints the call as written, its result, and errno's name.
#define R(call) \
  do { \
    errno = 0; \
    long result = (long)(call); \
    printf("%s = %ld%s%s\n", #call, result, result < 0 ? " " : "", result < 0 ? strerrorname_np(errno) : ""); \
  } while (0)

static char b[70000];
static int n, u, v, w, p;
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
static void on_signal(int signo) { printf("signal %d\n", signo); }
static void on_alarm(int signo) {}
/** Wait until the host has delivered something, or its refusal. */
static void soon(int fd, int what) { poll((struct pollfd[]){{fd, what, 0}}, 1, 5000); }
/** u bound to 127.0.0.1, its port in p; v not bound. */
static void two(void) {
  u = socket(AF_INET, SOCK_DGRAM, 0);
  v = socket(AF_INET, SOCK_DGRAM, 0);
  bind(u, AT("127.0.0.1", 0));
  p = port(u);
}

static void creation(void) {
  R(u = socket(AF_INET, SOCK_DGRAM, 0));
  R(socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP));
  R(socket(AF_INET6, SOCK_DGRAM, 0));
  names(u);
  names(5);
  R(option(u, SOL_SOCKET, SO_TYPE));
  R(option(u, SOL_SOCKET, SO_PROTOCOL));
  R(option(u, SOL_SOCKET, SO_SNDBUF));
  R(option(u, SOL_SOCKET, SO_RCVBUF));
  printf("events %#x\n", events(u));
  R(listen(u, 1));
  R(accept(u, 0, 0));
  R(write(u, b, 1));
  R(send(u, b, 1, 0));
  R(recv(u, b, 1, MSG_DONTWAIT));
  R(sendto(u, b, 1, 0, at("127.0.0.1", 9), 15));
  R(sendto(u, b, 1, 0, AT("127.0.0.1", 0)));
  at("127.0.0.1", 9);
  in.sin_family = 77;
  R(sendto(u, b, 1, 0, (void *)&in, sizeof in));
  R(sendto(u, b, 1, 0, AT("255.255.255.255", 9)));
  R(sendto(u, b, 1, MSG_OOB, AT("127.0.0.1", 9)));
  R(sendto(u, b, 65508, 0, AT("127.0.0.1", 9)));
  R(sendto(u, b, 66000, 0, AT("127.0.0.1", 9)));
  R(shutdown(u, SHUT_RD));
  R(connect(u, at("127.0.0.1", 9), 15));
  R(connect(u, at("127.0.0.1", 9), 1));
  R(bind(5, AT("127.0.0.1", 0)));
  closeall();
}

static void datagrams(void) {
  two();
  R(sendto(v, "hello", 5, 0, AT("127.0.0.1", p)));
  names(v);
  R(sendto(v, "", 0, 0, AT("127.0.0.1", p)));
  R(sendto(v, "second", 6, 0, AT("0.0.0.0", p)));
  soon(u, POLLIN);
  R(ioctl(u, FIONREAD, &n));
  R(n);
  struct sockaddr_in6 x;
  memset(&x, 0, sizeof x);
  len = sizeof x;
  R(recvfrom(u, b, 3, MSG_PEEK, (void *)&x, &len));
  show("from", 0, &x, len);
  R(ntohs(x.sin6_port) == port(v));
  R(recv(u, b, 3, MSG_PEEK | MSG_TRUNC));
  struct iovec one = {b, 3};
  struct msghdr h = {.msg_iov = &one, .msg_iovlen = 1, .msg_name = &x, .msg_namelen = 4};
  R(recvmsg(u, &h, 0));
  printf("flags %#x namelen %u\n", h.msg_flags, h.msg_namelen);
  printf("events %#x\n", events(u));
  R(recv(u, b, 3, 0));
  R(recv(u, b, 10, 0));
  R(recv(u, b, 10, MSG_DONTWAIT));
  printf("events %#x\n", events(u));
  R(sendto(v, b, 65507, 0, AT("127.0.0.1", p)));
  R(recv(u, b, sizeof b, 0));
  // a reply
  R(sendto(u, "back", 4, 0, AT("127.0.0.1", port(v))));
  R(recv(v, b, 10, 0));
  // another host of this machine
  w = socket(AF_INET, SOCK_DGRAM, 0);
  R(bind(w, AT("127.0.0.2", p)));
  R(sendto(v, "two", 3, 0, AT("127.0.0.2", p)));
  R(recv(u, b, 10, MSG_DONTWAIT));
  len = sizeof x;
  R(recvfrom(w, b, 10, 0, (void *)&x, &len));
  show("from", 0, &x, len);
  // what there is no room for is lost
  for (int i = 0; i < 400; i++) sendto(v, b, 10000, 0, AT("127.0.0.1", p));
  for (n = 0; recv(u, b, sizeof b, MSG_DONTWAIT) >= 0; n++)
    ;
  R(n > 5 && n < 100);
  // several at once
  struct mmsghdr m[3];
  struct iovec out[3] = {{"a", 1}, {"bb", 2}, {"ccc", 3}};
  memset(m, 0, sizeof m);
  for (int i = 0; i < 3; i++) {
    m[i].msg_hdr.msg_iov = &out[i];
    m[i].msg_hdr.msg_iovlen = 1;
    m[i].msg_hdr.msg_name = at("127.0.0.1", p);
    m[i].msg_hdr.msg_namelen = sizeof in;
  }
  R(sendmmsg(v, m, 3, 0));
  struct iovec into[3] = {{b, 10}, {b + 10, 10}, {b + 20, 10}};
  struct sockaddr_in from[3];
  for (int i = 0; i < 3; i++) m[i].msg_hdr.msg_iov = &into[i], m[i].msg_hdr.msg_name = &from[i];
  R(recvmmsg(u, m, 3, 0, 0));
  for (int i = 0; i < 3; i++) printf("%u bytes from port %d\n", m[i].msg_len, ntohs(from[i].sin_port) == port(v));
  closeall();
}

static void connections(void) {
  two();
  R(connect(v, AT("127.0.0.1", p)));
  names(v);
  R(write(v, "hello", 5));
  R(recv(u, b, 10, 0));
  w = socket(AF_INET, SOCK_DGRAM, 0);
  R(sendto(w, "stranger", 8, 0, AT("127.0.0.1", port(v))));
  R(recv(v, b, 10, MSG_DONTWAIT));
  R(sendto(u, "friend", 6, 0, AT("127.0.0.1", port(v))));
  R(recv(v, b, 10, 0));
  R(sendto(v, "other", 5, 0, AT("127.0.0.1", port(w))));
  R(recv(w, b, 10, 0));
  R(connect(v, AT("127.0.0.1", port(w))));
  R(write(v, "new", 3));
  R(recv(w, b, 10, 0));
  // nobody there
  close(w);
  R(write(v, "x", 1));
  soon(v, 0);
  printf("events %#x\n", events(v));
  R(option(v, SOL_SOCKET, SO_ERROR));
  R(write(v, "x", 1));
  soon(v, 0);
  R(write(v, "x", 1));
  R(write(v, "x", 1));
  soon(v, 0);
  R(recv(v, b, 10, 0));
  R(recv(v, b, 10, MSG_DONTWAIT));
  // shutdown
  signal(SIGPIPE, on_signal);
  R(connect(v, AT("127.0.0.1", p)));
  R(shutdown(v, SHUT_RD));
  printf("events %#x\n", events(v));
  R(recv(v, b, 10, 0));
  R(recv(v, b, 10, MSG_DONTWAIT));
  R(shutdown(v, SHUT_WR));
  printf("events %#x\n", events(v));
  R(write(v, "x", 1));
  R(send(v, "x", 1, MSG_NOSIGNAL));
  closeall();
  // no longer connected
  two();
  connect(v, AT("127.0.0.1", p));
  at("0.0.0.0", 0);
  in.sin_family = AF_UNSPEC;
  R(connect(v, (void *)&in, sizeof in));
  R(write(v, "x", 1));
  R(getpeername(v, (void *)&in, &len));
  closeall();
  // errors come to those who ask
  u = socket(AF_INET, SOCK_DGRAM, 0);
  v = socket(AF_INET, SOCK_DGRAM, 0);
  bind(u, AT("127.0.0.1", 0));
  p = port(u);
  close(u);
  R(sendto(v, "x", 1, 0, AT("127.0.0.1", p)));
  R(recv(v, b, 10, MSG_DONTWAIT));
  R(set(v, IPPROTO_IP, IP_RECVERR, 1));
  R(sendto(v, "x", 1, 0, AT("127.0.0.1", p)));
  soon(v, 0);
  R(recv(v, b, 10, MSG_DONTWAIT));
  R(recv(v, b, 10, MSG_DONTWAIT));
  closeall();
}

static void *late(void *arg) {
  usleep(3000);
  write(*(int *)arg, "late", 4);
  return 0;
}
static void waiting(void) {
  pthread_t thread;
  two();
  connect(v, AT("127.0.0.1", p));
  pthread_create(&thread, 0, late, &v);
  R(recv(u, b, 10, 0));
  pthread_join(thread, 0);
  pthread_create(&thread, 0, late, &v);
  struct pollfd one = {u, POLLIN, 0};
  R(poll(&one, 1, 5000));
  pthread_join(thread, 0);
  R(recv(u, b, 10, 0));
  struct timeval tv = {0, 10000};
  R(setsockopt(u, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
  R(recv(u, b, 10, 0));
  struct sigaction act = {.sa_handler = on_alarm};
  sigaction(SIGALRM, &act, 0);
  tv.tv_usec = 0;
  setsockopt(u, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
  struct itimerval often = {{0, 10000}, {0, 10000}}, never = {0}; // one comes while the call waits, however late that is
  setitimer(ITIMER_REAL, &often, 0);
  R(recv(u, b, 10, 0));
  setitimer(ITIMER_REAL, &never, 0);
  closeall();
}

static void sharing(void) {
  two();
  R(bind(v, AT("127.0.0.1", p)));
  R(bind(v, AT("0.0.0.0", p)));
  R(set(u, SOL_SOCKET, SO_REUSEADDR, 1));
  R(set(v, SOL_SOCKET, SO_REUSEADDR, 1));
  R(bind(v, AT("0.0.0.0", p)));
  w = socket(AF_INET, SOCK_DGRAM, 0);
  R(sendto(w, "x", 1, 0, AT("127.0.0.1", p)));
  R(recv(u, b, 10, 0));
  R(sendto(w, "x", 1, 0, AT("127.0.0.2", p)));
  R(recv(v, b, 10, 0));
  R(bind(w, AT("192.0.2.1", 0)));
  closeall();
}

static void six(void) {
  u = socket(AF_INET6, SOCK_DGRAM, 0);
  v = socket(AF_INET6, SOCK_DGRAM, 0);
  w = socket(AF_INET, SOCK_DGRAM, 0);
  R(bind(u, AT6("::", 0)));
  p = port(u);
  struct sockaddr_in6 x;
  memset(&x, 0, sizeof x);
  R(sendto(v, "six", 3, 0, AT6("::1", p)));
  len = sizeof x;
  R(recvfrom(u, b, 10, 0, (void *)&x, &len));
  show("from", 0, &x, len);
  R(sendto(w, "four", 4, 0, AT("127.0.0.1", p)));
  len = sizeof x;
  R(recvfrom(u, b, 10, 0, (void *)&x, &len));
  show("from", 0, &x, len);
  R(sendto(u, "back", 4, 0, AT6("::ffff:127.0.0.1", port(w))));
  len = sizeof x;
  R(recvfrom(w, b, 10, 0, (void *)&x, &len));
  show("from", 0, &x, len);
  R(sendto(u, "four", 4, 0, AT("127.0.0.1", port(w))));
  R(recv(w, b, 10, 0));
  R(connect(v, AT6("::1", p)));
  names(v);
  R(write(v, "x", 1));
  R(recv(u, b, 10, 0));
  R(sendto(w, "x", 1, 0, AT6("::1", p)));
  closeall();
}

static void control(void) {
  two();
  R(set(u, IPPROTO_IP, IP_PKTINFO, 1));
  R(set(u, IPPROTO_IP, IP_RECVTTL, 1));
  sendto(v, "x", 1, 0, AT("127.0.0.1", p));
  char room[200];
  struct iovec one = {b, 10};
  struct msghdr h = {.msg_iov = &one, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
  R(recvmsg(u, &h, 0));
  printf("controllen %lu\n", (unsigned long)h.msg_controllen);
  for (struct cmsghdr *m = CMSG_FIRSTHDR(&h); m; m = CMSG_NXTHDR(&h, m)) {
    printf("len %lu level %d type %d", (unsigned long)m->cmsg_len, m->cmsg_level, m->cmsg_type);
    if (m->cmsg_type == IP_TTL) printf(" ttl %d", *(int *)CMSG_DATA(m));
    if (m->cmsg_type == IP_PKTINFO) {
      struct in_pktinfo *info = (void *)CMSG_DATA(m);
      printf(" interface %d %s", info->ipi_ifindex, inet_ntoa(info->ipi_spec_dst));
      printf(" %s", inet_ntoa(info->ipi_addr));
    }
    printf("\n");
  }
  sendto(v, "x", 1, 0, AT("127.0.0.1", p));
  h.msg_controllen = 20;
  R(recvmsg(u, &h, 0));
  printf("controllen %lu flags %#x\n", (unsigned long)h.msg_controllen, h.msg_flags);
  int so[] = {SO_BROADCAST, SO_REUSEADDR, SO_REUSEPORT, SO_NO_CHECK, SO_TIMESTAMP, SO_RXQ_OVFL};
  for (int k = 0; k < 6; k++) {
    printf("so %d: %d", so[k], option(v, SOL_SOCKET, so[k]));
    int r = set(v, SOL_SOCKET, so[k], 3);
    printf(" set %s now %d\n", r < 0 ? strerrorname_np(errno) : "", option(v, SOL_SOCKET, so[k]));
  }
  int ip[] = {IP_TOS, IP_TTL, IP_MULTICAST_LOOP, IP_MULTICAST_TTL, IP_MTU_DISCOVER, IP_RECVTOS};
  for (int k = 0; k < 6; k++) {
    printf("ip %d: %d", ip[k], option(v, IPPROTO_IP, ip[k]));
    int r = set(v, IPPROTO_IP, ip[k], 2);
    printf(" set %s now %d\n", r < 0 ? strerrorname_np(errno) : "", option(v, IPPROTO_IP, ip[k]));
  }
  char byte = 7;
  R(setsockopt(v, IPPROTO_IP, IP_MULTICAST_TTL, &byte, 1));
  R(option(v, IPPROTO_IP, IP_MULTICAST_TTL));
  len = 1;
  R(getsockopt(v, IPPROTO_IP, IP_MULTICAST_TTL, &byte, &len));
  printf("%d %u\n", byte, len);
  R(set(v, IPPROTO_TCP, 1, 1));
  R(option(v, IPPROTO_TCP, 1));
  closeall();
}

int main(void) {
  creation();
  datagrams();
  connections();
  waiting();
  sharing();
  if (getenv("IPV6")) six(); // set where the host has it
  control();
  return 0;
}
