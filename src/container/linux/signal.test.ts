// Frames, compared with one the host's kernel made for a C program: the bytes, where they lie, and the way back. Needs a C compiler.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CH, DATA_OFF, OP, OP_BYTES, REG } from '../../abi/channel.ts'
import { E } from '../../abi/errno.ts'
import { int, message, SLOT, TYPE, ulong } from '../../abi/message.ts'
import { SA, SI, SIG, SIGMSG, SS } from '../../abi/signals.ts'
import type { Kernel } from '../../kernel/types.ts'
import { PM } from '../../protocol/pm.ts'
import { FRAME, FX, SIGCONTEXT_REGS, UC } from './sigframe.ts'
import { frameFailed, sigreturn, sigsend } from './signal.ts'
import { get64, type GuestThread, type LinuxContainer, MORE, newOutList, newWantList, put64, reg, RESUME, resetWindow, setReg } from './thread.ts'

const PROGRAM = `
#define _GNU_SOURCE
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>
static char stack[65536] __attribute__((aligned(64)));
static void handler(int signo, siginfo_t *info, void *context) {
  char *frame = (char *)context - 8;
  unsigned long head[4] = {(unsigned long)frame, (unsigned long)info, (unsigned long)stack, sizeof stack};
  unsigned offsets[4] = {offsetof(ucontext_t, uc_mcontext.gregs), offsetof(ucontext_t, uc_sigmask), REG_RIP, REG_CSGSFS};
  write(1, head, sizeof head);
  write(1, offsets, sizeof offsets);
  write(1, frame, 440);
  write(1, ((ucontext_t *)context)->uc_mcontext.fpregs, 512);
}
int main(int argc, char **argv) {
  struct sigaction act = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | (argc > 1 ? SA_ONSTACK : 0)};
  stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
  sigset_t mask;
  sigaltstack(&alternate, 0);
  sigaction(SIGUSR1, &act, 0);
  sigemptyset(&mask), sigaddset(&mask, SIGHUP), sigaddset(&mask, SIGRTMAX);
  sigprocmask(SIG_SETMASK, &mask, 0);
  long result = SYS_kill;
  register long r8 __asm__("r8") = 0x1111, r9 __asm__("r9") = 0x2222, r10 __asm__("r10") = 0x3333;
  __asm__ volatile("syscall" : "+a"(result) : "D"((long)getpid()), "S"((long)SIGUSR1), "r"(r8), "r"(r9), "r"(r10) : "rcx", "r11", "memory");
  return (int)result;
}
`

interface Native {
  frame: number
  info: number
  stack: number
  stackBytes: number
  offsets: number[]
  bytes: Buffer
  fx: Buffer
}
let directory = ''
let native: { plain: Native; onStack: Native }

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'mol-frame-'))
  writeFileSync(join(directory, 'frame.c'), PROGRAM)
  execFileSync('cc', ['-O1', '-o', join(directory, 'frame'), join(directory, 'frame.c')])
  const run = (...args: string[]): Native => {
    const out = execFileSync(join(directory, 'frame'), args)
    const word = (k: number) => Number(out.readBigUInt64LE(8 * k))
    return {
      frame: word(0), info: word(1), stack: word(2), stackBytes: word(3), offsets: [0, 1, 2, 3].map(k => out.readUInt32LE(32 + 4 * k)),
      bytes: out.subarray(48, 488), fx: out.subarray(488, 1000),
    }
  }
  native = { plain: run(), onStack: run('altstack') }
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const MSG = 0x60000
function thread(): GuestThread {
  const buffer = new ArrayBuffer(0x80000)
  const mem = new Uint8Array(buffer)
  const arena = { buffer, mem, i32: new Int32Array(buffer), u32: new Uint32Array(buffer), view: new DataView(buffer), address: 0 }
  const t: GuestThread = {
    arena, mem, i32: arena.i32, u32: arena.u32, view: arena.view, base: 0, proc: 33, message: message(), outs: newOutList(), wants: newWantList(),
    pass: 0, bump: 0, end: 0, nr: 62, step: 0, local: null, nops: 0,
  }
  resetWindow(t)
  return t
}
function container(call: (t: GuestThread, slot: number) => number = () => 0): [LinuxContainer, (t: GuestThread) => void] {
  let current: GuestThread
  const kernel = { call: (_proc: number, slot: number) => call(current, slot) } as unknown as Kernel
  const c = { kernel, arena: {}, imageThread: (t: GuestThread) => t, hwcap: 0, clockTick: 100, minSigStack: 3632 } as unknown as LinuxContainer
  return [c, t => { current = t }]
}
function record(t: GuestThread, n: Native, over: Partial<Record<keyof typeof SIGMSG, number>> = {}): number {
  const v = t.view
  v.setUint32(MSG + SIGMSG.SIGNO, over.SIGNO ?? SIG.USR1, true)
  v.setUint32(MSG + SIGMSG.FLAGS, over.FLAGS ?? SA.SIGINFO | SA.RESTORER, true)
  put64(t, MSG + SIGMSG.HANDLER, over.HANDLER ?? 0x401234)
  for (let k = 0; k < 8; k++) t.mem[MSG + SIGMSG.RESTORER + k] = n.bytes[k]
  for (let k = 0; k < 8; k++) t.mem[MSG + SIGMSG.MASK + k] = n.bytes[FRAME.UC_SIGMASK + k]
  put64(t, MSG + SIGMSG.ALTSP, over.ALTSP ?? n.stack)
  put64(t, MSG + SIGMSG.ALTSIZE, over.ALTSIZE ?? n.stackBytes)
  v.setUint32(MSG + SIGMSG.ALTFLAGS, over.ALTFLAGS ?? 0, true)
  v.setUint32(MSG + SIGMSG.INCALL, over.INCALL ?? 0, true)
  put64(t, MSG + SIGMSG.RESULT, over.RESULT ?? 0)
  v.setUint32(MSG + SIGMSG.ORDINAL, over.ORDINAL ?? 0, true)
  for (let k = 0; k < 128; k++) t.mem[MSG + SIGMSG.INFO + k] = n.bytes[FRAME.INFO + k]
  return MSG
}
/** The registers the host's frame saved. */
function load(t: GuestThread, n: Native): void {
  for (let k = 0; k < SIGCONTEXT_REGS * 8; k++) t.mem[CH.REGS + k] = n.bytes[FRAME.SIGCONTEXT + k]
}
const op = (t: GuestThread, i: number) => {
  const at = CH.OPS + i * OP_BYTES
  return { code: t.u32[at >> 2], a0: get64(t, at + 8), a1: get64(t, at + 16), a2: get64(t, at + 24) }
}

describe('sigsend', () => {
  test('offsets are those of <ucontext.h>', () => {
    expect(native.plain.offsets).toEqual([FRAME.SIGCONTEXT - FRAME.UCONTEXT, FRAME.UC_SIGMASK - FRAME.UCONTEXT, REG.RIP, REG.CSGSFS])
    expect(native.plain.info - native.plain.frame).toBe(FRAME.INFO)
  })
  test.each(['plain', 'onStack'] as const)("%s: byte for byte the host's frame", which => {
    const n = native[which]
    const t = thread()
    const [c] = container()
    load(t, n)
    const sp = reg(t, REG.RSP)
    const flags = SA.SIGINFO | SA.RESTORER | (which === 'onStack' ? SA.ONSTACK : 0)
    expect(sigsend(c, t, record(t, n, { FLAGS: flags }))).toBe(0)
    const [copy, save, fresh] = [op(t, 0), op(t, 1), op(t, 2)]
    expect([copy.code, save.code, fresh.code]).toEqual([OP.COPYOUT, OP.SAVEX, OP.LOADX])
    const mine = Buffer.from(t.mem.slice(copy.a1, copy.a1 + copy.a2))
    const theirs = Buffer.from(n.bytes)
    for (const b of [mine, theirs]) {
      b.fill(0, FRAME.FPSTATE, FRAME.FPSTATE + 8) // an address: see below
      b.fill(0, FRAME.RESERVED, FRAME.UC_SIGMASK) // the host leaves these …
      b.fill(0, FRAME.UC_STACK + 12, FRAME.UC_STACK + 16) // … as it found them on the stack
    }
    theirs.writeBigUInt64LE(0n, FRAME.UC_FLAGS)
    expect(Number(mine.readBigUInt64LE(FRAME.UC_FLAGS))).toBe(UC.FP_XSTATE | UC.SIGCONTEXT_SS | UC.STRICT_RESTORE_SS)
    mine.writeBigUInt64LE(0n, FRAME.UC_FLAGS)
    expect(mine.subarray(0, FRAME.INFO).toString('hex')).toBe(theirs.subarray(0, FRAME.INFO).toString('hex'))
    expect(mine.subarray(FRAME.INFO).equals(theirs.subarray(FRAME.INFO))).toBe(true)
    // where: the same rules, with our bound for the size of the extended state
    const fpstate = save.a0
    const top = which === 'onStack' ? n.stack + n.stackBytes : sp - 128
    expect([copy.a0 % 16, fpstate % 64]).toEqual([8, 0])
    expect(fpstate + save.a1).toBeLessThanOrEqual(top)
    expect(copy.a0 + FRAME.BYTES).toBeLessThanOrEqual(fpstate)
    expect(fpstate - copy.a0).toBeLessThan(FRAME.BYTES + 24)
    const theirFx = Number(n.bytes.readBigUInt64LE(FRAME.FPSTATE))
    expect([n.frame % 16, theirFx % 64]).toEqual([8, 0])
  })
  test('the host says the same uc_flags where it has XSAVE', () => {
    const theirs = Number(native.plain.bytes.readBigUInt64LE(FRAME.UC_FLAGS))
    expect(theirs & ~UC.FP_XSTATE).toBe(UC.SIGCONTEXT_SS | UC.STRICT_RESTORE_SS)
  })
  test("registers are the handler's", () => {
    const n = native.plain
    const t = thread()
    const [c] = container()
    load(t, n)
    t.u32[(CH.REGS + REG.EFL * 8) >> 2] |= 0x10500
    sigsend(c, t, record(t, n))
    const frame = op(t, 0).a0
    expect([REG.RDI, REG.RSI, REG.RDX, REG.RAX, REG.RSP, REG.RIP].map(r => reg(t, r))).toEqual([
      SIG.USR1, frame + FRAME.INFO, frame + FRAME.UCONTEXT, 0, frame, 0x401234,
    ])
    expect(reg(t, REG.EFL) & 0x10500).toBe(0)
    const init = op(t, 2).a2
    expect([t.view.getUint16(init, true), t.view.getUint32(init + FX.MXCSR, true)]).toEqual([0x37f, 0x1f80])
  })
  test.each([
    ['EINTR from RESTARTSYS', -E.RESTARTSYS, 0, -E.INTR, 0x9000],
    ['SA_RESTART', -E.RESTARTSYS, SA.RESTART, 62, 0x8ffe],
    ['RESTARTNOINTR', -E.RESTARTNOINTR, 0, 62, 0x8ffe],
    ['RESTARTNOHAND', -E.RESTARTNOHAND, SA.RESTART, -E.INTR, 0x9000],
    ['RESTART_RESTARTBLOCK', -E.RESTART_RESTARTBLOCK, SA.RESTART, -E.INTR, 0x9000],
    ['a result', 17, SA.RESTART, 17, 0x9000],
    ['an error', -E.BADF, SA.RESTART, -E.BADF, 0x9000],
  ])('call in hand: %s', (_name, result, flags, rax, rip) => {
    const t = thread()
    const [c] = container()
    setReg(t, REG.RSP, 0x700000)
    setReg(t, REG.RIP, 0x9000)
    put64(t, CH.RESTART, 0x8ffe)
    sigsend(c, t, record(t, native.plain, { FLAGS: flags | SA.RESTORER, INCALL: 1, RESULT: result, ALTSIZE: 0 }))
    const at = op(t, 0).a1 + FRAME.SIGCONTEXT
    expect([get64(t, at + REG.RAX * 8), get64(t, at + REG.RIP * 8)]).toEqual([rax, rip])
    expect(op(t, 0).a2).toBe(FRAME.INFO) // no SA_SIGINFO: no siginfo
  })
  const base = 0x10000
  test.each([
    ['no restorer', { FLAGS: SA.SIGINFO }, 0x700000, -E.FAULT],
    ['enters', { FLAGS: SA.ONSTACK | SA.RESTORER, ALTSP: base, ALTSIZE: 0x4000 }, 0x700000, 0],
    ['too small for a frame', { FLAGS: SA.ONSTACK | SA.RESTORER, ALTSP: base, ALTSIZE: 2048 }, 0x700000, -E.FAULT],
    ['nested, room left', { FLAGS: SA.ONSTACK | SA.RESTORER, ALTSP: base, ALTSIZE: 0x8000 }, base + 0x4000, 0],
    ['nested, would run over', { FLAGS: SA.ONSTACK | SA.RESTORER, ALTSP: base, ALTSIZE: 0x8000 }, base + 0x400, -E.FAULT],
    ['nested without SA_ONSTACK, would run over', { FLAGS: SA.RESTORER, ALTSP: base, ALTSIZE: 0x8000 }, base + 0x400, -E.FAULT],
    ['SS_AUTODISARM starts anew', { FLAGS: SA.ONSTACK | SA.RESTORER, ALTSP: base, ALTSIZE: 0x8000, ALTFLAGS: SS.AUTODISARM }, base + 0x400, 0],
  ])('stack: %s', (_name, over, sp, expected) => {
    const t = thread()
    const [c] = container()
    setReg(t, REG.RSP, sp)
    expect(sigsend(c, t, record(t, native.plain, over))).toBe(expected)
  })
  test('several at once lie one below the other, and are undone together', () => {
    const n = native.plain
    const t = thread()
    const [c] = container()
    load(t, n)
    const before = t.mem.slice(CH.REGS, CH.REGS + 184)
    sigsend(c, t, record(t, n))
    const first = op(t, 0).a0
    sigsend(c, t, record(t, n, { ORDINAL: 1, HANDLER: 0x405678 }))
    const second = op(t, 3)
    expect(second.a0).toBeLessThan(first - FRAME.BYTES)
    expect(get64(t, second.a1 + FRAME.SIGCONTEXT + REG.RIP * 8)).toBe(0x401234)
    expect(frameFailed(t)).toBe(2)
    expect(t.mem.slice(CH.REGS, CH.REGS + 184)).toEqual(before)
    expect(frameFailed(t)).toBe(0)
  })
})

describe('rt_sigreturn', () => {
  const fetch = (t: GuestThread, c: LinuxContainer, bytes: Uint8Array) => {
    setReg(t, REG.RSP, 0x700008)
    expect(sigreturn(c, t, -1)).toBe(MORE)
    expect(op(t, 0)).toMatchObject({ code: OP.COPYIN, a0: 0x700000, a2: FRAME.BYTES })
    t.mem.set(bytes, op(t, 0).a1)
  }
  test("takes the host's frame back", () => {
    const n = native.onStack
    const t = thread()
    let type = 0
    const [c, on] = container((thread, slot) => {
      expect(slot).toBe(SLOT.PM)
      type = thread.message[TYPE] as number
      return 0
    })
    on(t)
    fetch(t, c, n.bytes)
    expect(sigreturn(c, t, -1)).toBe(RESUME)
    expect(type).toBe(PM.SIGRETURN)
    const m = t.message
    expect([m[2], m[3]]).toEqual([1 << (SIG.HUP - 1), 1 << 31])
    expect([ulong(m, 1), ulong(m, 2), int(m, 3)]).toEqual([n.stack, n.stackBytes, 0])
    const taken = Buffer.from(t.mem.slice(CH.REGS, CH.REGS + 17 * 8))
    expect(taken.equals(n.bytes.subarray(FRAME.SIGCONTEXT, FRAME.SIGCONTEXT + 17 * 8))).toBe(true)
    expect(op(t, 0)).toMatchObject({ code: OP.LOADX, a0: Number(n.bytes.readBigUInt64LE(FRAME.FPSTATE)) })
  })
  test('lets no segment and no system flag through; no fpstate is a fresh one', () => {
    const t = thread()
    const [c, on] = container()
    on(t)
    const bytes = Buffer.alloc(FRAME.BYTES, 0xff)
    bytes.writeBigUInt64LE(0n, FRAME.FPSTATE)
    setReg(t, REG.EFL, 0x202)
    fetch(t, c, bytes)
    expect(sigreturn(c, t, -1)).toBe(RESUME)
    expect(reg(t, REG.EFL)).toBe(0x50fd7)
    expect([t.u32[(CH.REGS + REG.CSGSFS * 8) >> 2], t.u32[((CH.REGS + REG.CSGSFS * 8) >> 2) + 1]]).toEqual([0x33, 0x2b0000])
    expect(op(t, 0)).toMatchObject({ code: OP.LOADX, a0: 0, a1: FX.BYTES })
  })
  test('no frame there: SIGSEGV', () => {
    const t = thread()
    const [c, on] = container(thread => {
      expect([thread.message[TYPE], int(thread.message, 0), int(thread.message, 1)]).toEqual([PM.FAULT, SIG.SEGV, SI.KERNEL])
      return 0
    })
    on(t)
    fetch(t, c, new Uint8Array(0))
    expect(sigreturn(c, t, 0)).toBe(RESUME)
    expect(t.bump).toBe(DATA_OFF)
  })
})
