// The system-call table compiled, once, when the module is loaded: per number where it goes, which inputs the stub shall prefetch, and
// a little program of STEP words per step that decode.ts runs to fill the message. Read-only afterwards.
//
//   step: [operation, argument, cell (-1: none), then what the operation wants: see compile functions below]
import { HINT, HINT_ROWS } from '../../abi/channel.ts'
import { E, type ErrnoName } from '../../abi/errno.ts'
import { AT } from '../../abi/fcntl.ts'
import { type ArgSpec, hintFor, parseArgs } from './args.ts'
import { LOCAL, messageOf, type Row, SYSCALLS, type Target } from './syscalls.ts'

export const STEP = 8
// biome-ignore format: a table
export const DO = {
  END: 0,
  // values
  INT: 1, UINT: 2, LONG: 3, CONST: 4, NULL: 5, NFDS: 6, POS: 7, SP: 33,
  // pointers: strings, structures, counted bytes
  STRING: 8, IN: 9, OUT: 10, INOUT: 11, BYTES_IN: 12, BYTES_OUT: 13, ARRAY: 14, BULK_IN: 15, BULK_OUT: 16, IOV_IN: 17, IOV_OUT: 18,
  FD_SET: 19, MINCORE: 20,
  // sockets
  ADDRESS_IN: 50, ADDRESS_OUT: 51, OPTION_IN: 52, OPTION_OUT: 53, SEND_BUFFER: 54, RECEIVE_BUFFER: 55, HEADER_IN: 56, HEADER_OUT: 57,
  PIECE: 58, SEVERAL: 59,
  // conversions
  MS: 21, TV: 22, SS: 23, IOCTL: 24, FCNTL: 25, PRCTL: 26, PTID: 27, CLONE3: 28, PIDFD: 30, FUTEX: 29, CAP: 31, REM: 32,
  SHMCTL: 34, SEMCTL: 35, MSGCTL: 36, SEMBUF: 37, MSGSND: 38, MSGRCV: 39, PART: 48,
  PTRACE: 60, PTRACEVEC: 61, ATTR: 63, ROOM: 64,
  // checks
  HOW: 40, SIGSET: 41, POSITIVE: 42, NOKEY: 43, WORD: 44, NONNEGATIVE: 45, CURRENT: 46, EVENTS: 47, PRESENT: 62,
} as const

export const ROUTE = { UNKNOWN: 0, MESSAGE: 1, LOCAL: 2, REFUSED: 3 } as const

/** ROUTE.* by number. */
export const route = new Uint8Array(HINT_ROWS)
/** Domain slot and message type of a ROUTE.MESSAGE call. */
export const slotFor = new Int8Array(HINT_ROWS).fill(-1)
export const typeFor = new Int32Array(HINT_ROWS)
/** Errno of a ROUTE.REFUSED call; ENOSYS for unknown numbers. */
export const errnoFor = new Int32Array(HINT_ROWS).fill(E.NOSYS)
/** LOCAL.* of a ROUTE.LOCAL call. */
export const localFor = new Uint8Array(HINT_ROWS)
/** 1: moved in pieces (args.ts: bulk, iov); 2: by a socket call, which gives nothing back. */
export const chunked = new Uint8Array(HINT_ROWS)
/** Bit i: argument i has a prefetch hint. */
export const hinted = new Uint8Array(HINT_ROWS)
/** HINT.* or byte count, 6 per number. */
export const hints = new Uint16Array(HINT_ROWS * 6)
/** Cell that holds the signal mask to wait with (ppoll, pselect6, epoll_pwait), -1: none. */
export const maskCell = new Int8Array(HINT_ROWS).fill(-1)
/** How many arguments a call has (6 for a number nobody knows), and whether any of them points to something (1). */
export const argumentCount = new Uint8Array(HINT_ROWS).fill(6)
export const pointers = new Uint8Array(HINT_ROWS).fill(1)
/** Where the steps of a number begin in `code`. */
export const start = new Int32Array(HINT_ROWS)
export const rows: (Row | undefined)[] = new Array<Row | undefined>(HINT_ROWS).fill(undefined)
export const specs: (readonly ArgSpec[])[] = new Array<readonly ArgSpec[]>(HINT_ROWS).fill([])

const CONSTANTS: Readonly<Record<string, number>> = { AT_FDCWD: AT.FDCWD, AT_SYMLINK_NOFOLLOW: AT.SYMLINK_NOFOLLOW }
const CONVERSIONS: Readonly<Record<string, number>> = {
  ms: DO.MS,
  tv: DO.TV,
  ss: DO.SS,
  ioctl: DO.IOCTL,
  fcntl: DO.FCNTL,
  prctl: DO.PRCTL,
  ptid: DO.PTID,
  pidfd: DO.PIDFD,
  clone3: DO.CLONE3,
  futex: DO.FUTEX,
  cap: DO.CAP,
  ptrace: DO.PTRACE,
  ptracevec: DO.PTRACEVEC,
  rem: DO.REM,
  attr: DO.ATTR,
  room: DO.ROOM,
  send: DO.SEND_BUFFER,
  receive: DO.RECEIVE_BUFFER,
  sendhdr: DO.HEADER_IN,
  recvhdr: DO.HEADER_OUT,
  piece: DO.PIECE,
  several: DO.SEVERAL,
  shmctl: DO.SHMCTL,
  semctl: DO.SEMCTL,
  msgctl: DO.MSGCTL,
  sembuf: DO.SEMBUF,
  msgsnd: DO.MSGSND,
  msgrcv: DO.MSGRCV,
  part: DO.PART,
}
/** Message cells of a conversion that fills more than one. */
export const CELLS: Readonly<Record<string, number>> = { clone3: 7, sendhdr: 4, recvhdr: 5 }
const CHECKS: Readonly<Record<string, number>> = {
  how: DO.HOW,
  sigset: DO.SIGSET,
  positive: DO.POSITIVE,
  nokey: DO.NOKEY,
  word: DO.WORD,
  present: DO.PRESENT,
  nonnegative: DO.NONNEGATIVE,
  current: DO.CURRENT,
  events: DO.EVENTS,
}
/** One message cell as the table says it: for tests and documentation. */
export interface Cell {
  readonly text: string
  readonly arg: number
  readonly cell: number
  readonly conversion: string
}

/** The cells of a row: argument indices, constants (-1) and checks (cell -1). */
export function cellsOf(row: Row, args: readonly ArgSpec[]): Cell[] {
  const text = row[4] === undefined || row[4] === '' ? args.map(a => a.name).join(' ') : row[4]
  let cell = 0
  return (text === '' ? [] : text.split(' ')).map(word => {
    const check = word[0] === '?'
    const [name = '', conversion = ''] = (check ? word.slice(1) : word).split('.')
    const arg = args.findIndex(a => a.name === name)
    const known = arg >= 0 || name === 'null' || name === 'sp' || name in CONSTANTS || /^-?\d+$/.test(name)
    if (!known) throw new Error(`${row[1]}: no argument ${word}`)
    const at = check || conversion === 'len' ? -1 : cell
    if (!check) cell += CELLS[conversion] ?? 1
    return { text: word, arg, cell: conversion === 'len' ? cell - 1 : at, conversion }
  })
}

const SOCKET_DATA: ReadonlySet<string> = new Set(['FS.SEND', 'FS.RECV'])
const MASKED: ReadonlySet<string> = new Set(['FS.POLL', 'FS.SELECT', 'FS.EPOLL_WAIT'])
const MASKS: ReadonlySet<string> = new Set(['sigset', 'sigset_argpack'])

const program: number[] = new Array<number>(STEP).fill(0)

function emit(...words: number[]): void {
  for (let i = 0; i < STEP; i++) program.push(words[i] ?? 0)
}

function compileRow(row: Row): void {
  const [nr, name, text, to] = row
  const args = parseArgs(name, text)
  rows[nr] = row
  specs[nr] = args
  argumentCount[nr] = args.length
  setRoute(nr, to)
  const isMessage = route[nr] === ROUTE.MESSAGE
  // refused calls: strings all the same, for traces
  for (const [i, a] of args.entries())
    setHint(nr, i, route[nr] !== ROUTE.REFUSED || a.kind === 'string' ? hintFor(a, i) : HINT.NONE)
  if (route[nr] === ROUTE.REFUSED) return
  const cells = isMessage ? cellsOf(row, args) : []
  pointers[nr] = args.some(a => a.kind !== 'value') || cells.some(c => c.conversion !== '') ? 1 : 0
  if (MASKED.has(to)) maskCell[nr] = cells.find(c => c.cell >= 0 && MASKS.has(args[c.arg]?.type ?? ''))?.cell ?? -1
  if (args.some(a => a.kind === 'bulk' || a.kind === 'iov' || a.kind === 'msghdr')) chunked[nr] = SOCKET_DATA.has(to) ? 2 : 1
  start[nr] = program.length
  for (const cell of cells) compileCell(cell, args, cells)
  emit(DO.END)
}
function setRoute(nr: number, to: Target): void {
  const { slot, type } = messageOf(to)
  if (slot >= 0) {
    route[nr] = ROUTE.MESSAGE
    slotFor[nr] = slot
    typeFor[nr] = type
  } else if (to.startsWith('LOCAL.')) {
    route[nr] = ROUTE.LOCAL
    localFor[nr] = LOCAL[to.slice(6) as keyof typeof LOCAL]
  } else {
    route[nr] = ROUTE.REFUSED
    errnoFor[nr] = E[to.slice(1) as ErrnoName]
  }
}
function setHint(nr: number, i: number, hint: number): void {
  hints[nr * 6 + i] = hint
  if (hint !== HINT.NONE) hinted[nr] = (hinted[nr] as number) | (1 << i)
}

function compileCell(c: Cell, args: readonly ArgSpec[], cells: readonly Cell[]): void {
  if (c.text[0] === '?') emit(CHECKS[c.conversion] ?? -1, c.arg, -1)
  else if (c.text === 'null') emit(DO.NULL, 0, c.cell)
  else if (c.text === 'sp') emit(DO.SP, 0, c.cell)
  else if (c.arg < 0) emit(DO.CONST, 0, c.cell, CONSTANTS[c.text] ?? Number(c.text))
  else if (c.conversion === 'len') return
  else if (c.conversion === 'several') emit(DO.SEVERAL, c.arg, c.cell, args.length > 4 ? 1 : 0)
  else if (c.conversion === 'send' || c.conversion === 'receive')
    emit(CONVERSIONS[c.conversion] as number, c.arg, c.cell, args[c.arg]?.count)
  else if (c.conversion !== '')
    emit(CONVERSIONS[c.conversion] ?? -1, c.arg, c.cell, args[c.arg]?.out ? 1 : 0, args[c.arg]?.optional ? 1 : 0)
  else compileArg(c.arg, c.cell, args, cells)
}

function compileArg(i: number, cell: number, args: readonly ArgSpec[], cells: readonly Cell[]): void {
  const a = args[i] as ArgSpec
  const optional = a.optional ? 1 : 0
  const lengthCell = cells.find(c => c.conversion === 'len' || (c.cell >= 0 && a.count >= 0 && c.arg === a.count))?.cell ?? -1
  if (a.kind === 'value') compileValue(i, cell, args)
  else if (a.kind === 'string') emit(DO.STRING, i, cell, optional)
  else if (a.kind === 'struct' && !a.out) emit(DO.IN, i, cell, a.size, optional)
  else if (a.kind === 'struct') emit(a.in ? DO.INOUT : DO.OUT, i, cell, a.size, optional, a.copied, a.when)
  else if (a.kind === 'bulk') emit(a.in ? DO.BULK_IN : DO.BULK_OUT, i, cell, a.count, lengthCell)
  else if (a.kind === 'sockaddr') emit(addressStep(a), i, cell, a.count, optional)
  else if (a.kind === 'iov') emit(a.in ? DO.IOV_IN : DO.IOV_OUT, i, cell, a.count, lengthCell)
  else if (a.kind === 'fd_set') emit(DO.FD_SET, i, cell, a.count, optional)
  else if (a.type === 'mincore') emit(DO.MINCORE, i, cell, a.count)
  else if (a.in && a.out) emit(DO.ARRAY, i, cell, a.count, a.size)
  else if (a.in)
    emit(DO.BYTES_IN, i, cell, a.count, a.size, lengthCell, a.name === 'value' || a.name === 'how' ? E.TOOBIG : E.INVAL)
  else emit(DO.BYTES_OUT, i, cell, a.count, a.size, lengthCell)
}

function addressStep(a: ArgSpec): number {
  if (a.type === 'optval') return a.in ? DO.OPTION_IN : DO.OPTION_OUT
  return a.in ? DO.ADDRESS_IN : DO.ADDRESS_OUT
}

/** A value, unless the buffer it counts has put it (clamped) in its cell already; file offsets move on with the pieces. */
function compileValue(i: number, cell: number, args: readonly ArgSpec[]): void {
  const a = args[i] as ArgSpec
  const counted = args.find(b => b.count === i)
  const pieces = args.some(b => b.kind === 'bulk' || b.kind === 'iov')
  if (counted?.kind === 'fd_set') emit(DO.NFDS, i, cell)
  else if (
    counted !== undefined &&
    counted.kind !== 'iov' &&
    counted.kind !== 'sockaddr' &&
    (counted.kind === 'bulk' || (counted.out !== counted.in && counted.type !== 'mincore'))
  )
    return
  else if (pieces && a.type === 'off') emit(DO.POS, i, cell)
  else emit(a.width === 'int' ? DO.INT : a.width === 'uint' ? DO.UINT : DO.LONG, i, cell)
}

for (const row of SYSCALLS) compileRow(row)
/** All steps of all rows. */
export const code = Int32Array.from(program)

/** Content of the info page's hint table: HINT_ROWS rows of 6 u16 (HINT.* or bytes), a u32 spare. */
export function prefetchHints(): Uint8Array {
  const out = new Uint8Array(HINT_ROWS * 16)
  const view = new DataView(out.buffer)
  for (const [k, hint] of hints.entries()) view.setUint16(Math.floor(k / 6) * 16 + (k % 6) * 2, hint, true)
  return out
}
/** Is there a row for this number? Others are answered ENOSYS and counted. */
export function isKnown(nr: number): boolean {
  return nr >= 0 && nr < HINT_ROWS && route[nr] !== ROUTE.UNKNOWN
}
