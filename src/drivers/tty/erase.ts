// ERASE, WERASE and KILL: take characters off the line being typed and off the screen. termios(3).
import { L, V } from '../../abi/termios.ts'
import { echoBack, echoChar, echoKill, echoRaw, echoRubTab, finishErasing } from './echo.ts'
import { continues, INPUT_BYTES, isControl, isWord, type Terminal } from './terminal.ts'

const MASK = INPUT_BYTES - 1
const ERASE = 0
const WERASE = 1
const KILL = 2
const TAB = 9

/** `c` is one of the three characters. */
export function erase(t: Terminal, c: number): void {
  if (t.head === t.canon) return
  const kind = c === t.cc[V.ERASE] ? ERASE : c === t.cc[V.WERASE] && (t.lflag & L.IEXTEN) !== 0 ? WERASE : KILL
  const echo = (t.lflag & L.ECHO) !== 0
  if (kind === KILL && !(echo && has(t, L.ECHOK | L.ECHOKE | L.ECHOE))) {
    t.head = t.canon
    if (!echo) return
    finishErasing(t)
    echoKill(t)
    return
  }
  eraseBack(t, kind, echo)
  if (t.head === t.canon && echo) finishErasing(t)
}

function eraseBack(t: Terminal, kind: number, echo: boolean): void {
  let seenWord = false
  while (t.head !== t.canon) {
    let at = t.head
    let c: number
    do c = t.input[--at & MASK] as number
    while (continues(t, c) && at !== t.canon)
    if (continues(t, c)) return // a UTF-8 character that began before this line: not partially
    if (kind === WERASE) {
      if (isWord(c)) seenWord = true
      else if (seenWord) return
    }
    const bytes = t.head - at
    t.head = at
    if (echo) rubOut(t, kind, c, bytes)
    if (kind === ERASE) return
  }
}

/** Show that the character at t.head (its first byte c) is gone. */
function rubOut(t: Terminal, kind: number, c: number, bytes: number): void {
  if (has(t, L.ECHOPRT)) {
    if (!t.erasing) echoRaw(t, 0x5c)
    t.erasing = true
    echoChar(t, c)
    for (let i = 1; i < bytes; i++) {
      echoRaw(t, t.input[(t.head + i) & MASK] as number)
      echoBack(t)
    }
  } else if (kind === ERASE && !has(t, L.ECHOE)) echoChar(t, t.cc[V.ERASE] as number)
  else if (c === TAB) rubOutTab(t)
  else {
    if (isControl(c) && has(t, L.ECHOCTL)) rubOutColumn(t)
    if (!isControl(c) || has(t, L.ECHOCTL)) rubOutColumn(t)
  }
}
function rubOutColumn(t: Terminal): void {
  echoRaw(t, 8)
  echoRaw(t, 32)
  echoRaw(t, 8)
}
/** How wide the tab was depends on the columns used since the one before, or since input began. */
function rubOutTab(t: Terminal): void {
  let columns = 0
  for (let at = t.head; at !== t.canon; ) {
    const c = t.input[--at & MASK] as number
    if (c === TAB) {
      echoRubTab(t, columns, true)
      return
    }
    if (isControl(c)) columns += has(t, L.ECHOCTL) ? 2 : 0
    else if (!continues(t, c)) columns++
  }
  echoRubTab(t, columns, false)
}
function has(t: Terminal, flags: number): boolean {
  return (t.lflag & flags) === flags
}
