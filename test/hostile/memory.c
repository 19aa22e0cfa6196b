// A guest that wants more memory than it is granted: it calls the host's own mmap through a `syscall; ret` of the stub. argv[1]: how.
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define STUB 0x7fff00000000ul
#define MIB (1l << 20)
#define STEP (16 * MIB)
#define FAR 0x100000000000l // where nobody has anything
#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED)

static unsigned char *found;

static long host(long n, long a, long b, long c, long d, long e, long f) {
  register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
  register unsigned char *target __asm__("rbx") = found;
  long r;
  __asm__ volatile("call *%%rbx"
                   : "=a"(r)
                   : "0"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9), "r"(target)
                   : "rcx", "r11", "memory");
  return r;
}
static long take(long n, int flags) { return host(SYS_mmap, FAR + n * STEP, STEP, PROT_READ | PROT_WRITE, flags, -1, 0); }

// What Linux itself counts as data: beyond the grant there is no more.
static int map(int flags) {
  long n = 0, r = 0;
  while (n < 256 && (r = take(n, flags)) >= 0) n++;
  printf("ENOMEM after some: %d\n", r == -ENOMEM && n < 32);
  return 0;
}
// Memory that was written and is read-only now is no data any more, but still memory.
static int cycle(void) {
  for (long n = 0; n < 256; n++) {
    if (take(n, PRIVATE) < 0) return 1;
    memset((void *)(FAR + n * STEP), 1, STEP);
    if (host(SYS_mprotect, FAR + n * STEP, STEP, PROT_READ, 0, 0, 0) < 0) return 2;
    usleep(10000);
  }
  return 3;
}
// A page table for each page: reads of nothing written cost memory too.
static int sparse(void) {
  for (long n = 0; n < 4096; n++) {
    if (host(SYS_mmap, FAR + (n << 30), 1l << 30, PROT_READ, PRIVATE | MAP_NORESERVE, -1, 0) < 0) return 1;
    for (long at = 0; at < 1l << 30; at += 1 << 21) *(volatile char *)(FAR + (n << 30) + at);
    if (n % 16 == 0) usleep(10000);
  }
  return 3;
}
// Each a bit: what one may have unnoticed, many may not.
static int many(void) {
  for (int i = 0; i < 20; i++)
    if (fork() == 0) {
      for (int fd = 0; fd < 3; fd++) close(fd);
      for (long n = 0; n < 4 && take(n, PRIVATE) >= 0; n++) memset((void *)(FAR + n * STEP), 1, STEP);
      for (;;) pause();
    }
  int killed = 0, status;
  while (killed < 15 && wait(&status) > 0) killed += WIFSIGNALED(status);
  printf("most killed: %d\n", killed == 15);
  return 0;
}
// Shared memory nobody counts.
static int shared(void) {
  const int flags[] = {MAP_SHARED | MAP_ANONYMOUS, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB};
  for (int i = 0; i < 4; i++) printf("%d\n", take(i, flags[i] | MAP_FIXED) >= 0);
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 2) return 64;
  for (unsigned char *at = (unsigned char *)STUB; !found; at++)
    if (at[0] == 0x0f && at[1] == 0x05 && at[2] == 0xc3) found = at;
  if (!strcmp(argv[1], "map")) return map(PRIVATE);
  if (!strcmp(argv[1], "noreserve")) return map(PRIVATE | MAP_NORESERVE);
  if (!strcmp(argv[1], "cycle")) return cycle();
  if (!strcmp(argv[1], "sparse")) return sparse();
  if (!strcmp(argv[1], "many")) return many();
  if (!strcmp(argv[1], "shared")) return shared();
  return 64;
}
