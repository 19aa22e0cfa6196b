// Micro-benchmarks: prints "name unit value" lines; the best of several batches, so that a noisy machine matters less.
// The same static binary runs natively and in a machine. argv: path of a static `true`, a scratch file of at least 64 KiB, [names…].
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e9 + t.tv_nsec;
}
static const char *true_path, *file;
static char buffer[65536];
static int fds[4];

static long patched_getppid(void) { // the `mov $nr,%eax; syscall` that libcs have
  long r;
  __asm__ volatile("mov $110, %%eax\n\tsyscall" : "=a"(r) : : "rcx", "r11", "memory");
  return r;
}
static long trapping_getppid(void) { // no immediate next to the syscall: not a shape that gets patched
  long r;
  __asm__ volatile("nop\n\tsyscall\n\tnop" : "=a"(r) : "0"(110L) : "rcx", "r11", "memory");
  return r;
}
static void null_patched(void) { patched_getppid(); }
static void null_trap(void) { trapping_getppid(); }
static void open_close(void) { close(open(file, O_RDONLY)); }
static void do_stat(void) { struct stat s; stat(file, &s); }
static void stat_enoent(void) { struct stat s; stat("/nosuch/file", &s); }
static void read_64k(void) { pread(fds[0], buffer, sizeof buffer, 0); }
static void write_null(void) { write(fds[1], buffer, 1); }
static void fork_wait(void) {
  pid_t p = fork();
  if (p == 0) _exit(0);
  waitpid(p, NULL, 0);
}
static void fork_exec(void) {
  pid_t p = fork();
  if (p == 0) {
    execl(true_path, "true", (char *)0);
    _exit(127);
  }
  waitpid(p, NULL, 0);
}
static void vfork_exec(void) {
  pid_t p = vfork();
  if (p == 0) {
    execl(true_path, "true", (char *)0);
    _exit(127);
  }
  waitpid(p, NULL, 0);
}
static void create_unlink(void) {
  char name[64];
  snprintf(name, sizeof name, "/tmp/mol-bench-%d", (int)getpid());
  int f = open(name, O_CREAT | O_WRONLY, 0600);
  write(f, buffer, 100);
  close(f);
  unlink(name);
}
static int up[2], down[2];
static void pipe_round_trip(void) {
  char c = 1;
  write(up[1], &c, 1);
  read(down[0], &c, 1);
}

static const struct { const char *name, *unit; void (*run)(void); int batch, batches; } tests[] = {
  {"null_patched", "ns", null_patched, 20000, 20}, {"null_trap", "ns", null_trap, 5000, 20},
  {"write1_null", "ns", write_null, 10000, 10},    {"stat", "ns", do_stat, 5000, 10},
  {"stat_enoent", "ns", stat_enoent, 5000, 10},    {"open_close", "ns", open_close, 3000, 10},
  {"read_64k", "ns", read_64k, 2000, 10},          {"create_write_unlink", "us", create_unlink, 500, 6},
  {"pipe_round_trip", "us", pipe_round_trip, 2000, 10}, {"fork_wait", "us", fork_wait, 50, 10},
  {"fork_exec_static", "us", fork_exec, 30, 10},   {"vfork_exec_static", "us", vfork_exec, 30, 10},
};

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  true_path = argv[1];
  file = argv[2];
  fds[0] = open(file, O_RDONLY);
  fds[1] = open("/dev/null", O_WRONLY);
  for (unsigned i = 0; i < sizeof tests / sizeof *tests; i++) {
    int wanted = argc == 3;
    for (int a = 3; a < argc; a++) wanted |= !strcmp(argv[a], tests[i].name);
    if (!wanted) continue;
    pid_t echo = 0;
    if (tests[i].run == pipe_round_trip) {
      pipe(up);
      pipe(down);
      if (!(echo = fork())) {
        char c;
        close(up[1]);
        while (read(up[0], &c, 1) == 1) write(down[1], &c, 1);
        _exit(0);
      }
    }
    double best = 1e18;
    for (int b = 0; b < tests[i].batches; b++) {
      double t = now();
      for (int k = 0; k < tests[i].batch; k++) tests[i].run();
      t = (now() - t) / tests[i].batch;
      if (t < best) best = t;
    }
    if (echo) {
      close(up[1]);
      waitpid(echo, NULL, 0);
    }
    printf("%s %s %.3f\n", tests[i].name, tests[i].unit, *tests[i].unit == 'u' ? best / 1000 : best);
    fflush(stdout);
  }
  return 0;
}
