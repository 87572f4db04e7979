/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reliable channels of domains: their memory, their event channel, who is attached, and the way of a request out and
 * of an answer in.  The rings themselves are reliable.c's, what events mean is their families'.
 *
 * A channel is created by its first consumer and lives until it is detached or the domain dies.  A consumer is whoever has
 * bound the event channel's other end: when it dies, its kernel closes that, and the channel waits for the next.
 */
#include <xen/domain_page.h>
#include <xen/errno.h>
#include <xen/event.h>
#include <xen/lib.h>
#include <xen/memevent-private.h>
#include <xen/mm.h>
#include <xen/vmap.h>
#include <xen/xmalloc.h>
#include <xsm/xsm.h>

/* Channels come and go one at a time, on the whole host: it is rare. */
static DEFINE_SPINLOCK(attach_lock);

static void __init __maybe_unused layout_assertions(void)
{
#define ASSERT_SIZE(type, octets) BUILD_BUG_ON(sizeof(type) != (octets));
#define ASSERT_PLACE(type, field, octet) BUILD_BUG_ON(offsetof(type, field) != (octet));
    XEN_MEMEVENT_LAYOUT(ASSERT_SIZE, ASSERT_PLACE)
#undef ASSERT_SIZE
#undef ASSERT_PLACE
    BUILD_BUG_ON(XEN_MEMEVENT_HOST != DOMID_XEN);
}

static const struct class {
    uint16_t request_size;
    uint16_t response_size;
    uint32_t flags;                 /* that a consumer may ask for */
    uint32_t actions;               /* that an answer may name */
    int  (*allowed)(const struct domain *d);
    /* Absent: unanswered requests end with the channel.  Else they keep it, and so does what this says. */
    bool (*busy)(const struct domain *d);
    /* May be absent: keep what busy() says as it is, while the channel's end is decided. */
    void (*hold)(struct domain *d);
    void (*let_go)(struct domain *d);
    /* May be absent: whoever waited tries again, and asks again if there still is need. */
    void (*answered)(struct domain *d, const struct xen_memevent_request *request,
                     const struct xen_memevent_response *response);
    /* Around the channel's life; may be absent. */
    int  (*begin)(struct domain *d);
    void (*finish)(struct domain *d);
} classes[XEN_MEMEVENT_CLASSES] = {
#ifdef CONFIG_MEM_PAGING
    [XEN_MEMEVENT_CLASS_PAGING] = {
        .request_size = sizeof(struct xen_memevent_request),
        .response_size = sizeof(struct xen_memevent_response),
        .allowed = memevent_paging_allowed,
        .busy = memevent_paging_busy,
        .hold = memevent_paging_hold,
        .let_go = memevent_paging_let_go,
    },
#endif
#ifdef CONFIG_MEM_ACCESS
    [XEN_MEMEVENT_CLASS_ACCESS] = {
        .request_size = sizeof(struct xen_memevent_access_request),
        .response_size = sizeof(struct xen_memevent_access_response),
        .flags = XEN_MEMEVENT_FULL_REGISTERS,
        .actions = XEN_MEMEVENT_ACTION_EMULATE | XEN_MEMEVENT_ACTION_SKIP_WRITE | XEN_MEMEVENT_ACTION_DENY,
        .allowed = memevent_access_allowed,
        .answered = memevent_access_answered,
        .begin = memevent_access_begin,
        .finish = memevent_access_finish,
    },
#endif
#ifdef CONFIG_MEM_SHARING
    [XEN_MEMEVENT_CLASS_OOM] = {
        .request_size = sizeof(struct xen_memevent_request),
        .response_size = sizeof(struct xen_memevent_response),
        .allowed = memevent_oom_allowed,
        .busy = memevent_oom_busy,
    },
#endif
};

static const struct class *class_of(unsigned int class)
{
    return class < ARRAY_SIZE(classes) && classes[class].request_size ? &classes[class] : NULL;
}

struct memevent_channel *memevent_channel_of(const struct domain *d, unsigned int class)
{
    struct memevent_domain *md = read_atomic(&d->memevent);

    if ( !md || class >= XEN_MEMEVENT_CLASSES || !read_atomic(&md->channels[class].live) )
        return NULL;

    return &md->channels[class];
}

bool memevent_has_channel(const struct domain *d, unsigned int class)
{
    return memevent_channel_of(d, class);
}

/* ---- The way out ---- */

struct xen_memevent_request *memevent_claim(struct domain *d, struct memevent_channel *channel,
                                            const struct vcpu *v, int *why)
{
    struct xen_memevent_request *request;

    spin_lock(&channel->lock);
    *why = -ENOENT;
    if ( !channel->live )
        goto none;

    *why = v ? -EEXIST : -EBUSY;
    request = memevent_reliable_claim(&channel->core, v ? v->vcpu_id : MEMEVENT_NOBODY);
    if ( !request )
        goto none;

    request->time = NOW();
    request->causer = current->domain->domain_id;
    if ( current->domain != d )
        request->flags |= XEN_MEMEVENT_FOREIGN;
    *why = 0;

    return request;

 none:
    spin_unlock(&channel->lock);
    return NULL;
}

static void notify(struct domain *d, const struct memevent_channel *channel)
{
    if ( channel->port )
        notify_via_xen_event_channel(d, channel->port);
}

void memevent_put(struct domain *d, struct memevent_channel *channel, struct vcpu *v,
                  struct xen_memevent_request *request)
{
    if ( v )
    {
        request->vcpu = v->vcpu_id;
        request->flags |= XEN_MEMEVENT_VCPU_PAUSED;
        /* Before the request can be seen, and so before it can be answered. */
        vcpu_pause_nosync(v);
    }
    if ( memevent_reliable_put(&channel->core, request) )
        notify(d, channel);
    spin_unlock(&channel->lock);
}

void memevent_drop_claim(struct memevent_channel *channel, struct xen_memevent_request *request)
{
    memevent_reliable_cancel(&channel->core, request);
    spin_unlock(&channel->lock);
}

void memevent_rescan(struct domain *d, struct memevent_channel *channel, unsigned int kind)
{
    spin_lock(&channel->lock);
    if ( channel->live && memevent_reliable_rescan(&channel->core, kind, NOW()) )
        notify(d, channel);
    spin_unlock(&channel->lock);
}

/* ---- The way in ---- */

/* Acts on an answer.  No lock is held: families take p2m locks. */
static void act(struct domain *d, const struct class *class, const struct memevent_answer *answer)
{
    const struct xen_memevent_request *request = (const void *)answer->request;

    if ( class->answered )
        class->answered(d, request, (const void *)answer->response);
    if ( request->flags & XEN_MEMEVENT_VCPU_PAUSED )
        vcpu_unpause(d->vcpu[request->vcpu]);
}

/* One lock for so many answers: hardly any of it is left for each, and who asks meanwhile need not wait for long. */
#define VCPUS_AT_ONCE 16

/* The answers of a class say no more than that their vCPUs go on. */
static void let_vcpus_go(struct domain *d, struct memevent_channel *channel)
{
    uint32_t vcpus[VCPUS_AT_ONCE], waiting, budget = channel->core.slots, i;

    do {
        spin_lock(&channel->lock);
        waiting = channel->live ? memevent_reliable_take_waiting(&channel->core, vcpus, VCPUS_AT_ONCE, &budget) : 0;
        spin_unlock(&channel->lock);
        for ( i = 0; i < waiting; i++ )
            vcpu_unpause(d->vcpu[vcpus[i]]);
    } while ( waiting == VCPUS_AT_ONCE );
}

/* Takes responses, as many as there can be requests: more cannot be right. */
static void take_responses(struct domain *d, unsigned int nr_class, struct memevent_channel *channel)
{
    const struct class *class = &classes[nr_class];
    struct memevent_answer answer;
    unsigned int budget = channel->core.slots;  /* none yet, while it is being made: one does no harm */
    int taken;

    if ( !class->answered )
    {
        let_vcpus_go(d, channel);
        return;
    }

    do {
        spin_lock(&channel->lock);
        taken = channel->live ? memevent_reliable_take(&channel->core, class->actions, &answer) : 0;
        spin_unlock(&channel->lock);
        if ( taken > 0 )
            act(d, class, &answer);
    } while ( taken && budget-- > 0 );
}

/* The consumer has notified: answers wait, or it has made room for requests. */
void cf_check memevent_kicked(struct vcpu *v, unsigned int port)
{
    struct domain *d = v->domain;
    unsigned int nr_class;

    for ( nr_class = 0; nr_class < XEN_MEMEVENT_CLASSES; nr_class++ )
    {
        struct memevent_channel *channel = memevent_channel_of(d, nr_class);

        if ( !channel || read_atomic(&channel->port) != port )
            continue;

        take_responses(d, nr_class, channel);
        spin_lock(&channel->lock);
        channel->core.info.kicks++;
        if ( channel->live && memevent_reliable_flush(&channel->core) )
            notify(d, channel);
        spin_unlock(&channel->lock);
    }
}

/* ---- Memory ---- */

static void free_pages(struct memevent_channel *channel)
{
    unsigned int i;

    if ( channel->core.shared )
    {
        /* Registers of its guest, perhaps, and the next owner may be another. */
        memset(channel->core.shared, 0, channel->core.size);
        vunmap(channel->core.shared);
    }
    channel->core.shared = NULL;

    for ( i = 0; i < channel->nr_pages; i++ )
    {
        put_page_alloc_ref(channel->pages[i]);
        put_page_and_type(channel->pages[i]);
    }
    channel->nr_pages = 0;

    XFREE(channel->pages);
    XFREE(channel->core.entries);
    XFREE(channel->core.requests);
}

/*
 * Pages that belong to the domain, so that its consumer may map them as such, but have no place in its frame numbers: the
 * guest cannot get at them.  As for an I/O request server's page.
 */
static int alloc_pages(struct domain *d, struct memevent_channel *channel)
{
    unsigned int nr = PFN_UP(channel->core.size), i;
    mfn_t *mfns = xmalloc_array(mfn_t, nr);

    channel->pages = xzalloc_array(struct page_info *, nr);
    channel->core.entries = xzalloc_array(struct memevent_entry, channel->core.slots);
    channel->core.requests = xzalloc_bytes(channel->core.slots * channel->core.request_size);
    if ( !mfns || !channel->pages || !channel->core.entries || !channel->core.requests )
        goto no_memory;

    for ( i = 0; i < nr; i++ )
    {
        struct page_info *page = alloc_domheap_page(d, MEMF_no_refcount);

        if ( !page )
            goto no_memory;
        if ( !get_page_and_type(page, d, PGT_writable_page) )
        {
            /* Nobody else can know of this page yet. */
            ASSERT_UNREACHABLE();
            goto no_memory;
        }
        clear_domain_page(page_to_mfn(page));
        channel->pages[i] = page;
        channel->nr_pages = i + 1;
        mfns[i] = page_to_mfn(page);
    }

    channel->core.shared = vmap(mfns, nr);
    if ( !channel->core.shared )
        goto no_memory;
    xfree(mfns);

    return 0;

 no_memory:
    xfree(mfns);
    free_pages(channel);
    return -ENOMEM;
}

unsigned int memevent_resource_frames(const struct domain *d, unsigned int class)
{
    const struct memevent_channel *channel;

    if ( d == dom_xen )
        return memevent_host_frames(class);
    channel = memevent_channel_of(d, class);

    return channel ? channel->nr_pages : 0;
}

int memevent_acquire_resource(struct domain *d, unsigned int class, unsigned int frame,
                              unsigned int nr_frames, xen_pfn_t mfn_list[])
{
    struct memevent_channel *channel;
    unsigned int i;
    int rc;

    if ( d == dom_xen )
        return memevent_host_acquire(class, frame, nr_frames, mfn_list);

    /* Who maps the frames can answer: that takes the rights to attach, which a device model has not. */
    rc = xsm_vm_event_control(XSM_PRIV, d, class, XEN_VM_EVENT_RESUME);
    if ( rc )
        return rc;

    /* The caller maps what it is told after this: a page that is freed meanwhile cannot be mapped. */
    rc = -ENOENT;
    spin_lock(&attach_lock);
    channel = memevent_channel_of(d, class);
    if ( !channel )
        goto out;

    rc = -EINVAL;
    if ( frame >= channel->nr_pages || nr_frames > channel->nr_pages - frame )
        goto out;

    for ( i = 0; i < nr_frames; i++ )
        mfn_list[i] = mfn_x(page_to_mfn(channel->pages[frame + i]));
    rc = nr_frames;

 out:
    spin_unlock(&attach_lock);
    return rc;
}

/* ---- Life ---- */

static int create(struct domain *d, const struct class *class, uint32_t flags,
                  struct memevent_channel *channel)
{
    int rc;

    memevent_reliable_layout(&channel->core, d->max_vcpus,
                             flags & XEN_MEMEVENT_FULL_REGISTERS ? XEN_MEMEVENT_FULL_SIZE
                                                                 : class->request_size,
                             class->response_size);
    rc = alloc_pages(d, channel);
    if ( rc )
        return rc;
    rc = class->begin ? class->begin(d) : 0;
    if ( rc )
    {
        free_pages(channel);
        return rc;
    }
    memevent_reliable_init(&channel->core);
    channel->flags = flags;

    spin_lock(&channel->lock);
    write_atomic(&channel->live, true);
    spin_unlock(&channel->lock);

    return 0;
}

/* Ends the channel; who waits for an answer goes on without. */
static void end(struct domain *d, unsigned int nr_class, struct memevent_channel *channel)
{
    struct memevent_answer answer;
    int port, left;

    spin_lock(&channel->lock);
    write_atomic(&channel->live, false);
    port = channel->port;
    write_atomic(&channel->port, 0);
    spin_unlock(&channel->lock);

    if ( port )
        free_xen_event_channel(d, port);

    do {
        spin_lock(&channel->lock);
        left = memevent_reliable_abandon(&channel->core, &answer);
        spin_unlock(&channel->lock);
        if ( left )
            act(d, &classes[nr_class], &answer);
    } while ( left );

    if ( classes[nr_class].finish )
        classes[nr_class].finish(d);
    free_pages(channel);
}

bool memevent_port_is_bound(struct domain *d, int port)
{
    struct evtchn *chn;
    bool bound;

    if ( !port )
        return false;

    chn = evtchn_from_port(d, port);
    evtchn_read_lock(chn);
    bound = chn->state == ECS_INTERDOMAIN;
    evtchn_read_unlock(chn);

    return bound;
}

/*
 * A port for the current domain to bind.  The one that there was, if that is still meant for it: a guest cannot then keep its
 * consumer away by using up all its ports.
 */
static int port_for_current(struct domain *d, int old)
{
    bool usable = false;

    if ( old )
    {
        struct evtchn *chn = evtchn_from_port(d, old);

        evtchn_read_lock(chn);
        usable = chn->state == ECS_UNBOUND && chn->u.unbound.remote_domid == current->domain->domain_id;
        evtchn_read_unlock(chn);
    }

    return usable ? old : alloc_unbound_xen_event_channel(d, 0, current->domain->domain_id, memevent_kicked);
}

static struct memevent_domain *domain_state(struct domain *d)
{
    struct memevent_domain *md = d->memevent;
    unsigned int i;

    if ( md )
        return md;

    md = xzalloc(struct memevent_domain);
    if ( !md )
        return NULL;
    for ( i = 0; i < XEN_MEMEVENT_CLASSES; i++ )
        spin_lock_init(&md->channels[i].lock);
#ifdef CONFIG_MEM_PAGING
    memevent_evictions_init(&md->evictions);
#endif
    /* Its contents /before/ the pointer; pairs with the dependent load in memevent_channel_of(). */
    smp_wmb();
    write_atomic(&d->memevent, md);

    return md;
}

static int attach(struct domain *d, const struct class *class, struct xen_memevent_attach *attach)
{
    struct memevent_domain *md;
    struct memevent_channel *channel;
    int rc, port;

    if ( d->is_dying )
        return -ESRCH;
    if ( !d->vcpu || !d->vcpu[0] )
        return -EINVAL;

    md = domain_state(d);
    if ( !md )
        return -ENOMEM;
    channel = &md->channels[attach->channel_class];
    /* A consumer that dies must be able to have a successor, whatever the domain has become since. */
    rc = channel->live ? 0 : class->allowed(d);
    if ( rc )
        return rc;

    if ( channel->live && memevent_port_is_bound(d, channel->port) )
        return -EBUSY;
    if ( channel->live && channel->flags != attach->flags )
        return -EINVAL;

    port = rc = port_for_current(d, channel->port);
    if ( rc < 0 )
        return rc;

    if ( !channel->live )
    {
        rc = create(d, class, attach->flags, channel);
        if ( rc )
        {
            free_xen_event_channel(d, port);
            return rc;
        }
    }
    else
    {
        int old;

        /* What the former consumer published before it died was meant. */
        take_responses(d, attach->channel_class, channel);

        spin_lock(&channel->lock);
        old = channel->port;
        write_atomic(&channel->port, 0);
        spin_unlock(&channel->lock);
        if ( old && old != port )
            free_xen_event_channel(d, old);
    }

    spin_lock(&channel->lock);
    write_atomic(&channel->port, port);
    attach->redelivered = memevent_reliable_reattach(&channel->core);
    /* Nobody listens yet: who attaches looks at the ring before it sleeps. */
    memevent_reliable_flush(&channel->core);
    attach->attachment = channel->core.info.attachments;
    attach->port = port;
    attach->frames = attach->ring_frames = channel->nr_pages;
    attach->rings = 1;
    attach->slots = channel->core.slots;
    attach->request_size = channel->core.request_size;
    attach->response_size = channel->core.response_size;
    attach->request_offset = channel->core.request_offset;
    attach->response_offset = channel->core.response_offset;
    spin_unlock(&channel->lock);

    return 0;
}

int memevent_attach(struct domain *d, struct xen_memevent_attach *request)
{
    const struct class *class = class_of(request->channel_class);
    int rc;

    if ( !class )
        return -ENOSYS;
    if ( (request->flags & ~class->flags) || request->batch || request->deadline )
        return -EINVAL;
    if ( d == current->domain )
        return -EINVAL;

    spin_lock(&attach_lock);
    rc = attach(d, class, request);
    spin_unlock(&attach_lock);

    return rc;
}

int memevent_detach(struct domain *d, unsigned int class)
{
    struct memevent_channel *channel;
    int rc = -ENOENT;

    /* No vCPU is in the middle of an event, or of acting on an answer. */
    domain_pause(d);
    spin_lock(&attach_lock);
    channel = memevent_channel_of(d, class);
    if ( channel )
    {
        take_responses(d, class, channel);

        /*
         * A vCPU that finds a page out asks under the p2m lock that it was found under, and a page goes out under it: when
         * none is out, none can be about to ask, and none goes out any more.
         */
        if ( classes[class].hold )
            classes[class].hold(d);
        spin_lock(&channel->lock);
        rc = 0;
        if ( classes[class].busy && (channel->core.info.outstanding || classes[class].busy(d)) )
            rc = -EBUSY;
        else
            write_atomic(&channel->live, false);
        spin_unlock(&channel->lock);
        if ( classes[class].let_go )
            classes[class].let_go(d);

        if ( !rc )
            end(d, class, channel);
    }
    spin_unlock(&attach_lock);
    domain_unpause(d);

    return rc;
}

int memevent_get_info(struct domain *d, struct xen_memevent_info *info)
{
    struct memevent_channel *channel = memevent_channel_of(d, info->channel_class);
    struct xen_memevent_info counters;

    if ( !channel )
        return -ENOENT;

    spin_lock(&channel->lock);
    counters = channel->core.info;
    spin_unlock(&channel->lock);

    counters.domid = info->domid;
    counters.channel_class = info->channel_class;
    *info = counters;

    return 0;
}

void memevent_cleanup(struct domain *d)
{
    unsigned int class;

    spin_lock(&attach_lock);
    for ( class = 0; class < XEN_MEMEVENT_CLASSES; class++ )
    {
        struct memevent_channel *channel = memevent_channel_of(d, class);

        if ( channel )
            end(d, class, channel);
    }
    spin_unlock(&attach_lock);
}

void memevent_destroy(struct domain *d)
{
    XFREE(d->memevent);
}
