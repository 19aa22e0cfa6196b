// The process manager: processes and threads, ids, signals, clocks and limits. This file puts the parts together: the tables, the call
// vector, notifications. What PM knows is in mproc.ts; each part's file says which calls it serves.
import { EP, int, NONE, SUSPEND } from '../../abi/message.ts'
import { SIG } from '../../abi/signals.ts'
import type { CallVector, Server, Sys } from '../../lib/server.ts'
import { Timers } from '../../lib/timers.ts'
import { COMMON_CALL } from '../../protocol/common.ts'
import { capabilityCalls } from './capability.ts'
import { boundaryCalls } from './deliver.ts'
import { endProcess } from './exit.ts'
import { forkCalls } from './fork.ts'
import { futexCalls } from './futex.ts'
import { idCalls } from './getset.ts'
import { infoCalls } from './info.ts'
import { inspectCalls } from './inspect.ts'
import { cpuTimer, posixTimers, realTimer, timerCalls } from './itimer.ts'
import { jobCalls } from './job.ts'
import { CPU_TIMER, POSIX_TIMER, REAL_TIMER, WAIT_TIMER } from './keys.ts'
import { lastWordCalls } from './lastwords.ts'
import { initialLimits, limitCalls } from './limit.ts'
import { newLoad } from './load.ts'
import { newProcess, type Pm, type PmOptions, rootCred, taskOf } from './mproc.ts'
import { pidfdCalls } from './pidfd.ts'
import { prctlCalls } from './prctl.ts'
import { procinfoCalls } from './procinfo.ts'
import { ptraceCalls } from './ptrace.ts'
import { schedulingCalls } from './scheduling.ts'
import { sigioCalls } from './sigio.ts'
import { kernelSignals } from './signal.ts'
import { signalCalls } from './sigcalls.ts'
import { exportPm, importPm } from './state.ts'
import { interruptWait } from './suspended.ts'
import { timeCalls, waitTimeout } from './time.ts'
import { usageCalls } from './usage.ts'
import { waitCalls } from './wait.ts'

export type { PmOptions } from './mproc.ts'

export function createPm(sys: Sys, options: PmOptions): Server {
  const pm = newPm(sys, options)
  const signals = new Int32Array(2)
  return {
    name: 'pm',
    calls: callVector(pm),
    notified(from) {
      if (from === EP.CLOCK) for (let key = pm.timers.expire(); key >= 0; key = pm.timers.expire()) expired(pm, key)
      else if (from === EP.SYSTEM) {
        for (let e = sys.getksig(signals); e !== NONE; e = sys.getksig(signals)) {
          kernelSignals(pm, signals, e)
          sys.endksig(e)
        }
      }
    },
    exportState: () => exportPm(pm),
    importState: state => importPm(pm, state),
  }
}

export function newPm(sys: Sys, options: PmOptions): Pm {
  const init = newProcess(1, null, rootCred())
  init.leader.comm = 'init'
  const pm: Pm = {
    sys, options, mproc: [], processes: new Map([[1, init]]), tasks: new Map(), byIndex: [], init, timers: new Timers(sys, 256), sleepers: [], ghosts: [], lastPid: 1, lastRef: 0, lastSpace: 0, unlocks: 0,
    hostname: options.hostname, domainname: options.domainname ?? '(none)', spent: { user: 0, system: 0 }, load: newLoad(),
  }
  for (let cpu = 0; cpu < options.cpus; cpu++) init.leader.affinity[cpu >> 3] |= 1 << (cpu & 7)
  initialLimits(pm)
  return pm
}

function callVector(pm: Pm): CallVector {
  return {
    ...forkCalls(pm), ...lastWordCalls(pm), ...waitCalls(pm), ...boundaryCalls(pm), ...signalCalls(pm), ...idCalls(pm), ...jobCalls(pm),
    ...capabilityCalls(pm), ...timeCalls(pm), ...timerCalls(pm), ...limitCalls(pm), ...schedulingCalls(pm), ...usageCalls(pm), ...prctlCalls(pm),
    ...infoCalls(pm), ...procinfoCalls(pm), ...futexCalls(pm), ...inspectCalls(pm), ...pidfdCalls(pm), ...sigioCalls(pm), ...ptraceCalls(pm),
    [COMMON_CALL.CANCEL]: m => {
      const t = taskOf(pm, int(m, 0))
      if (t !== undefined) interruptWait(pm, t)
      return SUSPEND
    },
    /** Mostly PM itself said so; a first process that could not be started is ended by the machine. */
    [COMMON_CALL.GONE]: m => {
      const t = taskOf(pm, int(m, 0))
      if (t !== undefined) endProcess(pm, t.process, SIG.KILL)
      return SUSPEND
    },
    [COMMON_CALL.PING]: () => 0,
  }
}

function expired(pm: Pm, key: number): void {
  const kind = key & 3
  const place = key >> 2
  if (kind === WAIT_TIMER) {
    const t = pm.mproc[place]
    if (t !== undefined) waitTimeout(pm, t)
    return
  }
  const p = pm.byIndex[place]
  if (p === undefined) return
  if (p.dying >= 0) endProcess(pm, p, p.dying)
  else if (kind === REAL_TIMER) realTimer(pm, p)
  else if (kind === CPU_TIMER) cpuTimer(pm, p)
  else if (kind === POSIX_TIMER) posixTimers(pm, p)
}
