// memfd_create and seals: what each seal forbids, mappings that stand in the way, and what such a file is.
#include "check.h"

#ifndef F_SEAL_EXEC
#define F_SEAL_EXEC 0x20
#endif
#define MFD_NOEXEC_SEAL_ 8
#define MFD_EXEC_ 16
static char b[9000];
static struct stat st;

static int make(unsigned flags) {
  int m = memfd_create("name", flags);
  write(m, "0123456789", 10);
  return m;
}

static void creating(void) {
  int m;
  char name[260];
  memset(name, 'n', 259), name[259] = 0;
  R(memfd_create(name + 10, 0) >= 0);
  R(memfd_create(name + 9, 0));
  R(memfd_create("", 0) >= 0);
  R(memfd_create(BAD, 0));
  R(memfd_create("x", 0x20));
  R(memfd_create("x", MFD_HUGETLB | MFD_ALLOW_SEALING | 0x40000000));
  R(memfd_create("x", MFD_EXEC_ | MFD_NOEXEC_SEAL_));
  syscall(SYS_close_range, 3, ~0u, 0);
  R(m = memfd_create("x", MFD_CLOEXEC));
  R(fcntl(m, F_GETFD));
  R(fcntl(m, F_GETFL));
  R(fstat(m, &st));
  R(st.st_mode);
  R(st.st_nlink);
  R(st.st_size);
  R(fcntl(m, F_GET_SEALS));
  R(fcntl(m, F_ADD_SEALS, F_SEAL_WRITE));
  close(m);
  R(m = memfd_create("x", MFD_ALLOW_SEALING));
  R(fcntl(m, F_GET_SEALS));
  R(fstat(m, &st));
  R(st.st_mode);
  close(m);
  R(m = memfd_create("x", MFD_NOEXEC_SEAL_));
  R(fcntl(m, F_GET_SEALS));
  R(fstat(m, &st));
  R(st.st_mode);
  R(fchmod(m, 0777));
  R(fchmod(m, 0600));
  R(fchmod(m, 0640));
  R(fchmod(m, 0700));
  close(m);
  R(m = memfd_create("x", MFD_EXEC_ | MFD_ALLOW_SEALING));
  R(fcntl(m, F_ADD_SEALS, F_SEAL_EXEC));
  R(fcntl(m, F_GET_SEALS));
  R(fchmod(m, 0600));
  close(m);
  R(fcntl(99, F_GET_SEALS));
  R(fcntl(0, F_GET_SEALS));
  R(fcntl(0, F_ADD_SEALS, 1));
  int f = open("f", O_RDWR | O_CREAT, 0600);
  if (place == 0) { // tmpfs has seals, set already
    R(fcntl(f, F_GET_SEALS));
    R(fcntl(f, F_ADD_SEALS, F_SEAL_SEAL));
  }
  close(f);
}

static void sealing(void) {
  int m = make(MFD_ALLOW_SEALING);
  R(fcntl(m, F_ADD_SEALS, 0x100));
  R(fcntl(m, F_ADD_SEALS, 0));
  R(fcntl(m, F_GET_SEALS));
  char path[64];
  sprintf(path, "/proc/self/fd/%d", m);
  int r = open(path, O_RDONLY);
  R(fcntl(r, F_ADD_SEALS, F_SEAL_SHRINK));
  R(fcntl(r, F_GET_SEALS));
  R(fcntl(m, F_ADD_SEALS, F_SEAL_SHRINK));
  R(ftruncate(m, 5));
  R(ftruncate(m, 10));
  R(ftruncate(m, 20));
  R(truncate(path, 5));
  R(open(path, O_RDWR | O_TRUNC));
  R(fcntl(m, F_ADD_SEALS, F_SEAL_GROW));
  R(fcntl(m, F_GET_SEALS));
  R(fcntl(r, F_GET_SEALS));
  R(ftruncate(m, 21));
  R(pwrite(m, "abc", 3, 0));
  R(pwrite(m, "abc", 3, 20));
  R(pwrite(m, "abc", 3, 18));
  R(pwrite(m, "abc", 3, 4096));
  R(fallocate(m, 0, 0, 100));
  R(fallocate(m, 0, 0, 10));
  R(fallocate(m, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 10));
  R(fstat(m, &st));
  R(st.st_size);
  R(fcntl(m, F_ADD_SEALS, F_SEAL_WRITE));
  R(pwrite(m, "abc", 3, 0));
  R(write(m, "", 0));
  R(fallocate(m, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 10));
  R(ftruncate(m, 20));
  int w = open(path, O_RDWR);
  R(w >= 0);
  R(write(w, "x", 1));
  R(mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, m, 0));
  R(mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, m, 0) != MAP_FAILED);
  R(mmap(0, 4096, PROT_READ, MAP_SHARED, m, 0) != MAP_FAILED);
  R(fchmod(m, 0600));
  off_t off = 0;
  R(sendfile(m, r, &off, 3));
  R(fcntl(m, F_ADD_SEALS, F_SEAL_SEAL));
  R(fcntl(m, F_ADD_SEALS, F_SEAL_SEAL));
  R(fcntl(m, F_GET_SEALS));
  close(m), close(r), close(w);
}

static void mapped(void) {
  int m = make(MFD_ALLOW_SEALING);
  char *p = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, m, 0);
  R(p != MAP_FAILED);
  R(fcntl(m, F_ADD_SEALS, F_SEAL_WRITE));
  R(fcntl(m, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
  R(fcntl(m, F_GET_SEALS));
  p[0] = 'M';
  R(pread(m, b, 1, 0));
  R(b[0]);
  R(write(m, "x", 1));
  R(mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, m, 0));
  char *q = mmap(0, 4096, PROT_READ, MAP_SHARED, m, 0);
  R(q != MAP_FAILED);
  R(mprotect(q, 4096, PROT_READ | PROT_WRITE));
  R(munmap(q, 4096));
  R(munmap(p, 4096));
  R(fcntl(m, F_ADD_SEALS, F_SEAL_WRITE));
  R(fcntl(m, F_GET_SEALS));
  close(m);
  m = make(MFD_ALLOW_SEALING);
  p = mmap(0, 4096, PROT_READ, MAP_PRIVATE, m, 0);
  q = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, m, 0);
  R(fcntl(m, F_ADD_SEALS, F_SEAL_WRITE));
  munmap(p, 4096), munmap(q, 4096), close(m);
  m = make(MFD_ALLOW_SEALING);
  fflush(stdout);
  p = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, m, 0);
  int gate[2];
  pipe(gate);
  pid_t pid = fork();
  if (pid == 0) {
    read(gate[0], b, 1);
    _exit(0);
  }
  munmap(p, 4096);
  R(fcntl(m, F_ADD_SEALS, F_SEAL_WRITE)); // the child maps it still
  write(gate[1], "x", 1);
  waitpid(pid, NULL, 0);
  R(fcntl(m, F_ADD_SEALS, F_SEAL_WRITE));
  close(m), close(gate[0]), close(gate[1]);
}

static void uses(void) {
  int m = make(0);
  char path[64], target[64] = "";
  sprintf(path, "/proc/self/fd/%d", m);
  R(readlink(path, target, 63));
  R(strcmp(target, "/memfd:name (deleted)"));
  R(lseek(m, 0, SEEK_SET));
  R(read(m, b, 100));
  R(linkat(m, "", AT_FDCWD, "here", AT_EMPTY_PATH));
  R(flock(m, LOCK_EX));
  R(fsetxattr(m, "user.x", "1", 1, 0) == 0 || errno == EOPNOTSUPP);
  R(ftruncate(m, 1 << 20));
  R(lseek(m, 100, SEEK_DATA));
  R(lseek(m, 5000, SEEK_DATA));
  R(fsync(m));
  int again = open(path, O_RDONLY);
  R(pread(again, b, 3, 8));
  close(again), close(m);
}

static void run(void) {
  creating();
  sealing();
  mapped();
  uses();
  syscall(SYS_close_range, 3, ~0u, 0);
}
int main(void) {
  everywhere(run);
  return 0;
}
