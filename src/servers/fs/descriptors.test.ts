import { expect, test } from 'vitest'
import { E } from '../../abi/errno.ts'
import { Descriptors, type Held, held } from './descriptors.ts'
import type { HostFiles } from './hostfiles.ts'

/** A host that has `most` descriptors and counts. */
function fakeHost(most: number): { host: HostFiles; open: Set<number> } {
  const open = new Set<number>()
  let next = 3
  const host = {
    open: () => (open.size >= most ? -E.MFILE : open.add(next) && next++),
    close: (fd: number) => (open.delete(fd) ? 0 : -E.BADF),
  } as unknown as HostFiles
  return { host, open }
}
const take = (d: Descriptors, holder: Held): number => {
  const fd = d.openAt(-100, 'x', 0, 0)
  return fd < 0 ? fd : d.keep(holder, fd)
}

test('the least recently used goes first', () => {
  const { host, open } = fakeHost(100)
  const d = new Descriptors(host, 16)
  const holders = Array.from({ length: 16 }, held)
  for (const holder of holders) take(d, holder)
  d.use(holders[0] as Held)
  take(d, held())
  expect([holders[0]?.fd !== -1, holders[1]?.fd, d.open, open.size]).toEqual([true, -1, 16, 16])
  d.dropAll()
  expect([d.open, open.size]).toEqual([0, 0])
})
test('a fixed one stays until it is dropped', () => {
  const { host, open } = fakeHost(100)
  const d = new Descriptors(host, 16)
  const fixed = held()
  take(d, fixed)
  d.fix(fixed)
  for (let i = 0; i < 40; i++) take(d, held())
  expect(open.has(d.use(fixed))).toBe(true)
  d.dropAll()
  expect(open.size).toBe(1)
  d.drop(fixed)
  expect([fixed.fd, open.size]).toEqual([-1, 0])
})
test('when the host has no more, some make room', () => {
  const { host } = fakeHost(20)
  const d = new Descriptors(host, 100)
  for (let i = 0; i < 50; i++) expect(take(d, held())).toBeGreaterThan(0)
})
