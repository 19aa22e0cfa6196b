// npm run soak: stress-ng's safe stressors in a machine, one class after the other, round and round; then nothing may be left.
import { spawnSync } from 'node:child_process'
import { Command, InvalidArgumentError } from 'commander'
import { campaign, run } from './campaign.mjs'

const STRESSORS = ['cpu', 'vm', 'fork', 'pipe', 'sock', 'futex', 'mmap', 'sigq', 'dir']
const options = new Command('soak')
  .description(`stress-ng's ${STRESSORS.join(', ')} inside a machine`)
  .option('--minutes <n>', 'how long', text => {
    if (!(Number(text) > 0)) throw new InvalidArgumentError('a number above 0')
    return Number(text)
  }, 30)
  .option('--only <names>', 'some of them, separated by commas', text => text.split(','), STRESSORS)
  .parse()
  .opts()
if (spawnSync('stress-ng', ['--version']).error) {
  console.error('soak: stress-ng is not installed (apt-get install stress-ng)')
  process.exit(2)
}
const end = Date.now() + options.minutes * 60_000
const seconds = Math.max(2, Math.min(20, Math.floor((options.minutes * 60) / options.only.length)))

await campaign('soak', { memory: 2 * 1024 ** 3, processes: 400 }, async (machine, scratch, failures) => {
  const failed = []
  for (let round = 1; Date.now() < end && failures.length + failed.length === 0; round++)
    for (const name of options.only) {
      if (Date.now() >= end) break
      const argv = ['stress-ng', '--temp-path', scratch, '--no-rand-seed', `--${name}`, '2', '--timeout', `${seconds}s`, '--metrics-brief', '--oom-avoid', '--vm-bytes', '64M', '--mmap-bytes', '64M', '--verify']
      const got = await run(machine, argv, { cwd: scratch })
      const text = got.stdout + got.stderr
      const figures = new RegExp(`\\] ${name}\\s+(\\d+)\\s+[\\d.]+`).exec(text)?.[1]
      console.log(`round ${round}: ${name} ${figures ?? '?'} operations, status ${got.status}`)
      if (got.status !== 0) failed.push(`${name}: status ${got.status}\n${text}`)
    }
  return failed
})
