// Reading and writing: vectors, offsets, flags of preadv2 and pwritev2, appending, limits, and the order of checks.
#include "check.h"

static char b[70000], c[70000];
static struct stat st;
static int f, r, w, dir, p[2];

static int over_limit(void) {
  signal(SIGXFSZ, SIG_DFL);
  struct rlimit small = {10, 10};
  setrlimit(RLIMIT_FSIZE, &small);
  write(f, b, 20);
  write(f, b, 20);
  return 0;
}
static int at_limit(void) {
  signal(SIGXFSZ, SIG_IGN);
  struct rlimit small = {100, 100};
  ftruncate(f, 0), lseek(f, 0, SEEK_SET);
  R(setrlimit(RLIMIT_FSIZE, &small));
  R(write(f, b, 60));
  R(write(f, b, 60));
  R(write(f, b, 60));
  R(write(f, b, 0));
  R(pwrite(f, b, 60, 90));
  R(pwrite(f, b, 60, 100));
  R(pwrite(f, b, 60, 1000));
  R(ftruncate(f, 100));
  R(ftruncate(f, 101));
  R(truncate("f", 101));
  R(fallocate(f, 0, 0, 100));
  R(fallocate(f, 0, 50, 100));
  R(fallocate(f, FALLOC_FL_KEEP_SIZE, 50, 100));
  R(lseek(f, 0, SEEK_SET));
  off_t off = 0;
  R(sendfile(f, r, &off, 10));
  R(lseek(f, 95, SEEK_SET));
  off = 0;
  R(sendfile(f, r, &off, 10));
  R(sendfile(f, r, &off, 10));
  R(copy_file_range(r, &off, f, NULL, 10, 0));
  R(write(p[1], b, 1000));
  R(read(p[0], b, 1000));
  struct iovec v[2] = {{b, 3}, {b, 90}};
  R(lseek(f, 90, SEEK_SET));
  R(writev(f, v, 2));
  return 0;
}

static void lengths(void) {
  R(read(f, b, -1));
  R(write(f, b, -1));
  R(read(f, b, 1ul << 63));
  R(read(w, b, -1));
  R(write(r, b, -1));
  R(read(99, b, -1));
  R(write(99, b, -1));
  R(pread(f, b, -1, 0));
  R(pread(f, b, 1, -1));
  R(pread(99, b, 1, -1));
  R(pwrite(f, b, 1, -1));
  R(pwrite(f, b, -1, 0));
  R(read(99, BAD, 1));
  R(write(99, BAD, 1));
  R(write(r, BAD, 1));
  R(read(w, BAD, 1));
  R(read(f, NULL, 0));
  R(read(f, BAD, 0));
  R(write(f, BAD, 0));
  R(read(dir, b, 0));
  R(read(dir, BAD, 1));
  R(read(f, b, 0x7ffff000));
  R(lseek(f, 0, SEEK_SET));
  R(write(p[1], BAD, 1));
  R(pread(p[0], b, 1, 0));
  R(pwrite(p[1], b, 1, 0));
  R(pread(p[0], b, 1, -1));
  R(read(p[1], b, 1));
  R(write(p[0], b, 1));
}

static void vectors(void) {
  struct iovec v[3] = {{b, 3}, {b + 3, 0}, {b + 3, 4}}, many[1025];
  for (int i = 0; i < 1025; i++) many[i] = (struct iovec){b + i, 1};
  R(lseek(f, 0, SEEK_SET));
  R(readv(f, v, 3));
  R(readv(f, v, 0));
  R(readv(f, v, -1));
  R(readv(f, v, 1025));
  R(readv(f, BAD, 1));
  R(readv(f, BAD, 0));
  R(readv(99, BAD, 1));
  R(readv(99, v, -1));
  R(readv(w, v, -1));
  R(readv(w, v, 1));
  R(writev(r, v, 1));
  R(writev(99, v, 1025));
  R(lseek(f, 0, SEEK_SET));
  R(readv(f, many, 1024));
  R(lseek(f, 0, SEEK_SET));
  R(writev(f, many, 1024));
  v[1].iov_len = -1;
  R(readv(f, v, 3));
  R(writev(f, v, 3));
  R(readv(99, v, 3));
  v[1] = (struct iovec){BAD, 5};
  R(lseek(f, 0, SEEK_SET));
  R(readv(f, v, 3));
  R(lseek(f, 0, SEEK_CUR));
  R(writev(f, v, 3));
  R(lseek(f, 0, SEEK_CUR));
  v[0] = (struct iovec){BAD, 5};
  R(readv(f, v, 3));
  R(writev(f, v, 3));
  v[0].iov_base = b, v[0].iov_len = 0x7fffffffffffffff, v[1].iov_len = 0x7fffffffffffffff;
  R(readv(f, v, 2));
  v[0].iov_len = 3, v[1] = (struct iovec){b, 4};
  R(preadv(f, v, 2, 1));
  R(preadv(f, v, 2, -1));
  R(preadv(f, v, 2, -2));
  R(preadv(99, v, 2, -2));
  R(pwritev(f, v, 2, 1));
  R(pwritev(f, v, 2, -1));
  R(preadv(p[0], v, 2, 0));
  R(preadv(f, v, 2, 1l << 62));
  R(pwritev(w, v, 2, 5));
  R(preadv(w, v, 2, 5));
  R(preadv(dir, v, 2, 0));
}

static void flags(void) {
  struct iovec v[2] = {{b, 3}, {b + 3, 4}};
  R(lseek(f, 2, SEEK_SET));
  R(preadv2(f, v, 2, 0, 0));
  R(lseek(f, 0, SEEK_CUR));
  R(preadv2(f, v, 2, -1, 0));
  R(lseek(f, 0, SEEK_CUR));
  R(preadv2(f, v, 2, -2, 0));
  R(preadv2(f, v, 2, 0, RWF_HIPRI) >= 0 || errno == EOPNOTSUPP);
  R(preadv2(f, v, 2, 0, RWF_DSYNC));
  R(preadv2(f, v, 2, 0, RWF_SYNC));
  R(preadv2(f, v, 2, 0, RWF_APPEND));
  R(preadv2(f, v, 2, 0, 0x40000000));
  R(preadv2(99, v, 2, 0, 0x40000000));
  R(preadv2(w, v, 2, 0, 0));
  R(preadv2(p[0], v, 2, -1, RWF_NOWAIT));
  R(preadv2(p[0], v, 2, 0, 0));
  R(write(p[1], "abc", 3));
  R(preadv2(p[0], v, 2, -1, RWF_NOWAIT));
  R(pwritev2(f, v, 2, 0, RWF_DSYNC));
  R(pwritev2(f, v, 2, 0, RWF_SYNC));
  R(fstat(f, &st));
  off_t size = st.st_size;
  R(lseek(f, 1, SEEK_SET));
  R(pwritev2(f, v, 2, 0, RWF_APPEND));
  R(fstat(f, &st));
  R(st.st_size - size);
  R(lseek(f, 0, SEEK_CUR));
  R(pwritev2(f, v, 2, -1, RWF_APPEND));
  R(lseek(f, 0, SEEK_CUR) == st.st_size + 7);
  R(fcntl(f, F_GETFL) & O_APPEND);
  R(pwritev2(f, v, 2, 0, 0x40000000));
  R(pwritev2(r, v, 2, 0, 0));
  R(pwritev2(p[1], v, 2, -1, 0));
  R(pwritev2(p[1], v, 2, 0, 0));
  R(read(p[0], b, 100));
  R(pwritev2(p[1], v, 2, -1, RWF_NOWAIT));
  R(read(p[0], b, 100));
}

// What a buffer doesn't take is read again.
static void faults(void) {
  char *m = mmap(0, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(m + 4096, 4096, PROT_NONE);
  lseek(f, 0, SEEK_SET);
  R(read(f, m + 4096, 10));
  R(lseek(f, 0, SEEK_CUR));
  R(read(f, m + 4096 - 10, 100));
  R(lseek(f, 0, SEEK_CUR));
  R(memcmp(m + 4086, "abcdefghij", 10));
  R(pread(f, m + 4096 - 10, 100, 5));
  R(pread(f, m + 4096, 100, 5));
  struct iovec v[2] = {{m, 5}, {m + 4096, 5}};
  R(readv(f, v, 2));
  R(lseek(f, 0, SEEK_CUR));
  R(write(p[1], "0123456789", 10));
  R(read(p[0], m + 4096, 10));
  R(read(p[0], b, 4));
  R(write(p[1], "more", 4));
  R(read(p[0], m + 4096, 10));
  R(read(p[0], m + 4096 - 3, 3));
  R(memcmp(m + 4093, "456", 3));
  R(read(p[0], b, 100));
  R(memcmp(b, "789more", 7));
  R(write(f, m + 4096, 10));
  mprotect(m + 4096, 4096, PROT_READ);
  R(read(f, m + 4096 - 2, 10));
  munmap(m, 3 * 4096);
}

static void appends(void) {
  int a = open("f", O_RDWR | O_APPEND), other = open("f", O_RDWR);
  R(ftruncate(f, 10));
  R(write(a, "xyz", 3));
  R(lseek(a, 0, SEEK_CUR));
  R(pwrite(a, "uvw", 3, 0));
  R(lseek(a, 0, SEEK_CUR));
  R(fstat(a, &st));
  R(st.st_size);
  R(lseek(a, 0, SEEK_SET));
  R(read(a, b, 5));
  R(lseek(a, 0, SEEK_CUR));
  R(write(a, "q", 1));
  R(lseek(a, 0, SEEK_CUR));
  R(pwrite(other, "end", 3, 40));
  R(write(a, "z", 1));
  R(lseek(a, 0, SEEK_CUR));
  R(fcntl(a, F_SETFL, 0));
  R(lseek(a, 0, SEEK_SET));
  R(write(a, "A", 1));
  R(lseek(a, 0, SEEK_CUR));
  R(fcntl(a, F_SETFL, O_APPEND | O_NONBLOCK));
  R(fcntl(a, F_GETFL));
  R(pread(a, b, 100, 0));
  b[100] = 0;
  for (int i = 0; i < 43; i++) printf("%02x", b[i] & 255);
  puts("");
  R(ftruncate(a, 5));
  R(posix_fallocate(a, 0, 10));
  struct iovec v = {b, 2};
  R(pwritev(a, &v, 1, 0));
  R(fstat(a, &st));
  R(st.st_size);
  R(truncate("f", 3));
  R(read(a, b, 10));
  R(lseek(a, 0, SEEK_CUR));
  R(open("f", O_WRONLY | O_TRUNC));
  R(pread(a, b, 10, 0));
  R(open("f", O_RDONLY | O_TRUNC));
  close(a), close(other);
}

static void offsets(void) {
  R(ftruncate(f, 0));
  R(pwrite(f, "head", 4, 0));
  R(lseek(f, 5l << 30, SEEK_SET));
  R(write(f, "tail", 4));
  R(fstat(f, &st));
  R(st.st_size);
  R(st.st_blocks < 100);
  R(pread(f, b, 10, (5l << 30) - 2));
  R(b[2]);
  R(pread(f, b, 10, 1l << 32));
  R(lseek(f, -4, SEEK_END));
  R(lseek(f, 1l << 40, SEEK_CUR));
  R(read(f, b, 10));
  R(lseek(f, 0, SEEK_END));
  R(lseek(f, LONG_MAX, SEEK_END));
  R(lseek(f, LONG_MIN, SEEK_CUR));
  R(lseek(f, -1, SEEK_SET));
  R(lseek(f, 0, 5));
  R(lseek(f, 0, -1));
  R(lseek(99, 0, 0));
  R(lseek(99, 0, 9));
  R(lseek(p[0], 0, 9));
  R(ftruncate(f, 6l << 30));
  R(lseek(f, 0, SEEK_END));
  R(ftruncate(f, LONG_MAX) == 0 || errno == EFBIG);
  R(ftruncate(f, -1));
  R(ftruncate(r, 0));
  R(ftruncate(dir, 0));
  R(ftruncate(p[1], 0));
  R(ftruncate(99, 0));
  R(ftruncate(99, -1));
  R(ftruncate(f, 20000));
  R(pread(f, b, 30000, 0));
  R(memchr(b + 4, 1, 19996) == NULL);
  R(ftruncate(f, 2));
  R(ftruncate(f, 10));
  R(pread(f, b, 30, 0));
  R(memcmp(b, "he\0\0\0\0\0\0\0\0", 10));
  for (int i = 0; i < sizeof b; i++) b[i] = i * 7 + i / 256;
  R(pwrite(f, b, 70000, 0));
  R(pread(f, c, 70000, 0));
  R(memcmp(b, c, 70000));
  R(pwrite(f, "mid", 3, 65534));
  R(ftruncate(f, 65535));
  R(ftruncate(f, 65540));
  R(pread(f, c, 70000, 65530));
  for (int i = 0; i < 10; i++) printf("%02x", c[i] & 255);
  puts("");
}

static void times(void) {
  struct timespec past[2] = {{1000, 0}, {1000, 0}};
  R(futimens(f, past));
  R(write(f, b, 0));
  fstat(f, &st);
  R(st.st_mtime == 1000);
  R(pwrite(f, b, 1, 0));
  fstat(f, &st);
  R(st.st_mtime == 1000);
  futimens(f, past);
  R(ftruncate(f, st.st_size));
  fstat(f, &st);
  R(st.st_mtime == 1000);
  futimens(f, past);
  R(truncate("f", st.st_size));
  fstat(f, &st);
  R(st.st_mtime == 1000);
  futimens(f, past);
  R(close(open("f", O_RDWR)));
  R(close(open("f", O_RDWR | O_TRUNC)));
  fstat(f, &st);
  R(st.st_mtime == 1000);
  write(f, "some text", 9), futimens(f, past);
  R(pread(f, b, 5, 0));
  fstat(f, &st);
  R(st.st_atime == 1000);
  futimens(f, past);
  R(chmod("f", 0600));
  fstat(f, &st);
  R(st.st_mtime == 1000);
  R(st.st_ctime > 1000);
}

static void run(void) {
  dup2(f = open("f", O_RDWR | O_CREAT, 0644), 5), close(f), f = 5;
  dup2(r = open("f", O_RDONLY), 6), close(r), r = 6;
  dup2(w = open("f", O_WRONLY), 7), close(w), w = 7;
  dup2(dir = open(".", O_RDONLY), 8), close(dir), dir = 8;
  pipe2(p, O_NONBLOCK);
  for (int i = 0; i < 2000; i++) b[i] = 'a' + i % 26;
  write(f, b, 2000), lseek(f, 0, SEEK_SET);
  lengths();
  vectors();
  flags();
  write(f, "abcdefghijklmnopqrstuvwxyz", 26), pwrite(f, "abcdefghijklmnopqrstuvwxyz", 26, 0);
  faults();
  appends();
  R(child(over_limit));
  fstat(f, &st);
  R(st.st_size);
  R(put("g", "0123456789012345678901234567890123456789"));
  close(r), r = open("g", O_RDONLY);
  R(child(at_limit));
  close(r), r = open("f", O_RDONLY);
  offsets();
  times();
  syscall(SYS_close_range, 3, ~0u, 0);
}
int main(void) {
  everywhere(run);
  return 0;
}
