// Ids, groups and capabilities: every set*id by its rules, what goes with root's ids, capget and capset, bounding and ambient sets,
// securebits, and what prctl keeps. Starts with whatever privileges there are and prints no more than follows from Linux's rules.
#define _GNU_SOURCE
#include "report.h"
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define A 10001
#define B 10002
#define C 10003
static void ids(const char *what) {
  uid_t r, e, s;
  getresuid(&r, &e, &s);
  printf("%s: %d %d %d fs %d; ", what, r, e, s, setfsuid(-1));
  gid_t g, h, i;
  getresgid(&g, &h, &i);
  printf("%d %d %d fs %d\n", g, h, i, setfsgid(-1));
}
static uint64_t effective, permitted, inheritable;
static long get(pid_t pid) {
  struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, pid};
  struct __user_cap_data_struct d[2];
  long r = syscall(SYS_capget, &h, d);
  effective = d[0].effective | (uint64_t)d[1].effective << 32, permitted = d[0].permitted | (uint64_t)d[1].permitted << 32;
  inheritable = d[0].inheritable | (uint64_t)d[1].inheritable << 32;
  return r;
}
static long set(uint64_t e, uint64_t p, uint64_t i) {
  struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct d[2] = {{e, p, i}, {e >> 32, p >> 32, i >> 32}};
  return syscall(SYS_capset, &h, d);
}
#define HAS(set, cap) ((int)((set) >> (cap) & 1))
static void caps(const char *what) {
  get(0);
  printf("%s: effective %d%d, permitted %d%d\n", what, HAS(effective, CAP_SETUID), HAS(effective, CAP_KILL), HAS(permitted, CAP_SETUID), HAS(permitted, CAP_KILL));
}
/* Runs f in a child of its own. */
static void in_child(const char *what, void (*f)(void)) {
  printf("-- %s\n", what);
  pid_t pid = fork();
  int status;
  if (pid == 0) f(), _exit(0);
  waitpid(pid, &status, 0);
  if (status) printf("status %x\n", status);
}

static void as_root(void) {
  ids("root");
  SAY(setresuid(A, B, C));
  ids("setresuid");
  SAY(setresuid(B, -1, -1));
  SAY(setresuid(-1, 12345, -1));
  SAY(setresuid(-1, -1, 0));
  SAY(setreuid(-1, C));
  ids("setreuid to the saved id");
  SAY(setreuid(0, 0));
  SAY(setuid(0));
  SAY(setuid(B));
  ids("setuid");
  SAY(setresgid(-1, 5, -1));
  SAY(setgroups(0, 0));
}
static void setuid_root(void) {
  SAY(setuid(-1));
  SAY(setuid(A));
  ids("setuid as root sets all");
  SAY(setuid(0));
}
static void setreuid_root(void) {
  SAY(setreuid(A, B));
  ids("setreuid sets the saved id");
  SAY(setreuid(B, A));
  ids("exchanged");
  SAY(setreuid(-1, -1));
  SAY(setreuid(C, -1));
}
static void seteuid_back(void) {
  SAY(seteuid(A));
  ids("seteuid");
  caps("without effective root");
  SAY(setuid(B));
  SAY(seteuid(0));
  caps("root again");
}
static void groups(void) {
  gid_t list[4] = {30, 10, 20, 10}, got[8];
  SAY(setgroups(4, list));
  int n = getgroups(8, got);
  printf("groups %d:", n);
  for (int i = 0; i < n; i++) printf(" %d", got[i]);
  printf("\n");
  SAY(getgroups(0, 0));
  SAY(getgroups(3, got));
  SAY(getgroups(-1, got));
  SAY(syscall(SYS_getgroups, 8, 16));
  SAY(syscall(SYS_setgroups, 1, 16));
  SAY(syscall(SYS_setgroups, 65537, list));
  SAY(syscall(SYS_setgroups, -1, list));
  SAY(setgroups(0, 0));
  SAY(getgroups(0, 0));
  SAY(setresgid(A, B, C));
  ids("setresgid");
  SAY(setregid(C, A));
  ids("setregid");
  SAY(setgid(B));
  SAY(setgid(-1));
  ids("setgid");
  SAY(syscall(SYS_getresuid, 16, got, got));
  SAY(syscall(SYS_getresgid, got, got, 16));
}
static void fs_ids(void) {
  printf("setfsuid %d", setfsuid(A));
  printf(" %d", setfsuid(-1));
  get(0);
  printf(", dac_override %d", HAS(effective, CAP_DAC_OVERRIDE));
  printf(", back %d", setfsuid(0));
  get(0);
  printf(", dac_override %d\n", HAS(effective, CAP_DAC_OVERRIDE));
  SAY(setresuid(A, A, A));
  printf("not root's: %d", setfsuid(0));
  printf(" %d\n", setfsuid(-1));
}

// ---- capabilities ----

static void headers(void) {
  struct __user_cap_header_struct h = {0x12345678, 0};
  struct __user_cap_data_struct d[2];
  SAY(syscall(SYS_capget, &h, d));
  printf("preferred version %x\n", h.version);
  h.version = 0x12345678;
  SAY(syscall(SYS_capget, &h, 0));
  h.version = 0x12345678;
  SAY(syscall(SYS_capset, &h, d));
  h.version = _LINUX_CAPABILITY_VERSION_3;
  SAY(syscall(SYS_capget, &h, 0));
  h.pid = -1;
  SAY(syscall(SYS_capget, &h, d));
  h.pid = 99999999;
  SAY(syscall(SYS_capget, &h, d));
  h.pid = getppid();
  SAY(syscall(SYS_capget, &h, d));
  SAY(syscall(SYS_capset, &h, d));
  SAY(syscall(SYS_capget, 16, d));
  SAY(syscall(SYS_capget, &(struct __user_cap_header_struct){_LINUX_CAPABILITY_VERSION_3, 0}, 16));
  SAY(syscall(SYS_capset, &(struct __user_cap_header_struct){_LINUX_CAPABILITY_VERSION_3, 0}, 16));
  h.version = _LINUX_CAPABILITY_VERSION_1, h.pid = 0;
  SAY(syscall(SYS_capget, &h, d));
}
static void dropping(void) {
  uint64_t kill_ = 1ull << CAP_KILL, setuid_ = 1ull << CAP_SETUID;
  get(0);
  SAY(set(effective, permitted, inheritable));
  SAY(set(kill_ | setuid_, kill_ | setuid_, 0));
  caps("two");
  SAY(set(kill_, kill_, 0));
  SAY(set(kill_ | setuid_, kill_, 0));
  SAY(set(kill_, kill_ | setuid_, 0));
  SAY(set(0, kill_, kill_));
  SAY(set(0, kill_, kill_ | setuid_));
  caps("permitted only");
  SAY(setuid(A));
  SAY(kill(getppid(), 0));
  SAY(set(kill_, kill_, 0));
  SAY(prctl(PR_CAPBSET_DROP, CAP_KILL));
  SAY(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT));
}
static void leaving_root(void) {
  caps("root");
  SAY(setresuid(A, A, A));
  caps("all ids changed");
}
static void keeping(void) {
  SAY(prctl(PR_GET_KEEPCAPS));
  SAY(prctl(PR_SET_KEEPCAPS, 1));
  SAY(prctl(PR_SET_KEEPCAPS, 2));
  SAY(setresuid(A, A, A));
  caps("kept");
  SAY(set(permitted, permitted, 0));
  caps("raised");
  SAY(prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS_LOCKED));
  SAY(prctl(PR_SET_KEEPCAPS, 1));
}
static void bounding(void) {
  SAY(prctl(PR_CAPBSET_READ, CAP_KILL));
  SAY(prctl(PR_CAPBSET_READ, 63));
  SAY(prctl(PR_CAPBSET_READ, -1));
  SAY(prctl(PR_CAPBSET_DROP, 63));
  SAY(prctl(PR_CAPBSET_DROP, CAP_KILL));
  SAY(prctl(PR_CAPBSET_READ, CAP_KILL));
  caps("dropped from the bounding set");
  get(0);
  SAY(set(effective, permitted, 1ull << CAP_KILL));
  SAY(prctl(PR_GET_SECUREBITS));
  SAY(prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED));
  SAY(prctl(PR_GET_SECUREBITS));
  SAY(prctl(PR_SET_SECUREBITS, 0));
  SAY(prctl(PR_SET_SECUREBITS, 0x10000));
  SAY(setresuid(A, A, A));
  caps("no fixup");
}
static void ambient(void) {
  uint64_t kill_ = 1ull << CAP_KILL;
  SAY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
  get(0);
  SAY(set(effective, permitted, kill_));
  SAY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
  SAY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0));
  SAY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 63, 0, 0));
  SAY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 1, 0));
  SAY(prctl(PR_CAP_AMBIENT, 9, CAP_KILL, 0, 0));
  SAY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_KILL, 0, 0));
  SAY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0));
  SAY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_KILL, 0, 0));
  SAY(set(effective, permitted, 0));
  SAY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_KILL, 0, 0));
  SAY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
  SAY(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 1, 0, 0));
}

// ---- signals between users ----

static void nothing(int s) {}
static void killing(void) {
  int ready[2], alive[2]; // who lives as long as the latter is open
  char c;
  pipe(ready), pipe(alive);
  pid_t pid = fork();
  if (pid == 0) close(alive[1]), read(alive[0], &c, 1), _exit(0);
  pid_t other = fork();
  if (other == 0) {
    if (setresuid(A, B, C)) {}
    close(alive[1]), write(ready[1], "x", 1), read(alive[0], &c, 1), _exit(0);
  }
  read(ready[0], &c, 1);
  if (setresuid(B, A, A)) {}
  SAY(kill(pid, 0));
  SAY(kill(pid, SIGCONT)); // in the same session
  SAY(kill(other, 0));
  SAY(kill(-1, 0) == 0 || errno == EPERM);
  pid_t self = getpid();
  if (fork() == 0) {
    close(alive[1]);
    if (setresuid(12345, 12345, 12345)) {}
    SAY(kill(self, 0));
    _exit(0);
  }
  wait(0);
  SAY(kill(other, SIGKILL));
  waitpid(other, 0, 0);
}
static void not_dumpable(void) {
  printf("dumpable %d", prctl(PR_GET_DUMPABLE));
  prctl(PR_SET_PDEATHSIG, SIGUSR1);
  if (setresuid(A, A, A)) {}
  int s = -1;
  prctl(PR_GET_PDEATHSIG, &s);
  printf(", after a change of ids %d, parent's death %d\n", prctl(PR_GET_DUMPABLE), s);
  SAY(prctl(PR_SET_DUMPABLE, 1));
  SAY(prctl(PR_SET_DUMPABLE, 2));
  SAY(prctl(PR_GET_DUMPABLE));
}

int main(void) {
  if (getuid()) return puts("not root"), 0;
  if (setresgid(0, 0, 0) || setgroups(0, 0)) {}
  in_child("setresuid", as_root), in_child("setuid", setuid_root), in_child("setreuid", setreuid_root), in_child("seteuid", seteuid_back);
  in_child("groups", groups), in_child("fs ids", fs_ids);
  in_child("headers", headers), in_child("dropping", dropping), in_child("leaving root", leaving_root), in_child("keeping", keeping);
  in_child("bounding", bounding), in_child("ambient", ambient);
  in_child("killing", killing), in_child("dumpable", not_dumpable);
  return 0;
}
