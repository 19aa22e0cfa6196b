// How strace writes the arguments of the System V IPC calls: keys, permission bits behind the flags, what a control command reads or
// leaves, messages and operations.
import { at, decimal, failed, low, pointer, type Shown, size, structure, type Texts } from './strace-arguments.ts'
import { i64, u32, u64 } from './strace-structs.ts'
import { flags, hex, hex64, mode, oneOf, quote } from './strace-values.ts'

const int = (v: DataView, p: number): string => String(v.getInt32(p, true))
/** [name, offset, how it is written], in order. */
type Fields = readonly (readonly [name: string, offset: number, text: (v: DataView, p: number) => string])[]
// biome-ignore format: tables
const STATUS: Readonly<Record<string, Fields>> = {
  shm: [['segsz', 48, u64], ['cpid', 80, int], ['lpid', 84, int], ['nattch', 88, u64], ['atime', 56, u64], ['dtime', 64, u64], ['ctime', 72, u64]],
  sem: [['otime', 48, u64], ['ctime', 64, u64], ['nsems', 80, u64]],
  msg: [['stime', 48, u64], ['rtime', 56, u64], ['ctime', 64, u64], ['qnum', 80, u64], ['qbytes', 88, u64], ['lspid', 96, int], ['lrpid', 100, int]],
}
const ints = (names: string): Fields => names.split(' ').map((name, k) => [name, 4 * k, int])
const longs = (names: string, from: number): Fields => names.split(' ').map((name, k) => [name, from + 8 * k, u64])
const SEMINFO = ints('semmap semmni semmns semmnu semmsl semopm semume semusz semvmx semaem')
const MSGINFO: Fields = [
  ...ints('msgpool msgmap msgmax msgmnb msgmni msgssz msgtql'),
  ['msgseg', 28, (v, p) => String(v.getUint16(p, true))],
]
const INFO: Readonly<Record<string, Fields>> = {
  IPC_INFO: longs('shmmax shmmin shmmni shmseg shmall', 0),
  SHM_INFO: [['used_ids', 0, int], ...longs('shm_tot shm_rss shm_swp swap_attempts swap_successes', 8)],
  SEM_INFO: SEMINFO,
  MSG_INFO: MSGINFO,
}
const list = (s: Shown, p: number, fields: Fields, prefix = ''): string[] =>
  fields.map(([name, offset, text]) => `${prefix}${name}=${text(s.view, p + offset)}`)

const key = (s: Shown): string => (low(s, 0) === 0 ? 'IPC_PRIVATE' : hex(low(s, 0)))
const get =
  (table: string, i: number): ((s: Shown) => Texts) =>
  s => {
    const bits = low(s, i) & ~0o777
    const middle = i === 2 ? [decimal(s, 1)] : []
    return [key(s), ...middle, `${bits === 0 ? '' : `${flags(table, bits)}|`}${mode(low(s, i) & 0o777)}`]
  }

/** shmctl, semctl, msgctl: argument `c` is the command, the one behind it the data. */
const control =
  (kind: 'shm' | 'sem' | 'msg', c: number): ((s: Shown) => Texts) =>
  s => {
    const command = oneOf(`${kind}ctl`, low(s, c))
    const head = [...Array.from({ length: c }, (_, k) => String(low(s, k))), command]
    const p = at(s, c + 1)
    const reads = command === 'IPC_SET'
    const known = reads || /(STAT|STAT_ANY|INFO)$/.test(command)
    if (!known || p === 0 || (!reads && failed(s))) return [...head, data(s, c + 1, command)]
    if (!reads && s.result === null) return [...head, undefined]
    if (command.endsWith('INFO')) {
      const fields = kind === 'shm' ? INFO[command] : kind === 'sem' ? SEMINFO : MSGINFO
      return [...head, `{${list(s, p, fields as Fields).join(', ')}}`]
    }
    const perm = [`uid=${u32(s.view, p + 4)}`, `gid=${u32(s.view, p + 8)}`, `mode=${mode(u32(s.view, p + 20))}`]
    if (!reads) perm.push(`key=${u32(s.view, p)}`, `cuid=${u32(s.view, p + 12)}`, `cgid=${u32(s.view, p + 16)}`)
    const rest = reads ? (kind === 'msg' ? [`msg_qbytes=${u64(s.view, p + 88)}`] : []) : list(s, p, STATUS[kind] as Fields, `${kind}_`)
    return [...head, `{${[`${kind}_perm={${perm.join(', ')}}`, ...rest].join(', ')}}`]
  }
const data = (s: Shown, i: number, command: string): string =>
  command === 'SETVAL' ? hex64(low(s, i), 0) : pointer(s, i)

function message(s: Shown, text: number): string {
  if (at(s, 1) === 0 || size(s, 1) < 8) return pointer(s, 1)
  const bytes = s.mem.subarray(at(s, 1) + 8, at(s, 1) + Math.min(size(s, 1), 8 + text))
  return `{mtype=${i64(s.view, at(s, 1))}, mtext=${quote(bytes, s.limit)}}`
}
function operations(s: Shown): string {
  const n = low(s, 2) >>> 0
  if (n > 0 && size(s, 1) < 6 * n) return pointer(s, 1)
  const one = (k: number): string => {
    const p = at(s, 1) + 6 * k
    const bits = s.view.getUint16(p + 4, true)
    return `{sem_num=${s.view.getUint16(p, true)}, sem_op=${s.view.getInt16(p + 2, true)}, sem_flg=${bits === 0 ? '0' : flags('semflg', bits)}}`
  }
  return `[${Array.from({ length: Math.min(n, s.limit) }, (_, k) => one(k)).join(', ')}${n > s.limit ? ', ...' : ''}]`
}
const bits = (s: Shown, table: string, i: number): string => (low(s, i) === 0 ? '0' : flags(table, low(s, i)))

export const SYSV: Readonly<Record<string, (s: Shown) => Texts>> = {
  shmget: get('shmget', 2),
  semget: get('semget', 2),
  msgget: get('msgget', 1),
  shmctl: control('shm', 1),
  semctl: control('sem', 2),
  msgctl: control('msg', 1),
  msgsnd: s => [String(low(s, 0)), message(s, low(s, 2)), decimal(s, 2), bits(s, 'msgop', 3)],
  msgrcv: s => {
    const text = s.result === null ? undefined : failed(s) ? pointer(s, 1) : message(s, s.result)
    return [String(low(s, 0)), text, decimal(s, 2), decimal(s, 3), bits(s, 'msgop', 4)]
  },
  semop: s => [String(low(s, 0)), operations(s), String(low(s, 2) >>> 0)],
  semtimedop: s => [String(low(s, 0)), operations(s), String(low(s, 2) >>> 0), at(s, 3) === 0 ? pointer(s, 3) : structure(s, 3, 'timespec')],
}
