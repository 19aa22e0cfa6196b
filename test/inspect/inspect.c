// What test/inspect.test.ts looks into: prints the addresses of what it waits for and uses, then spins or blocks, and says what it finds.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static volatile int go;
static char text[64] = "as it was";
static const char constant[32] = "constant";
static unsigned long long vector[4] = {1, 2, 3, 4}, integer = 0x1234;

static void addresses(void) {
  printf("%p %p %p\n", (void *)&go, (void *)text, (void *)constant);
  fflush(stdout);
}

// rbx and ymm7 (or xmm7) hold their values all the time.
static void spin(void) {
#ifdef __AVX__
  __asm__ volatile("vmovdqu %0, %%ymm7; mov %1, %%rbx; 1: pause; cmpl $0, %2; je 1b; vmovdqu %%ymm7, %0; mov %%rbx, %1"
                   : "+m"(vector), "+m"(integer) : "m"(go) : "rbx", "xmm7", "memory");
#else
  __asm__ volatile("movdqu %0, %%xmm7; mov %1, %%rbx; 1: pause; cmpl $0, %2; je 1b; movdqu %%xmm7, %0; mov %%rbx, %1"
                   : "+m"(vector), "+m"(integer) : "m"(go) : "rbx", "xmm7", "memory");
#endif
}

static void *thread(void *argument) {
  while (!go) usleep(1000);
  return argument;
}
static void on_signal(int signal) { printf("signal %d\n", signal); }

int main(int argc, char **argv) {
  pthread_t threads[3];
  char buffer[16];
  addresses();
  if (!strcmp(argv[1], "spin")) {
    spin();
    printf("%llx %llx %llx %llx %llx %s %s\n", vector[0], vector[1], vector[2], vector[3], integer, text, constant);
  } else if (!strcmp(argv[1], "read")) {
    long n = read(0, buffer, sizeof buffer);
    printf("read %ld %.*s %s\n", n, (int)n, buffer, text);
  } else if (!strcmp(argv[1], "stop")) {
    signal(SIGUSR1, on_signal);
    raise(SIGSTOP);
    printf("on %s\n", text);
  } else if (!strcmp(argv[1], "threads")) {
    for (int i = 0; i < 3; i++) pthread_create(&threads[i], 0, thread, 0);
    for (int i = 0; i < 3; i++) pthread_join(threads[i], 0);
    printf("joined %s\n", text);
  } else if (!strcmp(argv[1], "calls")) { // enough of them for its call sites to be rewritten
    long n = 0;
    while (!go) n += getppid() >= 0;
    printf("%s\n", n > 0 ? "called" : "never");
  }
  return 0;
}
