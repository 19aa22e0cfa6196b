// Memory given to a machine (or domain): how much its processes may commit together. Linux's overcommit rules, with the pool's limit
// in the place of the machine's memory (proc_sys_vm(5), overcommit_memory).

/** 0 heuristic: only a single demand above the limit is refused. 1 always. 2 strict: the sum of all demands stays within the limit. */
export type Overcommit = 0 | 1 | 2

export class Pool {
  committed = 0
  private found = 0
  constructor(
    readonly limit: number,
    readonly rule: Overcommit,
  ) {}

  /** May `bytes` more be committed? */
  allows(bytes: number): boolean {
    if (bytes <= 0 || this.rule === 1) return true
    return bytes + (this.rule === 2 ? this.committed : 0) <= this.limit
  }
  charge(bytes: number): void {
    this.committed += bytes
  }
  uncharge(bytes: number): void {
    this.committed -= bytes
  }
  /** Memory found at somebody who was not granted it (excess.ts); negative: no longer. */
  find(bytes: number): void {
    this.committed += bytes
    this.found += bytes
  }
  /** How much is to be taken away from those who have more than was granted. */
  surplus(): number {
    return (this.rule === 2 ? this.committed : this.found) - this.limit
  }
}
