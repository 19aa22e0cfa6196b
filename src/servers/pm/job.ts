// Process groups and sessions: setpgid, setsid and their questions, orphaned groups, and what the terminal asks and sends (GETJOB,
// KILLPG). setpgid(2), setsid(2), credentials(7); kernel/exit.c will_become_orphaned_pgrp.
import { E } from '../../abi/errno.ts'
import { FIRST_GUEST, int } from '../../abi/message.ts'
import { SI, SIG } from '../../abi/signals.ts'
import type { CallVector } from '../../lib/server.ts'
import { PM } from '../../protocol/pm.ts'
import { type Pm, type Process, STATE, type Task, taskOf } from './mproc.ts'
import { info, isBlocked, isIgnored, sendGroup } from './signal.ts'

export function jobCalls(pm: Pm): CallVector {
  return {
    [PM.SETPGID]: (m, from) => {
      const t = taskOf(pm, from)
      return t === undefined ? -E.SRCH : setpgid(pm, t, int(m, 0), int(m, 1))
    },
    [PM.SETSID]: (_m, from) => {
      const t = taskOf(pm, from)
      return t === undefined ? -E.SRCH : setsid(pm, t.process)
    },
    [PM.GETPGRP]: (_m, from) => taskOf(pm, from)?.process.pgrp ?? -E.SRCH,
    [PM.GETPGID]: (m, from) => processOf(pm, from, int(m, 0))?.pgrp ?? -E.SRCH,
    [PM.GETSID]: (m, from) => processOf(pm, from, int(m, 0))?.session ?? -E.SRCH,
    [PM.GETJOB]: (m, from) => (from >= FIRST_GUEST ? -E.PERM : getjob(pm, int(m, 0), int(m, 1))),
    /** Queued by TTY (senda), never asked: ending a process takes FS, which may be waiting for TTY. */
    [PM.KILLPG]: (m, from) => (from >= FIRST_GUEST ? -E.PERM : sendGroup(pm, int(m, 0), info(int(m, 1), SI.KERNEL))),
  }
}

/** The caller's process for pid 0, else the one whose thread has that id. */
function processOf(pm: Pm, from: number, pid: number): Process | undefined {
  if (pid === 0) return taskOf(pm, from)?.process
  return pm.tasks.get(pid)?.process ?? pm.processes.get(pid)
}

function setpgid(pm: Pm, t: Task, pid: number, group: number): number {
  const self = t.process
  if (pid === 0) pid = self.pid
  if (group === 0) group = pid
  if (group < 0) return -E.INVAL
  const p = pm.processes.get(pid)
  if (p === undefined) return pm.tasks.has(pid) ? -E.INVAL : -E.SRCH
  if (p.parent === self && p !== self) {
    if (p.session !== self.session) return -E.PERM
    if (p.execed) return -E.ACCES
  } else if (p !== self) return -E.SRCH
  if (p.session === p.pid) return -E.PERM
  if (group !== pid && !groupInSession(pm, group, self.session)) return -E.PERM
  p.pgrp = group
  return 0
}
function groupInSession(pm: Pm, group: number, session: number): boolean {
  for (const p of pm.processes.values()) if (p.pgrp === group && p.session === session) return true
  return false
}

function setsid(pm: Pm, p: Process): number {
  if (p.session === p.pid) return -E.PERM
  for (const other of pm.processes.values()) if (other.pgrp === p.pid) return -E.PERM
  p.session = p.pid
  p.pgrp = p.pid
  return p.pid
}

// ---- orphaned groups ----

/** No member has a parent outside the group but inside the session. `ignored` counts as gone. */
export function isOrphaned(pm: Pm, pgrp: number, ignored: Process | null): boolean {
  for (const p of pm.processes.values()) {
    if (p.pgrp !== pgrp || p === ignored || p.state === STATE.ZOMBIE || p.exiting || p.parent === pm.init) continue
    if (p.parent.pgrp !== pgrp && p.parent.session === p.session) return false
  }
  return true
}
function hasStopped(pm: Pm, pgrp: number): boolean {
  for (const p of pm.processes.values()) if (p.pgrp === pgrp && p.state === STATE.STOPPED) return true
  return false
}
/** `p` (dying, or a child losing `parent`) may leave its group orphaned: if somebody in it is stopped, nobody could wake him. */
export function endOrphanedGroup(pm: Pm, p: Process, parent: Process, dying: boolean): void {
  if (parent.pgrp === p.pgrp || parent.session !== p.session) return
  if (!isOrphaned(pm, p.pgrp, dying ? p : null) || !hasStopped(pm, p.pgrp)) return
  sendGroup(pm, p.pgrp, info(SIG.HUP, SI.KERNEL))
  sendGroup(pm, p.pgrp, info(SIG.CONT, SI.KERNEL))
}

// ---- the terminal's questions ----

function getjob(pm: Pm, who: number, what: number): number {
  if (what === 8) {
    const p = pm.processes.get(who)
    return p === undefined || p.state === STATE.ZOMBIE || p === pm.init ? -E.SRCH : p.leader.endpoint
  }
  if (what === 9) {
    for (const p of pm.processes.values()) if (p.pgrp === who) return p.session
    return -E.SRCH
  }
  if (what === 10) return pm.processes.get(who)?.tasks[0]?.endpoint ?? -E.SRCH
  if (what === 11) return pm.tasks.get(who)?.endpoint ?? -E.SRCH
  const t = taskOf(pm, who)
  if (t === undefined) return -E.SRCH
  const p = t.process
  switch (what) {
    case 0:
      return t.tid
    case 1:
      return p.pgrp
    case 2:
      return p.session
    case 3:
      return turnsAway(t, SIG.TTOU)
    case 4:
      return turnsAway(t, SIG.TTIN)
    case 5:
      return isOrphaned(pm, p.pgrp, null) ? 1 : 0
    case 6:
      return p.parent.pid
    case 7:
      return p.pid
    default:
      return -E.INVAL
  }
}
function turnsAway(t: Task, signo: number): number {
  return isBlocked(t, signo) || isIgnored(t.process, signo) ? 1 : 0
}
