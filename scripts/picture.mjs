// Makes docs/terminal.svg from a real run: drives an interactive mol in tmux and draws what is on the screen. `node scripts/picture.mjs`.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const COLUMNS = 92
const ROWS = 26
const tmux = (...args) => execFileSync('tmux', ['-L', 'mol-picture', '-f', '/dev/null', ...args], { encoding: 'utf8' })
const pause = ms => new Promise(r => setTimeout(r, ms))
const dir = mkdtempSync('/var/tmp/mol-demo-')
writeFileSync(path.join(dir, 'notes.txt'), 'precious\n')
writeFileSync(path.join(dir, 'hello.c'), '#include <stdio.h>\nint main(void) { puts("hello from gcc"); }\n')
tmux('new-session', '-d', '-s', 'p', '-x', String(COLUMNS), '-y', String(ROWS), `cd ${dir}; PS1='$ ' bash --norc --noprofile -i`)
await pause(500)
for (const [line, wait] of [
  [`alias mol='node ${root}/bin/mol.js'; clear`, 300],
  ['ls', 300],
  ['mol run -it bash --norc', 1500],
  ["PS1='inside$ '", 300],
  ['gcc hello.c -o hello && ./hello', 2500],
  ['rm -rf * && ls -la | wc -l; ps -e', 800],
  ['exit', 800],
  ['cat notes.txt; ls', 300],
  ['mol trace -e trace=%file -- cat notes.txt 2>&1 | tail -4', 1200],
]) {
  tmux('send-keys', '-t', 'p', '-l', line)
  tmux('send-keys', '-t', 'p', 'Enter')
  await pause(wait)
}
const lines = tmux('capture-pane', '-p', '-t', 'p').trimEnd().split('\n')
tmux('kill-server')
rmSync(dir, { recursive: true, force: true })
const xml = s => s.replace(/&/g, '&amp;').replace(/</g, '&lt;')
const height = 34 + lines.length * 18
const text = lines
  .map((l, i) => `<text x="14" y="${38 + i * 18}" fill="${/^(inside)?\$ /.test(l) ? '#8be9a8' : '#e6e6e6'}" xml:space="preserve">${xml(l)}</text>`)
  .join('\n')
writeFileSync(
  path.join(root, 'docs/terminal.svg'),
  `<svg xmlns="http://www.w3.org/2000/svg" width="${COLUMNS * 8.5 + 28}" height="${height}" font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14">
<rect width="100%" height="100%" rx="8" fill="#1d1f26"/>
<circle cx="18" cy="14" r="5" fill="#ff5f57"/><circle cx="34" cy="14" r="5" fill="#febc2e"/><circle cx="50" cy="14" r="5" fill="#28c840"/>
${text}
</svg>
`,
)
process.stdout.write(`${lines.join('\n')}\n`)
