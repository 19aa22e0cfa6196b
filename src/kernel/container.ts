// What the kernel asks of a container: how a process runs. One container object may run many processes; `slot` is a process-table slot.
// The container drives its guests' calls into the kernel (kernel.call), the kernel reaches guests only through this interface.
export interface Container {
  /** Host side of a new process: `child` starts as a copy of `parent`, which is in a call. Failure may come later: then the container
   *  sends PM.FORKFAIL in the parent's name. vfork (CLONE_VM|CLONE_VFORK): the child borrows the parent's host thread. */
  fork(parent: number, child: number, flags: number, stack: number, tls: number): number
  /** End the host side of a process (thread). */
  clear(slot: number, status?: number): void
  /** A running guest shall come to a boundary soon; a guest in a call needs nothing (the mark is seen when the call ends). */
  interrupt(slot: number): void
  /** The call the guest was blocked in has been answered. Comes from inside a handler: take note, don't call the kernel. */
  complete(slot: number, result: number): void
  sigsend(slot: number, sigmsg: number): number
  vmctl(
    slot: number,
    op: number,
    a0: number,
    a1: number,
    a2: number,
    a3: number,
    a4: number,
    file: number,
    offset: number,
  ): number
  /** The output at `at` comes straight from a host file when the call ends: → bytes, or -EAGAIN: copy it yourself. */
  fileRead(slot: number, at: number, bytes: number, file: number, position: number): number
  /** CPU time in ms: [user, system]. */
  times(slot: number, out: Float64Array): number
  /** Machine context, CONTEXT.BYTES at arena offset `at`. */
  getContext(slot: number, at: number): number
  setContext(slot: number, at: number): number
  /** T.* of abi/ipc.ts. */
  trace(slot: number, request: number): number
  /** Work in a process's memory or extended state (ERRAND.*), done by its own host thread when that rests: kernel.done() then.
   *  `from`: arena offset of what COPYOUT and SETX bring, read at once. 0 when taken on. */
  errand(slot: number, what: number, address: number, bytes: number, from: number, prot: number, client: number, id: number): number
  // -- from outside, whatever the process does meanwhile; without them: ENOSYS --
  /** Its memory, as far as pages are mapped: → bytes. Protection doesn't count (/proc/PID/mem). */
  peek?(slot: number, address: number, to: number, bytes: number): number
  poke?(slot: number, address: number, from: number, bytes: number): number
  /** USAGE, RESIDENCE of abi/ipc.ts, at arena offset `at`. */
  usage?(slot: number, at: number): number
  residence?(slot: number, at: number, rows: number): number
  /** It may have this much private writable memory, of which so much is charged (bytes). */
  allow?(slot: number, mapped: number, charged: number): number
  /** A process found to have more than was charged → slot, `out[0]` how much more; -1: no other. */
  excess?(out: Float64Array): number
}
