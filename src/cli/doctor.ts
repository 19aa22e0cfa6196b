// mol doctor: what this host lets mol enforce, and how; what is missing and what would mend it. Runs the checks for real.
import { readFileSync } from 'node:fs'
import { release } from 'node:os'
import type { Command } from 'commander'
import { Machine } from '../machine.ts'

export interface Check {
  name: string
  ok: boolean
  needed: boolean
  found: string
  fix?: string
}

const readText = (file: string): string => {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return ''
  }
}

export async function diagnose(): Promise<Check[]> {
  const checks: Check[] = []
  const supported = process.platform === 'linux' && process.arch === 'x64'
  checks.push({ name: 'host', ok: supported, needed: true, found: `${process.platform} ${process.arch}, kernel ${release()}`, ...(supported ? {} : { fix: 'run mol on Linux on x86-64' }) })
  const actions = readText('/proc/sys/kernel/seccomp/actions_avail')
  for (const [action, why] of [['trap', 'system calls of guests reach mol'], ['user_notif', 'each new host process is approved']] as const) {
    const ok = actions.split(' ').includes(action)
    checks.push({ name: `seccomp ${action}`, ok, needed: true, found: ok ? why : `not offered (${actions || 'no seccomp'})`, ...(ok ? {} : { fix: 'a kernel of 5.0 or newer with CONFIG_SECCOMP_FILTER' }) })
  }
  const low = Number(readText('/proc/sys/vm/mmap_min_addr') || '0')
  checks.push({ name: 'call-site patching', ok: low <= 0x60000, needed: false, found: `vm.mmap_min_addr ${low}`, ...(low <= 0x60000 ? {} : { fix: 'sysctl vm.mmap_min_addr=65536; until then every call traps' }) })
  const flags = readText('/proc/cpuinfo').match(/^flags\s*:(.*)$/m)?.[1] ?? ''
  checks.push({ name: 'fsgsbase', ok: flags.includes(' fsgsbase'), needed: false, found: flags.includes(' fsgsbase') ? 'thread pointers switch without a call' : 'absent: a little slower' })
  checks.push({ name: 'user', ok: true, needed: false, found: process.getuid?.() === 0 ? 'root: guests drop all capabilities' : `uid ${process.getuid?.()}, no privilege needed` })
  checks.push(await trial())
  return checks
}

/** A whole machine with /bin/true in it: the one check that counts. */
async function trial(): Promise<Check> {
  const began = performance.now()
  try {
    await using machine = await Machine.boot()
    const exit = await machine.spawn('/bin/true', [], { stdio: 'null' }).exit
    const ok = exit.code === 0
    return { name: 'trial run', ok, needed: true, found: `/bin/true in a machine: exit ${exit.code ?? exit.signal}, ${Math.round(performance.now() - began)} ms` }
  } catch (error) {
    return { name: 'trial run', ok: false, needed: true, found: error instanceof Error ? error.message : String(error), fix: 'see the line above; mol never runs a program unsandboxed' }
  }
}

export function addDoctor(mol: Command): void {
  mol
    .command('doctor')
    .description('say what is enforced on this host and how, and how to mend what is missing')
    .option('--json', 'as JSON')
    .action(async (options: { json?: boolean }) => {
      const checks = await diagnose()
      const ok = checks.every(c => c.ok || !c.needed)
      if (options.json) process.stdout.write(`${JSON.stringify({ ok, checks }, null, 2)}\n`)
      else {
        for (const c of checks) process.stdout.write(`${c.ok ? 'ok     ' : c.needed ? 'MISSING' : 'slower '} ${c.name}: ${c.found}${c.fix ? `\n        fix: ${c.fix}` : ''}\n`)
        process.stdout.write(ok ? 'mol runs here.\n' : 'mol does not run here.\n')
      }
      process.exitCode = ok ? 0 : 125
    })
}
