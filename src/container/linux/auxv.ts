// The stack a new program starts on, byte for byte as Linux builds it (fs/exec.c, fs/binfmt_elf.c create_elf_tables):
//
//   sp → argc | argv… 0 | envp… 0 | auxiliary vector … AT_NULL | (gap) | 16 random bytes | "x86_64" | (gap) |
//        argv strings | envp strings | file name | 8 zero bytes ← top
import { PAGE } from '../../abi/mman.ts'

/** Auxiliary vector types, <linux/auxvec.h> and <asm/auxvec.h>. */
export const AUX = {
  NULL: 0,
  PHDR: 3,
  PHENT: 4,
  PHNUM: 5,
  PAGESZ: 6,
  BASE: 7,
  FLAGS: 8,
  ENTRY: 9,
  UID: 11,
  EUID: 12,
  GID: 13,
  EGID: 14,
  PLATFORM: 15,
  HWCAP: 16,
  CLKTCK: 17,
  SECURE: 23,
  RANDOM: 25,
  HWCAP2: 26,
  EXECFN: 31,
  MINSIGSTKSZ: 51,
} as const

/** What the vector says that the stack's own layout doesn't. */
export interface Facts {
  phdr: number
  phnum: number
  base: number
  entry: number
  uid: number
  euid: number
  gid: number
  egid: number
  secure: boolean
  hwcap: number
  hwcap2: number
  minSigStack: number
  clockTick: number
}
export interface Stack {
  /** Address of argc: the first stack pointer, 16-aligned. */
  readonly sp: number
  /** What lies from sp to `top`. */
  readonly bytes: Uint8Array
  /** Where the strings are: arguments up to the environment up to its end. */
  readonly args: number
  readonly env: number
  readonly end: number
  /** The auxiliary vector, part of `bytes`. */
  readonly auxv: Uint8Array
}

const PLATFORM = 'x86_64\0'
const RANDOM_BYTES = 16
const AUX_ENTRIES = 20

/** Bytes the strings take: what counts against the argument limit, with 8 for each pointer. */
export function stringBytes(list: readonly Uint8Array[]): number {
  let bytes = 0
  for (const s of list) bytes += s.length + 1
  return bytes
}

/** Build the stack below `top`. `shift`: 0–8191 bytes of randomness below the strings; `random`: the 16 bytes AT_RANDOM points to. */
export function buildStack(
  top: number,
  argv: readonly Uint8Array[],
  envp: readonly Uint8Array[],
  name: Uint8Array,
  random: Uint8Array,
  shift: number,
  facts: Facts,
): Stack {
  const strings = top - 8 - (name.length + 1) - stringBytes(envp) - stringBytes(argv)
  let p = strings - shift
  p -= p % 16
  p -= PLATFORM.length
  const platform = p
  p -= RANDOM_BYTES
  const randomAt = p
  const words = 1 + argv.length + 1 + envp.length + 1 + AUX_ENTRIES * 2
  let sp = p - words * 8
  sp -= sp % 16
  const bytes = new Uint8Array(top - sp)
  const view = new DataView(bytes.buffer)
  let at = 0
  const word = (v: number): void => {
    view.setUint32(at, v % 4294967296, true)
    view.setUint32(at + 4, Math.floor(v / 4294967296), true)
    at += 8
  }
  let next = strings
  const pointers = (list: readonly Uint8Array[]): void => {
    for (const s of list) {
      word(next)
      bytes.set(s, next - sp)
      next += s.length + 1
    }
    word(0)
  }
  word(argv.length)
  pointers(argv)
  pointers(envp)
  bytes.set(name, next - sp)
  for (let i = 0; i < PLATFORM.length; i++) bytes[platform - sp + i] = PLATFORM.charCodeAt(i)
  bytes.set(random.subarray(0, RANDOM_BYTES), randomAt - sp)
  const vectorAt = at
  for (const [type, value] of vector(facts, randomAt, next, platform)) {
    word(type)
    word(value)
  }
  const env = strings + stringBytes(argv)
  return { sp, bytes, args: strings, env, end: next, auxv: bytes.subarray(vectorAt, at) }
}

/** In Linux's order. No AT_SYSINFO_EHDR: there is no vDSO, or calls would get past us. */
function vector(f: Facts, random: number, name: number, platform: number): [type: number, value: number][] {
  return [
    [AUX.MINSIGSTKSZ, f.minSigStack],
    [AUX.HWCAP, f.hwcap],
    [AUX.PAGESZ, PAGE],
    [AUX.CLKTCK, f.clockTick],
    [AUX.PHDR, f.phdr],
    [AUX.PHENT, 56],
    [AUX.PHNUM, f.phnum],
    [AUX.BASE, f.base],
    [AUX.FLAGS, 0],
    [AUX.ENTRY, f.entry],
    [AUX.UID, f.uid],
    [AUX.EUID, f.euid],
    [AUX.GID, f.gid],
    [AUX.EGID, f.egid],
    [AUX.SECURE, f.secure ? 1 : 0],
    [AUX.RANDOM, random],
    [AUX.HWCAP2, f.hwcap2],
    [AUX.EXECFN, name],
    [AUX.PLATFORM, platform],
    [AUX.NULL, 0],
  ]
}
