/* SPDX-License-Identifier: GPL-2.0-only */
/* See estimate.h. */
#include "estimate.h"

void estimate_update(struct estimate *estimate, const struct memory_info *memory, uint32_t limit)
{
    uint64_t used = memory->pages - memory->pages_free;

    estimate->need = memory->pages_saved;
    estimate->percent = memory->pages ? (used + estimate->need) * 100 / memory->pages : 0;
    if ( estimate->percent >= limit )
        estimate->merging = false;
    else if ( estimate->percent + ESTIMATE_SLACK < limit || !estimate->need )
        estimate->merging = true;
}
