// fallocate in all modes, holes and data as lseek sees them, and sparse copies. What the file system below can't do is put aside: every
// mode is tried first on a file of its own.
#include "check.h"
#include <linux/falloc.h>

#define BLOCK 4096
static char b[1 << 16], c[1 << 16];
static struct stat st;
static int f;

static void errors(void) {
  int r = open("f", O_RDONLY), d = open(".", O_RDONLY), p[2], n = open("/dev/null", O_RDWR);
  pipe(p);
  R(fallocate(f, 0, -1, 1));
  R(fallocate(f, 0, 0, 0));
  R(fallocate(f, 0, 0, -1));
  R(fallocate(f, 0x100, 0, 1));
  R(fallocate(f, FALLOC_FL_PUNCH_HOLE, 0, 1));
  R(fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 0, 1));
  R(fallocate(f, FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_KEEP_SIZE, 0, BLOCK));
  R(fallocate(f, FALLOC_FL_INSERT_RANGE | FALLOC_FL_KEEP_SIZE, 0, BLOCK));
  R(fallocate(r, 0, 0, 1));
  R(fallocate(r, 0x100, 0, 1));
  R(fallocate(99, 0, 0, 1));
  R(fallocate(99, 0, -1, 1));
  R(fallocate(d, 0, 0, 1));
  R(fallocate(p[1], 0, 0, 1));
  R(fallocate(p[0], 0, 0, 1));
  R(fallocate(n, 0, 0, 1));
  R(fallocate(f, 0, LONG_MAX, 1));
  R(fallocate(f, 0, LONG_MAX - 10, 100));
  close(r), close(d), close(p[0]), close(p[1]), close(n);
}
static void show(const char *what) {
  fstat(f, &st);
  printf("%s: size %ld data", what, (long)st.st_size);
  for (off_t at = 0; (at = lseek(f, at, SEEK_DATA)) >= 0;) {
    off_t end = lseek(f, at, SEEK_HOLE);
    printf(" %ld-%ld", (long)at, (long)end);
    at = end;
  }
  unsigned sum = 0;
  for (off_t at = 0; at < st.st_size && at < 1 << 20; at += sizeof c) {
    ssize_t n = pread(f, c, sizeof c, at);
    for (int i = 0; i < n; i++) sum = sum * 31 + (c[i] & 255);
  }
  printf(" sum %x\n", sum);
}
static void fill(off_t size) {
  ftruncate(f, 0);
  for (int i = 0; i < sizeof b; i++) b[i] = i * 3 + i / 251 + 1;
  for (off_t at = 0; at < size; at += sizeof b) pwrite(f, b, size - at < sizeof b ? size - at : sizeof b, at);
}

static void modes(off_t size) {
  printf("-- from %ld bytes\n", (long)size);
  fill(size);
  R(fallocate(f, 0, 0, 100));
  show("nothing more");
  R(fallocate(f, FALLOC_FL_KEEP_SIZE, size, 2 * BLOCK));
  fstat(f, &st);
  R(st.st_size == size);
  R(st.st_blocks * 512 > size);
  R(fallocate(f, 0, size, 100));
  fstat(f, &st);
  R(st.st_size - size);
  fill(size);
  R(fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, BLOCK, BLOCK));
  show("hole");
  R(fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * BLOCK + 10, 100));
  show("hole in a block");
  R(fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, size - 10, BLOCK));
  show("hole over the end");
  fill(size);
  R(fallocate(f, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, BLOCK, BLOCK));
  pread(f, c, BLOCK, BLOCK);
  R(c[0] | c[100] | c[BLOCK - 1]);
  R(fallocate(f, FALLOC_FL_ZERO_RANGE, size - 10, 100));
  fstat(f, &st);
  R(st.st_size - size);
  fill(size);
  R(fallocate(f, FALLOC_FL_COLLAPSE_RANGE, BLOCK, BLOCK));
  show("collapsed");
  R(fallocate(f, FALLOC_FL_COLLAPSE_RANGE, 10, BLOCK));
  R(fallocate(f, FALLOC_FL_COLLAPSE_RANGE, 0, 1 << 30));
  R(fallocate(f, FALLOC_FL_INSERT_RANGE, BLOCK, BLOCK));
  show("inserted");
  R(fallocate(f, FALLOC_FL_INSERT_RANGE, 10, BLOCK));
  R(fallocate(f, FALLOC_FL_INSERT_RANGE, 1 << 30, BLOCK));
}

static void holes(void) {
  R(ftruncate(f, 0));
  R(lseek(f, 0, SEEK_DATA));
  R(lseek(f, 0, SEEK_HOLE));
  R(pwrite(f, "x", 1, 0));
  show("a byte");
  R(ftruncate(f, 100));
  show("100");
  R(lseek(f, 99, SEEK_DATA));
  R(lseek(f, 100, SEEK_DATA));
  R(lseek(f, 100, SEEK_HOLE));
  R(lseek(f, 99, SEEK_HOLE));
  R(lseek(f, -1, SEEK_DATA));
  R(lseek(f, -1, SEEK_HOLE));
  R(pwrite(f, "y", 1, 5 * BLOCK + 7));
  show("hole between");
  fstat(f, &st);
  R(st.st_blocks);
  R(ftruncate(f, 20 * BLOCK));
  show("hole behind");
  R(pwrite(f, b, 3 * BLOCK, 30 * BLOCK));
  show("more");
  fstat(f, &st);
  R(st.st_blocks);
  R(ftruncate(f, 31 * BLOCK + 5));
  show("cut");
  R(ftruncate(f, 5 * BLOCK));
  show("cut in the hole");
  R(ftruncate(f, 1 << 30));
  R(pwrite(f, "z", 1, 1 << 29));
  show("far");
  fstat(f, &st);
  R(st.st_blocks);
  R(lseek(f, 0, SEEK_CUR));
  R(lseek(f, 10, SEEK_DATA));
  R(lseek(f, 0, SEEK_CUR));
}
static void copies(void) {
  int g = open("g", O_RDWR | O_CREAT | O_TRUNC, 0644);
  R(ftruncate(f, 0));
  R(pwrite(f, "start", 5, 0));
  R(pwrite(f, "end", 3, 300000));
  off_t from = 0, to = 0;
  R(copy_file_range(f, &from, g, &to, 1 << 20, 0));
  R(from);
  R(to);
  fstat(g, &st);
  R(st.st_size);
  R(pread(g, c, 10, 299999));
  R(memcmp(c, "\0end", 4));
  close(g);
}

static void run(void) {
  dup2(f = open("f", O_RDWR | O_CREAT, 0644), 5), close(f), f = 5;
  errors();
  holes();
  modes(3 * BLOCK + 100);
  modes(40 * BLOCK);
  copies();
  close(f), unlink("f");
  dup2(f = open("f", O_RDWR | O_CREAT, 0644), 5), close(f), f = 5;
  holes();
  R(pwrite(f, b, BLOCK + 1, 0));
  R(pwrite(f, "", 1, 10 * BLOCK - 1));
  show("small");
  syscall(SYS_close_range, 3, ~0u, 0);
}
int main(void) {
  everywhere(run);
  return 0;
}
