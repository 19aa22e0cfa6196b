// Patching call sites: a trapped `syscall` becomes a jump to a trampoline, which enters the stub without a signal. Exact or not at all:
// the bytes are verified, no guest stack is touched, and jumps into the middle, other threads there and interrupts keep their meaning.
// The jump goes through a table at PATCH_BASE, so that its third displacement byte is an invalid opcode just where `syscall` stood.
#include "stub.h"
#include <asm/errno.h>
#include <asm/unistd.h>
#include <linux/mman.h>

/* Fault-safe: 0, or -EFAULT when not all n bytes could be written (to text that another thread made read-only, say). */
static long poke(u64 to, const void *from, u64 n) { return copy_bytes(to, (u64)from, n) == n ? 0 : -EFAULT; }
static int peek(void *to, u64 from, u64 n) { return guest_bytes(from, n) == n && copy_bytes((u64)to, from, n) == n; }

/* 1: the trampoline table is there; 0: nothing is there; -1: something else is. */
static int table_state(void) {
  u64 entry;
  if (!peek(&entry, ENTRY_POINTER, sizeof entry)) return 0;
  return entry == (u64)patched_entry ? 1 : -1;
}

/* Opens [start, start + n) for writing, or closes it again. */
static long protect(u64 start, u64 n, int prot) {
  u64 first = start & ~(PAGE - 1);
  return CALL(__NR_mprotect, first, align(start + n, PAGE) - first, prot);
}

static int is_prefix(u8 byte) {
  static const u8 prefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3};
  for (u32 i = 0; i < sizeof prefixes; i++)
    if (byte == prefixes[i]) return 1;
  return byte >= 0x40 && byte <= 0x4f;
}

/* Which PATTERN_* the syscall instruction at `at` is part of, 0 if none that can be replaced exactly; *start: its first byte. */
static u32 find_pattern(u64 at, u32 number, u64 threads, u64 *start) {
  u8 before[8] = {0}, after[8];
  u32 immediate;
  if (!peek(after, at, 2) || after[0] != 0x0f || after[1] != 0x05) return 0;
  if (peek(before + 3, at - 5, 5)) {
    peek(before, at - 8, 3); // nothing there: no prefix
    __builtin_memcpy(&immediate, before + 4, 4);
    if (immediate == number && before[3] == 0xb8 && !is_prefix(before[2])) return *start = at - 5, PATTERN_MOV_EAX;
    if (immediate == number && before[1] == 0x48 && before[2] == 0xc7 && before[3] == 0xc0) return *start = at - 7, PATTERN_MOV_RAX;
  }
  if (threads == 1 && peek(after, at, 8) && after[2] == 0x48 && after[3] == 0x3d && (after[4] & 0xfe) == 0 && after[5] == 0xf0 &&
      after[6] == 0xff && after[7] == 0xff)
    return *start = at, PATTERN_SYSCALL_CMP;
  return 0;
}

static long write_trampoline(u32 index, u32 number, u32 pattern, u64 start) {
  struct trampoline code = {
    .enter = {0x48, 0x8d, 0x0d, 0xf9, 0xff, 0xff, 0xff, 0xff, 0x24, 0x25, (u8)ENTRY_POINTER, (u8)(ENTRY_POINTER >> 8), ENTRY_POINTER >> 16, 0},
    .tail = {0x48, 0x3d, 0, 0xf0, 0xff, 0xff, 0xff, 0x25, 14, 0, 0, 0}, // cmp from the site; jmp *target
    .number = number, .pattern = pattern, .target = start + pattern,
  };
  u64 entry = (u64)patched_entry, place = (u64)TRAMPOLINE(index);
  if (pattern == PATTERN_SYSCALL_CMP && !peek(code.tail, start + 2, 6)) return -EFAULT;
  if (table_state() == 0) {
    long at = CALL(__NR_mmap, PATCH_BASE, PATCH_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1);
    if (at < 0) return at;
  }
  long error = protect(PATCH_BASE, PATCH_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC);
  if (!error) error = poke(ENTRY_POINTER, &entry, sizeof entry);
  if (!error) error = poke(place, &code, sizeof code);
  if (!error) error = poke(PATCH_BASE + 8ul * index, &place, sizeof place);
  if (!error) error = protect(PATCH_BASE, PATCH_BYTES, PROT_READ | PROT_EXEC);
  return error;
}

/* Replaces the first bytes at `start` by jmp *table(index). Another thread may be executing them (not with SYSCALL_CMP): first the
 * place where `syscall` stood and then the first byte become an invalid opcode, which on_invalid_opcode turns into the call or
 * a retry; so nobody executes a mixture. The bytes lie in one cache line, which is fetched whole. */
static long write_jump(u64 start, u32 pattern, u32 index) {
  u32 slot = PATCH_BASE + 8 * index;
  u8 jump[8] = {0xff, 0x24, 0x25, slot, slot >> 8, slot >> 16, slot >> 24, 0x90}, invalid = INVALID_OPCODE;
  u32 n = pattern == PATTERN_SYSCALL_CMP ? 8 : 7;
  long error = 0;
  if (pattern == PATTERN_MOV_EAX) error = poke(start + 5, &invalid, 1);
  if (!error) error = poke(start, &invalid, 1);
  if (!error) error = poke(start + 1, jump + 1, n - 1);
  if (!error) error = poke(start, jump, 1);
  return error;
}
_Static_assert((PATCH_BASE >> 16) == INVALID_OPCODE && 8 * PATCH_SITES <= 0x10000, "the jump's third displacement byte");

long patch(struct thread *t, u64 at, u32 number, u64 index, u64 threads) {
  u64 start;
  u32 pattern = find_pattern(at, number, threads, &start);
  if (!pattern) return -ENOEXEC;
  if (index >= PATCH_SITES) return -EINVAL;
  if (table_state() < 0) return -EEXIST;
  u32 n = pattern == PATTERN_SYSCALL_CMP ? 8 : 7;
  if (threads != 1 && (start ^ (start + n - 1)) >> 6) return -EAGAIN; // across cache lines
  long error = write_trampoline(index, number, pattern, start);
  if (!error) error = protect(start, n, PROT_READ | PROT_WRITE | PROT_EXEC);
  if (error) return error;
  error = write_jump(start, pattern, index);
  long closed = protect(start, n, PROT_READ | PROT_EXEC);
  volatile u64 *rip = &REGS(t->channel)[GREG_RIP];
  if (!error && pattern == PATTERN_SYSCALL_CMP && *rip == at + 2) *rip = (u64)TRAMPOLINE(index)->tail; // this very call returns there
  return error ? error : closed ? closed : (long)pattern;
}

/* A site's own bytes, as far as the jump replaced them; how many. */
static u32 original(const struct trampoline *site, u8 *bytes) {
  static const u8 mov_eax[] = {0xb8, 0, 0, 0, 0, 0x0f, 0x05}, mov_rax[] = {0x48, 0xc7, 0xc0, 0, 0, 0, 0};
  if (site->pattern == PATTERN_MOV_EAX) {
    __builtin_memcpy(bytes, mov_eax, 7), __builtin_memcpy(bytes + 1, &site->number, 4);
    return 7;
  }
  if (site->pattern == PATTERN_MOV_RAX) {
    __builtin_memcpy(bytes, mov_rax, 7), __builtin_memcpy(bytes + 3, &site->number, 4);
    return 7;
  }
  if (site->pattern != PATTERN_SYSCALL_CMP) return 0;
  bytes[0] = 0x0f, bytes[1] = 0x05;
  __builtin_memcpy(bytes + 2, site->tail, 6);
  return 8;
}
static int same(const u8 *a, const u8 *b, u32 n) {
  while (n > 0 && *a == *b) a++, b++, n--;
  return n == 0;
}
static u64 start_of(const struct trampoline *site) { return site->target - site->pattern; }

/* write_jump's way back, under the same conditions. Backwards: who jumps to the syscall instruction finds it whole or not at all. */
static long write_original(u64 start, const u8 *bytes, u32 n) {
  u8 invalid = INVALID_OPCODE;
  long error = poke(start, &invalid, 1);
  for (u32 i = n - 1; i > 0 && !error; i--) error = poke(start + i, bytes + i, 1);
  return error ? error : poke(start, bytes, 1);
}

/* 1: done; 0: the site is no more what PATCH has left there. */
static int restore(u32 index) {
  struct trampoline *site = TRAMPOLINE(index);
  u32 slot = PATCH_BASE + 8 * index;
  u8 bytes[8], there[7], jump[7] = {0xff, 0x24, 0x25, slot, slot >> 8, slot >> 16, slot >> 24};
  u32 n = original(site, bytes);
  u64 start = start_of(site);
  if (!n || !peek(there, start, 7) || !same(there, jump, 7)) return 0;
  int is_writable = !poke(start, there, 1);
  if (!is_writable && protect(start, n, PROT_READ | PROT_WRITE | PROT_EXEC)) return 0;
  long error = write_original(start, bytes, n);
  if (!is_writable) protect(start, n, PROT_READ | PROT_EXEC);
  return !error;
}
/* Trampolines stay: threads may be on their way through, and signal frames may lead there. */
long unpatch(u64 count) {
  long done = 0;
  if (table_state() != 1) return 0;
  for (u32 i = 0; i < least(count, PATCH_SITES); i++) done += restore(i);
  return done;
}

/* The trampoline of the site with an invalid opcode at `rip`: where `syscall` stood, or at its start while it is being patched or
 * unpatched (by now it may be done). */
struct trampoline *site_at(u64 rip) {
  u8 byte, there[8], own[8];
  if (!peek(&byte, rip, 1) || table_state() != 1) return 0;
  for (u32 i = 0; i < PATCH_SITES; i++) {
    struct trampoline *site = TRAMPOLINE(i);
    if (!site->pattern) continue;
    u64 start = start_of(site);
    if (site->pattern == PATTERN_MOV_EAX && site->target - 2 == rip && byte == INVALID_OPCODE) return site;
    if (start == rip && (byte == INVALID_OPCODE || byte == 0xff)) return site;
    u32 n = rip >= start && rip < site->target ? original(site, own) : 0;
    if (n && peek(there, start, n) && same(there, own, n)) return site;
  }
  return 0;
}
