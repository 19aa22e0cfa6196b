// Long reads: many in a row over one file (which then come straight from the host's file), their ends, faults in the buffer, offsets
// shared by processes, files that change under the reader. Every byte is summed.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHUNK 65536
#define SIZE (20 * CHUNK + 777)
static char *buffer;
static unsigned sum(const char *p, long n) {
  unsigned s = n;
  for (long i = 0; i < n; i++) s = s * 31 + (unsigned char)p[i];
  return s;
}
static void show(const char *name, long r) { printf("%s: %ld %u\n", name, r < 0 ? -errno : r, r > 0 ? sum(buffer, r) : 0); }
static void whole(const char *name, int fd, long step) {
  long n, total = 0, calls = 0;
  unsigned s = 0;
  while ((n = read(fd, buffer, step)) > 0) s = s * 7 + sum(buffer, n), total += n, calls++;
  printf("%s: %ld bytes, %ld calls, %u, then %ld at %ld\n", name, total, calls, s, n, (long)lseek(fd, 0, SEEK_CUR));
}
static void *reader(void *arg) {
  int fd = open("f", O_RDONLY);
  char *own = malloc(CHUNK);
  unsigned s = 0;
  long n;
  while ((n = read(fd, own, CHUNK)) > 0) s = s * 7 + sum(own, n);
  close(fd);
  free(own);
  return (void *)(long)s;
}
static volatile int ticks;
static void tick(int signo) { ticks++; }

static void faults(int fd) {
  char *two = mmap(NULL, 2 * CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(two + CHUNK, CHUNK);
  lseek(fd, 0, SEEK_SET);
  for (int i = 0; i < 4; i++) show("before a fault", read(fd, buffer, CHUNK));
  memset(buffer, 0, CHUNK);
  long n = read(fd, two + CHUNK / 2, CHUNK);
  printf("half a buffer: %d\n", n == CHUNK / 2 || (n < 0 && errno == EFAULT));
  errno = 0;
  n = read(fd, two + CHUNK, CHUNK);
  printf("no buffer: %ld %d\n", n, errno);
  mprotect(two, CHUNK, PROT_READ);
  errno = 0;
  n = pread(fd, two, CHUNK, 0);
  printf("read-only buffer: %ld %d\n", n, errno);
}

int main(void) {
  char dir[] = "/tmp/mol-long-XXXXXX";
  if (!mkdtemp(dir) || chdir(dir)) return 1;
  buffer = malloc(4 * CHUNK);
  int fd = open("f", O_RDWR | O_CREAT, 0644);
  for (long at = 0; at < SIZE; at += CHUNK) {
    for (int i = 0; i < CHUNK; i++) buffer[i] = (at >> 8) * 17 + i * 3 + (i >> 8);
    write(fd, buffer, SIZE - at < CHUNK ? SIZE - at : CHUNK);
  }
  lseek(fd, 0, SEEK_SET);
  whole("64 KiB", fd, CHUNK);
  lseek(fd, 5, SEEK_SET);
  whole("16 KiB from 5", fd, 16384);
  lseek(fd, 0, SEEK_SET);
  whole("256 KiB", fd, 4 * CHUNK);
  for (int i = 0; i < 6; i++) show("pread", pread(fd, buffer, CHUNK, 3 * CHUNK + i));
  show("pread across the end", pread(fd, buffer, CHUNK, SIZE - 100));
  show("pread at the end", pread(fd, buffer, CHUNK, SIZE));
  show("offset is where it was", lseek(fd, 0, SEEK_CUR) == SIZE);
  struct iovec v[3] = {{buffer, 20000}, {buffer + 20000, 30000}, {buffer + 50000, 40000}};
  for (int i = 0; i < 4; i++) show("preadv", preadv(fd, v, 3, i * 1000));
  for (int i = 0; i < 4; i++) show("preadv of one", preadv(fd, v + 2, 1, i * 1000));
  faults(fd);
  int own = open("/proc/self/exe", O_RDONLY); // a file nobody has written
  whole("the program", own, 16384);
  for (int i = 0; i < 6; i++) show("its start", pread(own, buffer, 16384, i));
  faults(own);

  lseek(fd, 0, SEEK_SET); // what was written is seen at once, by whoever reads
  for (int i = 0; i < 5; i++) {
    pwrite(fd, "changed", 7, i * CHUNK + 9);
    show("after a write", read(fd, buffer, CHUNK));
  }
  ftruncate(fd, 6 * CHUNK + 5);
  show("truncated", read(fd, buffer, CHUNK));
  show("its end", read(fd, buffer, CHUNK));
  show("past it", read(fd, buffer, CHUNK));
  ftruncate(fd, SIZE);
  whole("grown with a hole", fd, CHUNK);

  lseek(fd, 0, SEEK_SET); // one offset, two processes taking turns
  for (int turn = 0; turn < 6; turn++) {
    if (turn % 2) show("parent", read(fd, buffer, CHUNK));
    else {
      pid_t p = fork();
      if (p == 0) {
        show("child", read(fd, buffer, CHUNK));
        _exit(0);
      }
      waitpid(p, NULL, 0);
    }
  }
  for (int i = 0; i < 40; i++) { // descriptors come and go, numbers are used again
    char name[8];
    sprintf(name, "g%d", i % 20);
    int g = open(name, O_RDWR | O_CREAT, 0600);
    memset(buffer, 'a' + i % 26, CHUNK);
    for (int k = 0; k < 5; k++) write(g, buffer, CHUNK);
    lseek(g, 0, SEEK_SET);
    whole(name, g, CHUNK);
    close(g);
    if (i % 3 == 0) unlink(name);
  }
  pthread_t t[4];
  for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, reader, NULL);
  for (int i = 0; i < 4; i++) {
    void *r;
    pthread_join(t[i], &r);
    printf("thread: %ld\n", (long)r);
  }
  signal(SIGALRM, tick); // signals land between and inside reads
  struct itimerval every = {{0, 300}, {0, 300}}, none = {0};
  setitimer(ITIMER_REAL, &every, NULL);
  unsigned s = 0;
  for (int round = 0; round < 30 || ticks < 20; round++)
    for (int i = 0; i < 10; i++) {
      long n = pread(fd, buffer, CHUNK, i * CHUNK);
      if (round == 0) s = s * 7 + sum(buffer, n);
      else if (n != CHUNK) printf("interrupted: %ld\n", n);
    }
  setitimer(ITIMER_REAL, &none, NULL);
  printf("with signals: %u\n", s);
  if (system("rm -rf /tmp/mol-long-*")) return 1;
  return 0;
}
