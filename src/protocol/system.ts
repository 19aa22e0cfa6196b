// Kernel calls: requests to SYSTEM, with MINIX 3.3's names and numbers (<minix/com.h>); mol's own from 0x680. lib/server.ts wraps them.
// MINIX's EXEC and SIGRETURN aren't there: images and signal frames are made and taken back by the container (LOCAL.EXECVE,
// LOCAL.RT_SIGRETURN), which tells the servers (PM.EXEC, PM.SIGRETURN); registers are set by SETMCONTEXT.
//
// A call with an `id` is an errand: answered 0 when taken on, done by the process's own host thread when that rests, then announced
// by COMMON.DONE.
import { numbers } from './table.ts'

export const systemCalls = {
  FORK: [0x600, 'parent flags stack tls'],
  CLEAR: [0x602, 'endpoint'],
  PRIVCTL: [0x604, 'endpoint request arg'],
  TRACE: [0x605, 'endpoint request'], // T.* of abi/ipc.ts. One that is stopped in a call goes on with that, and no further
  KILL: [0x606, 'endpoint signo'],
  GETKSIG: [0x607, ''],
  ENDKSIG: [0x608, 'endpoint'],
  SIGSEND: [0x609, 'endpoint sigmsg'],
  SETALARM: [0x618, 'ms absolute'],
  TIMES: [0x619, 'endpoint'],
  GETINFO: [0x61a, 'what buf>'],
  ABORT: [0x61b, 'how'],
  SAFECOPYFROM: [0x61f, 'endpoint address bytes prot id'], // prot ≥ 0: of the pages, which needn't allow it (one region only); -1: they must
  SAFECOPYTO: [0x620, 'endpoint address data< prot id'],
  SETGRANT: [0x622, 'offset bytes'],
  SETTIME: [0x628, 'realtime'],
  VMCTL: [0x62b, 'endpoint op a0 a1 a2 file offset'],
  DIAGCTL: [0x62c, 'text<'],
  RUNCTL: [0x62e, 'endpoint action'], // 0 interrupt, 1 mark
  GETMCONTEXT: [0x632, 'endpoint buf>'],
  SETMCONTEXT: [0x633, 'endpoint buf<'],
  CREATE: [0x680, 'domain'],
  FILEREAD: [0x681, 'endpoint at bytes file position'],
  GETXCONTEXT: [0x682, 'endpoint id'], // extended state, as in a signal frame
  SETXCONTEXT: [0x683, 'endpoint data< id'],
  OWNTEXT: [0x684, 'endpoint plain id'], // plain 1: rewritten call sites get their own bytes back, and no others are rewritten until plain 0
  // -- looking at a process from outside, whatever it does meanwhile --
  PEEK: [0x690, 'endpoint address buf>'],
  POKE: [0x691, 'endpoint address buf<'],
  USAGE: [0x692, 'endpoint usage>'], // USAGE.* of abi/ipc.ts
  RESIDENCE: [0x693, 'endpoint rows<>'], // RESIDENCE.* of abi/ipc.ts: start and end given
  // -- memory --
  ALLOW: [0x698, 'endpoint mapped charged'],
  EXCESS: [0x699, ''], // → endpoint; reply cell 1: bytes
} as const
export const SYS = numbers(systemCalls)
