// Looking into processes from outside, kernel-thread side: carries out the orders of src/inspector.ts with the servers' messages and the
// kernel's errands. An order that takes errands is a row in `open` until they are done.
import { E, errnoName } from './abi/errno.ts'
import { ASIDE_BYTES } from './abi/channel.ts'
import { T } from './abi/ipc.ts'
import { EP, high, int, long, type Message, message, setGrant, setInt, setLong, TYPE } from './abi/message.ts'
import { PROT_READ, PROT_WRITE } from './abi/mman.ts'
import { contextRecord, extendedRecord, type MachineState, putRegisters } from './container/linux/state.ts'
import type { FromKernel, InspectOrder, Layout, Region, SignalState } from './control.ts'
import type { Sys } from './lib/server.ts'
import { PM, TASK_RECORD } from './protocol/pm.ts'
import { REGION, REGION_FLAGS, VM } from './protocol/vm.ts'

export interface ThreadState extends MachineState, SignalState {
  tid: number
}
interface Task {
  tid: number
  endpoint: number
}
/** An order being carried out: errands not done yet, what they brought, and how often it was tried. */
interface Request {
  id: number
  pid: number
  order: InspectOrder
  errands: number
  value: unknown
  error: number
  tries: number
}

const TASKS_MAX = 2048
const KINDS = ['anonymous', 'file', 'heap', 'stack'] as const
/** A thread that is still in its call after so many looks can't be got out of it (a vfork parent). */
const TRIES = 3

export class Inspection {
  private readonly m = message()
  /** Errand → the order it is for, and the thread. */
  private readonly open = new Map<number, { request: Request; task: Task }>()
  private nextErrand = 1
  /** pid → endpoints that are stopped. */
  private readonly stopped = new Map<number, Set<number>>()
  private readonly at: number

  constructor(
    private readonly sys: Sys,
    private readonly say: (m: FromKernel) => void,
  ) {
    this.at = sys.buffer
  }

  order(id: number, pid: number, order: InspectOrder): void {
    const r: Request = { id, pid, order, errands: 0, value: undefined, error: 0, tries: 0 }
    const tasks = this.tasks(pid)
    if (tasks.length === 0) r.error = E.SRCH
    else this.begin(r, tasks)
    this.finish(r)
  }
  private begin(r: Request, tasks: Task[]): void {
    const { order } = r
    const first = tasks[0] as Task
    if (order.what === 'stop') this.stop(r, tasks)
    else if (order.what === 'cont') this.cont(r)
    else if (order.what === 'threads') {
      r.value = []
      for (const task of tasks) this.errand(r, task, e => this.sys.getExtended(task.endpoint, e))
    } else if (order.what === 'regions') r.value = this.regions(first)
    else if (order.what === 'layout') r.value = this.layout(first, null)
    else if (order.what === 'lay') this.layout(first, order.layout)
    else if (order.what === 'empty') this.remake(r, first, [[VM.EMPTY]])
    else if (order.what === 'adopt') this.remake(r, first, order.regions.map(g => [VM.ADOPT, g.start, g.end, g.protection, g.flags]))
    else if (order.what === 'set') this.set(r, tasks.find(t => t.tid === order.tid))
    else this.copy(r, first)
  }
  /** COMMON.DONE. */
  done(m: Message): number {
    const errand = this.open.get(int(m, 0))
    if (errand === undefined) return 0
    this.open.delete(int(m, 0))
    const { request: r, task } = errand
    const result = long(m, 1)
    const data = this.sys.mem.slice(int(m, 2), int(m, 2) + high(m, 2))
    r.errands--
    if (r.order.what === 'threads') this.seen(r, task, data)
    else if (result < 0 && r.order.what !== 'stop') r.error ||= -result
    else if (r.order.what === 'read') r.value = data
    else if (r.order.what === 'write') r.value = result
    if (r.errands === 0 && r.error === 0 && r.order.what === 'stop') this.stop(r, this.tasks(r.pid))
    if (r.errands === 0 && r.error === 0 && r.order.what === 'set') this.set(r, task)
    this.finish(r)
    return 0
  }
  private finish(r: Request): void {
    if (r.errands === 0) this.say({ kind: 'inspected', id: r.id, value: r.value, error: r.error === 0 ? '' : errnoName(r.error) })
  }
  private errand(r: Request, task: Task, ask: (errand: number) => number): void {
    const result = ask(this.nextErrand)
    if (result < 0) r.error ||= -result
    else {
      this.open.set(this.nextErrand++, { request: r, task })
      r.errands++
    }
  }
  private ask(dst: number, type: number, ...cells: number[]): number {
    this.m.fill(0)
    this.m[TYPE] = type
    for (const [k, cell] of cells.entries()) setLong(this.m, k, cell)
    return this.sys.sendrec(dst, this.m)
  }

  // ---- threads ----

  private tasks(pid: number): Task[] {
    this.m.fill(0)
    this.m[TYPE] = PM.TASKS
    setInt(this.m, 0, pid)
    setGrant(this.m, 1, this.at, TASKS_MAX * 8)
    const count = this.sys.sendrec(EP.PM, this.m)
    const { view } = this.sys
    return Array.from({ length: Math.max(0, Math.min(count, TASKS_MAX)) }, (_, i) => ({
      tid: view.getUint32(this.at + 8 * i, true), endpoint: view.getInt32(this.at + 8 * i + 4, true),
    }))
  }
  /** All threads stop, and those they have made meanwhile. */
  private stop(r: Request, tasks: Task[]): void {
    const held = this.stopped.get(r.pid) ?? new Set()
    if (tasks.length === 0) r.error = E.SRCH
    else this.stopped.set(r.pid, held)
    for (const task of tasks) {
      if (r.tries > 0 && held.has(task.endpoint)) continue
      held.add(task.endpoint)
      this.sys.trace(task.endpoint, T.STOP)
      this.errand(r, task, e => this.sys.ownText(task.endpoint, true, e))
    }
    r.tries++
  }
  /** A new process that is to stop before its first instruction. */
  startStopped(pid: number, endpoint: number): void {
    this.stopped.set(pid, new Set([endpoint]))
    this.sys.trace(endpoint, T.STOP)
  }
  private cont(r: Request): void {
    const held = this.stopped.get(r.pid) ?? new Set<number>()
    this.stopped.delete(r.pid)
    for (const endpoint of held) {
      this.sys.ownText(endpoint, false, 0)
      this.sys.trace(endpoint, T.RESUME)
    }
  }
  private seen(r: Request, task: Task, extended: Uint8Array): void {
    if (extended.length === 0 || this.sys.getContext(task.endpoint, this.at) < 0) return // it has ended
    const machine = { ...contextRecord(this.sys.view, this.at), extended: extendedRecord(extended) }
    const signals = this.signals(task, null)
    ;(r.value as ThreadState[]).push({ tid: task.tid, ...machine, ...signals })
  }
  private signals(task: Task, set: SignalState | null): SignalState {
    const { view, mem } = this.sys
    const { at } = this
    const R = TASK_RECORD
    if (set !== null) {
      view.setBigUint64(at + R.BLOCKED, set.blocked, true)
      view.setBigUint64(at + R.ALTSP, set.alternateStack.address, true)
      view.setBigUint64(at + R.ALTSIZE, set.alternateStack.bytes, true)
      view.setUint32(at + R.ALTFLAGS, set.alternateStack.flags, true)
      view.setBigUint64(at + R.CLEARTID, set.tidAddress, true)
      view.setBigUint64(at + R.ROBUST, set.robustList, true)
      mem.set(set.actions.subarray(0, R.BYTES - R.ACTIONS), at + R.ACTIONS)
    }
    this.m.fill(0)
    this.m[TYPE] = PM.TASKSTATE
    setInt(this.m, 0, task.endpoint)
    setInt(this.m, 1, set === null ? 0 : 1)
    setGrant(this.m, 2, at, R.BYTES)
    this.sys.sendrec(EP.PM, this.m)
    return {
      blocked: view.getBigUint64(at + R.BLOCKED, true),
      alternateStack: { address: view.getBigUint64(at + R.ALTSP, true), bytes: view.getBigUint64(at + R.ALTSIZE, true), flags: view.getUint32(at + R.ALTFLAGS, true) },
      tidAddress: view.getBigUint64(at + R.CLEARTID, true),
      robustList: view.getBigUint64(at + R.ROBUST, true),
      actions: mem.slice(at + R.ACTIONS, at + R.BYTES),
    }
  }
  /** One part after the other: registers (a call in hand is ended for them, to be issued again), extended state, signals. */
  private set(r: Request, task: Task | undefined): void {
    const order = r.order as Extract<InspectOrder, { what: 'set' }>
    const { registers, extended, signals } = order
    if (task === undefined) r.error = E.SRCH
    else if (registers !== undefined) {
      const got = this.sys.getContext(task.endpoint, this.at)
      if (got === 0) putRegisters(this.sys.view, this.at, registers)
      const result = got < 0 ? got : this.sys.setContext(task.endpoint, this.at)
      if (result === 0) order.registers = undefined
      else if (result !== -E.AGAIN || ++r.tries > TRIES) r.error = result === -E.AGAIN ? E.BUSY : -result
      else this.sys.interrupt(task.endpoint)
      if (r.error === 0) this.errand(r, task, e => this.sys.ownText(task.endpoint, true, e))
    } else if (extended !== undefined) {
      order.extended = undefined
      if (extended.length > this.sys.bufferSize) r.error = E.INVAL
      else {
        this.sys.mem.set(extended, this.at)
        this.errand(r, task, e => this.sys.setExtended(task.endpoint, this.at, extended.length, e))
      }
    } else if (signals !== undefined) this.signals(task, signals)
  }

  // ---- memory ----

  /** The region at or after an address. */
  private region(task: Task, address: number): Region | undefined {
    const { view, mem } = this.sys
    const { at } = this
    this.m.fill(0)
    this.m[TYPE] = VM.REGION
    setInt(this.m, 0, task.endpoint)
    setLong(this.m, 1, address)
    setGrant(this.m, 2, at, REGION.BYTES)
    if (this.sys.sendrec(EP.VM, this.m) <= 0) return undefined
    const u64 = (offset: number): number => view.getUint32(at + offset, true) + view.getUint32(at + offset + 4, true) * 2 ** 32
    const flags = view.getUint32(at + REGION.FLAGS, true)
    const kind = KINDS[view.getUint32(at + REGION.KIND, true)] ?? 'anonymous'
    const name = mem.subarray(at + REGION.NAME, at + REGION.NAME + view.getUint32(at + REGION.NAME_BYTES, true))
    const path = Buffer.from(name).toString()
    return {
      start: u64(REGION.START), end: u64(REGION.END), protection: view.getUint32(at + REGION.PROT, true), shared: (flags & REGION_FLAGS.SHARED) !== 0,
      kind, file: kind === 'file' ? { device: u64(REGION.DEV), inode: u64(REGION.INO), path, offset: u64(REGION.OFFSET) } : null, flags,
    }
  }
  private regions(task: Task): Region[] {
    const all: Region[] = []
    for (let next = this.region(task, 0); next !== undefined; next = this.region(task, next.end)) all.push(next)
    return all
  }
  private layout(task: Task, set: Layout | null): Layout {
    const l = set ?? { base: 0, stackTop: 0, heapStart: 0, heapEnd: 0 }
    this.ask(EP.VM, VM.LAYOUT, task.endpoint, set === null ? 0 : 1, l.base, l.stackTop, l.heapStart, l.heapEnd)
    return { base: long(this.m, 1), stackTop: long(this.m, 2), heapStart: long(this.m, 3), heapEnd: long(this.m, 4) }
  }
  /** As much as lies in one region, whatever its protection. */
  private copy(r: Request, task: Task): void {
    const order = r.order as Extract<InspectOrder, { what: 'read' | 'write' }>
    const { address } = order
    const region = this.region(task, address)
    if (region === undefined || region.start > address) {
      r.error = E.FAULT
      return
    }
    const most = Math.min(region.end - address, ASIDE_BYTES, this.sys.bufferSize)
    const prot = region.protection & (order.what === 'read' ? PROT_READ : PROT_WRITE) ? -1 : region.protection
    if (order.what === 'read') this.errand(r, task, e => this.sys.copyFrom(task.endpoint, address, Math.min(order.bytes, most), prot, e))
    else {
      const data = order.data.subarray(0, most)
      this.sys.mem.set(data, this.at)
      this.errand(r, task, e => this.sys.copyTo(task.endpoint, address, this.at, data.length, prot, e))
    }
  }
  /** Changes of the map, and an errand to have them done. */
  private remake(r: Request, task: Task, steps: number[][]): void {
    for (const [type, ...cells] of steps) {
      const result = this.ask(EP.VM, type as number, task.endpoint, ...cells)
      if (result < 0) r.error ||= -result
    }
    this.errand(r, task, e => this.sys.ownText(task.endpoint, true, e))
  }
}
