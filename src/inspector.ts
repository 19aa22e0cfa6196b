// Looking into a process from outside: the public side (machine.inspect). Everything a process consists of but its files can be read and
// set: threads (registers, extended state, call in hand, signals), memory map, memory. What it shares with others stays theirs.
import { E } from './abi/errno.ts'
import { PAGE, PROT_WRITE } from './abi/mman.ts'
import type { InspectOrder, Layout, Region, SignalState } from './control.ts'
import type { ThreadState } from './inspection.ts'
import type { Registers } from './container/linux/state.ts'

export type { ThreadState } from './inspection.ts'

/** A stopped process as plain data: structuredClone and v8.serialize take it. */
export interface ProcessState {
  threads: ThreadState[]
  regions: Region[]
  layout: Layout
  /** Contents of private memory, pages of zeroes left out, and what has no access at all. */
  memory: { address: number; bytes: Uint8Array }[]
}

const E_RESTART_FIRST = BigInt(E.RESTARTSYS)
const E_RESTART_LAST = BigInt(E.RESTART_RESTARTBLOCK)
/** Regions and bytes of one order. */
const BATCH = 8
const PIECE = 65536

export class Inspector {
  constructor(
    readonly pid: number,
    private readonly ask: (order: InspectOrder) => Promise<unknown>,
  ) {}

  /** Stops all its threads, unseen by the process and its parent; resolves when none runs any more. One that is in a call stays in it and
   *  stops at its end. Rewritten call sites get their own bytes back. */
  async stop(): Promise<void> {
    await this.ask({ what: 'stop' })
  }
  /** Lets it go on. */
  async cont(): Promise<void> {
    await this.ask({ what: 'cont' })
  }
  /** Its threads, ascending by tid. Threads of a process that isn't stopped are interrupted for a moment, each for itself. */
  async threads(): Promise<ThreadState[]> {
    return ((await this.ask({ what: 'threads' })) as ThreadState[]).sort((a, b) => a.tid - b.tid)
  }
  async regions(): Promise<Region[]> {
    return (await this.ask({ what: 'regions' })) as Region[]
  }
  async layout(): Promise<Layout> {
    return (await this.ask({ what: 'layout' })) as Layout
  }

  /** Bytes at `address`, whatever protection they have. EFAULT when some aren't there. */
  async readMemory(address: number | bigint, bytes: number): Promise<Uint8Array> {
    const all = new Uint8Array(bytes)
    for (let done = 0; done < bytes; ) {
      const piece = (await this.ask({ what: 'read', address: Number(address) + done, bytes: Math.min(bytes - done, PIECE) })) as Uint8Array
      all.set(piece, done)
      done += piece.length
    }
    return all
  }
  /** The same the other way; private mappings of files get pages of their own. */
  async writeMemory(address: number | bigint, data: Uint8Array): Promise<void> {
    for (let done = 0; done < data.length; )
      done += (await this.ask({ what: 'write', address: Number(address) + done, data: data.subarray(done, done + PIECE) })) as number
  }
  /** Sets some registers of a thread of a stopped process. A call it is in ends as if interrupted, to be issued again unless rip is set. */
  async setRegisters(registers: Partial<Registers>, tid = this.pid): Promise<void> {
    await this.ask({ what: 'set', tid, registers })
  }
  /** All of a thread's extended state, in the form ThreadState has it. EINVAL when the processor wouldn't take it. */
  async setExtended(bytes: Uint8Array, tid = this.pid): Promise<void> {
    await this.ask({ what: 'set', tid, extended: bytes })
  }
  async setSignals(signals: SignalState, tid = this.pid): Promise<void> {
    await this.ask({ what: 'set', tid, signals })
  }

  /** Everything about it, stopped. */
  async exportState(): Promise<ProcessState> {
    const [threads, regions, layout] = [await this.threads(), await this.regions(), await this.layout()]
    const memory: ProcessState['memory'] = []
    for (const region of regions) if (region.protection !== 0 && !isSharedWritable(region)) memory.push(...(await this.contents(region)))
    return { threads, regions, layout, memory }
  }
  /** Runs of pages that aren't all zero. */
  private async contents(region: Region): Promise<ProcessState['memory']> {
    const runs: ProcessState['memory'] = []
    for (let at = region.start; at < region.end; at += PIECE) {
      const bytes = await this.readMemory(at, Math.min(PIECE, region.end - at))
      for (let page = 0; page < bytes.length; page += PAGE) {
        const first = page
        while (page < bytes.length && bytes.subarray(page, page + PAGE).some(b => b !== 0)) page += PAGE
        if (page > first) runs.push({ address: at + first, bytes: bytes.slice(first, page) })
      }
    }
    return runs
  }

  /** Makes this stopped, single-threaded process what `state` says: its memory becomes private copies at the same addresses, its thread is
   *  that of `state` (the first, if `state` has several), before its call if it was in one. Files stay this process's own.
   *  Shared writable memory can't be taken over. */
  async importState(state: ProcessState): Promise<void> {
    const shared = state.regions.find(isSharedWritable)
    if (shared !== undefined) throw new Error(`shared memory at 0x${shared.start.toString(16)} can't be taken over`)
    const [thread] = state.threads
    if (thread === undefined) throw new Error('no thread to take over')
    await this.ask({ what: 'empty' })
    for (let i = 0; i < state.regions.length; i += BATCH) await this.ask({ what: 'adopt', regions: state.regions.slice(i, i + BATCH) })
    await this.ask({ what: 'lay', layout: state.layout })
    for (const { address, bytes } of state.memory) await this.writeMemory(address, bytes)
    await this.ask({ what: 'set', tid: this.pid, registers: atCall(thread), extended: thread.extended.bytes, signals: thread })
  }
}

function isSharedWritable(region: Region): boolean {
  return region.shared && (region.protection & PROT_WRITE) !== 0
}

/** Registers with which a thread goes on as if nothing had been: a call is issued again, or ends with what it has moved so far. */
function atCall(t: ThreadState): Registers {
  const { registers, call } = t
  const interrupted = BigInt.asIntN(64, registers.rax) >= -E_RESTART_LAST && BigInt.asIntN(64, registers.rax) <= -E_RESTART_FIRST
  if (call === null || (t.place === 'boundary' && !interrupted)) return registers
  if (call.moved > 0) return { ...registers, rax: BigInt(call.moved) }
  return { ...registers, rax: BigInt(call.number), rip: call.restart }
}
