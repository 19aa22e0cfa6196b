// State visibility: everything of a process read and set through the public API, while it runs, blocks, or is stopped; and moved into
// another process.
import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, mkdtempSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type GuestProcess, type Inspector, Machine, MolError, type ThreadState } from '../src/machine.ts'
import { ENV } from './support/both.ts'

const AVX = / avx /.test(readFileSync('/proc/cpuinfo', 'latin1'))

describe('inspect', () => {
  let machine: Machine
  let dir: string
  let program: string
  beforeAll(async () => {
    dir = mkdtempSync('/var/tmp/mol-inspect-')
    program = path.join(dir, 'inspect')
    execFileSync('gcc', ['-O1', '-pthread', ...(AVX ? ['-mavx'] : []), '-o', program, path.join(import.meta.dirname, 'inspect/inspect.c')])
    machine = await Machine.boot()
  })
  afterAll(async () => {
    await machine?.close()
    rmSync(dir, { recursive: true, force: true })
  })

  interface Started {
    guest: GuestProcess
    inspector: Inspector
    go: number
    text: number
    constant: number
    /** All it has written behind the first line, once it has ended. */
    output(): Promise<string>
  }
  /** Runs the program until it has said where things are. */
  async function start(mode: string): Promise<Started> {
    const guest = machine.spawn(program, [mode], { env: ENV })
    let out = ''
    const first = new Promise<string>((resolve, reject) => {
      guest.stdout?.on('data', b => {
        out += b
        if (out.includes('\n')) resolve(out.split('\n')[0] as string)
      })
      guest.exit.then(() => reject(new Error(`${mode} ended`)), reject)
    })
    const closed = new Promise(resolve => guest.stdout?.once('close', resolve))
    const [go, text, constant] = (await first).split(' ').map(Number) as [number, number, number]
    const output = async (): Promise<string> => {
      await guest.exit
      await closed
      return out.slice(out.indexOf('\n') + 1)
    }
    return { guest, inspector: machine.inspect(guest.pid as number), go, text, constant, output }
  }
  /** … and until its registers are as it wants them. */
  async function startSpinning(): Promise<Started> {
    const started = await start('spin')
    await expect.poll(async () => only(await started.inspector.threads()).registers.rbx).toBe(0x1234n)
    return started
  }
  const ONE = new Uint8Array([1, 0, 0, 0])
  const bytes = (s: string): Uint8Array => new TextEncoder().encode(`${s}\0`)
  const only = (threads: ThreadState[]): ThreadState => {
    expect(threads.length).toBe(1)
    return threads[0] as ThreadState
  }

  test('a running process: stopped, read, changed in registers, vector registers and memory, and continued', async () => {
    const { inspector, go, text, constant, output } = await startSpinning()
    await inspector.stop()
    const t = only(await inspector.threads())
    expect(t.place).toBe('held')
    expect(t.registers.rbx).toBe(0x1234n)
    const state = t.extended
    const view = new DataView(state.bytes.buffer)
    const xmm7 = 160 + 7 * 16
    expect(view.getBigUint64(xmm7, true)).toBe(1n)
    view.setBigUint64(xmm7, 0x11n, true)
    if (AVX) {
      const upper = state.components.find(c => c.name === 'avx') as { offset: number }
      expect(view.getBigUint64(upper.offset + 7 * 16 + 8, true)).toBe(4n)
      view.setBigUint64(upper.offset + 7 * 16, 0x33n, true)
    }
    await inspector.setExtended(state.bytes)
    await inspector.setRegisters({ rbx: 0xfedcba9876543210n })
    expect(Buffer.from(await inspector.readMemory(text, 9)).toString()).toBe('as it was')
    await inspector.writeMemory(text, bytes('changed'))
    await inspector.writeMemory(constant, bytes('variable')) // read-only memory too
    await inspector.writeMemory(go, ONE)
    const after = only(await inspector.threads())
    expect(after.registers).toEqual({ ...t.registers, rbx: 0xfedcba9876543210n })
    expect(after.extended.bytes).toEqual(state.bytes)
    await inspector.cont()
    expect(await output()).toBe(`11 2 ${AVX ? '33' : '3'} 4 fedcba9876543210 changed variable\n`)
  })

  test('its memory map, row by row, is that of /proc', async () => {
    const { inspector, go, text, guest } = await start('spin')
    const regions = await inspector.regions()
    const maps = machine.spawn('cat', [`/proc/${guest.pid}/maps`], { env: ENV })
    let shown = ''
    maps.stdout?.on('data', b => {
      shown += b
    })
    await new Promise(resolve => maps.stdout?.once('close', resolve))
    const name = { anonymous: '', file: '', heap: '[heap]', stack: '[stack]' }
    const rwx = (p: number): string => (p & 1 ? 'r' : '-') + (p & 2 ? 'w' : '-') + (p & 4 ? 'x' : '-')
    const rows = regions.map(r => `${r.start.toString(16)}-${r.end.toString(16)} ${rwx(r.protection)}${r.shared ? 's' : 'p'} ${r.file?.path ?? name[r.kind]}`)
    expect(rows).toEqual(shown.trimEnd().split('\n').map(line => line.replace(/^(\S+ \S+) \S+ \S+ \d+ */, '$1 ')))
    const data = regions.find(r => r.start <= text && text < r.end)
    expect(data?.file?.path ?? 'bss').toMatch(/inspect$|bss/)
    const layout = await inspector.layout()
    expect(regions.find(r => r.kind === 'heap')).toMatchObject({ start: layout.heapStart })
    await inspector.writeMemory(go, ONE)
    await guest.exit
  })

  test('a running process goes on while its memory is read', async () => {
    const { inspector, go, text, output } = await startSpinning()
    expect(only(await inspector.threads())).toMatchObject({ place: 'running', registers: { rbx: 0x1234n } })
    expect(await inspector.setRegisters({ rbx: 1n }).catch(e => e.code)).toBe('EBUSY')
    await inspector.writeMemory(text, bytes('on the run'))
    await inspector.writeMemory(go, ONE)
    expect(await output()).toBe('1 2 3 4 1234 on the run constant\n')
  })

  test('a process blocked in a call stays in it, and shows what it waits for', async () => {
    const { guest, inspector, text, output } = await start('read')
    await expect.poll(async () => only(await inspector.threads()).call?.name).toBe('read')
    await inspector.stop()
    const t = only(await inspector.threads())
    expect(t).toMatchObject({ place: 'call', call: { number: 0, name: 'read', moved: 0 } })
    expect(t.call?.arguments.slice(0, 3)).toEqual([0n, expect.any(BigInt), 16n])
    expect(await inspector.readMemory(Number(t.call?.restart), 2)).toEqual(new Uint8Array([0x0f, 0x05]))
    await inspector.writeMemory(text, bytes('while it waits'))
    guest.stdin?.end('typed')
    await inspector.cont()
    expect(await output()).toBe('read 5 typed while it waits\n')
  })

  test('a call in hand ends when registers are set, and is issued again', async () => {
    const { guest, inspector, output } = await start('read')
    await expect.poll(async () => only(await inspector.threads()).call?.name).toBe('read')
    await inspector.stop()
    await inspector.setRegisters({ r15: 0x77n })
    const t = only(await inspector.threads())
    expect(t).toMatchObject({ place: 'held', call: null, registers: { rax: 0n, r15: 0x77n } })
    expect(await inspector.readMemory(t.registers.rip, 2)).toEqual(new Uint8Array([0x0f, 0x05]))
    await inspector.setRegisters({ rdx: 3n })
    await inspector.cont()
    guest.stdin?.end('typed')
    expect(await output()).toBe('read 3 typ as it was\n')
  })

  test('a process stopped by a signal', async () => {
    const { guest, inspector, text, output } = await start('stop')
    await expect.poll(async () => only(await inspector.threads()).place).toBe('boundary')
    const t = only(await inspector.threads())
    expect(t.blocked).toBe(0n)
    expect(new DataView(t.actions.buffer, t.actions.byteOffset).getBigUint64(9 * 32, true)).toBeGreaterThan(0n) // SIGUSR1's handler
    await inspector.writeMemory(text, bytes('in a stop'))
    await inspector.stop()
    guest.kill('SIGUSR1')
    guest.kill('SIGCONT')
    await expect.poll(async () => only(await inspector.threads()).place).toBe('held')
    await inspector.cont()
    expect(await output()).toBe('signal 10\non in a stop\n')
  })

  test('all threads of a process', async () => {
    const { inspector, go, text, output } = await start('threads')
    await expect.poll(async () => (await inspector.threads()).length).toBe(4)
    await inspector.stop()
    const threads = await inspector.threads()
    expect(threads.map(t => t.tid)).toEqual([0, 1, 2, 3].map(i => inspector.pid + i))
    expect(new Set(threads.map(t => t.registers.fsbase)).size).toBe(4)
    expect(threads.every(t => t.tidAddress > 0n && t.robustList > 0n && t.place !== 'running')).toBe(true)
    await inspector.writeMemory(go, ONE)
    await inspector.writeMemory(text, bytes('all'))
    await inspector.cont()
    expect(await output()).toBe('joined all\n')
  })

  test('rewritten call sites show their own bytes, and registers no trampoline', async () => {
    const { inspector, go, output } = await start('calls')
    for (let i = 0; i < 20; i++) {
      await inspector.stop()
      const t = only(await inspector.threads())
      expect(t.registers.rip).toBeGreaterThan(0x100000n)
      const text = (await inspector.regions()).filter(r => r.protection & 4)
      expect(text.some(r => BigInt(r.start) <= t.registers.rip && t.registers.rip < BigInt(r.end))).toBe(true)
      for (const r of text) {
        const code = Buffer.from(await inspector.readMemory(r.start, r.end - r.start))
        const jump = code.indexOf(Buffer.from([0xff, 0x24, 0x25]))
        expect(jump < 0 ? 0 : code.readUInt32LE(jump + 3) >> 16).not.toBe(6)
      }
      await inspector.cont()
    }
    await inspector.writeMemory(go, ONE)
    expect(await output()).toBe('called\n')
  })

  test('all state of a process set in another makes that one go on in its place', async () => {
    const a = await startSpinning()
    await a.inspector.stop()
    await a.inspector.writeMemory(a.text, bytes('moved'))
    const state = structuredClone(await a.inspector.exportState())
    await a.inspector.cont()

    const guest = machine.spawn(program, ['spin'], { env: ENV, stopped: true })
    let out = ''
    guest.stdout?.on('data', b => {
      out += b
    })
    const closed = new Promise(resolve => guest.stdout?.once('close', resolve))
    await new Promise(resolve => guest.once('spawn', resolve))
    const b = machine.inspect(guest.pid as number)
    await b.stop()
    await b.importState(state)
    const t = only(await b.threads())
    expect(t.registers).toEqual(state.threads[0]?.registers)
    expect(t.extended.bytes).toEqual(state.threads[0]?.extended.bytes)
    await b.writeMemory(a.go, ONE)
    await b.cont()
    await a.inspector.writeMemory(a.go, ONE)
    expect(await guest.exit).toEqual({ code: 0, signal: null })
    await closed
    expect(out).toBe('1 2 3 4 1234 moved constant\n')
    expect(await a.output()).toBe(out)
  })

  test('what is blocked is moved as a call to be issued again', async () => {
    const a = await start('read')
    await expect.poll(async () => only(await a.inspector.threads()).call?.name).toBe('read')
    await a.inspector.stop()
    const state = await a.inspector.exportState()
    const guest = machine.spawn('/bin/cat', [], { env: ENV, stopped: true })
    let out = ''
    guest.stdout?.on('data', b => {
      out += b
    })
    const closed = new Promise(resolve => guest.stdout?.once('close', resolve))
    await new Promise(resolve => guest.once('spawn', resolve))
    const b = machine.inspect(guest.pid as number)
    await b.stop()
    await b.importState(state)
    guest.stdin?.end('elsewhere')
    await b.cont()
    await guest.exit
    await closed
    expect(out).toBe('read 9 elsewhere as it was\n')
    a.guest.kill('SIGKILL')
    expect(await a.guest.exit).toEqual({ code: null, signal: 'SIGKILL' })
  })

  test('stopped and killed; errors', async () => {
    const { guest, inspector, go } = await startSpinning()
    await inspector.stop()
    const bad = only(await inspector.threads()).extended.bytes
    bad.fill(0xff, 512 + 8, 512 + 64) // reserved
    expect(await inspector.setExtended(bad).catch(e => e.code)).toBe('EINVAL')
    expect(await inspector.setRegisters({ fsbase: 1n << 62n }).catch(e => e.code)).toBe('EIO')
    expect(await inspector.readMemory(4096, 8).catch(e => e)).toBeInstanceOf(MolError)
    expect(await inspector.readMemory(go, 1 << 30).catch(e => e.code)).toBe('EFAULT')
    guest.kill('SIGKILL')
    expect(await guest.exit).toEqual({ code: null, signal: 'SIGKILL' })
    expect(await inspector.threads().catch(e => e.code)).toBe('ESRCH')
    expect(await machine.inspect(1).stop().catch(e => e.code)).toBe('ESRCH')
  })
})
