// CLOCK: virtual time, ticks, alarms. Time is the host's monotonic clock plus an offset, or stands still while paused. Real time is virtual
// time plus the host's epoch plus what SETTIME added; the epoch is taken again when the host's real clock has been stepped.
// One alarm per privilege structure (MINIX's s_alarm_timer). All times in milliseconds, doubles.
import { HZ } from '../abi/ipc.ts'
import { NR_SYS_PROCS } from './privilege.ts'
import type { HostClock } from './types.ts'

const NEVER = Number.POSITIVE_INFINITY
/** How often the host's real clock is looked at, and from which difference on it counts as stepped (its readings may be whole ms). */
const RESYNC_MS = 1000
const STEP_MS = 2

export class Clock {
  private readonly host: HostClock
  private readonly alarms = new Float64Array(NR_SYS_PROCS).fill(NEVER)
  private next = NEVER // no alarm is earlier
  private offset = 0 // virtual - host monotonic, while running
  private frozen = 0 // virtual time while paused
  private isPaused = false
  private epoch = 0 // host real - host monotonic
  private synced = 0 // host monotonic at the last look
  private realOffset = 0 // virtual real - (virtual monotonic + epoch)

  constructor(host: HostClock) {
    this.host = host
    this.synced = host.monotonic()
    this.epoch = host.realtime() - this.synced
  }
  /** Virtual monotonic time. */
  monotonic(): number {
    return this.isPaused ? this.frozen : this.host.monotonic() + this.offset
  }
  /** As of the host's last reading: never ahead. */
  private recent(): number {
    if (this.isPaused) return this.frozen
    return (this.host.recent === undefined ? this.host.monotonic() : this.host.recent()) + this.offset
  }
  /** Virtual real time: ms since the Unix epoch. */
  realtime(): number {
    this.resync()
    return this.monotonic() + this.epoch + this.realOffset
  }
  ticks(): number {
    return Math.floor((this.monotonic() * HZ) / 1000)
  }
  get paused(): boolean {
    return this.isPaused
  }
  pause(): void {
    if (this.isPaused) return
    this.frozen = this.monotonic()
    this.isPaused = true
  }
  /** Goes on from where it stood: the pause never happened. */
  resume(): void {
    if (!this.isPaused) return
    this.offset = this.frozen - this.host.monotonic()
    this.isPaused = false
  }
  /** Moves on by `ms` ≥ 0 at once, paused or not; alarms passed over become due. False: it would go back. */
  step(ms: number): boolean {
    if (!(ms >= 0 && ms < NEVER)) return false
    if (this.isPaused) this.frozen += ms
    else this.offset += ms
    return true
  }
  /** SETTIME: virtual real time is now `ms`. Alarms are monotonic and don't move. */
  setRealtime(ms: number): void {
    this.realOffset += ms - this.realtime()
  }

  /** Alarm for structure `id` in `ms` from now; less than 0: none. */
  setAlarm(id: number, ms: number): void {
    this.alarms[id] = ms < 0 ? NEVER : this.monotonic() + ms
    if (this.alarms[id] < this.next) this.next = this.alarms[id]
  }
  /** Takes the earliest alarm that is due (of equal ones the lowest id) → id, or -1. Reads no clock while no alarm is set. */
  expire(): number {
    if (this.next === NEVER || this.next > this.recent()) return -1
    let first = 0
    for (let id = 1; id < NR_SYS_PROCS; id++) if (this.alarms[id] < this.alarms[first]) first = id
    this.next = this.alarms[first]
    if (this.next > this.recent()) return -1
    this.alarms[first] = NEVER
    return first
  }
  /** Milliseconds to the next alarm (0: due; Infinity: none, or time stands still). May be early, never late. */
  left(): number {
    if (this.next === NEVER) return NEVER
    const left = this.next - this.recent()
    return left <= 0 ? 0 : this.isPaused ? NEVER : left
  }
  /** All of it, as data. */
  exportState(): { monotonic: number; realOffset: number; paused: boolean; alarms: [id: number, left: number][] } {
    const now = this.monotonic()
    const alarms: [number, number][] = []
    for (let id = 0; id < NR_SYS_PROCS; id++) if (this.alarms[id] !== NEVER) alarms.push([id, this.alarms[id] - now])
    return { monotonic: now, realOffset: this.realOffset, paused: this.isPaused, alarms }
  }

  private resync(): void {
    if ((this.host.recent === undefined ? this.host.monotonic() : this.host.recent()) - this.synced < RESYNC_MS) return
    const now = this.host.monotonic()
    this.synced = now
    const epoch = this.host.realtime() - now
    if (Math.abs(epoch - this.epoch) > STEP_MS) this.epoch = epoch
  }
}
