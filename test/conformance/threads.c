// Threads: creation and end, mutexes, condition variables, thread-local data, signals to threads, process-wide events while threads
// run, timers that notify by a thread, futex(2) itself. Prints the same under Linux and under mol.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void *main_path;

static long futex(void *word, int op, unsigned val, const struct timespec *t, void *word2, unsigned val3) {
  long r = syscall(SYS_futex, word, op, val, t, word2, val3);
  return r < 0 ? -errno : r;
}
static struct timespec in_ms(int clock, long ms) {
  struct timespec t;
  clock_gettime(clock, &t);
  t.tv_sec += ms / 1000, t.tv_nsec += ms % 1000 * 1000000;
  if (t.tv_nsec >= 1000000000) t.tv_sec++, t.tv_nsec -= 1000000000;
  return t;
}
static void nap(long ms) {
  struct timespec t = {ms / 1000, ms % 1000 * 1000000};
  nanosleep(&t, 0);
}

// ---- birth and end ----

static _Thread_local int local = 7;
static void *echo(void *a) {
  int was = local;
  local = (int)(long)a;
  return (void *)(long)(was * 1000 + local);
}
static void *identity(void *a) {
  long *out = a;
  out[0] = getpid() == *(long *)main_path, out[1] = gettid() != getpid(), out[2] = getppid() > 0;
  return 0;
}
static void *quick(void *a) { return a; }
static void *leaver(void *a) {
  pthread_exit((void *)55);
  return a;
}
static void births(void) {
  pthread_t t[8];
  void *r;
  long pid = getpid(), out[3] = {0};
  main_path = &pid;
  for (long i = 0; i < 8; i++) printf("create %d\n", pthread_create(&t[i], 0, echo, (void *)i));
  for (int i = 0; i < 8; i++) {
    int e = pthread_join(t[i], &r);
    printf("join %d: %ld\n", e, (long)r);
  }
  printf("own local %d\n", local);
  pthread_create(&t[0], 0, identity, out), pthread_join(t[0], 0);
  printf("same pid %ld, own tid %ld, parent %ld\n", out[0], out[1], out[2]);
  pthread_create(&t[0], 0, leaver, 0), pthread_join(t[0], &r);
  printf("exit value %ld\n", (long)r);
  for (int i = 0; i < 300; i++)
    if (pthread_create(&t[0], 0, quick, 0) || pthread_join(t[0], 0)) printf("birth %d failed\n", i);
  printf("join self %d\n", pthread_join(pthread_self(), 0) == EDEADLK);
  pthread_attr_t a;
  pthread_attr_init(&a), pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED), pthread_attr_setstacksize(&a, 65536);
  for (int i = 0; i < 50; i++)
    if (pthread_create(&t[0], &a, quick, 0)) printf("detached %d failed\n", i);
}

// ---- a hundred at once: mutex, barrier, condition ----

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static long counter, turn;
static atomic_int arrived, serial;
static void *hundredth(void *a) {
  for (int i = 0; i < 200; i++) {
    pthread_mutex_lock(&lock);
    counter++;
    pthread_mutex_unlock(&lock);
  }
  arrived++;
  if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) serial++;
  if (arrived != 100) printf("barrier too early\n");
  pthread_mutex_lock(&lock);
  while (turn != (long)a) pthread_cond_wait(&changed, &lock);
  turn++;
  pthread_cond_broadcast(&changed);
  pthread_mutex_unlock(&lock);
  return 0;
}
static void hundred(void) {
  pthread_t t[100];
  pthread_barrier_init(&barrier, 0, 100);
  for (long i = 0; i < 100; i++)
    if (pthread_create(&t[i], 0, hundredth, (void *)i)) printf("create %ld failed\n", i);
  for (int i = 0; i < 100; i++) pthread_join(t[i], 0);
  printf("counted %ld, turns %ld, serial %d\n", counter, turn, serial);
}

static void *memory_user(void *a) {
  for (int i = 0; i < 200; i++) {
    size_t n = 4096 * (1 + (i * 7 + (long)a) % 40);
    unsigned char *p = mmap(0, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return (void *)1;
    for (size_t k = 0; k < n; k += 4096) {
      if (p[k]) return (void *)2;
      p[k] = 1 + (long)a;
    }
    sched_yield();
    for (size_t k = 0; k < n; k += 4096)
      if (p[k] != 1 + (long)a) return (void *)3;
    if (munmap(p, n)) return (void *)4;
    char *h = malloc(200000 + i);
    memset(h, (long)a, 200000 + i);
    free(h);
  }
  return 0;
}
static void memory(void) {
  pthread_t t[4];
  void *r;
  long bad = 0;
  for (long i = 0; i < 4; i++) pthread_create(&t[i], 0, memory_user, (void *)i);
  for (int i = 0; i < 4; i++) pthread_join(t[i], &r), bad |= (long)r;
  printf("memory %ld\n", bad);
}

static void waiting(void) {
  struct timespec t = in_ms(CLOCK_REALTIME, 30);
  pthread_mutex_lock(&lock);
  printf("timed wait %d\n", pthread_cond_timedwait(&changed, &lock, &t) == ETIMEDOUT);
  t = in_ms(CLOCK_MONOTONIC, 20);
  printf("clock wait %d\n", pthread_cond_clockwait(&changed, &lock, CLOCK_MONOTONIC, &t) == ETIMEDOUT);
  pthread_mutex_unlock(&lock);
  sem_t s;
  sem_init(&s, 0, 1);
  printf("sem %d ", sem_wait(&s));
  t = in_ms(CLOCK_REALTIME, 10);
  printf("%d\n", sem_timedwait(&s, &t) < 0 && errno == ETIMEDOUT);
}

// ---- signals ----

static atomic_int handled_by, handled;
static void handler(int signo) { handled_by = gettid(), handled = signo; }
static atomic_int tid_of, stop;
static void *spinner(void *a) {
  tid_of = gettid();
  while (!stop) {}
  return 0;
}
static void *sleeper(void *a) {
  struct timespec t = {100, 0};
  tid_of = gettid();
  int r = nanosleep(&t, 0);
  return (void *)(long)(r < 0 && errno == EINTR);
}
static void *waiter(void *a) {
  int signo = 0, r = sigwait(a, &signo);
  return (void *)(long)(r * 1000 + signo);
}
static void *blocked_read(void *a) {
  char c;
  tid_of = gettid();
  long r = read(*(int *)a, &c, 1);
  return (void *)(r < 0 ? -(long)errno : r);
}
static void start(pthread_t *t, void *(*f)(void *), void *a) {
  tid_of = 0;
  pthread_create(t, 0, f, a);
  while (!tid_of) sched_yield();
}
static void signals(void) {
  struct sigaction sa = {.sa_handler = handler};
  pthread_t t;
  void *r;
  sigaction(SIGUSR1, &sa, 0);
  start(&t, spinner, 0);
  handled = 0;
  printf("kill %d\n", pthread_kill(t, SIGUSR1));
  while (!handled) {}
  printf("by that thread %d\n", handled_by == tid_of);
  stop = 1;
  pthread_join(t, 0);
  start(&t, sleeper, 0);
  nap(20);
  handled = 0;
  pthread_kill(t, SIGUSR1), pthread_join(t, &r);
  printf("sleep cut short %ld, by that thread %d\n", (long)r, handled_by == tid_of);
  int fds[2];
  pipe(fds);
  start(&t, blocked_read, &fds[0]);
  nap(20);
  pthread_kill(t, SIGUSR1), pthread_join(t, &r);
  printf("read %ld\n", (long)r);
  start(&t, blocked_read, &fds[0]);
  write(fds[1], "x", 1), pthread_join(t, &r);
  printf("read %ld\n", (long)r);
  sigset_t set;
  sigemptyset(&set), sigaddset(&set, SIGUSR2), pthread_sigmask(SIG_BLOCK, &set, 0);
  pthread_create(&t, 0, waiter, &set);
  nap(20);
  kill(getpid(), SIGUSR2);
  pthread_join(t, &r);
  printf("sigwait %ld\n", (long)r);
  printf("no such thread %d\n", syscall(SYS_tgkill, getpid(), 99999999, 0) < 0 && errno == ESRCH);
  printf("errno is own %d\n", errno == ESRCH);
}

static atomic_int cleaned;
static void cleanup(void *a) { cleaned++; }
static void *cancelled(void *a) {
  pthread_cleanup_push(cleanup, 0);
  tid_of = gettid();
  pause();
  pthread_cleanup_pop(0);
  return 0;
}
static void *cancelled_wait(void *a) {
  pthread_cleanup_push(cleanup, 0);
  pthread_mutex_lock(&lock);
  tid_of = gettid();
  pthread_cleanup_push((void (*)(void *))pthread_mutex_unlock, &lock);
  for (;;) pthread_cond_wait(&changed, &lock);
  pthread_cleanup_pop(0);
  pthread_cleanup_pop(0);
  return 0;
}
static void *spinning(void *a) {
  pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, 0);
  tid_of = gettid();
  for (;;) {}
}
static void cancel(void) {
  void *(*f[])(void *) = {cancelled, cancelled_wait, spinning};
  for (int i = 0; i < 3; i++) {
    pthread_t t;
    void *r;
    start(&t, f[i], 0);
    nap(10);
    int e = pthread_cancel(t);
    pthread_join(t, &r);
    printf("cancel %d: %d, cleaned %d\n", e, r == PTHREAD_CANCELED, cleaned);
  }
}

// ---- process-wide events while threads run ----

static void *forever(void *a) {
  if (a) for (;;) {}
  for (;;) pause();
}
static void *exits(void *a) { exit(9); }
static void *faults(void *a) {
  *(volatile int *)8 = 1;
  return 0;
}
static void *execs(void *a) {
  char *argv[] = {"sh", "-c", "echo from exec; test $$ = $PPID_WAS && echo same pid; exit 4", 0};
  execv("/bin/sh", argv);
  return 0;
}
static void *forks(void *a) {
  pid_t pid = fork();
  if (pid == 0) {
    pthread_t t;
    void *r;
    int e = pthread_create(&t, 0, echo, (void *)3);
    if (!e) pthread_join(t, &r);
    printf("child: %d %ld, leader %d\n", e, (long)r, gettid() == getpid());
    fflush(stdout);
    _exit(3);
  }
  int status;
  waitpid(pid, &status, 0);
  return (void *)(long)status;
}
static void *spawns(void *a) {
  int r = system("echo spawned; exit 6");
  return (void *)(long)r;
}
static void *last(void *a) {
  nap(20);
  printf("the last thread\n");
  fflush(stdout);
  return 0;
}
/* In a child with a few busy and a few blocked threads: what f, run by a further thread, makes of the process. */
static void with_threads(const char *name, void *(*f)(void *), int signo) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) {
    pthread_t t;
    char text[40];
    sprintf(text, "%d", getpid());
    setenv("PPID_WAS", text, 1);
    for (long i = 0; i < 4; i++) pthread_create(&t, 0, forever, (void *)(i & 1));
    nap(10);
    if (f) pthread_create(&t, 0, f, 0);
    if (signo) kill(getpid(), signo);
    forever((void *)(long)(signo & 1));
  }
  int status;
  waitpid(pid, &status, 0);
  printf("%s: %x\n", name, status);
}
static void wide(void) {
  pthread_t t;
  void *r;
  with_threads("exit_group", exits, 0);
  with_threads("fault", faults, 0);
  with_threads("exec", execs, 0);
  with_threads("SIGTERM", 0, SIGTERM);
  with_threads("SIGKILL", 0, SIGKILL);
  pthread_create(&t, 0, forks, 0), pthread_join(t, &r);
  printf("fork from a thread %lx\n", (long)r);
  pthread_create(&t, 0, spawns, 0), pthread_join(t, &r);
  printf("system from a thread %lx\n", (long)r);
  fflush(stdout);
  pid_t pid = fork();
  int status;
  if (pid == 0) {
    pthread_create(&t, 0, last, 0);
    pthread_exit(0);
  }
  waitpid(pid, &status, 0);
  printf("leader left first %x\n", status);
  pid = fork();
  if (pid == 0) {
    pthread_create(&t, 0, forever, (void *)1), pthread_create(&t, 0, forever, 0);
    forever(0);
  }
  nap(10);
  kill(pid, SIGSTOP), waitpid(pid, &status, WUNTRACED);
  printf("stopped %x\n", status);
  kill(pid, SIGCONT), waitpid(pid, &status, WCONTINUED);
  printf("continued %x\n", status);
  kill(pid, SIGINT), waitpid(pid, &status, 0);
  printf("ended %x\n", status);
}

// ---- timers ----

static atomic_int ticks, value;
static void tick(union sigval v) { value = v.sival_int, ticks++; }
static void timers(void) {
  struct sigevent e = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = tick, .sigev_value.sival_int = 42};
  struct itimerspec s = {{0, 5000000}, {0, 5000000}};
  timer_t timer;
  printf("timer_create %d\n", timer_create(CLOCK_MONOTONIC, &e, &timer));
  timer_settime(timer, 0, &s, 0);
  while (ticks < 3) nap(1);
  printf("timer_delete %d, value %d\n", timer_delete(timer), value);
  printf("deleted %d\n", timer_gettime(timer, &s) < 0 && errno == EINVAL);
}

// ---- futex(2) ----

static atomic_int word;
static void *futex_waiter(void *a) {
  tid_of = gettid();
  return (void *)futex(&word, FUTEX_WAIT_PRIVATE, 1, 0, 0, 0);
}
static void *bit_waiter(void *a) { return (void *)futex(&word, FUTEX_WAIT_BITSET_PRIVATE, 1, 0, 0, (long)a); }
static void futexes(void) {
  static atomic_int other;
  struct timespec t = {0, 5000000}, bad = {0, 1000000000};
  pthread_t threads[6];
  void *r;
  word = 1;
  printf("changed %ld\n", futex(&word, FUTEX_WAIT, 2, 0, 0, 0));
  printf("timeout %ld\n", futex(&word, FUTEX_WAIT, 1, &t, 0, 0));
  printf("bad timeout %ld\n", futex(&word, FUTEX_WAIT, 1, &bad, 0, 0));
  printf("past %ld\n", futex(&word, FUTEX_WAIT_BITSET, 1, &t, 0, 1));
  printf("no bits %ld %ld\n", futex(&word, FUTEX_WAIT_BITSET, 1, 0, 0, 0), futex(&word, FUTEX_WAKE_BITSET, 1, 0, 0, 0));
  printf("unaligned %ld\n", futex((char *)&word + 1, FUTEX_WAIT, 1, 0, 0, 0));
  printf("bad address %ld %ld\n", futex((void *)8, FUTEX_WAIT, 1, 0, 0, 0), futex((void *)8, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0));
  printf("nobody %ld\n", futex(&word, FUTEX_WAKE, 9, 0, 0, 0));
  for (int i = 0; i < 6; i++) pthread_create(&threads[i], 0, futex_waiter, 0);
  nap(50);
  printf("requeue %ld\n", futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)3, &other, 1));
  printf("requeue, changed %ld\n", futex(&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)3, &other, 2));
  printf("first %ld, ", futex(&word, FUTEX_WAKE_PRIVATE, INT_MAX, 0, 0, 0));
  printf("second %ld\n", futex(&other, FUTEX_WAKE_PRIVATE, INT_MAX, 0, 0, 0));
  for (int i = 0; i < 6; i++) pthread_join(threads[i], &r), printf("%ld ", (long)r);
  pthread_create(&threads[0], 0, bit_waiter, (void *)1), pthread_create(&threads[1], 0, bit_waiter, (void *)2);
  nap(30);
  printf("\nbits %ld", futex(&word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, 0, 0, 4));
  printf(" %ld", futex(&word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, 0, 0, 2));
  printf(" %ld\n", futex(&word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, 0, 0, 3));
  pthread_join(threads[0], 0), pthread_join(threads[1], 0);
  // between processes
  pthread_mutexattr_t ma;
  struct shared { pthread_mutex_t m; pthread_barrier_t b; long n; sem_t s; } *sh = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pthread_barrierattr_t ba;
  pthread_mutexattr_init(&ma), pthread_mutexattr_setpshared(&ma, 1), pthread_mutex_init(&sh->m, &ma);
  pthread_barrierattr_init(&ba), pthread_barrierattr_setpshared(&ba, 1), pthread_barrier_init(&sh->b, &ba, 3);
  sem_init(&sh->s, 1, 0);
  fflush(stdout);
  for (int i = 0; i < 2; i++)
    if (fork() == 0) {
      pthread_barrier_wait(&sh->b);
      for (int k = 0; k < 300; k++) pthread_mutex_lock(&sh->m), sh->n++, pthread_mutex_unlock(&sh->m);
      sem_wait(&sh->s);
      _exit(0);
    }
  pthread_barrier_wait(&sh->b);
  for (int k = 0; k < 300; k++) pthread_mutex_lock(&sh->m), sh->n++, pthread_mutex_unlock(&sh->m);
  sem_post(&sh->s), sem_post(&sh->s);
  while (wait(0) > 0) {}
  printf("between processes %ld\n", sh->n);
}

/* Two threads hand a token back and forth: no wake-up may be lost. */
static void *ponger(void *a) {
  for (int i = 0; i < 2000; i++) {
    while (word != 1) futex(&word, FUTEX_WAIT_PRIVATE, 0, 0, 0, 0);
    word = 0;
    futex(&word, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
  }
  return 0;
}
static void ping_pong(void) {
  pthread_t t;
  word = 0;
  pthread_create(&t, 0, ponger, 0);
  for (int i = 0; i < 2000; i++) {
    while (word != 0) futex(&word, FUTEX_WAIT_PRIVATE, 1, 0, 0, 0);
    word = 1;
    futex(&word, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
  }
  pthread_join(t, 0);
  printf("ping pong\n");
}

static void *burns(void *a) {
  struct timespec t;
  do clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t); while (t.tv_sec == 0 && t.tv_nsec < 60000000);
  return 0;
}
static void usage(void) {
  pthread_t t;
  struct timespec own, all;
  struct rusage u;
  pthread_create(&t, 0, burns, 0), pthread_join(t, 0);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &all);
  getrusage(RUSAGE_THREAD, &u);
  printf("process time %d\n", all.tv_sec > 0 || all.tv_nsec >= 60000000);
}

int main(void) {
  births(), fflush(stdout);
  hundred(), fflush(stdout);
  memory(), fflush(stdout);
  waiting(), fflush(stdout);
  signals(), fflush(stdout);
  cancel(), fflush(stdout);
  wide(), fflush(stdout);
  timers(), fflush(stdout);
  futexes(), fflush(stdout);
  ping_pong(), fflush(stdout);
  usage();
  return 0;
}
