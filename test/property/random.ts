// A small generator of pseudo-random numbers (mulberry32): a seed gives the same script everywhere and always.
export class Random {
  constructor(private state: number) {}
  /** A whole number from 0 to n - 1. */
  below(n: number): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let x = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
    return ((x ^ (x >>> 14)) >>> 0) % n
  }
  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T
  }
  /** One of the values, each as often as its weight says. */
  weighted<T>(list: readonly (readonly [weight: number, value: T])[]): T {
    let at = this.below(list.reduce((sum, [weight]) => sum + weight, 0))
    for (const [weight, value] of list) {
      if (at < weight) return value
      at -= weight
    }
    throw new Error('weights')
  }
}
