// Random file operations over a small tree in the working directory: files SEED COUNT. Prints every call with its result, then the tree.
// The same seed makes the same calls, whatever they answer: so that outputs can be compared line by line.
#include "../conformance/check.h"

static unsigned long state;
static unsigned pick(unsigned n) {
  state = state * 6364136223846793005ul + 1442695040888963407ul;
  return (state >> 33) % n;
}
static const char *dirs[] = {"", "", "x/", "y/", "x/z/", "l/", "a/"};
static const char *leaves[] = {"a", "b", "c", "d", "x", "y", "z", "l", "base", "."};
static const char *name(void) {
  static char names[4][64];
  static int turn;
  char *to = names[turn++ % 4];
  snprintf(to, 64, "%s%s%s", dirs[pick(7)], leaves[pick(10)], pick(20) == 0 ? "/" : "");
  return to;
}
static int fd(void) { return 3 + pick(8); }
static char b[70000];
static long size(void) {
  static const long sizes[] = {0, 1, 7, 100, 4096, 5000, 40000, 65536};
  return sizes[pick(8)];
}

static void say(const char *what, const char *one, const char *two, long x, long y, long result) {
  printf("%s %s %s %lx %ld = %ld%s%s\n", what, one, two, x, y, result, result < 0 ? " " : "", result < 0 ? strerrorname_np(errno) : "");
}
static void show(const char *what, const char *path, int result, struct stat *st) {
  say(what, path, "", 0, 0, result);
  if (result == 0)
    printf("  %o links %ld size %ld\n", st->st_mode, (long)st->st_nlink, S_ISDIR(st->st_mode) ? 0 : (long)st->st_size);
}
static unsigned hash(const char *p, long n) {
  unsigned h = 5381;
  while (n-- > 0) h = h * 33 + (*p++ & 255);
  return h;
}
static int by_text(const void *a, const void *c) { return strcmp(*(char *const *)a, *(char *const *)c); }
/** The entries of an open directory from the start, sorted: their order is the file system's own. */
static void list(int d) {
  char *names[200];
  int n = 0;
  long k;
  lseek(d, 0, SEEK_SET);
  while ((k = getdents64(d, b, sizeof b)) > 0)
    for (long at = 0; at < k && n < 200;) {
      struct dirent64 *e = (void *)(b + at);
      asprintf(&names[n++], "%s:%d", e->d_name, e->d_type);
      at += e->d_reclen;
    }
  say("getdents64", "", "", d, 0, k);
  lseek(d, 0, SEEK_SET);
  qsort(names, n, sizeof *names, by_text);
  for (int i = 0; i < n; i++) printf("  %s", names[i]), free(names[i]);
  if (n) puts("");
}

static void open_one(void) {
  static const int access[] = {O_RDONLY, O_WRONLY, O_RDWR, O_RDWR};
  static const int more[] = {0, 0, O_CREAT, O_CREAT, O_CREAT | O_EXCL, O_TRUNC, O_CREAT | O_TRUNC, O_APPEND, O_CREAT | O_APPEND, O_DIRECTORY, O_NOFOLLOW, O_PATH, O_CLOEXEC};
  const char *path = name();
  int flags = access[pick(4)] | more[pick(13)] | O_NONBLOCK, mode = pick(8) * 0111 | 0600;
  int r = open(path, flags, mode);
  say("open", path, "", flags, mode, r);
  if (r > 10) close(r);
}
static void data(unsigned what) {
  int d = fd();
  long n = size(), at = size() + pick(3), r;
  for (long i = 0; i < n; i++) b[i] = i * 31 + state;
  switch (what) {
    case 0: r = read(d, b, n); break;
    case 1: r = write(d, b, n); break;
    case 2: r = pread(d, b, n, at); break;
    default: r = pwrite(d, b, n, at);
  }
  static const char *calls[] = {"read", "write", "pread", "pwrite"};
  say(calls[what], "", "", d, n, r);
  if (r > 0) printf("  %x\n", hash(b, r));
}
static void names_(unsigned what) {
  const char *one = name(), *two = name();
  struct stat st;
  int mode = pick(8) * 0111 | 0700;
  switch (what) {
    case 0: say("link", one, two, 0, 0, link(one, two)); break;
    case 1: say("unlink", one, "", 0, 0, unlink(one)); break;
    case 2: say("mkdir", one, "", mode, 0, mkdir(one, mode)); break;
    case 3: say("rmdir", one, "", 0, 0, rmdir(one)); break;
    case 4: say("symlink", one, two, 0, 0, symlink(one, two)); break;
    case 5: say("rename", one, two, 0, 0, rename(one, two)); break;
    case 6: {
      unsigned flags = pick(4);
      say("renameat2", one, two, flags, 0, renameat2(AT_FDCWD, one, AT_FDCWD, two, flags));
      break;
    }
    case 7: say("chmod", one, "", mode, 0, chmod(one, mode)); break;
    case 8: show("stat", one, stat(one, &st), &st); break;
    case 9: show("lstat", one, lstat(one, &st), &st); break;
    case 10: {
      long n = readlink(one, b, 100);
      say("readlink", one, "", 0, 0, n);
      if (n > 0) printf("  %.*s\n", (int)n, b);
      break;
    }
    default: {
      long n = size();
      say("truncate", one, "", n, 0, truncate(one, n));
    }
  }
}
static void descriptors(unsigned what) {
  int d = fd(), e = fd();
  long n = size();
  struct stat st;
  off_t from = size(), to = size();
  switch (what) {
    case 0: say("close", "", "", d, 0, close(d)); break;
    case 1: say("dup2", "", "", d, e, dup2(d, e)); break;
    case 2: {
      long at = n - (long)pick(2) * 50;
      int whence = pick(3);
      // how far a directory goes is its file system's business
      if (fstat(d, &st) == 0 && S_ISDIR(st.st_mode)) at = 0, whence = SEEK_SET;
      say("lseek", "", "", d, n, lseek(d, at, whence));
      break;
    }
    case 3: say("ftruncate", "", "", d, n, ftruncate(d, n)); break;
    case 4: show("fstat", "", fstat(d, &st), &st); break;
    case 5: list(d); break;
    case 6: say("F_GETFL", "", "", d, 0, fcntl(d, F_GETFL)); break;
    case 7: say("F_SETFL", "", "", d, 0, fcntl(d, F_SETFL, pick(2) ? O_APPEND : O_NONBLOCK)); break;
    case 8: say("sendfile", "", "", d, e, sendfile(d, e, pick(2) ? &from : NULL, n)); break;
    case 9: say("copy_file_range", "", "", d, e, copy_file_range(d, &from, e, &to, n, 0)); break;
    case 10: say("flock", "", "", d, 0, flock(d, (pick(2) ? LOCK_EX : LOCK_SH) | LOCK_NB)); break;
    default: say("fchmod", "", "", d, 0, fchmod(d, pick(8) * 0111 | 0600));
  }
}

static int dump_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
  static char line[6000];
  int n = snprintf(line, sizeof line, "%s %o %ld", path, st->st_mode, (long)st->st_nlink);
  if (S_ISREG(st->st_mode)) {
    int f = open(path, O_RDONLY);
    unsigned h = 0;
    for (long k; (k = read(f, b, sizeof b)) > 0;) h = h * 33 + hash(b, k);
    close(f);
    n += snprintf(line + n, sizeof line - n, " %ld %x", (long)st->st_size, h);
  } else if (S_ISLNK(st->st_mode)) {
    long k = readlink(path, b, 100);
    n += snprintf(line + n, sizeof line - n, " -> %.*s", (int)k, b);
  }
  write(11, line, n), write(11, "\n", 1);
  return 0;
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IOFBF, 1 << 16);
  syscall(SYS_close_range, 3, ~0u, 0);
  umask(022);
  state = strtoul(argv[1], NULL, 10) * 2654435761u + 1;
  for (int i = atoi(argv[2]); i > 0; i--) {
    unsigned kind = pick(10);
    if (kind < 2) open_one();
    else if (kind < 4) data(pick(4));
    else if (kind < 8) names_(pick(12));
    else descriptors(pick(12));
  }
  syscall(SYS_close_range, 3, ~0u, 0);
  fflush(stdout);
  // the walk meets entries in the file system's order: sort(1) puts them in ours
  int p[2];
  pipe(p);
  if (fork() == 0) {
    dup2(p[0], 0), close(p[0]), close(p[1]);
    execl("/usr/bin/sort", "sort", NULL);
    _exit(1);
  }
  dup2(p[1], 11), close(p[0]), close(p[1]);
  nftw(".", dump_one, 32, FTW_PHYS);
  close(11);
  wait(NULL);
  return 0;
}
