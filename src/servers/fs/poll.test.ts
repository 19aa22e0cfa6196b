import { describe, expect, test } from 'vitest'
import { A, B, said, World } from '../../../test/support/fs-world.ts'
import { E } from '../../abi/errno.ts'
import { O } from '../../abi/fcntl.ts'
import { EP } from '../../abi/message.ts'
import { EPOLL, POLL } from '../../abi/poll.ts'
import { CDEV } from '../../protocol/cdev.ts'
import { COMMON_CALL } from '../../protocol/common.ts'
import { FS } from '../../protocol/fs.ts'

const { IN, OUT, ERR, HUP, NVAL, RDNORM } = POLL
type Fd = readonly [fd: number, events: number]

/** A world with a pipe of A's (3, 4) that B shares, and calls with their buffers. */
class Polls extends World {
  fds = { offset: 0, length: 0 }
  constructor() {
    super()
    this.pipe(A)
    this.fork(A, B)
  }
  timespec(ms: number) {
    if (ms < 0) return null
    const at = this.sys.grant(16)
    this.sys.view.setUint32(at.offset, Math.floor(ms / 1000), true)
    this.sys.view.setUint32(at.offset + 8, (ms % 1000) * 1e6, true)
    return at
  }
  poll(fds: readonly Fd[], ms: number, who = A) {
    this.fds = this.sys.grant(8 * fds.length)
    for (const [i, [fd, events]] of fds.entries()) {
      this.sys.view.setInt32(this.fds.offset + 8 * i, fd, true)
      this.sys.view.setUint16(this.fds.offset + 8 * i + 4, events, true)
      this.sys.view.setUint16(this.fds.offset + 8 * i + 6, 0xffff, true)
    }
    return said(this.call(FS.POLL, who, [this.fds, fds.length, this.timespec(ms), null]))
  }
  revents(n: number): number[] {
    return Array.from({ length: n }, (_, i) => this.sys.view.getUint16(this.fds.offset + 8 * i + 6, true))
  }
  sets: ({ offset: number; length: number } | null)[] = []
  select(n: number, sets: readonly (readonly number[] | null)[], ms: number) {
    this.sets = sets.map(fds => {
      if (fds === null) return null
      const bytes = new Uint8Array(Math.ceil(n / 64) * 8)
      for (const fd of fds) bytes[fd >> 3] = (bytes[fd >> 3] as number) | (1 << (fd & 7))
      return this.sys.grant(bytes)
    })
    return said(this.call(FS.SELECT, A, [n, ...this.sets, this.timespec(ms), null]))
  }
  chosen(k: number): number[] {
    const set = this.sets[k]
    if (set === null || set === undefined) return []
    const bytes = this.sys.bytes(set)
    return Array.from({ length: bytes.length * 8 }, (_, fd) => fd).filter(
      fd => ((bytes[fd >> 3] as number) & (1 << (fd & 7))) !== 0,
    )
  }
  epoll(who = A): number {
    return this.call(FS.EPOLL_CREATE, who, [0])
  }
  control(ep: number, op: number, fd: number, events: number, data = fd, who = A): number {
    const event = this.sys.grant(12)
    this.sys.view.setUint32(event.offset, events >>> 0, true)
    this.sys.view.setUint32(event.offset + 4, data, true)
    return this.call(FS.EPOLL_CTL, who, [ep, op, fd, event])
  }
  add(ep: number, fd: number, events: number): number {
    return this.control(ep, EPOLL.CTL_ADD, fd, events)
  }
  events = { offset: 0, length: 0 }
  wait(ep: number, ms: number, max = 8): unknown {
    this.events = this.sys.grant(12 * max)
    const r = said(this.call(FS.EPOLL_WAIT, A, [ep, this.events, max, this.timespec(ms), null]))
    return typeof r === 'number' && r > 0 ? this.got(r) : r
  }
  /** [data, events] of the first n events. */
  got(n: number): [number, number][] {
    const at = (i: number): number => this.events.offset + 12 * i
    return Array.from({ length: n }, (_, i) => [
      this.sys.view.getUint32(at(i) + 4, true),
      this.sys.view.getUint32(at(i), true),
    ])
  }
}
const cancel = (w: World, who: number): number => w.call(COMMON_CALL.CANCEL, EP.SYSTEM, [who])

type Rows = readonly (readonly [name: string, steps: (w: Polls) => unknown, expected: unknown])[]
const pollRows: Rows = [
  [
    'counts descriptors, writes revents only',
    w => [
      w.poll(
        [
          [4, OUT],
          [3, IN],
          [-1, IN],
        ],
        0,
      ),
      w.revents(3),
    ],
    [1, [OUT, 0, 0]],
  ],
  ['a closed descriptor is POLLNVAL', w => [w.poll([[9, IN]], -1), w.revents(1)], [1, [NVAL]]],
  [
    'a regular file is always ready',
    w => [w.open(A, '/tmp/f'), w.poll([[5, IN | OUT]], -1), w.revents(1)],
    [5, 1, [IN | OUT]],
  ],
  [
    'waits for a write',
    w => [w.poll([[3, IN]], -1), w.write(B, 4, 'x'), w.sys.replyTo(A), w.revents(1)],
    ['waits', 1, 1, [IN]],
  ],
  [
    'waits for room',
    w => [
      w.write(A, 4, 'x'.repeat(65536)),
      w.poll([[4, OUT]], -1),
      (w.read(B, 3, 4096) as string).length,
      w.sys.replyTo(A),
      w.revents(1),
    ],
    [65536, 'waits', 4096, 1, [OUT]],
  ],
  [
    'an event not asked for wakes nobody',
    w => [w.poll([[3, 0]], -1), w.write(B, 4, 'x'), w.sys.replyTo(A)],
    ['waits', 1, undefined],
  ],
  [
    'hang-up needs no asking',
    w => [w.poll([[3, 0]], -1), w.close(B, 4), w.close(A, 4), w.sys.replyTo(A), w.revents(1)],
    ['waits', 0, 0, 1, [HUP]],
  ],
  [
    'POLLERR without readers',
    w => [w.close(A, 3), w.close(B, 3), w.poll([[4, OUT]], -1), w.revents(1)],
    [0, 0, 1, [OUT | ERR]],
  ],
  [
    'times out with 0',
    w => [w.poll([[3, IN]], 50), w.sys.advance(49), w.sys.replyTo(A), w.sys.advance(2), w.sys.replyTo(A), w.revents(1)],
    ['waits', undefined, undefined, undefined, 0, [0]],
  ],
  [
    'woken before the timeout, not again by it',
    w => [w.poll([[3, IN]], 50), w.write(B, 4, 'x'), w.sys.advance(100), w.sys.replies],
    ['waits', 1, undefined, [[A, 1]]],
  ],
  [
    'interrupted',
    w => [w.poll([[3, IN]], 50), cancel(w, A), w.sys.advance(100), w.sys.replies],
    ['waits', 0, undefined, [[A, -E.RESTARTNOHAND]]],
  ],
  [
    'two pollers of one pipe both wake',
    w => [w.poll([[3, IN]], -1), w.poll([[3, IN]], -1, B), w.write(A, 4, 'x'), w.sys.replies.length],
    ['waits', 'waits', 1, 2],
  ],
  [
    'a file closed meanwhile by another stays watched',
    w => [w.poll([[3, IN]], -1), w.close(B, 3), w.write(B, 4, 'x'), w.sys.replyTo(A)],
    ['waits', 0, 1, 1],
  ],
  ['nothing to watch is a sleep', w => [w.poll([], 10), w.sys.advance(10), w.sys.replyTo(A)], ['waits', undefined, 0]],
  [
    'nanoseconds out of range',
    w => [
      w.call(FS.POLL, A, [
        null,
        0,
        w.sys.grant(new Uint8Array([0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0])),
        null,
      ]),
    ],
    [-E.INVAL],
  ],
  ['a short array', w => [w.call(FS.POLL, A, [w.sys.grant(8), 2, w.timespec(0), null])], [-E.FAULT]],
]
const selectRows: Rows = [
  [
    'says which are ready',
    w => [w.select(5, [[3, 4], [3, 4], null].map(s => s) as number[][], 0), w.chosen(0), w.chosen(1)],
    [1, [], [4]],
  ],
  ['waits, and clears what is not ready', w => [w.select(70, [[0, 3], [], []], -1), w.chosen(0)], [1, [0]]],
  [
    'wakes by a write',
    w => [w.select(5, [[3], [], null] as number[][], -1), w.write(B, 4, 'x'), w.sys.replyTo(A), w.chosen(0)],
    ['waits', 1, 1, [3]],
  ],
  [
    'times out with empty sets',
    w => [w.select(5, [[3], null, null] as number[][], 20), w.sys.advance(20), w.sys.replyTo(A), w.chosen(0)],
    ['waits', undefined, 0, []],
  ],
  [
    'interrupted: sets as they were',
    w => [w.select(5, [[3], null, null] as number[][], 20), cancel(w, A), w.sys.replyTo(A), w.chosen(0)],
    ['waits', 0, -E.RESTARTNOHAND, [3]],
  ],
  ['a closed descriptor', w => [w.select(10, [[9], null, null] as number[][], 0)], [-E.BADF]],
  ['negative n', w => [w.call(FS.SELECT, A, [-1, null, null, null, null, null])], [-E.INVAL]],
  [
    'end of file is readable',
    w => [w.close(A, 4), w.close(B, 4), w.select(5, [[3], null, [3]] as number[][], -1), w.chosen(0), w.chosen(2)],
    [0, 0, 1, [3], []],
  ],
]
const epollRows: Rows = [
  [
    'level: reported as long as it holds',
    w => [
      w.epoll(),
      w.add(5, 3, IN),
      w.wait(5, 0),
      w.write(B, 4, 'xy'),
      w.wait(5, 0),
      w.wait(5, 0),
      w.read(A, 3, 9),
      w.wait(5, 0),
    ],
    [5, 0, 0, 2, [[3, IN]], [[3, IN]], 'xy', 0],
  ],
  [
    'edge: once per write',
    w => [
      w.epoll(),
      w.add(5, 3, IN | EPOLL.ET),
      w.write(B, 4, 'x'),
      w.wait(5, 0),
      w.wait(5, 0),
      w.write(B, 4, 'y'),
      w.wait(5, 0),
    ],
    [5, 0, 1, [[3, IN]], 0, 1, [[3, IN]]],
  ],
  [
    'one-shot: silent until set again',
    w => [
      w.epoll(),
      w.add(5, 3, IN | EPOLL.ONESHOT),
      w.write(B, 4, 'x'),
      w.wait(5, 0),
      w.write(B, 4, 'x'),
      w.wait(5, 0),
      w.control(5, EPOLL.CTL_MOD, 3, IN),
      w.wait(5, 0),
    ],
    [5, 0, 1, [[3, IN]], 1, 0, 0, [[3, IN]]],
  ],
  [
    'ready when added',
    w => [w.write(B, 4, 'x'), w.epoll(), w.add(5, 3, IN | EPOLL.ET), w.wait(5, 0)],
    [1, 5, 0, [[3, IN]]],
  ],
  [
    'waits',
    w => [w.epoll(), w.add(5, 3, IN | RDNORM), w.wait(5, -1), w.write(B, 4, 'x'), w.sys.replyTo(A), w.got(1)],
    [5, 0, 'waits', 1, 1, [[3, IN | RDNORM]]],
  ],
  [
    'times out',
    w => [w.epoll(), w.add(5, 3, IN), w.wait(5, 5), w.sys.advance(5), w.sys.replyTo(A)],
    [5, 0, 'waits', undefined, 0],
  ],
  ['interrupted', w => [w.epoll(), w.wait(5, -1), cancel(w, A), w.sys.replyTo(A)], [5, 'waits', 0, -E.INTR]],
  [
    'at most maxevents, the others next time',
    w => [
      w.epoll(),
      w.add(5, 4, OUT),
      w.write(B, 4, 'x'),
      w.add(5, 3, IN),
      w.wait(5, 0, 1),
      w.wait(5, 0, 1),
      w.wait(5, 0, 1),
    ],
    [5, 0, 1, 0, [[4, OUT]], [[3, IN]], [[4, OUT]]],
  ],
  [
    'a closed file leaves with its last descriptor',
    w => [w.epoll(), w.add(5, 3, IN), w.close(A, 3), w.write(B, 4, 'x'), w.wait(5, 0), w.close(B, 3), w.wait(5, 0)],
    [5, 0, 0, 1, [[3, IN]], 0, 0],
  ],
  [
    'EEXIST, ENOENT, EPERM, EINVAL, EBADF',
    w => [
      w.epoll(),
      w.add(5, 3, IN),
      w.add(5, 3, IN),
      w.control(5, EPOLL.CTL_DEL, 4, 0),
      w.control(5, EPOLL.CTL_MOD, 4, IN),
      w.open(A, '/tmp/f'),
      w.add(5, 6, IN),
      w.add(5, 5, IN),
      w.add(3, 4, IN),
      w.add(5, 77, IN),
      w.control(5, 9, 4, IN),
    ],
    [5, 0, -E.EXIST, -E.NOENT, -E.NOENT, 6, -E.PERM, -E.INVAL, -E.INVAL, -E.BADF, -E.INVAL],
  ],
  [
    'sets nest, not in circles',
    w => [
      w.epoll(),
      w.epoll(),
      w.add(5, 3, IN),
      w.add(6, 5, IN),
      w.add(5, 6, IN),
      w.write(B, 4, 'x'),
      w.wait(6, 0),
      w.poll([[6, IN]], 0),
    ],
    [5, 6, 0, 0, -E.LOOP, 1, [[5, IN]], 1],
  ],
  [
    'a waiter on the outer set wakes',
    w => [
      w.epoll(),
      w.epoll(),
      w.add(5, 3, IN),
      w.add(6, 5, IN),
      w.wait(6, -1),
      w.write(B, 4, 'x'),
      w.sys.replyTo(A),
      w.got(1),
    ],
    [5, 6, 0, 0, 'waits', 1, 1, [[5, IN]]],
  ],
  [
    'hang-up wakes edge-triggered writers too',
    w => [
      w.epoll(),
      w.add(5, 4, OUT | EPOLL.ET),
      w.wait(5, 0),
      w.wait(5, -1),
      w.close(A, 3),
      w.close(B, 3),
      w.sys.replyTo(A),
      w.got(1),
    ],
    [5, 0, [[4, OUT]], 'waits', 0, 0, 1, [[4, OUT | ERR]]],
  ],
]
const counterRows: Rows = [
  [
    'eventfd counts and waits',
    w => [
      w.call(FS.EVENTFD, A, [2, 0]),
      number(w, 5),
      said(w.call(FS.READ, A, [5, w.sys.grant(8), 8])),
      w.fork(A, B),
      add(w, B, 5, 7),
      w.sys.replyTo(A),
    ],
    [5, 2, 'waits', 0, 8, 8],
  ],
  [
    'EFD_SEMAPHORE gives ones',
    w => [w.call(FS.EVENTFD, A, [2, 1 | O.NONBLOCK]), number(w, 5), number(w, 5), number(w, 5)],
    [5, 1, 1, -E.AGAIN],
  ],
  [
    'an eventfd has a limit',
    w => [
      w.call(FS.EVENTFD, A, [0, O.NONBLOCK]),
      add(w, A, 5, 2n ** 64n - 2n),
      add(w, A, 5, 1),
      w.poll([[5, IN | OUT]], 0),
      w.revents(1),
      add(w, A, 5, 2n ** 64n - 1n),
      w.read(A, 5, 7),
    ],
    [5, 8, -E.AGAIN, 1, [IN], -E.INVAL, -E.INVAL],
  ],
  [
    'a waiting writer goes on after a read',
    w => [
      w.call(FS.EVENTFD, A, [0, 0]),
      add(w, A, 5, 2n ** 64n - 2n),
      said(add(w, A, 5, 5)),
      w.fork(A, B),
      number(w, 5, B),
      w.sys.replyTo(A),
      number(w, 5, B),
    ],
    [5, 8, 'waits', 0, 2 ** 64, 8, 5],
  ],
  [
    'a timerfd ticks',
    w => [
      w.call(FS.TIMERFD_CREATE, A, [1, O.NONBLOCK]),
      arm(w, 5, 10, 10),
      number(w, 5),
      w.poll([[5, IN]], 100),
      w.sys.advance(10),
      w.sys.replyTo(A),
      w.sys.advance(25),
      number(w, 5),
      number(w, 5),
    ],
    [5, 0, -E.AGAIN, 'waits', undefined, 1, undefined, 3, -E.AGAIN],
  ],
  [
    'a one-shot timerfd wakes its reader and tells what is left',
    w => [
      w.call(FS.TIMERFD_CREATE, A, [0, 0]),
      arm(w, 5, 40, 0),
      left(w, 5),
      w.sys.advance(15),
      left(w, 5),
      said(w.call(FS.READ, A, [5, w.sys.grant(8), 8])),
      w.sys.advance(25),
      w.sys.replyTo(A),
      left(w, 5),
    ],
    [5, 0, 40, undefined, 25, 'waits', undefined, 8, 0],
  ],
]
function number(w: World, fd: number, who = A): number {
  const at = w.sys.grant(8)
  const r = w.call(FS.READ, who, [fd, at, 8])
  return r < 0 ? r : Number(w.sys.view.getBigUint64(at.offset, true))
}
function add(w: World, who: number, fd: number, value: number | bigint): number {
  const at = w.sys.grant(8)
  w.sys.view.setBigUint64(at.offset, BigInt(value), true)
  return w.call(FS.WRITE, who, [fd, at, 8])
}
function arm(w: World, fd: number, ms: number, interval: number): number {
  const at = w.sys.grant(32)
  w.sys.view.setUint32(at.offset + 8, interval * 1e6, true)
  w.sys.view.setUint32(at.offset + 24, ms * 1e6, true)
  return w.call(FS.TIMERFD_SETTIME, A, [fd, 0, at, null])
}
function left(w: World, fd: number): number {
  const at = w.sys.grant(32)
  w.call(FS.TIMERFD_GETTIME, A, [fd, at])
  return Math.round(w.sys.view.getUint32(at.offset + 24, true) / 1e6)
}

describe('poll', () => {
  test.each(pollRows)('%s', (_name, steps, expected) => expect(steps(new Polls())).toEqual(expected))
})
describe('select', () => {
  test.each(selectRows)('%s', (_name, steps, expected) => expect(steps(new Polls())).toEqual(expected))
})
describe('epoll', () => {
  test.each(epollRows)('%s', (_name, steps, expected) => expect(steps(new Polls())).toEqual(expected))
})
describe('eventfd and timerfd', () => {
  test.each(counterRows)('%s', (_name, steps, expected) => expect(steps(new Polls())).toEqual(expected))
})

describe('terminals', () => {
  const tty = (w: World): number => w.open(A, '/dev/tty', O.RDWR) as number
  test('a read waits for the driver, READY wakes a poll, late replies are ignored', () => {
    const w = new Polls()
    const fd = tty(w)
    expect(w.read(A, fd, 10)).toBe('waits')
    const [id, at, len] = w.waiting.shift() as [number, number, number]
    w.input = 'line\n'
    const n = w.deliver(at, len)
    expect(w.call(CDEV.REPLY, B, [id, n])).toBe(-E.PERM)
    w.call(CDEV.REPLY, EP.TTY, [id, n])
    expect(w.later(A)).toBe('line\n')
    w.call(CDEV.REPLY, EP.TTY, [id, n])
    expect(w.sys.replies.length).toBe(1)
    expect(w.poll([[fd, IN]], -1)).toBe('waits')
    w.input = 'x'
    w.call(CDEV.READY, EP.TTY, [0x2000, IN])
    expect(w.sys.replyTo(A)).toBe(1)
    expect(w.write(A, fd, 'out')).toBe(3)
    expect(w.output).toBe('out')
  })
  test('interrupted: the driver says what comes of it; a reply under way wins', () => {
    const w = new Polls()
    const fd = tty(w)
    w.read(A, fd, 10)
    cancel(w, A)
    expect(w.sys.replyTo(A)).toBe(-E.RESTARTSYS)
    w.read(A, fd, 10)
    const [id] = w.waiting.shift() as [number, number, number]
    cancel(w, A)
    expect(w.sys.replies.length).toBe(1)
    w.call(CDEV.REPLY, EP.TTY, [id, 4])
    expect(w.sys.replyTo(A)).toBe(4)
  })
  test('ioctls go to the driver, or are answered here', () => {
    const w = new Polls()
    const fd = tty(w)
    expect(w.call(FS.IOCTL, A, [fd, 0x5401, 0, w.sys.grant(36)])).toBe(0)
    expect(w.call(FS.IOCTL, A, [3, 0x5401, 0, w.sys.grant(36)])).toBe(-E.NOTTY)
    const n = w.sys.grant(4)
    w.write(A, 4, 'abc')
    expect(w.call(FS.IOCTL, A, [3, 0x541b, 0, n])).toBe(0)
    expect(w.sys.view.getInt32(n.offset, true)).toBe(3)
    expect(w.call(FS.IOCTL, A, [3, 0x5421, 0, w.sys.grant(new Uint8Array([1, 0, 0, 0]))])).toBe(0)
    w.read(A, 3, 3)
    expect(w.read(A, 3, 3)).toBe(-E.AGAIN)
  })
})
