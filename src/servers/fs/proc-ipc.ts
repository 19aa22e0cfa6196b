// /proc/sysvipc and the System V limits of /proc/sys/kernel, which are the ipc server's texts, and /proc/sys/fs/mqueue.
import { E } from '../../abi/errno.ts'
import { EP, setGrant, setInt, setLong, TYPE } from '../../abi/message.ts'
import { IPC, IPC_TEXT } from '../../protocol/ipc.ts'
import { HARD_MSGMAX, HARD_MSGSIZEMAX, type MqueueFs } from './mqueuefs.ts'
import type { ProcFile, ProcTable } from './procfs.ts'
import type { FsState } from './state.ts'

function text(state: FsState, what: number): string {
  const { out, sys } = state
  let all = ''
  for (;;) {
    out[TYPE] = IPC.TEXT
    setInt(out, 0, what)
    setGrant(out, 1, sys.buffer, sys.bufferSize)
    setLong(out, 2, all.length)
    const n = sys.sendrec(EP.IPC, out)
    if (n <= 0) return all
    all += String.fromCharCode(...sys.mem.subarray(sys.buffer, sys.buffer + n))
    if (n < sys.bufferSize) return all
  }
}
function write(state: FsState, what: number, content: string): number {
  const { out, sys } = state
  const n = Math.min(content.length, sys.bufferSize)
  for (let i = 0; i < n; i++) sys.mem[sys.buffer + i] = content.charCodeAt(i)
  out[TYPE] = IPC.SETTEXT
  setInt(out, 0, what)
  setGrant(out, 1, sys.buffer, n)
  return sys.sendrec(EP.IPC, out)
}
function table(what: number): ProcFile {
  return { type: 'file', mode: 0o444, text: state => text(state, what) }
}
function limit(what: number): ProcFile {
  return {
    type: 'file',
    mode: 0o644,
    text: state => text(state, what),
    write: (state, _about, content) => write(state, what, content),
  }
}

export const sysvTable: ProcTable = { msg: table(IPC_TEXT.MSG), sem: table(IPC_TEXT.SEM), shm: table(IPC_TEXT.SHM) }
export const sysvLimits: ProcTable = {
  msgmax: limit(IPC_TEXT.MSGMAX),
  msgmnb: limit(IPC_TEXT.MSGMNB),
  msgmni: limit(IPC_TEXT.MSGMNI),
  sem: limit(IPC_TEXT.SEM_LIMITS),
  shmall: limit(IPC_TEXT.SHMALL),
  shmmax: limit(IPC_TEXT.SHMMAX),
  shmmni: limit(IPC_TEXT.SHMMNI),
}

/** A limit of message queues, and the least and the most it may be. */
function mqLimit(name: keyof MqueueFs['limits'], least: number, most: number): ProcFile {
  return {
    type: 'file',
    mode: 0o644,
    text: state => `${state.mqueue.limits[name]}\n`,
    write(state, _about, content) {
      const n = /^\s*\d{1,10}\s*$/.test(content) ? Number(content) : -1
      if (n < least || n > most) return -E.INVAL
      state.mqueue.limits[name] = n
      return 0
    },
  }
}
export const mqueueLimits: ProcTable = {
  msg_default: mqLimit('msg_default', 1, HARD_MSGMAX),
  msg_max: mqLimit('msg_max', 1, HARD_MSGMAX),
  msgsize_default: mqLimit('msgsize_default', 128, HARD_MSGSIZEMAX),
  msgsize_max: mqLimit('msgsize_max', 128, HARD_MSGSIZEMAX),
  queues_max: mqLimit('queues_max', 0, 2 ** 31 - 1),
}
