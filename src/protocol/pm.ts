// Process manager: processes, threads, ids, signals, clocks and limits. Cells of guest calls follow the Linux arguments in order.
import { LINUX, MOL, numbers } from './table.ts'

export const pmCalls = {
  EXIT: [1, 'status'], // exit_group
  /** clone, fork, vfork, clone3 (decoded): Linux CLONE_* flags with the exit signal in the low byte. tid: the id the child is to have, or
   *  0; high word: flags above 32 bits, shifted down. */
  FORK: [2, 'flags stack ptid> ctid tls tid pidfd>'],
  WAITPID: [11, 'pid status> options rusage>'], // wait4
  TIME: [13, 'result>'],
  GETPID: [20, ''],
  SETUID: [23, 'uid'],
  GETUID: [24, ''],
  PTRACE: [26, 'request pid addr data buf<> vec<'], // what data points to as the request says (container/linux/commands.ts): buf, and for an iovec vec what that points to
  ALARM: [27, 'seconds'],
  PAUSE: [29, ''],
  KILL: [37, 'pid signo'],
  TIMES: [43, 'tms>'],
  SETGID: [46, 'gid'],
  GETGID: [47, ''],
  SETSID: [62, ''],
  GETPGRP: [63, ''],
  SIGACTION: [71, 'signo act< old> sigsetsize'],
  SIGSUSPEND: [72, 'mask< sigsetsize'],
  SIGPENDING: [73, 'set> sigsetsize'],
  SIGPROCMASK: [74, 'how set< old> sigsetsize'],
  SIGRETURN: [75, 'mask altsp altsize altflags sp'], // sent by the container once it has read and checked the frame; sp: stack pointer in it
  GETPRIORITY: [88, 'which who'],
  SETPRIORITY: [89, 'which who prio'],
  GETTIMEOFDAY: [90, 'tv> tz>'],
  EXIT_THREAD: [LINUX + 60, 'status'], // exit: this thread only
  NANOSLEEP: [LINUX + 35, 'req< rem>'],
  GETITIMER: [LINUX + 36, 'which value>'],
  SETITIMER: [LINUX + 38, 'which new< old>'],
  UNAME: [LINUX + 63, 'utsname>'],
  GETRLIMIT: [LINUX + 97, 'resource rlim>'],
  GETRUSAGE: [LINUX + 98, 'who usage>'],
  SYSINFO: [LINUX + 99, 'info>'],
  SYSLOG: [LINUX + 103, 'type buf> len'],
  GETEUID: [LINUX + 107, ''],
  GETEGID: [LINUX + 108, ''],
  SETPGID: [LINUX + 109, 'pid pgid'],
  GETPPID: [LINUX + 110, ''],
  SETREUID: [LINUX + 113, 'ruid euid'],
  SETREGID: [LINUX + 114, 'rgid egid'],
  GETGROUPS: [LINUX + 115, 'size list>'],
  SETGROUPS: [LINUX + 116, 'size list<'],
  SETRESUID: [LINUX + 117, 'ruid euid suid'],
  GETRESUID: [LINUX + 118, 'ruid> euid> suid>'],
  SETRESGID: [LINUX + 119, 'rgid egid sgid'],
  GETRESGID: [LINUX + 120, 'rgid> egid> sgid>'],
  GETPGID: [LINUX + 121, 'pid'],
  SETFSUID: [LINUX + 122, 'uid'],
  SETFSGID: [LINUX + 123, 'gid'],
  GETSID: [LINUX + 124, 'pid'],
  CAPGET: [LINUX + 125, 'header<> data>'],
  CAPSET: [LINUX + 126, 'header<> data<'],
  SIGTIMEDWAIT: [LINUX + 128, 'set< info> timeout< sigsetsize'],
  SIGQUEUEINFO: [LINUX + 129, 'pid signo info<'],
  SIGALTSTACK: [LINUX + 131, 'new< old> sp'], // sp: the caller's stack pointer
  PERSONALITY: [LINUX + 135, 'persona'],
  SCHED_SETPARAM: [LINUX + 142, 'pid param<'],
  SCHED_GETPARAM: [LINUX + 143, 'pid param>'],
  SCHED_SETSCHEDULER: [LINUX + 144, 'pid policy param<'],
  SCHED_GETSCHEDULER: [LINUX + 145, 'pid'],
  SCHED_GET_PRIORITY_MAX: [LINUX + 146, 'policy'],
  SCHED_GET_PRIORITY_MIN: [LINUX + 147, 'policy'],
  SCHED_RR_GET_INTERVAL: [LINUX + 148, 'pid ts>'],
  PRCTL: [LINUX + 157, 'option arg2 arg3 arg4 arg5 name<>'], // name: 16 bytes for PR_SET_NAME / PR_GET_NAME, else empty
  SETRLIMIT: [LINUX + 160, 'resource rlim<'],
  SETHOSTNAME: [LINUX + 170, 'name< len'],
  SETDOMAINNAME: [LINUX + 171, 'name< len'],
  GETTID: [LINUX + 186, ''],
  TKILL: [LINUX + 200, 'tid signo'],
  IOPRIO_SET: [LINUX + 251, 'which who ioprio'],
  IOPRIO_GET: [LINUX + 252, 'which who'],
  /** attr: the structure as far as it is known here; its first 4 bytes alone when its size makes no sense: the right one goes back. */
  SCHED_SETATTR: [LINUX + 314, 'pid attr<> flags'],
  SCHED_GETATTR: [LINUX + 315, 'pid attr> size flags'],
  SCHED_SETAFFINITY: [LINUX + 203, 'pid size mask<'],
  SCHED_GETAFFINITY: [LINUX + 204, 'pid size mask>'],
  SET_TID_ADDRESS: [LINUX + 218, 'address'],
  CLOCK_SETTIME: [LINUX + 227, 'clock ts<'],
  CLOCK_GETTIME: [LINUX + 228, 'clock ts>'],
  CLOCK_GETRES: [LINUX + 229, 'clock ts>'],
  CLOCK_NANOSLEEP: [LINUX + 230, 'clock flags req< rem>'],
  TGKILL: [LINUX + 234, 'tgid tid signo'],
  WAITID: [LINUX + 247, 'idtype id infop> options rusage>'],
  TIMER_CREATE: [LINUX + 222, 'clock event< id>'], // event: struct sigevent, 64 bytes
  TIMER_SETTIME: [LINUX + 223, 'id flags new< old>'],
  TIMER_GETTIME: [LINUX + 224, 'id value>'],
  TIMER_GETOVERRUN: [LINUX + 225, 'id'],
  TIMER_DELETE: [LINUX + 226, 'id'],
  SET_ROBUST_LIST: [LINUX + 273, 'head len'],
  GET_ROBUST_LIST: [LINUX + 274, 'pid head> len>'],
  TGSIGQUEUEINFO: [LINUX + 297, 'tgid tid signo info<'],
  PRLIMIT64: [LINUX + 302, 'pid resource new< old>'],
  ADJTIME: [LINUX + 305, 'clock timex<>'],
  GETCPU: [LINUX + 309, 'cpu> node> unused'],
  GETRANDOM: [LINUX + 318, 'buf> len flags'],
  PIDFD_SEND_SIGNAL: [LINUX + 424, 'pidfd signo info< flags'],
  PIDFD_OPEN: [LINUX + 434, 'pid flags'],
  PIDFD_GETFD: [LINUX + 438, 'pidfd fd flags'],
  SCHED_YIELD: [LINUX + 24, ''],
  FUTEX: [LINUX + 202, 'uaddr op val timeout< uaddr2 val3'],
  // -- from the container on a guest's behalf --
  /** The guest stands at a boundary and a signal may be due. `result` is that of the call it was in (class: 0 none, 1 a call; a
   *  -ERESTART* result is settled here). Reply 0: run on. SUSPEND while stopped. PM may sys.sigsend or sys.clear before. */
  SIGREADY: [MOL + 0, 'result incall callends'], // callends 1: it stands here for the first time since it made a call (container/linux/trace.ts)
  /** A guest whose tracer wants to see its calls is about to make one; its registers may be changed until the answer. 0 or SUSPEND. */
  CALLREADY: [MOL + 42, 'nr'],
  /** A host fault became a signal: SIGSEGV &c. Same answer as SIGREADY. frames: how many frames of the last boundary could not be
   *  written (container/linux/signal.ts frameFailed); 0 for a fault of the guest's own. */
  FAULT: [MOL + 1, 'signo code address frames'],
  /** execve has passed the point of no return: reset signals, ids, name; end other threads; release a vfork parent. */
  EXEC: [MOL + 2, 'uid gid dumpable name< path<'], // uid/gid: -1 or the set-id owner. name: comm (≤ 15)
  /** The host side of a fork failed with `error`: undo the child. */
  FORKFAIL: [MOL + 3, 'child error'],
  /** The host process of this guest died by itself with wait status `status` (killed from outside). */
  HOSTDIED: [MOL + 4, 'status'],
  /** ppoll, pselect6, epoll_pwait: wait with this signal mask. Undone by MASKPOP when the call has ended with anything but
   *  -ERESTARTNOHAND or -EINTR; after those by SIGREADY (through the frame, as sigsuspend's). */
  MASKPUSH: [MOL + 5, 'mask<'],
  MASKPOP: [MOL + 6, ''],
  /** After ASK.FUTEX: the value found in the word, or -EFAULT; first 1: the answer came late, nothing has been done. Answered as FUTEX. */
  FUTEXSTEP: [MOL + 9, 'found first'],
  /** After ASK.LAST_WORDS, and before an exec past the point of no return: what is to be done before a thread is gone. Answers ASK.
   *  LAST_WORDS with, in the reply, cell 1 the address of a word to clear, cell 2 the head of a robust list, cell 3 the id of the thread
   *  it belongs to (0: none); when the container has seen to both it asks again, with the addresses of the words somebody may wait for.
   *  0: exec may go on. SUSPEND: the thread is gone, or waits for others to say theirs. */
  LASTWORDS: [MOL + 7, 'words<'],
  // -- from the machine's control port (endpoint MACHINE) --
  /** A first process: entry made by sys.create. → pid. When it ends PM sends MACHINE.ENDED. */
  SPAWN: [MOL + 8, 'endpoint uid gid tty groups< job'], // tty 1: gets a session of its own with the console as controlling terminal
  // -- from FS, TTY --
  /** A terminal wants `signo` sent to a process group (SIGINT, SIGQUIT, SIGTSTP, SIGWINCH, SIGHUP, SIGTTIN, SIGTTOU). */
  KILLPG: [MOL + 16, 'pgrp signo'],
  /** May `endpoint` look into, or change, thread `pid`? → its endpoint, -ESRCH, -EPERM. */
  MAYTRACE: [MOL + 57, 'endpoint pid'],
  /** Queue a signal with a value to process `pid`, as from process `by` (mq_notify). */
  QUEUE: [MOL + 56, 'pid signo code value by'],
  /** Job-control facts for TTY and FS: session and process group of `endpoint`; result session; cell 0 of reply. */
  GETJOB: [MOL + 17, 'endpoint what'], // what: 0 pid, 1 pgrp, 2 session, 3 1 if SIGTTOU ignored or blocked, 4 same for SIGTTIN, 5 1 if its pgrp is orphaned, 6 ppid, 7 tgid, 8 endpoint of process `endpoint` taken as pid, 9 session of the process group `endpoint` taken as pgrp (-ESRCH: no such group), 10 endpoint of a thread of process `endpoint` taken as pid (-ESRCH: it has none any more), 11 endpoint of the thread whose id `endpoint` is
  /** PM writes a record about thread `pid` (PROC_RECORD in protocol/pm.ts) → bytes, or -ESRCH. */
  PROCINFO: [MOL + 18, 'pid record>'],
  /** Pids in use after `pid`, ascending, as u32 → count. */
  PIDS: [MOL + 19, 'pid list>'],
  /** The machine's processes together: TOTALS record. */
  TOTALS: [MOL + 48, 'totals>'],
  /** Threads or children (KIN) of process `pid`, ids after `after`, ascending, as u32 → count, or -ESRCH. */
  /** From FS for writes to /proc: SET of thread `pid` → 0 or -ESRCH. */
  SETTASK: [MOL + 50, 'pid what value name<'],
  KIN: [MOL + 49, 'pid what after list>'],
  GETCRED: [MOL + 20, 'endpoint cred>'],
  /** From FS for a signalfd: take the next pending signal of the set (u64 in the cell) and write its siginfo → number, 0: none. With no
   *  record to fill: only ask whether there is one. From then on PM sends FS.SIGNALLED when signals come for that process. */
  SIGIO: [MOL + 24, 'owner id code band fd uid euid'], // from FS, sent: a file is ready. owner: OWNER << 8 | signal or 0; uid, euid: whose wish it was
  SIGTAKE: [MOL + 22, 'endpoint mask info>'],
  /** Threads of process `pid`, ascending: u32 tid, u32 endpoint each → how many there are. */
  TASKS: [MOL + 40, 'pid list>'],
  /** What PM knows of a thread beside the pending signals (TASK_RECORD); or (set 1) takes over. */
  TASKSTATE: [MOL + 41, 'endpoint set record<>'],
} as const
export const PM = numbers(pmCalls)

/** TASKSTATE's record: byte offsets; u64 unless said. ACTIONS are its process's: a struct kernel_sigaction for each signal from 1 on. */
export const TASK_RECORD = {
  BLOCKED: 0, ALTSP: 8, ALTSIZE: 16, ALTFLAGS: 24 /* u32 */, CLEARTID: 32, ROBUST: 40, ACTIONS: 48, BYTES: 48 + 64 * 32,
} as const

/** Whom a file's signals go to (fcntl's F_OWNER_*). */
export const OWNER = { THREAD: 0, PROCESS: 1, GROUP: 2 } as const

/** Answers that are no results but ask the container for something in guest memory first. LAST_WORDS: to EXIT, EXIT_THREAD, SIGREADY,
 *  FAULT and LASTWORDS. FUTEX: to FUTEX and FUTEXSTEP, with, in the reply, cell 1 the address of a word, cell 2 what it is to hold, cell 3
 *  what to put there then; as a late answer without them. */
export const ASK = { LAST_WORDS: -(2 ** 40), FUTEX: -(2 ** 40) - 1 } as const

/** PROCINFO's record: byte offsets; u32 unless said. Times in ms. */
export const PROC_RECORD = {
  PID: 0, PPID: 4, PGRP: 8, SESSION: 12, TTY: 16 /* device number or 0 */, TPGID: 20, STATE: 24 /* ASCII R S D T Z */, THREADS: 28,
  UID: 32, EUID: 36, SUID: 40, GID: 44, EGID: 48, SGID: 52, NICE: 56, ENDPOINT: 60,
  UTIME: 64 /* f64, the thread's own */, STIME: 72 /* f64 */, START: 80 /* f64 since boot */, CUTIME: 88, CSTIME: 96,
  SIGPND: 104 /* u64, the thread's own */, SIGBLK: 112, SIGIGN: 120, SIGCGT: 128, COMM: 136 /* 16 bytes, NUL-padded */, UMASK: 152, NGROUPS: 156, GROUPS: 160 /* 32 × u32 */,
  TGID: 288, TRACER: 292, EXIT_SIGNAL: 296, EXIT_CODE: 300, POLICY: 304, PRIORITY: 308, DUMPABLE: 312, NO_NEW_PRIVS: 316,
  SHDPND: 320 /* u64 */, CAPS: 328 /* u64 each: inheritable, permitted, effective, bounding, ambient */,
  GROUP_UTIME: 368 /* f64, all threads, ended ones too */, GROUP_STIME: 376, TIMER_SLACK: 384 /* f64 ns */, PERSONALITY: 392, SIGQ: 396, SIGQ_MAX: 400 /* f64 */,
  AFFINITY: 408 /* 128 bits */, WAITING: 424 /* what PM has it wait for: WAITING of mproc.ts */,
  BYTES: 432,
} as const
/** SETTASK's what. TIMER_SLACK in ns; 0: as the thread began. */
export const SET = { COMM: 0, TIMER_SLACK: 1 } as const
/** KIN's what. */
export const KIN = { THREADS: 0, CHILDREN: 1 } as const
/** TOTALS' record: byte offsets of f64s. CPU times in ms, of those that ended too. Loads: processors busy, averaged over 1, 5, 15 minutes. */
export const TOTALS = { THREADS: 0, RUNNING: 8, LAST_PID: 16, UTIME: 24, STIME: 32, LOAD: 40 /* 3 */, BYTES: 64 } as const
/** GETCRED's record: u32 each: uid euid suid fsuid gid egid sgid fsgid ngroups then 32 groups; then u64 effective capabilities. */
export const CRED_BYTES = 176

/** To the machine's control port. */
export const machineCalls = {
  ENDED: [MOL + 64, 'job pid status'], // status as wait4 gives it
} as const
export const MACHINE = numbers(machineCalls)
