// Files and descriptors: every call's results and the errors one can provoke.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define ERR(call) ((call) < 0 ? errno : 0)
static void show(const char *name, int r) { printf("%s: %d\n", name, r); }

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  char dir[] = "/tmp/mol-files-XXXXXX", buffer[256];
  struct stat s;
  if (!mkdtemp(dir) || chdir(dir)) return 1;
  signal(SIGPIPE, SIG_IGN);
  show("open missing", ERR(open("nosuch", O_RDONLY)));
  show("open empty", ERR(open("", O_RDONLY)));
  show("open null", ERR(open(NULL, O_RDONLY)));
  show("open bad pointer", ERR(open((char *)1, O_RDONLY)));
  show("open directory for writing", ERR(open(".", O_WRONLY)));
  memset(buffer, 'n', 255), buffer[255] = 0;
  show("255 characters", ERR(creat(buffer, 0600)));
  char longer[300];
  memset(longer, 'n', 299), longer[299] = 0;
  show("299 characters", ERR(open(longer, O_RDONLY)));
  char *huge = malloc(5000);
  memset(huge, '/', 4999), huge[4999] = 0;
  show("5000 characters", ERR(open(huge, O_RDONLY)));

  int fd = open("f", O_RDWR | O_CREAT | O_EXCL, 0644);
  show("O_EXCL again", ERR(open("f", O_CREAT | O_EXCL, 0644)));
  show("f/x", ERR(open("f/x", O_RDONLY)));
  show("f/", ERR(open("f/", O_RDONLY)));
  show("O_DIRECTORY on file", ERR(open("f", O_DIRECTORY)));
  show("write", write(fd, "0123456789", 10));
  show("write bad", ERR(write(fd, (void *)1, 10)));
  show("lseek end", lseek(fd, -3, SEEK_END));
  show("lseek negative", ERR(lseek(fd, -1, SEEK_SET)));
  show("lseek whence", ERR(lseek(fd, 0, 99)));
  show("read", read(fd, buffer, 100));
  show("read bad", ERR((lseek(fd, 0, SEEK_SET), read(fd, (void *)1, 10))));
  show("pread past end", pread(fd, buffer, 10, 100));
  show("pread negative", ERR(pread(fd, buffer, 10, -1)));
  show("pwrite hole", pwrite(fd, "x", 1, 20));
  fstat(fd, &s);
  printf("size %d mode %o nlink %d\n", (int)s.st_size, s.st_mode, (int)s.st_nlink);
  struct iovec v[2] = {{"ab", 2}, {"cd", 2}};
  lseek(fd, 0, SEEK_SET);
  show("writev", writev(fd, v, 2));
  show("writev count", ERR(writev(fd, v, -1)));
  show("writev bad", ERR(writev(fd, (void *)8, 2)));
  char one[3], two[3];
  struct iovec w[2] = {{one, 3}, {two, 3}};
  lseek(fd, 0, SEEK_SET);
  show("readv", readv(fd, w, 2));
  printf("%.3s %.3s\n", one, two);
  show("ftruncate", ftruncate(fd, 4));
  show("ftruncate negative", ERR(ftruncate(fd, -1)));
  int app = open("f", O_WRONLY | O_APPEND);
  write(app, "Z", 1);
  show("append position", lseek(app, 0, SEEK_CUR));
  show("read write-only", ERR(read(app, buffer, 1)));
  show("bad fd", ERR(read(77, buffer, 1)));
  show("close bad", ERR(close(-1)));
  show("dup2", dup2(fd, 50));
  show("dup2 bad", ERR(dup2(fd, -1)));
  show("dup3 same", ERR(dup3(fd, fd, 0)));
  show("F_DUPFD", fcntl(fd, F_DUPFD, 60));
  show("F_GETFD", fcntl(fcntl(fd, F_DUPFD_CLOEXEC, 60), F_GETFD));
  show("F_GETFL", fcntl(app, F_GETFL) & (O_ACCMODE | O_APPEND));
  show("F_SETFL", fcntl(fd, F_SETFL, O_NONBLOCK));
  show("F_GETFL", (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);

  show("link", link("f", "g"));
  show("link exists", ERR(link("f", "g")));
  show("link missing", ERR(link("nosuch", "h")));
  show("link directory", ERR(link(".", "h")));
  stat("g", &s);
  show("nlink", s.st_nlink);
  show("symlink", symlink("f", "s"));
  show("readlink", readlink("s", buffer, 100));
  show("readlink of file", ERR(readlink("f", buffer, 100)));
  show("readlink size", ERR(readlink("s", buffer, 0)));
  lstat("s", &s);
  printf("link mode %o size %d\n", s.st_mode, (int)s.st_size);
  symlink("loop", "loop");
  show("loop", ERR(open("loop", O_RDONLY)));
  show("O_NOFOLLOW", ERR(open("s", O_NOFOLLOW)));
  show("mkdir", mkdir("d", 0755));
  show("mkdir exists", ERR(mkdir("d", 0755)));
  show("mkdir below file", ERR(mkdir("f/d", 0755)));
  show("rmdir file", ERR(rmdir("f")));
  show("unlink directory", ERR(unlink("d")));
  close(creat("d/x", 0600));
  show("rmdir full", ERR(rmdir("d")));
  show("rmdir .", ERR(rmdir(".")));
  show("rename", rename("g", "d/g"));
  show("rename file over directory", ERR(rename("f", "d")));
  show("rename directory over file", ERR(rename("d", "f")));
  show("rename into itself", ERR(rename("d", "d/d")));
  show("rename missing", ERR(rename("nosuch", "x")));
  show("renameat2 NOREPLACE", ERR(renameat2(AT_FDCWD, "f", AT_FDCWD, "s", RENAME_NOREPLACE)));
  show("renameat2 EXCHANGE", renameat2(AT_FDCWD, "f", AT_FDCWD, "d/x", RENAME_EXCHANGE));
  show("chmod", chmod("f", 0400));
  stat("f", &s);
  printf("mode %o\n", s.st_mode);
  show("access", access("f", R_OK));
  show("access missing", ERR(access("nosuch", F_OK)));
  show("access mode", ERR(access("f", 99)));
  show("truncate directory", ERR(truncate("d", 0)));
  struct timespec ts[2] = {{1000, 5000}, {2000, 6000}};
  show("utimensat", utimensat(AT_FDCWD, "f", ts, 0));
  stat("f", &s);
  printf("times %d %d %d\n", (int)s.st_atime, (int)s.st_mtime, (int)s.st_mtim.tv_nsec);
  show("umask", (umask(077), umask(022)));
  show("chdir file", ERR(chdir("f")));
  show("getcwd size", getcwd(buffer, 2) ? 0 : errno);
  show("mkfifo", mkfifo("p", 0600));
  show("fifo nonblock write", ERR(open("p", O_WRONLY | O_NONBLOCK)));
  int rp = open("p", O_RDONLY | O_NONBLOCK);
  show("fifo nonblock read", rp >= 0);
  show("fifo read no writer", read(rp, buffer, 10));

  DIR *dp = opendir(".");
  int n = 0;
  for (struct dirent *e; (e = readdir(dp));) n++;
  show("entries", n);
  closedir(dp);

  int p[2];
  pipe2(p, O_NONBLOCK);
  show("pipe empty", ERR(read(p[0], buffer, 1)));
  int total = 0, k;
  while ((k = write(p[1], buffer, sizeof buffer)) > 0) total += k;
  printf("pipe holds %d, then %d\n", total, errno);
  ioctl(p[0], FIONREAD, &n);
  show("FIONREAD", n);
  struct pollfd pf[3] = {{p[0], POLLIN, 0}, {p[1], POLLOUT, 0}, {99, POLLIN, 0}};
  show("poll", poll(pf, 3, 0));
  printf("revents %x %x %x\n", pf[0].revents, pf[1].revents, pf[2].revents);
  close(p[0]);
  show("EPIPE", ERR(write(p[1], "x", 1)));
  pf[1].events = POLLOUT;
  poll(pf + 1, 1, 0);
  printf("POLLERR %x\n", pf[1].revents);
  show("lseek pipe", ERR(lseek(p[1], 0, SEEK_SET)));
  close(p[1]);

  pipe(p);
  fd_set set;
  FD_ZERO(&set);
  FD_SET(p[0], &set);
  struct timeval tv = {0, 20000};
  show("select times out", select(p[0] + 1, &set, NULL, NULL, &tv));
  if (fork() == 0) {
    usleep(20000);
    write(p[1], "y", 1);
    _exit(0);
  }
  FD_SET(p[0], &set);
  show("select wakes", select(p[0] + 1, &set, NULL, NULL, NULL));
  wait(NULL);
  int ep = epoll_create1(0);
  struct epoll_event ev = {EPOLLIN, {.u32 = 7}}, out[4];
  show("epoll_ctl", epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev));
  show("epoll_ctl again", ERR(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &ev)));
  show("epoll_ctl file", ERR(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev)));
  show("epoll_wait", epoll_wait(ep, out, 4, 0));
  printf("event %x %d\n", out[0].events, out[0].data.u32);
  read(p[0], buffer, 1);
  show("epoll_wait empty", epoll_wait(ep, out, 4, 10));
  int ef = eventfd(3, EFD_NONBLOCK);
  unsigned long long value = 0;
  show("eventfd", read(ef, &value, 8));
  printf("value %d, again %d\n", (int)value, ERR(read(ef, &value, 8)));
  show("flock", flock(fd, LOCK_EX | LOCK_NB));
  struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 10};
  show("F_SETLK", fcntl(fd, F_SETLK, &fl));
  if (fork() == 0) {
    fl.l_type = F_WRLCK;
    int e = ERR(fcntl(fd, F_SETLK, &fl));
    printf("other process: %d, ", e);
    fcntl(fd, F_GETLK, &fl);
    printf("held by parent %d\n", fl.l_pid == getppid());
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
  int src = open("d/g", O_RDONLY);
  off_t off = 1;
  lseek(fd, 0, SEEK_SET);
  show("sendfile", sendfile(fd, src, &off, 3));
  show("offset", off);
  struct statfs sf;
  show("statfs", statfs(".", &sf));
  show("fsync", fsync(fd));
  show("fsync pipe", ERR(fsync(p[0])));
  show("TCGETS on file", ERR(ioctl(fd, 0x5401, buffer)));
  show("getdents on file", ERR(getdents64(fd, buffer, 256)));
  show("getdents small", (k = open(".", O_RDONLY), ERR(getdents64(k, buffer, 10))));
  show("unlinkat", unlinkat(AT_FDCWD, "s", 0));
  show("openat bad", ERR(openat(fd, "x", O_RDONLY)));
  struct statx sx;
  show("statx", statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &sx));
  printf("statx mode %o size %d\n", sx.stx_mode, (int)sx.stx_size);
  return 0;
}
