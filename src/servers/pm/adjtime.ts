// adjtimex(2), clock_adjtime(2): the clock is the machine's; guests may ask how it runs and no more.
import { E } from '../../abi/errno.ts'
import { int, type Message } from '../../abi/message.ts'
import { write64 } from './suspended.ts'
import { need } from './tell.ts'
import { CLOCK, clockNow } from './time.ts'
import type { Pm, Task } from './mproc.ts'

/** struct timex: byte offsets. */
const TIMEX = { MODES: 0, MAXERROR: 24, ESTERROR: 32, STATUS: 40, CONSTANT: 48, PRECISION: 56, TOLERANCE: 64, TIME: 72, TICK: 88, BYTES: 208 } as const
const READ_ONLY = 0x2000 // ADJ_OFFSET_READONLY, with ADJ_OFFSET_SINGLESHOT's bits
const SINGLESHOT_READ = 0xa001
const STA_UNSYNC = 0x40
const TIME_ERROR = 5
/** What an undisciplined clock says of itself (kernel/time/ntp.c). */
const NTP_PHASE_LIMIT = 16_000_000
const TICK_US = 10_000
const TOLERANCE = 32_768_000

export function adjtime(pm: Pm, t: Task, m: Message): number {
  const clock = int(m, 0)
  const at = need(m, 1, TIMEX.BYTES)
  if (at < 0) return at
  if (clock !== CLOCK.REALTIME) return clockNow(pm, t, clock) < 0 ? -E.INVAL : -E.OPNOTSUPP
  const modes = pm.sys.view.getUint32(at + TIMEX.MODES, true)
  if (modes !== 0 && modes !== SINGLESHOT_READ && (modes & READ_ONLY) === 0) return -E.PERM
  pm.sys.mem.fill(0, at + 8, at + TIMEX.BYTES)
  const now = pm.sys.realtime()
  const seconds = Math.floor(now / 1000)
  const fields: readonly (readonly [number, number])[] = [
    [TIMEX.MAXERROR, NTP_PHASE_LIMIT], [TIMEX.ESTERROR, NTP_PHASE_LIMIT], [TIMEX.CONSTANT, 2], [TIMEX.PRECISION, 1], [TIMEX.TOLERANCE, TOLERANCE],
    [TIMEX.TIME, seconds], [TIMEX.TIME + 8, Math.floor((now - seconds * 1000) * 1000)], [TIMEX.TICK, TICK_US],
  ]
  for (const [offset, value] of fields) write64(pm, at + offset, value)
  pm.sys.view.setInt32(at + TIMEX.STATUS, STA_UNSYNC, true)
  return TIME_ERROR
}
