// What /proc/PID shows of a process's memory: maps and its kin, mem, and what exec left there (cmdline, environ, auxv), which is read where
// the process keeps it, so that what it has changed shows. Where the host doesn't let us look, what exec gave is shown instead.
import { E } from '../../abi/errno.ts'
import { IMAGE, MAPS, VM } from '../../protocol/vm.ts'
import type { FileOps } from './inode.ts'
import { type Found, imageOf, isAlive, mayTrace, memory, memoryText, rowOf } from './proc-process.ts'
import type { FsState } from './state.ts'
import type { Tree, TreeFile, TreeInode } from './treefs.ts'

/** Most of an environment or argument list that is shown. */
const STRINGS_MAX = 4 << 20
const TITLE_MAX = 4096
const NOTHING = new Uint8Array(0)

function addresses(image: Uint8Array): (index: number) => number {
  const view = new DataView(image.buffer)
  return index => view.getUint32(8 * index, true) + view.getUint32(8 * index + 4, true) * 2 ** 32
}
/** Memory from `start` up to `end`, or null where it can't be read. */
function strings(state: FsState, about: Found, start: number, end: number): Uint8Array | null {
  if (start <= 0 || end <= start || end - start > STRINGS_MAX) return null
  const { sys } = state
  const out = new Uint8Array(end - start)
  for (let done = 0; done < out.length; ) {
    const n = memory(state, VM.PEEK, about, start + done, sys.buffer, Math.min(sys.bufferSize, out.length - done))
    if (n <= 0) return done === 0 ? null : out.subarray(0, done)
    out.set(sys.mem.subarray(sys.buffer, sys.buffer + n), done)
    done += n
  }
  return out
}
/** Arguments; if their last zero byte has been overwritten, a title the process gave itself (setproctitle(3)). */
function commandLine(state: FsState, about: Found): Uint8Array {
  const row = rowOf(state, about)
  const image = imageOf(state, about)
  if (row === undefined) return NOTHING
  if (image === null) return row.args
  const at = addresses(image)
  const args = strings(state, about, at(IMAGE.ARG_START), at(IMAGE.ARG_END))
  if (args === null) return row.args
  if (args[args.length - 1] === 0 || at(IMAGE.ENV_START) !== at(IMAGE.ARG_END)) return args
  const end = Math.min(at(IMAGE.ENV_END), at(IMAGE.ARG_START) + TITLE_MAX)
  const title = strings(state, about, at(IMAGE.ARG_START), end) ?? args
  const zero = title.indexOf(0)
  return zero < 0 ? title : title.subarray(0, zero + 1)
}
function environment(state: FsState, about: Found): Uint8Array {
  const row = rowOf(state, about)
  const image = imageOf(state, about)
  if (row === undefined) return NOTHING
  if (image === null) return row.env
  const at = addresses(image)
  return strings(state, about, at(IMAGE.ENV_START), at(IMAGE.ENV_END)) ?? row.env
}

// -- mem --

function subject(file: { inode: unknown }): Found {
  return (file.inode as TreeInode<Found>).about
}
/** Positions are addresses. Ends early where something isn't mapped. */
function memOps(state: FsState): FileOps {
  const transfer = (type: number, file: { inode: unknown }, at: number, len: number, position: number): number => {
    const about = subject(file)
    if (!isAlive(state, about) || rowOf(state, about) === undefined) return 0
    let done = 0
    while (done < len) {
      const n = memory(state, type, about, position + done, at + done, len - done)
      if (n <= 0) return done > 0 ? done : n
      done += n
    }
    return done
  }
  return {
    read: (file, at, len, position) => transfer(VM.PEEK, file, at, len, position),
    write: (file, at, len, position) => transfer(VM.POKE, file, at, len, position),
    seek: () => -E.INVAL,
  }
}

type Text = (state: FsState, about: Found) => string | Uint8Array | number
/** For who may trace the process. */
export function guarded(text: Text, mode = 0o400): TreeFile<Found> {
  return { type: 'file', mode, text, allow: mayTrace }
}
function regions(what: number): TreeFile<Found> {
  return guarded((state, about) => memoryText(state, about.endpoint, what), 0o444)
}

export function memoryTree(state: FsState): Tree<Found> {
  return {
    auxv: guarded((st, about) => imageOf(st, about)?.subarray(IMAGE.BYTES) ?? NOTHING),
    cmdline: { type: 'file', mode: 0o444, text: commandLine },
    environ: guarded(environment),
    maps: regions(MAPS.MAPS),
    mem: { type: 'file', mode: 0o600, ops: memOps(state), allow: mayTrace },
    smaps: regions(MAPS.SMAPS),
    smaps_rollup: regions(MAPS.ROLLUP),
    statm: { type: 'file', mode: 0o444, text: (st, about) => memoryText(st, about.endpoint, MAPS.STATM) || '0 0 0 0 0 0 0\n' },
  }
}
