import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AUX, buildStack, type Facts } from './auxv.ts'

/** Writes its own stack, from argc to the end of the file name and 8 bytes more, after the address it begins at. */
const DUMP = `
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>
int main(int argc, char **argv) {
  char **sp = argv - 1;
  char *end = (char *)getauxval(AT_EXECFN);
  end += strlen(end) + 1 + 8;
  write(1, &sp, 8);
  return write(1, sp, end - (char *)sp) < 0;
}`
const directory = mkdtempSync(path.join(tmpdir(), 'mol-stack-'))
const program = path.join(directory, 'dump')
beforeAll(() => {
  writeFileSync(`${program}.c`, DUMP)
  execFileSync('cc', ['-o', program, `${program}.c`])
})
afterAll(() => rmSync(directory, { recursive: true }))

interface Seen {
  sp: number
  top: number
  bytes: Uint8Array
  argv: number[]
  envp: number[]
  aux: [number, number][]
}
function read(sp: number, bytes: Uint8Array): Seen {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  const word = () => {
    at += 8
    return Number(view.getBigUint64(at - 8, true))
  }
  const argc = word()
  const list = () => {
    const out: number[] = []
    for (let p = word(); p !== 0; p = word()) out.push(p)
    return out
  }
  const argv = list()
  expect(argv).toHaveLength(argc)
  const envp = list()
  const aux: [number, number][] = []
  for (;;) {
    const type = word()
    aux.push([type, word()])
    if (type === AUX.NULL) break
  }
  return { sp, top: sp + bytes.length, bytes, argv, envp, aux }
}
function text(s: Seen, address: number): string {
  const from = address - s.sp
  return Buffer.from(s.bytes.subarray(from, s.bytes.indexOf(0, from))).toString('latin1')
}
const value = (s: Seen, type: number) => s.aux.find(a => a[0] === type)?.[1] ?? -1
const bytesOf = (s: string) => new Uint8Array(Buffer.from(s, 'latin1'))

describe('stack', () => {
  const rows: [name: string, args: string[], env: Record<string, string>][] = [
    ['few', [], {}],
    ['some', ['one', '', 'three words here'], { PATH: '/bin', EMPTY: '' }],
    ['odd counts', ['x'], { A: '1' }],
    [
      'many',
      Array.from({ length: 41 }, (_, i) => 'y'.repeat(i * 7)),
      Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`V${i}`, 'z'.repeat(i)])),
    ],
  ]
  it.each(rows)('is laid out as Linux does: %s', (_name, args, env) => {
    const raw = execFileSync(program, args, { env })
    const linux = read(Number(raw.readBigUInt64LE(0)), new Uint8Array(raw.subarray(8)))
    const get = (type: number) => value(linux, type)
    const argv = linux.argv.map(a => text(linux, a))
    const envp = linux.envp.map(a => text(linux, a))
    expect(argv).toEqual([program, ...args])
    const facts: Facts = {
      phdr: get(AUX.PHDR),
      phnum: get(AUX.PHNUM),
      base: get(AUX.BASE),
      entry: get(AUX.ENTRY),
      uid: get(AUX.UID),
      euid: get(AUX.EUID),
      gid: get(AUX.GID),
      egid: get(AUX.EGID),
      secure: get(AUX.SECURE) === 1,
      hwcap: get(AUX.HWCAP),
      hwcap2: get(AUX.HWCAP2),
      minSigStack: get(AUX.MINSIGSTKSZ),
      clockTick: get(AUX.CLKTCK),
    }
    const random = linux.bytes.slice(get(AUX.RANDOM) - linux.sp).subarray(0, 16)
    const shift = (linux.argv[0] as number) - (get(AUX.PLATFORM) + 7)
    const built = buildStack(linux.top, argv.map(bytesOf), envp.map(bytesOf), bytesOf(program), random, shift, facts)
    const ours = read(built.sp, built.bytes)
    expect(ours.argv).toEqual(linux.argv)
    expect(ours.envp).toEqual(linux.envp)
    expect(ours.argv.map(a => text(ours, a))).toEqual(argv)
    expect(ours.envp.map(a => text(ours, a))).toEqual(envp)
    const known = new Set(ours.aux.map(a => a[0]))
    expect(ours.aux).toEqual(linux.aux.filter(a => known.has(a[0])))
    const strings = (s: Seen) => Buffer.from(s.bytes.subarray(get(AUX.RANDOM) - s.sp)).toString('hex')
    expect(strings(ours)).toBe(strings(linux))
    const sp = (s: Seen) => (get(AUX.RANDOM) - 8 * (3 + argv.length + envp.length + 2 * s.aux.length)) & -16
    expect([ours.sp % 16, sp(ours) - (ours.sp | 0), sp(linux) - (linux.sp | 0)]).toEqual([0, 0, 0])
  })
})
