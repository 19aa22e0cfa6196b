// waitid, wait4 and what a parent hears of its children: states, siginfo, options, refusals, orphaned groups, unwanted zombies.
#define _GNU_SOURCE
#include "report.h"
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static const char *codes[] = {"0", "EXITED", "KILLED", "DUMPED", "TRAPPED", "STOPPED", "CONTINUED"};
static void show(const char *name, long r, siginfo_t *i, pid_t pid) {
  if (r < 0) return say(name, r);
  printf("%s: %ld, signo %d, %s, status %d, pid %d, uid %d\n", name, r, i->si_signo, codes[i->si_code % 7], i->si_status, i->si_pid == pid,
         i->si_uid == (i->si_pid ? getuid() : 0));
}
static pid_t child(int how) {
  pid_t pid = fork();
  if (pid != 0) return pid;
  if (how >= 0 && how < 1000) _exit(how);
  if (how >= 1000) signal(how - 1000, SIG_DFL), raise(how - 1000);
  for (;;) pause();
}

static void states(void) {
  siginfo_t i = {0};
  int status;
  pid_t pid = child(7);
  show("exit, kept", waitid(P_PID, pid, &i, WEXITED | WNOWAIT), &i, pid);
  show("exit, kept again", waitid(P_PID, pid, &i, WEXITED | WNOWAIT), &i, pid);
  show("exit, only stops asked for", waitid(P_PID, pid, &i, WSTOPPED | WNOHANG), &i, pid);
  show("exit", waitid(P_PID, pid, &i, WEXITED), &i, pid);
  show("gone", waitid(P_PID, pid, &i, WEXITED), &i, pid);
  pid = child(1000 + SIGTERM);
  show("killed", waitid(P_PID, pid, &i, WEXITED), &i, pid);
  pid = child(-1);
  show("nothing yet", waitid(P_PID, pid, &i, WEXITED | WNOHANG), &i, pid);
  kill(pid, SIGSTOP);
  show("stopped, kept", waitid(P_ALL, 0, &i, WSTOPPED | WNOWAIT), &i, pid);
  show("stopped", waitid(P_PGID, getpgrp(), &i, WSTOPPED), &i, pid);
  show("stopped, taken", waitid(P_PID, pid, &i, WSTOPPED | WNOHANG), &i, pid);
  kill(pid, SIGCONT);
  show("continued, kept", waitid(P_PGID, 0, &i, WCONTINUED | WNOWAIT), &i, pid);
  show("continued", waitid(P_PID, pid, &i, WCONTINUED), &i, pid);
  show("continued, taken", waitid(P_PID, pid, &i, WCONTINUED | WNOHANG), &i, pid);
  kill(pid, SIGSTOP), waitid(P_PID, pid, &i, WSTOPPED);
  kill(pid, SIGKILL);
  show("killed while stopped", waitid(P_PID, pid, &i, WEXITED | WSTOPPED | WCONTINUED), &i, pid);
  pid = child(-1);
  kill(pid, SIGTSTP), kill(pid, SIGCONT), kill(pid, SIGKILL);
  printf("wait4 %d", wait4(pid, &status, 0, 0) == pid), printf(" %x\n", status);
  pid = child(3);
  printf("no status %d\n", waitpid(pid, 0, 0) == pid);
}

static void core(void) {
  int status;
  siginfo_t i = {0};
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  pid_t pid = child(1000 + SIGQUIT);
  waitpid(pid, &status, 0);
  printf("no core wanted: %x\n", status);
  pid = child(1000 + SIGABRT);
  show("abort", waitid(P_PID, pid, &i, WEXITED), &i, pid);
}

static void refusals(void) {
  siginfo_t i;
  int status;
  SAY(waitid(P_ALL, 0, &i, WEXITED));
  SAY(waitid(P_ALL, 0, &i, 0));
  SAY(waitid(P_ALL, 0, &i, WNOHANG));
  SAY(waitid(P_ALL, 0, &i, WEXITED | 0x100));
  SAY(waitid(77, 0, &i, WEXITED));
  SAY(waitid(P_PID, 0, &i, WEXITED));
  SAY(waitid(P_PID, -1, &i, WEXITED));
  SAY(waitid(P_PGID, -1, &i, WEXITED));
  SAY(waitid(P_PIDFD, -1, &i, WEXITED));
  SAY(waitid(P_PIDFD, 99, &i, WEXITED));
  SAY(waitid(P_PIDFD, 0, &i, WEXITED));
  SAY(wait4(-1, &status, 0, 0));
  SAY(wait4(-1, &status, 0x100, 0));
  SAY(wait4(-1, &status, WEXITED, 0));
  SAY(wait4(0x80000000, &status, 0, 0));
  SAY(wait4(1, &status, 0, 0));
  SAY(wait4(getpid(), &status, 0, 0));
  pid_t pid = child(5);
  SAY(wait4(-(getpgrp() + 12345), &status, 0, 0));
  waitid(P_PID, pid, &i, WEXITED | WNOWAIT);
  SAY(syscall(SYS_wait4, pid, 16, 0, 0)); // taken all the same
  SAY(wait4(pid, &status, 0, 0));
  pid = child(5);
  waitid(P_PID, pid, &i, WEXITED | WNOWAIT);
  SAY(syscall(SYS_waitid, P_PID, pid, 16, WEXITED, 0));
  SAY(wait4(pid, &status, 0, 0));
  pid = child(6);
  SAY(syscall(SYS_waitid, P_PID, pid, 0, WEXITED, 0));
  pid = child(-1);
  i.si_pid = 5, i.si_signo = 5;
  SAY(waitid(P_PID, pid, &i, WEXITED | WNOHANG));
  printf("zeroed %d %d\n", i.si_pid, i.si_signo);
  SAY(waitpid(pid, &status, WNOHANG));
  kill(pid, SIGKILL), waitpid(pid, &status, 0);
}

// ---- SIGCHLD ----

static volatile siginfo_t heard[8];
static volatile int times;
static void hear(int signo, siginfo_t *i, void *u) { heard[times++ % 8] = *i; }
static void until(int n) {
  while (times < n) nap(1);
}
static void heard_of(const char *name, pid_t pid) {
  siginfo_t i = heard[(times - 1) % 8];
  printf("%s: %d times, %s, status %d, pid %d, uid %d\n", name, times, codes[i.si_code % 7], i.si_status, i.si_pid == pid, i.si_uid == getuid());
  times = 0;
}
static void news(void) {
  struct sigaction sa = {.sa_sigaction = hear, .sa_flags = SA_SIGINFO | SA_RESTART};
  int status;
  sigaction(SIGCHLD, &sa, 0);
  pid_t pid = child(-1);
  kill(pid, SIGSTOP), until(1), heard_of("stop", pid);
  kill(pid, SIGCONT), until(1), heard_of("continue", pid);
  kill(pid, SIGTERM), until(1), heard_of("kill", pid);
  waitpid(pid, &status, 0);
  pid = child(9), until(1), heard_of("exit", pid), waitpid(pid, 0, 0);
  sa.sa_flags |= SA_NOCLDSTOP;
  sigaction(SIGCHLD, &sa, 0);
  pid = child(-1);
  kill(pid, SIGSTOP), waitpid(pid, &status, WUNTRACED), kill(pid, SIGCONT), waitpid(pid, &status, WCONTINUED);
  printf("SA_NOCLDSTOP: %d\n", times);
  kill(pid, SIGKILL), until(1), heard_of("kill", pid), waitpid(pid, 0, 0);
  sa.sa_flags = SA_SIGINFO | SA_NOCLDWAIT;
  sigaction(SIGCHLD, &sa, 0);
  pid = child(4), until(1), heard_of("SA_NOCLDWAIT", pid);
  SAY(waitpid(pid, &status, 0));
  signal(SIGCHLD, SIG_IGN);
  pid = child(4);
  SAY(waitpid(pid, &status, 0)); // blocks till it is gone
  signal(SIGCHLD, SIG_DFL);
  pid = child(4);
  printf("default %d", waitpid(pid, &status, 0) == pid), printf(" %x\n", status);
}

// ---- interrupted waits ----

static void nothing(int signo) {}
static void interrupted(void) {
  struct sigaction sa = {.sa_handler = nothing};
  siginfo_t i;
  sigaction(SIGALRM, &sa, 0);
  pid_t pid = child(-1);
  ualarm(20000, 0);
  SAY(waitpid(pid, 0, 0));
  ualarm(20000, 0);
  SAY(waitid(P_ALL, 0, &i, WEXITED));
  kill(pid, SIGKILL), waitpid(pid, 0, 0);
}

// ---- orphaned groups, lost parents ----

static void orphans(void) {
  int p[2], sync[2];
  char c = 0;
  pipe(p), pipe(sync);
  if (fork() == 0) { // in a group of its own, with a stopped member whose parent ends
    setpgid(0, 0);
    pid_t pid = fork();
    if (pid == 0) {
      struct sigaction sa = {.sa_handler = nothing};
      sigset_t set;
      sigemptyset(&set), sigaddset(&set, SIGHUP), sigaddset(&set, SIGCONT), sigprocmask(SIG_BLOCK, &set, 0);
      raise(SIGSTOP);
      sigpending(&set);
      c = sigismember(&set, SIGHUP) + 2 * sigismember(&set, SIGCONT) + '0';
      write(p[1], &c, 1);
      kill(getpid(), SIGTSTP); // no effect in an orphaned group
      c = 'r', write(p[1], &c, 1);
      _exit(0);
    }
    waitpid(pid, 0, WUNTRACED);
    _exit(0);
  }
  wait(0);
  close(p[1]);
  while (read(p[0], &c, 1) == 1) printf("orphan says %c\n", c);
  close(p[0]), pipe(p);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  pid_t self = getpid();
  if (fork() == 0) {
    if (fork() == 0) {
      while (getppid() != self) nap(1);
      _exit(21);
    }
    _exit(20);
  }
  int a, b;
  wait(&a), wait(&b);
  printf("subreaper: %d %d\n", WEXITSTATUS(a), WEXITSTATUS(b));
  SAY(wait(0));
  if (fork() == 0) {
    if (fork() == 0) {
      prctl(PR_SET_PDEATHSIG, SIGUSR1);
      signal(SIGUSR1, SIG_DFL);
      write(p[1], "x", 1);
      for (;;) pause();
    }
    read(p[0], &c, 1);
    _exit(0);
  }
  wait(&a), wait(&b);
  printf("parent's death: %x %x\n", a, b);
  prctl(PR_SET_CHILD_SUBREAPER, 0);
}

int main(void) {
  states();
  core();
  refusals();
  news();
  interrupted();
  orphans();
  return 0;
}
