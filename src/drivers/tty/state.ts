// The driver's state as plain records (lib/server.ts exportState). The host's descriptors are not in it: whoever restores attaches anew.
import { createEnd, type Driver, type End, type Line, newRequest, type Pty, type Request } from './line.ts'
import { putBlock, type Ring, ring, takeBlock, used } from './ring.ts'
import { applySettings } from './settings.ts'
import { createTerminal, type Settings, type Terminal } from './terminal.ts'

interface RequestRecord extends Omit<Request, 'slot'> {
  /** Time left of a read, in ms; Infinity: none set. */
  left: number
}
interface EndRecord {
  readers: RequestRecord[]
  writers: RequestRecord[]
  drains: RequestRecord[]
  watched: number
}
interface LineRecord {
  terminal: Omit<Terminal, 'in' | 'out' | 'special'>
  /** What was in the queues. */
  input: Uint8Array
  output: Uint8Array
  end: EndRecord
  pty: (Omit<Pty, 'end'> & { end: EndRecord }) | null
}
interface DriverRecord {
  console: LineRecord
  ptys: (LineRecord | null)[]
  generations: number[]
  without: number[]
  hung: [number, number][]
}

export function exportDriver(d: Driver): DriverRecord {
  return {
    console: exportLine(d, d.console),
    ptys: d.ptys.map(line => (line === null ? null : exportLine(d, line))),
    generations: d.generations.slice(),
    without: [...d.without],
    hung: d.hung.map(([session, pgrp]) => [session, pgrp]),
  }
}
function exportLine(d: Driver, line: Line): LineRecord {
  const { in: input, out, special: _, ...terminal } = line.terminal
  return {
    terminal: structuredClone(terminal),
    input: content(input),
    output: content(out),
    end: exportEnd(d, line.end),
    pty: line.pty === null ? null : { ...line.pty, end: exportEnd(d, line.pty.end) },
  }
}
function content(r: Ring): Uint8Array {
  const bytes = new Uint8Array(used(r))
  const { tail } = r
  takeBlock(r, bytes, 0, bytes.length)
  r.tail = tail
  return bytes
}
function exportEnd(d: Driver, end: End): EndRecord {
  const record = ({ slot, ...r }: Request): RequestRecord => ({ ...structuredClone(r), left: d.timers.left(slot) })
  return {
    readers: end.readers.map(record),
    writers: end.writers.map(record),
    drains: end.drains.map(record),
    watched: end.watched,
  }
}

/** Into a driver that has served nobody yet. */
export function importDriver(d: Driver, state: unknown): void {
  const from = state as DriverRecord
  importLine(d, d.console, from.console)
  d.ptys.length = 0
  for (const record of from.ptys) d.ptys.push(record === null ? null : newLine(d, record))
  d.generations.splice(0, d.generations.length, ...from.generations)
  d.without.clear()
  for (const endpoint of from.without) d.without.add(endpoint)
  d.hung.splice(0, d.hung.length, ...from.hung)
}
function newLine(d: Driver, record: LineRecord): Line {
  const queue = (): Ring => ring(new Uint8Array(65536), 0, 65536)
  const { minor, device } = record.terminal
  const pty = record.pty === null ? null : { ...record.pty, end: createEnd() }
  const line: Line = { terminal: createTerminal(minor, device, queue(), queue()), end: createEnd(), pty }
  importLine(d, line, record)
  return line
}
function importLine(d: Driver, line: Line, record: LineRecord): void {
  const t = line.terminal
  const { cc, input, marks, echo, locked, minor: _m, device: _d, ...scalars } = structuredClone(record.terminal)
  const settings: Settings = { ...scalars, cc }
  applySettings(t, settings) // first: it derives `special`, and changes what is overwritten next
  Object.assign(t, scalars)
  t.cc.set(cc)
  t.input.set(input)
  t.marks.set(marks)
  t.echo.set(echo)
  const { cc: lockedCc, ...lockedFlags } = locked
  Object.assign(t.locked, lockedFlags)
  t.locked.cc.set(lockedCc)
  t.in.head = t.in.tail = t.out.head = t.out.tail = 0
  putBlock(t.in, record.input, 0, record.input.length)
  putBlock(t.out, record.output, 0, record.output.length)
  t.sent = Math.min(used(t.out), line.pty === null ? 0 : 4095)
  importEnd(d, line.end, record.end)
  if (line.pty !== null && record.pty !== null) importEnd(d, line.pty.end, record.pty.end)
}
function importEnd(d: Driver, end: End, record: EndRecord): void {
  const request = ({ left, ...r }: RequestRecord): Request => {
    const made = Object.assign(newRequest(d, r.kind, r.id, r.endpoint, r.at, r.len), structuredClone(r))
    if (left !== Number.POSITIVE_INFINITY) d.timers.after(made.slot, left)
    return made
  }
  end.readers = record.readers.map(request)
  end.writers = record.writers.map(request)
  end.drains = record.drains.map(request)
  end.watched = record.watched
}
