// Tracing: who may, stops and what the tracer hears, going on, and ends of either side. What programs see is test/conformance/ptrace.c.
import { describe, expect, test } from 'vitest'
import { E } from '../../abi/errno.ts'
import { T } from '../../abi/ipc.ts'
import { EP, int, type Message, SUSPEND } from '../../abi/message.ts'
import { EVENT, PTRACE, PTRACE_O } from '../../abi/ptrace.ts'
import { SIG } from '../../abi/signals.ts'
import { COMMON_CALL } from '../../protocol/common.ts'
import { ASK, PM } from '../../protocol/pm.ts'
import { REGION, VM } from '../../protocol/vm.ts'
import { Fixture } from './fixture.ts'

const { TRACEME, PEEKDATA, CONT, SYSCALL, SINGLESTEP, ATTACH, DETACH, SEIZE, INTERRUPT, GETEVENTMSG } = PTRACE
const WALL = 0x40000000
const WNOHANG = 1

class Traces extends Fixture {
  readonly by = this.spawn()
  ask(request: number, pid: number, addr = 0, data = 0, buf = this.sys.grant(128), from = this.by): number {
    return this.call(PM.PTRACE, from, request, pid, addr, data, buf, null)
  }
  /** What a wait of the tracer's finds, 0 nothing. */
  status(pid: number): number {
    const { result, status } = this.wait(this.by, pid, WALL | WNOHANG)
    return result === pid ? this.int(status) : result
  }
  /** VM's answer: readable memory from `start` to `end`. */
  region(m: Message, start: number, end: number): number {
    const at = int(m, 2)
    this.sys.mem.fill(0, at, at + REGION.NAME)
    this.sys.view.setUint32(at + REGION.START, start, true)
    this.sys.view.setUint32(at + REGION.END, end, true)
    this.sys.view.setUint32(at + REGION.PROT, 1, true)
    return 1
  }
  /** A child that is stopped for its tracer by SIGSTOP. */
  stopped(): { child: number; pid: number } {
    const [child, pid] = this.fork(this.by)
    expect(this.ask(ATTACH, pid)).toBe(0)
    expect(this.boundary(child)).toBe(SUSPEND)
    expect(this.status(pid)).toBe(SIG.STOP << 8 | 0x7f)
    return { child, pid }
  }
}

describe('who may trace whom', () => {
  test('nobody traces himself, strangers, or what is traced', () => {
    const f = new Traces()
    const [, pid] = f.fork(f.by)
    const other = f.spawn(1000)
    expect(f.ask(ATTACH, f.pid(f.by))).toBe(-E.PERM)
    expect(f.ask(ATTACH, 1)).toBe(-E.PERM)
    expect(f.ask(ATTACH, 4711)).toBe(-E.SRCH)
    expect(f.ask(ATTACH, pid, 0, 0, undefined, other)).toBe(-E.PERM)
    expect(f.ask(SEIZE, pid, 1)).toBe(-E.IO)
    expect(f.ask(SEIZE, pid, 0, 1 << 30)).toBe(-E.IO)
    expect(f.ask(SEIZE, pid)).toBe(0)
    expect(f.ask(ATTACH, pid)).toBe(-E.PERM)
  })
  test('requests are for who traces, of what is stopped', () => {
    const f = new Traces()
    const [child, pid] = f.fork(f.by)
    expect(f.ask(CONT, pid)).toBe(-E.SRCH)
    expect(f.ask(TRACEME, 0, 0, 0, undefined, child)).toBe(0)
    expect(f.ask(TRACEME, 0, 0, 0, undefined, child)).toBe(-E.PERM)
    expect(f.ask(CONT, pid)).toBe(-E.SRCH)
    expect(f.ask(INTERRUPT, pid)).toBe(-E.IO) // not seized
    f.kill(f.by, pid, SIG.USR1)
    expect(f.boundary(child)).toBe(SUSPEND)
    expect(f.ask(0x1234, pid)).toBe(-E.IO)
    expect(f.ask(CONT, pid, 0, 65)).toBe(-E.IO)
    expect(f.ask(CONT, pid)).toBe(0)
  })
})

describe('stops', () => {
  test('a signal is the tracer’s to pass on, to change or to drop', () => {
    const f = new Traces()
    const [child, pid] = f.fork(f.by)
    f.action(child, SIG.USR2, 0x4000)
    expect(f.ask(TRACEME, 0, 0, 0, undefined, child)).toBe(0)
    for (const [passed, frames] of [[0, 0], [SIG.USR2, 1]] as const) {
      f.kill(f.by, pid, SIG.USR1)
      expect(f.boundary(child)).toBe(SUSPEND)
      expect(f.status(pid)).toBe(SIG.USR1 << 8 | 0x7f)
      expect(f.status(pid)).toBe(0) // reported once
      expect(f.ask(CONT, pid, 0, passed)).toBe(0)
      expect(f.sys.replyTo(child)).toBe(0)
      expect(f.frames.length).toBe(frames)
    }
    expect(f.frames[0].signo).toBe(SIG.USR2)
  })
  test('a deadly signal waits for the tracer; SIGKILL does not', () => {
    const f = new Traces()
    const { child, pid } = f.stopped()
    expect(f.ask(CONT, pid)).toBe(0)
    f.kill(f.by, pid, SIG.TERM)
    expect(f.cleared(child)).toBe(false)
    expect(f.boundary(child)).toBe(SUSPEND)
    expect(f.status(pid)).toBe(SIG.TERM << 8 | 0x7f)
    f.kill(f.by, pid, SIG.KILL)
    expect(f.cleared(child)).toBe(true)
    expect(f.status(pid)).toBe(SIG.KILL)
  })
  test('a call stops at its begin and its end', () => {
    const f = new Traces()
    const { child, pid } = f.stopped()
    expect(f.call(PM.CALLREADY, child, 39)).toBe(0) // nobody asked
    expect(f.ask(SYSCALL, pid)).toBe(0)
    expect(f.call(PM.CALLREADY, child, 39)).toBe(SUSPEND)
    expect(f.status(pid)).toBe(SIG.TRAP << 8 | 0x7f)
    f.sys.release()
    expect(f.ask(SYSCALL, pid)).toBe(0)
    expect(f.sys.replyTo(child)).toBe(0)
    expect(f.call(PM.SIGREADY, child, 7, 1, 1)).toBe(SUSPEND)
    expect(f.status(pid)).toBe(SIG.TRAP << 8 | 0x7f)
    expect(f.ask(CONT, pid)).toBe(0)
    expect(f.call(PM.SIGREADY, child, 7, 1, 1)).toBe(0)
  })
  test('the container hears what to look out for', () => {
    const f = new Traces()
    const { child, pid } = f.stopped()
    for (const request of [SINGLESTEP, SYSCALL, CONT]) {
      expect(f.ask(request, pid)).toBe(0)
      f.kill(f.by, pid, SIG.USR1)
      f.boundary(child)
    }
    expect(f.ask(DETACH, pid)).toBe(0)
    const told = f.sys.calls.filter(([name, e]) => name === 'trace' && e === child).map(([, , what]) => what)
    expect(told).toEqual([T.ATTACH, T.STEP, T.SYSCALL, T.ATTACH, T.DETACH])
  })
  test('a child’s birth is an event, the child traced', () => {
    const f = new Traces()
    const [parent, pid] = f.fork(f.by)
    expect(f.ask(SEIZE, pid, 0, PTRACE_O.TRACEFORK)).toBe(0)
    const [child, childPid] = f.fork(parent)
    expect(f.boundary(parent, childPid, 1)).toBe(SUSPEND)
    expect(f.status(pid)).toBe((EVENT.FORK << 16) | SIG.TRAP << 8 | 0x7f)
    const message = f.sys.grant(8)
    expect(f.ask(GETEVENTMSG, pid, 0, 0, message)).toBe(0)
    expect(f.long(message)).toBe(childPid)
    expect(f.boundary(child)).toBe(SUSPEND)
    expect(f.status(childPid)).toBe((EVENT.STOP << 16) | SIG.TRAP << 8 | 0x7f)
  })
})

describe('ends', () => {
  test('an end that is shown first has its status', () => {
    const f = new Traces()
    const [child, pid] = f.fork(f.by)
    expect(f.ask(SEIZE, pid, 0, PTRACE_O.TRACEEXIT)).toBe(0)
    expect(f.call(PM.EXIT, child, 3)).toBe(SUSPEND)
    expect(f.cleared(child)).toBe(false)
    expect(f.status(pid)).toBe((EVENT.EXIT << 16) | SIG.TRAP << 8 | 0x7f)
    expect(f.ask(CONT, pid)).toBe(0)
    expect(f.cleared(child)).toBe(true)
    expect(f.status(pid)).toBe(3 << 8)
  })
  test('a tracer that isn’t the parent hears of the end first', () => {
    const f = new Traces()
    const parent = f.spawn()
    const [child, pid] = f.fork(parent)
    expect(f.ask(SEIZE, pid)).toBe(0)
    f.exit(child, 5)
    expect(f.wait(parent, pid, WNOHANG).result).toBe(0)
    expect(f.status(pid)).toBe(5 << 8)
    const { result, status } = f.wait(parent, pid, WNOHANG)
    expect([result, f.int(status)]).toEqual([pid, 5 << 8])
  })
  test('without its tracer a thread goes on, or dies with EXITKILL', () => {
    for (const options of [0, PTRACE_O.EXITKILL]) {
      const f = new Traces()
      const tracer = f.spawn()
      const child = f.spawn()
      const target = f.pid(child)
      expect(f.ask(SEIZE, target, 0, options, undefined, tracer)).toBe(0)
      expect(f.ask(INTERRUPT, target, 0, 0, undefined, tracer)).toBe(0)
      expect(f.boundary(child)).toBe(SUSPEND)
      f.exit(tracer, 0)
      expect(f.cleared(child)).toBe(options !== 0)
      if (options === 0) expect(f.sys.replyTo(child)).toBe(0)
    }
  })
  test('a process that has last words says them with threads stopped for the tracer', () => {
    const f = new Traces()
    const { child, pid } = f.stopped()
    expect(f.call(PM.SET_ROBUST_LIST, child, 0x5000, 24)).toBe(0)
    f.sys.stub(EP.VM, { [VM.SHARES]: () => 1 })
    f.kill(f.by, pid, SIG.KILL)
    expect(f.sys.replyTo(child)).toBe(ASK.LAST_WORDS)
    expect(f.ask(CONT, pid)).toBe(-E.SRCH)
  })
})

describe('memory', () => {
  test('is brought by an errand, and the tracer waits for it', () => {
    const f = new Traces()
    const { child, pid } = f.stopped()
    const data = f.sys.grant(8)
    expect(f.ask(PEEKDATA, pid, 0x7000, 0, data)).toBe(-E.IO) // nothing is mapped there
    f.sys.stub(EP.VM, { [VM.REGION]: m => f.region(m, 0x7000, 0x8000) })
    expect(f.ask(PEEKDATA, pid, 0x7000, 0, data)).toBe(SUSPEND)
    expect(f.sys.calls.some(([name, e, address, bytes]) => name === 'copyFrom' && e === child && address === 0x7000 && bytes === 8)).toBe(true)
    const brought = f.sys.grant('abcdefgh')
    f.call(COMMON_CALL.DONE, -2, f.pid(f.by), 8, brought)
    expect(f.sys.replyTo(f.by)).toBe(0)
    expect(f.sys.text(data)).toBe('abcdefgh')
  })
})
