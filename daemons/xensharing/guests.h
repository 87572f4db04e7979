/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The domains of the host: which group each is in, whether it can share, and how it joins, leaves and dies.
 */
#ifndef XENSHARING_GUESTS_H
#define XENSHARING_GUESTS_H

#include "sharer.h"

/* Below /local/domain/N.  A guest cannot write there. */
#define GUESTS_GROUP_KEY   "memory/sharing-group"
#define GUESTS_WITHIN_KEY  "memory/sharing-within"

/* As long as xl takes a name, and longer ones are cut. */
#define GUESTS_NAME_BYTES  256U

enum guest_phase {
    GUEST_ALONE,                  /* shares nothing: no group, or a refusal */
    GUEST_MEMBER,
    GUEST_LEAVING,                /* gets its own pages again */
};

struct guest {
    struct sharer *sharer;
    struct guest *next;
    uint16_t domid;
    bool dying;
    char name[GUESTS_NAME_BYTES];
    bool is_named;                /* in xenstore; otherwise the name is of our own making */
    char uuid[37];
    struct domain_info info;

    enum guest_phase phase;
    uint16_t group;               /* what is wanted; GROUPS_NONE: none */
    bool by_xenstore;
    bool within;
    uint16_t in_group;            /* what it is in, as MEMBER and LEAVING */
    bool in_within;
    const char *refusal;          /* why not; NULL */
    bool refused;                 /* and it was tried: not again before something changes */

    uint64_t ticket;              /* of its membership: answers with another one come too late */
    uint64_t frames;              /* one more than the highest frame number */
    uint64_t next_frame;          /* of the pass, or of leaving */
    uint8_t *chunks;              /* two bits each: CHUNK_* of pass.c */
    uint64_t chunks_size;         /* octets */
    uint64_t there;               /* frames with memory, as Xen counts them */
    uint64_t found;               /* of these, those in chunks that were looked at */
    uint64_t scanned;             /* frames looked at so far */
    uint64_t unmerged;            /* given back by us */
    bool short_of_memory;         /* leaving waits for some */
};

/* xenstore's watches, and the domains there are now. */
int  guests_open(struct sharer *s);
/* Forgets all of them; what they share stays shared. */
void guests_close(struct sharer *s);
void guests_take_watches(struct sharer *s);
/* Domains came or went. */
void guests_look(struct sharer *s);
/* Once a second: goes on with those that leave. */
void guests_settle(struct sharer *s);

struct guest *guests_find(const struct sharer *s, uint16_t domid, uint64_t ticket);
/* Everybody leaves; sharer.c stops when guests_left() says 0. */
void guests_leave_all(struct sharer *s);
unsigned int guests_left(const struct sharer *s);

/* It has frames of higher numbers now, as when the tool stack goes on building it.  0, or -errno and it has not. */
int  guest_grow(struct guest *g, uint64_t frames);

#endif
