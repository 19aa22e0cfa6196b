// The file server: its state, and one call vector out of those of its parts. MINIX's fs/main.c and table.c.
//   names: namei, overlay, memfs, open, stat, …   open files: filedes, readwrite, pipe, poll, …   processes: fproc

import { EP } from '../../abi/message.ts'
import type { CallVector, Server, Sys } from '../../lib/server.ts'
import { forgetOwner } from './async.ts'
import { cdevCalls } from './cdev.ts'
import { dupCalls } from './dup.ts'
import { epollCalls, forgetWatched } from './epoll.ts'
import { eventfdCalls } from './eventfd.ts'
import { extentCalls } from './extent.ts'
import { fcntlCalls } from './fcntl.ts'
import { fprocCalls } from './fproc.ts'
import type { HostFiles } from './hostfiles.ts'
import { inotifyCalls } from './inotify.ts'
import { ioctlCalls } from './ioctl.ts'
import { releaseFileLocks } from './locks.ts'
import { mapCalls } from './map.ts'
import { mqueueCalls } from './mqueue.ts'
import { namespaceCalls } from './namespace.ts'
import { pidfdCalls } from './pidfd.ts'
import { notifyClose } from './notify.ts'
import { pollCalls, waitExpired } from './poll.ts'
import { readwriteCalls } from './readwrite.ts'
import { signalfdCalls } from './signalfd.ts'
import { sdevCalls } from './socket.ts'
import { socketCalls } from './socket-calls.ts'
import { spliceCalls } from './splice.ts'
import { createState, type Facts, type FsState } from './state.ts'
import type { Store } from './store.ts'
import { timerfdCalls, timerfdExpired } from './timerfd.ts'

export interface FsOptions {
  host: HostFiles
  store: Store
  facts: Facts
  /** Puts the machine's file tree together: mounts[0] must be the root when it returns. */
  mounts(state: FsState): void
}

/** All calls of the file server over one state. */
export function fsCalls(state: FsState): CallVector {
  return {
    ...namespaceCalls(state),
    ...readwriteCalls(state),
    ...extentCalls(state),
    ...spliceCalls(state),
    ...dupCalls(state),
    ...fcntlCalls(state),
    ...ioctlCalls(state),
    ...pollCalls(state),
    ...inotifyCalls(state),
    ...epollCalls(state),
    ...eventfdCalls(state),
    ...timerfdCalls(state),
    ...mqueueCalls(state),
    ...signalfdCalls(state),
    ...pidfdCalls(state),
    ...mapCalls(state),
    ...cdevCalls(state),
    ...sdevCalls(state),
    ...socketCalls(state),
    ...fprocCalls(state),
  }
}

/** What must know when the last reference to an open file goes. */
export function watchClosing(state: FsState): void {
  state.closing.push(
    file => forgetWatched(state, file),
    file => void (state.watched > 0 && notifyClose(state, file)),
    file => releaseFileLocks(state, file),
    file => forgetOwner(state, file),
  )
}

/** Timer keys: 2 * slot a waiting poll, select or epoll_wait; 2 * id + 1 a timerfd. */
function expire(state: FsState): void {
  for (let key = state.timers.expire(); key >= 0; key = state.timers.expire()) {
    if ((key & 1) === 0) waitExpired(state, key >> 1)
    else timerfdExpired(state, key >> 1)
  }
}

export function createFs(sys: Sys, options: FsOptions): Server {
  const state = createState(sys, options.host, options.store, options.facts)
  watchClosing(state)
  options.mounts(state)
  return {
    name: 'fs',
    calls: fsCalls(state),
    notified(from) {
      if (from === EP.CLOCK) expire(state)
    },
  }
}
