// Ids and capabilities, sessions and groups, limits, priorities, and what is answered about processes and the machine.
import { describe, expect, test } from 'vitest'
import { E } from '../../abi/errno.ts'
import { EP } from '../../abi/message.ts'
import { FS } from '../../protocol/fs.ts'
import { CRED_BYTES, PM, PROC_RECORD as R } from '../../protocol/pm.ts'
import { VM } from '../../protocol/vm.ts'
import { Fixture } from './fixture.ts'

const ids = (f: Fixture, e: number) => {
  const g = [f.sys.grant(4), f.sys.grant(4), f.sys.grant(4)]
  f.call(PM.GETRESUID, e, ...g)
  const cred = f.sys.grant(CRED_BYTES)
  f.call(PM.GETCRED, EP.FS, e, cred)
  return [...g.map(x => f.int(x)), f.int(cred, 12)]
}
const caps = (f: Fixture, e: number) => {
  const header = f.sys.grant(8)
  f.sys.view.setUint32(header.offset, 0x20080522, true)
  const data = f.sys.grant(24)
  expect(f.call(PM.CAPGET, e, header, data)).toBe(0)
  return [f.int(data) >>> 0, f.int(data, 4) >>> 0]
}
const ALL = 0xffffffff

describe('set*uid', () => {
  // [name, uid of the process, steps (call, arguments), result of the last, ids after: real effective saved fs]
  test.each([
    ['root setuid sets all', 0, [[PM.SETUID, 1000]], 0, [1000, 1000, 1000, 1000]],
    ['user setuid to own', 1000, [[PM.SETUID, 1000]], 0, [1000, 1000, 1000, 1000]],
    ['user setuid to another', 1000, [[PM.SETUID, 0]], -E.PERM, [1000, 1000, 1000, 1000]],
    ['setuid -1', 0, [[PM.SETUID, -1]], -E.INVAL, [0, 0, 0, 0]],
    ['seteuid and back', 0, [[PM.SETRESUID, -1, 1000, -1], [PM.SETRESUID, -1, 0, -1]], 0, [0, 0, 0, 0]],
    ['setuid after seteuid', 0, [[PM.SETRESUID, -1, 1000, -1], [PM.SETUID, 1000]], -E.PERM, [0, 1000, 0, 1000]],
    ['setreuid moves the saved id', 0, [[PM.SETREUID, 1000, 1001]], 0, [1000, 1001, 1001, 1001]],
    ['setreuid effective only, to real', 0, [[PM.SETRESUID, 1000, 0, 0], [PM.SETREUID, -1, 1000]], 0, [1000, 1000, 0, 1000]],
    ['setreuid swap', 0, [[PM.SETRESUID, 1000, 1001, 1001], [PM.SETREUID, 1001, 1000]], 0, [1001, 1000, 1000, 1000]],
    ['setreuid real to saved only', 0, [[PM.SETRESUID, 1000, 1000, 1001], [PM.SETREUID, 1001, -1]], -E.PERM, [1000, 1000, 1001, 1000]],
    ['setresuid among own', 0, [[PM.SETRESUID, 1, 2, 3], [PM.SETRESUID, 3, 1, 2]], 0, [3, 1, 2, 1]],
    ['setresuid to another', 0, [[PM.SETRESUID, 1, 2, 3], [PM.SETRESUID, 4, -1, -1]], -E.PERM, [1, 2, 3, 2]],
    ['setresuid without a change leaves the fsuid', 0, [[PM.SETFSUID, 7], [PM.SETRESUID, -1, -1, 0]], 0, [0, 0, 0, 7]],
    ['setfsuid answers the old id', 0, [[PM.SETFSUID, 7]], 0, [0, 0, 0, 7]],
    ['setfsuid refused silently', 1000, [[PM.SETFSUID, 7]], 1000, [1000, 1000, 1000, 1000]],
  ] as const)('%s', (_name, uid, steps, expected, after) => {
    const f = new Fixture()
    const a = f.spawn(uid)
    let result = 0
    for (const [call, ...args] of steps) result = f.call(call, a, ...args)
    expect([result, ids(f, a)]).toEqual([expected, after])
  })
  test('capabilities go with the last root id, come back with the effective one', () => {
    const f = new Fixture()
    const a = f.spawn()
    expect(caps(f, a)).toEqual([ALL, ALL])
    f.call(PM.SETRESUID, a, -1, 1000, -1)
    expect(caps(f, a)).toEqual([0, ALL])
    f.call(PM.SETRESUID, a, -1, 0, -1)
    expect(caps(f, a)).toEqual([ALL, ALL])
    f.call(PM.SETUID, a, 1000)
    expect(caps(f, a)).toEqual([0, 0])
  })
  test('PR_SET_KEEPCAPS', () => {
    const f = new Fixture()
    const a = f.spawn()
    f.call(PM.PRCTL, a, 8, 1, 0, 0, 0, null)
    f.call(PM.SETUID, a, 1000)
    expect(caps(f, a)).toEqual([0, ALL])
  })
  test('FS is told', () => {
    const f = new Fixture()
    const a = f.spawn()
    f.sys.calls.length = 0
    f.call(PM.SETGID, a, 5)
    expect(f.sys.calls.some(c => c[0] === 'sendrec' && c[1] === EP.FS && c[2] === FS.SETCRED)).toBe(true)
  })
  test('capset takes away, never adds', () => {
    const f = new Fixture()
    const a = f.spawn()
    const header = f.sys.grant(8)
    f.sys.view.setUint32(header.offset, 0x20080522, true)
    const data = f.sys.grant(24)
    f.sys.view.setUint32(data.offset, 1, true)
    f.sys.view.setUint32(data.offset + 4, 3, true)
    expect(f.call(PM.CAPSET, a, header, data)).toBe(0)
    expect(caps(f, a)).toEqual([1, 3])
    f.sys.view.setUint32(data.offset + 4, 7, true)
    expect(f.call(PM.CAPSET, a, header, data)).toBe(-E.PERM)
    f.sys.view.setUint32(header.offset, 1, true)
    expect(f.call(PM.CAPGET, a, header, null)).toBe(0)
    expect(f.int(header)).toBe(0x20080522)
  })
})

describe('groups', () => {
  test('set and get', () => {
    const f = new Fixture()
    const a = f.spawn()
    const list = f.sys.grant(new Uint8Array(Uint32Array.of(30, 10, 20).buffer))
    expect(f.call(PM.SETGROUPS, a, 3, list)).toBe(0)
    expect(f.call(PM.GETGROUPS, a, 0, null)).toBe(3)
    const out = f.sys.grant(12)
    expect(f.call(PM.GETGROUPS, a, 2, out)).toBe(-E.INVAL)
    expect(f.call(PM.GETGROUPS, a, 3, out)).toBe(3)
    expect([0, 4, 8].map(k => f.int(out, k))).toEqual([10, 20, 30])
    expect(f.call(PM.SETGROUPS, f.spawn(1000), 0, null)).toBe(-E.PERM)
  })
})

describe('setpgid and setsid', () => {
  test('rules', () => {
    const f = new Fixture()
    const a = f.spawn()
    const [b, pid] = f.fork(a)
    const [c, pid2] = f.fork(a)
    expect(f.call(PM.SETPGID, a, 0, 0)).toBe(-E.PERM) // session leader
    expect(f.call(PM.SETPGID, b, 0, -1)).toBe(-E.INVAL)
    expect(f.call(PM.SETPGID, b, pid2, 0)).toBe(-E.SRCH) // not its child
    expect(f.call(PM.SETPGID, a, 99, 0)).toBe(-E.SRCH)
    expect(f.call(PM.SETPGID, a, pid, pid)).toBe(0)
    expect(f.call(PM.SETPGID, c, 0, pid)).toBe(0)
    expect(f.call(PM.GETPGID, a, pid2)).toBe(pid)
    expect(f.call(PM.SETPGID, c, 0, 77)).toBe(-E.PERM) // no such group
    expect(f.call(PM.SETSID, b)).toBe(-E.PERM) // leads a group
    const [d, pid3] = f.fork(c)
    expect(f.call(PM.SETSID, d)).toBe(pid3)
    expect([f.call(PM.GETSID, d, 0), f.call(PM.GETPGRP, d)]).toEqual([pid3, pid3])
    expect(f.call(PM.SETPGID, c, pid3, pid)).toBe(-E.PERM) // another session
  })
  test('GETJOB', () => {
    const f = new Fixture()
    const a = f.spawn()
    const [b, pid] = f.fork(a)
    f.call(PM.SETPGID, b, 0, 0)
    const ask = (what: number, of = b) => f.call(PM.GETJOB, EP.TTY, of, what)
    expect([0, 1, 2, 3, 4, 5, 6, 7].map(what => ask(what))).toEqual([pid, pid, 2, 0, 0, 0, 2, pid])
    expect([ask(5, a), ask(8, pid), ask(9, pid), ask(9, 99)]).toEqual([1, b, 2, -E.SRCH])
    f.action(b, 22, 1)
    f.block(b, 21)
    expect([ask(3), ask(4)]).toEqual([1, 1])
    expect(f.call(PM.GETJOB, a, b, 0)).toBe(-E.PERM)
  })
})

describe('limits', () => {
  const pair = (f: Fixture, soft: number, hard: number) => {
    const g = f.sys.grant(16)
    for (const [k, v] of [soft, hard].entries()) {
      f.sys.view.setUint32(g.offset + 8 * k, v < 0 ? ALL : v, true)
      f.sys.view.setUint32(g.offset + 8 * k + 4, v < 0 ? ALL : 0, true)
    }
    return g
  }
  test('get, set, tell FS and VM', () => {
    const f = new Fixture()
    const a = f.spawn(1000)
    const old = f.sys.grant(16)
    expect(f.call(PM.PRLIMIT64, a, 0, 7, pair(f, 64, 4096), old)).toBe(0)
    expect([f.int(old), f.int(old, 8)]).toEqual([1024, 1048576])
    expect(f.call(PM.SETRLIMIT, a, 7, pair(f, 64, 8192))).toBe(-E.PERM)
    expect(f.call(PM.SETRLIMIT, a, 7, pair(f, 65, 64))).toBe(-E.INVAL)
    expect(f.call(PM.SETRLIMIT, a, 9, pair(f, 1 << 20, -1))).toBe(0)
    expect(f.call(PM.GETRLIMIT, a, 9, old)).toBe(0)
    expect([f.int(old), f.int(old, 8), f.int(old, 12)]).toEqual([1 << 20, -1, -1])
    expect(f.call(PM.GETRLIMIT, a, 16, old)).toBe(-E.INVAL)
    const told = f.sys.calls.filter(c => c[0] === 'sendrec').map(c => [c[1], c[2]])
    expect(told).toContainEqual([EP.FS, FS.SETLIMIT])
    expect(told).toContainEqual([EP.VM, VM.SETLIMIT])
  })
  test('of others', () => {
    const f = new Fixture()
    const a = f.spawn(1000)
    f.spawn(1001)
    expect(f.call(PM.PRLIMIT64, a, 3, 7, null, f.sys.grant(16))).toBe(-E.PERM)
    expect(f.call(PM.PRLIMIT64, a, 99, 7, null, f.sys.grant(16))).toBe(-E.SRCH)
  })
  test('nice', () => {
    const f = new Fixture()
    const a = f.spawn(1000)
    expect(f.call(PM.GETPRIORITY, a, 0, 0)).toBe(20)
    expect(f.call(PM.SETPRIORITY, a, 0, 0, 5)).toBe(0)
    expect(f.call(PM.SETPRIORITY, a, 0, 0, 0)).toBe(-E.ACCES)
    expect(f.call(PM.GETPRIORITY, a, 0, 0)).toBe(15)
    expect(f.call(PM.SETPRIORITY, f.spawn(0), 2, 1000, -5)).toBe(0)
    expect(f.call(PM.GETPRIORITY, a, 0, 0)).toBe(25)
    expect(f.call(PM.GETPRIORITY, a, 0, 99)).toBe(-E.SRCH)
    expect(f.call(PM.GETPRIORITY, a, 3, 0)).toBe(-E.INVAL)
  })
  test('affinity is the machine\'s processors', () => {
    const f = new Fixture()
    const a = f.spawn()
    const mask = f.sys.grant(128)
    expect(f.call(PM.SCHED_GETAFFINITY, a, 0, 128, mask)).toBe(8)
    expect(f.int(mask)).toBe(3)
    expect(f.call(PM.SCHED_GETAFFINITY, a, 0, 4, mask)).toBe(-E.INVAL)
    expect(f.call(PM.SCHED_SETAFFINITY, a, 0, 8, f.sys.grant(new Uint8Array([2, 0, 0, 0, 0, 0, 0, 0])))).toBe(0)
    f.call(PM.SCHED_GETAFFINITY, a, 0, 128, mask)
    expect(f.int(mask)).toBe(2)
    expect(f.call(PM.SCHED_SETAFFINITY, a, 0, 8, f.sys.grant(new Uint8Array([4, 0, 0, 0, 0, 0, 0, 0])))).toBe(-E.INVAL)
  })
})

describe('about', () => {
  test('uname and sethostname', () => {
    const f = new Fixture()
    const a = f.spawn()
    f.call(PM.SETHOSTNAME, a, f.sys.grant('other'), 5)
    const g = f.sys.grant(390)
    f.call(PM.UNAME, a, g)
    expect(f.sys.text(g).split('\0').filter(s => s !== '')).toEqual(['Linux', 'other', '6.1.0', '#1 SMP', 'x86_64', '(none)'])
    expect(f.call(PM.SETHOSTNAME, f.spawn(1000), f.sys.grant('x'), 1)).toBe(-E.PERM)
  })
  test('sysinfo, getrandom, getcpu, personality', () => {
    const f = new Fixture()
    const a = f.spawn()
    f.sys.now = 65_000
    const g = f.sys.grant(112)
    f.call(PM.SYSINFO, a, g)
    expect([f.long(g), f.long(g, 32), f.sys.view.getUint16(g.offset + 80, true), f.int(g, 104)]).toEqual([65, 1 << 30, 1, 1])
    expect(f.call(PM.GETRANDOM, a, f.sys.grant(16), 16, 1)).toBe(16)
    expect(f.call(PM.GETRANDOM, a, f.sys.grant(16), 16, 8)).toBe(-E.INVAL)
    expect(f.call(PM.PERSONALITY, a, 0x40000)).toBe(0)
    expect(f.call(PM.PERSONALITY, a, 0xffffffff)).toBe(0x40000)
    expect(f.call(PM.SET_ROBUST_LIST, a, 0x1000, 24)).toBe(0)
    expect(f.call(PM.SET_TID_ADDRESS, a, 0x1000)).toBe(2)
  })
  test('PROCINFO and PIDS', () => {
    const f = new Fixture()
    const a = f.spawn(1000)
    const [b, pid] = f.fork(a)
    f.call(PM.EXEC, b, -1, -1, 1, f.sys.grant('cat'), null)
    f.exit(b, 0)
    const g = f.sys.grant(R.BYTES)
    expect(f.call(PM.PROCINFO, EP.FS, pid, g)).toBe(R.BYTES)
    expect([R.PID, R.PPID, R.PGRP, R.SESSION, R.STATE, R.UID].map(k => f.int(g, k))).toEqual([pid, 2, 2, 2, 'Z'.charCodeAt(0), 1000])
    expect(f.sys.text(g).slice(R.COMM, R.COMM + 4)).toBe('cat\0')
    const pids = f.sys.grant(8)
    expect(f.call(PM.PIDS, EP.FS, 1, pids)).toBe(2)
    expect([f.int(pids), f.int(pids, 4)]).toEqual([2, 3])
    expect(f.call(PM.PROCINFO, EP.FS, 99, g)).toBe(-E.SRCH)
    expect(f.call(PM.PROCINFO, a, 2, g)).toBe(-E.PERM)
  })
  test.each([
    ['unknown', [999, 0], -E.INVAL],
    ['seccomp', [22, 2], -E.INVAL],
    ['dumpable', [3], 1],
    ['bounding set', [23, 40], 1],
    ['beyond it', [23, 41], -E.INVAL],
    ['timer slack', [30], 50000],
    ['no_new_privs', [38, 1], 0],
    ['no_new_privs off', [38, 0], -E.INVAL],
    ['pdeathsig', [1, 65], -E.INVAL],
    ['THP', [41, 1], 0],
  ] as const)('prctl: %s', (_name, [option, arg = 0], expected) => {
    const f = new Fixture()
    expect(f.call(PM.PRCTL, f.spawn(), option, arg, 0, 0, 0, null)).toBe(expected)
  })
})
