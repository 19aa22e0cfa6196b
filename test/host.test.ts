// What mol asks of the host and does to it: it runs as an ordinary user and under a container runtime's default seccomp profile, refuses
// with one line where it can't, and writes nowhere but in its workspace.
import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const root = path.resolve(import.meta.dirname, '..')
const mol = path.join(root, 'bin/mol.js')
const NOBODY = 65534
let dir: string
let profile: string
beforeAll(() => {
  dir = mkdtempSync('/var/tmp/mol-host-')
  chmodSync(dir, 0o777)
  profile = path.join(dir, 'container-profile')
  execFileSync('cc', ['-O1', '-w', '-o', profile, path.join(import.meta.dirname, 'support/container-profile.c')])
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const env = { PATH: process.env.PATH, HOME: '/', LANG: 'C' }
const reachable = process.getuid?.() !== 0 || spawnSync('setpriv', ['--reuid', String(NOBODY), '--clear-groups', 'test', '-r', mol]).status === 0
const user = process.getuid?.() === 0 && reachable ? NOBODY : (process.getuid?.() ?? 0)
const SCRIPT = 'id -u; echo x > f && cat f; (exit 3) & wait $!; echo $?; ls /proc/self/fd | wc -l; grep CapPrm /proc/self/status'

describe('the host', () => {
  test('an ordinary user, inside a container profile', () => {
    const got = spawnSync(profile, [String(user), process.execPath, mol, 'run', '--', 'sh', '-c', SCRIPT], { cwd: dir, env, encoding: 'utf8' })
    expect(got.stderr).toBe('')
    expect(got.stdout.split('\n').slice(0, 3)).toEqual([String(user), 'x', '3'])
    expect(got.status).toBe(0)
  })
  test.runIf(process.getuid?.() === 0)('root, inside a container profile', () => {
    const got = spawnSync(profile, ['0', process.execPath, mol, 'run', '--', 'sh', '-c', 'id -u; echo $$'], { cwd: dir, env, encoding: 'utf8' })
    expect(got).toMatchObject({ stdout: '0\n2\n', stderr: '', status: 0 })
  })
  test('guests hold no capabilities on the host', () => {
    const script = `import { Machine } from '${root}/dist/machine.js'
      import { execFileSync } from 'node:child_process'; import { readFileSync } from 'node:fs'
      const m = await Machine.boot(); const p = m.spawn('sleep', ['9'], { stdio: 'null', env: { PATH: '/bin:/usr/bin' } })
      await new Promise(r => p.once('spawn', r))
      const launcher = execFileSync('ps', ['-o', 'pid=,args=', '--ppid', String(process.pid)]).toString().split('\\n').find(l => l.includes('stub.elf')).trim().split(/\\s+/)[0]
      const pids = execFileSync('ps', ['-o', 'pid=', '--ppid', launcher]).toString().trim().split(/\\s+/)
      for (const pid of [launcher, ...pids]) { const s = readFileSync('/proc/' + pid + '/status', 'utf8'); console.log(/CapEff:\\s*0+$/m.test(s), /CapPrm:\\s*0+$/m.test(s), /NoNewPrivs:\\s*1/.test(s), /Seccomp:\\s*2/.test(s)) }
      await m.close()`
    const got = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
    expect(got.stderr).toBe('')
    const lines = got.stdout.trim().split('\n')
    expect(lines.length).toBeGreaterThan(2)
    expect(new Set(lines)).toEqual(new Set(['true true true true']))
  })
  test('where seccomp is refused: one line and 125, nothing runs', () => {
    // A supervisor that already holds the one listener a process tree can have.
    const source = path.join(dir, 'listener.c')
    execFileSync('sh', ['-c', `cat > ${source}`], {
      input: `#include <linux/filter.h>\n#include <linux/seccomp.h>\n#include <sys/prctl.h>\n#include <sys/syscall.h>\n#include <sys/wait.h>\n#include <unistd.h>
int main(int c, char **v) { struct sock_filter f[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)}; struct sock_fprog p = {1, f};
prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); if (syscall(SYS_seccomp, 1, 8, &p) < 0) return 1; int st; if (!fork()) { execvp(v[1], v + 1); _exit(1); } wait(&st); return WEXITSTATUS(st); }`,
    })
    const listener = path.join(dir, 'listener')
    execFileSync('cc', ['-w', '-o', listener, source])
    const got = spawnSync(listener, [process.execPath, mol, 'run', '--', 'sh', '-c', 'echo ran'], { encoding: 'utf8' })
    expect(got.stdout).toBe('')
    expect(got.stderr).toMatch(/^mol: this host refuses what mol needs: [^\n]+\n$/)
    expect(got.status).toBe(125)
  })
  test('rm -rf of everything, gcc, chmod: no write reaches the host outside the workspace', { timeout: 60_000 }, () => {
    const trace = path.join(dir, 'writes')
    const calls = 'open,openat,openat2,creat,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat,rmdir,link,linkat,symlink,symlinkat,mknod,mknodat,truncate,chmod,fchmodat,chown,lchown,fchownat,utimensat,setxattr,lsetxattr'
    const command = 'echo x > /etc/mol-test-new; chmod 700 /etc/hostname; mv /etc/passwd /etc/p2; mkdir /usr/new; rm -rf /home /opt /srv /usr/games /usr/share/doc /var/tmp; ls /usr/share/doc /home 2>&1 | head -2; echo done'
    const got = spawnSync('strace', ['-f', '-y', '-qq', '-o', trace, '-e', `trace=${calls}`, process.execPath, mol, 'run', '--', 'sh', '-c', command], { encoding: 'utf8', env: { ...env, TMPDIR: dir } })
    if (got.error) return // no strace here
    expect(got.stdout).toMatch(/done\n$/)
    const lines = readFileSync(trace, 'latin1').split('\n')
    // guests are those whose calls ended in SIGSYS: strace shows what they tried, the host never did it
    const guests = new Set(lines.filter(l => l.includes('--- SIGSYS')).map(l => l.split(' ')[0]))
    const names = new RegExp(` (${calls.replaceAll(',', '|')})\\(`)
    const writes = lines
      .filter(l => names.test(l) && !guests.has(l.split(' ')[0]) && / = \d+/.test(l))
      .filter(l => !/ open(at2?)?\(/.test(l) || /O_WRONLY|O_RDWR|O_CREAT|O_TRUNC/.test(l))
      .filter(l => !l.includes(dir) && !/"\/dev\/(null|tty)"|"\/proc\/self\//.test(l))
    expect(guests.size).toBeGreaterThan(2)
    expect(writes).toEqual([])
  })
})
