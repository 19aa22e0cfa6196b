// Pseudo-terminals through the driver: the master's side, locks, ends of either side, packet mode.
import { beforeEach, describe, expect, it } from 'vitest'
import { FakeHostIo } from '../../../test/support/fake-hostio.ts'
import { FakeSys } from '../../../test/support/fake-sys.ts'
import { E } from '../../abi/errno.ts'
import { O } from '../../abi/fcntl.ts'
import { IOCTL } from '../../abi/ioctl.ts'
import { EP, int, long, type Message, SUSPEND } from '../../abi/message.ts'
import { POLL } from '../../abi/poll.ts'
import { SIG } from '../../abi/signals.ts'
import { PKT, TERMIOS } from '../../abi/termios.ts'
import { CDEV, TTY_MINOR } from '../../protocol/cdev.ts'
import { PM } from '../../protocol/pm.ts'
import { TTY } from '../../protocol/tty.ts'
import { createTty } from './tty.ts'

const PTMX = TTY_MINOR[5] + 2
const TERM = 1000
const SHELL = 2000
const pids: Record<number, number> = { [TERM]: 100, [SHELL]: 200 }
let sys: FakeSys
let nextId = 1

beforeEach(() => {
  sys = new FakeSys(EP.TTY)
  const job = (m: Message) => (int(m, 1) === 9 ? int(m, 0) : (pids[int(m, 0)] ?? -E.SRCH))
  const cred = (m: Message) => {
    sys.mem.fill(0, int(m, 1), int(m, 1) + 176)
    sys.view.setUint32(int(m, 1) + 4, 1001, true)
    return 176
  }
  sys.stub(EP.PM, { [PM.GETJOB]: m => ([0, 1, 2, 7, 9].includes(int(m, 1)) ? job(m) : 0), [PM.GETCRED]: cred })
  sys.attach(createTty(sys, new FakeHostIo(sys.mem), {}))
})
function open(minor: number, endpoint: number, flags = O.RDWR): number {
  return sys.call(CDEV.OPEN, EP.FS, [minor, endpoint, flags])
}
/** A new pair, unlocked: [master, slave] (the slave not open yet). */
function pair(): [number, number] {
  const master = open(PTMX, TERM)
  setInt(master, IOCTL.TIOCSPTLCK, 0)
  return [master, TTY_MINOR[136] + getInt(master, IOCTL.TIOCGPTN)]
}
function read(
  minor: number,
  endpoint: number,
  flags: number = O.NONBLOCK,
  len = 1000,
): { id: number; result: number; text: string; now(): string } {
  const grant = sys.grant(len)
  const id = nextId++
  const result = sys.call(CDEV.READ, EP.FS, [minor, grant, len, flags, id, endpoint])
  return { id, result, text: result > 0 ? sys.text(grant, result) : '', now: () => sys.text(grant, replyTo(id)) }
}
function write(
  minor: number,
  endpoint: number,
  data: string,
  flags: number = O.NONBLOCK,
): { id: number; result: number } {
  const id = nextId++
  return { id, result: sys.call(CDEV.WRITE, EP.FS, [minor, sys.grant(data), data.length, flags, id, endpoint]) }
}
function ioctl(
  minor: number,
  cmd: number,
  arg: number | Uint8Array,
  endpoint = TERM,
): { result: number; data: Uint8Array } {
  const grant = typeof arg === 'number' ? null : sys.grant(arg)
  const result = sys.call(CDEV.IOCTL, EP.FS, [minor, cmd, typeof arg === 'number' ? arg : 0, grant, nextId++, endpoint])
  return { result, data: grant === null ? new Uint8Array(0) : sys.bytes(grant) }
}
function getInt(minor: number, cmd: number): number {
  const { result, data } = ioctl(minor, cmd, new Uint8Array(4))
  return result < 0 ? result : new DataView(data.buffer).getInt32(0, true)
}
function setInt(minor: number, cmd: number, value: number): number {
  return ioctl(minor, cmd, new Uint8Array(Int32Array.of(value).buffer)).result
}
function close(minor: number, endpoint: number): number {
  return sys.call(CDEV.CLOSE, EP.FS, [minor, endpoint])
}
function select(minor: number, watch = 0): number {
  return sys.call(CDEV.SELECT, EP.FS, [minor, POLL.IN | POLL.PRI | POLL.OUT | POLL.HUP | POLL.ERR, watch])
}
function replyTo(id: number): number | undefined {
  const m = sys.sent.find(s => s.type === CDEV.REPLY && int(s.m, 0) === id)?.m
  return m === undefined ? undefined : long(m, 1)
}

it('what the master writes is typed at the slave, what the slave shows the master reads', () => {
  const [master, name] = pair()
  const slave = open(name, SHELL)
  expect(write(master, TERM, 'hi\n').result).toBe(3)
  expect([read(slave, SHELL).text, read(master, TERM).text]).toEqual(['hi\n', 'hi\r\n'])
  write(slave, SHELL, 'out\n')
  expect([read(master, TERM).text, read(master, TERM).result]).toEqual(['out\r\n', -E.AGAIN])
})
it('readers on either side wait and are answered', () => {
  const [master, name] = pair()
  const slave = open(name, SHELL)
  const m = read(master, TERM, 0)
  const s = read(slave, SHELL, 0)
  expect([m.result, s.result]).toEqual([SUSPEND, SUSPEND])
  write(master, TERM, 'a\n')
  expect([m.now(), s.now()]).toEqual(['a\r\n', 'a\n'])
})
it('a new pair is locked until TIOCSPTLCK; numbers are given again', () => {
  const master = open(PTMX, TERM)
  expect([getInt(master, IOCTL.TIOCGPTLCK), open(TTY_MINOR[136], SHELL)]).toEqual([1, -E.IO])
  const second = open(PTMX, TERM)
  expect([getInt(master, IOCTL.TIOCGPTN), getInt(second, IOCTL.TIOCGPTN)]).toEqual([0, 1])
  close(master, TERM)
  expect([open(TTY_MINOR[136], SHELL), open(PTMX, TERM)]).toEqual([-E.NXIO, master])
})
it('FS learns which there are, and whose', () => {
  const a = open(PTMX, TERM)
  open(PTMX, TERM)
  close(a, TERM)
  const m = sys.message(TTY.NEXTPTY, [0])
  expect([sys.deliver(m, EP.FS), int(m, 1), sys.call(TTY.NEXTPTY, EP.FS, [2])]).toEqual([1, 1001, -E.NOENT])
})
it('64 KiB fit towards the slave, then writes wait until it reads', () => {
  const [master, name] = pair()
  const slave = open(name, SHELL)
  ioctl(slave, IOCTL.TCSETS, new Uint8Array(TERMIOS.BYTES), SHELL)
  expect(write(master, TERM, 'x'.repeat(100000)).result).toBe(65536 + 4095)
  expect(write(master, TERM, 'x').result).toBe(-E.AGAIN)
  const w = write(master, TERM, 'y'.repeat(5000), 0)
  sys.release()
  let got = ''
  for (let i = 0; i < 30 && !got.endsWith('y'.repeat(5000)); i++) got += read(slave, SHELL, O.NONBLOCK, 4000).text
  expect([w.result, got.length, replyTo(w.id)]).toEqual([SUSPEND, 65536 + 4095 + 5000, 5000])
})

describe('ends', () => {
  it('the slave closed: the master reads what is left, then EIO, until it is opened again', () => {
    const [master, name] = pair()
    const slave = open(name, SHELL)
    write(slave, SHELL, 'bye')
    close(slave, SHELL)
    expect([select(master), read(master, TERM).text, read(master, TERM).result]).toEqual([
      POLL.IN | POLL.OUT | POLL.HUP,
      'bye',
      -E.IO,
    ])
    expect(open(name, SHELL)).toBe(slave)
    expect([read(master, TERM).result, select(master)]).toEqual([-E.AGAIN, POLL.OUT])
  })
  it('the slave closed while the master waits', () => {
    const [master, name] = pair()
    const slave = open(name, SHELL)
    select(master, 1)
    const r = read(master, TERM, 0)
    close(slave, SHELL)
    const ready = sys.sent.filter(s => s.type === CDEV.READY).map(s => int(s.m, 1))
    expect([replyTo(r.id), ready]).toEqual([-E.IO, [POLL.HUP]])
  })
  it('the master closed: the slave hangs up, its session’s leader is told without asking PM', () => {
    const [master, name] = pair()
    const slave = open(name, SHELL)
    const r = read(slave, SHELL, 0)
    sys.calls.length = 0
    close(master, TERM)
    expect(sys.calls.filter(([call]) => call !== 'senda')).toEqual([
      ['kill', SHELL, SIG.HUP],
      ['kill', SHELL, SIG.CONT],
    ])
    expect([replyTo(r.id), read(slave, SHELL).result, write(slave, SHELL, 'x').result]).toEqual([0, 0, -E.IO])
    const next = pair()
    expect(next[1]).toBe(name)
    expect([open(name, SHELL) === slave, read(slave, SHELL).result]).toEqual([false, 0])
  })
  it('the session leader ended: the master reads EIO once the last dead file is closed', () => {
    const [master, name] = pair()
    const slave = open(name, SHELL)
    open(name, SHELL)
    expect(sys.call(TTY.HANGUP, EP.PM, [200])).toBe(200)
    close(slave, SHELL)
    expect(read(master, TERM).result).toBe(-E.AGAIN)
    close(slave, SHELL)
    expect(read(master, TERM).result).toBe(-E.IO)
  })
})

describe('the master', () => {
  it('sets size and settings of its slave', () => {
    const [master, name] = pair()
    const slave = open(name, SHELL)
    const size = new Uint8Array(Uint16Array.of(30, 90, 0, 0).buffer)
    ioctl(master, IOCTL.TIOCSWINSZ, size)
    const sent = sys.sent.filter(s => s.type === PM.KILLPG).map(s => [int(s.m, 0), int(s.m, 1)])
    expect([sent, ioctl(slave, IOCTL.TIOCGWINSZ, new Uint8Array(8), SHELL).data]).toEqual([[[200, SIG.WINCH]], size])
    ioctl(master, IOCTL.TCSETS, new Uint8Array(TERMIOS.BYTES))
    write(master, TERM, 'x')
    expect([read(slave, SHELL).text, read(master, TERM).result, getInt(master, IOCTL.TIOCGPGRP)]).toEqual([
      'x',
      -E.AGAIN,
      200,
    ])
  })
  it('sends signals (TIOCSIG)', () => {
    const [master, name] = pair()
    open(name, SHELL)
    expect([ioctl(master, IOCTL.TIOCSIG, SIG.INT).result, ioctl(master, IOCTL.TIOCSIG, SIG.KILL).result]).toEqual([
      0,
      -E.INVAL,
    ])
    expect(sys.sent.filter(s => s.type === PM.KILLPG).map(s => int(s.m, 1))).toEqual([SIG.INT])
  })
  it('in packet mode hears of flushes, stops and starts', () => {
    const [master, name] = pair()
    const slave = open(name, SHELL)
    setInt(master, IOCTL.TIOCPKT, 1)
    write(slave, SHELL, 'data')
    expect(read(master, TERM).text).toBe('\0data')
    const news = () => {
      const events = select(master)
      return [events & POLL.PRI, read(master, TERM).text.charCodeAt(0)]
    }
    write(master, TERM, '\x13')
    expect(news()).toEqual([POLL.PRI, PKT.STOP])
    write(master, TERM, '\x11')
    expect(news()).toEqual([POLL.PRI, PKT.START])
    ioctl(slave, IOCTL.TCFLSH, 2, SHELL)
    expect(news()).toEqual([POLL.PRI, PKT.FLUSHREAD | PKT.FLUSHWRITE])
    ioctl(slave, IOCTL.TCSETS, new Uint8Array(TERMIOS.BYTES), SHELL)
    expect(news()).toEqual([POLL.PRI, PKT.NOSTOP])
    expect(select(master) & POLL.PRI).toBe(0)
  })
})
