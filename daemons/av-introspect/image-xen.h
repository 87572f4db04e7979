/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where things are in the vcpu_guest_context of Xen's x86-64 ABI, which is for ever. Offsets in octets; a test has
 * Xen's own header beside it.
 */
#ifndef AV_IMAGE_XEN_H
#define AV_IMAGE_XEN_H

/*
 *    0  FPU            512  flags           520  user_regs (200): r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx
 *  720  trap table                               rsi rdi vectors rip cs rflags rsp ...
 * 4984  control registers, eight             5144  fs base, kernel's and user's gs base
 */
#define XEN_VCPU_BYTES      5168u
#define XEN_R12             544u        /* r13, r14, r15 are before it, eight octets each */
#define XEN_RBP             552u
#define XEN_RBX             560u
#define XEN_R8              592u        /* r9, r10, r11 are before it */
#define XEN_RAX             600u
#define XEN_RCX             608u
#define XEN_RDX             616u
#define XEN_RSI             624u
#define XEN_RDI             632u
#define XEN_RIP             648u
#define XEN_RFLAGS          664u
#define XEN_RSP             672u
#define XEN_CONTROL         4984u
#define XEN_FS_BASE         5144u
#define XEN_GS_BASE_KERNEL  5152u
#define XEN_GS_BASE_USER    5160u

#endif /* AV_IMAGE_XEN_H */
