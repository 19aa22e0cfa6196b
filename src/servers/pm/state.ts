// PM's state as plain records and back (DESIGN.md, idea 3): references between processes become pids. Timers are part of it by their due
// times. Grants of suspended calls are arena offsets; they mean something only together with the arena.
import type { Load } from './load.ts'
import { type Ghost, type Pm, type Process, type Task, type Usage, WAITING } from './mproc.ts'

type Plain<T> = Omit<T, 'process' | 'parent' | 'children' | 'tasks' | 'leader'>
interface TaskRecord extends Plain<Task> {
  pid: number
}
interface ProcessRecord extends Plain<Process> {
  parent: number
  children: number[]
  leader: TaskRecord
}
interface PmRecord {
  lastPid: number
  lastRef: number
  lastSpace: number
  unlocks: number
  hostname: string
  domainname: string
  spent: Usage
  load: Load
  ghosts: Ghost[]
  processes: ProcessRecord[]
  tasks: TaskRecord[]
  timers: [key: number, due: number][]
}

export function exportPm(pm: Pm): PmRecord {
  return structuredClone({
    lastPid: pm.lastPid, lastRef: pm.lastRef, lastSpace: pm.lastSpace, unlocks: pm.unlocks, hostname: pm.hostname, domainname: pm.domainname, spent: pm.spent,
    load: pm.load, ghosts: pm.ghosts,
    processes: Array.from(pm.processes.values(), processRecord),
    tasks: Array.from(pm.tasks.values(), taskRecord),
    timers: pm.timers.exportState(),
  })
}
function taskRecord(t: Task): TaskRecord {
  const { process, ...plain } = t
  return { ...plain, pid: process.pid }
}
function processRecord(p: Process): ProcessRecord {
  const { parent, children, tasks: _tasks, leader, ...plain } = p
  return { ...plain, parent: parent.pid, children: children.map(c => c.pid), leader: taskRecord(leader) }
}

export function importPm(pm: Pm, state: unknown): void {
  const record = structuredClone(state) as PmRecord
  pm.lastPid = record.lastPid
  pm.lastRef = record.lastRef
  pm.lastSpace = record.lastSpace
  pm.unlocks = record.unlocks
  pm.hostname = record.hostname
  pm.domainname = record.domainname
  pm.spent = record.spent
  pm.load = record.load
  pm.ghosts = record.ghosts
  pm.processes.clear()
  pm.tasks.clear()
  pm.mproc.length = 0
  pm.byIndex.length = 0
  pm.sleepers.length = 0
  const parents = new Map<Process, number[]>()
  for (const { parent, children, leader, ...plain } of record.processes) {
    const p = (plain.pid === 1 ? pm.init : {}) as Process
    Object.assign(p, plain, { tasks: [], children: [] })
    p.leader = { ...leader, process: p } as Task
    pm.processes.set(p.pid, p)
    if (p.index >= 0) pm.byIndex[p.index] = p
    parents.set(p, [parent, ...children])
  }
  for (const [p, [parent, ...children]] of parents) {
    p.parent = pm.processes.get(parent) ?? pm.init
    p.children = children.flatMap(pid => pm.processes.get(pid) ?? [])
  }
  for (const { pid, ...plain } of record.tasks) {
    const p = pm.processes.get(pid)
    if (p === undefined) continue
    const t = plain.tid === pid ? Object.assign(p.leader, plain) : ({ ...plain, process: p } as Task)
    p.tasks.push(t)
    pm.tasks.set(t.tid, t)
    pm.mproc[t.endpoint & 0x7fff] = t
    if (t.waiting === WAITING.FUTEX) pm.sleepers.push(t)
  }
  pm.timers.importState(record.timers)
}
