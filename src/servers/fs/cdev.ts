// Character devices of drivers (protocol/cdev.ts): FS as the client of TTY and STREAM. A request the driver can't answer yet is a row
// of kind WAIT.DEVICE; its REPLY comes later with the row's id. Ids are serial << 15 | slot, so a late REPLY never meets another request.
// Invariant: a Device stands as long as an open file uses it; one OPEN and one CLOSE are sent per open file.
import { E } from '../../abi/errno.ts'
import { major, minor, O } from '../../abi/fcntl.ts'
import { EP, int, long, type Message, SUSPEND, setGrant, setInt, setLong, slotOf, TYPE } from '../../abi/message.ts'
import { POLL, READABLE, WRITABLE } from '../../abi/poll.ts'
import type { CallVector } from '../../lib/server.ts'
import { CDEV, MAJOR, TTY_MINOR } from '../../protocol/cdev.ts'
import { removeSlave } from './devfs.ts'
import type { Caller, FileOps, Inode, OpenFile, WaitQueue } from './inode.ts'
import { wake } from './poll.ts'
import { type FsState, newFile, type Row, resume, suspend, WAIT } from './state.ts'

const WATCHED = READABLE | WRITABLE | POLL.PRI | POLL.ERR | POLL.HUP | POLL.RDHUP
const SLOT_MASK = 0x7fff

/** One minor device of a driver, shared by all its open files. */
interface Device extends WaitQueue {
  driver: number
  minor: number
  opens: number
}
export interface DeviceTables {
  /** By driver endpoint and minor: see keyOf. */
  open: Map<number, Device>
  serial: number
}
export function deviceTables(): DeviceTables {
  return { open: new Map(), serial: 1 }
}
interface OpenDevice {
  state: FsState
  device: Device
  endpoint: number
  /** A pty's master: the name in /dev/pts that goes with it. */
  slaveName: string | null
}

const keyOf = (driver: number, minorNumber: number): number => driver * 2 ** 32 + minorNumber

/** Which driver serves a device, or -ENXIO. */
function driverOf(rdev: number): number {
  const number = minor(rdev)
  switch (major(rdev)) {
    case MAJOR.STREAM:
      return EP.STREAM
    case MAJOR.TTY:
      return number < TTY_MINOR[MAJOR.PTS] ? EP.TTY : -E.NXIO
    case MAJOR.PTS:
      return number < TTY_MINOR[MAJOR.TTYAUX] - TTY_MINOR[MAJOR.PTS] ? EP.TTY : -E.NXIO
    case MAJOR.TTYAUX:
      return number <= 2 ? EP.TTY : -E.NXIO
  }
  return -E.NXIO
}
function driverMinor(rdev: number): number {
  const base = (TTY_MINOR as Readonly<Record<number, number>>)[major(rdev)] ?? 0
  return base + minor(rdev)
}

/** Open character device `rdev` for `endpoint` → the open file, or the driver's -errno. */
export function openDevice(
  state: FsState,
  inode: Inode,
  rdev: number,
  flags: number,
  path: string,
  endpoint: number,
): OpenFile | number {
  const driver = driverOf(rdev)
  if (driver < 0) return driver
  if (state.openFiles >= state.maxFiles) return -E.NFILE
  const m = request(state, CDEV.OPEN, driverMinor(rdev))
  setLong(m, 1, endpoint)
  setInt(m, 2, flags)
  const number = state.sys.sendrec(driver, m)
  if (number < 0) return number
  const key = keyOf(driver, number)
  let device = state.devices.open.get(key)
  if (device === undefined) {
    device = { driver, minor: number, opens: 0, waiters: [] }
    state.devices.open.set(key, device)
  }
  device.opens++
  const kept = flags & ~(O.CREAT | O.EXCL | O.TRUNC | O.NOCTTY | O.CLOEXEC)
  return newFile(state, inode, kept, path, deviceOps, -1, {
    state,
    device,
    endpoint,
    slaveName: null,
  } satisfies OpenDevice)
}

function request(state: FsState, type: number, minorNumber: number): Message {
  const m = state.out
  m.fill(0)
  m[TYPE] = type
  setInt(m, 0, minorNumber)
  return m
}
function nextId(state: FsState, endpoint: number): number {
  const tables = state.devices
  tables.serial = (tables.serial + 1) & SLOT_MASK
  return (tables.serial << 15) | slotOf(endpoint)
}
/** The driver has answered, or will: then a row stands for the request. */
function answered(
  state: FsState,
  file: OpenFile,
  at: number,
  len: number,
  id: number,
  result: number,
  caller: Caller,
): number {
  if (result !== SUSPEND) {
    rearm(state, (file.priv as OpenDevice).device)
    return result
  }
  if (caller.nonblock) return -E.AGAIN
  suspend(state, caller.endpoint, WAIT.DEVICE, file, at, len, 0).a = id
  return SUSPEND
}
/** Something was read or written: watch again for what may come to hold now. */
function rearm(state: FsState, device: Device): void {
  if (device.waiters.length > 0) select(state, device)
}
function select(state: FsState, device: Device): number {
  const m = request(state, CDEV.SELECT, device.minor)
  setInt(m, 1, WATCHED)
  setInt(m, 2, 1)
  return state.sys.sendrec(device.driver, m)
}

function transfer(file: OpenFile, type: number, at: number, len: number, caller: Caller): number {
  const { state, device } = file.priv as OpenDevice
  const id = nextId(state, caller.endpoint)
  const m = request(state, type, device.minor)
  setGrant(m, 1, at, len)
  setLong(m, 2, len)
  setInt(m, 3, caller.nonblock ? O.NONBLOCK : 0)
  setInt(m, 4, id)
  setLong(m, 5, caller.endpoint)
  return answered(state, file, at, len, id, state.sys.sendrec(device.driver, m), caller)
}

const deviceOps: FileOps = {
  read: (file, at, len, _position, caller) => transfer(file, CDEV.READ, at, len, caller),
  write: (file, at, len, _position, caller) => transfer(file, CDEV.WRITE, at, len, caller),
  poll(file) {
    const { state, device } = file.priv as OpenDevice
    const events = select(state, device)
    return events < 0 ? POLL.ERR | POLL.HUP : events
  },
  queue: file => (file.priv as OpenDevice).device,
  ioctl(file, cmd, arg, at, len, caller) {
    const { state, device } = file.priv as OpenDevice
    const id = nextId(state, caller.endpoint)
    const m = request(state, CDEV.IOCTL, device.minor)
    setLong(m, 1, cmd)
    setLong(m, 2, arg)
    setGrant(m, 3, at, len)
    setInt(m, 4, id)
    setLong(m, 5, caller.endpoint)
    return answered(state, file, at, len, id, state.sys.sendrec(device.driver, m), { ...caller, nonblock: false })
  },
  release(file) {
    const { state, device, endpoint, slaveName } = file.priv as OpenDevice
    if (slaveName !== null) removeSlave(state, slaveName)
    const m = request(state, CDEV.CLOSE, device.minor)
    setLong(m, 1, endpoint)
    state.sys.sendrec(device.driver, m)
    if (--device.opens === 0) state.devices.open.delete(keyOf(device.driver, device.minor))
  },
}

/** The open pty master takes /dev/pts/`name` away when it is released. */
export function nameMaster(master: OpenFile, name: string): void {
  ;(master.priv as OpenDevice).slaveName = name
}

/** A waiting request shall end: → its answer, or SUSPEND when the driver's REPLY is on its way already. */
export function cancelDevice(state: FsState, row: Row): number {
  const { device } = (row.file as OpenFile).priv as OpenDevice
  const m = request(state, CDEV.CANCEL, device.minor)
  setInt(m, 1, row.a)
  const result = state.sys.sendrec(device.driver, m)
  return result === -E.SRCH ? SUSPEND : result
}

/** From a driver: request `id` is done. */
function reply(state: FsState, m: Message): number {
  const id = int(m, 0)
  const row = state.rows[id & SLOT_MASK]
  if (row === undefined || row.kind !== WAIT.DEVICE || row.a !== id) return 0
  const { device } = (row.file as OpenFile).priv as OpenDevice
  resume(state, row, long(m, 1))
  rearm(state, device)
  return 0
}
/** From a driver: some of `events` hold now. */
function readyNow(state: FsState, m: Message, from: number): number {
  const device = state.devices.open.get(keyOf(from, int(m, 0)))
  if (device !== undefined && device.waiters.length > 0) wake(state, device, int(m, 1))
  return 0
}

/** Only drivers may send these: a guest's REPLY would answer somebody else's call. */
export function cdevCalls(state: FsState): CallVector {
  const driver = (from: number): boolean => from === EP.TTY || from === EP.STREAM
  return {
    [CDEV.REPLY]: (m, from) => (driver(from) ? reply(state, m) : -E.PERM),
    [CDEV.READY]: (m, from) => (driver(from) ? readyNow(state, m, from) : -E.PERM),
  }
}
