// System V IPC: shared memory, semaphores, message queues (MINIX's ipc server). Cells of guest calls follow the Linux arguments in order.
import { LINUX, MOL, numbers } from './table.ts'

export const ipcCalls = {
  SHMGET: [LINUX + 29, 'key size flags'],
  SHMAT: [LINUX + 30, 'id address flags'],
  SHMCTL: [LINUX + 31, 'id cmd data<>'], // data: as the command says (container/linux/commands.ts); short where the guest's memory ends
  SEMGET: [LINUX + 64, 'key n flags'],
  SEMOP: [LINUX + 220, 'id ops< n timeout<'],
  SEMCTL: [LINUX + 66, 'id n cmd data<> arg'], // arg: the fourth argument as it is, SETVAL's value. GETALL leaves a u64 in data, how many bytes follow it
  SHMDT: [LINUX + 67, 'address'],
  MSGGET: [LINUX + 68, 'key flags'],
  MSGSND: [LINUX + 69, 'id message< size flags'], // message: u64 type, then the text; short where the guest's memory ends
  MSGRCV: [LINUX + 70, 'id message> size type flags'],
  MSGCTL: [LINUX + 71, 'id cmd data<>'],
  // -- from VM --
  /** So many regions map `object` now. `by`: the endpoint whose doing it is; in a fork with its child, else NONE. */
  ATTACHED: [MOL + 224, 'object count by child'],
  // -- from PM --
  /** `child` is a process of its own but shares its parent's semaphore adjustments (CLONE_SYSVSEM). */
  SHARE: [MOL + 225, 'parent child'],
  // -- from FS --
  /** A table as /proc/sysvipc shows it, or a number of /proc/sys/kernel (IPC_TEXT): text from byte `offset` → bytes. */
  TEXT: [MOL + 226, 'what buf> offset'],
  /** Set such a number. */
  SETTEXT: [MOL + 227, 'what text<'],
} as const
export const IPC = numbers(ipcCalls)

/** What TEXT and SETTEXT are about. */
export const IPC_TEXT = {
  SHM: 0, SEM: 1, MSG: 2, // the tables
  SHMMAX: 3, SHMALL: 4, SHMMNI: 5, SEM_LIMITS: 6, MSGMAX: 7, MSGMNB: 8, MSGMNI: 9, // the limits
} as const
