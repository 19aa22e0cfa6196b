// exec from the point of no return on: the old image is given up, the new one mapped through VM, its stack written, its registers set.
// Goes as far in one round as the thread's operation list takes (MORE); a failure kills the process, as in Linux.
//
// Invariant: everything that may be refused has been checked (exec.ts); `t` is the new image's thread from commit() on.
import { BULK_BYTES, CH, DATA_OFF, OP, REG } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { SLOT, SUSPEND, setGrant, setInt, setLong, TYPE, ulong } from '../../abi/message.ts'
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE, PAGE } from '../../abi/mman.ts'
import { FS } from '../../protocol/fs.ts'
import { CRED_BYTES, PM } from '../../protocol/pm.ts'
import { IMAGE, VM } from '../../protocol/vm.ts'
import type { Gather } from './argv.ts'
import { buildStack, type Stack, stringBytes } from './auxv.ts'
import { codeAndData, DYN_BASE, dynBias, type Elf, planSegments, type Step } from './elf.ts'
import { type GuestThread, type LinuxContainer, MORE, opsLeft, pushOp, put64, RESUME, setReg } from './thread.ts'

/** An open executable or interpreter: FS's exec handle and what it parsed to. */
export interface Image {
  readonly handle: number
  readonly elf: Elf
  bias: number
  /** Host file handle, and where its record for EXECMAP lies in the arena. */
  host: number
  record: number
  recordBytes: number
}
export interface Exec {
  gather: Gather | null
  readonly dirfd: number
  readonly flags: number
  /** The name as called (AT_EXECFN), latin1; made up when the file was given by a descriptor. */
  name: string
  byDescriptor: boolean
  /** By a descriptor alone: no path was given. */
  nameless: boolean
  argv: Uint8Array[]
  envp: Uint8Array[]
  program: Image | null
  interpreter: Image | null
  setuid: number
  setgid: number
  random: Uint8Array
  /** What is still to be mapped: steps of the program, then of the interpreter. */
  steps: { image: Image; step: Step }[]
  next: number
  stack: Uint8Array
  sp: number
  written: number
}

/** Where a finished image has its environment: behind the arguments on its stack. */
export function environmentOf(x: Exec): number {
  return x.sp + 8 * (x.argv.length + 2)
}

export const STEP = { START: 0, GATHER: 1, WORDS: 2, BUILD: 3, STACK: 4, DONE: 5 } as const
/** How the window is used: bulk data from its start, file records and small answers behind it. */
export const BULK = DATA_OFF
const SMALL = DATA_OFF + BULK_BYTES
const RECORD = 0x1400
export const SCRATCH = SMALL + 2 * RECORD
/** Segment selectors of 64-bit user code. */
const USER_CS = 0x33
const USER_DS = 0x2b
const SIGSEGV = 11
const SI_KERNEL = 0x80
const COMM = 15
/** Operations one EXECMAP may become. */
const MAP_OPS = 4

// ---- talking to servers ----

export function call(c: LinuxContainer, t: GuestThread, slot: number, type: number): number {
  t.message[TYPE] = type
  return c.kernel.call(t.proc, slot)
}

/** Close an exec handle; `result` for the caller to return. */
export function close(c: LinuxContainer, t: GuestThread, handle: number, result: number): number {
  setInt(t.message, 0, handle)
  call(c, t, SLOT.FS, FS.EXECCLOSE)
  return result
}
export function imageOf(handle: number, elf: Elf): Image {
  return { handle, elf, bias: 0, host: -1, record: 0, recordBytes: 0 }
}
// ---- the point of no return ----

/** Give up the old image. A host process for the new one comes first: it is the last thing that may still be refused. */
export function commit(c: LinuxContainer, old: GuestThread, x: Exec): number {
  const t = c.imageThread(old)
  if (t === old && t.nops === 0) {
    closeAll(c, t, x)
    return -E.NOMEM
  }
  if (t !== old) {
    t.nops = 0
    pushOp(t, OP.RESET)
  }
  t.local = x
  setInt(t.message, 0, c.kernel.endpoint(t.proc))
  call(c, t, SLOT.VM, VM.EXECNEW)
  tellManager(c, t, x)
  tellFiles(c, t, x)
  t.step = STEP.BUILD
  if (!place(c, t, x)) return kill(c, t, x)
  return build(c, t, x)
}

function tellManager(c: LinuxContainer, t: GuestThread, x: Exec): void {
  const path = t.base + BULK
  const comm = commOf(c, t, x)
  writeText(t, path, x.name)
  writeText(t, path + 4096, comm)
  setInt(t.message, 0, x.setuid)
  setInt(t.message, 1, x.setgid)
  setInt(t.message, 2, x.setuid < 0 && x.setgid < 0 ? 1 : 0)
  setGrant(t.message, 3, path + 4096, comm.length)
  setGrant(t.message, 4, path, Math.min(x.name.length, 4096))
  call(c, t, SLOT.PM, PM.EXEC)
}
/** What the program is called: the file name it was called by; given by a descriptor alone, the file's own (since Linux 6.14). */
function commOf(c: LinuxContainer, t: GuestThread, x: Exec): string {
  let path = x.name
  if (x.nameless) {
    const at = t.base + BULK
    setInt(t.message, 0, (x.program as Image).handle)
    setGrant(t.message, 1, at, BULK_BYTES)
    const n = call(c, t, SLOT.FS, FS.EXECPATH)
    path = textOf(t.mem.subarray(at, at + Math.max(0, n)))
  }
  return path.slice(path.lastIndexOf('/') + 1).slice(0, COMM)
}
/** Close-on-exec, and what /proc shows: as much of the arguments as the window holds. */
function tellFiles(c: LinuxContainer, t: GuestThread, x: Exec): void {
  const half = BULK_BYTES / 2
  const args = t.base + BULK
  setInt(t.message, 0, c.kernel.endpoint(t.proc))
  setInt(t.message, 1, (x.program as Image).handle)
  setGrant(t.message, 2, args, writeStrings(t, args, half, x.argv))
  setGrant(t.message, 3, args + half, writeStrings(t, args + half, half, x.envp))
  call(c, t, SLOT.FS, FS.EXECED)
}

/** Decide where everything goes and what has to be done. False when the image can't be. */
function place(c: LinuxContainer, t: GuestThread, x: Exec): boolean {
  const program = x.program as Image
  const random = new DataView(x.random.buffer)
  if (program.elf.header.dynamic) {
    program.bias =
      x.interpreter !== null ? dynBias(program.elf, random.getUint32(16, true) % 2 ** 28) : freePlace(c, t, program)
  }
  if (!schedule(c, t, x, program, 0)) return false
  if (x.interpreter === null) return true
  x.interpreter.bias = x.interpreter.elf.header.dynamic ? freePlace(c, t, x.interpreter) : 0
  return schedule(c, t, x, x.interpreter, 1)
}
/** Bias that puts an image near the top of the address space. */
function freePlace(c: LinuxContainer, t: GuestThread, image: Image): number {
  const { low, high, alignment } = image.elf
  setLong(t.message, 0, high - low)
  setLong(t.message, 1, alignment)
  const address = call(c, t, SLOT.VM, VM.EXECPLACE)
  return address - low
}
function schedule(c: LinuxContainer, t: GuestThread, x: Exec, image: Image, which: number): boolean {
  const steps = planSegments(image.elf, image.bias)
  if (typeof steps === 'number') return false
  for (const step of steps) x.steps.push({ image, step })
  const record = t.base + SMALL + which * RECORD
  setInt(t.message, 0, image.handle)
  setGrant(t.message, 1, record + 16, 4096)
  const length = call(c, t, SLOT.FS, FS.EXECPATH)
  setInt(t.message, 0, image.handle)
  image.host = call(c, t, SLOT.FS, FS.EXECMAP)
  if (image.host < 0) return false
  put64(t, record, ulong(t.message, 3))
  put64(t, record + 8, ulong(t.message, 2))
  image.record = record
  image.recordBytes = 16 + Math.min(Math.max(length, 0), 4096)
  return true
}

/** Memory, then the stack, then the registers: as far as this round's operation list goes. */
export function build(c: LinuxContainer, t: GuestThread, x: Exec): number {
  for (; x.next < x.steps.length; x.next++) {
    if (opsLeft(t) < MAP_OPS) return MORE
    const { image, step } = x.steps[x.next] as { image: Image; step: Step }
    if (step.kind === 'zero') pushOp(t, OP.ZERO, step.address, step.length)
    else if (map(c, t, step, step.kind === 'file' ? image : null) < 0) return kill(c, t, x)
  }
  if (t.step === STEP.BUILD) {
    if (opsLeft(t) < 2 * MAP_OPS) return MORE
    if (!makeStack(c, t, x)) return kill(c, t, x)
    t.step = STEP.STACK
  }
  return finish(c, t, x)
}
function map(c: LinuxContainer, t: GuestThread, s: Step, image: Image | null): number {
  const m = t.message
  setLong(m, 0, s.address)
  setLong(m, 1, s.length)
  setInt(m, 2, s.prot)
  setInt(m, 3, MAP_PRIVATE | MAP_FIXED | (image === null ? MAP_ANONYMOUS : 0))
  setInt(m, 4, image === null ? -1 : image.host)
  setLong(m, 5, s.offset)
  setGrant(m, 6, image === null ? 0 : image.record, image === null ? 0 : image.recordBytes)
  return call(c, t, SLOT.VM, VM.EXECMAP)
}

/** Heap start and stack region, and the stack's first contents. */
function makeStack(c: LinuxContainer, t: GuestThread, x: Exec): boolean {
  const program = x.program as Image
  const { elf, bias } = program
  // a program without interpreter lies among the mappings near the top: its heap goes where programs usually are
  const alone = elf.header.dynamic && x.interpreter === null
  setLong(t.message, 0, alone ? DYN_BASE : elf.high + bias)
  if (call(c, t, SLOT.VM, VM.EXECBRK) < 0) return false
  const name = bytesOf(x.name)
  const size = stringBytes(x.argv) + stringBytes(x.envp) + 8 * (x.argv.length + x.envp.length) + name.length + 2 * PAGE
  setLong(t.message, 0, size)
  setInt(t.message, 1, elf.stackExecutable ? 4 : 0)
  const top = call(c, t, SLOT.VM, VM.EXECSTACK)
  if (top < 0) return false
  const cred = t.base + SCRATCH
  setInt(t.message, 0, c.kernel.endpoint(t.proc))
  setGrant(t.message, 1, cred, CRED_BYTES)
  if (call(c, t, SLOT.PM, PM.GETCRED) < 0) return false
  const id = (k: number): number => t.u32[(cred + k * 4) >> 2] as number
  const entry = elf.header.entry + bias
  const facts = {
    phdr: elf.phdr === 0 ? 0 : elf.phdr + bias,
    phnum: elf.header.phnum,
    base: x.interpreter === null ? 0 : x.interpreter.bias,
    entry,
    uid: id(0),
    euid: id(1),
    gid: id(4),
    egid: id(5),
    secure: id(0) !== id(1) || id(4) !== id(5),
    hwcap: c.hwcap,
    hwcap2: c.hwcap2 ?? 0,
    minSigStack: c.minSigStack ?? 2048,
    clockTick: c.clockTick,
  }
  const shift = new DataView(x.random.buffer).getUint32(20, true) % 8192
  const stack = buildStack(top, x.argv, x.envp, name, x.random, shift, facts)
  x.stack = stack.bytes
  x.sp = stack.sp
  x.written = 0
  tellImage(c, t, stack, program)
  return true
}
/** What /proc shows of the image. */
function tellImage(c: LinuxContainer, t: GuestThread, stack: Stack, { elf, bias }: Image): void {
  const at = t.base + SCRATCH
  const { startCode, endCode, startData, endData } = codeAndData(elf)
  const words = [startCode + bias, endCode + bias, startData + bias, endData + bias, stack.sp, stack.args, stack.env, stack.env, stack.end]
  words.forEach((word, i) => {
    put64(t, at + 8 * i, word)
  })
  put64(t, at + 8 * IMAGE.START_BRK, 0) // VM knows
  t.mem.set(stack.auxv, at + IMAGE.BYTES)
  setGrant(t.message, 0, at, IMAGE.BYTES + stack.auxv.length)
  call(c, t, SLOT.VM, VM.EXECIMAGE)
}

/** Write the stack through the window, in chunks; with the last one goes the rest. */
function finish(c: LinuxContainer, t: GuestThread, x: Exec): number {
  const n = Math.min(BULK_BYTES, x.stack.length - x.written)
  if (opsLeft(t) < 3) return MORE
  t.mem.set(x.stack.subarray(x.written, x.written + n), t.base + BULK)
  pushOp(t, OP.COPYOUT, x.sp + x.written, BULK, n)
  x.written += n
  if (x.written < x.stack.length) return MORE
  pushOp(t, OP.SETFS, 0)
  for (let o = CH.REGS; o < CH.FSBASE; o += 8) put64(t, t.base + o, 0)
  const first = x.interpreter ?? (x.program as Image)
  setReg(t, REG.RIP, first.elf.header.entry + first.bias)
  setReg(t, REG.RSP, x.sp)
  setReg(t, REG.EFL, 0x202)
  t.u32[(t.base + CH.REGS + REG.CSGSFS * 8) >> 2] = USER_CS
  t.u32[(t.base + CH.REGS + REG.CSGSFS * 8 + 4) >> 2] = USER_DS << 16
  closeAll(c, t, x)
  t.step = STEP.DONE
  return RESUME
}

function closeAll(c: LinuxContainer, t: GuestThread, x: Exec): void {
  if (x.program !== null) close(c, t, x.program.handle, 0)
  if (x.interpreter !== null) close(c, t, x.interpreter.handle, 0)
  x.program = null
  x.interpreter = null
}

/** Too late for an error: the process ends as by a SIGSEGV. */
export function kill(c: LinuxContainer, t: GuestThread, x: Exec): number {
  closeAll(c, t, x)
  t.nops = 0
  setInt(t.message, 0, SIGSEGV)
  setInt(t.message, 1, SI_KERNEL)
  setLong(t.message, 2, 0)
  setInt(t.message, 3, 0)
  call(c, t, SLOT.PM, PM.FAULT)
  return SUSPEND
}

// ---- bytes ----

export function textOf(bytes: Uint8Array): string {
  let text = ''
  for (const b of bytes) text += String.fromCharCode(b)
  return text
}
export function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i)
  return bytes
}
export function writeText(t: GuestThread, at: number, text: string): void {
  for (let i = 0; i < text.length; i++) t.mem[at + i] = text.charCodeAt(i)
}
/** NUL-terminated, one after the other, as many bytes as there is room for. → bytes */
function writeStrings(t: GuestThread, at: number, room: number, list: readonly Uint8Array[]): number {
  let n = 0
  for (const s of list) {
    t.mem.set(s.subarray(0, room - n), at + n)
    n += s.length
    if (n >= room) return room
    t.mem[at + n++] = 0
  }
  return n
}
