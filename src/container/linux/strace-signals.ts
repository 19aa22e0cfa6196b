// si_code by signal, and which signals carry an address.
import { oneOf } from './strace-values.ts'
import { XLAT } from './xlat.ts'

/** Signals whose positive codes are faults with si_addr: ILL, TRAP, BUS, FPE, SEGV. */
export const FAULTS: ReadonlySet<number> = new Set([4, 5, 7, 8, 11])
const TABLES: Readonly<Record<number, string>> = { 4: 'ill', 5: 'trap', 7: 'bus', 8: 'fpe', 11: 'segv', 17: 'cld' }

export function faultCode(signo: number, code: number): string {
  const table = TABLES[signo]
  if (code > 0 && code < 0x80 && table !== undefined && XLAT[table]?.names.some(([v]) => v === code))
    return oneOf(table, code)
  return (
    XLAT.si?.names.find(([v]) => v === code >>> 0)?.[1] ??
    (code < 0 ? String(code) : `0x${code.toString(16)} /* SI_??? */`)
  )
}
