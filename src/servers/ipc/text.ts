// What /proc/sysvipc and /proc/sys/kernel show of System V IPC (sysvipc_shm_proc_show and its like), for the file server.
import { E } from '../../abi/errno.ts'
import { EP, high, int, type Message, uint, ulong } from '../../abi/message.ts'
import type { CallVector } from '../../lib/server.ts'
import { IPC, IPC_TEXT } from '../../protocol/ipc.ts'
import { limitText, setLimits } from './limits.ts'
import type { Perm } from './perm.ts'
import { resident } from './shm.ts'
import type { IpcState } from './state.ts'

const SHM =
  '       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap\n'
const SEM = '       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n'
const MSG =
  '       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n'

/** Columns: [value, width]. */
function line(head: Perm, columns: readonly (readonly [value: number, width: number])[]): string {
  const start = `${pad(head.key, 10)} ${pad(head.id, 10)}  ${head.mode.toString(8).padStart(4)} `
  return `${start}${columns.map(([value, width]) => pad(value, width)).join(' ')}\n`
}
function pad(value: number, width: number): string {
  return String(value).padStart(width)
}
const owners = (one: Perm): [number, number][] => [[one.uid, 5], [one.gid, 5], [one.cuid, 5], [one.cgid, 5]]

const TABLES: Readonly<Record<number, (state: IpcState) => string>> = {
  [IPC_TEXT.SHM]: state =>
    SHM + state.segments.list().map(s =>
      line(s, [[s.bytes, 21], [s.cpid, 5], [s.lpid, 5], [s.attached, 6], ...owners(s), [s.atime, 10], [s.dtime, 10], [s.ctime, 10], [resident(state, s), 21], [0, 21]])).join(''),
  [IPC_TEXT.SEM]: state =>
    SEM + state.sets.list().map(s => line(s, [[s.values.length, 10], ...owners(s), [s.otime, 10], [s.ctime, 10]])).join(''),
  [IPC_TEXT.MSG]: state =>
    MSG + state.queues.list().map(q =>
      line(q, [[q.bytes, 10], [q.messages.length, 10], [q.lspid, 5], [q.lrpid, 5], ...owners(q), [q.stime, 10], [q.rtime, 10], [q.ctime, 10]])).join(''),
}

export function textCalls(state: IpcState): CallVector {
  const { limits, sys } = state

  function TEXT(m: Message, from: number): number {
    if (from !== EP.FS) return -E.PERM
    const what = int(m, 0)
    const text = TABLES[what]?.(state) ?? limitText(limits, what)
    if (text === undefined) return -E.INVAL
    const offset = Math.min(ulong(m, 2), text.length)
    const n = Math.min(high(m, 1), text.length - offset)
    for (let i = 0; i < n; i++) sys.mem[uint(m, 1) + i] = text.charCodeAt(offset + i)
    return n
  }
  function SETTEXT(m: Message, from: number): number {
    if (from !== EP.FS) return -E.PERM
    return setLimits(limits, int(m, 0), String.fromCharCode(...sys.mem.subarray(uint(m, 1), uint(m, 1) + Math.min(high(m, 1), 256))))
  }
  return { [IPC.TEXT]: TEXT, [IPC.SETTEXT]: SETTEXT }
}
