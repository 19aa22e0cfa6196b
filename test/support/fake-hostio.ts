// A HostIo in memory, for unit tests of drivers: descriptors are scripts of what read and write answer, watches are called by hand.
import { E } from '../../src/abi/errno.ts'
import { type HostIo, IO } from '../../src/lib/hostio.ts'

export interface FakeFd {
  /** What read gives, piece by piece; a number is an -errno, '' end of file. Empty: -EAGAIN. */
  input: (string | number)[]
  /** What has been written. */
  output: string
  /** Bytes writes take before they answer -EAGAIN. */
  room: number
  /** Instead of writing: this -errno. */
  failure: number
  /** Level of HUP and ERR. */
  broken: number
  /** A regular file: epoll refuses it. */
  regular: boolean
  closed: boolean
}

export class FakeHostIo implements HostIo {
  readonly fds = new Map<number, FakeFd>()
  readonly watches = new Map<number, { events: number; ready: (events: number) => void }>()
  private readonly mem: Uint8Array
  constructor(mem: Uint8Array) {
    this.mem = mem
  }
  fd(n: number): FakeFd {
    let fd = this.fds.get(n)
    if (fd === undefined) {
      fd = {
        input: [],
        output: '',
        room: Number.POSITIVE_INFINITY,
        failure: 0,
        broken: 0,
        regular: false,
        closed: false,
      }
      this.fds.set(n, fd)
    }
    return fd
  }
  /** Call every watch whose events hold, until none does or `rounds` are over (a level-triggered loop) → calls made. */
  run(rounds = 100): number {
    let calls = 0
    for (let round = 0; round < rounds; round++) {
      let some = false
      for (const [fd, { events, ready }] of [...this.watches]) {
        const now = this.poll(fd, events)
        if (now === 0) continue
        some = true
        calls++
        ready(now)
      }
      if (!some) return calls
    }
    return calls
  }
  read(n: number, offset: number, bytes: number): number {
    const fd = this.fd(n)
    const piece = fd.input.shift()
    if (piece === undefined) return -E.AGAIN
    if (typeof piece === 'number') return piece
    for (let i = 0; i < Math.min(bytes, piece.length); i++) this.mem[offset + i] = piece.charCodeAt(i)
    if (piece.length > bytes) fd.input.unshift(piece.slice(bytes))
    return Math.min(bytes, piece.length)
  }
  write(n: number, offset: number, bytes: number): number {
    const fd = this.fd(n)
    if (fd.failure !== 0) return fd.failure
    const taken = Math.min(bytes, fd.room)
    if (taken === 0 && bytes > 0) return -E.AGAIN
    for (let i = 0; i < taken; i++) fd.output += String.fromCharCode(this.mem[offset + i] as number)
    fd.room -= taken
    return taken
  }
  watch(n: number, events: number, ready: (events: number) => void): number {
    if (events === 0) {
      this.watches.delete(n)
      return 0
    }
    if (this.fd(n).regular) return -E.PERM
    this.watches.set(n, { events, ready })
    return 0
  }
  poll(n: number, events: number): number {
    const fd = this.fd(n)
    return (
      fd.broken | (fd.input.length > 0 ? events & IO.IN : 0) | (fd.room > 0 || fd.failure !== 0 ? events & IO.OUT : 0)
    )
  }
  available(n: number): number {
    return this.fd(n).input.reduce((sum: number, piece) => sum + (typeof piece === 'string' ? piece.length : 0), 0)
  }
  close(n: number): number {
    this.watches.delete(n)
    this.fd(n).closed = true
    return 0
  }
}
