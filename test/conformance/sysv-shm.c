// System V shared memory: keys and permissions, attaching and detaching, nattch over fork, exec and exit, removal, every error of the
// man pages that can be provoked. Ids and addresses are not printed, only what is the same everywhere.
#define _GNU_SOURCE
#include "report.h"
#include <fcntl.h>
#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define PAGE 4096
static key_t key;
static sigjmp_buf back;
static void jump(int s) { siglongjmp(back, s); }
static int touch(volatile char *p, int write) {
  int s = sigsetjmp(back, 1);
  if (s) return s;
  if (write) *p = 1;
  else (void)*p;
  return 0;
}
/* An id, or the error. */
#define MADE(call) (errno = 0, (call) < 0 ? say(#call, -1) : (void)printf("%s: made\n", #call))
#define ADDRESS(call) (errno = 0, (void *)(call) == (void *)-1 ? say(#call, -1) : (void)printf("%s: attached\n", #call))
static struct shmid_ds ds;
static int stat_of(int id) {
  int r = shmctl(id, IPC_STAT, &ds);
  if (r < 0) say("IPC_STAT", -1);
  else
    printf("size %zu nattch %lu mode %o times %d %d %d creator %d last %d\n", ds.shm_segsz, (long)ds.shm_nattch, ds.shm_perm.mode, ds.shm_atime > 0,
           ds.shm_dtime > 0, ds.shm_ctime > 0, ds.shm_cpid == getpid(), ds.shm_lpid == getpid());
  return r;
}
/* In a child, as another user. */
static void as_user(void (*what)(int), int id) {
  fflush(stdout);
  if (fork() == 0) {
    if (setgroups(0, NULL) || setgid(4242) || setuid(4242)) printf("can't become another user\n");
    else what(id);
    _exit(0);
  }
  wait(NULL);
}
static void stranger(int id) {
  ADDRESS(shmat(id, NULL, 0));
  ADDRESS(shmat(id, NULL, SHM_RDONLY));
  SAY(shmctl(id, IPC_STAT, &ds));
  SAY(shmctl(id, IPC_RMID, NULL));
  SAY(shmctl(id, IPC_SET, &ds));
  SAY(shmctl(id, SHM_LOCK, NULL));
  SAY(shmget(key, 0, 0) >= 0 ? 1 : -1);
  SAY(shmget(key, 0, 0600) >= 0 ? 1 : -1);
}
static void creation(void) {
  SAY(shmget(key, 100, 0600));
  int id = shmget(key, 10000, IPC_CREAT | IPC_EXCL | 0640);
  SAY(shmget(key, 10000, IPC_CREAT | IPC_EXCL | 0600));
  SAY(shmget(key, 10000, 0) == id);
  SAY(shmget(key, 1, IPC_CREAT | 0600) == id);
  SAY(shmget(key, 10001, 0));
  SAY(shmget(IPC_PRIVATE, 0, 0600));
  SAY(shmget(IPC_PRIVATE, -1, 0600));
  SAY(shmget(IPC_PRIVATE, 1ul << 60, 0600));
  stat_of(id);
  printf("key %d uid %d gid %d\n", ds.shm_perm.__key == key, ds.shm_perm.uid == geteuid(), ds.shm_perm.gid == getegid());
  as_user(stranger, id);
  ds.shm_perm.mode = 0604;
  SAY(shmctl(id, IPC_SET, &ds));
  as_user(stranger, id);
  ds.shm_perm.uid = 4242;
  ds.shm_perm.mode = 0400;
  SAY(shmctl(id, IPC_SET, &ds));
  as_user(stranger, id);
  SAY(shmctl(id, IPC_STAT, &ds));
}
static void attaching(void) {
  int id = shmget(IPC_PRIVATE, 3 * PAGE - 100, 0600);
  char *a = shmat(id, NULL, 0), *b = shmat(id, NULL, SHM_RDONLY);
  strcpy(a + 2 * PAGE, "written");
  printf("seen: %s\n", b + 2 * PAGE);
  printf("write through a: %d, through b: %d, behind the end: %d\n", touch(a, 1), touch(b, 1), touch(a + 3 * PAGE - 1, 1));
  SAY(mprotect(b, PAGE, PROT_READ | PROT_WRITE));
  stat_of(id);
  char *place = mmap(NULL, 8 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ADDRESS(shmat(id, place, 0));
  ADDRESS(shmat(id, place + 5, 0));
  ADDRESS(shmat(id, NULL, SHM_REMAP));
  ADDRESS(shmat(id, (void *)5, SHM_RND | SHM_REMAP));
  SAY((char *)shmat(id, place + 5, SHM_RND | SHM_REMAP) == place);
  printf("over what was there: %s\n", place + 2 * PAGE);
  munmap(place + 4 * PAGE, 4 * PAGE);
  SAY((char *)shmat(id, place + 4 * PAGE + 9, SHM_RND) == place + 4 * PAGE);
  ADDRESS(shmat(id, (void *)0x7ffffffff000, 0));
  ADDRESS(shmat(-1, NULL, 0));
  ADDRESS(shmat(0x7fffffff, NULL, 0));
  SAY(shmdt(a + 1));
  SAY(shmdt(a + PAGE));
  SAY(shmdt(NULL));
  SAY(shmdt((void *)-PAGE));
  stat_of(id);
  SAY(shmdt(a));
  SAY(shmdt(a));
  printf("gone: %d\n", touch(a, 0));
  // in pieces: regions are what is counted
  SAY(mprotect(place + PAGE, PAGE, PROT_READ));
  stat_of(id);
  SAY(munmap(place + 2 * PAGE, PAGE));
  stat_of(id);
  SAY(shmdt(place));
  SAY(shmdt(b));
  stat_of(id);
  char *moved = mremap(place + 4 * PAGE, 3 * PAGE, 3 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place);
  printf("moved: %d %s\n", moved == place, moved + 2 * PAGE);
  stat_of(id);
  SAY(shmdt(moved));
  stat_of(id);
  SAY(shmctl(id, IPC_RMID, NULL));
  SAY(shmctl(id, IPC_RMID, NULL));
  ADDRESS(shmat(id, NULL, 0));
}
static int by_fork(int id) {
  stat_of(id);
  fflush(stdout);
  int go[2], done[2];
  char c;
  pipe(go), pipe(done);
  pid_t pid = fork();
  if (pid == 0) {
    close(go[1]);
    write(done[1], "", 1);
    read(go[0], &c, 1);
    _exit(0);
  }
  read(done[0], &c, 1);
  stat_of(id);
  close(go[1]);
  waitpid(pid, NULL, 0);
  shmctl(id, IPC_STAT, &ds);
  printf("the child was last: %d\n", ds.shm_lpid == pid);
  close(go[0]), close(done[0]), close(done[1]);
  return stat_of(id);
}
static void lives(char **argv) {
  int id = shmget(IPC_PRIVATE, PAGE, 0600);
  int *p = shmat(id, NULL, 0);
  *p = 7;
  by_fork(id);
  fflush(stdout);
  if (fork() == 0) {
    *p = 8;
    char text[20];
    sprintf(text, "%d", id);
    execl("/proc/self/exe", argv[0], text, NULL);
    _exit(1);
  }
  wait(NULL);
  printf("the other wrote %d\n", *p);
  stat_of(id);
  SAY(shmctl(id, IPC_RMID, NULL));
  stat_of(id);
  printf("its key is %d\n", ds.shm_perm.__key);
  int *again = shmat(id, NULL, 0);
  printf("attached once more: %d\n", *again);
  SAY(shmdt(p));
  SAY(shmdt(again));
  stat_of(id);
}
/* Run by exec: nothing is attached any more. */
static void inheritor(int id) {
  stat_of(id);
  int *p = shmat(id, NULL, 0);
  stat_of(id);
  *p += 100;
}
static void control(void) {
  int id = shmget(IPC_PRIVATE, PAGE, 0600);
  struct shminfo info;
  struct shm_info use;
  SAY(shmctl(id, 77, &ds));
  SAY(shmctl(id, -1, &ds));
  SAY(shmctl(-1, IPC_STAT, &ds));
  SAY(shmctl(0x7fffffff, IPC_STAT, &ds));
  SAY(shmctl(0x7fffffff, IPC_RMID, NULL));
  SAY(shmctl(0x7fffffff, IPC_SET, &ds));
  SAY(shmctl(id, IPC_SET, NULL));
  SAY(shmctl(0x7fffffff, IPC_SET, NULL));
  SAY(shmctl(-1, IPC_SET, NULL));
  SAY(syscall(SYS_shmctl, id, IPC_STAT, 16));
  SAY(syscall(SYS_shmctl, 0, IPC_INFO, 16));
  SAY(shmctl(0, IPC_INFO, (void *)&info) >= 0);
  printf("limits %lu %lu %lu %lu\n", info.shmmax, info.shmmin, info.shmmni, info.shmall);
  SAY(shmctl(0, SHM_INFO, (void *)&use) >= 0);
  printf("in use %d, pages %d\n", use.used_ids >= 1, use.shm_tot >= 1);
  int found = 0;
  for (int i = 0, top = shmctl(0, SHM_INFO, (void *)&use); i <= top; i++) found += shmctl(i, SHM_STAT, &ds) == id;
  printf("found by index: %d\n", found);
  SAY(shmctl(id, SHM_LOCK, NULL));
  stat_of(id);
  SAY(shmctl(id, SHM_UNLOCK, NULL));
  stat_of(id);
  ds.shm_perm.uid = -1;
  SAY(shmctl(id, IPC_SET, &ds));
  SAY(shmctl(id, IPC_RMID, NULL));
}
int main(int argc, char **argv) {
  if (argc > 1) return inheritor(atoi(argv[1])), 0;
  signal(SIGSEGV, jump);
  signal(SIGBUS, jump);
  key = 0x6d000000 | getpid();
  creation();
  int id = shmget(key, 0, 0);
  if (id >= 0) SAY(shmctl(id, IPC_RMID, NULL));
  attaching();
  lives(argv);
  control();
  return 0;
}
