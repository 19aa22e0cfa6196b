// What the tables of programs are made of: rows, and the Debian packages they name, all in one place. Nothing is installed from here:
// rows whose packages are missing are skipped, and said so.
import { execFileSync } from 'node:child_process'

/** A task: the program it shows, the packages it needs, a bash script run in an empty folder, how many seconds it may take (20). */
export type Row = readonly [program: string, packages: string, script: string, seconds?: number]

/** Where Debian's packages put programs; nothing of /usr/local. */
export const PATH = '/usr/sbin:/usr/bin:/sbin:/bin'

/** Debian package → a command, or a pattern of files, that shows that it is there. */
export const PACKAGES: Readonly<Record<string, string>> = {
  bash: 'bash',
  bc: 'bc',
  binutils: 'ld',
  bsdutils: 'script',
  'busybox-static': 'busybox',
  coreutils: 'ls',
  cpp: 'cpp',
  dash: 'dash',
  diffutils: 'diff',
  findutils: 'find',
  gawk: 'gawk',
  gcc: 'gcc',
  git: 'git',
  gzip: 'gzip',
  hostname: 'hostname',
  make: 'make',
  perl: 'perl',
  python3: 'python3',
  sed: 'sed',
  tar: 'tar',
}

const LOOK = 'for w; do case $w in /*) compgen -G "$w";; *) type -P "$w";; esac > /dev/null && echo "$w"; done; true'
let present: ReadonlySet<string> | undefined

/** The packages of a row that are not installed. */
export function missing(row: Row): string[] {
  present ??= new Set(execFileSync('bash', ['-c', LOOK, 'bash', ...Object.values(PACKAGES)], { env: { PATH }, stdio: ['ignore', 'pipe', 'inherit'] }).toString().split('\n'))
  return row[1].split(' ').filter(name => {
    const shown = PACKAGES[name]
    if (shown === undefined) throw new Error(`${row[0]}: package ${name} is not in PACKAGES`)
    return !present?.has(shown)
  })
}
