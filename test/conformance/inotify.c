// inotify: which events a change causes, where, in which order; rename pairs, flags of watches, reading, overflow, errors.
#include "check.h"

static int n, other;
static char b[1 << 16];
static unsigned cookies[64], cookie_count;
static int cookie_number(unsigned cookie) {
  if (cookie == 0) return 0;
  for (int i = 0; i < cookie_count; i++)
    if (cookies[i] == cookie) return i + 1;
  cookies[cookie_count++ % 64] = cookie;
  return cookie_count;
}
static const char *names[] = {"ACCESS", "MODIFY", "ATTRIB", "CLOSE_WRITE", "CLOSE_NOWRITE", "OPEN", "MOVED_FROM", "MOVED_TO", "CREATE", "DELETE", "DELETE_SELF", "MOVE_SELF", "?", "UNMOUNT", "Q_OVERFLOW", "IGNORED"};
/** Everything there is to read. */
static void events(int fd, const char *what) {
  printf("%s:", what);
  ssize_t k;
  while ((k = read(fd, b, sizeof b)) > 0)
    for (char *p = b; p < b + k;) {
      struct inotify_event *e = (void *)p;
      printf(" %d", e->wd);
      for (int i = 0; i < 16; i++)
        if (e->mask & 1 << i) printf("%s%s", "=", names[i]);
      if (e->mask & IN_ISDIR) printf("+");
      if (e->cookie) printf("#%d", cookie_number(e->cookie));
      if (e->len) printf("(%s)%s", e->name[0] == '#' ? "#" : e->name, e->len % 16 ? "!" : "");
      p += sizeof *e + e->len;
    }
  puts(k < 0 && errno != EAGAIN ? strerrorname_np(errno) : "");
}
#define DO(call) \
  do { \
    long r_ = (long)(call); \
    if (r_ < 0) printf("%s ", strerrorname_np(errno)); \
    events(n, #call); \
  } while (0)

static void files(void) {
  int f;
  R(inotify_add_watch(n, ".", IN_ALL_EVENTS));
  DO(f = open("a", O_RDWR | O_CREAT, 0644));
  DO(write(f, "hello", 5));
  DO(write(f, "", 0));
  DO(pread(f, b, 3, 0));
  DO(read(f, b, 3));
  DO(ftruncate(f, 2));
  DO(ftruncate(f, 2));
  DO(fchmod(f, 0600));
  DO(fchown(f, getuid(), getgid()));
  DO(futimens(f, NULL));
  struct timespec t[2] = {{5, 0}, {0, UTIME_OMIT}};
  DO(futimens(f, t));
  t[0].tv_nsec = UTIME_OMIT, t[1].tv_nsec = 7;
  DO(futimens(f, t));
  t[1].tv_nsec = UTIME_OMIT;
  DO(futimens(f, t));
  DO(fsetxattr(f, "user.x", "1", 1, 0));
  DO(fremovexattr(f, "user.x"));
  DO(posix_fallocate(f, 0, 10));
  DO(lseek(f, 0, SEEK_SET));
  DO(fstat(f, (void *)b));
  DO(close(dup(f)));
  DO(close(f));
  DO(close(open("a", O_RDONLY)));
  DO(close(open("a", O_WRONLY)));
  DO(close(open("a", O_WRONLY | O_TRUNC)));
  DO(close(open("a", O_PATH)));
  DO(open("nosuch", O_RDONLY));
  DO(open("a", O_CREAT | O_EXCL, 0600));
  DO(truncate("a", 5));
  DO(chmod("a", 0644));
  DO(chown("a", -1, -1));
  DO(access("a", R_OK));
  DO(stat("a", (void *)b));
  DO(link("a", "b"));
  DO(unlink("b"));
  DO(symlink("a", "l"));
  DO(readlink("l", b, 10));
  DO(close(open("l", O_RDONLY)));
  DO(lchown("l", getuid(), getgid()));
  DO(unlink("l"));
  DO(mkfifo("p", 0600));
  DO(mknod("s", S_IFSOCK | 0600, 0));
  DO(unlink("p"));
  DO(unlink("s"));
  DO(f = open("a", O_RDONLY));
  DO(unlink("a"));
  DO(read(f, b, 1));
  DO(close(f));
  int g = open(".", O_TMPFILE | O_RDWR, 0600);
  events(n, "tmpfile");
  DO(write(g, "x", 1));
  char path[64];
  sprintf(path, "/proc/self/fd/%d", g);
  DO(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
  DO(write(g, "y", 1));
  DO(close(g));
  f = open("named", O_RDWR), g = open("copy", O_RDWR | O_CREAT, 0600);
  events(n, "opened");
  DO(copy_file_range(f, 0, g, 0, 2, 0));
  off_t off = 0;
  DO(sendfile(g, f, &off, 1));
  DO(close(f));
  DO(close(g));
  DO(unlink("copy"));
  DO(unlink("named"));
}

static void directories(void) {
  DO(mkdir("d", 0755));
  R(inotify_add_watch(n, "d", IN_ALL_EVENTS));
  DO(mkdir("d/e", 0755));
  DO(close(open("d/f", O_CREAT | O_WRONLY, 0600)));
  DIR *dir = opendir("d");
  events(n, "opendir");
  DO(readdir(dir) == NULL);
  DO(closedir(dir));
  DO(chmod("d", 0700));
  DO(rename("d/f", "d/g"));
  DO(rename("d/g", "h"));
  DO(rename("h", "d/f"));
  DO(rename("d/e", "e"));
  DO(rename("e", "d/e"));
  DO(rename("d", "dd"));
  DO(rename("dd", "d"));
  DO(put("d/x", "x"));
  DO(rename("d/x", "d/f"));
  DO(put("y", "y"));
  DO(renameat2(AT_FDCWD, "y", AT_FDCWD, "d/f", RENAME_EXCHANGE));
  DO(renameat2(AT_FDCWD, "y", AT_FDCWD, "d/e", RENAME_EXCHANGE));
  DO(renameat2(AT_FDCWD, "y", AT_FDCWD, "d/e", RENAME_EXCHANGE));
  DO(rename("d/f", "d/f"));
  DO(unlink("y"));
  DO(unlink("d/f"));
  DO(rmdir("d/e"));
  DO(rmdir("d"));
  DO(mkdir("d", 0755));
  DO(rmdir("d"));
}

static void selves(void) {
  DO(put("a", "text"));
  R(inotify_add_watch(n, "a", IN_ALL_EVENTS));
  R(inotify_add_watch(n, "./a", IN_ALL_EVENTS));
  DO(close(open("a", O_RDONLY)));
  DO(link("a", "b"));
  R(inotify_add_watch(n, "b", IN_ALL_EVENTS));
  DO(put("b", "new"));
  DO(unlink("a"));
  DO(rename("b", "c"));
  DO(put("v", "victim"));
  R(inotify_add_watch(n, "v", IN_ALL_EVENTS));
  DO(rename("c", "v"));
  int f = open("v", O_RDONLY);
  events(n, "open");
  DO(unlink("v"));
  DO(close(f));
  DO(mkdir("d", 0755));
  R(inotify_add_watch(n, "d", IN_ALL_EVENTS));
  f = open("d", O_RDONLY);
  events(n, "open");
  DO(rmdir("d"));
  DO(close(f));
}

static void flags(void) {
  int w;
  put("a", "a"), mkdir("d", 0755), symlink("a", "l");
  R(inotify_rm_watch(n, 1));
  events(n, "removed");
  R(inotify_rm_watch(n, 1));
  R(w = inotify_add_watch(n, "d", IN_CREATE));
  DO(touch("d/1", 0600));
  R(inotify_add_watch(n, "d", IN_DELETE | IN_MASK_ADD) == w);
  DO(touch("d/2", 0600));
  DO(unlink("d/1"));
  R(inotify_add_watch(n, "d", IN_DELETE) == w);
  DO(touch("d/3", 0600));
  DO(unlink("d/2"));
  R(inotify_add_watch(n, "d", IN_CREATE | IN_MASK_CREATE));
  R(inotify_add_watch(n, "d", IN_CREATE | IN_MASK_CREATE | IN_MASK_ADD));
  R(inotify_add_watch(n, "d", IN_MODIFY | IN_ONESHOT) == w);
  DO(put("d/3", "x"));
  DO(put("d/3", "y"));
  R(inotify_add_watch(n, "a", IN_ONLYDIR | IN_OPEN));
  R(w = inotify_add_watch(n, "d", IN_ONLYDIR | IN_OPEN));
  DO(inotify_rm_watch(n, w));
  R(w = inotify_add_watch(n, "l", IN_DONT_FOLLOW | IN_ALL_EVENTS));
  DO(close(open("l", O_RDONLY)));
  DO(lchown("l", getuid(), getgid()));
  DO(unlink("l"));
  R(w = inotify_add_watch(n, "d", IN_EXCL_UNLINK | IN_ALL_EVENTS));
  int f = open("d/3", O_RDWR);
  events(n, "open");
  DO(unlink("d/3"));
  DO(write(f, "z", 1));
  DO(close(f));
  R(inotify_add_watch(n, "d", 0));
  R(inotify_add_watch(n, "d", 0x00100000));
  R(inotify_add_watch(n, "d", IN_ISDIR) == w);
  R(inotify_add_watch(n, "nosuch", IN_OPEN));
  R(inotify_add_watch(n, "a/b", IN_OPEN));
  R(inotify_add_watch(n, "", IN_OPEN));
  R(inotify_add_watch(n, BAD, IN_OPEN));
  R(inotify_add_watch(99, "d", IN_OPEN));
  R(inotify_add_watch(99, "d", 0));
  R(inotify_add_watch(0, "d", IN_OPEN));
  R(inotify_rm_watch(n, -1));
  R(inotify_rm_watch(n, 999));
  R(inotify_rm_watch(99, 1));
  R(inotify_rm_watch(0, 1));
  R(inotify_rm_watch(n, w));
  events(n, "removed");
}

static void reading(void) {
  int w, k;
  R(inotify_init1(4));
  R(fcntl(n, F_GETFL));
  R(fcntl(n, F_GETFD));
  R(read(n, b, 100));
  R(write(n, b, 16));
  R(lseek(n, 0, SEEK_SET));
  w = inotify_add_watch(n, "d", IN_CREATE);
  struct pollfd one = {n, POLLIN | POLLOUT, 0};
  R(poll(&one, 1, 0));
  touch("d/name", 0600), touch("d/longername-0123456789", 0600), mkdir("d/sub", 0700);
  R(poll(&one, 1, 0));
  R(one.revents);
  R(ioctl(n, FIONREAD, &k));
  R(k);
  R(read(n, b, 0));
  R(read(n, b, 15));
  R(read(n, b, 16));
  R(read(n, b, 31));
  R(read(n, b, 32));
  R(read(n, b, 60));
  R(ioctl(n, FIONREAD, &k));
  R(k);
  R(read(n, BAD, 100));
  events(n, "the rest");
  unlink("d/name"), touch("d/name", 0600), unlink("d/name"), touch("d/name", 0600);
  events(n, "the same twice is one");
  R(inotify_add_watch(n, "d", IN_MODIFY) == w);
  int f = open("d/name", O_WRONLY);
  write(f, "1", 1), write(f, "2", 1), write(f, "3", 1), close(f);
  events(n, "the same again");
  fcntl(n, F_SETFL, 0);
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    _exit(write(open("d/name", O_WRONLY), "x", 1) != 1);
  }
  k = read(n, b, sizeof b);
  R(((struct inotify_event *)b)->mask);
  R(k);
  waitpid(pid, NULL, 0);
  fcntl(n, F_SETFL, O_NONBLOCK);
  events(n, "what else");
  // one process's changes are told to every instance that watches
  other = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  inotify_add_watch(other, "d", IN_ALL_EVENTS);
  put("d/name", "both");
  events(n, "first");
  events(other, "second");
  close(other);
  R(inotify_rm_watch(n, w));
  events(n, "removed");
}

static void overflow(void) {
  int w = inotify_add_watch(n, "d", IN_ATTRIB), total = 0, last = 0, k;
  put("d/a", ""), put("d/b", "");
  for (int i = 0; i < 16500; i++) chmod(i & 1 ? "d/a" : "d/b", 0600);
  while ((k = read(n, b, sizeof b)) > 0)
    for (char *p = b; p < b + k; total++) {
      struct inotify_event *e = (void *)p;
      last = e->mask;
      if (e->mask & IN_Q_OVERFLOW) R(e->wd);
      p += sizeof *e + e->len;
    }
  R(total);
  R(last);
  DO(chmod("d/a", 0600));
  inotify_rm_watch(n, w);
  events(n, "removed");
}

static void run(void) {
  n = inotify_init1(IN_NONBLOCK);
  files();
  directories();
  selves();
  flags();
  reading();
  overflow();
  syscall(SYS_close_range, 3, ~0u, 0);
}
int main(void) {
  everywhere(run);
  return 0;
}
