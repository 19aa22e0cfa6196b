// Runs a command as inside a container runtime's default seccomp profile: what that profile refuses is refused (EPERM), system calls it
// doesn't know are refused too, and there are no new privileges. container-profile UID COMMAND [ARG...]
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const int refused[] = {
  SYS_acct, SYS_add_key, SYS_bpf, SYS_clock_settime, SYS_clock_adjtime, SYS_create_module, SYS_delete_module, SYS_finit_module,
  SYS_get_kernel_syms, SYS_get_mempolicy, SYS_init_module, SYS_ioperm, SYS_iopl, SYS_kcmp, SYS_kexec_file_load, SYS_kexec_load, SYS_keyctl,
  SYS_lookup_dcookie, SYS_mbind, SYS_mount, SYS_move_pages, SYS_nfsservctl, SYS_open_by_handle_at, SYS_perf_event_open, SYS_pivot_root,
  SYS_query_module, SYS_quotactl, SYS_reboot, SYS_request_key, SYS_set_mempolicy, SYS_setns, SYS_settimeofday, SYS_swapoff, SYS_swapon,
  SYS_sysfs, SYS__sysctl, SYS_umount2, SYS_unshare, SYS_uselib, SYS_userfaultfd, SYS_ustat, SYS_vhangup, SYS_io_uring_setup,
  SYS_io_uring_enter, SYS_io_uring_register, SYS_chroot, SYS_syslog, SYS_fanotify_init,
};
enum { COUNT = sizeof refused / sizeof *refused };

int main(int argc, char **argv) {
  struct sock_filter f[COUNT * 2 + 12];
  int n = 0;
  if (argc < 3) return 2;
#define LOAD(field) f[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define DENY f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
  LOAD(nr);
  for (int i = 0; i < COUNT; i++) {
    f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, refused[i], 0, 1);
    DENY;
  }
  f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 453, 0, 1); // newer than the profile: mseal and the like
  DENY;
  f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3);
  LOAD(args[0]);
  f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x7e020000, 0, 1); // new namespaces
  DENY;
  f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog program = {n, f};
  if (atoi(argv[1]) != (int)getuid() && (setgid(atoi(argv[1])) || setuid(atoi(argv[1])))) return perror("setuid"), 125;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) return perror("seccomp"), 125;
  execvp(argv[2], argv + 2);
  perror(argv[2]);
  return 127;
}
