/* SPDX-License-Identifier: GPL-2.0-only */
/* The guest's side of FIFO once more, with each of its atomics a point at which another thread of a model may go on. */
#include "tests/hypervisor-patches/interleave.h"

/* Only what it uses, as it uses it: no result of the first two. */
#define __atomic_and_fetch(word, keep, order) ((void)interleave_change(word, keep, 0))
#define __atomic_or_fetch(word, set, order) ((void)interleave_change(word, ~0u, set))
#define __atomic_exchange_n(word, value, order) interleave_change(word, 0, value)
#define __atomic_load_n(word, order) interleave_load(word)
#define __atomic_compare_exchange_n(word, old, new, weak, order, otherwise) \
    ({ \
        uint32_t expected_ = *(old); \
        *(old) = interleave_swap(word, expected_, new); \
        *(old) == expected_; \
    })

#include "tests/guest/fifo-view.c"
