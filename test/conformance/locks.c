// Advisory locks: ranges, conversions, who holds what, waiting, deadlocks, flock, open-file-description locks, leases.
#include "check.h"

static int f, g, gate[2], ready[2];
static char b[64];

static struct flock range(int type, int whence, long start, long len) {
  return (struct flock){.l_type = type, .l_whence = whence, .l_start = start, .l_len = len};
}
static int lock(int fd, int cmd, int type, long start, long len) {
  struct flock l = range(type, SEEK_SET, start, len);
  return fcntl(fd, cmd, &l);
}
/** What another process sees in the way of a write lock on each of these bytes. */
static int look(void) {
  for (int i = 0; i < 12; i++) {
    struct flock l = range(F_WRLCK, SEEK_SET, i * 5, 5);
    fcntl(f, F_GETLK, &l);
    if (l.l_type == F_UNLCK) printf(" -");
    else printf(" %c%ld+%ld%s", l.l_type == F_RDLCK ? 'r' : 'w', (long)l.l_start, (long)l.l_len, l.l_pid == getppid() ? "" : l.l_pid == -1 ? "o" : "?");
  }
  puts("");
  return 0;
}

static void ranges(void) {
  R(lock(f, F_SETLK, F_WRLCK, 0, 10));
  child(look);
  R(lock(f, F_SETLK, F_WRLCK, 10, 10));
  child(look);
  R(lock(f, F_SETLK, F_UNLCK, 5, 5));
  child(look);
  R(lock(f, F_SETLK, F_RDLCK, 8, 4));
  child(look);
  R(lock(f, F_SETLK, F_RDLCK, 40, 0));
  child(look);
  R(lock(f, F_SETLK, F_UNLCK, 50, 3));
  child(look);
  R(lock(f, F_SETLK, F_WRLCK, 0, 0));
  child(look);
  R(lock(f, F_SETLK, F_UNLCK, 0, 0));
  child(look);
  struct flock l = range(F_WRLCK, SEEK_SET, 30, -10);
  R(fcntl(f, F_SETLK, &l));
  child(look);
  lseek(f, 5, SEEK_SET);
  l = range(F_WRLCK, SEEK_CUR, 0, 2);
  R(fcntl(f, F_SETLK, &l));
  l = range(F_WRLCK, SEEK_END, -5, 5);
  R(fcntl(f, F_SETLK, &l));
  child(look);
  l = range(F_WRLCK, SEEK_SET, 5, -10);
  R(fcntl(f, F_SETLK, &l));
  l = range(F_WRLCK, SEEK_END, -1000, 5);
  R(fcntl(f, F_SETLK, &l));
  l = range(F_WRLCK, SEEK_SET, LONG_MAX, 2);
  R(fcntl(f, F_SETLK, &l));
  l = range(F_WRLCK, SEEK_SET, 0, LONG_MAX);
  R(fcntl(f, F_SETLK, &l));
  l = range(F_WRLCK, SEEK_END, LONG_MAX, 1);
  R(fcntl(f, F_SETLK, &l));
  l = range(F_WRLCK, 3, 0, 1);
  R(fcntl(f, F_SETLK, &l));
  l = range(5, SEEK_SET, 0, 1);
  R(fcntl(f, F_SETLK, &l));
  R(fcntl(f, F_GETLK, &l));
  l = range(F_UNLCK, SEEK_SET, 0, 1);
  R(fcntl(f, F_GETLK, &l));
  R(fcntl(f, F_SETLK, BAD));
  R(fcntl(99, F_SETLK, BAD));
  R(lock(99, F_SETLK, F_WRLCK, 0, 1));
  R(lock(gate[0], F_SETLK, F_RDLCK, 0, 1));
  int r = open("f", O_RDONLY), w = open("f", O_WRONLY), p = open("f", O_PATH), d = open(".", O_RDONLY);
  R(lock(r, F_SETLK, F_WRLCK, 0, 1));
  R(lock(w, F_SETLK, F_RDLCK, 0, 1));
  R(lock(w, F_GETLK, F_RDLCK, 0, 1));
  R(lock(p, F_SETLK, F_WRLCK, 0, 1));
  R(lock(d, F_SETLK, F_RDLCK, 0, 1));
  R(lock(d, F_SETLK, F_WRLCK, 0, 1));
  close(p), close(d), close(w);
  R(lock(f, F_SETLK, F_WRLCK, 0, 10));
  close(r); // any descriptor of the file will do
  child(look);
}

static int inherit(void) {
  R(lock(f, F_SETLK, F_WRLCK, 0, 1));
  R(lock(f, F_SETLK, F_RDLCK, 0, 1));
  R(lock(f, F_SETLK, F_UNLCK, 0, 1));
  R(lock(f, F_SETLK, F_RDLCK, 20, 1));
  return 0;
}
/** Takes the lock its parent has, when that lets go. */
static int waiter(void) {
  write(ready[1], "x", 1);
  R(lock(f, F_SETLKW, F_WRLCK, 0, 10));
  R(lock(f, F_SETLK, F_WRLCK, 20, 10));
  return 0;
}
static void alarmed(int signo) {}
static int interrupted(void) {
  struct sigaction sa = {.sa_handler = alarmed};
  sigaction(SIGALRM, &sa, 0);
  struct itimerval t = {{0}, {0, 30000}};
  setitimer(ITIMER_REAL, &t, 0);
  R(lock(f, F_SETLKW, F_WRLCK, 0, 10));
  setitimer(ITIMER_REAL, &t, 0);
  R(flock(open("f", O_RDONLY), LOCK_EX));
  return 0;
}
/** Three processes in a circle: each has its own byte and waits for the next one's. Only the last to ask is refused. */
static void circle(void) {
  int go[3][2], said[2], n = 3;
  pipe(said);
  pid_t pids[3];
  for (int i = 0; i < n; i++) pipe(go[i]);
  fflush(stdout);
  for (int i = 0; i < n; i++) {
    if ((pids[i] = fork()) == 0) {
      char c;
      lock(f, F_SETLK, F_WRLCK, 100 + i, 1);
      write(said[1], "l", 1), read(go[i][0], &c, 1), write(said[1], "w", 1);
      int r = lock(f, F_SETLKW, F_WRLCK, 100 + (i + 1) % n, 1), e = errno;
      if (r < 0) printf("%d refused: %s\n", i, strerrorname_np(e)), fflush(stdout);
      _exit(0);
    }
  }
  char c;
  for (int i = 0; i < n; i++) read(said[0], &c, 1);
  for (int i = 0; i < n - 1; i++) {
    write(go[i][1], "g", 1), read(said[0], &c, 1);
    char path[64], state[512] = "";
    do {
      snprintf(path, sizeof path, "/proc/%d/stat", pids[i]);
      int s = open(path, O_RDONLY);
      int k = read(s, state, sizeof state - 1);
      state[k < 0 ? 0 : k] = 0, close(s);
    } while (strstr(state, ") S") == NULL); // it waits for the lock
  }
  write(go[n - 1][1], "g", 1);
  for (int i = 0; i < n; i++) waitpid(pids[i], NULL, 0);
  for (int i = 0; i < n; i++) close(go[i][0]), close(go[i][1]);
  close(said[0]), close(said[1]);
}
static void waiting(void) {
  R(lock(f, F_SETLK, F_UNLCK, 0, 0));
  R(lock(f, F_SETLK, F_WRLCK, 0, 10));
  R(child(inherit));
  R(child(interrupted));
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) _exit(waiter());
  read(ready[0], b, 1);
  int unlocked = lock(f, F_SETLK, F_UNLCK, 0, 10);
  waitpid(pid, NULL, 0);
  R(unlocked);
  R(lock(f, F_SETLK, F_WRLCK, 0, 10));
  circle();
}

static int flocker(void) {
  int h = open("f", O_RDONLY);
  R(flock(h, LOCK_SH | LOCK_NB));
  R(flock(h, LOCK_EX | LOCK_NB));
  R(flock(g, LOCK_EX | LOCK_NB));
  R(flock(g, LOCK_SH | LOCK_NB));
  return 0;
}
static void flocks(void) {
  int h = open("f", O_RDONLY), p = open("f", O_PATH);
  R(flock(g, LOCK_EX));
  R(flock(h, LOCK_SH | LOCK_NB));
  R(flock(h, LOCK_EX | LOCK_NB));
  R(flock(g, LOCK_SH));
  R(flock(h, LOCK_SH | LOCK_NB));
  R(flock(g, LOCK_EX | LOCK_NB));
  R(flock(h, LOCK_EX | LOCK_NB));
  R(flock(g, LOCK_UN));
  R(flock(h, LOCK_EX | LOCK_NB));
  R(flock(h, LOCK_UN));
  R(flock(g, LOCK_SH));
  R(child(flocker));
  R(flock(h, LOCK_SH | LOCK_EX));
  R(flock(h, 0));
  R(flock(h, LOCK_NB));
  R(flock(p, LOCK_SH));
  R(flock(99, LOCK_SH));
  R(flock(99, 77));
  R(flock(gate[0], LOCK_EX | LOCK_NB));
  R(flock(gate[0], LOCK_UN));
  int again = dup(h);
  R(flock(h, LOCK_UN));
  R(flock(g, LOCK_UN));
  R(flock(again, LOCK_EX));
  R(close(h));
  R(flock(g, LOCK_EX | LOCK_NB));
  R(close(again));
  R(flock(g, LOCK_EX | LOCK_NB));
  R(lock(f, F_SETLK, F_WRLCK, 0, 0));
  R(flock(g, LOCK_UN));
  close(p);
}

static int ofd_child(void) {
  R(lock(g, F_OFD_SETLK, F_WRLCK, 0, 5));
  R(lock(f, F_SETLK, F_WRLCK, 0, 5));
  R(lock(f, F_OFD_SETLK, F_RDLCK, 0, 5));
  return 0;
}
static void descriptions(void) {
  R(lock(f, F_SETLK, F_UNLCK, 0, 0));
  int h = open("f", O_RDWR), again = dup(g);
  R(lock(g, F_OFD_SETLK, F_WRLCK, 0, 10));
  R(lock(h, F_OFD_SETLK, F_WRLCK, 5, 1));
  R(lock(h, F_OFD_SETLK, F_RDLCK, 10, 5));
  R(lock(g, F_OFD_SETLK, F_RDLCK, 10, 5));
  R(lock(g, F_OFD_SETLK, F_WRLCK, 10, 5));
  R(lock(h, F_SETLK, F_WRLCK, 5, 1));
  R(lock(h, F_SETLK, F_RDLCK, 12, 1));
  struct flock l = range(F_WRLCK, SEEK_SET, 3, 1);
  R(fcntl(h, F_OFD_GETLK, &l));
  R(l.l_type);
  R(l.l_start);
  R(l.l_len);
  R(l.l_pid);
  R(fcntl(h, F_OFD_SETLK, &l));
  l.l_pid = 0;
  R(fcntl(h, F_OFD_SETLK, &l));
  R(child(ofd_child));
  R(close(again));
  R(lock(h, F_OFD_SETLK, F_RDLCK, 0, 1));
  R(lock(g, F_OFD_SETLK, F_UNLCK, 0, 0));
  R(lock(h, F_OFD_SETLK, F_WRLCK, 0, 0));
  R(lock(f, F_SETLK, F_UNLCK, 0, 0));
  R(lock(h, F_OFD_SETLK, F_WRLCK, 0, 0));
  child(look);
  R(close(h));
  child(look);
}

static void leases(void) {
  R(fcntl(f, F_GETLEASE));
  R(fcntl(f, F_SETLEASE, F_UNLCK));
  R(fcntl(99, F_GETLEASE));
  R(fcntl(f, F_SETLEASE, 77));
  int p = open("f", O_PATH);
  R(fcntl(p, F_GETLEASE));
  close(p);
}

static void run(void) {
  put("f", "0123456789012345678901234567890123456789");
  pipe(gate), pipe(ready);
  f = open("f", O_RDWR), g = open("f", O_RDWR);
  ranges();
  waiting();
  flocks();
  descriptions();
  leases();
  syscall(SYS_close_range, 3, ~0u, 0);
}
int main(void) {
  everywhere(run);
  return 0;
}
