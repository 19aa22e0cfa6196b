// What the launcher hands to the stub in a new guest process: written once at BOOT_ADDRESS on the stub's first stack,
// read once by stub_main before the filter stands and before any guest code runs.
#pragma once
#include "abi.h"

// A thread's stack region, STACK_BYTES from STACK_BASE + slot × STACK_BYTES:
//   0       a signal frame the stub makes itself where the host made none (FRAME_BYTES)
//   0x4000  the stack, growing down from the thread record
//   end     struct thread (THREAD_BYTES)
#define FRAME_BYTES 0x4000
#define THREAD_BYTES 0x100
#define BOOT_ADDRESS (STACK_BASE + FRAME_BYTES)

#define STACKS_BYTES (THREADS_MAX * STACK_BYTES)
#define CHANNELS_BYTES (THREADS_MAX * SLOT_BYTES)
#define CHANNELS_END (CHANNEL_BASE + CHANNELS_BYTES)

struct boot {
  unsigned long text_end;        // end of the stub's text: the only place that may make host calls
  unsigned long image_end;       // end of the stub's constants
  unsigned long xfeatures;       // what the host saves in a signal frame, from a frame of the launcher's own
  unsigned xstate_bytes;         // … and how long that is; 0 without XSAVE
  unsigned short filter_length;  // struct sock_fprog: instructions in `filter`
  unsigned long filter_address;
  unsigned long filter[];        // the guests' seccomp filter, struct sock_filter
};
