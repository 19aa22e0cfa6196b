// /proc/PID/mem: a process's memory as a file, whatever its pages' protection; positions are addresses. Ends early where nothing is mapped.
import { E } from '../../abi/errno.ts'
import { EP, type Message, NONE, setGrant, setInt, setLong, TYPE } from '../../abi/message.ts'
import { IMAGE, VM } from '../../protocol/vm.ts'
import type { FileOps, OpenFile } from './inode.ts'
import { type Found, rowOf } from './proc-process.ts'
import type { FsState } from './state.ts'

export function memOps(state: FsState): FileOps {
  const move = (type: number, file: OpenFile, at: number, len: number, position: number): number => {
    const { about } = file.inode as unknown as { about: Found }
    if (about.endpoint === NONE || rowOf(state, about) === undefined) return 0
    for (let done = 0; done < len; ) {
      const m = request(state, type, about)
      setLong(m, 1, position + done)
      setGrant(m, 2, at + done, len - done)
      const n = state.sys.sendrec(EP.VM, m)
      if (n <= 0) return done > 0 ? done : n
      done += n
    }
    return len
  }
  return {
    read: (file, at, len, position) => move(VM.PEEK, file, at, len, position),
    write: (file, at, len, position) => move(VM.POKE, file, at, len, position),
    seek: () => -E.INVAL, // no SEEK_DATA, no SEEK_HOLE
  }
}
/** The auxiliary vector its image began with. */
export function auxvOf(state: FsState, about: Found): Uint8Array {
  const { sys } = state
  const m = request(state, VM.IMAGE, about)
  setGrant(m, 1, sys.buffer, sys.bufferSize)
  const n = about.endpoint === NONE ? 0 : sys.sendrec(EP.VM, m)
  return sys.mem.slice(sys.buffer + IMAGE.BYTES, sys.buffer + Math.max(n, IMAGE.BYTES))
}
function request(state: FsState, type: number, about: Found): Message {
  const m = state.out
  m.fill(0)
  m[TYPE] = type
  setInt(m, 0, about.endpoint)
  return m
}
