// POSIX shared memory and named semaphores through libc, between processes that share nothing but the name; process-shared mutexes,
// conditions and barriers in shared memory; files mapped by several processes, seen by read and write, cut short under a mapping.
#define _GNU_SOURCE
#include "report.h"
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define PAGE 4096
static sigjmp_buf back;
static siginfo_t info;
static void jump(int s, siginfo_t *i, void *c) { info = *i, siglongjmp(back, s); }
static int touch(volatile char *p, int write) {
  int s = sigsetjmp(back, 1);
  if (s) return s * 100 + info.si_code;
  if (write) *p = 1;
  else (void)*p;
  return 0;
}
static pid_t start(void) {
  fflush(stdout);
  return fork();
}
static void end_of(pid_t pid) {
  int status;
  waitpid(pid, &status, 0);
  printf("ended %x\n", status);
}
static char name[40];

static void objects(void) {
  SAY(shm_open(name, O_RDWR, 0));
  int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
  SAY(shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600));
  SAY(ftruncate(fd, 2 * PAGE));
  char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  pid_t pid = start();
  if (pid == 0) {
    munmap(p, 2 * PAGE);
    int again = shm_open(name, O_RDWR, 0);
    char *q = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0);
    printf("child sees %d\n", q[PAGE]);
    strcpy(q + PAGE, "from the child");
    char text[20] = "";
    pwrite(again, "written", 8, 0);
    pread(again, text, 19, PAGE);
    printf("read: %s\n", text);
    _exit(0);
  }
  end_of(pid);
  printf("%s, %s\n", p, p + PAGE);
  SAY(shm_unlink(name));
  SAY(shm_unlink(name));
  SAY(shm_open("/a/b", O_RDWR | O_CREAT, 0600));
  printf("still there: %s\n", p + PAGE);
  munmap(p, 2 * PAGE);
  close(fd);
}
static void semaphores(void) {
  SAY(sem_open(name, 0) == SEM_FAILED ? -1 : 0);
  sem_t *there = sem_open(name, O_CREAT | O_EXCL, 0600, 0);
  char other[50];
  snprintf(other, sizeof other, "%s-2", name);
  sem_t *back = sem_open(other, O_CREAT, 0600, 2);
  pid_t pid = start();
  if (pid == 0) {
    sem_t *mine = sem_open(name, O_RDWR), *yours = sem_open(other, O_RDWR);
    int value;
    sem_getvalue(yours, &value);
    printf("value %d\n", value);
    for (int i = 0; i < 200; i++) sem_wait(mine), sem_post(yours);
    _exit(0);
  }
  sem_wait(back), sem_wait(back);
  for (int i = 0; i < 200; i++) sem_post(there), sem_wait(back);
  end_of(pid);
  SAY(sem_trywait(there));
  struct timespec past = {1, 0};
  SAY(sem_timedwait(there, &past));
  SAY(sem_unlink(name));
  SAY(sem_unlink(other));
  SAY(sem_unlink(other));
}
struct shared {
  pthread_mutex_t mutex;
  pthread_cond_t cond;
  pthread_barrier_t barrier;
  int turn, count;
};
static void work(struct shared *s, int who) {
  pthread_barrier_wait(&s->barrier);
  for (int i = 0; i < 100; i++) {
    pthread_mutex_lock(&s->mutex);
    while (s->turn != who) pthread_cond_wait(&s->cond, &s->mutex);
    s->turn = 1 - who;
    s->count++;
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->mutex);
  }
}
static void synchronisation(int anonymous) {
  int fd = anonymous ? -1 : shm_open(name, O_RDWR | O_CREAT, 0600);
  if (fd >= 0) ftruncate(fd, PAGE);
  struct shared *s = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | (anonymous ? MAP_ANONYMOUS : 0), fd, 0);
  pthread_mutexattr_t m;
  pthread_condattr_t c;
  pthread_barrierattr_t b;
  pthread_mutexattr_init(&m), pthread_mutexattr_setpshared(&m, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&m, PTHREAD_MUTEX_ROBUST);
  pthread_condattr_init(&c), pthread_condattr_setpshared(&c, PTHREAD_PROCESS_SHARED);
  pthread_barrierattr_init(&b), pthread_barrierattr_setpshared(&b, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(&s->mutex, &m);
  pthread_cond_init(&s->cond, &c);
  pthread_barrier_init(&s->barrier, &b, 2);
  pid_t pid = start();
  if (pid == 0) {
    if (!anonymous) {
      int again = shm_open(name, O_RDWR, 0);
      s = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0);
    }
    work(s, 0);
    _exit(0);
  }
  work(s, 1);
  end_of(pid);
  printf("counted %d\n", s->count);
  pid = start();
  if (pid == 0) pthread_mutex_lock(&s->mutex), _exit(0);
  end_of(pid);
  printf("its owner died: %d\n", pthread_mutex_lock(&s->mutex) == EOWNERDEAD);
  if (!anonymous) shm_unlink(name);
}
static void files(const char *path) {
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  write(fd, "0123456789", 10);
  char *p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *c = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  printf("behind the last byte %d, next page %d, write %d\n", touch(p + 100, 0), touch(p + PAGE, 0), touch(p + PAGE, 1));
  p[2] = 'X';
  c[3] = 'c';
  char text[20] = "";
  pread(fd, text, 10, 0);
  printf("%s %.10s %.10s\n", text, p, c);
  SAY(ftruncate(fd, 2 * PAGE));
  printf("longer: %d, next %d\n", touch(p + PAGE, 1), touch(p + 2 * PAGE, 0));
  pid_t pid = start();
  if (pid == 0) {
    int own = open(path, O_RDWR);
    pwrite(own, "from another", 12, PAGE);
    char *q = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, own, PAGE);
    q[0] = 'F';
    _exit(0);
  }
  end_of(pid);
  printf("%s\n", p + PAGE);
  SAY(msync(p, 2 * PAGE, MS_SYNC));
  SAY(ftruncate(fd, 5));
  printf("cut: %d, next page %d, zeroes %d\n", touch(p, 0), touch(p + PAGE, 0), p[7]);
  SAY(ftruncate(fd, PAGE));
  printf("again: %d %d\n", p[2], p[7]);
  int short_of = open(path, O_RDWR | O_TRUNC);
  printf("emptied: %d\n", touch(p, 0));
  close(short_of);
  // a mapping outlives descriptor and name
  pwrite(fd, "stays", 6, 0);
  close(fd);
  SAY(unlink(path));
  printf("%s\n", p);
  // what may not be mapped how
  fd = open(path, O_WRONLY | O_CREAT, 0600);
  SAY(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
  SAY(mmap(NULL, PAGE, PROT_WRITE, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0);
  close(fd);
  fd = open(path, O_RDONLY);
  SAY(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
  char *r = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
  SAY(mprotect(r, PAGE, PROT_READ | PROT_WRITE));
  printf("an empty file: %d\n", touch(r, 0));
  SAY(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0);
  unlink(path);
  int dir = open("/", O_RDONLY), pipe_[2];
  pipe(pipe_);
  SAY(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, dir, 0) == MAP_FAILED ? -1 : 0);
  SAY(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, pipe_[0], 0) == MAP_FAILED ? -1 : 0);
}
int main(void) {
  struct sigaction a = {.sa_sigaction = jump, .sa_flags = SA_SIGINFO | SA_NODEFER};
  sigaction(SIGSEGV, &a, NULL);
  sigaction(SIGBUS, &a, NULL);
  sprintf(name, "/mol-%d", getpid());
  char path[60];
  objects();
  semaphores();
  synchronisation(0);
  synchronisation(1);
  sprintf(path, "/tmp%s", name);
  files(path);
  sprintf(path, "/var/tmp%s", name);
  files(path);
  sprintf(path, "/dev/shm%s", name);
  files(path);
  return 0;
}
