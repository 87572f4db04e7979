/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a domain's frames may be used for, as far as the broker has said so: a state each, which is an access right in the
 * hypervisor, set in batches. Whether a page is worth its state is for guard.c to know.
 *
 *              a fetch          clean
 *  UNSCANNED ----------> SCANNING ----------> SCANNED
 *      ^  ^-- written meanwhile --'              |
 *      '------- a write, inside Xen -------------'     (it says nothing: the next fetch tells)
 */
#ifndef AV_PAGES_H
#define AV_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include <hypervisor/hypervisor.h>

enum page_state {
    PAGE_FREE      = 0,           /* rwx: not restricted, because it is not there, or not yet, or no more */
    PAGE_UNSCANNED = 1,           /* rw: may be written, and not executed */
    PAGE_SCANNING  = 2,           /* r: is what was given to the scanner, until somebody wants to write */
    PAGE_SCANNED   = 3,           /* rx, and rw with the first write */
    PAGE_VOLATILE  = 4,           /* rwx: flips too often to be stopped each time */
};

struct pages;

/* 0, -ENOMEM, or what the hypervisor says of the domain. All frames are FREE. */
int  pages_open(struct pages **out, struct hypervisor *hv, uint16_t domid);
void pages_close(struct pages *pages);

enum page_state pages_get(const struct pages *pages, uint64_t gfn);

/*
 * The frame's state from the next commit on. What waits is committed when there is no room for more. A frame that was
 * never heard of is fine. 0 or -errno, -ENOMEM among them.
 */
int  pages_set(struct pages *pages, uint64_t gfn, enum page_state state);
/*
 * Tells the hypervisor. Before the answers to vCPUs that wait for it, and before a page's octets are looked at that must
 * not change. 0; -errno: the first of those that were refused.
 */
int  pages_commit(struct pages *pages);

/*
 * Restricts frames that have memory and are FREE, up to so many frames of the address space further, and begins again
 * after the last one. 1: this was the end of a round; 0; -errno.
 */
int  pages_sweep(struct pages *pages, uint64_t frames);
/*
 * What the domain is given from now on can be written, and not executed: it need not be swept. -errno: this hypervisor has
 * no such thing, and the sweep finds what came.
 */
int  pages_restrict_new(struct pages *pages);
/* How far the round is, in permille. */
unsigned int pages_progress(const struct pages *pages);

/* What is SCANNED becomes UNSCANNED. Committed; 0 or -errno. */
int  pages_unscan(struct pages *pages);

/* Gives all of the domain's memory back to its guest, whoever restricted it. 0; -errno of what failed last. */
int  pages_release(struct pages *pages);

/* Counts one more execution of a page that was written; returns how many there were within this second. */
unsigned int pages_flip(struct pages *pages, uint64_t gfn, uint64_t second);

struct pages_statistics {
    uint64_t frames;              /* of the address space */
    uint64_t restricted;          /* not FREE */
    uint64_t scanned;             /* SCANNED, or written since */
    uint64_t is_volatile;
    uint64_t operations;          /* told to the hypervisor */
};
void pages_get_statistics(const struct pages *pages, struct pages_statistics *out);

#endif /* AV_PAGES_H */
