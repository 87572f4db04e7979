/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where frames of a guest come from: an image's file, or the broker behind shared memory. Who reads does not know which.
 */
#ifndef AV_MEMORY_H
#define AV_MEMORY_H

#include <stdint.h>

#include <av-introspect/plugin.h>

/* Frames that are expected at a time: those of one crossing between worker and broker. */
#define MEMORY_EXPECTED 64u

struct memory {
    void *opaque;
    /* One frame of AV_PAGE_SIZE octets. 0; -ENXIO: there is none; -ETIME: too late; another -errno. */
    int (*read)(void *opaque, uint64_t gfn, void *page);
    /* Frame numbers are below this. */
    uint64_t frames;
    /* What is read next: so many frames, in this order, each below `frames`. May be NULL: each comes by itself. */
    void (*expect)(void *opaque, const uint64_t *gfns, uint32_t count);
};

#endif /* AV_MEMORY_H */
