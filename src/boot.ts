// Puts a machine together: the only file that sees kernel, container, servers and drivers at once. Everything is handed in here;
// nothing is global, so several machines live side by side, each in a kernel thread of its own.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { cpus, tmpdir, totalmem } from 'node:os'
import path from 'node:path'
import { INFO, INFO_BYTES, SLOT_BYTES } from './abi/channel.ts'
import { EP, SLOT } from './abi/message.ts'
import { TRAPS } from './abi/ipc.ts'
import { Linux } from './container/linux/container.ts'
import { Loop } from './container/linux/loop.ts'
import { HostProcesses, LAUNCHER } from './container/linux/processes.ts'
import { prefetchHints } from './container/linux/program.ts'
import { GuestIds, Tracer } from './container/linux/tracer.ts'
import type { Arena } from './container/linux/thread.ts'
import type { BootOptions, FromKernel, ToKernel } from './control.ts'
import { createHostFiles } from './drivers/hostfs/hostfiles.ts'
import { createStream } from './drivers/stream/stream.ts'
import { PTYS } from './drivers/tty/line.ts'
import { createTty } from './drivers/tty/tty.ts'
import { facts } from './facts.ts'
import * as host from './host/host.ts'
import type { HostFiles } from './lib/hostfiles.ts'
import type { HostMemory } from './lib/hostmemory.ts'
import { createKernel } from './kernel/kernel.ts'
import type { Privileges } from './kernel/types.ts'
import { Control } from './machine-server.ts'
import { createFs } from './servers/fs/fs.ts'
import { createIpc } from './servers/ipc/ipc.ts'
import { mountAll } from './mounts.ts'
import { createNet } from './servers/net/net.ts'
import { createPm } from './servers/pm/pm.ts'
import { openStore } from './servers/fs/store.ts'
import { createVm } from './servers/vm/vm.ts'

/** A host that can't do it, or options that make no sense: one clear line, and nothing has run. */
export class BootError extends Error {
  constructor(
    readonly code: string,
    text: string,
  ) {
    super(text)
  }
}
export interface Booted {
  loop: Loop
  order(message: ToKernel): void
  close(): void
}

const THREADS = 2048
const SERVERS = 16
/** ms the launcher may take to start. */
const START_LIMIT = 10_000
const SERVER_BUFFER = 65536
const PAGE = 4096
/** Most that crypto.getRandomValues gives. */
const RANDOM_AT_ONCE = 65536
/** Guests set %fs by arch_prctl only, so that we know it. */
const HWCAP2_FSGSBASE = 2
const SERVER: Privileges = { ipcTo: 'all', kernelCalls: 'all', traps: TRAPS.SERVER }

export function boot(options: BootOptions, say: (m: FromKernel) => void, onControl: () => void): Booted {
  /** What has to be undone at the end, or when the boot fails half-way: last first. */
  const undo: (() => void)[] = []
  try {
    return build(options, say, onControl, undo)
  } catch (error) {
    for (const step of undo.reverse()) step()
    throw error
  }
}

function build(options: BootOptions, say: (m: FromKernel) => void, onControl: () => void, undo: (() => void)[]): Booted {
  const clock = new Float64Array(2)
  const time = (id: number): number => {
    host.clockGettime(id, clock)
    return (clock[0] as number) * 1e3 + (clock[1] as number) / 1e6
  }
  // performance.now() reads the clock without a system call. The machine's own monotonic time begins now.
  const origin = -performance.now()
  let recent = 0
  const monotonic = (): number => {
    recent = origin + performance.now()
    return recent
  }
  const realtime = (): number => time(0)
  const log: string[] = []

  const buffers = THREADS * SLOT_BYTES
  const info = buffers + SERVERS * SERVER_BUFFER
  const arena = makeArena(info + INFO_BYTES)
  const infoFd = makeInfoPage(arena, info)
  const processes = new HostProcesses({ arena, slots: THREADS, cpus: cpus().length, info, poolSize: 4 })
  undo.push(() => {
    if (processes.launcherPid === 0) return
    host.send(processes.control, [], LAUNCHER.QUIT)
    reap(processes.launcherPid)
    for (const fd of [processes.control, processes.listener]) if (fd >= 0) host.close(fd)
  })
  startLauncher(processes, infoFd, options.doorbell)
  arena.i32[(info + INFO.LAUNCHER_PID) >> 2] = processes.launcherPid

  const kernel = createKernel({
    arena: arena.buffer,
    monotonic,
    realtime,
    recent: () => recent,
    random: target => {
      for (let at = 0; at < target.length; at += RANDOM_AT_ONCE) crypto.getRandomValues(target.subarray(at, at + RANDOM_AT_ONCE))
    },
    serverBuffers: buffers,
    diag: text => void (log.push(text) > 1000 && log.shift()),
  })
  if (options.clockOffset !== 0) kernel.clock.setRealtime(realtime() + options.clockOffset)
  const auxv = readAuxv()
  const linux = new Linux(kernel, processes, arena, auxv(16), auxv(26) & ~HWCAP2_FSGSBASE, auxv(51), monotonic)
  linux.patching = options.patching
  if (options.trace !== null) {
    const ids = new GuestIds(kernel)
    const emit = (text: string): void => say({ kind: 'trace', text })
    linux.tracer = new Tracer(options.trace, { pid: t => ids.pid(t), group: t => ids.group(t), realtime, monotonic, emit })
    linux.pidAt = proc => ids.forget(proc)
  }
  const loop = new Loop(linux, { cpus: cpus().length, doorbell: options.doorbell, onControl })
  undo.push(() => loop.dispose())

  const directory = makeWorkspace(undo)
  const opened = new Set<number>()
  const files = remember(createHostFiles(arena.buffer), opened, fd => linux.direct.closed(fd))
  undo.push(() => opened.forEach(host.close))
  const store = openStore(files, directory)
  if (typeof store === 'number') throw new BootError('ESTORE', `can't use ${directory} for the workspace (errno ${-store})`)
  const memory = options.memory || Math.floor(totalmem() * 0.75)
  const known = facts({
    memory,
    memoryUsed: () => vm.pool.committed,
    memoryResident: () => linux.resident(),
    overcommit: () => vm.pool.rule,
    processes: options.processes,
    ptys: PTYS,
    messages: () => kernel.domainAccount(0).sent,
  })

  let vm!: ReturnType<typeof createVm>
  let stream!: ReturnType<typeof createStream>
  let tty!: ReturnType<typeof createTty>
  let control!: Control
  kernel.addServer(EP.PM, SERVER, sys =>
    createPm(sys, { cpus: known.cpus, memoryTotal: memory, memoryFree: () => Math.max(0, memory - Math.max(known.memoryUsed(), known.memoryResident())), hostname: options.hostname, release: known.osrelease, version: known.version, maxProcesses: options.processes, blocked: endpoint => kernel.blocked(endpoint) }),
  )
  kernel.addServer(EP.VM, SERVER, sys => {
    vm = createVm(sys, { limit: memory, memory: hostMemory(opened), barriers: Math.max(0, host.membarrierCommands()) })
    return vm
  })
  kernel.addServer(EP.IPC, SERVER, sys => createIpc(sys))
  kernel.addServer(EP.FS, SERVER, sys => createFs(sys, { host: files, store, facts: known, mounts: state => mountAll(state, { options, store, files, fail: mountFailed }) }))
  kernel.addServer(EP.NET, SERVER, sys => createNet(sys))
  kernel.addServer(EP.TTY, SERVER, sys => {
    tty = createTty(sys, loop, options.terminal ? { inFd: options.terminal.input, outFd: options.terminal.output, size: { rows: options.terminal.rows, columns: options.terminal.columns } } : {})
    return tty
  })
  kernel.addServer(EP.STREAM, SERVER, sys => {
    stream = createStream(sys, loop)
    return stream
  })
  kernel.addServer(EP.MACHINE, SERVER, sys => {
    control = new Control(sys, { kernel, linux, loop, stream, tty, say, log })
    return control
  })
  for (const [slot, endpoint] of [[SLOT.PM, EP.PM], [SLOT.FS, EP.FS], [SLOT.VM, EP.VM], [SLOT.NET, EP.NET], [SLOT.CLOCK, EP.CLOCK], [SLOT.SYSTEM, EP.SYSTEM], [SLOT.IPC, EP.IPC]] as const)
    kernel.setSlot(0, slot, endpoint)
  processes.fillPool()

  return {
    loop,
    order: message => control.order(message),
    close: () => {
      linux.tracer?.close()
      loop.endAll(2000)
      stream.closeAll()
      for (const step of undo.reverse()) step()
    },
  }
}

/** Entries of this process's auxiliary vector, by AT_ number; 0 for those that aren't there. */
function readAuxv(): (type: number) => number {
  const words = readFileSync('/proc/self/auxv')
  return type => {
    for (let at = 0; at + 16 <= words.length; at += 16) if (words.readUInt32LE(at) === type) return words.readUInt32LE(at + 8) + words.readUInt32LE(at + 12) * 2 ** 32
    return 0
  }
}

function mountFailed(text: string): never {
  throw new BootError('EMOUNT', text)
}

/** The same host files, with every descriptor they hand out in `opened` until it is closed. */
function remember(files: HostFiles, opened: Set<number>, closed: (fd: number) => void): HostFiles {
  const note = (fd: number): number => {
    if (fd >= 0) opened.add(fd)
    return fd
  }
  return Object.assign(Object.create(files), {
    root: (path: string) => note(files.root(path)),
    open: (dirfd: number, name: string, flags: number, mode: number) => note(files.open(dirfd, name, flags, mode)),
    close: (fd: number) => {
      opened.delete(fd)
      closed(fd)
      return files.close(fd)
    },
  })
}

/** Shared memory for guests; descriptors handed out are in `opened` until they are closed. */
function hostMemory(opened: Set<number>): HostMemory {
  const note = (fd: number): number => {
    if (fd >= 0) opened.add(fd)
    return fd
  }
  return {
    create: bytes => note(host.memfd('mol-memory', bytes, true)),
    readOnly: fd => note(host.reopenReadOnly(fd)),
    resident: host.allocated,
    close: fd => {
      opened.delete(fd)
      return host.close(fd)
    },
  }
}

function makeArena(bytes: number): Arena {
  const buffer = host.buffer(bytes)
  return { buffer, mem: new Uint8Array(buffer), i32: new Int32Array(buffer), u32: new Uint32Array(buffer), view: new DataView(buffer), address: host.address(buffer) }
}

/** The page all guests see read-only: our mapping of it is in the arena, theirs is made from the descriptor returned. */
function makeInfoPage(arena: Arena, at: number): number {
  const fd = host.memfd('mol-info', INFO_BYTES)
  if (fd < 0 || host.mapOver(arena.address + at, INFO_BYTES, fd, 0) < 0) throw new BootError('ENOMEM', 'no memory for the info page')
  arena.mem.set(prefetchHints(), at + INFO.HINTS)
  const readOnly = host.reopenReadOnly(fd)
  host.close(fd)
  if (readOnly < 0) throw new BootError('EHOST', `can't reopen a memfd through /proc/self/fd (errno ${-readOnly}): is /proc mounted?`)
  return readOnly
}

const START_FAILURES: Readonly<Record<string, string>> = {
  A: 'no free address range for the stub',
  N: 'seccomp user notification is refused; another supervisor may hold it (run mol doctor)',
}
function startLauncher(processes: HostProcesses, infoFd: number, doorbell: number): void {
  const ends = new Int32Array(2)
  const nul = host.sys(host.SYS.openat, -100, new host.Scratch(PAGE).cstr('/dev/null', 0), 2)
  if (nul < 0 || host.socketpair(ends) < 0) throw new BootError('EHOST', 'no descriptors left on the host')
  const [mine, theirs] = [ends[0] as number, ends[1] as number]
  const launcher = path.join(host.nativeDirectory, 'launcher')
  const pid = host.spawn(launcher, [launcher, path.join(host.nativeDirectory, 'stub.elf'), String(process.pid)], [nul, nul, 2, theirs, infoFd, doorbell])
  for (const fd of [nul, theirs, infoFd]) host.close(fd)
  if (pid < 0) throw new BootError('EHOST', `can't start ${launcher} (errno ${-pid})`)
  processes.launcherPid = pid
  processes.control = mine
  const deadline = performance.now() + START_LIMIT
  for (;;) {
    if (performance.now() > deadline) throw new BootError('EHOST', `the launcher has not started within ${START_LIMIT / 1000} s`)
    const n = host.pollNow(mine, host.EPOLLIN) > 0 ? host.receive(mine) : host.EAGAIN
    if (n === host.EAGAIN) continue
    const [letter, why, what] = host.received.words as unknown as [number, number, number]
    if (n > 0 && letter === LAUNCHER.READY && host.received.fds.length === 1) {
      processes.listener = host.received.fds[0] as number
      return
    }
    const part = String.fromCharCode(what)
    throw new BootError('EHOST', n <= 0 ? 'the launcher ended at once: seccomp or memory calls are refused here (run mol doctor)' : `this host refuses what mol needs: ${START_FAILURES[part] ?? `step ${part}`} (errno ${why})`)
  }
}

/** Wait for a child to end; kill it when it takes too long. */
function reap(pid: number): void {
  const status = new Int32Array(1)
  const pause = new Int32Array(new SharedArrayBuffer(4))
  const deadline = performance.now() + 5000
  while (host.waitpid(pid, status) === 0) {
    if (performance.now() > deadline) host.kill(pid, 9)
    Atomics.wait(pause, 0, 0, 1)
  }
}

/** A directory for the workspace's data, gone when the machine ends, by whatever cause: a shell holds a pipe of ours and cleans up at
 *  its end; what even that leaves is swept by the next machine. */
function makeWorkspace(undo: (() => void)[]): string {
  const parent = path.join(process.env.TMPDIR ?? tmpdir(), `mol-${process.getuid?.() ?? 0}`)
  mkdirSync(parent, { recursive: true, mode: 0o700 })
  for (const name of readdirSync(parent)) {
    const owner = Number(name.split('-')[0])
    if (owner > 0 && owner !== process.pid && host.kill(owner, 0) === -3) rmSync(path.join(parent, name), { recursive: true, force: true })
  }
  const directory = mkdtempSync(path.join(parent, `${process.pid}-`))
  undo.push(() => rmSync(directory, { recursive: true, force: true }))
  const pipe = new Int32Array(2)
  if (host.pipe2(pipe) === 0) {
    const [read, write] = [pipe[0] as number, pipe[1] as number]
    const shell = host.spawn('/bin/sh', ['sh', '-c', 'trap "" INT TERM HUP QUIT; read x; exec /bin/rm -rf -- "$1"', 'sh', directory], [read])
    host.close(read)
    undo.push(() => {
      host.close(write) // held open for as long as the machine lives
      if (shell > 0) reap(shell)
    })
  }
  return directory
}
