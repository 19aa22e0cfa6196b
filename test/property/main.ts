// npm run property: a campaign with as many seeds as wanted. Stops at the first difference, prints the script and exits with 1.
import path from 'node:path'
import { Command } from 'commander'
import { Campaigner, describeFailure } from './campaign.ts'
import { CAMPAIGNS } from './campaigns.ts'
import { runProperty } from './run.ts'
import { PROPERTIES } from './table.ts'

const AT_ONCE = 25
const NAMES = [...Object.keys(CAMPAIGNS), ...PROPERTIES.map(one => one[0])]
const command = new Command('property')
  .description('Random scripts, carried out natively and in a machine; both must print the same.')
  .argument('[CAMPAIGN]', NAMES.join(', '), 'processes')
  .option('--seeds <N>', 'how many scripts', '100')
  .option('--seed <N>', 'seed of the first', '1')
  .action(async (name: string, options: { seeds: string; seed: string }) => {
    const property = PROPERTIES.find(one => one[0] === name)
    if (property !== undefined) {
      const last = Number(options.seed) + Number(options.seeds) - 1
      for (let from = Number(options.seed); from <= last; from += AT_ONCE) {
        const found = await runProperty(path.resolve('test/property'), property, from, Math.min(last, from + AT_ONCE - 1))
        if (found === null) continue
        process.stdout.write(`${found}\n`)
        process.exitCode = 1
        return
      }
      process.stdout.write(`${name}: ${options.seeds} seeds, no difference\n`)
      return
    }
    const campaign = CAMPAIGNS[name] ?? command.error(`there is no campaign ${name}: ${NAMES.join(', ')}`)
    const campaigner = new Campaigner(campaign, path.resolve('test/property'))
    const [first, count] = [Number(options.seed), Number(options.seeds)]
    try {
      for (let seed = first; seed < first + count; seed++) {
        const failure = await campaigner.run(seed)
        if (failure === null) continue
        process.stdout.write(describeFailure(failure))
        process.exitCode = 1
        return
      }
      process.stdout.write(`${name}: ${count} scripts, no difference\n`)
    } finally {
      await campaigner.close()
    }
  })
await command.parseAsync()
