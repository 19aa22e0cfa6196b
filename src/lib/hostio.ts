// Host descriptors as drivers in the kernel thread see them. Implemented over src/host by the kernel thread's event loop.
/** Readiness bits, poll(2) values. */
export const IO = { IN: 1, OUT: 4, ERR: 8, HUP: 16 } as const
export interface HostIo {
  /** read(2)/write(2) on a non-blocking host descriptor, to/from arena offsets. Bytes or -errno (-EAGAIN when not ready). */
  read(fd: number, offset: number, bytes: number): number
  write(fd: number, offset: number, bytes: number): number
  /** -EPERM for regular files: they are always ready (epoll_ctl). One watch per fd; a second call replaces the first.
   *  Call `ready(events)` from the kernel loop whenever any of `events` holds (level-triggered). 0 stops watching. */
  watch(fd: number, events: number, ready: (events: number) => void): number
  /** poll(2) without waiting: which of `events` (and ERR, HUP) hold now. -errno. */
  poll(fd: number, events: number): number
  /** ioctl FIONREAD: bytes that can be read now, or -errno. */
  available(fd: number): number
  close(fd: number): number
}
