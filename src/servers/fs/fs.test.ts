import { expect, test } from 'vitest'
import { A, World } from '../../../test/support/fs-world.ts'
import { E } from '../../abi/errno.ts'
import { makedev, O, S } from '../../abi/fcntl.ts'
import { EP } from '../../abi/message.ts'
import { CDEV } from '../../protocol/cdev.ts'
import { COMMON_CALL } from '../../protocol/common.ts'
import { FS } from '../../protocol/fs.ts'
import { PM } from '../../protocol/pm.ts'

test('every call of the protocol has a handler', () => {
  const { calls } = new World().server
  const missing = Object.entries({ ...FS, ...COMMON_CALL }).filter(
    ([name, type]) => calls[type] === undefined && name !== 'DONE', // to who has asked for an errand
  )
  expect(missing.map(([name]) => name)).toEqual([])
})

test('device numbers nobody serves', () => {
  const w = new World()
  const node = (name: string, type: number, major: number, minor: number) =>
    w.call(FS.MKNOD, A, [-100, w.path(`/tmp/${name}`), type | 0o666, makedev(major, minor)])
  node('serial', S.IFCHR, 4, 64)
  node('memory', S.IFCHR, 1, 1)
  node('disk', S.IFBLK, 8, 0)
  node('socket', S.IFSOCK, 0, 0)
  const results = ['serial', 'memory', 'disk', 'socket'].map(name => w.open(A, `/tmp/${name}`, O.RDWR))
  expect(results).toEqual([-E.NXIO, -E.NXIO, -E.NXIO, -E.NXIO])
})

test('a pty has a name as long as its master is open', () => {
  const w = new World()
  w.sys.stub(EP.TTY, {
    [CDEV.IOCTL]: m => {
      w.sys.view.setUint32(m[8] as number, 5, true)
      return 0
    },
  })
  const master = w.open(A, '/dev/ptmx', O.RDWR | O.NOCTTY) as number
  const again = w.call(FS.DUP, A, [master])
  expect(w.open(A, '/dev/pts/5', O.RDWR | O.NOCTTY)).toBe(again + 1)
  const peer = w.call(FS.IOCTL, A, [master, 0x5441, O.RDWR, null])
  expect(w.readlink(A, `/proc/self/fd/${peer}`)).toBe('/dev/pts/5')
  w.close(A, master)
  expect(w.open(A, '/dev/pts/5', O.RDWR)).toBe(master)
  w.close(A, again)
  expect(w.open(A, '/dev/pts/5', O.RDWR)).toBe(-E.NOENT)
})

test('a signalfd gives what PM has, waits, and is polled for who polls', () => {
  const w = new World()
  let pending = 0
  w.sys.stub(EP.PM, {
    [PM.SIGTAKE]: m => {
      const signo = pending
      if (m[7] === 0) return signo === 0 ? 0 : 1
      pending = 0
      const at = m[6] as number
      for (const [k, value] of [signo, 0, 0, 0, 77, 1000].entries()) w.sys.view.setInt32(at + 4 * k, value, true)
      return signo
    },
  })
  const fd = w.call(FS.SIGNALFD, A, [-1, w.sys.grant(new Uint8Array([0, 2, 0, 0, 0, 0, 0, 0])), 8, 0])
  expect(w.read(A, fd, 127)).toBe(-E.INVAL)
  expect(w.read(A, fd, 128)).toBe('waits')
  w.call(FS.SIGNALLED, EP.PM, [A])
  expect(w.sys.replyTo(A)).toBeUndefined()
  pending = 10
  w.call(FS.SIGNALLED, EP.PM, [A])
  expect(w.sys.replyTo(A)).toBe(128)
  const at = w.reading.get(A)?.offset ?? 0
  expect([0, 12, 16].map(offset => w.sys.view.getInt32(at + offset, true))).toEqual([10, 77, 1000])
})
