import { closeSync, existsSync, openSync, readFileSync, readSync, statSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { FakeSys } from '../../../test/support/fake-sys.ts'
import { CH, GUEST_END, OP, OP_BYTES, OPF, REG, SLOT_BYTES } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { EP, high, int, long, message, SLOT, SUSPEND, setInt, setLong, TYPE, uint } from '../../abi/message.ts'
import type { Kernel } from '../../kernel/types.ts'
import type { CallVector } from '../../lib/server.ts'
import { FS } from '../../protocol/fs.ts'
import { PM } from '../../protocol/pm.ts'
import { VM } from '../../protocol/vm.ts'
import { createVm } from '../../servers/vm/vm.ts'
import { fakeMemory } from '../../../test/support/fake-memory.ts'
import { AUX } from './auxv.ts'
import { execve, execveat, startImage } from './exec.ts'
import {
  type GuestThread,
  get64,
  type LinuxContainer,
  type LocalCall,
  MORE,
  newOutList,
  newWantList,
  pushOp,
  put64,
  RESUME,
  reg,
  resetWindow,
  setReg,
} from './thread.ts'

const GUEST = 40
const PAGE = 4096
const BASE = 2 * SLOT_BYTES
/** Where the tests keep what the calling program has. */
const DATA = 0x20000000
type File = string | Uint8Array

/** A guest's memory: pages made by host operations, faults elsewhere. */
class Memory {
  readonly pages = new Map<number, Uint8Array>()
  map(start: number, length: number, content: Uint8Array | null): void {
    for (let o = 0; o < length; o += PAGE) {
      const page = new Uint8Array(PAGE)
      if (content !== null) page.set(content.subarray(o, o + PAGE))
      this.pages.set(start + o, page)
    }
  }
  /** Bytes read before the first hole. */
  read(address: number, length: number): Uint8Array {
    const out = new Uint8Array(length)
    for (let i = 0; i < length; ) {
      const page = this.pages.get(address + i - ((address + i) % PAGE))
      if (page === undefined) return out.subarray(0, i)
      const from = (address + i) % PAGE
      const piece = page.subarray(from, from + length - i)
      out.set(piece, i)
      i += piece.length
    }
    return out
  }
  write(address: number, bytes: Uint8Array): number {
    for (let i = 0; i < bytes.length; i++) {
      const page = this.pages.get(address + i - ((address + i) % PAGE))
      if (page === undefined) return i
      page[(address + i) % PAGE] = bytes[i] as number
    }
    return bytes.length
  }
}

function boot(files: Record<string, File> = {}, options: { stack?: number; fail?: (op: number) => boolean } = {}) {
  const sys = new FakeSys(EP.VM)
  const vm = sys.attach(createVm(sys, { memory: fakeMemory() }))
  const memory = new Memory()
  const arena = {
    buffer: sys.mem.buffer,
    mem: sys.mem,
    i32: new Int32Array(sys.mem.buffer),
    u32: new Uint32Array(sys.mem.buffer),
    view: sys.view,
    address: 0,
  }
  const t: GuestThread = {
    arena,
    mem: arena.mem,
    i32: arena.i32,
    u32: arena.u32,
    view: arena.view,
    base: BASE,
    proc: 32,
    message: message(),
    outs: newOutList(),
    wants: newWantList(),
    pass: 0,
    bump: 0,
    end: 0,
    nr: 59,
    step: 0,
    local: null,
    nops: 0,
  }
  const host: { path: string; bytes: Uint8Array | null; open: boolean }[] = []
  const told: Record<string, unknown> = {}
  const text = (k: number) => sys.text({ offset: uint(t.message, k), length: high(t.message, k) })
  const content = (handle: number, at: number, length: number): Uint8Array => {
    const f = host[handle] as (typeof host)[number]
    if (f.bytes !== null) return f.bytes.subarray(at, at + length)
    const fd = openSync(f.path, 'r')
    const bytes = new Uint8Array(length)
    const n = readSync(fd, bytes, 0, length, at)
    closeSync(fd)
    return bytes.subarray(0, n)
  }
  const fs: CallVector = {
    [FS.EXECOPEN]: m => {
      const path = text(1)
      told.dirfd = int(m, 0)
      told.flags = int(m, 2)
      const given = files[path]
      if (given === undefined && (path === '' || !existsSync(path))) return -E.NOENT
      if (given === undefined && !statSync(path).isFile()) return -E.ACCES
      setInt(m, 1, path.endsWith('.suid') ? 0 : -1)
      setInt(m, 2, -1)
      return (
        host.push({
          path,
          bytes: given === undefined ? null : typeof given === 'string' ? Buffer.from(given, 'latin1') : given,
          open: true,
        }) - 1
      )
    },
    [FS.EXECREAD]: m => {
      const bytes = content(int(m, 0), long(m, 3), int(m, 2))
      sys.mem.set(bytes, uint(m, 1))
      return bytes.length
    },
    [FS.EXECMAP]: m => {
      const handle = int(m, 0)
      setLong(m, 2, 500 + handle)
      setLong(m, 3, 0xfe00)
      return 100 + handle
    },
    [FS.EXECPATH]: m => {
      const path = (host[int(m, 0)] as { path: string }).path
      for (let i = 0; i < path.length; i++) sys.mem[uint(m, 1) + i] = path.charCodeAt(i)
      return path.length
    },
    [FS.EXECED]: () => {
      told.args = text(2)
      told.env = text(3)
      return 0
    },
    [FS.EXECCLOSE]: m => {
      const f = host[int(m, 0)] as { open: boolean }
      expect(f.open).toBe(true)
      f.open = false
      return 0
    },
    [FS.FCNTL]: m => (int(m, 0) === 7 ? 1 : 0),
  }
  const pm: CallVector = {
    [PM.GETRLIMIT]: m => {
      put64(t, uint(m, 1), options.stack ?? 8 << 20)
      return 0
    },
    [PM.GETRANDOM]: m => {
      for (let i = 0; i < high(m, 0); i++) sys.mem[uint(m, 0) + i] = i * 37 + 11
      return high(m, 0)
    },
    [PM.LASTWORDS]: () => 0,
    [PM.EXEC]: m => {
      told.exec = [int(m, 0), int(m, 1), int(m, 2), text(3), text(4)]
      return 0
    },
    [PM.GETCRED]: m => {
      sys.mem.fill(0, uint(m, 1), uint(m, 1) + high(m, 1))
      sys.view.setUint32(uint(m, 1), 1000, true)
      sys.view.setUint32(uint(m, 1) + 4, told.exec && (told.exec as number[])[0] === 0 ? 0 : 1000, true)
      return 0
    },
    [PM.FAULT]: m => {
      told.fault = [int(m, 0), int(m, 1)]
      return SUSPEND
    },
  }
  const kernel = {
    endpoint: () => GUEST,
    call: (_proc: number, slot: number) => {
      const type = t.message[TYPE] as number
      if (slot === SLOT.VM) return sys.deliver(t.message, GUEST)
      const handler = (slot === SLOT.FS ? fs : pm)[type]
      if (handler === undefined) throw new Error(`no stub for ${type.toString(16)}`)
      return handler(t.message, GUEST)
    },
  } as unknown as Kernel
  sys.results.vmctl = (_endpoint, op, a0, a1, a2, a3, a4, file, offset) => {
    pushOp(t, op as number, a0, a1, a2, a3, file === -1 ? -1 : (file as number), offset as number)
    void a4
    return 0
  }
  let hostless = false
  const c: LinuxContainer = {
    kernel,
    arena,
    hwcap: 0x178bfbff,
    clockTick: 100,
    imageThread: thread => {
      if (!hostless) pushOp(thread, OP.RESET)
      return thread
    },
  }
  /** Carry the op list out: index of the op that failed, or -1. */
  function run(): number {
    const n = t.nops
    for (let i = 0; i < n; i++) {
      const o = BASE + CH.OPS + i * OP_BYTES
      const a = (k: number) => get64(t, o + OPF.A + k * 8)
      const code = t.u32[o >> 2] as number
      let result = 0
      if (options.fail?.(code)) return i
      if (code === OP.RESET) memory.pages.clear()
      else if (code === OP.MMAP) memory.map(a(0), a(1), a(4) < 0 ? null : content(a(4) - 100, a(5), a(1)))
      else if (code === OP.ZERO) result = memory.write(a(0), new Uint8Array(a(1))) === a(1) ? 0 : -E.FAULT
      else if (code === OP.COPYOUT)
        result = memory.write(a(0), sys.mem.slice(BASE + a(1), BASE + a(1) + a(2))) === a(2) ? a(2) : -E.FAULT
      else if (code === OP.COPYIN) {
        const bytes = memory.read(a(0), a(2))
        expect(a(1) + a(2)).toBeLessThanOrEqual(SLOT_BYTES)
        sys.mem.set(bytes, BASE + a(1))
        result = bytes.length
      } else if (code !== OP.SETFS && code !== OP.MUNMAP) throw new Error(`op ${code}`)
      put64(t, o + OPF.RESULT, result)
      if (result < 0 && (t.u32[(o + OPF.FLAGS) >> 2] as number) === 0) return i
    }
    return -1
  }
  /** Run a local call to its end, as dispatch.ts does. */
  function drive(local: LocalCall, first: number | null): { result: number; rounds: number } {
    let rounds = 0
    let r = first ?? local(c, t, -1)
    while (r === MORE) {
      expect(++rounds).toBeLessThan(200)
      const failed = run()
      if (failed < 0) t.nops = 0
      r = local(c, t, failed)
    }
    if (r === RESUME) expect(run()).toBe(-1)
    return { result: r, rounds }
  }
  sys.call(VM.EXECNEW, EP.PM, [GUEST])
  let top = DATA
  memory.map(DATA, 1 << 20, null)
  /** Bytes into the calling program's memory. */
  const put = (bytes: Uint8Array | string): number => {
    const b = typeof bytes === 'string' ? Buffer.from(`${bytes}\0`, 'latin1') : bytes
    const at = top
    memory.write(at, b)
    top += (b.length + 7) & ~7
    return at
  }
  const array = (list: number[]): number => put(new Uint8Array(new BigUint64Array([...list, 0].map(BigInt)).buffer))
  const strings = (list: string[]): number => array(list.map(put))
  function call(args: number[], local: LocalCall = execve) {
    t.nops = 0
    t.step = 0
    resetWindow(t)
    const registers = [REG.RDI, REG.RSI, REG.RDX, REG.R10, REG.R8]
    for (const [i, a] of args.entries()) setReg(t, registers[i] as number, a)
    const done = drive(local, null)
    if (done.result !== MORE) expect(host.filter(f => f.open)).toEqual([])
    return done
  }
  return {
    t,
    c,
    sys,
    vm,
    memory,
    told,
    host,
    put,
    array,
    strings,
    call,
    exec: (path: string, argv: string[] = [path], env: string[] = []) =>
      call([put(path), strings(argv), strings(env)]).result,
    start: (path: string, argv: string[], env: string[]) => {
      t.nops = 0
      t.step = 0
      resetWindow(t)
      return drive(execve, startImage(c, t, { path, argv, env })).result
    },
    hostless: () => {
      hostless = true
    },
    /** What the new program finds on its stack. */
    stack: () => {
      const sp = reg(t, REG.RSP)
      let at = sp
      const word = () => {
        const b = memory.read(at, 8)
        at += 8
        return Number(new DataView(b.buffer, b.byteOffset, 8).getBigUint64(0, true))
      }
      const string = (a: number) => {
        const b = memory.read(a, Math.min(200000, GUEST_END - a))
        return Buffer.from(b.subarray(0, b.indexOf(0))).toString('latin1')
      }
      const list = () => {
        const out: string[] = []
        for (let p = word(); p !== 0; p = word()) out.push(string(p))
        return out
      }
      expect(sp % 16).toBe(0)
      const argc = word()
      const argv = list()
      expect(argv).toHaveLength(argc)
      const env = list()
      const aux = new Map<number, number>()
      for (let type = word(); type !== AUX.NULL; type = word()) aux.set(type, word())
      return { argv, env, aux, string }
    },
    maps: () => {
      const g = sys.grant(32768)
      return sys
        .text(g, sys.call(VM.MAPS, EP.FS, [GUEST, g, 0, 0]))
        .split('\n')
        .slice(0, -1)
    },
  }
}

const STATIC = ['/bin/busybox', '/sbin/ldconfig.real', '/sbin/ldconfig'].find(p => existsSync(p) && !isScriptFile(p))
function isScriptFile(p: string): boolean {
  return readFileSync(p).subarray(0, 2).toString() === '#!'
}

describe('an image', () => {
  it('of a dynamic program starts in its interpreter', () => {
    const m = boot()
    expect(m.exec('/bin/true', ['true', 'a b', ''], ['PATH=/bin', 'X='])).toBe(RESUME)
    const { argv, env, aux, string } = m.stack()
    expect(argv).toEqual(['true', 'a b', ''])
    expect(env).toEqual(['PATH=/bin', 'X='])
    const base = aux.get(AUX.BASE) as number
    const entry = aux.get(AUX.ENTRY) as number
    const rip = reg(m.t, REG.RIP)
    const ld = readFileSync('/lib64/ld-linux-x86-64.so.2')
    expect(base).toBeGreaterThan(0x700000000000)
    expect(rip).toBe(base + Number(ld.readBigUInt64LE(24)))
    expect(Math.floor(entry / 2 ** 40)).toBeGreaterThanOrEqual(0x55)
    expect(Math.floor(entry / 2 ** 40)).toBeLessThanOrEqual(0x56)
    const phdr = m.memory.read(aux.get(AUX.PHDR) as number, 56)
    expect(Buffer.from(phdr).equals(readFileSync('/bin/true').subarray(64, 120))).toBe(true)
    expect(string(aux.get(AUX.EXECFN) as number)).toBe('/bin/true')
    expect(string(aux.get(AUX.PLATFORM) as number)).toBe('x86_64')
    expect([...m.memory.read(aux.get(AUX.RANDOM) as number, 3)]).toEqual([11, 48, 85])
    expect([aux.get(AUX.UID), aux.get(AUX.SECURE), aux.get(AUX.PAGESZ), aux.get(AUX.CLKTCK), aux.has(33)]).toEqual([
      1000,
      0,
      4096,
      100,
      false,
    ])
    expect([reg(m.t, REG.RAX), reg(m.t, REG.RDX), reg(m.t, REG.RBX), reg(m.t, REG.EFL)]).toEqual([0, 0, 0, 0x202])
    expect(m.told.exec).toEqual([-1, -1, 1, 'true', '/bin/true'])
    expect(m.told.args).toBe('true\0a b\0\0')
    expect(m.told.env).toBe('PATH=/bin\0X=\0')
    const maps = m.maps()
    expect(maps[0]).toMatch(/^[0-9a-f]+-[0-9a-f]+ r--p 00000000 fe:00 500 +\/bin\/true$/)
    expect(maps.at(-1)).toContain('[stack]')
    expect(maps.some(l => l.endsWith('/lib64/ld-linux-x86-64.so.2'))).toBe(true)
  })
  it.skipIf(STATIC === undefined)('of a static program starts in itself', () => {
    const m = boot()
    const path = STATIC as string
    expect(m.exec(path)).toBe(RESUME)
    const { aux } = m.stack()
    expect(aux.get(AUX.BASE)).toBe(0)
    expect(reg(m.t, REG.RIP)).toBe(aux.get(AUX.ENTRY))
    const entry = m.memory.read(reg(m.t, REG.RIP), 16)
    expect(readFileSync(path).indexOf(entry)).toBeGreaterThan(0)
  })
  it('of the dynamic loader itself lies near the top, its heap does not', () => {
    const m = boot()
    expect(m.exec('/lib64/ld-linux-x86-64.so.2')).toBe(RESUME)
    expect(reg(m.t, REG.RIP)).toBeGreaterThan(0x700000000000)
    expect(m.sys.call(VM.BRK, GUEST, [0])).toBeLessThan(0x600000000000)
  })
  it('can be the first of a process', () => {
    const m = boot()
    expect(m.start('/bin/true', ['true'], ['A=1'])).toBe(RESUME)
    expect(m.stack()).toMatchObject({ argv: ['true'], env: ['A=1'] })
    expect(boot().start('/nowhere', ['x'], [])).toBe(-E.NOENT)
    expect(boot().start('/bin/true', ['x'.repeat(7 << 20)], [])).toBe(-E.TOOBIG)
  })
  it('knows a set-user-id program', () => {
    const m = boot({ '/x.suid': readFileSync('/bin/true') })
    expect(m.exec('/x.suid')).toBe(RESUME)
    expect((m.told.exec as unknown[]).slice(0, 3)).toEqual([0, -1, 0])
    expect(m.stack().aux.get(AUX.SECURE)).toBe(1)
  })
})

describe('arguments', () => {
  it('many, long and scattered, in several rounds', () => {
    const m = boot({}, { stack: 64 << 20 })
    const argv = Array.from({ length: 300 }, (_, i) => `${i}:${'x'.repeat((i * 37) % 900)}`)
    const env = [`LONG=${'y'.repeat(131066)}`, ...Array.from({ length: 200 }, (_, i) => `V${i}=${i}`)]
    const order = argv.map((_, i) => (i * 71) % argv.length)
    const pointers: number[] = []
    for (const i of order) {
      pointers[i] = m.put(argv[i] as string)
      m.put(new Uint8Array((i % 5) * 400))
    }
    const done = m.call([m.put('/bin/true'), m.array(pointers), m.strings(env)])
    expect(done.result).toBe(RESUME)
    expect(m.stack()).toMatchObject({ argv, env })
    expect(done.rounds).toBeLessThan(16)
  })
  it('of an ordinary shell come in two rounds', () => {
    const m = boot()
    const done = m.call([
      m.put('/bin/true'),
      m.strings(['true', '-x']),
      m.strings(Array.from({ length: 40 }, (_, i) => `NAME${i}=/usr/share/${i}`)),
    ])
    expect(done).toEqual({ result: RESUME, rounds: 2 })
  })
  it('at the end of mapped memory', () => {
    const m = boot()
    const last = DATA + (1 << 20)
    m.memory.write(last - 3, Buffer.from('ab\0'))
    expect(m.call([m.put('/bin/true'), m.array([last - 3]), 0]).result).toBe(RESUME)
    expect(m.stack().argv).toEqual(['ab'])
  })
  it('none: argv[0] is empty', () => {
    const m = boot()
    expect(m.call([m.put('/bin/true'), 0, 0]).result).toBe(RESUME)
    expect(m.stack()).toMatchObject({ argv: [''], env: [] })
  })

  type Make = (m: ReturnType<typeof boot>) => number[]
  const last = DATA + (1 << 20)
  const rows: [name: string, make: Make, expected: number, stack?: number][] = [
    ['null path', () => [0, 0, 0], -E.FAULT],
    ['bad path', () => [0x1234, 0, 0], -E.FAULT],
    ['path beyond the guest range', () => [GUEST_END + 10, 0, 0], -E.FAULT],
    ['path without an end', m => [m.put('x'.repeat(5000)), 0, 0], -E.NAMETOOLONG],
    ['longest path', m => [m.put(`/${'x'.repeat(4094)}`), 0, 0], -E.NOENT],
    ['empty path', m => [m.put(''), 0, 0], -E.NOENT],
    ['missing', m => [m.put('/nowhere'), 0, 0], -E.NOENT],
    ['a directory', m => [m.put('/tmp'), 0, 0], -E.ACCES],
    ['bad argv', m => [m.put('/bin/true'), 0x1234, 0], -E.FAULT],
    ['argv without an end', m => [m.put('/bin/true'), last - 8, 0], -E.FAULT],
    ['bad string', m => [m.put('/bin/true'), m.array([0x1234]), 0], -E.FAULT],
    ['bad string far away', m => [m.put('/bin/true'), m.array([2 ** 47 + 8]), 0], -E.FAULT],
    ['string without an end', m => [m.put('/bin/true'), m.array([last - 2]), 0], -E.FAULT],
    ['bad envp', m => [m.put('/bin/true'), 0, 0x1234], -E.FAULT],
    ['string one too long', m => [m.put('/bin/true'), m.strings(['x'.repeat(131072)]), 0], -E.TOOBIG],
    ['longest string', m => [m.put('/bin/true'), m.strings(['x'.repeat(131071)]), 0], RESUME],
    [
      'too much together',
      m => [m.put('/bin/true'), m.array(new Array(3).fill(m.put('x'.repeat(60000)))), 0],
      -E.TOOBIG,
      65536,
    ],
    ['too many pointers', m => [m.put('/bin/true'), m.array(new Array(20000).fill(m.put(''))), 0], -E.TOOBIG, 65536],
  ]
  it.each(rows)('%s', (_name, make, expected, stack) => {
    const m = boot({}, { stack: stack ?? 8 << 20 })
    m.memory.write(last - 8, new Uint8Array(8).fill(0x20))
    expect(m.call(make(m)).result).toBe(expected)
    expect(m.told.exec === undefined).toBe(expected < 0 && expected !== RESUME)
  })
})

describe('scripts', () => {
  it('get their interpreter, its argument, and their own name', () => {
    const m = boot({ '/s': '#! /bin/true -e -x \nrest' })
    expect(m.exec('/s', ['zero', 'one', 'two'])).toBe(RESUME)
    const { argv, aux, string } = m.stack()
    expect(argv).toEqual(['/bin/true', '-e -x', '/s', 'one', 'two'])
    expect(string(aux.get(AUX.EXECFN) as number)).toBe('/s')
    expect((m.told.exec as unknown[]).slice(3)).toEqual(['s', '/s'])
  })
  it('nest five deep and no more', () => {
    const files: Record<string, string> = { '/1': '#!/bin/true' }
    for (let i = 2; i <= 6; i++) files[`/${i}`] = `#!/${i - 1}\n`
    const m = boot(files)
    expect(m.exec('/5', ['x'])).toBe(RESUME)
    expect(m.stack().argv).toEqual(['/bin/true', '/1', '/2', '/3', '/4', '/5'])
    expect(boot(files).exec('/6', ['x'])).toBe(-E.LOOP)
  })
  const rows: [name: string, content: File, expected: number][] = [
    ['missing interpreter', '#!/nowhere\n', -E.NOENT],
    ['empty interpreter', '#!', -E.ACCES],
    ['no interpreter', '#!  \n', -E.NOEXEC],
    ['an empty file', '', -E.NOEXEC],
    ['a text', 'echo hello\n', -E.NOEXEC],
    ['a truncated program', new Uint8Array(readFileSync('/bin/true').subarray(0, 200)), -E.NOEXEC],
    ['a foreign program', Uint8Array.from(readFileSync('/bin/true'), (b, i) => (i === 18 ? 183 : b)), -E.NOEXEC],
  ]
  it.each(rows)('%s', (_name, content, expected) => {
    expect(boot({ '/s': content }).exec('/s')).toBe(expected)
  })
})

describe('execveat', () => {
  const at = (m: ReturnType<typeof boot>, dirfd: number, path: string, flags: number) =>
    m.call([dirfd, m.put(path), 0, 0, flags], execveat).result
  it('of a descriptor', () => {
    const m = boot({ '': readFileSync('/bin/true') })
    expect(at(m, 5, '', 0x1000)).toBe(RESUME)
    expect([m.told.dirfd, m.told.flags]).toEqual([-100, 0])
    const { aux, string } = m.stack()
    expect(string(aux.get(AUX.EXECFN) as number)).toBe('/dev/fd/5')
  })
  it('of a script whose descriptor exec closes', () => {
    expect(at(boot({ s: '#!/bin/true\n' }), 7, 's', 0)).toBe(-E.NOENT)
    expect(at(boot({ s: '#!/bin/true\n' }), 6, 's', 0)).toBe(RESUME)
  })
  it('with unknown flags', () => {
    expect(at(boot(), -100, '/bin/true', 0x200)).toBe(-E.INVAL)
  })
  it('only to check', () => {
    const m = boot()
    expect(at(m, -100, '/bin/true', 0x10000)).toBe(0)
    expect(m.told.exec).toBeUndefined()
  })
})

describe('failure', () => {
  it('before the point of no return leaves everything as it was', () => {
    const m = boot()
    m.hostless()
    expect(m.exec('/bin/true')).toBe(-E.NOMEM)
    expect(m.told.exec).toBeUndefined()
  })
  it('after it kills', () => {
    const broken = Uint8Array.from(readFileSync('/bin/true'))
    new DataView(broken.buffer).setBigUint64(64 + 2 * 56 + 40, 0n, true) // a PT_LOAD with more in the file than in memory
    for (const m of [boot({ '/b': broken }), boot({}, { fail: op => op === OP.ZERO })]) {
      const big = ['x'.repeat(100000), 'y'.repeat(100000)]
      const path = m.host.length === 0 && m.put('/b') ? '/b' : ''
      const r = m.exec(path, big)
      if (r === -E.NOENT) expect(m.exec('/bin/true', big)).toBe(SUSPEND)
      else expect(r).toBe(SUSPEND)
      expect(m.told.fault).toEqual([11, 0x80])
    }
  })
  it('when the memory limit is reached kills', () => {
    const m = boot()
    m.sys.call(VM.SETLIMIT, EP.PM, [GUEST, 9, 1 << 20])
    expect(m.exec('/bin/true')).toBe(SUSPEND)
    expect(m.told.fault).toEqual([11, 0x80])
  })
})
