// /proc as programs read it: the fields of stat and status, a process's own titles and memory, links and descriptors, threads, what may be
// written, and who may look. What depends on the system (numbers, addresses) is checked here and printed as true or false.
#include "check.h"
#include <ctype.h>
#include <elf.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/auxv.h>
#include <grp.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>

#define SAY(what, value) printf("%s: %ld\n", what, (long)(value))
static char text[1 << 20];

static int ERR_OPEN(const char *name) {
  int fd = open(name, O_RDWR);
  return fd < 0 ? errno : (close(fd), 0);
}

/** A whole file into `text`: its length, or -errno. */
static long slurp(const char *name) {
  int fd = open(name, O_RDONLY);
  if (fd < 0) return -errno;
  long n = 0, r;
  while ((r = read(fd, text + n, sizeof text - 1 - n)) > 0) n += r;
  if (r < 0) n = -errno;
  text[n < 0 ? 0 : n] = 0;
  close(fd);
  return n;
}
static const char *of(pid_t pid, const char *name) {
  static char path[64];
  if (pid > 0) snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  else snprintf(path, sizeof path, "/proc/self/%s", name);
  return path;
}
/** A line "name: value" of the file read last. */
static const char *field(const char *name) {
  static char line[1024];
  size_t n = strlen(name);
  for (char *p = text; p != NULL; p = strchr(p, '\n'), p += p != NULL) {
    if (strncmp(p, name, n) != 0 || p[n] != ':') continue;
    p += n + 1;
    while (*p == '\t' || *p == ' ') p++;
    snprintf(line, sizeof line, "%.*s", (int)strcspn(p, "\n"), p);
    return line;
  }
  return "none";
}
/** Field k of stat, counted from 1 as proc(5) does. */
static unsigned long long stat_field(pid_t pid, int k) {
  if (slurp(of(pid, "stat")) < 0) return 0;
  char *p = strrchr(text, ')') + 1;
  for (int i = 3; i < k; i++) p = strchr(p + 1, ' ');
  return strtoull(p, NULL, 10);
}
static char state_of(pid_t pid) {
  return slurp(of(pid, "stat")) < 0 ? '-' : strrchr(text, ')')[2];
}
static void quote(const char *what, const char *s, long n) {
  printf("%s: %ld \"", what, n);
  for (long i = 0; i < n; i++) s[i] >= 32 && s[i] < 127 ? putchar(s[i]) : printf("\\%o", s[i] & 255);
  puts("\"");
}
static void until_state(pid_t pid, char state) {
  while (state_of(pid) != state) usleep(1000);
}
static pid_t sleeper(void) {
  pid_t pid = fork();
  if (pid == 0) alarm(30), pause(), _exit(0);
  until_state(pid, 'S');
  return pid;
}
static void end(pid_t pid) {
  kill(pid, SIGKILL), waitpid(pid, NULL, 0);
}

static void nothing(int signo) {}
static void stat_and_status(void) {
  prctl(PR_SET_NAME, "a (b) c)");
  SAY("pid", stat_field(0, 1) == 0 && atoi(text) == getpid());
  slurp(of(0, "stat")), quote("name", strchr(text, '('), strrchr(text, ')') + 1 - strchr(text, '('));
  SAY("state", state_of(0)), SAY("ppid", stat_field(0, 4) == getppid()), SAY("pgrp", stat_field(0, 5) == getpgrp()), SAY("session", stat_field(0, 6) == getsid(0));
  SAY("threads", stat_field(0, 20)), SAY("nice", stat_field(0, 19)), SAY("priority", stat_field(0, 18)), SAY("exit signal", stat_field(0, 38));
  setpriority(PRIO_PROCESS, 0, 5), SAY("nice", stat_field(0, 19)), SAY("priority", stat_field(0, 18));
  struct timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  unsigned long long start = stat_field(0, 22);
  SAY("started", start <= now.tv_sec * 100 + 100 && start + 6000 > now.tv_sec * 100);
  SAY("size", stat_field(0, 23) >= stat_field(0, 24) * 4096 && stat_field(0, 24) > 10);
  int local;
  SAY("code", stat_field(0, 26) <= (uintptr_t)stat_and_status && (uintptr_t)stat_and_status < stat_field(0, 27));
  SAY("stack", stat_field(0, 28) > (uintptr_t)&local), SAY("data", stat_field(0, 45) < stat_field(0, 46)), SAY("brk", stat_field(0, 47) <= (uintptr_t)sbrk(0));
  SAY("arguments", stat_field(0, 48) < stat_field(0, 49) && stat_field(0, 49) == stat_field(0, 50) && stat_field(0, 50) < stat_field(0, 51));
  unsigned long size, resident, shared;
  slurp(of(0, "statm")), SAY("statm", sscanf(text, "%lu %lu %lu", &size, &resident, &shared)), SAY("sizes", size > resident && resident > shared);
  SAY("the same", size * 4096 == stat_field(0, 23));

  slurp(of(0, "status"));
  printf("%s %s %s\n", field("Name"), field("Umask"), field("State"));
  SAY("tgid", atoi(field("Tgid")) == getpid()), SAY("tracer", atoi(field("TracerPid"))), SAY("kernel thread", atoi(field("Kthread")));
  unsigned long peak = atol(field("VmPeak")), now_size = atol(field("VmSize")), rss = atol(field("VmRSS"));
  SAY("sizes", peak >= now_size && now_size > rss && rss == (unsigned long)atol(field("RssAnon")) + atol(field("RssFile")) + atol(field("RssShmem")));
  printf("threads %s, seccomp %s, privileges %s\n", field("Threads"), field("Seccomp"), field("NoNewPrivs"));
  sigset_t set;
  sigemptyset(&set), sigaddset(&set, SIGUSR1), sigaddset(&set, SIGUSR2), sigaddset(&set, SIGRTMIN), sigprocmask(SIG_BLOCK, &set, NULL);
  signal(SIGHUP, SIG_IGN), signal(SIGTERM, nothing);
  kill(getpid(), SIGUSR1), syscall(SYS_tgkill, getpid(), getpid(), SIGUSR2), sigqueue(getpid(), SIGRTMIN, (union sigval){1}), sigqueue(getpid(), SIGRTMIN, (union sigval){2});
  slurp(of(0, "status"));
  printf("pending %s shared %s blocked %s ", field("SigPnd"), field("ShdPnd"), field("SigBlk"));
  printf("ignored %s caught %s\n", field("SigIgn"), field("SigCgt"));
  printf("in stat: %llx %llx %llx %llx\n", stat_field(0, 31), stat_field(0, 32), stat_field(0, 33), stat_field(0, 34));
  signal(SIGUSR1, SIG_IGN), signal(SIGUSR2, SIG_IGN), signal(SIGRTMIN, SIG_IGN), sigprocmask(SIG_UNBLOCK, &set, NULL);
  umask(027), slurp(of(0, "status")), puts(field("Umask")), umask(022);
  if (geteuid() == 0) {
    pid_t pid = fork();
    if (pid == 0) {
      gid_t groups[] = {7, 9, 3};
      setgroups(3, groups), setresgid(11, 12, 13), setresuid(21, 22, 23), setfsuid(21);
      slurp("/proc/self/status"), printf("uid %s gid ", field("Uid")), printf("%s groups %s\n", field("Gid"), field("Groups"));
      printf("capabilities %s %s ", field("CapPrm"), field("CapEff")), printf("%s\n", field("CapInh"));
      fflush(stdout), _exit(0);
    }
    waitpid(pid, NULL, 0);
  }
  pid_t pid = sleeper();
  until_state(pid, 'S'), puts("sleeping");
  kill(pid, SIGSTOP), until_state(pid, 'T'), slurp(of(pid, "status")), puts(field("State"));
  kill(pid, SIGCONT), until_state(pid, 'S'), kill(pid, SIGKILL), until_state(pid, 'Z'), slurp(of(pid, "status")), puts(field("State"));
  SAY("size of a zombie", stat_field(pid, 23)), SAY("its status", stat_field(pid, 52));
  printf("VmSize %s\n", (slurp(of(pid, "status")), field("VmSize")));
  SAY("its command", slurp(of(pid, "cmdline"))), SAY("its maps", slurp(of(pid, "maps")));
  char link[64];
  SAY("its image", readlink(of(pid, "exe"), link, 63) < 0 ? errno : 0), SAY("its place", readlink(of(pid, "cwd"), link, 63) < 0 ? errno : 0);
  int fd = open(of(pid, "stat"), O_RDONLY);
  waitpid(pid, NULL, 0);
  SAY("reaped: open", ERR_OPEN(of(pid, "stat"))), SAY("read", read(fd, link, 1) < 0 ? errno : 0), close(fd);
  SAY("busy", 1);
  clock_t t = clock();
  while (clock() - t < CLOCKS_PER_SEC / 20) {}
  SAY("time", stat_field(0, 14) + stat_field(0, 15) >= 4);
}

extern char **environ;
static void titles(int argc, char **argv) {
  quote("cmdline", text, slurp(of(0, "cmdline")));
  char *last = argv[argc - 1] + strlen(argv[argc - 1]);
  memset(argv[1], 'x', 3), quote("overwritten", text, slurp(of(0, "cmdline")));
  setenv("NEW", "1", 1), slurp(of(0, "environ")), quote("environ", text, strlen(text) + 1);
  pid_t pid = sleeper();
  quote("inherited", text, slurp(of(pid, "cmdline"))), end(pid);
  *last = '!', quote("title", text, slurp(of(0, "cmdline")));
  strcpy(argv[0], "a title of its own"), quote("title", text, slurp(of(0, "cmdline")));
  int fd = open("/proc/self/comm", O_RDWR);
  SAY("comm", write(fd, "a much too long name\n", 21)), quote("comm", text, slurp(of(0, "comm")));
  write(fd, "short", 5), quote("comm", text, slurp(of(0, "comm"))), close(fd);
  pid = sleeper();
  fd = open(of(pid, "comm"), O_RDWR), SAY("another's", write(fd, "x", 1) < 0 ? errno : 0), end(pid), close(fd);
  fd = open("/proc/self/auxv", O_RDONLY);
  Elf64_auxv_t aux[64];
  long n = read(fd, aux, sizeof aux) / sizeof *aux;
  bool same = n > 10;
  for (int i = 0; i < n; i++) same = same && (aux[i].a_type == AT_NULL || getauxval(aux[i].a_type) == aux[i].a_un.a_val);
  SAY("auxv", same), close(fd);
}

static const char constant[4096] __attribute__((aligned(4096))) = "constant";
static void memory(void) {
  char buffer[64] = "";
  static char word[] = "in memory";
  int fd = open("/proc/self/mem", O_RDWR);
  SAY("read", pread(fd, buffer, sizeof word, (uintptr_t)word)), puts(buffer);
  SAY("write", pwrite(fd, "IN", 2, (uintptr_t)word)), puts(word);
  SAY("read-only", pwrite(fd, "C", 1, (uintptr_t)constant)), puts(constant);
  SAY("nowhere", pread(fd, buffer, 1, 8) < 0 ? errno : 0), SAY("seek", lseek(fd, (uintptr_t)word, SEEK_SET) == (uintptr_t)word), SAY("there", read(fd, buffer, 2));
  char *two = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(two + 4096, 4096);
  SAY("to the end", pread(fd, text, 8192, (uintptr_t)two)), SAY("guarded", (mprotect(two, 4096, PROT_NONE), pwrite(fd, "x", 1, (uintptr_t)two)));
  mprotect(two, 4096, PROT_READ), SAY("arrived", *two), close(fd);
  pid_t pid = sleeper();
  fd = open(of(pid, "mem"), O_RDWR);
  SAY("a child's", pwrite(fd, "child's", 8, (uintptr_t)word)), pread(fd, buffer, 8, (uintptr_t)word), printf("%s %s\n", buffer, word);
  end(pid), SAY("when it is gone", pread(fd, buffer, 8, (uintptr_t)word)), close(fd);

  char *p = mmap(NULL, 64 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), line[64], *at;
  madvise(p, 64 * 4096, MADV_NOHUGEPAGE);
  mprotect(p, 4096, PROT_NONE), mprotect(p + 63 * 4096, 4096, PROT_NONE); // stands alone
  memset(p + 4096, 1, 10 * 4096);
  slurp(of(0, "maps")), snprintf(line, sizeof line, "%lx-%lx rw-p 00000000 00:00 0", (long)p + 4096, (long)p + 63 * 4096);
  SAY("mapped", strstr(text, line) != NULL), SAY("stack", strstr(text, "[stack]") != NULL), SAY("heap", strstr(text, "[heap]") != NULL);
  slurp(of(0, "smaps")), at = strstr(text, line), SAY("in smaps", at != NULL);
  if (at != NULL) {
    memmove(text, at, strlen(at) + 1);
    printf("size %s, resident %s, ", field("Size"), field("Rss")), printf("private %s, anonymous %s, ", field("Private_Dirty"), field("Anonymous"));
    printf("page %s, swap %s\n", field("KernelPageSize"), field("Swap"));
  }
  slurp(of(0, "smaps_rollup")), SAY("together", atol(field("Rss")) >= 40), SAY("rollup", strstr(text, "[rollup]") != NULL);
  munmap(p, 64 * 4096), slurp(of(0, "maps")), SAY("gone", strstr(text, line) == NULL);
}

static void show_link(const char *what, const char *name) {
  static char target[PATH_MAX];
  long n = readlink(name, target, sizeof target - 1);
  if (n < 0) { printf("%s: errno %d\n", what, errno); return; }
  target[n] = 0;
  char here[PATH_MAX];
  getcwd(here, sizeof here);
  size_t h = strlen(here);
  char *shown = strncmp(target, here, h) == 0 ? target + h : target;
  printf("%s: ", what);
  for (char *c = shown; *c; c++) // numbers differ
    if (!isdigit(*c)) putchar(*c);
    else if (c == shown || !isdigit(c[-1])) putchar('#');
  puts("");
}
static void descriptor(const char *what, int fd) {
  char name[64];
  struct stat st;
  sprintf(name, "/proc/self/fd/%d", fd), show_link(what, name);
  lstat(name, &st), printf("  mode %o size %ld, ", st.st_mode, (long)st.st_size);
  sprintf(name, "/proc/self/fdinfo/%d", fd), slurp(name);
  printf("pos %s, flags %s\n", field("pos"), field("flags"));
}
static void links(void) {
  char dir[] = "links-XXXXXX", name[64];
  mkdtemp(dir), chdir(dir);
  int fd = open("file", O_RDWR | O_CREAT | O_APPEND, 0600), p[2], pair[2];
  write(fd, "twelve bytes", 12);
  descriptor("file", fd), descriptor("reading", open("file", O_RDONLY | O_CLOEXEC)), descriptor("writing", open("file", O_WRONLY | O_NONBLOCK));
  descriptor("path", open("file", O_PATH)), descriptor("directory", open(".", O_RDONLY | O_DIRECTORY));
  pipe2(p, O_NONBLOCK), descriptor("pipe", p[0]), descriptor("pipe", p[1]);
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair), descriptor("socket", pair[0]);
  descriptor("eventfd", eventfd(0, EFD_CLOEXEC)), descriptor("epoll", epoll_create1(0)), descriptor("memfd", memfd_create("m", MFD_CLOEXEC));
  unlink("file"), descriptor("unlinked", fd);
  sprintf(name, "/proc/self/fd/%d", fd);
  int again = open(name, O_RDONLY), path = open(name, O_PATH | O_NOFOLLOW);
  SAY("opened again", read(again, text, 5)), SAY("its own position", lseek(again, 0, SEEK_CUR)), SAY("not for more", ERR_OPEN(name) == 0), descriptor("the link itself", path);
  sprintf(name, "/proc/self/fd/%d", p[1]), SAY("a pipe's end", open(name, O_WRONLY | O_NONBLOCK) >= 0);
  sprintf(name, "/proc/self/fd/%d", pair[0]), SAY("a socket", open(name, O_RDWR) < 0 ? errno : 0);
  SAY("no such", open("/proc/self/fd/999", O_RDONLY) < 0 ? errno : 0);
  show_link("cwd", "/proc/self/cwd"), show_link("root", "/proc/self/root"), mkdir("sub", 0700), chdir("sub"), rmdir("../sub");
  char target[PATH_MAX] = "";
  readlink("/proc/self/cwd", target, sizeof target), SAY("cwd deleted", strstr(target, "sub (deleted)") != NULL), chdir("/proc/self/cwd/.."), chdir("..");
  rmdir(dir);
  show_link("net", "/proc/net"), show_link("mounts", "/proc/mounts"), show_link("ns", "/proc/self/ns/pid");
  readlink("/proc/self", target, sizeof target), SAY("self", atoi(target) == getpid());
  struct stat a, b;
  SAY("exe", stat("/proc/self/exe", &a) == 0 && S_ISREG(a.st_mode)), SAY("root", stat("/proc/self/root/", &a) == 0 && stat("/", &b) == 0 && a.st_ino == b.st_ino);
  DIR *d = opendir("/proc/self/fd");
  int n = 0, own = 0;
  for (struct dirent *e; (e = readdir(d)) != NULL;) n++, own |= atoi(e->d_name) == dirfd(d) && e->d_type == DT_LNK;
  SAY("listed", n > 10 && own), closedir(d);
}

static pid_t second;
static int gate[2], ready[2];
static void *thread(void *arg) {
  char name[64], c;
  second = gettid();
  prctl(PR_SET_NAME, "second");
  struct stat st;
  sprintf(name, "%d/task/%d", getpid(), second), text[readlink("/proc/thread-self", text, 64)] = 0, SAY("thread-self", strcmp(text, name));
  slurp("/proc/thread-self/status"), SAY("pid", atoi(field("Pid")) == second), SAY("tgid", atoi(field("Tgid")) == getpid());
  write(ready[1], "x", 1), read(gate[0], &c, 1);
  return NULL;
}
static void threads(void) {
  pthread_t t;
  char c, name[64];
  pipe(gate), pipe(ready);
  pthread_create(&t, NULL, thread, NULL), read(ready[0], &c, 1);
  SAY("threads", stat_field(0, 20));
  int n = 0;
  DIR *d = opendir("/proc/self/task");
  for (struct dirent *e; (e = readdir(d)) != NULL;) n += atoi(e->d_name) == getpid() || atoi(e->d_name) == second;
  SAY("listed", n), closedir(d);
  sprintf(name, "/proc/self/task/%d/comm", second), slurp(name), printf("%s", text);
  int fd = open(name, O_RDWR);
  SAY("renamed", write(fd, "2nd", 3)), close(fd), slurp(name), printf("%s", text);
  slurp("/proc/self/comm"), printf("%s", text);
  sprintf(name, "/proc/%d/comm", second), SAY("by its own id", slurp(name) > 0), sprintf(name, "/proc/%d/task/1/comm", getpid()), SAY("not another's", open(name, O_RDONLY) < 0 ? errno : 0);
  pid_t a = sleeper();
  sprintf(name, "/proc/self/task/%d/children", getpid());
  if (slurp(name) >= 0) SAY("children", atoi(text) == a);
  end(a), write(gate[1], "x", 1), pthread_join(t, NULL);
  sprintf(name, "/proc/self/task/%d", second), SAY("ended", access(name, F_OK) < 0 ? errno : 0), SAY("threads", stat_field(0, 20));
}

static void put_value(const char *what, const char *name, const char *value) {
  int fd = open(name, O_RDWR);
  long r = fd < 0 ? fd : write(fd, value, strlen(value));
  int e = r < 0 ? errno : 0;
  close(fd), slurp(name), printf("%s <- %s: %d, now %s", what, value, e, text);
}
static void kept(void) {
  const char *adj = "/proc/self/oom_score_adj";
  put_value("oom_score_adj", adj, "300"), put_value("oom_score_adj", adj, "2000"), put_value("oom_score_adj", adj, "x"), put_value("oom_score_adj", adj, "-1001\n");
  pid_t pid = sleeper();
  printf("inherited %s", (slurp(of(pid, "oom_score_adj")), text)), end(pid);
  put_value("oom_adj", "/proc/self/oom_adj", "15"), slurp(adj), printf("that is %s", text), put_value("oom_adj", "/proc/self/oom_adj", "16");
  put_value("oom_score_adj", adj, "0");
  put_value("timerslack", "/proc/self/timerslack_ns", "60000"), SAY("prctl", prctl(PR_GET_TIMERSLACK)), put_value("timerslack", "/proc/self/timerslack_ns", "0");
  put_value("coredump_filter", "/proc/self/coredump_filter", "0x7"), slurp("/proc/self/personality"), printf("personality %s", text);
  struct rlimit l = {123, 456};
  setrlimit(RLIMIT_NPROC, &l), slurp(of(0, "limits"));
  quote("limits", text, strchr(text, '\n') + 1 - text), quote("limits", strstr(text, "Max processes"), 79);
}

static void refused(const char *what, const char *name, int flags) {
  int fd = open(name, flags, 0600);
  char c;
  long r = fd < 0 ? fd : read(fd, &c, 1);
  printf("%s: %d\n", what, fd < 0 ? errno : r < 0 ? -errno : 0);
  close(fd);
}
static void rights(void) {
  char link[64];
  refused("write stat", "/proc/self/stat", O_WRONLY), refused("create", "/proc/nosuch", O_RDWR | O_CREAT), refused("create below", "/proc/self/nosuch", O_RDWR | O_CREAT);
  SAY("mkdir", mkdir("/proc/x", 0700) < 0 ? errno : 0), SAY("unlink", unlink("/proc/stat") < 0 ? errno : 0), SAY("rename", rename("/proc/stat", "/proc/s") < 0 ? errno : 0);
  SAY("chmod", chmod("/proc/self/stat", 0777) < 0 ? errno : 0), SAY("no number", access("/proc/01", F_OK) < 0 ? errno : 0), SAY("truncate", truncate("/proc/self/comm", 0) < 0 ? errno : 0);
  struct stat st;
  static const char *names[] = {"", "fd", "fdinfo", "environ", "maps", "mem", "stat", "cmdline", "comm", "exe", "cwd", "io", "limits", "ns", "task", "auxv", "oom_score_adj", "attr/current", "smaps", "wchan", "syscall", "stack"};
  for (int i = 0; i < sizeof names / sizeof *names; i++) {
    if (lstat(of(0, names[i]), &st) == 0) printf("%s %o %u, ", names[i], st.st_mode, st.st_uid);
    else printf("%s errno %d, ", names[i], errno);
  }
  puts("");
  if (geteuid() != 0) return;
  pid_t root = sleeper(), pid = fork();
  if (pid == 0) {
    setresgid(1000, 1000, 1000), setgroups(0, NULL), setresuid(1000, 1000, 1000);
    puts("-- a user, of root's process");
    static const char *files[] = {"stat", "status", "cmdline", "comm", "statm", "limits", "environ", "mem", "maps", "smaps", "io", "auxv", "fd", "fdinfo", "task", "mounts", "personality", "oom_score_adj", "wchan", "syscall", "stack"};
    for (int i = 0; i < sizeof files / sizeof *files; i++) refused(files[i], of(root, files[i]), O_RDONLY);
    static const char *links[] = {"exe", "cwd", "root", "fd/0", "ns/pid"};
    for (int i = 0; i < sizeof links / sizeof *links; i++) printf("%s: %d\n", links[i], readlink(of(root, links[i]), link, 63) < 0 ? errno : 0);
    SAY("addresses hidden", stat_field(root, 26) == 1 && stat_field(root, 27) == 1 && stat_field(root, 28) == 0);
    puts("-- his own, which was root's");
    lstat("/proc/self/environ", &st), printf("owner %u, directory ", st.st_uid), lstat("/proc/self", &st), printf("%u\n", (stat(of(getpid(), ""), &st), st.st_uid));
    refused("environ", "/proc/self/environ", O_RDONLY), refused("maps", "/proc/self/maps", O_RDONLY), refused("fd", "/proc/self/fd", O_RDONLY | O_DIRECTORY), refused("fd 0", "/proc/self/fd/0", O_PATH);
    prctl(PR_SET_DUMPABLE, 1), puts("-- and is his"), lstat("/proc/self/environ", &st), printf("owner %u\n", st.st_uid);
    refused("environ", "/proc/self/environ", O_RDONLY), refused("mem", "/proc/self/mem", O_RDWR);
    pid_t mine = sleeper();
    refused("his child's environ", of(mine, "environ"), O_RDONLY), refused("mem", of(mine, "mem"), O_RDONLY), end(mine);
    fflush(stdout), _exit(0);
  }
  waitpid(pid, NULL, 0), end(root);
}

static void machine(void) {
  struct timespec now;
  struct sysinfo info;
  double up, idle;
  clock_gettime(CLOCK_BOOTTIME, &now), slurp("/proc/uptime"), sysinfo(&info);
  SAY("uptime", sscanf(text, "%lf %lf", &up, &idle) == 2 && up - now.tv_sec < 2 && now.tv_sec - up < 2 && info.uptime - up < 2 && up - info.uptime < 2);
  slurp("/proc/stat");
  char *boot = strstr(text, "\nbtime ");
  long since = boot ? atol(boot + 7) : 0;
  SAY("boot time", labs(time(NULL) - (long)up - since) < 3);
  SAY("processors", strstr(text, "\ncpu0 ") != NULL && strncmp(text, "cpu  ", 5) == 0), SAY("counts", strstr(text, "\nprocs_running ") && strstr(text, "\nprocesses ") && strstr(text, "\nctxt "));
  int cpus = 0;
  for (char *p = (slurp("/proc/cpuinfo"), text); (p = strstr(p, "processor\t:")) != NULL; p++) cpus++;
  SAY("cpuinfo", cpus == sysconf(_SC_NPROCESSORS_CONF)), SAY("flags", strstr(text, "\nflags\t\t: fpu") != NULL);
  slurp("/proc/meminfo"), SAY("memory", atol(field("MemTotal")) == info.totalram * info.mem_unit / 1024 && atol(field("MemFree")) <= atol(field("MemTotal")) && atol(field("MemAvailable")) > 0);
  double load[3];
  int running, all, last;
  slurp("/proc/loadavg"), SAY("load", sscanf(text, "%lf %lf %lf %d/%d %d", load, load + 1, load + 2, &running, &all, &last)), SAY("counts", running >= 1 && running <= all);
  static const char *values[] = {"kernel/ostype", "kernel/cap_last_cap", "kernel/ngroups_max", "kernel/overflowuid", "fs/overflowgid", "kernel/domainname", "fs/inotify/max_queued_events"};
  for (int i = 0; i < sizeof values / sizeof *values; i++) {
    char name[128];
    sprintf(name, "/proc/sys/%s", values[i]), slurp(name), printf("%s %s", values[i], text);
  }
  struct utsname { char f[6][65]; } u;
  syscall(SYS_uname, &u), slurp("/proc/sys/kernel/osrelease"), SAY("release", strncmp(text, u.f[2], strlen(u.f[2]))), slurp("/proc/sys/kernel/hostname"), SAY("hostname", strncmp(text, u.f[1], strlen(u.f[1])));
  slurp("/proc/version"), SAY("version", strncmp(text, "Linux version ", 14) == 0 && strstr(text, u.f[2]) != NULL);
  char one[64], two[64];
  slurp("/proc/sys/kernel/random/uuid"), strncpy(one, text, 63), SAY("uuid", slurp("/proc/sys/kernel/random/uuid")), SAY("another", strcmp(one, text) != 0);
  slurp("/proc/sys/kernel/random/boot_id"), strncpy(two, text, 63), slurp("/proc/sys/kernel/random/boot_id"), SAY("boot id", strcmp(two, text));
  SAY("pid_max", (slurp("/proc/sys/kernel/pid_max"), atoi(text) >= 32768)), SAY("file-max", (slurp("/proc/sys/fs/file-max"), atoll(text) > 1000));
  slurp("/proc/filesystems"), SAY("file systems", strstr(text, "nodev\tproc\n") && strstr(text, "nodev\ttmpfs\n"));
  slurp("/proc/self/mountinfo"), SAY("mounts", strstr(text, " /proc ") && strstr(text, " - proc proc "));
  // reading in pieces, and again
  int fd = open("/proc/version", O_RDONLY);
  SAY("piece", read(fd, one, 5)), SAY("next", read(fd, one, 9)), quote("next", one, 9), SAY("at", pread(fd, one, 7, 6)), quote("at", one, 7);
  SAY("rewound", lseek(fd, 0, SEEK_SET)), SAY("again", read(fd, one, 5)), SAY("past the end", pread(fd, one, 5, 100000));
  SAY("directory", (close(fd), fd = open("/proc", O_RDONLY), read(fd, one, 1) < 0 ? errno : 0)), close(fd);
  struct statfs fs;
  statfs("/proc", &fs), printf("statfs %lx %ld\n", (long)fs.f_type, (long)fs.f_bsize), statfs("/sys", &fs), printf("statfs %lx\n", (long)fs.f_type);
  SAY("online", slurp("/sys/devices/system/cpu/online") > 0), SAY("topology", slurp("/sys/devices/system/cpu/cpu0/topology/core_id") > 0), SAY("write sysfs", open("/sys/devices/system/cpu/online", O_WRONLY) < 0 ? errno : 0);
  slurp("/sys/class/net/lo/address"), printf("%s", text), slurp("/sys/class/net/lo/mtu"), printf("%s", text);
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  alarm(60);
  if (argc == 1) { // with arguments and an environment of our own
    char self[PATH_MAX];
    self[readlink("/proc/self/exe", self, sizeof self - 1)] = 0;
    execle(self, "procfs", "one", "", "three", NULL, (char *[]){"A=1", "B=2", NULL});
  }
  stat_and_status(), titles(argc, argv), memory(), links(), threads(), kept(), rights(), machine();
}
