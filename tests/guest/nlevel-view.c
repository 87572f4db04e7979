/* SPDX-License-Identifier: GPL-2.0-only */
/* See nlevel-view.h.  Registering, and telling other vCPUs, is the caller's. */
#include "nlevel-view.h"

#include <stddef.h>

#include <xen/event-nlevel-bits.h>

struct taking {
    const struct nlevel_view *view;
    const struct nlevel_view_vcpu *vcpu;
    void (*take)(void *arg, unsigned int channel);
    void *arg;
    unsigned int taken;
};

/* Words of a level: one for each W to the power of level + 1 channels, or part of them. */
static uint64_t level_words(const struct nlevel_view *view, unsigned int level)
{
    uint64_t a_word = 1ull << (view->word_shift * (level + 1));

    return (view->channels + a_word - 1) / a_word;
}

static uint32_t *level_start(const struct nlevel_view *view, const struct nlevel_view_vcpu *vcpu, unsigned int level)
{
    uint32_t *at = vcpu->levels;
    unsigned int i;

    if ( level == view->depth - 1 )
        return vcpu->last;
    for ( i = 1; i < level; i++ )
        at += level_words(view, i) << (view->word_shift - 5);

    return at;
}

static void take_channels(struct taking *taking, uint64_t word)
{
    const struct nlevel_view *view = taking->view;
    uint64_t bits = nlevel_load_word(view->pending, word, view->word_shift) &
                    ~nlevel_load_word(view->mask, word, view->word_shift);

    for ( ; bits; bits &= bits - 1 )
    {
        unsigned int channel = (word << view->word_shift) + __builtin_ctzll(bits);

        /* Cleared /before/ it is looked after: what comes meanwhile is another event. */
        if ( !nlevel_test_and_clear(view->pending, channel) )
            continue;
        taking->taken++;
        taking->take(taking->arg, channel);
    }
}

static void take_below(struct taking *taking, unsigned int level, uint64_t word)
{
    const struct nlevel_view *view = taking->view;
    uint64_t bits;

    if ( word >= level_words(view, level) )
        return;
    if ( !level )
    {
        take_channels(taking, word);
        return;
    }
    bits = nlevel_take_word(level_start(view, taking->vcpu, level), word, view->word_shift);
    for ( ; bits; bits &= bits - 1 )
        take_below(taking, level - 1, (word << view->word_shift) + __builtin_ctzll(bits));
}

unsigned int nlevel_view_take(const struct nlevel_view *view, const struct nlevel_view_vcpu *vcpu,
                              void (*take)(void *arg, unsigned int channel), void *arg)
{
    struct taking taking = { .view = view, .vcpu = vcpu, .take = take, .arg = arg };

    take_below(&taking, view->depth - 1, 0);

    return taking.taken;
}

void nlevel_view_mask(const struct nlevel_view *view, unsigned int channel)
{
    nlevel_test_and_set(view->mask, channel);
}

bool nlevel_view_unmask(const struct nlevel_view *view, const struct nlevel_view_vcpu *vcpu, unsigned int channel)
{
    unsigned int level;

    nlevel_test_and_clear(view->mask, channel);
    if ( !nlevel_test(view->pending, channel) )
        return false;
    for ( level = 1; level < view->depth; level++ )
        if ( nlevel_test_and_set(level_start(view, vcpu, level), channel >> (level * view->word_shift)) )
            break;

    return true;
}
