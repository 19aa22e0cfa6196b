// What the tables of programs are made of: rows, and the Debian packages they name, all in one place. Nothing is installed from here:
// rows whose packages are missing are skipped, and said so.
import { execFileSync } from 'node:child_process'
import { fetched } from './registry.ts'

/** A task: the program it shows, the packages it needs, a bash script run in an empty folder, how many seconds it may take (20). */
export type Row = readonly [program: string, packages: string, script: string, seconds?: number]

/** Where Debian's packages put programs; nothing of /usr/local. */
export const PATH = '/usr/sbin:/usr/bin:/sbin:/bin'

/** Debian package → a command, or a pattern of files, that shows that it is there. */
export const PACKAGES: Readonly<Record<string, string>> = {
  'apache2-utils': 'ab',
  bash: 'bash',
  'bash-completion': '/usr/share/bash-completion/bash_completion',
  bc: 'bc',
  binutils: 'ld',
  bsdutils: 'script',
  'busybox-static': 'busybox',
  coreutils: 'ls',
  cpp: 'cpp',
  curl: 'curl',
  dash: 'dash',
  'default-jdk-headless': 'javac',
  diffutils: 'diff',
  dpkg: 'dpkg',
  findutils: 'find',
  'g++': 'g++',
  gawk: 'gawk',
  gcc: 'gcc',
  gdb: 'gdb',
  git: 'git',
  'golang-go': 'go',
  gzip: 'gzip',
  hostname: 'hostname',
  htop: 'htop',
  less: 'less',
  lsof: 'lsof',
  make: 'make',
  nano: 'nano',
  'nginx-light': 'nginx',
  nodejs: 'node',
  npm: 'npm',
  openssl: 'openssl',
  perl: 'perl',
  postgresql: '/usr/lib/postgresql/*/bin/initdb',
  'postgresql-contrib': '/usr/lib/postgresql/*/bin/pgbench',
  procps: 'ps',
  python3: 'python3',
  'redis-server': 'redis-server',
  'redis-tools': 'redis-benchmark',
  ripgrep: 'rg',
  rsync: 'rsync',
  sed: 'sed',
  sqlite3: 'sqlite3',
  strace: 'strace',
  tar: 'tar',
  tcl: 'tclsh',
  tmux: 'tmux',
  unzip: 'unzip',
  'vim-tiny': 'vim.tiny',
  'xz-utils': 'xz',
  zip: 'zip',
  zstd: 'zstd',
}

const LOOK = 'for w; do case $w in /*) compgen -G "$w";; *) type -P "$w";; esac > /dev/null && echo "$w"; done; true'
let present: ReadonlySet<string> | undefined

/** The packages of a row that are not installed; `npm:` ones are fetched. */
export function missing(row: Row): string[] {
  present ??= new Set(execFileSync('bash', ['-c', LOOK, 'bash', ...Object.values(PACKAGES)], { env: { PATH }, stdio: ['ignore', 'pipe', 'inherit'] }).toString().split('\n'))
  return row[1].split(' ').filter(name => {
    if (name.startsWith('npm:')) return !fetched(name.slice(4))
    const shown = PACKAGES[name]
    if (shown === undefined) throw new Error(`${row[0]}: package ${name} is not in PACKAGES`)
    return !present?.has(shown)
  })
}
