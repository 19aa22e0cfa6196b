// The namespace piece by piece: what the random comparison (overlay.test.ts) doesn't reach.
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { E, errnoName } from '../../abi/errno.ts'
import { AT, O, RENAME, RESOLVE, S } from '../../abi/fcntl.ts'
import { int, long } from '../../abi/message.ts'
import { FS } from '../../protocol/fs.ts'
import { createBind } from './bind.ts'
import { workspaceChanges } from './changes.ts'
import { getFile } from './filedes.ts'
import { Guest, user } from './fixture.ts'
import type { OpenFile, Stat } from './inode.ts'
import { mountAt } from './mount.ts'

let base = ''
let guest: Guest
const host = (...parts: string[]): string => join(base, ...parts)
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'mol-base-'))
  chmodSync(base, 0o755)
  mkdirSync(host('dir/sub/deep'), { recursive: true })
  mkdirSync(host('private'), { mode: 0o700 })
  writeFileSync(host('dir/file'), 'lower data')
  writeFileSync(host('dir/sub/one'), '1')
  writeFileSync(host('private/secret'), 'secret')
  writeFileSync(host('program'), '#!/bin/sh\n', { mode: 0o755 })
  linkSync(host('dir/file'), host('dir/other'))
  symlinkSync('dir/file', host('link'))
  symlinkSync('/dir', host('dirlink'))
  symlinkSync('loop', host('loop'))
  symlinkSync('/', host('slash'))
  guest = new Guest(base)
})
afterEach(() => {
  guest.close()
  rmSync(base, { recursive: true, force: true })
})
const ok = (r: Stat | number): Stat => {
  if (typeof r === 'number') throw new Error(errnoName(-r))
  return r
}
const file = (fd: number): OpenFile => getFile(guest.fproc, fd) as OpenFile
const changes = (): string[] => [...workspaceChanges(guest.state)].map(c => `${c.kind} ${c.path}`).sort()

describe('errors of the walk', () => {
  const long255 = 'n'.repeat(255)
  const rows: [path: string, stat: number, lstat: number][] = [
    ['', -E.NOENT, -E.NOENT],
    ['/', 0, 0],
    ['//', 0, 0],
    ['/..', 0, 0],
    ['dir/../dir/./sub//', 0, 0],
    ['none', -E.NOENT, -E.NOENT],
    ['none/', -E.NOENT, -E.NOENT],
    ['none/x', -E.NOENT, -E.NOENT],
    ['dir/file/', -E.NOTDIR, -E.NOTDIR],
    ['dir/file/.', -E.NOTDIR, -E.NOTDIR],
    ['dir/file/..', -E.NOTDIR, -E.NOTDIR],
    ['dir/file/x', -E.NOTDIR, -E.NOTDIR],
    ['link/', -E.NOTDIR, -E.NOTDIR],
    ['link/x', -E.NOTDIR, -E.NOTDIR],
    ['dirlink/file', 0, 0],
    ['dirlink/', 0, 0],
    ['slash/slash/dir', 0, 0],
    ['slash', 0, 0],
    ['loop', -E.LOOP, 0],
    ['loop/', -E.LOOP, -E.LOOP],
    ['loop/x', -E.LOOP, -E.LOOP],
    [long255, -E.NOENT, -E.NOENT],
    [`${long255}n`, -E.NAMETOOLONG, -E.NAMETOOLONG],
    [`none/${long255}n`, -E.NOENT, -E.NOENT],
    ['/'.repeat(4095), 0, 0],
    ['/'.repeat(4096), -E.NAMETOOLONG, -E.NAMETOOLONG],
  ]
  const labelled = rows.map(
    ([path, ...rest]) =>
      [path.length > 40 ? `${path.slice(0, 20)}… (${path.length})` : `'${path}'`, path, ...rest] as const,
  )
  test.each(labelled)('%s', (_label, path, stat, lstat) => {
    const r = guest.stat(path)
    const l = guest.stat(path, AT.SYMLINK_NOFOLLOW)
    expect([typeof r === 'number' ? r : 0, typeof l === 'number' ? l : 0]).toEqual([stat, lstat])
  })
  test('at most 40 links', () => {
    guest.writeFile('end', '')
    for (let i = 0; i < 41; i++) guest.call(FS.SYMLINK, i === 0 ? 'end' : `s${i - 1}`, -100, `s${i}`)
    expect(typeof guest.stat('s39')).toBe('object')
    expect(guest.stat('s40')).toBe(-E.LOOP)
  })
  test('descriptors as starting points', () => {
    const dir = guest.open('dir', O.PATH)
    const regular = guest.open('dir/file', O.RDONLY)
    expect(ok(guest.stat('sub/one', 0, dir)).size).toBe(1)
    expect(guest.stat('sub', 0, regular)).toBe(-E.NOTDIR)
    expect(guest.stat('sub', 0, 99)).toBe(-E.BADF)
    expect(typeof guest.stat('/dir', 0, 99)).toBe('object')
    expect(ok(guest.stat('', AT.EMPTY_PATH, regular)).size).toBe(10)
    expect(guest.read(guest.open('one', 0, 0, guest.open('dir/sub', O.DIRECTORY)))).toBe('1')
  })
})

describe('permissions', () => {
  test('by the credentials of the guest', () => {
    guest.fproc.cred = user(1000)
    expect(guest.readFile('private/secret')).toBe(-E.ACCES)
    expect(guest.stat('private/none')).toBe(-E.ACCES)
    expect(guest.readFile('dir/file')).toBe('lower data')
    expect(guest.writeFile('dir/file', 'x')).toBe(-E.ACCES)
    expect(guest.writeFile('dir/new', 'x')).toBe(-E.ACCES)
    expect(guest.call(FS.UNLINK, -100, 'dir/file', 0)).toBe(-E.ACCES)
    expect(guest.call(FS.CHMOD, -100, 'dir/file', 0o777, 0)).toBe(-E.PERM)
    expect(guest.call(FS.CHROOT, 'dir')).toBe(-E.PERM)
    expect(guest.call(FS.MKNOD, -100, 'dir/null', S.IFCHR, 0x103)).toBe(-E.ACCES)
  })
  test('sticky directories', () => {
    guest.call(FS.MKDIR, -100, 'tmp', 0)
    guest.call(FS.CHMOD, -100, 'tmp', 0o1777, 0)
    guest.writeFile('tmp/roots', 'r')
    guest.fproc.cred = user(1000)
    expect(guest.writeFile('tmp/mine', 'm')).toBe(1)
    expect(guest.call(FS.UNLINK, -100, 'tmp/roots', 0)).toBe(-E.PERM)
    expect(guest.call(FS.RENAME, -100, 'tmp/roots', -100, 'tmp/x', 0)).toBe(-E.PERM)
    guest.fproc.cred = user(1001)
    guest.call(FS.SYMLINK, 'roots', -100, 'tmp/trap')
    guest.fproc.cred = user(1000)
    expect(guest.readFile('tmp/trap')).toBe(-E.ACCES)
    expect(guest.call(FS.UNLINK, -100, 'tmp/mine', 0)).toBe(0)
  })
  test('access asks with the real ids', () => {
    guest.fproc.cred = { ...user(1000), euid: 0, fsuid: 0, capabilities: 2 ** 41 - 1 }
    expect(guest.call(FS.ACCESS, -100, 'private/secret', 4, 0)).toBe(-E.ACCES)
    expect(guest.call(FS.ACCESS, -100, 'private/secret', 4, AT.EACCESS)).toBe(0)
    expect(guest.call(FS.ACCESS, -100, 'dir/file', 1, AT.EACCESS)).toBe(-E.ACCES)
    expect(guest.call(FS.ACCESS, -100, 'dir/file', 8, 0)).toBe(-E.INVAL)
  })
})

describe('open', () => {
  const rows: [string, path: string, flags: number, number][] = [
    ['creat of a directory', 'dir', O.CREAT | O.WRONLY, -E.ISDIR],
    ['creat with a slash', 'new/', O.CREAT | O.WRONLY, -E.ISDIR],
    ['creat of ..', 'dir/..', O.CREAT, -E.ISDIR],
    ['exclusive and there', 'dir/file', O.CREAT | O.EXCL, -E.EXIST],
    ['exclusive and a link', 'loop', O.CREAT | O.EXCL, -E.EXIST],
    ['write a directory', 'dir', O.RDWR, -E.ISDIR],
    ['directory wanted', 'dir/file', O.DIRECTORY, -E.NOTDIR],
    ['no link wanted', 'link', O.NOFOLLOW, -E.LOOP],
    ['no link, a directory wanted', 'dirlink', O.NOFOLLOW | O.DIRECTORY, -E.NOTDIR],
    ['creat and directory', 'x', O.CREAT | O.DIRECTORY, -E.INVAL],
    ['tmpfile read-only', 'dir', O.TMPFILE, -E.INVAL],
    ['nothing there', 'dir/none', O.RDWR, -E.NOENT],
    ['no directory there', 'none/new', O.CREAT | O.RDWR, -E.NOENT],
  ]
  test.each(rows)('%s', (_what, path, flags, expected) => expect(guest.open(path, flags)).toBe(expected))
  test('flags kept, lowest descriptor, EMFILE before the name is looked at', () => {
    expect(guest.open('dir/file', O.RDWR | O.APPEND | O.CLOEXEC)).toBe(0)
    expect(file(0).flags).toBe(O.RDWR | O.APPEND | O.LARGEFILE)
    expect(guest.fproc.table.cloexec[0]).toBe(true)
    expect(file(0).path).toBe('/dir/file')
    expect(guest.open('dirlink/../dir/file', O.PATH)).toBe(1)
    expect(file(1).path).toBe('/dir/file')
    guest.fproc.nofile = 2
    expect(guest.open('none', 0)).toBe(-E.MFILE)
  })
  test('a dangling link is created through, mode and umask apply', () => {
    guest.call(FS.SYMLINK, 'sub/made', -100, 'dir/dangling')
    const fd = guest.open('dir/dangling', O.CREAT | O.WRONLY, 0o777)
    expect(fd).toBeGreaterThanOrEqual(0)
    expect(ok(guest.stat('dir/sub/made')).mode).toBe(S.IFREG | 0o755)
    expect(guest.call(FS.UMASK, 0o077)).toBe(0o022)
    guest.writeFile('secret', '')
    expect(ok(guest.stat('secret')).mode & 0o777).toBe(0o600)
  })
  test('a file created without permissions can be written by its maker', () => {
    guest.call(FS.CHMOD, -100, 'dir', 0o777, 0)
    guest.fproc.cred = user(1000)
    const fd = guest.open('dir/locked', O.CREAT | O.RDWR, 0)
    expect(guest.write(fd, 'abc')).toBe(3)
    expect(guest.open('dir/locked', O.RDONLY)).toBe(-E.ACCES)
  })
  test('O_TMPFILE and a name for it', () => {
    const fd = guest.open('dir', O.TMPFILE | O.RDWR, 0o644)
    expect(guest.write(fd, 'temporary')).toBe(9)
    expect(ok(guest.fstat(fd)).nlink).toBe(0)
    expect(guest.call(FS.LINK, fd, '', -100, 'dir/named', AT.EMPTY_PATH)).toBe(0)
    guest.closeFd(fd)
    expect(guest.readFile('dir/named')).toBe('temporary')
    const inodes = guest.store.inodes
    guest.closeFd(guest.open('dir', O.TMPFILE | O.RDWR, 0o644))
    expect(guest.store.inodes).toBe(inodes)
  })
  test('openat2', () => {
    const how = (flags: number, mode: number, resolve: number): readonly [number, number] => {
      const v = guest.view
      for (let i = 0; i < 24; i += 4) v.setInt32(0x6000 + i, 0, true)
      v.setInt32(0x6000, flags, true)
      v.setInt32(0x6008, mode, true)
      v.setInt32(0x6010, resolve, true)
      return [0x6000, 24]
    }
    const open2 = (path: string, flags: number, mode: number, resolve: number): number =>
      guest.call(FS.OPENAT2, -100, path, how(flags, mode, resolve), 24)
    expect(open2('dir/file', 0, 0, 0)).toBe(0)
    expect(open2('dir/file', 1 << 30, 0, 0)).toBe(-E.INVAL)
    expect(open2('dir/file', 0, 0o644, 0)).toBe(-E.INVAL)
    expect(open2('link', 0, 0, RESOLVE.NO_SYMLINKS)).toBe(-E.LOOP)
    expect(open2('/dir', 0, 0, RESOLVE.BENEATH)).toBe(-E.XDEV)
    expect(open2('dirlink', 0, 0, RESOLVE.BENEATH)).toBe(-E.XDEV)
    expect(open2('..', 0, 0, RESOLVE.BENEATH)).toBe(-E.XDEV)
    guest.call(FS.CHDIR, 'dir')
    guest.call(FS.SYMLINK, '/sub/one', -100, 'jail')
    expect(open2('jail', 0, 0, RESOLVE.IN_ROOT)).toBe(1)
    expect(open2('../../../file', 0, 0, RESOLVE.IN_ROOT)).toBe(2)
    expect(guest.call(FS.OPENAT2, -100, 'file', [0x6000, 8], 8)).toBe(-E.INVAL)
  })
})

describe('copy on write', () => {
  test('an open file follows its inode; the number stays; the base stays', () => {
    const reader = guest.open('dir/file', O.RDONLY)
    const { ino } = ok(guest.fstat(reader))
    const writer = guest.open('dir/file', O.RDWR)
    expect(guest.write(writer, 'UPPER')).toBe(5)
    expect(guest.read(reader)).toBe('UPPER data')
    expect(ok(guest.fstat(reader)).ino).toBe(ino)
    expect(guest.readFile('dir/other')).toBe('UPPER data')
    expect(ok(guest.stat('dir/other')).ino).toBe(ino)
    expect(readFileSync(host('dir/file'), 'utf8')).toBe('lower data')
  })
  test('a change of attributes copies no data', () => {
    expect(guest.call(FS.CHMOD, -100, 'dir/file', 0o600, 0)).toBe(0)
    expect(guest.call(FS.CHOWN, -100, 'dir/file', 7, 8, 0)).toBe(0)
    expect(guest.store.bytes).toBe(0)
    const st = ok(guest.stat('dir/other'))
    expect([st.mode & 0o777, st.uid, st.gid, st.size]).toEqual([0o600, 7, 8, 10])
    expect(guest.readFile('dir/file')).toBe('lower data')
    const fd = guest.open('dir/file', O.WRONLY | O.TRUNC)
    expect(guest.write(fd, 'new')).toBe(3)
    expect(guest.store.bytes).toBe(3)
  })
  test('an unlinked open file lives on, and its data end with it', () => {
    const lower = guest.open('dir/sub/one', O.RDONLY)
    expect(guest.call(FS.UNLINK, -100, 'dir/sub/one', 0)).toBe(0)
    expect(guest.read(lower)).toBe('1')
    expect(ok(guest.fstat(lower)).nlink).toBe(0)
    expect(guest.stat('dir/sub/one')).toBe(-E.NOENT)
    const fd = guest.open('dir/own', O.CREAT | O.RDWR)
    guest.write(fd, 'own data')
    guest.call(FS.UNLINK, -100, 'dir/own', 0)
    expect(guest.store.bytes).toBe(8)
    expect(ok(guest.fstat(fd)).size).toBe(8)
    guest.closeFd(fd)
    expect([guest.store.bytes, guest.store.inodes]).toEqual([0, 0])
  })
  test('a directory of the base can be renamed and goes on being read through', () => {
    const inside = guest.open('dir/sub', O.DIRECTORY)
    expect(guest.call(FS.RENAME, -100, 'dir', -100, 'moved', 0)).toBe(0)
    expect(guest.readFile('moved/sub/one')).toBe('1')
    expect(guest.list('moved')).toEqual(['file', 'other', 'sub'])
    expect(guest.stat('dir')).toBe(-E.NOENT)
    expect(guest.call(FS.MKDIR, -100, 'dir', 0o755)).toBe(0)
    expect(guest.list('dir')).toEqual([])
    expect(guest.call(FS.FCHDIR, inside)).toBe(0)
    expect(guest.cwd()).toBe('/moved/sub')
    expect([file(inside).path, guest.fproc.context.cwdPath]).toEqual(['/moved/sub', '/moved/sub'])
    writeFileSync(host('dir/sub/late'), 'appeared on the host')
    expect(guest.readFile('late')).toBe('appeared on the host')
    expect(changes()).toEqual([
      'A /dir',
      'A /moved',
      'A /moved/file',
      'A /moved/other',
      'A /moved/sub',
      'A /moved/sub/deep',
      'A /moved/sub/late',
      'A /moved/sub/one',
      'D /dir',
    ])
  })
  test('exchange and whiteouts', () => {
    const first = guest.open('dir/file', O.RDONLY)
    const second = guest.open('program', O.RDONLY)
    expect(guest.call(FS.RENAME, -100, 'dir/file', -100, 'program', RENAME.EXCHANGE)).toBe(0)
    expect([file(first).path, file(second).path]).toEqual(['/program', '/dir/file'])
    expect(guest.readFile('program')).toBe('lower data')
    expect(guest.readFile('dir/file')).toBe('#!/bin/sh\n')
    guest.call(FS.UNLINK, -100, 'dir/file', 0)
    expect(guest.list('dir')).toEqual(['other', 'sub'])
    guest.writeFile('dir/file', 'again')
    expect(guest.list('dir')).toEqual(['file', 'other', 'sub'])
    guest.call(FS.UNLINK, -100, 'dir/file', 0)
    expect(guest.stat('dir/file')).toBe(-E.NOENT)
  })
  test('what changed', () => {
    guest.call(FS.CHMOD, -100, 'program', 0o700, 0)
    guest.writeFile('dir/sub/two', '2')
    guest.call(FS.UNLINK, -100, 'link', 0)
    guest.call(FS.MKDIR, -100, 'fresh', 0o755)
    guest.writeFile('fresh/f', '')
    expect(changes()).toEqual(['A /dir/sub/two', 'A /fresh', 'A /fresh/f', 'D /link', 'M /dir/sub', 'M /program'])
  })
  test('big and sparse files', () => {
    const big = 'b'.repeat(300_000)
    writeFileSync(host('big'), big)
    const fd = guest.open('big', O.RDWR)
    expect(guest.call(FS.PWRITE64, fd, [0x10000, 1], 1, 299_999)).toBe(1)
    expect((guest.readFile('big') as string).length).toBe(300_000)
    expect((guest.readFile('big') as string).slice(0, 1000)).toBe(big.slice(0, 1000))
    const hole = guest.open('hole', O.CREAT | O.RDWR)
    expect(guest.call(FS.FTRUNCATE, hole, 1 << 30)).toBe(0)
    expect(ok(guest.fstat(hole)).size).toBe(1 << 30)
    expect(ok(guest.fstat(hole)).blocks).toBe(0)
    expect(guest.store.bytes).toBe(300_000)
  })
  test('limits of the workspace', () => {
    guest.store.maxBytes = 10
    const fd = guest.open('full', O.CREAT | O.RDWR)
    expect(guest.write(fd, 'x'.repeat(12))).toBe(10)
    expect(guest.write(fd, 'x')).toBe(-E.NOSPC)
    guest.call(FS.UNLINK, -100, 'full', 0)
    guest.closeFd(fd)
    guest.store.maxInodes = 1
    expect(guest.call(FS.MKDIR, -100, 'one', 0o755)).toBe(0)
    expect(guest.call(FS.MKDIR, -100, 'two', 0o755)).toBe(-E.NOSPC)
    expect(guest.call(FS.RMDIR, 'one')).toBe(0)
    expect(guest.call(FS.MKDIR, -100, 'two', 0o755)).toBe(0)
  })
  test('what a guest may map: nothing that lets it write what it may not', () => {
    const fd = guest.open('dir/file', O.RDWR)
    const reading = file(fd).ops.hostFile?.(file(fd), false) ?? -1
    expect(guest.host.pwrite(reading, 0x10000, 1, 0)).toBe(-E.BADF)
    const writing = file(fd).ops.hostFile?.(file(fd), true) ?? -1
    expect(guest.host.pwrite(writing, 0x10000, 1, 0)).toBe(1)
    const again = file(fd).ops.hostFile?.(file(fd), false) ?? -1
    expect(guest.host.pwrite(again, 0x10000, 1, 0)).toBe(-E.BADF)
    expect(readFileSync(host('dir/file'), 'utf8')).toBe('lower data')
  })
  test('reading leaves no trace in the base', () => {
    const old = new Date(1e12)
    utimesSync(host('dir/file'), old, old)
    utimesSync(host('dir'), old, old)
    expect(guest.readFile('dir/file')).toBe('lower data')
    expect(guest.list('dir')).toEqual(['file', 'other', 'sub'])
    expect([statSync(host('dir/file')).atimeMs, statSync(host('dir')).atimeMs]).toEqual([1e12, 1e12])
  })
  test('an unlinked file gets no new name', () => {
    const fd = guest.open('dir/own', O.CREAT | O.RDWR)
    guest.call(FS.UNLINK, -100, 'dir/own', 0)
    expect(guest.call(FS.LINK, fd, '', -100, 'dir/again', AT.EMPTY_PATH)).toBe(-E.NOENT)
  })
  test('set-user-ID goes when others write', () => {
    guest.call(FS.CHMOD, -100, 'program', 0o6777, 0)
    guest.fproc.cred = user(1000)
    const fd = guest.open('program', O.WRONLY)
    guest.write(fd, '!')
    expect(ok(guest.stat('program')).mode & 0o7777).toBe(0o777)
  })
})

describe('the host goes on living', () => {
  test('files appear, change, are replaced and vanish', () => {
    expect(guest.stat('dir/late')).toBe(-E.NOENT)
    writeFileSync(host('dir/late'), 'one')
    expect(guest.readFile('dir/late')).toBe('one')
    writeFileSync(host('dir/late'), 'longer')
    expect(ok(guest.stat('dir/late')).size).toBe(6)
    const fd = guest.open('dir/late', O.RDONLY)
    writeFileSync(host('dir/late2'), 'replacement')
    renameSync(host('dir/late2'), host('dir/late'))
    expect(guest.readFile('dir/late')).toBe('replacement')
    expect(guest.read(fd)).toBe('longer')
    rmSync(host('dir/late'))
    expect(guest.stat('dir/late')).toBe(-E.NOENT)
  })
  test('a directory with changes in it vanishes below', () => {
    guest.writeFile('dir/sub/kept', 'kept')
    rmSync(host('dir'), { recursive: true })
    guest.state.sys.realtime = () => Date.now() + 5000
    expect(guest.readFile('dir/sub/kept')).toBe('kept')
    expect(guest.stat('dir/file')).toBe(-E.NOENT)
  })
  test('links put in our way are not followed on the host', () => {
    expect(guest.list('dir/sub')).toEqual(['deep', 'one'])
    renameSync(host('dir/sub'), host('dir/gone'))
    symlinkSync('/etc', host('dir/sub'))
    const st = guest.stat('dir/sub', AT.SYMLINK_NOFOLLOW)
    expect(ok(st).mode & S.IFMT).toBe(S.IFLNK)
    expect(guest.readFile('dir/sub/passwd')).toBe(-E.NOENT) // /etc of the machine, which has none
  })
})

describe('directories', () => {
  test('removing while reading, in small pieces', () => {
    mkdirSync(host('many'))
    for (let i = 0; i < 100; i++) writeFileSync(host('many', `low${i}`), '')
    for (let i = 0; i < 100; i++) guest.writeFile(`many/own${i}`, '')
    const fd = guest.open('many', O.DIRECTORY)
    const seen = new Set<string>()
    for (;;) {
      const n = guest.call(FS.GETDENTS64, fd, [0x10000, 200], 200)
      expect(n).toBeGreaterThanOrEqual(0)
      if (n === 0) break
      const names: string[] = []
      for (let p = 0x10000; p < 0x10000 + n; p += guest.view.getUint16(p + 16, true))
        names.push(guest.text(p + 19, 8).split('\0')[0] as string)
      for (const name of names.filter(x => !x.startsWith('.'))) {
        expect(seen.has(name)).toBe(false)
        seen.add(name)
        expect(guest.call(FS.UNLINK, -100, `many/${name}`, 0)).toBe(0)
      }
    }
    expect(seen.size).toBe(200)
    expect(guest.call(FS.RMDIR, 'many')).toBe(0)
    expect(readdirSync(host('many')).length).toBe(100)
  })
  test('getdents64 at its edges', () => {
    const fd = guest.open('dir', O.DIRECTORY)
    expect(guest.call(FS.GETDENTS64, fd, [0x10000, 10], 10)).toBe(-E.INVAL)
    expect(guest.call(FS.GETDENTS64, guest.open('dir/file', 0), [0x10000, 100], 100)).toBe(-E.NOTDIR)
    expect(guest.call(FS.READ, fd, [0x10000, 10], 10)).toBe(-E.ISDIR)
    guest.call(FS.MKDIR, -100, 'gone', 0o755)
    const gone = guest.open('gone', O.DIRECTORY)
    guest.call(FS.RMDIR, 'gone')
    expect(guest.call(FS.GETDENTS64, gone, [0x10000, 100], 100)).toBe(-E.NOENT)
  })
  test('where we are', () => {
    expect(guest.call(FS.CHDIR, 'dirlink/sub/deep')).toBe(0)
    expect(guest.cwd()).toBe('/dir/sub/deep')
    expect(guest.call(FS.GETCWD, [0x10000, 13], 13)).toBe(-E.RANGE)
    expect(guest.call(FS.RENAME, -100, '/dir/sub', -100, '/elsewhere', 0)).toBe(0)
    expect(guest.cwd()).toBe('/elsewhere/deep')
    expect(guest.call(FS.RMDIR, '../deep')).toBe(0)
    expect(guest.cwd()).toBe(-E.NOENT)
    expect(guest.open('x', O.CREAT | O.RDWR)).toBe(-E.NOENT)
    expect(guest.call(FS.CHDIR, '..')).toBe(0)
    expect(guest.cwd()).toBe('/elsewhere')
    expect(guest.call(FS.CHDIR, '/dir/file')).toBe(-E.NOTDIR)
  })
  test('chroot', () => {
    guest.call(FS.CHDIR, '/dir/sub')
    expect(guest.call(FS.CHROOT, '/dir')).toBe(0)
    expect(guest.cwd()).toBe('/sub')
    expect(guest.readFile('/file')).toBe('lower data')
    expect(guest.readFile('/../../file')).toBe('lower data')
    guest.call(FS.CHDIR, '/')
    expect(guest.call(FS.CHDIR, '..')).toBe(0)
    expect(guest.cwd()).toBe('/')
  })
})

describe('mounts', () => {
  test('a directory with a mount in it is renamed', () => {
    expect(guest.mountMemfs('/dir/sub/mnt')).toBe(0)
    guest.writeFile('/dir/sub/mnt/f', 'x')
    expect(guest.call(FS.RENAME, -100, 'dir', -100, 'd', 0)).toBe(0)
    expect(guest.readFile('/d/sub/mnt/f')).toBe('x')
    expect(guest.state.mounts.map(m => m.path)).toEqual(['/', '/d/sub/mnt'])
    expect(guest.call(FS.UMOUNT, '/d/sub/mnt', 0)).toBe(0)
  })
  test('a tmpfs of the machine', () => {
    expect(guest.mountMemfs('/tmp')).toBe(0)
    expect(guest.mountMemfs('/dir/sub/new/er')).toBe(0)
    expect(changes()).toEqual([])
    guest.writeFile('/tmp/f', 'volatile')
    expect(guest.readFile('/tmp/../tmp/f')).toBe('volatile')
    expect(guest.call(FS.RMDIR, '/tmp')).toBe(-E.BUSY)
    expect(guest.call(FS.RENAME, -100, '/tmp', -100, '/t', 0)).toBe(-E.BUSY)
    expect(guest.call(FS.RENAME, -100, '/tmp/f', -100, '/f', 0)).toBe(-E.XDEV)
    expect(guest.call(FS.LINK, -100, '/tmp/f', -100, '/f', 0)).toBe(-E.XDEV)
    guest.call(FS.CHDIR, '/tmp')
    expect(guest.cwd()).toBe('/tmp')
    expect(ok(guest.stat('.')).dev).not.toBe(ok(guest.stat('..')).dev)
  })
  test('mount and umount by root alone', () => {
    const mount = (source: string, target: string, type: string, flags = 0): number => {
      const put = (at: number, text: string): readonly [number, number] => {
        for (let i = 0; i < text.length; i++) guest.mem[at + i] = text.charCodeAt(i)
        return [at, text.length]
      }
      return guest.call(FS.MOUNT, put(0x7000, source), put(0x7200, target), put(0x7400, type), flags, [0, 0])
    }
    expect(mount('none', 'dir', 'tmpfs')).toBe(0)
    expect(guest.list('dir')).toEqual([])
    guest.writeFile('dir/x', 'in tmpfs')
    const fd = guest.open('dir/x', 0)
    expect(guest.call(FS.UMOUNT, 'dir', 0)).toBe(-E.BUSY)
    guest.closeFd(fd)
    expect(guest.store.bytes).toBe(8)
    expect(guest.call(FS.UMOUNT, 'dir', 0)).toBe(0)
    expect(guest.store.bytes).toBe(0)
    expect(guest.readFile('dir/file')).toBe('lower data')
    expect(guest.call(FS.UMOUNT, 'dir', 0)).toBe(-E.INVAL)
    guest.call(FS.MKDIR, -100, 'here', 0o755)
    expect(mount('dir/sub', 'here', '', 4096)).toBe(0)
    expect(guest.readFile('here/one')).toBe('1')
    guest.call(FS.CHDIR, 'here/deep')
    expect(guest.cwd()).toBe('/here/deep')
    guest.call(FS.CHDIR, '../..')
    expect(guest.cwd()).toBe('/')
    expect(guest.call(FS.UMOUNT, 'here', 0)).toBe(0)
    expect(mount('none', 'none', 'tmpfs')).toBe(-E.NOENT)
    expect(mount('none', 'dir', 'ext4')).toBe(-E.NODEV)
    guest.fproc.cred = user(1000)
    expect(mount('none', 'dir', 'tmpfs')).toBe(-E.PERM)
    expect(guest.call(FS.UMOUNT, '/', 0)).toBe(-E.PERM)
  })
})

describe('binds', () => {
  const bind = (hostPath: string, at: string, readOnly: boolean): void => {
    const fs = createBind({
      host: guest.host,
      hostPath,
      readOnly,
      store: guest.store,
      dev: 40,
      now: () => guest.state.sys.realtime(),
    })
    if (typeof fs === 'number') throw new Error(errnoName(-fs))
    expect(mountAt(guest.state, at, fs)).toBe(0)
  }
  let outside = ''
  beforeEach(() => {
    outside = mkdtempSync(join(tmpdir(), 'mol-bind-'))
    writeFileSync(join(outside, 'f'), 'bound')
  })
  afterEach(() => rmSync(outside, { recursive: true, force: true }))

  test('write through', () => {
    bind(outside, '/mnt/data', false)
    expect(guest.readFile('/mnt/data/f')).toBe('bound')
    expect(guest.writeFile('/mnt/data/f', 'by the guest')).toBe(12)
    expect(readFileSync(join(outside, 'f'), 'utf8')).toBe('by the guest')
    expect(guest.call(FS.MKDIR, -100, '/mnt/data/d', 0o700)).toBe(0)
    expect(guest.writeFile('/mnt/data/d/n', 'new', 0o640)).toBe(3)
    expect(statSync(join(outside, 'd/n')).mode & 0o777).toBe(0o640)
    expect(guest.call(FS.CHMOD, -100, '/mnt/data/d/n', 0o4755, 0)).toBe(0)
    expect(statSync(join(outside, 'd/n')).mode & 0o7777).toBe(0o4755)
    expect(guest.call(FS.SYMLINK, 'n', -100, '/mnt/data/d/l')).toBe(0)
    expect(readlinkSync(join(outside, 'd/l'))).toBe('n')
    expect(guest.call(FS.LINK, -100, '/mnt/data/d/n', -100, '/mnt/data/h', 0)).toBe(0)
    expect(ok(guest.stat('/mnt/data/h')).nlink).toBe(2)
    expect(guest.call(FS.RENAME, -100, '/mnt/data/d', -100, '/mnt/data/e', 0)).toBe(0)
    expect(guest.readFile('/mnt/data/e/l')).toBe('new')
    expect(guest.call(FS.RMDIR, '/mnt/data/e')).toBe(-E.NOTEMPTY)
    expect(guest.call(FS.TRUNCATE, '/mnt/data/h', 1)).toBe(0)
    expect(guest.readFile('/mnt/data/e/n')).toBe('n')
    expect(guest.list('/mnt/data')).toEqual(['e', 'f', 'h'])
    expect(guest.store.bytes).toBe(0)
    expect(changes()).toEqual([])
  })
  test('an unlinked open file keeps its descriptor', () => {
    bind(outside, '/mnt', false)
    const fd = guest.open('/mnt/f', O.RDWR)
    expect(guest.call(FS.UNLINK, -100, '/mnt/f', 0)).toBe(0)
    for (let i = 0; i < 20; i++) guest.closeFd(guest.open('dir/file', 0))
    expect(guest.read(fd)).toBe('bound')
    expect(guest.write(fd, '!')).toBe(1)
    expect(ok(guest.fstat(fd)).nlink).toBe(0)
    guest.closeFd(fd)
  })
  test('read only', () => {
    bind(outside, '/mnt', true)
    expect(guest.readFile('/mnt/f')).toBe('bound')
    expect(guest.open('/mnt/f', O.RDWR)).toBe(-E.ROFS)
    expect(guest.open('/mnt/new', O.CREAT | O.RDWR)).toBe(-E.ROFS)
    expect(guest.call(FS.UNLINK, -100, '/mnt/f', 0)).toBe(-E.ROFS)
    expect(guest.call(FS.CHMOD, -100, '/mnt/f', 0, 0)).toBe(-E.ROFS)
    expect(guest.call(FS.ACCESS, -100, '/mnt/f', 2, 0)).toBe(-E.ROFS)
    expect(guest.call(FS.MKDIR, -100, '/mnt/d', 0o777)).toBe(-E.ROFS)
  })
  test('one file', () => {
    bind(join(outside, 'f'), '/etc/hosts', false)
    expect(guest.readFile('/etc/hosts')).toBe('bound')
    expect(guest.writeFile('/etc/hosts', 'changed')).toBe(7)
    expect(readFileSync(join(outside, 'f'), 'utf8')).toBe('changed')
    expect(guest.call(FS.UNLINK, -100, '/etc/hosts', 0)).toBe(-E.BUSY)
  })
  test('what is not there', () => {
    const r = createBind({
      host: guest.host,
      hostPath: join(outside, 'none'),
      readOnly: false,
      store: guest.store,
      dev: 41,
      now: Date.now,
    })
    expect(r).toBe(-E.NOENT)
  })
})

describe('executables', () => {
  test('found, read, mapped, named, closed', () => {
    guest.call(FS.CHMOD, -100, 'program', 0o6755, 0)
    guest.call(FS.CHOWN, -100, 'program', 5, 6, 0)
    guest.call(FS.CHMOD, -100, 'program', 0o6755, 0)
    const handle = guest.call(FS.EXECOPEN, -100, '/dir/../program', 0)
    expect(handle).toBe(0)
    expect([int(guest.m, 1), int(guest.m, 2), long(guest.m, 3)]).toEqual([5, 6, 10])
    expect(guest.call(FS.EXECREAD, handle, [0x10000, 100], 100, 2)).toBe(8)
    expect(guest.text(0x10000, 7)).toBe('/bin/sh')
    expect(guest.call(FS.EXECMAP, handle)).toBeGreaterThan(2)
    expect(guest.call(FS.EXECPATH, handle, [0x10000, 4096])).toBe(8)
    expect(guest.text(0x10000, 8)).toBe('/program')
    expect(guest.call(FS.EXECCLOSE, handle)).toBe(0)
    expect(guest.call(FS.EXECREAD, handle, [0x10000, 100], 100, 2)).toBe(-E.BADF)
  })
  const rows: [string, path: string, number][] = [
    ['not there', 'none', -E.NOENT],
    ['a directory', 'dir', -E.ACCES],
    ['not executable', 'dir/file', -E.ACCES],
    ['below a file', 'program/x', -E.NOTDIR],
    ['a loop', 'loop', -E.LOOP],
  ]
  test.each(rows)('%s', (_what, path, expected) => expect(guest.call(FS.EXECOPEN, -100, path, 0)).toBe(expected))
  test('text file busy', () => {
    const fd = guest.open('program', O.WRONLY)
    expect(guest.call(FS.EXECOPEN, -100, 'program', 0)).toBe(-E.TXTBSY)
    guest.closeFd(fd)
    expect(guest.call(FS.EXECOPEN, -100, 'program', 0)).toBe(0)
  })
})

describe('extended attributes', () => {
  const at = (offset: number, text: string): readonly [number, number] => {
    for (let i = 0; i < text.length; i++) guest.mem[offset + i] = text.charCodeAt(i)
    return [offset, text.length]
  }
  const set = (path: string, name: string, value: string, flags = 0): number =>
    guest.call(FS.SETXATTR, path, at(0x7000, name), at(0x7200, value), value.length, flags, 1)
  const get = (path: string, name: string): string | number => {
    const n = guest.call(FS.GETXATTR, path, at(0x7000, name), [0x10000, 100], 100, 1)
    return n < 0 ? n : guest.text(0x10000, n)
  }
  test('set, get, list, remove', () => {
    expect(get('dir/file', 'user.x')).toBe(-E.NODATA)
    expect(set('dir/file', 'user.x', 'value')).toBe(0)
    expect(set('dir/file', 'user.x', 'other', 1)).toBe(-E.EXIST)
    expect(set('dir/file', 'user.y', 'other', 2)).toBe(-E.NODATA)
    expect(get('dir/other', 'user.x')).toBe('value')
    expect(guest.call(FS.GETXATTR, 'dir/file', at(0x7000, 'user.x'), [0x10000, 2], 2, 1)).toBe(-E.RANGE)
    expect(guest.call(FS.GETXATTR, 'dir/file', at(0x7000, 'user.x'), [0, 0], 0, 1)).toBe(5)
    expect(guest.call(FS.LISTXATTR, 'dir/file', [0x10000, 100], 100, 1)).toBe(7)
    expect(guest.call(FS.REMOVEXATTR, 'dir/file', at(0x7000, 'user.x'), 1)).toBe(0)
    expect(get('dir/file', 'user.x')).toBe(-E.NODATA)
    expect(set('dir/file', 'system.posix_acl_access', 'x')).toBe(-E.OPNOTSUPP)
    expect(set('dir/file', 'nonsense', 'x')).toBe(-E.OPNOTSUPP)
    guest.fproc.cred = user(1000)
    expect(set('dir/file', 'user.x', 'value')).toBe(-E.ACCES)
    expect(set('dir/file', 'trusted.x', 'value')).toBe(-E.PERM)
    expect(get('dir/file', 'trusted.x')).toBe(-E.NODATA)
  })
})

describe('times', () => {
  const times = (a: number, aNs: number, m: number, mNs: number): readonly [number, number] => {
    for (const [i, v] of [a, aNs, m, mNs].entries()) {
      guest.view.setUint32(0x6000 + 8 * i, v, true)
      guest.view.setUint32(0x6004 + 8 * i, 0, true)
    }
    return [0x6000, 32]
  }
  const NOW = 0x3fffffff
  const OMIT = 0x3ffffffe
  test('utimensat in its forms', () => {
    expect(guest.call(FS.UTIME, -100, 'dir/file', times(1000, 5, 2000, 6), 0, 0)).toBe(0)
    let st = ok(guest.stat('dir/file'))
    expect([st.atime, st.atimeNs, st.mtime, st.mtimeNs]).toEqual([1000, 5, 2000, 6])
    expect(guest.call(FS.UTIME, -100, 'dir/file', times(3000, 7, 1, 8), 0, 1)).toBe(0)
    st = ok(guest.stat('dir/file'))
    expect([st.atime, st.atimeNs, st.mtime, st.mtimeNs]).toEqual([3000, 7000, 1, 8000])
    expect(guest.call(FS.UTIME, -100, 'dir/file', times(0, OMIT, 9, 0), 0, 0)).toBe(0)
    expect([ok(guest.stat('dir/file')).atime, ok(guest.stat('dir/file')).mtime]).toEqual([3000, 9])
    expect(guest.call(FS.UTIME, -100, 'none', times(0, OMIT, 0, OMIT), 0, 0)).toBe(0)
    expect(guest.call(FS.UTIME, -100, 'dir/file', times(0, 1e9, 0, 0), 0, 0)).toBe(-E.INVAL)
    const fd = guest.open('dir/file', O.RDONLY)
    expect(guest.call(FS.UTIME, fd, [0, 0], times(77, 0, 88, 0), 0, 0)).toBe(0)
    expect(ok(guest.stat('dir/file')).mtime).toBe(88)
    guest.fproc.cred = user(1000)
    expect(guest.call(FS.UTIME, -100, 'dir/file', times(1, 0, 1, 0), 0, 0)).toBe(-E.PERM)
    expect(guest.call(FS.UTIME, -100, 'dir/file', times(0, NOW, 0, NOW), 0, 0)).toBe(-E.ACCES)
    expect(guest.call(FS.UTIME, -100, 'dir/file', [0, 0], 0, 0)).toBe(-E.ACCES)
  })
  test('changes leave their mark', () => {
    const before = ok(guest.stat('dir'))
    guest.writeFile('dir/new', '')
    const after = ok(guest.stat('dir'))
    expect(after.mtime * 1e9 + after.mtimeNs).toBeGreaterThan(before.mtime * 1e9 + before.mtimeNs)
    expect(after.ino).toBe(before.ino)
    const st = ok(guest.stat('dir/new'))
    expect(Math.abs(st.mtime - Date.now() / 1000)).toBeLessThan(5)
  })
})
