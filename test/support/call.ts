// A guest in miniature for tests of the system-call table: one channel slot, 64 KiB of guest memory, and a stub that prefetches by the
// hints and fetches what decode wants.
import { CH, DATA_OFF, HINT, OP, OP_BYTES, OPF, REG, SLOT_BYTES } from '../../src/abi/channel.ts'
import { high, int, message } from '../../src/abi/message.ts'
import { copyOuts, decode, NEED } from '../../src/container/linux/decode.ts'
import { newOutList, newWantList, type ThreadView, WANT } from '../../src/container/linux/operands.ts'
import { hints } from '../../src/container/linux/program.ts'
import { type Row, SYSCALLS } from '../../src/container/linux/syscalls.ts'
import { setReg } from '../../src/container/linux/thread.ts'

const byName = new Map(SYSCALLS.map(row => [row[1], row]))
export const nrOf = (name: string): number => (byName.get(name) as Row)[0]

export const BASE = SLOT_BYTES
/** A guest's memory in miniature: one page at 0x10000. */
export const PAGE = 0x10000

/** Two addresses in it. */
export const A = PAGE + 0x100
export const B = PAGE + 0x1000

export class Guest implements ThreadView {
  readonly buffer = new ArrayBuffer(2 * SLOT_BYTES)
  readonly mem = new Uint8Array(this.buffer)
  readonly i32 = new Int32Array(this.buffer)
  readonly u32 = new Uint32Array(this.buffer)
  readonly view = new DataView(this.buffer)
  readonly arena = { buffer: this.buffer, mem: this.mem, i32: this.i32, u32: this.u32, view: this.view, address: 0 }
  readonly memory = new Uint8Array(0x10000)
  base = BASE
  proc = 0
  message = message()
  readonly outs = newOutList()
  readonly wants = newWantList()
  pass = 0
  bump = 0
  end = 0
  nr = 0
  step = 0
  local: unknown = null
  nops = 0
  done = 0
  /** Bytes the stub can read at an address: the page only. */
  readable(address: number, bytes: number): number {
    return address < PAGE ? 0 : Math.max(0, Math.min(bytes, PAGE + this.memory.length - address))
  }
  /** Post a call as the stub does. */
  post(name: string, ...args: readonly number[]): void {
    this.nr = nrOf(name)
    this.pass = 0
    this.done = 0
    const registers = [REG.RDI, REG.RSI, REG.RDX, REG.R10, REG.R8, REG.R9]
    let at = DATA_OFF
    for (let i = 0; i < 6; i++) setReg(this, registers[i] as number, args[i] ?? 0)
    for (let i = 0; i < 6; i++) {
      const hint = hints[this.nr * 6 + i] as number
      const address = args[i] ?? 0
      let bytes = -1
      if (hint === HINT.STRING) bytes = this.stringAt(address)
      else if (hint !== HINT.NONE)
        bytes = this.readable(address, hint === HINT.BUFFER ? Math.min(args[i + 1] ?? 0, 0x20000) : hint)
      this.u32[(BASE + CH.IN + 8 * i) >> 2] = at
      this.i32[(BASE + CH.IN + 8 * i + 4) >> 2] = bytes
      if (bytes <= 0) continue
      this.mem.set(this.memory.subarray(address - PAGE, address - PAGE + bytes), BASE + at)
      at += (bytes + 7) & ~7
    }
  }
  stringAt(address: number): number {
    const most = this.readable(address, 4096)
    const nul = this.memory.subarray(address - PAGE, address - PAGE + most).indexOf(0)
    return most === 0 ? 0 : nul < 0 ? most : nul + 1
  }
  /** Run decode to its end, fetching what it wants as the container does. */
  decode(): number {
    for (this.pass = 0; ; this.pass++) {
      const r = decode(this, this.nr)
      if (r !== NEED) return r
      const w = this.wants
      for (let k = 0; k < w.count; k++) {
        const address = w.address[k] as number
        const asked = w.length[k] as number
        let got = w.kind[k] === WANT.STRING ? this.stringAt(address) - 1 : this.readable(address, asked)
        if (got < 0 || (w.kind[k] === WANT.BYTES && got < asked)) got = 0
        this.mem.set(this.memory.subarray(address - PAGE, address - PAGE + got), w.offset[k] as number)
        w.length[k] = got
      }
    }
  }
  /** Message cell: a value, or what a grant holds. */
  text(cell: number): string {
    const at = int(this.message, cell)
    return Buffer.from(this.mem.subarray(at, at + high(this.message, cell))).toString('latin1')
  }
  put(address: number, ...bytes: readonly number[]): number {
    this.memory.set(bytes, address - PAGE)
    return address
  }
  string(address: number, text: string): number {
    return this.put(address, ...Buffer.from(`${text}\0`, 'latin1'))
  }
  long(address: number, ...values: readonly number[]): number {
    const view = new DataView(this.memory.buffer)
    values.forEach((v, i) => {
      view.setUint32(address - PAGE + 8 * i, v >>> 0, true)
      view.setInt32(address - PAGE + 8 * i + 4, Math.floor(v / 2 ** 32), true)
    })
    return address
  }
  /** The COPYOUTs for a result: [guest address, bytes]. */
  outputs(result: number): [number, number][] {
    this.nops = 0
    copyOuts(this, result)
    return Array.from({ length: this.nops }, (_, i) => {
      const op = BASE + CH.OPS + i * OP_BYTES
      if (this.u32[op >> 2] !== OP.COPYOUT) throw new Error('not a COPYOUT')
      return [this.u32[(op + OPF.A) >> 2] as number, this.u32[(op + OPF.A + 16) >> 2] as number]
    })
  }
}
