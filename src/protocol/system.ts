// Kernel calls: requests to SYSTEM, with MINIX 3.3's names and numbers (<minix/com.h>); mol's own from 0x680. lib/server.ts wraps them.
import { numbers } from './table.ts'

export const systemCalls = {
  FORK: [0x600, 'parent flags stack tls'],
  EXEC: [0x601, 'endpoint ip sp'],
  CLEAR: [0x602, 'endpoint'],
  PRIVCTL: [0x604, 'endpoint request arg'],
  KILL: [0x606, 'endpoint signo'],
  GETKSIG: [0x607, ''],
  ENDKSIG: [0x608, 'endpoint'],
  SIGSEND: [0x609, 'endpoint sigmsg'],
  SIGRETURN: [0x60a, 'endpoint'],
  SETALARM: [0x618, 'ms absolute'],
  TIMES: [0x619, 'endpoint'],
  GETINFO: [0x61a, 'what buf>'],
  ABORT: [0x61b, 'how'],
  SAFECOPYFROM: [0x61f, 'endpoint address offset bytes'],
  SAFECOPYTO: [0x620, 'endpoint address offset bytes'],
  SETGRANT: [0x622, 'offset bytes'],
  SETTIME: [0x628, 'realtime'],
  VMCTL: [0x62b, 'endpoint op a0 a1 a2 file offset'],
  DIAGCTL: [0x62c, 'text<'],
  RUNCTL: [0x62e, 'endpoint action'], // 0 interrupt, 1 mark
  GETMCONTEXT: [0x632, 'endpoint buf>'],
  SETMCONTEXT: [0x633, 'endpoint buf<'],
  CREATE: [0x680, 'domain'],
  FILEREAD: [0x681, 'endpoint at bytes file position'],
} as const
export const SYS = numbers(systemCalls)
