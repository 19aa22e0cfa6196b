// What conformance programs about files share: R prints a call as written, its result and errno's name; everywhere() runs a subject in
// a scratch directory of its own below the working directory (copy-on-write over the host's files, in a machine) and one below /tmp.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif
#define BAD ((void *)8) // an address nothing is mapped at
#define R(call) \
  do { \
    errno = 0; \
    long result_ = (long)(call); \
    printf("%s = %ld%s%s\n", #call, result_, result_ < 0 ? " " : "", result_ < 0 ? strerrorname_np(errno) : ""); \
  } while (0)

static int touch(const char *path, int mode) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
  return fd < 0 ? fd : close(fd);
}
static int put(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  return fd < 0 || write(fd, text, strlen(text)) < 0 ? -1 : close(fd);
}
/** Run in a child → its exit code, or 128 + the signal. */
static int child(int (*body)(void)) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) _exit(body());
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
    ;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) { return remove(path); }
/** 0: below the working directory; 1: below /tmp, in a machine another file system than /. */
static int place;
static void everywhere(void (*run)(void)) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  syscall(SYS_close_range, 3, ~0u, 0);
  umask(022);
  char here[PATH_MAX];
  if (getcwd(here, sizeof here) == NULL) exit(1);
  const char *places[] = {here, "/tmp"};
  for (place = 0; place < 2; place++) {
    char dir[PATH_MAX];
    snprintf(dir, sizeof dir, "%s/mol-XXXXXX", places[place]);
    if (mkdtemp(dir) == NULL || chdir(dir) < 0) exit(1);
    printf("-- place %d\n", place);
    run();
    if (chdir(here) < 0) exit(1);
    nftw(dir, remove_one, 32, FTW_DEPTH | FTW_PHYS);
  }
}
