// The TypeScript API: several machines at once, streams, aborts, and that closing, or dying, leaves nothing behind.
import { execFileSync, spawn } from 'node:child_process'
import { closeSync, existsSync, fstatSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Machine, MolError } from '../src/machine.ts'
import { ENV, runIn } from './support/both.ts'

let dir: string, places: string
beforeAll(() => {
  dir = mkdtempSync('/var/tmp/mol-machine-')
  places = path.join(dir, 'places') // the machines of other test files come and go in the common one
  mkdirSync(places)
  process.env.TMPDIR = places
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const descriptors = (): string[] => readdirSync('/proc/self/fd')
function processesWith(text: string): string[] {
  return execFileSync('ps', ['-eo', 'stat=,args='])
    .toString()
    .split('\n')
    .filter(l => l.includes(text) && !l.startsWith('Z'))
}

describe('Machine', () => {
  test('await using, streams, exit', async () => {
    await using machine = await Machine.boot()
    const cat = machine.spawn('cat', [], { env: ENV })
    let out = ''
    cat.stdout?.on('data', b => {
      out += b
    })
    cat.stdin?.end('through\n')
    expect(await cat.exit).toEqual({ code: 0, signal: null })
    expect(cat.pid).toBeGreaterThan(1)
    await new Promise(r => setTimeout(r, 20))
    expect(out).toBe('through\n')
  })
  test('several machines do not see one another', async () => {
    await using a = await Machine.boot({ hostname: 'a' })
    await using b = await Machine.boot({ hostname: 'b' })
    const file = path.join(dir, 'shared')
    await Promise.all([runIn(a, ['sh', '-c', `echo A > ${file}; echo A > /tmp/x`]), runIn(b, ['sh', '-c', `echo B > ${file}; echo B > /tmp/x`])])
    const [fromA, fromB] = await Promise.all([runIn(a, ['sh', '-c', `cat ${file} /tmp/x; uname -n`]), runIn(b, ['sh', '-c', `cat ${file} /tmp/x; uname -n`])])
    expect([fromA.stdout, fromB.stdout]).toEqual(['A\nA\na\n', 'B\nB\nb\n'])
    expect(existsSync(file)).toBe(false)
  })
  test('errors are classes with codes', async () => {
    await using machine = await Machine.boot()
    const error = await machine.spawn('nosuch', [], { env: ENV }).exit.catch(e => e)
    expect(error).toBeInstanceOf(MolError)
    expect(error.code).toBe('ENOENT')
    await expect(Machine.boot({ root: '/nosuch/root' })).rejects.toThrow(/no such file/)
    await expect(Machine.boot({ binds: [{ host: '/nosuch', guest: '/x' }] })).rejects.toThrow(/can't bind \/nosuch/)
  })
  test('an AbortSignal ends a process', async () => {
    await using machine = await Machine.boot()
    const abort = new AbortController()
    const sleep = machine.spawn('sleep', ['100'], { env: ENV, signal: abort.signal, stdio: 'null' })
    setTimeout(() => abort.abort(), 30)
    expect(await sleep.exit).toEqual({ code: null, signal: 'SIGKILL' })
  })
  test('standard streams each as asked', async () => {
    await using machine = await Machine.boot()
    for (const stdio of [['null', 'pipe', 'pipe'], ['pipe', 'pipe', 'null'], ['null', 'pipe', 'inherit']] as const) {
      const guest = machine.spawn('sh', ['-c', 'cat; echo out'], { env: ENV, stdio: [...stdio] })
      let out = ''
      guest.stdout?.on('data', b => {
        out += b
      })
      const ended = new Promise(r => guest.stdout?.once('close', r))
      guest.stdin?.end()
      expect(await guest.exit).toEqual({ code: 0, signal: null })
      await ended
      expect(out).toBe('out\n')
    }
  })
  test('a guest that removes /dev/null does not keep others from starting', async () => {
    await using machine = await Machine.boot()
    expect((await runIn(machine, ['sh', '-c', 'rm /dev/null && ls /dev/null'])).status).toBe('2')
    expect(await machine.spawn('true', [], { env: ENV, stdio: 'null' }).exit).toEqual({ code: 0, signal: null })
  })
  test('a report that can’t come any more says so', async () => {
    const machine = await Machine.boot()
    const report = machine.report()
    await machine.close()
    await report.then(
      r => expect(r.calls).toBe(0),
      e => expect(e).toMatchObject({ code: 'ECLOSED' }),
    )
  })
  test('large streams arrive whole, with back-pressure', async () => {
    await using machine = await Machine.boot()
    const got = await runIn(machine, ['sh', '-c', 'head -c 5000000 /dev/zero | tr "\\0" y; wc -c >&2'], { input: 'z'.repeat(3_000_000) })
    expect(got.stdout.length).toBe(5_000_000)
    expect(got.stderr.trim()).toBe('3000000')
  })
  test('close leaves no process, descriptor or file', async () => {
    await (await Machine.boot()).close() // what the first machine of a process loads stays
    const before = descriptors().length
    const workspaces = path.join(places, `mol-${process.getuid?.()}`)
    const filesBefore = readdirSync(workspaces).length
    const machine = await Machine.boot()
    machine.spawn('sh', ['-c', 'sleep 77 & sleep 77 & echo x > /tmp/f; wait'], { env: ENV, stdio: 'null' })
    await new Promise(r => setTimeout(r, 100))
    await machine.close()
    const reused = openSync('/dev/null', 'r') // may get a number the machine had: a second close must not touch it
    await machine.close()
    expect(fstatSync(reused).isCharacterDevice()).toBe(true)
    closeSync(reused)
    expect(() => machine.spawn('true')).toThrow(/closed/)
    for (const end = Date.now() + 10_000; descriptors().length > before && Date.now() < end; ) await new Promise(r => setTimeout(r, 20)) // Node's own are closed later
    expect(descriptors().length).toBeLessThanOrEqual(before)
    expect(readdirSync(workspaces).length).toBe(filesBefore)
    const launchers = execFileSync('ps', ['-o', 'args=', '--ppid', String(process.pid)]).toString()
    expect(launchers).not.toMatch(/stub\.elf/)
  })
  test('kill -9 of the whole process leaves nothing either', async () => {
    const script = path.join(dir, 'victim.mjs')
    writeFileSync(
      script,
      `import { Machine } from '${path.resolve(import.meta.dirname, '../dist/machine.js')}'
       const m = await Machine.boot(); const p = m.spawn('sh', ['-c', 'echo up; while :; do :; done'], { env: { PATH: '/bin' } })
       p.stdout.on('data', () => console.log('up'))`,
    )
    const victim = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, TMPDIR: dir } })
    await new Promise(r => victim.stdout.once('data', r))
    expect(processesWith(`native/build/launcher`).length).toBeGreaterThan(0)
    const launcher = execFileSync('ps', ['-o', 'pid=', '--ppid', String(victim.pid)]).toString().trim().split(/\s+/)[0]
    victim.kill('SIGKILL')
    await new Promise(r => victim.once('exit', r))
    const deadline = Date.now() + 5000
    const alive = (): boolean => processesWith(`stub.elf ${victim.pid}`).length > 0 || readdirSync(path.join(dir, `mol-${process.getuid?.()}`)).length > 0
    while (alive() && Date.now() < deadline) await new Promise(r => setTimeout(r, 20))
    expect(processesWith(`stub.elf ${victim.pid}`)).toEqual([])
    expect(readdirSync(path.join(dir, `mol-${process.getuid?.()}`))).toEqual([])
    expect(launcher).toBeTruthy()
  })
  test('an idle machine uses no processor', async () => {
    await using machine = await Machine.boot()
    machine.spawn('sleep', ['100'], { env: ENV, stdio: 'null' })
    await new Promise(r => setTimeout(r, 400))
    const before = process.cpuUsage()
    await new Promise(r => setTimeout(r, 1000))
    const used = process.cpuUsage(before)
    expect((used.user + used.system) / 1000).toBeLessThan(30)
  })
})
