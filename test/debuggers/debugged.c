// What gdb and strace look at in test/debuggers.test.ts: `debugged` alone, or with a word for what else it does.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct point { int x, y; };
int x = 42;
static struct point points[2] = {{1, 2}, {3, 4}};
static double scale = 1.5;
static volatile int count;

static int add(int a, int b) {
  int sum = a + b;
  return sum;
}
static int factorial(int n) { return n < 2 ? 1 : n * factorial(n - 1); }
static double area(struct point p) { return scale * p.x * p.y; }
static void on_signal(int signal) { count += signal; }
static void *work(void *argument) {
  for (int i = 0; i < 3; i++) __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST);
  return argument;
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  int sum = add(x, 1);
  if (!strcmp(what, "threads")) {
    pthread_t thread;
    pthread_create(&thread, 0, work, 0);
    pthread_join(thread, 0);
  } else if (!strcmp(what, "signal")) {
    signal(SIGUSR1, on_signal);
    raise(SIGUSR1);
  } else if (!strcmp(what, "fork")) {
    pid_t pid = fork();
    if (pid == 0) _exit(3);
    waitpid(pid, 0, 0);
  } else if (!strcmp(what, "crash")) {
    *(volatile int *)8 = 1;
  } else if (!strcmp(what, "wait")) {
    printf("ready\n");
    fflush(stdout);
    for (;;) pause();
  }
  printf("%d %d %g %d\n", sum, factorial(5), area(points[1]), count);
  return sum - 43;
}
