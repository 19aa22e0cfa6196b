// One process of a crowd. argv[1]: crowd N T: N processes of T threads each, all there at once, each adding to a shared sum;
// threads N: one process of so many;
// files N: N files open at once; pipe MIB: so much through a pipe with a checksum at both ends.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static struct shared { atomic_int there; atomic_long sum; pthread_barrier_t all; } *shared;
static void *member(void *arg) {
  atomic_fetch_add(&shared->there, 1);
  pthread_barrier_wait(&shared->all); // everybody is alive now
  atomic_fetch_add(&shared->sum, (long)arg);
  return NULL;
}
static int crowd(int processes, int threads) {
  pthread_barrierattr_t a;
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pthread_barrierattr_init(&a);
  pthread_barrierattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
  pthread_barrier_init(&shared->all, &a, processes * threads);
  int failed = 0;
  for (int i = 0; i < processes; i++) {
    pid_t p = fork();
    if (p < 0) {
      printf("fork %d: %s\n", i, strerror(errno));
      exit(1);
    }
    if (p) continue;
    pthread_t t[64];
    for (int k = 1; k < threads; k++)
      if ((errno = pthread_create(&t[k], NULL, member, (void *)(long)(i * threads + k)))) {
        printf("thread %d of process %d: %s\n", k, i, strerror(errno));
        fflush(stdout);
        kill(0, 9);
      }
    member((void *)(long)(i * threads));
    for (int k = 1; k < threads; k++) pthread_join(t[k], NULL);
    _exit(i % 7);
  }
  int status, sum = 0;
  while (wait(&status) > 0) WIFEXITED(status) ? sum += WEXITSTATUS(status) : failed++;
  printf("%d threads were there at once, sum %ld, exit codes %d, %d died\n", atomic_load(&shared->there), atomic_load(&shared->sum), sum, failed);
  return failed;
}
static int threads(int n) {
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pthread_barrier_init(&shared->all, NULL, n + 1);
  pthread_attr_t small;
  pthread_attr_init(&small), pthread_attr_setstacksize(&small, 65536);
  pthread_t *t = calloc(n, sizeof *t);
  for (long k = 0; k < n; k++)
    if ((errno = pthread_create(&t[k], &small, member, (void *)k))) return printf("thread %ld: %s\n", k, strerror(errno)), 1;
  member((void *)(long)n);
  for (int k = 0; k < n; k++) pthread_join(t[k], NULL);
  printf("%d threads were there at once, sum %ld\n", atomic_load(&shared->there), atomic_load(&shared->sum));
  return 0;
}
static int files(int n) {
  struct rlimit r = {n + 100, n + 100};
  if (setrlimit(RLIMIT_NOFILE, &r)) return perror("setrlimit"), 1;
  char dir[] = "/dev/shm/mol-load-XXXXXX", name[64], text[16];
  if (!mkdtemp(dir) || chdir(dir)) return 1;
  int *fd = malloc(n * sizeof *fd);
  for (int i = 0; i < n; i++) {
    sprintf(name, "f%d", i);
    if ((fd[i] = open(name, O_RDWR | O_CREAT | O_EXCL, 0600)) < 0) return perror(name), 1;
    sprintf(text, "%08d", i);
    if (write(fd[i], text, 8) != 8) return perror("write"), 1;
  }
  long sum = 0;
  for (int i = n - 1; i >= 0; i--) {
    memset(text, 0, sizeof text);
    if (pread(fd[i], text, 8, 0) != 8) return perror("pread"), 1;
    sum += atol(text);
    close(fd[i]);
    sprintf(name, "f%d", i);
    unlink(name);
  }
  chdir("/");
  printf("%d files, sum %ld, directory removed: %d\n", n, sum, rmdir(dir));
  return 0;
}
static uint64_t mix(uint64_t h, const uint64_t *p, long n) {
  for (long i = 0; i < n / 8; i++) h = (h ^ p[i]) * 0x100000001b3ull;
  return h;
}
static int through(long mib) {
  static uint64_t buffer[8192];
  int ends[2];
  pipe(ends);
  if (fork() == 0) {
    close(ends[0]);
    uint64_t x = 1, h = 0;
    for (long left = mib * 16; left > 0; left--) {
      for (int i = 0; i < 8192; i += 16) buffer[i] = x = x * 6364136223846793005ull + 1;
      h = mix(h, buffer, sizeof buffer);
      for (long at = 0; at < (long)sizeof buffer;) {
        long n = write(ends[1], (char *)buffer + at, sizeof buffer - at);
        if (n <= 0) _exit(1);
        at += n;
      }
    }
    fprintf(stderr, "wrote %016lx\n", h);
    _exit(0);
  }
  close(ends[1]);
  uint64_t h = 0;
  long total = 0, have = 0, n;
  while ((n = read(ends[0], (char *)buffer + have, sizeof buffer - have)) > 0)
    if ((have += n) == sizeof buffer) h = mix(h, buffer, have), total += have, have = 0;
  int status;
  wait(&status);
  fprintf(stderr, "read  %016lx\n", h);
  printf("%ld MiB, %ld over, status %d\n", total >> 20, have, status);
  return 0;
}
int main(int argc, char **argv) {
  if (argc > 3 && !strcmp(argv[1], "crowd")) return crowd(atoi(argv[2]), atoi(argv[3]));
  if (argc > 2 && !strcmp(argv[1], "threads")) return threads(atoi(argv[2]));
  if (argc > 2 && !strcmp(argv[1], "files")) return files(atoi(argv[2]));
  if (argc > 2 && !strcmp(argv[1], "pipe")) return through(atol(argv[2]));
  return 2;
}
