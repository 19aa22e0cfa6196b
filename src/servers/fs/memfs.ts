// tmpfs: an overlay with nothing below it. For /tmp, /dev/shm, mounts, memfd.
import { type MemfsOptions, Overlay } from './overlay.ts'

export function createMemfs(options: MemfsOptions & { name?: string }): Overlay {
  return new Overlay(options.name ?? 'tmpfs', options, null, -1)
}
