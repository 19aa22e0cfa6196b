// Random reads, writes and polls over a few pipes that never block: pipes SEED COUNT. Prints every call with its result.
#include "../conformance/check.h"

static unsigned long state;
static unsigned pick(unsigned n) {
  state = state * 6364136223846793005ul + 1442695040888963407ul;
  return (state >> 33) % n;
}
static int fd(void) { return 3 + pick(10); }
static char b[140000];
static long size(void) {
  static const long sizes[] = {0, 1, 3, 100, 4095, 4096, 4097, 10000, 65536, 70000};
  return sizes[pick(10)];
}
static void say(const char *what, long x, long y, long result) {
  printf("%s %ld %ld = %ld%s%s\n", what, x, y, result, result < 0 ? " " : "", result < 0 ? strerrorname_np(errno) : "");
}
static void poll_all(void) {
  struct pollfd fds[11];
  for (int i = 0; i < 11; i++) fds[i] = (struct pollfd){3 + i, POLLIN | POLLOUT | (pick(2) ? POLLRDHUP : 0), 0x5555};
  int n = poll(fds, 11, 0);
  say("poll", 11, 0, n);
  for (int i = 0; i < 11; i++) printf(" %x/%x", fds[i].revents, fds[i].events);
  puts("");
}
static void select_all(void) {
  fd_set in, out;
  FD_ZERO(&in);
  FD_ZERO(&out);
  for (int i = 3; i < 13; i++)
    if (fcntl(i, F_GETFD) >= 0) {
      FD_SET(i, &in);
      FD_SET(i, &out);
    }
  struct timeval none = {0};
  say("select", 0, 0, select(13, &in, &out, NULL, &none));
  for (int i = 3; i < 13; i++) printf(" %d%d", FD_ISSET(i, &in) != 0, FD_ISSET(i, &out) != 0);
  puts("");
}
static void step(void) {
  int d = fd(), e = fd(), p[2], n = -1;
  long k = size(), r;
  switch (pick(15)) {
    case 0: case 1: case 2:
      for (long i = 0; i < k; i++) b[i] = i * 7 + state;
      say("write", d, k, write(d, b, k));
      break;
    case 3: case 4: case 5:
      say("read", d, k, r = read(d, b, k));
      if (r > 0) {
        unsigned h = 5381;
        for (long i = 0; i < r; i++) h = h * 33 + (b[i] & 255);
        printf("  %x\n", h);
      }
      break;
    case 6: poll_all(); break;
    case 7: select_all(); break;
    case 8:
      r = pipe2(p, O_NONBLOCK | (pick(4) == 0 ? O_DIRECT : 0));
      say("pipe2", r ? 0 : p[0], r ? 0 : p[1], r);
      if (r == 0 && p[1] > 12) close(p[0]), close(p[1]);
      break;
    case 9: if (pick(3) == 0) say("close", d, 0, close(d)); break;
    case 10: if (pick(3) == 0) say("dup2", d, e, dup2(d, e)); break;
    case 11: say("F_SETPIPE_SZ", d, k, fcntl(d, F_SETPIPE_SZ, k)); break;
    case 12: r = ioctl(d, FIONREAD, &n); say("FIONREAD", d, n, r); break;
    case 13: say("F_GETFL", d, 0, fcntl(d, F_GETFL)); break;
    default: say("fcntl sizes", d, 0, fcntl(d, F_GETPIPE_SZ));
  }
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOFBF, 1 << 16);
  signal(SIGPIPE, SIG_IGN);
  syscall(SYS_close_range, 3, ~0u, 0);
  state = strtoul(argv[1], NULL, 10) * 2654435761u + 1;
  for (int i = atoi(argv[2]); i > 0; i--) step();
  return 0;
}
