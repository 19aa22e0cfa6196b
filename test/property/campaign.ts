// Property tests with Linux as the oracle: a campaign is a C program that carries out a script, line by line, and prints what comes of it;
// scripts are made from a seed. The same program with the same script prints the same natively and in a machine; where it doesn't, the
// script is made shorter as long as the two still differ.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import path from 'node:path'
import { Machine } from '../../src/machine.ts'
import { type Outcome, runIn, runNative } from '../support/both.ts'
import { Random } from './random.ts'

export interface Campaign {
  /** C source in this folder. Reads the script from its standard input. */
  readonly program: string
  /** Lines of a script. */
  readonly steps: number
  line(random: Random): string
}
export interface Failure {
  readonly seed: number
  readonly script: readonly string[]
  readonly native: Outcome
  readonly inside: Outcome
}

/** Most attempts at a shorter script. */
const SHRINKS = 60

export class Campaigner {
  private readonly dir = mkdtempSync('/var/tmp/mol-property-')
  private machine: Machine | null = null
  private readonly program: string
  constructor(
    private readonly campaign: Campaign,
    sources: string,
  ) {
    this.program = path.join(this.dir, 'program')
    execFileSync('gcc', ['-O1', '-w', '-static', '-o', this.program, path.join(sources, campaign.program), '-pthread'])
  }

  /** One script: null when both agree on it. */
  async run(seed: number): Promise<Failure | null> {
    const random = new Random(seed)
    const script = Array.from({ length: this.campaign.steps }, () => this.campaign.line(random))
    const failure = await this.compare(seed, script)
    return failure === null ? null : this.shrink(failure)
  }
  private async compare(seed: number, script: readonly string[]): Promise<Failure | null> {
    this.machine ??= await Machine.boot()
    const input = `${script.join('\n')}\n`
    const native = await runNative([this.program], { cwd: this.dir, input })
    const inside = await runIn(this.machine, [this.program], { cwd: this.dir, input })
    const same = native.stdout === inside.stdout && native.stderr === inside.stderr && native.status === inside.status
    return same ? null : { seed, script, native, inside }
  }
  /** Without pieces that don't matter, larger ones first. */
  private async shrink(found: Failure): Promise<Failure> {
    let best = found
    let tries = 0
    for (let size = Math.floor(best.script.length / 2); size >= 1; size = Math.floor(size / 2)) {
      for (let at = 0; at < best.script.length && tries < SHRINKS; ) {
        const shorter = await this.compare(found.seed, [...best.script.slice(0, at), ...best.script.slice(at + size)])
        tries++
        if (shorter === null) at += size
        else best = shorter
      }
    }
    return best
  }
  async close(): Promise<void> {
    await this.machine?.close()
    rmSync(this.dir, { recursive: true, force: true })
  }
}

/** The script, and the first lines the two outputs differ in. */
export function describeFailure({ seed, script, native, inside }: Failure): string {
  const a = native.stdout.split('\n')
  const b = inside.stdout.split('\n')
  const at = Math.max(0, a.findIndex((line, k) => line !== b[k]))
  const part = (lines: readonly string[]): string => lines.slice(Math.max(0, at - 12), at + 8).join('\n')
  return `seed ${seed}\n-- script\n${script.join('\n')}\n-- natively (${native.status})\n${part(a)}${native.stderr}\n-- in a machine (${inside.status})\n${part(b)}${inside.stderr}\n`
}
