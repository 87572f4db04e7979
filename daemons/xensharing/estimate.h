/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What sharing may cost some day: the memory that would be wanted if guests wrote to everything that they share, and
 * whether more of that may be promised.
 */
#ifndef XENSHARING_ESTIMATE_H
#define XENSHARING_ESTIMATE_H

#include <stdbool.h>
#include <stdint.h>

#include <hypervisor/hypervisor.h>

struct estimate {
    uint64_t need;                /* frames that would be wanted at once */
    uint64_t percent;             /* (used + need) of the host's memory */
    bool merging;                 /* no more is promised while this is false */
};

/*
 * limit: percent of the host's memory at which merging stops.  It goes on again below ESTIMATE_SLACK percent points less,
 * so that it does not change with every page.
 */
#define ESTIMATE_SLACK 2U
void estimate_update(struct estimate *estimate, const struct memory_info *memory, uint32_t limit);

#endif
