// process_vm_readv and process_vm_writev (mm/process_vm_access.c): memory of one process copied to or from another's. The caller's side
// comes in pieces (container/linux/buffers.ts), the other is walked anew for each of them.
import { E } from '../../abi/errno.ts'
import { high, int, long, type Message, uint, ulong } from '../../abi/message.ts'
import { PROT_READ, PROT_WRITE } from '../../abi/mman.ts'
import type { CallVector } from '../../lib/server.ts'
import { VM } from '../../protocol/vm.ts'
import { readAt, rowOfPid, writeAt } from './reach.ts'
import type { Row, State } from './state.ts'

const IOV_MAX = 1024
const IOV_BYTES = 16

export function copyCalls(state: State): CallVector {
  const { sys } = state
  /** The iovecs at sys.buffer: bytes in all, or -errno. */
  function remote(row: Row, address: number, count: number): number {
    if (count > IOV_MAX) return -E.INVAL
    const bytes = count * IOV_BYTES
    if (readAt(state, row, address, sys.buffer, bytes, PROT_READ) < bytes) return -E.FAULT
    let total = 0
    for (let at = sys.buffer; at < sys.buffer + bytes; at += IOV_BYTES) {
      if (sys.view.getInt32(at + 12, true) < 0) return -E.INVAL
      total += length(at)
    }
    return total
  }
  const length = (at: number): number => Number(sys.view.getBigUint64(at + 8, true))

  function transfer(m: Message, from: number, isWrite: boolean): number {
    const row = state.caller(from)
    if (row === undefined) return -E.SRCH
    const bytes = long(m, 2)
    if (ulong(m, 5) !== 0) return -E.INVAL
    if (bytes <= 0) return bytes
    const count = ulong(m, 4)
    const total = remote(row, ulong(m, 3), count)
    const done = uint(m, 6)
    if (total <= done) return Math.min(total, 0)
    const other = rowOfPid(state, row, int(m, 0) || -1)
    if (typeof other === 'number') return other
    const moved = move(other, { at: uint(m, 1), bytes: high(m, 1) }, count, done, isWrite)
    return moved > 0 ? moved : -E.FAULT
  }
  /** Between `local` and the iovecs at sys.buffer, of which the first `skip` bytes are done: how many bytes. */
  function move(other: Row, local: { at: number; bytes: number }, count: number, skip: number, isWrite: boolean): number {
    let moved = 0
    let left = skip
    for (let k = 0; k < count && moved < local.bytes; k++) {
      const at = sys.buffer + k * IOV_BYTES
      const here = length(at) - left
      if (here <= 0) {
        left -= length(at)
        continue
      }
      const address = Number(sys.view.getBigUint64(at, true)) + left
      left = 0
      const take = Math.min(here, local.bytes - moved)
      const got = isWrite
        ? writeAt(state, other, address, local.at + moved, take, PROT_WRITE)
        : readAt(state, other, address, local.at + moved, take, PROT_READ)
      moved += got
      if (got < take) break
    }
    return moved
  }

  return {
    [VM.PROCESS_READV]: (m, from) => transfer(m, from, false),
    [VM.PROCESS_WRITEV]: (m, from) => transfer(m, from, true),
  }
}
