// Scripts for processes.c: trees of processes that signal, stop and wait for each other.
import type { Campaign } from './campaign.ts'
import type { Random } from './random.ts'

const AGENTS = 10
const HANDLED = [1, 10, 12, 15, 17, 18, 20, 21, 34, 36]
const SENT = [0, 1, 2, 9, 10, 10, 12, 15, 17, 18, 18, 19, 19, 20, 21, 22, 28, 34, 36]
const WNOHANG = 1
/** WNOHANG, with WUNTRACED, WCONTINUED, __WALL, __WCLONE. */
const WAITS = [1, 3, 9, 11, 0x40000001, 0x40000003, 0x80000001 | 0]
/** WEXITED, WSTOPPED, WCONTINUED, all with WNOHANG; some with WNOWAIT. */
const WAITIDS = [5, 7, 13, 15, 0x1000005, 0x100000f, 1, 3]

const agent = (r: Random): number => 1 + r.below(AGENTS - 1)
const line = (r: Random): string => {
  const by = r.below(12) === 0 ? 0 : agent(r)
  return `${by} ${r.weighted(by === 0 ? ROOT : COMMANDS)(r)}`
}
type Command = (r: Random) => string
const COMMANDS: readonly (readonly [number, Command])[] = [
  [14, r => `fork ${agent(r)} ${r.of([17, 17, 17, 17, 0, 12])}`],
  [14, r => `kill ${agent(r)} ${r.of(SENT)}`],
  [5, r => `kill ${100 + agent(r)} ${r.of(SENT)}`],
  [2, r => `group ${r.of(SENT)}`],
  [5, r => `queue ${agent(r)} ${r.of([10, 34, 34, 36])} ${r.below(9)}`],
  [3, r => `tgkill ${agent(r)} ${r.of(SENT)}`],
  [5, r => `exit ${r.below(5)}`],
  [8, r => `wait -1 ${r.of(WAITS)}`],
  [3, r => `wait ${agent(r)} ${r.of(WAITS)}`],
  [2, r => `wait ${100 + agent(r)} ${r.of(WAITS)}`],
  [2, r => `wait ${agent(r)} ${r.of([0, 2])}`],
  [5, r => `waitid ${r.of([-1, agent(r)])} ${r.of(WAITIDS)}`],
  [8, r => `action ${r.of(HANDLED)} ${r.below(7)}`],
  [5, r => `block ${r.of(HANDLED)} ${r.below(3)}`],
  [1, r => `suspend ${r.of(HANDLED)}`],
  [1, () => 'pause'],
  [3, r => `take ${r.of(HANDLED)} ${r.below(4) === 0 ? 1 : 0}`],
  [5, r => `setpgid ${agent(r)} ${agent(r)}`],
  [1, () => 'setsid'],
  [2, r => `pdeathsig ${r.of([0, 10, 15])}`],
  [1, r => `subreaper ${r.below(2)}`],
]
/** The root never waits, and lives. */
const ROOT: readonly (readonly [number, Command])[] = [
  [3, r => `kill ${agent(r)} ${r.of(SENT)}`],
  [4, r => `wait -1 ${WNOHANG | r.of([0, 2, 8, 10])}`],
  [1, r => `waitid -1 ${r.of(WAITIDS)}`],
  [1, r => `setpgid ${agent(r)} ${agent(r)}`],
]

export const PROCESSES: Campaign = { program: 'processes.c', steps: 60, line }
