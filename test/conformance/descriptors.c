// Open files: pipes, FIFOs, poll, select, epoll, locks, eventfd, timerfd, signalfd, splice, memfd, mmap: results and errors.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

// Prints the call as written, its result, and errno's name.
#define R(call) \
  do { \
    errno = 0; \
    long result = (long)(call); \
    printf("%s = %ld%s%s\n", #call, result, result < 0 ? " " : "", result < 0 ? strerrorname_np(errno) : ""); \
  } while (0)

static char b[200000];
static int n, p[2];
static struct stat st;

static void on_signal(int signo) { printf("signal %d\n", signo); }
static int events(int fd, int asked) {
  struct pollfd one = {fd, asked, 0};
  return poll(&one, 1, 0) < 0 ? -1 : one.revents;
}

static void pipes(void) {
  R(pipe2(p, O_NONBLOCK));
  R(pipe2(p, O_APPEND));
  R(fcntl(p[0], F_GETFL));
  R(fcntl(p[1], F_GETFL));
  R(fcntl(p[1], F_GETPIPE_SZ));
  R(events(p[0], POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM));
  R(events(p[1], POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM));
  R(read(p[0], b, 0));
  R(read(p[0], b, 10));
  R(write(p[1], b, 0));
  R(write(p[1], b, 100));
  R(write(p[1], b, 4096));
  R(write(p[1], b, 100000));
  R(write(p[1], b, 1));
  R(events(p[1], POLLOUT));
  R(read(p[0], b, 99));
  R(events(p[1], POLLOUT));
  R(read(p[0], b, 1));
  R(events(p[1], POLLOUT));
  R(write(p[1], b, 4097));
  R(ioctl(p[0], FIONREAD, &n));
  R(n);
  R(fcntl(p[0], F_SETPIPE_SZ, 4096));
  R(fcntl(p[0], F_SETPIPE_SZ, 100000));
  R(fcntl(p[0], F_SETPIPE_SZ, 0));
  R(fcntl(p[0], F_SETPIPE_SZ, -1));
  R(read(p[0], b, sizeof b));
  for (n = 0; write(p[1], b, 5000) == 5000; n++)
    ;
  R(n);
  R(ioctl(p[0], FIONREAD, &n));
  R(n);
  R(lseek(p[0], 0, SEEK_CUR));
  R(pread(p[0], b, 1, 0));
  R(ftruncate(p[1], 0));
  R(fsync(p[1]));
  R(posix_fadvise(p[0], 0, 0, 0));
  R(fallocate(p[1], 0, 0, 1));
  R(write(p[0], b, 1));
  R(read(p[1], b, 1));
  R(mmap(0, 4096, PROT_READ, MAP_PRIVATE, p[0], 0));
  R(ioctl(p[0], TCGETS, b));
  R(close(p[0]));
  R(events(p[1], POLLIN | POLLOUT));
  R(write(p[1], b, 1));
  R(write(p[1], b, 0));
  R(close(p[1]));
  R(pipe(p));
  R(write(p[1], "abc", 3));
  R(close(p[1]));
  R(events(p[0], POLLIN));
  R(read(p[0], b, 10));
  R(events(p[0], POLLIN));
  R(read(p[0], b, 10));
  R(close(p[0]));
}

static void fifos(void) {
  int in, out;
  R(mkfifo("fifo", 0600));
  R(mkfifo("fifo", 0600));
  R(open("fifo", O_WRONLY | O_NONBLOCK));
  R(in = open("fifo", O_RDONLY | O_NONBLOCK));
  R(events(in, POLLIN));
  R(read(in, b, 1));
  R(out = open("fifo", O_WRONLY | O_NONBLOCK));
  R(fcntl(out, F_GETFL));
  R(events(in, POLLIN));
  R(read(in, b, 1));
  R(write(out, "xy", 2));
  R(close(out));
  R(events(in, POLLIN));
  R(read(in, b, 9));
  R(read(in, b, 9));
  R(events(in, POLLIN));
  R(close(in));
  R(in = open("fifo", O_RDWR));
  R(events(in, POLLIN | POLLOUT));
  R(fstat(in, &st));
  R(st.st_mode);
  R(close(in));
  alarm(1);
  R(open("fifo", O_RDONLY));
  if (!fork()) {
    out = open("fifo", O_WRONLY);
    _exit(write(out, "hey", 3) != 3);
  }
  R(in = open("fifo", O_RDONLY));
  R(wait(&n) > 0);
  R(read(in, b, 10));
  R(read(in, b, 10));
  R(close(in));
}

static void numbers(int f) {
  R(fcntl(f, F_DUPFD, 100));
  R(fcntl(f, F_DUPFD, -1));
  R(fcntl(f, F_DUPFD, 1 << 30));
  R(fcntl(f, 99999));
  R(dup2(f, f));
  R(dup2(f, -1));
  R(dup2(f, 1 << 30));
  R(dup3(f, f, 0));
  R(dup3(f, 50, O_CLOEXEC));
  R(fcntl(50, F_GETFD));
  R(syscall(SYS_close_range, 50, 40, 0));
  R(syscall(SYS_close_range, 50, 200, 4));
  R(fcntl(100, F_GETFD));
  R(syscall(SYS_close_range, 50, ~0u, 0));
  R(fcntl(100, F_GETFD));
  R(syscall(SYS_close_range, 50, 60, 8));
  int path;
  R(path = open("file", O_PATH));
  R(fcntl(path, F_GETFL));
  R(read(path, b, 1));
  R(lseek(path, 0, 0));
  R(fcntl(path, F_SETFL, 0));
  R(ioctl(path, FIONREAD, &n));
  R(flock(path, LOCK_EX));
  R(fchmod(path, 0600));
  R(fsync(path));
  R(events(path, POLLIN));
  R(close(path));
}

static void offsets(int f) {
  R(fcntl(f, F_GETFL));
  R(events(f, POLLIN | POLLOUT | POLLPRI));
  R(write(f, "0123456789", 10));
  R(lseek(f, -3, SEEK_END));
  R(lseek(f, -11, SEEK_CUR));
  R(lseek(f, 5, 9));
  R(lseek(f, 100, SEEK_DATA));
  R(lseek(f, 0, SEEK_HOLE));
  R(pread(f, b, 5, 8));
  R(pread(f, b, 5, -1));
  R(pwrite(f, "zz", 2, 20));
  R(ftruncate(f, 15));
  R(lseek(f, 0, SEEK_END));
  R(fcntl(f, F_SETFL, O_APPEND));
  R(fcntl(f, F_GETFL));
  R(pwrite(f, "Q", 1, 0));
  R(lseek(f, 0, SEEK_END));
  R(lseek(f, 0, SEEK_SET));
  R(write(f, "W", 1));
  R(lseek(f, 0, SEEK_CUR));
  R(read(-1, b, 1));
  R(write(999, b, 1));
  R(read(f, (void *)1, 4));
  R(write(f, (void *)1, 4));
  R(fcntl(f, F_SETFL, 0));
}

static struct flock range(int type, int whence, long start, long len) {
  return (struct flock){.l_type = type, .l_whence = whence, .l_start = start, .l_len = len};
}
static void locks(int f) {
  int r = open("file", O_RDONLY), again = open("file", O_RDWR);
  struct flock l = range(F_WRLCK, SEEK_SET, 0, 0);
  R(fcntl(r, F_SETLK, &l));
  l = range(F_RDLCK, SEEK_SET, 0, 0);
  R(fcntl(r, F_SETLK, &l));
  l = range(F_RDLCK, 7, 0, 0);
  R(fcntl(r, F_SETLK, &l));
  l = range(9, SEEK_SET, 0, 0);
  R(fcntl(r, F_SETLK, &l));
  l = range(F_WRLCK, SEEK_SET, -1, 0);
  R(fcntl(f, F_GETLK, &l));
  l = range(F_WRLCK, SEEK_SET, 10, -5);
  R(fcntl(f, F_SETLK, &l));
  if (!fork()) {
    l = range(F_RDLCK, SEEK_SET, 0, 0);
    R(fcntl(again, F_GETLK, &l));
    R(l.l_type);
    R(l.l_start);
    R(l.l_len);
    R(l.l_pid == getppid());
    R(fcntl(again, F_SETLK, &l));
    l.l_pid = 1;
    R(fcntl(again, F_OFD_GETLK, &l));
    R(flock(again, 77));
    _exit(0);
  }
  R(wait(&n) > 0);
  R(flock(f, LOCK_EX));
  R(flock(r, LOCK_SH | LOCK_NB));
  R(flock(f, LOCK_SH));
  R(flock(r, LOCK_SH | LOCK_NB));
  R(flock(f, LOCK_EX | LOCK_NB));
  R(flock(f, LOCK_UN));
  l = range(F_WRLCK, SEEK_SET, 0, 0);
  R(fcntl(again, F_OFD_SETLK, &l));
  R(close(r));
  R(fcntl(again, F_OFD_SETLK, &l));
  R(fcntl(f, F_SETLK, &l));
  R(close(again));
  R(fcntl(f, F_GETLEASE));
  R(fcntl(f, F_SETLEASE, F_UNLCK));
  R(fcntl(f, F_SETOWN, getpid()));
  R(fcntl(f, F_GETOWN) == getpid());
  R(fcntl(f, F_SETSIG, SIGUSR1));
  R(fcntl(f, F_GETSIG));
  R(fcntl(f, F_SETSIG, 99));
  R(fcntl(f, F_GETPIPE_SZ));
}
static void deadlock(int f) {
  struct flock first = range(F_WRLCK, SEEK_SET, 0, 1), second = range(F_WRLCK, SEEK_SET, 1, 1);
  int gate[2], r = pipe(gate);
  R(r);
  R(fcntl(f, F_SETLK, &first));
  if (!fork()) {
    fcntl(f, F_SETLK, &second);
    write(gate[1], "x", 1);
    _exit(fcntl(f, F_SETLKW, &first) != 0);
  }
  R(read(gate[0], b, 1));
  usleep(100000); // until the child waits: nothing tells
  R(fcntl(f, F_SETLKW, &second));
  first.l_type = F_UNLCK;
  R(fcntl(f, F_SETLK, &first));
  R(wait(&n) > 0);
  R(n);
  close(gate[0]), close(gate[1]);
}

static void selects(void) {
  fd_set s;
  struct timeval t = {0, 1000};
  R(pipe(p));
  FD_ZERO(&s);
  FD_SET(p[0], &s);
  R(select(p[0] + 1, &s, 0, 0, &t));
  R(FD_ISSET(p[0], &s));
  R(select(-1, 0, 0, 0, &t));
  FD_ZERO(&s);
  FD_SET(40, &s);
  R(select(41, &s, 0, 0, &t));
  FD_ZERO(&s);
  FD_SET(p[1], &s);
  R(select(p[1] + 1, 0, &s, 0, 0));
  R(FD_ISSET(p[1], &s));
  t.tv_usec = -1;
  R(select(0, 0, 0, 0, &t));
  struct timespec bad = {0, 2000000000};
  R(ppoll(0, 0, &bad, 0));
  R(poll((void *)1, 1, 0));
  R(poll(0, 0, 1));
  R(poll(0, 1 << 30, 1));
  alarm(1);
  R(select(p[0] + 1, &s, 0, 0, 0));
  alarm(1);
  struct pollfd one = {p[0], POLLIN, 0};
  R(poll(&one, 1, -1));
}
static void epolls(int f) {
  int e, null = open("/dev/null", O_RDWR), dir = open(".", O_RDONLY);
  struct epoll_event ev = {EPOLLIN, {.u64 = 0x1234567890abcdef}}, out[4];
  R(e = epoll_create1(0));
  R(epoll_create1(1));
  R(epoll_create(0));
  R(epoll_ctl(e, EPOLL_CTL_ADD, p[0], &ev));
  R(epoll_ctl(e, EPOLL_CTL_ADD, p[0], &ev));
  R(epoll_ctl(e, EPOLL_CTL_ADD, f, &ev));
  R(epoll_ctl(e, EPOLL_CTL_ADD, null, &ev));
  R(epoll_ctl(e, EPOLL_CTL_ADD, dir, &ev));
  R(epoll_ctl(e, EPOLL_CTL_ADD, e, &ev));
  R(epoll_ctl(e, EPOLL_CTL_DEL, p[1], 0));
  R(epoll_ctl(e, EPOLL_CTL_MOD, p[1], &ev));
  R(epoll_ctl(p[0], EPOLL_CTL_ADD, p[1], &ev));
  R(epoll_ctl(e, EPOLL_CTL_ADD, 999, &ev));
  R(epoll_ctl(e, 77, p[1], &ev));
  R(epoll_wait(e, out, 0, 0));
  R(epoll_wait(e, out, 4, 0));
  R(epoll_wait(p[0], out, 4, 0));
  R(epoll_wait(e, out, 4, 20));
  R(write(p[1], "x", 1));
  R(epoll_wait(e, out, 4, -1));
  R(out[0].events);
  R(out[0].data.u64 == ev.data.u64);
  R(events(e, POLLIN));
  R(read(e, b, 1));
  ev.events = EPOLLIN | EPOLLET;
  R(epoll_ctl(e, EPOLL_CTL_MOD, p[0], &ev));
  R(epoll_wait(e, out, 4, 0));
  R(epoll_wait(e, out, 4, 0));
  R(write(p[1], "y", 1));
  R(epoll_wait(e, out, 4, 0));
  ev.events = EPOLLIN | EPOLLONESHOT;
  R(epoll_ctl(e, EPOLL_CTL_MOD, p[0], &ev));
  R(epoll_wait(e, out, 4, 0));
  R(epoll_wait(e, out, 4, 0));
  R(read(p[0], b, 9));
  R(mmap(0, 4096, PROT_READ, MAP_PRIVATE, e, 0));
  close(e), close(null), close(dir);
}

static void devices(void) {
  int null, dir;
  R(null = open("/dev/null", O_RDWR));
  R(events(null, POLLIN | POLLOUT));
  R(ioctl(null, FIONREAD, &n));
  R(ioctl(null, TCGETS, b));
  R(lseek(null, 9, SEEK_SET));
  R(ftruncate(null, 0));
  R(fsync(null));
  R(fallocate(null, 0, 0, 1));
  R(posix_fadvise(null, 0, 0, 0));
  R(fcntl(null, F_GETFL));
  R(close(null));
  R(dir = open(".", O_RDONLY));
  R(read(dir, b, 1));
  R(write(dir, b, 1));
  R(lseek(dir, 0, SEEK_SET));
  R(fsync(dir));
  R(ftruncate(dir, 1));
  R(events(dir, POLLIN));
  R(fcntl(dir, F_GETFL));
  R(ioctl(dir, FIONREAD, &n));
  R(fallocate(dir, 0, 0, 1));
  R(mmap(0, 4096, PROT_READ, MAP_PRIVATE, dir, 0));
  R(close(dir));
}

static void counters(void) {
  int e, t, s;
  R(e = eventfd(5, EFD_NONBLOCK));
  R(read(e, b, 4));
  R(read(e, b, 8));
  R(read(e, b, 8));
  R(events(e, POLLIN | POLLOUT));
  R(lseek(e, 0, 0));
  R(eventfd(0, 0x10));
  R(fcntl(e, F_GETFL));
  R(fstat(e, &st));
  R(st.st_mode);
  R(fsync(e));
  struct itimerspec set = {{0, 5000000}, {0, 5000000}}, old;
  R(t = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK));
  R(timerfd_create(3, 0));
  R(timerfd_create(1, 1));
  R(timerfd_settime(t, 8, &set, &old));
  R(timerfd_settime(e, 0, &set, 0));
  R(read(t, b, 8));
  R(timerfd_settime(t, 0, &set, &old));
  struct pollfd one = {t, POLLIN, 0};
  R(poll(&one, 1, -1));
  R(read(t, b, 8));
  R(write(t, b, 8));
  R(timerfd_gettime(t, &old));
  R(old.it_interval.tv_nsec);
  set.it_value.tv_nsec = -1;
  R(timerfd_settime(t, 0, &set, 0));
  sigset_t mask;
  struct signalfd_siginfo info;
  sigemptyset(&mask), sigaddset(&mask, SIGUSR1);
  sigprocmask(SIG_BLOCK, &mask, 0);
  R(s = signalfd(-1, &mask, SFD_NONBLOCK));
  R(read(s, &info, sizeof info));
  R(events(s, POLLIN));
  kill(getpid(), SIGUSR1);
  R(events(s, POLLIN));
  R(read(s, b, 5));
  R(read(s, &info, sizeof info));
  R(info.ssi_signo);
  R(info.ssi_pid == getpid());
  R(info.ssi_code);
  R(signalfd(s, &mask, 0) == s);
  R(signalfd(e, &mask, 0));
  close(e), close(t), close(s);
}

static void moves(int f) {
  off_t off = 2;
  int r = open("file", O_RDONLY), dir = open(".", O_RDONLY);
  lseek(f, 0, SEEK_SET);
  R(sendfile(p[1], f, &off, 3));
  R(off);
  R(read(p[0], b, 10));
  R(sendfile(p[1], p[0], 0, 1));
  R(sendfile(f, dir, 0, 1));
  R(sendfile(p[0], f, 0, 1));
  off = -1;
  R(sendfile(p[1], f, &off, 1));
  R(splice(f, 0, r, 0, 1, 0));
  R(splice(p[0], &off, f, 0, 1, 0));
  R(splice(p[0], 0, p[1], 0, 1, 0));
  R(splice(f, 0, p[1], 0, 0, 0));
  R(tee(f, p[1], 1, 0));
  R(copy_file_range(f, 0, p[1], 0, 1, 0));
  R(copy_file_range(dir, 0, f, 0, 1, 0));
  R(copy_file_range(f, 0, r, 0, 1, 0));
  R(copy_file_range(f, 0, f, 0, 1, 1));
  R(copy_file_range(f, 0, f, 0, 5, 0));
  R(readahead(f, 0, 1));
  R(readahead(p[0], 0, 1));
  R(posix_fadvise(f, 0, 0, 77));
  R(sync_file_range(f, 0, 1, 9));
  R(sync_file_range(f, -1, 1, 0));
  R(syncfs(f));
  R(syncfs(-1));
  R(fallocate(f, 0, -1, 1));
  R(fallocate(f, 0, 0, 0));
  R(fallocate(r, 0, 0, 1));
  close(r), close(dir);
}

static void maps(void) {
  int m, r = open("file", O_RDONLY), w = open("file", O_WRONLY), zero = open("/dev/zero", O_RDWR);
  R(m = memfd_create("name", MFD_CLOEXEC));
  R(write(m, "abc", 3));
  R(fcntl(m, F_GETFL));
  R(fcntl(m, F_GET_SEALS));
  R(fcntl(m, F_ADD_SEALS, F_SEAL_WRITE));
  R(memfd_create("name", 0x8000));
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", m);
  memset(b, 0, 100);
  R(readlink(link, b, 99));
  puts(b);
  R(lstat(link, &st));
  R(st.st_mode);
  R(st.st_size);
  R(mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, r, 0));
  R(mmap(0, 4096, PROT_READ, MAP_SHARED, r, 0) != MAP_FAILED);
  R(mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, r, 0) != MAP_FAILED);
  R(mmap(0, 4096, PROT_READ, MAP_PRIVATE, w, 0));
  R(mmap(0, 4096, PROT_READ, MAP_PRIVATE, zero, 0) != MAP_FAILED);
  R(mmap(0, 4096, PROT_READ, MAP_PRIVATE, 998, 0));
}

int main(void) {
  char dir[] = "/tmp/mol-descriptors-XXXXXX";
  setvbuf(stdout, NULL, _IONBF, 0);
  syscall(SYS_close_range, 3, ~0u, 0);
  if (!mkdtemp(dir) || chdir(dir)) return 1;
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGPIPE, &action, 0), sigaction(SIGALRM, &action, 0);
  int f;
  R(f = open("file", O_RDWR | O_CREAT | O_EXCL, 0644));
  offsets(f);
  numbers(f);
  locks(f);
  deadlock(f);
  pipes();
  fifos();
  selects();
  epolls(f);
  devices();
  counters();
  moves(f);
  maps();
  unlink("file"), unlink("fifo"), chdir("/"), rmdir(dir);
  return 0;
}
