// Extended state (x87, vector registers, …) of a thread in the stub. The stub's code leaves it in the processor on the patched path; on the
// trap path the host has put it in the signal frame. Wherever it is wanted as data there is a frame: the host's or one of our own.
#include "stub.h"
#include <asm/errno.h>

// struct _fpx_sw_bytes, in the last 48 bytes of the legacy area; and where the XSAVE header begins
#define SW_RESERVED 464
#define XSTATE_HEADER 512
#define MXCSR 24
#define LEGACY_BYTES 512
struct sw_reserved { u32 magic1, extended_bytes; u64 xfeatures; u32 xstate_bytes; };
#define MAGIC1 0x46505853u
#define MAGIC2 0x46505845u
#define UC_FP_XSTATE 1
#define UC_SIGCONTEXT_SS 2
#define UC_STRICT_RESTORE_SS 4

/* The frame the stub makes for a thread that has none from the host, and its fpstate. */
struct ucontext *own_frame(struct thread *t) { return (struct ucontext *)stack_of(slot_of(t)); }
#define OWN_FPSTATE 0x400
_Static_assert(sizeof(struct ucontext) <= OWN_FPSTATE, "frame");

/* The host sets the alternate stack from the frame it returns by, unless it returns from on there: so it does for own frames only. */
static void set_frame_stack(struct ucontext *frame, struct thread *t) {
  frame->stack.address = stack_of(slot_of(t)) + FRAME_BYTES;
  frame->stack.bytes = (u64)t - frame->stack.address;
}

/* A signal frame that returns to the guest with the processor's extended state as it is now. Registers: load_registers. */
struct ucontext *make_frame(struct thread *t) {
  struct ucontext *frame = own_frame(t);
  u64 area = (u64)frame + OWN_FPSTATE;
  zero_bytes((u64)frame, OWN_FPSTATE + XSTATE_HEADER + 64);
  frame->flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS | (t->xstate_bytes ? UC_FP_XSTATE : 0);
  set_frame_stack(frame, t);
  frame->regs[GREG_CSGSFS] = USER_SEGMENTS;
  frame->fpstate = area;
  if (t->xstate_bytes) {
    save_xstate(area, t->xfeatures);
    zero_bytes(area + SW_RESERVED, LEGACY_BYTES - SW_RESERVED);
    *(struct sw_reserved *)(area + SW_RESERVED) =
      (struct sw_reserved){MAGIC1, t->xstate_bytes + sizeof(u32), t->xfeatures, t->xstate_bytes};
    U32(area, t->xstate_bytes) = MAGIC2;
  } else {
    __builtin_ia32_fxsave64((void *)area);
  }
  return frame;
}

/* Bytes of the extended state at `area` as its own description says, if that can fit in a frame. */
static u64 xstate_length(u64 area) {
  const struct sw_reserved *sw = (const struct sw_reserved *)(area + SW_RESERVED);
  if (sw->magic1 != MAGIC1) return LEGACY_BYTES;
  return sw->extended_bytes > FRAME_BYTES - OWN_FPSTATE || sw->extended_bytes < LEGACY_BYTES ? 0 : sw->extended_bytes;
}

long save_extended(u64 area, u64 to, u64 limit) {
  u64 n = xstate_length(area);
  if (n > limit) return -E2BIG;
  return copy_bytes(to, area, n) == n ? (long)n : -EFAULT;
}

/* Does the processor take it? What it refuses would be a fault of the stub's own on the way out. */
static int is_loadable(u64 legacy, u64 from, u64 area, u64 xfeatures) {
  const struct sw_reserved *sw = (const struct sw_reserved *)(legacy + SW_RESERVED);
  u32 mask = U32(area, MXCSR + 4);
  u64 header[8], reserved = 0;
  if (U32(legacy, MXCSR) & ~(mask ? mask : 0xffbf)) return 0;
  if (sw->magic1 != MAGIC1) return 1;
  if (copy_bytes((u64)header, from + XSTATE_HEADER, sizeof header) != sizeof header) return 0;
  for (int i = 1; i < 8; i++) reserved |= header[i];
  return !reserved && !(sw->xfeatures & ~xfeatures) && !(header[0] & ~sw->xfeatures);
}
long load_extended(struct thread *t, u64 area, u64 from, u64 limit) {
  u8 legacy[LEGACY_BYTES] __attribute__((aligned(16)));
  if (limit < LEGACY_BYTES || copy_bytes((u64)legacy, from, LEGACY_BYTES) != LEGACY_BYTES) return -EFAULT;
  u64 n = xstate_length((u64)legacy);
  if (n == 0 || n > limit || n > xstate_length(area) || !is_loadable((u64)legacy, from, area, t->xfeatures)) return -EINVAL;
  return copy_bytes(area, from, n) == n ? (long)n : -EFAULT;
}

/* As after execve: every component in its initial state. */
void clear_extended(u64 area) {
  u64 described = xstate_length(area) > LEGACY_BYTES;
  u32 mxcsr_mask = U32(area, MXCSR + 4);
  zero_bytes(area, 416);
  U32(area, 0) = 0x37f; // x87 control word
  U32(area, MXCSR) = 0x1f80;
  U32(area, MXCSR + 4) = mxcsr_mask;
  if (described) U64(area, XSTATE_HEADER) = 0; // XSTATE_BV
}

/* The host's frame, copied to where the stub makes its own; it leaves with the alternate stack of its new owner. */
struct ucontext *adopt_frame(struct thread *t, const struct ucontext *frame) {
  struct ucontext *own = own_frame(t);
  u64 area = (u64)own + OWN_FPSTATE;
  copy_bytes((u64)own, (u64)frame, sizeof *own);
  copy_bytes(area, frame->fpstate, xstate_length(frame->fpstate));
  own->fpstate = area;
  set_frame_stack(own, t);
  return own;
}
