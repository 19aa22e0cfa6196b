// About the machine and about processes: uname, sysinfo, getrandom and the like.
import { E } from '../../abi/errno.ts'
import { EP, high, int, long, type Message, uint } from '../../abi/message.ts'
import type { CallVector } from '../../lib/server.ts'
import { PM } from '../../protocol/pm.ts'
import { loads } from './load.ts'
import { CAP, capable, type Pm, taskOf } from './mproc.ts'
import { write64 } from './suspended.ts'
import { need } from './tell.ts'

const UTSNAME_FIELD = 65
const SYSINFO_BYTES = 112
/** sysinfo(2): loads are in 1/65536. */
const LOAD_ONE = 65536
const GRND_ALL = 7
const GRND_RANDOM_INSECURE = 6

export function infoCalls(pm: Pm): CallVector {
  return {
    [PM.UNAME]: m => uname(pm, m),
    [PM.SETHOSTNAME]: (m, from) => setName(pm, m, from, 'hostname'),
    [PM.SETDOMAINNAME]: (m, from) => setName(pm, m, from, 'domainname'),
    [PM.SYSINFO]: m => sysinfo(pm, m),
    [PM.GETRANDOM]: m => {
      const flags = uint(m, 2)
      if ((flags & ~GRND_ALL) !== 0 || (flags & GRND_RANDOM_INSECURE) === GRND_RANDOM_INSECURE) return -E.INVAL
      if (long(m, 1) < 0) return long(m, 1)
      const bytes = Math.min(long(m, 1), high(m, 0))
      if (bytes > 0) pm.sys.random(int(m, 0), bytes)
      return bytes
    },
    [PM.PERSONALITY]: (m, from) => {
      const t = taskOf(pm, from)
      if (t === undefined) return -E.SRCH
      const old = t.process.personality
      if (uint(m, 0) !== 0xffffffff) t.process.personality = uint(m, 0)
      return old
    },
    [PM.SYSLOG]: (m, from) => {
      const t = taskOf(pm, from)
      if (t === undefined) return -E.SRCH
      const type = int(m, 0)
      if (type < 0 || type > 10) return -E.INVAL
      if (!capable(t.cred, CAP.SYS_ADMIN)) return -E.PERM
      return 0 // an empty log
    },
  }
}

function setName(pm: Pm, m: Message, from: number, which: 'hostname' | 'domainname'): number {
  const t = taskOf(pm, from)
  if (t === undefined && from !== EP.FS) return -E.SRCH // FS has asked already: a write to /proc/sys
  if (t !== undefined && !capable(t.cred, CAP.SYS_ADMIN)) return -E.PERM
  const length = int(m, 1)
  if (length < 0 || length > 64) return -E.INVAL
  if (high(m, 0) < length) return -E.FAULT
  pm[which] = String.fromCharCode(...pm.sys.mem.subarray(int(m, 0), int(m, 0) + length)).split('\0')[0]
  return 0
}

function uname(pm: Pm, m: Message): number {
  const at = need(m, 0, 6 * UTSNAME_FIELD)
  if (at < 0) return at
  const { options } = pm
  const fields = ['Linux', pm.hostname, options.release, options.version ?? '#1 SMP', 'x86_64', pm.domainname]
  pm.sys.mem.fill(0, at, at + 6 * UTSNAME_FIELD)
  fields.forEach((text, k) => {
    for (let c = 0; c < Math.min(text.length, UTSNAME_FIELD - 1); c++) pm.sys.mem[at + k * UTSNAME_FIELD + c] = text.charCodeAt(c)
  })
  return 0
}

function sysinfo(pm: Pm, m: Message): number {
  const at = need(m, 0, SYSINFO_BYTES)
  if (at < 0) return at
  const { memoryTotal, memoryFree } = pm.options
  pm.sys.mem.fill(0, at, at + SYSINFO_BYTES)
  write64(pm, at, Math.ceil(pm.sys.monotonic() / 1000))
  loads(pm).forEach((load, k) => {
    write64(pm, at + 8 + 8 * k, Math.floor(load * LOAD_ONE))
  })
  write64(pm, at + 32, memoryTotal)
  write64(pm, at + 40, memoryFree === undefined ? memoryTotal : memoryFree())
  pm.sys.view.setUint16(at + 80, pm.tasks.size, true)
  pm.sys.view.setUint32(at + 104, 1, true) // mem_unit
  return 0
}
