// What campaigns share: a machine watched from outside, what it holds (on the host and inside) before and after, and the verdict.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import path from 'node:path'
import { Machine } from '../../dist/machine.js'

const ENV = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/root', LC_ALL: 'C' }
/** Growth of the kernel side's resident memory (MiB) that heaps of V8 explain. */
const RESIDENT_GROWTH = 200

export const collect = stream =>
  new Promise(resolve => {
    let text = ''
    stream.on('data', b => {
      text += b
    })
    stream.once('close', () => resolve(text))
  })

export async function run(machine, argv, options = {}) {
  const guest = machine.spawn(argv[0], argv.slice(1), { env: ENV, stdio: ['null', 'pipe', 'pipe'], ...options })
  const [stdout, stderr, exit] = await Promise.all([collect(guest.stdout), collect(guest.stderr), guest.exit])
  return { stdout, stderr, status: exit.signal ?? exit.code }
}

const statusOf = pid => {
  try {
    return readFileSync(`/proc/${pid}/status`, 'latin1')
  } catch {
    return ''
  }
}
/** All host processes below this one. */
function descendants() {
  const parents = readdirSync('/proc').filter(n => /^\d+$/.test(n)).map(pid => [Number(pid), Number(/^PPid:\t(\d+)/m.exec(statusOf(pid))?.[1])])
  const found = new Set([process.pid])
  for (let grown = -1; grown !== found.size; ) {
    grown = found.size
    for (const [pid, parent] of parents) if (found.has(parent)) found.add(pid)
  }
  return found.size - 1
}
/** Descriptors of ours that are no host file: the file server keeps those it has read open, as many as it may. */
function descriptors() {
  const targets = readdirSync('/proc/self/fd').map(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return '/' // the directory being read
    }
  })
  return targets.filter(t => !t.startsWith('/') || t.startsWith('/memfd:')).length
}
/** What the machine holds now: host processes and descriptors; processes and memory inside. */
export async function holdings(machine) {
  const inside = await run(machine, ['sh', '-c', 'set -- /proc/[0-9]*; echo $#; grep MemFree /proc/meminfo; cat /proc/sys/fs/file-nr 2>/dev/null'])
  const [processes, free, files] = [/^(\d+)/.exec(inside.stdout)?.[1], /MemFree:\s+(\d+)/.exec(inside.stdout)?.[1], /(\d+)\t\d+\t\d+/.exec(inside.stdout)?.[1]]
  globalThis.gc?.()
  return {
    'host processes': descendants(),
    'host descriptors': descriptors(),
    processes: Number(processes),
    'open files': Number(files ?? 0),
    'memory in use, MiB': -Math.round(Number(free) / 1024),
    'resident, MiB': Math.round(Number(/^VmRSS:\s+(\d+)/m.exec(statusOf('self'))?.[1]) / 1024),
  }
}
/** What has grown beyond what may. */
export function leaks(before, after) {
  const slack = { 'host processes': 2, 'host descriptors': 6, processes: 0, 'open files': 0, 'memory in use, MiB': 8, 'resident, MiB': RESIDENT_GROWTH }
  return Object.keys(before).filter(k => !(after[k] - before[k] <= slack[k])).map(k => `${k}: ${before[k]} before, ${after[k]} after`)
}

/** Boot, `work(machine, scratch)`, and look at what is left. Exit code 1 when something is, or the machine failed. */
export async function campaign(name, options, work) {
  const scratch = mkdtempSync(`/var/tmp/mol-${name}-`)
  const machine = await Machine.boot({ hostname: `mol-${name}`, ...options })
  const failures = []
  machine.on('panic', e => failures.push(`the machine failed: ${e.stack ?? e}`))
  try {
    await run(machine, ['true'])
    const before = await holdings(machine)
    failures.push(...(await work(machine, scratch, failures)))
    if (failures.length === 0) {
      let left = []
      for (let looks = 0; looks < 50; looks++) {
        const after = await holdings(machine)
        left = leaks(before, after)
        if (left.length === 0) {
          console.log(Object.entries(after).map(([k, v]) => `${k} ${before[k]} → ${v}`).join('; '))
          break
        }
        await new Promise(r => setTimeout(r, 100)) // what is on its way out may go
      }
      failures.push(...left.map(l => `left over: ${l}`))
    }
    if (!machine.isClosed) for (const line of (await machine.report()).log.slice(-20)) console.log(`log: ${line}`)
  } catch (e) {
    failures.push(String(e.stack ?? e))
  } finally {
    await machine.close()
    rmSync(scratch, { recursive: true, force: true })
  }
  for (const f of failures) console.error(`${name}: ${f}`)
  if (failures.length > 0) process.exitCode = 1
  else console.log(`${name}: nothing failed, nothing left`)
}

export function compile(source, scratch) {
  const program = path.join(scratch, path.basename(source, '.c'))
  execFileSync('cc', ['-O1', '-w', '-static', '-pthread', '-o', program, path.join(import.meta.dirname, source)])
  return program
}
