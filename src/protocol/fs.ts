// File server. Cells of guest calls follow the Linux arguments in order; MINIX names and numbers where MINIX has the call.
import { LINUX, MOL, numbers } from './table.ts'

export const fsCalls = {
  /** piece, here and below, of calls that come in pieces: low word: bytes done by earlier messages; high: bytes of the whole call. */
  READ: [3, 'fd buf> len piece'], // len of this and its kin: bytes, or the -errno the caller's buffer is refused with once the descriptor is found good
  WRITE: [4, 'fd buf< len piece'],
  OPEN: [5, 'dirfd path< flags mode'], // open, openat, creat (dirfd AT_FDCWD = -100)
  CLOSE: [6, 'fd'],
  LINK: [9, 'olddirfd oldpath< newdirfd newpath< flags'], // link, linkat
  UNLINK: [10, 'dirfd path< flags'], // unlink, unlinkat; AT_REMOVEDIR
  CHDIR: [12, 'path<'],
  MKNOD: [14, 'dirfd path< mode dev'],
  CHMOD: [15, 'dirfd path< mode flags'], // chmod, fchmodat, fchmodat2
  CHOWN: [16, 'dirfd path< uid gid flags'], // chown, lchown, fchownat
  STAT: [18, 'dirfd path< stat> flags'], // stat, lstat, newfstatat
  LSEEK: [19, 'fd offset whence'],
  MOUNT: [21, 'source< target< type< flags data<'],
  UMOUNT: [22, 'target< flags'],
  FSTAT: [28, 'fd stat>'],
  UTIME: [30, 'dirfd path< times< flags form'], // form: 0 two timespecs (utimensat), 1 two timevals (utimes, futimesat), 2 utimbuf. No path: fd itself
  ACCESS: [33, 'dirfd path< mode flags'],
  SYNC: [36, ''],
  RENAME: [38, 'olddirfd oldpath< newdirfd newpath< flags'],
  MKDIR: [39, 'dirfd path< mode'],
  RMDIR: [40, 'path<'],
  DUP: [41, 'fd'],
  PIPE: [42, 'fds> flags'],
  SYMLINK: [45, 'target< dirfd path<'],
  RDLNK: [49, 'dirfd path< buf> size'],
  IOCTL: [54, 'fd cmd arg data<>'], // data: grant sized by the command, empty when it takes a value
  FCNTL: [55, 'fd cmd arg data<>'], // data: struct flock or f_owner_ex for the commands that take one
  UMASK: [60, 'mask'],
  CHROOT: [61, 'path<'],
  FSTATFS: [82, 'fd statfs>'],
  SELECT: [85, 'n in<> out<> ex<> timeout<> sigmask<'], // select, pselect6; fd sets of (n+63)/64*8 bytes; timeout a timespec: what is left of it comes back
  FCHDIR: [86, 'fd'],
  FSYNC: [87, 'fd data'],
  TRUNCATE: [93, 'path< length'],
  FTRUNCATE: [94, 'fd length'],
  POLL: [LINUX + 7, 'fds<> nfds timeout<> sigmask<'], // poll, ppoll: timeout as SELECT's (the container turns poll's milliseconds into one)
  PREAD64: [LINUX + 17, 'fd buf> len offset'],
  PWRITE64: [LINUX + 18, 'fd buf< len offset'],
  READV: [LINUX + 19, 'fd buf> len offset flags piece'], // container scatters; offset -1 = none (readv, preadv, preadv2); flags: RWF_*
  WRITEV: [LINUX + 20, 'fd buf< len offset flags piece'],
  DUP2: [LINUX + 33, 'old new flags'], // dup2, dup3 (flags -1 for dup2)
  SENDFILE: [LINUX + 40, 'out in offset<> count'],
  FLOCK: [LINUX + 73, 'fd operation'],
  GETCWD: [LINUX + 79, 'buf> size'],
  FCHMOD: [LINUX + 91, 'fd mode'],
  FCHOWN: [LINUX + 93, 'fd uid gid'],
  STATFS: [LINUX + 137, 'path< statfs>'],
  FADVISE64: [LINUX + 221, 'fd offset len advice'],
  READAHEAD: [LINUX + 187, 'fd offset count'],
  SETXATTR: [LINUX + 188, 'path< name< value< size flags follow'],
  GETXATTR: [LINUX + 191, 'path< name< value> size follow'],
  LISTXATTR: [LINUX + 194, 'path< list> size follow'],
  REMOVEXATTR: [LINUX + 197, 'path< name< follow'],
  FSETXATTR: [LINUX + 190, 'fd name< value< size flags'],
  FGETXATTR: [LINUX + 193, 'fd name< value> size'],
  FLISTXATTR: [LINUX + 196, 'fd list> size'],
  FREMOVEXATTR: [LINUX + 199, 'fd name<'],
  GETDENTS64: [LINUX + 217, 'fd buf> size'],
  EPOLL_WAIT: [LINUX + 232, 'epfd events> maxevents timeout< sigmask<'], // epoll_wait, epoll_pwait, epoll_pwait2
  EPOLL_CTL: [LINUX + 233, 'epfd op fd event<'],
  EPOLL_CREATE: [LINUX + 291, 'flags'],
  INOTIFY_INIT: [LINUX + 294, 'flags'],
  INOTIFY_ADD_WATCH: [LINUX + 254, 'fd path< mask'],
  INOTIFY_RM_WATCH: [LINUX + 255, 'fd wd'],
  MQ_OPEN: [LINUX + 240, 'name< flags mode attr<'],
  MQ_UNLINK: [LINUX + 241, 'name<'],
  MQ_TIMEDSEND: [LINUX + 242, 'fd message< len priority timeout<'], // message: short where the guest's memory ends
  MQ_TIMEDRECEIVE: [LINUX + 243, 'fd message> len priority> timeout<'],
  MQ_NOTIFY: [LINUX + 244, 'fd event<'],
  MQ_GETSETATTR: [LINUX + 245, 'fd new< old>'],
  EVENTFD: [LINUX + 290, 'count flags'],
  TIMERFD_CREATE: [LINUX + 283, 'clock flags'],
  TIMERFD_SETTIME: [LINUX + 286, 'fd flags new< old>'],
  TIMERFD_GETTIME: [LINUX + 287, 'fd value>'],
  SIGNALFD: [LINUX + 289, 'fd mask< sizemask flags'],
  FALLOCATE: [LINUX + 285, 'fd mode offset len'],
  SYNC_FILE_RANGE: [LINUX + 277, 'fd offset n flags'],
  SPLICE: [LINUX + 275, 'in inoff<> out outoff<> len flags'],
  TEE: [LINUX + 276, 'in out len flags'],
  VMSPLICE: [LINUX + 278, 'fd buf< len flags piece'], // to a pipe
  SYNCFS: [LINUX + 306, 'fd'],
  MEMFD_CREATE: [LINUX + 319, 'name< flags'],
  COPY_FILE_RANGE: [LINUX + 326, 'in inoff<> out outoff<> len flags'],
  STATX: [LINUX + 332, 'dirfd path< flags mask statx>'],
  OPENAT2: [LINUX + 437, 'dirfd path< how< size'],
  CLOSE_RANGE: [LINUX + 436, 'first last flags'],
  // Sockets. A grant of length -1 (addr, buf, control): an operand that could not be read; its offset is the -errno to answer with.
  // addr>, value>: { u32 length; u32 pad; bytes }, the length is FS's to set. result>: { u64 control bytes; u32 flags }.
  SOCKET: [LINUX + 41, 'domain type protocol'],
  CONNECT: [LINUX + 42, 'fd addr<'],
  SEND: [LINUX + 44, 'fd flags buf< addr< control< piece'], // sendto, sendmsg, sendmmsg (one message each)
  RECV: [LINUX + 45, 'fd flags buf> addr> control> result> piece'], // recvfrom, recvmsg, recvmmsg
  SHUTDOWN: [LINUX + 48, 'fd how'],
  BIND: [LINUX + 49, 'fd addr<'],
  LISTEN: [LINUX + 50, 'fd backlog'],
  GETSOCKNAME: [LINUX + 51, 'fd addr>'],
  GETPEERNAME: [LINUX + 52, 'fd addr>'],
  SOCKETPAIR: [LINUX + 53, 'domain type protocol fds>'],
  SETSOCKOPT: [LINUX + 54, 'fd level name value< len'],
  GETSOCKOPT: [LINUX + 55, 'fd level name value>'],
  ACCEPT: [LINUX + 288, 'fd addr> flags'],
  NAME_TO_HANDLE: [LINUX + 303, 'dirfd path< handle<> mount> flags'],
  // -- from PM and VM, MACHINE and the container --
  /** From the container for the guest: the last bytes of its read could not be delivered. offset: READV's. */
  UNREAD: [MOL + 127, 'fd data< offset'],
  FORK: [MOL + 128, 'parent child flags'], // CLONE_FILES, CLONE_FS share, else copy
  EXIT: [MOL + 129, 'endpoint'], // close everything
  /** From the container for the guest: look `path` up for execution (x permission, regular, not nosuid rules) and open it.
   *  → handle of an internal open file (not in the fd table). Cell 1 of the reply: set-uid owner or -1; cell 2: set-gid owner or -1;
   *  cell 3: file size. EXECREAD reads from it, EXECMAP gives a host file handle for vmctl, EXECCLOSE drops it. */
  EXECOPEN: [MOL + 130, 'dirfd path< flags'],
  EXECREAD: [MOL + 131, 'handle buf> len offset'],
  EXECMAP: [MOL + 132, 'handle'], // reply cell 2: inode, cell 3: device, as MAP's
  EXECCLOSE: [MOL + 133, 'handle'],
  /** Full path of an exec handle as the guest would name it (for /proc/self/exe). Length. */
  EXECPATH: [MOL + 134, 'handle path>'],
  /** From PM at exec: close-on-exec, unshare the table; `handle`'s path becomes /proc/PID/exe. args: for /proc/PID/cmdline and environ. */
  EXECED: [MOL + 135, 'endpoint handle args< env<'],
  /** From VM: host file handle to map `fd` of `endpoint` with `prot` and `flags`; -EACCES, -ENODEV, … path: NUL-terminated, what /proc/PID/maps shows. Reply cell 1: bit 0 zero-fill device (map anonymous), bit 1 a shared mapping may be made writable later (file open for writing); cell 2: file id for /proc maps (inode); cell 3: device. */
  MAP: [MOL + 136, 'endpoint fd prot flags path>'],
  SETCRED: [MOL + 137, 'endpoint cred<'], // from PM whenever ids change; record as GETCRED's
  /** From MACHINE: a first process gets its table: fds 0–2 as `stdio` says (per fd one byte: 0 /dev/null, 1 tty, 2 + n stream n), cwd. */
  SPAWN: [MOL + 138, 'endpoint stdio< cwd<'],
  /** From TTY/STREAM drivers: see cdev.ts REPLY and READY. */
  /** From PM: timers for signalfd &c: signal set pending of endpoint changed. */
  SIGNALLED: [MOL + 139, 'endpoint'],
  /** From PM: the session leader `endpoint` got / lost a controlling terminal. */
  SETTTY: [MOL + 140, 'endpoint dev'],
  /** From PM: RLIMIT_FSIZE (1) or RLIMIT_NOFILE (7) of a process changed: soft limit, -1 = none. FORK copies limits by itself. */
  SETLIMIT: [MOL + 141, 'endpoint resource value'],
  /** From PM, about process descriptors: a new one of `endpoint`'s (state: PIDFD_STATE) → fd; what fd means → 2 × ref + 1 if it is
   *  non-blocking; the open file `fd` of `target` under a descriptor of `endpoint`'s → fd; a process has ended or been reaped. */
  PIDFD_OPEN: [MOL + 180, 'endpoint ref flags state'],
  PIDFD_REF: [MOL + 181, 'endpoint fd'],
  PIDFD_TAKE: [MOL + 182, 'endpoint target fd'],
  PIDFD_CHANGED: [MOL + 183, 'ref state'],
} as const
export const FS = numbers(fsCalls)
export const PIDFD_STATE = { ALIVE: 0, ENDED: 1, REAPED: 2 } as const
