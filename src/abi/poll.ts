// poll(2), epoll(7) and select(2) numbers and layouts, x86-64 (asm-generic/poll.h, linux/eventpoll.h).
//   struct pollfd { s32 fd @0; s16 events @4; s16 revents @6 }         struct epoll_event { u32 events @0; u64 data @4 }, packed
export const POLL = {
  IN: 1,
  PRI: 2,
  OUT: 4,
  ERR: 8,
  HUP: 0x10,
  NVAL: 0x20,
  RDNORM: 0x40,
  RDBAND: 0x80,
  WRNORM: 0x100,
  WRBAND: 0x200,
  MSG: 0x400,
  RDHUP: 0x2000,
} as const
export const READABLE = POLL.IN | POLL.RDNORM
export const WRITABLE = POLL.OUT | POLL.WRNORM
export const POLLFD_BYTES = 8
export const EPOLL = {
  EXCLUSIVE: 1 << 28,
  WAKEUP: 1 << 29,
  ONESHOT: 1 << 30,
  ET: 1 << 31,
  CTL_ADD: 1,
  CTL_DEL: 2,
  CTL_MOD: 3,
} as const
export const EPOLL_EVENT_BYTES = 12
/** What select's three sets ask for and take as an answer (fs/select.c). */
export const SELECT = {
  IN: POLL.RDNORM | POLL.RDBAND | POLL.IN | POLL.HUP | POLL.ERR,
  OUT: POLL.WRBAND | POLL.WRNORM | POLL.OUT | POLL.ERR,
  EX: POLL.PRI,
} as const
