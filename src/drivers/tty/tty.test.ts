// The TTY driver as FS, PM and the host see it: requests that wait and are answered later, job control, back-pressure, hang-up.
import { beforeEach, describe, expect, it } from 'vitest'
import { FakeHostIo } from '../../../test/support/fake-hostio.ts'
import { type Cell, FakeSys } from '../../../test/support/fake-sys.ts'
import { E } from '../../abi/errno.ts'
import { O } from '../../abi/fcntl.ts'
import { IOCTL } from '../../abi/ioctl.ts'
import { EP, int, long, type Message, SUSPEND } from '../../abi/message.ts'
import { POLL } from '../../abi/poll.ts'
import { SIG } from '../../abi/signals.ts'
import { L, OF, TERMIOS, V } from '../../abi/termios.ts'
import { CDEV, TTY_MINOR } from '../../protocol/cdev.ts'
import { COMMON_CALL } from '../../protocol/common.ts'
import { PM } from '../../protocol/pm.ts'
import { TTY } from '../../protocol/tty.ts'
import { createTty, type TtyDriver } from './tty.ts'

const DEV_TTY = TTY_MINOR[5]
const IN = 10
const OUT = 11
/** Session leader (a shell, pid 100), a job of its (pid 200), and a leader of another session (pid 300). */
const SHELL = 1000
const JOB = 2000
const OTHER = 3000

interface Proc {
  pid: number
  pgrp: number
  session: number
  ignores?: boolean
  orphaned?: boolean
  admin?: boolean
}
let sys: FakeSys
let io: FakeHostIo
let tty: TtyDriver
let procs: Record<number, Proc>
let nextId = 1

function getjob(m: Message): number {
  const what = int(m, 1)
  if (what === 8) return Number(Object.entries(procs).find(([, p]) => p.pid === int(m, 0))?.[0] ?? -E.SRCH)
  if (what === 9) return Object.values(procs).find(p => p.pgrp === int(m, 0))?.session ?? -E.SRCH
  const p = procs[int(m, 0)]
  if (p === undefined) return -E.SRCH
  return (
    [p.pid, p.pgrp, p.session, p.ignores ? 1 : 0, p.ignores ? 1 : 0, p.orphaned ? 1 : 0, 1, p.pid][what] ?? -E.INVAL
  )
}
function getcred(m: Message): number {
  sys.mem.fill(0, int(m, 1), int(m, 1) + 176)
  if (procs[int(m, 0)]?.admin) sys.view.setUint32(int(m, 1) + 168, 1 << 21, true)
  return 176
}

beforeEach(() => {
  sys = new FakeSys(EP.TTY)
  io = new FakeHostIo(sys.mem)
  procs = {
    [SHELL]: { pid: 100, pgrp: 100, session: 100 },
    [JOB]: { pid: 200, pgrp: 200, session: 100 },
    [OTHER]: { pid: 300, pgrp: 300, session: 300 },
  }
  sys.stub(EP.PM, { [PM.GETJOB]: getjob, [PM.GETCRED]: getcred })
  tty = sys.attach(createTty(sys, io, { inFd: IN, outFd: OUT, size: { rows: 24, columns: 80 } }))
})

// -- what FS does --
function fs(type: number, cells: Cell[]): number {
  return sys.call(type, EP.FS, cells)
}
function open(endpoint: number, minor = 0, flags: number = O.RDWR): number {
  return fs(CDEV.OPEN, [minor, endpoint, flags])
}
interface Read {
  id: number
  result: number
  text(): string
}
function read(minor: number, endpoint: number, len = 100, flags = 0): Read {
  const grant = sys.grant(len)
  const id = nextId++
  const result = fs(CDEV.READ, [minor, grant, len, flags, id, endpoint])
  return { id, result, text: () => sys.text(grant, result === SUSPEND ? Number(replyTo(id)) : result) }
}
function write(minor: number, endpoint: number, data: string, flags = 0): { id: number; result: number } {
  const id = nextId++
  return { id, result: fs(CDEV.WRITE, [minor, sys.grant(data), data.length, flags, id, endpoint]) }
}
function ioctl(
  minor: number,
  endpoint: number,
  cmd: number,
  arg: number | Uint8Array = 0,
): { id: number; result: number; data: Uint8Array } {
  const id = nextId++
  const grant = typeof arg === 'number' ? null : sys.grant(arg)
  const result = fs(CDEV.IOCTL, [minor, cmd, typeof arg === 'number' ? arg : 0, grant, id, endpoint])
  return { id, result, data: grant === null ? new Uint8Array(0) : sys.bytes(grant) }
}
function getInt(minor: number, endpoint: number, cmd: number): number {
  const { result, data } = ioctl(minor, endpoint, cmd, new Uint8Array(4))
  return result < 0 ? result : new DataView(data.buffer).getInt32(0, true)
}
function setInt(minor: number, endpoint: number, cmd: number, value: number): number {
  return ioctl(minor, endpoint, cmd, new Uint8Array(Int32Array.of(value).buffer)).result
}
/** Change settings by TCGETS and TCSETS (or another request). */
function configure(
  minor: number,
  change: (view: DataView, cc: Uint8Array) => void,
  cmd: number = IOCTL.TCSETS,
): { id: number; result: number } {
  const { data } = ioctl(minor, SHELL, IOCTL.TCGETS, new Uint8Array(TERMIOS.BYTES))
  change(new DataView(data.buffer), data.subarray(TERMIOS.CC))
  return ioctl(minor, SHELL, cmd, data)
}
function raw(minor: number, min: number, time: number): void {
  configure(minor, (view, cc) => {
    view.setUint32(TERMIOS.LFLAG, 0, true)
    view.setUint32(TERMIOS.IFLAG, 0, true)
    cc[V.MIN] = min
    cc[V.TIME] = time
  })
}
// -- what the driver did --
function replyTo(id: number): number | undefined {
  const m = sys.sent.find(s => s.dst === EP.FS && s.type === CDEV.REPLY && int(s.m, 0) === id)?.m
  return m === undefined ? undefined : long(m, 1)
}
function signals(): [pgrp: number, signo: number][] {
  return sys.sent.filter(s => s.dst === EP.PM && s.type === PM.KILLPG).map(s => [int(s.m, 0), int(s.m, 1)])
}
function readies(): [minor: number, events: number][] {
  return sys.sent.filter(s => s.type === CDEV.READY).map(s => [int(s.m, 0), int(s.m, 1)])
}
function type(...pieces: string[]): void {
  io.fd(IN).input.push(...pieces)
  io.run()
}
const shown = (): string => io.fd(OUT).output

describe('reading', () => {
  it('waits for a line and is answered with it', () => {
    const minor = open(SHELL)
    const r = read(minor, SHELL)
    expect(r.result).toBe(SUSPEND)
    type('he', 'llo\n')
    expect([r.text(), shown()]).toEqual(['hello\n', 'hello\r\n'])
  })
  it('takes what is there at once; a small read leaves the rest', () => {
    const minor = open(SHELL)
    type('hello\n')
    expect([read(minor, SHELL, 2).text(), read(minor, SHELL).text()]).toEqual(['he', 'llo\n'])
  })
  it('O_NONBLOCK: EAGAIN without a line', () => {
    const minor = open(SHELL)
    type('hel')
    expect(read(minor, SHELL, 10, O.NONBLOCK).result).toBe(-E.AGAIN)
  })
  it('two readers get a line each, in order', () => {
    const minor = open(SHELL)
    const [a, b] = [read(minor, SHELL), read(minor, SHELL)]
    type('1\n2\n')
    expect([a.text(), b.text()]).toEqual(['1\n', '2\n'])
  })
  it('cancelled: -ERESTARTSYS, or the bytes it has; unknown: -ESRCH', () => {
    const minor = open(SHELL)
    const a = read(minor, SHELL)
    expect(fs(CDEV.CANCEL, [minor, a.id])).toBe(-E.RESTARTSYS)
    expect(fs(CDEV.CANCEL, [minor, a.id])).toBe(-E.SRCH)
    raw(minor, 5, 0)
    const b = read(minor, SHELL)
    type('ab')
    expect(fs(CDEV.CANCEL, [minor, b.id])).toBe(2)
    type('cdefg')
    expect(read(minor, SHELL).text()).toBe('cdefg')
  })
  it('forgets who is gone', () => {
    const minor = open(SHELL)
    const r = read(minor, JOB)
    sys.call(COMMON_CALL.GONE, EP.SYSTEM, [JOB])
    type('a\n')
    expect([replyTo(r.id), read(minor, SHELL).text()]).toEqual([undefined, 'a\n'])
  })
  const timing: [
    name: string,
    min: number,
    time: number,
    steps: (string | number)[],
    result: string | typeof SUSPEND,
  ][] = [
    ['VMIN 1: the first bytes', 1, 0, ['ab'], 'ab'],
    ['VMIN 3: waits for three', 3, 0, ['ab'], SUSPEND],
    ['VMIN 3: has three', 3, 0, ['ab', 'cd'], 'abcd'],
    ['VMIN 0, VTIME 0: never waits', 0, 0, [], ''],
    ['VMIN 0, VTIME 5: half a second for a first byte', 0, 5, [499], SUSPEND],
    ['VMIN 0, VTIME 5: then 0', 0, 5, [500], ''],
    ['VMIN 0, VTIME 5: or as soon as there is one', 0, 5, [300, 'a'], 'a'],
    ['VMIN 3, VTIME 5: no time before the first byte', 3, 5, [5000], SUSPEND],
    ['VMIN 3, VTIME 5: half a second between bytes', 3, 5, ['a', 400, 'b', 400], SUSPEND],
    ['VMIN 3, VTIME 5: then what there is', 3, 5, ['a', 400, 'b', 500], 'ab'],
  ]
  it.each(timing)('%s', (_name, min, time, steps, result) => {
    const minor = open(SHELL)
    raw(minor, min, time)
    const r = read(minor, SHELL)
    for (const step of steps) {
      if (typeof step === 'string') type(step)
      else sys.advance(step)
    }
    if (result === SUSPEND) expect([r.result, replyTo(r.id)]).toEqual([SUSPEND, undefined])
    else expect(r.text()).toBe(result)
  })
  it('leaves in the host what there is no room for', () => {
    const minor = open(SHELL)
    raw(minor, 1, 0)
    for (let i = 0; i < 5; i++) io.fd(IN).input.push('x'.repeat(4000))
    io.run()
    expect([io.watches.has(IN), io.fd(IN).input.length]).toEqual([false, 3])
    let got = 0
    for (let i = 0; i < 20; i++) {
      const n = read(minor, SHELL, 1000, O.NONBLOCK).result
      if (n > 0) got += n
      io.run()
      sys.release()
    }
    expect([got, io.watches.has(IN)]).toEqual([20000, true])
  })
})

describe('writing', () => {
  it('processes output and passes it on at once', () => {
    const minor = open(SHELL)
    expect([write(minor, SHELL, 'a\nb').result, shown()]).toEqual([3, 'a\r\nb'])
  })
  it('waits when the host takes no more, and goes on where it was', () => {
    const minor = open(SHELL)
    io.fd(OUT).room = 100
    const data = 'line\n'.repeat(10000)
    const w = write(minor, SHELL, data)
    const nonblock = write(minor, SHELL, 'x', O.NONBLOCK)
    expect([w.result, nonblock.result]).toEqual([SUSPEND, -E.AGAIN])
    for (let i = 0; i < 200; i++) {
      io.fd(OUT).room = 1000
      io.run()
    }
    expect(replyTo(w.id)).toBe(data.length)
    expect(shown()).toBe(data.replaceAll('\n', '\r\n'))
    expect(io.watches.get(OUT)).toBeUndefined()
  })
  it('O_NONBLOCK: as much as there is room for', () => {
    const minor = open(SHELL)
    io.fd(OUT).room = 0
    expect(write(minor, SHELL, 'x'.repeat(50000), O.NONBLOCK).result).toBe(16384)
  })
  it('unprocessed output goes straight to the host', () => {
    const minor = open(SHELL)
    configure(minor, view => view.setUint32(TERMIOS.OFLAG, 0, true))
    expect(write(minor, SHELL, 'a\n'.repeat(30000)).result).toBe(60000)
    expect(shown().length).toBe(60000)
  })
  it('stopped by ^S: waits; a signal gives back what was written; ^Q goes on', () => {
    const minor = open(SHELL)
    type('\x13')
    const w = write(minor, SHELL, 'abc')
    expect([w.result, shown()]).toEqual([SUSPEND, ''])
    expect(fs(CDEV.CANCEL, [minor, w.id])).toBe(-E.RESTARTSYS)
    const again = write(minor, SHELL, 'abc')
    type('\x11')
    expect([replyTo(again.id), shown()]).toEqual([3, 'abc'])
  })
  it('tcdrain and TCSETSW wait for output to have gone', () => {
    const minor = open(SHELL)
    io.fd(OUT).room = 1
    expect(write(minor, SHELL, 'abc').result).toBe(3)
    const drain = ioctl(minor, SHELL, IOCTL.TCSBRK, 1)
    const set = configure(minor, view => view.setUint32(TERMIOS.OFLAG, 0, true), IOCTL.TCSETSW)
    const cancelled = ioctl(minor, SHELL, IOCTL.TCSBRK, 1)
    expect([drain.result, set.result, getInt(minor, SHELL, IOCTL.TIOCOUTQ)]).toEqual([SUSPEND, SUSPEND, 2])
    expect(fs(CDEV.CANCEL, [minor, cancelled.id])).toBe(-E.INTR)
    io.fd(OUT).room = 100
    io.run()
    expect([replyTo(drain.id), replyTo(set.id), write(minor, SHELL, '\n').result, shown()]).toEqual([0, 0, 1, 'abc\n'])
  })
})

describe('poll', () => {
  const both = POLL.IN | POLL.OUT
  it('says what holds, and tells FS once of the rest', () => {
    const minor = open(SHELL)
    expect(fs(CDEV.SELECT, [minor, both, 1])).toBe(POLL.OUT)
    type('a')
    expect(readies()).toEqual([])
    type('\n')
    type('b\n')
    expect(readies()).toEqual([[minor, POLL.IN]])
    expect(fs(CDEV.SELECT, [minor, both, 0])).toBe(both)
  })
  it('reports room for output again', () => {
    const minor = open(SHELL)
    io.fd(OUT).room = 0
    write(minor, SHELL, 'x'.repeat(1000))
    expect(fs(CDEV.SELECT, [minor, both, 1])).toBe(0)
    io.fd(OUT).room = 5000
    io.run()
    expect(readies()).toEqual([[minor, POLL.OUT]])
  })
})

describe('job control', () => {
  it('a session leader that opens it gets it as controlling terminal', () => {
    const minor = open(SHELL)
    expect([getInt(minor, SHELL, IOCTL.TIOCGSID), getInt(minor, SHELL, IOCTL.TIOCGPGRP)]).toEqual([100, 100])
    expect([open(JOB, DEV_TTY), open(OTHER, DEV_TTY)]).toEqual([minor, -E.NXIO])
  })
  it.each([
    ['O_NOCTTY', SHELL, O.RDWR | O.NOCTTY],
    ['write only', SHELL, O.WRONLY],
    ['not a leader', JOB, O.RDWR],
  ])('not with %s', (_name, endpoint, flags) => {
    const minor = open(endpoint, 0, flags)
    expect(getInt(minor, endpoint, IOCTL.TIOCGSID)).toBe(-E.NOTTY)
  })
  it('interrupt goes to the foreground group', () => {
    const minor = open(SHELL)
    expect(setInt(minor, SHELL, IOCTL.TIOCSPGRP, 200)).toBe(0)
    type('\x03')
    expect([signals(), shown()]).toEqual([[[200, SIG.INT]], '^C'])
  })
  it('a background read stops the group and is restarted', () => {
    const minor = open(SHELL)
    expect([read(minor, JOB).result, signals()]).toEqual([-E.RESTARTSYS, [[200, SIG.TTIN]]])
  })
  it.each([
    ['SIGTTIN ignored or blocked', 'ignores'],
    ['an orphaned group', 'orphaned'],
  ] as const)('a background read with %s fails', (_name, what) => {
    const minor = open(SHELL)
    ;(procs[JOB] as Proc)[what] = true
    expect([read(minor, JOB).result, signals()]).toEqual([-E.IO, []])
  })
  it('a background write passes, unless TOSTOP', () => {
    const minor = open(SHELL)
    expect(write(minor, JOB, 'a').result).toBe(1)
    configure(minor, view => view.setUint32(TERMIOS.LFLAG, view.getUint32(TERMIOS.LFLAG, true) | L.TOSTOP, true))
    expect([write(minor, JOB, 'a').result, signals()]).toEqual([-E.RESTARTSYS, [[200, SIG.TTOU]]])
    ;(procs[JOB] as Proc).ignores = true
    expect(write(minor, JOB, 'a').result).toBe(1)
  })
  it.each([
    ['tcsetattr', IOCTL.TCSETS, new Uint8Array(TERMIOS.BYTES)],
    ['tcflush', IOCTL.TCFLSH, 0],
    ['tcflow', IOCTL.TCXONC, 0],
    ['tcsetpgrp', IOCTL.TIOCSPGRP, new Uint8Array(4)],
  ] as const)('a background %s stops the group', (_name, cmd, arg) => {
    const minor = open(SHELL)
    expect([ioctl(minor, JOB, cmd, arg).result, signals()]).toEqual([-E.RESTARTSYS, [[200, SIG.TTOU]]])
  })
  it('tcsetpgrp takes groups of the session only', () => {
    const minor = open(SHELL)
    const results = [300, 999, -1].map(pgrp => setInt(minor, SHELL, IOCTL.TIOCSPGRP, pgrp))
    expect(results).toEqual([-E.PERM, -E.SRCH, -E.INVAL])
    expect(setInt(minor, OTHER, IOCTL.TIOCSPGRP, 300)).toBe(-E.NOTTY)
  })
  it('TIOCSCTTY: for a leader without one; stealing wants an administrator', () => {
    const minor = open(SHELL)
    const steal = (arg: number) => ioctl(minor, OTHER, IOCTL.TIOCSCTTY, arg).result
    expect([steal(0), steal(1), ioctl(minor, SHELL, IOCTL.TIOCSCTTY).result]).toEqual([-E.PERM, -E.PERM, 0])
    ;(procs[OTHER] as Proc).admin = true
    expect([steal(0), steal(1), getInt(minor, OTHER, IOCTL.TIOCGSID)]).toEqual([-E.PERM, 0, 300])
  })
  it('TIOCNOTTY of one process leaves the session its terminal', () => {
    const minor = open(SHELL)
    expect(ioctl(minor, JOB, IOCTL.TIOCNOTTY).result).toBe(0)
    expect([open(JOB, DEV_TTY), open(SHELL, DEV_TTY)]).toEqual([-E.NXIO, minor])
  })
  it('a new window size is told to the foreground group, once', () => {
    const minor = open(SHELL)
    tty.resize(30, 100)
    tty.resize(30, 100)
    const { data } = ioctl(minor, SHELL, IOCTL.TIOCGWINSZ, new Uint8Array(8))
    expect([signals(), Array.from(new Uint16Array(data.buffer))]).toEqual([[[100, SIG.WINCH]], [30, 100, 0, 0]])
  })
  it('PM asks whose terminal', () => {
    open(SHELL)
    const m = sys.message(TTY.GETTTY, [100])
    expect([sys.deliver(m, EP.PM), int(m, 1), sys.call(TTY.GETTTY, EP.PM, [300])]).toEqual([0x400, 100, 0])
  })
})

describe('hang-up', () => {
  it('at the end of the session leader: open files are dead, the terminal is free', () => {
    const minor = open(SHELL)
    setInt(minor, SHELL, IOCTL.TIOCSPGRP, 200)
    fs(CDEV.SELECT, [minor, POLL.IN, 1])
    const r = read(minor, JOB)
    expect(sys.call(TTY.HANGUP, EP.PM, [100])).toBe(200)
    expect([replyTo(r.id), readies()]).toEqual([0, [[minor, POLL.IN]]])
    expect([read(minor, JOB).result, write(minor, JOB, 'a').result, ioctl(minor, JOB, IOCTL.TCFLSH).result]).toEqual([
      0,
      -E.IO,
      -E.IO,
    ])
    expect(fs(CDEV.SELECT, [minor, POLL.IN | POLL.OUT | POLL.HUP | POLL.ERR, 0])).toBe(
      POLL.IN | POLL.OUT | POLL.HUP | POLL.ERR,
    )
    expect(fs(CDEV.CLOSE, [minor, JOB])).toBe(0)
    const next = open(OTHER)
    expect([next === minor, getInt(next, OTHER, IOCTL.TIOCGSID), write(next, OTHER, 'b').result]).toEqual([
      false,
      300,
      1,
    ])
  })
  it('when the host’s terminal goes: the leader is told, then at its end the foreground group', () => {
    const minor = open(SHELL)
    setInt(minor, SHELL, IOCTL.TIOCSPGRP, 200)
    const r = read(minor, JOB)
    type('')
    expect(sys.calls.filter(([name]) => name === 'kill')).toEqual([
      ['kill', SHELL, SIG.HUP],
      ['kill', SHELL, SIG.CONT],
    ])
    expect([replyTo(r.id), write(minor, SHELL, 'x').result, open(SHELL)]).toEqual([0, -E.IO, -E.NXIO])
    expect([sys.call(TTY.HANGUP, EP.PM, [100]), io.watches.size]).toEqual([200, 0])
  })
  it('when writing to it fails', () => {
    const minor = open(SHELL)
    io.fd(OUT).failure = -E.IO
    write(minor, SHELL, 'x')
    expect(open(SHELL)).toBe(-E.NXIO)
  })
})

describe('ioctl', () => {
  it.each([
    ['TIOCSTI', IOCTL.TIOCSTI, new Uint8Array(1), -E.IO],
    ['TIOCMGET', IOCTL.TIOCMGET, new Uint8Array(4), -E.NOTTY],
    ['TIOCGETD', IOCTL.TIOCGETD, new Uint8Array(4), 0],
    ['TIOCSETD of another discipline', IOCTL.TIOCSETD, new Uint8Array([9, 0, 0, 0]), -E.INVAL],
    ['TIOCGPTN', IOCTL.TIOCGPTN, new Uint8Array(4), -E.NOTTY],
    ['TCFLSH of no queue', IOCTL.TCFLSH, 3, -E.INVAL],
    ['TCXONC of no action', IOCTL.TCXONC, 4, -E.INVAL],
    ['a null pointer', IOCTL.TCGETS, 0, -E.FAULT],
    ['an unknown request', 0x1234, 0, -E.NOTTY],
    ['tcsendbreak', IOCTL.TCSBRK, 0, 0],
  ] as const)('%s', (_name, cmd, arg, expected) => {
    const minor = open(SHELL)
    expect(ioctl(minor, SHELL, cmd, arg).result).toBe(expected)
  })
  it('TCSETSF throws typed input away', () => {
    const minor = open(SHELL)
    type('typed\n')
    expect(configure(minor, () => {}, IOCTL.TCSETSF).result).toBe(0)
    expect(getInt(minor, SHELL, IOCTL.FIONREAD)).toBe(0)
  })
  it('TCGETS2 knows the speeds; TCSETA leaves what it does not know', () => {
    const minor = open(SHELL)
    const two = ioctl(minor, SHELL, IOCTL.TCGETS2, new Uint8Array(TERMIOS.BYTES2)).data
    expect(new DataView(two.buffer).getUint32(TERMIOS.OSPEED, true)).toBe(38400)
    const old = ioctl(minor, SHELL, IOCTL.TCGETA, new Uint8Array(18)).data
    expect(ioctl(minor, SHELL, IOCTL.TCSETA, old).result).toBe(0)
    expect(ioctl(minor, SHELL, IOCTL.TCGETS2, new Uint8Array(TERMIOS.BYTES2)).data).toEqual(two)
  })
  it('exclusive: EBUSY for the next, not for an administrator', () => {
    const minor = open(SHELL)
    expect([ioctl(minor, SHELL, IOCTL.TIOCEXCL).result, open(JOB)]).toEqual([0, -E.BUSY])
    ;(procs[JOB] as Proc).admin = true
    expect([open(JOB), ioctl(minor, SHELL, IOCTL.TIOCNXCL).result, open(OTHER)]).toEqual([minor, 0, minor])
  })
  it('tcflow sends the stop and start characters', () => {
    const minor = open(SHELL)
    ioctl(minor, SHELL, IOCTL.TCXONC, 2)
    ioctl(minor, SHELL, IOCTL.TCXONC, 3)
    expect(shown()).toBe('\x13\x11')
  })
  it('locked settings stay', () => {
    const minor = open(SHELL)
    ;(procs[SHELL] as Proc).admin = true
    const lock = new Uint8Array(TERMIOS.BYTES)
    new DataView(lock.buffer).setUint32(TERMIOS.OFLAG, OF.ONLCR, true)
    expect(ioctl(minor, SHELL, IOCTL.TIOCSLCKTRMIOS, lock).result).toBe(0)
    configure(minor, view => view.setUint32(TERMIOS.OFLAG, OF.OPOST, true))
    write(minor, SHELL, '\n')
    expect(shown()).toBe('\r\n')
  })
})

it('only FS and PM are heard', () => {
  for (const call of [CDEV.OPEN, CDEV.READ, CDEV.CANCEL, TTY.HANGUP])
    expect(sys.call(call, SHELL, [0, SHELL])).toBe(-E.PERM)
})
it('no host terminal: no console', () => {
  const alone = new FakeSys(EP.TTY)
  alone.attach(createTty(alone, io, {}))
  expect(alone.call(CDEV.OPEN, EP.FS, [0, SHELL, O.RDWR])).toBe(-E.NXIO)
})
it('its state can be taken and set in another', () => {
  const minor = open(SHELL)
  raw(minor, 5, 10)
  type('ab')
  const r = read(minor, SHELL)
  io.fd(OUT).room = 0
  write(minor, SHELL, 'pending')
  const state = structuredClone(tty.exportState?.())
  sys.sent.length = 0
  tty = sys.attach(createTty(sys, io, {}))
  tty.importState?.(state)
  expect(tty.exportState?.()).toEqual(state)
  io.fd(OUT).room = 100
  tty.attach(IN, OUT)
  expect(shown()).toBe('pending')
  type('c')
  sys.advance(1000)
  expect([replyTo(r.id), r.text()]).toEqual([3, 'abc'])
})
