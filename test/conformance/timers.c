// Clocks and timers: clock_*, nanosleep and what is left of it, interval timers, POSIX timers with their overruns, timerfd, refusals.
#define _GNU_SOURCE
#include "report.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <sys/times.h>
#include <sys/wait.h>

static struct timespec ms(long n) { return (struct timespec){n / 1000, n % 1000 * 1000000}; }
static long of(struct timespec t) { return t.tv_sec * 1000 + t.tv_nsec / 1000000; }
static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID, CLOCK_MONOTONIC_RAW,
                                   CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_TAI};

static void reading(void) {
  struct timespec a, b, res;
  for (int i = 0; i < 9; i++) {
    int r = clock_gettime(clocks[i], &a), s = clock_gettime(clocks[i], &b);
    printf("clock %d: %d %d, forward %d", clocks[i], r, s, b.tv_sec > a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec >= a.tv_nsec));
    r = clock_getres(clocks[i], &res);
    printf(", resolution %d %d\n", r, i == 5 || i == 6 ? res.tv_nsec >= 1000000 : res.tv_nsec == 1);
  }
  SAY(clock_gettime(10, &a));
  SAY(clock_gettime(16, &a));
  SAY(clock_gettime(-1, &a));
  SAY(syscall(SYS_clock_gettime, CLOCK_REALTIME, 16));
  SAY(clock_getres(99, &a));
  SAY(clock_getres(CLOCK_REALTIME, 0));
  SAY(clock_settime(CLOCK_MONOTONIC, &a));
  a = (struct timespec){5, -1};
  SAY(clock_settime(CLOCK_REALTIME, &a));
  SAY(syscall(SYS_clock_settime, CLOCK_REALTIME, 16));
  clockid_t c;
  SAY(clock_getcpuclockid(0, &c));
  printf("own cpu clock %d", clock_gettime(c, &a));
  SAY(clock_getcpuclockid(getpid(), &c));
  printf(", by pid %d\n", clock_gettime(c, &a));
  printf("no such process %d\n", clock_getcpuclockid(99999999, &c) == ESRCH);
  pthread_getcpuclockid(pthread_self(), &c);
  printf("thread's %d\n", clock_gettime(c, &a));
  pid_t pid = fork();
  if (pid == 0) for (;;) pause();
  printf("child's %d", clock_getcpuclockid(pid, &c));
  printf(" %d\n", clock_gettime(c, &a));
  kill(pid, SIGKILL), waitpid(pid, 0, 0);
  struct timeval tv, bad = {0, -1};
  SAY(gettimeofday(&tv, 0));
  SAY(settimeofday(&bad, 0));
  SAY(syscall(SYS_gettimeofday, 16, 0));
  long t = time(0);
  printf("time %d\n", labs(t - tv.tv_sec) <= 1);
  struct timex tx = {0};
  printf("adjtimex reads %d\n", adjtimex(&tx) >= 0);
  SAY(syscall(SYS_adjtimex, 16));
  struct tms tms;
  printf("times %d\n", times(&tms) > 0);
  SAY(syscall(SYS_times, 16));
}

/* As a user without privileges. */
static void setting(void) {
  pid_t pid = fork();
  if (pid == 0) {
    struct timespec t = {1, 0};
    struct timeval v = {1, 0};
    struct timex tx = {.modes = ADJ_FREQUENCY};
    if (setresuid(54321, 54321, 54321)) {}
    SAY(clock_settime(CLOCK_REALTIME, &t));
    SAY(settimeofday(&v, 0));
    SAY(adjtimex(&tx));
    SAY(clock_adjtime(CLOCK_REALTIME, &tx));
    _exit(0);
  }
  waitpid(pid, 0, 0);
}

// ---- sleeping ----

static volatile int ticks;
static void tick(int s) { ticks++; }
static void alarm_in(long msec, int flags) {
  struct sigaction sa = {.sa_handler = tick, .sa_flags = flags};
  struct itimerval it = {{0, 0}, {0, msec * 1000}};
  sigaction(SIGALRM, &sa, 0), setitimer(ITIMER_REAL, &it, 0);
}
static int between(long n, long low, long high) { return n >= low && n <= high; }
static void sleeping(void) {
  struct timespec t = ms(30), left = {7, 7}, bad = {0, 1000000000}, minus = {-1, 0}, abs;
  long was = now_ms(CLOCK_MONOTONIC);
  SAY(nanosleep(&t, &left));
  printf("slept %d, rest untouched %d\n", now_ms(CLOCK_MONOTONIC) - was >= 30, left.tv_sec == 7);
  SAY(nanosleep(&bad, 0));
  SAY(nanosleep(&minus, 0));
  SAY(syscall(SYS_nanosleep, 16, 0));
  t = ms(5000);
  alarm_in(20, 0);
  SAY(nanosleep(&t, &left));
  printf("left %d\n", between(of(left), 1000, 4999));
  alarm_in(20, SA_RESTART);
  SAY(nanosleep(&t, &left));
  printf("left %d\n", between(of(left), 1000, 4999));
  alarm_in(20, 0);
  printf("clock_nanosleep %d", clock_nanosleep(CLOCK_REALTIME, 0, &t, &left) == EINTR);
  printf(", left %d\n", between(of(left), 1000, 4999));
  clock_gettime(CLOCK_MONOTONIC, &abs), abs.tv_sec += 5, left = (struct timespec){7, 7};
  alarm_in(20, 0);
  printf("absolute %d, rest untouched %d\n", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &abs, &left) == EINTR, left.tv_sec == 7);
  abs = (struct timespec){1, 0};
  printf("past %d\n", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &abs, 0));
  clock_gettime(CLOCK_REALTIME, &abs), abs.tv_nsec += 20000000;
  if (abs.tv_nsec >= 1000000000) abs.tv_sec++, abs.tv_nsec -= 1000000000;
  printf("soon %d\n", clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &abs, 0));
  t = ms(1);
  for (int i = 0; i < 9; i++) {
    if (clocks[i] == CLOCK_PROCESS_CPUTIME_ID) continue;
    int e = clock_nanosleep(clocks[i], 0, &t, 0);
    printf("on clock %d: %s\n", clocks[i], e ? strerrorname_np(e) : "0");
  }
  printf("bad clock %d\n", clock_nanosleep(77, 0, &t, 0) == EINVAL);
  t = ms(0);
  SAY(nanosleep(&t, 0));
  // a sleep that is stopped and continued goes on
  pid_t pid = fork();
  if (pid == 0) {
    t = ms(60), was = now_ms(CLOCK_MONOTONIC);
    int r = nanosleep(&t, 0);
    _exit(r == 0 && now_ms(CLOCK_MONOTONIC) - was >= 60 ? 0 : 1);
  }
  int status;
  nap(5), kill(pid, SIGSTOP), waitpid(pid, &status, WUNTRACED), kill(pid, SIGCONT), waitpid(pid, &status, 0);
  printf("stopped and continued %x\n", status);
}

/* Linux writes what is left of the timeout back, glibc hides that of ppoll and pselect. */
static void leftovers(void) {
  fd_set set;
  int p[2];
  char c;
  pipe(p);
  struct timeval tv = {5, 0};
  FD_ZERO(&set); FD_SET(p[0], &set);
  alarm_in(20, 0);
  SAY(select(p[0] + 1, &set, 0, 0, &tv));
  printf("left %d, set kept %d\n", between(tv.tv_sec * 1000 + tv.tv_usec / 1000, 1000, 4999), FD_ISSET(p[0], &set) != 0);
  tv = (struct timeval){0, 20000};
  SAY(select(p[0] + 1, &set, 0, 0, &tv));
  printf("left %ld %ld, set %d\n", tv.tv_sec, tv.tv_usec, FD_ISSET(p[0], &set) != 0);
  FD_SET(p[1], &set), tv = (struct timeval){5, 0};
  SAY(select(p[1] + 1, 0, &set, 0, &tv));
  printf("left %d\n", between(tv.tv_sec * 1000 + tv.tv_usec / 1000, 1000, 5000));
  tv = (struct timeval){0, -1};
  SAY(select(0, 0, 0, 0, &tv));
  tv = (struct timeval){0, 2500000};
  FD_ZERO(&set); FD_SET(p[1], &set);
  SAY(syscall(SYS_select, p[1] + 1, 0, &set, 0, &tv));
  printf("normalised %d\n", tv.tv_sec <= 2 && tv.tv_usec < 1000000);
  struct timespec t = ms(5000);
  FD_ZERO(&set); FD_SET(p[0], &set);
  alarm_in(20, 0);
  SAY(syscall(SYS_pselect6, p[0] + 1, &set, 0, 0, &t, 0));
  printf("left %d\n", between(of(t), 1000, 4999));
  t = ms(20);
  SAY(syscall(SYS_pselect6, p[0] + 1, &set, 0, 0, &t, 0));
  printf("left %ld\n", of(t));
  struct pollfd pfd = {p[0], POLLIN};
  t = ms(5000);
  alarm_in(20, SA_RESTART);
  SAY(syscall(SYS_ppoll, &pfd, 1, &t, 0, 8));
  printf("left %d\n", between(of(t), 1000, 4999));
  t = ms(20);
  SAY(syscall(SYS_ppoll, &pfd, 1, &t, 0, 8));
  printf("left %ld\n", of(t));
  write(p[1], "x", 1), t = ms(5000);
  SAY(syscall(SYS_ppoll, &pfd, 1, &t, 0, 8));
  printf("left %d\n", between(of(t), 1000, 5000));
  SAY(syscall(SYS_ppoll, &pfd, 1, 16, 0, 8));
  t = (struct timespec){0, -1};
  SAY(syscall(SYS_ppoll, &pfd, 1, &t, 0, 8));
  SAY(syscall(SYS_pselect6, p[0] + 1, &set, 0, 0, &t, 0));
  SAY(syscall(SYS_select, -1, 0, 0, 0, 0));
  static const struct timespec constant = {0, 1000000};
  SAY(syscall(SYS_ppoll, 0, 0, &constant, 0, 8)); // can't be written back: never mind
  SAY(syscall(SYS_pselect6, 0, 0, 0, 0, &constant, 0));
  close(p[0]), close(p[1]);
}

// ---- setitimer ----

static volatile int signals[65];
static void count(int s) { signals[s]++; }
static void burn(long msec) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  long until = of(t) + msec;
  do clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  while (of(t) < until);
}
static void intervals(void) {
  struct itimerval it = {{0, 5000}, {0, 5000}}, old, bad = {{0, 0}, {0, 1000000}};
  signal(SIGALRM, count), signal(SIGVTALRM, count), signal(SIGPROF, count);
  SAY(setitimer(ITIMER_REAL, &it, 0));
  while (signals[SIGALRM] < 3) nap(1);
  SAY(getitimer(ITIMER_REAL, &old));
  printf("interval %ld, value %d\n", old.it_interval.tv_usec, old.it_value.tv_usec > 0 && old.it_value.tv_usec <= 5000);
  it = (struct itimerval){0};
  SAY(setitimer(ITIMER_REAL, &it, &old));
  printf("old interval %ld\n", old.it_interval.tv_usec);
  SAY(getitimer(ITIMER_REAL, &old));
  printf("off %ld %ld\n", old.it_interval.tv_usec, old.it_value.tv_usec);
  it = (struct itimerval){{0, 0}, {0, 10000}};
  SAY(setitimer(ITIMER_VIRTUAL, &it, 0));
  while (!signals[SIGVTALRM]) {}
  SAY(setitimer(ITIMER_PROF, &it, 0));
  while (!signals[SIGPROF]) {}
  printf("virtual %d, prof %d\n", signals[SIGVTALRM], signals[SIGPROF]);
  SAY(setitimer(3, &it, 0));
  SAY(getitimer(-1, &it));
  SAY(setitimer(ITIMER_REAL, &bad, 0));
  SAY(syscall(SYS_setitimer, 0, 16, 0));
  SAY(syscall(SYS_getitimer, 0, 16));
  SAY(alarm(100));
  SAY(alarm(0));
  SAY(alarm(0));
  it = (struct itimerval){{0, 0}, {100, 0}};
  setitimer(ITIMER_REAL, &it, 0);
  pid_t pid = fork();
  if (pid == 0) getitimer(ITIMER_REAL, &old), _exit(old.it_value.tv_sec != 0);
  int status;
  waitpid(pid, &status, 0);
  printf("not inherited %x, still on %d\n", status, alarm(0) >= 99);
}

// ---- timer_create ----

static volatile int fired, code, value, overrun, by;
static void fire(int s, siginfo_t *i, void *u) { fired++, code = i->si_code, value = i->si_value.sival_int, overrun = i->si_overrun > overrun ? i->si_overrun : overrun, by = gettid(); }
static void *spinner(void *tid) {
  *(volatile int *)tid = gettid();
  while (!fired) {}
  return 0;
}
static void posix(void) {
  struct sigaction sa = {.sa_sigaction = fire, .sa_flags = SA_SIGINFO};
  struct sigevent e = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 42}, bad = e;
  struct itimerspec s = {{0, 0}, {0, 10000000}}, got, wrong = {{0, 0}, {0, -1}};
  timer_t t, u;
  sigset_t set;
  sigaction(SIGRTMIN, &sa, 0);
  SAY(timer_create(CLOCK_MONOTONIC, &e, &t));
  SAY(timer_gettime(t, &got));
  printf("unarmed %ld\n", of(got.it_value));
  SAY(timer_settime(t, 0, &s, 0));
  while (!fired) nap(1);
  printf("fired %d, code %d, value %d, overrun %d, count %d\n", fired, code, value, overrun, timer_getoverrun(t));
  // one signal is pending at most: the rest is overrun
  sigemptyset(&set), sigaddset(&set, SIGRTMIN), sigprocmask(SIG_BLOCK, &set, 0);
  s = (struct itimerspec){{0, 5000000}, {0, 5000000}}, fired = 0;
  overrun = 0, timer_settime(t, 0, &s, 0), nap(60);
  sigprocmask(SIG_UNBLOCK, &set, 0);
  int first = fired;
  struct itimerspec off = {0};
  SAY(timer_settime(t, 0, &off, &got));
  printf("once %d, overrun %d, interval %ld\n", first >= 1, overrun >= 1, of(got.it_interval));
  nap(10), fired = 0;
  struct timespec abs;
  clock_gettime(CLOCK_REALTIME, &abs), abs.tv_sec--;
  SAY(timer_create(CLOCK_REALTIME, &e, &u));
  s = (struct itimerspec){{0, 0}, abs};
  SAY(timer_settime(u, TIMER_ABSTIME, &s, 0));
  while (!fired) nap(1);
  printf("past: fired %d\n", fired);
  s = (struct itimerspec){{0, 0}, {100, 0}};
  SAY(timer_settime(u, 0, &s, &got));
  SAY(timer_gettime(u, &got));
  printf("left %d\n", got.it_value.tv_sec >= 99);
  SAY(timer_delete(u));
  SAY(timer_delete(u));
  SAY(timer_gettime(u, &got));
  SAY(timer_settime(u, 0, &s, 0));
  SAY(timer_getoverrun(u));
  SAY(timer_settime(t, 0, &wrong, 0));
  SAY(timer_settime(t, 0x100, &off, 0));
  SAY(syscall(SYS_timer_settime, t, 0, 16, 0));
  SAY(syscall(SYS_timer_settime, t, 0, 0, 0));
  bad.sigev_signo = 65;
  SAY(timer_create(CLOCK_MONOTONIC, &bad, &u));
  bad = e, bad.sigev_notify = 77;
  SAY(timer_create(CLOCK_MONOTONIC, &bad, &u));
  bad = e, bad.sigev_notify = SIGEV_THREAD_ID, bad._sigev_un._tid = 1;
  SAY(timer_create(CLOCK_MONOTONIC, &bad, &u));
  SAY(timer_create(77, &e, &u));
  SAY(timer_create(CLOCK_MONOTONIC_RAW, &e, &u));
  SAY(timer_create(CLOCK_REALTIME_COARSE, &e, &u));
  SAY(syscall(SYS_timer_create, CLOCK_MONOTONIC, 16, &u));
  SAY(syscall(SYS_timer_create, CLOCK_MONOTONIC, &e, 16));
  // to nobody, by CPU time, to one thread
  e.sigev_notify = SIGEV_NONE;
  SAY(timer_create(CLOCK_MONOTONIC, &e, &u));
  s = (struct itimerspec){{0, 0}, {0, 5000000}};
  SAY(timer_settime(u, 0, &s, 0));
  nap(10), timer_gettime(u, &got);
  printf("silent: left %ld\n", of(got.it_value));
  timer_delete(u), fired = 0, e.sigev_notify = SIGEV_SIGNAL;
  SAY(timer_create(CLOCK_PROCESS_CPUTIME_ID, &e, &u));
  SAY(timer_settime(u, 0, &s, 0));
  while (!fired) {}
  timer_delete(u), fired = 0;
  SAY(timer_create(CLOCK_THREAD_CPUTIME_ID, &e, &u));
  SAY(timer_settime(u, 0, &s, 0));
  while (!fired) {}
  timer_delete(u), fired = 0;
  pthread_t th;
  volatile int tid = 0;
  pthread_create(&th, 0, spinner, (void *)&tid);
  while (!tid) sched_yield();
  e.sigev_notify = SIGEV_THREAD_ID, e._sigev_un._tid = tid;
  SAY(timer_create(CLOCK_MONOTONIC, &e, &u));
  SAY(timer_settime(u, 0, &s, 0));
  pthread_join(th, 0);
  printf("by that thread %d\n", by == tid);
  SAY(timer_create(CLOCK_MONOTONIC, 0, &u));
  timer_delete(u);
  pid_t pid = fork();
  if (pid == 0) _exit(timer_gettime(t, &got) == 0);
  int status;
  waitpid(pid, &status, 0);
  printf("not inherited %x\n", status);
}

// ---- timerfd ----

static void descriptors(void) {
  struct itimerspec s = {{0, 10000000}, {0, 10000000}}, got, wrong = {{0, 0}, {0, 1000000000}}, off = {0};
  uint64_t n = 0;
  SAY(timerfd_create(77, 0));
  SAY(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0));
  SAY(timerfd_create(CLOCK_MONOTONIC_RAW, 0));
  SAY(timerfd_create(CLOCK_MONOTONIC, 1));
  int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), blocking = timerfd_create(CLOCK_BOOTTIME, 0);
  struct pollfd p = {fd, POLLIN};
  SAY(read(fd, &n, 8));
  SAY(read(fd, &n, 7));
  SAY(write(fd, &n, 8));
  SAY(lseek(fd, 0, SEEK_SET));
  SAY(timerfd_settime(fd, 0, &s, 0));
  SAY(poll(&p, 1, 5000));
  nap(35);
  SAY(read(fd, &n, 8));
  printf("ticks %d\n", n >= 3 && n < 1000);
  SAY(timerfd_gettime(fd, &got));
  printf("interval %ld, left %d\n", of(got.it_interval), of(got.it_value) <= 10);
  SAY(timerfd_settime(fd, 0, &off, &got));
  printf("old interval %ld\n", of(got.it_interval));
  SAY(read(fd, &n, 8));
  SAY(timerfd_settime(fd, 0, &wrong, 0));
  SAY(timerfd_settime(fd, 8, &s, 0));
  SAY(timerfd_settime(0, 0, &s, 0));
  SAY(timerfd_settime(99, 0, &s, 0));
  SAY(timerfd_gettime(0, &s));
  SAY(timerfd_gettime(99, &s));
  SAY(syscall(SYS_timerfd_settime, fd, 0, 16, 0));
  SAY(syscall(SYS_timerfd_gettime, fd, 16));
  s = (struct itimerspec){{0, 0}, {1, 0}};
  SAY(timerfd_settime(blocking, TFD_TIMER_ABSTIME, &s, 0));
  SAY(read(blocking, &n, 8));
  printf("past: %lu\n", n);
  s = (struct itimerspec){{0, 0}, {0, 20000000}};
  timerfd_settime(blocking, 0, &s, 0);
  SAY(read(blocking, &n, 8));
  alarm_in(20, 0);
  SAY(read(blocking, &n, 8));
  int real = timerfd_create(CLOCK_REALTIME, 0);
  s = (struct itimerspec){{0, 0}, {now_ms(CLOCK_REALTIME) / 1000 - 1, 0}};
  SAY(timerfd_settime(real, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &s, 0));
  SAY(read(real, &n, 8));
  close(fd), close(blocking), close(real);
}

int main(void) {
  reading();
  setting();
  sleeping();
  leftovers();
  intervals();
  posix();
  descriptors();
  return 0;
}
