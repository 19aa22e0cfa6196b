// prctl in full, thread names, personality, seccomp's refusals, getrandom, uname and host names, sysinfo: what is kept, inherited, refused.
#define _GNU_SOURCE
#include "report.h"
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_GET_MDWE 66
#endif
#define PRCTL(...) (errno = 0, say("prctl(" #__VA_ARGS__ ")", prctl(__VA_ARGS__)))
static void in_child(const char *what, void (*f)(void)) {
  printf("-- %s\n", what);
  pid_t pid = fork();
  int status;
  if (pid == 0) f(), _exit(0);
  waitpid(pid, &status, 0);
  if (status) printf("status %x\n", status);
}

static void options(void) {
  int n = 99;
  char name[16];
  PRCTL(PR_SET_PDEATHSIG, SIGUSR1);
  PRCTL(PR_GET_PDEATHSIG, &n);
  printf("signal %d\n", n);
  PRCTL(PR_SET_PDEATHSIG, 65);
  PRCTL(PR_SET_PDEATHSIG, -1);
  PRCTL(PR_GET_PDEATHSIG, 16);
  PRCTL(PR_SET_PDEATHSIG, 0);
  PRCTL(PR_GET_DUMPABLE);
  PRCTL(PR_SET_DUMPABLE, 2);
  PRCTL(PR_SET_DUMPABLE, 0);
  PRCTL(PR_GET_DUMPABLE);
  PRCTL(PR_SET_DUMPABLE, 1);
  PRCTL(PR_GET_KEEPCAPS);
  PRCTL(PR_SET_KEEPCAPS, 2);
  PRCTL(PR_GET_TIMING);
  PRCTL(PR_SET_TIMING, 0);
  PRCTL(PR_SET_TIMING, 1);
  PRCTL(PR_SET_NAME, "a name of more than fifteen");
  PRCTL(PR_GET_NAME, name);
  printf("name %s\n", name);
  PRCTL(PR_SET_NAME, 16);
  PRCTL(PR_GET_NAME, 16);
  PRCTL(PR_GET_TSC, &n);
  printf("tsc %d\n", n);
  PRCTL(PR_GET_TSC, 16);
  PRCTL(PR_SET_TSC, 77);
  PRCTL(PR_GET_SECUREBITS);
  PRCTL(PR_SET_TIMERSLACK, 1234);
  PRCTL(PR_GET_TIMERSLACK);
  PRCTL(PR_SET_TIMERSLACK, 0);
  PRCTL(PR_GET_TIMERSLACK);
  PRCTL(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 0, 0, 0);
  PRCTL(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0);
  PRCTL(PR_MCE_KILL_GET, 0, 0, 0, 0);
  PRCTL(PR_MCE_KILL, PR_MCE_KILL_SET, 7, 0, 0);
  PRCTL(PR_MCE_KILL, 7, 0, 0, 0);
  PRCTL(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 1, 0, 0);
  PRCTL(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 0, 1, 0);
  PRCTL(PR_MCE_KILL_GET, 1, 0, 0, 0);
  PRCTL(PR_SET_CHILD_SUBREAPER, 5);
  PRCTL(PR_GET_CHILD_SUBREAPER, &n);
  printf("subreaper %d\n", n);
  PRCTL(PR_GET_CHILD_SUBREAPER, 16);
  PRCTL(PR_SET_CHILD_SUBREAPER, 0);
  PRCTL(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
  PRCTL(PR_GET_NO_NEW_PRIVS, 1, 0, 0, 0);
  PRCTL(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0);
  PRCTL(PR_SET_NO_NEW_PRIVS, 2, 0, 0, 0);
  PRCTL(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0);
  PRCTL(PR_GET_THP_DISABLE, 0, 0, 0, 0);
  PRCTL(PR_GET_THP_DISABLE, 1, 0, 0, 0);
  PRCTL(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  PRCTL(PR_GET_THP_DISABLE, 0, 0, 0, 0);
  PRCTL(PR_SET_THP_DISABLE, 0, 0, 1, 0);
  PRCTL(PR_SET_THP_DISABLE, 0, 0, 0, 0);
  PRCTL(PR_GET_UNALIGN, &n);
  PRCTL(PR_GET_FPEMU, &n);
  PRCTL(PR_GET_FPEXC, &n);
  PRCTL(PR_GET_ENDIAN, &n);
  PRCTL(PR_SET_ENDIAN, 0);
  PRCTL(PR_GET_SPECULATION_CTRL, 99, 0, 0, 0);
  PRCTL(PR_SET_MDWE, 0x100, 0, 0, 0);
  PRCTL(PR_GET_MDWE, 1, 0, 0, 0);
  PRCTL(PR_GET_MDWE, 0, 0, 0, 0);
  PRCTL(PR_CAP_AMBIENT, 99, 0, 0, 0);
  PRCTL(12345);
  PRCTL(-1);
  char *p = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int r = prctl(PR_SET_VMA, 0, p, 8192, "a name"); // not everywhere
  printf("naming memory %d\n", r == 0 || errno == EINVAL);
  int *word;
  r = prctl(PR_GET_TID_ADDRESS, &word);
  printf("tid address %d\n", r == 0 ? *word == getpid() || *word == 0 : errno == EINVAL);
}
static void no_new_privs(void) {
  int status;
  PRCTL(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  PRCTL(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
  PRCTL(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0);
  pid_t pid = fork();
  if (pid == 0) _exit(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  waitpid(pid, &status, 0);
  printf("inherited %d\n", WEXITSTATUS(status));
}

// ---- names ----

static void *named(void *u) {
  char name[32], path[64], line[64] = "";
  prctl(PR_SET_NAME, "worker"), pthread_getname_np(pthread_self(), name, sizeof name);
  printf("own %s", name);
  snprintf(path, sizeof path, "/proc/self/task/%d/comm", gettid());
  int fd = open(path, O_RDONLY);
  read(fd, line, 63), close(fd);
  printf(", in /proc %s", line);
  return 0;
}
static void names(void) {
  pthread_t t;
  char name[32], line[64] = "";
  prctl(PR_SET_NAME, "leader");
  pthread_create(&t, 0, named, 0), pthread_join(t, 0);
  prctl(PR_GET_NAME, name), printf("leader's %s\n", name);
  int fd = open("/proc/self/comm", O_RDWR);
  write(fd, "by a file, and long", 19), lseek(fd, 0, SEEK_SET), read(fd, line, 63);
  prctl(PR_GET_NAME, name), printf("%s, %s", name, line);
  pthread_setname_np(pthread_self(), "set"), pthread_getname_np(pthread_self(), name, sizeof name);
  printf("%s, too long %d\n", name, pthread_setname_np(pthread_self(), "sixteen characters") == ERANGE);
}

// ---- personality ----

static void personalities(void) {
  SAY(personality(0xffffffff));
  SAY(personality(ADDR_NO_RANDOMIZE));
  SAY(personality(0xffffffff));
  int status;
  pid_t pid = fork();
  if (pid == 0) _exit(personality(0xffffffff) == ADDR_NO_RANDOMIZE);
  waitpid(pid, &status, 0);
  printf("inherited %d\n", WEXITSTATUS(status));
  SAY(personality(0));
}

// ---- seccomp ----

static void seccomps(void) {
  PRCTL(PR_GET_SECCOMP);
  PRCTL(PR_SET_SECCOMP, 99, 0);
}

// ---- random numbers, the machine ----

static void randoms(void) {
  unsigned char a[300] = {0}, b[300] = {0};
  SAY(getrandom(a, 300, 0));
  SAY(getrandom(b, 300, GRND_NONBLOCK));
  printf("different %d\n", memcmp(a, b, 300) != 0);
  SAY(getrandom(a, 16, GRND_RANDOM));
  SAY(getrandom(a, 16, GRND_INSECURE));
  SAY(getrandom(a, 16, GRND_RANDOM | GRND_INSECURE));
  SAY(getrandom(a, 16, 8));
  SAY(getrandom(a, 0, 0));
  SAY(syscall(SYS_getrandom, 16, 16, 0));
  unsigned char *big = malloc(1 << 20);
  SAY(getrandom(big, 1 << 20, 0));
  int zeros = 0;
  for (int i = 0; i < 1 << 20; i++) zeros += !big[i];
  printf("random to the end %d\n", zeros > 3000 && zeros < 6000);
}
static void machine(void) {
  struct utsname u;
  struct sysinfo s;
  char host[65], before[65];
  SAY(uname(&u));
  printf("%s %s, version %d, node %d\n", u.sysname, u.machine, u.release[0] >= '3', u.nodename[0] != 0);
  SAY(syscall(SYS_uname, 16));
  gethostname(host, sizeof host);
  printf("same name %d\n", strcmp(host, u.nodename) == 0);
  SAY(sysinfo(&s));
  printf("uptime %d, memory %d, free %d, processes %d, unit %d\n", s.uptime > 0, s.totalram > 0, s.freeram <= s.totalram, s.procs > 0, s.mem_unit > 0);
  SAY(syscall(SYS_sysinfo, 16));
  if (setresuid(54321, 54321, 54321)) {}
  SAY(sethostname("other", 5));
  SAY(syscall(SYS_sethostname, "other", -1));
  SAY(setdomainname("other", 5));
}

int main(void) {
  in_child("options", options), in_child("no_new_privs", no_new_privs), in_child("names", names), in_child("personality", personalities);
  in_child("seccomp", seccomps), in_child("random", randoms), in_child("machine", machine);
  return 0;
}
