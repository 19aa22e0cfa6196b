// execve, execveat, and the first image of a process, up to the point of no return (fs/exec.c, fs/binfmt_elf.c). The steps (t.step):
// gather the arguments out of guest memory; open and check the file, its scripts' interpreters and its ELF interpreter; the rest is
// image.ts: commit; map (as many rounds as the operation list needs); write the stack; set the registers.
//
// Invariant: nothing is changed before commit(): every error leaves the old program as it was.
import { E } from '../../abi/errno.ts'
import { AT } from '../../abi/fcntl.ts'
import { int, SLOT, SUSPEND, setGrant, setInt, setLong } from '../../abi/message.ts'
import { RLIMIT } from '../../abi/mman.ts'
import { FS } from '../../protocol/fs.ts'
import { ASK, PM } from '../../protocol/pm.ts'
import { type Gather, gather, newGather, takePrefetched } from './argv.ts'
import { stringBytes } from './auxv.ts'
import { type Elf, PHDR_BYTES, parseHeader, parseSegments } from './elf.ts'
import {
  BULK,
  build,
  bytesOf,
  call,
  close,
  commit,
  type Exec,
  imageOf,
  kill,
  SCRATCH,
  STEP,
  textOf,
  writeText,
} from './image.ts'
import { askLastWords, noteMarked } from './futexes.ts'
import { isScript, parseShebang } from './shebang.ts'
import { arg, argInt, type GuestThread, getU64, type LinuxContainer, type LocalCall, MORE, put64 } from './thread.ts'

/** A program to start in a process that has none: names and strings as bytes in latin1. The path is used as it is. */
export interface ImageRequest {
  readonly path: string
  readonly argv: readonly string[]
  readonly env: readonly string[]
}

const AT_EXECVE_CHECK = 0x10000
const SCRIPT_DEPTH = 5
/** Limits on arguments: fs/exec.c bprm_stack_limits. */
const ARG_MIN = 131072
const ARG_MAX = 6 << 20
const HEAD_BYTES = 4096
const RANDOM_BYTES = 32

export const execve: LocalCall = (c, t, failed) => (t.step === STEP.START ? begin(c, t, -1, 0) : advance(c, t, failed))
export const execveat: LocalCall = (c, t, failed) =>
  t.step === STEP.START ? begin(c, t, 0, argInt(t, 4)) : advance(c, t, failed)

/** Make `request` the first image of the process `t` is bound to. As a LocalCall's: RESUME, MORE (go on with continueImage), or -errno. */
export function startImage(c: LinuxContainer, t: GuestThread, request: ImageRequest): number {
  const x = newExec(AT.FDCWD, 0)
  x.name = request.path
  x.argv = request.argv.map(bytesOf)
  x.envp = request.env.map(bytesOf)
  t.local = x
  if (stringBytes(x.argv) + stringBytes(x.envp) + 8 * (x.argv.length + x.envp.length) > argumentLimit(c, t))
    return -E.TOOBIG
  return open(c, t, x, request.path)
}
export const continueImage: LocalCall = (c, t, failed) => advance(c, t, failed)

function newExec(dirfd: number, flags: number): Exec {
  const none = new Uint8Array(0)
  return {
    gather: null,
    dirfd,
    flags,
    name: '',
    byDescriptor: false,
    nameless: false,
    argv: [],
    envp: [],
    program: null,
    interpreter: null,
    setuid: -1,
    setgid: -1,
    random: none,
    steps: [],
    next: 0,
    stack: none,
    sp: 0,
    written: 0,
  }
}

function begin(c: LinuxContainer, t: GuestThread, dirArg: number, flags: number): number {
  if (flags & ~(AT.EMPTY_PATH | AT.SYMLINK_NOFOLLOW | AT_EXECVE_CHECK)) return -E.INVAL
  const first = dirArg + 1
  const x = newExec(dirArg < 0 ? AT.FDCWD : argInt(t, dirArg), flags)
  const path = arg(t, first)
  if (path === 0) return -E.FAULT
  x.gather = newGather(path, arg(t, first + 1), arg(t, first + 2), argumentLimit(c, t))
  const wrong = takePrefetched(t, x.gather, first)
  if (wrong < 0) return wrong
  t.local = x
  t.step = STEP.GATHER
  return advance(c, t, -1)
}

function advance(c: LinuxContainer, t: GuestThread, failed: number): number {
  const x = t.local as Exec
  if (t.step === STEP.GATHER) {
    const r = gather(t, x.gather as Gather)
    return r !== 0 ? r : gathered(c, t, x)
  }
  if (t.step === STEP.WORDS) {
    noteMarked(t)
    return leave(c, t, x)
  }
  if (failed >= 0) return kill(c, t, x)
  return build(c, t, x)
}

/** All arguments are in: the path decides what name the program goes by. */
function gathered(c: LinuxContainer, t: GuestThread, x: Exec): number {
  const g = x.gather as Gather
  x.gather = null
  x.argv = g.argv.strings
  x.envp = g.envp.strings
  const path = textOf(g.path)
  x.name = path
  x.byDescriptor = x.dirfd !== AT.FDCWD && path[0] !== '/'
  x.nameless = x.byDescriptor && path === ''
  if (x.byDescriptor) x.name = path === '' ? `/dev/fd/${x.dirfd}` : `/dev/fd/${x.dirfd}/${path}`
  const pointers = 8 * (Math.max(x.argv.length, 1) + x.envp.length)
  if (x.name.length + 1 + stringBytes(x.argv) + stringBytes(x.envp) + pointers > g.limit) return -E.TOOBIG
  return open(c, t, x, path)
}

// ---- before the point of no return ----

/** Most bytes arguments may take: a quarter of the stack limit, within Linux's bounds. */
function argumentLimit(c: LinuxContainer, t: GuestThread): number {
  const at = t.base + SCRATCH
  put64(t, at, -1)
  setInt(t.message, 0, RLIMIT.STACK)
  setGrant(t.message, 1, at, 16)
  const r = call(c, t, SLOT.PM, PM.GETRLIMIT)
  return Math.max(ARG_MIN, Math.min(ARG_MAX, r < 0 ? ARG_MAX : Math.floor(getU64(t, at) / 4)))
}

/** Find the program behind `path`, through scripts; check all of it; commit. An empty name inside a file means the working directory. */
function open(c: LinuxContainer, t: GuestThread, x: Exec, path: string): number {
  if (x.argv.length === 0) x.argv.push(new Uint8Array(0))
  let dirfd = x.dirfd
  let flags = x.flags & (AT.EMPTY_PATH | AT.SYMLINK_NOFOLLOW)
  let script = x.name
  for (let depth = 0; depth <= SCRIPT_DEPTH; depth++) {
    if (depth > 0 && path === '') return -E.ACCES
    const handle = openFile(c, t, dirfd, path, flags)
    if (handle < 0) return handle
    x.setuid = int(t.message, 1)
    x.setgid = int(t.message, 2)
    if (x.flags & AT_EXECVE_CHECK) return close(c, t, handle, 0)
    const head = read(c, t, handle, HEAD_BYTES, 0)
    if (typeof head === 'number') return close(c, t, handle, head)
    if (!isScript(head)) return load(c, t, x, handle, head)
    close(c, t, handle, 0)
    const line = parseShebang(head)
    if (typeof line === 'number') return line
    if (depth === 0 && gone(c, t, x)) return -E.NOENT
    x.argv.shift()
    x.argv.unshift(line.interpreter, ...(line.argument === null ? [] : [line.argument]), bytesOf(script))
    script = path = textOf(line.interpreter)
    dirfd = AT.FDCWD
    flags = 0
  }
  return -E.LOOP
}
/** A script opened by a descriptor that exec closes could never be read by its interpreter. */
function gone(c: LinuxContainer, t: GuestThread, x: Exec): boolean {
  if (!x.byDescriptor) return false
  setInt(t.message, 0, x.dirfd)
  setInt(t.message, 1, 1) // F_GETFD
  setInt(t.message, 2, 0)
  setGrant(t.message, 3, 0, 0)
  const r = call(c, t, SLOT.FS, FS.FCNTL)
  return r > 0 && (r & 1) === 1
}

function openFile(c: LinuxContainer, t: GuestThread, dirfd: number, path: string, flags: number): number {
  const at = t.base + BULK
  writeText(t, at, path)
  setInt(t.message, 0, dirfd)
  setGrant(t.message, 1, at, path.length)
  setInt(t.message, 2, flags)
  return call(c, t, SLOT.FS, FS.EXECOPEN)
}
/** Up to `bytes` bytes at `offset`, as a copy of our own. */
function read(c: LinuxContainer, t: GuestThread, handle: number, bytes: number, offset: number): Uint8Array | number {
  const at = t.base + BULK
  setInt(t.message, 0, handle)
  setGrant(t.message, 1, at, bytes)
  setInt(t.message, 2, bytes)
  setLong(t.message, 3, offset)
  const n = call(c, t, SLOT.FS, FS.EXECREAD)
  return n < 0 ? n : t.mem.slice(at, at + Math.min(n, bytes))
}

/** The file is the program itself: parse it and its interpreter, then commit. */
function load(c: LinuxContainer, t: GuestThread, x: Exec, handle: number, head: Uint8Array): number {
  const elf = parse(c, t, handle, head)
  if (typeof elf === 'number') return close(c, t, handle, elf)
  x.program = imageOf(handle, elf)
  if (elf.interpreter !== null) {
    const r = loadInterpreter(c, t, x, handle, elf.interpreter.offset, elf.interpreter.bytes)
    if (r < 0) return close(c, t, handle, r)
  }
  const random = t.base + SCRATCH
  setGrant(t.message, 0, random, RANDOM_BYTES)
  setInt(t.message, 1, RANDOM_BYTES)
  setInt(t.message, 2, 0)
  call(c, t, SLOT.PM, PM.GETRANDOM)
  x.random = t.mem.slice(random, random + RANDOM_BYTES)
  return leave(c, t, x)
}
/** Locks other processes share with this one go with the old image. */
function leave(c: LinuxContainer, t: GuestThread, x: Exec): number {
  t.step = STEP.WORDS
  const r = askLastWords(c, t)
  return r === ASK.LAST_WORDS ? MORE : r === SUSPEND ? r : commit(c, t, x)
}
function parse(c: LinuxContainer, t: GuestThread, handle: number, head: Uint8Array): Elf | number {
  const header = parseHeader(head)
  if (typeof header === 'number') return header
  const bytes = header.phnum * PHDR_BYTES
  if (header.phoff + bytes <= head.length) return parseSegments(header, head.subarray(header.phoff))
  if (header.phoff > 2 ** 52) return -E.NOEXEC
  const table = read(c, t, handle, bytes, header.phoff)
  return typeof table === 'number' ? table : parseSegments(header, table)
}
function loadInterpreter(
  c: LinuxContainer,
  t: GuestThread,
  x: Exec,
  program: number,
  offset: number,
  bytes: number,
): number {
  const name = read(c, t, program, bytes, offset)
  if (typeof name === 'number') return name
  if (name.length < bytes) return -E.IO
  if (name[bytes - 1] !== 0) return -E.NOEXEC
  const path = textOf(name.subarray(0, name.indexOf(0)))
  if (path === '') return -E.ACCES
  const handle = openFile(c, t, AT.FDCWD, path, 0)
  if (handle < 0) return handle
  const head = read(c, t, handle, HEAD_BYTES, 0)
  if (typeof head === 'number') return close(c, t, handle, head)
  if (head.length < 64) return close(c, t, handle, -E.IO)
  const elf = parse(c, t, handle, head)
  if (typeof elf === 'number') return close(c, t, handle, elf === -E.NOEXEC ? -E.LIBBAD : elf)
  x.interpreter = imageOf(handle, elf)
  return 0
}
