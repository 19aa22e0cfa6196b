// mlock and its kin against RLIMIT_MEMLOCK, what is in memory (mincore) and what advice does to it, membarrier, pages made on the fly;
// every error of the man pages that can be provoked, addresses near the end of the address space included.
#define _GNU_SOURCE
#include "report.h"
#include <fcntl.h>
#include <grp.h>
#include <linux/membarrier.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define PAGE 4096L
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)
#define TOP ((void *)-1l)
static sigjmp_buf back;
static void jump(int s) { siglongjmp(back, s); }
static int touch(volatile char *p, int write) {
  int s = sigsetjmp(back, 1);
  if (s) return s;
  if (write) *p = 1;
  else (void)*p;
  return 0;
}
static void locked(void) {
  char line[200];
  FILE *f = fopen("/proc/self/status", "r");
  while (fgets(line, sizeof line, f))
    if (!strncmp(line, "VmLck", 5)) printf("%s", line);
  fclose(f);
}
static void present(const char *name, void *p, int pages) {
  unsigned char v[64];
  printf("%s:", name);
  if (mincore(p, pages * PAGE, v)) printf(" %s", strerrorname_np(errno));
  else for (int i = 0; i < pages; i++) printf(" %d", v[i] & 1);
  printf("\n");
}
static void locking(void) {
  char *p = mmap(NULL, 16 * PAGE, RW, ANON, -1, 0);
  present("untouched", p, 4);
  SAY(mlock(p + 100, PAGE));
  present("locked", p, 4);
  locked();
  SAY(mlock(p, PAGE));
  SAY(mlock2(p + 4 * PAGE, 2 * PAGE, MLOCK_ONFAULT));
  present("on fault", p + 4 * PAGE, 2);
  locked();
  SAY(munlock(p + PAGE, PAGE));
  locked();
  SAY(madvise(p, PAGE, MADV_DONTNEED));
  SAY(munlock(p, 16 * PAGE));
  locked();
  mprotect(p + 8 * PAGE, PAGE, PROT_NONE);
  SAY(mlock(p + 7 * PAGE, 3 * PAGE));
  locked();
  munlock(p, 16 * PAGE);
  munmap(p + 8 * PAGE, PAGE);
  SAY(mlock(p + 7 * PAGE, 3 * PAGE));
  locked();
  SAY(munlock(p + 7 * PAGE, 3 * PAGE));
  munlock(p, 8 * PAGE);
  SAY(mlock(p, 0));
  SAY(mlock(p + 8 * PAGE, PAGE));
  SAY(mlock2(p, PAGE, 2));
  SAY(mlock(TOP, PAGE));
  SAY(mlock(p, -1));
  SAY(mlock((void *)-PAGE, 2 * PAGE));
  SAY(munlock(TOP, PAGE));
  SAY(munlock((void *)-PAGE, 2 * PAGE));
  SAY(mlockall(0));
  SAY(mlockall(MCL_ONFAULT));
  SAY(mlockall(8));
  char *q = mmap(NULL, 2 * PAGE, RW, ANON | MAP_LOCKED, -1, 0);
  present("MAP_LOCKED", q, 2);
  char *r = mmap(NULL, 2 * PAGE, RW, ANON | MAP_POPULATE, -1, 0);
  present("MAP_POPULATE", r, 2);
  munmap(q, 2 * PAGE);
}
static void limited(void) {
  struct rlimit l = {8 * PAGE, 64 * PAGE};
  SAY(setrlimit(RLIMIT_MEMLOCK, &l));
  if (setgroups(0, NULL) || setgid(4242) || setuid(4242)) printf("can't become another user\n");
  char *p = mmap(NULL, 32 * PAGE, RW, ANON, -1, 0);
  SAY(mlock(p, 8 * PAGE));
  SAY(mlock(p, 8 * PAGE));
  SAY(mlock(p + 4 * PAGE, 5 * PAGE));
  SAY(mlock(p + 7 * PAGE, PAGE));
  SAY(mmap(NULL, PAGE, RW, ANON | MAP_LOCKED, -1, 0) == MAP_FAILED ? -1 : 0);
  SAY(munlock(p, PAGE));
  SAY(mremap(p + PAGE, PAGE, 3 * PAGE, MREMAP_MAYMOVE) == MAP_FAILED ? -1 : 0);
  SAY(mlockall(MCL_CURRENT));
  SAY(munlockall());
  locked();
  SAY(mlockall(MCL_FUTURE));
  char *q = mmap(NULL, 4 * PAGE, RW, ANON, -1, 0);
  present("MCL_FUTURE", q, 4);
  SAY(mmap(NULL, 8 * PAGE, RW, ANON, -1, 0) == MAP_FAILED ? -1 : 0);
  if (fork() == 0) locked(), _exit(0);
  wait(NULL);
  SAY(mlockall(MCL_FUTURE | MCL_ONFAULT));
  q = mmap(NULL, 4 * PAGE, RW, ANON, -1, 0);
  present("and on fault", q, 4);
  SAY(munlockall());
  l.rlim_cur = 0;
  SAY(setrlimit(RLIMIT_MEMLOCK, &l));
  SAY(mlock(p, PAGE));
  SAY(mlock(p, 0));
  SAY(mlockall(MCL_CURRENT));
  SAY(mmap(NULL, PAGE, RW, ANON | MAP_LOCKED, -1, 0) == MAP_FAILED ? -1 : 0);
}
static void odd(void) {
  unsigned char v[8];
  char *p = mmap(NULL, 4 * PAGE, RW, ANON, -1, 0);
  SAY(mincore(TOP, PAGE, v));
  SAY(mincore(p + 1, PAGE, v));
  SAY(mincore((void *)-PAGE, PAGE, v));
  SAY(mincore((void *)0x7fffffff0000, 1l << 40, v));
  SAY(mincore(p, 0, v));
  SAY(mincore(p, 1, v));
  SAY(mincore(p, PAGE, (void *)8));
  munmap(p + 2 * PAGE, PAGE);
  SAY(mincore(p, 4 * PAGE, v));
  SAY(msync(TOP, PAGE, MS_SYNC));
  SAY(msync(p + 1, PAGE, MS_SYNC));
  SAY(msync((void *)-PAGE, PAGE, MS_SYNC));
  SAY(msync((void *)-PAGE, 2 * PAGE, MS_SYNC));
  SAY(msync(p, -1, MS_SYNC));
  SAY(msync(p, 0, 0));
  SAY(msync(p, PAGE, MS_SYNC | MS_ASYNC));
  SAY(msync(p, PAGE, 8));
  SAY(msync(p, 4 * PAGE, MS_ASYNC));
  SAY(msync(p + 2 * PAGE, PAGE, MS_ASYNC));
  SAY(madvise(TOP, PAGE, MADV_NORMAL));
  SAY(madvise((void *)-PAGE, 2 * PAGE, MADV_NORMAL));
  SAY(madvise(p, -1, MADV_NORMAL));
  SAY(madvise(p, 0, MADV_NORMAL));
  SAY(madvise(p + 1, 0, MADV_NORMAL));
  SAY(madvise(p, PAGE, 12345));
  SAY(madvise(p, 4 * PAGE, MADV_DONTNEED));
  SAY(munmap(TOP, PAGE));
  SAY(munmap((void *)-PAGE, PAGE));
  SAY(munmap(p, -1));
  SAY(munmap(p, 0));
  SAY(mprotect(TOP, PAGE, PROT_READ));
  SAY(mprotect((void *)-PAGE, PAGE, PROT_READ));
  SAY(mprotect(p, -1, PROT_READ));
  SAY(mprotect(p, PAGE, 0x100));
  SAY(mprotect(p, 0, 0));
  SAY(mmap((void *)-PAGE, PAGE, RW, ANON | MAP_FIXED, -1, 0) == MAP_FAILED ? -1 : 0);
  SAY(mmap(NULL, -1, RW, ANON, -1, 0) == MAP_FAILED ? -1 : 0);
}
static void advised(void) {
  char *p = mmap(NULL, 4 * PAGE, RW, ANON, -1, 0), *s = mmap(NULL, 4 * PAGE, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  SAY(madvise(p, 2 * PAGE, MADV_POPULATE_WRITE));
  present("filled", p, 4);
  memset(s, 's', 4 * PAGE);
  SAY(madvise(s, PAGE, MADV_DONTNEED));
  printf("shared memory stays: %d\n", s[0]);
  SAY(madvise(s, 2 * PAGE, MADV_REMOVE));
  printf("removed: %d %d %d\n", s[0], s[PAGE], s[2 * PAGE]);
  SAY(madvise(p, PAGE, MADV_REMOVE));
  SAY(mlock(s, PAGE));
  SAY(madvise(s, PAGE, MADV_REMOVE));
  munlock(s, PAGE);
  char name[] = "/dev/shm/mol-XXXXXX";
  int fd = mkstemp(name), ro = open(name, O_RDONLY);
  ftruncate(fd, 3 * PAGE);
  char *f = mmap(NULL, 3 * PAGE, RW, MAP_SHARED, fd, 0), *r = mmap(NULL, 3 * PAGE, PROT_READ, MAP_SHARED, ro, 0), *c = mmap(NULL, 3 * PAGE, RW, MAP_PRIVATE, fd, 0);
  memset(f, 'f', 3 * PAGE);
  SAY(madvise(r, PAGE, MADV_REMOVE));
  SAY(madvise(c, PAGE, MADV_REMOVE));
  SAY(madvise(f, PAGE, MADV_REMOVE));
  char text[3] = "";
  pread(fd, text, 2, PAGE - 1);
  printf("in the file: %d %c\n", text[0], text[1]);
  c[2 * PAGE] = 'c';
  SAY(madvise(c, 3 * PAGE, MADV_DONTNEED));
  printf("the file's again: %c\n", c[2 * PAGE]);
  SAY(madvise(f, PAGE, MADV_FREE));
  SAY(madvise(f, PAGE, MADV_WIPEONFORK));
  SAY(madvise(r, PAGE, MADV_POPULATE_WRITE));
  SAY(madvise(r, PAGE, MADV_POPULATE_READ));
  unlink(name);
  mprotect(p, PAGE, PROT_NONE);
  SAY(madvise(p, PAGE, MADV_POPULATE_READ));
  mprotect(p, PAGE, RW);
  memset(p, 'p', 4 * PAGE);
  SAY(madvise(p, PAGE, MADV_WIPEONFORK));
  SAY(madvise(p + PAGE, PAGE, MADV_DONTFORK));
  fflush(stdout);
  if (fork() == 0) {
    printf("wiped %d, gone %d, inherited %c\n", p[0], touch(p + PAGE, 0), p[2 * PAGE]);
    _exit(0);
  }
  wait(NULL);
  printf("%c %c\n", p[0], p[PAGE]);
}
static void barriers(void) {
  int mask = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
  printf("there are %x\n", mask & 0x7f);
  SAY(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
  SAY(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0));
  SAY(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
  SAY(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
  SAY(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0));
  SAY(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0));
  SAY(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0));
  SAY(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0));
  SAY(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0));
  SAY(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 1, 0));
  SAY(syscall(SYS_membarrier, 3, 0, 0));
  SAY(syscall(SYS_membarrier, 1 << 20, 0, 0));
  fflush(stdout);
  if (fork() == 0) SAY(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0)), _exit(0);
  wait(NULL);
}
/* Code made while the program runs: written and run in the same pages, and with either right at a time. */
static void code(void) {
  static const unsigned char answer[] = {0xb8, 0, 0, 0, 0, 0xc3};
  char *p = mmap(NULL, PAGE, RW | PROT_EXEC, ANON, -1, 0);
  int sum = 0;
  for (int i = 0; i < 300; i++) {
    memcpy(p, answer, 6);
    *(int *)(p + 1) = i;
    sum += ((int (*)(void))p)();
  }
  printf("written and run: %d\n", sum);
  sum = 0;
  for (int i = 0; i < 100; i++) {
    mprotect(p, PAGE, RW);
    *(int *)(p + 1) = i;
    mprotect(p, PAGE, PROT_READ | PROT_EXEC);
    sum += ((int (*)(void))p)();
  }
  printf("one at a time: %d, write %d\n", sum, touch(p, 1));
  mprotect(p, PAGE, PROT_READ);
  printf("no right to run: %d\n", touch(p, 0));
  int fd = memfd_create("code", 0);
  ftruncate(fd, PAGE);
  char *w = mmap(NULL, PAGE, RW, MAP_SHARED, fd, 0), *x = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
  sum = 0;
  for (int i = 0; i < 100; i++) {
    memcpy(w, answer, 6);
    *(int *)(w + 1) = i;
    sum += ((int (*)(void))x)();
  }
  printf("two mappings: %d\n", sum);
}
int main(void) {
  signal(SIGSEGV, jump);
  signal(SIGBUS, jump);
  locking();
  fflush(stdout);
  if (fork() == 0) limited(), fflush(stdout), _exit(0);
  wait(NULL);
  odd();
  advised();
  barriers();
  code();
  return 0;
}
