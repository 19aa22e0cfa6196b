// Guests that misbehave on purpose; argv[1] says how. Run inside a machine only: hostile.test.ts checks that nobody else suffers.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHANNEL 0x7fff40000000ul
#define STUB 0x7fff00000000ul

static uint64_t seed = 88172645463325252ull;
static uint64_t rnd(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  return seed ^= seed << 17;
}

static long raw(long n, long a, long b, long c, long d, long e, long f) {
  register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
  long r;
  __asm__ volatile("syscall" : "=a"(r) : "0"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
  return r;
}

// Jump to a `syscall; ret` of the stub's own with chosen registers: what is not on the filter's list comes back as a guest call.
static long through_stub(unsigned char *at, long n, long a, long b, long c, long d) {
  register long r10 __asm__("r10") = d;
  register unsigned char *target __asm__("rbx") = at;
  long r;
  __asm__ volatile("call *%%rbx" : "=a"(r) : "0"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(target) : "rcx", "r11", "memory");
  return r;
}

static void crash(void) { *(volatile int *)8 = 1; }
static void divide(void) { __asm__ volatile("xor %%edx,%%edx; mov $1,%%eax; xor %%ecx,%%ecx; div %%ecx" : : : "eax", "ecx", "edx"); }
static void illegal(void) { __asm__ volatile("ud2"); }
static void loop(void) { for (;;) __asm__ volatile(""); }

static int fork_bomb(void) {
  for (int made = 0;; made++) {
    pid_t p = fork();
    if (p < 0) {
      printf("EAGAIN after some: %d\n", errno == EAGAIN && made > 10);
      fflush(stdout);
      return 0;
    }
    if (p == 0) {
      for (int fd = 0; fd < 3; fd++) close(fd);
      pause();
      _exit(0);
    }
  }
}
static int fill_memory(void) {
  size_t total = 0;
  for (;;) {
    void *p = mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) break;
    total += 64;
    if (total > (1 << 20)) return 1;
  }
  printf("ENOMEM: %d\n", errno == ENOMEM);
  return 0;
}
// Every number with random arguments, each in a child of its own so that exit, pause and the like end only that one.
static int all_calls(int rounds) {
  for (int n = 0; n < 1024; n++) {
    if (n == SYS_fork || n == SYS_vfork || n == SYS_clone || n == SYS_clone3 || n == SYS_kill) continue;
    pid_t p = fork();
    if (p < 0) return 1;
    if (p == 0) {
      alarm(1);
      seed += n * 7919;
      for (int i = 0; i < rounds; i++) raw(n, rnd(), rnd() >> (rnd() & 63), rnd() >> (rnd() & 63), rnd() & 0xff, rnd() >> (rnd() & 63), rnd());
      _exit(0);
    }
    int status;
    while (waitpid(p, &status, 0) < 0 && errno == EINTR);
  }
  puts("survived");
  return 0;
}
static void *scribble(void *arg) {
  (void)arg;
  return NULL;
}
// ---- with threads ----

static unsigned char *stub_call(void) {
  unsigned char *at = (unsigned char *)STUB;
  for (int i = 0; i < 0x4000; i++)
    if (at[i] == 0x0f && at[i + 1] == 0x05 && at[i + 2] == 0xc3) return at + i;
  return NULL;
}
static volatile int ready;
static void *vanish(void *arg) { // the host thread ends and nobody is told
  ready = 1;
  through_stub(arg, SYS_exit, 0, 0, 0, 0);
  return NULL;
}
static int vanishing_thread(void) {
  pthread_t t;
  if (pthread_create(&t, NULL, vanish, stub_call())) return 1;
  while (!ready) sched_yield();
  for (int i = 0; i < 200; i++) munmap(mmap(NULL, 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 65536);
  pthread_kill(t, SIGWINCH);
  puts("goes on");
  exit(4);
}
static void *liar(void *arg) {
  long slot = (long)arg;
  volatile uint32_t *channel = (uint32_t *)(CHANNEL + 0x40000 * slot);
  for (;;) channel[2] = (uint32_t)rnd() % 100000; // whom an interrupt goes to
}
static int lying_threads(void) {
  pthread_t t;
  struct sigaction ignore = {.sa_handler = SIG_IGN};
  sigaction(SIGUSR1, &ignore, NULL);
  for (long i = 1; i < 5; i++)
    if (pthread_create(&t, NULL, liar, (void *)i)) return 1;
  for (int i = 0; i < 100; i++) pthread_kill(t, SIGUSR1);
  usleep(50000);
  exit(5);
}
static void *wreck(void *arg) {
  for (;;) {
    volatile uint32_t *channel = (uint32_t *)(CHANNEL + 0x40000 * (rnd() % 8));
    channel[rnd() % 1024] = (uint32_t)rnd();
    if (arg && rnd() % 64 == 0) getppid();
    if (arg && rnd() % 256 == 0) munmap(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096);
  }
}
static int wrecking_threads(void) {
  pthread_t t;
  for (long i = 0; i < 6; i++) pthread_create(&t, NULL, wreck, (void *)(i & 1));
  for (int i = 0; i < 50; i++) usleep(1000);
  return 0;
}
static void *stay(void *arg) {
  for (;;) pause();
  return arg;
}
static int thread_bomb(void) {
  pthread_t t;
  int e = 0, n = 0;
  while (n < 2000 && !(e = pthread_create(&t, NULL, stay, NULL))) n++;
  printf("%s after some: %d\n", e == EAGAIN ? "EAGAIN" : strerror(e), n > 10);
  return 0;
}
static int thread_birth(void) { // a host thread without order
  static char stack[4096];
  return through_stub(stub_call(), SYS_clone, 0x50f00, (long)(stack + 4000), 0, 0) > 0 ? 1 : 0;
}

static int garbage_channel(void) {
  uint32_t *channel = (uint32_t *)CHANNEL;
  for (int i = 0; i < 20000; i++) {
    channel[rnd() % 1024] = (uint32_t)rnd(); // includes sequence numbers, operation lists, registers
    if (i % 64 == 0) getppid();
  }
  scribble(NULL);
  return 0;
}
static int jump_stub(void) {
  unsigned char *at = (unsigned char *)STUB;
  unsigned char *found = NULL;
  for (int i = 0; i < 0x4000 && !found; i++)
    if (at[i] == 0x0f && at[i + 1] == 0x05 && at[i + 2] == 0xc3) found = at + i;
  if (!found) {
    puts("no syscall;ret in the stub");
    return 0;
  }
  const char *path = "/etc/passwd";
  long opened = through_stub(found, SYS_open, (long)path, 0, 0, 0);
  // whatever came back is the machine's answer, not the host's: a descriptor of the machine reads through the machine
  printf("unmap %ld remap %ld ptrace %ld\n", through_stub(found, SYS_munmap, STUB, 0x1000, 0, 0) >= 0 ? 1L : 0L,
         through_stub(found, SYS_mprotect, CHANNEL, 0x1000, 7, 0) >= 0 ? 1L : 0L, through_stub(found, SYS_ptrace, 0, 0, 0, 0) > 0 ? 1L : 0L);
  (void)opened;
  return 0;
}
static int unmap_all(void) {
  printf("%d %d %d %d\n", munmap((void *)STUB, 0x1000) ? errno : 0, munmap((void *)CHANNEL, 0x40000) ? errno : 0,
         mprotect((void *)STUB, 0x1000, PROT_READ | PROT_WRITE) ? errno : 0,
         mmap((void *)CHANNEL, 0x1000, PROT_READ, MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? errno : 0);
  return 0;
}
static int wild_birth(void) {
  long r = raw(SYS_clone, 0x8000 | SIGCHLD, 0, 0, 0, 0, 0); // CLONE_PARENT: legal for a guest, a child of init
  if (r == 0) _exit(0);
  return 0;
}
static int int80(void) {
  long r;
  __asm__ volatile("int $0x80" : "=a"(r) : "0"(20L) : "memory");
  printf("int80 %ld\n", r);
  printf("x32 %ld\n", raw(0x40000000 | SYS_getpid, 0, 0, 0, 0, 0, 0));
  return 0;
}
static int forged_frame(void) {
  static char frame[8192];
  for (unsigned i = 0; i < sizeof frame; i++) frame[i] = (char)rnd();
  __asm__ volatile("mov %0, %%rsp; mov $15, %%eax; syscall" : : "r"(frame + 1024) : "memory");
  return 0;
}
static int stack_gone(void) {
  __asm__ volatile("xor %%esp, %%esp; push %%rax" : : : "memory");
  return 0;
}

int main(int argc, char **argv) {
  const char *how = argc > 1 ? argv[1] : "";
  setvbuf(stdout, NULL, _IONBF, 0);
  if (!strcmp(how, "crash")) crash();
  if (!strcmp(how, "divide")) divide();
  if (!strcmp(how, "illegal")) illegal();
  if (!strcmp(how, "loop")) loop();
  if (!strcmp(how, "fork-bomb")) return fork_bomb();
  if (!strcmp(how, "memory")) return fill_memory();
  if (!strcmp(how, "calls")) return all_calls(argc > 2 ? atoi(argv[2]) : 3);
  if (!strcmp(how, "garbage")) return garbage_channel();
  if (!strcmp(how, "jump")) return jump_stub();
  if (!strcmp(how, "unmap")) return unmap_all();
  if (!strcmp(how, "birth")) return wild_birth();
  if (!strcmp(how, "int80")) return int80();
  if (!strcmp(how, "frame")) return forged_frame();
  if (!strcmp(how, "stack")) return stack_gone();
  if (!strcmp(how, "vanish")) return vanishing_thread();
  if (!strcmp(how, "lie")) return lying_threads();
  if (!strcmp(how, "wreck")) return wrecking_threads();
  if (!strcmp(how, "thread-bomb")) return thread_bomb();
  if (!strcmp(how, "thread-birth")) return thread_birth();
  return 2;
}
