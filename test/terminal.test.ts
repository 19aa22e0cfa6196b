// Interactive bash in a real terminal, driven through tmux as a person would: prompt, editing, history, completion, job control, full
// screen programs, resizing. What is on the screen is the test.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const root = path.resolve(import.meta.dirname, '..')
/** vim.basic throws away what is typed while it starts, natively too. */
const VI = existsSync('/usr/bin/vim.tiny') ? 'vim.tiny' : 'vi'
const hasTmux = spawnSync('tmux', ['-V']).status === 0
const has = (program: string): boolean => spawnSync(program, ['--version']).status === 0
const SOCKET = `mol-test-${process.pid}`

function tmux(...args: string[]): string {
  return execFileSync('tmux', ['-L', SOCKET, '-f', '/dev/null', ...args], { encoding: 'utf8' })
}
const screen = (): string => tmux('capture-pane', '-p', '-t', 'mol')
function type(text: string, ...keys: string[]): void {
  if (text !== '') tmux('send-keys', '-t', 'mol', '-l', text)
  for (const k of keys) tmux('send-keys', '-t', 'mol', k)
}
/** Wait until the screen shows it. */
async function see(what: RegExp | string, ms = 30_000): Promise<string> {
  const deadline = Date.now() + ms
  for (;;) {
    const now = screen()
    if (typeof what === 'string' ? now.includes(what) : what.test(now)) return now
    if (Date.now() > deadline) throw new Error(`never saw ${what} on:\n${now}`)
    await new Promise(r => setTimeout(r, 30))
  }
}
async function until(is: () => boolean, ms = 30_000): Promise<void> {
  for (const deadline = Date.now() + ms; !is(); await new Promise(r => setTimeout(r, 30))) if (Date.now() > deadline) throw new Error(`waited in vain:\n${screen()}`)
}
/** The shell reads again: what is typed before that may be thrown away by whoever reset the terminal. */
const prompt = (): Promise<void> => until(() => screen().trimEnd().endsWith('p>'))
/** Run a line and wait for the prompt after it. */
let lines = 0
async function line(text: string, what: RegExp | string): Promise<string> {
  type(`clear; ${text}; echo =${++lines}=`, 'Enter')
  await see(`=${lines}=\n`)
  return see(what)
}

describe.skipIf(!hasTmux)('interactive bash', () => {
  let dir: string
  beforeAll(async () => {
    dir = mkdtempSync('/var/tmp/mol-terminal-')
    const command = `cd ${dir} && env -u TMUX TERM=screen PS1='p> ' HISTFILE= node ${root}/bin/mol.js run -it --rm -- bash --norc --noprofile -i; echo outside status $?; cat`
    tmux('new-session', '-d', '-s', 'mol', '-x', '80', '-y', '24', command)
    await see(/^p>$/m)
  })
  afterAll(() => {
    spawnSync('tmux', ['-L', SOCKET, 'kill-server'])
    rmSync(dir, { recursive: true, force: true })
  })

  test('a prompt, and commands', async () => {
    await line('echo hello $((6*7))', 'hello 42')
    await line('tty; stty size', /\/dev\/(tty|console|pts)[^\n]*\n24 80/)
  })
  test('line editing and history', async () => {
    type('echo abd', 'BSpace')
    type('c', 'C-a', 'C-k')
    type('echo edited', 'Enter')
    await see('\nedited\n')
    type('', 'Up', 'Enter')
    await see(/edited\n[\s\S]*edited\n[\s\S]*p>$/m)
    type('', 'C-r')
    type('hello', 'C-e', 'C-u')
    type('', 'C-c')
    await prompt()
  })
  test('completion', async () => {
    type('clear', 'Enter')
    type('ls /etc/hostn', 'Tab')
    await see('ls /etc/hostname')
    type('', 'C-u')
    type('ls /etc/host', 'Tab', 'Tab')
    await see(/host\.conf\s+hostname\s+hosts/)
    type('', 'C-c')
    await prompt()
  })
  test('Ctrl-C ends a command, not the shell', async () => {
    type('sleep 100', 'Enter')
    await see('sleep 100')
    await new Promise(r => setTimeout(r, 200))
    type('', 'C-c')
    await prompt()
    await line('echo status $?', /status (130|0)/)
  })
  test('Ctrl-Z, jobs, bg, fg', async () => {
    type('sleep 100', 'Enter')
    await see('sleep 100')
    await new Promise(r => setTimeout(r, 200))
    type('', 'C-z')
    await see(/Stopped\s+sleep 100/)
    await prompt()
    await line('jobs', /\[1\]\+\s+Stopped\s+sleep 100/)
    await line('bg', /sleep 100 &/)
    await line('jobs', /Running\s+sleep 100/)
    type('fg', 'Enter')
    await see('sleep 100')
    await new Promise(r => setTimeout(r, 200))
    type('', 'C-c')
    await prompt()
    await line('jobs; echo none', 'none')
  })
  test('ps shows the machine and nothing of the host', async () => {
    const shown = await line('ps -e -o pid,comm', /bash/)
    expect(shown).not.toMatch(/node|tmux|launcher/)
  })
  test('less', async () => {
    type('clear; seq 1000 | less', 'Enter')
    await see(/^1\n2\n3\n/)
    type('', 'Space')
    await see(/^24\n/)
    type('', 'G')
    await see('1000\n(END)')
    type('q')
    await prompt()
    await line('echo back', 'back')
  })
  test('vi', async () => {
    type(`clear; ${VI} -c 'normal iwritten in vi' note`, 'Enter')
    await see(/^written in vi$/m)
    // vim may throw away what is typed while it starts, natively too: asked again until it has gone
    for (const end = Date.now() + 60_000; !screen().trimEnd().endsWith('p>') && Date.now() < end; ) {
      type('', 'Escape')
      await new Promise(r => setTimeout(r, 700))
      type(':wq', 'Enter')
      await new Promise(r => setTimeout(r, 1000))
    }
    await line('cat note', 'written in vi')
  })
  test.skipIf(!has('nano'))('nano', async () => {
    type('clear; nano -I page', 'Enter')
    await see(/GNU nano[\s\S]*\^X Exit/)
    type('written in nano')
    await see(/^written in nano$/m)
    type('', 'C-o')
    await see('File Name to Write')
    type('', 'Enter')
    await see(/Wrote 1 line/)
    type('', 'C-x')
    await prompt()
    await line('cat page', 'written in nano')
  })
  test.skipIf(!has('htop'))('htop', async () => {
    type('clear; htop', 'Enter')
    await see(/Load average[\s\S]*PID[\s\S]*bash[\s\S]*F10/)
    type('q')
    await prompt()
    await line('echo after htop', 'after htop')
  })
  test('resizing', async () => {
    tmux('resize-window', '-t', 'mol', '-x', '100', '-y', '30')
    await new Promise(r => setTimeout(r, 300))
    await line('stty size', '30 100')
    tmux('resize-window', '-t', 'mol', '-x', '80', '-y', '24')
  })
  test('top', async () => {
    type('clear; top', 'Enter')
    await see(/load average[\s\S]*PID/)
    type('q')
    await prompt()
    await line('echo back again', 'back again')
  })
  test('exit, and the terminal is as before', async () => {
    type('exit 7', 'Enter')
    await see('outside status 7')
    type('echoed', 'Enter')
    await see(/echoed\nechoed/)
    expect(execFileSync('ls', [dir]).toString()).toBe('') // what vi wrote stayed inside
  })
})
