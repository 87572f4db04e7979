/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which ports of a domain are taken, so that the lowest free one is found in a few memory accesses however many
 * there are.  A port is a bit here; what a port is bound to stays in struct evtchn.  No locks: the
 * caller holds the domain's event_lock for writing, or is alone with the set.
 */
#ifndef XEN_EVENT_PORTS_H
#define XEN_EVENT_PORTS_H

#include <xen/types.h>

/* A leaf is what one word can summarize: 4096 ports where a long has 64 bits.  Most domains need one. */
#define PORT_LEAF_WORDS BITS_PER_LONG
#define PORT_LEAF_PORTS (PORT_LEAF_WORDS * BITS_PER_LONG)

struct port_leaf {
    unsigned long full;                     /* a bit for each word of taken[] that has no port left */
    unsigned long taken[PORT_LEAF_WORDS];
};

struct port_set {
    unsigned int limit;                     /* ports are below it */
    unsigned int nr_leaves;
    unsigned long *full;                    /* a bit for each leaf that has no port left */
    struct port_leaf **leaves;              /* NULL: all of its ports are free */
};

/* An empty set of ports below limit, which is not 0.  -ENOMEM leaves a set that port_set_destroy() takes. */
int port_set_init(struct port_set *set, unsigned int limit);
void port_set_destroy(struct port_set *set);

/*
 * Takes a port; one that is taken stays so.  -ENOMEM: nothing has changed.  -ENOSPC: the port is not below the
 * limit.
 */
int port_set_take(struct port_set *set, unsigned int port);

/* Gives a port back; one that is free, or not below the limit, stays as it is. */
void port_set_give(struct port_set *set, unsigned int port);

/* The lowest free port that is not below from, or the limit if there is none. */
unsigned int port_set_next_free(const struct port_set *set, unsigned int from);

#endif /* XEN_EVENT_PORTS_H */
