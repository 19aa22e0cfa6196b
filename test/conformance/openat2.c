// openat2: the structure's rules, and every RESOLVE_ flag against paths that leave, links, mounts and magic links.
#include "check.h"

#define OPEN(dir, path, ...) \
  do { \
    struct open_how how = {__VA_ARGS__}; \
    errno = 0; \
    int fd = syscall(SYS_openat2, dir, path, &how, sizeof how); \
    printf("%s " #__VA_ARGS__ " = %s\n", (char *)path, fd < 0 ? strerrorname_np(errno) : "open"); \
    if (fd >= 0) close(fd); \
  } while (0)

static void shapes(void) {
  struct open_how how = {.flags = O_RDONLY};
  char big[4200] = {0};
  *(struct open_how *)big = how;
  R(syscall(SYS_openat2, AT_FDCWD, "x", &how, 0));
  R(syscall(SYS_openat2, AT_FDCWD, "x", &how, 23));
  R(syscall(SYS_openat2, AT_FDCWD, "x", BAD, 23));
  R(syscall(SYS_openat2, AT_FDCWD, "x", BAD, 24));
  R(syscall(SYS_openat2, AT_FDCWD, "x", NULL, 24));
  R(syscall(SYS_openat2, AT_FDCWD, BAD, &how, 24));
  R(syscall(SYS_openat2, AT_FDCWD, "x", big, 25) >= 0);
  R(syscall(SYS_openat2, AT_FDCWD, "x", big, 4096) >= 0);
  R(syscall(SYS_openat2, AT_FDCWD, "x", big, 4097));
  R(syscall(SYS_openat2, AT_FDCWD, "x", big, -1L));
  big[40] = 1;
  R(syscall(SYS_openat2, AT_FDCWD, "x", big, 40) >= 0);
  R(syscall(SYS_openat2, AT_FDCWD, "x", big, 41));
  R(syscall(SYS_openat2, 99, "x", &how, 24));
  R(syscall(SYS_openat2, 99, "/", &how, 24) >= 0);
  OPEN(AT_FDCWD, "x", .flags = 0x80000000ul);
  OPEN(AT_FDCWD, "x", .flags = 1ul << 40);
  OPEN(AT_FDCWD, "x", .flags = O_LARGEFILE);
  OPEN(AT_FDCWD, "x", .flags = O_RDONLY, .mode = 0600);
  OPEN(AT_FDCWD, "n1", .flags = O_RDWR | O_CREAT, .mode = 0600);
  OPEN(AT_FDCWD, "n2", .flags = O_RDWR | O_CREAT, .mode = 010000);
  OPEN(AT_FDCWD, "n2", .flags = O_RDWR | O_CREAT, .mode = -1);
  OPEN(AT_FDCWD, "n1", .flags = O_RDWR | O_CREAT | O_EXCL, .mode = 0600);
  OPEN(AT_FDCWD, "x", .flags = O_PATH | O_RDWR);
  OPEN(AT_FDCWD, "x", .flags = O_PATH | O_CREAT);
  OPEN(AT_FDCWD, "x", .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC);
  OPEN(AT_FDCWD, "x", .flags = O_PATH | O_LARGEFILE);
  OPEN(AT_FDCWD, ".", .flags = O_TMPFILE | O_RDWR, .mode = 0600);
  OPEN(AT_FDCWD, ".", .flags = O_TMPFILE | O_RDONLY, .mode = 0600);
  OPEN(AT_FDCWD, ".", .flags = (O_TMPFILE & ~O_DIRECTORY) | O_RDWR, .mode = 0600);
  OPEN(AT_FDCWD, ".", .flags = O_DIRECTORY | O_CREAT, .mode = 0600);
  OPEN(AT_FDCWD, "x", .resolve = 0x40);
  OPEN(AT_FDCWD, "x", .resolve = 1ul << 40);
  OPEN(AT_FDCWD, "x", .resolve = RESOLVE_BENEATH | RESOLVE_IN_ROOT);
}

static void beneath(int dir, unsigned long resolve) {
  printf("resolve %lx\n", resolve);
  OPEN(dir, "in", .resolve = resolve);
  OPEN(dir, "./in", .resolve = resolve);
  OPEN(dir, ".", .resolve = resolve);
  OPEN(dir, "..", .resolve = resolve);
  OPEN(dir, "../x", .resolve = resolve);
  OPEN(dir, "deep/../in", .resolve = resolve);
  OPEN(dir, "deep/../../x", .resolve = resolve);
  OPEN(dir, "deep/..", .resolve = resolve);
  OPEN(dir, "/", .resolve = resolve);
  OPEN(dir, "/in", .resolve = resolve);
  OPEN(dir, "/etc", .resolve = resolve);
  OPEN(dir, "nosuch", .resolve = resolve);
  OPEN(dir, "nosuch/../..", .resolve = resolve);
  OPEN(dir, "", .resolve = resolve);
  OPEN(dir, "inlink", .resolve = resolve);
  OPEN(dir, "outlink", .resolve = resolve);
  OPEN(dir, "abslink", .resolve = resolve);
  OPEN(dir, "rootlink", .resolve = resolve);
  OPEN(dir, "rootlink/in", .resolve = resolve);
  OPEN(dir, "rootinlink", .resolve = resolve);
  OPEN(dir, "uplink", .resolve = resolve);
  OPEN(dir, "uplink/x", .resolve = resolve);
  OPEN(dir, "deeplink", .resolve = resolve);
  OPEN(dir, "deeplink/../in", .resolve = resolve);
  OPEN(dir, "deeplink", .flags = O_NOFOLLOW, .resolve = resolve);
  OPEN(dir, "deeplink", .flags = O_PATH | O_NOFOLLOW, .resolve = resolve);
  OPEN(dir, "dangling", .resolve = resolve);
  OPEN(dir, "dangling", .flags = O_CREAT | O_RDWR, .mode = 0600, .resolve = resolve);
  OPEN(dir, "loop", .resolve = resolve);
  OPEN(dir, "magic", .resolve = resolve);
  OPEN(dir, "made", .flags = O_CREAT | O_RDWR, .mode = 0600, .resolve = resolve);
  OPEN(dir, "../made", .flags = O_CREAT | O_RDWR, .mode = 0600, .resolve = resolve);
  OPEN(dir, "outdangling", .flags = O_CREAT | O_RDWR, .mode = 0600, .resolve = resolve);
  OPEN(dir, "deep", .flags = O_TMPFILE | O_RDWR, .mode = 0600, .resolve = resolve);
  OPEN(dir, "..", .flags = O_TMPFILE | O_RDWR, .mode = 0600, .resolve = resolve);
  unlinkat(dir, "made", 0), unlinkat(dir, "../made", 0), unlinkat(dir, "here", 0), unlinkat(dir, "../away", 0);
}

static void mounts(void) {
  OPEN(AT_FDCWD, "/proc/self", .resolve = RESOLVE_NO_XDEV);
  OPEN(AT_FDCWD, "/proc", .resolve = RESOLVE_NO_XDEV);
  OPEN(AT_FDCWD, "/usr", .resolve = RESOLVE_NO_XDEV);
  int proc = open("/proc", O_PATH);
  OPEN(proc, "version", .resolve = RESOLVE_NO_XDEV);
  OPEN(proc, "self/status", .resolve = RESOLVE_NO_XDEV);
  OPEN(proc, "self/cwd", .resolve = RESOLVE_NO_XDEV);
  OPEN(proc, "self/cwd/x", .resolve = 0);
  OPEN(proc, "self/cwd/x", .resolve = RESOLVE_NO_MAGICLINKS);
  OPEN(proc, "self/cwd/x", .resolve = RESOLVE_NO_SYMLINKS);
  OPEN(proc, "self/cwd", .flags = O_PATH | O_NOFOLLOW, .resolve = RESOLVE_NO_MAGICLINKS);
  OPEN(proc, "self/cwd", .flags = O_NOFOLLOW, .resolve = RESOLVE_NO_MAGICLINKS);
  OPEN(proc, "self/exe", .resolve = RESOLVE_BENEATH);
  OPEN(proc, "self/exe", .resolve = RESOLVE_IN_ROOT);
  OPEN(proc, "self/exe", .resolve = RESOLVE_NO_XDEV);
  OPEN(proc, "self/status", .resolve = RESOLVE_NO_SYMLINKS);
  OPEN(proc, "..", .resolve = RESOLVE_NO_XDEV);
  OPEN(proc, "..", .resolve = RESOLVE_BENEATH);
  OPEN(proc, "/", .resolve = RESOLVE_NO_XDEV);
  OPEN(proc, "/version", .resolve = RESOLVE_IN_ROOT);
  close(proc);
  OPEN(AT_FDCWD, "x", .resolve = RESOLVE_NO_SYMLINKS);
  OPEN(AT_FDCWD, "link", .resolve = RESOLVE_NO_SYMLINKS);
  OPEN(AT_FDCWD, "link", .flags = O_NOFOLLOW, .resolve = RESOLVE_NO_SYMLINKS);
  OPEN(AT_FDCWD, "link", .flags = O_PATH | O_NOFOLLOW, .resolve = RESOLVE_NO_SYMLINKS);
  OPEN(AT_FDCWD, "sublink/in", .resolve = RESOLVE_NO_SYMLINKS);
  OPEN(AT_FDCWD, "n3", .flags = O_CREAT | O_RDWR, .mode = 0600, .resolve = RESOLVE_CACHED);
  OPEN(AT_FDCWD, "x", .flags = O_TRUNC | O_RDWR, .resolve = RESOLVE_CACHED);
}

static void run(void) {
  put("x", "x"), mkdir("sub", 0755), put("sub/in", "in"), mkdir("sub/deep", 0755);
  symlink("x", "link"), symlink("sub", "sublink");
  symlink("in", "sub/inlink"), symlink("../x", "sub/outlink"), symlink("/etc/passwd", "sub/abslink");
  symlink("/", "sub/rootlink"), symlink("/in", "sub/rootinlink"), symlink("..", "sub/uplink"), symlink("deep", "sub/deeplink");
  symlink("here", "sub/dangling"), symlink("../away", "sub/outdangling"), symlink("loop", "sub/loop"), symlink("/proc/self/cwd", "sub/magic");
  shapes();
  int dir = open("sub", O_PATH);
  static const unsigned long flags[] = {0, RESOLVE_BENEATH, RESOLVE_IN_ROOT, RESOLVE_NO_SYMLINKS, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_XDEV,
                                        RESOLVE_BENEATH | RESOLVE_NO_XDEV, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
  for (int i = 0; i < sizeof flags / sizeof *flags; i++) beneath(dir, flags[i]);
  mounts();
  syscall(SYS_close_range, 3, ~0u, 0);
}
int main(void) {
  everywhere(run);
  return 0;
}
