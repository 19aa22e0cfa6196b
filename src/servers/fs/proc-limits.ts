// /proc/PID/limits: PM keeps the limits (PRLIMIT64), getrlimit(2) says what they mean.
import { EP, setGrant, setInt, TYPE } from '../../abi/message.ts'
import { PM } from '../../protocol/pm.ts'
import type { Found } from './proc-process.ts'
import type { FsState } from './state.ts'

/** In Linux's order: resource number, name, unit. */
const ROWS: readonly (readonly [resource: number, name: string, unit: string])[] = [
  [0, 'Max cpu time', 'seconds'],
  [1, 'Max file size', 'bytes'],
  [2, 'Max data size', 'bytes'],
  [3, 'Max stack size', 'bytes'],
  [4, 'Max core file size', 'bytes'],
  [5, 'Max resident set', 'bytes'],
  [6, 'Max processes', 'processes'],
  [7, 'Max open files', 'files'],
  [8, 'Max locked memory', 'bytes'],
  [9, 'Max address space', 'bytes'],
  [10, 'Max file locks', 'locks'],
  [11, 'Max pending signals', 'signals'],
  [12, 'Max msgqueue size', 'bytes'],
  [13, 'Max nice priority', ''],
  [14, 'Max realtime priority', ''],
  [15, 'Max realtime timeout', 'us'],
]

export function limitsText(state: FsState, about: Found): string {
  const { buffer, view } = state.sys
  let text = `${'Limit'.padEnd(26)}${'Soft Limit'.padEnd(21)}${'Hard Limit'.padEnd(21)}Units     \n`
  for (const [resource, name, unit] of ROWS) {
    const m = state.out
    m.fill(0)
    m[TYPE] = PM.PRLIMIT64
    setInt(m, 0, about.pid)
    setInt(m, 1, resource)
    setGrant(m, 3, buffer, 16)
    if (state.sys.sendrec(EP.PM, m) < 0) return ''
    const soft = limit(view, buffer)
    const hard = limit(view, buffer + 8)
    text += `${name.padEnd(26)}${soft.padEnd(21)}${hard.padEnd(21)}${unit.padEnd(10)}\n`
  }
  return text
}
function limit(view: DataView, at: number): string {
  const low = view.getUint32(at, true)
  const high = view.getUint32(at + 4, true)
  return low === 0xffffffff && high === 0xffffffff ? 'unlimited' : String(high * 2 ** 32 + low)
}
