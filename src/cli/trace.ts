// mol trace: run a program and print its system calls, for people who read strace.
import { createWriteStream } from 'node:fs'
import { type Command, InvalidArgumentError } from 'commander'
import { FilterError, parseFilter } from '../machine.ts'
import { addGuestOptions, type GuestOptions } from './options.ts'
import { run } from './run.ts'

interface TraceOptions extends GuestOptions {
  output?: string
  follow?: boolean
  summary?: boolean
  expression?: string
  stringLimit?: number
  time?: boolean
  relative?: boolean
  duration?: boolean
  json?: boolean
  tty?: boolean
}

const EXAMPLES = `
Examples:
  mol trace -- ls                              every call of ls, on standard error
  mol trace -f -o build.trace -- make          with children, into a file
  mol trace -c -- git status                   a table of calls, errors and time
  mol trace -e trace=%file,connect -- curl …   only these`

export function addTrace(mol: Command): void {
  addGuestOptions(mol.command('trace').description('run a program and print its system calls as strace does'), '--env')
    .argument('<CMD>', 'program to run')
    .argument('[ARG...]', 'its arguments')
    .option('-f, --follow', 'children too')
    .option('-o, --output <FILE>', 'write the trace to FILE instead of standard error')
    .option('-c, --summary', 'only a table of counts, errors and times')
    .option('-e, --expression <EXPR>', 'trace=SET: names, %file %process %desc %network %signal %memory, !SET, /regex', filter)
    .option('-s, --string-limit <N>', 'longest string to print', number, 32)
    .option('-t, --time', 'time of day on each line')
    .option('-r, --relative', 'time since the line before')
    .option('-T, --duration', 'time spent in each call')
    .option('--json', 'JSON Lines instead of text')
    .option('--tty', 'give it a terminal of the machine')
    .passThroughOptions()
    .addHelpText('after', EXAMPLES)
    .action(async (command: string, args: string[], o: TraceOptions) => {
      const out = o.output === undefined ? process.stderr : createWriteStream(o.output)
      const opened = new Promise<void>((resolve, reject) => {
        if (out === process.stderr) resolve()
        else out.once('open', () => resolve()).once('error', reject)
      })
      await opened
      const trace = {
        ...(o.expression ? { expression: o.expression } : {}),
        summary: o.summary ?? false,
        json: o.json ?? false,
        stringLimit: o.stringLimit ?? 32,
        timestamps: o.time ? ('clock' as const) : o.relative ? ('relative' as const) : ('none' as const),
        durations: o.duration ?? false,
        follow: o.follow ?? false,
      }
      process.exitCode = await run(command, args, o, { trace }, machine => machine.on('trace', (text: string) => out.write(text)))
      if (out !== process.stderr) await new Promise<void>(resolve => out.end(() => resolve()))
    })
}
function filter(text: string): string {
  try {
    parseFilter(text)
  } catch (error) {
    if (error instanceof FilterError) throw new InvalidArgumentError(error.message)
    throw error
  }
  return text
}
function number(text: string): number {
  const n = Number(text)
  if (!Number.isInteger(n) || n < 0) throw new InvalidArgumentError('it must be a whole number.')
  return n
}
