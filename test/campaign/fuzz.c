// Random system calls with arguments that are nearly right, in processes that come and go. Runs inside a machine only (it says how many
// processes it lost to what); natively it refuses. argv: seed, seconds, workers at a time, and the word that says where it runs.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CALLS 470
#define STEPS 400
#define PAGE 4096
static uint64_t state;
static uint64_t rnd(void) {
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}
static unsigned below(unsigned n) { return rnd() % n; }

static unsigned char *area, *half; // 64 KiB to scribble in; a page with nothing behind it
static int fds[64], nfds;
static const char *names[] = {"f", "d", "d/x", "link", "fifo", "nosuch/y", ".", "..", "/", "", "/proc/self/maps", "/proc/self/fd", "/dev/null", "/dev/zero", "/dev/tty", "/dev/ptmx", "/tmp", "a-name-that-is-rather-long-but-not-too-long", "sock", "/proc/self/mem"};

/* Something a call might take for a structure: numbers small and large, addresses, descriptors. */
static void scribble(unsigned char *at, unsigned bytes) {
  uint64_t *words = (uint64_t *)at;
  for (unsigned i = 0; i < bytes / 8; i++) {
    switch (below(8)) {
      case 0: words[i] = 0; break;
      case 1: words[i] = below(64); break;
      case 2: words[i] = (uint64_t)(area + below(65536 - 512)); break;
      case 3: words[i] = 1ull << below(64); break;
      case 4: words[i] = rnd(); break;
      case 5: words[i] = (uint64_t)below(64) << 32 | below(64); break;
      case 6: words[i] = ~0ull; break;
      default: break;
    }
  }
}
static uint64_t address(void) {
  switch (below(12)) {
    case 0: return 0;
    case 1: return (uint64_t)(half + PAGE - below(64)); // ends in the middle of it
    case 2: return rnd();
    case 3: return (uint64_t)area + 65536 - below(32);
    case 4: return 0xffff800000000000ull + below(1 << 20);
    case 5: return 0x7fff00000000ull + below(1 << 20); // the stub's
    case 6: return below(70000);
    case 7: return ~(uint64_t)below(4096);
    default: {
      unsigned char *p = area + below(60) * 1024 + (below(4) ? 0 : below(16));
      scribble(p, 128);
      return (uint64_t)p;
    }
  }
}
static uint64_t argument(int i) {
  switch (below(i == 0 ? 7 : 9)) {
    case 0: return nfds ? fds[below(nfds)] : 0;
    case 1: return (uint64_t)names[below(sizeof names / sizeof *names)];
    case 2: return below(16);
    case 3: return 1ull << below(64);
    case 4: return below(8) ? nfds ? fds[below(nfds)] : -1 : rnd();
    case 5: return (uint64_t)-(int64_t)below(200);
    case 6: return below(1 << 20);
    default: return address();
  }
}
/* What would only end or stop the worker, or fork without bounds. */
static int left_out(long n) {
  static const short out[] = {SYS_exit, SYS_exit_group, SYS_pause, SYS_fork, SYS_vfork, SYS_clone, 435, SYS_rt_sigreturn, SYS_kill, SYS_tkill, SYS_tgkill, SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo, 424, SYS_rt_sigsuspend, SYS_alarm, SYS_setitimer, SYS_reboot};
  for (unsigned i = 0; i < sizeof out / sizeof *out; i++) if (out[i] == n) return 1;
  return 0;
}
static void note(long fd) {
  if (fd < 3 || fd > 4000) return;
  if (nfds < 64) fds[nfds++] = fd;
  else fds[below(64)] = fd;
}
static void tick(int signo) { (void)signo; }
static void again(void) {
  struct sigaction s = {.sa_handler = tick};
  struct itimerval every = {{0, 20000}, {0, 20000}};
  sigaction(SIGALRM, &s, NULL);
  setitimer(ITIMER_REAL, &every, NULL);
}

static void *steps(void *arg) {
  for (int i = 0; i < STEPS; i++) {
    long n = below(16) ? below(CALLS) : below(1024);
    if (left_out(n)) continue;
    if (i % 50 == 0) again(); // whatever it did to its signals
    uint64_t second = argument(1);
    if (n == SYS_shmget) second &= 0xfffff; // segments stay: they must not take all the machine's memory
    note(syscall(n, argument(0), second, argument(2), argument(3), argument(4), argument(5)));
  }
  return arg;
}
/* Others change the same memory and descriptors meanwhile. */
static void *disturb(void *arg) {
  for (int i = 0; i < 200; i++) {
    unsigned char *p = area + below(15) * PAGE;
    switch (below(5)) {
      case 0: mprotect(p, PAGE, below(8)); break;
      case 1: mmap(p, PAGE, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); break;
      case 2: if (nfds) close(fds[below(nfds)]); break;
      case 3: if (nfds) dup2(fds[below(nfds)], 3 + below(60)); break;
      default: sched_yield();
    }
  }
  return arg;
}
static int worker(uint64_t seed, const char *scratch) {
  state = seed * 0x9e3779b97f4a7c15ull + 1;
  char dir[200];
  snprintf(dir, sizeof dir, "%s/%lx", scratch, (unsigned long)seed);
  if (mkdir(dir, 0777) || chdir(dir)) return 1;
  struct rlimit files = {256, 256}, size = {8 << 20, 8 << 20}, core = {0, 0}, cpu = {5, 5}, memory = {64 << 20, 64 << 20};
  setrlimit(RLIMIT_NOFILE, &files), setrlimit(RLIMIT_FSIZE, &size), setrlimit(RLIMIT_CORE, &core), setrlimit(RLIMIT_CPU, &cpu), setrlimit(RLIMIT_AS, &memory);
  area = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  half = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(half + PAGE, PAGE);
  mkdir("d", 0755), symlink("f", "link"), mkfifo("fifo", 0644);
  int two[2];
  note(open("f", O_RDWR | O_CREAT, 0644)), note(open("d", O_RDONLY)), note(open("fifo", O_RDWR | O_NONBLOCK));
  if (!pipe2(two, O_NONBLOCK)) note(two[0]), note(two[1]);
  if (!socketpair(AF_UNIX, SOCK_STREAM, 0, two)) note(two[0]), note(two[1]);
  note(eventfd(3, EFD_NONBLOCK)), note(epoll_create1(0)), note(timerfd_create(CLOCK_MONOTONIC, 0)), note(open("/dev/ptmx", O_RDWR | O_NOCTTY));
  note(open("/proc/self/status", O_RDONLY)), note(open("/dev/zero", O_RDWR)), note(memfd_create("m", 0)), note(socket(AF_INET, SOCK_STREAM, 0));
  if (below(4) && setresgid(20000, 20000, 20000) + setresuid(10000 + seed % 5000, 10000 + seed % 5000, 10000 + seed % 5000)) return 1;
  again();
  pthread_t other;
  int threads = below(3) == 0 && !pthread_create(&other, NULL, disturb, NULL);
  steps(NULL);
  if (threads) pthread_cancel(other);
  return 0;
}

int main(int argc, char **argv) {
  struct utsname name;
  uname(&name);
  if (argc < 6 || strcmp(argv[4], "inside") || strcmp(name.nodename, "mol-fuzz")) {
    fprintf(stderr, "fuzz: runs inside a machine only (npm run fuzz)\n");
    return 2;
  }
  uint64_t seed = strtoull(argv[1], NULL, 10);
  time_t end = time(NULL) + atoi(argv[2]);
  int most = atoi(argv[3]), running = 0;
  unsigned long started = 0, ended = 0, killed = 0;
  struct { pid_t pid; time_t since; } table[64] = {0};
  for (;;) {
    while (running < most && time(NULL) < end) {
      fflush(stdout);
      pid_t p = fork();
      if (p < 0) break;
      if (p == 0) {
        setpgid(0, 0);
        for (int fd = 0; fd < 3; fd++) close(fd), open("/dev/null", O_RDWR);
        _exit(worker(seed + started, argv[5]));
      }
      for (int i = 0; i < most; i++) if (table[i].pid == 0) { table[i].pid = p, table[i].since = time(NULL); break; }
      started++, running++;
    }
    if (running == 0) break;
    int status;
    pid_t p = waitpid(-1, &status, WNOHANG);
    if (p <= 0) {
      usleep(2000);
      for (int i = 0; i < most; i++) if (table[i].pid && time(NULL) - table[i].since > 3) kill(table[i].pid, SIGKILL), kill(-table[i].pid, SIGKILL);
      continue;
    }
    for (int i = 0; i < most; i++) if (table[i].pid == p) { table[i].pid = 0, running--; WIFEXITED(status) ? ended++ : killed++; kill(-p, SIGKILL); break; }
  }
  printf("%lu processes: %lu ended, %lu by a signal\n", started, ended, killed);
  return 0;
}
