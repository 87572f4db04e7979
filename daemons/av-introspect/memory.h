/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where frames of a guest come from: an image's file, or the broker behind shared memory. Who reads does not know which.
 */
#ifndef AV_MEMORY_H
#define AV_MEMORY_H

#include <stdint.h>

#include <av-introspect/plugin.h>

struct memory {
    void *opaque;
    /* One frame of AV_PAGE_SIZE octets. 0; -ENXIO: there is none; -ETIME: too late; another -errno. */
    int (*read)(void *opaque, uint64_t gfn, void *page);
    /* Frame numbers are below this. */
    uint64_t frames;
};

#endif /* AV_MEMORY_H */
