// How a protocol is declared: one row per message, name → [type, cells]. Number ranges:
//   1–127          PM and FS calls MINIX has, with MINIX 3.1.2's numbers (<minix/callnr.h>)
//   0x400–0x4ff    character devices     0x600–0x6ff kernel calls     0xc00–0xcff VM     (MINIX 3.3's bases)
//   0x700–0x7ff    socket devices
//   0x800–0xbff    LINUX + n: calls only Linux has, n = its x86-64 number
//   0xe00–0xeff    MOL: what neither has (between servers and container)
//   0xf00–0xf0f    common to all servers
// The cells string documents what the seven payload cells hold, in order: `name` a value, `name<` a grant the receiver reads (bytes,
// or a path: no NUL, length in the grant), `name>` a grant it writes, `name<>` both. A missing pointer is a grant of length 0.
export type Row = readonly [type: number, cells: string]
export type Protocol = Readonly<Record<string, Row>>
export const LINUX = 0x800
export const MOL = 0xe00
export const COMMON = 0xf00
export function numbers<T extends Protocol>(rows: T): { readonly [K in keyof T]: T[K][0] } {
  const out: Record<string, number> = {}
  for (const [name, row] of Object.entries(rows)) out[name] = row[0]
  return out as { [K in keyof T]: T[K][0] }
}
