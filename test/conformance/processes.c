// Processes: fork, vfork, exec, wait in all its forms, groups and sessions, ids, limits.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ERR(call) ((call) < 0 ? errno : 0)
static int value = 1;
extern char **environ;

int main(int argc, char **argv) {
  if (argc > 1) { // the image exec'd below
    printf("image: %s %s, comm ", argv[0], argv[1]);
    char name[16];
    prctl(PR_GET_NAME, name);
    printf("%s, env %s, fd %d\n", name, getenv("X") ? getenv("X") : "none", ERR(fcntl(9, F_GETFD)));
    fflush(stdout);
    return 5;
  }
  setvbuf(stdout, NULL, _IONBF, 0);
  char self[4096];
  self[readlink("/proc/self/exe", self, sizeof self - 1)] = 0;
  int status;
  pid_t child = fork();
  if (child == 0) {
    value = 2;
    _exit(getppid() > 0 ? 11 : 1);
  }
  printf("wait: %d status %d, value %d\n", waitpid(child, &status, 0) == child, WEXITSTATUS(status), value);
  printf("no child: %d %d\n", ERR(wait(NULL)), ERR(waitpid(child, NULL, 0)));
  child = vfork();
  if (child == 0) {
    value = 3; // shared with the parent
    _exit(12);
  }
  waitpid(child, &status, 0);
  printf("vfork: status %d, value %d\n", WEXITSTATUS(status), value);
  child = vfork();
  if (child == 0) {
    execl("/nosuch", "x", (char *)0);
    value = errno;
    _exit(1);
  }
  waitpid(child, &status, 0);
  printf("exec fails in vfork child: errno %d\n", value);
  dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), 8);
  fcntl(8, F_DUPFD_CLOEXEC, 9);
  child = vfork();
  if (child == 0) {
    char *args[] = {"renamed", "arg", NULL}, *env[] = {"X=here", NULL};
    execve(self, args, env);
    _exit(127);
  }
  waitpid(child, &status, 0);
  printf("exec: %d\n", WEXITSTATUS(status));
  char *args[] = {"spawned", "arg", NULL};
  int e = posix_spawn(&child, self, NULL, NULL, args, environ);
  waitpid(child, &status, 0);
  printf("posix_spawn: %d %d\n", e, WEXITSTATUS(status));
  printf("posix_spawn missing: %d\n", posix_spawn(&child, "/nosuch", NULL, NULL, args, environ));
  printf("exec errors: %d %d %d %d\n", ERR(execl("/etc/passwd", "x", (char *)0)), ERR(execl("/", "x", (char *)0)), ERR(execl("/etc/passwd/x", "x", (char *)0)), ERR(execve((char *)1, args, environ)));
  printf("exec bad argv: %d\n", ERR(execve(self, (char **)8, environ)));

  int fds[2];
  char c;
  pipe(fds);
  if ((child = fork()) == 0) {
    read(fds[0], &c, 1);
    _exit(0);
  }
  printf("WNOHANG: %d\n", waitpid(child, &status, WNOHANG));
  siginfo_t info;
  write(fds[1], "x", 1);
  memset(&info, 0, sizeof info);
  printf("waitid: %d", waitid(P_PID, child, &info, WEXITED | WNOWAIT));
  printf(" code %d status %d pid %d\n", info.si_code, info.si_status, info.si_pid == child);
  printf("still there: %d\n", waitpid(child, &status, 0) == child);
  printf("wait options: %d\n", ERR(waitpid(-1, &status, 0x100)));

  printf("setpgid %d, getpgrp %d\n", setpgid(0, 0) == 0 || errno == EPERM, getpgrp() > 0);
  if ((child = fork()) == 0) {
    pid_t s = setsid();
    _exit(s == getpid() && getsid(0) == s && getpgrp() == s && setsid() < 0 && errno == EPERM ? 21 : 1);
  }
  waitpid(child, &status, 0);
  printf("setsid: %d\n", WEXITSTATUS(status));
  printf("getpgid error %d, setpgid errors %d %d\n", ERR(getpgid(999999)), ERR(setpgid(0, -1)), ERR(setpgid(1, 0)));

  // orphans go to init
  pipe(fds);
  if ((child = fork()) == 0) {
    if (fork() == 0) {
      while (getppid() != 1) usleep(1000);
      write(fds[1], "i", 1);
      _exit(0);
    }
    _exit(0);
  }
  waitpid(child, NULL, 0);
  printf("orphan: %d\n", (int)read(fds[0], &c, 1));
  signal(SIGCHLD, SIG_IGN);
  if (fork() == 0) _exit(0);
  printf("ignored SIGCHLD: %d\n", ERR(wait(NULL)));
  signal(SIGCHLD, SIG_DFL);

  uid_t r, u, s;
  getresuid(&r, &u, &s);
  printf("ids equal %d\n", r == u && u == s);
  if (u == 0) {
    if ((child = fork()) == 0) {
      gid_t groups[2] = {7, 8};
      int ok = setgroups(2, groups) == 0 && getgroups(0, NULL) == 2 && setresgid(100, 100, 100) == 0 && setresuid(1000, 1000, 1000) == 0;
      ok = ok && setuid(0) < 0 && errno == EPERM && open("/etc/shadow", O_RDONLY) < 0 && errno == EACCES && kill(getppid(), 0) < 0 && errno == EPERM;
      _exit(ok ? 31 : 1);
    }
    waitpid(child, &status, 0);
    printf("dropped root: %d\n", WEXITSTATUS(status));
  } else printf("dropped root: 31\n");
  struct rlimit lim;
  getrlimit(RLIMIT_NOFILE, &lim);
  lim.rlim_cur = 20;
  printf("setrlimit %d", setrlimit(RLIMIT_NOFILE, &lim));
  int n = 0;
  while (dup(0) >= 0) n++;
  printf(" EMFILE %d below 20 %d\n", errno == EMFILE, n < 20);
  for (int i = 10; i < 20; i++) close(i);
  struct utsname un;
  uname(&un);
  printf("%s %s\n", un.sysname, un.machine);
  struct timespec a, b, rem = {0, 1000000};
  clock_gettime(CLOCK_MONOTONIC, &a);
  nanosleep(&rem, NULL);
  clock_gettime(CLOCK_MONOTONIC, &b);
  printf("time goes on %d, errors %d %d\n", b.tv_sec > a.tv_sec || b.tv_nsec > a.tv_nsec, ERR(clock_gettime(99, &a)), ERR(nanosleep(&(struct timespec){-1, 0}, NULL)));
  printf("nice %d, priority error %d\n", nice(3), ERR(getpriority(99, 0)));
  cpu_set_t set;
  printf("affinity %d\n", sched_getaffinity(0, sizeof set, &set));
  prctl(PR_SET_NAME, "a name that is too long");
  char name[16];
  prctl(PR_GET_NAME, name);
  printf("name %s\n", name);
  return 0;
}
