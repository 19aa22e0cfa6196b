// The stub's entries and exits, its system-call instructions, and the copies that may fault. See stub.c.
//
// %gs holds the address of the thread's channel slot. The trap path doesn't use it; the patched path does.
// Only instructions in this file make host calls; native/filter.c says which and why reaching them gains a guest nothing.
#include "abi.h"
#include <asm/unistd.h>

#define SLOT_REG(r) %gs:(CH_REGS + 8 * GREG_##r)

.text

// ---- birth: the launcher jumps here on the stub's first stack, %rdi = struct boot ----
.globl stub_start
stub_start:
  xor   %ebp, %ebp
  call  stub_main
  ud2

// ---- host calls ----
// long host_call(nr, a0, a1, a2, a3, a4, a5)
.globl host_call
host_call:
  mov   %rdi, %rax
  mov   %rsi, %rdi
  mov   %rdx, %rsi
  mov   %rcx, %rdx
  mov   %r8, %r10
  mov   %r9, %r8
  mov   8(%rsp), %r9
.globl host_call_instruction
host_call_instruction:
  syscall
  ret

// long host_thread(flags, stack, struct thread *): the new thread runs thread_main on its own stack and doesn't come back.
.globl host_thread
host_thread:
  mov   %rdx, %r9
  xor   %edx, %edx
  xor   %r10d, %r10d
  xor   %r8d, %r8d
  mov   $__NR_clone, %eax
  syscall
  test  %rax, %rax
  jz    1f
  ret
1: xor  %ebp, %ebp
  mov   %r9, %rdi
  call  thread_main
  ud2

// ---- signals ----
.globl restorer
restorer:
  mov   $__NR_rt_sigreturn, %eax
  syscall

// void leave_frame(struct ucontext *, struct thread *): goes on in the guest as a frame of the stub's own says. Interrupts aren't masked
// there: one that came before becomes an event first; one between the look and the call starts leave_frame over (on_interrupt).
.globl leave_frame, leave_frame_end
leave_frame:
  mov   %rsi, %rsp              // the stub's stack is empty from here on
  mov   (%rsi), %rax            // thread->channel
  cmpl  $0, CH_PENDINT(%rax)
  jne   1f
  mov   %rdi, %rsp
  mov   $__NR_rt_sigreturn, %eax
  syscall
leave_frame_end:
1: call on_late_frame
  ud2

// ---- the patched path ----
// A trampoline jumps here: %rcx = trampoline, %r11 free, all else the guest's, %rsp too. Its stack (red zone) isn't touched.
.globl patched_entry
patched_entry:
  mov   %rsp, SLOT_REG(RSP)
  mov   %gs:CH_STACK, %rsp
  pushfq
  popq  SLOT_REG(EFL)
  pushq $2                      // clear direction, alignment-check and nested-task flags: the stub is C
  popfq
  mov   %rax, SLOT_REG(RAX)
  mov   %rdi, SLOT_REG(RDI)
  mov   %rsi, SLOT_REG(RSI)
  mov   %rdx, SLOT_REG(RDX)
  mov   %r10, SLOT_REG(R10)
  mov   %r8, SLOT_REG(R8)
  mov   %r9, SLOT_REG(R9)
  mov   %rbx, SLOT_REG(RBX)
  mov   %rbp, SLOT_REG(RBP)
  mov   %r12, SLOT_REG(R12)
  mov   %r13, SLOT_REG(R13)
  mov   %r14, SLOT_REG(R14)
  mov   %r15, SLOT_REG(R15)
  mov   %rsp, %rdi              // CH_STACK is the thread record's address
  mov   %rcx, %rsi
  xor   %ebp, %ebp
  call  on_patched

// The way out. From patched_exit to patched_exit_end only the channel is read, so an interrupt there starts it over.
.globl patched_exit, patched_exit_end
patched_exit:
  mov   %gs:CH_STACK, %rsp
  cmpl  $0, %gs:CH_PENDINT
  jne   1f
  pushq SLOT_REG(EFL)
  popfq
  mov   SLOT_REG(RAX), %rax
  mov   SLOT_REG(RDI), %rdi
  mov   SLOT_REG(RSI), %rsi
  mov   SLOT_REG(RDX), %rdx
  mov   SLOT_REG(R10), %r10
  mov   SLOT_REG(R8), %r8
  mov   SLOT_REG(R9), %r9
  mov   SLOT_REG(RBX), %rbx
  mov   SLOT_REG(RBP), %rbp
  mov   SLOT_REG(R12), %r12
  mov   SLOT_REG(R13), %r13
  mov   SLOT_REG(R14), %r14
  mov   SLOT_REG(R15), %r15
  mov   SLOT_REG(RCX), %rcx
  mov   SLOT_REG(R11), %r11
  mov   SLOT_REG(RSP), %rsp
  jmp   *SLOT_REG(RIP)
patched_exit_end:
1: mov  %rsp, %rdi
  call  on_late_interrupt
  jmp   patched_exit

// ---- copies that may fault; on_fault in stub.c continues at the *_fault label ----
// long copy_bytes(to, from, n) → bytes copied
.globl copy_bytes, copy_bytes_at, copy_bytes_fault
copy_bytes:
  mov   %rdx, %rcx
copy_bytes_at:
  rep movsb
copy_bytes_fault:
  mov   %rdx, %rax
  sub   %rcx, %rax
  ret

// long zero_bytes(to, n) → bytes zeroed
.globl zero_bytes, zero_bytes_at, zero_bytes_fault
zero_bytes:
  mov   %rsi, %rcx
  xor   %eax, %eax
zero_bytes_at:
  rep stosb
zero_bytes_fault:
  mov   %rsi, %rax
  sub   %rcx, %rax
  ret

// long copy_string(to, from, max) → bytes copied, the NUL too
.globl copy_string, copy_string_at, copy_string_fault
copy_string:
  xor   %eax, %eax
1: cmp  %rdx, %rax
  je    copy_string_fault
copy_string_at:
  movzbl (%rsi,%rax), %ecx
  movb  %cl, (%rdi,%rax)
  inc   %rax
  test  %cl, %cl
  jne   1b
copy_string_fault:
  ret

// long cas_word(address, expected, new) → the value found, or -1
.globl cas_word, cas_word_at, cas_word_fault
cas_word:
  mov   %esi, %eax
cas_word_at:
  lock cmpxchg %edx, (%rdi)
  ret
cas_word_fault:
  or    $-1, %rax
  ret

// void save_xstate(area, mask); long load_xstate(area, mask) → 0, or -1 when the processor refuses the area
.globl save_xstate
save_xstate:
  mov   %esi, %eax
  mov   %rsi, %rdx
  shr   $32, %rdx
  xsave64 (%rdi)
  ret
.globl load_xstate, load_xstate_at, load_xstate_fault
load_xstate:
  mov   %esi, %eax
  mov   %rsi, %rdx
  shr   $32, %rdx
load_xstate_at:
  xrstor64 (%rdi)
  xor   %eax, %eax
  ret
load_xstate_fault:
  or    $-1, %rax
  ret

.section .note.GNU-stack, "", @progbits
