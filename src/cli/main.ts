// The mol command. Each verb is a file of its own; this one only puts them together. Exit codes: a verb's own, 2 for bad usage.
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { Command, CommanderError } from 'commander'
import { addCompletion } from './completion.ts'
import { addDoctor } from './doctor.ts'
import { addRun } from './run.ts'
import { addTrace } from './trace.ts'

function version(): string {
  const here = path.dirname(fileURLToPath(import.meta.url))
  return JSON.parse(readFileSync(path.join(here, '../package.json'), 'utf8')).version
}

export function program(): Command {
  const mol = new Command('mol')
    .description('A multiserver operating system in user space: runs unmodified Linux programs, copy-on-write over your own files.')
    .version(version(), '-V, --version', 'print the version and nothing else')
    .enablePositionalOptions()
    .showSuggestionAfterError(true)
    .showHelpAfterError('(mol --help shows what there is)')
    .exitOverride()
  addRun(mol)
  addTrace(mol)
  addDoctor(mol)
  addCompletion(mol)
  for (const c of mol.commands) c.exitOverride().showSuggestionAfterError(true)
  return mol
}

try {
  await program().parseAsync(process.argv)
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2
  else {
    process.stderr.write(`mol: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 125
  }
}
