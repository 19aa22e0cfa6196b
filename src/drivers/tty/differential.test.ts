// The line discipline against the real one: random settings and bytes, the same steps on the host's own pty (test/support/hostpty.py).
// Seeded, so a failure repeats. Skipped where there is no python3.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { E } from '../../abi/errno.ts'
import { I, L, OF, STANDARD, TERMIOS, V } from '../../abi/termios.ts'
import { flushEcho } from './echo.ts'
import { pump } from './input.ts'
import { output } from './output.ts'
import { inputBytes, readable, take } from './read.ts'
import { putBlock, ring, takeBlock, used } from './ring.ts'
import { applySettings, decodeTermios, standardSettings } from './settings.ts'
import { createTerminal, flushInput, flushOutput, halt, type Terminal } from './terminal.ts'

type Step = readonly ['set' | 'in' | 'out', string] | readonly ['read' | 'flush' | 'flow', number] | readonly ['avail']
type Outcome = readonly [number | string, string]

const HARNESS = fileURLToPath(new URL('../../../test/support/hostpty.py', import.meta.url))
function hex(bytes: Uint8Array | readonly number[]): string {
  return Buffer.from(bytes).toString('hex')
}
function bytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'hex'))
}

// -- our side --
function terminal(): Terminal {
  const t = createTerminal(64, 0, ring(new Uint8Array(65536), 0, 65536), ring(new Uint8Array(65536), 0, 65536))
  standardSettings(t)
  return t
}
function run(steps: readonly Step[]): Outcome[] {
  const t = terminal()
  return steps.map(step => {
    const result = perform(t, step)
    pump(t)
    const shown = new Uint8Array(used(t.out))
    takeBlock(t.out, shown, 0, shown.length)
    t.sent = t.out.tail
    return [result, hex(shown)]
  })
}
function perform(t: Terminal, step: Step): number | string {
  switch (step[0]) {
    case 'set': {
      const now = decodeTermios(bytes(step[1]), 0, TERMIOS.BYTES, t)
      applySettings(t, now)
      return 0
    }
    case 'in': {
      const data = bytes(step[1])
      const n = putBlock(t.in, data, 0, data.length)
      return n
    }
    case 'out': {
      const data = bytes(step[1])
      flushEcho(t)
      const n = output(t, data, 0, data.length)
      return n === 0 && data.length > 0 ? -E.AGAIN : n
    }
    case 'read': {
      const data = new Uint8Array(step[1])
      let n = 0
      const least = t.cc[V.MIN] as number
      while (n < step[1]) {
        if (!readable(t)) {
          if (n === 0 && ((t.lflag & L.ICANON) !== 0 || least > 0)) return -E.AGAIN
          break
        }
        n += take(t, data, n, step[1] - n)
        pump(t)
        if ((t.lflag & L.ICANON) !== 0 || n >= Math.max(1, least)) break
      }
      return hex(data.subarray(0, n))
    }
    case 'flush':
      if (step[1] !== 1) flushInput(t)
      if (step[1] !== 0) flushOutput(t)
      return 0
    case 'flow':
      halt(t, step[1] === 0)
      return 0
    case 'avail':
      return inputBytes(t)
  }
}

// -- the host's --
function host(cases: readonly (readonly Step[])[], wait: number): Outcome[][] {
  const child = spawnSync('python3', [HARNESS], { input: JSON.stringify({ wait, cases }), maxBuffer: 1 << 28 })
  if (child.status !== 0) throw new Error(`hostpty.py: ${child.stderr}`)
  return JSON.parse(child.stdout.toString())
}
const hasPython = spawnSync('python3', ['-c', 'import pty; pty.openpty()']).status === 0

// -- cases --
/** mulberry32 */
function random(seed: number): (n: number) => number {
  let a = seed
  return n => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % n
  }
}
function termios(iflag: number, oflag: number, lflag: number, cc: readonly number[] = STANDARD.cc): string {
  const out = new Uint8Array(TERMIOS.BYTES)
  const view = new DataView(out.buffer)
  view.setUint32(TERMIOS.IFLAG, iflag, true)
  view.setUint32(TERMIOS.OFLAG, oflag, true)
  view.setUint32(TERMIOS.CFLAG, STANDARD.cflag, true)
  view.setUint32(TERMIOS.LFLAG, lflag, true)
  out.set(cc, TERMIOS.CC)
  return hex(out)
}
const IFLAGS = [I.ISTRIP, I.INLCR, I.IGNCR, I.ICRNL, I.IUCLC, I.IXON, I.IXANY, I.IUTF8, I.PARMRK, I.IMAXBEL]
const OFLAGS = [OF.OPOST, OF.OLCUC, OF.ONLCR, OF.OCRNL, OF.ONOCR, OF.ONLRET, OF.XTABS]
const LFLAGS = [L.ECHO, L.ECHOE, L.ECHOK, L.ECHONL, L.NOFLSH, L.ECHOCTL, L.ECHOPRT, L.ECHOKE, L.IEXTEN]
type Pick = (n: number) => number
function flags(pick: Pick, from: readonly number[], base: number, odds: number): number {
  return from.reduce((sum, flag) => (pick(odds) === 0 ? sum ^ flag : sum), base) >>> 0
}
const ALPHABET = [
  ...[97, 98, 32, 95, 65, 90, 49, 46, 97, 98, 99, 100, 101], // text
  ...[9, 9, 10, 10, 13, 8, 127, 127, 21, 23, 23, 22, 18, 4, 3, 28, 26, 17, 19, 1, 27, 0], // controls
  ...[0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xff, 0xe0, 0x80],
]
function text(pick: Pick, most: number): string {
  return hex(Array.from({ length: 1 + pick(most) }, () => ALPHABET[pick(ALPHABET.length)] as number))
}
function settings(pick: Pick): string {
  const cc: number[] = [...STANDARD.cc]
  cc[V.MIN] = pick(3)
  if (pick(6) === 0) cc[V.EOL] = 46
  if (pick(6) === 0) cc[V.EOL2] = 95
  if (pick(8) === 0) cc[V.ERASE] = 8
  if (pick(8) === 0) cc[V.KILL] = 0
  const l = L.ISIG | L.ICANON | L.ECHO | L.ECHOE | L.ECHOK | L.ECHOCTL | L.ECHOKE | L.IEXTEN
  const mode = [l, l, l, l & ~L.ICANON, l & ~(L.ICANON | L.ECHO | L.ISIG), l & ~L.ISIG, l | L.EXTPROC][
    pick(7)
  ] as number
  return termios(
    flags(pick, IFLAGS, I.ICRNL | I.IXON, 5),
    flags(pick, OFLAGS, OF.OPOST | OF.ONLCR, 5),
    flags(pick, LFLAGS, mode, 5),
    cc,
  )
}
function randomCase(seed: number): Step[] {
  const pick = random(seed)
  const steps: Step[] = [['set', settings(pick)]]
  const count = 4 + pick(8)
  for (let i = 0; i < count; i++) {
    const kind = pick(12)
    if (kind < 5) steps.push(['in', text(pick, 24)])
    else if (kind < 8) steps.push(['read', pick(30)])
    else if (kind < 9) steps.push(['out', text(pick, 16)])
    else if (kind < 10) steps.push(['set', settings(pick)])
    else if (kind < 11) steps.push(['avail'])
    else if (pick(2) === 0) steps.push(['flush', pick(2) * 2])
    else steps.push(['flow', pick(2)])
  }
  steps.push(['flow', 1], ['read', 200], ['read', 200], ['avail'])
  return steps
}
const cooked = termios(STANDARD.iflag, STANDARD.oflag, STANDARD.lflag)
const uncooked = termios(0, 0, 0)
function repeat(text: string, n: number): string {
  return hex(Buffer.from(text.repeat(n), 'latin1'))
}
const SPECIAL: [string, Step[]][] = [
  [
    'a full line keeps taking its last character',
    [
      ['set', cooked],
      ['in', repeat('a', 4090)],
      ['in', repeat('b', 20)],
      ['in', repeat('c', 1)],
      ['in', '0a'],
      ['read', 5000],
      ['read', 10],
    ],
  ],
  [
    'a full queue holds back what follows a line',
    [
      ['set', cooked],
      ['in', repeat('x', 100)],
      ['in', '0a'],
      ['in', repeat('y', 4090)],
      ['in', '0a'],
      ['avail'],
      ['read', 5000],
      ['read', 5000],
      ['read', 5000],
    ],
  ],
  [
    'a full queue of bytes',
    [
      ['set', uncooked],
      ['in', repeat('0123456789', 500)],
      ['avail'],
      ['read', 100],
      ['read', 5000],
      ['read', 5000],
      ['read', 1],
    ],
  ],
  [
    'lines of a length to wrap',
    [
      ['set', cooked],
      ...Array.from({ length: 12 }, (_, i): Step[] => [
        ['in', `${repeat('abcdefg', 90 + i)}0a`],
        ['read', 700],
        ['read', 700],
      ]).flat(),
    ],
  ],
  [
    'end of file behind exactly what was asked for',
    [
      ['set', cooked],
      ['in', '61626304'],
      ['read', 3],
      ['read', 3],
    ],
  ],
  [
    'end of file behind less',
    [
      ['set', cooked],
      ['in', '61626304'],
      ['read', 2],
      ['read', 3],
      ['read', 3],
    ],
  ],
  ['end of file alone, twice', [['set', cooked], ['in', '0404'], ['avail'], ['read', 3], ['read', 3], ['read', 3]]],
  [
    'two lines, one read each',
    [['set', cooked], ['in', '610a620a'], ['avail'], ['read', 0], ['read', 30], ['read', 30], ['read', 30]],
  ],
  [
    'a typed line becomes bytes',
    [
      ['set', cooked],
      ['in', '616263'],
      ['set', uncooked],
      ['read', 30],
    ],
  ],
  ['an end of file becomes a byte', [['set', cooked], ['in', '6104'], ['set', uncooked], ['avail'], ['read', 30]]],
  [
    'bytes become a line',
    [['set', uncooked], ['in', '616263'], ['set', cooked], ['avail'], ['read', 30], ['in', '640a'], ['read', 30]],
  ],
  [
    'echo waits while output is stopped',
    [
      ['set', cooked],
      ['in', '1361'],
      ['in', '6213'],
      ['out', '6f'],
      ['in', '11'],
      ['out', '6f'],
    ],
  ],
  [
    'turning IXON off starts output',
    [
      ['set', cooked],
      ['in', '1361'],
      ['set', termios(I.ICRNL, STANDARD.oflag, STANDARD.lflag)],
      ['in', '62'],
    ],
  ],
  [
    'tcflow holds echo',
    [
      ['set', cooked],
      ['flow', 0],
      ['in', '6162'],
      ['in', '11'],
      ['flow', 1],
      ['in', '63'],
    ],
  ],
  [
    'tabs rubbed out',
    [
      ['set', cooked],
      ['out', '7072'],
      ['in', '610962'],
      ['in', '7f7f'],
      ['in', '7f7f'],
      ['in', '0909'],
      ['in', '7f7f'],
      ['in', '01097f7f'],
    ],
  ],
  [
    'reprint',
    [
      ['set', cooked],
      ['in', '6109010162'],
      ['in', '12'],
      ['in', '7f7f7f7f7f7f'],
    ],
  ],
]

describe.skipIf(!hasPython)('N_TTY, ours and the host’s', () => {
  const random = Array.from({ length: Number(process.env.MOL_SEEDS ?? 260) }, (_, i): [string, Step[]] => [
    `seed ${i}`,
    randomCase(i + 1),
  ])
  const cases = [...SPECIAL, ...random]
  it('do the same', { timeout: 600000 }, () => {
    const ours = cases.map(([, steps]) => run(steps))
    // The host moves bytes in kernel threads: what differs is tried again with more patience before it counts.
    let different = cases.map((_, i) => i)
    let theirs: Outcome[][] = []
    for (const wait of [0.3, 5, 50]) {
      const results = host(
        different.map(i => cases[i]?.[1] ?? []),
        wait,
      )
      const still = different
        .map((i, k) => [i, results[k]] as const)
        .filter(([i, r]) => JSON.stringify(ours[i]) !== JSON.stringify(r))
      different = still.map(([i]) => i)
      theirs = still.map(([, r]) => r ?? [])
      if (different.length === 0) return
    }
    const explain = different.slice(0, 8).map((i, k) => {
      const steps = cases[i]?.[1] ?? []
      const at = steps.findIndex((_, s) => JSON.stringify(ours[i]?.[s]) !== JSON.stringify(theirs[k]?.[s]))
      const lines = steps.slice(0, at + 1).map((step, s) => `  ${step.join(' ')} -> ${ours[i]?.[s]?.join(' | ')}`)
      return [cases[i]?.[0], ...lines, `  host: ${theirs[k]?.[at]?.join(' | ')}`].join('\n')
    })
    expect(`${different.length} differ\n${explain.join('\n')}`).toBe('')
  })
})
