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
  copyOut(slot: number, address: number, from: number, bytes: number): number
  /** CPU time in ms: [user, system]. */
  times(slot: number, out: Float64Array): number
  getContext(slot: number, at: number, bytes: number): number
  setContext(slot: number, at: number, bytes: number): number
  // -- only for servers that are processes themselves (kernel calls EXEC, SIGRETURN, SAFECOPYFROM); without them: ENOSYS --
  exec?(slot: number, ip: number, sp: number): number
  sigreturn?(slot: number): number
  copyIn?(slot: number, address: number, to: number, bytes: number): number
}
