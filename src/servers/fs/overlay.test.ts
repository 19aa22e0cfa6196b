// The overlay against Linux: random sequences of calls are made natively in a copy of a tree, and by a guest over the tree itself.
// Every result, and the tree left behind, must agree; the base must not have changed.
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Scratch, sys } from '../../host/host.ts'
import { FS } from '../../protocol/fs.ts'
import { createBind } from './bind.ts'
import { Guest, ROOT, user } from './fixture.ts'
import { mountAt } from './mount.ts'

const NR = {
  close: 3,
  open: 2,
  stat: 4,
  lstat: 6,
  write: 1,
  access: 21,
  truncate: 76,
  rename: 82,
  mkdir: 83,
  rmdir: 84,
  link: 86,
  unlink: 87,
  symlink: 88,
  readlink: 89,
  chmod: 90,
  chown: 92,
  setfsuid: 122,
  setfsgid: 123,
  mknod: 133,
  renameat2: 316,
  lseek: 8,
  read: 0,
  ftruncate: 77,
  umask: 95,
} as const
const top = mkdtempSync(join(tmpdir(), 'mol-overlay-'))
const scratch = new Scratch()
const isRoot = process.getuid?.() === 0

/** Calls are made from here, so that '..' has somewhere to go. */
const WORK = 'x/y'
/** The tree both start from. */
function build(top: string): void {
  const at = join(top, WORK)
  mkdirSync(join(at, 'a/b/c'), { recursive: true })
  mkdirSync(join(at, 'd'))
  mkdirSync(join(at, 'e'))
  writeFileSync(join(at, 'f'), 'file f')
  writeFileSync(join(at, 'a/f'), 'file a/f, somewhat longer')
  writeFileSync(join(at, 'a/b/g'), 'x'.repeat(5000))
  writeFileSync(join(at, 'd/f'), '')
  linkSync(join(at, 'a/f'), join(at, 'd/h'))
  symlinkSync('a/b', join(at, 'l'))
  symlinkSync('nowhere', join(at, 'a/l'))
  symlinkSync('../a/f', join(at, 'd/l'))
  symlinkSync('l', join(at, 'd/m'))
  for (const [path, mode] of [
    ['a', 0o755],
    ['a/b', 0o775],
    ['a/b/c', 0o2775],
    ['d', 0o1755],
    ['e', 0o777],
    ['f', 0o644],
    ['a/f', 0o4755],
    ['a/b/g', 0o666],
    ['d/f', 0o600],
  ] as const) {
    chmodSync(join(at, path), mode)
  }
}
/** Everything in a tree, as text. Directory sizes and times aside. */
function dump(at: string): string {
  const lines: string[] = []
  const visit = (path: string, shown: string): void => {
    const st = lstatSync(path)
    const what = st.isDirectory()
      ? ''
      : st.isSymbolicLink()
        ? ` -> ${readlinkSync(path)}`
        : st.isFile()
          ? ` ${JSON.stringify(readFileSync(path, 'latin1'))}`
          : ''
    lines.push(`${shown} ${st.mode.toString(8)} ${st.nlink} ${st.uid}:${st.gid}${what}`)
    if (st.isDirectory()) for (const name of readdirSync(path).sort()) visit(join(path, name), `${shown}/${name}`)
  }
  visit(at, '')
  return lines.join('\n')
}
function dumpGuest(guest: Guest): string {
  const lines: string[] = []
  guest.fproc.cred = ROOT
  const visit = (path: string, shown: string): void => {
    const st = guest.stat(path, 0x100)
    if (typeof st === 'number') throw new Error(`${path}: ${st}`)
    const type = st.mode & 0o170000
    const what =
      type === 0o120000
        ? ` -> ${guest.readlink(path)}`
        : type === 0o100000
          ? ` ${JSON.stringify(guest.readFile(path))}`
          : ''
    lines.push(`${shown} ${st.mode.toString(8)} ${st.nlink} ${st.uid}:${st.gid}${what}`)
    if (type === 0o040000)
      for (const name of guest.list(path, 64) as string[])
        visit(`${path}/${name}`.replace('//', '/'), `${shown}/${name}`)
  }
  visit('/', '')
  return lines.join('\n')
}

type Step =
  | { op: 'mkdir' | 'chmod' | 'access'; a: string; n: number }
  | { op: 'rmdir' | 'unlink' | 'stat' | 'lstat' | 'readlink' | 'list'; a: string }
  | { op: 'rename'; a: string; b: string; n: number }
  | { op: 'link' | 'symlink'; a: string; b: string }
  | { op: 'truncate' | 'chown' | 'mknod'; a: string; n: number }
  | { op: 'open'; a: string; n: number; text: string }
  | { op: 'user'; n: number }
const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'l', 'm', 'n']
const component = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom(...names) },
  { weight: 1, arbitrary: fc.constantFrom('.', 'a/..', 'l/..') },
)
const likely = fc.constantFrom(
  'a',
  'a/b',
  'a/b/c',
  'a/b/g',
  'a/f',
  'a/l',
  'd',
  'd/f',
  'd/h',
  'd/l',
  'd/m',
  'e',
  'f',
  'l',
  'l/g',
  'l/c',
  'a/n',
  'a/b/n',
  'd/n',
  'e/n',
  'n',
  'e/m',
  'm',
  'e/n/g',
  'n/b',
  'm/f',
)
const anyPath = fc.array(component, { minLength: 1, maxLength: 4 }).map(parts => parts.join('/'))
const stem = fc.oneof({ weight: 6, arbitrary: likely }, { weight: 1, arbitrary: anyPath })
const path = fc.tuple(stem, fc.constantFrom('', '', '', '', '', '', '', '', '/', '/.')).map(([text, end]) => text + end)
const openFlags = fc.constantFrom(
  0,
  1,
  2,
  0o100,
  0o101,
  0o301,
  0o1101,
  0o1002,
  0o2001,
  0o2102,
  0o200000,
  0o400000,
  0o1000,
  0o10000000,
  0o101 | 0o400000,
)
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ op: fc.constant('mkdir' as const), a: path, n: fc.constantFrom(0o777, 0o755, 0o2775, 0o1777, 0o700) }),
  fc.record({
    op: fc.constantFrom(
      'rmdir' as const,
      'unlink' as const,
      'stat' as const,
      'lstat' as const,
      'readlink' as const,
      'list' as const,
    ),
    a: path,
  }),
  fc.record({ op: fc.constantFrom('rename' as const), a: path, b: path, n: fc.constantFrom(0, 0, 0, 1, 2) }),
  fc.record({ op: fc.constantFrom('rename' as const), a: path, b: path, n: fc.constantFrom(0, 0, 0, 1, 2) }),
  fc.record({ op: fc.constant('link' as const), a: path, b: path }),
  fc.record({
    op: fc.constant('symlink' as const),
    a: fc.constantFrom('a', 'b/c', 'f', 'l', 'm', 'nowhere', './', 'n'),
    b: path,
  }),
  fc.record({ op: fc.constant('truncate' as const), a: path, n: fc.constantFrom(0, 3, 6000) }),
  fc.record({
    op: fc.constant('chmod' as const),
    a: path,
    n: fc.constantFrom(0o777, 0o644, 0o6755, 0o2755, 0o1755, 0o500, 0),
  }),
  fc.record({ op: fc.constant('access' as const), a: path, n: fc.integer({ min: 0, max: 7 }) }),
  fc.record({ op: fc.constant('chown' as const), a: path, n: fc.constantFrom(0, 1000, 1001, -1) }),
  fc.record({ op: fc.constant('mknod' as const), a: path, n: fc.constantFrom(0o010644, 0o100600, 0o140777, 0o040755) }),
  fc.record({
    op: fc.constant('open' as const),
    a: path,
    n: openFlags,
    text: fc.constantFrom('', 'new', 'some more', 'y'.repeat(80)),
  }),
  fc.record({ op: fc.constant('user' as const), n: fc.constantFrom(0, 1000) }),
)

const sign = (r: number): number => Math.min(r, 0)
/** The step natively, below `dir`. */
function native(dir: string, s: Step): unknown {
  const p = (text: string, at = 0): number => scratch.cstr(`${dir}/${WORK}/${text}`, at)
  switch (s.op) {
    case 'mkdir':
      return sys(NR.mkdir, p(s.a), s.n)
    case 'chmod':
      return sys(NR.chmod, p(s.a), s.n)
    case 'access':
      return sys(439, -100, p(s.a), s.n, 0x200) // AT_EACCESS: the test changes only the fs ids
    case 'rmdir':
      return sys(NR.rmdir, p(s.a))
    case 'unlink':
      return sys(NR.unlink, p(s.a))
    case 'stat':
      return attributes(sys(NR.stat, p(s.a), scratch.address + 20000))
    case 'lstat':
      return attributes(sys(NR.lstat, p(s.a), scratch.address + 20000))
    case 'readlink':
      return sign(sys(NR.readlink, p(s.a), scratch.address + 20000, 4096))
    case 'list': {
      const fd = sys(NR.open, p(s.a), 0o200000)
      if (fd < 0) return fd
      sys(NR.close, fd)
      return readdirSync(`${dir}/${WORK}/${s.a}`).sort()
    }
    case 'rename':
      return sys(NR.renameat2, -100, p(s.a), -100, p(s.b, 8192), s.n)
    case 'link':
      return sys(NR.link, p(s.a), p(s.b, 8192))
    case 'symlink':
      return sys(NR.symlink, scratch.cstr(s.a, 8192), p(s.b))
    case 'truncate':
      return sys(NR.truncate, p(s.a), s.n)
    case 'chown':
      return sys(NR.chown, p(s.a), s.n, s.n)
    case 'mknod':
      return sys(NR.mknod, p(s.a), s.n, 0)
    case 'open': {
      const fd = sys(NR.open, p(s.a), s.n | 0o4000, 0o666)
      if (fd < 0) return fd
      scratch.cstr(s.text, 20000)
      const n = sys(NR.write, fd, scratch.address + 20000, s.text.length)
      const pos = sys(NR.lseek, fd, 0, 1)
      sys(NR.close, fd)
      return [n, pos]
    }
    case 'user':
      nativeUser = s.n
      return 0
  }
}
/** The thread takes the ids on for the native call alone: the file server's own work is done as root. */
let nativeUser = 0
function nativeAs(dir: string, s: Step): unknown {
  sys(NR.setfsgid, nativeUser)
  sys(NR.setfsuid, nativeUser)
  const result = native(dir, s)
  sys(NR.setfsuid, 0)
  sys(NR.setfsgid, 0)
  return result
}
function attributes(r: number): unknown {
  if (r < 0) return r
  const v = scratch.view
  const dir = (v.getUint32(20024, true) & 0o170000) === 0o040000
  return [v.getUint32(20024, true), v.getUint32(20016, true), v.getUint32(20028, true), dir ? 0 : scratch.word(20048)]
}
function inGuest(guest: Guest, s: Step): unknown {
  switch (s.op) {
    case 'mkdir':
      return guest.call(FS.MKDIR, -100, s.a, s.n)
    case 'chmod':
      return guest.call(FS.CHMOD, -100, s.a, s.n, 0)
    case 'access':
      return guest.call(FS.ACCESS, -100, s.a, s.n, 0x200)
    case 'rmdir':
      return guest.call(FS.RMDIR, s.a)
    case 'unlink':
      return guest.call(FS.UNLINK, -100, s.a, 0)
    case 'stat':
    case 'lstat': {
      const st = guest.stat(s.a, s.op === 'stat' ? 0 : 0x100)
      return typeof st === 'number' ? st : [st.mode, st.nlink, st.uid, (st.mode & 0o170000) === 0o040000 ? 0 : st.size]
    }
    case 'readlink': {
      const text = guest.readlink(s.a)
      return typeof text === 'number' ? text : 0
    }
    case 'list':
      return guest.list(s.a)
    case 'rename':
      return guest.call(FS.RENAME, -100, s.a, -100, s.b, s.n)
    case 'link':
      return guest.call(FS.LINK, -100, s.a, -100, s.b, 0)
    case 'symlink':
      return guest.call(FS.SYMLINK, s.a, -100, s.b)
    case 'truncate':
      return guest.call(FS.TRUNCATE, s.a, s.n)
    case 'chown':
      return guest.call(FS.CHOWN, -100, s.a, s.n, s.n, 0)
    case 'mknod':
      return guest.call(FS.MKNOD, -100, s.a, s.n, 0)
    case 'open': {
      const fd = guest.open(s.a, s.n | 0o4000, 0o666)
      if (fd < 0) return fd
      const n = guest.write(fd, s.text)
      const pos = guest.call(FS.LSEEK, fd, 0, 1)
      guest.closeFd(fd)
      return [n, pos]
    }
    case 'user':
      guest.fproc.cred = s.n === 0 ? ROOT : user(s.n)
      return 0
  }
}

let base = ''
let before = ''
beforeAll(() => {
  sys(NR.umask, 0o022)
  chmodSync(top, 0o755)
  base = join(top, 'base')
  build(base)
  before = dump(base)
})
afterAll(() => rmSync(top, { recursive: true, force: true }))

type Kind = 'overlay' | 'bind' | 'memfs'
/** A guest whose root (overlay) or /mnt (the others) holds the tree; its working directory is WORK in it. */
function prepare(kind: Kind): Guest {
  const guest = new Guest(kind === 'overlay' ? base : top, ROOT, 16)
  if (kind === 'bind') {
    build(join(top, 'bound'))
    const fs = createBind({
      host: guest.host,
      hostPath: join(top, 'bound'),
      readOnly: false,
      store: guest.store,
      dev: 40,
      now: () => guest.state.sys.realtime(),
    })
    if (typeof fs === 'number') throw new Error(`bind: ${fs}`)
    mountAt(guest.state, '/mnt', fs)
  }
  if (kind === 'memfs') {
    guest.mountMemfs('/mnt')
    guest.call(FS.CHMOD, -100, '/mnt', 0o755, 0)
    buildInGuest(guest, '/mnt')
  }
  const at = kind === 'overlay' ? '/' : '/mnt'
  expect(guest.call(FS.CHDIR, at)).toBe(0)
  expect(guest.call(FS.CHROOT, '.')).toBe(0)
  expect(guest.call(FS.CHDIR, WORK)).toBe(0)
  return guest
}
/** build() by calls of the guest's. */
function buildInGuest(guest: Guest, at: string): void {
  const copyTree = (from: string, to: string): void => {
    for (const name of readdirSync(from)) {
      const st = lstatSync(join(from, name))
      const path = `${to}/${name}`
      if (st.isDirectory()) {
        guest.call(FS.MKDIR, -100, path, 0o755)
        copyTree(join(from, name), path)
      } else if (st.isSymbolicLink()) guest.call(FS.SYMLINK, readlinkSync(join(from, name)), -100, path)
      else if (name === 'h') guest.call(FS.LINK, -100, path.replace('d/h', 'a/f'), -100, path, 0)
      else guest.writeFile(path, readFileSync(join(from, name), 'latin1'))
      if (!st.isSymbolicLink()) guest.call(FS.CHMOD, -100, path, st.mode & 0o7777, 0)
    }
  }
  copyTree(base, at)
}

function compare(kind: Kind, steps: Step[]): void {
  const copy = join(top, 'native')
  build(copy)
  const guest = prepare(kind)
  nativeUser = 0
  try {
    for (const [i, s] of steps.entries()) expect([i, s, inGuest(guest, s)]).toEqual([i, s, nativeAs(copy, s)])
    expect(dumpGuest(guest)).toBe(dump(copy))
    if (kind === 'bind') expect(dump(join(top, 'bound'))).toBe(dump(copy))
  } finally {
    guest.close()
    rmSync(copy, { recursive: true, force: true })
    rmSync(join(top, 'bound'), { recursive: true, force: true })
  }
  expect(dump(base)).toBe(before)
}

test.skipIf(!isRoot).each<Kind>(['overlay', 'memfs', 'bind'])(
  'random calls on %s have the results they have on Linux',
  kind => {
    const numRuns = Number(process.env.MOL_RUNS ?? 100)
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 40 }), steps => compare(kind, steps)),
      { numRuns, seed: Number(process.env.MOL_SEED ?? 1) },
    )
  },
)
