// msgsnd and msgrcv (ipc/msg.c): texts by type, senders that wait for room, receivers that wait for a text.
// Invariants: no waiting receiver would take any text of its queue; the first waiting sender's text doesn't fit.
import { E } from '../../abi/errno.ts'
import { high, int, type Message, SUSPEND, uint, ulong } from '../../abi/message.ts'
import type { CallVector } from '../../lib/server.ts'
import { IPC } from '../../protocol/ipc.ts'
import type { Queue, Receiver, Sender, Text } from './msg.ts'
import { IPC_NOWAIT, permits, READ, WRITE } from './perm.ts'
import { answer, callerOf, type IpcState, seconds } from './state.ts'

const MSG_NOERROR = 0o10000
const MSG_EXCEPT = 0o20000
const MSG_COPY = 0o40000
const TYPE_BYTES = 8
const LONG_MAX = 2n ** 63n - 1n
/** Bytes of text all queues may hold together. */
const TEXT_MAX = 64 << 20

/** More or less text in a queue. */
function weigh(state: IpcState, q: Queue, bytes: number): void {
  q.bytes += bytes
  state.text += bytes
}
function fits(q: Queue, text: Text): boolean {
  return q.bytes + text.bytes.length <= q.most && q.messages.length + 1 <= q.most
}
/** Does a receiver that asks for `type` take `text`? */
function takes(text: Text, type: bigint, flags: number): boolean {
  if (type === 0n) return true
  if (type < 0n) return text.type <= -type
  return flags & MSG_EXCEPT ? text.type !== type : text.type === type
}
/** Place of the text that is next for such a receiver, -1: none. Below 0: the lowest type. With MSG_COPY `type` is the place. */
function next(q: Queue, type: bigint, flags: number): number {
  if (flags & MSG_COPY) return type >= 0n && type < BigInt(q.messages.length) ? Number(type) : -1
  let found = -1
  for (const [k, text] of q.messages.entries()) {
    if (!takes(text, type, flags)) continue
    if (type >= 0n) return k
    if (found < 0 || text.type < (q.messages[found] as Text).type) found = k
  }
  return found
}

export function messageCalls(state: IpcState): CallVector {
  const { queues, limits, sys } = state

  function MSGSND(m: Message, from: number): number {
    const id = int(m, 0)
    const at = uint(m, 1)
    const size = ulong(m, 2)
    if (high(m, 1) < TYPE_BYTES) return -E.FAULT
    if (size > limits.msgmax || id < 0) return -E.INVAL
    const type = sys.view.getBigInt64(at, true)
    if (type < 1n) return -E.INVAL
    if (high(m, 1) < TYPE_BYTES + size) return -E.FAULT
    const q = queues.find(id)
    const by = callerOf(state, from)
    if (q === undefined || by === undefined) return -E.INVAL
    if (!permits(q, by, WRITE)) return -E.ACCES
    const text = { type, bytes: sys.mem.slice(at + TYPE_BYTES, at + TYPE_BYTES + size) }
    if (fits(q, text)) return state.text + size > TEXT_MAX ? -E.NOMEM : send(state, q, text, by.pid)
    if (int(m, 3) & IPC_NOWAIT) return -E.AGAIN
    const row: Sender = { kind: 'send', endpoint: from, pid: by.pid, id, text }
    q.senders.push(row)
    state.waits.set(from, row)
    return SUSPEND
  }

  function MSGRCV(m: Message, from: number): number {
    const id = int(m, 0)
    const flags = int(m, 4)
    const size = ulong(m, 2)
    if (id < 0 || size >= 2 ** 63) return -E.INVAL
    if (flags & MSG_COPY && (flags & MSG_EXCEPT || !(flags & IPC_NOWAIT))) return -E.INVAL
    const q = queues.find(id)
    const by = callerOf(state, from)
    if (q === undefined || by === undefined) return -E.INVAL
    if (!permits(q, by, READ)) return -E.ACCES
    const type = typeOf(m)
    const row: Receiver = { kind: 'receive', endpoint: from, pid: by.pid, id, at: uint(m, 1), room: size, type, flags }
    const k = next(q, type, flags)
    if (k >= 0) return receive(row, q, k)
    if (flags & IPC_NOWAIT) return -E.NOMSG
    q.receivers.push(row)
    state.waits.set(from, row)
    return SUSPEND
  }
  /** Cell 3, whole. The least there is means as much as the one above it. */
  function typeOf(m: Message): bigint {
    const type = (BigInt(high(m, 3)) << 32n) | BigInt(uint(m, 3))
    return type < -LONG_MAX ? -LONG_MAX : type
  }
  function receive(row: Receiver, q: Queue, k: number): number {
    const text = q.messages[k] as Text
    const tooLong = text.bytes.length > row.room
    if (tooLong && !(row.flags & MSG_NOERROR)) return -E.TOOBIG
    if (row.flags & MSG_COPY) return tooLong ? -E.INVAL : hand(state, row, text)
    q.messages.splice(k, 1)
    weigh(state, q, -text.bytes.length)
    q.rtime = seconds(state)
    q.lrpid = row.pid
    const n = hand(state, row, text)
    admit(state, q)
    return n
  }

  return { [IPC.MSGSND]: MSGSND, [IPC.MSGRCV]: MSGRCV }
}

/** Into the receiver's grant: type and text → bytes of text. */
function hand(state: IpcState, row: Receiver, text: Text): number {
  const n = Math.min(text.bytes.length, row.room)
  state.sys.view.setBigInt64(row.at, text.type, true)
  state.sys.mem.set(text.bytes.subarray(0, n), row.at + TYPE_BYTES)
  return n
}

/** A text that fits goes to the first who waits for such a one and has room for it (those who haven't go away empty), or into the queue. */
function send(state: IpcState, q: Queue, text: Text, pid: number): number {
  q.lspid = pid
  q.stime = seconds(state)
  for (const row of q.receivers.slice()) {
    if (!takes(text, row.type, row.flags)) continue
    q.receivers.splice(q.receivers.indexOf(row), 1)
    if (text.bytes.length > row.room && !(row.flags & MSG_NOERROR)) answer(state, row, -E.TOOBIG)
    else {
      q.lrpid = row.pid
      q.rtime = seconds(state)
      answer(state, row, hand(state, row, text))
      return 0
    }
  }
  q.messages.push(text)
  weigh(state, q, text.bytes.length)
  return 0
}
/** There is more room: whose text fits is done, unless he may no longer. */
function admit(state: IpcState, q: Queue): void {
  for (const row of q.senders.slice()) {
    if (!fits(q, row.text)) continue
    q.senders.splice(q.senders.indexOf(row), 1)
    answer(state, row, may(state, q, row, WRITE) ? send(state, q, row.text, row.pid) : -E.ACCES)
  }
}
function may(state: IpcState, q: Queue, row: Sender | Receiver, wanted: number): boolean {
  const by = callerOf(state, row.endpoint)
  return by !== undefined && permits(q, by, wanted)
}

/** Owner, permissions or room have changed (IPC_SET). */
export function recheckWaits(state: IpcState, q: Queue): void {
  for (const row of q.receivers.slice()) {
    if (may(state, q, row, READ)) continue
    q.receivers.splice(q.receivers.indexOf(row), 1)
    answer(state, row, -E.ACCES)
  }
  admit(state, q)
}
/** The queue is no more. */
export function emptyQueue(state: IpcState, q: Queue): void {
  weigh(state, q, -q.bytes)
  for (const row of [...q.senders, ...q.receivers]) answer(state, row, -E.IDRM)
  q.senders.length = 0
  q.receivers.length = 0
}
/** A wait ends without having got what it wanted; undefined: its thread is gone. */
export function leaveQueue(state: IpcState, row: Sender | Receiver, result: number | undefined): void {
  const q = state.queues.find(row.id)
  const rows = row.kind === 'send' ? q?.senders : q?.receivers
  const at = (rows as (Sender | Receiver)[] | undefined)?.indexOf(row) ?? -1
  if (at >= 0) rows?.splice(at, 1)
  if (result !== undefined) answer(state, row, result)
}
