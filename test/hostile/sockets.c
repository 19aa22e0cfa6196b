// Random socket calls with operands good and bad, from several threads of several processes on the same descriptors, while signals come in.
// sockets SECONDS SEED: prints "survived" when nothing happened to any process that Linux would not do.
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/netlink.h>

enum { PROCESSES = 3, THREADS = 2, PIECES = 64 };
static char data[8000000]; // more than any queue holds
static volatile int stop;
static __thread unsigned long seed;

static unsigned long bits(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  return seed ^= seed << 17;
}
static int one_of(int n) { return bits() % n; }
static int fd(void) { return 3 + one_of(24); }
static int length(void) { return one_of(10) ? one_of(one_of(2) ? 50 : 200000) : (int)bits(); }
/** A pointer, now and then one that leads nowhere. */
static void *pointer(void *good) {
  switch (one_of(40)) {
    case 0: return 0;
    case 1: return (void *)16;
    case 2: return (void *)-1;
    case 3: return (void *)0x7fff00000000;
    default: return good;
  }
}
static int flags(void) { return (one_of(3) ? MSG_DONTWAIT : 0) | (one_of(4) ? 0 : 1 << one_of(31)) | MSG_NOSIGNAL; }

static socklen_t address(void *at) {
  struct sockaddr_un *un = at;
  struct sockaddr_in *in = at;
  struct sockaddr_in6 *six = at;
  struct sockaddr_nl *nl = at;
  memset(at, 0, 128);
  switch (one_of(7)) {
    case 0:
      un->sun_family = AF_UNIX;
      sprintf(un->sun_path + 1, "f%d", one_of(4));
      return 5;
    case 1:
      un->sun_family = AF_UNIX;
      sprintf(un->sun_path, "/tmp/f%d", one_of(4));
      return sizeof *un;
    case 2:
      *in = (struct sockaddr_in){AF_INET, htons(5000 + one_of(6)), {htonl(one_of(3) ? INADDR_LOOPBACK : 0)}};
      return sizeof *in;
    case 3:
      six->sin6_family = AF_INET6;
      six->sin6_port = htons(5000 + one_of(6));
      if (one_of(2)) six->sin6_addr = in6addr_loopback;
      return sizeof *six;
    case 4:
      nl->nl_family = AF_NETLINK;
      nl->nl_pid = one_of(2) ? 0 : one_of(10);
      return sizeof *nl;
    case 5:
      return 2 + one_of(20);
    default:
      for (int k = 0; k < 128; k++) ((char *)at)[k] = bits();
      un->sun_family = one_of(20);
      return one_of(140) - 2;
  }
}
static void header(struct msghdr *m, struct iovec *v, char *control) {
  memset(m, 0, sizeof *m);
  int n = one_of(30) ? one_of(6) : one_of(PIECES);
  for (int k = 0; k < n; k++) v[k] = (struct iovec){pointer(data + one_of(1000)), one_of(20) ? one_of(one_of(2) ? 20 : 20000) : bits()};
  m->msg_iov = pointer(v);
  m->msg_iovlen = one_of(50) ? n : 5000;
  if (one_of(2)) {
    char *name = data + 290000 + 200 * one_of(10);
    m->msg_namelen = address(name);
    m->msg_name = pointer(name);
  }
  if (one_of(2)) return;
  struct cmsghdr *c = (void *)control;
  int count = one_of(5);
  c->cmsg_len = one_of(10) ? CMSG_LEN(4 * count) : bits() % 200;
  c->cmsg_level = one_of(8) ? SOL_SOCKET : one_of(50);
  c->cmsg_type = 1 + one_of(3);
  for (int k = 0; k < count; k++) ((int *)CMSG_DATA(c))[k] = one_of(8) ? fd() : (int)bits();
  m->msg_control = pointer(control);
  m->msg_controllen = one_of(10) ? CMSG_SPACE(4 * count) : one_of(300);
}

static void call(void) {
  static const int families[] = {AF_UNIX, AF_UNIX, AF_UNIX, AF_INET, AF_INET, AF_INET6, AF_NETLINK, 0, AF_PACKET};
  static const int types[] = {SOCK_STREAM, SOCK_STREAM, SOCK_DGRAM, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_RAW, SOCK_RDM};
  static const int levels[] = {SOL_SOCKET, SOL_SOCKET, IPPROTO_TCP, IPPROTO_IP, IPPROTO_IPV6, IPPROTO_UDP, SOL_NETLINK};
  char name[128], control[400] __attribute__((aligned(8)));
  socklen_t size = address(name), room = one_of(140);
  struct msghdr m;
  struct mmsghdr several[5];
  struct iovec pieces[PIECES];
  int pair[2], f = fd(), value[4] = {one_of(3) ? one_of(2) : (int)bits() % 100000}, option = one_of(80);
  switch (one_of(20)) {
    case 0: syscall(SYS_socket, families[one_of(9)], types[one_of(7)] | (one_of(2) ? SOCK_NONBLOCK : 0), one_of(5) ? 0 : one_of(300)); break;
    case 1: syscall(SYS_socketpair, one_of(5) ? AF_UNIX : one_of(20), types[one_of(7)] | (one_of(2) ? SOCK_NONBLOCK : 0), 0, pointer(pair)); break;
    case 2: syscall(SYS_bind, f, pointer(name), size); break;
    case 3: fcntl(f, F_SETFL, O_NONBLOCK); syscall(SYS_connect, f, pointer(name), size); break;
    case 4: syscall(SYS_listen, f, one_of(5) - 1); break;
    case 5: fcntl(f, F_SETFL, O_NONBLOCK); syscall(SYS_accept4, f, pointer(name), pointer(&room), one_of(5) ? SOCK_NONBLOCK : (int)bits()); break;
    case 6: syscall(SYS_sendto, f, pointer(data), length(), flags(), one_of(2) ? 0 : pointer(name), size); break;
    case 7: syscall(SYS_recvfrom, f, pointer(data), length(), flags() | MSG_DONTWAIT, one_of(2) ? 0 : pointer(name), pointer(&room)); break;
    case 8: header(&m, pieces, control); syscall(SYS_sendmsg, f, pointer(&m), flags()); break;
    case 9: header(&m, pieces, control); syscall(SYS_recvmsg, f, pointer(&m), flags() | MSG_DONTWAIT); break;
    case 10:
      for (int k = 0; k < 5; k++) header(&several[k].msg_hdr, pieces, control);
      syscall(one_of(2) ? SYS_sendmmsg : SYS_recvmmsg, f, pointer(several), one_of(7), flags() | MSG_DONTWAIT, 0);
      break;
    case 11: syscall(SYS_shutdown, f, one_of(5) - 1); break;
    case 12: close(f); break;
    case 13: syscall(one_of(2) ? SYS_getsockname : SYS_getpeername, f, pointer(name), pointer(&room)); break;
    case 14: syscall(SYS_setsockopt, f, levels[one_of(7)], option, pointer(value), one_of(6) ? 4 * (1 + one_of(4)) : (int)bits()); break;
    case 15: syscall(SYS_getsockopt, f, levels[one_of(7)], option, pointer(data), pointer(&room)); break;
    case 16: ioctl(f, one_of(2) ? 0x8900 + one_of(256) : FIONREAD, pointer(data)); break;
    case 17: fcntl(f, F_SETFL, O_NONBLOCK); one_of(2) ? write(f, data, length()) : read(f, data, one_of(150000)); break;
    case 18: poll((struct pollfd[]){{f, one_of(100)}, {fd(), POLLIN}}, 2, 0); break;
    case 19: dup2(f, fd()); break;
  }
}
static void *thread(void *number) {
  seed = (unsigned long)number * 2654435761u + 88172645463325252ul;
  while (!stop) call();
  return 0;
}
static void nothing(int signo) {}
static void process(int seconds, long first) {
  struct sigaction act = {.sa_handler = nothing};
  struct itimerval often = {{0, 3000}, {0, 3000}};
  sigaction(SIGALRM, &act, 0);
  signal(SIGPIPE, SIG_IGN);
  setitimer(ITIMER_REAL, &often, 0);
  pthread_t t;
  for (long k = 0; k < THREADS; k++) pthread_create(&t, 0, thread, (void *)(first + k));
  for (time_t end = time(0) + seconds; time(0) < end;) usleep(10000);
  _exit(0); // a thread may wait for ever
}

int main(int argc, char **argv) {
  int status, bad = 0;
  for (long p = 0; p < PROCESSES; p++)
    if (fork() == 0) process(atoi(argv[1]), atol(argv[2]) * 100 + p * THREADS + 1);
  while (wait(&status) > 0) bad |= status;
  printf(bad ? "status %#x\n" : "survived\n", bad);
  return 0;
}
