// Trace lines against strace(1) 6.1's: lines recorded from a C program run under it, addresses replaced. [line, call, result, outputs].
import { describe, expect, it } from 'vitest'
import { E } from '../src/abi/errno.ts'
import { SIG } from '../src/abi/signals.ts'
import { decode, loadArguments } from '../src/container/linux/decode.ts'
import { ROUTE, route } from '../src/container/linux/program.ts'
import {
  aligned,
  execLists,
  formatEnd,
  formatEntry,
  formatExit,
  formatResult,
  formatSignal,
  STRING_LIMIT,
  shown,
} from '../src/container/linux/strace.ts'
import { quote, signalSet } from '../src/container/linux/strace-values.ts'
import { SYSCALLS } from '../src/container/linux/syscalls.ts'
import { parseFilter } from '../src/container/linux/trace-filter.ts'
import { type TraceOptions, Tracer } from '../src/container/linux/tracer.ts'
import { A, B, Guest, nrOf } from './support/call.ts'

/** Write what a server would into argument i's area. */
const u8s = (g: Guest, i: number, ...bytes: readonly number[]): void => g.mem.set(bytes, g.wants.areas[2 * i])
const u32s = (g: Guest, i: number, values: Readonly<Record<number, number>>): void => {
  for (const [offset, v] of Object.entries(values))
    g.view.setInt32((g.wants.areas[2 * i] as number) + Number(offset), v, true)
}
const text = (g: Guest, i: number, s: string): void => u8s(g, i, ...Buffer.from(s, 'latin1'))
const u16s = (g: Guest, address: number, ...values: readonly number[]): number =>
  g.put(address, ...values.flatMap(v => [v & 255, v >> 8]))
const none = (): void => {}
const stat = (g: Guest, i: number, mode: number, size: number, rdev = 0): void =>
  u32s(g, i, { 24: mode, 40: rdev, 48: size })
const TERMIOS = [0x500, 5, 0xbf, 0x8a3b]
const termios = (g: Guest, at: number): number => g.put(at, ...new Uint8Array(new Uint32Array(TERMIOS).buffer))
const TERMIOS_TEXT =
  '{c_iflag=ICRNL|IXON, c_oflag=NL0|CR0|TAB0|BS0|VT0|FF0|OPOST|ONLCR, c_cflag=B38400|CS8|CREAD, c_lflag=ISIG|ICANON|ECHO|ECHOE|ECHOK|IEXTEN|ECHOCTL|ECHOKE, ...}'

type Line = readonly [line: string, post: (g: Guest) => void, result: number, fill: (g: Guest) => void]
// biome-ignore format: a table
const lines: readonly Line[] = [
  ['openat(AT_FDCWD, "f.txt", O_RDWR|O_CREAT|O_TRUNC, 0644) = 3', g => g.post('openat', -100, g.string(A, 'f.txt'), 0o1102, 0o644), 3, none],
  ['openat(AT_FDCWD, ".", O_RDONLY|O_CLOEXEC|O_DIRECTORY) = 12', g => g.post('openat', -100, g.string(A, '.'), 0o2200000), 12, none],
  ['openat(-1, "f.txt", O_RDONLY)           = -1 EBADF (Bad file descriptor)', g => g.post('openat', -1, g.string(A, 'f.txt'), 0), -E.BADF, none],
  ['openat(AT_FDCWD, 0x1, O_RDONLY)         = -1 EFAULT (Bad address)', g => g.post('openat', -100, 1, 0), -E.FAULT, none],
  ['write(3, "hello\\n\\t\\"quoted\\" \\\\ \\1\\0012 caf\\303\\251 a lo"..., 60) = 60', g => g.post('write', 3, g.string(A, 'hello\n\t"quoted" \\ \x01\x012 caf\xc3\xa9 a longer text to be cut here, really'), 60), 60, none],
  ['lseek(3, 0, SEEK_SET)                   = 0', g => g.post('lseek', 3, 0, 0), 0, none],
  ['read(3, "hello\\n\\t\\"qu", 10)            = 10', g => g.post('read', 3, A, 10), 10, g => text(g, 1, 'hello\n\t"qu')],
  ['read(3, "", 4096)                       = 0', g => g.post('read', 3, A, 4096), 0, none],
  ['read(99, 0x10100, 4096)                 = -1 EBADF (Bad file descriptor)', g => g.post('read', 99, A, 4096), -E.BADF, none],
  ['lseek(3, 5, 0x4d /* SEEK_??? */)        = -1 EINVAL (Invalid argument)', g => g.post('lseek', 3, 5, 77), -E.INVAL, none],
  ['pread64(3, "llo\\n", 4, 2)               = 4', g => g.post('pread64', 3, A, 4, 2), 4, g => text(g, 1, 'llo\n')],
  ['pwrite64(3, "ab", 2, 100)               = 2', g => g.post('pwrite64', 3, g.string(A, 'ab'), 2, 100), 2, none],
  ['writev(3, [{iov_base="abc", iov_len=3}, {iov_base="defg", iov_len=4}], 2) = 7', g => g.post('writev', 3, g.long(A, g.string(B, 'abc'), 3, g.string(B + 8, 'defg'), 4), 2), 7, none],
  ['readv(3, [{iov_base="hel", iov_len=3}, {iov_base="lo\\n\\t", iov_len=4}], 2) = 7', g => g.post('readv', 3, g.long(A, B, 3, B + 8, 4), 2), 7, g => text(g, 6, 'hello\n\t')],
  ['preadv2(3, [{iov_base="\\"qu", iov_len=3}, {iov_base="abcd", iov_len=4}], 2, -1, 0) = 7', g => g.post('preadv2', 3, g.long(A, B, 3, B + 8, 4), 2, -1, 0, 0), 7, g => text(g, 6, '"quabcd')],
  ['stat("f.txt", {st_mode=S_IFREG|0644, st_size=102, ...}) = 0', g => g.post('stat', g.string(A, 'f.txt'), B), 0, g => stat(g, 1, 0o100644, 102)],
  ['stat("nope", 0x11000)                   = -1 ENOENT (No such file or directory)', g => g.post('stat', g.string(A, 'nope'), B), -E.NOENT, none],
  ['newfstatat(3, "", {st_mode=S_IFREG|0644, st_size=102, ...}, AT_EMPTY_PATH) = 0', g => g.post('newfstatat', 3, g.string(A, ''), B, 0x1000), 0, g => stat(g, 2, 0o100644, 102)],
  ['newfstatat(AT_FDCWD, "/dev/null", {st_mode=S_IFCHR|0666, st_rdev=makedev(0x1, 0x3), ...}, 0) = 0', g => g.post('newfstatat', -100, g.string(A, '/dev/null'), B, 0), 0, g => stat(g, 2, 0o20666, 0, 0x103)],
  ['newfstatat(AT_FDCWD, "/tmp", {st_mode=S_IFDIR|S_ISVTX|0777, st_size=4096, ...}, 0) = 0', g => g.post('newfstatat', -100, g.string(A, '/tmp'), B, 0), 0, g => stat(g, 2, 0o41777, 4096)],
  ['statx(AT_FDCWD, "f.txt", AT_STATX_SYNC_AS_STAT, STATX_ALL, {stx_mask=STATX_ALL|STATX_MNT_ID, stx_attributes=0, stx_mode=S_IFREG|0644, stx_size=102, ...}) = 0', g => g.post('statx', -100, g.string(A, 'f.txt'), 0, 0xfff, B), 0, g => u32s(g, 4, { 0: 0x1fff, 28: 0o100644, 40: 102 })],
  ['statx(AT_FDCWD, "f.txt", AT_STATX_SYNC_AS_STAT|AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, {stx_mask=STATX_BASIC_STATS|STATX_MNT_ID, stx_attributes=0, stx_mode=S_IFREG|0644, stx_size=102, ...}) = 0', g => g.post('statx', -100, g.string(A, 'f.txt'), 0x100, 0x7ff, B), 0, g => u32s(g, 4, { 0: 0x17ff, 28: 0o100644, 40: 102 })],
  ['statfs("/proc", {f_type=PROC_SUPER_MAGIC, f_bsize=4096, f_blocks=0, f_bfree=0, f_bavail=0, f_files=0, f_ffree=0, f_fsid={val=[0x15, 0]}, f_namelen=255, f_frsize=4096, f_flags=ST_VALID|ST_RELATIME}) = 0', g => g.post('statfs', g.string(A, '/proc'), B), 0, g => u32s(g, 1, { 0: 0x9fa0, 8: 4096, 56: 0x15, 64: 255, 72: 4096, 80: 0x1020 })],
  ['access("f.txt", R_OK|W_OK)              = 0', g => g.post('access', g.string(A, 'f.txt'), 6), 0, none],
  ['access("x", F_OK)                       = -1 ENOENT (No such file or directory)', g => g.post('access', g.string(A, 'x'), 0), -E.NOENT, none],
  ['faccessat2(AT_FDCWD, "f.txt", R_OK, AT_EACCESS) = 0', g => g.post('faccessat2', -100, g.string(A, 'f.txt'), 4, 0x200), 0, none],
  ['pipe([6, 7])                            = 0', g => g.post('pipe', A), 0, g => u32s(g, 0, { 0: 6, 4: 7 })],
  ['pipe2([8, 9], O_NONBLOCK|O_CLOEXEC)     = 0', g => g.post('pipe2', A, 0o2004000), 0, g => u32s(g, 0, { 0: 8, 4: 9 })],
  ['pipe2([4, 5], 0)                        = 0', g => g.post('pipe2', A, 0), 0, g => u32s(g, 0, { 0: 4, 4: 5 })],
  ['poll([{fd=8, events=POLLIN}, {fd=9, events=POLLIN|POLLOUT}], 2, 100) = 2 ([{fd=8, revents=POLLIN}, {fd=9, revents=POLLOUT}])', g => { u16s(g, A, 8, 0, 1, 0, 9, 0, 5, 0); g.post('poll', A, 2, 100) }, 2, g => u8s(g, 0, 8, 0, 0, 0, 1, 0, 1, 0, 9, 0, 0, 0, 5, 0, 4, 0)],
  ['poll([{fd=9, events=0}], 1, 1)          = 0 (Timeout)', g => { u16s(g, A, 9, 0, 0, 0); g.post('poll', A, 1, 1) }, 0, none],
  ['select(10, [1 8], NULL, NULL, {tv_sec=1, tv_usec=5}) = 1 (in [8])', g => g.post('select', 10, g.long(A, 0x102), 0, 0, g.long(B, 1, 5)), 1, g => u8s(g, 1, 0, 1)],
  ['select(0, NULL, NULL, NULL, {tv_sec=0, tv_usec=0}) = 0 (Timeout)', g => g.post('select', 0, 0, 0, 0, g.long(B, 0, 0)), 0, none],
  ['pselect6(10, [8], NULL, NULL, {tv_sec=0, tv_nsec=1000000}, {sigmask=[INT], sigsetsize=8}) = 1 (in [8])', g => g.post('pselect6', 10, g.long(A, 0x100), 0, 0, g.long(B, 0, 1000000), g.long(B + 32, g.long(B + 64, 2), 8)), 1, none],
  ['pselect6(0, NULL, NULL, NULL, {tv_sec=0, tv_nsec=1000000}, {sigmask=NULL, sigsetsize=8}) = 0 (Timeout)', g => g.post('pselect6', 0, 0, 0, 0, g.long(B, 0, 1000000), g.long(B + 32, 0, 8)), 0, none],
  ['dup3(3, 51, O_CLOEXEC)                  = 51', g => g.post('dup3', 3, 51, 0o2000000), 51, none],
  ['fcntl(3, F_GETFL)                       = 0x8002 (flags O_RDWR|O_LARGEFILE)', g => g.post('fcntl', 3, 3), 0x8002, none],
  ['fcntl(3, F_SETFL, O_RDONLY|O_APPEND|O_NONBLOCK) = 0', g => g.post('fcntl', 3, 4, 0o6000), 0, none],
  ['fcntl(3, F_GETFD)                       = 0', g => g.post('fcntl', 3, 1), 0, none],
  ['fcntl(3, F_GETFD)                       = 0x1 (flags FD_CLOEXEC)', g => g.post('fcntl', 3, 1), 1, none],
  ['fcntl(3, F_SETFD, FD_CLOEXEC)           = 0', g => g.post('fcntl', 3, 2, 1), 0, none],
  ['fcntl(3, F_DUPFD_CLOEXEC, 61)           = 61', g => g.post('fcntl', 3, 1030, 61), 61, none],
  ['fcntl(3, F_SETLK, {l_type=F_WRLCK, l_whence=SEEK_SET, l_start=0, l_len=10}) = 0', g => g.post('fcntl', 3, 6, g.long(A, 1, 0, 10, 0)), 0, none],
  ['fcntl(3, F_GETLK, {l_type=F_UNLCK, l_whence=SEEK_SET, l_start=0, l_len=10, l_pid=0}) = 0', g => g.post('fcntl', 3, 5, g.long(A, 1, 0, 10, 0)), 0, g => u8s(g, 2, 2)],
  ['fcntl(3, 0x3e7 /* F_??? */, 0x5)        = -1 EINVAL (Invalid argument)', g => g.post('fcntl', 3, 999, 5), -E.INVAL, none],
  ['flock(3, LOCK_EX|LOCK_NB)               = 0', g => g.post('flock', 3, 6), 0, none],
  ['getdents64(12, 0x10100 /* 1 entries */, 4096) = 24', g => g.post('getdents64', 12, A, 4096), 24, g => u8s(g, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 24, 0, 4, 46, 0)],
  ['getcwd("/tmp/st", 4096)                 = 8', g => g.post('getcwd', A, 4096), 8, g => text(g, 0, '/tmp/st\0')],
  ['renameat2(AT_FDCWD, "de", AT_FDCWD, "df", RENAME_NOREPLACE) = 0', g => g.post('renameat2', -100, g.string(A, 'de'), -100, g.string(A + 8, 'df'), 1), 0, none],
  ['readlink("s", "f.txt", 100)             = 5', g => g.post('readlink', g.string(A, 's'), B, 100), 5, g => text(g, 1, 'f.txt')],
  ['unlinkat(12, "s2", AT_REMOVEDIR)        = -1 ENOTDIR (Not a directory)', g => g.post('unlinkat', 12, g.string(A, 's2'), 0x200), -E.NOTDIR, none],
  ['fchmod(3, 04755)                        = 0', g => g.post('fchmod', 3, 0o4755), 0, none],
  ['fchmodat(12, "f.txt", 000)              = 0', g => g.post('fchmodat', 12, g.string(A, 'f.txt'), 0), 0, none],
  ['chown("f.txt", -1, 0)                   = 0', g => g.post('chown', g.string(A, 'f.txt'), 0xffffffff, 0), 0, none],
  ['umask(000)                              = 022', g => g.post('umask', 0), 0o22, none],
  ['mknodat(AT_FDCWD, "fifo", S_IFIFO|0644) = 0', g => g.post('mknodat', -100, g.string(A, 'fifo'), 0o10644, 0), 0, none],
  ['mknodat(AT_FDCWD, "nd", S_IFCHR|0600, makedev(0x1, 0x3)) = 0', g => g.post('mknodat', -100, g.string(A, 'nd'), 0o20600, 0x103), 0, none],
  ['mknodat(AT_FDCWD, "plain", 0644)        = 0', g => g.post('mknodat', -100, g.string(A, 'plain'), 0o644, 0), 0, none],
  ['utimensat(AT_FDCWD, "f.txt", [{tv_sec=1, tv_nsec=2} /* 1970-01-01T00:00:01.000000002+0000 */, UTIME_NOW], 0) = 0', g => g.post('utimensat', -100, g.string(A, 'f.txt'), g.long(B, 1, 2, 0, 0x3fffffff), 0), 0, none],
  ['utimensat(3, NULL, NULL, 0)             = 0', g => g.post('utimensat', 3, 0, 0, 0), 0, none],
  ['utimes("f.txt", [{tv_sec=1, tv_usec=2} /* 1970-01-01T00:00:01.000002+0000 */, {tv_sec=3, tv_usec=4} /* 1970-01-01T00:00:03.000004+0000 */]) = 0', g => g.post('utimes', g.string(A, 'f.txt'), g.long(B, 1, 2, 3, 4)), 0, none],
  ['clock_gettime(CLOCK_MONOTONIC, {tv_sec=3996, tv_nsec=901444050}) = 0', g => g.post('clock_gettime', 1, A), 0, g => u32s(g, 1, { 0: 3996, 8: 901444050 })],
  ['time(NULL)                              = 1795230417 (2026-11-21T03:06:57+0000)', g => g.post('time', 0), 1795230417, none],
  ['getrlimit(RLIMIT_NOFILE, {rlim_cur=20000, rlim_max=20000}) = 0', g => g.post('getrlimit', 7, A), 0, g => u32s(g, 1, { 0: 20000, 8: 20000 })],
  ['getrlimit(0x63 /* RLIMIT_??? */, 0x10100) = -1 EINVAL (Invalid argument)', g => g.post('getrlimit', 99, A), -E.INVAL, none],
  ['prlimit64(0, RLIMIT_STACK, NULL, {rlim_cur=8192*1024, rlim_max=RLIM64_INFINITY}) = 0', g => g.post('prlimit64', 0, 3, 0, A), 0, g => u32s(g, 3, { 0: 8192 * 1024, 8: -1, 12: -1 })],
  ['getrusage(RUSAGE_SELF, {ru_utime={tv_sec=0, tv_usec=0}, ru_stime={tv_sec=0, tv_usec=4411}, ...}) = 0', g => g.post('getrusage', 0, A), 0, g => u32s(g, 1, { 24: 4411 })],
  ['uname({sysname="Linux", nodename="vm", ...}) = 0', g => g.post('uname', A), 0, g => { text(g, 0, 'Linux'); g.mem.set([118, 109], (g.wants.areas[0] as number) + 65) }],
  ['getpid()                                = 15751', g => g.post('getpid'), 15751, none],
  ['getgroups(64, [1, 2])                   = 2', g => g.post('getgroups', 64, A), 2, g => u32s(g, 1, { 0: 1, 4: 2 })],
  ['getgroups(0, NULL)                      = 0', g => g.post('getgroups', 0, 0), 0, none],
  ['getresuid([0], [0], [0])                = 0', g => g.post('getresuid', A, A + 4, A + 8), 0, none],
  ['setresuid(-1, -1, -1)                   = 0', g => g.post('setresuid', 0xffffffff, 0xffffffff, 0xffffffff), 0, none],
  ['rt_sigaction(SIGALRM, {sa_handler=0x55e89111aad9, sa_mask=[USR1], sa_flags=SA_RESTORER|SA_RESTART, sa_restorer=0x7f48cc217050}, NULL, 8) = 0', g => g.post('rt_sigaction', 14, g.long(A, 0x55e89111aad9, 0x14000000, 0x7f48cc217050, 0x200), 0, 8), 0, none],
  ['rt_sigaction(SIGPIPE, {sa_handler=SIG_IGN, sa_mask=[PIPE], sa_flags=SA_RESTORER|SA_RESTART, sa_restorer=0x7f48cc217050}, {sa_handler=SIG_DFL, sa_mask=[], sa_flags=0}, 8) = 0', g => g.post('rt_sigaction', 13, g.long(A, 1, 0x14000000, 0x7f48cc217050, 0x1000), B, 8), 0, none],
  ['rt_sigaction(SIGRT_2, NULL, {sa_handler=SIG_DFL, sa_mask=[], sa_flags=0}, 8) = 0', g => g.post('rt_sigaction', 34, 0, B, 8), 0, none],
  ['rt_sigprocmask(SIG_BLOCK, ~[RTMIN RT_1], NULL, 8) = 0', g => g.post('rt_sigprocmask', 0, g.put(A, 255, 255, 255, 127, 254, 255, 255, 255), 0, 8), 0, none],
  ['rt_sigprocmask(SIG_SETMASK, [CHLD RT_4], [], 8) = 0', g => g.post('rt_sigprocmask', 2, g.put(A, 0, 0, 1, 0, 8, 0, 0, 0), B, 8), 0, none],
  ['getrandom("\\x00\\xcf\\xe5\\x37", 4, GRND_NONBLOCK) = 4', g => g.post('getrandom', A, 4, 1), 4, g => u8s(g, 0, 0, 0xcf, 0xe5, 0x37)],
  ['brk(NULL)                               = 0x55e897794000', g => g.post('brk', 0), 0x55e897794000, none],
  ['sigaltstack({ss_sp=0x55e8977942a0, ss_flags=0, ss_size=8192}, NULL) = 0', g => g.post('sigaltstack', g.long(A, 0x55e8977942a0, 0, 8192), 0), 0, none],
  ['setitimer(ITIMER_REAL, {it_interval={tv_sec=0, tv_usec=0}, it_value={tv_sec=1, tv_usec=0}}, NULL) = 0', g => g.post('setitimer', 0, g.long(A, 0, 0, 1, 0), 0), 0, none],
  ['pause()                                 = ? ERESTARTNOHAND (To be restarted if no handler)', g => g.post('pause'), -E.RESTARTNOHAND, none],
  ['nanosleep({tv_sec=0, tv_nsec=1}, NULL)  = 0', g => g.post('nanosleep', g.long(A, 0, 1), 0), 0, none],
  ['nanosleep({tv_sec=5, tv_nsec=0}, {tv_sec=4, tv_nsec=998047991}) = -1 EINTR (Interrupted system call)', g => g.post('nanosleep', g.long(A, 5, 0), B), -E.INTR, g => u32s(g, 1, { 0: 4, 8: 998047991 })],
  ['nanosleep({tv_sec=5, tv_nsec=0}, {tv_sec=4, tv_nsec=998047991}) = ? ERESTART_RESTARTBLOCK (Interrupted by signal)', g => g.post('nanosleep', g.long(A, 5, 0), B), -E.RESTART_RESTARTBLOCK, g => u32s(g, 1, { 0: 4, 8: 998047991 })],
  ['clock_nanosleep(CLOCK_REALTIME, 0, {tv_sec=0, tv_nsec=1}, 0x11000) = 0', g => g.post('clock_nanosleep', 0, 0, g.long(A, 0, 1), B), 0, none],
  ['clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, {tv_sec=0, tv_nsec=1000}, 0x11000) = 0', g => g.post('clock_nanosleep', 0, 1, g.long(A, 0, 1000), B), 0, none],
  ['kill(15751, SIGUSR1)                    = 0', g => g.post('kill', 15751, 10), 0, none],
  ['kill(15751, 0)                          = 0', g => g.post('kill', 15751, 0), 0, none],
  ['rt_sigtimedwait([USR2], NULL, {tv_sec=0, tv_nsec=5}, 8) = 12 (SIGUSR2)', g => g.post('rt_sigtimedwait', g.long(A, 0x800), 0, g.long(B, 0, 5), 8), 12, none],
  ['epoll_create1(EPOLL_CLOEXEC)            = 13', g => g.post('epoll_create1', 0o2000000), 13, none],
  ['epoll_ctl(13, EPOLL_CTL_ADD, 8, {events=EPOLLIN|EPOLLET, data={u32=7, u64=7}}) = 0', g => g.post('epoll_ctl', 13, 1, 8, g.put(A, 1, 0, 0, 0x80, 7, 0, 0, 0, 0, 0, 0, 0)), 0, none],
  ['epoll_ctl(13, EPOLL_CTL_DEL, 8, NULL)   = 0', g => g.post('epoll_ctl', 13, 2, 8, 0), 0, none],
  ['epoll_wait(13, [{events=EPOLLIN, data={u32=7, u64=7}}], 4, 10) = 1', g => g.post('epoll_wait', 13, A, 4, 10), 1, g => u8s(g, 1, 1, 0, 0, 0, 7)],
  ['epoll_pwait(13, [], 4, 0, [USR2], 8)    = 0', g => g.post('epoll_pwait', 13, A, 4, 0, g.long(B, 0x800), 8), 0, none],
  ['eventfd2(3, EFD_CLOEXEC|EFD_NONBLOCK)   = 15', g => g.post('eventfd2', 3, 0o2004000), 15, none],
  ['timerfd_settime(17, 0, {it_interval={tv_sec=0, tv_nsec=0}, it_value={tv_sec=1, tv_nsec=0}}, NULL) = 0', g => g.post('timerfd_settime', 17, 0, g.long(A, 0, 0, 1, 0), 0), 0, none],
  ['signalfd4(-1, [USR2], 8, SFD_CLOEXEC)   = 18', g => g.post('signalfd4', -1, g.long(A, 0x800), 8, 0o2000000), 18, none],
  ['inotify_add_watch(19, ".", IN_CREATE|IN_DELETE) = 1', g => g.post('inotify_add_watch', 19, g.string(A, '.'), 0x300), 1, none],
  ['mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f48cc3c4000', g => g.post('mmap', 0, 8192, 3, 0x22, 0xffffffff, 0), 0x7f48cc3c4000, none],
  ['mmap(0x10000000, 4096, PROT_READ|PROT_EXEC, MAP_PRIVATE|MAP_FIXED|MAP_ANONYMOUS|MAP_NORESERVE, -1, 0) = 0x10000000', g => g.post('mmap', 0x10000000, 4096, 5, 0x4032, -1, 0), 0x10000000, none],
  ['mmap(NULL, 4096, PROT_READ, MAP_SHARED, 3, 0x1000) = 0x7f48cc3c3000', g => g.post('mmap', 0, 4096, 1, 1, 3, 0x1000), 0x7f48cc3c3000, none],
  ['mprotect(0x7f48cc3c4000, 4096, PROT_NONE) = 0', g => g.post('mprotect', 0x7f48cc3c4000, 4096, 0), 0, none],
  ['mremap(0x7f48cc3c4000, 8192, 16384, MREMAP_MAYMOVE) = -1 EFAULT (Bad address)', g => g.post('mremap', 0x7f48cc3c4000, 8192, 16384, 1, 0), -E.FAULT, none],
  ['madvise(0x10100, 4096, MADV_DONTNEED)   = 0', g => g.post('madvise', A, 4096, 4), 0, none],
  ['prctl(PR_SET_NAME, "newname")           = 0', g => g.post('prctl', 15, g.string(A, 'newname')), 0, none],
  ['prctl(PR_GET_NAME, "newname")           = 0', g => g.post('prctl', 16, A), 0, g => text(g, 1, 'newname')],
  ['prctl(PR_SET_PDEATHSIG, SIGKILL)        = 0', g => g.post('prctl', 1, 9), 0, none],
  ['prctl(PR_GET_DUMPABLE)                  = 1 (SUID_DUMP_USER)', g => g.post('prctl', 3), 1, none],
  ['prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)  = 0', g => g.post('prctl', 38, 1, 0, 0, 0), 0, none],
  ['prctl(PR_CAPBSET_READ, CAP_CHOWN)       = 1', g => g.post('prctl', 23, 0), 1, none],
  ['prctl(0x3039 /* PR_??? */, 0x1, 0x2, 0x3, 0x4) = -1 EINVAL (Invalid argument)', g => g.post('prctl', 12345, 1, 2, 3, 4), -E.INVAL, none],
  ['arch_prctl(ARCH_SET_FS, 0x7fd8743db740) = 0', g => g.post('arch_prctl', 0x1002, 0x7fd8743db740), 0, none],
  ['arch_prctl(0x3001 /* ARCH_??? */, 0x10100) = -1 EINVAL (Invalid argument)', g => g.post('arch_prctl', 0x3001, A), -E.INVAL, none],
  ['personality(0xffffffff)                 = 0 (PER_LINUX)', g => g.post('personality', 0xffffffff), 0, none],
  ['futex(0x10100, FUTEX_WAKE_PRIVATE, 1)   = 0', g => g.post('futex', A, 129, 1), 0, none],
  ['futex(0x10100, FUTEX_WAIT, 5, NULL)     = -1 EAGAIN (Resource temporarily unavailable)', g => g.post('futex', A, 0, 5, 0), -E.AGAIN, none],
  ['futex(0x10100, FUTEX_CMP_REQUEUE, 1, 2, 0x10104, 0) = 0', g => g.post('futex', A, 4, 1, 2, A + 4, 0), 0, none],
  ['sched_getaffinity(0, 128, [0 1])        = 32', g => g.post('sched_getaffinity', 0, 128, A), 32, g => { u8s(g, 2, ...new Uint8Array(32)); u8s(g, 2, 3) }],
  ['sched_setaffinity(0, 128, [0 1])        = 0', g => g.post('sched_setaffinity', 0, 128, g.put(A, 3)), 0, none],
  ['sched_getscheduler(0)                   = 0 (SCHED_OTHER)', g => g.post('sched_getscheduler', 0), 0, none],
  ['sched_getparam(0, [0])                  = 0', g => g.post('sched_getparam', 0, A), 0, none],
  ['getcpu([1], NULL, NULL)                 = 0', g => g.post('getcpu', A, 0, 0), 0, g => u32s(g, 0, { 0: 1 })],
  ['capget({version=_LINUX_CAPABILITY_VERSION_3, pid=0}, {effective=1<<CAP_CHOWN|1<<CAP_SETFCAP, permitted=1<<CAP_CHOWN, inheritable=0}) = 0', g => g.post('capget', g.put(A, 0x22, 5, 8, 0x20), B), 0, g => u32s(g, 1, { 0: -0x7fffffff, 4: 1 })],
  ['openat2(12, "f.txt", {flags=O_RDONLY|O_CLOEXEC, resolve=RESOLVE_BENEATH}, 24) = 21', g => g.post('openat2', 12, g.string(A, 'f.txt'), g.long(B, 0o2000000, 0, 8), 24), 21, none],
  ['close_range(100, 4294967295, CLOSE_RANGE_CLOEXEC) = 0', g => g.post('close_range', 100, 0xffffffff, 4), 0, none],
  ['setxattr("f.txt", "user.a", "val", 3, XATTR_CREATE) = 0', g => g.post('setxattr', g.string(A, 'f.txt'), g.string(A + 16, 'user.a'), g.string(B, 'val'), 3, 1), 0, none],
  ['getxattr("f.txt", "user.zz", 0x11000, 100) = -1 ENODATA (No data available)', g => g.post('getxattr', g.string(A, 'f.txt'), g.string(A + 16, 'user.zz'), B, 100), -E.NODATA, none],
  ['listxattr("f.txt", "user.a\\0", 100)     = 7', g => g.post('listxattr', g.string(A, 'f.txt'), B, 100), 7, g => text(g, 1, 'user.a\0')],
  ['fadvise64(3, 0, 0, POSIX_FADV_SEQUENTIAL) = 0', g => g.post('fadvise64', 3, 0, 0, 2), 0, none],
  ['ioctl(3, TCGETS, 0x10100)               = -1 ENOTTY (Inappropriate ioctl for device)', g => g.post('ioctl', 3, 0x5401, A), -E.NOTTY, none],
  ['ioctl(8, FIONREAD, [7])                 = 0', g => g.post('ioctl', 8, 0x541b, A), 0, g => u32s(g, 2, { 0: 7 })],
  ['ioctl(3, FIOCLEX)                       = 0', g => g.post('ioctl', 3, 0x5451, 0), 0, none],
  ['ioctl(3, _IOC(_IOC_NONE, 0x56, 0x78, 0x1234), 0x5) = -1 ENOTTY (Inappropriate ioctl for device)', g => g.post('ioctl', 3, 0x12345678, 5), -E.NOTTY, none],
  ['ioctl(3, _IOC(_IOC_READ, 0x78, 0x3, 0x4), 0x10100) = -1 ENOTTY (Inappropriate ioctl for device)', g => g.post('ioctl', 3, 0x80047803, A), -E.NOTTY, none],
  [`ioctl(23, TCGETS, ${TERMIOS_TEXT}) = 0`, g => g.post('ioctl', 23, 0x5401, A), 0, g => u32s(g, 2, { 0: 0x500, 4: 5, 8: 0xbf, 12: 0x8a3b })],
  [`ioctl(23, TCSETSW, ${TERMIOS_TEXT}) = 0`, g => g.post('ioctl', 23, 0x5403, termios(g, A)), 0, none],
  ['ioctl(23, TIOCSWINSZ, {ws_row=24, ws_col=80, ws_xpixel=0, ws_ypixel=0}) = 0', g => g.post('ioctl', 23, 0x5414, u16s(g, A, 24, 80, 0, 0)), 0, none],
  ['ioctl(23, TIOCSCTTY, 0)                 = -1 EPERM (Operation not permitted)', g => g.post('ioctl', 23, 0x540e, 0), -E.PERM, none],
  ['ioctl(23, TIOCSPGRP, [0])               = -1 ENOTTY (Inappropriate ioctl for device)', g => g.post('ioctl', 23, 0x5410, A), -E.NOTTY, none],
  ['ioctl(23, TCFLSH, TCIOFLUSH)            = 0', g => g.post('ioctl', 23, 0x540b, 2), 0, none],
  ['mount("none", "/nope", "tmpfs", MS_RDONLY|MS_NOSUID, "size=1k") = -1 ENOENT (No such file or directory)', g => g.post('mount', g.string(A, 'none'), g.string(A + 16, '/nope'), g.string(A + 32, 'tmpfs'), 3, g.string(A + 48, 'size=1k')), -E.NOENT, none],
  ['umount2("/nope", MNT_DETACH)            = -1 ENOENT (No such file or directory)', g => g.post('umount2', g.string(A, '/nope'), 2), -E.NOENT, none],
  ['clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f48cc1d8a10) = 15752', g => g.post('clone', 0x1200011, 0, 0, 0x7f48cc1d8a10, 0), 15752, none],
  ['vfork()                                 = 15754', g => g.post('vfork'), 15754, none],
  ['wait4(15752, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, {ru_utime={tv_sec=0, tv_usec=191}, ru_stime={tv_sec=0, tv_usec=0}, ...}) = 15752', g => g.post('wait4', 15752, A, 0, B), 15752, g => { u32s(g, 1, { 0: 0x300 }); u32s(g, 3, { 8: 191 }) }],
  ['wait4(-1, 0x10100, WNOHANG, NULL)       = 0', g => g.post('wait4', -1, A, 1, 0), 0, none],
  ['wait4(-1, 0x10100, 0, NULL)             = -1 ECHILD (No child processes)', g => g.post('wait4', -1, A, 0, 0), -E.CHILD, none],
  ['wait4(15755, [{WIFSTOPPED(s) && WSTOPSIG(s) == SIGSTOP}], WSTOPPED, NULL) = 15755', g => g.post('wait4', 15755, A, 2, 0), 15755, g => u32s(g, 1, { 0: 0x137f })],
  ['wait4(15756, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV && WCOREDUMP(s)}], 0, NULL) = 15756', g => g.post('wait4', 15756, A, 0, 0), 15756, g => u32s(g, 1, { 0: 0x8b })],
  ['waitid(P_PID, 15753, {si_signo=SIGCHLD, si_code=CLD_KILLED, si_pid=15753, si_uid=0, si_status=SIGKILL, si_utime=0, si_stime=0}, WEXITED, NULL) = 0', g => g.post('waitid', 1, 15753, A, 4, 0), 0, g => u32s(g, 2, { 0: 17, 8: 2, 16: 15753, 24: 9 })],
  ['set_robust_list(0x7f48cc1d8a20, 24)     = 0', g => g.post('set_robust_list', 0x7f48cc1d8a20, 24), 0, none],
  ['rseq(0x10100, 0x20, 0, 0x53053053)      = -1 ENOSYS (Function not implemented)', g => g.post('rseq', A, 32, 0, 0x53053053), -E.NOSYS, none],
  ['socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_IP) = -1 EAFNOSUPPORT (Address family not supported by protocol)', g => g.post('socket', 2, 0o2000001, 0), -E.AFNOSUPPORT, none],
  ['socket(AF_UNIX, SOCK_DGRAM|SOCK_CLOEXEC|SOCK_NONBLOCK, 0) = 4', g => g.post('socket', 1, 0o2004002, 0), 4, none],
  ['socketpair(AF_UNIX, SOCK_SEQPACKET, 0, [7, 8]) = 0', g => g.post('socketpair', 1, 5, 0, A), 0, g => u32s(g, 3, { 0: 7, 4: 8 })],
  ['connect(4, {sa_family=AF_UNIX, sun_path="absent"}, 9) = -1 ENOENT (No such file or directory)', g => g.post('connect', 4, g.string(u16s(g, A, 1) + 2, 'absent') - 2, 9), -E.NOENT, none],
  ['bind(3, {sa_family=AF_UNIX, sun_path=@"mol-late"}, 11) = 0', g => g.post('bind', 3, g.string(u16s(g, A, 1) + 2, '\0mol-late') - 2, 11), 0, none],
  ['bind(3, {sa_family=AF_UNIX}, 2)         = 0', g => g.post('bind', 3, u16s(g, A, 1), 2), 0, none],
  ['connect(3, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")}, 16) = 0', g => g.post('connect', 3, g.put(A, 2, 0, 0, 80, 127, 0, 0, 1), 16), 0, none],
  ['connect(3, {sa_family=AF_INET6, sin6_port=htons(80), sin6_flowinfo=htonl(0), inet_pton(AF_INET6, "::1", &sin6_addr), sin6_scope_id=0}, 28) = 0', g => g.post('connect', 3, g.put(A, 10, 0, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1), 28), 0, none],
  ['accept(3, NULL, NULL)                   = 5', g => g.post('accept', 3, 0, 0), 5, none],
  ['accept4(3, {sa_family=AF_UNIX}, [110 => 2], SOCK_CLOEXEC|SOCK_NONBLOCK) = 10', g => g.post('accept4', 3, A, g.put(B, 110, 0, 0, 0), 0o2004000), 10, g => u8s(g, 1, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0)],
  ['getpeername(3, 0x10100, [110])          = -1 ENOTCONN (Transport endpoint is not connected)', g => g.post('getpeername', 3, A, g.put(B, 110, 0, 0, 0)), -E.NOTCONN, none],
  ['sendto(3, "x", 1, MSG_NOSIGNAL, NULL, 0) = -1 EPIPE (Broken pipe)', g => g.post('sendto', 3, g.string(A, 'x'), 1, 0x4000, 0, 0), -E.PIPE, none],
  ['recvfrom(4, "hel", 3, MSG_PEEK, NULL, NULL) = 3', g => g.post('recvfrom', 4, A, 3, 2, 0, 0), 3, g => text(g, 1, 'hel')],
  ['recvfrom(4, 0x10100, 100, MSG_DONTWAIT, NULL, NULL) = -1 EAGAIN (Resource temporarily unavailable)', g => g.post('recvfrom', 4, A, 100, 0x40, 0, 0), -E.AGAIN, none],
  ['sendmsg(5, {msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base="data", iov_len=4}], msg_iovlen=1, msg_control=[{cmsg_len=24, cmsg_level=SOL_SOCKET, cmsg_type=SCM_RIGHTS, cmsg_data=[3, 4]}], msg_controllen=24, msg_flags=0}, MSG_DONTWAIT) = 4', g => g.post('sendmsg', 5, g.long(A, 0, 0, g.long(B, g.string(B + 64, 'data'), 4), 1, g.put(B + 128, 24, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0), 24, 0), 0x40), 4, none],
  ['recvmsg(6, {msg_name=NULL, msg_namelen=0, msg_iov=[{iov_base="da", iov_len=2}], msg_iovlen=1, msg_controllen=0, msg_flags=MSG_TRUNC}, MSG_DONTWAIT) = 2', g => g.post('recvmsg', 6, g.long(A, 0, 0, g.long(B, B + 64, 2), 1, 0, 0, 0), 0x40), 2, g => { text(g, 6, 'da'); u32s(g, 10, { 8: 0x20 }) }],
  ['recvmsg(6, {msg_namelen=0}, MSG_DONTWAIT) = -1 EAGAIN (Resource temporarily unavailable)', g => g.post('recvmsg', 6, g.long(A, 0, 0, g.long(B, B + 64, 2), 1, 0, 0, 0), 0x40), -E.AGAIN, none],
  ['shutdown(3, SHUT_WR)                    = 0', g => g.post('shutdown', 3, 1), 0, none],
  ['setsockopt(4, SOL_SOCKET, SO_PASSCRED, [1], 4) = 0', g => g.post('setsockopt', 4, 1, 16, g.put(A, 1, 0, 0, 0), 4), 0, none],
  ['setsockopt(4, SOL_TCP, TCP_NODELAY, [1], 4) = 0', g => g.post('setsockopt', 4, 6, 1, g.put(A, 1, 0, 0, 0), 4), 0, none],
  ['setsockopt(8, SOL_SOCKET, SO_SNDTIMEO_OLD, "\\0\\0\\0\\0\\0\\0\\0\\0\\20\'\\0\\0\\0\\0\\0\\0", 16) = 0', g => g.post('setsockopt', 8, 1, 21, g.long(A, 0, 10000), 16), 0, none],
  ['getsockopt(6, SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4]) = 0', g => g.post('getsockopt', 6, 1, 4, A, g.put(B, 4, 0, 0, 0)), 0, g => u32s(g, 3, { 0: 4, 8: 111 })],
  ['getsockopt(3, SOL_SOCKET, SO_PEERCRED, {pid=25498, uid=0, gid=0}, [12]) = 0', g => g.post('getsockopt', 3, 1, 17, A, g.put(B, 12, 0, 0, 0)), 0, g => u32s(g, 3, { 0: 12, 8: 25498 })],
  ['ptrace(PTRACE_TRACEME)                  = -1 EPERM (Operation not permitted)', g => g.post('ptrace', 0, 0, 0, 0), -E.PERM, none],
  ['rt_sigsuspend(~[], 8)                   = ? ERESTARTNOHAND (To be restarted if no handler)', g => g.post('rt_sigsuspend', g.put(A, 255, 255, 255, 255, 255, 255, 255, 255), 8), -E.RESTARTNOHAND, none],
]

describe('strace lines', () => {
  for (const [line, post, result, fill] of lines)
    it(line.slice(0, 60), () => {
      const g = new Guest()
      post(g)
      if (route[g.nr] === ROUTE.MESSAGE) g.decode()
      else loadArguments(g, g.nr)
      const entry = formatEntry(shown(g, g.nr, null, STRING_LIMIT))
      fill(g)
      const s = shown(g, g.nr, result, STRING_LIMIT)
      const rest = formatExit(s, entry.printed)
      expect(aligned(entry.text + rest, formatResult(s))).toBe(line)
    })

  it('writes calls nobody knows', () => {
    const g = new Guest()
    g.post('getpid', 1, 2, 3, 4, 5, 6)
    decode(g, 500)
    const entry = formatEntry(shown(g, 500, null, STRING_LIMIT))
    expect(entry.text).toBe('syscall_0x1f4(0x1, 0x2, 0x3, 0x4, 0x5, 0x6')
  })
  it('writes every call of the table, whatever the arguments', () => {
    for (const [nr] of SYSCALLS)
      for (const v of [0, 1, A, -1, 0x80000000]) {
        const g = new Guest()
        g.post(SYSCALLS.find(row => row[0] === nr)?.[1] as string, v, v, v, v, v, v)
        g.decode()
        for (const result of [0, 1, -2]) {
          const entry = formatEntry(shown(g, nr, null, STRING_LIMIT))
          const s = shown(g, nr, result, STRING_LIMIT)
          expect(entry.text + formatExit(s, entry.printed) + formatResult(s)).toMatch(/^\w+\(.*\)= /s)
        }
      }
  })
})

describe('pieces', () => {
  it('quotes', () => {
    const cases: [string, string][] = [
      ['a"b\\', '"a\\"b\\\\"'],
      ['\x00', '"\\0"'],
      ['\x001', '"\\0001"'],
      ['\x1b[0m', '"\\33[0m"'],
      ['\t\n\v\f\r', '"\\t\\n\\v\\f\\r"'],
      ['\xff', '"\\377"'],
    ]
    for (const [bytes, expected] of cases) expect(quote(Buffer.from(bytes, 'latin1'), 32)).toBe(expected)
    expect(quote(Buffer.from('abcdef'), 3)).toBe('"abc"...')
  })
  it('names signal sets', () => {
    expect(signalSet(0, 0)).toBe('[]')
    expect(signalSet(-1, -1)).toBe('~[]')
    expect(signalSet(1 << (SIG.INT - 1), 0)).toBe('[INT]')
  })
  it('writes signals', () => {
    const v = new DataView(new ArrayBuffer(128))
    const set = (...fields: readonly (readonly [number, number])[]): string => {
      for (let k = 0; k < 128; k += 4) v.setInt32(k, 0, true)
      for (const [at, value] of fields) v.setInt32(at, value, true)
      return formatSignal(v, 0)
    }
    expect(set([0, 17], [8, 1], [16, 15752], [24, 3])).toBe(
      '--- SIGCHLD {si_signo=SIGCHLD, si_code=CLD_EXITED, si_pid=15752, si_uid=0, si_status=3, si_utime=0, si_stime=0} ---',
    )
    expect(set([0, 11], [8, 1], [16, 8])).toBe('--- SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0x8} ---')
    expect(set([0, 14], [8, 0x80])).toBe('--- SIGALRM {si_signo=SIGALRM, si_code=SI_KERNEL} ---')
    expect(set([0, 10], [16, 15751])).toBe(
      '--- SIGUSR1 {si_signo=SIGUSR1, si_code=SI_USER, si_pid=15751, si_uid=0} ---',
    )
    expect(set([0, 28], [8, -6], [16, 15751])).toBe(
      '--- SIGWINCH {si_signo=SIGWINCH, si_code=SI_TKILL, si_pid=15751, si_uid=0} ---',
    )
  })
  it('writes ends', () => {
    expect(formatEnd(0)).toBe('+++ exited with 0 +++')
    expect(formatEnd(0x300)).toBe('+++ exited with 3 +++')
    expect(formatEnd(9)).toBe('+++ killed by SIGKILL +++')
    expect(formatEnd(0x8b)).toBe('+++ killed by SIGSEGV (core dumped) +++')
  })
  it('writes exec lists', () => {
    const argv = ['true', 'arg'].map(a => Buffer.from(a))
    const env = (n: number): Uint8Array[] => new Array<Uint8Array>(n).fill(Buffer.from('A=1'))
    expect(execLists({ argv, envp: env(35) }, '0x1', '0x7ffdb3980b38', 32)).toBe(
      '["true", "arg"], 0x7ffdb3980b38 /* 35 vars */',
    )
    expect(execLists({ argv, envp: env(1) }, '0x1', '0x2', 32)).toBe('["true", "arg"], 0x2 /* 1 var */')
    expect(execLists({ argv: [], envp: [] }, 'NULL', 'NULL', 32)).toBe('NULL, NULL')
  })
})

describe('filters', () => {
  const names = (expression: string): string[] => {
    const chosen = parseFilter(expression)
    return chosen === null ? ['all'] : SYSCALLS.filter(row => chosen.has(row[0])).map(row => row[1])
  }
  it('choose', () => {
    expect(names('trace=open,close')).toEqual(['open', 'close'])
    expect(names('trace=all')).toEqual(['all'])
    expect(names('none')).toEqual([])
    expect(names('/^getp[ip]')).toEqual(['getpid', 'getppid'])
    expect(names('%clock')).toContain('clock_gettime')
    expect(names('%file')).toEqual(
      expect.arrayContaining(['open', 'openat', 'stat', 'execve', 'rename', 'mount', 'statx']),
    )
    expect(names('%desc')).toEqual(
      expect.arrayContaining(['read', 'write', 'close', 'mmap', 'openat', 'poll', 'epoll_wait']),
    )
    expect(names('%file')).not.toContain('read')
    expect(names('!%memory')).not.toContain('mmap')
    expect(names('!%memory')).toContain('read')
    expect(names('?nosuchcall,read')).toEqual(['read'])
  })
  it('refuse what there is not, and say what was meant', () => {
    expect(() => parseFilter('trace=opan')).toThrow('no system call "opan"; did you mean open?')
    expect(() => parseFilter('%fiel')).toThrow('no class of system calls %fiel')
    expect(() => parseFilter('/(')).toThrow('bad regular expression')
  })
})

describe('Tracer', () => {
  const trace = (
    options: TraceOptions,
    steps: (tracer: Tracer, g: Guest, at: (pid: number) => void) => void,
  ): string => {
    let output = ''
    let pid = 100
    let now = 1000
    const tracer = new Tracer(options, {
      pid: () => pid,
      realtime: () => 1795230417786.5,
      monotonic: () => (now += 1),
      emit: t => (output += t),
    })
    steps(tracer, new Guest(), p => (pid = p))
    tracer.close()
    return output
  }
  const call = (tracer: Tracer, g: Guest, name: string, args: readonly number[], result: number | null): void => {
    g.post(name, ...args)
    tracer.enter(g, nrOf(name))
    g.decode()
    if (result !== null) tracer.exit(g, nrOf(name), result)
  }
  it('splits lines others come between', () => {
    const out = trace({ follow: true }, (tracer, g, at) => {
      call(tracer, g, 'fork', [], 101)
      const waiting = new Guest()
      call(tracer, waiting, 'wait4', [-1, A, 0, 0], null)
      at(101)
      call(tracer, g, 'getpid', [], 101)
      call(tracer, g, 'exit_group', [3], null)
      at(100)
      waiting.view.setInt32(waiting.wants.areas[2] as number, 0x300, true)
      tracer.exit(waiting, nrOf('wait4'), 101)
      call(tracer, g, 'exit_group', [0], null)
      tracer.gone(100, 9)
    })
    expect(out.split('\n')).toEqual([
      'fork()                                  = 101',
      'wait4(-1,  <unfinished ...>',
      '[pid   101] getpid()                    = 101',
      '[pid   101] exit_group(3)               = ?',
      '[pid   101] +++ exited with 3 +++',
      '<... wait4 resumed>[{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL) = 101',
      'exit_group(0)                           = ?',
      '+++ exited with 0 +++',
      '',
    ])
  })
  it('waits for inputs that must be fetched, and keeps signals behind the call', () => {
    const out = trace({}, (tracer, g) => {
      g.string(A, 'newname')
      call(tracer, g, 'prctl', [15, A], 0)
      g.post('pause')
      tracer.enter(g, nrOf('pause'))
      g.view.setInt32(0, 14, true)
      g.view.setInt32(8, 0x80, true)
      tracer.signal(g, 0)
      tracer.exit(g, nrOf('pause'), -E.RESTARTNOHAND)
      g.post('rt_sigreturn')
      tracer.enter(g, nrOf('rt_sigreturn'))
      call(tracer, g, 'getpid', [], 100)
    })
    expect(out.split('\n')).toEqual([
      'prctl(PR_SET_NAME, "newname")           = 0',
      'pause()                                 = ? ERESTARTNOHAND (To be restarted if no handler)',
      '--- SIGALRM {si_signo=SIGALRM, si_code=SI_KERNEL} ---',
      'rt_sigreturn()                          = 0',
      'getpid()                                = 100',
      '',
    ])
  })
  it('writes execve with its lists', () => {
    const out = trace({}, (tracer, g) => {
      g.post('execve', g.string(A, '/bin/true'), B, B + 8)
      tracer.enter(g, nrOf('execve'))
      g.local = { argv: [Buffer.from('true')], envp: [Buffer.from('A=1')] }
      tracer.progress(g)
      g.local = null
      call(tracer, g, 'brk', [0], 0x1000)
    })
    expect(out.split('\n')[0]).toBe('execve("/bin/true", ["true"], 0x11008 /* 1 var */) = 0')
  })
  it('begins with the execve of a first program', () => {
    const out = trace({}, (tracer, g) => {
      tracer.started(g, '/bin/true', ['true', 'x'], ['A=1', 'B=2'], 0x7ffd1000)
      call(tracer, g, 'brk', [0], 0x1000)
    })
    expect(out.split('\n')[0]).toBe('execve("/bin/true", ["true", "x"], 0x7ffd1000 /* 2 vars */) = 0')
  })
  it('leaves children out unless asked', () => {
    const out = trace({}, (tracer, g, at) => {
      call(tracer, g, 'getpid', [], 100)
      at(101)
      call(tracer, g, 'getpid', [], 101)
    })
    expect(out).toBe('getpid()                                = 100\n')
  })
  it('filters, stamps and measures', () => {
    const out = trace({ expression: 'trace=getppid', timestamps: 'relative', durations: true }, (tracer, g) => {
      call(tracer, g, 'getpid', [], 100)
      call(tracer, g, 'getppid', [], 1)
    })
    expect(out).toMatch(/^ {4}0\.000000 getppid\(\) {18}= 1 <0\.00\d{4}>\n$/)
  })
  it('writes JSON Lines', () => {
    const out = trace({ json: true }, (tracer, g) => {
      g.string(A, '/etc/passwd')
      call(tracer, g, 'openat', [-100, A, 0], -E.NOENT)
      call(tracer, g, 'getpid', [], 100)
    })
    const [first, second] = out
      .trim()
      .split('\n')
      .map(line => JSON.parse(line))
    expect(first).toMatchObject({
      pid: 100,
      tid: 100,
      name: 'openat',
      args: { dirfd: 'AT_FDCWD', path: '"/etc/passwd"', flags: 'O_RDONLY' },
      ret: -1,
      errno: 'ENOENT',
      dur_us: 1000,
    })
    expect(second).toMatchObject({ name: 'getpid', args: {}, ret: 100, errno: null })
  })
  it('sums up', () => {
    const out = trace({ summary: true }, (tracer, g) => {
      call(tracer, g, 'getpid', [], 100)
      call(tracer, g, 'getpid', [], 100)
      call(tracer, g, 'close', [9], -E.BADF)
    })
    expect(out.split('\n')).toEqual([
      '% time     seconds  usecs/call     calls    errors syscall',
      '------ ----------- ----------- --------- --------- ----------------',
      ' 66.67    0.002000        1000         2           getpid',
      ' 33.33    0.001000        1000         1         1 close',
      '------ ----------- ----------- --------- --------- ----------------',
      '100.00    0.003000        1000         3         1 total',
      '',
    ])
  })
})
