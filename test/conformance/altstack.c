// Alternate signal stacks: sigaltstack's rules, overflow of the ordinary stack, of the alternate one, SS_AUTODISARM, stacks of threads.
#define _GNU_SOURCE
#include "report.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1u << 31)
#endif
#define SIZE 65536
static char stack[SIZE], other[SIZE];
static volatile int on, flags, nested, depth;
static int within(void *p, char *s) { return (char *)p >= s && (char *)p < s + SIZE; }
static void where(int s) {
  stack_t now;
  sigaltstack(0, &now);
  on = within(&now, stack), flags = now.ss_flags;
}
static void deeper(int s) {
  int here;
  nested += within(&here, stack);
  if (depth++ < 2) raise(SIGUSR2);
}
static stack_t of(void *p, size_t n, int f) { return (stack_t){.ss_sp = p, .ss_size = n, .ss_flags = f}; }
static void set(int s, void (*h)(int), int f) {
  struct sigaction sa = {.sa_handler = h, .sa_flags = f};
  sigaction(s, &sa, 0);
}

static void rules(void) {
  stack_t s = of(stack, SIZE, 0), old;
  SAY(sigaltstack(0, &old));
  printf("at first flags %d\n", old.ss_flags);
  SAY(sigaltstack(&s, &old));
  SAY(sigaltstack(0, &old));
  printf("flags %d, same %d %d\n", old.ss_flags, old.ss_sp == stack, old.ss_size == SIZE);
  s = of(stack, 100, 0);
  SAY(sigaltstack(&s, 0));
  s = of(stack, SIZE, 8);
  SAY(sigaltstack(&s, 0));
  s = of(stack, SIZE, SS_ONSTACK);
  SAY(sigaltstack(&s, 0));
  SAY(syscall(SYS_sigaltstack, 16, 0));
  SAY(syscall(SYS_sigaltstack, 0, 16));
  set(SIGUSR1, where, SA_ONSTACK), raise(SIGUSR1);
  printf("on it %d, flags %d\n", on, flags);
  set(SIGUSR1, where, 0), raise(SIGUSR1);
  printf("without SA_ONSTACK %d, flags %d\n", on, flags);
  set(SIGUSR2, deeper, SA_ONSTACK | SA_NODEFER), raise(SIGUSR2);
  printf("nested on it %d of %d\n", nested, depth);
}
static void change(int s) {
  stack_t t = of(other, SIZE, 0);
  SAY(sigaltstack(&t, 0)); // not while on it
}
static void disarm(int s) {
  stack_t now, t = of(other, SIZE, 0);
  sigaltstack(0, &now);
  printf("in the handler: disabled %d", now.ss_flags == SS_DISABLE);
  printf(", may be set %d\n", sigaltstack(&t, 0));
}
static void changes(void) {
  stack_t s = of(stack, SIZE, 0), now;
  sigaltstack(&s, 0);
  set(SIGUSR1, change, SA_ONSTACK), raise(SIGUSR1);
  s = of(stack, SIZE, SS_AUTODISARM);
  SAY(sigaltstack(&s, 0));
  set(SIGUSR1, disarm, SA_ONSTACK), raise(SIGUSR1);
  sigaltstack(0, &now);
  printf("afterwards %d, flags %x\n", now.ss_sp == stack, now.ss_flags);
  s = of(0, 0, SS_DISABLE);
  SAY(sigaltstack(&s, 0));
  set(SIGUSR1, where, SA_ONSTACK), raise(SIGUSR1);
  printf("disabled: on it %d\n", on);
  s = of(stack, SIZE, 0), sigaltstack(&s, 0);
  int status;
  pid_t pid = fork();
  if (pid == 0) sigaltstack(0, &now), _exit(now.ss_sp == stack);
  waitpid(pid, &status, 0);
  printf("inherited by fork %d\n", WEXITSTATUS(status));
}

// ---- overflow ----

static sigjmp_buf back;
static volatile char *fault;
static void escape(int s, siginfo_t *i, void *u) {
  fault = i->si_addr;
  siglongjmp(back, s);
}
static int recurse(int n) {
  volatile char room[4096];
  room[n % 4096] = n;
  return n > 1 << 24 ? n : recurse(n + 1) + room[n % 4096];
}
static void overflow(void) {
  struct sigaction sa = {.sa_sigaction = escape, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  struct rlimit small = {1 << 20, 1 << 20};
  stack_t s = of(stack, SIZE, 0);
  setrlimit(RLIMIT_STACK, &small);
  sigaltstack(&s, 0), sigaction(SIGSEGV, &sa, 0);
  for (int i = 0; i < 3; i++) {
    int r = sigsetjmp(back, 1);
    if (!r) recurse(0);
    printf("caught %d, near the stack %d\n", r == SIGSEGV, labs((char *)&r - fault) < 64 << 20);
  }
}
/* Without an alternate stack there is no room for the frame. */
static void no_room(void) {
  struct sigaction sa = {.sa_sigaction = escape, .sa_flags = SA_SIGINFO};
  struct rlimit small = {1 << 20, 1 << 20};
  setrlimit(RLIMIT_STACK, &small);
  sigaction(SIGSEGV, &sa, 0);
  recurse(0);
}
static void use_up(int s) { raise(SIGUSR1); }
/* Frames that would run over the end of the alternate stack, where nothing is. */
static void alternate(void) {
  char *m = mmap(0, 4 * 4096 + SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  stack_t s = of(m + 4 * 4096, 16384, 0);
  mprotect(m, 4 * 4096, PROT_NONE);
  sigaltstack(&s, 0), set(SIGUSR1, use_up, SA_ONSTACK | SA_NODEFER);
  raise(SIGUSR1);
}
static void dies(const char *what, void (*f)(void)) {
  int status;
  pid_t pid = fork();
  if (pid == 0) f(), _exit(0);
  waitpid(pid, &status, 0);
  printf("%s: %x\n", what, status & 0x7f);
}
static void *threaded(void *u) {
  stack_t s = of(other, SIZE, 0), now;
  sigaltstack(0, &now);
  printf("a thread's at first: flags %d", now.ss_flags);
  sigaltstack(&s, 0), set(SIGUSR1, where, SA_ONSTACK), raise(SIGUSR1);
  printf(", own %d\n", !on && flags == SS_ONSTACK);
  return 0;
}
static void unwritable(void) {
  struct rlimit r = {0, 0};
  setrlimit(RLIMIT_CORE, &r);
  set(SIGUSR1, where, 0);
  asm volatile("mov $0x1000, %%rsp; mov $39, %%eax; syscall; mov %%eax, %%edi; mov $10, %%esi; mov $62, %%eax; syscall" ::: "rax", "rdi", "rsi", "rcx", "r11", "memory");
}

int main(void) {
  struct rlimit none = {0, 0};
  pthread_t t;
  setrlimit(RLIMIT_CORE, &none);
  rules();
  changes();
  dies("overflow", overflow);
  dies("no room for a frame", no_room);
  dies("the alternate stack overflows", alternate);
  dies("no stack at all", unwritable);
  pthread_create(&t, 0, threaded, 0), pthread_join(t, 0);
  return 0;
}
