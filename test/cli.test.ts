// The mol command as a user meets it: exit statuses, messages, options. Runs bin/mol.js as a process of its own.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const mol = path.resolve(import.meta.dirname, '../bin/mol.js')
let dir: string
beforeAll(() => {
  dir = mkdtempSync('/var/tmp/mol-cli-')
  writeFileSync(path.join(dir, 'note'), 'outside\n')
  writeFileSync(path.join(dir, 'plain'), 'not a program\n')
  writeFileSync(path.join(dir, 'badelf'), Buffer.concat([Buffer.from('\x7fELF\x02\x01\x01'), Buffer.alloc(20)]), { mode: 0o755 })
  writeFileSync(path.join(dir, 'nointerp'), '#!/no/such/interpreter\n', { mode: 0o755 })
  mkdirSync(path.join(dir, 'bound'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

interface Got {
  status: number | null
  stdout: string
  stderr: string
}
function run(args: string[], input = ''): Got {
  const r = spawnSync(process.execPath, [mol, ...args], { cwd: dir, input, encoding: 'utf8', timeout: 60_000, env: { ...process.env, NO_COLOR: '1' } })
  return { status: r.status, stdout: r.stdout, stderr: r.stderr }
}

describe('mol run', () => {
  const CASES: readonly (readonly [string, string[], number, string | RegExp, string | RegExp])[] = [
    ['output and status', ['run', 'sh', '-c', 'echo out; echo err >&2; exit 5'], 5, 'out\n', 'err\n'],
    ['options stop at the first positional', ['run', 'echo', '-e', '--help'], 0, '--help\n', ''],
    ['-- too', ['run', '--', 'echo', '--', 'x'], 0, '-- x\n', ''],
    ['killed by a signal', ['run', 'sh', '-c', 'kill -TERM $$'], 143, '', ''],
    ['missing command', ['run', 'nosuchcommand'], 127, '', /^mol: nosuchcommand: command not found\n$/],
    ['missing path', ['run', './nosuch'], 127, '', /No such file or directory/],
    ['not executable', ['run', './plain'], 126, '', /Permission denied/],
    ['a directory', ['run', './bound'], 126, '', /denied|directory/],
    ['damaged ELF', ['run', './badelf'], 126, '', /Exec format error/],
    ['script with missing interpreter', ['run', './nointerp'], 127, '', /No such file or directory/],
    ['unknown option', ['run', '--nosuch', 'true'], 2, '', /unknown option '--nosuch'/],
    ['did you mean', ['run', '--workdr', '/', 'true'], 2, '', /Did you mean --workdir\?/],
    ['unknown verb', ['rnu', 'true'], 2, '', /Did you mean run\?/],
    ['no command', ['run'], 2, '', /missing required argument 'CMD'/],
    ['bad bind', ['run', '-v', 'nonsense', 'true'], 2, '', /HOST:GUEST/],
    ['bind of what is not there', ['run', '-v', '/nosuch/dir:/x', 'true'], 2, '', /does not exist/],
    ['bad root', ['run', '--root', '/nosuch/dir', 'true'], 2, '', /does not exist/],
    ['root is a file', ['run', '--root', '/etc/passwd', 'true'], 2, '', /not a directory/],
    ['-t without a terminal', ['run', '-t', 'true'], 125, '', /not a terminal/],
    ['environment', ['run', '-e', 'A=1 2', '--env', 'B=', 'sh', '-c', 'echo "$A|$B|$MOL"'], 0, '1 2||1\n', ''],
    ['working directory', ['run', '-w', '/usr/bin', 'pwd'], 0, '/usr/bin\n', ''],
    ['host name', ['run', '--hostname', 'inside', 'uname', '-n'], 0, 'inside\n', ''],
    ['its own clock', ['run', '--clock', '2040-01-02T03:04:05Z', 'sh', '-c', 'date -u +%F; date -u -s 2050-06-07 > /dev/null; touch /tmp/x; date -u -r /tmp/x +%F'], 0, '2040-01-02\n2050-06-07\n', ''],
    ['bad clock', ['run', '--clock', 'whenever', 'true'], 2, '', /date after 1970/],
    ['version', ['--version'], 0, /^\d+\.\d+\.\d+\n$/, ''],
    ['help has examples', ['run', '--help'], 0, /Examples:\n {2}mol run -it bash/, ''],
    ['completion', ['completion', 'bash'], 0, /complete -o default -F _mol mol/, ''],
    ['completion for no shell', ['completion', 'csh'], 2, '', /bash, zsh and fish/],
  ]
  for (const [name, args, status, stdout, stderr] of CASES) {
    test(name, () => {
      const got = run(args)
      const shown = JSON.stringify(got)
      if (typeof stdout === 'string') expect(got.stdout).toBe(stdout)
      else expect(got.stdout).toMatch(stdout)
      if (typeof stderr === 'string') expect(got.stderr).toBe(stderr)
      else expect(got.stderr).toMatch(stderr)
      expect(got.status, shown).toBe(status)
    })
  }
  test('signals are passed on', async () => {
    const child = spawn(process.execPath, [mol, 'run', 'sh', '-c', 'trap "echo got it; exit 9" TERM; echo ready; while :; do sleep 0.05; done'], { cwd: dir })
    let out = ''
    child.stdout.on('data', b => {
      if (!out.includes('ready') && String(b).includes('ready')) child.kill('SIGTERM')
      out += b
    })
    const status = await new Promise(r => child.once('close', r))
    expect([out, status]).toEqual(['ready\ngot it\n', 9])
  })
  test('standard input', () => {
    expect(run(['run', '-i', 'tr', 'a-z', 'A-Z'], 'hello\n')).toEqual({ status: 0, stdout: 'HELLO\n', stderr: '' })
  })
  test('files are copy-on-write', () => {
    expect(run(['run', 'sh', '-c', 'echo inside > note; cat note; rm -rf *; ls'])).toEqual({ status: 0, stdout: 'inside\n', stderr: '' })
    expect(readFileSync(path.join(dir, 'note'), 'utf8')).toBe('outside\n')
  })
  test('a bind writes through, a read-only one does not', () => {
    const host = path.join(dir, 'bound')
    expect(run(['run', '-v', `${host}:/work`, '-w', '/work', 'sh', '-c', 'echo through > f; mkdir d; ls']).stdout).toBe('d\nf\n')
    expect(readFileSync(path.join(host, 'f'), 'utf8')).toBe('through\n')
    const refused = run(['run', '-v', `${host}:/work:ro`, '-w', '/work', 'sh', '-c', 'echo no > f; rm f; ls'])
    expect(refused.stdout).toBe('d\nf\n')
    expect(refused.stderr).toMatch(/Read-only file system/)
    expect(existsSync(path.join(host, 'f'))).toBe(true)
  })
  test('--root', () => {
    const root = path.join(dir, 'rootfs')
    mkdirSync(path.join(root, 'bin'), { recursive: true })
    spawnSync('cp', ['/bin/busybox', path.join(root, 'bin/busybox')])
    if (!existsSync(path.join(root, 'bin/busybox'))) return
    symlinkSync('busybox', path.join(root, 'bin/sh'))
    const got = run(['run', '--root', root, '-w', '/', '/bin/sh', '-c', 'busybox ls /; busybox cat /../../etc/passwd'])
    expect(got.stdout.split('\n')).toContain('bin')
    expect(got.stdout).not.toMatch(/root:/)
  })
  test.runIf(process.getuid?.() === 0)('-u', () => {
    expect(run(['run', '-u', 'nobody', 'id', '-un']).stdout).toBe('nobody\n')
    expect(run(['run', '-u', '1234:5678', 'sh', '-c', 'id -u; id -g; cat /etc/shadow']).stdout).toBe('1234\n5678\n')
    expect(run(['run', '-u', 'nosuchuser', 'true'])).toMatchObject({ status: 125, stderr: expect.stringMatching(/no user nosuchuser/) })
  })
  test('--report', () => {
    const got = run(['run', '--report', 'true'])
    expect(got.status).toBe(0)
    expect(got.stderr).toMatch(/^mol: \d+ calls \(\d+ trapped/)
    expect(got.stderr).toMatch(/not implemented: rseq/)
  })
  test('--no-patch: every call traps', () => {
    const [calls, traps] = /(\d+) calls \((\d+) trapped/.exec(run(['run', '--no-patch', '--report', 'sh', '-c', 'for i in 1 2 3 4 5 6 7 8; do cd /; done']).stderr)?.slice(1) ?? []
    expect(calls).toBe(traps)
  })
})

describe('mol doctor', () => {
  test('says what is enforced', () => {
    const got = run(['doctor'])
    expect(got.stdout).toMatch(/seccomp trap[\s\S]*trial run: .bin.true in a machine: exit 0[\s\S]*mol runs here/)
    expect(got.status).toBe(0)
  })
  test('--json', () => {
    const got = JSON.parse(run(['doctor', '--json']).stdout)
    expect(got.ok).toBe(true)
    expect(got.checks.map((c: { name: string }) => c.name)).toContain('seccomp user_notif')
  })
})

describe('mol trace', () => {
  test('lines a strace user can read', () => {
    const got = run(['trace', '--', 'cat', 'note'])
    expect(got.stdout).toBe('outside\n')
    expect(got.stderr).toMatch(/openat\(AT_FDCWD, "note", O_RDONLY\) += 3/)
    expect(got.stderr).toMatch(/read\(3, "outside\\n", \d+\) += 8/)
    expect(got.stderr).toMatch(/\+\+\+ exited with 0 \+\+\+/)
  })
  test('-e trace=, -o', () => {
    const file = path.join(dir, 'trace.out')
    const got = run(['trace', '-e', 'trace=openat', '-o', file, '--', 'cat', 'nosuch'])
    expect(got.status).toBe(1)
    const text = readFileSync(file, 'utf8')
    expect(text).toMatch(/openat\(AT_FDCWD, "nosuch", O_RDONLY\) += -1 ENOENT \(No such file or directory\)/)
    expect(text).not.toMatch(/read\(/)
  })
  test('-f follows children', () => {
    const got = run(['trace', '-f', '-e', 'trace=execve', '--', 'sh', '-c', '/bin/true; /bin/false'])
    expect(got.stderr).toMatch(/execve\("\/bin\/true", \["\/bin\/true"\]/)
    expect(got.stderr).toMatch(/execve\("\/bin\/false", \["\/bin\/false"\]/)
  })
  test('-c', () => {
    expect(run(['trace', '-c', '--', 'ls', '/']).stderr).toMatch(/% time +seconds +usecs\/call +calls +errors +syscall\n[\s\S]*getdents64/)
  })
})
