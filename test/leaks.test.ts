// Everything that can be read in /proc and /sys inside a machine, as root and as an ordinary user: nothing of the host shows, and nothing of
// root's to the user. What the base holds (/etc/machine-id, say) is the base's and may be read; it must not turn up here.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { hostname, networkInterfaces } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Machine } from '../src/machine.ts'
import { ENV, runIn, scratch } from './support/both.ts'

const SECRET = 'what-only-the-hosts-environment-holds'
const ROOTS = 'what-only-roots-environment-holds'
const INSIDE = 'name-inside'
/** EPERM ENOENT ESRCH EIO EACCES EINVAL: what may be answered to a look. */
const REFUSALS = [1, 2, 3, 5, 13, 22]

interface Item {
  kind: string
  path: string
  text: string
}
/** What walk.c prints. */
function parse(output: string): { items: Item[]; errors: string[] } {
  const items: Item[] = []
  const errors: string[] = []
  for (let at = 0; at < output.length; ) {
    const end = output.indexOf('\n', at)
    const [kind = '', name = '', bytes = ''] = output.slice(at, end).split(' ')
    at = end + 1
    if (kind === 'error') {
      if (!REFUSALS.includes(-Number(bytes))) errors.push(`${name} ${bytes}`)
      continue
    }
    items.push({ kind, path: name, text: output.slice(at, at + Number(bytes)) })
    at += Number(bytes) + 1
  }
  return { items, errors }
}

/** A host file without its last newline; '' when there is none. */
function hostFile(name: string): string {
  try {
    return readFileSync(name, 'latin1').trim()
  } catch {
    return ''
  }
}
/** Words that tell this host from another, by what they are. Short ones could stand anywhere. */
function hostFacts(): [what: string, word: string][] {
  const mounts = hostFile('/proc/self/mounts').split('\n').flatMap(line => line.split(' ').slice(0, 2))
  const inside = ['/', '/proc', '/sys', '/dev', '/dev/pts', '/dev/shm', '/dev/mqueue', '/tmp']
  const addresses = Object.values(networkInterfaces()).flatMap(list => list ?? []).filter(one => !one.internal).flatMap(one => [one.address, one.mac])
  const facts: [string, string][] = [
    ['host name', hostname()],
    ['environment', SECRET],
    ['boot id', hostFile('/proc/sys/kernel/random/boot_id')],
    ['machine id', hostFile('/etc/machine-id')],
    ['boot time', /^btime (\d+)$/m.exec(hostFile('/proc/stat'))?.[1] ?? ''],
    ['our place', path.resolve(import.meta.dirname, '..')],
    ['launcher', 'stub.elf'],
    ['channel', 'mol-channel'],
    ['info page', 'mol-info'],
    ...hostFile('/proc/cmdline').split(/\s+/).map((word): [string, string] => ['kernel command line', word]),
    ...mounts.filter(word => word.startsWith('/') && !inside.includes(word) && !/^\/(proc|sys)\//.test(word)).map((word): [string, string] => ['mount', word]),
    ...addresses.map((word): [string, string] => ['address', word]),
  ]
  return facts.filter(([, word]) => word.length > 5 && word !== '00:00:00:00:00:00')
}
/** A process id where one is named: beside a word that says so. */
function namesPid(text: string, pid: number): boolean {
  return new RegExp(`(?:[Pp]id|PID|pgid|sid)\\W{1,8}${pid}\\b`).test(text)
}

describe('host facts', () => {
  const { dir, remove } = scratch()
  const walker = path.join(dir, 'walk')
  let machine: Machine
  beforeAll(async () => {
    execFileSync('gcc', ['-O1', '-w', '-static', '-o', walker, path.join(import.meta.dirname, 'support', 'walk.c')])
    process.env.MOL_TEST_SECRET = SECRET
    machine = await Machine.boot({ hostname: INSIDE })
  })
  afterAll(async () => {
    await machine?.close()
    delete process.env.MOL_TEST_SECRET
    remove()
  })
  const walk = async (uid: number) => {
    const other = machine.spawn('sleep', ['600'], { cwd: '/', env: { ...ENV, ROOTS } })
    try {
      const out = await runIn(machine, [walker, '/proc', '/sys'], { uid, gid: uid })
      expect(out).toMatchObject({ status: '0', stderr: '' })
      return { ...parse(out.stdout), other: other.pid as number }
    } finally {
      other.kill('SIGKILL')
      await other.exit
    }
  }

  for (const [who, uid, least] of [['root', 0, 400], ['an ordinary user', 1000, 300]] as const)
    test(who, async () => {
      const { items, errors, other } = await walk(uid)
      expect(errors).toEqual([])
      expect(items.filter(i => i.kind === 'file').length).toBeGreaterThan(least)
      const find = (word: string): string[] => items.filter(i => i.text.includes(word) || i.path.includes(word)).map(i => i.path)
      const facts = hostFacts()
      expect(facts.length).toBeGreaterThan(6)
      for (const [what, word] of facts) expect([what, word, find(word)]).toEqual([what, word, []])
      const hostPids = [process.pid, process.ppid]
      for (const pid of hostPids) expect(items.filter(i => namesPid(i.text, pid)).map(i => i.path)).toEqual([])
      // only the machine's own processes are there: init, the sleeper, the walker
      const pids = new Set(items.flatMap(i => /^\/proc\/(\d+)$/.exec(i.path)?.[1] ?? []))
      expect(pids.size).toBe(3)
      const programs = items.filter(i => /^\/proc\/\d+\/comm$/.test(i.path)).map(i => i.text)
      expect(programs.sort()).toEqual(['init\n', 'sleep\n', 'walk\n'])
      expect(items.find(i => i.path === '/proc/sys/kernel/hostname')?.text).toBe(`${INSIDE}\n`)
      // root's environment is for root alone
      expect(find(ROOTS)).toEqual(uid === 0 ? [`/proc/${other}/environ`, `/proc/${other}/task/${other}/environ`] : [])
    })
})
