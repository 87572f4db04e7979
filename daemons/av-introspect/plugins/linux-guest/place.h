/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * place: where in its address space a 64-bit Linux kernel lies, from its page tables alone. It is somewhere in the 1
 * GiB from 0xffffffff80000000 on (address space layout randomisation chooses where, in steps of 2 MiB), its code is
 * what is executable and cannot be written there, and its constants are what can be neither.
 */
#ifndef AV_LINUX_GUEST_PLACE_H
#define AV_LINUX_GUEST_PLACE_H

#include "reader.h"

#define PLACE_FIRST      UINT64_C(0xffffffff80000000)
#define PLACE_LAST       UINT64_C(0xffffffffc0000000)

/* What is looked at from the kernel's start on: three times what a distribution's kernel has. */
#define PLACE_BYTES_MAX  (UINT64_C(128) << 20)

/* Of code, or of constants; those of Debian 12 have 14 and 9 MiB. Less than the least is no kernel. */
#define PLACE_PART_MAX   (UINT64_C(48) << 20)
#define PLACE_PART_LEAST (UINT64_C(1) << 20)

struct place {
    uint64_t text, text_end;            /* code; text is the kernel's _text */
    uint64_t rodata, rodata_end;        /* constants */
};

/* 0; -ENOENT: no kernel is mapped there; -EAGAIN: one is, and its constants can be written still, as they can until
 * it has booted; -ETIME. */
int place_find(const struct reader *reader, struct place *out);

/*
 * For an image whose registers nobody wrote down: looks through `frames` frames of physical memory for page tables
 * with a kernel. 0 and reader->cr3; -ENOENT; -ETIME.
 */
int place_search(struct reader *reader, uint64_t frames, struct place *out);

#endif /* AV_LINUX_GUEST_PLACE_H */
