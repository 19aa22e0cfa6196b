// System V message queues: order and types, room, waiting and its ends (a message, room, removal, a signal, less permission), MSG_COPY,
// msgctl's commands, every error of the man pages that can be provoked. Who has to wait is found by trying again, not by the clock.
#define _GNU_SOURCE
#include "report.h"
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct text { long type; char text[9000]; };
static struct text m;
static struct msqid_ds ds;
static key_t key;
#define MADE(call) (errno = 0, (call) < 0 ? say(#call, -1) : (void)printf("%s: made\n", #call))
static int put(int id, long type, const char *text, int flags) {
  struct text t = {type};
  strcpy(t.text, text);
  return msgsnd(id, &t, strlen(text), flags);
}
static void get(int id, long type, int size, int flags) {
  memset(&m, 0, sizeof m);
  errno = 0;
  int n = msgrcv(id, &m, size, type, flags);
  if (n < 0) printf("type %ld, size %d, flags %o: %s\n", type, size, flags, strerrorname_np(errno));
  else printf("type %ld, size %d, flags %o: %d of type %ld: %.20s\n", type, size, flags, n, m.type, m.text);
}
static void stat_of(int id) {
  if (msgctl(id, IPC_STAT, &ds) < 0) return say("IPC_STAT", -1);
  printf("%lu messages, %lu bytes of %lu, mode %o, times %d %d %d, last %d %d\n", ds.msg_qnum, ds.msg_cbytes, ds.msg_qbytes, ds.msg_perm.mode,
         ds.msg_stime > 0, ds.msg_rtime > 0, ds.msg_ctime > 0, ds.msg_lspid == getpid(), ds.msg_lrpid == getpid());
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
  SAY(put(id, 1, "x", IPC_NOWAIT));
  get(id, 0, 10, IPC_NOWAIT);
  SAY(msgctl(id, IPC_STAT, &ds));
  SAY(msgctl(id, IPC_SET, &ds));
  SAY(msgctl(id, IPC_RMID, NULL));
  ds.msg_qbytes = 1000000;
  SAY(msgctl(id, IPC_SET, &ds));
}
static void creation(void) {
  MADE(msgget(key, 0600));
  int id = msgget(key, IPC_CREAT | 0600);
  MADE(msgget(key, IPC_CREAT | IPC_EXCL | 0600));
  SAY(msgget(key, 0) == id);
  stat_of(id);
  as_user(stranger, id);
  ds.msg_perm.mode = 0604;
  SAY(msgctl(id, IPC_SET, &ds));
  as_user(stranger, id);
  ds.msg_perm.uid = 4242;
  SAY(msgctl(id, IPC_SET, &ds));
  as_user(stranger, id);
  ds.msg_perm.uid = -1;
  SAY(msgctl(id, IPC_SET, &ds));
  SAY(msgctl(id, IPC_RMID, NULL));
  SAY(msgctl(id, IPC_RMID, NULL));
}
static void order(void) {
  int id = msgget(IPC_PRIVATE, 0600);
  get(id, 0, 10, IPC_NOWAIT);
  for (int i = 0; i < 6; i++) {
    char text[20];
    sprintf(text, "text %d", i);
    put(id, (long[]){5, 3, 9, 3, 1, LONG_MAX}[i], text, 0);
  }
  stat_of(id);
  get(id, 2, 20, IPC_NOWAIT | MSG_COPY);
  get(id, 9, 20, IPC_NOWAIT | MSG_COPY);
  get(id, -1, 20, IPC_NOWAIT | MSG_COPY);
  get(id, 2, 3, IPC_NOWAIT | MSG_COPY);
  get(id, 2, 3, IPC_NOWAIT | MSG_COPY | MSG_NOERROR);
  get(id, 2, 20, MSG_COPY);
  get(id, 2, 20, IPC_NOWAIT | MSG_COPY | MSG_EXCEPT);
  get(id, 3, 20, 0);
  get(id, 3, 3, 0);
  get(id, 3, 3, MSG_NOERROR);
  get(id, 3, 20, IPC_NOWAIT);
  get(id, 5, 20, MSG_EXCEPT);
  get(id, -4, 20, 0);
  get(id, -4, 20, IPC_NOWAIT);
  get(id, LONG_MIN, 20, 0);
  get(id, 0, 0, MSG_NOERROR);
  get(id, 0, 20, IPC_NOWAIT);
  stat_of(id);
  SAY(put(id, 0, "x", 0));
  SAY(put(id, -5, "x", 0));
  m.type = 1;
  SAY(msgsnd(id, &m, 8193, 0));
  SAY(msgsnd(id, &m, -1, 0));
  SAY(msgsnd(id, &m, 0, 0));
  SAY(msgsnd(id, NULL, 10, 0));
  SAY(syscall(SYS_msgsnd, id, 8, -1l, 0));
  SAY(msgsnd(-1, &m, 1, 0));
  SAY(msgsnd(-1, NULL, 1, 0));
  SAY(msgsnd(0x7fffffff, &m, 1, 0));
  SAY(msgrcv(-1, &m, 1, 0, 0));
  SAY(msgrcv(id, &m, -1, 0, 0));
  SAY(msgrcv(0x7fffffff, &m, 1, 0, 0));
  SAY(syscall(SYS_msgrcv, id, 8, 100, 0, 0));
  stat_of(id);
  SAY(msgctl(id, 55, &ds));
  SAY(msgctl(id, -1, &ds));
  SAY(msgctl(-1, IPC_STAT, &ds));
  SAY(msgctl(0x7fffffff, IPC_STAT, &ds));
  SAY(msgctl(id, IPC_STAT, NULL));
  SAY(msgctl(id, IPC_SET, NULL));
  SAY(msgctl(0x7fffffff, IPC_SET, NULL));
  struct msginfo info;
  SAY(msgctl(0, IPC_INFO, (void *)&info) >= 0);
  printf("limits %d %d %d\n", info.msgmax, info.msgmnb, info.msgmni);
  SAY(msgctl(0, MSG_INFO, (void *)&info) >= 0);
  printf("in use %d\n", info.msgpool >= 1);
  int found = 0;
  for (int i = 0, top = msgctl(0, MSG_INFO, (void *)&info); i <= top; i++) found += msgctl(i, MSG_STAT, &ds) == id;
  printf("found by index: %d\n", found);
  SAY(msgctl(id, IPC_RMID, NULL));
}
static void room(void) {
  int id = msgget(IPC_PRIVATE, 0600), n = 0;
  m.type = 1;
  while (msgsnd(id, &m, 4000, IPC_NOWAIT) == 0) n++;
  printf("%d, then %s\n", n, strerrorname_np(errno));
  SAY(msgsnd(id, &m, 384, IPC_NOWAIT));
  SAY(msgsnd(id, &m, 1, IPC_NOWAIT));
  stat_of(id);
  ds.msg_qbytes = 16000;
  SAY(msgctl(id, IPC_SET, &ds));
  SAY(msgsnd(id, &m, 0, IPC_NOWAIT));
  stat_of(id);
  ds.msg_qbytes = 2;
  SAY(msgctl(id, IPC_SET, &ds));
  while (msgrcv(id, &m, 4000, 0, IPC_NOWAIT) >= 0) {}
  m.type = 1;
  for (n = 0; msgsnd(id, &m, 0, IPC_NOWAIT) == 0;) n++;
  printf("empty ones: %d\n", n);
  // a sender waits for room
  pid_t pid = start();
  if (pid == 0) _exit(put(id, 7, "z", 0) ? errno : 0);
  do {
    msgrcv(id, &m, 10, 1, IPC_NOWAIT);
    sched_yield();
  } while (msgrcv(id, &m, 10, 7, IPC_NOWAIT) < 0);
  printf("came: %.1s, %d\n", m.text, end_of(pid));
  SAY(msgctl(id, IPC_RMID, NULL));
}
static void handler(int s) {}
/* A child that waits in msgrcv, or in msgsnd when the queue is full; what `then` does is tried until the child was really waiting. */
static void waits(const char *what, int full, int restart, int (*then)(int, pid_t), int want) {
  int result, tries = 0;
  do {
    int id = msgget(IPC_PRIVATE, 0666);
    msgctl(id, IPC_STAT, &ds);
    if (full) ds.msg_qbytes = 1, msgctl(id, IPC_SET, &ds), put(id, 9, "f", 0);
    int ready[2];
    char c;
    pipe(ready);
    pid_t pid = start();
    if (pid == 0) {
      struct sigaction act = {.sa_handler = handler, .sa_flags = restart ? SA_RESTART : 0};
      sigaction(SIGUSR1, &act, NULL);
      if (then(0, 0)) setgroups(0, NULL), setgid(4242), setuid(4242);
      write(ready[1], "", 1);
      _exit((full ? put(id, 1, "s", 0) : msgrcv(id, &m, 10, 1, 0) < 0 ? -1 : 0) ? errno : 0);
    }
    read(ready[0], &c, 1);
    close(ready[0]), close(ready[1]);
    for (int i = 0; i < tries; i++) sched_yield();
    result = then(id, pid);
    if (result == 0) result = end_of(pid);
    msgctl(id, IPC_RMID, NULL);
  } while (result != want && tries++ < 2000);
  printf("%s: %s\n", what, result > 1000 ? "killed" : result ? strerrorname_np(result) : "done");
}
static int by_removal(int id, pid_t pid) { return pid ? msgctl(id, IPC_RMID, NULL) : 0; }
static int by_message(int id, pid_t pid) { return pid ? put(id, 1, "m", 0) : 0; }
static int by_long_message(int id, pid_t pid) { return pid ? put(id, 1, "more than there is room for", 0) : 0; }
static int by_signal(int id, pid_t pid) {
  if (!pid) return 0;
  siginfo_t info;
  do {
    kill(pid, SIGUSR1);
    sched_yield();
    info.si_pid = 0;
  } while (waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0);
  return 0;
}
static int by_kill(int id, pid_t pid) { return pid ? kill(pid, SIGKILL) : 0; }
static int by_permission(int id, pid_t pid) {
  if (!pid) return 1;
  msgctl(id, IPC_STAT, &ds);
  ds.msg_perm.mode = 0600;
  return msgctl(id, IPC_SET, &ds);
}
static int by_permission_and_room(int id, pid_t pid) { return by_permission(id, pid) || (pid ? msgrcv(id, &m, 10, 9, 0) != 1 : 0); }
static int by_room(int id, pid_t pid) { return pid ? msgrcv(id, &m, 10, 9, 0) != 1 : 0; }
static void waiting(void) {
  waits("a message", 0, 0, by_message, 0);
  waits("a message too long", 0, 0, by_long_message, E2BIG);
  waits("receiver, queue removed", 0, 0, by_removal, EIDRM);
  waits("sender, queue removed", 1, 0, by_removal, EIDRM);
  waits("receiver, a signal", 0, 0, by_signal, EINTR);
  waits("receiver, a signal, SA_RESTART", 0, 1, by_signal, EINTR);
  waits("sender, a signal", 1, 0, by_signal, EINTR);
  waits("receiver, killed", 0, 0, by_kill, 1000 + SIGKILL);
  waits("receiver, no more permission", 0, 0, by_permission, EACCES);
  waits("sender, room but no more permission", 1, 0, by_permission_and_room, EACCES);
  waits("sender, room", 1, 0, by_room, 0);
}
int main(void) {
  key = 0x6d000000 | getpid();
  creation();
  order();
  room();
  waiting();
  return 0;
}
