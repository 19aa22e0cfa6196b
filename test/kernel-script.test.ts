// Seeded scripts: a small generator drives processes and a server with random operations, against a reference model that is as simple as
// it can be (lists and objects), and the kernel's trace of one seed against test/golden/kernel-script.txt.
// After a change that is meant: UPDATE_GOLDEN=1 npx vitest run test/kernel-script.test.ts, and read the diff.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { E, errnoName } from '../src/abi/errno.ts'
import { IPC } from '../src/abi/ipc.ts'
import { ANY, EP, FIRST_GUEST, int, NOTIFY_MESSAGE, SLOT, SOURCE, SUSPEND, TYPE } from '../src/abi/message.ts'
import { EVENT, RECORD } from '../src/kernel/trace.ts'
import { COMMON_CALL } from '../src/protocol/common.ts'
import { ALL, TestKernel } from './support/kernel.ts'

const GOLDEN = new URL('./golden/kernel-script.txt', import.meta.url)
const PROCS = 6
const ECHO = 1
const WAIT = 2

/** A pseudo-random integer below n (mulberry32). */
function generator(seed: number): (n: number) => number {
  let state = Math.imul(seed, 0x9e3779b1)
  return n => {
    state = (state + 0x6d2b79f5) | 0
    let x = Math.imul(state ^ (state >>> 15), state | 1)
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
    return ((x ^ (x >>> 14)) >>> 0) % n
  }
}

// -- the model --

/** What came: from whom and which value, or that it was a notification. From -1: the server. */
type Got = readonly [from: number, value: number | 'note']
/** A wait that ended: who, with what result, and what it has received by it. */
type Ended = readonly [who: number, result: number, got?: Got]
interface Proc {
  readonly name: number
  readonly slot: number
  sending?: Proc
  receiving?: Proc | 'any' | 'server'
  /** It waits for the answer to a SENDREC: one by trap, or by call. */
  asking?: 'trap' | 'call'
  value: number // what it sends
  queue: Proc[] // who sends to it
  notes: Set<Proc>
  async: { from: Proc; value: number }[]
  dead: boolean
}

class Model {
  procs: Proc[] = []
  ended: Ended[] = []
  got?: Got // of the last operation, when it answered 0
  waiting: Proc[] = [] // suspended by the server
  cancels: Proc[] = [] // of those, whose call shall end

  private end(proc: Proc, result: number, got?: Got): void {
    proc.sending = undefined
    proc.receiving = undefined
    proc.asking = undefined
    this.ended.push(got === undefined ? [proc.name, result] : [proc.name, result, got])
  }
  private awaits(proc: Proc, from: Proc): boolean {
    return proc.sending === undefined && (proc.receiving === 'any' || proc.receiving === from)
  }
  private locked(caller: Proc, partner: Proc, sends: boolean): boolean {
    if (partner === caller) return true
    let x: Proc | undefined = partner
    for (let group = 2; x !== undefined; group++) {
      const next: Proc | 'any' | 'server' | undefined = x.sending ?? x.receiving
      if (next === caller) return group > 2 || (x.sending !== undefined) === sends
      x = typeof next === 'string' ? undefined : next
    }
    return false
  }
  send(from: Proc, to: Proc, value: number, now = false): number {
    if (to.dead) return -E.DEADSRCDST
    if (!now && this.locked(from, to, true)) return -E.LOCKED
    from.value = value
    if (this.awaits(to, from)) {
      this.end(to, 0, [from.name, value])
      return 0
    }
    if (now) return -E.NOTREADY
    from.sending = to
    to.queue.push(from)
    return SUSPEND
  }
  sendrec(from: Proc, to: Proc, value: number): number {
    const sent = this.send(from, to, value)
    if (sent < 0 && sent !== SUSPEND) return sent
    if (sent === 0 && this.pick(from, to, false)) return 0
    from.asking = 'trap'
    from.receiving = to
    return SUSPEND
  }
  receive(proc: Proc, from: Proc | 'any'): number {
    if (from !== 'any' && from.dead) return -E.DEADSRCDST
    if (from !== 'any' && this.locked(proc, from, false)) return -E.LOCKED
    if (this.pick(proc, from, true)) return 0
    proc.receiving = from
    return SUSPEND
  }
  /** Takes what is there for `proc`: a notification, an asynchronous message, the first in its queue. */
  private pick(proc: Proc, from: Proc | 'any', notes: boolean): boolean {
    const fits = (other: Proc) => from === 'any' || from === other
    const note = [...proc.notes].filter(fits).sort((a, b) => a.name - b.name)[0]
    if (notes && note !== undefined) {
      proc.notes.delete(note)
      this.got = [note.name, 'note']
      return true
    }
    const message = proc.async.find(one => fits(one.from))
    if (message !== undefined) {
      proc.async = proc.async.filter(one => one !== message)
      this.got = [message.from.name, message.value]
      return true
    }
    const sender = proc.queue.find(fits)
    if (sender === undefined) return false
    proc.queue = proc.queue.filter(one => one !== sender)
    sender.sending = undefined
    if (sender.receiving === undefined) this.end(sender, 0)
    this.got = [sender.name, sender.value]
    return true
  }
  notify(from: Proc, to: Proc): number {
    if (to.dead) return -E.DEADSRCDST
    if (this.awaits(to, from) && to.asking === undefined) this.end(to, 0, [from.name, 'note'])
    else to.notes.add(from)
    return 0
  }
  senda(from: Proc, to: Proc, value: number): number {
    if (to.dead) return -E.DEADSRCDST
    if (this.awaits(to, from)) this.end(to, 0, [from.name, value])
    else to.async.push({ from, value })
    return 0
  }
  ask(proc: Proc, how: 'trap' | 'call', type: number, value: number): number {
    if (type === ECHO) {
      if (how === 'trap') this.got = [-1, value]
      return how === 'trap' ? 0 : value
    }
    proc.asking = how
    proc.receiving = 'server'
    this.waiting.push(proc)
    return SUSPEND
  }
  answer(proc: Proc, result: number): void {
    this.waiting = this.waiting.filter(one => one !== proc)
    this.cancels = this.cancels.filter(one => one !== proc)
    if (proc.asking === 'call') this.end(proc, result)
    else this.end(proc, 0, [-1, result])
  }
  interrupt(proc: Proc): void {
    if (proc.receiving === 'server') {
      if (!this.cancels.includes(proc)) this.cancels.push(proc)
    } else if (proc.sending !== undefined || proc.receiving !== undefined) {
      if (proc.sending !== undefined) proc.sending.queue = proc.sending.queue.filter(one => one !== proc)
      this.end(proc, -E.INTR)
    }
  }
  run(): void {
    for (const proc of [...this.cancels]) this.answer(proc, -E.INTR)
  }
  kill(proc: Proc): void {
    proc.dead = true
    if (proc.sending !== undefined) proc.sending.queue = proc.sending.queue.filter(one => one !== proc)
    this.waiting = this.waiting.filter(one => one !== proc)
    this.cancels = this.cancels.filter(one => one !== proc)
    for (const other of proc.queue) this.end(other, -E.DEADSRCDST)
    for (const other of [...this.procs].sort((a, b) => a.slot - b.slot)) {
      if (other.receiving === proc) this.end(other, -E.DEADSRCDST)
      other.notes.delete(proc)
      other.async = other.async.filter(one => one.from !== proc)
    }
  }
}

// -- the script --

class Script {
  readonly k = new TestKernel({ procs: FIRST_GUEST + PROCS + 20 }) // slots are used again and again
  readonly model = new Model()
  private readonly random: (n: number) => number
  private readonly graves: { proc: Proc; endpoint: number }[] = []
  private readonly pm: { reply(dst: number, result: number): number }
  private serial = 0

  constructor(seed: number) {
    this.random = generator(seed)
    this.k.kernel.trace.start(1 << 16)
    this.pm = this.k.server(EP.PM, sys => ({
      [ECHO]: m => int(m, 0),
      [WAIT]: () => SUSPEND,
      [COMMON_CALL.CANCEL]: m => sys.reply(int(m, 0), -E.INTR),
    }))
    this.k.kernel.setSlot(0, SLOT.PM, EP.PM)
    for (let name = 0; name < PROCS; name++) this.model.procs.push(this.born(name))
  }
  private born(name: number): Proc {
    const slot = this.k.process(ALL)
    return { name, slot, value: 0, queue: [], notes: new Set(), async: [], dead: false }
  }
  private endpoint(proc: Proc): number {
    return proc.dead ? (this.graves.find(grave => grave.proc === proc)?.endpoint ?? 0) : this.k.endpoint(proc.slot)
  }
  /** One of the living, now and then one of the dead. */
  private partner(): Proc {
    if (this.graves.length > 0 && this.random(12) === 0) return this.graves[this.random(this.graves.length)].proc
    return this.model.procs[this.random(PROCS)]
  }
  private message(slot: number): Got {
    const m = this.k.kernel.messageOf(slot)
    const from =
      m[SOURCE] === EP.PM ? -1 : (this.model.procs.find(proc => this.k.endpoint(proc.slot) === m[SOURCE])?.name ?? -9)
    return m[TYPE] === NOTIFY_MESSAGE + (m[SOURCE] & 0x7fff) ? [from, 'note'] : [from, int(m, 0)]
  }

  step(): void {
    const { k, model } = this
    const proc = model.procs[this.random(PROCS)]
    const op = this.random(100)
    const to = this.partner()
    const value = ++this.serial
    const blocked = proc.sending !== undefined || proc.receiving !== undefined
    k.container.completed.length = 0
    model.ended = []
    model.got = undefined
    const where = `message ${value}: process ${proc.name}, operation ${op}, partner ${to.name}${to.dead ? ' (dead)' : ''}`
    if (op < 4) this.bury(proc)
    else if (op < 10) {
      // who waits for another process's answer is left alone: its partner would get a message of the kernel's (kernel-ipc.test.ts)
      if (typeof proc.receiving === 'object' && proc.asking !== undefined && proc.sending === undefined) return
      k.kernel.interrupt(proc.slot)
      model.interrupt(proc)
    } else if (op < 20) {
      k.kernel.run()
      model.run()
    } else if (op < 26) {
      const [first] = model.waiting
      if (first === undefined) return
      expect(this.pm.reply(this.endpoint(first), value), where).toBe(0)
      model.answer(first, value)
    } else if (blocked) return
    else {
      const expected = this.expected(op, proc, to, value)
      const answer = this.perform(op, proc, to, value)
      expect(answer, where).toBe(expected)
      if (model.got !== undefined) expect(this.message(proc.slot), where).toEqual(model.got)
    }
    this.compare(where)
  }
  private bury(proc: Proc): void {
    const { k, model } = this
    const endpoint = this.k.endpoint(proc.slot)
    k.kernel.clear(endpoint)
    model.kill(proc)
    this.graves.push({ proc, endpoint })
    if (this.graves.length > 8) this.graves.shift()
    model.procs[proc.name] = this.born(proc.name)
  }
  private expected(op: number, proc: Proc, to: Proc, value: number): number {
    const { model } = this
    if (op < 38) return model.send(proc, to, value)
    if (op < 50) return model.receive(proc, 'any')
    if (op < 58) return model.receive(proc, to)
    if (op < 68) return model.sendrec(proc, to, value)
    if (op < 76) return model.notify(proc, to)
    if (op < 82) return model.send(proc, to, value, true)
    if (op < 90) return model.senda(proc, to, value)
    return model.ask(proc, op < 95 ? 'trap' : 'call', op % 5 < 2 ? WAIT : ECHO, value)
  }
  private perform(op: number, proc: Proc, to: Proc, value: number): number {
    const { k } = this
    const partner = this.endpoint(to)
    const type = 5
    if (op < 38) return k.ipc(proc.slot, IPC.SEND, partner, type, value)
    if (op < 50) return k.ipc(proc.slot, IPC.RECEIVE, ANY)
    if (op < 58) return k.ipc(proc.slot, IPC.RECEIVE, partner)
    if (op < 68) return k.ipc(proc.slot, IPC.SENDREC, partner, type, value)
    if (op < 76) return k.ipc(proc.slot, IPC.NOTIFY, partner)
    if (op < 82) return k.ipc(proc.slot, IPC.SENDNB, partner, type, value)
    if (op < 90) return k.ipc(proc.slot, IPC.SENDA, partner, type, value)
    const request = op % 5 < 2 ? WAIT : ECHO
    return op < 95
      ? k.ipc(proc.slot, IPC.SENDREC, EP.PM, request, value)
      : k.call(this.filled(proc, request, value), SLOT.PM, request, value)
  }
  private filled(proc: Proc, type: number, value: number): number {
    this.k.fill(proc.slot, type, value)
    return proc.slot
  }
  /** Ends of waits: the same ones, in the same order, with the same messages. */
  private compare(where: string): void {
    const ended = this.k.container.completed.map(([slot, result], i): Ended => {
      const name = this.model.procs.find(proc => proc.slot === slot)?.name ?? -9
      return this.model.ended[i]?.[2] === undefined ? [name, result] : [name, result, this.message(slot)]
    })
    expect(ended, where).toEqual(this.model.ended)
  }
}

function play(seed: number, steps: number): Script {
  const script = new Script(seed)
  for (let i = 0; i < steps; i++) script.step()
  return script
}

test('a hundred seeds agree with the model', () => {
  for (let seed = 1; seed <= 100; seed++) play(seed, 400)
})

/** One record per line: 'CALL 32800 0 type 1 result 0'. */
function text(records: Int32Array): string {
  const names = Object.entries(EVENT)
  let lines = ''
  for (let at = 0; at < records.length; at += RECORD) {
    const [event, who, whom, type, result] = records.subarray(at, at + RECORD)
    const name = names.find(([, number]) => number === event)?.[0]
    lines += `${name} ${who} ${whom} ${type} ${result === SUSPEND ? 'SUSPEND' : result < 0 && result > -2000 ? errnoName(-result) : result}\n`
  }
  return lines
}

test('the trace of one seed is the golden one, and the same every time', () => {
  const trace = text(play(7, 2000).k.kernel.trace.records())
  expect(text(play(7, 2000).k.kernel.trace.records())).toBe(trace)
  if (process.env.UPDATE_GOLDEN !== undefined || !existsSync(GOLDEN)) writeFileSync(GOLDEN, trace)
  expect(trace).toBe(readFileSync(GOLDEN, 'latin1'))
})

test('a ring keeps the last records', () => {
  const script = new Script(1)
  script.k.kernel.trace.start(10)
  for (let i = 0; i < 300; i++) script.step()
  const all = play(1, 300).k.kernel.trace.records()
  expect(script.k.kernel.trace.records()).toEqual(all.slice(-10 * RECORD))
  script.k.kernel.trace.stop()
  const kept = script.k.kernel.trace.records()
  for (let i = 0; i < 20; i++) script.step()
  expect(script.k.kernel.trace.records()).toEqual(kept)
})
