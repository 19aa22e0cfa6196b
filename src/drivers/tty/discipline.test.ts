// The line discipline by rows: settings, bytes typed → bytes a reader gets, bytes the terminal shows, signals. What Linux does with
// many more is in differential.test.ts; here is what a reader of this folder wants to see at a glance.
import { expect, it } from 'vitest'
import { SIG } from '../../abi/signals.ts'
import { I, L, OF, V } from '../../abi/termios.ts'
import { pump } from './input.ts'
import { output } from './output.ts'
import { readable, take } from './read.ts'
import { putBlock, ring, takeBlock, used } from './ring.ts'
import { applySettings, standardSettings } from './settings.ts'
import { createTerminal, type Settings, type Terminal } from './terminal.ts'

function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, c => c.charCodeAt(0))
}
function text(data: Uint8Array): string {
  return Array.from(data, c => String.fromCharCode(c)).join('')
}
type Change = (s: Settings) => void
function terminal(change: Change = () => {}): Terminal {
  const t = createTerminal(0, 0, ring(new Uint8Array(8192), 0, 8192), ring(new Uint8Array(8192), 0, 8192))
  standardSettings(t)
  const s = { ...t, cc: t.cc.slice() }
  change(s)
  applySettings(t, s)
  return t
}
function typed(t: Terminal, input: string): void {
  putBlock(t.in, bytes(input), 0, input.length)
  pump(t)
}
function shown(t: Terminal): string {
  const data = new Uint8Array(used(t.out))
  takeBlock(t.out, data, 0, data.length)
  return text(data)
}
function lines(t: Terminal): string[] {
  const out: string[] = []
  const data = new Uint8Array(5000)
  while (readable(t)) out.push(text(data.subarray(0, take(t, data, 0, data.length))))
  return out
}
const raw: Change = s => {
  s.lflag &= ~(L.ICANON | L.ECHO | L.ISIG | L.IEXTEN)
  s.iflag = 0
}
const set =
  (field: 'iflag' | 'oflag' | 'lflag', on: number, off = 0): Change =>
  s => {
    s[field] = (s[field] & ~off) | on
  }
const standard: Change = () => {}
const noEcho = set('lflag', 0, L.ECHO)

const rows: [name: string, change: Change, input: string, read: string[], shown: string, signals?: number[]][] = [
  ['a line', standard, 'hello\n', ['hello\n'], 'hello\r\n'],
  ['half a line is not delivered', standard, 'hel', [], 'hel'],
  ['return is newline (ICRNL)', standard, 'a\r', ['a\n'], 'a\r\n'],
  ['return ignored (IGNCR)', set('iflag', I.IGNCR), 'a\r\n', ['a\n'], 'a\r\n'],
  ['newline is return (INLCR) and ends no line', set('iflag', I.INLCR, I.ICRNL), 'a\n', [], 'a^M'],
  ['two lines, two reads', standard, 'a\nb\n', ['a\n', 'b\n'], 'a\r\nb\r\n'],
  ['end of file pushes what is there', standard, 'ab\x04', ['ab'], 'ab'],
  ['end of file alone reads 0', standard, '\x04', [''], ''],
  ['erase', standard, 'ax\x7fb\n', ['ab\n'], 'ax\b \bb\r\n'],
  ['erase at the beginning does nothing', standard, '\x7f\x7fa\n', ['a\n'], 'a\r\n'],
  ['erase of a control character takes two columns', standard, '\x01\x7f\n', ['\n'], '^A\b \b\b \b\r\n'],
  ['erase of a tab goes back to where it began', standard, 'ab\t\x7fc\n', ['abc\n'], 'ab\t\b\b\b\b\b\bc\r\n'],
  ['erase of a UTF-8 character (IUTF8)', set('iflag', I.IUTF8), 'a\xc3\xa9\x7f\n', ['a\n'], 'a\xc3\xa9\b \b\r\n'],
  ['erase without IUTF8 takes a byte', standard, 'a\xc3\xa9\x7f\n', ['a\xc3\n'], 'a\xc3\xa9\b \b\r\n'],
  ['erase without ECHOE shows the character itself', set('lflag', 0, L.ECHOE), 'ab\x7f\n', ['a\n'], 'ab^?\r\n'],
  ['erase as on paper (ECHOPRT)', set('lflag', L.ECHOPRT), 'abc\x7f\x7fx\n', ['ax\n'], 'abc\\cb/x\r\n'],
  ['word erase', standard, 'one two  \x17x\n', ['one x\n'], `one two  ${'\b \b'.repeat(5)}x\r\n`],
  ['kill rubs the line out (ECHOKE)', standard, 'abc\x15x\n', ['x\n'], `abc${'\b \b'.repeat(3)}x\r\n`],
  ['kill without ECHOKE starts a new line (ECHOK)', set('lflag', 0, L.ECHOKE), 'abc\x15x\n', ['x\n'], 'abc^U\r\nx\r\n'],
  ['literal next', standard, '\x16\x03\n', ['\x03\n'], '^\b^C\r\n'],
  ['reprint', standard, 'ab\x12c\n', ['abc\n'], 'ab^R\r\nabc\r\n'],
  ['no echo', noEcho, 'secret\n', ['secret\n'], ''],
  [
    'no echo but newlines (ECHONL)',
    s => {
      noEcho(s)
      s.lflag |= L.ECHONL
    },
    'secret\n',
    ['secret\n'],
    '\r\n',
  ],
  ['control characters as themselves without ECHOCTL', set('lflag', 0, L.ECHOCTL), '\x01\n', ['\x01\n'], '\x01\r\n'],
  [
    'another end of line (EOL)',
    s => {
      s.cc[V.EOL] = 0x2e
    },
    'a.b\n',
    ['a.', 'b\n'],
    'a.b\r\n',
  ],
  ['strip the eighth bit (ISTRIP)', set('iflag', I.ISTRIP), '\xe1\n', ['a\n'], 'a\r\n'],
  ['lower case (IUCLC)', set('iflag', I.IUCLC), 'AbC\n', ['abc\n'], 'abc\r\n'],
  ['0xff twice under PARMRK', set('iflag', I.PARMRK), '\xff\n', ['\xff\xff\n'], '\xff\r\n'],
  ['interrupt drops what was typed', standard, 'abc\x03d\n', ['d\n'], '^Cd\r\n', [SIG.INT]],
  ['quit and suspend', standard, '\x1c\x1a', [], '^Z', [SIG.QUIT, SIG.TSTP]],
  ['interrupt keeps it under NOFLSH', set('lflag', L.NOFLSH), 'abc\x03d\n', ['abcd\n'], 'abc^Cd\r\n', [SIG.INT]],
  ['no signals without ISIG', set('lflag', 0, L.ISIG), '\x03\n', ['\x03\n'], '^C\r\n'],
  ['raw: all bytes, at once, unshown', raw, '\x03\r\n\x04\x7f\0', ['\x03\r\n\x04\x7f\0'], ''],
  ['stop and start hold echo back and are not delivered', standard, 'a\x13bc\x11\n', ['abc\n'], 'abc\r\n'],
  ['any character starts output (IXANY)', set('iflag', I.IXANY), '\x13ab\n', ['ab\n'], 'ab\r\n'],
  ['stop is a character without IXON', set('iflag', 0, I.IXON), '\x13\n', ['\x13\n'], '^S\r\n'],
]
it.each(rows)('%s', (_name, change, input, read, echo, signals = []) => {
  const t = terminal(change)
  typed(t, input)
  expect(lines(t)).toEqual(read)
  expect(shown(t)).toBe(echo)
  expect(t.raised).toBe(signals.reduce((set, signo) => set | (1 << (signo - 1)), 0))
})

const outputs: [name: string, change: Change, written: string, shown: string][] = [
  ['newline is return and newline (ONLCR)', standard, 'a\nb\n', 'a\r\nb\r\n'],
  ['as it is without OPOST', set('oflag', 0, OF.OPOST), 'a\n\t', 'a\n\t'],
  ['upper case (OLCUC)', set('oflag', OF.OLCUC), 'aZ\xe9', 'AZ\xc9'],
  ['return is newline (OCRNL)', set('oflag', OF.OCRNL, OF.ONLCR), 'a\r', 'a\n'],
  ['no return in column 0 (ONOCR)', set('oflag', OF.ONOCR, OF.ONLCR), '\ra\r\r', 'a\r'],
  ['tabs as spaces (XTABS)', set('oflag', OF.XTABS), 'ab\tc\t', `ab${' '.repeat(6)}c${' '.repeat(7)}`],
  ['a newline that does return (ONLRET)', set('oflag', OF.ONLRET | OF.ONOCR, OF.ONLCR), 'ab\n\r', 'ab\n'],
]
it.each(outputs)('output: %s', (_name, change, written, expected) => {
  const t = terminal(change)
  expect(output(t, bytes(written), 0, written.length)).toBe(written.length)
  expect(shown(t)).toBe(expected)
})

it('output goes on where room ended, never within a sequence', () => {
  const t = createTerminal(0, 0, ring(new Uint8Array(8), 0, 8), ring(new Uint8Array(8), 0, 8))
  standardSettings(t)
  const data = bytes('abcdefg\nh')
  expect(output(t, data, 0, data.length)).toBe(7)
  expect(shown(t)).toBe('abcdefg')
  expect(output(t, data, 7, 2)).toBe(2)
  expect(shown(t)).toBe('\r\nh')
})

it('a line is 4096 bytes at most; its newline always fits', () => {
  const t = terminal(noEcho)
  for (const part of ['x'.repeat(4000), 'y'.repeat(1000), '\n']) typed(t, part)
  const [line, ...more] = lines(t)
  expect([line?.length, line?.endsWith('y\n'), more]).toEqual([4096, true, []])
})
