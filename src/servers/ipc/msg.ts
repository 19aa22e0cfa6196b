// Message queues: msgget and msgctl (ipc/msg.c). Sending and receiving are in message.ts.
import { E } from '../../abi/errno.ts'
import { high, int, type Message, uint } from '../../abi/message.ts'
import type { CallVector } from '../../lib/server.ts'
import { IPC } from '../../protocol/ipc.ts'
import { emptyQueue, recheckWaits } from './message.ts'
import { CMD, getByKey, newPerm, owns, type Perm, permits, READ, readPerm, writePerm } from './perm.ts'
import { CAP, type Caller, callerOf, can, type IpcState, seconds } from './state.ts'

const MSG_STAT = 11
const MSG_INFO = 12
const MSG_STAT_ANY = 13
/** struct msqid64_ds and msginfo. */
const DS = { STIME: 48, RTIME: 56, CTIME: 64, CBYTES: 72, QNUM: 80, QBYTES: 88, LSPID: 96, LRPID: 100, BYTES: 120 } as const
const MSGSSZ = 16
const MSGSEG = 0xffff

export interface Text {
  /** The message's type, 1 or more: 64 bits, since guests compare them whole. */
  readonly type: bigint
  readonly bytes: Uint8Array
}
export interface Queue extends Perm {
  readonly messages: Text[]
  bytes: number
  /** Bytes it may hold, and messages. */
  most: number
  lspid: number
  lrpid: number
  stime: number
  rtime: number
  ctime: number
  readonly senders: Sender[]
  readonly receivers: Receiver[]
}
/** A msgsnd that waits for room. */
export interface Sender {
  readonly kind: 'send'
  readonly endpoint: number
  readonly pid: number
  readonly id: number
  readonly text: Text
}
/** A msgrcv that waits: `at` its grant, `room` bytes of text in it. */
export interface Receiver {
  readonly kind: 'receive'
  readonly endpoint: number
  readonly pid: number
  readonly id: number
  readonly at: number
  readonly room: number
  readonly type: bigint
  readonly flags: number
}

export function msgCalls(state: IpcState): CallVector {
  const { queues, limits, sys } = state

  function MSGGET(m: Message, from: number): number {
    const by = callerOf(state, from)
    if (by === undefined) return -E.SRCH
    const key = int(m, 0)
    const flags = int(m, 1)
    return getByKey(queues, by, key, flags, () => true, () => make(by, key, flags))
  }
  function make(by: Caller, key: number, flags: number): number {
    const queue: Queue = {
      ...newPerm(by, key, flags), messages: [], bytes: 0, most: limits.msgmnb, lspid: 0, lrpid: 0, stime: 0, rtime: 0,
      ctime: seconds(state), senders: [], receivers: [],
    }
    const full = queues.add(queue, limits.msgmni)
    return full < 0 ? full : queue.id
  }

  function MSGCTL(m: Message, from: number): number {
    const id = int(m, 0)
    const cmd = int(m, 1)
    const by = callerOf(state, from)
    if (id < 0 || cmd < 0 || by === undefined) return -E.INVAL
    switch (cmd) {
      case CMD.INFO:
      case MSG_INFO:
        return info(m, cmd)
      case CMD.STAT:
      case MSG_STAT:
      case MSG_STAT_ANY:
        return stat(m, by, cmd === CMD.STAT ? queues.find(id) : queues.at(id & 0x7fff), cmd)
      case CMD.SET:
        return set(m, by)
      case CMD.RMID:
        return remove(by, queues.find(id))
      default:
        return -E.INVAL
    }
  }
  function info(m: Message, cmd: number): number {
    const { msgmax, msgmnb, msgmni } = limits
    const all = queues.list()
    const [pool, map, total] =
      cmd === MSG_INFO
        ? [queues.size, all.reduce((sum, q) => sum + q.messages.length, 0), all.reduce((sum, q) => sum + q.bytes, 0)]
        : [(msgmni * msgmnb) / 1024, msgmnb, msgmnb]
    const words = [pool, map, msgmax, msgmnb, msgmni, MSGSSZ, total, MSGSEG]
    for (const [k, word] of words.entries()) sys.view.setInt32(uint(m, 2) + 4 * k, word, true)
    return queues.top
  }
  function stat(m: Message, by: Caller, q: Queue | undefined, cmd: number): number {
    if (q === undefined) return -E.INVAL
    if (cmd !== MSG_STAT_ANY && !permits(q, by, READ)) return -E.ACCES
    const at = uint(m, 2)
    const { view } = sys
    writePerm(state, q, at)
    const longs = [[DS.STIME, q.stime], [DS.RTIME, q.rtime], [DS.CTIME, q.ctime], [DS.CBYTES, q.bytes], [DS.QNUM, q.messages.length], [DS.QBYTES, q.most]] as const
    for (const [field, v] of longs) view.setBigUint64(at + field, BigInt(v), true)
    view.setInt32(at + DS.LSPID, q.lspid, true)
    view.setInt32(at + DS.LRPID, q.lrpid, true)
    return cmd === CMD.STAT ? 0 : q.id
  }
  function set(m: Message, by: Caller): number {
    if (high(m, 2) < DS.BYTES) return -E.FAULT
    const q = queues.find(int(m, 0))
    if (q === undefined) return -E.INVAL
    if (!owns(q, by)) return -E.PERM
    const most = Number(sys.view.getBigUint64(uint(m, 2) + DS.QBYTES, true))
    if (most > limits.msgmnb && !can(by, CAP.SYS_RESOURCE)) return -E.PERM
    const wrong = readPerm(state, q, uint(m, 2))
    if (wrong < 0) return wrong
    q.most = most
    q.ctime = seconds(state)
    recheckWaits(state, q)
    return 0
  }
  function remove(by: Caller, q: Queue | undefined): number {
    if (q === undefined) return -E.INVAL
    if (!owns(q, by)) return -E.PERM
    queues.remove(q)
    emptyQueue(state, q)
    return 0
  }

  return { [IPC.MSGGET]: MSGGET, [IPC.MSGCTL]: MSGCTL }
}
