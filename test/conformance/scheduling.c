// Limits, and scheduling parameters of oneself, of a zombie, of the first process and of nobody: sched(7), getpriority(2), prlimit(2).
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOW(call) (errno = 0, result = (call), printf("%s: %ld %d\n", #call, result, errno))
static long result;

static void about(const char *who, pid_t p) {
  struct sched_param param = {0};
  struct rlimit limit;
  cpu_set_t set;
  printf("-- %s\n", who);
  SHOW(sched_getscheduler(p));
  SHOW(sched_getparam(p, &param));
  SHOW(sched_getaffinity(p, sizeof set, &set));
  SHOW(syscall(SYS_sched_rr_get_interval, p, NULL) == -1 && (errno == EFAULT || errno == ESRCH || errno == EINVAL));
  SHOW(getpriority(PRIO_PROCESS, p));
  SHOW(prlimit(p, RLIMIT_CORE, NULL, &limit));
  if (p == 1 || p == getppid()) return; // the host's: only looked at
  SHOW(sched_setparam(p, &param));
  SHOW(sched_setscheduler(p, SCHED_OTHER, &param));
  SHOW(sched_setaffinity(p, sizeof set, &set));
}

/** A limit that is nearly none, as a signed number, is no limit. */
static void hugeLimit(void) {
  struct rlimit old, huge;
  getrlimit(RLIMIT_AS, &old);
  huge.rlim_cur = (rlim_t)-2, huge.rlim_max = old.rlim_max;
  SHOW(setrlimit(RLIMIT_AS, &huge));
  void *block = malloc(10000000);
  SHOW(block != NULL);
  free(block);
  huge.rlim_cur = 1ul << 62;
  SHOW(setrlimit(RLIMIT_AS, &huge));
  SHOW(getrlimit(RLIMIT_AS, &huge));
  SHOW(huge.rlim_cur == 1ul << 62);
  SHOW(setrlimit(RLIMIT_AS, &old));
}

int main(void) {
  struct sched_param param = {0};
  cpu_set_t set;
  setvbuf(stdout, NULL, _IONBF, 0);
  hugeLimit();
  about("self", 0);
  about("parent", getppid());
  about("init", 1);
  about("negative", -1);
  about("nobody", 4000000);
  pid_t zombie = fork();
  if (zombie == 0) _exit(0);
  siginfo_t info;
  waitid(P_PID, zombie, &info, WEXITED | WNOWAIT);
  about("zombie", zombie);
  waitpid(zombie, NULL, 0);
  about("reaped", zombie);
  SHOW(syscall(SYS_sched_getaffinity, 0, 4, &set));
  SHOW(syscall(SYS_sched_getaffinity, 0, 12, &set));
  SHOW(syscall(SYS_sched_getaffinity, 0, sizeof set, NULL));
  CPU_ZERO(&set);
  SHOW(sched_setaffinity(0, sizeof set, &set));
  SHOW(syscall(SYS_sched_setaffinity, 0, sizeof set, NULL));
  param.sched_priority = 1;
  SHOW(sched_setscheduler(0, SCHED_OTHER, &param));
  SHOW(sched_setscheduler(0, SCHED_BATCH, &param));
  SHOW(sched_setscheduler(0, 99, &param));
  SHOW(sched_setscheduler(0, -1, &param));
  SHOW(sched_setscheduler(0, SCHED_OTHER, NULL));
  param.sched_priority = 0;
  SHOW(sched_setscheduler(0, SCHED_BATCH, &param));
  SHOW(sched_getscheduler(0));
  SHOW(sched_setscheduler(0, SCHED_OTHER | SCHED_RESET_ON_FORK, &param));
  SHOW(sched_getscheduler(0));
  pid_t child = fork();
  if (child == 0) _exit(sched_getscheduler(0));
  int status;
  waitpid(child, &status, 0);
  SHOW(WEXITSTATUS(status));
  SHOW(sched_get_priority_max(SCHED_FIFO));
  SHOW(sched_get_priority_min(SCHED_FIFO));
  SHOW(sched_get_priority_max(77));
  SHOW(getpriority(9, 0));
  SHOW(setpriority(PRIO_PROCESS, 0, 25));
  SHOW(getpriority(PRIO_PROCESS, 0));
  SHOW(nice(-50));
  SHOW(getpriority(PRIO_PROCESS, 0));
  SHOW(getpriority(PRIO_PGRP, 4000000));
  return 0;
}
