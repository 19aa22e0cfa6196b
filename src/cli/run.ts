// mol run: one program in a machine of its own, docker-like. Exit status: the program's; 125 mol itself failed, 126 not executable,
// 127 not found, 128 + n killed by signal n.
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'
import path from 'node:path'
import type { Command } from 'commander'
import { type Exit, HostTerminal, Machine, type MachineOptions, MolError, type SpawnOptions, type Stdio } from '../machine.ts'
import { addGuestOptions, guestEnv, type GuestOptions, machineOptions, workdir } from './options.ts'

interface RunOptions extends GuestOptions {
  interactive?: boolean
  tty?: boolean
  rm?: boolean
  report?: boolean
}

const EXAMPLES = `
Examples:
  mol run -it bash                        a shell over your own files; nothing you do there changes them
  mol run -- make -j2                     options after the command are the command's
  mol run -v "$PWD:/work" -w /work sh -c 'ls > list'   writes to /work go through
  mol run --root ./rootfs -it sh          another tree as the root
  mol run --report -- ./installer         what it called, and what mol doesn't know

Exit status: the command's own; 125 mol failed, 126 not executable, 127 not found, 128+N killed by signal N.`

export function addRun(mol: Command): void {
  addGuestOptions(mol.command('run').description('run a program inside a fresh machine'))
    .argument('<CMD>', 'program to run')
    .argument('[ARG...]', 'its arguments')
    .option('-i, --interactive', 'keep standard input open (it is, unless you say < /dev/null)')
    .option('-t, --tty', 'give it a terminal of the machine, backed by yours')
    .option('--rm', 'throw the workspace away at the end (always so for now)')
    .option('--report', 'at the end, say on standard error what was called and what is unknown')
    .passThroughOptions()
    .addHelpText('after', EXAMPLES)
    .action(async (command: string, args: string[], options: RunOptions) => {
      process.exitCode = await run(command, args, options)
    })
}

export async function run(command: string, args: string[], options: RunOptions, extra: MachineOptions = {}, listen?: (m: Machine) => void): Promise<number> {
  const terminal = options.tty ? HostTerminal.open(0, 1) : null
  if (options.tty && terminal === null) return fail('the input device is not a terminal (leave out -t, or run it from one)', 125)
  let machine: Machine | null = null
  try {
    machine = await Machine.boot({ ...machineOptions(options), ...(terminal ? { terminal: { input: 0, output: 1, ...terminal.size() } } : {}), ...extra })
    listen?.(machine)
    terminal?.raw()
    return await runIn(machine, command, args, options, terminal)
  } catch (error) {
    return failure(command, error)
  } finally {
    await machine?.close()
    terminal?.restore()
  }
}

async function runIn(machine: Machine, command: string, args: string[], options: RunOptions, terminal: HostTerminal | null): Promise<number> {
  const stdio: Stdio = terminal ? 'tty' : 'inherit'
  const guest = machine.spawn(command, args, { cwd: workdir(options), env: guestEnv(options.env), stdio, ...identity(options) })
  const forward = (['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2'] as const).map(name => {
    const pass = (): void => guest.kill(name)
    process.on(name, pass)
    return () => process.off(name, pass)
  })
  const resized = (): void => {
    if (terminal) {
      const size = terminal.size()
      machine.resize(size.rows, size.columns)
    }
  }
  process.on('SIGWINCH', resized)
  const panicked = new Promise<never>((_, reject) => machine.once('panic', e => reject(e)))
  try {
    const status = exitStatus(await Promise.race([guest.exit, panicked]))
    if (options.report) {
      terminal?.restore()
      await printReport(machine)
    }
    return status
  } finally {
    for (const off of forward) off()
    process.off('SIGWINCH', resized)
  }
}

export function exitStatus(exit: Exit): number {
  if (exit.signal === null) return exit.code ?? 0
  return 128 + (constants.signals[exit.signal as NodeJS.Signals] ?? (Number(exit.signal.slice(3)) || 0))
}

/** -u USER[:GROUP], looked up in the passwd and group files of the tree the guest sees. */
function identity(options: RunOptions): SpawnOptions {
  if (options.user === undefined) return {}
  const [user, group] = options.user.split(':') as [string, string | undefined]
  const etc = path.join(options.root ?? '/', 'etc')
  const row = lookUp(path.join(etc, 'passwd'), user)
  const uid = /^\d+$/.test(user) ? Number(user) : row ? Number(row[2]) : Number.NaN
  if (Number.isNaN(uid)) throw new MolError('EUSER', `no user ${user} in ${etc}/passwd`)
  const groupRow = group === undefined ? undefined : lookUp(path.join(etc, 'group'), group)
  const gid = group === undefined ? Number(row?.[3] ?? uid) : /^\d+$/.test(group) ? Number(group) : groupRow ? Number(groupRow[2]) : Number.NaN
  if (Number.isNaN(gid)) throw new MolError('EUSER', `no group ${group} in ${etc}/group`)
  return { uid, gid, groups: [gid] }
}
function lookUp(file: string, key: string): string[] | undefined {
  try {
    return readFileSync(file, 'latin1')
      .split('\n')
      .map(line => line.split(':'))
      .find(row => row[0] === key || row[2] === key)
  } catch (error) {
    throw new MolError('EUSER', `can't read ${file}`, { cause: error })
  }
}

async function printReport(machine: Machine): Promise<void> {
  const r = await machine.report()
  const lines = [`mol: ${r.calls} calls (${r.traps} trapped, the rest through patched sites), ${r.messages} messages, ${r.sleeps} sleeps`]
  for (const u of r.unknownCalls) lines.push(`mol: not implemented: ${u.name} (${u.nr}), called ${u.times} times, answered ENOSYS`)
  for (const l of r.log) lines.push(`mol: log: ${l}`)
  process.stderr.write(`${lines.join('\n')}\n`)
}

function fail(text: string, status: number): number {
  process.stderr.write(`mol: ${text}\n`)
  return status
}
function failure(command: string, error: unknown): number {
  const code = error instanceof MolError ? error.code : ''
  const text = error instanceof Error ? error.message : String(error)
  if (code === 'ENOENT') return fail(text, 127)
  if (code === 'EACCES' || code === 'ENOEXEC' || code === 'EISDIR' || code === 'ELIBBAD' || code === 'ENOTDIR') return fail(text, 126)
  return fail(text || `${command} could not be run`, 125)
}
