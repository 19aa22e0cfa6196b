// Birth, death and family: SPAWN, FORK, EXIT, WAIT, reparenting, vfork, limits, pids.
import { describe, expect, test } from 'vitest'
import { CLONE } from '../../abi/clone.ts'
import { E } from '../../abi/errno.ts'
import { EP, int, SUSPEND } from '../../abi/message.ts'
import { SIG } from '../../abi/signals.ts'
import { FS } from '../../protocol/fs.ts'
import { MACHINE, PM } from '../../protocol/pm.ts'
import { VM } from '../../protocol/vm.ts'
import { Fixture } from './fixture.ts'

const exited = (code: number) => code << 8

describe('first processes', () => {
  test('get pids from 2, a session of their own, and are reported when they end', () => {
    const f = new Fixture()
    const a = f.spawn(0, 7)
    expect([f.pid(a), f.call(PM.GETPPID, a), f.call(PM.GETSID, a, 0), f.call(PM.GETPGRP, a)]).toEqual([2, 1, 2, 2])
    f.exit(a, 3)
    const [m] = f.sentTo(EP.MACHINE, MACHINE.ENDED)
    expect([int(m, 0), int(m, 1), int(m, 2)]).toEqual([7, 2, exited(3)])
    expect(f.call(PM.GETPID, a)).toBe(-E.SRCH)
  })
  test('only the machine may make them', () => {
    const f = new Fixture()
    expect(f.call(PM.SPAWN, 40, 41, 0, 0, 0, null, 0)).toBe(-E.PERM)
  })
})

describe('fork', () => {
  test('tells the container, VM and FS, in that order', () => {
    const f = new Fixture()
    const a = f.spawn()
    f.sys.calls.length = 0
    const [child, pid] = f.fork(a)
    expect(pid).toBe(3)
    expect(f.sys.calls.map(c => (c[0] === 'sendrec' ? [c[1], c[2]] : [c[0]]))).toEqual([['fork'], [EP.VM, VM.FORK], [EP.FS, FS.FORK]])
    expect([f.pid(child), f.call(PM.GETPPID, child)]).toEqual([3, 2])
  })
  test.each([
    ['VM', EP.VM, VM.FORK],
    ['FS', EP.FS, FS.FORK],
  ])('is undone when %s refuses', (_name, server, type) => {
    const f = new Fixture()
    const a = f.spawn()
    f.sys.stub(server, { [type]: () => -E.NOMEM })
    const [child, result] = f.fork(a)
    expect(result).toBe(-E.NOMEM)
    expect(f.cleared(child)).toBe(true)
    expect(f.wait(a, -1, 1).result).toBe(-E.CHILD)
  })
  test('container refuses', () => {
    const f = new Fixture()
    const a = f.spawn()
    f.sys.results.fork = -E.NOSYS
    expect(f.fork(a)[1]).toBe(-E.NOSYS)
  })
  test('FORKFAIL leaves no trace', () => {
    const f = new Fixture()
    const a = f.spawn()
    const [child] = f.fork(a)
    expect(f.call(PM.FORKFAIL, a, child, E.AGAIN)).toBe(-E.AGAIN)
    expect(f.wait(a, -1, 1).result).toBe(-E.CHILD)
    expect(f.cleared(child)).toBe(true)
  })
  test('limits: RLIMIT_NPROC for users, the machine for all', () => {
    const f = new Fixture({ maxProcesses: 3, limits: { 6: [1, 1] } })
    const user = f.spawn(1000)
    expect(f.fork(user)[1]).toBe(-E.AGAIN)
    const root = f.spawn(0)
    expect(f.fork(root)[1]).toBeGreaterThan(0)
    expect(f.fork(root)[1]).toBe(-E.AGAIN)
  })
  test('pids go up, wrap at the maximum, and skip those in use', () => {
    const f = new Fixture({ pidMax: 303 })
    const a = f.spawn()
    const seen: number[] = []
    for (let k = 0; k < 302; k++) {
      const [child, pid] = f.fork(a)
      seen.push(pid)
      f.exit(child, 0)
      f.wait(a)
      f.sys.release()
    }
    expect(seen.slice(0, 3)).toEqual([3, 4, 5])
    expect(seen.slice(-3)).toEqual([302, 300, 301])
  })
})

describe('vfork', () => {
  const flags = CLONE.VM | CLONE.VFORK | SIG.CHLD
  test.each([
    ['exec', (f: Fixture, child: number) => f.call(PM.EXEC, child, -1, -1, 1, f.sys.grant('true'), null)],
    ['exit', (f: Fixture, child: number) => f.exit(child, 0)],
    ['death', (f: Fixture, child: number) => f.call(PM.HOSTDIED, child, 9)],
  ])('parent waits for %s', (_name, end) => {
    const f = new Fixture()
    const a = f.spawn()
    const [child, result] = f.fork(a, flags)
    expect(result).toBe(SUSPEND)
    expect(f.sys.replyTo(a)).toBeUndefined()
    end(f, child)
    expect(f.sys.replyTo(a)).toBe(3)
  })
})

describe('wait', () => {
  test('a zombie is there already', () => {
    const f = new Fixture()
    const a = f.spawn()
    const [child, pid] = f.fork(a)
    f.exit(child, 42)
    const { result, status } = f.wait(a)
    expect([result, f.int(status)]).toEqual([pid, exited(42)])
    expect(f.wait(a).result).toBe(-E.CHILD)
  })
  test('suspends until the child ends; SIGCHLD does not cut it short', () => {
    const f = new Fixture()
    const a = f.spawn()
    f.action(a, SIG.CHLD, 0x1000)
    const [child, pid] = f.fork(a)
    const { result, status } = f.wait(a)
    expect(result).toBe(SUSPEND)
    f.exit(child, 1)
    expect(f.sys.replyTo(a)).toBe(pid)
    expect(f.int(status)).toBe(exited(1))
    expect(f.marked(a)).toBe(true)
    f.boundary(a, pid, 1)
    expect(f.frames[0]).toMatchObject({ signo: SIG.CHLD, code: 1, pid, value: 1 })
  })
  test('WNOHANG answers 0', () => {
    const f = new Fixture()
    const a = f.spawn()
    f.fork(a)
    expect(f.wait(a, -1, 1).result).toBe(0)
  })
  test('which children', () => {
    const f = new Fixture()
    const a = f.spawn()
    const [one, pid1] = f.fork(a)
    const [two, pid2] = f.fork(a)
    f.call(PM.SETPGID, two, 0, 0)
    f.exit(one, 1)
    f.exit(two, 2)
    expect(f.wait(a, pid2 + 1).result).toBe(-E.CHILD)
    expect(f.wait(a, -pid2).result).toBe(pid2)
    expect(f.wait(a, 0).result).toBe(pid1)
    expect(f.call(PM.WAITPID, a, -1, null, 0x40, null)).toBe(-E.INVAL)
    expect(f.wait(a, -2147483648).result).toBe(-E.SRCH)
  })
  test('interrupted by a handled signal', () => {
    const f = new Fixture()
    const a = f.spawn()
    f.action(a, SIG.USR1, 0x1000)
    f.fork(a)
    expect(f.wait(a).result).toBe(SUSPEND)
    f.kill(a, f.pid(a), SIG.USR1)
    expect(f.sys.replyTo(a)).toBe(-E.RESTARTSYS)
    f.boundary(a, -E.RESTARTSYS, 1)
    expect(f.frames[0]).toMatchObject({ signo: SIG.USR1, inCall: 1, result: -E.RESTARTSYS })
  })
  test.each([
    ['SIG_IGN', 1, 0, 0],
    ['SA_NOCLDWAIT', 0x1000, 2, 1],
  ])('%s: children are not kept', (_name, handler, flags, frames) => {
    const f = new Fixture()
    const a = f.spawn()
    f.action(a, SIG.CHLD, handler, flags)
    const [child] = f.fork(a)
    f.wait(a)
    f.exit(child, 0)
    expect(f.sys.replyTo(a)).toBe(-E.CHILD)
    f.boundary(a, -E.CHILD, 1)
    expect(f.frames.length).toBe(frames)
  })
  test('waitid fills siginfo; WNOWAIT keeps the zombie', () => {
    const f = new Fixture()
    const a = f.spawn()
    const [child, pid] = f.fork(a)
    f.call(PM.KILL, a, pid, SIG.TERM)
    void child
    const info = f.sys.grant(128)
    expect(f.call(PM.WAITID, a, 0, 0, info, 4 | 0x1000000, null)).toBe(0)
    expect([f.int(info), f.int(info, 8), f.int(info, 16), f.int(info, 24)]).toEqual([SIG.CHLD, 2, pid, SIG.TERM])
    expect(f.wait(a).result).toBe(pid)
    expect(f.call(PM.WAITID, a, 0, 0, info, 0, null)).toBe(-E.INVAL)
  })
  test('usage of children adds up', () => {
    const f = new Fixture()
    const a = f.spawn()
    const [child] = f.fork(a)
    f.sys.cpu.set(child, [1500, 250])
    f.exit(child, 0)
    const usage = f.sys.grant(144)
    expect(f.call(PM.WAITPID, a, -1, null, 0, usage)).toBe(3)
    expect([f.long(usage), f.long(usage, 8), f.long(usage, 24)]).toEqual([1, 500000, 250000])
    const tms = f.sys.grant(32)
    f.call(PM.TIMES, a, tms)
    expect([f.long(tms, 16), f.long(tms, 24)]).toEqual([150, 25])
  })
})

describe('orphans', () => {
  test('go to init, which reaps them', () => {
    const f = new Fixture()
    const a = f.spawn()
    const [b] = f.fork(a)
    const [c, pid] = f.fork(b)
    f.exit(b, 0)
    expect(f.call(PM.GETPPID, c)).toBe(1)
    f.exit(c, 0)
    expect(f.kill(a, pid, 0)).toBe(-E.SRCH)
  })
  test('go to a subreaper', () => {
    const f = new Fixture()
    const a = f.spawn()
    f.call(PM.PRCTL, a, 36, 1, 0, 0, 0, null)
    const [b] = f.fork(a)
    const [c, pid] = f.fork(b)
    f.exit(b, 0)
    f.wait(a)
    expect(f.call(PM.GETPPID, c)).toBe(2)
    f.exit(c, 5)
    expect(f.wait(a).result).toBe(pid)
  })
  test('PR_SET_PDEATHSIG', () => {
    const f = new Fixture()
    const a = f.spawn()
    const [b] = f.fork(a)
    f.call(PM.PRCTL, b, 1, SIG.KILL, 0, 0, 0, null)
    f.exit(a, 0)
    expect(f.cleared(b)).toBe(true)
  })
})

describe('exec', () => {
  test('handlers go, ignored stays, name changes, set-id counts', () => {
    const f = new Fixture()
    const a = f.spawn(1000)
    f.action(a, SIG.USR1, 0x1000)
    f.action(a, SIG.USR2, 1)
    expect(f.call(PM.EXEC, a, 0, -1, 1, f.sys.grant('a-name-that-is-too-long'), null)).toBe(0)
    expect([f.call(PM.GETUID, a), f.call(PM.GETEUID, a)]).toEqual([1000, 0])
    f.kill(a, f.pid(a), SIG.USR2)
    expect(f.cleared(a)).toBe(false)
    const name = f.sys.grant(16)
    f.call(PM.PRCTL, a, 16, 0, 0, 0, 0, name)
    expect(f.sys.text(name, 15)).toBe('a-name-that-is-')
    f.kill(a, f.pid(a), SIG.USR1)
    expect(f.cleared(a)).toBe(true)
  })
  test('PR_SET_NO_NEW_PRIVS: set-id does not', () => {
    const f = new Fixture()
    const a = f.spawn(1000)
    f.call(PM.PRCTL, a, 38, 1, 0, 0, 0, null)
    f.call(PM.EXEC, a, 0, 0, 1, f.sys.grant('su'), null)
    expect(f.call(PM.GETEUID, a)).toBe(1000)
  })
  test('setpgid of a child that has called exec', () => {
    const f = new Fixture()
    const a = f.spawn()
    const [b, pid] = f.fork(a)
    expect(f.call(PM.SETPGID, a, pid, pid)).toBe(0)
    f.call(PM.EXEC, b, -1, -1, 1, f.sys.grant('x'), null)
    expect(f.call(PM.SETPGID, a, pid, 2)).toBe(-E.ACCES)
  })
})

test('state goes out and comes back', () => {
  const f = new Fixture()
  const a = f.spawn()
  const [b, pid] = f.fork(a)
  f.action(a, SIG.USR1, 0x1000)
  f.call(PM.ALARM, b, 5)
  expect(f.wait(a).result).toBe(SUSPEND)
  const state = JSON.parse(JSON.stringify(f.server.exportState?.(), (_k, v) => (ArrayBuffer.isView(v) ? v : v)))
  expect(state.processes.length).toBe(3)
  const g = new Fixture()
  g.server.importState?.(f.server.exportState?.())
  expect(g.call(PM.GETPPID, b)).toBe(2)
  g.sys.advance(5000)
  expect(g.sys.replyTo(a)).toBe(pid) // the alarm killed the child, and its parent was waiting
})
