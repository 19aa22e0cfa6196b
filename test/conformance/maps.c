// Regions as /proc/self/maps shows them: pseudo-random mmap, munmap, mprotect and madvise in one place, every result and the lines printed.
// Memory stays untouched: what Linux merges then depends on the calls alone.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BASE ((char *)0x200000000)
#define PAGES 24
#define PAGE 4096L
static unsigned long seed = 42;
static unsigned next(unsigned n) {
  seed = seed * 6364136223846793005UL + 1442695040888963407UL;
  return (seed >> 33) % n;
}
static long place(void *p) { return p == MAP_FAILED ? -errno : ((char *)p - BASE) / PAGE; }
static long error(int r) { return r < 0 ? -errno : r; }

static void maps(void) {
  static char text[1 << 20];
  int fd = open("/proc/self/maps", O_RDONLY), n = 0, m;
  while ((m = read(fd, text + n, sizeof text - 1 - n)) > 0) n += m;
  close(fd);
  text[n] = 0;
  for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
    unsigned long start, end, offset;
    char mode[8], name[300] = "";
    sscanf(line, "%lx-%lx %7s %lx %*s %*s %299s", &start, &end, mode, &offset, name);
    if (start < (unsigned long)BASE || start >= (unsigned long)BASE + 2 * PAGES * PAGE) continue;
    char *file = strrchr(name, '/');
    printf("  %ld-%ld %s %lx %s\n", place((char *)start), place((char *)end), mode, offset, file ? file : name);
  }
}

int main(void) {
  static char out[1 << 16];
  setvbuf(stdout, out, _IOFBF, sizeof out);
  char name[] = "/tmp/mol-maps-file";
  int rw = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600), ro = open(name, O_RDONLY);
  ftruncate(rw, 64 * PAGE);
  static const int prots[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_EXEC, PROT_READ | PROT_WRITE | PROT_EXEC};
  static const int advices[] = {MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED, MADV_DONTNEED, MADV_DONTFORK, MADV_DOFORK,
                                MADV_WIPEONFORK, MADV_KEEPONFORK, MADV_DONTDUMP, MADV_DODUMP, MADV_FREE, 55};
  for (int i = 0; i < 1500; i++) {
    char *at = BASE + next(PAGES) * PAGE;
    long length = (1 + next(6)) * PAGE - next(2) * 100;
    int what = next(12), prot = prots[next(5)], shared = next(3) == 0, fd = next(2) ? rw : ro;
    long r = 0;
    if (what < 3) r = place(mmap(at, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    else if (what == 3) r = place(mmap(at, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
    else if (what == 4) r = place(mmap(at, length, prot, (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_FIXED, shared ? fd : rw, (at - BASE)));
    else if (what == 5) r = place(mmap(at, length, prot, MAP_PRIVATE | MAP_FIXED, rw, next(32) * PAGE));
    else if (what < 8) r = error(munmap(at, length));
    else if (what < 10) r = error(mprotect(at, length, prot));
    else if (what == 10) r = error(madvise(at, length, advices[next(13)]));
    else r = error(msync(at, length, next(8)));
    printf("%d: %d at %ld, %ld: %ld\n", i, what, place(at), length, r);
    if (i % 5 == 0) maps();
  }
  // growing and moving, one region each time
  for (int i = 0; i < 300; i++) {
    munmap(BASE, 2 * PAGES * PAGE);
    long old = 1 + next(4), new = 1 + next(8), gap = next(6), to = 10 + next(8);
    mmap(BASE, old * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | (next(4) ? MAP_ANONYMOUS : 0) | MAP_FIXED, rw, 0);
    if (next(2)) mmap(BASE + (old + gap) * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    int flags = next(3) == 0 ? MREMAP_MAYMOVE | MREMAP_FIXED : next(9) == 0 ? 8 : 0;
    char *from = BASE + next(2) * PAGE;
    long length = next(5) ? (BASE + old * PAGE) - from : next(9) * PAGE;
    if (flags & MREMAP_FIXED && from + length > BASE + old * PAGE) length = PAGE; // several regions at once: only since Linux 6.17
    void *r = mremap(from, length, new * PAGE - next(2), flags, BASE + to * PAGE + (from == BASE && next(9) == 0));
    printf("mremap %ld pages from %ld, %ld to %ld flags %d: %ld\n", length / PAGE, place(from), old, new, flags, place(r));
    maps();
  }
  unlink(name);
  return 0;
}
