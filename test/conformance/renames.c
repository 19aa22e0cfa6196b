// rename, renameat2 with its flags, and what directories, links and open files make of it.
#include "check.h"

static struct stat st;
static char b[300];
static void tree(void) {
  mkdir("d", 0755), mkdir("d/sub", 0755), mkdir("e", 0755), mkdir("empty", 0755);
  put("f", "f"), put("g", "g"), put("d/in", "in"), symlink("f", "l"), symlink("d", "dl"), symlink("nosuch", "dead");
}
static long nlink_of(const char *path) { return stat(path, &st) < 0 ? -1 : st.st_nlink; }
static char first(const char *path) {
  char c = '?';
  int fd = open(path, O_RDONLY);
  read(fd, &c, 1);
  close(fd);
  return c;
}

static void plain(void) {
  R(rename("f", "f"));
  R(rename("f", "f/"));
  R(rename("f/", "f2"));
  R(rename("f", "f2/"));
  R(rename("d/", "d2/"));
  R(rename("d2", "d"));
  R(rename("nosuch", "f"));
  R(rename("nosuch", "nosuch2"));
  R(rename("", "f"));
  R(rename("f", ""));
  R(rename(BAD, "f"));
  R(rename("f", BAD));
  R(rename(".", "z"));
  R(rename("..", "z"));
  R(rename("f", "."));
  R(rename("f", ".."));
  R(rename("d/.", "z"));
  R(rename("d", "d/sub/z"));
  R(rename("d", "d/z"));
  R(rename("d", "d"));
  R(rename("d/sub", "d"));
  R(rename("d", "d/sub"));
  R(rename("f", "d"));
  R(rename("d", "f"));
  R(rename("empty", "d"));
  R(rename("f", "f/x"));
  R(rename("f", "g/x"));
  R(rename("f/x", "g"));
  R(rename("f", "nosuch/x"));
  R(rename("f", "/proc/x"));
  R(rename("/proc/self", "x"));
  if (place == 0) {
    R(rename("/", "x"));
    R(rename("x", "/"));
    R(rename("f", "/"));
  }
  R(rename("dl/", "z"));
  R(rename("dl", "d3"));
  R(rename("d3", "dl"));
  R(rename("f", "dead"));
  R(lstat("dead", &st));
  R(S_ISREG(st.st_mode));
  R(rename("dead", "f"));
  R(rename("d", "empty"));
  R(access("empty/in", F_OK));
  R(rename("empty", "d"));
  R(mkdir("empty", 0755));
  memset(b, 'n', 256);
  R(rename("f", b));
  b[255] = 0;
  R(rename("f", b));
  R(rename(b, "f"));
}

static void hard(void) {
  R(link("f", "f2"));
  R(rename("f", "f2"));
  R(access("f", F_OK));
  R(nlink_of("f2"));
  R(unlink("f2"));
  int fd = open("g", O_RDWR);
  R(link("g", "g2"));
  R(rename("f", "g"));
  R(fstat(fd, &st));
  R(st.st_nlink);
  R(first("g2"));
  R(rename("g2", "g"));
  R(nlink_of("g"));
  R(rename("g", "d/g"));
  R(write(fd, "w", 1));
  R(first("d/g"));
  R(rename("d/g", "f"));
  R(put("g", "g"));
  R(unlink("f"));
  R(fstat(fd, &st));
  R(st.st_nlink);
  R(put("f", "f"));
  close(fd);
  R(nlink_of("."));
  R(nlink_of("d"));
  R(rename("d/sub", "e/sub"));
  R(nlink_of("d"));
  R(nlink_of("e"));
  R(mkdir("d/sub", 0755));
  R(rename("e/sub", "d/sub"));
  R(nlink_of("d"));
  R(nlink_of("e"));
  R(chdir("d/sub"));
  R(rename("../../d", "../../moved"));
  R(getcwd(b, sizeof b) != NULL);
  R(strstr(b, "/moved/sub") != NULL);
  R(open("../in", O_RDONLY) >= 0);
  R(rename("../../moved", "../../d"));
  R(chdir("../.."));
}

static void flags(void) {
  R(renameat2(AT_FDCWD, "f", AT_FDCWD, "g", RENAME_NOREPLACE));
  R(renameat2(AT_FDCWD, "f", AT_FDCWD, "f", RENAME_NOREPLACE));
  R(renameat2(AT_FDCWD, "f", AT_FDCWD, "new", RENAME_NOREPLACE));
  R(renameat2(AT_FDCWD, "new", AT_FDCWD, "dead", RENAME_NOREPLACE));
  R(renameat2(AT_FDCWD, "new", AT_FDCWD, ".", RENAME_NOREPLACE));
  R(renameat2(AT_FDCWD, "nosuch", AT_FDCWD, "g", RENAME_NOREPLACE));
  R(renameat2(AT_FDCWD, "new", AT_FDCWD, "f", 0));
  R(renameat2(AT_FDCWD, "f", AT_FDCWD, "g", RENAME_EXCHANGE));
  R(first("f"));
  R(first("g"));
  R(renameat2(AT_FDCWD, "f", AT_FDCWD, "f", RENAME_EXCHANGE));
  R(renameat2(AT_FDCWD, "f", AT_FDCWD, "nosuch", RENAME_EXCHANGE));
  R(renameat2(AT_FDCWD, "nosuch", AT_FDCWD, "f", RENAME_EXCHANGE));
  R(renameat2(AT_FDCWD, "f", AT_FDCWD, "d", RENAME_EXCHANGE));
  R(stat("f", &st));
  R(S_ISDIR(st.st_mode));
  R(nlink_of("."));
  R(renameat2(AT_FDCWD, "f", AT_FDCWD, "d", RENAME_EXCHANGE));
  R(renameat2(AT_FDCWD, "d/sub", AT_FDCWD, "g", RENAME_EXCHANGE));
  R(nlink_of("."));
  R(nlink_of("d"));
  R(renameat2(AT_FDCWD, "d/sub", AT_FDCWD, "g", RENAME_EXCHANGE));
  R(renameat2(AT_FDCWD, "d", AT_FDCWD, "d/sub", RENAME_EXCHANGE));
  R(renameat2(AT_FDCWD, "d/sub", AT_FDCWD, "d", RENAME_EXCHANGE));
  R(renameat2(AT_FDCWD, "d", AT_FDCWD, "l", RENAME_EXCHANGE));
  R(renameat2(AT_FDCWD, "d", AT_FDCWD, "l", RENAME_EXCHANGE));
  R(renameat2(AT_FDCWD, "f/", AT_FDCWD, "d", RENAME_EXCHANGE));
  R(renameat2(AT_FDCWD, "f", AT_FDCWD, "d/", RENAME_EXCHANGE));
  R(renameat2(AT_FDCWD, "f", AT_FDCWD, "d", RENAME_EXCHANGE));
  R(renameat2(AT_FDCWD, "f", AT_FDCWD, "g", RENAME_EXCHANGE | RENAME_NOREPLACE));
  R(renameat2(AT_FDCWD, "f", AT_FDCWD, "g", RENAME_EXCHANGE | RENAME_WHITEOUT));
  R(renameat2(AT_FDCWD, "f", AT_FDCWD, "g", 8));
  R(renameat2(AT_FDCWD, "f", AT_FDCWD, "/proc/x", RENAME_EXCHANGE));
  R(renameat2(99, "f", AT_FDCWD, "g", 0));
  R(renameat2(AT_FDCWD, "f", 99, "g", 0));
  int fd = open("g", O_RDONLY);
  R(renameat2(fd, "f", AT_FDCWD, "g", 0));
  R(renameat2(AT_FDCWD, "f", fd, "g", 0));
  close(fd);
}

static void run(void) {
  tree();
  plain();
  hard();
  flags();
  syscall(SYS_close_range, 3, ~0u, 0);
}
int main(void) {
  everywhere(run);
  return 0;
}
