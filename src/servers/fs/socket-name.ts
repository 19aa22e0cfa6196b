// AF_UNIX names in the file system (unix(7), Pathname sockets): bind makes a node, connect and send find the socket bound to it.
import { E } from '../../abi/errno.ts'
import { AT, MAY, S } from '../../abi/fcntl.ts'
import { EP, type Message } from '../../abi/message.ts'
import { AF, SOCKADDR_UN, UN_PATH } from '../../abi/socket.ts'
import type { Fproc, Inode, OpenFile } from './inode.ts'
import { WALK, Walk, walk } from './namei.ts'
import { makeSocketNode } from './names.ts'
import { parsePath, textAt } from './path.ts'
import { permission } from './permission.ts'
import type { OpenSocket } from './socket.ts'
import { dropInode, type FsState, holdInode } from './state.ts'

const nd = new Walk()

/** Is it an AF_UNIX address with a path, for a socket of that family? */
export function isName(state: FsState, file: OpenFile, at: number, len: number): boolean {
  if ((file.priv as OpenSocket).family !== AF.UNIX || len <= UN_PATH || len > SOCKADDR_UN) return false
  return state.sys.view.getUint16(at, true) === AF.UNIX && state.sys.mem[at + UN_PATH] !== 0
}

/** bind: the node is made first and taken away again when NET refuses the name (unix_bind_bsd). r: the request for NET. */
export function bindName(state: FsState, fproc: Fproc, file: OpenFile, r: Message, at: number, len: number): number {
  const path = parsePath(textAt(state.sys.mem, at + UN_PATH, len - UN_PATH))
  const made = makeSocketNode(state, fproc, path, file.inode.mode & 0o7777, nd)
  if (made < 0) return made === -E.EXIST ? -E.ADDRINUSE : made
  const parent = nd.parent as Inode
  const node = holdInode(nd.inode as Inode)
  const result = state.sys.sendrec(EP.NET, r)
  if (result < 0) {
    parent.fs.unlink(parent, nd.name)
    dropInode(node)
    return result
  }
  ;(file.priv as OpenSocket).node = node
  state.sockets.names.set(node, file)
  return 0
}

/** The socket a path leads to → NET's number; 0: the address is no path; -errno. */
export function findName(state: FsState, fproc: Fproc, file: OpenFile, at: number, len: number): number {
  if (!isName(state, file, at, len)) return 0
  const path = parsePath(textAt(state.sys.mem, at + UN_PATH, len - UN_PATH))
  const r = walk(state, fproc, nd, AT.FDCWD, path, WALK.FOLLOW)
  if (r < 0) return r
  const inode = nd.inode as Inode
  const may = permission(inode, MAY.WRITE, fproc.cred)
  if (may < 0) return may
  if ((inode.mode & S.IFMT) !== S.IFSOCK) return -E.CONNREFUSED
  const bound = state.sockets.names.get(inode)
  return bound === undefined ? -E.CONNREFUSED : (bound.priv as OpenSocket).id
}
