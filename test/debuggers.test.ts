// strace and gdb, Debian's own, running inside: what they say about a program is what they say natively, but for addresses and ids.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Machine } from '../src/machine.ts'
import { type Outcome, runIn, runNative } from './support/both.ts'

const isThere = (program: string): boolean => existsSync(`/usr/bin/${program}`)

/** Without what differs from run to run. */
function plain(o: Outcome): Outcome {
  const text = (s: string): string =>
    s
      .replace(/0x[0-9a-f]+/g, 'ADDRESS')
      .replace(/\b(process|LWP|Thread|pid|Process)([ =]+)\d+/g, '$1$2ID')
      .replace(/kill\(\d+, \d+/g, 'kill(ID, ID')
      .replace(/(_pid=|kill\(|[gp]et[tp]id\(\) *= |set_tid_address\(ADDRESS\) *= |wait4\(|_tid=\[)\d+/g, '$1ID')
      .replace(/((wait4|clone3?|fork|resumed>).*\) *= )\d+$/gm, '$1ID')
      .replace(/"(\\x[0-9a-f]{2})+"/g, 'RANDOM')
      // there is no vDSO inside, for which the loader allocates; /proc has its own text; a pipe from outside its own mode
      .replace(/^mmap\(NULL, (8192|12288), .*ANONYMOUS.*\n/gm, '')
      .replace(/"nodev.*= \d+/g, 'FILESYSTEMS')
      .replace(/S_IFIFO\|0\d+/g, 'S_IFIFO')
      .replace(/ +=/g, ' =')
  return { ...o, stdout: text(o.stdout), stderr: text(o.stderr) }
}

describe('debuggers', () => {
  let machine: Machine
  let dir: string
  beforeAll(async () => {
    dir = mkdtempSync('/var/tmp/mol-debuggers-')
    execFileSync('gcc', ['-g', '-O0', '-pthread', '-o', path.join(dir, 'debugged'), path.join(import.meta.dirname, 'debuggers/debugged.c')])
    machine = await Machine.boot()
  })
  afterAll(async () => {
    await machine?.close()
    rmSync(dir, { recursive: true, force: true })
  })
  async function same(argv: string[]): Promise<void> {
    const want = plain(await runNative(argv, { cwd: dir, timeout: 60_000 }))
    const got = plain(await runIn(machine, argv, { cwd: dir, timeout: 60_000 }))
    expect(got).toEqual(want)
  }

  // rseq is refused inside, and the C library asks what it can do there: those lines are left out
  const STRACE = ['strace', '-e', 'trace=!rseq']
  const STRACES: readonly (readonly [string, string[]])[] = [
    ['-f ls', ['strace', '-e', 'trace=!rseq,statx', '-f', 'ls', '/etc/hostname', '.']],
    ['of signals', [...STRACE, './debugged', 'signal']],
    ['of a crash', [...STRACE, './debugged', 'crash']],
    ['-c', ['sh', '-c', 'strace -c -e trace=!rseq ./debugged 2>&1 | awk \'$1 ~ /^[0-9]/ {print $NF, $4, NF}\' | sort']],
    ['-ff: each process of its own', ['bash', '-c', 'rm -f t.*; strace -ff -e trace=!rseq -o t ./debugged fork; cat $(ls t.* | sort -V)']],
    ['-ff: each thread of its own', ['bash', '-c', 'rm -f u.*; strace -ff -e trace=!rseq,futex,madvise -o u ./debugged threads; cat $(ls u.* | sort -V)']],
    ['-p', ['bash', '-c', 'rm -f ready v; ./debugged wait > ready & p=$!; until grep -qs ready ready; do :; done; strace -o v -p $p & s=$!; until grep -q pause v 2>/dev/null; do :; done; kill $p; wait $s; cat v']],
  ]
  describe.skipIf(!isThere('strace'))('strace', () => {
    for (const [name, argv] of STRACES) test(name, () => same(argv), 120_000)
  })

  const gdb = (program: string[], ...commands: string[]): string[] => [
    'gdb', '-nx', '-batch', ...['set debuginfod enabled off', 'set width 0', 'set print thread-events off', ...commands].flatMap(c => ['-ex', c]), '--args', ...program,
  ]
  const GDBS: readonly (readonly [string, string[]])[] = [
    ['a breakpoint, a stack, a variable, an instruction', gdb(['./debugged'], 'break main', 'run', 'bt', 'p x', 'stepi', 'x/2i $pc', 'continue')],
    [
      'steps, functions, structures, changes',
      gdb(
        ['./debugged'], 'break add', 'run', 'info args', 'finish', 'next', 'p points', 'p points[1].y * 2', 'p scale', 'tbreak area', 'continue', 'p p', 'up',
        'info frame', 'p $rip == area', 'p $xmm0.uint128', 'set var scale = 2.5', 'p add(20, 22)', 'p factorial(6)', 'delete', 'break factorial if n == 2', 'run', 'bt',
        'frame 2', 'p n', 'set var n = 3', 'return 10', 'continue',
      ),
    ],
    [
      'watching by single steps, signals, a crash, threads, system calls',
      gdb(
        ['./debugged', 'signal'], 'set can-use-hw-watchpoints 0', 'break add', 'run', 'watch sum', 'continue', 'continue', 'delete', 'handle SIGUSR1 stop print pass',
        'break on_signal', 'continue', 'p $_siginfo.si_signo', 'continue', 'bt 1', 'continue', 'set args crash', 'run', 'bt', 'p $_siginfo._sifields._sigfault.si_addr',
        'continue', 'set args threads', 'break work', 'run', 'bt 1', 'next', 'next', 'p count', 'continue', 'delete', 'set args fork', 'catch syscall wait4', 'run',
        'continue', 'continue',
      ),
    ],
    ['a child followed', gdb(['./debugged', 'fork'], 'set follow-fork-mode child', 'set detach-on-fork off', 'break _exit', 'run', 'p $rdi', 'continue')],
    ['attaching', ['bash', '-c', "rm -f ready; ./debugged wait > ready & p=$!; until grep -qs ready ready; do :; done; gdb -nx -batch -p $p -ex 'set debuginfod enabled off' -ex 'up' -ex 'bt -1' -ex 'p x' -ex 'set var x = 1' -ex 'p add(x, 1)' -ex detach; kill $p; wait $p; echo $?"]],
  ]
  describe.skipIf(!isThere('gdb'))('gdb', () => {
    for (const [name, argv] of GDBS) test(name, () => same(argv), 120_000)
  })
})
