// SIGIO: FS says that a file has become ready whose owner wants a signal (fs/async.ts). fs/fcntl.c send_sigio.
import { E } from '../../abi/errno.ts'
import { EP, int, type Message, uint } from '../../abi/message.ts'
import { SI, SIG, SIGINFO } from '../../abi/signals.ts'
import type { CallVector } from '../../lib/server.ts'
import { OWNER, PM } from '../../protocol/pm.ts'
import type { Pm, Task } from './mproc.ts'
import { info, send } from './signal.ts'

export function sigioCalls(pm: Pm): CallVector {
  return { [PM.SIGIO]: (m, from) => (from === EP.FS ? sigio(pm, m) : -E.PERM) }
}

function sigio(pm: Pm, m: Message): number {
  const type = int(m, 0) >> 8
  const id = int(m, 1)
  for (const t of ownersOf(pm, type, id)) {
    if (!mayTell(t, uint(m, 5), uint(m, 6))) continue
    tellOne(pm, t, type === OWNER.THREAD ? t : null, m)
  }
  return 0
}
function ownersOf(pm: Pm, type: number, id: number): Task[] {
  if (type === OWNER.THREAD) return [pm.tasks.get(id)].flatMap(t => t ?? [])
  if (type === OWNER.PROCESS) return [pm.processes.get(id)].flatMap(p => p?.leader ?? [])
  return Array.from(pm.processes.values()).flatMap(p => (p.pgrp === id ? p.leader : []))
}
/** By the ids of whoever set the owner. */
function mayTell(t: Task, uid: number, euid: number): boolean {
  const c = t.cred
  return euid === 0 || euid === c.suid || euid === c.uid || uid === c.suid || uid === c.uid
}
/** A queued signal with details when one was chosen and the queue has room; else SIGIO. */
function tellOne(pm: Pm, t: Task, task: Task | null, m: Message): void {
  const signo = int(m, 0) & 0xff
  if (signo !== 0) {
    const i = info(signo, int(m, 2))
    i[SIGINFO.BAND >> 2] = int(m, 3)
    i[SIGINFO.FD >> 2] = int(m, 4)
    if (send(pm, t.process, task, i) !== -E.AGAIN) return
  }
  send(pm, t.process, task, info(SIG.IO, SI.KERNEL))
}
