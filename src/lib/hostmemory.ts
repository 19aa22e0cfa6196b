// What the memory server needs of the host: shared memory as descriptors, to be mapped by guests. Implemented by boot.ts over host.ts.
// Results ≥ 0 or -errno.
export interface HostMemory {
  /** `bytes` of zeroes nobody can make more or fewer: a descriptor. */
  create(bytes: number): number
  /** Another descriptor of the same memory, which can only be read through. */
  readOnly(fd: number): number
  /** How many bytes of it are in memory. */
  resident(fd: number): number
  close(fd: number): number
}
