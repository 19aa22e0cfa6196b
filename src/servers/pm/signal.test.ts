// Signals: who may send, what is dropped, what is delivered when, in which order, and what stops and continues.
import { describe, expect, test } from 'vitest'
import { E } from '../../abi/errno.ts'
import { EP, SUSPEND } from '../../abi/message.ts'
import { SA, SI, SIG } from '../../abi/signals.ts'
import { COMMON_CALL } from '../../protocol/common.ts'
import { FS } from '../../protocol/fs.ts'
import { PM } from '../../protocol/pm.ts'
import { Fixture } from './fixture.ts'

const H = 0x1000
const start = (uid = 0): [f: Fixture, a: number, pid: number] => {
  const f = new Fixture()
  const a = f.spawn(uid)
  return [f, a, f.pid(a)]
}
const low = (...signos: number[]) => signos.reduce((set, n) => set | (1 << (n - 1)), 0) >>> 0

describe('default actions', () => {
  test.each([
    ...[SIG.HUP, SIG.INT, SIG.KILL, SIG.USR1, SIG.PIPE, SIG.ALRM, SIG.TERM, SIG.STKFLT, SIG.VTALRM, SIG.PROF, SIG.IO, SIG.PWR, 34, 64].map(n => [n, 'end']),
    ...[SIG.QUIT, SIG.ILL, SIG.TRAP, SIG.ABRT, SIG.BUS, SIG.FPE, SIG.SEGV, SIG.XCPU, SIG.XFSZ, SIG.SYS].map(n => [n, 'end']),
    ...[SIG.CHLD, SIG.CONT, SIG.URG, SIG.WINCH].map(n => [n, 'ignore']),
    ...[SIG.STOP, SIG.TSTP, SIG.TTIN, SIG.TTOU].map(n => [n, 'stop']),
  ] as [number, string][])('%i: %s', (signo, what) => {
    const [f, a] = start()
    const [b, pid] = f.fork(a)
    f.call(PM.SETPGID, b, 0, 0)
    f.kill(a, pid, signo)
    if (what === 'end') {
      expect(f.cleared(b)).toBe(true)
      const { status } = f.wait(a, pid)
      expect(f.int(status)).toBe(signo) // no core: bit 0x80 stays clear
    } else if (what === 'ignore') {
      expect([f.cleared(b), f.marked(b)]).toEqual([false, false])
    } else {
      expect(f.marked(b)).toBe(true)
      expect(f.boundary(b)).toBe(SUSPEND)
      const { result, status } = f.wait(a, pid, 2)
      expect([result, f.int(status)]).toEqual([pid, (signo << 8) | 0x7f])
    }
  })
})

describe('handlers', () => {
  test('run with their mask, and the interrupted call is theirs to settle', () => {
    const [f, a, pid] = start()
    f.action(a, SIG.USR1, H, SA.RESTART | SA.SIGINFO, low(SIG.USR2, SIG.KILL))
    f.block(a, SIG.HUP)
    f.kill(a, pid, SIG.USR1)
    expect(f.boundary(a, -E.RESTARTSYS, 1)).toBe(0)
    expect(f.frames).toEqual([
      {
        endpoint: a, signo: SIG.USR1, flags: (SA.RESTART | SA.SIGINFO | SA.RESTORER) >>> 0, handler: H, mask: low(SIG.HUP), maskHigh: 0, inCall: 1,
        result: -E.RESTARTSYS, ordinal: 0, code: SI.USER, pid, value: 0,
      },
    ])
    const old = f.set()
    f.call(PM.SIGPROCMASK, a, 0, null, old, 8)
    expect(f.int(old) >>> 0).toBe(low(SIG.HUP, SIG.USR1, SIG.USR2))
  })
  test('SA_NODEFER and SA_RESETHAND', () => {
    const [f, a, pid] = start()
    f.action(a, SIG.USR1, H, SA.NODEFER | SA.RESETHAND)
    f.kill(a, pid, SIG.USR1)
    f.boundary(a)
    f.kill(a, pid, SIG.USR1)
    expect(f.cleared(a)).toBe(true)
  })
  test('all that are due at once: low numbers first, so the last pushed runs first', () => {
    const [f, a, pid] = start()
    for (const n of [SIG.USR1, SIG.HUP, SIG.SEGV]) f.action(a, n, H + n)
    f.block(a, SIG.USR1, SIG.HUP, SIG.SEGV)
    for (const n of [SIG.USR1, SIG.SEGV, SIG.HUP]) f.kill(a, pid, n)
    f.unblock(a, SIG.USR1, SIG.HUP, SIG.SEGV)
    f.boundary(a, 5, 1)
    expect(f.frames.map(x => [x.signo, x.ordinal, x.inCall])).toEqual([[SIG.SEGV, 0, 1], [SIG.HUP, 1, 0], [SIG.USR1, 2, 0]])
  })
  test('the mask of one keeps another pending until sigreturn', () => {
    const [f, a, pid] = start()
    f.action(a, SIG.HUP, H, 0, low(SIG.USR1))
    f.action(a, SIG.USR1, H)
    f.kill(a, pid, SIG.USR1)
    f.kill(a, pid, SIG.HUP)
    f.boundary(a)
    expect(f.frames.map(x => x.signo)).toEqual([SIG.HUP])
    f.sys.calls.length = 0
    f.call(PM.SIGRETURN, a, f.frames[0].mask, 0, 0, 2, 0x7000)
    expect(f.marked(a)).toBe(true)
    f.boundary(a)
    expect(f.frames[1].signo).toBe(SIG.USR1)
  })
  test('a frame that cannot be pushed is a SIGSEGV; of SIGSEGV, the end', () => {
    const [f, a, pid] = start()
    f.action(a, SIG.USR1, H)
    f.sys.results.sigsend = -E.FAULT
    f.kill(a, pid, SIG.USR1)
    expect(f.boundary(a)).toBe(SUSPEND)
    expect(f.cleared(a)).toBe(true)
  })
  test('a frame that could not be written', () => {
    const [f, a, pid] = start()
    f.action(a, SIG.USR1, H, 0, low(SIG.HUP))
    f.action(a, SIG.SEGV, H + 1, SA.ONSTACK)
    f.kill(a, pid, SIG.USR1)
    f.boundary(a)
    expect(f.call(PM.FAULT, a, SIG.SEGV, SI.KERNEL, 0, 1)).toBe(0)
    expect(f.frames[1]).toMatchObject({ signo: SIG.SEGV, code: SI.KERNEL, mask: 0 })
    expect(f.call(PM.FAULT, a, SIG.SEGV, SI.KERNEL, 0, 1)).toBe(SUSPEND)
    expect(f.cleared(a)).toBe(true)
  })
  test.each([
    ['default', (_f: Fixture, _a: number) => 0, false],
    ['handled', (f: Fixture, a: number) => f.action(a, SIG.SEGV, H), true],
    ['ignored', (f: Fixture, a: number) => f.action(a, SIG.SEGV, 1), false],
    ['blocked', (f: Fixture, a: number) => f.action(a, SIG.SEGV, H) || f.block(a, SIG.SEGV), false],
  ])('a fault while %s', (_name, set, lives) => {
    const [f, a] = start()
    set(f, a)
    expect(f.call(PM.FAULT, a, SIG.SEGV, 1, 0x123456, 0)).toBe(lives ? 0 : SUSPEND)
    expect(f.cleared(a)).toBe(!lives)
    if (lives) expect(f.frames[0]).toMatchObject({ signo: SIG.SEGV, code: 1, pid: 0x123456 })
  })
})

describe('pending', () => {
  test('standard signals merge, real-time ones queue with their values', () => {
    const [f, a, pid] = start()
    f.action(a, SIG.USR1, H)
    f.action(a, 40, H)
    f.block(a, SIG.USR1, 40)
    for (const value of [1, 2, 3]) {
      for (const signo of [SIG.USR1, 40]) {
        const info = f.sys.grant(128)
        f.sys.view.setInt32(info.offset + 8, SI.QUEUE, true)
        f.sys.view.setInt32(info.offset + 24, value, true)
        expect(f.call(PM.SIGQUEUEINFO, a, pid, signo, info)).toBe(0)
      }
    }
    const set = f.set()
    f.call(PM.SIGPENDING, a, set, 8)
    expect([f.int(set) >>> 0, f.int(set, 4)]).toEqual([low(SIG.USR1), 1 << 7])
    f.unblock(a, SIG.USR1, 40)
    f.boundary(a)
    // 40 is blocked by its own handler after the first
    expect(f.frames.map(x => [x.signo, x.value])).toEqual([[SIG.USR1, 1], [40, 1]])
    f.call(PM.SIGRETURN, a, 0, 0, 0, 2, 0)
    f.boundary(a)
    expect(f.frames[2]).toMatchObject({ signo: 40, value: 2 })
  })
  test('a full queue refuses sigqueue', () => {
    const f = new Fixture({ limits: { 11: [1, 1] } })
    const a = f.spawn()
    f.block(a, 40)
    const info = f.sys.grant(128)
    f.sys.view.setInt32(info.offset + 8, SI.QUEUE, true)
    expect(f.call(PM.SIGQUEUEINFO, a, 2, 40, info)).toBe(0)
    expect(f.call(PM.SIGQUEUEINFO, a, 2, 40, info)).toBe(-E.AGAIN)
    expect(f.kill(a, 2, 40)).toBe(0)
  })
  test('ignoring a signal drops what is pending; blocked and ignored ones are kept till then', () => {
    const [f, a, pid] = start()
    f.action(a, SIG.USR1, 1)
    f.block(a, SIG.USR1)
    f.kill(a, pid, SIG.USR1)
    const set = f.set()
    f.call(PM.SIGPENDING, a, set, 8)
    expect(f.int(set) >>> 0).toBe(low(SIG.USR1))
    f.action(a, SIG.USR1, 1)
    f.call(PM.SIGPENDING, a, set, 8)
    expect(f.int(set)).toBe(0)
  })
  test('SIGKILL and SIGSTOP can be neither blocked, caught nor ignored', () => {
    const [f, a, pid] = start()
    expect([f.action(a, SIG.KILL, H), f.action(a, SIG.STOP, 1)]).toEqual([-E.INVAL, -E.INVAL])
    f.block(a, SIG.KILL, SIG.STOP, SIG.HUP)
    const old = f.set()
    f.call(PM.SIGPROCMASK, a, 0, null, old, 8)
    expect(f.int(old)).toBe(low(SIG.HUP))
    f.kill(a, pid, SIG.KILL)
    expect(f.cleared(a)).toBe(true)
  })
  test('a deadly signal that is blocked waits', () => {
    const [f, a, pid] = start()
    f.block(a, SIG.TERM)
    f.kill(a, pid, SIG.TERM)
    expect(f.cleared(a)).toBe(false)
    f.unblock(a, SIG.TERM)
    expect(f.boundary(a)).toBe(SUSPEND)
    expect(f.cleared(a)).toBe(true)
  })
})

describe('who may', () => {
  test.each([
    ['root', 0, 1000, SIG.TERM, 0],
    ['same user', 1000, 1000, SIG.TERM, 0],
    ['another user', 1001, 1000, SIG.TERM, -E.PERM],
    ['another user asking', 1001, 1000, 0, -E.PERM],
  ])('%s', (_name, by, target, signo, expected) => {
    const f = new Fixture()
    const t = f.spawn(target)
    expect(f.kill(f.spawn(by), f.pid(t), signo)).toBe(expected)
  })
  test('arguments', () => {
    const [f, a, pid] = start()
    expect(f.kill(a, 999, SIG.TERM)).toBe(-E.SRCH)
    expect(f.kill(a, pid, 65)).toBe(-E.INVAL)
    expect(f.kill(a, pid, -1)).toBe(-E.INVAL)
    expect(f.kill(a, -999, 0)).toBe(-E.SRCH)
    expect(f.kill(a, -1, SIG.TERM)).toBe(-E.SRCH)
    expect(f.call(PM.TGKILL, a, 0, pid, 0)).toBe(-E.INVAL)
    expect(f.call(PM.TGKILL, a, pid + 1, pid, 0)).toBe(-E.SRCH)
    expect(f.call(PM.TGKILL, a, pid, pid, 0)).toBe(0)
  })
  test('groups, and everybody but oneself', () => {
    const [f, a] = start()
    const [b] = f.fork(a)
    const [c, pid] = f.fork(a)
    f.call(PM.SETPGID, c, 0, 0)
    f.kill(a, -pid, SIG.TERM)
    expect([f.cleared(b), f.cleared(c)]).toEqual([false, true])
    f.kill(a, -1, SIG.TERM)
    expect([f.cleared(a), f.cleared(b)]).toEqual([false, true])
    expect(f.kill(a, 0, SIG.TERM)).toBe(SUSPEND)
    expect(f.cleared(a)).toBe(true)
  })
  test('codes only the kernel may claim', () => {
    const [f, a] = start()
    const [, pid] = f.fork(a)
    const info = f.sys.grant(128)
    expect(f.call(PM.SIGQUEUEINFO, a, pid, SIG.USR1, info)).toBe(-E.PERM)
  })
})

describe('waiting for signals', () => {
  test('pause', () => {
    const [f, a, pid] = start()
    f.action(a, SIG.USR1, H)
    expect(f.call(PM.PAUSE, a)).toBe(SUSPEND)
    f.kill(a, pid, SIG.URG)
    expect(f.sys.replies).toEqual([])
    f.kill(a, pid, SIG.USR1)
    expect(f.sys.replyTo(a)).toBe(-E.RESTARTNOHAND)
  })
  test('sigsuspend: the frame carries the old mask', () => {
    const [f, a, pid] = start()
    f.action(a, SIG.USR1, H)
    f.block(a, SIG.USR1, SIG.HUP)
    f.kill(a, pid, SIG.USR1)
    expect(f.call(PM.SIGSUSPEND, a, f.set(SIG.INT), 8)).toBe(-E.RESTARTNOHAND)
    f.boundary(a, -E.RESTARTNOHAND, 1)
    expect(f.frames[0]).toMatchObject({ signo: SIG.USR1, mask: low(SIG.USR1, SIG.HUP) })
    const old = f.set()
    f.call(PM.SIGPROCMASK, a, 0, null, old, 8)
    expect(f.int(old)).toBe(low(SIG.INT, SIG.USR1))
  })
  test('sigsuspend without a handler puts the mask back', () => {
    const [f, a, pid] = start()
    f.block(a, SIG.URG)
    f.kill(a, pid, SIG.URG)
    expect(f.call(PM.SIGSUSPEND, a, f.set(), 8)).toBe(-E.RESTARTNOHAND)
    expect(f.boundary(a, -E.RESTARTNOHAND, 1)).toBe(0)
    const old = f.set()
    f.call(PM.SIGPROCMASK, a, 0, null, old, 8)
    expect([f.int(old), f.frames.length]).toEqual([low(SIG.URG), 0])
  })
  test('ppoll mask: pushed, popped', () => {
    const [f, a, pid] = start()
    f.action(a, SIG.USR1, H)
    f.block(a, SIG.USR1)
    f.call(PM.MASKPUSH, a, f.set(SIG.HUP))
    f.kill(a, pid, SIG.USR1)
    expect(f.marked(a)).toBe(true)
    f.call(PM.MASKPOP, a)
    f.boundary(a, 1, 1)
    expect(f.frames).toEqual([])
    f.call(PM.MASKPUSH, a, f.set(SIG.HUP))
    f.boundary(a, -E.RESTARTNOHAND, 1)
    expect(f.frames[0]).toMatchObject({ signo: SIG.USR1, mask: low(SIG.USR1) })
  })
  test('sigtimedwait takes one, times out, is interrupted', () => {
    const [f, a, pid] = start()
    f.action(a, SIG.USR2, H)
    f.block(a, SIG.USR1, SIG.TERM)
    const info = f.sys.grant(128)
    const wait = (timeout: number | null) =>
      f.call(PM.SIGTIMEDWAIT, a, f.set(SIG.USR1, SIG.TERM), info, timeout === null ? null : f.timespec(timeout), 8)
    expect(wait(0)).toBe(-E.AGAIN)
    f.kill(a, pid, SIG.USR1)
    expect(wait(0)).toBe(SIG.USR1)
    expect(f.int(info, 16)).toBe(pid)
    expect(wait(null)).toBe(SUSPEND)
    f.kill(a, pid, SIG.TERM) // blocked by the caller: not deadly
    expect(f.sys.replyTo(a)).toBe(SIG.TERM)
    expect(wait(2)).toBe(SUSPEND)
    f.sys.advance(2000)
    expect(f.sys.replyTo(a)).toBe(-E.AGAIN)
    expect(wait(null)).toBe(SUSPEND)
    f.kill(a, pid, SIG.USR2)
    expect(f.sys.replyTo(a)).toBe(-E.INTR)
    const old = f.set()
    f.call(PM.SIGPROCMASK, a, 0, null, old, 8)
    expect(f.int(old)).toBe(low(SIG.USR1, SIG.TERM))
  })
  test('CANCEL from the kernel ends a wait too', () => {
    const [f, a] = start()
    f.call(PM.PAUSE, a)
    f.call(COMMON_CALL.CANCEL, EP.SYSTEM, a)
    expect(f.sys.replyTo(a)).toBe(-E.RESTARTNOHAND)
  })
  test('signalfd: FS takes signals and is told of new ones', () => {
    const [f, a, pid] = start()
    f.block(a, SIG.USR1)
    expect(f.call(PM.SIGTAKE, EP.FS, a, low(SIG.USR1), null)).toBe(0)
    f.kill(a, pid, SIG.USR1)
    expect(f.sentTo(EP.FS, FS.SIGNALLED).length).toBe(1)
    expect(f.call(PM.SIGTAKE, EP.FS, a, low(SIG.USR1), null)).toBe(1)
    expect(f.call(PM.SIGTAKE, EP.FS, a, low(SIG.USR1), f.sys.grant(128))).toBe(SIG.USR1)
    expect(f.call(PM.SIGTAKE, EP.FS, a, low(SIG.USR1), f.sys.grant(128))).toBe(0)
    expect(f.call(PM.SIGTAKE, a, a, low(SIG.USR1), null)).toBe(-E.PERM)
  })
})

describe('alternate stack', () => {
  const stack = (f: Fixture, sp: number, flags: number, size: number) => {
    const g = f.sys.grant(24)
    f.sys.view.setUint32(g.offset, sp, true)
    f.sys.view.setUint32(g.offset + 8, flags, true)
    f.sys.view.setUint32(g.offset + 16, size, true)
    return g
  }
  test.each([
    ['set', [0x10000, 0, 8192], 0x7000, 0],
    ['too small', [0x10000, 0, 1000], 0x7000, -E.NOMEM],
    ['bad flags', [0x10000, 4, 8192], 0x7000, -E.INVAL],
    ['disable', [0, 2, 0], 0x7000, 0],
  ] as const)('%s', (_name, [base, flags, size], sp, expected) => {
    const [f, a] = start()
    expect(f.call(PM.SIGALTSTACK, a, stack(f, base, flags, size), null, sp)).toBe(expected)
  })
  test('standing on it', () => {
    const [f, a] = start()
    const old = f.sys.grant(24)
    f.call(PM.SIGALTSTACK, a, null, old, 0x7000)
    expect(f.int(old, 8)).toBe(2)
    f.call(PM.SIGALTSTACK, a, stack(f, 0x10000, 0, 8192), null, 0x7000)
    expect(f.call(PM.SIGALTSTACK, a, stack(f, 0x20000, 0, 8192), null, 0x11000)).toBe(-E.PERM)
    f.call(PM.SIGALTSTACK, a, null, old, 0x11000)
    expect([f.int(old), f.int(old, 8), f.int(old, 16)]).toEqual([0x10000, 1, 8192])
  })
})

describe('stop and continue', () => {
  const stopped = (): [f: Fixture, a: number, b: number, pid: number] => {
    const [f, a] = start()
    const [b, pid] = f.fork(a)
    f.call(PM.SETPGID, b, 0, 0)
    f.kill(a, pid, SIG.TSTP)
    expect(f.boundary(b, -E.RESTARTSYS, 1)).toBe(SUSPEND)
    return [f, a, b, pid]
  }
  test('SIGCONT lets the kept boundary go on', () => {
    const [f, a, b, pid] = stopped()
    expect(f.sys.replyTo(b)).toBeUndefined()
    f.kill(a, pid, SIG.CONT)
    expect(f.sys.replyTo(b)).toBe(0)
    const { result, status } = f.wait(a, pid, 8 | 1)
    expect([result, f.int(status)]).toEqual([pid, 0xffff])
  })
  test('a SIGCONT handler runs, with the interrupted call in its hands', () => {
    const [f, a, b, pid] = stopped()
    f.action(b, SIG.CONT, H)
    f.kill(a, pid, SIG.CONT)
    expect(f.frames[0]).toMatchObject({ endpoint: b, signo: SIG.CONT, inCall: 1, result: -E.RESTARTSYS })
    expect(f.sys.replyTo(b)).toBe(0)
  })
  test('other signals wait, SIGKILL does not', () => {
    const [f, a, b, pid] = stopped()
    f.action(b, SIG.USR1, H)
    f.kill(a, pid, SIG.USR1)
    expect(f.frames).toEqual([])
    f.kill(a, pid, SIG.CONT)
    expect(f.frames.length).toBe(1)
    f.kill(a, pid, SIG.STOP)
    f.boundary(b)
    f.kill(a, pid, SIG.KILL)
    expect(f.cleared(b)).toBe(true)
  })
  test('a stop drops a pending SIGCONT, and the other way round', () => {
    const [f, a] = start()
    const [b, pid] = f.fork(a)
    f.call(PM.SETPGID, b, 0, 0)
    f.action(b, SIG.CONT, H)
    f.block(b, SIG.CONT, SIG.TSTP)
    f.kill(a, pid, SIG.CONT)
    f.kill(a, pid, SIG.TSTP)
    const set = f.set()
    f.call(PM.SIGPENDING, b, set, 8)
    expect(f.int(set)).toBe(low(SIG.TSTP))
    f.kill(a, pid, SIG.CONT)
    f.call(PM.SIGPENDING, b, set, 8)
    expect(f.int(set)).toBe(low(SIG.CONT))
  })
  test('the parent hears with CLD_STOPPED and CLD_CONTINUED, unless SA_NOCLDSTOP', () => {
    const [f, a, , pid] = stopped()
    f.action(a, SIG.CHLD, H)
    f.kill(a, pid, SIG.CONT)
    f.boundary(a)
    expect(f.frames[0]).toMatchObject({ signo: SIG.CHLD, code: 6, pid, value: SIG.CONT })
    f.action(a, SIG.CHLD, H, SA.NOCLDSTOP)
    f.call(PM.SIGRETURN, a, 0, 0, 0, 2, 0)
    f.kill(a, pid, SIG.STOP)
    f.boundary(a)
    expect(f.frames.length).toBe(1)
  })
  test('SIGTSTP is nothing in an orphaned group, SIGSTOP is', () => {
    const [f, a, pid] = start()
    f.kill(a, pid, SIG.TSTP)
    expect(f.boundary(a)).toBe(0)
    f.kill(a, pid, SIG.STOP)
    expect(f.boundary(a)).toBe(SUSPEND)
  })
  test('a stopped group that becomes orphaned gets SIGHUP and SIGCONT', () => {
    const [f, a] = start()
    const [b] = f.fork(a)
    const [c, pid] = f.fork(b)
    f.call(PM.SETPGID, c, 0, 0)
    f.action(c, SIG.HUP, H)
    f.kill(a, pid, SIG.STOP)
    f.boundary(c)
    f.exit(b, 0)
    expect(f.frames[0]).toMatchObject({ endpoint: c, signo: SIG.HUP })
    expect(f.sys.replyTo(c)).toBe(0)
  })
  test('a session leader leaves: its terminal hangs up', () => {
    const [f, a] = start()
    const [b, pid] = f.fork(a)
    f.call(PM.SETPGID, b, 0, 0)
    f.foreground = pid
    f.exit(a, 0)
    expect(f.cleared(b)).toBe(true)
  })
  test('KILLPG from the terminal', () => {
    const [f, a, pid] = start()
    expect(f.call(PM.KILLPG, 50, pid, SIG.INT)).toBe(-E.PERM)
    expect(f.call(PM.KILLPG, EP.TTY, pid, SIG.INT)).toBe(1)
    expect(f.cleared(a)).toBe(true)
  })
  test('signals of the kernel are the thread\'s own', () => {
    const [f, a, pid] = start()
    f.action(a, SIG.PIPE, H)
    f.sys.ksigs.push([a, low(SIG.PIPE), 0])
    f.sys.notification(EP.SYSTEM)
    expect(f.marked(a)).toBe(true)
    f.boundary(a, -E.PIPE, 1)
    expect(f.frames[0]).toMatchObject({ signo: SIG.PIPE, code: SI.USER, pid, result: -E.PIPE })
  })
})
