// What a thread waits in. /proc/PID/wchan: by the name of the function it would sleep in on Linux; PM knows of its own waits, our rows of
// ours; a call suspended elsewhere has no name. /proc/PID/syscall: by number and arguments, which its registers tell.
import { CONTEXT, PLACE, REGISTERS } from '../../abi/context.ts'
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

const ARGUMENTS = ['rdi', 'rsi', 'rdx', 'r10', 'r8', 'r9'] as const
/** The call with its arguments, stack pointer and program counter; -1 instead of a call for one stopped outside; or that it runs. */
export function syscallText(state: FsState, about: Found): string {
  const { sys } = state
  const at = sys.buffer
  if (sys.getContext(about.endpoint, at) < 0) return 'running\n'
  const word = (offset: number): string => `0x${sys.view.getBigUint64(offset, true).toString(16)}`
  const register = (name: (typeof REGISTERS)[number]): string => word(at + CONTEXT.REGS + 8 * REGISTERS.indexOf(name))
  const place = sys.view.getUint32(at + CONTEXT.PLACE, true)
  const call = sys.view.getInt32(at + CONTEXT.CALL, true)
  if (place === PLACE.RUNNING) return 'running\n'
  const where = `${register('rsp')} ${register('rip')}\n`
  return call < 0 ? `-1 ${where}` : `${call} ${ARGUMENTS.map(register).join(' ')} ${where}`
}
