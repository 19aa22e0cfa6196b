// System V semaphores: operations done all or none, waiting and its ends (done, removed, signal, timeout), SEM_UNDO over fork, threads,
// exec and exit, semctl's commands, every error of the man pages that can be provoked. Nothing waits by the clock.
#define _GNU_SOURCE
#include "report.h"
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/wait.h>

union semun { int val; struct semid_ds *buf; unsigned short *array; struct seminfo *info; };
static struct semid_ds ds;
static key_t key;
#define MADE(call) (errno = 0, (call) < 0 ? say(#call, -1) : (void)printf("%s: made\n", #call))
static int op(int id, int n, int by, int flags) {
  struct sembuf s = {n, by, flags};
  return semop(id, &s, 1);
}
static void values(int id) {
  unsigned short v[8] = {0};
  if (semctl(id, 0, IPC_STAT, &ds) < 0) return say("IPC_STAT", -1);
  SAY(semctl(id, 0, GETALL, v));
  printf("values");
  for (int i = 0; i < ds.sem_nsems; i++) printf(" %d", v[i]);
  printf(" of %lu, mode %o, times %d %d\n", ds.sem_nsems, ds.sem_perm.mode, ds.sem_otime > 0, ds.sem_ctime > 0);
}
/* Until so many wait for more, or for zero. */
static void until_waiting(int id, int n, int cmd, int many) {
  while (semctl(id, n, cmd) < many) sched_yield();
}
static pid_t start(void) {
  fflush(stdout);
  return fork();
}
static int end_of(pid_t pid) {
  int status;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}
static void as_user(void (*what)(int), int id) {
  if (start() == 0) {
    if (setgroups(0, NULL) || setgid(4242) || setuid(4242)) printf("can't become another user\n");
    else what(id);
    _exit(0);
  }
  wait(NULL);
}
static void stranger(int id) {
  unsigned short v[8] = {1, 1, 1, 1};
  SAY(op(id, 0, 1, 0));
  SAY(op(id, 0, 0, IPC_NOWAIT));
  SAY(semctl(id, 0, GETVAL));
  SAY(semctl(id, 0, GETALL, v));
  SAY(semctl(id, 0, SETVAL, 1));
  SAY(semctl(id, 0, SETALL, v));
  SAY(semctl(id, 0, IPC_STAT, &ds));
  SAY(semctl(id, 0, IPC_SET, &ds));
  SAY(semctl(id, 0, IPC_RMID));
}
static void creation(void) {
  MADE(semget(key, 2, 0600));
  int id = semget(key, 3, IPC_CREAT | 0600);
  MADE(semget(key, 3, IPC_CREAT | IPC_EXCL | 0600));
  SAY(semget(key, 3, 0) == id);
  SAY(semget(key, 0, 0) == id);
  MADE(semget(key, 4, 0));
  MADE(semget(IPC_PRIVATE, 0, 0600));
  MADE(semget(IPC_PRIVATE, -1, 0600));
  MADE(semget(IPC_PRIVATE, 1000000, 0600));
  values(id);
  as_user(stranger, id);
  ds.sem_perm.mode = 0604;
  SAY(semctl(id, 0, IPC_SET, &ds));
  as_user(stranger, id);
  ds.sem_perm.mode = 0602;
  SAY(semctl(id, 0, IPC_SET, &ds));
  as_user(stranger, id);
  SAY(semctl(id, 0, SETVAL, 0));
  SAY(semctl(id, 0, IPC_RMID));
  SAY(semctl(id, 0, IPC_RMID));
}
static void operations(void) {
  int id = semget(IPC_PRIVATE, 4, 0600);
  struct sembuf many[600] = {{0}};
  unsigned short v[4] = {1, 2, 3, 4}, big[4] = {0, 0, 40000, 0};
  SAY(semctl(id, 0, SETALL, v));
  SAY(semctl(id, 0, SETALL, big));
  values(id);
  SAY(op(id, 0, 5, 0));
  SAY(op(id, 0, -6, IPC_NOWAIT));
  SAY(op(id, 0, -1, IPC_NOWAIT));
  SAY(op(id, 1, 0, IPC_NOWAIT));
  SAY(op(id, 4, 1, 0));
  SAY(op(id, 0, 32767, 0));
  SAY(op(id, 3, 32763, 0));
  SAY(op(id, 3, 1, 0));
  struct sembuf all[] = {{0, -6, 0}, {1, 1, 0}, {2, -4, IPC_NOWAIT}};
  errno = 0, say("all or none", semop(id, all, 3));
  values(id);
  struct sembuf twice[] = {{0, -5, 0}, {0, 0, IPC_NOWAIT}, {0, 7, 0}};
  errno = 0, say("through zero", semop(id, twice, 3));
  values(id);
  SAY(semop(id, many, 0));
  SAY(semop(id, many, 501));
  SAY(semop(id, NULL, 1));
  SAY(semop(id, (void *)8, 1));
  SAY(semop(-1, many, 1));
  SAY(semop(-1, NULL, 1));
  SAY(semop(0x7fffffff, many, 1));
  struct timespec none = {0, 0}, bad = {0, 1000000000}, before = {-1, 0}, soon = {0, 2000000};
  SAY(semtimedop(id, &(struct sembuf){0, -100, 0}, 1, &none));
  SAY(semtimedop(id, &(struct sembuf){0, -100, 0}, 1, &soon));
  SAY(semtimedop(id, &(struct sembuf){0, -100, 0}, 1, &bad));
  SAY(semtimedop(id, &(struct sembuf){0, -100, 0}, 1, &before));
  SAY(semtimedop(id, &(struct sembuf){0, 1, 0}, 1, &soon));
  SAY(syscall(SYS_semtimedop, id, many, 1, 8));
  SAY(syscall(SYS_semtimedop, id, many, 501, &bad));
  SAY(semctl(id, 4, GETVAL));
  SAY(semctl(id, -1, GETVAL));
  SAY(semctl(id, 0, GETPID) == getpid());
  SAY(semctl(id, 0, SETVAL, -1));
  SAY(semctl(id, 0, SETVAL, 32768));
  SAY(semctl(id, 4, SETVAL, 1));
  SAY(semctl(-1, 0, SETVAL, 99999));
  SAY(semctl(0x7fffffff, 0, SETVAL, 99999));
  SAY(semctl(0x7fffffff, 0, SETVAL, 9));
  SAY(semctl(id, 0, 55));
  SAY(semctl(id, 0, GETALL, NULL));
  SAY(semctl(id, 0, SETALL, NULL));
  SAY(semctl(id, 0, IPC_SET, NULL));
  SAY(semctl(0x7fffffff, 0, IPC_SET, NULL));
  SAY(semctl(id, 0, IPC_STAT, NULL));
  SAY(semctl(-1, 0, IPC_STAT, NULL));
  struct seminfo info;
  SAY(semctl(0, 0, IPC_INFO, &info) >= 0);
  printf("limits %d %d %d %d\n", info.semmsl, info.semopm, info.semvmx, info.semaem);
  SAY(semctl(0, 0, SEM_INFO, &info) >= 0);
  printf("in use %d %d\n", info.semusz >= 1, info.semaem >= 4);
  int found = 0;
  for (int i = 0, top = semctl(0, 0, SEM_INFO, &info); i <= top; i++) found += semctl(i, 0, SEM_STAT, &ds) == id;
  printf("found by index: %d\n", found);
  SAY(semctl(id, 0, IPC_RMID));
}
static void handler(int s) {}
static void waiting(void) {
  int id = semget(IPC_PRIVATE, 3, 0600);
  pid_t pid = start();
  if (pid == 0) _exit(op(id, 0, -3, 0) ? errno : 0);
  until_waiting(id, 0, GETNCNT, 1);
  SAY(op(id, 0, 2, 0));
  SAY(semctl(id, 0, GETNCNT));
  SAY(op(id, 0, 2, 0));
  SAY(end_of(pid));
  values(id);
  SAY(semctl(id, 0, GETPID) == pid);
  // in order of arrival, as far as they can be done
  pid_t a = start();
  if (a == 0) _exit(op(id, 0, -5, 0) ? errno : 0);
  until_waiting(id, 0, GETNCNT, 1);
  pid_t b = start();
  if (b == 0) _exit(op(id, 0, -2, 0) ? errno : 0);
  until_waiting(id, 0, GETNCNT, 2);
  SAY(op(id, 0, 1, 0));
  SAY(end_of(b));
  SAY(semctl(id, 0, SETVAL, 5));
  SAY(end_of(a));
  values(id);
  // zero
  op(id, 1, 2, 0);
  a = start();
  if (a == 0) {
    struct sembuf s[] = {{1, 0, 0}, {2, 1, 0}};
    _exit(semop(id, s, 2) ? errno : 0);
  }
  until_waiting(id, 1, GETZCNT, 1);
  printf("for zero %d, for more %d\n", semctl(id, 1, GETZCNT), semctl(id, 1, GETNCNT));
  SAY(op(id, 1, -2, 0));
  SAY(end_of(a));
  values(id);
  // several at once: whom the first that can't be done counts
  a = start();
  if (a == 0) {
    struct sembuf s[] = {{2, -1, 0}, {0, -1, 0}, {1, -1, 0}};
    _exit(semop(id, s, 3) ? errno : 0);
  }
  until_waiting(id, 0, GETNCNT, 1);
  printf("it waits for %d %d %d\n", semctl(id, 0, GETNCNT), semctl(id, 1, GETNCNT), semctl(id, 2, GETNCNT));
  op(id, 0, 1, 0);
  until_waiting(id, 1, GETNCNT, 1);
  printf("it waits for %d %d %d\n", semctl(id, 0, GETNCNT), semctl(id, 1, GETNCNT), semctl(id, 2, GETNCNT));
  unsigned short v[3] = {1, 1, 1};
  SAY(semctl(id, 0, SETALL, v));
  SAY(end_of(a));
  values(id);
  // a signal, with and without SA_RESTART, stop and continuation
  for (int restart = 0; restart < 2; restart++) {
    a = start();
    if (a == 0) {
      struct sigaction act = {.sa_handler = handler, .sa_flags = restart ? SA_RESTART : 0};
      sigaction(SIGUSR1, &act, NULL);
      _exit(op(id, 0, -1, 0) ? errno : 0);
    }
    until_waiting(id, 0, GETNCNT, 1);
    kill(a, SIGUSR1);
    printf("a signal: %s\n", strerrorname_np(end_of(a)));
    SAY(semctl(id, 0, GETNCNT));
  }
  a = start();
  if (a == 0) _exit(op(id, 0, -1, 0) ? errno : 0);
  until_waiting(id, 0, GETNCNT, 1);
  kill(a, SIGKILL);
  SAY(end_of(a));
  SAY(semctl(id, 0, GETNCNT));
  a = start();
  if (a == 0) _exit(op(id, 0, -1, 0) ? errno : 0);
  until_waiting(id, 0, GETNCNT, 1);
  SAY(semctl(id, 0, IPC_RMID));
  printf("removed: %s\n", strerrorname_np(end_of(a)));
}
static void *undo_in_thread(void *id) {
  op(*(int *)id, 0, 10, SEM_UNDO);
  return NULL;
}
static void undoing(char **argv) {
  int id = semget(IPC_PRIVATE, 2, 0600);
  pid_t a = start();
  if (a == 0) {
    op(id, 0, 5, SEM_UNDO);
    op(id, 0, -2, SEM_UNDO);
    op(id, 1, 7, 0);
    values(id);
    pid_t b = start();
    if (b == 0) {
      op(id, 1, 1, SEM_UNDO);
      _exit(0);
    }
    end_of(b);
    values(id);
    _exit(0);
  }
  end_of(a);
  values(id);
  printf("last: %d\n", semctl(id, 0, GETPID) == a);
  // below zero stops at zero; SETVAL forgets
  a = start();
  if (a == 0) {
    op(id, 0, 5, SEM_UNDO);
    op(id, 0, -4, 0);
    op(id, 1, 3, SEM_UNDO);
    semctl(id, 1, SETVAL, 2);
    _exit(0);
  }
  end_of(a);
  values(id);
  // whoever waits for what an exit gives back
  op(id, 0, 1, 0);
  a = start();
  if (a == 0) {
    op(id, 0, -1, SEM_UNDO);
    for (;;) pause();
  }
  while (semctl(id, 0, GETVAL)) sched_yield();
  pid_t b = start();
  if (b == 0) _exit(op(id, 0, -1, 0) ? errno : 0);
  until_waiting(id, 0, GETNCNT, 1);
  kill(a, SIGKILL);
  end_of(a);
  SAY(end_of(b));
  // a thread's adjustment is its process's
  a = start();
  if (a == 0) {
    pthread_t t;
    pthread_create(&t, NULL, undo_in_thread, &id);
    pthread_join(t, NULL);
    values(id);
    _exit(0);
  }
  end_of(a);
  values(id);
  // exec changes nothing
  a = start();
  if (a == 0) {
    op(id, 0, 3, SEM_UNDO);
    char text[20];
    sprintf(text, "%d", id);
    execl("/proc/self/exe", argv[0], text, NULL);
  }
  end_of(a);
  values(id);
  // the range of an adjustment
  a = start();
  if (a == 0) {
    SAY(op(id, 0, 32767, SEM_UNDO));
    SAY(op(id, 0, -32767, 0));
    SAY(op(id, 0, 1, SEM_UNDO));
    SAY(op(id, 0, 2, SEM_UNDO));
    SAY(op(id, 9, 2, SEM_UNDO));
    SAY(op(0x7fffffff, 0, 2, SEM_UNDO));
    semctl(id, 0, IPC_RMID);
    _exit(0);
  }
  end_of(a);
  SAY(semctl(id, 0, GETVAL));
}
int main(int argc, char **argv) {
  if (argc > 1) return values(atoi(argv[1])), 0;
  key = 0x6d000000 | getpid();
  creation();
  operations();
  waiting();
  undoing(argv);
  return 0;
}
