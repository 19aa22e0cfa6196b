// The STREAM driver as FS and the host see it.
import { beforeEach, expect, it } from 'vitest'
import { FakeHostIo } from '../../../test/support/fake-hostio.ts'
import { FakeSys, type Grant } from '../../../test/support/fake-sys.ts'
import { E } from '../../abi/errno.ts'
import { O } from '../../abi/fcntl.ts'
import { IOCTL } from '../../abi/ioctl.ts'
import { EP, int, long, SUSPEND } from '../../abi/message.ts'
import { POLL } from '../../abi/poll.ts'
import { SIG } from '../../abi/signals.ts'
import { IO } from '../../lib/hostio.ts'
import { CDEV } from '../../protocol/cdev.ts'
import { COMMON_CALL } from '../../protocol/common.ts'
import { createStream, type StreamDriver } from './stream.ts'

const GUEST = 1000
const FD = 20
let sys: FakeSys
let io: FakeHostIo
let driver: StreamDriver
let nextId = 1

beforeEach(() => {
  sys = new FakeSys(EP.STREAM)
  io = new FakeHostIo(sys.mem)
  driver = sys.attach(createStream(sys, io))
})
function opened(options = { readable: true, writable: true }): number {
  const minor = driver.addStream(FD, options)
  return sys.call(CDEV.OPEN, EP.FS, [minor, GUEST, O.RDWR])
}
function transfer(type: number, minor: number, grant: Grant, flags = 0): { id: number; result: number } {
  const id = nextId++
  return { id, result: sys.call(type, EP.FS, [minor, grant, grant.length, flags, id, GUEST]) }
}
function replyTo(id: number): number | undefined {
  const m = sys.sent.find(s => s.type === CDEV.REPLY && int(s.m, 0) === id)?.m
  return m === undefined ? undefined : long(m, 1)
}
function readies(): number[] {
  return sys.sent.filter(s => s.type === CDEV.READY).map(s => int(s.m, 1))
}
function select(minor: number, wanted: number, watch: number): number {
  return sys.call(CDEV.SELECT, EP.FS, [minor, wanted, watch])
}

it('reads what is there, waits for what is not, ends with 0', () => {
  const minor = opened()
  io.fd(FD).input.push('hello')
  const [a, b] = [sys.grant(10), sys.grant(10)]
  expect([transfer(CDEV.READ, minor, a).result, sys.text(a, 5)]).toEqual([5, 'hello'])
  expect(transfer(CDEV.READ, minor, b, O.NONBLOCK).result).toBe(-E.AGAIN)
  const r = transfer(CDEV.READ, minor, b)
  const behind = transfer(CDEV.READ, minor, sys.grant(10))
  io.fd(FD).input.push('more', '')
  io.run()
  expect([r.result, replyTo(r.id), sys.text(b, 4), replyTo(behind.id)]).toEqual([SUSPEND, 4, 'more', 0])
  expect(io.watches.size).toBe(0)
})
it('writes as much as the host takes and waits for the rest', () => {
  const minor = opened()
  io.fd(FD).room = 3
  const w = transfer(CDEV.WRITE, minor, sys.grant('abcdef'))
  expect([w.result, io.fd(FD).output]).toEqual([SUSPEND, 'abc'])
  expect(transfer(CDEV.WRITE, minor, sys.grant('x'), O.NONBLOCK).result).toBe(-E.AGAIN)
  io.fd(FD).room = 2
  io.run()
  expect([replyTo(w.id), io.fd(FD).output]).toEqual([undefined, 'abcde'])
  io.fd(FD).room = 2
  io.run()
  expect([replyTo(w.id), io.fd(FD).output, io.watches.size]).toEqual([6, 'abcdef', 0])
})
it('O_NONBLOCK writes what goes', () => {
  const minor = opened()
  io.fd(FD).room = 3
  expect(transfer(CDEV.WRITE, minor, sys.grant('abcdef'), O.NONBLOCK).result).toBe(3)
})
it('nobody reads any more: EPIPE and SIGPIPE, to the one who waits too', () => {
  const minor = opened()
  io.fd(FD).room = 1
  const w = transfer(CDEV.WRITE, minor, sys.grant('abc'))
  io.fd(FD).failure = -E.PIPE
  io.run()
  expect(replyTo(w.id)).toBe(1)
  expect(transfer(CDEV.WRITE, minor, sys.grant('x')).result).toBe(-E.PIPE)
  expect(sys.calls.filter(([name]) => name === 'kill')).toEqual(Array(2).fill(['kill', GUEST, SIG.PIPE]))
})
it('cancelled: -ERESTARTSYS or what is done; unknown: -ESRCH', () => {
  const minor = opened()
  const r = transfer(CDEV.READ, minor, sys.grant(5))
  io.fd(FD).room = 2
  const w = transfer(CDEV.WRITE, minor, sys.grant('abc'))
  const cancel = (id: number) => sys.call(CDEV.CANCEL, EP.FS, [minor, id])
  expect([cancel(r.id), cancel(r.id), cancel(w.id), io.watches.size]).toEqual([-E.RESTARTSYS, -E.SRCH, 2, 0])
})
it('forgets who is gone', () => {
  const minor = opened()
  const r = transfer(CDEV.READ, minor, sys.grant(5))
  sys.call(COMMON_CALL.GONE, EP.SYSTEM, [GUEST])
  io.fd(FD).input.push('x')
  expect([io.run(), replyTo(r.id), io.fd(FD).input.length]).toEqual([0, undefined, 1])
})
it('poll: what holds now, then each event once', () => {
  const minor = opened()
  io.fd(FD).room = 0
  expect(select(minor, POLL.IN | POLL.OUT, 1)).toBe(0)
  io.fd(FD).input.push('x')
  io.run()
  io.fd(FD).room = 1
  io.run()
  expect([readies(), io.watches.size]).toEqual([[POLL.IN, POLL.OUT], 0])
})
it('poll: a hang-up is told and watched no longer', () => {
  const minor = opened({ readable: true, writable: false })
  const all = POLL.IN | POLL.OUT | POLL.HUP | POLL.ERR
  expect(select(minor, all, 1)).toBe(0)
  io.fd(FD).broken = IO.HUP
  expect(io.run(5)).toBe(1)
  expect([readies(), select(minor, all, 1), io.run(5)]).toEqual([[POLL.HUP], POLL.HUP, 0])
})
it('a regular file is always ready and never watched', () => {
  const minor = opened({ readable: true, writable: false })
  io.fd(FD).regular = true
  io.fd(FD).input.push('data')
  expect([select(minor, POLL.IN | POLL.OUT | POLL.HUP, 1), io.watches.size]).toEqual([POLL.IN, 0])
})
it.each([
  ['FIONREAD', IOCTL.FIONREAD, 4, 0],
  ['FIONREAD of a null pointer', IOCTL.FIONREAD, 0, -E.FAULT],
  ['TCGETS', IOCTL.TCGETS, 36, -E.NOTTY],
])('%s', (_name, cmd, bytes, expected) => {
  const minor = opened()
  io.fd(FD).input.push('abc')
  const data = sys.grant(bytes)
  expect(sys.call(CDEV.IOCTL, EP.FS, [minor, cmd, 0, bytes > 0 ? data : null, 1, GUEST])).toBe(expected)
  if (expected === 0) expect(sys.view.getInt32(data.offset, true)).toBe(3)
})
it('is closed with its last open file; its minor is used again', () => {
  const minor = opened()
  sys.call(CDEV.OPEN, EP.FS, [minor, GUEST, 0])
  const close = () => sys.call(CDEV.CLOSE, EP.FS, [minor, GUEST])
  driver.removeStream(minor)
  expect([close(), io.fd(FD).closed, close(), io.fd(FD).closed]).toEqual([0, false, 0, true])
  expect([
    sys.call(CDEV.OPEN, EP.FS, [minor, GUEST, 0]),
    driver.addStream(21, { readable: true, writable: true }),
  ]).toEqual([-E.NXIO, minor])
  driver.removeStream(minor)
  expect(io.fd(21).closed).toBe(true)
})
it('not for reading, not for writing: EBADF', () => {
  const minor = opened({ readable: false, writable: false })
  expect([transfer(CDEV.READ, minor, sys.grant(1)).result, transfer(CDEV.WRITE, minor, sys.grant('x')).result]).toEqual(
    [-E.BADF, -E.BADF],
  )
})
it('its state can be taken and set in another', () => {
  const minor = opened()
  const data = sys.grant(5)
  const r = transfer(CDEV.READ, minor, data)
  const state = structuredClone(driver.exportState?.())
  io.watches.clear()
  driver = sys.attach(createStream(sys, io))
  driver.importState?.(state)
  io.fd(FD).input.push('x')
  io.run()
  expect([replyTo(r.id), sys.text(data, 1)]).toEqual([1, 'x'])
})
