// How strace writes structures, by the name they have in the system-call table. Fields it abbreviates by default are left out here too.
import { FAULTS, faultCode } from './strace-signals.ts'
import {
  address,
  controlModes,
  date,
  decimal64,
  device,
  fileMode,
  flags,
  hex,
  hex64,
  mode,
  oneOf,
  openFlags,
  outputModes,
  quote,
  signal,
  signalSet,
  waitStatus,
} from './strace-values.ts'
import { CAPABILITIES } from './xlat.ts'

/** Writer of the structure at `at`; `bytes` are there. */
export type StructFormat = (v: DataView, at: number, bytes: number) => string

export const u16 = (v: DataView, at: number): number => v.getUint16(at, true)
export const u32 = (v: DataView, at: number): number => v.getUint32(at, true)
export const i32 = (v: DataView, at: number): number => v.getInt32(at, true)
export const i64 = (v: DataView, at: number): string => decimal64(i32(v, at), i32(v, at + 4), true)
export const u64 = (v: DataView, at: number): string => decimal64(i32(v, at), i32(v, at + 4), false)
const x64 = (v: DataView, at: number): string => hex64(u32(v, at), u32(v, at + 4))
const pointer = (v: DataView, at: number): string => address(u32(v, at), u32(v, at + 4))
const number64 = (v: DataView, at: number): number => i32(v, at + 4) * 4294967296 + u32(v, at)

const timespec: StructFormat = (v, at) => `{tv_sec=${i64(v, at)}, tv_nsec=${i64(v, at + 8)}}`
const timeval: StructFormat = (v, at) => `{tv_sec=${i64(v, at)}, tv_usec=${i64(v, at + 8)}}`
const interval =
  (time: StructFormat): StructFormat =>
  (v, at) =>
    `{it_interval=${time(v, at, 16)}, it_value=${time(v, at + 16, 16)}}`
const UTIME_NOW = 0x3fffffff
const UTIME_OMIT = 0x3ffffffe
const fileTime = (v: DataView, at: number): string => {
  const ns = number64(v, at + 8)
  if (ns === UTIME_NOW) return 'UTIME_NOW'
  if (ns === UTIME_OMIT) return 'UTIME_OMIT'
  return `${timespec(v, at, 16)} /* ${date(number64(v, at), ns, 9)} */`
}
const limit = (v: DataView, at: number): string => {
  if (u32(v, at) === 0xffffffff && u32(v, at + 4) === 0xffffffff) return 'RLIM64_INFINITY'
  const n = number64(v, at)
  return n > 1024 && n % 1024 === 0 ? `${n / 1024}*1024` : u64(v, at)
}
/** rdev for devices, size for all else. */
const sizeOrDevice = (v: DataView, prefix: string, fileType: number, rdev: string, size: number): string =>
  (fileType & 0o170000) === 0o020000 || (fileType & 0o170000) === 0o060000 ? rdev : `${prefix}_size=${i64(v, size)}`
const text = (v: DataView, at: number, max: number): string => {
  const bytes = new Uint8Array(v.buffer, v.byteOffset + at, max)
  const end = bytes.indexOf(0)
  return quote(bytes.subarray(0, end < 0 ? max : end), max)
}
const capabilitySet = (v: DataView, at: number, step: number): string => {
  const bits = u32(v, at) + (step === 0 ? 0 : u32(v, at + step) * 4294967296)
  if (bits === 0) return '0'
  const names = CAPABILITIES.filter((_, n) => Math.floor(bits / 2 ** n) % 2 === 1).map(name => `1<<CAP_${name}`)
  const known = CAPABILITIES.length
  const rest = Math.floor(bits / 2 ** known) * 2 ** known
  return [...names, ...(rest > 0 ? [`0x${rest.toString(16)}`] : [])].join('|')
}
const termios: StructFormat = (v, at) =>
  `{c_iflag=${u32(v, at) === 0 ? '' : flags('c_iflag', u32(v, at))}, c_oflag=${outputModes(u32(v, at + 4))}, c_cflag=${controlModes(u32(v, at + 8))}, c_lflag=${u32(v, at + 12) === 0 ? '' : flags('c_lflag', u32(v, at + 12))}, ...}`
const lock = (v: DataView, at: number, withPid: boolean): string =>
  `{l_type=${oneOf('flocktype', u16(v, at))}, l_whence=${oneOf('seek', u16(v, at + 2))}, l_start=${i64(v, at + 8)}, l_len=${i64(v, at + 16)}${withPid ? `, l_pid=${i32(v, at + 24)}` : ''}}`
const list = (one: (k: number) => string, n: number): string =>
  `[${Array.from({ length: n }, (_, k) => one(k)).join(', ')}]`

/** siginfo_t as strace writes it, also in --- SIG --- lines. */
export const siginfo: StructFormat = (v, at) => {
  const signo = i32(v, at)
  const code = i32(v, at + 8)
  const head = `{si_signo=${signal(signo)}, si_code=${faultCode(signo, code)}`
  const errno = i32(v, at + 4) === 0 ? '' : `, si_errno=${i32(v, at + 4)}`
  const sender = `, si_pid=${i32(v, at + 16)}, si_uid=${u32(v, at + 20)}`
  if (code > 0 && code < 0x80 && signo === 17) {
    const status = code === 1 ? String(i32(v, at + 24)) : signal(i32(v, at + 24))
    return `${head}${errno}${sender}, si_status=${status}, si_utime=${i64(v, at + 32)}, si_stime=${i64(v, at + 40)}}`
  }
  if (code > 0 && code < 0x80 && FAULTS.has(signo)) return `${head}${errno}, si_addr=${pointer(v, at + 16)}}`
  if (code === 0x80) return FAULTS.has(signo) ? `${head}${errno}, si_addr=NULL}` : `${head}${errno}}`
  if (code === -1)
    return `${head}${errno}${sender}, si_value={sival_int=${i32(v, at + 24)}, sival_ptr=${pointer(v, at + 24)}}}`
  return `${head}${errno}${sender}}`
}

export const STRUCT_FORMATS: Readonly<Record<string, StructFormat>> = {
  timespec,
  timeval,
  timespec2: (v, at) => `[${fileTime(v, at)}, ${fileTime(v, at + 16)}]`,
  timeval2: (v, at) =>
    `[${[0, 16].map(k => `${timeval(v, at + k, 16)} /* ${date(number64(v, at + k), number64(v, at + k + 8), 6)} */`).join(', ')}]`,
  utimbuf: (v, at) =>
    `{actime=${i64(v, at)} /* ${date(number64(v, at), 0, 0)} */, modtime=${i64(v, at + 8)} /* ${date(number64(v, at + 8), 0, 0)} */}`,
  itimerval: interval(timeval),
  itimerspec: interval(timespec),
  timezone: (v, at) => `{tz_minuteswest=${i32(v, at)}, tz_dsttime=${i32(v, at + 4)}}`,
  stat: (v, at) =>
    `{st_mode=${fileMode(u32(v, at + 24))}, ${sizeOrDevice(v, 'st', u32(v, at + 24), `st_rdev=${device(u32(v, at + 40))}`, at + 48)}, ...}`,
  statx: (v, at) => {
    const rdev = `stx_rdev_major=${u32(v, at + 0x80)}, stx_rdev_minor=${u32(v, at + 0x84)}`
    return `{stx_mask=${flags('statx', u32(v, at))}, stx_attributes=${flags('statx_attributes', u32(v, at + 8))}, stx_mode=${fileMode(u16(v, at + 28))}, ${sizeOrDevice(v, 'stx', u16(v, at + 28), rdev, at + 40)}, ...}`
  },
  statfs: (v, at) =>
    `{f_type=${oneOf('statfs', u32(v, at))}, f_bsize=${u64(v, at + 8)}, f_blocks=${u64(v, at + 16)}, f_bfree=${u64(v, at + 24)}, f_bavail=${u64(v, at + 32)}, f_files=${u64(v, at + 40)}, f_ffree=${u64(v, at + 48)}, f_fsid={val=[${hex(u32(v, at + 56))}, ${hex(u32(v, at + 60))}]}, f_namelen=${u64(v, at + 64)}, f_frsize=${u64(v, at + 72)}, f_flags=${flags('st', u32(v, at + 80))}}`,
  utsname: (v, at) => `{sysname=${text(v, at, 65)}, nodename=${text(v, at + 65, 65)}, ...}`,
  rusage: (v, at) => `{ru_utime=${timeval(v, at, 16)}, ru_stime=${timeval(v, at + 16, 16)}, ...}`,
  rlimit: (v, at) => `{rlim_cur=${limit(v, at)}, rlim_max=${limit(v, at + 8)}}`,
  sysinfo: (v, at) =>
    `{uptime=${i64(v, at)}, loads=[${u64(v, at + 8)}, ${u64(v, at + 16)}, ${u64(v, at + 24)}], totalram=${u64(v, at + 32)}, freeram=${u64(v, at + 40)}, sharedram=${u64(v, at + 48)}, bufferram=${u64(v, at + 56)}, totalswap=${u64(v, at + 64)}, freeswap=${u64(v, at + 72)}, procs=${u16(v, at + 80)}, totalhigh=${u64(v, at + 88)}, freehigh=${u64(v, at + 96)}, mem_unit=${u32(v, at + 104)}}`,
  tms: (v, at) =>
    `{tms_utime=${i64(v, at)}, tms_stime=${i64(v, at + 8)}, tms_cutime=${i64(v, at + 16)}, tms_cstime=${i64(v, at + 24)}}`,
  sigaction: (v, at) => {
    const handler = u32(v, at + 4) === 0 && u32(v, at) < 2 ? (u32(v, at) === 0 ? 'SIG_DFL' : 'SIG_IGN') : x64(v, at)
    const f = u32(v, at + 8)
    const name = f & 4 && handler[0] === '0' ? 'sa_sigaction' : 'sa_handler'
    const high = u32(v, at + 12) === 0 ? '' : `|${hex64(0, u32(v, at + 12))}`
    return `{${name === 'sa_sigaction' ? 'sa_handler' : name}=${handler}, sa_mask=${signalSet(u32(v, at + 24), u32(v, at + 28))}, sa_flags=${flags('sa', f)}${high}${f & 0x4000000 ? `, sa_restorer=${x64(v, at + 16)}` : ''}}`
  },
  sigset: (v, at) => signalSet(u32(v, at), u32(v, at + 4)),
  siginfo,
  waitinfo: (v, at, bytes) => (i32(v, at) === 0 ? '{}' : siginfo(v, at, bytes)),
  stack: (v, at) => `{ss_sp=${pointer(v, at)}, ss_flags=${flags('ss', u32(v, at + 8))}, ss_size=${u64(v, at + 16)}}`,
  epoll_event: (v, at) => `{events=${flags('epoll', u32(v, at))}, data={u32=${u32(v, at + 4)}, u64=${u64(v, at + 4)}}}`,
  open_how: (v, at) =>
    `{flags=${openFlags(u32(v, at))}${u32(v, at) & 0o20000100 ? `, mode=${mode(u32(v, at + 8))}` : ''}, resolve=${flags('resolve', u32(v, at + 16))}}`,
  flock: (v, at) => lock(v, at, false),
  flock_out: (v, at) => lock(v, at, true),
  f_owner_ex: (v, at) => `{type=${oneOf('owner', i32(v, at))}, pid=${i32(v, at + 4)}}`,
  sched_param: (v, at) => `[${i32(v, at)}]`,
  pipefd: (v, at) => `[${i32(v, at)}, ${i32(v, at + 4)}]`,
  int: (v, at) => `[${i32(v, at)}]`,
  uint: (v, at) => `[${u32(v, at)}]`,
  uid: (v, at) => `[${i32(v, at)}]`,
  gid: (v, at) => `[${i32(v, at)}]`,
  off: (v, at) => `[${i64(v, at)}]`,
  long: (v, at) => `[${i64(v, at)} /* ${date(number64(v, at), 0, 0)} */]`,
  status: (v, at) => waitStatus(i32(v, at)),
  cap_header: (v, at) => {
    const versions: Readonly<Record<number, string>> = { 0x19980330: '1', 0x20071026: '2', 0x20080522: '3' }
    const version = versions[u32(v, at)]
    return `{version=${version ? `_LINUX_CAPABILITY_VERSION_${version}` : `${hex(u32(v, at))} /* _LINUX_CAPABILITY_VERSION_??? */`}, pid=${i32(v, at + 4)}}`
  },
  cap_data: (v, at, bytes) => {
    const step = bytes >= 24 ? 12 : 0
    return `{effective=${capabilitySet(v, at, step)}, permitted=${capabilitySet(v, at + 4, step)}, inheritable=${capabilitySet(v, at + 8, step)}}`
  },
  termios,
  winsize: (v, at) =>
    `{ws_row=${u16(v, at)}, ws_col=${u16(v, at + 2)}, ws_xpixel=${u16(v, at + 4)}, ws_ypixel=${u16(v, at + 6)}}`,
}

/** Arrays of structures. */
export function pollfds(v: DataView, at: number, n: number): string {
  return list(k => `{fd=${i32(v, at + 8 * k)}, events=${flags('poll', u16(v, at + 8 * k + 4))}}`, n)
}
/** What poll found: the entries with revents. */
export function polled(v: DataView, at: number, n: number): string {
  const ready: string[] = []
  for (let k = 0; k < n; k++) {
    const revents = u16(v, at + 8 * k + 6)
    if (revents !== 0) ready.push(`{fd=${i32(v, at + 8 * k)}, revents=${flags('poll', revents)}}`)
  }
  return `[${ready.join(', ')}]`
}
export function epollEvents(v: DataView, at: number, n: number): string {
  return list(k => (STRUCT_FORMATS.epoll_event as StructFormat)(v, at + 12 * k, 12), n)
}
export function ids(v: DataView, at: number, n: number): string {
  return list(k => String(i32(v, at + 4 * k)), n)
}
/** Numbers of the bits set, as descriptor and processor sets are written. */
export function bitNumbers(v: DataView, at: number, bytes: number): string {
  const set: number[] = []
  for (let k = 0; k < bytes * 8; k++) if ((v.getUint8(at + (k >> 3)) >> (k & 7)) & 1) set.push(k)
  return `[${set.join(' ')}]`
}
/** How many linux_dirent records there are. */
export function direntCount(v: DataView, at: number, bytes: number): number {
  let n = 0
  for (let r = 0; r + 19 <= bytes; n++) {
    const length = u16(v, at + r + 16)
    if (length < 19) break
    r += length
  }
  return n
}
