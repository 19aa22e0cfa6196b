// THE table against the system header and the protocols, and decoding: [name, call, memory, expected cells].
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { CH, DATA_BYTES, DATA_OFF, HINT, HINT_ROWS, REG } from '../src/abi/channel.ts'
import { E } from '../src/abi/errno.ts'
import { high, int, long, uint, ulong } from '../src/abi/message.ts'
import { parseArgs } from '../src/container/linux/args.ts'
import { decode, moreChunks } from '../src/container/linux/decode.ts'
import {
  cellsOf,
  chunked,
  hints,
  isKnown,
  maskCell,
  prefetchHints,
  ROUTE,
  route,
  specs,
  DO,
} from '../src/container/linux/program.ts'
import { levelOf, messageOf, type Row, SYSCALLS } from '../src/container/linux/syscalls.ts'
import { put64, setReg } from '../src/container/linux/thread.ts'
import { fsCalls } from '../src/protocol/fs.ts'
import { ipcCalls } from '../src/protocol/ipc.ts'
import { pmCalls } from '../src/protocol/pm.ts'
import type { Protocol } from '../src/protocol/table.ts'
import { vmCalls } from '../src/protocol/vm.ts'
import { A, B, BASE, Guest, nrOf, PAGE } from './support/call.ts'

const HEADER = '/usr/include/x86_64-linux-gnu/asm/unistd_64.h'

describe('the table', () => {
  it.skipIf(!existsSync(HEADER))('has every number of the system header under its name', () => {
    const header = [...readFileSync(HEADER, 'latin1').matchAll(/#define __NR_(\w+) (\d+)/g)].map(
      m => [Number(m[2]), m[1] as string] as const,
    )
    expect(header.length).toBeGreaterThan(350)
    const ours = new Map(SYSCALLS.map(row => [row[0], row[1]]))
    expect(header.filter(([nr, name]) => ours.get(nr) !== name)).toEqual([])
    const newest = Math.max(...header.map(([nr]) => nr))
    const known = new Set(header.map(([nr]) => nr))
    expect(SYSCALLS.filter(row => row[0] <= newest && !known.has(row[0]) && row[0] !== 335 && row[0] !== 336)).toEqual(
      [],
    )
  })

  it('compiles to steps with numbers of their own', () => {
    expect(new Set(Object.values(DO)).size).toBe(Object.keys(DO).length)
  })
  it('is in ascending order without duplicates', () => {
    const numbers = SYSCALLS.map(row => row[0])
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b))
    expect(new Set(SYSCALLS.map(row => row[1])).size).toBe(SYSCALLS.length)
    expect(Math.max(...numbers)).toBeLessThan(HINT_ROWS)
  })

  it('says why a call is not full', () => {
    expect(SYSCALLS.filter(row => levelOf(row) !== 'full' && !row[5]).map(row => row[1])).toEqual([])
  })

  it('names messages that exist, with as many cells and grants in the same places', () => {
    const protocols: Readonly<Record<string, Protocol>> = { FS: fsCalls, PM: pmCalls, VM: vmCalls, IPC: ipcCalls }
    const wrong: string[] = []
    for (const row of SYSCALLS.filter(r => messageOf(r[3]).slot >= 0)) {
      const [server = '', call = ''] = row[3].split('.')
      const declared = protocols[server]?.[call]
      expect(declared, row[3]).toBeDefined()
      const want = (declared?.[1] ?? '')
        .split(' ')
        .filter(w => w !== '')
        .map(w => (/[<>]/.test(w) ? 'grant' : 'value'))
        .join(' ')
      const got = shapeOf(row).join(' ')
      if (want !== got) wrong.push(`${row[1]}: ${got} / ${row[3]}: ${want}`)
    }
    expect(wrong).toEqual([])
  })

  it('gives no two messages of a server the same number', () => {
    for (const calls of [fsCalls, pmCalls, vmCalls, ipcCalls] as readonly Protocol[]) {
      const numbers = Object.values(calls).map(([type]) => type)
      expect(numbers.filter((n, i) => numbers.indexOf(n) !== i)).toEqual([])
    }
  })

  it('is what docs/syscalls.md and docs/protocol.md say', () => {
    const script = fileURLToPath(new URL('../scripts/docs.mjs', import.meta.url))
    const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' })
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  })

  it('prefetches strings, counted input and structures', () => {
    const page = new DataView(prefetchHints().buffer)
    expect(page.byteLength).toBe(HINT_ROWS * 16)
    const row = (name: string): number[] => [0, 1, 2, 3, 4, 5].map(i => page.getUint16(nrOf(name) * 16 + i * 2, true))
    expect(row('openat')).toEqual([0, HINT.STRING, 0, 0, 0, 0])
    expect(row('write')).toEqual([0, HINT.BUFFER, 0, 0, 0, 0])
    expect(row('read')).toEqual([0, 0, 0, 0, 0, 0])
    expect(row('rt_sigaction')).toEqual([0, 32, 0, 0, 0, 0])
    expect(row('setxattr')).toEqual([HINT.STRING, HINT.STRING, HINT.BUFFER, 0, 0, 0])
    for (const [nr, args] of specs.entries())
      for (let i = 0; i < 6; i++) {
        const hint = hints[nr * 6 + i] as number
        if (hint === HINT.BUFFER) expect(args[i]?.count, `${nr}`).toBe(i + 1)
        if (hint !== HINT.NONE && route[nr] === ROUTE.REFUSED) expect(args[i]?.kind).toBe('string')
      }
  })

  it('knows which cell holds a signal mask', () => {
    const masks = ['pselect6', 'ppoll', 'epoll_pwait', 'epoll_pwait2', 'select', 'poll'].map(
      name => maskCell[nrOf(name)],
    )
    expect(masks).toEqual([5, 3, 4, 4, -1, -1])
  })
})

/** What the cells of a row hold, as program.ts compiles them. */
function shapeOf(row: Row): string[] {
  const args = parseArgs(row[1], row[2])
  return cellsOf(row, args)
    .filter(c => c.text[0] !== '?')
    .flatMap(c => {
      if (c.conversion === 'clone3') return ['value', 'value', 'grant', 'value', 'value', 'value', 'grant']
      if (c.conversion === 'sendhdr') return ['grant', 'grant', 'grant', 'value']
      if (c.conversion === 'recvhdr') return ['grant', 'grant', 'grant', 'grant', 'value']
      if (c.conversion === 'piece' || c.conversion === 'several') return ['value']
      if (c.text === 'null') return ['grant']
      if (c.conversion === 'len' || c.arg < 0) return ['value']
      if (c.conversion !== '') return ['grant']
      return [args[c.arg]?.kind === 'value' ? 'value' : 'grant']
    })
}

// ---- decoding ----

type Expected = (g: Guest) => void
const cells =
  (...expected: readonly (number | string | null)[]): Expected =>
  g => {
    expected.forEach((want, k) => {
      if (typeof want === 'string') expect(g.text(k), `cell ${k}`).toBe(want)
      else if (want === null) expect([int(g.message, k), high(g.message, k)], `cell ${k}`).toEqual([0, 0])
      else expect(long(g.message, k), `cell ${k}`).toBe(want)
    })
  }
const u64 = (...values: readonly number[]): string =>
  Buffer.from(new BigInt64Array(values.map(BigInt)).buffer).toString('latin1')

// biome-ignore format: a table
const decoded: readonly [name: string, set: (g: Guest) => void, result: number, expected: Expected][] = [
  ['no arguments', g => g.post('getpid'), 0, () => {}],
  ['int arguments are sign-extended', g => g.post('dup2', 0xffffffff, 7), 0, cells(-1, 7, -1)],
  ['a path', g => g.post('open', g.string(A, '/etc/passwd'), 0x80000, 0), 0, cells(-100, '/etc/passwd', 0x80000, 0)],
  ['an empty path has an offset', g => g.post('stat', g.string(A, ''), B), 0, g => expect([int(g.message, 1) > 0, high(g.message, 1)]).toEqual([true, 0])],
  ['a null path faults', g => g.post('open', 0, 0, 0), -E.FAULT, () => {}],
  ['a null path that means the descriptor', g => g.post('utimensat', 5, 0, 0, 0), 0, cells(5, null, null, 0, 0)],
  ['a path at unmapped memory', g => g.post('open', 0x5000, 0, 0), -E.FAULT, () => {}],
  ['a path without end', g => g.post('open', g.put(A, ...new Uint8Array(5000).fill(97)), 0, 0), -E.NAMETOOLONG, () => {}],
  ['a path cut off by the end of memory', g => g.post('open', g.put(PAGE + 0xfffc, 97, 97, 97, 97), 0, 0), -E.FAULT, () => {}],
  ['write takes the prefetched bytes', g => g.post('write', 1, g.string(A, 'hello'), 5), 0, cells(1, 'hello', 5)],
  ['write of nothing', g => g.post('write', 1, 0, 0), 0, g => expect([high(g.message, 1), long(g.message, 2)]).toEqual([0, 0])],
  ['write beyond the end of memory is short', g => g.post('write', 1, g.put(PAGE + 0xfff8, 1, 2, 3), 100), 0, g => expect([high(g.message, 1), long(g.message, 2)]).toEqual([8, 8])],
  ['write from nowhere', g => g.post('write', 1, 0x5000, 5), 0, g => expect([high(g.message, 1), long(g.message, 2)]).toEqual([0, -E.FAULT])],
  ['a negative count', g => g.post('write', 1, A, -5), 0, g => expect([high(g.message, 1), long(g.message, 2)]).toEqual([0, -E.FAULT])],
  ['read gets an area', g => g.post('read', 3, A, 100), 0, g => expect([int(g.message, 0), high(g.message, 1), long(g.message, 2)]).toEqual([3, 100, 100])],
  ['read into the stub', g => g.post('read', 3, 0x7fff00000000, 100), 0, g => expect([high(g.message, 1), long(g.message, 2)]).toEqual([0, -E.FAULT])],
  ['poll turns milliseconds into a timespec', g => g.post('poll', g.put(A, 5, 0, 0, 0, 1, 0, 0, 0), 1, 1500), 0, cells('\x05\0\0\0\x01\0\0\0', 1, u64(1, 5e8), null)],
  ['poll for ever', g => g.post('poll', A, 1, -1), 0, g => expect(high(g.message, 2)).toBe(0)],
  ['poll of too many', g => g.post('poll', A, 1 << 20, 0), -E.INVAL, () => {}],
  ['select turns a timeval into a timespec', g => g.post('select', 65, g.long(A, 9, 1), 0, 0, g.long(B, 1, 2500000)), 0, cells(65, u64(9, 1), null, null, u64(3, 5e8), null)],
  ['select with a negative time', g => g.post('select', 0, 0, 0, 0, g.long(B, 0, -1)), 0, g => expect(g.text(4)).toBe(u64(-1, -1))],
  ['pselect6 unpacks the set', g => g.post('pselect6', 0, 0, 0, 0, 0, g.long(A, g.long(B, 0x1234), 8)), 0, cells(0, null, null, null, null, u64(0x1234))],
  ['pselect6 with a set of the wrong size', g => g.post('pselect6', 0, 0, 0, 0, 0, g.long(A, B, 4)), -E.INVAL, () => {}],
  ['ppoll with a set of the wrong size', g => g.post('ppoll', A, 0, 0, A, 4), -E.INVAL, () => {}],
  ['ppoll without a set', g => g.post('ppoll', A, 0, 0, 0, 4), 0, g => expect(high(g.message, 3)).toBe(0)],
  ['writev gathers', g => g.post('writev', 1, g.long(A, g.string(B, 'abc'), 3, 0, 0, g.string(B + 64, 'defg'), 4), 3), 0, cells(1, 'abcdefg', 7, -1)],
  ['writev stops at a fault', g => g.post('writev', 1, g.long(A, g.string(B, 'abc'), 3, 0x5000, 4), 2), 0, cells(1, 'abc', 3, -1)],
  ['writev from nowhere', g => g.post('writev', 1, g.long(A, 0x5000, 4), 1), 0, cells(1, null, -E.FAULT, -1, 0)],
  ['writev with a negative length', g => g.post('writev', 1, g.long(A, B, -1), 1), 0, cells(1, null, -E.INVAL, -1, 0)],
  ['writev with too many pieces', g => g.post('writev', 1, A, 1025), 0, cells(1, null, -E.INVAL, -1, 0)],
  ['preadv at a negative offset', g => g.post('preadv', 1, A, 0, -1), -E.INVAL, () => {}],
  ['preadv2 at the current offset', g => g.post('preadv2', 1, g.long(A, B, 8), 1, -1, 0, 0), 0, g => expect(long(g.message, 3)).toBe(-1)],
  ['preadv2 with flags', g => g.post('preadv2', 1, g.long(A, B, 8), 1, -1, 0, 16), 0, g => expect(int(g.message, 4)).toBe(16)],
  ['openat2 with a short structure', g => g.post('openat2', -100, g.string(B, 'f'), A, 23), -E.INVAL, () => {}],
  ['ioctl with data out', g => g.post('ioctl', 0, 0x5401, A), 0, g => expect([long(g.message, 1), high(g.message, 3)]).toEqual([0x5401, 36])],
  ['ioctl with data in', g => g.post('ioctl', 0, 0x5410, g.put(A, 7, 0, 0, 0)), 0, cells(0, 0x5410, A, '\x07\0\0\0')],
  ['ioctl with a value', g => g.post('ioctl', 0, 0x540b, 2), 0, cells(0, 0x540b, 2, null)],
  ['fcntl with a lock', g => g.post('fcntl', 3, 6, g.long(A, 1, 2, 3, 4)), 0, cells(3, 6, A, u64(1, 2, 3, 4))],
  ['fcntl with a value', g => g.post('fcntl', 3, 4, 0x800), 0, cells(3, 4, 0x800, null)],
  ['fork', g => g.post('fork'), 0, cells(17, 0, null, 0, 0)],
  ['vfork', g => g.post('vfork'), 0, cells(0x4111, 0, null, 0, 0)],
  ['clone', g => g.post('clone', 0x1200011, 0, A, B, 5), 0, cells(0x1200011, 0, null, B, 5)],
  ['clone that wants the id', g => g.post('clone', 0x100011, 0, A, 0, 0), 0, g => expect(high(g.message, 2)).toBe(4)],
  ['clone3', g => g.post('clone3', g.long(A, 0x4100, 0, B, 0, 17, 0x20000, 0x8000, 77, 0, 0, 0), 88), 0, cells(0x4111, 0x28000, null, B, 77)],
  ['clone3 with CLONE_CLEAR_SIGHAND', g => g.post('clone3', g.long(A, 2 ** 32, 0, 0, 0, 17, 0, 0, 0), 64), 0, g => expect([long(g.message, 0), high(g.message, 5)]).toEqual([17, 1])],
  ['clone3 with a flag nobody knows', g => g.post('clone3', g.long(A, 2 ** 40, 0, 0, 0, 17, 0, 0, 0), 64), -E.INVAL, () => {}],
  ['clone3 of the wrong size', g => g.post('clone3', A, 8), -E.INVAL, () => {}],
  ['prctl PR_SET_NAME', g => g.post('prctl', 15, g.string(A, 'a name that is too long')), 0, g => expect(g.text(5)).toBe('a name that is \0')],
  ['prctl PR_GET_NAME', g => g.post('prctl', 16, A), 0, g => expect(g.text(5)).toBe('\0'.repeat(16))],
  ['prctl with values', g => g.post('prctl', 4, 1), 0, cells(4, 1, 0, 0, 0, null)],
  ['a futex that has changed', g => g.post('futex', g.put(A, 5, 0, 0, 0), 128, 4, 0), -E.AGAIN, () => {}],
  ['a futex to wait for', g => g.post('futex', g.put(A, 4, 0, 0, 0), 128, 4, g.long(B, 1, 2)), 0, cells(A, 128, 4, u64(1, 2))],
  ['a futex to wake', g => g.post('futex', A, 129, 1), 0, cells(A, 129, 1, 0)],
  ['an unaligned futex', g => g.post('futex', A + 1, 129, 1), -E.INVAL, () => {}],
  ['epoll_create(0)', g => g.post('epoll_create', 0), -E.INVAL, () => {}],
  ['epoll_wait clamps', g => g.post('epoll_wait', 3, A, 1 << 27, 0), 0, g => expect(long(g.message, 2) * 12).toBe(high(g.message, 1))],
  ['setgroups', g => g.post('setgroups', 2, g.put(A, 1, 0, 0, 0, 2, 0, 0, 0)), 0, cells(2, '\x01\0\0\0\x02\0\0\0')],
  ['setxattr with too much', g => g.post('setxattr', g.string(A, 'f'), g.string(A + 8, 'user.x'), A, 1 << 20, 0), -E.TOOBIG, () => {}],
  ['sigaltstack passes the stack pointer', g => { g.post('sigaltstack', 0, A); setReg(g, REG.RSP, 0x123456789) }, 0, g => expect(ulong(g.message, 2)).toBe(0x123456789)],
  ['settimeofday', g => g.post('settimeofday', g.long(A, 5, 7), 0), 0, cells(0, u64(5, 7000))],
  ['creat is open', g => g.post('creat', g.string(A, 'x'), 0o644), 0, cells(-100, 'x', 577, 0o644)],
  ['pkey_mprotect without a key', g => g.post('pkey_mprotect', A, 4096, 3, -1), 0, cells(A, 4096, 3)],
  ['pkey_mprotect with a key', g => g.post('pkey_mprotect', A, 4096, 3, 1), -E.INVAL, () => {}],
  ['mincore', g => g.post('mincore', A, 8193, B), 0, g => expect(high(g.message, 2)).toBe(3)],
  ['capget of version 1', g => g.post('capget', g.put(A, 0x30, 3, 0x98, 0x19), B), 0, g => expect(high(g.message, 1)).toBe(12)],
  ['refused', g => g.post('io_uring_setup', 1, A), -E.NOSYS, () => {}],
]

describe('decode', () => {
  for (const [name, set, result, expected] of decoded)
    it(name, () => {
      const g = new Guest()
      set(g)
      expect(g.decode()).toBe(result)
      if (result === 0) expected(g)
    })

  it('answers numbers nobody knows', () => {
    const g = new Guest()
    for (const nr of [-1, 337, 423, 471, 511, 512, 0x40000000, 0x7fffffff]) {
      expect(decode(g, nr)).toBe(-E.NOSYS)
      expect(isKnown(nr)).toBe(false)
    }
    expect(isKnown(425)).toBe(true)
  })

  it('never leaves the window, whatever the channel says', () => {
    const g = new Guest()
    let seed = 1
    const random = (n: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
      return (seed >>> 8) % n
    }
    const values = [
      0,
      1,
      -1,
      7,
      A,
      B,
      PAGE + 0xffff,
      0x7ffdfffffff0,
      0x7fff00000000,
      2 ** 47,
      -(2 ** 40),
      0x7fffffff,
      0x80000000,
      4096,
      100000,
    ]
    for (let round = 0; round < 20000; round++) {
      g.nr = random(480)
      for (const r of [REG.RDI, REG.RSI, REG.RDX, REG.R10, REG.R8, REG.R9])
        setReg(g, r, values[random(values.length)] as number)
      for (let i = 0; i < 12; i++)
        g.u32[(BASE + CH.IN + 4 * i) >> 2] = random(2) ? random(0x30000) : (values[random(values.length)] as number)
      g.done = random(8) === 0 ? random(100000) : 0
      const r = g.decode()
      if (r !== 0) {
        expect(r).toBeLessThan(0)
        expect(g.outs.count).toBe(0)
      }
      for (let k = 0; k < g.outs.count; k++) {
        const at = g.outs.offset[k] as number
        expect(at >= BASE + DATA_OFF && at + (g.outs.length[k] as number) <= BASE + DATA_OFF + DATA_BYTES).toBe(true)
      }
      for (let i = 0; i < 7; i++) {
        const at = g.wants.areas[2 * i] as number
        const bytes = g.wants.areas[2 * i + 1] as number
        if (at !== 0 && r === 0)
          expect(at >= BASE + DATA_OFF && bytes >= 0 && at + bytes <= BASE + DATA_OFF + DATA_BYTES).toBe(true)
      }
    }
  })

  it('leaves nothing of an earlier call in an output', () => {
    const g = new Guest()
    g.mem.fill(0x55)
    g.post('fstat', 3, A)
    expect(g.decode()).toBe(0)
    expect(g.text(1)).toBe('\0'.repeat(144))
  })
})

// biome-ignore format: a table
const outputs: readonly [name: string, set: (g: Guest) => void, result: number, expected: [number, number][]][] = [
  ['a structure', g => g.post('fstat', 3, A), 0, [[A, 144]]],
  ['no structure after an error', g => g.post('fstat', 3, A), -E.BADF, []],
  ['as much as was read', g => g.post('read', 3, A, 100), 7, [[A, 7]]],
  ['never more than the buffer', g => g.post('read', 3, A, 100), 1000, [[A, 100]]],
  ['readv scatters', g => g.post('readv', 3, g.long(A, B, 3, B + 100, 10), 2), 5, [[B, 3], [B + 100, 2]]],
  ['readv of less than the first piece', g => g.post('readv', 3, g.long(A, B, 3, B + 100, 10), 2), 2, [[B, 2]]],
  ['wait4 writes when it has a child', g => g.post('wait4', -1, A, 0, B), 12, [[A, 4], [B, 144]]],
  ['wait4 with WNOHANG and no child', g => g.post('wait4', -1, A, 1, B), 0, []],
  ['nanosleep writes the rest when interrupted', g => g.post('nanosleep', g.long(A, 1, 0), B), -E.INTR, [[B, 16]]],
  ['… also when it will be made EINTR', g => g.post('nanosleep', g.long(A, 1, 0), B), -E.RESTART_RESTARTBLOCK, [[B, 16]]],
  ['nanosleep slept through', g => g.post('nanosleep', g.long(A, 1, 0), B), 0, []],
  ['clock_nanosleep to a time has no rest', g => g.post('clock_nanosleep', 1, 1, g.long(A, 1, 0), B), -E.INTR, []],
  ['getgroups counts in ids', g => g.post('getgroups', 10, A), 3, [[A, 12]]],
  ['getgroups asking how many', g => g.post('getgroups', 0, A), 3, []],
  ['epoll_wait counts in events', g => g.post('epoll_wait', 3, A, 10, 0), 2, [[A, 24]]],
  ['poll writes revents only', g => g.post('poll', A, 2, 0), 1, [[A + 6, 2], [A + 14, 2]]],
  ['select writes its sets', g => g.post('select', 3, A, 0, B, 0), 1, [[A, 8], [B, 8]]],
  ['waitid writes what Linux does', g => g.post('waitid', 0, 0, A, 4, 0), 0, [[A, 28]]],
  ['clone writes the child id', g => g.post('clone', 0x100011, 0, A, 0, 0), 33, [[A, 4]]],
  ['… not in the child', g => g.post('clone', 0x100011, 0, A, 0, 0), 0, []],
  ['an ioctl in does not come back', g => g.post('ioctl', 0, 0x5410, A), 0, []],
]
describe('copyOuts', () => {
  for (const [name, set, result, expected] of outputs)
    it(name, () => {
      const g = new Guest()
      set(g)
      expect(g.decode()).toBe(0)
      expect(g.outputs(result)).toEqual(expected)
      expect(g.outputs(result)).toEqual([])
    })

  it('turns linux_dirent64 into linux_dirent for getdents', () => {
    const g = new Guest()
    g.post('getdents', 3, A, 100)
    expect(g.decode()).toBe(0)
    const at = int(g.message, 1)
    put64({ ...g, i32: g.i32, u32: g.u32 } as never, at, 77)
    g.mem[at + 16] = 24
    g.mem[at + 18] = 8
    g.mem.set([97, 98, 0, 0, 0], at + 19)
    g.outputs(24)
    expect([...g.mem.subarray(at + 16, at + 24)]).toEqual([24, 0, 97, 98, 0, 0, 0, 8])
  })
})

describe('chunks', () => {
  it('moves a long read on', () => {
    const g = new Guest()
    g.post('pread64', 3, A, 300000, 1000)
    const seen: number[][] = []
    do {
      expect(g.decode()).toBe(0)
      seen.push([uint(g.message, 2), uint(g.message, 3)])
    } while (moreChunks(g, uint(g.message, 2)))
    expect(seen).toEqual([
      [131072, 1000],
      [131072, 132072],
      [300000 - 262144, 263144],
    ])
    expect(g.done).toBe(262144)
  })
  it('ends with a short one', () => {
    const g = new Guest()
    g.post('read', 3, A, 300000)
    g.decode()
    expect(moreChunks(g, 5)).toBe(false)
  })
  it('moves an iovec of many pieces on', () => {
    const g = new Guest()
    const vector = Array.from({ length: 100 }, (_, k) => [B + 2 * k, 2]).flat()
    g.memory.set(
      Array.from({ length: 200 }, (_, k) => k),
      B - PAGE,
    )
    g.post('writev', 1, g.long(A, ...vector), 100)
    const sent: number[] = []
    do {
      expect(g.decode()).toBe(0)
      sent.push(...Buffer.from(g.text(1), 'latin1'))
    } while (moreChunks(g, uint(g.message, 2)))
    expect(sent).toEqual(Array.from({ length: 200 }, (_, k) => k))
  })
  it('are for calls that move data only', () => {
    expect(SYSCALLS.filter(row => chunked[row[0]]).map(row => row[1])).toEqual([
      'read',
      'write',
      'pread64',
      'pwrite64',
      'readv',
      'writev',
      'sendto',
      'recvfrom',
      'sendmsg',
      'recvmsg',
      'vmsplice',
      'preadv',
      'pwritev',
      'recvmmsg',
      'sendmmsg',
      'process_vm_readv',
      'process_vm_writev',
      'getrandom',
      'preadv2',
      'pwritev2',
    ])
  })
})
