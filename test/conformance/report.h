// What these programs print: a name and what a call answered, errors by name, so that Linux and mol compare line by line.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

__attribute__((constructor)) static void unbuffered(void) { setvbuf(stdout, 0, _IONBF, 0); }
static void say(const char *name, long r) {
  if (r == -1 && errno) printf("%s: %s\n", name, strerrorname_np(errno));
  else printf("%s: %ld\n", name, r);
}
/* Does the call and says what it answered under its own text. */
#define SAY(call) (errno = 0, say(#call, (long)(call)))
static void nap(long ms) {
  struct timespec t = {ms / 1000, ms % 1000 * 1000000};
  while (nanosleep(&t, &t) < 0 && errno == EINTR) {}
}
static long now_ms(int clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
