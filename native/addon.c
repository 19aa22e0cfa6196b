// The addon: what the kernel side needs of the host that Node doesn't offer, as few and as raw as possible (src/host wraps it).
// Context-aware: no state of its own, so any number of workers may load it. The caller answers for the addresses it passes.
//
//   sys(nr, a0…a5) → result or -errno    a host system call; numbers are doubles, missing arguments 0
//   buffer(bytes) → ArrayBuffer          page-aligned, zeroed, lazily backed memory
//   address(ArrayBuffer) → number        where it lies
//   cpuid(leaf, subleaf) → [eax, ebx, ecx, edx]
//   spawn(path, argv, fds) → pid or -errno   a child of the calling thread: empty environment, fds[i] as descriptor i, no others
#define _GNU_SOURCE
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <node_api.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGUMENTS_MAX 32
#define FDS_MAX 32

static napi_value number(napi_env env, double value) {
  napi_value result = NULL;
  if (value == (int)value) napi_create_int32(env, (int)value, &result); // no heap number
  else napi_create_double(env, value, &result);
  return result;
}

static napi_value type_error(napi_env env, const char *message) {
  napi_throw_type_error(env, NULL, message);
  return NULL;
}

static inline long raw(long nr, long a, long b, long c, long d, long e, long f) {
  register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
  return result;
}

static napi_value sys(napi_env env, napi_callback_info info) {
  napi_value values[7];
  size_t count = 7;
  long a[7] = {0};
  napi_get_cb_info(env, info, &count, values, NULL, NULL);
  for (size_t i = 0; i < count && i < 7; i++) {
    double value;
    if (napi_get_value_double(env, values[i], &value) != napi_ok) return type_error(env, "sys: arguments are numbers");
    a[i] = (long)value;
  }
  return number(env, (double)raw(a[0], a[1], a[2], a[3], a[4], a[5], a[6]));
}

static void unmap(napi_env env, void *data, void *bytes) {
  (void)env;
  munmap(data, (size_t)bytes);
}

static napi_value buffer(napi_env env, napi_callback_info info) {
  napi_value value, result = NULL;
  size_t count = 1;
  double bytes = 0;
  napi_get_cb_info(env, info, &count, &value, NULL, NULL);
  if (napi_get_value_double(env, value, &bytes) != napi_ok || !(bytes >= 1 && bytes <= 0x1p40)) return type_error(env, "buffer: a size in bytes");
  void *data = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (data == MAP_FAILED) {
    napi_throw_error(env, NULL, "buffer: out of address space");
    return NULL;
  }
  if (napi_create_external_arraybuffer(env, data, (size_t)bytes, unmap, (void *)(size_t)bytes, &result) != napi_ok) munmap(data, (size_t)bytes);
  return result;
}

static napi_value address(napi_env env, napi_callback_info info) {
  napi_value value;
  size_t count = 1, bytes;
  void *data;
  napi_get_cb_info(env, info, &count, &value, NULL, NULL);
  if (napi_get_arraybuffer_info(env, value, &data, &bytes) != napi_ok) return type_error(env, "address: an ArrayBuffer");
  return number(env, (double)(size_t)data);
}

static napi_value cpuid(napi_env env, napi_callback_info info) {
  napi_value values[2], result = NULL, word;
  size_t count = 2;
  unsigned asked[2], registers[4] = {0};
  napi_get_cb_info(env, info, &count, values, NULL, NULL);
  for (int i = 0; i < 2; i++)
    if (napi_get_value_uint32(env, values[i], &asked[i]) != napi_ok) return type_error(env, "cpuid: leaf, subleaf");
  __get_cpuid_count(asked[0], asked[1], registers, registers + 1, registers + 2, registers + 3);
  napi_create_array_with_length(env, 4, &result);
  for (unsigned i = 0; i < 4; i++) {
    napi_create_uint32(env, registers[i], &word);
    napi_set_element(env, result, i, word);
  }
  return result;
}

// In the vfork child, which shares the parent's memory but not its descriptors and signal actions. Only raw calls.
static _Noreturn void execute(const char *path, char **argv, const int *fds, unsigned count, int report[1]) {
  static char *const environment[] = {NULL};
  struct sigaction action = {.sa_handler = SIG_DFL};
  sigset_t none;
  int high[FDS_MAX];
  for (int signal = 1; signal < NSIG; signal++) sigaction(signal, &action, NULL);
  for (unsigned i = 0; i < count; i++)
    if ((high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, FDS_MAX)) < 0) goto failed;
  for (unsigned i = 0; i < count; i++)
    if (dup2(high[i], i) < 0) goto failed;
  if (raw(SYS_close_range, count, ~0u, 0, 0, 0, 0) < 0) {
    errno = ENOSYS; // Linux 5.9
    goto failed;
  }
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  execve(path, argv, environment);
failed:
  report[0] = errno;
  _exit(127);
}

static long launch(const char *path, char **argv, const int *fds, unsigned count) {
  volatile int report[1] = {0};
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old); // no handler of Node's may run in the child
  pid_t pid = vfork();
  if (pid == 0) execute(path, argv, fds, count, (int *)report);
  long result = pid < 0 ? -errno : pid;
  if (pid > 0 && report[0]) {
    waitpid(pid, NULL, 0);
    result = -report[0];
  }
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  return result;
}

static char *take_string(napi_env env, napi_value value) {
  size_t bytes;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &bytes) != napi_ok) return NULL;
  char *string = malloc(bytes + 1);
  if (string) napi_get_value_string_utf8(env, value, string, bytes + 1, &bytes);
  return string;
}

// path and argv as C strings, fds as ints; 0 when they aren't that.
static int take_arguments(napi_env env, napi_value *values, char **path, char **argv, int *fds, unsigned *fd_count) {
  uint32_t count = 0;
  napi_value value;
  if (!(*path = take_string(env, values[0]))) return 0;
  if (napi_get_array_length(env, values[1], &count) != napi_ok || count > ARGUMENTS_MAX) return 0;
  for (uint32_t i = 0; i < count; i++)
    if (napi_get_element(env, values[1], i, &value) != napi_ok || !(argv[i] = take_string(env, value))) return 0;
  if (napi_get_array_length(env, values[2], fd_count) != napi_ok || *fd_count > FDS_MAX) return 0;
  for (uint32_t i = 0; i < *fd_count; i++)
    if (napi_get_element(env, values[2], i, &value) != napi_ok || napi_get_value_int32(env, value, &fds[i]) != napi_ok) return 0;
  return 1;
}

static napi_value spawn(napi_env env, napi_callback_info info) {
  napi_value values[3], result = NULL;
  size_t count = 3;
  char *path = NULL, *argv[ARGUMENTS_MAX + 1] = {NULL};
  int fds[FDS_MAX];
  unsigned fd_count = 0;
  napi_get_cb_info(env, info, &count, values, NULL, NULL);
  if (take_arguments(env, values, &path, argv, fds, &fd_count)) result = number(env, (double)launch(path, argv, fds, fd_count));
  else type_error(env, "spawn: path, array of strings, array of descriptors");
  free(path);
  for (char **argument = argv; *argument; argument++) free(*argument);
  return result;
}

NAPI_MODULE_INIT() {
  const napi_property_descriptor functions[] = {
    {"sys", NULL, sys, NULL, NULL, NULL, napi_enumerable, NULL},
    {"buffer", NULL, buffer, NULL, NULL, NULL, napi_enumerable, NULL},
    {"address", NULL, address, NULL, NULL, NULL, napi_enumerable, NULL},
    {"cpuid", NULL, cpuid, NULL, NULL, NULL, napi_enumerable, NULL},
    {"spawn", NULL, spawn, NULL, NULL, NULL, napi_enumerable, NULL},
  };
  napi_define_properties(env, exports, sizeof functions / sizeof *functions, functions);
  return exports;
}
