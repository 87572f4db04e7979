/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bits of a domain with event channels of N levels, see public/event-nlevel.h: which of them stand for a
 * channel, and in what order they change.  Knows neither domains nor event channels; those are event-nlevel.c's.
 */
#ifndef XEN_EVENT_NLEVEL_TREE_H
#define XEN_EVENT_NLEVEL_TREE_H

#include <xen/types.h>
#include <public/event-nlevel.h>

/* Depth is what a domain has chosen; the rest follows from it, the width of its words and its pages. */
struct nlevel_tree {
    unsigned int depth;
    unsigned int word_shift;    /* a word has 1 << word_shift bits: 5 or 6 */
    unsigned int channels;
    uint32_t *pending[XEN_NLEVEL_PAGES_MAX];
    uint32_t *mask[XEN_NLEVEL_PAGES_MAX];
};

/*
 * A vCPU's: levels 1 to depth - 2, NULL before it has them or where there are none; and level depth - 1.  What says
 * whether it has them is read here, when it is time.
 */
struct nlevel_selectors {
    uint32_t *const *levels;
    uint32_t *last;
};

/* What a domain asks for: 0, -EDOM, -E2BIG or -EINVAL as the public header says. */
int nlevel_check(unsigned int depth, unsigned int word_shift, unsigned int pages);

/* Everything of @tree but its pages.  From depth 1 on. */
void nlevel_layout(struct nlevel_tree *tree, unsigned int depth, unsigned int word_shift, unsigned int pages);

/* Of levels 1 to depth - 2. */
unsigned int nlevel_selectors_octets(const struct nlevel_tree *tree);

/*
 * True: the vCPU has to be told.  @was_pending, unless NULL: so it was before, and nobody who polls has to be told
 * either. Channels are below tree->channels throughout.
 */
bool nlevel_set_pending(const struct nlevel_tree *tree, const struct nlevel_selectors *selectors, unsigned int channel,
                        bool *was_pending);

/* True: it was pending, and the vCPU has to be told. */
bool nlevel_unmask(const struct nlevel_tree *tree, const struct nlevel_selectors *selectors, unsigned int channel);

void nlevel_clear_pending(const struct nlevel_tree *tree, unsigned int channel);
bool nlevel_is_pending(const struct nlevel_tree *tree, unsigned int channel);
bool nlevel_is_masked(const struct nlevel_tree *tree, unsigned int channel);

/* Whether the vCPU will look at the channel's word. */
bool nlevel_is_selected(const struct nlevel_tree *tree, const struct nlevel_selectors *selectors,
                        unsigned int channel);

/* Has the vCPU look at all channels below @end; it has to be told. */
void nlevel_select_all(const struct nlevel_tree *tree, const struct nlevel_selectors *selectors, unsigned int end);

#endif /* XEN_EVENT_NLEVEL_TREE_H */
