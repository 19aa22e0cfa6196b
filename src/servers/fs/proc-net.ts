// /proc/net: tables the network server writes (servers/net/tables.ts).
import { EP, int, message, setGrant, setInt, TYPE } from '../../abi/message.ts'
import { NET_TABLE, SDEV } from '../../protocol/sdev.ts'
import { textAt } from './path.ts'
import type { ProcFile, ProcTable } from './procfs.ts'
import type { FsState } from './state.ts'

const m = message()
function tableText(state: FsState, table: number): string {
  const { sys } = state
  let text = ''
  let cursor = 0
  do {
    m.fill(0)
    m[TYPE] = SDEV.TABLE
    setInt(m, 0, table)
    setInt(m, 1, cursor)
    setGrant(m, 2, sys.buffer, sys.bufferSize)
    const bytes = sys.sendrec(EP.NET, m)
    if (bytes < 0) break
    text += textAt(sys.mem, sys.buffer, bytes)
    cursor = int(m, 1)
  } while (cursor > 0)
  return text
}
export const netTable: ProcTable = Object.fromEntries(
  Object.entries(NET_TABLE).map(([name, table]): [string, ProcFile] => [
    name,
    { type: 'file', mode: 0o444, text: state => tableText(state, table) },
  ]),
)
