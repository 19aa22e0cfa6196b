// A socket's receive queue: random pushes, reads and pops against a plain model.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { newQueue, peek, pop, push, REC, recordAt, take, word } from './queue.ts'
import { createState, type NetState } from './state.ts'

function netState(): NetState {
  return createState({} as Parameters<typeof createState>[0])
}
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ op: fc.constant('push' as const), bytes: fc.integer({ min: 0, max: 3000 }) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('push' as const), bytes: fc.integer({ min: 0, max: 70000 }) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('take' as const), bytes: fc.integer({ min: 0, max: 2000 }) }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('pop' as const), bytes: fc.constant(0) }) },
)

test('keeps what was pushed, in order, whatever the sizes', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      const net = netState()
      const q = newQueue()
      const model: number[][] = []
      const mem = new Uint8Array(80000)
      let seed = 1
      for (const { op, bytes } of steps) {
        if (op === 'push') {
          for (let k = 0; k < bytes; k++) mem[k] = seed = (seed * 31 + 7) & 0xff
          const i = push(net, q, mem, 0, bytes, bytes + 1, null, null)
          expect(word(q, i, REC.CHARGE)).toBe(bytes + 1)
          model.push(Array.from(mem.subarray(0, bytes)))
        } else if (model.length > 0) {
          const first = model[0] as number[]
          if (op === 'pop') {
            pop(net, q)
            model.shift()
          } else {
            const n = Math.min(bytes, first.length)
            take(q, n)
            first.splice(0, n)
          }
        }
        expect(q.count).toBe(model.length)
        expect(q.used).toBe(model.reduce((sum, record) => sum + record.length, 0))
        expect(model.map((_, k) => word(q, recordAt(q, k), REC.LEN))).toEqual(model.map(record => record.length))
      }
      const all = new Uint8Array(q.used)
      peek(q, 0, all, 0, q.used)
      expect(Buffer.from(all).equals(Buffer.from(model.flat()))).toBe(true)
    }),
    { numRuns: 60 },
  )
})

test('an empty queue keeps no large buffer', () => {
  const net = netState()
  const q = newQueue()
  push(net, q, new Uint8Array(100000), 0, 100000, 0, null, null)
  pop(net, q)
  expect(q.ring).toBe(null)
  expect(net.spare.flat().map(ring => ring.length)).toEqual([131072])
  push(net, q, new Uint8Array(100000), 0, 100000, 0, null, null)
  expect(net.spare.flat()).toEqual([])
})
