// brk and the mmap family: results, errors, contents, what fork shares.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static sigjmp_buf back;
static void jump(int s) { siglongjmp(back, s); }
static int touch(volatile char *p, int write) {
  int s = sigsetjmp(back, 1);
  if (s) return s;
  if (write) *p = 1;
  else (void)*p;
  return 0;
}
#define ANON MAP_PRIVATE | MAP_ANONYMOUS
#define FAIL(call) ((call) == MAP_FAILED ? errno : 0)

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  signal(SIGSEGV, jump);
  signal(SIGBUS, jump);
  char *p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, ANON, -1, 0);
  memset(p, 'a', 3 * 4096);
  printf("mprotect %d, then write %d, read %d\n", mprotect(p + 4096, 4096, PROT_READ), touch(p + 4096, 1), touch(p + 4096, 0));
  printf("PROT_NONE %d: %d\n", mprotect(p + 4096, 4096, PROT_NONE), touch(p + 4096, 0));
  printf("munmap middle %d: %d, ends %d %d\n", munmap(p + 4096, 4096), touch(p + 4096, 0), touch(p, 1), touch(p + 8192, 1));
  printf("errors: %d %d %d %d %d\n", FAIL(mmap(NULL, 0, PROT_READ, ANON, -1, 0)), FAIL(mmap((void *)1, 4096, PROT_READ, ANON | MAP_FIXED, -1, 0)),
         FAIL(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, -1, 0)), FAIL(mmap(NULL, 4096, PROT_READ, MAP_ANONYMOUS, -1, 0)), FAIL(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, 0, 1)));
  printf("munmap errors: %d %d\n", munmap(p + 1, 4096) < 0 ? errno : 0, munmap(p, 0) < 0 ? errno : 0);
  printf("mprotect of a hole: %d\n", mprotect(p, 3 * 4096, PROT_READ) < 0 ? errno : 0);

  char *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, ANON, -1, 0);
  strcpy(m, "moved");
  char *n = mremap(m, 4096, 64 * 4096, MREMAP_MAYMOVE);
  printf("mremap grows: %s %d\n", n, touch(n + 63 * 4096, 1));
  n = mremap(n, 64 * 4096, 4096, 0);
  printf("mremap shrinks: %s %d\n", n, touch(n + 4096, 0) != 0);
  printf("mremap error: %d\n", FAIL(mremap((void *)0x1000000, 4096, 8192, 0)));

  char *old = sbrk(0);
  printf("sbrk %d\n", sbrk(100000) == old);
  memset(old, 1, 100000);
  printf("brk back %d\n", brk(old));

  char name[] = "/tmp/mol-conf-XXXXXX";
  int fd = mkstemp(name);
  write(fd, "hello world", 11);
  char *f = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  f[0] = 'J';
  char buffer[16] = {0};
  pread(fd, buffer, 11, 0);
  printf("private: %s / %s\n", f, buffer);
  printf("past the end of file: %d\n", touch(f + 4096, 0));
  char *s = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  s[0] = 'Y';
  pread(fd, buffer, 11, 0);
  printf("shared: %s, msync %d\n", buffer, msync(s, 4096, MS_SYNC));
  pwrite(fd, "Z", 1, 0);
  printf("write is seen: %c\n", s[0]);
  int ro = open(name, O_RDONLY);
  printf("shared write on O_RDONLY: %d\n", FAIL(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, ro, 0)));
  unlink(name);

  int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  int *private = mmap(NULL, 4096, PROT_READ | PROT_WRITE, ANON, -1, 0);
  if (fork() == 0) {
    *shared = *private = 42;
    _exit(0);
  }
  wait(NULL);
  printf("after fork: shared %d private %d\n", *shared, *private);

  p = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, ANON, -1, 0);
  memset(p, 7, 4 * 4096);
  printf("MADV_DONTNEED %d: %d %d\n", madvise(p, 4096, MADV_DONTNEED), p[0], p[4096]);
  unsigned char vec[4];
  printf("mincore %d: %d\n", mincore(p + 4096, 3 * 4096, vec), vec[0] & 1);
  char *fixed = mmap(p, 4096, PROT_READ, ANON | MAP_FIXED_NOREPLACE, -1, 0);
  printf("FIXED_NOREPLACE: %d\n", fixed == MAP_FAILED ? errno : 0);
  unsigned char codes[] = {0xb8, 42, 0, 0, 0, 0xc3};
  char *x = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, ANON, -1, 0);
  memcpy(x, codes, sizeof codes);
  printf("made code: %d\n", ((int (*)(void))(uintptr_t)x)());
  struct rlimit lim = {64 << 20, 64 << 20};
  setrlimit(RLIMIT_AS, &lim);
  printf("RLIMIT_AS: %d\n", FAIL(mmap(NULL, 128 << 20, PROT_READ | PROT_WRITE, ANON, -1, 0)));
  return 0;
}
