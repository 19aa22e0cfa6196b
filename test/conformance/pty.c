// Pseudo-terminals: both ends, locks, names, packet mode, hang-ups, queues, windows, settings, and every error an end answers.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#define termios asm_termios // <asm/termbits.h> has termios2 and a struct termios of its own
#include <asm/termbits.h>
#undef termios

#define ERR(call) ((call) < 0 ? errno : 0)
#define BAD ((void *)8)
static int master, slave, number;

static void show(const char *what, long value) {
  printf("%s: %ld\n", what, value);
}
/** Bytes as C would write them. */
static void quote(const char *what, const char *bytes, long n) {
  printf("%s: %ld \"", what, n);
  for (long i = 0; i < n; i++) bytes[i] >= 32 && bytes[i] < 127 ? putchar(bytes[i]) : printf("\\%03o", bytes[i] & 255);
  puts("\"");
}
static void got(const char *what, int fd) {
  char buffer[8192];
  long n = read(fd, buffer, sizeof buffer);
  if (n < 0) printf("%s: errno %d\n", what, errno);
  else quote(what, buffer, n);
}
static int ready(int fd) {
  struct pollfd p = {fd, POLLIN | POLLPRI | POLLOUT, 0};
  poll(&p, 1, 0);
  return p.revents;
}
/** What is on its way between the ends arrives in the background on Linux. */
static int within(int fd, int events) {
  struct pollfd p = {fd, events, 0};
  poll(&p, 1, 5000);
  return p.revents & events;
}
/** poll sees to it that what is typed has arrived. */
static void type(const char *text) {
  write(master, text, strlen(text));
  ready(slave);
}
static void set(tcflag_t lflag_off, tcflag_t lflag_on, int min, int time) {
  struct termios t;
  tcgetattr(slave, &t);
  t.c_lflag = (t.c_lflag & ~lflag_off) | lflag_on;
  t.c_cc[VMIN] = min, t.c_cc[VTIME] = time;
  tcsetattr(slave, TCSANOW, &t);
}
static void fresh(void) {
  char name[32];
  int unlock = 0;
  master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  ioctl(master, TIOCGPTN, &number);
  ioctl(master, TIOCSPTLCK, &unlock);
  sprintf(name, "/dev/pts/%d", number);
  slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
  fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK);
}
static void finish(void) {
  close(slave), close(master);
}
static int listed(int n) {
  char name[16];
  int found = 0;
  DIR *d = opendir("/dev/pts");
  sprintf(name, "%d", n);
  for (struct dirent *e; (e = readdir(d)) != NULL;) found |= strcmp(e->d_name, name) == 0;
  closedir(d);
  return found;
}

static void names(void) {
  char name[64], link[64], text[64];
  struct stat st, other;
  int locked = -1, unlock = 0, m = posix_openpt(O_RDWR | O_NOCTTY);
  show("number", ioctl(m, TIOCGPTN, &number));
  show("locked", ERR(ioctl(m, TIOCGPTLCK, &locked))), show("is", locked);
  sprintf(name, "/dev/pts/%d", number);
  show("ptsname", strcmp(ptsname(m), name));
  show("open while locked", ERR(open(name, O_RDWR | O_NOCTTY)));
  show("peer while locked", ERR(ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY)) == 0);
  show("grantpt", ERR(grantpt(m))), show("unlockpt", ERR(unlockpt(m)));
  ioctl(m, TIOCGPTLCK, &locked), show("now", locked);
  int s = open(name, O_RDWR | O_NOCTTY), p = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  show("open", s >= 0), show("peer", p >= 0), show("close-on-exec", fcntl(p, F_GETFD));
  fstat(s, &st), fstat(p, &other);
  printf("slave: char %d major %u minor %d same %d size %ld\n", S_ISCHR(st.st_mode), major(st.st_rdev), minor(st.st_rdev) == number, st.st_rdev == other.st_rdev && st.st_ino == other.st_ino, (long)st.st_size);
  fstat(m, &st);
  printf("master: char %d device %u:%u\n", S_ISCHR(st.st_mode), major(st.st_rdev), minor(st.st_rdev));
  sprintf(link, "/proc/self/fd/%d", s);
  text[readlink(link, text, 63)] = 0, show("link", strcmp(text, name));
  sprintf(link, "/proc/self/fd/%d", p);
  text[readlink(link, text, 63)] = 0, show("link of peer", strcmp(text, name));
  show("ttyname", strcmp(ttyname(s), name)), show("isatty", isatty(s) + 2 * isatty(m));
  show("listed", listed(number));
  show("lock again", (unlock = 1, ERR(ioctl(m, TIOCSPTLCK, &unlock)))), show("open", ERR(open(name, O_RDWR | O_NOCTTY)));
  show("of a slave: number", ERR(ioctl(s, TIOCGPTN, &number))), show("lock", ERR(ioctl(s, TIOCSPTLCK, &unlock)));
  show("peer", ERR(ioctl(s, TIOCGPTPEER, O_RDWR))), show("packet", ERR(ioctl(s, TIOCPKT, &unlock)));
  show("bad pointers", ERR(ioctl(m, TIOCGPTN, BAD))), show("lock", ERR(ioctl(m, TIOCSPTLCK, BAD))), show("size", ERR(ioctl(s, TIOCGWINSZ, BAD)));
  show("settings", ERR(ioctl(s, TCGETS, BAD))), show("set", ERR(ioctl(s, TCSETS, BAD)));
  show("seek", ERR(lseek(s, 0, SEEK_SET))), show("pread", ERR(pread(s, text, 1, 0))), show("truncate", ERR(ftruncate(s, 0)));
  close(p), close(s), close(m);
  show("listed after", listed(number)), show("open after", ERR(open(name, O_RDWR | O_NOCTTY)));
}

static void queues(void) {
  int n = -1;
  char big[5000], out[8192];
  fresh();
  got("nothing", slave), got("nothing", master);
  show("poll master", ready(master)), show("poll slave", ready(slave));
  type("ab\rcd");
  within(slave, POLLIN);
  got("echo", master);
  ioctl(slave, FIONREAD, &n), show("readable", n);
  show("poll slave", ready(slave));
  got("line", slave), got("rest", slave);
  type("\x04"), within(slave, POLLIN), got("end of file completes", slave);
  type("\x04"), within(slave, POLLIN), got("end of file", slave);
  got("echoed", master);
  write(slave, "x\ty\n", 4), within(master, POLLIN);
  ioctl(master, FIONREAD, &n), show("at master", n);
  got("processed", master);
  ioctl(slave, TIOCOUTQ, &n), show("output queue", n);
  type("one\ntwo\nthree\n"), within(slave, POLLIN);
  show("short read", read(slave, out, 2)), got("of a line", slave), got("next", slave), got("next", slave);
  memset(big, 'a', sizeof big), big[sizeof big - 1] = '\n';
  set(ECHO, 0, 1, 0);
  while (read(master, out, sizeof out) > 0) {}
  show("long line", write(master, big, sizeof big)), within(slave, POLLIN);
  long r = read(slave, out, sizeof out);
  show("arrives", r), show("ended by", out[r - 1]);
  show("zero", read(slave, out, 0)), show("write zero", write(slave, out, 0)), show("master zero", write(master, out, 0));
  show("bad buffer", ERR(write(slave, BAD, 3))), show("master", ERR(write(master, BAD, 3)));
  type("gone\n"), within(slave, POLLIN);
  show("flush", tcflush(slave, TCIFLUSH)), got("flushed", slave);
  show("flush what", ERR(ioctl(slave, TCFLSH, 7))), show("flow what", ERR(ioctl(slave, TCXONC, 7)));
  show("drain", tcdrain(slave)), show("break", tcsendbreak(slave, 0));
  show("off", tcflow(slave, TCOOFF)), show("write while off", ERR(write(slave, "held", 4)));
  show("on", tcflow(slave, TCOON)), got("held", master);
  type("\x13"), show("stopped", ERR(write(slave, "s", 1)));
  type("\x11"), show("started", write(slave, "s", 1)), within(master, POLLIN), got("seen", master);
  finish();
}

static void noncanonical(void) {
  char c[16];
  int n;
  fresh();
  set(ICANON | ECHO | ISIG, 0, 0, 0);
  got("min 0 time 0", slave);
  fcntl(slave, F_SETFL, O_RDWR);
  show("the same, blocking", read(slave, c, 16));
  set(0, 0, 0, 1), show("time 1", read(slave, c, 16));
  set(0, 0, 3, 0), type("abcd"), within(slave, POLLIN), show("min 3", read(slave, c, 16));
  set(0, 0, 5, 1), type("ab"), show("min 5 time 1", read(slave, c, 16));
  type("\x03\x1a\x04\r"), within(slave, POLLIN);
  set(0, 0, 1, 0), got("nothing special", slave);
  type("kept"), within(slave, POLLIN);
  set(0, ICANON, 4, 0), fcntl(slave, F_SETFL, O_RDWR | O_NONBLOCK);
  ioctl(slave, FIONREAD, &n), show("readable as line", n);
  set(ICANON, 0, 1, 0), got("kept", slave);
  finish();
}

static void packets(void) {
  int on = 1, off = 0, n = -1;
  fresh();
  show("packet", ioctl(master, TIOCPKT, &on)), ioctl(master, TIOCGPKT, &n), show("is", n);
  write(slave, "data", 4), within(master, POLLIN), got("data", master);
  tcflush(slave, TCIFLUSH), show("poll", ready(master)), got("flush input", master);
  tcflush(slave, TCIOFLUSH), got("flush both", master);
  tcflow(slave, TCOOFF), got("stop", master), tcflow(slave, TCOON), got("start", master);
  struct termios t;
  tcgetattr(slave, &t), t.c_iflag &= ~IXON, tcsetattr(slave, TCSANOW, &t), got("no flow control", master);
  t.c_iflag |= IXON, tcsetattr(slave, TCSANOW, &t), got("flow control", master);
  t.c_lflag |= EXTPROC, tcsetattr(slave, TCSANOW, &t), got("external", master);
  t.c_lflag &= ~ECHO, tcsetattr(slave, TCSANOW, &t), got("changed", master);
  t.c_lflag = (t.c_lflag | ECHO) & ~EXTPROC, tcsetattr(slave, TCSANOW, &t), got("no longer", master);
  tcflush(slave, TCIFLUSH), write(slave, "x", 1), within(master, POLLIN);
  show("poll both", ready(master)), got("news", master), got("then data", master);
  char c = 9;
  write(slave, "y", 1), within(master, POLLIN), show("room for one", read(master, &c, 1)), show("byte", c);
  show("off", ioctl(master, TIOCPKT, &off));
  got("plain", master);
  finish();
}

static void hangups(void) {
  char name[32], c;
  int n;
  struct winsize w = {1, 2, 3, 4};
  struct termios t;
  fresh();
  sprintf(name, "/dev/pts/%d", number);
  write(slave, "last", 4), close(slave), within(master, POLLHUP);
  show("poll", ready(master)), got("what was left", master), got("slave closed", master);
  show("write to nobody", write(master, "ab\n", 3));
  show("poll", ready(master) & ~POLLIN);
  slave = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK);
  show("again", slave >= 0), show("poll", ready(master) & POLLHUP);
  tcgetattr(slave, &t), show("settings stay", (t.c_lflag & ICANON) != 0);
  while (read(master, &c, 1) > 0) {}
  type("left\n"), within(slave, POLLIN), close(master);
  show("poll", ready(slave)), got("master closed", slave), show("write", ERR(write(slave, "x", 1)));
  show("ioctl", ERR(ioctl(slave, TIOCGWINSZ, &w))), show("settings", ERR(tcgetattr(slave, &t))), show("isatty", isatty(slave));
  show("group", ERR(tcgetpgrp(slave))), show("set group", ERR(tcsetpgrp(slave, getpgrp()))), show("readable", ERR(ioctl(slave, FIONREAD, &n)));
  show("open", ERR(open(name, O_RDWR | O_NOCTTY)));
  close(slave);
  fresh();
  show("exclusive", ioctl(slave, TIOCEXCL)), ioctl(slave, TIOCGEXCL, &n), show("is", n);
  sprintf(name, "/dev/pts/%d", number);
  n = open(name, O_RDWR | O_NOCTTY);
  show("still for root", n >= 0 || getuid() != 0), close(n);
  show("shared", ioctl(slave, TIOCNXCL));
  show("hang up", ERR(ioctl(slave, TIOCVHANGUP)) == 0 || getuid() != 0);
  finish();
}

static void settings(void) {
  struct termios t, u;
  struct termios2 t2;
  struct winsize w = {0}, v = {11, 22, 33, 44};
  int n;
  fresh();
  tcgetattr(slave, &t);
  printf("born with: %o %o %o %o line %d speed %o\n", t.c_iflag, t.c_oflag, t.c_cflag, t.c_lflag, t.c_line, cfgetospeed(&t));
  for (int i = 0; i < 17; i++) printf("%o ", t.c_cc[i]);
  puts("");
  ioctl(master, TIOCGWINSZ, &w), printf("window %d %d\n", w.ws_row, w.ws_col);
  ioctl(master, TIOCSWINSZ, &v), ioctl(slave, TIOCGWINSZ, &w), printf("window %d %d %d %d\n", w.ws_row, w.ws_col, w.ws_xpixel, w.ws_ypixel);
  tcgetattr(master, &u), show("master has them too", u.c_lflag == t.c_lflag && u.c_iflag == t.c_iflag);
  u.c_lflag &= ~ECHO, tcsetattr(master, TCSANOW, &u), tcgetattr(slave, &t), show("set through master", (t.c_lflag & ECHO) != 0);
  t.c_cflag = (t.c_cflag & ~CSIZE) | CS5 | PARENB, tcsetattr(slave, TCSANOW, &t), tcgetattr(slave, &u);
  printf("eight bits: %o\n", u.c_cflag & (CSIZE | PARENB | CREAD));
  ioctl(slave, TCGETS2, &t2), printf("speeds %u %u\n", t2.c_ispeed, t2.c_ospeed);
  t2.c_cflag = (t2.c_cflag & ~(CBAUD | CIBAUD)) | BOTHER, t2.c_ospeed = t2.c_ispeed = 12345;
  show("any speed", ERR(ioctl(slave, TCSETS2, &t2))), ioctl(slave, TCGETS2, &t2), printf("speeds %u %u other %d\n", t2.c_ispeed, t2.c_ospeed, (t2.c_cflag & CBAUD) == BOTHER);
  cfmakeraw(&t), show("raw", tcsetattr(slave, TCSAFLUSH, &t)), tcgetattr(slave, &u), printf("raw: %o %o %o\n", u.c_iflag, u.c_oflag, u.c_lflag);
  show("discipline", ERR(ioctl(slave, TIOCGETD, &n))), show("is", n), n = 99, show("unknown", ERR(ioctl(slave, TIOCSETD, &n)));
  show("modem lines", ERR(ioctl(slave, TIOCMGET, &n))), show("unknown ioctl", ERR(ioctl(slave, 0x54ff, 0)));
  show("device", ERR(ioctl(slave, TIOCGDEV, &n))), show("major", major(n));
  show("session", ERR(ioctl(slave, TIOCGSID, &n))), show("group", ERR(ioctl(slave, TIOCGPGRP, &n))), show("set group", ERR(ioctl(slave, TIOCSPGRP, &(int){getpgrp()})));
  show("of master", ERR(ioctl(master, TIOCGPGRP, &n))), show("is", n), show("session", ERR(ioctl(master, TIOCGSID, &n)));
  show("give up", ERR(ioctl(slave, TIOCNOTTY))), show("signal", ERR(ioctl(master, TIOCSIG, 99))), show("from slave", ERR(ioctl(slave, TIOCSIG, 2)));
  show("carrier", ERR(ioctl(slave, TIOCGSOFTCAR, &n)));
  finish();
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  names(), queues(), noncanonical(), packets(), hangups(), settings();
  int a, b;
  char name[32];
  show("openpty", openpty(&a, &b, name, NULL, &(struct winsize){5, 6, 0, 0}));
  show("and its name", strcmp(ttyname(b), name));
  show("ioctl of no terminal", ERR(ioctl(open("/dev/null", O_RDWR), TCGETS, &a)));
  show("no controlling terminal", ERR(open("/dev/tty", O_RDWR)) == 0 || errno == ENXIO);
}
