// Options that run and trace share, and what they mean for a machine.
import { existsSync, statSync } from 'node:fs'
import path from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import type { Bind, MachineOptions } from '../machine.ts'

export interface GuestOptions {
  volume: Bind[]
  env: string[]
  workdir?: string
  user?: string
  root?: string
  hostname?: string
  clock?: number
  memory?: number
  processes?: number
  patch: boolean
}

const collect =
  <T>(parse: (text: string) => T) =>
  (text: string, all: T[]): T[] => [...all, parse(text)]

export function parseBind(text: string): Bind {
  const [hostPath, guestPath, mode, ...rest] = text.split(':')
  if (!hostPath || !guestPath || rest.length > 0 || (mode !== undefined && mode !== 'ro' && mode !== 'rw'))
    throw new InvalidArgumentError('it has the form HOST:GUEST or HOST:GUEST:ro.')
  if (!guestPath.startsWith('/')) throw new InvalidArgumentError(`the guest path ${guestPath} must start with a slash.`)
  if (!existsSync(hostPath)) throw new InvalidArgumentError(`${hostPath} does not exist on the host.`)
  return { host: path.resolve(hostPath), guest: guestPath, readOnly: mode === 'ro' }
}
function parseSize(text: string): number {
  const m = /^(\d+)\s*([kmgt]?)(i?b)?$/i.exec(text)
  if (!m) throw new InvalidArgumentError('a size is a number with an optional k, m or g.')
  return Number(m[1]) * 1024 ** ' kmgt'.indexOf((m[2] ?? '').toLowerCase() || ' ')
}
function parseCount(text: string): number {
  const n = Number(text)
  if (!Number.isInteger(n) || n < 1) throw new InvalidArgumentError('it must be a whole number of at least 1.')
  return n
}
function parseRoot(text: string): string {
  if (!existsSync(text)) throw new InvalidArgumentError(`${text} does not exist.`)
  if (!statSync(text).isDirectory()) throw new InvalidArgumentError(`${text} is not a directory.`)
  return path.resolve(text)
}

/** → ms ahead of now */
function parseClock(text: string): number {
  const offset = /^[+-]\d+(\.\d+)?$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now()
  if (!Number.isFinite(offset) || Date.now() + offset < 0) throw new InvalidArgumentError('It is neither a date after 1970 nor +SECONDS or -SECONDS.')
  return offset
}

/** envFlag: mol trace keeps -e for strace's expressions. */
export function addGuestOptions(command: Command, envFlag = '-e, --env'): Command {
  return command
    .option('-v, --volume <HOST:GUEST[:ro]>', 'show a host directory at GUEST, writes go through (or not: ro)', collect(parseBind), [])
    .option(`${envFlag} <K=V>`, 'set an environment variable; K alone takes it from here', collect(String), [])
    .option('-w, --workdir <DIR>', 'working directory inside (default: the one you are in)')
    .option('-u, --user <USER[:GROUP]>', 'run as this user (a name or number of the machine inside)')
    .option('--root <DIR>', 'host directory to use as the root of the file tree (default: /)', parseRoot)
    .option('--hostname <NAME>', 'host name inside', 'mol')
    .option('--clock <WHEN>', 'what time it is inside: a date (2030-01-01, ISO 8601), or +SECONDS or -SECONDS from now', parseClock)
    .option('-m, --memory <SIZE>', 'how much memory all guests together may commit, e.g. 512m', parseSize)
    .option('--pids-limit <N>', 'how many processes there may be', parseCount)
    .option('--no-patch', 'leave call sites alone: every system call traps (slower)')
}

export function machineOptions(o: GuestOptions & { pidsLimit?: number }): MachineOptions {
  return {
    binds: o.volume,
    patching: o.patch,
    show: o.root ? [] : [...new Set([process.cwd(), workdir(o)])].filter(d => existsSync(d)),
    ...(o.root ? { root: o.root } : {}),
    ...(o.hostname ? { hostname: o.hostname } : {}),
    ...(o.clock !== undefined ? { clockOffset: o.clock } : {}),
    ...(o.memory ? { memory: o.memory } : {}),
    ...(o.pidsLimit ? { processes: o.pidsLimit } : {}),
  }
}

/** Where the program starts: -w, or where you are; with a root of its own, its top. */
export function workdir(o: GuestOptions): string {
  return o.workdir ?? (o.root ? '/' : process.cwd())
}

/** The environment inside: ours, with -e on top, and the marks of being inside. */
export function guestEnv(sets: string[]): Record<string, string | undefined> {
  const env: Record<string, string | undefined> = { ...process.env }
  for (const s of sets) {
    const at = s.indexOf('=')
    if (at < 0) env[s] = process.env[s]
    else env[s.slice(0, at)] = s.slice(at + 1)
  }
  env.MOL = '1'
  return env
}
