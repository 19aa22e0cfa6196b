// Options of AF_UNIX sockets: SOL_SOCKET's, and what only these have.
import { E } from '../../abi/errno.ts'
import { SO, SOL } from '../../abi/socket.ts'
import { getSocketOption, intError, putInt, putWords, setSocketOption } from './options.ts'
import type { NetState, Sock } from './state.ts'
import type { UnixSock } from './unix.ts'

export function setUnixOption(
  net: NetState,
  s: Sock,
  level: number,
  name: number,
  at: number,
  len: number,
  room: number,
  endpoint: number,
): number {
  if (level !== SOL.SOCKET) return -E.OPNOTSUPP
  if (name === SO.PASSCRED) {
    const wrong = intError(len, room)
    if (wrong === 0) s.passcred = net.sys.view.getInt32(at, true) !== 0
    return wrong
  }
  if (name === SO.REUSEPORT && intError(len, room) === 0 && net.sys.view.getInt32(at, true) !== 0) return -E.OPNOTSUPP
  return setSocketOption(net, s, name, at, len, room, endpoint) ?? -E.NOPROTOOPT
}

export function getUnixOption(net: NetState, s: Sock, level: number, name: number, at: number, room: number): number {
  if (level !== SOL.SOCKET) return -E.OPNOTSUPP
  const u = s as UnixSock
  switch (name) {
    case SO.PASSCRED:
      return putInt(net, at, room, s.passcred ? 1 : 0)
    case SO.ACCEPTCONN:
      return putInt(net, at, room, u.state === LISTENING ? 1 : 0)
    case SO.PEERCRED: {
      const { pid, uid, gid } = u.credential
      return putWords(net, at, room, [pid, uid, gid])
    }
    case SO.PEERNAME: {
      if (u.peer === null) return -E.NOTCONN
      const len = s.ops.name(net, s, true, at, room)
      return len > room ? -E.INVAL : room
    }
    case SO.PEERGROUPS:
      return u.credential.uid < 0 ? -E.NODATA : 0
  }
  return getSocketOption(net, s, name, at, room) ?? -E.NOPROTOOPT
}
const LISTENING = 2
