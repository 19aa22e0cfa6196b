import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GUEST_END } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { dynBias, type Elf, PHDR_BYTES, parseHeader, parseSegments, planSegments } from './elf.ts'

function parse(bytes: Uint8Array): Elf | number {
  const header = parseHeader(bytes)
  return typeof header === 'number'
    ? header
    : parseSegments(header, bytes.subarray(Math.min(header.phoff, bytes.length)))
}
/** What readelf says: [offset, address, file, memory, prot] per PT_LOAD, entry, interpreter, GNU_STACK's x. */
function readelf(path: string) {
  const text = execFileSync('readelf', ['-lW', path], { encoding: 'latin1', env: { ...process.env, LC_ALL: 'C' } })
  const rows = [...text.matchAll(/^ {2}(LOAD|GNU_STACK) +(0x\w+) (0x\w+) 0x\w+ (0x\w+) (0x\w+) (R| )(W| )(E| )/gm)]
  const loads = rows
    .filter(r => r[1] === 'LOAD')
    .map(r => ({
      offset: Number(r[2]),
      address: Number(r[3]),
      file: Number(r[4]),
      memory: Number(r[5]),
      prot: (r[6] === 'R' ? 1 : 0) | (r[7] === 'W' ? 2 : 0) | (r[8] === 'E' ? 4 : 0),
    }))
  return {
    loads,
    entry: Number(/Entry point (0x\w+)/.exec(text)?.[1]),
    phnum: Number(/There are (\d+) program headers/.exec(text)?.[1]),
    interpreter: /Requesting program interpreter: (.+)\]/.exec(text)?.[1] ?? null,
    stackExecutable: rows.some(r => r[1] === 'GNU_STACK' && r[8] === 'E'),
  }
}

const FILES = [
  '/bin/true',
  '/bin/bash',
  '/lib64/ld-linux-x86-64.so.2',
  '/bin/busybox',
  '/usr/bin/python3',
  process.execPath,
].filter(existsSync)

describe('real files', () => {
  it.each(FILES)('%s is what readelf says', path => {
    const bytes = readFileSync(path)
    const elf = parse(bytes)
    if (typeof elf === 'number') throw new Error(`parse: ${elf}`)
    const expected = readelf(path)
    expect(elf.segments).toEqual(expected.loads)
    expect(elf.header.entry).toBe(expected.entry)
    expect(elf.header.phnum).toBe(expected.phnum)
    expect(elf.stackExecutable).toBe(expected.stackExecutable)
    const name =
      elf.interpreter &&
      bytes.toString('latin1', elf.interpreter.offset, elf.interpreter.offset + elf.interpreter.bytes - 1)
    expect(name).toBe(expected.interpreter)
    expect(elf.broken).toBe(false)
    const steps = planSegments(elf, elf.header.dynamic ? dynBias(elf, 12345) : 0)
    if (typeof steps === 'number') throw new Error(`plan: ${steps}`)
    expect(steps.filter(s => s.kind === 'file')).toHaveLength(expected.loads.filter(l => l.file > 0).length)
  })
})

/** A file of `segments`: [offset, address, file, memory, flags, alignment]. */
function build(segments: readonly (readonly number[])[], change?: (v: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(64 + segments.length * PHDR_BYTES)
  const v = new DataView(bytes.buffer)
  v.setUint32(0, 0x7f454c46)
  v.setUint8(4, 2)
  v.setUint8(5, 1)
  v.setUint16(16, 2, true)
  v.setUint16(18, 62, true)
  v.setBigUint64(24, 0x401000n, true)
  v.setBigUint64(32, 64n, true)
  v.setUint16(54, PHDR_BYTES, true)
  v.setUint16(56, segments.length, true)
  segments.forEach(([offset = 0, address = 0, file = 0, memory = 0, flags = 4, alignment = 4096, type = 1], i) => {
    const at = 64 + i * PHDR_BYTES
    v.setUint32(at, type, true)
    v.setUint32(at + 4, flags, true)
    for (const [k, n] of [
      [8, offset],
      [16, address],
      [32, file],
      [40, memory],
      [48, alignment],
    ] as const)
      v.setBigUint64(at + k, BigInt(n), true)
  })
  change?.(v)
  return bytes
}
const PLAIN = [[0, 0x400000, 0x1000, 0x1000, 5]]

describe('parse', () => {
  const rows: [name: string, bytes: Uint8Array, expected: number][] = [
    ['nothing', new Uint8Array(0), -E.NOEXEC],
    ['a text', new TextEncoder().encode('hello, world\n'.repeat(20)), -E.NOEXEC],
    ['the magic and no more', build(PLAIN).subarray(0, 63), -E.NOEXEC],
    ['program headers cut off', build(PLAIN).subarray(0, 100), -E.NOEXEC],
    ['32-bit class', build(PLAIN, v => v.setUint8(4, 1)), -E.NOEXEC],
    ['big-endian', build(PLAIN, v => v.setUint8(5, 2)), -E.NOEXEC],
    ['another machine', build(PLAIN, v => v.setUint16(18, 183, true)), -E.NOEXEC],
    ['a relocatable', build(PLAIN, v => v.setUint16(16, 1, true)), -E.NOEXEC],
    ['a core', build(PLAIN, v => v.setUint16(16, 4, true)), -E.NOEXEC],
    ['program headers of another size', build(PLAIN, v => v.setUint16(54, 32, true)), -E.NOEXEC],
    ['no program headers', build([]), -E.NOEXEC],
    ['too many program headers', build(PLAIN, v => v.setUint16(56, 1171, true)), -E.NOEXEC],
    ['an interpreter without a name', build([[0, 0, 1, 1, 4, 1, 3]]), -E.NOEXEC],
    ['an interpreter with too long a name', build([[0, 0, 4097, 1, 4, 1, 3]]), -E.NOEXEC],
  ]
  it.each(rows)('%s', (_name, bytes, expected) => {
    expect(parse(bytes)).toBe(expected)
  })

  const broken: [name: string, segments: number[][]][] = [
    ['no PT_LOAD', [[0, 0, 0, 0, 4, 1, 4]]],
    ['more in the file than in memory', [[0, 0x400000, 0x2000, 0x1000]]],
    ['offset and address differ within the page', [[8, 0x400000, 0x1000, 0x1000]]],
    ['beyond the guest range', [[0, GUEST_END - 0x1000, 0x2000, 0x2000]]],
    ['larger than the guest range', [[0, 0, 0, GUEST_END + 1]]],
  ]
  it.each(broken)('broken: %s', (_name, segments) => {
    const elf = parse(build(segments))
    expect(elf).toMatchObject({ broken: true })
    expect(planSegments(elf as Elf, 0)).toBe(-E.INVAL)
  })
})

describe('plan', () => {
  const step = (kind: string, address: number, length: number, prot: number, offset = 0) => ({
    kind,
    address,
    length,
    prot,
    offset,
  })
  const rows: [name: string, segments: number[][], expected: unknown][] = [
    ['one page of text', PLAIN, [step('file', 0x400000, 0x1000, 5)]],
    ['an odd piece', [[0x1234, 0x402234, 0x100, 0x100, 4]], [step('file', 0x402000, 0x1000, 1, 0x1000)]],
    [
      'data with bss in and behind its page',
      [[0x2800, 0x403800, 0x100, 0x1900, 6]],
      [
        step('file', 0x403000, 0x1000, 3, 0x2000),
        step('zero', 0x403900, 0x700, 0),
        step('memory', 0x404000, 0x2000, 3),
      ],
    ],
    [
      'bss within the page',
      [[0x2800, 0x403800, 0x100, 0x200, 6]],
      [step('file', 0x403000, 0x1000, 3, 0x2000), step('zero', 0x403900, 0x700, 0)],
    ],
    ['all bss', [[0, 0x405010, 0, 0x2000, 6]], [step('memory', 0x405000, 0x3000, 3)]],
    [
      'bss behind read-only data',
      [[0, 0x400000, 0x10, 0x1010, 4]],
      [step('file', 0x400000, 0x1000, 1), step('memory', 0x401000, 0x1000, 3)],
    ],
    ['below mmap_min_addr', [[0, 0x1000, 0x1000, 0x1000, 5]], -E.INVAL],
  ]
  it.each(rows)('%s', (_name, segments, expected) => {
    expect(planSegments(parse(build(segments)) as Elf, 0)).toEqual(expected)
  })
})

describe('fuzz', () => {
  const inRange = (elf: Elf, bias: number) => {
    const steps = planSegments(elf, bias)
    if (typeof steps === 'number') return
    for (const s of steps) {
      expect(s.length).toBeGreaterThan(0)
      expect(s.address).toBeGreaterThanOrEqual(0x10000)
      expect(s.address + s.length).toBeLessThanOrEqual(GUEST_END)
      expect(s.offset).toBeGreaterThanOrEqual(0)
      if (s.kind !== 'zero') expect([s.address % 4096, s.length % 4096, s.offset % 4096]).toEqual([0, 0, 0])
    }
  }
  it('damaged files', () => {
    const good = readFileSync(FILES[0] as string).subarray(0, 1024)
    const edit = fc.tuple(fc.nat(good.length - 1), fc.nat(255))
    fc.assert(
      fc.property(
        fc.array(edit, { maxLength: 12 }),
        fc.nat(good.length),
        fc.nat(2 ** 28 - 1),
        (edits, length, random) => {
          const bytes = Uint8Array.from(good)
          for (const [at, value] of edits) bytes[at] = value
          for (const cut of [bytes, bytes.subarray(0, length)]) {
            const elf = parse(cut)
            if (typeof elf === 'number') expect(elf).toBe(-E.NOEXEC)
            else for (const bias of [0, dynBias(elf, random), GUEST_END - elf.high]) inRange(elf, bias)
          }
        },
      ),
      { numRuns: 2000 },
    )
  })
  it('arbitrary segments', () => {
    const word = fc.oneof(
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      fc.bigInt({ min: 0n, max: 2n ** 20n }),
      fc.constantFrom(0n, 4096n, 0x7ffdfffff000n, 2n ** 63n),
    )
    const segment = fc.tuple(word, word, word, word, word, fc.nat(7))
    fc.assert(
      fc.property(fc.array(segment, { minLength: 1, maxLength: 4 }), fc.nat(2 ** 28 - 1), (segments, random) => {
        const bytes = build(
          segments.map(() => [0, 0, 0, 0]),
          v =>
            segments.forEach(([a, b, c, d, e, flags], i) => {
              const at = 64 + i * PHDR_BYTES
              v.setUint32(at + 4, flags, true)
              for (const [k, n] of [
                [8, a],
                [16, b],
                [32, c],
                [40, d],
                [48, e],
              ] as const)
                v.setBigUint64(at + k, n, true)
            }),
        )
        const elf = parse(bytes) as Elf
        inRange(elf, 0)
        inRange(elf, dynBias(elf, random))
      }),
      { numRuns: 2000 },
    )
  })
})
