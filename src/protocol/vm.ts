// Memory server: the map of each address space (brk, mmap family), accounted per domain. It decides every address; the container
// carries the decision out in the host process (sys.vmctl), before the caller runs on.
import { LINUX, MOL, numbers } from './table.ts'

export const vmCalls = {
  BRK: [0xc00, 'address'],
  MMAP: [0xc01, 'address length prot flags fd offset'],
  MUNMAP: [0xc02, 'address length'],
  MPROTECT: [LINUX + 10, 'address length prot'],
  MREMAP: [LINUX + 25, 'old oldlen newlen flags new'],
  MSYNC: [LINUX + 26, 'address length flags'],
  MINCORE: [LINUX + 27, 'address length vec>'],
  MADVISE: [LINUX + 28, 'address length advice'],
  MLOCK: [LINUX + 149, 'address length flags'],
  MUNLOCK: [LINUX + 150, 'address length'],
  MLOCKALL: [LINUX + 151, 'flags'],
  MUNLOCKALL: [LINUX + 152, ''],
  MEMBARRIER: [LINUX + 324, 'cmd flags cpu'],
  /** Between the caller's memory (in pieces: done and total bytes) and that of `pid`, `count` iovecs at `remote` of the caller's. */
  PROCESS_READV: [LINUX + 310, 'pid buf> bytes remote count flags piece'],
  PROCESS_WRITEV: [LINUX + 311, 'pid buf< bytes remote count flags piece'],
  // one memory node: addresses are the caller's own
  MBIND: [LINUX + 237, 'address length mode nodes max flags'],
  SET_MEMPOLICY: [LINUX + 238, 'mode nodes max'],
  GET_MEMPOLICY: [LINUX + 239, 'mode nodes max address flags'],
  MIGRATE_PAGES: [LINUX + 256, 'pid max from to'],
  MOVE_PAGES: [LINUX + 279, 'pid count pages nodes status flags'],
  HOME_NODE: [LINUX + 450, 'address length node flags'],
  // -- for /proc --
  /** The process's memory from `address` on, as far as it is mapped, whatever its protection. → bytes; -EIO: none. */
  PEEK: [MOL + 220, 'endpoint address buf>'],
  POKE: [MOL + 221, 'endpoint address buf<'],
  /** IMAGE record and auxiliary vector, as EXECIMAGE gave them. → bytes */
  IMAGE: [MOL + 222, 'endpoint image>'],
  // -- from PM and the container --
  FORK: [MOL + 192, 'parent child flags'], // CLONE_VM shares
  EXIT: [MOL + 193, 'endpoint'],
  /** New image: the endpoint gets an empty address space of its own (a first process: its first). The container then builds the image
   *  in the guest's name with the EXEC* messages below; each that maps becomes host operations of the thread bound to the endpoint. */
  EXECNEW: [MOL + 194, 'endpoint'],
  /** Map at a fixed place, whole pages; like MMAP, `handle` a host file handle or -1 for zeroed memory. `file<`: u64 device, u64 inode,
   *  then the path /proc/PID/maps shows; empty for memory. */
  EXECMAP: [MOL + 195, 'address length prot flags handle offset file<'],
  /** Where the data segment ends (whole pages): the heap starts a random distance above. → address */
  EXECBRK: [MOL + 196, 'address'],
  /** A place for `length` bytes near the top (mmap base) without mapping anything; alignment 0 or a power of two. → address */
  EXECPLACE: [MOL + 197, 'length alignment'],
  /** Map the stack: RLIMIT_STACK bytes, at least `bytes` and some. → address where it ends */
  EXECSTACK: [MOL + 198, 'bytes prot'],
  /** Where the parts of the image are: IMAGE record, then the auxiliary vector. Kept for IMAGE, inherited by fork. */
  EXECIMAGE: [MOL + 199, 'image<'],
  /** Text from byte `offset` → bytes. what: MAPS_* below. */
  MAPS: [MOL + 200, 'endpoint buf> offset what'],
  /** Is `address` in private, file-backed, non-writable, executable memory? 1 yes. (Call-site patching.) */
  PATCHABLE: [MOL + 201, 'endpoint address'],
  SETLIMIT: [MOL + 202, 'endpoint resource value'], // from PM: soft RLIMIT_AS, DATA, STACK, MEMLOCK; -1 = none. Threads share, FORK copies
  /** From the container in the guest's name: a host operation of the VM call it has just made failed. What that call mapped is
   *  unmapped again (host operations for it are pushed); the call's result is then the operation's errno. */
  FAILED: [MOL + 203, ''],
  /** From the container in the guest's name, on a host SIGSEGV, before PM.FAULT: 1 when a MAP_GROWSDOWN region was grown to hold
   *  `address` (operations pushed; run on and fault no more), 0 when the fault is the guest's own. */
  GROW: [MOL + 204, 'address'],
  /** What shared memory `address` lies in, for futexes: 0 private, 1 shared (reply cell 1 device, 2 inode, 3 offset), -EFAULT no memory for them. */
  OBJECT: [MOL + 205, 'endpoint address'],
  /** Does the address space hold memory another process may see (shared mappings)? 1 yes. */
  SHARES: [MOL + 224, 'endpoint'],
  /** Shared mappings of a file that are writable or may be made so: how many there are. */
  WRITERS: [MOL + 225, 'dev ino'],
  // -- from who looks into a process or makes one anew (PM, FS, MACHINE); not from guests --
  /** The region `address` lies in, or the first above it, as a REGION record → 1, 0: none. */
  REGION: [MOL + 206, 'endpoint address record>'],
  /** Where mappings are placed from, the stack ends, the heap begins and ends: reply cells 1–4; or set from cells 2–5. */
  LAYOUT: [MOL + 207, 'endpoint set base stacktop startbrk brk'],
  /** Everything away; a private anonymous region, R.* flags as given (region.ts). For a process that is held; operations are pushed. */
  EMPTY: [MOL + 208, 'endpoint'],
  ADOPT: [MOL + 209, 'endpoint start end prot flags'],
  // -- from IPC: System V segments --
  /** `bytes` of shared memory that stays until it is dropped. inode and name: what /proc/PID/maps shows. → object */
  OBJECT_NEW: [MOL + 240, 'bytes inode name<'],
  OBJECT_DROP: [MOL + 241, 'object'],
  OBJECT_RESIDENT: [MOL + 242, 'object'], // → bytes of it that are in memory
  /** Map an object for `endpoint`; address 0: anywhere. flags: ATTACH_REMAP replaces what is there. → address */
  ATTACH: [MOL + 243, 'endpoint object address prot flags'],
  /** Unmap what is attached at `address`. -EINVAL: nothing is. */
  DETACH: [MOL + 244, 'endpoint address'],
} as const
export const VM = numbers(vmCalls)
export const ATTACH_REMAP = 1

/** REGION's record: byte offsets; u64 unless said. */
export const REGION = {
  START: 0, END: 8, PROT: 16 /* u32 */, FLAGS: 20 /* u32, R.* of servers/vm/region.ts */, KIND: 24 /* u32 REGION_KIND */, NAME_BYTES: 28 /* u32 */,
  DEV: 32, INO: 40, OFFSET: 48 /* in the file */, NAME: 56, BYTES: 4152,
} as const
export const REGION_KIND = { ANONYMOUS: 0, FILE: 1, HEAP: 2, STACK: 3 } as const
/** Bits of its flags that mean something to others. */
export const REGION_FLAGS = { SHARED: 1, GROWSDOWN: 2, NORESERVE: 4, READONLY: 128 } as const
/** MAPS's what: /proc/PID/maps, statm, the Vm lines of status, smaps, smaps_rollup. */
export const MAPS = { MAPS: 0, STATM: 1, STATUS: 2, SMAPS: 3, ROLLUP: 4 } as const
/** u64 each at 8 × index (Linux: mm_struct); the auxiliary vector follows. */
export const IMAGE = {
  START_CODE: 0, END_CODE: 1, START_DATA: 2, END_DATA: 3, START_STACK: 4, ARG_START: 5, ARG_END: 6, ENV_START: 7, ENV_END: 8, START_BRK: 9, BYTES: 80,
} as const
