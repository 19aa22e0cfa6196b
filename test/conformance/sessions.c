// Sessions and their terminals: getting, keeping, stealing and losing a controlling terminal, the foreground group, job control stops,
// orphaned groups, hang-ups. Every scene runs in a session of its own, on a fresh pty; nobody lives longer than main's alarm.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define ERR(call) ((call) < 0 ? errno : 0)
static int master, slave, tell[2], go[2], ready[2];
static char name[32];
static volatile sig_atomic_t seen[65];

static void show(const char *what, long value) {
  printf("%s: %ld\n", what, value);
}
static void note(int signo) {
  seen[signo]++;
}
static void watch(int signo) {
  struct sigaction a = {.sa_handler = note}; // no SA_RESTART
  sigaction(signo, &a, NULL);
}
static void until(int signo) {
  sigset_t block, old;
  sigemptyset(&block), sigaddset(&block, signo);
  sigprocmask(SIG_BLOCK, &block, &old);
  while (!seen[signo]) sigsuspend(&old);
  sigprocmask(SIG_SETMASK, &old, NULL);
}
static void fresh(void) {
  int unlock = 0, number = 0;
  master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  ioctl(master, TIOCGPTN, &number), ioctl(master, TIOCSPTLCK, &unlock);
  sprintf(name, "/dev/pts/%d", number);
  pipe(tell), pipe(go);
}
static void say(void) {
  write(tell[1], "x", 1);
}
static void heard(void) {
  char c;
  read(tell[0], &c, 1);
}
static void wait_for_go(void) {
  char c;
  while (read(go[0], &c, 1) < 0) {}
}
static void let_go(void) {
  write(go[1], "x", 1);
}
static void mortal(void) {
  alarm(20);
}
/** A child in a group of its own. */
static pid_t member(void (*body)(void)) {
  pid_t pid = fork();
  if (pid == 0) mortal(), setpgid(0, 0), body(), _exit(0);
  setpgid(pid, pid);
  return pid;
}
/** How it ended or stopped: 1000 + status, 2000 + signal, 3000 + stop signal. */
static int fate(pid_t pid) {
  int status;
  while (waitpid(pid, &status, WUNTRACED) < 0) if (errno != EINTR) return -errno;
  return WIFEXITED(status) ? 1000 + WEXITSTATUS(status) : WIFSIGNALED(status) ? 2000 + WTERMSIG(status) : 3000 + WSTOPSIG(status);
}
/** `body` as the leader of a new session; its end. */
static void scene(const char *title, void (*body)(void)) {
  printf("-- %s\n", title);
  fresh();
  pid_t pid = fork();
  if (pid == 0) mortal(), setsid(), body(), _exit(0);
  printf("leader: %d\n", fate(pid));
  close(master), close(tell[0]), close(tell[1]), close(go[0]), close(go[1]);
}
static int attached(void) {
  slave = open(name, O_RDWR);
  return slave;
}
static int has_tty(void) {
  int fd = open("/dev/tty", O_RDWR | O_NOCTTY);
  if (fd < 0) return errno;
  close(fd);
  return 0;
}

// -- getting and giving up --

static void getting(void) {
  int sid = 0;
  show("before", has_tty());
  slave = open(name, O_RDWR | O_NOCTTY);
  show("O_NOCTTY", has_tty()), show("group", ERR(tcgetpgrp(slave))), show("sid", ERR(tcgetsid(slave)));
  int fd = open(name, O_WRONLY);
  show("write-only", has_tty()), close(fd);
  fd = open(name, O_RDWR);
  show("open", has_tty());
  show("group", tcgetpgrp(fd) == getpgrp()), show("sid", tcgetsid(fd) == getpid());
  show("from master", tcgetpgrp(master) == getpgrp()), show("sid", ERR(ioctl(master, TIOCGSID, &sid)) + (sid == getpid()));
  show("again", ioctl(fd, TIOCSCTTY, 0));
  int tty = open("/dev/tty", O_RDWR);
  char text[64] = "", link[64];
  sprintf(link, "/proc/self/fd/%d", tty), readlink(link, text, 63), show("named", strcmp(text, "/dev/tty"));
  show("ttyname", strcmp(ttyname(tty) ? ttyname(tty) : "", "/dev/tty")), show("group by /dev/tty", tcgetpgrp(tty) == getpgrp());
  int unlock = 0, number, other = open("/dev/ptmx", O_RDWR | O_NOCTTY);
  ioctl(other, TIOCGPTN, &number), ioctl(other, TIOCSPTLCK, &unlock), sprintf(text, "/dev/pts/%d", number);
  int second = open(text, O_RDWR);
  show("only one", tcgetsid(tty) == getpid()), show("second", ERR(tcgetsid(second))), show("take second", ERR(ioctl(second, TIOCSCTTY, 0)));
  watch(SIGHUP), watch(SIGCONT);
  show("give up", ioctl(fd, TIOCNOTTY, 0)), show("SIGHUP", seen[SIGHUP]), show("SIGCONT", seen[SIGCONT]);
  show("after", has_tty()), show("group", ERR(tcgetpgrp(fd))), show("give up twice", ERR(ioctl(fd, TIOCNOTTY, 0)));
  show("take second now", ioctl(second, TIOCSCTTY, 0)), show("its sid", tcgetsid(second) == getpid());
}
static void no_leader(void) {
  show("take", ERR(ioctl(slave, TIOCSCTTY, 0))), show("mine", has_tty());
  show("give up", ERR(ioctl(slave, TIOCNOTTY, 0))), show("mine now", has_tty());
}
static void members(void) {
  int status;
  attached();
  pid_t pid = fork();
  if (pid == 0) no_leader(), _exit(0);
  waitpid(pid, &status, 0);
  show("leader's still", has_tty());
  signal(SIGTTOU, SIG_IGN);
  show("set negative", ERR(tcsetpgrp(slave, -1))), show("none such", ERR(tcsetpgrp(slave, 4000000))), show("other session", ERR(tcsetpgrp(slave, getppid())));
  show("by master", ERR(tcsetpgrp(master, getpgrp())));
  int other = open("/dev/ptmx", O_RDWR | O_NOCTTY);
  show("foreign terminal", ERR(tcsetpgrp(other, getpgrp())));
  show("bad pointer", ERR(ioctl(slave, TIOCSPGRP, (void *)8)));
}
static void thief_body(void) {
  setsid();
  int fd = open(name, O_RDWR);
  show("not by open", ERR(tcgetsid(fd))), show("take", ERR(ioctl(fd, TIOCSCTTY, 0)));
  int r = ioctl(fd, TIOCSCTTY, 1);
  show("steal", geteuid() == 0 ? r : 0), show("sid", geteuid() ? 1 : tcgetsid(fd) == getpid());
  say(), wait_for_go();
}
static void stealing(void) {
  attached();
  pid_t pid = fork();
  if (pid == 0) mortal(), thief_body(), _exit(0);
  heard();
  show("robbed", geteuid() ? ENXIO : has_tty()), show("group", geteuid() ? ENOTTY : ERR(tcgetpgrp(slave)));
  let_go(), show("thief", fate(pid));
}

// -- job control --

static char byte[8];
static void reads(void) {
  long r = read(slave, byte, 1);
  _exit(r < 0 ? errno : 100 + r);
}
static void writes(void) {
  _exit(write(slave, "w", 1) < 0 ? errno : 101);
}
static void settings(void) {
  struct termios t;
  tcgetattr(slave, &t);
  _exit(tcsetattr(slave, TCSANOW, &t) < 0 ? errno : 100);
}
static void foreground(void) {
  _exit(tcsetpgrp(slave, getpgrp()) < 0 ? errno : 100);
}
static void flushes(void) {
  _exit(tcflush(slave, TCIFLUSH) < 0 ? errno : 100);
}
static void window(void) {
  struct winsize w = {1, 1};
  _exit(ioctl(slave, TIOCSWINSZ, &w) < 0 ? errno : 100);
}
static void looks(void) {
  struct termios t;
  _exit(tcgetattr(slave, &t) < 0 || tcgetpgrp(slave) < 0 ? errno : 100);
}
static void (*act)(void);
static int way, about;
static void blocked_or_ignored(void) {
  sigset_t set;
  sigemptyset(&set), sigaddset(&set, about);
  signal(about, way == 1 ? SIG_IGN : SIG_DFL);
  if (way == 2) sigprocmask(SIG_BLOCK, &set, NULL);
  act();
}
static void background(const char *what, void (*body)(void), int signo) {
  static const char *ways[] = {"default", "ignored", "blocked"};
  act = body, about = signo;
  for (way = 0; way < 3; way++) {
    pid_t pid = member(blocked_or_ignored);
    int how = fate(pid);
    printf("%s, %s: %d", what, ways[way], how);
    if (how > 3000) {
      tcsetpgrp(slave, pid), kill(-pid, SIGCONT);
      if (body == reads) write(master, "\n", 1);
      printf(" then %d", fate(pid)), tcsetpgrp(slave, getpgrp());
    } else if (tcgetpgrp(slave) != getpgrp()) tcsetpgrp(slave, getpgrp());
    puts("");
  }
}
static void tostop(int on) {
  struct termios t;
  tcgetattr(slave, &t);
  t.c_lflag = on ? t.c_lflag | TOSTOP : t.c_lflag & ~TOSTOP;
  tcsetattr(slave, TCSANOW, &t);
}
static void jobs(void) {
  attached(), signal(SIGTTOU, SIG_IGN);
  show("in front", tcgetpgrp(slave) == getpgrp());
  background("read", reads, SIGTTIN), background("write", writes, SIGTTOU);
  tostop(1), background("write, TOSTOP", writes, SIGTTOU), tostop(0);
  background("settings", settings, SIGTTOU), background("flush", flushes, SIGTTOU);
  background("to the front", foreground, SIGTTOU);
  background("window", window, SIGTTOU), background("look", looks, SIGTTOU);
}

// -- keys --

static void sleeps(void) {
  say();
  for (;;) pause();
}
static void keys(void) {
  static const struct { const char *what, *key; } rows[] = {{"^C", "\003"}, {"^\\", "\034"}, {"^Z", "\032"}};
  attached(), signal(SIGTTOU, SIG_IGN);
  for (int i = 0; i < 3; i++) {
    pid_t pid = member(sleeps);
    heard(), tcsetpgrp(slave, pid), write(master, "typed", 5), write(master, rows[i].key, 1);
    int n = -1, how = fate(pid);
    ioctl(slave, FIONREAD, &n);
    printf("%s: %d, left %d\n", rows[i].what, how, n);
    if (how > 3000) kill(pid, SIGKILL), kill(pid, SIGCONT), fate(pid);
    tcsetpgrp(slave, getpgrp());
  }
  watch(SIGINT);
  struct termios t;
  tcgetattr(slave, &t), t.c_lflag |= NOFLSH, tcsetattr(slave, TCSANOW, &t);
  write(master, "kept\003", 5), until(SIGINT), write(master, "\n", 1);
  show("NOFLSH", read(slave, byte, 8));
  t.c_lflag &= ~ISIG, tcsetattr(slave, TCSANOW, &t), write(master, "\003\n", 2), show("no ISIG", read(slave, byte, 8)), show("first", byte[0]);
  show("SIGINT", seen[SIGINT]);
  signal(SIGINT, SIG_DFL), watch(SIGQUIT), show("TIOCSIG", ioctl(master, TIOCSIG, SIGQUIT)), until(SIGQUIT);
  watch(SIGWINCH);
  struct winsize w = {7, 8};
  ioctl(master, TIOCSWINSZ, &w), until(SIGWINCH), ioctl(master, TIOCSWINSZ, &w), ioctl(slave, TIOCSWINSZ, &w), show("SIGWINCH", seen[SIGWINCH]);
}

// -- the end of a leader, of a master --

static void look_around(void) {
  fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK);
  long r = read(slave, byte, 1);
  show("read", r < 0 ? -errno : r), show("write", ERR(write(slave, "x", 1))), show("tty", has_tty());
  show("group", ERR(tcgetpgrp(slave))), show("sid", ERR(tcgetsid(slave))), show("lead", getsid(0) == getpid());
  int fd = open(name, O_RDWR | O_NOCTTY);
  show("reopened", fd >= 0), show("free", ERR(tcgetsid(fd)));
}
static void in_front(void) {
  watch(SIGHUP);
  say(), until(SIGHUP), wait_for_go();
  look_around(), say();
}
static void in_front_of_lost(void) {
  watch(SIGHUP), watch(SIGCONT);
  say(), until(SIGHUP), until(SIGCONT), wait_for_go();
  look_around(), say();
}
static void leader_ends(void) {
  attached(), signal(SIGTTOU, SIG_IGN);
  tcsetpgrp(slave, member(in_front)), heard();
  _exit(3);
}
static void bystander(void) {
  watch(SIGHUP), say(), wait_for_go();
  show("bystander: SIGHUP", seen[SIGHUP]), look_around(), say();
}
static void leader_ends_quietly(void) {
  attached(), signal(SIGTTOU, SIG_IGN);
  member(bystander), heard();
  _exit(4);
}
static void master_goes(void) {
  attached(), signal(SIGTTOU, SIG_IGN), watch(SIGHUP), watch(SIGCONT);
  close(master);
  pid_t pid = member(in_front_of_lost);
  heard(), tcsetpgrp(slave, pid), write(ready[1], "x", 1);
  until(SIGHUP), until(SIGCONT), puts("the leader is told");
  look_around(), puts("and ends"); // which is what those in front are told
}
static void reader(void) {
  wait_for_go(), say();
  long r = read(slave, byte, 1);
  wait_for_go();
  show("blocked read", r), show("then", ERR(write(slave, "x", 1)));
}
static void hang_up_wakes(void) {
  attached(), signal(SIGTTOU, SIG_IGN), signal(SIGHUP, SIG_IGN);
  pid_t pid = member(reader);
  tcsetpgrp(slave, pid), let_go(), heard();
  show("hang up", geteuid() ? 0 : ioctl(slave, TIOCVHANGUP, 0));
  if (geteuid()) kill(pid, SIGKILL);
  let_go(), show("reader", fate(pid));
}

// -- orphans --

static void stops(void) {
  watch(SIGHUP), watch(SIGCONT), raise(SIGSTOP);
  until(SIGHUP), until(SIGCONT), wait_for_go();
  puts("orphan: woken"), say();
}
static void stopped_orphan(void) {
  show("stopped", fate(member(stops))), say();
  pause();
}
static void orphaned(void) {
  // the parent in between ends, and main, of another session, takes its place: the stopped child's group is orphaned, and gets SIGHUP and SIGCONT
  attached();
  pid_t between = member(stopped_orphan);
  heard(), kill(between, SIGKILL), show("between", fate(between)), let_go(), heard();
}
static void orphan_body(void) {
  // its group is orphaned: no stops from the terminal, and errors instead
  wait_for_go(); // the parent has ended
  signal(SIGTTIN, SIG_DFL);
  show("read", ERR(read(slave, byte, 1))), show("front", ERR(tcsetpgrp(slave, getpgrp())));
  show("tstp", raise(SIGTSTP)), show("ttin", raise(SIGTTIN)), show("ttou", raise(SIGTTOU));
  signal(SIGTTOU, SIG_IGN), show("ignoring, front", ERR(tcsetpgrp(slave, getpgrp())));
  say();
}
static void makes_orphan(void) {
  member(orphan_body);
}
static void orphan_errors(void) {
  attached();
  show("between", fate(member(makes_orphan))), let_go();
  heard();
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  alarm(60), prctl(PR_SET_CHILD_SUBREAPER, 1);
  scene("getting a terminal", getting);
  scene("members", members);
  scene("stealing", stealing);
  scene("job control", jobs);
  scene("keys", keys);
  fresh(), puts("-- the leader ends");
  pid_t pid = fork();
  if (pid == 0) mortal(), setsid(), leader_ends();
  show("leader", fate(pid)), let_go(), heard();
  fresh(), puts("-- the leader ends, nobody in front but him");
  if ((pid = fork()) == 0) mortal(), setsid(), leader_ends_quietly();
  show("leader", fate(pid)), let_go(), heard();
  fresh(), pipe(ready), puts("-- the master goes");
  if ((pid = fork()) == 0) mortal(), setsid(), master_goes(), _exit(0);
  read(ready[0], byte, 1), close(master), show("leader", fate(pid)), let_go(), heard();
  scene("hanging up wakes", hang_up_wakes);
  scene("orphaned", orphaned);
  scene("orphans and the terminal", orphan_errors);
}
