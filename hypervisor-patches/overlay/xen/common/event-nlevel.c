/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Event channels of N levels: a domain's pages, mapped from EVTCHNOP_nlevel_init to its reset or end, and the port
 * operations that event_channel.c calls.  What happens to the bits is event-nlevel-tree.c's; the ABI is in
 * public/event-nlevel.h.
 *
 * The domain's event_lock protects that it has N levels and which vCPUs have selectors.  Port operations run under a
 * channel's lock only: they may read both, since a change back comes after the last channel was closed.
 */
#include <xen/domain_page.h>
#include <xen/errno.h>
#include <xen/event.h>
#include <xen/event-nlevel.h>
#include <xen/event-nlevel-tree.h>
#include <xen/lib.h>
#include <xen/mm.h>
#include <xen/sched.h>

struct evtchn_nlevel_domain {
    struct nlevel_tree tree;
};

static unsigned int word_shift(const struct domain *d)
{
    return BITS_PER_EVTCHN_WORD(d) == 64 ? 6 : 5;
}

static const struct nlevel_tree *tree_of(const struct domain *d)
{
    /* Pairs with evtchn_nlevel_init(), which sets the operations last. */
    smp_rmb();

    return &d->evtchn_nlevel->tree;
}

static struct nlevel_selectors selectors_of(struct vcpu *v)
{
    return (struct nlevel_selectors){
        .levels = &v->evtchn_nlevel,
        .last = (uint32_t *)&vcpu_info(v, evtchn_pending_sel),
    };
}

unsigned int evtchn_nlevel_channels(const struct domain *d)
{
    return d->evtchn_nlevel->tree.channels;
}

static void cf_check evtchn_nlevel_set_pending(struct vcpu *v, struct evtchn *evtchn)
{
    struct nlevel_selectors selectors = selectors_of(v);
    bool was_pending;

    if ( nlevel_set_pending(tree_of(v->domain), &selectors, evtchn->port, &was_pending) )
        vcpu_mark_events_pending(v);
    if ( !was_pending )
        evtchn_check_pollers(v->domain, evtchn->port);
}

static void cf_check evtchn_nlevel_clear_pending(struct domain *d, struct evtchn *evtchn)
{
    nlevel_clear_pending(tree_of(d), evtchn->port);
}

static void cf_check evtchn_nlevel_unmask(struct domain *d, struct evtchn *evtchn)
{
    struct vcpu *v = d->vcpu[evtchn->notify_vcpu_id];
    struct nlevel_selectors selectors = selectors_of(v);

    if ( nlevel_unmask(tree_of(d), &selectors, evtchn->port) )
        vcpu_mark_events_pending(v);
}

static bool cf_check evtchn_nlevel_is_pending(const struct domain *d, const struct evtchn *evtchn)
{
    return nlevel_is_pending(tree_of(d), evtchn->port);
}

static bool cf_check evtchn_nlevel_is_masked(const struct domain *d, const struct evtchn *evtchn)
{
    return nlevel_is_masked(tree_of(d), evtchn->port);
}

static void cf_check evtchn_nlevel_state_text(struct domain *d, const struct evtchn *evtchn, char *text, size_t size)
{
    struct nlevel_selectors selectors = selectors_of(d->vcpu[evtchn->notify_vcpu_id]);

    snprintf(text, size, "%d", nlevel_is_selected(tree_of(d), &selectors, evtchn->port));
}

static const struct evtchn_port_ops evtchn_port_ops_nlevel = {
    .set_pending   = evtchn_nlevel_set_pending,
    .clear_pending = evtchn_nlevel_clear_pending,
    .unmask        = evtchn_nlevel_unmask,
    .is_pending    = evtchn_nlevel_is_pending,
    .is_masked     = evtchn_nlevel_is_masked,
    .state_text    = evtchn_nlevel_state_text,
};

static void unmap_all(struct nlevel_tree *tree)
{
    unsigned int i;

    for ( i = 0; i < XEN_NLEVEL_PAGES_MAX; i++ )
    {
        evtchn_unmap_guest_page(tree->pending[i]);
        evtchn_unmap_guest_page(tree->mask[i]);
    }
}

static int map_all(struct domain *d, struct nlevel_tree *tree, const struct xen_nlevel_init *init)
{
    unsigned int i;
    void *page;
    int rc = 0;

    for ( i = 0; i < init->pages; i++ )
    {
        rc = evtchn_map_guest_page(d, init->pending_gfn[i], &page);
        if ( rc )
            break;
        tree->pending[i] = page;
        rc = evtchn_map_guest_page(d, init->mask_gfn[i], &page);
        if ( rc )
            break;
        tree->mask[i] = page;
    }

    return rc;
}

int evtchn_nlevel_init(struct xen_nlevel_init *init)
{
    struct domain *d = current->domain;
    struct evtchn_nlevel_domain *nlevel;
    unsigned int port, end;
    int rc;

    init->depth_max = XEN_NLEVEL_DEPTH_MAX;
    init->pages_max = XEN_NLEVEL_PAGES_MAX;
    rc = nlevel_check(init->depth, word_shift(d), init->pages);
    if ( rc )
        return rc;

    nlevel = xzalloc(struct evtchn_nlevel_domain);
    if ( !nlevel )
        return -ENOMEM;
    nlevel_layout(&nlevel->tree, init->depth, word_shift(d), init->pages);

    write_lock(&d->event_lock);

    rc = d->evtchn_nlevel ? -EEXIST : d->evtchn_fifo ? -EBUSY : map_all(d, &nlevel->tree, init);
    if ( rc )
    {
        write_unlock(&d->event_lock);
        unmap_all(&nlevel->tree);
        xfree(nlevel);
        return rc;
    }

    end = 1u << (2 * word_shift(d));    /* as many as two levels can number */
    d->evtchn_nlevel = nlevel;
    /* All of it /before/ the operations that use it; pairs with tree_of(). */
    smp_wmb();
    d->evtchn_port_ops = &evtchn_port_ops_nlevel;

    /*
     * What was pending is in shared_info, and who is about to raise an event may still do so there: it holds a
     * channel's lock, not ours.  The reason of such an event is older than this, so it is enough to raise all.
     */
    smp_mb();
    for ( port = 1; port < end && port_is_valid(d, port); port++ )
    {
        struct evtchn *evtchn = evtchn_from_port(d, port);

        evtchn_port_set_pending(d, evtchn->notify_vcpu_id, evtchn);
    }

    write_unlock(&d->event_lock);

    return 0;
}

int evtchn_nlevel_vcpu(const struct xen_nlevel_vcpu *vcpu)
{
    struct domain *d = current->domain;
    struct vcpu *v = domain_vcpu(d, vcpu->vcpu);
    struct nlevel_selectors selectors;
    unsigned int octets;
    void *page;
    int rc;

    if ( !v )
        return -ENOENT;

    write_lock(&d->event_lock);

    rc = -EOPNOTSUPP;
    if ( !d->evtchn_nlevel )
        goto out;
    rc = -EEXIST;
    if ( v->evtchn_nlevel )
        goto out;
    octets = nlevel_selectors_octets(&d->evtchn_nlevel->tree);
    rc = -EINVAL;
    if ( !octets || vcpu->offset % 8 || vcpu->offset > PAGE_SIZE - octets )
        goto out;
    rc = evtchn_map_guest_page(d, vcpu->gfn, &page);
    if ( rc )
        goto out;

    write_atomic(&v->evtchn_nlevel,
                 (uint32_t *)page + array_index_nospec(vcpu->offset, PAGE_SIZE) / sizeof(uint32_t));
    /*
     * The selectors /before/ all of them are set: who found none has set pending by then.  Pairs with
     * nlevel_set_pending().
     */
    smp_mb();
    selectors = selectors_of(v);
    nlevel_select_all(&d->evtchn_nlevel->tree, &selectors,
                      min(read_atomic(&d->valid_evtchns), d->evtchn_nlevel->tree.channels));
    vcpu_mark_events_pending(v);

 out:
    write_unlock(&d->event_lock);

    return rc;
}

void evtchn_nlevel_destroy(struct domain *d)
{
    struct vcpu *v;

    if ( !d->evtchn_nlevel )
        return;

    for_each_vcpu ( d, v )
    {
        evtchn_unmap_guest_page(v->evtchn_nlevel);
        v->evtchn_nlevel = NULL;
    }
    unmap_all(&d->evtchn_nlevel->tree);
    XFREE(d->evtchn_nlevel);
}
