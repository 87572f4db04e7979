/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * See xen/event-nlevel-tree.h.  All accesses are of variable depth; two, three and four levels are the same code.
 *
 * No lock: a channel's bits may be set, cleared and masked from everywhere at once, by the domain as well.  What holds
 * it together is that bits are set from the channel upwards and taken from the top downwards, and that who
 * finds a bit set leaves the rest of the way to who set it.
 */
#include <xen/errno.h>
#include <xen/event-nlevel-bits.h>
#include <xen/event-nlevel-tree.h>

int nlevel_check(unsigned int depth, unsigned int word_shift, unsigned int pages)
{
    if ( depth < XEN_NLEVEL_DEPTH_MIN || depth > XEN_NLEVEL_DEPTH_MAX )
        return -EDOM;
    if ( !pages )
        return -EINVAL;
    /* The first page is never too many: two levels leave the rest of it empty. */
    if ( pages > XEN_NLEVEL_PAGES_MAX ||
         (uint64_t)(pages - 1) * XEN_NLEVEL_CHANNELS_A_PAGE >= 1ull << (depth * word_shift) )
        return -E2BIG;

    return 0;
}

void nlevel_layout(struct nlevel_tree *tree, unsigned int depth, unsigned int word_shift, unsigned int pages)
{
    uint64_t numbered = 1ull << (depth * word_shift);

    tree->depth = depth;
    tree->word_shift = word_shift;
    tree->channels = pages * XEN_NLEVEL_CHANNELS_A_PAGE;
    if ( tree->channels > numbered )
        tree->channels = numbered;
}

/* 32-bit halves, or wholes, of a level's words. */
static unsigned int level_size(const struct nlevel_tree *tree, unsigned int level)
{
    unsigned int shift = (level + 1) * tree->word_shift;

    return (unsigned int)((tree->channels + (1ull << shift) - 1) >> shift) << (tree->word_shift - 5);
}

unsigned int nlevel_selectors_octets(const struct nlevel_tree *tree)
{
    unsigned int level, size = 0;

    for ( level = 1; level + 1 < tree->depth; level++ )
        size += level_size(tree, level);

    return size * sizeof(uint32_t);
}

static uint32_t *page_of(uint32_t *const *pages, unsigned int channel)
{
    return pages[nlevel_bounded(channel / XEN_NLEVEL_CHANNELS_A_PAGE, XEN_NLEVEL_PAGES_MAX)];
}

/* True: all bits of the way are set by us, so it is on us to tell. */
static bool select_word(const struct nlevel_tree *tree, const struct nlevel_selectors *selectors, unsigned int channel)
{
    /*
     * Pending /before/ a look whether there are selectors; pairs with nlevel_select_all(), which comes when there
     * are.
     */
    uint32_t *words = nlevel_load_pointer(selectors->levels);
    unsigned int level;

    for ( level = 1; level < tree->depth; level++ )
    {
        if ( level + 1 == tree->depth )
            words = selectors->last;
        else if ( !words )
            return false;
        if ( nlevel_test_and_set(words, channel >> (level * tree->word_shift)) )
            return false;
        words += level_size(tree, level);
    }

    return true;
}

bool nlevel_set_pending(const struct nlevel_tree *tree, const struct nlevel_selectors *selectors, unsigned int channel,
                        bool *was_pending)
{
    unsigned int bit = channel % XEN_NLEVEL_CHANNELS_A_PAGE;
    bool before = nlevel_test_and_set(page_of(tree->pending, channel), bit);

    if ( was_pending )
        *was_pending = before;
    /* Pending /before/ a look at mask: pairs with nlevel_unmask(), and with the domain's own unmasking. */
    if ( before || nlevel_test(page_of(tree->mask, channel), bit) )
        return false;

    return select_word(tree, selectors, channel);
}

bool nlevel_unmask(const struct nlevel_tree *tree, const struct nlevel_selectors *selectors, unsigned int channel)
{
    unsigned int bit = channel % XEN_NLEVEL_CHANNELS_A_PAGE;

    /* Mask /before/ a look at pending: pairs with nlevel_set_pending(). */
    return nlevel_test_and_clear(page_of(tree->mask, channel), bit) &&
           nlevel_test(page_of(tree->pending, channel), bit) && select_word(tree, selectors, channel);
}

void nlevel_clear_pending(const struct nlevel_tree *tree, unsigned int channel)
{
    nlevel_test_and_clear(page_of(tree->pending, channel), channel % XEN_NLEVEL_CHANNELS_A_PAGE);
}

bool nlevel_is_pending(const struct nlevel_tree *tree, unsigned int channel)
{
    return nlevel_test(page_of(tree->pending, channel), channel % XEN_NLEVEL_CHANNELS_A_PAGE);
}

bool nlevel_is_masked(const struct nlevel_tree *tree, unsigned int channel)
{
    return nlevel_test(page_of(tree->mask, channel), channel % XEN_NLEVEL_CHANNELS_A_PAGE);
}

bool nlevel_is_selected(const struct nlevel_tree *tree, const struct nlevel_selectors *selectors, unsigned int channel)
{
    const uint32_t *words = nlevel_load_pointer(selectors->levels);
    unsigned int level;

    for ( level = 1; level < tree->depth; level++ )
    {
        if ( level + 1 == tree->depth )
            words = selectors->last;
        else if ( !words )
            return false;
        if ( !nlevel_test(words, channel >> (level * tree->word_shift)) )
            return false;
        words += level_size(tree, level);
    }

    return true;
}

void nlevel_select_all(const struct nlevel_tree *tree, const struct nlevel_selectors *selectors, unsigned int end)
{
    uint32_t *words = nlevel_load_pointer(selectors->levels);
    unsigned int level;
    uint64_t first;

    /* No stop at a bit that is set: whoever sets one now may have seen an upper one that was about to be taken. */
    for ( level = 1; level < tree->depth; level++ )
    {
        if ( level + 1 == tree->depth )
            words = selectors->last;
        for ( first = 0; first < end; first += 1ull << (level * tree->word_shift) )
            nlevel_test_and_set(words, first >> (level * tree->word_shift));
        words += level_size(tree, level);
    }
}
