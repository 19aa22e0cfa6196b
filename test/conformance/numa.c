// Memory policies where there is one node: what of them is remembered, what is refused.
#define _GNU_SOURCE
#include "report.h"
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define PAGE 4096L
#define BAD ((void *)8)
enum { DEFAULT, PREFERRED, BIND, INTERLEAVE, LOCAL, MANY, WEIGHTED };
#define STATIC 0x8000
#define RELATIVE 0x4000
#define BALANCING 0x2000
enum { NODE = 1, ADDR = 2, ALLOWED = 4 };

static long set(int mode, void *nodes, unsigned long max) { return syscall(SYS_set_mempolicy, mode, nodes, max); }
static long get(void *mode, void *nodes, unsigned long max, void *at, unsigned long flags) { return syscall(SYS_get_mempolicy, mode, nodes, max, at, flags); }
static long bind_(void *at, long bytes, int mode, void *nodes, unsigned long max, unsigned flags) { return syscall(SYS_mbind, at, bytes, mode, nodes, max, flags); }
static long home(void *at, unsigned long bytes, unsigned long node, unsigned long flags) { return syscall(450, at, bytes, node, flags); }
static long move(int pid, unsigned long n, void *pages, void *nodes, void *status, int flags) { return syscall(SYS_move_pages, pid, n, pages, nodes, status, flags); }
static long migrate(int pid, unsigned long max, void *from, void *to) { return syscall(SYS_migrate_pages, pid, max, from, to); }

static uint64_t one[1024] = {1}, two[1024] = {2}, both[1024] = {3}, none[1024], far[1024];
static void now(const char *when) {
  int mode = -1;
  uint64_t mask[2] = {~0, ~0};
  long r = get(&mode, mask, 128, 0, 0);
  printf("%s: %ld %x %lx %lx\n", when, r, mode, mask[0], mask[1]);
}
static void at(const char *when, void *p) {
  int mode = -1;
  uint64_t mask = ~0;
  long r = get(&mode, &mask, 64, p, ADDR);
  printf("%s: %ld %x %lx\n", when, r, mode, mask);
}
static int lines(char *from, char *to) { // of /proc/self/maps in there
  FILE *f = fopen("/proc/self/maps", "r");
  unsigned long start, end;
  char line[4096];
  int n = 0;
  while (fgets(line, sizeof line, f))
    if (sscanf(line, "%lx-%lx", &start, &end) == 2 && start < (unsigned long)to && end > (unsigned long)from) n++;
  fclose(f);
  return n;
}

static void threads(void) {
  int mode;
  uint64_t mask[600];
  now("at first");
  SAY(get(0, 0, 0, 0, 0));
  SAY(get(&mode, mask, 0, 0, 0));
  SAY(get(&mode, mask, 1, 0, 0));
  SAY(get(&mode, mask, 32768, 0, 0));
  SAY(get(&mode, mask, 32768 + 66, 0, 0));
  SAY(get(BAD, 0, 0, 0, 0));
  SAY(get(0, BAD, 64, 0, 0));
  SAY(get(&mode, 0, 0, one, 0));
  SAY(get(&mode, 0, 0, 0, NODE));
  SAY(get(&mode, 0, 0, 0, 8));
  SAY(get(&mode, mask, 64, 0, ALLOWED)), printf("%d %lx\n", mode, mask[0]);
  SAY(get(&mode, mask, 64, 0, ALLOWED | NODE));
  SAY(get(&mode, mask, 64, 0, ALLOWED | ADDR));
  for (int k = -1; k < 9; k++) {
    printf("-- %d\n", k);
    SAY(set(k, one, 64)), now("one");
    SAY(set(k, none, 64)), now("none");
    SAY(set(k, 0, 0)), now("null");
    SAY(set(k, two, 64)), now("two");
    SAY(set(k, both, 64)), now("both");
    SAY(set(k | STATIC, one, 64)), now("static");
    SAY(set(k | RELATIVE, one, 64)), now("relative");
    SAY(set(k | BALANCING, one, 64)), now("balancing");
    SAY(set(k | STATIC | RELATIVE, one, 64));
    SAY(set(k | STATIC, two, 64));
    SAY(set(k | STATIC, none, 64));
    SAY(set(k | RELATIVE, 0, 0));
  }
  far[40] = 1; // node 2560
  SAY(set(BIND, one, 0));
  SAY(set(BIND, one, 1));
  SAY(set(BIND, one, 2));
  SAY(set(BIND, one, 32769));
  SAY(set(BIND, one, 32770));
  SAY(set(BIND, far, 32769));
  SAY(set(BIND, far, 2000));
  SAY(set(BIND, BAD, 64));
  SAY(set(BIND, one, 64));
  if (fork() == 0) now("child"), set(DEFAULT, 0, 0), _exit(0);
  wait(0);
  now("parent");
  SAY(set(INTERLEAVE, one, 64)), SAY(get(&mode, 0, 0, 0, NODE)), printf("%d\n", mode);
  SAY(set(DEFAULT, 0, 0));
}
static void regions(void) {
  char *p = mmap(0, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int mode = -1;
  munmap(p + 7 * PAGE, PAGE), munmap(p, PAGE), p += PAGE; // alone
  memset(p, 1, 6 * PAGE);
  printf("lines %d\n", lines(p, p + 6 * PAGE));
  SAY(home(p, PAGE, 0, 0));
  SAY(bind_(p + PAGE, PAGE, BIND, one, 64, 0));
  at("bound", p + PAGE), at("beside", p), at("nothing", p - 1);
  printf("lines %d\n", lines(p, p + 6 * PAGE));
  SAY(bind_(p, PAGE, BIND | STATIC, one, 64, 0));
  printf("lines %d\n", lines(p, p + 6 * PAGE));
  SAY(bind_(p, PAGE, BIND, one, 64, 0));
  printf("lines %d\n", lines(p, p + 6 * PAGE));
  SAY(home(p, PAGE, 0, 0));
  SAY(home(p, 3 * PAGE, 0, 0));
  SAY(home(p, PAGE, 1, 0));
  SAY(home(p, PAGE, 0, 1));
  SAY(home(p + 1, PAGE, 0, 0));
  SAY(home(p, 0, 0, 0));
  SAY(home(p, -1, 0, 0));
  SAY(home(p, -2 * PAGE, 0, 0));
  SAY(bind_(p + 4 * PAGE, PAGE, PREFERRED, one, 64, 0));
  SAY(home(p + 4 * PAGE, PAGE, 0, 0));
  SAY(get(&mode, 0, 0, p, NODE | ADDR)), printf("%d\n", mode);
  SAY(get(&mode, 0, 0, p - 1, NODE | ADDR));
  SAY(get(&mode, 0, 0, p, NODE));
  for (unsigned flags = 1; flags < 16; flags++) printf("flags %u: ", flags), SAY(bind_(p, PAGE, BIND, one, 64, flags));
  SAY(bind_(p + 1, PAGE, BIND, one, 64, 0));
  SAY(bind_(p, 0, BIND, one, 64, 0));
  SAY(bind_(p, 0, 77, one, 64, 0));
  SAY(bind_(p, 0, BIND, BAD, 64, 0));
  SAY(bind_(p, -1, BIND, one, 64, 0));
  SAY(bind_(p, -2 * PAGE, BIND, one, 64, 0));
  SAY(bind_(p, PAGE, 77, one, 64, 0));
  SAY(bind_(p, PAGE, BIND, two, 64, 0));
  SAY(bind_(p, PAGE, BIND, BAD, 64, 0));
  SAY(bind_(p, PAGE, BIND, none, 64, 0));
  SAY(bind_(p, PAGE, DEFAULT, one, 64, 0));
  SAY(bind_(p - PAGE, PAGE, BIND, one, 64, 0));
  SAY(bind_(p - PAGE, PAGE, DEFAULT, 0, 0, 0));
  SAY(bind_(p - PAGE, 3 * PAGE, DEFAULT, 0, 0, 0));
  SAY(bind_(p, 6 * PAGE, DEFAULT, 0, 0, 0));
  printf("lines %d\n", lines(p, p + 6 * PAGE));
  mprotect(p, PAGE, PROT_NONE);
  SAY(get(&mode, 0, 0, p, NODE | ADDR));
}
static void pages(void) {
  char *p = mmap(0, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  void *all[4] = {p, p + PAGE, BAD, p + 5};
  int status[4] = {9, 9, 9, 9}, nodes[4] = {0};
  memset(p, 1, 4 * PAGE);
  SAY(move(0, 4, all, 0, status, 0)), printf("%d %d %d %d\n", status[0], status[1], status[2], status[3]);
  SAY(move(0, 4, all, nodes, status, 2)), printf("%d %d %d %d\n", status[0], status[1], status[2], status[3]);
  SAY(move(0, 4, all, nodes, status, 4));
  SAY(move(getpid(), 1, all, nodes, status, 0));
  SAY(move(0, 0, 0, 0, 0, 0));
  SAY(move(0, 1, all, nodes, status, 1));
  SAY(move(0, 1, all, nodes, status, 8));
  SAY(move(0, 1, BAD, nodes, status, 2));
  SAY(move(0, 1, all, BAD, status, 2));
  SAY(move(0, 1, all, nodes, BAD, 2));
  SAY(move(0, 1, all, 0, BAD, 0));
  SAY(move(0, 1, BAD, 0, status, 0));
  SAY(move(99999, 1, all, 0, status, 0));
  nodes[1] = 1, SAY(move(0, 2, all, nodes, status, 2));
  nodes[1] = -1, SAY(move(0, 2, all, nodes, status, 2));
  SAY(migrate(0, 64, one, one));
  SAY(migrate(0, 64, none, one));
  SAY(migrate(0, 64, one, two));
  SAY(migrate(0, 64, one, both));
  SAY(migrate(0, 64, one, none));
  SAY(migrate(0, 64, BAD, one));
  SAY(migrate(0, 64, one, BAD));
  SAY(migrate(0, 0, one, one));
  SAY(migrate(99999, 64, one, one));
}
int main(void) {
  threads();
  regions();
  pages();
  return 0;
}
