// ELF-64 executables and interpreters: what a file asks for, and what has to be mapped for it. Pure functions over bytes: a file is
// untrusted, so nothing here throws, and no plan reaches outside [MAP_MIN, GUEST_END). Rules and errors are those of Linux's
// fs/binfmt_elf.c; see elf(5) for the structures.
import { GUEST_END } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { PAGE, PROT_EXEC, PROT_READ, PROT_WRITE } from '../../abi/mman.ts'

export const EHDR_BYTES = 64
export const PHDR_BYTES = 56
/** Where an ET_DYN program with an interpreter goes, before randomisation (ELF_ET_DYN_BASE: two thirds of the address space). */
export const DYN_BASE = 0x555555554000
/** vm.mmap_min_addr */
const MAP_MIN = 0x10000
const ET_EXEC = 2
const ET_DYN = 3
const EM_X86_64 = 62
const PT_LOAD = 1
const PT_INTERP = 3
const PT_GNU_STACK = 0x6474e551
const PHDRS_MAX = 65536
const INTERP_MAX = 4096

/** The file header: enough to read the program headers. */
export interface ElfHeader {
  readonly dynamic: boolean
  readonly entry: number
  readonly phoff: number
  readonly phnum: number
}
export interface Segment {
  readonly address: number
  readonly memory: number
  readonly file: number
  readonly offset: number
  readonly prot: number
}
export interface Elf {
  readonly header: ElfHeader
  readonly segments: readonly Segment[]
  /** Where the interpreter's name lies in the file, NUL included. */
  readonly interpreter: { readonly offset: number; readonly bytes: number } | null
  readonly stackExecutable: boolean
  /** Address of the program headers in memory (before bias), 0 when no segment holds them. */
  readonly phdr: number
  /** Whole pages all segments lie in, and the strictest alignment they ask for. */
  readonly low: number
  readonly high: number
  readonly alignment: number
  /** A segment is impossible: Linux finds out only after the old program is gone, and kills. */
  readonly broken: boolean
}
/** One thing to do to memory. FILE maps the file at `offset`, ZERO clears bytes of a page mapped before, MEMORY maps zeroed pages. */
export interface Step {
  readonly kind: 'file' | 'zero' | 'memory'
  readonly address: number
  readonly length: number
  readonly prot: number
  readonly offset: number
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
/** u64 as a double: exact below 2^53, and anything above is far outside the guest's range anyway. */
function u64(v: DataView, at: number): number {
  return v.getUint32(at, true) + v.getUint32(at + 4, true) * 4294967296
}
function down(n: number): number {
  return n - (n % PAGE)
}
function up(n: number): number {
  return Math.ceil(n / PAGE) * PAGE
}

/** The header in the first bytes of a file, or -ENOEXEC. */
export function parseHeader(bytes: Uint8Array): ElfHeader | number {
  if (bytes.length < EHDR_BYTES) return -E.NOEXEC
  const v = viewOf(bytes)
  if (v.getUint32(0, false) !== 0x7f454c46) return -E.NOEXEC
  if (bytes[4] !== 2 || bytes[5] !== 1) return -E.NOEXEC // not 64-bit, not little-endian
  const type = v.getUint16(16, true)
  if ((type !== ET_EXEC && type !== ET_DYN) || v.getUint16(18, true) !== EM_X86_64) return -E.NOEXEC
  const phnum = v.getUint16(56, true)
  if (v.getUint16(54, true) !== PHDR_BYTES || phnum === 0 || phnum * PHDR_BYTES > PHDRS_MAX) return -E.NOEXEC
  return { dynamic: type === ET_DYN, entry: u64(v, 24), phoff: u64(v, 32), phnum }
}

/** The program headers, given the bytes at header.phoff; -ENOEXEC when there are too few or the interpreter's name can't be one. */
export function parseSegments(header: ElfHeader, bytes: Uint8Array): Elf | number {
  if (bytes.length < header.phnum * PHDR_BYTES) return -E.NOEXEC
  const v = viewOf(bytes)
  const segments: Segment[] = []
  let interpreter: Elf['interpreter'] = null
  let stackExecutable = false
  let phdr = 0
  let low = Number.POSITIVE_INFINITY
  let high = 0
  let alignment = PAGE
  let broken = false
  for (let at = 0; at < header.phnum * PHDR_BYTES; at += PHDR_BYTES) {
    const type = v.getUint32(at, true)
    const flags = v.getUint32(at + 4, true)
    const file = u64(v, at + 32)
    const offset = u64(v, at + 8)
    if (type === PT_GNU_STACK) stackExecutable = (flags & 1) !== 0
    else if (type === PT_INTERP && interpreter === null) {
      if (file < 2 || file > INTERP_MAX) return -E.NOEXEC
      interpreter = { offset, bytes: file }
    } else if (type === PT_LOAD) {
      const s = { address: u64(v, at + 16), memory: u64(v, at + 40), file, offset, prot: protOf(flags) }
      broken ||= impossible(s)
      segments.push(s)
      low = Math.min(low, down(s.address))
      high = Math.max(high, s.address + s.memory)
      alignment = Math.max(alignment, powerOfTwo(u64(v, at + 48)))
      if (phdr === 0 && offset <= header.phoff && header.phoff < offset + file) phdr = header.phoff - offset + s.address
    }
  }
  if (segments.length === 0) broken = true
  if (broken)
    return { header, segments, interpreter, stackExecutable, phdr: 0, low: 0, high: 0, alignment: PAGE, broken }
  return { header, segments, interpreter, stackExecutable, phdr, low, high: up(high), alignment, broken }
}
function protOf(flags: number): number {
  return (flags & 4 ? PROT_READ : 0) | (flags & 2 ? PROT_WRITE : 0) | (flags & 1 ? PROT_EXEC : 0)
}
function impossible(s: Segment): boolean {
  if (s.file > s.memory || s.memory > GUEST_END || s.address > GUEST_END - s.memory) return true
  if (s.file === 0) return false
  return s.offset > 2 ** 52 || s.offset < s.address % PAGE || (s.offset - s.address) % PAGE !== 0
}
/** n when it is a power of two the guest range can hold, else 1. */
function powerOfTwo(n: number): number {
  if (n < 2 || n > GUEST_END) return 1
  const log = Math.log2(n)
  return Number.isInteger(log) ? n : 1
}

/** Where an ET_DYN program goes: near DYN_BASE, `random` pages up (Linux: 28 bits of them), aligned as it asks. The bias. */
export function dynBias(elf: Elf, random: number): number {
  const base = DYN_BASE + random * PAGE
  return base - (base % elf.alignment) - elf.low
}

/** Where code and data of the segments are, as Linux counts them (load_elf_binary): code those that may be executed, data the last. */
export function codeAndData(elf: Elf): { startCode: number; endCode: number; startData: number; endData: number } {
  const out = { startCode: Number.POSITIVE_INFINITY, endCode: 0, startData: 0, endData: 0 }
  for (const { address, file, prot } of elf.segments) {
    if (prot & PROT_EXEC) {
      out.startCode = Math.min(out.startCode, address)
      out.endCode = Math.max(out.endCode, address + file)
    }
    out.startData = Math.max(out.startData, address)
    out.endData = Math.max(out.endData, address + file)
  }
  if (out.endCode === 0) out.startCode = 0
  return out
}

/** What to do to memory to have the segments at `bias`, in order; -EINVAL when they don't fit into the guest's range. */
export function planSegments(elf: Elf, bias: number): Step[] | number {
  if (elf.broken || elf.low + bias < MAP_MIN || elf.high + bias > GUEST_END || bias % PAGE !== 0) return -E.INVAL
  const steps: Step[] = []
  for (const s of elf.segments) {
    const address = s.address + bias
    const start = down(address)
    const fileEnd = address + s.file
    const end = up(address + s.memory)
    if (s.file > 0)
      steps.push({
        kind: 'file',
        address: start,
        length: up(fileEnd) - start,
        prot: s.prot,
        offset: s.offset - (address - start),
      })
    if (s.memory === s.file) continue
    const pages = s.file > 0 ? up(fileEnd) : start
    if (s.file > 0 && s.prot & PROT_WRITE && pages > fileEnd)
      steps.push({ kind: 'zero', address: fileEnd, length: pages - fileEnd, prot: 0, offset: 0 })
    const prot = PROT_READ | PROT_WRITE | (s.prot & PROT_EXEC)
    if (end > pages) steps.push({ kind: 'memory', address: pages, length: end - pages, prot, offset: 0 })
  }
  return steps
}
