// Futex words: the one atomic change the kernel side orders, and what becomes of the locks of a thread that ends: those on its robust list
// that hold its id are marked FUTEX_OWNER_DIED (kernel/futex/core.c exit_robust_list). Who waits for them is woken by the kernel side.
#include "stub.h"
#include <asm/errno.h>
#include <linux/futex.h>

long compare_and_swap(u64 address, u32 expected, u32 new) {
  if ((address & 3) || guest_bytes(address, 4) < 4) return -EFAULT;
  long found = cas_word(address, expected, new);
  return found < 0 ? -EFAULT : found;
}

static int fetch(u64 *to, u64 from) { return copy_bytes((u64)to, from, guest_bytes(from, 8)) == 8; }

/* 1: somebody waits for the word; 0: nobody; -1: the list ends here. */
static int mark(u64 word, u32 owner, int pi, int pending) {
  u32 value;
  if ((word & 3) || copy_bytes((u64)&value, word, guest_bytes(word, 4)) != 4) return -1;
  for (;;) {
    if (pending && !pi && !value) return 1; // unlocked, but nobody has been woken yet
    if ((value & FUTEX_TID_MASK) != owner) return 0;
    long found = cas_word(word, value, (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED);
    if (found < 0) return -1;
    if (found == value) return !pi && (value & FUTEX_WAITERS);
    value = found;
  }
}

/* Low bits of an entry's address say that its lock has priority inheritance. */
long release_locks(struct thread *t, u64 head, u32 owner, u64 offset, u64 max) {
  u64 entry, next, distance, pending, count = 0;
  max = least(max, slot_bytes(offset, 8 * max) / 8);
  if (!fetch(&entry, head) || !fetch(&distance, head + 8) || !fetch(&pending, head + 16)) return 0;
  for (int left = ROBUST_LIST_LIMIT; (entry & ~1ul) != head && left > 0; left--) {
    int more = fetch(&next, entry & ~1ul); // first: the entry may be gone once its lock is free
    u64 word = (entry & ~1ul) + distance;
    int waited = (entry & ~1ul) == (pending & ~1ul) ? 0 : mark(word, owner, entry & 1, 0);
    if (waited < 0) return count;
    if (waited && count < max) U64(t->channel, offset + 8 * count++) = word;
    if (!more) return count;
    entry = next;
  }
  u64 word = (pending & ~1ul) + distance;
  if ((pending & ~1ul) && mark(word, owner, pending & 1, 1) > 0 && count < max) U64(t->channel, offset + 8 * count++) = word;
  return count;
}
