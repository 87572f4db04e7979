/* SPDX-License-Identifier: GPL-2.0-only */
/* What bench/grant measures: three ways to keep a domain's grant mappings, behind the same four calls. */
#ifndef BENCH_GRANT_H
#define BENCH_GRANT_H

#include <stdint.h>

#define GRANT_THREADS 8         /* the most */
#define GRANT_FRAMES  1024      /* Xen's default limit, 256 mappings each */

struct grant_shape {
    const char *name;
    void (*open)(void);
    /* By thread, which stands for a vCPU of the mapping domain.  There is always room. */
    uint32_t (*map)(unsigned int thread, uint16_t domid, uint32_t ref);
    void (*unmap)(unsigned int thread, uint32_t handle);
    void (*close)(void);        /* all threads have ended */
};

extern const struct grant_shape grant_one_list;     /* one free list and one lock */
extern const struct grant_shape grant_vcpu_lists;   /* a free list and a lock for each vCPU, as Xen 4.17 has it */

#endif /* BENCH_GRANT_H */
