/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host's lossy channel, INVALIDATE: one ring for each CPU, its memory, its event channel, and the clock that lets no record
 * wait for ever.  The rings themselves are lossy.c's.
 *
 * Producers hold page and p2m locks.  All they do here is to write a record on their own CPU's ring and, if the
 * consumer wants to know, to schedule a tasklet, which notifies without those locks.
 */
#include <xen/domain_page.h>
#include <xen/errno.h>
#include <xen/event.h>
#include <xen/lib.h>
#include <xen/memevent-lossy.h>
#include <xen/memevent-private.h>
#include <xen/mm.h>
#include <xen/tasklet.h>
#include <xen/timer.h>
#include <xen/vmap.h>
#include <xen/xmalloc.h>

/* Frames of records a CPU: 4096 of them, the invalidations of a guest's write to 16 MiB of shared memory. */
#define RECORD_FRAMES   16u
#define RING_FRAMES     (1 + RECORD_FRAMES)
#define RING_RECORDS    (RECORD_FRAMES * PAGE_SIZE / sizeof(struct xen_memevent_record))

/* A shorter deadline would be a clock interrupt for every few records; a longer one is no deadline. */
#define DEADLINE_MIN    100u            /* us */
#define DEADLINE_MAX    10000000u

static struct host {
    /* Under attach_lock; live is read without, and never taken back. */
    bool live;
    unsigned int nr_rings;
    unsigned int nr_frames;
    mfn_t *mfns;
    void *shared;
    struct memevent_lossy *rings;       /* by CPU */
    uint32_t batch;
    uint32_t attachments;
    s_time_t deadline;

    bool seen_bound;                    /* the present consumer has come to listen */

    spinlock_t port_lock;               /* a leaf, for the port not to be freed under a notification */
    int port;                           /* port_lock; of the hardware domain, or 0 */
    uint64_t notifications;             /* port_lock */
} host = {
    .port_lock = SPIN_LOCK_UNLOCKED,
};

static DEFINE_SPINLOCK(attach_lock);

static void cf_check notify(void *unused)
{
    spin_lock(&host.port_lock);
    if ( host.port )
    {
        host.notifications++;
        notify_via_xen_event_channel(hardware_domain, host.port);
    }
    spin_unlock(&host.port_lock);
}

static DECLARE_SOFTIRQ_TASKLET(notify_tasklet, notify, NULL);

static void put(const struct xen_memevent_record *record)
{
    unsigned int cpu = smp_processor_id();

    if ( !read_atomic(&host.live) || cpu >= host.nr_rings )
        return;
    if ( memevent_lossy_put(&host.rings[cpu], record) )
        tasklet_schedule(&notify_tasklet);
}

DEFINE_PER_CPU(bool, memevent_undoes);

/* Whoever takes a nomination back does it by upstream's unshare, which knows of writes only. */
static enum xen_memevent_reason true_reason(enum xen_memevent_reason reason)
{
    return this_cpu(memevent_undoes) ? XEN_MEMEVENT_UNDONE : reason;
}

void memevent_handle_gone(uint64_t handle, enum xen_memevent_reason reason)
{
    const struct xen_memevent_record record = {
        .what = handle,
        .kind = XEN_MEMEVENT_HANDLE,
        .reason = true_reason(reason),
    };

    put(&record);
}

void memevent_gfn_gone(const struct domain *d, gfn_t gfn, enum xen_memevent_reason reason)
{
    const struct xen_memevent_record record = {
        .what = gfn_x(gfn),
        .domid = d->domain_id,
        .kind = XEN_MEMEVENT_GFN,
        .reason = true_reason(reason),
    };

    put(&record);
}

/* ---- The clock ---- */

static struct timer clock;

static void cf_check expire(void *unused)
{
    bool wanted = false, bound;
    unsigned int i;

    for ( i = 0; i < host.nr_rings; i++ )
        wanted |= memevent_lossy_expire(&host.rings[i]);
    if ( wanted )
        tasklet_schedule(&notify_tasklet);

    /*
     * When the consumer has left there is nobody to be late for; the next one starts it again.  One that has attached and not come
     * to listen yet has not left.
     */
    spin_lock(&host.port_lock);
    bound = memevent_port_is_bound(hardware_domain, host.port);
    if ( bound )
        host.seen_bound = true;
    if ( host.port && (bound || !host.seen_bound) )
        set_timer(&clock, NOW() + host.deadline);
    spin_unlock(&host.port_lock);
}

/* ---- Life ---- */

/* The port that there was, which nobody notifies any more. */
static int change_port(int port)
{
    int old;

    spin_lock(&host.port_lock);
    old = host.port;
    host.port = port;
    host.seen_bound = false;
    spin_unlock(&host.port_lock);

    return old;
}

static int create(void)
{
    unsigned int i;

    host.nr_rings = nr_cpu_ids;
    host.nr_frames = host.nr_rings * RING_FRAMES;
    host.mfns = xzalloc_array(mfn_t, host.nr_frames);
    host.rings = xzalloc_array(struct memevent_lossy, host.nr_rings);
    if ( !host.mfns || !host.rings )
        goto no_memory;

    for ( i = 0; i < host.nr_frames; i++ )
    {
        void *page = alloc_xenheap_page();

        if ( !page )
            goto no_memory;
        clear_page(page);
        host.mfns[i] = _mfn(virt_to_mfn(page));
    }
    host.shared = vmap(host.mfns, host.nr_frames);
    if ( !host.shared )
        goto no_memory;

    /* There is no way back from here: the channel stays. */
    for ( i = 0; i < host.nr_frames; i++ )
        share_xen_page_with_privileged_guests(mfn_to_page(host.mfns[i]), SHARE_rw);
    for ( i = 0; i < host.nr_rings; i++ )
        memevent_lossy_init(&host.rings[i], host.shared + i * RING_FRAMES * PAGE_SIZE, PAGE_SIZE,
                            RING_RECORDS, host.batch);
    init_timer(&clock, expire, NULL, 0);

    /* All of it /before/ live; pairs with the dependency on live in put(). */
    smp_wmb();
    write_atomic(&host.live, true);

    return 0;

 no_memory:
    for ( i = 0; host.mfns && i < host.nr_frames; i++ )
        if ( mfn_x(host.mfns[i]) )
            free_xenheap_page(mfn_to_virt(mfn_x(host.mfns[i])));
    XFREE(host.mfns);
    XFREE(host.rings);

    return -ENOMEM;
}

static int attach(struct xen_memevent_attach *attach)
{
    unsigned int i;
    int port, old;

    if ( memevent_port_is_bound(hardware_domain, host.port) )
        return -EBUSY;

    host.batch = attach->batch;
    if ( !host.live && create() )
        return -ENOMEM;

    port = alloc_unbound_xen_event_channel(hardware_domain, 0, hardware_domain->domain_id,
                                           memevent_kicked);
    if ( port < 0 )
        return port;
    stop_timer(&clock);
    old = change_port(port);
    if ( old )
        free_xen_event_channel(hardware_domain, old);
    host.deadline = MICROSECS(attach->deadline);
    for ( i = 0; i < host.nr_rings; i++ )
    {
        memevent_lossy_renew(&host.rings[i]);
        write_atomic(&host.rings[i].batch, attach->batch);
    }
    set_timer(&clock, NOW() + host.deadline);

    attach->port = port;
    attach->frames = host.nr_frames;
    attach->rings = host.nr_rings;
    attach->ring_frames = RING_FRAMES;
    attach->slots = RING_RECORDS;
    attach->request_size = sizeof(struct xen_memevent_record);
    attach->request_offset = PAGE_SIZE;
    attach->attachment = ++host.attachments;

    return 0;
}

int memevent_host_attach(struct xen_memevent_attach *request)
{
    int rc;

    if ( request->channel_class != XEN_MEMEVENT_CLASS_INVALIDATE )
        return -ENOSYS;
    if ( current->domain != hardware_domain )
        return -EPERM;
    if ( request->flags || !request->batch || request->batch > RING_RECORDS ||
         request->deadline < DEADLINE_MIN || request->deadline > DEADLINE_MAX )
        return -EINVAL;

    spin_lock(&attach_lock);
    rc = attach(request);
    spin_unlock(&attach_lock);

    return rc;
}

/* The rings stay, and fill up, and count: the next consumer learns what it has missed. */
int memevent_host_detach(unsigned int class)
{
    int port;

    if ( class != XEN_MEMEVENT_CLASS_INVALIDATE )
        return -ENOSYS;
    if ( current->domain != hardware_domain )
        return -EPERM;

    spin_lock(&attach_lock);
    port = change_port(0);
    if ( port )
    {
        stop_timer(&clock);
        free_xen_event_channel(hardware_domain, port);
    }
    spin_unlock(&attach_lock);

    return port ? 0 : -ENOENT;
}

int memevent_host_get_info(struct xen_memevent_info *info)
{
    const struct xen_memevent_info asked = *info;
    unsigned int i;

    if ( asked.channel_class != XEN_MEMEVENT_CLASS_INVALIDATE || !read_atomic(&host.live) )
        return -ENOENT;

    memset(info, 0, sizeof(*info));
    info->domid = asked.domid;
    info->channel_class = asked.channel_class;
    info->attachments = host.attachments;
    info->notifications = host.notifications;
    for ( i = 0; i < host.nr_rings; i++ )
    {
        info->produced += read_atomic(&host.rings[i].produced);
        info->dropped += read_atomic(&host.rings[i].dropped);
        info->answered += memevent_lossy_consumed(&host.rings[i]);
    }

    return 0;
}

unsigned int memevent_host_frames(unsigned int class)
{
    return class == XEN_MEMEVENT_CLASS_INVALIDATE && read_atomic(&host.live) ? host.nr_frames : 0;
}

int memevent_host_acquire(unsigned int class, unsigned int frame, unsigned int nr_frames,
                          xen_pfn_t mfn_list[])
{
    unsigned int i, frames = memevent_host_frames(class);

    if ( frame >= frames || nr_frames > frames - frame )
        return -EINVAL;
    for ( i = 0; i < nr_frames; i++ )
        mfn_list[i] = mfn_x(host.mfns[frame + i]);

    return nr_frames;
}
