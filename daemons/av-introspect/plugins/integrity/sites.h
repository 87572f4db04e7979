/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sites: where a Linux kernel changes its own code while it runs, and what it may write there. Jump labels and static
 * calls are in tables that the kernel keeps; a function that can be traced begins with five octets that do nothing.
 * (Alternatives and paravirtual calls are done with before its code is made read-only.) What lies at a site is left
 * out of hashes, and looked at by itself: a site of a jump label holds nothing or a jump to its one target, and so
 * on.
 */
#ifndef AV_INTEGRITY_SITES_H
#define AV_INTEGRITY_SITES_H

#include <linux-guest/kernel.h>

/* The longest site, and so how far one that begins in a piece may reach beyond it. */
#define SITES_BYTES  6u

/* Twice what a kernel with a hundred thousand symbols has. */
#define SITES_MAX    (1u << 19)

enum site_kind {
    SITE_JUMP,                          /* of a jump label */
    SITE_CALL,                          /* a static call, or the trampoline of one */
    SITE_FUNCTION,                      /* a function's begin */
    SITE_DISPATCHER,                    /* the same, and BPF may put a jump there */
};

struct site {
    uint32_t offset;                    /* in the code */
    uint8_t  kind, length;
    int32_t  target;                    /* SITE_JUMP: offset of where it goes */
};

struct sites;

/* What was found at a site. */
enum site_state { SITE_GOOD, SITE_TRACED, SITE_WRONG };

/* text is all of the kernel's code, as it is at kernel->place.text; its constants are in kernel->rodata. 0 or
 * -ENOMEM. */
int  sites_find(struct sites **out, const struct kernel *kernel, const uint8_t *text, size_t length);
void sites_free(struct sites *sites);
uint32_t sites_count(const struct sites *sites);

/*
 * bytes: `length` of the code's, from `offset` on, and behind them `beyond` more (at most SITES_BYTES). Calls `each`,
 * which may be NULL, for each site that begins in them and is not SITE_GOOD, then makes zeros of all that lies in a
 * site.
 */
void sites_mask(const struct sites *sites, uint8_t *bytes, size_t offset, size_t length, size_t beyond,
                void (*each)(void *arg, const struct site *site, enum site_state state), void *arg);

/* Where the jump or call leads that is at a site, which is at `address` now; 0: neither is there. */
uint64_t sites_read_lead(const struct site *site, uint64_t address, const struct reader *reader);

#endif /* AV_INTEGRITY_SITES_H */
