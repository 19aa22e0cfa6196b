// The host's terminal, put in raw mode while a machine's console is on it, and given back as it was whatever happens. Main thread, used
// by the CLI; the TTY driver never changes the host's settings. Restored by restore(), at exit, before the default action of a signal
// nobody else handles, and after an uncaught error. kill -9 leaves no chance to do anything here: a small /bin/sh, in a session of its
// own, waits for the end of a pipe whose other end dies with us, and undoes the raw mode if it is still in force.
import { type ChildProcess, spawn } from 'node:child_process'
import { openSync } from 'node:fs'
import type { Writable } from 'node:stream'
import { E } from '../../abi/errno.ts'
import { IOCTL } from '../../abi/ioctl.ts'
import { C, I, L, NCCS, OF, TERMIOS, V, WINSIZE } from '../../abi/termios.ts'
import { Scratch, SYS, sys } from '../../host/host.ts'

const DUP2 = 33
const FATAL = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const
/** glibc's NCCS: how many characters `stty -g` lists. */
const STTY_CHARACTERS = 32
/** $1: settings to restore, for stty; descriptor 3: the terminal, raw by now. */
const WATCHDOG = 'raw=$(stty -g <&3) || exit; read -r _; [ "$(stty -g <&3)" = "$raw" ] && exec stty "$1" <&3'

export class HostTerminal {
  /** struct termios as it was found. */
  readonly saved: Uint8Array
  private readonly scratch = new Scratch(4096)
  private readonly inFd: number
  private readonly outFd: number
  private active = false
  private watchdog: ChildProcess | null = null

  /** null: inFd is not a terminal. */
  static open(inFd: number, outFd: number): HostTerminal | null {
    const terminal = new HostTerminal(inFd, outFd)
    if (terminal.saved.length === 0) return null
    process.on('exit', terminal.abandon)
    return terminal
  }
  private constructor(inFd: number, outFd: number) {
    this.inFd = inFd
    this.outFd = outFd
    this.saved = this.ioctl(inFd, IOCTL.TCGETS) < 0 ? new Uint8Array(0) : this.scratch.bytes.slice(0, TERMIOS.BYTES)
  }

  /** Of the window, in characters. 24 by 80 when the terminal doesn't know. */
  size(): { rows: number; columns: number } {
    for (const fd of [this.outFd, this.inFd]) {
      if (this.ioctl(fd, IOCTL.TIOCGWINSZ) < 0) continue
      const rows = this.scratch.view.getUint16(WINSIZE.ROW, true)
      const columns = this.scratch.view.getUint16(WINSIZE.COL, true)
      if (rows > 0 && columns > 0) return { rows, columns }
    }
    return { rows: 24, columns: 80 }
  }

  /** Bytes pass unchanged both ways from now on (cfmakeraw(3)). */
  raw(): void {
    if (this.active) return
    this.active = true
    this.set(rawOf(this.saved))
    process.on('exit', this.leave)
    process.on('uncaughtExceptionMonitor', this.leave)
    for (const name of FATAL) process.on(name, this.die)
    process.on('SIGTSTP', this.pause)
    process.on('SIGCONT', this.resume)
    this.guard()
  }
  /** As it was found. Idempotent. */
  restore(): void {
    if (!this.active) return
    this.active = false
    this.set(this.saved)
    process.off('exit', this.leave)
    process.off('uncaughtExceptionMonitor', this.leave)
    for (const name of FATAL) process.off(name, this.die)
    process.off('SIGTSTP', this.pause)
    process.off('SIGCONT', this.resume)
    this.watchdog?.stdin?.destroy()
    this.watchdog = null
  }

  private readonly leave = (): void => this.restore()
  /** The default action of the signal, with the terminal in order; somebody else who handles it ends us his way. */
  private readonly die = (name: NodeJS.Signals): void => {
    if (process.listenerCount(name) > 1) return
    this.restore()
    process.kill(process.pid, name)
  }
  private readonly pause = (name: NodeJS.Signals): void => {
    if (process.listenerCount(name) > 1) return
    this.set(this.saved)
    process.kill(process.pid, 'SIGSTOP')
  }
  private readonly resume = (): void => this.set(rawOf(this.saved))

  /** A terminal that has hung up by the time we end: Node resets the settings of descriptors 0–2 at its very end and aborts when it
   *  can't (node.cc ResetStdio), but leaves alone what is another file by then. */
  private readonly abandon = (): void => {
    const dead = [0, 1, 2].filter(fd => this.ioctl(fd, IOCTL.TCGETS) === -E.IO)
    if (dead.length === 0) return
    const nothing = openSync('/dev/null', 'r+')
    for (const fd of dead) sys(DUP2, nothing, fd)
  }

  private guard(): void {
    try {
      const stdio = ['pipe', 'ignore', 'ignore', this.inFd] as const
      const child = spawn('/bin/sh', ['-c', WATCHDOG, 'mol', sttyState(this.saved)], {
        stdio: [...stdio],
        detached: true,
      })
      child.on('error', () => {}) // no shell: no safety net
      child.unref()
      const pipe = child.stdin as (Writable & { unref?: () => void }) | null
      pipe?.on('error', () => {})
      pipe?.unref?.()
      this.watchdog = child
    } catch {
      this.watchdog = null
    }
  }
  private set(termios: Uint8Array): void {
    this.scratch.bytes.set(termios)
    sys(SYS.ioctl, this.inFd, IOCTL.TCSETS, this.scratch.address)
  }
  private ioctl(fd: number, request: number): number {
    return sys(SYS.ioctl, fd, request, this.scratch.address)
  }
}

function rawOf(saved: Uint8Array): Uint8Array {
  const raw = saved.slice()
  const view = new DataView(raw.buffer)
  const change = (at: number, clear: number, set: number): void =>
    view.setUint32(at, (view.getUint32(at, true) & ~clear) | set, true)
  change(TERMIOS.IFLAG, I.IGNBRK | I.BRKINT | I.PARMRK | I.ISTRIP | I.INLCR | I.IGNCR | I.ICRNL | I.IXON, 0)
  change(TERMIOS.OFLAG, OF.OPOST, 0)
  change(TERMIOS.LFLAG, L.ECHO | L.ECHONL | L.ICANON | L.ISIG | L.IEXTEN, 0)
  change(TERMIOS.CFLAG, C.CSIZE | C.PARENB, C.CS8)
  raw[TERMIOS.CC + V.MIN] = 1
  raw[TERMIOS.CC + V.TIME] = 0
  return raw
}
/** What `stty -g` prints for these settings: flags, then characters, in hexadecimal. */
export function sttyState(termios: Uint8Array): string {
  const view = new DataView(termios.buffer, termios.byteOffset)
  const flags = [TERMIOS.IFLAG, TERMIOS.OFLAG, TERMIOS.CFLAG, TERMIOS.LFLAG].map(at => view.getUint32(at, true))
  const characters = Array.from(
    { length: STTY_CHARACTERS },
    (_, i) => (i < NCCS ? termios[TERMIOS.CC + i] : 0) as number,
  )
  return [...flags, ...characters].map(n => n.toString(16)).join(':')
}
