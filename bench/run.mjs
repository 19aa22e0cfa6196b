// npm run bench: the same micro-benchmarks natively and in a machine, in turn, so that a noisy host hurts both; best of the rounds.
// Prints a table with ratios; --json for machines, --write updates docs/benchmarks.md, --quick for one short round, NAME… for some rows.
import { execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, release } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Machine } from '../dist/machine.js'

const here = path.dirname(fileURLToPath(import.meta.url))
const flags = new Set(process.argv.slice(2).filter(a => a.startsWith('--')))
const names = process.argv.slice(2).filter(a => !a.startsWith('--'))
const rounds = flags.has('--quick') ? 1 : 3
/** gVisor systrap (runsc 20240729), its ratio to native, measured on the same kind of machine in an earlier run. */
const GVISOR = {
  null_patched: 24.5,
  stat: 4.43,
  stat_enoent: 5.82,
  open_close: 3.37,
  read_64k: 1.62,
  write1_null: 4.81,
  pipe_round_trip: 3.54,
  fork_wait: 9.25,
  fork_exec_static: 6.91,
  vfork_exec_static: 4.79,
  create_write_unlink: 3.21,
}

const dir = mkdtempSync('/var/tmp/mol-bench-')
process.on('exit', () => rmSync(dir, { recursive: true, force: true }))
for (const name of ['micro', 'true'])
  execFileSync('cc', ['-O2', '-static', '-w', '-o', path.join(dir, name), path.join(here, `${name}.c`)])
writeFileSync(path.join(dir, 'file'), Buffer.alloc(200_000, 7))
const argv = [path.join(dir, 'micro'), path.join(dir, 'true'), path.join(dir, 'file'), ...names]

const collect = stream =>
  new Promise(resolve => {
    let text = ''
    stream.on('data', b => {
      text += b
    })
    stream.once('close', () => resolve(text))
  })
async function native() {
  return collect(spawn(argv[0], argv.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] }).stdout)
}
async function inside(machine) {
  const guest = machine.spawn(argv[0], argv.slice(1), { stdio: ['null', 'pipe', 'inherit'] })
  const [text] = await Promise.all([collect(guest.stdout), guest.exit])
  return text
}
function keepBest(best, text) {
  for (const line of text.trim().split('\n').filter(Boolean)) {
    const [name, unit, value] = line.split(' ')
    const old = best.get(name)
    if (!old || Number(value) < old.value) best.set(name, { unit, value: Number(value) })
  }
}

const best = { native: new Map(), mol: new Map() }
for (let round = 0; round < rounds; round++) {
  process.stderr.write(`round ${round + 1} of ${rounds}\r`)
  keepBest(best.native, await native())
  const machine = await Machine.boot()
  keepBest(best.mol, await inside(machine))
  await machine.close()
}
const rows = [...best.native].map(([name, n]) => {
  const m = best.mol.get(name)
  return {
    name,
    unit: n.unit,
    native: n.value,
    mol: m?.value ?? Number.NaN,
    ratio: (m?.value ?? Number.NaN) / n.value,
    gvisor: GVISOR[name],
  }
})

async function bootTime() {
  const times = []
  for (let i = 0; i < (rounds === 1 ? 3 : 8); i++) {
    const began = performance.now()
    const machine = await Machine.boot()
    await machine.spawn(path.join(dir, 'true'), [], { stdio: 'null' }).exit
    times.push(performance.now() - began)
    await machine.close()
  }
  return times.sort((a, b) => a - b)
}
/** CPU milliseconds this process uses in one second with an idle machine in it. */
async function idleCpu() {
  const machine = await Machine.boot()
  const guest = machine.spawn('/bin/sleep', ['30'], { stdio: 'null' })
  await new Promise(r => setTimeout(r, 1500))
  const before = process.cpuUsage()
  await new Promise(r => setTimeout(r, 1000))
  const used = process.cpuUsage(before)
  guest.kill('SIGKILL')
  await guest.exit
  await machine.close()
  return (used.user + used.system) / 1000
}
const boots = await bootTime()
const idle = await idleCpu()
const extra = { boot_ms_best: boots[0], boot_ms_median: boots[boots.length >> 1], idle_cpu_ms_per_s: idle }
let kernel = []
try {
  kernel = JSON.parse(
    execFileSync(process.execPath, ['--expose-gc', path.join(here, '../dist/bench-kernel.js'), '--json'], { encoding: 'utf8' }),
  )
} catch (error) {
  process.stderr.write(`kernel benchmark failed: ${error.message}\n`)
}

if (flags.has('--json')) process.stdout.write(`${JSON.stringify({ rows, ...extra, kernel }, null, 2)}\n`)
else process.stdout.write(table())
if (flags.has('--write')) {
  const file = path.join(here, '../docs/benchmarks.md')
  const text = readFileSync(file, 'utf8')
  const [head] = text.split('<!-- measured -->')
  writeFileSync(
    file,
    `${head}<!-- measured -->\n\n${new Date().toISOString().slice(0, 10)}, ${cpus().length} × ${cpus()[0].model}, Linux ${release()}, Node ${process.version}; best of ${rounds} rounds.\n\n${table()}`,
  )
}
function table() {
  const f = v => (v >= 100 ? v.toFixed(0) : v >= 10 ? v.toFixed(1) : v.toFixed(2))
  const lines = ['| item | unit | native | mol | ratio | gVisor systrap ratio |', '|---|---|---|---|---|---|']
  for (const r of rows)
    lines.push(
      `| ${r.name} | ${r.unit} | ${f(r.native)} | ${f(r.mol)} | ${f(r.ratio)}× | ${r.gvisor ? `${r.gvisor}×` : ''} |`,
    )
  lines.push(
    '',
    '| item | value |',
    '|---|---|',
    `| boot to the end of a first static program, best / median | ${f(boots[0])} / ${f(extra.boot_ms_median)} ms |`,
    `| CPU used by an idle machine | ${f(idle)} ms per second |`,
  )
  for (const k of kernel)
    lines.push(`| ${k.name} | ${k.value >= 1000 ? Math.round(k.value).toLocaleString('en') : f(k.value)} ${k.unit} |`)
  return `${lines.join('\n')}\n`
}
process.exit(0)
