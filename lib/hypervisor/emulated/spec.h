/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * What --host=emulated:KEY=VALUE,... says: which domains there are and what their guests do.
 */
#ifndef HYPERVISOR_EMULATED_SPEC_H
#define HYPERVISOR_EMULATED_SPEC_H

#include <stddef.h>
#include <stdint.h>

enum emulated_load {
    EMULATED_LOAD_STORM,        /* finds a random page as it was left, and rewrites all of it */
    EMULATED_LOAD_RANDOM,       /* finds random pages as they were left */
    EMULATED_LOAD_SEQUENTIAL,   /* finds page after page as they were left */
    EMULATED_LOAD_IDLE,         /* nothing, once memory is filled */
};

struct emulated_spec {
    uint32_t domains;
    uint64_t memory;            /* of each, in pages */
    uint64_t host;              /* pages that there are; 0: as many as the domains have, and a quarter */
    uint64_t target;            /* memory/target-tot_pages of each, in pages; 0: none */
    uint32_t vcpus;             /* of each */
    enum emulated_load load;
    uint32_t rate;              /* touches a second of each domain */
    uint32_t working;           /* percent of its memory that are touched */
    uint32_t common;            /* percent of its pages that are the same in all domains */
    uint64_t seed;
    char run[4096];             /* where the guests report; "": nowhere */
};

/* 0, or -EINVAL and what is wrong in words for people. */
int emulated_spec_parse(const char *text, struct emulated_spec *out, char *wrong, size_t size);

#endif /* HYPERVISOR_EMULATED_SPEC_H */
