// What a message costs its sender's buffer (SO_SNDBUF): the sizes of Linux's socket buffers (net/core/skbuff.c, skb->truesize), so that as
// much fits, and what SIOCOUTQ and POLLOUT say, is the same.
const PAGE = 4096
const OVERHEAD = 256 // struct sk_buff
const SHARED = 320 // struct skb_shared_info behind the data
const KMALLOC_MIN = 512
/** SKB_MAX_HEAD(0), SKB_MAX_ALLOC, MAX_SKB_FRAGS pages. */
const HEAD_MAX = PAGE - SHARED
const ALLOC_MAX = 4 * PAGE - SHARED
const FRAGS_MAX = 17 * PAGE
/** UNIX_SKB_FRAGS_SZ */
const STREAM_FRAGS = 32768

function linear(bytes: number): number {
  let size = KMALLOC_MIN
  while (size < bytes + SHARED) size *= 2
  return size + OVERHEAD
}
const pages = (bytes: number): number => Math.ceil(bytes / PAGE) * PAGE

/** A datagram. */
export function datagramCharge(bytes: number): number {
  const paged = bytes > ALLOC_MAX ? pages(Math.min(bytes - ALLOC_MAX, FRAGS_MAX)) : 0
  return linear(bytes - Math.min(paged, bytes)) + paged
}
/** One piece of an AF_UNIX stream; at most this many bytes of one write go into it. */
export function streamPiece(bytes: number, sndbuf: number): number {
  return Math.min(bytes, Math.floor(sndbuf / 2) - 64, HEAD_MAX + STREAM_FRAGS)
}
export function streamCharge(bytes: number): number {
  const paged = bytes > HEAD_MAX ? pages(bytes - HEAD_MAX) : 0
  return linear(bytes - Math.min(paged, bytes)) + paged
}
