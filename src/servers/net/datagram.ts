// Taking a datagram out of a queue: its address, as much of it as there is room for, the rest lost.
import { MSG } from '../../abi/socket.ts'
import { writeAddress } from './address.ts'
import { peek, pop, REC, recordAt, word } from './queue.ts'
import type { NetState, Row, Sock } from './state.ts'

/** The first one, which is there → the call's result. */
export function takeDatagram(net: NetState, s: Sock, row: Row): number {
  const q = s.queue
  const i = recordAt(q, 0)
  const len = word(q, i, REC.LEN)
  const bytes = Math.min(len, row.len)
  const sender = q.from[i]
  if (row.nameLen > 0 && sender) row.address = writeAddress(net, sender, row.nameAt, row.nameLen)
  peek(q, 0, net.sys.mem, row.at, bytes)
  if (len > row.len) row.gave |= MSG.TRUNC
  if ((row.flags & MSG.PEEK) === 0) pop(net, q)
  return (row.flags & MSG.TRUNC) !== 0 ? len : bytes
}
