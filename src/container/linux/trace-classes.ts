// Classes of calls a trace can be asked for (strace -e trace=%file …). File calls are those that take a path, descriptor calls those
// that take or make a descriptor: both from the table's argument types; the others are lists.
import { SYSCALLS } from './syscalls.ts'

// biome-ignore format: a table
const LISTS: Readonly<Record<string, string>> = {
  process: 'clone fork vfork execve exit wait4 kill rt_sigqueueinfo tkill tgkill exit_group waitid rt_tgsigqueueinfo execveat pidfd_send_signal clone3',
  signal: 'rt_sigaction rt_sigprocmask rt_sigreturn pause kill rt_sigpending rt_sigtimedwait rt_sigqueueinfo rt_sigsuspend sigaltstack tkill tgkill signalfd signalfd4 rt_tgsigqueueinfo pidfd_send_signal',
  ipc: 'shmget shmat shmctl semget semop semctl shmdt msgget msgsnd msgrcv msgctl semtimedop',
  network: 'sendfile socket connect accept sendto recvfrom sendmsg recvmsg shutdown bind listen getsockname getpeername socketpair setsockopt getsockopt getpmsg putpmsg accept4 recvmmsg sendmmsg',
  memory: 'mmap mprotect munmap brk mremap msync mincore madvise shmat shmdt mlock munlock mlockall munlockall remap_file_pages mbind set_mempolicy get_mempolicy migrate_pages move_pages mlock2 pkey_mprotect io_uring_register process_madvise set_mempolicy_home_node map_shadow_stack mseal',
  creds: 'getuid getgid setuid setgid geteuid getegid setreuid setregid getgroups setgroups setresuid getresuid setresgid getresgid setfsuid setfsgid capget capset',
  clock: 'gettimeofday adjtimex settimeofday time clock_settime clock_gettime clock_getres clock_adjtime',
  stat: 'stat', lstat: 'lstat', fstat: 'fstat newfstatat statx',
  statfs: 'statfs', fstatfs: 'fstatfs',
  pure: 'getpid getuid getgid geteuid getegid getppid getpgrp gettid',
}
const FD_MAKERS =
  'open creat openat openat2 pipe pipe2 epoll_create epoll_create1 eventfd eventfd2 inotify_init inotify_init1 memfd_create socket socketpair poll ppoll select pselect6 timerfd_create mmap fanotify_init perf_event_open userfaultfd'

const named = (names: string): number[] => {
  const wanted = new Set(names.split(' '))
  return SYSCALLS.filter(row => wanted.has(row[1])).map(row => row[0])
}
const refusedFile = /^(acct|swapon|swapoff|uselib|pivot_root|quotactl|fspick|open_tree|move_mount|mount_setattr)$/
const having = (test: (type: string) => boolean, more: readonly number[]): number[] =>
  SYSCALLS.filter(row => row[2].split(' ').some(word => test(word.split(':')[1] ?? word)))
    .map(row => row[0])
    .concat(more)

/** Class → call numbers. */
export const CALL_CLASSES: Readonly<Record<string, number[]>> = {
  ...Object.fromEntries(Object.entries(LISTS).map(([name, names]) => [name, named(names)])),
  file: having(
    type => type === 'path' || type === 'path?',
    SYSCALLS.filter(row => refusedFile.test(row[1])).map(row => row[0]),
  ),
  desc: having(type => type === 'fd' || type === 'dirfd', named(FD_MAKERS)),
}
