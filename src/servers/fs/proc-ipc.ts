// /proc/sysvipc and the System V limits of /proc/sys/kernel: the ipc server's texts.
import { EP, setGrant, setInt, setLong, TYPE } from '../../abi/message.ts'
import { IPC, IPC_TEXT } from '../../protocol/ipc.ts'
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
