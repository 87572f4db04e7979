/* SPDX-License-Identifier: GPL-2.0-only */
/* See fifo-view.h.  Xen links at the tail of a queue; the vCPU unlinks at its head, and nobody else does either. */
#include "fifo-view.h"

#include <stddef.h>

#define PENDING     (1u << 31)
#define MASKED      (1u << 30)
#define LINKED      (1u << 29)
#define BUSY        (1u << 28)
#define LINK_MASK   ((1u << 17) - 1)

static uint32_t *word_of(const struct fifo_view *view, unsigned int channel)
{
    return &view->words[channel];
}

/* Takes the channel off its queue; what came behind it, or 0. */
static uint32_t unlink(uint32_t *word)
{
    uint32_t old = __atomic_load_n(word, __ATOMIC_RELAXED);

    while ( !__atomic_compare_exchange_n(word, &old, old & ~(LINKED | LINK_MASK), false, __ATOMIC_SEQ_CST,
                                         __ATOMIC_RELAXED) )
        ;

    return old & LINK_MASK;
}

/* The first of queue @q; true if there may be more on it. */
static bool take_first(const struct fifo_view *view, struct fifo_view_vcpu *vcpu, unsigned int q,
                       void (*take)(void *arg, unsigned int channel), void *arg, unsigned int *taken)
{
    uint32_t channel = vcpu->next[q], *word;

    if ( !channel )
        channel = __atomic_load_n(&vcpu->heads[q], __ATOMIC_ACQUIRE);
    if ( !channel || channel >= view->channels )
        return false;

    word = word_of(view, channel);
    vcpu->next[q] = unlink(word);
    /* Unlinked /before/ its bits are looked at: an event from now on links it anew. */
    if ( (__atomic_load_n(word, __ATOMIC_SEQ_CST) & (PENDING | MASKED)) == PENDING )
    {
        __atomic_and_fetch(word, ~PENDING, __ATOMIC_SEQ_CST);
        ++*taken;
        take(arg, channel);
    }

    return vcpu->next[q];
}

unsigned int fifo_view_take(const struct fifo_view *view, struct fifo_view_vcpu *vcpu,
                            void (*take)(void *arg, unsigned int channel), void *arg)
{
    uint32_t ready = __atomic_exchange_n(vcpu->ready, 0, __ATOMIC_SEQ_CST);
    unsigned int taken = 0, q;

    while ( ready )
    {
        q = __builtin_ctz(ready);
        if ( !take_first(view, vcpu, q, take, arg, &taken) )
            ready &= ~(1u << q);
        /* What came meanwhile may be of a higher priority. */
        ready |= __atomic_exchange_n(vcpu->ready, 0, __ATOMIC_SEQ_CST);
    }

    return taken;
}

void fifo_view_mask(const struct fifo_view *view, unsigned int channel)
{
    __atomic_or_fetch(word_of(view, channel), MASKED, __ATOMIC_SEQ_CST);
}

bool fifo_view_unmask(const struct fifo_view *view, unsigned int channel)
{
    uint32_t *word = word_of(view, channel), old = __atomic_load_n(word, __ATOMIC_RELAXED);

    do {
        if ( !(old & MASKED) )
            return true;
        if ( old & PENDING )
            return false;
        /* While Xen changes the link it counts on the mask to stay. */
        old &= ~BUSY;
    } while ( !__atomic_compare_exchange_n(word, &old, old & ~MASKED, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED) );

    return true;
}

void fifo_view_clear(const struct fifo_view *view, unsigned int channel)
{
    __atomic_and_fetch(word_of(view, channel), ~PENDING, __ATOMIC_SEQ_CST);
}

bool fifo_view_is_pending(const struct fifo_view *view, unsigned int channel)
{
    return __atomic_load_n(word_of(view, channel), __ATOMIC_RELAXED) & PENDING;
}
