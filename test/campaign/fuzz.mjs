// npm run fuzz: random calls with nearly right arguments in random processes. While it runs another guest must be answered all the time;
// afterwards nothing may be left. The seed is printed: the same one makes the same processes.
import { Command, InvalidArgumentError } from 'commander'
import { campaign, compile, run } from './campaign.mjs'

const positive = text => {
  if (!(Number(text) > 0)) throw new InvalidArgumentError('a number above 0')
  return Number(text)
}
const options = new Command('fuzz')
  .description('random system calls in random processes of a machine')
  .option('--minutes <n>', 'how long', positive, 1)
  .option('--seed <n>', 'first seed', positive, Date.now() % 1e9)
  .option('--workers <n>', 'processes at a time', positive, 6)
  .parse()
  .opts()

console.log(`seed ${options.seed}, ${options.minutes} min`)
await campaign('fuzz', { memory: 4 * 1024 ** 3, processes: 100 }, async (machine, scratch, failures) => {
  const program = compile('fuzz.c', scratch)
  let over = false
  const patience = 60_000
  const fuzzing = run(machine, [program, options.seed, Math.ceil(options.minutes * 60), options.workers, 'inside', scratch].map(String)).finally(() => {
    over = true
  })
  let slowest = 0
  const watch = async () => {
    while (!over && failures.length === 0) {
      const since = Date.now()
      const late = setTimeout(() => failures.push(`another guest has not been answered for ${patience / 1000} s`), patience)
      const alive = await run(machine, ['sh', '-c', 'echo alive'])
      clearTimeout(late)
      slowest = Math.max(slowest, Date.now() - since)
      if (alive.stdout !== 'alive\n') {
        const state = await run(machine, ['sh', '-c', 'head -3 /proc/meminfo; ipcs -m | tail -n +4; ps -e -o pid,ppid,stat,rss,comm | head -30; ulimit -a'])
        return [`another guest: ${JSON.stringify(alive)}\n${state.status} ${state.stdout}${state.stderr}`]
      }
      await new Promise(r => setTimeout(r, 250))
    }
    return []
  }
  const [{ stdout, stderr, status }, found] = await Promise.all([fuzzing, watch()])
  console.log(`${stdout.trim()}; another guest answered within ${slowest} ms`)
  await run(machine, ['sh', '-c', `rm -rf ${scratch}/*; for i in $(ipcs -m | awk '/^0x/{print $2}'); do ipcrm -m $i; done; for i in $(ipcs -s | awk '/^0x/{print $2}'); do ipcrm -s $i; done; for i in $(ipcs -q | awk '/^0x/{print $2}'); do ipcrm -q $i; done`])
  return status === 0 ? found : [...found, `the fuzzer ended with ${status}: ${stderr}`]
})
