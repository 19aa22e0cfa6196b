// /proc/PID/wchan: what a thread waits in, by the name of the function it would sleep in on Linux. PM knows of its own waits, our rows of
// ours; a call suspended elsewhere has no name.
import { major, S } from '../../abi/fcntl.ts'
import { MAJOR } from '../../protocol/cdev.ts'
import type { Found } from './proc-process.ts'
import type { ProcRecord } from './proc-record.ts'
import { type FsState, WAIT, waiting } from './state.ts'

/** By WAITING of PM's mproc.ts. */
const PM_WAITS = ['', 'do_wait', 'sigsuspend', 'do_sigtimedwait', 'hrtimer_nanosleep', 'kernel_clone', 'do_signal_stop', 'futex_do_wait']
const FS_WAITS: Readonly<Record<number, string>> = {
  [WAIT.FIFO]: 'wait_for_partner',
  [WAIT.POLL]: 'poll_schedule_timeout',
  [WAIT.SELECT]: 'poll_schedule_timeout',
  [WAIT.EPOLL]: 'do_epoll_wait',
  [WAIT.FLOCK]: 'locks_lock_inode_wait',
  [WAIT.LOCK]: 'fcntl_setlk',
  [WAIT.SPLICE]: 'splice_file_to_pipe',
}

/** '0' when it runs. */
export function whereItWaits(state: FsState, about: Found, p: ProcRecord): string {
  if (p.state === 'R' || p.state === 'Z') return '0'
  const own = PM_WAITS[p.waiting] ?? ''
  if (own !== '') return own
  const row = waiting(state, about.endpoint)
  if (row === undefined) return p.state === 'T' ? 'do_signal_stop' : '0'
  const known = FS_WAITS[row.kind]
  if (known !== undefined || row.file === null) return known ?? '0'
  const { mode, rdev } = row.file.inode
  if ((mode & S.IFMT) === S.IFCHR && major(rdev) !== MAJOR.STREAM) return 'n_tty_read'
  if ((mode & S.IFMT) === S.IFIFO) return 'anon_pipe_read'
  return (mode & S.IFMT) === S.IFSOCK ? 'sk_wait_data' : 'wait_woken'
}
