// Domains: a tree of environments, each a table of slots. A slot set in a domain is its own; any other is inherited: the very same
// endpoint as in the parent, however deep. The answer is compiled: routes[domain * SLOTS + slot] is one load.
import { NONE, SLOTS } from '../abi/message.ts'

export class DomainTable {
  /** Endpoint behind each slot of each domain; NONE: nobody. */
  routes = new Int32Array(16 * SLOTS).fill(NONE)
  /** Account of processes that have ended, per domain: [messages sent, received, kernel calls, processes ended]. */
  readonly ended: [number, number, number, number][] = []
  private own = new Uint8Array(16 * SLOTS) // 1: set here
  private readonly parents: number[] = [] // -1 for the root and for domains that are no more
  private readonly alive: boolean[] = []

  constructor() {
    this.create(-1)
  }
  exists(domain: number): boolean {
    return this.alive[domain] === true
  }
  parent(domain: number): number {
    return this.parents[domain]
  }
  get count(): number {
    return this.parents.length
  }
  /** A domain with nothing of its own. Numbers are not used again. */
  create(parent: number): number {
    const domain = this.parents.length
    if ((domain + 1) * SLOTS > this.routes.length) this.grow()
    this.parents.push(parent)
    this.alive.push(true)
    this.ended.push([0, 0, 0, 0])
    if (parent >= 0) this.routes.copyWithin(domain * SLOTS, parent * SLOTS, (parent + 1) * SLOTS)
    return domain
  }
  hasChildren(domain: number): boolean {
    return this.parents.some((parent, child) => parent === domain && this.alive[child])
  }
  /** Ends a domain with no children and no processes; its account goes to its parent's. */
  destroy(domain: number): void {
    const account = this.ended[domain]
    const above = this.ended[this.parents[domain]]
    for (let k = 0; k < account.length; k++) above[k] += account[k]
    this.alive[domain] = false
    this.routes.fill(NONE, domain * SLOTS, (domain + 1) * SLOTS)
  }
  set(domain: number, slot: number, endpoint: number): void {
    this.own[domain * SLOTS + slot] = 1
    this.routes[domain * SLOTS + slot] = endpoint
    this.compile(slot)
  }
  /** The slot is the parent's again. */
  inherit(domain: number, slot: number): void {
    this.own[domain * SLOTS + slot] = 0
    this.compile(slot)
  }
  /** Parents come before children, so one pass settles a slot for the whole tree. */
  private compile(slot: number): void {
    for (let domain = 0; domain < this.parents.length; domain++) {
      if (!this.alive[domain] || this.own[domain * SLOTS + slot] === 1) continue
      const parent = this.parents[domain]
      this.routes[domain * SLOTS + slot] = parent < 0 ? NONE : this.routes[parent * SLOTS + slot]
    }
  }
  private grow(): void {
    const routes = new Int32Array(2 * this.routes.length).fill(NONE)
    routes.set(this.routes)
    this.routes = routes
    const own = new Uint8Array(2 * this.own.length)
    own.set(this.own)
    this.own = own
  }
}
