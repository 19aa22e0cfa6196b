import { describe, expect, test } from 'vitest'
import { A, B, C, World } from '../../../test/support/fs-world.ts'
import { E } from '../../abi/errno.ts'
import { O } from '../../abi/fcntl.ts'
import { EP } from '../../abi/message.ts'
import { FS } from '../../protocol/fs.ts'

function list(w: World, name: string): string[] | number {
  const fd = w.open(A, name, O.DIRECTORY)
  if (typeof fd !== 'number' || fd < 0) return fd as number
  const names: string[] = []
  for (;;) {
    const buffer = w.sys.grant(300)
    const n = w.call(FS.GETDENTS64, A, [fd, buffer, 300])
    if (n <= 0) break
    for (let at = buffer.offset; at < buffer.offset + n; at += w.sys.view.getUint16(at + 16, true)) {
      names.push(w.sys.text({ offset: at + 19, length: 40 }).replace(/\0.*$/s, ''))
    }
  }
  w.close(A, fd)
  return names
}
const mode = (w: World, name: string): string | number => {
  const st = w.sys.grant(144)
  const r = w.call(FS.STAT, A, [-100, w.path(name), st, 0x100])
  return r < 0 ? r : w.sys.view.getUint32(st.offset + 24, true).toString(8)
}

/** What each file must look like: the fields programs parse. */
const shapes: readonly (readonly [name: string, shape: RegExp])[] = [
  ['/proc/self/stat', /^101 \(t 1\) S 1 101 101 0 -1( -?\d+){44}\n$/],
  ['/proc/self/statm', /^100 50 20 10 0 40 0\n$/],
  [
    '/proc/self/status',
    /^Name:\tt 1\nUmask:\t0022\nState:\tS \(sleeping\)\nTgid:\t101\nNgid:\t0\nPid:\t101\nPPid:\t1\n(.*\n)*Uid:\t0\t0\t0\t0\n(.*\n)*VmSize:\t +400 kB\n(.*\n)*SigBlk:\t[0-9a-f]{16}\n/,
  ],
  ['/proc/self/comm', /^t 1\n$/],
  ['/proc/self/maps', /^00400000-00401000 r-xp\n$/],
  [
    '/proc/self/limits',
    /^Limit {21}Soft Limit {11}Hard Limit {11}Units {5}\nMax cpu time {14}1024 {17}unlimited {12}seconds {3}\n(.*\n){15}$/,
  ],
  ['/proc/self/mounts', /^tmpfs \/ tmpfs rw,relatime 0 0\nproc \/proc proc rw,relatime 0 0\n/],
  ['/proc/mounts', /^tmpfs \/ tmpfs/],
  ['/proc/self/mountinfo', /^\d+ 0 0:1 \/ \/ rw,relatime - tmpfs tmpfs rw\n\d+ \d+ 0:2 \/ \/proc /],
  ['/proc/self/fdinfo/0', /^pos:\t0\nflags:\t0\d+\nmnt_id:\t\d+\nino:\t\d+\n$/],
  ['/proc/self/cgroup', /^0::\/\n$/],
  ['/proc/self/oom_score_adj', /^0\n$/],
  ['/proc/thread-self/comm', /^t 1\n$/],
  [
    '/proc/stat',
    /^cpu {2}\d+ 0 \d+ \d+ 0 0 0 0 0 0\ncpu0 .*\ncpu1 .*\n(.*\n)*btime \d+\nprocesses 3\nprocs_running 1\n/,
  ],
  ['/proc/meminfo', /^MemTotal: {8}1048576 kB\nMemFree: +1046528 kB\nMemAvailable: /],
  ['/proc/uptime', /^\d+\.\d\d \d+\.\d\d\n$/],
  ['/proc/loadavg', /^0\.00 0\.00 0\.00 1\/3 103\n$/],
  ['/proc/version', /^Linux version 6\.1\.0-mol /],
  [
    '/proc/cpuinfo',
    /^processor\t: 0\nvendor_id\t: Test\nmodel name\t: Test CPU\nsiblings\t: 2\npower management:\n\nprocessor\t: 1\n/,
  ],
  ['/proc/filesystems', /^nodev\tproc\n/m],
  ['/proc/sys/kernel/hostname', /^test\n$/],
  ['/proc/sys/kernel/pid_max', /^32768\n$/],
  ['/proc/sys/kernel/random/uuid', /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\n$/],
  ['/proc/sys/fs/pipe-max-size', /^1048576\n$/],
  ['/sys/devices/system/cpu/online', /^0-1\n$/],
  ['/sys/devices/system/cpu/cpu1/topology/core_id', /^1\n$/],
  ['/sys/devices/system/cpu/cpu1/topology/package_cpus', /^3\n$/],
  ['/sys/devices/system/cpu/cpu0/cache/index0/size', /^32K\n$/],
  ['/sys/devices/system/cpu/cpu0/node0/cpulist', /^0-1\n$/],
  ['/sys/devices/system/node/node0/meminfo', /^Node 0 MemTotal: {8}1048576 kB\n/],
  ['/sys/class/net/lo/mtu', /^65536\n$/],
  ['/sys/kernel/mm/transparent_hugepage/enabled', /^always \[madvise\] never\n$/],
]
describe('/proc texts', () => {
  test.each(shapes)('%s', (name, shape) => expect(new World().slurp(A, name)).toMatch(shape))
})

const rows: readonly (readonly [name: string, steps: (w: World) => unknown, expected: unknown])[] = [
  [
    'processes are listed, the ended are not',
    w => [
      (list(w, '/proc') as string[]).filter(n => /\d/.test(n)),
      w.call(FS.EXIT, EP.PM, [B]),
      (list(w, '/proc') as string[]).filter(n => /\d/.test(n)),
    ],
    [['101', '102', '103'], 0, ['101', '103']],
  ],
  [
    'every name listed can be looked up',
    w => (list(w, '/proc/self') as string[]).filter(n => typeof mode(w, `/proc/self/${n}`) === 'number'),
    [],
  ],
  [
    'fd lists descriptors',
    w => [w.pipe(A), w.close(A, 1), list(w, '/proc/self/fd')],
    [[3, 4], 0, ['.', '..', '0', '1', '2', '3', '4']],
  ],
  ['task lists threads', w => list(w, '/proc/101/task'), ['.', '..', '101']],
  [
    'modes',
    w =>
      ['/proc', '/proc/self', '/proc/101', '/proc/101/fd', '/proc/101/environ', '/proc/101/exe', '/proc/101/stat'].map(
        n => mode(w, n),
      ),
    ['40555', '120777', '40555', '40500', '100400', '120777', '100444'],
  ],
  [
    'self and thread-self',
    w => [w.readlink(B, '/proc/self'), w.readlink(B, '/proc/thread-self'), w.readlink(B, '/proc/mounts')],
    ['102', '102/task/102', 'self/mounts'],
  ],
  [
    'cwd, root, exe',
    w => [
      w.call(FS.CHDIR, A, [w.path('/tmp')]),
      w.readlink(A, '/proc/self/cwd'),
      w.readlink(A, '/proc/self/root'),
      w.readlink(A, '/proc/self/exe'),
    ],
    [0, '/tmp', '/', -E.NOENT],
  ],
  [
    'a descriptor of an unlinked file: marked, and still to be opened',
    w => [
      w.open(A, '/tmp/a'),
      w.write(A, 3, 'abc'),
      w.call(FS.UNLINK, A, [-100, w.path('/tmp/a'), 0]),
      w.readlink(A, '/proc/self/fd/3'),
      w.slurp(A, '/proc/self/fd/3'),
    ],
    [3, 3, 0, '/tmp/a (deleted)', 'abc'],
  ],
  [
    'missing things',
    w => ['/proc/999', '/proc/0101', '/proc/self/nothing', '/proc/self/fd/9', '/proc/constructor'].map(n => mode(w, n)),
    Array(5).fill(-E.NOENT),
  ],
  [
    'nothing can be made or removed',
    w => [
      w.call(FS.MKDIR, A, [-100, w.path('/proc/x'), 0o755]),
      w.call(FS.UNLINK, A, [-100, w.path('/proc/stat'), 0]),
      w.open(A, '/sys/devices/system/cpu/online', O.RDWR),
      w.open(A, '/proc/stat', O.RDWR),
      w.write(A, 3, 'x'),
    ],
    [-E.NOENT, -E.PERM, -E.ACCES, 3, -E.INVAL],
  ],
  [
    'oom_score_adj is kept',
    w => [
      w.open(A, '/proc/self/oom_score_adj', O.RDWR),
      w.write(A, 3, '-17\n'),
      w.write(A, 3, '5000\n'),
      w.write(A, 3, 'x'),
      w.slurp(B, '/proc/101/oom_score_adj'),
    ],
    [3, 4, -E.INVAL, -E.INVAL, '-17\n'],
  ],
  [
    'oom_score_adj: no less than root let it be, for a child and another thread too',
    w => {
      w.fork(A, C + 1)
      w.fork(A, C + 2, 0x10000)
      const set = (from: number, text: string): unknown => {
        const fd = w.open(from, '/proc/self/oom_score_adj', O.RDWR)
        return [w.write(from, fd as number, text), w.close(from, fd as number)][0]
      }
      const asRoot = set(A, '100')
      for (const who of [A, C + 1, C + 2]) Object.assign(w.state.fprocs[who]?.cred ?? {}, { capabilities: 0 })
      return [asRoot, set(A, '99'), set(A, '200'), w.state.fprocs[C + 1]?.shared.oomAdjust, w.state.fprocs[C + 2]?.shared.oomAdjust]
    },
    [3, -E.ACCES, 3, 0, 200],
  ],
  [
    'what can be tuned',
    w => {
      const put = (name: string, text: string): unknown => {
        const fd = w.open(A, name, O.WRONLY)
        return typeof fd === 'number' && fd >= 0 ? [w.write(A, fd, text), w.close(A, fd)][0] : fd
      }
      return [
        put('/proc/sys/fs/file-max', '5000\n'),
        put('/proc/sys/fs/file-max', '3'),
        put('/proc/sys/fs/file-max', '-1'),
        w.slurp(A, '/proc/sys/fs/file-max'),
        put('/proc/sys/kernel/ostype', 'x'),
      ]
    },
    [5, -E.INVAL, -E.INVAL, '5000\n', -E.INVAL],
  ],
  [
    'a file kept open tells news after a rewind',
    w => [
      w.open(A, '/proc/uptime', 0),
      w.sys.advance(5000),
      (w.read(A, 3, 99) as string).slice(0, 4),
      w.sys.advance(1000),
      w.read(A, 3, 99),
      w.call(FS.LSEEK, A, [3, 0, 0]),
      (w.read(A, 3, 99) as string).slice(0, 4),
    ],
    [3, undefined, '6.00', undefined, '', 0, '7.00'],
  ],
  [
    'reading in pieces',
    w => [w.open(A, '/proc/version', 0), w.read(A, 3, 5), w.read(A, 3, 9)],
    [3, 'Linux', ' version '],
  ],
  [
    'another user’s secrets',
    w => {
      const cred = w.state.fprocs[B]?.cred
      if (cred !== undefined) Object.assign(cred, { uid: 1000, euid: 1000, fsuid: 1000, capabilities: 0 })
      return [
        w.slurp(B, '/proc/101/stat') !== '',
        w.slurp(B, '/proc/101/environ'),
        w.slurp(B, '/proc/101/maps'),
        w.readlink(B, '/proc/101/cwd'),
        w.open(B, '/proc/101/fd', 0),
        w.slurp(B, '/proc/101/fd/0'),
      ]
    },
    [true, -E.ACCES, -E.ACCES, -E.ACCES, -E.ACCES, -E.ACCES],
  ],
]
describe('/proc', () => {
  test.each(rows)('%s', (_name, steps, expected) => expect(steps(new World())).toEqual(expected))
})
