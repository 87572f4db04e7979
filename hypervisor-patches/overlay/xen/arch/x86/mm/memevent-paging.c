/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The PAGING family: what happens to a page on its way out and in, and the events that tell of it.  Pages go from p2m_ram_rw
 * to p2m_ram_paging_out (nominated; the frame is there, out of the guest's reach) to p2m_ram_paged (out), and back.
 * p2m_ram_paging_in, which upstream's ring needs, is no state here: who has been asked for is known by the requests.
 */
#include <xen/event.h>
#include <xen/guest_access.h>
#include <xen/iommu.h>
#include <xen/memevent-private.h>
#include <xen/vm_event.h>
#include <asm/altp2m.h>
#include <asm/hap.h>
#include <asm/p2m.h>

#include "mm-locks.h"

typedef XEN_GUEST_HANDLE_PARAM(char) octets_t;

/* The same conditions, and the same words for them, as for upstream's own ring. */
int cf_check memevent_paging_allowed(const struct domain *d)
{
    if ( is_hvm_domain(hardware_domain) )
        return -EOPNOTSUPP;     /* its foreign mappings do not hold pages in */
    if ( !is_hvm_domain(d) || !hap_enabled(d) )
        return -ENODEV;
    if ( is_iommu_enabled(d) )
        return -EMLINK;
    if ( p2m_pod_active(d) )
        return -EXDEV;
    if ( altp2m_active(d) )
        return -EOPNOTSUPP;     /* another view may map the frame under another number */
    if ( vm_event_check_ring(d->vm_event_paging) )
        return -EBUSY;

    return 0;
}

/* A page that is out would be lost with the channel. */
bool cf_check memevent_paging_busy(const struct domain *d)
{
    return atomic_read(&d->paged_pages);
}

/* ---- Frames ---- */

/* What the p2m says of a frame; it stays so until frame_unlock(). */
struct frame {
    struct p2m_domain *p2m;
    gfn_t gfn;
    mfn_t mfn;
    p2m_type_t type;
    p2m_access_t access;
};

static struct frame frame_lock(struct domain *d, gfn_t gfn)
{
    struct frame frame = { .p2m = p2m_get_hostp2m(d), .gfn = gfn };

    gfn_lock(frame.p2m, gfn, 0);
    frame.mfn = frame.p2m->get_entry(frame.p2m, gfn, &frame.type, &frame.access, 0, NULL, NULL);

    return frame;
}

static void frame_unlock(const struct frame *frame)
{
    gfn_unlock(frame->p2m, frame->gfn, 0);
}

static int frame_set(const struct frame *frame, mfn_t mfn, p2m_type_t type)
{
    return p2m_set_entry(frame->p2m, frame->gfn, mfn, PAGE_ORDER_4K, type, frame->access);
}

/* The guest can use it as memory: as mfn, whether it was that before or had none. */
static int frame_make_usable(const struct frame *frame, struct domain *d, mfn_t mfn)
{
    int rc = frame_set(frame, mfn, paging_mode_log_dirty(d) ? p2m_ram_logdirty : p2m_ram_rw);

    if ( !rc )
        set_gpfn_from_mfn(mfn_x(mfn), gfn_x(frame->gfn));

    return rc;
}

/* ---- Events ---- */

/* With the p2m lock held, so that a request is on its way whenever a page that somebody waits for is out. */
static void ask_for(struct domain *d, gfn_t gfn)
{
    struct memevent_channel *channel = memevent_channel_of(d, XEN_MEMEVENT_CLASS_PAGING);
    struct vcpu *v = current->domain == d ? current : NULL;
    struct xen_memevent_request *request;
    int why;

    if ( !channel )
        return;
    request = memevent_claim(d, channel, v, &why);
    /* No room: a foreign domain is told to try again, and comes back here. */
    if ( !request )
        return;

    /* It comes back also if it has asked before. */
    if ( !v && memevent_reliable_is_asked(&channel->core, XEN_MEMEVENT_PAGING_POPULATE, gfn_x(gfn)) )
    {
        memevent_drop_claim(channel, request);
        return;
    }

    request->kind = XEN_MEMEVENT_PAGING_POPULATE;
    request->gfn = gfn_x(gfn);
    memevent_put(d, channel, v, request);
}

bool memevent_paging_populate(struct domain *d, gfn_t gfn)
{
    struct frame frame;
    bool done = true;

    if ( vm_event_check_ring(d->vm_event_paging) )
        return false;

    frame = frame_lock(d, gfn);
    if ( frame.type == p2m_ram_paging_out )
        /*
         * In use after all.  The consumer learns it when it tries to evict the page; if it has left since, it
         * need not.
         */
        frame_make_usable(&frame, d, frame.mfn);
    else if ( memevent_has_channel(d, XEN_MEMEVENT_CLASS_PAGING) )
    {
        if ( frame.type == p2m_ram_paged )
            ask_for(d, gfn);
    }
    else
        done = false;
    frame_unlock(&frame);

    return done;
}

bool memevent_paging_drop(struct domain *d, gfn_t gfn, bool was_out)
{
    struct memevent_channel *channel = memevent_channel_of(d, XEN_MEMEVENT_CLASS_PAGING);
    struct xen_memevent_request *request;
    int why;

    if ( !channel )
        return false;
    /* A page that was nominated only: its eviction will say so. */
    if ( !was_out )
        return true;

    atomic_dec(&d->paged_pages);
    request = memevent_claim(d, channel, NULL, &why);
    if ( request )
    {
        request->kind = XEN_MEMEVENT_PAGING_DROP;
        request->gfn = gfn_x(gfn);
        memevent_put(d, channel, NULL, request);
    }
    else if ( why == -EBUSY )
        memevent_rescan(d, channel, XEN_MEMEVENT_PAGING_RESCAN);

    return true;
}

void cf_check memevent_paging_hold(struct domain *d)
{
    p2m_lock(p2m_get_hostp2m(d));
}

void cf_check memevent_paging_let_go(struct domain *d)
{
    p2m_unlock(p2m_get_hostp2m(d));
}

/* ---- Operations ---- */

/* Under the p2m lock, where a channel ends: no page goes out afterwards. */
static bool may_go(const struct domain *d)
{
    return memevent_has_channel(d, XEN_MEMEVENT_CLASS_PAGING);
}

/* Whether nobody but the domain's own allocation (and extra of our references) holds the page. */
static bool is_held_by_none(const struct page_info *page, unsigned int extra)
{
    return (page->count_info & (PGC_count_mask | PGC_allocated)) == ((1 + extra) | PGC_allocated) &&
           !(page->u.inuse.type_info & PGT_count_mask);
}

static int nominate(struct domain *d, gfn_t gfn)
{
    struct frame frame = frame_lock(d, gfn);
    int rc = -EBUSY;

    if ( may_go(d) && mfn_valid(frame.mfn) && p2m_is_pageable(frame.type) && !is_iomem_page(frame.mfn) &&
         is_held_by_none(mfn_to_page(frame.mfn), 0) )
        rc = frame_set(&frame, frame.mfn, p2m_ram_paging_out);
    frame_unlock(&frame);

    return rc;
}

static int release(struct domain *d, gfn_t gfn)
{
    struct frame frame = frame_lock(d, gfn);
    int rc = -ENOENT;

    if ( frame.type == p2m_ram_paging_out )
        rc = frame_make_usable(&frame, d, frame.mfn);
    frame_unlock(&frame);

    return rc;
}

static int query(struct domain *d, gfn_t gfn)
{
    struct frame frame = frame_lock(d, gfn);

    frame_unlock(&frame);

    return frame.type == p2m_ram_paged ? 0 : frame.type == p2m_ram_paging_out ? -EAGAIN : -ENOENT;
}

/*
 * Takes the frame out of the p2m; on success *page is the caller's, with a reference, and nobody else's, and *eviction
 * has begun.
 */
static int take_out(struct domain *d, gfn_t gfn, struct page_info **page, struct memevent_eviction *eviction)
{
    struct frame frame = frame_lock(d, gfn);
    int rc = -EAGAIN;

    if ( !may_go(d) || !mfn_valid(frame.mfn) || frame.type != p2m_ram_paging_out )
        goto out;

    rc = -EBUSY;
    *page = mfn_to_page(frame.mfn);
    if ( !get_page(*page, d) )
        goto out;
    if ( is_held_by_none(*page, 1) )
        rc = frame_set(&frame, INVALID_MFN, p2m_ram_paged);
    if ( rc )
        put_page(*page);
    else
    {
        atomic_inc(&d->paged_pages);
        memevent_eviction_begin(&d->memevent->evictions, eviction, gfn_x(gfn));
    }

 out:
    frame_unlock(&frame);
    return rc;
}

/*
 * Gives the frame, which is out, this page; *eviction, unless it is NULL, ends.  -ENOENT: it is not out, or by another
 * eviction.
 */
static int bring_in(struct domain *d, gfn_t gfn, struct page_info *page, struct memevent_eviction *eviction)
{
    struct frame frame = frame_lock(d, gfn);
    bool ours = !eviction || memevent_eviction_end(&d->memevent->evictions, eviction);
    int rc = -ENOENT;

    if ( ours && frame.type == p2m_ram_paged )
        rc = frame_make_usable(&frame, d, page_to_mfn(page));
    if ( !rc )
        atomic_dec(&d->paged_pages);
    frame_unlock(&frame);

    return rc;
}

static void free_page(struct page_info *page)
{
    put_page_alloc_ref(page);
    put_page(page);
}

/*
 * The bytes are copied when the frame is in nobody's reach any more: neither the guest nor another domain can write to it
 * between the copy and the end.  No lock is held meanwhile, as the copy may fault.
 */
static int evict(struct domain *d, gfn_t gfn, octets_t data)
{
    struct memevent_eviction eviction;
    struct page_info *page;
    const void *octets;
    int rc = take_out(d, gfn, &page, &eviction);

    if ( rc )
        return rc;

    octets = __map_domain_page(page);
    rc = copy_to_guest(data, octets, PAGE_SIZE) ? -EFAULT : 0;
    unmap_domain_page(octets);

    /*
     * Not if the guest has given the frame up meanwhile, nor if it has had it back, and what it wrote there is out by
     * an eviction that began later.
     */
    if ( !rc )
        memevent_eviction_end(&d->memevent->evictions, &eviction);
    else if ( !bring_in(d, gfn, page, &eviction) )
    {
        put_page(page);
        return rc;
    }

    /* What the guest wrote is for no other domain's eyes. */
    scrub_one_page(page);
    free_page(page);

    return rc;
}

static int load(struct domain *d, gfn_t gfn, octets_t data)
{
    struct page_info *page;
    void *octets;
    int rc = query(d, gfn);

    if ( rc )
        return -ENOENT;

    page = alloc_domheap_page(d, 0);
    if ( !page )
        return -ENOMEM;
    if ( !get_page(page, d) )
    {
        /* Nobody else can know of this page yet. */
        ASSERT_UNREACHABLE();
        return -ENOMEM;
    }

    octets = __map_domain_page(page);
    rc = copy_from_guest(octets, data, PAGE_SIZE) ? -EFAULT : 0;
    unmap_domain_page(octets);

    if ( !rc )
        rc = bring_in(d, gfn, page, NULL);
    if ( rc )
    {
        /* Xen does not scrub what a living domain gives up, and the next owner may be another. */
        scrub_one_page(page);
        put_page_alloc_ref(page);
    }
    put_page(page);

    return rc;
}

int memevent_paging_operation(struct domain *d, struct xen_memevent_operation *operation)
{
    const struct xen_memevent_paging_arguments *arguments = &operation->u.paging;
    uint32_t call = operation->call & ~XEN_MEMEVENT_ANNOTATION_MASK;
    bool has_data = call == XEN_MEMEVENT_PAGING_EVICT || call == XEN_MEMEVENT_PAGING_LOAD;
    gfn_t gfn = _gfn(arguments->gfn);
    octets_t data;
    unsigned int i;

    for ( i = 0; i < ARRAY_SIZE(arguments->pad); i++ )
        if ( arguments->pad[i] )
            return -EINVAL;
    if ( has_data ? !arguments->data || !memevent_is_address(arguments->data) : arguments->data )
        return -EINVAL;
    if ( !memevent_has_channel(d, XEN_MEMEVENT_CLASS_PAGING) )
        return -ENODEV;
    if ( !gfn_valid(d, gfn) )
        return -EINVAL;

    data = guest_handle_from_ptr((void *)(unsigned long)arguments->data, char);
    switch ( call )
    {
    case XEN_MEMEVENT_PAGING_NOMINATE:
        return nominate(d, gfn);
    case XEN_MEMEVENT_PAGING_EVICT:
        return evict(d, gfn, data);
    case XEN_MEMEVENT_PAGING_LOAD:
        return load(d, gfn, data);
    case XEN_MEMEVENT_PAGING_RELEASE:
        return release(d, gfn);
    case XEN_MEMEVENT_PAGING_QUERY:
        return query(d, gfn);
    default:
        return -ENOSYS;
    }
}
