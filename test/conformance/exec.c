// execve and execveat: what a new program finds, scripts, errors, and how an impossible program ends.
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static char *self;
static char *some[] = {"A=1", "EMPTY=", "MOL_CHILD=1", NULL};

static void show(int argc, char **argv) {
  char comm[17] = "", exe[4096] = "", cmdline[4096] = "";
  prctl(PR_GET_NAME, comm);
  exe[readlink("/proc/self/exe", exe, sizeof exe - 1)] = 0;
  int fd = open("/proc/self/cmdline", O_RDONLY), n = read(fd, cmdline, sizeof cmdline);
  for (int i = 0; i < n; i++) if (!cmdline[i]) cmdline[i] = '|';
  printf("%d:", argc);
  for (int i = 0; i < argc && i < 30; i++) strlen(argv[i]) > 50 ? printf(" <%zu>", strlen(argv[i])) : printf(" [%s]", argv[i]);
  size_t count = 0, bytes = 0;
  for (char **e = environ; *e; e++) count++, bytes += strlen(*e) + 1;
  printf(" env %zu %zu", count, bytes);
  if (argc < 20) printf(" comm %s exe %s cmdline %.100s", strstr((char *)getauxval(AT_EXECFN), "/fd/") ? "?" : comm, // comm of a descriptor: differs since Linux 6.14
                         strrchr(exe, '/'), strlen(cmdline) > 300 ? "" : cmdline);
  printf(" execfn %s secure %ld stack %d", (char *)getauxval(AT_EXECFN), getauxval(AT_SECURE), (int)((uintptr_t)(argv - 1) % 16));
  uintptr_t platform = getauxval(AT_PLATFORM), random = getauxval(AT_RANDOM);
  printf(" %s %ld %ld\n", (char *)platform, platform - random, getauxval(AT_PAGESZ) + getauxval(AT_CLKTCK) + getauxval(AT_PHENT));
}

/** Run in a child: how it ended, or the error. */
#define TRY(name, call) do { \
    fflush(stdout); \
    pid_t pid = fork(); \
    int status; \
    if (pid == 0) { call; printf("%s: errno %d\n", name, errno); fflush(stdout); _exit(0); } \
    waitpid(pid, &status, 0); \
    if (status) printf("%s: status %x\n", name, status & ~0x80); \
  } while (0)

static void file(const char *name, const void *content, size_t bytes, int mode) {
  unlink(name);
  int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0700);
  for (ssize_t n = 0; bytes > 0; content += n, bytes -= n) if ((n = write(fd, content, bytes)) <= 0) break;
  fchmod(fd, mode);
  close(fd);
}
static void script(const char *name, const char *text) { file(name, text, strlen(text), 0755); }
static char *repeat(char c, size_t n) {
  char *s = malloc(n + 1);
  memset(s, c, n);
  s[n] = 0;
  return s;
}
static int at(int fd, const char *path, char **argv, int flags) { return syscall(SYS_execveat, fd, path, argv, some, flags); }

static void programs(void) {
  char *plain[] = {"zero", "show", "a b", "", NULL}, *only[] = {"x", NULL};
  TRY("plain", execve(self, plain, some));
  TRY("no environment", execve(self, plain, NULL));
  TRY("bad path", execve((char *)8, plain, some));
  TRY("bad argv", execve(self, (char **)8, some));
  TRY("bad string", execve(self, (char *[]){"x", (char *)8, NULL}, some));
  TRY("bad envp", execve(self, plain, (char **)8));
  TRY("empty path", execve("", only, some));
  TRY("missing", execve("nothing-here", only, some));
  TRY("through a file", execve("plain/x", only, some));
  TRY("a directory", execve("/", only, some));
  TRY("a device", execve("/dev/null", only, some));
  TRY("path too long", execve(repeat('x', 5000), only, some));
  TRY("name too long", execve(repeat('x', 300), only, some));
}

static void scripts(void) {
  char text[5000], *args[] = {"zero", "one", "two", NULL};
  snprintf(text, sizeof text, "#!%s show\n", self), script("s1", text);
  snprintf(text, sizeof text, "#! \t%s  show  more  \t\n", self), script("s2", text);
  snprintf(text, sizeof text, "#!%s show", self), script("s3", text);
  snprintf(text, sizeof text, "#!%s show %s\n", self, repeat('y', 400)), script("s4", text);
  snprintf(text, sizeof text, "#!/%s\n", repeat('z', 400)), script("s5", text);
  script("s6", "#!\n"), script("s7", "#!   \n"), script("s8", "#!"), script("s9", "#!/nothing-here\n"), script("s10", "#!/\n");
  script("s11", ""), script("s12", "echo hello\n"), script("s13", "#!./s1\n");
  for (int i = 1; i <= 13; i++) {
    char name[10];
    sprintf(name, "s%d", i);
    TRY(name, execve(name, args, some));
  }
  script("n0", text);
  snprintf(text, sizeof text, "#!%s show\n", self), script("n0", text);
  for (int i = 1; i < 7; i++) {
    char name[10];
    sprintf(name, "n%d", i), sprintf(text, "#!./n%d\n", i - 1), script(name, text);
    TRY(name, execve(name, args, some));
  }
  if (geteuid() != 0) {
    file("noexec", text, 10, 0644);
  } else file("noexec", text, 10, 0);
  TRY("no permission", execve("noexec", args, some));
  file("writing", text, 20, 0755);
  int fd = open("writing", O_WRONLY);
  TRY("open for writing", execve("writing", args, some));
  close(fd);
}

/** Damage the program and see. */
static void damaged(void) {
  static unsigned char good[4 << 20], bytes[4 << 20];
  int fd = open(self, O_RDONLY), n = read(fd, good, sizeof good);
  Elf64_Ehdr *h = (Elf64_Ehdr *)bytes;
  char *args[] = {"bad", "show", NULL};
  close(fd);
#define DAMAGE(name, length, change) memcpy(bytes, good, n); change; file("bad", bytes, length, 0755); TRY(name, execve("bad", args, some))
  Elf64_Phdr *load = (Elf64_Phdr *)(bytes + ((Elf64_Ehdr *)good)->e_phoff);
  while (((Elf64_Phdr *)(good + ((unsigned char *)load - bytes)))->p_type != PT_LOAD) load++;
  DAMAGE("whole", n, );
  DAMAGE("header cut", 30, );
  DAMAGE("program headers cut", 100, );
  DAMAGE("machine", n, h->e_machine = EM_AARCH64);
  DAMAGE("type", n, h->e_type = ET_REL);
  DAMAGE("phentsize", n, h->e_phentsize = 32);
  DAMAGE("no headers", n, h->e_phnum = 0);
  DAMAGE("too many headers", n, h->e_phnum = 2000);
  DAMAGE("headers beyond", n, h->e_phoff = 1UL << 40);
  DAMAGE("file beyond memory", n, load->p_memsz = load->p_filesz - 1);
  DAMAGE("misaligned", n, load->p_offset += 8);
  DAMAGE("too high", n, load->p_vaddr = 0x7ffffffff000);
}

static void limits(void) {
  struct rlimit stack;
  getrlimit(RLIMIT_STACK, &stack);
  stack.rlim_cur = 8 << 20;
  char *longest = repeat('x', 131071), *over = repeat('x', 131072);
  TRY("longest string", execve(self, (char *[]){"z", "show", longest, NULL}, some));
  TRY("too long a string", execve(self, (char *[]){"z", "show", over, NULL}, some));
  TRY("too long a variable", execve(self, (char *[]){"z", "show", NULL}, (char *[]){over, NULL}));
  char *many[60] = {"z", "show"};
  for (int i = 2; i < 12; i++) many[i] = longest;
  TRY("a megabyte", execve(self, many, some));
  for (int i = 12; i < 18; i++) many[i] = longest;
  TRY("two megabytes", (setrlimit(RLIMIT_STACK, &stack), execve(self, many, some)));
  stack.rlim_cur = 1 << 20;
  TRY("small stack", (setrlimit(RLIMIT_STACK, &stack), execve(self, (char *[]){"z", "show", longest, longest, longest, NULL}, some)));
  char **crowd = calloc(300001, sizeof *crowd);
  for (int i = 0; i < 300000; i++) crowd[i] = "";
  crowd[1] = "show";
  TRY("a crowd", execve(self, crowd, some));
  crowd[100000] = NULL;
  stack.rlim_cur = 8 << 20;
  TRY("half a crowd", (setrlimit(RLIMIT_STACK, &stack), execve(self, crowd, some)));
}

static void descriptors(void) {
  char *args[] = {"zero", "show", NULL};
  int program = open(self, O_RDONLY), dir = open(".", O_RDONLY | O_DIRECTORY), s1 = open("s1", O_RDONLY);
  int closing = open("s1", O_RDONLY | O_CLOEXEC), closingProgram = open(self, O_RDONLY | O_CLOEXEC);
  symlink("s1", "link");
  TRY("fexecve", at(program, "", args, AT_EMPTY_PATH));
  TRY("fexecve, closing", at(closingProgram, "", args, AT_EMPTY_PATH));
  TRY("without the flag", at(program, "", args, 0));
  TRY("script", at(s1, "", args, AT_EMPTY_PATH));
  TRY("script, closing", at(closing, "", args, AT_EMPTY_PATH));
  TRY("relative", at(dir, "s1", args, 0));
  TRY("link", at(dir, "link", args, 0));
  TRY("link, not followed", at(dir, "link", args, AT_SYMLINK_NOFOLLOW));
  TRY("absolute", at(-1, self, args, 0));
  TRY("bad descriptor", at(99, "s1", args, 0));
  TRY("flags", at(dir, "s1", args, 0x200));
}

int main(int argc, char **argv) {
  if (argc != 1 || getenv("MOL_CHILD")) { // whatever a test made of it, a child only shows: it must never run the tests again
    show(argc, argv);
    return 0;
  }
  static char path[4096];
  path[readlink("/proc/self/exe", path, sizeof path - 1)] = 0;
  self = path;
  char dir[] = "/tmp/mol-exec-XXXXXX";
  mkdtemp(dir);
  chdir(dir);
  static char short_name[32];
  snprintf(short_name, sizeof short_name, "/tmp/mol-e%u", (unsigned)getuid()); // a user's own: nobody else's may be in the way
  unlink(short_name), symlink(path, short_name);
  if (strlen(path) < 80) self = short_name;
  file("plain", "x", 1, 0644);
  programs();
  scripts();
  damaged();
  limits();
  descriptors();
  chdir("/");
  char command[100];
  sprintf(command, "rm -r %s", dir);
  return system(command);
}
