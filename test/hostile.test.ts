// Hostile guests: the machine and the other guests go on, limits hold, exit statuses are right, no host process is left over.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Machine } from '../src/machine.ts'
import { type Outcome, runIn } from './support/both.ts'

describe('hostile guests', () => {
  let machine: Machine
  let dir: string
  let program: string
  beforeAll(async () => {
    dir = mkdtempSync('/var/tmp/mol-hostile-')
    program = path.join(dir, 'hostile')
    execFileSync('gcc', ['-O1', '-static', '-pthread', '-o', program, path.join(import.meta.dirname, 'hostile/hostile.c')])
    machine = await Machine.boot({ memory: 2 * 1024 ** 3, processes: 60 })
  })
  afterAll(async () => {
    await machine?.close()
    rmSync(dir, { recursive: true, force: true })
  })
  const go = (...args: string[]): Promise<Outcome> => runIn(machine, [program, ...args])

  const CASES: readonly (readonly [string, string[], string | RegExp, string | RegExp])[] = [
    ['writes to address 8', ['crash'], 'SIGSEGV', ''],
    ['divides by zero', ['divide'], 'SIGFPE', ''],
    ['illegal instruction', ['illegal'], 'SIGILL', ''],
    ['no stack at all', ['stack'], 'SIGSEGV', ''],
    ['fork bomb meets EAGAIN', ['fork-bomb'], '0', 'EAGAIN after some: 1\n'],
    ['memory meets ENOMEM', ['memory'], '0', 'ENOMEM: 1\n'],
    ['calls every number at random', ['calls', '3'], '0', 'survived\n'],
    ['garbage over its channel', ['garbage'], /./, /.*/],
    ['jumps into the stub', ['jump'], /./, /^(unmap 0 remap 0 ptrace 0\n|no syscall;ret in the stub\n|)$/],
    ['unmaps stub and channel', ['unmap'], '0', /^\d+ \d+ \d+ \d+\n$/],
    ['birth out of order', ['birth'], '0', ''],
    ['int 0x80 and x32', ['int80'], '0', 'int80 -38\nx32 -38\n'],
    ['a thread ends behind our back', ['vanish'], '4', 'goes on\n'],
    ['threads lie about who they are', ['lie'], '5', ''],
    ['threads write rubbish over each other’s channels', ['wreck'], /./, /.*/],
    ['thread bomb meets EAGAIN', ['thread-bomb'], '0', 'EAGAIN after some: 1\n'],
    ['a thread out of order', ['thread-birth'], '0', ''],
    ['forged signal frame', ['frame'], /SIGSEGV|SIGKILL|SIGILL|SIGBUS/, ''],
  ]
  for (const [name, args, status, stdout] of CASES) {
    test(name, { timeout: 60_000 }, async () => {
      const got = await runIn(machine, [program, ...args], { timeout: args[0] === 'calls' ? 50_000 : 10_000 })
      if (typeof status === 'string') expect(got.status).toBe(status)
      else expect(got.status).toMatch(status)
      if (typeof stdout === 'string') expect(got.stdout).toBe(stdout)
      else expect(got.stdout).toMatch(stdout)
      // the machine lives: what is left of a fork bomb is killed, and another guest runs as if nothing had been
      await runIn(machine, ['/bin/sh', '-c', 'kill -9 -1'], {})
      expect(await runIn(machine, ['/bin/sh', '-c', 'echo alive; exit 3'])).toEqual({ stdout: 'alive\n', stderr: '', status: '3' })
    })
  }

  test('socket calls with random operands leave nothing behind', { timeout: 60_000 }, async () => {
    const sockets = path.join(dir, 'sockets')
    execFileSync('gcc', ['-O1', '-w', '-static', '-pthread', '-o', sockets, path.join(import.meta.dirname, 'hostile/sockets.c')])
    const got = await runIn(machine, [sockets, '3', '7'], { timeout: 50_000 })
    expect(got).toEqual({ stdout: 'survived\n', stderr: '', status: '0' })
    const left = await runIn(machine, ['/bin/sh', '-c', 'head -2 /proc/net/sockstat; cat /proc/net/unix'])
    expect(left.stdout).toMatch(/^sockets: used 0\nTCP: inuse 0 orphan 0 tw \d+ alloc 0 mem 0\nNum .*\n$/)
  })

  describe('memory by hand', () => {
    const MEMORY: readonly (readonly [how: string, status: string, stdout: string])[] = [
      ['map', '0', 'ENOMEM after some: 1\n'],
      ['noreserve', '0', 'ENOMEM after some: 1\n'],
      ['cycle', 'SIGKILL', ''],
      ['sparse', 'SIGKILL', ''],
      ['many', '0', 'most killed: 1\n'],
      ['shared', '0', '0\n0\n0\n0\n'],
    ]
    let small: Machine
    beforeAll(async () => {
      execFileSync('gcc', ['-O1', '-static', '-o', `${dir}/memory`, path.join(import.meta.dirname, 'hostile/memory.c')])
      small = await Machine.boot({ memory: 256 * 1024 ** 2, processes: 60 })
    })
    afterAll(() => small?.close())
    for (const [how, status, stdout] of MEMORY)
      test(how, { timeout: 60_000 }, async () => {
        const bystander = small.spawn('/bin/sh', ['-c', 'while read x; do echo still here; done'], { stdio: 'pipe' })
        const got = await runIn(small, [`${dir}/memory`, how], { timeout: 30_000 })
        expect(got).toEqual({ stdout, stderr: '', status })
        bystander.stdin?.end('x\n')
        expect(await bystander.exit).toEqual({ code: 0, signal: null })
        await runIn(small, ['/bin/sh', '-c', 'kill -9 -1'], {})
      })
  })

  test('a looping guest can be killed, others run meanwhile', async () => {
    const looping = machine.spawn(program, ['loop'], { stdio: 'null' })
    expect((await go('crash')).status).toBe('SIGSEGV')
    looping.kill('SIGKILL')
    expect(await looping.exit).toEqual({ code: null, signal: 'SIGKILL' })
  })
  test('SIGTERM reaches a looping guest', async () => {
    const looping = machine.spawn(program, ['loop'], { stdio: 'null' })
    await new Promise(r => looping.once('spawn', r))
    looping.kill('SIGTERM')
    expect(await looping.exit).toEqual({ code: null, signal: 'SIGTERM' })
  })
  test('guests killed by the host are guests killed, and the machine goes on', async () => {
    const child = machine.spawn('/bin/sh', ['-c', '/bin/sleep 100; echo status $?'], { stdio: 'null' })
    await new Promise(r => child.once('spawn', r))
    for (const pid of hostGuests()) process.kill(pid, 'SIGKILL') // also the empty ones standing by
    expect(await child.exit).toEqual({ code: null, signal: 'SIGKILL' })
    // one that was dead already when it was taken ends what was to run in it; the next is alive
    const again = { stdout: 'on\n', stderr: '', status: '0' }
    await expect.poll(() => runIn(machine, ['/bin/sh', '-c', 'true; /bin/echo on']), { timeout: 5000 }).toEqual(again)
  })
  test('the machine still works, and closing it leaves no process', async () => {
    expect((await runIn(machine, ['/bin/true'])).status).toBe('0')
    await machine.close()
    expect(hostGuests()).toEqual([])
  })
})

/** Host pids of launcher descendants of this very process. */
function hostGuests(): number[] {
  const all = execFileSync('ps', ['-eo', 'pid=,ppid=,args='])
    .toString()
    .trim()
    .split('\n')
    .map(l => l.trim().split(/\s+/) as [string, string, ...string[]])
  const launchers = all.filter(r => r[1] === String(process.pid) && r.some(word => word.endsWith('/stub.elf'))).map(r => r[0])
  return all.filter(r => launchers.includes(r[1])).map(r => Number(r[0]))
}
