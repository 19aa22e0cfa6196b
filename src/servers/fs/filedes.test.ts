import { describe, expect, test } from 'vitest'
import { A, B, C, said, World } from '../../../test/support/fs-world.ts'
import { CLONE } from '../../abi/clone.ts'
import { E } from '../../abi/errno.ts'
import { O } from '../../abi/fcntl.ts'
import { EP, int } from '../../abi/message.ts'
import { COMMON_CALL } from '../../protocol/common.ts'
import { FS } from '../../protocol/fs.ts'
import { CRED_BYTES } from '../../protocol/pm.ts'
import { F } from './fcntl.ts'

type Rows = readonly (readonly [name: string, steps: (w: World) => unknown, expected: unknown])[]
const fcntl = (w: World, who: number, fd: number, cmd: number, arg = 0) => w.call(FS.FCNTL, who, [fd, cmd, arg])
const dup2 = (w: World, old: number, fd: number, flags = -1) => w.call(FS.DUP2, A, [old, fd, flags])
const limit = (w: World, resource: number, value: number) => w.call(FS.SETLIMIT, EP.PM, [A, resource, value])

const tables: Rows = [
  [
    'lowest free number',
    w => [
      w.open(A, '/tmp/a'),
      w.open(A, '/tmp/b'),
      w.close(A, 0),
      w.close(A, 3),
      w.open(A, '/tmp/c'),
      w.open(A, '/tmp/d'),
      w.open(A, '/tmp/e'),
    ],
    [3, 4, 0, 0, 0, 3, 5],
  ],
  [
    'EMFILE at the limit, which may be below what is open',
    w => [
      limit(w, 7, 4),
      w.open(A, '/tmp/a'),
      w.open(A, '/tmp/b'),
      w.call(FS.DUP, A, [0]),
      limit(w, 7, 2),
      w.read(A, 3, 1),
      dup2(w, 0, 3),
      fcntl(w, A, 0, F.DUPFD, 2),
    ],
    [0, 3, -E.MFILE, -E.MFILE, 0, '', -E.BADF, -E.INVAL],
  ],
  [
    'a pipe needs two',
    w => [limit(w, 7, 4), w.call(FS.PIPE, A, [w.sys.grant(8), 0]), w.open(A, '/tmp/a'), w.state.openFiles],
    [0, -E.MFILE, 3, 4],
  ],
  ['close twice', w => [w.close(A, 2), w.close(A, 2), w.close(A, -1), w.close(A, 99)], [0, -E.BADF, -E.BADF, -E.BADF]],
  [
    'dup shares the offset',
    w => [
      w.open(A, '/tmp/a'),
      w.write(A, 3, 'abcdef'),
      w.call(FS.DUP, A, [3]),
      w.call(FS.LSEEK, A, [4, 1, 0]),
      w.read(A, 3, 2),
      w.read(A, 4, 2),
    ],
    [3, 6, 4, 1, 'bc', 'de'],
  ],
  [
    'dup2 onto itself, onto another, onto a gap',
    w => [
      dup2(w, 1, 1),
      dup2(w, 9, 9),
      dup2(w, 0, 2),
      dup2(w, 0, 20),
      w.open(A, '/tmp/a'),
      dup2(w, 0, 5000),
      dup2(w, 0, -1),
    ],
    [1, -E.BADF, 2, 20, 3, -E.BADF, -E.BADF],
  ],
  [
    'dup3',
    w => [dup2(w, 1, 1, 0), dup2(w, 0, 7, O.CLOEXEC), fcntl(w, A, 7, F.GETFD), dup2(w, 0, 8, O.NONBLOCK)],
    [-E.INVAL, 7, 1, -E.INVAL],
  ],
  [
    'F_DUPFD, F_DUPFD_CLOEXEC, F_SETFD, F_DUPFD_QUERY',
    w => [
      fcntl(w, A, 0, F.DUPFD, 10),
      fcntl(w, A, 0, F.DUPFD_CLOEXEC, 10),
      fcntl(w, A, 11, F.GETFD),
      fcntl(w, A, 11, F.SETFD, 0),
      fcntl(w, A, 11, F.GETFD),
      fcntl(w, A, 10, F.DUPFD_QUERY, 0),
      fcntl(w, A, 10, 777),
    ],
    [10, 11, 1, 0, 0, 1, -E.INVAL],
  ],
  [
    'F_SETFL changes what it may',
    w => [
      w.open(A, '/tmp/a', O.CREAT | O.WRONLY | O.EXCL),
      fcntl(w, A, 3, F.GETFL),
      fcntl(w, A, 3, F.SETFL, O.RDWR | O.APPEND | O.NONBLOCK | O.CREAT),
      fcntl(w, A, 3, F.GETFL),
    ],
    [3, O.WRONLY | O.LARGEFILE, 0, O.WRONLY | O.LARGEFILE | O.APPEND | O.NONBLOCK],
  ],
  [
    'O_APPEND writes at the end, wherever the offset',
    w => [
      w.open(A, '/tmp/a', O.CREAT | O.RDWR | O.APPEND),
      w.write(A, 3, 'abc'),
      w.call(FS.LSEEK, A, [3, 0, 0]),
      w.write(A, 3, 'de'),
      w.call(FS.LSEEK, A, [3, 0, 1]),
      w.slurp(A, '/tmp/a'),
    ],
    [3, 3, 0, 2, 5, 'abcde'],
  ],
  [
    'lseek',
    w => [
      w.open(A, '/tmp/a'),
      w.write(A, 3, 'abcd'),
      ...[
        [0, 2],
        [2, 0],
        [-1, 1],
        [-9, 1],
        [-1, 2],
        [0, 7],
        [1, 3],
      ].map(([offset, whence]) => w.call(FS.LSEEK, A, [3, offset as number, whence as number])),
      w.call(FS.LSEEK, A, [0, 5, 0]),
    ],
    [3, 4, 4, 2, 1, -E.INVAL, 3, -E.INVAL, 1, 0],
  ],
  [
    'pread and pwrite leave the offset',
    w => [
      w.open(A, '/tmp/a'),
      w.call(FS.PWRITE64, A, [3, w.sys.grant('xyz'), 3, 2]),
      w.call(FS.LSEEK, A, [3, 0, 1]),
      w.call(FS.PREAD64, A, [3, w.sys.grant(9), 9, 1]),
      w.call(FS.PREAD64, A, [3, w.sys.grant(9), 9, -1]),
      w.call(FS.READV, A, [3, w.sys.grant(9), 9, -1]),
    ],
    [3, 3, 0, 4, -E.INVAL, 5],
  ],
  [
    'a buffer that is no good comes after the descriptor',
    w => [
      w.open(A, '/tmp/a'),
      w.call(FS.READ, A, [3, null, -E.FAULT]),
      w.call(FS.READ, A, [4, null, -E.FAULT]),
      w.call(FS.WRITE, A, [3, null, -E.FAULT]),
      w.call(FS.WRITE, A, [3, null, 0]),
    ],
    [3, -E.FAULT, -E.BADF, -E.FAULT, 0],
  ],
  [
    'RLIMIT_FSIZE: short, then EFBIG and SIGXFSZ',
    w => [
      limit(w, 1, 4),
      w.open(A, '/tmp/a'),
      w.write(A, 3, 'abcdef'),
      w.write(A, 3, 'x'),
      w.kills(),
      w.call(FS.FTRUNCATE, A, [3, 5]),
    ],
    [0, 3, 4, -E.FBIG, [[A, 25]], -E.FBIG],
  ],
  [
    'ftruncate',
    w => [
      w.open(A, '/tmp/a'),
      w.write(A, 3, 'abc'),
      w.call(FS.FTRUNCATE, A, [3, 1]),
      w.slurp(A, '/tmp/a'),
      w.call(FS.FTRUNCATE, A, [3, -1]),
      w.call(FS.FTRUNCATE, A, [0, 1]),
      w.open(A, '/tmp/a', 0),
      w.call(FS.FTRUNCATE, A, [4, 1]),
    ],
    [3, 3, 0, 'a', -E.INVAL, -E.INVAL, 4, -E.INVAL],
  ],
  [
    'close_range',
    w => [
      w.pipe(A),
      w.call(FS.CLOSE_RANGE, A, [4, 3, 0]),
      w.call(FS.CLOSE_RANGE, A, [3, 0xffffffff, 4]),
      fcntl(w, A, 3, F.GETFD),
      w.call(FS.CLOSE_RANGE, A, [3, 0xffffffff, 0]),
      fcntl(w, A, 3, F.GETFD),
      fcntl(w, A, 2, F.GETFD),
    ],
    [[3, 4], -E.INVAL, 0, 1, 0, -E.BADF, 0],
  ],
  [
    '/dev/null, zero, full',
    w => [
      w.open(A, '/dev/full', O.RDWR),
      w.write(A, 3, 'x'),
      w.read(A, 3, 2),
      w.open(A, '/dev/zero', O.RDWR),
      w.write(A, 4, 'x'),
      w.read(A, 4, 2),
      w.write(A, 0, 'xyz'),
      w.read(A, 0, 3),
      w.open(A, '/dev/urandom', 0),
      (w.read(A, 5, 40) as string).length,
    ],
    [3, -E.NOSPC, '\0\0', 4, 1, '\0\0', 3, '', 5, 40],
  ],
  [
    'memfd',
    w => [
      w.call(FS.MEMFD_CREATE, A, [w.path('data'), 1]),
      w.write(A, 3, 'abc'),
      w.call(FS.PREAD64, A, [3, w.sys.grant(9), 9, 0]),
      w.readlink(A, '/proc/self/fd/3'),
      fcntl(w, A, 3, F.GETFD),
      w.slurp(A, '/proc/self/fd/3'),
    ],
    [3, 3, 3, '/memfd:data (deleted)', 1, 'abc'],
  ],
]

const processes: Rows = [
  [
    'fork copies the table, shares the open files',
    w => [
      w.open(A, '/tmp/a'),
      w.write(A, 3, 'abc'),
      w.fork(A, B),
      w.write(B, 3, 'de'),
      w.close(B, 3),
      w.write(A, 3, 'f'),
      w.slurp(A, '/tmp/a'),
    ],
    [3, 3, 0, 2, 0, 1, 'abcdef'],
  ],
  [
    'CLONE_FILES shares the table',
    w => [w.fork(A, B, CLONE.FILES), w.open(A, '/tmp/a'), w.close(B, 3), w.close(A, 3)],
    [0, 3, 0, -E.BADF],
  ],
  [
    'umask is copied, or shared with CLONE_FS',
    w => [
      w.fork(A, B),
      w.fork(A, C, CLONE.FS),
      w.call(FS.UMASK, A, [0o77]),
      w.call(FS.UMASK, B, [0]),
      w.call(FS.UMASK, C, [0]),
    ],
    [0, 0, 0o22, 0o22, 0o77],
  ],
  [
    'exec closes what is close-on-exec and leaves a shared table',
    w => [
      w.fork(A, B, CLONE.FILES),
      w.open(A, '/tmp/a', O.CREAT | O.RDWR | O.CLOEXEC),
      w.call(FS.EXECED, EP.PM, [A, -1, w.path('ls\0-l\0'), w.path('A=1\0')]),
      w.close(A, 3),
      w.close(B, 3),
      w.slurp(A, '/proc/self/cmdline'),
      w.slurp(A, '/proc/self/environ'),
    ],
    [0, 3, 0, -E.BADF, 0, 'ls\0-l\0', 'A=1\0'],
  ],
  [
    'exit closes everything',
    w => [
      w.pipe(A),
      w.fork(A, B),
      w.close(B, 4),
      w.read(B, 3, 1),
      w.call(FS.EXIT, EP.PM, [A]),
      w.later(B),
      w.read(A, 3, 1),
    ],
    [[3, 4], 0, 0, 'waits', 0, '', -E.BADF],
  ],
  [
    'nothing is left when all are gone',
    w => [
      w.open(A, '/tmp/a'),
      w.pipe(A),
      w.fork(A, B),
      w.read(B, 4, 1),
      ...[A, B, C].map(who => w.call(COMMON_CALL.GONE, EP.SYSTEM, [who])),
      w.state.openFiles,
      w.state.pipes.size,
    ],
    [3, [4, 5], 0, 'waits', 0, 0, 0, 0, 0],
  ],
  [
    'guests may not send what servers send',
    w =>
      [
        FS.FORK,
        FS.EXIT,
        FS.SPAWN,
        FS.SETCRED,
        FS.SETLIMIT,
        FS.SETTTY,
        FS.MAP,
        COMMON_CALL.CANCEL,
        COMMON_CALL.GONE,
      ].map(type => w.call(type, A, [B, 0, 0])),
    Array(9).fill(-E.PERM),
  ],
  [
    'a first process: /dev/null, the terminal, streams; a working directory',
    w => [
      w.call(FS.SPAWN, EP.MACHINE, [40, w.sys.grant(new Uint8Array([1, 1, 3, 0])), w.path('/tmp')]),
      ...['0', '1', '2', '3'].map(fd => w.readlink(40, `/proc/self/fd/${fd}`)),
      w.readlink(40, '/proc/self/cwd'),
      w.write(40, 1, 'hi'),
      w.output,
    ],
    [0, '/dev/tty0', '/dev/tty0', expect.stringMatching(/^pipe:/), '/dev/null', '/tmp', 2, 'hi'],
  ],
  [
    'a working directory that is missing',
    w => [w.call(FS.SPAWN, EP.MACHINE, [40, w.sys.grant(1), w.path('/nowhere')]), w.state.fprocs[40]],
    [-E.NOENT, undefined],
  ],
  [
    'SETCRED',
    w => {
      const cred = w.sys.grant(CRED_BYTES)
      for (let i = 0; i < 8; i++) w.sys.view.setUint32(cred.offset + 4 * i, 1000 + i, true)
      w.sys.view.setUint32(cred.offset + 32, 2, true)
      w.sys.view.setUint32(cred.offset + 36, 5, true)
      w.sys.view.setUint32(cred.offset + 40, 27, true)
      return [w.call(FS.SETCRED, EP.PM, [A, cred]), w.state.fprocs[A]?.cred]
    },
    [0, { uid: 1000, euid: 1001, fsuid: 1003, gid: 1004, egid: 1005, fsgid: 1007, groups: [5, 27], capabilities: 0 }],
  ],
]

/** FCNTL with a struct flock; → result, and the struct's [type, start, len, pid] for F_GETLK. */
function lock(
  w: World,
  who: number,
  cmd: number,
  type: number,
  start = 0,
  len = 0,
  fd = 3,
): number | 'waits' | number[] {
  const at = w.sys.grant(32)
  w.sys.view.setInt16(at.offset, type, true)
  w.sys.view.setBigInt64(at.offset + 8, BigInt(start), true)
  w.sys.view.setBigInt64(at.offset + 16, BigInt(len), true)
  const r = w.call(FS.FCNTL, who, [fd, cmd, 0, at])
  if (r < 0 || (cmd !== F.GETLK && cmd !== F.OFD_GETLK)) return said(r)
  const v = w.sys.view
  return [
    v.getInt16(at.offset, true),
    Number(v.getBigInt64(at.offset + 8, true)),
    Number(v.getBigInt64(at.offset + 16, true)),
    v.getInt32(at.offset + 24, true),
  ]
}
const RD = 0
const WR = 1
const UN = 2
/** A and B have /tmp/a open as 3, each by itself; B and C share. */
function lockWorld(): World {
  const w = new World()
  w.open(A, '/tmp/a')
  w.open(B, '/tmp/a')
  w.fork(B, C)
  return w
}
const locks: Rows = [
  [
    'readers share, writers exclude',
    w => [
      lock(w, A, F.SETLK, RD),
      lock(w, B, F.SETLK, RD),
      lock(w, B, F.SETLK, WR),
      lock(w, A, F.SETLK, UN),
      lock(w, B, F.SETLK, WR),
      lock(w, A, F.SETLK, RD),
    ],
    [0, 0, -E.AGAIN, 0, 0, -E.AGAIN],
  ],
  [
    'F_GETLK tells who and what',
    w => [
      lock(w, A, F.SETLK, WR, 10, 5),
      lock(w, B, F.GETLK, RD, 0, 0),
      lock(w, B, F.GETLK, RD, 15, 0),
      lock(w, A, F.GETLK, WR, 0, 0),
    ],
    [0, [WR, 10, 5, 101], [UN, 15, 0, 0], [UN, 0, 0, 0]],
  ],
  [
    'unlocking the middle splits',
    w => [
      lock(w, A, F.SETLK, WR, 0, 100),
      lock(w, A, F.SETLK, UN, 40, 20),
      lock(w, B, F.GETLK, WR, 0, 0),
      lock(w, B, F.GETLK, WR, 40, 20),
      lock(w, B, F.GETLK, WR, 50, 0),
    ],
    [0, 0, [WR, 0, 40, 101], [UN, 40, 20, 0], [WR, 60, 40, 101]],
  ],
  [
    'neighbours merge; a change of type splits',
    w => [
      lock(w, A, F.SETLK, WR, 0, 10),
      lock(w, A, F.SETLK, WR, 10, 10),
      lock(w, B, F.GETLK, RD, 5, 1),
      lock(w, A, F.SETLK, RD, 5, 10),
      lock(w, B, F.SETLK, RD, 6, 3),
      lock(w, B, F.GETLK, RD, 0, 0),
    ],
    [0, 0, [WR, 0, 20, 101], 0, 0, [WR, 0, 5, 101]],
  ],
  [
    'F_SETLKW waits, is granted in order, may be interrupted',
    w => [
      lock(w, A, F.SETLK, WR),
      lock(w, B, F.SETLKW, WR),
      lock(w, C, F.SETLKW, RD),
      w.call(COMMON_CALL.CANCEL, EP.SYSTEM, [C]),
      lock(w, A, F.SETLK, UN),
      w.sys.replies,
    ],
    [
      0,
      'waits',
      'waits',
      0,
      0,
      [
        [C, -E.RESTARTSYS],
        [B, 0],
      ],
    ],
  ],
  [
    'a circle is EDEADLK',
    w => [
      lock(w, A, F.SETLK, WR, 0, 1),
      lock(w, B, F.SETLK, WR, 1, 1),
      lock(w, A, F.SETLKW, WR, 1, 1),
      lock(w, B, F.SETLKW, WR, 0, 1),
    ],
    [0, 0, 'waits', -E.DEADLK],
  ],
  [
    'closing any descriptor of the file gives the locks up',
    w => [lock(w, A, F.SETLK, WR), w.open(A, '/tmp/a', 0), lock(w, B, F.SETLKW, WR), w.close(A, 4), w.sys.replyTo(B)],
    [0, 4, 'waits', 0, 0],
  ],
  [
    'a forked child has none',
    w => [lock(w, B, F.SETLK, WR), lock(w, C, F.SETLK, WR), w.call(FS.EXIT, EP.PM, [B]), lock(w, C, F.SETLK, WR)],
    [0, -E.AGAIN, 0, 0],
  ],
  [
    'OFD locks belong to the open file',
    w => [
      lock(w, B, F.OFD_SETLK, WR),
      lock(w, C, F.OFD_SETLK, WR),
      lock(w, A, F.OFD_SETLK, RD),
      lock(w, A, F.OFD_GETLK, RD),
      lock(w, A, F.SETLK, RD),
      w.close(B, 3),
      lock(w, A, F.SETLK, RD),
      w.close(C, 3),
      lock(w, A, F.SETLK, RD),
    ],
    [0, 0, -E.AGAIN, [WR, 0, 0, -1], -E.AGAIN, 0, -E.AGAIN, 0, 0],
  ],
  [
    'needs the right access, a sane range',
    w => [
      w.open(A, '/tmp/a', 0),
      lock(w, A, F.SETLK, WR, 0, 0, 4),
      lock(w, A, F.SETLK, RD, 5, -10, 4),
      lock(w, A, F.SETLK, RD, 5, -5, 4),
      lock(w, B, F.GETLK, WR, 0, 0),
      lock(w, A, F.SETLK, 9),
      w.call(FS.FCNTL, A, [3, F.SETLK, 0, null]),
    ],
    [4, -E.BADF, -E.INVAL, 0, [RD, 0, 5, 101], -E.INVAL, -E.FAULT],
  ],
  [
    'flock belongs to the open file; conversion waits; LOCK_NB does not',
    w => [
      w.call(FS.FLOCK, A, [3, 1]),
      w.call(FS.FLOCK, B, [3, 1]),
      w.call(FS.FLOCK, C, [3, 6]),
      said(w.call(FS.FLOCK, C, [3, 2])),
      w.call(FS.FLOCK, A, [3, 8]),
      w.sys.replyTo(C),
      w.call(FS.FLOCK, A, [3, 5]),
      w.call(FS.FLOCK, A, [3, 3]),
    ],
    [0, 0, -E.AGAIN, 'waits', 0, 0, -E.AGAIN, -E.INVAL],
  ],
  [
    'flock goes with the last descriptor',
    w => [
      w.call(FS.FLOCK, B, [3, 2]),
      said(w.call(FS.FLOCK, A, [3, 2])),
      w.close(B, 3),
      w.sys.replyTo(A),
      w.call(FS.EXIT, EP.PM, [C]),
      w.sys.replyTo(A),
      w.state.locks.size,
    ],
    [0, 'waits', 0, undefined, 0, 0, 1],
  ],
]

const maps = (w: World, fd: number, prot: number, flags: number): unknown => {
  const m = w.sys.message(FS.MAP, [A, fd, prot, flags, w.sys.grant(64)])
  const at = int(m, 4)
  const r = w.sys.deliver(m, EP.VM)
  return r < 0 ? r : [int(m, 1), w.sys.text({ offset: at, length: 64 }).replace(/\0.*$/s, '')]
}
const mapRows: Rows = [
  [
    'a file, privately and shared',
    w => [w.open(A, '/tmp/a'), w.write(A, 3, 'x'), maps(w, 3, 1, 2), maps(w, 3, 3, 1)],
    [3, 1, [0, '/tmp/a'], [2, '/tmp/a']],
  ],
  [
    'what the open mode allows',
    w => [
      w.open(A, '/tmp/a'),
      w.write(A, 3, 'x'),
      w.open(A, '/tmp/a', 0),
      w.open(A, '/tmp/a', 1),
      maps(w, 4, 3, 1),
      maps(w, 4, 3, 2),
      maps(w, 5, 1, 2),
    ],
    [3, 1, 4, 5, -E.ACCES, [0, '/tmp/a'], -E.ACCES],
  ],
  [
    'what can be mapped',
    w => [
      w.pipe(A),
      maps(w, 3, 1, 2),
      w.open(A, '/tmp', 0),
      maps(w, 5, 1, 2),
      maps(w, 77, 1, 2),
      w.open(A, '/dev/zero', O.RDWR),
      maps(w, 6, 3, 2),
      w.open(A, '/proc/stat', 0),
      maps(w, 7, 1, 2),
    ],
    [[3, 4], -E.NODEV, 5, -E.NODEV, -E.BADF, 6, [1, ''], 7, -E.NODEV],
  ],
]

describe('descriptors', () => {
  test.each(tables)('%s', (_name, steps, expected) => expect(steps(new World())).toEqual(expected))
})
describe('processes', () => {
  test.each(processes)('%s', (_name, steps, expected) => expect(steps(new World())).toEqual(expected))
})
describe('locks', () => {
  test.each(locks)('%s', (_name, steps, expected) => expect(steps(lockWorld())).toEqual(expected))
})
describe('mmap', () => {
  test.each(mapRows)('%s', (_name, steps, expected) => expect(steps(new World())).toEqual(expected))
})
