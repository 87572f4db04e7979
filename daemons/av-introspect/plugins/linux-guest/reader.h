/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * reader: reads of a guest kernel's memory by kernel-virtual address, during one call of the host. Everything that
 * comes out of it is the guest's word; who reads bounds what he does with it.
 */
#ifndef AV_LINUX_GUEST_READER_H
#define AV_LINUX_GUEST_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <av-introspect/plugin.h>

/* By value, made anew in each call: a call of the host's is valid only until it returns. */
struct reader {
    const struct av_host *host;
    struct av_call *call;
    uint64_t cr3;                       /* page tables that have the kernel's half */
};

/* Where the kernel's half of the address space begins, with page tables of four or five levels. */
#define KERNEL_HALF UINT64_C(0xff00000000000000)

static inline bool reader_is_kernel(uint64_t address)
{
    return address >= KERNEL_HALF;
}

/*
 * What is read in one step: with the page behind it, of which a step may need some octets, so many as a worker gets from
 * its broker at one crossing. A crossing costs more than its pages.
 */
#define READER_STEP (63u * AV_PAGE_SIZE)

/* All of it or an error: 0, -EFAULT (not mapped; or no address of a kernel), -ENXIO, -ETIME. On an error the rest is
 * zeroed. */
int reader_read(const struct reader *reader, uint64_t address, void *buffer, size_t length);
/*
 * All pages that can be read; the others are zeros, and absent[], which has one for each page that begins in `length`,
 * says which. address is a page's. 0 or -ETIME, after which nothing is known.
 */
int reader_read_pages(const struct reader *reader, uint64_t address, void *buffer, size_t length, bool *absent);
int reader_read_u32(const struct reader *reader, uint64_t address, uint32_t *out);
int reader_read_u64(const struct reader *reader, uint64_t address, uint64_t *out);

/* As av_host.translate(). */
int reader_translate(const struct reader *reader, uint64_t address, struct av_mapping *out);

#endif /* AV_LINUX_GUEST_READER_H */
