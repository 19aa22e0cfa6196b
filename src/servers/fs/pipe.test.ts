import { describe, expect, test } from 'vitest'
import { A, B, C, said, World } from '../../../test/support/fs-world.ts'
import { E } from '../../abi/errno.ts'
import { O } from '../../abi/fcntl.ts'
import { EP } from '../../abi/message.ts'
import { COMMON_CALL } from '../../protocol/common.ts'
import { FS } from '../../protocol/fs.ts'
import { F } from './fcntl.ts'

const FIFO = 0o010644
const k = (n: number): string => 'x'.repeat(n * 1024)

/** A pipe made by A and shared with B (fork): descriptors 3 and 4 in both. */
function shared(flags = 0): World {
  const w = new World()
  w.pipe(A, flags)
  w.fork(A, B)
  return w
}
const cancel = (w: World, who: number): number => w.call(COMMON_CALL.CANCEL, EP.SYSTEM, [who])

const took = (w: World, bytes: number): number => (w.read(B, 3, bytes) as string).length

const rows: readonly (readonly [name: string, steps: (w: World) => unknown, expected: unknown])[] = [
  ['descriptors are the lowest free', w => w.pipe(A), [5, 6]],
  ['write then read', w => [w.write(A, 4, 'hello'), w.read(B, 3, 3), w.read(B, 3, 9)], [5, 'hel', 'lo']],
  ['reading nothing answers 0', w => w.read(A, 3, 0), ''],
  [
    'empty: the reader waits, then gets the write directly',
    w => [w.read(B, 3, 10), w.write(A, 4, 'abc'), w.later(B)],
    ['waits', 3, 'abc'],
  ],
  [
    'two waiting readers share one write in order',
    w => [
      w.fork(A, C),
      w.read(A, 3, 2),
      w.read(B, 3, 2),
      w.write(C, 4, 'abcde'),
      w.later(A),
      w.later(B),
      w.read(A, 3, 9),
    ],
    [0, 'waits', 'waits', 5, 'ab', 'cd', 'e'],
  ],
  [
    'a write longer than the waiting read leaves the rest',
    w => [w.read(B, 3, 2), w.write(A, 4, 'abcdef'), w.later(B), w.read(B, 3, 9)],
    ['waits', 6, 'ab', 'cdef'],
  ],
  [
    'end of file when the last writer closes',
    w => [w.close(A, 4), w.read(A, 3, 1), w.close(B, 4), w.later(A)],
    [0, 'waits', 0, ''],
  ],
  [
    'no reader: EPIPE and SIGPIPE',
    w => [w.close(A, 3), w.close(B, 3), w.write(A, 4, 'x'), w.kills()],
    [0, 0, -E.PIPE, [[A, 13]]],
  ],
  [
    'the last reader goes while a writer waits: count of what was written, SIGPIPE too',
    w => [w.write(A, 4, k(65)), w.close(A, 3), w.close(B, 3), w.sys.replyTo(A), w.kills()],
    ['waits', 0, 0, 65536, [[A, 13]]],
  ],
  ['64 KiB fit, one byte more waits', w => [w.write(A, 4, k(64)), w.write(A, 4, 'y')], [65536, 'waits']],
  [
    'a waiting writer goes on when a page is free',
    w => [w.write(A, 4, k(66)), took(w, 4095), w.sys.replyTo(A), took(w, 1), w.sys.replyTo(A), took(w, 65536)],
    ['waits', 4095, undefined, 1, 66 * 1024, 62 * 1024],
  ],
  [
    'PIPE_BUF bytes go in whole or not at all',
    w => [w.write(A, 4, k(62)), w.write(A, 4, k(4)), took(w, 4095), w.sys.replyTo(A), took(w, 1), w.sys.replyTo(A)],
    [62 * 1024, 'waits', 4095, undefined, 1, 4096],
  ],
  [
    'odd bytes join the last page, the rest takes pages of its own',
    w => [w.write(A, 4, k(62)), w.write(A, 4, k(1)), w.write(A, 4, k(1)), w.write(A, 4, 'x'), took(w, 99999)],
    [62 * 1024, 1024, 1024, 'waits', 65536],
  ],
  [
    'interrupted before anything moved',
    w => [w.read(A, 3, 1), cancel(w, A), w.sys.replyTo(A), w.write(B, 4, 'q'), w.read(B, 3, 9)],
    ['waits', 0, -E.RESTARTSYS, 1, 'q'],
  ],
  [
    'an interrupted write answers what was done',
    w => [w.write(A, 4, k(70)), cancel(w, A), w.sys.replyTo(A)],
    ['waits', 0, 65536],
  ],
  [
    'a guest that ends while it waits is not answered',
    w => [w.read(A, 3, 1), w.call(FS.EXIT, EP.PM, [A]), w.write(B, 4, 'q'), w.sys.replies],
    ['waits', 0, 1, []],
  ],
  [
    'lseek and pread are refused',
    w => [w.call(FS.LSEEK, A, [3, 0, 0]), w.call(FS.PREAD64, A, [3, w.sys.grant(1), 1, 0])],
    [-E.SPIPE, -E.SPIPE],
  ],
  ['wrong direction', w => [w.read(A, 4, 1), w.write(A, 3, 'x')], [-E.BADF, -E.BADF]],
  [
    'F_SETPIPE_SZ rounds up, refuses what the content exceeds, and keeps the content',
    w => [
      w.call(FS.FCNTL, A, [3, F.SETPIPE_SZ, 5000]),
      w.write(A, 4, 'x'.repeat(5000)),
      w.call(FS.FCNTL, A, [3, F.SETPIPE_SZ, 4096]),
      w.call(FS.FCNTL, A, [3, F.GETPIPE_SZ, 0]),
      w.call(FS.FCNTL, A, [4, F.SETPIPE_SZ, 16384]),
      (w.read(A, 3, 9000) as string).length,
      w.call(FS.FCNTL, A, [0, F.GETPIPE_SZ, 0]),
    ],
    [8192, 5000, -E.BUSY, 8192, 16384, 5000, -E.BADF],
  ],
  [
    'wraps around',
    w => {
      const out: string[] = []
      let sent = 0
      for (let round = 0; round < 40; round++) {
        const text = String.fromCharCode(97 + (round % 26)).repeat(5000)
        sent += w.write(A, 4, text) as number
        out.push((w.read(B, 3, 5000) as string) === text ? 'ok' : 'wrong')
        w.sys.release()
      }
      return [sent, [...new Set(out)]]
    },
    [200000, ['ok']],
  ],
]
describe('pipes', () => {
  test.each(rows)('%s', (_name, steps, expected) => {
    expect(steps(shared())).toEqual(expected)
  })
  test('O_NONBLOCK', () => {
    const w = shared(O.NONBLOCK)
    expect(w.read(A, 3, 1)).toBe(-E.AGAIN)
    expect(w.write(A, 4, k(70))).toBe(65536)
    expect(w.write(A, 4, 'x')).toBe(-E.AGAIN)
    w.read(B, 3, 4095)
    expect(w.write(A, 4, 'x'.repeat(4096))).toBe(-E.AGAIN)
    w.read(B, 3, 65536)
    let sent = 0
    for (let n = 1; n > 0; sent += n) n = Math.max(0, w.write(A, 4, 'x'.repeat(5000)) as number)
    expect(sent).toBe(54096) // as Linux 6.18 takes them in
  })
})

const fifo = (w: World): number => w.call(FS.MKNOD, A, [-100, w.path('/tmp/f'), FIFO, 0])
const R = O.RDONLY
const W = O.WRONLY
const fifoRows: readonly (readonly [name: string, steps: (w: World) => unknown, expected: unknown])[] = [
  [
    'the reader waits for a writer',
    w => [w.open(A, '/tmp/f', R), w.open(B, '/tmp/f', W), w.sys.replyTo(A)],
    ['waits', 3, 3],
  ],
  [
    'the writer waits for a reader',
    w => [w.open(A, '/tmp/f', W), w.open(B, '/tmp/f', R), w.sys.replyTo(A)],
    ['waits', 3, 3],
  ],
  [
    'O_RDWR waits for nobody and lets both in',
    w => [w.open(A, '/tmp/f', R), w.open(B, '/tmp/f', O.RDWR), w.sys.replyTo(A)],
    ['waits', 3, 3],
  ],
  [
    'O_NONBLOCK: reading opens, writing is ENXIO',
    w => [
      w.open(A, '/tmp/f', W | O.NONBLOCK),
      w.open(A, '/tmp/f', R | O.NONBLOCK),
      w.open(A, '/tmp/f', W | O.NONBLOCK),
    ],
    [-E.NXIO, 3, 4],
  ],
  [
    'no POLLHUP before the first writer, POLLHUP after the last',
    w => {
      w.open(A, '/tmp/f', R | O.NONBLOCK)
      const before = poll(w, A, 3, 1)
      w.open(B, '/tmp/f', W)
      w.close(B, 3)
      return [before, poll(w, A, 3, 1), w.read(A, 3, 1)]
    },
    [0, 16, ''],
  ],
  [
    'an interrupted open leaves no end behind',
    w => [
      w.open(A, '/tmp/f', R),
      cancel(w, A),
      w.sys.replyTo(A),
      w.open(B, '/tmp/f', W | O.NONBLOCK),
      w.state.openFiles,
    ],
    ['waits', 0, -E.RESTARTSYS, -E.NXIO, 3],
  ],
  [
    'close-on-exec holds for a late descriptor',
    w => [w.open(A, '/tmp/f', R | O.CLOEXEC), w.open(B, '/tmp/f', W), w.call(FS.FCNTL, A, [3, F.GETFD, 0])],
    ['waits', 3, 1],
  ],
  [
    '/dev/fd/N opens the same pipe without waiting',
    w => {
      w.pipe(A)
      const again = w.open(A, '/dev/fd/4', W)
      w.write(A, again as number, 'hi')
      return [again, w.read(A, 3, 9), w.readlink(A, '/proc/self/fd/3')]
    },
    [5, 'hi', expect.stringMatching(/^pipe:\[\d+\]$/)],
  ],
]
function poll(w: World, who: number, fd: number, events: number): number {
  const fds = w.sys.grant(8)
  w.sys.view.setInt32(fds.offset, fd, true)
  w.sys.view.setInt16(fds.offset + 4, events, true)
  w.call(FS.POLL, who, [fds, 1, w.sys.grant(16), null])
  return w.sys.view.getUint16(fds.offset + 6, true)
}
describe('FIFOs', () => {
  test.each(fifoRows)('%s', (_name, steps, expected) => {
    const w = new World()
    expect(fifo(w)).toBe(0)
    expect(steps(w)).toEqual(expected)
  })
})

describe('splice, tee, sendfile', () => {
  test('pipe to pipe, tee leaves the source', () => {
    const w = new World()
    w.pipe(A)
    w.pipe(A)
    w.write(A, 4, 'hello')
    expect(w.call(FS.TEE, A, [3, 6, 3, 0])).toBe(3)
    expect(w.call(FS.SPLICE, A, [3, null, 6, null, 100, 0])).toBe(5)
    expect(w.read(A, 5, 20)).toBe('helhello')
    expect(said(w.call(FS.SPLICE, A, [3, null, 6, null, 100, 0]))).toBe('waits')
    w.write(B, 4, 'x')
    w.fork(A, B)
    w.write(B, 4, 'later')
    expect(w.sys.replyTo(A)).toBe(5)
    expect(w.read(B, 5, 20)).toBe('later')
  })
  test('sendfile to a full pipe waits, then answers', () => {
    const w = new World()
    const fd = w.open(A, '/tmp/data') as number
    w.write(A, fd, 'abcdef')
    w.call(FS.LSEEK, A, [fd, 2, 0])
    const [r, out] = w.pipe(A)
    expect(w.call(FS.SENDFILE, A, [out, fd, null, 100])).toBe(4)
    expect(w.read(A, r, 10)).toBe('cdef')
    w.write(A, out, k(64))
    w.call(FS.LSEEK, A, [fd, 0, 0])
    w.fork(A, B)
    expect(said(w.call(FS.SENDFILE, A, [out, fd, null, 100]))).toBe('waits')
    w.read(B, r, 65536)
    expect(w.sys.replyTo(A)).toBe(6)
  })
  test('copy_file_range', () => {
    const w = new World()
    w.open(A, '/tmp/a')
    w.open(A, '/tmp/b')
    w.write(A, 3, 'abcdef')
    const at = w.sys.grant(new Uint8Array([1, 0, 0, 0, 0, 0, 0, 0]))
    expect(w.call(FS.COPY_FILE_RANGE, A, [3, at, 4, null, 3, 0])).toBe(3)
    expect(w.slurp(A, '/tmp/b')).toBe('bcd')
    expect(w.sys.bytes(at)[0]).toBe(4)
    const over = w.sys.grant(new Uint8Array([5, 0, 0, 0, 0, 0, 0, 0]))
    expect(w.call(FS.COPY_FILE_RANGE, A, [3, at, 3, over, 3, 0])).toBe(-E.INVAL)
    expect(w.call(FS.COPY_FILE_RANGE, A, [3, at, 3, null, 3, 0])).toBe(2) // cut at the end first: nothing overlaps
  })
})
