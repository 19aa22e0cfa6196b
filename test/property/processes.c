// Process trees with signals, driven by a script on stdin. The root makes agents fork, signal, stop, wait and so on, one command at a time;
// after each it waits until nothing moves any more, then prints what every agent has seen and how it stands. So the output depends on the
// script alone, not on who ran first: agents are known by number, signals that may or may not merge are told once.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define AGENTS 10
static struct agent {
  atomic_int pid, busy, told, children; // told: bytes of text; children: SIGCHLD came
  char text[2000];
} *agents;
static int pipes[AGENTS][2], self;

static int number(int pid) {
  for (int i = 0; i < AGENTS; i++)
    if (agents[i].pid == pid) return i;
  return pid == 0 ? 0 : -1;
}
static void tell(const char *format, ...) {
  struct agent *a = &agents[self];
  va_list args;
  va_start(args, format);
  int room = sizeof a->text - a->told, n = vsnprintf(a->text + a->told, room, format, args);
  a->told += n < room ? n : room - 1;
  va_end(args);
}
static void result(long r) { r < 0 ? tell(" %s", strerrorname_np(errno)) : tell(" %ld", r); }

static void handler(int s, siginfo_t *i, void *u) {
  int error = errno;
  if (s == SIGCHLD) agents[self].children = 1;
  else tell(" [%d code %d from %d value %d]", s, i->si_code, i->si_code <= 0 ? number(i->si_pid) : -1, i->si_code == SI_QUEUE ? i->si_value.sival_int : 0);
  errno = error;
}

// ---- what an agent does ----

static void agent(int k);
static void told_status(int pid, int status) {
  tell(" %d", number(pid));
  if (WIFEXITED(status)) tell(" exited %d", WEXITSTATUS(status));
  else if (WIFSIGNALED(status)) tell(" killed %d", WTERMSIG(status));
  else if (WIFSTOPPED(status)) tell(" stopped %d", WSTOPSIG(status));
  else tell(" continued");
}
static int pid_of(int k) { return k < 0 || k >= AGENTS || !agents[k].pid ? 99999999 : agents[k].pid; }
static void carry_out(char *line) {
  char what[20] = "";
  int a = 0, b = 0, c = 0, status = 0, r;
  sscanf(line, "%*d %19s %d %d %d", what, &a, &b, &c);
  sigset_t set;
  sigemptyset(&set);
  if (!strcmp(what, "fork")) { // a: number of the new one, below 1000; b: exit signal
    if (agents[a].pid) return tell(" there");
    r = syscall(SYS_clone, b, 0, 0, 0, 0);
    if (r == 0) agent(a);
    agents[a].pid = r;
    tell(" born %d", a);
  } else if (!strcmp(what, "kill")) result(kill(a >= 100 ? -pid_of(a - 100) : pid_of(a), b));
  else if (!strcmp(what, "group")) result(kill(0, b));
  else if (!strcmp(what, "queue")) result(sigqueue(pid_of(a), b, (union sigval){.sival_int = c}));
  else if (!strcmp(what, "tgkill")) result(tgkill(pid_of(a), pid_of(a), b));
  else if (!strcmp(what, "exit")) _exit(a);
  else if (!strcmp(what, "wait")) { // a: whom, -1 anybody, 100 + k a group; b: options
    r = waitpid(a < 0 ? -1 : a >= 100 ? -pid_of(a - 100) : pid_of(a), &status, b);
    if (r > 0) told_status(r, status);
    else result(r);
  } else if (!strcmp(what, "waitid")) {
    siginfo_t i = {0};
    r = waitid(a < 0 ? P_ALL : P_PID, a < 0 ? 0 : pid_of(a), &i, b);
    result(r);
    if (r == 0 && i.si_pid) tell(" %d code %d status %d", number(i.si_pid), i.si_code, i.si_status);
  } else if (!strcmp(what, "action")) { // b: 0 default, 1 ignore, 2 handler, 3 with SA_RESTART, 4 SA_NOCLDSTOP, 5 SA_NOCLDWAIT, 6 SA_RESETHAND
    struct sigaction sa = {.sa_flags = SA_SIGINFO | (b == 3 ? SA_RESTART : b == 4 ? SA_NOCLDSTOP : b == 5 ? SA_NOCLDWAIT : b == 6 ? SA_RESETHAND : 0)};
    sigfillset(&sa.sa_mask);
    if (b < 2) sa.sa_flags = 0, sa.sa_handler = b ? SIG_IGN : SIG_DFL;
    else sa.sa_sigaction = handler;
    result(sigaction(a, &sa, 0));
  } else if (!strcmp(what, "block")) sigaddset(&set, a), result(sigprocmask(b, &set, 0));
  else if (!strcmp(what, "suspend")) sigaddset(&set, a), result(sigsuspend(&set));
  else if (!strcmp(what, "pause")) result(pause());
  else if (!strcmp(what, "take")) {
    struct timespec none = {0, 0};
    sigaddset(&set, a);
    result(sigtimedwait(&set, 0, b ? 0 : &none));
  } else if (!strcmp(what, "setpgid")) result(setpgid(pid_of(a), pid_of(b)));
  else if (!strcmp(what, "setsid")) result(setsid() < 0 ? -1 : 0);
  else if (!strcmp(what, "pdeathsig")) result(prctl(PR_SET_PDEATHSIG, a));
  else if (!strcmp(what, "subreaper")) result(prctl(PR_SET_CHILD_SUBREAPER, a));
}
static void agent(int k) {
  char line[64], c;
  self = k;
  agents[k].pid = getpid();
  for (;;) {
    int n = 0;
    agents[k].busy = 0;
    do { // byte by byte: a signal may come in between
      while (read(pipes[k][0], &c, 1) != 1) {}
      line[n++] = c;
    } while (c != '\n' && n < 63);
    line[n] = 0;
    carry_out(line);
  }
}

// ---- the root ----

static int letter(int k) {
  char path[40], state = 0;
  snprintf(path, sizeof path, "/proc/%d/stat", agents[k].pid);
  FILE *f = fopen(path, "r");
  if (!f) return 0;
  if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1) state = 0;
  fclose(f);
  return state;
}
static int snapshot(char *to) {
  int still = 1;
  for (int k = 1; k < AGENTS; k++) {
    int unread = 0, state = agents[k].pid ? letter(k) : '-';
    ioctl(pipes[k][0], FIONREAD, &unread);
    to[k] = state;
    if (state == 'R' || state == 'D' || (state == 'S' && unread)) still = 0;
  }
  return still;
}
/* Until nobody moves. */
static void settle(void) {
  char now[AGENTS], was[AGENTS] = {0};
  struct timespec moment = {0, 300000};
  for (int same = 0, n = 0; same < 2; n++) {
    int still = snapshot(now);
    same = still && !memcmp(now + 1, was + 1, AGENTS - 1) ? same + 1 : 0;
    memcpy(was, now, sizeof was);
    if (n > 20000) printf("never settles\n"), fflush(stdout), abort();
    nanosleep(&moment, 0);
  }
}
static void show(int k) {
  char path[40], line[200];
  int ppid = 0, pgrp = 0, session = 0, state = letter(k);
  if (!agents[k].pid) return;
  int lives = state && state != 'Z'; // what the dying have still said depends on who was quicker
  if (lives && (agents[k].told || agents[k].children)) printf("  %d:%.*s%s\n", k, agents[k].told, agents[k].text, agents[k].children ? " [child]" : "");
  agents[k].told = agents[k].children = 0;
  if (!state) return printf("  %d gone\n", k), (void)0;
  snprintf(path, sizeof path, "/proc/%d/stat", agents[k].pid);
  FILE *f = fopen(path, "r");
  if (f && fscanf(f, "%*d (%*[^)]) %*c %d %d %d", &ppid, &pgrp, &session) == 3) printf("  %d %c parent %d group %d session %d", k, state, number(ppid), number(pgrp), number(session));
  if (f) fclose(f);
  snprintf(path, sizeof path, "/proc/%d/status", agents[k].pid), f = state == 'Z' ? 0 : fopen(path, "r"); // a zombie's sets are nobody's
  while (f && fgets(line, sizeof line, f))
    if (!strncmp(line, "Sig", 3) && strncmp(line, "SigQ", 4) || !strncmp(line, "ShdPnd", 6)) {
      unsigned long long set = 0;
      char name[8];
      sscanf(line, "%7[^:]: %llx", name, &set);
      if (set) printf(" %s %llx", name, set);
    }
  if (f) fclose(f);
  printf("\n");
}
int main(void) {
  char line[64];
  agents = mmap(0, AGENTS * sizeof *agents, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  for (int k = 0; k < AGENTS; k++) pipe(pipes[k]);
  int root = fork(), status;
  if (root > 0) return waitpid(root, &status, 0) == root ? status >> 8 | status & 0x7f : 99;
  setsid(), prctl(PR_SET_CHILD_SUBREAPER, 1);
  agents[0].pid = getpid();
  for (int k = 1; k <= 2; k++) {
    int pid = fork();
    if (pid == 0) setpgid(0, 0), agent(k);
    agents[k].pid = pid;
  }
  settle();
  while (fgets(line, sizeof line, stdin)) {
    int k = atoi(line), state;
    printf("%s", line);
    if (k == 0) self = 0, carry_out(line);
    else if (k < AGENTS && agents[k].pid && letter(k) == 'S' && !agents[k].busy) agents[k].busy = 1, write(pipes[k][1], line, strlen(line));
    else printf("  not now\n");
    settle();
    if (agents[0].told) printf("  0:%.*s\n", agents[0].told, agents[0].text), agents[0].told = 0;
    for (int i = 1; i < AGENTS; i++) show(i);
    fflush(stdout);
  }
  for (int k = 1; k < AGENTS; k++)
    if (agents[k].pid && letter(k)) kill(agents[k].pid, SIGKILL);
  while (wait(0) > 0 || errno == EINTR) {}
  return 0;
}
