// /proc/sys: what can be tuned (proc_sys(5)). A value that can be written here does something; one that is only a fact is 0444.
import { E } from '../../abi/errno.ts'
import { EP, setGrant, setInt } from '../../abi/message.ts'
import { PM, TOTALS } from '../../protocol/pm.ts'
import { WATCHES_MAX } from './epoll.ts'
import { PIPE_MAX } from './pipe.ts'
import { mqueueLimits, sysvLimits } from './proc-ipc.ts'
import { type Found, request, totals } from './proc-process.ts'
import type { FsState } from './state.ts'
import type { Tree, TreeDir, TreeFile } from './treefs.ts'

const UTSNAME_FIELD = 65
const NODENAME = 1
const DOMAINNAME = 5
/** fs.file-max is at least this, or nobody could undo it. */
const FILES_LEAST = 64

function file(text: (state: FsState) => string): TreeFile<Found> {
  return { type: 'file', mode: 0o444, text: state => `${text(state)}\n` }
}
function value(text: string | number): TreeFile<Found> {
  return file(() => String(text))
}
function dir(entries: Tree<Found>): TreeDir<Found> {
  return { type: 'dir', mode: 0o555, entries }
}
/** A whole number that may be set. */
function number(get: (state: FsState) => number, set: (state: FsState, n: number) => number): TreeFile<Found> {
  return {
    ...file(state => String(get(state))),
    mode: 0o644,
    write(state, _about, text) {
      const digits = text.trim()
      return /^\d{1,15}$/.test(digits) ? set(state, Number(digits)) : -E.INVAL
    },
  }
}

// -- names of the machine: PM keeps them --

function uname(state: FsState, field: number): string {
  const { sys } = state
  const m = request(state, PM.UNAME)
  setGrant(m, 0, sys.buffer, 6 * UTSNAME_FIELD)
  if (sys.sendrec(EP.PM, m) < 0) return ''
  const at = sys.buffer + field * UTSNAME_FIELD
  let text = ''
  for (let i = at; i < at + UTSNAME_FIELD && sys.mem[i] !== 0; i++) text += String.fromCharCode(sys.mem[i] as number)
  return text
}
function setName(state: FsState, type: number, text: string): number {
  const { sys } = state
  const name = (text.split(/[\0\n]/)[0] as string).slice(0, UTSNAME_FIELD - 1)
  for (let i = 0; i < name.length; i++) sys.mem[sys.buffer + i] = name.charCodeAt(i)
  const m = request(state, type)
  setGrant(m, 0, sys.buffer, name.length)
  setInt(m, 1, name.length)
  const r = sys.sendrec(EP.PM, m)
  return r < 0 ? r : 0
}

// -- random --

const HEX = '0123456789abcdef'
/** A version 4 UUID from 16 random bytes. */
function uuid(state: FsState): string {
  const { sys } = state
  sys.random(sys.buffer, 16)
  let text = ''
  for (let i = 0; i < 16; i++) {
    let byte = sys.mem[sys.buffer + i] as number
    if (i === 6) byte = (byte & 0x0f) | 0x40
    if (i === 8) byte = (byte & 0x3f) | 0x80
    if (i === 4 || i === 6 || i === 8 || i === 10) text += '-'
    text += (HEX[byte >> 4] as string) + HEX[byte & 15]
  }
  return text
}

// -- the tables --

const fs = dir({
  'aio-max-nr': value(65536),
  'aio-nr': value(0),
  epoll: dir({ max_user_watches: value(WATCHES_MAX) }),
  'file-max': number(
    state => state.maxFiles,
    (state, n) => {
      if (n < FILES_LEAST) return -E.INVAL
      state.maxFiles = n
      return 0
    },
  ),
  'file-nr': file(state => `${state.openFiles}\t0\t${state.maxFiles}`),
  inotify: dir({ max_queued_events: value(16384), max_user_instances: value(128), max_user_watches: value(65536) }),
  mqueue: dir(mqueueLimits),
  nr_open: value(1048576),
  overflowgid: value(65534),
  overflowuid: value(65534),
  'pipe-max-size': value(PIPE_MAX),
  'pipe-user-pages-hard': value(0),
  'pipe-user-pages-soft': value(16384),
  protected_fifos: value(1),
  protected_hardlinks: value(1),
  protected_regular: value(2),
  protected_symlinks: value(1),
  suid_dumpable: value(0),
})

function kernel(state: FsState): TreeDir<Found> {
  const bootId = uuid(state)
  const { facts } = state
  return dir({
    cap_last_cap: value(40),
    core_pattern: value('core'),
    core_uses_pid: value(0),
    domainname: file(st => uname(st, DOMAINNAME)),
    hostname: { ...file(st => uname(st, NODENAME)), mode: 0o644, write: (st, _about, text) => setName(st, PM.SETHOSTNAME, text) },
    ngroups_max: value(65536),
    ns_last_pid: file(st => String(totals(st)(TOTALS.LAST_PID))),
    osrelease: value(facts.osrelease),
    ostype: value('Linux'),
    overflowgid: value(65534),
    overflowuid: value(65534),
    pid_max: value(facts.pidMax),
    pty: dir({ max: value(facts.ptys), nr: file(st => String(ptysOpen(st))) }),
    random: dir({
      boot_id: value(bootId),
      entropy_avail: value(256),
      poolsize: value(256),
      urandom_min_reseed_secs: value(60),
      uuid: file(uuid),
      write_wakeup_threshold: value(256),
    }),
    randomize_va_space: value(2),
    sched_rr_timeslice_ms: value(100),
    tainted: value(0),
    'threads-max': value(facts.processes),
    ...sysvLimits,
    version: value(facts.version),
    yama: dir({ ptrace_scope: value(0) }),
  })
}
/** Slaves there are: what /dev/pts holds, ptmx apart. */
function ptysOpen(state: FsState): number {
  const root = state.pts?.root
  let n = 0
  root?.fs.readdir(root, 0, name => {
    if (/^\d+$/.test(name)) n++
    return true
  })
  return n
}

const vm = dir({
  max_map_count: value(65530),
  mmap_min_addr: value(65536),
  nr_hugepages: value(0),
  overcommit_kbytes: value(0),
  overcommit_memory: file(state => String(state.facts.overcommit())),
  overcommit_ratio: value(100),
  swappiness: value(60),
  zone_reclaim_mode: value(0),
})

export function sysctl(state: FsState): TreeDir<Found> {
  return dir({
    fs,
    kernel: kernel(state),
    net: dir({
      core: dir({ somaxconn: value(4096) }),
      ipv4: dir({ ip_local_port_range: value('32768\t60999'), ip_unprivileged_port_start: value(1024) }),
    }),
    vm,
  })
}
