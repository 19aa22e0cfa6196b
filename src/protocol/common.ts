// Messages every server understands.
import { COMMON, numbers } from './table.ts'

export const commonCalls = {
  /** From the kernel: the blocked call of `endpoint` shall end now (a signal is due). The server answers that call with sys.reply
   *  (partial result, -ERESTARTSYS, -ERESTARTNOHAND, -EINTR…) unless it can't be interrupted. No reply to this message itself. */
  CANCEL: [COMMON + 0, 'endpoint'],
  /** From the kernel: `endpoint` is gone; drop every row about it. */
  GONE: [COMMON + 1, 'endpoint'],
  PING: [COMMON + 2, ''],
  /** From the kernel: errand `id` is done → result (bytes, or -errno). What it brought lies in `data` until the handler returns. */
  DONE: [COMMON + 3, 'id result data<'],
} as const
export const COMMON_CALL = numbers(commonCalls)
