// Scheduling parameters, affinity, niceness, I/O priority, processor time: what is kept and answered, inherited, and refused.
#define _GNU_SOURCE
#include "report.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/wait.h>

struct attr {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
  uint32_t util_min, util_max;
};
static long setattr(pid_t pid, void *a, unsigned flags) { return syscall(SYS_sched_setattr, pid, a, flags); }
static long getattr(pid_t pid, void *a, unsigned size, unsigned flags) { return syscall(SYS_sched_getattr, pid, a, size, flags); }
static long ioprio_set_(int which, int who, int prio) { return syscall(SYS_ioprio_set, which, who, prio); }
static long ioprio_get_(int which, int who) { return syscall(SYS_ioprio_get, which, who); }

static void policies(void) {
  struct sched_param p = {0}, one = {1};
  struct timespec t;
  for (int i = 0; i < 7; i++) printf("policy %d: %d to %d\n", i, sched_get_priority_min(i), sched_get_priority_max(i));
  SAY(sched_get_priority_max(-1));
  SAY(sched_getscheduler(0));
  SAY(sched_getscheduler(-1));
  SAY(sched_getscheduler(99999999));
  SAY(sched_getparam(0, &p));
  SAY(syscall(SYS_sched_getparam, 0, 0));
  SAY(syscall(SYS_sched_getparam, 0, 16));
  SAY(syscall(SYS_sched_getparam, -1, &p));
  SAY(syscall(SYS_sched_getparam, 99999999, &p));
  SAY(sched_setscheduler(0, SCHED_OTHER, &one));
  SAY(sched_setscheduler(0, SCHED_FIFO, &p));
  SAY(sched_setscheduler(0, 77, &p));
  SAY(sched_setscheduler(0, -1, &p));
  SAY(sched_setscheduler(-1, SCHED_OTHER, &p));
  SAY(sched_setscheduler(99999999, SCHED_OTHER, &p));
  SAY(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, 0));
  SAY(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, 16));
  SAY(sched_setparam(0, &one));
  SAY(syscall(SYS_sched_setparam, 0, 0));
  SAY(sched_setparam(99999999, &p));
  SAY(sched_setscheduler(0, SCHED_BATCH, &p));
  SAY(sched_getscheduler(0));
  SAY(sched_setscheduler(0, SCHED_IDLE, &p));
  SAY(sched_getscheduler(0));
  SAY(sched_setscheduler(0, SCHED_OTHER | SCHED_RESET_ON_FORK, &p));
  SAY(sched_getscheduler(0) == (SCHED_OTHER | SCHED_RESET_ON_FORK));
  SAY(sched_rr_get_interval(0, &t));
  SAY(sched_rr_get_interval(-1, &t));
  SAY(sched_rr_get_interval(99999999, &t));
  SAY(syscall(SYS_sched_rr_get_interval, 0, 16));
  SAY(sched_yield());
}

static void attributes(void) {
  struct attr a, b = {sizeof b}, zero = {sizeof zero};
  char big[128] = {0};
  SAY(sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0}));
  memset(&a, 0xff, sizeof a);
  SAY(getattr(0, &a, sizeof a, 0));
  printf("size %d, policy %d, flags %lld, priority %d\n", a.size >= 48, a.policy, (long long)a.flags & 1, a.priority);
  SAY(getattr(0, &a, 47, 0));
  SAY(getattr(0, &a, 48, 0));
  printf("size %d\n", a.size);
  SAY(getattr(0, &a, 5000, 0));
  SAY(getattr(0, &a, sizeof a, 1));
  SAY(getattr(0, 0, sizeof a, 0));
  SAY(getattr(-1, &a, sizeof a, 0));
  SAY(getattr(99999999, &a, sizeof a, 0));
  SAY(getattr(0, (void *)16, sizeof a, 0));
  SAY(setattr(0, &b, 1));
  SAY(setattr(0, 0, 0));
  SAY(setattr(0, (void *)16, 0));
  SAY(setattr(-1, &b, 0));
  SAY(setattr(99999999, &b, 0));
  b.policy = 77;
  SAY(setattr(0, &b, 0));
  b = zero, b.flags = 1ull << 40;
  SAY(setattr(0, &b, 0));
  b = zero, b.priority = 5;
  SAY(setattr(0, &b, 0));
  b = zero, b.size = 20;
  SAY(setattr(0, &b, 0));
  printf("told the size %d\n", b.size >= 48);
  ((struct attr *)big)->size = 128, big[100] = 1;
  SAY(setattr(0, big, 0));
  big[100] = 0, ((struct attr *)big)->size = 128;
  SAY(setattr(0, big, 0));
  b = zero, b.policy = SCHED_BATCH, b.nice = 3;
  SAY(setattr(0, &b, 0));
  getattr(0, &a, sizeof a, 0);
  printf("policy %d, nice %d %d\n", a.policy, a.nice, getpriority(PRIO_PROCESS, 0));
  b = zero, b.policy = SCHED_OTHER, b.nice = 4, b.flags = 1 /* SCHED_FLAG_RESET_ON_FORK */;
  SAY(setattr(0, &b, 0));
  getattr(0, &a, sizeof a, 0);
  printf("policy %d, nice %d, flags %lld\n", a.policy, a.nice, (long long)a.flags & 1);
  b.flags = 0;
  SAY(setattr(0, &b, 0));
}

static void niceness(void) {
  int status;
  errno = 0;
  SAY(getpriority(PRIO_PROCESS, 0));
  SAY(setpriority(PRIO_PROCESS, 0, 10));
  SAY(getpriority(PRIO_PROCESS, getpid()));
  SAY(setpriority(PRIO_PROCESS, 0, 100));
  SAY(getpriority(PRIO_PROCESS, 0));
  SAY(getpriority(3, 0));
  SAY(getpriority(-1, 0));
  SAY(getpriority(PRIO_PROCESS, 99999999));
  SAY(getpriority(PRIO_PGRP, 99999999));
  SAY(getpriority(PRIO_USER, 99999999));
  SAY(setpriority(3, 0, 0));
  SAY(setpriority(PRIO_PROCESS, 99999999, 0));
  SAY(getpriority(PRIO_PGRP, 0) <= 19);
  pid_t pid = fork();
  if (pid == 0) _exit(getpriority(PRIO_PROCESS, 0));
  waitpid(pid, &status, 0);
  printf("inherited %d\n", WEXITSTATUS(status));
}

/* As a user without privileges, in a child. */
static void unprivileged(void) {
  pid_t pid = fork(), child;
  if (pid == 0) {
    struct sched_param one = {1}, p = {0};
    struct attr a = {sizeof a, SCHED_FIFO, 0, 0, 1};
    struct rlimit none = {0, 0};
    cpu_set_t set;
    setrlimit(RLIMIT_NICE, &none), setrlimit(RLIMIT_RTPRIO, &none);
    setpriority(PRIO_PROCESS, 0, 5);
    if (setresuid(54321, 54321, 54321)) {}
    SAY(setpriority(PRIO_PROCESS, 0, 6));
    SAY(setpriority(PRIO_PROCESS, 0, 5));
    SAY(setpriority(PRIO_PROCESS, getppid(), 19));
    SAY(nice(-1));
    SAY(sched_setscheduler(0, SCHED_FIFO, &one));
    SAY(sched_setscheduler(0, SCHED_RR, &one));
    SAY(sched_setscheduler(0, SCHED_BATCH, &p));
    SAY(sched_setscheduler(getppid(), SCHED_BATCH, &p));
    SAY(setattr(0, &a, 0));
    SAY(ioprio_set_(1, 0, 1 << 13));
    SAY(ioprio_set_(1, getppid(), 2 << 13));
    sched_getaffinity(0, sizeof set, &set);
    SAY(sched_setaffinity(getppid(), sizeof set, &set));
    SAY(sched_setaffinity(0, sizeof set, &set));
    SAY(sched_setscheduler(0, SCHED_OTHER | SCHED_RESET_ON_FORK, &p));
    SAY(sched_setscheduler(0, SCHED_OTHER, &p));
    _exit(0);
  }
  waitpid(pid, 0, 0);
}

static void affinity(void) {
  cpu_set_t set, all, none;
  int status;
  CPU_ZERO(&none);
  SAY(sched_getaffinity(0, sizeof all, &all));
  printf("some %d\n", CPU_COUNT(&all) >= 1);
  SAY(syscall(SYS_sched_getaffinity, 0, 4, &set));
  SAY(syscall(SYS_sched_getaffinity, 0, 9, &set));
  SAY(syscall(SYS_sched_getaffinity, 0, 8, &set));
  SAY(syscall(SYS_sched_getaffinity, 0, 128, 16));
  SAY(syscall(SYS_sched_getaffinity, -1, 8, &set));
  SAY(syscall(SYS_sched_getaffinity, 99999999, 8, &set));
  SAY(sched_setaffinity(0, sizeof none, &none));
  SAY(syscall(SYS_sched_setaffinity, 0, 128, 16));
  SAY(syscall(SYS_sched_setaffinity, 99999999, 8, &all));
  int cpu = 0;
  while (!CPU_ISSET(cpu, &all)) cpu++;
  CPU_ZERO(&set); CPU_SET(cpu, &set);
  SAY(sched_setaffinity(0, sizeof set, &set));
  CPU_ZERO(&set); sched_getaffinity(0, sizeof set, &set);
  printf("now %d, that one %d\n", CPU_COUNT(&set), CPU_ISSET(cpu, &set) != 0);
  unsigned here = 99, node = 99;
  SAY(syscall(SYS_getcpu, &here, &node, 0));
  printf("runs there %d, node %u\n", here == cpu, node);
  SAY(syscall(SYS_getcpu, 0, 0, 0));
  SAY(syscall(SYS_getcpu, 16, 0, 0));
  pid_t pid = fork();
  if (pid == 0) {
    CPU_ZERO(&set);
    sched_getaffinity(0, sizeof set, &set), _exit(CPU_COUNT(&set));
  }
  waitpid(pid, &status, 0);
  printf("inherited %d\n", WEXITSTATUS(status));
  SAY(sched_setaffinity(0, sizeof all, &all));
}

static void io(void) {
  SAY(ioprio_get_(1, 0));
  SAY(ioprio_set_(1, 0, 2 << 13 | 5));
  SAY(ioprio_get_(1, 0));
  SAY(ioprio_get_(1, getpid()));
  SAY(ioprio_set_(1, 0, 3 << 13));
  SAY(ioprio_get_(1, 0));
  SAY(ioprio_set_(1, 0, 0));
  SAY(ioprio_get_(4, 0));
  SAY(ioprio_set_(0, 0, 0));
  SAY(ioprio_set_(1, 0, 5 << 13));
  SAY(ioprio_set_(1, 0, 3));
  SAY(ioprio_set_(1, 99999999, 0));
  SAY(ioprio_get_(1, 99999999));
  SAY(ioprio_get_(2, 99999999));
  SAY(ioprio_get_(3, 99999999));
  SAY(ioprio_get_(2, 0) >= 0);
  SAY(ioprio_get_(3, 0) >= 0);
}

// ---- processor time ----

static long cpu_ms(const struct rusage *r) { return (r->ru_utime.tv_sec + r->ru_stime.tv_sec) * 1000 + (r->ru_utime.tv_usec + r->ru_stime.tv_usec) / 1000; }
static void burn(long ms) {
  struct timespec t;
  long until;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), until = t.tv_sec * 1000 + t.tv_nsec / 1000000 + ms;
  do clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  while (t.tv_sec * 1000 + t.tv_nsec / 1000000 < until);
}
static struct rusage thread;
static void *burner(void *u) {
  burn(50);
  getrusage(RUSAGE_THREAD, &thread);
  return 0;
}
static void usage(void) {
  struct rusage a, b, c, w;
  struct tms t0, t1;
  pthread_t t;
  int status;
  times(&t0);
  getrusage(RUSAGE_SELF, &a);
  pthread_create(&t, 0, burner, 0), pthread_join(t, 0);
  getrusage(RUSAGE_SELF, &b), getrusage(RUSAGE_THREAD, &c);
  printf("thread %d, process %d, not this thread %d\n", cpu_ms(&thread) >= 45, cpu_ms(&b) - cpu_ms(&a) >= 45, cpu_ms(&c) <= cpu_ms(&b) - 45);
  getrusage(RUSAGE_CHILDREN, &a);
  pid_t pid = fork();
  if (pid == 0) {
    if (fork() == 0) burn(40), _exit(0);
    wait(0);
    burn(40), _exit(0);
  }
  getrusage(RUSAGE_CHILDREN, &b);
  printf("not waited for %d\n", cpu_ms(&b) == cpu_ms(&a));
  wait4(pid, &status, 0, &w);
  getrusage(RUSAGE_CHILDREN, &b);
  times(&t1);
  printf("by wait4 %d, children %d, times %d %d\n", cpu_ms(&w) >= 75, cpu_ms(&b) - cpu_ms(&a) >= 75, t1.tms_utime + t1.tms_stime > t0.tms_utime + t0.tms_stime, t1.tms_cutime + t1.tms_cstime - t0.tms_cutime - t0.tms_cstime >= 6);
  pid = fork();
  if (pid == 0) getrusage(RUSAGE_SELF, &a), getrusage(RUSAGE_CHILDREN, &b), _exit(cpu_ms(&a) > 40 || cpu_ms(&b) > 0);
  waitpid(pid, &status, 0);
  printf("begins anew %x\n", status);
  printf("largest %d\n", b.ru_maxrss > 0);
  SAY(getrusage(5, &a));
  SAY(syscall(SYS_getrusage, RUSAGE_SELF, 16));
}

int main(void) {
  policies();
  attributes();
  niceness();
  unprivileged();
  affinity();
  io();
  usage();
  return 0;
}
