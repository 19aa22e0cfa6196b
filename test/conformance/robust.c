// Robust mutexes and robust lists: what becomes of locks whose owners end, by return, exit, signal or exec, alone or with their process.
#define _GNU_SOURCE
#include "report.h"
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static struct shared {
  pthread_mutex_t m[4];
  pthread_mutex_t hot;
  atomic_int ready, word, count, stop;
} *sh;
static const char *name(int e) { return e ? strerrorname_np(e) : "0"; }
static void init(pthread_mutex_t *m) {
  pthread_mutexattr_t a;
  pthread_mutexattr_init(&a);
  pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST), pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(m, &a);
}

// ---- threads ----

static void *holder(void *m) {
  pthread_mutex_lock(m);
  return 0;
}
static void *waiter(void *m) {
  sh->ready = 1;
  return (void *)(long)pthread_mutex_lock(m);
}
static void *late(void *m) {
  pthread_mutex_lock(m);
  sh->ready = 1;
  nap(20);
  return 0;
}
static void threads(void) {
  pthread_mutex_t m;
  pthread_t t, u;
  void *r;
  init(&m);
  pthread_create(&t, 0, holder, &m), pthread_join(t, 0);
  printf("after the owner: try %s", name(pthread_mutex_trylock(&m)));
  printf(", consistent %s", name(pthread_mutex_consistent(&m)));
  printf(", unlock %s", name(pthread_mutex_unlock(&m)));
  printf(", lock %s\n", name(pthread_mutex_lock(&m)));
  pthread_mutex_unlock(&m);
  pthread_create(&t, 0, holder, &m), pthread_join(t, 0);
  printf("not made consistent: lock %s", name(pthread_mutex_lock(&m)));
  printf(", unlock %s", name(pthread_mutex_unlock(&m)));
  printf(", lock %s\n", name(pthread_mutex_lock(&m)));
  init(&m);
  sh->ready = 0;
  pthread_create(&t, 0, late, &m);
  while (!sh->ready) sched_yield();
  pthread_create(&u, 0, waiter, &m);
  pthread_join(t, 0), pthread_join(u, &r);
  printf("somebody waits: %s\n", name((long)r));
}

// ---- processes ----

static void self_kill(void) { kill(getpid(), SIGKILL); }
static void quiet(void) { for (;;) pause(); }
static void busy(void) { for (;;) {} }
static void leave(void) { _exit(3); }
static void fault(void) { *(volatile int *)8 = 1; }
static void replace(void) { execl("/bin/true", "true", (char *)0); }
static void *second(void *f) {
  pthread_mutex_lock(&sh->m[1]);
  sh->ready = 1;
  ((void (*)(void))f)();
  return 0;
}
/* A child locks one mutex, and in a second thread another, then ends as `f` says, or is killed. */
static void process(const char *what, void (*f)(void), void (*g)(void), int signo) {
  int status;
  for (int i = 0; i < 2; i++) init(&sh->m[i]);
  sh->ready = 0;
  pid_t pid = fork();
  if (pid == 0) {
    pthread_t t;
    pthread_mutex_lock(&sh->m[0]);
    pthread_create(&t, 0, second, g);
    while (!sh->ready) sched_yield();
    sh->ready = 2;
    f();
  }
  while (sh->ready != 2) sched_yield();
  if (signo) kill(pid, signo);
  waitpid(pid, &status, 0);
  printf("%s: status %x, %s", what, status, name(pthread_mutex_trylock(&sh->m[0])));
  printf(" %s\n", name(pthread_mutex_trylock(&sh->m[1])));
}
static void processes(void) {
  process("exit", leave, quiet, 0);
  process("exit, another busy", leave, busy, 0);
  process("SIGKILL to itself", self_kill, busy, 0);
  process("SIGKILL, both asleep", quiet, quiet, SIGKILL);
  process("SIGKILL, both busy", busy, busy, SIGKILL);
  process("SIGTERM", quiet, busy, SIGTERM);
  process("fault", fault, quiet, 0);
  process("exec", replace, quiet, 0);
  process("stopped and killed", quiet, quiet, SIGSTOP * 0 + SIGKILL);
  init(&sh->m[0]);
  sh->ready = 0;
  pid_t pid = fork(), waiting;
  if (pid == 0) {
    pthread_mutex_lock(&sh->m[0]);
    sh->ready = 1;
    raise(SIGSTOP);
    _exit(0);
  }
  waitpid(pid, 0, WUNTRACED);
  if ((waiting = fork()) == 0) {
    sh->ready = 2;
    int e = pthread_mutex_lock(&sh->m[0]);
    pthread_mutex_consistent(&sh->m[0]), pthread_mutex_unlock(&sh->m[0]);
    _exit(e);
  }
  while (sh->ready != 2) sched_yield();
  nap(10);
  int status;
  kill(pid, SIGKILL), waitpid(pid, 0, 0);
  waitpid(waiting, &status, 0);
  printf("a stopped owner is killed: %s, then %s\n", name(WEXITSTATUS(status)), name(pthread_mutex_lock(&sh->m[0])));
  pthread_mutex_unlock(&sh->m[0]);
}

/* Owners are killed again and again, each with two threads that lock and unlock all the time; nobody may hang. */
static void *hammer(void *u) {
  for (;;) {
    int e = pthread_mutex_lock(&sh->hot);
    if (e == EOWNERDEAD) pthread_mutex_consistent(&sh->hot);
    sh->count++;
    pthread_mutex_unlock(&sh->hot);
  }
}
static void hammered(void) {
  init(&sh->hot);
  for (int i = 0; i < 30; i++) {
    pid_t pid = fork();
    if (pid == 0) {
      pthread_t t;
      pthread_create(&t, 0, hammer, 0);
      hammer(0);
    }
    int was = sh->count;
    while (sh->count < was + 50 + i) sched_yield();
    kill(pid, SIGKILL), waitpid(pid, 0, 0);
    int e = pthread_mutex_lock(&sh->hot);
    if (e == EOWNERDEAD) pthread_mutex_consistent(&sh->hot);
    else if (e) printf("lock %s\n", name(e));
    pthread_mutex_unlock(&sh->hot);
  }
  printf("hammered\n");
}

// ---- the list itself ----

struct entry {
  struct entry *next;
  atomic_int word;
};
static struct robust {
  struct entry *next;
  long offset;
  struct entry *pending;
} *head;
static struct entry *entries;
static long set_list(void *h, size_t n) { return syscall(SYS_set_robust_list, h, n); }
static void *lister(void *u) {
  int tid = gettid();
  head->offset = offsetof(struct entry, word);
  entries[0].word = tid | FUTEX_WAITERS, entries[1].word = tid, entries[2].word = 12345, entries[3].word = tid | FUTEX_WAITERS, entries[4].word = 0;
  head->next = &entries[0], entries[0].next = &entries[1], entries[1].next = &entries[2], entries[2].next = (void *)head;
  head->pending = u ? &entries[4] : &entries[3];
  set_list(head, 24);
  syscall(SYS_exit, 0);
  return 0;
}
static void *word_waiter(void *w) { return (void *)syscall(SYS_futex, w, FUTEX_WAIT, *(int *)w, 0, 0, 0); }
static void lists(void) {
  struct robust *h = 0;
  size_t n = 0;
  pthread_t t, u;
  SAY(set_list(head, 23));
  SAY(syscall(SYS_get_robust_list, 0, &h, &n));
  printf("own list %d, %zu bytes\n", h != 0, n);
  SAY(syscall(SYS_get_robust_list, getpid(), &h, &n));
  SAY(syscall(SYS_get_robust_list, 99999999, &h, &n));
  SAY(syscall(SYS_get_robust_list, -1, &h, &n));
  SAY(syscall(SYS_get_robust_list, 0, 16, &n));
  SAY(syscall(SYS_get_robust_list, 0, &h, 16));
  for (int i = 0; i < 2; i++) {
    // raw threads of glibc's can't be joined; their id word says when they are gone
    pthread_attr_t a;
    pthread_attr_init(&a), pthread_attr_setdetachstate(&a, PTHREAD_CREATE_DETACHED);
    for (int k = 0; k < 5; k++) entries[k].word = 77;
    pthread_create(&t, &a, lister, (void *)(long)i);
    while (entries[0].word == 77 || !(entries[0].word & FUTEX_OWNER_DIED)) sched_yield();
    nap(5);
    for (int k = 0; k < 5; k++) {
      int w = entries[k].word;
      printf("%s%s%s ", w & FUTEX_WAITERS ? "waiters+" : "", w & FUTEX_OWNER_DIED ? "died+" : "", w & FUTEX_TID_MASK ? (w & FUTEX_TID_MASK) == 12345 ? "other" : "owner" : "0");
    }
    printf("\n");
  }
}

int main(void) {
  sh = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  head = malloc(sizeof *head), entries = calloc(8, sizeof *entries);
  threads();
  processes();
  hammered();
  lists();
  return 0;
}
