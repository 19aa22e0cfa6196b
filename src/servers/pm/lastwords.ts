// The last words of threads: before one is gone the locks on its robust list are marked (get_robust_list(2)), the word that says it exists
// becomes 0 (CLONE_CHILD_CLEARTID), and who waits for any of them is woken. Only the container can reach those words: PM answers ASK.
// LAST_WORDS, and is asked by LASTWORDS, over and over, whose are next.
//
// A process as a whole says them only where another process can see its memory. Then all its threads stop first, so that none takes a lock
// behind the walker's back; the last to stop speaks for all. Invariant: as long as `dying` is not -1 nothing is delivered to the process.
import { E } from '../../abi/errno.ts'
import { EP, high, int, type Message, setInt, setLong, SUSPEND, ulong } from '../../abi/message.ts'
import type { CallVector } from '../../lib/server.ts'
import { ASK, PM } from '../../protocol/pm.ts'
import { VM } from '../../protocol/vm.ts'
import { endProcess, endTask } from './exit.ts'
import { wakeWord } from './futex-queue.ts'
import { processKey, REAL_TIMER } from './keys.ts'
import { type Pm, type Process, STATE, type Task, taskOf, WAITING } from './mproc.ts'
import { mayTrace } from './pidfd.ts'
import { disturb } from './signal.ts'
import { read64, write64 } from './suspended.ts'
import { ask } from './tell.ts'
import { exitWaits, killStopped } from './trace.ts'

/** struct robust_list_head */
const HEAD_BYTES = 24
/** Threads that haven't stopped after this many ms are not waited for. */
const GRACE = 300

export function lastWordCalls(pm: Pm): CallVector {
  const by = (f: (t: Task, m: Message) => number) => (m: Message, from: number) => {
    const t = taskOf(pm, from)
    return t === undefined ? SUSPEND : f(t, m)
  }
  return {
    [PM.EXIT]: by((t, m) => {
      const status = (int(m, 0) & 0xff) << 8
      return exitWaits(pm, t, status, true) ? SUSPEND : die(pm, t.process, status, t)
    }),
    [PM.EXIT_THREAD]: by((t, m) => {
      const status = (int(m, 0) & 0xff) << 8
      return exitWaits(pm, t, status, false) ? SUSPEND : leave(pm, t, status)
    }),
    [PM.LASTWORDS]: by((t, m) => {
      for (let k = 0; k + 8 <= high(m, 0); k += 8) wakeWord(pm, t, read64(pm, int(m, 0) + k), 1)
      if (t.cleared !== 0) wakeWord(pm, t, t.cleared, 1)
      t.cleared = 0
      return next(pm, t, m)
    }),
    [PM.SET_TID_ADDRESS]: by((t, m) => {
      t.clearTid = ulong(m, 0)
      return t.tid
    }),
    [PM.SET_ROBUST_LIST]: by((t, m) => {
      if (ulong(m, 1) !== HEAD_BYTES) return -E.INVAL
      t.robustList = ulong(m, 0)
      return 0
    }),
    [PM.GET_ROBUST_LIST]: by((t, m) => {
      const of = int(m, 0) === 0 ? t : pm.tasks.get(int(m, 0))
      if (of === undefined) return -E.SRCH
      if (!mayTrace(t, of)) return -E.PERM
      write64(pm, int(m, 1), of.robustList)
      write64(pm, int(m, 2), HEAD_BYTES)
      return 0
    }),
    [PM.HOSTDIED]: (m, from) => {
      const t = taskOf(pm, from)
      if (t === undefined) return -E.SRCH
      endProcess(pm, t.process, int(m, 0) & 0xff7f)
      return SUSPEND
    },
  }
}

/** One thread ends; with the last one the process, with its leader's status. */
export function leave(pm: Pm, t: Task, status: number): number {
  const p = t.process
  if (p.dying >= 0) return arrive(t)
  if (t === p.leader) p.status = status
  if (p.tasks.length === 1) return die(pm, p, p.status, t)
  t.leaving = status
  if (t.robustList !== 0 || t.clearTid !== 0) return ASK.LAST_WORDS
  endTask(pm, t, status)
  return SUSPEND
}

/** A process ends with this wait status: now, or when its threads have stopped and its last words are said. `t`: its thread whose event
 *  is in hand, if one is; the answer is for that. */
export function die(pm: Pm, p: Process, status: number, t: Task | null): number {
  if (p.exiting || p.state === STATE.ZOMBIE) return SUSPEND
  if (p.dying >= 0) return t === null ? SUSPEND : arrive(t)
  if (!isSeen(pm, p)) {
    endProcess(pm, p, status)
    return SUSPEND
  }
  p.dying = status
  for (const one of p.tasks) if (one !== t) killStopped(one)
  p.stopSignal = 0
  pm.timers.after(processKey(p, REAL_TIMER), GRACE)
  for (const one of p.tasks) if (one !== t && !isStill(one)) disturb(pm, one)
  if (t !== null) return arrive(t)
  const speaker = p.tasks.every(isStill) ? p.tasks.find(one => one.waiting === WAITING.STOPPED) : undefined
  if (speaker !== undefined) {
    speaker.waiting = WAITING.NONE
    pm.sys.reply(speaker.endpoint, ASK.LAST_WORDS)
  } else if (p.tasks.every(isStill)) endProcess(pm, p, status)
  return SUSPEND
}
/** A thread of a dying process is at its boundary. */
export function arrive(t: Task): number {
  if (t.process.tasks.every(one => one === t || isStill(one))) return ASK.LAST_WORDS
  t.waiting = WAITING.STOPPED
  return SUSPEND
}
function isStill(t: Task): boolean {
  return t.waiting === WAITING.STOPPED || t.waiting === WAITING.VFORK
}

/** Whose words are next, in the reply: cell 1 the word to clear, cell 2 the head of the robust list, cell 3 the thread's id. 0: exec may
 *  go on. */
function next(pm: Pm, t: Task, m: Message): number {
  const p = t.process
  const forAll = p.dying >= 0 || (t.leaving < 0 && isSeen(pm, p))
  const who = forAll ? p.tasks.find(hasWords) : t.leaving >= 0 && hasWords(t) ? t : undefined
  if (who !== undefined) {
    setLong(m, 1, who.clearTid)
    setLong(m, 2, who.robustList)
    setInt(m, 3, who.tid)
    t.cleared = who.clearTid
    who.clearTid = 0
    who.robustList = 0
    return ASK.LAST_WORDS
  }
  if (p.dying >= 0) {
    if (!p.tasks.every(one => one === t || isStill(one))) return arrive(t) // it was leaving when the process began to die
    endProcess(pm, p, p.dying)
  } else if (t.leaving >= 0) endTask(pm, t, t.leaving)
  else return 0
  return SUSPEND
}
function hasWords(t: Task): boolean {
  return t.robustList !== 0 || t.clearTid !== 0
}

/** Can another process see words the threads of this one leave behind? */
function isSeen(pm: Pm, p: Process): boolean {
  if (!p.tasks.some(hasWords)) return false
  for (const other of pm.processes.values()) if (other.space === p.space && other !== p && other.state !== STATE.ZOMBIE) return true
  const t = p.tasks.find(one => one.robustList !== 0)
  return t !== undefined && ask(pm, EP.VM, VM.SHARES, t.endpoint) === 1
}
