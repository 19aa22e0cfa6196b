// clone and clone3: what flags share, how children are waited for, and every combination that is refused.
#define _GNU_SOURCE
#include "report.h"
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static long raw(unsigned long flags, void *stack, int *ptid, int *ctid, unsigned long tls) {
  return syscall(SYS_clone, flags, stack, ptid, ctid, tls);
}
/* For calls that must fail: should one succeed, its child ends at once. */
static void refused(const char *name, long r) {
  if (r == 0) _exit(0);
  if (r > 0) waitpid(r, 0, __WALL);
  say(name, r > 0 ? 1 : r);
}
#define REFUSED(call) (errno = 0, refused(#call, (call)))

static void bad_flags(void) {
  static char stack[8192];
  void *top = stack + sizeof stack;
  int tid;
  REFUSED(raw(CLONE_THREAD | SIGCHLD, top, 0, 0, 0));
  REFUSED(raw(CLONE_THREAD | CLONE_SIGHAND, top, 0, 0, 0));
  REFUSED(raw(CLONE_SIGHAND, 0, 0, 0, 0));
  REFUSED(raw(CLONE_FS | CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0));
  REFUSED(raw(CLONE_NEWUSER | CLONE_FS | SIGCHLD, 0, 0, 0, 0));
  REFUSED(raw(CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, 0, &tid, 0, 0));
  REFUSED(raw(CLONE_PIDFD | CLONE_DETACHED | SIGCHLD, 0, &tid, 0, 0));
  REFUSED(raw(CLONE_NEWIPC | CLONE_SYSVSEM | SIGCHLD, 0, 0, 0, 0));
  REFUSED(raw(CLONE_THREAD | CLONE_VM | CLONE_SIGHAND | CLONE_NEWPID, top, 0, 0, 0));
  REFUSED(raw(CLONE_PIDFD | SIGCHLD, 0, (int *)16, 0, 0));
}

static long three(struct clone_args *a, size_t size) { return syscall(SYS_clone3, a, size); }
static void bad_args(void) {
  struct { struct clone_args a; char more[64]; } big = {0};
  struct clone_args a = {0}, zero = {0};
  int tids[2] = {1, 2};
  REFUSED(three(&a, 0));
  REFUSED(three(&a, 63));
  REFUSED(three(&a, 5000));
  REFUSED(three((void *)16, 64));
  big.a.exit_signal = SIGCHLD, big.more[3] = 1;
  REFUSED(three(&big.a, sizeof big));
  a.exit_signal = 65;
  REFUSED(three(&a, sizeof a));
  a.exit_signal = 0x101;
  REFUSED(three(&a, sizeof a));
  a = zero, a.flags = SIGCHLD;
  REFUSED(three(&a, sizeof a));
  a = zero, a.flags = 1ull << 40, a.exit_signal = SIGCHLD;
  REFUSED(three(&a, sizeof a));
  a = zero, a.exit_signal = SIGCHLD, a.stack = 4096;
  REFUSED(three(&a, sizeof a));
  a = zero, a.exit_signal = SIGCHLD, a.stack_size = 4096;
  REFUSED(three(&a, sizeof a));
  a = zero, a.exit_signal = SIGCHLD, a.set_tid_size = 33, a.set_tid = (uintptr_t)tids;
  REFUSED(three(&a, sizeof a));
  a = zero, a.exit_signal = SIGCHLD, a.set_tid_size = 1;
  REFUSED(three(&a, sizeof a));
  a = zero, a.exit_signal = SIGCHLD, a.set_tid = (uintptr_t)tids;
  REFUSED(three(&a, sizeof a));
  a = zero, a.flags = CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, a.exit_signal = SIGCHLD;
  REFUSED(three(&a, sizeof a));
  a = zero, a.flags = CLONE_PARENT, a.exit_signal = SIGCHLD;
  REFUSED(three(&a, sizeof a));
  a = zero, a.flags = CLONE_DETACHED, a.exit_signal = SIGCHLD;
  REFUSED(three(&a, sizeof a));
  a = zero, a.flags = CLONE_CLEAR_SIGHAND | CLONE_SIGHAND | CLONE_VM, a.exit_signal = SIGCHLD;
  REFUSED(three(&a, sizeof a));
}

// ---- what is shared ----

static volatile int seen;
static char stacks[4][65536];
static int child(void *what) {
  switch (*(char *)what) {
    case 'm': seen = 7; break;
    case 'd': chdir("/usr"), umask(027); break;
    case 'f': seen = open("/dev/null", O_RDONLY); break;
    case 's': signal(SIGUSR1, SIG_IGN); break;
  }
  return 5;
}
static int born(const char *what, int flags) {
  static int which;
  int status;
  long pid = clone(child, stacks[which++ % 4] + 65536, flags, (void *)what);
  if (pid < 0) return -errno;
  return waitpid(pid, &status, __WALL) == pid ? status : -1;
}
static void sharing(void) {
  char cwd[64];
  struct stat st;
  struct sigaction sa;
  seen = 0;
  printf("own memory %x", born("m", SIGCHLD)), printf(", seen %d\n", seen);
  printf("shared memory %x", born("m", CLONE_VM | SIGCHLD)), printf(", seen %d\n", seen);
  chdir("/"), umask(022);
  born("d", SIGCHLD);
  printf("own directory %s", getcwd(cwd, sizeof cwd));
  born("d", CLONE_FS | SIGCHLD);
  printf(", shared %s, umask %o\n", getcwd(cwd, sizeof cwd), umask(022));
  born("f", CLONE_VM | SIGCHLD);
  printf("own descriptors %d", fstat(seen, &st));
  born("f", CLONE_VM | CLONE_FILES | SIGCHLD);
  printf(", shared %d\n", fstat(seen, &st));
  born("s", CLONE_VM | SIGCHLD), sigaction(SIGUSR1, 0, &sa);
  printf("own handlers %d", sa.sa_handler == SIG_IGN);
  born("s", CLONE_VM | CLONE_SIGHAND | SIGCHLD), sigaction(SIGUSR1, 0, &sa);
  printf(", shared %d\n", sa.sa_handler == SIG_IGN);
  signal(SIGUSR1, SIG_DFL);
}

// ---- exit signals, parents, waiting ----

static volatile int got;
static void count(int signo) { got = signo; }
static void exits(void) {
  int status, tid = 0;
  signal(SIGUSR2, count), signal(SIGCHLD, count);
  long pid = raw(SIGUSR2, 0, 0, 0, 0);
  if (pid == 0) _exit(3);
  SAY(waitpid(-1, &status, 0));
  printf("with __WCLONE %d", waitpid(pid, &status, __WCLONE) == pid);
  printf(", %x, signal %d\n", status, got);
  got = 0;
  if ((pid = raw(0, 0, 0, 0, 0)) == 0) _exit(4);
  printf("no signal: %d", waitpid(pid, &status, __WALL) == pid);
  printf(", %d\n", got);
  if ((pid = fork()) == 0) {
    long sibling = raw(CLONE_PARENT | SIGUSR2, 0, 0, 0, 0);
    if (sibling == 0) _exit(getppid() == 1 ? 1 : 9);
    _exit(wait(&status) == -1 && errno == ECHILD ? 8 : 1);
  }
  int a = 0, b = 0;
  if (waitpid(-1, &status, __WALL) > 0) a = WEXITSTATUS(status);
  if (waitpid(-1, &status, __WALL) > 0) b = WEXITSTATUS(status);
  printf("sibling %d, brother %d\n", a + b, a * b);
  // where the ids go
  static int ptid, ctid;
  ptid = ctid = 0;
  pid = raw(CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, 0, &ptid, &ctid, 0);
  if (pid == 0) _exit(ctid == getpid());
  waitpid(pid, &status, 0);
  printf("ids: parent's %d, child's %d, in the parent %d\n", ptid == pid, WEXITSTATUS(status), ctid);
  pid = raw(CLONE_PARENT_SETTID | SIGCHLD, 0, (int *)16, &ctid, 0); // can't be stored: no error
  if (pid == 0) _exit(0);
  printf("id nowhere %d\n", pid > 0 && waitpid(pid, 0, 0) == pid);
  struct clone_args args = {.exit_signal = SIGCHLD, .flags = CLONE_CLEAR_SIGHAND};
  signal(SIGHUP, SIG_IGN);
  pid = three(&args, sizeof args);
  if (pid == 0) {
    struct sigaction sa, ignored;
    sigaction(SIGUSR2, 0, &sa), sigaction(SIGHUP, 0, &ignored);
    _exit((sa.sa_handler == SIG_DFL) + 2 * (ignored.sa_handler == SIG_IGN));
  }
  printf("handlers cleared %d", pid > 0 && waitpid(pid, &status, 0) == pid);
  printf(", %x\n", status);
  signal(SIGCHLD, SIG_DFL);
}

// ---- the word that says a child exists ----

static void cleared(void) {
  static int word = 99;
  int status, flags = CLONE_VM | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD;
  long pid = clone(child, stacks[0] + 65536, flags, "", 0, 0, &word);
  waitpid(pid, &status, 0);
  printf("cleared %d, status %x\n", word, status);
  printf("set_tid_address %d\n", syscall(SYS_set_tid_address, &word) == getpid());
}

int main(void) {
  bad_flags();
  bad_args();
  sharing();
  exits();
  cleared();
  return 0;
}
