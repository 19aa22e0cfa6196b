// Pipes to the letter: sizes, packets, atomic writes, ends and what they tell poll, and moving bytes by splice, tee, vmsplice, sendfile.
#include "check.h"

static char b[300000], c[300000];
static int p[2], q[2], f, n;
static struct stat st;
static int events(int fd, int asked) {
  struct pollfd one = {fd, asked, 0};
  return poll(&one, 1, 0) < 0 ? -1 : one.revents;
}
static int pending(int fd) {
  int k = -1;
  return ioctl(fd, FIONREAD, &k) < 0 ? -1 : k;
}

static void making(void) {
  R(pipe2(p, 1));
  R(pipe2(p, O_DIRECTORY));
  R(pipe(BAD));
  R(syscall(SYS_pipe2, NULL, 0));
  R(pipe2(p, O_CLOEXEC | O_NONBLOCK));
  R(fcntl(p[0], F_GETFD) | fcntl(p[1], F_GETFD));
  R(fcntl(p[0], F_GETFL));
  R(fcntl(p[1], F_GETFL));
  R(fstat(p[0], &st));
  R(st.st_mode);
  R(st.st_nlink);
  R(st.st_blksize);
  R(st.st_size);
  R(fcntl(p[0], F_GETPIPE_SZ));
  R(fcntl(p[0], F_SETPIPE_SZ, 1));
  R(fcntl(p[0], F_SETPIPE_SZ, 5000));
  R(fcntl(p[0], F_SETPIPE_SZ, 1 << 20));
  R(fcntl(p[0], F_SETPIPE_SZ, 0x80000001u));
  R(fcntl(0, F_SETPIPE_SZ, 4096) >= 0 || errno == EBADF);
  R(write(p[1], b, 20000));
  R(fcntl(p[0], F_SETPIPE_SZ, 4096));
  R(fcntl(p[0], F_SETPIPE_SZ, 20480));
  R(pending(p[1]));
  R(read(p[0], c, 30000));
  R(memcmp(b, c, 20000));
  close(p[0]), close(p[1]);
}

static void packets(void) {
  R(pipe2(p, O_DIRECT | O_NONBLOCK));
  R(fcntl(p[0], F_GETFL));
  R(fcntl(p[1], F_GETFL));
  R(write(p[1], "one", 3));
  R(write(p[1], "two", 3));
  R(write(p[1], "", 0));
  R(write(p[1], "three", 5));
  R(pending(p[0]));
  R(read(p[0], c, 100));
  R(read(p[0], c, 2));
  R(read(p[0], c, 100));
  R(memcmp(c, "three", 5));
  R(read(p[0], c, 100));
  R(write(p[1], b, 10000));
  R(read(p[0], c, 100000));
  R(read(p[0], c, 100000));
  R(read(p[0], c, 100000));
  R(read(p[0], c, 100000));
  for (n = 0; write(p[1], "x", 1) == 1; n++)
    ;
  R(n);
  R(events(p[1], POLLOUT));
  R(read(p[0], c, 1));
  R(events(p[1], POLLOUT));
  R(write(p[1], b, 4096));
  R(write(p[1], b, 1));
  while (read(p[0], c, 4096) > 0)
    ;
  R(fcntl(p[1], F_SETFL, O_NONBLOCK));
  R(write(p[1], "a", 1) + write(p[1], "b", 1));
  R(read(p[0], c, 10));
  R(fcntl(p[1], F_SETFL, O_NONBLOCK | O_DIRECT));
  R(write(p[1], "a", 1) + write(p[1], "b", 1));
  R(read(p[0], c, 10));
  R(read(p[0], c, 10));
  close(p[0]), close(p[1]);
}

static void filling(void) {
  pipe2(p, O_NONBLOCK);
  for (n = 0; write(p[1], b, 64) == 64; n++)
    ;
  R(n);
  R(read(p[0], c, 4095));
  R(events(p[1], POLLOUT));
  R(write(p[1], b, 1));
  R(read(p[0], c, 1));
  R(write(p[1], b, 4097));
  R(write(p[1], b, 4096));
  R(pending(p[0]));
  R(read(p[0], c, 70000));
  R(write(p[1], b, 100000));
  R(write(p[1], b, 4096));
  R(read(p[0], c, 5000));
  R(write(p[1], b, 4097));
  R(write(p[1], b, 5000));
  R(pending(p[0]));
  R(read(p[0], c, 300000));
  R(events(p[0], POLLIN | POLLOUT | POLLHUP));
  R(close(p[1]));
  R(events(p[0], POLLIN));
  R(read(p[0], c, 1));
  R(close(p[0]));
  pipe2(p, O_NONBLOCK);
  R(close(p[0]));
  R(events(p[1], POLLOUT));
  signal(SIGPIPE, SIG_IGN);
  R(write(p[1], b, 1));
  R(write(p[1], b, 0));
  close(p[1]);
}

static void splices(void) {
  off_t off = 5, to = 3;
  pipe2(p, O_NONBLOCK), pipe2(q, O_NONBLOCK);
  for (int i = 0; i < sizeof b; i++) b[i] = i * 13 + i / 256;
  f = open("f", O_RDWR | O_CREAT | O_TRUNC, 0644);
  write(f, b, 100000);
  R(splice(f, &off, p[1], NULL, 100, 0));
  R(off);
  R(lseek(f, 0, SEEK_CUR));
  R(read(p[0], c, 200));
  R(memcmp(c, b + 5, 100));
  R(lseek(f, 50, SEEK_SET));
  R(splice(f, NULL, p[1], NULL, 60, 0));
  R(lseek(f, 0, SEEK_CUR));
  R(splice(p[0], NULL, f, &to, 60, 0));
  R(to);
  R(lseek(f, 0, SEEK_CUR));
  R(pread(f, c, 100, 0));
  R(memcmp(c + 3, b + 50, 60));
  R(splice(p[0], NULL, f, NULL, 60, SPLICE_F_NONBLOCK));
  R(splice(f, NULL, p[1], NULL, 1 << 20, SPLICE_F_NONBLOCK));
  R(splice(f, NULL, p[1], NULL, 1 << 20, SPLICE_F_NONBLOCK));
  R(splice(p[0], NULL, q[1], NULL, 10, 0));
  R(read(q[0], c, 100));
  R(tee(p[0], q[1], 10, 0));
  R(read(q[0], c, 100));
  R(pending(p[0]));
  R(tee(p[0], q[1], 1 << 20, 0));
  R(tee(p[0], q[1], 1 << 20, SPLICE_F_NONBLOCK));
  R(pending(q[0]));
  R(pending(p[0]));
  R(splice(p[0], NULL, q[1], NULL, 10, SPLICE_F_NONBLOCK));
  R(read(q[0], c, 300000));
  R(read(p[0], c, 300000));
  off = 200000;
  R(splice(f, &off, p[1], NULL, 10, 0));
  R(splice(f, NULL, f, NULL, 10, 0));
  R(splice(p[0], NULL, p[1], NULL, 10, 0));
  R(splice(p[0], &off, q[1], NULL, 10, 0));
  R(splice(f, NULL, p[1], &off, 10, 0));
  R(splice(p[1], NULL, f, NULL, 10, 0));
  R(splice(f, NULL, p[0], NULL, 10, 0));
  R(splice(99, NULL, p[1], NULL, 10, 0));
  R(splice(f, NULL, 99, NULL, 10, 0));
  R(splice(f, NULL, p[1], NULL, 10, 0x100));
  R(splice(99, NULL, p[1], NULL, 0, 0x100));
  R(splice(99, NULL, p[1], NULL, 0, 0));
  R(splice(f, BAD, p[1], NULL, 10, 0));
  off = -1;
  R(splice(f, &off, p[1], NULL, 10, 0));
  int r = open("f", O_RDONLY), w = open("f", O_WRONLY), a = open("f", O_WRONLY | O_APPEND), d = open(".", O_RDONLY);
  write(p[1], "xyz", 3);
  R(splice(p[0], NULL, r, NULL, 3, 0));
  R(splice(w, NULL, p[1], NULL, 3, 0));
  R(splice(p[0], NULL, a, NULL, 3, 0));
  R(splice(d, NULL, p[1], NULL, 3, 0));
  R(tee(f, p[1], 3, 0));
  R(tee(p[0], f, 3, 0));
  R(tee(p[0], p[1], 3, 0));
  R(tee(p[0], q[1], 0, 0));
  R(tee(99, q[1], 3, 0));
  R(tee(p[0], q[1], 3, 0x100));
  R(tee(p[1], q[1], 3, 0));
  int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDONLY);
  R(splice(p[0], NULL, null, NULL, 100, 0));
  R(splice(zero, NULL, p[1], NULL, 100, SPLICE_F_NONBLOCK));
  R(read(p[0], c, 1000));
  close(q[0]);
  write(p[1], "xyz", 3);
  R(splice(p[0], NULL, q[1], NULL, 3, 0));
  R(tee(p[0], q[1], 3, 0));
  R(pending(p[0]));
  close(q[1]), close(p[1]);
  R(splice(p[0], NULL, f, NULL, 100, 0));
  R(splice(p[0], NULL, f, NULL, 100, 0));
  close(p[0]), close(r), close(w), close(a), close(d), close(null), close(zero);
}

static void vmsplices(void) {
  struct iovec v[3] = {{"abc", 3}, {"", 0}, {"defgh", 5}};
  pipe2(p, O_NONBLOCK);
  R(vmsplice(p[1], v, 3, 0));
  R(pending(p[0]));
  R(read(p[0], c, 5));
  R(memcmp(c, "abcde", 5));
  R(vmsplice(p[1], v, 1, SPLICE_F_GIFT | SPLICE_F_MORE));
  R(vmsplice(p[1], v, 0, 0));
  R(vmsplice(p[1], v, -1, 0));
  R(vmsplice(p[1], v, 1025, 0));
  R(vmsplice(p[1], BAD, 1, 0));
  R(vmsplice(p[1], v, 1, 0x100));
  R(vmsplice(f, v, 1, 0));
  R(vmsplice(99, v, 1, 0));
  v[0].iov_base = BAD;
  R(vmsplice(p[1], v, 1, 0));
  close(p[0]), close(p[1]);
}

static void sendfiles(void) {
  off_t off = 0;
  int g = open("g", O_RDWR | O_CREAT | O_TRUNC, 0644), d = open(".", O_RDONLY);
  pipe2(p, O_NONBLOCK);
  lseek(f, 0, SEEK_SET);
  R(sendfile(g, f, NULL, 1 << 20));
  R(lseek(f, 0, SEEK_CUR));
  R(lseek(g, 0, SEEK_CUR));
  R(sendfile(g, f, NULL, 10));
  off = 99990;
  R(sendfile(g, f, &off, 100));
  R(off);
  R(sendfile(p[1], f, &off, 100));
  off = 0;
  R(sendfile(p[1], f, &off, 1 << 20));
  R(off);
  R(sendfile(p[1], f, &off, 1));
  R(sendfile(g, p[0], NULL, 10));
  R(sendfile(g, p[0], &off, 10));
  R(sendfile(f, f, &off, 0));
  R(sendfile(99, f, NULL, 1));
  R(sendfile(g, 99, NULL, 1));
  R(sendfile(g, d, NULL, 1));
  R(sendfile(d, f, NULL, 1));
  R(sendfile(g, f, BAD, 1));
  off = -1;
  R(sendfile(g, f, &off, 1));
  R(sendfile(g, f, NULL, -1));
  R(fcntl(g, F_SETFL, O_APPEND));
  off = 0;
  R(sendfile(g, f, &off, 10));
  int s = open("/proc/version", O_RDONLY);
  R(fcntl(g, F_SETFL, 0));
  R(sendfile(g, s, NULL, 1 << 20) > 20);
  R(sendfile(g, s, NULL, 1 << 20));
  close(g), close(d), close(s), close(p[0]), close(p[1]);
}

static void copies(void) {
  off_t from = 10, to = 0;
  int g = open("g", O_RDWR | O_CREAT | O_TRUNC, 0644), r = open("f", O_RDONLY), w = open("f", O_WRONLY), d = open(".", O_RDONLY), a = open("g", O_RDWR | O_APPEND);
  pipe2(p, O_NONBLOCK);
  lseek(f, 0, SEEK_SET);
  R(copy_file_range(f, NULL, g, NULL, 50, 0));
  R(lseek(f, 0, SEEK_CUR) + lseek(g, 0, SEEK_CUR));
  R(copy_file_range(f, &from, g, &to, 1 << 20, 0));
  R(from);
  R(to);
  R(copy_file_range(f, &from, g, &to, 10, 0));
  to = 1 << 20;
  from = 0;
  R(copy_file_range(f, &from, g, &to, 10, 0));
  fstat(g, &st);
  R(st.st_size);
  from = 5, to = 0;
  R(copy_file_range(f, &from, f, &to, 5, 0));
  from = 5, to = 3;
  R(copy_file_range(f, &from, f, &to, 5, 0));
  R(copy_file_range(f, NULL, g, NULL, 0, 0));
  R(copy_file_range(f, NULL, g, NULL, 10, 1));
  R(copy_file_range(w, NULL, g, NULL, 10, 0));
  R(copy_file_range(f, NULL, r, NULL, 10, 0));
  R(copy_file_range(f, NULL, a, NULL, 10, 0));
  R(copy_file_range(f, NULL, d, NULL, 10, 0));
  R(copy_file_range(d, NULL, g, NULL, 10, 0));
  R(copy_file_range(f, NULL, p[1], NULL, 10, 0));
  R(copy_file_range(p[0], NULL, g, NULL, 10, 0));
  R(copy_file_range(99, NULL, g, NULL, 10, 0));
  R(copy_file_range(f, NULL, 99, NULL, 10, 0));
  R(copy_file_range(f, BAD, g, NULL, 10, 0));
  from = -1;
  R(copy_file_range(f, &from, g, NULL, 10, 0));
  from = LONG_MAX - 5;
  R(copy_file_range(f, &from, g, NULL, 10, 0));
  close(g), close(r), close(w), close(d), close(a), close(p[0]), close(p[1]);
}

static void run(void) {
  making();
  packets();
  filling();
  splices();
  vmsplices();
  sendfiles();
  copies();
  syscall(SYS_close_range, 3, ~0u, 0);
}
int main(void) {
  everywhere(run);
  return 0;
}
