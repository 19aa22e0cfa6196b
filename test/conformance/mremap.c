// mremap: shrinking, growing in place and elsewhere, moving to a fixed place, leaving an empty place behind, duplicating shared memory;
// mappings that grow down, their guard gap and their limit; every error of the man page that can be provoked.
#define _GNU_SOURCE
#include "report.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define PAGE 4096L
static sigjmp_buf back;
static siginfo_t info;
static void jump(int s, siginfo_t *i, void *c) { info = *i, siglongjmp(back, s); }
static int touch(volatile char *p, int write) {
  int s = sigsetjmp(back, 1);
  if (s) return s * 100 + info.si_code;
  if (write) *p = 1;
  else (void)*p;
  return 0;
}
static char *area; // 64 pages nobody maps but we
static void clear(void) { area = mmap(area, 64 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (area ? MAP_FIXED : 0), -1, 0), munmap(area, 64 * PAGE); }
static char *put(int page, int pages, int prot, int flags, int fd) {
  return mmap(area + page * PAGE, pages * PAGE, prot, flags | MAP_FIXED, fd, 0);
}
static void place(const char *name, void *p) {
  if (p == MAP_FAILED) printf("%s: %s\n", name, strerrorname_np(errno));
  else if ((char *)p >= area && (char *)p < area + 64 * PAGE) printf("%s: at page %ld\n", name, ((char *)p - area) / PAGE);
  else printf("%s: elsewhere\n", name);
}
#define PLACE(call) (errno = 0, place(#call, call))
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW (PROT_READ | PROT_WRITE)

static void sizes(void) {
  clear();
  char *p = put(0, 4, RW, ANON, -1), *n;
  memset(p, 'a', 4 * PAGE);
  PLACE(mremap(p, 4 * PAGE, 2 * PAGE, 0));
  printf("cut off: %d\n", touch(p + 2 * PAGE, 0));
  PLACE(mremap(p, 2 * PAGE, 6 * PAGE, 0));
  printf("zeroes behind: %d %d\n", p[PAGE], p[2 * PAGE]);
  put(8, 1, RW, ANON, -1);
  PLACE(mremap(p, 6 * PAGE, 9 * PAGE, 0));
  PLACE(mremap(p, 2 * PAGE, 3 * PAGE, 0));
  place("moves when it must", n = mremap(p, 6 * PAGE, 9 * PAGE, MREMAP_MAYMOVE));
  printf("with it: %d %d %d, there: %d\n", n[0], n[2 * PAGE], n[8 * PAGE], touch(p, 0));
  munmap(n, 9 * PAGE);
  p = put(0, 3, RW, ANON, -1);
  strcpy(p + PAGE, "middle");
  place("part of it", n = mremap(p + PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
  printf("%s, hole %d, ends %d %d\n", n, touch(p + PAGE, 0), touch(p, 1), touch(p + 2 * PAGE, 1));
  munmap(n, 2 * PAGE);
  mprotect(p, PAGE, PROT_READ);
  PLACE(mremap(p, PAGE, PAGE - 100, 0));
  PLACE(mremap(p, PAGE - 100, PAGE, 0));
}
static void places(void) {
  clear();
  char *p = put(0, 4, RW, ANON, -1);
  for (int i = 0; i < 4; i++) p[i * PAGE] = 'a' + i;
  put(10, 4, PROT_READ, ANON, -1);
  PLACE(mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, area + 11 * PAGE));
  printf("%c%c, before %d, behind %d\n", p[11 * PAGE], p[12 * PAGE], touch(p + 10 * PAGE, 1), touch(p + 13 * PAGE, 0));
  PLACE(mremap(p + 2 * PAGE, 2 * PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, area + 20 * PAGE));
  printf("%c %d %d\n", p[20 * PAGE], touch(p + 2 * PAGE, 0), touch(p + 3 * PAGE, 0));
  PLACE(mremap(p + 20 * PAGE, PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, area + 30 * PAGE));
  printf("%c %d\n", p[30 * PAGE], p[32 * PAGE]);
}
static void keeping(void) {
  clear();
  char *p = put(0, 2, RW, ANON, -1), *n;
  strcpy(p, "kept");
  place("leaves a place", n = mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0));
  printf("%s, there %d, writable %d\n", n, p[0], touch(p, 1));
  munmap(n, 2 * PAGE);
  strcpy(p, "again");
  PLACE(mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP | MREMAP_FIXED, area + 5 * PAGE));
  printf("%s, there %d\n", p + 5 * PAGE, p[0]);
  PLACE(mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, area + 9 * PAGE));
  PLACE(mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0));
  PLACE(mremap(p, PAGE, PAGE, MREMAP_DONTUNMAP, 0));
  PLACE(mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP | MREMAP_FIXED, p));
  char *s = put(20, 2, RW, MAP_SHARED | MAP_ANONYMOUS, -1);
  strcpy(s, "shared");
  PLACE(mremap(s, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP | MREMAP_FIXED, area + 25 * PAGE));
  printf("%s %s\n", s, s + 5 * PAGE);
  s[0] = 'S';
  printf("%s %s\n", s, s + 5 * PAGE);
  PLACE(mremap(s, 0, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, area + 30 * PAGE));
  printf("%s\n", s + 10 * PAGE);
  PLACE(mremap(s, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, area + 40 * PAGE));
  printf("%s, behind the object %d\n", area + 40 * PAGE, touch(area + 43 * PAGE, 0));
}
static void errors(void) {
  clear();
  char *p = put(0, 4, RW, ANON, -1);
  put(4, 1, PROT_READ, ANON, -1);
  PLACE(mremap(p + 1, PAGE, PAGE, 0));
  PLACE(mremap((void *)-1, PAGE, PAGE, 0));
  PLACE(mremap((void *)-PAGE, PAGE, PAGE, 0));
  PLACE(mremap(p, PAGE, 0, 0));
  PLACE(mremap(p, PAGE, -1, 0));
  PLACE(mremap(p, -1, PAGE, 0));
  PLACE(mremap(p, PAGE, PAGE, 8));
  PLACE(mremap(p, PAGE, PAGE, MREMAP_FIXED, area + 20 * PAGE));
  PLACE(mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + PAGE));
  PLACE(mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, area + 20 * PAGE + 1));
  PLACE(mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)-PAGE));
  PLACE(mremap(p, 0, PAGE, MREMAP_MAYMOVE));
  PLACE(mremap(p + 30 * PAGE, PAGE, PAGE, 0));
  PLACE(mremap(p + 30 * PAGE, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
  PLACE(mremap(p, 5 * PAGE, 6 * PAGE, MREMAP_MAYMOVE));
  PLACE(mremap(p, 10 * PAGE, 2 * PAGE, 0));
}
static void limits(void) {
  clear();
  char *p = put(0, 4, RW, ANON, -1);
  struct rlimit l = {200 << 20, RLIM_INFINITY}, none = {RLIM_INFINITY, RLIM_INFINITY};
  setrlimit(RLIMIT_AS, &l);
  PLACE(mremap(p, 4 * PAGE, 256 << 20, MREMAP_MAYMOVE));
  PLACE(mmap(NULL, 256 << 20, RW, ANON, -1, 0));
  PLACE(mmap(NULL, 256 << 20, PROT_NONE, ANON, -1, 0));
  void *big = sbrk(0);
  printf("brk: %d\n", sbrk(256 << 20) == (void *)-1 ? errno : 0);
  setrlimit(RLIMIT_AS, &none);
  l.rlim_cur = 100 << 20;
  setrlimit(RLIMIT_DATA, &l);
  PLACE(mmap(NULL, 256 << 20, RW, ANON, -1, 0));
  PLACE(mmap(NULL, 256 << 20, PROT_READ, ANON, -1, 0));
  PLACE(mmap(NULL, 256 << 20, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  char *r = mmap(NULL, 256 << 20, PROT_READ, ANON, -1, 0);
  SAY(mprotect(r, 256 << 20, RW));
  SAY(mprotect(r, 50 << 20, RW));
  SAY(mprotect(r, 256 << 20, PROT_READ));
  printf("brk: %d\n", sbrk(256 << 20) == (void *)-1 ? errno : 0);
  setrlimit(RLIMIT_DATA, &none);
}
static void growing(void) {
  clear();
  char *wide = mmap(NULL, 1024 * PAGE, PROT_NONE, ANON, -1, 0);
  munmap(wide, 1024 * PAGE);
  char *p = mmap(wide + 1000 * PAGE, 2 * PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
  printf("below it: %d, %d\n", touch(p - 1, 1), touch(p - 10 * PAGE, 1));
  printf("in between: %d\n", touch(p - 5 * PAGE, 0));
  SAY(mprotect(p + PAGE, PAGE, PROT_READ | PROT_GROWSDOWN));
  printf("all of it: %d %d\n", touch(p - 3 * PAGE, 1), touch(p + PAGE, 1));
  SAY(mprotect(p, 2 * PAGE, RW | PROT_GROWSDOWN | PROT_GROWSUP));
  SAY(mprotect(p, 2 * PAGE, RW | PROT_GROWSUP));
  char *q = put(0, 1, RW, ANON, -1);
  SAY(mprotect(q, PAGE, RW | PROT_GROWSDOWN));
  // no closer to the mapping below than the gap
  munmap(wide, 1024 * PAGE);
  char *far = wide;
  mmap(far, PAGE, RW, ANON | MAP_FIXED, -1, 0);
  char *g = mmap(far + 1000 * PAGE, PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
  printf("to the gap: %d, into it: %d\n", touch(far + 300 * PAGE, 1), touch(far + 200 * PAGE, 1));
  struct rlimit l = {16 * PAGE, RLIM_INFINITY};
  fflush(stdout);
  if (fork() == 0) {
    munmap(far, 1024 * PAGE);
    char *s = mmap(far + 1000 * PAGE, 2 * PAGE, RW, ANON | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
    setrlimit(RLIMIT_STACK, &l);
    printf("within the limit: %d, beyond: %d\n", touch(s - 10 * PAGE, 1), touch(s - 20 * PAGE, 1));
    _exit(0);
  }
  wait(NULL);
}
int main(void) {
  struct sigaction a = {.sa_sigaction = jump, .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK};
  stack_t ss = {malloc(65536), 0, 65536};
  sigaltstack(&ss, NULL);
  sigaction(SIGSEGV, &a, NULL);
  sigaction(SIGBUS, &a, NULL);
  sizes();
  places();
  keeping();
  errors();
  limits();
  growing();
  return 0;
}
