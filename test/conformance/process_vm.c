// process_vm_readv and process_vm_writev: pieces on both sides, holes and protections in the middle, who may, and every error.
#define _GNU_SOURCE
#include "report.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define PAGE 4096L
#define BAD ((void *)8)
static long rd(int pid, void *l, long n, void *r, long k, long flags) { return syscall(SYS_process_vm_readv, pid, l, n, r, k, flags); }
static long wr(int pid, void *l, long n, void *r, long k, long flags) { return syscall(SYS_process_vm_writev, pid, l, n, r, k, flags); }
static struct iovec of(void *p, size_t n) { return (struct iovec){p, n}; }

// 9 pages: 0 rw, 1 r, 2 none, 3 x, 4 rw, 5 w, 6 nothing, 7 rw, 8 nothing
static char *area;
static pid_t child(void (*prepare)(void)) {
  int ready[2];
  char c;
  pipe(ready);
  pid_t pid = fork();
  if (pid == 0) {
    if (prepare) prepare();
    write(ready[1], "", 1);
    for (;;) pause();
  }
  read(ready[0], &c, 1);
  close(ready[0]), close(ready[1]);
  return pid;
}
static void end(pid_t pid) { kill(pid, SIGKILL), waitpid(pid, 0, 0); }
static void layout(void) {
  for (int i = 0; i < 8; i++) memset(area + i * PAGE, 'a' + i, PAGE);
  mprotect(area + PAGE, PAGE, PROT_READ);
  mprotect(area + 2 * PAGE, PAGE, PROT_NONE);
  mprotect(area + 3 * PAGE, PAGE, PROT_EXEC);
  mprotect(area + 5 * PAGE, PAGE, PROT_WRITE);
  munmap(area + 6 * PAGE, PAGE), munmap(area + 8 * PAGE, PAGE);
}
static void unprivileged(void) { setresuid(1000, 1000, 1000); }
static void undumpable(void) { prctl(PR_SET_DUMPABLE, 0); }

static void pieces(pid_t pid) {
  char a[5] = {0}, b[20] = {0}, c[10000];
  struct iovec local[3] = {of(a, 4), of(0, 0), of(b, 19)}, remote[4] = {of(area + PAGE - 2, 5), of(BAD, 0), of(area + 4 * PAGE, 3), of(area + 7 * PAGE, 100)};
  SAY(rd(pid, local, 3, remote, 4, 0)), printf("%s %s\n", a, b);
  SAY(rd(pid, local, 1, remote, 4, 0));
  SAY(rd(pid, local, 3, remote, 1, 0));
  memcpy(a, "1234", 4), memcpy(b, "56789", 5);
  remote[0] = of(area + PAGE - 2, 2);
  SAY(wr(pid, local, 3, remote, 4, 0));
  SAY(rd(pid, &(struct iovec){c, 20}, 1, remote, 4, 0)), printf("%.20s\n", c);
  for (int i = 0; i < 8; i++) {
    struct iovec l = of(c, 8192), r = of(area + i * PAGE + 100, 5000);
    printf("page %d\n", i);
    SAY(rd(pid, &l, 1, &r, 1, 0));
    SAY(wr(pid, &l, 1, &r, 1, 0));
  }
  struct iovec l = of(c, 10000), holes[2] = {of(area, 10), of(area + 6 * PAGE, 10)};
  SAY(rd(pid, &l, 1, holes, 2, 0));
  holes[0] = holes[1];
  SAY(rd(pid, &l, 1, holes, 2, 0));
  size_t much = 3 << 20;
  char *big = mmap(0, much, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *copy = malloc(much);
  for (size_t i = 0; i < much; i++) big[i] = i * 7919 >> 8;
  pid_t twin = child(0);
  SAY(rd(twin, &(struct iovec){copy, much}, 1, &(struct iovec){big, much}, 1, 0)), printf("%d\n", memcmp(big, copy, much));
  memset(copy, 0, much);
  struct iovec many[1024], half[2] = {of(copy, much / 2), of(copy + much / 2, much / 2)};
  for (int i = 0; i < 1024; i++) many[i] = of(big + i * (much / 1024), much / 1024);
  SAY(rd(twin, half, 2, many, 1024, 0)), printf("%d\n", memcmp(big, copy, much));
  memset(copy, 5, much);
  SAY(wr(twin, half, 2, many, 1024, 0));
  memset(copy, 0, much);
  SAY(rd(twin, half, 2, many, 1024, 0)), printf("%d %d\n", copy[0], copy[much - 1]);
  end(twin);
}
static void errors(pid_t pid) {
  char c[100];
  struct iovec l = of(c, 50), r = of(area, 50), minus = of(area, -1), zero = of(area, 0), odd[1030];
  for (int i = 0; i < 1030; i++) odd[i] = of(c, 1);
  SAY(rd(pid, &l, 1, &r, 1, 1));
  SAY(rd(pid, &l, 1, &r, 1, 1L << 40));
  SAY(rd(pid, &l, 1, &minus, 1, 0));
  SAY(rd(pid, &minus, 1, &r, 1, 0));
  SAY(rd(pid, &l, 1025, &r, 1, 0));
  SAY(rd(pid, odd, 1024, &r, 1, 0));
  SAY(rd(pid, odd, 1025, &r, 1, 0));
  SAY(rd(pid, &l, 1, odd, 1025, 0));
  SAY(rd(pid, &l, -1, &r, 1, 0));
  SAY(rd(pid, &l, 1, &r, -1, 0));
  SAY(rd(pid, BAD, 1, &r, 1, 0));
  SAY(rd(pid, &l, 1, BAD, 1, 0));
  SAY(rd(pid, &l, 0, BAD, 1, 0));
  SAY(rd(pid, BAD, 0, &r, 1, 0));
  SAY(rd(pid, &l, 1, BAD, 0, 0));
  SAY(rd(pid, &l, 1, &zero, 1, 0));
  SAY(rd(pid, &zero, 1, &r, 1, 0));
  SAY(rd(99999, &l, 0, &r, 1, 0));
  SAY(rd(99999, &l, 1, &r, 0, 0));
  SAY(rd(99999, &l, 1, &r, 1, 0));
  SAY(rd(-1, &l, 1, &r, 1, 0));
  SAY(rd(0, &l, 1, &r, 1, 0));
  struct iovec out = of(BAD, 50), beyond = of((void *)-4096L, 50);
  SAY(rd(pid, &out, 1, &r, 1, 0));
  SAY(wr(pid, &out, 1, &r, 1, 0));
  SAY(rd(pid, &l, 1, &out, 1, 0));
  SAY(wr(pid, &l, 1, &out, 1, 0));
  SAY(rd(pid, &l, 1, &beyond, 1, 0));
  SAY(rd(pid, &beyond, 1, &r, 1, 0));
  SAY(rd(getpid(), &l, 1, &r, 1, 0));
  kill(pid, SIGKILL), waitid(P_PID, pid, &(siginfo_t){0}, WEXITED | WNOWAIT);
  SAY(rd(pid, &l, 1, &r, 1, 0)); // a zombie
  waitpid(pid, 0, 0);
  SAY(rd(pid, &l, 1, &r, 1, 0));
}
static void who(void) {
  char c[100];
  struct iovec l = of(c, 50), r = of(area, 50);
  pid_t root = child(0), user = child(unprivileged), hidden = child(undumpable);
  SAY(rd(root, &l, 1, &r, 1, 0));
  SAY(rd(user, &l, 1, &r, 1, 0));
  SAY(rd(hidden, &l, 1, &r, 1, 0));
  if (fork() == 0) {
    setresuid(1000, 1000, 1000);
    SAY(rd(root, &l, 1, &r, 1, 0));
    SAY(wr(root, &l, 1, &r, 1, 0));
    SAY(rd(user, &l, 1, &r, 1, 0)); // same user, not dumpable
    SAY(rd(getpid(), &l, 1, &r, 1, 0));
    SAY(wr(getpid(), &l, 1, &r, 1, 0));
    _exit(0);
  }
  wait(0);
  end(root), end(user), end(hidden);
}
int main(void) {
  area = mmap(0, 9 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  pid_t pid = child(layout);
  pieces(pid);
  errors(pid);
  who();
  return 0;
}
