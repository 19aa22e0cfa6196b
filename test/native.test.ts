// The native container against a mini kernel side: the channel protocol, the stub's exactness, and that nothing gets past the filter.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildNative } from '../scripts/build-native.mjs'
import {
  CH,
  CHANNEL_BASE,
  DATA_OFF,
  ENTRY,
  EV,
  GUEST_END,
  HINT,
  INFO,
  INFO_BASE,
  INTR_SIGNAL,
  OP,
  PATCH_BASE,
  PATTERN,
  REG,
  SLOT_BYTES,
  STACK_BASE,
  STUB_BASE,
  THEN,
  THREADS_MAX,
  TRAMPOLINE_TAIL,
  TRAMPOLINES,
} from '../src/abi/channel.ts'
import * as host from '../src/host/host.ts'
import {
  assemble,
  CODE,
  DATA,
  Guest,
  Machine,
  type Op,
  STACK_TOP,
  stubSymbol,
  type Thread,
  until,
} from './native-harness.ts'

await buildNative()
let machine: Machine
beforeAll(() => {
  machine = new Machine()
})
afterAll(() => machine.stop())

const EXIT = 'mov $231,%eax; xor %edi,%edi; syscall; ud2'

/** The guest's exit_group, carried out. */
function finish(thread: Thread): number {
  const { number, a } = thread.call()
  expect(number).toBe(231)
  thread.reply(THEN.RETURN, [{ code: OP.EXITGROUP, a: [a[0] ?? 0] }])
  return machine.exit(thread.guest.pid) >> 8
}

const EPERM = -1
const EFAULT = -14
const ENAMETOOLONG = -36
const CMP_TAIL = '.byte 0x48,0x3d,0x01,0xf0,0xff,0xff' // cmp $-4095,%rax, as glibc has it

/** What the stub prefetched for argument i. */
const prefetched = (thread: Thread, i: number) => {
  const n = thread.i32(CH.IN + 8 * i + 4)
  return n < 0 ? undefined : thread.text(thread.u32(CH.IN + 8 * i), n)
}

/** fork as a kernel side does it; the child's thread, or the CLONE's error. */
function fork(parent: Thread, approve = true): Thread | number {
  const child = new Guest()
  child.main.bytes(CH.REGS, CH.IN - CH.REGS).set(parent.bytes(CH.REGS, CH.IN - CH.REGS))
  host.sendFds(parent.guest.control, parent.slot, [child.memfd, child.theirs])
  parent.reply(THEN.POST, [
    { code: OP.RECVFD, a: [2, 0] },
    { code: OP.CLONE, failOk: true },
    { code: OP.CLOSEFD, a: [0, 2] },
  ])
  const notification = machine.notification()
  host.answerNotification(machine.listener, notification, approve)
  const result = parent.expect(EV.OPDONE).result(1)
  child.closePassed()
  if (result < 0) return result
  child.pid = until('the child', () => {
    const pid = host.receiveCredentials(child.control)
    return pid > 0 ? pid : undefined
  })
  expect(result).toBe(child.pid)
  return child.main
}

describe('trap path', () => {
  test('a call arrives with its registers and gets its result', () => {
    const thread =
      machine.start(`mov $39,%eax; mov $1,%edi; mov $2,%esi; mov $3,%edx; mov $4,%r10d; mov $5,%r8d; mov $6,%r9d; mov $0x1234,%rbx
      syscall; mov %eax,%edi; mov $231,%eax; syscall`)
    const { number, a } = thread.call()
    expect(number).toBe(39)
    expect(a).toEqual([1n, 2n, 3n, 4n, 5n, 6n])
    expect(thread.u32(CH.ENTRY)).toBe(ENTRY.TRAP)
    expect(thread.reg(REG.RBX)).toBe(0x1234n)
    expect(thread.u64(CH.RESTART)).toBe(thread.reg(REG.RIP) - 2n)
    thread.returns(42)
    expect(finish(thread)).toBe(42)
  })

  test('a call can be issued again, and all registers set', () => {
    const thread = machine.start(`mov $39,%eax; syscall; ${EXIT}`)
    thread.call()
    thread.setReg(REG.RIP, thread.u64(CH.RESTART))
    thread.setReg(REG.RAX, 39)
    thread.setReg(REG.RBX, 77)
    thread.reply(THEN.REGS)
    expect(thread.call().number).toBe(39)
    expect(thread.reg(REG.RBX)).toBe(77n)
    thread.returns(0)
    finish(thread)
  })

  test('a sleeping guest is woken, and a sleeping kernel side rung', () => {
    machine.info.setUint32(INFO.SPIN, 0, true)
    machine.info.setUint32(INFO.KASLEEP, 1, true)
    const thread = machine.start(`mov $39,%eax; syscall; ${EXIT}`)
    thread.call()
    until('the guest to sleep', () => thread.u32(CH.GSLEEP) || undefined)
    expect(host.drainEvent(machine.doorbell)).toBeGreaterThan(0)
    thread.returns(0)
    finish(thread)
    machine.info.setUint32(INFO.SPIN, 20000, true)
    machine.info.setUint32(INFO.KASLEEP, 0, true)
  })

  test('vsyscall: a call from the caller’s address, popped', () => {
    const thread = machine.start(
      `mov $0xffffffffff600400,%rbx; mov %rsp,%rbp; call *%rbx; after: cmp %rsp,%rbp; jne bad; mov %eax,%edi; mov $231,%eax; syscall; bad: ud2`,
    )
    expect(thread.call().number).toBe(201)
    expect(thread.u32(CH.ENTRY)).toBe(ENTRY.VSYSCALL)
    thread.returns(9)
    expect(finish(thread)).toBe(9)
  })
})

describe('prefetch', () => {
  const open = (path: string) =>
    machine.start(`mov $257,%eax; mov $${path},%rsi; syscall; ${EXIT}; name: .asciz "/etc/hosts"`)
  beforeAll(() => machine.hint(257, [HINT.NONE, HINT.STRING]))

  test('a string, with its NUL', () => {
    const thread = open('name')
    thread.call()
    expect(prefetched(thread, 0)).toBeUndefined()
    expect(prefetched(thread, 1)).toBe('/etc/hosts\0')
    thread.returns(0)
    finish(thread)
  })

  test('no string: null, unmapped, not the guest’s', () => {
    for (const address of ['0', '0x12345000', '0xffff800000000000', `0x${STUB_BASE.toString(16)}`]) {
      const thread = open(address)
      thread.call()
      expect(prefetched(thread, 1)).toBe('')
      thread.returns(0)
      finish(thread)
    }
  })

  test('a string that runs into nothing, and one that is too long', () => {
    const thread = machine.start(`mov $${DATA + 0x10000 - 5},%edi; mov $0x61,%al; mov $5,%ecx; rep stosb
      mov $257,%eax; mov $${DATA + 0x10000 - 5},%esi; syscall
      mov $${DATA},%edi; mov $0x62,%al; mov $5000,%ecx; rep stosb; mov $257,%eax; mov $${DATA},%esi; syscall; ${EXIT}`)
    thread.call()
    expect(prefetched(thread, 1)).toBe('aaaaa')
    thread.returns(0)
    thread.call()
    expect(prefetched(thread, 1)).toBe('b'.repeat(4096))
    thread.returns(0)
    finish(thread)
  })

  test('a buffer as long as its next argument, structures, and a buffer that ends early', () => {
    machine.hint(1, [HINT.NONE, HINT.BUFFER])
    machine.hint(2, [3, HINT.STRING, 8])
    const thread = machine.start(`mov $1,%eax; mov $text,%esi; mov $4,%edx; syscall
      mov $1,%eax; mov $${DATA + 0x10000 - 3},%esi; mov $100,%edx; syscall
      mov $2,%eax; mov $text,%edi; mov $text,%esi; mov $text,%edx; syscall; ${EXIT}; text: .ascii "hello, world"; .byte 0`)
    thread.call()
    expect(prefetched(thread, 1)).toBe('hell')
    thread.returns(4)
    thread.call()
    expect(prefetched(thread, 1)).toBe('\0\0\0')
    thread.returns(3)
    thread.call()
    expect([0, 1, 2].map(i => prefetched(thread, i))).toEqual(['hel', 'hello, world\0', 'hello, w'])
    expect(thread.u32(CH.IN + 8) % 16).toBe(0)
    thread.returns(0)
    finish(thread)
  })
})

describe('operations', () => {
  test('copies stop at the first bad byte', () => {
    const thread = machine.guest().main
    thread.run([{ code: OP.MMAP, a: [DATA, 0x2000, 3, 0x22, -1, 0] }])
    thread.run([{ code: OP.MPROTECT, a: [DATA + 0x1000, 0x1000, 1] }])
    const ops: Op[] = [
      { code: OP.COPYIN, a: [DATA + 0x1ffb, DATA_OFF, 100] },
      { code: OP.COPYOUT, a: [DATA + 0xff8, DATA_OFF, 100] },
      { code: OP.COPYIN, a: [GUEST_END, DATA_OFF, 8] },
      { code: OP.COPYIN, a: [DATA, SLOT_BYTES - 4, 100] },
      { code: OP.ZERO, a: [DATA + 0xff8, 100] },
      { code: OP.COPYINSTR, a: [DATA, DATA_OFF, 100] },
      { code: OP.COPYINSTR, a: [DATA + 0x2000, DATA_OFF, 100] },
    ]
    thread.run(ops.map(op => ({ ...op, failOk: true })))
    expect(ops.map((_, i) => thread.result(i))).toEqual([5, 8, 0, 4, EFAULT, 0, EFAULT])
    thread.write(DATA, Buffer.from('abcdef\0'))
    thread.run([
      { code: OP.COPYINSTR, a: [DATA, DATA_OFF, 100] },
      { code: OP.COPYINSTR, a: [DATA, DATA_OFF, 3], failOk: true },
    ])
    expect([thread.result(0), thread.result(1)]).toEqual([6, ENAMETOOLONG])
    thread.reply(THEN.POST, [{ code: OP.NOP }, { code: OP.COPYIN, a: [0x1000, DATA_OFF, 4] }, { code: OP.NOP }])
    expect(thread.expect(EV.OPFAIL).u32(CH.OPDONE)).toBe(1)
    thread.reply(THEN.POST, [{ code: OP.EXITGROUP, a: [3] }])
    expect(machine.exit(thread.guest.pid)).toBe(3 << 8)
  })

  test('descriptors are passed, read, mapped and closed', () => {
    const guest = machine.guest()
    const file = host.memfd('file', 4096)
    const scratch = new host.Scratch()
    scratch.cstr('contents', 0)
    host.write(file, scratch.address, 8)
    host.sendFds(guest.control, 0, [file, file])
    const { main } = guest
    main.run([
      { code: OP.RECVFD, a: [2, 3] },
      { code: OP.MMAP, a: [DATA, 0x1000, 1, 2, 4, 0] },
      { code: OP.MMAP, a: [DATA + 0x1000, 0x1000, 3, 0x22, -1, 0] },
      { code: OP.PREAD, a: [3, DATA + 0x1000, 4, 4] },
      { code: OP.CLOSEFD, a: [3, 2] },
      { code: OP.PREAD, a: [3, DATA + 0x1000, 4, 4], failOk: true },
    ])
    expect([0, 1, 3, 5].map(i => main.result(i))).toEqual([2, DATA, 4, -9])
    expect(main.read(DATA, 8).toString()).toBe('contents')
    expect(main.read(DATA + 0x1000, 4).toString()).toBe('ents')
    main.run([{ code: OP.RESET }])
    main.reply(THEN.POST, [{ code: OP.COPYIN, a: [DATA, DATA_OFF, 1] }])
    main.expect(EV.OPFAIL)
    host.close(file)
    host.kill(guest.pid, 9)
    expect(machine.exit(guest.pid)).toBe(9)
  })
})

describe('faults and interrupts', () => {
  test('what guest code raises comes as an event, and it can go on', () => {
    const thread = machine.start(
      `mov $0x123456,%eax; movb $1,(%rax); first: xor %ecx,%ecx; div %ecx; second: ud2; third: .byte 0x06; nop; int3; ${EXIT}`,
    )
    const skip = (signal: number, bytes: number) => {
      thread.expect(EV.FAULT)
      expect(thread.u32(CH.FAULT_SIGNO)).toBe(signal)
      thread.setReg(REG.RIP, thread.reg(REG.RIP) + BigInt(bytes))
      thread.reply(THEN.REGS)
    }
    thread.expect(EV.FAULT)
    expect(thread.u64(CH.FAULT_ADDR)).toBe(0x123456n)
    expect(thread.reg(REG.RIP)).toBe(BigInt(CODE + 5))
    thread.setReg(REG.RIP, CODE + 8)
    thread.reply(THEN.REGS)
    skip(8, 2)
    skip(4, 2)
    skip(4, 1)
    skip(5, 0)
    finish(thread)
  })

  test('a looping guest is interrupted, and goes on', () => {
    const thread = machine.start(`mov $39,%eax; syscall; loop: inc %rbx; jmp loop`)
    thread.call()
    thread.returns(7)
    for (let i = 0; i < 50; i++) {
      expect(host.tgkill(thread.guest.pid, thread.guest.pid, INTR_SIGNAL)).toBe(0)
      thread.expect(EV.INTR)
      expect(thread.reg(REG.RAX)).toBe(7n)
      thread.reply(THEN.REGS)
    }
    host.kill(thread.guest.pid, 9)
    machine.exit(thread.guest.pid)
  })

  test('an interrupt during a trapped call comes when the guest goes on', () => {
    const thread = machine.start(`mov $39,%eax; syscall; ${EXIT}`)
    thread.call()
    host.tgkill(thread.guest.pid, thread.guest.pid, INTR_SIGNAL)
    thread.returns(5)
    thread.expect(EV.INTR)
    expect(thread.reg(REG.RAX)).toBe(5n)
    thread.reply(THEN.REGS)
    finish(thread)
  })
})

describe('fork and threads', () => {
  // xmm0 and rbx carry over; parent exits with 1 + checks, child with 2 + checks.
  const FORKER = `mov $0x1122334455667788,%rax; movq %rax,%xmm0; mov %rax,%rbx; mov $57,%eax; call_site: syscall
    mov %rax,%rbp; movq %xmm0,%rcx; cmp %rcx,%rbx; jne bad
    test %rbp,%rbp; jz child; mov $1,%edi; jmp out; child: mov $2,%edi; out: mov $231,%eax; syscall; bad: ud2`

  test('an approved clone: both go on with their state, the child behind its own channel', () => {
    const parent = machine.start(FORKER)
    expect(parent.call().number).toBe(57)
    const child = fork(parent) as Thread
    child.returns(0)
    parent.returns(child.guest.pid)
    expect(finish(child)).toBe(2)
    expect(finish(parent)).toBe(1)
  })

  test('a clone that isn’t approved fails', () => {
    const parent = machine.start(FORKER)
    parent.call()
    expect(fork(parent, false)).toBe(EPERM)
    parent.returns(1)
    expect(finish(parent)).toBe(1)
  })

  test('the child’s memory is a copy, its children are the launcher’s too', () => {
    const parent = machine.start(`mov $57,%eax; syscall; mov $57,%eax; syscall; movl $5,${DATA}; ${EXIT}`)
    parent.call()
    const child = fork(parent) as Thread
    child.returns(0)
    child.call()
    const grandchild = fork(child) as Thread
    grandchild.returns(0)
    child.returns(1)
    grandchild.call()
    expect(grandchild.read(DATA, 1)[0]).toBe(5)
    expect(parent.read(DATA, 1)[0]).toBe(0)
    for (const thread of [grandchild, child, parent]) {
      host.kill(thread.guest.pid, 9)
      expect(machine.exit(thread.guest.pid)).toBe(9)
    }
  })

  /** Starts thread `slot` at `rip`, with the caller's registers and its own stack and fs base. */
  function startThread(parent: Thread, slot: number, rip: number): Thread {
    const born = parent.guest.threads[slot] as Thread
    parent.reply(THEN.POST, [{ code: OP.THREAD, a: [slot] }])
    host.answerNotification(machine.listener, machine.notification(), true)
    expect(parent.expect(EV.OPDONE).result(0)).toBeGreaterThan(0)
    born.bytes(CH.REGS, 8 * 23).set(parent.bytes(CH.REGS, 8 * 23))
    born.setReg(REG.RIP, rip)
    born.setReg(REG.RSP, STACK_TOP - 0x8000 - 0x1000 * slot)
    born.reply(THEN.REGS, [{ code: OP.SETFS, a: [DATA + 0x100 * slot] }])
    return born
  }
  const THREADS = `jmp main; .balign 16; worker: movq %xmm1,%rdi; mov %fs:0,%rsi; mov $1000,%eax; syscall; loop: jmp loop
    main: mov $0x77,%eax; movq %rax,%xmm1; movl $0x55,${DATA + 0x100}; mov $56,%eax; syscall; ${EXIT}`

  test('a thread starts with its own registers, fs base, channel, and its parent’s extended state', () => {
    const main = machine.start(THREADS)
    main.call()
    const born = startThread(main, 1, CODE + 16)
    const { number, a } = born.call()
    expect([number, a[0], a[1]]).toEqual([1000, 0x77n, 0x55n])
    expect(born.u32(CH.PID)).not.toBe(main.guest.pid)
    expect(born.u32(CH.PID)).toBe(main.result(0))
    born.returns(0)
    host.tgkill(main.guest.pid, born.u32(CH.PID), INTR_SIGNAL)
    born.expect(EV.INTR)
    expect(born.reg(REG.RIP)).toBeLessThan(BigInt(CODE + 100))
    born.reply(THEN.POST, [{ code: OP.EXIT, a: [0] }])
    main.returns(0)
    finish(main)
  })

  test('a fork by another thread than the first, whose child forks, makes that thread and is interrupted', () => {
    const main = machine.start(`jmp main; .balign 16; worker: mov $57,%eax; syscall; test %rax,%rax; jz 1f; ${EXIT}
      1: mov $39,%eax; syscall; loop: jmp loop; main: mov $56,%eax; syscall; ${EXIT}`)
    main.call()
    const worker = startThread(main, 2, CODE + 16)
    worker.call()
    const child = fork(worker) as Thread
    child.run([{ code: OP.COPYIN, a: [0x10, DATA_OFF, 4], failOk: true }]) // a fault of the stub's own on that stack
    child.returns(0)
    expect(child.call().number).toBe(39)
    const second = startThread(child, 2, CODE + 16)
    expect(second.call().number).toBe(57)
    const grandchild = fork(child) as Thread
    grandchild.returns(4)
    child.returns(3)
    host.tgkill(child.guest.pid, child.guest.pid, INTR_SIGNAL)
    child.expect(EV.INTR)
    worker.returns(1)
    worker.call()
    for (const thread of [main, child, grandchild]) {
      host.kill(thread.guest.pid, 9)
      machine.exit(thread.guest.pid)
    }
  })

  test('two threads receive descriptors, each its own', () => {
    const main = machine.start(THREADS)
    main.call()
    const born = startThread(main, 1, CODE + 16)
    born.call()
    const [a, b] = [host.memfd('a', 4096), host.memfd('b', 8192)]
    const scratch = new host.Scratch()
    scratch.cstr('A', 0)
    host.write(a, scratch.address, 1)
    scratch.cstr('B', 0)
    host.write(b, scratch.address, 1)
    const take = (at: number): Op[] => [
      { code: OP.RECVFD, a: [1, 0] },
      { code: OP.PREAD, a: [0, at, 1, 0] },
      { code: OP.CLOSEFD, a: [0, 1] },
    ]
    for (let i = 0; i < 20; i++) {
      host.sendFds(main.guest.control, 1, [b])
      host.sendFds(main.guest.control, 0, [a])
      main.reply(THEN.POST, take(DATA))
      born.reply(THEN.POST, take(DATA + 1))
      main.expect(EV.OPDONE)
      born.expect(EV.OPDONE)
      expect(main.read(DATA, 2).toString()).toBe('AB')
    }
    host.kill(main.guest.pid, 9)
    machine.exit(main.guest.pid)
  })
})

describe('patching', () => {
  const patch = (thread: Thread, index: number, threads = 1) =>
    thread.run([{ code: OP.PATCH, a: [thread.reg(REG.RIP) - 2n, thread.reg(REG.RAX), index, threads], failOk: true }])

  // Runs the site three times with every register, the flags, the red zone, mxcsr and a vector register set; checks them after each run.
  const SITE = (site: string) => `
    mov $3,%r13d
    again: mov $0x1111,%rbx; mov $0x2222,%rbp; mov $0x3333,%rsi; mov $0x4444,%rdi; mov $0x5555,%rdx; mov $0x6666,%r8; mov $0x7777,%r9
    mov $0x8888,%r10; mov $0x9999,%r12; mov $0xaaaa,%r14; mov $0xbbbb,%r15; movq %rbx,%xmm5; mov %rsp,${DATA + 8}
    movq $0xcccc,-8(%rsp); movq $0xdddd,-128(%rsp); stc; std
    ${site}
    pushfq; popq ${DATA}; cld
    cmp $1234,%rax; jne bad; cmp $0x1111,%rbx; jne bad; cmp $0x2222,%rbp; jne bad; cmp $0x3333,%rsi; jne bad; cmp $0x4444,%rdi; jne bad
    cmp $0x5555,%rdx; jne bad; cmp $0x6666,%r8; jne bad; cmp $0x7777,%r9; jne bad; cmp $0x8888,%r10; jne bad; cmp $0x9999,%r12; jne bad
    cmp $0xaaaa,%r14; jne bad; cmp $0xbbbb,%r15; jne bad; movq %xmm5,%rax; cmp %rax,%rbx; jne bad; cmp ${DATA + 8},%rsp; jne bad
    cmpq $0xdddd,-128(%rsp); jne bad
    mov ${DATA},%rax; and $0xcd5,%eax; cmp $0x401,%eax; FLAGS
    dec %r13; jnz again; ${EXIT}; bad: ud2`
  const cases: [string, number, string, number][] = [
    ['mov $nr,%eax; syscall', PATTERN.MOV_EAX, 'mov $1000,%eax; syscall', 1],
    ['mov $nr,%rax; syscall', PATTERN.MOV_RAX, '.byte 0x48,0xc7,0xc0; .long 1000; syscall', 1],
    ['syscall; cmp', PATTERN.SYSCALL_CMP, `movabs $1000,%rax; syscall; ${CMP_TAIL}`, 0],
  ]
  test.each(cases)('%s: exact', (_, pattern, site, checkFlags) => {
    const thread = machine.start(SITE(site).replace('FLAGS', checkFlags ? 'jne bad' : 'nop'))
    const seen: number[] = []
    for (let i = 0; i < 3; i++) {
      const { number, a } = thread.call()
      expect(number).toBe(1000)
      expect(a).toEqual([0x4444n, 0x3333n, 0x5555n, 0x8888n, 0x6666n, 0x7777n])
      expect([REG.RBX, REG.RBP, REG.R12, REG.R13].map(r => thread.reg(r))).toEqual([
        0x1111n,
        0x2222n,
        0x9999n,
        BigInt(3 - i),
      ])
      expect(thread.reg(REG.EFL) & 0x401n).toBe(0x401n)
      expect(thread.reg(REG.R11)).toBe(thread.reg(REG.EFL))
      seen.push(thread.u32(CH.ENTRY))
      if (i === 0) expect(patch(thread, 5)).toBe(pattern)
      if (i === 1 && pattern === PATTERN.SYSCALL_CMP)
        expect(thread.reg(REG.RIP)).toBe(BigInt(PATCH_BASE + TRAMPOLINES + 5 * 48 + TRAMPOLINE_TAIL))
      if (i === 1) {
        // Issue it again: the same call comes, patched.
        thread.setReg(REG.RIP, thread.u64(CH.RESTART))
        thread.reply(THEN.REGS)
        expect(thread.call().number).toBe(1000)
        expect(thread.u32(CH.ENTRY)).toBe(ENTRY.PATCHED)
      }
      thread.returns(1234)
    }
    expect(seen).toEqual([ENTRY.TRAP, ENTRY.PATCHED, ENTRY.PATCHED])
    finish(thread)
  })

  test.each(cases)('%s: its own bytes back', (_, pattern, site) => {
    const thread = machine.start(`mov $3,%ebx; again: ${site}; dec %ebx; jnz again; ${EXIT}`)
    thread.call()
    const before = thread.read(CODE, 64)
    expect(patch(thread, 2)).toBe(pattern)
    expect(thread.read(CODE, 64)).not.toEqual(before)
    thread.returns(0)
    thread.call()
    expect(thread.u32(CH.ENTRY)).toBe(ENTRY.PATCHED)
    expect(thread.run([{ code: OP.UNPATCH, a: [2] }])).toBe(0)
    expect(thread.run([{ code: OP.UNPATCH, a: [3] }])).toBe(1)
    expect(thread.read(CODE, 64)).toEqual(before)
    expect(thread.run([{ code: OP.UNPATCH, a: [256] }])).toBe(0)
    thread.returns(0)
    expect(thread.call().number).toBe(1000)
    expect(thread.u32(CH.ENTRY)).toBe(ENTRY.TRAP)
    thread.returns(0)
    finish(thread)
  })

  test('what isn’t exact isn’t patched', () => {
    const thread = machine.start(`.byte 0x49; mov $1000,%eax; .byte 0,0,0,0; mov $1000,%eax; syscall; nop
      mov $1000,%eax; xor %edi,%edi; syscall; nop; mov $1001,%eax; jmp 1f; .balign 64; .skip 60; 1: mov $1000,%eax; syscall; ${EXIT}`)
    thread.call()
    thread.setReg(REG.RAX, 999)
    expect(patch(thread, 0)).toBe(-8)
    thread.returns(0)
    thread.call()
    expect(patch(thread, 0)).toBe(-8)
    thread.returns(0)
    thread.call()
    expect(patch(thread, 0, 2)).toBe(-11) // across cache lines, with two threads
    expect(patch(thread, 256)).toBe(-22)
    expect(patch(thread, 255)).toBe(PATTERN.MOV_EAX)
    thread.returns(0)
    finish(thread)
  })

  test('a jump to where syscall stood is the call with the number in rax', () => {
    const thread = machine.start(
      `mov $2,%ebx; mov $1000,%eax; site: syscall; dec %ebx; jz out; mov $1001,%eax; jmp site; out: ${EXIT}`,
    )
    thread.call()
    expect(patch(thread, 0)).toBe(PATTERN.MOV_EAX)
    thread.returns(0)
    expect(thread.call().number).toBe(1001)
    expect(thread.u32(CH.ENTRY)).toBe(ENTRY.TRAP)
    thread.setReg(REG.RIP, thread.u64(CH.RESTART))
    thread.setReg(REG.RAX, 1002)
    thread.reply(THEN.REGS)
    expect(thread.call().number).toBe(1002)
    thread.returns(0)
    finish(thread)
  })

  test('two threads run a site while it is patched and unpatched, again and again', () => {
    const thread =
      machine.start(`jmp main; .balign 64; again: mov $1000,%eax; syscall; cmp $1234,%rax; jne bad; jmp again; bad: ud2
      main: mov $56,%eax; syscall; jmp again`)
    thread.call()
    const born = thread.guest.threads[1] as Thread
    thread.reply(THEN.POST, [{ code: OP.THREAD, a: [1] }])
    host.answerNotification(machine.listener, machine.notification(), true)
    thread.expect(EV.OPDONE)
    born.bytes(CH.REGS, 8 * 23).set(thread.bytes(CH.REGS, 8 * 23))
    born.setReg(REG.RSP, STACK_TOP - 0x8000)
    born.reply(THEN.REGS)
    thread.returns(0)
    const site = BigInt(CODE + 64 + 5)
    let turns = 0
    let entries = [0, 0]
    until('both threads to come in either way, many times', () => {
      for (const t of [thread, born]) {
        const event = t.poll()
        if (event === undefined) continue
        expect(event).toBe(EV.SYSCALL)
        expect(t.reg(REG.RAX)).toBe(1000n)
        const entry = t.u32(CH.ENTRY) === ENTRY.PATCHED ? 1 : 0
        entries[entry] = (entries[entry] as number) + 1
        // one thread gives all the orders, so one is carried out at a time
        if (t !== thread || (entries[turns % 2] as number) < 5) t.returns(1234)
        else {
          t.reply(THEN.RETURN, [turns % 2 === 0 ? { code: OP.PATCH, a: [site, 1000, 3, 2] } : { code: OP.UNPATCH, a: [4] }], 1234)
          turns++
          entries = [0, 0]
        }
      }
      return turns > 60 || undefined
    })
    host.kill(thread.guest.pid, 9)
    machine.exit(thread.guest.pid)
  })

  test('fork from a patched site', () => {
    const parent =
      machine.start(`mov $0x1122334455667788,%rbx; movq %rbx,%xmm0; mov $2,%ebp; again: mov $57,%eax; syscall; dec %ebp; jnz again
      movq %xmm0,%rcx; cmp %rcx,%rbx; jne bad; mov %eax,%edi; mov $231,%eax; syscall; bad: ud2`)
    parent.call()
    expect(patch(parent, 0)).toBe(PATTERN.MOV_EAX)
    parent.returns(0)
    parent.call()
    expect(parent.u32(CH.ENTRY)).toBe(ENTRY.PATCHED)
    const child = fork(parent) as Thread
    child.returns(0)
    parent.returns(1)
    expect(finish(child)).toBe(0)
    expect(finish(parent)).toBe(1)
  })

  test('interrupts at every point of a patched call are neither lost nor harmful', () => {
    const thread = machine.start(`mov $0x51,%rbx; movq %rbx,%xmm3; again: mov $1000,%eax; syscall
      cmp $1234,%rax; jne bad; cmp $0x51,%rbx; jne bad; movq %xmm3,%rcx; cmp %rcx,%rbx; jne bad; jmp again; bad: ud2`)
    thread.call()
    patch(thread, 0)
    thread.returns(1234)
    let interrupts = 0
    for (let sent = 0; sent < 1000; sent++) {
      host.tgkill(thread.guest.pid, thread.guest.pid, INTR_SIGNAL)
      for (let seen = interrupts; seen === interrupts; ) {
        const event = thread.event()
        if (event === EV.INTR) {
          interrupts++
          thread.reply(THEN.REGS)
        } else {
          expect(event).toBe(EV.SYSCALL)
          for (let i = 0; i < sent % 17; i++) thread.u32(0)
          if (sent % 5 === 0) thread.reply(THEN.RETURN, [{ code: OP.SAVEX, a: [0, 0x4000, DATA_OFF] }], 1234)
          else thread.returns(1234)
        }
      }
    }
    expect(interrupts).toBe(1000)
    host.kill(thread.guest.pid, 9)
    machine.exit(thread.guest.pid)
  })

  test('single-stepping through a patched site comes out stepping', () => {
    const thread = machine.start(`again: mov $1000,%eax; syscall; nop; jmp again`)
    thread.call()
    expect(patch(thread, 0)).toBe(PATTERN.MOV_EAX)
    thread.setReg(REG.EFL, 0x302)
    thread.reply(THEN.REGS)
    let steps = 0
    for (; thread.event() === EV.FAULT; steps++) {
      expect(thread.u32(CH.FAULT_SIGNO)).toBe(5)
      thread.reply(THEN.REGS)
    }
    expect(steps).toBeGreaterThan(0)
    expect(thread.u32(CH.ENTRY)).toBe(ENTRY.PATCHED)
    thread.returns(0)
    thread.expect(EV.FAULT)
    expect(thread.reg(REG.RIP)).toBeGreaterThan(BigInt(CODE))
    expect(thread.reg(REG.RIP)).toBeLessThan(BigInt(CODE + 16))
    host.kill(thread.guest.pid, 9)
    machine.exit(thread.guest.pid)
  })
})

describe('extended state', () => {
  const XMM3 = 160 + 16 * 3
  const SOURCE = `mov $0x51,%rbx; movq %rbx,%xmm3; movl $0x3f80,-8(%rsp); ldmxcsr -8(%rsp); again: mov $1000,%eax; syscall
    movq %xmm3,%rdi; stmxcsr -8(%rsp); mov -8(%rsp),%esi; jmp again`

  test.each([
    ['trapped', false],
    ['patched', true],
  ])('%s: saved, altered, loaded', (_, patched) => {
    const thread = machine.start(SOURCE)
    thread.call()
    if (patched) {
      thread.run([{ code: OP.PATCH, a: [thread.reg(REG.RIP) - 2n, 1000, 0, 1] }])
      thread.returns(0)
      thread.call()
      expect(thread.u32(CH.ENTRY)).toBe(ENTRY.PATCHED)
    }
    const bytes = thread.run([{ code: OP.SAVEX, a: [0, 0x4000, DATA_OFF] }])
    expect(bytes).toBeGreaterThan(512)
    expect(thread.u32(DATA_OFF + 464)).toBe(0x46505853)
    expect(thread.u32(DATA_OFF + bytes - 4)).toBe(0x46505845)
    expect(thread.u64(DATA_OFF + XMM3)).toBe(0x51n)
    expect(thread.u32(DATA_OFF + 24)).toBe(0x3f80)
    thread.view.setBigUint64(DATA_OFF + XMM3, 0x52n, true)
    thread.view.setUint32(DATA_OFF + 24, 0x1f80, true)
    expect(thread.run([{ code: OP.LOADX, a: [0, 0x4000, DATA_OFF] }])).toBe(bytes)
    thread.returns(0)
    expect(thread.call().a.slice(0, 2)).toEqual([0x52n, 0x1f80n])
    // By way of guest memory, and limits.
    thread.run([
      { code: OP.SAVEX, a: [DATA, 0x4000] },
      { code: OP.LOADX, a: [DATA, 0x4000] },
      { code: OP.SAVEX, a: [DATA, 100], failOk: true },
      { code: OP.LOADX, a: [0x1000, 0x4000], failOk: true },
    ])
    expect([0, 1, 2, 3].map(i => thread.result(i))).toEqual([bytes, bytes, -7, EFAULT])
    thread.returns(0)
    expect(thread.call().a[0]).toBe(0x52n)
    host.kill(thread.guest.pid, 9)
    machine.exit(thread.guest.pid)
  })

  test('rubbish doesn’t load', () => {
    const thread = machine.start(SOURCE)
    thread.call()
    thread.bytes(DATA_OFF, 0x2000).fill(0xff)
    thread.view.setUint32(DATA_OFF + 464, 0x46505853, true)
    expect(thread.run([{ code: OP.LOADX, a: [0, 0x4000, DATA_OFF], failOk: true }])).toBe(-22)
    host.kill(thread.guest.pid, 9)
    machine.exit(thread.guest.pid)
  })

  test('after RESET it is that of a new program', () => {
    const thread = machine.start(SOURCE)
    thread.call()
    thread.run([{ code: OP.RESET }])
    thread.start(assemble('movq %xmm3,%rdi; stmxcsr -8(%rsp); mov -8(%rsp),%esi; mov $1000,%eax; syscall'))
    expect(thread.call().a.slice(0, 2)).toEqual([0n, 0x1f80n])
    host.kill(thread.guest.pid, 9)
    machine.exit(thread.guest.pid)
  })
})

describe('containment', () => {
  const SYS = {
    read: 0,
    write: 1,
    open: 2,
    close: 3,
    mmap: 9,
    mprotect: 10,
    munmap: 11,
    rt_sigaction: 13,
    rt_sigprocmask: 14,
    ioctl: 16,
    pread64: 17,
    mremap: 25,
    mincore: 27,
    madvise: 28,
    membarrier: 324,
    dup2: 33,
    getpid: 39,
    socket: 41,
    sendmsg: 46,
    recvmsg: 47,
    clone: 56,
    fork: 57,
    vfork: 58,
    execve: 59,
    kill: 62,
    ptrace: 101,
    getuid: 102,
    capset: 126,
    prctl: 157,
    arch_prctl: 158,
    mount: 165,
    tkill: 200,
    futex: 202,
    tgkill: 234,
    openat: 257,
    unshare: 272,
    set_robust_list: 273,
    dup3: 292,
    perf_event_open: 298,
    process_vm_writev: 311,
    seccomp: 317,
    memfd_create: 319,
    bpf: 321,
    execveat: 322,
    userfaultfd: 323,
    pkey_mprotect: 329,
    rseq: 334,
    io_uring_setup: 425,
    pidfd_open: 434,
    clone3: 435,
    process_madvise: 440,
    mseal: 462,
  }

  test('a call by another gate than the stub’s is a guest’s call', () => {
    const thread = machine.start(
      `mov $2,%eax; int $0x80; mov $0x40000027,%eax; syscall; mov $39,%eax; mov $call,%rbx; jmp *%rbx; call: syscall; ${EXIT}`,
    )
    thread.call()
    expect(thread.u32(CH.TRAP_ARCH)).toBe(0x40000003)
    thread.returns(0)
    expect(thread.call().number).toBe(0x40000027)
    expect(thread.u32(CH.TRAP_ARCH)).toBe(0xc000003e)
    thread.returns(0)
    expect(thread.call().number).toBe(39)
    thread.returns(0)
    finish(thread)
  })

  /** A guest that calls the stub's own syscall instruction with the registers it is told. */
  function hostileGuest() {
    const gate = stubSymbol('host_call_instruction')
    const thread = machine.start(
      `mov $0x2f62696e,%eax; mov %eax,${DATA}; next: mov %rax,%rdi; mov $5000,%eax; syscall; call *%rbx; jmp next`,
    )
    thread.call()
    const attempt = (number: number, a: readonly (number | bigint)[]): number => {
      for (const [i, index] of [REG.RDI, REG.RSI, REG.RDX, REG.R10, REG.R8, REG.R9].entries())
        thread.setReg(index, a[i] ?? 0)
      thread.setReg(REG.RAX, number)
      thread.setReg(REG.RBX, gate)
      thread.reply(THEN.REGS)
      const answer = thread.call()
      expect(answer.number).toBe(5000)
      return Number(BigInt.asIntN(64, answer.a[0] ?? 0n))
    }
    return { thread, attempt }
  }
  const RW = 3
  const RWX = 7
  const ANONYMOUS = 0x22
  const FIXED = 0x10
  const CHANNELS = THREADS_MAX * SLOT_BYTES
  const THREAD_FLAGS = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000
  const denied: [keyof typeof SYS, ...(number | bigint)[]][] = [
    ['open', DATA, 0],
    ['openat', -100, DATA, 0],
    ['read', 3, DATA, 4],
    ['read', 0, DATA, 4],
    ['ioctl', 3, 0x541b, DATA],
    ['socket', 1, 1, 0],
    ['execve', DATA, 0, 0],
    ['execveat', -100, DATA, 0, 0, 0],
    ['ptrace', 0, 0, 0, 0],
    ['process_vm_writev', 1, DATA, 1, DATA, 1, 0],
    ['process_madvise', 3, DATA, 1, 4, 0],
    ['io_uring_setup', 1, DATA],
    ['fork'],
    ['vfork'],
    ['clone3', DATA, 64],
    ['kill', 0, 9],
    ['tkill', 1, 9],
    ['tgkill', 1, 1, 9],
    ['getpid'],
    ['getuid'],
    ['memfd_create', DATA, 0],
    ['userfaultfd', 0],
    ['perf_event_open', DATA, 0, -1, -1, 0],
    ['bpf', 0, DATA, 8],
    ['seccomp', 1, 0, DATA],
    ['unshare', 0x10000000],
    ['mount', DATA, DATA, DATA, 0, 0],
    ['capset', DATA, DATA],
    ['pidfd_open', 1, 0],
    ['rt_sigaction', 31, DATA, 0, 8],
    ['rt_sigprocmask', 0, DATA, 0, 8],
    ['rseq', DATA, 32, 0, 0x53053053],
    ['set_robust_list', DATA, 24],
    ['mseal', DATA, 4096, 0],
    ['pkey_mprotect', DATA, 4096, RW, -1],
    ['dup2', 4, 3],
    ['sendmsg', 3, DATA, 0],
    ['write', 0, DATA, 4],
    ['write', 2, DATA, 4],
    ['write', 5, DATA, 4],
    ['close', 3],
    ['close', 4],
    ['recvmsg', 4, DATA, 0],
    ['pread64', 3, DATA, 4, 0],
    ['dup3', 4, 3, 0],
    ['dup3', 7, 4, 0],
    ['futex', DATA, 1, 1],
    ['futex', DATA, 128, 0, 0],
    ['futex', DATA, 6, 0],
    // places
    ['mmap', 0, 4096, RW, ANONYMOUS, -1, 0],
    ['mmap', STUB_BASE, 4096, RWX, ANONYMOUS | FIXED, -1, 0],
    ['mmap', STUB_BASE - 4096, 8192, RWX, ANONYMOUS | FIXED, -1, 0],
    ['mmap', GUEST_END, 0x100000000, RWX, ANONYMOUS | FIXED, -1, 0],
    ['mmap', DATA, STUB_BASE, RWX, ANONYMOUS | FIXED, -1, 0],
    ['mmap', DATA, -4096, RWX, ANONYMOUS | FIXED, -1, 0],
    ['mmap', STACK_BASE, 4096, RWX, ANONYMOUS | FIXED, -1, 0],
    ['mmap', INFO_BASE, 4096, RW, ANONYMOUS | FIXED, -1, 0],
    ['mmap', CHANNEL_BASE, CHANNELS, RWX, 0x11, 5, 0],
    ['mmap', CHANNEL_BASE, CHANNELS, RW, ANONYMOUS | FIXED, 5, 0],
    ['mmap', CHANNEL_BASE, CHANNELS * 2, RW, 0x11, 5, 0],
    ['mmap', CHANNEL_BASE + 4096, CHANNELS, RW, 0x11, 5, 0],
    ['mmap', 0x7fff50000000, 4096, RWX, ANONYMOUS | FIXED, -1, 0],
    ['mmap', DATA, 4096, RW | 0x1000000, ANONYMOUS | FIXED, -1, 0],
    ['mmap', DATA, 0x200000, RW, ANONYMOUS | FIXED | 0x40000, -1, 0],
    ['mmap', DATA, 4096, RW, ANONYMOUS | FIXED | 0x2000, -1, 0],
    ['mmap', DATA, 4096, RW, 0x31, -1, 0],
    ['mmap', DATA, 4096, RW, 0x33, -1, 0],
    ['mmap', DATA, 4096, RW, ANONYMOUS | FIXED | 0x100, -1, 0],
    ['mincore', STUB_BASE, 4096, DATA],
    ['membarrier', 128, 0],
    ['membarrier', 8, 1],
    ['munmap', STUB_BASE, 4096],
    ['munmap', INFO_BASE, 4096],
    ['munmap', STACK_BASE, 4096],
    ['munmap', CHANNEL_BASE, 4096],
    ['munmap', 0, STUB_BASE + 4096],
    ['munmap', 0x7ffdfffff000, 0x200000000],
    ['munmap', 0x7ffd00000000n, -1n],
    ['mprotect', STUB_BASE, 4096, RWX],
    ['mprotect', STACK_BASE, 4096, RWX],
    ['mprotect', CHANNEL_BASE, 4096, RWX],
    ['mprotect', INFO_BASE, 4096, RW],
    ['mprotect', DATA, 4096, RW | 0x2000000],
    ['madvise', STUB_BASE, 4096, 4],
    ['madvise', STACK_BASE, 4096, 4],
    ['madvise', DATA, 4096, 12],
    ['madvise', DATA, 4096, 100],
    ['mremap', CHANNEL_BASE, 4096, 4096, 3, DATA],
    ['mremap', STUB_BASE, 4096, 4096, 3, DATA],
    ['mremap', DATA, 4096, 4096, 3, STUB_BASE],
    ['mremap', DATA, 4096, 4096, 3, CHANNEL_BASE],
    ['mremap', DATA, 4096, 0x7fff00000000, 0, 0],
    ['mremap', DATA, 4096, 8192, 1, 0],
    ['mremap', DATA, 4096, 4096, 5, DATA + 0x8000],
    ['mremap', DATA, 4096, 0x100000000, 3, 0x7ffdfffff000],
    // births and state
    ['clone', 17, 0],
    ['clone', 0x8000 | 17, DATA],
    ['clone', 0x8000 | 0x100 | 17, 0],
    ['clone', 0x8000 | 0x10000000 | 17, 0],
    ['clone', THREAD_FLAGS | 0x8000, DATA],
    ['clone', THREAD_FLAGS | 0x100000, DATA],
    ['clone', 0x100008011n, 0],
    ['clone', 0x100 | 0x4000 | 17, DATA],
    ['prctl', 1, 0],
    ['prctl', 1, 15],
    ['prctl', 15, DATA],
    ['prctl', 4, 1],
    ['prctl', 22, 2, DATA],
    ['arch_prctl', 0x1003, DATA],
    ['arch_prctl', 0x1012, 0],
  ]

  test('the stub’s syscall instruction does nothing for a guest that it may not', () => {
    const { thread, attempt } = hostileGuest()
    const passed = denied.filter(([name, ...a]) => attempt(SYS[name], a) !== EPERM)
    expect(passed).toEqual([])
    for (const [name] of denied)
      if (attempt(SYS[name] | 0x40000000, [DATA, DATA]) !== EPERM) throw new Error(`x32 ${name}`)
    host.kill(thread.guest.pid, 9)
    machine.exit(thread.guest.pid)
  })

  test('no call number at all gets through but the named ones', () => {
    const { thread, attempt } = hostileGuest()
    const through: number[] = []
    // Arguments that would make a passed call fail otherwise than by EPERM. Not rt_sigreturn, exit, exit_group; and not uretprobe, uprobe,
    // which Linux exempts from seccomp: elsewhere than in its own trampoline they do nothing but SIGILL or ENXIO.
    for (let number = 0; number < 600; number++)
      if (![15, 60, 231, 335, 336].includes(number) && attempt(number, [1, 1, 1, 1, 1, 1]) !== EPERM)
        through.push(number)
    // mprotect, munmap, sched_yield, mincore, madvise, getppid, sigaltstack, gettid; the others want their arguments right.
    expect(through).toEqual([10, 11, 24, 27, 28, 110, 131, 186])
    host.kill(thread.guest.pid, 9)
    machine.exit(thread.guest.pid)
  })

  test('what is left to it harms itself alone', () => {
    const { thread, attempt } = hostileGuest()
    expect(attempt(SYS.munmap, [DATA + 0x8000, 0x1000])).toBe(0)
    expect(attempt(SYS.close, [99])).toBe(-9)
    expect(attempt(SYS.mmap, [DATA, 0x1000, RW, ANONYMOUS | FIXED, -1, 0])).toBe(DATA)
    host.kill(thread.guest.pid, 9)
    machine.exit(thread.guest.pid)
  })

  test('a clone nobody ordered waits for the kernel side, and fails', () => {
    const { thread, attempt } = hostileGuest()
    thread.setReg(REG.RDI, 0x8000 | 17)
    thread.setReg(REG.RSI, 0)
    thread.setReg(REG.RAX, SYS.clone)
    thread.setReg(REG.RBX, stubSymbol('host_call_instruction'))
    thread.reply(THEN.REGS)
    const notification = machine.notification()
    expect([notification.tid, notification.number, notification.flags]).toEqual([
      thread.guest.pid,
      SYS.clone,
      0x8000 | 17,
    ])
    expect(host.notificationValid(machine.listener, notification)).toBe(0)
    host.answerNotification(machine.listener, notification, false)
    expect(BigInt.asIntN(64, thread.call().a[0] ?? 0n)).toBe(-1n)
    expect(attempt(SYS.getpid, [])).toBe(EPERM)
    host.kill(thread.guest.pid, 9)
    machine.exit(thread.guest.pid)
  })

  test('a guest that breaks its stub ends alone', () => {
    const wild = [
      `mov $0x${STUB_BASE.toString(16)},%rbx; movb $0,(%rbx); ${EXIT}`, // text is read-only: an ordinary fault
      `mov $0x${INFO_BASE.toString(16)},%rbx; movb $0,(%rbx); ${EXIT}`,
    ]
    for (const source of wild) {
      const thread = machine.start(source)
      thread.expect(EV.FAULT)
      host.kill(thread.guest.pid, 9)
      machine.exit(thread.guest.pid)
    }
    const zeroed = machine.start(
      `mov $0x${STACK_BASE.toString(16)},%rdi; mov $${0x10000},%ecx; xor %eax,%eax; rep stosb; mov $39,%eax; syscall; ud2`,
    )
    expect(machine.exit(zeroed.guest.pid) >> 8 || 1).toBeGreaterThan(0)
    const { thread } = hostileGuest() // rt_sigreturn with a frame of zeros
    thread.setReg(REG.RAX, 15)
    thread.setReg(REG.RBX, stubSymbol('host_call_instruction'))
    thread.reply(THEN.REGS)
    thread.expect(EV.FAULT)
    host.kill(thread.guest.pid, 9)
    machine.exit(thread.guest.pid)
    const other = machine.start(EXIT)
    finish(other)
  })

  test('guests hold no privilege, no descriptors, nothing of the launcher’s memory', () => {
    const { guest } = machine.start(`mov $39,%eax; syscall; ${EXIT}`)
    guest.main.call()
    const status = readFileSync(`/proc/${guest.pid}/status`, 'utf8')
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) expect(status).toMatch(new RegExp(`${set}:\\s+0+\\n`))
    expect(status).toMatch(/NoNewPrivs:\s+1/)
    expect(status).toMatch(/Seccomp:\s+2/)
    expect(readdirSync(`/proc/${guest.pid}/fd`)).toEqual(['0', '1', '2', '3', '4'])
    for (const fd of [0, 1, 2, 4]) expect(readlinkSync(`/proc/${guest.pid}/fd/${fd}`)).toBe('anon_inode:[eventfd]')
    const maps = readFileSync(`/proc/${guest.pid}/maps`, 'utf8')
      .trim()
      .split('\n')
      .filter(line => !line.includes('[vsyscall]'))
    const foreign = maps.filter(line => !/^(00400000|00500000|7ffcffff0000|7fff[0-4])/.test(line))
    expect(foreign).toEqual([])
    expect(
      maps.filter(line => / .?.?x. /.test(line) && line.startsWith('7fff')).map(line => line.split(' ')[1]),
    ).toEqual(['r-xp'])
    host.kill(guest.pid, 9)
    machine.exit(guest.pid)
  })
})

describe('death of the kernel side', () => {
  /** Dead, whether its parent has reaped it or not. */
  const ended = (pid: number) => {
    try {
      return /\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
    } catch {
      return true
    }
  }
  const gone = (pid: number) => until(`${pid} to end`, () => ended(pid) || undefined)
  const script = (ending: string) => `
    import { Machine } from ${JSON.stringify(new URL('./native-harness.ts', import.meta.url).href)}
    const machine = new Machine()
    const thread = machine.start('1: jmp 1b')
    process.stdout.write(JSON.stringify([machine.pid, thread.guest.pid]) + '\\n')
    ${ending}`
  async function bundle(source: string): Promise<string> {
    const { build } = await import('esbuild')
    const file = join(host.nativeDirectory, `death-${process.pid}.mjs`)
    await build({
      stdin: { contents: source, resolveDir: dirname(fileURLToPath(import.meta.url)), loader: 'ts' },
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile: file,
    })
    return file
  }

  test.each([
    ['killed', `process.kill(process.pid, 'SIGKILL')`],
    ['its thread ends', 'process.exit()'],
  ])('%s: every guest dies', async (_, ending) => {
    const source = script(ending).replaceAll('file://', '')
    const file = await bundle(source)
    const output = spawnSync(process.execPath, [file], { encoding: 'utf8' })
    const [launcher, guest] = JSON.parse(output.stdout)
    gone(launcher)
    gone(guest)
    rmSync(file)
  })

  test('a worker thread ends while its process lives: every guest dies', async () => {
    const file = await bundle(
      script('')
        .replaceAll('file://', '')
        .replace('process.stdout.write', 'report')
        .replace(
          'const machine',
          `import { parentPort } from 'node:worker_threads'; const report = (text: string) => parentPort?.postMessage(text); const machine`,
        ),
    )
    const worker = new Worker(file)
    const [launcher, guest] = JSON.parse(await new Promise(resolve => worker.once('message', resolve)))
    await worker.terminate()
    until('the launcher to end', () => (host.waitpid(launcher, new Int32Array(1)) ? true : undefined))
    gone(guest)
    rmSync(file)
  })

  test('the launcher is killed: every guest dies', () => {
    const own = new Machine()
    const thread = own.start('1: jmp 1b')
    host.kill(own.pid, 9)
    gone(thread.guest.pid)
    own.stop()
  })
})

describe('cost', () => {
  /** Nanoseconds per null call, both sides spinning. */
  function measure(thread: Thread, calls: number): number {
    const { words } = thread
    const [seq, kseq, ret] = [CH.SEQ / 4, CH.KSEQ / 4, CH.RET / 4]
    let seen = thread.words[seq] ?? 0
    const start = process.hrtime.bigint()
    for (let i = 0; i < calls; i++) {
      words[ret] = i
      Atomics.store(words, kseq, seen)
      while (Atomics.load(words, seq) === seen);
      seen = Atomics.load(words, seq)
    }
    const end = process.hrtime.bigint()
    thread.poll()
    return Number(end - start) / calls
  }
  const least = (thread: Thread, calls: number) => Math.min(...Array.from({ length: 10 }, () => measure(thread, calls)))

  test('of a null call, trapped and patched', () => {
    machine.info.setUint32(INFO.SPIN, 10_000_000, true)
    const thread = machine.start(`again: mov $39,%eax; syscall; jmp again`)
    thread.call()
    thread.reply(THEN.POST, [])
    thread.expect(EV.OPDONE)
    thread.returns(0)
    thread.call()
    thread.view.setUint32(CH.NOPS, 0, true)
    const trapped = least(thread, 20_000)
    thread.run([{ code: OP.PATCH, a: [CODE + 5, 39, 0, 1] }])
    thread.returns(0)
    thread.call()
    thread.view.setUint32(CH.NOPS, 0, true)
    const patched = least(thread, 100_000)
    console.log(`null call: trapped ${trapped.toFixed(0)} ns, patched ${patched.toFixed(0)} ns`)
    expect(patched).toBeLessThan(trapped)
    machine.info.setUint32(INFO.SPIN, 20000, true)
    host.kill(thread.guest.pid, 9)
    machine.exit(thread.guest.pid)
  })

  test('of a host call, a fork and an empty process', () => {
    const time = (n: number, what: () => void) => {
      const start = process.hrtime.bigint()
      for (let i = 0; i < n; i++) what()
      return Number(process.hrtime.bigint() - start) / n / 1000
    }
    machine.info.setUint32(INFO.SPIN, 0, true)
    const sys = time(100_000, () => host.sys(39))
    const clock = new Float64Array(2)
    const wrapped = time(100_000, () => host.clockGettime(1, clock))
    const guests: Guest[] = []
    const made = time(20, () => {
      const guest = machine.guest()
      guest.main.run([{ code: OP.NOP }])
      guests.push(guest)
    })
    const parent = machine.start(`again: mov $57,%eax; syscall; jmp again`)
    parent.call()
    const forked = time(20, () => {
      const child = fork(parent) as Thread
      child.returns(0)
      guests.push(child.guest)
      parent.returns(1)
      child.call()
      parent.call()
    })
    console.log(
      `sys(getpid) ${sys.toFixed(2)} µs, clockGettime ${wrapped.toFixed(2)} µs, new process to first reply ${made.toFixed(0)} µs, fork ${forked.toFixed(0)} µs`,
    )
    for (const guest of [...guests, parent.guest]) {
      host.kill(guest.pid, 9)
      machine.exit(guest.pid)
    }
  })
})
