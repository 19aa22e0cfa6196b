import { describe, expect, it } from 'vitest'
import { E } from '../../abi/errno.ts'
import { isScript, parseShebang } from './shebang.ts'

const bytes = (text: string) => Uint8Array.from(text, c => c.charCodeAt(0))
const text = (b: Uint8Array | null) => (b === null ? null : String.fromCharCode(...b))

describe('shebang', () => {
  const rows: [name: string, head: string, interpreter: string | null, argument: string | null][] = [
    ['plain', '#!/bin/sh\necho', '/bin/sh', null],
    ['blanks around', '#! \t /bin/sh \t\n', '/bin/sh', null],
    ['one argument', '#!/usr/bin/env python3\n', '/usr/bin/env', 'python3'],
    ['an argument with blanks in it', '#!/bin/sh  -e  -x \n', '/bin/sh', '-e  -x'],
    ['no newline in a short file', '#!/bin/sh -e', '/bin/sh', '-e'],
    ['carriage return is part of the name', '#!/bin/sh\r\n', '/bin/sh\r', null],
    ['nothing', '#!\n', null, null],
    ['blanks only', '#!   \t \n', null, null],
    ['a short file of nothing (then ENOENT)', '#!', '', null],
    ['blanks to the end of the buffer', `#!${' '.repeat(400)}`, null, null],
    ['name cut off', `#!/${'a'.repeat(300)}\n`, null, null],
    ['name that just fits', `#!/${'a'.repeat(252)}\n`, `/${'a'.repeat(252)}`, null],
    ['name one too long', `#!/${'a'.repeat(253)}\n`, null, null],
    ['argument cut off', `#!/bin/sh ${'b'.repeat(300)}\n`, '/bin/sh', 'b'.repeat(245)],
    ['NUL ends the name', '#!/bin/sh\0x y\n', '/bin/sh', null],
  ]
  it.each(rows)('%s', (_name, head, interpreter, argument) => {
    const r = parseShebang(bytes(head))
    if (interpreter === null) expect(r).toBe(-E.NOEXEC)
    else if (typeof r === 'number') throw new Error(`${r}`)
    else expect([text(r.interpreter), text(r.argument)]).toEqual([interpreter, argument])
  })
  it('tells scripts', () => {
    expect([isScript(bytes('#!x')), isScript(bytes('# !')), isScript(bytes('#'))]).toEqual([true, false, false])
  })
})
