// futex(2) beyond waiting and waking (threads.c): every refusal, WAKE_OP, requeueing, clocks, words shared by processes, priority
// inheritance, and requeueing to it.
#define _GNU_SOURCE
#include "report.h"
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static long futex(void *word, int op, unsigned val, const void *t, void *word2, unsigned val3) {
  return syscall(SYS_futex, word, op, val, t, word2, val3);
}
static struct timespec in_ms(int clock, long ms) {
  struct timespec t;
  clock_gettime(clock, &t);
  t.tv_nsec += ms % 1000 * 1000000, t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000, t.tv_nsec %= 1000000000;
  return t;
}
static atomic_int a, b, tid_of, done;
static const char *name(long r) { return r < 0 ? strerrorname_np(-r) : "0"; }

struct job {
  void *word;
  int op;
  unsigned val;
  void *word2;
  unsigned val3;
  long result;
};
static void *run(void *p) {
  struct job *j = p;
  tid_of = gettid();
  j->result = futex(j->word, j->op, j->val, 0, j->word2, j->val3);
  if (j->result < 0) j->result = -errno;
  done++;
  return 0;
}
/* Starts a thread that makes the call, and gives it time to block in it. */
static pthread_t start(struct job *j) {
  pthread_t t;
  tid_of = 0;
  pthread_create(&t, 0, run, j);
  while (!tid_of) sched_yield();
  char path[64], state;
  do { // until it sleeps
    nap(1);
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid_of);
    FILE *f = fopen(path, "r");
    if (!f) break;
    if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1) state = '?';
    fclose(f);
  } while (state != 'S' && !done);
  return t;
}

static void refusals(void) {
  struct timespec t = {0, 1000000}, bad = {0, -1}, minus = {-1, 0};
  void *nowhere = (void *)16, *kernel = (void *)0xffff800000000000;
  const int *readonly = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  a = b = 0;
  SAY(futex(&a, 99, 0, 0, 0, 0));
  SAY(futex(&a, FUTEX_FD, 0, 0, 0, 0));
  SAY(futex(&a, FUTEX_WAKE | FUTEX_CLOCK_REALTIME, 0, 0, 0, 0));
  SAY(futex(&a, FUTEX_WAIT | FUTEX_CLOCK_REALTIME, 1, 0, 0, 0));
  SAY(futex((char *)&a + 1, FUTEX_WAKE, 1, 0, 0, 0));
  SAY(futex((char *)&a + 2, FUTEX_WAIT, 1, 0, 0, 0));
  SAY(futex(nowhere, FUTEX_WAIT, 0, 0, 0, 0));
  SAY(futex(nowhere, FUTEX_WAKE, 1, 0, 0, 0));
  SAY(futex(nowhere, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0));
  SAY(futex(kernel, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0));
  SAY(futex(kernel, FUTEX_WAIT, 1, 0, 0, 0));
  SAY(futex(&a, FUTEX_WAIT, 0, nowhere, 0, 0));
  SAY(futex(&a, FUTEX_WAIT, 0, &bad, 0, 0));
  SAY(futex(&a, FUTEX_WAIT, 0, &minus, 0, 0));
  SAY(futex(&a, FUTEX_WAIT, 1, &bad, 0, 0));
  SAY(futex(&a, FUTEX_WAIT, 1, 0, 0, 0));
  SAY(futex(&a, FUTEX_WAIT_BITSET, 0, 0, 0, 0));
  SAY(futex(&a, FUTEX_WAKE_BITSET, 1, 0, 0, 0));
  SAY(futex(&a, FUTEX_REQUEUE, -1, 0, &b, 0));
  SAY(futex(&a, FUTEX_REQUEUE, 1, (void *)-1, &b, 0));
  SAY(futex(&a, FUTEX_REQUEUE, 1, (void *)1, (char *)&b + 1, 0));
  SAY(futex(&a, FUTEX_REQUEUE, 1, (void *)1, kernel, 0));
  SAY(futex(&a, FUTEX_CMP_REQUEUE, 1, (void *)1, &b, 5));
  SAY(futex(&a, FUTEX_CMP_REQUEUE, 1, (void *)1, &b, 0));
  SAY(futex((void *)readonly, FUTEX_WAIT, 0, &t, 0, 0));
  SAY(futex((void *)readonly, FUTEX_WAKE, 1, 0, 0, 0));
  SAY(futex((void *)readonly, FUTEX_LOCK_PI, 0, 0, 0, 0));
  SAY(futex(&a, FUTEX_WAKE_OP, 1, (void *)1, (void *)readonly, FUTEX_OP(FUTEX_OP_SET, 1, FUTEX_OP_CMP_EQ, 0)));
  SAY(futex(&a, FUTEX_WAKE_OP, 1, (void *)1, nowhere, 0));
  SAY(futex(&a, FUTEX_WAKE_OP, 1, (void *)1, (char *)&b + 1, 0));
  SAY(futex(&a, FUTEX_WAKE_OP, 1, (void *)1, &b, FUTEX_OP(7, 1, FUTEX_OP_CMP_EQ, 0)));
  SAY(futex(&a, FUTEX_WAKE_OP, 1, (void *)1, &b, FUTEX_OP(FUTEX_OP_SET, 1, 9, 0)));
  b = 0;
}

// ---- WAKE_OP ----

static void operations(void) {
  static const struct { int op, arg, old, expected; } ops[] = {
    {FUTEX_OP_SET, 7, 3, 7}, {FUTEX_OP_ADD, 5, 3, 8}, {FUTEX_OP_ADD, -5, 3, -2}, {FUTEX_OP_OR, 4, 3, 7}, {FUTEX_OP_ANDN, 1, 3, 2},
    {FUTEX_OP_XOR, 1, 3, 2}, {FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT, 4, 1, 17}, {FUTEX_OP_SET | FUTEX_OP_OPARG_SHIFT, 31, 1, INT_MIN},
  };
  for (int i = 0; i < 8; i++) {
    b = ops[i].old;
    long r = futex(&a, FUTEX_WAKE_OP, 0, 0, &b, FUTEX_OP(ops[i].op, ops[i].arg, FUTEX_OP_CMP_EQ, 0));
    printf("op %d: %ld, %d\n", ops[i].op, r, b == ops[i].expected);
  }
  for (int cmp = FUTEX_OP_CMP_EQ; cmp <= FUTEX_OP_CMP_GE; cmp++)
    for (int arg = 4; arg <= 6; arg++) {
      struct job one = {&a, FUTEX_WAIT_PRIVATE, a}, two = {&b, FUTEX_WAIT_PRIVATE, 5};
      b = 5, done = 0;
      pthread_t t = start(&one), u = start(&two);
      long r = futex(&a, FUTEX_WAKE_OP_PRIVATE, 1, (void *)1, &b, FUTEX_OP(FUTEX_OP_SET, 9, cmp, arg));
      printf("%ld ", r);
      futex(&b, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
      pthread_join(t, 0), pthread_join(u, 0);
    }
  printf("\n");
}

// ---- keys ----

static void keys(void) {
  struct job shared = {&a, FUTEX_WAIT, 0}, private = {&a, FUTEX_WAIT_PRIVATE, 0};
  a = done = 0;
  pthread_t t = start(&private);
  printf("private word, shared wake %ld, ", futex(&a, FUTEX_WAKE, 1, 0, 0, 0));
  printf("private wake %ld\n", futex(&a, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0));
  pthread_join(t, 0), done = 0;
  t = start(&shared);
  printf("shared word, private wake %ld, ", futex(&a, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0));
  printf("shared wake %ld\n", futex(&a, FUTEX_WAKE, 1, 0, 0, 0));
  pthread_join(t, 0);
  // the same page of a file, mapped twice, at different addresses, by different processes
  int fd = memfd_create("words", 0), p[2];
  char c;
  pipe(p), ftruncate(fd, 8192);
  atomic_int *m = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *n = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096);
  struct job mapped = {m + 1024, FUTEX_WAIT, 0};
  done = 0;
  t = start(&mapped);
  printf("another word %ld, ", futex(n + 1, FUTEX_WAKE, 1, 0, 0, 0));
  printf("another mapping %ld\n", futex(n, FUTEX_WAKE, 1, 0, 0, 0));
  pthread_join(t, 0);
  pid_t pid = fork();
  if (pid == 0) {
    atomic_int *k = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    struct timespec t = in_ms(CLOCK_MONOTONIC, 5000);
    k[1] = 1;
    long r = futex(k + 1025, FUTEX_WAIT_BITSET, 0, &t, 0, 1);
    _exit(r == 0 ? 0 : errno);
  }
  while (!m[1]) sched_yield();
  while (futex(n + 1, FUTEX_WAKE, 1, 0, 0, 0) != 1) sched_yield();
  int status;
  waitpid(pid, &status, 0);
  printf("another process %x\n", status);
}

static void clocks(void) {
  struct timespec past = {1, 0}, soon;
  a = 0;
  SAY(futex(&a, FUTEX_WAIT_BITSET, 0, &past, 0, 1));
  SAY(futex(&a, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &past, 0, 1));
  soon = in_ms(CLOCK_MONOTONIC, 20);
  SAY(futex(&a, FUTEX_WAIT_BITSET, 0, &soon, 0, 1));
  soon = in_ms(CLOCK_REALTIME, 20);
  SAY(futex(&a, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &soon, 0, 1));
}

// ---- priority inheritance ----

#define TID (a & FUTEX_TID_MASK)
static void word(const char *what) {
  int w = a;
  printf("%s: %s%s%s\n", what, w & FUTEX_WAITERS ? "waiters+" : "", w & FUTEX_OWNER_DIED ? "died+" : "", !(w & FUTEX_TID_MASK) ? "0" : (w & FUTEX_TID_MASK) == gettid() ? "mine" : "other's");
}
static void nothing(int signo) {}
static void *owner(void *u) {
  a = gettid();
  tid_of = gettid();
  while (!done) sched_yield();
  return 0;
}
static void locks(void) {
  struct timespec past = {1, 0}, soon, bad = {0, -1};
  pthread_t t, u;
  a = 0;
  SAY(futex(&a, FUTEX_LOCK_PI, 0, 0, 0, 0));
  word("locked");
  SAY(futex(&a, FUTEX_LOCK_PI, 0, 0, 0, 0));
  SAY(futex(&a, FUTEX_TRYLOCK_PI, 0, 0, 0, 0));
  SAY(futex(&a, FUTEX_UNLOCK_PI, 0, 0, 0, 0));
  word("unlocked");
  SAY(futex(&a, FUTEX_UNLOCK_PI, 0, 0, 0, 0));
  SAY(futex(&a, FUTEX_TRYLOCK_PI, 0, 0, 0, 0));
  word("tried");
  SAY(futex(&a, FUTEX_UNLOCK_PI, 0, 0, 0, 0));
  SAY(futex(&a, FUTEX_LOCK_PI, 0, &bad, 0, 0));
  a = 99999999;
  SAY(futex(&a, FUTEX_LOCK_PI, 0, 0, 0, 0));
  printf("word %d\n", a == (99999999 | FUTEX_WAITERS));
  a = FUTEX_OWNER_DIED;
  SAY(futex(&a, FUTEX_LOCK_PI, 0, 0, 0, 0));
  word("owner had died");
  a = 0;
  // another thread has it
  tid_of = done = 0;
  pthread_create(&t, 0, owner, 0);
  while (!tid_of) sched_yield();
  SAY(futex(&a, FUTEX_TRYLOCK_PI, 0, 0, 0, 0));
  word("after trying");
  SAY(futex(&a, FUTEX_UNLOCK_PI, 0, 0, 0, 0));
  SAY(futex(&a, FUTEX_LOCK_PI, 0, &past, 0, 0));
  soon = in_ms(CLOCK_REALTIME, 20);
  SAY(futex(&a, FUTEX_LOCK_PI, 0, &soon, 0, 0));
  soon = in_ms(CLOCK_MONOTONIC, 20);
  SAY(futex(&a, FUTEX_LOCK_PI2, 0, &soon, 0, 0));
  soon = in_ms(CLOCK_REALTIME, 20);
  SAY(futex(&a, FUTEX_LOCK_PI2 | FUTEX_CLOCK_REALTIME, 0, &soon, 0, 0));
  SAY(futex(&a, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, 0, 0, 0, 0));
  signal(SIGALRM, nothing);
  ualarm(10000, 0);
  soon = in_ms(CLOCK_REALTIME, 60);
  SAY(futex(&a, FUTEX_LOCK_PI, 0, &soon, 0, 0)); // a signal doesn't end it
  done = 1;
  pthread_join(t, 0);
  SAY(futex(&a, FUTEX_LOCK_PI, 0, 0, 0, 0)); // it ended without unlocking
  // handing over
  a = gettid(), done = 0;
  struct job one = {&a, FUTEX_LOCK_PI}, two = {&a, FUTEX_LOCK_PI};
  t = start(&one), u = start(&two);
  word("two wait");
  SAY(futex(&a, FUTEX_WAKE, 1, 0, 0, 0));
  SAY(futex(&a, FUTEX_UNLOCK_PI, 0, 0, 0, 0));
  pthread_join(t, 0);
  printf("first %s\n", name(one.result));
  pthread_join(u, 0); // the first has ended with it
  word("owner ended");
  printf("second %s\n", name(two.result));
  a = 0;
  struct job plain = {&a, FUTEX_WAIT, 0};
  done = 0;
  t = start(&plain);
  a = gettid();
  SAY(futex(&a, FUTEX_UNLOCK_PI, 0, 0, 0, 0));
  a = 0;
  futex(&a, FUTEX_WAKE, 1, 0, 0, 0), pthread_join(t, 0);
}

/* Two locks, each wanted by the other's owner. */
static void *crossing(void *u) {
  futex(&b, FUTEX_LOCK_PI, 0, 0, 0, 0);
  tid_of = gettid();
  futex(&a, FUTEX_LOCK_PI, 0, 0, 0, 0);
  futex(&a, FUTEX_UNLOCK_PI, 0, 0, 0, 0), futex(&b, FUTEX_UNLOCK_PI, 0, 0, 0, 0);
  return 0;
}
static void deadlock(void) {
  pthread_t t;
  a = b = tid_of = 0;
  futex(&a, FUTEX_LOCK_PI, 0, 0, 0, 0);
  pthread_create(&t, 0, crossing, 0);
  while (!tid_of || !(a & FUTEX_WAITERS)) sched_yield();
  nap(10);
  SAY(futex(&b, FUTEX_LOCK_PI, 0, 0, 0, 0));
  SAY(futex(&a, FUTEX_UNLOCK_PI, 0, 0, 0, 0));
  pthread_join(t, 0);
}

static void requeue(void) {
  pthread_t t[3];
  a = b = done = 0;
  SAY(futex(&a, FUTEX_WAIT_REQUEUE_PI, 0, 0, &a, 0));
  SAY(futex(&a, FUTEX_WAIT_REQUEUE_PI, 1, 0, &b, 0));
  SAY(futex(&a, FUTEX_CMP_REQUEUE_PI, 1, 0, &a, 0));
  SAY(futex(&a, FUTEX_CMP_REQUEUE_PI, 2, 0, &b, 0));
  SAY(futex(&a, FUTEX_CMP_REQUEUE_PI, 1, 0, &b, 9));
  SAY(futex(&a, FUTEX_CMP_REQUEUE_PI, 1, 0, &b, 0));
  struct timespec soon = in_ms(CLOCK_MONOTONIC, 20);
  SAY(futex(&a, FUTEX_WAIT_REQUEUE_PI, 0, &soon, &b, 0));
  struct job j[3] = {{&a, FUTEX_WAIT_REQUEUE_PI, 0, &b}, {&a, FUTEX_WAIT_REQUEUE_PI, 0, &b}, {&a, FUTEX_WAIT_REQUEUE_PI, 0, &b}};
  for (int i = 0; i < 3; i++) t[i] = start(&j[i]);
  SAY(futex(&a, FUTEX_WAKE, 1, 0, 0, 0));
  SAY(futex(&a, FUTEX_CMP_REQUEUE, 1, 0, &b, 0));
  int other;
  SAY(futex(&a, FUTEX_CMP_REQUEUE_PI, 1, 0, &other, 0));
  SAY(futex(&b, FUTEX_LOCK_PI, 0, 0, 0, 0));
  SAY(futex(&a, FUTEX_CMP_REQUEUE_PI, 1, (void *)INT_MAX, &b, 0));
  printf("mine %d, waiters %d\n", (b & FUTEX_TID_MASK) == gettid(), b < 0);
  SAY(futex(&b, FUTEX_UNLOCK_PI, 0, 0, 0, 0));
  for (int i = 0; i < 3; i++) pthread_join(t[i], 0), printf("%s ", name(j[i].result)); // each ends with it
  printf("died %d, owner %d\n", b >> 30 & 1, (b & FUTEX_TID_MASK) != 0);
  b = done = 0;
  t[0] = start(&j[0]);
  SAY(futex(&a, FUTEX_CMP_REQUEUE_PI, 1, 0, &b, 0));
  pthread_join(t[0], 0);
  printf("taken at once %s\n", name(j[0].result));
}

static pthread_mutex_t m;
static long sum;
static void *adder(void *u) {
  for (int i = 0; i < 2000; i++) pthread_mutex_lock(&m), sum++, pthread_mutex_unlock(&m);
  return 0;
}
static void *dies(void *u) {
  pthread_mutex_lock(&m);
  tid_of = gettid();
  nap(10);
  return 0;
}
static void glibc(void) {
  pthread_mutexattr_t attr;
  pthread_t t[4];
  pthread_mutexattr_init(&attr);
  pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT), pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
  pthread_mutex_init(&m, &attr);
  for (int i = 0; i < 4; i++) pthread_create(&t[i], 0, adder, 0);
  for (int i = 0; i < 4; i++) pthread_join(t[i], 0);
  printf("PI mutex: sum %ld, lock %d", sum, pthread_mutex_lock(&m));
  printf(" %s", name(-pthread_mutex_lock(&m)));
  printf(", unlock %d", pthread_mutex_unlock(&m));
  printf(" %s\n", name(-pthread_mutex_unlock(&m)));
  pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&m, &attr);
  tid_of = 0;
  pthread_create(&t[0], 0, dies, 0);
  while (!tid_of) sched_yield();
  printf("robust: %s", name(-pthread_mutex_lock(&m)));
  pthread_join(t[0], 0);
  printf(", consistent %d", pthread_mutex_consistent(&m));
  printf(", unlock %d", pthread_mutex_unlock(&m));
  pthread_create(&t[0], 0, dies, 0), pthread_join(t[0], 0);
  printf(", again %s\n", name(-pthread_mutex_trylock(&m)));
}

int main(void) {
  refusals();
  operations();
  keys();
  clocks();
  locks();
  deadlock();
  requeue();
  glibc();
  return 0;
}
