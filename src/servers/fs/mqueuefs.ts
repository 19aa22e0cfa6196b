// POSIX message queues as a file system (mq_overview(7); ipc/mqueue.c): one flat directory, a queue per name. mq_open finds queues here
// whether it is mounted or not; where it is mounted (/dev/mqueue) a queue's file says how it stands. Messages: mqueue.ts.
// Invariants: `messages` is ordered by priority, highest first, then by arrival; `claimed` is what all queues of a user may come to hold.
import { E } from '../../abi/errno.ts'
import { CAP, S } from '../../abi/fcntl.ts'
import { slotOf } from '../../abi/message.ts'
import { POLL } from '../../abi/poll.ts'
import type { Credentials, FileOps, FileTable, FsType, Inode, Stat, WaitQueue } from './inode.ts'
import { hasCapability } from './permission.ts'
import type { FsState } from './state.ts'

const MQUEUE_MAGIC = 0x19800202
const NAME_MAX = 255
const DIRENT_BYTES = 20
const FILE_BYTES = 80
const DT_REG = 8
const DT_DIR = 4
/** Above the limits, for CAP_SYS_RESOURCE. A message passes the data window whole. */
export const HARD_MSGMAX = 65536
export const HARD_MSGSIZEMAX = 65536
/** sizeof(struct msg_msg), sizeof(struct posix_msg_tree_node), and how many of these at most. */
const MSG_BYTES = 48
const NODE_BYTES = 48
export const PRIO_MAX = 32768

export const SIGEV = { SIGNAL: 0, NONE: 1, THREAD: 2 } as const

export interface MqMessage {
  readonly priority: number
  readonly bytes: Uint8Array
}
/** Who is told when a message comes to the empty queue. Ends when its process closes any descriptor of the queue. */
export interface MqNotify {
  readonly table: FileTable
  readonly pid: number
  readonly how: number
  readonly signo: number
  /** sigev_value, low and high word. */
  readonly value: readonly [number, number]
}
export interface MqAttr {
  readonly maxmsg: number
  readonly msgsize: number
}

export class Queue implements Inode, WaitQueue {
  readonly fs: FsType
  readonly ino: number
  mode: number
  uid: number
  gid: number
  readonly rdev = 0
  refs = 0
  covered: Inode | null = null
  linked = true
  atime: number
  mtime: number
  ctime: number
  readonly attr: MqAttr
  readonly messages: MqMessage[] = []
  bytes = 0
  notify: MqNotify | null = null
  /** Process-table slots of those who wait to send and to receive, in order of arrival. */
  readonly senders: number[] = []
  readonly receivers: number[] = []
  /** poll's. */
  waiters: number[] = []
  /** Whose limit it counts towards, and by how much. */
  readonly owner: number
  readonly claim: number

  constructor(fs: FsType, ino: number, mode: number, uid: number, gid: number, now: number, attr: MqAttr, owner: number) {
    this.fs = fs
    this.ino = ino
    this.mode = mode
    this.uid = uid
    this.gid = gid
    this.atime = this.mtime = this.ctime = now
    this.attr = attr
    this.owner = owner
    this.claim = claimOf(attr)
  }
}
function claimOf({ maxmsg, msgsize }: MqAttr): number {
  return maxmsg * msgsize + maxmsg * MSG_BYTES + Math.min(maxmsg, PRIO_MAX) * NODE_BYTES
}

export class MqueueFs implements FsType {
  readonly name = 'mqueue'
  readonly dev: number
  readonly readOnly = false
  readonly root: Inode
  /** /proc/sys/fs/mqueue. */
  readonly limits = { queues_max: 256, msg_max: 10, msgsize_max: 8192, msg_default: 10, msgsize_default: 8192 }
  private readonly queues = new Map<string, Queue>()
  private readonly claimed = new Map<number, number>()
  /** Queues that are, named or still open. */
  private count = 0
  private ino = 2
  private changed: number

  /** What can be done with a queue's descriptor: set by mqueue.ts. */
  ops: FileOps = { read: () => -E.BADF, write: () => -E.BADF }

  constructor(
    private readonly state: FsState,
    dev: number,
  ) {
    this.dev = dev
    this.changed = state.sys.realtime()
    this.root = { fs: this, ino: 1, mode: S.IFDIR | 0o1777, uid: 0, gid: 0, rdev: 0, refs: 1, covered: null }
  }

  find(name: string): Queue | undefined {
    return this.queues.get(name)
  }
  /** A queue under a free name. attr: null for the defaults. */
  make(name: string, mode: number, cred: Credentials, gid: number, attr: MqAttr | null, limit: number): Queue | number {
    const { limits } = this
    if (name.length > NAME_MAX) return -E.NAMETOOLONG
    const mighty = hasCapability(cred, CAP.SYS_RESOURCE)
    if (this.count >= limits.queues_max && !mighty) return -E.NOSPC
    const { maxmsg, msgsize } = attr ?? {
      maxmsg: Math.min(limits.msg_max, limits.msg_default),
      msgsize: Math.min(limits.msgsize_max, limits.msgsize_default),
    }
    if (maxmsg <= 0 || msgsize <= 0) return -E.INVAL
    if (maxmsg > (mighty ? HARD_MSGMAX : limits.msg_max)) return -E.INVAL
    if (msgsize > (mighty ? HARD_MSGSIZEMAX : limits.msgsize_max)) return -E.INVAL
    const claimed = this.claimed.get(cred.uid) ?? 0
    if (claimed + claimOf({ maxmsg, msgsize }) > limit) return -E.MFILE
    const now = this.state.sys.realtime()
    const queue = new Queue(this, this.ino++, S.IFREG | (mode & 0o7777), cred.fsuid, gid, now, { maxmsg, msgsize }, cred.uid)
    this.claimed.set(cred.uid, claimed + queue.claim)
    this.count++
    this.queues.set(name, queue)
    this.changed = now
    return queue
  }
  forget(inode: Inode): void {
    const queue = inode as Queue
    if (inode === this.root || queue.linked) return
    this.count--
    const rest = (this.claimed.get(queue.owner) ?? 0) - queue.claim
    if (rest > 0) this.claimed.set(queue.owner, rest)
    else this.claimed.delete(queue.owner)
    queue.messages.length = 0
  }

  lookup(_dir: Inode, name: string): Inode | number {
    if (name === '..') return this.root
    if (name.length > NAME_MAX) return -E.NAMETOOLONG
    return this.queues.get(name) ?? -E.NOENT
  }
  /** open(2) with O_CREAT: a queue with the defaults. */
  create(_dir: Inode, name: string, mode: number, _uid: number, gid: number): Inode | number {
    const fproc = this.state.fprocs[slotOf(this.state.current)]
    if (fproc === undefined || (mode & S.IFMT) !== S.IFREG) return -E.PERM
    return this.make(name, mode, fproc.cred, gid, null, fproc.msgqueue)
  }
  unlink(_dir: Inode, name: string): number {
    const queue = this.queues.get(name)
    if (queue === undefined) return -E.NOENT
    this.queues.delete(name)
    this.changed = queue.ctime = this.state.sys.realtime()
    queue.linked = false
    if (queue.refs === 0) this.forget(queue)
    return 0
  }
  mkdir = (): number => -E.PERM
  symlink = (): number => -E.PERM
  link = (): number => -E.PERM
  rmdir = (): number => -E.PERM
  rename = (): number => -E.PERM
  readlink = (): number => -E.INVAL

  getattr(inode: Inode, out: Stat): number {
    const queue = inode === this.root ? null : (inode as Queue)
    out.dev = this.dev
    out.ino = inode.ino
    out.mode = inode.mode
    out.nlink = queue === null ? 2 : queue.linked ? 1 : 0
    out.uid = inode.uid
    out.gid = inode.gid
    out.rdev = 0
    out.size = queue === null ? DIRENT_BYTES * (2 + this.queues.size) : FILE_BYTES
    out.blksize = 4096
    out.blocks = 0
    setTime(out, 'atime', queue?.atime ?? this.changed)
    setTime(out, 'mtime', queue?.mtime ?? this.changed)
    setTime(out, 'ctime', queue?.ctime ?? this.changed)
    setTime(out, 'btime', 0)
    return 0
  }
  setattr(inode: Inode, change: { mode?: number; uid?: number; gid?: number; size?: number }): number {
    if (change.mode !== undefined) inode.mode = (inode.mode & S.IFMT) | (change.mode & 0o7777)
    if (change.uid !== undefined) inode.uid = change.uid
    if (change.gid !== undefined) inode.gid = change.gid
    return 0
  }
  readdir(_dir: Inode, from: number, emit: (name: string, ino: number, dtype: number, next: number) => boolean): number {
    const names = ['.', '..', ...this.queues.keys()]
    for (let i = from; i < names.length; i++) {
      const name = names[i] as string
      const ino = i < 2 ? 1 : (this.queues.get(name) as Queue).ino
      if (!emit(name, ino, i < 2 ? DT_DIR : DT_REG, i + 1)) return 0
    }
    return 0
  }
  open(): FileOps {
    return this.ops
  }
  statfs(): ReturnType<FsType['statfs']> {
    return { type: MQUEUE_MAGIC, bsize: 4096, blocks: 0, bfree: 0, files: 0, ffree: 0, namelen: NAME_MAX }
  }
}
function setTime(out: Stat, field: 'atime' | 'mtime' | 'ctime' | 'btime', ms: number): void {
  out[field] = Math.floor(ms / 1000)
  out[`${field}Ns`] = Math.floor((ms % 1000) * 1e6)
}

/** What reading a queue's file gives. */
export function queueText({ bytes, notify }: Queue): string {
  const signo = notify?.how === SIGEV.SIGNAL ? notify.signo : 0
  const pad = (n: number, width: number): string => String(n).padEnd(width)
  return `QSIZE:${pad(bytes, 10)} NOTIFY:${pad(notify?.how ?? 0, 5)} SIGNO:${pad(signo, 5)} NOTIFY_PID:${pad(notify?.pid ?? 0, 6)}\n`
}
export function queueEvents({ messages, attr }: Queue): number {
  return (messages.length > 0 ? POLL.IN | POLL.RDNORM : 0) | (messages.length < attr.maxmsg ? POLL.OUT | POLL.WRNORM : 0)
}
