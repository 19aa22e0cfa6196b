// The machine's event loop: polls the channels of running guests, lets servers work, and sleeps when nothing moves. One thread, no
// awaits. Spins only while a guest runs that may call soon, and then for a bounded time; an idle machine sleeps in epoll_wait.
import { CH, INFO, INTR_SIGNAL, OP, STACK_BASE, STACK_BYTES } from '../../abi/channel.ts'
import { EP } from '../../abi/message.ts'
import * as host from '../../host/host.ts'
import type { HostIo } from '../../lib/hostio.ts'
import { BIRTH_GRACE, type Linux } from './container.ts'
import { type HostProcess, LAUNCHER, STATE, type Thread } from './processes.ts'

export interface LoopOptions {
  cpus: number
  /** Fixed descriptors to wait on. */
  doorbell: number
  /** The main thread has something to say. */
  onControl(): void
}

/** How long (ms) the kernel side polls before it sleeps: while guests leave a processor free for it, and when they don't. */
const SPIN_ALONE = 0.2
const SPIN_CROWDED = 0.02
/** While busy, host descriptors are looked at this often (events), and time this often (idle polls). */
const BUSY_CHECK = 64
const IDLE_CHECK = 64
/** clone(2) flags of ordered births: CLONE_PARENT | SIGCHLD; CLONE_VM | FS | FILES | SIGHAND | THREAD | SYSVSEM. */
const FORK_FLAGS = 0x8011
const THREAD_FLAGS = 0x50f00
/** A guest thread that can't be interrupted this many times (20 ms apart) has no host thread: its process ends. */
const ATTEMPTS_MAX = 250
/** How long (ms) replies that wait for another thread's operations sleep between looks. */
const PATIENCE = 0.02
const PATIENCE_MAX = 5

export class Loop implements HostIo {
  private readonly watchers = new Map<number, (events: number) => void>()
  private readonly watched = new Map<number, number>()
  private readonly epoll: number
  private readonly tags = new Uint32Array(64)
  private readonly events = new Uint32Array(64)
  private readonly notification = new host.Notification()
  private stopped = false
  sleeps = 0
  private patience = PATIENCE
  constructor(
    private readonly c: Linux,
    private readonly options: LoopOptions,
  ) {
    this.epoll = host.epollCreate()
    this.watch(options.doorbell, 1, () => {
      host.drainEvent(options.doorbell)
      options.onControl()
    })
    this.watch(c.processes.control, 1, () => this.launcherSpoke())
    this.watch(c.processes.listener, 1, () => this.approve())
  }

  /** After run() has returned. */
  dispose(): void {
    host.close(this.epoll)
  }
  stop(): void {
    this.stopped = true
  }

  run(): void {
    const { processes, kernel, arena, dispatcher } = this.c
    const { active, threads } = processes
    const i32 = arena.i32
    let idle = 0
    let idleSince = 0
    let busy = 0
    while (!this.stopped) {
      let worked = false
      for (let k = 0; k < processes.activeCount; k++) {
        const t = threads[active[k] as number] as Thread
        const seq = Atomics.load(i32, (t.base + CH.SEQ) >> 2)
        if (seq === t.seq) continue
        t.seq = seq
        dispatcher.event(t)
        worked = true
      }
      if (worked) {
        kernel.run()
        this.flush()
        idle = 0
        if (++busy < BUSY_CHECK) continue
        busy = 0
        this.service(0)
        const now = this.c.now()
        if (this.pressing) this.housekeeping(now)
        this.lookAround(now)
        continue
      }
      if (processes.births.length > 0) this.approve()
      for (const p of processes.changing) dispatcher.nextChange(p)
      // Nothing but the channels is looked at while a call may come any moment: reading the clock costs as much as a call.
      if (++idle % IDLE_CHECK !== 0 && processes.activeCount > 0) continue
      const now = this.c.now()
      const wait = kernel.run()
      if (this.flush()) {
        idle = 0
        continue
      }
      if (idle <= IDLE_CHECK) idleSince = now
      if (processes.poolLow) processes.fillPool(1)
      else processes.makeSpare()
      const running = processes.activeCount
      const crowded = running >= this.options.cpus
      processes.unpark()
      if (running > 0 && now - idleSince < (crowded ? SPIN_CROWDED : SPIN_ALONE)) continue
      this.housekeeping(now)
      this.lookAround(now)
      this.sleep(Math.min(wait, processes.allowances.due(now)))
      idle = 0
    }
  }

  /** Replies to calls that servers answered (concluding one may answer others), held threads let go, errands. False: nothing to reply to. */
  private flush(): boolean {
    const { answered, holds, errands, dispatcher } = this.c
    const news = answered.length > 0 || holds.going.length > 0
    if (news) {
      for (let i = 0; i < answered.length; i++) dispatcher.answered(answered[i] as number)
      answered.length = 0
      holds.flush()
    }
    if (errands.waiting) errands.run()
    return news
  }

  /** Sleep until a guest rings, a descriptor is ready or the next alarm is due (ms). KASLEEP is set before the last look, so no ring is lost. */
  private sleep(ms: number): void {
    const { processes, arena } = this.c
    const asleep = (processes.info + INFO.KASLEEP) >> 2
    Atomics.store(arena.i32, asleep, 1)
    let news = false
    for (let k = 0; k < processes.activeCount && !news; k++) {
      const t = processes.threads[processes.active[k] as number] as Thread
      news = Atomics.load(arena.i32, (t.base + CH.SEQ) >> 2) !== t.seq
    }
    // nobody rings when an operation list is through: look again soon, then later and later
    this.patience = processes.changing.size > 0 ? Math.min(2 * this.patience, PATIENCE_MAX) : PATIENCE
    const limit = processes.changing.size > 0 ? Math.min(ms, this.patience) : this.pressing ? Math.min(ms, 20) : ms
    if (!news) {
      this.sleeps++
      this.service(limit)
    }
    Atomics.store(arena.i32, asleep, 0)
  }

  /** Is there housekeeping that can't wait for an idle moment? */
  private get pressing(): boolean {
    const { exiting, interruptLater, unborn } = this.c.processes
    return exiting.size > 0 || interruptLater.size > 0 || unborn.size > 0 || this.c.suspects.size > 0
  }

  /** Does anybody have more memory than was granted? VM hears of it. */
  private lookAround(now: number): void {
    const { processes, kernel } = this.c
    if (processes.allowances.due(now) > 0 || !processes.allowances.look(now)) return
    kernel.raise(EP.VM, 1)
    kernel.run()
  }

  private service(ms: number): void {
    const n = host.epollWait(this.epoll, ms === Number.POSITIVE_INFINITY ? -1 : Math.round(ms * 1e6), this.tags, this.events)
    for (let i = 0; i < n; i++) this.watchers.get(this.tags[i] as number)?.(this.events[i] as number)
  }

  /** The launcher reports births ('P' pid) and deaths ('X' pid status). */
  private launcherSpoke(): void {
    const { processes } = this.c
    for (;;) {
      const n = host.receive(processes.control)
      if (n === host.EAGAIN) return
      if (n <= 0) {
        host.kill(-processes.launcherPid, 9) // guests are of its process group
        throw new Error('the launcher is gone')
      }
      const letter = host.received.words[0]
      const pid = host.received.words[1] as number
      if (letter === LAUNCHER.MADE) {
        const p = processes.waitingForPid.shift()
        if (p !== undefined) {
          p.pid = pid
          processes.allowances.apply(p)
          processes.byPid.set(pid, p)
          if (p.killAt === -1) host.kill(pid, 9)
        }
      } else if (letter === LAUNCHER.ENDED) this.reaped(pid, host.received.words[2] as number)
      else if (letter === LAUNCHER.ERROR) throw new Error(`the launcher can't make processes (errno ${pid})`)
    }
  }

  /** Kill every guest process and see each reaped by the launcher, for at most `ms`. */
  endAll(ms: number): void {
    const { processes } = this.c
    const until = this.c.now() + ms
    processes.dropSpares()
    for (;;) {
      for (const p of processes.hosts) {
        for (const t of p.members) t.proc = -1
        processes.kill(p)
      }
      if (processes.hosts.size === 0 || this.c.now() > until) return
      host.epollWait(this.epoll, 1e6, this.tags, this.events)
      this.approve()
      this.launcherSpoke()
    }
  }

  private reaped(pid: number, status: number): void {
    const { processes } = this.c
    this.c.suspects.delete(pid)
    let p = processes.byPid.get(pid)
    if (p === undefined) {
      // a forked child whose credentials nobody has asked for yet
      for (const q of processes.hosts) if (q.pid === 0 && processes.pidOfHost(q) === pid) p = q
    }
    if (p === undefined) return
    const unmade: HostProcess[] = []
    for (const t of processes.births) {
      const child = t.host === p && t.birth === OP.CLONE ? this.c.threadOf[t.forking]?.host : null
      if (child) unmade.push(child)
    }
    this.end(p, status)
    for (const q of unmade) this.end(q, 9)
  }
  private end(p: HostProcess, status: number): void {
    this.c.lifecycle.hostGone(p, status)
    this.c.processes.release(p)
  }

  /** A guest asks the host for a new process: exactly the births we ordered are let through. */
  private approve(): void {
    const { processes } = this.c
    const { births, listener } = processes
    const n = this.notification
    while (host.pollNow(listener, host.EPOLLIN) > 0 && host.receiveNotification(listener, n) >= 0) {
      let at = births.findIndex(t => processes.tidOf(t) === n.tid)
      if (at < 0) {
        this.launcherSpoke() // its pid may be news
        at = births.findIndex(t => processes.tidOf(t) === n.tid)
      }
      const ordered = at >= 0 && this.asOrdered(births[at] as Thread)
      if (ordered) births.splice(at, 1)
      host.answerNotification(listener, n, ordered)
    }
  }
  /** Is it that very birth? A fork is expected to show itself from now on. */
  private asOrdered(t: Thread): boolean {
    const { flags, stack } = this.notification
    const child = this.c.threadOf[t.forking]
    if (t.birth === OP.THREAD) {
      const top = STACK_BASE + ((child?.slot ?? 0) + 1) * STACK_BYTES
      return flags === THREAD_FLAGS && stack < top && stack > top - STACK_BYTES
    }
    if (flags !== FORK_FLAGS || stack !== 0 || !child?.host) return false
    child.host.bornBy = this.c.now() + BIRTH_GRACE
    this.c.processes.unborn.add(child.host)
    return true
  }

  private housekeeping(now: number): void {
    const { processes } = this.c
    if (processes.poolLow) processes.fillPool()
    for (const t of processes.interruptLater) this.interruptAgain(t)
    for (const p of processes.exiting) {
      const pid = processes.pidOfHost(p)
      if (p.killAt === -1 && pid > 0) processes.kill(p)
      else if (p.killAt > 1 && now > p.killAt) processes.kill(p)
    }
    for (const p of processes.unborn) if (processes.pidOfHost(p) === 0 && now > p.bornBy) this.neverBorn(p)
    for (const [pid, until] of this.c.suspects) {
      if (now < until) continue
      this.c.suspects.delete(pid)
      if (processes.strayChildren().includes(pid)) host.kill(pid, 9)
    }
  }
  private interruptAgain(t: Thread): void {
    const { processes } = this.c
    if (t.state !== STATE.RUNNING || processes.interrupt(t, INTR_SIGNAL)) processes.interruptLater.delete(t)
    else if (++t.attempts > ATTEMPTS_MAX) {
      processes.interruptLater.delete(t)
      this.c.lifecycle.violation(t)
    }
  }
  /** A fork was approved and nobody came: whoever was born instead ends, and who had it born. */
  private neverBorn(p: HostProcess): void {
    const { processes } = this.c
    const parent = p.parent?.members[0]
    this.end(p, 9)
    if (this.c.suspect() > 0 && p.parent !== null && processes.hosts.has(p.parent) && parent) this.c.lifecycle.violation(parent)
  }

  // ---- HostIo ----
  read(fd: number, offset: number, bytes: number): number {
    return host.read(fd, this.c.arena.address + offset, bytes)
  }
  write(fd: number, offset: number, bytes: number): number {
    return host.write(fd, this.c.arena.address + offset, bytes)
  }
  poll(fd: number, events: number): number {
    return host.pollNow(fd, events)
  }
  available(fd: number): number {
    return host.available(fd)
  }
  watch(fd: number, events: number, ready: (events: number) => void): number {
    const had = this.watched.get(fd) ?? 0
    if (events === 0) {
      this.watchers.delete(fd)
      this.watched.delete(fd)
      return had ? host.epollControl(this.epoll, host.EPOLL_CTL.DEL, fd, 0, 0) : 0
    }
    this.watchers.set(fd, ready)
    if (had === events) return 0
    this.watched.set(fd, events)
    return host.epollControl(this.epoll, had ? host.EPOLL_CTL.MOD : host.EPOLL_CTL.ADD, fd, events, fd)
  }
  close(fd: number): number {
    if (this.watched.has(fd)) this.watch(fd, 0, () => {})
    return host.close(fd)
  }
}
