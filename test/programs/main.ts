// npm run fluke, npm run programs: every row of a table natively and in a machine, printed as a table. Exit status 1 when any differs.
import { Command } from 'commander'
import { Comparison, type Result } from './compare.ts'
import { FLUKE } from './fluke.ts'
import { SHELL } from './shell.ts'
import type { Row } from './table.ts'
import { TODAY } from './today.ts'

const TABLES: Readonly<Record<string, readonly Row[]>> = { fluke: FLUKE, shell: SHELL, today: TODAY }
interface Options {
  only: string[]
  json?: boolean
  list?: boolean
}

const command = new Command('programs')
  .description('Runs every program of a table natively and in a machine and compares output, exit status and files.')
  .argument('[TABLE]', Object.keys(TABLES).join(', '), 'fluke')
  .option('--only <NAME>', 'this row only; may be given again', (name: string, all: string[]) => [...all, name], [])
  .option('--json', 'one JSON object a line')
  .option('--list', 'print the names of the rows and the packages they need')
  .action(async (name: string, options: Options) => {
    const table = TABLES[name]
    if (table === undefined) command.error(`there is no table ${name}: ${Object.keys(TABLES).join(', ')}`)
    const rows = options.only.length === 0 ? table : options.only.map(only => table.find(row => row[0] === only) ?? command.error(`table ${name} has no row ${only}`))
    if (options.list) for (const [program, packages] of rows) process.stdout.write(`${program}: ${packages}\n`)
    else process.exitCode = await runAll(rows, options.json ? printJson : printRow)
  })
await command.parseAsync()

async function runAll(rows: readonly Row[], print: (result: Result) => void): Promise<number> {
  const comparison = new Comparison()
  const results: Result[] = []
  for (const row of rows) {
    const result = await comparison.run(row)
    results.push(result)
    print(result)
  }
  await comparison.close()
  const count = (kind: Result['result']): number => results.filter(r => r.result === kind).length
  const absent = [...new Set(results.filter(r => r.result === 'not installed').flatMap(r => r.details))]
  process.stderr.write(`${count('same')} same, ${count('differs')} differ, ${count('not installed')} not installed\n`)
  if (absent.length > 0) process.stderr.write(`for all rows: apt-get install --no-install-recommends ${absent.join(' ')}\n`)
  return count('differs') > 0 ? 1 : 0
}

function printJson(result: Result): void {
  process.stdout.write(`${JSON.stringify(result)}\n`)
}
function printRow({ program, result, native, mol, details }: Result): void {
  const times = result === 'not installed' ? '' : `${ms(native)} ms native ${ms(mol)} ms mol  x${(mol / native).toFixed(1)}`
  process.stdout.write(`${program.padEnd(24)} ${result.padEnd(14)}${times}\n`)
  for (const detail of details) process.stdout.write(`    ${detail}\n`)
}
function ms(n: number): string {
  return n.toFixed(0).padStart(7)
}
