// The smallest kernel side there can be: starts a launcher, gives orders, answers one guest's events by hand. For test/native.test.ts
// and bench/native.ts; it checks nothing, so it is no model for container/linux.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CH, DATA_OFF, EV, INFO, INFO_BYTES, OP, OP_BYTES, OPF, REG, SLOT_BYTES, THEN } from '../src/abi/channel.ts'
import * as host from '../src/host/host.ts'

export const CODE = 0x400000
export const DATA = 0x500000
export const STACK_TOP = 0x7ffd00000000
const CODE_BYTES = 0x10000
const TIMEOUT_MS = 5000
const SLOTS = 4

/** Assembles GNU x86-64 assembly to the bytes that go to CODE. */
export function assemble(source: string): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'mol-native-'))
  try {
    const file = join(folder, 'guest.S')
    const output = join(folder, 'guest.bin')
    writeFileSync(file, `.text\n${source}\n`)
    const link = ['--oformat=binary', `-Ttext=0x${CODE.toString(16)}`, '--build-id=none', '-e', '0'].map(
      flag => `-Wl,${flag}`,
    )
    execFileSync('cc', ['-nostdlib', '-static', '-no-pie', ...link, '-o', output, file], { stdio: 'pipe' })
    return readFileSync(output)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Address of a symbol of the stub's. */
export function stubSymbol(name: string): number {
  const line = execFileSync('nm', [join(host.nativeDirectory, 'stub.elf')], { encoding: 'utf8' })
    .split('\n')
    .find(row => row.endsWith(` ${name}`))
  if (!line) throw new Error(`no symbol ${name}`)
  return Number.parseInt(line, 16)
}

/** Turns `probe` until it gives something else than undefined. */
export function until<T>(what: string, probe: () => T | undefined): T {
  const deadline = Date.now() + TIMEOUT_MS
  for (;;) {
    for (let i = 0; i < 2000; i++) {
      const value = probe()
      if (value !== undefined) return value
    }
    if (Date.now() > deadline) throw new Error(`timeout waiting for ${what}`)
  }
}

export interface Op {
  code: number
  a?: (number | bigint)[]
  failOk?: boolean
}

/** One thread of a guest, behind its channel slot. */
export class Thread {
  readonly view: DataView
  readonly words: Int32Array
  #seen = 1
  constructor(
    readonly guest: Guest,
    readonly slot: number,
    memory: ArrayBuffer,
  ) {
    this.view = new DataView(memory, slot * SLOT_BYTES, SLOT_BYTES)
    this.words = new Int32Array(memory, slot * SLOT_BYTES, SLOT_BYTES / 4)
  }
  u32(offset: number): number {
    return this.view.getUint32(offset, true)
  }
  i32(offset: number): number {
    return this.view.getInt32(offset, true)
  }
  u64(offset: number): bigint {
    return this.view.getBigUint64(offset, true)
  }
  reg(index: number): bigint {
    return this.u64(CH.REGS + 8 * index)
  }
  setReg(index: number, value: number | bigint): void {
    this.view.setBigUint64(CH.REGS + 8 * index, BigInt.asUintN(64, BigInt(value)), true)
  }
  bytes(offset: number, n: number): Uint8Array {
    return new Uint8Array(this.view.buffer, this.view.byteOffset + offset, n)
  }
  text(offset: number, n: number): string {
    return Buffer.from(this.bytes(offset, n)).toString('latin1')
  }
  result(op: number): number {
    return Number(this.view.getBigInt64(CH.OPS + op * OP_BYTES + OPF.RESULT, true))
  }
  /** What the guest posted, if anything. */
  poll(): number | undefined {
    const sequence = Atomics.load(this.words, CH.SEQ / 4)
    if (sequence === this.#seen) return undefined
    this.#seen = sequence
    return this.u32(CH.OP)
  }
  event(): number {
    return until(`an event of slot ${this.slot}`, () => this.poll())
  }
  expect(event: number): this {
    const got = this.event()
    const name = (n: number) => Object.entries(EV).find(([, value]) => value === n)?.[0] ?? n
    if (got !== event)
      throw new Error(
        `${name(got)} instead of ${name(event)}: signal ${this.u32(CH.FAULT_SIGNO)} at ${this.reg(REG.RIP).toString(16)}, rax ${this.reg(REG.RAX)}, op ${this.u32(CH.OPDONE)}: ${this.result(this.u32(CH.OPDONE))}`,
      )
    return this
  }
  /** Waits for a call; its number and arguments. */
  call(): { number: number; a: bigint[] } {
    this.expect(EV.SYSCALL)
    const a = [REG.RDI, REG.RSI, REG.RDX, REG.R10, REG.R8, REG.R9].map(index => this.reg(index))
    return { number: Number(this.reg(REG.RAX)), a }
  }
  reply(then: number, ops: Op[] = [], value: number | bigint = 0): void {
    for (const [i, op] of ops.entries()) {
      const at = CH.OPS + i * OP_BYTES
      this.view.setUint32(at + OPF.CODE, op.code, true)
      this.view.setUint32(at + OPF.FLAGS, op.failOk ? 1 : 0, true)
      for (let k = 0; k < 6; k++)
        this.view.setBigInt64(at + OPF.A + 8 * k, BigInt.asIntN(64, BigInt(op.a?.[k] ?? 0)), true)
    }
    this.view.setUint32(CH.NOPS, ops.length, true)
    this.view.setUint32(CH.THEN, then, true)
    this.view.setBigInt64(CH.RET, BigInt(value), true)
    Atomics.store(this.words, CH.KSEQ / 4, this.#seen)
    if (Atomics.load(this.words, CH.GSLEEP / 4)) host.futexWake(this.guest.address + this.slot * SLOT_BYTES + CH.KSEQ)
  }
  returns(value: number | bigint): void {
    this.reply(THEN.RETURN, [], value)
  }
  /** Runs operations and comes back when they are done. */
  run(ops: Op[]): number {
    this.reply(THEN.POST, ops)
    return this.expect(EV.OPDONE).result(0)
  }
  write(at: number, bytes: Uint8Array): void {
    this.bytes(DATA_OFF, bytes.length).set(bytes)
    this.run([{ code: OP.COPYOUT, a: [at, DATA_OFF, bytes.length] }])
  }
  read(at: number, n: number): Buffer {
    this.run([{ code: OP.COPYIN, a: [at, DATA_OFF, n] }])
    return Buffer.from(this.bytes(DATA_OFF, n))
  }
  /** Maps code, data and stack, and starts `code` at CODE. */
  start(code: Uint8Array): void {
    const map = (at: number, bytes: number, prot: number): Op => ({ code: OP.MMAP, a: [at, bytes, prot, 0x22, -1, 0] })
    this.run([map(CODE, CODE_BYTES, 7), map(DATA, 0x10000, 3), map(STACK_TOP - 0x10000, 0x10000, 3)])
    this.write(CODE, code)
    for (let i = 0; i < 23; i++) this.setReg(i, 0)
    this.setReg(REG.RIP, CODE)
    this.setReg(REG.RSP, STACK_TOP - 0x1000)
    this.setReg(REG.EFL, 0x202)
    this.reply(THEN.REGS)
  }
}

/** A guest process's channel memory and control socket. */
export class Guest {
  pid = 0
  readonly memory: ArrayBuffer
  readonly address: number
  readonly memfd: number
  readonly control: number
  readonly theirs: number
  readonly threads: Thread[]
  constructor() {
    this.memory = host.buffer(SLOTS * SLOT_BYTES)
    this.address = host.address(this.memory)
    this.memfd = host.memfd('channel', SLOTS * SLOT_BYTES)
    host.mapOver(this.address, SLOTS * SLOT_BYTES, this.memfd, 0)
    const pair = new Int32Array(2)
    host.socketpair(pair)
    ;[this.control, this.theirs] = pair as unknown as [number, number]
    this.threads = Array.from({ length: SLOTS }, (_, slot) => new Thread(this, slot, this.memory))
    for (const thread of this.threads) thread.view.setUint32(CH.SEQ, 1, true)
  }
  get main(): Thread {
    return this.threads[0] as Thread
  }
  /** After the other side has them. */
  closePassed(): void {
    host.close(this.memfd)
    host.close(this.theirs)
  }
}

export class Machine {
  readonly control: number
  readonly pid: number
  readonly listener: number
  readonly info: DataView
  readonly doorbell: number
  readonly exits = new Map<number, number>()
  constructor() {
    const pair = new Int32Array(2)
    host.socketpair(pair)
    const [ours, theirs] = pair as unknown as [number, number]
    const info = host.memfd('info', INFO_BYTES)
    const memory = host.buffer(INFO_BYTES)
    host.mapOver(host.address(memory), INFO_BYTES, info, 0)
    this.info = new DataView(memory)
    const readOnly = host.reopenReadOnly(info)
    this.doorbell = host.eventfd()
    const file = (name: string) => join(host.nativeDirectory, name)
    this.control = ours
    this.pid = host.spawn(
      file('launcher'),
      [file('launcher'), file('stub.elf'), String(process.pid)],
      [0, 1, 2, theirs, readOnly, this.doorbell],
    )
    for (const fd of [theirs, info, readOnly]) host.close(fd)
    this.info.setUint32(INFO.LAUNCHER_PID, this.pid, true)
    this.info.setUint32(INFO.SPIN, 20000, true)
    this.message('L')
    this.listener = host.received.fds[0] ?? -1
  }
  hint(number: number, hints: number[]): void {
    for (const [i, hint] of hints.entries()) this.info.setUint16(INFO.HINTS + 16 * number + 2 * i, hint, true)
  }
  /** Waits for a message of this kind; notes the exits that come before it. */
  message(letter: string): Int32Array {
    return until(`'${letter}' from the launcher`, () => {
      const n = host.receive(this.control)
      if (n === host.EAGAIN) return undefined
      if (n <= 0) throw new Error(`launcher: ${n}`)
      const [kind, a, b] = host.received.words as unknown as [number, number, number]
      if (kind === 'X'.charCodeAt(0)) this.exits.set(a, b)
      if (kind === letter.charCodeAt(0)) return host.received.words
      if (kind === 'E'.charCodeAt(0)) throw new Error(`launcher: errno ${a} at ${String.fromCharCode(b)}`)
      return undefined
    })
  }
  /** An empty guest process, waiting for its first reply. */
  guest(): Guest {
    const guest = new Guest()
    host.send(this.control, [guest.memfd, guest.theirs], 'S'.charCodeAt(0))
    guest.pid = this.message('P')[1] ?? -1
    guest.closePassed()
    return guest
  }
  start(source: string): Thread {
    const { main } = this.guest()
    main.start(assemble(source))
    return main
  }
  /** Waits for the end of a guest: its wait status. */
  exit(pid: number): number {
    while (!this.exits.has(pid)) this.message('X')
    return this.exits.get(pid) as number
  }
  notification(): host.Notification {
    const out = new host.Notification()
    until('a notification', () => (this.#readable() ? true : undefined))
    host.receiveNotification(this.listener, out)
    return out
  }
  #readable(): boolean {
    const epoll = host.epollCreate()
    host.epollControl(epoll, host.EPOLL_CTL.ADD, this.listener, host.EPOLLIN, 0)
    const n = host.epollWait(epoll, 0, new Uint32Array(1), new Uint32Array(1))
    host.close(epoll)
    return n > 0
  }
  stop(): void {
    host.send(this.control, [], 'Q'.charCodeAt(0))
    until('the launcher to end', () => (host.waitpid(this.pid, new Int32Array(1)) ? true : undefined))
    for (const fd of [this.control, this.listener, this.doorbell]) host.close(fd)
  }
}
