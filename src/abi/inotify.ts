// inotify(7): event and watch bits (linux/inotify.h), and struct inotify_event { s32 wd @0; u32 mask @4, cookie @8, len @12; char name[] @16 }.

export const IN = {
  ACCESS: 0x1,
  MODIFY: 0x2,
  ATTRIB: 0x4,
  CLOSE_WRITE: 0x8,
  CLOSE_NOWRITE: 0x10,
  OPEN: 0x20,
  MOVED_FROM: 0x40,
  MOVED_TO: 0x80,
  CREATE: 0x100,
  DELETE: 0x200,
  DELETE_SELF: 0x400,
  MOVE_SELF: 0x800,
  ALL_EVENTS: 0xfff,
  UNMOUNT: 0x2000,
  Q_OVERFLOW: 0x4000,
  IGNORED: 0x8000,
  ONLYDIR: 0x1000000,
  DONT_FOLLOW: 0x2000000,
  EXCL_UNLINK: 0x4000000,
  MASK_CREATE: 0x10000000,
  MASK_ADD: 0x20000000,
  ISDIR: 0x40000000,
  ONESHOT: 0x80000000 | 0,
} as const
/** Every bit inotify_add_watch takes for one. */
export const IN_ALL_BITS =
  IN.ALL_EVENTS |
  IN.UNMOUNT |
  IN.Q_OVERFLOW |
  IN.IGNORED |
  IN.ONLYDIR |
  IN.DONT_FOLLOW |
  IN.EXCL_UNLINK |
  IN.MASK_CREATE |
  IN.MASK_ADD |
  IN.ISDIR |
  IN.ONESHOT

export const INOTIFY_EVENT_BYTES = 16
/** Names are padded with NULs to a multiple of this, at least one. */
const NAME_ALIGN = 16
/** Bytes of an event. */
export function inotifyEventBytes(name: string): number {
  return INOTIFY_EVENT_BYTES + (name === '' ? 0 : (Math.floor(name.length / NAME_ALIGN) + 1) * NAME_ALIGN)
}
