/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The threads that look at guests' pages: a chunk of one domain's frames is asked about, mapped, digested and let go
 * of, and what was found comes back to the thread that asked.  What it means is decide.h's.
 *
 * Nothing is mapped any more when a chunk comes back: what is mapped cannot be nominated.
 */
#ifndef XENSHARING_SCAN_H
#define XENSHARING_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include <hypervisor/hypervisor.h>

#include "digest.h"

/* Frames at a time: 2 MiB.  Many enough that their mapping costs little each, few enough to keep the pace exactly. */
#define SCAN_FRAMES  512U

struct scan;

struct scan_chunk {
    /* The question. */
    uint64_t ticket;              /* the asker's */
    uint16_t domid;
    uint16_t count;               /* at most SCAN_FRAMES */
    uint64_t first;               /* frame */
    uint16_t wanted;              /* of these, in ascending order: */
    uint64_t gfns[SCAN_FRAMES];   /* to be digested, if they are there */

    /* The answer. */
    int      rc;                  /* -errno: nothing else is valid, as when the domain died meanwhile */
    uint16_t populated;           /* of count, frames with memory */
    uint16_t hashed;
    uint64_t digests[SCAN_FRAMES]; /* of wanted; DIGEST_NEVER: not there, or not to be reached */

    struct scan_chunk *next;
};

/* threads: at least 1.  0, -ENOMEM, -EAGAIN.  The threads inherit the signals that are blocked now. */
int  scan_open(struct scan **out, struct hypervisor *hv, const struct digest *digest, unsigned int threads);
/* Waits for what the threads are doing; chunks that were asked and not taken are freed.  NULL is accepted. */
void scan_close(struct scan *scan);

/* Readable while answers wait. */
int  scan_fd(const struct scan *scan);

/* A chunk to fill in, zeroed but for its arrays; NULL: no memory.  Chunks are kept and used again. */
struct scan_chunk *scan_new(struct scan *scan);
void scan_ask(struct scan *scan, struct scan_chunk *chunk);
/* An answer, or NULL: none waits.  Goes back by scan_put(). */
struct scan_chunk *scan_take(struct scan *scan);
void scan_put(struct scan *scan, struct scan_chunk *chunk);

/* Asked and not taken. */
unsigned int scan_outstanding(const struct scan *scan);

/* Calls that mapped something, so far. */
uint64_t scan_mapped(const struct scan *scan);

#endif
